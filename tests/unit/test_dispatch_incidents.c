/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incidents at receivers that keep them open by a key, while configurations come and go: a key is
 * closed when the incident is over and not before, and what fires has one that is open.
 */
#include <check.h>
#include <string.h>

#include "base/num.h"
#include "exporters/ack.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

#define ROUTES(top, more)                                                                          \
	"statsd: {listen: []}\n"                                                                   \
	"receivers: [" RIG_PAGER("ops") ", " RIG_PAGER("team") ", " RIG_WEBHOOK(                   \
		"rest") ", {name: w, fallback: ops, webhook_configs: "                             \
			"[{url: 'http://127.0.0.1:1/w'}]}]\n"                                      \
			"route: {receiver: " top ", group_by: [alertname], group_wait: 0s, "       \
			"group_interval: 1m, repeat_interval: 24h, routes: [" more "]}\n"

#define ROUTE(matcher, receiver) "{matchers: ['" matcher "'], receiver: " receiver "}"

START_TEST(an_orphan_closes_nothing_that_goes_on)
{
	rig_start(ROUTES("rest", ROUTE("alertname=A", "ops")));
	rig_fire("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_fire("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: open 1");
	/* behind the other route, whose key stays */
	rig_reload(ROUTES(
		"rest", "{matchers: [instance=2], receiver: team}, " ROUTE("alertname=A", "ops")));
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "team: open 2");
	rig_resolve("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "team: close 2");
	rig_resolve("alertname=A,instance=1");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1");
}
END_TEST

START_TEST(an_orphan_closes_its_incident_with_the_last_alert)
{
	rig_start(ROUTES("rest", ROUTE("alertname=A", "ops")));
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: open 1\nops: open 1");
	rig_reload(ROUTES("rest", ""));
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "rest: A/1+ A/2+");
	rig_resolve("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "rest: A/1+ A/2-");
	rig_restart(NULL);
	rig_resolve("alertname=A,instance=1");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1\nrest: A/1-");
}
END_TEST

START_TEST(a_reverted_change_of_receiver_goes_on_with_the_incident)
{
	static const char a[] = ROUTES("rest", ROUTE("alertname=A", "ops"));
	static const char b[] = ROUTES("rest", ROUTE("alertname=A", "team"));

	rig_start(a);
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_reload(b);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "team: open 1");
	rig_reload(a);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1\nteam: close 1");
}
END_TEST

START_TEST(a_reverted_rename_that_splits_leaves_the_incident_with_its_namesake)
{
	static const char one[] = ROUTES("rest", ROUTE("alertname=A", "ops"));
	static const char two[] = ROUTES(
		"rest", "{matchers: [instance=2], receiver: ops, group_by: [instance]}, " ROUTE(
				"alertname=A", "ops"));

	rig_start(one);
	rig_fire("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_reload(ROUTES("rest", ROUTE("alertname=~A|B", "ops")));
	rig_pass(1 * M);
	rig_fire("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_reload(two);
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: open 2");
	rig_resolve("alertname=A,instance=2");
	rig_resolve("alertname=A,instance=1");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1\nops: close 2");
}
END_TEST

/* The default group is older, and the alert's new group takes its age. */
START_TEST(a_route_that_comes_back_leaves_a_page_open)
{
	static const char with[] = ROUTES("rest", "{matchers: [team=x], receiver: ops}");
	bool moved;

	rig_start(with);
	rig_fire("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "rest: A/1+");
	rig_pass(1 * M);
	rig_fire("alertname=A,instance=2,team=x");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_reload(ROUTES("rest", ""));
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "rest: A/1+ A/2+");
	rig_reload(with);
	rig_pass(1 * M);
	/* by the order of the groups: the old one goes on, or a new one is opened */
	moved = strcmp(rig_told(), "") != 0;
	rig_resolve("alertname=A,instance=2,team=x");
	rig_pass(1 * M);
	ck_assert_ptr_nonnull(strstr(rig_told(), moved ? "ops: close 2" : "ops: close 1"));
}
END_TEST

START_TEST(a_member_that_was_not_told_of_is_opened)
{
	rig_start(ROUTES("rest", "{matchers: [alertname=A], receiver: ops, continue: true}, "
				 "{matchers: [team=x], receiver: ops, group_wait: 1h}"));
	rig_fire("alertname=A,team=x");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_reload(ROUTES("rest", "{matchers: [team=x], receiver: ops, group_wait: 1h}"));
	rig_pass(2 * H);
	ck_assert_str_eq(rig_told(), "ops: close 1\nops: open 2");
	rig_resolve("alertname=A,team=x");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 2");
}
END_TEST

START_TEST(a_fallback_is_told_the_end_under_the_old_name)
{
	rig_start(ROUTES("rest", ROUTE("alertname=A", "w")));
	rig_refuse("w");
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_told(), "ops: open 1\nw: A+");
	rig_reload(ROUTES("rest", ROUTE("alertname=~A|B", "w")));
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1\nw: A-");
}
END_TEST

START_TEST(a_row_that_is_cut_off_names_no_other_incident)
{
	rig_start(ROUTES("rest", ROUTE("alertname=A", "ops")));
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_restart_after("UPDATE notify_group SET sent = substr(sent, 1, length(sent) - 4)");
	rig_resolve("alertname=A");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1");
}
END_TEST

START_TEST(a_row_of_unknown_integrations_names_no_other_incident)
{
	rig_start(ROUTES("rest", ROUTE("alertname=A", "ops")));
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_restart_after("UPDATE notify_group SET told = '4711/0'");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: open 1");
	rig_resolve("alertname=A");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "ops: close 1");
}
END_TEST

/* An alert that began in the same millisecond is never taken for the one that is meant. */
START_TEST(links_of_each_configuration_acknowledge_their_own_incident)
{
	char second[sizeof rig_group];
	struct err e;

	rig_start(ROUTES("ops", ROUTE("alertname=~A|B", "rest")));
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=B");
	ck_assert_str_eq(rig_told(), "rest: A/1+\nrest: B+");
	rig_reload(ROUTES("ops", ROUTE("alertname=~A|B|C", "rest")));
	rig_fire("alertname=A,instance=2");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "rest: A/1+ A/2+");
	memcpy(second, rig_group, sizeof second);
	ck_assert_ptr_nonnull(strstr(second, "\"A\"}"));
	rig_reload(ROUTES("ops", ROUTE("alertname=~A|B|C|D", "rest")));
	ck_assert_msg(notify_ack(rig_notify(), str_c(second), RIG_T0, STR("ann"), STR(""), &e) == 0,
		"%s", e.msg);
	rig_resolve("alertname=B");
	ck_assert_str_eq(rig_told(), "rest: B-");
	*(strstr(second, "\"A\"}") + 1) = 'B';
	ck_assert_int_ne(
		notify_ack(rig_notify(), str_c(second), RIG_T0, STR("ann"), STR(""), &e), 0);
	ck_assert_int_eq(e.code, 404);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {an_orphan_closes_nothing_that_goes_on,
		an_orphan_closes_its_incident_with_the_last_alert,
		a_reverted_change_of_receiver_goes_on_with_the_incident,
		a_reverted_rename_that_splits_leaves_the_incident_with_its_namesake,
		a_route_that_comes_back_leaves_a_page_open, a_member_that_was_not_told_of_is_opened,
		a_fallback_is_told_the_end_under_the_old_name,
		a_row_that_is_cut_off_names_no_other_incident,
		a_row_of_unknown_integrations_names_no_other_incident,
		links_of_each_configuration_acknowledge_their_own_incident};
	Suite *s = suite_create("dispatch incidents");
	TCase *tc = tcase_create("dispatch incidents");

	tcase_add_checked_fixture(tc, rig_init, rig_fini);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
