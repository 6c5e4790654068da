/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_sums - sum_over_time and avg_over_time.
 *
 * Compensated sums depend on the order of additions, so that a window is added up anew at each
 * step, except where that cannot matter: sums of integers below 2^53 are exact in any order and
 * come from a running sum.
 */
#include <math.h>

#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

#define EXACT_MAX 4503599627370496.0 /* 2^52: sums of two stay exact */

static double sum_of(const double *v, size_t n)
{
	double sum = 0, comp = 0;

	for (size_t i = 0; i < n; i++)
		kahan_add(v[i], &sum, &comp);
	return isinf(sum) ? sum : sum + comp;
}

#define LANES 4u

/* Sums of LANES windows of n values at once: additions of one sum wait for each other, those of
 * several do not. False when one is infinite or NaN. */
static bool sums_of(const double *const *v, size_t n, double *out, double *out_comp)
{
	double sum[LANES] = {0}, comp[LANES] = {0};
	bool finite = true;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < LANES; k++) {
			double x = v[k][i], s = sum[k], t = s + x;
			double big = fabs(s) >= fabs(x) ? s : x, small = fabs(s) >= fabs(x) ? x : s;

			comp[k] += (big - t) + small;
			sum[k] = t;
		}
	}
	for (size_t k = 0; k < LANES; k++) {
		out[k] = sum[k];
		out_comp[k] = comp[k];
		finite &= isfinite(sum[k]) && isfinite(comp[k]);
	}
	return finite;
}

/* Windows i .. i + LANES of equal length, if they are. */
static bool lanes(const struct win *w, size_t i, size_t steps, bool mean, double *out)
{
	const double *v[LANES];
	double sum[LANES], comp[LANES];
	uint32_t n = w->f.hi[i] - w->f.lo[i];

	if (i + LANES > steps || n < 8)
		return false;
	for (size_t k = 0; k < LANES; k++) {
		if (w->f.hi[i + k] - w->f.lo[i + k] != n)
			return false;
		v[k] = w->f.v + w->f.lo[i + k];
	}
	if (!sums_of(v, n, sum, comp))
		return false;
	for (size_t k = 0; k < LANES; k++)
		out[i + k] = mean ? sum[k] / n + comp[k] / n : sum[k] + comp[k];
	return true;
}

/* The mean as a quotient of the sum; incremental from where the sum would overflow. */
static double mean_of(const double *v, size_t n)
{
	double sum = v[0], comp = 0, mean = 0, count = 1;
	bool incremental = false;

	for (size_t i = 1; i < n; i++) {
		double q;

		count = (double)(i + 1);
		if (!incremental) {
			double s = sum, k = comp;

			kahan_add(v[i], &s, &k);
			if (!isinf(s)) {
				sum = s;
				comp = k;
				continue;
			}
			incremental = true;
			mean = sum / (count - 1);
			comp /= count - 1;
		}
		q = (count - 1) / count;
		mean *= q;
		comp *= q;
		kahan_add(v[i] / count, &mean, &comp);
	}
	return incremental ? mean + comp : sum / count + comp / count;
}

/* Running sums when all values are integers and no sum leaves 2^52; else NULL. */
static double *running_sums(struct win_ctx *c, const struct win_list *f)
{
	double total = 0, *sums;

	if (c->g->n < 2)
		return NULL;
	for (size_t i = 0; i < f->n; i++) {
		total += fabs(f->v[i]);
		if (!(total < EXACT_MAX) || f->v[i] != floor(f->v[i]))
			return NULL;
	}
	sums = ARENA_ARRAY(&c->ev->scratch, f->n + 1, double);
	for (size_t i = 0; sums != NULL && i < f->n; i++)
		sums[i + 1] = sums[i] + f->v[i];
	return sums;
}

int window_sums(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	const double *sums = running_sums(c, &w->f);
	bool mean = c->id == PQ_FN_AVG_OVER_TIME;

	if (ev_memory(c->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < c->g->n; i++) {
		uint32_t lo = w->f.lo[i], n = w->f.hi[i] - lo;
		bool hists = w->h.lo[i] < w->h.hi[i];

		if (n > 0 && hists) {
			win_say(c, w, SAID_MIXED_FLOATS);
		} else if (hists) {
			if (window_hist_sum(c, w, i, out, e) != 0 ||
				ev_work(c->ev, 8u * (w->h.hi[i] - w->h.lo[i]), e) != 0)
				return -1;
			ev_tmp_done(c->ev);
		} else if (n > 0 && sums != NULL) {
			double sum = sums[lo + n] - sums[lo];

			out->v[i] = mean ? sum / n : sum;
		} else if (n > 0 && w->h.n == 0 && lanes(w, i, c->g->n, mean, out->v)) {
			i += LANES - 1;
		} else if (n > 0) {
			out->v[i] = mean ? mean_of(w->f.v + lo, n) : sum_of(w->f.v + lo, n);
			if (ev_work(c->ev, n, e) != 0)
				return -1;
		}
	}
	return 0;
}
