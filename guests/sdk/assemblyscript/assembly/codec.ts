// The records of wasm ABI version 1 (abi/SPEC.md, chapter 5).
import { Bytes } from "./bytes";

export const REQUEST_SIZE: u32 = 72;
export const BATCH_SIZE: u32 = 48;
export const RESPONSE_SIZE: u32 = 72;

const FIRST_WRITE: u32 = 1 << 0;
const DELETE: u32 = 1 << 1;
const EVENTUAL: u32 = 1 << 16;
const STRONG: u32 = 1 << 17;
const MUST_UNDERSTAND: u32 = 0xffff;

/** The closed set of codes: abi/SPEC.md, chapter 6. */
export enum Code {
  OK = 0,
  /** Missing or expired. */
  NotFound = 1,
  /** Not the stored etag, or create-only met a key. */
  ETagMismatch = 2,
  /** Cannot be one of this store's etags. */
  ETagInvalid = 3,
  InvalidArgument = 4,
  Unsupported = 5,
  TooLarge = 6,
  /** Storage or budget used up. */
  Quota = 7,
  RateLimited = 8,
  Timeout = 9,
  Cancelled = 10,
  /** The back end cannot be reached now. */
  Unavailable = 11,
  Permission = 12,
  /** Stored data cannot be understood. */
  Corrupt = 13,
  Internal = 14,
  Closed = 15,
}

/** Names and values in the order of the message. */
@final
export class Pairs {
  /** The bytes of all pairs; for the kit. */
  bytes: Bytes = new Bytes();

  /** The first value with this name, or null. */
  get(name: string): string | null {
    const want = String.UTF8.encode(name);
    const rest = new Bytes(), key = new Bytes(), value = new Bytes();
    rest.at = this.bytes.at;
    rest.length = this.bytes.length;
    while (nextPair(rest, key, value)) {
      if (key.equals(want)) return value.toString();
    }
    return null;
  }

  /** All names, in order. */
  names(): string[] {
    const out: string[] = [];
    const rest = new Bytes(), key = new Bytes(), value = new Bytes();
    rest.at = this.bytes.at;
    rest.length = this.bytes.length;
    while (nextPair(rest, key, value)) out.push(key.toString());
    return out;
  }
}

/** Takes the first pair off rest; false if there is none. */
export function nextPair(rest: Bytes, name: Bytes, value: Bytes): bool {
  if (rest.length < 8) return false;
  const n = <u64>load<u32>(rest.at), v = <u64>load<u32>(rest.at + 4);
  if (8 + n + v > <u64>rest.length) return false;
  name.at = rest.at + 8;
  name.length = <i32>n;
  value.at = rest.at + 8 + <usize>n;
  value.length = <i32>v;
  rest.at += 8 + <usize>(n + v);
  rest.length -= <i32>(8 + n + v);
  return true;
}

function wellFormed(pairs: Bytes): bool {
  if (!pairs.length) return true;
  const rest = new Bytes(), name = new Bytes(), value = new Bytes();
  rest.at = pairs.at;
  rest.length = pairs.length;
  while (nextPair(rest, name, value)) {}
  return rest.length == 0;
}

/**
 * One request, or one item of a batch. The bytes are gone when the operation
 * returns: copy what you keep.
 */
@final
export class Request {
  flags: u32 = 0;
  /** UTF-8, never empty. In a listing the prefix. */
  key: Bytes = new Bytes();
  /** May be empty. In a listing and an export the cursor. */
  value: Bytes = new Bytes();
  /** The etag that the stored value must have; empty = none given. */
  etag: Bytes = new Bytes();
  /** Empty = none. */
  contentType: Bytes = new Bytes();
  /** Ignore what you do not know. */
  metadata: Pairs = new Pairs();
  /** Time to live in milliseconds, 0 = never expires. In an import the absolute expiry. */
  ttlMs: u64 = 0;
  /** Milliseconds left for the operation; 0 = no deadline. */
  deadlineMs: u64 = 0;
  /** The most keys of a listing, the bytes wished of an export. */
  limit: u32 = 0;

  /** Without an etag this write may only create. */
  get firstWrite(): bool { return (this.flags & FIRST_WRITE) != 0; }
  /** This item of a batch is a delete. */
  get isDelete(): bool { return (this.flags & DELETE) != 0; }
  /** The caller takes eventual consistency. */
  get eventual(): bool { return (this.flags & EVENTUAL) != 0; }
  /** The caller wants strong consistency. */
  get strong(): bool { return (this.flags & STRONG) != 0; }
  /** False if there is a flag that must be understood and is not; the kit refuses it. */
  get understood(): bool { return (this.flags & MUST_UNDERSTAND & ~(FIRST_WRITE | DELETE)) == 0; }
}

// slice reads the offset and length at rec; false if they leave the buffer.
function slice(buf: usize, size: u32, rec: usize, out: Bytes): bool {
  const off = <u64>load<u32>(rec), len = <u64>load<u32>(rec + 4);
  out.at = 0;
  out.length = 0;
  if (len == 0) return true;
  if (off + len > <u64>size) return false;
  out.at = buf + <usize>off;
  out.length = <i32>len;
  return true;
}

// record checks that a record of at least n bytes begins at buf + at.
function record(buf: usize, size: u32, at: u64, n: u32): bool {
  if (at > <u64>size || <u64>size - at < <u64>n) return false;
  const says = load<u32>(buf + <usize>at);
  return says >= n && <u64>says <= <u64>size - at;
}

/** Reads the record at buf + at; false if it is malformed. */
export function readRequest(buf: usize, size: u32, at: u64, r: Request): bool {
  if (!record(buf, size, at, REQUEST_SIZE)) return false;
  const rec = buf + <usize>at;
  r.flags = load<u32>(rec, 4);
  r.ttlMs = load<u64>(rec, 48);
  r.deadlineMs = load<u64>(rec, 56);
  r.limit = load<u32>(rec, 64);
  return slice(buf, size, rec + 8, r.key) && slice(buf, size, rec + 16, r.value) && slice(buf, size, rec + 24, r.etag) &&
    slice(buf, size, rec + 32, r.contentType) && slice(buf, size, rec + 40, r.metadata.bytes) && wellFormed(r.metadata.bytes);
}

/** Several requests of one call. All have been checked before you get it. */
@final
export class Batch {
  flags: u32 = 0;
  /** How many. */
  length: i32 = 0;
  /** Milliseconds left for the operation; 0 = no deadline. */
  deadlineMs: u64 = 0;
  /** At the start the component's name. */
  name: Bytes = new Bytes();
  /** At the start the properties. */
  metadata: Pairs = new Pairs();
  /** The index of the operation that failed, -1 = none is to blame; set it in transact. */
  failed: i32 = -1;

  private buf: usize = 0;
  private size: u32 = 0;
  private items: u32 = 0;
  private step: u32 = 0;
  private item: Request = new Request();

  /** The i-th request, 0 <= i < length. The object is the same at each call. */
  at(i: i32): Request {
    if (<u32>i >= <u32>this.length || !readRequest(this.buf, this.size, this.items + <u64>i * this.step, this.item)) {
      throw new RangeError("no such item");
    }
    return this.item;
  }

  /** Reads a batch and all its items; false if it is malformed. */
  read(buf: usize, size: u32): bool {
    this.length = 0;
    this.failed = -1;
    if (!record(buf, size, 0, BATCH_SIZE)) return false;
    const count = load<u32>(buf, 12);
    this.buf = buf;
    this.size = size;
    this.flags = load<u32>(buf, 4);
    this.items = load<u32>(buf, 8);
    this.step = load<u32>(buf, 16);
    this.deadlineMs = load<u64>(buf, 24);
    if (count && (this.step < REQUEST_SIZE || <u64>this.items + <u64>count * this.step > <u64>size)) return false;
    for (let i: u32 = 0; i < count; i++) {
      if (!readRequest(buf, size, this.items + <u64>i * this.step, this.item)) return false;
    }
    this.length = <i32>count;
    return slice(buf, size, buf + 32, this.metadata.bytes) && slice(buf, size, buf + 40, this.name) && wellFormed(this.metadata.bytes);
  }

  /** False if a flag of the head must be understood and is not. */
  get understood(): bool { return (this.flags & MUST_UNDERSTAND) == 0; }
}

/** What an operation answers. Everything is empty when you get it. */
@final
export class Response {
  value: ArrayBuffer | null = null;
  etag: ArrayBuffer | null = null;
  contentType: ArrayBuffer | null = null;
  /** For people, with a code other than OK. */
  message: string = "";
  /** Unix milliseconds; 0 = never. */
  expiresMs: i64 = 0;

  /** Empties it. */
  clear(): void {
    this.value = this.etag = this.contentType = null;
    if (this.message.length) this.message = "";
    this.expiresMs = 0;
  }
}

function put(out: usize, at: u32, count: u32): void {
  store<u32>(out, count ? at : 0);
  store<u32>(out + 4, count);
}

/** Writes address and length of a buffer. */
export function putBuffer(out: usize, b: ArrayBuffer | null): void {
  if (b) put(out, <u32>changetype<usize>(b), b.byteLength);
  else store<u64>(out, 0);
}

/** Writes a record; message and key are put by the caller. */
export function writeResponse(out: usize, code: u32, r: Response, items: u32, count: u32): void {
  store<u32>(out, RESPONSE_SIZE);
  store<u32>(out, code, 4);
  putBuffer(out + 8, r.value);
  putBuffer(out + 16, r.etag);
  putBuffer(out + 24, r.contentType);
  store<u64>(out, 0, 32);
  store<i64>(out, r.expiresMs, 40);
  put(out + 48, items, count);
  store<u64>(out, count ? RESPONSE_SIZE : 0, 56);
  store<u64>(out, 0, 64);
}
