/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_cache - what a sender's label blocks meant last time: 128-bit keyed hash -> series id.
 *
 * Senders repeat their series in the same order. Each entry remembers which one came after it, so
 * the usual series costs one hash of its raw bytes and one comparison, and no table look-up;
 * batches that begin elsewhere and several senders' mixtures fall back to the table. 32 bytes an
 * entry and 8 to 16 of table. One thread at a time; remote_write.c hands caches out.
 */
#ifndef BELFRY_AGENT_INGEST_RW_CACHE_H
#define BELFRY_AGENT_INGEST_RW_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct rw_key {
	uint64_t lo, hi;
};

struct rw_entry {
	struct rw_key key;
	uint32_t raw_len; /* bytes of the label block (1.0); 0 for 2.0 */
	uint32_t id;
	uint32_t next; /* index + 1 of the entry that followed last time, 0: none */
	uint32_t meta; /* hash of the metadata last sent on; 0: none */
};

struct rw_cache;

struct rw_cache *rw_cache_new(size_t max_entries);
void rw_cache_free(struct rw_cache *c);
/* Forget everything when the store's ids were reissued since. */
void rw_cache_check(struct rw_cache *c, uint64_t generation);
/* The entry expected next, or NULL. */
struct rw_entry *rw_cache_expected(struct rw_cache *c);
struct rw_entry *rw_cache_find(struct rw_cache *c, const struct rw_key *key);
/* This entry came now: remembered as the follower of the one before. */
void rw_cache_came(struct rw_cache *c, struct rw_entry *e);
/* Adds (a full cache is emptied first) and lets it have come. */
struct rw_entry *rw_cache_add(
	struct rw_cache *c, const struct rw_key *key, uint32_t raw_len, uint32_t id);
/* An unknown series came: nothing is expected after it. */
void rw_cache_broke(struct rw_cache *c);
size_t rw_cache_entries(const struct rw_cache *c);
size_t rw_cache_bytes(const struct rw_cache *c);
/* Key of raw bytes, seeded. */
struct rw_key rw_key_of(const struct rw_cache *c, const void *p, size_t n);

#endif
