/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_template - loading and running notification templates; see notify_template.h. The language
 * is rules/template*.c's, the data notify_template_data.c's.
 */
#include "exporters/notify_template.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/notify_template_private.h"

struct field {
	struct str text;
	const struct template *t;
	struct field *next;
};

struct notify_templates {
	struct arena *a;
	struct template_set *set;
	struct field *fields;
};

/* --- loading --- */

struct notify_templates *notify_templates_new(struct arena *a)
{
	struct notify_templates *t = ARENA_NEW(a, struct notify_templates);
	struct err e;

	if (t == NULL)
		return NULL;
	t->a = a;
	t->set = template_set_new(a);
	if (t->set == NULL)
		return NULL;
	for (size_t i = 0; notify_template_defaults[i] != NULL; i++) {
		if (template_set_add(
			    t->set, STR(""), str_c(notify_template_defaults[i]), true, &e) != 0)
			return NULL; /* no memory: a test sees to it that they parse */
	}
	return t;
}

int notify_templates_add_file(
	struct notify_templates *t, struct str path, struct str text, struct err *e)
{
	return template_set_add(t->set, path, text, false, e);
}

static const struct template *find(const struct notify_templates *t, struct str text)
{
	for (const struct field *f = t->fields; f != NULL; f = f->next) {
		if (str_eq(f->text, text))
			return f->t;
	}
	return NULL;
}

int notify_templates_add_field(struct notify_templates *t, struct str text, struct err *e)
{
	struct field *f;

	if (find(t, text) != NULL)
		return 0;
	f = ARENA_NEW(t->a, struct field);
	if (f == NULL)
		return err_set(e, ERR_LIMIT, 0, "the template needs too much memory");
	f->t = template_parse_in(t->set, t->a, text, e);
	if (f->t == NULL)
		return -1;
	f->text = arena_str(t->a, text);
	f->next = t->fields;
	t->fields = f;
	return 0;
}

/* --- which template a field means --- */

struct str notify_template_field(
	const struct notify_templates *t, struct str text, const char *name)
{
	/* names that say nothing about the content: who redefines them wants no other layout */
	static const struct str besides[] = {{"__alertmanager", 14}, {"__alertmanagerURL", 17}};

	if (text.n > 0)
		return text;
	if (t == NULL || !template_set_redefined(t->set, str_c(name), besides, ARRAY_LEN(besides)))
		return STR("");
	return notify_template_default(t, text, name);
}

struct str notify_template_default(
	const struct notify_templates *t, struct str text, const char *name)
{
	(void)t; /* whatever it holds: the call finds it when it runs */
	if (text.n > 0)
		return text;
	for (const struct notify_template_call *c = notify_template_calls; c->name != NULL; c++) {
		if (str_eq(str_c(c->name), str_c(name)))
			return str_c(c->text);
	}
	ASSERT(!"the name of a default definition");
	return STR("");
}

/* --- running --- */

static int run_parsed(const struct template *t, const struct message *m, bool html,
	struct arena *scratch, struct buf *out, struct err *e)
{
	struct template_notify_run r = {.now_ms = m->now_ms,
		.route_labels = m->route_labels,
		.html = html,
		.max_steps = LIMIT_NOTIFY_TEMPLATE_STEPS,
		.max_ns = LIMIT_NOTIFY_TEMPLATE_NS};
	struct buf raw;
	int rc;

	r.data = notify_template_data(m, scratch);
	if (scratch->failed)
		return err_set(e, ERR_LIMIT, 0, "%zu alerts are too many for a template", m->n);
	buf_init(&raw, LIMIT_NOTIFY_TEMPLATE_OUTPUT);
	rc = template_run_notify(t, &r, scratch, &raw, e);
	if (rc == 0)
		clean_text(out, buf_view(&raw), SIZE_MAX, CLEAN_LINES);
	if (rc == 0 && out->failed)
		rc = err_set(e, ERR_LIMIT, 0, "the text is longer than %zu bytes", out->max);
	buf_fini(&raw);
	return rc;
}

static int run(const struct notify_templates *t, struct str text, const struct message *m,
	bool html, struct buf *out, struct err *e)
{
	size_t memory = MIN_OF(LIMIT_NOTIFY_TEMPLATE_MEMORY + m->n * 1024, (size_t)256 << 20);
	const struct template *parsed = t != NULL ? find(t, text) : NULL;
	struct arena scratch;
	int rc = -1;

	arena_init(&scratch, memory);
	if (t == NULL)
		t = notify_templates_new(&scratch);
	if (t == NULL)
		(void)err_set(e, ERR_LIMIT, 0, "out of memory");
	else if (parsed == NULL)
		parsed = template_parse_in(t->set, &scratch, text, e);
	if (parsed != NULL)
		rc = run_parsed(parsed, m, html, &scratch, out, e);
	arena_fini(&scratch);
	return rc;
}

static int run_whole(const struct notify_templates *t, struct str text, const struct message *m,
	bool html, struct buf *out, struct err *e)
{
	size_t start = out->n;
	bool failed = out->failed;

	if (run(t, text, m, html, out, e) == 0)
		return 0;
	if (out->p != NULL && out->n > start) {
		out->n = start;
		out->p[start] = '\0';
	}
	out->failed = failed;
	return -1;
}

int notify_template_text(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e)
{
	return run_whole(t, text, m, false, out, e);
}

int notify_template_html(const struct notify_templates *t, struct str text, const struct message *m,
	struct buf *out, struct err *e)
{
	return run_whole(t, text, m, true, out, e);
}

bool notify_template_render(const struct notify_templates *t, struct str text, const char *what,
	const struct message *m, bool html, struct buf *out, struct buf *note)
{
	struct err e = {0};

	if (run_whole(t, text, m, html, out, &e) == 0)
		return true;
	metric_inc(metric_counter("belfry_notify_template_errors_total",
		"Templates of notifications that failed; belfry's own text was sent instead.",
		NULL));
	log_error("notify",
		"msg=\"a template failed\" receiver=\"" STR_FMT "\" field=%s error=\"%s\"",
		STR_ARG(m->receiver), what, e.msg);
	if (note != NULL) {
		if (note->n > 0)
			buf_ch(note, '\n');
		buf_printf(note, "the template of %s failed: ", what);
		clean_text(note, str_c(e.msg), ERR_MSG_MAX, CLEAN_ONE_LINE);
	}
	return false;
}

/* --- trying --- */

int notify_templates_try(
	const struct notify_templates *t, struct str text, bool html, struct err *e)
{
	static const struct label firing[] = {{{"alertname", 9}, {"Example", 7}},
		{{"instance", 8}, {"web1:8080", 9}}, {{"job", 3}, {"web", 3}},
		{{"service", 7}, {"shop", 4}}, {{"severity", 8}, {"critical", 8}}};
	static const struct label resolved[] = {{{"alertname", 9}, {"Example", 7}},
		{{"instance", 8}, {"web2:8080", 9}}, {{"job", 3}, {"web", 3}},
		{{"service", 7}, {"shop", 4}}, {{"severity", 8}, {"critical", 8}}};
	static const struct label words[] = {{{"description", 11}, {"An example.", 11}},
		{{"runbook_url", 11}, {"https://runbooks.example/x", 26}},
		{{"summary", 7}, {"example", 7}}};
	struct message_alert v[] = {{.firing = true,
					    .labels = {firing, 5},
					    .annotations = {words, 3},
					    .op = ">",
					    .starts_at_ms = 1700000000000,
					    .expr = STR("up == 0"),
					    .fingerprint = 1},
		{.labels = {resolved, 5},
			.annotations = {words, 3},
			.op = ">",
			.starts_at_ms = 1700000000000,
			.ends_at_ms = 1700000060000,
			.expr = STR("up == 0"),
			.fingerprint = 2}};
	struct message m = {.receiver = STR("example"),
		.external_url = STR("http://localhost:2355"),
		.group_key = STR("{}:{alertname=\"Example\"}"),
		.group_labels = {firing, 1},
		.reason = REASON_FIRST,
		.now_ms = 1700000120000,
		.id = STR("example"),
		.thread = STR("example"),
		.first = true};
	struct arena a;
	struct buf out;
	int rc;

	arena_init(&a, (size_t)1 << 20);
	message_finish(&m, v, ARRAY_LEN(v), &a);
	buf_init(&out, LIMIT_NOTIFY_TEMPLATE_OUTPUT);
	rc = run_whole(t, text, &m, html, &out, e);
	buf_fini(&out);
	arena_fini(&a);
	return rc;
}
