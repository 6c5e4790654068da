/* SPDX-License-Identifier: Apache-2.0 */
/* Lint of rules: what it says about expressions, labels and times, where, and what it leaves alone.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "rules/rule_lint.h"
#include "rules/rules.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct buf out;
static struct lint l;
static bool all_rules;

/* What lint prints about a rule file. */
static const char *lint(const char *text)
{
	struct rule_text_file file = {.path = STR("r.yml"), .text = str_c(text)};
	struct diag *d;
	struct rule_set *rs;

	arena_fini(&arena);
	arena_init(&arena, LIMIT_CONFIG_BYTES);
	d = diag_new(&arena);
	rs = rule_set_load_with(NULL, 0, &file, 1, true, d, &arena);
	buf_reset(&out);
	if (rs != NULL) {
		l = (struct lint){.d = d, .a = &arena, .all_rules = all_rules};
		rule_lint(&l, rs);
	}
	diag_print(d, &out);
	ck_assert_msg(rs != NULL, "%s", out.p);
	rule_set_free(rs);
	return out.n > 0 ? out.p : "";
}

static const char *lint_expr_of(const char *rule, const char *expr)
{
	char text[2048];

	snprintf(text, sizeof text,
		"groups:\n- name: g\n  interval: 1m\n  rules:\n  - %s\n    expr: '%s'\n%s", rule,
		expr, strncmp(rule, "alert", 5) == 0 ? "    annotations: {summary: s}\n" : "");
	return lint(text);
}

static void setup(void)
{
	arena_init(&arena, LIMIT_CONFIG_BYTES);
	buf_init(&out, 1u << 20);
}

static void teardown(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

static const struct {
	const char *expr, *says; /* "": nothing */
} alerts[] = {
	/* never true */
	{"count(up) == 0", "lint: this is never true"},
	{"count by (job) (up == 0) < 1", "lint: this is never true"},
	{"absent(up) > 1", "lint: this is never true"},
	{"absent(up) == 0", "lint: this is never true"},
	{"rate(x_total[5m]) < 0", "lint: this is never true"},
	{"up > 1", "lint: this is never true"},
	{"sum(up) < 0", "lint: this is never true"},
	{"avg_over_time(up[5m]) > 1", "lint: this is never true"},
	{"(x > 90) < 80", "lint: this is never true"},
	{"y > 3 and on () up == 2", "lint: this is never true"},
	{"(up == 2 or count(x) == 0)", "lint: this is never true"},
	{"up unless up", "lint: this is never true"},
	{"vector(0) > 1", "lint: this is never true"},
	{"sum(rate(x_total[5m])) * 2 < 0", "lint: this is never true"},
	{"up == 0 or count(x) == 0", ""},
	{"sum(up) < 1", ""},
	{"avg(up) < 0.5", ""},
	{"-rate(x_total[5m]) < 0", ""},
	{"x - y < 0", ""},
	{"delta(x[5m]) < 0", ""},
	{"x / y < 0", ""},
	{"absent(up) == 1", ""},
	{"count(x) > 0", ""},
	{"vector(1)", ""},
	{"1", ""},
	/* always */
	{"up == bool 0", "lint: with bool the comparison always has a value"},
	{"(up == bool 0) > 0", ""},
	/* absent */
	{"absent(up == 1)", "lint: absent() of a comparison"},
	{"absent_over_time(up[5m] )", ""},
	{"absent({job=~\"a|b\"})", "hint: absent() takes labels from = matchers only"},
	{"absent(up{job=\"a\"})", ""},
	/* counters and gauges */
	{"rate(queue_depth[5m]) > 1", "hint: rate() is for counters"},
	{"deriv(x_total[5m]) > 1", "hint: deriv() is for gauges"},
	{"requests_total > 100", "hint: counter requests_total is compared as it is"},
	{"sum(requests_total) > 100", "hint: counter requests_total"},
	{"count(requests_total) > 100", ""},
	{"changes(requests_total[5m]) > 100", ""},
	{"increase(errors_total[5m]) >= 3", "hint: increase() is extrapolated"},
	{"increase(errors_total[5m]) >= 2.5", ""},
	{"increase(errors_total[5m]) > 3", ""},
	/* windows */
	{"rate(x_total[30s]) > 1", "hint: a window of 30s every 1m"},
	{"rate(x_total[5m]) > 1", ""},
	/* sums of counters */
	{"rate(sum(x_total)[5m:]) > 1", "lint: rate() of a sum"},
	{"max_over_time(sum(x)[5m:]) > 1", ""},
	/* quantiles */
	{"histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m]))) > 1",
		"lint: histogram_quantile()"},
	{"histogram_quantile(0.9, sum without (le) (rate(x_bucket[5m]))) > 1",
		"needs the label le"},
	{"histogram_quantile(0.9, sum by (le, job) (rate(x_bucket[5m]))) > 1", ""},
	{"histogram_quantile(0.9, sum by (job) (rate(native[5m]))) > 1", ""},
	{"avg(rpc_seconds{quantile=\"0.99\"}) > 1", "lint: avg() of quantiles"},
	{"max(rpc_seconds{quantile=\"0.99\"}) > 1", ""},
	{"x_bucket{le=\"1\"} / 2 > 1",
		"hint: bounds are written as numbers with a point: le=\"1.0\""},
	/* matching */
	{"sum by (a) (x) / sum by (b) (y) > 1",
		"lint: the two sides of \"/\" have different labels"},
	{"sum(x) / sum by (b) (y) > 1", "lint: the two sides"},
	{"sum by (a) (x) / on () group_left () sum(y) > 1", ""},
	{"sum by (a, b) (x) / sum by (b, a) (y) > 1", ""},
	{"sum by (a) (x) / y > 1", ""},
	{"sum by (a) (x) or sum(y)", ""},
	/* conditions */
	{"x", "hint: nothing is compared: the alert fires while there is a series"},
	{"sum by (a) (rate(x_total[5m]))", "hint: nothing is compared"},
	{"x unless on (a) y", ""},
	{"max_over_time((x > 1)[5m:])", ""},
	{"ALERTS{alertname=\"B\"}", ""},
	{"absent(sum(up))", "hint: absent() of an aggregation has no labels"},
	/* traffic */
	{"sum(rate(e_total[5m])) / sum(rate(r_total[5m])) > 0.05", "hint: a ratio of rates"},
	{"sum(rate(e_total[5m])) / sum(rate(r_total[5m])) > 0.05 and sum(rate(r_total[5m])) > 1",
		""},
};

START_TEST(expressions_of_alerts)
{
	const char *said = lint_expr_of("alert: A", alerts[_i].expr);

	if (alerts[_i].says[0] == '\0')
		ck_assert_msg(said[0] == '\0', "%s: %s", alerts[_i].expr, said);
	else
		ck_assert_msg(
			strstr(said, alerts[_i].says) != NULL, "%s: %s", alerts[_i].expr, said);
}
END_TEST

START_TEST(recording_rules_may_have_any_value)
{
	ck_assert_str_eq(lint_expr_of("record: a", "count(up) == 0"), "");
	ck_assert_str_eq(lint_expr_of("record: a", "up == bool 0"), "");
	ck_assert_ptr_nonnull(
		strstr(lint_expr_of("record: a", "sum(x) / sum by (b) (y)"), "never match"));
}
END_TEST

START_TEST(the_place_is_the_part_that_is_meant)
{
	ck_assert_str_eq(lint("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n"
			      "      x > 1\n        and count(up) == 0\n"
			      "    annotations: {summary: s}\n"),
		"r.yml:7:13: warning: lint: this is never true: the alert cannot fire\n"
		"    7 |         and count(up) == 0\n"
		"      |             ^~~~~~~~~~~~~~\n");
	ck_assert_uint_eq(l.problems, 1);
	ck_assert_uint_eq(l.hints, 0);
}
END_TEST

START_TEST(labels_with_the_value_are_other_alerts_each_time)
{
	const char *said = lint("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"
				"    labels: {v: '{{ $value }}', w: '{{ $labels.a }}'}\n"
				"    annotations: {summary: '{{ $value }}'}\n");

	ck_assert_ptr_nonnull(strstr(said, "lint: label \"v\" holds the value"));
	ck_assert_uint_eq(l.problems, 1);
}
END_TEST

START_TEST(advice_on_summaries_and_times)
{
	const char *said = lint("groups:\n- name: g\n  interval: 1m\n  rules:\n"
				"  - {alert: A, expr: x > 1, for: 30s}\n");

	ck_assert_ptr_nonnull(strstr(said, "hint: no summary"));
	ck_assert_ptr_nonnull(strstr(said, "hint: for is shorter than the group's interval"));
	ck_assert_uint_eq(l.problems, 0);
	ck_assert_uint_eq(l.hints, 2);
}
END_TEST

START_TEST(rules_that_write_the_same_are_told)
{
	const char *said = lint("groups:\n- name: g\n  rules:\n"
				"  - {record: a, expr: x, labels: {l: '1', m: '2'}}\n"
				"  - {record: a, expr: y, labels: {l: '1'}}\n"
				"  - {record: a, expr: z, labels: {m: '2', l: '1'}}\n");

	ck_assert_ptr_nonnull(
		strstr(said, "r.yml:6:5: warning: lint: record \"a\" stands in line 4"));
	ck_assert_uint_eq(l.problems, 1);
}
END_TEST

/* What lint says of an alert with this expression and summary. */
static const char *lint_note(const char *expr, const char *note)
{
	char text[2048];

	snprintf(text, sizeof text,
		"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: '%s'\n"
		"    annotations:\n      summary: \"%s\"\n",
		expr, note);
	return lint(text);
}

static const struct {
	const char *expr;
	bool has; /* the label a, perhaps */
} labelled[] = {
	{"x > 1", true},
	{"sum(x) > 1", false},
	{"sum by (b) (x) > 1", false},
	{"sum by (a) (x) > 1", true},
	{"sum by (a) (sum by (b) (x)) > 1", false},
	{"sum without (a) (x) > 1", false},
	{"sum without (b) (x) > 1", true},
	{"topk by (b) (1, x) > 1", true},
	{"count_values(\"a\", sum(x)) > 1", true},
	{"count_values(\"b\", x) > 1", false},
	{"absent(x{a=\"1\"})", true},
	{"absent(x{a=~\"1\"})", false},
	{"absent_over_time(x[5m])", false},
	{"vector(1)", false},
	{"vector(time()) > 1", false},
	{"label_replace(sum(x), \"a\", \"$1\", \"b\", \"(.*)\") > 1", true},
	{"label_replace(sum(x), \"c\", \"$1\", \"b\", \"(.*)\") > 1", false},
	{"label_join(sum(x), \"a\", \",\", \"b\") > 1", true},
	{"x / on (b) y > 1", false},
	{"x / ignoring (a) y > 1", false},
	{"x / on (a) y > 1", true},
	{"x / on (b) group_left () y > 1", true},
	{"sum(x) / on () group_left (a) y > 1", true},
	{"sum by (b) (x) / on (b) group_left () sum by (b) (y) > 1", false},
	{"sum(x) and on () y{a=\"1\"}", false},
	{"x and on () sum(y)", true},
	{"sum(x) or y", true},
	{"sum(x) or sum(y)", false},
	{"histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1", false},
	{"max_over_time(sum(x)[5m:]) > 1", false},
	{"-sum(x) < 1", false},
	{"clamp_max(x, 3) > 1", true},
};

START_TEST(texts_that_name_a_label_the_expression_drops)
{
	const char *expr = labelled[_i].expr, *said;

	said = lint_note(expr, "at {{ $labels.a }}");
	ck_assert_msg((strstr(said, "lint: annotation") == NULL) == labelled[_i].has, "%s: %s",
		expr, said);
	ck_assert_uint_eq(l.problems, labelled[_i].has ? 0 : 1);
	/* the text that says nothing of it */
	said = lint_note(expr, "at $labels.b {{ $value }} {{ .Labels.a }} {{ $labels.alertname }}");
	ck_assert_msg(strstr(said, "names label \"a\"") == NULL, "%s: %s", expr, said);
}
END_TEST

START_TEST(the_place_in_a_text_is_the_label_s)
{
	ck_assert_str_eq(lint_note("sum(x) > 1", "{{ $value }} of {{ $labels.room }}"),
		"r.yml:7:44: warning: lint: annotation \"summary\" names label \"room\", which the "
		"expression has not: it will be empty\n"
		"    7 |       summary: \"{{ $value }} of {{ $labels.room }}\"\n"
		"      |                                            ^~~~\n");
}
END_TEST

START_TEST(an_alert_without_the_severity_that_others_have)
{
	const char *said = lint("groups:\n- name: g\n  rules:\n"
				"  - {alert: A, expr: x > 1, labels: {severity: page}, "
				"annotations: {summary: s}}\n"
				"  - {alert: B, expr: x > 2, annotations: {summary: s}}\n");

	ck_assert_ptr_nonnull(strstr(said, "r.yml:5:13: warning: hint: no label severity, which"));
	ck_assert_uint_eq(l.hints, 1);
	ck_assert_str_eq(lint("groups:\n- name: g\n  rules:\n"
			      "  - {alert: B, expr: x > 2, annotations: {summary: s}}\n"),
		"");
}
END_TEST

START_TEST(names_of_recording_rules_that_are_mistyped)
{
	static const char text[] = "groups:\n- name: g\n  rules:\n"
				   "  - {record: 'job:errors:rate5m', expr: sum(x)}\n"
				   "  - {record: a, expr: 'job:error:rate5m > 1'}\n"
				   "  - {record: b, expr: 'job:errors:rate1m > 1'}\n"
				   "  - {record: c, expr: 'job:errors:rate5m > 1'}\n"
				   "  - {record: d, expr: 'fed:from:elsewhere > 1'}\n"
				   "  - {record: e, expr: 'job:errors:override > 1'}\n";

	all_rules = true;
	ck_assert_str_eq(lint(text),
		"r.yml:5:24: warning: lint: no rule records \"job:error:rate5m\"; did you mean "
		"\"job:errors:rate5m\"?\n"
		"    5 |   - {record: a, expr: 'job:error:rate5m > 1'}\n"
		"      |                        ^~~~~~~~~~~~~~~~\n");
	all_rules = false; /* another file may record it */
	ck_assert_str_eq(lint(text), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_lint");
	TCase *tc = tcase_create("rule_lint");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, expressions_of_alerts, 0, (int)(sizeof alerts / sizeof *alerts));
	tcase_add_test(tc, recording_rules_may_have_any_value);
	tcase_add_test(tc, the_place_is_the_part_that_is_meant);
	tcase_add_test(tc, labels_with_the_value_are_other_alerts_each_time);
	tcase_add_test(tc, advice_on_summaries_and_times);
	tcase_add_test(tc, rules_that_write_the_same_are_told);
	tcase_add_loop_test(tc, texts_that_name_a_label_the_expression_drops, 0,
		(int)(sizeof labelled / sizeof *labelled));
	tcase_add_test(tc, the_place_in_a_text_is_the_label_s);
	tcase_add_test(tc, an_alert_without_the_severity_that_others_have);
	tcase_add_test(tc, names_of_recording_rules_that_are_mistyped);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
