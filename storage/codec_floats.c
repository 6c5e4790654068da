/* SPDX-License-Identifier: Apache-2.0 */
/* codec_floats - integers, decimals, XOR, plain; see codec_floats.h. */
#include "storage/codec_floats.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "storage/codec_ints.h"

#define DECIMALS     9u                 /* powers of ten tried */
#define EXACT_MAX    9007199254740992.0 /* 2^53 */
#define LIST_PERCENT 8u                 /* at most n / this + 2 values in the list of exceptions */

static const double tens[DECIMALS + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* v as m / 10^scale, exactly. */
static bool scaled(double v, unsigned scale, int64_t *m)
{
	double x = v * tens[scale];

	if (!(x > -EXACT_MAX && x < EXACT_MAX))
		return false;
	*m = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
	return f64_bits((double)*m / tens[scale]) == f64_bits(v);
}

/* The smallest scale that fits nearly all of a sample of the values; DECIMALS + 1: none does. */
static unsigned find_scale(const double *v, size_t n)
{
	size_t step = n / 32 + 1, misses = 0, tried = 0;
	unsigned scale = 0;
	int64_t m;

	for (size_t i = 0; i < n; i += step) {
		tried++;
		if (scaled(v[i], scale, &m))
			continue;
		for (unsigned s = scale + 1; s <= DECIMALS; s++) {
			if (scaled(v[i], s, &m)) {
				scale = s;
				break;
			}
			if (s == DECIMALS)
				misses++;
		}
		if (misses > tried / LIST_PERCENT + 2)
			return DECIMALS + 1;
	}
	return scale;
}

/* Integers at a scale; false when too many values don't fit. An odd value repeats its
 * predecessor. */
static bool to_ints(const double *v, size_t n, unsigned scale, int64_t *out, size_t *odd)
{
	int64_t last = 0;

	*odd = 0;
	for (size_t i = 0; i < n; i++) {
		if (scaled(v[i], scale, &out[i])) {
			last = out[i];
			continue;
		}
		out[i] = last;
		if (++*odd > n / LIST_PERCENT + 2)
			return false;
	}
	return true;
}

static void put_scaled(
	struct buf *b, const double *v, size_t n, unsigned scale, int64_t *ints, size_t odd)
{
	size_t last = 0;
	int64_t m;

	buf_ch(b, (char)(scale == 0 ? FLOATS_INT : FLOATS_DECIMAL));
	if (scale > 0)
		buf_ch(b, (char)scale);
	buf_varint(b, odd);
	for (size_t i = 0; i < n && odd > 0; i++) {
		uint64_t bits = f64_bits(v[i]);

		if (scaled(v[i], scale, &m))
			continue;
		buf_varint(b, i - last);
		last = i;
		buf_add(b, &bits, sizeof bits);
	}
	ints_put(b, ints, n);
}

/* --- XOR --- */

struct bit_writer {
	struct buf *b;
	uint64_t acc;
	unsigned n;
};

static void put_bits(struct bit_writer *w, uint64_t v, unsigned n)
{
	while (n > 0) {
		unsigned part = MIN_OF(n, 32u);
		uint64_t piece = (v >> (n - part)) & ((UINT64_C(1) << part) - 1);

		w->acc = w->acc << part | piece;
		w->n += part;
		n -= part;
		while (w->n >= 8) {
			w->n -= 8;
			buf_ch(w->b, (char)(w->acc >> w->n));
		}
	}
}

static void put_xor(struct buf *b, const double *v, size_t n)
{
	struct bit_writer w = {.b = b};
	uint64_t last = n > 0 ? f64_bits(v[0]) : 0;
	unsigned lead = 65, trail = 0;

	buf_ch(b, FLOATS_XOR);
	buf_add(b, &last, sizeof last);
	for (size_t i = 1; i < n; i++) {
		uint64_t bits = f64_bits(v[i]), x = bits ^ last;
		unsigned l, t;

		last = bits;
		if (x == 0) {
			put_bits(&w, 0, 1);
			continue;
		}
		l = MIN_OF((unsigned)__builtin_clzll(x), 31u);
		t = (unsigned)__builtin_ctzll(x);
		/* a window that holds it and wastes less than a new one costs */
		if (lead <= l && trail <= t && (l - lead) + (t - trail) < 11) {
			put_bits(&w, 2, 2);
			put_bits(&w, x >> trail, 64 - lead - trail);
			continue;
		}
		lead = l;
		trail = t;
		put_bits(&w, 3, 2);
		put_bits(&w, lead, 5);
		put_bits(&w, 63 - lead - trail, 6);
		put_bits(&w, x >> trail, 64 - lead - trail);
	}
	if (w.n > 0)
		put_bits(&w, 0, 8 - w.n);
}

enum floats_mode floats_put(struct buf *b, const double *v, size_t n, int64_t *scratch)
{
	size_t at = b->n, odd, size;
	unsigned scale = find_scale(v, n);
	enum floats_mode mode = FLOATS_XOR;

	if (scale <= DECIMALS && to_ints(v, n, scale, scratch, &odd)) {
		put_scaled(b, v, n, scale, scratch, odd);
		mode = scale == 0 ? FLOATS_INT : FLOATS_DECIMAL;
		size = b->n - at;
		if (b->failed || size <= n * 3 / 2 + 12)
			return mode; /* XOR can't be much smaller: don't try */
	} else {
		size = SIZE_MAX;
	}
	{
		size_t middle = b->n;

		put_xor(b, v, n);
		if (b->failed || b->n - middle >= size) {
			b->n = middle;
		} else if (size != SIZE_MAX) {
			memmove(b->p + at, b->p + middle, b->n - middle);
			b->n -= middle - at;
			mode = FLOATS_XOR;
		}
	}
	if (!b->failed && b->n - at > n * sizeof *v + 1) {
		b->n = at;
		buf_ch(b, FLOATS_PLAIN);
		buf_add(b, v, n * sizeof *v);
		mode = FLOATS_PLAIN;
	}
	return mode;
}

/* --- reading --- */

/* Four at a time: the loop itself would be half of it. */
static void to_floats(const int64_t *v, size_t n, double ten, double *out)
{
	size_t i = 0;

	if (ten == 1) {
		for (; i + 4 <= n; i += 4) {
			out[i] = (double)v[i];
			out[i + 1] = (double)v[i + 1];
			out[i + 2] = (double)v[i + 2];
			out[i + 3] = (double)v[i + 3];
		}
	} else {
		for (; i + 2 <= n; i += 2) {
			double __attribute__((vector_size(16)))
			x = {(double)v[i], (double)v[i + 1]};

			x /= ten;
			memcpy(out + i, &x, sizeof x);
		}
	}
	for (; i < n; i++)
		out[i] = (double)v[i] / ten;
}

static bool get_scaled(struct rd *r, unsigned scale, double *out, size_t n, int64_t *scratch)
{
	uint64_t odd = rd_varint(r);
	struct rd list = *r;
	size_t i;

	if (r->bad || odd > n || scale > DECIMALS)
		return false;
	for (uint64_t k = 0; k < odd; k++) {
		(void)rd_varint(r);
		(void)rd_fixed64(r);
	}
	if (r->bad || !ints_get(r, scratch, n))
		return false;
	to_floats(scratch, n, tens[scale], out);
	i = 0;
	for (uint64_t k = 0; k < odd; k++) {
		uint64_t step = rd_varint(&list);

		if (step >= n - i)
			return false;
		i += step;
		out[i] = f64_from_bits(rd_fixed64(&list));
	}
	return true;
}

/* Bits from the high end of `acc`; n of them are loaded. */
struct bit_reader {
	const uint8_t *p, *end;
	uint64_t acc;
	unsigned n;
	bool bad;
};

/* At least 56 bits, or all that are left. */
static inline void load_bits(struct bit_reader *r)
{
	uint64_t u;

	if (r->end - r->p >= 8) {
		memcpy(&u, r->p, sizeof u);
		r->acc |= __builtin_bswap64(u) >> r->n;
		r->p += (63 - r->n) >> 3;
		r->n |= 56;
		return;
	}
	for (; r->n <= 56 && r->p < r->end; r->n += 8)
		r->acc |= (uint64_t)*r->p++ << (56 - r->n);
}

/* The n bits behind the first `skip`, of those that are loaded: n > 0, skip + n <= 56. */
static inline uint64_t peek_bits(const struct bit_reader *r, unsigned skip, unsigned n)
{
	return r->acc << skip >> (64 - n);
}

static inline void skip_bits(struct bit_reader *r, unsigned n)
{
	r->bad |= n > r->n;
	r->acc <<= n;
	r->n -= r->bad ? 0 : n;
}

/* 57 to 64 bits behind the first `skip`. */
static uint64_t long_bits(struct bit_reader *r, unsigned skip, unsigned n)
{
	uint64_t high;

	skip_bits(r, skip);
	load_bits(r);
	high = peek_bits(r, 0, 32);
	skip_bits(r, 32);
	load_bits(r);
	n -= 32;
	high = high << n | peek_bits(r, 0, n);
	skip_bits(r, n);
	return high;
}

static bool get_xor(struct rd *r, double *out, size_t n)
{
	uint64_t last = rd_fixed64(r), x;
	struct bit_reader b = {.p = r->p, .end = r->end};
	unsigned lead = 0, len = 0, head;

	if (r->bad)
		return false;
	out[0] = f64_from_bits(last);
	for (size_t i = 1; i < n; i++) {
		load_bits(&b);
		if ((int64_t)b.acc >= 0) { /* 0: the same */
			skip_bits(&b, 1);
			out[i] = f64_from_bits(last);
			continue;
		}
		head = 2; /* 10: as many bits at the same place as before */
		if (b.acc >> 62 == 3) {
			head = 13;
			lead = (unsigned)peek_bits(&b, 2, 5);
			len = (unsigned)peek_bits(&b, 7, 6) + 1;
		}
		if (len == 0 || lead + len > 64)
			return false;
		if (head + len <= 56) {
			x = peek_bits(&b, head, len);
			skip_bits(&b, head + len);
		} else {
			x = long_bits(&b, head, len);
		}
		last ^= x << (64 - lead - len);
		out[i] = f64_from_bits(last);
	}
	r->p = b.p - b.n / 8; /* whole bytes that were loaded and not used */
	return !b.bad;
}

bool floats_get(struct rd *r, double *out, size_t n, int64_t *scratch)
{
	struct str s;

	switch (rd_u8(r)) {
	case FLOATS_INT: return get_scaled(r, 0, out, n, scratch);
	case FLOATS_DECIMAL: {
		unsigned scale = rd_u8(r);

		return scale > 0 && get_scaled(r, scale, out, n, scratch);
	}
	case FLOATS_XOR: return n > 0 && get_xor(r, out, n);
	case FLOATS_PLAIN:
		s = rd_bytes(r, (uint64_t)n * sizeof *out);
		if (r->bad)
			return false;
		memcpy(out, s.p, s.n);
		return true;
	default: return false;
	}
}
