/* SPDX-License-Identifier: Apache-2.0 */
/* eval_binary - operators: what one pair of points gives, and vectors with scalars; see eval.h.
 * Vectors with vectors are in eval_match.c and eval_set.c. */
#include <math.h>

#include "base/assert.h"
#include "rules/promql/eval.h"
#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"

static bool compare(enum pq_op op, double l, double r)
{
	switch ((int)op) {
	case PQ_OP_EQ: return l == r;
	case PQ_OP_NE: return l != r;
	case PQ_OP_LT: return l < r;
	case PQ_OP_LE: return l <= r;
	case PQ_OP_GT: return l > r;
	default: return l >= r;
	}
}

static double arithmetic(enum pq_op op, double l, double r)
{
	switch ((int)op) {
	case PQ_OP_ADD: return l + r;
	case PQ_OP_SUB: return l - r;
	case PQ_OP_MUL: return l * r;
	case PQ_OP_DIV: return l / r;
	case PQ_OP_MOD: return fmod(l, r);
	case PQ_OP_POW: return pow(l, r);
	default: return atan2(l, r);
	}
}

double binary_scalar(enum pq_op op, double l, double r)
{
	return pq_op_is_comparison(op) ? compare(op, l, r) : arithmetic(op, l, r);
}

static void say_types(struct ev *ev, const struct pq_expr *x, struct operand l, struct operand r)
{
	const char *op = pq_op_name(x->u.binary.op);
	const char *lt = l.h != NULL ? "histogram" : "float",
		   *rt = r.h != NULL ? "histogram" : "float";

	ev_note(ev, EV_INFO, x, lt[0] == rt[0] ? "types" : lt, STR_NULL,
		"operator %s does not go with these samples: %s %s %s", op, lt, op, rt);
}

static enum binary_result done(struct ev *ev, struct hacc *acc, struct operand *out)
{
	*out = (struct operand){0, hacc_done(acc, &ev->scratch)};
	ev_tmp_done(ev);
	return out->h != NULL ? BINARY_TRUE : BINARY_NONE;
}

static enum binary_result scaled(
	struct ev *ev, const struct hist *h, double f, bool divide, struct operand *out)
{
	struct hacc acc;

	hacc_init(&acc, &ev->tmp, h);
	if (divide)
		hacc_div(&acc, f);
	else
		hacc_mul(&acc, f);
	return done(ev, &acc, out);
}

static enum binary_result sum_of(struct ev *ev, const struct pq_expr *x, struct operand l,
	struct operand r, struct operand *out)
{
	bool sub = x->u.binary.op == PQ_OP_SUB;
	struct hacc_notes notes = {0};
	struct hacc acc;

	hacc_init(&acc, &ev->tmp, l.h);
	if (!(sub ? hacc_sub(&acc, r.h, &notes) : hacc_add(&acc, r.h, &notes))) {
		ev_note(ev, EV_WARNING, x, "layout", STR_NULL,
			"operator %s cannot join exponential and custom buckets",
			pq_op_name(x->u.binary.op));
		return BINARY_NONE;
	}
	if (sub)
		acc.reset = HIST_RESET_GAUGE;
	if (notes.collision)
		ev_say(ev, sub ? SAID_COLLISION_SUB : SAID_COLLISION_ADD, x, STR_NULL);
	if (notes.reconciled)
		ev_say(ev, sub ? SAID_RECONCILED_SUB : SAID_RECONCILED_ADD, x, STR_NULL);
	return done(ev, &acc, out);
}

static enum binary_result hist_point(struct ev *ev, const struct pq_expr *x, struct operand l,
	struct operand r, struct operand *out)
{
	enum pq_op op = x->u.binary.op;

	if (l.h != NULL && r.h != NULL) {
		if (op == PQ_OP_ADD || op == PQ_OP_SUB)
			return sum_of(ev, x, l, r, out);
		if (op == PQ_OP_EQ || op == PQ_OP_NE) {
			*out = l;
			return hacc_same(&ev->tmp, l.h, r.h) == (op == PQ_OP_EQ) ? BINARY_TRUE
										 : BINARY_FALSE;
		}
	} else if (op == PQ_OP_MUL) {
		return scaled(ev, l.h != NULL ? l.h : r.h, l.h != NULL ? r.v : l.v, false, out);
	} else if (l.h != NULL && op == PQ_OP_DIV) {
		return scaled(ev, l.h, r.v, true, out);
	} else if (l.h != NULL && (op == PQ_OP_TRIM_UPPER || op == PQ_OP_TRIM_LOWER)) {
		*out = (struct operand){
			0, hist_trim(&ev->scratch, l.h, r.v, op == PQ_OP_TRIM_UPPER)};
		return out->h != NULL ? BINARY_TRUE : BINARY_NONE;
	}
	say_types(ev, x, l, r);
	return BINARY_NONE;
}

enum binary_result binary_point(struct ev *ev, const struct pq_expr *x, struct operand l,
	struct operand r, struct operand *out)
{
	enum pq_op op = x->u.binary.op;

	if (l.h != NULL || r.h != NULL)
		return hist_point(ev, x, l, r, out);
	if (pq_op_is_comparison(op)) {
		*out = l;
		return compare(op, l.v, r.v) ? BINARY_TRUE : BINARY_FALSE;
	}
	if (op == PQ_OP_TRIM_LOWER || op == PQ_OP_TRIM_UPPER) {
		say_types(ev, x, l, r);
		return BINARY_NONE;
	}
	*out = (struct operand){arithmetic(op, l.v, r.v), NULL};
	return BINARY_TRUE;
}

/* --- vector and scalar --- */

struct with_scalar {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	const double *scalar;
	bool scalar_left;
	struct sink out;
};

/* Plain floats under arithmetic: the usual case. */
static void fast_arithmetic(const struct with_scalar *w, struct col *c)
{
	enum pq_op op = w->x->u.binary.op;

	for (size_t i = 0; i < w->g->n; i++) {
		if (is_absent(c->v[i]))
			continue;
		c->v[i] = w->scalar_left ? arithmetic(op, w->scalar[i], c->v[i])
					 : arithmetic(op, c->v[i], w->scalar[i]);
	}
}

static void one_point(struct with_scalar *w, struct col *c, size_t i)
{
	struct operand s = {w->scalar[i], NULL}, v = {c->v[i], col_hist(c, i)}, res = v;
	enum binary_result r = w->scalar_left ? binary_point(w->ev, w->x, s, v, &res)
					      : binary_point(w->ev, w->x, v, s, &res);
	bool as_bool = w->x->u.binary.bool_mod;

	if (w->scalar_left && pq_op_is_comparison(w->x->u.binary.op))
		res = v; /* the vector's side is what stays */
	if (as_bool)
		res = (struct operand){r == BINARY_TRUE, NULL};
	if (r == BINARY_NONE || (r == BINARY_FALSE && !as_bool))
		res = (struct operand){ABSENT, NULL};
	c->v[i] = res.h != NULL ? 0 : res.v;
	if (c->h != NULL)
		c->h[i] = res.h;
}

static int on_vector(void *arg, struct col *c, struct err *e)
{
	struct with_scalar *w = arg;
	enum pq_op op = w->x->u.binary.op;

	if (c->h == NULL && op >= PQ_OP_ADD) {
		fast_arithmetic(w, c);
	} else {
		for (size_t i = 0; i < w->g->n; i++) {
			if (!is_absent(c->v[i]))
				one_point(w, c, i);
		}
	}
	if (ev_work(w->ev, w->g->n, e) != 0 || ev_memory(w->ev, e) != 0)
		return -1;
	c->drop_name |= w->x->u.binary.bool_mod || binary_drops_name(op);
	return col_any(c, w->g) ? emit(w->out, c, e) : 0;
}

int binary_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_expr *l = x->u.binary.lhs, *r = x->u.binary.rhs;
	struct with_scalar w = {.ev = ev, .x = x, .g = g, .out = out};
	bool trim = x->u.binary.op == PQ_OP_TRIM_UPPER || x->u.binary.op == PQ_OP_TRIM_LOWER;
	struct arena_mark mark;
	int rc = -1;

	if (pq_op_is_set(x->u.binary.op))
		return set_each(ev, x, g, out, e);
	ev->buckets_wanted += trim;
	if (l->type == PQ_VECTOR && r->type == PQ_VECTOR) {
		rc = match_each(ev, x, g, out, e);
		ev->buckets_wanted -= trim;
		return rc;
	}
	mark = arena_mark(&ev->scratch);
	w.scalar_left = l->type == PQ_SCALAR;
	w.scalar = eval_scalar_new(ev, w.scalar_left ? l : r, g, e);
	if (w.scalar != NULL)
		rc = eval_each(ev, w.scalar_left ? r : l, g, (struct sink){on_vector, &w}, e);
	ev->buckets_wanted -= trim;
	arena_release(&ev->scratch, mark);
	return rc;
}
