/* SPDX-License-Identifier: Apache-2.0 */
/* hist_quantile - quantiles and fractions of native and classic histograms and of plain values;
 * see hist_buckets.h. */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/stop.h"
#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"

/* Counts smaller apart than this are the same: rounding of sums of rates. */
#define SAME_COUNT 1e-12

/* Without observations on one side the zero bucket ends at zero. */
static void one_sided_zero(const struct hist *h, struct hist_bucket *b)
{
	if (h->neg.n_counts == 0 && h->pos.n_counts > 0)
		b->lower = 0;
	else if (h->pos.n_counts == 0 && h->neg.n_counts > 0)
		b->upper = 0;
}

static double within(const struct hist *h, const struct hist_bucket *b, double fraction)
{
	double low, up;

	if (hist_is_custom(h) || (b->lower <= 0 && b->upper >= 0))
		return b->lower + (b->upper - b->lower) * fraction;
	low = log2(fabs(b->lower));
	up = log2(fabs(b->upper));
	if (b->lower > 0)
		return exp2(low + (up - low) * fraction);
	return -exp2(up + (low - up) * (1 - fraction));
}

/* The bucket that holds the rank, counted from below or from above. */
static size_t find_rank(
	const struct hist_bucket *b, size_t n, bool from_above, double rank, double *count)
{
	size_t at = 0;

	*count = 0;
	for (size_t k = 0; k < n; k++) {
		size_t i = from_above ? n - 1 - k : k;

		at = i;
		if (b[i].count == 0)
			continue;
		*count += b[i].count;
		if (*count >= rank)
			break;
	}
	return at;
}

static double native_quantile(
	const struct hist *h, struct hist_bucket *list, size_t n, double q, enum hist_nan *nan)
{
	bool sum_nan = isnan(h->sum), from_above = !sum_nan && q >= 0.5;
	double rank = (from_above ? 1 - q : q) * h->count, count;
	size_t at = find_rank(list, n, from_above, rank, &count);
	struct hist_bucket b = n > 0 ? list[at] : (struct hist_bucket){0};

	if (!hist_is_custom(h) && b.lower < 0 && b.upper > 0) {
		one_sided_zero(h, &b);
	} else if (hist_is_custom(h)) {
		if (b.lower == -INFINITY) {
			if (b.upper <= 0)
				return b.upper;
			b.lower = 0;
		} else if (b.upper == INFINITY) {
			return b.lower;
		}
	}
	count = MIN_OF(count, h->count);
	if (count < rank) {
		/* more observations than the buckets hold: those of NaN */
		if (!sum_nan)
			return b.upper;
		*nan = HIST_NAN_RESULT;
		return NAN;
	}
	rank = from_above ? count - rank : rank - (count - b.count);
	if (sum_nan) {
		for (size_t i = at + 1; i < n; i++)
			count += list[i].count;
		if (count < h->count)
			*nan = HIST_NAN_SKEW;
	}
	return within(h, &b, rank / b.count);
}

double hist_quantile(struct arena *scratch, double q, const struct hist *h, enum hist_nan *nan)
{
	struct arena_mark mark = arena_mark(scratch);
	struct hist_bucket *b;
	double v;
	size_t n;

	*nan = HIST_NAN_NONE;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (h->count == 0 || isnan(q))
		return NAN;
	b = hist_buckets(scratch, h, &n);
	v = b != NULL ? native_quantile(h, b, n, q, nan) : NAN;
	arena_release(scratch, mark);
	return v;
}

/* Share of a bucket at or below v, which lies strictly inside. */
static double share_below(const struct hist_bucket *b, double v, bool linear)
{
	double low, up, at;

	if (linear)
		return (v - b->lower) / (b->upper - b->lower);
	low = log2(fabs(b->lower));
	up = log2(fabs(b->upper));
	at = log2(fabs(v));
	if (v > 0)
		return (at - low) / (up - low);
	return 1 - (at - up) / (low - up);
}

/* Looks for the rank of one bound while the buckets go by. */
struct rank_of {
	double bound, rank;
	bool set;
};

static void rank_step(struct rank_of *r, const struct hist_bucket *b, double before, bool linear)
{
	if (r->set)
		return;
	if (b->lower >= r->bound) {
		r->rank = before;
		r->set = true;
	} else if (b->upper > r->bound) {
		if (linear && b->lower == -INFINITY)
			r->rank = b->count;
		else
			r->rank = before + b->count * share_below(b, r->bound, linear);
		r->set = true;
	}
}

double hist_fraction(
	struct arena *scratch, double lower, double upper, const struct hist *h, bool *nans)
{
	struct arena_mark mark = arena_mark(scratch);
	struct rank_of lo = {.bound = lower}, up = {.bound = upper};
	double before = 0, total = 0;
	struct hist_bucket *b;
	size_t n;

	*nans = false;
	if (h->count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	b = hist_buckets(scratch, h, &n);
	for (size_t i = 0; i < n; i++) {
		bool linear = hist_is_custom(h);

		total += b[i].count;
		if (b[i].lower <= 0 && b[i].upper >= 0) {
			linear = true;
			one_sided_zero(h, &b[i]);
		}
		rank_step(&lo, &b[i], before, linear);
		rank_step(&up, &b[i], before, linear);
		before += b[i].count;
	}
	arena_release(scratch, mark);
	if (isnan(h->sum))
		*nans = total < h->count;
	else
		total = h->count;
	if (!lo.set || lo.rank > total)
		lo.rank = total;
	if (!up.set || up.rank > total)
		up.rank = total;
	return (up.rank - lo.rank) / h->count;
}

static int by_upper(const void *a, const void *b)
{
	const struct classic_bucket *x = a, *y = b;

	return x->upper < y->upper ? -1 : x->upper > y->upper;
}

/* Sorted, equal bounds added up. */
static size_t classic_prepare(struct classic_bucket *b, size_t n)
{
	size_t w = 0, i = 1;

	while (i < n && b[i - 1].upper <= b[i].upper)
		i++;
	if (i < n)
		stop_sort(b, n, sizeof *b, by_upper);
	for (i = 1; i < n; i++) {
		if (b[i].upper == b[w].upper)
			b[w].count += b[i].count;
		else
			b[++w] = b[i];
	}
	return w + 1;
}

static bool almost_equal(double a, double b)
{
	double sum = fabs(a) + fabs(b), diff = fabs(a - b);

	if (a == b)
		return true;
	if (a == 0 || b == 0 || sum < 0x1p-1022)
		return diff < SAME_COUNT * 0x1p-1022;
	return diff / MIN_OF(sum, 1.7976931348623157e308) < SAME_COUNT;
}

static void make_monotonic(struct classic_bucket *b, size_t n, struct classic_fix *fix)
{
	double prev = b[0].count;

	*fix = (struct classic_fix){.min_bucket = INFINITY, .max_bucket = -INFINITY};
	for (size_t i = 1; i < n; i++) {
		double cur = b[i].count;

		if (cur == prev)
			continue;
		if (almost_equal(prev, cur)) {
			b[i].count = prev;
		} else if (cur < prev) {
			b[i].count = prev;
			fix->forced = true;
			fix->min_bucket = fmin(fix->min_bucket, b[i].upper);
			fix->max_bucket = fmax(fix->max_bucket, b[i].upper);
			fix->max_diff = fmax(fix->max_diff, prev - cur);
		} else {
			prev = cur;
		}
	}
}

double classic_quantile(double q, struct classic_bucket *b, size_t n, struct classic_fix *fix)
{
	double rank, start = 0, count;
	size_t at = 0;

	*fix = (struct classic_fix){0};
	if (isnan(q))
		return NAN;
	if (q < 0 || q > 1)
		return q < 0 ? -INFINITY : INFINITY;
	n = classic_prepare(b, n);
	if (b[n - 1].upper != INFINITY)
		return NAN;
	make_monotonic(b, n, fix);
	if (n < 2 || b[n - 1].count == 0)
		return NAN;
	rank = q * b[n - 1].count;
	while (at < n - 1 && !(b[at].count >= rank))
		at++;
	if (at == n - 1)
		return b[n - 2].upper;
	if (at == 0 && b[0].upper <= 0)
		return b[0].upper;
	count = b[at].count;
	if (at > 0) {
		start = b[at - 1].upper;
		count -= b[at - 1].count;
		rank -= b[at - 1].count;
	}
	return start + (b[at].upper - start) * (rank / count);
}

static double classic_rank(const struct classic_bucket *b, size_t n, double bound)
{
	double below = 0, low = b[0].upper <= 0 ? -INFINITY : 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			low = b[i - 1].upper;
		if (low >= bound)
			return below;
		if (b[i].upper > bound) {
			if (low == -INFINITY)
				return b[i].count;
			return below + (b[i].count - below) * (bound - low) / (b[i].upper - low);
		}
		below = b[i].count;
	}
	return INFINITY;
}

double classic_fraction(double lower, double upper, struct classic_bucket *b, size_t n)
{
	double count, lo, up;

	n = classic_prepare(b, n);
	if (b[n - 1].upper != INFINITY)
		return NAN;
	count = b[n - 1].count;
	if (count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	lo = classic_rank(b, n, lower);
	up = classic_rank(b, n, upper);
	return (MIN_OF(up, count) - MIN_OF(lo, count)) / count;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void swap(double *a, double *b)
{
	double t = *a;

	*a = *b;
	*b = t;
}

/* Partition around the median of three: below *l smaller or equal ones, above *r greater or equal
 * ones, between them the pivot. */
static void partition(double *v, size_t n, size_t *l, size_t *r)
{
	double *mid = &v[n / 2], pivot;
	size_t i = 0, j = n - 1;

	if (*mid < v[0])
		swap(mid, &v[0]);
	if (v[n - 1] < v[0])
		swap(&v[n - 1], &v[0]);
	if (v[n - 1] < *mid)
		swap(&v[n - 1], mid);
	pivot = *mid;
	for (;;) {
		while (v[i] < pivot)
			i++;
		while (v[j] > pivot)
			j--;
		if (i >= j)
			break;
		swap(&v[i++], &v[j--]);
	}
	*l = i; /* v[0..i) <= pivot <= v[i..) */
	*r = i == j ? i + 1 : i;
}

/* Bring the k-th smallest to its place, none greater before it (Hoare's selection); a sort when
 * pivots keep being bad. No NaN among them. */
static void select_nth(double *v, size_t n, size_t k)
{
	for (unsigned rounds = 0; n > 16; rounds++) {
		size_t l, r;

		if (rounds > 48)
			break;
		partition(v, n, &l, &r);
		if (k < l) {
			n = l;
		} else if (k >= r) {
			v += r;
			n -= r;
			k -= r;
		} else {
			return;
		}
	}
	stop_sort(v, n, sizeof *v, by_value);
}

double values_quantile(double q, double *v, size_t n)
{
	double rank, weight, next;
	size_t low, nans = 0;

	if (n == 0 || isnan(q))
		return NAN;
	if (q < 0 || q > 1)
		return q < 0 ? -INFINITY : INFINITY;
	for (size_t i = 0; i < n; i++) {
		if (isnan(v[i]))
			swap(&v[i], &v[nans++]); /* NaN counts as smallest */
	}
	rank = q * (double)(n - 1);
	low = (size_t)floor(rank);
	weight = rank - floor(rank);
	if (low >= nans)
		select_nth(v + nans, n - nans, low - nans);
	next = v[low];
	if (low + 1 < n) {
		/* the smallest of what lies above */
		size_t from = MAX_OF(low + 1, nans);

		next = low + 1 < nans ? v[low + 1] : v[from];
		for (size_t i = from; low + 1 >= nans && i < n; i++)
			next = v[i] < next ? v[i] : next;
	}
	return v[low] * (1 - weight) + next * weight;
}
