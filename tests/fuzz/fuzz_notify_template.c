/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a template of a notification, as plain text or as HTML (by the first byte), over a
 * message whose labels are hostile: it runs within its bounds or is refused with a place inside the
 * text, and what it gives is clean text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_output(const struct buf *out)
{
	ASSERT(out->n <= LIMIT_NOTIFY_TEMPLATE_OUTPUT * 3);
	ASSERT(str_is_utf8(buf_view(out)));
	for (size_t i = 0; i < out->n; i++) {
		unsigned char c = (unsigned char)out->p[i];

		ASSERT(c >= 0x20 || c == '\n' || c == '\t');
		ASSERT(c != 0x7f);
	}
}

/* Values can end no tag: what they hold of brackets is escaped wherever they stand. */
static void check_values(struct notify_templates *t, const struct message *m)
{
	struct buf out;
	struct err e;

	buf_init(&out, 4096);
	if (notify_template_html(t, STR("{{ .CommonLabels }}"), m, &out, &e) == 0)
		ASSERT(str_find(buf_view(&out), '<') == out.n);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct label hostile[] = {{{"alertname", 9}, {"<script>\"'\x01\xff`", 13}},
		{{"instance", 8}, {"javascript:alert(1)\r\n", 21}}, {{"job", 3}, {"</a>&amp;", 9}}};
	static const struct label words[] = {
		{{"summary", 7}, {"{{ .Status }} %s \xe2\x80\xae", 21}}};
	struct message_alert v[] = {{.firing = true,
					    .labels = {hostile, 3},
					    .annotations = {words, 1},
					    .op = ">",
					    .expr = STR("up == 0"),
					    .starts_at_ms = 1700000000000},
		{.labels = {hostile, 3},
			.annotations = {words, 1},
			.op = "",
			.ends_at_ms = 1700000060000}};
	struct message m = {.receiver = STR("a.b"),
		.external_url = STR("http://h/p"),
		.group_labels = {hostile, 1},
		.route_labels = {words, 1},
		.now_ms = 1700000100000};
	struct str text = size > 0 ? str_n((const char *)data + 1, size - 1) : STR("");
	bool html = size > 0 && data[0] % 2 == 1;
	static struct notify_templates *t; /* belfry's definitions: parsed once */
	static struct arena kept;
	struct err e = {.kind = ERR_NONE};
	struct arena a;
	struct buf out;

	if (t == NULL) {
		arena_init(&kept, (size_t)8 << 20);
		t = notify_templates_new(&kept);
		ASSERT(t != NULL);
	}
	arena_init(&a, (size_t)1 << 20);
	buf_init(&out, LIMIT_NOTIFY_TEMPLATE_OUTPUT * 3);
	message_finish(&m, v, ARRAY_LEN(v), &a);
	if ((html ? notify_template_html(t, text, &m, &out, &e)
		  : notify_template_text(t, text, &m, &out, &e)) != 0) {
		ASSERT(e.kind == ERR_INPUT || e.kind == ERR_LIMIT);
		ASSERT(e.off <= text.n || e.off == SIZE_MAX);
		ASSERT(e.msg[0] != '\0');
		ASSERT(out.n == 0);
	}
	check_output(&out);
	check_values(t, &m);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
