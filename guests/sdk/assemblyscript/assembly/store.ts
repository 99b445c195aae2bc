// What an author implements.
import { Batch, Code, putBuffer, Request, Response, RESPONSE_SIZE, writeResponse } from "./codec";

/**
 * A state store. Get, set and delete are yours to write, the rest is optional:
 * what you override has to be declared in the manifest. One call at a time.
 */
export abstract class Store {
  /** Once, before anything else: the component's name and its properties. */
  init(properties: Batch, resp: Response): Code { return Code.OK; }
  /** Answers value, etag, contentType and expiresMs, or Code.NotFound. */
  abstract get(req: Request, resp: Response): Code;
  /** Answers the new etag. */
  abstract set(req: Request, resp: Response): Code;
  abstract delete(req: Request, resp: Response): Code;

  /** All or nothing; ops.failed is the index of the operation that failed. TRANSACTIONAL */
  transact(ops: Batch, resp: Response): Code { return Code.Unsupported; }
  /** Ascending keys with the prefix req.key after the cursor req.value, at most req.limit. KEYS */
  keys(req: Request, page: Page, resp: Response): Code { return Code.Unsupported; }
  /** Entries after the cursor req.value, of about req.limit bytes. EXPORT */
  export(req: Request, page: Page, resp: Response): Code { return Code.Unsupported; }
  /** Entries of another module of this store; ttlMs is the absolute expiry. EXPORT */
  import(items: Batch, resp: Response): Code { return Code.Unsupported; }
  /** Whether the store can serve. */
  ping(resp: Response): Code { return Code.OK; }
  /** Between operations, when nobody waits. */
  idle(): void {}
  /** The last call. */
  close(): void {}
}

/** The answer of keys and export, item by item. */
@final
export class Page {
  /** The cursor of the next page; null = this was the last. */
  next: ArrayBuffer | null = null;
  /** How many items there are. */
  length: i32 = 0;

  /** The records; for the kit. */
  at: usize = 0;
  private size: u32 = 0;
  private held: ArrayBuffer[] = [];

  /** Appends a key to a listing. */
  addKey(key: ArrayBuffer): void {
    const r = this.record(0, nothing);
    putBuffer(r + 64, key);
    this.held.push(key);
  }

  /** Appends an entry to an export. */
  addEntry(key: ArrayBuffer, entry: Response): void {
    this.addAnswer(0, entry);
    putBuffer(this.at + (this.length - 1) * RESPONSE_SIZE + 64, key);
    this.held.push(key);
  }

  /** Appends the answer of one item of a bulk operation; for the kit. */
  addAnswer(code: Code, r: Response): void {
    const rec = this.record(code, r);
    this.hold(r.value);
    this.hold(r.etag);
    this.hold(r.contentType);
    if (r.message.length) {
      const text = String.UTF8.encode(r.message);
      putBuffer(rec + 32, text);
      this.held.push(text);
    }
  }

  /** Empties the page; for the kit. */
  clear(): void {
    this.next = null;
    this.length = 0;
    if (this.held.length > 4096) this.held = []; // a large page is not kept for ever
    else if (this.held.length) this.held.length = 0;
    if (this.size > 1 << 20) {
      heap.free(this.at);
      this.at = this.size = 0;
    }
  }

  private hold(b: ArrayBuffer | null): void {
    if (b) this.held.push(b);
  }

  private record(code: u32, r: Response): usize {
    const end = <u32>(this.length + 1) * RESPONSE_SIZE;
    if (end > this.size) {
      this.size = max<u32>(this.size * 2, 4096);
      this.at = this.at ? heap.realloc(this.at, this.size) : heap.alloc(this.size);
    }
    const out = this.at + this.length++ * RESPONSE_SIZE;
    writeResponse(out, code, r, 0, 0);
    return out;
  }
}

const nothing = new Response();
