/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tz - a time zone file of any bytes, and the offsets it gives. */
#include <stdlib.h>

#include "base/tz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t at[] = {INT64_MIN, -62135596800000, -1, 0, 1700000000000,
		4102444800000, 253402300800000, INT64_MAX};
	struct arena a;
	const struct tz *tz;
	struct err e;

	arena_init(&a, (size_t)1 << 20);
	tz = tz_parse(&a, str_n((const char *)data, size), &e);
	for (size_t i = 0; tz != NULL && i < sizeof at / sizeof at[0]; i++) {
		int32_t offset = tz_offset(tz, at[i]);

		if (offset < -200000 || offset > 200000)
			abort();
	}
	arena_fini(&a);
	return 0;
}
