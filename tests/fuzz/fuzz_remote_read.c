/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a remote read request, and as what a replay asks of another server: remote read's
 * answer, a query's matrix, past silences. */
#include <snappy-c.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/backtest_fetch.h"
#include "agent/ingest/rw_query.h"
#include "base/assert.h"
#include "storage/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_query(void *ctx, const struct rw_query *q, struct err *e)
{
	(void)ctx;
	(void)e;
	ASSERT(q->n > 0 && q->n <= RW_MATCHERS_MAX);
	ASSERT(q->from_ms <= q->to_ms);
	return 0;
}

static void read_samples(struct str text)
{
	struct batch *b = batch_new(BATCH_IMPORT), *c = batch_new(BATCH_IMPORT);
	size_t n = snappy_max_compressed_length(text.n), hists;
	char *packed = malloc(n);
	struct err e;

	ASSERT(packed != NULL);
	(void)!bt_samples_read(text, (struct labels){NULL, 0}, b, &e);
	if (snappy_compress(text.p, text.n, packed, &n) == SNAPPY_OK)
		(void)!bt_samples_read(str_n(packed, n), (struct labels){NULL, 0}, b, &e);
	(void)!bt_samples_matrix(text, (struct labels){NULL, 0}, c, &hists, &e);
	free(packed);
	batch_free(b);
	batch_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct past p;
	struct arena a;
	struct err e;

	arena_init(&a, (size_t)16 << 20);
	(void)!rw_queries(text, &a, on_query, NULL, &e);
	read_samples(text);
	if (past_parse(text, &a, &p, &e) == 0) {
		for (size_t i = 1; i < p.n_acks; i++)
			ASSERT(p.acks[i - 1].at_ms <= p.acks[i].at_ms);
		for (size_t i = 0; i < p.n_silences; i++)
			ASSERT(p.silences[i].id.n == 36);
	}
	arena_fini(&a);
	return 0;
}
