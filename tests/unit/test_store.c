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
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

START_TEST(a_sample_is_found_after_submit_after_flush_and_after_reopening)
{
	for (int round = 0; round < 4; round++) {
		struct store_sel *sel;
		struct store_cols c;

		ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + round, 1.5 + round).stored, 1);
		if (round == 1)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		if (round == 2)
			fx_reopen();
		sel = fx_select_name("m", NOW, NOW + 100);
		ck_assert_uint_eq(store_sel_count(sel), 1);
		ck_assert(labels_eq(store_sel_labels(sel, 0), fx_series("m", 1)));
		c = fx_fetch(sel, 0, NOW, NOW + 100);
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
			struct labels ls = fx_series("m", s);

			want[s][i] = odd_value(i, &seed);
			batch_series_labels(b, ls, labels_hash(ls));
			batch_float(b, NOW - 800000 + i * 1000 + s % 3, want[s][i], 0);
		}
		ck_assert_uint_eq(fx_submit(b).stored, SERIES);
		if (i == 300)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		if (i == 500)
			fx_reopen();
	}
	for (int round = 0; round < 3; round++) {
		struct store_sel *sel = fx_select_name("m", INT64_MIN, INT64_MAX);

		ck_assert_uint_eq(store_sel_count(sel), SERIES);
		for (size_t k = 0; k < SERIES; k++) {
			struct labels ls = store_sel_labels(sel, k);
			long long s;
			struct store_cols c = fx_fetch(sel, k, INT64_MIN, INT64_MAX);

			ck_assert(str_to_i64(labels_get(ls, STR("i")), &s));
			ck_assert_uint_eq(c.n, ROWS);
			for (unsigned i = 0; i < ROWS; i++) {
				ck_assert_int_eq(c.t[i], NOW - 800000 + i * 1000 + s % 3);
				ck_assert_uint_eq(f64_bits(c.v[i]), f64_bits(want[s][i]));
			}
		}
		store_sel_close(sel);
		if (round == 0)
			fx_reopen();
		else
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
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
				fx_put(fx_series("m", 1), NOW + order[i] * 1000, order[i]).stored,
				1);
		sel = fx_select_name("m", NOW, NOW + 100000);
		c = fx_fetch(sel, 0, NOW, NOW + 100000);
		ck_assert_uint_eq(c.n, ARRAY_LEN(order));
		for (size_t i = 0; i < c.n; i++) {
			ck_assert(i == 0 || c.t[i - 1] < c.t[i]);
			ck_assert(c.v[i] == (double)(c.t[i] - NOW) / 1000);
		}
		store_sel_close(sel);
		if (pass == 0)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		else
			fx_reopen();
	}
}
END_TEST

START_TEST(a_repeated_value_is_fine_and_another_is_refused)
{
	struct batch_result r;

	for (int pass = 0; pass < 3; pass++) {
		for (int i = 0; i < 5; i++)
			ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + i, i).stored, 1);
		for (int i = 0; i < 5; i++) {
			r = fx_put(fx_series("m", 1), NOW + i, i + 100);
			ck_assert_uint_eq(r.stored, 0);
			ck_assert_uint_eq(r.refused[REFUSED_DUPLICATE], 1);
			ck_assert_int_eq(r.first, REFUSED_DUPLICATE);
			ck_assert_ptr_nonnull(strstr(r.first_msg, "m{i=\"1\", job=\"x\"}"));
		}
		if (pass == 0)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		else
			fx_reopen();
	}
}
END_TEST

START_TEST(rows_of_one_batch_may_stand_in_any_order)
{
	struct labels ls = fx_series("m", 1);
	struct batch *b = fx_batch_for(ls, BATCH_REMOTE_WRITE);
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
	r = fx_submit(b);
	ck_assert_uint_eq(r.refused[REFUSED_DUPLICATE], 2);
	ck_assert_uint_eq(r.stored, 7);
	sel = fx_select_name("m", NOW, NOW + 100);
	c = fx_fetch(sel, 0, NOW, NOW + 100);
	ck_assert_uint_eq(c.n, 5);
	ck_assert(c.v[0] == 0.5 && c.v[1] == 1 && c.v[2] == 2 && c.v[3] == 3 && c.v[4] == 4);
	store_sel_close(sel);
}
END_TEST

START_TEST(times_are_held_against_clock_and_window)
{
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 600001, 1).refused[REFUSED_TOO_NEW], 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + 600000, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 2990000, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 3000001, 1).refused[REFUSED_TOO_OLD], 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 2), NOW - 3000001, 1).refused[REFUSED_TOO_OLD], 1);
	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), 5, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), -86400001, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW * 3, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), INT64_MAX, 1).refused[REFUSED_TOO_NEW], 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), INT64_MIN, 1).refused[REFUSED_TOO_OLD], 1);
}
END_TEST

START_TEST(a_clock_that_was_set_back_shuts_nothing_out)
{
	const int64_t day = 86400000;

	fx.opts.ooo_window_ms = 0;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	clock_inject(NOW - day, 0);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - day, 2).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 2), NOW - day, 3).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 2), NOW - 2 * day, 3).refused[REFUSED_TOO_OLD], 1);
}
END_TEST

START_TEST(a_clock_set_back_by_minutes_shuts_nothing_out_either)
{
	const int64_t minute = 60000;

	fx.opts.ooo_window_ms = 0;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 2), NOW, 1).stored, 1);
	for (int64_t t = NOW - 5 * minute; t < NOW; t += minute) {
		clock_inject(t, 0);
		for (unsigned i = 1; i <= 3; i++)
			ck_assert_uint_eq(fx_put(fx_series("m", i), t, 2).stored, 1);
	}
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - 90000, 3).refused[REFUSED_TOO_OLD], 1);
}
END_TEST

static struct batch_result put_rule(int64_t t, double v)
{
	struct batch *b = fx_batch_for(fx_series("r", 1), BATCH_RULES);

	batch_float(b, t, v, 0);
	return fx_submit(b);
}

START_TEST(rules_write_anew_what_time_a_clock_that_was_set_back_shows)
{
	static const double want[] = {20, 1, 21, 2};
	struct store_sel *sel;
	struct store_cols c;

	fx.opts.ooo_window_ms = 0;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(put_rule(NOW - 15000, 1).stored, 1);
	ck_assert_uint_eq(put_rule(NOW, 2).stored, 1);
	/* the slot of a crash once more: what was written first stays */
	ck_assert_uint_eq(put_rule(NOW, 3).stored, 1);
	clock_inject(NOW - 40000, 0);
	ck_assert_uint_eq(put_rule(NOW - 15001, 20).stored, 1);
	ck_assert_uint_eq(put_rule(NOW - 15000, 4).stored, 1);
	ck_assert_uint_eq(put_rule(NOW - 1, 21).stored, 1);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	sel = fx_select_name("r", NOW - 60000, NOW);
	c = fx_fetch(sel, 0, NOW - 60000, NOW);
	ck_assert_uint_eq(c.n, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(c.v[i] == want[i]);
	store_sel_close(sel);
}
END_TEST

START_TEST(samples_around_1970_live_in_partitions_below_zero)
{
	struct store_sel *sel;
	struct store_cols c;

	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	for (int64_t d = -70; d <= 70; d++)
		ck_assert_uint_eq(fx_put(fx_series("m", 1), d * 86400000 + 1, (double)d).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		sel = fx_select_name("m", -INT64_C(70) * 86400000, INT64_C(70) * 86400000);
		c = fx_fetch(sel, 0, -INT64_C(70) * 86400000, INT64_C(70) * 86400000);
		ck_assert_uint_eq(c.n, 140);
		for (size_t i = 0; i < c.n; i++)
			ck_assert(c.v[i] == (double)i - 70);
		store_sel_close(sel);
		ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		if (pass > 0)
			fx_reopen();
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
	struct labels ls = fx_series("h", 1);
	struct hist_span spans[2];
	double counts[5];

	for (unsigned i = 0; i < 60; i++) {
		struct batch *b = fx_batch_for(ls, BATCH_REMOTE_WRITE);
		struct hist h = sample_hist(i, counts, spans);

		if (i % 10 == 9)
			batch_float(b, NOW + i, i, i % 20 == 9 ? NOW - 5 : 0);
		else
			batch_hist(b, NOW + i, &h, i > 30 ? NOW - 7 : 0);
		ck_assert_uint_eq(fx_submit(b).stored, 1);
		if (i == 40)
			fx_reopen();
	}
	for (int pass = 0; pass < 3; pass++) {
		struct store_sel *sel = fx_select_name("h", NOW, NOW + 100);
		struct store_cols c = fx_fetch(sel, 0, NOW, NOW + 100);

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
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		else
			fx_reopen();
	}
}
END_TEST

static size_t count_matches(enum matcher_op op, const char *name, const char *value)
{
	struct matcher m[2];
	struct store_sel *sel;
	size_t n;

	ck_assert_int_eq(matcher_init(&m[0], MATCH_EQ, LABEL_NAME, STR("m"), &fx.e), 0);
	ck_assert_int_eq(matcher_init(&m[1], op, str_c(name), str_c(value), &fx.e), 0);
	ck_assert_int_eq(
		store_select(fx.st, m, 2, INT64_MIN, INT64_MAX, &fx.arena, &sel, &fx.e), 0);
	n = store_sel_count(sel);
	store_sel_close(sel);
	ck_assert_int_eq(
		store_select(fx.st, m + 1, 1, INT64_MIN, INT64_MAX, &fx.arena, &sel, &fx.e), 0);
	ck_assert_uint_ge(store_sel_count(sel), n);
	store_sel_close(sel);
	matcher_fini(&m[0]);
	matcher_fini(&m[1]);
	return n;
}

START_TEST(matchers_find_what_prometheus_would)
{
	for (unsigned i = 0; i < 25; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", i), NOW, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("other", 1), NOW, 1).stored, 1);
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
		fx_reopen();
	}
}
END_TEST

START_TEST(label_names_and_values_are_sorted_distinct_and_in_range)
{
	struct str *v;
	size_t n;
	struct matcher m;

	for (unsigned i = 0; i < 12; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", i), NOW + i, 1).stored, 1);
	ck_assert_int_eq(
		store_label_names(fx.st, NULL, 0, NOW, NOW + 5, 0, &fx.arena, &v, &n, &fx.e), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert(str_eq(v[0], LABEL_NAME) && str_eq(v[1], STR("i")) && str_eq(v[2], STR("job")));
	ck_assert_int_eq(store_label_values(fx.st, STR("i"), NULL, 0, NOW, NOW + 11, 0, &fx.arena,
				 &v, &n, &fx.e),
		0);
	ck_assert_uint_eq(n, 12);
	ck_assert(str_eq(v[1], STR("1")) && str_eq(v[2], STR("10")) && str_eq(v[3], STR("11")));
	ck_assert_int_eq(store_label_values(fx.st, STR("i"), NULL, 0, NOW + 3, NOW + 4, 0,
				 &fx.arena, &v, &n, &fx.e),
		0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(matcher_init(&m, MATCH_RE, STR("i"), STR("[2-4]"), &fx.e), 0);
	ck_assert_int_eq(store_label_values(fx.st, STR("i"), &m, 1, NOW, NOW + 11, 2, &fx.arena, &v,
				 &n, &fx.e),
		0);
	ck_assert_uint_eq(n, 2);
	ck_assert(str_eq(v[0], STR("2")) && str_eq(v[1], STR("3")));
	ck_assert_int_eq(
		store_label_names(fx.st, &m, 1, NOW, NOW + 11, 0, &fx.arena, &v, &n, &fx.e), 0);
	ck_assert_uint_eq(n, 3);
	matcher_fini(&m);
}
END_TEST

START_TEST(the_newest_sample_that_is_not_stale_is_told)
{
	const struct hist *h;
	int64_t t;
	double v;

	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW - INT64_C(86400000) * 100, 7).stored, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", 1), NOW + i, stale_nan()).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert(store_last_sample(fx.st, fx_series("m", 1), &fx.arena, &t, &v, &h));
		ck_assert_int_eq(t, NOW - INT64_C(86400000) * 100);
		ck_assert(v == 7);
		ck_assert(!store_last_sample(fx.st, fx_series("m", 2), &fx.arena, &t, &v, &h));
		if (pass == 0)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		else
			fx_reopen();
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
	ck_assert_int_eq(store_state_each(fx.st, str_c(prefix), on_fact, NULL, &fx.e), 0);
	return facts;
}

START_TEST(facts_and_metadata_are_committed_with_their_batch)
{
	struct batch *b = fx_batch_for(fx_series("m", 1), BATCH_STATSD);
	struct store_metadata *m;
	size_t n;

	batch_float(b, NOW, 1, 0);
	batch_state(b, STR("s/a"), STR("1"));
	batch_state(b, STR("s/b"), STR("2"));
	batch_state(b, STR("t/c"), STR("3"));
	batch_metadata(b, STR("m"), STR("counter"), STR("How many."), STR("seconds"));
	ck_assert_uint_eq(fx_submit(b).stored, 1);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert_str_eq(all_facts("s/"), "s/a=1;s/b=2;");
		ck_assert_str_eq(all_facts("t"), "t/c=3;");
		ck_assert_int_eq(store_metadata(fx.st, STR("m"), &fx.arena, &m, &n, &fx.e), 0);
		ck_assert_uint_eq(n, 1);
		ck_assert(str_eq(m->type, STR("counter")) && str_eq(m->unit, STR("seconds")) &&
			  str_eq(m->help, STR("How many.")));
		fx_reopen();
	}
	b = batch_new(BATCH_STATSD);
	batch_state(b, STR("s/a"), STR(""));
	batch_state(b, STR("s/b"), STR("9"));
	ck_assert_int_eq(fx_submit(b).fail, ERR_NONE);
	for (int pass = 0; pass < 3; pass++) {
		ck_assert_str_eq(all_facts("s/"), "s/b=9;");
		fx_reopen();
	}
}
END_TEST

START_TEST(over_max_series_new_ones_are_refused_and_old_ones_go_on)
{
	fx.opts.max_series = 3;
	store_reconfigure(fx.st, &fx.opts);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", i), NOW, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 3), NOW, 1).refused[REFUSED_SERIES_LIMIT], 1);
	ck_assert_uint_eq(fx_put(fx_series("m", 2), NOW + 1, 1).stored, 1);
}
END_TEST

START_TEST(a_batch_by_id_goes_to_the_same_series)
{
	struct batch *b = fx_batch_for(fx_series("m", 1), BATCH_SCRAPE);
	struct store_sel *sel;
	uint32_t id;

	batch_float(b, NOW, 1, 0);
	ck_assert_int_eq(store_submit_wait(fx.st, b, &fx.e), 0);
	id = batch_series_result_id(b, 0);
	batch_free(b);
	ck_assert_uint_ne(id, 0);
	ck_assert_uint_eq(
		store_find_series(fx.st, fx_series("m", 1), labels_hash(fx_series("m", 1))), id);
	b = batch_new(BATCH_SCRAPE);
	batch_series_id(b, id);
	batch_float(b, NOW + 1, 2, 0);
	batch_series_id(b, id + 1000);
	batch_float(b, NOW + 1, 2, 0);
	ck_assert_int_eq(store_submit_wait(fx.st, b, &fx.e), 0);
	ck_assert_uint_eq(batch_result(b)->stored, 1);
	ck_assert_uint_eq(batch_result(b)->refused[REFUSED_LABELS], 1);
	batch_free(b);
	sel = fx_select_name("m", NOW, NOW + 10);
	ck_assert_uint_eq(fx_fetch(sel, 0, NOW, NOW + 10).n, 2);
	store_sel_close(sel);
}
END_TEST

START_TEST(a_directory_serves_one_store_at_a_time)
{
	struct store *second;

	ck_assert_int_eq(store_open(&second, &fx.opts, &fx.e), -1);
	ck_assert_int_eq(fx.e.kind, ERR_AGAIN);
	ck_assert_ptr_null(second);
}
END_TEST

START_TEST(stats_and_tops_count_what_is_there)
{
	struct store_stats s;
	struct store_top *top;
	size_t n;

	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(fx_put(fx_series("m", i), NOW + i, 1).stored, 1);
	ck_assert_uint_eq(fx_put(fx_series("n", 0), NOW, 1).stored, 1);
	store_stats(fx.st, &s);
	ck_assert_uint_eq(s.series, 6);
	ck_assert_uint_eq(s.active_series, 6);
	ck_assert_int_eq(s.mint, NOW);
	ck_assert_int_eq(s.maxt, NOW + 4);
	ck_assert_int_eq(store_top(fx.st, STORE_TOP_METRICS, 1, &fx.arena, &top, &n, &fx.e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(top[0].name, STR("m")));
	ck_assert_uint_eq(top[0].count, 5);
	ck_assert_int_eq(store_top(fx.st, STORE_TOP_PAIRS, 10, &fx.arena, &top, &n, &fx.e), 0);
	ck_assert(str_eq(top[0].name, STR("job=x")));
	ck_assert_uint_eq(top[0].count, 6);
	ck_assert_int_eq(
		store_top(fx.st, STORE_TOP_LABEL_VALUES, 10, &fx.arena, &top, &n, &fx.e), 0);
	ck_assert(str_eq(top[0].name, STR("i")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, fx_setup, fx_teardown);
	tcase_add_test(t, a_sample_is_found_after_submit_after_flush_and_after_reopening);
	tcase_add_test(t, every_bit_comes_back_from_memory_journal_and_partitions);
	tcase_add_test(t, rows_come_back_in_order_though_they_came_late);
	tcase_add_test(t, a_repeated_value_is_fine_and_another_is_refused);
	tcase_add_test(t, rows_of_one_batch_may_stand_in_any_order);
	tcase_add_test(t, times_are_held_against_clock_and_window);
	tcase_add_test(t, a_clock_that_was_set_back_shuts_nothing_out);
	tcase_add_test(t, a_clock_set_back_by_minutes_shuts_nothing_out_either);
	tcase_add_test(t, rules_write_anew_what_time_a_clock_that_was_set_back_shows);
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
	return suite_run(s);
}
