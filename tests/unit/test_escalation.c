/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told in another's place, who next, and what an acknowledgement stops. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exporters/ack.h"
#include "exporters/notify_api.h"
#include "tests/lib/delivery_rig.h"
#include "tests/lib/suite.h"

static struct escalation_step steps[1];

/* --- fallback --- */

START_TEST(what_is_refused_goes_to_the_fallback_with_a_note)
{
	struct delivery_rig r;

	delivery_receivers[0].fallback = STR("b");
	delivery_receivers[1].fallback = STR("a"); /* each other's: nothing goes round */
	delivery_start(&r);
	delivery_plan(0, "a", 404, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 2 * SECOND, 500);
	ck_assert_uint_eq(delivery_count("a", 404, NULL), 1);
	ck_assert_uint_eq(
		delivery_count("b", 200, "first tried: a/webhook, refused by the receiver"), 1);
	delivery_plan(1, "b", 410, 0);
	delivery_say(&r, "A", "one", "a", false);
	delivery_pass(&r, 2 * MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 404, NULL), 2);
	ck_assert_uint_eq(delivery_count("b", 410, "\"status\":\"resolved\""), 1);
}
END_TEST

START_TEST(a_fallback_is_told_after_a_restart_too)
{
	struct delivery_rig r;

	delivery_receivers[0].fallback = STR("b");
	delivery_config.expiry_ms = MINUTE;
	delivery_start(&r);
	delivery_plan(0, "a", 500, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 10 * SECOND, SECOND);
	delivery_stop(&r);
	delivery_start(&r);
	delivery_pass(&r, 2 * MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("b", 200, "first tried: a/webhook, expired"), 1);
	ck_assert_uint_eq(delivery_count("b", 200, "\"instance\":\"one\""), 1);
}
END_TEST

/* --- escalation and acknowledgement --- */

static void escalating(void)
{
	steps[0] = (struct escalation_step){
		.to = STR("b"), .not_delivered_ms = 2 * MINUTE, .not_acknowledged_ms = 10 * MINUTE};
	delivery_receivers[0].escalate = steps;
	delivery_receivers[0].n_escalate = 1;
}

START_TEST(nobody_reached_is_escalated_once_and_told_the_end)
{
	struct delivery_rig r;

	escalating();
	delivery_start(&r);
	delivery_plan(0, "a", 500, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 119 * SECOND, 7 * SECOND);
	ck_assert_uint_eq(delivery_count("b", 0, NULL), 0);
	delivery_pass(&r, 3 * SECOND, SECOND);
	ck_assert_uint_eq(
		delivery_count("b", 200, "escalated from a: not delivered for 2m 0s (answered 500"),
		1);
	delivery_pass(&r, 15 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(delivery_count("b", 200, NULL), 1);
	delivery_say(&r, "A", "one", "a", false);
	delivery_pass(&r, 2 * SECOND, SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("b", 200, "\"status\":\"resolved\",\"notification"), 1);
}
END_TEST

START_TEST(nobody_acknowledging_is_escalated_across_a_restart)
{
	struct delivery_rig r;

	escalating();
	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 5 * MINUTE, 20 * SECOND);
	delivery_stop(&r);
	delivery_start(&r);
	delivery_pass(&r, 290 * SECOND, 20 * SECOND);
	ck_assert_uint_eq(delivery_count("b", 0, NULL), 0);
	delivery_pass(&r, 20 * SECOND, SECOND);
	ck_assert_uint_eq(
		delivery_count("b", 200, "escalated from a: not acknowledged for 10m"), 1);
	delivery_stop(&r);
	delivery_start(&r);
	delivery_pass(&r, 20 * MINUTE, 20 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("b", 200, NULL), 1);
}
END_TEST

START_TEST(a_silenced_incident_is_not_escalated_until_the_silence_ends)
{
	struct silence_matcher m = {.name = STR("alertname"), .value = STR("A"), .is_equal = true};
	struct silence_view s = {.matchers = &m,
		.n_matchers = 1,
		.ends_at_ms = delivery_now_ms + 60 * MINUTE,
		.created_by = STR("ann"),
		.comment = STR("")};
	char id[37] = "";
	struct delivery_rig r;
	struct err e;

	escalating();
	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	ck_assert_msg(notify_silence_put(r.notify, &s, id, &e) == 0, "%s", e.msg);
	delivery_pass(&r, 15 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(delivery_count("b", 0, NULL), 0);
	ck_assert_int_eq(notify_silence_expire(r.notify, str_c(id), &e), 0);
	delivery_pass(&r, 30 * SECOND, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("b", 200, "escalated from a: not acknowledged"), 1);
}
END_TEST

static struct str key_of(struct delivery_rig *r, struct arena *a)
{
	struct str at = str_c(delivery_last("a")->body), key;
	size_t from = 0;

	(void)r;
	while (!str_starts(str_sub(at, from, at.n), STR("\"groupKey\":\"")))
		from++;
	key = str_sub(at, from + 12, at.n);
	key = str_sub(key, 0, str_find(key, ','));
	key = str_sub(key, 0, key.n - 1);
	/* JSON's backslashes before quotes */
	char *p = ARENA_ARRAY(a, key.n, char);
	size_t n = 0;

	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] != '\\')
			p[n++] = key.p[i];
	}
	return str_n(p, n);
}

START_TEST(an_acknowledged_incident_is_quiet_until_an_alert_joins_it)
{
	struct delivery_rig r;
	struct arena a;
	struct ack_view *v;
	struct str key;
	struct err e;
	size_t n;

	arena_init(&a, 1 << 20);
	escalating();
	delivery_config.root.repeat_interval_ms = 3 * MINUTE;
	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	key = key_of(&r, &a);
	ck_assert_msg(notify_ack(r.notify, key, 0, STR("ann"), STR("on it"), &e) == 0, "%s", e.msg);
	delivery_pass(&r, 2 * MINUTE, 20 * SECOND);
	delivery_stop(&r);
	delivery_start(&r); /* it holds */
	ck_assert_int_eq(notify_acks(r.notify, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(v[0].who, STR("ann")));
	delivery_pass(&r, 20 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(delivery_n_taken, 1);
	delivery_say(&r, "A", "two", "a", true);
	delivery_pass(&r, 2 * SECOND, SECOND);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 2);
	delivery_pass(&r, 11 * MINUTE, 20 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_ge(delivery_count("a", 200, "repeat interval elapsed"), 3);
	ck_assert_uint_eq(delivery_count("b", 200, "not acknowledged for 10m"), 1);
	arena_fini(&a);
}
END_TEST

START_TEST(who_acknowledges_may_call_himself_anything)
{
	static const char nul[] = "an\0n \r\n\x1b[1m\xff";
	struct delivery_rig r;
	struct arena a;
	struct ack_view *v;
	struct str key;
	struct err e;
	size_t n;

	arena_init(&a, 1 << 20);
	escalating();
	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	key = key_of(&r, &a);
	ck_assert_int_eq(notify_ack(r.notify, key, 0, str_n(nul, sizeof nul), STR("\0\n"), &e), 0);
	ck_assert_int_eq(notify_acks(r.notify, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(v[0].who, STR("an n [1m\xef\xbf\xbd")));
	ck_assert_int_eq(notify_ack(r.notify, key, 0, STR("\0"), STR(""), &e), 0);
	delivery_stop(&r);
	delivery_start(&r);
	ck_assert_int_eq(notify_acks(r.notify, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	delivery_stop(&r);
	arena_fini(&a);
}
END_TEST

START_TEST(an_acknowledgement_is_taken_back_and_ends_with_its_incident)
{
	struct delivery_rig r;
	struct arena a;
	struct str key;
	struct err e;

	arena_init(&a, 1 << 20);
	escalating();
	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	key = key_of(&r, &a);
	ck_assert_int_eq(notify_ack(r.notify, key, 0, STR("ann"), STR(""), &e), 0);
	ck_assert_int_eq(notify_unack(r.notify, key, 0, STR("bob"), &e), 0);
	delivery_pass(&r, 11 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(delivery_count("b", 200, NULL), 1);
	ck_assert_int_eq(notify_ack(r.notify, key, 1, STR("ann"), STR(""), &e), -1); /* another */
	ck_assert_int_eq(e.kind, ERR_INPUT);
	ck_assert_int_eq(e.code, 404);
	delivery_say(&r, "A", "one", "a", false);
	ck_assert_int_eq(notify_ack(r.notify, key, 0, STR("ann"), STR(""), &e), -1);
	ck_assert_int_eq(notify_ack_alert(r.notify, 17, STR("ann"), STR(""), NULL, &e), -1);
	delivery_stop(&r);
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("escalation");
	TCase *t = tcase_create("escalation");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, delivery_setup, delivery_teardown);
	tcase_add_test(t, what_is_refused_goes_to_the_fallback_with_a_note);
	tcase_add_test(t, a_fallback_is_told_after_a_restart_too);
	tcase_add_test(t, nobody_reached_is_escalated_once_and_told_the_end);
	tcase_add_test(t, nobody_acknowledging_is_escalated_across_a_restart);
	tcase_add_test(t, a_silenced_incident_is_not_escalated_until_the_silence_ends);
	tcase_add_test(t, an_acknowledged_incident_is_quiet_until_an_alert_joins_it);
	tcase_add_test(t, who_acknowledges_may_call_himself_anything);
	tcase_add_test(t, an_acknowledgement_is_taken_back_and_ends_with_its_incident);
	suite_add_tcase(s, t);
	return suite_run(s);
}
