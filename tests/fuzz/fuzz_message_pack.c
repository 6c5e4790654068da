/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in an outbox row is read without harm, and what is read packs again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "exporters/message_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message m = {.now_ms = 0}, again = {.now_ms = 0};
	struct arena a;
	struct err e;
	struct buf b;

	hash_init();
	arena_init(&a, (size_t)16 << 20);
	buf_init(&b, (size_t)16 << 20);
	if (message_unpack(str_n((const char *)data, size), &a, &m, &e) == 0) {
		message_pack(&m, &b);
		if (message_unpack(buf_view(&b), &a, &again, &e) != 0 && !a.failed)
			abort();
	}
	buf_fini(&b);
	arena_fini(&a);
	return 0;
}
