/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_cache - what was read of partitions lately: directories (which pack holds which series when)
 * and packs, parsed, in at most STORE_CACHE_BYTES of memory, the least recently used go first.
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
	int64_t mint, maxt, row;
	_Atomic uint64_t ids; /* as in cached_pack; all ones until somebody has read it */
	uint32_t grp;
};
struct pack_dir {
	struct pack_place *v;
	size_t n;
	const uint32_t *first; /* index in v by group; NULL: groups are sparse, search */
	size_t n_first;
};

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
};
static inline uint64_t pack_id_bit(uint32_t series)
{
	return UINT64_C(1) << (series & 63);
}

/* The partition's directory as of now. cached_put when done. */
int pack_cache_dir(struct pack_cache *c, struct part *p, struct cached **ref, struct pack_dir *out,
	struct err *e) MUST_CHECK;
/* A pack by its row. ERR_CORRUPT when it is damaged. */
int pack_cache_pack(struct pack_cache *c, struct part *p, int64_t row, struct cached **ref,
	struct cached_pack *out, struct err *e) MUST_CHECK;
void cached_put(struct cached *ref);
/* What the object takes. */
size_t cached_bytes(const struct cached *ref);

#endif
