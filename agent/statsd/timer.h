/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - a cumulative native histogram that observations are added to.
 *
 * Schema 3 (eight buckets a power of two, 9 % wide) until more than LIMIT_STATSD_BUCKETS are
 * populated, then half the resolution for good (buckets in pairs are one). Sparse: only
 * populated buckets take memory. One owner, the reader thread.
 */
#ifndef BELFRY_AGENT_STATSD_TIMER_H
#define BELFRY_AGENT_STATSD_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/histogram.h"

#define TIMER_SCHEMA 3
/* Values this near to 0 count as 0: 2^-128, as Prometheus's own clients have it. */
#define TIMER_ZERO_THRESHOLD 2.938735877055719e-39

/* Buckets of one sign, index ascending. */
struct timer_side {
	int16_t *index; /* cap of them; under the timer's schema */
	double *count;
	uint16_t n, cap;
};

struct timer {
	struct timer_side pos, neg;
	double zero, count, sum;
	int16_t schema;
	bool fractional; /* some observation weighed a fraction: counts are floats */
};

void timer_init(struct timer *t);
void timer_fini(struct timer *t);
/* v is finite, weight > 0. */
void timer_add(struct timer *t, double v, double weight);
/* Add what a stored histogram holds. False when it is of no kind that a timer can go on from. */
bool timer_merge(struct timer *t, const struct hist *h);
/* As a value for a batch; arrays in `a`, NULL when that is full. */
const struct hist *timer_hist(const struct timer *t, struct arena *a);
size_t timer_bytes(const struct timer *t);
/* The bucket of |v| > 0 under TIMER_SCHEMA: hist_index, without a logarithm. */
int16_t timer_index(double v);

#endif
