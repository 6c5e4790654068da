/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select - how PromQL reads samples: a struct of functions handed in by agent/ (the local
 * store), by tests (memory), later by a remote engine.
 */
#ifndef BELFRY_RULES_PROMQL_SELECT_H
#define BELFRY_RULES_PROMQL_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/labels.h"
#include "base/matcher.h"

/* One series' samples: ascending times without duplicates; valid until the next fetch of the same
 * set. */
struct select_cols {
	size_t n;
	const int64_t *t;
	const double *v; /* stale_nan() marks staleness (a stale histogram: h[i]->sum) */
	const struct hist *const
		*h;           /* NULL: floats only; else h[i] != NULL is a histogram sample */
	const int64_t *start; /* NULL: no start timestamps; 0 = none */
};

struct select_set; /* the source's own */

struct select_source {
	void *ctx;
	/* Series matching all matchers that may have samples in [mint, maxt], sorted by labels
	 * (labels_cmp); labels and set live as long as the arena / until close. */
	int (*open)(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
		struct arena *a, struct select_set **out, struct err *e);
	size_t (*count)(const struct select_set *set);
	struct labels (*labels)(const struct select_set *set, size_t i);
	/* Samples of series i with mint <= t <= maxt. */
	int (*fetch)(struct select_set *set, size_t i, int64_t mint, int64_t maxt,
		struct select_cols *out, struct err *e);
	void (*close)(struct select_set *set);
};

#endif
