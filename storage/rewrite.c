/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite - a finished partition once more, with one chunk a series and packs of a good size.
 *
 * A thread of low priority reads the partition group by group (no read transaction lives long)
 * and writes a new file, <next revision>.tmp. The storage writer then adds what came to the old
 * file meanwhile, renames the new one into place and unlinks the old one: from the rename on the
 * higher revision is the truth (part.c). One rewrite runs at a time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/seam.h"
#include "storage/codec.h"
#include "storage/db.h"
#include "storage/pack.h"
#include "storage/store_int.h"

#define EVERY_MS  30000
#define LATE_MS   3600000 /* a partition's end is this long ago */
#define QUIET_MS  600000  /* nothing was written to it for this long */
#define PACK_WANT 65536   /* bytes of a pack */

struct rewrite {
	struct store *st;
	struct part *old;
	char tmp[600];
	uint32_t shift;
	int64_t max_id, gen; /* rows above either come later */
	pthread_t thread;
	_Atomic bool ended, cancel;
	int rc;
	struct err err;
	/* the thread's */
	sqlite3 *from, *to;
	sqlite3_stmt *read, *insert;
	struct codec codec;
	struct pack_writer pack;
	struct buf blob;
	struct cols cols;
	struct arena arena;
	uint32_t grp, series;
};

/* --- the new file --- */

static int open_new(struct rewrite *w, struct err *e)
{
	char sql[128];

	(void)unlink(w->tmp);
	if (db_open(&w->to, w->tmp, DB_CREATE | DB_BIG_PAGES | DB_ROLLBACK | DB_NO_SYNC, e) != 0 ||
		part_make_schema(w->to, e) != 0)
		return -1;
	(void)snprintf(sql, sizeof sql, "BEGIN; INSERT INTO meta VALUES ('shift', %u)", w->shift);
	if (db_exec(w->to, sql, e) != 0)
		return -1;
	return db_prepare(w->to, &w->insert,
		"INSERT INTO pack (grp, gen, mint, maxt, data) VALUES (?1, ?2, ?3, ?4, ?5)", e);
}

static int put_pack(struct rewrite *w, int64_t gen, struct err *e)
{
	if (w->pack.n == 0)
		return 0;
	if (!pack_finish(&w->pack, &w->blob))
		return err_set(e, ERR_LIMIT, 0, "no memory to rewrite chunks");
	(void)sqlite3_bind_int64(w->insert, 1, w->grp);
	(void)sqlite3_bind_int64(w->insert, 2, gen);
	(void)sqlite3_bind_int64(w->insert, 3, w->pack.mint);
	(void)sqlite3_bind_int64(w->insert, 4, w->pack.maxt);
	db_bind_blob(w->insert, 5, buf_view(&w->blob));
	if (db_step_done(w->insert, "write chunks", e) != 0)
		return -1;
	pack_reset(&w->pack);
	return 0;
}

static int enter_group(struct rewrite *w, uint32_t series, int64_t gen, struct err *e)
{
	if (series >> w->shift != w->grp && put_pack(w, gen, e) != 0)
		return -1;
	w->grp = series >> w->shift;
	w->series = series;
	return 0;
}

static void on_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	struct rewrite *w = arg;

	pack_add(&w->pack, w->series, c->t[from], c->t[to - 1], chunk);
}

/* --- one group of the old file --- */

struct entries {
	struct pack_entry *v;
	size_t n, cap;
	bool failed;
};

static int by_series(const void *a, const void *b)
{
	const struct pack_entry *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->mint < y->mint ? -1 : x->mint > y->mint;
}

static int add_entries(struct rewrite *w, struct entries *l, struct str blob, struct err *e)
{
	struct pack_reader r;
	struct pack_entry x;
	struct str copy = arena_str(&w->arena, blob);
	int rc;

	if (copy.p == NULL)
		return err_set(e, ERR_LIMIT, 0, "a group of chunks is too large to rewrite");
	if (pack_open(&r, copy, true, e) != 0)
		return -1;
	while ((rc = pack_next(&r, &x, e)) == 1) {
		if (l->n == l->cap) {
			l->cap = l->cap * 2 + 256;
			l->v = realloc(l->v, l->cap * sizeof *l->v);
			ASSERT(l->v != NULL);
		}
		l->v[l->n++] = x;
	}
	return rc;
}

static int write_entries(struct rewrite *w, struct entries *l, struct err *e)
{
	qsort(l->v, l->n, sizeof *l->v, by_series);
	for (size_t i = 0, k; i < l->n; i = k) {
		cols_reset(&w->cols);
		if (enter_group(w, l->v[i].series, 0, e) != 0)
			return -1;
		for (k = i; k < l->n && l->v[k].series == l->v[i].series; k++) {
			if (codec_decode(l->v[k].chunk, &w->cols, &w->arena, e) != 0)
				return -1;
		}
		cols_settle(&w->cols);
		if (w->cols.failed || codec_encode(&w->codec, &w->cols, on_chunk, w) != 0)
			return err_set(e, ERR_LIMIT, 0, "no memory to rewrite chunks");
	}
	return 0;
}

static int rewrite_group(struct rewrite *w, int64_t grp, struct err *e)
{
	struct entries l = {0};
	int rc, failed = 0;

	arena_reset(&w->arena);
	(void)sqlite3_bind_int64(w->read, 1, grp);
	(void)sqlite3_bind_int64(w->read, 2, w->max_id);
	(void)sqlite3_bind_int64(w->read, 3, w->gen);
	while (failed == 0 && (rc = db_step_row(w->read, "read chunks", e)) == 1)
		failed = add_entries(w, &l, db_column_str(w->read, 0), e);
	(void)sqlite3_reset(w->read);
	if (failed == 0 && rc < 0)
		failed = -1;
	if (failed == 0 && l.n > 0)
		failed = write_entries(w, &l, e);
	free(l.v);
	return failed;
}

static int64_t next_group(struct rewrite *w, int64_t after, struct err *e)
{
	char sql[96];
	int64_t grp = -1;

	(void)snprintf(sql, sizeof sql, "SELECT coalesce(min(grp), -1) FROM pack WHERE grp > %lld",
		(long long)after);
	return db_get_i64(w->from, sql, &grp, e) == 0 ? grp : -2;
}

/* Groups so small that one series is read without much else, so large that rows are worth it. */
static int choose_shift(struct rewrite *w, struct err *e)
{
	int64_t avg = 0;

	if (db_get_i64(w->from,
		    "SELECT coalesce(sum(length(data)) / count(DISTINCT grp), 0) FROM pack", &avg,
		    e) != 0)
		return -1;
	for (w->shift = w->old->shift; w->shift > 0 && avg > PACK_WANT; avg /= 2)
		w->shift--;
	return 0;
}

static int rewrite_all(struct rewrite *w, struct err *e)
{
	static const char sql[] = "SELECT data FROM pack WHERE grp = ?1 AND id <= ?2 AND gen <= ?3"
				  " ORDER BY id";
	int64_t grp = -1;

	if (db_open(&w->from, w->old->path, DB_READONLY, e) != 0 || choose_shift(w, e) != 0 ||
		db_prepare(w->from, &w->read, sql, e) != 0 || open_new(w, e) != 0)
		return -1;
	while ((grp = next_group(w, grp, e)) >= 0) {
		if (atomic_load(&w->cancel))
			return err_set(e, ERR_CANCEL, 0, "cancelled");
		if (rewrite_group(w, grp, e) != 0)
			return -1;
	}
	if (grp == -2 || put_pack(w, 0, e) != 0)
		return -1;
	return db_exec(w->to, "COMMIT", e);
}

static void close_all(struct rewrite *w)
{
	(void)sqlite3_finalize(w->read);
	(void)sqlite3_finalize(w->insert);
	db_close(w->from);
	db_close(w->to);
	w->read = w->insert = NULL;
	w->from = w->to = NULL;
}

static void *rewrite_main(void *arg)
{
	struct rewrite *w = arg;

	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 15);
	codec_init(&w->codec);
	pack_init(&w->pack);
	buf_init(&w->blob, (size_t)128 << 20);
	cols_init(&w->cols);
	arena_init(&w->arena, (size_t)1 << 30);
	w->rc = rewrite_all(w, &w->err);
	close_all(w);
	arena_fini(&w->arena);
	cols_fini(&w->cols);
	buf_fini(&w->blob);
	pack_fini(&w->pack);
	codec_fini(&w->codec);
	atomic_store(&w->ended, true);
	return NULL;
}

/* --- the storage writer's side --- */

/* Rows that came to the old file since: their chunks as they are, in the new groups. */
static int copy_row(struct rewrite *w, sqlite3_stmt *st, struct err *e)
{
	struct pack_reader r;
	struct pack_entry x;
	int64_t gen = sqlite3_column_int64(st, 0);
	int rc;

	if (pack_open(&r, db_column_str(st, 1), true, e) != 0)
		return -1;
	while ((rc = pack_next(&r, &x, e)) == 1) {
		if (enter_group(w, x.series, gen, e) != 0)
			return -1;
		pack_add(&w->pack, x.series, x.mint, x.maxt, x.chunk);
	}
	return rc != 0 ? -1 : put_pack(w, gen, e);
}

static int copy_rows(struct rewrite *w, struct err *e)
{
	static const char sql[] =
		"SELECT gen, data FROM pack WHERE id > ?1 OR gen > ?2 ORDER BY id";
	sqlite3_stmt *st;
	int rc, failed = 0;

	if (db_open(&w->from, w->old->path, DB_READONLY, e) != 0 ||
		db_open(&w->to, w->tmp, DB_ROLLBACK | DB_NO_SYNC, e) != 0 ||
		db_prepare(w->to, &w->insert,
			"INSERT INTO pack (grp, gen, mint, maxt, data) VALUES (?1, ?2, ?3, ?4, "
			"?5)",
			e) != 0 ||
		db_prepare(w->from, &st, sql, e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, w->max_id);
	(void)sqlite3_bind_int64(st, 2, w->gen);
	if (db_exec(w->to, "BEGIN", e) != 0)
		failed = -1;
	while (failed == 0 && (rc = db_step_row(st, "read chunks", e)) == 1)
		failed = copy_row(w, st, e);
	(void)sqlite3_finalize(st);
	if (failed == 0 && (rc < 0 || db_exec(w->to, "COMMIT", e) != 0))
		failed = -1;
	return failed == 0 ? db_sync_file(w->to, e) : -1;
}

static int copy_late(struct rewrite *w, struct err *e)
{
	int rc;

	pack_init(&w->pack);
	buf_init(&w->blob, (size_t)128 << 20);
	rc = copy_rows(w, e);
	close_all(w);
	pack_fini(&w->pack);
	buf_fini(&w->blob);
	return rc;
}

static int swap_in(struct rewrite *w, struct err *e)
{
	struct store *st = w->st;
	struct part *new = part_next_revision(w->old, w->shift);

	if (rename(w->tmp, new->path) != 0) {
		(void)err_set(e, ERR_IO, errno, "rename %s: %s", w->tmp, err_strerror(errno));
		part_unref(new);
		return -1;
	}
	SEAM_CRASH("rewrite.renamed");
	new->intent_gen = w->old->intent_gen;
	store_wrlock(st);
	parts_remove(&st->parts, w->old);
	parts_insert(&st->parts, new);
	store_unlock(st);
	part_unlink(w->old);
	part_unref(w->old);
	return 0;
}

static void finish(struct rewrite *w)
{
	uint64_t before = part_disk_bytes(w->old);
	struct part *old = w->old;
	struct err e;

	if (w->rc == 0 && copy_late(w, &e) != 0) {
		w->rc = -1;
		w->err = e;
	}
	w->old->in_rewrite = false;
	if (w->rc == 0 && swap_in(w, &e) == 0) {
		metric_inc(metric_counter("belfry_storage_partitions_rewritten_total",
			"Finished partitions rewritten with larger chunks.", NULL));
		log_info("storage", "msg=\"partition rewritten\" bytes_before=%llu",
			(unsigned long long)before);
		return;
	}
	(void)unlink(w->tmp);
	old->keep_as_is = true; /* not tried again by this process */
	if (!atomic_load(&w->cancel))
		log_warn("storage", "msg=\"rewrite failed\" file=%s err=\"%s\"", old->path,
			w->rc != 0 ? w->err.msg : e.msg);
}

void rewrite_stop(struct store *st)
{
	struct rewrite *w = st->rewrite;

	if (w == NULL)
		return;
	atomic_store(&w->cancel, true);
	(void)pthread_join(w->thread, NULL);
	w->rc = -1;
	finish(w);
	free(w);
	st->rewrite = NULL;
}

static bool is_due(const struct store *st, const struct part *p, int64_t now)
{
	uint64_t free_bytes = 0, total = 0;
	struct err e;

	if (p->rev > 0 || p->keep_as_is || p->in_txn || p->end > now - LATE_MS ||
		now - p->written_ms < QUIET_MS)
		return false;
	if (fd_disk_space(st->dir, &free_bytes, &total, &e) != 0)
		return false;
	return free_bytes / 3 > part_disk_bytes(p) + atomic_load(&st->min_free);
}

static void begin(struct store *st, struct part *p)
{
	struct rewrite *w = calloc(1, sizeof *w);
	struct part_reader *r;
	struct err e;

	ASSERT(w != NULL);
	w->st = st;
	w->old = p;
	w->gen = st->journal.gen;
	(void)snprintf(w->tmp, sizeof w->tmp, "%s.tmp", p->path);
	r = part_reader_get(p, &e);
	if (r == NULL ||
		db_get_i64(r->db, "SELECT coalesce(max(id), 0) FROM pack", &w->max_id, &e) != 0)
		p->keep_as_is = true;
	if (r != NULL)
		part_reader_put(r);
	if (p->keep_as_is || pthread_create(&w->thread, NULL, rewrite_main, w) != 0) {
		free(w);
		return;
	}
	p->in_rewrite = true;
	st->rewrite = w;
}

void rewrite_run(struct store *st)
{
	int64_t now = clock_wall_ms(), mono = clock_mono_ms();
	struct rewrite *w = st->rewrite;

	if (w != NULL) {
		if (!atomic_load(&w->ended))
			return;
		(void)pthread_join(w->thread, NULL);
		finish(w);
		free(w);
		st->rewrite = NULL;
	}
	if (mono < st->rewrite_next_ms)
		return;
	for (size_t i = 0; i < st->parts.n; i++) {
		if (is_due(st, st->parts.v[i], now)) {
			begin(st, st->parts.v[i]);
			return;
		}
	}
	st->rewrite_next_ms = mono + EVERY_MS;
}
