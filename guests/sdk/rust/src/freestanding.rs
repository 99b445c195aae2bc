//! What std would bring: an allocator that reuses blocks by size class, as the
//! C kit's, and a panic handler that logs.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;

struct Classes(UnsafeCell<State>);

struct State {
    top: usize,
    freed: [*mut u8; 32],
}

// A module has one thread.
unsafe impl Sync for Classes {}

#[global_allocator]
static ALLOCATOR: Classes = Classes(UnsafeCell::new(State { top: 0, freed: [core::ptr::null_mut(); 32] }));

extern "C" {
    static __heap_base: u8;
}

/// The power of two that holds the layout; from 16 bytes.
fn class(l: Layout) -> u32 {
    usize::BITS - (l.size().max(l.align()).max(16) - 1).leading_zeros()
}

unsafe impl GlobalAlloc for Classes {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        let s = &mut *self.0.get();
        let c = class(l);
        if c > 30 || l.align() > 16 {
            return core::ptr::null_mut();
        }
        let p = s.freed[c as usize];
        if !p.is_null() {
            s.freed[c as usize] = *p.cast::<*mut u8>();
            return p;
        }
        if s.top == 0 {
            s.top = (core::ptr::addr_of!(__heap_base) as usize + 15) & !15;
        }
        // 64-bit sums cannot wrap.
        let end = s.top as u64 + (1u64 << c);
        let have = (core::arch::wasm32::memory_size(0) as u64) << 16;
        if end > have && core::arch::wasm32::memory_grow(0, (end - have).div_ceil(65536) as usize) == usize::MAX {
            return core::ptr::null_mut();
        }
        let p = s.top as *mut u8;
        s.top = end as usize;
        p
    }

    unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
        let s = &mut *self.0.get();
        let c = class(l) as usize;
        *p.cast::<*mut u8>() = s.freed[c];
        s.freed[c] = p;
    }

    unsafe fn realloc(&self, p: *mut u8, l: Layout, size: usize) -> *mut u8 {
        let new = Layout::from_size_align_unchecked(size, l.align());
        if class(new) == class(l) {
            return p;
        }
        let q = self.alloc(new);
        if !q.is_null() {
            core::ptr::copy_nonoverlapping(p, q, l.size().min(size));
            self.dealloc(p, l);
        }
        q
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // Formatting would cost more than most stores: the place says enough.
    if let Some(at) = info.location() {
        crate::host::log(crate::host::Level::Error, at.file());
    }
    core::arch::wasm32::unreachable()
}
