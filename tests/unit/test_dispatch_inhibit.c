/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inhibition (D13): sources silence their targets at once, also after a restart, and what still
 * fires when they end is told later.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

#define ROUTE                                                                                      \
	"statsd: {listen: []}\n"                                                                   \
	"receivers: [" RIG_WEBHOOK("w") "]\n"                                                      \
					"route: {receiver: w, group_by: [alertname], group_wait: " \
					"10s, group_interval: 1m, "                                \
					"repeat_interval: 4h}\n"

static const char node[] = ROUTE "inhibit_rules:\n"
				 "- source_matchers: [alertname=NodeDown]\n"
				 "  target_matchers: ['alertname!=NodeDown']\n"
				 "  equal: [instance]\n";
static const char severity[] = ROUTE "inhibit_rules:\n"
				     "- source_match: {severity: critical}\n"
				     "  target_match_re: {severity: 'critical|warning'}\n"
				     "  equal: [cluster]\n";

/* "A/1<0123456789abcdef" and so on: who is inhibited, by whom. */
static const char *inhibited(void)
{
	static char text[4096];
	struct alert_query q = {.inhibited = true, .silenced = true};
	struct alert_view *v;
	struct arena a;
	struct err e;
	size_t n, len = 0;

	arena_init(&a, 1u << 20);
	ck_assert_int_eq(notify_alerts(rig_notify(), &q, &a, &v, &n, &e), 0);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_gt(v[i].n_inhibited_by, 0);
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " " : "",
			labels_get(v[i].labels, STR("alertname")).p);
	}
	arena_fini(&a);
	return text;
}

START_TEST(a_target_is_not_told_while_its_source_fires)
{
	rig_start(node);
	rig_fire("alertname=NodeDown,instance=1");
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=A,instance=2");
	ck_assert_str_eq(inhibited(), "A");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/2+\nw: NodeDown/1+");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(a_source_that_comes_within_the_group_wait_is_in_time)
{
	rig_start(node);
	rig_fire("alertname=A,instance=1");
	rig_pass(5 * S);
	rig_fire("alertname=NodeDown,instance=1");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
}
END_TEST

START_TEST(what_fires_on_after_the_source_is_told_a_group_interval_later)
{
	rig_start(node);
	rig_fire("alertname=NodeDown,instance=1");
	rig_fire("alertname=A,instance=1");
	rig_fire("alertname=B,instance=1");
	rig_pass(10 * M);
	(void)rig_told();
	rig_resolve("alertname=NodeDown,instance=1");
	ck_assert_str_eq(rig_told(), "w: NodeDown/1-");
	rig_pass(30 * S);
	rig_resolve("alertname=B,instance=1"); /* went with it: nobody hears of it */
	ck_assert_str_eq(rig_told(), "");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
}
END_TEST

START_TEST(no_inhibited_alert_pages_after_a_restart)
{
	rig_start(node);
	rig_fire("alertname=NodeDown,instance=1");
	rig_fire("alertname=A,instance=1");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
	for (int i = 0; i < 3; i++) {
		rig_restart(NULL);
		ck_assert_ptr_nonnull(strchr(inhibited(), 'A'));
		rig_fire("alertname=A,instance=1"); /* the target's rule is evaluated first */
		rig_fire("alertname=B,instance=1");
		rig_pass(1 * H);
		ck_assert_str_eq(rig_told(), "");
	}
}
END_TEST

START_TEST(a_source_from_outside_holds_through_a_restart)
{
	rig_start(node);
	ck_assert_str_eq(rig_post("alertname=NodeDown,instance=1", 0, 4 * M), "");
	ck_assert_str_eq(rig_post("alertname=A,instance=1", -1 * H, 4 * M), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
	rig_pass(1 * M);
	rig_restart(NULL);
	ck_assert_str_eq(rig_post("alertname=A,instance=1", -1 * H, 4 * M), "");
	rig_pass(2 * M);
	ck_assert_str_eq(rig_told(), "");
	ck_assert_str_eq(inhibited(), "A");
}
END_TEST

START_TEST(an_old_target_waits_for_its_source)
{
	rig_start(node);
	ck_assert_str_eq(rig_post("alertname=A,instance=1", -1 * H, 4 * M), "");
	ck_assert_str_eq(rig_told(), ""); /* not at once, as others that began long ago */
	ck_assert_str_eq(rig_post("alertname=NodeDown,instance=1", -1 * H, 4 * M), "");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
}
END_TEST

START_TEST(an_alert_on_both_sides_does_not_inhibit_itself)
{
	rig_start(severity);
	rig_fire("alertname=A,severity=critical,cluster=x");
	rig_fire("alertname=B,severity=critical,cluster=x");
	rig_fire("alertname=C,severity=warning,cluster=x");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+\nw: B+");
	ck_assert_str_eq(inhibited(), "C");
}
END_TEST

START_TEST(missing_labels_are_equal_to_empty_ones)
{
	rig_start(severity);
	rig_fire("alertname=A,severity=critical");
	rig_fire("alertname=B,severity=warning");
	rig_fire("alertname=C,severity=warning,cluster=x");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+\nw: C+");
}
END_TEST

START_TEST(one_of_two_sources_suffices)
{
	rig_start(severity);
	rig_fire("alertname=A,severity=critical,cluster=x");
	rig_fire("alertname=B,severity=critical,cluster=x");
	rig_fire("alertname=C,severity=warning,cluster=x");
	rig_pass(10 * S);
	(void)rig_told();
	rig_resolve("alertname=A,severity=critical,cluster=x");
	rig_pass(5 * M);
	ck_assert_str_eq(rig_told(), "w: A-");
	rig_resolve("alertname=B,severity=critical,cluster=x");
	rig_pass(5 * M);
	ck_assert_str_eq(rig_told(), "w: B-\nw: C+");
}
END_TEST

START_TEST(a_silenced_source_still_inhibits)
{
	rig_start(severity);
	ck_assert_str_eq(rig_silence("severity=critical", 0, 1 * H), "");
	rig_fire("alertname=A,severity=critical,cluster=x");
	rig_fire("alertname=C,severity=warning,cluster=x");
	rig_pass(30 * M);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(the_end_of_a_target_told_before_is_told)
{
	rig_start(node);
	rig_fire("alertname=A,instance=1");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A/1+");
	rig_fire("alertname=NodeDown,instance=1");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
	rig_resolve("alertname=A,instance=1");
	ck_assert_str_eq(rig_told(), "w: A/1-");
}
END_TEST

START_TEST(a_reload_brings_other_rules_into_force)
{
	rig_start(ROUTE);
	rig_fire("alertname=NodeDown,instance=1");
	rig_fire("alertname=A,instance=1");
	rig_reload(node);
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: NodeDown/1+");
	rig_reload(ROUTE);
	ck_assert_str_eq(inhibited(), "");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A/1+");
}
END_TEST

START_TEST(many_sources_and_targets_keep_their_counts)
{
	char labels[64];

	rig_start(node);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(labels, sizeof labels, "alertname=%s,instance=%d,n=%d",
			i % 2 == 0 ? "NodeDown" : "A", i % 5, i);
		rig_fire(labels);
	}
	rig_pass(10 * S);
	(void)rig_told();
	for (int i = 0; i < 60; i += 2) {
		(void)snprintf(
			labels, sizeof labels, "alertname=NodeDown,instance=%d,n=%d", i % 5, i);
		rig_resolve(labels);
	}
	ck_assert_str_eq(inhibited(), "");
	rig_restart(NULL);
	ck_assert_str_eq(inhibited(), "");
}
END_TEST

int main(void)
{
	const TTest *const all[] = {a_target_is_not_told_while_its_source_fires,
		a_source_that_comes_within_the_group_wait_is_in_time,
		what_fires_on_after_the_source_is_told_a_group_interval_later,
		no_inhibited_alert_pages_after_a_restart,
		a_source_from_outside_holds_through_a_restart, an_old_target_waits_for_its_source,
		an_alert_on_both_sides_does_not_inhibit_itself,
		missing_labels_are_equal_to_empty_ones, one_of_two_sources_suffices,
		a_silenced_source_still_inhibits, the_end_of_a_target_told_before_is_told,
		a_reload_brings_other_rules_into_force, many_sources_and_targets_keep_their_counts};
	Suite *s = suite_create("dispatch inhibition");
	TCase *tc = tcase_create("dispatch inhibition");

	tcase_add_checked_fixture(tc, rig_init, rig_fini);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
