/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strip - the open chunk of a series: samples appended one by one to a small byte string.
 *
 * Byte-aligned on purpose: an append is a few instructions, and the final encoding ("smallest
 * of", storage/codec.h) is chosen when the chunk is written to its partition. Format: a stream
 * of operations, op byte = 0x80 (a change of the time step follows as zigzag varint) | kind:
 *   0 same value; 1 RUN varint n: n more rows of the same value and step; 2 START zigzag: start
 *   timestamp changes by this (no row); 3 HIST varint len, hist_code bytes; 8..15 integer change of
 *   1..8 bytes (zigzag); 16..79: 16 + lead * 8 + (len - 1): XOR with the value before, `lead` zero
 *   bytes, then len bytes, then zeros.
 * The first row's step change is its absolute time. Repeats wait in `run` and are not in the bytes.
 * A strip needs nothing but its bytes and `run` to be read. Its memory comes from `cells`, always
 * the same for a strip. Not thread-safe.
 */
#ifndef BELFRY_STORAGE_STRIP_H
#define BELFRY_STORAGE_STRIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "storage/cells.h"
#include "storage/cols.h"

#define STRIP_BYTES      240u  /* a float strip is full at this size: four cells */
#define STRIP_HIST_BYTES 3072u /* with histograms, whose columns want company */
#define STRIP_ROWS       2048u

struct strip_extra; /* last start timestamp, last histogram: only where they occur */

struct strip {
	struct strip_extra *extra;
	int64_t t0, t; /* first and last time; n == 0: meaningless */
	int64_t step;  /* last difference of times */
	uint64_t bits; /* last value */
	struct chain bytes;
	uint16_t n;   /* rows, those of `run` included */
	uint16_t run; /* repeats not yet in the bytes */
};

void strip_init(struct strip *s);
void strip_fini(struct cells *m, struct strip *s);
/* False when there is no room: close this strip and append to a new one; or without memory (then
 * the strip is empty). Times ascend. */
bool strip_append(
	struct cells *m, struct strip *s, int64_t t, double v, const struct hist *h, int64_t start);
/* Write out `run`: the bytes alone now hold everything. */
bool strip_finish(struct cells *m, struct strip *s);
/* The bytes in one piece: in `few` when they fit, else malloc'ed (free when != few). NULL without
 * memory. */
void *strip_copy(const struct cells *m, const struct strip *s, void *few, size_t n_few);
/* Append the rows to c. Returns -1 when the bytes are malformed. */
int strip_decode(
	struct str bytes, uint16_t run, struct cols *c, struct arena *a, struct err *e) MUST_CHECK;
/* A strip that goes on where these bytes and run end (after recovery). */
int strip_restore(
	struct cells *m, struct strip *s, struct str bytes, uint16_t run, struct err *e) MUST_CHECK;
/* A deep copy of a histogram in one allocation: free(). NULL without memory. */
struct hist *strip_hist_dup(const struct hist *h);

#endif
