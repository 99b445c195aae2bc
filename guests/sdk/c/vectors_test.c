// Reads the golden messages of abi/testdata/vectors with the kit's codec:
// test.sh compiles it for this machine, with sanitizers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasmstate.h"

enum { MOST = 64, WORDS = 4200 };

typedef struct {
  char word[32], rest[WORDS];
} line;

typedef struct {
  char name[128], kind[16], expect[16];
  uint8_t *message; // exactly as long as the message, so that the sanitizer sees every byte too far
  uint32_t size;
  line *fields;
  int count;
} vector;

static int failures, checks;

static void fail(const vector *v, const char *what) {
  printf("FAIL %s: %s\n", v->name, what);
  failures++;
}

static uint32_t unhex(const char *text, uint8_t *out) {
  if (!strcmp(text, "-")) return 0;
  uint32_t n = 0;
  for (; text[2 * n]; n++) {
    char two[3] = {text[2 * n], text[2 * n + 1], 0};
    out[n] = (uint8_t)strtoul(two, 0, 16);
  }
  return n;
}

static int is_bytes(ws_bytes b, const char *hex) {
  static uint8_t want[WORDS];
  uint32_t n = unhex(hex, want);
  return ws_equal(b, (ws_bytes){want, n});
}

// pairs compares metadata with the pair lines from *at on.
static int pairs(const vector *v, int *at, ws_bytes m) {
  ws_bytes name, value;
  for (; *at < v->count && !strcmp(v->fields[*at].word, "pair"); ++*at) {
    char *space = strchr(v->fields[*at].rest, ' ');
    if (!space) return 0;
    *space = 0;
    if (!ws_next_pair(&m, &name, &value) || !is_bytes(name, v->fields[*at].rest) || !is_bytes(value, space + 1)) return 0;
  }
  return !ws_next_pair(&m, &name, &value);
}

// request compares a request with the fields from *at on.
static int request(const vector *v, int *at, const ws_request *r) {
  uint64_t numbers[] = {r->flags, r->ttl_ms, r->deadline_ms, r->limit};
  ws_bytes bytes[] = {r->key, r->value, r->etag, r->type};
  static const char *const words[] = {"flags", "key", "value", "etag", "type", "ttl", "deadline", "limit"};
  static const int is_number[] = {1, 0, 0, 0, 0, 1, 1, 1};
  for (int i = 0, n = 0, b = 0; i < 8; i++, ++*at) {
    if (*at >= v->count || strcmp(v->fields[*at].word, words[i])) return 0;
    const char *rest = v->fields[*at].rest;
    if (is_number[i] ? numbers[n++] != strtoull(rest, 0, 10) : !is_bytes(bytes[b++], rest)) return 0;
  }
  return pairs(v, at, r->metadata);
}

static void read_request(const vector *v) {
  ws_request r;
  int ok = ws_read_request(v->message, v->size, 0, &r), at = 0;
  if (!strcmp(v->expect, "malformed")) {
    if (ok) fail(v, "is taken");
    return;
  }
  int unknown = ok && r.flags & 0xffff & ~(uint32_t)WS_KNOWN_FLAGS;
  if (!ok)
    fail(v, "is refused");
  else if (unknown != !strcmp(v->expect, "unsupported"))
    fail(v, "the flags are misunderstood");
  else if (!request(v, &at, &r) || at != v->count)
    fail(v, "is read as something else");
}

static void read_batch(const vector *v) {
  ws_batch b;
  ws_request r;
  int ok = ws_read_batch(v->message, v->size, &b), at = 3;
  for (uint32_t i = 0; ok && i < b.count; i++) ok = ws_item(&b, i, &r);
  if (!strcmp(v->expect, "malformed")) {
    if (ok) fail(v, "is taken");
    return;
  }
  if (!ok) {
    fail(v, "is refused");
    return;
  }
  if (v->count < 4 || b.flags != strtoul(v->fields[0].rest, 0, 10) || b.deadline_ms != strtoull(v->fields[1].rest, 0, 10) ||
      !is_bytes(b.name, v->fields[2].rest) || !pairs(v, &at, b.metadata) || b.count != strtoul(v->fields[at++].rest, 0, 10)) {
    fail(v, "the head is read as something else");
    return;
  }
  for (uint32_t i = 0; i < b.count; i++) {
    at++; // "item I"
    if (!ws_item(&b, i, &r) || !request(v, &at, &r)) {
      fail(v, "an item is read as something else");
      return;
    }
  }
  if (at != v->count) fail(v, "items are missing");
}

static ws_bytes run(const char *text) {
  char *end;
  uintptr_t at = strtoul(text, &end, 10);
  return (ws_bytes){(const uint8_t *)at, (uint32_t)strtoul(end, 0, 10)};
}

static void write_response(const vector *v) {
  ws_response r;
  uint32_t items = 0, count = 0;
  uint8_t out[WS_RESPONSE_SIZE];
  memset(&r, 0, sizeof r);
  for (int i = 0; i < v->count && strcmp(v->fields[i].word, "item"); i++) {
    const char *w = v->fields[i].word, *rest = v->fields[i].rest;
    if (!strcmp(w, "code")) r.code = (ws_code)strtoul(rest, 0, 10);
    if (!strcmp(w, "value-at")) r.value = run(rest);
    if (!strcmp(w, "etag-at")) r.etag = run(rest);
    if (!strcmp(w, "type-at")) r.type = run(rest);
    if (!strcmp(w, "message-at")) r.message = run(rest);
    if (!strcmp(w, "key-at")) r.key = run(rest);
    if (!strcmp(w, "expires")) r.expires_ms = strtoll(rest, 0, 10);
    if (!strcmp(w, "items-at")) items = (uint32_t)(uintptr_t)run(rest).ptr, count = run(rest).len;
  }
  ws_write_response(out, &r, items, count);
  if (memcmp(out, v->message, sizeof out)) fail(v, "is written differently");
}

static void check(const vector *v) {
  if (!strcmp(v->kind, "request"))
    read_request(v);
  else if (!strcmp(v->kind, "batch"))
    read_batch(v);
  else if (!strcmp(v->kind, "response") && !strcmp(v->expect, "ok"))
    write_response(v);
  else
    return; // malformed responses are for hosts; a result is a shift
  checks++;
}

int main(int argc, char **argv) {
  static line fields[MOST * 16];
  static char text[WORDS];
  vector v = {.fields = fields};
  FILE *f = argc == 2 ? fopen(argv[1], "r") : 0;
  if (!f) {
    printf("usage: vectors_test vectors.txt\n");
    return 2;
  }
  while (fgets(text, sizeof text, f)) {
    text[strcspn(text, "\n")] = 0;
    if (!text[0] || text[0] == '#') continue;
    char *rest = strchr(text, ' ');
    if (rest) *rest++ = 0;
    if (!strcmp(text, "vector")) {
      snprintf(v.name, sizeof v.name, "%s", rest);
      v.count = 0;
    } else if (!strcmp(text, "kind")) {
      snprintf(v.kind, sizeof v.kind, "%s", rest);
    } else if (!strcmp(text, "expect")) {
      snprintf(v.expect, sizeof v.expect, "%s", rest);
    } else if (!strcmp(text, "hex")) {
      v.size = !strcmp(rest, "-") ? 0 : (uint32_t)strlen(rest) / 2;
      v.message = malloc(v.size ? v.size : 1);
      unhex(rest, v.message);
    } else if (!strcmp(text, "end")) {
      check(&v);
      free(v.message);
    } else if (strcmp(text, "doc") && v.count < MOST * 16) {
      snprintf(fields[v.count].word, sizeof fields[0].word, "%s", text);
      snprintf(fields[v.count++].rest, sizeof fields[0].rest, "%s", rest ? rest : "");
    }
  }
  fclose(f);
  printf("c: %d passed, %d failed\n", checks - failures, failures);
  return failures || checks < 40;
}
