/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_upkeep - what the store does to its files over time: retention, rewriting, damage,
 * readers beside it. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "storage/store.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

/* Let the store see a later time and take a turn. */
static void pass_time(int64_t now)
{
	clock_inject(now, 0);
	ck_assert_uint_eq(fx_put(fx_series("tick", 0), now, 1).stored, 1);
	for (int i = 0; i < 3; i++) { /* turns of the writer after the commit */
		struct batch *b = batch_new(BATCH_SELF);

		(void)fx_submit(b);
	}
}

static size_t files(const char *pattern)
{
	char cmd[160];
	size_t n = 0;
	FILE *f;

	(void)snprintf(cmd, sizeof cmd, "ls %s/metrics/%s 2>/dev/null | wc -l", fx.dir, pattern);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu", &n), 1);
	(void)pclose(f);
	return n;
}

#define DAY INT64_C(86400000)

START_TEST(retention_unlinks_whole_days_and_forgets_their_series)
{
	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	for (int64_t d = 5; d >= 0; d--)
		ck_assert_uint_eq(fx_put(fx_series("m", (unsigned)d), NOW - d * DAY, 1).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(files("d1_*.db"), 6);
	fx.opts.retention_ms = 2 * DAY;
	store_reconfigure(fx.st, &fx.opts);
	/* quiet series leave memory first, so that the index may forget them */
	pass_time(NOW + 3700000);
	pass_time(NOW + 3702000);
	pass_time(NOW + 3900000);
	ck_assert_uint_eq(fx_rows_of("m"), 3);
	ck_assert_uint_eq(files("d1_*.db"), 3);
	ck_assert_uint_eq(
		store_find_series(fx.st, fx_series("m", 5), labels_hash(fx_series("m", 5))), 0);
	ck_assert_uint_ne(
		store_find_series(fx.st, fx_series("m", 0), labels_hash(fx_series("m", 0))), 0);
	fx_reopen();
	ck_assert_uint_eq(fx_rows_of("m"), 3);
	ck_assert_uint_eq(fx_put(fx_series("m", 5), NOW + 3900000, 1).stored, 1);
	fx_reopen();
	ck_assert_uint_eq(fx_rows_of("m"), 4);
}
END_TEST

START_TEST(retention_waits_when_the_clock_jumps)
{
	fx.opts.ooo_window_ms = INT64_MAX;
	fx.opts.retention_ms = 2 * DAY;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	pass_time(NOW + 61000);
	fx_reopen();
	pass_time(NOW + 10 * DAY); /* as if the clock had been set while the process was down */
	pass_time(NOW + 10 * DAY + 120000);
	ck_assert_uint_eq(fx_rows_of("m"), 1);
	/* a rewrite of the partition may have to end first */
	for (int64_t i = 0; i < 20000 && fx_rows_of("m") > 0; i++)
		pass_time(NOW + 10 * DAY + 3900000 + i * 61000);
	ck_assert_uint_eq(fx_rows_of("m"), 0);
}
END_TEST

START_TEST(retention_by_size_removes_the_oldest_first)
{
	uint64_t seed = 3;

	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	for (int64_t d = 4; d >= 0; d--) {
		struct batch *b = fx_batch_for(fx_series("m", 1), BATCH_IMPORT);

		for (int i = 0; i < 30000; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 99;
			batch_float(b, NOW - d * DAY - 40000000 + i * 1000,
				f64_from_bits(seed >> 12), 0);
		}
		ck_assert_uint_eq(fx_submit(b).stored, 30000);
	}
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	fx.opts.retention_size = 700000;
	store_reconfigure(fx.st, &fx.opts);
	pass_time(NOW + 61000);
	ck_assert_uint_lt(fx_rows_of("m"), 90001);
	ck_assert_uint_gt(fx_rows_of("m"), 29999);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 4 * DAY - 40000000, 1).stored, 1);
}
END_TEST

START_TEST(a_finished_partition_is_rewritten_and_reads_the_same)
{
	struct store_sel *sel;
	struct store_cols c;

	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	for (unsigned k = 0; k < 30; k++) {
		struct batch *b = batch_new(BATCH_IMPORT);

		for (unsigned s = 0; s < 100; s++) {
			struct labels ls = fx_series("m", s);

			batch_series_labels(b, ls, labels_hash(ls));
			for (unsigned i = 0; i < 10; i++)
				batch_float(
					b, NOW - 5 * DAY + (k * 10 + i) * 1000, s + i * 0.5 + k, 0);
		}
		ck_assert_uint_eq(fx_submit(b).stored, 1000);
		if (k % 7 == 6)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(files("d1_*.0.db"), 1);
	for (int64_t i = 1; i < 5000 && files("d1_*.1.db") == 0; i++)
		pass_time(NOW + 700000 + i * 2000);
	ck_assert_uint_eq(files("d1_*.1.db"), 1);
	ck_assert_uint_eq(files("*.tmp"), 0);
	/* late rows go on into the new file */
	ck_assert_uint_eq(fx_put(fx_series("m", 3), NOW - 5 * DAY - 1000, 7).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		sel = fx_select_name("m", INT64_MIN, INT64_MAX);
		ck_assert_uint_eq(store_sel_count(sel), 100);
		for (size_t n = 0; n < 100; n++) {
			long long s;

			c = fx_fetch(sel, n, NOW - 5 * DAY, NOW);
			ck_assert(str_to_i64(labels_get(store_sel_labels(sel, n), STR("i")), &s));
			ck_assert_uint_eq(c.n, 300);
			for (unsigned i = 0; i < 300; i++)
				ck_assert(c.v[i] == (double)s + i % 10 * 0.5 + i / 10);
		}
		store_sel_close(sel);
		ck_assert_uint_eq(fx_rows_of("m"), 30001);
		if (pass == 0)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		else
			fx_reopen();
	}
}
END_TEST

START_TEST(a_quiet_series_leaves_memory_and_comes_back)
{
	struct store_stats s;

	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	for (int64_t i = 1; i < 100; i++) {
		pass_time(NOW + 1860000 + i * 2000);
		store_stats(fx.st, &s);
		if (s.active_series == 1)
			break;
		if (i == 3)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
	ck_assert_uint_eq(s.active_series, 1);
	ck_assert_uint_eq(fx_rows_of("m"), 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 2).refused[REFUSED_DUPLICATE], 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 1900000, 2).stored, 1);
	ck_assert_uint_eq(fx_rows_of("m"), 2);
	fx_reopen();
	ck_assert_uint_eq(fx_rows_of("m"), 2);
}
END_TEST

/* Overwrite bytes of the only file that matches. */
static void damage(const char *pattern, long at, size_t n)
{
	char cmd[200], path[200];
	FILE *f;

	(void)snprintf(cmd, sizeof cmd, "ls %s/metrics/%s", fx.dir, pattern);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%199s", path), 1);
	(void)pclose(f);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_ne(fputc('#', f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_damaged_partition_is_moved_aside_and_the_rest_answers)
{
	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 3 * DAY, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 2).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	store_close(fx.st);
	damage("d1_*72.0.db", 0, 4096);
	fx_open_store();
	ck_assert_uint_eq(fx_rows_of("m"), 1);
	ck_assert_uint_eq(files("d1_*72.0.db.corrupt-*"), 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 3 * DAY, 1).stored, 1);
	ck_assert_uint_eq(fx_rows_of("m"), 2);
}
END_TEST

START_TEST(a_damaged_chunk_hides_only_itself)
{
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", i), NOW, i).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	store_close(fx.st);
	damage("d1_*.db", -16384 - 300, 3); /* in the table's page, before the index's */
	fx_open_store();
	ck_assert_uint_lt(fx_rows_of("m"), 300);
	ck_assert_uint_gt(fx_rows_of("m"), 200);
}
END_TEST

START_TEST(a_damaged_journal_is_moved_aside_and_the_store_opens)
{
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 1, 1).stored, 1);
	store_close(fx.st);
	damage("j*.db-wal", 0, 100);
	fx_open_store();
	ck_assert_uint_eq(files("j*.db.corrupt-*[0-9]"), 1);
	ck_assert_uint_eq(fx_rows_of("m"), 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 2, 1).stored, 1);
	fx_reopen();
	ck_assert_uint_eq(fx_rows_of("m"), 2);
}
END_TEST

static _Atomic bool reading;

/* Row i of a series lies at NOW + i with value i: whatever a reader sees is a prefix. */
static void *read_on(void *arg)
{
	struct err err;
	size_t least = 0;

	(void)arg;
	while (atomic_load(&reading)) {
		struct matcher m;
		struct store_sel *sel;
		struct arena a;

		arena_init(&a, 1u << 24);
		ck_assert_int_eq(matcher_init(&m, MATCH_RE, STR("i"), STR("[0-3]"), &err), 0);
		ck_assert_int_eq(store_select(fx.st, &m, 1, NOW, NOW + 100000, &a, &sel, &err), 0);
		for (size_t s = 0; s < store_sel_count(sel); s++) {
			struct store_cols c;

			ck_assert_int_eq(store_sel_fetch(sel, s, NOW, NOW + 100000, &c, &err), 0);
			if (s == 0) {
				ck_assert_uint_ge(c.n, least);
				least = c.n;
			}
			for (size_t i = 0; i < c.n; i++) {
				ck_assert_int_eq(c.t[i], NOW + (int64_t)i);
				ck_assert(c.v[i] == (double)i);
			}
		}
		store_sel_close(sel);
		matcher_fini(&m);
		arena_fini(&a);
	}
	return NULL;
}

START_TEST(readers_see_a_prefix_at_every_moment)
{
	pthread_t readers[2];

	atomic_store(&reading, true);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, NULL), 0);
	for (unsigned k = 0; k < 300; k++) {
		struct batch *b = batch_new(BATCH_REMOTE_WRITE);

		for (unsigned s = 0; s < MIN_OF(40u, 4 + k); s++) {
			struct labels ls = fx_series("m", s);

			batch_series_labels(b, ls, labels_hash(ls));
			for (unsigned i = 0; i < 10; i++)
				batch_float(b, NOW + k * 10 + i, k * 10 + i, 0);
		}
		(void)fx_submit(b);
		if (k % 20 == 10)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
	atomic_store(&reading, false);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
	ck_assert_uint_ge(fx_rows_of("m"), 4 * 3000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store_upkeep");
	TCase *t = tcase_create("store_upkeep");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, fx_setup, fx_teardown);
	tcase_add_test(t, retention_unlinks_whole_days_and_forgets_their_series);
	tcase_add_test(t, retention_waits_when_the_clock_jumps);
	tcase_add_test(t, retention_by_size_removes_the_oldest_first);
	tcase_add_test(t, a_finished_partition_is_rewritten_and_reads_the_same);
	tcase_add_test(t, a_quiet_series_leaves_memory_and_comes_back);
	tcase_add_test(t, a_damaged_partition_is_moved_aside_and_the_rest_answers);
	tcase_add_test(t, a_damaged_chunk_hides_only_itself);
	tcase_add_test(t, a_damaged_journal_is_moved_aside_and_the_store_opens);
	tcase_add_test(t, readers_see_a_prefix_at_every_moment);
	return suite_run(s);
}
