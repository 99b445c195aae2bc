// memory: a store that keeps everything in the instance: a hash map with
// etags, expiry, transactions, ordered listing, and hand-over at a reload.
#include "../sdk/c/wasmstate.h"

typedef struct node {
  struct node *next;
  uint32_t hash, klen, vlen, elen, tlen;
  int64_t expires; // Unix milliseconds; 0 = never
  // followed by the key, the etag, the content type and the value
} node;

static node **slots;
static uint32_t slot_count, live;
static uint64_t etag_base; // random at the start of the instance, +1 for each write

static uint8_t *bytes_of(node *n) { return (uint8_t *)(n + 1); }
static ws_bytes key_of(node *n) { return (ws_bytes){bytes_of(n), n->klen}; }
static ws_bytes etag_of(node *n) { return (ws_bytes){bytes_of(n) + n->klen, n->elen}; }
static ws_bytes type_of(node *n) { return (ws_bytes){bytes_of(n) + n->klen + n->elen, n->tlen}; }
static ws_bytes value_of(node *n) { return (ws_bytes){bytes_of(n) + n->klen + n->elen + n->tlen, n->vlen}; }
static uint32_t size_of(node *n) { return sizeof(node) + n->klen + n->elen + n->tlen + n->vlen; }

static uint32_t hash_of(ws_bytes k) {
  const uint64_t mul = 0x9e3779b97f4a7c15u;
  uint64_t h = k.len * mul;
  uint32_t i = 0;
  for (; i + 8 <= k.len; i += 8) {
    uint64_t w;
    __builtin_memcpy(&w, k.ptr + i, 8);
    h = (h ^ w) * mul;
    h ^= h >> 32;
  }
  for (; i < k.len; i++) h = (h ^ k.ptr[i]) * mul;
  h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
  return (uint32_t)(h >> 32);
}

static node **find(ws_bytes key, uint32_t hash) {
  node **p = &slots[hash & (slot_count - 1)];
  while (*p && ((*p)->hash != hash || !ws_equal(key_of(*p), key))) p = &(*p)->next;
  return p;
}

static int expired(node *n) { return n->expires && n->expires <= ws_now_ms(); }

// grow doubles the table when it is full; without memory the chains get longer.
static void grow(void) {
  uint32_t count = slot_count * 2;
  node **bigger = ws_alloc(count * sizeof *bigger);
  if (!bigger) return;
  for (uint32_t i = 0; i < count; i++) bigger[i] = 0;
  for (uint32_t i = 0; i < slot_count; i++)
    for (node *n = slots[i], *next; n; n = next) {
      next = n->next;
      node **to = &bigger[n->hash & (count - 1)];
      n->next = *to;
      *to = n;
    }
  ws_free(slots, slot_count * sizeof *slots);
  slots = bigger;
  slot_count = count;
}

static node *make(ws_bytes key, uint32_t hash, ws_bytes etag, ws_bytes type, ws_bytes value, int64_t expires) {
  uint64_t size = sizeof(node) + (uint64_t)key.len + etag.len + type.len + value.len;
  if (size > 1u << 30) return 0;
  node *n = ws_alloc((uint32_t)size);
  if (!n) return 0;
  *n = (node){0, hash, key.len, value.len, etag.len, type.len, expires};
  ws_copy(bytes_of(n), key);
  ws_copy(bytes_of(n) + key.len, etag);
  ws_copy(bytes_of(n) + key.len + etag.len, type);
  ws_copy(bytes_of(n) + key.len + etag.len + type.len, value);
  return n;
}

static void drop(node *n) { ws_free(n, size_of(n)); }

// replace puts n (or nothing) where old (or nothing) is.
static void replace(node **at, node *old, node *n) {
  if (n) n->next = old ? old->next : 0;
  *at = n ? n : old->next;
  live += (n != 0) - (old != 0);
}

static ws_bytes next_etag(uint8_t out[16]) {
  uint64_t v = ++etag_base;
  for (int i = 15; i >= 0; i--, v >>= 4) out[i] = "0123456789abcdef"[v & 15];
  return (ws_bytes){out, 16};
}

// allowed checks the etag and first-write rules against what is stored.
static ws_code allowed(const ws_request *req, node *old) {
  if (old && expired(old)) old = 0;
  if (req->etag.len) return old && ws_equal(etag_of(old), req->etag) ? WS_OK : WS_ETAG_MISMATCH;
  return req->flags & WS_FIRST_WRITE && old ? WS_ETAG_MISMATCH : WS_OK;
}

// write makes the node of a request; NULL without memory.
static node *write_node(const ws_request *req, uint32_t hash) {
  uint8_t etag[16];
  int64_t expires = req->ttl_ms ? ws_now_ms() + (int64_t)req->ttl_ms : 0;
  return make(req->key, hash, next_etag(etag), req->type, req->value, expires);
}

static ws_code get(const ws_request *req, ws_response *resp) {
  node *n = *find(req->key, hash_of(req->key));
  if (!n || expired(n)) return WS_NOT_FOUND;
  resp->value = value_of(n);
  resp->etag = etag_of(n);
  resp->type = type_of(n);
  resp->expires_ms = n->expires;
  return WS_OK;
}

static ws_code set(const ws_request *req, ws_response *resp) {
  uint32_t hash = hash_of(req->key);
  node **at = find(req->key, hash), *old = *at;
  ws_code code = allowed(req, old);
  if (code != WS_OK) return code;
  node *n = write_node(req, hash);
  if (!n) {
    resp->message = ws_text("the store's memory is full");
    return WS_QUOTA;
  }
  replace(at, old, n);
  if (old) drop(old);
  if (live > slot_count) grow();
  resp->etag = etag_of(n);
  return WS_OK;
}

static ws_code del(const ws_request *req, ws_response *resp) {
  (void)resp;
  node **at = find(req->key, hash_of(req->key)), *old = *at;
  ws_code code = allowed(&(ws_request){.etag = req->etag}, old);
  if (code != WS_OK) return code;
  if (old) {
    replace(at, old, 0);
    drop(old);
  }
  return WS_OK;
}

// A transaction applies its operations one after the other and takes them back
// in reverse if one fails.
typedef struct {
  node *was, *is;
} change;

static ws_code transact(const ws_batch *ops, uint32_t *failed, ws_response *resp) {
  uint32_t bytes = ops->count * sizeof(change), i = 0;
  if (ops->count == 0) return WS_OK;
  change *log = ops->count < 1u << 24 ? ws_alloc(bytes) : 0;
  ws_code code = log ? WS_OK : WS_QUOTA;
  for (; code == WS_OK && i < ops->count; i++) {
    ws_request req;
    if (!ws_item(ops, i, &req)) __builtin_trap(); // the kit has looked at all of them
    uint32_t hash = hash_of(req.key);
    node **at = find(req.key, hash), *n = 0;
    if (req.flags & WS_DELETE) req.flags &= ~(uint32_t)WS_FIRST_WRITE;
    if ((code = allowed(&req, *at)) != WS_OK) break;
    if (!(req.flags & WS_DELETE) && !(n = write_node(&req, hash))) {
      code = WS_QUOTA;
      break;
    }
    log[i] = (change){*at, n};
    if (*at || n) replace(at, *at, n);
  }
  if (log) *failed = i;
  if (code == WS_OK) {
    for (uint32_t k = 0; k < ops->count; k++)
      if (log[k].was) drop(log[k].was);
    while (live > slot_count) {
      uint32_t before = slot_count;
      grow();
      if (slot_count == before) break;
    }
  } else {
    while (log && i-- > 0) {
      node *key = log[i].is ? log[i].is : log[i].was;
      if (!key) continue; // a delete of nothing
      node **at = find(key_of(key), key->hash);
      if (log[i].is) {
        replace(at, log[i].is, log[i].was);
        drop(log[i].is);
      } else {
        log[i].was->next = *at;
        *at = log[i].was;
        live++;
      }
    }
    if (code == WS_QUOTA) resp->message = ws_text("the store's memory is full");
  }
  ws_free(log, bytes);
  return code;
}

// keys keeps the smallest keys after the cursor in a heap whose top is the
// largest of them, so that a page costs one pass over the table.
static void sift(node **heap, uint32_t n, uint32_t i) {
  for (;;) {
    uint32_t big = i, l = 2 * i + 1;
    for (uint32_t c = l; c < l + 2 && c < n; c++)
      if (ws_compare(key_of(heap[c]), key_of(heap[big])) > 0) big = c;
    if (big == i) return;
    node *t = heap[i];
    heap[i] = heap[big];
    heap[big] = t;
    i = big;
  }
}

static int starts_with(ws_bytes s, ws_bytes prefix) {
  return s.len >= prefix.len && ws_equal((ws_bytes){s.ptr, prefix.len}, prefix);
}

static ws_code keys(const ws_request *req, ws_items *items, ws_response *resp) {
  uint32_t limit = req->limit ? req->limit : 1, n = 0;
  if (limit > live + 1) limit = live + 1;
  if (limit > 1u << 16) limit = 1u << 16;
  node **heap = ws_alloc(limit * sizeof *heap);
  if (!heap) return WS_QUOTA;
  int more = 0;
  for (uint32_t s = 0; s < slot_count; s++)
    for (node *e = slots[s]; e; e = e->next) {
      ws_bytes key = key_of(e);
      if (!starts_with(key, req->key) || (req->value.len && ws_compare(key, req->value) <= 0) || expired(e)) continue;
      if (n < limit) {
        heap[n++] = e;
        if (n == limit)
          for (uint32_t i = n / 2; i-- > 0;) sift(heap, n, i);
        continue;
      }
      more = 1;
      if (ws_compare(key, key_of(heap[0])) < 0) {
        heap[0] = e;
        sift(heap, n, 0);
      }
    }
  for (uint32_t i = n / 2; i-- > 0;) sift(heap, n, i);
  for (uint32_t end = n; end > 1;) { // heap sort: ascending
    node *t = heap[0];
    heap[0] = heap[--end];
    heap[end] = t;
    sift(heap, end, 0);
  }
  ws_code code = WS_OK;
  for (uint32_t i = 0; i < n && code == WS_OK; i++)
    if (!ws_add(items, &(ws_response){.key = key_of(heap[i])})) code = WS_QUOTA;
  if (more && n) resp->key = key_of(heap[n - 1]);
  ws_free(heap, limit * sizeof *heap);
  return code;
}

// export walks the table slot by slot; the cursor is the next slot's number.
static uint8_t cursor[4];

static ws_code export_(const ws_request *req, ws_items *items, ws_response *resp) {
  uint32_t slot = 0;
  uint64_t sent = 0;
  if (req->value.len == 4) __builtin_memcpy(&slot, req->value.ptr, 4);
  int some = 0;
  for (; slot < slot_count && (!some || sent < req->limit); slot++)
    for (node *n = slots[slot]; n; n = n->next) {
      if (expired(n)) continue;
      ws_response item = {.key = key_of(n), .value = value_of(n), .etag = etag_of(n), .type = type_of(n), .expires_ms = n->expires};
      if (!ws_add(items, &item)) return WS_QUOTA;
      sent += n->klen + n->vlen;
      some = 1;
    }
  if (slot < slot_count) {
    __builtin_memcpy(cursor, &slot, 4);
    resp->key = (ws_bytes){cursor, 4};
  }
  return WS_OK;
}

static ws_code import(const ws_batch *batch, ws_response *resp) {
  for (uint32_t i = 0; i < batch->count; i++) {
    ws_request it;
    if (!ws_item(batch, i, &it)) return WS_INVALID_ARGUMENT;
    if (it.ttl_ms && (int64_t)it.ttl_ms <= ws_now_ms()) continue;
    uint32_t hash = hash_of(it.key);
    node **at = find(it.key, hash), *old = *at;
    node *n = make(it.key, hash, it.etag, it.type, it.value, (int64_t)it.ttl_ms);
    if (!n) {
      resp->message = ws_text("the store's memory is full");
      return WS_QUOTA;
    }
    replace(at, old, n);
    if (old) drop(old);
    if (live > slot_count) grow();
  }
  return WS_OK;
}

// idle removes expired entries from a part of the table at a time.
static void idle(void) {
  static uint32_t at;
  for (uint32_t i = 0; i < 1024 && i < slot_count; i++) {
    for (node **p = &slots[at++ & (slot_count - 1)]; *p;) {
      node *n = *p;
      if (!expired(n)) {
        p = &n->next;
        continue;
      }
      replace(p, n, 0);
      drop(n);
    }
  }
}

static ws_code init(const ws_batch *props, ws_response *resp) {
  (void)props;
  (void)resp;
  slot_count = 1024;
  slots = ws_alloc(slot_count * sizeof *slots);
  if (!slots) return WS_QUOTA;
  for (uint32_t i = 0; i < slot_count; i++) slots[i] = 0;
  ws_random(&etag_base, sizeof etag_base);
  return WS_OK;
}

const ws_store ws_the_store = {
    .init = init, .get = get, .set = set, .del = del, .transact = transact, .keys = keys, .export_ = export_, .import = import, .idle = idle,
};
