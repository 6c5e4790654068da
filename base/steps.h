/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps - time by steps, for tests: a clock that moves only when nobody has anything to do.
 *
 * With BELFRY_CLOCK=unix_ms,steps the clock stands still until steps_to(). Then it goes from one
 * moment for which somebody waits to the next, each time after all work that there is was done,
 * however long that takes. So nothing is ever late: a month passes exactly, on any machine.
 *
 * Work is: a thread that takes part and does not wait in steps_wait(); a message in a queue; what
 * steps_work_begin() says. What comes from outside (requests, packets) is not: who sends it waits
 * for the answer before the next step. StatsD readers do not take part: they look at the clock
 * every 20 ms. Without steps all of this costs a look at a flag. Any thread, unless said.
 */
#ifndef BELFRY_BASE_STEPS_H
#define BELFRY_BASE_STEPS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Tests, before there are threads: from unix_ms on in steps; and back to the real clocks. */
void steps_use(int64_t unix_ms);
void steps_restore(void);
bool steps_on(void);

/* One more piece of work that steps would not see, and its end. */
void steps_work_begin(void);
void steps_work_end(void);

/* A thread takes part: its creator calls steps_thread_new before pthread_create (and _end when that
 * fails), the thread itself calls _begin first of all and _end last. */
void steps_thread_new(void);
void steps_thread_begin(void);
void steps_thread_end(void);

/* Wait, with nothing to do, on a condition that uses CLOCK_MONOTONIC, until it is signalled, the
 * clock shows due_mono_ms (INT64_MAX: never) or real_max_ms (< 0: for ever) have really passed. May
 * return early. False when it returned by time. */
bool steps_wait(
	pthread_cond_t *cond, pthread_mutex_t *lock, int64_t due_mono_ms, int64_t real_max_ms);

/* For who waits otherwise (event loops): fn(arg), on the thread that makes the step, when the clock
 * shows the moment; what it causes must be work at its return. Zeroed by its owner at first. */
struct steps_alarm {
	struct steps_alarm *next, *prev;
	int64_t due_mono_ms;
	void (*fn)(void *arg);
	void *arg;
	uint64_t turn; /* the step in which it sounded last */
	bool set;
};
void steps_alarm_set(struct steps_alarm *a, int64_t due_mono_ms); /* INT64_MAX: never */

/* Go to that time and return when all work is done there. ERR_INPUT: that is in the past, or time
 * does not go in steps; ERR_AGAIN: some work did not end within a minute, or the process stops. */
int steps_to(int64_t unix_ms, struct err *e) MUST_CHECK;
/* The clock is set to that time, as an administrator does; returns when all work is done there. */
int steps_set(int64_t unix_ms, struct err *e) MUST_CHECK;
/* The earliest moment (clock_mono_ms) that somebody waits for; INT64_MAX: none. */
int64_t steps_due(void);
/* The process stops: no further step; returns when none is being made. */
void steps_stop(void);

#endif
