/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belfry_ annotations change: alerts that clear at another threshold, label sets that are
 * missed, and what of it survives a restart.
 */
#include <check.h>
#include <math.h>

#include "rules/rules.h"
#include "storage/db.h"
#include "tests/lib/rule_fixture.h"
#include "tests/lib/suite.h"

#define POOL                                                                                       \
	"  rules:\n  - alert: Pool\n    expr: used > 0.9\n    labels: {severity: page}\n"          \
	"    annotations: {belfry_clear_if: used < 0.7}\n"

static const struct alert_event *event_of(const char *label, const char *value)
{
	for (size_t i = 0; rf.batch != NULL && i < rf.batch->n; i++) {
		if (str_eq(labels_get(rf.batch->events[i].labels, str_c(label)), str_c(value)))
			return &rf.batch->events[i];
	}
	ck_abort_msg("no event with %s=%s", label, value);
	return NULL;
}

START_TEST(an_alert_fires_on_until_clear_if_shows_it)
{
	rf_begin(POOL);
	rf_feed("used{pool=\"a\"}", 0, "0.95 0.8 0.85 0.6 0.8");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert_uint_eq(rf_event()->annotations.n, 0);
	rf_transition(1, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf_event()->held && rf_event()->value == 0.95 && rf_event()->current == 0.8);
	rf_transition(2, ALERT_FIRING, ALERT_FIRING);
	ck_assert_str_eq(rf_ask("ALERTS{pool=\"a\"}", 2), "1");
	rf_transition(3, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert(rf_event()->current == 0.6);
	rf_eval(4);
	ck_assert_ptr_null(rf.batch); /* between the two thresholds nothing begins */
}
END_TEST

START_TEST(clear_if_goes_by_the_labels_it_has)
{
	rf_begin("  rules:\n  - alert: Pool\n    expr: used > 0.9\n"
		 "    labels: {zone: '{{ $labels.pool }}'}\n"
		 "    annotations: {belfry_clear_if: 'max by (pool, zone) (calm) > 0'}\n");
	rf_feed("used{pool=\"a\"}", 0, "1 0 0 0");
	rf_feed("used{pool=\"b\"}", 0, "1 0 0 0");
	rf_feed("calm{pool=\"b\",zone=\"other\"}", 0, "0 1 0 0");
	rf_feed("calm{pool=\"a\"}", 0, "0 0 0 1");
	rf_eval(0);
	ck_assert_uint_eq(rf.batch->n, 2);
	rf_eval(1); /* zone is the rule's own label: it does not count */
	ck_assert_int_eq(event_of("pool", "a")->to, ALERT_FIRING);
	ck_assert_int_eq(event_of("pool", "b")->to, ALERT_INACTIVE);
	rf_transition(2, ALERT_FIRING, ALERT_FIRING);
	rf_transition(3, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(an_element_without_labels_clears_all)
{
	rf_begin("  rules:\n  - alert: Pool\n    expr: used > 0.9\n"
		 "    annotations: {belfry_clear_if: 'sum(used) < 1'}\n");
	rf_feed("used{pool=\"a\"}", 0, "1 0.6 0.4");
	rf_feed("used{pool=\"b\"}", 0, "1 0.6 0.4");
	rf_eval(0);
	rf_eval(1);
	ck_assert_int_eq(event_of("pool", "a")->to, ALERT_FIRING);
	rf_eval(2);
	ck_assert_int_eq(event_of("pool", "a")->to, ALERT_INACTIVE);
	ck_assert_int_eq(event_of("pool", "b")->to, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_held_alert_of_which_nothing_is_heard_ends)
{
	rf_begin(POOL);
	rf_feed("used", 0, "1 0.8 stale");
	rf_eval(0);
	for (int m = 1; m < 7; m++)
		rf_transition(m, ALERT_FIRING, ALERT_FIRING);
	rf_transition(7, ALERT_FIRING, ALERT_INACTIVE); /* five minutes without data */
}
END_TEST

START_TEST(keep_firing_for_begins_when_clear_if_shows_it)
{
	rf_begin(POOL "    keep_firing_for: 2m\n");
	rf_feed("used", 0, "1 0.8 0.6 0.8 0.8 0.8");
	rf_eval(0);
	rf_transition(1, ALERT_FIRING, ALERT_FIRING);
	ck_assert(!rf_event()->keep_firing);
	rf_transition(2, ALERT_FIRING, ALERT_FIRING);
	ck_assert_int_eq(rf_event()->keep_firing_since_ms, 2 * MIN);
	rf_transition(3, ALERT_FIRING, ALERT_FIRING);
	rf_transition(4, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_failing_clear_if_changes_no_state)
{
	rf_begin("  rules:\n  - alert: Pool\n    expr: used > 0.9\n"
		 "    annotations: {belfry_clear_if: 'used + on() group_left() other < 0.7'}\n");
	rf_feed("used", 0, "1 0.8 0.1");
	rf_feed("other{i=\"1\"}", 0, "_ 0 stale");
	rf_feed("other{i=\"2\"}", 0, "_ 0 0");
	rf_eval(0);
	rf_transition(1, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf.g->rules[0].failed);
	ck_assert_ptr_nonnull(strstr(rf.g->rules[0].error, "belfry_clear_if"));
	rf_transition(2, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_held_alert_is_held_after_a_restart)
{
	rf_begin(POOL);
	rf_open_state();
	rf_feed("used{pool=\"a\"}", 0, "1 0.8 0.8 0.6");
	rf_eval(0);
	rf_store();
	rf_restart(0);
	rf_transition(2, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf_event()->held);
	rf_transition(3, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_reload_without_clear_if_lets_go_of_held_alerts)
{
	struct rule_group *old;
	struct rule_set *next;

	rf_begin(POOL);
	rf_feed("used", 0, "1 0.8 0.8 0.8");
	rf_eval(0);
	rf_transition(1, ALERT_FIRING, ALERT_FIRING);
	next = rf_load("  rules:\n  - alert: Pool\n    expr: used > 0.9\n"
		       "    labels: {severity: page}\n");
	old = rf.g;
	rf.g = rule_group_new(&next->groups[0], &rf.env);
	rule_group_adopt(rf.g, old);
	rule_group_free(old);
	rule_set_free(rf.rs);
	rf.rs = next;
	rf_transition(2, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

/* --- belfry_absent_after --- */

#define GONE                                                                                       \
	"  rules:\n  - alert: Gone\n    expr: beat\n"                                              \
	"    annotations: {belfry_absent_after: 10m, s: '{{ $labels.host }} "                      \
	"{{ $value | humanizeDuration }}'}\n"

/* Evaluate each minute, storing what is to be stored. */
static void run(int from, int to)
{
	for (int m = from; m <= to; m++) {
		rf_eval(m);
		if (rf.state != NULL)
			rf_store();
	}
}

START_TEST(a_label_set_that_was_there_for_an_hour_is_missed)
{
	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x59 1x5 stale _x40 1");
	rf_feed("beat{host=\"b\"}", 0, "1x200");
	run(0, 64);
	ck_assert_ptr_nonnull(rf.g->rules[0].absent);
	run(65, 75); /* last seen in minute 65 */
	ck_assert_ptr_null(rf.batch);
	rf_transition(76, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert(rf_event()->value == 660);
	ck_assert(str_eq(labels_get(rf_event()->labels, STR("host")), STR("a")));
	ck_assert(str_eq(labels_get(rf_event()->annotations, STR("s")), STR("a 11m 0s")));
	rf_transition(90, ALERT_FIRING, ALERT_FIRING);
	rf_transition(107, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(what_was_there_for_less_than_an_hour_is_forgotten)
{
	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x50 stale");
	run(0, 120);
	ck_assert_ptr_null(rf.batch);
}
END_TEST

START_TEST(short_gaps_do_not_end_the_hour)
{
	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x30 stale _x7 1x25 stale");
	run(0, 74);
	ck_assert_uint_eq(rf.g->rules[0].alerts.n, 0);
	run(75, 76);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
}
END_TEST

START_TEST(a_new_rule_learns_from_the_past)
{
	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x80 stale");
	run(85, 94); /* stopped before the rule came: it is missed from now on */
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 0);
	run(95, 97);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
}
END_TEST

START_TEST(time_that_belfry_did_not_watch_is_not_counted)
{
	rf_begin(GONE);
	rf_open_state();
	rf_feed("beat{host=\"a\"}", 0, "1x70 stale");
	rf_feed("beat{host=\"b\"}", 0, "1x70 _x100 1x100");
	run(0, 65);
	rf_restart(0); /* away for 100 minutes; sources come back after a while */
	rf.break_queries = false;
	run(165, 174);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 0);
	run(175, 177);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1); /* a only */
	ck_assert(str_eq(labels_get(event_of("host", "a")->labels, STR("host")), STR("a")));
}
END_TEST

START_TEST(failed_evaluations_are_time_not_watched)
{
	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x70 _x30 1x9");
	run(0, 69);
	rf.break_queries = true;
	run(70, 95);
	rf.break_queries = false;
	run(96, 109);
	ck_assert_uint_eq(rf.g->rules[0].alerts.n, 0);
}
END_TEST

START_TEST(a_missed_label_set_fires_on_over_a_restart)
{
	rf_begin(GONE);
	rf_open_state();
	rf_feed("beat{host=\"a\"}", 0, "1x70 stale _x100 1");
	run(0, 90);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
	rf_restart(0);
	run(100, 101);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
	ck_assert(event_of("host", "a")->value == (101 - 70) * 60);
	run(172, 172);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 0);
	rf_restart(0); /* it is known still */
	run(190, 190);
	run(191, 201);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
}
END_TEST

START_TEST(what_is_gone_for_a_week_is_forgotten)
{
	rf_begin("  interval: 1h\n" GONE);
	rf_open_state();
	rf_feed("beat{host=\"a\"}", 0, "1x100 stale");
	for (int m = 0; m < 8 * 24 * 60; m += 60) {
		rf_eval(m);
		rf_store();
		ck_assert_uint_eq(rf.g->rules[0].n_firing, m >= 120 && m <= 60 + 7 * 24 * 60);
	}
	rf_restart(0);
	ck_assert_uint_eq(rf.g->rules[0].alerts.n, 0);
}
END_TEST

START_TEST(a_group_that_ends_forgets_its_label_sets)
{
	rf_begin(GONE);
	rf_open_state();
	rf_feed("beat{host=\"a\"}", 0, "1x70");
	run(0, 65);
	alert_batch_free(rf.batch);
	rule_group_end(rf.g, &rf.env, 66 * MIN, &rf.batch);
	ck_assert_ptr_nonnull(rf.batch);
	ck_assert_uint_eq(rf.batch->n_seen, 1);
	ck_assert(rf.batch->seen[0].forget && rf.batch->changed);
	rf_store();
}
END_TEST

static struct alert_batch *told[4];
static size_t n_told;

static bool on_batch(void *ctx, struct alert_batch *b)
{
	(void)ctx;
	ck_assert_uint_lt(n_told, 4);
	told[n_told++] = b;
	return true;
}

START_TEST(label_sets_of_a_rule_that_is_gone_are_forgotten_at_the_start)
{
	struct rules_opts o = {.sink = {.submit = on_batch}, .evaluation_interval_ms = 3600000};
	struct rules *r;
	struct err e;
	int64_t n;

	rf_begin(GONE);
	rf_open_state();
	rf_feed("beat{host=\"a\"}", 0, "1x70");
	run(0, 65);
	ck_assert_int_eq(
		db_get_i64(state_db(rf.state), "SELECT count(*) FROM alert_seen", &n, &e), 0);
	ck_assert_int_eq(n, 1);
	n_told = 0;
	ck_assert_int_eq(rules_new(&r, &o, rf_load("  rules: []\n"), state_db(rf.state), &e), 0);
	ck_assert_int_eq(rules_start(r, &e), 0);
	rules_stop(r);
	rules_free(r);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(alert_store_save(state_db(rf.state), told[0], &e), 0);
	ck_assert_int_eq(
		db_get_i64(state_db(rf.state), "SELECT count(*) FROM alert_seen", &n, &e), 0);
	ck_assert_int_eq(n, 0);
	alert_batch_free(told[0]);
}
END_TEST

START_TEST(a_reload_without_the_annotation_forgets_what_was_known)
{
	struct rule_group *old;
	struct rule_set *next;

	rf_begin(GONE);
	rf_feed("beat{host=\"a\"}", 0, "1x70");
	run(0, 65);
	next = rf_load("  rules:\n  - {alert: Gone, expr: beat}\n");
	old = rf.g;
	rf.g = rule_group_new(&next->groups[0], &rf.env);
	rule_group_adopt(rf.g, old);
	rule_group_free(old);
	rule_set_free(rf.rs);
	rf.rs = next;
	rf_eval(66);
	ck_assert_uint_eq(rf.batch->n_seen, 1);
	ck_assert(rf.batch->seen[0].forget && rf.batch->changed);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1); /* an ordinary rule now */
	rf_eval(67);
	ck_assert_uint_eq(rf.batch->n_seen, 0);
}
END_TEST

/* --- what is told --- */

START_TEST(a_compact_batch_holds_changes_and_values)
{
	rf_begin("  rules:\n  - alert: Hot\n    expr: temp > 80\n"
		 "    annotations: {s: 'in {{ $labels.room }}'}\n");
	rf.env.compact = true;
	rf_feed("temp{room=\"a\"}", 0, "85 90 90 85 20");
	rf_feed("temp{room=\"b\"}", 0, "85 85 85 95 95");
	rf_eval(0);
	ck_assert_uint_eq(rf.batch->n, 2);
	ck_assert(rf.batch->events[0].ref != 0);
	ck_assert(rf.batch->events[0].ref != rf.batch->events[1].ref);
	rf_eval(1);
	ck_assert(rf.batch->n == 0 && rf.batch->n_values == 1 && !rf.batch->changed);
	ck_assert(rf.batch->values[0].value == 90 && rf.batch->values[0].worst == 90);
	rf_eval(2);
	ck_assert_ptr_null(rf.batch);
	rf_eval_untold(3);
	ck_assert_uint_eq(rf.batch->n_values, 2);
	rf_eval(3); /* it was not taken: said again */
	ck_assert_uint_eq(rf.batch->n_values, 2);
	rf_eval(4);
	ck_assert(rf.batch->n == 1 && rf.batch->n_values == 0);
	ck_assert_int_eq(rf_event()->to, ALERT_INACTIVE);
}
END_TEST

START_TEST(other_annotations_are_told_and_restored_alerts_announced)
{
	rf_begin("  rules:\n  - alert: Hot\n    expr: temp > 80\n"
		 "    annotations: {s: '{{ $value }}', belfry_top: 'topk(3, x{room=\"{{ "
		 "$labels.room }}\"})'}\n");
	rf.env.compact = true;
	rf_open_state();
	rf_feed("temp{room=\"a\"}", 0, "85 90 90 90");
	rf_eval(0);
	ck_assert(str_eq(rf_event()->top_expr, STR("topk(3, x{room=\"a\"})")));
	rf_store();
	rf_eval(1);
	ck_assert(str_eq(labels_get(rf_event()->annotations, STR("s")), STR("90")));
	ck_assert(!rf.batch->changed);
	rf_eval(2);
	ck_assert_ptr_null(rf.batch);
	rf_restart(0);
	rf_eval(3);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_FIRING);
	ck_assert(rf_event()->ref != 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_notes");
	TCase *tc = tcase_create("rule_notes");

	tcase_add_checked_fixture(tc, rf_setup, rf_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_alert_fires_on_until_clear_if_shows_it);
	tcase_add_test(tc, clear_if_goes_by_the_labels_it_has);
	tcase_add_test(tc, an_element_without_labels_clears_all);
	tcase_add_test(tc, a_held_alert_of_which_nothing_is_heard_ends);
	tcase_add_test(tc, keep_firing_for_begins_when_clear_if_shows_it);
	tcase_add_test(tc, a_failing_clear_if_changes_no_state);
	tcase_add_test(tc, a_held_alert_is_held_after_a_restart);
	tcase_add_test(tc, a_reload_without_clear_if_lets_go_of_held_alerts);
	tcase_add_test(tc, a_label_set_that_was_there_for_an_hour_is_missed);
	tcase_add_test(tc, what_was_there_for_less_than_an_hour_is_forgotten);
	tcase_add_test(tc, short_gaps_do_not_end_the_hour);
	tcase_add_test(tc, a_new_rule_learns_from_the_past);
	tcase_add_test(tc, time_that_belfry_did_not_watch_is_not_counted);
	tcase_add_test(tc, failed_evaluations_are_time_not_watched);
	tcase_add_test(tc, a_missed_label_set_fires_on_over_a_restart);
	tcase_add_test(tc, what_is_gone_for_a_week_is_forgotten);
	tcase_add_test(tc, a_group_that_ends_forgets_its_label_sets);
	tcase_add_test(tc, label_sets_of_a_rule_that_is_gone_are_forgotten_at_the_start);
	tcase_add_test(tc, a_reload_without_the_annotation_forgets_what_was_known);
	tcase_add_test(tc, a_compact_batch_holds_changes_and_values);
	tcase_add_test(tc, other_annotations_are_told_and_restored_alerts_announced);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
