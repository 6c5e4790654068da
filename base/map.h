/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - open-addressing table from a 64-bit hash to pointers; the caller compares what it finds.
 *
 * Several entries may share a hash: iterate with map_next until NULL. Linear probing, deletion by
 * shifting back, load factor at most 3/4. Hashes must be well mixed (base/hash.h). Owner: whoever
 * called map_init; values are the caller's. Growth aborts without memory: bound the entries
 * yourself.
 */
#ifndef BELFRY_BASE_MAP_H
#define BELFRY_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t hash;
	void *value; /* NULL: free */
};

struct map {
	struct map_slot *slots;
	size_t cap; /* power of two, or 0 */
	size_t n;
};

struct map_iter {
	size_t pos;
	uint64_t hash;
};

void map_init(struct map *m);
void map_fini(struct map *m);
void map_add(struct map *m, uint64_t hash, void *value);
/* First and next value with this hash, NULL at the end. No changes in between. */
void *map_first(const struct map *m, uint64_t hash, struct map_iter *it);
void *map_next(const struct map *m, struct map_iter *it);
/* Asks for the memory that map_first will look at. */
static inline void map_prefetch(const struct map *m, uint64_t hash)
{
	if (m->cap > 0)
		__builtin_prefetch(&m->slots[hash & (m->cap - 1)]);
}
/* Remove exactly this entry; nothing happens when it is not there. */
void map_remove(struct map *m, uint64_t hash, const void *value);
/* Walk over all: start with *pos = 0; NULL at the end. No changes in between. */
void *map_each(const struct map *m, size_t *pos);

#endif
