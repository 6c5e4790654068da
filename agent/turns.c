/* SPDX-License-Identifier: Apache-2.0 */
/* turns - the two threads of a loop and the timer that tells the one to take over; see turns.h. */
#include "agent/turns.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fd.h"
#include "base/metrics.h"
#include "base/role.h"

#define THREADS 2u

struct turns {
	struct loop *loop;
	int timer_fd;           /* the thread that stands by waits for it */
	bool turning;           /* the thread that leads: it looks at events, and then at `next` */
	struct turns_job *next; /* the same thread's */
	struct metric *takeovers;
	pthread_t threads[THREADS];
	unsigned n_threads;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t stands, over;
	bool led;     /* a thread runs the loop or works aside of it */
	bool aside;   /* it works aside: the loop may be taken over */
	bool standby; /* the other thread waits for that */
	bool ended;   /* the loop was stopped */
};

/* after_us 0: never. */
static void set_timer(const struct turns *t, long after_us)
{
	const struct itimerspec at = {.it_value = {after_us / 1000000, after_us % 1000000 * 1000}};

	if (timerfd_settime(t->timer_fd, 0, &at, NULL) != 0)
		ASSERT(false);
}

/* Stands by until the loop is free or its leader is late. False: the loop has ended. */
static bool wait_for_turn(struct turns *t)
{
	bool mine;

	(void)pthread_mutex_lock(&t->lock);
	t->standby = true;
	(void)pthread_cond_signal(&t->stands);
	while (t->led && !t->ended) {
		uint64_t times;
		bool late;

		(void)pthread_mutex_unlock(&t->lock);
		late = read(t->timer_fd, &times, sizeof times) > 0;
		(void)pthread_mutex_lock(&t->lock);
		if (late && t->aside)
			break;
	}
	t->standby = false;
	mine = !t->ended;
	if (mine && t->aside)
		metric_inc(t->takeovers);
	if (mine) {
		t->led = true;
		t->aside = false;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return mine;
}

/* False: the other thread has taken the loop over. */
static bool run_aside(struct turns *t, struct turns_job *job)
{
	void (*done)(void *) = job->done;
	bool tell, kept;

	(void)pthread_mutex_lock(&t->lock);
	t->aside = true;
	(void)pthread_mutex_unlock(&t->lock);
	set_timer(t, TURNS_ASIDE_US);
	tell = job->run(job);
	(void)pthread_mutex_lock(&t->lock);
	kept = t->aside;
	if (kept)
		t->aside = false;
	(void)pthread_mutex_unlock(&t->lock);
	if (kept) {
		set_timer(t, 0);
		if (tell)
			done(job);
		return true;
	}
	while (tell && !loop_post(t->loop, done, job))
		(void)sched_yield(); /* full of calls: the other thread works them off */
	return false;
}

static void end(struct turns *t)
{
	(void)pthread_mutex_lock(&t->lock);
	t->led = false;
	t->ended = true;
	(void)pthread_cond_signal(&t->over);
	(void)pthread_mutex_unlock(&t->lock);
	set_timer(t, 1);
}

static void lead(struct turns *t)
{
	for (bool on = true; on;) {
		struct turns_job *job;

		t->turning = true;
		on = loop_turn(t->loop);
		t->turning = false;
		job = t->next;
		t->next = NULL;
		if (job != NULL && !run_aside(t, job))
			return;
	}
	end(t);
}

static void *stand_by(void *arg)
{
	struct turns *t = arg;

	role_enter(ROLE_LOOP);
	while (wait_for_turn(t))
		lead(t);
	return NULL;
}

static void *lead_first(void *arg)
{
	struct turns *t = arg;

	role_enter(ROLE_LOOP);
	lead(t);
	return stand_by(arg);
}

int turns_new(struct turns **out, struct loop *l, struct err *e)
{
	struct turns *t = calloc(1, sizeof *t);

	if (t == NULL)
		return err_set(e, ERR_LIMIT, 0, "cannot make the loop's threads: out of memory");
	t->loop = l;
	t->takeovers = metric_counter("belfry_loop_takeovers_total",
		"Requests that were answered so slowly that another thread took the loop over.",
		NULL);
	t->led = true; /* the first thread's from the start */
	t->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (t->timer_fd < 0) {
		free(t);
		return err_set(e, ERR_IO, errno, "cannot make a timer: %s", err_strerror(errno));
	}
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->stands, NULL);
	(void)pthread_cond_init(&t->over, NULL);
	*out = t;
	return 0;
}

static bool start_thread(struct turns *t, void *(*fn)(void *))
{
	bool ok = pthread_create(&t->threads[t->n_threads], NULL, fn, t) == 0;

	t->n_threads += ok;
	return ok;
}

void turns_run(struct turns *t)
{
	bool watched = start_thread(t, stand_by);

	(void)pthread_mutex_lock(&t->lock);
	while (watched && !t->standby)
		(void)pthread_cond_wait(&t->stands, &t->lock);
	(void)pthread_mutex_unlock(&t->lock);
	if (!start_thread(t, lead_first))
		lead(t); /* here, then; without the other one, too, nothing is ever aside */
	(void)pthread_mutex_lock(&t->lock);
	while (!t->ended)
		(void)pthread_cond_wait(&t->over, &t->lock);
	(void)pthread_mutex_unlock(&t->lock);
}

void turns_free(struct turns *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < t->n_threads; i++)
		(void)pthread_join(t->threads[i], NULL);
	fd_close(t->timer_fd);
	(void)pthread_cond_destroy(&t->over);
	(void)pthread_cond_destroy(&t->stands);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

bool turns_aside(struct turns *t, struct turns_job *job)
{
	bool watched;

	if (t->next != NULL || !t->turning)
		return false;
	(void)pthread_mutex_lock(&t->lock);
	watched = t->standby && !t->ended;
	(void)pthread_mutex_unlock(&t->lock);
	if (watched)
		t->next = job;
	return watched;
}

struct turns_job *turns_take_back(struct turns *t)
{
	struct turns_job *job = t->next;

	t->next = NULL;
	return job;
}
