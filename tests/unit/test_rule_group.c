/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule groups over virtual time, on a real store: the states of alerts, what is told and what is
 * written, and what survives errors, reloads and restarts.
 */
#include <check.h>
#include <math.h>

#include "base/limits.h"
#include "tests/lib/rule_fixture.h"
#include "tests/lib/suite.h"

#define DOWN "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 2m\n"

START_TEST(an_alert_waits_fires_and_resolves)
{
	rf_begin(DOWN
		"    labels: {severity: page}\n"
		"    annotations: {summary: '{{ $labels.job }} {{ $value }}', belfry_top: up, z: "
		"''}\n");
	rf_feed("up{job=\"a\"}", 0, "1 0x4 1 1 1");
	rf_eval(0);
	ck_assert_ptr_null(rf.batch);
	rf_transition(1, ALERT_INACTIVE, ALERT_PENDING);
	ck_assert_int_eq(rf_event()->active_at_ms, MIN);
	ck_assert_int_eq(rf_event()->fired_at_ms, 0);
	ck_assert(str_eq(labels_get(rf_event()->labels, STR("alertname")), STR("Down")));
	ck_assert(str_eq(labels_get(rf_event()->labels, STR("severity")), STR("page")));
	ck_assert_uint_eq(rf_event()->labels.n, 3);
	ck_assert_uint_eq(rf_event()->annotations.n, 2); /* ours are not sent, empty ones are */
	ck_assert(str_eq(rf_event()->annotations.v[0].value, STR("a 0")));
	rf_transition(2, ALERT_PENDING, ALERT_PENDING);
	rf_transition(3, ALERT_PENDING, ALERT_FIRING);
	ck_assert_int_eq(rf_event()->active_at_ms, MIN);
	ck_assert_int_eq(rf_event()->fired_at_ms, 3 * MIN);
	rf_transition(4, ALERT_FIRING, ALERT_FIRING);
	rf_transition(6, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_int_eq(rf_event()->resolved_at_ms, 6 * MIN);
	ck_assert_int_eq(rf_event()->fired_at_ms, 3 * MIN);
	rf_eval(7);
	ck_assert_ptr_null(rf.batch);
}
END_TEST

START_TEST(pending_that_ends_never_fires)
{
	rf_begin(DOWN);
	rf_feed("up", 0, "0 0 1 0 0");
	rf_transition(0, ALERT_INACTIVE, ALERT_PENDING);
	rf_transition(1, ALERT_PENDING, ALERT_PENDING);
	rf_transition(2, ALERT_PENDING, ALERT_INACTIVE);
	rf_transition(3, ALERT_INACTIVE, ALERT_PENDING);
	ck_assert_int_eq(rf_event()->active_at_ms, 3 * MIN);
}
END_TEST

START_TEST(without_for_an_alert_fires_at_once)
{
	rf_begin("  rules:\n  - alert: Down\n    expr: up == 0\n");
	rf_feed("up", 0, "0 1");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert_int_eq(rf_event()->fired_at_ms, 0);
	rf_transition(1, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(keep_firing_for_holds_an_alert_until_it_was_quiet_long_enough)
{
	rf_begin("  rules:\n  - alert: Down\n    expr: up == 0\n    keep_firing_for: 3m\n");
	rf_feed("up", 0, "0 1 1 0 1 1 1 1 1");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	rf_transition(1, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf_event()->keep_firing && rf_event()->save);
	ck_assert_int_eq(rf_event()->keep_firing_since_ms, MIN);
	rf_transition(2, ALERT_FIRING, ALERT_FIRING);
	ck_assert(!rf_event()->save);
	rf_transition(3, ALERT_FIRING, ALERT_FIRING); /* it is back: the wait begins anew */
	ck_assert(!rf_event()->keep_firing && rf_event()->save);
	rf_transition(4, ALERT_FIRING, ALERT_FIRING);
	ck_assert_int_eq(rf_event()->keep_firing_since_ms, 4 * MIN);
	rf_transition(6, ALERT_FIRING, ALERT_FIRING);
	rf_transition(7, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_int_eq(rf_event()->resolved_at_ms, 7 * MIN);
}
END_TEST

START_TEST(an_error_keeps_every_alert_as_it_is)
{
	rf_begin("  limit: 1\n" DOWN);
	rf_feed("up{job=\"a\"}", 0, "0 0 0 0 0 0 0");
	rf_transition(0, ALERT_INACTIVE, ALERT_PENDING);
	rf_transition(2, ALERT_PENDING, ALERT_FIRING);
	rf.break_queries = true;
	rf_transition(3, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf.g->rules[0].failed);
	ck_assert_ptr_nonnull(strstr(rf.g->rules[0].error, "the disk is gone"));
	rf.break_queries = false;
	rf_transition(4, ALERT_FIRING, ALERT_FIRING);
	ck_assert(!rf.g->rules[0].failed);
	rf_feed("up{job=\"b\"}", 5, "0"); /* one too many for the limit */
	rf_transition(5, ALERT_FIRING, ALERT_FIRING);
	ck_assert(rf.g->rules[0].failed);
	ck_assert_str_eq(rf.g->rules[0].error, "exceeded limit of 1 with 2 alerts");
}
END_TEST

START_TEST(two_alerts_with_the_same_labels_are_an_error)
{
	rf_begin("  rules:\n  - alert: Down\n    expr: up == 0\n    labels: {job: ''}\n");
	rf_feed("up{job=\"a\"}", 0, "0");
	rf_feed("up{job=\"b\"}", 0, "0");
	rf_eval(0);
	ck_assert_ptr_null(rf.batch);
	ck_assert(rf.g->rules[0].failed);
	ck_assert_ptr_nonnull(strstr(rf.g->rules[0].error, "same labelset"));
}
END_TEST

START_TEST(a_template_that_fails_tells_its_error_as_text)
{
	rf_begin("  rules:\n  - alert: A\n    expr: vector(1)\n"
		 "    annotations: {s: '{{ query \"none\" | first }}', t: 'fine'}\n");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert(str_starts(
		labels_get(rf_event()->annotations, STR("s")), STR("<error expanding template: ")));
	ck_assert(str_eq(labels_get(rf_event()->annotations, STR("t")), STR("fine")));
}
END_TEST

START_TEST(templates_query_the_store_at_the_evaluations_time)
{
	rf_begin("  rules:\n  - alert: A\n    expr: vector(1)\n"
		 "    annotations: {s: '{{ range query \"sort(x)\" }}{{ .Labels.i }}={{ .Value }} "
		 "{{ end }}{{ query \"scalar(x{i=\\\"1\\\"})\" | first | value }} "
		 "{{ with query \"h\" }}{{ . | first | value }}{{ end }}'}\n");
	rf_feed("x{i=\"1\"}", 0, "5 6 7");
	rf_feed("x{i=\"2\"}", 0, "1 1 1");
	rf_feed("h", 0, "{{count:3 sum:4 buckets:[3]}}x2");
	rf_eval(1);
	ck_assert_msg(str_eq(labels_get(rf_event()->annotations, STR("s")),
			      STR("2=1 1=6 6 {count:3, sum:4, (0.5,1]:3}")),
		"%.*s", (int)rf_event()->annotations.v[0].value.n,
		rf_event()->annotations.v[0].value.p);
}
END_TEST

START_TEST(current_and_worst_values_follow_the_compared_side)
{
	rf_begin("  rules:\n  - alert: Hot\n    expr: temp > 80\n");
	rf_feed("temp{room=\"a\"}", 0, "85 95 90 20 20 stale");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert(rf_event()->value == 85 && rf_event()->current == 85 && rf_event()->worst == 85);
	ck_assert(rf_event()->threshold == 80);
	ck_assert_str_eq(rf_event()->op, ">");
	rf_eval(1);
	rf_eval(2);
	ck_assert(rf_event()->value == 90 && rf_event()->current == 90 && rf_event()->worst == 95);
	rf_transition(3, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert(rf_event()->value == 90); /* the last one that fired */
	ck_assert(rf_event()->current == 20);
	ck_assert(rf_event()->worst == 95);
}
END_TEST

START_TEST(a_vanished_series_resolves_without_a_current_value)
{
	rf_begin("  rules:\n  - alert: Low\n    expr: temp < 10\n");
	rf_feed("temp", 0, "5 2 stale");
	rf_transition(0, ALERT_INACTIVE, ALERT_FIRING);
	rf_eval(1);
	ck_assert(rf_event()->worst == 2);
	rf_transition(2, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert(isnan(rf_event()->current));
}
END_TEST

START_TEST(what_was_not_told_is_said_again)
{
	rf_begin("  rules:\n  - alert: Down\n    expr: up == 0\n");
	rf_feed("up", 0, "0 0 1 1 1");
	rf_eval_untold(0);
	ck_assert(rf_event()->from == ALERT_INACTIVE && rf_event()->to == ALERT_FIRING);
	rf_eval_untold(1);
	ck_assert(rf_event()->from == ALERT_INACTIVE && rf_event()->to == ALERT_FIRING);
	ck_assert(rf.batch->changed);
	rule_group_told(rf.g, &rf.env);
	rf_eval_untold(2);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_INACTIVE);
	rf_eval_untold(3);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_INACTIVE);
	ck_assert_int_eq(rf_event()->resolved_at_ms, 2 * MIN);
	rule_group_told(rf.g, &rf.env);
	rf_eval(4);
	ck_assert_ptr_null(rf.batch);
}
END_TEST

/* --- what is written --- */

START_TEST(alerts_are_series_while_they_last)
{
	rf_begin(DOWN);
	rf_feed("up", 0, "0 0 0 0 1 1");
	rf_eval(0);
	ck_assert_str_eq(rf_ask("ALERTS{alertname=\"Down\",alertstate=\"pending\"}", 0), "1");
	ck_assert_str_eq(rf_ask("ALERTS_FOR_STATE{alertname=\"Down\"}", 0), "0");
	rf_eval(1);
	rf_eval(2);
	ck_assert_str_eq(rf_ask("ALERTS{alertstate=\"firing\"}", 2), "1");
	ck_assert_str_eq(rf_ask("ALERTS{alertstate=\"pending\"}", 2), ""); /* stale at once */
	rf_eval(4);
	ck_assert_str_eq(rf_ask("ALERTS", 4), "");
	ck_assert_str_eq(rf_ask("ALERTS_FOR_STATE", 4), "");
	ck_assert_str_eq(rf_ask("ALERTS", 3.5), "1");
}
END_TEST

START_TEST(a_rule_sees_what_rules_before_it_wrote_at_the_same_slot)
{
	rf_begin("  labels: {from: group}\n  rules:\n"
		 "  - {record: a, expr: sum(x), labels: {l: v}}\n"
		 "  - {record: b, expr: a * 2}\n"
		 "  - {record: c, expr: b + on() a}\n"
		 "  - {alert: Big, expr: c > 20}\n"
		 "  - {record: d, expr: 'count(ALERTS)'}\n");
	rf_feed("x{i=\"1\"}", 0, "3 4");
	rf_feed("x{i=\"2\"}", 0, "3 4");
	rf_eval(0);
	ck_assert_str_eq(rf_ask("a{l=\"v\",from=\"group\"}", 0), "6");
	ck_assert_str_eq(rf_ask("b", 0), "12");
	ck_assert_str_eq(rf_ask("c", 0), "18");
	ck_assert_ptr_null(rf.batch);
	rf_eval(1);
	ck_assert_str_eq(rf_ask("c", 1), "24");
	ck_assert_int_eq(rf_event()->to, ALERT_FIRING);
	ck_assert_str_eq(rf_ask("d", 1), "1");
	for (size_t i = 0; i < rf.g->def->n; i++)
		ck_assert_msg(!rf.g->rules[i].failed, "%s", rf.g->rules[i].error);
}
END_TEST

START_TEST(a_series_that_is_not_recorded_again_ends_at_once)
{
	rf_begin("  rules:\n  - {record: a, expr: x > 1}\n");
	rf_feed("x{i=\"1\"}", 0, "5 0 5");
	rf_feed("x{i=\"2\"}", 0, "5 5 5");
	rf_eval(0);
	ck_assert_str_eq(rf_ask("count(a)", 0), "2");
	rf_eval(1);
	ck_assert_str_eq(rf_ask("a", 1), "5");
	ck_assert_str_eq(rf_ask("a{i=\"1\"}", 1), "");
	rf_eval(2);
	ck_assert_str_eq(rf_ask("count(a)", 2), "2");
}
END_TEST

START_TEST(a_series_may_go_to_a_rule_before)
{
	rf_begin("  rules:\n  - {record: a, expr: x > 5}\n  - {record: a, expr: x <= 5}\n");
	rf_feed("x", 0, "1 9");
	rf_eval(0);
	ck_assert_str_eq(rf_ask("a", 0), "1");
	rf_eval(1); /* the second rule's mark does not end what the first one wrote */
	ck_assert_msg(!rf.g->rules[1].failed, "%s", rf.g->rules[1].error);
	ck_assert_str_eq(rf_ask("a", 1), "9");
}
END_TEST

START_TEST(two_rules_that_write_the_same_series_are_told)
{
	rf_begin("  rules:\n  - {record: a, expr: x}\n  - {record: a, expr: x + 1}\n");
	rf_feed("x", 0, "1");
	rf_eval(0);
	ck_assert(!rf.g->rules[0].failed);
	ck_assert(rf.g->rules[1].failed);
	ck_assert_ptr_nonnull(strstr(rf.g->rules[1].error, "another value stands at this time"));
	ck_assert_str_eq(rf_ask("a", 0), "1");
}
END_TEST

START_TEST(a_failed_recording_writes_nothing_and_ends_nothing)
{
	rf_begin("  rules:\n  - {record: a, expr: x}\n");
	rf_feed("x", 0, "1 2 3");
	rf_eval(0);
	rf.break_queries = true;
	rf_eval(1);
	rf.break_queries = false;
	ck_assert(rf.g->rules[0].failed);
	ck_assert_str_eq(rf_ask("a", 1), "1");
	rf_eval(2);
	ck_assert_str_eq(rf_ask("a", 2), "3");
}
END_TEST

START_TEST(recorded_series_must_differ_and_keep_the_limit)
{
	rf_begin("  limit: 1\n  rules:\n"
		 "  - {record: a, expr: x}\n"
		 "  - {record: b, expr: x, labels: {i: same}}\n"
		 "  - {record: c, expr: '3'}\n");
	rf_feed("x{i=\"1\"}", 0, "1");
	rf_feed("x{i=\"2\"}", 0, "1");
	rf_eval(0);
	ck_assert_str_eq(rf.g->rules[0].error, "exceeded limit of 1 with 2 series");
	ck_assert_ptr_nonnull(strstr(rf.g->rules[1].error, "same labelset"));
	ck_assert(!rf.g->rules[2].failed);
	ck_assert_str_eq(rf_ask("c", 0), "3");
	ck_assert_str_eq(rf_ask("count(a) or count(b)", 0), "");
}
END_TEST

START_TEST(a_query_offset_moves_what_is_read_and_written)
{
	rf_begin("  query_offset: 1m\n  rules:\n  - {record: a, expr: x}\n"
		 "  - {alert: A, expr: a > 1, annotations: {n: '{{ now }}'}}\n");
	rf_feed("x", 0, "1 2 3");
	rf_eval(2);
	ck_assert_int_eq(rf_event()->active_at_ms, 2 * MIN); /* of the slot */
	ck_assert(str_eq(labels_get(rf_event()->annotations, STR("n")), STR("120")));
	ck_assert_str_eq(rf_ask("timestamp(ALERTS)", 2), "60");
	ck_assert_str_eq(rf_ask("a", 1), "2");
	ck_assert_str_eq(rf_ask("timestamp(a)", 2), "60");
}
END_TEST

START_TEST(native_histograms_are_recorded_as_such)
{
	rf_begin("  rules:\n  - {record: a, expr: sum(h)}\n  - {record: b, expr: "
		 "histogram_count(a)}\n"
		 "  - {alert: A, expr: a, annotations: {v: '{{ $value }}'}}\n");
	rf_feed("h{i=\"1\"}", 0, "{{count:3 sum:4 buckets:[1 2]}}");
	rf_feed("h{i=\"2\"}", 0, "{{count:2 sum:4 buckets:[1 1]}}");
	rf_eval(0);
	ck_assert_str_eq(rf_ask("b", 0), "5");
	ck_assert_int_eq(rf_event()->to, ALERT_FIRING);
	ck_assert(rf_event()->value == 5);
	ck_assert(str_eq(labels_get(rf_event()->annotations, STR("v")),
		STR("{count:5, sum:8, (0.5,1]:2, (1,2]:3}")));
}
END_TEST

/* --- restarts and reloads --- */

static int64_t restore_hold_ms;

static void restore(struct str rule_key, const struct alert_event *ev, void *arg)
{
	size_t *n = arg;

	for (size_t i = 0; i < rf.g->def->n; i++)
		*n += rule_restore(&rf.g->rules[i], rule_key, ev, restore_hold_ms);
}

START_TEST(a_restart_goes_on_where_the_stored_state_ends)
{
	struct err e;
	int64_t slot;
	size_t n = 0;

	rf_begin(DOWN "    keep_firing_for: 5m\n");
	rf_feed("up{job=\"a\"}", 0, "0 0 0 1 1 1 1 1 1 1");
	rf_feed("up{job=\"b\"}", 0, "1 1 0 0 0 0 0 0 0 0");
	ck_assert_msg(state_open(&rf.state, rf.dir, &e) == 0, "%s", e.msg);
	for (int m = 0; m <= 3; m++) {
		rf_eval(m);
		if (rf.batch != NULL && rf.batch->changed)
			ck_assert_msg(alert_store_save(state_db(rf.state), rf.batch, &e) == 0, "%s",
				e.msg);
	}
	ck_assert_int_eq(alert_store_slot(state_db(rf.state), rf.g->def->key, &slot, &e), 0);
	ck_assert_int_eq(slot, 3 * MIN);
	rule_group_free(rf.g);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
	ck_assert_int_eq(alert_store_load(state_db(rf.state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(rf.g->rules[0].n_firing, 1);
	ck_assert_uint_eq(rf.g->rules[0].n_pending, 1);
	rf_eval(4);
	ck_assert_uint_eq(rf.batch->n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct alert_event *ev = &rf.batch->events[i];
		bool a = str_eq(labels_get(ev->labels, STR("job")), STR("a"));

		ck_assert_int_eq(ev->from, a ? ALERT_FIRING : ALERT_PENDING);
		ck_assert_int_eq(ev->to, ALERT_FIRING);
		ck_assert_int_eq(ev->active_at_ms, a ? 0 : 2 * MIN);
		ck_assert_int_eq(ev->keep_firing_since_ms, a ? 3 * MIN : 0);
	}
	ck_assert_int_eq(alert_store_save(state_db(rf.state), rf.batch, &e), 0);
	rf_eval(8); /* five minutes quiet: a is over */
	ck_assert_int_eq(alert_store_save(state_db(rf.state), rf.batch, &e), 0);
	rule_group_free(rf.g);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
	n = 0;
	ck_assert_int_eq(alert_store_load(state_db(rf.state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(after_a_restart_what_was_written_of_alerts_ends_too)
{
	struct err e;
	size_t n = 0;

	rf_begin("  rules:\n  - {alert: Down, expr: up == 0}\n");
	rf_feed("up", 0, "0 1");
	ck_assert_msg(state_open(&rf.state, rf.dir, &e) == 0, "%s", e.msg);
	rf_eval(0);
	ck_assert_int_eq(alert_store_save(state_db(rf.state), rf.batch, &e), 0);
	rule_group_free(rf.g);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
	ck_assert_int_eq(alert_store_load(state_db(rf.state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	rf_transition(1, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_str_eq(rf_ask("ALERTS", 1), "");
	ck_assert_str_eq(rf_ask("ALERTS_FOR_STATE", 1), "");
}
END_TEST

START_TEST(after_an_outage_an_alert_waits_for_fresh_samples_before_it_ends)
{
	struct err e;
	size_t n = 0;

	rf_begin("  rules:\n  - {alert: Down, expr: up == 0}\n");
	rf_feed("up", 0, "0 _ _ _ _ _ _ _ _ _ _ _ 1");
	ck_assert_msg(state_open(&rf.state, rf.dir, &e) == 0, "%s", e.msg);
	rf_eval(0);
	ck_assert_int_eq(alert_store_save(state_db(rf.state), rf.batch, &e), 0);
	rule_group_free(rf.g);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
	restore_hold_ms = 14 * MIN;
	ck_assert_int_eq(alert_store_load(state_db(rf.state), restore, &n, &e), 0);
	restore_hold_ms = 0;
	ck_assert_uint_eq(n, 1);
	rf_transition(10, ALERT_FIRING, ALERT_FIRING); /* no sample within the lookback */
	rf_transition(
		12, ALERT_FIRING, ALERT_FIRING); /* up again, but others may still be silent */
	rf_transition(14, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_stored_alert_of_another_rule_is_not_taken)
{
	struct alert_event ev = {.to = ALERT_FIRING};

	rf_begin(DOWN);
	ck_assert(!rule_restore(&rf.g->rules[0], STR("other;rule;key"), &ev, 0));
	ck_assert_uint_eq(rf.g->rules[0].alerts.n, 0);
}
END_TEST

START_TEST(a_reload_keeps_alerts_of_rules_that_stay)
{
	struct rule_set *next;
	struct rule_group *old;

	rf_begin("  rules:\n  - {alert: Stays, expr: up == 0}\n  - {alert: Goes, expr: up == 0}\n");
	rf_feed("up", 0, "0 0 0 0 0 0");
	rf_eval(0);
	ck_assert_uint_eq(rf.batch->n, 2);
	next = rf_load("  rules:\n  - {record: new, expr: up}\n"
		       "  - {alert: Stays, expr: up==0, for: 3m, annotations: {s: t}}\n");
	old = rf.g;
	rf.g = rule_group_new(&next->groups[0], &rf.env);
	rule_group_adopt(rf.g, old);
	alert_batch_free(rf.batch);
	rule_group_end(old, &rf.env, MIN, &rf.batch);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_INACTIVE);
	ck_assert(str_eq(rf_event()->rule->name, STR("Goes")));
	ck_assert_str_eq(rf_ask("ALERTS{alertname=\"Goes\"}", 1), "");
	rule_group_free(old);
	rule_set_free(rf.rs);
	rf.rs = next;
	rf_transition(1, ALERT_FIRING, ALERT_PENDING); /* `for` is longer now */
	ck_assert_int_eq(rf_event()->active_at_ms, 0);
	rf_transition(3, ALERT_PENDING, ALERT_FIRING);
}
END_TEST

START_TEST(rules_that_stand_twice_keep_their_alerts_over_a_reload)
{
	static const char twice[] = "  rules:\n  - {alert: A, expr: up == 0}\n"
				    "  - {alert: A, expr: up == 0}\n";
	struct rule_group *old;
	struct rule_set *next;

	rf_begin(twice);
	rf_feed("up", 0, "0 0 0");
	rf_eval(0);
	ck_assert_uint_eq(rf.batch->n, 2);
	next = rf_load(twice);
	old = rf.g;
	rf.g = rule_group_new(&next->groups[0], &rf.env);
	rule_group_adopt(rf.g, old);
	alert_batch_free(rf.batch);
	rule_group_end(old, &rf.env, MIN, &rf.batch);
	ck_assert_ptr_null(rf.batch);
	rule_group_free(old);
	rule_set_free(rf.rs);
	rf.rs = next;
	rf_eval(1);
	ck_assert_uint_eq(rf.batch->n, 2);
	ck_assert(!rf.batch->changed);
}
END_TEST

START_TEST(an_end_that_was_not_told_and_a_new_start_are_one_alert)
{
	rf_begin("  rules:\n  - {alert: A, expr: up == 0}\n");
	rf_feed("up", 0, "0 1 0");
	rf_eval(0);
	rf_eval_untold(1);
	ck_assert_int_eq(rf_event()->to, ALERT_INACTIVE);
	rf_eval_untold(2);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_FIRING);
	ck_assert(rf.batch->changed && rf_event()->save); /* it has a new start */
	ck_assert_int_eq(rf_event()->active_at_ms, 2 * MIN);
	rule_group_told(rf.g, &rf.env);
}
END_TEST

START_TEST(a_group_that_ends_resolves_its_alerts_and_series)
{
	rf_begin("  rules:\n  - {record: a, expr: up}\n  - {alert: Down, expr: up == 0}\n");
	rf_feed("up", 0, "0 0 0");
	rf_eval(0);
	alert_batch_free(rf.batch);
	rule_group_end(rf.g, &rf.env, MIN, &rf.batch);
	ck_assert(rf_event()->from == ALERT_FIRING && rf_event()->to == ALERT_INACTIVE);
	ck_assert_int_eq(rf_event()->resolved_at_ms, MIN);
	ck_assert_str_eq(rf_ask("a", 1), "");
	ck_assert_str_eq(rf_ask("ALERTS", 1), "");
	rule_group_told(rf.g, &rf.env);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_group");
	TCase *tc = tcase_create("rule_group");

	tcase_add_checked_fixture(tc, rf_setup, rf_teardown);
	tcase_add_test(tc, an_alert_waits_fires_and_resolves);
	tcase_add_test(tc, pending_that_ends_never_fires);
	tcase_add_test(tc, without_for_an_alert_fires_at_once);
	tcase_add_test(tc, keep_firing_for_holds_an_alert_until_it_was_quiet_long_enough);
	tcase_add_test(tc, an_error_keeps_every_alert_as_it_is);
	tcase_add_test(tc, two_alerts_with_the_same_labels_are_an_error);
	tcase_add_test(tc, a_template_that_fails_tells_its_error_as_text);
	tcase_add_test(tc, templates_query_the_store_at_the_evaluations_time);
	tcase_add_test(tc, current_and_worst_values_follow_the_compared_side);
	tcase_add_test(tc, a_vanished_series_resolves_without_a_current_value);
	tcase_add_test(tc, what_was_not_told_is_said_again);
	tcase_add_test(tc, alerts_are_series_while_they_last);
	tcase_add_test(tc, a_rule_sees_what_rules_before_it_wrote_at_the_same_slot);
	tcase_add_test(tc, a_series_that_is_not_recorded_again_ends_at_once);
	tcase_add_test(tc, a_series_may_go_to_a_rule_before);
	tcase_add_test(tc, two_rules_that_write_the_same_series_are_told);
	tcase_add_test(tc, a_failed_recording_writes_nothing_and_ends_nothing);
	tcase_add_test(tc, recorded_series_must_differ_and_keep_the_limit);
	tcase_add_test(tc, a_query_offset_moves_what_is_read_and_written);
	tcase_add_test(tc, native_histograms_are_recorded_as_such);
	tcase_add_test(tc, a_restart_goes_on_where_the_stored_state_ends);
	tcase_add_test(tc, after_a_restart_what_was_written_of_alerts_ends_too);
	tcase_add_test(tc, after_an_outage_an_alert_waits_for_fresh_samples_before_it_ends);
	tcase_add_test(tc, a_stored_alert_of_another_rule_is_not_taken);
	tcase_add_test(tc, a_reload_keeps_alerts_of_rules_that_stay);
	tcase_add_test(tc, rules_that_stand_twice_keep_their_alerts_over_a_reload);
	tcase_add_test(tc, an_end_that_was_not_told_and_a_new_start_are_one_alert);
	tcase_add_test(tc, a_group_that_ends_resolves_its_alerts_and_series);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
