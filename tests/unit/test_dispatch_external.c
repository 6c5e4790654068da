/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts from outside (D1-D3): merged, timed out, kept through a restart; and what the API shows of
 * alerts and groups.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/regex.h"
#include "exporters/notify_internal.h"
#include "tests/lib/dispatch_rig.h"
#include "tests/lib/suite.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

static const char plain[] = "statsd: {listen: []}\n"
			    "web: {external_url: 'http://belfry.example.org'}\n"
			    "receivers: [" RIG_WEBHOOK("w") ", " RIG_WEBHOOK(
				    "db") "]\n"
					  "route: {receiver: w, group_by: [alertname], group_wait: "
					  "10s, group_interval: 1m, "
					  "repeat_interval: 4h, routes: [{matchers: [team=db], "
					  "receiver: db, labels: {a: b}}]}\n";

static struct arena arena;

static const struct alert_query everything = {
	.active = true, .silenced = true, .inhibited = true, .muted = true};

static struct alert_view *alerts(const struct alert_query *q, size_t *n)
{
	struct alert_view *v;
	struct err e;

	arena_fini(&arena);
	arena_init(&arena, 4u << 20);
	ck_assert_msg(notify_alerts(rig_notify(), q, &arena, &v, n, &e) == 0, "%s", e.msg);
	return v;
}

static struct alert_view only(void)
{
	size_t n;
	struct alert_view *v = alerts(&everything, &n);

	ck_assert_uint_eq(n, 1);
	return v[0];
}

static void begin(void)
{
	rig_init();
	arena_init(&arena, 4u << 20);
}

static void end(void)
{
	arena_fini(&arena);
	rig_fini();
}

START_TEST(one_without_an_end_times_out)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", 0, 0), "");
	ck_assert_int_eq(only().ends_at_ms, RIG_T0 + 5 * M);
	ck_assert_int_eq(only().starts_at_ms, RIG_T0);
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_pass(4 * M);
	ck_assert_str_eq(rig_post("alertname=A", 0, 0), "");
	rig_pass(5 * M - 1);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1);
	ck_assert_str_eq(rig_told(), "w: A-");
}
END_TEST

START_TEST(one_with_an_end_fires_until_then)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", -1 * M, 4 * M), "");
	ck_assert_str_eq(rig_told(), "w: A+"); /* began long ago: at once */
	rig_pass(1 * M);
	ck_assert_str_eq(rig_post("alertname=A", -2 * M, 4 * M), "");
	rig_pass(3 * M + 30 * S);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(30 * S);
	ck_assert_str_eq(rig_told(), "w: A-");
}
END_TEST

START_TEST(the_senders_word_that_it_is_over_counts)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", 0, 4 * M), "");
	rig_pass(10 * S);
	(void)rig_told();
	ck_assert_str_eq(rig_post("alertname=A", -10 * S, -1 * S), "");
	ck_assert_str_eq(rig_told(), "w: A-");
	ck_assert_str_eq(rig_post("alertname=A", -10 * S, -1 * S), ""); /* senders repeat it */
	ck_assert_str_eq(rig_post("alertname=Unknown", -10 * S, -1 * S), "");
	rig_pass(1 * H);
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(the_earliest_start_and_a_known_end_are_kept)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", -1 * S, 1 * H), "");
	rig_pass(1 * S);
	ck_assert_str_eq(rig_post("alertname=A", 0, 0), ""); /* times out earlier: does not */
	ck_assert_int_eq(only().starts_at_ms, RIG_T0 - 1 * S);
	ck_assert_int_eq(only().ends_at_ms, RIG_T0 + 1 * H);
	ck_assert_str_eq(rig_post("alertname=A", -1 * M, 0), "");
	ck_assert_int_eq(only().starts_at_ms, RIG_T0 + 1 * S - 1 * M);
}
END_TEST

START_TEST(firing_ones_survive_a_restart)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", -1 * S, 4 * M), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_restart(NULL);
	ck_assert(only().external);
	ck_assert(only().firing);
	ck_assert_int_eq(only().starts_at_ms, RIG_T0 - 1 * S);
	ck_assert_str_eq(only().generator_url.p, "http://prometheus/graph");
	ck_assert_str_eq(rig_told(), "");
}
END_TEST

START_TEST(after_an_outage_they_are_held_as_long_as_their_word_was_good)
{
	rig_start(plain);
	ck_assert_str_eq(rig_post("alertname=A", 0, 4 * M), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_restart(NULL);
	rig_pass(3 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_restart(NULL); /* and again: the hold begins anew */
	rig_pass(3 * M);
	ck_assert_str_eq(rig_told(), "");
	ck_assert_str_eq(rig_post("alertname=A", -1 * M, 4 * M), "");
	rig_pass(4 * M);
	ck_assert_str_eq(rig_told(), "w: A-");
}
END_TEST

START_TEST(wrong_ones_are_refused_and_the_others_stored)
{
	struct label name[] = {{STR("alertname"), STR("A")}},
		     twice[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
	struct label empty[] = {{STR("alertname"), STR("")}}, bad[] = {{STR("a"), STR("\xff")}};
	struct external_alert v[] = {{.labels = {empty, 1}}, {.labels = {name, 1}},
		{.labels = {bad, 1}}, {.labels = {twice, 2}},
		{.labels = {name, 1}, .starts_at_ms = 10, .ends_at_ms = 5},
		{.labels = {name, 1}, .annotations = {bad, 1}}};
	struct err e;

	rig_start(plain);
	ck_assert_int_ne(notify_post_alerts(rig_notify(), v, ARRAY_LEN(v), &e), 0);
	ck_assert_int_eq(e.kind, ERR_INPUT);
	ck_assert_int_eq(e.code, 400);
	ck_assert_ptr_nonnull(strstr(e.msg, "at least one label pair required"));
	ck_assert_ptr_nonnull(strstr(e.msg, "twice"));
	ck_assert_str_eq(only().rule.p, "");
	ck_assert_int_ne(notify_post_alerts(rig_notify(), v, LIMIT_POST_ALERTS + 1, &e), 0);
}
END_TEST

START_TEST(the_texts_of_all_alerts_have_a_bound)
{
	struct label name[] = {{STR("alertname"), STR("A")}},
		     other[] = {{STR("alertname"), STR("B")}},
		     note[] = {{STR("summary"), STR("longer than it was")}};
	struct external_alert a = {.labels = {name, 1}}, b = {.labels = {other, 1}},
			      longer = {.labels = {name, 1}, .annotations = {note, 1}};
	struct notify *n;
	struct err e;

	rig_start(plain);
	n = rig_notify();
	ck_assert_int_eq(notify_post_alerts(n, &a, 1, &e), 0);
	ck_assert_uint_eq(n->alerts.external_bytes, 10);
	n->alerts.external_bytes += LIMIT_EXTERNAL_BYTES - 10; /* the writer waits for the rig */
	ck_assert_int_ne(notify_post_alerts(n, &b, 1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "bytes of alerts from outside"));
	ck_assert_int_eq(notify_post_alerts(n, &longer, 1, &e), 0); /* it goes on */
	ck_assert_uint_eq(only().annotations.n, 0);
	n->alerts.external_bytes -= LIMIT_EXTERNAL_BYTES - 10;
	ck_assert_int_eq(notify_post_alerts(n, &longer, 1, &e), 0);
	ck_assert_uint_eq(only().annotations.n, 1);
	ck_assert_uint_eq(n->alerts.external_bytes, 10 + 25);
	rig_restart(NULL);
	ck_assert_uint_eq(rig_notify()->alerts.external_bytes, 10 + 25);
	rig_pass(20 * M);
	ck_assert_uint_eq(rig_notify()->alerts.external_bytes, 0);
}
END_TEST

START_TEST(one_of_ours_and_one_from_outside_are_one_alert)
{
	rig_start(plain);
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_post("alertname=A", 0, 4 * M), "");
	rig_pass(10 * S);
	ck_assert_str_eq(rig_told(), "w: A+");
	rig_resolve("alertname=A"); /* others still say that it fires */
	rig_pass(3 * M);
	ck_assert_str_eq(rig_told(), "");
	rig_pass(1 * M);
	ck_assert_str_eq(rig_told(), "w: A-");
	rig_fire("alertname=A");
	ck_assert_str_eq(rig_post("alertname=A", 0, 1 * M), "");
	rig_pass(2 * M);
	ck_assert_str_eq(rig_told(), "w: A+"); /* the rule goes on */
}
END_TEST

START_TEST(alerts_are_shown_with_what_is_asked_for)
{
	struct matcher db;
	struct alert_query q = everything;
	struct alert_view *v;
	struct err e;
	size_t n;

	rig_start(plain);
	rig_fire("alertname=A,team=db");
	rig_fire("alertname=B,team=web");
	ck_assert_str_eq(rig_silence("alertname=B", 0, 1 * H), "");
	v = alerts(&everything, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(v[0].fingerprint < v[1].fingerprint);
	ck_assert_ptr_nonnull(
		strstr(v[0].generator_url.p, "http://belfry.example.org/graph?g0.expr="));
	q.active = false;
	v = alerts(&q, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(v[0].n_silenced_by, 1);
	ck_assert_str_eq(v[0].silenced_by[0].p, rig_id);
	q = everything;
	q.silenced = false;
	v = alerts(&q, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(labels_get(v[0].labels, STR("alertname")).p, "A");
	ck_assert_str_eq(v[0].receivers[0].p, "db");
	q = everything;
	ck_assert_int_eq(matcher_init(&db, MATCH_EQ, STR("team"), STR("web"), &e), 0);
	q.matchers = &db;
	q.n_matchers = 1;
	v = alerts(&q, &n);
	ck_assert_uint_eq(n, 1);
	q = everything;
	q.receiver = regex_new(STR("d.*"), &e);
	v = alerts(&q, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(v[0].receivers[0].p, "db");
	q.max = 1;
	regex_free((struct regex *)(uintptr_t)q.receiver);
	q.receiver = NULL;
	(void)alerts(&q, &n);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(groups_are_shown_sorted_with_labels_of_their_routes)
{
	struct group_view *v;
	struct str *names;
	struct err e;
	size_t n;

	rig_start(plain);
	rig_fire("alertname=B,team=db");
	rig_fire("alertname=A,team=web,instance=1");
	rig_fire("alertname=A,team=web,instance=2");
	ck_assert_int_eq(notify_groups(rig_notify(), &everything, &arena, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(labels_get(v[0].labels, STR("alertname")).p, "A");
	ck_assert_uint_eq(v[0].n_alerts, 2);
	ck_assert_str_eq(v[0].receiver.p, "w");
	ck_assert_str_eq(v[1].receiver.p, "db");
	ck_assert_str_eq(v[1].key.p, "{}/{team=\"db\"}:{alertname=\"B\"}");
	ck_assert_str_eq(labels_get(v[1].route_labels, STR("a")).p, "b");
	ck_assert_int_eq(notify_receivers(rig_notify(), &arena, &names, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(names[1].p, "db");
}
END_TEST

int main(void)
{
	const TTest *const all[] = {one_without_an_end_times_out,
		the_texts_of_all_alerts_have_a_bound, one_with_an_end_fires_until_then,
		the_senders_word_that_it_is_over_counts,
		the_earliest_start_and_a_known_end_are_kept, firing_ones_survive_a_restart,
		after_an_outage_they_are_held_as_long_as_their_word_was_good,
		wrong_ones_are_refused_and_the_others_stored,
		one_of_ours_and_one_from_outside_are_one_alert,
		alerts_are_shown_with_what_is_asked_for,
		groups_are_shown_sorted_with_labels_of_their_routes};
	Suite *s = suite_create("dispatch external alerts");
	TCase *tc = tcase_create("dispatch external alerts");

	tcase_add_checked_fixture(tc, begin, end);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
