/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_cache - what was read of partitions lately: directories (which pack holds which series when)
 * and packs, parsed, in at most PACK_CACHE_BYTES of memory. What was used since it came gets a
 * second turn; taking an object writes to nothing but itself.
 *
 * A warm query costs a table look-up per pack instead of a walk through SQLite. Objects are counted
 * and do not change, except that places learn whose chunks their packs hold; whoever holds one may
 * use it after it left the cache. A directory is valid for one `content` of its partition, a number
 * that the storage writer raises after each commit there; rows of packs never change, so packs stay
 * valid.
 *
 * Threads: any. The table is cut into shards with a mutex each; reading from disk holds none.
 */
#ifndef BELFRY_STORAGE_PACK_CACHE_H
#define BELFRY_STORAGE_PACK_CACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"
#include "storage/part.h"

#define PACK_CACHE_SHARDS 16u
#define PACK_CACHE_BYTES  ((size_t)96 << 20)

struct cached; /* an object of the cache */

struct pack_cache {
	struct {
		pthread_mutex_t lock;
		struct map map;
		struct cached *newest, *oldest;
		size_t bytes;
	} shard[PACK_CACHE_SHARDS];
};

void pack_cache_init(struct pack_cache *c);
void pack_cache_fini(struct pack_cache *c);
size_t pack_cache_bytes(struct pack_cache *c);

/* Where the packs of a group lie, ascending by group, then row. */
struct pack_place {
	uint32_t grp;
	int64_t row, mint, maxt;
};
struct pack_dir {
	const struct pack_place *v;
	_Atomic uint64_t *ids; /* of each place: cached_pack's; all ones until somebody read it */
	size_t n;
	const uint32_t *first; /* index in v by group; NULL: groups are sparse, search */
	size_t n_first;
};

/* The packs of a group. */
struct pack_range {
	size_t from, to;
};
struct pack_range pack_group(const struct pack_dir *d, uint32_t grp);

static inline uint64_t pack_id_bit(uint32_t series)
{
	return UINT64_C(1) << (series & 63);
}

/* As far as is known, the pack at place i holds chunks of the series; of the range. */
static inline bool place_may_hold(const struct pack_dir *d, size_t i, uint32_t series)
{
	return (atomic_load_explicit(&d->ids[i], memory_order_relaxed) & pack_id_bit(series)) != 0;
}
static inline bool place_overlaps(const struct pack_place *p, int64_t mint, int64_t maxt)
{
	return p->mint <= maxt && p->maxt >= mint;
}

/* A chunk in a pack: views into the object. */
struct cached_chunk {
	uint32_t series, len;
	int64_t mint, maxt;
	const char *p;
};
struct cached_pack {
	const struct cached_chunk *v; /* by series, then mint */
	size_t n;
	uint64_t ids; /* pack_id_bit of its series */
	bool single;  /* each of them has one chunk, and a bit of its own */
};
/* Where the chunk of a series stands, if it has one and the pack is single. */
static inline size_t pack_rank(const struct cached_pack *k, uint32_t series)
{
	return (size_t)__builtin_popcountll(k->ids & (pack_id_bit(series) - 1));
}
/* Where the first chunk of a series would stand. */
size_t pack_find(const struct cached_pack *k, uint32_t series);

/* The partition's directory as of now. cached_put when done. */
int pack_cache_dir(struct pack_cache *c, struct part *p, struct cached **ref, struct pack_dir *out,
	struct err *e) MUST_CHECK;
/* A pack by its row. ERR_CORRUPT when it is damaged. */
int pack_cache_pack(struct pack_cache *c, struct part *p, int64_t row, struct cached **ref,
	struct cached_pack *out, struct err *e) MUST_CHECK;
/* The same for a pack that is in memory; false: it is not. */
bool pack_cache_has(struct pack_cache *c, uint64_t uid, int64_t row, struct cached **ref,
	struct cached_pack *out);
/* Asks for the memory in which pack_cache_pack will find a pack: first its place in the table,
 * then, with `object`, what stands there. */
void pack_cache_ask(struct pack_cache *c, uint64_t uid, int64_t row, bool object);
void cached_put(struct cached *ref);
/* What the object takes. */
size_t cached_bytes(const struct cached *ref);

#endif
