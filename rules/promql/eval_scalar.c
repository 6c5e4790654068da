/* SPDX-License-Identifier: Apache-2.0 */
/* eval_scalar - scalar expressions as one column of numbers, without gaps; see eval.h. */
#include <math.h>

#include "base/assert.h"
#include "rules/promql/eval.h"

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
double *eval_scalar_new(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct err *e)
{
	double *v = ARENA_ARRAY(&ev->scratch, g->n, double);

	if (v == NULL) {
		(void)!ev_memory(ev, e);
		return NULL;
	}
	return eval_scalar(ev, x, g, v, e) == 0 ? v : NULL;
}

static void fill(double *out, size_t n, double v)
{
	for (size_t i = 0; i < n; i++)
		out[i] = v;
}

/* scalar(v): the only float of the vector at a step; NaN when there is none or more than one. */
struct only {
	const struct grid *g;
	double *out;
	unsigned char *count;
};

static int on_only(void *arg, struct col *c, struct err *e)
{
	struct only *o = arg;

	(void)e;
	for (size_t i = 0; i < o->g->n; i++) {
		if (is_absent(c->v[i]) || col_hist(c, i) != NULL)
			continue;
		if (o->count[i] < 2)
			o->count[i]++;
		o->out[i] = o->count[i] == 1 ? c->v[i] : normal_nan();
	}
	return 0;
}

static int scalar_of_vector(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, double *out, struct err *e)
{
	struct only o = {g, out, ARENA_ARRAY(&ev->scratch, g->n, unsigned char)};

	if (ev_memory(ev, e) != 0)
		return -1;
	fill(out, g->n, normal_nan());
	return eval_each(ev, ev_arg(x, 0), g, (struct sink){on_only, &o}, e);
}

static double pick(double a, double b, bool max)
{
	double end = max ? INFINITY : -INFINITY;

	if (a == end || b == end) /* even beside NaN */
		return end;
	if (isnan(a) || isnan(b))
		return normal_nan();
	if (a == 0 && b == 0) /* -0 is below 0 */
		return (signbit(a) != 0) == max ? b : a;
	return (a > b) == max ? a : b;
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int call_scalar(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, double *out, struct err *e)
{
	const struct pq_params *p = ev->p;
	enum pq_fn id = x->u.call.func->id;

	switch ((int)id) {
	case PQ_FN_TIME:
		for (size_t i = 0; i < g->n; i++)
			out[i] = (double)grid_time(g, i) / 1000;
		return 0;
	case PQ_FN_PI: fill(out, g->n, 3.14159265358979323846); return 0;
	case PQ_FN_START: fill(out, g->n, (double)p->start_ms / 1000); return 0;
	case PQ_FN_END: fill(out, g->n, (double)p->end_ms / 1000); return 0;
	case PQ_FN_RANGE: fill(out, g->n, (double)(p->end_ms - p->start_ms) / 1000); return 0;
	case PQ_FN_STEP:
		fill(out, g->n, p->start_ms != p->end_ms ? (double)p->step_ms / 1000 : 0);
		return 0;
	case PQ_FN_SCALAR: return scalar_of_vector(ev, x, g, out, e);
	case PQ_FN_MAX_OF:
	case PQ_FN_MIN_OF: {
		double *b = eval_scalar_new(ev, ev_arg(x, 1), g, e);

		if (b == NULL || eval_scalar(ev, ev_arg(x, 0), g, out, e) != 0)
			return -1;
		for (size_t i = 0; i < g->n; i++)
			out[i] = pick(out[i], b[i], id == PQ_FN_MAX_OF);
		return 0;
	}
	default: break;
	}
	return err_set(e, ERR_INPUT, 0, "%s() gives no scalar", x->u.call.func->name);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int scalar_node(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, double *out, struct err *e)
{
	struct arena_mark mark;
	const double *r;
	int rc = -1;

	if (ev_work(ev, g->n, e) != 0)
		return -1;
	if (x->kind == PQ_NUMBER) {
		fill(out, g->n, x->u.number.val);
		return 0;
	}
	mark = arena_mark(&ev->scratch);
	if (x->kind == PQ_UNARY) {
		rc = eval_scalar(ev, x->u.unary.of, g, out, e);
		for (size_t i = 0; rc == 0 && x->u.unary.minus && i < g->n; i++)
			out[i] = -out[i];
	} else if (x->kind == PQ_BINARY) {
		r = eval_scalar_new(ev, x->u.binary.rhs, g, e);
		if (r != NULL)
			rc = eval_scalar(ev, x->u.binary.lhs, g, out, e);
		for (size_t i = 0; rc == 0 && i < g->n; i++)
			out[i] = binary_scalar(x->u.binary.op, out[i], r[i]);
	} else if (x->kind == PQ_CALL) {
		rc = call_scalar(ev, x, g, out, e);
	} else {
		rc = err_set(e, ERR_INPUT, 0, "expected a scalar here");
	}
	arena_release(&ev->scratch, mark);
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
int eval_scalar(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, double *out, struct err *e)
{
	const struct pq_expr *above;
	int rc;

	x = pq_unparen(x);
	ASSERT(x->type == PQ_SCALAR);
	if (ev->p->costs == NULL)
		return scalar_node(ev, x, g, out, e);
	above = cost_turn(ev, x);
	rc = scalar_node(ev, x, g, out, e);
	cost_of(ev)->points += g->n;
	(void)cost_turn(ev, above);
	return rc;
}
