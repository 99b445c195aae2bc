// Buckets of keys, kept by another component: capability "kv",
// abi/SPEC-hostfuncs.md, chapter 8.
import { Code } from "./codec";
import { Ask, codeOf, decode, encodeMany, encodeOne, Reply } from "./message";

@external("wasmstate_kv", "bucket")
declare function kv_bucket(label: usize, length: u32): u64;
@external("wasmstate_kv", "features")
declare function kv_features(bucket: u32): u64;
@external("wasmstate_kv", "get")
declare function kv_get(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "set")
declare function kv_set(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "delete")
declare function kv_delete(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "bulk_get")
declare function kv_bulk_get(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "bulk_write")
declare function kv_bulk_write(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "transact")
declare function kv_transact(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "keys")
declare function kv_keys(bucket: u32, req: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_kv", "result")
declare function kv_result(out: usize, cap: u32): u64;

/** What the component behind a bucket offers. */
export enum Feature {
  ETag = 1,
  Transactional = 2,
  TTL = 4,
  Keys = 16,
  Bulk = 64,
  ContentType = 1024,
}

/** A bucket of keys. The operations are those of a store. */
@final
export class Bucket {
  /** Code.Permission if the operator bound nothing to the label. */
  code: Code;
  private id: u32;

  constructor(label: string) {
    const text = String.UTF8.encode(label), r = kv_bucket(changetype<usize>(text), text.byteLength);
    this.code = codeOf(r);
    this.id = <u32>r;
  }

  /** Whether the component behind the bucket offers f. */
  has(f: Feature): bool {
    return (<u32>kv_features(this.id) & f) != 0;
  }

  get(a: Ask): Reply {
    const m = encodeOne(a);
    return answer(kv_get(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  set(a: Ask): Reply {
    const m = encodeOne(a);
    return answer(kv_set(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  delete(a: Ask): Reply {
    const m = encodeOne(a);
    return answer(kv_delete(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  /** One item for each request, with its code. */
  bulkGet(all: Ask[]): Reply {
    const m = encodeMany(all);
    return answer(kv_bulk_get(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  /** One item for each write, with its code. */
  bulkWrite(all: Ask[]): Reply {
    const m = encodeMany(all);
    return answer(kv_bulk_write(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  /** All or nothing; number is the operation that failed, as i32 -1 for none. */
  transact(all: Ask[]): Reply {
    const m = encodeMany(all);
    return answer(kv_transact(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }

  /** The keys with the prefix a.key after the cursor a.value, at most a.limit; key is the next cursor. */
  keys(a: Ask): Reply {
    const m = encodeOne(a);
    return answer(kv_keys(this.id, changetype<usize>(m), m.byteLength, changetype<usize>(out), out.byteLength));
  }
}

let out = new ArrayBuffer(4096); // for answers; it grows with them, up to a point

function answer(r: u64): Reply {
  let full = <u32>r, from = out;
  if (full > <u32>from.byteLength) { // the operation is done; only its answer is fetched again
    from = new ArrayBuffer(full);
    r = kv_result(changetype<usize>(from), full);
    if (full <= 1 << 20) out = from;
  }
  const reply = <u32>r ? decode(changetype<usize>(from)) : new Reply();
  if (!<u32>r) reply.number = -1; // as an index: no operation is to blame
  reply.code = codeOf(r);
  return reply;
}
