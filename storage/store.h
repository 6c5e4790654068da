/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the metrics store: series, head, journal and partitions behind one handle.
 *
 * Threads: one storage writer thread inside owns every write connection, the index and the head;
 * store_submit and all reading functions may be called from any thread. Readers take the
 * store's read lock for short copies only (see storage/head.h for the rule).
 * A batch is visible to queries when its transaction has committed, and not before.
 */
#ifndef BELFRY_STORAGE_STORE_H
#define BELFRY_STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/matcher.h"
#include "storage/batch.h"

struct store;

struct store_opts {
	const char *dir;         /* storage.path; metrics/ is made below it */
	int64_t retention_ms;    /* 0: for ever */
	uint64_t retention_size; /* bytes; 0: none */
	int64_t ooo_window_ms;   /* INT64_MAX: unlimited, ahead as well */
	bool durability_power;   /* fsync at each commit */
	uint64_t max_series;
	uint64_t min_free; /* bytes; 0: the larger of 100 MB and 2 % */
	int64_t commit_ms; /* group commit, default 100; a lone batch does not wait */
};

/* Opens or creates, recovers (journal replay), starts the writer thread. Returns when every
 * acknowledged sample answers queries. ERR_CORRUPT and a newer schema are told in *e. */
int store_open(struct store **out, const struct store_opts *o, struct err *e) MUST_CHECK;
/* Commit what waits, write open chunks (checkpoint), stop the thread, close. */
void store_close(struct store *s);
/* What stands in a data directory now, for reading functions only: nothing is written, no thread is
 * started, and a belfry that runs there is not disturbed. Later samples do not show. Close with
 * store_close_view. */
int store_open_view(struct store **out, const char *dir, struct err *e) MUST_CHECK;
void store_close_view(struct store *s);
/* Times of the oldest and newest sample of all series; false when there is none. */
bool store_time_range(struct store *s, int64_t *mint, int64_t *maxt);
/* Options that may change live: retention, retention_size, ooo window, max_series, min_free. */
void store_reconfigure(struct store *s, const struct store_opts *o);

/* --- writing --- */
/* Takes the batch. done() is called once, on the writer thread, after the commit (or the refusal),
 * with the batch given back: it must be quick (post a message) and then own the batch. Returns -1
 * with ERR_AGAIN when the queue is full or ERR_LIMIT while the disk is full (for sources that are
 * refused then): the batch then stays the caller's. */
int store_submit(struct store *s, struct batch *b, void (*done)(struct batch *b, void *arg),
	void *arg, struct err *e) MUST_CHECK;
/* Convenience for tests and tools: submit and wait. Frees nothing: read batch_result(b), then
 * batch_free. */
int store_submit_wait(struct store *s, struct batch *b, struct err *e) MUST_CHECK;
/* Id of a known series, 0 when unknown. hash = labels_hash(ls). */
uint32_t store_find_series(struct store *s, struct labels ls, uint64_t hash);
/* The id still names this series (ids are never reused while the process lives; a series that was
 * deleted loses its id): cheap check for caches. Changes whenever any id became invalid. */
uint64_t store_id_generation(struct store *s);

/* --- reading: selection (PromQL's select.h is served from this by agent/) --- */
struct store_cols { /* one series' samples in [mint, maxt], ascending times, no duplicates */
	size_t n;
	const int64_t *t;
	const double *v;             /* value, or 0 where h[i] is not NULL */
	const struct hist *const *h; /* NULL when the series has no histogram in the range */
	const int64_t *start;        /* NULL when no sample has a start timestamp; 0 = none */
};
struct store_sel;

/* Series that match all matchers and may have samples in [mint, maxt]; sorted by labels. The set
 * pins what it reads; close it within 5 s (store_sel_series after that may say ERR_AGAIN). Labels
 * live in `a`. */
int store_select(struct store *s, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct store_sel **out, struct err *e) MUST_CHECK;
size_t store_sel_count(const struct store_sel *sel);
struct labels store_sel_labels(const struct store_sel *sel, size_t i);
/* Decode series i over [mint, maxt] (within the range of store_select). The columns stay valid
 * until the next call for this sel or its close. Series may be fetched in any order, more than
 * once. */
int store_sel_fetch(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt,
	struct store_cols *out, struct err *e) MUST_CHECK;
void store_sel_close(struct store_sel *sel);

/* Label names / values of series that match (n = 0: all) and may have samples in the range; sorted,
 * distinct; at most `limit` (0: no limit; ask for one more to know that it was cut). Array in `a`.
 */
int store_label_names(struct store *s, const struct matcher *m, size_t n, int64_t mint,
	int64_t maxt, size_t limit, struct arena *a, struct str **out, size_t *n_out,
	struct err *e) MUST_CHECK;
int store_label_values(struct store *s, struct str name, const struct matcher *m, size_t n,
	int64_t mint, int64_t maxt, size_t limit, struct arena *a, struct str **out, size_t *n_out,
	struct err *e) MUST_CHECK;
/* The newest non-stale sample of a series, wherever it lies (head, then partitions); false when
 * there is none. A histogram lives in `a`. StatsD goes on from it. */
bool store_last_sample(struct store *s, struct labels ls, struct arena *a, int64_t *t, double *v,
	const struct hist **h);
/* Committed batch_state() facts whose key starts with prefix. */
int store_state_each(struct store *s, struct str prefix,
	void (*fn)(struct str key, struct str value, void *arg), void *arg,
	struct err *e) MUST_CHECK;
struct store_metadata {
	struct str metric, type, help, unit;
};
/* metric empty: all. */
int store_metadata(struct store *s, struct str metric, struct arena *a, struct store_metadata **out,
	size_t *n, struct err *e) MUST_CHECK;

/* --- maintenance and facts --- */
/* Seal and write every open chunk, so that only chunks on disk answer (debug/flush). Blocks. */
int store_flush(struct store *s, struct err *e) MUST_CHECK;
struct store_stats {
	uint64_t series, active_series, head_chunks, head_bytes, disk_bytes, wal_bytes;
	uint64_t label_pairs;
	int64_t mint, maxt; /* times of the oldest and newest sample in memory; mint > maxt: none */
	bool disk_full;
};
/* Looks at every series in memory: a millisecond for some ten thousand. */
void store_stats(struct store *s, struct store_stats *out);
/* Last turn of the writer thread, real monotonic time; waits for nothing: for /-/healthy. */
int64_t store_tick_mono_ms(const struct store *s);
/* The k metric names (or label names, or pairs) with most series, for /api/v1/status/tsdb. */
struct store_top {
	struct str name;
	uint64_t count;
};
enum store_top_kind { STORE_TOP_METRICS, STORE_TOP_LABEL_VALUES, STORE_TOP_PAIRS };
int store_top(struct store *s, enum store_top_kind kind, size_t k, struct arena *a,
	struct store_top **out, size_t *n, struct err *e) MUST_CHECK;

#endif
