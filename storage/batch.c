/* SPDX-License-Identifier: Apache-2.0 */
/* batch - building a batch: columns of rows, runs of series; see batch.h. */
#include "storage/batch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "storage/batch_int.h"

#define BATCH_ARENA ((size_t)256 << 20) /* labels and histograms of one batch */
#define KEPT        8u                  /* empty batches kept for the next ones */
#define KEPT_BYTES  ((size_t)256 << 10) /* each at most this large */

/* Batches grow in one thread and are freed in another: without these, malloc would give the pages
 * back and ask for them again with each. Empty places are NULL. Sanitizers shall see every use of
 * a freed batch: none is kept then. */
static struct batch *_Atomic kept[KEPT];

static bool keep(struct batch *b)
{
#if !defined(__SANITIZE_ADDRESS__)
	struct batch *none;

	if (b->cap_runs * sizeof *b->runs + b->cap * (sizeof *b->t + sizeof *b->v) > KEPT_BYTES)
		return false;
	for (size_t i = 0; i < KEPT; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&kept[i], &none, b))
			return true;
	}
#endif
	(void)b;
	return false;
}

static struct batch *take_kept(void)
{
	for (size_t i = 0; i < KEPT; i++) {
		struct batch *b =
			atomic_load(&kept[i]) != NULL ? atomic_exchange(&kept[i], NULL) : NULL;

		if (b != NULL)
			return b;
	}
	return calloc(1, sizeof(struct batch));
}

struct batch *batch_new(enum batch_source source)
{
	struct batch *b = take_kept();

	ASSERT(b != NULL);
	b->source = source;
	arena_init(&b->a, BATCH_ARENA);
	return b;
}

void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	arena_fini(&b->a);
	free(b->h);
	free(b->start);
	free(b->facts);
	free(b->metas);
	*b = (struct batch){
		.runs = b->runs, .cap_runs = b->cap_runs, .t = b->t, .v = b->v, .cap = b->cap};
	if (keep(b))
		return;
	free(b->runs);
	free(b->t);
	free(b->v);
	free(b);
}

bool batch_failed(const struct batch *b)
{
	return b->failed || b->a.failed;
}

static bool grow(void *column, size_t cap, size_t elem)
{
	void **p = column;
	void *q = realloc(*p, cap * elem);

	if (q == NULL)
		return false;
	*p = q;
	return true;
}

/* Room for one more element in a list. */
static bool room(struct batch *b, void *list, size_t n, size_t *cap, size_t elem)
{
	size_t want = MAX_OF(*cap * 2, 16);

	if (n < *cap)
		return true;
	if (n >= LIMIT_BATCH_SAMPLES || !grow(list, want, elem)) {
		b->failed = true;
		return false;
	}
	*cap = want;
	return true;
}

static bool room_row(struct batch *b)
{
	size_t cap = MAX_OF(b->cap * 2, 64);

	if (b->n < b->cap)
		return true;
	if (b->n >= LIMIT_BATCH_SAMPLES || b->n_runs == 0 || !grow(&b->t, cap, sizeof *b->t) ||
		!grow(&b->v, cap, sizeof *b->v) ||
		(b->h != NULL && !grow(&b->h, cap, sizeof *b->h)) ||
		(b->start != NULL && !grow(&b->start, cap, sizeof *b->start))) {
		b->failed = true;
		return false;
	}
	b->cap = cap;
	return true;
}

static void add_run(struct batch *b, struct batch_run run)
{
	if (!room(b, &b->runs, b->n_runs, &b->cap_runs, sizeof *b->runs))
		return;
	run.first = (uint32_t)b->n;
	b->runs[b->n_runs++] = run;
}

void batch_series_id(struct batch *b, uint32_t id)
{
	add_run(b, (struct batch_run){.id = id});
}

void batch_series_labels(struct batch *b, struct labels ls, uint64_t hash)
{
	struct labels copy = labels_copy(&b->a, ls);

	add_run(b, (struct batch_run){.ls = copy, .hash = hash});
}

static void add_row(struct batch *b, int64_t t, double v, const struct hist *h, int64_t start)
{
	size_t i = b->n;

	if (batch_failed(b) || !room_row(b))
		return;
	if (h != NULL && b->h == NULL)
		b->h = calloc(b->cap, sizeof *b->h);
	if (start != 0 && b->start == NULL)
		b->start = calloc(b->cap, sizeof *b->start);
	if ((h != NULL && b->h == NULL) || (start != 0 && b->start == NULL)) {
		b->failed = true;
		return;
	}
	b->t[i] = t;
	b->v[i] = v;
	if (b->h != NULL)
		b->h[i] = h;
	if (b->start != NULL)
		b->start[i] = start;
	b->n = i + 1;
	b->runs[b->n_runs - 1].n++;
}

void batch_float(struct batch *b, int64_t t_ms, double v, int64_t start_ms)
{
	add_row(b, t_ms, v, NULL, start_ms);
}

void batch_hist(struct batch *b, int64_t t_ms, const struct hist *h, int64_t start_ms)
{
	struct err e;

	if (hist_check(h, &e) != 0) {
		batch_note(b, REFUSED_HISTOGRAM, 1, "%s", e.msg);
		return;
	}
	h = hist_copy(&b->a, h);
	if (h != NULL)
		add_row(b, t_ms, 0, h, start_ms);
}

static void __attribute__((format(printf, 4, 0)))
note(struct batch *b, enum batch_refusal why, size_t rows, const char *fmt, va_list ap)
{
	if (rows == 0)
		return;
	b->result.refused[why] += rows;
	if (b->result.first != REFUSED_NONE)
		return;
	b->result.first = why;
	(void)vsnprintf(b->result.first_msg, sizeof b->result.first_msg, fmt, ap);
}

void batch_note(struct batch *b, enum batch_refusal why, size_t rows, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(b, why, rows, fmt, ap);
	va_end(ap);
}

void batch_refuse(struct batch *b, enum batch_refusal why, size_t rows, const char *fmt, ...)
{
	va_list ap;

	ASSERT(why > REFUSED_NONE && why < REFUSED_KINDS);
	va_start(ap, fmt);
	note(b, why, rows, fmt, ap);
	va_end(ap);
}

void batch_state(struct batch *b, struct str key, struct str value)
{
	if (!room(b, &b->facts, b->n_facts, &b->cap_facts, sizeof *b->facts))
		return;
	b->facts[b->n_facts++] =
		(struct batch_fact){arena_str(&b->a, key), arena_str(&b->a, value)};
}

void batch_metadata(
	struct batch *b, struct str metric, struct str type, struct str help, struct str unit)
{
	if (!room(b, &b->metas, b->n_metas, &b->cap_metas, sizeof *b->metas))
		return;
	b->metas[b->n_metas++] = (struct batch_meta){arena_str(&b->a, metric),
		arena_str(&b->a, type), arena_str(&b->a, help), arena_str(&b->a, unit)};
}

size_t batch_rows(const struct batch *b)
{
	return b->n;
}

size_t batch_bytes(const struct batch *b)
{
	return sizeof *b + b->a.used + b->cap_runs * sizeof *b->runs + b->cap * 16 +
	       (b->h != NULL ? b->cap * sizeof *b->h : 0) +
	       (b->start != NULL ? b->cap * sizeof *b->start : 0) +
	       b->cap_facts * sizeof *b->facts + b->cap_metas * sizeof *b->metas;
}

const struct batch_result *batch_result(const struct batch *b)
{
	return &b->result;
}

uint32_t batch_series_result_id(const struct batch *b, size_t i)
{
	ASSERT(i < b->n_runs);
	return b->runs[i].id;
}

size_t batch_series_count(const struct batch *b)
{
	return b->n_runs;
}

void batch_swap(struct batch *b, size_t i, size_t j)
{
	int64_t t = b->t[i];
	double v = b->v[i];

	b->t[i] = b->t[j];
	b->t[j] = t;
	b->v[i] = b->v[j];
	b->v[j] = v;
	if (b->h != NULL) {
		const struct hist *h = b->h[i];

		b->h[i] = b->h[j];
		b->h[j] = h;
	}
	if (b->start != NULL) {
		int64_t s = b->start[i];

		b->start[i] = b->start[j];
		b->start[j] = s;
	}
}
