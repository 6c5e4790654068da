/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - what StatsD packets add up to: a cell per series, found by the raw bytes of the line.
 *
 * Two ways lead to a cell. Keys (name, tags, container and type exactly as sent) are in an open
 * addressing table, so that a known line costs a hash and a comparison; several keys may mean one
 * series (other order of tags, "a.b" and "a-b"). Labels find the cell when a key is new, and when
 * series of an earlier run are restored. One owner: the reader thread.
 *
 * The structs are open to flush.c, which belongs to this module.
 */
#ifndef BELFRY_AGENT_STATSD_TABLE_H
#define BELFRY_AGENT_STATSD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/statsd/parse.h"
#include "agent/statsd/set.h"
#include "agent/statsd/timer.h"
#include "base/labels.h"

struct statsd_key;

struct statsd_cell {
	struct labels labels; /* in label_mem, one block */
	struct label *label_mem;
	uint64_t hash;   /* labels_hash */
	uint32_t id;     /* in the store; 0: not known */
	uint8_t kind;    /* enum statsd_kind */
	bool dirty;      /* a packet came since the last flush */
	bool restored;   /* alive in an earlier run, so its samples simply go on */
	bool base_known; /* what the store had was added in; before, values count from 0 */
	bool starts;     /* its first sample is not committed: the base goes before it */
	bool has_fact;   /* the store remembers it as alive */
	bool dying;      /* its stale marker was submitted */
	bool absolute;   /* gauge: was set, not only changed by + and - */
	int64_t seen_ms; /* monotonic time of the last flush that found it dirty */
	struct statsd_key *keys;
	size_t bytes; /* counted in the table's bytes */
	union {
		double number; /* counter's total, gauge's value */
		struct timer timer;
		struct set set;
	};
};

struct statsd_slot {
	uint64_t hash;
	void *p; /* struct statsd_key or struct statsd_cell; NULL: free */
};

struct statsd_index { /* linear probing, at most half full */
	struct statsd_slot *slots;
	size_t mask, used;
};

#define STATSD_GROUP 32u /* lines whose memory is fetched at once */

/* A sound line that waits for its turn; views of the packet's bytes. */
struct statsd_waiting {
	struct statsd_line line;
	struct str text;
	uint64_t hash;
	const struct statsd_key *key;
	struct statsd_cell *cell;
};

struct statsd_table {
	struct statsd_index keys, by_labels;
	struct statsd_cell **cells;
	size_t n_cells, cap_cells;
	size_t bytes; /* held by cells and keys */
	char *suffix; /* counter_suffix */
	/* since the owner last took them */
	uint64_t packets, lines, refused[STATSD_REASONS];
	size_t n_waiting;
	struct statsd_waiting waiting[STATSD_GROUP];
};

struct statsd_table *statsd_table_new(struct str counter_suffix);
void statsd_table_free(struct statsd_table *t);
/* All lines of a datagram; those that are wrong are counted in refused[], the others taken. */
void statsd_table_packet(struct statsd_table *t, struct str packet);
/* The same in two steps, for many packets: lines may wait, and then point into the packet, until
 * statsd_table_settle(). Nothing else may be done with the table in between. */
void statsd_table_queue(struct statsd_table *t, struct str packet);
void statsd_table_settle(struct statsd_table *t);
/* A series that lived in an earlier run; ignored when it is there, or over a limit. */
void statsd_table_restore(struct statsd_table *t, enum statsd_kind kind, struct labels ls);
/* Remove the cells for which dead() holds. Costs a walk over the table. */
void statsd_table_bury(struct statsd_table *t, bool (*dead)(const struct statsd_cell *c));
/* A new interval begins for a set. */
void statsd_table_clear_set(struct statsd_table *t, struct statsd_cell *c);
/* Walks everything; ASSERTs the invariants. For tests. */
void statsd_table_check(const struct statsd_table *t);

#endif
