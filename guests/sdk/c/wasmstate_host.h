// wasmstate_host.h: what a store may ask of the host beyond log, clock and
// random, if the operator grants it: kv, http, tcp, secret, config and metric
// (abi/SPEC-hostfuncs.md, chapters 5 to 10). Compile wasmstate_host.c with it;
// what is not called costs nothing and needs no grant.
//
// Everything that a call returns lies in memory of ws_hold: it stays until the
// next operation of the store begins.
#ifndef WASMSTATE_HOST_H
#define WASMSTATE_HOST_H

#include "wasmstate.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- kv: buckets of keys, kept by another component. Capability "kv".

typedef uint32_t ws_bucket;

// The bucket that the operator bound to label; WS_PERMISSION if none was.
ws_code ws_kv_bucket(const char *label, ws_bucket *bucket);

// What the component behind a bucket offers.
enum { WS_KV_ETAG = 1, WS_KV_TRANSACTIONAL = 2, WS_KV_TTL = 4, WS_KV_KEYS = 16, WS_KV_BULK = 64, WS_KV_CONTENT_TYPE = 1024 };
uint32_t ws_kv_features(ws_bucket bucket);

// The operations of a store, with the fields of a request that it uses. The
// deadline can only be shortened; metadata is not passed on.
ws_code ws_kv_get(ws_bucket bucket, const ws_request *req, ws_response *resp);
ws_code ws_kv_set(ws_bucket bucket, const ws_request *req, ws_response *resp);
ws_code ws_kv_delete(ws_bucket bucket, const ws_request *req, ws_response *resp);

// All or nothing; *failed is the index of the operation that failed, or WS_NO_OP. WS_DELETE
// in the flags makes an operation a delete.
ws_code ws_kv_transact(ws_bucket bucket, const ws_request *ops, uint32_t count, uint32_t *failed, ws_response *resp);

// Several answers; ws_result reads one, 0 <= i < count.
typedef struct {
  uint32_t count, step;
  const uint8_t *at;
} ws_results;
void ws_result(const ws_results *results, uint32_t i, ws_response *resp);

// One answer for each request, its code among them.
ws_code ws_kv_bulk_get(ws_bucket bucket, const ws_request *reqs, uint32_t count, ws_results *results, ws_response *resp);
ws_code ws_kv_bulk_write(ws_bucket bucket, const ws_request *ops, uint32_t count, ws_results *results, ws_response *resp);

// Keys in order: req->key is the prefix, req->value the cursor, req->limit the
// most keys. resp->key is the cursor of the next page, empty after the last.
ws_code ws_kv_keys(ws_bucket bucket, const ws_request *req, ws_results *results, ws_response *resp);

// ---- http. Capability "http".

typedef struct {
  const char *method;  // NULL = GET
  ws_bytes url, type;  // type: the content type of the body
  ws_bytes body;
  const ws_bytes *headers; // name, value, name, value, …
  uint32_t header_count;   // pairs
  uint64_t timeout_ms;     // 0 = what is left of the operation
  int stream;              // the body follows by ws_http_write
  int keep_redirects;      // a redirect is an answer, not followed
} ws_http_request;

typedef uint32_t ws_http;
ws_code ws_http_start(const ws_http_request *req, ws_http *exchange);
ws_code ws_http_write(ws_http exchange, ws_bytes part);
// Waits for the head: status, resp->type, and the headers for ws_next_pair.
ws_code ws_http_response(ws_http exchange, uint32_t *status, ws_bytes *headers, ws_response *resp);
// The next part of the body; *n = 0 is the end.
ws_code ws_http_read(ws_http exchange, void *out, uint32_t cap, uint32_t *n);
void ws_http_close(ws_http exchange);

// ---- tcp. Capability "tcp". Connections outlive the operation.

typedef uint32_t ws_tcp;
ws_code ws_tcp_connect(const char *host_port, int tls, uint32_t timeout_ms, ws_tcp *conn);
ws_code ws_tcp_read(ws_tcp conn, void *out, uint32_t cap, uint32_t timeout_ms, uint32_t *n); // *n = 0 is the end
ws_code ws_tcp_write(ws_tcp conn, ws_bytes data, uint32_t timeout_ms);                        // all of it, or the connection is closed
void ws_tcp_close(ws_tcp conn);

// ---- secret, config, metric. Capabilities of these names.

ws_code ws_secret(const char *name, ws_bytes *value); // overwrite it as soon as you can: ws_wipe
void ws_wipe(ws_bytes secret);
ws_code ws_config(const char *name, ws_bytes *value);
ws_code ws_metric_add(const char *name, uint64_t n);        // to a counter
ws_code ws_metric_observe(const char *name, double value);  // in a histogram

#ifdef __cplusplus
}
#endif
#endif
