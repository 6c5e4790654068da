/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a template: it parses and runs within its bounds, or is refused with a place inside
 * the text. Queries answer with two samples.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "rules/template.h"

static int query(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
	struct template_sample **samples, size_t *n, struct err *e)
{
	static const struct label v[] = {{{"a", 1}, {"1", 1}}, {{"job", 3}, {"x:80", 4}}};

	(void)ctx;
	(void)at_ms;
	if (expr.n == 0)
		return err_set(e, ERR_INPUT, 0, "empty");
	*n = 2;
	*samples = ARENA_ARRAY(a, 2, struct template_sample);
	if (*samples == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	(*samples)[0] = (struct template_sample){.labels = {v, 2}, .value = 1.5};
	(*samples)[1] = (struct template_sample){.labels = {v, 1}, .value = -3};
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct label v[] = {
		{{"instance", 8}, {"db:9100", 7}}, {{"job", 3}, {"db", 2}}};
	struct template_rule_data d = {.labels = {v, 2},
		.external_url = STR("http://h/p"),
		.value = 0.25,
		.now_ms = 1000,
		.query = query};
	struct str text = str_n((const char *)data, size);
	struct err e = {.kind = ERR_NONE};
	const struct template *t;
	struct arena a;
	struct buf out;

	arena_init(&a, (size_t)8 << 20);
	buf_init(&out, 4096);
	t = template_parse(&a, text, &e);
	if (t == NULL) {
		ASSERT(e.kind == ERR_INPUT || e.kind == ERR_LIMIT);
		ASSERT(e.off <= size);
		ASSERT(e.msg[0] != '\0');
	} else if (template_run_rule(t, &d, &a, &out, &e) == 0) {
		ASSERT(!out.failed);
	} else {
		ASSERT(e.msg[0] != '\0');
	}
	ASSERT(out.n <= 4096);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
