/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame - one commit group as bytes: new series, facts, metadata and the accepted rows.
 *
 * A frame is a row of a journal segment. Byte 0: 0 plain, 1 snappy. Then the sections series,
 * facts, metadata, runs, values, each starting with its length or count as varint. A run is: flags,
 * [series id as zigzag difference], [rows in order, late rows], then per row the time as zigzag
 * difference to the row before and what the flags say; floats stand in the values column, 8 bytes
 * each. Decoding is bounded and calls the sink in order.
 */
#ifndef BELFRY_STORAGE_FRAME_H
#define BELFRY_STORAGE_FRAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "storage/batch_int.h"
#include "storage/index.h"

#define FRAME_BYTES ((size_t)512 << 20)

/* Runs [from, to) of a batch; its facts and metadata go with the first run. */
struct frame_item {
	struct batch *b;
	size_t from, to;
	bool journal; /* rows are written (else the item is volatile and left out) */
};

struct frame_writer {
	struct buf out, runs, values, packed;
	uint32_t last_id;
	int64_t last_t;
	size_t n_runs;
};

void frame_init(struct frame_writer *w);
void frame_fini(struct frame_writer *w);
/* The frame of these items and new series, valid until the next call; empty without memory. */
struct str frame_encode(struct frame_writer *w, const struct index *x, const uint32_t *new_ids,
	size_t n_new, const struct frame_item *items, size_t n_items);

struct frame_sink {
	void *arg;
	/* each: 0, or -1 with *e to stop */
	int (*series)(void *arg, uint32_t id, struct labels ls, struct err *e);
	int (*fact)(void *arg, struct str key, struct str value, struct err *e);
	int (*meta)(void *arg, const struct batch_meta *m, struct err *e);
	int (*row)(void *arg, uint32_t id, bool late, int64_t t, double v, const struct hist *h,
		int64_t start, struct err *e);
};
/* Scratch memory from the arena. */
int frame_decode(
	struct str frame, const struct frame_sink *sink, struct arena *a, struct err *e) MUST_CHECK;

#endif
