// tiered: a small cache of hot keys in front of a kv bucket. Every write goes to
// the bucket, which compares etags; the cache only ever answers reads.
#include "../sdk/c/wasmstate_host.h"

// A cached value: key, value, etag and content type follow. A slot holds one of
// them, so that a new key takes the place of an old one with the same slot.
typedef struct {
  uint32_t hash, klen, vlen, elen, tlen;
  int64_t expires;  // of the value, Unix milliseconds; 0 = never
  int64_t stale_at; // when it is read again; 0 = never
} entry;

enum {
  LARGEST = 64 << 10, // bytes of a value that is cached
  MOST = 16 << 20,    // bytes of all cached values
};

static entry **slots;
static uint32_t slot_count, used, hand; // bytes of all entries; the slot that makes room next
static int64_t max_age = 1000; // milliseconds; 0 = for ever
static ws_bucket data;
static uint64_t hits, misses; // since the metrics were told

static uint8_t *bytes_of(entry *e) { return (uint8_t *)(e + 1); }
static ws_bytes key_of(entry *e) { return (ws_bytes){bytes_of(e), e->klen}; }
static ws_bytes value_of(entry *e) { return (ws_bytes){bytes_of(e) + e->klen, e->vlen}; }
static ws_bytes etag_of(entry *e) { return (ws_bytes){bytes_of(e) + e->klen + e->vlen, e->elen}; }
static ws_bytes type_of(entry *e) { return (ws_bytes){bytes_of(e) + e->klen + e->vlen + e->elen, e->tlen}; }
static uint32_t size_of(entry *e) { return sizeof(entry) + e->klen + e->vlen + e->elen + e->tlen; }

static uint32_t hash_of(ws_bytes k) {
  uint32_t h = 2166136261u;
  for (uint32_t i = 0; i < k.len; i++) h = (h ^ k.ptr[i]) * 16777619u;
  return h ^ h >> 15;
}

static entry **slot_of(uint32_t hash) { return &slots[hash & (slot_count - 1)]; }

static void drop(entry **at) {
  if (!*at) return;
  used -= size_of(*at);
  ws_free(*at, size_of(*at));
  *at = 0;
}

static void forget(ws_bytes key) {
  uint32_t h = hash_of(key);
  entry **at = slot_of(h);
  if (*at && (*at)->hash == h && ws_equal(key_of(*at), key)) drop(at);
}

// keep caches what the bucket holds for a key.
static void keep(ws_bytes key, ws_bytes value, ws_bytes etag, ws_bytes type, int64_t expires) {
  uint32_t h = hash_of(key);
  entry **at = slot_of(h), *e;
  drop(at);
  uint32_t size = sizeof(entry) + key.len + value.len + etag.len + type.len;
  if (!etag.len || value.len > LARGEST || size > 2 * LARGEST) return;
  while (used + size > MOST) drop(&slots[hand++ & (slot_count - 1)]);
  if (!(e = ws_alloc(size))) return;
  used += size;
  *e = (entry){h, key.len, value.len, etag.len, type.len, expires, max_age ? ws_now_ms() + max_age : 0};
  ws_copy(bytes_of(e), key);
  ws_copy(bytes_of(e) + key.len, value);
  ws_copy(bytes_of(e) + key.len + value.len, etag);
  ws_copy(bytes_of(e) + key.len + value.len + etag.len, type);
  *at = e;
}

// held copies bytes to where they stay until the next operation: an entry may
// be replaced by a later item of the same bulk get.
static int held(ws_bytes *b) {
  if (!b->len) return 1;
  uint8_t *copy = ws_hold(b->len);
  if (!copy) return 0;
  ws_copy(copy, *b);
  b->ptr = copy;
  return 1;
}

static ws_code get(const ws_request *req, ws_response *resp) {
  uint32_t h = hash_of(req->key);
  entry *e = *slot_of(h);
  if (e && e->hash == h && !(req->flags & WS_STRONG) && ws_equal(key_of(e), req->key)) {
    int64_t now = e->expires || e->stale_at ? ws_now_ms() : 0;
    if ((!e->expires || e->expires > now) && (!e->stale_at || e->stale_at > now)) {
      resp->value = value_of(e);
      resp->etag = etag_of(e);
      resp->type = type_of(e);
      resp->expires_ms = e->expires;
      hits++;
      return held(&resp->value) && held(&resp->etag) && held(&resp->type) ? WS_OK : WS_QUOTA;
    }
  }
  misses++;
  ws_code code = ws_kv_get(data, req, resp);
  if (code == WS_OK)
    keep(req->key, resp->value, resp->etag, resp->type, resp->expires_ms);
  else
    forget(req->key);
  return code;
}

// A write forgets the key first: if its outcome stays unknown, the next read
// asks the bucket. What was written is not kept, because the bucket says best
// when it expires.
static ws_code set(const ws_request *req, ws_response *resp) {
  forget(req->key);
  return ws_kv_set(data, req, resp);
}

static ws_code del(const ws_request *req, ws_response *resp) {
  forget(req->key);
  return ws_kv_delete(data, req, resp);
}

static ws_code transact(const ws_batch *batch, uint32_t *failed, ws_response *resp) {
  ws_request *ops = batch->count < 1u << 20 ? ws_hold(batch->count * sizeof *ops) : 0;
  if (!ops) return WS_QUOTA;
  for (uint32_t i = 0; i < batch->count; i++) {
    if (!ws_item(batch, i, &ops[i])) __builtin_trap(); // the kit has looked at all of them
    forget(ops[i].key);
  }
  return ws_kv_transact(data, ops, batch->count, failed, resp);
}

static ws_code keys(const ws_request *req, ws_items *items, ws_response *resp) {
  ws_results page;
  ws_code code = ws_kv_keys(data, req, &page, resp);
  for (uint32_t i = 0; code == WS_OK && i < page.count; i++) {
    ws_response item;
    ws_result(&page, i, &item);
    if (!ws_add(items, &item)) code = WS_QUOTA;
  }
  return code;
}

// number reads a decimal number; -1 if it is none or too large.
static int64_t number(ws_bytes text) {
  int64_t n = text.len ? 0 : -1;
  for (uint32_t i = 0; i < text.len && n >= 0; i++) n = text.ptr[i] < '0' || text.ptr[i] > '9' || n > 1 << 26 ? -1 : n * 10 + text.ptr[i] - '0';
  return n;
}

static ws_code init(const ws_batch *props, ws_response *resp) {
  ws_bytes left = props->metadata, name, value;
  int64_t entries = 1024;
  while (ws_next_pair(&left, &name, &value)) {
    if (ws_equal(name, ws_text("entries"))) entries = number(value);
    if (ws_equal(name, ws_text("maxAgeMilliseconds"))) max_age = number(value);
  }
  if (entries < 1 || entries > 1 << 20 || max_age < 0) {
    resp->message = ws_text("entries is a number from 1 to 1048576, maxAgeMilliseconds one from 0");
    return WS_INVALID_ARGUMENT;
  }
  for (slot_count = 1; slot_count < entries; slot_count *= 2) {
  }
  if (!(slots = ws_alloc(slot_count * sizeof *slots))) return WS_QUOTA;
  for (uint32_t i = 0; i < slot_count; i++) slots[i] = 0;
  ws_code code = ws_kv_bucket("data", &data);
  if (code != WS_OK) resp->message = ws_text("no bucket called data: sandbox: {kv: {data: COMPONENT}}");
  if (code == WS_OK && (ws_kv_features(data) & (WS_KV_ETAG | WS_KV_KEYS)) != (WS_KV_ETAG | WS_KV_KEYS)) {
    resp->message = ws_text("the component behind the bucket data has no etags or no listing");
    code = WS_UNSUPPORTED;
  }
  return code;
}

// idle tells the metrics, which are optional, off the path of requests.
static void idle(void) {
  if (hits && ws_metric_add("hits", hits) == WS_OK) hits = 0;
  if (misses && ws_metric_add("misses", misses) == WS_OK) misses = 0;
}

const ws_store ws_the_store = {.init = init, .get = get, .set = set, .del = del, .transact = transact, .keys = keys, .idle = idle};
