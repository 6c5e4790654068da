/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns - work aside of a loop: short work keeps its thread, and whatever long work waits for, the
 * loop goes on. Where a test says "waits for the loop", it would hang if nobody took the loop over.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "agent/turns.h"
#include "tests/lib/suite.h"

static struct loop *loop;
static struct turns *turns;
static pthread_t runner;

static void *run(void *arg)
{
	turns_run(arg);
	return NULL;
}

static void start(void)
{
	struct err e = {0};

	ck_assert_int_eq(loop_new(&loop, &e), 0);
	ck_assert_int_eq(turns_new(&turns, loop, &e), 0);
	ck_assert_int_eq(pthread_create(&runner, NULL, run, turns), 0);
}

static void stop(void)
{
	loop_stop(loop);
	pthread_join(runner, NULL);
	turns_free(turns);
	loop_free(loop);
}

/* One-time signals between threads. */
struct event_flag {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool set;
};

#define FLAG                                                                                       \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                         \
	}

static void raise_flag(struct event_flag *f)
{
	pthread_mutex_lock(&f->lock);
	f->set = true;
	pthread_cond_broadcast(&f->cond);
	pthread_mutex_unlock(&f->lock);
}

static void await(struct event_flag *f)
{
	pthread_mutex_lock(&f->lock);
	while (!f->set)
		pthread_cond_wait(&f->cond, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static void raise_posted(void *arg)
{
	raise_flag(arg);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void post(void (*fn)(void *), void *arg)
{
	ck_assert(loop_post(loop, fn, arg));
}

struct work {
	struct turns_job job; /* first: a work is its job */
	struct event_flag started, go, done;
	bool waits, silent;
	bool told, done_asks;
	struct turns_job next;
	bool first, second; /* what turns_aside said */
	struct work *other;
	pthread_t asked_on, ran_on, done_on;
	struct event_flag *loop_lives;
};

#define WORK(...)                                                                                  \
	{                                                                                          \
		.job = {run_work, work_done}, .started = FLAG, .go = FLAG, .done = FLAG,           \
		__VA_ARGS__                                                                        \
	}

static bool run_work(struct turns_job *job)
{
	struct work *w = (struct work *)job;

	w->ran_on = pthread_self();
	raise_flag(&w->started);
	if (w->loop_lives != NULL) {
		post(raise_posted, w->loop_lives);
		await(w->loop_lives);
	}
	if (w->waits)
		await(&w->go);
	if (w->silent)
		raise_flag(&w->done);
	return !w->silent;
}

static void work_done(void *job)
{
	struct work *w = job;

	w->told = true;
	if (w->done_asks) /* what comes behind a job's end would not be looked at */
		w->second = turns_aside(turns, &w->next);
	w->done_on = pthread_self();
	raise_flag(&w->done);
}

static void set_aside(void *arg)
{
	struct work *w = arg;

	w->asked_on = pthread_self();
	w->first = turns_aside(turns, &w->job);
	if (w->other != NULL)
		w->second = turns_aside(turns, &w->other->job);
}

/* Whether somebody stands by is a matter of moments after a start and after long work. */
static void set_aside_surely(struct work *w)
{
	do {
		struct event_flag looked = FLAG;

		post(set_aside, w);
		post(raise_posted, &looked);
		await(&looked);
	} while (!w->first);
}

START_TEST(short_work_is_done_on_the_thread_that_asked)
{
	for (int i = 0; i < 100; i++) {
		struct work w = WORK(.waits = false);

		set_aside_surely(&w);
		await(&w.done);
		ck_assert(pthread_equal(w.ran_on, w.asked_on));
	}
}
END_TEST

START_TEST(the_loop_goes_on_while_work_waits_for_it)
{
	for (int i = 0; i < 20; i++) {
		struct event_flag lives = FLAG;
		struct work w = WORK(.loop_lives = &lives);

		set_aside_surely(&w);
		await(&w.done);
		ck_assert(!pthread_equal(w.done_on, w.ran_on)); /* taken over: the other's loop */
	}
}
END_TEST

START_TEST(work_that_ends_elsewhere_is_not_told_of)
{
	struct work w = WORK(.silent = true);
	struct event_flag after = FLAG;

	set_aside_surely(&w);
	await(&w.done);
	post(raise_posted, &after);
	await(&after);
	ck_assert(!w.told);
}
END_TEST

START_TEST(one_waits_and_a_second_is_refused)
{
	struct work second = WORK(.waits = false), w = WORK(.other = &second);

	second.second = true;
	w.second = true;
	set_aside_surely(&w);
	await(&w.done);
	ck_assert(!w.second);
}
END_TEST

static struct turns_job *taken;

static void aside_and_back(void *arg)
{
	struct work *w = arg;

	set_aside(w);
	taken = turns_take_back(turns);
	w->second = turns_take_back(turns) == NULL;
}

START_TEST(nothing_is_set_aside_at_the_end_of_work)
{
	struct work w = WORK(.done_asks = true, .second = true);

	set_aside_surely(&w);
	await(&w.done);
	ck_assert(!w.second);
}
END_TEST

START_TEST(what_waits_can_be_taken_back)
{
	struct work w = WORK(.waits = false);

	do {
		struct event_flag looked = FLAG;

		post(aside_and_back, &w);
		post(raise_posted, &looked);
		await(&looked);
	} while (!w.first);
	ck_assert_ptr_eq(taken, &w.job);
	ck_assert(w.second);
	ck_assert(!w.started.set);
}
END_TEST

START_TEST(nobody_stands_by_while_long_work_lasts)
{
	struct event_flag lives = FLAG, looked = FLAG;
	struct work w = WORK(.waits = true, .loop_lives = &lives), more = WORK(.waits = false);

	set_aside_surely(&w);
	await(&lives); /* taken over */
	post(set_aside, &more);
	post(raise_posted, &looked);
	await(&looked);
	ck_assert(!more.first);
	raise_flag(&w.go);
	await(&w.done);
	set_aside_surely(&more); /* and then again */
	await(&more.done);
}
END_TEST

START_TEST(a_loop_that_stops_leaves_long_work_to_end)
{
	struct event_flag lives = FLAG;
	struct work w = WORK(.waits = true, .loop_lives = &lives);

	start();
	set_aside_surely(&w);
	await(&lives);
	loop_stop(loop);
	pthread_join(runner, NULL); /* returns though the work goes on */
	ck_assert(!w.done.set);
	raise_flag(&w.go);
	turns_free(turns);
	loop_run(loop); /* takes notice of the stop */
	post(stop_loop, loop);
	loop_run(loop); /* the work is told of on who turns the loop now */
	ck_assert(pthread_equal(w.done_on, pthread_self()));
	loop_free(loop);
}
END_TEST

static void aside_and_stop(void *arg)
{
	set_aside(arg);
	loop_stop(loop);
}

START_TEST(work_that_waits_when_the_loop_stops_is_done)
{
	struct work w = WORK(.waits = false), before = WORK(.waits = false);

	start();
	set_aside_surely(&before);
	await(&before.done);
	post(aside_and_stop, &w);
	pthread_join(runner, NULL);
	ck_assert(w.first);
	turns_free(turns);
	ck_assert(w.done.set);
	loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turns");
	TCase *t = tcase_create("running"), *end = tcase_create("ending");

	tcase_set_timeout(t, 60);
	tcase_set_timeout(end, 60);
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, short_work_is_done_on_the_thread_that_asked);
	tcase_add_test(t, the_loop_goes_on_while_work_waits_for_it);
	tcase_add_test(t, work_that_ends_elsewhere_is_not_told_of);
	tcase_add_test(t, one_waits_and_a_second_is_refused);
	tcase_add_test(t, nothing_is_set_aside_at_the_end_of_work);
	tcase_add_test(t, what_waits_can_be_taken_back);
	tcase_add_test(t, nobody_stands_by_while_long_work_lasts);
	tcase_add_test(end, a_loop_that_stops_leaves_long_work_to_end);
	tcase_add_test(end, work_that_waits_when_the_loop_stops_is_done);
	suite_add_tcase(s, t);
	suite_add_tcase(s, end);
	return suite_run(s);
}
