/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec - sealed chunks: columns of samples to bytes and back, the smallest encoding of several.
 *
 * A chunk: kind (1 floats, 2 histograms; 0x80: start timestamps), varint rows, times, [starts],
 * values. Regular times cost their first and step. Histograms stand column-wise: the layout once,
 * then count, zero count, sum and each bucket as a column of its own.
 * codec_encode may cut the rows into several chunks (where floats turn into histograms, where a
 * histogram's layout changes, at CODEC_ROWS): one callback a chunk, in order. Decoding is bounded
 * and fails on anything malformed.
 */
#ifndef BELFRY_STORAGE_CODEC_H
#define BELFRY_STORAGE_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "storage/codec_floats.h"
#include "storage/cols.h"

#define CODEC_ROWS 16384u /* rows of one chunk */

struct codec { /* scratch of an encoder or decoder; one thread at a time */
	int64_t *ints;
	double *floats;
	size_t cap;
	struct buf out;
	uint64_t chunks[FLOATS_MODES]; /* encoded so far, by the mode of their values */
	uint64_t hist_chunks;
};

void codec_init(struct codec *k);
void codec_fini(struct codec *k);

/* fn gets rows [from, to) of c as a chunk; its bytes are valid during the call. -1: no memory. */
int codec_encode(struct codec *k, const struct cols *c,
	void (*fn)(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg),
	void *arg);
/* Append the chunk's rows to c; histograms go into the arena. */
int codec_decode(struct str chunk, struct cols *c, struct arena *a, struct err *e) MUST_CHECK;

#endif
