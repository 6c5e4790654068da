/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_lint_labels - labels that an expression cannot have, as far as its text tells, and texts
 * that name them. Recursion is bounded by the height of the tree.
 */
#include <ctype.h>

#include "base/num.h"
#include "base/yaml.h"
#include "rules/rule_lint.h"

static bool stands_in(struct pq_names v, struct str label)
{
	for (size_t i = 0; i < v.n; i++) {
		if (str_eq(v.v[i], label))
			return true;
	}
	return false;
}

static bool is_text(const struct pq_expr *x, struct str s)
{
	x = pq_unparen(x);
	return x->kind != PQ_TEXT || str_eq(x->u.text, s);
}

static bool of_aggregate(/* NOLINT(misc-no-recursion) */
	const struct pq_expr *x, struct str label)
{
	bool listed = stands_in(x->u.aggregate.by, label);

	switch ((int)x->u.aggregate.op) {
	case PQ_AGG_TOPK:
	case PQ_AGG_BOTTOMK:
	case PQ_AGG_LIMITK:
	case PQ_AGG_LIMIT_RATIO: return lint_may_have(x->u.aggregate.of, label);
	case PQ_AGG_COUNT_VALUES:
		if (is_text(x->u.aggregate.param, label))
			return true;
		break;
	default: break;
	}
	return listed != x->u.aggregate.without && lint_may_have(x->u.aggregate.of, label);
}

/* absent() makes its labels from the = matchers of a selector. */
static bool of_absent(const struct pq_expr *arg, struct str label)
{
	const struct pq_expr *x = pq_unparen(arg);

	if (x->kind == PQ_RANGE)
		x = x->u.range.of;
	if (x->kind != PQ_SELECTOR)
		return false;
	for (size_t i = 0; i < x->u.selector.n; i++) {
		if (str_eq(x->u.selector.m[i].name, label) && x->u.selector.m[i].op == MATCH_EQ)
			return true;
	}
	return false;
}

static bool of_call(const struct pq_expr *x, struct str label) /* NOLINT(misc-no-recursion) */
{
	switch ((int)x->u.call.func->id) {
	case PQ_FN_ABSENT:
	case PQ_FN_ABSENT_OVER_TIME: return of_absent(x->u.call.args[0], label);
	case PQ_FN_VECTOR:
	case PQ_FN_TIME:
	case PQ_FN_SCALAR: return false;
	case PQ_FN_LABEL_REPLACE:
	case PQ_FN_LABEL_JOIN:
		return is_text(x->u.call.args[1], label) || lint_may_have(x->u.call.args[0], label);
	default: break;
	}
	if (x->u.call.n == 0) /* of vector(time()) */
		return false;
	for (size_t i = 0; i < x->u.call.n; i++) {
		const struct pq_expr *arg = x->u.call.args[i];

		if ((arg->type == PQ_VECTOR || arg->type == PQ_MATRIX) && lint_may_have(arg, label))
			return true;
	}
	return str_eq(str_c(x->u.call.func->name), STR("info")) ||
	       str_starts(str_c(x->u.call.func->name), STR("histogram_quantiles"));
}

static bool of_binary(const struct pq_expr *x, struct str label) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *l = x->u.binary.lhs, *r = x->u.binary.rhs;
	const struct pq_matching *m = x->u.binary.match;
	bool either = lint_may_have(l, label) || lint_may_have(r, label);

	if (l->type == PQ_SCALAR || r->type == PQ_SCALAR || m == NULL)
		return either;
	switch ((int)x->u.binary.op) {
	case PQ_OP_AND:
	case PQ_OP_UNLESS: return lint_may_have(l, label);
	case PQ_OP_OR: return either;
	default: break;
	}
	if (m->card != PQ_ONE_TO_ONE || m->has_fill_left || m->has_fill_right)
		return either;
	if (stands_in(m->labels, label) != m->on)
		return false;
	return lint_may_have(l, label);
}

bool lint_may_have(const struct pq_expr *x, struct str label) /* NOLINT(misc-no-recursion) */
{
	switch ((int)x->kind) {
	case PQ_NUMBER:
	case PQ_TEXT: return false;
	case PQ_PAREN: return lint_may_have(x->u.paren.of, label);
	case PQ_UNARY: return lint_may_have(x->u.unary.of, label);
	case PQ_SUBQUERY: return lint_may_have(x->u.subquery.of, label);
	case PQ_AGGREGATE: return of_aggregate(x, label);
	case PQ_CALL: return of_call(x, label);
	case PQ_BINARY: return of_binary(x, label);
	default: return true;
	}
}

/* --- texts --- */

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* "$labels.NAME" of the text, one after the other; false: no more. */
static bool next_label(struct str *text, struct str *name)
{
	static const struct str what = {"$labels.", 8};

	for (size_t i = 0; i + what.n < text->n; i++) {
		size_t from = i + what.n, to = from;

		if (!str_starts(str_sub(*text, i, text->n), what))
			continue;
		while (to < text->n && is_name(text->p[to]))
			to++;
		*name = str_sub(*text, from, to);
		*text = str_sub(*text, to, text->n);
		return true;
	}
	return false;
}

static void check_text(
	struct lint *l, const struct rule_text *t, const char *what, const struct yaml_node *map)
{
	const struct yaml_node *at = map != NULL ? yaml_get(map, t->name) : NULL;
	struct str text = t->text, name;

	if (t->t == NULL || str_has(text, STR("$labels :=")) || str_has(text, STR("$labels =")))
		return;
	while (next_label(&text, &name)) {
		size_t off = (size_t)(name.p - t->text.p);

		if (name.n == 0 || str_eq(name, STR("alertname")) ||
			lint_may_have(l->r->expr, name))
			continue;
		l->problems++;
		diag_warn(l->d,
			at == NULL ? l->r->node->pos
			: str_eq(at->scalar, t->text)
				? yaml_scalar_pos(at, off, (unsigned)MIN_OF(name.n, 120u))
				: at->pos,
			"lint: %s \"" STR_FMT "\" names label \"" STR_FMT
			"\", which the expression has not: it will be empty",
			what, STR_ARG(t->name), STR_ARG(name));
	}
}

void lint_texts(struct lint *l)
{
	const struct yaml_node *labels = yaml_get(l->r->node, STR("labels"));
	const struct yaml_node *notes = yaml_get(l->r->node, STR("annotations"));

	for (size_t i = 0; i < l->r->n_labels; i++)
		check_text(l, &l->r->labels[i], "label", labels);
	for (size_t i = 0; i < l->r->n_annotations; i++)
		check_text(l, &l->r->annotations[i], "annotation", notes);
}
