/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack - sealed chunks of neighbouring series in one blob: a row of a partition file.
 *
 * Format 1: u8 1, varint count, then per chunk: varint series id (the difference to the one
 * before), zigzag varint mint - pack's mint, varint maxt - mint, varint length; then the chunks'
 * bytes in the same order; then 4 bytes of checksum over everything before (XXH3, low half).
 */
#ifndef BELFRY_STORAGE_PACK_H
#define BELFRY_STORAGE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rd.h"
#include "base/str.h"

#define PACK_CHUNKS_MAX (1u << 20)

struct pack_entry {
	uint32_t series;
	int64_t mint, maxt;
	struct str chunk;
};

struct pack_writer {
	struct buf head, body;
	uint32_t n, last;
	int64_t mint, maxt; /* of all chunks */
	int64_t base;       /* what the entries' mint are relative to: the first chunk's */
};

void pack_init(struct pack_writer *w);
void pack_fini(struct pack_writer *w);
void pack_reset(struct pack_writer *w);
/* Chunks come in order of series id. */
void pack_add(struct pack_writer *w, uint32_t series, int64_t mint, int64_t maxt, struct str chunk);
/* The finished blob into out (reset first); false without memory. */
bool pack_finish(struct pack_writer *w, struct buf *out);

struct pack_reader {
	struct rd dir;
	const uint8_t *body, *end;
	uint32_t left, last;
	int64_t base;
};
/* Checks the directory's bounds, and the checksum unless it is known to be right. */
int pack_open(struct pack_reader *r, struct str blob, bool verify, struct err *e) MUST_CHECK;
/* 1 and *out, 0 at the end, -1 when malformed. */
int pack_next(struct pack_reader *r, struct pack_entry *out, struct err *e) MUST_CHECK;

#endif
