// The C kit: exports, records, memory. See wasmstate.h.
#include "wasmstate.h"

// ---- bytes

static uint32_t load32(const uint8_t *p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  __builtin_memcpy(&v, p, 8);
  return v;
}

static void store32(uint8_t *p, uint32_t v) { __builtin_memcpy(p, &v, 4); }
static void store64(uint8_t *p, uint64_t v) { __builtin_memcpy(p, &v, 8); }

int ws_equal(ws_bytes a, ws_bytes b) {
  if (a.len != b.len) return 0;
  uint32_t i = 0;
  for (; i + 8 <= a.len; i += 8)
    if (load64(a.ptr + i) != load64(b.ptr + i)) return 0;
  for (; i < a.len; i++)
    if (a.ptr[i] != b.ptr[i]) return 0;
  return 1;
}

int ws_compare(ws_bytes a, ws_bytes b) {
  uint32_t n = a.len < b.len ? a.len : b.len;
  for (uint32_t i = 0; i < n; i++)
    if (a.ptr[i] != b.ptr[i]) return a.ptr[i] < b.ptr[i] ? -1 : 1;
  return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

void ws_copy(void *to, ws_bytes from) {
  uint8_t *out = to;
  uint32_t i = 0;
  if (from.len > 64) { // the instruction for it costs more than a few loads and stores
    __builtin_memcpy(to, from.ptr, from.len);
    return;
  }
  for (; i + 8 <= from.len; i += 8) store64(out + i, load64(from.ptr + i));
  for (; i < from.len; i++) *(volatile uint8_t *)(out + i) = from.ptr[i]; // volatile: or else it is that instruction again
}

ws_bytes ws_text(const char *s) {
  uint32_t n = 0;
  while (s[n]) n++;
  return (ws_bytes){(const uint8_t *)s, n};
}

// ---- records

// slice reads the offset and length at rec[at]; false if they leave the buffer.
static int slice(const uint8_t *buf, uint32_t size, const uint8_t *rec, uint32_t at, ws_bytes *out) {
  uint64_t off = load32(rec + at), len = load32(rec + at + 4);
  *out = (ws_bytes){0, 0};
  if (len == 0) return 1;
  if (off + len > size) return 0;
  *out = (ws_bytes){buf + off, (uint32_t)len};
  return 1;
}

// record checks that a record of at least n bytes begins at buf[at].
static int record(const uint8_t *buf, uint64_t size, uint64_t at, uint64_t n) {
  if (at > size || size - at < n) return 0;
  uint64_t says = load32(buf + at);
  return says >= n && says <= size - at;
}

// pairs checks that metadata is nothing but whole pairs.
static int pairs(ws_bytes m) {
  ws_bytes name, value;
  while (ws_next_pair(&m, &name, &value)) {
  }
  return m.len == 0;
}

int ws_read_request(const uint8_t *buf, uint32_t size, uint32_t at, ws_request *r) {
  if (!record(buf, size, at, WS_REQUEST_SIZE)) return 0;
  const uint8_t *rec = buf + at;
  r->flags = load32(rec + 4);
  r->ttl_ms = load64(rec + 48);
  r->deadline_ms = load64(rec + 56);
  r->limit = load32(rec + 64);
  return slice(buf, size, rec, 8, &r->key) & slice(buf, size, rec, 16, &r->value) & slice(buf, size, rec, 24, &r->etag) &
         slice(buf, size, rec, 32, &r->type) & slice(buf, size, rec, 40, &r->metadata) && (!r->metadata.len || pairs(r->metadata));
}

int ws_read_batch(const uint8_t *buf, uint32_t size, ws_batch *b) {
  if (!record(buf, size, 0, WS_BATCH_SIZE)) return 0;
  b->base = buf;
  b->size = size;
  b->flags = load32(buf + 4);
  b->items = load32(buf + 8);
  b->count = load32(buf + 12);
  b->step = load32(buf + 16);
  b->deadline_ms = load64(buf + 24);
  if (b->count && (b->step < WS_REQUEST_SIZE || b->items + (uint64_t)b->count * b->step > size)) return 0;
  return slice(buf, size, buf, 32, &b->metadata) & slice(buf, size, buf, 40, &b->name) && pairs(b->metadata);
}

int ws_item(const ws_batch *b, uint32_t i, ws_request *r) {
  return ws_read_request(b->base, b->size, b->items + i * b->step, r);
}

int ws_next_pair(ws_bytes *m, ws_bytes *name, ws_bytes *value) {
  if (m->len < 8) return 0;
  uint64_t n = load32(m->ptr), v = load32(m->ptr + 4);
  if (8 + n + v > m->len) return 0;
  *name = (ws_bytes){m->ptr + 8, (uint32_t)n};
  *value = (ws_bytes){m->ptr + 8 + n, (uint32_t)v};
  m->ptr += 8 + n + v;
  m->len -= (uint32_t)(8 + n + v);
  return 1;
}

static void put_bytes(uint8_t *p, ws_bytes b) {
  store32(p, b.len ? (uint32_t)(uintptr_t)b.ptr : 0);
  store32(p + 4, b.len);
}

void ws_write_response(uint8_t *out, const ws_response *r, uint32_t items, uint32_t count) {
  store32(out, WS_RESPONSE_SIZE);
  store32(out + 4, r->code);
  put_bytes(out + 8, r->value);
  put_bytes(out + 16, r->etag);
  put_bytes(out + 24, r->type);
  put_bytes(out + 32, r->message);
  store64(out + 40, (uint64_t)r->expires_ms);
  store32(out + 48, count ? items : 0);
  store32(out + 52, count);
  store32(out + 56, count ? WS_RESPONSE_SIZE : 0);
  store32(out + 60, 0);
  put_bytes(out + 64, r->key);
}

#ifdef __wasm__

// ---- host functions

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
IMPORT("wasmstate_log", "log") void host_log(uint32_t level, const uint8_t *p, uint32_t n);
IMPORT("wasmstate_log", "enabled") uint32_t host_log_enabled(uint32_t level);
IMPORT("wasmstate_clock", "now") int64_t host_now(void);
IMPORT("wasmstate_random", "fill") uint64_t host_random(void *p, uint32_t n);

void ws_log(int level, ws_bytes line) { host_log((uint32_t)level, line.ptr, line.len); }
int ws_log_enabled(int level) { return (int)host_log_enabled((uint32_t)level); }
int64_t ws_now_ms(void) { return host_now() / 1000000; }
void ws_random(void *p, uint32_t n) {
  if (host_random(p, n) >> 32 != WS_OK) __builtin_trap();
}

// ---- memory: size classes of powers of two from 32 bytes, with free lists

extern uint8_t __heap_base;
static uint32_t top;
static void *freed[32];

static uint32_t class_of(uint32_t n) { return n <= 32 ? 5 : 32 - (uint32_t)__builtin_clz(n - 1); }

void *ws_alloc(uint32_t n) {
  if (n > 1u << 30) return 0;
  uint32_t c = class_of(n);
  void *p = freed[c];
  if (p) {
    freed[c] = *(void **)p;
    return p;
  }
  if (!top) top = ((uint32_t)&__heap_base + 15) & ~15u;
  // The address space ends at 4 GiB: 64-bit sums cannot wrap.
  uint64_t end = (uint64_t)top + (1u << c), have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (size_t)-1) return 0;
  p = (void *)top;
  top = (uint32_t)end;
  return p;
}

void ws_free(void *p, uint32_t n) {
  if (!p) return;
  uint32_t c = class_of(n);
  *(void **)p = freed[c];
  freed[c] = p;
}

// Blocks that are given back when the next call begins.
typedef struct held {
  struct held *next;
  uint32_t size;
} held;
static held *holding;

void *ws_hold(uint32_t n) {
  if (n > 1u << 29) return 0;
  held *h = ws_alloc(n + sizeof(held));
  if (!h) return 0;
  *h = (held){holding, n + sizeof(held)};
  holding = h;
  return h + 1;
}

static void release(void) {
  while (holding) {
    held *h = holding;
    holding = h->next;
    ws_free(h, h->size);
  }
}

// ---- exports

#define EXPORT(name) __attribute__((export_name(#name))) uint64_t name
static uint8_t *buffer;
static uint32_t buffer_size;

static uint64_t pack(ws_code code, uint32_t len) { return (uint64_t)code << 32 | len; }

EXPORT(ws_open)(uint32_t abi, uint32_t want) {
  if (abi != 1) return 0;
  if (want > buffer_size) {
    uint8_t *p = ws_alloc(want);
    if (!p) return 0;
    ws_free(buffer, buffer_size);
    buffer = p;
    buffer_size = want;
  }
  return (uint64_t)(uint32_t)buffer << 32 | buffer_size;
}

// clear zeroes a response by stores; {0} becomes the instruction memory.fill,
// which costs as much as the rest of a get.
static void clear(ws_response *r) {
  volatile uint64_t *p = (volatile uint64_t *)r;
  for (uint32_t i = 0; i < sizeof *r / 8; i++) p[i] = 0;
}

// answer writes the head record, unless there is nothing in it.
static uint64_t answer(ws_code code, const ws_response *r) {
  ws_write_response(buffer, r, 0, 0);
  return pack(code, WS_RESPONSE_SIZE);
}

static uint64_t refuse(ws_code code, const char *why) {
  ws_response r;
  clear(&r);
  r.message = ws_text(why);
  return answer(code, &r);
}

static int understood(const ws_request *req) { return !(req->flags & 0xffff & ~(uint32_t)WS_KNOWN_FLAGS); }

typedef ws_code (*operation)(const ws_request *, ws_response *);

static uint64_t single(uint32_t len, operation op) {
  ws_request req;
  ws_response resp;
  if (holding) release();
  if (!ws_read_request(buffer, len, 0, &req)) return refuse(WS_INVALID_ARGUMENT, "malformed request");
  if (!understood(&req)) return refuse(WS_UNSUPPORTED, "unknown flag");
  clear(&resp);
  ws_code code = op(&req, &resp);
  return answer(code, &resp);
}

EXPORT(ws_get)(uint32_t len) { return single(len, ws_the_store.get); }
EXPORT(ws_set)(uint32_t len) { return single(len, ws_the_store.set); }
EXPORT(ws_delete)(uint32_t len) { return single(len, ws_the_store.del); }

// Item lists are reused from call to call.
struct ws_items {
  uint8_t *at;
  uint32_t count, size;
};
static ws_items list;

int ws_add(ws_items *items, const ws_response *item) {
  uint32_t end = (items->count + 1) * WS_RESPONSE_SIZE;
  if (end > items->size) {
    uint32_t size = items->size ? items->size * 2 : 4096;
    uint8_t *p = ws_alloc(size);
    if (!p) return 0;
    for (uint32_t i = 0; i < items->count * WS_RESPONSE_SIZE; i += 8) store64(p + i, load64(items->at + i));
    ws_free(items->at, items->size);
    items->at = p;
    items->size = size;
  }
  ws_write_response(items->at + items->count++ * WS_RESPONSE_SIZE, item, 0, 0);
  return 1;
}

static uint64_t answer_items(ws_code code, const ws_response *head) {
  if (code != WS_OK) return answer(code, head);
  ws_write_response(buffer, head, (uint32_t)list.at, list.count);
  return pack(code, WS_RESPONSE_SIZE);
}

static uint64_t each(uint32_t len, int writes) {
  ws_batch batch;
  ws_response head;
  release();
  if (!ws_read_batch(buffer, len, &batch)) return refuse(WS_INVALID_ARGUMENT, "malformed batch");
  if (batch.flags & 0xffff) return refuse(WS_UNSUPPORTED, "unknown flag");
  list.count = 0;
  for (uint32_t i = 0; i < batch.count; i++) {
    ws_request req;
    ws_response resp;
    clear(&resp);
    if (!ws_item(&batch, i, &req)) return refuse(WS_INVALID_ARGUMENT, "malformed item");
    operation op = !writes ? ws_the_store.get : req.flags & WS_DELETE ? ws_the_store.del : ws_the_store.set;
    resp.code = understood(&req) ? op(&req, &resp) : WS_UNSUPPORTED;
    if (writes && resp.etag.len) { // a later item may free the entry that this one points into
      uint8_t *copy = ws_hold(resp.etag.len);
      if (!copy) return refuse(WS_QUOTA, "out of memory");
      ws_copy(copy, resp.etag);
      resp.etag.ptr = copy;
    }
    if (!ws_add(&list, &resp)) return refuse(WS_QUOTA, "out of memory");
  }
  clear(&head);
  return answer_items(WS_OK, &head);
}

EXPORT(ws_bulk_get)(uint32_t len) { return each(len, 0); }
EXPORT(ws_bulk_write)(uint32_t len) { return each(len, 1); }

EXPORT(ws_transact)(uint32_t len) {
  ws_batch batch;
  ws_response resp;
  uint32_t failed = WS_NO_OP;
  release();
  clear(&resp);
  // A failure without a record blames no operation [op.transact-index].
  if (!ws_the_store.transact) return pack(WS_UNSUPPORTED, 0);
  if (!ws_read_batch(buffer, len, &batch)) return pack(WS_INVALID_ARGUMENT, 0);
  if (batch.flags & 0xffff) return pack(WS_UNSUPPORTED, 0);
  ws_code code = WS_OK;
  for (uint32_t i = 0; code == WS_OK && i < batch.count; i++) {
    ws_request req;
    if (!ws_item(&batch, i, &req)) return pack(WS_INVALID_ARGUMENT, 0);
    if (!understood(&req)) {
      code = WS_UNSUPPORTED;
      resp.message = ws_text("unknown flag");
      failed = i;
    }
  }
  if (code == WS_OK) code = ws_the_store.transact(&batch, &failed, &resp);
  if (code != WS_OK && failed == WS_NO_OP) return pack(code, 0);
  resp.code = code == WS_OK ? 0 : (ws_code)failed;
  return answer(code, &resp);
}

typedef ws_code (*listing)(const ws_request *, ws_items *, ws_response *);

static uint64_t page(uint32_t len, listing op) {
  ws_request req;
  ws_response resp;
  release();
  clear(&resp);
  if (!op) return refuse(WS_UNSUPPORTED, "not offered");
  if (!ws_read_request(buffer, len, 0, &req)) return refuse(WS_INVALID_ARGUMENT, "malformed request");
  if (!understood(&req)) return refuse(WS_UNSUPPORTED, "unknown flag");
  list.count = 0;
  ws_code code = op(&req, &list, &resp);
  return answer_items(code, &resp);
}

EXPORT(ws_keys)(uint32_t len) { return page(len, ws_the_store.keys); }
EXPORT(ws_export)(uint32_t len) { return page(len, ws_the_store.export_); }

static uint64_t batched(uint32_t len, ws_code (*op)(const ws_batch *, ws_response *)) {
  ws_batch batch;
  ws_response resp;
  release();
  clear(&resp);
  if (!ws_read_batch(buffer, len, &batch)) return refuse(WS_INVALID_ARGUMENT, "malformed batch");
  if (batch.flags & 0xffff) return refuse(WS_UNSUPPORTED, "unknown flag");
  ws_code code = op(&batch, &resp);
  return answer(code, &resp);
}

EXPORT(ws_import)(uint32_t len) {
  return ws_the_store.import ? batched(len, ws_the_store.import) : refuse(WS_UNSUPPORTED, "not offered");
}

EXPORT(ws_init)(uint32_t len) { return ws_the_store.init ? batched(len, ws_the_store.init) : pack(WS_OK, 0); }

EXPORT(ws_ping)(uint32_t len) {
  (void)len;
  ws_response resp;
  release();
  clear(&resp);
  ws_code code = ws_the_store.ping ? ws_the_store.ping(&resp) : WS_OK;
  return answer(code, &resp);
}

EXPORT(ws_idle)(uint32_t len) {
  (void)len;
  if (ws_the_store.idle) ws_the_store.idle();
  return pack(WS_OK, 0);
}

EXPORT(ws_close)(uint32_t len) {
  (void)len;
  if (ws_the_store.close) ws_the_store.close();
  return pack(WS_OK, 0);
}

#endif
