// What all exports share: the buffer, one request, one response.
import { Batch, Code, putBuffer, readRequest, Request, Response, RESPONSE_SIZE, writeResponse } from "./codec";

/** The shared buffer. */
export let buffer: usize = 0;
export let bufferSize: u32 = 0;

// They are used again at each call: an operation allocates nothing of the kit's.
export const request = new Request();
export const response = new Response();
export const batch = new Batch();
let message: ArrayBuffer | null = null; // of the last answer
let held: Holder | null = null;

/** Something that keeps what the last answer points at. */
export abstract class Holder {
  abstract release(): void;
}

/** Has h released when the next call begins. */
export function hold(h: Holder): void {
  held = h;
}

/**
 * Makes the buffer at least want bytes large; false if there is no memory. The
 * heap would end the instance then, so the buffer is in pages of its own. They
 * cannot be given back: each buffer has twice the size of the one before.
 */
export function open(want: u32): bool {
  if (want <= bufferSize) return true;
  let size = max<u64>(want, min<u64>(<u64>bufferSize * 2, 1 << 30));
  let page = memory.grow(<i32>((size + 0xffff) >> 16));
  if (page < 0) {
    size = want;
    page = memory.grow(<i32>((size + 0xffff) >> 16));
    if (page < 0) return false;
  }
  buffer = <usize>page << 16;
  bufferSize = <u32>min<u64>((size + 0xffff) & ~0xffff, u32.MAX_VALUE);
  return true;
}

/** Forgets the last answer. */
export function begin(): void {
  response.clear();
  message = null;
  const h = held;
  if (h) {
    h.release();
    held = null;
  }
}

/** Reads one request; false if it has been refused, with the answer in refusal. */
export function readOne(len: u32): bool {
  begin();
  if (!readRequest(buffer, len, 0, request)) return refuse(Code.InvalidArgument, "malformed message");
  return request.understood || refuse(Code.Unsupported, "unknown flag");
}

/** Like readOne, of a batch. */
export function readMany(len: u32): bool {
  begin();
  if (!batch.read(buffer, len)) return refuse(Code.InvalidArgument, "malformed message");
  return batch.understood || refuse(Code.Unsupported, "unknown flag");
}

/** What an export returns after readOne or readMany said no. */
export let refusal: u64 = 0;

function refuse(code: Code, why: string): bool {
  response.message = why;
  refusal = answer(code);
  return false;
}

export function pack(code: Code): u64 {
  return <u64>code << 32 | RESPONSE_SIZE;
}

/** Writes the response as the head record. */
export function answer(code: Code, head: u32 = 0): u64 {
  writeResponse(buffer, head, response, 0, 0);
  if (response.message.length) {
    message = String.UTF8.encode(response.message);
    putBuffer(buffer + 32, message);
  }
  return pack(code);
}
