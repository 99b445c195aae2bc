//! Buckets of keys, kept by another component of the same runtime
//! (abi/SPEC-hostfuncs.md, chapter 8). The operator grants `kv: {LABEL: COMPONENT}`.
//!
//! Requests are those of the [`Store`](crate::Store) trait, so that a store can
//! pass on what it was asked. Natively no bucket is granted.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::codec::{Request, DELETE};
use crate::message::{write_batch, write_request, Reply};
use crate::store::{Bytes, Code, Error, Failed, KeyPage, Result, Value};

/// What the component behind a bucket offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features(pub u32);

#[allow(missing_docs)] // the names of the manifest
impl Features {
    pub const ETAG: Features = Features(1);
    pub const TRANSACTIONAL: Features = Features(2);
    pub const TTL: Features = Features(4);
    pub const KEYS: Features = Features(16);
    pub const BULK: Features = Features(64);
    pub const CONTENT_TYPE: Features = Features(1024);

    /// True if all of `f` are offered.
    pub fn has(self, f: Features) -> bool {
        self.0 & f.0 == f.0
    }
}

/// The part of a component's keys that belongs to this component and one label.
/// Methods copy what they are given and return bytes of their own, except
/// [`Bucket::read`].
pub struct Bucket {
    id: u32,
    buffers: Cell<Buffers>, // taken during a call, so that a callback may call, too
}

#[derive(Default)]
struct Buffers {
    req: Vec<u8>,
    out: Vec<u8>,
}

/// Larger buffers are not kept between calls.
const KEEP: usize = 256 << 10;

type Function = unsafe extern "C" fn(u32, *const u8, usize, *mut u8, usize) -> u64;

fn no_memory() -> Error {
    Error::new(Code::Quota, "kv: out of memory")
}

fn broken() -> Error {
    Error::new(Code::Internal, "kv: the host's answer cannot be read")
}

fn copy(bytes: &[u8]) -> Result<Bytes<'static>> {
    if bytes.is_empty() {
        return Ok(Bytes::default());
    }
    let mut v = Vec::new();
    v.try_reserve_exact(bytes.len()).map_err(|_| no_memory())?;
    v.extend_from_slice(bytes);
    Ok(Cow::Owned(v))
}

fn value<'a>(r: &Reply<'a>) -> Value<'a> {
    Value { value: r.value.into(), etag: r.etag.into(), content_type: r.content_type.into(), expires_ms: r.expires_ms }
}

fn owned(v: Value<'_>) -> Result<Value<'static>> {
    Ok(Value { value: copy(&v.value)?, etag: copy(&v.etag)?, content_type: copy(&v.content_type)?, expires_ms: v.expires_ms })
}

#[cold]
fn error(code: u32, message: &[u8]) -> Error {
    let text = alloc::string::String::from_utf8_lossy(message).into_owned();
    Error { code: Code::from_number(code), message: if text.is_empty() { Cow::Borrowed("") } else { Cow::Owned(text) } }
}

/// An answer in the buffers of a call.
struct Answer<'a> {
    buf: &'a [u8],
    base: u32,
    code: u32,
    head: Reply<'a>,
}

impl<'a> Answer<'a> {
    fn ok(&self) -> Result<()> {
        if self.code == 0 {
            return Ok(());
        }
        Err(error(self.code, self.head.message))
    }

    fn item(&self, i: usize) -> Result<Reply<'a>> {
        self.head.item(self.buf, self.base, i).map_err(|_| broken())
    }
}

impl Bucket {
    /// The bucket with this label; `Code::Permission` if the operator has not
    /// bound one. Call it in [`Store::open`](crate::Store::open): it stays valid
    /// as long as the instance.
    pub fn open(label: &str) -> Result<Bucket> {
        let packed = unsafe { imports::bucket(label.as_ptr(), label.len()) };
        match (packed >> 32) as u32 {
            0 => Ok(Bucket { id: packed as u32, buffers: Cell::default() }),
            code => {
                let why = alloc::format!("no kv bucket {label:?} is granted: add kv: {{{label}: COMPONENT}} to the sandbox");
                Err(Error { code: Code::from_number(code), message: Cow::Owned(why) })
            }
        }
    }

    /// What the component behind offers.
    pub fn features(&self) -> Features {
        Features(unsafe { imports::features(self.id) } as u32)
    }

    fn call<T>(&self, f: Function, write: impl FnOnce(&mut Vec<u8>) -> bool, take: impl FnOnce(&Answer<'_>) -> Result<T>) -> Result<T> {
        let mut b = self.buffers.take();
        let result = self.exchange(&mut b, f, write, take);
        for buffer in [&mut b.req, &mut b.out] {
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
        }
        self.buffers.set(b);
        result
    }

    fn exchange<T>(
        &self, b: &mut Buffers, f: Function, write: impl FnOnce(&mut Vec<u8>) -> bool, take: impl FnOnce(&Answer<'_>) -> Result<T>,
    ) -> Result<T> {
        if !write(&mut b.req) {
            return Err(no_memory());
        }
        if b.out.is_empty() {
            b.out = vec![0; 4096];
        }
        // The host has copied the request when it returns and writes within the
        // capacity only.
        let mut packed = unsafe { f(self.id, b.req.as_ptr(), b.req.len(), b.out.as_mut_ptr(), b.out.len()) };
        let size = packed as u32 as usize;
        if size > b.out.len() {
            let mut larger = Vec::new();
            // Half as much again: the next page is often a little longer.
            larger.try_reserve_exact(size + size / 2).map_err(|_| no_memory())?;
            larger.resize(size + size / 2, 0);
            b.out = larger;
            packed = unsafe { imports::result(b.out.as_mut_ptr(), b.out.len()) };
        }
        let buf = b.out.get(..packed as u32 as usize).ok_or_else(broken)?;
        let base = b.out.as_ptr() as usize as u32;
        let head = Reply::read(buf, base, 0).map_err(|_| broken())?;
        take(&Answer { buf, base, code: (packed >> 32) as u32, head })
    }

    /// Hands the value of `req.key` to `f` without copying it.
    #[inline]
    pub fn read<T>(&self, req: &Request<'_>, f: impl FnOnce(Value<'_>) -> Result<T>) -> Result<T> {
        self.call(imports::get, |out| write_request(out, req), |a| {
            a.ok()?;
            f(value(&a.head))
        })
    }

    /// The value of `req.key`, or `Code::NotFound`.
    pub fn get(&self, req: &Request<'_>) -> Result<Value<'static>> {
        self.read(req, owned)
    }

    /// Stores a value and returns its etag. Compares `req.etag`; creates only
    /// with [`Request::first_write`].
    pub fn set(&self, req: &Request<'_>) -> Result<Bytes<'static>> {
        self.call(imports::set, |out| write_request(out, req), |a| {
            a.ok()?;
            copy(a.head.etag)
        })
    }

    /// Deletes a key; a missing one is no error, unless an etag is given.
    pub fn delete(&self, req: &Request<'_>) -> Result<()> {
        self.call(imports::delete, |out| write_request(out, req), |a| a.ok())
    }

    /// One result for each of at most 1,000 keys, in order.
    pub fn bulk_get(&self, reqs: &[Request<'_>]) -> Result<Vec<Result<Value<'static>>>> {
        self.bulk(imports::bulk_get, reqs, |r| owned(value(r)))
    }

    /// Applies at most 1,000 sets and deletes (flag [`DELETE`]), each for
    /// itself; the result of one is its new etag.
    pub fn bulk_write(&self, ops: &[Request<'_>]) -> Result<Vec<Result<Bytes<'static>>>> {
        self.bulk(imports::bulk_write, ops, |r| copy(r.etag))
    }

    fn bulk<T>(&self, f: Function, reqs: &[Request<'_>], one: impl Fn(&Reply<'_>) -> Result<T>) -> Result<Vec<Result<T>>> {
        self.call(f, |out| write_batch(out, reqs), |a| {
            a.ok()?;
            if a.head.count() != reqs.len() {
                return Err(broken());
            }
            let mut all = Vec::new();
            all.try_reserve_exact(reqs.len()).map_err(|_| no_memory())?;
            for i in 0..reqs.len() {
                let item = a.item(i)?;
                all.push(if item.code == 0 { one(&item) } else { Err(error(item.code, item.message)) });
            }
            Ok(all)
        })
    }

    /// Applies at most 1,000 sets and deletes or none. Where no single operation
    /// is to blame for a failure, its index is 0.
    pub fn transact(&self, ops: &[Request<'_>]) -> core::result::Result<(), Failed> {
        let mut index = 0;
        self.call(imports::transact, |out| write_batch(out, ops), |a| {
            index = a.head.code as usize;
            a.ok()
        })
        .map_err(|error| Failed { index, error })
    }

    /// At most `limit` keys (0 = 100, at most 1,000) that begin with `prefix`,
    /// in byte order, after `cursor`.
    pub fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'static>> {
        let req = Request { key: prefix, value: cursor, limit: limit.min(1000) as u32, ..Request::default() };
        self.call(imports::keys, |out| write_request(out, &req), |a| {
            a.ok()?;
            let mut page = KeyPage { keys: Vec::new(), next: copy(a.head.key)? };
            page.keys.try_reserve_exact(a.head.count()).map_err(|_| no_memory())?;
            for i in 0..a.head.count() {
                page.keys.push(copy(a.item(i)?.key)?);
            }
            Ok(page)
        })
    }
}

impl<'a> Request<'a> {
    /// A request for one key, to be completed by `Request { .. }` syntax.
    pub fn of(key: &'a [u8]) -> Self {
        Request { key, ..Request::default() }
    }

    /// This request as a delete of a batch.
    pub fn as_delete(self) -> Self {
        Request { flags: self.flags | DELETE, ..self }
    }
}

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "wasmstate_kv")]
    extern "C" {
        pub fn bucket(label: *const u8, len: usize) -> u64;
        pub fn features(bucket: u32) -> u64;
        pub fn get(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn set(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn delete(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn bulk_get(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn bulk_write(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn transact(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn keys(bucket: u32, req: *const u8, len: usize, out: *mut u8, cap: usize) -> u64;
        pub fn result(out: *mut u8, cap: usize) -> u64;
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imports {
    const NOT_GRANTED: u64 = 12 << 32;

    pub unsafe fn bucket(_: *const u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn features(_: u32) -> u64 {
        NOT_GRANTED
    }
    pub unsafe fn result(_: *mut u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub unsafe extern "C" fn get(_: u32, _: *const u8, _: usize, _: *mut u8, _: usize) -> u64 {
        NOT_GRANTED
    }
    pub use get as set;
    pub use get as delete;
    pub use get as bulk_get;
    pub use get as bulk_write;
    pub use get as transact;
    pub use get as keys;
}
