/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of samples: pieces in any order become ascending rows, the first of equal times stays. */
#include <check.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "storage/cols.h"
#include "tests/lib/suite.h"

#define ROUNDS 300u

static uint64_t state;

static unsigned draw(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((state >> 33) % n);
}

/* What settling must give, the slow way: v of the first row of each time. */
static size_t expect(const struct cols *c, int64_t *t, double *v)
{
	size_t n = 0;

	for (int64_t at = -100; at < 2000; at++) {
		for (size_t i = 0; i < c->n; i++) {
			if (c->t[i] != at)
				continue;
			t[n] = at;
			v[n++] = c->v[i];
			break;
		}
	}
	return n;
}

static void settle_and_compare(struct cols *c)
{
	int64_t t[2200];
	double v[2200];
	size_t n = expect(c, t, v);

	cols_settle(c);
	ck_assert(!c->failed);
	ck_assert_uint_eq(c->n, n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(c->t[i], t[i]);
		ck_assert(c->v[i] == v[i]);
		if (c->start != NULL)
			ck_assert_int_eq(c->start[i], (int64_t)v[i]);
	}
}

/* Up to 20 pieces, each ascending, which overlap, repeat times or stand in the wrong order. */
START_TEST(random_pieces_settle_as_the_slow_way_does)
{
	state = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned pieces = 1 + draw(20), row = 0;
		bool start = draw(3) == 0;
		struct cols c;

		cols_init(&c);
		for (unsigned p = 0; p < pieces; p++) {
			int64_t t = (int64_t)draw(900) - 50;

			for (unsigned i = 1 + draw(40); i > 0; i--) {
				t += 1 + draw(draw(2) ? 3 : 20);
				row++;
				cols_push(&c, t, row, NULL, start ? (int64_t)row : 0);
			}
		}
		settle_and_compare(&c);
		cols_fini(&c);
	}
}
END_TEST

/* Told where pieces begin, from the k-th on; there may be more than can be told. */
START_TEST(known_pieces_settle_as_unknown_ones_do)
{
	state = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned pieces = 1 + draw(COLS_PIECES + 6), known = draw(pieces + 1), row = 0;
		struct cols_pieces told = {0};
		struct cols c, same;

		cols_init(&c);
		cols_init(&same);
		for (unsigned p = 0; p < pieces; p++) {
			int64_t t = (int64_t)draw(900) - 50;

			if (p >= known)
				cols_piece(&told, c.n);
			for (unsigned i = draw(40); i > 0; i--) {
				t += 1 + draw(draw(2) ? 3 : 20);
				row++;
				cols_push(&c, t, row, NULL, 0);
				cols_push(&same, t, row, NULL, 0);
			}
		}
		cols_settle_pieces(&c, &told);
		cols_settle(&same);
		ck_assert(!c.failed);
		ck_assert_uint_eq(c.n, same.n);
		for (size_t i = 0; i < c.n; i++) {
			ck_assert_int_eq(c.t[i], same.t[i]);
			ck_assert(c.v[i] >= same.v[i] && c.v[i] <= same.v[i]);
		}
		cols_fini(&c);
		cols_fini(&same);
	}
}
END_TEST

START_TEST(memory_before_disk_is_put_right_without_a_sort)
{
	struct cols c;

	cols_init(&c);
	for (int64_t t = 100; t < 200; t++)
		cols_push(&c, t, (double)t, NULL, 0);
	for (int64_t t = 0; t < 100; t++)
		cols_push(&c, t, (double)t, NULL, 0);
	settle_and_compare(&c);
	ck_assert_uint_eq(c.n, 200);
	cols_push(&c, 500, 500, NULL, 0); /* and grows on afterwards */
	for (int64_t t = 201; t < 400; t++)
		cols_push(&c, t, (double)t, NULL, 0);
	settle_and_compare(&c);
	cols_clip(&c, 10, 499);
	ck_assert_int_eq(c.t[0], 10);
	ck_assert_int_eq(c.t[c.n - 1], 399);
	cols_fini(&c);
}
END_TEST

/* Runs of all sizes around what goes by way of the stack, one behind the other's time. */
START_TEST(two_pieces_in_the_wrong_order_change_places)
{
	static const int64_t sizes[] = {1, 2, 255, 256, 257, 700};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			struct cols c;

			cols_init(&c);
			for (int64_t t = 0; t < sizes[i]; t++)
				cols_push(&c, 1000 + t, (double)t, NULL, 0);
			for (int64_t t = 0; t < sizes[k]; t++)
				cols_push(&c, 1000 - sizes[k] + t, (double)-t, NULL, 0);
			settle_and_compare(&c);
			ck_assert_uint_eq(c.n, (size_t)(sizes[i] + sizes[k]));
			cols_fini(&c);
		}
	}
}
END_TEST

START_TEST(a_piece_is_clipped_and_what_stands_before_it_stays)
{
	struct cols c;

	cols_init(&c);
	cols_push(&c, 900, 9, NULL, 0);
	for (int64_t t = 0; t < 100; t++)
		cols_push(&c, t, (double)t, NULL, t + 1);
	cols_clip_from(&c, 1, 40, 59);
	ck_assert_uint_eq(c.n, 21);
	ck_assert_int_eq(c.t[0], 900);
	for (size_t i = 1; i < c.n; i++) {
		ck_assert_int_eq(c.t[i], 39 + (int64_t)i);
		ck_assert(c.v[i] >= 39 + (double)i && c.v[i] <= 39 + (double)i);
		ck_assert_int_eq(c.start[i], 40 + (int64_t)i);
	}
	cols_clip_from(&c, 1, 1000, 2000);
	ck_assert_uint_eq(c.n, 1);
	cols_fini(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cols");
	TCase *tc = tcase_create("cols");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, random_pieces_settle_as_the_slow_way_does);
	tcase_add_test(tc, known_pieces_settle_as_unknown_ones_do);
	tcase_add_test(tc, memory_before_disk_is_put_right_without_a_sort);
	tcase_add_test(tc, two_pieces_in_the_wrong_order_change_places);
	tcase_add_test(tc, a_piece_is_clipped_and_what_stands_before_it_stays);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
