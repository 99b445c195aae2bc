// What every guest may ask of the host: abi/SPEC-hostfuncs.md, chapters 2 to 4.

@external("wasmstate_log", "log")
declare function host_log(level: u32, text: usize, length: u32): void;
@external("wasmstate_log", "enabled")
declare function host_enabled(level: u32): u32;
@external("wasmstate_clock", "now")
declare function host_now(): i64;
@external("wasmstate_random", "fill")
declare function host_fill(out: usize, length: u32): u64;

/** Log levels. */
export enum Level {
  Debug = 0,
  Info = 1,
  Warn = 2,
  Error = 3,
}

/** Writes one line to the runtime's log; at most 1 KiB of it is kept. */
export function log(level: Level, line: string): void {
  if (!host_enabled(level)) return;
  const text = String.UTF8.encode(line);
  host_log(level, changetype<usize>(text), text.byteLength);
}

/** Unix milliseconds. */
export function now(): i64 {
  return host_now() / 1000000;
}

/** Fills the buffer with random bytes of cryptographic quality. */
export function randomFill(out: ArrayBuffer): void {
  if (host_fill(changetype<usize>(out), out.byteLength) >> 32) unreachable();
}

/** 64 random bits. */
export function random64(): u64 {
  const out = new ArrayBuffer(8);
  randomFill(out);
  return load<u64>(changetype<usize>(out));
}
