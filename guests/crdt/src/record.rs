//! What is stored: who wrote last and when, and then the value or, for a
//! counter, the sums of each writer. Little endian.
//!
//! | at | bytes | |
//! | --- | --- | --- |
//! | 0 | 1 | 1 register, 2 counter |
//! | 1 | 8 | stamp: nanoseconds, always ahead of every stamp its writer had seen |
//! | 9 | 8 | writer: a random number of the instance |
//! | 17 | | the value; of a counter 32 bytes for each writer: writer, number of its last addition, sum of what it added, sum of what it took away |

use alloc::vec::Vec;

const REGISTER: u8 = 1;
const COUNTER: u8 = 2;
const HEAD: usize = 17;
const SLOT: usize = 32;
/// The most writers that have sums of their own.
pub const SLOTS: usize = 64;

/// When and by whom a record was written. Of two concurrent writes the greater
/// one stays; no two are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub stamp: u64,
    pub writer: u64,
}

impl Mark {
    /// 32 hexadecimal digits.
    pub fn etag(self) -> Vec<u8> {
        let number = (self.stamp as u128) << 64 | self.writer as u128;
        (0..32).rev().map(|i| b"0123456789abcdef"[(number >> (4 * i)) as usize & 15]).collect()
    }
}

/// What one writer added and took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    pub writer: u64, // 0: those that have no slot any more
    pub last: u64,   // the number of the writer's last addition
    pub plus: u64,
    pub minus: u64,
}

/// The sums of a counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counter(Vec<Slot>);

impl Counter {
    fn read(bytes: &[u8]) -> Option<Counter> {
        if bytes.len() % SLOT != 0 {
            return None;
        }
        let slot = |b: &[u8]| Some(Slot { writer: load(b, 0)?, last: load(b, 8)?, plus: load(b, 16)?, minus: load(b, 24)? });
        bytes.chunks_exact(SLOT).map(slot).collect::<Option<Vec<_>>>().map(Counter)
    }

    /// The value; None if it is not between -2^63 and 2^63-1.
    pub fn value(&self) -> Option<i64> {
        let sum = self.0.iter().map(|s| s.plus as i128 - s.minus as i128).sum::<i128>();
        i64::try_from(sum).ok()
    }

    /// True if the writer's addition of this number is in the sums.
    pub fn has(&self, writer: u64, number: u64) -> bool {
        self.0.iter().any(|s| s.writer == writer && s.last == number)
    }

    /// Adds in the writer's slot. None if a sum would be too large.
    #[must_use]
    pub fn add(&mut self, writer: u64, number: u64, delta: i64) -> Option<()> {
        let i = match self.0.iter().position(|s| s.writer == writer) {
            Some(i) => i,
            None => {
                if self.0.len() >= SLOTS {
                    self.fold()?;
                }
                self.0.push(Slot { writer, ..Slot::default() });
                self.0.len() - 1
            }
        };
        let s = &mut self.0[i];
        s.last = number;
        let sum = if delta < 0 { &mut s.minus } else { &mut s.plus };
        *sum = sum.checked_add(delta.unsigned_abs())?;
        self.value().map(drop)
    }

    /// Puts all sums together in the slot of nobody. A writer that is still
    /// there begins a new slot.
    fn fold(&mut self) -> Option<()> {
        let mut all = Slot::default();
        for s in &self.0 {
            all.plus = all.plus.checked_add(s.plus)?;
            all.minus = all.minus.checked_add(s.minus)?;
        }
        self.0.clear();
        self.0.push(all);
        Some(())
    }
}

/// The value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Register(Vec<u8>),
    Counter(Counter),
}

fn load(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(b.get(at..at + 8)?.try_into().ok()?))
}

/// Reads a record; None if it is none.
pub fn read(bytes: &[u8]) -> Option<(Mark, Body)> {
    let mark = Mark { stamp: load(bytes, 1)?, writer: load(bytes, 9)? };
    let rest = bytes.get(HEAD..)?;
    let body = match bytes[0] {
        REGISTER => Body::Register(rest.to_vec()),
        COUNTER => Body::Counter(Counter::read(rest)?),
        _ => return None,
    };
    Some((mark, body))
}

fn head(kind: u8, mark: Mark, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + size);
    out.push(kind);
    out.extend_from_slice(&mark.stamp.to_le_bytes());
    out.extend_from_slice(&mark.writer.to_le_bytes());
    out
}

/// The bytes of a register.
pub fn register(mark: Mark, value: &[u8]) -> Vec<u8> {
    let mut out = head(REGISTER, mark, value.len());
    out.extend_from_slice(value);
    out
}

/// The bytes of a counter.
pub fn counter(mark: Mark, c: &Counter) -> Vec<u8> {
    let mut out = head(COUNTER, mark, c.0.len() * SLOT);
    for s in &c.0 {
        for n in [s.writer, s.last, s.plus, s.minus] {
            out.extend_from_slice(&n.to_le_bytes());
        }
    }
    out
}

/// A number to add, as text or as a JSON string: `5`, `+5`, `-5`, `"+5"`.
pub fn delta(value: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(value).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { stamp: 0x0123_4567_89ab_cdef, writer: 0xfedc_ba98_7654_3210 };

    #[test]
    fn records_come_back() {
        assert_eq!(read(&register(MARK, b"value")), Some((MARK, Body::Register(b"value".to_vec()))));
        let mut c = Counter::default();
        c.add(1, 1, 5).unwrap();
        c.add(2, 1, -7).unwrap();
        let bytes = counter(MARK, &c);
        assert_eq!(read(&bytes), Some((MARK, Body::Counter(c))));
        for n in (0..bytes.len()).filter(|n| *n < HEAD || (n - HEAD) % SLOT != 0) {
            assert_eq!(read(&bytes[..n]), None, "{n} bytes");
        }
        assert_eq!(MARK.etag(), b"0123456789abcdeffedcba9876543210");
    }

    #[test]
    fn sums_survive_any_number_of_writers() {
        let (mut c, mut want) = (Counter::default(), 0);
        for writer in 1..1000 {
            let delta = writer as i64 * if writer % 3 == 0 { -1 } else { 1 };
            c.add(writer, 1, delta).unwrap();
            want += delta;
            assert_eq!(c.value(), Some(want));
            assert!(c.has(writer, 1) && !c.has(writer, 2));
            assert!(c.0.len() <= SLOTS);
        }
    }

    #[test]
    fn a_counter_does_not_wrap() {
        let mut c = Counter::default();
        c.add(1, 1, i64::MAX).unwrap();
        assert_eq!(c.clone().add(1, 2, 1), None);
        assert_eq!(c.clone().add(2, 1, 1), None);
        c.add(1, 2, i64::MIN).unwrap();
        assert_eq!(c.value(), Some(-1));
    }

    #[test]
    fn numbers_to_add() {
        for (text, want) in [("5", Some(5)), ("+5", Some(5)), (" -5\n", Some(-5)), ("\"-5\"", Some(-5)), ("", None), ("five", None),
            ("9223372036854775808", None), ("1.5", None), ("\"5", None)] {
            assert_eq!(delta(text.as_bytes()), want, "{text}");
        }
        assert_eq!(delta(b"\xff"), None);
    }
}
