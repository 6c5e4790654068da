/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush - series out of cells; see flush.h.
 *
 * The hardest idea is the base. Cells count from 0; before a cell's first flush, what the store
 * holds of the series is added in, so that a counter goes on after a restart, and after it had
 * gone stale. A series that starts (new, or back from stale) gets its base as a sample one interval
 * earlier, so that rate() sees the first packets too; a series that was alive when the last
 * run ended goes on without. A series whose newest stored sample is not older than this flush
 * (the last run's final flush was ahead of its time) waits for the next one.
 */
#include "agent/statsd/flush.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/queue.h"
#include "base/rd.h"
#include "base/seam.h"

#define ROWS_PER_BATCH  50000u
#define CELLS_AT_A_TIME 1024u
#define HIST_ARENA      (4u << 20) /* one series' histograms at a time */
#define FACT_PREFIX     STR("statsd/")
#define FACT_MAX        (256u << 10)

struct statsd_flush {
	struct statsd_table *table;
	struct store *store;
	int64_t interval_ms, idle_ms;
	struct queue *answers; /* of struct part, from the writer thread */
	unsigned pending;
	uint64_t generation; /* of the store's ids */
	bool some_died;
	struct arena scratch;
	struct buf fact;
	int64_t t_ms;      /* of the flush that is being written */
	struct part *part; /* being filled */
	struct metric *flushes, *skipped, *refused, *duration, *last_duration, *rows;
};

/* A batch and the cells of its series, in order. */
struct part {
	struct statsd_flush *owner;
	struct batch *batch;
	struct statsd_cell **cells;
	size_t n, cap;
};

static const char kind_letters[STATSD_KINDS] = {'c', 'g', 't', 's'};

struct statsd_flush *statsd_flush_new(
	struct statsd_table *t, struct store *store, int64_t interval_ms, int64_t idle_timeout_ms)
{
	struct statsd_flush *f = calloc(1, sizeof *f);

	ASSERT(f != NULL);
	f->table = t;
	f->store = store;
	f->interval_ms = interval_ms;
	f->idle_ms = idle_timeout_ms;
	f->answers = queue_new(LIMIT_STATSD_SERIES / ROWS_PER_BATCH * 4 + 16, 0);
	f->generation = store_id_generation(store);
	arena_init(&f->scratch, HIST_ARENA);
	buf_init(&f->fact, FACT_MAX);
	f->flushes = metric_counter("belfry_statsd_flushes_total", "Flushes done.", NULL);
	f->skipped = metric_counter("belfry_statsd_flushes_skipped_total",
		"Flush times passed over because the store had not answered the one before.", NULL);
	f->refused = metric_counter("belfry_statsd_flush_refused_total",
		"Batches the store did not take; their totals went with the next flush.", NULL);
	f->rows = metric_counter(
		"belfry_statsd_flushed_samples_total", "Samples the store committed.", NULL);
	f->duration = metric_counter(
		"belfry_statsd_flush_duration_seconds_total", "Time spent writing flushes.", NULL);
	f->last_duration = metric_gauge("belfry_statsd_last_flush_duration_seconds",
		"Time the last flush took to write.", NULL);
	return f;
}

void statsd_flush_free(struct statsd_flush *f)
{
	if (f == NULL)
		return;
	ASSERT(f->pending == 0);
	ASSERT(f->part == NULL);
	queue_free(f->answers);
	arena_fini(&f->scratch);
	buf_fini(&f->fact);
	free(f);
}

/* ---- facts ---- */

static struct str fact_key(struct statsd_flush *f, const struct statsd_cell *c)
{
	struct buf *b = &f->fact;

	ASSERT(c->kind < STATSD_KINDS);
	buf_reset(b);
	buf_str(b, FACT_PREFIX);
	buf_ch(b, kind_letters[c->kind]);
	buf_ch(b, '/');
	for (size_t i = 0; i < c->labels.n; i++) {
		buf_varint(b, c->labels.v[i].name.n);
		buf_str(b, c->labels.v[i].name);
		buf_varint(b, c->labels.v[i].value.n);
		buf_str(b, c->labels.v[i].value);
	}
	ASSERT(!b->failed); /* labels are within limits.h */
	return buf_view(b);
}

static bool read_labels(struct rd *r, struct label *v, struct labels *out)
{
	size_t n = 0;
	struct err e;

	while (rd_more(r)) {
		if (n == LIMIT_LABELS)
			return false;
		v[n].name = rd_bytes(r, rd_varint(r));
		v[n].value = rd_bytes(r, rd_varint(r));
		n++;
	}
	*out = (struct labels){v, n};
	return !r->bad && labels_check(*out, true, &e) == 0;
}

static void on_fact(struct str key, struct str value, void *arg)
{
	struct statsd_flush *f = arg;
	struct str rest = str_sub(key, FACT_PREFIX.n, key.n);
	struct rd r = rd_of(str_sub(rest, 2, rest.n));
	struct label v[LIMIT_LABELS];
	struct labels ls;

	(void)value;
	for (unsigned k = 0; k < STATSD_KINDS; k++) {
		if (rest.n > 2 && rest.p[0] == kind_letters[k] && rest.p[1] == '/') {
			if (!read_labels(&r, v, &ls))
				break;
			statsd_table_restore(f->table, (enum statsd_kind)k, ls);
			return;
		}
	}
	METRIC_DROP("statsd", "bad_fact", 1); /* a newer version's: leave it alone */
}

int statsd_flush_restore(struct statsd_flush *f, struct err *e)
{
	int64_t now = clock_mono_ms();

	if (store_state_each(f->store, FACT_PREFIX, on_fact, f, e) != 0)
		return err_wrap(e, "cannot read the live StatsD series");
	for (size_t i = 0; i < f->table->n_cells; i++)
		f->table->cells[i]->seen_ms = now;
	return 0;
}

/* ---- one series ---- */

/* What the store holds of the series: a total to go on from, in *base (histogram in *h). */
struct base {
	bool found;
	int64_t t;
	double v;
	const struct hist *h;
};

static struct base find_base(struct statsd_flush *f, struct statsd_cell *c)
{
	struct base b = {0};

	if (c->id == 0)
		c->id = store_find_series(f->store, c->labels, c->hash);
	if (c->id != 0)
		b.found = store_last_sample(f->store, c->labels, &f->scratch, &b.t, &b.v, &b.h);
	return b;
}

static void add_base(struct statsd_cell *c, struct base *b)
{
	switch ((enum statsd_kind)c->kind) {
	case STATSD_COUNTER:
		if (b->h == NULL && b->v > 0)
			c->number += b->v;
		break;
	case STATSD_GAUGE:
		if (b->h == NULL && !c->absolute)
			c->number += b->v;
		break;
	case STATSD_TIMER:
		if (b->h == NULL || !timer_merge(&c->timer, b->h))
			b->h = NULL;
		break;
	case STATSD_SET:
	case STATSD_KINDS: break;
	}
}

/* The base as a sample one interval before the first: totals only, not gauges and sets. */
static void write_start(struct statsd_flush *f, const struct statsd_cell *c, const struct base *b)
{
	int64_t t = f->t_ms - f->interval_ms;
	struct hist zero = {.schema = c->kind == STATSD_TIMER ? c->timer.schema : TIMER_SCHEMA,
		.is_int = true,
		.zero_threshold = TIMER_ZERO_THRESHOLD};

	if (b->found && b->t >= t)
		return;
	if (c->kind == STATSD_COUNTER)
		batch_float(f->part->batch, t, b->found && b->h == NULL && b->v > 0 ? b->v : 0, 0);
	else if (c->kind == STATSD_TIMER)
		batch_hist(f->part->batch, t, b->found && b->h != NULL ? b->h : &zero, 0);
}

static void write_value(struct statsd_flush *f, struct statsd_cell *c)
{
	struct batch *b = f->part->batch;
	const struct hist *h;

	switch ((enum statsd_kind)c->kind) {
	case STATSD_COUNTER:
	case STATSD_GAUGE: batch_float(b, f->t_ms, c->number, 0); break;
	case STATSD_SET:
		batch_float(b, f->t_ms, set_estimate(&c->set), 0);
		statsd_table_clear_set(f->table, c);
		break;
	case STATSD_TIMER:
		h = timer_hist(&c->timer, &f->scratch);
		ASSERT(h != NULL); /* at most LIMIT_STATSD_BUCKETS: fits the arena */
		batch_hist(b, f->t_ms, h, 0);
		break;
	case STATSD_KINDS: break;
	}
}

static void write_stale(struct statsd_flush *f, const struct statsd_cell *c)
{
	struct hist h = {
		.schema = TIMER_SCHEMA, .zero_threshold = TIMER_ZERO_THRESHOLD, .sum = stale_nan()};

	if (c->kind == STATSD_TIMER)
		batch_hist(f->part->batch, f->t_ms, &h, 0);
	else
		batch_float(f->part->batch, f->t_ms, stale_nan(), 0);
}

static void name_series(struct statsd_flush *f, struct statsd_cell *c)
{
	struct part *p = f->part;

	if (c->id != 0)
		batch_series_id(p->batch, c->id);
	else
		batch_series_labels(p->batch, c->labels, c->hash);
	p->cells[p->n++] = c;
}

static void write_cell(struct statsd_flush *f, struct statsd_cell *c, int64_t now_ms)
{
	struct base base = {0};

	arena_reset(&f->scratch);
	if (c->dirty || c->seen_ms == 0)
		c->seen_ms = now_ms;
	if (!c->base_known) {
		base = find_base(f, c);
		if (base.found && base.t >= f->t_ms && base.t - f->t_ms <= f->interval_ms)
			return; /* next time: its dirty flag stays */
		if (base.found)
			add_base(c, &base);
		else
			c->starts = true;
		c->base_known = true;
		c->absolute = true;
	}
	name_series(f, c);
	if (f->idle_ms > 0 && !c->dirty && now_ms - c->seen_ms >= f->idle_ms) {
		write_stale(f, c);
		batch_state(f->part->batch, fact_key(f, c), STR_NULL);
		c->dying = true;
		return;
	}
	if (c->starts)
		write_start(f, c, &base);
	write_value(f, c);
	if (!c->has_fact)
		batch_state(f->part->batch, fact_key(f, c), STR("1"));
	c->dirty = false;
}

/* ---- batches ---- */

static void on_committed(struct batch *b, void *arg)
{
	struct part *p = arg;
	bool pushed;

	ASSERT(p->batch == b);
	pushed = queue_push(p->owner->answers, p, 1);
	ASSERT(pushed); /* its room is larger than the number of batches of a flush */
}

static void part_free(struct part *p)
{
	batch_free(p->batch);
	free(p->cells);
	free(p);
}

static void part_begin(struct statsd_flush *f)
{
	struct part *p = calloc(1, sizeof *p);
	size_t cap = MIN_OF(f->table->n_cells, (size_t)ROWS_PER_BATCH) + CELLS_AT_A_TIME;

	ASSERT(p != NULL);
	p->owner = f;
	p->batch = batch_new(BATCH_STATSD);
	p->cells = calloc(cap, sizeof(struct statsd_cell *));
	ASSERT(p->cells != NULL);
	p->cap = cap;
	f->part = p;
}

/* The store did not take it: as if it had not been written, except for a set's interval. */
static void part_refused(struct statsd_flush *f, struct part *p, const char *why)
{
	metric_inc(f->refused);
	log_warn("statsd",
		"msg=\"flush not stored; totals go with the next\" series=%zu error=\"%s\"", p->n,
		why);
	for (size_t i = 0; i < p->n; i++) {
		p->cells[i]->dirty |= !p->cells[i]->dying;
		p->cells[i]->dying = false;
	}
	part_free(p);
}

static void part_submit(struct statsd_flush *f)
{
	struct part *p = f->part;
	struct err e = {0};

	f->part = NULL;
	if (p->n == 0) {
		part_free(p);
		return;
	}
	if (batch_failed(p->batch)) {
		part_refused(f, p, "out of memory");
		return;
	}
	SEAM_CRASH("statsd.flush");
	if (store_submit(f->store, p->batch, on_committed, p, &e) != 0) {
		part_refused(f, p, e.msg);
		return;
	}
	f->pending++;
}

static bool is_dead(const struct statsd_cell *c)
{
	return c->dying;
}

static void forget_ids(struct statsd_flush *f)
{
	uint64_t now = store_id_generation(f->store);

	if (now == f->generation)
		return;
	f->generation = now;
	for (size_t i = 0; i < f->table->n_cells; i++)
		f->table->cells[i]->id = 0;
}

void statsd_flush_run(struct statsd_flush *f, int64_t t_ms, void (*between)(void *arg), void *arg)
{
	int64_t start_ns = clock_real_ns(), now_ms = clock_mono_ms();
	double seconds;

	statsd_flush_collect(f);
	if (f->pending > 0) {
		metric_inc(f->skipped);
		return;
	}
	forget_ids(f);
	f->t_ms = t_ms;
	part_begin(f);
	for (size_t i = 0; i < f->table->n_cells; i++) {
		if (i % CELLS_AT_A_TIME == CELLS_AT_A_TIME - 1 && between != NULL)
			between(arg);
		if (f->part->n == f->part->cap || f->part->n >= ROWS_PER_BATCH) {
			part_submit(f);
			part_begin(f);
		}
		write_cell(f, f->table->cells[i], now_ms);
	}
	part_submit(f);
	metric_inc(f->flushes);
	seconds = (double)(clock_real_ns() - start_ns) / 1e9;
	metric_addf(f->duration, seconds);
	metric_set(f->last_duration, seconds);
}

/* ---- answers ---- */

static void count_refused(const struct batch_result *r)
{
	METRIC_DROP("statsd", "too_old", r->refused[REFUSED_TOO_OLD]);
	METRIC_DROP("statsd", "too_new", r->refused[REFUSED_TOO_NEW]);
	METRIC_DROP("statsd", "duplicate", r->refused[REFUSED_DUPLICATE]);
	METRIC_DROP("statsd", "store_series_limit", r->refused[REFUSED_SERIES_LIMIT]);
}

static void part_committed(struct statsd_flush *f, struct part *p)
{
	count_refused(batch_result(p->batch));
	metric_add(f->rows, batch_result(p->batch)->stored);
	for (size_t i = 0; i < p->n; i++) {
		struct statsd_cell *c = p->cells[i];

		c->id = batch_series_result_id(p->batch, i);
		if (c->id == 0)
			continue; /* the series limit: it starts when there is room */
		c->starts = false;
		c->has_fact = !c->dying;
		if (c->dying && c->dirty)
			c->dying = false; /* a packet came after all: go on, remembered anew */
		f->some_died |= c->dying;
	}
	part_free(p);
}

void statsd_flush_collect(struct statsd_flush *f)
{
	struct part *p;

	while ((p = queue_pop(f->answers, 0)) != NULL) {
		const struct batch_result *r = batch_result(p->batch);

		ASSERT(f->pending > 0);
		f->pending--;
		if (r->fail == ERR_NONE)
			part_committed(f, p);
		else
			part_refused(f, p, r->first_msg);
	}
	if (f->pending == 0 && f->some_died && f->part == NULL) {
		statsd_table_bury(f->table, is_dead);
		f->some_died = false;
	}
}

int statsd_flush_fd(const struct statsd_flush *f)
{
	return queue_fd(f->answers);
}

unsigned statsd_flush_pending(const struct statsd_flush *f)
{
	return f->pending;
}

bool statsd_flush_wait(struct statsd_flush *f, int real_ms)
{
	int64_t until = clock_real_ns() / 1000000 + real_ms;

	while (f->pending > 0) {
		int64_t left = until - clock_real_ns() / 1000000;
		struct part *p = left > 0 ? queue_pop(f->answers, (int)left) : NULL;

		if (p == NULL)
			return false;
		/* back in, so that there is one place that handles answers */
		if (!queue_push(f->answers, p, 1))
			return false;
		statsd_flush_collect(f);
	}
	return true;
}

bool statsd_flush_is_due(const struct statsd_flush *f)
{
	for (size_t i = 0; i < f->table->n_cells; i++) {
		if (f->table->cells[i]->dirty)
			return true;
	}
	return false;
}
