//! Requests to servers that the operator granted, as in
//! `http: ["GET,PUT https://api.example.com/v1/"]` (abi/SPEC-hostfuncs.md,
//! chapter 9).
//!
//! ```no_run
//! # fn f() -> wasmstate::Result<()> {
//! use wasmstate::http::Request;
//!
//! let mut answer = Request { headers: &[("accept", "text/plain")], ..Request::get("https://api.example.com/v1/k") }.send()?;
//! if answer.status == 200 {
//!     let body = answer.body(1 << 20)?;
//! }
//! # Ok(()) }
//! ```
//!
//! An exchange ends with the operation at the latest: do not keep it in the
//! store. Natively nothing is granted.

use alloc::vec;
use alloc::vec::Vec;

use crate::codec::{self, Pairs};
use crate::message::{write_request, Reply};
use crate::net::number;
use crate::store::{Code, Error, Result};

const BODY_FOLLOWS: u32 = 1 << 2;
const NO_REDIRECTS: u32 = 1 << 3;

/// A request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method; empty is GET.
    pub method: &'a str,
    /// The URL, without user and password.
    pub url: &'a str,
    /// At most 64 headers of 16 KiB together; those of the connection are refused.
    pub headers: &'a [(&'a str, &'a str)],
    /// The header of that name; empty = none.
    pub content_type: &'a str,
    /// The body, at most 8 MiB; see [`Request::stream`] for larger ones.
    pub body: &'a [u8],
    /// For the whole exchange; 0 = what the operation and the host leave.
    pub timeout_ms: u64,
    /// A redirect is the response and is not followed.
    pub no_redirects: bool,
}

fn no_memory() -> Error {
    Error::new(Code::Quota, "http: out of memory")
}

fn broken() -> Error {
    Error::new(Code::Internal, "http: the host's answer cannot be read")
}

fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut v = Vec::new();
    v.try_reserve_exact(bytes.len()).map_err(|_| no_memory())?;
    v.extend_from_slice(bytes);
    Ok(v)
}

impl<'a> Request<'a> {
    /// A GET, to be completed by `Request { .. }` syntax.
    pub fn get(url: &'a str) -> Self {
        Request { url, ..Request::default() }
    }

    /// Sends the request and waits for the head of the response.
    pub fn send(&self) -> Result<Response> {
        self.start(0, self.body)?.head()
    }

    /// Sends the head of the request; the body is what is written then.
    pub fn stream(&self) -> Result<Upload> {
        self.start(BODY_FOLLOWS, &[]).map(Upload)
    }

    fn start(&self, flags: u32, body: &[u8]) -> Result<Exchange> {
        let size = self.headers.iter().fold(0usize, |n, (k, v)| n.saturating_add(8 + k.len() + v.len()));
        let mut pairs = Vec::new();
        pairs.try_reserve_exact(size).map_err(|_| no_memory())?;
        for (name, value) in self.headers {
            pairs.extend_from_slice(&(name.len() as u32).to_le_bytes());
            pairs.extend_from_slice(&(value.len() as u32).to_le_bytes());
            pairs.extend_from_slice(name.as_bytes());
            pairs.extend_from_slice(value.as_bytes());
        }
        let record = codec::Request {
            flags: flags | if self.no_redirects { NO_REDIRECTS } else { 0 },
            value: body,
            etag: self.method.as_bytes(),
            content_type: self.content_type.as_bytes(),
            metadata: Pairs::read(&pairs).map_err(|_| broken())?,
            deadline_ms: self.timeout_ms,
            ..codec::Request::of(self.url.as_bytes())
        };
        let mut req = Vec::new();
        if !write_request(&mut req, &record) {
            return Err(no_memory());
        }
        let handle = number(unsafe { imports::start(req.as_ptr(), req.len()) })?;
        Ok(Exchange { handle: handle as u32 })
    }
}

/// A handle of the host; dropping it ends the exchange.
#[derive(Debug)]
struct Exchange {
    handle: u32,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        unsafe { imports::close(self.handle) };
    }
}

impl Exchange {
    fn head(self) -> Result<Response> {
        let mut out = vec![0u8; 1024];
        let n = loop {
            let n = number(unsafe { imports::response(self.handle, out.as_mut_ptr(), out.len()) })?;
            if n <= out.len() {
                break n;
            }
            let mut larger = Vec::new();
            larger.try_reserve_exact(n).map_err(|_| no_memory())?;
            larger.resize(n, 0);
            out = larger;
        };
        let base = out.as_ptr() as usize as u32;
        let head = Reply::read(&out[..n], base, 0).map_err(|_| broken())?;
        Pairs::read(head.message).map_err(|_| broken())?;
        let (content_type, headers) = (copy(head.content_type)?, copy(head.message)?);
        Ok(Response { status: head.code as u16, content_type, headers, exchange: self })
    }
}

/// A request whose body is being sent; dropping it breaks the request off.
#[derive(Debug)]
pub struct Upload(Exchange);

impl Upload {
    /// Appends to the body; waits until the server takes it.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        let mut rest = data;
        while !rest.is_empty() {
            let n = number(unsafe { imports::write(self.0.handle, rest.as_ptr(), rest.len()) })?;
            if n == 0 {
                return Err(broken());
            }
            rest = rest.get(n..).ok_or_else(broken)?;
        }
        Ok(())
    }

    /// Ends the body and waits for the head of the response.
    pub fn finish(self) -> Result<Response> {
        self.0.head()
    }
}

/// The head of a response, and the way to its body.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status. Every status is a response and no error.
    pub status: u16,
    /// The header of that name; empty if there is none.
    pub content_type: Vec<u8>,
    headers: Vec<u8>,
    exchange: Exchange,
}

impl Response {
    /// The headers, names in lower case, one pair for each value.
    pub fn headers(&self) -> Pairs<'_> {
        Pairs::read(&self.headers).unwrap_or_default() // checked when it came
    }

    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().get(name)
    }

    /// The next bytes of the body, at least one; 0 is the end, or `out` is empty.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        number(unsafe { imports::read(self.exchange.handle, out.as_mut_ptr(), out.len()) })
    }

    /// The rest of the body; `Code::TooLarge` if it has more than `limit` bytes.
    pub fn body(&mut self, limit: usize) -> Result<Vec<u8>> {
        const STEP: usize = 16 << 10;
        let (mut all, mut len) = (Vec::new(), 0);
        loop {
            if all.len() - len < STEP {
                all.try_reserve(STEP).map_err(|_| no_memory())?;
                all.resize(all.capacity(), 0);
            }
            let n = self.read(&mut all[len..])?;
            len += n;
            if len > limit {
                return Err(Error::new(Code::TooLarge, "http: the body is larger than asked for"));
            }
            if n == 0 {
                all.truncate(len);
                return Ok(all);
            }
        }
    }
}

#[cfg(feature = "std")]
impl std::io::Read for Response {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        Ok(Response::read(self, out)?)
    }
}

#[cfg(feature = "std")]
impl std::io::Write for Upload {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        Upload::write(self, data)?;
        Ok(data.len())
    }

    /// Nothing is held back.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "wasmstate_http")]
    extern "C" {
        pub fn start(req: *const u8, len: usize) -> u64;
        pub fn write(handle: u32, data: *const u8, len: usize) -> u64;
        pub fn response(handle: u32, out: *mut u8, cap: usize) -> u64;
        pub fn read(handle: u32, out: *mut u8, cap: usize) -> u64;
        pub fn close(handle: u32) -> u64;
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imports {
    const NOT_GRANTED: u64 = 12 << 32;

    pub unsafe fn start(_: *const u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn write(_: u32, _: *const u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn response(_: u32, _: *mut u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn read(_: u32, _: *mut u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn close(_: u32) -> u64 {
        NOT_GRANTED
    }
}
