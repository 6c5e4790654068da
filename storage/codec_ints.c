/* SPDX-License-Identifier: Apache-2.0 */
/* codec_ints - choosing a transform, packing blocks with exceptions; see codec_ints.h. */
#include "storage/codec_ints.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/uninit.h"

#define BLOCK 128u

enum { HEAD_ORDER = 3, HEAD_DIVISOR = 4 };

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static unsigned bits_of(uint64_t v)
{
	return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

static size_t varint_bytes(uint64_t v)
{
	return v == 0 ? 1 : (bits_of(v) + 6) / 7;
}

/* Differences of the given order of v[from..from+n), wrapping. Below `order` the column's own first
 * values stand: they are written apart and count as 0 here. */
static void differences(const int64_t *v, size_t from, size_t n, unsigned order, int64_t *out)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = from + i;
		uint64_t x = (uint64_t)v[k];

		if (order > 0 && k < order) {
			out[i] = 0;
			continue;
		}
		if (order == 1)
			x -= (uint64_t)v[k - 1];
		else if (order == 2)
			x = x - 2 * (uint64_t)v[k - 1] + (uint64_t)v[k - 2];
		out[i] = (int64_t)x;
	}
}

struct plan {
	int64_t base;
	unsigned width, exceptions;
	size_t bytes;
};

/* The width at which packed bits and exceptions together are smallest. */
static struct plan plan_block(const int64_t *d, size_t n)
{
	unsigned count[65] = {0}, over = 0;
	struct plan p = {.base = d[0], .bytes = SIZE_MAX};
	size_t over_bytes = 0, head;

	for (size_t i = 1; i < n; i++)
		p.base = MIN_OF(p.base, d[i]);
	for (size_t i = 0; i < n; i++)
		count[bits_of((uint64_t)d[i] - (uint64_t)p.base)]++;
	head = 1 + varint_bytes(zigzag(p.base));
	for (unsigned w = 64;; w--) {
		size_t bytes = head + (n * w + 7) / 8 + (over > 0 ? 1 + over_bytes : 0);

		if (bytes < p.bytes) {
			p.bytes = bytes;
			p.width = w;
			p.exceptions = over;
		}
		if (w == 0 || over + count[w] > BLOCK)
			break;
		/* going below w makes these exceptions: an index and the bits above */
		over += count[w];
		over_bytes += count[w] * 2;
		if (over > 0)
			over_bytes += over / 7; /* high parts grow a bit per step */
	}
	return p;
}

static void pack(struct buf *b, const int64_t *d, size_t n, const struct plan *p)
{
	uint64_t mask = p->width == 64 ? UINT64_MAX : (UINT64_C(1) << p->width) - 1;
	size_t bytes = (n * p->width + 7) / 8;
	uint8_t out[BLOCK * 8 + 16] = {0};

	for (size_t i = 0; i < n && p->width > 0; i++) {
		uint64_t x = ((uint64_t)d[i] - (uint64_t)p->base) & mask, low;
		size_t bit = i * p->width, at = bit / 8;
		unsigned shift = bit % 8;

		ASSERT(shift < 8);
		memcpy(&low, out + at, sizeof low);
		low |= x << shift;
		memcpy(out + at, &low, sizeof low);
		if (shift + p->width > 64)
			out[at + 8] = (uint8_t)(x >> 1 >> (63 - shift));
	}
	buf_add(b, out, bytes);
}

static void put_block(struct buf *b, const int64_t *d, size_t n)
{
	struct plan p = plan_block(d, n);
	unsigned over = 0;

	for (size_t i = 0; i < n; i++)
		over += bits_of((uint64_t)d[i] - (uint64_t)p.base) > p.width;
	buf_ch(b, (char)(p.width | (over > 0 ? 0x80u : 0u)));
	buf_varint(b, zigzag(p.base));
	pack(b, d, n, &p);
	if (over == 0)
		return;
	buf_ch(b, (char)over);
	for (size_t i = 0; i < n; i++) {
		uint64_t x = (uint64_t)d[i] - (uint64_t)p.base;

		if (bits_of(x) <= p.width)
			continue;
		buf_ch(b, (char)i);
		buf_varint(b, x >> p.width);
	}
}

static size_t cost(const int64_t *v, size_t n, unsigned order)
{
	size_t bytes = 0;
	int64_t d[BLOCK];

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t m = MIN_OF(n - i, BLOCK);

		differences(v, i, m, order, d);
		bytes += plan_block(d, m).bytes;
	}
	for (unsigned i = 0; i < order && i < n; i++)
		bytes += varint_bytes(zigzag(v[i]));
	return bytes;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* Make the column relative to its first value and divide by what divides all; 1: nothing done. */
static uint64_t divide(int64_t *v, size_t n, int64_t *first)
{
	uint64_t g = 0;
	int64_t d;

	*first = n > 0 ? v[0] : 0;
	for (size_t i = 1; i < n; i++) {
		if (i64_sub(v[i], v[0], &d) || d == INT64_MIN)
			return 1;
		if (d != 0)
			g = gcd((uint64_t)(d < 0 ? -d : d), g);
		if (g == 1)
			return 1;
	}
	if (g <= 1)
		return 1;
	for (size_t i = 0; i < n; i++)
		v[i] = (v[i] - *first) / (int64_t)g;
	return g;
}

void ints_put(struct buf *b, int64_t *v, size_t n)
{
	unsigned order = 0;
	size_t best;
	int64_t d[BLOCK], first;
	uint64_t g = divide(v, n, &first);

	best = cost(v, n, 0);
	for (unsigned o = 1; o <= 2 && n > o; o++) {
		size_t bytes = cost(v, n, o);

		if (bytes < best) {
			best = bytes;
			order = o;
		}
	}
	buf_ch(b, (char)(order | (g > 1 ? HEAD_DIVISOR : 0)));
	if (g > 1) {
		buf_varint(b, g);
		buf_varint(b, zigzag(first));
	}
	for (unsigned i = 0; i < order; i++)
		buf_varint(b, zigzag(v[i]));
	for (size_t i = 0; i < n; i += BLOCK) {
		size_t m = MIN_OF(n - i, BLOCK);

		differences(v, i, m, order, d);
		put_block(b, d, m);
	}
}

/* --- reading --- */

/* Two lanes, for what compilers do not vectorise by themselves at -O2. */
#define LANES __attribute__((vector_size(16)))

static inline void put_pair(uint64_t LANES x, uint64_t mask, uint64_t base, int64_t *out)
{
	x = (x & mask) + base;
	memcpy(out, &x, sizeof x);
}

/* Eight values are `width` bytes: one load holds them. */
static size_t unpack_eights(const uint8_t *p, unsigned width, int64_t base, size_t n, int64_t *out)
{
	uint64_t mask = (UINT64_C(1) << width) - 1, u;
	size_t i = 0;

	for (; i + 8 <= n; i += 8, p += width) {
		uint64_t LANES x;

		memcpy(&u, p, sizeof u);
		x = (uint64_t LANES){u, u >> width};
		put_pair(x, mask, (uint64_t)base, out + i);
		x >>= 2 * width;
		put_pair(x, mask, (uint64_t)base, out + i + 2);
		x >>= 2 * width;
		put_pair(x, mask, (uint64_t)base, out + i + 4);
		x >>= 2 * width;
		put_pair(x, mask, (uint64_t)base, out + i + 6);
	}
	return i;
}

/* Four values and the bits before them in the first byte are at most 64 bits. */
static size_t unpack_fours(const uint8_t *p, unsigned width, int64_t base, size_t n, int64_t *out)
{
	uint64_t mask = (UINT64_C(1) << width) - 1, u;
	size_t i = 0, bit = 0;

	for (; i + 4 <= n; i += 4, bit += 4 * (size_t)width) {
		uint64_t LANES x;

		memcpy(&u, p + bit / 8, sizeof u);
		u >>= bit % 8;
		x = (uint64_t LANES){u, u >> width};
		put_pair(x, mask, (uint64_t)base, out + i);
		x >>= 2 * width;
		put_pair(x, mask, (uint64_t)base, out + i + 2);
	}
	return i;
}

/* Reads up to 8 bytes beyond the packed ones. 0 < width <= 64. */
static void unpack(const uint8_t *p, unsigned width, int64_t base, size_t n, int64_t *out)
{
	uint64_t mask = UINT64_MAX >> (64 - width), x;
	size_t i = 0;

	if (width <= 8)
		i = unpack_eights(p, width, base, n, out);
	else if (width <= 15)
		i = unpack_fours(p, width, base, n, out);
	if (width <= 57) { /* and at most 7 bits before it: one load holds them */
		for (size_t bit = i * width; i < n; i++, bit += width) {
			memcpy(&x, p + bit / 8, sizeof x);
			out[i] = (int64_t)((x >> bit % 8 & mask) + (uint64_t)base);
		}
		return;
	}
	for (size_t bit = 0; i < n; i++, bit += width) {
		unsigned shift = bit % 8;

		memcpy(&x, p + bit / 8, sizeof x);
		x >>= shift;
		if (shift + width > 64)
			x |= (uint64_t)p[bit / 8 + 8] << (64 - shift);
		out[i] = (int64_t)((x & mask) + (uint64_t)base);
	}
}

/* *flat: all n values are *base, and none was written to out. */
static bool get_block(struct rd *r, int64_t *out, size_t n, bool *flat, int64_t *base)
{
	uint8_t UNINIT packed[BLOCK * 8 + 16];
	uint8_t head = rd_u8(r);
	unsigned width = head & 0x7f, over;
	struct str s;

	*base = rd_zigzag(r);
	*flat = head == 0;
	if (r->bad || width > 64)
		return false;
	if (*flat)
		return true;
	if (width == 0) {
		for (size_t i = 0; i < n; i++)
			out[i] = *base;
	} else {
		s = rd_bytes(r, (n * width + 7) / 8);
		if (r->bad)
			return false;
		if (rd_left(r) >= 8) { /* what stands behind is ours to load */
			unpack((const uint8_t *)s.p, width, *base, n, out);
		} else {
			memcpy(packed, s.p, s.n);
			memset(packed + s.n, 0, 16);
			unpack(packed, width, *base, n, out);
		}
	}
	over = (head & 0x80) != 0 ? rd_u8(r) : 0;
	for (; over > 0; over--) {
		unsigned i = rd_u8(r);
		uint64_t high = rd_varint(r);

		if (r->bad || i >= n || width == 64)
			return false;
		out[i] = (int64_t)((uint64_t)out[i] + (high << width));
	}
	return !r->bad;
}

/* From differences back to values: the last value and the step to it, multiplied by the divisor
 * already (sums wrap, so that it makes no difference when). */
struct sums {
	uint64_t x, step, divisor, base;
	unsigned order;
};

/* out[i] = x + (i + 1) * step */
static uint64_t fill_steps(int64_t *out, size_t n, uint64_t x, uint64_t step)
{
	uint64_t LANES two = {x + step, x + 2 * step}, more = two + 2 * step;
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		memcpy(out + i, &two, sizeof two);
		memcpy(out + i + 2, &more, sizeof more);
		two += 4 * step;
		more += 4 * step;
	}
	x += i * step;
	for (; i < n; i++)
		out[i] = (int64_t)(x += step);
	return x;
}

/* n differences that are all the same. */
static void add_flat(struct sums *s, int64_t *out, size_t n, int64_t value)
{
	uint64_t d = (uint64_t)value * s->divisor;

	if (s->order == 0) {
		(void)fill_steps(out, n, d + s->base, 0);
	} else if (s->order == 1) {
		s->x = fill_steps(out, n, s->x, d);
	} else if (d == 0) {
		s->x = fill_steps(out, n, s->x, s->step);
	} else {
		for (size_t i = 0; i < n; i++)
			out[i] = (int64_t)(s->x += s->step += d);
	}
}

/* v: the differences, which give way to the values. */
static void add_up(struct sums *s, int64_t *v, size_t n)
{
	uint64_t x = s->x, step = s->step, divisor = s->divisor;

	if (s->order == 0) {
		for (size_t i = 0; i < n; i++)
			v[i] = (int64_t)((uint64_t)v[i] * divisor + s->base);
	} else if (s->order == 1) {
		for (size_t i = 0; i < n; i++)
			v[i] = (int64_t)(x += (uint64_t)v[i] * divisor);
	} else {
		for (size_t i = 0; i < n; i++)
			v[i] = (int64_t)(x += step += (uint64_t)v[i] * divisor);
	}
	s->x = x;
	s->step = step;
}

static bool get_blocks(struct rd *r, struct sums *s, int64_t *out, size_t n)
{
	unsigned order = s->order;
	int64_t first[2] = {0, 0};

	for (unsigned i = 0; i < order; i++)
		first[i] = (int64_t)((uint64_t)rd_zigzag(r) * s->divisor + s->base);
	if (order > 0) {
		s->x = (uint64_t)first[order - 1];
		s->step = (uint64_t)first[1] - (uint64_t)first[0];
	}
	for (size_t i = 0; i < n; i += BLOCK) {
		size_t m = MIN_OF(n - i, BLOCK), skip = i == 0 ? order : 0;
		int64_t base;
		bool flat;

		if (!get_block(r, out + i, m, &flat, &base))
			return false;
		if (flat)
			add_flat(s, out + i + skip, m - skip, base);
		else if (order > 0 || s->divisor != 1 || s->base != 0)
			add_up(s, out + i + skip, m - skip);
	}
	for (unsigned i = 0; i < order; i++)
		out[i] = first[i];
	return !r->bad;
}

bool ints_get(struct rd *r, int64_t *out, size_t n)
{
	uint8_t head = rd_u8(r);
	struct sums s = {.divisor = 1, .order = head & HEAD_ORDER};

	if ((head & HEAD_DIVISOR) != 0) {
		s.divisor = rd_varint(r);
		s.base = (uint64_t)rd_zigzag(r);
	}
	if (r->bad || head > 7 || s.order > 2 || s.order > n)
		return false;
	if (s.divisor == 1)
		s.base = 0;
	return get_blocks(r, &s, out, n);
}
