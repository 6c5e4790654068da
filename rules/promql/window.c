/* SPDX-License-Identifier: Apache-2.0 */
/* window - drives the functions over range vectors: which function, its parameters, the window
 * bounds of every step; see window.h. */
#include "rules/promql/window.h"

#include <string.h>

#include "base/assert.h"

static const struct {
	window_fn fn;
	bool keeps_name;
} functions[PQ_FN_COUNT] = {
	[PQ_FN_RATE] = {window_rate, false},
	[PQ_FN_INCREASE] = {window_rate, false},
	[PQ_FN_DELTA] = {window_rate, false},
	[PQ_FN_IRATE] = {window_irate, false},
	[PQ_FN_IDELTA] = {window_irate, false},
	[PQ_FN_CHANGES] = {window_changes, false},
	[PQ_FN_RESETS] = {window_changes, false},
	[PQ_FN_COUNT_OVER_TIME] = {window_ends, false},
	[PQ_FN_PRESENT_OVER_TIME] = {window_ends, false},
	[PQ_FN_ABSENT_OVER_TIME] = {window_ends, false},
	[PQ_FN_FIRST_OVER_TIME] = {window_ends, true},
	[PQ_FN_LAST_OVER_TIME] = {window_ends, true},
	[PQ_FN_TS_OF_FIRST_OVER_TIME] = {window_ends, false},
	[PQ_FN_TS_OF_LAST_OVER_TIME] = {window_ends, false},
	[PQ_FN_MIN_OVER_TIME] = {window_extremes, false},
	[PQ_FN_MAX_OVER_TIME] = {window_extremes, false},
	[PQ_FN_TS_OF_MIN_OVER_TIME] = {window_extremes, false},
	[PQ_FN_TS_OF_MAX_OVER_TIME] = {window_extremes, false},
	[PQ_FN_SUM_OVER_TIME] = {window_sums, false},
	[PQ_FN_AVG_OVER_TIME] = {window_sums, false},
	[PQ_FN_STDDEV_OVER_TIME] = {window_values, false},
	[PQ_FN_STDVAR_OVER_TIME] = {window_values, false},
	[PQ_FN_QUANTILE_OVER_TIME] = {window_values, false},
	[PQ_FN_MAD_OVER_TIME] = {window_values, false},
	[PQ_FN_DERIV] = {window_values, false},
	[PQ_FN_PREDICT_LINEAR] = {window_values, false},
	[PQ_FN_DOUBLE_EXPONENTIAL_SMOOTHING] = {window_values, false},
};

int win_put_hist(struct win_ctx *c, struct col *out, size_t i, const struct hist *h, struct err *e)
{
	if (h == NULL || !col_need_hists(&c->ev->scratch, out, c->g))
		return ev_memory(c->ev, e);
	out->h[i] = h;
	out->v[i] = 0;
	return 0;
}

/* What each step looks at; the same for all series. */
static void find_edges(struct win_ctx *c)
{
	int64_t before = c->range.anchored || c->range.smoothed ? c->ev->p->lookback_ms : 0;
	int64_t after = c->range.smoothed ? c->ev->p->lookback_ms : 0;

	for (size_t i = 0; i < c->g->n; i++) {
		c->from[i] = i64_sub_sat(win_start(c, i), before);
		c->to[i] = i64_add_sat(win_end(c, i), after);
	}
}

/* The first sample after `x`, at or behind `at`. Samples and steps are mostly regular: a pointer
 * moves as far as it did at the last step, which two looks confirm. */
static inline uint32_t move(const int64_t *t, uint32_t n, uint32_t at, uint32_t guess, int64_t x)
{
	if (guess > 0 && guess <= n - at && t[at + guess - 1] <= x)
		at += guess;
	while (at < n && t[at] <= x)
		at++;
	return at;
}

/* Windows only move forward, so each bound is one pointer that does too. */
static void find_bound(const struct win_list *l, const int64_t *after, size_t steps, uint32_t *out)
{
	uint32_t n = (uint32_t)l->n, at = 0, by = 0;

	for (size_t i = 0; i < steps; i++) {
		uint32_t was = at;

		at = move(l->t, n, at, by, after[i]);
		by = at - was;
		out[i] = at;
	}
}

static void find_bounds(const struct win_ctx *c, struct win_list *l)
{
	if (l->n == 0) {
		memset(l->lo, 0, c->g->n * sizeof *l->lo);
		memset(l->hi, 0, c->g->n * sizeof *l->hi);
		return;
	}
	find_bound(l, c->from, c->g->n, l->lo);
	find_bound(l, c->to, c->g->n, l->hi);
}

#define TIMES_MAX                                                                                  \
	16384u /* of longer series the times are not kept: memory lasts as the query does */

/* The series of one target mostly have the same times. */
static bool has_times_before(struct win_ctx *c, const struct win_list *l)
{
	if (l->n > 0 && l->n == c->n_times && memcmp(l->t, c->times, l->n * sizeof *l->t) == 0)
		return true;
	c->n_times = 0;
	if (l->n == 0 || l->n > TIMES_MAX)
		return false;
	if (l->n > c->cap_times) {
		c->cap_times = MIN_OF(2 * l->n, TIMES_MAX);
		c->times = ARENA_ARRAY(c->ev->a, c->cap_times, int64_t);
	}
	if (c->times == NULL)
		return false;
	memcpy(c->times, l->t, l->n * sizeof *l->t);
	c->n_times = l->n;
	return false;
}

/* Floats and histograms of a series that has both. */
static int split(struct win_ctx *c, const struct raw *r, struct win *w, struct err *e)
{
	struct arena *a = &c->ev->scratch;
	int64_t *t = ARENA_ARRAY(a, r->n, int64_t), *ht = ARENA_ARRAY(a, r->n, int64_t);
	int64_t *st = ARENA_ARRAY(a, r->n, int64_t), *hst = ARENA_ARRAY(a, r->n, int64_t);
	double *v = ARENA_ARRAY(a, r->n, double);
	const struct hist **h = ARENA_ARRAY(a, r->n, const struct hist *);

	if (ev_memory(c->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		if (r->h[i] != NULL) {
			hst[w->h.n] = r->start != NULL ? r->start[i] : 0;
			ht[w->h.n] = r->t[i];
			h[w->h.n++] = r->h[i];
		} else {
			st[w->f.n] = r->start != NULL ? r->start[i] : 0;
			t[w->f.n] = r->t[i];
			v[w->f.n++] = r->v[i];
		}
	}
	w->f.t = t;
	w->f.v = v;
	w->h.t = ht;
	w->h.h = h;
	if (r->start != NULL) {
		w->f.start = st;
		w->h.start = hst;
	}
	return 0;
}

static bool ends_as_counter(struct str name)
{
	return str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) ||
	       str_ends(name, STR("_count")) || str_ends(name, STR("_bucket"));
}

static void check_counter_name(struct win_ctx *c, const struct col *out)
{
	struct str name;

	if (c->id != PQ_FN_RATE && c->id != PQ_FN_INCREASE)
		return;
	name = ev_metric_name(out->labels);
	if (name.n == 0 || ends_as_counter(name))
		return;
	for (size_t i = 0; i < c->g->n; i++) {
		if (!is_absent(out->v[i]) && col_hist(out, i) == NULL) {
			ev_say(c->ev, SAID_NON_COUNTER, c->arg, name);
			return;
		}
	}
}

static int on_series(void *arg, struct raw *r, struct err *e)
{
	struct win_ctx *c = arg;
	struct win w = {.labels = r->labels};
	struct col out = {.labels = r->labels, .v = c->v};

	if (r->n > UINT32_MAX)
		return err_set(e, ERR_LIMIT, 0, "a series of more than 4 billion samples");
	if (r->h != NULL) {
		if (split(c, r, &w, e) != 0)
			return -1;
	} else {
		w.f = (struct win_list){.n = r->n, .t = r->t, .v = r->v, .start = r->start};
	}
	w.f.lo = c->bounds[0];
	w.f.hi = c->bounds[1];
	w.h.lo = c->bounds[2];
	w.h.hi = c->bounds[3];
	if (!has_times_before(c, &w.f))
		find_bounds(c, &w.f);
	find_bounds(c, &w.h);
	out.drop_name = r->drop_name || !functions[c->id].keeps_name;
	col_clear(&out, c->g);
	if (ev_work(c->ev, c->g->n, e) != 0 || c->run(c, &w, &out, e) != 0)
		return -1;
	if (!col_any(&out, c->g))
		return 0;
	check_counter_name(c, &out);
	return emit(c->out, &out, e);
}

static int check_modifier(const struct win_ctx *c, struct err *e)
{
	bool rate = c->id == PQ_FN_RATE || c->id == PQ_FN_INCREASE || c->id == PQ_FN_DELTA;

	if (c->range.anchored && !rate && c->id != PQ_FN_CHANGES && c->id != PQ_FN_RESETS)
		return err_set(e, ERR_INPUT, 0,
			"anchored modifier can only be used with: changes, delta, increase, rate, "
			"resets - not with %s",
			c->x->u.call.func->name);
	if (c->range.smoothed && !rate)
		return err_set(e, ERR_INPUT, 0,
			"smoothed modifier can only be used with: delta, increase, rate - not "
			"with %s",
			c->x->u.call.func->name);
	return 0;
}

static int init_args(struct win_ctx *c, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < c->x->u.call.n; i++) {
		const struct pq_expr *a = ev_arg(c->x, i);

		if (a->type == PQ_MATRIX) {
			c->arg = a;
			continue;
		}
		ASSERT(n < ARRAY_LEN(c->param));
		c->param[n] = eval_scalar_new(c->ev, a, c->g, e);
		if (c->param[n++] == NULL)
			return -1;
	}
	ASSERT(c->arg != NULL);
	return range_init(c->ev, c->arg, &c->range, e);
}

int window_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct win_ctx c = {.ev = ev, .x = x, .id = x->u.call.func->id, .g = g, .out = out};
	struct arena_mark mark = arena_mark(&ev->scratch);
	int rc = -1;

	c.run = functions[c.id].fn;
	ASSERT(c.run != NULL);
	if (init_args(&c, e) != 0 || check_modifier(&c, e) != 0)
		return -1;
	if ((c.range.anchored || c.range.smoothed) && c.run == window_rate)
		c.run = window_extended_rate;
	c.v = ARENA_ARRAY(&ev->scratch, g->n, double);
	for (size_t i = 0; i < ARRAY_LEN(c.bounds); i++)
		c.bounds[i] = ARENA_ARRAY(&ev->scratch, g->n, uint32_t);
	c.from = ARENA_ARRAY(&ev->scratch, g->n, int64_t);
	c.to = ARENA_ARRAY(&ev->scratch, g->n, int64_t);
	if (ev_memory(ev, e) == 0) {
		find_edges(&c);
		rc = range_each(ev, &c.range, g, on_series, &c, e);
	}
	arena_release(&ev->scratch, mark);
	return rc;
}
