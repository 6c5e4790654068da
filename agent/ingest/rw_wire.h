/* SPDX-License-Identifier: Apache-2.0 */
/* rw_wire - protobuf fields over struct rd, for the files of agent/ingest/ only. */
#ifndef BELFRY_AGENT_INGEST_RW_WIRE_H
#define BELFRY_AGENT_INGEST_RW_WIRE_H

#include "agent/ingest/rw_decode.h"
#include "base/rd.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LEN = 2, WIRE_32 = 5 };

#define WIRE_TAG(field, wire) ((uint32_t)(field) << 3 | (uint32_t)(wire))

/* Tags and lengths: at most five bytes, 32 bits. */
static inline uint32_t wire_varint32(struct rd *r)
{
	const uint8_t *from = r->p;
	uint64_t v = rd_varint(r);

	if (v > UINT32_MAX || r->p - from > 5) {
		r->bad = true;
		return 0;
	}
	return (uint32_t)v;
}

/* Field number and wire type as one number, 0 at the end or when malformed. */
static inline uint32_t wire_tag(struct rd *r)
{
	uint32_t v;

	if (!rd_more(r))
		return 0;
	if (*r->p < 0x80)
		v = *r->p++;
	else
		v = wire_varint32(r);
	if (v < 8) {
		r->bad = true;
		return 0;
	}
	return v;
}

static inline struct str wire_bytes(struct rd *r)
{
	if (rd_more(r) && *r->p < 0x80)
		return rd_bytes(r, *r->p++);
	return rd_bytes(r, wire_varint32(r));
}

static inline double wire_double(struct rd *r)
{
	uint64_t u = rd_fixed64(r);
	double v;

	memcpy(&v, &u, sizeof v);
	return v;
}

/* Any field that is not known; the known ones with another wire type are refused by the caller. */
static inline void wire_skip(struct rd *r, uint32_t tag)
{
	switch (tag & 7) {
	case WIRE_VARINT: (void)rd_varint(r); break;
	case WIRE_64: (void)rd_fixed64(r); break;
	case WIRE_LEN: (void)wire_bytes(r); break;
	case WIRE_32: (void)rd_fixed32(r); break;
	default: r->bad = true; break;
	}
}

/* As wire_skip, but fields up to `known` must not come here: their wire type is wrong. */
static inline void wire_other(struct rd *r, uint32_t tag, uint32_t known)
{
	if (tag >> 3 <= known)
		r->bad = true;
	else
		wire_skip(r, tag);
}

/* A decoded Histogram message of 1.0 or 2.0. */
struct rw_hist {
	struct hist h;
	int64_t t_ms, start_ms;
	bool sound; /* false: decoded, but not a histogram that can be (*e says why) */
};
/* -1: malformed message. Arrays from a. */
int rw_hist(struct rd msg, struct arena *a, struct rw_hist *out, struct err *e) MUST_CHECK;
/* Text of the wire's metric type. */
const char *rw_type_name(uint64_t type);

#endif
