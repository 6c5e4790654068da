/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of a group at the same time: what may, what must wait, that the outcome is that of one
 * after the other; and groups on several evaluators.
 */
#include <check.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "rules/rule_plan.h"
#include "rules/rules.h"
#include "tests/lib/rule_fixture.h"
#include "tests/lib/suite.h"

/* --- helpers: three threads that take what is offered --- */

#define HELPERS 3

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct rule_run *offered;
static unsigned offers, inside;
static bool over;
static pthread_t threads[HELPERS];

static void *help(void *arg)
{
	unsigned seen = 0;

	(void)arg;
	(void)pthread_mutex_lock(&lock);
	while (!over) {
		struct rule_run *run = offered;

		if (run == NULL || seen == offers) {
			(void)pthread_cond_wait(&changed, &lock);
			continue;
		}
		seen = offers;
		inside++;
		(void)pthread_mutex_unlock(&lock);
		while (rule_run_help(run))
			;
		(void)pthread_mutex_lock(&lock);
		inside--;
		(void)pthread_cond_broadcast(&changed);
	}
	(void)pthread_mutex_unlock(&lock);
	return NULL;
}

static void on_offer(void *ctx, struct rule_run *run)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	offered = run;
	offers++;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void on_withdraw(void *ctx, struct rule_run *run)
{
	(void)ctx;
	(void)run;
	(void)pthread_mutex_lock(&lock);
	offered = NULL;
	while (inside > 0)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

static struct rule_helpers helpers = {.offer = on_offer, .withdraw = on_withdraw};

static void start_helpers(void)
{
	over = false;
	offers = 0;
	rf.env.helpers = &helpers;
	for (int i = 0; i < HELPERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, help, NULL), 0);
}

static void stop_helpers(void)
{
	(void)pthread_mutex_lock(&lock);
	over = true;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	for (int i = 0; i < HELPERS; i++)
		(void)pthread_join(threads[i], NULL);
}

/* --- a source that waits until so many queries are inside --- */

static unsigned meeting, want;
static struct select_source meet;

static int open_together(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	(void)pthread_mutex_lock(&lock);
	meeting++;
	(void)pthread_cond_broadcast(&changed);
	while (meeting < want)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	return rf.real.open(ctx, m, n, mint, maxt, a, out, e);
}

START_TEST(independent_queries_run_at_the_same_time)
{
	rf_begin("  rules:\n  - {record: a, expr: x}\n  - {record: b, expr: x}\n"
		 "  - {record: c, expr: x}\n  - {record: d, expr: x}\n");
	rf_feed("x", 0, "7");
	start_helpers();
	meet = rf.source;
	meet.open = open_together;
	meeting = 0;
	want = 4; /* all of them, else this never ends */
	rf.env.source = &meet;
	rf_eval(0);
	rf.env.source = &rf.source;
	stop_helpers();
	ck_assert_str_eq(rf_ask("a + b + c + d", 0), "28");
}
END_TEST

START_TEST(plans_know_who_reads_whom)
{
	rf_begin("  rules:\n"
		 "  - {record: a, expr: x}\n"                        /* 0 */
		 "  - {record: b, expr: 'rate(a[5m])'}\n"            /* 1: a */
		 "  - {record: c, expr: x}\n"                        /* 2 */
		 "  - {record: d, expr: '{__name__=~\"a|c\"}'}\n"    /* 3: a, c */
		 "  - {record: e, expr: e}\n"                        /* 4: its own past */
		 "  - {alert: F, expr: x > 1}\n"                     /* 5 */
		 "  - {alert: G, expr: 'ALERTS{alertname=\"H\"}'}\n" /* 6: nothing before */
		 "  - {record: h, expr: 'ALERTS_FOR_STATE'}\n"       /* 7: F, G */
		 "  - {record: i, expr: '{job=\"x\"}'}\n"            /* 8: may be all */
		 "  - {alert: J, expr: x, annotations: {belfry_clear_if: b < 1}}\n"); /* 9: b */
	const size_t after[] = {0, 1, 0, 3, 0, 0, 0, 7, 8, 2};
	const bool read[] = {true, true, true, true, true, true, true, true, false, false};

	for (size_t i = 0; i < 10; i++) {
		ck_assert_msg(
			rf.g->plan.after[i] == after[i], "rule %zu: %zu", i, rf.g->plan.after[i]);
		ck_assert_msg(rf.g->plan.read_later[i] == read[i], "rule %zu", i);
	}
}
END_TEST

/* Forty rules that read each other in a mesh, forwards and backwards. */
static const char *mesh(void)
{
	static char text[8192];
	size_t n = (size_t)snprintf(text, sizeof text, "  rules:\n");

	for (int i = 0; i < 40; i++) {
		int back = i * 7 % 40;

		n += (size_t)snprintf(text + n, sizeof text - n,
			"  - {record: r%d, expr: 'x * %d + on() (r%d or x) + on() (r%d or x)'}\n",
			i, i, back, i > 0 ? i - 1 : 39);
	}
	return text;
}

START_TEST(the_outcome_is_that_of_one_after_the_other)
{
	static char alone[3][64];

	rf_begin(mesh());
	rf_feed("x", 0, "1 2 3");
	for (int m = 0; m < 3; m++) {
		rf_eval(m);
		snprintf(alone[m], sizeof alone[m], "%s", rf_ask("sum({__name__=~\"r.+\"})", m));
	}
	rf_teardown();
	rf_setup();
	start_helpers();
	rf_begin(mesh());
	rf_feed("x", 0, "1 2 3");
	for (int m = 0; m < 3; m++) {
		rf_eval(m);
		ck_assert_str_eq(rf_ask("sum({__name__=~\"r.+\"})", m), alone[m]);
	}
	stop_helpers();
}
END_TEST

START_TEST(a_failing_query_of_another_thread_is_the_rules_own)
{
	rf_begin("  rules:\n  - {record: a, expr: x}\n"
		 "  - {record: b, expr: 'x + on() group_left() y'}\n"
		 "  - {alert: C, expr: x > 1}\n");
	rf_feed("x", 0, "7");
	rf_feed("y{i=\"1\"}", 0, "7");
	rf_feed("y{i=\"2\"}", 0, "7");
	start_helpers();
	rf_eval(0);
	stop_helpers();
	ck_assert(!rf.g->rules[0].failed && rf.g->rules[1].failed && !rf.g->rules[2].failed);
	ck_assert_int_eq(rf_event()->to, ALERT_FIRING);
}
END_TEST

/* --- groups on evaluators --- */

static bool release, slow_inside;

static int open_slow(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	bool slow = false;

	for (size_t i = 0; i < n; i++)
		slow = slow || str_eq(m[i].value, STR("slow"));
	(void)pthread_mutex_lock(&lock);
	if (slow) {
		slow_inside = true;
		(void)pthread_cond_broadcast(&changed);
	}
	while (slow && !release)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	return rf.real.open(ctx, m, n, mint, maxt, a, out, e);
}

static unsigned fired[2];

static bool on_batch(void *ctx, struct alert_batch *b)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < b->n; i++) {
		if (b->events[i].from == ALERT_INACTIVE && b->events[i].to == ALERT_FIRING)
			fired[str_eq(b->events[i].rule->name, STR("Slow"))]++;
	}
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	alert_batch_free(b);
	return true;
}

static struct rule_set *load_two_groups(void)
{
	struct str path = str_c(rf.file);
	struct diag *d = diag_new(&rf.arena);
	FILE *f = fopen(rf.file, "w");

	fprintf(f, "groups:\n"
		   "- {name: slow, interval: 1s, rules: [{alert: Slow, expr: slow or vector(1)}]}\n"
		   "- {name: fast, interval: 1s, rules: [{record: a, expr: vector(1)}, "
		   "{alert: Fast, expr: a > 0}]}\n");
	fclose(f);
	return rule_set_load(&path, 1, false, d, &rf.arena);
}

START_TEST(a_slow_group_delays_no_other)
{
	struct rules_opts o;
	struct rules *r;
	struct err e;

	release = slow_inside = false;
	fired[0] = fired[1] = 0;
	clock_inject(INT64_C(1700000000000), 20);
	rf_open_state();
	rf.source.open = open_slow;
	o = (struct rules_opts){.store = rf.store,
		.source = &rf.source,
		.sink = {.submit = on_batch},
		.evaluation_interval_ms = 1000,
		.max_samples = 1000000,
		.max_memory = (size_t)64 << 20};
	ck_assert_msg(
		rules_new(&r, &o, load_two_groups(), state_db(rf.state), &e) == 0, "%s", e.msg);
	ck_assert_msg(rules_start(r, &e) == 0, "%s", e.msg);
	(void)pthread_mutex_lock(&lock);
	while (!slow_inside || fired[0] == 0) /* Fast fires while Slow hangs in its query */
		(void)pthread_cond_wait(&changed, &lock);
	ck_assert_uint_eq(fired[1], 0);
	release = true;
	(void)pthread_cond_broadcast(&changed);
	while (fired[1] == 0)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	rules_reload(r, load_two_groups(), &o);
	rules_stop(r);
	rules_free(r);
	clock_restore();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_plan");
	TCase *tc = tcase_create("rule_plan");

	tcase_add_checked_fixture(tc, rf_setup, rf_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, independent_queries_run_at_the_same_time);
	tcase_add_test(tc, plans_know_who_reads_whom);
	tcase_add_test(tc, the_outcome_is_that_of_one_after_the_other);
	tcase_add_test(tc, a_failing_query_of_another_thread_is_the_rules_own);
	tcase_add_test(tc, a_slow_group_delays_no_other);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
