/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_notes - the belfry_ annotations of alerting rules: optional behaviour that promtool takes
 * for plain text. See docs/reference/rules.md for what they mean.
 */
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "base/yaml.h"
#include "rules/rule_set.h"

struct notes {
	struct rule_def *r;
	struct arena *a;
	struct diag *d;
	bool experimental;
};

/* The place inside the expression is not needed beside the one in the file. */
static const char *without_place(const char *msg)
{
	const char *hit = strstr(msg, "parse error: ");

	return hit != NULL ? hit + strlen("parse error: ") : msg;
}

static const struct pq_expr *parse(const struct notes *k, const struct yaml_node *v)
{
	struct err e;
	const struct pq_expr *x = pq_parse(k->a, v->scalar, k->experimental, &e);

	if (x == NULL)
		diag_error(k->d, yaml_scalar_pos(v, e.off, 1), "PromQL: %s", without_place(e.msg));
	return x;
}

static void clear_if(const struct notes *k, const struct yaml_node *v)
{
	const struct pq_expr *x = parse(k, v);
	const char *op;
	double threshold;

	if (x == NULL)
		return;
	if (pq_expr_type(x) != PQ_VECTOR) {
		diag_error(k->d, v->pos,
			"belfry_clear_if must give a vector, as a comparison does: x < 0.7");
		return;
	}
	k->r->clear = x;
	(void)pq_expr_threshold(x, &k->r->clear_side, &threshold, &op);
}

static void absent_after(const struct notes *k, const struct yaml_node *v)
{
	struct err e;
	int64_t ms;

	if (dur_parse(v->scalar, &ms, &e) != 0 || ms <= 0) {
		diag_error(k->d, v->pos,
			"belfry_absent_after: \"" STR_FMT
			"\" is not a duration above 0; write 30s, 5m or 1h30m",
			STR_ARG(v->scalar));
		return;
	}
	if (k->r->expr != NULL && pq_expr_type(k->r->expr) != PQ_VECTOR) {
		diag_error(k->d, v->pos,
			"belfry_absent_after needs an expr that selects what should be there");
		return;
	}
	k->r->absent_after_ms = ms;
}

/* Templates are filled in when it is asked; without any it is PromQL as it stands. */
static void top(const struct notes *k, const struct yaml_node *v)
{
	if (!str_has(v->scalar, STR("{{")))
		(void)parse(k, v);
	for (size_t i = 0; i < k->r->n_annotations; i++) {
		if (str_eq(k->r->annotations[i].name, STR("belfry_top")))
			k->r->top = &k->r->annotations[i];
	}
}

static const struct {
	struct str name;
	void (*load)(const struct notes *k, const struct yaml_node *v);
} known[] = {
	{{"belfry_clear_if", 15}, clear_if},
	{{"belfry_absent_after", 19}, absent_after},
	{{"belfry_top", 10}, top},
};

static void unknown(const struct notes *k, const struct yaml_node *key)
{
	struct str names[ARRAY_LEN(known)], near;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		names[i] = known[i].name;
	near = diag_nearest(key->scalar, names, ARRAY_LEN(known));
	if (near.n > 0)
		diag_error(k->d, key->pos,
			"unknown annotation \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
			STR_ARG(key->scalar), STR_ARG(near));
	else
		diag_error(k->d, key->pos,
			"unknown annotation \"" STR_FMT
			"\": names that begin with belfry_ are belfry's own",
			STR_ARG(key->scalar));
}

static void load_one(
	const struct notes *k, const struct yaml_node *key, const struct yaml_node *val)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!str_eq(known[i].name, key->scalar))
			continue;
		if (val->kind != YAML_SCALAR || str_trim(val->scalar).n == 0)
			diag_error(k->d, val->pos, STR_FMT " is empty", STR_ARG(key->scalar));
		else
			known[i].load(k, val);
		return;
	}
	unknown(k, key);
}

/* --- what may differ from one evaluation to the next --- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The dot or the dollar alone stands for everything, the value too. */
static bool has_bare_cursor(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '.' && s.p[i] != '$')
			continue;
		if (i + 1 == s.n || !is_word(s.p[i + 1]))
			return true;
	}
	return false;
}

/* Too careful rather than too bold: a text that only looks as if it used the value is expanded
 * each time. */
static bool is_steady(const struct rule_text *v, size_t n)
{
	static const struct str moving[] = {{"alue", 4}, {"query", 5}, {"now", 3}};

	for (size_t i = 0; i < n; i++) {
		if (v[i].t == NULL)
			continue;
		if (has_bare_cursor(v[i].text))
			return false;
		for (size_t k = 0; k < ARRAY_LEN(moving); k++) {
			if (str_has(v[i].text, moving[k]))
				return false;
		}
	}
	return true;
}

void rule_notes_load(struct rule_def *r, const struct yaml_node *annotations, bool experimental,
	struct arena *a, struct diag *d)
{
	const struct notes k = {r, a, d, experimental};

	r->steady_labels = is_steady(r->labels, r->n_labels);
	r->steady_notes = is_steady(r->annotations, r->n_annotations);
	if (annotations == NULL || annotations->kind != YAML_MAP)
		return;
	for (size_t i = 0; i < annotations->n; i++) {
		const struct yaml_pair *p = &annotations->pairs[i];

		if (rule_note_is_ours(p->key->scalar))
			load_one(&k, p->key, p->value);
	}
	if (r->clear != NULL && r->absent_after_ms > 0)
		diag_error(d, annotations->pos,
			"belfry_clear_if and belfry_absent_after do not go together: a series that "
			"is missed ends its alert when it is back");
}

void rule_def_selectors(const struct rule_def *r,
	void (*fn)(const struct matcher *m, size_t n, void *arg), void *arg)
{
	pq_expr_selectors(r->expr, fn, arg);
	if (r->clear != NULL)
		pq_expr_selectors(r->clear, fn, arg);
}
