// A store that keeps everything in the kv bucket "data" and nothing itself. It
// uses the functions of abi/SPEC-hostfuncs.md without an SDK, so that the
// conformance suite proves them. Because the records of kv are those of the
// ABI, a request goes on as it came. build: see build.sh
#include <stdint.h>

#define KV(name) __attribute__((import_module("wasmstate_kv"), import_name(name)))
KV("bucket") uint64_t kv_bucket(const void *label, uint32_t n);
KV("get") uint64_t kv_get(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("set") uint64_t kv_set(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("delete") uint64_t kv_delete(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("bulk_get") uint64_t kv_bulk_get(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("bulk_write") uint64_t kv_bulk_write(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("transact") uint64_t kv_transact(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("keys") uint64_t kv_keys(uint32_t b, const void *req, uint32_t n, void *out, uint32_t cap);
KV("result") uint64_t kv_result(void *out, uint32_t cap);

#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE 65536u

static uint8_t *buffer, *out;
static uint32_t buffer_size, out_size;

// reserve returns n bytes of new memory or 0.
static uint8_t *reserve(uint32_t n) {
  uint32_t at = __builtin_wasm_memory_grow(0, (n + PAGE - 1) / PAGE);
  return at == UINT32_MAX ? 0 : (uint8_t *)(at * PAGE);
}

EXPORT("ws_open") uint64_t open_(uint32_t abi, uint32_t want) {
  if (abi != 1) return 0;
  if (!out && (out = reserve(PAGE))) out_size = PAGE;
  if (want > buffer_size) {
    uint8_t *b = reserve(want);
    if (!b) return 0;
    buffer = b;
    buffer_size = want;
  }
  return (uint64_t)(uint32_t)buffer << 32 | buffer_size;
}

static uint32_t bucket(void) {
  static uint32_t b;
  if (!b) b = (uint32_t)kv_bucket("data", 4);
  return b;
}

// answer passes a response on: its head goes to the start of the buffer, and
// the addresses in it are right where they are.
static uint64_t answer(uint64_t r) {
  if ((uint32_t)r > out_size) {
    uint32_t n = (uint32_t)r + (uint32_t)r / 4;
    uint8_t *b = reserve(n);
    if (!b) return (uint64_t)6 << 32;
    out = b;
    out_size = n;
    r = kv_result(out, out_size);
  }
  if (!(uint32_t)r) return r;
  for (int i = 0; i < 72; i += 8) *(volatile uint64_t *)(buffer + i) = *(uint64_t *)(out + i);
  return (r >> 32) << 32 | 72;
}

EXPORT("ws_get") uint64_t get(uint32_t n) { return answer(kv_get(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_set") uint64_t set(uint32_t n) { return answer(kv_set(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_delete") uint64_t delete_(uint32_t n) { return answer(kv_delete(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_bulk_get") uint64_t bulk_get(uint32_t n) { return answer(kv_bulk_get(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_bulk_write") uint64_t bulk_write(uint32_t n) { return answer(kv_bulk_write(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_transact") uint64_t transact(uint32_t n) { return answer(kv_transact(bucket(), buffer, n, out, out_size)); }
EXPORT("ws_keys") uint64_t keys(uint32_t n) { return answer(kv_keys(bucket(), buffer, n, out, out_size)); }
