/* SPDX-License-Identifier: Apache-2.0 */
/* pack_internal - what the files rules/pack_*.c share. */
#ifndef BELFRY_RULES_PACK_INTERNAL_H
#define BELFRY_RULES_PACK_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "rules/pack.h"

/* The values of a use, in the order of the pack's parameters. */
struct pack_values {
	const double *v;
	double time_scale;
	int64_t sample_ms; /* between samples of what is scraped or sent */
};

#define PACK_SAMPLE_DEFAULT 5 /* seconds; the setting scrape_interval */
#define PACK_RANGE_SAMPLES  3 /* a rate of fewer is a guess, and none when one is lost */

/* An expression with its parameters put in and its durations scaled, laid out on lines. `p` NULL:
 * only check that marks name parameters whose default stands there. Errors have e->off. */
int pack_expr(struct arena *a, const struct pack *p, struct str text, const struct pack_values *val,
	struct buf *out, struct err *e) MUST_CHECK;
/* ms times the scale, at least 1 when it was anything. */
int64_t pack_scale_ms(int64_t ms, double scale);

#endif
