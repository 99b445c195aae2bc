// Messages to the host: the records of a request, with offsets, and its answers.
import { Bytes, copyOf } from "./bytes";
import { BATCH_SIZE, Code, REQUEST_SIZE } from "./codec";

/** A request of one's own. Empty fields are as if they were not given. */
@final
export class Ask {
  flags: u32 = 0;
  key: ArrayBuffer = none;
  value: ArrayBuffer = none;
  etag: ArrayBuffer = none;
  contentType: ArrayBuffer = none;
  /** Names and values, in turns. */
  metadata: ArrayBuffer[] = [];
  /** Milliseconds; 0 = never expires. */
  ttlMs: u64 = 0;
  /** Milliseconds; 0 = what is left of the operation. */
  deadlineMs: u64 = 0;
  limit: u32 = 0;

  /** Create only, if there is no etag. */
  get firstWrite(): bool { return (this.flags & 1) != 0; }
  set firstWrite(on: bool) { this.flags = on ? this.flags | 1 : this.flags & ~1; }
  /** In a batch: delete the key. */
  get isDelete(): bool { return (this.flags & 2) != 0; }
  set isDelete(on: bool) { this.flags = on ? this.flags | 2 : this.flags & ~2; }
}

const none = new ArrayBuffer(0);

/** An answer of the host. The buffers are yours. */
@final
export class Reply {
  code: Code = Code.OK;
  value: ArrayBuffer = none;
  etag: ArrayBuffer = none;
  contentType: ArrayBuffer = none;
  /** For people, if code is not OK; the headers of an HTTP response. */
  message: ArrayBuffer = none;
  /** Of a listing's item; of a page the next cursor. */
  key: ArrayBuffer = none;
  /** Unix milliseconds; 0 = never. */
  expiresMs: i64 = 0;
  /** Of a page or a bulk operation. */
  items: Reply[] = [];
  /** The number in the head: the operation that failed, or the HTTP status. */
  number: u32 = 0;
}

function metadataSize(a: Ask): i32 {
  let n = 0;
  for (let i = 0; i < a.metadata.length; i++) n += a.metadata[i].byteLength + 4;
  return n;
}

function sizeOf(a: Ask): i32 {
  return a.key.byteLength + a.value.byteLength + a.etag.byteLength + a.contentType.byteLength + metadataSize(a);
}

// put writes offset and length, and the bytes at the end; the new end is returned.
function put(msg: usize, field: usize, b: ArrayBuffer, end: u32): u32 {
  store<u32>(field, b.byteLength ? end : 0);
  store<u32>(field, b.byteLength, 4);
  memory.copy(msg + end, changetype<usize>(b), b.byteLength);
  return end + b.byteLength;
}

function putRequest(msg: usize, rec: usize, a: Ask, end: u32): u32 {
  store<u32>(rec, REQUEST_SIZE);
  store<u32>(rec, a.flags, 4);
  end = put(msg, rec + 8, a.key, end);
  end = put(msg, rec + 16, a.value, end);
  end = put(msg, rec + 24, a.etag, end);
  end = put(msg, rec + 32, a.contentType, end);
  const pairs = metadataSize(a);
  store<u32>(rec, pairs ? end : 0, 40);
  store<u32>(rec, pairs, 44);
  for (let i = 0; i + 1 < a.metadata.length; i += 2) {
    const name = a.metadata[i], value = a.metadata[i + 1];
    store<u32>(msg + end, name.byteLength);
    store<u32>(msg + end, value.byteLength, 4);
    memory.copy(msg + end + 8, changetype<usize>(name), name.byteLength);
    memory.copy(msg + end + 8 + name.byteLength, changetype<usize>(value), value.byteLength);
    end += 8 + name.byteLength + value.byteLength;
  }
  store<u64>(rec, a.ttlMs, 48);
  store<u64>(rec, a.deadlineMs, 56);
  store<u64>(rec, a.limit, 64);
  return end;
}

/** The message of one request. */
export function encodeOne(a: Ask): ArrayBuffer {
  const msg = new ArrayBuffer(REQUEST_SIZE + sizeOf(a)), at = changetype<usize>(msg);
  putRequest(at, at, a, REQUEST_SIZE);
  return msg;
}

/** The message of several requests. */
export function encodeMany(all: Ask[]): ArrayBuffer {
  let end = BATCH_SIZE + <u32>all.length * REQUEST_SIZE, size = end;
  for (let i = 0; i < all.length; i++) size += sizeOf(all[i]);
  const msg = new ArrayBuffer(size), at = changetype<usize>(msg);
  store<u32>(at, BATCH_SIZE);
  store<u32>(at, BATCH_SIZE, 8);
  store<u32>(at, all.length, 12);
  store<u32>(at, REQUEST_SIZE, 16);
  for (let i = 0; i < all.length; i++) end = putRequest(at, at + BATCH_SIZE + i * REQUEST_SIZE, all[i], end);
  return msg;
}

/** Reads the record at an address, and its items. The bytes are copied. */
export function decode(rec: usize): Reply {
  const r = new Reply();
  r.number = load<u32>(rec, 4);
  r.value = copyOf(load<u32>(rec, 8), load<u32>(rec, 12));
  r.etag = copyOf(load<u32>(rec, 16), load<u32>(rec, 20));
  r.contentType = copyOf(load<u32>(rec, 24), load<u32>(rec, 28));
  r.message = copyOf(load<u32>(rec, 32), load<u32>(rec, 36));
  r.expiresMs = load<i64>(rec, 40);
  r.key = copyOf(load<u32>(rec, 64), load<u32>(rec, 68));
  const items = <usize>load<u32>(rec, 48), count = load<u32>(rec, 52), step = load<u32>(rec, 56);
  for (let i: u32 = 0; i < count; i++) {
    const item = decode(items + i * step);
    item.code = item.number;
    r.items.push(item);
  }
  return r;
}

/** What a call of the host returned: a code and a number. */
export function codeOf(result: u64): Code {
  return <Code>(result >> 32);
}

/** A copy of bytes of a request, for an Ask. */
export function copyBytes(b: Bytes): ArrayBuffer {
  return b.length ? b.copy() : none;
}
