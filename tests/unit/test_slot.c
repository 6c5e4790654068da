/* SPDX-License-Identifier: Apache-2.0 */
/* Where scrapes and evaluations have their place in an interval. */
#include <check.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "base/slot.h"
#include "tests/lib/suite.h"

#define N 5000u

static int64_t (*const kinds[])(uint64_t, int64_t, int64_t, size_t) = {
	slot_of_scrape, slot_of_rules};

/* The n-th of many hashes. */
static uint64_t nth(uint64_t n)
{
	return hash_fixed(&n, sizeof n);
}

START_TEST(an_offset_lies_within_the_interval)
{
	static const int64_t intervals[] = {1, 2, 3, 9, 10, 999, 1000, 15000, 60000, 86400000};
	static const int64_t units[] = {0, 1, 3, 1000, 15000, 60000};
	static const size_t counts[] = {0, 1, 20, 20000, SIZE_MAX};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < ARRAY_LEN(intervals) * ARRAY_LEN(units); i++) {
			int64_t interval = intervals[i / ARRAY_LEN(units)];
			int64_t unit = units[i % ARRAY_LEN(units)];

			for (size_t n = 0; n < 5 * ARRAY_LEN(counts); n++) {
				int64_t at = kinds[k](
					nth(n), interval, unit, counts[n % ARRAY_LEN(counts)]);

				ck_assert_int_ge(at, 0);
				ck_assert_int_lt(at, interval);
			}
		}
	}
}
END_TEST

/* A breach is looked at soon after it was scraped: in the mean a quarter of the shorter interval
 * later instead of half. */
START_TEST(few_groups_follow_few_targets)
{
	static const struct {
		int64_t scrape, rules;
	} t[] = {{1000, 1000}, {15000, 15000}, {60000, 15000}, {15000, 60000}, {30000, 30000}};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int64_t unit = MIN_OF(t[i].scrape, t[i].rules), sum = 0;

		for (uint64_t n = 0; n < N; n++) {
			int64_t s = slot_of_scrape(nth(n), t[i].scrape, unit, 20);
			int64_t r = slot_of_rules(nth(N + n), t[i].rules, unit, 20);

			/* places of the unit, whichever one it is */
			ck_assert_int_lt(s % unit, unit / 5);
			ck_assert_int_ge(r % unit, unit * 3 / 10);
			ck_assert_int_lt(r % unit, unit * 4 / 10);
			sum += r % unit - s % unit;
		}
		ck_assert_int_gt(sum / N, unit / 5);
		ck_assert_int_lt(sum / N, unit * 3 / 10);
	}
}
END_TEST

/* Tenths of the interval in which somebody has a place, of 5,000 of n. */
static unsigned tenths(
	int64_t (*place)(uint64_t, int64_t, int64_t, size_t), int64_t interval, size_t n)
{
	unsigned seen = 0, count = 0;

	for (uint64_t i = 0; i < N; i++)
		seen |= 1u << (place(nth(i), interval, interval, n) * 10 / interval);
	for (unsigned i = 0; i < 10; i++)
		count += seen >> i & 1;
	return count;
}

START_TEST(many_have_more_room)
{
	ck_assert_uint_eq(tenths(slot_of_scrape, 15000, 100), 2);
	ck_assert_uint_eq(tenths(slot_of_scrape, 15000, 4000), 4);
	ck_assert_uint_eq(tenths(slot_of_scrape, 15000, 20000), 10);
	ck_assert_uint_eq(tenths(slot_of_rules, 15000, 100), 1);
	ck_assert_uint_eq(tenths(slot_of_rules, 15000, 2500), 4);
	ck_assert_uint_eq(tenths(slot_of_rules, 15000, 10000), 7);
	ck_assert_uint_eq(tenths(slot_of_rules, 1000, 150), 3);
}
END_TEST

/* One more seldom moves the others: the room grows by steps. */
START_TEST(one_more_moves_nobody_within_a_step)
{
	for (uint64_t i = 0; i < 100; i++) {
		ck_assert_int_eq(slot_of_scrape(nth(i), 15000, 15000, 1),
			slot_of_scrape(nth(i), 15000, 15000, 3000));
		ck_assert_int_eq(slot_of_rules(nth(i), 15000, 15000, 1),
			slot_of_rules(nth(i), 15000, 15000, 750));
	}
}
END_TEST

/* Longer intervals use all units in them. */
START_TEST(units_share_the_load)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned seen[4] = {0};

		for (uint64_t i = 0; i < N; i++)
			seen[kinds[k](nth(i), 60000, 15000, 10) / 15000]++;
		for (size_t u = 0; u < 4; u++)
			ck_assert_uint_gt(seen[u], N / 5);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slot");
	TCase *tc = tcase_create("slot");

	tcase_add_test(tc, an_offset_lies_within_the_interval);
	tcase_add_test(tc, few_groups_follow_few_targets);
	tcase_add_test(tc, many_have_more_room);
	tcase_add_test(tc, one_more_moves_nobody_within_a_step);
	tcase_add_test(tc, units_share_the_load);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
