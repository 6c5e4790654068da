/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist_trim - h </ x and h >/ x: keep the observations below or above a value; see hist_buckets.h.
 *
 * A bucket that the value cuts is interpolated; count and sum of what stays are estimated from
 * the middle of each bucket. Buckets that reach to infinity cannot be split: they go, unless their
 * other end says on which side their observations lie.
 */
#include <math.h>

#include "base/num.h"
#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"

struct cut {
	double at;
	bool upper;  /* keep what is below */
	bool custom; /* linear */
	bool trimmed;
	double count, sum;
};

/* What stays of one bucket, and where its observations are taken to lie. */
struct kept {
	double count, middle;
};

static double middle(double low, double up, bool positive, bool linear)
{
	if (isinf(low)) {
		if (isinf(up))
			return 0;
		return up > 0 ? up / 2 : up;
	}
	if (isinf(up))
		return low;
	if (linear)
		return (low + up) / 2;
	return copysign(sqrt(fabs(low * up)), positive ? 1 : -1);
}

/* A bucket from -Inf. When it ends above zero its observations count as positive. */
static struct kept cut_low_open(const struct cut *c, const struct hist_bucket *b)
{
	bool ends = b->upper > 0 && isfinite(b->upper);

	if (c->upper) {
		if (c->at >= b->upper)
			return (struct kept){b->count, 0};
		if (c->at > 0 && ends)
			return (struct kept){b->count * c->at / b->upper, c->at / 2};
		if (b->upper <= 0)
			return (struct kept){b->count, c->at};
	} else {
		if (c->at <= b->lower)
			return (struct kept){b->count, 0};
		if (c->at >= 0 && b->upper > c->at && isfinite(b->upper))
			return (struct kept){
				b->count * (1 - c->at / b->upper), (c->at + b->upper) / 2};
	}
	return (struct kept){0, isinf(b->upper) ? 0 : b->upper};
}

static struct kept cut_bucket(const struct cut *c, const struct hist_bucket *b, bool positive)
{
	double below;

	if (b->lower == -INFINITY)
		return cut_low_open(c, b);
	if (b->upper == INFINITY) {
		if (!c->upper && c->at >= b->lower)
			return (struct kept){b->count, c->at};
		return (struct kept){0, 0};
	}
	if (c->custom) {
		below = (c->at - b->lower) / (b->upper - b->lower);
	} else {
		double low = log2(fabs(b->lower)), up = log2(fabs(b->upper));
		double at = log2(fabs(c->at));

		below = c->at > 0 ? (at - low) / (up - low) : 1 - (at - up) / (low - up);
	}
	if (c->upper)
		return (struct kept){
			b->count * below, middle(b->lower, c->at, positive, c->custom)};
	return (struct kept){
		b->count - b->count * below, middle(c->at, b->upper, positive, c->custom)};
}

static struct kept cut_zero(const struct cut *c, const struct hist *h, bool has_neg, bool has_pos)
{
	double low = has_pos && !has_neg ? 0 : -h->zero_threshold;
	double up = has_neg && !has_pos ? 0 : h->zero_threshold;
	struct kept all = {h->zero_count, (low + up) / 2}, none = {0, 0};

	if (c->at <= low)
		return c->upper ? none : all;
	if (c->at >= up)
		return c->upper ? all : none;
	if (c->upper)
		return (struct kept){
			h->zero_count * ((c->at - low) / (up - low)), (low + c->at) / 2};
	return (struct kept){h->zero_count * ((up - c->at) / (up - low)), (c->at + up) / 2};
}

/* Cut one side; true when it had any observations. */
static bool cut_side(struct cut *c, const struct hist *h, struct hacc_side *s, bool positive)
{
	bool any = false;

	for (uint32_t i = 0; i < s->n; i++) {
		double up = hacc_bound(h, s->idx[i]), low = hacc_bound(h, (int64_t)s->idx[i] - 1);
		struct hist_bucket b = {.lower = positive ? low : -up,
			.upper = positive ? up : -low,
			.count = s->cnt[i]};
		struct kept k = {0, 0};

		if (b.count == 0)
			continue;
		any = true;
		if (c->upper ? b.upper <= c->at : b.lower >= c->at)
			k = (struct kept){b.count, middle(b.lower, b.upper, positive, c->custom)};
		else if (c->upper ? b.lower < c->at : b.upper > c->at)
			k = cut_bucket(c, &b, positive);
		c->count += k.count;
		c->sum += k.middle * k.count;
		if (k.count != s->cnt[i]) {
			s->cnt[i] = k.count;
			c->trimmed = true;
		}
	}
	return any;
}

const struct hist *hist_trim(struct arena *out, const struct hist *h, double at, bool upper)
{
	struct cut c = {.at = at, .upper = upper, .custom = hist_is_custom(h)};
	struct hacc acc;
	bool has_pos, has_neg;

	hacc_init(&acc, out, h);
	if (out->failed)
		return NULL;
	has_pos = cut_side(&c, h, &acc.pos, true);
	has_neg = cut_side(&c, h, &acc.neg, false);
	if (h->zero_count > 0) {
		struct kept k = cut_zero(&c, h, has_neg, has_pos);

		c.trimmed |= k.count != h->zero_count;
		acc.zero_count = k.count;
		c.count += k.count;
		c.sum += k.middle * k.count;
	}
	if (c.trimmed) {
		acc.count = c.count;
		acc.sum = c.sum;
	}
	return hacc_done(&acc, out);
}
