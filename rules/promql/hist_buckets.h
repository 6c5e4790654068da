/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist_buckets - a native histogram as a plain list of buckets from lowest to highest, and what
 * is computed from it: quantiles, fractions, variance, cutting, printing. Interpolation rules are
 * those of the Prometheus documentation (querying/functions, "histogram_quantile"): exponential
 * within standard buckets, linear in the zero bucket and in custom ones. Pure.
 */
#ifndef BELFRY_RULES_PROMQL_HIST_BUCKETS_H
#define BELFRY_RULES_PROMQL_HIST_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/histogram.h"

struct hist_bucket {
	double lower, upper, count;
	bool lower_incl, upper_incl;
	bool zero; /* the zero bucket */
};

/* All buckets, empty ones too, lowest first; a bucket that the zero bucket covers in part begins
 * (or ends) at its threshold. NULL on refusal. */
struct hist_bucket *hist_buckets(struct arena *a, const struct hist *h, size_t *n);

/* What a caller should tell the user about observations of NaN in the histogram. */
enum hist_nan { HIST_NAN_NONE, HIST_NAN_RESULT, HIST_NAN_SKEW };

double hist_quantile(struct arena *scratch, double q, const struct hist *h, enum hist_nan *nan);
/* Share of observations in (lower, upper]. *nans is set when NaN observations were left out. */
double hist_fraction(
	struct arena *scratch, double lower, double upper, const struct hist *h, bool *nans);
double hist_variance(struct arena *scratch, const struct hist *h);
/* h </ at (upper) or h >/ at: the part below or above; count and sum are estimated anew when
 * anything was cut. NULL on refusal. */
const struct hist *hist_trim(struct arena *out, const struct hist *h, double at, bool upper);
/* As count_values shows it: {count:4, sum:10, [-1,-0.5):1, (1,2]:3}. */
void hist_print(struct arena *scratch, struct buf *b, const struct hist *h);

/* A classic histogram: cumulative counts by upper bound. */
struct classic_bucket {
	double upper;
	double count;
};

struct classic_fix {
	bool forced; /* counts had to be made monotonic */
	double min_bucket, max_bucket, max_diff;
};

/* Both sort and change the buckets in place. n > 0. */
double classic_quantile(double q, struct classic_bucket *b, size_t n, struct classic_fix *fix);
double classic_fraction(double lower, double upper, struct classic_bucket *b, size_t n);

/* The q-quantile of plain values, NaN counting as smallest; sorts in place. */
double values_quantile(double q, double *v, size_t n);

#endif
