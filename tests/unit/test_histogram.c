/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <float.h>
#include <math.h>

#include "base/histogram.h"
#include "base/num.h"
#include "tests/lib/suite.h"

/* The last digits are those of Prometheus's tables, which are not the nearest doubles. */
START_TEST(bounds_are_prometheuss_to_the_last_digit)
{
	static const struct {
		int32_t schema, index;
		double bound;
	} cases[] = {
		{1, 1, 1.414213562373095},
		{1, 3, 2.82842712474619},
		{2, 1, 1.189207115002721},
		{2, 3, 1.6817928305074288},
		{5, 7, 1.1637248587775774},
		{8, 1, 1.0027112750502025},
		{0, 0, 1},
		{0, -1, 0.5},
		{3, -8, 0.5},
		{-2, 2, 256},
		{-4, -1, 0x1p-16},
		{0, -1074, 0x1p-1074},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hist h = {.schema = cases[i].schema};
		double b = hist_bound(&h, cases[i].index);

		ck_assert_msg(
			b == cases[i].bound, "%d/%d: %.17g", cases[i].schema, cases[i].index, b);
	}
}
END_TEST

START_TEST(the_last_bucket_of_numbers_ends_at_the_largest_number)
{
	for (int32_t schema = HIST_SCHEMA_MIN; schema <= HIST_SCHEMA_MAX; schema++) {
		struct hist h = {.schema = schema};
		int32_t last = hist_index(DBL_MAX, schema);

		ck_assert(hist_bound(&h, last) == DBL_MAX);
		ck_assert(hist_bound(&h, last - 1) < DBL_MAX);
		ck_assert(isinf(hist_bound(&h, last + 1)));
		ck_assert_int_eq(hist_index(INFINITY, schema), last + 1);
	}
}
END_TEST

START_TEST(a_value_lies_between_the_bounds_of_its_bucket)
{
	for (int32_t schema = HIST_SCHEMA_MIN; schema <= HIST_SCHEMA_MAX; schema++) {
		struct hist h = {.schema = schema};

		for (int n = 0; n < 3000; n++) {
			double v = 1e-9 * pow(1.0137, n);
			int32_t i = hist_index(v, schema);

			ck_assert(hist_bound(&h, i - 1) < v && v <= hist_bound(&h, i));
			/* an upper bound belongs to its bucket */
			ck_assert_int_eq(hist_index(hist_bound(&h, i), schema), i);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("histogram");
	TCase *t = tcase_create("bounds");

	tcase_add_test(t, bounds_are_prometheuss_to_the_last_digit);
	tcase_add_test(t, the_last_bucket_of_numbers_ends_at_the_largest_number);
	tcase_add_test(t, a_value_lies_between_the_bounds_of_its_bucket);
	suite_add_tcase(s, t);
	return suite_run(s);
}
