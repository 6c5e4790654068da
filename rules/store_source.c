/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_source - hands the store to PromQL as a struct of functions. A select_set is a store_sel
 * under another name: the column structs have the same meaning, field by field.
 */
#include "rules/store_source.h"

static struct store_sel *sel_of(struct select_set *set)
{
	return (struct store_sel *)set;
}

static const struct store_sel *csel_of(const struct select_set *set)
{
	return (const struct store_sel *)set;
}

static int source_open(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	struct store_sel *sel;

	if (store_select(ctx, m, n, mint, maxt, a, &sel, e) != 0)
		return -1;
	*out = (struct select_set *)sel;
	return 0;
}

static size_t source_count(const struct select_set *set)
{
	return store_sel_count(csel_of(set));
}

static struct labels source_labels(const struct select_set *set, size_t i)
{
	return store_sel_labels(csel_of(set), i);
}

static int source_fetch(struct select_set *set, size_t i, int64_t mint, int64_t maxt,
	struct select_cols *out, struct err *e)
{
	struct store_cols c;

	if (store_sel_fetch(sel_of(set), i, mint, maxt, &c, e) != 0)
		return -1;
	*out = (struct select_cols){.n = c.n, .t = c.t, .v = c.v, .h = c.h, .start = c.start};
	return 0;
}

static void source_close(struct select_set *set)
{
	store_sel_close(sel_of(set));
}

struct select_source store_source(struct store *s)
{
	return (struct select_source){
		.ctx = s,
		.open = source_open,
		.count = source_count,
		.labels = source_labels,
		.fetch = source_fetch,
		.close = source_close,
	};
}
