// The exports of bulk operations, transactions, listings, export and import. A
// module that offers one of them repeats them in its entry file:
//
//   export * from "wasmstate/assembly/optional";
import { Code, putBuffer, writeResponse } from "./codec";
import { answer, batch, buffer, hold, Holder, pack, readMany, readOne, refusal, request, response } from "./kit";
import { theStore } from "./serve";
import { Page } from "./store";

const page = new Page();

class PageHolder extends Holder {
  release(): void {
    page.clear();
  }
}
const holder = new PageHolder();

function answerPage(code: Code): u64 {
  hold(holder);
  if (code != Code.OK) return answer(code);
  writeResponse(buffer, 0, response, <u32>page.at, page.length);
  putBuffer(buffer + 64, page.next);
  return pack(code);
}

// each serves a bulk operation by one call for each item.
function each(len: u32, writes: bool): u64 {
  if (!readMany(len)) return refusal;
  const store = theStore();
  for (let i = 0; i < batch.length; i++) {
    const req = batch.at(i);
    response.clear();
    let code = Code.Unsupported;
    if (req.understood) {
      code = !writes ? store.get(req, response) : req.isDelete ? store.delete(req, response) : store.set(req, response);
    }
    page.addAnswer(code, response);
  }
  response.clear();
  return answerPage(Code.OK);
}

export function ws_bulk_get(len: u32): u64 {
  return each(len, false);
}

export function ws_bulk_write(len: u32): u64 {
  return each(len, true);
}

export function ws_transact(len: u32): u64 {
  if (!readMany(len)) return refusal;
  for (let i = 0; i < batch.length; i++) {
    if (!batch.at(i).understood) {
      response.message = "unknown flag";
      return answer(Code.Unsupported, i);
    }
  }
  const code = theStore().transact(batch, response);
  if (code != Code.OK && batch.failed < 0) return <u64>code << 32; // without a record no operation is blamed
  return answer(code, code == Code.OK ? 0 : batch.failed);
}

export function ws_keys(len: u32): u64 {
  return readOne(len) ? answerPage(theStore().keys(request, page, response)) : refusal;
}

export function ws_export(len: u32): u64 {
  return readOne(len) ? answerPage(theStore().export(request, page, response)) : refusal;
}

export function ws_import(len: u32): u64 {
  return readMany(len) ? answer(theStore().import(batch, response)) : refusal;
}
