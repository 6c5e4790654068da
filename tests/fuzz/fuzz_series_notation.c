/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the values, and as the name, of a test's series: read or refused with a place. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "rules/series_notation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct err e = {.kind = ERR_NONE}, why;
	struct series_value *v = NULL;
	struct labels ls;
	struct arena a;
	size_t n = 0;

	arena_init(&a, (size_t)4 << 20);
	if (series_values_parse(&a, text, &v, &n, &e) != 0) {
		ASSERT(e.off <= size);
		ASSERT(e.msg[0] != '\0');
	}
	for (size_t i = 0; e.kind == ERR_NONE && i < n; i++) {
		/* reads all of it; what it says may only be a negative count */
		if (v[i].h != NULL && hist_check(v[i].h, &why) != 0)
			ASSERT(strstr(why.msg, "negative") != NULL);
	}
	arena_reset(&a);
	(void)series_labels_parse(&a, text, &ls, &e);
	arena_fini(&a);
	return 0;
}
