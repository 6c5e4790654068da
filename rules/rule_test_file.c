/* SPDX-License-Identifier: Apache-2.0 */
/* rule_test_file - reads a file of rule unit tests; every mistake is told with its place. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/f64.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/num.h"
#include "base/yaml.h"
#include "rules/rule_test.h"

struct reader {
	struct arena *a;
	struct diag *d;
	struct rule_test_file *f;
};

static const struct str file_keys[] = {{"rule_files", 10}, {"evaluation_interval", 19},
	{"group_eval_order", 16}, {"tests", 5}, {"fuzzy_compare", 13}};
static const struct str test_keys[] = {{"interval", 8}, {"name", 4}, {"input_series", 12},
	{"alert_rule_test", 15}, {"promql_expr_test", 16}, {"external_labels", 15},
	{"external_url", 12}, {"start_timestamp", 15}};
static const struct str series_keys[] = {{"series", 6}, {"values", 6}};
static const struct str alerts_keys[] = {{"eval_time", 9}, {"alertname", 9}, {"exp_alerts", 10}};
static const struct str alert_keys[] = {{"exp_labels", 10}, {"exp_annotations", 15}};
static const struct str query_keys[] = {{"expr", 4}, {"eval_time", 9}, {"exp_samples", 11}};
static const struct str sample_keys[] = {{"labels", 6}, {"value", 5}, {"histogram", 9}};

/* --- nodes --- */

static bool is_map(const struct reader *r, const struct yaml_node *n, const struct str *keys,
	size_t n_keys, const char *what)
{
	if (n->kind == YAML_NULL)
		return true;
	if (n->kind != YAML_MAP) {
		diag_error(r->d, n->pos, "%s must be a map", what);
		return false;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct str key = n->pairs[i].key->scalar, near;
		bool known = false;

		for (size_t k = 0; k < n_keys; k++)
			known = known || str_eq(key, keys[k]);
		if (known)
			continue;
		near = diag_nearest(key, keys, n_keys);
		if (near.n > 0)
			diag_error(r->d, n->pairs[i].key->pos,
				"unknown key \"" STR_FMT "\" in %s, did you mean \"" STR_FMT "\"?",
				STR_ARG(key), what, STR_ARG(near));
		else
			diag_error(r->d, n->pairs[i].key->pos, "unknown key \"" STR_FMT "\" in %s",
				STR_ARG(key), what);
	}
	return true;
}

static const struct yaml_node *get(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = map->kind == YAML_MAP ? yaml_get(map, str_c(key)) : NULL;

	return n != NULL && n->kind == YAML_NULL && n->scalar.n == 0 ? NULL : n;
}

/* The items of a list, or nothing. */
static size_t items(const struct reader *r, const struct yaml_node *map, const char *key,
	const struct yaml_node *const **v)
{
	const struct yaml_node *n = get(map, key);

	*v = NULL;
	if (n == NULL || n->kind == YAML_NULL)
		return 0;
	if (n->kind != YAML_SEQ) {
		diag_error(r->d, n->pos, "%s must be a list", key);
		return 0;
	}
	*v = n->items;
	return n->n;
}

static struct str text(const struct reader *r, const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = get(map, key);

	if (n == NULL)
		return STR("");
	if (n->kind == YAML_SCALAR || n->kind == YAML_NULL)
		return n->scalar;
	diag_error(r->d, n->pos, "%s must be a text", key);
	return STR("");
}

static int64_t duration(
	const struct reader *r, const struct yaml_node *map, const char *key, int64_t absent)
{
	const struct yaml_node *n = get(map, key);
	struct str s = text(r, map, key);
	struct err e;
	int64_t ms;

	if (n == NULL)
		return absent;
	if (dur_parse(s, &ms, &e) == 0)
		return ms;
	diag_error(r->d, n->pos, "%s: \"" STR_FMT "\" is not a duration; write 30s, 5m or 1h30m",
		key, STR_ARG(s));
	return absent;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Empty values stay: a test may expect them. With an alertname, it is set. */
static struct labels label_map(
	const struct reader *r, const struct yaml_node *map, const char *key, struct str alertname)
{
	const struct yaml_node *n = get(map, key);
	size_t count = n != NULL && n->kind == YAML_MAP ? n->n : 0, used = 0;
	struct label *v = ARENA_ARRAY(r->a, count + 1, struct label);

	if (n != NULL && n->kind != YAML_MAP)
		diag_error(r->d, n->pos, "%s must be a map of names to texts", key);
	if (v == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *value = n->pairs[i].value;

		if (value->kind != YAML_SCALAR && value->kind != YAML_NULL)
			diag_error(r->d, value->pos, "%s must be a map of names to texts", key);
		else if (alertname.n == 0 || !str_eq(n->pairs[i].key->scalar, STR("alertname")))
			v[used++] = (struct label){n->pairs[i].key->scalar, value->scalar};
	}
	if (alertname.n > 0)
		v[used++] = (struct label){STR("alertname"), alertname};
	if (used > 0)
		qsort(v, used, sizeof *v, by_name);
	return (struct labels){v, used};
}

static bool series_name(
	const struct reader *r, const struct yaml_node *map, const char *key, struct labels *out)
{
	const struct yaml_node *n = get(map, key);
	struct err e;

	*out = (struct labels){NULL, 0};
	if (n == NULL || series_labels_parse(r->a, text(r, map, key), out, &e) == 0)
		return n != NULL;
	diag_error(r->d, yaml_scalar_pos(n, e.off, 1), "%s: %s", key, e.msg);
	return false;
}

/* --- parts of a test --- */

static void read_series(
	const struct reader *r, const struct yaml_node *n, struct rule_test_series *out)
{
	const struct yaml_node *values = get(n, "values");
	struct series_value *v = NULL;
	struct err e;

	if (!is_map(r, n, series_keys, ARRAY_LEN(series_keys), "an input series"))
		return;
	if (!series_name(r, n, "series", &out->labels) && get(n, "series") == NULL &&
		values != NULL)
		diag_error(r->d, n->pos, "an input series needs \"series\"");
	if (values == NULL)
		return;
	if (series_values_parse(r->a, text(r, n, "values"), &v, &out->n, &e) != 0)
		diag_error(r->d, yaml_scalar_pos(values, e.off, 1), "values: %s", e.msg);
	out->v = v;
}

static void read_alerts(
	const struct reader *r, const struct yaml_node *n, struct rule_test_alerts *out)
{
	const struct yaml_node *const *v;
	size_t count;

	if (!is_map(r, n, alerts_keys, ARRAY_LEN(alerts_keys), "an alert test"))
		return;
	out->line = n->pos.line;
	out->name = text(r, n, "alertname");
	out->at_ms = duration(r, n, "eval_time", 0);
	if (out->name.n == 0)
		diag_error(r->d, n->pos, "an alert test needs \"alertname\"");
	count = items(r, n, "exp_alerts", &v);
	out->want = ARENA_ARRAY(r->a, count, struct rule_test_alert);
	for (size_t i = 0; out->want != NULL && i < count; i++) {
		if (!is_map(r, v[i], alert_keys, ARRAY_LEN(alert_keys), "an expected alert"))
			continue;
		out->want[i].labels = label_map(r, v[i], "exp_labels", out->name);
		out->want[i].annotations = label_map(r, v[i], "exp_annotations", STR_NULL);
	}
	out->n = out->want != NULL ? count : 0;
}

/* Digits of a base, underscores passed over. */
static bool yaml_int(struct str s, unsigned base, double *out)
{
	double v = 0;
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)(s.p[i] | 0x20);
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(s.p[i] - '0')
			     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
						    : 99u;

		if (s.p[i] == '_')
			continue;
		if (d >= base)
			return false;
		v = v * base + d;
		digits++;
	}
	*out = v;
	return digits > 0;
}

/* A number as go-yaml reads one, which takes no text for it: 2, 1e3, 0x1f, 0o17, 017, 0b1, 1_000,
 * .inf, -.Inf, .nan. */
static bool yaml_number(const struct yaml_node *n, double *out)
{
	static const struct {
		const char *prefix;
		unsigned base;
	} bases[] = {{"0x", 16}, {"0X", 16}, {"0o", 8}, {"0O", 8}, {"0b", 2}, {"0B", 2}, {"0", 8}};
	struct str s = n->scalar;
	bool minus = s.n > 0 && s.p[0] == '-', done = false;
	char plain[64];
	size_t used = 0;

	if (n->kind != YAML_SCALAR || n->quoted)
		return false;
	if (str_eq(s, STR(".nan")) || str_eq(s, STR(".NaN")) || str_eq(s, STR(".NAN"))) {
		*out = normal_nan();
		return true;
	}
	if (minus || (s.n > 0 && s.p[0] == '+'))
		s = str_sub(s, 1, s.n);
	if (str_eq(s, STR(".inf")) || str_eq(s, STR(".Inf")) || str_eq(s, STR(".INF"))) {
		*out = minus ? -INFINITY : INFINITY;
		return true;
	}
	for (size_t i = 0; !done && i < ARRAY_LEN(bases); i++) {
		size_t len = strlen(bases[i].prefix);

		done = s.n > len && str_starts(s, str_c(bases[i].prefix)) &&
		       yaml_int(str_sub(s, len, s.n), bases[i].base, out);
	}
	for (size_t i = 0; i < s.n && used < sizeof plain; i++) {
		if (s.p[i] != '_')
			plain[used++] = s.p[i];
		/* no words, and no second sign */
		if (!done && strchr("0123456789.eE+-_", s.p[i]) == NULL)
			return false;
	}
	if (s.n == 0 || s.p[0] == '+' || s.p[0] == '-' || s.p[0] == '_')
		return false;
	if (!done && (used == sizeof plain || !f64_parse(str_n(plain, used), out)))
		return false;
	*out = minus ? -*out : *out;
	return true;
}

static void read_sample(
	const struct reader *r, const struct yaml_node *n, struct rule_test_sample *out)
{
	const struct yaml_node *hist, *value;
	struct series_value *v;
	struct err e;
	size_t count;

	if (!is_map(r, n, sample_keys, ARRAY_LEN(sample_keys), "an expected sample"))
		return;
	(void)series_name(r, n, "labels", &out->labels);
	value = get(n, "value");
	if (value != NULL && !yaml_number(value, &out->v))
		diag_error(r->d, value->pos, "value: \"" STR_FMT "\" is not a number%s",
			STR_ARG(value->scalar),
			value->quoted ? " but a text: write it without quotes" : "");
	hist = get(n, "histogram");
	if (hist == NULL || text(r, n, "histogram").n == 0)
		return;
	if (series_values_parse(r->a, text(r, n, "histogram"), &v, &count, &e) != 0)
		diag_error(r->d, yaml_scalar_pos(hist, e.off, 1), "%s", e.msg);
	else if (count != 1 || v[0].h == NULL)
		diag_error(r->d, hist->pos, "expected one histogram in {{ }}");
	else
		out->h = v[0].h;
}

static void read_query(
	const struct reader *r, const struct yaml_node *n, struct rule_test_query *out)
{
	const struct yaml_node *const *v;
	size_t count;

	if (!is_map(r, n, query_keys, ARRAY_LEN(query_keys), "an expression test"))
		return;
	out->line = n->pos.line;
	out->expr = text(r, n, "expr");
	out->at_ms = duration(r, n, "eval_time", 0);
	count = items(r, n, "exp_samples", &v);
	out->want = ARENA_ARRAY(r->a, count, struct rule_test_sample);
	for (size_t i = 0; out->want != NULL && i < count; i++)
		read_sample(r, v[i], &out->want[i]);
	out->n = out->want != NULL ? count : 0;
}

static int64_t start_time(const struct reader *r, const struct yaml_node *map)
{
	const struct yaml_node *n = get(map, "start_timestamp");
	int64_t ms;
	double v;

	if (n == NULL)
		return 0;
	if (time_parse_rfc3339(n->scalar, &ms))
		return ms;
	if (f64_parse(n->scalar, &v) && fabs(v) < 9e15)
		return num_clamp_i64(v * 1000);
	diag_error(r->d, n->pos, "start_timestamp is a time as 2026-01-02T03:04:05Z or in seconds");
	return 0;
}

/* As in promtool: of two definitions of a series the last one counts, alone. */
static void last_counts(
	const struct reader *r, struct rule_test *t, const struct yaml_node *const *nodes)
{
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; t->series != NULL && i < t->n_series; i++) {
		struct rule_test_series *s = &t->series[i], *had;
		uint64_t hash = labels_hash(s->labels);
		struct map_iter it;

		had = map_first(&seen, hash, &it);
		while (had != NULL && !labels_eq(had->labels, s->labels))
			had = map_next(&seen, &it);
		if (had != NULL) {
			had->n = 0;
			map_remove(&seen, hash, had);
			diag_warn(r->d, nodes[had - t->series]->pos,
				"this series stands again in line %u, and only that counts",
				nodes[i]->pos.line);
		}
		map_add(&seen, hash, s);
	}
	map_fini(&seen);
}

static void read_test(const struct reader *r, const struct yaml_node *n, struct rule_test *t)
{
	const struct yaml_node *const *v;

	t->line = n->pos.line;
	t->interval_ms = r->f->interval_ms;
	if (!is_map(r, n, test_keys, ARRAY_LEN(test_keys), "a test") || n->kind == YAML_NULL)
		return;
	t->name = text(r, n, "name");
	t->interval_ms = duration(r, n, "interval", 0);
	if (t->interval_ms == 0)
		t->interval_ms = r->f->interval_ms;
	t->start_ms = start_time(r, n);
	t->external_labels = label_map(r, n, "external_labels", STR_NULL);
	t->external_url = text(r, n, "external_url");
	t->n_series = items(r, n, "input_series", &v);
	t->series = ARENA_ARRAY(r->a, t->n_series, struct rule_test_series);
	for (size_t i = 0; t->series != NULL && i < t->n_series; i++)
		read_series(r, v[i], &t->series[i]);
	last_counts(r, t, v);
	t->n_alerts = items(r, n, "alert_rule_test", &v);
	t->alerts = ARENA_ARRAY(r->a, t->n_alerts, struct rule_test_alerts);
	for (size_t i = 0; t->alerts != NULL && i < t->n_alerts; i++)
		read_alerts(r, v[i], &t->alerts[i]);
	t->n_queries = items(r, n, "promql_expr_test", &v);
	t->queries = ARENA_ARRAY(r->a, t->n_queries, struct rule_test_query);
	for (size_t i = 0; t->queries != NULL && i < t->n_queries; i++)
		read_query(r, v[i], &t->queries[i]);
}

/* --- the file --- */

/* What no name can match because it is no pattern: a class without its end, a backslash before
 * nothing. */
static bool pattern_is_bad(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && ++i == s.n)
			return true;
		if (s.p[i] != '[')
			continue;
		i += i + 1 < s.n && s.p[i + 1] == '^';
		i++; /* a first ] is an ordinary one only behind a backslash: the class is empty */
		if (i < s.n && s.p[i] == ']')
			return true;
		while (i < s.n && s.p[i] != ']')
			i += s.p[i] == '\\' ? 2 : 1;
		if (i >= s.n)
			return true;
	}
	return false;
}

/* A pattern beside the test file, as paths in *out. */
static void match_files(const struct reader *r, const struct yaml_node *n, struct str **out,
	size_t *used, size_t *cap)
{
	size_t dir = r->f->path.n;
	struct str pattern;
	glob_t g;

	while (dir > 0 && r->f->path.p[dir - 1] != '/')
		dir--;
	pattern = n->scalar.n > 0 && n->scalar.p[0] == '/'
			  ? arena_str(r->a, n->scalar)
			  : arena_printf(r->a, "%.*s%.*s", (int)dir, r->f->path.p, (int)n->scalar.n,
				    n->scalar.p);
	if (pattern.p == NULL)
		return;
	if (pattern_is_bad(n->scalar)) {
		diag_error(r->d, n->pos, "\"" STR_FMT "\" is not a pattern of file names",
			STR_ARG(n->scalar));
		return;
	}
	if (glob(pattern.p, 0, NULL, &g) != 0) {
		diag_warn(r->d, n->pos, "no file matches \"" STR_FMT "\"", STR_ARG(pattern));
		return;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		if (*used == *cap) {
			size_t more = *cap > 0 ? *cap * 2 : 16;
			struct str *v = ARENA_ARRAY(r->a, more, struct str);

			if (v == NULL)
				break;
			if (*used > 0)
				memcpy(v, *out, *used * sizeof *v);
			*out = v;
			*cap = more;
		}
		(*out)[(*used)++] = arena_str(r->a, str_c(g.gl_pathv[i]));
	}
	globfree(&g);
}

static void read_order(const struct reader *r, const struct yaml_node *doc)
{
	const struct yaml_node *const *v;
	size_t n = items(r, doc, "group_eval_order", &v);

	r->f->order = ARENA_ARRAY(r->a, n, struct str);
	for (size_t i = 0; r->f->order != NULL && i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (str_eq(v[i]->scalar, r->f->order[k]))
				diag_error(r->d, v[i]->pos,
					"group \"" STR_FMT "\" is repeated in group_eval_order",
					STR_ARG(v[i]->scalar));
		}
		r->f->order[r->f->n_order++] = v[i]->scalar;
	}
}

static void read_document(const struct reader *r, const struct yaml_node *doc)
{
	const struct yaml_node *const *v, *fuzzy;
	size_t n, cap = 0;

	if (!is_map(r, doc, file_keys, ARRAY_LEN(file_keys), "a file of rule tests"))
		return;
	r->f->interval_ms = duration(r, doc, "evaluation_interval", 0);
	if (r->f->interval_ms == 0)
		r->f->interval_ms = 60000;
	fuzzy = get(doc, "fuzzy_compare");
	if (fuzzy != NULL && !yaml_to_bool(fuzzy, &r->f->fuzzy))
		diag_error(r->d, fuzzy->pos, "fuzzy_compare is true or false");
	read_order(r, doc);
	n = items(r, doc, "rule_files", &v);
	for (size_t i = 0; i < n; i++)
		match_files(r, v[i], &r->f->rule_files, &r->f->n_rule_files, &cap);
	r->f->n = items(r, doc, "tests", &v);
	r->f->tests = ARENA_ARRAY(r->a, r->f->n, struct rule_test);
	for (size_t i = 0; r->f->tests != NULL && i < r->f->n; i++)
		read_test(r, v[i], &r->f->tests[i]);
}

struct rule_test_file *rule_test_load(struct arena *a, struct str path, struct diag *d)
{
	struct rule_test_file *f = ARENA_NEW(a, struct rule_test_file);
	struct diag_file *file = ARENA_NEW(a, struct diag_file);
	struct reader r = {.a = a, .d = d, .f = f};
	const struct yaml_node *const *docs;
	size_t before = diag_errors(d), n = 0;
	struct err e;

	if (f == NULL || file == NULL)
		return NULL;
	f->path = file->path = arena_str(a, path);
	f->interval_ms = 60000;
	if (fd_read_file(f->path.p, LIMIT_YAML_BYTES, a, &file->text, &e) != 0) {
		diag_error(d, (struct diag_pos){.file = file}, "%s", e.msg);
		return NULL;
	}
	docs = yaml_parse(a, file, d, &n);
	if (docs != NULL && n > 0)
		read_document(&r, docs[0]);
	if (a->failed)
		diag_error(d, (struct diag_pos){.file = file}, "the tests need more than %zu bytes",
			a->limit);
	return diag_errors(d) == before ? f : NULL;
}
