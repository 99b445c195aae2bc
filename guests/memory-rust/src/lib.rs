//! memory-rust: a store that keeps everything in the instance, with etags,
//! expiry, transactions, ordered listing, and hand-over at a reload.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod table;

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use table::{Entry, Table};
use wasmstate::{host, Batch, Bytes, Code, Config, Error, ExportPage, Failed, KeyPage, Request, Result, Store, Value};

pub struct Memory {
    table: Table,
    epoch: u64,   // random: a successor cannot repeat an etag
    counter: u64, // +1 for each write
    sweep: usize, // where idle goes on
}

fn expired(e: &Entry) -> bool {
    e.expires_ms != 0 && e.expires_ms <= host::now_ms()
}

fn full() -> Error {
    Error::new(Code::Quota, "the store's memory is full")
}

impl Memory {
    fn live(&self, key: &[u8]) -> Option<&Entry> {
        self.table.get(key).filter(|e| !expired(e))
    }

    fn next_etag(&mut self) -> [u8; 24] {
        self.counter += 1;
        let mut etag = [0; 24];
        // The counter in full would be 32 digits; 2^32 writes share one epoch.
        let parts = [(self.epoch ^ (self.counter >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15), 16), (self.counter & 0xffff_ffff, 8)];
        let mut at = 0;
        for (number, digits) in parts {
            for i in (0..digits).rev() {
                etag[at] = b"0123456789abcdef"[(number >> (4 * i)) as usize & 15];
                at += 1;
            }
        }
        etag
    }

    /// Checks etag and first-write against what is stored.
    fn allowed(&self, req: &Request<'_>, first_write: bool) -> Result<()> {
        if req.etag.is_empty() && !first_write {
            return Ok(());
        }
        let old = self.live(req.key);
        let ok = if req.etag.is_empty() { old.is_none() } else { old.is_some_and(|e| e.etag() == req.etag) };
        ok.then_some(()).ok_or(Code::EtagMismatch.into())
    }

    fn entry(&mut self, req: &Request<'_>) -> Result<Entry> {
        let etag = self.next_etag();
        Entry::new(&etag, req.content_type, req.value, expiry(req)).ok_or_else(full)
    }
}

fn expiry(req: &Request<'_>) -> i64 {
    if req.ttl_ms == 0 {
        0
    } else {
        host::now_ms().saturating_add(req.ttl_ms.min(i64::MAX as u64) as i64)
    }
}

fn value(e: &Entry) -> Value<'_> {
    Value { value: e.value().into(), etag: e.etag().into(), content_type: e.kind().into(), expires_ms: e.expires_ms }
}

impl Store for Memory {
    fn open(_: &Config<'_>) -> Result<Self> {
        Ok(Memory { table: Table::new(), epoch: host::random_u64()?, counter: 0, sweep: 0 })
    }

    fn get(&self, req: &Request<'_>) -> Result<Value<'_>> {
        Ok(value(self.live(req.key).ok_or(Code::NotFound)?))
    }

    fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>> {
        self.allowed(req, req.first_write())?;
        let etag = self.next_etag();
        if let Some(e) = self.table.get_mut(req.key) {
            if !e.fill(&etag, req.content_type, req.value, expiry(req)) {
                return Err(full());
            }
        } else {
            let entry = Entry::new(&etag, req.content_type, req.value, expiry(req)).ok_or_else(full)?;
            self.table.insert(req.key, entry).map_err(|_| full())?;
        }
        Ok(self.table.get(req.key).map_or(Bytes::default(), |e| e.etag().into()))
    }

    fn delete(&mut self, req: &Request<'_>) -> Result<()> {
        self.allowed(req, false)?;
        self.table.remove(req.key);
        Ok(())
    }

    /// One operation after the other; what was there is put back in reverse if
    /// one fails.
    fn transact(&mut self, ops: &Batch<'_>) -> core::result::Result<(), Failed> {
        let mut undo: Vec<(&[u8], Option<Entry>)> = Vec::new();
        let mut failed = None;
        if undo.try_reserve_exact(ops.len()).is_err() {
            return Err(Failed { index: 0, error: full() });
        }
        for (index, op) in ops.iter().enumerate() {
            let done = self.allowed(&op, op.first_write() && !op.is_delete()).and_then(|()| {
                if op.is_delete() {
                    return Ok(self.table.remove(op.key));
                }
                let entry = self.entry(&op)?;
                self.table.insert(op.key, entry).map_err(|_| full())
            });
            match done {
                Ok(was) => undo.push((op.key, was)),
                Err(error) => {
                    failed = Some(Failed { index, error });
                    break;
                }
            }
        }
        let Some(failed) = failed else { return Ok(()) };
        for (key, was) in undo.into_iter().rev() {
            let Some(was) = was else {
                self.table.remove(key);
                continue;
            };
            // A removed key needs memory again: if there is none now, half a
            // transaction would be left, so the instance ends instead.
            assert!(self.table.insert(key, was).is_ok(), "no memory to take a transaction back");
        }
        Err(failed)
    }

    /// One pass that keeps the smallest keys after the cursor.
    fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'_>> {
        let limit = limit.clamp(1, 1 << 16);
        let mut smallest: BinaryHeap<&[u8]> = BinaryHeap::new();
        let mut more = false;
        for place in 0..self.table.places() {
            let Some((key, entry)) = self.table.at(place) else { continue };
            if !key.starts_with(prefix) || (!cursor.is_empty() && key <= cursor) || expired(entry) {
                continue;
            }
            if smallest.len() < limit {
                smallest.push(key);
                continue;
            }
            more = true;
            if let Some(mut largest) = smallest.peek_mut() {
                if key < *largest {
                    *largest = key;
                }
            }
        }
        let keys: Vec<Bytes<'_>> = smallest.into_sorted_vec().into_iter().map(Bytes::from).collect();
        let next = if more { keys.last().cloned().unwrap_or_default() } else { Bytes::default() };
        Ok(KeyPage { keys, next })
    }

    /// The cursor is the place to go on at.
    fn export(&self, cursor: &[u8], bytes: usize) -> Result<ExportPage<'_>> {
        let mut page = ExportPage::default();
        let mut sent = 0;
        let begin = <[u8; 4]>::try_from(cursor).map_or(0, u32::from_le_bytes) as usize;
        for place in begin..self.table.places() {
            if (sent >= bytes && sent > 0) || page.items.len() == 1 << 16 {
                page.next = (place as u32).to_le_bytes().to_vec().into();
                break;
            }
            let Some((key, entry)) = self.table.at(place).filter(|(_, e)| !expired(e)) else { continue };
            sent += key.len() + entry.value().len();
            page.items.push((key.into(), value(entry)));
        }
        Ok(page)
    }

    fn import(&mut self, items: &Batch<'_>) -> Result<()> {
        for it in items.iter() {
            let expires = it.ttl_ms.min(i64::MAX as u64) as i64;
            let entry = Entry::new(it.etag, it.content_type, it.value, expires).ok_or_else(full)?;
            if !expired(&entry) {
                self.table.insert(it.key, entry).map_err(|_| full())?;
            }
        }
        Ok(())
    }

    /// Removes expired entries from a part of the table at a time.
    fn idle(&mut self) {
        let places = self.table.places();
        for _ in 0..places.min(1024) {
            self.sweep = if self.sweep + 1 < places { self.sweep + 1 } else { 0 };
            if let Some((key, e)) = self.table.at(self.sweep) {
                if expired(e) {
                    let key = key.to_vec();
                    self.table.remove(&key);
                }
            }
        }
    }
}

wasmstate::export!(Memory);
