/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - all series by id and by labels, and label -> value -> sorted series ids.
 *
 * A series' labels are numbers of interned (name, value) pairs; each pair holds the ascending
 * ids of its series. Ids count from 1, are never reused, and index a table of blocks, so that a
 * series does not move. The storage writer changes the index under the store's write lock and
 * reads it without; all others hold the read lock (struct store's `lock`).
 */
#ifndef BELFRY_STORAGE_INDEX_H
#define BELFRY_STORAGE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/matcher.h"
#include "storage/symtab.h"

#define SERIES_BLOCK 1024u

struct head_series; /* storage/head.h */

struct series {
	uint64_t hash;          /* labels_hash */
	const uint32_t *pairs;  /* pair numbers in label order; NULL: no such series */
	struct head_series *hd; /* NULL: no open chunk, nothing in memory */
	int64_t mint, maxt;     /* times of its samples in all, a little wide; mint > maxt: none */
	uint16_t n_pairs;
	bool logged; /* its labels stand in the journal or the catalog */
};

struct postings {
	uint32_t n, cap; /* cap 0: up to two ids are in `few` */
	union {
		uint32_t few[2];
		uint32_t *ids;
	} u;
};

struct pair {
	uint32_t name, value; /* symbols */
	struct postings post;
};

struct index_name {
	uint32_t symbol, n, cap;
	uint32_t *pairs;
};

struct index {
	struct symtab sym;
	struct series **blocks;
	uint32_t n_blocks;
	uint32_t next_id;  /* ids below exist or existed */
	uint32_t n_series; /* that exist */
	uint32_t *slots;   /* series ids by hash */
	uint32_t mask, used;
	struct pair *pairs; /* pairs[0] is unused */
	uint32_t n_pairs, cap_pairs;
	uint32_t *pair_slots;
	uint32_t pair_mask;
	struct index_name *names; /* in order of first sight */
	uint32_t n_names, cap_names;
	uint32_t *name_of; /* by symbol: index in names + 1 */
	uint32_t cap_name_of;
	uint32_t *pair_block; /* where the next series' pair numbers go */
	uint32_t pair_block_left;
	uint32_t **pair_blocks;
	size_t n_pair_blocks, cap_pair_blocks;
	size_t posting_bytes;
};

void index_init(struct index *x);
void index_fini(struct index *x);

static inline struct series *index_get(const struct index *x, uint32_t id)
{
	struct series *s;

	if (id == 0 || id >= x->next_id || x->blocks[id / SERIES_BLOCK] == NULL)
		return NULL;
	s = &x->blocks[id / SERIES_BLOCK][id % SERIES_BLOCK];
	return s->pairs != NULL ? s : NULL;
}

static inline void index_prefetch(const struct index *x, uint32_t id)
{
	if (id < x->next_id && x->blocks[id / SERIES_BLOCK] != NULL)
		__builtin_prefetch(&x->blocks[id / SERIES_BLOCK][id % SERIES_BLOCK]);
}

/* 0 when unknown. */
uint32_t index_find(const struct index *x, struct labels ls, uint64_t hash);
/* Add a series that is not there; its id, or 0 without memory. */
uint32_t index_add(struct index *x, struct labels ls, uint64_t hash);
/* The same with a given id (>= next_id) and symbols name, value, name, value, ...; at start. */
bool index_load(struct index *x, uint32_t id, const uint32_t *symbols, size_t n_labels);
/* Make hash and postings tables fit n more series at once. */
bool index_reserve(struct index *x, uint32_t n);
/* Blocks up to next_id are there (after next_id was raised). */
bool index_fit(struct index *x);
/* Forget series for which dead() says so: one pass over the postings. Returns how many. */
uint32_t index_drop(struct index *x, bool (*dead)(const struct series *s, void *arg), void *arg);
/* The label set; the array in `a`, the bytes in the index (they live as long as it). */
struct labels index_labels(const struct index *x, const struct series *s, struct arena *a);
static inline const uint32_t *postings_ids(const struct postings *p)
{
	return p->cap == 0 ? p->u.few : p->u.ids;
}
/* Index in names, or UINT32_MAX. */
uint32_t index_name_find(const struct index *x, struct str name);
/* Pair number of name and value, 0 when there is none. */
uint32_t index_pair_find(const struct index *x, struct str name, struct str value);
size_t index_memory(const struct index *x);
/* Aborts when the structure is broken: tests. */
void index_check(const struct index *x);

#endif
