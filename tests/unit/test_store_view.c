/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of a data directory: what a running store acknowledged, from journal and partitions, and
 * nothing in the directory changes.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

#define BEGAN (NOW - 3000000)

static struct store *view;

static void open_view(void)
{
	ck_assert_msg(store_open_view(&view, fx.dir, &fx.e) == 0, "%s", fx.e.msg);
}

static void teardown(void)
{
	store_close_view(view);
	view = NULL;
	fx_teardown();
}

/* Rows of the metric in the view; their sum in *sum. */
static size_t rows(const char *name, double *sum)
{
	struct matcher m = {.op = MATCH_EQ, .name = LABEL_NAME, .value = str_c(name)};
	struct store_sel *sel;
	size_t n = 0;

	*sum = 0;
	ck_assert_int_eq(
		store_select(view, &m, 1, INT64_MIN / 4, INT64_MAX / 4, &fx.arena, &sel, &fx.e), 0);
	for (size_t i = 0; i < store_sel_count(sel); i++) {
		struct store_cols c;

		ck_assert_int_eq(
			store_sel_fetch(sel, i, INT64_MIN / 4, INT64_MAX / 4, &c, &fx.e), 0);
		for (size_t k = 0; k < c.n; k++)
			*sum += c.v[k];
		n += c.n;
	}
	store_sel_close(sel);
	return n;
}

/* Names, sizes and times of all files but SQLite's shared memory. */
static size_t listing(char *out, size_t size)
{
	char dir[128], path[512];
	struct dirent **v;
	size_t at = 0;
	int n;

	snprintf(dir, sizeof dir, "%s/metrics", fx.dir);
	n = scandir(dir, &v, NULL, alphasort);
	ck_assert_int_gt(n, 2);
	for (int i = 0; i < n; i++) {
		struct stat st;

		snprintf(path, sizeof path, "%s/%s", dir, v[i]->d_name);
		if (v[i]->d_name[0] != '.' && strstr(v[i]->d_name, "-shm") == NULL &&
			stat(path, &st) == 0)
			at += (size_t)snprintf(out + at, size - at, "%s %lld %lld.%ld\n",
				v[i]->d_name, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
				st.st_mtim.tv_nsec);
		free(v[i]);
	}
	free(v);
	return at;
}

static void put(unsigned series, int from, int until)
{
	for (int i = from; i < until; i++)
		ck_assert_uint_eq(
			fx_put(fx_series("x", series), BEGAN + i * (int64_t)15000, i).stored, 1);
}

START_TEST(a_view_shows_what_stands_in_the_journal)
{
	double sum;

	put(1, 0, 10);
	put(2, 5, 8);
	open_view();
	ck_assert_uint_eq(rows("x", &sum), 13);
	ck_assert(sum == 45 + 18);
}
END_TEST

START_TEST(a_view_shows_partitions_and_what_came_after_them)
{
	int64_t mint, maxt;
	double sum;

	put(1, 0, 100);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	put(1, 100, 110);
	put(2, 0, 5);
	open_view();
	ck_assert_uint_eq(rows("x", &sum), 115);
	ck_assert(store_time_range(view, &mint, &maxt));
	ck_assert_int_le(mint, BEGAN);
	ck_assert_int_ge(maxt, BEGAN + 109 * 15000);
}
END_TEST

START_TEST(a_view_does_not_see_what_comes_later)
{
	double sum;

	put(1, 0, 3);
	open_view();
	put(1, 3, 6);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	ck_assert_uint_eq(rows("x", &sum), 3);
	store_close_view(view);
	open_view();
	ck_assert_uint_eq(rows("x", &sum), 6);
}
END_TEST

START_TEST(a_view_changes_no_file)
{
	static char before[16384], after[16384];
	double sum;

	put(1, 0, 50);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	put(1, 50, 60);
	(void)listing(before, sizeof before);
	open_view();
	ck_assert_uint_eq(rows("x", &sum), 60);
	store_close_view(view);
	view = NULL;
	(void)listing(after, sizeof after);
	ck_assert_str_eq(before, after);
	put(1, 60, 70); /* and the store goes on */
	ck_assert_uint_eq(fx_rows_of("x"), 70);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
	ck_assert_int_eq(store_open_view(&view, "/nonexistent/belfry", &fx.e), -1);
	ck_assert_ptr_nonnull(strstr(fx.e.msg, "/nonexistent/belfry"));
	ck_assert_ptr_null(view);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store_view");
	TCase *tc = tcase_create("store_view");

	tcase_add_checked_fixture(tc, fx_setup, teardown);
	tcase_add_test(tc, a_view_shows_what_stands_in_the_journal);
	tcase_add_test(tc, a_view_shows_partitions_and_what_came_after_them);
	tcase_add_test(tc, a_view_does_not_see_what_comes_later);
	tcase_add_test(tc, a_view_changes_no_file);
	tcase_add_test(tc, a_directory_that_is_not_there_is_told);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
