/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer - the storage writer: takes batches, commits them in groups, publishes them.
 *
 * A group is what waits in the queue when the writer comes to it: a lone batch commits at once,
 * and while a commit runs the next group gathers. Accepted rows go to the journal; after its
 * commit they are applied to the head under the write lock and the batches are given back.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/role.h"
#include "base/seam.h"
#include "base/steps.h"
#include "storage/store_control.h"
#include "storage/store_int.h"

#define CLOCK_STEP_MS 1000   /* less is slewing: it was not set back */
#define APPLY_ROWS    20000u /* rows published under one hold of the lock */

static bool refused_when_full(enum batch_source s)
{
	return s == BATCH_REMOTE_WRITE || s == BATCH_OTLP || s == BATCH_IMPORT;
}

static void give_back(struct batch *b)
{
	void (*done)(struct batch *, void *) = b->done;

	done(b, b->arg);
}

static void *grow_list(void *list, size_t n, size_t *cap, size_t elem)
{
	if (n < *cap)
		return list;
	*cap = *cap * 2 + 64;
	list = realloc(list, *cap * elem);
	ASSERT(list != NULL);
	return list;
}

void writer_log_series(struct store *st, uint32_t id)
{
	struct series *s = index_get(&st->index, id);

	st->new_ids = grow_list(st->new_ids, st->n_new, &st->cap_new, sizeof *st->new_ids);
	st->new_ids[st->n_new++] = id;
	s->logged = true; /* taken back when the commit fails */
}

static void add_item(struct store *st, struct batch *b, size_t from, size_t to)
{
	bool full = atomic_load(&st->disk_full);

	st->items = grow_list(st->items, st->n_items, &st->cap_items, sizeof *st->items);
	st->items[st->n_items++] =
		(struct frame_item){.b = b, .from = from, .to = to, .journal = !full};
}

static void refuse_batch(struct batch *b, enum err_kind kind)
{
	b->result = (struct batch_result){.fail = kind};
	give_back(b);
}

/* After it was set back, what lies ahead of it now moves no window. */
static void look_at_clock(struct store *st)
{
	int64_t now = clock_wall_ms();

	if (now < st->now - CLOCK_STEP_MS)
		st->newest = MIN_OF(st->newest, now);
	st->now = now;
}

static void begin_group(struct store *st)
{
	if (st->n_items > 0)
		return;
	look_at_clock(st);
	st->head.now = st->now;
	st->head.now_s = (uint32_t)(clock_mono_ms() / 1000);
	upkeep_disk(st);
}

static void take_batch(struct store *st, struct batch *b)
{
	size_t from = 0;

	begin_group(st);
	if (atomic_load(&st->disk_full) && refused_when_full(b->source)) {
		METRIC_DROP("storage", "disk_full", b->n);
		refuse_batch(b, ERR_LIMIT);
		return;
	}
	if (atomic_load(&st->disk_full) && st->head.closed_bytes > STORE_VOLATILE_BYTES) {
		METRIC_DROP("storage", "volatile_full", b->n);
		METRIC_LIMIT("volatile_bytes");
		refuse_batch(b, ERR_LIMIT);
		return;
	}
	for (;;) {
		size_t to = accept_runs(st, b, from);

		add_item(st, b, from, to);
		if (to == b->n_runs)
			break;
		writer_commit(st);
		begin_group(st);
		from = to;
	}
	st->ended = grow_list(st->ended, st->n_ended, &st->cap_ended, sizeof(struct batch *));
	st->ended[st->n_ended++] = b;
	st->group_bytes += batch_bytes(b);
}

static bool has_content(const struct store *st)
{
	if (st->n_new > 0)
		return true;
	for (size_t i = 0; i < st->n_items; i++) {
		const struct frame_item *x = &st->items[i];

		if (!x->journal)
			continue;
		if (x->from == 0 && (x->b->n_facts > 0 || x->b->n_metas > 0))
			return true;
		for (size_t k = x->from; k < x->to; k++) {
			if (x->b->runs[k].in_order + x->b->runs[k].late > 0)
				return true;
		}
	}
	return false;
}

static int log_group(struct store *st, struct err *e)
{
	struct str frame;

	if (!has_content(st))
		return 0;
	if (st->journal_bad)
		return err_set(e, ERR_IO, 0, "the journal segment failed before");
	frame = frame_encode(
		&st->frames, &st->index, st->new_ids, st->n_new, st->items, st->n_items);
	if (frame.n == 0)
		return err_set(e, ERR_LIMIT, 0, "no memory for a journal frame");
	return journal_append(&st->journal, frame, e);
}

static void apply_run(struct store *st, const struct batch *b, const struct batch_run *r)
{
	struct head_series *hd;

	if (r->in_order + r->late == 0)
		return;
	hd = index_get(&st->index, r->id)->hd;
	for (uint32_t i = r->first; i < r->first + r->in_order; i++)
		head_append(&st->head, hd, b->t[i], b->v[i], b->h ? b->h[i] : NULL,
			b->start ? b->start[i] : 0);
	for (uint32_t i = r->first + r->in_order; i < r->first + r->in_order + r->late; i++)
		head_late(&st->head, hd, b->t[i], b->v[i], b->h ? b->h[i] : NULL,
			b->start ? b->start[i] : 0);
}

static void apply_facts(struct store *st, const struct batch *b)
{
	for (size_t i = 0; i < b->n_facts; i++)
		ASSERT(smap_set(&st->facts, b->facts[i].key, b->facts[i].value));
	for (size_t i = 0; i < b->n_metas; i++)
		store_put_meta(st, &b->metas[i]);
}

/* As in accept.c: a series, then its head, then the end of its strip. */
static inline void prefetch(const struct store *st, const struct batch *b, size_t i)
{
	const struct series *s;

	if (i + 16 < b->n_runs)
		index_prefetch(&st->index, b->runs[i + 16].id);
	if (i + 10 < b->n_runs && (s = index_get(&st->index, b->runs[i + 10].id)) != NULL) {
		__builtin_prefetch(s->hd);
		__builtin_prefetch((const char *)s->hd + 64);
	}
	if (i + 5 < b->n_runs && (s = index_get(&st->index, b->runs[i + 5].id)) != NULL &&
		s->hd != NULL)
		chain_prefetch(&st->head.cells, &s->hd->open.bytes);
}

static void note_volatile(struct store *st)
{
	for (size_t i = 0; i < st->n_items; i++) {
		if (st->items[i].journal)
			continue;
		if (!st->volatile_rows)
			upkeep_gap_begin(st);
		METRIC_DROP("storage", "journal_skipped", st->items[i].b->n);
	}
}

static void publish(struct store *st)
{
	static struct metric *_Atomic samples;
	size_t rows = 0, all = 0;

	if (samples == NULL)
		samples = metric_counter("belfry_storage_samples_total",
			"Samples written and published, from all ways in.", NULL);
	note_volatile(st);
	store_wrlock(st);
	for (size_t i = 0; i < st->n_items; i++) {
		const struct frame_item *x = &st->items[i];

		if (x->from == 0)
			apply_facts(st, x->b);
		for (size_t k = x->from; k < x->to; k++) {
			prefetch(st, x->b, k);
			apply_run(st, x->b, &x->b->runs[k]);
			rows += x->b->runs[k].n;
			all += x->b->runs[k].n;
			if (rows < APPLY_ROWS)
				continue;
			rows = 0;
			store_unlock(st);
			store_wrlock(st);
		}
	}
	store_unlock(st);
	metric_add(samples, all);
}

static void count_samples(const struct store *st)
{
	static struct metric *_Atomic samples;
	size_t n = 0;

	if (samples == NULL)
		samples = metric_counter("belfry_storage_samples_total",
			"Samples taken, repeated equal ones included.", NULL);
	for (size_t i = 0; i < st->n_ended; i++)
		n += st->ended[i]->result.stored;
	metric_add(samples, n);
}

static void end_group(struct store *st)
{
	size_t n = st->n_ended;

	count_samples(st);

	st->n_items = st->n_new = st->n_ended = 0;
	st->group_bytes = 0;
	st->group++;
	for (size_t i = 0; i < n; i++)
		give_back(st->ended[i]);
}

/* The group was not committed: nothing of it counts. */
static void fail_group(struct store *st, enum err_kind kind)
{
	for (size_t i = 0; i < st->n_new; i++)
		index_get(&st->index, st->new_ids[i])->logged = false;
	for (size_t i = 0; i < st->n_items; i++) {
		const struct frame_item *x = &st->items[i];

		for (size_t k = x->from; k < x->to; k++) {
			struct series *s = index_get(&st->index, x->b->runs[k].id);

			if (s != NULL && s->hd != NULL)
				head_forget_accepted(&st->head, s->hd);
		}
	}
	for (size_t i = 0; i < st->n_ended; i++)
		st->ended[i]->result = (struct batch_result){.fail = kind};
}

/* After a failed commit: what may live in memory alone does. */
static void salvage_group(struct store *st)
{
	for (size_t i = 0; i < st->n_new; i++)
		index_get(&st->index, st->new_ids[i])->logged = false;
	for (size_t i = 0; i < st->n_items; i++) {
		struct frame_item *x = &st->items[i];

		x->journal = false;
		if (!refused_when_full(x->b->source))
			continue;
		for (size_t k = x->from; k < x->to; k++) {
			struct batch_run *r = &x->b->runs[k];
			struct series *s = index_get(&st->index, r->id);

			r->in_order = r->late = 0;
			if (s != NULL && s->hd != NULL)
				head_forget_accepted(&st->head, s->hd);
		}
		x->b->n_facts = x->b->n_metas = 0;
		METRIC_DROP("storage", "disk_full", x->b->n);
		x->b->result = (struct batch_result){.fail = ERR_LIMIT};
	}
}

/* Two batches of the group may hold rows of one series: leaving one out must not leave the other
 * without order. */
static bool one_kind(const struct store *st)
{
	bool refused = false, kept = false;

	for (size_t i = 0; i < st->n_items; i++) {
		if (refused_when_full(st->items[i].b->source))
			refused = true;
		else
			kept = true;
	}
	return !(refused && kept);
}

static void commit_failed(struct store *st, const struct err *e)
{
	static struct metric *_Atomic failures;

	if (failures == NULL)
		failures = metric_counter("belfry_storage_commit_failures_total",
			"Commits of samples that failed.", NULL);
	metric_inc(failures);
	log_error("storage", "msg=\"samples could not be written\" err=\"%s\"", e->msg);
	st->journal_bad = true;
	atomic_store(&st->disk_full, true);
	if (!one_kind(st)) {
		fail_group(st, ERR_AGAIN);
		return;
	}
	salvage_group(st);
	publish(st);
}

void writer_commit(struct store *st)
{
	static struct metric *_Atomic count, *_Atomic seconds;
	int64_t began = clock_real_ns();
	struct err e;

	if (st->n_items == 0) {
		end_group(st);
		return;
	}
	if (count == NULL) {
		count = metric_counter(
			"belfry_storage_commits_total", "Commit groups written.", NULL);
		seconds = metric_counter("belfry_storage_commit_seconds_total",
			"Time spent writing and publishing commit groups.", NULL);
	}
	if (log_group(st, &e) == 0) {
		SEAM_CRASH("journal.committed");
		publish(st);
	} else {
		commit_failed(st, &e);
	}
	end_group(st);
	metric_inc(count);
	metric_addf(seconds, (double)(clock_real_ns() - began) / 1e9);
}

static void handle(struct store *st, struct store_msg *m, bool *stop)
{
	struct store_control *c;

	if (m->kind == STORE_MSG_BATCH) {
		take_batch(st, (struct batch *)(void *)m);
		return;
	}
	writer_commit(st);
	c = (struct store_control *)(void *)m;
	if (m->kind == STORE_MSG_CLOSE)
		*stop = true;
	else
		c->rc = upkeep_flush_all(st, &c->err);
	store_control_done(c);
}

void *writer_main(void *arg)
{
	struct store *st = arg;
	bool stop = false;

	steps_thread_begin();
	role_enter(ROLE_STORAGE_WRITER);
	while (!stop) {
		struct store_msg *m = queue_pop(st->queue, 200);
		int64_t until = clock_real_ns() + st->commit_ms * 1000000;

		while (m != NULL && !stop) {
			handle(st, m, &stop);
			if (st->group_bytes >= STORE_GROUP_BYTES || clock_real_ns() >= until)
				break;
			m = stop ? NULL : queue_pop(st->queue, 0);
		}
		writer_commit(st);
		atomic_store(&st->tick_mono_ms, clock_mono_ms());
		upkeep_run(st);
	}
	steps_thread_end();
	return NULL;
}
