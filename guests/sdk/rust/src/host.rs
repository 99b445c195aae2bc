//! Host functions (abi/SPEC-hostfuncs.md). Log, clock and random are there for
//! every guest; config, secret and metric must be granted, and an import that
//! is not used is not in the module. Natively, in an author's own tests, log
//! goes to stderr, random is a plain sequence, and nothing is granted.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::store::{Code, Result};

/// Levels of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// Writes one line to the runtime's log, at most 1 KiB.
pub fn log(level: Level, line: &str) {
    imports::log(level as u32, line.as_bytes());
}

/// Whether lines of this level are kept at all.
pub fn log_enabled(level: Level) -> bool {
    imports::log_enabled(level as u32)
}

/// Unix time in nanoseconds.
pub fn now_ns() -> i64 {
    imports::now()
}

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    imports::now() / 1_000_000
}

/// Nanoseconds since some point in the past; never goes back.
pub fn monotonic_ns() -> i64 {
    imports::monotonic()
}

/// Fills `out` with random bytes of the system. Fails when the operation is
/// given up or its budget is used up; do not go on with what is in `out` then.
pub fn random(out: &mut [u8]) -> Result<()> {
    number(imports::random(out)).map(drop)
}

/// A number of 64 random bits. Fails as [`random`].
pub fn random_u64() -> Result<u64> {
    let mut b = [0; 8];
    random(&mut b)?;
    Ok(u64::from_le_bytes(b))
}

/// A value that the operator wrote into the sandbox's `config`.
pub fn config(name: &str) -> Result<Vec<u8>> {
    fetch(|out| imports::config(name.as_bytes(), out))
}

/// A secret; overwritten with zeros when it is dropped.
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text; None if it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        for b in &mut self.0 {
            // A plain store to memory that is about to be freed is left out.
            unsafe { core::ptr::write_volatile(b, 0) };
        }
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that the operator granted in the sandbox's `secrets`.
pub fn secret(name: &str) -> Result<Secret> {
    let mut out = Secret(vec![0; 256]);
    loop {
        let n = number(imports::secret(name.as_bytes(), &mut out.0))?;
        if n <= out.0.len() {
            out.0.truncate(n); // what is cut off was never written
            return Ok(out);
        }
        out = Secret(vec![0; n]);
    }
}

/// Adds to a counter. Names are `[a-z][a-z0-9_]*`, at most 64 bytes.
pub fn metric_add(name: &str, n: u64) -> Result<()> {
    number(imports::metric_add(name.as_bytes(), n)).map(drop)
}

/// Adds an observation to a histogram; NaN and infinities are refused.
pub fn metric_observe(name: &str, value: f64) -> Result<()> {
    number(imports::metric_observe(name.as_bytes(), value.to_bits())).map(drop)
}

/// Splits a packed result.
fn number(packed: u64) -> Result<usize> {
    match (packed >> 32) as u32 {
        0 => Ok(packed as u32 as usize),
        code => Err(Code::from_number(code).into()),
    }
}

/// Calls a function that writes into a buffer until the buffer is large enough.
fn fetch(call: impl Fn(&mut [u8]) -> u64) -> Result<Vec<u8>> {
    let mut out = vec![0; 256];
    loop {
        let n = number(call(&mut out))?;
        if n <= out.len() {
            out.truncate(n);
            return Ok(out);
        }
        out = vec![0; n];
    }
}

/// As [`config`], as text.
pub fn config_text(name: &str) -> Result<String> {
    String::from_utf8(config(name)?).map_err(|_| Code::InvalidArgument.into())
}

#[cfg(target_arch = "wasm32")]
mod imports {
    mod raw {
        #[link(wasm_import_module = "wasmstate_log")]
        extern "C" {
            pub fn log(level: u32, text: *const u8, len: usize);
            pub fn enabled(level: u32) -> u32;
        }
        #[link(wasm_import_module = "wasmstate_clock")]
        extern "C" {
            pub fn now() -> i64;
            pub fn monotonic() -> i64;
        }
        #[link(wasm_import_module = "wasmstate_random")]
        extern "C" {
            pub fn fill(out: *mut u8, len: usize) -> u64;
        }
        #[link(wasm_import_module = "wasmstate_config")]
        extern "C" {
            #[link_name = "get"]
            pub fn config_get(name: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        }
        #[link(wasm_import_module = "wasmstate_secret")]
        extern "C" {
            #[link_name = "get"]
            pub fn secret_get(name: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        }
        #[link(wasm_import_module = "wasmstate_metric")]
        extern "C" {
            pub fn add(name: *const u8, len: usize, n: u64) -> u64;
            pub fn observe(name: *const u8, len: usize, value: u64) -> u64;
        }
    }

    // The host checks every address and has copied its input on return.
    pub fn log(level: u32, text: &[u8]) {
        unsafe { raw::log(level, text.as_ptr(), text.len()) }
    }
    pub fn log_enabled(level: u32) -> bool {
        unsafe { raw::enabled(level) != 0 }
    }
    pub fn now() -> i64 {
        unsafe { raw::now() }
    }
    pub fn monotonic() -> i64 {
        unsafe { raw::monotonic() }
    }
    pub fn random(out: &mut [u8]) -> u64 {
        unsafe { raw::fill(out.as_mut_ptr(), out.len()) }
    }
    pub fn config(name: &[u8], out: &mut [u8]) -> u64 {
        unsafe { raw::config_get(name.as_ptr(), name.len(), out.as_mut_ptr(), out.len()) }
    }
    pub fn secret(name: &[u8], out: &mut [u8]) -> u64 {
        unsafe { raw::secret_get(name.as_ptr(), name.len(), out.as_mut_ptr(), out.len()) }
    }
    pub fn metric_add(name: &[u8], n: u64) -> u64 {
        unsafe { raw::add(name.as_ptr(), name.len(), n) }
    }
    pub fn metric_observe(name: &[u8], bits: u64) -> u64 {
        unsafe { raw::observe(name.as_ptr(), name.len(), bits) }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imports {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    const NOT_GRANTED: u64 = 12 << 32;
    static SEQUENCE: AtomicU64 = AtomicU64::new(1);

    pub fn log(_level: u32, _text: &[u8]) {
        #[cfg(feature = "std")]
        std::eprintln!("{}", std::string::String::from_utf8_lossy(_text));
    }
    pub fn log_enabled(_level: u32) -> bool {
        true
    }
    #[cfg(feature = "std")]
    pub fn now() -> i64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64)
    }
    #[cfg(not(feature = "std"))]
    pub fn now() -> i64 {
        SEQUENCE.fetch_add(1, Relaxed) as i64
    }
    pub fn monotonic() -> i64 {
        now()
    }
    pub fn random(out: &mut [u8]) -> u64 {
        for b in out {
            let x = SEQUENCE.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *b = (x >> 56) as u8;
        }
        0
    }
    pub fn config(_: &[u8], _: &mut [u8]) -> u64 {
        NOT_GRANTED
    }
    pub fn secret(_: &[u8], _: &mut [u8]) -> u64 {
        NOT_GRANTED
    }
    pub fn metric_add(_: &[u8], _: u64) -> u64 {
        NOT_GRANTED
    }
    pub fn metric_observe(_: &[u8], _: u64) -> u64 {
        NOT_GRANTED
    }
}
