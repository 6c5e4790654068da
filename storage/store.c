/* SPDX-License-Identifier: Apache-2.0 */
/* store - opening with recovery, closing, submitting, facts about the whole; see store.h. */
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/steps.h"
#include "storage/db.h"
#include "storage/store_control.h"
#include "storage/store_int.h"

void store_reconfigure(struct store *st, const struct store_opts *o)
{
	atomic_store(&st->retention_ms, o->retention_ms);
	atomic_store(&st->retention_size, o->retention_size);
	atomic_store(&st->ooo_window_ms, o->ooo_window_ms);
	atomic_store(&st->max_series, o->max_series > 0 ? o->max_series : LIMIT_MAX_SERIES);
	atomic_store(&st->min_free, o->min_free);
}

/* --- open and close --- */

static double gauge_series(void *arg)
{
	struct store *st = arg;
	double v;

	store_rdlock(st);
	v = st->index.n_series;
	store_unlock(st);
	return v;
}

static double gauge_active(void *arg)
{
	struct store *st = arg;
	double v;

	store_rdlock(st);
	v = st->head.n;
	store_unlock(st);
	return v;
}

static double gauge_max_series(void *arg)
{
	struct store *st = arg;

	return (double)atomic_load(&st->max_series);
}

static double gauge_head_bytes(void *arg)
{
	struct store *st = arg;
	double v;

	store_rdlock(st);
	v = (double)(head_memory(&st->head) + index_memory(&st->index));
	store_unlock(st);
	return v;
}

static double gauge_disk_bytes(void *arg)
{
	struct store *st = arg;

	return (double)atomic_load(&st->disk_bytes);
}

static double gauge_wal_bytes(void *arg)
{
	struct store *st = arg;

	return (double)atomic_load(&st->wal_bytes);
}

static double gauge_wal_limit(void *arg)
{
	(void)arg;
	return (double)STORE_SEGMENT_BYTES;
}

static double gauge_disk_full(void *arg)
{
	struct store *st = arg;

	return atomic_load(&st->disk_full) ? 1 : 0;
}

static double gauge_queue(void *arg)
{
	struct store *st = arg;

	return (double)queue_len(st->queue);
}

static double gauge_queue_bytes(void *arg)
{
	struct store *st = arg;

	return (double)queue_weight(st->queue);
}

static const struct {
	const char *name, *help;
	double (*fn)(void *arg);
} gauges[] = {
	{"belfry_storage_series", "Series known.", gauge_series},
	{"belfry_storage_active_series", "Series with samples in memory.", gauge_active},
	{"belfry_storage_active_series_limit", "storage.max_series.", gauge_max_series},
	{"belfry_storage_memory_bytes", "Memory of index and head.", gauge_head_bytes},
	{"belfry_storage_disk_bytes", "Bytes of partitions and journal.", gauge_disk_bytes},
	{"belfry_storage_wal_bytes", "Bytes of the journal segment.", gauge_wal_bytes},
	{"belfry_storage_wal_limit_bytes", "Bytes at which a checkpoint is written.",
		gauge_wal_limit},
	{"belfry_storage_disk_full", "1 while storage.min_free is not met.", gauge_disk_full},
	{"belfry_storage_queue_batches", "Batches waiting for the writer.", gauge_queue},
	{"belfry_storage_queue_bytes", "Bytes of batches waiting for the writer.",
		gauge_queue_bytes},
};

static void set_gauges(struct store *st, bool on)
{
	for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
		metric_gauge_fn(gauges[i].name, gauges[i].help, NULL, on ? gauges[i].fn : NULL,
			on ? st : NULL);
}

/* One process a directory. */
static int lock_dir(struct store *st, struct err *e)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/LOCK", st->dir);
	st->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (st->lock_fd < 0)
		return err_set(e, ERR_IO, errno, "cannot open %s: %s", path, err_strerror(errno));
	if (flock(st->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(e, ERR_AGAIN, errno, "%s is in use by another belfry", st->dir);
	return 0;
}

static struct store *store_new(const struct store_opts *o)
{
	struct store *st = calloc(1, sizeof *st);
	pthread_rwlockattr_t attr;

	ASSERT(st != NULL);
	hash_init();
	(void)pthread_rwlockattr_init(&attr);
	(void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&st->lock, &attr);
	(void)pthread_rwlockattr_destroy(&attr);
	(void)snprintf(st->root, sizeof st->root, "%s", o->dir);
	(void)snprintf(st->dir, sizeof st->dir, "%.390s/metrics", o->dir);
	st->db_flags = o->durability_power ? DB_FULL_SYNC : 0;
	st->commit_ms = o->commit_ms > 0 ? o->commit_ms : 100;
	st->lock_fd = -1;
	atomic_store(&st->segment_bytes, STORE_SEGMENT_BYTES);
	atomic_store(&st->closed_bytes, STORE_CLOSED_BYTES);
	st->group = 1;
	store_reconfigure(st, o);
	index_init(&st->index);
	head_init(&st->head, &st->index);
	pack_cache_init(&st->cache);
	smap_init(&st->facts);
	smap_init(&st->meta);
	frame_init(&st->frames);
	st->queue = queue_new(LIMIT_WRITER_QUEUE, LIMIT_WRITER_BYTES);
	return st;
}

static void store_free(struct store *st)
{
	parts_close_writers(&st->parts, true);
	if (st->parts.dir[0] != 0)
		parts_close(&st->parts);
	journal_close(&st->journal);
	catalog_close(&st->catalog);
	pack_cache_fini(&st->cache);
	head_fini(&st->head);
	index_fini(&st->index);
	smap_fini(&st->facts);
	smap_fini(&st->meta);
	frame_fini(&st->frames);
	free(st->items);
	free(st->ended);
	free(st->new_ids);
	queue_free(st->queue);
	fd_close(st->lock_fd);
	(void)pthread_rwlock_destroy(&st->lock);
	free(st);
}

int store_open(struct store **out, const struct store_opts *o, struct err *e)
{
	struct store *st = store_new(o);
	int rc;

	*out = NULL;
	if (fd_mkdir_p(st->dir, e) != 0 || lock_dir(st, e) != 0 ||
		catalog_open(&st->catalog, st->dir, st->db_flags, e) != 0 ||
		recover_run(st, e) != 0)
		goto free_store;
	upkeep_gap_report(st);
	atomic_store(&st->tick_mono_ms, clock_mono_ms());
	steps_thread_new();
	rc = pthread_create(&st->thread, NULL, writer_main, st);
	if (rc != 0) {
		steps_thread_end();
		(void)err_set(
			e, ERR_IO, rc, "cannot start the storage writer: %s", err_strerror(rc));
		goto free_store;
	}
	st->running = true;
	set_gauges(st, true);
	*out = st;
	return 0;
free_store:
	(void)err_wrap(e, "storage");
	store_free(st);
	return -1;
}

#define VIEW_TRIES 5 /* files may be replaced between listing and opening them */

int store_open_view(struct store **out, const char *dir, struct err *e)
{
	const struct store_opts o = {.dir = dir, .ooo_window_ms = INT64_MAX};

	*out = NULL;
	for (int i = 0; i < VIEW_TRIES; i++) {
		struct store *st = store_new(&o);

		if (recover_view(st, e) == 0) {
			*out = st;
			return 0;
		}
		store_free(st);
		if (e->kind == ERR_CORRUPT)
			break;
	}
	return err_wrap(e, "storage");
}

void store_close_view(struct store *st)
{
	if (st == NULL)
		return;
	ASSERT(!st->running);
	store_free(st);
}

bool store_time_range(struct store *st, int64_t *mint, int64_t *maxt)
{
	*mint = INT64_MAX;
	*maxt = INT64_MIN;
	store_rdlock(st);
	for (uint32_t id = 1; id < st->index.next_id; id++) {
		const struct series *s = index_get(&st->index, id);

		if (s == NULL || s->mint > s->maxt)
			continue;
		*mint = MIN_OF(*mint, s->mint);
		*maxt = MAX_OF(*maxt, s->maxt);
	}
	store_unlock(st);
	return *mint <= *maxt;
}

/* What came after the closing message was never taken. */
static void drain(struct store *st)
{
	struct store_msg *m;

	while ((m = queue_pop(st->queue, 0)) != NULL) {
		if (m->kind == STORE_MSG_BATCH) {
			struct batch *b = (struct batch *)(void *)m;

			b->result = (struct batch_result){.fail = ERR_AGAIN};
			b->done(b, b->arg);
		} else {
			struct store_control *c = (struct store_control *)(void *)m;

			c->rc = err_set(&c->err, ERR_AGAIN, 0, "the store is closing");
			store_control_done(c);
		}
	}
}

void store_close(struct store *st)
{
	struct err e;

	if (st == NULL)
		return;
	set_gauges(st, false);
	if (store_control_call(st, STORE_MSG_CLOSE, &e) != 0)
		log_warn("storage", "msg=\"closing\" err=\"%s\"", e.msg);
	queue_close(st->queue);
	(void)pthread_join(st->thread, NULL);
	drain(st);
	rewrite_stop(st);
	if ((st->journal.frames > 0 || st->volatile_rows) && !atomic_load(&st->disk_full) &&
		checkpoint_write(st, &e) != 0)
		log_error("storage", "msg=\"last checkpoint failed\" err=\"%s\"", e.msg);
	store_free(st);
}

/* --- messages --- */

void store_control_done(struct store_control *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->ended = true;
	(void)pthread_cond_signal(&c->cond);
	(void)pthread_mutex_unlock(&c->lock);
}

static void control_init(struct store_control *c, enum store_msg_kind kind)
{
	*c = (struct store_control){.msg = {kind}};
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->cond, NULL);
}

static void control_wait(struct store_control *c)
{
	(void)pthread_mutex_lock(&c->lock);
	while (!c->ended)
		(void)pthread_cond_wait(&c->cond, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_cond_destroy(&c->cond);
}

int store_control_call(struct store *st, enum store_msg_kind kind, struct err *e)
{
	struct store_control c;

	control_init(&c, kind);
	while (!queue_push_wait(st->queue, &c, 0, 1000)) {
		if (queue_is_closed(st->queue))
			return err_set(e, ERR_AGAIN, 0, "the store is closing");
	}
	control_wait(&c);
	if (c.rc != 0)
		*e = c.err;
	return c.rc;
}

int store_flush(struct store *st, struct err *e)
{
	return store_control_call(st, STORE_MSG_FLUSH, e);
}

static bool waits_for_disk(enum batch_source s)
{
	return s == BATCH_REMOTE_WRITE || s == BATCH_OTLP || s == BATCH_IMPORT;
}

int store_submit(struct store *st, struct batch *b, void (*done)(struct batch *b, void *arg),
	void *arg, struct err *e)
{
	ASSERT(!batch_failed(b));
	if (atomic_load(&st->disk_full) && waits_for_disk(b->source)) {
		METRIC_DROP("storage", "disk_full", b->n);
		return err_set(e, ERR_LIMIT, 0, "the disk is full");
	}
	b->msg.kind = STORE_MSG_BATCH;
	b->done = done;
	b->arg = arg;
	if (queue_push(st->queue, b, batch_bytes(b)))
		return 0;
	METRIC_LIMIT("writer_queue");
	return err_set(e, ERR_AGAIN, 0, "the storage writer's queue is full");
}

static void on_waited(struct batch *b, void *arg)
{
	(void)b;
	store_control_done(arg);
}

int store_submit_wait(struct store *st, struct batch *b, struct err *e)
{
	struct store_control c;

	control_init(&c, STORE_MSG_BATCH);
	if (store_submit(st, b, on_waited, &c, e) != 0)
		return -1;
	control_wait(&c);
	return 0;
}

/* --- looking --- */

uint32_t store_find_series(struct store *st, struct labels ls, uint64_t hash)
{
	uint32_t id;

	store_rdlock(st);
	id = index_find(&st->index, ls, hash);
	store_unlock(st);
	return id;
}

uint64_t store_id_generation(struct store *st)
{
	return atomic_load(&st->id_generation);
}

void store_stats(struct store *st, struct store_stats *out)
{
	*out = (struct store_stats){.mint = INT64_MAX, .maxt = INT64_MIN};
	store_rdlock(st);
	out->series = st->index.n_series;
	out->active_series = st->head.n;
	out->label_pairs = st->index.n_pairs - 1;
	out->head_chunks = st->head.n_closed - st->head.first_closed;
	out->head_bytes = head_memory(&st->head) + index_memory(&st->index);
	for (uint32_t i = 0; i < st->head.n; i++) {
		const struct head_series *hd = st->head.v[i];
		const struct series *s = index_get(&st->index, hd->id);

		out->head_chunks += hd->open.n > 0;
		out->mint = MIN_OF(out->mint, hd->open.n > 0 ? hd->open.t0 : s->maxt);
		out->maxt = MAX_OF(out->maxt, s->maxt);
	}
	store_unlock(st);
	out->disk_bytes = atomic_load(&st->disk_bytes);
	out->wal_bytes = atomic_load(&st->wal_bytes);
	out->disk_full = atomic_load(&st->disk_full);
}

int64_t store_tick_mono_ms(const struct store *st)
{
	return atomic_load(&st->tick_mono_ms);
}
