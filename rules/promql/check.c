/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - types of all nodes and what the grammar cannot say: arguments, operators and their
 * matching, selectors that select everything. One loop, since nodes lie children first.
 */
#include <stdio.h>

#include "rules/promql/parse.h"

static const char *range_hint(const struct pq_expr *x)
{
	return x->kind == PQ_RANGE ? ", take a function such as rate() over the range first" : "";
}

static int fail_type(
	struct pq_parser *p, const struct pq_expr *x, enum pq_type want, const char *where)
{
	const char *hint = "";

	if (want == PQ_MATRIX && x->kind == PQ_SELECTOR)
		hint = ", add a range such as [5m]";
	else if (want == PQ_MATRIX && x->type == PQ_VECTOR)
		hint = ", add a subquery range such as [5m:]";
	else if (want == PQ_VECTOR && x->kind == PQ_RANGE)
		hint = range_hint(x);
	else if (want == PQ_VECTOR && x->type == PQ_SCALAR)
		hint = ", vector() makes one of a scalar";
	else if (want == PQ_STRING && x->kind == PQ_SELECTOR)
		hint = ", texts stand in quotes";
	return pq_fail(p->e, p->text, x->off, "expected type %s in %s, got %s%s",
		pq_type_name(want), where, pq_type_name(x->type), hint);
}

static int check_aggregate(struct pq_parser *p, struct pq_expr *x)
{
	const struct pq_aggregation *agg = pq_aggregation(x->u.aggregate.op);
	const struct pq_expr *param = x->u.aggregate.param;
	enum pq_type want = agg->param == 't' ? PQ_STRING : PQ_SCALAR;

	x->type = PQ_VECTOR;
	if (param != NULL && param->type == PQ_VECTOR && x->u.aggregate.of->type == want) {
		const char *such = want == PQ_STRING ? "\"label\"" : "5";

		if (agg->id == PQ_AGG_QUANTILE)
			such = "0.9";
		return pq_fail(p->e, p->text, param->off,
			"expected type %s in aggregation parameter, got instant vector, the "
			"parameter stands first: %s(%s, ...)",
			pq_type_name(want), agg->name, such);
	}
	if (x->u.aggregate.of->type != PQ_VECTOR)
		return fail_type(p, x->u.aggregate.of, PQ_VECTOR, "aggregation expression");
	if (param != NULL && param->type != want)
		return fail_type(p, param, want, "aggregation parameter");
	return 0;
}

static bool name_in_both(const struct pq_matching *m, struct str *name)
{
	for (size_t i = 0; i < m->labels.n; i++) {
		for (size_t k = 0; k < m->include.n; k++) {
			if (str_eq(m->labels.v[i], m->include.v[k])) {
				*name = m->labels.v[i];
				return true;
			}
		}
	}
	return false;
}

/* Where the operator stands: behind the left side's last byte and blanks. */
static uint32_t operator_off(const struct pq_parser *p, const struct pq_expr *x)
{
	uint32_t off = x->u.binary.lhs->off + x->u.binary.lhs->len;

	while (off < p->text.n && strchr(" \t\r\n", p->text.p[off]) != NULL)
		off++;
	return off;
}

/* At least one side is a scalar: nothing to match. */
static int check_unmatched(struct pq_parser *p, struct pq_expr *x, const struct pq_matching *m)
{
	if (m->labels.n > 0)
		return pq_fail(p->e, p->text, x->off,
			"vector matching only allowed between instant vectors");
	if (m->has_fill_left || m->has_fill_right)
		return pq_fail(p->e, p->text, x->off,
			"filling in missing series only allowed between instant vectors");
	if (pq_op_is_set(x->u.binary.op))
		return pq_fail(p->e, p->text, operator_off(p, x),
			"set operator \"%s\" not allowed in binary scalar expression, vector(1) "
			"makes "
			"a vector of a number",
			pq_op_name(x->u.binary.op));
	x->u.binary.match = NULL;
	return 0;
}

static int check_set(struct pq_parser *p, const struct pq_expr *x, const struct pq_matching *m)
{
	if (m->card != PQ_MANY_TO_MANY)
		return pq_fail(p->e, p->text, operator_off(p, x),
			"no grouping allowed for \"%s\" operation, leave group_left or group_right "
			"out",
			pq_op_name(x->u.binary.op));
	if (m->has_fill_left || m->has_fill_right)
		return pq_fail(p->e, p->text, x->off,
			"filling in missing series not allowed for set operators");
	return 0;
}

static int check_sides(struct pq_parser *p, const struct pq_expr *x)
{
	const struct pq_expr *sides[] = {x->u.binary.lhs, x->u.binary.rhs};

	for (size_t i = 0; i < 2; i++) {
		if (sides[i]->type != PQ_SCALAR && sides[i]->type != PQ_VECTOR)
			return pq_fail(p->e, p->text, sides[i]->off,
				"binary expression must contain only scalar and instant vector "
				"types, got %s%s",
				pq_type_name(sides[i]->type), range_hint(sides[i]));
	}
	return 0;
}

static int check_binary(struct pq_parser *p, struct pq_expr *x)
{
	bool scalar_l = x->u.binary.lhs->type == PQ_SCALAR;
	bool scalar_r = x->u.binary.rhs->type == PQ_SCALAR;
	bool comparison = pq_op_is_comparison(x->u.binary.op);
	struct pq_matching *m = ARENA_NEW(p->a, struct pq_matching);
	struct str name;

	if (m == NULL)
		return pq_no_memory(p);
	*m = *x->u.binary.match;
	x->u.binary.match = m;
	x->type = scalar_l && scalar_r ? PQ_SCALAR : PQ_VECTOR;
	if (x->u.binary.bool_mod && !comparison)
		return pq_fail(p->e, p->text, operator_off(p, x),
			"bool modifier can only be used on comparison operators");
	if (comparison && !x->u.binary.bool_mod && scalar_l && scalar_r)
		return pq_fail(p->e, p->text, operator_off(p, x),
			"comparisons between scalars must use BOOL modifier: %s bool",
			pq_op_name(x->u.binary.op));
	if (m->on && name_in_both(m, &name))
		return pq_fail(p->e, p->text, operator_off(p, x),
			"label \"" STR_FMT "\" must not occur in ON and GROUP clause at once",
			STR_ARG(name));
	if (check_sides(p, x) != 0)
		return -1;
	if (scalar_l || scalar_r)
		return check_unmatched(p, x, m);
	if (!pq_op_is_set(x->u.binary.op))
		return 0;
	if (m->card == PQ_ONE_TO_ONE)
		m->card = PQ_MANY_TO_MANY;
	return check_set(p, x, m);
}

/* The second argument of info() is a selector of labels alone. */
static int check_info(struct pq_parser *p, const struct pq_expr *x)
{
	const struct pq_expr *sel = x->u.call.n > 1 ? x->u.call.args[1] : NULL;

	if (sel == NULL)
		return 0;
	if (sel->kind != PQ_SELECTOR)
		return pq_fail(p->e, p->text, sel->off, "expected label selectors only");
	if (sel->u.selector.name.n > 0)
		return pq_fail(p->e, p->text, sel->off,
			"expected label selectors only, got vector selector instead");
	return 0;
}

/* What the function wants, as it is written. */
static void signature(const struct pq_func *f, char *out, size_t size)
{
	size_t n = 0;

	if (f->id == PQ_FN_LABEL_REPLACE) {
		(void)snprintf(out, size, "x, \"new label\", \"$1\", \"label\", \"(regex)\"");
		return;
	}
	if (f->id == PQ_FN_LABEL_JOIN) {
		(void)snprintf(out, size, "x, \"new label\", \"separator\", \"label\", ...");
		return;
	}
	out[0] = '\0';
	for (size_t i = 0; i < f->n_args; i++) {
		bool last = i + 1u == f->n_args;
		int more =
			snprintf(out + n, size - n, "%s%s%s%s", last && f->variadic != 0 ? "[" : "",
				i > 0 ? ", " : "", pq_type_name(pq_func_arg(f, i)),
				!last || f->variadic == 0 ? ""
				: f->variadic < 0         ? "...]"
							  : "]");

		if (more < 0 || (size_t)more >= size - n)
			return;
		n += (size_t)more;
	}
}

static int check_call(struct pq_parser *p, struct pq_expr *x)
{
	const struct pq_func *f = x->u.call.func;
	size_t n = x->u.call.n, min = pq_func_min_args(f), max = pq_func_max_args(f);
	char where[80];

	x->type = f->result;
	if (n < min || n > max) {
		const char *bound = min == max ? "" : n < min ? "at least " : "at most ";

		signature(f, where, sizeof where);
		return pq_fail(p->e, p->text, x->off,
			"expected %s%zu argument(s) in call to \"%s\", got %zu: %s(%s)", bound,
			n < min ? min : max, f->name, n, f->name, where);
	}
	(void)snprintf(where, sizeof where, "call to function \"%s\"", f->name);
	if (n == 2 && x->u.call.args[0]->type != pq_func_arg(f, 0) &&
		x->u.call.args[0]->type == pq_func_arg(f, 1) &&
		x->u.call.args[1]->type == pq_func_arg(f, 0))
		return pq_fail(p->e, p->text, x->u.call.args[0]->off,
			"expected type %s in %s, got %s, the arguments stand the other way round",
			pq_type_name(pq_func_arg(f, 0)), where,
			pq_type_name(x->u.call.args[0]->type));
	for (size_t i = 0; i < n; i++) {
		const struct pq_expr *arg = x->u.call.args[i];

		if (arg->type != pq_func_arg(f, i))
			return fail_type(p, arg, pq_func_arg(f, i), where);
	}
	return f->id == PQ_FN_INFO ? check_info(p, x) : 0;
}

static int check_selector(struct pq_parser *p, struct pq_expr *x, bool may_be_empty)
{
	const struct pq_selector *s = &x->u.selector;

	x->type = PQ_VECTOR;
	if (s->name.n > 0) {
		for (size_t i = 0; i + 1 < s->n; i++) {
			if (str_eq(s->m[i].name, LABEL_NAME))
				return pq_fail(p->e, p->text, x->off,
					"metric name must not be set twice: \"" STR_FMT
					"\" or \"" STR_FMT "\"",
					STR_ARG(str_sub(s->name, 0, 60)),
					STR_ARG(str_sub(s->m[i].value, 0, 60)));
		}
		return 0;
	}
	for (size_t i = 0; i < s->n && !may_be_empty; i++)
		may_be_empty = !matcher_matches(&s->m[i], STR(""));
	if (!may_be_empty)
		return pq_fail(p->e, p->text, x->off,
			"vector selector must contain at least one non-empty matcher");
	return 0;
}

static int check_unary(struct pq_parser *p, struct pq_expr *x)
{
	x->type = x->u.unary.of->type;
	if (x->type != PQ_SCALAR && x->type != PQ_VECTOR)
		return pq_fail(p->e, p->text, x->off,
			"unary expression only allowed on expressions of type scalar or instant "
			"vector, got \"%s\"%s",
			pq_type_name(x->type), range_hint(x->u.unary.of));
	return 0;
}

static int check_subquery(struct pq_parser *p, struct pq_expr *x)
{
	x->type = PQ_MATRIX;
	if (x->u.subquery.of->type != PQ_VECTOR)
		return pq_fail(p->e, p->text, x->off,
			"subquery is only allowed on instant vector, got %s instead",
			pq_type_name(x->u.subquery.of->type));
	return 0;
}

static int check_node(struct pq_parser *p, struct pq_expr *x, bool may_be_empty)
{
	switch (x->kind) {
	case PQ_NUMBER: x->type = PQ_SCALAR; return 0;
	case PQ_TEXT: x->type = PQ_STRING; return 0;
	case PQ_SELECTOR: return check_selector(p, x, may_be_empty);
	case PQ_RANGE: x->type = PQ_MATRIX; return 0;
	case PQ_SUBQUERY: return check_subquery(p, x);
	case PQ_AGGREGATE: return check_aggregate(p, x);
	case PQ_BINARY: return check_binary(p, x);
	case PQ_CALL: return check_call(p, x);
	case PQ_UNARY: return check_unary(p, x);
	case PQ_PAREN: x->type = x->u.paren.of->type; return 0;
	}
	return 0;
}

int pq_check(struct pq_parser *p)
{
	bool *info_arg = ARENA_ARRAY(p->a, p->n_nodes, bool);

	if (info_arg == NULL)
		return pq_no_memory(p);
	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct pq_expr *x = p->nodes[i];

		if (x->kind == PQ_CALL && x->u.call.func->id == PQ_FN_INFO && x->u.call.n > 1)
			info_arg[x->u.call.args[1]->id] = true;
	}
	for (size_t i = 0; i < p->n_nodes; i++)
		if (check_node(p, p->nodes[i], info_arg[i]) != 0)
			return -1;
	return 0;
}
