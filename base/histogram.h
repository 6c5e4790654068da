/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram - the native histogram value that travels through every part of belfry.
 *
 * Source of the model: Prometheus native histograms (OpenMetrics 2 draft, remote write 1.0
 * and 2.0 messages). Bucket i of a standard schema s (-4..8) holds (base^(i-1), base^i] with
 * base = 2^(2^-s); schema -53 has custom upper bounds. Counts are absolute (not deltas) and
 * kept as doubles, integers exact up to 2^53; is_int remembers which kind was sent.
 * All arrays are borrowed from whoever made the value (an arena, a chunk, a batch).
 */
#ifndef BELFRY_BASE_HISTOGRAM_H
#define BELFRY_BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define HIST_SCHEMA_MIN    (-4)
#define HIST_SCHEMA_MAX    8
#define HIST_SCHEMA_CUSTOM (-53)

enum hist_reset {
	HIST_RESET_UNKNOWN = 0,
	HIST_RESET_YES = 1,
	HIST_RESET_NO = 2,
	HIST_RESET_GAUGE = 3
};

/* A run of buckets: `offset` empty ones after the previous run (the first: its index), then
 * `length`. */
struct hist_span {
	int32_t offset;
	uint32_t length;
};

struct hist_side {
	const struct hist_span *spans;
	const double *counts; /* one absolute count per bucket of the spans, in order */
	uint32_t n_spans;
	uint32_t n_counts;
};

struct hist {
	int32_t schema;
	uint8_t reset; /* enum hist_reset */
	bool is_int;
	double zero_threshold;
	double zero_count;
	double count;
	double sum; /* stale_nan() marks a stale histogram sample */
	struct hist_side pos, neg;
	const double *custom; /* schema -53: upper bounds without +Inf, ascending */
	uint32_t n_custom;
};

/* Deep copy into the arena; NULL on refusal. */
struct hist *hist_copy(struct arena *a, const struct hist *h);
/* Bit-equal in everything that is stored (the reset hint is not compared). */
bool hist_eq(const struct hist *a, const struct hist *b);
/* Shape is sound and within limits.h: spans add up to counts, bounds ascend, no negative index
 * overflow. Counts need not add up to `count`. */
int hist_check(const struct hist *h, struct err *e) MUST_CHECK;
/* Bytes of the arrays, for accounting. */
size_t hist_bytes(const struct hist *h);
/* Upper bound of bucket `index` on the positive side, bit by bit Prometheus's; schema -53 uses
 * custom bounds (+Inf at the end). */
double hist_bound(const struct hist *h, int32_t index);
/* The bucket index of a value > 0 under a standard schema. */
int32_t hist_index(double v, int32_t schema);

#endif
