// The codec for vectors.mjs: reads a message that the harness put into memory
// and says what it read, in the words of abi/testdata/vectors/README.md.
import { Bytes } from "../assembly/bytes";
import { Batch, nextPair, Pairs, readRequest, Request, Response, RESPONSE_SIZE, writeResponse } from "../assembly/codec";

export function allocate(size: usize): usize {
  return heap.alloc(size);
}

function hex(b: Bytes): string {
  if (!b.length) return "-";
  let out = "";
  for (let i = 0; i < b.length; i++) out += (<u32>b[i] + 256).toString(16).slice(1);
  return out;
}

function pairs(p: Pairs): string {
  const rest = new Bytes(), name = new Bytes(), value = new Bytes();
  rest.at = p.bytes.at;
  rest.length = p.bytes.length;
  let out = "";
  while (nextPair(rest, name, value)) out += `pair ${hex(name)} ${hex(value)}\n`;
  return out;
}

function fields(r: Request): string {
  return `flags ${r.flags}\nkey ${hex(r.key)}\nvalue ${hex(r.value)}\netag ${hex(r.etag)}\ntype ${hex(r.contentType)}\n` +
    `ttl ${r.ttlMs}\ndeadline ${r.deadlineMs}\nlimit ${r.limit}\n` + pairs(r.metadata);
}

/** "malformed", or "ok" or "unsupported" and the fields. */
export function request(at: usize, size: u32): string {
  const r = new Request();
  if (!readRequest(at, size, 0, r)) return "malformed\n";
  return (r.understood ? "ok\n" : "unsupported\n") + fields(r);
}

/** Like request, of a batch. */
export function batch(at: usize, size: u32): string {
  const b = new Batch();
  if (!b.read(at, size)) return "malformed\n";
  let understood = b.understood, out = "";
  for (let i = 0; i < b.length; i++) {
    const r = b.at(i);
    understood = understood && r.understood;
    out += `item ${i}\n` + fields(r);
  }
  return (understood ? "ok\n" : "unsupported\n") + `flags ${b.flags}\ndeadline ${b.deadlineMs}\nname ${hex(b.name)}\n` +
    pairs(b.metadata) + `count ${b.length}\n` + out;
}

/** Writes a head record without bytes, with items that lie elsewhere. */
export function response(out: usize, code: u32, expires: i64, items: u32, count: u32): u32 {
  const r = new Response();
  r.expiresMs = expires;
  writeResponse(out, code, r, items, count);
  return RESPONSE_SIZE;
}

/** Writes a record with three buffers of the given lengths: their addresses are in the record. */
export function buffers(out: usize, value: i32, etag: i32, type: i32): bool {
  const r = new Response();
  if (value >= 0) r.value = new ArrayBuffer(value);
  if (etag >= 0) r.etag = new ArrayBuffer(etag);
  if (type >= 0) r.contentType = new ArrayBuffer(type);
  writeResponse(out, 0, r, 0, 0);
  return at(out + 8, r.value) && at(out + 16, r.etag) && at(out + 24, r.contentType);
}

function at(rec: usize, b: ArrayBuffer | null): bool {
  const length = b ? b.byteLength : 0;
  return load<u32>(rec, 4) == <u32>length && load<u32>(rec) == (length ? <u32>changetype<usize>(b) : 0);
}
