/* SPDX-License-Identifier: Apache-2.0 */
/* histogram - copying, comparing and checking native histogram values; see histogram.h. */
#include "base/histogram.h"

#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"

static struct hist_side copy_side(struct arena *a, const struct hist_side *s)
{
	struct hist_span *spans = ARENA_ARRAY(a, s->n_spans, struct hist_span);
	double *counts = ARENA_ARRAY(a, s->n_counts, double);

	if (spans == NULL || counts == NULL)
		return (struct hist_side){0};
	if (s->n_spans > 0)
		memcpy(spans, s->spans, s->n_spans * sizeof *spans);
	if (s->n_counts > 0)
		memcpy(counts, s->counts, s->n_counts * sizeof *counts);
	return (struct hist_side){spans, counts, s->n_spans, s->n_counts};
}

struct hist *hist_copy(struct arena *a, const struct hist *h)
{
	struct hist *c = ARENA_NEW(a, struct hist);
	double *custom = ARENA_ARRAY(a, h->n_custom, double);

	if (c == NULL || custom == NULL)
		return NULL;
	*c = *h;
	c->pos = copy_side(a, &h->pos);
	c->neg = copy_side(a, &h->neg);
	if (h->n_custom > 0)
		memcpy(custom, h->custom, h->n_custom * sizeof *custom);
	c->custom = custom;
	return a->failed ? NULL : c;
}

static bool same_doubles(const double *a, const double *b, size_t n)
{
	return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static bool same_side(const struct hist_side *a, const struct hist_side *b)
{
	if (a->n_spans != b->n_spans || a->n_counts != b->n_counts)
		return false;
	if (a->n_spans > 0 && memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) != 0)
		return false;
	return same_doubles(a->counts, b->counts, a->n_counts);
}

bool hist_eq(const struct hist *a, const struct hist *b)
{
	return a->schema == b->schema && a->is_int == b->is_int &&
	       f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
	       f64_bits(a->zero_count) == f64_bits(b->zero_count) &&
	       f64_bits(a->count) == f64_bits(b->count) && f64_bits(a->sum) == f64_bits(b->sum) &&
	       same_side(&a->pos, &b->pos) && same_side(&a->neg, &b->neg) &&
	       a->n_custom == b->n_custom && same_doubles(a->custom, b->custom, a->n_custom);
}

static int check_side(const struct hist_side *s, const char *name, struct err *e)
{
	uint64_t buckets = 0;
	int64_t index = 0;

	if (s->n_spans > LIMIT_HIST_SPANS || s->n_counts > LIMIT_HIST_BUCKETS)
		return err_set(e, ERR_LIMIT, 0, "%s side has %u buckets in %u spans", name,
			s->n_counts, s->n_spans);
	for (uint32_t i = 0; i < s->n_spans; i++) {
		if (i > 0 && s->spans[i].offset < 0)
			return err_set(
				e, ERR_INPUT, 0, "%s span %u has a negative offset", name, i + 1);
		index += s->spans[i].offset;
		index += s->spans[i].length;
		buckets += s->spans[i].length;
		if (index > INT32_MAX || index < INT32_MIN ||
			s->spans[i].length > LIMIT_HIST_BUCKETS)
			return err_set(e, ERR_INPUT, 0, "%s span %u is out of range", name, i + 1);
	}
	if (buckets != s->n_counts)
		return err_set(e, ERR_INPUT, 0, "%s spans need %llu buckets, %u are there", name,
			(unsigned long long)buckets, s->n_counts);
	for (uint32_t i = 0; i < s->n_counts; i++) {
		if (s->counts[i] < 0)
			return err_set(e, ERR_INPUT, 0, "%s bucket %u is negative", name, i + 1);
	}
	return 0;
}

static int check_custom(const struct hist *h, struct err *e)
{
	int64_t last = 0;

	if (h->n_custom > LIMIT_HIST_CUSTOM)
		return err_set(e, ERR_LIMIT, 0, "%u custom bounds", h->n_custom);
	if (h->neg.n_counts > 0 || h->zero_count != 0)
		return err_set(
			e, ERR_INPUT, 0, "custom buckets go with no zero or negative buckets");
	for (uint32_t i = 0; i < h->n_custom; i++) {
		if (isnan(h->custom[i]) || (i > 0 && !(h->custom[i - 1] < h->custom[i])))
			return err_set(e, ERR_INPUT, 0, "custom bound %u does not ascend", i + 1);
	}
	for (uint32_t i = 0; i < h->pos.n_spans; i++) {
		if (i == 0 && h->pos.spans[0].offset < 0)
			return err_set(e, ERR_INPUT, 0, "custom buckets start below 0");
		last += (int64_t)h->pos.spans[i].offset + h->pos.spans[i].length;
	}
	if (last > (int64_t)h->n_custom + 1)
		return err_set(e, ERR_INPUT, 0, "%lld buckets for %u custom bounds",
			(long long)last, h->n_custom);
	return 0;
}

int hist_check(const struct hist *h, struct err *e)
{
	bool custom = h->schema == HIST_SCHEMA_CUSTOM;

	if (!custom && (h->schema < HIST_SCHEMA_MIN || h->schema > HIST_SCHEMA_MAX))
		return err_set(e, ERR_INPUT, 0, "unknown histogram schema %d", h->schema);
	if (check_side(&h->pos, "positive", e) != 0 || check_side(&h->neg, "negative", e) != 0)
		return -1;
	if (h->count < 0 || h->zero_count < 0)
		return err_set(e, ERR_INPUT, 0, "negative count");
	if (custom)
		return check_custom(h, e);
	if (h->n_custom > 0)
		return err_set(e, ERR_INPUT, 0, "custom bounds with schema %d", h->schema);
	return 0;
}

size_t hist_bytes(const struct hist *h)
{
	return sizeof *h + (h->pos.n_spans + h->neg.n_spans) * sizeof(struct hist_span) +
	       ((size_t)h->pos.n_counts + h->neg.n_counts + h->n_custom) * sizeof(double);
}

/*
 * 2^(part / 2^schema) / 2 as Prometheus's tables have it, to the last bit: there a schema's new
 * bounds are those of the schema below times this factor, the bits of `part` from the largest down.
 * The first factor is the one below the nearest to the root of 2.
 */
static double bound_fraction(int32_t part, int32_t schema)
{
	static const double factors[HIST_SCHEMA_MAX] = {0x1.6a09e667f3bccp+0, 0x1.306fe0a31b715p+0,
		0x1.172b83c7d517bp+0, 0x1.0b5586cf9890fp+0, 0x1.059b0d3158574p+0,
		0x1.02c9a3e778061p+0, 0x1.0163da9fb3335p+0, 0x1.00b1afa5abcbfp+0};
	double frac = 0.5;

	ASSERT(schema <= HIST_SCHEMA_MAX);
	for (int32_t k = 0; k < schema; k++) {
		if ((part >> (schema - 1 - k) & 1) != 0)
			frac *= factors[k];
	}
	return frac;
}

/* The bucket that ends at 2^1024 ends at the largest number: infinite values have one of their own.
 */
static double bound_exponential(int32_t index, int32_t schema)
{
	int32_t per = schema > 0 ? 1 << schema : 1;
	int64_t exp =
		schema < 0 ? (int64_t)index * (INT64_C(1) << -schema) : i64_floor_div(index, per);
	int32_t part = schema > 0 ? (int32_t)(index - exp * per) : 0;

	if (exp == 1024 && part == 0)
		return DBL_MAX;
	return ldexp(bound_fraction(part, schema), (int)MAX_OF(MIN_OF(exp, 2000), -2000) + 1);
}

double hist_bound(const struct hist *h, int32_t index)
{
	if (h->schema != HIST_SCHEMA_CUSTOM)
		return bound_exponential(index, h->schema);
	if (index < 0)
		return -INFINITY;
	return (uint32_t)index < h->n_custom ? h->custom[index] : INFINITY;
}

int32_t hist_index(double v, int32_t schema)
{
	struct hist probe = {.schema = schema};
	int exp;
	double frac;
	int32_t i, past = isinf(v) ? 1 : 0;

	if (isinf(v))
		v = DBL_MAX;   /* its bucket is the one after the largest number's */
	frac = frexp(v, &exp); /* v = frac * 2^exp, frac in [0.5, 1) */
	if (schema <= 0) {
		int64_t e = frac == 0.5 ? exp - 1 : exp;
		int64_t width = INT64_C(1) << -schema;

		return (int32_t)-i64_floor_div(-e, width) + past;
	}
	i = (int32_t)ceil((log2(frac) + exp) * (double)(1 << schema));
	/* log2 rounds: settle on the bucket whose bounds really hold v */
	while (hist_bound(&probe, i - 1) >= v)
		i--;
	while (hist_bound(&probe, i) < v)
		i++;
	return i + past;
}
