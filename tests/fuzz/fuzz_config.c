/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as belfry.yml: no crash, no leak; what loads prints and loads again. */
#include <stdint.h>
#include <stdlib.h>

#include "agent/config.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct buf out;
	struct diag *d;
	struct config *c;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, 4u << 20);
	d = diag_new(&a);
	c = config_load_text(STR("f"), str_n((const char *)data, size), NULL, d);
	if ((c == NULL) != (diag_errors(d) > 0))
		abort();
	diag_print(d, &out);
	if (c != NULL) {
		buf_reset(&out);
		config_print(c, &out);
		if (out.failed)
			abort();
	}
	config_free(c);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
