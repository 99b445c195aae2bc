//! crdt: registers of which the last writer wins, and counters to which
//! concurrent writers add, over another component. It keeps nothing itself.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod record;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use record::{Body, Counter, Mark};
use wasmstate::codec::FIRST_WRITE;
use wasmstate::kv::{Bucket, Features};
use wasmstate::{host, Bytes, Code, Config, Error, KeyPage, Request, Result, Store, Value};

/// How often a write is tried again after others came first.
const TRIES: usize = 1000;

pub struct Crdt {
    bucket: Bucket,
    prefix: String,    // of the names of counters
    writer: Cell<u64>, // random; 0 before the first write
    seen: Cell<u64>,   // the greatest stamp so far
    additions: u64,
}

/// What is stored under a key.
struct Found {
    version: Vec<u8>, // the etag of the component behind
    content_type: Vec<u8>,
    expires_ms: i64,
    mark: Mark,
    body: Body,
}

fn corrupt() -> Error {
    Error::new(Code::Corrupt, "the stored value was not written by this store")
}

fn contended() -> Error {
    Error::new(Code::Unavailable, "too many concurrent writers of one key")
}

/// The write may have been done although it failed.
fn unclear(code: Code) -> bool {
    matches!(code, Code::Timeout | Code::Cancelled | Code::Unavailable | Code::Internal)
}

impl Crdt {
    fn find(&self, key: &[u8]) -> Result<Option<Found>> {
        let found = self.bucket.read(&Request::of(key), |v| {
            let (mark, body) = record::read(&v.value).ok_or_else(corrupt)?;
            self.seen.set(self.seen.get().max(mark.stamp));
            Ok(Found { version: v.etag.into_owned(), content_type: v.content_type.into_owned(), expires_ms: v.expires_ms, mark, body })
        });
        match found {
            Ok(f) => Ok(Some(f)),
            Err(e) if e.code == Code::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A mark after everything that this instance has seen.
    fn mark(&self) -> Result<Mark> {
        if self.writer.get() == 0 {
            self.writer.set(host::random_u64()?.max(1));
        }
        let stamp = (host::now_ns().max(0) as u64).max(self.seen.get().saturating_add(1));
        self.seen.set(stamp);
        Ok(Mark { stamp, writer: self.writer.get() })
    }

    fn is_counter(&self, key: &[u8]) -> bool {
        // The runtime puts the application's id and || before a client's key.
        let name = key.windows(2).rposition(|w| w == b"||").map_or(key, |i| &key[i + 2..]);
        name.starts_with(self.prefix.as_bytes())
    }

    /// Writes over `found` and nothing else.
    fn replace(&self, req: &Request<'_>, found: Option<&Found>, value: &[u8]) -> Result<()> {
        let (flags, etag) = found.map_or((FIRST_WRITE, &[][..]), |f| (0, &f.version[..]));
        let write = Request { flags, etag, value, content_type: req.content_type, ttl_ms: req.ttl_ms, ..Request::of(req.key) };
        self.bucket.set(&write).map(drop)
    }

    fn set_register(&self, req: &Request<'_>) -> Result<Mark> {
        let mut found = self.find(req.key)?;
        let mark = self.mark()?;
        let value = record::register(mark, req.value);
        for _ in 0..TRIES {
            allowed(req, found.as_ref())?;
            match self.replace(req, found.as_ref(), &value) {
                Ok(()) => return Ok(mark),
                Err(e) if e.code == Code::EtagMismatch => found = self.find(req.key)?,
                Err(e) if unclear(e.code) => {
                    let done = matches!(self.find(req.key), Ok(Some(f)) if f.mark == mark);
                    return if done { Ok(mark) } else { Err(e) };
                }
                Err(e) => return Err(e),
            }
            // Somebody wrote while this write was under way: the later one stays.
            if req.etag.is_empty() && !req.first_write() && found.as_ref().is_some_and(|f| f.mark > mark) {
                return Ok(mark);
            }
        }
        Err(contended())
    }

    fn add(&mut self, req: &Request<'_>) -> Result<Mark> {
        let delta = record::delta(req.value).ok_or_else(|| Error::new(Code::InvalidArgument, "a counter is set to what is added to it: a whole number like +1 or -20"))?;
        self.additions += 1;
        for _ in 0..TRIES {
            let found = self.find(req.key)?;
            allowed(req, found.as_ref())?;
            let mark = self.mark()?;
            let mut sums = match &found {
                Some(Found { body: Body::Counter(c), .. }) => c.clone(),
                Some(_) => return Err(corrupt()),
                None => Counter::default(),
            };
            sums.add(mark.writer, self.additions, delta).ok_or_else(|| Error::new(Code::InvalidArgument, "the counter would leave 64 bits"))?;
            match self.replace(req, found.as_ref(), &record::counter(mark, &sums)) {
                Ok(()) => return Ok(mark),
                Err(e) if e.code == Code::EtagMismatch => {} // on top of what the others added
                Err(e) if unclear(e.code) => {
                    // The writer's own slot tells whether this addition is in.
                    return match self.find(req.key) {
                        Ok(Some(Found { body: Body::Counter(c), mark, .. })) if c.has(self.writer.get(), self.additions) => Ok(mark),
                        _ => Err(e),
                    };
                }
                Err(e) => return Err(e),
            }
        }
        Err(contended())
    }
}

/// Compares the caller's etag, and refuses to create what is there.
fn allowed(req: &Request<'_>, found: Option<&Found>) -> Result<()> {
    let ok = if !req.etag.is_empty() {
        found.is_some_and(|f| f.mark.etag() == req.etag)
    } else {
        !req.first_write() || found.is_none()
    };
    ok.then_some(()).ok_or(Code::EtagMismatch.into())
}

impl Store for Crdt {
    fn open(config: &Config<'_>) -> Result<Self> {
        let bucket = Bucket::open(config.property("bucket").unwrap_or("data"))?;
        for (feature, name) in [(Features::ETAG, "ETAG"), (Features::TTL, "TTL"), (Features::KEYS, "KEYS"), (Features::CONTENT_TYPE, "CONTENT_TYPE")] {
            if !bucket.features().has(feature) {
                return Err(Error::new(Code::Unsupported, alloc::format!("the component behind the bucket lacks {name}")));
            }
        }
        let prefix = config.property("counters").unwrap_or("counter/").to_string();
        Ok(Crdt { bucket, prefix, writer: Cell::new(0), seen: Cell::new(0), additions: 0 })
    }

    fn get(&self, req: &Request<'_>) -> Result<Value<'_>> {
        let found = self.find(req.key)?.ok_or(Code::NotFound)?;
        let value = match found.body {
            Body::Register(value) => value,
            Body::Counter(c) => c.value().ok_or_else(corrupt)?.to_string().into_bytes(),
        };
        Ok(Value { value: value.into(), etag: found.mark.etag().into(), content_type: found.content_type.into(), expires_ms: found.expires_ms })
    }

    fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>> {
        let mark = if self.is_counter(req.key) { self.add(req)? } else { self.set_register(req)? };
        Ok(mark.etag().into())
    }

    fn delete(&mut self, req: &Request<'_>) -> Result<()> {
        let mut found = self.find(req.key)?;
        let mark = self.mark()?;
        for _ in 0..TRIES {
            if !req.etag.is_empty() {
                allowed(req, found.as_ref())?;
            }
            let Some(old) = &found else { return Ok(()) };
            if old.mark > mark {
                return Ok(()); // written while this delete was under way, and later
            }
            match self.bucket.delete(&Request { etag: &old.version, ..Request::of(req.key) }) {
                Err(e) if e.code == Code::EtagMismatch => found = self.find(req.key)?,
                done => return done,
            }
        }
        Err(contended())
    }

    fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'_>> {
        self.bucket.keys(prefix, cursor, limit)
    }
}

wasmstate::export!(Crdt);
