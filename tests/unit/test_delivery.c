/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery under an injected clock: pace, backoff, coalescing, graphs. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "exporters/notify_internal.h"
#include "exporters/outbox_internal.h"
#include "tests/lib/delivery_rig.h"
#include "tests/lib/suite.h"

/* --- pace and backoff --- */

START_TEST(two_receivers_at_one_webhook_share_its_pace)
{
	struct delivery_rig r;

	delivery_start(&r);
	for (int i = 0; i < 3; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "A%d", i);
		delivery_say(&r, name, "i", "c", true);
		delivery_say(&r, name, "i", "d", true);
	}
	delivery_pass(&r, 8 * SECOND, 250);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 6);
	for (size_t i = 1; i < delivery_n_taken; i++)
		ck_assert_int_ge(delivery_taken[i].at_ms - delivery_taken[i - 1].at_ms, 1000);
}
END_TEST

START_TEST(retry_after_closes_the_webhook_for_all_and_nobody_else)
{
	struct delivery_rig r;
	int64_t refused;

	delivery_start(&r);
	delivery_plan(0, "c", 429, 30 * SECOND);
	delivery_say(&r, "A", "i", "c", true);
	refused = delivery_last("c")->at_ms;
	delivery_plan(0, "c", 200, 0);
	delivery_say(&r, "B", "i", "d", true);
	delivery_say(&r, "C", "i", "a", true);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 1);
	delivery_pass(&r, 29 * SECOND, SECOND);
	ck_assert_uint_eq(delivery_count("c", 0, NULL), 1);
	delivery_pass(&r, 4 * SECOND, 250);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, "FIRING A"), 1);
	ck_assert_uint_eq(delivery_count("c", 200, "FIRING B"), 1);
	ck_assert_int_ge(delivery_taken[2].at_ms, refused + 30 * SECOND);
	ck_assert_int_le(delivery_taken[2].at_ms, refused + 31 * SECOND);
}
END_TEST

START_TEST(an_outage_of_ten_minutes_takes_few_attempts_and_ends_within_a_minute)
{
	struct delivery_rig r;
	size_t attempts;

	delivery_start(&r);
	delivery_plan(0, "a", 503, 0);
	delivery_say(&r, "A", "i", "a", true);
	delivery_pass(&r, 10 * MINUTE, 1500);
	attempts = delivery_n_taken;
	ck_assert_uint_ge(attempts, 12);
	ck_assert_uint_le(attempts, 25);
	for (size_t i = 1; i < attempts; i++) {
		ck_assert_int_le(
			delivery_taken[i].at_ms - delivery_taken[i - 1].at_ms, MINUTE + 1500);
		ck_assert_str_eq(delivery_taken[i].id, delivery_taken[0].id);
	}
	delivery_plan(0, "a", 200, 0);
	delivery_pass(&r, MINUTE, 1500);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 1);
}
END_TEST

START_TEST(a_message_the_receiver_chokes_on_holds_up_nobody)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_plan(0, "a", 500, 0);
	delivery_say(&r, "Bad", "i", "a", true);
	delivery_say(&r, "Good", "i", "a", true);
	/* the test's receiver answers by place, so the first stays refused until the second is in
	 */
	delivery_pass(&r, 300, 100);
	ck_assert_uint_ge(delivery_count("a", 500, "\"Bad\""), 1);
	delivery_plan(0, "a", 200, 0);
	delivery_pass(&r, 2 * SECOND, 100);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 200, "\"Good\""), 1);
}
END_TEST

/* --- coalescing --- */

START_TEST(a_full_outbox_shuts_only_those_out_that_filled_it)
{
	struct delivery_rig r;
	struct dest *dead;
	size_t rows;

	delivery_start(&r);
	delivery_plan(0, "a", 503, 0);
	delivery_say(&r, "A", "i", "a", true);
	r.notify->n_rows += LIMIT_OUTBOX_ROWS; /* the state writer waits for the rig's clock */
	delivery_say(&r, "B", "i", "b", true);
	ck_assert_uint_eq(delivery_count("b", 200, NULL), 1);
	rows = r.notify->n_rows;
	dead = outbox_dest(r.notify, STR("a"), INT_WEBHOOK, 0);
	dead->waiting += LIMIT_OUTBOX_SHARE;
	delivery_say(&r, "A2", "i", "a", true);
	ck_assert_uint_eq(r.notify->n_rows, rows);
	dead->waiting -= LIMIT_OUTBOX_SHARE;
	r.notify->n_rows -= LIMIT_OUTBOX_ROWS;
	delivery_stop(&r);
}
END_TEST

START_TEST(what_waits_is_replaced_by_the_newer_state)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_plan(0, "c", 500, 0);
	delivery_say(&r, "A", "one", "c", true);
	delivery_say(&r, "A", "two", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_say(&r, "A", "three", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(&r, MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 1);
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "instance=one"));
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "instance=two"));
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "instance=three"));
}
END_TEST

START_TEST(an_end_that_waits_is_told_by_what_replaces_it)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_say(&r, "A", "one", "c", true);
	delivery_say(&r, "A", "two", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 2);
	delivery_plan(0, "c", 500, 0);
	delivery_say(&r, "A", "one", "c", false);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_say(&r, "A", "three", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(&r, MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 3);
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "2 firing, 1 resolved"));
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "instance=one"));
}
END_TEST

START_TEST(an_end_is_not_swallowed_by_a_new_beginning)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_say(&r, "A", "one", "c", true);
	delivery_say(&r, "A", "two", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_plan(0, "c", 500, 0);
	delivery_say(&r, "A", "one", "c", false);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_say(&r, "A", "one", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(&r, 2 * MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 4);
	ck_assert_uint_eq(delivery_count("c", 200, "1 firing, 1 resolved"), 1);
}
END_TEST

START_TEST(flapping_alerts_do_not_fill_the_outbox_of_a_dead_receiver)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_say(&r, "A", "one", "c", true);
	delivery_say(&r, "A", "two", "c", true);
	delivery_pass(&r, 3 * SECOND, SECOND);
	delivery_plan(0, "c", 500, 0);
	for (int i = 0; i < 10; i++) {
		delivery_say(&r, "A", "one", "c", false);
		delivery_pass(&r, 3 * SECOND, SECOND);
		delivery_say(&r, "A", "one", "c", true);
		delivery_pass(&r, 3 * SECOND, SECOND);
	}
	ck_assert_uint_le(r.notify->n_rows, 3);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(&r, 2 * MINUTE, 5 * SECOND);
	ck_assert_uint_eq(r.notify->n_rows, 0);
	delivery_stop(&r);
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "instance=one"));
	ck_assert_ptr_null(strstr(delivery_last("c")->body, "resolved"));
}
END_TEST

START_TEST(what_is_over_before_it_could_be_told_is_told_once)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_plan(0, "c", 500, 0);
	delivery_say(&r, "A", "one", "c", true);
	delivery_pass(&r, 40 * SECOND, SECOND);
	delivery_say(&r, "A", "one", "c", false);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(&r, MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 1);
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body, "RESOLVED"));
	ck_assert_ptr_nonnull(strstr(delivery_last("c")->body,
		"it began at 22:13:20 UTC, which could not be told in time"));
}
END_TEST

START_TEST(a_receiver_that_pairs_beginnings_and_ends_gets_both)
{
	struct delivery_rig r;

	delivery_start(&r);
	delivery_plan(0, "a", 500, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 40 * SECOND, SECOND);
	delivery_say(&r, "A", "one", "a", false);
	delivery_plan(0, "a", 200, 0);
	delivery_pass(&r, MINUTE, 5 * SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 200, "\"status\":\"firing\",\"notification"), 1);
	ck_assert_uint_eq(delivery_count("a", 200, "\"status\":\"resolved\",\"notification"), 1);
}
END_TEST

/* --- graphs --- */

START_TEST(a_graph_is_waited_for_two_seconds_before_each_attempt)
{
	struct delivery_rig r;

	delivery_with_graphs = true;
	delivery_start(&r);
	delivery_plan(0, "c", 500, 0);
	delivery_say(&r, "A", "one", "c", true);
	ck_assert_uint_eq(delivery_n_asked, 1);
	ck_assert_uint_eq(delivery_n_taken, 0);
	delivery_answer_graph(); /* there is none: at once */
	delivery_settle(&r);
	ck_assert_uint_eq(delivery_n_taken, 1);
	delivery_plan(0, "c", 200, 0);
	delivery_pass(
		&r, 1500, 100); /* the backoff is over: asked for again, the source is silent */
	ck_assert_uint_eq(delivery_n_asked, 2);
	ck_assert_uint_eq(delivery_n_taken, 1);
	delivery_pass(&r, 2 * SECOND, 100);
	ck_assert_uint_eq(delivery_count("c", 200, NULL), 1);
	delivery_answer_graph(); /* too late for anything */
	delivery_settle(&r);
	delivery_say(&r, "B", "one", "a", true); /* a webhook has no place for graphs */
	ck_assert_uint_eq(delivery_n_asked, 2);
	delivery_stop(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery");
	TCase *t = tcase_create("delivery");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, delivery_setup, delivery_teardown);
	tcase_add_test(t, two_receivers_at_one_webhook_share_its_pace);
	tcase_add_test(t, retry_after_closes_the_webhook_for_all_and_nobody_else);
	tcase_add_test(t, an_outage_of_ten_minutes_takes_few_attempts_and_ends_within_a_minute);
	tcase_add_test(t, a_message_the_receiver_chokes_on_holds_up_nobody);
	tcase_add_test(t, a_full_outbox_shuts_only_those_out_that_filled_it);
	tcase_add_test(t, what_waits_is_replaced_by_the_newer_state);
	tcase_add_test(t, an_end_that_waits_is_told_by_what_replaces_it);
	tcase_add_test(t, an_end_is_not_swallowed_by_a_new_beginning);
	tcase_add_test(t, flapping_alerts_do_not_fill_the_outbox_of_a_dead_receiver);
	tcase_add_test(t, what_is_over_before_it_could_be_told_is_told_once);
	tcase_add_test(t, a_receiver_that_pairs_beginnings_and_ends_gets_both);
	tcase_add_test(t, a_graph_is_waited_for_two_seconds_before_each_attempt);
	suite_add_tcase(s, t);
	return suite_run(s);
}
