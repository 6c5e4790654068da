/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay - series in memory that rules of a replay write, over a source of recorded history.
 *
 * A metric that the replayed rules write shows recorded samples before from_ms only, and what the
 * replay wrote from there on: what another run recorded in its place is hidden. All other metrics
 * are the source's. One thread; nothing is written while a query runs.
 */
#ifndef BELFRY_RULES_OVERLAY_H
#define BELFRY_RULES_OVERLAY_H

#include "base/map.h"
#include "rules/rule_set.h"

struct overlay_series {
	struct labels labels; /* a clone */
	uint64_t hash;
	size_t n, cap, first; /* samples [first, n) are kept */
	int64_t *t;
	double *v;
	const struct hist **h; /* NULL while there are only floats */
	uint64_t mark;         /* the writer's own */
};

struct overlay_block; /* histograms of a stretch of time */

struct overlay {
	const struct select_source *base;
	int64_t from_ms;
	struct map series;  /* by labels hash */
	struct map by_name; /* struct overlay_name, by hash of the name */
	struct overlay_series **v;
	size_t n, cap;
	const struct rule_def **writers; /* borrowed */
	size_t n_writers;
	size_t bytes, max_bytes;
	struct overlay_block *blocks; /* newest first */
};

/* rs says what is written; it, base and max_bytes' memory must outlive the overlay. */
void overlay_init(struct overlay *o, const struct select_source *base, const struct rule_set *rs,
	int64_t from_ms, size_t max_bytes);
void overlay_fini(struct overlay *o);
struct select_source overlay_source(struct overlay *o);
/* The series of these labels, made when it is new; NULL when there is no room. */
struct overlay_series *overlay_series(struct overlay *o, struct labels ls, uint64_t hash);
/* Append a sample. One at the time of the last: a staleness mark is passed over, and replaced; else
 * ERR_INPUT unless it is the same. */
int overlay_add(struct overlay *o, struct overlay_series *s, int64_t t, double v,
	const struct hist *h, struct err *e) MUST_CHECK;
/* The newest sample is a value, not a staleness mark. */
bool overlay_series_is_live(const struct overlay_series *s);
/* Samples before this time are no longer read. */
void overlay_prune(struct overlay *o, int64_t before_ms);

#endif
