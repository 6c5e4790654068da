/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_floats - a column of float64, bit for bit, in the smallest of: integers; decimals (scaled
 * exactly by a power of ten, then integers); XOR with the value before (Pelkonen et al.,
 * "Gorilla", 2015); plain. A few odd values (stale markers) between integers or decimals stand in
 * a list of exceptions.
 */
#ifndef BELFRY_STORAGE_CODEC_FLOATS_H
#define BELFRY_STORAGE_CODEC_FLOATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rd.h"

enum floats_mode { FLOATS_INT, FLOATS_DECIMAL, FLOATS_XOR, FLOATS_PLAIN, FLOATS_MODES };

/* scratch: n int64. The mode that was smallest. */
enum floats_mode floats_put(struct buf *b, const double *v, size_t n, int64_t *scratch);
/* False when malformed. scratch: n int64. */
bool floats_get(struct rd *r, double *out, size_t n, int64_t *scratch);

#endif
