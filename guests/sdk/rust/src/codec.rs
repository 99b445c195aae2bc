//! The records of wasm ABI version 1 (abi/SPEC.md, chapter 5) on plain bytes.
//! No pointers here: the golden vectors test it natively.

/// Size of a request record in bytes.
pub const REQUEST_SIZE: usize = 72;
/// Size of the head of a batch in bytes.
pub const BATCH_SIZE: usize = 48;
/// Size of a response record in bytes.
pub const RESPONSE_SIZE: usize = 72;

/// Create only, if no etag is given.
pub const FIRST_WRITE: u32 = 1 << 0;
/// This item of a batch is a delete.
pub const DELETE: u32 = 1 << 1;
/// The caller takes eventual consistency.
pub const EVENTUAL: u32 = 1 << 16;
/// The caller wants strong consistency.
pub const STRONG: u32 = 1 << 17;

const MUST_UNDERSTAND: u32 = 0xffff;

/// The message breaks the rules of chapter 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

pub(crate) fn load32(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn load64(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(b.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The bytes that the offset and length at `rec[at]` name.
fn slice<'a>(buf: &'a [u8], rec: &[u8], at: usize) -> Option<&'a [u8]> {
    let (off, len) = (load32(rec, at)? as usize, load32(rec, at + 4)? as usize);
    if len == 0 {
        return Some(&[]);
    }
    buf.get(off..off.checked_add(len)?)
}

/// The record of at least `min` bytes that begins at `at`.
pub(crate) fn record(buf: &[u8], at: usize, min: usize) -> Option<&[u8]> {
    let rec = buf.get(at..)?;
    let size = load32(rec, 0)? as usize;
    if size < min {
        return None;
    }
    rec.get(..size)
}

/// Metadata: names and values in the order of the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pairs<'a>(&'a [u8]);

impl<'a> Pairs<'a> {
    /// Reads pairs; they must fill `bytes` exactly.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() {
            return Ok(Pairs(bytes));
        }
        Self::read_some(bytes)
    }

    // Out of line: the meter charges a function for all of its code.
    #[cold]
    #[inline(never)]
    fn read_some(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut all = Pairs(bytes);
        while all.next().is_some() {}
        if all.0.is_empty() {
            Ok(Pairs(bytes))
        } else {
            Err(Malformed)
        }
    }

    /// The pairs as they were read.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The first value with this name.
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        for (n, v) in self {
            if n == name.as_bytes() {
                return Some(v);
            }
        }
        None
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let n = load32(self.0, 0)? as usize;
        let v = load32(self.0, 4)? as usize;
        let rest = self.0.get(8..)?;
        let name = rest.get(..n)?;
        let value = rest.get(n..n.checked_add(v)?)?;
        self.0 = &rest[n + v..];
        Some((name, value))
    }
}

/// One request, or one item of a batch. The bytes belong to the caller and are
/// gone when the operation returns: copy what you keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The flags; see [`Request::first_write`] and the others.
    pub flags: u32,
    /// The key: UTF-8, never empty. In a listing the prefix.
    pub key: &'a [u8],
    /// The value; may be empty.
    pub value: &'a [u8],
    /// The etag that the stored value must have; empty = none given.
    pub etag: &'a [u8],
    /// Content type; empty = none.
    pub content_type: &'a [u8],
    /// Metadata; ignore what you do not know.
    pub metadata: Pairs<'a>,
    /// Time to live in milliseconds, 0 = never expires. In an import the
    /// absolute expiry in Unix milliseconds.
    pub ttl_ms: u64,
    /// Milliseconds left for the operation; 0 = no deadline.
    pub deadline_ms: u64,
    /// The most keys, or the bytes wished of an export.
    pub limit: u32,
}

impl<'a> Request<'a> {
    /// Reads the record at `buf[at]`; its offsets count from `buf`.
    pub fn read(buf: &'a [u8], at: usize) -> Result<Self, Malformed> {
        Self::fields(buf, at).ok_or(Malformed)
    }

    #[inline]
    fn fields(buf: &'a [u8], at: usize) -> Option<Self> {
        let rec = record(buf, at, REQUEST_SIZE)?;
        Some(Request {
            flags: load32(rec, 4)?,
            key: slice(buf, rec, 8)?,
            value: slice(buf, rec, 16)?,
            etag: slice(buf, rec, 24)?,
            content_type: slice(buf, rec, 32)?,
            metadata: Pairs::read(slice(buf, rec, 40)?).ok()?,
            ttl_ms: load64(rec, 48)?,
            deadline_ms: load64(rec, 56)?,
            limit: load32(rec, 64)?,
        })
    }

    /// Without an etag this write may only create.
    pub fn first_write(&self) -> bool {
        self.flags & FIRST_WRITE != 0
    }

    /// This item of a batch is a delete.
    pub fn is_delete(&self) -> bool {
        self.flags & DELETE != 0
    }

    /// False if there is a flag that this version must understand but does not.
    pub fn understood(&self) -> bool {
        self.flags & MUST_UNDERSTAND & !(FIRST_WRITE | DELETE) == 0
    }
}

/// Several requests of one call. All items have been checked when it is read.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    buf: &'a [u8],
    items: usize,
    step: usize,
    count: usize,
    /// The flags of the head.
    pub flags: u32,
    /// Milliseconds left for the operation; 0 = no deadline.
    pub deadline_ms: u64,
    /// Metadata of the call; at the start the properties.
    pub metadata: Pairs<'a>,
    /// At the start the component's name.
    pub name: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads a batch with all its items.
    pub fn read(buf: &'a [u8]) -> Result<Self, Malformed> {
        let batch = Self::head(buf).ok_or(Malformed)?;
        for i in 0..batch.count {
            Request::read(buf, batch.items + i * batch.step)?;
        }
        Ok(batch)
    }

    fn head(buf: &'a [u8]) -> Option<Self> {
        let rec = record(buf, 0, BATCH_SIZE)?;
        let (items, count, step) = (load32(rec, 8)? as usize, load32(rec, 12)? as usize, load32(rec, 16)? as usize);
        if count > 0 && (step < REQUEST_SIZE || items as u64 + count as u64 * step as u64 > buf.len() as u64) {
            return None;
        }
        Some(Batch {
            buf,
            items,
            step,
            count,
            flags: load32(rec, 4)?,
            deadline_ms: load64(rec, 24)?,
            metadata: Pairs::read(slice(buf, rec, 32)?).ok()?,
            name: slice(buf, rec, 40)?,
        })
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there are no items.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The i-th item; None if there are not so many.
    pub fn get(&self, i: usize) -> Option<Request<'a>> {
        if i >= self.count {
            return None;
        }
        Request::read(self.buf, self.items + i * self.step).ok()
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = Request<'a>> + 'a {
        let batch = *self;
        (0..batch.count).filter_map(move |i| batch.get(i))
    }

    /// False if a flag of the head must be understood but is not.
    pub fn understood(&self) -> bool {
        self.flags & MUST_UNDERSTAND == 0
    }
}

/// A run of guest memory: address and length, or address and count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// Absolute address.
    pub at: u32,
    /// Bytes, or items.
    pub len: u32,
}

/// A response record as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields of chapter 5, by their names
pub struct Response {
    pub code: u32,
    pub value: Run,
    pub etag: Run,
    pub content_type: Run,
    pub message: Run,
    pub expires_ms: i64,
    pub items: Run,
    pub key: Run,
}

impl Response {
    /// Writes the record. A run of length 0 is written as address 0.
    #[inline]
    pub fn write(&self, out: &mut [u8; RESPONSE_SIZE]) {
        let mut put = |at: usize, v: u64| out[at..at + 8].copy_from_slice(&v.to_le_bytes());
        let run = |r: Run| if r.len == 0 { 0 } else { r.at as u64 | (r.len as u64) << 32 };
        put(0, RESPONSE_SIZE as u64 | (self.code as u64) << 32);
        put(8, run(self.value));
        put(16, run(self.etag));
        put(24, run(self.content_type));
        put(32, run(self.message));
        put(40, self.expires_ms as u64);
        put(48, run(self.items));
        put(56, if self.items.len > 0 { RESPONSE_SIZE as u64 } else { 0 });
        put(64, run(self.key));
    }
}

/// The result of an operation: code in the high, length in the low 32 bits.
pub fn pack(code: u32, len: u32) -> u64 {
    (code as u64) << 32 | len as u64
}
