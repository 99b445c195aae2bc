// A small, well-behaved store: get, set and delete with etags. The tests of the
// engine use it as the bystander that must not notice the others.
#include <stdint.h>
#include <stddef.h>

#define EXPORT(name) __attribute__((export_name(#name)))
typedef uint8_t u8; typedef uint32_t u32; typedef uint64_t u64;

extern u8 __heap_base;
static u32 top;

static u32 pages(void) { return __builtin_wasm_memory_size(0); }

// Size classes of powers of two, from 32 bytes; freed blocks are reused.
static u32 freed[32];

static u32 class_of(u32 n) {
  u32 c = 5;
  while ((1u << c) < n) c++;
  return c;
}

static u8 *take(u32 n) {
  u32 c = class_of(n);
  if (freed[c]) {
    u32 p = freed[c];
    freed[c] = *(u32 *)p;
    return (u8 *)p;
  }
  if (!top) top = ((u32)&__heap_base + 15) & ~15u;
  u32 end = top + (1u << c);
  if (end > pages() * 65536u && __builtin_wasm_memory_grow(0, (end - pages() * 65536u + 65535) / 65536) == (size_t)-1) return 0;
  u8 *p = (u8 *)top;
  top = end;
  return p;
}

static void give(u8 *p, u32 n) {
  u32 c = class_of(n);
  *(u32 *)p = freed[c];
  freed[c] = (u32)p;
}

struct node { struct node *next; u32 klen, vlen, etag; };
#define SLOTS 65536 // hash gives 16 bits
static struct node *slots[SLOTS];
static u32 counter;
static u8 *buffer; static u32 size;

static u64 pack(u32 code, u32 n) { return (u64)code << 32 | n; }
static u32 at(u32 off) { return *(u32 *)(buffer + off); }

EXPORT(ws_open) u64 ws_open(u32 abi, u32 want) {
  if (abi != 1) return 0;
  if (want <= size) return (u64)(u32)buffer << 32 | size;
  u8 *p = take(want);
  if (!p) return 0;
  if (buffer) give(buffer, size);
  buffer = p; size = want;
  return (u64)(u32)p << 32 | want;
}

// Eight bytes at a time; unaligned loads are cheap in WebAssembly.
static u64 word(const u8 *p) { u64 v; __builtin_memcpy(&v, p, 8); return v; }

static u32 hash(const u8 *k, u32 n) {
  u64 h = n * 0x9e3779b97f4a7c15u;
  u32 i = 0;
  for (; i + 8 <= n; i += 8) h = (h ^ word(k + i)) * 0x9e3779b97f4a7c15u, h ^= h >> 32;
  for (; i < n; i++) h = (h ^ k[i]) * 0x9e3779b97f4a7c15u;
  return (u32)(((h ^ h >> 32) * 0x9e3779b97f4a7c15u) >> 48); // the top bits depend on all others
}

static int equal(const u8 *a, const u8 *b, u32 n) {
  u32 i = 0;
  for (; i + 8 <= n; i += 8) if (word(a + i) != word(b + i)) return 0;
  for (; i < n; i++) if (a[i] != b[i]) return 0;
  return 1;
}

static struct node **find(const u8 *k, u32 n) {
  struct node **p = &slots[hash(k, n)];
  for (; *p; p = &(*p)->next) {
    if ((*p)->klen == n && equal((u8 *)(*p + 1), k, n)) break;
  }
  return p;
}

static u32 answer(struct node *n, int value) {
  volatile u64 *z = (u64 *)buffer; // not memset: a fill costs more than nine stores
  for (u32 i = 0; i < 9; i++) z[i] = 0;
  u32 *r = (u32 *)buffer;
  r[0] = 72;
  if (value) { r[2] = (u32)(n + 1) + n->klen; r[3] = n->vlen; }
  r[4] = (u32)&n->etag; r[5] = 4;
  return 72;
}

// The etag is the four bytes of a counter, with the top bit of each byte set
// aside so that it is never empty.
static int wrong_etag(struct node *n) {
  u32 len = at(28);
  if (!len) return 0;
  return !n || len != 4 || *(u32 *)(buffer + at(24)) != n->etag;
}

EXPORT(ws_get) u64 ws_get(u32 len) {
  struct node *n = *find(buffer + at(8), at(12));
  if (!n) return pack(1, 0);
  return pack(0, answer(n, 1));
}

EXPORT(ws_set) u64 ws_set(u32 len) {
  u8 *k = buffer + at(8); u32 klen = at(12), vlen = at(20);
  struct node **p = find(k, klen), *old = *p;
  if (wrong_etag(old)) return pack(2, 0);
  if (!at(28) && (at(4) & 1) && old) return pack(2, 0);
  u32 need = sizeof(struct node) + klen + vlen;
  struct node *n = old;
  if (!old || class_of(need) != class_of(sizeof(struct node) + old->klen + old->vlen)) {
    n = (struct node *)take(need);
    if (!n) return pack(7, 0);
    n->next = old ? old->next : 0;
    n->klen = klen;
    __builtin_memcpy(n + 1, k, klen);
    *p = n;
    if (old) give((u8 *)old, sizeof(struct node) + old->klen + old->vlen);
  }
  n->vlen = vlen;
  n->etag = ++counter;
  __builtin_memcpy((u8 *)(n + 1) + klen, buffer + at(16), vlen);
  return pack(0, answer(n, 0));
}

EXPORT(ws_delete) u64 ws_delete(u32 len) {
  struct node **p = find(buffer + at(8), at(12)), *n = *p;
  if (wrong_etag(n)) return pack(2, 0);
  if (n) {
    *p = n->next;
    give((u8 *)n, sizeof(struct node) + n->klen + n->vlen);
  }
  return pack(0, 0);
}
