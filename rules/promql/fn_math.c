/* SPDX-License-Identifier: Apache-2.0 */
/* fn_math - functions of each float of a vector, with up to two scalar parameters. Histograms are
 * left out. */
#include <math.h>

#include "base/assert.h"
#include "rules/promql/eval.h"

#define PI 3.14159265358979323846

typedef double (*math_fn)(double v);

static double sign(double v)
{
	return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double radians(double v)
{
	return v * PI / 180;
}

static double degrees(double v)
{
	return v * 180 / PI;
}

/* Beyond 21 the other exponential is lost to rounding; upstream's overflow where exp() does. */
static double hyperbolic_sine(double v)
{
	return fabs(v) > 21 ? copysign(exp(fabs(v)) * 0.5, v) : sinh(v);
}

static double hyperbolic_cosine(double v)
{
	return fabs(v) > 21 ? exp(fabs(v)) * 0.5 : cosh(v);
}

static const math_fn functions[PQ_FN_COUNT] = {
	[PQ_FN_ABS] = fabs,
	[PQ_FN_ACOS] = acos,
	[PQ_FN_ACOSH] = acosh,
	[PQ_FN_ASIN] = asin,
	[PQ_FN_ASINH] = asinh,
	[PQ_FN_ATAN] = atan,
	[PQ_FN_ATANH] = atanh,
	[PQ_FN_CEIL] = ceil,
	[PQ_FN_COS] = cos,
	[PQ_FN_COSH] = hyperbolic_cosine,
	[PQ_FN_DEG] = degrees,
	[PQ_FN_EXP] = exp,
	[PQ_FN_FLOOR] = floor,
	[PQ_FN_LN] = log,
	[PQ_FN_LOG10] = log10,
	[PQ_FN_LOG2] = log2,
	[PQ_FN_RAD] = radians,
	[PQ_FN_SGN] = sign,
	[PQ_FN_SIN] = sin,
	[PQ_FN_SINH] = hyperbolic_sine,
	[PQ_FN_SQRT] = sqrt,
	[PQ_FN_TAN] = tan,
	[PQ_FN_TANH] = tanh,
};

struct map {
	struct ev *ev;
	const struct grid *g;
	enum pq_fn id;
	math_fn fn;
	const double *a, *b; /* parameters a step; NULL: the function's default */
	struct sink out;
};

/* As min and max of Go: NaN wins. */
/* The lesser of two as IEEE 754's minimum has it, but -Inf is less than NaN too; of zeros, -0. */
static double lesser(double a, double b)
{
	if (a == -INFINITY || b == -INFINITY)
		return -INFINITY;
	if (isnan(a) || isnan(b))
		return normal_nan();
	if (a == 0 && b == 0)
		return signbit(a) ? a : b;
	return a < b ? a : b;
}

static double clamp(double v, double low, double high)
{
	return -lesser(-low, -lesser(high, v));
}

static double apply(const struct map *m, size_t i, double v)
{
	double a;

	switch ((int)m->id) {
	case PQ_FN_CLAMP: return m->b[i] < m->a[i] ? ABSENT : clamp(v, m->a[i], m->b[i]);
	case PQ_FN_CLAMP_MIN: return clamp(v, m->a[i], INFINITY);
	case PQ_FN_CLAMP_MAX: return clamp(v, -INFINITY, m->a[i]);
	default: break;
	}
	a = 1.0 / (m->a != NULL ? m->a[i] : 1); /* round: ties go up */
	return floor(v * a + 0.5) / a;
}

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct map *m = arg;
	bool any = false;

	for (size_t i = 0; i < m->g->n; i++) {
		if (is_absent(c->v[i]))
			continue;
		if (col_hist(c, i) != NULL)
			c->v[i] = ABSENT;
		else
			c->v[i] = m->fn != NULL ? m->fn(c->v[i]) : apply(m, i, c->v[i]);
		any |= !is_absent(c->v[i]);
	}
	c->h = NULL;
	c->drop_name = true;
	if (ev_work(m->ev, m->g->n, e) != 0)
		return -1;
	return any ? emit(m->out, c, e) : 0;
}

int fn_math_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct map m = {.ev = ev, .g = g, .id = x->u.call.func->id, .out = out};
	struct arena_mark mark = arena_mark(&ev->scratch);
	int rc;

	m.fn = functions[m.id];
	if (x->u.call.n > 1 && (m.a = eval_scalar_new(ev, ev_arg(x, 1), g, e)) == NULL)
		return -1;
	if (x->u.call.n > 2 && (m.b = eval_scalar_new(ev, ev_arg(x, 2), g, e)) == NULL)
		return -1;
	rc = eval_each(ev, ev_arg(x, 0), g, (struct sink){on_series, &m}, e);
	arena_release(&ev->scratch, mark);
	return rc;
}
