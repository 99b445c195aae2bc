// The exports that every store has. A module's entry file repeats them:
//
//   export * from "wasmstate/assembly/exports";
import { answer, batch, begin, buffer, bufferSize, open, readMany, readOne, refusal, request, response } from "./kit";
import { theStore } from "./serve";

export function ws_open(abi: u32, want: u32): u64 {
  if (abi != 1 || !open(want)) return 0;
  return <u64>buffer << 32 | bufferSize;
}

export function ws_init(len: u32): u64 {
  return readMany(len) ? answer(theStore().init(batch, response)) : refusal;
}

export function ws_get(len: u32): u64 {
  return readOne(len) ? answer(theStore().get(request, response)) : refusal;
}

export function ws_set(len: u32): u64 {
  return readOne(len) ? answer(theStore().set(request, response)) : refusal;
}

export function ws_delete(len: u32): u64 {
  return readOne(len) ? answer(theStore().delete(request, response)) : refusal;
}

export function ws_ping(len: u32): u64 {
  begin();
  return answer(theStore().ping(response));
}

export function ws_idle(len: u32): u64 {
  theStore().idle();
  return 0;
}

export function ws_close(len: u32): u64 {
  theStore().close();
  return 0;
}
