/* SPDX-License-Identifier: Apache-2.0 */
/* ast - questions about a syntax tree; see ast.h and engine.h. */
#include "rules/promql/ast.h"

#include "base/assert.h"
#include "base/num.h"

static const char *const op_names[] = {
	[PQ_OP_OR] = "or",
	[PQ_OP_AND] = "and",
	[PQ_OP_UNLESS] = "unless",
	[PQ_OP_EQ] = "==",
	[PQ_OP_NE] = "!=",
	[PQ_OP_LT] = "<",
	[PQ_OP_LE] = "<=",
	[PQ_OP_GT] = ">",
	[PQ_OP_GE] = ">=",
	[PQ_OP_TRIM_UPPER] = "</",
	[PQ_OP_TRIM_LOWER] = ">/",
	[PQ_OP_ADD] = "+",
	[PQ_OP_SUB] = "-",
	[PQ_OP_MUL] = "*",
	[PQ_OP_DIV] = "/",
	[PQ_OP_MOD] = "%",
	[PQ_OP_ATAN2] = "atan2",
	[PQ_OP_POW] = "^",
};

const char *pq_op_name(enum pq_op op)
{
	ASSERT((size_t)op < ARRAY_LEN(op_names));
	return op_names[op];
}

enum pq_type pq_expr_type(const struct pq_expr *x)
{
	return x->type;
}

const struct pq_expr *pq_unparen(const struct pq_expr *x)
{
	while (x->kind == PQ_PAREN)
		x = x->u.paren.of;
	return x;
}

const struct pq_expr *pq_child(const struct pq_expr *x, size_t i)
{
	switch (x->kind) {
	case PQ_NUMBER:
	case PQ_TEXT:
	case PQ_SELECTOR: return NULL;
	case PQ_RANGE: return i == 0 ? x->u.range.of : NULL;
	case PQ_SUBQUERY: return i == 0 ? x->u.subquery.of : NULL;
	case PQ_AGGREGATE: return i == 0 ? x->u.aggregate.of : i == 1 ? x->u.aggregate.param : NULL;
	case PQ_BINARY: return i == 0 ? x->u.binary.lhs : i == 1 ? x->u.binary.rhs : NULL;
	case PQ_CALL: return i < x->u.call.n ? x->u.call.args[i] : NULL;
	case PQ_UNARY: return i == 0 ? x->u.unary.of : NULL;
	case PQ_PAREN: return i == 0 ? x->u.paren.of : NULL;
	}
	return NULL;
}

/* Recursion is bounded by the height of the tree. */
void pq_expr_selectors(const struct pq_expr *x, /* NOLINT(misc-no-recursion) */
	void (*fn)(const struct matcher *m, size_t n, void *arg), void *arg)
{
	const struct pq_expr *c;

	if (x->kind == PQ_SELECTOR)
		fn(x->u.selector.m, x->u.selector.n, arg);
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		pq_expr_selectors(c, fn, arg);
}

/* The value of a scalar made of literals and signs alone. */
static bool constant(const struct pq_expr *x, double *v)
{
	bool minus = false;

	for (;;) {
		x = pq_unparen(x);
		if (x->kind == PQ_NUMBER) {
			*v = minus ? -x->u.number.val : x->u.number.val;
			return true;
		}
		if (x->kind != PQ_UNARY)
			return false;
		minus ^= x->u.unary.minus;
		x = x->u.unary.of;
	}
}

/* The same comparison seen from the other side. */
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

bool pq_expr_threshold(
	const struct pq_expr *x, const struct pq_expr **side, double *threshold, const char **op)
{
	const struct pq_expr *lhs, *rhs;

	x = pq_unparen(x);
	/* "a > 5 and b", "a > 5 unless b" show elements of the left side: its comparison is the
	 * alert's */
	while (x->kind == PQ_BINARY &&
		(x->u.binary.op == PQ_OP_AND || x->u.binary.op == PQ_OP_UNLESS))
		x = pq_unparen(x->u.binary.lhs);
	if (x->kind != PQ_BINARY || !pq_op_is_comparison(x->u.binary.op) || x->u.binary.bool_mod)
		return false;
	lhs = x->u.binary.lhs;
	rhs = x->u.binary.rhs;
	if (lhs->type == PQ_VECTOR && constant(rhs, threshold)) {
		*side = lhs;
		*op = pq_op_name(x->u.binary.op);
		return true;
	}
	if (rhs->type == PQ_VECTOR && constant(lhs, threshold)) {
		*side = rhs;
		*op = pq_op_name(mirrored(x->u.binary.op));
		return true;
	}
	return false;
}
