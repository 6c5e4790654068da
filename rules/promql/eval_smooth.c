/* SPDX-License-Identifier: Apache-2.0 */
/* eval_smooth - `metric smoothed`: an instant vector interpolated between the samples before and
 * after each step, within the lookback on either side; see eval.h. */
#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

struct smooth {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	struct moment when;
	struct sink out;
	double *v;
};

/* Samples around one step. */
struct around {
	size_t lo, hi; /* within lookback on either side */
	size_t at;     /* the first one at or after the step; hi: none */
	int64_t t;
};

static bool is_hist(const struct raw *r, size_t i)
{
	return r->h != NULL && r->h[i] != NULL;
}

static int hist_point(struct smooth *s, const struct raw *r, struct around k, size_t i,
	struct col *c, struct err *e)
{
	const struct hist *prev = r->h[k.at - 1], *next = k.at < k.hi ? r->h[k.at] : NULL;
	struct hacc_notes notes = {0};
	struct arena *tmp = &s->ev->tmp;
	bool counter, ok = true;
	struct hacc acc;

	if (next == NULL) {
		hacc_init(&acc, tmp, prev);
		acc.reset = HIST_RESET_UNKNOWN;
	} else {
		double share =
			(double)(k.t - r->t[k.at - 1]) / (double)(r->t[k.at] - r->t[k.at - 1]);

		counter = prev->reset != HIST_RESET_GAUGE || next->reset != HIST_RESET_GAUGE;
		hacc_init(&acc, tmp, next);
		if (counter && hacc_reset(tmp, next, prev)) {
			ok = hist_is_custom(next) == hist_is_custom(prev);
			hacc_mul(&acc, share);
		} else {
			ok = hacc_sub(&acc, prev, &notes);
			hacc_mul(&acc, share);
			ok = ok && hacc_add(&acc, prev, &notes);
		}
	}
	if (!ok) {
		ev_say(s->ev, SAID_MIXED_SCHEMAS, s->x, ev_metric_name(r->labels));
		return 0;
	}
	if (notes.reconciled)
		ev_say(s->ev, SAID_RECONCILED_SUB, s->x, STR_NULL);
	if (!col_need_hists(&s->ev->scratch, c, s->g))
		return ev_memory(s->ev, e);
	c->h[i] = hacc_done(&acc, &s->ev->scratch);
	c->v[i] = 0;
	return ev_memory(s->ev, e);
}

static int point(struct smooth *s, const struct raw *r, struct around k, size_t i, struct col *c,
	struct err *e)
{
	bool floats = false, hists = false;

	for (size_t j = k.lo; j < k.hi; j++) {
		hists |= is_hist(r, j);
		floats |= !is_hist(r, j);
	}
	if (floats && hists) {
		ev_say(s->ev, SAID_MIXED_FLOATS, s->x, ev_metric_name(r->labels));
		return 0;
	}
	if (k.at < k.hi && r->t[k.at] == k.t) {
		c->v[i] = hists ? 0 : r->v[k.at];
		if (!hists)
			return 0;
		if (!col_need_hists(&s->ev->scratch, c, s->g))
			return ev_memory(s->ev, e);
		c->h[i] = r->h[k.at];
		return 0;
	}
	if (k.at == k.lo)
		return 0; /* nothing before */
	if (hists)
		return hist_point(s, r, k, i, c, e);
	c->v[i] = k.at == k.hi ? r->v[k.at - 1]
			       : win_interpolate(r->t[k.at - 1], r->v[k.at - 1], r->t[k.at],
					 r->v[k.at], k.t, false);
	return 0;
}

static int on_series(void *arg, struct raw *r, struct err *e)
{
	struct smooth *s = arg;
	struct col c = {.labels = r->labels, .v = s->v};
	int64_t lookback = s->ev->p->lookback_ms;
	struct around k = {0};

	col_clear(&c, s->g);
	for (size_t i = 0; i < s->g->n; i++) {
		k.t = moment_time(&s->when, s->g, i);
		while (k.lo < r->n && r->t[k.lo] <= i64_sub_sat(k.t, lookback))
			k.lo++;
		while (k.hi < r->n && r->t[k.hi] <= i64_add_sat(k.t, lookback))
			k.hi++;
		if (k.at < k.lo)
			k.at = k.lo;
		while (k.at < k.hi && r->t[k.at] < k.t)
			k.at++;
		if (k.lo < k.hi && point(s, r, k, i, &c, e) != 0)
			return -1;
		ev_tmp_done(s->ev);
	}
	return col_any(&c, s->g) ? emit(s->out, &c, e) : 0;
}

int smooth_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_selector *sel = &x->u.selector;
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct smooth s = {.ev = ev, .x = x, .g = g, .out = out};
	int64_t lookback = ev->p->lookback_ms;
	int rc = -1;

	s.v = ARENA_ARRAY(&ev->scratch, g->n, double);
	if (ev_memory(ev, e) == 0 && ev_moment(ev, &sel->when, &s.when, e) == 0)
		rc = sel_each_raw(ev, sel->m, sel->n,
			i64_add_sat(i64_sub_sat(moment_time(&s.when, g, 0), lookback), 1),
			i64_add_sat(moment_time(&s.when, g, g->n - 1), lookback), on_series, &s, e);
	arena_release(&ev->scratch, mark);
	return rc;
}
