// wasmstate.h: write a state store in C (or in any language that can include
// this header) for the wasmstate runtime, wasm ABI version 1.
//
//   #include "wasmstate.h"
//   static ws_code get(const ws_request *req, ws_response *resp) { … }
//   const ws_store ws_the_store = {.get = get, .set = set, .del = del};
//
// Compile together with wasmstate.c, freestanding, with clang 14 or newer:
//
//   clang --target=wasm32 -O2 -nostdlib -ffreestanding -mbulk-memory
//     -Wl,--no-entry -Wl,--strip-debug -o store.wasm store.c wasmstate.c
//
// The rules are in abi/SPEC.md; their ids stand in [brackets]. Nothing here is
// safe for concurrent use: an instance gets one call at a time [life.once].
#ifndef WASMSTATE_H
#define WASMSTATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Bytes that belong to somebody else. Empty is len 0, whatever ptr is.
typedef struct {
  const uint8_t *ptr;
  uint32_t len;
} ws_bytes;

// The closed set of codes [code.set].
typedef enum {
  WS_OK = 0,
  WS_NOT_FOUND = 1,        // missing or expired
  WS_ETAG_MISMATCH = 2,    // not the stored one, or create-only met a key
  WS_ETAG_INVALID = 3,     // cannot be one of this store's
  WS_INVALID_ARGUMENT = 4,
  WS_UNSUPPORTED = 5,
  WS_TOO_LARGE = 6,
  WS_QUOTA = 7,            // storage used up
  WS_RATE_LIMITED = 8,
  WS_TIMEOUT = 9,
  WS_CANCELLED = 10,
  WS_UNAVAILABLE = 11,
  WS_PERMISSION = 12,
  WS_CORRUPT = 13,
  WS_INTERNAL = 14,
  WS_CLOSED = 15,
} ws_code;

enum { WS_NO_OP = 0xffffffffu };

enum {
  WS_FIRST_WRITE = 1u << 0, // without etag: create only
  WS_DELETE = 1u << 1,      // this item of a batch is a delete
  WS_EVENTUAL = 1u << 16,
  WS_STRONG = 1u << 17,
};

// One request, or one item of a batch. The bytes lie in the shared buffer and
// are gone when the call returns: copy what you keep [mem.request].
typedef struct {
  uint32_t flags;
  ws_bytes key;      // keys: the prefix
  ws_bytes value;    // keys, export: the cursor
  ws_bytes etag;     // empty = none given
  ws_bytes type;     // content type; empty = none
  ws_bytes metadata; // see ws_next_pair
  uint64_t ttl_ms;   // 0 = never expires; import: absolute expiry, Unix milliseconds
  uint64_t deadline_ms; // left for this operation; 0 = none
  uint32_t limit;    // keys: most keys; export: bytes wished
} ws_request;

// What an operation answers, or one item of an answer. Zero on entry. The
// bytes may be anywhere in memory and must stay as they are until the next
// call [mem.until]; they are not copied here. A bulk get calls get for item
// after item and answers with all of them: bytes that are no part of the data
// belong into a block of ws_hold, not into one static buffer.
typedef struct {
  ws_code code;      // items only
  ws_bytes value, etag, type;
  ws_bytes message;  // for people, with a code other than WS_OK
  ws_bytes key;      // items of keys and export; head: the next cursor
  int64_t expires_ms; // Unix milliseconds; 0 = never
} ws_response;

// Several requests of one call.
typedef struct {
  uint32_t flags, count;
  uint64_t deadline_ms;
  ws_bytes name;     // init: the component's name
  ws_bytes metadata; // init: its properties
  const uint8_t *base; // for ws_item
  uint32_t size, items, step;
} ws_batch;

// Fills the answer of keys and export, item by item.
typedef struct ws_items ws_items;

// Appends an item; false if there is no memory for it.
int ws_add(ws_items *items, const ws_response *item);

// Reads the i-th item, 0 <= i < count; false if it is malformed.
int ws_item(const ws_batch *batch, uint32_t i, ws_request *req);

// Takes the first pair off metadata; false when there is none.
int ws_next_pair(ws_bytes *metadata, ws_bytes *name, ws_bytes *value);

// The store: define one constant ws_the_store with the functions you have; the
// others stay NULL. What you have must be declared in the manifest [module.offer].
// BULK needs nothing of your own: the kit calls get, set and del for the items.
typedef struct {
  // Once, before anything else. NULL takes no properties.
  ws_code (*init)(const ws_batch *props, ws_response *resp);
  ws_code (*get)(const ws_request *req, ws_response *resp); // required
  ws_code (*set)(const ws_request *req, ws_response *resp); // required; resp->etag
  ws_code (*del)(const ws_request *req, ws_response *resp); // required
  // All or nothing [transact.*]; the items are well formed. *failed is WS_NO_OP
  // on entry: no single operation is to blame. Otherwise it is the index of the failing operation.
  ws_code (*transact)(const ws_batch *ops, uint32_t *failed, ws_response *resp); // TRANSACTIONAL
  // Ascending keys from after the cursor; resp->key is the next cursor.
  ws_code (*keys)(const ws_request *req, ws_items *items, ws_response *resp); // KEYS
  ws_code (*export_)(const ws_request *req, ws_items *items, ws_response *resp); // EXPORT
  ws_code (*import)(const ws_batch *items, ws_response *resp); // EXPORT
  ws_code (*ping)(ws_response *resp);
  void (*idle)(void);  // between operations, when nobody waits
  void (*close)(void); // the last call
} ws_store;

extern const ws_store ws_the_store;

// Memory. Blocks are reused by size class; there is no other allocator.
void *ws_alloc(uint32_t n);         // NULL if there is none
void ws_free(void *p, uint32_t n);  // n as given to ws_alloc

// Memory that is given back when the next call begins; NULL if there is none.
void *ws_hold(uint32_t n);

// Bytes.
void ws_copy(void *to, ws_bytes from);  // fast for short runs
int ws_equal(ws_bytes a, ws_bytes b);
int ws_compare(ws_bytes a, ws_bytes b); // as memcmp, shorter first
ws_bytes ws_text(const char *s);        // of a C string

// Host functions that every guest has.
enum { WS_DEBUG, WS_INFO, WS_WARN, WS_ERROR };
void ws_log(int level, ws_bytes line);
int ws_log_enabled(int level);
int64_t ws_now_ms(void);                // Unix milliseconds
void ws_random(void *p, uint32_t n);

// The codec, for tests and other languages.
int ws_read_request(const uint8_t *buf, uint32_t size, uint32_t at, ws_request *req);
int ws_read_batch(const uint8_t *buf, uint32_t size, ws_batch *batch);
void ws_write_response(uint8_t *out, const ws_response *r, uint32_t items, uint32_t count);

enum { WS_REQUEST_SIZE = 72, WS_BATCH_SIZE = 48, WS_RESPONSE_SIZE = 72, WS_KNOWN_FLAGS = WS_FIRST_WRITE | WS_DELETE };

#ifdef __cplusplus
}
#endif
#endif
