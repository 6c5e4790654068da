/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window - functions over range vectors, a series at a time: what the window_*.c files share.
 *
 * A series' samples are split into floats and histograms, each with the bounds of the window of
 * every step, found by one pass of two pointers. Windows are open at the left: (end - width, end].
 * Results that stay exact are carried from step to step (positions of resets and changes, extremes
 * by a monotonic queue, sums of integers); everything else looks at its window again, since
 * compensated sums depend on their order.
 */
#ifndef BELFRY_RULES_PROMQL_WINDOW_H
#define BELFRY_RULES_PROMQL_WINDOW_H

#include "rules/promql/eval.h"

/* Floats (v) or histograms (h) of one series, with window bounds [lo[i], hi[i]) per step. */
struct win_list {
	size_t n;
	const int64_t *t;
	const double *v;
	const struct hist *const *h;
	const int64_t *start; /* NULL: none */
	uint32_t *lo, *hi;
};

struct win {
	struct labels labels;
	struct win_list f, h;
};

struct win_ctx {
	struct ev *ev;
	const struct pq_expr *x;   /* the call */
	const struct pq_expr *arg; /* its range argument */
	enum pq_fn id;
	const struct grid *g;
	struct range range;
	double *param[2]; /* scalar arguments, a value a step */
	struct sink out;
	uint32_t *bounds[4]; /* memory of lo and hi */
	int64_t *from, *to;  /* samples of each step: after from, up to to */
	int64_t *times;      /* of the series before, whose bounds of floats still stand */
	size_t n_times, cap_times;
	int (*run)(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
	double *v; /* memory of the result */
};

/* Fill out->v (absent before) and out->h for every step. */
typedef int (*window_fn)(struct win_ctx *c, struct win *w, struct col *out, struct err *e);

int window_rate(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_irate(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_extended_rate(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_changes(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_ends(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_extremes(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_sums(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
int window_values(struct win_ctx *c, struct win *w, struct col *out, struct err *e);
/* Histogram sums and means of window i, used by window_sums. */
int window_hist_sum(struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e);
/* rate, increase, delta of the histograms of window i. */
int window_hist_rate(struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e);
int window_extended_hist(
	struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e);

static inline int64_t win_end(const struct win_ctx *c, size_t i)
{
	return moment_time(&c->range.when, c->g, i);
}
static inline int64_t win_start(const struct win_ctx *c, size_t i)
{
	return i64_sub_sat(win_end(c, i), c->range.width);
}
static inline bool win_is_counter(const struct win_ctx *c)
{
	return c->id == PQ_FN_RATE || c->id == PQ_FN_INCREASE || c->id == PQ_FN_IRATE;
}
static inline void win_say(struct win_ctx *c, const struct win *w, enum ev_said what)
{
	ev_say(c->ev, what, c->arg, ev_metric_name(w->labels));
}
/* Put a histogram into the result. */
int win_put_hist(struct win_ctx *c, struct col *out, size_t i, const struct hist *h,
	struct err *e) MUST_CHECK;

/* A counter was reset between two samples, by their start timestamps (0: none). */
bool win_start_reset(int64_t prev_start, int64_t prev_t, int64_t cur_start, int64_t cur_t);
/* A start timestamp contradicts the sample before. */
static inline bool win_start_overlap(int64_t prev_start, int64_t prev_t, int64_t cur_start)
{
	return cur_start != 0 && cur_start < prev_t && cur_start != prev_start;
}

/* How far the change over the sampled interval is extrapolated. */
struct win_span {
	int64_t start, end;      /* of the window */
	int64_t first_t, last_t; /* of the samples */
	size_t n;                /* samples in it */
	int64_t zero_t;          /* the counter's zero by start timestamp, if has_zero */
	bool has_zero;
	double to_zero; /* share of the sampled interval until the counter was 0; < 0: unknown */
};
double win_extrapolate(const struct win_span *s);
/* The two points' value at t; a counter that fell rises from 0. */
double win_interpolate(int64_t t1, double v1, int64_t t2, double v2, int64_t t, bool is_counter);

#endif
