/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"
#include "tests/lib/suite.h"

START_TEST(map_holds_several_values_of_one_hash)
{
	struct map m;
	struct map_iter it;
	int a = 1, b = 2, sum = 0;

	map_init(&m);
	map_add(&m, 7, &a);
	map_add(&m, 7, &b);
	for (int *v = map_first(&m, 7, &it); v != NULL; v = map_next(&m, &it))
		sum += *v;
	ck_assert_int_eq(sum, 3);
	map_remove(&m, 7, &a);
	ck_assert_ptr_eq(map_first(&m, 7, &it), &b);
	ck_assert_ptr_null(map_next(&m, &it));
	ck_assert_ptr_null(map_first(&m, 8, &it));
	map_fini(&m);
}
END_TEST

/* Against a plain array, with hashes that collide on purpose. */
START_TEST(map_agrees_with_a_plain_array_under_random_changes)
{
	static int values[200];
	bool in[200] = {false};
	struct map m;
	unsigned seed = 12345;

	map_init(&m);
	for (int step = 0; step < 20000; step++) {
		size_t i, pos = 0, n = 0, want = 0;
		uint64_t hash;

		seed = seed * 1103515245u + 12345u;
		i = (seed >> 8) % 200;
		hash = i % 37; /* neighbours and long runs */
		if (in[i])
			map_remove(&m, hash, &values[i]);
		else
			map_add(&m, hash, &values[i]);
		in[i] = !in[i];
		if (step % 500 != 0)
			continue;
		while (map_each(&m, &pos) != NULL)
			n++;
		for (size_t k = 0; k < 200; k++) {
			struct map_iter it;
			bool found = false;

			for (int *v = map_first(&m, k % 37, &it); v != NULL; v = map_next(&m, &it))
				found = found || v == &values[k];
			ck_assert_int_eq(found, in[k]);
			want += in[k];
		}
		ck_assert_uint_eq(n, want);
		ck_assert_uint_eq(m.n, want);
	}
	map_fini(&m);
}
END_TEST

START_TEST(map_remove_of_a_stranger_changes_nothing)
{
	struct map m;
	int a = 1, b = 2;
	struct map_iter it;

	map_init(&m);
	map_remove(&m, 1, &a);
	map_add(&m, 1, &a);
	map_remove(&m, 1, &b);
	ck_assert_ptr_eq(map_first(&m, 1, &it), &a);
	map_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("map");
	TCase *t = tcase_create("map");

	tcase_add_test(t, map_holds_several_values_of_one_hash);
	tcase_add_test(t, map_agrees_with_a_plain_array_under_random_changes);
	tcase_add_test(t, map_remove_of_a_stranger_changes_nothing);
	suite_add_tcase(s, t);
	return suite_run(s);
}
