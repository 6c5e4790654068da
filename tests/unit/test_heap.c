/* SPDX-License-Identifier: Apache-2.0 */
/* The timer heap against a plain search for the smallest. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/num.h"
#include "tests/lib/suite.h"

#define NODES 300u

static int64_t smallest(const struct heap_node *v, const bool *in)
{
	int64_t min = INT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		min = in[i] ? MIN_OF(min, v[i].key) : min;
	return min;
}

START_TEST(the_smallest_is_always_on_top)
{
	struct heap_node v[NODES];
	bool in[NODES];
	struct heap h;
	unsigned r = 12345;

	memset(v, 0, sizeof v);
	memset(in, 0, sizeof in);
	heap_init(&h);
	ck_assert_ptr_null(heap_min(&h));
	ck_assert_int_eq(heap_key(&h), INT64_MAX);
	for (int i = 0; i < 20000; i++) {
		size_t k;

		r = r * 1103515245u + 12345u;
		k = (r >> 8) % NODES;
		if ((r >> 24) % 3 == 0) {
			heap_remove(&h, &v[k]); /* also when it is not in */
			in[k] = false;
		} else {
			heap_set(&h, &v[k], (int64_t)(r >> 4) % 1000);
			in[k] = true;
		}
		ck_assert_int_eq(heap_key(&h), smallest(v, in));
	}
	for (size_t i = 0; i < NODES; i++)
		heap_remove(&h, &v[i]);
	ck_assert_uint_eq(h.n, 0);
	heap_fini(&h);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {the_smallest_is_always_on_top};
	Suite *s = suite_create("heap");
	TCase *tc = tcase_create("heap");

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
