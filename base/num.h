/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num - checked arithmetic and narrowing, and what a float64 means to Prometheus.
 */
#ifndef BELFRY_BASE_NUM_H
#define BELFRY_BASE_NUM_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* True on overflow, like the builtins; *out is then meaningless. */
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
	return __builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
	return __builtin_add_overflow(a, b, out);
}

static inline bool i64_add(int64_t a, int64_t b, int64_t *out)
{
	return __builtin_add_overflow(a, b, out);
}

static inline bool i64_sub(int64_t a, int64_t b, int64_t *out)
{
	return __builtin_sub_overflow(a, b, out);
}

static inline bool i64_mul(int64_t a, int64_t b, int64_t *out)
{
	return __builtin_mul_overflow(a, b, out);
}

/* Saturating sum and difference: times near the ends stay at the ends. */
static inline int64_t i64_add_sat(int64_t a, int64_t b)
{
	int64_t r;

	return __builtin_add_overflow(a, b, &r) ? (b < 0 ? INT64_MIN : INT64_MAX) : r;
}

static inline int64_t i64_sub_sat(int64_t a, int64_t b)
{
	int64_t r;

	return __builtin_sub_overflow(a, b, &r) ? (b < 0 ? INT64_MAX : INT64_MIN) : r;
}

/* floor(a / b) for b > 0, below zero too. */
static inline int64_t i64_floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;

	return q - (a % b < 0);
}

static inline uint64_t f64_bits(double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof u);
	return u;
}

static inline double f64_from_bits(uint64_t u)
{
	double v;

	memcpy(&v, &u, sizeof v);
	return v;
}

/* Prometheus's two NaNs (model/value/value.go documents the patterns). */
#define STALE_NAN_BITS  UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)

static inline bool is_stale_nan(double v)
{
	return f64_bits(v) == STALE_NAN_BITS;
}

static inline double stale_nan(void)
{
	return f64_from_bits(STALE_NAN_BITS);
}

static inline double normal_nan(void)
{
	return f64_from_bits(NORMAL_NAN_BITS);
}

/* v as an int64, clipped to its range; NaN gives 0. */
static inline int64_t num_clamp_i64(double v)
{
	if (!(v == v))
		return 0;
	if (v >= 9223372036854775807.0)
		return INT64_MAX;
	if (v <= -9223372036854775808.0)
		return INT64_MIN;
	return (int64_t)v;
}

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
