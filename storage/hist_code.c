/* SPDX-License-Identifier: Apache-2.0 */
/* hist_code - layouts, and counts as changes of the histogram before; see hist_code.h. */
#include "storage/hist_code.h"

#include <string.h>

#include "base/limits.h"
#include "base/num.h"

enum {
	FLAG_SAME_LAYOUT = 1,
	FLAG_COUNTS_INT = 2, /* all counts here and before are integers: varints */
	FLAG_RESET_SHIFT = 2,
	FLAG_RESET_MASK = 3 << FLAG_RESET_SHIFT,
	FLAG_IS_INT = 16,
};

static bool same_spans(const struct hist_side *a, const struct hist_side *b)
{
	return a->n_spans == b->n_spans && a->n_counts == b->n_counts &&
	       (a->n_spans == 0 || memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) == 0);
}

bool hist_code_same_layout(const struct hist *a, const struct hist *b)
{
	return a->schema == b->schema && a->is_int == b->is_int &&
	       f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
	       same_spans(&a->pos, &b->pos) && same_spans(&a->neg, &b->neg) &&
	       a->n_custom == b->n_custom &&
	       (a->n_custom == 0 ||
		       memcmp(a->custom, b->custom, a->n_custom * sizeof *a->custom) == 0);
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static void put_f64(struct buf *b, double v)
{
	uint64_t u = f64_bits(v);

	buf_add(b, &u, sizeof u);
}

static void put_spans(struct buf *b, const struct hist_side *s)
{
	buf_varint(b, s->n_spans);
	for (uint32_t i = 0; i < s->n_spans; i++) {
		buf_varint(b, zigzag(s->spans[i].offset));
		buf_varint(b, s->spans[i].length);
	}
}

void hist_code_put_layout(struct buf *b, const struct hist *h)
{
	buf_ch(b, h->is_int ? 1 : 0);
	buf_varint(b, zigzag(h->schema));
	put_f64(b, h->zero_threshold);
	put_spans(b, &h->pos);
	put_spans(b, &h->neg);
	buf_varint(b, h->n_custom);
	buf_add(b, h->custom, h->n_custom * sizeof *h->custom);
}

static bool get_spans(struct rd *r, struct hist_side *s, struct arena *a)
{
	uint64_t n = rd_varint(r), counts = 0;
	struct hist_span *spans;

	if (r->bad || n > LIMIT_HIST_SPANS || n > rd_left(r))
		return false;
	spans = ARENA_ARRAY(a, n, struct hist_span);
	if (spans == NULL)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		int64_t off = rd_zigzag(r);
		uint64_t len = rd_varint(r);

		if (r->bad || off > INT32_MAX || off < INT32_MIN || len > LIMIT_HIST_BUCKETS)
			return false;
		spans[i] = (struct hist_span){(int32_t)off, (uint32_t)len};
		counts += len;
		if (counts > LIMIT_HIST_BUCKETS)
			return false;
	}
	s->spans = spans;
	s->n_spans = (uint32_t)n;
	s->n_counts = (uint32_t)counts;
	s->counts = ARENA_ARRAY(a, counts, double);
	return s->counts != NULL;
}

struct hist *hist_code_get_layout(struct rd *r, struct arena *a)
{
	struct hist *h = ARENA_NEW(a, struct hist);
	uint8_t is_int = rd_u8(r);
	int64_t schema = rd_zigzag(r);
	uint64_t n;
	double *custom;

	if (h == NULL || r->bad || is_int > 1 || schema > HIST_SCHEMA_MAX ||
		schema < HIST_SCHEMA_CUSTOM)
		return NULL;
	h->is_int = is_int != 0;
	h->schema = (int32_t)schema;
	h->zero_threshold = f64_from_bits(rd_fixed64(r));
	if (!get_spans(r, &h->pos, a) || !get_spans(r, &h->neg, a))
		return NULL;
	n = rd_varint(r);
	if (r->bad || n > LIMIT_HIST_CUSTOM || n * sizeof *custom > rd_left(r))
		return NULL;
	custom = ARENA_ARRAY(a, n, double);
	if (custom == NULL)
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		custom[i] = f64_from_bits(rd_fixed64(r));
	h->custom = custom;
	h->n_custom = (uint32_t)n;
	return h;
}

/* count, zero_count, then the buckets: one list of numbers. */
static size_t numbers(const struct hist *h)
{
	return 2 + (size_t)h->pos.n_counts + h->neg.n_counts;
}

static double number(const struct hist *h, size_t i)
{
	if (i == 0)
		return h->count;
	if (i == 1)
		return h->zero_count;
	i -= 2;
	return i < h->pos.n_counts ? h->pos.counts[i] : h->neg.counts[i - h->pos.n_counts];
}

static bool is_exact(double v)
{
	return v >= -9007199254740992.0 && v <= 9007199254740992.0 &&
	       f64_bits((double)(int64_t)v) == f64_bits(v);
}

static bool all_exact(const struct hist *h)
{
	for (size_t i = 0; i < numbers(h); i++) {
		if (!is_exact(number(h, i)))
			return false;
	}
	return true;
}

static void put_ints(struct buf *b, const struct hist *h, const struct hist *prev)
{
	size_t n = numbers(h), zeros = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t d = (int64_t)number(h, i) - (prev ? (int64_t)number(prev, i) : 0);

		if (d == 0) {
			zeros++;
			continue;
		}
		if (zeros > 0) {
			buf_ch(b, 0);
			buf_varint(b, zeros);
			zeros = 0;
		}
		buf_varint(b, zigzag(d));
	}
	if (zeros > 0) {
		buf_ch(b, 0);
		buf_varint(b, zeros);
	}
}

void hist_code_put(struct buf *b, const struct hist *h, const struct hist *prev)
{
	bool same = prev != NULL && hist_code_same_layout(h, prev);
	bool exact = all_exact(h) && (!same || all_exact(prev));
	int flags = (same ? FLAG_SAME_LAYOUT : 0) | (exact ? FLAG_COUNTS_INT : 0) |
		    ((h->reset & 3) << FLAG_RESET_SHIFT) | (h->is_int ? FLAG_IS_INT : 0);

	buf_ch(b, (char)flags);
	if (!same)
		hist_code_put_layout(b, h);
	put_f64(b, h->sum);
	if (exact) {
		put_ints(b, h, same ? prev : NULL);
		return;
	}
	put_f64(b, h->count);
	put_f64(b, h->zero_count);
	buf_add(b, h->pos.counts, h->pos.n_counts * sizeof *h->pos.counts);
	buf_add(b, h->neg.counts, h->neg.n_counts * sizeof *h->neg.counts);
}

static bool get_numbers(struct rd *r, double *list, size_t n, bool exact, const struct hist *prev)
{
	size_t i = 0;

	if (!exact) {
		for (; i < n && !r->bad; i++)
			list[i] = f64_from_bits(rd_fixed64(r));
		return !r->bad;
	}
	while (i < n && !r->bad) {
		uint64_t u = rd_varint(r);
		uint64_t zeros = u == 0 ? rd_varint(r) : 1;
		int64_t d = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);

		if (r->bad || zeros == 0 || zeros > n - i)
			return false;
		for (; zeros > 0; zeros--, i++) {
			double base = prev != NULL ? number(prev, i) : 0;
			int64_t sum;

			if (!is_exact(base) || i64_add((int64_t)base, d, &sum))
				return false;
			list[i] = (double)sum;
		}
	}
	return !r->bad;
}

static struct hist *same_layout_copy(const struct hist *prev, struct arena *a)
{
	struct hist *h = ARENA_NEW(a, struct hist);

	if (h == NULL)
		return NULL;
	*h = *prev; /* spans and bounds are shared: same arena as prev or outliving it */
	return h;
}

struct hist *hist_code_get(struct rd *r, const struct hist *prev, struct arena *a)
{
	uint8_t flags = rd_u8(r);
	bool same = (flags & FLAG_SAME_LAYOUT) != 0;
	struct hist *h;
	struct err e;
	double *list;
	size_t n;

	if (r->bad || (same && prev == NULL))
		return NULL;
	h = same ? same_layout_copy(prev, a) : hist_code_get_layout(r, a);
	if (h == NULL)
		return NULL;
	h->reset = (uint8_t)((flags & FLAG_RESET_MASK) >> FLAG_RESET_SHIFT);
	h->is_int = (flags & FLAG_IS_INT) != 0;
	h->sum = f64_from_bits(rd_fixed64(r));
	n = numbers(h);
	list = ARENA_ARRAY(a, n, double);
	if (list == NULL ||
		!get_numbers(r, list, n, (flags & FLAG_COUNTS_INT) != 0, same ? prev : NULL))
		return NULL;
	h->count = list[0];
	h->zero_count = list[1];
	h->pos.counts = list + 2;
	h->neg.counts = list + 2 + h->pos.n_counts;
	return hist_check(h, &e) == 0 ? h : NULL;
}
