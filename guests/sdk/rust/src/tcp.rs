//! Connections to endpoints that the operator granted, as in
//! `tcp: ["redis.internal:6379"]` (abi/SPEC-hostfuncs.md, chapter 10).
//!
//! A [`Stream`] outlives the operation that opened it: keep it in the store. It
//! ends with the instance, after 5 minutes without use, and when an operation
//! is given up during a call on it; calls answer `Code::Closed` then, and the
//! store connects again. With the feature `std` it is a [`std::io::Read`] and
//! [`std::io::Write`]. Natively nothing is granted.

use crate::net::{failure, number, unpack};
use crate::store::Result;

/// A connection; dropping it closes it.
#[derive(Debug)]
pub struct Stream {
    handle: u32,
    read_ms: u32,
    write_ms: u32,
}

impl Stream {
    /// Connects to `host:port`. The timeout is in milliseconds, 0 = the rest of
    /// the operation.
    pub fn connect(addr: &str, timeout_ms: u32) -> Result<Stream> {
        Self::dial(addr, 0, timeout_ms)
    }

    /// As [`Stream::connect`], with TLS 1.2 or later; the server must prove that
    /// it is the host.
    pub fn connect_tls(addr: &str, timeout_ms: u32) -> Result<Stream> {
        Self::dial(addr, 1, timeout_ms)
    }

    fn dial(addr: &str, flags: u32, timeout_ms: u32) -> Result<Stream> {
        let handle = number(unsafe { imports::connect(addr.as_ptr(), addr.len(), flags, timeout_ms) })?;
        Ok(Stream { handle: handle as u32, read_ms: 0, write_ms: 0 })
    }

    /// How long each of the following reads and writes may take, in
    /// milliseconds; 0 = the rest of the operation.
    pub fn set_timeouts(&mut self, read_ms: u32, write_ms: u32) {
        (self.read_ms, self.write_ms) = (read_ms, write_ms);
    }

    /// Reads at least one byte; 0 is the end of the stream, or `out` is empty.
    /// After `Code::Timeout` the connection can be used on.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        number(unsafe { imports::read(self.handle, out.as_mut_ptr(), out.len(), self.read_ms) })
    }

    /// Writes everything. After an error the connection is closed.
    pub fn write_all(&mut self, data: &[u8]) -> Result<()> {
        // The host writes all bytes or answers with a code.
        match unpack(unsafe { imports::write(self.handle, data.as_ptr(), data.len(), self.write_ms) }) {
            (0, _) => Ok(()),
            (code, _) => Err(failure(code)),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        unsafe { imports::close(self.handle) };
    }
}

#[cfg(feature = "std")]
impl std::io::Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        Ok(Stream::read(self, out)?)
    }
}

#[cfg(feature = "std")]
impl std::io::Write for Stream {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        Stream::write_all(self, data)?;
        Ok(data.len())
    }

    /// Nothing is held back.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "wasmstate_tcp")]
    extern "C" {
        pub fn connect(addr: *const u8, len: usize, flags: u32, timeout_ms: u32) -> u64;
        pub fn read(handle: u32, out: *mut u8, cap: usize, timeout_ms: u32) -> u64;
        pub fn write(handle: u32, data: *const u8, len: usize, timeout_ms: u32) -> u64;
        pub fn close(handle: u32) -> u64;
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imports {
    const NOT_GRANTED: u64 = 12 << 32;

    pub unsafe fn connect(_: *const u8, _: usize, _: u32, _: u32) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn read(_: u32, _: *mut u8, _: usize, _: u32) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn write(_: u32, _: *const u8, _: usize, _: u32) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn close(_: u32) -> u64 {
        NOT_GRANTED
    }
}
