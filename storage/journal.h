/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - segments: what was accepted since a checkpoint, each an own SQLite file.
 *
 * metrics/j<generation>.db starts with the checkpoint of its generation (table base, complete
 * once `info` says so: one transaction) and goes on with a frame a commit. A complete segment
 * makes all older ones superfluous. The WAL of a segment is never moved into its file: the file is
 * unlinked whole, so that a sample is written once. `intent` names the partitions that take
 * chunks of the next generation. Storage writer only.
 */
#ifndef BELFRY_STORAGE_JOURNAL_H
#define BELFRY_STORAGE_JOURNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct journal {
	char dir[400];
	char path[512];
	unsigned db_flags;
	sqlite3 *db;
	sqlite3_stmt *frame, *base, *intent;
	int64_t gen;
	uint64_t bytes; /* of frames in this segment */
	uint64_t frames;
	uint64_t base_bytes;
	bool in_txn;
};

/* sync: the segment will replace one, so it must be on the disk before that is unlinked.
 * A new segment with an open transaction for its checkpoint: journal_add_base*, then
 * journal_complete. */
int journal_create(struct journal *j, const char *dir, int64_t gen, unsigned db_flags, bool sync,
	struct err *e) MUST_CHECK;
int journal_add_base(struct journal *j, struct str blob, struct err *e) MUST_CHECK;
/* Commit the checkpoint with a sync; from now on this segment is the truth. */
int journal_complete(struct journal *j, bool sync, struct err *e) MUST_CHECK;

int journal_append(struct journal *j, struct str frame, struct err *e) MUST_CHECK;
int journal_add_intent(struct journal *j, uint8_t level, int64_t start, struct err *e) MUST_CHECK;
void journal_close(struct journal *j);
/* Close and unlink. */
void journal_discard(struct journal *j);

/* Open the newest complete segment and unlink all others; j->db is NULL when there is none. A
 * damaged segment is moved aside, loudly, and the one before it is tried. So are all when
 * none is complete though one is expected. */
int journal_recover(struct journal *j, const char *dir, unsigned db_flags, bool expected,
	struct err *e) MUST_CHECK;
/* The newest complete segment for reading; nothing is written or unlinked, another process may be
 * at work in it. j->db is NULL when there is none. */
int journal_open_view(struct journal *j, const char *dir, struct err *e) MUST_CHECK;
/* In order; blobs are valid during the call. A blob with a wrong checksum is skipped and counted
 * in *bad. */
int journal_each_base(struct journal *j, int (*fn)(struct str blob, void *arg, struct err *e),
	void *arg, uint64_t *bad, struct err *e) MUST_CHECK;
int journal_each_frame(struct journal *j, int (*fn)(struct str blob, void *arg, struct err *e),
	void *arg, uint64_t *bad, struct err *e) MUST_CHECK;
int journal_each_intent(struct journal *j,
	int (*fn)(uint8_t level, int64_t start, void *arg, struct err *e), void *arg,
	struct err *e) MUST_CHECK;
/* Bytes of the segment's files. */
uint64_t journal_disk_bytes(const struct journal *j);

#endif
