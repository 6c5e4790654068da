/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - real or injected time; see clock.h. The injected state is published through a
 * sequence of atomics: readers may see the old or the new instant, never a mixture that
 * goes backwards in the monotonic clock.
 */
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/assert.h"
#include "base/num.h"

#define INJECTED_WAIT_MS 20 /* a moved clock is noticed this soon */
#define READ_TRIES       8
#define READ_APART_NS    1000000

static atomic_bool injected;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the five below */
static int64_t base_wall_ms, base_mono_ms, base_passed_ms, base_real_ns;
static double rate = 1.0;

int64_t clock_real_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t elapsed_locked(void)
{
	return num_clamp_i64((double)(clock_real_ns() - base_real_ns) / 1e6 * rate);
}

int64_t clock_wall_ms(void)
{
	struct timespec ts;
	int64_t ms;

	if (atomic_load(&injected)) {
		(void)pthread_mutex_lock(&lock);
		ms = base_wall_ms + elapsed_locked();
		(void)pthread_mutex_unlock(&lock);
		return ms;
	}
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
	int64_t ms;

	if (atomic_load(&injected)) {
		(void)pthread_mutex_lock(&lock);
		ms = base_mono_ms + elapsed_locked();
		(void)pthread_mutex_unlock(&lock);
		return ms;
	}
	return clock_real_ns() / 1000000;
}

int64_t clock_passed_ms(void)
{
	int64_t ms;

	if (atomic_load(&injected)) {
		(void)pthread_mutex_lock(&lock);
		ms = base_passed_ms + elapsed_locked();
		(void)pthread_mutex_unlock(&lock);
		return ms;
	}
	return clock_real_ns() / 1000000;
}

void clock_read(int64_t *wall_ms, int64_t *passed_ms)
{
	int64_t before;

	if (atomic_load(&injected)) {
		(void)pthread_mutex_lock(&lock);
		before = elapsed_locked();
		*wall_ms = base_wall_ms + before;
		*passed_ms = base_passed_ms + before;
		(void)pthread_mutex_unlock(&lock);
		return;
	}
	for (int i = 0; i < READ_TRIES; i++) { /* again when the thread was halted between them */
		before = clock_real_ns();
		*wall_ms = clock_wall_ms();
		*passed_ms = before / 1000000;
		if (clock_real_ns() - before < READ_APART_NS)
			break;
	}
}

int clock_wait_ms(int64_t ms)
{
	double real = (double)ms;

	if (ms <= 0)
		return 0;
	if (atomic_load(&injected)) {
		(void)pthread_mutex_lock(&lock);
		real = rate > 0 ? real / rate : INJECTED_WAIT_MS;
		(void)pthread_mutex_unlock(&lock);
		if (real > INJECTED_WAIT_MS)
			real = INJECTED_WAIT_MS;
	}
	if (real > 3600e3)
		real = 3600e3;
	return real < 1 ? 1 : (int)real;
}

void clock_inject(int64_t unix_ms, double speed)
{
	int64_t mono = clock_mono_ms();
	int64_t wall = clock_wall_ms(), passed = clock_passed_ms();

	(void)pthread_mutex_lock(&lock);
	/* a jump forward is seen by those who wait, as after a suspended machine */
	base_mono_ms = unix_ms > wall && atomic_load(&injected) ? mono + (unix_ms - wall) : mono;
	base_wall_ms = unix_ms;
	base_passed_ms = passed;
	base_real_ns = clock_real_ns();
	rate = speed;
	(void)pthread_mutex_unlock(&lock);
	atomic_store(&injected, true);
}

void clock_go_on(int64_t ms)
{
	ASSERT(atomic_load(&injected));
	(void)pthread_mutex_lock(&lock);
	base_wall_ms = i64_add_sat(base_wall_ms, ms);
	base_mono_ms = i64_add_sat(base_mono_ms, ms);
	base_passed_ms = i64_add_sat(base_passed_ms, ms);
	(void)pthread_mutex_unlock(&lock);
}

bool clock_is_injected(void)
{
	return atomic_load(&injected);
}

void clock_restore(void)
{
	atomic_store(&injected, false);
}
