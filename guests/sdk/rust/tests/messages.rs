//! What is written for host functions is what the other side reads.

use wasmstate::codec::{Batch, Pairs, Request, Response, Run, FIRST_WRITE, RESPONSE_SIZE};
use wasmstate::message::{write_batch, write_request, Reply};

const PAIRS: &[u8] = b"\x01\0\0\0\x02\0\0\0nvv";

fn requests() -> Vec<Request<'static>> {
    let metadata = Pairs::read(PAIRS).unwrap();
    vec![
        Request::of(b"k"),
        Request { value: b"value", etag: b"e", content_type: b"t", flags: FIRST_WRITE, ttl_ms: 1 << 40, ..Request::of(b"key") },
        Request { metadata, deadline_ms: 7, limit: 9, ..Request::default() },
        Request::of("ключ".as_bytes()).as_delete(),
    ]
}

#[test]
fn requests_come_back() {
    let mut out = vec![0xaa; 500];
    for r in requests() {
        assert!(write_request(&mut out, &r));
        assert_eq!(Request::read(&out, 0), Ok(r));
    }
}

#[test]
fn batches_come_back() {
    let mut out = vec![0xaa; 500];
    for all in [requests(), vec![]] {
        assert!(write_batch(&mut out, &all));
        let batch = Batch::read(&out).unwrap();
        assert_eq!(batch.iter().collect::<Vec<_>>(), all);
    }
}

fn response(base: u32) -> Vec<u8> {
    let mut buf = Vec::new();
    let run = |at: u32, len: u32| Run { at: base + at, len };
    let end = 2 * RESPONSE_SIZE as u32;
    let head = Response { code: 3, value: run(end, 2), key: run(end + 2, 1), items: run(RESPONSE_SIZE as u32, 1), expires_ms: -1, ..Response::default() };
    for r in [head, Response { code: 1, message: run(end, 3), ..Response::default() }] {
        let mut rec = [0; RESPONSE_SIZE];
        r.write(&mut rec);
        buf.extend_from_slice(&rec);
    }
    buf.extend_from_slice(b"abc");
    buf
}

#[test]
fn replies_are_read_at_any_address() {
    for base in [0, 1024, u32::MAX - 1000] {
        let buf = response(base);
        let r = Reply::read(&buf, base, 0).unwrap();
        assert_eq!((r.code, r.value, r.key, r.expires_ms, r.count()), (3, &b"ab"[..], &b"c"[..], -1, 1));
        let item = r.item(&buf, base, 0).unwrap();
        assert_eq!((item.code, item.message), (1, &b"abc"[..]));
        assert!(r.item(&buf, base, 1).is_err());
    }
    assert_eq!(Reply::read(&[], 0, 0), Ok(Reply::default()));
}

#[test]
fn replies_that_lie_are_refused() {
    let good = response(1024);
    for len in 1..good.len() {
        let taken = Reply::read(&good[..len], 1024, 0).is_ok();
        assert!(!taken, "{len} bytes of {}", good.len());
    }
    assert!(Reply::read(&good, 1024 + 100, 0).is_err(), "items before the buffer");
    for at in [8, 12, 48, 52, 56, 64, 68] {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        // A size of items that is too large, and so on.
        assert!(Reply::read(&bad, 1024, 0).is_err(), "field at {at}");
    }
}
