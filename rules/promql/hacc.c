/* SPDX-License-Identifier: Apache-2.0 */
/* hacc - taking histograms in, scaling them and giving them out again; see hacc.h. Adding is in
 * hacc_add.c, comparing in hacc_reset.c. */
#include "rules/promql/hacc.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"

static bool side_alloc(struct hacc_side *s, struct arena *a, uint32_t cap)
{
	*s = (struct hacc_side){
		.idx = ARENA_ARRAY(a, cap, int32_t),
		.cnt = ARENA_ARRAY(a, cap, double),
		.comp = ARENA_ARRAY(a, cap, double),
		.cap = cap,
	};
	return !a->failed;
}

void hacc_side_of(
	struct hacc_side *out, struct arena *a, const struct hist_side *s, int32_t from, int32_t to)
{
	int64_t idx = 0;
	uint32_t k = 0;

	if (!side_alloc(out, a, s->n_counts))
		return;
	for (uint32_t i = 0; i < s->n_spans; i++) {
		idx += s->spans[i].offset;
		for (uint32_t j = 0; j < s->spans[i].length && k < s->n_counts; j++, idx++, k++) {
			int32_t own = (int32_t)idx;
			int32_t t = from == to ? own : hacc_target_index(own, from, to);

			if (out->n > 0 && out->idx[out->n - 1] == t) {
				out->cnt[out->n - 1] += s->counts[k];
				continue;
			}
			out->idx[out->n] = t;
			out->cnt[out->n++] = s->counts[k];
		}
	}
}

static const double *copy_bounds(struct arena *a, const double *v, uint32_t n)
{
	double *out = n > 0 ? ARENA_ARRAY(a, n, double) : NULL;

	if (out != NULL)
		memcpy(out, v, n * sizeof *out);
	return out;
}

void hacc_init(struct hacc *acc, struct arena *a, const struct hist *h)
{
	*acc = (struct hacc){
		.a = a,
		.schema = h->schema,
		.reset = h->reset,
		.zero_threshold = h->zero_threshold,
		.zero_count = h->zero_count,
		.count = h->count,
		.sum = h->sum,
		.custom = copy_bounds(a, h->custom, h->n_custom),
		.n_custom = h->n_custom,
	};
	hacc_side_of(&acc->pos, a, &h->pos, h->schema, h->schema);
	hacc_side_of(&acc->neg, a, &h->neg, h->schema, h->schema);
}

static void copy_side(struct hacc_side *dst, struct arena *a, const struct hacc_side *src)
{
	if (!side_alloc(dst, a, src->n))
		return;
	dst->n = src->n;
	if (src->n == 0)
		return;
	memcpy(dst->idx, src->idx, src->n * sizeof *dst->idx);
	memcpy(dst->cnt, src->cnt, src->n * sizeof *dst->cnt);
	memcpy(dst->comp, src->comp, src->n * sizeof *dst->comp);
}

void hacc_copy(struct hacc *dst, struct arena *a, const struct hacc *src)
{
	*dst = *src;
	dst->a = a;
	copy_side(&dst->pos, a, &src->pos);
	copy_side(&dst->neg, a, &src->neg);
}

static void scale_side(struct hacc_side *s, double factor, bool divide)
{
	for (uint32_t i = 0; i < s->n; i++) {
		s->cnt[i] = divide ? s->cnt[i] / factor : s->cnt[i] * factor;
		if (s->comp[i] != 0) /* 0 * Inf and 0 / 0 would spoil what never was compensated */
			s->comp[i] = divide ? s->comp[i] / factor : s->comp[i] * factor;
	}
}

static void scale(struct hacc *acc, double f, bool divide)
{
	double *parts[] = {&acc->zero_count, &acc->zero_comp, &acc->count, &acc->count_comp,
		&acc->sum, &acc->sum_comp};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		bool comp = (i & 1) != 0;

		if (comp && *parts[i] == 0)
			continue;
		*parts[i] = divide ? *parts[i] / f : *parts[i] * f;
	}
	scale_side(&acc->pos, f, divide);
	scale_side(&acc->neg, f, divide);
	if (f < 0)
		acc->reset = HIST_RESET_GAUGE;
}

void hacc_mul(struct hacc *acc, double factor)
{
	scale(acc, factor, false);
}

void hacc_div(struct hacc *acc, double divisor)
{
	if (divisor == 0) {
		acc->pos.n = 0;
		acc->neg.n = 0;
	}
	scale(acc, divisor, true);
}

static void coarsen_side(struct hacc_side *s, int32_t from, int32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		int32_t t = hacc_target_index(s->idx[i], from, to);

		if (n > 0 && s->idx[n - 1] == t) {
			kahan_add(s->cnt[i], &s->cnt[n - 1], &s->comp[n - 1]);
			s->comp[n - 1] += s->comp[i];
			continue;
		}
		s->idx[n] = t;
		s->cnt[n] = s->cnt[i];
		s->comp[n++] = s->comp[i];
	}
	s->n = n;
}

void hacc_coarsen(struct hacc *acc, int32_t schema)
{
	if (schema == acc->schema)
		return;
	ASSERT(schema < acc->schema);
	ASSERT(schema != HIST_SCHEMA_CUSTOM);
	coarsen_side(&acc->pos, acc->schema, schema);
	coarsen_side(&acc->neg, acc->schema, schema);
	acc->schema = schema;
}

static double max_abs(const double *v, uint32_t n, double max)
{
	for (uint32_t i = 0; i < n; i++)
		max = fmax(max, fabs(v[i]));
	return max;
}

double hacc_max_abs(const struct hacc *acc)
{
	double m = fmax(fabs(acc->sum), fmax(fabs(acc->count), fabs(acc->zero_count)));

	return max_abs(acc->neg.cnt, acc->neg.n, max_abs(acc->pos.cnt, acc->pos.n, m));
}

double hacc_max_abs_hist(const struct hist *h)
{
	double m = fmax(fabs(h->sum), fmax(fabs(h->count), fabs(h->zero_count)));

	return max_abs(h->neg.counts, h->neg.n_counts, max_abs(h->pos.counts, h->pos.n_counts, m));
}

bool hacc_overflowed(const struct hacc *acc)
{
	bool inf = isinf(hacc_max_abs(acc));

	for (uint32_t i = 0; i < acc->n_custom && !inf; i++)
		inf = isinf(acc->custom[i]);
	return inf;
}

/* What never was compensated keeps the sign of its zero. */
static double folded(double v, double comp)
{
	return comp == 0 ? v : v + comp;
}

/* Compensations folded in: (sum + comp), as the last addition of a compensated sum. */
static void side_done(
	const struct hacc_side *s, bool keep_empty, struct hist_side *out, struct arena *a)
{
	struct hist_span *spans;
	double *counts;
	uint32_t n = 0, n_spans = 0;
	int64_t next = 0;

	for (uint32_t i = 0; i < s->n; i++)
		n += keep_empty || s->cnt[i] + s->comp[i] != 0;
	counts = ARENA_ARRAY(a, n, double);
	spans = ARENA_ARRAY(a, n, struct hist_span);
	*out = (struct hist_side){0};
	if (a->failed)
		return;
	n = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		double c = folded(s->cnt[i], s->comp[i]);

		if (c == 0 && !keep_empty)
			continue;
		if (n_spans > 0 && s->idx[i] == next) {
			spans[n_spans - 1].length++;
		} else {
			spans[n_spans] = (struct hist_span){
				(int32_t)(s->idx[i] - (n_spans > 0 ? next : 0)), 1};
			n_spans++;
		}
		next = (int64_t)s->idx[i] + 1;
		counts[n++] = c;
	}
	*out = (struct hist_side){spans, counts, n_spans, n};
}

const struct hist *hacc_done(struct hacc *acc, struct arena *out)
{
	struct hist *h = ARENA_NEW(out, struct hist);

	if (h == NULL || acc->a->failed)
		return NULL;
	*h = (struct hist){
		.schema = acc->schema,
		.reset = acc->reset,
		.zero_threshold = acc->zero_threshold,
		.zero_count = folded(acc->zero_count, acc->zero_comp),
		.count = folded(acc->count, acc->count_comp),
		.sum = folded(acc->sum, acc->sum_comp),
		.n_custom = acc->n_custom,
	};
	side_done(&acc->pos, acc->keep_empty, &h->pos, out);
	side_done(&acc->neg, acc->keep_empty, &h->neg, out);
	h->custom = copy_bounds(out, acc->custom, acc->n_custom);
	return out->failed ? NULL : h;
}

/* Far beyond any number, and still far from where indexes overflow. */
static int32_t clip(int64_t idx)
{
	return (int32_t)MAX_OF(MIN_OF(idx, INT32_MAX / 4), INT32_MIN / 4);
}

double hacc_bound_exp(int64_t idx, int32_t schema)
{
	struct hist probe = {.schema = schema};

	return hist_bound(&probe, clip(idx));
}

double hacc_bound(const struct hist *h, int64_t idx)
{
	return hist_is_custom(h) ? hist_bound(h, clip(idx)) : hacc_bound_exp(idx, h->schema);
}
