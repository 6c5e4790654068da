/* SPDX-License-Identifier: Apache-2.0 */
/* test_promql_values - quantiles by selection, and arithmetic of native histograms. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"
#include "tests/lib/suite.h"

static uint64_t state = 88172645463325252u;

static uint32_t next(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return isnan(y) - isnan(x);
	return x < y ? -1 : x > y;
}

START_TEST(selection_gives_what_sorting_gives)
{
	double v[300], w[300];

	for (int round = 0; round < 3000; round++) {
		size_t n = 1 + next(300), low;
		double q = (double)next(1001) / 1000, rank, want, got;
		uint32_t spread = 1 + next(round % 2 == 0 ? 5 : 1000000);

		for (size_t i = 0; i < n; i++)
			v[i] = round % 7 == 0 && next(5) == 0 ? NAN : (double)next(spread) - 3;
		memcpy(w, v, n * sizeof *v);
		qsort(w, n, sizeof *w, by_value);
		rank = q * (double)(n - 1);
		low = (size_t)rank;
		want = w[low] * (1 - (rank - floor(rank))) +
		       w[MIN_OF(n - 1, low + 1)] * (rank - floor(rank));
		got = values_quantile(q, v, n);
		ck_assert(got == want || (isnan(got) && isnan(want)));
	}
}
END_TEST

static struct arena a;

static void setup(void)
{
	arena_init(&a, (size_t)64 << 20);
}

static void teardown(void)
{
	arena_fini(&a);
}

/* A histogram of schema 0..3 with populated buckets here and there. */
static const struct hist *some(int32_t schema, double *per_index)
{
	struct hist *h = ARENA_NEW(&a, struct hist);
	struct hist_span *spans = ARENA_ARRAY(&a, 8, struct hist_span);
	double *counts = ARENA_ARRAY(&a, 64, double);
	int32_t at = -20;
	uint32_t n = 0, k = 0;

	for (; n < 6; n++) {
		spans[n].offset = n == 0 ? at : (int32_t)next(4);
		at += n == 0 ? 0 : spans[n].offset;
		spans[n].length = 1 + next(5);
		for (uint32_t i = 0; i < spans[n].length; i++, at++, k++) {
			counts[k] = next(9);
			per_index[hacc_target_index(at, schema, 0) + 100] += counts[k];
			h->count += counts[k];
		}
	}
	h->schema = schema;
	h->pos = (struct hist_side){spans, counts, n, k};
	h->sum = next(100);
	return h;
}

START_TEST(a_sum_has_the_buckets_of_its_parts_at_the_coarser_schema)
{
	for (int round = 0; round < 300; round++) {
		double want[300] = {0}, sum = 0;
		struct hsum s = {.count = 0};
		const struct hist *h;
		struct hacc_side got;

		for (int i = 0; i < 5; i++) {
			h = some(i == 0 ? 0 : (int32_t)next(4), want);
			sum += h->sum;
			ck_assert(hsum_add(&s, &a, h, false));
		}
		h = hsum_done(&s, &a, false);
		ck_assert_ptr_nonnull(h);
		ck_assert_int_eq(h->schema, 0);
		ck_assert(h->sum == sum);
		hacc_side_of(&got, &a, &h->pos, 0, 0);
		for (uint32_t i = 0; i < got.n; i++) {
			ck_assert(got.cnt[i] == want[got.idx[i] + 100]);
			want[got.idx[i] + 100] = 0;
		}
		for (size_t i = 0; i < ARRAY_LEN(want); i++)
			ck_assert(want[i] == 0);
		arena_reset(&a);
	}
}
END_TEST

START_TEST(a_counter_that_fell_anywhere_was_reset)
{
	for (int round = 0; round < 300; round++) {
		double unused[300] = {0};
		const struct hist *h = some(2, unused);
		struct hist *more = hist_copy(&a, h), *less = hist_copy(&a, h);
		double *c = ARENA_ARRAY(&a, h->pos.n_counts, double);
		uint32_t at = next(h->pos.n_counts);

		memcpy(c, h->pos.counts, h->pos.n_counts * sizeof *c);
		c[at] += 1;
		more->pos.counts = c;
		more->count += 1;
		ck_assert(!hacc_reset(&a, more, h));
		ck_assert(hacc_reset(&a, h, more));
		/* total as before, one bucket lower and one higher */
		less->pos.counts = c;
		c = ARENA_ARRAY(&a, h->pos.n_counts, double);
		memcpy(c, less->pos.counts, h->pos.n_counts * sizeof *c);
		c[at] -= 2;
		c[(at + 1) % h->pos.n_counts] += 2;
		less->pos.counts = c;
		less->count = more->count;
		if (c[at] >= 0)
			ck_assert(hacc_reset(&a, less, more));
		less->reset = HIST_RESET_NO;
		ck_assert(!hacc_reset(&a, less, more));
		arena_reset(&a);
	}
}
END_TEST

START_TEST(a_wider_zero_bucket_swallows_whole_buckets)
{
	static const struct hist_span span[] = {{-2, 4}};
	static const double counts[] = {1, 2, 3, 4}; /* (1/8,1/4] .. (1,2] */
	const struct hist narrow = {
		.count = 10, .sum = 5, .pos = {span, counts, 1, 4}, .zero_threshold = 0.001};
	const struct hist wide = {.count = 2, .zero_count = 2, .zero_threshold = 0.3};
	struct hacc_notes notes = {0};
	struct hacc acc;
	const struct hist *h;

	hacc_init(&acc, &a, &narrow);
	ck_assert(hacc_add(&acc, &wide, &notes));
	h = hacc_done(&acc, &a);
	/* 0.3 lies in the populated bucket (0.25, 0.5]: the zero bucket grows to 0.5 */
	ck_assert(h->zero_threshold == 0.5);
	ck_assert(h->zero_count == 2 + 1 + 2);
	ck_assert_uint_eq(h->pos.n_counts, 2);
	ck_assert(h->pos.counts[0] == 3);
	ck_assert(h->count == 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_values");
	TCase *t = tcase_create("values");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, selection_gives_what_sorting_gives);
	tcase_add_test(t, a_sum_has_the_buckets_of_its_parts_at_the_coarser_schema);
	tcase_add_test(t, a_counter_that_fell_anywhere_was_reset);
	tcase_add_test(t, a_wider_zero_bucket_swallows_whole_buckets);
	suite_add_tcase(s, t);
	return suite_run(s);
}
