//! From the exports of the ABI to the trait and back. The only place with
//! addresses; used by [`crate::export!`], not by authors.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::UnsafeCell;

use crate::codec::{pack, Batch, Request, Response, Run, RESPONSE_SIZE};
use crate::store::{Bytes, Code, Config, Error, Result, Store, Value};

type Record = [u8; RESPONSE_SIZE];

/// The one store of an instance with its shared buffer.
pub struct Instance<S>(UnsafeCell<State<S>>);

// The host never calls into an instance that is in a call [life.once], and a
// module has one thread.
unsafe impl<S> Sync for Instance<S> {}

struct State<S> {
    store: Option<S>,
    answer: Answer,
}

/// The shared buffer and what the last answer points at.
struct Answer {
    buffer: Vec<u64>, // of words, so that it is aligned
    held: Vec<Vec<u8>>,
    items: Vec<Record>,
}

impl<S: Store> Default for Instance<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Store> Instance<S> {
    /// An instance whose store is not open yet.
    pub const fn new() -> Self {
        Instance(UnsafeCell::new(State {
            store: None,
            answer: Answer { buffer: Vec::new(), held: Vec::new(), items: Vec::new() },
        }))
    }

    #[allow(clippy::mut_from_ref)] // calls never overlap, see Sync
    fn state(&self) -> &mut State<S> {
        unsafe { &mut *self.0.get() }
    }

    /// `ws_open`.
    pub fn open(&self, abi: u32, want: u32) -> u64 {
        let buffer = &mut self.state().answer.buffer;
        if abi != 1 {
            return 0;
        }
        // The answer to the first operation must fit, too.
        let words = (want as usize).max(RESPONSE_SIZE).div_ceil(8);
        if words > buffer.len() {
            let mut larger = Vec::new();
            if larger.try_reserve_exact(words).is_err() {
                return 0;
            }
            larger.resize(words, 0);
            *buffer = larger;
        }
        (buffer.as_ptr() as usize as u64) << 32 | (buffer.len() * 8) as u64
    }

    /// `ws_init`.
    pub fn init(&self, len: u32) -> u64 {
        crate::report_panics();
        let state = self.state();
        let (input, out) = state.answer.begin(len);
        let opened = Batch::read(input).map_err(|_| malformed()).and_then(|b| {
            let name = core::str::from_utf8(b.name).map_err(|_| malformed())?;
            S::open(&Config { name, properties: b.metadata })
        });
        match opened {
            Ok(store) => {
                state.store = Some(store);
                pack(0, 0)
            }
            Err(e) => out.fail(0, e),
        }
    }

    /// `ws_get`.
    pub fn get(&self, len: u32) -> u64 {
        self.single(len, |s, req, out| {
            let v = s.get(req)?;
            Ok(out.value(v))
        })
    }

    /// `ws_set`.
    pub fn set(&self, len: u32) -> u64 {
        self.single(len, |s, req, out| {
            let etag = s.set(req)?;
            Ok(Response { etag: out.hold(etag), ..Response::default() })
        })
    }

    /// `ws_delete`.
    pub fn delete(&self, len: u32) -> u64 {
        self.single(len, |s, req, _| s.delete(req).map(|()| Response::default()))
    }

    /// `ws_keys`.
    pub fn keys(&self, len: u32) -> u64 {
        self.single(len, |s, req, out| {
            let page = s.keys(req.key, req.value, req.limit as usize)?;
            for key in page.keys {
                let item = Response { key: out.hold(key), ..Response::default() };
                out.item(&item)?;
            }
            Ok(Response { key: out.hold(page.next), ..Response::default() })
        })
    }

    /// `ws_export`.
    pub fn export(&self, len: u32) -> u64 {
        self.single(len, |s, req, out| {
            let page = s.export(req.value, req.limit as usize)?;
            for (key, value) in page.items {
                let mut item = out.value(value);
                item.key = out.hold(key);
                out.item(&item)?;
            }
            Ok(Response { key: out.hold(page.next), ..Response::default() })
        })
    }

    /// `ws_bulk_get`. All answers borrow from the store at the same time, which
    /// `&self` makes safe.
    pub fn bulk_get(&self, len: u32) -> u64 {
        self.batch(len, |s, batch, out| {
            for req in batch.iter() {
                let answer = if req.understood() { s.get(&req) } else { Err(Code::Unsupported.into()) };
                let item = match answer {
                    Ok(v) => out.value(v),
                    Err(e) => out.error(e),
                };
                out.item(&item).map_err(|e| (0, e))?;
            }
            Ok(())
        })
    }

    /// `ws_bulk_write`. A later item may change what an earlier answer borrows:
    /// etags are copied.
    pub fn bulk_write(&self, len: u32) -> u64 {
        self.batch(len, |s, batch, out| {
            for req in batch.iter() {
                let answer = if !req.understood() {
                    Err(Code::Unsupported.into())
                } else if req.is_delete() {
                    s.delete(&req).map(|()| Vec::new())
                } else {
                    s.set(&req).map(Cow::into_owned)
                };
                let item = match answer {
                    Ok(etag) => Response { etag: out.hold(Cow::Owned(etag)), ..Response::default() },
                    Err(e) => out.error(e),
                };
                out.item(&item).map_err(|e| (0, e))?;
            }
            Ok(())
        })
    }

    /// `ws_transact`.
    pub fn transact(&self, len: u32) -> u64 {
        self.batch(len, |s, batch, _| {
            if let Some(i) = batch.iter().position(|r| !r.understood()) {
                return Err((i as u32, Code::Unsupported.into()));
            }
            s.transact(batch).map_err(|f| (f.index as u32, f.error))
        })
    }

    /// `ws_import`.
    pub fn import(&self, len: u32) -> u64 {
        self.batch(len, |s, batch, _| s.import(batch).map_err(|e| (0, e)))
    }

    /// `ws_ping`.
    pub fn ping(&self) -> u64 {
        let state = self.state();
        let (_, out) = state.answer.begin(0);
        match state.store.as_ref().map_or(Err(Code::Closed.into()), |s| s.ping()) {
            Ok(()) => pack(0, 0),
            Err(e) => out.fail(0, e),
        }
    }

    /// `ws_idle`.
    pub fn idle(&self) -> u64 {
        if let Some(s) = &mut self.state().store {
            s.idle();
        }
        pack(0, 0)
    }

    /// `ws_close`.
    pub fn close(&self) -> u64 {
        if let Some(mut s) = self.state().store.take() {
            s.close();
        }
        pack(0, 0)
    }

    #[inline]
    fn single(&self, len: u32, op: impl FnOnce(&mut S, &Request<'_>, &mut Answer) -> Result<Response>) -> u64 {
        let state = self.state();
        let (input, out) = state.answer.begin(len);
        let Some(store) = &mut state.store else { return out.refuse(Code::Closed) };
        let Ok(req) = Request::read(input, 0) else { return out.refuse(Code::InvalidArgument) };
        if !req.understood() {
            return out.refuse(Code::Unsupported);
        }
        match op(store, &req, out) {
            Ok(head) => out.write(0, head),
            Err(e) => out.fail(0, e),
        }
    }

    fn batch(&self, len: u32, op: impl FnOnce(&mut S, &Batch<'_>, &mut Answer) -> core::result::Result<(), (u32, Error)>) -> u64 {
        let state = self.state();
        let (input, out) = state.answer.begin(len);
        let Some(store) = &mut state.store else { return out.refuse(Code::Closed) };
        let Ok(batch) = Batch::read(input) else { return out.refuse(Code::InvalidArgument) };
        if !batch.understood() {
            return out.refuse(Code::Unsupported);
        }
        match op(store, &batch, out) {
            Ok(()) => out.write(0, Response::default()),
            Err((index, e)) => out.fail(index, e),
        }
    }
}

#[cold]
#[inline(never)]
fn malformed() -> Error {
    Error::new(Code::InvalidArgument, "malformed message")
}

fn run(bytes: &[u8]) -> Run {
    Run { at: bytes.as_ptr() as usize as u32, len: bytes.len() as u32 }
}

impl Answer {
    /// Lets go of the last answer. The input stays as it is until `write`.
    fn begin(&mut self, len: u32) -> (&'static [u8], &mut Self) {
        let size = (len as usize).min(self.buffer.len() * 8);
        // The buffer is not written to before the answer is complete, and the
        // request is not used any more then.
        let input = unsafe { core::slice::from_raw_parts(self.buffer.as_ptr().cast(), size) };
        if !self.held.is_empty() || !self.items.is_empty() {
            self.release();
        }
        (input, self)
    }

    #[cold]
    #[inline(never)]
    fn release(&mut self) {
        self.held.clear();
        self.items.clear();
        if self.items.capacity() > 1 << 16 {
            self.items = Vec::new(); // a large page is not kept for ever
        }
    }

    /// Keeps what was made for this answer until the next call.
    #[inline]
    fn hold(&mut self, bytes: Bytes<'_>) -> Run {
        match bytes {
            Cow::Borrowed(b) => run(b),
            Cow::Owned(v) => self.hold_owned(v),
        }
    }

    // Out of line: the meter charges a function for all of its code.
    #[inline(never)]
    fn hold_owned(&mut self, v: Vec<u8>) -> Run {
        let r = run(&v); // a Vec that moves keeps its block
        self.held.push(v);
        r
    }

    #[inline]
    fn value(&mut self, v: Value<'_>) -> Response {
        Response {
            value: self.hold(v.value),
            etag: self.hold(v.etag),
            content_type: self.hold(v.content_type),
            expires_ms: v.expires_ms,
            ..Response::default()
        }
    }

    fn error(&mut self, e: Error) -> Response {
        let message = match e.message {
            Cow::Borrowed(m) => run(m.as_bytes()),
            Cow::Owned(m) => self.hold(Cow::Owned(m.into_bytes())),
        };
        Response { code: e.code as u32, message, ..Response::default() }
    }

    fn item(&mut self, r: &Response) -> Result<()> {
        if self.items.try_reserve(1).is_err() {
            return Err(Error::new(Code::Quota, "out of memory"));
        }
        let mut rec = [0; RESPONSE_SIZE];
        r.write(&mut rec);
        self.items.push(rec);
        Ok(())
    }

    #[inline]
    fn write(&mut self, code: u32, mut head: Response) -> u64 {
        if code == 0 && !self.items.is_empty() {
            head.items = Run { at: self.items.as_ptr() as usize as u32, len: self.items.len() as u32 };
        }
        let Some(words) = self.buffer.get_mut(..RESPONSE_SIZE / 8) else { return pack(code, 0) };
        // A word has no invalid bytes and more than enough alignment.
        let out = unsafe { &mut *words.as_mut_ptr().cast::<Record>() };
        head.write(out);
        pack(code, RESPONSE_SIZE as u32)
    }

    #[cold]
    #[inline(never)]
    fn refuse(&mut self, code: Code) -> u64 {
        self.fail(0, if code == Code::InvalidArgument { malformed() } else { code.into() })
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, index: u32, e: Error) -> u64 {
        let code = e.code as u32;
        let mut head = self.error(e);
        head.code = index;
        self.write(code, head)
    }
}
