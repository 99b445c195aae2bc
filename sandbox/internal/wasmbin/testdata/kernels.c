// The kernels that the cost of the meter is measured with. Built with
//   clang-19 --target=wasm32 -O2 -nostdlib -fno-builtin -Wl,--no-entry -Wl,--strip-all -o kernels.wasm kernels.c
#include <stdint.h>
#define EXPORT(name) __attribute__((export_name(#name)))

static uint8_t data[1 << 16];

// fnv hashes 64 KiB byte by byte.
EXPORT(fnv) uint32_t fnv(uint32_t seed) {
  uint32_t h = 2166136261u ^ seed;
  for (uint32_t i = 0; i < sizeof data; i++) h = (h ^ data[i]) * 16777619u;
  return h;
}

static uint32_t rotl(uint32_t x, int n) { return x << n | x >> (32 - n); }

// sha is 64 blocks of the compression function of SHA-1.
EXPORT(sha) uint32_t sha(uint32_t seed) {
  uint32_t h[5] = {0x67452301 ^ seed, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
  for (int block = 0; block < 64; block++) {
    for (int i = 0; i < 16; i++) w[i] = data[block * 64 + i * 4] * 0x01010101u;
    for (int i = 16; i < 80; i++) w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f, k;
      if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
      else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
      else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
      else f = b ^ c ^ d, k = 0xca62c1d6;
      uint32_t t = rotl(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotl(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  return h[0] ^ h[1] ^ h[2] ^ h[3] ^ h[4];
}

// sort sorts 2,000 numbers by insertion.
EXPORT(sort) uint32_t sort(uint32_t seed) {
  static uint32_t a[2000];
  uint32_t x = seed | 1;
  for (int i = 0; i < 2000; i++) a[i] = x = x * 1664525u + 1013904223u;
  for (int i = 1; i < 2000; i++) {
    uint32_t v = a[i];
    int j = i;
    for (; j > 0 && a[j - 1] > v; j--) a[j] = a[j - 1];
    a[j] = v;
  }
  return a[1000];
}

// fib is nothing but calls.
EXPORT(fib) uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

// A hash map with open addressing: 16-byte keys, 48-byte values.
typedef struct { uint8_t used, key[16], value[48]; } slot;
static slot slots[1024];

static uint32_t hash(const uint8_t *k) {
  uint32_t h = 2166136261u;
  for (int i = 0; i < 16; i++) h = (h ^ k[i]) * 16777619u;
  return h;
}

static int equal(const uint8_t *a, const uint8_t *b) {
  for (int i = 0; i < 16; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}

static slot *find(const uint8_t *k) {
  slot *s = &slots[hash(k) & 1023];
  while (s->used && !equal(s->key, k)) s = s == &slots[1023] ? slots : s + 1;
  return s;
}

static void key(uint8_t *k, uint32_t n) {
  for (int i = 0; i < 16; i++) k[i] = "key-00000000-abc"[i] + (n >> (i * 2) & 3);
}

// set and get store and look up one of 512 keys.
EXPORT(set) uint32_t set(uint32_t n) {
  uint8_t k[16];
  key(k, n & 511);
  slot *s = find(k);
  s->used = 1;
  for (int i = 0; i < 16; i++) s->key[i] = k[i];
  for (int i = 0; i < 48; i++) s->value[i] = n + i;
  return 48;
}

EXPORT(get) uint32_t get(uint32_t n) {
  uint8_t k[16];
  key(k, n & 511);
  slot *s = find(k);
  if (!s->used) return 0;
  for (int i = 0; i < 48; i++) data[i] = s->value[i];
  return 48;
}
