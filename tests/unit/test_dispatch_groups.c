/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups and their times: who is told when, again, and that it is over; Alertmanager's ticks; a
 * restart and a reload in the midst of it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

/* group_wait 30s, group_interval 5m, repeat_interval 4h: Alertmanager's. */
#define ROUTE(more)                                                                                \
	"statsd: {listen: []}\n"                                                                   \
	"receivers: [" RIG_WEBHOOK("w") ", " RIG_WEBHOOK(                                          \
		"db") "]\n"                                                                        \
		      "route: {receiver: w, group_by: [alertname], group_wait: 30s, "              \
		      "group_interval: 5m, "                                                       \
		      "repeat_interval: 4h" more "}\n"

static const char plain[] = ROUTE("");
static const char ticks[] =
	ROUTE("") "notifications: {group_ticks: true, resolve_at_once: false}\n";

START_TEST(a_new_group_waits_for_its_siblings)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_pass(20 * S);
	rig_fire("alertname=A,instance=2");
	ck_assert_str_eq(rig_told(), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+ A/2+");
	rig_pass(4 * M);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_change_is_told_after_the_group_interval)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
	rig_pass(1 * M);
	rig_fire("alertname=A,instance=2");
	rig_resolve("alertname=A,instance=1");
	rig_pass(4 * M - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A/1- A/2+");
}
END_TEST

/* An alert for a hundred teams: each has its route, all with `continue`. */
START_TEST(a_hundred_routes_that_continue_are_all_told)
{
	enum { ROUTES = 100 };
	static char yaml[ROUTES * 64 + 512];
	size_t n = (size_t)snprintf(yaml, sizeof yaml, "%s",
		"statsd: {listen: []}\nreceivers: [" RIG_WEBHOOK("w") ", " RIG_WEBHOOK(
			"last") "]\n"
				"route:\n  receiver: w\n  group_wait: 0s\n  routes:\n");

	for (unsigned i = 0; i + 1 < ROUTES; i++)
		n += (size_t)snprintf(yaml + n, sizeof yaml - n,
			"  - {receiver: w, continue: true, group_wait: %us}\n", i + 1);
	(void)snprintf(yaml + n, sizeof yaml - n, "  - {receiver: last}\n");
	rig_start(yaml);
	rig_fire("alertname=A");
	rig_pass(0);
	ck_assert_str_eq(rig_told(), "last: A+");
}
END_TEST

START_TEST(a_value_alone_is_never_told)
{
	rig_start(plain);
	rig_fire("alertname=A");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	for (int i = 0; i < 10; i++) {
		rig_fire("alertname=A");
		rig_pass(5 * M);
	}
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_repeat_comes_to_the_second)
{
	rig_start(plain);
	rig_fire("alertname=A");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_pass(4 * H - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_restart(NULL);
	rig_pass(4 * H - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(a_group_that_is_over_is_told_at_once)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	rig_pass(30 * S);
	(void)rig_told();
	rig_resolve("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A,instance=2");
	ck_assert_str_eq(rig_told(), "w: A/1- A/2-");
}
END_TEST

START_TEST(what_was_never_told_has_no_end)
{
	rig_start(plain);
	rig_fire("alertname=A");
	rig_pass(10 * S);
	rig_resolve("alertname=A");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(without_group_by_all_alerts_are_one_group_and_without_wait_told_at_once)
{
	rig_start("statsd: {listen: []}\nreceivers: [" RIG_WEBHOOK(
		"w") "]\nroute: {receiver: w, group_wait: 0s, group_interval: 1m}\n");
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_fire("alertname=B");
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A+ B+");
	rig_resolve("alertname=B");
	rig_resolve("alertname=A");
	ck_assert_str_eq(rig_told(), "w: A- B-");
	rig_fire("alertname=B");
	ck_assert_str_eq(rig_told(), "w: B+");
}
END_TEST

START_TEST(with_ticks_changes_and_ends_wait_for_them)
{
	rig_start(ticks);
	rig_fire("alertname=A,instance=1");
	rig_pass(30 * S); /* first tick: 0:30, then every 5 min */
	ck_assert_str_eq(rig_told(), "w: A/1+");
	rig_pass(7 * M); /* 7:30 */
	rig_fire("alertname=A,instance=2");
	rig_pass(3 * M - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1); /* 10:30 */
	ck_assert_str_eq(rig_told(), "w: A/1+ A/2+");
	rig_resolve("alertname=A,instance=1");
	rig_resolve("alertname=A,instance=2");
	rig_pass(5 * M - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A/1- A/2-");
}
END_TEST

START_TEST(with_ticks_a_repeat_slips_to_the_next_one)
{
	rig_start(ticks);
	rig_fire("alertname=A");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_pass(4 * H);
	ck_assert_str_eq(rig_told(), ""); /* not older than 4 h */
	rig_pass(5 * M);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(a_group_goes_on_after_a_restart)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_pass(20 * S);
	rig_restart(NULL);
	rig_fire("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
	rig_restart(NULL);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "w: A/1-");
	rig_restart(NULL);
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_clock_behind_after_a_restart_puts_off_no_repeat)
{
	rig_start(plain);
	rig_fire("alertname=A");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_pass(-20 * H);
	rig_restart(NULL);
	rig_pass(4 * H - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

START_TEST(an_alert_in_two_groups_is_told_by_both)
{
	rig_start(ROUTE(", routes: [{matchers: [team=db], receiver: db, continue: true}, "
			"{matchers: [team=db], receiver: w, group_by: [team]}]"));
	rig_fire("alertname=A,team=db");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "db: A+\nw: A+");
	rig_restart(NULL);
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "db: A-\nw: A-");
}
END_TEST

START_TEST(an_alert_that_fires_anew_before_its_end_was_told_is_one)
{
	rig_start(plain);
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	rig_pass(30 * S);
	(void)rig_told();
	rig_resolve("alertname=A,instance=1");
	rig_pass(1 * M);
	rig_fire("alertname=A,instance=1");
	rig_pass(10 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A,instance=1");
	rig_resolve("alertname=A,instance=2");
	ck_assert_str_eq(rig_told(), "w: A/1- A/2-");
}
END_TEST

START_TEST(a_route_that_goes_leaves_its_receiver_to_hear_the_end)
{
	rig_start(ROUTE(", routes: [{matchers: [team=db], receiver: db}]"));
	rig_fire("alertname=A,team=db");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "db: A+");
	rig_reload(plain);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_restart(NULL);
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "db: A-\nw: A-");
	rig_pass(24 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_route_that_comes_back_takes_its_receiver_back)
{
	static const char with_db[] = ROUTE(", routes: [{matchers: [team=db], receiver: db}]");

	rig_start(with_db);
	rig_fire("alertname=A,team=db");
	rig_pass(30 * S);
	(void)rig_told();
	rig_reload(plain);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_reload(with_db);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), ""); /* both know of it */
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "db: A-\nw: A-");
}
END_TEST

START_TEST(a_receiver_that_is_gone_is_told_nothing)
{
	rig_start(ROUTE(", routes: [{matchers: [team=db], receiver: db}]"));
	rig_fire("alertname=A,team=db");
	rig_pass(30 * S);
	(void)rig_told();
	rig_reload("statsd: {listen: []}\nreceivers: [" RIG_WEBHOOK(
		"w") "]\nroute: {receiver: w, group_by: [alertname]}\n");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "w: A-");
}
END_TEST

START_TEST(an_alert_that_no_route_took_is_told_when_there_is_one)
{
	rig_start("statsd: {listen: []}\n");
	ck_assert_str_eq(rig_post("alertname=A", 0, 0), "");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_reload(plain);
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
}
END_TEST

int main(void)
{
	const TTest *const all[] = {a_new_group_waits_for_its_siblings,
		a_change_is_told_after_the_group_interval, a_value_alone_is_never_told,
		a_hundred_routes_that_continue_are_all_told, a_value_alone_is_never_told,
		a_repeat_comes_to_the_second, a_group_that_is_over_is_told_at_once,
		what_was_never_told_has_no_end,
		without_group_by_all_alerts_are_one_group_and_without_wait_told_at_once,
		with_ticks_changes_and_ends_wait_for_them,
		with_ticks_a_repeat_slips_to_the_next_one, a_group_goes_on_after_a_restart,
		a_clock_behind_after_a_restart_puts_off_no_repeat,
		an_alert_in_two_groups_is_told_by_both,
		an_alert_that_fires_anew_before_its_end_was_told_is_one,
		a_route_that_goes_leaves_its_receiver_to_hear_the_end,
		a_route_that_comes_back_takes_its_receiver_back,
		a_receiver_that_is_gone_is_told_nothing,
		an_alert_that_no_route_took_is_told_when_there_is_one};
	Suite *s = suite_create("dispatch groups");
	TCase *tc = tcase_create("dispatch groups");

	tcase_add_checked_fixture(tc, rig_init, rig_fini);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
