/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series_read - all samples of one series in a range: memory first, then partitions.
 *
 * The order matters: a strip leaves memory only after its partition's commit, so what is no
 * longer in memory when the lock is held can be read from the partitions listed then. What is read
 * twice is dropped by cols_settle.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "storage/codec.h"
#include "storage/store_int.h"

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

/* What is asked of a partition, and where it goes. */
struct read_task {
	uint32_t id;
	int64_t mint, maxt;
	struct cols *c;
	struct arena *a;
	struct read_memo *memo;
};

/* Chunks of the series in the pack that overlap the range. */
static int read_pack(const struct cached_pack *k, const struct read_task *t, struct err *e)
{
	size_t lo = 0, n = k->n;

	while (n > 0) {
		size_t half = n / 2;

		if (k->v[lo + half].series < t->id) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	for (; lo < k->n && k->v[lo].series == t->id; lo++) {
		const struct cached_chunk *x = &k->v[lo];

		if (x->mint > t->maxt || x->maxt < t->mint)
			continue;
		if (codec_decode(str_n(x->p, x->len), t->c, t->a, e) != 0)
			return -1;
	}
	return 0;
}

/* The pack, from the memo when it was the last one asked for. */
static int get_pack(
	struct store *st, struct part *p, int64_t row, struct read_memo *m, struct err *e)
{
	struct cached *ref;

	if (m->pack != NULL && m->pack_uid == p->uid && m->pack_row == row)
		return 0;
	if (pack_cache_pack(&st->cache, p, row, &ref, &m->chunks, e) != 0)
		return -1;
	cached_put(m->pack);
	m->pack = ref;
	m->pack_uid = p->uid;
	m->pack_row = row;
	return 0;
}

static int get_dir(struct store *st, struct part *p, struct read_memo *m, struct err *e)
{
	uint64_t content = atomic_load(&p->content);
	struct cached *ref;

	if (m->dir != NULL && m->dir_uid == p->uid && m->dir_content == content)
		return 0;
	if (pack_cache_dir(&st->cache, p, &ref, &m->places, e) != 0)
		return -1;
	cached_put(m->dir);
	m->dir = ref;
	m->dir_uid = p->uid;
	m->dir_content = content;
	return 0;
}

void read_memo_fini(struct read_memo *m)
{
	cached_put(m->dir);
	cached_put(m->pack);
}

static size_t first_of_group(const struct pack_dir *d, uint32_t grp)
{
	size_t lo = 0, n = d->n;

	while (n > 0) {
		size_t half = n / 2;

		if (d->v[lo + half].grp < grp) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

static int read_part(struct store *st, struct part *p, const struct read_task *t, struct err *e)
{
	const struct pack_dir *d = &t->memo->places;
	uint32_t grp = t->id >> p->shift;

	if (get_dir(st, p, t->memo, e) != 0)
		return -1;
	for (size_t i = first_of_group(d, grp); i < d->n && d->v[i].grp == grp; i++) {
		const struct pack_place *at = &d->v[i];
		size_t n = t->c->n;

		if (at->mint > t->maxt || at->maxt < t->mint)
			continue;
		if (get_pack(st, p, at->row, t->memo, e) == 0 &&
			read_pack(&t->memo->chunks, t, e) == 0)
			continue;
		if (e->kind != ERR_CORRUPT)
			return -1;
		t->c->n = n; /* a damaged pack hides its samples, not those of the others */
		METRIC_DROP("storage", "corrupt_pack", 1);
		log_error("storage", "msg=\"damaged chunks are skipped\" file=%s err=\"%s\"",
			p->path, e->msg);
	}
	return 0;
}

int series_read(struct store *st, uint32_t id, int64_t mint, int64_t maxt, struct cols *c,
	struct arena *a, struct read_memo *memo, struct err *e)
{
	struct read_memo none = {0};
	const struct read_task task = {id, mint, maxt, c, a, memo != NULL ? memo : &none};
	struct part_list l = {.cap = ARRAY_LEN(l.few)};
	const struct series *s;
	int rc = 0;

	l.v = l.few;
	store_rdlock(st);
	s = index_get(&st->index, id);
	if (s != NULL) {
		if (s->hd != NULL)
			rc = head_read(&st->head, s->hd, mint, maxt, c, a, e);
		if (rc == 0 && (s->hd == NULL || mint <= s->hd->disk_maxt))
			list_parts(&l, &st->parts, MAX_OF(mint, s->mint), MIN_OF(maxt, s->maxt));
	}
	store_unlock(st);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = read_part(st, l.v[i], &task, e);
	unlist_parts(&l);
	read_memo_fini(&none);
	if (rc != 0)
		return -1;
	cols_settle(c);
	if (c->failed || a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read a series");
	cols_clip(c, mint, maxt);
	return 0;
}
