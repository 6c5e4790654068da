/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - wall time for samples, monotonic time for waiting; tests may replace both.
 *
 * With BELFRY_TEST=1, BELFRY_CLOCK=unix_ms[,speed] or clock_inject() makes both clocks run from
 * a given instant at `speed` times real time. Whoever waits asks clock_wait_ms() how long to
 * sleep really, and looks at the clock again afterwards, since a test may move it. A fast clock may
 * outrun the machine; steps.h is for tests that must not depend on it.
 */
#ifndef BELFRY_BASE_CLOCK_H
#define BELFRY_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void); /* Unix time */
int64_t clock_mono_ms(void); /* for waiting and timeouts; never goes back */
/* Monotonic, too, but a clock that is set ahead does not move it: what really passed. */
int64_t clock_passed_ms(void);
/* Wall time and clock_passed_ms() of one moment: what parts them is that the clock was set. */
void clock_read(int64_t *wall_ms, int64_t *passed_ms);
int64_t clock_real_ns(void); /* CLOCK_MONOTONIC, never injected: for measuring */

/* How many real ms to sleep to wait `ms` of clock time: >= 0, and short while a clock is injected.
 */
int clock_wait_ms(int64_t ms);

/* Tests: from now on wall time is unix_ms and runs `speed` times as fast (0 stands still). */
void clock_inject(int64_t unix_ms, double speed);
bool clock_is_injected(void);
/* An injected clock goes on by this much, as if that time had passed. */
void clock_go_on(int64_t ms);
/* Back to the real clocks. */
void clock_restore(void);

#endif
