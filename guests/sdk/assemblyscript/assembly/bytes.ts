// Bytes of a request, which are not copied.

/**
 * Bytes that belong to the runtime: valid until the operation returns. Copy what
 * you keep. Empty and missing are the same: length 0.
 */
@final
export class Bytes {
  /** Where they are; for the kit. */
  at: usize = 0;
  /** How many. */
  length: i32 = 0;

  /** The i-th byte, 0 <= i < length; traps outside. */
  @operator("[]")
  get(i: i32): u8 {
    if (<u32>i >= <u32>this.length) throw new RangeError("index out of range");
    return load<u8>(this.at + i);
  }

  /** A copy that is yours. */
  copy(): ArrayBuffer {
    const out = new ArrayBuffer(this.length);
    memory.copy(changetype<usize>(out), this.at, this.length);
    return out;
  }

  /** The text. Keys are valid UTF-8; other bytes may become any text. */
  toString(): string {
    return this.length ? String.UTF8.decodeUnsafe(this.at, this.length) : "";
  }

  /** Whether these are the same bytes. */
  equals(other: ArrayBuffer): bool {
    return compareRuns(this.at, this.length, changetype<usize>(other), other.byteLength) == 0;
  }

  /** Whether they begin with those. */
  startsWith(other: Bytes): bool {
    return this.length >= other.length && compareRuns(this.at, other.length, other.at, other.length) == 0;
  }

  /** A hash for tables; the same bytes have the same hash within one build. */
  hash(): u32 {
    return hashRun(this.at, this.length);
  }
}

/** Below 0 if a comes first, 0 if they are equal: unsigned bytes, shorter first. */
export function compare(a: ArrayBuffer, b: ArrayBuffer): i32 {
  return compareRuns(changetype<usize>(a), a.byteLength, changetype<usize>(b), b.byteLength);
}

/** Like compare, with bytes of a request. */
export function compareBytes(a: ArrayBuffer, b: Bytes): i32 {
  return compareRuns(changetype<usize>(a), a.byteLength, b.at, b.length);
}

/** Whether the buffer begins with those bytes. */
export function startsWith(a: ArrayBuffer, prefix: Bytes): bool {
  return a.byteLength >= prefix.length && compareRuns(changetype<usize>(a), prefix.length, prefix.at, prefix.length) == 0;
}

/** The hash of Bytes.hash for a buffer. */
export function hash(a: ArrayBuffer): u32 {
  return hashRun(changetype<usize>(a), a.byteLength);
}

/** A copy of the bytes at an address; for the kit. */
export function copyOf(at: usize, length: i32): ArrayBuffer {
  const out = new ArrayBuffer(length);
  memory.copy(changetype<usize>(out), at, length);
  return out;
}

/** The 16 hexadecimal digits of v, as text: an etag. */
export function hex64(v: u64): ArrayBuffer {
  const out = new ArrayBuffer(16);
  for (let i = 15; i >= 0; i--, v >>= 4) {
    const digit = <u8>(v & 15);
    store<u8>(changetype<usize>(out) + i, digit < 10 ? 48 + digit : 87 + digit);
  }
  return out;
}

function compareRuns(a: usize, alen: i32, b: usize, blen: i32): i32 {
  const n = min(alen, blen);
  let i = 0;
  while (i + 8 <= n && load<u64>(a + i) == load<u64>(b + i)) i += 8;
  for (; i < n; i++) {
    const d = <i32>load<u8>(a + i) - <i32>load<u8>(b + i);
    if (d) return d;
  }
  return alen - blen;
}

function hashRun(at: usize, length: i32): u32 {
  const mul: u64 = 0x9e3779b97f4a7c15;
  let h = <u64>length * mul, i = 0;
  for (; i + 8 <= length; i += 8) {
    h = (h ^ load<u64>(at + i)) * mul;
    h ^= h >> 32;
  }
  for (; i < length; i++) h = (h ^ load<u8>(at + i)) * mul;
  h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9;
  return <u32>(h >> 32);
}
