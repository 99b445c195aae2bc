// Requests to servers that the operator granted: capability "http",
// abi/SPEC-hostfuncs.md, chapter 9.
import { Bytes } from "./bytes";
import { Code, nextPair } from "./codec";
import { Ask, codeOf, decode, encodeOne, Reply } from "./message";

@external("wasmstate_http", "start")
declare function http_start(req: usize, length: u32): u64;
@external("wasmstate_http", "write")
declare function http_write(handle: u32, data: usize, length: u32): u64;
@external("wasmstate_http", "response")
declare function http_response(handle: u32, out: usize, cap: u32): u64;
@external("wasmstate_http", "read")
declare function http_read(handle: u32, out: usize, cap: u32): u64;
@external("wasmstate_http", "close")
declare function http_close(handle: u32): u64;

const BODY_FOLLOWS: u32 = 1 << 2;
const KEEP_REDIRECTS: u32 = 1 << 3;

/** A request and its response. Close it when you are done; the end of the operation does. */
@final
export class Exchange {
  /** Why there is no response: Timeout, Unavailable, Permission, …; else OK. */
  code: Code = Code.OK;
  /** The HTTP status, after response(). */
  status: u32 = 0;
  contentType: string = "";

  private ask: Ask = new Ask();
  private handle: u32 = 0;
  private head: Reply = new Reply();

  /** A request that is not sent yet. */
  constructor(method: string, url: string) {
    this.ask.etag = String.UTF8.encode(method);
    this.ask.key = String.UTF8.encode(url);
  }

  /** Adds a header. */
  header(name: string, value: string): Exchange {
    this.ask.metadata.push(String.UTF8.encode(name));
    this.ask.metadata.push(String.UTF8.encode(value));
    return this;
  }

  /** Sets the body and its content type. */
  body(type: string, bytes: ArrayBuffer): Exchange {
    this.ask.contentType = String.UTF8.encode(type);
    this.ask.value = bytes;
    return this;
  }

  /** Bounds the whole exchange in milliseconds. */
  timeout(ms: u64): Exchange {
    this.ask.deadlineMs = ms;
    return this;
  }

  /** Takes a redirect as the answer. */
  keepRedirects(): Exchange {
    this.ask.flags |= KEEP_REDIRECTS;
    return this;
  }

  /** Sends the head; the body follows by write. */
  stream(): Code {
    this.ask.flags |= BODY_FOLLOWS;
    return this.start();
  }

  /** Sends a part of the body. */
  write(part: ArrayBuffer): Code {
    return this.fail(codeOf(http_write(this.handle, changetype<usize>(part), part.byteLength)));
  }

  /** Sends the request if it was not sent yet, and waits for the head of the response. */
  response(): Code {
    if (!this.handle && this.start() != Code.OK) return this.code;
    let out = new ArrayBuffer(1024), r: u64 = 0;
    while (true) {
      r = http_response(this.handle, changetype<usize>(out), out.byteLength);
      if (<u32>r <= <u32>out.byteLength) break;
      out = new ArrayBuffer(<u32>r);
    }
    if (codeOf(r) != Code.OK) return this.fail(codeOf(r));
    this.head = decode(changetype<usize>(out));
    this.status = this.head.number;
    this.contentType = String.UTF8.decode(this.head.contentType);
    return Code.OK;
  }

  /** The first header of the response with this name, in lower case; null if there is none. */
  responseHeader(name: string): string | null {
    const want = String.UTF8.encode(name), rest = new Bytes(), key = new Bytes(), value = new Bytes();
    rest.at = changetype<usize>(this.head.message);
    rest.length = this.head.message.byteLength;
    while (nextPair(rest, key, value)) {
      if (key.equals(want)) return value.toString();
    }
    return null;
  }

  /** The next part of the response's body; empty at the end or after a failure. */
  read(most: i32 = 65536): ArrayBuffer {
    const out = new ArrayBuffer(most), r = http_read(this.handle, changetype<usize>(out), most);
    this.fail(codeOf(r));
    return out.slice(0, <i32>r);
  }

  /** The whole body. Look at code afterwards. */
  readAll(): ArrayBuffer {
    let all = new ArrayBuffer(4096), n = 0;
    while (true) {
      const r = http_read(this.handle, changetype<usize>(all) + n, all.byteLength - n);
      this.fail(codeOf(r));
      if (!<u32>r) return n == all.byteLength ? all : all.slice(0, n);
      n += <i32>r;
      if (n < all.byteLength) continue;
      const more = new ArrayBuffer(n * 2);
      memory.copy(changetype<usize>(more), changetype<usize>(all), n);
      all = more;
    }
  }

  /** Ends the exchange. */
  close(): void {
    if (this.handle) http_close(this.handle);
    this.handle = 0;
  }

  private start(): Code {
    const m = encodeOne(this.ask), r = http_start(changetype<usize>(m), m.byteLength);
    this.handle = <u32>r;
    return this.fail(codeOf(r));
  }

  private fail(code: Code): Code {
    if (code != Code.OK) this.code = code;
    return code;
  }
}
