// The plugin that the Extism side of the comparison calls: a fixed hash map
// with exports get and set. Input of get is a key of 24 bytes, of set the key
// and its value. It moves data as Extism's plugin kits do, eight bytes a call.
#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
IMPORT(input_length) uint64_t input_length(void);
IMPORT(input_load_u64) uint64_t input_load_u64(uint64_t at);
IMPORT(alloc) uint64_t host_alloc(uint64_t n);
IMPORT(store_u64) void store_u64(uint64_t at, uint64_t v);
IMPORT(output_set) void output_set(uint64_t at, uint64_t n);

enum { KEY = 24, VALUE = 128, SLOTS = 4096 };

struct slot {
	uint64_t key[KEY / 8];
	uint64_t value[VALUE / 8];
	int used;
};

static struct slot table[SLOTS];

static struct slot *find(const uint64_t *key) {
	uint64_t h = 14695981039346656037ull;
	for (int i = 0; i < KEY / 8; i++)
		h = (h ^ key[i]) * 1099511628211ull;
	for (size_t i = (h >> 32) % SLOTS;; i = (i + 1) % SLOTS) {
		struct slot *s = &table[i];
		if (!s->used)
			return s;
		int same = 1;
		for (int j = 0; j < KEY / 8; j++)
			same &= s->key[j] == key[j];
		if (same)
			return s;
	}
}

static void load_key(uint64_t *key) {
	for (int i = 0; i < KEY / 8; i++)
		key[i] = input_load_u64((uint64_t)i * 8);
}

__attribute__((export_name("set"))) int32_t set(void) {
	if (input_length() != KEY + VALUE)
		return 1;
	uint64_t key[KEY / 8];
	load_key(key);
	struct slot *s = find(key);
	s->used = 1;
	for (int i = 0; i < KEY / 8; i++)
		s->key[i] = key[i];
	for (int i = 0; i < VALUE / 8; i++)
		s->value[i] = input_load_u64(KEY + (uint64_t)i * 8);
	return 0;
}

__attribute__((export_name("get"))) int32_t get(void) {
	if (input_length() != KEY)
		return 1;
	uint64_t key[KEY / 8];
	load_key(key);
	struct slot *s = find(key);
	if (!s->used)
		return 2;
	uint64_t at = host_alloc(VALUE);
	for (int i = 0; i < VALUE / 8; i++)
		store_u64(at + (uint64_t)i * 8, s->value[i]);
	output_set(at, VALUE);
	return 0;
}
