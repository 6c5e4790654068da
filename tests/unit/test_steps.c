/* SPDX-License-Identifier: Apache-2.0 */
/* Time by steps: it moves only when nobody works, and stops wherever somebody waits for it. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include "agent/loop.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/steps.h"
#include "tests/lib/suite.h"

#define T0 INT64_C(1700000000000)

static struct err e;

static void setup(void)
{
	steps_use(T0);
}

static void teardown(void)
{
	steps_restore();
}

START_TEST(time_stands_still_until_it_is_told_to_go_and_never_goes_back)
{
	ck_assert(steps_on());
	ck_assert_int_eq(clock_wall_ms(), T0);
	ck_assert_int_eq(steps_to(T0 + 5000, &e), 0);
	ck_assert_int_eq(clock_wall_ms(), T0 + 5000);
	ck_assert_int_eq(steps_to(T0 + 4999, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INPUT);
	steps_restore();
	ck_assert(!steps_on());
	ck_assert_int_eq(steps_to(clock_wall_ms() + 5000, &e), -1);
	ck_assert_int_eq(e.kind, ERR_INPUT);
}
END_TEST

/* --- threads that wait for moments and for messages --- */

static struct queue *in, *out;
static int64_t began_mono_ms;

struct note { /* a message and the moment it was handled */
	int64_t at_ms;
};

#define NOTES 64
static struct note notes[NOTES];
static atomic_size_t n_notes;

static void note_now(void)
{
	notes[atomic_fetch_add(&n_notes, 1)].at_ms = clock_mono_ms() - began_mono_ms;
}

/* Every 700 ms of the clock: a note, and a message to the other one. */
static void *ticker(void *arg)
{
	static char message;
	int64_t due = began_mono_ms + 700;

	(void)arg;
	steps_thread_begin();
	while (!queue_is_closed(in)) {
		(void)queue_pop_due(in, due, -1);
		if (clock_mono_ms() < due)
			continue;
		due += 700;
		note_now();
		ck_assert(queue_push(out, &message, 1));
	}
	steps_thread_end();
	return NULL;
}

/* Takes its time for a message, on which a step must wait. */
static void *slow(void *arg)
{
	(void)arg;
	steps_thread_begin();
	while (queue_pop(out, -1) != NULL) {
		int64_t until = clock_real_ns() + 2000000;

		while (clock_real_ns() < until)
			;
		note_now();
	}
	steps_thread_end();
	return NULL;
}

static void start(pthread_t *t, void *(*fn)(void *arg))
{
	steps_thread_new();
	ck_assert_int_eq(pthread_create(t, NULL, fn, NULL), 0);
}

START_TEST(each_moment_is_met_and_what_follows_from_it_belongs_to_it)
{
	pthread_t a, b;

	in = queue_new(8, 0);
	out = queue_new(8, 0);
	began_mono_ms = clock_mono_ms();
	atomic_store(&n_notes, 0);
	start(&a, ticker);
	start(&b, slow);
	ck_assert_msg(steps_to(T0 + 10000, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(atomic_load(&n_notes), 28);
	for (size_t i = 0; i < 28; i++)
		ck_assert_int_eq(notes[i].at_ms, ((int64_t)i / 2 + 1) * 700);
	ck_assert_int_eq(steps_due() - began_mono_ms, 15 * 700);
	queue_close(in);
	queue_close(out);
	(void)pthread_join(a, NULL);
	(void)pthread_join(b, NULL);
	queue_free(in);
	queue_free(out);
}
END_TEST

START_TEST(work_that_nobody_sees_is_waited_for_when_it_is_announced)
{
	static char message;
	pthread_t b;

	out = queue_new(8, 0);
	began_mono_ms = clock_mono_ms();
	atomic_store(&n_notes, 0);
	steps_work_begin();
	ck_assert(queue_push(out, &message, 1)); /* nobody takes it yet */
	start(&b, slow);
	steps_work_end();
	ck_assert_int_eq(steps_to(T0 + 1, &e), 0);
	ck_assert_uint_eq(atomic_load(&n_notes), 1);
	ck_assert_int_eq(notes[0].at_ms, 0);
	queue_close(out);
	(void)pthread_join(b, NULL);
	queue_free(out);
}
END_TEST

START_TEST(a_clock_that_is_set_wakes_who_waits)
{
	pthread_t a, b;

	in = queue_new(8, 0);
	out = queue_new(8, 0);
	began_mono_ms = clock_mono_ms();
	atomic_store(&n_notes, 0);
	start(&a, ticker);
	start(&b, slow);
	ck_assert_int_eq(steps_set(T0 + 1000, &e), 0); /* ahead: as after a suspended machine */
	ck_assert_uint_eq(atomic_load(&n_notes), 2);
	ck_assert_int_eq(notes[0].at_ms, 1000);
	ck_assert_int_eq(steps_set(T0 - 50000, &e), 0); /* back: waiting goes on as before */
	ck_assert_int_eq(clock_wall_ms(), T0 - 50000);
	ck_assert_uint_eq(atomic_load(&n_notes), 2);
	ck_assert_int_eq(steps_to(T0 - 49600, &e), 0);
	ck_assert_uint_eq(atomic_load(&n_notes), 4);
	ck_assert_int_eq(notes[2].at_ms, 1400);
	queue_close(in);
	queue_close(out);
	(void)pthread_join(a, NULL);
	(void)pthread_join(b, NULL);
	queue_free(in);
	queue_free(out);
}
END_TEST

/* --- loops --- */

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static struct loop_timer *again;

static void on_timer(void *arg)
{
	(void)arg;
	note_now();
}

static void on_again(void *arg)
{
	(void)arg;
	note_now();
	if (atomic_load(&n_notes) < 6)
		loop_timer_set(again, 250, 0);
}

START_TEST(timers_of_loops_are_moments_too)
{
	static const int64_t want[] = {250, 400, 500, 750, 800};
	struct loop_timer *timer;
	struct loop *l;
	pthread_t t;

	ck_assert_int_eq(loop_new(&l, &e), 0);
	began_mono_ms = clock_mono_ms();
	atomic_store(&n_notes, 0);
	timer = loop_timer_new(l, on_timer, NULL);
	again = loop_timer_new(l, on_again, NULL);
	loop_timer_set(timer, 400, 400);
	loop_timer_set(again, 250, 0);
	ck_assert_int_eq(pthread_create(&t, NULL, run_loop, l), 0);
	ck_assert_msg(steps_to(T0 + 900, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(atomic_load(&n_notes), 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq(notes[i].at_ms, want[i]);
	loop_stop(l);
	(void)pthread_join(t, NULL);
	loop_timer_free(timer);
	loop_timer_free(again);
	loop_free(l);
}
END_TEST

static void *stop(void *arg)
{
	(void)arg;
	steps_stop();
	return NULL;
}

START_TEST(a_process_that_stops_waits_for_no_step)
{
	pthread_t t;

	steps_work_begin(); /* and never ends */
	ck_assert_int_eq(pthread_create(&t, NULL, stop, NULL), 0);
	ck_assert_int_eq(steps_to(T0 + 1, &e), -1);
	ck_assert_int_eq(e.kind, ERR_AGAIN);
	(void)pthread_join(t, NULL);
	steps_work_end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("steps");
	TCase *tc = tcase_create("steps");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, time_stands_still_until_it_is_told_to_go_and_never_goes_back);
	tcase_add_test(tc, each_moment_is_met_and_what_follows_from_it_belongs_to_it);
	tcase_add_test(tc, work_that_nobody_sees_is_waited_for_when_it_is_announced);
	tcase_add_test(tc, a_clock_that_is_set_wakes_who_waits);
	tcase_add_test(tc, timers_of_loops_are_moments_too);
	tcase_add_test(tc, a_process_that_stops_waits_for_no_step);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
