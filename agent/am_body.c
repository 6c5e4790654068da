/* SPDX-License-Identifier: Apache-2.0 */
/*
 * am_body - alerts and silences from JSON; see am_body.h.
 *
 * As in Alertmanager a body is read whole first (400 for what has the wrong type), then checked
 * against the schema (422, the first thing missing). Names of members match in any case of letters.
 */
#include "agent/am_body.h"

#include <stdio.h>

#include "base/dur.h"
#include "base/jsonr.h"
#include "base/limits.h"
#include "base/matcher_parse.h"
#include "base/num.h"

#define ALERTS_MAX  (2 * LIMIT_EXTERNAL_ALERTS) /* of one body; the notifier has its own bound */
#define YEAR_ONE_MS INT64_C(-62135596800000)    /* 0001-01-01T00:00:00Z */

struct body {
	struct jsonr j;
	struct arena *a;
	struct err schema; /* the first thing that is missing or of a wrong form */
};

static void fault(struct body *b, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fault(struct body *b, int code, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	va_list ap;

	if (b->schema.kind != ERR_NONE)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	(void)err_set(&b->schema, ERR_INPUT, code, "%s", msg);
}

/* ---- scalars ---- */

bool am_read_time(struct str s, int64_t *ms)
{
	char text[64];
	size_t n = s.n;

	if (s.n == 0) {
		*ms = 0;
		return true;
	}
	if (s.n >= sizeof text - 10)
		return false;
	memcpy(text, s.p, n);
	if (n == 10) { /* the day alone */
		memcpy(text + n, "T00:00:00Z", 10);
		n += 10;
	} else if (n > 10) {
		bool zone = false;

		if (text[10] == ' ')
			text[10] = 'T';
		for (size_t i = 11; i < n; i++)
			zone = zone || text[i] == 'Z' || text[i] == '+' || text[i] == '-';
		if (!zone)
			text[n++] = 'Z';
	}
	if (!time_parse_rfc3339(str_n(text, n), ms))
		return false;
	if (*ms == YEAR_ONE_MS)
		*ms = 0;
	else if (*ms == 0)
		*ms = 1; /* 1970 is a time like others */
	return true;
}

bool am_truth(struct str s)
{
	static const char *const words[] = {
		"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_nocase(s, str_c(words[i])))
			return true;
	}
	return false;
}

bool am_is_uuid(struct str s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		char c = s.p[i];
		bool hex =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (i == 8 || i == 13 || i == 18 || i == 23 ? c != '-' : !hex)
			return false;
	}
	return true;
}

/* A string or null. True when it was a string. */
static bool text(struct body *b, struct str *out)
{
	return !jsonr_null(&b->j) && jsonr_str(&b->j, out);
}

static bool moment(struct body *b, int64_t *ms)
{
	struct str s;

	if (!text(b, &s))
		return false;
	return am_read_time(s, ms) ||
	       jsonr_fail(&b->j, "cannot parse \"" STR_FMT "\" as a time", STR_ARG(s));
}

/* A map of strings; false when it was null. Of a name that stands twice the last counts. */
static bool labels(struct body *b, struct labels *out)
{
	struct label *v = NULL;
	size_t n = 0, cap = 0;
	struct str key;

	if (jsonr_null(&b->j) || !jsonr_object(&b->j))
		return false;
	while (jsonr_key(&b->j, &key)) {
		struct str value = STR("");
		size_t at = 0;

		(void)text(b, &value);
		while (at < n && !str_eq(v[at].name, key))
			at++;
		if (at == n && n == cap) {
			struct label *more = ARENA_ARRAY(b->a, cap * 2 + 8, struct label);

			if (more == NULL)
				return jsonr_fail(&b->j, "too large");
			if (n > 0)
				memcpy(more, v, n * sizeof *v);
			v = more;
			cap = cap * 2 + 8;
		}
		if (at == 4 * LIMIT_LABELS)
			return jsonr_fail(&b->j, "more than %u labels", 4 * LIMIT_LABELS);
		v[at] = (struct label){key, value};
		n = MAX_OF(n, at + 1);
	}
	*out = (struct labels){v, n};
	return !b->j.failed;
}

/* An absolute URI or a path. */
static bool is_uri(struct str s)
{
	size_t colon = str_find(s, ':');

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	if (s.n == 0 || s.p[0] == '/')
		return true;
	for (size_t i = 0; i < colon; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter &&
			(i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			return false;
	}
	return colon > 0 && colon < s.n;
}

static int finish(struct body *b, const char *what, struct err *e)
{
	if (jsonr_end(&b->j)) {
		if (b->schema.kind == ERR_NONE)
			return 0;
		*e = b->schema;
		return -1;
	}
	e->code = AM_BAD_JSON;
	return err_wrap(e, "parsing %s body from \"\" failed, because", what);
}

/* ---- alerts ---- */

static void read_alert(struct body *b, size_t index, struct external_alert *out)
{
	struct str key;
	bool has_labels = false;

	if (jsonr_null(&b->j)) {
		fault(b, AM_REQUIRED, "%zu in body is required", index);
		return;
	}
	if (!jsonr_object(&b->j))
		return;
	while (jsonr_key(&b->j, &key)) {
		if (str_eq_nocase(key, STR("labels")))
			has_labels = labels(b, &out->labels);
		else if (str_eq_nocase(key, STR("annotations")))
			(void)labels(b, &out->annotations);
		else if (str_eq_nocase(key, STR("startsAt")))
			(void)moment(b, &out->starts_at_ms);
		else if (str_eq_nocase(key, STR("endsAt")))
			(void)moment(b, &out->ends_at_ms);
		else if (str_eq_nocase(key, STR("generatorURL")))
			(void)text(b, &out->generator_url);
		else
			(void)jsonr_skip(&b->j);
	}
	if (!is_uri(out->generator_url))
		fault(b, AM_TYPE, "%zu.generatorURL in body must be of type uri: \"" STR_FMT "\"",
			index, STR_ARG(out->generator_url));
	if (!has_labels)
		fault(b, AM_REQUIRED, "%zu.labels in body is required", index);
}

struct alert_list {
	struct external_alert *v;
	size_t n, cap;
};

/* The next place, empty; NULL: told. */
static struct external_alert *next_alert(struct body *b, struct alert_list *l)
{
	if (l->n == ALERTS_MAX) {
		(void)jsonr_fail(&b->j, "more than %u alerts", ALERTS_MAX);
		return NULL;
	}
	if (l->n == l->cap) {
		struct external_alert *more =
			ARENA_ARRAY(b->a, l->cap * 2 + 16, struct external_alert);

		if (more == NULL) {
			(void)jsonr_fail(&b->j, "too large");
			return NULL;
		}
		if (l->n > 0)
			memcpy(more, l->v, l->n * sizeof *l->v);
		l->v = more;
		l->cap = l->cap * 2 + 16;
	}
	l->v[l->n] = (struct external_alert){.generator_url = STR("")};
	return &l->v[l->n++];
}

int am_read_alerts(
	struct arena *a, struct str body, struct external_alert **out, size_t *n, struct err *e)
{
	struct body b = {.a = a};
	struct alert_list l = {NULL, 0, 0};

	if (body.n == 0)
		return err_set(e, ERR_INPUT, AM_REQUIRED, "alerts in body is required");
	jsonr_init(&b.j, body, a, e);
	if (!jsonr_null(&b.j) && jsonr_array(&b.j)) {
		while (jsonr_item(&b.j)) {
			struct external_alert *al = next_alert(&b, &l);

			if (al != NULL)
				read_alert(&b, l.n - 1, al);
		}
	}
	*out = l.v;
	*n = l.n;
	return finish(&b, "alerts", e);
}

/* ---- silences ---- */

static void read_matcher(struct body *b, size_t index, struct silence_matcher *m)
{
	bool name = false, value = false, is_regex = false;
	struct str key;

	*m = (struct silence_matcher){.is_equal = true};
	if (jsonr_null(&b->j)) {
		fault(b, AM_REQUIRED, "matchers.%zu in body is required", index);
		return;
	}
	if (!jsonr_object(&b->j))
		return;
	while (jsonr_key(&b->j, &key)) {
		if (str_eq_nocase(key, STR("name")))
			name = text(b, &m->name);
		else if (str_eq_nocase(key, STR("value")))
			value = text(b, &m->value);
		else if (str_eq_nocase(key, STR("isRegex")))
			is_regex = !jsonr_null(&b->j) && jsonr_bool(&b->j, &m->is_regex);
		else if (str_eq_nocase(key, STR("isEqual")))
			(void)(!jsonr_null(&b->j) && jsonr_bool(&b->j, &m->is_equal));
		else
			(void)jsonr_skip(&b->j);
	}
	if (!is_regex)
		fault(b, AM_REQUIRED, "matchers.%zu.isRegex in body is required", index);
	if (!name)
		fault(b, AM_REQUIRED, "matchers.%zu.name in body is required", index);
	if (!value)
		fault(b, AM_REQUIRED, "matchers.%zu.value in body is required", index);
}

/* False when it was null. */
static bool read_matchers(struct body *b, struct silence_view *out)
{
	struct silence_matcher *v;
	size_t n = 0;

	if (jsonr_null(&b->j) || !jsonr_array(&b->j))
		return false;
	v = ARENA_ARRAY(b->a, MATCHERS_MAX, struct silence_matcher);
	if (v == NULL)
		return jsonr_fail(&b->j, "too large");
	while (jsonr_item(&b->j)) {
		if (n == MATCHERS_MAX)
			return jsonr_fail(&b->j, "more than %u matchers", MATCHERS_MAX);
		read_matcher(b, n, &v[n]);
		n++;
	}
	out->matchers = v;
	out->n_matchers = n;
	return true;
}

static void read_recurring(struct body *b, struct str *out)
{
	if (jsonr_peek(&b->j) == JSONR_ARRAY)
		(void)jsonr_raw(&b->j, out);
	else
		(void)text(b, out);
}

struct given {
	bool comment, created_by, starts_at, ends_at, matchers;
};

static void silence_member(
	struct body *b, struct str key, struct silence_view *out, struct given *has)
{
	if (str_eq_nocase(key, STR("id")))
		(void)text(b, &out->id);
	else if (str_eq_nocase(key, STR("comment")))
		has->comment = text(b, &out->comment);
	else if (str_eq_nocase(key, STR("createdBy")))
		has->created_by = text(b, &out->created_by);
	else if (str_eq_nocase(key, STR("startsAt")))
		has->starts_at = moment(b, &out->starts_at_ms);
	else if (str_eq_nocase(key, STR("endsAt")))
		has->ends_at = moment(b, &out->ends_at_ms);
	else if (str_eq_nocase(key, STR("matchers")))
		has->matchers = read_matchers(b, out);
	else if (str_eq_nocase(key, STR("annotations")))
		(void)labels(b, &out->annotations);
	else if (str_eq_nocase(key, STR("recurring")))
		read_recurring(b, &out->recurring);
	else
		(void)jsonr_skip(&b->j);
}

int am_read_silence(struct arena *a, struct str body, struct silence_view *out, struct err *e)
{
	struct body b = {.a = a};
	struct err inner; /* of the matchers: told after what is missing beside them */
	struct given has = {0};
	struct str key;

	*out = (struct silence_view){
		.id = STR(""), .created_by = STR(""), .comment = STR(""), .recurring = STR("")};
	if (body.n == 0)
		return err_set(e, ERR_INPUT, AM_REQUIRED, "silence in body is required");
	jsonr_init(&b.j, body, a, e);
	if (!jsonr_null(&b.j) && jsonr_object(&b.j)) {
		while (jsonr_key(&b.j, &key))
			silence_member(&b, key, out, &has);
	}
	inner = b.schema;
	b.schema = (struct err){0};
	if (!has.comment)
		fault(&b, AM_REQUIRED, "comment in body is required");
	if (!has.created_by)
		fault(&b, AM_REQUIRED, "createdBy in body is required");
	if (!has.ends_at)
		fault(&b, AM_REQUIRED, "endsAt in body is required");
	if (!has.matchers)
		fault(&b, AM_REQUIRED, "matchers in body is required");
	else if (out->n_matchers == 0)
		fault(&b, AM_TOO_FEW, "matchers in body should have at least 1 items");
	if (inner.kind != ERR_NONE)
		fault(&b, inner.code, "%s", inner.msg);
	if (!has.starts_at)
		fault(&b, AM_REQUIRED, "startsAt in body is required");
	if (finish(&b, "silence", e) != 0)
		return -1;
	if (out->annotations.n > 0) {
		size_t n = out->annotations.n;

		(void)labels_sort((struct label *)(uintptr_t)out->annotations.v, &n);
		out->annotations.n = n;
	}
	return 0;
}
