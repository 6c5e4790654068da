/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_time_interval - the text of a recurring silence, and whether moments lie inside. */
#include <stdlib.h>

#include "base/hash.h"
#include "exporters/time_interval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct time_interval *v;
	struct arena a;
	struct err e;
	size_t n;

	hash_init();
	arena_init(&a, (size_t)4 << 20);
	if (time_intervals_parse(&a, str_n((const char *)data, size), &v, &n, &e) == 0) {
		for (int64_t t = -100000000000; t < 4000000000000; t += 86399999999 / 7)
			(void)time_intervals_contain(v, n, t);
		(void)time_intervals_contain(v, n, INT64_MAX);
		(void)time_intervals_contain(v, n, INT64_MIN);
	}
	arena_fini(&a);
	return 0;
}
