/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - samples on their way from whoever decoded them to the storage writer.
 *
 * Built by one ingest thread, then given away with store_submit(); the writer fills in the outcome
 * and calls back after the commit. Rows are grouped by series: batch_series() names the series
 * that the following batch_float()/batch_hist() rows belong to. All strings, labels and histograms
 * are copied into the batch. Bounded by LIMIT_BATCH_SAMPLES and the arena's limit: check
 * batch_failed().
 */
#ifndef BELFRY_STORAGE_BATCH_H
#define BELFRY_STORAGE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"
#include "base/labels.h"

struct batch;

/* Who the samples come from: decides how times are checked and what full-disk mode does. */
enum batch_source {
	BATCH_REMOTE_WRITE, /* refused with 503 while the disk is full */
	BATCH_OTLP,
	BATCH_SCRAPE, /* while the disk is full: kept in the head only, marked volatile */
	BATCH_STATSD,
	BATCH_SELF,
	BATCH_RULES,  /* late within the window, or an hour when that is longer (the clock was set
			 back); what stands at a time already stays */
	BATCH_IMPORT, /* any time is accepted */
};

/* Why a row was refused. */
enum batch_refusal {
	REFUSED_NONE = 0,
	REFUSED_LABELS,    /* no name, bad or duplicate labels (by the decoder) */
	REFUSED_TOO_OLD,   /* outside the out-of-order window */
	REFUSED_TOO_NEW,   /* further ahead than LIMIT_AHEAD_MS */
	REFUSED_DUPLICATE, /* another value stands at this time */
	REFUSED_SERIES_LIMIT,
	REFUSED_HISTOGRAM, /* malformed histogram (by the decoder) */
	REFUSED_KINDS
};

struct batch_result {
	enum err_kind fail; /* ERR_NONE: committed. ERR_AGAIN: overload. ERR_LIMIT: disk full.
			       Nothing is stored then. */
	size_t stored;      /* rows stored, repeated equal samples included */
	size_t refused[REFUSED_KINDS];
	enum batch_refusal first; /* kind of the first refused row */
	char first_msg[240];      /* what it was: series, time and reason, for the answer */
};

struct batch *batch_new(enum batch_source source);
void batch_free(struct batch *b);
bool batch_failed(const struct batch *b); /* over a limit or out of memory: do not submit */

/* A series by its id (from store_find_series or a cache), or by its labels (sorted and checked,
 * see labels_check) when the id is unknown: id 0. hash = labels_hash(labels), computed by the
 * caller. */
void batch_series_id(struct batch *b, uint32_t id);
void batch_series_labels(struct batch *b, struct labels ls, uint64_t hash);
/* A row of the series named last. start_ms 0: no start timestamp. */
void batch_float(struct batch *b, int64_t t_ms, double v, int64_t start_ms);
void batch_hist(struct batch *b, int64_t t_ms, const struct hist *h, int64_t start_ms);
/* Count a row the decoder refused before it could be added. */
void batch_refuse(struct batch *b, enum batch_refusal why, size_t rows, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Facts committed in the same transaction (StatsD's live series and the like): upsert, or delete
 * when value is empty. Read back with store_state_each(). */
void batch_state(struct batch *b, struct str key, struct str value);
/* Metric metadata (type, help, unit) seen with the samples; kept per metric name, last wins. */
void batch_metadata(
	struct batch *b, struct str metric, struct str type, struct str help, struct str unit);

size_t batch_rows(const struct batch *b);
size_t batch_bytes(const struct batch *b); /* memory held, for queue weights */
const struct batch_result *batch_result(const struct batch *b);
/* After the commit: the id of the i-th batch_series_* call (0 when refused), to fill caches. */
uint32_t batch_series_result_id(const struct batch *b, size_t i);
size_t batch_series_count(const struct batch *b);

#endif
