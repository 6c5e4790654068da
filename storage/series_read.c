/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series_read - all samples of one series in a range: memory first, then partitions.
 *
 * The order matters: a strip leaves memory only after its partition's commit, so what is no
 * longer in memory when the lock is held can be read from the partitions listed then. What is read
 * twice is dropped by cols_settle. A partition whose files went away meanwhile (a rewrite took its
 * place, or retention did) may have been opened without its WAL: then all is read again.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/uninit.h"
#include "storage/codec.h"
#include "storage/store_int.h"

#define MEMO_WIDE  1024u             /* packs */
#define MEMO_WORTH 64u               /* misses among the few */
#define MEMO_BYTES ((size_t)4 << 20) /* held beside what the cache holds */
#define READ_TRIES 5                 /* a rewrite or retention between two of them is rare */

/* One series_read. */
struct reading {
	struct store *st;
	uint32_t id;
	int64_t mint, maxt;
	struct cols *c;
	struct arena *a;
	struct read_memo *m;
	struct cols_pieces *pieces;
};

struct part_list {
	struct part *few[40];
	struct part **v;
	size_t n, cap;
};

static void list_parts(struct part_list *l, const struct parts *ps, int64_t mint, int64_t maxt)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (ps->v[i]->start > maxt)
			break;
		if (ps->v[i]->end <= mint)
			continue;
		if (l->n == l->cap) {
			size_t cap = l->cap * 2;
			struct part **v = malloc(cap * sizeof(struct part *));

			ASSERT(v != NULL);
			memcpy(v, l->v, l->n * sizeof(struct part *));
			if (l->v != l->few)
				free(l->v);
			l->v = v;
			l->cap = cap;
		}
		l->v[l->n++] = part_ref(ps->v[i]);
	}
}

static void unlist_parts(struct part_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		part_unref(l->v[i]);
	if (l->v != l->few)
		free(l->v);
}

/* Chunks of the series in the pack that overlap the range. */
static int read_pack(const struct reading *r, const struct cached_pack *k, struct err *e)
{
	size_t lo = pack_find(k, r->id);

	for (; lo < k->n && k->v[lo].series == r->id; lo++) {
		const struct cached_chunk *x = &k->v[lo];
		size_t at = r->c->n;

		if (x->mint > r->maxt || x->maxt < r->mint)
			continue;
		cols_piece(r->pieces, at);
		if (codec_decode(str_n(x->p, x->len), r->c, r->a, e) != 0)
			return -1;
		if (x->mint < r->mint || x->maxt > r->maxt) /* before they are put in order */
			cols_clip_from(r->c, at, r->mint, r->maxt);
	}
	return 0;
}

static void forget_packs(struct read_memo *m)
{
	struct memo_pack *v = m->wide != NULL ? m->wide : m->few;
	size_t n = m->wide != NULL ? MEMO_WIDE : MEMO_FEW;

	for (size_t i = 0; i < n; i++) {
		cached_put(v[i].ref);
		v[i].ref = NULL;
	}
	m->bytes = 0;
}

struct memo_pack *read_memo_slot(struct read_memo *m, uint64_t uid, int64_t row)
{
	uint64_t h =
		((uint64_t)row + uid * UINT64_C(0xc2b2ae3d27d4eb4f)) * UINT64_C(0x9e3779b97f4a7c15);

	return m->wide != NULL ? &m->wide[h >> 32 & (MEMO_WIDE - 1)]
			       : &m->few[h >> 32 & (MEMO_FEW - 1)];
}

/* A selection in the order of labels goes through the packs of many groups in turn. */
static void make_room(struct read_memo *m)
{
	if (m->bytes > MEMO_BYTES)
		forget_packs(m);
	if (m->wide == NULL && ++m->misses > MEMO_WORTH) {
		struct memo_pack *wide = calloc(MEMO_WIDE, sizeof *wide);

		m->misses = 0;
		if (wide == NULL)
			return;
		forget_packs(m);
		m->wide = wide;
	}
}

/* An empty place for the pack. */
static struct memo_pack *free_slot(struct read_memo *m, uint64_t uid, int64_t row)
{
	struct memo_pack *k;

	make_room(m);
	k = read_memo_slot(m, uid, row);
	if (k->ref != NULL)
		m->bytes -= cached_bytes(k->ref);
	cached_put(k->ref);
	k->ref = NULL;
	k->uid = uid;
	k->row = row;
	return k;
}

static void fill_slot(struct read_memo *m, struct memo_pack *k, struct cached *ref)
{
	k->ref = ref;
	m->bytes += cached_bytes(ref);
}

void read_memo_keep(struct store *st, struct read_memo *m, uint64_t uid, int64_t row)
{
	struct memo_pack *k = read_memo_slot(m, uid, row);
	struct cached_pack chunks;
	struct cached *ref;

	if (memo_pack_is(k, uid, row) || !pack_cache_has(&st->cache, uid, row, &ref, &chunks))
		return; /* what stands there stays: series_read will fetch the pack, or not */
	k = free_slot(m, uid, row);
	k->chunks = chunks;
	fill_slot(m, k, ref);
}

/* The pack, from the memo when it was read lately. */
static const struct cached_pack *get_pack(
	struct store *st, struct part *p, int64_t row, struct read_memo *m, struct err *e)
{
	struct memo_pack *k = read_memo_slot(m, p->uid, row);
	struct cached *ref;

	if (memo_pack_is(k, p->uid, row))
		return &k->chunks;
	k = free_slot(m, p->uid, row);
	if (pack_cache_pack(&st->cache, p, row, &ref, &k->chunks, e) != 0)
		return NULL;
	fill_slot(m, k, ref);
	return &k->chunks;
}

static const struct pack_dir *get_dir(
	struct store *st, struct part *p, struct read_memo *m, struct err *e)
{
	struct memo_dir *d = &m->dirs[p->uid % MEMO_DIRS];
	uint64_t content = atomic_load(&p->content);
	struct cached *ref;

	if (d->ref != NULL && d->uid == p->uid && d->content == content)
		return &d->places;
	cached_put(d->ref);
	d->ref = NULL;
	if (pack_cache_dir(&st->cache, p, &ref, &d->places, e) != 0)
		return NULL;
	d->ref = ref;
	d->uid = p->uid;
	d->content = content;
	d->shift = p->shift;
	return &d->places;
}

void read_memo_fini(struct read_memo *m)
{
	for (size_t i = 0; i < MEMO_DIRS; i++)
		cached_put(m->dirs[i].ref);
	forget_packs(m);
	free(m->wide);
}

/* Rows of the series from the pack at place i, which learns which series stand there. */
static int read_place(const struct reading *r, struct part *p, const struct pack_dir *dir, size_t i,
	struct err *e)
{
	const struct cached_pack *pack = get_pack(r->st, p, dir->v[i].row, r->m, e);

	if (pack == NULL)
		return -1;
	if (atomic_load_explicit(&dir->ids[i], memory_order_relaxed) != pack->ids)
		atomic_store_explicit(&dir->ids[i], pack->ids, memory_order_relaxed);
	return read_pack(r, pack, e);
}

static int read_part(const struct reading *r, struct part *p, struct err *e)
{
	const struct pack_dir *dir = get_dir(r->st, p, r->m, e);
	struct pack_range at;

	if (dir == NULL)
		return -1;
	at = pack_group(dir, r->id >> p->shift);
	for (size_t i = at.from; i < at.to; i++) {
		size_t n = r->c->n, pieces = r->pieces->n;

		if (!place_may_hold(dir, i, r->id) ||
			!place_overlaps(&dir->v[i], r->mint, r->maxt) ||
			read_place(r, p, dir, i, e) == 0)
			continue;
		if (e->kind != ERR_CORRUPT)
			return -1;
		r->c->n = n; /* a damaged pack hides its samples, not those of the others */
		r->pieces->n = pieces;
		METRIC_DROP("storage", "corrupt_pack", 1);
		log_error("storage", "msg=\"damaged chunks are skipped\" file=%s err=\"%s\"",
			p->path, e->msg);
	}
	return 0;
}

/* Memory, then the partitions listed under the same hold of the lock. *again: one of them is gone,
 * so that neither success nor failure says anything. */
static int read_once(const struct reading *r, bool *again, struct err *e)
{
	struct part_list UNINIT l;
	const struct series *s;
	int rc = 0;

	l.v = l.few;
	l.n = 0;
	l.cap = ARRAY_LEN(l.few);
	store_rdlock(r->st);
	s = index_get(&r->st->index, r->id);
	if (s != NULL) {
		if (s->hd != NULL)
			rc = head_read(&r->st->head, s->hd, r->mint, r->maxt, r->c, r->a, e);
		if (rc == 0 && (s->hd == NULL || r->mint <= s->hd->disk_maxt))
			list_parts(&l, &r->st->parts, MAX_OF(r->mint, s->mint),
				MIN_OF(r->maxt, s->maxt));
	}
	store_unlock(r->st);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = read_part(r, l.v[i], e);
	*again = false;
	for (size_t i = 0; i < l.n; i++) /* set before its files are touched */
		*again = *again || atomic_load(&l.v[i]->gone);
	unlist_parts(&l);
	return rc;
}

static int read_all(const struct reading *r, struct err *e)
{
	size_t n = r->c->n;

	for (int i = 0; i < READ_TRIES; i++) {
		bool again;
		int rc = read_once(r, &again, e);

		if (!again)
			return rc;
		r->c->n = n;
		r->pieces->n = 0;
	}
	return err_set(e, ERR_AGAIN, 0, "partitions were replaced while they were read");
}

int series_read(struct store *st, uint32_t id, int64_t mint, int64_t maxt, struct cols *c,
	struct arena *a, struct read_memo *memo, struct err *e)
{
	struct cols_pieces UNINIT pieces;
	struct reading r = {st, id, mint, maxt, c, a, memo, &pieces};
	struct read_memo UNINIT none;
	int rc;

	pieces.n = 0;
	if (memo != NULL) {
		rc = read_all(&r, e);
	} else {
		none = (struct read_memo){0};
		r.m = &none;
		rc = read_all(&r, e);
		read_memo_fini(&none);
	}
	if (rc != 0)
		return -1;
	cols_settle_pieces(c, &pieces);
	if (c->failed || a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read a series");
	cols_clip(c, mint, maxt);
	return 0;
}
