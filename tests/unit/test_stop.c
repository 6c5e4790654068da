/* SPDX-License-Identifier: Apache-2.0 */
/* Being asked to stop: by a flag, by a deadline, one task within another, in the middle of a sort.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/stop.h"

static atomic_bool flag;
static size_t compared, stop_at;

static int by_number(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	if (++compared == stop_at)
		atomic_store(&flag, true);
	return *x < *y ? -1 : *x > *y;
}

static int by_number_arg(const void *a, const void *b, void *arg)
{
	ck_assert_ptr_eq(arg, &flag);
	return by_number(a, b);
}

static void fill(unsigned *v, size_t n)
{
	unsigned x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		v[i] = x;
	}
	compared = 0;
	atomic_store(&flag, false);
}

static void assert_sorted(const unsigned *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_le(v[i - 1], v[i]);
}

START_TEST(nobody_asks_where_nothing_was_begun)
{
	struct err e;

	ck_assert(!stop_asked());
	ck_assert_int_eq(stop_check(&e), 0);
}
END_TEST

START_TEST(a_flag_and_a_deadline_are_told_apart)
{
	struct stop s = {.cancel = &flag};
	const struct stop *before;
	struct err e;
	bool asked = false;

	atomic_store(&flag, false);
	clock_inject(1000, 0);
	s.deadline_mono_ms = clock_mono_ms() + 1;
	before = stop_begin(&s);
	ck_assert_int_eq(stop_check(&e), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert(!stop_asked());
	clock_inject(1001, 0); /* a millisecond later */
	ck_assert_int_eq(stop_check(&e), -1);
	ck_assert_int_eq(e.kind, ERR_CANCEL);
	ck_assert_int_eq(e.code, ETIMEDOUT);
	for (int i = 0; i < 1000 && !asked; i++)
		asked = stop_asked();
	ck_assert(asked);
	atomic_store(&flag, true);
	ck_assert(stop_asked());
	ck_assert_int_eq(stop_check(&e), -1);
	ck_assert_int_eq(e.code, ECANCELED);
	stop_end(before);
	ck_assert(!stop_asked());
	clock_restore();
}
END_TEST

START_TEST(what_was_asked_before_holds_again_behind_an_inner_task)
{
	atomic_bool outer_flag = true;
	const struct stop outer = {.cancel = &outer_flag}, inner = {.cancel = &flag};
	const struct stop *none = stop_begin(&outer), *before;

	atomic_store(&flag, false);
	before = stop_begin(&inner);
	ck_assert_ptr_eq(before, &outer);
	ck_assert(!stop_asked());
	stop_end(before);
	ck_assert(stop_asked());
	stop_end(none);
}
END_TEST

START_TEST(a_sort_that_nobody_stops_sorts)
{
	enum { N = 20000 };
	unsigned *v = calloc(N, sizeof *v);
	const struct stop s = {.cancel = &flag};
	const struct stop *before = stop_begin(&s);

	ck_assert_ptr_nonnull(v);
	stop_at = 0;
	fill(v, N);
	stop_sort(v, N, sizeof *v, by_number);
	assert_sorted(v, N);
	fill(v, N);
	stop_sort_r(v, N, sizeof *v, by_number_arg, &flag);
	assert_sorted(v, N);
	stop_sort(v, 0, sizeof *v, by_number);
	stop_end(before);
	free(v);
}
END_TEST

struct wide {
	unsigned key, place;
	char rest[48];
};

static int by_key(const void *a, const void *b)
{
	const struct wide *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

START_TEST(equal_elements_keep_their_order_in_sorts_of_any_length)
{
	static const size_t lengths[] = {1, 2, 4095, 4096, 4097, 8192, 12289, 40000};

	for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
		size_t n = lengths[k];
		struct wide *v = calloc(n, sizeof *v);

		ck_assert_ptr_nonnull(v);
		for (size_t i = 0; i < n; i++)
			v[i] = (struct wide){(unsigned)(i * 2654435761u) >> 24, (unsigned)i, "x"};
		stop_sort(v, n, sizeof *v, by_key);
		for (size_t i = 1; i < n; i++) {
			ck_assert_uint_le(v[i - 1].key, v[i].key);
			ck_assert(v[i - 1].key < v[i].key || v[i - 1].place < v[i].place);
			ck_assert_str_eq(v[i].rest, "x");
		}
		free(v);
	}
}
END_TEST

START_TEST(a_sort_ends_when_asked_and_loses_no_element)
{
	enum { N = 20000 };
	unsigned *v = calloc(N, sizeof *v), sum = 0, left = 0;
	const struct stop s = {.cancel = &flag};
	const struct stop *before = stop_begin(&s);
	struct err e;

	ck_assert_ptr_nonnull(v);
	for (stop_at = 1; stop_at < 100000; stop_at = stop_at * 7 + 1) {
		fill(v, N);
		sum = left = 0;
		for (size_t i = 0; i < N; i++)
			sum += v[i];
		stop_sort(v, N, sizeof *v, by_number);
		for (size_t i = 0; i < N; i++)
			left += v[i];
		ck_assert_uint_eq(sum, left);
		ck_assert_uint_eq(compared, stop_at); /* not one more */
		ck_assert_int_eq(stop_check(&e), -1);
	}
	stop_end(before);
	free(v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stop");
	TCase *t = tcase_create("stop");
	SRunner *r;
	int bad;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, nobody_asks_where_nothing_was_begun);
	tcase_add_test(t, a_flag_and_a_deadline_are_told_apart);
	tcase_add_test(t, what_was_asked_before_holds_again_behind_an_inner_task);
	tcase_add_test(t, a_sort_that_nobody_stops_sorts);
	tcase_add_test(t, equal_elements_keep_their_order_in_sorts_of_any_length);
	tcase_add_test(t, a_sort_ends_when_asked_and_loses_no_element);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad != 0;
}
