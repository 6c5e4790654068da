/* SPDX-License-Identifier: Apache-2.0 */
/*
 * func_table - the functions and aggregations of PromQL with their signatures, from
 * functions.def and aggregations.def: one list for parser, evaluator, documentation and tests.
 * Constant data; any thread.
 */
#ifndef BELFRY_RULES_PROMQL_FUNC_TABLE_H
#define BELFRY_RULES_PROMQL_FUNC_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "rules/promql/engine.h"

enum pq_fn {
#define PQ_FUNC(id, name, args, variadic, result, experimental) PQ_FN_##id,
#include "rules/promql/functions.def"
#undef PQ_FUNC
	PQ_FN_COUNT
};

struct pq_func {
	enum pq_fn id;
	const char *name;
	const char *args; /* one letter an argument: v vector, m matrix, s scalar, t string */
	unsigned char n_args;
	signed char variadic; /* 0 fixed; see functions.def */
	bool experimental;
	enum pq_type result;
};

/* The descriptor by id, and by name (case matters, as upstream); NULL: no such function. */
const struct pq_func *pq_func(enum pq_fn id);
const struct pq_func *pq_func_find(struct str name);
/* Type of argument i (0-based); behind the end, the last one repeats. n_args must not be 0. */
enum pq_type pq_func_arg(const struct pq_func *f, size_t i);
/* Fewest and most arguments; SIZE_MAX: no upper end. */
size_t pq_func_min_args(const struct pq_func *f);
size_t pq_func_max_args(const struct pq_func *f);
/* The function or aggregation whose name is nearest to a misspelt one; empty when none is near. */
struct str pq_func_nearest(struct str name);

enum pq_agg {
#define PQ_AGG(id, name, param, experimental) PQ_AGG_##id,
#include "rules/promql/aggregations.def"
#undef PQ_AGG
	PQ_AGG_COUNT_OF
};

struct pq_aggregation {
	enum pq_agg id;
	const char *name;
	char param; /* type letter of the parameter before the vector; 0: none */
	bool experimental;
};

const struct pq_aggregation *pq_aggregation(enum pq_agg id);
/* Names are keywords: upper and lower case are equal. NULL: none of that name. */
const struct pq_aggregation *pq_aggregation_find(struct str name);

/* "scalar", "instant vector", "range vector", "string": as documented. */
const char *pq_type_name(enum pq_type t);

#endif
