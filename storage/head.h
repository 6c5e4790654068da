/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head - recent samples in memory: an open strip per active series, closed strips that wait to be
 * written to their partition, and a sorted buffer of late (out-of-order) samples.
 *
 * The storage writer changes it under the store's write lock and reads it without; other threads
 * hold the read lock and copy what they need (head_copy), they keep no pointer. The times and
 * values `last_*` are the writer's own: what it accepted, published or not.
 */
#ifndef BELFRY_STORAGE_HEAD_H
#define BELFRY_STORAGE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "storage/cols.h"
#include "storage/index.h"
#include "storage/strip.h"

#define HEAD_LATE_ROWS 128u /* late samples of a series before they become a strip */

/* A finished strip waiting for its partition. */
struct closed {
	struct closed *next; /* of the same series, newer first */
	uint32_t series;
	uint32_t len;
	int64_t mint, maxt;
	int64_t part_start;
	uint8_t level;
	uint8_t bytes[];
};

struct late_row {
	int64_t t, start;
	double v;
	struct hist *h; /* own allocation (strip's), or NULL */
};

struct late {
	uint32_t n, cap;
	struct late_row rows[]; /* ascending, no time twice */
};

struct head_series {
	struct strip open;
	int64_t part_start, part_end; /* of the open strip, when it has rows */
	struct closed *closed;
	struct late *late;
	int64_t disk_maxt; /* samples above this time are all in memory */
	/* what was accepted last, published or not */
	int64_t last_t;
	double last_v;
	uint32_t id;
	uint32_t slot;   /* in head.v */
	uint32_t seen_s; /* monotonic seconds of the last arrival */
	uint32_t group;  /* the commit group that last took rows of it */
	uint8_t level;
	bool last_known; /* last_v is the value at last_t */
};

struct head {
	struct index *index;
	struct head_series **v;
	uint32_t n, cap;
	/* All that wait: closed[first_closed .. n_closed). Up to sorted_closed they stand by
	 * partition and series: a flush in slices takes them from the front. */
	struct closed **closed;
	size_t first_closed, sorted_closed, n_closed, cap_closed;
	size_t closed_bytes;
	size_t late_bytes;
	struct cells cells; /* of open strips */
	int64_t now;        /* wall clock used to choose partitions */
	uint32_t now_s;     /* monotonic seconds, for seen_s */
};

void head_init(struct head *h, struct index *x);
void head_fini(struct head *h);
/* The head of a series, made if need be. */
struct head_series *head_get(struct head *h, uint32_t id);
/* Forget a series' head: nothing may wait in it. */
void head_evict(struct head *h, struct head_series *hd);
/* Append an accepted row; t is above all before it. */
void head_append(struct head *h, struct head_series *hd, int64_t t, double v,
	const struct hist *hist, int64_t start);
/* Insert a late row; a row at the same time stays as it is. */
void head_late(struct head *h, struct head_series *hd, int64_t t, double v, const struct hist *hist,
	int64_t start);
/* The open strip and the late rows become closed strips. */
void head_close_open(struct head *h, struct head_series *hd);
void head_close_late(struct head *h, struct head_series *hd);
/* A closed strip with these bytes (recovery). */
void head_add_closed(
	struct head *h, struct head_series *hd, const struct closed *like, struct str bytes);
/* Bring all that wait into the order of partitions and series. */
void head_sort_closed(struct head *h);
/* The first n of those that wait were written: free them. */
void head_drop_closed(struct head *h, size_t n);
/* After a failed commit: accepted is what is published. */
void head_forget_accepted(struct head *h, struct head_series *hd);

/* Decode all rows in [mint, maxt] (a little more) into c, unsettled. The caller holds the lock or
 * is the writer. */
int head_read(const struct head *h, const struct head_series *hd, int64_t mint, int64_t maxt,
	struct cols *c, struct arena *a, struct err *e) MUST_CHECK;
size_t head_memory(const struct head *h);
void head_check(const struct head *h);

#endif
