/* SPDX-License-Identifier: Apache-2.0 */
/* eval_range - range vectors: samples of a selector over a window, or points of an expression at
 * the aligned steps of a subquery; see eval.h. */
#include "base/assert.h"
#include "rules/promql/eval.h"

int range_init(struct ev *ev, const struct pq_expr *x, struct range *r, struct err *e)
{
	const struct pq_selector *s;

	*r = (struct range){.x = x};
	if (x->kind == PQ_SUBQUERY) {
		if (ev_moment(ev, &x->u.subquery.when, &r->when, e) != 0)
			return -1;
		return ev_duration(
			ev, x->u.subquery.range_ms, x->u.subquery.range_expr, false, &r->width, e);
	}
	ASSERT(x->kind == PQ_RANGE);
	s = &x->u.range.of->u.selector;
	r->anchored = s->anchored;
	r->smoothed = s->smoothed;
	if (ev_moment(ev, &s->when, &r->when, e) != 0)
		return -1;
	return ev_duration(ev, x->u.range.range_ms, x->u.range.range_expr, false, &r->width, e);
}

/* --- subqueries --- */

struct points {
	struct ev *ev;
	struct grid g;
	raw_fn fn;
	void *arg;
};

/* A reset hint speaks of the sample before; which one that was a subquery cannot say. */
static const struct hist *forget_reset(struct ev *ev, const struct hist *h)
{
	struct hist *c;

	if (h->reset != HIST_RESET_YES && h->reset != HIST_RESET_NO)
		return h;
	c = ARENA_NEW(&ev->scratch, struct hist);
	if (c == NULL)
		return NULL;
	*c = *h;
	c->reset = HIST_RESET_UNKNOWN;
	return c;
}

static int on_points(void *arg, struct col *c, struct err *e)
{
	struct points *p = arg;
	struct arena *a = &p->ev->scratch;
	int64_t *t = ARENA_ARRAY(a, p->g.n, int64_t);
	const struct hist **h = c->h != NULL ? ARENA_ARRAY(a, p->g.n, const struct hist *) : NULL;
	struct raw r = {.labels = c->labels, .drop_name = c->drop_name};

	if (ev_memory(p->ev, e) != 0 || ev_work(p->ev, p->g.n, e) != 0)
		return -1;
	for (size_t i = 0; i < p->g.n; i++) {
		const struct hist *x = col_hist(c, i);

		if (is_absent(c->v[i]))
			continue;
		t[r.n] = grid_time(&p->g, i);
		c->v[r.n] = c->v[i];
		if (x != NULL && (x = forget_reset(p->ev, x)) == NULL)
			return ev_memory(p->ev, e);
		if (h != NULL)
			h[r.n] = x;
		r.n++;
	}
	if (r.n == 0)
		return 0;
	if (ev_samples(p->ev, r.n, e) != 0)
		return -1;
	r.t = t;
	r.v = c->v;
	r.h = h;
	return p->fn(p->arg, &r, e);
}

/* The multiples of the step within (first - width, last]. */
static int sub_grid(
	struct ev *ev, const struct range *r, const struct grid *g, struct grid *sub, struct err *e)
{
	int64_t first = i64_sub_sat(moment_time(&r->when, g, 0), r->width);
	int64_t last = moment_time(&r->when, g, g->n - 1), step, count;

	if (ev_duration(
		    ev, r->x->u.subquery.step_ms, r->x->u.subquery.step_expr, false, &step, e) != 0)
		return -1;
	if (step == 0)
		step = ev->p->interval_ms > 0 ? ev->p->interval_ms : 60000;
	sub->step = step;
	if (i64_add(i64_floor_div(first, step), 1, &count) || i64_mul(count, step, &sub->start))
		return err_set(e, ERR_INPUT, 0, "subquery leaves the range of time");
	sub->n = 0;
	if (sub->start <= last)
		sub->n = (size_t)((uint64_t)(last - sub->start) / (uint64_t)step) + 1;
	return 0;
}

static int subquery_each(struct ev *ev, const struct range *r, const struct grid *g, raw_fn fn,
	void *arg, struct err *e)
{
	struct points p = {.ev = ev, .fn = fn, .arg = arg};
	int rc;

	if (sub_grid(ev, r, g, &p.g, e) != 0)
		return -1;
	if (p.g.n == 0)
		return 0;
	ev->buckets_wanted++; /* to find resets between points that are not neighbours */
	rc = eval_each(ev, r->x->u.subquery.of, &p.g, (struct sink){on_points, &p}, e);
	ev->buckets_wanted--;
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int samples_each(struct ev *ev, const struct range *r, const struct grid *g, raw_fn fn,
	void *arg, struct err *e)
{
	const struct pq_selector *s;
	int64_t mint, maxt;

	if (r->x->kind == PQ_SUBQUERY)
		return subquery_each(ev, r, g, fn, arg, e);
	s = &r->x->u.range.of->u.selector;
	mint = i64_add_sat(i64_sub_sat(moment_time(&r->when, g, 0), r->width), 1);
	maxt = moment_time(&r->when, g, g->n - 1);
	if (r->anchored || r->smoothed)
		mint = i64_sub_sat(mint, ev->p->lookback_ms);
	if (r->smoothed)
		maxt = i64_add_sat(maxt, ev->p->lookback_ms);
	return sel_each_raw(ev, s->m, s->n, mint, maxt, fn, arg, e);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
int range_each(struct ev *ev, const struct range *r, const struct grid *g, raw_fn fn, void *arg,
	struct err *e)
{
	struct cost_tap tap = {.ev = ev, .fn = fn, .arg = arg};
	int rc;

	if (ev->p->costs == NULL)
		return samples_each(ev, r, g, fn, arg, e);
	tap.above = cost_turn(ev, r->x);
	rc = samples_each(ev, r, g, cost_raw, &tap, e);
	(void)cost_turn(ev, tap.above);
	return rc;
}
