/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - aggregation into a sparse native histogram; see timer.h.
 *
 * Invariants (timer_check in the tests): indexes ascend strictly within a side, counts are > 0,
 * populated buckets of both sides together stay within LIMIT_STATSD_BUCKETS, or the schema is
 * the coarsest.
 */
#include "agent/statsd/timer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"

#define SCHEMA_FINEST TIMER_SCHEMA
#define FIRST_CAP     8u

/* 2^(-1 + k/8): the upper bounds of the buckets within [0.5, 1), as hist_bound has them. */
static const double bounds[8] = {0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
	0.7071067811865475, 0.7711054127039704, 0.8408964152537144, 0.9170040432046711};

void timer_init(struct timer *t)
{
	*t = (struct timer){.schema = TIMER_SCHEMA};
}

static void side_fini(struct timer_side *s)
{
	free(s->index);
	free(s->count);
	*s = (struct timer_side){0};
}

void timer_fini(struct timer *t)
{
	side_fini(&t->pos);
	side_fini(&t->neg);
}

int16_t timer_index(double v)
{
	uint64_t bits = f64_bits(v);
	int exp = (int)((bits >> 52) & 0x7ff) - 1022;
	double frac;
	int above = 0;

	if (exp == -1022) /* subnormal */
		frac = frexp(v, &exp);
	else
		frac = f64_from_bits(
			(bits & UINT64_C(0x800fffffffffffff)) | UINT64_C(0x3fe0000000000000));
	for (int k = 0; k < 8; k++)
		above += frac > bounds[k];
	return (int16_t)((exp - 1) * 8 + above);
}

/* Bucket i of the next coarser schema holds 2i-1 and 2i of this one. */
static int16_t coarser(int16_t index, int steps)
{
	return (int16_t)((index + (1 << steps) - 1) >> steps);
}

static void side_grow(struct timer_side *s)
{
	uint16_t cap = s->cap == 0 ? FIRST_CAP : (uint16_t)(s->cap * 2);

	s->index = reallocarray(s->index, cap, sizeof *s->index);
	s->count = reallocarray(s->count, cap, sizeof *s->count);
	ASSERT(s->index != NULL);
	ASSERT(s->count != NULL);
	s->cap = cap;
}

/* True when a bucket was made. */
static bool side_add(struct timer_side *s, int16_t index, double weight)
{
	size_t lo = 0, n = s->n;

	while (n > 0) { /* first bucket with an index >= ours */
		size_t half = n / 2;

		if (s->index[lo + half] < index) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (lo < s->n && s->index[lo] == index) {
		s->count[lo] += weight;
		return false;
	}
	if (s->n == s->cap)
		side_grow(s);
	memmove(s->index + lo + 1, s->index + lo, (s->n - lo) * sizeof *s->index);
	memmove(s->count + lo + 1, s->count + lo, (s->n - lo) * sizeof *s->count);
	s->index[lo] = index;
	s->count[lo] = weight;
	s->n++;
	return true;
}

static void side_coarsen(struct timer_side *s, int steps)
{
	uint16_t out = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		int16_t index = coarser(s->index[i], steps);

		if (out > 0 && s->index[out - 1] == index) {
			s->count[out - 1] += s->count[i];
			continue;
		}
		s->index[out] = index;
		s->count[out++] = s->count[i];
	}
	s->n = out;
}

static void coarsen_to(struct timer *t, int schema)
{
	int steps = t->schema - schema;

	ASSERT(steps >= 0);
	side_coarsen(&t->pos, steps);
	side_coarsen(&t->neg, steps);
	t->schema = (int16_t)schema;
}

static void keep_bound(struct timer *t)
{
	while ((unsigned)t->pos.n + t->neg.n > LIMIT_STATSD_BUCKETS && t->schema > HIST_SCHEMA_MIN)
		coarsen_to(t, t->schema - 1);
}

void timer_add(struct timer *t, double v, double weight)
{
	double size = fabs(v);

	ASSERT(isfinite(v));
	t->count += weight;
	t->sum += v * weight;
	t->fractional |= weight != trunc(weight);
	if (size <= TIMER_ZERO_THRESHOLD) {
		t->zero += weight;
		return;
	}
	if (side_add(v > 0 ? &t->pos : &t->neg,
		    coarser(timer_index(size), SCHEMA_FINEST - t->schema), weight))
		keep_bound(t);
}

static void merge_side(
	struct timer *t, struct timer_side *to, const struct hist *h, const struct hist_side *from)
{
	int64_t index = 0;
	uint32_t k = 0;

	for (uint32_t i = 0; i < from->n_spans; i++) {
		index += from->spans[i].offset;
		for (uint32_t j = 0; j < from->spans[i].length; j++, k++, index++) {
			if (from->counts[k] > 0 && index >= INT16_MIN && index <= INT16_MAX &&
				side_add(to, coarser((int16_t)index, h->schema - t->schema),
					from->counts[k]))
				keep_bound(t);
		}
	}
}

bool timer_merge(struct timer *t, const struct hist *h)
{
	if (h->schema > TIMER_SCHEMA || h->schema < HIST_SCHEMA_MIN || !isfinite(h->sum) ||
		!isfinite(h->count) || h->count < 0)
		return false;
	if (h->schema < t->schema)
		coarsen_to(t, h->schema);
	merge_side(t, &t->pos, h, &h->pos);
	merge_side(t, &t->neg, h, &h->neg);
	t->zero += h->zero_count;
	t->count += h->count;
	t->sum += h->sum;
	t->fractional |= !h->is_int;
	return true;
}

static bool side_hist(const struct timer_side *s, struct arena *a, struct hist_side *out)
{
	struct hist_span *spans = ARENA_ARRAY(a, s->n, struct hist_span);
	double *counts = ARENA_ARRAY(a, s->n, double);
	uint32_t n = 0;
	int32_t next = 0; /* index behind the last span */

	if (spans == NULL || counts == NULL)
		return false;
	for (uint16_t i = 0; i < s->n; i++) {
		counts[i] = s->count[i];
		if (n > 0 && s->index[i] == next) {
			spans[n - 1].length++;
		} else {
			spans[n] = (struct hist_span){s->index[i] - (n > 0 ? next : 0), 1};
			n++;
		}
		next = s->index[i] + 1;
	}
	*out = (struct hist_side){spans, counts, n, s->n};
	return true;
}

const struct hist *timer_hist(const struct timer *t, struct arena *a)
{
	struct hist *h = ARENA_NEW(a, struct hist);

	if (h == NULL || !side_hist(&t->pos, a, &h->pos) || !side_hist(&t->neg, a, &h->neg))
		return NULL;
	h->schema = t->schema;
	h->is_int = !t->fractional;
	h->zero_threshold = TIMER_ZERO_THRESHOLD;
	h->zero_count = t->zero;
	h->count = t->count;
	h->sum = t->sum;
	return h;
}

size_t timer_bytes(const struct timer *t)
{
	return sizeof *t + ((size_t)t->pos.cap + t->neg.cap) * (sizeof(int16_t) + sizeof(double));
}
