/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_extended - rate, increase and delta of anchored and smoothed range selectors.
 *
 * Both look back beyond the window: anchored takes the last sample at or before its start as the
 * first one; smoothed interpolates the value at both edges between the samples around them. No
 * extrapolation then.
 */
#include <math.h>

#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

double win_interpolate(int64_t t1, double v1, int64_t t2, double v2, int64_t t, bool is_counter)
{
	if (is_counter && v2 < v1)
		v1 = 0;
	return v1 + (v2 - v1) * (double)(t - t1) / (double)(t2 - t1);
}

/* First and last sample that matter; false when there is none in the window. */
struct edges {
	uint32_t first, last;
	int64_t start, end;
};

static bool find_edges(const struct win_ctx *c, const struct win_list *l, size_t i, struct edges *x)
{
	uint32_t lo = l->lo[i], hi = l->hi[i];

	x->start = win_start(c, i);
	x->end = win_end(c, i);
	x->first = lo;
	while (x->first + 1 < hi && l->t[x->first + 1] <= x->start)
		x->first++;
	/* a last sample at or before the start stays the last, not the anchor */
	if (x->first > lo && x->first == hi - 1)
		x->first--;
	x->last = hi - 1;
	if (c->range.smoothed) {
		while (x->last > lo && l->t[x->last - 1] >= x->end)
			x->last--;
	}
	if (l->t[x->last] <= x->start)
		return false;
	return !c->range.smoothed || l->t[x->first] <= x->end;
}

static double float_change(const struct win_ctx *c, const struct win_list *l, struct edges x)
{
	bool counter = win_is_counter(c), smooth = c->range.smoothed;
	double left = l->v[x.first], right = l->v[x.last], change, prev;

	if (smooth && l->t[x.first] < x.start)
		left = win_interpolate(l->t[x.first], l->v[x.first], l->t[x.first + 1],
			l->v[x.first + 1], x.start, counter);
	if (smooth && l->t[x.last] > x.end) /* then there is one before */
		right = win_interpolate(l->t[x.last - 1], l->v[x.last - 1], l->t[x.last],
			l->v[x.last], x.end, counter);
	change = right - left;
	if (!counter)
		return change;
	prev = left;
	for (uint32_t k = x.first; k <= x.last; k++) {
		if (l->t[k] <= x.start || l->t[k] >= x.end)
			continue;
		if (l->v[k] < prev)
			change += prev;
		prev = l->v[k];
	}
	return right < prev ? change + prev : change;
}

/* --- histograms --- */

struct hedge {
	struct win_ctx *c;
	const struct win *w;
	struct hacc_notes add, sub;
};

/* The histogram at t between two samples. NULL: they do not go together (or no memory). */
static const struct hist *interpolate(struct hedge *x, uint32_t i, int64_t t, bool counter)
{
	const struct win_list *l = &x->w->h;
	struct arena *a = &x->c->ev->tmp;
	double share = (double)(t - l->t[i]) / (double)(l->t[i + 1] - l->t[i]);
	struct hacc acc;

	if (t == l->t[i] || t == l->t[i + 1])
		return t == l->t[i] ? l->h[i] : l->h[i + 1];
	hacc_init(&acc, a, l->h[i + 1]);
	if (counter && hacc_reset(a, l->h[i + 1], l->h[i])) {
		hacc_mul(&acc, share);
		return hacc_done(&acc, a);
	}
	if (!hacc_sub(&acc, l->h[i], &x->sub))
		return NULL;
	hacc_mul(&acc, share);
	if (!hacc_add(&acc, l->h[i], &x->add))
		return NULL;
	return hacc_done(&acc, a);
}

static bool check_schemas(struct hedge *x, struct edges d)
{
	const struct win_list *l = &x->w->h;

	for (uint32_t k = d.first; k <= d.last; k++) {
		if (hist_is_custom(l->h[k]) != hist_is_custom(l->h[d.first]))
			return false;
		if (win_is_counter(x->c) && l->h[k]->reset == HIST_RESET_GAUGE)
			win_say(x->c, x->w, SAID_NOT_COUNTER);
	}
	return true;
}

/* What resets between the two edges lost. */
static bool add_lost(struct hedge *x, struct edges d, const struct hist *left,
	const struct hist *right, struct hacc *acc)
{
	const struct win_list *l = &x->w->h;
	struct arena *a = &x->c->ev->tmp;
	uint32_t k = d.first + 1;
	const struct hist *prev = left;

	if (x->c->range.smoothed && l->t[d.first] < d.start &&
		hacc_reset(a, l->h[d.first + 1], l->h[d.first])) {
		prev = l->h[d.first + 1]; /* the interpolation at the left edge went over it */
		k++;
	}
	if (k > d.last)
		return true;
	for (; k < d.last; k++) {
		if (hacc_reset(a, l->h[k], prev) && !hacc_add(acc, prev, &x->add))
			return false;
		prev = l->h[k];
	}
	return !hacc_reset(a, right, prev) || hacc_add(acc, prev, &x->add);
}

static const struct hist *hist_change(struct hedge *x, struct edges d, double div)
{
	const struct win_list *l = &x->w->h;
	bool counter = win_is_counter(x->c), smooth = x->c->range.smoothed;
	const struct hist *left = l->h[d.first], *right = l->h[d.last];
	struct hacc acc;

	if (!check_schemas(x, d))
		return NULL;
	if (smooth && l->t[d.first] < d.start)
		left = interpolate(x, d.first, d.start, counter);
	if (smooth && l->t[d.last] > d.end)
		right = interpolate(x, d.last - 1, d.end, counter);
	if (left == NULL || right == NULL)
		return NULL;
	if (!counter && (left->reset != HIST_RESET_GAUGE || right->reset != HIST_RESET_GAUGE))
		win_say(x->c, x->w, SAID_NOT_GAUGE);
	hacc_init(&acc, &x->c->ev->tmp, right);
	if (!hacc_sub(&acc, left, &x->sub))
		return NULL;
	if (counter && !add_lost(x, d, left, right, &acc))
		return NULL;
	hacc_div(&acc, div);
	acc.reset = HIST_RESET_GAUGE;
	return hacc_done(&acc, &x->c->ev->scratch);
}

int window_extended_hist(struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e)
{
	struct hedge x = {.c = c, .w = w};
	const struct hist *h;
	struct edges d;

	if (!find_edges(c, &w->h, i, &d))
		return 0;
	h = hist_change(&x, d, c->id == PQ_FN_RATE ? (double)c->range.width / 1000 : 1);
	if (h == NULL) {
		if (ev_memory(c->ev, e) != 0)
			return -1;
		win_say(c, w, SAID_MIXED_SCHEMAS);
		return 0;
	}
	if (x.sub.reconciled)
		win_say(c, w, SAID_RECONCILED_SUB);
	if (x.add.reconciled)
		win_say(c, w, SAID_RECONCILED_ADD);
	return win_put_hist(c, out, i, h, e);
}

int window_extended_rate(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	for (size_t i = 0; i < c->g->n; i++) {
		bool floats = w->f.lo[i] < w->f.hi[i], hists = w->h.lo[i] < w->h.hi[i];
		struct edges x;

		if (floats && hists) {
			win_say(c, w, SAID_MIXED_FLOATS);
		} else if (floats && find_edges(c, &w->f, i, &x)) {
			out->v[i] = float_change(c, &w->f, x);
			if (c->id == PQ_FN_RATE)
				out->v[i] /= (double)c->range.width / 1000;
		} else if (hists && window_extended_hist(c, w, i, out, e) != 0) {
			return -1;
		}
		ev_tmp_done(c->ev);
	}
	return 0;
}
