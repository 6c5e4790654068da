/* SPDX-License-Identifier: Apache-2.0 */
/* window_values - functions that look at every float of a window: quantiles, deviation, linear
 * regression, smoothing; see window.h. Histograms are left out of them. */
#include <math.h>
#include <string.h>

#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"
#include "rules/promql/window.h"

struct floats {
	const int64_t *t;
	const double *v;
	size_t n;
	double *copy; /* room for as many */
};

static double variance(const struct floats *f)
{
	double count = 0, mean = 0, mean_c = 0, aux = 0, aux_c = 0;

	for (size_t i = 0; i < f->n; i++) {
		double delta = f->v[i] - (mean + mean_c);

		count++;
		kahan_add(delta / count, &mean, &mean_c);
		kahan_add(delta * (f->v[i] - (mean + mean_c)), &aux, &aux_c);
	}
	return (aux + aux_c) / count;
}

/* Median of the distances from the median. */
static double median_deviation(const struct floats *f)
{
	double median;

	memcpy(f->copy, f->v, f->n * sizeof *f->copy);
	for (size_t i = 0; i < f->n; i++) {
		if (isnan(f->v[i]))
			return normal_nan();
	}
	median = values_quantile(0.5, f->copy, f->n);
	for (size_t i = 0; i < f->n; i++)
		f->copy[i] = fabs(f->copy[i] - median);
	return values_quantile(0.5, f->copy, f->n);
}

static double quantile(const struct floats *f, double q)
{
	memcpy(f->copy, f->v, f->n * sizeof *f->copy);
	return values_quantile(q, f->copy, f->n);
}

/* Least squares; x in seconds from `origin`. */
static void regression(const struct floats *f, int64_t origin, double *slope, double *intercept)
{
	double n = (double)f->n, x = 0, xc = 0, y = 0, yc = 0, xy = 0, xyc = 0, x2 = 0, x2c = 0;
	bool constant = true;

	for (size_t i = 0; i < f->n; i++) {
		double at = (double)(f->t[i] - origin) / 1e3;

		constant &= i == 0 || f->v[i] == f->v[0];
		kahan_add(at, &x, &xc);
		kahan_add(f->v[i], &y, &yc);
		kahan_add(at * f->v[i], &xy, &xyc);
		kahan_add(at * at, &x2, &x2c);
	}
	if (constant) {
		*slope = isinf(f->v[0]) ? normal_nan() : 0;
		*intercept = isinf(f->v[0]) ? normal_nan() : f->v[0];
		return;
	}
	x += xc;
	y += yc;
	xy += xyc;
	x2 += x2c;
	*slope = (xy - x * y / n) / (x2 - x * x / n);
	*intercept = y / n - *slope * x / n;
}

/* Holt's linear method: level and trend. */
static double smooth(const struct floats *f, double sf, double tf)
{
	double before = 0, level = f->v[0], trend = f->v[1] - f->v[0];

	for (size_t i = 1; i < f->n; i++) {
		double next;

		if (i > 1)
			trend = tf * (level - before) + (1 - tf) * trend;
		next = sf * f->v[i] + (1 - sf) * (level + trend);
		before = level;
		level = next;
	}
	return level;
}

static int check_factor(double v, const char *name, struct err *e)
{
	if (!(v <= 0 || v >= 1)) /* NaN is no error */
		return 0;
	return err_set(
		e, ERR_INPUT, 0, "invalid %s factor: expected between 0 and 1, got %g", name, v);
}

static size_t fewest(enum pq_fn id)
{
	return id == PQ_FN_DERIV || id == PQ_FN_PREDICT_LINEAR ||
			       id == PQ_FN_DOUBLE_EXPONENTIAL_SMOOTHING
		       ? 2
		       : 1;
}

static void one(struct win_ctx *c, const struct floats *f, size_t i, double *v)
{
	double slope, intercept;

	switch ((int)c->id) {
	case PQ_FN_STDVAR_OVER_TIME: *v = variance(f); break;
	case PQ_FN_STDDEV_OVER_TIME: *v = sqrt(variance(f)); break;
	case PQ_FN_MAD_OVER_TIME: *v = median_deviation(f); break;
	case PQ_FN_QUANTILE_OVER_TIME:
		if (!(c->param[0][i] >= 0 && c->param[0][i] <= 1))
			ev_say_quantile(c->ev, c->param[0][i], ev_arg(c->x, 0));
		*v = quantile(f, c->param[0][i]);
		break;
	case PQ_FN_DERIV:
		regression(f, f->t[0], &slope, &intercept);
		*v = slope;
		break;
	case PQ_FN_PREDICT_LINEAR:
		regression(f, grid_time(c->g, i), &slope, &intercept);
		*v = slope * c->param[0][i] + intercept;
		break;
	default: *v = smooth(f, c->param[0][i], c->param[1][i]); break;
	}
}

/* Factors out of range are refused even where there are too few samples to smooth. */
static int check_factors(const struct win_ctx *c, size_t i, struct err *e)
{
	if (c->id != PQ_FN_DOUBLE_EXPONENTIAL_SMOOTHING)
		return 0;
	if (check_factor(c->param[0][i], "smoothing", e) != 0)
		return -1;
	return check_factor(c->param[1][i], "trend", e);
}

int window_values(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	struct floats f = {.copy = ARENA_ARRAY(&c->ev->scratch, w->f.n, double)};

	if (ev_memory(c->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < c->g->n; i++) {
		f.n = w->f.hi[i] - w->f.lo[i];
		f.t = w->f.t + w->f.lo[i];
		f.v = w->f.v + w->f.lo[i];
		if (f.n > 0 && w->h.lo[i] < w->h.hi[i])
			win_say(c, w, SAID_IGNORED_IN_RANGE);
		if ((f.n > 0 || w->h.lo[i] < w->h.hi[i]) && check_factors(c, i, e) != 0)
			return -1;
		if (f.n == 0 || f.n < fewest(c->id))
			continue;
		one(c, &f, i, &out->v[i]);
		if (ev_work(c->ev, f.n, e) != 0)
			return -1;
	}
	return 0;
}
