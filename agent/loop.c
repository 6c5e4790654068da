/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - an event base with timers, signals and posted calls; see loop.h.
 *
 * The hardest idea: timers hold a due time of the replaceable clock and re-arm libevent with
 * clock_wait_ms(), which is short while a test's clock is injected, so that a jump is noticed. When
 * time goes in steps an alarm of the steps stands for libevent's timers.
 */
#include "agent/loop.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/steps.h"

#define LOOP_POSTS   65536u /* posted calls that may wait: one per request in flight and more */
#define LOOP_SIGNALS 8u
#define LOOP_TICK_MS 500 /* the loop turns at least this often: its tick proves it lives */

struct call {
	void (*fn)(void *arg);
	void *arg;
};

struct loop_signal {
	struct event *ev;
	void (*fn)(int signo, void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct queue *posts;
	struct event *post_ev, *tick_ev;
	struct loop_signal signals[LOOP_SIGNALS];
	unsigned n_signals;
	_Atomic int64_t tick_ms;
	_Atomic bool stopping;
	struct loop_timer *timers; /* all of them */
	struct steps_alarm alarm;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next, *prev;
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
	int64_t due_ms, period_ms;
	bool armed;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int threads_rc;

static void use_threads(void)
{
	threads_rc = evthread_use_pthreads();
}

static void on_alarm(void *arg);

static void run_posts(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct call *c;

	(void)fd;
	(void)what;
	steps_work_begin();
	while ((c = queue_pop(l->posts, 0)) != NULL) {
		c->fn(c->arg);
		free(c);
	}
	steps_work_end();
	if (atomic_load(&l->stopping))
		(void)event_base_loopbreak(l->base);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	atomic_store(&l->tick_ms, clock_real_ns() / 1000000);
}

int loop_new(struct loop **out, struct err *e)
{
	const struct timeval tick = {0, LOOP_TICK_MS * 1000};
	struct loop *l = calloc(1, sizeof *l);

	(void)pthread_once(&once, use_threads);
	if (l == NULL || threads_rc != 0)
		goto fail;
	l->base = event_base_new();
	if (l->base == NULL)
		goto fail;
	l->posts = queue_new(LOOP_POSTS, 0);
	l->post_ev = event_new(l->base, queue_fd(l->posts), EV_READ | EV_PERSIST, run_posts, l);
	l->tick_ev = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	if (l->post_ev == NULL || l->tick_ev == NULL || event_add(l->post_ev, NULL) != 0 ||
		event_add(l->tick_ev, &tick) != 0)
		goto fail;
	on_tick(-1, 0, l);
	l->alarm.fn = on_alarm;
	l->alarm.arg = l;
	*out = l;
	return 0;
fail:
	loop_free(l);
	return err_set(e, ERR_IO, 0, "cannot make an event loop");
}

void loop_free(struct loop *l)
{
	struct call *c;

	if (l == NULL)
		return;
	steps_alarm_set(&l->alarm, INT64_MAX);
	for (unsigned i = 0; i < l->n_signals; i++)
		event_free(l->signals[i].ev);
	if (l->post_ev != NULL)
		event_free(l->post_ev);
	if (l->tick_ev != NULL)
		event_free(l->tick_ev);
	if (l->posts != NULL) {
		while ((c = queue_pop(l->posts, 0)) != NULL)
			free(c);
		queue_free(l->posts);
	}
	if (l->base != NULL)
		event_base_free(l->base);
	free(l);
}

bool loop_turn(struct loop *l)
{
	if (!atomic_load(&l->stopping))
		(void)event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	return !atomic_load(&l->stopping);
}

void loop_run(struct loop *l)
{
	if (!atomic_load(&l->stopping))
		(void)event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
	atomic_store(&l->stopping, false);
}

static void nothing(void *arg)
{
	(void)arg;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	while (!loop_post(l, nothing, NULL))
		(void)sched_yield(); /* full of calls: the loop is busy emptying it */
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct call *c = malloc(sizeof *c);

	if (c == NULL)
		return false;
	*c = (struct call){fn, arg};
	if (queue_push(l->posts, c, 1))
		return true;
	free(c);
	return false;
}

/* --- timers --- */

static void fire(struct loop_timer *t, int64_t now);

static struct loop_timer *first_due(const struct loop *l)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = l->timers; t != NULL; t = t->next) {
		if (t->armed && (first == NULL || t->due_ms < first->due_ms))
			first = t;
	}
	return first;
}

static void fire_due(void *arg)
{
	struct loop *l = arg;
	int64_t now = clock_mono_ms();
	struct loop_timer *t;

	while ((t = first_due(l)) != NULL && t->due_ms <= now)
		fire(t, now);
	steps_alarm_set(&l->alarm, t != NULL ? t->due_ms : INT64_MAX);
}

static void on_alarm(void *arg)
{
	struct loop *l = arg;

	if (!loop_post(l, fire_due, l)) /* full of calls: the next step tries again */
		steps_alarm_set(&l->alarm, clock_mono_ms());
}

static void arm(struct loop_timer *t)
{
	int wait = clock_wait_ms(t->due_ms - clock_mono_ms());
	struct timeval tv = {wait / 1000, (wait % 1000) * 1000};

	if (steps_on()) {
		t->armed = true;
		if (wait == 0)
			on_alarm(t->loop);
		else
			steps_alarm_set(&t->loop->alarm, first_due(t->loop)->due_ms);
		return;
	}
	t->armed = event_add(t->ev, &tv) == 0;
	ASSERT(t->armed);
}

static void fire(struct loop_timer *t, int64_t now)
{
	t->armed = false;
	if (now < t->due_ms) {
		arm(t);
		return;
	}
	if (t->period_ms > 0) {
		t->due_ms += t->period_ms;
		if (t->due_ms <= now) /* slept through some: once, not a burst */
			t->due_ms = now + t->period_ms;
		arm(t);
	}
	t->fn(t->arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fire(arg, clock_mono_ms());
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = calloc(1, sizeof *t);

	ASSERT(t != NULL);
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	t->ev = event_new(l->base, -1, 0, on_timer, t);
	ASSERT(t->ev != NULL);
	t->next = l->timers;
	if (t->next != NULL)
		t->next->prev = t;
	l->timers = t;
	return t;
}

void loop_timer_set(struct loop_timer *t, int64_t in_ms, int64_t period_ms)
{
	if (t->armed)
		(void)event_del(t->ev);
	t->due_ms = clock_mono_ms() + (in_ms > 0 ? in_ms : 0);
	t->period_ms = period_ms;
	arm(t);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->loop->timers = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	event_free(t->ev);
	free(t);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn((int)signo, s->arg);
}

int loop_on_signal(
	struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg, struct err *e)
{
	struct loop_signal *s = &l->signals[l->n_signals];

	ASSERT(l->n_signals < LOOP_SIGNALS);
	s->fn = fn;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, on_signal, s);
	if (s->ev == NULL)
		return err_set(e, ERR_IO, 0, "cannot watch signal %d", signo);
	l->n_signals++;
	if (event_add(s->ev, NULL) != 0)
		return err_set(e, ERR_IO, 0, "cannot watch signal %d", signo);
	return 0;
}

int64_t loop_tick_mono_ms(struct loop *l)
{
	return atomic_load(&l->tick_ms);
}
