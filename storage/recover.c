/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover - from files to a store that answers: catalog, partitions, then the journal's checkpoint
 * and frames. Nothing is decided anew: what a frame calls late stays late, and chunks of a
 * checkpoint that was not completed are undone before.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "storage/db.h"
#include "storage/pack.h"
#include "storage/store_control.h"
#include "storage/store_int.h"

struct replay {
	struct store *st;
	struct arena arena;
	uint64_t rows, unknown;
};

static int on_series(void *arg, uint32_t id, struct labels ls, struct err *e)
{
	struct replay *r = arg;
	struct index *x = &r->st->index;

	if (id < x->next_id)
		return 0; /* the catalog has it already */
	x->next_id = id;
	if (!index_fit(x) || index_add(x, ls, labels_hash(ls)) != id)
		return err_set(e, ERR_LIMIT, 0, "no memory for series");
	index_get(x, id)->logged = true;
	return 0;
}

static int on_fact(void *arg, struct str key, struct str value, struct err *e)
{
	struct replay *r = arg;

	return smap_set(&r->st->facts, key, value)
		       ? 0
		       : err_set(e, ERR_LIMIT, 0, "no memory for facts");
}

static int on_meta(void *arg, const struct batch_meta *m, struct err *e)
{
	struct replay *r = arg;

	(void)e;
	store_put_meta(r->st, m);
	return 0;
}

static int on_row(void *arg, uint32_t id, bool late, int64_t t, double v, const struct hist *h,
	int64_t start, struct err *e)
{
	struct replay *r = arg;
	const struct series *s = index_get(&r->st->index, id);
	struct head_series *hd;

	(void)e;
	if (s == NULL) {
		r->unknown++;
		return 0;
	}
	hd = head_get(&r->st->head, id);
	if (!late && t > hd->last_t)
		head_append(&r->st->head, hd, t, v, h, start);
	else
		head_late(&r->st->head, hd, t, v, h, start);
	r->rows++;
	return 0;
}

static int on_frame(struct str blob, void *arg, struct err *e)
{
	struct replay *r = arg;
	const struct frame_sink sink = {r, on_series, on_fact, on_meta, on_row};
	struct err why;

	arena_reset(&r->arena);
	if (frame_decode(blob, &sink, &r->arena, &why) == 0)
		return 0;
	if (why.kind != ERR_CORRUPT) {
		*e = why;
		return -1;
	}
	METRIC_DROP("storage", "corrupt_frame", 1);
	log_error("storage", "msg=\"journal frame not understood\" err=\"%s\"", why.msg);
	return 0;
}

static int on_base(struct str blob, void *arg, struct err *e)
{
	struct replay *r = arg;

	return checkpoint_load(r->st, blob, e);
}

static int on_intent(uint8_t level, int64_t start, void *arg, struct err *e)
{
	struct store *st = arg;
	struct part *p = parts_find(&st->parts, level, start);

	return p == NULL ? 0 : part_undo(p, st->journal.gen, e);
}

static int replay_journal(struct store *st, struct err *e)
{
	struct replay r = {.st = st};
	uint64_t bad = 0;
	int rc = -1;

	arena_init(&r.arena, (size_t)1 << 30);
	if ((st->parts.view || journal_each_intent(&st->journal, on_intent, st, e) == 0) &&
		journal_each_base(&st->journal, on_base, &r, &bad, e) == 0 &&
		journal_each_frame(&st->journal, on_frame, &r, &bad, e) == 0)
		rc = 0;
	arena_fini(&r.arena);
	if (bad > 0 || r.unknown > 0) {
		METRIC_DROP("storage", "corrupt_frame", bad);
		log_error("storage",
			"msg=\"parts of the journal are damaged\" blobs=%llu rows_without_series="
			"%llu",
			(unsigned long long)bad, (unsigned long long)r.unknown);
	}
	return rc;
}

static void find_newest(struct store *st)
{
	int64_t ahead = i64_add_sat(clock_wall_ms(), LIMIT_AHEAD_MS);

	st->newest = INT64_MIN;
	for (uint32_t id = 1; id < st->index.next_id; id++) {
		const struct series *s = index_get(&st->index, id);

		if (s != NULL && s->maxt <= ahead)
			st->newest = MAX_OF(st->newest, s->maxt);
	}
}

/* --- without a journal --- */

static int widen_pack(struct store *st, struct str blob, struct err *e)
{
	struct pack_reader r;
	struct pack_entry x;
	int rc;

	if (pack_open(&r, blob, true, e) != 0)
		return -1;
	while ((rc = pack_next(&r, &x, e)) == 1) {
		struct series *s = index_get(&st->index, x.series);

		if (s == NULL)
			continue;
		s->mint = MIN_OF(s->mint, x.mint);
		s->maxt = MAX_OF(s->maxt, x.maxt);
		catalog_touch(&st->catalog, x.series);
	}
	return rc;
}

static int widen_part(struct store *st, struct part *p, struct err *e)
{
	struct part_reader *r = part_reader_get(p, e);
	sqlite3_stmt *all;
	int rc;

	if (r == NULL)
		return -1;
	if (db_prepare(r->db, &all, "SELECT data FROM pack", e) != 0) {
		part_reader_put(r);
		return -1;
	}
	while ((rc = db_step_row(all, "read chunks", e)) == 1) {
		struct err why;

		if (widen_pack(st, db_column_str(all, 0), &why) != 0)
			log_error("storage",
				"msg=\"damaged chunks are skipped\" file=%s err=\"%s\"", p->path,
				why.msg);
	}
	(void)sqlite3_finalize(all);
	part_reader_put(r);
	return rc;
}

/* The time ranges of series that were active stood in the lost checkpoint: read them off the
 * partitions. */
static int rebuild_ranges(struct store *st, struct err *e)
{
	for (size_t i = 0; i < st->parts.n; i++) {
		if (widen_part(st, st->parts.v[i], e) != 0)
			return -1;
	}
	return 0;
}

int recover_run(struct store *st, struct err *e)
{
	int64_t began = clock_real_ns();

	st->head.now = st->now = clock_wall_ms();
	st->head.now_s = (uint32_t)(clock_mono_ms() / 1000);
	if (catalog_load(&st->catalog, &st->index, &st->meta, e) != 0 ||
		parts_open(&st->parts, st->dir, st->db_flags, e) != 0)
		return -1;
	if (journal_recover(&st->journal, st->dir, st->db_flags, st->catalog.gen > 1, e) != 0)
		return -1;
	if (st->journal.db != NULL && replay_journal(st, e) != 0)
		return -1;
	if (st->journal.db == NULL && st->catalog.gen > 1 && rebuild_ranges(st, e) != 0)
		return -1;
	parts_close_writers(&st->parts, false);
	find_newest(st);
	if (st->journal.db == NULL && checkpoint_write(st, e) != 0)
		return -1;
	log_info("storage", "msg=\"store open\" series=%u active=%u frames=%llu ms=%lld",
		st->index.n_series, st->head.n, (unsigned long long)st->journal.frames,
		(long long)((clock_real_ns() - began) / 1000000));
	return 0;
}

/* The journal first: what it speaks of stands in every catalog from its own on, and what it holds
 * that a later checkpoint moved into partitions is read twice, which the reader settles. */
int recover_view(struct store *st, struct err *e)
{
	st->head.now = st->now = clock_wall_ms();
	st->head.now_s = (uint32_t)(clock_mono_ms() / 1000);
	if (journal_open_view(&st->journal, st->dir, e) != 0 ||
		catalog_open_view(&st->catalog, st->dir, e) != 0 ||
		catalog_load(&st->catalog, &st->index, &st->meta, e) != 0 ||
		parts_open_view(&st->parts, st->dir, e) != 0)
		return -1;
	if (st->journal.db != NULL && replay_journal(st, e) != 0)
		return -1;
	if (st->journal.db == NULL && st->catalog.gen > 1 && rebuild_ranges(st, e) != 0)
		return -1;
	journal_close(&st->journal);
	find_newest(st);
	return 0;
}
