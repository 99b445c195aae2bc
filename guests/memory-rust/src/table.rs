//! The entries: slots in a vector, found by key through chains of a hash
//! table. A slot keeps its place until it is removed, so that a place is a
//! cursor and an undo log.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// No slot.
const NONE: u32 = u32::MAX;

/// What is stored under a key. Etag, content type and value lie behind each
/// other in one block, so that a write costs one allocation or none.
pub struct Entry {
    data: Vec<u8>,
    etag: u32,
    kind: u32,
    /// Unix milliseconds; 0 = never.
    pub expires_ms: i64,
}

/// Copies short runs by words: the bulk instruction costs more than it saves.
#[inline]
fn append(to: &mut Vec<u8>, from: &[u8]) {
    if from.len() > 64 {
        return to.extend_from_slice(from);
    }
    let mut words = from.chunks_exact(8);
    for w in &mut words {
        to.extend_from_slice(&<[u8; 8]>::try_from(w).unwrap_or_default());
    }
    for &b in words.remainder() {
        to.push(b);
    }
}

impl Entry {
    pub fn new(etag: &[u8], kind: &[u8], value: &[u8], expires_ms: i64) -> Option<Entry> {
        let mut e = Entry { data: Vec::new(), etag: 0, kind: 0, expires_ms };
        e.fill(etag, kind, value, expires_ms).then_some(e)
    }

    /// Replaces everything; false, and nothing changed, if there is no memory.
    /// Keeps its block unless it is much too large.
    pub fn fill(&mut self, etag: &[u8], kind: &[u8], value: &[u8], expires_ms: i64) -> bool {
        let size = etag.len() + kind.len() + value.len();
        if size > self.data.capacity() || size + 256 < self.data.capacity() / 4 {
            let mut data = Vec::new();
            if data.try_reserve_exact(size).is_err() {
                return false;
            }
            self.data = data;
        }
        self.data.clear();
        append(&mut self.data, etag);
        append(&mut self.data, kind);
        append(&mut self.data, value);
        (self.etag, self.kind, self.expires_ms) = (etag.len() as u32, kind.len() as u32, expires_ms);
        true
    }

    pub fn etag(&self) -> &[u8] {
        &self.data[..self.etag as usize]
    }

    pub fn kind(&self) -> &[u8] {
        &self.data[self.etag as usize..][..self.kind as usize]
    }

    pub fn value(&self) -> &[u8] {
        &self.data[(self.etag + self.kind) as usize..]
    }
}

struct Slot {
    key: Box<[u8]>,
    hash: u32,
    next: u32, // in its chain, or of the free slots
    entry: Option<Entry>,
}

pub struct Table {
    heads: Vec<u32>, // a power of two
    slots: Vec<Slot>,
    free: u32,
    live: usize,
}

/// Eight bytes as a number.
fn word(w: &[u8]) -> u64 {
    w.try_into().map_or(0, u64::from_le_bytes)
}

fn hash(key: &[u8]) -> u32 {
    const MUL: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = (key.len() as u64).wrapping_mul(MUL);
    let mut words = key.chunks_exact(8);
    for w in &mut words {
        h = (h ^ word(w)).wrapping_mul(MUL);
        h ^= h >> 32;
    }
    for &b in words.remainder() {
        h = (h ^ b as u64).wrapping_mul(MUL);
    }
    ((h ^ h >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (mut x, mut y) = (a.chunks_exact(8), b.chunks_exact(8));
    (&mut x).zip(&mut y).all(|(x, y)| word(x) == word(y))
        && x.remainder().iter().zip(y.remainder()).all(|(x, y)| x == y)
}

impl Table {
    pub fn new() -> Table {
        Table { heads: vec![NONE; 1024], slots: Vec::new(), free: NONE, live: 0 }
    }

    /// The number of places that exist, used or not.
    pub fn places(&self) -> usize {
        self.slots.len()
    }

    /// The key and entry at a place.
    pub fn at(&self, place: usize) -> Option<(&[u8], &Entry)> {
        let s = self.slots.get(place)?;
        Some((&s.key, s.entry.as_ref()?))
    }

    fn place(&self, key: &[u8], hash: u32) -> Option<usize> {
        let mut at = self.heads[hash as usize & (self.heads.len() - 1)];
        while let Some(s) = self.slots.get(at as usize) {
            if s.hash == hash && equal(&s.key, key) {
                return Some(at as usize);
            }
            at = s.next;
        }
        None
    }

    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.slots[self.place(key, hash(key))?].entry.as_ref()
    }

    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let place = self.place(key, hash(key))?;
        self.slots[place].entry.as_mut()
    }

    /// Puts an entry in and returns the one that was there; Err without memory.
    pub fn insert(&mut self, key: &[u8], entry: Entry) -> Result<Option<Entry>, Entry> {
        let h = hash(key);
        if let Some(p) = self.place(key, h) {
            return Ok(self.slots[p].entry.replace(entry));
        }
        let mut own = Vec::new();
        if own.try_reserve_exact(key.len()).is_err() || (self.free == NONE && self.slots.try_reserve(1).is_err()) {
            return Err(entry);
        }
        append(&mut own, key);
        let mut slot = Slot { key: own.into_boxed_slice(), hash: h, next: NONE, entry: Some(entry) };
        let mask = self.heads.len() - 1;
        let head = &mut self.heads[h as usize & mask];
        slot.next = *head;
        if self.free == NONE {
            *head = self.slots.len() as u32;
            self.slots.push(slot);
        } else {
            let place = self.free as usize;
            *head = self.free;
            self.free = self.slots[place].next;
            self.slots[place] = slot;
        }
        self.live += 1;
        if self.live > self.heads.len() {
            self.grow();
        }
        Ok(None)
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let h = hash(key);
        let place = self.place(key, h)?;
        let head = h as usize & (self.heads.len() - 1);
        let next = self.slots[place].next;
        if self.heads[head] as usize == place {
            self.heads[head] = next;
        } else {
            let mut at = self.heads[head] as usize;
            while self.slots[at].next as usize != place {
                at = self.slots[at].next as usize;
            }
            self.slots[at].next = next;
        }
        let slot = &mut self.slots[place];
        slot.key = Box::default();
        slot.next = self.free;
        self.free = place as u32;
        self.live -= 1;
        slot.entry.take()
    }

    /// Doubles the heads; without memory the chains get longer.
    fn grow(&mut self) {
        let count = self.heads.len() * 2;
        let mut heads = Vec::new();
        if heads.try_reserve_exact(count).is_err() {
            return;
        }
        heads.resize(count, NONE);
        for (i, s) in self.slots.iter_mut().enumerate().filter(|(_, s)| s.entry.is_some()) {
            let head: &mut u32 = &mut heads[s.hash as usize & (count - 1)];
            s.next = *head;
            *head = i as u32;
        }
        self.heads = heads;
    }
}
