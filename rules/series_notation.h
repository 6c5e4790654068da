/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series_notation - series as rule unit tests write them: `1 2+3x4 _ _x3 stale 5x2
 * {{count:1}}+{{}}x3`.
 *
 * Values are separated by blanks. `axn` is a repeated n times more, `a+bxn` a and n more, each b
 * larger, `_` no sample, `_xn` n of them. Pure; everything lives in the caller's arena.
 */
#ifndef BELFRY_RULES_SERIES_NOTATION_H
#define BELFRY_RULES_SERIES_NOTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/labels.h"

struct series_value {
	bool missing;         /* `_` */
	double v;             /* stale_nan() for `stale` */
	const struct hist *h; /* NULL: a float. Counts may be negative: hist_check before storing */
};

/* e->off is the place of a mistake. */
int series_values_parse(struct arena *a, struct str text, struct series_value **out, size_t *n,
	struct err *e) MUST_CHECK;
/* `up{job="x"}`, `{job="x"}` or nothing at all: a label set, as a test writes a series' name. */
int series_labels_parse(
	struct arena *a, struct str text, struct labels *out, struct err *e) MUST_CHECK;

/* series_hist.c: `{{schema:1 sum:2 count:3 buckets:[1 2]}}` at s[*pos]; moves *pos behind it. */
const struct hist *series_hist_parse(
	struct arena *a, struct str s, size_t *pos, struct err *e) MUST_CHECK;
/* A number at s[*pos], with or without a sign: "-1.5e3", "Inf", "NaN". */
bool series_number(struct str s, size_t *pos, double *out);

#endif
