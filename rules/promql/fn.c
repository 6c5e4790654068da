/* SPDX-License-Identifier: Apache-2.0 */
/* fn - which function is evaluated where, and the small ones: vector(), timestamp(); see eval.h. */
#include "base/assert.h"
#include "rules/promql/eval.h"

/* vector(s): one series without labels. */
static int fn_vector(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct col c = {.v = eval_scalar_new(ev, ev_arg(x, 0), g, e)};
	int rc = c.v != NULL ? emit(out, &c, e) : -1;

	arena_release(&ev->scratch, mark);
	return rc;
}

struct when_of {
	const struct grid *g;
	struct sink out;
};

/* Points of an expression have the evaluation time. */
static int on_timestamp(void *arg, struct col *c, struct err *e)
{
	struct when_of *w = arg;

	for (size_t i = 0; i < w->g->n; i++) {
		if (!is_absent(c->v[i]))
			c->v[i] = (double)grid_time(w->g, i) / 1000;
	}
	c->h = NULL;
	c->drop_name = true;
	return emit(w->out, c, e);
}

static int on_nothing(void *arg, struct col *c, struct err *e)
{
	(void)arg;
	(void)c;
	(void)e;
	return 0;
}

static int fn_timestamp(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e)
{
	const struct pq_expr *a = ev_arg(x, 0);
	struct when_of w = {g, out};

	if (a->kind == PQ_SELECTOR)
		return sel_each_as(ev, a, g, SEL_TIME, out, e);
	return eval_each(ev, a, g, (struct sink){on_timestamp, &w}, e);
}

/* Only samples have a start timestamp, computed points have none. */
static int fn_start_timestamp(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e)
{
	const struct pq_expr *a = ev_arg(x, 0);

	if (a->kind == PQ_SELECTOR)
		return sel_each_as(ev, a, g, SEL_START, out, e);
	return eval_each(ev, a, g, (struct sink){on_nothing, NULL}, e);
}

static const fn_each_fn functions[PQ_FN_COUNT] = {
	[PQ_FN_ABS] = fn_math_each,
	[PQ_FN_ABSENT] = fn_absent,
	[PQ_FN_ABSENT_OVER_TIME] = fn_absent_over_time,
	[PQ_FN_ACOS] = fn_math_each,
	[PQ_FN_ACOSH] = fn_math_each,
	[PQ_FN_ASIN] = fn_math_each,
	[PQ_FN_ASINH] = fn_math_each,
	[PQ_FN_ATAN] = fn_math_each,
	[PQ_FN_ATANH] = fn_math_each,
	[PQ_FN_CEIL] = fn_math_each,
	[PQ_FN_CLAMP] = fn_math_each,
	[PQ_FN_CLAMP_MAX] = fn_math_each,
	[PQ_FN_CLAMP_MIN] = fn_math_each,
	[PQ_FN_COS] = fn_math_each,
	[PQ_FN_COSH] = fn_math_each,
	[PQ_FN_DAY_OF_MONTH] = fn_time_each,
	[PQ_FN_DAY_OF_WEEK] = fn_time_each,
	[PQ_FN_DAY_OF_YEAR] = fn_time_each,
	[PQ_FN_DAYS_IN_MONTH] = fn_time_each,
	[PQ_FN_DEG] = fn_math_each,
	[PQ_FN_EXP] = fn_math_each,
	[PQ_FN_FLOOR] = fn_math_each,
	[PQ_FN_HISTOGRAM_AVG] = fn_hist_each,
	[PQ_FN_HISTOGRAM_COUNT] = fn_hist_each,
	[PQ_FN_HISTOGRAM_FRACTION] = fn_hist_quantile,
	[PQ_FN_HISTOGRAM_QUANTILE] = fn_hist_quantile,
	[PQ_FN_HISTOGRAM_QUANTILES] = fn_hist_quantile,
	[PQ_FN_HISTOGRAM_STDDEV] = fn_hist_each,
	[PQ_FN_HISTOGRAM_STDVAR] = fn_hist_each,
	[PQ_FN_HISTOGRAM_SUM] = fn_hist_each,
	[PQ_FN_HOUR] = fn_time_each,
	[PQ_FN_INFO] = fn_info_each,
	[PQ_FN_LABEL_JOIN] = fn_label_join,
	[PQ_FN_LABEL_REPLACE] = fn_label_replace,
	[PQ_FN_LN] = fn_math_each,
	[PQ_FN_LOG10] = fn_math_each,
	[PQ_FN_LOG2] = fn_math_each,
	[PQ_FN_MINUTE] = fn_time_each,
	[PQ_FN_MONTH] = fn_time_each,
	[PQ_FN_RAD] = fn_math_each,
	[PQ_FN_ROUND] = fn_math_each,
	[PQ_FN_SGN] = fn_math_each,
	[PQ_FN_SIN] = fn_math_each,
	[PQ_FN_SINH] = fn_math_each,
	[PQ_FN_SORT] = fn_sort_each,
	[PQ_FN_SORT_BY_LABEL] = fn_sort_each,
	[PQ_FN_SORT_BY_LABEL_DESC] = fn_sort_each,
	[PQ_FN_SORT_DESC] = fn_sort_each,
	[PQ_FN_SQRT] = fn_math_each,
	[PQ_FN_START_TIMESTAMP] = fn_start_timestamp,
	[PQ_FN_TAN] = fn_math_each,
	[PQ_FN_TANH] = fn_math_each,
	[PQ_FN_TIMESTAMP] = fn_timestamp,
	[PQ_FN_VECTOR] = fn_vector,
	[PQ_FN_YEAR] = fn_time_each,
};

int fn_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	fn_each_fn fn = functions[x->u.call.func->id];

	/* whatever is left takes a range vector */
	return fn != NULL ? fn(ev, x, g, out, e) : window_each(ev, x, g, out, e);
}
