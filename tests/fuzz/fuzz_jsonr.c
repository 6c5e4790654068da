/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: read or refused with a place; what jansson reads is read. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/jsonr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size), s = STR("");
	struct err e = {.kind = ERR_NONE};
	struct jsonr j;
	struct arena a;
	json_t *oracle;
	bool ok;

	arena_init(&a, (size_t)4 << 20);
	jsonr_init(&j, text, &a, &e);
	ok = jsonr_skip(&j) && jsonr_end(&j);
	ASSERT(ok == !j.failed);
	ASSERT(ok || e.off <= size);
	oracle = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	/* a NUL byte ends jansson's text */
	if (oracle != NULL && str_find(text, '\0') == size)
		ASSERT(ok || str_starts(str_c(e.msg), STR("nested")));
	jsonr_init(&j, text, &a, &e);
	if (jsonr_peek(&j) == JSONR_STRING && jsonr_str(&j, &s)) {
		ASSERT(str_is_utf8(s));
		if (oracle != NULL)
			ASSERT(str_eq(
				s, str_n(json_string_value(oracle), json_string_length(oracle))));
	}
	json_decref(oracle);
	arena_fini(&a);
	return 0;
}
