import { Bytes, hash } from "../../sdk/assemblyscript/assembly";

/** A stored value. Entries never change: a write makes a new one. */
@final
export class Entry {
  next: Entry | null = null;
  constructor(
    public key: ArrayBuffer,
    public hash: u32,
    public value: ArrayBuffer,
    public etag: ArrayBuffer,
    public contentType: ArrayBuffer | null,
    public expiresMs: i64, // Unix milliseconds; 0 = never
  ) {}
}

/** A hash table with chains. */
@final
export class Table {
  slots: StaticArray<Entry | null> = new StaticArray<Entry | null>(1024);
  length: i32 = 0;

  find(key: Bytes): Entry | null {
    const h = key.hash();
    let e = this.slots[h & (this.slots.length - 1)];
    while (e && (e.hash != h || !key.equals(e.key))) e = e.next;
    return e;
  }

  /** Puts an entry where one with its key is, or adds it; the old one is returned. */
  put(entry: Entry): Entry | null {
    const old = this.take(entry.key);
    const at = entry.hash & (this.slots.length - 1);
    entry.next = this.slots[at];
    this.slots[at] = entry;
    if (++this.length > this.slots.length) this.grow();
    return old;
  }

  /** Takes the entry of a key out. */
  take(key: ArrayBuffer): Entry | null {
    const h = hash(key), at = h & (this.slots.length - 1);
    let before: Entry | null = null, e = this.slots[at];
    while (e && (e.hash != h || !same(e.key, key))) {
      before = e;
      e = e.next;
    }
    if (!e) return null;
    if (before) before.next = e.next;
    else this.slots[at] = e.next;
    e.next = null;
    this.length--;
    return e;
  }

  private grow(): void {
    const old = this.slots, bigger = new StaticArray<Entry | null>(old.length * 2);
    for (let i = 0; i < old.length; i++) {
      for (let e = old[i]; e; ) {
        const next = e.next, at = e.hash & (bigger.length - 1);
        e.next = bigger[at];
        bigger[at] = e;
        e = next;
      }
    }
    this.slots = bigger;
  }
}

function same(a: ArrayBuffer, b: ArrayBuffer): bool {
  return a.byteLength == b.byteLength && memory.compare(changetype<usize>(a), changetype<usize>(b), a.byteLength) == 0;
}
