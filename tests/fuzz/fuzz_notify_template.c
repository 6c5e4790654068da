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

/* Bytes of the text that are in `set`. */
static size_t count(struct str s, const char *set)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] != '\0' && strchr(set, s.p[i]) != NULL;
	return n;
}

/* A value can end no tag, attribute, string or comment, and bring no link to a script, wherever it
 * stands: the page has the same brackets and quotes as with a harmless one. */
static void check_values(const struct notify_templates *t, struct message *m, struct str value)
{
	static const char page_text[] =
		"{{ $v := .CommonLabels.v }}<p>{{ $v }}</p><a href=\"{{ $v }}\" title='{{ $v }}' "
		"class={{ $v }} onclick=\"f({{ $v }}, '{{ $v }}')\" style=\"color: {{ $v }}; "
		"background: url('{{ $v }}')\" href='/x?{{ $v }}#{{ $v }}'><!-- {{ $v }} -->"
		"<title>{{ $v }}</title><script>var x = {{ $v }}, y = '{{ $v }}', z = `{{ $v }}`; "
		"// "
		"{{ $v }}\n</script><style>p { color: {{ $v }} }</style><i {{ $v }}=1></i>";
	const struct str page = str_n(page_text, sizeof page_text - 1);
	struct label evil = {{"v", 1}, value}, good = {{"v", 1}, {"x", 1}};
	struct buf out, plain;
	struct err e;

	buf_init(&out, LIMIT_NOTIFY_TEMPLATE_OUTPUT * 3);
	buf_init(&plain, 4096);
	m->common_labels = (struct labels){&good, 1};
	ASSERT(notify_template_html(t, page, m, &plain, &e) == 0);
	m->common_labels = (struct labels){&evil, 1};
	if (value.n > 0 && notify_template_html(t, page, m, &out, &e) == 0) {
		ASSERT(count(buf_view(&out), "<>") == count(buf_view(&plain), "<>"));
		ASSERT(count(buf_view(&out), "\"'") == count(buf_view(&plain), "\"'"));
		ASSERT(!str_has(buf_view(&out), STR("href=\"javascript:")));
		ASSERT(!str_has(buf_view(&out), STR("</script></script>")));
	}
	buf_fini(&plain);
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
	check_values(t, &m, text);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
