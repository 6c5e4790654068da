/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rd - the one bounded cursor for reading wire formats and stored blobs.
 *
 * Failure is sticky: past the first short or malformed read everything returns 0 and `bad`
 * is set. Views returned by rd_bytes point into the input.
 */
#ifndef BELFRY_BASE_RD_H
#define BELFRY_BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_of(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	return (struct rd){p, p + s.n, false};
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

static inline bool rd_more(const struct rd *r)
{
	return !r->bad && r->p < r->end;
}

static inline uint8_t rd_u8(struct rd *r)
{
	if (!rd_more(r)) {
		r->bad = true;
		return 0;
	}
	return *r->p++;
}

/* Unsigned LEB128 of at most 10 bytes; bits above 64 are refused. */
static inline uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = rd_u8(r);

		if (r->bad || (shift == 63 && b > 1))
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	r->bad = true;
	return 0;
}

static inline int64_t rd_zigzag(struct rd *r)
{
	uint64_t u = rd_varint(r);

	return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

static inline uint64_t rd_fixed64(struct rd *r)
{
	uint64_t v;

	if (rd_left(r) < sizeof v) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->p, sizeof v);
	r->p += sizeof v;
	return v; /* little endian machines only: checked in base/rd.c */
}

static inline uint32_t rd_fixed32(struct rd *r)
{
	uint32_t v;

	if (rd_left(r) < sizeof v) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->p, sizeof v);
	r->p += sizeof v;
	return v;
}

static inline struct str rd_bytes(struct rd *r, uint64_t n)
{
	struct str s;

	if (n > rd_left(r)) {
		r->bad = true;
		return STR_NULL;
	}
	s = str_n((const char *)r->p, (size_t)n);
	r->p += n;
	return s;
}

#endif
