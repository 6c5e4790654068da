/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_int - struct store and what its files call of each other.
 *
 * store.c: open, close, recovery; writer.c: the thread and its commit groups; accept.c: which
 * rows are taken; flush.c: closed strips to partitions; checkpoint.c: open strips to a new
 * journal segment and back; series_read.c and select.c: reading; upkeep.c: disk space, eviction,
 * retention.
 *
 * `lock`: index, head, list of partitions, facts and metadata. The storage writer alone changes
 * them, under the write lock, and reads them without; everyone else reads under the read lock and
 * holds it for short copies only.
 */
#ifndef BELFRY_STORAGE_STORE_INT_H
#define BELFRY_STORAGE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/queue.h"
#include "storage/batch_int.h"
#include "storage/catalog.h"
#include "storage/frame.h"
#include "storage/head.h"
#include "storage/index.h"
#include "storage/journal.h"
#include "storage/pack_cache.h"
#include "storage/part.h"
#include "storage/smap.h"
#include "storage/store.h"

#define STORE_TIME_MAX       (INT64_C(1) << 60) /* |t| above is refused: no sum of times overflows */
#define STORE_IN_ORDER_MS    3600000 /* a series that lags may go on within this, window or not */
#define STORE_SEGMENT_BYTES  (UINT64_C(64) << 20) /* frames of a segment before a checkpoint */
#define STORE_SEGMENT_FRAMES 1000000u
#define STORE_CLOSED_BYTES   ((size_t)4 << 20)  /* closed strips before they are written */
#define STORE_META_BYTES     ((size_t)64 << 20) /* metadata of all metrics */
#define STORE_VOLATILE_BYTES                                                                       \
	((size_t)512 << 20)                  /* rows that live in memory while the disk is full */
#define STORE_GROUP_BYTES ((size_t)32 << 20) /* batches of one commit */

struct store {
	pthread_rwlock_t lock;
	char root[400]; /* storage.path */
	char dir[400];  /* storage.path/metrics */
	unsigned db_flags;
	int lock_fd;

	struct index index;
	struct head head;
	struct parts parts;
	struct pack_cache cache;
	struct smap facts; /* not yet in the catalog */
	struct smap meta;

	/* options; those that may change live are atomics */
	_Atomic int64_t retention_ms, ooo_window_ms;
	_Atomic uint64_t retention_size, max_series, min_free;
	int64_t commit_ms;
	/* STORE_SEGMENT_BYTES and STORE_CLOSED_BYTES; tests make them small */
	_Atomic uint64_t segment_bytes, closed_bytes;

	/* the storage writer's */
	pthread_t thread;
	bool running;
	struct catalog catalog;
	struct journal journal;
	struct frame_writer frames;
	struct frame_item *items; /* the open commit group */
	size_t n_items, cap_items;
	struct batch **ended; /* batches whose last run is in the group */
	size_t n_ended, cap_ended;
	uint32_t *new_ids; /* series to be logged with the group */
	size_t n_new, cap_new;
	size_t group_bytes;
	uint32_t group;       /* number of the open commit group */
	int64_t newest;       /* newest accepted time */
	int64_t now;          /* wall clock of this group */
	bool journal_bad;     /* the segment failed: nothing is acknowledged before a checkpoint */
	bool volatile_rows;   /* the head holds rows that no journal has */
	int64_t disk_next_ms; /* monotonic: when to look at the free space again */
	int64_t upkeep_next_ms, retention_next_ms, retention_hold_ms;
	int64_t retention_wall_ms, retention_mono_ms; /* of the last run */
	uint32_t evict_at;
	struct rewrite *rewrite; /* the one that runs, or NULL */
	int64_t rewrite_next_ms;

	/* any thread */
	struct queue *queue;
	_Atomic bool disk_full;
	_Atomic uint64_t id_generation;
	_Atomic int64_t tick_mono_ms;
	_Atomic uint64_t disk_bytes, wal_bytes;
};

/* accept.c: take rows of runs [from, n) until a commit must come first; where it stopped. */
size_t accept_runs(struct store *st, struct batch *b, size_t from);

/* writer.c */
void *writer_main(void *arg);
/* Commit and publish the open group, call the batches' done. */
void writer_commit(struct store *st);
void writer_log_series(struct store *st, uint32_t id);

/* recover.c: fill a new store from its files. */
int recover_run(struct store *st, struct err *e) MUST_CHECK;
/* The same without a word written: for store_open_view. */
int recover_view(struct store *st, struct err *e) MUST_CHECK;

/* flush.c: write closed strips (at most `max` of them, 0: all) to their partitions. */
int flush_closed(struct store *st, size_t max, struct err *e) MUST_CHECK;

/* checkpoint.c */
int checkpoint_write(struct store *st, struct err *e) MUST_CHECK;
/* One blob of a checkpoint back into index and head. */
int checkpoint_load(struct store *st, struct str blob, struct err *e) MUST_CHECK;

#define MEMO_DIRS 4u
#define MEMO_FEW  16u

struct memo_pack {
	struct cached *ref; /* NULL: empty */
	uint64_t uid;
	int64_t row;
	struct cached_pack chunks;
};

/* What the last reads of a selection found, so that the next series of the same packs needs no
 * look-up. Zeroes at first; belongs to one reader. */
struct read_memo {
	struct memo_dir {
		struct cached *ref; /* NULL: empty */
		uint64_t uid, content;
		uint32_t shift;
		struct pack_dir places;
	} dirs[MEMO_DIRS];                     /* by the partition's uid */
	struct memo_pack few[MEMO_FEW], *wide; /* by uid and row; wide: once the few do not do */
	unsigned misses;
	size_t bytes; /* of the packs held here */
};
void read_memo_fini(struct read_memo *m);
/* Where the memo has a pack, or would have it. */
struct memo_pack *read_memo_slot(struct read_memo *m, uint64_t uid, int64_t row);
static inline bool memo_pack_is(const struct memo_pack *k, uint64_t uid, int64_t row)
{
	return k->ref != NULL && k->uid == uid && k->row == row;
}
/* Puts the pack there, if it is in memory. */
void read_memo_keep(struct store *st, struct read_memo *m, uint64_t uid, int64_t row);
/* series_read.c: all rows of a series in [mint, maxt], settled and clipped. Takes the read lock.
 * memo: NULL or the reader's. */
int series_read(struct store *st, uint32_t id, int64_t mint, int64_t maxt, struct cols *c,
	struct arena *a, struct read_memo *memo, struct err *e) MUST_CHECK;
/* series_warm.c: before these series are read one by one. Takes the read lock. */
#define WARM_SERIES 16u
void series_warm(struct store *st, const uint32_t *ids, size_t n, int64_t mint, int64_t maxt,
	struct read_memo *memo);

/* retention.c: when due */
void retention_run(struct store *st);

/* rewrite.c: begin or end a rewrite when due; stop the one that runs. */
void rewrite_run(struct store *st);
void rewrite_stop(struct store *st);

/* upkeep.c */
void upkeep_disk(struct store *st);
void upkeep_run(struct store *st);
void upkeep_gap_begin(struct store *st);  /* from now on memory has rows that no journal has */
void upkeep_gap_end(struct store *st);    /* all of them are on disk */
void upkeep_gap_report(struct store *st); /* at start: what the last process took with it */
/* Everything in memory to partitions, then a checkpoint. */
int upkeep_flush_all(struct store *st, struct err *e) MUST_CHECK;

static inline void store_wrlock(struct store *st)
{
	(void)pthread_rwlock_wrlock(&st->lock);
}
static inline void store_rdlock(struct store *st)
{
	(void)pthread_rwlock_rdlock(&st->lock);
}
static inline void store_unlock(struct store *st)
{
	(void)pthread_rwlock_unlock(&st->lock);
}

#endif
