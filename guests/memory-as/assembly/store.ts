import { Batch, Bytes, Code, compare, compareBytes, hex64, now, Page, random64, Request, Response, startsWith, Store } from "../../sdk/assemblyscript/assembly";
import { Entry, Table } from "./table";

// What an entry costs beyond its key, value and content type: the objects of the
// heap and the etag.
const OVERHEAD: i64 = 224;

export class MemoryStore extends Store {
  private table: Table = new Table();
  private lastETag: u64 = 0; // random at the start, so that etags do not repeat after a reload
  private sorted: Entry[] | null = null; // by key; null = to be sorted again
  private swept: i32 = 0; // the slot that idle looks at next
  private cursor: ArrayBuffer = new ArrayBuffer(4);
  private bytes: i64 = 0; // of all entries
  private most: i64 = 32 << 20; // the property maxBytes

  init(properties: Batch, resp: Response): Code {
    this.lastETag = random64();
    const most = properties.metadata.get("maxBytes");
    if (most) this.most = number(most);
    if (this.most >= 65536) return Code.OK;
    resp.message = "the property maxBytes is not a number of bytes of at least 65536";
    return Code.InvalidArgument;
  }

  get(req: Request, resp: Response): Code {
    const e = this.live(req.key);
    if (!e) return Code.NotFound;
    fill(resp, e);
    return Code.OK;
  }

  set(req: Request, resp: Response): Code {
    if (!this.allowed(req, req.firstWrite)) return Code.ETagMismatch;
    const code = this.room(req, resp);
    if (code != Code.OK) return code;
    const e = this.entry(req);
    this.put(e);
    resp.etag = e.etag;
    return Code.OK;
  }

  delete(req: Request, resp: Response): Code {
    if (!this.allowed(req, false)) return Code.ETagMismatch;
    this.take(req.key);
    return Code.OK;
  }

  // transact applies the operations one after the other and takes them back in
  // reverse if one fails.
  transact(ops: Batch, resp: Response): Code {
    const was: (Entry | null)[] = [], keys: ArrayBuffer[] = [];
    for (let i = 0; i < ops.length; i++) {
      const req = ops.at(i);
      let code = Code.ETagMismatch;
      if (this.allowed(req, req.firstWrite && !req.isDelete)) code = req.isDelete ? Code.OK : this.room(req, resp);
      if (code != Code.OK) {
        for (let k = was.length - 1; k >= 0; k--) {
          const old = was[k];
          if (old) this.put(old);
          else this.remove(keys[k]);
        }
        ops.failed = i;
        return code;
      }
      if (req.isDelete) {
        keys.push(req.key.copy());
        was.push(this.take(req.key));
      } else {
        const e = this.entry(req);
        keys.push(e.key);
        was.push(this.put(e));
      }
    }
    return Code.OK;
  }

  keys(req: Request, page: Page, resp: Response): Code {
    const all = this.inOrder();
    for (let i = after(all, req.value.length ? req.value : req.key, req.value.length > 0); i < all.length; i++) {
      const e = all[i];
      if (!startsWith(e.key, req.key)) break; // keys with one prefix are neighbours
      if (expired(e)) continue;
      if (<u32>page.length >= max<u32>(req.limit, 1)) {
        page.next = this.last;
        return Code.OK;
      }
      page.addKey(e.key);
      this.last = e.key;
    }
    return Code.OK;
  }
  private last: ArrayBuffer | null = null; // the last key of the page that is being filled

  // The cursor of an export is the number of the next slot.
  export(req: Request, page: Page, resp: Response): Code {
    const slots = this.table.slots, item = new Response();
    let slot: u32 = req.value.length == 4 ? load<u32>(req.value.at) : 0;
    for (let sent: u64 = 0; slot < <u32>slots.length && (page.length == 0 || sent < req.limit); slot++) {
      let e = slots[slot];
      while (e) {
        if (!expired(e)) {
          fill(item, e);
          page.addEntry(e.key, item);
          sent += e.key.byteLength + e.value.byteLength;
        }
        e = e.next;
      }
    }
    if (slot < <u32>slots.length) {
      store<u32>(changetype<usize>(this.cursor), slot);
      page.next = this.cursor;
    }
    return Code.OK;
  }

  import(items: Batch, resp: Response): Code {
    for (let i = 0; i < items.length; i++) {
      const it = items.at(i);
      if (it.ttlMs && <i64>it.ttlMs <= now()) continue;
      const code = this.room(it, resp);
      if (code != Code.OK) return code;
      this.put(new Entry(it.key.copy(), it.key.hash(), it.value.copy(), it.etag.copy(), optional(it.contentType), <i64>it.ttlMs));
    }
    return Code.OK;
  }

  // idle removes expired entries from a part of the table at a time.
  idle(): void {
    const slots = this.table.slots;
    for (let i = 0; i < 1024 && i < slots.length; i++) {
      const at = this.swept++ & (slots.length - 1);
      for (let e = slots[at]; e; ) {
        const next = e.next;
        if (expired(e)) this.remove(e.key);
        e = next;
      }
    }
  }

  private live(key: Bytes): Entry | null {
    const e = this.table.find(key);
    return e && expired(e) ? null : e;
  }

  // allowed checks the rules of etags and first-write.
  private allowed(req: Request, create: bool): bool {
    if (!req.etag.length && !create) return true;
    const e = this.live(req.key);
    return req.etag.length ? e != null && req.etag.equals(e.etag) : e == null;
  }

  private entry(req: Request): Entry {
    const etag = hex64(++this.lastETag);
    return new Entry(req.key.copy(), req.key.hash(), req.value.copy(), etag, optional(req.contentType), req.ttlMs ? now() + <i64>req.ttlMs : 0);
  }

  private put(e: Entry): Entry | null {
    const old = this.table.put(e);
    this.bytes += cost(e) - (old ? cost(old) : 0);
    this.sorted = null;
    return old;
  }

  private take(key: Bytes): Entry | null {
    const e = this.table.find(key);
    return e ? this.remove(e.key) : null;
  }

  private remove(key: ArrayBuffer): Entry | null {
    const e = this.table.take(key);
    if (e) {
      this.sorted = null;
      this.bytes -= cost(e);
    }
    return e;
  }

  // room refuses a write that does not fit, before anything is allocated for it:
  // an allocation that fails would end the instance and all of its data.
  private room(req: Request, resp: Response): Code {
    const size = OVERHEAD + req.key.length + req.value.length + req.contentType.length;
    if (size > this.most / 4) {
      resp.message = "the value is larger than a quarter of maxBytes";
      return Code.TooLarge;
    }
    if (this.bytes + size <= this.most) return Code.OK;
    const old = this.table.find(req.key);
    if (this.bytes + size - (old ? cost(old) : 0) <= this.most) return Code.OK;
    this.idle(); // the expired may be enough
    if (this.bytes + size <= this.most) return Code.OK;
    resp.message = "the store is full: it keeps as much as maxBytes allows";
    return Code.Quota;
  }

  private inOrder(): Entry[] {
    let all = this.sorted;
    if (all) return all;
    all = new Array<Entry>();
    const slots = this.table.slots;
    for (let i = 0; i < slots.length; i++) {
      let e = slots[i];
      while (e) {
        all.push(e);
        e = e.next;
      }
    }
    all.sort((a, b) => compare(a.key, b.key));
    this.sorted = all;
    return all;
  }
}

function expired(e: Entry): bool {
  return e.expiresMs != 0 && e.expiresMs <= now();
}

function cost(e: Entry): i64 {
  const type = e.contentType;
  return OVERHEAD + e.key.byteLength + e.value.byteLength + (type ? type.byteLength : 0);
}

function optional(b: Bytes): ArrayBuffer | null {
  return b.length ? b.copy() : null;
}

function fill(resp: Response, e: Entry): void {
  resp.value = e.value;
  resp.etag = e.etag;
  resp.contentType = e.contentType;
  resp.expiresMs = e.expiresMs;
}

// number reads decimal digits; 0 for anything else.
function number(text: string): i64 {
  let n: i64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (<u32>digit > 9 || n > 1 << 40) return 0;
    n = n * 10 + digit;
  }
  return n;
}

// after is the index of the first entry at or, if beyond, after the key.
function after(all: Entry[], key: Bytes, beyond: bool): i32 {
  let low = 0, high = all.length;
  while (low < high) {
    const mid = (low + high) >>> 1, order = compareBytes(all[mid].key, key);
    if (order < 0 || (beyond && order == 0)) low = mid + 1;
    else high = mid;
  }
  return low;
}
