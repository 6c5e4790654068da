/* SPDX-License-Identifier: Apache-2.0 */
/* hacc_reset - comparing two histograms: did the counter fall, is it the same; see hacc.h. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "rules/promql/hacc.h"

/* A bucket of prev is gone or holds less in cur; both sorted, skipping what lies in the zero
 * bucket. */
static bool side_fell(
	const struct hacc_side *cur, const struct hacc_side *prev, int32_t schema, double threshold)
{
	uint32_t i = 0;

	for (uint32_t k = 0; k < prev->n; k++) {
		if (schema != HIST_SCHEMA_CUSTOM && threshold > 0 &&
			hacc_bound_exp(prev->idx[k], schema) <= threshold)
			continue;
		while (i < cur->n && cur->idx[i] < prev->idx[k])
			i++;
		if (i == cur->n || cur->idx[i] != prev->idx[k]) {
			if (prev->cnt[k] != 0)
				return true;
		} else if (cur->cnt[i] < prev->cnt[k]) {
			return true;
		}
	}
	return false;
}

/* Count of all buckets up to `bound`, going on from *k. */
static double count_below(
	const struct hist *h, const struct hacc_side *s, double bound, uint32_t *k)
{
	double sum = 0;

	while (*k < s->n && hist_bound(h, s->idx[*k]) <= bound)
		sum += s->cnt[(*k)++];
	return sum;
}

/* Custom bounds that differ: compare what lies between the bounds both have. */
static bool custom_fell(const struct hist *cur, const struct hacc_side *c, const struct hist *prev,
	const struct hacc_side *p)
{
	uint32_t i = 0, j = 0, ck = 0, pk = 0;

	while (i <= cur->n_custom && j <= prev->n_custom) {
		double a = i < cur->n_custom ? cur->custom[i] : INFINITY;
		double b = j < prev->n_custom ? prev->custom[j] : INFINITY;

		if (a < b) {
			i++;
		} else if (b < a) {
			j++;
		} else {
			if (count_below(cur, c, a, &ck) < count_below(prev, p, a, &pk))
				return true;
			i++;
			j++;
		}
	}
	return false;
}

static bool same_custom(const struct hist *a, const struct hist *b)
{
	return a->n_custom == b->n_custom &&
	       (a->n_custom == 0 ||
		       memcmp(a->custom, b->custom, a->n_custom * sizeof *a->custom) == 0);
}

static bool standard_fell(struct arena *scratch, const struct hist *cur, const struct hist *prev)
{
	double threshold = cur->zero_threshold;
	struct hacc p;
	struct hacc_side c, m;

	if (cur->schema > prev->schema || cur->zero_threshold < prev->zero_threshold)
		return true;
	hacc_init(&p, scratch, prev);
	if (scratch->failed)
		return false;
	if (cur->zero_count < hacc_wider_zero(&p, &threshold, NULL) ||
		threshold != cur->zero_threshold)
		return true;
	hacc_side_of(&c, scratch, &cur->pos, cur->schema, cur->schema);
	hacc_side_of(&m, scratch, &prev->pos, prev->schema, cur->schema);
	if (scratch->failed || side_fell(&c, &m, cur->schema, cur->zero_threshold))
		return !scratch->failed;
	hacc_side_of(&c, scratch, &cur->neg, cur->schema, cur->schema);
	hacc_side_of(&m, scratch, &prev->neg, prev->schema, cur->schema);
	return !scratch->failed && side_fell(&c, &m, cur->schema, cur->zero_threshold);
}

/* The usual case needs no lists: the same spans. */
static bool same_spans(const struct hist_side *a, const struct hist_side *b)
{
	return a->n_spans == b->n_spans && a->n_counts == b->n_counts &&
	       (a->n_spans == 0 || memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) == 0);
}

static bool counts_fell(const struct hist_side *cur, const struct hist_side *prev)
{
	for (uint32_t i = 0; i < cur->n_counts; i++) {
		if (cur->counts[i] < prev->counts[i])
			return true;
	}
	return false;
}

bool hacc_reset(struct arena *scratch, const struct hist *cur, const struct hist *prev)
{
	struct arena_mark mark;
	bool fell;

	if (cur->reset == HIST_RESET_YES || cur->reset == HIST_RESET_NO)
		return cur->reset == HIST_RESET_YES;
	if (cur->count < prev->count || (hist_is_custom(cur) && !hist_is_custom(prev)))
		return true;
	if (!hist_is_custom(cur) && hist_is_custom(prev))
		return true; /* a finer schema than -53 */
	if (cur->schema == prev->schema && cur->zero_threshold == prev->zero_threshold &&
		same_custom(cur, prev) && same_spans(&cur->pos, &prev->pos) &&
		same_spans(&cur->neg, &prev->neg))
		return cur->zero_count < prev->zero_count || counts_fell(&cur->pos, &prev->pos) ||
		       counts_fell(&cur->neg, &prev->neg);
	mark = arena_mark(scratch);
	if (hist_is_custom(cur)) {
		struct hacc_side c, p;

		hacc_side_of(&c, scratch, &cur->pos, cur->schema, cur->schema);
		hacc_side_of(&p, scratch, &prev->pos, prev->schema, prev->schema);
		if (scratch->failed)
			fell = false;
		else if (same_custom(cur, prev))
			fell = side_fell(&c, &p, HIST_SCHEMA_CUSTOM, 0);
		else
			fell = custom_fell(cur, &c, prev, &p);
	} else {
		fell = standard_fell(scratch, cur, prev);
	}
	arena_release(scratch, mark);
	return fell;
}

static bool same_side(struct arena *scratch, const struct hist_side *a, const struct hist_side *b)
{
	struct hacc_side x, y;
	uint32_t i = 0, j = 0;

	hacc_side_of(&x, scratch, a, 0, 0);
	hacc_side_of(&y, scratch, b, 0, 0);
	if (scratch->failed)
		return false;
	for (;;) {
		while (i < x.n && x.cnt[i] == 0)
			i++;
		while (j < y.n && y.cnt[j] == 0)
			j++;
		if (i == x.n || j == y.n)
			return i == x.n && j == y.n;
		if (x.idx[i] != y.idx[j] || f64_bits(x.cnt[i]) != f64_bits(y.cnt[j]))
			return false;
		i++;
		j++;
	}
}

bool hacc_same(struct arena *scratch, const struct hist *a, const struct hist *b)
{
	struct arena_mark mark = arena_mark(scratch);
	bool same = a->schema == b->schema && f64_bits(a->count) == f64_bits(b->count) &&
		    f64_bits(a->sum) == f64_bits(b->sum) &&
		    a->zero_threshold == b->zero_threshold &&
		    f64_bits(a->zero_count) == f64_bits(b->zero_count) && same_custom(a, b) &&
		    same_side(scratch, &a->pos, &b->pos) && same_side(scratch, &a->neg, &b->neg);

	arena_release(scratch, mark);
	return same;
}
