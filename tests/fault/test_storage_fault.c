/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_storage_fault - the n-th write, sync, truncate or create of SQLite fails, for every n, once
 * and from then on: nothing crashes, what was acknowledged stays, and the store recovers.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/store_int.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/suite.h"

#define T0      INT64_C(1700000000000)
#define BATCHES 24u
#define SERIES  7u

static char dir[64];
static struct err e;
static bool acked[BATCHES * 2];

static void on_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

/* In memory where that can be: this test syncs a great deal. */
static void make_dir(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)snprintf(dir, sizeof dir, "%s/belfry-fault-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static struct store *open_store(void)
{
	struct store_opts o = {
		.dir = dir, .ooo_window_ms = INT64_MAX, .max_series = 1000, .min_free = 1};
	struct store *st;

	if (store_open(&st, &o, &e) != 0)
		return NULL;
	atomic_store(&st->segment_bytes, 1500);
	atomic_store(&st->closed_bytes, 100);
	return st;
}

static struct labels labels_of(struct arena *a, unsigned s)
{
	struct label *v = ARENA_ARRAY(a, 2, struct label);

	v[0] = (struct label){LABEL_NAME, STR("fault")};
	v[1] = (struct label){STR("s"), arena_printf(a, "%u", s)};
	return (struct labels){v, 2};
}

static double value(unsigned s, unsigned k)
{
	return s + k * 1.25;
}

static bool put(struct store *st, unsigned k, enum batch_source source)
{
	struct batch *b = batch_new(source);
	struct arena a;
	bool ok;

	arena_init(&a, 1u << 20);
	for (unsigned s = 0; s < SERIES; s++) {
		struct labels ls = labels_of(&a, s + k / 10);

		batch_series_labels(b, ls, labels_hash(ls));
		/* days apart: several partitions */
		batch_float(b, T0 + (int64_t)k * 40000000 + s, value(s, k), 0);
	}
	ok = store_submit_wait(st, b, &e) == 0 && batch_result(b)->fail == ERR_NONE;
	if (ok && batch_result(b)->stored != SERIES)
		ck_abort_msg("batch %u: %s", k, batch_result(b)->first_msg);
	batch_free(b);
	arena_fini(&a);
	return ok;
}

static bool has_row(struct store *st, unsigned k, unsigned s)
{
	struct store_cols c;
	struct store_sel *sel;
	struct matcher m[2];
	struct arena a;
	char number[16];
	bool found;
	int64_t t = T0 + (int64_t)k * 40000000 + s;

	arena_init(&a, 1u << 20);
	(void)snprintf(number, sizeof number, "%u", s + k / 10);
	ck_assert_int_eq(matcher_init(&m[0], MATCH_EQ, LABEL_NAME, STR("fault"), &e), 0);
	ck_assert_int_eq(matcher_init(&m[1], MATCH_EQ, STR("s"), str_c(number), &e), 0);
	ck_assert_int_eq(store_select(st, m, 2, t, t, &a, &sel, &e), 0);
	found = store_sel_count(sel) == 1;
	if (found) {
		if (store_sel_fetch(sel, 0, t, t, &c, &e) != 0)
			ck_abort_msg("%s", e.msg);
		found = c.n == 1;
		ck_assert(!found || c.v[0] == value(s, k));
	}
	store_sel_close(sel);
	matcher_fini(&m[0]);
	matcher_fini(&m[1]);
	arena_fini(&a);
	return found;
}

static void check_acked(struct store *st, unsigned n, long at)
{
	for (unsigned k = 0; k < n; k++) {
		for (unsigned s = 0; acked[k] && s < SERIES; s++) {
			if (!has_row(st, k, s))
				ck_abort_msg("fault %ld: batch %u series %u is missing", at, k, s);
		}
	}
	store_rdlock(st); /* the writer may be tidying up */
	index_check(&st->index);
	head_check(&st->head);
	store_unlock(st);
}

/* Write until all went through again; the clock moves so that the store tries anew. */
static unsigned recover(struct store *st, unsigned from)
{
	unsigned tries = 0;

	fault_vfs_arm(0, 0, false);
	for (unsigned k = from; k < from + 4; k++) {
		do {
			clock_inject(clock_wall_ms() + 60000, 1);
			acked[k] = put(st, k, BATCH_REMOTE_WRITE);
			if (!acked[k])
				(void)usleep(5000);
		} while (!acked[k] && ++tries < 400);
		ck_assert(acked[k]);
	}
	return from + 4;
}

/* One life with a fault at operation n; false when n is beyond the work. */
static bool one_fault(long n, int code, bool persistent)
{
	char cmd[128];
	struct store *st;
	unsigned all = BATCHES;
	bool hit;

	memset(acked, 0, sizeof acked);
	make_dir();
	clock_inject(T0 + INT64_C(86400000) * 20, 1);
	fault_vfs_arm(n, code, persistent);
	st = open_store();
	if (st != NULL) {
		for (unsigned k = 0; k < BATCHES; k++) {
			acked[k] = put(st, k, BATCH_REMOTE_WRITE);
			if (k % 8 == 7)
				(void)!store_flush(st, &e);
		}
		hit = fault_vfs_hit();
		all = recover(st, BATCHES);
		check_acked(st, all, n);
		store_close(st);
	} else {
		hit = fault_vfs_hit();
		ck_assert(hit);
		fault_vfs_arm(0, 0, false);
	}
	st = open_store();
	if (st == NULL)
		ck_abort_msg("fault %ld: reopening: %s", n, e.msg);
	check_acked(st, all, n);
	store_close(st);
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
	clock_restore();
	return hit;
}

static void every_fault(int code, bool persistent, long step)
{
	long n = 1;

	if (getenv("FAULT_EACH") != NULL)
		step = 1; /* for a night */
	while (one_fault(n, code, persistent)) {
		n += step;
		ck_assert_int_lt(n, 100000);
	}
	ck_assert_int_gt(n, 50);
}

START_TEST(a_full_disk_at_any_write_loses_nothing_acknowledged)
{
	every_fault(SQLITE_FULL, false, 9);
}
END_TEST

START_TEST(a_disk_that_stays_full_loses_nothing_acknowledged)
{
	every_fault(SQLITE_FULL, true, 11);
}
END_TEST

START_TEST(an_input_output_error_at_any_write_loses_nothing_acknowledged)
{
	every_fault(SQLITE_IOERR_WRITE, false, 10);
}
END_TEST

START_TEST(scrapes_live_in_memory_while_the_disk_is_full_and_are_kept_afterwards)
{
	struct store_stats stats;
	struct store *st;
	struct batch *b;
	char cmd[128];

	memset(acked, 0, sizeof acked);
	make_dir();
	clock_inject(T0 + INT64_C(86400000) * 20, 1);
	st = open_store();
	ck_assert_ptr_nonnull(st);
	acked[0] = put(st, 0, BATCH_SCRAPE);
	fault_vfs_arm(1, SQLITE_FULL, true);
	for (unsigned k = 1; k < 8; k++)
		acked[k] = put(st, k, BATCH_SCRAPE);
	ck_assert(acked[7]);
	store_stats(st, &stats);
	ck_assert(stats.disk_full);
	check_acked(st, 8, 0); /* rules see fresh data */
	b = batch_new(BATCH_REMOTE_WRITE);
	ck_assert_int_eq(store_submit_wait(st, b, &e), -1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
	batch_free(b);
	(void)recover(st, 8);
	store_stats(st, &stats);
	ck_assert(!stats.disk_full);
	check_acked(st, 12, 0);
	store_close(st);
	st = open_store();
	ck_assert_ptr_nonnull(st);
	check_acked(st, 12, 0);
	store_close(st);
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
	clock_restore();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storage_fault");
	TCase *t = tcase_create("storage_fault");

	fault_vfs_install();
	log_capture(on_line, NULL);
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 240);
	tcase_add_test(t, a_full_disk_at_any_write_loses_nothing_acknowledged);
	tcase_add_test(t, a_disk_that_stays_full_loses_nothing_acknowledged);
	tcase_add_test(t, an_input_output_error_at_any_write_loses_nothing_acknowledged);
	tcase_add_test(t, scrapes_live_in_memory_while_the_disk_is_full_and_are_kept_afterwards);
	return suite_run(s);
}
