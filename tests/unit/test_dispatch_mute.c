/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time intervals on routes: a muted group tells nothing and keeps its sent log; when the mute ends
 * it is told at once what is to be told.
 */
#include <check.h>
#include <stdlib.h>

#include "base/num.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

#define CONFIG(keys)                                                                               \
	"statsd: {listen: []}\n"                                                                   \
	"receivers: [" RIG_WEBHOOK("w") ", " RIG_WEBHOOK(                                          \
		"db") "]\n"                                                                        \
		      "route: {receiver: w, group_by: [alertname], group_wait: 10s, "              \
		      "group_interval: 1m, "                                                       \
		      "repeat_interval: 4h, routes: [{matchers: [team=db], receiver: db, " keys    \
		      "}]}\n"                                                                      \
		      "time_intervals:\n"                                                          \
		      "- name: night\n"                                                            \
		      "  time_intervals: [{times: [{start_time: '01:00', end_time: '03:00'}]}]\n"  \
		      "- name: hours\n"                                                            \
		      "  time_intervals: [{times: [{start_time: '01:00', end_time: '03:00'}], "    \
		      "location: UTC}]\n"

static const char night[] = CONFIG("mute_time_intervals: [night]");
static const char hours[] = CONFIG("active_time_intervals: [hours]");

static size_t muted_by(void)
{
	struct alert_query q = {.active = true, .silenced = true, .inhibited = true, .muted = true};
	struct group_view *v;
	struct arena a;
	struct err e;
	size_t n, found;

	arena_init(&a, 1u << 20);
	ck_assert_int_eq(notify_groups(rig_notify(), &q, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(v[0].n_alerts, 1);
	found = v[0].alerts[0].n_muted_by;
	arena_fini(&a);
	return found;
}

START_TEST(a_muted_group_tells_nothing_and_everything_at_its_end)
{
	rig_start(night);
	rig_pass(1 * H);
	rig_fire("alertname=A,team=db");
	rig_fire("alertname=A,team=web");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_restart(NULL);
	rig_pass(1 * H - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "db: A+");
}
END_TEST

START_TEST(a_mute_is_shown)
{
	rig_start(night);
	rig_fire("alertname=A,team=db");
	ck_assert_uint_eq(muted_by(), 0);
	rig_pass(1 * H);
	ck_assert_uint_eq(muted_by(), 1);
	rig_pass(2 * H);
	ck_assert_uint_eq(muted_by(), 0);
}
END_TEST

START_TEST(the_end_of_what_was_told_comes_after_the_mute)
{
	rig_start(night);
	rig_fire("alertname=A,team=db");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "db: A+");
	rig_pass(1 * H);
	rig_resolve("alertname=A,team=db");
	rig_fire("alertname=B,team=db");
	rig_resolve("alertname=B,team=db"); /* never told: nothing to end */
	rig_pass(1 * H);
	rig_restart(NULL);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "db: A-");
	rig_pass(24 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(what_ended_and_began_again_under_the_mute_is_no_news)
{
	rig_start(night);
	rig_fire("alertname=A,team=db");
	rig_pass(10 * S);
	(void)rig_told();
	rig_pass(1 * H);
	rig_resolve("alertname=A,team=db");
	rig_pass(10 * M);
	rig_fire("alertname=A,team=db");
	rig_pass(2 * H);
	ck_assert_str_eq(rig_told(), "");
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "db: A-");
}
END_TEST

START_TEST(outside_of_its_active_intervals_a_route_is_mute)
{
	rig_start(hours);
	rig_fire("alertname=A,team=db");
	rig_pass(1 * H - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "db: A+");
	rig_pass(3 * H);
	rig_resolve("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "");
	rig_pass(20 * H); /* 00:00: the next day's interval begins at 01:00 */
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "db: A-");
}
END_TEST

START_TEST(a_mute_that_a_reload_takes_away_ends)
{
	rig_start(night);
	rig_pass(1 * H);
	rig_fire("alertname=A,team=db");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_reload(CONFIG("group_wait: 10s"));
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "db: A+");
}
END_TEST

START_TEST(a_clock_that_jumps_over_the_mute_is_followed)
{
	rig_start(night);
	rig_pass(1 * H);
	rig_fire("alertname=A,team=db");
	ck_assert_str_eq(rig_told(), "");
	rig_pass(40 * H); /* 17:00 the next day */
	ck_assert_str_eq(rig_told(), "db: A+");
}
END_TEST

int main(void)
{
	const TTest *const all[] = {a_muted_group_tells_nothing_and_everything_at_its_end,
		a_mute_is_shown, the_end_of_what_was_told_comes_after_the_mute,
		what_ended_and_began_again_under_the_mute_is_no_news,
		outside_of_its_active_intervals_a_route_is_mute,
		a_mute_that_a_reload_takes_away_ends, a_clock_that_jumps_over_the_mute_is_followed};
	Suite *s = suite_create("dispatch mutes");
	TCase *tc = tcase_create("dispatch mutes");

	tcase_add_checked_fixture(tc, rig_init, rig_fini);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
