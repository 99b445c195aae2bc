//! A store over all that the kit can ask of the host, with std: kv keeps the
//! values, every second operation by a bulk call; configuration names the
//! bucket; reads are counted; ping talks to servers. guests/rust_test.go runs it.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};

use wasmstate::kv::{Bucket, Features};
use wasmstate::{host, http, tcp, Batch, Bytes, Code, Config, Error, Failed, KeyPage, Request, Result, Store, Value};

struct Passthrough {
    data: Bucket,
    turn: Cell<bool>,
    echo: String,
    url: String,
    line: RefCell<Option<BufReader<tcp::Stream>>>,
}

fn check(holds: bool, what: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::new(Code::Internal, what))
}

fn refused<T>(r: Result<T>, code: Code) -> bool {
    r.is_err_and(|e| e.code == code)
}

impl Passthrough {
    fn turn(&self) -> bool {
        self.turn.replace(!self.turn.get())
    }

    /// A line goes to the server and back, over a connection that stays.
    fn talk(&self) -> Result<()> {
        let mut kept = self.line.borrow_mut();
        let stream = match kept.as_mut() {
            Some(s) => s,
            None => kept.insert(BufReader::new(tcp::Stream::connect(&self.echo, 2000)?)),
        };
        writeln!(stream.get_mut(), "hello {}", 7)?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        check(line == "hello 7\n", "another line came back")?;
        stream.get_mut().set_timeouts(1, 0);
        check(refused(stream.get_mut().read(&mut [0; 8]), Code::Timeout), "nothing was to come")?;
        let e = Read::read(stream.get_mut(), &mut [0; 8]).map_or_else(|e| e, |_| std::io::ErrorKind::Other.into());
        check(e.kind() == std::io::ErrorKind::TimedOut && Error::from(e).code == Code::Timeout, "std says something else")?;
        stream.get_mut().set_timeouts(0, 0);
        check(refused(tcp::Stream::connect("127.0.0.1:1", 0), Code::Permission), "a port that was not granted")
    }

    /// A body goes to the server in parts and comes back.
    fn exchange(&self) -> Result<()> {
        let put = http::Request { method: "PUT", headers: &[("x-one", "1"), ("x-two", "zwei")], content_type: "text/x", ..http::Request::get(&self.url) };
        let mut body = Vec::new();
        let mut up = put.stream()?;
        for i in 0..5u8 {
            let part = vec![b'a' + i; 50_000];
            up.write_all(&part)?;
            body.extend(part);
        }
        let mut answer = up.finish()?;
        check(answer.status == 201 && answer.content_type == b"text/x", "status or content type")?;
        check(answer.header("x-one") == Some(b"1") && answer.header("x-two") == Some(b"zwei"), "headers")?;
        check(answer.header("x-three").is_none() && answer.headers().count() >= 3, "more headers")?;
        check(answer.read(&mut []) == Ok(0), "nothing into nothing")?;
        check(answer.body(body.len())? == body, "the body in one piece")?;
        check(answer.read(&mut [0; 8]) == Ok(0), "the end stays the end")?;

        let mut answer = http::Request { body: &body[..20_000], ..put }.send()?;
        let mut start = [0; 1000];
        answer.read_exact(&mut start)?;
        check(start[..] == body[..1000], "the start of the body")?;
        check(refused(answer.body(18_999), Code::TooLarge), "more than asked for")?;
        check(refused(http::Request::get("http://127.0.0.1:1/").send(), Code::Permission), "a server that was not granted")?;
        check(refused(http::Request { method: "DELETE", ..put }.send(), Code::Permission), "a method that was not granted")?;
        check(refused(http::Request { headers: &[("host", "x")], ..put }.send(), Code::InvalidArgument), "a header of the connection")
    }
}

impl Store for Passthrough {
    fn open(_: &Config<'_>) -> Result<Self> {
        check(refused(host::config("other"), Code::NotFound), "what is not configured")?;
        check(refused(Bucket::open("other"), Code::Permission), "a bucket that was not granted")?;
        let data = Bucket::open(&host::config_text("label")?)?;
        check(data.features().has(Features::ETAG) && data.features().has(Features::BULK), "features")?;
        Ok(Passthrough {
            data,
            turn: Cell::new(false),
            echo: host::config_text("echo")?,
            url: host::config_text("url")?,
            line: RefCell::new(None),
        })
    }

    fn get(&self, req: &Request<'_>) -> Result<Value<'_>> {
        let v = if self.turn() { self.data.get(req) } else { self.data.bulk_get(&[*req])?.remove(0) }?;
        host::metric_add("reads", 1)?;
        host::metric_observe("bytes", v.value.len() as f64)?;
        check(refused(host::metric_add("bytes", 1), Code::InvalidArgument), "a histogram is no counter")?;
        Ok(v)
    }

    fn set(&mut self, req: &Request<'_>) -> Result<Bytes<'_>> {
        if self.turn() {
            return self.data.set(req);
        }
        self.data.bulk_write(&[*req])?.remove(0)
    }

    fn delete(&mut self, req: &Request<'_>) -> Result<()> {
        if self.turn() {
            return self.data.delete(req);
        }
        self.data.bulk_write(&[req.as_delete()])?.remove(0).map(drop)
    }

    fn transact(&mut self, ops: &Batch<'_>) -> core::result::Result<(), Failed> {
        self.data.transact(&ops.iter().collect::<Vec<_>>())
    }

    fn keys(&self, prefix: &[u8], cursor: &[u8], limit: usize) -> Result<KeyPage<'_>> {
        self.data.keys(prefix, cursor, limit)
    }

    fn ping(&self) -> Result<()> {
        self.talk()?;
        self.exchange()
    }
}

wasmstate::export!(Passthrough);
