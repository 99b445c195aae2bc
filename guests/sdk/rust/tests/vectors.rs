//! Reads the golden messages of abi/testdata/vectors with the crate's codec.

use std::collections::HashMap;
use wasmstate::codec::{Batch, Pairs, Request, Response, Run, RESPONSE_SIZE};

struct Vector {
    name: String,
    kind: String,
    expect: String,
    message: Vec<u8>,
    fields: Vec<(String, String)>,
}

fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".into();
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn vectors() -> Vec<Vector> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../abi/testdata/vectors/vectors.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut all, mut meta, mut fields) = (Vec::new(), HashMap::new(), Vec::new());
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "vector" | "kind" | "expect" | "hex" => {
                meta.insert(word, rest.to_string());
            }
            "doc" => {}
            "end" => all.push(Vector {
                name: meta["vector"].clone(),
                kind: meta["kind"].clone(),
                expect: meta["expect"].clone(),
                message: unhex(&meta["hex"]),
                fields: std::mem::take(&mut fields),
            }),
            _ => fields.push((word.to_string(), rest.to_string())),
        }
    }
    all
}

fn pairs(p: Pairs<'_>, out: &mut Vec<(String, String)>) {
    for (name, value) in p {
        out.push(("pair".into(), format!("{} {}", hex(name), hex(value))));
    }
}

/// The fields of a request in the words of the vectors.
fn request(r: &Request<'_>, out: &mut Vec<(String, String)>) {
    let mut field = |word: &str, value: String| out.push((word.into(), value));
    field("flags", r.flags.to_string());
    field("key", hex(r.key));
    field("value", hex(r.value));
    field("etag", hex(r.etag));
    field("type", hex(r.content_type));
    field("ttl", r.ttl_ms.to_string());
    field("deadline", r.deadline_ms.to_string());
    field("limit", r.limit.to_string());
    pairs(r.metadata, out);
}

/// What was read, or None if it was refused; and whether every flag is known.
fn read(v: &Vector) -> Option<(Vec<(String, String)>, bool)> {
    let mut out = Vec::new();
    if v.kind == "request" {
        let r = Request::read(&v.message, 0).ok()?;
        request(&r, &mut out);
        return Some((out, r.understood()));
    }
    let b = Batch::read(&v.message).ok()?;
    let mut understood = b.understood();
    out.push(("flags".into(), b.flags.to_string()));
    out.push(("deadline".into(), b.deadline_ms.to_string()));
    out.push(("name".into(), hex(b.name)));
    pairs(b.metadata, &mut out);
    out.push(("count".into(), b.len().to_string()));
    for (i, r) in b.iter().enumerate() {
        out.push(("item".into(), i.to_string()));
        request(&r, &mut out);
        understood &= r.understood();
    }
    Some((out, understood))
}

#[test]
fn requests_and_batches() {
    let all = vectors();
    let mut seen = 0;
    for v in all.iter().filter(|v| v.kind == "request" || v.kind == "batch") {
        seen += 1;
        match (read(v), v.expect.as_str()) {
            (None, "malformed") => {}
            (Some((fields, understood)), expect) if expect != "malformed" => {
                assert_eq!(fields, v.fields, "{}", v.name);
                assert_eq!(understood, expect == "ok", "{}", v.name);
            }
            (got, expect) => panic!("{}: {} and not {expect}", v.name, if got.is_some() { "taken" } else { "refused" }),
        }
    }
    assert!(seen >= 43, "only {seen} vectors");
}

#[test]
fn responses() {
    let mut seen = 0;
    for v in vectors().iter().filter(|v| v.kind == "response" && v.expect == "ok") {
        seen += 1;
        let mut r = Response::default();
        for (word, rest) in v.fields.iter().take_while(|(word, _)| word != "item") {
            let run = || {
                let (at, len) = rest.split_once(' ').unwrap();
                Run { at: at.parse().unwrap(), len: len.parse().unwrap() }
            };
            match word.as_str() {
                "code" => r.code = rest.parse().unwrap(),
                "value-at" => r.value = run(),
                "etag-at" => r.etag = run(),
                "type-at" => r.content_type = run(),
                "message-at" => r.message = run(),
                "key-at" => r.key = run(),
                "items-at" => r.items = run(),
                "expires" => r.expires_ms = rest.parse().unwrap(),
                _ => {}
            }
        }
        let mut out = [0; RESPONSE_SIZE];
        r.write(&mut out);
        assert_eq!(out[..], v.message[..RESPONSE_SIZE], "{}", v.name);
    }
    assert!(seen >= 8, "only {seen} vectors");
}

#[test]
fn results() {
    for v in vectors().iter().filter(|v| v.kind == "result" && v.expect == "ok") {
        let field = |word: &str| v.fields.iter().find(|f| f.0 == word).unwrap().1.parse().unwrap();
        let want = u64::from_le_bytes(v.message[..].try_into().unwrap());
        assert_eq!(wasmstate::codec::pack(field("code"), field("length")), want, "{}", v.name);
    }
}
