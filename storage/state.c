/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - the one thread that writes state.db; see state.h.
 *
 * The hardest idea: jobs and module ticks form a group that commits as one transaction. A commit
 * that fails for want of disk space or by an I/O error is tried again from the start, for ever,
 * since what was decided must not be lost: run() and tick() may therefore run more than once,
 * done() and committed() run once, after the commit. A file kept in reserve gives the space back
 * that the first transactions on a full disk need. Only those who wait (state_call) are sent away
 * while it fails, else a full disk would hold every worker thread, and with them all queries and
 * the stop.
 */
#include "storage/state.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/queue.h"
#include "base/role.h"
#include "base/seam.h"
#include "base/steps.h"
#include "storage/db.h"
#include "storage/state_schema.h"

#define GROUP_MS       20 /* commits this close together become one */
#define GROUP_JOBS     512u
#define IDLE_WAIT_MS   500 /* the thread turns at least this often: its tick proves it lives */
#define RETRY_MS       200 /* between attempts of a commit that failed */
#define CALL_TRIES     10u /* attempts a state_call waits for */
#define LOG_TRIES      50u /* attempts between two lines of the log */
#define MODULES_MAX    8u
#define RESERVE_BYTES  (4l << 20)
#define WAL_PASSIVE    (4l << 20) /* WAL bytes at which the writer checkpoints */
#define RESERVE_TRY_MS 60000
#define ASKS_MAX       64u /* waiting threads: the loop and the query workers */

#define CALL_REFUSED "state.db cannot be written: the disk is full or failing"

struct state {
	char path[4096], reserve_path[4128], wal_path[4128];
	sqlite3 *db;
	struct queue *jobs, *asks;
	struct state_job nudge;   /* in jobs: only wakes the thread, for an ask */
	struct state_job **later; /* taken out of jobs in search of calls; come before jobs */
	size_t later_head, n_later;
	_Atomic bool failing; /* CALL_TRIES attempts failed: calls are refused */
	struct state_module modules[MODULES_MAX];
	unsigned n_modules;
	bool ticked[MODULES_MAX]; /* in the transaction under way */
	struct state_job *group[GROUP_JOBS];
	unsigned n_group;
	int64_t last_commit_ns, reserve_tried_ms;
	bool wal_dirty;
	bool in_memory; /* no file, no thread: the owner calls state_turn */
	pthread_t thread;
	bool running;
	_Atomic int64_t tick_ms;
	struct metric *commits, *failures, *commit_seconds;
};

static int make_reserve(struct state *s)
{
	int fd = open(s->reserve_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -1;
	rc = posix_fallocate(fd, 0, RESERVE_BYTES);
	fd_close(fd);
	if (rc != 0)
		(void)unlink(s->reserve_path);
	return rc == 0 ? 0 : -1;
}

static void make_queues_and_metrics(struct state *s)
{
	s->jobs = queue_new(LIMIT_STATE_QUEUE, 0);
	s->asks = queue_new(ASKS_MAX, 0);
	s->later = calloc(LIMIT_STATE_QUEUE, sizeof(struct state_job *));
	ASSERT(s->later != NULL);
	s->commits =
		metric_counter("belfry_state_commits_total", "Transactions of state.db.", NULL);
	s->failures = metric_counter("belfry_state_commit_failures_total",
		"Transactions of state.db that failed and were tried again.", NULL);
	s->commit_seconds = metric_counter("belfry_state_commit_seconds_total",
		"Time spent in transactions of state.db.", NULL);
}

int state_open(struct state **out, const char *dir, struct err *e)
{
	struct state *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (snprintf(s->path, sizeof s->path, "%s/state.db", dir) >= (int)sizeof s->path) {
		free(s);
		return err_set(e, ERR_INPUT, 0, "the storage path is too long");
	}
	(void)snprintf(s->reserve_path, sizeof s->reserve_path, "%s.reserve", s->path);
	(void)snprintf(s->wal_path, sizeof s->wal_path, "%s-wal", s->path);
	make_queues_and_metrics(s);
	if (fd_mkdir_p(dir, e) != 0 || db_open(&s->db, s->path, DB_CREATE | DB_FULL_SYNC, e) != 0 ||
		db_migrate(s->db, state_migrations, state_version, e) != 0) {
		state_free(s);
		return err_wrap(e, "state.db");
	}
	if (make_reserve(s) != 0)
		log_warn("state", "msg=\"no space for the reserve file\" path=%s", s->reserve_path);
	*out = s;
	return 0;
}

int state_open_memory(struct state **out, struct err *e)
{
	struct state *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	s->in_memory = true;
	make_queues_and_metrics(s);
	if (db_open(&s->db, ":memory:", DB_CREATE | DB_ROLLBACK | DB_NO_SYNC, e) != 0 ||
		db_migrate(s->db, state_migrations, state_version, e) != 0) {
		state_free(s);
		return err_wrap(e, "state in memory");
	}
	*out = s;
	return 0;
}

sqlite3 *state_db(struct state *s)
{
	ASSERT(!s->running);
	return s->db;
}

void state_add_module(struct state *s, const struct state_module *m)
{
	ASSERT(!s->running);
	ASSERT(s->n_modules < MODULES_MAX);
	s->modules[s->n_modules++] = *m;
}

/* One job inside its own savepoint: a refusal undoes its changes only. -1: the database itself
 * failed. */
static int run_job(struct state *s, struct state_job *job, struct err *e)
{
	struct err ignored;

	job->failed = false;
	if (db_exec(s->db, "SAVEPOINT job", e) != 0)
		return -1;
	if (job->run == NULL || job->run(job, s->db, &job->err) == 0)
		return db_exec(s->db, "RELEASE job", e);
	job->failed = true;
	if (job->err.kind == ERR_IO || (job->err.kind == ERR_LIMIT && job->err.code != 0)) {
		*e = job->err; /* the disk, not the job: the whole group is tried again */
		return -1;
	}
	if (db_exec(s->db, "ROLLBACK TO job", &ignored) != 0 ||
		db_exec(s->db, "RELEASE job", &ignored) != 0) {
		*e = ignored;
		return -1;
	}
	return 0;
}

static int run_ticks(struct state *s, struct err *e)
{
	int64_t now = clock_mono_ms();

	for (unsigned i = 0; i < s->n_modules; i++) {
		const struct state_module *m = &s->modules[i];

		s->ticked[i] = m->next(m->arg) <= now;
		if (s->ticked[i] && m->tick(m->arg, s->db, e) != 0)
			return -1;
	}
	return 0;
}

static int run_group(struct state *s, struct err *e)
{
	struct err ignored;
	int rc = db_exec(s->db, "BEGIN IMMEDIATE", e);

	for (unsigned i = 0; rc == 0 && i < s->n_group; i++)
		rc = run_job(s, s->group[i], e);
	if (rc == 0)
		rc = run_ticks(s, e);
	if (rc == 0)
		rc = db_exec(s->db, "COMMIT", e);
	if (rc != 0 && sqlite3_get_autocommit(s->db) == 0 &&
		db_exec(s->db, "ROLLBACK", &ignored) != 0)
		log_error("state", "msg=\"rollback failed\" error=\"%s\"", ignored.msg);
	return rc;
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void wake(struct state_job *job)
{
	struct waiter *w = job->next_waiter;

	(void)pthread_mutex_lock(&w->lock);
	w->done = true;
	(void)pthread_cond_signal(&w->cond);
	(void)pthread_mutex_unlock(&w->lock);
}

/* Memory only, between transactions: also while they fail. */
static void serve_asks(struct state *s, int wait_ms)
{
	struct state_job *job = queue_pop(s->asks, wait_ms);

	for (; job != NULL; job = queue_pop(s->asks, 0)) {
		job->failed = job->run(job, NULL, &job->err) != 0;
		job->done(job);
	}
}

static bool is_call(const struct state_job *job)
{
	return job->done == wake;
}

static void refuse(struct state_job *job)
{
	job->failed = true;
	(void)err_set(&job->err, ERR_AGAIN, 0, CALL_REFUSED);
	job->done(job);
}

/* Whoever waits is told so: in the group under way and behind it. What a call has changed in memory
 * stays, and is written with the rest. */
static void refuse_calls(struct state *s)
{
	struct state_job *job;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_group; i++) {
		if (is_call(s->group[i]))
			refuse(s->group[i]);
		else
			s->group[n++] = s->group[i];
	}
	s->n_group = n;
	while (s->later_head + s->n_later < LIMIT_STATE_QUEUE &&
		(job = queue_pop(s->jobs, 0)) != NULL) {
		if (is_call(job))
			refuse(job);
		else if (job != &s->nudge)
			s->later[s->later_head + s->n_later++] = job;
	}
}

/* The next job, in the order of posting. */
static struct state_job *next_job(struct state *s, int64_t due_mono_ms, int real_ms)
{
	if (s->n_later == 0) {
		s->later_head = 0;
		return queue_pop_due(s->jobs, due_mono_ms, real_ms);
	}
	s->n_later--;
	return s->later[s->later_head++];
}

/* Until it stands on disk. Gives up only when the process is stopping: then nobody was told it was
 * kept. */
static bool commit_group(struct state *s)
{
	int64_t start = clock_real_ns();
	unsigned tries = 0;
	struct err e;

	while (run_group(s, &e) != 0) {
		metric_inc(s->failures);
		if (tries++ % LOG_TRIES == 0)
			log_error("state",
				"msg=\"state.db cannot be written, trying again\" tries=%u "
				"error=\"%s\"",
				tries, e.msg);
		atomic_store(&s->failing, tries >= CALL_TRIES);
		if (tries >= CALL_TRIES)
			refuse_calls(s);
		if (unlink(s->reserve_path) == 0)
			continue; /* space again: at once */
		atomic_store(&s->tick_ms, clock_real_ns() / 1000000);
		if (queue_is_closed(s->jobs))
			return false;
		steps_work_begin(); /* the group in hand */
		serve_asks(s, RETRY_MS);
		steps_work_end();
	}
	if (tries > 0)
		log_info("state", "msg=\"state.db can be written again\" tries=%u", tries);
	atomic_store(&s->failing, false);
	SEAM_CRASH("state.committed");
	s->last_commit_ns = clock_real_ns();
	s->wal_dirty = true;
	metric_inc(s->commits);
	metric_addf(s->commit_seconds, (double)(s->last_commit_ns - start) / 1e9);
	return true;
}

/* Modules first: what done() changes was not in the transaction, and must not be taken for written.
 */
static void finish_group(struct state *s, bool committed)
{
	for (unsigned i = 0; committed && i < s->n_modules; i++) {
		if (s->ticked[i] && s->modules[i].committed != NULL)
			s->modules[i].committed(s->modules[i].arg);
	}
	for (unsigned i = 0; i < s->n_group; i++) {
		struct state_job *job = s->group[i];

		if (!committed) {
			job->failed = true;
			(void)err_set(&job->err, ERR_IO, 0, "state.db could not be written");
		}
		if (job->done != NULL)
			job->done(job);
	}
	s->n_group = 0;
}

static bool module_due(const struct state *s, int64_t *next_mono_ms)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < s->n_modules; i++)
		next = MIN_OF(next, s->modules[i].next(s->modules[i].arg));
	*next_mono_ms = next;
	return next <= clock_mono_ms();
}

/* Collect what waits; right after a commit, wait out the rest of GROUP_MS so that a storm shares
 * its commits. What has no run() only brings something for memory, and is done at once: what that
 * makes dirty goes into the commit that follows. */
static void collect(struct state *s, int64_t next_mono_ms)
{
	struct state_job *job = next_job(s, next_mono_ms, IDLE_WAIT_MS);
	int64_t until = steps_on() ? 0 : s->last_commit_ns + (int64_t)GROUP_MS * 1000000;
	unsigned late = 0; /* jobs taken although the time is over: they must not go on for ever */

	while (job != NULL) {
		bool is_nudge = job == &s->nudge;
		int64_t left;

		if (!is_nudge && job->run == NULL && job->done != NULL) {
			job->failed = false;
			job->done(job);
		} else if (!is_nudge) {
			s->group[s->n_group++] = job;
		}
		left = until - clock_real_ns();
		late += left <= 0;
		if (s->n_group == GROUP_JOBS || late > GROUP_JOBS || (is_nudge && s->n_group == 0))
			break;
		job = next_job(s, INT64_MAX, left > 0 ? (int)(left / 1000000) : 0);
	}
}

static void checkpoint(struct state *s, bool idle)
{
	struct err e;
	int fd = open(s->wal_path, O_RDONLY | O_CLOEXEC);
	off_t bytes = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;

	fd_close(fd);
	if (!s->wal_dirty || (!idle && bytes < WAL_PASSIVE))
		return;
	if (db_checkpoint(s->db, idle, &e) != 0)
		log_warn("state", "msg=\"checkpoint failed\" error=\"%s\"", e.msg);
	if (idle)
		s->wal_dirty = false;
}

static void restore_reserve(struct state *s)
{
	int64_t now = clock_real_ns() / 1000000;

	if (now - s->reserve_tried_ms < RESERVE_TRY_MS)
		return;
	s->reserve_tried_ms = now;
	if (access(s->reserve_path, F_OK) != 0)
		(void)make_reserve(s); /* no space yet: the next minute tries again */
}

/* The process ends and state.db cannot be written: whoever waits must not wait for ever. */
static void fail_rest(struct state *s)
{
	struct state_job *job;

	log_error("state", "msg=\"stopping without a last commit: state.db cannot be written\"");
	while ((job = next_job(s, INT64_MAX, 0)) != NULL) {
		if (job == &s->nudge)
			continue;
		s->group[s->n_group++] = job;
		finish_group(s, false);
	}
}

static void *writer(void *arg)
{
	struct state *s = arg;
	int64_t next;

	steps_thread_begin();
	role_enter(ROLE_STATE_WRITER);
	for (;;) {
		bool closed, kept = true;

		(void)module_due(s, &next);

		serve_asks(s, 0);
		atomic_store(&s->tick_ms, clock_real_ns() / 1000000);
		collect(s, next);
		closed = queue_is_closed(s->jobs);
		if (s->n_group > 0 || module_due(s, &next)) {
			kept = commit_group(s);
			finish_group(s, kept);
			checkpoint(s, false);
		} else if (closed) {
			break;
		} else {
			checkpoint(s, true);
			restore_reserve(s);
		}
		if (!kept) {
			fail_rest(s);
			break;
		}
		/* what finished jobs left to write is written, too */
		if (closed && s->n_later + queue_len(s->jobs) == 0 && !module_due(s, &next))
			break;
	}
	serve_asks(s, 0);
	steps_thread_end();
	return NULL;
}

int state_turn(struct state *s, int64_t *next_mono_ms, struct err *e)
{
	int64_t next;

	ASSERT(s->in_memory);
	for (;;) {
		struct state_job *job;
		bool due = module_due(s, &next);

		while (s->n_group < GROUP_JOBS && (job = queue_pop(s->jobs, 0)) != NULL)
			s->group[s->n_group++] = job;
		if (s->n_group == 0 && !due)
			break;
		if (run_group(s, e) != 0) {
			finish_group(s, false);
			return -1;
		}
		finish_group(s, true);
	}
	*next_mono_ms = INT64_MAX;
	for (unsigned i = 0; i < s->n_modules; i++)
		*next_mono_ms = MIN_OF(*next_mono_ms, s->modules[i].next(s->modules[i].arg));
	return 0;
}

int state_start(struct state *s, struct err *e)
{
	int rc;

	ASSERT(!s->running);
	ASSERT(!s->in_memory);
	atomic_store(&s->tick_ms, clock_real_ns() / 1000000);
	steps_thread_new();
	rc = pthread_create(&s->thread, NULL, writer, s);
	if (rc != 0) {
		steps_thread_end();
		return err_set(
			e, ERR_IO, rc, "cannot start the state writer: %s", err_strerror(rc));
	}
	s->running = true;
	return 0;
}

void state_stop(struct state *s)
{
	if (!s->running)
		return;
	queue_close(s->asks);
	queue_close(s->jobs);
	(void)pthread_join(s->thread, NULL);
	s->running = false;
}

void state_free(struct state *s)
{
	if (s == NULL)
		return;
	ASSERT(!s->running);
	db_close(s->db);
	queue_free(s->jobs);
	queue_free(s->asks);
	free(s->later);
	free(s);
}

bool state_post(struct state *s, struct state_job *job)
{
	return queue_push(s->jobs, job, 1);
}

bool state_is_stopping(struct state *s)
{
	return queue_is_closed(s->jobs);
}

static int push_and_wait(struct state *s, struct queue *q, struct state_job *job, struct err *e)
{
	struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

	ASSERT(role_get() != ROLE_STATE_WRITER);
	job->done = wake;
	job->next_waiter = &w;
	if (!queue_push_wait(q, job, 1, 5000))
		return err_set(e, ERR_AGAIN, 0, "the state writer is busy");
	if (q == s->asks) {
		bool nudged = queue_push(s->jobs, &s->nudge, 1);

		(void)nudged; /* a full queue keeps the writer awake anyhow */
	}
	(void)pthread_mutex_lock(&w.lock);
	while (!w.done)
		(void)pthread_cond_wait(&w.cond, &w.lock);
	(void)pthread_mutex_unlock(&w.lock);
	if (job->failed) {
		*e = job->err;
		return -1;
	}
	return 0;
}

int state_call(struct state *s, struct state_job *job, struct err *e)
{
	if (atomic_load(&s->failing))
		return err_set(e, ERR_AGAIN, 0, CALL_REFUSED);
	return push_and_wait(s, s->jobs, job, e);
}

int state_ask(struct state *s, struct state_job *job, struct err *e)
{
	return push_and_wait(s, s->asks, job, e);
}

int state_reader(struct state *s, sqlite3 **out, struct err *e)
{
	return db_open(out, s->path, DB_READONLY, e);
}

int64_t state_tick_mono_ms(struct state *s)
{
	return atomic_load(&s->tick_ms);
}
