/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hacc_add - adding and subtracting histograms of different shapes; see hacc.h.
 *
 * Standard schemas: both are brought to the coarser schema and to one zero bucket that ends on no
 * populated bucket of either. Custom buckets: both are mapped to the bounds they share.
 */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "rules/promql/hacc.h"

static void add_one(double x, bool kahan, double *sum, double *comp)
{
	if (kahan)
		kahan_add(x, sum, comp);
	else
		*sum += x;
}

/* Hints of the result; true when they contradict each other. */
static bool merge_hints(struct hacc *acc, const struct hist *h)
{
	if (h->reset == acc->reset || acc->reset == HIST_RESET_GAUGE)
		return false;
	if (h->reset == HIST_RESET_GAUGE) {
		acc->reset = HIST_RESET_GAUGE;
		return false;
	}
	if (acc->reset == HIST_RESET_UNKNOWN)
		return false;
	acc->reset = HIST_RESET_UNKNOWN;
	return h->reset != HIST_RESET_UNKNOWN;
}

/* How many buckets of b are missing in s. */
static uint32_t count_missing(const struct hacc_side *s, const struct hacc_side *b)
{
	uint32_t missing = 0, i = 0;

	for (uint32_t k = 0; k < b->n; k++) {
		while (i < s->n && s->idx[i] < b->idx[k])
			i++;
		missing += i == s->n || s->idx[i] != b->idx[k];
	}
	return missing;
}

/* Make room for the buckets of b, so that each of them is found in s. */
static void make_union(struct hacc *acc, struct hacc_side *s, const struct hacc_side *b)
{
	uint32_t missing = count_missing(s, b), i, k = b->n, w;
	struct hacc_side out;

	if (missing == 0)
		return;
	out = *s;
	if (s->n + missing > s->cap) {
		out.cap = s->n + missing + (s->n + missing) / 2;
		out.idx = ARENA_ARRAY(acc->a, out.cap, int32_t);
		out.cnt = ARENA_ARRAY(acc->a, out.cap, double);
		out.comp = ARENA_ARRAY(acc->a, out.cap, double);
		if (acc->a->failed)
			return;
	}
	/* from the end, so that it works in place too */
	i = s->n;
	for (w = s->n + missing; w > 0; w--) {
		bool from_s = i > 0 && (k == 0 || s->idx[i - 1] >= b->idx[k - 1]);

		if (from_s) {
			if (k > 0 && s->idx[i - 1] == b->idx[k - 1])
				k--;
			i--;
			out.idx[w - 1] = s->idx[i];
			out.cnt[w - 1] = s->cnt[i];
			out.comp[w - 1] = s->comp[i];
		} else {
			k--;
			out.idx[w - 1] = b->idx[k];
			out.cnt[w - 1] = 0;
			out.comp[w - 1] = 0;
		}
	}
	out.n = s->n + missing;
	*s = out;
}

static void add_side(
	struct hacc *acc, struct hacc_side *s, struct hacc_side *b, const struct hacc_term *t)
{
	uint32_t from = 0, i = 0;

	/* what lies within the zero bucket is counted there already */
	while (from < b->n && acc->schema != HIST_SCHEMA_CUSTOM &&
		hacc_bound_exp(b->idx[from], acc->schema) <= acc->zero_threshold)
		from++;
	b->idx += from;
	b->cnt += from;
	b->n -= from;
	make_union(acc, s, b);
	if (acc->a->failed)
		return;
	for (uint32_t k = 0; k < b->n; k++) {
		while (s->idx[i] < b->idx[k])
			i++;
		add_one(t->sign * b->cnt[k] / t->div, t->kahan, &s->cnt[i], &s->comp[i]);
	}
}

static double side_in_zero(const struct hacc *acc, const struct hacc_side *s, double *threshold,
	double zero, double *comp, bool *moved)
{
	for (uint32_t i = 0; i < s->n; i++) {
		double c = comp != NULL ? *comp : 0;

		if (hacc_bound_exp((int64_t)s->idx[i] - 1, acc->schema) >= *threshold)
			break;
		kahan_add(s->cnt[i], &zero, &c);
		if (comp != NULL) {
			kahan_add(s->comp[i], &zero, &c);
			*comp = c;
		}
		if (hacc_bound_exp(s->idx[i], acc->schema) > *threshold) {
			if (s->cnt[i] != 0) {
				*threshold = hacc_bound_exp(s->idx[i], acc->schema);
				*moved = true;
			}
			break;
		}
	}
	return zero;
}

double hacc_wider_zero(const struct hacc *acc, double *threshold, double *comp)
{
	for (;;) {
		bool moved = false, moved_neg = false;
		double c = acc->zero_comp, zero = acc->zero_count;
		double *cp = comp != NULL ? &c : NULL;

		if (*threshold != acc->zero_threshold) {
			zero = side_in_zero(acc, &acc->pos, threshold, zero, cp, &moved);
			zero = side_in_zero(acc, &acc->neg, threshold, zero, cp, &moved_neg);
			if (moved_neg)
				continue; /* the positive side has to be looked at again */
		}
		if (comp != NULL)
			*comp = c;
		return zero;
	}
}

static void drop_in_zero(struct hacc *acc, struct hacc_side *s)
{
	uint32_t from = 0;

	while (from < s->n &&
		hacc_bound_exp((int64_t)s->idx[from] - 1, acc->schema) < acc->zero_threshold)
		from++;
	s->idx += from;
	s->cnt += from;
	s->comp += from;
	s->n -= from;
	s->cap -= from;
}

/* One zero bucket for both; returns the zero count of the other side. */
static double join_zero(struct hacc *acc, const struct hacc *other)
{
	double their = other->zero_count, at = other->zero_threshold;

	while (at != acc->zero_threshold) {
		if (acc->zero_threshold > at) {
			at = acc->zero_threshold;
			their = hacc_wider_zero(other, &at, NULL);
		}
		if (at > acc->zero_threshold) {
			double wider = at, comp = 0;

			acc->zero_count = hacc_wider_zero(acc, &wider, &comp);
			acc->zero_comp = comp;
			acc->zero_threshold = wider;
			drop_in_zero(acc, &acc->pos);
			drop_in_zero(acc, &acc->neg);
		}
	}
	return their;
}

static void combine_standard(struct hacc *acc, const struct hacc_term *t)
{
	int32_t schema = MIN_OF(acc->schema, t->h->schema);
	struct hacc other = {.a = acc->a,
		.schema = t->h->schema,
		.zero_threshold = t->h->zero_threshold,
		.zero_count = t->h->zero_count};

	/* zero buckets are joined at the histograms' own schemas */
	if (acc->zero_threshold != t->h->zero_threshold) {
		hacc_side_of(&other.pos, acc->a, &t->h->pos, t->h->schema, t->h->schema);
		hacc_side_of(&other.neg, acc->a, &t->h->neg, t->h->schema, t->h->schema);
		if (acc->a->failed)
			return;
	}
	add_one(t->sign * join_zero(acc, &other) / t->div, t->kahan, &acc->zero_count,
		&acc->zero_comp);
	hacc_coarsen(acc, schema);
	hacc_side_of(&other.pos, acc->a, &t->h->pos, t->h->schema, schema);
	hacc_side_of(&other.neg, acc->a, &t->h->neg, t->h->schema, schema);
	if (acc->a->failed)
		return;
	add_side(acc, &acc->pos, &other.pos, t);
	add_side(acc, &acc->neg, &other.neg, t);
}

static bool same_bounds(const struct hacc *acc, const struct hist *h)
{
	return acc->n_custom == h->n_custom &&
	       (h->n_custom == 0 ||
		       memcmp(acc->custom, h->custom, h->n_custom * sizeof *h->custom) == 0);
}

/* Bounds in both lists. */
static double *intersect(struct hacc *acc, const struct hist *h, uint32_t *n)
{
	double *out = ARENA_ARRAY(acc->a, MIN_OF(acc->n_custom, h->n_custom), double);
	uint32_t i = 0, j = 0;

	*n = 0;
	while (out != NULL && i < acc->n_custom && j < h->n_custom) {
		if (acc->custom[i] == h->custom[j]) {
			out[(*n)++] = acc->custom[i++];
			j++;
		} else if (acc->custom[i] < h->custom[j]) {
			i++;
		} else {
			j++;
		}
	}
	return out;
}

/* Add bucket lists over `bounds` into the fewer buckets of `to`; lists ascend, so does *at. */
static void map_bucket(double bound, bool last, const double *to, uint32_t n_to, uint32_t *at)
{
	while (*at < n_to && (last || to[*at] < bound))
		(*at)++;
}

static void combine_mismatched(struct hacc *acc, const struct hacc_term *t)
{
	uint32_t n, at = 0;
	double *bounds = intersect(acc, t->h, &n);
	struct hacc_side out = {.cap = n + 1};
	struct hacc_side b;

	out.idx = ARENA_ARRAY(acc->a, out.cap, int32_t);
	out.cnt = ARENA_ARRAY(acc->a, out.cap, double);
	out.comp = ARENA_ARRAY(acc->a, out.cap, double);
	hacc_side_of(&b, acc->a, &t->h->pos, HIST_SCHEMA_CUSTOM, HIST_SCHEMA_CUSTOM);
	if (acc->a->failed)
		return;
	for (uint32_t i = 0; i < acc->pos.n; i++) {
		uint32_t k = (uint32_t)acc->pos.idx[i];
		bool last = k >= acc->n_custom;

		map_bucket(last ? 0 : acc->custom[k], last, bounds, n, &at);
		add_one(acc->pos.cnt[i], t->kahan, &out.cnt[at], &out.comp[at]);
		add_one(acc->pos.comp[i], t->kahan, &out.cnt[at], &out.comp[at]);
	}
	at = 0;
	for (uint32_t i = 0; i < b.n; i++) {
		uint32_t k = (uint32_t)b.idx[i];
		bool last = k >= t->h->n_custom;

		map_bucket(last ? 0 : t->h->custom[k], last, bounds, n, &at);
		add_one(t->sign * b.cnt[i] / t->div, t->kahan, &out.cnt[at], &out.comp[at]);
	}
	for (uint32_t i = 0; i <= n; i++) {
		if (out.cnt[i] == 0 && out.comp[i] == 0)
			continue;
		out.idx[out.n] = (int32_t)i;
		out.cnt[out.n] = out.cnt[i];
		out.comp[out.n++] = out.comp[i];
	}
	acc->pos = out;
	acc->custom = bounds;
	acc->n_custom = n;
}

static void combine_custom(struct hacc *acc, const struct hacc_term *t)
{
	struct hacc_side b;

	hacc_side_of(&b, acc->a, &t->h->pos, HIST_SCHEMA_CUSTOM, HIST_SCHEMA_CUSTOM);
	if (!acc->a->failed)
		add_side(acc, &acc->pos, &b, t);
}

bool hacc_combine(struct hacc *acc, struct hacc_term t, struct hacc_notes *notes)
{
	if ((acc->schema == HIST_SCHEMA_CUSTOM) != hist_is_custom(t.h))
		return false;
	if (acc->a->failed)
		return true;
	notes->collision |= merge_hints(acc, t.h);
	add_one(t.sign * t.h->count / t.div, t.kahan, &acc->count, &acc->count_comp);
	add_one(t.sign * t.h->sum / t.div, t.kahan, &acc->sum, &acc->sum_comp);
	if (!hist_is_custom(t.h)) {
		combine_standard(acc, &t);
	} else if (same_bounds(acc, t.h)) {
		combine_custom(acc, &t);
	} else {
		notes->reconciled = true;
		combine_mismatched(acc, &t);
	}
	return true;
}

bool hacc_add(struct hacc *acc, const struct hist *h, struct hacc_notes *notes)
{
	return hacc_combine(acc, (struct hacc_term){.h = h, .sign = 1, .div = 1}, notes);
}

bool hacc_sub(struct hacc *acc, const struct hist *h, struct hacc_notes *notes)
{
	return hacc_combine(acc, (struct hacc_term){.h = h, .sign = -1, .div = 1}, notes);
}
