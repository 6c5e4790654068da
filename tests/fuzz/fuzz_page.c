/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages one after the other through one cache (0xff ends a page; its first byte chooses the
 * format): each must be judged as by a cache that knows nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/scrape/page.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
	int rc;
	uint64_t samples, duplicates;
	size_t rows;
};

static struct verdict judge(struct page *p, struct str text)
{
	struct page_conf conf = {.honor_timestamps = true, .label_limit = 20};
	struct page_input in = {&conf,
		text.n > 0 && text.p[0] == 'o' ? EXPO_OPENMETRICS : EXPO_TEXT,
		str_sub(text, 1, text.n), 1000};
	struct page_counts counts = {0};
	struct batch *b = batch_new(BATCH_SCRAPE);
	struct err e;
	struct verdict v;

	v.rc = page_parse(p, &in, b, &counts, &e);
	v.samples = counts.samples;
	v.duplicates = counts.duplicates;
	v.rows = v.rc == 0 ? batch_rows(b) : 0; /* nothing was committed: no stale markers */
	batch_free(b);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct label v[] = {{STR("instance"), STR("i")}, {STR("job"), STR("j")}};
	struct labels target = {v, 2};
	struct page *cached = page_new(target);
	struct str all = str_n((const char *)data, size), text;

	while (str_split(&all, '\xff', &text)) {
		struct page *fresh = page_new(target);
		struct verdict a = judge(cached, text), b = judge(fresh, text);

		ASSERT(a.rc == b.rc);
		ASSERT(a.samples == b.samples);
		ASSERT(a.duplicates == b.duplicates);
		ASSERT(a.rows == b.rows);
		page_free(fresh);
	}
	page_free(cached);
	return 0;
}
