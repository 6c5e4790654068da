/* SPDX-License-Identifier: Apache-2.0 */
/* rw_cache - entries in an array, found by prediction or by an open-addressing table of indexes. */
#include "agent/ingest/rw_cache.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/hash.h"

#define FIRST_ENTRIES 1024u

struct rw_cache {
	struct rw_entry *entries;
	uint32_t *table; /* index + 1; table_n is a power of two, at most half full */
	size_t table_n;
	size_t n, cap, max;
	uint32_t last; /* index + 1 of the entry that came last */
	uint64_t generation;
	uint64_t seed;
};

struct rw_cache *rw_cache_new(size_t max_entries)
{
	struct rw_cache *c = calloc(1, sizeof *c);

	ASSERT(max_entries >= FIRST_ENTRIES && max_entries < UINT32_MAX);
	if (c == NULL)
		return NULL;
	c->max = max_entries;
	hash_random(&c->seed, sizeof c->seed);
	return c;
}

void rw_cache_free(struct rw_cache *c)
{
	if (c == NULL)
		return;
	free(c->entries);
	free(c->table);
	free(c);
}

static void forget(struct rw_cache *c)
{
	c->n = 0;
	c->last = 0;
	if (c->table != NULL)
		memset(c->table, 0, c->table_n * sizeof *c->table);
}

void rw_cache_check(struct rw_cache *c, uint64_t generation)
{
	if (c->generation != generation)
		forget(c);
	c->generation = generation;
}

struct rw_key rw_key_of(const struct rw_cache *c, const void *p, size_t n)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(p, n, c->seed);

	return (struct rw_key){h.low64, h.high64};
}

struct rw_entry *rw_cache_expected(struct rw_cache *c)
{
	uint32_t next = c->last != 0 ? c->entries[c->last - 1].next : 0;

	return next != 0 ? &c->entries[next - 1] : NULL;
}

/* The slot that holds the key, or the empty one where it would go. */
static uint32_t *slot_of(const struct rw_cache *c, const struct rw_key *key)
{
	size_t mask = c->table_n - 1, at = (size_t)key->lo & mask;

	for (;; at = (at + 1) & mask) {
		const struct rw_entry *e;

		if (c->table[at] == 0)
			return &c->table[at];
		e = &c->entries[c->table[at] - 1];
		if (e->key.lo == key->lo && e->key.hi == key->hi)
			return &c->table[at];
	}
}

struct rw_entry *rw_cache_find(struct rw_cache *c, const struct rw_key *key)
{
	uint32_t at;

	if (c->n == 0)
		return NULL;
	at = *slot_of(c, key);
	return at != 0 ? &c->entries[at - 1] : NULL;
}

void rw_cache_came(struct rw_cache *c, struct rw_entry *e)
{
	uint32_t at = (uint32_t)(e - c->entries) + 1;

	if (c->last != 0)
		c->entries[c->last - 1].next = at;
	c->last = at;
}

void rw_cache_broke(struct rw_cache *c)
{
	c->last = 0;
}

static int grow(struct rw_cache *c)
{
	size_t cap = c->cap > 0 ? c->cap * 2 : FIRST_ENTRIES;
	struct rw_entry *entries;
	uint32_t *table;

	if (cap > c->max)
		cap = c->max;
	entries = realloc(c->entries, cap * sizeof *entries);
	if (entries == NULL)
		return -1;
	c->entries = entries;
	c->cap = cap;
	if (c->table_n >= 2 * cap)
		return 0;
	table = c->table;
	c->table_n = c->table_n > 0 ? c->table_n * 2 : (size_t)2 * FIRST_ENTRIES;
	while (c->table_n < 2 * cap)
		c->table_n *= 2;
	c->table = calloc(c->table_n, sizeof *c->table);
	free(table);
	if (c->table == NULL) {
		c->table_n = 0;
		c->n = c->cap = 0;
		c->last = 0;
		free(c->entries);
		c->entries = NULL;
		return -1;
	}
	for (size_t i = 0; i < c->n; i++)
		*slot_of(c, &c->entries[i].key) = (uint32_t)i + 1;
	return 0;
}

struct rw_entry *rw_cache_add(
	struct rw_cache *c, const struct rw_key *key, uint32_t raw_len, uint32_t id)
{
	struct rw_entry *e;
	uint32_t *slot;

	if (c->n == c->max)
		forget(c);
	if (c->n == c->cap && grow(c) != 0)
		return NULL;
	slot = slot_of(c, key);
	ASSERT(*slot == 0);
	e = &c->entries[c->n++];
	*slot = (uint32_t)c->n;
	*e = (struct rw_entry){.key = *key, .raw_len = raw_len, .id = id};
	rw_cache_came(c, e);
	return e;
}

size_t rw_cache_entries(const struct rw_cache *c)
{
	return c->n;
}

size_t rw_cache_bytes(const struct rw_cache *c)
{
	return sizeof *c + c->cap * sizeof *c->entries + c->table_n * sizeof *c->table;
}
