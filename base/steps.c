/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps - who waits for what, how much work there is, and moving the clock; see steps.h.
 *
 * The hardest idea: work is handed over without a gap. A message counts from its push until its
 * receiver counts itself; who is woken by a step is counted by the step, in the moment in which the
 * clock moves and before the thread knows. So "no work" is true for all at once, and stays true
 * until the next step. This lock is taken with a queue's or another's lock held, never the other
 * way round: bells ring without it.
 */
#include "base/steps.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"

#define PATIENCE_MS 60000 /* for work to end: longer than a receiver may hang */

struct sleeper { /* on the stack of who waits */
	struct sleeper *next, *prev;
	pthread_cond_t *cond;
	pthread_mutex_t *lock;
	int64_t due_mono_ms;
	bool woken; /* by a step: counted as work */
	bool rung;  /* and told */
};

static atomic_bool on;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t changed;                           /* work, inside, stopping */
static bool made;
static struct sleeper *sleepers;
static struct steps_alarm *alarms;
static int64_t work;
static uint64_t turn;   /* of waking */
static unsigned inside; /* threads in steps_to() */
static bool stopping;
static _Thread_local bool takes_part;

static void init_cond(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(c, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void steps_use(int64_t unix_ms)
{
	(void)pthread_mutex_lock(&lock);
	ASSERT(work == 0);
	ASSERT(sleepers == NULL);
	if (!made)
		init_cond(&changed);
	made = true;
	stopping = false;
	(void)pthread_mutex_unlock(&lock);
	clock_inject(unix_ms, 0);
	atomic_store(&on, true);
}

void steps_restore(void)
{
	atomic_store(&on, false);
	(void)pthread_mutex_lock(&lock);
	work = 0;
	(void)pthread_mutex_unlock(&lock);
	clock_restore();
}

bool steps_on(void)
{
	return atomic_load_explicit(&on, memory_order_relaxed);
}

/* --- work --- */

static void count_locked(int64_t by)
{
	work += by;
	ASSERT(work >= 0);
	if (work == 0)
		(void)pthread_cond_broadcast(&changed);
}

static void count(int64_t by)
{
	if (!steps_on())
		return;
	(void)pthread_mutex_lock(&lock);
	count_locked(by);
	(void)pthread_mutex_unlock(&lock);
}

void steps_work_begin(void)
{
	count(1);
}

void steps_work_end(void)
{
	count(-1);
}

void steps_thread_new(void)
{
	count(1);
}

void steps_thread_begin(void)
{
	takes_part = steps_on();
}

void steps_thread_end(void)
{
	takes_part = false;
	count(-1);
}

/* --- waiting --- */

static struct timespec in_real_ms(int64_t ms)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* False: the time is over. */
static bool wait_real(pthread_cond_t *cond, pthread_mutex_t *held, int64_t ms)
{
	struct timespec until;

	if (ms < 0)
		return pthread_cond_wait(cond, held) == 0;
	until = in_real_ms(ms);
	return pthread_cond_timedwait(cond, held, &until) == 0;
}

static void lie_down_locked(struct sleeper *s)
{
	s->prev = NULL;
	s->next = sleepers;
	if (s->next != NULL)
		s->next->prev = s;
	sleepers = s;
	count_locked(-1);
}

static void get_up_locked(struct sleeper *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		sleepers = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	if (!s->woken)
		count_locked(1);
}

static bool wait_for_step(
	pthread_cond_t *cond, pthread_mutex_t *held, int64_t due_mono_ms, int64_t real_max_ms)
{
	struct sleeper s = {.cond = cond, .lock = held, .due_mono_ms = due_mono_ms};
	bool signalled;

	(void)pthread_mutex_lock(&lock);
	lie_down_locked(&s);
	(void)pthread_mutex_unlock(&lock);
	signalled = wait_real(cond, held, real_max_ms);
	(void)pthread_mutex_lock(&lock);
	get_up_locked(&s);
	(void)pthread_mutex_unlock(&lock);
	return signalled && !s.woken;
}

bool steps_wait(
	pthread_cond_t *cond, pthread_mutex_t *held, int64_t due_mono_ms, int64_t real_max_ms)
{
	int64_t left =
		due_mono_ms == INT64_MAX ? INT64_MAX : i64_sub_sat(due_mono_ms, clock_mono_ms());

	if (left <= 0)
		return false;
	if (takes_part && steps_on())
		return wait_for_step(cond, held, due_mono_ms, real_max_ms);
	if (left < INT64_MAX)
		left = clock_wait_ms(left);
	if (real_max_ms >= 0)
		left = MIN_OF(left, real_max_ms);
	return wait_real(cond, held, left == INT64_MAX ? -1 : left);
}

static void clear_alarm_locked(struct steps_alarm *a)
{
	if (!a->set)
		return;
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		alarms = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	a->set = false;
}

void steps_alarm_set(struct steps_alarm *a, int64_t due_mono_ms)
{
	(void)pthread_mutex_lock(&lock);
	clear_alarm_locked(a);
	if (due_mono_ms != INT64_MAX) {
		a->set = true;
		a->due_mono_ms = due_mono_ms;
		a->prev = NULL;
		a->next = alarms;
		if (alarms != NULL)
			alarms->prev = a;
		alarms = a;
	}
	(void)pthread_mutex_unlock(&lock);
}

/* --- stepping --- */

static int64_t due_locked(void)
{
	int64_t due = INT64_MAX;

	for (const struct sleeper *s = sleepers; s != NULL; s = s->next) {
		if (!s->woken)
			due = MIN_OF(due, s->due_mono_ms);
	}
	for (const struct steps_alarm *a = alarms; a != NULL; a = a->next)
		due = MIN_OF(due, a->due_mono_ms);
	return due;
}

int64_t steps_due(void)
{
	int64_t due;

	(void)pthread_mutex_lock(&lock);
	due = due_locked();
	(void)pthread_mutex_unlock(&lock);
	return due;
}

/* Whose moment has come is at work from now on. */
static void wake_locked(int64_t mono_ms)
{
	for (struct sleeper *s = sleepers; s != NULL; s = s->next) {
		if (s->woken || s->due_mono_ms > mono_ms)
			continue;
		s->woken = true;
		count_locked(1);
	}
}

/* Without the lock while a bell rings; whoever got up by itself meanwhile is not in the list. */
static bool ring_one(void)
{
	struct sleeper *s;
	pthread_mutex_t *theirs;
	pthread_cond_t *cond;

	for (s = sleepers; s != NULL && !(s->woken && !s->rung); s = s->next)
		;
	if (s == NULL)
		return false;
	s->rung = true;
	theirs = s->lock;
	cond = s->cond;
	(void)pthread_mutex_unlock(&lock);
	(void)pthread_mutex_lock(theirs);
	(void)pthread_cond_broadcast(cond);
	(void)pthread_mutex_unlock(theirs);
	(void)pthread_mutex_lock(&lock);
	return true;
}

static bool sound_one(int64_t mono_ms)
{
	struct steps_alarm *a;
	void (*fn)(void *arg);
	void *arg;

	for (a = alarms; a != NULL && (a->due_mono_ms > mono_ms || a->turn == turn); a = a->next)
		;
	if (a == NULL)
		return false;
	a->turn = turn; /* once, however soon it is set again */
	clear_alarm_locked(a);
	fn = a->fn;
	arg = a->arg;
	(void)pthread_mutex_unlock(&lock);
	fn(arg);
	(void)pthread_mutex_lock(&lock);
	return true;
}

static void wake_all_locked(int64_t mono_ms)
{
	work++; /* ours: alarms that sound one after the other are one step */
	turn++;
	wake_locked(mono_ms);
	while (ring_one())
		;
	while (sound_one(mono_ms))
		;
	count_locked(-1);
}

static int settle_locked(struct err *e)
{
	struct timespec until = in_real_ms(PATIENCE_MS);

	while (work > 0 && !stopping) {
		if (pthread_cond_timedwait(&changed, &lock, &until) != 0)
			break;
	}
	if (stopping)
		return err_set(e, ERR_AGAIN, 0, "the process is stopping");
	if (work > 0)
		return err_set(e, ERR_AGAIN, 0, "%lld pieces of work did not end in %d s",
			(long long)work, PATIENCE_MS / 1000);
	return 0;
}

static void enter_locked(void)
{
	inside++;
	if (takes_part)
		count_locked(-1);
}

static void leave_locked(void)
{
	if (takes_part)
		count_locked(1);
	inside--;
	(void)pthread_cond_broadcast(&changed);
}

int steps_to(int64_t unix_ms, struct err *e)
{
	int rc;

	if (!steps_on())
		return err_set(e, ERR_INPUT, 0, "the clock does not go in steps");
	if (unix_ms < clock_wall_ms())
		return err_set(e, ERR_INPUT, 0, "the clock shows a later time already");
	(void)pthread_mutex_lock(&lock);
	enter_locked();
	while ((rc = settle_locked(e)) == 0) {
		int64_t left = unix_ms - clock_wall_ms();
		int64_t next = due_locked(), now = clock_mono_ms();
		int64_t step = next == INT64_MAX ? left : MAX_OF(i64_sub_sat(next, now), 0);

		if (step > left || (left == 0 && next > now))
			break;
		clock_go_on(step);
		wake_all_locked(now + step);
	}
	if (rc == 0 && unix_ms > clock_wall_ms())
		clock_go_on(unix_ms - clock_wall_ms());
	leave_locked();
	(void)pthread_mutex_unlock(&lock);
	return rc;
}

int steps_set(int64_t unix_ms, struct err *e)
{
	int rc;

	if (!steps_on())
		return err_set(e, ERR_INPUT, 0, "the clock does not go in steps");
	(void)pthread_mutex_lock(&lock);
	enter_locked();
	rc = settle_locked(e);
	if (rc == 0) {
		clock_inject(unix_ms, 0);
		wake_all_locked(INT64_MAX);
		rc = settle_locked(e);
	}
	leave_locked();
	(void)pthread_mutex_unlock(&lock);
	return rc;
}

void steps_stop(void)
{
	(void)pthread_mutex_lock(&lock);
	stopping = true;
	if (made)
		(void)pthread_cond_broadcast(&changed);
	while (inside > 0)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}
