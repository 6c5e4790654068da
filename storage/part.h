/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part - partition files: sealed chunks by sample time.
 *
 * Level 0 holds a day, level 1 (data far from today) 32 days; both count from 1970 with floor,
 * below zero too. A file is metrics/d<days>_<number>.<rev>.db; a rewritten partition gets the next
 * revision, never the same name, so that no WAL of the old file can meet the new one. Rows carry
 * the generation of the checkpoint that makes them count: recovery removes younger ones.
 *
 * Threads: the list (struct parts) is changed by the storage writer under the store's write lock.
 * Whoever holds the store's lock may part_ref(); a referenced partition stays readable after
 * it left the list. Write connections belong to the storage writer. Read connections are lent by
 * part_reader_get() to any thread, at most PART_READERS open at rest.
 */
#ifndef BELFRY_STORAGE_PART_H
#define BELFRY_STORAGE_PART_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define PART_DAY_MS  INT64_C(86400000)
#define PART_LEVELS  2
#define PART_READERS 64u /* read connections kept open */
#define PART_WRITERS 8u  /* write connections kept open */
#define PART_SHIFT   6u  /* series ids of a group differ in this many low bits */

struct part_reader {
	struct part *part;
	sqlite3 *db;
	sqlite3_stmt *list; /* grp, id, mint, maxt of all packs */
	sqlite3_stmt *get;  /* data of the pack with id ?1 */
	struct part_reader *next;
};

struct part {
	struct parts *owner;
	int64_t start, end; /* sample times [start, end) */
	uint8_t level;
	uint32_t rev;
	uint32_t shift; /* group = series id >> shift */
	char path[512];
	uint64_t uid;             /* of this struct: names it in caches */
	_Atomic uint64_t content; /* raised after every commit that changed rows */
	_Atomic uint32_t refs;
	_Atomic bool gone; /* unlinked when the last reference goes (its files are already away) */
	/* the storage writer's */
	sqlite3 *db;
	sqlite3_stmt *insert;
	bool in_txn;
	bool in_rewrite;    /* a rewrite reads it: it stays in the list */
	bool keep_as_is;    /* rewriting it failed */
	uint64_t used;      /* turn of last use, for closing */
	int64_t wal_bytes;  /* about */
	int64_t intent_gen; /* the journal says that this generation writes here */
	int64_t written_ms; /* wall clock of the last insert in this process, 0: none */
	/* under owner->lock */
	struct part_reader *idle;
};

struct parts {
	char dir[400];
	unsigned db_flags; /* DB_FULL_SYNC or 0 */
	bool view;         /* another process may be at work in them: nothing is changed */
	struct part **v;   /* by start, then level */
	size_t n, cap;
	uint64_t clock;
	pthread_mutex_t lock; /* idle readers */
	size_t n_idle;
};

/* The partition a sample time belongs to, seen at wall-clock time now. */
void part_bounds(int64_t t, int64_t now, uint8_t *level, int64_t *start, int64_t *end);

/* Reads the directory; files of superseded revisions are unlinked, broken ones moved aside. */
int parts_open(struct parts *ps, const char *dir, unsigned db_flags, struct err *e) MUST_CHECK;
/* For reading only: every file stays as it is; what cannot be read is passed over, loudly. */
int parts_open_view(struct parts *ps, const char *dir, struct err *e) MUST_CHECK;
/* All references must be gone. */
void parts_close(struct parts *ps);

struct part *parts_find(const struct parts *ps, uint8_t level, int64_t start);
/* Make the file of a new partition; it is not in the list yet: parts_insert under the lock. */
struct part *part_create(struct parts *ps, uint8_t level, int64_t start, struct err *e);
void parts_insert(struct parts *ps, struct part *p);
/* The partition that will stand in this one's place (not in the list, its file not there yet). */
struct part *part_next_revision(const struct part *p, uint32_t shift);
int part_make_schema(sqlite3 *db, struct err *e) MUST_CHECK;
/* Take it out of the list (under the lock), then part_unlink its files, then part_unref. */
void parts_remove(struct parts *ps, struct part *p);
void part_unlink(struct part *p);

struct part *part_ref(struct part *p);
void part_unref(struct part *p);

/* --- storage writer --- */
int part_begin(struct part *p, struct err *e) MUST_CHECK;
int part_insert(struct part *p, uint32_t grp, int64_t gen, int64_t mint, int64_t maxt,
	struct str data, struct err *e) MUST_CHECK;
int part_commit(struct part *p, struct err *e) MUST_CHECK;
void part_rollback(struct part *p);
/* Remove rows of generations above gen (recovery). */
int part_undo(struct part *p, int64_t gen, struct err *e) MUST_CHECK;
/* Sync what was committed, move the WAL into the file. */
int part_settle(struct part *p, bool truncate, struct err *e) MUST_CHECK;
/* Close write connections beyond PART_WRITERS, least recently used first; all: every one. */
void parts_close_writers(struct parts *ps, bool all);
uint64_t parts_disk_bytes(const struct parts *ps);
uint64_t part_disk_bytes(const struct part *p);

/* --- any thread --- */
struct part_reader *part_reader_get(struct part *p, struct err *e);
void part_reader_put(struct part_reader *r);

#endif
