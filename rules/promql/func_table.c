/* SPDX-License-Identifier: Apache-2.0 */
/* func_table - the tables behind func_table.h; functions are found by binary search. */
#include "rules/promql/func_table.h"

#include <stdint.h>

#include "base/assert.h"
#include "base/num.h"

#define TYPE_OF(c)                                                                                 \
	((c) == 's' ? PQ_SCALAR : (c) == 'm' ? PQ_MATRIX : (c) == 't' ? PQ_STRING : PQ_VECTOR)

static const struct pq_func functions[] = {
#define PQ_FUNC(id, name, args, variadic, result, experimental)                                    \
	{PQ_FN_##id, name, args, sizeof(args) - 1, variadic, experimental, TYPE_OF(result)},
#include "rules/promql/functions.def"
#undef PQ_FUNC
};

static const struct pq_aggregation aggregations[] = {
#define PQ_AGG(id, name, param, experimental) {PQ_AGG_##id, name, param, experimental},
#include "rules/promql/aggregations.def"
#undef PQ_AGG
};

const struct pq_func *pq_func(enum pq_fn id)
{
	ASSERT((size_t)id < ARRAY_LEN(functions));
	return &functions[id];
}

const struct pq_func *pq_func_find(struct str name)
{
	size_t lo = 0, hi = ARRAY_LEN(functions);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(name, str_c(functions[mid].name));

		if (c == 0)
			return &functions[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

enum pq_type pq_func_arg(const struct pq_func *f, size_t i)
{
	ASSERT(f->n_args > 0);
	if (i >= f->n_args)
		i = f->n_args - 1u;
	return TYPE_OF(f->args[i]);
}

size_t pq_func_min_args(const struct pq_func *f)
{
	return f->variadic == 0 ? f->n_args : f->n_args - 1u;
}

size_t pq_func_max_args(const struct pq_func *f)
{
	if (f->variadic == 0)
		return f->n_args;
	return f->variadic < 0 ? SIZE_MAX : f->n_args - 1u + (size_t)f->variadic;
}

/* What others call it; a near name would be another thing. */
static const struct {
	const char *name, *ours;
} aliases[] = {{"average", "avg"}, {"mean", "avg"}, {"median", "quantile"},
	{"percentile", "quantile"}, {"len", "count"}, {"length", "count"}, {"size", "count"},
	{"variance", "stdvar"}, {"var", "stdvar"}, {"std", "stddev"}, {"top", "topk"},
	{"bottom", "bottomk"}, {"first", "first_over_time"}, {"last", "last_over_time"},
	{"now", "time"}, {"sign", "sgn"}, {"log", "ln"}, {"diff", "delta"}, {"derivative", "deriv"},
	{"ceiling", "ceil"}, {"exists", "present_over_time"},
	{"holt_winters", "double_exponential_smoothing"}};

/* Whether it is what the beginning or another case of `name` is. */
static bool is_close(struct str typed, struct str name)
{
	return typed.n <= name.n && str_eq_nocase(typed, str_sub(name, 0, typed.n));
}

struct str pq_func_nearest(struct str name)
{
	unsigned limit = name.n < 6 ? 1 : name.n < 12 ? 2 : 3, best = limit + 1;
	struct str found = STR_NULL;

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (str_eq_nocase(name, str_c(aliases[i].name)))
			return str_c(aliases[i].ours);
	}
	for (size_t i = 0; i < ARRAY_LEN(functions) + ARRAY_LEN(aggregations); i++) {
		struct str s = i < ARRAY_LEN(functions)
				       ? str_c(functions[i].name)
				       : str_c(aggregations[i - ARRAY_LEN(functions)].name);
		unsigned d =
			name.n == s.n && str_eq_nocase(name, s) ? 0 : str_distance(name, s, limit);

		if (d < best ||
			(d == best && d <= limit && is_close(name, s) && !is_close(name, found))) {
			best = d;
			found = s;
		}
	}
	return found;
}

const struct pq_aggregation *pq_aggregation(enum pq_agg id)
{
	ASSERT((size_t)id < ARRAY_LEN(aggregations));
	return &aggregations[id];
}

const struct pq_aggregation *pq_aggregation_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(aggregations); i++)
		if (str_eq_nocase(name, str_c(aggregations[i].name)))
			return &aggregations[i];
	return NULL;
}

const char *pq_type_name(enum pq_type t)
{
	switch (t) {
	case PQ_SCALAR: return "scalar";
	case PQ_VECTOR: return "instant vector";
	case PQ_MATRIX: return "range vector";
	case PQ_STRING: return "string";
	}
	return "nothing";
}
