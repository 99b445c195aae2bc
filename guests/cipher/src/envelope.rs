//! What a value looks like in the store behind: XChaCha20-Poly1305 with a random
//! nonce of 24 bytes, which may be drawn at random for ever.
//!
//! | at | bytes | |
//! | --- | --- | --- |
//! | 0 | 1 | version, 1 |
//! | 1 | 8 | fingerprint of the key |
//! | 9 | 24 | nonce |
//! | 33 | 16 | tag |
//! | 49 | | the value, encrypted |
//!
//! The associated data are component, bucket, key and content type, so that no
//! value passes for that of another place.

use alloc::vec::Vec;
use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};

const VERSION: u8 = 1;
/// Bytes that a stored value is longer than the value.
pub const OVERHEAD: usize = 49;

pub type Fingerprint = [u8; 8];

/// A key with its fingerprint.
pub struct Key {
    aead: XChaCha20Poly1305,
    pub fingerprint: Fingerprint,
}

impl Key {
    /// Reads 64 hexadecimal digits; white space around them does not matter.
    pub fn parse(text: &str) -> Option<Key> {
        let digits = text.trim().as_bytes();
        let mut raw = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in raw.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |c: u8| (c as char).to_digit(16);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        let aead = XChaCha20Poly1305::new(&raw.into());
        wipe(&mut raw);
        // The tag of nothing: it says no more about the key than any tag does.
        let tag = aead.encrypt_in_place_detached(XNonce::from_slice(&[0; 24]), b"fingerprint of the key", &mut []).ok()?;
        Some(Key { aead, fingerprint: tag[..8].try_into().ok()? })
    }
}

fn wipe(bytes: &mut [u8]) {
    for b in bytes {
        // A plain store to memory that is given up is left out.
        unsafe { core::ptr::write_volatile(b, 0) };
    }
}

/// Where a value belongs.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub component: &'a [u8],
    pub bucket: &'a [u8],
    pub key: &'a [u8],
    pub content_type: &'a [u8],
}

impl Place<'_> {
    /// Each part with its length, so that no two places give the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [self.component, self.bucket, self.key, self.content_type] {
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

/// Why a value cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It was not written by this store, or its head is damaged.
    Foreign,
    /// It was encrypted with a key that is not at hand.
    Key(Fingerprint),
    /// It was changed, or belongs to another place.
    Tampered,
    /// There is no memory for it.
    Memory,
}

/// The stored form of a value; None if there is no memory for it.
pub fn seal(key: &Key, nonce: [u8; 24], place: Place<'_>, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(OVERHEAD + value.len()).ok()?;
    out.push(VERSION);
    out.extend_from_slice(&key.fingerprint);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(value);
    let tag = key.aead.encrypt_in_place_detached(XNonce::from_slice(&nonce), &place.bytes(), &mut out[OVERHEAD..]).ok()?;
    out[33..OVERHEAD].copy_from_slice(&tag);
    Some(out)
}

/// The value of a stored form.
pub fn open(keys: &[Key], place: Place<'_>, stored: &[u8]) -> Result<Vec<u8>, Fault> {
    if stored.len() < OVERHEAD || stored[0] != VERSION {
        return Err(Fault::Foreign);
    }
    let (head, body) = stored.split_at(OVERHEAD);
    let key = keys.iter().find(|k| k.fingerprint == head[1..9]).ok_or_else(|| {
        let mut f = Fingerprint::default();
        f.copy_from_slice(&head[1..9]);
        Fault::Key(f)
    })?;
    let mut value = Vec::new();
    value.try_reserve_exact(body.len()).map_err(|_| Fault::Memory)?;
    value.extend_from_slice(body);
    key.aead
        .decrypt_in_place_detached(XNonce::from_slice(&head[9..33]), &place.bytes(), &mut value, Tag::from_slice(&head[33..]))
        .map_err(|_| Fault::Tampered)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    const K2: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

    fn place(key: &[u8]) -> Place<'_> {
        Place { component: b"c", bucket: b"data", key, content_type: b"" }
    }

    #[test]
    fn values_come_back() {
        let keys = [Key::parse(K1).unwrap()];
        for value in [&b""[..], b"x", &[7; 100_000]] {
            let stored = seal(&keys[0], [3; 24], place(b"k"), value).unwrap();
            assert_eq!(stored.len(), value.len() + OVERHEAD);
            assert_eq!(open(&keys, place(b"k"), &stored).unwrap(), value);
        }
    }

    #[test]
    fn every_changed_bit_is_seen() {
        let keys = [Key::parse(K1).unwrap()];
        let stored = seal(&keys[0], [3; 24], place(b"k"), b"value").unwrap();
        for i in 0..8 * stored.len() {
            let mut bad = stored.clone();
            bad[i / 8] ^= 1 << (i % 8);
            assert!(open(&keys, place(b"k"), &bad).is_err(), "bit {i}");
        }
        for n in 0..stored.len() {
            assert!(open(&keys, place(b"k"), &stored[..n]).is_err(), "{n} bytes");
        }
    }

    #[test]
    fn no_value_passes_for_another_places() {
        let keys = [Key::parse(K1).unwrap()];
        let stored = seal(&keys[0], [3; 24], place(b"k"), b"value").unwrap();
        let here = place(b"k");
        for there in [
            Place { key: b"l", ..here },
            Place { bucket: b"datak", key: b"", ..here },
            Place { component: b"d", ..here },
            Place { content_type: b"text/plain", ..here },
        ] {
            assert_eq!(open(&keys, there, &stored), Err(Fault::Tampered));
        }
    }

    #[test]
    fn keys_are_found_by_their_fingerprint() {
        let (old, new) = (Key::parse(K1).unwrap(), Key::parse(K2).unwrap());
        let stored = seal(&old, [3; 24], place(b"k"), b"value").unwrap();
        let fingerprint = old.fingerprint;
        assert_eq!(open(core::slice::from_ref(&new), place(b"k"), &stored), Err(Fault::Key(fingerprint)));
        assert_eq!(open(&[new, old], place(b"k"), &stored).unwrap(), b"value");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "00", &K1[1..], &K1.replace('0', "g"), &K1.replace('0', "é")] {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }
}
