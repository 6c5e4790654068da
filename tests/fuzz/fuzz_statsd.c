/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagrams: lines are taken or counted, and the table stays sound. 0xff ends a datagram. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/statsd/table.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct statsd_table *t = statsd_table_new(STR("_total"));
	struct str all = str_n((const char *)data, size), packet;
	uint64_t refused = 0;

	while (str_split(&all, '\xff', &packet))
		statsd_table_packet(t, packet);
	for (int r = 0; r < STATSD_REASONS; r++)
		refused += t->refused[r];
	ASSERT(t->n_cells <= t->lines);
	ASSERT(refused <= 2 * size + 1);
	statsd_table_check(t);
	statsd_table_free(t);
	return 0;
}
