/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist_code - one native histogram as bytes, relative to the one before it.
 *
 * Used where histograms stand in sequence: the journal (each alone) and open strips. When the
 * layout (schema, spans, bounds) repeats, only the changes of the counts are written; runs of
 * unchanged counts cost two bytes. Every bit pattern comes back. Reading is bounded and checks
 * the shape with hist_check().
 */
#ifndef BELFRY_STORAGE_HIST_CODE_H
#define BELFRY_STORAGE_HIST_CODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/histogram.h"
#include "base/rd.h"

/* prev may be NULL. */
void hist_code_put(struct buf *b, const struct hist *h, const struct hist *prev);
/* NULL when malformed or out of memory; in the arena. */
struct hist *hist_code_get(struct rd *r, const struct hist *prev, struct arena *a);
/* Schema, zero threshold, spans and bounds are the same. */
bool hist_code_same_layout(const struct hist *a, const struct hist *b);
/* The layout alone: schema, zero threshold, spans, custom bounds, is_int. */
void hist_code_put_layout(struct buf *b, const struct hist *h);
/* A histogram with this layout and counts of 0; NULL when malformed. */
struct hist *hist_code_get_layout(struct rd *r, struct arena *a);

#endif
