/* SPDX-License-Identifier: Apache-2.0 */
/*
 * narrow - the same expression for one label set: equality matchers are pushed down to the
 * selectors wherever a label of the result can only be that label of what is selected.
 *
 * What a label may pass: by() keeps those it names, without() and ignoring() all others; on() keeps
 * its own; many-to-one matching, label_replace and the like stop it, since there a label of the
 * result may come from the other side. Values of the one series stay what they were; topk and
 * limitk may let it in more often than before.
 */
#include "base/num.h"
#include "rules/promql/ast.h"

struct narrower {
	struct arena *a;
	const struct label *v; /* all of them */
	size_t n;
};

#define LABELS_MAX 64u

/* Which of the labels still hold at a node: a bit each. */
static bool listed(const struct pq_names *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (str_eq(names->v[i], name))
			return true;
	}
	return false;
}

static uint64_t among(
	const struct narrower *w, uint64_t bits, const struct pq_names *names, bool in)
{
	uint64_t out = 0;

	for (size_t i = 0; i < w->n; i++) {
		if ((bits >> i & 1) != 0 && listed(names, w->v[i].name) == in)
			out |= UINT64_C(1) << i;
	}
	return out;
}

static void add_matchers(const struct narrower *w, struct pq_expr *x, uint64_t bits)
{
	struct pq_selector *s = &x->u.selector;
	struct matcher *m = ARENA_ARRAY(w->a, s->n + w->n, struct matcher);
	size_t n = 0;

	if (m == NULL)
		return;
	for (size_t i = 0; i < w->n; i++) {
		if ((bits >> i & 1) != 0)
			m[n++] = (struct matcher){
				.op = MATCH_EQ, .name = w->v[i].name, .value = w->v[i].value};
	}
	if (s->n > 0)
		memcpy(m + n, s->m, s->n * sizeof *m); /* the name's stays last */
	s->m = m;
	s->n += n;
}

static bool stops_labels(const struct pq_expr *x)
{
	static const enum pq_fn stops[] = {PQ_FN_ABSENT, PQ_FN_ABSENT_OVER_TIME, PQ_FN_INFO,
		PQ_FN_LABEL_JOIN, PQ_FN_LABEL_REPLACE, PQ_FN_SCALAR};

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		if (x->u.call.func->id == stops[i])
			return true;
	}
	return false;
}

/* As high as the tree, LIMIT_EXPR_DEPTH: NOLINTBEGIN(misc-no-recursion) */
static const struct pq_expr *narrow(
	const struct narrower *w, const struct pq_expr *old, uint64_t bits);

static void narrow_call(const struct narrower *w, struct pq_expr *x, uint64_t bits)
{
	const struct pq_expr **args;

	if (stops_labels(x))
		return;
	args = ARENA_ARRAY(w->a, x->u.call.n, const struct pq_expr *);
	if (args == NULL)
		return;
	for (size_t i = 0; i < x->u.call.n; i++)
		args[i] = narrow(w, x->u.call.args[i], bits);
	x->u.call.args = args;
}

static void narrow_aggregate(const struct narrower *w, struct pq_expr *x, uint64_t bits)
{
	if (x->u.aggregate.op == PQ_AGG_COUNT_VALUES)
		return;
	/* topk and its kin keep all labels of what they let through */
	if (x->u.aggregate.op != PQ_AGG_TOPK && x->u.aggregate.op != PQ_AGG_BOTTOMK &&
		x->u.aggregate.op != PQ_AGG_LIMITK && x->u.aggregate.op != PQ_AGG_LIMIT_RATIO)
		bits = among(w, bits, &x->u.aggregate.by, !x->u.aggregate.without);
	x->u.aggregate.of = narrow(w, x->u.aggregate.of, bits);
}

static void narrow_binary(const struct narrower *w, struct pq_expr *x, uint64_t bits)
{
	const struct pq_matching *m = x->u.binary.match;
	enum pq_op op = x->u.binary.op;
	uint64_t left = bits, right = bits;

	if (m != NULL && m->card != PQ_ONE_TO_ONE && !pq_op_is_set(op))
		left = right = m->on ? among(w, bits, &m->labels, true) : 0;
	else if (m != NULL && pq_op_is_set(op) && op != PQ_OP_OR)
		right = among(w, bits, &m->labels, m->on);
	else if (m != NULL) /* `or` too: the left side decides what of the right one shows */
		left = right = among(w, bits, &m->labels, m->on);
	x->u.binary.lhs = narrow(w, x->u.binary.lhs, left);
	x->u.binary.rhs = narrow(w, x->u.binary.rhs, right);
}

static const struct pq_expr *narrow(
	const struct narrower *w, const struct pq_expr *old, uint64_t bits)
{
	struct pq_expr *x;

	if (bits == 0 || old->kind == PQ_NUMBER || old->kind == PQ_TEXT)
		return old;
	x = ARENA_NEW(w->a, struct pq_expr);
	if (x == NULL)
		return old;
	*x = *old;
	switch (x->kind) {
	case PQ_SELECTOR: add_matchers(w, x, bits); break;
	case PQ_RANGE: x->u.range.of = narrow(w, x->u.range.of, bits); break;
	case PQ_SUBQUERY: x->u.subquery.of = narrow(w, x->u.subquery.of, bits); break;
	case PQ_AGGREGATE: narrow_aggregate(w, x, bits); break;
	case PQ_BINARY: narrow_binary(w, x, bits); break;
	case PQ_CALL: narrow_call(w, x, bits); break;
	case PQ_UNARY: x->u.unary.of = narrow(w, x->u.unary.of, bits); break;
	case PQ_PAREN: x->u.paren.of = narrow(w, x->u.paren.of, bits); break;
	case PQ_NUMBER:
	case PQ_TEXT:
	default: break;
	}
	return x;
}
/* NOLINTEND(misc-no-recursion) */

const struct pq_expr *pq_expr_narrow(struct arena *a, const struct pq_expr *x, struct labels labels)
{
	struct narrower w = {a, labels.v, MIN_OF(labels.n, (size_t)LABELS_MAX)};
	uint64_t bits = 0;

	for (size_t i = 0; i < w.n; i++) {
		if (!str_eq(w.v[i].name, LABEL_NAME))
			bits |= UINT64_C(1) << i;
	}
	return narrow(&w, x, bits);
}
