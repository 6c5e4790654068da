/* SPDX-License-Identifier: Apache-2.0 */
/* eval_selector - series of a selector: raw, or as instant vectors with lookback; see eval.h. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "rules/promql/eval.h"
#include "rules/promql/hacc.h"

/* Sets stay open to the end of the query, since labels are theirs. */
struct ev_open {
	struct ev_open *next;
	struct select_set *set;
};

void sel_close_all(struct ev *ev)
{
	for (struct ev_open *o = ev->open; o != NULL; o = o->next)
		ev->src->close(o->set);
	ev->open = NULL;
}

int ev_duration(struct ev *ev, int64_t fixed_ms, const struct pq_dur *d, bool negative, int64_t *ms,
	struct err *e)
{
	int64_t range = i64_sub_sat(ev->p->end_ms, ev->p->start_ms);

	*ms = fixed_ms;
	if (d == NULL)
		return 0;
	return pq_dur_eval(d, range != 0 ? ev->p->step_ms : 0, range, negative, ms, e);
}

int ev_moment(struct ev *ev, const struct pq_when *w, struct moment *m, struct err *e)
{
	*m = (struct moment){.fixed = w->at != PQ_AT_NONE};
	switch (w->at) {
	case PQ_AT_NONE: break;
	case PQ_AT_TIME: m->at = w->at_ms; break;
	case PQ_AT_START: m->at = ev->p->start_ms; break;
	case PQ_AT_END: m->at = ev->p->end_ms; break;
	}
	return ev_duration(ev, w->offset_ms, w->offset_expr, true, &m->offset, e);
}

static int sel_open(struct ev *ev, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct select_set **set, struct err *e)
{
	struct ev_open *o = ARENA_NEW(ev->a, struct ev_open);

	if (o == NULL)
		return ev_memory(ev, e);
	if (ev->src->open(ev->src->ctx, m, n, mint, maxt, ev->a, set, e) != 0)
		return -1;
	o->set = *set;
	o->next = ev->open;
	ev->open = o;
	return ev_memory(ev, e);
}

static bool is_stale(const struct raw *r, size_t i)
{
	if (r->h != NULL && r->h[i] != NULL)
		return is_stale_nan(r->h[i]->sum);
	return is_stale_nan(r->v[i]);
}

/* Histograms without buckets, but each with an answer whether its counter was reset: what rates
 * of counts and sums need, computed once a sample. */
static int strip_buckets(struct ev *ev, struct raw *r, struct err *e)
{
	const struct hist **h = ARENA_ARRAY(&ev->scratch, r->n, const struct hist *), *prev = NULL;
	struct hist *stat = ARENA_ARRAY(&ev->scratch, r->n, struct hist);

	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		const struct hist *x = r->h[i];

		if (x == NULL)
			continue;
		h[i] = &stat[i];
		stat[i] = (struct hist){
			.schema = x->schema, .reset = x->reset, .count = x->count, .sum = x->sum};
		if (is_stale(r, i))
			continue;
		if (x->reset == HIST_RESET_UNKNOWN && prev != NULL)
			stat[i].reset =
				hacc_reset(&ev->tmp, x, prev) ? HIST_RESET_YES : HIST_RESET_NO;
		prev = x;
	}
	ev_tmp_done(ev);
	r->h = h;
	return ev_memory(ev, e);
}

int sel_each_stored(struct ev *ev, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	raw_fn fn, void *arg, struct err *e)
{
	bool stats = ev->stats_wanted > 0 && ev->buckets_wanted == 0;
	struct select_set *set = NULL;
	size_t count;

	if (stats) /* the sample at the open end tells whether the next one is a reset */
		mint = i64_sub_sat(mint, 1);
	if (sel_open(ev, m, n, mint, maxt, &set, e) != 0)
		return -1;
	count = ev->src->count(set);
	if (ev->p->costs != NULL)
		cost_of(ev)->selected += count;
	for (size_t i = 0; i < count; i++) {
		struct select_cols c = {0};
		struct arena_mark mark;
		struct raw r;
		int rc;

		if (ev->src->fetch(set, i, mint, maxt, &c, e) != 0 || ev_samples(ev, c.n, e) != 0)
			return -1;
		if (c.n == 0)
			continue;
		r = (struct raw){.labels = ev->src->labels(set, i),
			.n = c.n,
			.t = c.t,
			.v = c.v,
			.h = c.h,
			.start = c.start};
		mark = arena_mark(&ev->scratch);
		rc = stats && r.h != NULL ? strip_buckets(ev, &r, e) : 0;
		if (rc == 0)
			rc = fn(arg, &r, e);
		arena_release(&ev->scratch, mark);
		if (rc != 0)
			return -1;
	}
	return 0;
}

struct fresh {
	struct ev *ev;
	raw_fn fn;
	void *arg;
};

/* Two at a time and without a way out. */
static bool any_nan(const double *v, size_t n)
{
	int64_t __attribute__((vector_size(16))) any = {0, 0};
	size_t i = 0;

	for (; i + 2 <= n; i += 2) {
		double __attribute__((vector_size(16))) x;

		memcpy(&x, v + i, sizeof x);
		any |= x != x; /* NOLINT(misc-redundant-expression): true for NaN */
	}
	return (any[0] | any[1]) != 0 || (i < n && isnan(v[i]));
}

static bool any_stale(const struct raw *r)
{
	if (r->h == NULL && !any_nan(r->v, r->n))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		if (is_stale(r, i))
			return true;
	}
	return false;
}

/* The usual series holds no markers and is passed on as it is. */
static int on_stored(void *arg, struct raw *r, struct err *e)
{
	struct fresh *f = arg;
	struct arena *a = &f->ev->scratch;
	size_t n = 0;
	int64_t *t, *start;
	double *v;
	const struct hist **h;

	if (!any_stale(r))
		return f->fn(f->arg, r, e);
	t = ARENA_ARRAY(a, r->n, int64_t);
	v = ARENA_ARRAY(a, r->n, double);
	h = r->h != NULL ? ARENA_ARRAY(a, r->n, const struct hist *) : NULL;
	start = r->start != NULL ? ARENA_ARRAY(a, r->n, int64_t) : NULL;
	if (ev_memory(f->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		if (is_stale(r, i))
			continue;
		t[n] = r->t[i];
		v[n] = r->v[i];
		if (h != NULL)
			h[n] = r->h[i];
		if (start != NULL)
			start[n] = r->start[i];
		n++;
	}
	if (n == 0)
		return 0;
	r->n = n;
	r->t = t;
	r->v = v;
	r->h = h;
	r->start = start;
	return f->fn(f->arg, r, e);
}

int sel_each_raw(struct ev *ev, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	raw_fn fn, void *arg, struct err *e)
{
	struct fresh f = {ev, fn, arg};

	return sel_each_stored(ev, m, n, mint, maxt, on_stored, &f, e);
}

/* --- instant vectors --- */

struct instant {
	struct ev *ev;
	const struct grid *g;
	const struct moment *when;
	enum sel_value what;
	struct col col;
	struct sink out;
};

static double value_of(const struct raw *r, size_t i, enum sel_value what)
{
	switch (what) {
	case SEL_TIME:
	case SEL_FLOAT_TIME: return (double)r->t[i] / 1000;
	case SEL_START: return r->start != NULL ? (double)r->start[i] / 1000 : 0;
	case SEL_VALUE: break;
	}
	return r->h != NULL && r->h[i] != NULL ? 0 : r->v[i];
}

static int on_instant(void *arg, struct raw *r, struct err *e)
{
	struct instant *s = arg;
	int64_t lookback = s->ev->p->lookback_ms;
	struct col c = s->col;
	bool any = false;
	size_t next = 0;

	c.labels = r->labels;
	c.drop_name = s->what != SEL_VALUE;
	for (size_t i = 0; i < s->g->n; i++) {
		int64_t at = moment_time(s->when, s->g, i);

		c.v[i] = ABSENT;
		while (next < r->n && r->t[next] <= at)
			next++;
		if (next == 0 || r->t[next - 1] <= i64_sub_sat(at, lookback) ||
			is_stale(r, next - 1))
			continue;
		if (s->what == SEL_FLOAT_TIME && r->h != NULL && r->h[next - 1] != NULL)
			return err_set(e, ERR_INPUT, 0, "info: an info series holds histograms");
		any = true;
		c.v[i] = value_of(r, next - 1, s->what);
		if (s->what != SEL_VALUE || r->h == NULL || r->h[next - 1] == NULL)
			continue;
		if (!col_need_hists(&s->ev->scratch, &c, s->g))
			return ev_memory(s->ev, e);
		c.h[i] = r->h[next - 1];
	}
	if (ev_work(s->ev, s->g->n, e) != 0)
		return -1;
	return any ? emit(s->out, &c, e) : 0;
}

int sel_each_at(struct ev *ev, const struct matcher *m, size_t n, const struct moment *when,
	const struct grid *g, enum sel_value what, struct sink out, struct err *e)
{
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct instant s = {ev, g, when, what, {.v = ARENA_ARRAY(&ev->scratch, g->n, double)}, out};
	int64_t first = moment_time(when, g, 0), last = moment_time(when, g, g->n - 1);
	int rc;

	if (ev_memory(ev, e) != 0)
		return -1;
	rc = sel_each_stored(ev, m, n, i64_add_sat(i64_sub_sat(first, ev->p->lookback_ms), 1), last,
		on_instant, &s, e);
	arena_release(&ev->scratch, mark);
	return rc;
}

int sel_each_as(struct ev *ev, const struct pq_expr *x, const struct grid *g, enum sel_value what,
	struct sink out, struct err *e)
{
	const struct pq_selector *s = &x->u.selector;
	struct moment when;

	ASSERT(x->kind == PQ_SELECTOR);
	if (ev_moment(ev, &s->when, &when, e) != 0)
		return -1;
	return sel_each_at(ev, s->m, s->n, &when, g, what, out, e);
}

int sel_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_selector *s = &x->u.selector;

	if (s->anchored)
		return err_set(e, ERR_INPUT, 0, "anchored goes with range selectors only");
	if (s->smoothed)
		return smooth_each(ev, x, g, out, e);
	return sel_each_as(ev, x, g, SEL_VALUE, out, e);
}
