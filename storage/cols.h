/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cols - samples of one series as growing columns: what chunks decode into and are made from.
 *
 * The histogram and start columns exist only once a row needs them. Histograms are borrowed:
 * decoders put them into the arena given to them. Failure (memory, LIMIT of rows) is sticky.
 * Owner: whoever called cols_init.
 */
#ifndef BELFRY_STORAGE_COLS_H
#define BELFRY_STORAGE_COLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"

struct cols {
	size_t n, cap;
	int64_t *t;
	double *v;
	const struct hist **h; /* NULL, or one entry a row */
	int64_t *start;        /* NULL, or one entry a row; 0 = none */
	bool failed;
};

void cols_init(struct cols *c);
void cols_fini(struct cols *c);
void cols_reset(struct cols *c);
/* Room for n more rows; false (and failed) when refused. */
bool cols_reserve(struct cols *c, size_t n);
/* Append a row; h may be NULL, start 0. */
void cols_push(struct cols *c, int64_t t, double v, const struct hist *h, int64_t start);
/* Give rows from `from` on a start timestamp of 0, so that c->start can be written to directly. */
bool cols_need_start(struct cols *c);
bool cols_need_hist(struct cols *c);
/* Sort by time and drop rows that repeat a time (the first appended stays). Cheap when the rows
 * ascend already. */
void cols_settle(struct cols *c);
/* Where pieces of ascending rows begin: what whoever appends knows need not be looked for. */
#define COLS_PIECES 24u
struct cols_pieces {
	size_t n; /* may be more than are listed: then nothing is known */
	size_t at[COLS_PIECES];
};
static inline void cols_piece(struct cols_pieces *p, size_t at)
{
	if (p->n < COLS_PIECES)
		p->at[p->n] = at;
	p->n++;
}
/* cols_settle where the rows from the first piece on are known. */
void cols_settle_pieces(struct cols *c, const struct cols_pieces *p);
/* Keep only rows with mint <= t <= maxt; the rows ascend. */
void cols_clip(struct cols *c, int64_t mint, int64_t maxt);
/* The same for the rows from `at` on, one piece of ascending rows. */
void cols_clip_from(struct cols *c, size_t at, int64_t mint, int64_t maxt);

/* Same sample: bits of the value or of the histogram. Start timestamps are not compared. */
bool cols_same_value(double va, const struct hist *ha, double vb, const struct hist *hb);

#endif
