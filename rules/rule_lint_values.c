/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_lint_values - which values and labels an expression can have, as far as its text tells: a
 * count is never 0, a rate never negative, `up` is 0 or 1. Recursion is bounded by the height of
 * the tree.
 */
#include <math.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/rule_lint.h"

static const struct lint_range any = {-INFINITY, INFINITY}, not_negative = {0, INFINITY},
			       from_one = {1, INFINITY}, one = {1, 1}, share = {0, 1};

static struct lint_range of_sum(struct lint_range r)
{
	if (r.lo >= 0)
		return (struct lint_range){r.lo, INFINITY};
	return r.hi <= 0 ? (struct lint_range){-INFINITY, r.hi} : any;
}

static struct lint_range of_aggregate(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	struct lint_range r = lint_values(x->u.aggregate.of);

	switch ((int)x->u.aggregate.op) {
	case PQ_AGG_COUNT:
	case PQ_AGG_COUNT_VALUES: return from_one;
	case PQ_AGG_GROUP: return one;
	case PQ_AGG_STDDEV:
	case PQ_AGG_STDVAR: return not_negative;
	case PQ_AGG_SUM: return of_sum(r);
	case PQ_AGG_QUANTILE: return any;
	default: return r;
	}
}

/* What stands in a range or subquery. */
static struct lint_range of_samples(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	x = pq_unparen(x);
	if (x->kind == PQ_RANGE)
		return lint_values(x->u.range.of);
	return x->kind == PQ_SUBQUERY ? lint_values(x->u.subquery.of) : any;
}

static struct lint_range of_call(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *arg = x->u.call.n > 0 ? x->u.call.args[0] : NULL;

	switch ((int)x->u.call.func->id) {
	case PQ_FN_ABS:
	case PQ_FN_SQRT:
	case PQ_FN_RATE:
	case PQ_FN_IRATE:
	case PQ_FN_INCREASE:
	case PQ_FN_CHANGES:
	case PQ_FN_RESETS:
	case PQ_FN_STDDEV_OVER_TIME:
	case PQ_FN_STDVAR_OVER_TIME: return not_negative;
	case PQ_FN_COUNT_OVER_TIME: return from_one;
	case PQ_FN_PRESENT_OVER_TIME:
	case PQ_FN_ABSENT_OVER_TIME:
	case PQ_FN_ABSENT: return one;
	case PQ_FN_HISTOGRAM_FRACTION: return share;
	case PQ_FN_SGN: return (struct lint_range){-1, 1};
	case PQ_FN_AVG_OVER_TIME:
	case PQ_FN_MIN_OVER_TIME:
	case PQ_FN_MAX_OVER_TIME:
	case PQ_FN_LAST_OVER_TIME:
	case PQ_FN_FIRST_OVER_TIME: return of_samples(arg);
	case PQ_FN_SUM_OVER_TIME: return of_sum(of_samples(arg));
	case PQ_FN_VECTOR:
	case PQ_FN_LABEL_REPLACE:
	case PQ_FN_LABEL_JOIN:
	case PQ_FN_SORT:
	case PQ_FN_SORT_DESC: return lint_values(arg);
	default: return any;
	}
}

static struct lint_range narrowed(enum pq_op op, struct lint_range r, struct lint_range c)
{
	switch ((int)op) {
	case PQ_OP_GT:
	case PQ_OP_GE: r.lo = MAX_OF(r.lo, c.lo); break;
	case PQ_OP_LT:
	case PQ_OP_LE: r.hi = MIN_OF(r.hi, c.hi); break;
	case PQ_OP_EQ:
		r.lo = MAX_OF(r.lo, c.lo);
		r.hi = MIN_OF(r.hi, c.hi);
		break;
	default: break;
	}
	return r;
}

static enum pq_op mirrored(enum pq_op op)
{
	switch ((int)op) {
	case PQ_OP_LT: return PQ_OP_GT;
	case PQ_OP_LE: return PQ_OP_GE;
	case PQ_OP_GT: return PQ_OP_LT;
	case PQ_OP_GE: return PQ_OP_LE;
	default: return op;
	}
}

static struct lint_range of_comparison(
	const struct pq_expr *x, struct lint_range l, struct lint_range r)
{
	if (x->u.binary.bool_mod)
		return share;
	if (x->u.binary.lhs->type == PQ_SCALAR) /* the vector's value stays */
		return narrowed(mirrored(x->u.binary.op), r, l);
	return narrowed(x->u.binary.op, l, r);
}

static struct lint_range of_binary(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	struct lint_range l = lint_values(x->u.binary.lhs), r = lint_values(x->u.binary.rhs);
	const struct pq_matching *m = x->u.binary.match;

	if (m != NULL && (m->has_fill_left || m->has_fill_right))
		return any;
	if (pq_op_is_comparison(x->u.binary.op))
		return of_comparison(x, l, r);
	switch ((int)x->u.binary.op) {
	case PQ_OP_AND:
	case PQ_OP_UNLESS: return l;
	case PQ_OP_OR: return (struct lint_range){MIN_OF(l.lo, r.lo), MAX_OF(l.hi, r.hi)};
	case PQ_OP_ADD: return (struct lint_range){l.lo + r.lo, l.hi + r.hi};
	case PQ_OP_SUB: return (struct lint_range){l.lo - r.hi, l.hi - r.lo};
	case PQ_OP_MUL:
	case PQ_OP_DIV: return l.lo >= 0 && r.lo >= 0 ? not_negative : any;
	default: return any;
	}
}

struct lint_range lint_values(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	struct lint_range r;

	if (x == NULL)
		return any;
	switch (x->kind) {
	case PQ_NUMBER: return (struct lint_range){x->u.number.val, x->u.number.val};
	case PQ_SELECTOR: return str_eq(x->u.selector.name, STR("up")) ? share : any;
	case PQ_AGGREGATE: return of_aggregate(x);
	case PQ_CALL: return of_call(x);
	case PQ_BINARY: return of_binary(x);
	case PQ_PAREN: return lint_values(x->u.paren.of);
	case PQ_UNARY:
		r = lint_values(x->u.unary.of);
		return x->u.unary.minus ? (struct lint_range){-r.hi, -r.lo} : r;
	case PQ_TEXT:
	case PQ_RANGE:
	case PQ_SUBQUERY: break;
	}
	return any;
}

/* No value of r compares so with any of c. */
static bool impossible(enum pq_op op, struct lint_range r, struct lint_range c)
{
	switch ((int)op) {
	case PQ_OP_GT: return r.hi <= c.lo;
	case PQ_OP_GE: return r.hi < c.lo;
	case PQ_OP_LT: return r.lo >= c.hi;
	case PQ_OP_LE: return r.lo > c.hi;
	case PQ_OP_EQ: return r.hi < c.lo || r.lo > c.hi;
	case PQ_OP_NE: return r.lo == r.hi && c.lo == c.hi && r.lo == c.lo;
	default: return false;
	}
}

static bool same_text(const struct pq_expr *a, const struct pq_expr *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, 4 * LIMIT_EXPR_BYTES);
	buf_init(&y, 4 * LIMIT_EXPR_BYTES);
	pq_expr_print(&x, a);
	pq_expr_print(&y, b);
	same = !x.failed && !y.failed && str_eq(buf_view(&x), buf_view(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

static const struct pq_expr *never_binary(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *l = x->u.binary.lhs, *r = x->u.binary.rhs, *hit;
	const struct pq_matching *m = x->u.binary.match;

	if (pq_op_is_comparison(x->u.binary.op)) {
		if (x->u.binary.bool_mod || (m != NULL && (m->has_fill_left || m->has_fill_right)))
			return NULL;
		if (impossible(x->u.binary.op, lint_values(l), lint_values(r)))
			return x;
		return l->type == PQ_VECTOR ? lint_never(l) : lint_never(r);
	}
	switch ((int)x->u.binary.op) {
	case PQ_OP_AND: hit = lint_never(l); return hit != NULL ? hit : lint_never(r);
	case PQ_OP_UNLESS: return same_text(l, r) ? x : lint_never(l);
	case PQ_OP_OR: return lint_never(l) != NULL ? lint_never(r) : NULL;
	default: return NULL;
	}
}

const struct pq_expr *lint_never(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	switch ((int)x->kind) {
	case PQ_PAREN: return lint_never(x->u.paren.of);
	case PQ_AGGREGATE: return lint_never(x->u.aggregate.of);
	case PQ_BINARY: return never_binary(x);
	default: return NULL;
	}
}

/* --- labels --- */

/* Names of all labels, when they are certain. */
static bool labels_known(/* NOLINT(misc-no-recursion) */
	const struct pq_expr *x, struct pq_names *out)
{
	struct pq_names other;

	switch ((int)x->kind) {
	case PQ_PAREN: return labels_known(x->u.paren.of, out);
	case PQ_UNARY: return labels_known(x->u.unary.of, out);
	case PQ_AGGREGATE:
		*out = x->u.aggregate.by;
		switch ((int)x->u.aggregate.op) {
		case PQ_AGG_TOPK:
		case PQ_AGG_BOTTOMK:
		case PQ_AGG_LIMITK:
		case PQ_AGG_LIMIT_RATIO:
		case PQ_AGG_COUNT_VALUES: return false;
		default: return !x->u.aggregate.without;
		}
	case PQ_BINARY:
		if (x->u.binary.lhs->type == PQ_SCALAR)
			return labels_known(x->u.binary.rhs, out);
		if (x->u.binary.rhs->type == PQ_SCALAR)
			return labels_known(x->u.binary.lhs, out);
		return x->u.binary.match->card == PQ_ONE_TO_ONE && !x->u.binary.match->on &&
		       x->u.binary.match->labels.n == 0 && labels_known(x->u.binary.lhs, out) &&
		       labels_known(x->u.binary.rhs, &other);
	default: return false;
	}
}

static bool all_in(struct pq_names a, struct pq_names b)
{
	for (size_t i = 0; i < a.n; i++) {
		bool found = false;

		for (size_t k = 0; k < b.n && !found; k++)
			found = str_eq(a.v[i], b.v[k]);
		if (!found)
			return false;
	}
	return true;
}

bool lint_labels_differ(const struct pq_expr *a, const struct pq_expr *b)
{
	struct pq_names x, y;

	return labels_known(a, &x) && labels_known(b, &y) && !(all_in(x, y) && all_in(y, x));
}
