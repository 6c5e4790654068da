/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_set - loads rule files; see rule_set.h. Every mistake is told with its place, errors inside
 * an expression or a template at the byte where they stand.
 */
#include "rules/rule_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/yaml.h"

struct loader {
	struct rule_set *rs;
	struct arena *a;       /* the set's */
	struct arena *scratch; /* lives as long as the diagnostics: file texts and YAML nodes */
	struct str path;       /* of the file, in the set's arena */
	struct diag *d;
	bool experimental, lenient;
	const struct diag_file *file;
	struct rule_group_def *groups; /* growing */
	size_t cap;
};

static const struct str group_keys[] = {{"name", 4}, {"interval", 8}, {"query_offset", 12},
	{"limit", 5}, {"labels", 6}, {"rules", 5}};
static const struct str rule_keys[] = {{"record", 6}, {"alert", 5}, {"expr", 4}, {"for", 3},
	{"keep_firing_for", 15}, {"labels", 6}, {"annotations", 11}};

static void check_keys(const struct loader *l, const struct yaml_node *map, const struct str *keys,
	size_t n, const char *where)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct yaml_node *k = map->pairs[i].key;
		struct str near;
		bool known = false;

		for (size_t j = 0; j < n; j++)
			known = known || str_eq(k->scalar, keys[j]);
		if (known || l->lenient)
			continue;
		near = diag_nearest(k->scalar, keys, n);
		if (near.n > 0)
			diag_error(l->d, k->pos,
				"unknown key \"" STR_FMT "\" in %s, did you mean \"" STR_FMT "\"?",
				STR_ARG(k->scalar), where, STR_ARG(near));
		else
			diag_error(l->d, k->pos, "unknown key \"" STR_FMT "\" in %s",
				STR_ARG(k->scalar), where);
	}
}

/* A scalar's text; NULL view and an error when it is something else. */
static bool scalar(
	const struct loader *l, const struct yaml_node *n, const char *what, struct str *out)
{
	if (n != NULL && n->kind == YAML_SCALAR) {
		*out = n->scalar;
		return true;
	}
	if (n != NULL && n->kind == YAML_NULL)
		*out = (struct str){"", 0};
	else if (n != NULL)
		diag_error(l->d, n->pos, "%s must be a text", what);
	return n != NULL && n->kind == YAML_NULL;
}

static int64_t duration(
	const struct loader *l, const struct yaml_node *n, const char *what, int64_t absent)
{
	struct str s;
	struct err e;
	int64_t ms;

	if (n == NULL || n->kind == YAML_NULL || !scalar(l, n, what, &s))
		return absent;
	if (dur_parse(s, &ms, &e) == 0)
		return ms;
	diag_error(l->d, n->pos, "%s: \"" STR_FMT "\" is not a duration; write 30s, 5m or 1h30m",
		what, STR_ARG(s));
	return absent;
}

/* --- labels and annotations --- */

static const struct template *parse_template(const struct loader *l, const struct yaml_node *v)
{
	const struct template *t;
	struct err e;

	if (!str_has(v->scalar, STR("{{")))
		return NULL;
	t = template_parse(l->a, v->scalar, &e);
	if (t == NULL)
		diag_error(l->d, yaml_scalar_pos(v, e.off, 1), "template: %s", e.msg);
	return t;
}

struct texts {
	const struct rule_text *v;
	size_t n;
};

static bool name_ok(struct str s)
{
	return s.n > 0 && s.n <= LIMIT_LABEL_NAME && str_is_utf8(s) &&
	       memchr(s.p, '\0', s.n) == NULL;
}

/* Labels or annotations; those of `base` stand first unless the map has them too. */
static void texts(const struct loader *l, const struct yaml_node *map, bool labels, bool templates,
	struct texts *t)
{
	const char *what = labels ? "labels" : "annotations",
		   *one = labels ? "a label's value" : "an annotation";
	struct texts base = *t;
	struct rule_text *v;

	if (map == NULL || map->kind == YAML_NULL)
		return;
	if (map->kind != YAML_MAP) {
		diag_error(l->d, map->pos, "%s must be a map of names to texts", what);
		return;
	}
	v = ARENA_ARRAY(l->a, map->n + base.n, struct rule_text);
	*t = (struct texts){v, 0};
	for (size_t i = 0; v != NULL && i < base.n; i++) {
		if (yaml_get(map, base.v[i].name) == NULL)
			v[t->n++] = base.v[i];
	}
	for (size_t i = 0; v != NULL && i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key, *val = map->pairs[i].value;
		struct str text;

		if (!name_ok(key->scalar) || (labels && str_eq(key->scalar, LABEL_NAME))) {
			diag_error(l->d, key->pos, "invalid %s name \"" STR_FMT "\"",
				labels ? "label" : "annotation", STR_ARG(key->scalar));
			continue;
		}
		if (!scalar(l, val, one, &text))
			continue;
		v[t->n] = (struct rule_text){
			arena_str(l->a, key->scalar), arena_str(l->a, text), NULL};
		if (templates)
			v[t->n].t = parse_template(l, val);
		t->n++;
	}
}

/* --- rules --- */

static void rule_key(const struct loader *l, const struct rule_group_def *g, struct rule_def *r)
{
	struct buf b;

	buf_init(&b, (size_t)4 << 20);
	buf_str(&b, r->query);
	for (size_t i = 0; i < r->n_labels; i++) {
		buf_ch(&b, '\0');
		buf_str(&b, r->labels[i].name);
		buf_ch(&b, '\0');
		buf_str(&b, r->labels[i].text);
	}
	r->key = arena_printf(l->a, "%.*s;%.*s;%016llx", (int)g->key.n, g->key.p, (int)r->name.n,
		r->name.p, (unsigned long long)hash_fixed(b.p != NULL ? b.p : "", b.n));
	buf_fini(&b);
}

/* The place inside the expression is not needed beside the one in the file. */
static const char *without_place(const char *msg)
{
	const char *hit = strstr(msg, "parse error: ");

	return hit != NULL ? hit + strlen("parse error: ") : msg;
}

static void expression(const struct loader *l, const struct yaml_node *n, struct rule_def *r)
{
	struct buf b;
	struct err e;
	struct str text;
	const char *op;

	if (!scalar(l, n, "expr", &text))
		return;
	if (str_trim(text).n == 0) {
		diag_error(l->d, n->pos, "expr is empty");
		return;
	}
	r->expr_text = arena_str(l->a, text);
	r->expr = pq_parse(l->a, r->expr_text, l->experimental, &e);
	if (r->expr == NULL) {
		diag_error(l->d, yaml_scalar_pos(n, e.off, 1), "PromQL: %s", without_place(e.msg));
		return;
	}
	if (pq_expr_type(r->expr) != PQ_VECTOR && pq_expr_type(r->expr) != PQ_SCALAR)
		diag_error(l->d, n->pos, "expr must give a vector or a scalar");
	buf_init(&b, (size_t)1 << 20);
	pq_expr_print(&b, r->expr);
	r->query = arena_str(l->a, buf_view(&b));
	buf_fini(&b);
	if (r->is_alert && pq_expr_threshold(r->expr, &r->side, &r->threshold, &op))
		(void)snprintf(r->op, sizeof r->op, "%.2s", op);
	else
		r->threshold = NAN;
}

static void only_alerts(
	const struct loader *l, const struct yaml_node *n, bool present, const char *key)
{
	if (present)
		diag_error(
			l->d, n->pos, "\"%s\" goes with an alert, not with a recording rule", key);
}

static void names(const struct loader *l, const struct yaml_node *map, struct rule_def *r)
{
	const struct yaml_node *record = yaml_get(map, STR("record")),
			       *alert = yaml_get(map, STR("alert"));
	struct str record_name = STR_NULL, alert_name = STR_NULL;

	if (record != NULL)
		(void)scalar(l, record, "record", &record_name);
	if (alert != NULL)
		(void)scalar(l, alert, "alert", &alert_name);
	if (record_name.n > 0 && alert_name.n > 0)
		diag_error(l->d, alert->pos, "a rule has either \"record\" or \"alert\", not both");
	else if (record_name.n == 0 && alert_name.n == 0)
		diag_error(l->d, map->pos, "a rule needs \"record\" or \"alert\"");
	r->is_alert = alert_name.n > 0;
	r->name = arena_str(l->a, r->is_alert ? alert_name : record_name);
	if (record != NULL && !r->is_alert && r->name.n > 0 &&
		(str_find(r->name, '{') < r->name.n || str_find(r->name, '}') < r->name.n))
		diag_error(l->d, record->pos,
			"\"" STR_FMT "\" is no metric name: labels belong under \"labels\"",
			STR_ARG(r->name));
	else if (record != NULL && !r->is_alert && r->name.n > 0 && !name_ok(r->name))
		diag_error(
			l->d, record->pos, "invalid metric name \"" STR_FMT "\"", STR_ARG(r->name));
	if (r->is_alert && (r->name.n > LIMIT_LABEL_VALUE || !str_is_utf8(r->name)))
		diag_error(l->d, alert->pos, "invalid alert name");
}

/* What only alerts have. An empty value is no value, as upstream takes it. */
static void alert_keys(const struct loader *l, const struct yaml_node *map, struct rule_def *r)
{
	const struct yaml_node *hold = yaml_get(map, STR("for")),
			       *keep = yaml_get(map, STR("keep_firing_for")),
			       *notes = yaml_get(map, STR("annotations"));
	struct texts t = {NULL, 0};

	r->for_ms = duration(l, hold, "for", 0);
	r->keep_firing_for_ms = duration(l, keep, "keep_firing_for", 0);
	texts(l, notes, false, r->is_alert, &t);
	r->annotations = t.v;
	r->n_annotations = t.n;
	if (r->is_alert || r->name.n == 0)
		return;
	only_alerts(l, hold, r->for_ms != 0, "for");
	only_alerts(l, keep, r->keep_firing_for_ms != 0, "keep_firing_for");
	only_alerts(l, notes, t.n > 0, "annotations");
}

static void rule(const struct loader *l, const struct rule_group_def *g,
	const struct yaml_node *map, struct texts labels, struct rule_def *r)
{
	const struct yaml_node *expr;
	size_t before = diag_errors(l->d);

	if (map->kind != YAML_MAP) {
		diag_error(l->d, map->pos,
			"a rule must be a map with \"record\" or \"alert\" and \"expr\"");
		return;
	}
	check_keys(l, map, rule_keys, ARRAY_LEN(rule_keys), "a rule");
	r->line = map->pos.line;
	r->node = map;
	names(l, map, r);
	expr = yaml_get(map, STR("expr"));
	if (expr == NULL)
		diag_error(
			l->d, map->pos, "rule \"" STR_FMT "\" has no \"expr\"", STR_ARG(r->name));
	else
		expression(l, expr, r);
	alert_keys(l, map, r);
	texts(l, yaml_get(map, STR("labels")), true, r->is_alert, &labels);
	r->labels = labels.v;
	r->n_labels = labels.n;
	if (r->is_alert)
		rule_notes_load(r, yaml_get(map, STR("annotations")), l->experimental, l->a, l->d);
	if (diag_errors(l->d) == before && !l->a->failed)
		rule_key(l, g, r);
}

/* --- groups and files --- */

static struct rule_group_def *add_group(struct loader *l)
{
	struct rule_set *rs = l->rs;

	if (rs->n == l->cap) {
		size_t cap = l->cap > 0 ? l->cap * 2 : 32;
		struct rule_group_def *v = ARENA_ARRAY(l->a, cap, struct rule_group_def);

		if (v == NULL)
			return NULL;
		if (l->groups != NULL)
			memcpy(v, l->groups, rs->n * sizeof *v);
		l->groups = v;
		l->cap = cap;
	}
	return &l->groups[rs->n];
}

static bool has_alert(const struct yaml_node *seq)
{
	for (size_t i = 0; seq != NULL && seq->kind == YAML_SEQ && i < seq->n; i++) {
		if (seq->items[i]->kind == YAML_MAP &&
			yaml_get(seq->items[i], STR("alert")) != NULL)
			return true;
	}
	return false;
}

/* An entry of a list without anything in it, which Prometheus passes over. */
static bool is_nothing(const struct loader *l, const struct yaml_node *n, const char *what)
{
	if (n->kind != YAML_NULL)
		return false;
	diag_warn(l->d, n->pos, "there is no %s in this entry", what);
	return true;
}

static void group_rules(const struct loader *l, const struct yaml_node *label_map,
	const struct yaml_node *seq, struct rule_group_def *g)
{
	struct texts labels = {NULL, 0};
	struct rule_def *v;

	texts(l, label_map, true, has_alert(seq), &labels);
	if (seq == NULL || seq->kind == YAML_NULL)
		return;
	if (seq->kind != YAML_SEQ) {
		diag_error(l->d, seq->pos, "rules must be a list");
		return;
	}
	if (l->rs->n_rules + seq->n > LIMIT_RULES) {
		diag_error(l->d, seq->pos, "more than %u rules", LIMIT_RULES);
		return;
	}
	v = ARENA_ARRAY(l->a, seq->n, struct rule_def);
	g->rules = v;
	for (size_t i = 0; v != NULL && i < seq->n; i++) {
		if (!is_nothing(l, seq->items[i], "rule"))
			rule(l, g, seq->items[i], labels, &v[g->n++]);
	}
}

static void group_limit(const struct loader *l, const struct yaml_node *n, struct rule_group_def *g)
{
	long long v;
	struct str s;

	if (n == NULL || n->kind == YAML_NULL || !scalar(l, n, "limit", &s))
		return;
	if (!n->quoted && str_to_i64(s, &v))
		g->limit = v > 0 ? (uint64_t)v : 0; /* as in Prometheus, below zero is none */
	else
		diag_error(l->d, n->pos, "limit: \"" STR_FMT "\" is not a number", STR_ARG(s));
}

static void group(struct loader *l, const struct yaml_node *map, size_t first_of_file)
{
	struct rule_group_def *g = add_group(l);
	const struct yaml_node *name;
	struct str s = STR_NULL;

	if (g == NULL || l->rs->n >= LIMIT_RULE_GROUPS) {
		diag_error(l->d, map->pos, "too many rule groups");
		return;
	}
	if (map->kind != YAML_MAP) {
		diag_error(l->d, map->pos, "a group must be a map with \"name\" and \"rules\"");
		return;
	}
	*g = (struct rule_group_def){.file = l->path};
	check_keys(l, map, group_keys, ARRAY_LEN(group_keys), "a group");
	name = yaml_get(map, STR("name"));
	if (name == NULL || !scalar(l, name, "name", &s) || s.n == 0)
		diag_error(l->d, name != NULL ? name->pos : map->pos, "a group needs a \"name\"");
	g->name = arena_str(l->a, s);
	for (size_t i = first_of_file; i < l->rs->n; i++) {
		if (s.n > 0 && str_eq(l->groups[i].name, g->name))
			diag_error(l->d, name->pos,
				"group name \"" STR_FMT "\" is repeated in this file", STR_ARG(s));
	}
	g->key = arena_printf(
		l->a, "%.*s;%.*s", (int)g->file.n, g->file.p, (int)g->name.n, g->name.p);
	g->interval_ms = duration(l, yaml_get(map, STR("interval")), "interval", 0);
	g->query_offset_ms = duration(l, yaml_get(map, STR("query_offset")), "query_offset", -1);
	group_limit(l, yaml_get(map, STR("limit")), g);
	group_rules(l, yaml_get(map, STR("labels")), yaml_get(map, STR("rules")), g);
	l->rs->n_rules += g->n;
	l->rs->n++;
}

static void document(struct loader *l, const struct yaml_node *doc)
{
	static const struct str top[] = {{"groups", 6}};
	const struct yaml_node *groups;
	size_t first = l->rs->n;

	if (doc->kind == YAML_NULL)
		return;
	if (doc->kind != YAML_MAP) {
		diag_error(l->d, doc->pos, "a rule file must be a map with \"groups\"");
		return;
	}
	check_keys(l, doc, top, ARRAY_LEN(top), "a rule file");
	groups = yaml_get(doc, STR("groups"));
	if (groups == NULL || groups->kind == YAML_NULL)
		return;
	if (groups->kind != YAML_SEQ) {
		diag_error(l->d, groups->pos, "groups must be a list");
		return;
	}
	for (size_t i = 0; i < groups->n; i++) {
		if (!is_nothing(l, groups->items[i], "group"))
			group(l, groups->items[i], first);
	}
}

static struct diag_file *new_file(struct loader *l, struct str path)
{
	struct diag_file *file = ARENA_NEW(l->scratch, struct diag_file);

	if (file == NULL)
		return NULL;
	file->path = arena_str(l->scratch, path);
	l->path = arena_str(l->a, path);
	l->file = file;
	return file;
}

static void load_text(struct loader *l)
{
	const struct yaml_node *const *docs;
	size_t n = 0;

	docs = yaml_parse(l->scratch, l->file, l->d, &n);
	if (docs != NULL && n > 1)
		diag_warn(l->d, docs[1]->pos,
			"a rule file holds one document; this one and all behind it are not read");
	if (docs != NULL && n > 0)
		document(l, docs[0]);
}

static void load_file(struct loader *l, struct str path)
{
	struct diag_file *file = new_file(l, path);
	char *path_c = str_dup_c(path);
	struct err e;

	if (file == NULL || path_c == NULL)
		goto out;
	if (fd_read_file(path_c, LIMIT_YAML_BYTES, l->scratch, &file->text, &e) != 0)
		diag_error(l->d, (struct diag_pos){.file = file}, "%s", e.msg);
	else
		load_text(l);
out:
	free(path_c);
}

static void load_memory(struct loader *l, const struct rule_text_file *t)
{
	struct diag_file *file = new_file(l, t->path);

	if (file == NULL)
		return;
	file->text = arena_str(l->scratch, t->text);
	if (file->text.p != NULL)
		load_text(l);
}

static struct rule_set *load(struct loader l, const struct str *paths, size_t n,
	const struct rule_text_file *texts, size_t n_texts)
{
	struct rule_set *rs = calloc(1, sizeof *rs);
	struct diag *d = l.d;
	size_t before = diag_errors(d);

	if (rs == NULL)
		return NULL;
	arena_init(&rs->arena, (size_t)LIMIT_CONFIG_BYTES * 8);
	l.rs = rs;
	l.a = &rs->arena;
	for (size_t i = 0; i < n; i++)
		load_file(&l, paths[i]);
	for (size_t i = 0; i < n_texts; i++)
		load_memory(&l, &texts[i]);
	rs->groups = l.groups;
	if (rs->arena.failed)
		diag_error(d, (struct diag_pos){0},
			"the rule files need more memory than %zu bytes", rs->arena.limit);
	if (diag_errors(d) == before)
		return rs;
	rule_set_free(rs);
	return NULL;
}

struct rule_set *rule_set_load(
	const struct str *paths, size_t n, bool experimental, struct diag *d, struct arena *scratch)
{
	return rule_set_load_with(paths, n, NULL, 0, experimental, d, scratch);
}

struct rule_set *rule_set_load_with(const struct str *paths, size_t n,
	const struct rule_text_file *texts, size_t n_texts, bool experimental, struct diag *d,
	struct arena *scratch)
{
	return load((struct loader){.d = d, .experimental = experimental, .scratch = scratch},
		paths, n, texts, n_texts);
}

struct rule_set *rule_set_load_lenient(
	const struct str *paths, size_t n, bool experimental, struct diag *d, struct arena *scratch)
{
	return load(
		(struct loader){
			.d = d, .experimental = experimental, .lenient = true, .scratch = scratch},
		paths, n, NULL, 0);
}

void rule_set_free(struct rule_set *rs)
{
	if (rs == NULL)
		return;
	arena_fini(&rs->arena);
	free(rs);
}

size_t rule_set_count(const struct rule_set *rs)
{
	return rs->n_rules;
}
