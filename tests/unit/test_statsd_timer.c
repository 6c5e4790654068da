/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/statsd/timer.c and agent/statsd/set.c. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/statsd/set.h"
#include "agent/statsd/timer.h"
#include "base/arena.h"
#include "base/limits.h"
#include "tests/lib/suite.h"

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, 16 << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

static const struct hist *shape(const struct timer *t)
{
	const struct hist *h = timer_hist(t, &arena);
	struct err e = {0};

	ck_assert_ptr_nonnull(h);
	ck_assert_msg(hist_check(h, &e) == 0, "%s", e.msg);
	for (uint16_t i = 1; i < t->pos.n; i++)
		ck_assert_int_lt(t->pos.index[i - 1], t->pos.index[i]);
	return h;
}

static double sum_of(const struct hist_side *s)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->n_counts; i++)
		sum += s->counts[i];
	return sum;
}

START_TEST(the_quick_index_is_the_exact_one)
{
	for (int exp = -1000; exp < 1024; exp += 7) {
		for (int k = 0; k <= 64; k++) {
			double v = ldexp(1 + k / 64.0, exp);

			if (v == 0 || isinf(v))
				continue;
			ck_assert_int_eq(timer_index(v), hist_index(v, TIMER_SCHEMA));
		}
	}
	for (int i = -400; i < 400; i++) { /* bounds themselves and their neighbours */
		struct hist h = {.schema = TIMER_SCHEMA};
		double b = hist_bound(&h, i);

		ck_assert_int_eq(timer_index(b), i);
		ck_assert_int_eq(timer_index(nextafter(b, INFINITY)), i + 1);
		ck_assert_int_eq(timer_index(nextafter(b, 0)), i);
	}
	ck_assert_int_eq(timer_index(1.7976931348623157e308),
		hist_index(1.7976931348623157e308, TIMER_SCHEMA));
}
END_TEST

START_TEST(observations_are_found_in_their_buckets)
{
	struct timer t;
	const struct hist *h;

	timer_init(&t);
	for (int i = 0; i < 3; i++)
		timer_add(&t, 0.25, 1);
	timer_add(&t, 1, 1);
	timer_add(&t, 1.05, 1);
	timer_add(&t, 0, 2);
	timer_add(&t, -4, 1);
	h = shape(&t);
	ck_assert_int_eq(h->schema, 3);
	ck_assert(h->is_int);
	ck_assert_double_eq(h->count, 8);
	ck_assert_double_eq(h->zero_count, 2);
	ck_assert_double_eq_tol(h->sum, 0.75 + 1 + 1.05 - 4, 1e-12);
	ck_assert_uint_eq(h->pos.n_spans, 2);
	ck_assert_int_eq(h->pos.spans[0].offset, -16);
	ck_assert_uint_eq(h->pos.spans[0].length, 1);
	ck_assert_int_eq(h->pos.spans[1].offset, 15); /* from -15 to 0 */
	ck_assert_uint_eq(h->pos.spans[1].length, 2); /* 0 and 1 */
	ck_assert_double_eq(h->pos.counts[0], 3);
	ck_assert_int_eq(h->neg.spans[0].offset, 16);
	timer_fini(&t);
}
END_TEST

START_TEST(too_many_buckets_halve_the_resolution_and_lose_nothing)
{
	struct timer t;
	const struct hist *h;
	double v = 1e-6;
	int n = 0;

	timer_init(&t);
	for (; v < 1e6; v *= 1.05, n++) {
		timer_add(&t, v, 1);
		ck_assert_uint_le((unsigned)t.pos.n + t.neg.n, LIMIT_STATSD_BUCKETS);
	}
	h = shape(&t);
	ck_assert_int_eq(h->schema, 2);
	ck_assert_double_eq(h->count, n);
	ck_assert_double_eq(sum_of(&h->pos), n);
	timer_fini(&t);
}
END_TEST

START_TEST(coarsening_puts_every_value_where_it_would_have_gone)
{
	struct timer t;
	double values[] = {1e-9, 0.001, 0.0011, 0.5, 1, 1.0000001, 2, 3.3, 1024, 1e9};
	int n = sizeof values / sizeof values[0];
	const struct hist *h;

	timer_init(&t);
	for (int i = 0; i < n; i++)
		timer_add(&t, values[i], 1);
	for (double v = 1e-7; v < 1e8; v *= 1.07)
		timer_add(&t, v, 1);
	h = shape(&t);
	ck_assert_int_lt(h->schema, 3);
	for (int i = 0; i < n; i++) {
		int32_t want = hist_index(values[i], h->schema);
		bool found = false;

		for (uint16_t k = 0; k < t.pos.n; k++)
			found |= t.pos.index[k] == want;
		ck_assert_msg(found, "%g", values[i]);
	}
	timer_fini(&t);
}
END_TEST

START_TEST(a_stored_histogram_is_gone_on_from)
{
	struct timer a, b;
	const struct hist *stored, *h;

	timer_init(&a);
	timer_init(&b);
	for (double v = 1e-6; v < 1e6; v *= 1.05)
		timer_add(&a, v, 1);
	timer_add(&a, -1, 3);
	stored = shape(&a);
	timer_add(&b, 0.5, 1);
	timer_add(&b, 0, 1);
	ck_assert(timer_merge(&b, stored));
	h = shape(&b);
	ck_assert_int_eq(h->schema, stored->schema);
	ck_assert_double_eq(h->count, stored->count + 2);
	ck_assert_double_eq_tol(h->sum, stored->sum + 0.5, 1e-6);
	ck_assert_double_eq(sum_of(&h->pos), sum_of(&stored->pos) + 1);
	ck_assert_double_eq(sum_of(&h->neg), 3);
	/* a finer one into a coarser timer */
	stored = timer_hist(&b, &arena);
	timer_fini(&a);
	timer_init(&a);
	timer_add(&a, 7, 0.5);
	h = shape(&a);
	ck_assert(!h->is_int);
	ck_assert(timer_merge(&b, h));
	ck_assert(!shape(&b)->is_int);
	timer_fini(&a);
	timer_fini(&b);
}
END_TEST

START_TEST(histograms_of_other_kinds_are_not_gone_on_from)
{
	struct timer t;
	struct hist custom = {.schema = HIST_SCHEMA_CUSTOM}, fine = {.schema = 5},
		    stale = {.schema = 3, .sum = NAN};

	timer_init(&t);
	ck_assert(!timer_merge(&t, &custom));
	ck_assert(!timer_merge(&t, &fine));
	ck_assert(!timer_merge(&t, &stale));
	ck_assert_double_eq(t.count, 0);
	timer_fini(&t);
}
END_TEST

static double count_members(unsigned n, unsigned repeat)
{
	struct set s;
	double estimate;

	set_init(&s);
	for (unsigned r = 0; r < repeat; r++) {
		for (unsigned i = 0; i < n; i++) {
			char m[32];

			set_add(&s, str_n(m, (size_t)snprintf(m, sizeof m, "user-%u", i)));
		}
	}
	estimate = set_estimate(&s);
	set_fini(&s);
	return estimate;
}

START_TEST(small_sets_are_exact_and_large_ones_within_five_percent)
{
	static const unsigned large[] = {65, 100, 1000, 9000, 12000, 100000, 1000000};

	for (unsigned n = 0; n <= SET_EXACT; n++)
		ck_assert_double_eq(count_members(n, 2), n);
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
		ck_assert_double_eq_tol(
			count_members(large[i], i < 4 ? 3 : 1), large[i], 0.05 * large[i]);
}
END_TEST

START_TEST(a_cleared_set_is_empty_and_gives_memory_back)
{
	struct set s;

	set_init(&s);
	for (unsigned i = 0; i < 1000; i++)
		set_add(&s, str_n((const char *)&i, sizeof i));
	ck_assert_uint_gt(set_bytes(&s), 4096);
	set_clear(&s);
	ck_assert_double_eq(set_estimate(&s), 0);
	ck_assert_uint_lt(set_bytes(&s), 1024);
	set_add(&s, STR("x"));
	ck_assert_double_eq(set_estimate(&s), 1);
	set_fini(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statsd_timer");
	TCase *t = tcase_create("timer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_quick_index_is_the_exact_one);
	tcase_add_test(t, observations_are_found_in_their_buckets);
	tcase_add_test(t, too_many_buckets_halve_the_resolution_and_lose_nothing);
	tcase_add_test(t, coarsening_puts_every_value_where_it_would_have_gone);
	tcase_add_test(t, a_stored_histogram_is_gone_on_from);
	tcase_add_test(t, histograms_of_other_kinds_are_not_gone_on_from);
	tcase_add_test(t, small_sets_are_exact_and_large_ones_within_five_percent);
	tcase_add_test(t, a_cleared_set_is_empty_and_gives_memory_back);
	suite_add_tcase(s, t);
	return suite_run(s);
}
