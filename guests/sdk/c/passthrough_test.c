// A store over all that the kit can ask of the host: kv keeps the values, every
// second operation by a bulk call; configuration names the bucket; reads are
// counted; ping talks to two servers. guests/c_test.go runs it.
#include "wasmstate_host.h"

static ws_bucket data;
static ws_bytes url;
static char echo[64];
static int odd;

static int turn(void) { return odd = !odd; }

// only takes the one answer of a bulk call.
static ws_code only(ws_code code, const ws_results *all, ws_response *resp) {
  if (code != WS_OK) return code;
  if (all->count != 1) return WS_INTERNAL;
  ws_result(all, 0, resp);
  code = resp->code;
  resp->code = WS_OK;
  return code;
}

static ws_code get(const ws_request *req, ws_response *resp) {
  ws_results all;
  ws_code code = turn() ? ws_kv_get(data, req, resp) : only(ws_kv_bulk_get(data, req, 1, &all, resp), &all, resp);
  if (ws_metric_add("reads", 1) != WS_OK || ws_metric_observe("bytes", resp->value.len) != WS_OK) return WS_INTERNAL;
  return code;
}

static ws_code set(const ws_request *req, ws_response *resp) {
  ws_results all;
  return turn() ? ws_kv_set(data, req, resp) : only(ws_kv_bulk_write(data, req, 1, &all, resp), &all, resp);
}

static ws_code del(const ws_request *req, ws_response *resp) {
  ws_results all;
  ws_request r = *req;
  r.flags |= WS_DELETE; // a flag of batches only
  return turn() ? ws_kv_delete(data, &r, resp) : only(ws_kv_bulk_write(data, &r, 1, &all, resp), &all, resp);
}

static ws_code transact(const ws_batch *batch, uint32_t *failed, ws_response *resp) {
  ws_request *ops = ws_hold((batch->count + 1) * sizeof *ops);
  if (!ops) return WS_QUOTA;
  for (uint32_t i = 0; i < batch->count; i++) ws_item(batch, i, &ops[i]);
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

static ws_code ping_tcp(void) {
  ws_tcp conn;
  uint8_t text[5];
  uint32_t have = 0, n = 1;
  ws_code code = ws_tcp_connect(echo, 0, 0, &conn);
  if (code != WS_OK) return code;
  code = ws_tcp_write(conn, ws_text("hello"), 0);
  while (code == WS_OK && have < 5 && n) {
    code = ws_tcp_read(conn, text + have, 2 < 5 - have ? 2 : 5 - have, 1000, &n);
    have += n;
  }
  ws_tcp_close(conn);
  if (code != WS_OK) return code;
  return ws_equal((ws_bytes){text, have}, ws_text("hello")) ? WS_OK : WS_CORRUPT;
}

// header finds a header of a response.
static ws_bytes header(ws_bytes headers, const char *want) {
  ws_bytes name, value;
  while (ws_next_pair(&headers, &name, &value))
    if (ws_equal(name, ws_text(want))) return value;
  return (ws_bytes){0, 0};
}

// ping_http sends a body, at once or in parts, and reads it back.
static ws_code ping_http(int stream) {
  const ws_bytes pairs[] = {ws_text("X-One"), ws_text("1"), ws_text("X-Two"), ws_text("two")};
  ws_http_request req = {.method = "PUT", .url = url, .type = ws_text("text/plain"), .headers = pairs, .header_count = 2, .timeout_ms = 5000, .stream = stream};
  ws_response resp = {0};
  ws_http x;
  ws_bytes headers;
  uint32_t status, have = 0, n = 1;
  uint8_t body[16];
  if (!stream) req.body = ws_text("one two");
  ws_code code = ws_http_start(&req, &x);
  if (code != WS_OK) return code;
  if (stream && (ws_http_write(x, ws_text("one ")) != WS_OK || ws_http_write(x, ws_text("two")) != WS_OK)) return WS_INTERNAL;
  code = ws_http_response(x, &status, &headers, &resp);
  while (code == WS_OK && n && have < sizeof body) {
    code = ws_http_read(x, body + have, 3, &n);
    have += n;
  }
  ws_http_close(x);
  if (code != WS_OK) return code;
  if (status != 201 || !ws_equal(resp.type, ws_text("text/plain")) || !ws_equal(header(headers, "x-two"), ws_text("two"))) return WS_CORRUPT;
  return ws_equal((ws_bytes){body, have}, ws_text("one two")) ? WS_OK : WS_CORRUPT;
}

static ws_code ping(ws_response *resp) {
  ws_code code = ping_tcp();
  if (code == WS_OK) code = ping_http(0);
  if (code == WS_OK) code = ping_http(1);
  if (code != WS_OK) resp->message = ws_text("a server does not answer as it should");
  return code;
}

// init keeps what it needs: what the host gave is gone at the next call.
static ws_code init(const ws_batch *props, ws_response *resp) {
  (void)props;
  ws_bytes label, server, at, secret, none;
  ws_bucket other;
  if (ws_config("label", &label) != WS_OK || ws_config("echo", &server) != WS_OK || ws_config("url", &at) != WS_OK) return WS_INVALID_ARGUMENT;
  if (ws_config("other", &none) != WS_NOT_FOUND || ws_kv_bucket("other", &other) != WS_PERMISSION) return WS_INTERNAL;
  if (ws_secret("password", &secret) != WS_OK || !ws_equal(secret, ws_text("opensesame"))) return WS_PERMISSION;
  ws_wipe(secret);
  if (ws_secret("other", &none) != WS_PERMISSION || server.len >= sizeof echo) return WS_INTERNAL;
  ws_copy(echo, server);
  uint8_t *kept = ws_alloc(at.len);
  if (!kept) return WS_QUOTA;
  ws_copy(kept, at);
  url = (ws_bytes){kept, at.len};
  char name[16] = {0};
  if (label.len >= sizeof name) return WS_INTERNAL;
  ws_copy(name, label);
  ws_code code = ws_kv_bucket(name, &data);
  const uint32_t need = WS_KV_ETAG | WS_KV_TRANSACTIONAL | WS_KV_TTL | WS_KV_KEYS | WS_KV_CONTENT_TYPE;
  if (code == WS_OK && (ws_kv_features(data) & need) != need) code = WS_UNSUPPORTED;
  if (code != WS_OK) resp->message = ws_text("the bucket cannot be used");
  return code;
}

const ws_store ws_the_store = {.init = init, .get = get, .set = set, .del = del, .transact = transact, .keys = keys, .ping = ping};
