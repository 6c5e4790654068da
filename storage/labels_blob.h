/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels_blob - a label set (or annotations) as stored in state.db: (varint length, bytes) pairs,
 * name then value, in order.
 */
#ifndef BELFRY_STORAGE_LABELS_BLOB_H
#define BELFRY_STORAGE_LABELS_BLOB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"

void labels_blob_write(struct buf *b, struct labels ls);
/* Views into blob; the array lives in a. ERR_CORRUPT when malformed. */
int labels_blob_read(
	struct str blob, struct arena *a, struct labels *out, struct err *e) MUST_CHECK;

#endif
