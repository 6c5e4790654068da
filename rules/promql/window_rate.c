/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_rate - rate, increase, delta with extrapolation; irate, idelta; see window.h.
 *
 * The extrapolation rule is documented by Prometheus (querying/functions, "rate"): up to the
 * window's edges when samples come close enough to them, else by half the average distance, and
 * never below a counter's zero.
 */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

bool win_start_reset(int64_t prev_start, int64_t prev_t, int64_t cur_start, int64_t cur_t)
{
	if (cur_start == 0 || cur_start >= cur_t || cur_start < prev_t)
		return false;
	if (cur_start > prev_t)
		return true;
	/* cur starts where prev was taken: deltas, unless the start of prev is unknown */
	return prev_start <= prev_t && prev_start != 0 && prev_start != prev_t;
}

double win_extrapolate(const struct win_span *s)
{
	double to_start = (double)(s->first_t - s->start) / 1000;
	double to_end = (double)(s->end - s->last_t) / 1000;
	double sampled = (double)(s->last_t - s->first_t) / 1000;
	double average = s->n > 1 ? sampled / (double)(s->n - 1) : 0;
	double threshold = average * 1.1;

	if (s->has_zero) {
		to_start = 0;
		sampled = (double)(s->last_t - s->zero_t) / 1000;
	} else {
		if (to_start >= threshold)
			to_start = average / 2;
		if (s->to_zero >= 0 && sampled * s->to_zero < to_start)
			to_start = sampled * s->to_zero;
	}
	if (to_end >= threshold)
		to_end = average / 2;
	return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
}

#define PAIR __attribute__((vector_size(16)))

/* Some value is lower than the one before: two at a time and without a way out. */
static bool any_lower(const double *v, size_t n)
{
	int64_t PAIR any = {0, 0};
	size_t i = 1;

	for (; i + 2 <= n; i += 2) {
		double PAIR a, b;

		memcpy(&a, v + i - 1, sizeof a);
		memcpy(&b, v + i, sizeof b);
		any |= b < a;
	}
	return (any[0] | any[1]) != 0 || (i < n && v[i] < v[i - 1]);
}

static bool is_reset(const struct win_list *l, size_t i)
{
	return l->v[i] < l->v[i - 1] ||
	       (l->start != NULL &&
		       win_start_reset(l->start[i - 1], l->t[i - 1], l->start[i], l->t[i]));
}

/* Positions whose sample is lower than the one before, or restarted by its start timestamp. Most
 * series have none. */
static uint32_t *find_resets(struct win_ctx *c, const struct win *w, size_t *n)
{
	const struct win_list *l = &w->f;
	uint32_t *at;

	*n = 0;
	if (l->start == NULL && !any_lower(l->v, l->n))
		return NULL;
	at = ARENA_ARRAY(&c->ev->scratch, l->n, uint32_t);
	for (size_t i = 1; at != NULL && i < l->n; i++) {
		if (is_reset(l, i))
			at[(*n)++] = (uint32_t)i;
	}
	return at;
}

static bool has_overlap(const struct win_list *l, uint32_t lo, uint32_t hi)
{
	for (uint32_t i = lo + 1; l->start != NULL && i < hi; i++) {
		if (win_start_overlap(l->start[i - 1], l->t[i - 1], l->start[i]))
			return true;
	}
	return false;
}

/* The counter's zero lies inside the window by its first sample's start timestamp. */
static bool zero_inside(const struct win_ctx *c, const struct win_list *l, size_t i, int64_t *at)
{
	uint32_t lo = l->lo[i];

	if (!win_is_counter(c) || l->start == NULL || l->start[lo] == 0)
		return false;
	*at = l->start[lo];
	return *at > win_start(c, i) && *at < l->t[lo];
}

struct resets {
	const uint32_t *at;
	size_t n, from; /* from: the first one the present window may hold */
};

static void float_rate(
	struct win_ctx *c, const struct win *w, size_t i, struct resets *rs, struct col *out)
{
	const struct win_list *l = &w->f;
	uint32_t lo = l->lo[i], hi = l->hi[i];
	struct win_span s = {.start = win_start(c, i),
		.end = win_end(c, i),
		.first_t = l->t[lo],
		.last_t = l->t[hi - 1],
		.n = hi - lo,
		.to_zero = -1};
	double change = l->v[hi - 1] - l->v[lo], factor;

	s.has_zero = zero_inside(c, l, i, &s.zero_t);
	if (s.n < 2 && !s.has_zero)
		return;
	if (win_is_counter(c)) {
		if (l->start != NULL && has_overlap(l, lo, hi))
			win_say(c, w, SAID_START_OVERLAP);
		while (rs->from < rs->n && rs->at[rs->from] <= lo)
			rs->from++;
		for (size_t k = rs->from; k < rs->n && rs->at[k] < hi; k++)
			change += l->v[rs->at[k] - 1];
		if (s.has_zero)
			change += l->v[lo];
		else if (change > 0 && l->v[lo] >= 0)
			s.to_zero = l->v[lo] / change;
	}
	factor = win_extrapolate(&s);
	if (c->id == PQ_FN_RATE)
		factor /= (double)c->range.width / 1000;
	out->v[i] = change * factor;
}

/* What a window's times alone decide: the same for one window after the other where samples and
 * steps are regular. Numbers and their order are those of win_extrapolate. */
struct times {
	int64_t before_ms, after_ms, sampled_ms;
	uint32_t n;
	bool rate;    /* by second, of: */
	double width; /* of the window; seconds, as all that follow */
	double to_start, to_end, sampled;
	double factor; /* unless the counter's zero is nearer than to_start */
};

static double times_factor(const struct times *s, double to_start)
{
	double factor = s->sampled != 0 ? (s->sampled + to_start + s->to_end) / s->sampled : 1;

	return s->rate ? factor / s->width : factor;
}

static void times_set(struct times *s, int64_t before_ms, int64_t after_ms, int64_t sampled_ms)
{
	double average, threshold;

	s->before_ms = before_ms;
	s->after_ms = after_ms;
	s->sampled_ms = sampled_ms;
	s->to_start = (double)before_ms / 1000;
	s->to_end = (double)after_ms / 1000;
	s->sampled = (double)sampled_ms / 1000;
	average = s->sampled / (double)(s->n - 1);
	threshold = average * 1.1;
	if (s->to_start >= threshold)
		s->to_start = average / 2;
	if (s->to_end >= threshold)
		s->to_end = average / 2;
	s->factor = times_factor(s, s->to_start);
}

/* A counter's change over the window, and the factor where its zero lies near. At twice the change
 * or more it is farther away than to_start, which is at most 1.1 of the sampled time. */
static double counter_change(const struct win_list *l, size_t i, struct resets *rs,
	const struct times *s, double *factor)
{
	uint32_t lo = l->lo[i], hi = l->hi[i];
	double v = l->v[lo], change = l->v[hi - 1] - v;

	while (rs->from < rs->n && rs->at[rs->from] <= lo)
		rs->from++;
	for (size_t k = rs->from; k < rs->n && rs->at[k] < hi; k++)
		change += l->v[rs->at[k] - 1];
	if (change > 0 && v >= 0 && v < 2 * change) {
		double to_zero = s->sampled * (v / change);

		if (to_zero < s->to_start)
			*factor = times_factor(s, to_zero);
	}
	return change;
}

/* float_rate of all windows of a series without start timestamps. */
static void plain_rates(struct win_ctx *c, const struct win_list *l, struct resets *rs, double *out)
{
	struct times s = {.rate = c->id == PQ_FN_RATE, .width = (double)c->range.width / 1000};
	bool counter = win_is_counter(c);

	for (size_t i = 0; i < c->g->n; i++) {
		uint32_t lo = l->lo[i], hi = l->hi[i];
		int64_t first, last;
		double factor;

		if (hi - lo < 2)
			continue;
		first = l->t[lo];
		last = l->t[hi - 1];
		if (first - c->from[i] != s.before_ms || c->to[i] - last != s.after_ms ||
			last - first != s.sampled_ms || hi - lo != s.n) {
			s.n = hi - lo;
			times_set(&s, first - c->from[i], c->to[i] - last, last - first);
		}
		factor = s.factor;
		if (counter)
			out[i] = counter_change(l, i, rs, &s, &factor);
		else
			out[i] = l->v[hi - 1] - l->v[lo];
		out[i] *= factor;
	}
}

int window_rate(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	struct resets rs = {0};

	if (win_is_counter(c))
		rs.at = find_resets(c, w, &rs.n);
	if (ev_memory(c->ev, e) != 0)
		return -1;
	if (w->h.n == 0 && w->f.n > 0 && w->f.start == NULL) {
		plain_rates(c, &w->f, &rs, out->v);
		return 0;
	}
	for (size_t i = 0; i < c->g->n; i++) {
		bool floats = w->f.lo[i] < w->f.hi[i], hists = w->h.lo[i] < w->h.hi[i];

		if (floats && hists)
			win_say(c, w, SAID_MIXED_FLOATS);
		else if (floats)
			float_rate(c, w, i, &rs, out);
		else if (hists && (window_hist_rate(c, w, i, out, e) != 0 ||
					  ev_work(c->ev, 8u * (w->h.hi[i] - w->h.lo[i]), e) != 0))
			return -1;
		ev_tmp_done(c->ev);
	}
	return 0;
}

/* --- irate and idelta: the last two samples of whatever kind --- */

struct last {
	int64_t t, start;
	double v;
	const struct hist *h;
};

/* The k-th last sample of the window (0: the last), floats and histograms together. */
static bool last_sample(const struct win *w, size_t i, size_t k, struct last *s)
{
	uint32_t f = w->f.hi[i], h = w->h.hi[i];

	for (;;) {
		bool has_f = f > w->f.lo[i], has_h = h > w->h.lo[i];
		bool is_float = has_f && (!has_h || w->f.t[f - 1] > w->h.t[h - 1]);

		if (!has_f && !has_h)
			return false;
		if (is_float)
			f--;
		else
			h--;
		if (k-- > 0)
			continue;
		if (is_float)
			*s = (struct last){
				w->f.t[f], w->f.start != NULL ? w->f.start[f] : 0, w->f.v[f], NULL};
		else
			*s = (struct last){
				w->h.t[h], w->h.start != NULL ? w->h.start[h] : 0, 0, w->h.h[h]};
		return true;
	}
}

static int hist_irate(struct win_ctx *c, struct win *w, size_t i, const struct last *a,
	const struct last *b, struct col *out, struct err *e)
{
	struct arena *tmp = &c->ev->tmp;
	bool counter = win_is_counter(c);
	bool gauges, gauge;
	struct hacc_notes notes = {0};
	struct hacc acc;

	ASSERT(a->h != NULL);
	ASSERT(b->h != NULL);
	gauges = a->h->reset == HIST_RESET_GAUGE && b->h->reset == HIST_RESET_GAUGE;
	gauge = a->h->reset == HIST_RESET_GAUGE || b->h->reset == HIST_RESET_GAUGE;
	if (counter ? gauge : !gauges)
		win_say(c, w, counter ? SAID_NOT_COUNTER : SAID_NOT_GAUGE);
	hacc_init(&acc, tmp, b->h);
	if (!counter || (!win_start_reset(a->start, a->t, b->start, b->t) &&
				!hacc_reset(tmp, b->h, a->h))) {
		if (!hacc_sub(&acc, a->h, &notes)) {
			win_say(c, w, SAID_MIXED_SCHEMAS);
			return 0;
		}
		if (notes.reconciled)
			win_say(c, w, SAID_RECONCILED_SUB);
	}
	if (counter)
		hacc_div(&acc, (double)(b->t - a->t) / 1000);
	acc.reset = HIST_RESET_GAUGE;
	return win_put_hist(c, out, i, hacc_done(&acc, &c->ev->scratch), e);
}

int window_irate(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	for (size_t i = 0; i < c->g->n; i++) {
		struct last a, b;

		if (!last_sample(w, i, 1, &a) || !last_sample(w, i, 0, &b) || a.t == b.t)
			continue;
		if ((a.h == NULL) != (b.h == NULL)) {
			win_say(c, w, SAID_MIXED_FLOATS);
		} else if (a.h != NULL) {
			if (hist_irate(c, w, i, &a, &b, out, e) != 0)
				return -1;
			ev_tmp_done(c->ev);
		} else if (!win_is_counter(c)) {
			out->v[i] = b.v - a.v;
		} else {
			bool reset = b.v < a.v || win_start_reset(a.start, a.t, b.start, b.t);

			out->v[i] = (reset ? b.v : b.v - a.v) / ((double)(b.t - a.t) / 1000);
		}
	}
	return 0;
}
