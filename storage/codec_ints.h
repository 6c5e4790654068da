/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_ints - a column of int64 in few bytes: plain, delta or delta of delta, whichever is
 * smallest, without their greatest common divisor, in blocks of 128 packed to one width with the
 * outliers patched in (frame of reference; Zukowski et al., "Super-Scalar RAM-CPU Cache
 * Compression", PFOR). Every int64 comes back, sums wrap. A constant or regular column takes a
 * few bytes whatever its length.
 */
#ifndef BELFRY_STORAGE_CODEC_INTS_H
#define BELFRY_STORAGE_CODEC_INTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rd.h"

/* v is changed (divided by the divisor, made relative). */
void ints_put(struct buf *b, int64_t *v, size_t n);
/* False when malformed. */
bool ints_get(struct rd *r, int64_t *out, size_t n);

#endif
