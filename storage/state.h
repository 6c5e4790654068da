/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - state.db and the one thread that writes it: alerts, groups, silences, outbox, history.
 *
 * Work is posted as jobs; a job's run() executes on the state writer inside the open
 * transaction, jobs due within 20 ms share one commit (synchronous=FULL), and done() is called
 * on the state writer after the commit. A client module (dispatcher, outbox) may also have a tick:
 * it is called inside a transaction whenever its next time has come. When a commit fails (disk
 * full) the reserve file is released and the whole group is run again until it succeeds: run() must
 * therefore be repeatable: it changes the database only, and in-memory state only in done(). For
 * modules whose memory mirrors the database this is the rule that keeps both equal.
 */
#ifndef BELFRY_STORAGE_STATE_H
#define BELFRY_STORAGE_STATE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct state;

struct state_job {
	/* Inside the transaction. -1 rolls back only this job's changes (a savepoint) and sets
	 * failed. NULL: there is nothing to write; done is called soon, between transactions. */
	int (*run)(struct state_job *job, sqlite3 *db, struct err *e);
	/* After the commit (or after run() refused: failed is set). Owns the job from here on. */
	void (*done)(struct state_job *job);
	void *arg;
	bool failed;
	struct err err;
	void *next_waiter; /* state_call's and state_ask's own */
};

/* Opens or creates dir/state.db, migrates it (storage/state_schema.c), and starts the thread only
 * at state_start. */
int state_open(struct state **out, const char *dir, struct err *e) MUST_CHECK;
/* The same in memory and without a thread, for replays: whoever posts jobs (never calls or asks)
 * then calls state_turn, which does all that is due at the clock's time, and says when the next
 * thing will be (monotonic; INT64_MAX: nothing). */
int state_open_memory(struct state **out, struct err *e) MUST_CHECK;
int state_turn(struct state *s, int64_t *next_mono_ms, struct err *e) MUST_CHECK;
/* Before state_start: the connection, to load what was stored. Caller's thread. */
sqlite3 *state_db(struct state *s);
/* A module's timer. Set before state_start. next(arg) gives the clock_mono_ms time of the next tick
 * (INT64_MAX: none) and is asked after every group of jobs; tick(arg, db) runs inside a
 * transaction; committed(arg) after it. */
struct state_module {
	int64_t (*next)(void *arg);
	int (*tick)(void *arg, sqlite3 *db, struct err *e);
	void (*committed)(void *arg);
	void *arg;
};
void state_add_module(struct state *s, const struct state_module *m);
int state_start(struct state *s, struct err *e) MUST_CHECK;
/* Finish all posted jobs, stop the thread; when state.db cannot be written they end with failed
 * set. state_db() is usable again; then state_free. */
void state_stop(struct state *s);
void state_free(struct state *s);

/* Post a job (any thread); false when the queue is full: it stays the caller's. */
bool state_post(struct state *s, struct state_job *job) MUST_CHECK;
/* state_stop was called: posts are refused for good. Any thread. */
bool state_is_stopping(struct state *s);
/* Post and wait for done (not from the state writer or loop thread); job on the caller's stack with
 * done == NULL. ERR_AGAIN: state.db could not be written for two seconds; what run() changed in
 * memory may stand all the same, and be written later. */
int state_call(struct state *s, struct state_job *job, struct err *e) MUST_CHECK;
/* Run job on the state writer between transactions, with db NULL, and wait for it: for memory that
 * belongs to that thread. Unlike state_call it is served while state.db cannot be written, so a
 * full disk blocks neither the loop nor the API. */
int state_ask(struct state *s, struct state_job *job, struct err *e) MUST_CHECK;

/* A read-only connection of the caller's own (API answers); sqlite3_close it. */
int state_reader(struct state *s, sqlite3 **out, struct err *e) MUST_CHECK;
int64_t state_tick_mono_ms(struct state *s); /* last turn, for /-/healthy */

#endif
