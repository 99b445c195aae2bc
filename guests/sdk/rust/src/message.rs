//! The other side of the records: what a guest sends to host functions and
//! reads back. No pointers here either.

use alloc::vec::Vec;

use crate::codec::{load32, load64, record, Malformed, Request, BATCH_SIZE, REQUEST_SIZE, RESPONSE_SIZE};

fn put(out: &mut [u8], at: usize, v: &[u8]) {
    out[at..at + v.len()].copy_from_slice(v);
}

/// Appends `bytes` and notes offset and length at `out[at]`.
fn append(out: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let run = if bytes.is_empty() { 0 } else { out.len() as u64 | (bytes.len() as u64) << 32 };
    put(out, at, &run.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Fills the record at `out[at]`, whose bytes are zero, and appends what it names.
fn fill(out: &mut Vec<u8>, at: usize, r: &Request<'_>) {
    put(out, at, &(REQUEST_SIZE as u32).to_le_bytes());
    put(out, at + 4, &r.flags.to_le_bytes());
    append(out, at + 8, r.key);
    append(out, at + 16, r.value);
    append(out, at + 24, r.etag);
    append(out, at + 32, r.content_type);
    append(out, at + 40, r.metadata.bytes());
    put(out, at + 48, &r.ttl_ms.to_le_bytes());
    put(out, at + 56, &r.deadline_ms.to_le_bytes());
    put(out, at + 64, &r.limit.to_le_bytes());
}

fn size(r: &Request<'_>) -> usize {
    REQUEST_SIZE + r.key.len() + r.value.len() + r.etag.len() + r.content_type.len() + r.metadata.bytes().len()
}

/// Replaces `out` by a request. False if there is no memory for it.
#[must_use]
pub fn write_request(out: &mut Vec<u8>, r: &Request<'_>) -> bool {
    out.clear();
    if out.try_reserve(size(r)).is_err() {
        return false;
    }
    out.resize(REQUEST_SIZE, 0);
    fill(out, 0, r);
    true
}

/// Replaces `out` by a batch. False if there is no memory for it.
#[must_use]
pub fn write_batch(out: &mut Vec<u8>, items: &[Request<'_>]) -> bool {
    out.clear();
    let all = items.iter().fold(BATCH_SIZE, |n, r| n.saturating_add(size(r)));
    if out.try_reserve(all).is_err() {
        return false;
    }
    out.resize(BATCH_SIZE + items.len() * REQUEST_SIZE, 0);
    for (at, v) in [(0, BATCH_SIZE), (8, BATCH_SIZE), (12, items.len()), (16, REQUEST_SIZE)] {
        put(out, at, &(v as u32).to_le_bytes());
    }
    for (i, r) in items.iter().enumerate() {
        fill(out, BATCH_SIZE + i * REQUEST_SIZE, r);
    }
    true
}

/// A response of the host, or one of its items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields of chapter 5, by their names
pub struct Reply<'a> {
    pub code: u32,
    pub value: &'a [u8],
    pub etag: &'a [u8],
    pub content_type: &'a [u8],
    pub message: &'a [u8],
    pub expires_ms: i64,
    pub key: &'a [u8],
    items: (usize, usize, usize), // offset, count, step
}

/// The bytes at the address and length at `rec[at]`.
fn slice<'a>(buf: &'a [u8], base: u32, rec: &[u8], at: usize) -> Option<&'a [u8]> {
    let len = load32(rec, at + 4)? as usize;
    if len == 0 {
        return Some(&[]);
    }
    let from = load32(rec, at)?.checked_sub(base)? as usize;
    buf.get(from..from.checked_add(len)?)
}

impl<'a> Reply<'a> {
    /// Reads the record at `buf[at]`, whose addresses count `buf` from `base`.
    pub fn read(buf: &'a [u8], base: u32, at: usize) -> Result<Self, Malformed> {
        Self::fields(buf, base, at).ok_or(Malformed)
    }

    fn fields(buf: &'a [u8], base: u32, at: usize) -> Option<Self> {
        if buf.is_empty() {
            return Some(Self::default()); // stands for zeros
        }
        let rec = record(buf, at, RESPONSE_SIZE)?;
        let (count, step) = (load32(rec, 52)? as usize, load32(rec, 56)? as usize);
        let items = if count == 0 { 0 } else { load32(rec, 48)?.checked_sub(base)? as usize };
        if count > 0 && (step < RESPONSE_SIZE || items as u64 + count as u64 * step as u64 > buf.len() as u64) {
            return None;
        }
        Some(Reply {
            code: load32(rec, 4)?,
            value: slice(buf, base, rec, 8)?,
            etag: slice(buf, base, rec, 16)?,
            content_type: slice(buf, base, rec, 24)?,
            message: slice(buf, base, rec, 32)?,
            expires_ms: load64(rec, 40)? as i64,
            key: slice(buf, base, rec, 64)?,
            items: (items, count, step),
        })
    }

    /// The number of items.
    pub fn count(&self) -> usize {
        self.items.1
    }

    /// The i-th item; `buf` and `base` are those the head was read with.
    pub fn item(&self, buf: &'a [u8], base: u32, i: usize) -> Result<Reply<'a>, Malformed> {
        if i >= self.items.1 {
            return Err(Malformed);
        }
        Reply::read(buf, base, self.items.0 + i * self.items.2)
    }
}
