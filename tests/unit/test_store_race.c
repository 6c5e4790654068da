/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_race - what was acknowledged answers every read, whatever the store does meanwhile:
 * threads write, flush and read the same series while the clock runs hours a batch, so that strips
 * close, partitions of both levels are made, flushed, rewritten, and series leave memory.
 */
#include <check.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "storage/store_int.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

#define HOUR    INT64_C(3600000)
#define BATCHES 150
#define SERIES  6u /* of a writer, written in every batch */
#define WRITERS 2u
#define READERS 2u
#define KINDS   3u /* rows of a series and batch */

static struct {
	_Atomic int acked[WRITERS]; /* batches below are acknowledged */
	_Atomic bool stop;
	_Atomic uint64_t reads;
	pthread_mutex_t lock;
	char wrong[300]; /* the first thing that was */
} run;

static void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *fmt, ...)
{
	va_list ap;

	(void)pthread_mutex_lock(&run.lock);
	va_start(ap, fmt);
	if (run.wrong[0] == '\0')
		(void)vsnprintf(run.wrong, sizeof run.wrong, fmt, ap);
	va_end(ap);
	(void)pthread_mutex_unlock(&run.lock);
	atomic_store(&run.stop, true);
}

/* Of batch k: in order, late by more than a day, and so old that it goes to a partition of 32 days.
 */
static int64_t time_of(unsigned kind, int k)
{
	switch (kind) {
	case 0: return NOW + k * HOUR;
	case 1: return NOW + k * HOUR - 30 * HOUR + 1;
	default: return NOW - 1500 * HOUR + k * 1000;
	}
}

static struct labels series_of(struct arena *a, const char *name, unsigned w, unsigned i)
{
	struct label *v = ARENA_ARRAY(a, 3, struct label);

	ck_assert_ptr_nonnull(v);
	v[0] = (struct label){LABEL_NAME, str_c(name)};
	v[1] = (struct label){STR("i"), arena_printf(a, "%u", i)};
	v[2] = (struct label){STR("w"), arena_printf(a, "%u", w)};
	return (struct labels){v, 3};
}

static bool write_batch(unsigned w, int k)
{
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);
	struct arena a;
	struct err e;
	size_t want = SERIES * KINDS + 1;
	bool ok;

	arena_init(&a, 1u << 20);
	for (unsigned i = 0; i < SERIES; i++) {
		struct labels ls = series_of(&a, "steady", w, i);

		batch_series_labels(b, ls, labels_hash(ls));
		for (unsigned kind = 0; kind < KINDS; kind++)
			batch_float(b, time_of(kind, k), k, 0);
	}
	{ /* and one that is never written again */
		struct labels ls = series_of(&a, "once", w, (unsigned)k);

		batch_series_labels(b, ls, labels_hash(ls));
		batch_float(b, time_of(0, k), k, 0);
	}
	arena_fini(&a);
	ok = store_submit_wait(fx.st, b, &e) == 0 && batch_result(b)->stored == want;
	if (!ok)
		wrong("batch %d of writer %u: %s", k, w, batch_result(b)->first_msg);
	batch_free(b);
	return ok;
}

static void *write_on(void *arg)
{
	unsigned w = (unsigned)(uintptr_t)arg;

	for (int k = 0; k < BATCHES && !atomic_load(&run.stop) && write_batch(w, k); k++) {
		struct err e;

		atomic_store(&run.acked[w], k + 1);
		if (w == 0)
			clock_inject(NOW + (k + 1) * HOUR, 0);
		else if (k % 3 == 1 && store_flush(fx.st, &e) != 0) /* while the other writes */
			wrong("flush: %s", e.msg);
	}
	return NULL;
}

/* Open the selection of {__name__=name, w=w, i=i}; i below 0: any. */
static struct store_sel *select_some(
	struct arena *a, const char *name, unsigned w, int i, int64_t from, int64_t to)
{
	struct matcher m[3];
	struct store_sel *sel = NULL;
	struct err e;
	size_t n = 0;
	int rc = matcher_init(&m[n++], MATCH_EQ, LABEL_NAME, str_c(name), &e);

	if (rc == 0)
		rc = matcher_init(&m[n++], MATCH_EQ, STR("w"), arena_printf(a, "%u", w), &e);
	if (rc == 0 && i >= 0)
		rc = matcher_init(&m[n++], MATCH_EQ, STR("i"), arena_printf(a, "%d", i), &e);
	if (rc != 0 || store_select(fx.st, m, n, from, to, a, &sel, &e) != 0)
		wrong("select: %s", e.msg);
	while (n > 0)
		matcher_fini(&m[--n]);
	return sel;
}

/* All rows of batches below `acked` are in c. */
static void check_all(const struct store_cols *c, unsigned w, size_t s, int acked)
{
	bool seen[KINDS][BATCHES] = {{false}};

	for (size_t at = 0; at < c->n; at++) {
		int k = (int)c->v[at];
		unsigned kind = 0;

		if (k < 0 || k >= BATCHES || (at > 0 && c->t[at - 1] >= c->t[at])) {
			wrong("series %zu: value %d or order", s, k);
			return;
		}
		while (kind < KINDS && time_of(kind, k) != c->t[at])
			kind++;
		if (kind == KINDS || seen[kind][k]) {
			wrong("series %zu: a row at another time, or twice: %d", s, k);
			return;
		}
		seen[kind][k] = true;
	}
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (int k = 0; k < acked; k++) {
			if (!seen[kind][k])
				wrong("writer %u, series %zu: of %d batches row %u of %d is lost, "
				      "%zu rows",
					w, s, acked, kind, k, c->n);
		}
	}
}

static void read_all(unsigned w)
{
	int acked = atomic_load(&run.acked[w]);
	struct store_sel *sel;
	struct arena a;
	struct err e;

	arena_init(&a, 4u << 20);
	sel = select_some(&a, "steady", w, -1, INT64_MIN, INT64_MAX);
	if (sel != NULL && acked > 0 && store_sel_count(sel) != SERIES)
		wrong("writer %u: %zu series", w, store_sel_count(sel));
	for (size_t s = 0; sel != NULL && s < store_sel_count(sel); s++) {
		struct store_cols c;

		if (store_sel_fetch(sel, s, INT64_MIN, INT64_MAX, &c, &e) != 0)
			wrong("fetch: %s", e.msg);
		else
			check_all(&c, w, s, acked);
	}
	store_sel_close(sel);
	arena_fini(&a);
}

/* One row of one series, nothing around it. */
static void read_one(const char *name, unsigned w, int i, int k, int64_t at)
{
	struct store_sel *sel;
	struct store_cols c = {0};
	struct arena a;
	struct err e;

	arena_init(&a, 1u << 20);
	sel = select_some(&a, name, w, i, at, at);
	if (sel == NULL || store_sel_count(sel) != 1)
		wrong("%s %d of writer %u: not one series", name, i, w);
	else if (store_sel_fetch(sel, 0, at, at, &c, &e) != 0)
		wrong("fetch: %s", e.msg);
	else if (c.n != 1 || c.t[0] != at || c.v[0] != k)
		wrong("%s %d of writer %u: %zu rows at the time of batch %d", name, i, w, c.n, k);
	store_sel_close(sel);
	arena_fini(&a);
}

static void *read_on(void *arg)
{
	uint64_t seed = 7 + (uintptr_t)arg;

	while (!atomic_load(&run.stop)) {
		unsigned w;
		int acked, k;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		w = seed >> 40 & 1;
		acked = atomic_load(&run.acked[w]);
		if (acked == 0)
			continue;
		k = (int)((seed >> 33) % (uint64_t)acked);
		if (seed >> 60 < 4) {
			read_all(w);
		} else if (seed >> 60 < 8) {
			read_one("once", w, k, k, time_of(0, k));
		} else {
			if (seed >> 60 < 12)
				k = acked - 1; /* what has just come */
			read_one("steady", w, (int)(seed >> 50 & 3), k,
				time_of((seed >> 45 & 15) % KINDS, k));
		}
		(void)atomic_fetch_add(&run.reads, 1);
	}
	return NULL;
}

START_TEST(what_was_acknowledged_answers_every_read)
{
	pthread_t writers[WRITERS], others[READERS];
	struct labels ls;

	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	atomic_store(&fx.st->closed_bytes, 2000);
	atomic_store(&run.stop, false);
	atomic_store(&run.reads, 0);
	run.wrong[0] = '\0';
	for (unsigned w = 0; w < WRITERS; w++)
		atomic_store(&run.acked[w], 0);
	(void)pthread_mutex_init(&run.lock, NULL);
	for (uintptr_t i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, write_on, (void *)i), 0);
	for (uintptr_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&others[i], NULL, read_on, (void *)i), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_join(writers[i], NULL), 0);
	atomic_store(&run.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_join(others[i], NULL), 0);
	ck_assert_msg(run.wrong[0] == '\0', "%s", run.wrong);
	ck_assert_uint_gt(atomic_load(&run.reads), 0);
	fx_reopen();
	for (unsigned w = 0; w < WRITERS; w++)
		read_all(w);
	ck_assert_msg(run.wrong[0] == '\0', "after opening again: %s", run.wrong);
	ls = series_of(&fx.arena, "steady", 0, 0);
	ck_assert_uint_ne(store_find_series(fx.st, ls, labels_hash(ls)), 0);
	(void)pthread_mutex_destroy(&run.lock);
	if (getenv("BELFRY_VERBOSE") != NULL)
		printf("%llu reads\n", (unsigned long long)atomic_load(&run.reads));
}
END_TEST

/* Rows committed to a partition's WAL, whose files go away as after a rewrite, between a reader's
 * listing of partitions and its opening of the file. */
START_TEST(a_partition_that_goes_is_never_read_as_empty)
{
	static const char *const suffix[] = {"-wal", "-shm"};
	struct store_sel *sel;
	struct store_cols c;
	struct part *p;
	char path[600];

	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 1, 2).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(fx.st->parts.n, 1);
	p = fx.st->parts.v[0];
	atomic_store(&p->gone, true);
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(path, sizeof path, "%s%s", p->path, suffix[i]);
		ck_assert_int_eq(unlink(path), 0);
	}
	sel = fx_select_name("m", NOW, NOW + 1);
	ck_assert_uint_eq(store_sel_count(sel), 1);
	ck_assert_int_eq(store_sel_fetch(sel, 0, NOW, NOW + 1, &c, &fx.e), -1);
	ck_assert_int_eq(fx.e.kind, ERR_AGAIN);
	store_sel_close(sel);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store_race");
	TCase *t = tcase_create("store_race");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, fx_setup, fx_teardown);
	tcase_add_test(t, what_was_acknowledged_answers_every_read);
	tcase_add_test(t, a_partition_that_goes_is_never_read_as_empty);
	return suite_run(s);
}
