// Secrets, configuration and metrics, if the operator grants them:
// abi/SPEC-hostfuncs.md, chapters 5 to 7.
import { Code } from "./codec";
import { codeOf } from "./message";

@external("wasmstate_secret", "get")
declare function secret_get(name: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_config", "get")
declare function config_get(name: usize, length: u32, out: usize, cap: u32): u64;
@external("wasmstate_metric", "add")
declare function metric_add(name: usize, length: u32, n: u64): u64;
@external("wasmstate_metric", "observe")
declare function metric_observe(name: usize, length: u32, value: u64): u64;

/** A secret by its name, or null. Overwrite the buffer as soon as you can: wipe. */
export function secret(name: string): ArrayBuffer | null {
  const n = String.UTF8.encode(name);
  let out = new ArrayBuffer(256);
  while (true) {
    const r = secret_get(changetype<usize>(n), n.byteLength, changetype<usize>(out), out.byteLength);
    if (codeOf(r) != Code.OK) return null;
    if (<u32>r > <u32>out.byteLength) {
      out = new ArrayBuffer(<u32>r);
      continue;
    }
    const value = out.slice(0, <i32>r);
    wipe(out);
    return value;
  }
}

/** Overwrites a buffer with zeros. */
export function wipe(b: ArrayBuffer): void {
  memory.fill(changetype<usize>(b), 0, b.byteLength);
}

/** A value that the operator set, or null. */
export function config(name: string): string | null {
  const n = String.UTF8.encode(name);
  let out = new ArrayBuffer(256);
  while (true) {
    const r = config_get(changetype<usize>(n), n.byteLength, changetype<usize>(out), out.byteLength);
    if (codeOf(r) != Code.OK) return null;
    if (<u32>r <= <u32>out.byteLength) return String.UTF8.decodeUnsafe(changetype<usize>(out), <u32>r);
    out = new ArrayBuffer(<u32>r);
  }
}

/** Adds to a counter. */
export function count(name: string, n: u64 = 1): Code {
  const text = String.UTF8.encode(name);
  return codeOf(metric_add(changetype<usize>(text), text.byteLength, n));
}

/** Adds an observation to a histogram. */
export function observe(name: string, value: f64): Code {
  const text = String.UTF8.encode(name);
  return codeOf(metric_observe(changetype<usize>(text), text.byteLength, reinterpret<u64>(value)));
}
