/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_source - series in memory as a source for PromQL (rules/promql/select.h).
 *
 * Everything lives in the arena given at the start; mem_source_take() may not be called while a
 * query runs. Samples of a series may come in any order; a later one at the same time replaces.
 */
#ifndef BELFRY_TESTS_LIB_MEM_SOURCE_H
#define BELFRY_TESTS_LIB_MEM_SOURCE_H

#include "rules/promql/select.h"

struct mem_series {
	struct labels labels;
	size_t n, cap;
	int64_t *t, *start;
	double *v;
	const struct hist **h;
	bool has_hist, has_start;
};

struct mem_source {
	struct arena *a;
	struct mem_series *s; /* sorted by labels */
	size_t n, cap;
};

void mem_source_init(struct mem_source *m, struct arena *a);
/* The series of these labels, made when missing; labels are copied. */
struct mem_series *mem_source_series(struct mem_source *m, struct labels ls);
/* A float (h NULL) or histogram sample; start 0: none. The histogram is borrowed. */
void mem_series_add(struct mem_source *m, struct mem_series *s, int64_t t, double v,
	const struct hist *h, int64_t start);
struct select_source mem_source_select(struct mem_source *m);

#endif
