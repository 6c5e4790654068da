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
#include "storage/db.h"
#include "storage/pack.h"
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

static int read_pack(struct str blob, bool verify, uint32_t id, int64_t mint, int64_t maxt,
	struct cols *c, struct arena *a, struct err *e)
{
	struct pack_reader r;
	struct pack_entry x;
	int rc;

	if (pack_open(&r, blob, verify, e) != 0)
		return -1;
	while ((rc = pack_next(&r, &x, e)) == 1 && x.series <= id) {
		if (x.series != id || x.mint > maxt || x.maxt < mint)
			continue;
		if (codec_decode(x.chunk, c, a, e) != 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static int read_part(struct part *p, uint32_t id, int64_t mint, int64_t maxt, struct cols *c,
	struct arena *a, struct err *e)
{
	struct part_reader *r = part_reader_get(p, e);
	int rc;

	if (r == NULL)
		return -1;
	(void)sqlite3_bind_int64(r->find, 1, id >> p->shift);
	(void)sqlite3_bind_int64(r->find, 2, mint);
	(void)sqlite3_bind_int64(r->find, 3, maxt);
	while ((rc = db_step_row(r->find, "read chunks", e)) == 1) {
		int64_t row = sqlite3_column_int64(r->find, 1);
		int64_t *seen = &r->verified[(uint64_t)row % ARRAY_LEN(r->verified)];
		size_t n = c->n;

		if (read_pack(db_column_str(r->find, 0), *seen != row, id, mint, maxt, c, a, e) ==
			0) {
			*seen = row; /* the other series of the pack need no checksum */
			continue;
		}
		if (e->kind != ERR_CORRUPT) {
			rc = -1;
			break;
		}
		c->n = n; /* a damaged pack hides its samples, not those of the others */
		METRIC_DROP("storage", "corrupt_pack", 1);
		log_error("storage", "msg=\"damaged chunks are skipped\" file=%s err=\"%s\"",
			p->path, e->msg);
	}
	part_reader_put(r);
	return rc;
}

int series_read(struct store *st, uint32_t id, int64_t mint, int64_t maxt, struct cols *c,
	struct arena *a, struct err *e)
{
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
		rc = read_part(l.v[i], id, mint, maxt, c, a, e);
	unlist_parts(&l);
	if (rc != 0)
		return -1;
	cols_settle(c);
	if (c->failed || a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read a series");
	cols_clip(c, mint, maxt);
	return 0;
}
