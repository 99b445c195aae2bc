// The C kit's side of the host functions. See wasmstate_host.h.
#include "wasmstate_host.h"

#define IMPORT(module, name) __attribute__((import_module("wasmstate_" module), import_name(name)))

static uint32_t load32(const uint8_t *p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}

static void store32(uint8_t *p, uint32_t v) { __builtin_memcpy(p, &v, 4); }
static void store64(uint8_t *p, uint64_t v) { __builtin_memcpy(p, &v, 8); }

static ws_code code_of(uint64_t result) { return (ws_code)(result >> 32); }

// ---- messages

enum { FIRST_ANSWER = 1024 }; // room for an answer at the first try

static uint64_t size_of(const ws_request *r) {
  return (uint64_t)r->key.len + r->value.len + r->etag.len + r->type.len + r->metadata.len;
}

// put appends bytes at *end and writes their offset and length.
static void put(uint8_t *msg, uint32_t rec, uint32_t at, ws_bytes b, uint32_t *end) {
  store32(msg + rec + at, b.len ? *end : 0);
  store32(msg + rec + at + 4, b.len);
  ws_copy(msg + *end, b);
  *end += b.len;
}

static void put_request(uint8_t *msg, uint32_t rec, const ws_request *r, uint32_t *end) {
  store32(msg + rec, WS_REQUEST_SIZE);
  store32(msg + rec + 4, r->flags);
  put(msg, rec, 8, r->key, end);
  put(msg, rec, 16, r->value, end);
  put(msg, rec, 24, r->etag, end);
  put(msg, rec, 32, r->type, end);
  put(msg, rec, 40, r->metadata, end);
  store64(msg + rec + 48, r->ttl_ms);
  store64(msg + rec + 56, r->deadline_ms);
  store64(msg + rec + 64, r->limit);
}

static ws_bytes bytes_at(const uint8_t *rec) { return (ws_bytes){(const uint8_t *)load32(rec), load32(rec + 4)}; }

static void read_response(const uint8_t *rec, ws_response *resp) {
  resp->code = (ws_code)load32(rec + 4);
  resp->value = bytes_at(rec + 8);
  resp->etag = bytes_at(rec + 16);
  resp->type = bytes_at(rec + 24);
  resp->message = bytes_at(rec + 32);
  __builtin_memcpy(&resp->expires_ms, rec + 40, 8);
  resp->key = bytes_at(rec + 64);
}

static ws_code no_memory(ws_response *resp) {
  resp->message = ws_text("out of memory");
  return WS_QUOTA;
}

// ---- kv

#define KV(name) IMPORT("kv", name)
KV("bucket") uint64_t kv_bucket(const char *label, uint32_t n);
KV("features") uint64_t kv_features(uint32_t b);
KV("get") uint64_t kv_get(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("set") uint64_t kv_set(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("delete") uint64_t kv_delete(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("bulk_get") uint64_t kv_bulk_get(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("bulk_write") uint64_t kv_bulk_write(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("transact") uint64_t kv_transact(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("keys") uint64_t kv_keys(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);
KV("result") uint64_t kv_result(uint8_t *out, uint32_t cap);

ws_code ws_kv_bucket(const char *label, ws_bucket *bucket) {
  uint64_t r = kv_bucket(label, ws_text(label).len);
  *bucket = (uint32_t)r;
  return code_of(r);
}

uint32_t ws_kv_features(ws_bucket bucket) { return (uint32_t)kv_features(bucket); }

typedef uint64_t (*call)(uint32_t b, const uint8_t *req, uint32_t n, uint8_t *out, uint32_t cap);

// ask sends a message and reads the answer; *rec is its head, NULL if empty.
static ws_code ask(call fn, ws_bucket bucket, const uint8_t *msg, uint32_t n, const uint8_t **rec, ws_response *resp) {
  uint8_t *out = ws_hold(FIRST_ANSWER);
  *rec = 0;
  if (!out) return no_memory(resp);
  uint64_t r = fn(bucket, msg, n, out, FIRST_ANSWER);
  if ((uint32_t)r > FIRST_ANSWER) { // the operation is done; only its answer is fetched again
    uint32_t full = (uint32_t)r;
    if (!(out = ws_hold(full))) return no_memory(resp);
    r = kv_result(out, full);
  }
  if ((uint32_t)r) {
    *rec = out;
    read_response(out, resp);
  }
  return code_of(r);
}

static ws_code one(call fn, ws_bucket bucket, const ws_request *req, const uint8_t **rec, ws_response *resp) {
  uint64_t size = WS_REQUEST_SIZE + size_of(req);
  uint32_t end = WS_REQUEST_SIZE;
  uint8_t *msg = size < 1u << 30 ? ws_alloc((uint32_t)size) : 0;
  if (!msg) return no_memory(resp);
  put_request(msg, 0, req, &end);
  store32(msg + 4, req->flags & ~(uint32_t)WS_DELETE); // of items of a batch only
  ws_code code = ask(fn, bucket, msg, end, rec, resp);
  ws_free(msg, (uint32_t)size);
  return code;
}

static ws_code many(call fn, ws_bucket bucket, const ws_request *reqs, uint32_t count, const uint8_t **rec, ws_response *resp) {
  uint64_t size = WS_BATCH_SIZE + (uint64_t)count * WS_REQUEST_SIZE;
  uint32_t end = (uint32_t)size;
  for (uint32_t i = 0; i < count; i++) size += size_of(&reqs[i]);
  uint8_t *msg = size < 1u << 30 ? ws_alloc((uint32_t)size) : 0;
  if (!msg) return no_memory(resp);
  for (uint32_t i = 0; i < WS_BATCH_SIZE; i += 8) store64(msg + i, 0);
  store32(msg, WS_BATCH_SIZE);
  store32(msg + 8, WS_BATCH_SIZE);
  store32(msg + 12, count);
  store32(msg + 16, WS_REQUEST_SIZE);
  for (uint32_t i = 0; i < count; i++) put_request(msg, WS_BATCH_SIZE + i * WS_REQUEST_SIZE, &reqs[i], &end);
  ws_code code = ask(fn, bucket, msg, end, rec, resp);
  ws_free(msg, (uint32_t)size);
  return code;
}

static void read_results(const uint8_t *rec, ws_results *results) {
  *results = (ws_results){0, WS_RESPONSE_SIZE, 0};
  if (!rec) return;
  results->at = (const uint8_t *)load32(rec + 48);
  results->count = load32(rec + 52);
  results->step = load32(rec + 56);
}

void ws_result(const ws_results *results, uint32_t i, ws_response *resp) { read_response(results->at + i * results->step, resp); }

ws_code ws_kv_get(ws_bucket bucket, const ws_request *req, ws_response *resp) {
  const uint8_t *rec;
  return one(kv_get, bucket, req, &rec, resp);
}

ws_code ws_kv_set(ws_bucket bucket, const ws_request *req, ws_response *resp) {
  const uint8_t *rec;
  return one(kv_set, bucket, req, &rec, resp);
}

ws_code ws_kv_delete(ws_bucket bucket, const ws_request *req, ws_response *resp) {
  const uint8_t *rec;
  return one(kv_delete, bucket, req, &rec, resp);
}

ws_code ws_kv_transact(ws_bucket bucket, const ws_request *ops, uint32_t count, uint32_t *failed, ws_response *resp) {
  const uint8_t *rec;
  ws_code code = many(kv_transact, bucket, ops, count, &rec, resp);
  *failed = rec ? (uint32_t)resp->code : WS_NO_OP;
  return code;
}

ws_code ws_kv_bulk_get(ws_bucket bucket, const ws_request *reqs, uint32_t count, ws_results *results, ws_response *resp) {
  const uint8_t *rec;
  ws_code code = many(kv_bulk_get, bucket, reqs, count, &rec, resp);
  read_results(rec, results);
  return code;
}

ws_code ws_kv_bulk_write(ws_bucket bucket, const ws_request *ops, uint32_t count, ws_results *results, ws_response *resp) {
  const uint8_t *rec;
  ws_code code = many(kv_bulk_write, bucket, ops, count, &rec, resp);
  read_results(rec, results);
  return code;
}

ws_code ws_kv_keys(ws_bucket bucket, const ws_request *req, ws_results *results, ws_response *resp) {
  const uint8_t *rec;
  ws_code code = one(kv_keys, bucket, req, &rec, resp);
  read_results(rec, results);
  return code;
}

// ---- http

#define HTTP(name) IMPORT("http", name)
HTTP("start") uint64_t http_start(const uint8_t *req, uint32_t n);
HTTP("write") uint64_t http_write(uint32_t h, const uint8_t *data, uint32_t n);
HTTP("response") uint64_t http_response(uint32_t h, uint8_t *out, uint32_t cap);
HTTP("read") uint64_t http_read(uint32_t h, void *out, uint32_t cap);
HTTP("close") uint64_t http_close(uint32_t h);

enum { BODY_FOLLOWS = 1u << 2, KEEP_REDIRECTS = 1u << 3 };

ws_code ws_http_start(const ws_http_request *req, ws_http *exchange) {
  ws_bytes method = req->method ? ws_text(req->method) : (ws_bytes){0, 0};
  uint64_t pairs = 0;
  *exchange = 0;
  for (uint32_t i = 0; i < 2 * req->header_count; i++) pairs += req->headers[i].len + 4;
  uint64_t size = WS_REQUEST_SIZE + (uint64_t)req->url.len + method.len + req->body.len + req->type.len + pairs;
  uint8_t *msg = size < 1u << 30 ? ws_alloc((uint32_t)size) : 0;
  if (!msg) return WS_QUOTA;
  ws_request head = {.key = req->url, .value = req->body, .etag = method, .type = req->type, .deadline_ms = req->timeout_ms};
  if (req->stream) head.flags |= BODY_FOLLOWS;
  if (req->keep_redirects) head.flags |= KEEP_REDIRECTS;
  uint32_t end = WS_REQUEST_SIZE;
  put_request(msg, 0, &head, &end);
  store32(msg + 40, pairs ? end : 0);
  store32(msg + 44, (uint32_t)pairs);
  for (uint32_t i = 0; i < req->header_count; i++) {
    ws_bytes name = req->headers[2 * i], value = req->headers[2 * i + 1];
    store32(msg + end, name.len);
    store32(msg + end + 4, value.len);
    ws_copy(msg + end + 8, name);
    ws_copy(msg + end + 8 + name.len, value);
    end += 8 + name.len + value.len;
  }
  uint64_t r = http_start(msg, end);
  ws_free(msg, (uint32_t)size);
  *exchange = (uint32_t)r;
  return code_of(r);
}

ws_code ws_http_write(ws_http exchange, ws_bytes part) { return code_of(http_write(exchange, part.ptr, part.len)); }

ws_code ws_http_response(ws_http exchange, uint32_t *status, ws_bytes *headers, ws_response *resp) {
  uint32_t cap = FIRST_ANSWER;
  *status = 0;
  *headers = (ws_bytes){0, 0};
  for (;;) {
    uint8_t *out = ws_hold(cap);
    if (!out) return no_memory(resp);
    uint64_t r = http_response(exchange, out, cap);
    if ((uint32_t)r > cap) {
      cap = (uint32_t)r;
      continue;
    }
    if (code_of(r) != WS_OK || !(uint32_t)r) return code_of(r);
    read_response(out, resp);
    *status = (uint32_t)resp->code;
    *headers = resp->message;
    resp->code = WS_OK;
    resp->message = (ws_bytes){0, 0};
    return WS_OK;
  }
}

ws_code ws_http_read(ws_http exchange, void *out, uint32_t cap, uint32_t *n) {
  uint64_t r = http_read(exchange, out, cap);
  *n = (uint32_t)r;
  return code_of(r);
}

void ws_http_close(ws_http exchange) { http_close(exchange); }

// ---- tcp

#define TCP(name) IMPORT("tcp", name)
TCP("connect") uint64_t tcp_connect(const char *addr, uint32_t n, uint32_t flags, uint32_t timeout_ms);
TCP("read") uint64_t tcp_read(uint32_t h, void *out, uint32_t cap, uint32_t timeout_ms);
TCP("write") uint64_t tcp_write(uint32_t h, const uint8_t *data, uint32_t n, uint32_t timeout_ms);
TCP("close") uint64_t tcp_close(uint32_t h);

ws_code ws_tcp_connect(const char *host_port, int tls, uint32_t timeout_ms, ws_tcp *conn) {
  uint64_t r = tcp_connect(host_port, ws_text(host_port).len, tls ? 1 : 0, timeout_ms);
  *conn = (uint32_t)r;
  return code_of(r);
}

ws_code ws_tcp_read(ws_tcp conn, void *out, uint32_t cap, uint32_t timeout_ms, uint32_t *n) {
  uint64_t r = tcp_read(conn, out, cap, timeout_ms);
  *n = (uint32_t)r;
  return code_of(r);
}

ws_code ws_tcp_write(ws_tcp conn, ws_bytes data, uint32_t timeout_ms) { return code_of(tcp_write(conn, data.ptr, data.len, timeout_ms)); }

void ws_tcp_close(ws_tcp conn) { tcp_close(conn); }

// ---- secret, config, metric

IMPORT("secret", "get") uint64_t secret_get(const char *name, uint32_t n, uint8_t *out, uint32_t cap);
IMPORT("config", "get") uint64_t config_get(const char *name, uint32_t n, uint8_t *out, uint32_t cap);
IMPORT("metric", "add") uint64_t metric_add(const char *name, uint32_t n, uint64_t by);
IMPORT("metric", "observe") uint64_t metric_observe(const char *name, uint32_t n, uint64_t value);

static ws_code named(uint64_t (*get)(const char *, uint32_t, uint8_t *, uint32_t), const char *name, ws_bytes *value) {
  uint32_t n = ws_text(name).len, cap = 256;
  *value = (ws_bytes){0, 0};
  for (;;) {
    uint8_t *out = ws_hold(cap);
    if (!out) return WS_QUOTA;
    uint64_t r = get(name, n, out, cap);
    if (code_of(r) != WS_OK) return code_of(r);
    if ((uint32_t)r <= cap) {
      *value = (ws_bytes){out, (uint32_t)r};
      return WS_OK;
    }
    cap = (uint32_t)r;
  }
}

ws_code ws_secret(const char *name, ws_bytes *value) { return named(secret_get, name, value); }
ws_code ws_config(const char *name, ws_bytes *value) { return named(config_get, name, value); }

void ws_wipe(ws_bytes secret) {
  for (uint32_t i = 0; i < secret.len; i++) *(volatile uint8_t *)(uintptr_t)(secret.ptr + i) = 0;
}

ws_code ws_metric_add(const char *name, uint64_t n) { return code_of(metric_add(name, ws_text(name).len, n)); }

ws_code ws_metric_observe(const char *name, double value) {
  uint64_t bits;
  __builtin_memcpy(&bits, &value, 8);
  return code_of(metric_observe(name, ws_text(name).len, bits));
}
