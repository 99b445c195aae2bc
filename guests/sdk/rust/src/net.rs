//! What http and tcp have in common.

use crate::store::{Code, Error, Result};

/// Splits a packed result of the host.
pub(crate) fn unpack(packed: u64) -> (u32, usize) {
    ((packed >> 32) as u32, packed as u32 as usize)
}

pub(crate) fn number(packed: u64) -> Result<usize> {
    match unpack(packed) {
        (0, n) => Ok(n),
        (code, _) => Err(failure(code)),
    }
}

/// The host gives no text with a code, so that it costs nothing.
#[cold]
pub(crate) fn failure(code: u32) -> Error {
    let code = Code::from_number(code);
    let why = match code {
        Code::Timeout => "the server did not answer in time",
        Code::Cancelled => "the caller gave up",
        Code::Unavailable => "the server cannot be reached or broke off",
        Code::Permission => "not granted: the address must be in the sandbox's http or tcp, and a private one in its networks, too",
        Code::TooLarge => "the body is too large",
        Code::Quota => "too many open connections, or calls in this operation",
        Code::Closed => "the connection was ended",
        Code::InvalidArgument => "the request or address is malformed",
        _ => "",
    };
    Error::new(code, why)
}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(e: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match e.code {
            Code::NotFound => ErrorKind::NotFound,
            Code::InvalidArgument => ErrorKind::InvalidInput,
            Code::Unsupported => ErrorKind::Unsupported,
            Code::Timeout => ErrorKind::TimedOut,
            Code::Unavailable => ErrorKind::ConnectionReset,
            Code::Permission => ErrorKind::PermissionDenied,
            Code::Corrupt => ErrorKind::InvalidData,
            Code::Closed => ErrorKind::NotConnected,
            _ => ErrorKind::Other,
        };
        std::io::Error::new(kind, e)
    }
}

#[cfg(feature = "std")]
impl From<std::io::Error> for Error {
    /// The way back; an error that was not one of these is Unavailable.
    fn from(e: std::io::Error) -> Self {
        let text = std::string::ToString::to_string(&e);
        match e.into_inner().and_then(|inner| inner.downcast::<Error>().ok()) {
            Some(own) => *own,
            None => Error::new(Code::Unavailable, text),
        }
    }
}
