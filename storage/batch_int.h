/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_int - what a batch is made of, for storage/ alone: the writer walks it directly.
 *
 * Rows are columns; a run names their series. The writer's acceptance moves the accepted rows of
 * a run to its front: first those in order, then those out of order.
 */
#ifndef BELFRY_STORAGE_BATCH_INT_H
#define BELFRY_STORAGE_BATCH_INT_H

#include "base/arena.h"
#include "storage/batch.h"

struct batch_run {
	struct labels ls; /* n == 0: by id */
	uint64_t hash;
	uint32_t id; /* 0 until resolved, and for ever when refused */
	uint32_t first, n;
	uint32_t in_order, late; /* accepted */
};

struct batch_fact {
	struct str key, value;
};

struct batch_meta {
	struct str metric, type, help, unit;
};

/* What the storage writer's queue carries: the first member of every message. */
enum store_msg_kind { STORE_MSG_BATCH, STORE_MSG_FLUSH, STORE_MSG_CLOSE };
struct store_msg {
	enum store_msg_kind kind;
};

struct batch {
	struct store_msg msg;
	enum batch_source source;
	struct arena a;
	struct batch_run *runs;
	size_t n_runs, cap_runs;
	int64_t *t;
	double *v;
	const struct hist **h; /* NULL until a histogram comes */
	int64_t *start;        /* NULL until a start timestamp comes */
	size_t n, cap;
	struct batch_fact *facts;
	size_t n_facts, cap_facts;
	struct batch_meta *metas;
	size_t n_metas, cap_metas;
	bool failed;
	bool journal; /* the writer: rows go to the journal (not volatile) */
	struct batch_result result;
	/* while it waits for the writer */
	void (*done)(struct batch *b, void *arg);
	void *arg;
};

/* Count a refused row; the first one also keeps its text. */
void batch_note(struct batch *b, enum batch_refusal why, size_t rows, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Swap two rows in all columns. */
void batch_swap(struct batch *b, size_t i, size_t j);

#endif
