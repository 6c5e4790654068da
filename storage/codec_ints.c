/* SPDX-License-Identifier: Apache-2.0 */
/* codec_ints - choosing a transform, packing blocks with exceptions; see codec_ints.h. */
#include "storage/codec_ints.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"

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

/* Reads up to 8 bytes beyond the packed ones. */
static void unpack(const uint8_t *p, unsigned width, int64_t base, size_t n, int64_t *out)
{
	uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1, x;

	if (width <= 57) { /* and at most 7 bits before it: one load holds them */
		for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
			memcpy(&x, p + bit / 8, sizeof x);
			out[i] = (int64_t)((x >> bit % 8 & mask) + (uint64_t)base);
		}
		return;
	}
	for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
		unsigned shift = bit % 8;

		memcpy(&x, p + bit / 8, sizeof x);
		x >>= shift;
		if (shift + width > 64)
			x |= (uint64_t)p[bit / 8 + 8] << (64 - shift);
		out[i] = (int64_t)((x & mask) + (uint64_t)base);
	}
}

static bool get_block(struct rd *r, int64_t *out, size_t n)
{
	uint8_t packed[BLOCK * 8 + 16], head = rd_u8(r);
	unsigned width = head & 0x7f, over;
	int64_t base = rd_zigzag(r);
	struct str s;

	if (r->bad || width > 64)
		return false;
	if (width == 0) {
		for (size_t i = 0; i < n; i++)
			out[i] = base;
	} else {
		s = rd_bytes(r, (n * width + 7) / 8);
		if (r->bad)
			return false;
		if (rd_left(r) >= 8) { /* what stands behind is ours to load */
			unpack((const uint8_t *)s.p, width, base, n, out);
		} else {
			memcpy(packed, s.p, s.n);
			memset(packed + s.n, 0, 16);
			unpack(packed, width, base, n, out);
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

static void integrate(int64_t *v, size_t n, unsigned order)
{
	uint64_t x = (uint64_t)v[order - 1], step = order == 2 ? x - (uint64_t)v[0] : 0;

	if (order == 1) {
		for (size_t i = 1; i < n; i++)
			v[i] = (int64_t)(x += (uint64_t)v[i]);
		return;
	}
	for (size_t i = 2; i < n; i++) {
		step += (uint64_t)v[i];
		v[i] = (int64_t)(x += step);
	}
}

bool ints_get(struct rd *r, int64_t *out, size_t n)
{
	uint8_t head = rd_u8(r);
	unsigned order = head & HEAD_ORDER;
	uint64_t g = (head & HEAD_DIVISOR) != 0 ? rd_varint(r) : 1;
	int64_t base = (head & HEAD_DIVISOR) != 0 ? rd_zigzag(r) : 0;
	int64_t first[2] = {0, 0};

	if (r->bad || head > 7 || order > 2 || order > n)
		return false;
	for (unsigned i = 0; i < order; i++)
		first[i] = rd_zigzag(r);
	for (size_t i = 0; i < n; i += BLOCK) {
		if (!get_block(r, out + i, MIN_OF(n - i, BLOCK)))
			return false;
	}
	for (unsigned i = 0; i < order; i++)
		out[i] = first[i];
	if (order > 0)
		integrate(out, n, order);
	for (size_t i = 0; g != 1 && i < n; i++)
		out[i] = (int64_t)((uint64_t)out[i] * g + (uint64_t)base);
	return !r->bad;
}
