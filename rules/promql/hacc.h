/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hacc - a native histogram one computes with: bucket lists instead of spans.
 *
 * Each side is a sorted list of (index, count, compensation); sums may be compensated after
 * Kahan-Neumaier, as sum() and avg() of Prometheus are. Rules of combining two histograms (schema
 * of the coarser one, the wider zero bucket, the intersection of custom bounds, reset hints) are
 * those of the Prometheus native histogram specification. Memory comes from the arena given to
 * hacc_init and is never freed; a refusal shows in arena->failed, results are then meaningless.
 */
#ifndef BELFRY_RULES_PROMQL_HACC_H
#define BELFRY_RULES_PROMQL_HACC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/histogram.h"

struct hacc_side {
	int32_t *idx;
	double *cnt;
	double *comp; /* compensations, one a bucket */
	uint32_t n, cap;
};

struct hacc {
	struct arena *a;
	int32_t schema;
	uint8_t reset;   /* enum hist_reset */
	bool keep_empty; /* buckets too, where upstream does not drop them; 0 after hacc_init */
	double zero_threshold;
	double zero_count, zero_comp;
	double count, count_comp;
	double sum, sum_comp;
	struct hacc_side pos, neg;
	const double *custom;
	uint32_t n_custom;
};

/* What happened while combining; bits are only ever set. */
struct hacc_notes {
	bool collision;  /* reset met "no reset" */
	bool reconciled; /* custom bounds differed and were cut to their intersection */
};

static inline bool hist_is_custom(const struct hist *h)
{
	return h->schema == HIST_SCHEMA_CUSTOM;
}

/* One compensated addition (Kahan-Neumaier); the compensation is void once the sum is infinite. */
static inline void kahan_add(double x, double *sum, double *comp)
{
	double s = *sum, t = s + x;

	if (t > 1.7976931348623157e308 || t < -1.7976931348623157e308)
		*comp = 0;
	else if ((s < 0 ? -s : s) >= (x < 0 ? -x : x))
		*comp += (s - t) + x;
	else
		*comp += (x - t) + s;
	*sum = t;
}

/* Take a histogram in; compensations are 0. */
void hacc_init(struct hacc *acc, struct arena *a, const struct hist *h);
void hacc_copy(struct hacc *dst, struct arena *a, const struct hacc *src);

/* acc += sign * h / div. With `kahan` the compensations are kept. False (and nothing changed)
 * when one has custom buckets and the other has not. */
struct hacc_term {
	const struct hist *h;
	double sign; /* 1 or -1 */
	double div;  /* 1: as it is */
	bool kahan;
};
bool hacc_combine(struct hacc *acc, struct hacc_term t, struct hacc_notes *notes);
bool hacc_add(struct hacc *acc, const struct hist *h, struct hacc_notes *notes);
bool hacc_sub(struct hacc *acc, const struct hist *h, struct hacc_notes *notes);

/* Scale everything, compensations too. A negative factor makes it a gauge; a division by 0
 * leaves no buckets. */
void hacc_mul(struct hacc *acc, double factor);
void hacc_div(struct hacc *acc, double divisor);
/* Lower the resolution to `schema` (<= its own, both standard). */
void hacc_coarsen(struct hacc *acc, int32_t schema);
/* Largest magnitude of any part: tells whether the next sum can overflow. */
double hacc_max_abs(const struct hacc *acc);
double hacc_max_abs_hist(const struct hist *h);
/* Any part is infinite. */
bool hacc_overflowed(const struct hacc *acc);
/* Fold the compensations in, drop empty buckets (unless keep_empty), build spans: a value in `out`.
 * NULL on refusal. */
const struct hist *hacc_done(struct hacc *acc, struct arena *out);

/* A compensated sum or mean of histograms. The mean is the sum divided at the end, unless the sum
 * would overflow: then it goes on as a running mean. Begin with a zeroed struct. */
struct hsum {
	struct hacc acc;
	double count;
	bool incremental;         /* acc holds the mean */
	bool reset_yes, reset_no; /* hints seen */
	struct hacc_notes notes;
};
/* False: exponential and custom buckets do not go together. */
bool hsum_add(struct hsum *s, struct arena *a, const struct hist *h, bool mean);
const struct hist *hsum_done(struct hsum *s, struct arena *out, bool mean);

/* Bucket index of a standard schema after going from `from` to the coarser `to`. */
static inline int32_t hacc_target_index(int32_t idx, int32_t from, int32_t to)
{
	return (int32_t)((((int64_t)idx - 1) >> (from - to)) + 1);
}

/* A merged view of one side of h at schema `to` (its own for custom buckets). */
void hacc_side_of(struct hacc_side *out, struct arena *a, const struct hist_side *s, int32_t from,
	int32_t to);
/* Upper bound of a bucket as Prometheus shows it: the last finite one is DBL_MAX. */
double hacc_bound(const struct hist *h, int64_t idx);
double hacc_bound_exp(int64_t idx, int32_t schema);

/* Counter reset between two samples, prev before cur: an explicit hint of cur decides; otherwise
 * any count that fell, a populated bucket that vanished, a finer schema, a narrower zero bucket. */
bool hacc_reset(struct arena *scratch, const struct hist *cur, const struct hist *prev);
/* The same data: schema, counts, bounds and populated buckets (not the reset hint). */
bool hacc_same(struct arena *scratch, const struct hist *a, const struct hist *b);

/* The zero count h would have with a wider zero bucket; *threshold moves up to the end of a
 * populated bucket it falls into. `comp` takes part when not NULL. */
double hacc_wider_zero(const struct hacc *acc, double *threshold, double *comp);

#endif
