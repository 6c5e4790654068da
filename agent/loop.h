/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - the seam over libevent: one event base per thread that needs one, timers, messages
 * from other threads, signals. Modules other than loop.c, agent/http/ and the http clients do not
 * touch libevent.
 */
#ifndef BELFRY_AGENT_LOOP_H
#define BELFRY_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct event_base;
struct loop_timer;

int loop_new(struct loop **out, struct err *e) MUST_CHECK;
void loop_free(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Waits for events and looks at all that came together; false once loop_stop was called. Threads
 * may take turns at it. */
bool loop_turn(struct loop *l);
void loop_stop(struct loop *l); /* any thread */
struct event_base *loop_base(struct loop *l);
/* Run fn(arg) on the loop's thread, in order; any thread, never blocks, bounded: false when full.
 */
bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg) MUST_CHECK;
/* Timers: owner's thread is the loop. period_ms 0: once. Injected clocks are honoured. */
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *t, int64_t in_ms, int64_t period_ms);
void loop_timer_free(struct loop_timer *t);
int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg,
	struct err *e) MUST_CHECK;
int64_t loop_tick_mono_ms(struct loop *l); /* last turn: for /-/healthy */

#endif
