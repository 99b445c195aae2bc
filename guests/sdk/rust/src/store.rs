//! What an author implements and what goes in and out of it.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::codec::{Batch, Pairs, Request};

/// The closed set of codes (abi/SPEC.md, chapter 6), without ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// The key is missing or expired.
    NotFound = 1,
    /// The etag is not the stored one, or create-only met a key.
    EtagMismatch = 2,
    /// The etag cannot be one of this store's.
    EtagInvalid = 3,
    /// The request is malformed.
    InvalidArgument = 4,
    /// The store does not offer this.
    Unsupported = 5,
    /// Key, value or batch is over the store's limit.
    TooLarge = 6,
    /// Storage or budget is used up.
    Quota = 7,
    /// Slow down.
    RateLimited = 8,
    /// The deadline passed.
    Timeout = 9,
    /// The caller gave up.
    Cancelled = 10,
    /// The back end cannot be reached now; a retry may help.
    Unavailable = 11,
    /// The back end or the sandbox refused.
    Permission = 12,
    /// Stored data cannot be understood.
    Corrupt = 13,
    /// Anything else.
    Internal = 14,
    /// The store was closed.
    Closed = 15,
}

impl Code {
    /// The code with this number; a number outside the set is Internal.
    pub fn from_number(n: u32) -> Code {
        use Code::*;
        const ALL: [Code; 15] = [
            NotFound, EtagMismatch, EtagInvalid, InvalidArgument, Unsupported, TooLarge, Quota, RateLimited, Timeout,
            Cancelled, Unavailable, Permission, Corrupt, Internal, Closed,
        ];
        ALL.get((n as usize).wrapping_sub(1)).copied().unwrap_or(Internal)
    }
}

/// Why an operation failed. `Code::NotFound.into()` makes one without a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What the caller's program needs to know.
    pub code: Code,
    /// What people need to know; at most 1 KiB is kept. No values, no secrets.
    pub message: Cow<'static, str>,
}

impl Error {
    /// An error with a message.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Error { code, message: message.into() }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Error { code, message: Cow::Borrowed("") }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

#[cfg(feature = "std")]
impl std::error::Error for Error {}

/// The result of everything that can fail.
pub type Result<T> = core::result::Result<T, Error>;

/// Bytes that a store returns: borrowed from itself, which costs nothing, or
/// made for this answer.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// A stored value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value<'a> {
    /// The value itself.
    pub value: Bytes<'a>,
    /// Its etag; empty without the feature ETAG.
    pub etag: Bytes<'a>,
    /// Its content type; empty without the feature CONTENT_TYPE.
    pub content_type: Bytes<'a>,
    /// When it expires, Unix milliseconds; 0 = never.
    pub expires_ms: i64,
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct KeyPage<'a> {
    /// Keys in ascending byte order.
    pub keys: Vec<Bytes<'a>>,
    /// The cursor of the next page; empty at the end.
    pub next: Bytes<'a>,
}

/// A page of an export.
#[derive(Debug, Clone, Default)]
pub struct ExportPage<'a> {
    /// Keys with their values; at least one if `next` is not empty.
    pub items: Vec<(Bytes<'a>, Value<'a>)>,
    /// The cursor of the next page; empty at the end.
    pub next: Bytes<'a>,
}

/// Which operation of a transaction failed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The index of the operation.
    pub index: usize,
    /// The reason.
    pub error: Error,
}

/// What a store is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// The component's name.
    pub name: &'a str,
    /// The component's properties; secrets are resolved.
    pub properties: Pairs<'a>,
}

impl<'a> Config<'a> {
    /// A property as text; None if it is not set or is not UTF-8.
    pub fn property(&self, name: &str) -> Option<&'a str> {
        core::str::from_utf8(self.properties.get(name)?).ok()
    }
}

/// A state store. Three operations are required; offer others by overriding
/// them and declaring their feature in the manifest. Calls never overlap.
///
/// Operations that read take `&self`, so that answers may borrow from the
/// store; a store that needs to write while it reads keeps a `Cell` or
/// `RefCell` and returns bytes of its own.
pub trait Store: Sized {
    /// Opens the store; once, before everything else.
    fn open(config: &Config<'_>) -> Result<Self>;

    /// The value of `req.key`, or `Code::NotFound`.
    fn get(&self, req: &Request<'_>) -> Result<Value<'_>>;

    /// Stores a value and returns its new etag (empty without ETAG).
    fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>>;

    /// Deletes a key; a missing one is no error, unless an etag is given.
    fn delete(&mut self, req: &Request<'_>) -> Result<()>;

    /// Applies all sets and deletes or none. Feature TRANSACTIONAL.
    fn transact(&mut self, ops: &Batch<'_>) -> core::result::Result<(), Failed> {
        let _ = ops;
        Err(Failed { index: 0, error: Code::Unsupported.into() })
    }

    /// At most `limit` keys that begin with `prefix`, after `cursor`; an empty
    /// cursor begins. Feature KEYS.
    fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'_>> {
        let _ = (prefix, cursor, limit);
        Err(Code::Unsupported.into())
    }

    /// Everything, in pages of about `bytes`, for the successor at a reload.
    /// Feature EXPORT.
    fn export(&self, cursor: &[u8], bytes: usize) -> Result<ExportPage<'_>> {
        let _ = (cursor, bytes);
        Err(Code::Unsupported.into())
    }

    /// Takes over what a predecessor exported; `ttl_ms` of an item is its
    /// absolute expiry. Feature EXPORT.
    fn import(&mut self, items: &Batch<'_>) -> Result<()> {
        let _ = items;
        Err(Code::Unsupported.into())
    }

    /// Is the back end reachable?
    fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// Between operations, when nobody waits: remove what has expired, trim.
    fn idle(&mut self) {}

    /// The last call, if the instance ends in peace.
    fn close(&mut self) {}
}
