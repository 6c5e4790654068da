/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series_warm - asks for the memory that the next series' reading will touch.
 *
 * A series' samples are strewn over some thirty cache lines, each found by way of another: read
 * one by one, a query over hundreds of series does little but wait for memory. Here each step of
 * the way is taken for a dozen series before the next step, so that they wait together. Nothing
 * depends on it: what is not found here is found by series_read.
 */
#include "base/assert.h"
#include "base/num.h"
#include "base/uninit.h"
#include "storage/store_int.h"

#define HITS_MAX   256u /* packs; what is more is found by series_read */
#define LINES_MAX  8u   /* of a group's bits: the processor goes on by itself */
#define CHUNK_MAX  4u   /* lines of a chunk */
#define CELLS_MAX  4u   /* of a strip */
#define LINE_BYTES 64u

/* A pack that may hold chunks of a series. */
struct hit {
	const struct pack_place *at;
	const struct cached_chunk *chunk;
	uint32_t series;
};

struct hits {
	size_t n;
	struct hit v[HITS_MAX];
};

static void ask_lines(const void *p, size_t bytes, size_t most)
{
	const char *at = p;

	for (size_t i = 0; i < most && i * LINE_BYTES < bytes; i++)
		__builtin_prefetch(at + i * LINE_BYTES);
}

static void warm_memory(struct store *st, const uint32_t *ids, size_t n)
{
	const struct head_series *UNINIT hd[WARM_SERIES];
	uint32_t UNINIT cell[WARM_SERIES];
	size_t heads = 0;

	for (size_t i = 0; i < n; i++)
		index_prefetch(&st->index, ids[i]);
	for (size_t i = 0; i < n; i++) {
		const struct series *s = index_get(&st->index, ids[i]);

		if (s == NULL || s->hd == NULL)
			continue;
		hd[heads++] = s->hd;
		ask_lines(s->hd, sizeof *s->hd, 3);
	}
	for (size_t i = 0; i < heads; i++)
		cell[i] = chain_ask(&st->head.cells, &hd[i]->open.bytes);
	for (size_t k = 1; k < CELLS_MAX; k++) {
		for (size_t i = 0; i < heads; i++)
			cell[i] = chain_ask_next(&st->head.cells, cell[i]);
	}
}

/* Places of packs that hold the series. */
static void find_places(struct hits *h, const struct memo_dir *d, const uint32_t *ids, size_t n)
{
	struct pack_range UNINIT at[WARM_SERIES];

	h->n = 0;
	for (size_t k = 0; k < n; k++) {
		at[k] = pack_group(&d->places, ids[k] >> d->shift);
		ask_lines(&d->places.ids[at[k].from],
			(at[k].to - at[k].from) * sizeof *d->places.ids, LINES_MAX);
	}
	for (size_t k = 0; k < n; k++) {
		for (size_t i = at[k].from; i < at[k].to && h->n < HITS_MAX; i++) {
			if (!place_may_hold(&d->places, i, ids[k]))
				continue;
			h->v[h->n++] = (struct hit){.at = &d->places.v[i], .series = ids[k]};
			__builtin_prefetch(&d->places.v[i]);
		}
	}
}

static void keep_overlapping(struct hits *h, int64_t mint, int64_t maxt)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (place_overlaps(h->v[i].at, mint, maxt))
			h->v[kept++] = h->v[i];
	}
	h->n = kept;
}

/* The packs into the memo, as far as they are in memory. */
static void find_packs(
	struct hits *h, struct store *st, const struct memo_dir *d, struct read_memo *m)
{
	for (size_t i = 0; i < h->n; i++) {
		__builtin_prefetch(read_memo_slot(m, d->uid, h->v[i].at->row));
		pack_cache_ask(&st->cache, d->uid, h->v[i].at->row, false);
	}
	for (size_t i = 0; i < h->n; i++) {
		struct memo_pack *k = read_memo_slot(m, d->uid, h->v[i].at->row);

		if (memo_pack_is(k, d->uid, h->v[i].at->row))
			continue;
		if (k->ref != NULL) /* it will give way */
			__builtin_prefetch(k->ref, 1);
		pack_cache_ask(&st->cache, d->uid, h->v[i].at->row, true);
	}
	for (size_t i = 0; i < h->n; i++)
		read_memo_keep(st, m, d->uid, h->v[i].at->row);
}

static void warm_chunks(struct hits *h, const struct memo_dir *d, struct read_memo *m)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct pack_place *at = h->v[i].at;
		const struct memo_pack *k = read_memo_slot(m, d->uid, at->row);
		size_t n = k->chunks.n, rank;

		/* another hit may have taken its place */
		h->v[i].chunk = NULL;
		if (!memo_pack_is(k, d->uid, at->row) || n == 0)
			continue;
		rank = k->chunks.single ? pack_rank(&k->chunks, h->v[i].series) : n / 2;
		h->v[i].chunk = &k->chunks.v[MIN_OF(rank, n - 1)];
		__builtin_prefetch(h->v[i].chunk);
	}
	for (size_t i = 0; i < h->n; i++) {
		const struct cached_chunk *c = h->v[i].chunk;

		if (c != NULL && c->series == h->v[i].series)
			ask_lines(c->p, c->len, CHUNK_MAX);
	}
}

void series_warm(struct store *st, const uint32_t *ids, size_t n, int64_t mint, int64_t maxt,
	struct read_memo *memo)
{
	struct hits UNINIT h;

	ASSERT(n <= WARM_SERIES);
	store_rdlock(st);
	warm_memory(st, ids, n);
	store_unlock(st);
	for (size_t i = 0; i < MEMO_DIRS; i++) {
		const struct memo_dir *d = &memo->dirs[i];

		if (d->ref == NULL || d->places.n == 0)
			continue;
		find_places(&h, d, ids, n);
		keep_overlapping(&h, mint, maxt);
		find_packs(&h, st, d, memo);
		warm_chunks(&h, d, memo);
	}
}
