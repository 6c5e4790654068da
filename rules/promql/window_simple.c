/* SPDX-License-Identifier: Apache-2.0 */
/* window_simple - what needs no arithmetic over the window: its first and last sample, how many
 * there are, changes and resets; see window.h. */
#include <math.h>

#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

/* First (or last) sample of the window, of whichever kind it is. */
static int end_sample(struct win_ctx *c, const struct win *w, size_t i, bool last, bool time,
	struct col *out, struct err *e)
{
	const struct win_list *f = &w->f, *h = &w->h;
	bool has_f = f->lo[i] < f->hi[i], has_h = h->lo[i] < h->hi[i];
	uint32_t fi = last ? f->hi[i] - 1 : f->lo[i], hi = last ? h->hi[i] - 1 : h->lo[i];
	bool is_float = has_f && (!has_h || (last ? h->t[hi] < f->t[fi] : f->t[fi] < h->t[hi]));

	if (time)
		out->v[i] = (double)(is_float ? f->t[fi] : h->t[hi]) / 1000;
	else if (is_float)
		out->v[i] = f->v[fi];
	else
		return win_put_hist(c, out, i, h->h[hi], e);
	return 0;
}

int window_ends(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	bool last = c->id == PQ_FN_LAST_OVER_TIME || c->id == PQ_FN_TS_OF_LAST_OVER_TIME;
	bool time = c->id == PQ_FN_TS_OF_FIRST_OVER_TIME || c->id == PQ_FN_TS_OF_LAST_OVER_TIME;

	for (size_t i = 0; i < c->g->n; i++) {
		uint32_t n = w->f.hi[i] - w->f.lo[i] + w->h.hi[i] - w->h.lo[i];

		if (n == 0)
			continue;
		if (c->id == PQ_FN_COUNT_OVER_TIME)
			out->v[i] = n;
		else if (c->id == PQ_FN_PRESENT_OVER_TIME || c->id == PQ_FN_ABSENT_OVER_TIME)
			out->v[i] = 1;
		else if (end_sample(c, w, i, last, time, out, e) != 0)
			return -1;
	}
	return 0;
}

/* --- changes and resets --- */

/* The samples of a series in time order, and how many changes (or resets) there were up to each. */
struct steps {
	size_t n;
	int64_t *t;
	uint32_t *sum; /* sum[k]: events between neighbours up to sample k */
	bool *is_hist;
};

static bool float_event(const struct win_ctx *c, const struct win_list *f, size_t a, size_t b)
{
	if (c->id == PQ_FN_CHANGES)
		return f->v[b] != f->v[a] && !(isnan(f->v[a]) && isnan(f->v[b]));
	return f->v[b] < f->v[a] ||
	       (f->start != NULL && win_start_reset(f->start[a], f->t[a], f->start[b], f->t[b]));
}

static bool hist_event(struct win_ctx *c, const struct win_list *h, size_t a, size_t b)
{
	struct arena *scratch = &c->ev->tmp;

	if (c->id == PQ_FN_CHANGES)
		return !hacc_same(scratch, h->h[a], h->h[b]);
	if (h->start != NULL && win_start_reset(h->start[a], h->t[a], h->start[b], h->t[b]))
		return true;
	return hacc_reset(scratch, h->h[b], h->h[a]);
}

static int count_events(struct win_ctx *c, const struct win *w, struct steps *s, struct err *e)
{
	size_t fi = 0, hi = 0;

	s->n = w->f.n + w->h.n;
	s->t = ARENA_ARRAY(&c->ev->scratch, s->n, int64_t);
	s->sum = ARENA_ARRAY(&c->ev->scratch, s->n, uint32_t);
	s->is_hist = ARENA_ARRAY(&c->ev->scratch, s->n, bool);
	if (ev_memory(c->ev, e) != 0)
		return -1;
	for (size_t k = 0; k < s->n; k++) {
		bool event = true;

		s->is_hist[k] = fi == w->f.n || (hi < w->h.n && w->h.t[hi] < w->f.t[fi]);
		s->t[k] = s->is_hist[k] ? w->h.t[hi++] : w->f.t[fi++];
		if (k == 0)
			continue;
		if (s->is_hist[k] == s->is_hist[k - 1])
			event = s->is_hist[k] ? hist_event(c, &w->h, hi - 2, hi - 1)
					      : float_event(c, &w->f, fi - 2, fi - 1);
		s->sum[k] = s->sum[k - 1] + event;
	}
	ev_tmp_done(c->ev);
	return 0;
}

int window_changes(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	int64_t before = c->range.anchored ? c->ev->p->lookback_ms : 0;
	size_t lo = 0, hi = 0;
	struct steps s;

	if (count_events(c, w, &s, e) != 0)
		return -1;
	for (size_t i = 0; i < c->g->n; i++) {
		int64_t start = win_start(c, i), end = win_end(c, i);
		size_t from;

		while (hi < s.n && s.t[hi] <= end)
			hi++;
		while (lo < s.n && s.t[lo] <= start)
			lo++;
		if (lo >= hi)
			continue; /* nothing after the start */
		from = lo;
		if (c->range.anchored && lo > 0 && s.t[lo - 1] > i64_sub_sat(start, before))
			from = lo - 1;
		out->v[i] = (double)(s.sum[hi - 1] - s.sum[from]);
	}
	return 0;
}
