/* SPDX-License-Identifier: Apache-2.0 */
/* hist_buckets - bucket lists of native histograms, variance and printing; quantiles are in
 * hist_quantile.c, cutting in hist_trim.c. */
#include "rules/promql/hist_buckets.h"

#include <math.h>

#include "base/f64.h"
#include "rules/promql/hacc.h"

/* `apart`: what overlaps the zero bucket is cut off. */
static struct hist_bucket make(
	const struct hist *h, int64_t idx, double count, bool negative, bool apart)
{
	double up = hacc_bound(h, idx), low = hacc_bound(h, idx - 1);
	struct hist_bucket b = {.count = count};

	b.lower = negative ? -up : low;
	b.upper = negative ? -low : up;
	if (hist_is_custom(h)) {
		b.lower_incl = idx == 0;
		b.upper_incl = true;
	} else {
		b.lower_incl = b.lower < 0;
		b.upper_incl = b.upper > 0;
	}
	if (!apart)
		return b;
	if (b.upper < 0 && b.upper > -h->zero_threshold)
		b.upper = -h->zero_threshold;
	else if (b.lower > 0 && b.lower < h->zero_threshold)
		b.lower = h->zero_threshold;
	return b;
}

/* Buckets of one side, nearest to zero first. */
static size_t side(const struct hist *h, const struct hist_side *s, bool negative, bool apart,
	struct hist_bucket *out)
{
	size_t n = 0;
	int64_t idx = 0;

	for (uint32_t i = 0; i < s->n_spans; i++) {
		idx += s->spans[i].offset;
		for (uint32_t j = 0; j < s->spans[i].length && n < s->n_counts; j++, idx++, n++)
			out[n] = make(h, idx, s->counts[n], negative, apart);
	}
	return n;
}

static struct hist_bucket *list_buckets(
	struct arena *a, const struct hist *h, bool apart, size_t *n)
{
	size_t cap = (size_t)h->neg.n_counts + h->pos.n_counts + 1;
	struct hist_bucket *b = ARENA_ARRAY(a, cap, struct hist_bucket);

	*n = 0;
	if (b == NULL)
		return NULL;
	if (!hist_is_custom(h)) {
		*n = side(h, &h->neg, true, apart, b);
		for (size_t i = 0, j = *n; i + 1 < j; i++, j--) {
			struct hist_bucket t = b[i];

			b[i] = b[j - 1];
			b[j - 1] = t;
		}
		if (h->zero_count > 0 || (!apart && h->zero_count != 0))
			b[(*n)++] = (struct hist_bucket){-h->zero_threshold, h->zero_threshold,
				h->zero_count, true, true, true};
	}
	*n += side(h, &h->pos, false, apart, b + *n);
	return b;
}

struct hist_bucket *hist_buckets(struct arena *a, const struct hist *h, size_t *n)
{
	return list_buckets(a, h, true, n);
}

double hist_variance(struct arena *scratch, const struct hist *h)
{
	struct arena_mark mark = arena_mark(scratch);
	double mean = h->sum / h->count, var = 0, comp = 0;
	size_t n;
	struct hist_bucket *b = hist_buckets(scratch, h, &n);

	for (size_t i = 0; i < n; i++) {
		double at, d;

		if (b[i].count == 0)
			continue;
		if (hist_is_custom(h))
			at = (b[i].upper + b[i].lower) / 2;
		else if (b[i].lower <= 0 && b[i].upper >= 0)
			at = 0;
		else
			at = copysign(sqrt(b[i].upper * b[i].lower), b[i].upper);
		d = at - mean;
		kahan_add(b[i].count * d * d, &var, &comp);
	}
	arena_release(scratch, mark);
	return (var + comp) / h->count;
}

/* The shortest digits; an exponent below 1e-4 and from 1e6 on, as Go's %g has it when no
 * precision is given. */
static void print_g(struct buf *b, double v)
{
	double m = fabs(v);

	if (!isfinite(v) || m == 0 || (m >= 1e-4 && m < 1e6))
		f64_print_plain(b, v);
	else
		f64_print_exp(b, v);
}

void hist_print(struct arena *scratch, struct buf *b, const struct hist *h)
{
	struct arena_mark mark = arena_mark(scratch);
	size_t n;
	struct hist_bucket *list = list_buckets(scratch, h, false, &n);

	buf_c(b, "{count:");
	print_g(b, h->count);
	buf_c(b, ", sum:");
	print_g(b, h->sum);
	for (size_t i = 0; i < n; i++) {
		if (list[i].count == 0)
			continue;
		buf_c(b, list[i].lower_incl ? ", [" : ", (");
		print_g(b, list[i].lower);
		buf_ch(b, ',');
		print_g(b, list[i].upper);
		buf_c(b, list[i].upper_incl ? "]:" : "):");
		print_g(b, list[i].count);
	}
	buf_ch(b, '}');
	arena_release(scratch, mark);
}
