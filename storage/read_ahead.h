/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_ahead - a second thread for wide selections: it reads series that the reader will ask for
 * next, while the reader works on those before them.
 *
 * Series are read in chunks of READ_AHEAD_CHUNK. Whoever comes to a chunk first takes it: the
 * helper, into buffers of its own, or the reader, who then reads its series one by one as without a
 * helper. So nobody waits for work that was not begun. What the helper could not read (an error,
 * too much memory) the reader reads again, and has the error then.
 *
 * Owner: the reader's thread. At most one helper a selection, and fewer than processors in all.
 */
#ifndef BELFRY_STORAGE_READ_AHEAD_H
#define BELFRY_STORAGE_READ_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "storage/cols.h"

struct store;
struct read_ahead;

#define READ_AHEAD_CHUNK 16u   /* series */
#define READ_AHEAD_AFTER 64u   /* series in order before it is worth a thread */
#define READ_AHEAD_LEAST 1024u /* series left: fewer are not worth processor time */

/* Starts at `from`. ids: of n series, valid until read_ahead_stop. NULL when no helper is to be
 * had: read on alone. */
struct read_ahead *read_ahead_start(
	struct store *st, const uint32_t *ids, size_t n, size_t from, int64_t mint, int64_t maxt);
/* Series i's samples, or NULL: read them yourself. i: one more each time, `from` first. Valid until
 * the next call. */
const struct cols *read_ahead_next(struct read_ahead *r, size_t i);
/* Waits for the series in progress. NULL is fine. */
void read_ahead_stop(struct read_ahead *r);

#endif
