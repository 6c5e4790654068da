/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluators and time: which slots are evaluated when evaluations take long, rules are replaced,
 * the clock is set, the process stops. Time goes in steps (base/steps.h): nothing depends on speed.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/steps.h"
#include "rules/rules_internal.h"
#include "tests/lib/rule_fixture.h"
#include "tests/lib/suite.h"

#define T0     (INT64_C(100000) * MIN)
#define SECOND 1000
#define HOUR   (60 * MIN)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

#define SEEN_MAX 20000
static struct seen { /* a query: the first letter of the series' name, and its time */
	char name;
	int64_t at_ms;
} seen[SEEN_MAX];
static size_t n_seen;
static bool block, inside; /* queries of b... wait for the test; one does */
static int64_t takes_ms;   /* what the next query of l... takes */

#define TOLD_MAX 64
static struct told { /* a transition */
	char name;
	enum alert_state from, to;
	int64_t at_ms;
} told[TOLD_MAX];
static size_t n_told;
static bool full; /* no batch is taken */

static struct rules *r;
static struct rules_opts opts;
static struct err e;

static int open_noted(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *why)
{
	char name = 0;

	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, STR("__name__")) && m[i].value.n > 0)
			name = m[i].value.p[0];
	}
	(void)pthread_mutex_lock(&lock);
	ck_assert_uint_lt(n_seen, SEEN_MAX);
	seen[n_seen++] = (struct seen){name, maxt};
	inside = inside || (name == 'b' && block);
	(void)pthread_cond_broadcast(&changed);
	while (name == 'b' && block)
		(void)pthread_cond_wait(&changed, &lock);
	if (name == 'l' && takes_ms > 0) {
		clock_go_on(takes_ms);
		takes_ms = 0;
	}
	(void)pthread_mutex_unlock(&lock);
	return rf.real.open(ctx, m, n, mint, maxt, a, out, why);
}

static bool on_batch(void *ctx, struct alert_batch *b)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	if (full) {
		(void)pthread_mutex_unlock(&lock);
		return false;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (b->events[i].from == b->events[i].to)
			continue;
		ck_assert_uint_lt(n_told, TOLD_MAX);
		told[n_told++] = (struct told){b->events[i].rule->name.p[0], b->events[i].from,
			b->events[i].to, b->slot_ms};
	}
	(void)pthread_mutex_unlock(&lock);
	alert_batch_free(b);
	return true;
}

static size_t count(char name)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_seen; i++)
		n += seen[i].name == name;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

static struct rule_set *load(const char *groups)
{
	struct str path = str_c(rf.file);
	struct diag *d = diag_new(&rf.arena);
	FILE *f = fopen(rf.file, "w");
	struct rule_set *set;

	fprintf(f, "groups:\n%s", groups);
	fclose(f);
	set = rule_set_load(&path, 1, false, d, &rf.arena);
	ck_assert_ptr_nonnull(set);
	return set;
}

static void setup(void)
{
	steps_use(T0);
	rf_setup();
	rf_open_state();
	rf.source.open = open_noted;
	n_seen = n_told = 0;
	block = inside = full = false;
	takes_ms = 0;
	r = NULL;
	opts = (struct rules_opts){.store = rf.store,
		.source = &rf.source,
		.sink = {.submit = on_batch},
		.evaluation_interval_ms = SECOND,
		.max_samples = 1000000,
		.max_memory = (size_t)64 << 20};
}

static void teardown(void)
{
	if (r != NULL) {
		rules_stop(r);
		rules_free(r);
	}
	rf_teardown();
	steps_restore();
}

static void start(const char *groups)
{
	ck_assert_msg(rules_new(&r, &opts, load(groups), state_db(rf.state), &e) == 0, "%s", e.msg);
	ck_assert_msg(rules_start(r, &e) == 0, "%s", e.msg);
}

static void to(int64_t ms)
{
	ck_assert_msg(steps_to(T0 + ms, &e) == 0, "%s", e.msg);
}

static void set_clock(int64_t ms)
{
	ck_assert_msg(steps_set(T0 + ms, &e) == 0, "%s", e.msg);
}

/* A sample of a series without labels. */
static void put(const char *name, int64_t ms, double v)
{
	struct label l = {STR("__name__"), str_c(name)};
	struct batch *b = batch_new(BATCH_IMPORT);

	batch_series_labels(b, (struct labels){&l, 1}, labels_hash((struct labels){&l, 1}));
	batch_float(b, T0 + ms, v, 0);
	ck_assert_int_eq(store_submit_wait(rf.store, b, &e), 0);
	batch_free(b);
}

static uint64_t missed(size_t group)
{
	return (uint64_t)metric_get(r->groups[group]->missed);
}

/* --- slots --- */

static void *go_on(void *arg)
{
	to(*(const int64_t *)arg);
	return NULL;
}

START_TEST(an_idle_evaluator_waits_for_the_earliest_slot_not_for_anothers_later_one)
{
	int64_t end = 10 * SECOND, hourly;
	uint64_t before;
	pthread_t t;

	block = true;
	start("- {name: hourly, interval: 1h, rules: [{record: a, expr: h}]}\n"
	      "- {name: fast, interval: 1s, rules: [{record: b, expr: blocked}]}\n");
	before = missed(1);
	hourly = r->groups[0]->next_slot_ms - clock_wall_ms() + clock_mono_ms();
	ck_assert_int_gt(r->groups[0]->next_slot_ms, T0 + end);
	ck_assert_int_eq(pthread_create(&t, NULL, go_on, &end), 0);
	(void)pthread_mutex_lock(&lock);
	while (!inside)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	while (steps_due() != hourly) /* another one waits for the hourly group now */
		(void)sched_yield();
	(void)pthread_mutex_lock(&lock);
	block = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	(void)pthread_join(t, NULL);
	ck_assert_uint_eq(count('b'), 10);
	ck_assert_uint_eq(missed(1), before);
}
END_TEST

START_TEST(a_group_of_a_second_and_one_of_an_hour_miss_nothing_beside_each_other)
{
	uint64_t before[2];

	start("- {name: hourly, interval: 1h, rules: [{record: a, expr: h}]}\n"
	      "- {name: fast, interval: 1s, rules: [{record: b, expr: f}]}\n");
	for (size_t i = 0; i < 2; i++)
		before[i] = missed(i);
	to(2 * HOUR);
	ck_assert_uint_eq(count('f'), 7200);
	ck_assert_uint_eq(count('h'), 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(missed(i), before[i]);
}
END_TEST

START_TEST(slots_behind_a_long_evaluation_are_counted_and_the_newest_is_evaluated)
{
	static const int64_t want[] = {0, 3, 4, 5}; /* slots; it takes 3.5 intervals */
	uint64_t before;

	takes_ms = 3500;
	start("- {name: g, interval: 1s, rules: [{record: a, expr: long}]}\n");
	before = missed(0);
	to(6 * SECOND);
	ck_assert_uint_eq(n_seen, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(seen[i].at_ms, seen[0].at_ms + want[i] * SECOND);
	ck_assert_uint_eq(missed(0), before + 2);
}
END_TEST

/* --- reloads --- */

START_TEST(new_rules_are_taken_while_all_wait_and_old_groups_keep_their_slots)
{
	uint64_t before;

	start("- {name: slow, interval: 1h, rules: [{record: a, expr: h}]}\n"
	      "- {name: same, interval: 2s, rules: [{record: b, expr: s}]}\n");
	before = missed(1);
	to(10 * SECOND);
	ck_assert_uint_eq(count('s'), 5);
	rules_reload(r,
		load("- {name: slow, interval: 1s, rules: [{record: a, expr: h}]}\n"
		     "- {name: same, interval: 2s, rules: [{record: b, expr: s}]}\n"
		     "- {name: new, interval: 5s, rules: [{record: c, expr: n}]}\n"),
		&opts);
	to(20 * SECOND);
	ck_assert_uint_eq(count('h'), 10);
	ck_assert_uint_eq(count('s'), 10);
	ck_assert_uint_eq(count('n'), 2);
	ck_assert_uint_eq(missed(1), before);
	rules_reload(r, load("  []\n"), &opts); /* nothing to wait for */
	to(30 * SECOND);
	ck_assert_uint_eq(count('h'), 10);
	rules_reload(
		r, load("- {name: new, interval: 5s, rules: [{record: c, expr: n}]}\n"), &opts);
	to(40 * SECOND);
	ck_assert_uint_eq(count('n'), 4);
}
END_TEST

START_TEST(the_end_of_a_rule_is_told_though_the_sink_was_full_and_no_group_is_left)
{
	start("- {name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}\n");
	to(5 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	full = true;
	rules_reload(r, load("  []\n"), &opts);
	to(6 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	full = false; /* all wait */
	to(10 * SECOND);
	ck_assert_uint_eq(n_told, 2);
	ck_assert_int_eq(told[1].to, ALERT_INACTIVE);
}
END_TEST

/* --- clocks that are set --- */

START_TEST(after_a_leap_nothing_ends_until_sources_had_time_to_come_back)
{
	start("- {name: g, interval: 1s, rules: [{alert: A, expr: x > 0}]}\n");
	put("x", 0, 1);
	to(5 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(told[0].to, ALERT_FIRING);
	set_clock(2 * HOUR); /* suspended for so long: x is stale, and nobody has sent it again */
	to(2 * HOUR + 30 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	to(2 * HOUR + 32 * SECOND);
	ck_assert_uint_eq(n_told, 2); /* it was really gone */
	ck_assert_int_eq(told[1].to, ALERT_INACTIVE);
}
END_TEST

START_TEST(samples_that_come_back_after_a_leap_keep_the_alert)
{
	start("- {name: g, interval: 1s, rules: [{alert: A, expr: x > 0}]}\n");
	put("x", 0, 1);
	to(5 * SECOND);
	set_clock(2 * HOUR);
	to(2 * HOUR + 20 * SECOND);
	put("x", 2 * HOUR + 20 * SECOND, 1);
	to(2 * HOUR + 4 * MIN);
	ck_assert_uint_eq(n_told, 1);
}
END_TEST

START_TEST(time_that_passes_without_a_look_at_the_clock_is_no_leap)
{
	int64_t slot;

	start("- {name: g, interval: 1h, rules: [{alert: A, expr: x > 0}]}\n");
	slot = r->groups[0]->next_slot_ms - T0;
	to(slot - 1);
	put("x", slot - 1, 1);
	to(slot);
	ck_assert_uint_eq(n_told, 1);
	to(slot + HOUR);
	ck_assert_uint_eq(n_told, 2); /* and is not held */
	ck_assert_int_eq(told[1].to, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_clock_set_back_begins_slots_anew_and_moves_what_pends_along)
{
	int64_t last;
	size_t firing, pending, n;

	start("- {name: g, interval: 1s, rules: [{alert: A, expr: vector(1), for: 10s}, "
	      "{record: b, expr: f}]}\n");
	to(5 * SECOND); /* pends since the first second */
	n = count('f');
	ck_assert_uint_eq(n, 5);
	set_clock(-HOUR);
	rules_summary(r, &last, &firing, &pending);
	ck_assert_int_le(last, T0 - HOUR);
	ck_assert_uint_eq(pending, 1);
	to(-HOUR + 5 * SECOND);
	ck_assert_uint_eq(count('f'), n + 5);
	ck_assert_uint_eq(n_told, 1);
	to(-HOUR + 7 * SECOND);
	ck_assert_uint_eq(n_told, 2);
	ck_assert_int_eq(told[1].to, ALERT_FIRING);
	rules_summary(r, &last, &firing, &pending);
	ck_assert_int_gt(last, T0 - HOUR + 5 * SECOND);
	ck_assert_uint_eq(firing, 1);
}
END_TEST

START_TEST(a_clock_set_back_leaves_no_recorded_series_old)
{
	start("- {name: g, interval: 1s, rules: [{record: rec, expr: x}]}\n"
	      "- {name: h, interval: 1s, rules: [{alert: A, expr: rec > 1}]}\n");
	put("x", 0, 1);
	to(120 * SECOND);
	ck_assert_uint_eq(n_told, 0);
	set_clock(60 * SECOND);
	put("x", 60 * SECOND, 2);
	to(63 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(told[0].to, ALERT_FIRING);
	rules_reload(r, /* which keeps the slots */
		load("- {name: g, interval: 1s, rules: [{record: rec, expr: x}]}\n"
		     "- {name: h, interval: 1s, rules: [{alert: A, expr: rec > 1}, "
		     "{record: other, expr: x}]}\n"),
		&opts);
	put("x", 63 * SECOND, 1);
	to(66 * SECOND);
	ck_assert_uint_eq(n_told, 2);
	ck_assert_int_eq(told[1].to, ALERT_INACTIVE);
	to(130 * SECOND); /* over the end of the time that came twice */
	ck_assert_uint_eq(n_told, 2);
}
END_TEST

/* --- the end --- */

static void *stop(void *arg)
{
	(void)arg;
	rules_stop(r);
	return NULL;
}

START_TEST(a_stop_in_the_middle_of_an_evaluation_ends_no_alert)
{
	int64_t end = 10 * SECOND;
	pthread_t stepper, stopper;

	start("- {name: g, interval: 1s, rules: [{alert: A, expr: b > 0}]}\n");
	put("b", 0, 1);
	to(5 * SECOND);
	ck_assert_uint_eq(n_told, 1);
	(void)pthread_mutex_lock(&lock);
	block = true;
	(void)pthread_mutex_unlock(&lock);
	ck_assert_int_eq(pthread_create(&stepper, NULL, go_on, &end), 0);
	(void)pthread_mutex_lock(&lock);
	while (!inside)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop, NULL), 0);
	while (!atomic_load(&r->cancel))
		(void)sched_yield();
	(void)pthread_mutex_lock(&lock);
	block = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	(void)pthread_join(stopper, NULL);
	(void)pthread_join(stepper, NULL); /* time goes on without evaluators */
	ck_assert_uint_eq(n_told, 1);
	ck_assert_uint_eq(count('b'), 6);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_threads");
	TCase *tc = tcase_create("rule_threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(
		tc, an_idle_evaluator_waits_for_the_earliest_slot_not_for_anothers_later_one);
	tcase_add_test(tc, a_group_of_a_second_and_one_of_an_hour_miss_nothing_beside_each_other);
	tcase_add_test(tc, slots_behind_a_long_evaluation_are_counted_and_the_newest_is_evaluated);
	tcase_add_test(tc, new_rules_are_taken_while_all_wait_and_old_groups_keep_their_slots);
	tcase_add_test(tc, the_end_of_a_rule_is_told_though_the_sink_was_full_and_no_group_is_left);
	tcase_add_test(tc, after_a_leap_nothing_ends_until_sources_had_time_to_come_back);
	tcase_add_test(tc, samples_that_come_back_after_a_leap_keep_the_alert);
	tcase_add_test(tc, time_that_passes_without_a_look_at_the_clock_is_no_leap);
	tcase_add_test(tc, a_clock_set_back_begins_slots_anew_and_moves_what_pends_along);
	tcase_add_test(tc, a_clock_set_back_leaves_no_recorded_series_old);
	tcase_add_test(tc, a_stop_in_the_middle_of_an_evaluation_ends_no_alert);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
