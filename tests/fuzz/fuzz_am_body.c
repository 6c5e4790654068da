/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the bodies of Alertmanager's API. */
#include <stdint.h>
#include <stdlib.h>

#include "agent/am_body.h"
#include "base/assert.h"
#include "base/matcher_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct external_alert *v = NULL;
	struct silence_view s;
	struct matcher m;
	struct arena a;
	struct err e = {.kind = ERR_NONE};
	size_t n = 0;

	arena_init(&a, (size_t)8 << 20);
	if (am_read_alerts(&a, text, &v, &n, &e) == 0) {
		for (size_t i = 0; i < n; i++)
			ASSERT(v[i].labels.v != NULL || v[i].labels.n == 0);
	} else {
		ASSERT(e.kind == ERR_INPUT);
		ASSERT(e.code != 0);
	}
	if (am_read_silence(&a, text, &s, &e) == 0)
		ASSERT(s.n_matchers > 0);
	if (matcher_parse_one(&a, text, &m, &e) == 0)
		matcher_fini(&m);
	for (int g = MATCHER_FALLBACK; g <= MATCHER_UTF8; g++) {
		struct matcher *list;

		if (matchers_parse_as(&a, text, (enum matcher_grammar)g, &list, &n, &e) != 0) {
			ASSERT(e.msg[0] != '\0');
			ASSERT(e.off <= text.n);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			matcher_fini(&list[i]);
	}
	arena_fini(&a);
	return 0;
}
