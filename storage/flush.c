/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush - closed strips become sealed chunks in the files of their partitions.
 *
 * Rows carry the generation of the coming checkpoint: until that is complete a crash undoes them
 * and the journal brings the samples back, so that no sample is ever kept twice. The journal
 * names the partition before it is written to.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/seam.h"
#include "storage/codec.h"
#include "storage/pack.h"
#include "storage/store_int.h"

struct flush {
	struct store *st;
	struct part *part;
	struct pack_writer pack;
	struct buf blob;
	struct codec codec;
	struct cols cols;
	struct arena arena;
	uint32_t grp;
	uint32_t series;
	struct err *e;
};

static int open_part(struct flush *f, const struct closed *c)
{
	struct store *st = f->st;
	struct part *p = parts_find(&st->parts, c->level, c->part_start);

	if (p == NULL || p->intent_gen != st->journal.gen + 1) {
		if (journal_add_intent(&st->journal, c->level, c->part_start, f->e) != 0)
			return -1;
	}
	if (p == NULL) {
		p = part_create(&st->parts, c->level, c->part_start, f->e);
		if (p == NULL)
			return -1;
		store_wrlock(st);
		parts_insert(&st->parts, p);
		store_unlock(st);
	}
	p->intent_gen = st->journal.gen + 1;
	f->part = p;
	return part_begin(p, f->e);
}

static int put_pack(struct flush *f)
{
	if (f->pack.n == 0)
		return 0;
	if (!pack_finish(&f->pack, &f->blob))
		return err_set(f->e, ERR_LIMIT, 0, "no memory to write chunks");
	if (part_insert(f->part, f->grp, f->st->journal.gen + 1, f->pack.mint, f->pack.maxt,
		    buf_view(&f->blob), f->e) != 0)
		return -1;
	pack_reset(&f->pack);
	return 0;
}

static void put_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	struct flush *f = arg;

	pack_add(&f->pack, f->series, c->t[from], c->t[to - 1], chunk);
}

/* Strips [from, to) of one series and partition: decoded together, encoded anew. */
static int put_series(struct flush *f, struct closed **v, size_t from, size_t to)
{
	uint32_t grp = v[from]->series >> f->part->shift;

	if (grp != f->grp && put_pack(f) != 0)
		return -1;
	f->grp = grp;
	f->series = v[from]->series;
	cols_reset(&f->cols);
	arena_reset(&f->arena);
	for (size_t i = from; i < to; i++) {
		struct str bytes = str_n((const char *)v[i]->bytes, v[i]->len);

		if (strip_decode(bytes, 0, &f->cols, &f->arena, f->e) != 0)
			return -1;
	}
	cols_settle(&f->cols);
	if (f->cols.failed || codec_encode(&f->codec, &f->cols, put_chunk, f) != 0)
		return err_set(f->e, ERR_LIMIT, 0, "no memory to seal chunks");
	SEAM_CRASH("chunk.sealed");
	return 0;
}

static bool same_part(const struct closed *a, const struct closed *b)
{
	return a->part_start == b->part_start && a->level == b->level;
}

/* Strips [from, to) of one partition, in a transaction of its own. */
static int put_part(struct flush *f, struct closed **v, size_t from, size_t to)
{
	if (open_part(f, v[from]) != 0)
		return -1;
	f->grp = v[from]->series >> f->part->shift;
	for (size_t i = from, k; i < to; i = k) {
		for (k = i + 1; k < to && v[k]->series == v[i]->series; k++)
			;
		if (put_series(f, v, i, k) != 0)
			return -1;
	}
	if (put_pack(f) != 0 || part_commit(f->part, f->e) != 0)
		return -1;
	SEAM_CRASH("chunk.committed");
	return 0;
}

static void count_chunks(const struct codec *k)
{
	static const char *const label[FLOATS_MODES] = {"encoding=\"integer\"",
		"encoding=\"decimal\"", "encoding=\"xor\"", "encoding=\"plain\""};
	static const char name[] = "belfry_storage_chunks_total";
	static const char help[] = "Chunks sealed, by the encoding of their values.";

	for (size_t i = 0; i < FLOATS_MODES; i++)
		metric_add(metric_counter(name, help, label[i]), k->chunks[i]);
	metric_add(metric_counter(name, help, "encoding=\"histogram\""), k->hist_chunks);
}

/* How many of the sorted strips make a slice of about max: whole groups of series. */
static size_t slice(const struct head *h, size_t max)
{
	struct closed *const *v = h->closed + h->first_closed;
	size_t all = h->sorted_closed - h->first_closed, n = MIN_OF(max, all);

	while (n > 0 && n < all && same_part(v[n - 1], v[n]) &&
		v[n - 1]->series >> PART_SHIFT == v[n]->series >> PART_SHIFT)
		n++;
	return n;
}

/* Write n sorted strips; those of partitions that worked leave memory. */
static int write_slice(struct flush *f, size_t n)
{
	struct store *st = f->st;
	int rc = 0;

	for (size_t k; n > 0 && rc == 0; n -= k) {
		struct closed **v = st->head.closed + st->head.first_closed;

		for (k = 1; k < n && same_part(v[0], v[k]); k++)
			;
		pack_reset(&f->pack);
		f->part = NULL;
		rc = put_part(f, v, 0, k);
		if (rc != 0) {
			if (f->part != NULL)
				part_rollback(f->part);
			break;
		}
		store_wrlock(st);
		head_drop_closed(&st->head, k);
		store_unlock(st);
	}
	return rc;
}

int flush_closed(struct store *st, size_t max, struct err *e)
{
	struct flush f = {.st = st, .e = e};
	struct head *h = &st->head;
	int rc = 0;

	if (h->n_closed == h->first_closed)
		return 0;
	pack_init(&f.pack);
	buf_init(&f.blob, (size_t)128 << 20);
	codec_init(&f.codec);
	cols_init(&f.cols);
	arena_init(&f.arena, (size_t)1 << 30);
	do {
		if (h->sorted_closed == h->first_closed)
			head_sort_closed(h); /* readers follow the series' own lists */
		rc = write_slice(&f, slice(h, max > 0 ? max : SIZE_MAX));
	} while (rc == 0 && max == 0 && h->n_closed > h->first_closed);
	arena_fini(&f.arena);
	cols_fini(&f.cols);
	count_chunks(&f.codec);
	codec_fini(&f.codec);
	buf_fini(&f.blob);
	pack_fini(&f.pack);
	parts_close_writers(&st->parts, false);
	return rc;
}
