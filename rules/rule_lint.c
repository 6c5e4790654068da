/* SPDX-License-Identifier: Apache-2.0 */
/* rule_lint - all rules of a set; what is wrong between rules, labels and times. See rule_lint.h.
 */
#include "rules/rule_lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/num.h"
#include "base/yaml.h"

#define MESSAGE_BYTES 512

static struct diag_pos place(const struct lint *l, const struct pq_expr *at)
{
	unsigned len = at != NULL ? (unsigned)MIN_OF(at->len, 120u) : 1;

	if (at != NULL && l->expr != NULL)
		return yaml_scalar_pos(l->expr, at->off, len);
	return l->expr != NULL ? l->expr->pos : l->r->node->pos;
}

void lint_problem(struct lint *l, const struct pq_expr *at, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	l->problems++;
	diag_warn(l->d, place(l, at), "lint: %s", text);
}

void lint_hint(struct lint *l, const struct pq_expr *at, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list ap;

	if (l->no_hints)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	l->hints++;
	diag_warn(l->d, place(l, at), "hint: %s", text);
}

static const struct yaml_node *part(const struct lint *l, const char *key)
{
	const struct yaml_node *n = yaml_get(l->r->node, str_c(key));

	return n != NULL ? n : l->r->node;
}

/* --- labels, annotations, times --- */

static bool uses_value(struct str text)
{
	return str_has(text, STR("$value")) || str_has(text, STR(".Value"));
}

static void check_labels(struct lint *l)
{
	for (size_t i = 0; i < l->r->n_labels; i++) {
		const struct rule_text *t = &l->r->labels[i];

		if (t->t == NULL || !uses_value(t->text))
			continue;
		l->problems++;
		diag_warn(l->d, part(l, "labels")->pos,
			"lint: label \"" STR_FMT
			"\" holds the value: each new value is another alert; put it into an "
			"annotation",
			STR_ARG(t->name));
	}
}

static void check_notes(struct lint *l)
{
	static const struct str words[] = {
		{"summary", 7}, {"description", 11}, {"message", 7}, {"title", 5}};

	for (size_t i = 0; i < l->r->n_annotations; i++) {
		for (size_t k = 0; k < ARRAY_LEN(words); k++) {
			if (str_eq(l->r->annotations[i].name, words[k]))
				return;
		}
	}
	l->hints++;
	diag_warn(l->d, part(l, "alert")->pos,
		"hint: no summary: whoever is woken reads only the name \"" STR_FMT "\"",
		STR_ARG(l->r->name));
}

static void check_times(struct lint *l)
{
	int64_t every = l->g->interval_ms;
	struct buf b;

	if (every <= 0 || l->r->for_ms <= 0 || l->r->for_ms >= every)
		return;
	buf_init(&b, 64);
	dur_print(&b, every);
	l->hints++;
	diag_warn(l->d, part(l, "for")->pos,
		"hint: for is shorter than the group's interval: the alert fires at its second "
		"evaluation, " STR_FMT " later",
		STR_ARG(buf_view(&b)));
	buf_fini(&b);
}

/* --- two rules that write the same --- */

struct listed {
	const struct rule_def *r;
	const struct rule_text *labels; /* by name */
	size_t at;                      /* in the order of the files */
};

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct rule_text *)a)->name, ((const struct rule_text *)b)->name);
}

static int identity(const struct listed *x, const struct listed *y)
{
	int c = str_cmp(x->r->name, y->r->name);

	for (size_t i = 0; c == 0 && i < x->r->n_labels && i < y->r->n_labels; i++) {
		c = str_cmp(x->labels[i].name, y->labels[i].name);
		if (c == 0)
			c = str_cmp(x->labels[i].text, y->labels[i].text);
	}
	if (c != 0)
		return c;
	return (x->r->n_labels > y->r->n_labels) - (x->r->n_labels < y->r->n_labels);
}

static int by_identity(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int c = identity(x, y);

	return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

static struct listed *list(struct lint *l, const struct rule_set *rs)
{
	struct listed *v = ARENA_ARRAY(l->a, rs->n_rules, struct listed);
	size_t n = 0;

	for (size_t g = 0; v != NULL && g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++, n++) {
			const struct rule_def *r = &rs->groups[g].rules[i];
			struct rule_text *labels = ARENA_ARRAY(l->a, r->n_labels, struct rule_text);

			if (labels == NULL)
				return NULL;
			if (r->n_labels > 0) {
				memcpy(labels, r->labels, r->n_labels * sizeof *labels);
				qsort(labels, r->n_labels, sizeof *labels, by_name);
			}
			v[n] = (struct listed){r, labels, n};
		}
	}
	if (v != NULL && n > 0)
		qsort(v, n, sizeof *v, by_identity);
	return v;
}

static void check_duplicates(struct lint *l, const struct rule_set *rs)
{
	const struct listed *v = list(l, rs);
	size_t first = 0;

	for (size_t i = 1; v != NULL && i < rs->n_rules; i++) {
		if (identity(&v[first], &v[i]) != 0) {
			first = i;
			continue;
		}
		l->problems++;
		diag_warn(l->d, v[i].r->node->pos,
			"lint: %s \"" STR_FMT "\" stands in line %u with the same labels",
			v[i].r->is_alert ? "alert" : "record", STR_ARG(v[i].r->name),
			v[first].r->line);
	}
}

/* --- what routes and readers go by --- */

static bool has_severity(const struct rule_def *r)
{
	for (size_t i = 0; i < r->n_labels; i++) {
		if (str_eq(r->labels[i].name, STR("severity")))
			return true;
	}
	return false;
}

static bool any_severity(const struct rule_set *rs)
{
	for (size_t g = 0; g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			if (rs->groups[g].rules[i].is_alert &&
				has_severity(&rs->groups[g].rules[i]))
				return true;
		}
	}
	return false;
}

static void check_severity(struct lint *l)
{
	if (has_severity(l->r) || !l->others_severe)
		return;
	l->hints++;
	diag_warn(l->d, part(l, "alert")->pos,
		"hint: no label severity, which other alerts here have: routes, inhibition and "
		"colours go by it");
}

/* --- names that nobody records --- */

struct recorded {
	struct lint *l;
	struct str *names; /* of recording rules */
	size_t n;
};

#define TYPO_MAX      2   /* letters that a mistyped name differs in */
#define TYPO_NAME_MAX 128 /* longer names are not looked at */

/* Levenshtein's distance, row by row. */
static unsigned distance(struct str a, struct str b)
{
	unsigned row[TYPO_NAME_MAX + 1];

	for (unsigned k = 0; k <= b.n; k++)
		row[k] = k;
	for (size_t i = 0; i < a.n; i++) {
		unsigned corner = row[0];

		row[0]++;
		for (size_t k = 0; k < b.n; k++) {
			unsigned change = corner + (a.p[i] != b.p[k]);

			corner = row[k + 1];
			row[k + 1] = MIN_OF(change, MIN_OF(corner, row[k]) + 1);
		}
	}
	return row[b.n];
}

static bool is_typo(struct str a, struct str b)
{
	return a.n > 4 * TYPO_MAX && a.n <= TYPO_NAME_MAX && b.n <= TYPO_NAME_MAX &&
	       distance(a, b) <= TYPO_MAX;
}

/* rate1m and rate5m are two names, not one mistyped. */
static bool differs_in_digits_only(struct str a, struct str b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a.n && a.p[i] >= '0' && a.p[i] <= '9')
			i++;
		while (k < b.n && b.p[k] >= '0' && b.p[k] <= '9')
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n;
		if (a.p[i++] != b.p[k++])
			return false;
	}
}

static void check_recorded(/* NOLINT(misc-no-recursion): the height of the tree */
	struct recorded *w, const struct pq_expr *x)
{
	const struct pq_expr *c;

	if (x->kind == PQ_SELECTOR && str_find(x->u.selector.name, ':') < x->u.selector.name.n) {
		struct str name = x->u.selector.name, near = STR("");
		bool known = false;

		for (size_t i = 0; i < w->n && !known; i++)
			known = str_eq(w->names[i], name);
		if (!known)
			near = diag_nearest(name, w->names, w->n);
		if (near.n > 0 && is_typo(name, near) && !differs_in_digits_only(near, name))
			lint_problem(w->l, x,
				"no rule records \"" STR_FMT "\"; did you mean \"" STR_FMT "\"?",
				STR_ARG(name), STR_ARG(near));
	}
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		check_recorded(w, c);
}

static void check_names(struct lint *l, const struct rule_set *rs)
{
	struct recorded w = {.l = l, .names = ARENA_ARRAY(l->a, rs->n_rules, struct str)};

	for (size_t g = 0; w.names != NULL && g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			if (!rs->groups[g].rules[i].is_alert)
				w.names[w.n++] = rs->groups[g].rules[i].name;
		}
	}
	for (size_t g = 0; w.n > 0 && g < rs->n; g++) {
		l->g = &rs->groups[g];
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			l->r = &rs->groups[g].rules[i];
			l->expr = yaml_get(l->r->node, STR("expr"));
			check_recorded(&w, l->r->expr);
		}
	}
}

static void check_rule(struct lint *l)
{
	l->expr = yaml_get(l->r->node, STR("expr"));
	lint_expr(l);
	if (!l->r->is_alert)
		return;
	check_labels(l);
	lint_texts(l);
	if (l->no_hints)
		return;
	check_notes(l);
	check_severity(l);
	check_times(l);
}

void rule_lint(struct lint *l, const struct rule_set *rs)
{
	l->others_severe = any_severity(rs);
	check_duplicates(l, rs);
	if (l->all_rules)
		check_names(l, rs);
	for (size_t g = 0; g < rs->n; g++) {
		l->g = &rs->groups[g];
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			l->r = &rs->groups[g].rules[i];
			check_rule(l);
		}
	}
}
