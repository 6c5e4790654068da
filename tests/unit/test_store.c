/* SPDX-License-Identifier: Apache-2.0 */
/* test_store - the store as its users see it: submit, select, reopen, flush, late rows, limits. */
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

#define NOW INT64_C(1700000000000)

static char dir[64];
static struct store *st;
static struct store_opts opts;
static struct err e;
static struct arena arena;

static void open_store(void)
{
	if (store_open(&st, &opts, &e) != 0)
		ck_abort_msg("%s", e.msg);
}

static void reopen(void)
{
	store_close(st);
	open_store();
}

static void setup(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	opts = (struct store_opts){.dir = dir,
		.ooo_window_ms = 3600000,
		.max_series = 100000,
		.min_free = 1,
		.commit_ms = 100};
	clock_inject(NOW, 0);
	arena_init(&arena, (size_t)256 << 20);
	open_store();
}

static void teardown(void)
{
	char cmd[128];

	store_close(st);
	arena_fini(&arena);
	clock_restore();
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* name{job="x", i="<n>"} */
static struct labels series(const char *name, unsigned n)
{
	struct label *v = ARENA_ARRAY(&arena, 3, struct label);

	v[0] = (struct label){LABEL_NAME, arena_str(&arena, str_c(name))};
	v[1] = (struct label){STR("i"), arena_printf(&arena, "%u", n)};
	v[2] = (struct label){STR("job"), STR("x")};
	return (struct labels){v, 3};
}

static struct batch *batch_for(struct labels ls, enum batch_source source)
{
	struct batch *b = batch_new(source);

	batch_series_labels(b, ls, labels_hash(ls));
	return b;
}

static struct batch_result submit(struct batch *b)
{
	struct batch_result r;

	if (store_submit_wait(st, b, &e) != 0)
		ck_abort_msg("%s", e.msg);
	r = *batch_result(b);
	batch_free(b);
	return r;
}

static struct batch_result put(struct labels ls, int64_t t, double v)
{
	struct batch *b = batch_for(ls, BATCH_REMOTE_WRITE);

	batch_float(b, t, v, 0);
	return submit(b);
}

static struct store_sel *select_name(const char *name, int64_t mint, int64_t maxt)
{
	struct matcher m;
	struct store_sel *sel;

	ck_assert_int_eq(matcher_init(&m, MATCH_EQ, LABEL_NAME, str_c(name), &e), 0);
	if (store_select(st, &m, 1, mint, maxt, &arena, &sel, &e) != 0)
		ck_abort_msg("%s", e.msg);
	matcher_fini(&m);
	return sel;
}

static struct store_cols fetch(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt)
{
	struct store_cols c;

	if (store_sel_fetch(sel, i, mint, maxt, &c, &e) != 0)
		ck_abort_msg("%s", e.msg);
	return c;
}

START_TEST(a_sample_is_found_after_submit_after_flush_and_after_reopening)
{
	for (int round = 0; round < 4; round++) {
		struct store_sel *sel;
		struct store_cols c;

		ck_assert_uint_eq(put(series("m", 1), NOW + round, 1.5 + round).stored, 1);
		if (round == 1)
			ck_assert_int_eq(store_flush(st, &e), 0);
		if (round == 2)
			reopen();
		sel = select_name("m", NOW, NOW + 100);
		ck_assert_uint_eq(store_sel_count(sel), 1);
		ck_assert(labels_eq(store_sel_labels(sel, 0), series("m", 1)));
		c = fetch(sel, 0, NOW, NOW + 100);
		ck_assert_uint_eq(c.n, (size_t)round + 1);
		for (int i = 0; i <= round; i++) {
			ck_assert_int_eq(c.t[i], NOW + i);
			ck_assert(c.v[i] == 1.5 + i);
		}
		store_sel_close(sel);
	}
}
END_TEST

/* Values that no shortcut of an encoding may change. */
static double odd_value(unsigned i, uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	switch (*seed >> 60) {
	case 0: return stale_nan();
	case 1: return -0.0;
	case 2: return INFINITY;
	case 3: return f64_from_bits(*seed | UINT64_C(0x7ff0000000000001));
	case 4: return (double)(*seed >> 40);
	case 5:
	case 6:
	case 7: return i;
	case 8: return f64_from_bits(*seed);
	case 9: return (double)(*seed % 1000) / 100;
	default: return 42;
	}
}

START_TEST(every_bit_comes_back_from_memory_journal_and_partitions)
{
	enum { SERIES = 40, ROWS = 700 };
	static double want[SERIES][ROWS];
	uint64_t seed = 7;

	for (unsigned i = 0; i < ROWS; i++) {
		struct batch *b = batch_new(BATCH_REMOTE_WRITE);

		for (unsigned s = 0; s < SERIES; s++) {
			struct labels ls = series("m", s);

			want[s][i] = odd_value(i, &seed);
			batch_series_labels(b, ls, labels_hash(ls));
			batch_float(b, NOW - 800000 + i * 1000 + s % 3, want[s][i], 0);
		}
		ck_assert_uint_eq(submit(b).stored, SERIES);
		if (i == 300)
			ck_assert_int_eq(store_flush(st, &e), 0);
		if (i == 500)
			reopen();
	}
	for (int round = 0; round < 3; round++) {
		struct store_sel *sel = select_name("m", INT64_MIN, INT64_MAX);

		ck_assert_uint_eq(store_sel_count(sel), SERIES);
		for (size_t k = 0; k < SERIES; k++) {
			struct labels ls = store_sel_labels(sel, k);
			long long s;
			struct store_cols c = fetch(sel, k, INT64_MIN, INT64_MAX);

			ck_assert(str_to_i64(labels_get(ls, STR("i")), &s));
			ck_assert_uint_eq(c.n, ROWS);
			for (unsigned i = 0; i < ROWS; i++) {
				ck_assert_int_eq(c.t[i], NOW - 800000 + i * 1000 + s % 3);
				ck_assert_uint_eq(f64_bits(c.v[i]), f64_bits(want[s][i]));
			}
		}
		store_sel_close(sel);
		if (round == 0)
			reopen();
		else
			ck_assert_int_eq(store_flush(st, &e), 0);
	}
}
END_TEST

START_TEST(rows_come_back_in_order_though_they_came_late)
{
	static const int order[] = {50, 10, 30, 20, 60, 40, 15, 55, 5};
	struct store_sel *sel;
	struct store_cols c;

	for (int pass = 0; pass < 3; pass++) {
		for (size_t i = 0; i < ARRAY_LEN(order); i++)
			ck_assert_uint_eq(
				put(series("m", 1), NOW + order[i] * 1000, order[i]).stored, 1);
		sel = select_name("m", NOW, NOW + 100000);
		c = fetch(sel, 0, NOW, NOW + 100000);
		ck_assert_uint_eq(c.n, ARRAY_LEN(order));
		for (size_t i = 0; i < c.n; i++) {
			ck_assert(i == 0 || c.t[i - 1] < c.t[i]);
			ck_assert(c.v[i] == (double)(c.t[i] - NOW) / 1000);
		}
		store_sel_close(sel);
		if (pass == 0)
			ck_assert_int_eq(store_flush(st, &e), 0);
		else
			reopen();
	}
}
END_TEST

START_TEST(a_repeated_value_is_fine_and_another_is_refused)
{
	struct batch_result r;

	for (int pass = 0; pass < 3; pass++) {
		for (int i = 0; i < 5; i++)
			ck_assert_uint_eq(put(series("m", 1), NOW + i, i).stored, 1);
		for (int i = 0; i < 5; i++) {
			r = put(series("m", 1), NOW + i, i + 100);
			ck_assert_uint_eq(r.stored, 0);
			ck_assert_uint_eq(r.refused[REFUSED_DUPLICATE], 1);
			ck_assert_int_eq(r.first, REFUSED_DUPLICATE);
			ck_assert_ptr_nonnull(strstr(r.first_msg, "m{i=\"1\", job=\"x\"}"));
		}
		if (pass == 0)
			ck_assert_int_eq(store_flush(st, &e), 0);
		else
			reopen();
	}
}
END_TEST

START_TEST(rows_of_one_batch_may_stand_in_any_order)
{
	struct labels ls = series("m", 1);
	struct batch *b = batch_for(ls, BATCH_REMOTE_WRITE);
	struct batch_result r;
	struct store_sel *sel;
	struct store_cols c;

	batch_float(b, NOW + 30, 3, 0);
	batch_float(b, NOW + 10, 1, 0);
	batch_float(b, NOW + 40, 4, 0);
	batch_float(b, NOW + 10, 1, 0);
	batch_float(b, NOW + 10, 9, 0);
	batch_float(b, NOW + 20, 2, 0);
	batch_series_labels(b, ls, labels_hash(ls)); /* the same series once more */
	batch_float(b, NOW + 30, 3, 0);
	batch_float(b, NOW + 30, 8, 0);
	batch_float(b, NOW + 5, 0.5, 0);
	r = submit(b);
	ck_assert_uint_eq(r.refused[REFUSED_DUPLICATE], 2);
	ck_assert_uint_eq(r.stored, 7);
	sel = select_name("m", NOW, NOW + 100);
	c = fetch(sel, 0, NOW, NOW + 100);
	ck_assert_uint_eq(c.n, 5);
	ck_assert(c.v[0] == 0.5 && c.v[1] == 1 && c.v[2] == 2 && c.v[3] == 3 && c.v[4] == 4);
	store_sel_close(sel);
}
END_TEST

START_TEST(times_are_held_against_clock_and_window)
{
	ck_assert_uint_eq(put(series("m", 1), NOW, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW + 600001, 1).refused[REFUSED_TOO_NEW], 1);
	ck_assert_uint_eq(put(series("m", 1), NOW + 600000, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW - 2990000, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW - 3000001, 1).refused[REFUSED_TOO_OLD], 1);
	ck_assert_uint_eq(put(series("m", 2), NOW - 3000001, 1).refused[REFUSED_TOO_OLD], 1);
	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	ck_assert_uint_eq(put(series("m", 1), 5, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), -86400001, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW * 3, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), INT64_MAX, 1).refused[REFUSED_TOO_NEW], 1);
	ck_assert_uint_eq(put(series("m", 1), INT64_MIN, 1).refused[REFUSED_TOO_OLD], 1);
}
END_TEST

START_TEST(samples_around_1970_live_in_partitions_below_zero)
{
	struct store_sel *sel;
	struct store_cols c;

	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	for (int64_t d = -70; d <= 70; d++)
		ck_assert_uint_eq(put(series("m", 1), d * 86400000 + 1, (double)d).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		sel = select_name("m", -INT64_C(70) * 86400000, INT64_C(70) * 86400000);
		c = fetch(sel, 0, -INT64_C(70) * 86400000, INT64_C(70) * 86400000);
		ck_assert_uint_eq(c.n, 140);
		for (size_t i = 0; i < c.n; i++)
			ck_assert(c.v[i] == (double)i - 70);
		store_sel_close(sel);
		ck_assert_int_eq(store_flush(st, &e), 0);
		if (pass > 0)
			reopen();
	}
}
END_TEST

static struct hist sample_hist(unsigned i, double *counts, struct hist_span *spans)
{
	spans[0] = (struct hist_span){-2, 3};
	spans[1] = (struct hist_span){4, 2};
	for (unsigned k = 0; k < 5; k++)
		counts[k] = k * 10 + i + (i % 7 == 3 ? 0.25 : 0);
	return (struct hist){.schema = 3,
		.is_int = i % 7 != 3,
		.reset = i % 4,
		.zero_threshold = 0x1p-128,
		.zero_count = i,
		.count = 1000 + i,
		.sum = i % 11 == 5 ? stale_nan() : 12.5 * i,
		.pos = {spans, counts, 2, 5},
		.neg = {spans + 1, counts + 1, i % 3 == 0 ? 0 : 1, i % 3 == 0 ? 0 : 2}};
}

START_TEST(histograms_floats_and_start_times_mix_in_one_series)
{
	struct labels ls = series("h", 1);
	struct hist_span spans[2];
	double counts[5];

	for (unsigned i = 0; i < 60; i++) {
		struct batch *b = batch_for(ls, BATCH_REMOTE_WRITE);
		struct hist h = sample_hist(i, counts, spans);

		if (i % 10 == 9)
			batch_float(b, NOW + i, i, i % 20 == 9 ? NOW - 5 : 0);
		else
			batch_hist(b, NOW + i, &h, i > 30 ? NOW - 7 : 0);
		ck_assert_uint_eq(submit(b).stored, 1);
		if (i == 40)
			reopen();
	}
	for (int pass = 0; pass < 3; pass++) {
		struct store_sel *sel = select_name("h", NOW, NOW + 100);
		struct store_cols c = fetch(sel, 0, NOW, NOW + 100);

		ck_assert_uint_eq(c.n, 60);
		ck_assert_ptr_nonnull(c.h);
		ck_assert_ptr_nonnull(c.start);
		for (unsigned i = 0; i < 60; i++) {
			struct hist h = sample_hist(i, counts, spans);

			if (i % 10 == 9) {
				ck_assert_ptr_null(c.h[i]);
				ck_assert(c.v[i] == i);
				ck_assert_int_eq(c.start[i], i % 20 == 9 ? NOW - 5 : 0);
			} else {
				ck_assert(hist_eq(c.h[i], &h));
				ck_assert_uint_eq(c.h[i]->reset, h.reset);
				ck_assert_int_eq(c.start[i], i > 30 ? NOW - 7 : 0);
			}
		}
		store_sel_close(sel);
		if (pass == 0)
			ck_assert_int_eq(store_flush(st, &e), 0);
		else
			reopen();
	}
}
END_TEST

static size_t count_matches(enum matcher_op op, const char *name, const char *value)
{
	struct matcher m[2];
	struct store_sel *sel;
	size_t n;

	ck_assert_int_eq(matcher_init(&m[0], MATCH_EQ, LABEL_NAME, STR("m"), &e), 0);
	ck_assert_int_eq(matcher_init(&m[1], op, str_c(name), str_c(value), &e), 0);
	ck_assert_int_eq(store_select(st, m, 2, INT64_MIN, INT64_MAX, &arena, &sel, &e), 0);
	n = store_sel_count(sel);
	store_sel_close(sel);
	ck_assert_int_eq(store_select(st, m + 1, 1, INT64_MIN, INT64_MAX, &arena, &sel, &e), 0);
	ck_assert_uint_ge(store_sel_count(sel), n);
	store_sel_close(sel);
	matcher_fini(&m[0]);
	matcher_fini(&m[1]);
	return n;
}

START_TEST(matchers_find_what_prometheus_would)
{
	for (unsigned i = 0; i < 25; i++)
		ck_assert_uint_eq(put(series("m", i), NOW, 1).stored, 1);
	ck_assert_uint_eq(put(series("other", 1), NOW, 1).stored, 1);
	for (int pass = 0; pass < 2; pass++) {
		ck_assert_uint_eq(count_matches(MATCH_EQ, "i", "7"), 1);
		ck_assert_uint_eq(count_matches(MATCH_NE, "i", "7"), 24);
		ck_assert_uint_eq(count_matches(MATCH_EQ, "none", ""), 25);
		ck_assert_uint_eq(count_matches(MATCH_EQ, "i", ""), 0);
		ck_assert_uint_eq(count_matches(MATCH_NE, "none", ""), 0);
		ck_assert_uint_eq(count_matches(MATCH_NE, "none", "x"), 25);
		ck_assert_uint_eq(count_matches(MATCH_RE, "i", "1|2|99"), 2);
		ck_assert_uint_eq(count_matches(MATCH_RE, "i", "1."), 10);
		ck_assert_uint_eq(count_matches(MATCH_RE, "i", "1.*"), 11);
		ck_assert_uint_eq(count_matches(MATCH_RE, "none", ".*"), 25);
		ck_assert_uint_eq(count_matches(MATCH_RE, "none", ".+"), 0);
		ck_assert_uint_eq(count_matches(MATCH_NRE, "i", "1.*"), 14);
		ck_assert_uint_eq(count_matches(MATCH_NRE, "none", ".+"), 25);
		reopen();
	}
}
END_TEST

START_TEST(label_names_and_values_are_sorted_distinct_and_in_range)
{
	struct str *v;
	size_t n;
	struct matcher m;

	for (unsigned i = 0; i < 12; i++)
		ck_assert_uint_eq(put(series("m", i), NOW + i, 1).stored, 1);
	ck_assert_int_eq(store_label_names(st, NULL, 0, NOW, NOW + 5, 0, &arena, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert(str_eq(v[0], LABEL_NAME) && str_eq(v[1], STR("i")) && str_eq(v[2], STR("job")));
	ck_assert_int_eq(
		store_label_values(st, STR("i"), NULL, 0, NOW, NOW + 11, 0, &arena, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 12);
	ck_assert(str_eq(v[1], STR("1")) && str_eq(v[2], STR("10")) && str_eq(v[3], STR("11")));
	ck_assert_int_eq(
		store_label_values(st, STR("i"), NULL, 0, NOW + 3, NOW + 4, 0, &arena, &v, &n, &e),
		0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(matcher_init(&m, MATCH_RE, STR("i"), STR("[2-4]"), &e), 0);
	ck_assert_int_eq(
		store_label_values(st, STR("i"), &m, 1, NOW, NOW + 11, 2, &arena, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(str_eq(v[0], STR("2")) && str_eq(v[1], STR("3")));
	ck_assert_int_eq(store_label_names(st, &m, 1, NOW, NOW + 11, 0, &arena, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 3);
	matcher_fini(&m);
}
END_TEST

START_TEST(the_newest_sample_that_is_not_stale_is_told)
{
	const struct hist *h;
	int64_t t;
	double v;

	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	ck_assert_uint_eq(put(series("m", 1), NOW - INT64_C(86400000) * 100, 7).stored, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(put(series("m", 1), NOW + i, stale_nan()).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert(store_last_sample(st, series("m", 1), &arena, &t, &v, &h));
		ck_assert_int_eq(t, NOW - INT64_C(86400000) * 100);
		ck_assert(v == 7);
		ck_assert(!store_last_sample(st, series("m", 2), &arena, &t, &v, &h));
		if (pass == 0)
			ck_assert_int_eq(store_flush(st, &e), 0);
		else
			reopen();
	}
}
END_TEST

static char facts[512];

static void on_fact(struct str key, struct str value, void *arg)
{
	size_t n = strlen(facts);

	ck_assert_ptr_null(arg);
	(void)snprintf(
		facts + n, sizeof facts - n, STR_FMT "=" STR_FMT ";", STR_ARG(key), STR_ARG(value));
}

static const char *all_facts(const char *prefix)
{
	facts[0] = 0;
	ck_assert_int_eq(store_state_each(st, str_c(prefix), on_fact, NULL, &e), 0);
	return facts;
}

START_TEST(facts_and_metadata_are_committed_with_their_batch)
{
	struct batch *b = batch_for(series("m", 1), BATCH_STATSD);
	struct store_metadata *m;
	size_t n;

	batch_float(b, NOW, 1, 0);
	batch_state(b, STR("s/a"), STR("1"));
	batch_state(b, STR("s/b"), STR("2"));
	batch_state(b, STR("t/c"), STR("3"));
	batch_metadata(b, STR("m"), STR("counter"), STR("How many."), STR("seconds"));
	ck_assert_uint_eq(submit(b).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert_str_eq(all_facts("s/"), "s/a=1;s/b=2;");
		ck_assert_str_eq(all_facts("t"), "t/c=3;");
		ck_assert_int_eq(store_metadata(st, STR("m"), &arena, &m, &n, &e), 0);
		ck_assert_uint_eq(n, 1);
		ck_assert(str_eq(m->type, STR("counter")) && str_eq(m->unit, STR("seconds")) &&
			  str_eq(m->help, STR("How many.")));
		reopen();
	}
	b = batch_new(BATCH_STATSD);
	batch_state(b, STR("s/a"), STR(""));
	batch_state(b, STR("s/b"), STR("9"));
	ck_assert_int_eq(submit(b).fail, ERR_NONE);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert_str_eq(all_facts("s/"), "s/b=9;");
		reopen();
	}
}
END_TEST

START_TEST(over_max_series_new_ones_are_refused_and_old_ones_go_on)
{
	opts.max_series = 3;
	store_reconfigure(st, &opts);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(put(series("m", i), NOW, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 3), NOW, 1).refused[REFUSED_SERIES_LIMIT], 1);
	ck_assert_uint_eq(put(series("m", 2), NOW + 1, 1).stored, 1);
}
END_TEST

START_TEST(a_batch_by_id_goes_to_the_same_series)
{
	struct batch *b = batch_for(series("m", 1), BATCH_SCRAPE);
	struct store_sel *sel;
	uint32_t id;

	batch_float(b, NOW, 1, 0);
	ck_assert_int_eq(store_submit_wait(st, b, &e), 0);
	id = batch_series_result_id(b, 0);
	batch_free(b);
	ck_assert_uint_ne(id, 0);
	ck_assert_uint_eq(store_find_series(st, series("m", 1), labels_hash(series("m", 1))), id);
	b = batch_new(BATCH_SCRAPE);
	batch_series_id(b, id);
	batch_float(b, NOW + 1, 2, 0);
	batch_series_id(b, id + 1000);
	batch_float(b, NOW + 1, 2, 0);
	ck_assert_int_eq(store_submit_wait(st, b, &e), 0);
	ck_assert_uint_eq(batch_result(b)->stored, 1);
	ck_assert_uint_eq(batch_result(b)->refused[REFUSED_LABELS], 1);
	batch_free(b);
	sel = select_name("m", NOW, NOW + 10);
	ck_assert_uint_eq(fetch(sel, 0, NOW, NOW + 10).n, 2);
	store_sel_close(sel);
}
END_TEST

START_TEST(a_directory_serves_one_store_at_a_time)
{
	struct store *second;

	ck_assert_int_eq(store_open(&second, &opts, &e), -1);
	ck_assert_int_eq(e.kind, ERR_AGAIN);
	ck_assert_ptr_null(second);
}
END_TEST

START_TEST(stats_and_tops_count_what_is_there)
{
	struct store_stats s;
	struct store_top *top;
	size_t n;

	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(put(series("m", i), NOW + i, 1).stored, 1);
	ck_assert_uint_eq(put(series("n", 0), NOW, 1).stored, 1);
	store_stats(st, &s);
	ck_assert_uint_eq(s.series, 6);
	ck_assert_uint_eq(s.active_series, 6);
	ck_assert_int_eq(s.mint, NOW);
	ck_assert_int_eq(s.maxt, NOW + 4);
	ck_assert_int_eq(store_top(st, STORE_TOP_METRICS, 1, &arena, &top, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(top[0].name, STR("m")));
	ck_assert_uint_eq(top[0].count, 5);
	ck_assert_int_eq(store_top(st, STORE_TOP_PAIRS, 10, &arena, &top, &n, &e), 0);
	ck_assert(str_eq(top[0].name, STR("job=x")));
	ck_assert_uint_eq(top[0].count, 6);
	ck_assert_int_eq(store_top(st, STORE_TOP_LABEL_VALUES, 10, &arena, &top, &n, &e), 0);
	ck_assert(str_eq(top[0].name, STR("i")));
}
END_TEST

/* Let the store see a later time and take a turn. */
static void pass_time(int64_t now)
{
	clock_inject(now, 0);
	ck_assert_uint_eq(put(series("tick", 0), now, 1).stored, 1);
	for (int i = 0; i < 3; i++) { /* turns of the writer after the commit */
		struct batch *b = batch_new(BATCH_SELF);

		(void)submit(b);
	}
}

static size_t rows_of(const char *name)
{
	struct store_sel *sel = select_name(name, INT64_MIN, INT64_MAX);
	size_t n = 0;

	for (size_t i = 0; i < store_sel_count(sel); i++)
		n += fetch(sel, i, INT64_MIN, INT64_MAX).n;
	store_sel_close(sel);
	return n;
}

static size_t files(const char *pattern)
{
	char cmd[160];
	size_t n = 0;
	FILE *f;

	(void)snprintf(cmd, sizeof cmd, "ls %s/metrics/%s 2>/dev/null | wc -l", dir, pattern);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu", &n), 1);
	(void)pclose(f);
	return n;
}

#define DAY INT64_C(86400000)

START_TEST(retention_unlinks_whole_days_and_forgets_their_series)
{
	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	for (int64_t d = 5; d >= 0; d--)
		ck_assert_uint_eq(put(series("m", (unsigned)d), NOW - d * DAY, 1).stored, 1);
	ck_assert_int_eq(store_flush(st, &e), 0);
	ck_assert_uint_eq(files("d1_*.db"), 6);
	opts.retention_ms = 2 * DAY;
	store_reconfigure(st, &opts);
	/* quiet series leave memory first, so that the index may forget them */
	pass_time(NOW + 3700000);
	pass_time(NOW + 3702000);
	pass_time(NOW + 3900000);
	ck_assert_uint_eq(rows_of("m"), 3);
	ck_assert_uint_eq(files("d1_*.db"), 3);
	ck_assert_uint_eq(store_find_series(st, series("m", 5), labels_hash(series("m", 5))), 0);
	ck_assert_uint_ne(store_find_series(st, series("m", 0), labels_hash(series("m", 0))), 0);
	reopen();
	ck_assert_uint_eq(rows_of("m"), 3);
	ck_assert_uint_eq(put(series("m", 5), NOW + 3900000, 1).stored, 1);
	reopen();
	ck_assert_uint_eq(rows_of("m"), 4);
}
END_TEST

START_TEST(retention_waits_when_the_clock_jumps)
{
	opts.ooo_window_ms = INT64_MAX;
	opts.retention_ms = 2 * DAY;
	store_reconfigure(st, &opts);
	ck_assert_uint_eq(put(series("m", 1), NOW, 1).stored, 1);
	ck_assert_int_eq(store_flush(st, &e), 0);
	pass_time(NOW + 61000);
	reopen();
	pass_time(NOW + 10 * DAY); /* as if the clock had been set while the process was down */
	pass_time(NOW + 10 * DAY + 120000);
	ck_assert_uint_eq(rows_of("m"), 1);
	/* a rewrite of the partition may have to end first */
	for (int64_t i = 0; i < 20000 && rows_of("m") > 0; i++)
		pass_time(NOW + 10 * DAY + 3900000 + i * 61000);
	ck_assert_uint_eq(rows_of("m"), 0);
}
END_TEST

START_TEST(retention_by_size_removes_the_oldest_first)
{
	uint64_t seed = 3;

	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	for (int64_t d = 4; d >= 0; d--) {
		struct batch *b = batch_for(series("m", 1), BATCH_IMPORT);

		for (int i = 0; i < 30000; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 99;
			batch_float(b, NOW - d * DAY - 40000000 + i * 1000,
				f64_from_bits(seed >> 12), 0);
		}
		ck_assert_uint_eq(submit(b).stored, 30000);
	}
	ck_assert_int_eq(store_flush(st, &e), 0);
	opts.retention_size = 700000;
	store_reconfigure(st, &opts);
	pass_time(NOW + 61000);
	ck_assert_uint_lt(rows_of("m"), 90001);
	ck_assert_uint_gt(rows_of("m"), 29999);
	ck_assert_uint_eq(put(series("m", 1), NOW - 4 * DAY - 40000000, 1).stored, 1);
}
END_TEST

START_TEST(a_finished_partition_is_rewritten_and_reads_the_same)
{
	struct store_sel *sel;
	struct store_cols c;

	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	for (unsigned k = 0; k < 30; k++) {
		struct batch *b = batch_new(BATCH_IMPORT);

		for (unsigned s = 0; s < 100; s++) {
			struct labels ls = series("m", s);

			batch_series_labels(b, ls, labels_hash(ls));
			for (unsigned i = 0; i < 10; i++)
				batch_float(
					b, NOW - 5 * DAY + (k * 10 + i) * 1000, s + i * 0.5 + k, 0);
		}
		ck_assert_uint_eq(submit(b).stored, 1000);
		if (k % 7 == 6)
			ck_assert_int_eq(store_flush(st, &e), 0);
	}
	ck_assert_int_eq(store_flush(st, &e), 0);
	ck_assert_uint_eq(files("d1_*.0.db"), 1);
	for (int64_t i = 1; i < 5000 && files("d1_*.1.db") == 0; i++)
		pass_time(NOW + 700000 + i * 2000);
	ck_assert_uint_eq(files("d1_*.1.db"), 1);
	ck_assert_uint_eq(files("*.tmp"), 0);
	/* late rows go on into the new file */
	ck_assert_uint_eq(put(series("m", 3), NOW - 5 * DAY - 1000, 7).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		sel = select_name("m", INT64_MIN, INT64_MAX);
		ck_assert_uint_eq(store_sel_count(sel), 100);
		for (size_t n = 0; n < 100; n++) {
			long long s;

			c = fetch(sel, n, NOW - 5 * DAY, NOW);
			ck_assert(str_to_i64(labels_get(store_sel_labels(sel, n), STR("i")), &s));
			ck_assert_uint_eq(c.n, 300);
			for (unsigned i = 0; i < 300; i++)
				ck_assert(c.v[i] == (double)s + i % 10 * 0.5 + i / 10);
		}
		store_sel_close(sel);
		ck_assert_uint_eq(rows_of("m"), 30001);
		if (pass == 0)
			ck_assert_int_eq(store_flush(st, &e), 0);
		else
			reopen();
	}
}
END_TEST

START_TEST(a_quiet_series_leaves_memory_and_comes_back)
{
	struct store_stats s;

	ck_assert_uint_eq(put(series("m", 1), NOW, 1).stored, 1);
	for (int64_t i = 1; i < 100; i++) {
		pass_time(NOW + 1860000 + i * 2000);
		store_stats(st, &s);
		if (s.active_series == 1)
			break;
		if (i == 3)
			ck_assert_int_eq(store_flush(st, &e), 0);
	}
	ck_assert_uint_eq(s.active_series, 1);
	ck_assert_uint_eq(rows_of("m"), 1);
	ck_assert_uint_eq(put(series("m", 1), NOW, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW, 2).refused[REFUSED_DUPLICATE], 1);
	ck_assert_uint_eq(put(series("m", 1), NOW + 1900000, 2).stored, 1);
	ck_assert_uint_eq(rows_of("m"), 2);
	reopen();
	ck_assert_uint_eq(rows_of("m"), 2);
}
END_TEST

/* Overwrite bytes of the only file that matches. */
static void damage(const char *pattern, long at, size_t n)
{
	char cmd[200], path[200];
	FILE *f;

	(void)snprintf(cmd, sizeof cmd, "ls %s/metrics/%s", dir, pattern);
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
	opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(st, &opts);
	ck_assert_uint_eq(put(series("m", 1), NOW - 3 * DAY, 1).stored, 1);
	ck_assert_uint_eq(put(series("m", 1), NOW, 2).stored, 1);
	ck_assert_int_eq(store_flush(st, &e), 0);
	store_close(st);
	damage("d1_*72.0.db", 0, 4096);
	open_store();
	ck_assert_uint_eq(rows_of("m"), 1);
	ck_assert_uint_eq(files("d1_*72.0.db.corrupt-*"), 1);
	ck_assert_uint_eq(put(series("m", 1), NOW - 3 * DAY, 1).stored, 1);
	ck_assert_uint_eq(rows_of("m"), 2);
}
END_TEST

START_TEST(a_damaged_chunk_hides_only_itself)
{
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(put(series("m", i), NOW, i).stored, 1);
	ck_assert_int_eq(store_flush(st, &e), 0);
	store_close(st);
	damage("d1_*.db", -16384 - 300, 3); /* in the table's page, before the index's */
	open_store();
	ck_assert_uint_lt(rows_of("m"), 300);
	ck_assert_uint_gt(rows_of("m"), 200);
}
END_TEST

START_TEST(a_damaged_journal_is_moved_aside_and_the_store_opens)
{
	ck_assert_uint_eq(put(series("m", 1), NOW, 1).stored, 1);
	ck_assert_int_eq(store_flush(st, &e), 0);
	ck_assert_uint_eq(put(series("m", 1), NOW + 1, 1).stored, 1);
	store_close(st);
	damage("j*.db-wal", 0, 100);
	open_store();
	ck_assert_uint_eq(files("j*.db.corrupt-*[0-9]"), 1);
	ck_assert_uint_eq(rows_of("m"), 1);
	ck_assert_uint_eq(put(series("m", 1), NOW + 2, 1).stored, 1);
	reopen();
	ck_assert_uint_eq(rows_of("m"), 2);
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
		ck_assert_int_eq(store_select(st, &m, 1, NOW, NOW + 100000, &a, &sel, &err), 0);
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
			struct labels ls = series("m", s);

			batch_series_labels(b, ls, labels_hash(ls));
			for (unsigned i = 0; i < 10; i++)
				batch_float(b, NOW + k * 10 + i, k * 10 + i, 0);
		}
		(void)submit(b);
		if (k % 20 == 10)
			ck_assert_int_eq(store_flush(st, &e), 0);
	}
	atomic_store(&reading, false);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
	ck_assert_uint_ge(rows_of("m"), 4 * 3000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_sample_is_found_after_submit_after_flush_and_after_reopening);
	tcase_add_test(t, every_bit_comes_back_from_memory_journal_and_partitions);
	tcase_add_test(t, rows_come_back_in_order_though_they_came_late);
	tcase_add_test(t, a_repeated_value_is_fine_and_another_is_refused);
	tcase_add_test(t, rows_of_one_batch_may_stand_in_any_order);
	tcase_add_test(t, times_are_held_against_clock_and_window);
	tcase_add_test(t, samples_around_1970_live_in_partitions_below_zero);
	tcase_add_test(t, histograms_floats_and_start_times_mix_in_one_series);
	tcase_add_test(t, matchers_find_what_prometheus_would);
	tcase_add_test(t, label_names_and_values_are_sorted_distinct_and_in_range);
	tcase_add_test(t, the_newest_sample_that_is_not_stale_is_told);
	tcase_add_test(t, facts_and_metadata_are_committed_with_their_batch);
	tcase_add_test(t, over_max_series_new_ones_are_refused_and_old_ones_go_on);
	tcase_add_test(t, a_batch_by_id_goes_to_the_same_series);
	tcase_add_test(t, a_directory_serves_one_store_at_a_time);
	tcase_add_test(t, stats_and_tops_count_what_is_there);
	tcase_add_test(t, retention_unlinks_whole_days_and_forgets_their_series);
	tcase_add_test(t, retention_waits_when_the_clock_jumps);
	tcase_add_test(t, retention_by_size_removes_the_oldest_first);
	tcase_add_test(t, a_finished_partition_is_rewritten_and_reads_the_same);
	tcase_add_test(t, a_quiet_series_leaves_memory_and_comes_back);
	tcase_add_test(t, a_damaged_partition_is_moved_aside_and_the_rest_answers);
	tcase_add_test(t, a_damaged_chunk_hides_only_itself);
	tcase_add_test(t, a_damaged_journal_is_moved_aside_and_the_store_opens);
	tcase_add_test(t, readers_see_a_prefix_at_every_moment);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
