/* SPDX-License-Identifier: Apache-2.0 */
/* Rule packs: parameters, time scale, what is refused; and the packs that ship. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "rules/pack.h"
#include "rules/rules.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct diag *d;
static struct buf out;

static void setup(void)
{
	arena_init(&arena, (size_t)LIMIT_CONFIG_BYTES);
	d = diag_new(&arena);
	buf_init(&out, 1u << 22);
}

static void teardown(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

static const char *errors(void)
{
	buf_reset(&out);
	diag_print(d, &out);
	return out.p != NULL ? out.p : "";
}

static const char meta[] = "title: a test\n"
			   "params:\n"
			   "  - {name: high, default: 0.9, min: 0, max: 1, doc: too much}\n"
			   "  - {name: any, default: 5, doc: no range}\n";

#define RULE(expr)                                                                                 \
	"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      " expr                     \
	"\n    for: 10m\n    keep_firing_for: 1h\n"

static struct diag_file *file(const char *path, const char *text)
{
	struct diag_file *f = ARENA_NEW(&arena, struct diag_file);

	*f = (struct diag_file){str_c(path), str_c(text)};
	return f;
}

static const struct pack *parse(const char *rules)
{
	return pack_parse(&arena, file("x/own.yml", rules), file("x/own.pack", meta), d);
}

static const char *render(const struct pack *p, const char *name, const char *value)
{
	struct label set = {str_c(name), str_c(value)};
	struct pack_use use = {.set = &set, .n_set = name != NULL, .runbooks = STR("http://rb/")};
	struct str s = pack_render(&arena, p, &use, d);

	return s.p;
}

static void assert_has(const char *text, const char *part)
{
	ck_assert_msg(text != NULL && strstr(text, part) != NULL, "no \"%s\" in:\n%s\n%s", part,
		text != NULL ? text : "(nothing)", errors());
}

START_TEST(a_parameter_replaces_its_number_and_nothing_else)
{
	const struct pack *p = parse(RULE("a > 0.9 # $high\n      and b > 0.9"));

	ck_assert_ptr_nonnull(p);
	ck_assert(str_eq(p->name, STR("own")));
	assert_has(render(p, "high", "0.75"), "a > 0.75");
	assert_has(render(p, "high", "0.75"), "b > 0.9");
	assert_has(render(p, NULL, NULL), "a > 0.9");
}
END_TEST

START_TEST(time_scale_multiplies_every_duration_of_an_expression)
{
	static const struct {
		const char *expr, *want;
	} cases[] = {
		{"rate(a[5m]) > 1", "rate(a[30s]) > 1"},
		{"a offset 1h > 1", "a offset 6m > 1"},
		{"a offset -1h > 1", "a offset -6m > 1"},
		{"max_over_time(rate(a[5m])[1h:1m] offset 1d) > 1",
			"max_over_time(rate(a[30s])[6m:6s] offset 2h24m) > 1"},
		{"predict_linear(a[6h], 86400) < 0", "predict_linear(a[36m], 8640) < 0"},
		{"time() - a > 5m", "time() - a > 30s"},
		{"a{b=\"[5m]\"} > 300 # not 5m", "a{b=\"[5m]\"} > 300"},
		{"a > 300", "a > 300"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char rules[1024];
		const char *text;

		(void)snprintf(rules, sizeof rules,
			"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      %s\n"
			"    for: 10m\n    keep_firing_for: 1h\n",
			cases[i].expr);
		text = render(parse(rules), "time_scale", "0.1");
		assert_has(text, cases[i].want);
		assert_has(text, "for: 1m\n");
		assert_has(text, "keep_firing_for: 6m\n");
	}
}
END_TEST

START_TEST(a_range_over_samples_keeps_three_of_them)
{
	static const struct {
		const char *expr, *want;
	} cases[] = {
		{"rate(a[5m]) > 1", "rate(a[15s]) > 1"},
		{"rate({__name__=~\"a.*\"}[5m]) > 1", "[15s]"},
		{"max_over_time(up[10s]) > 1", "[10s]"}, /* never more than at scale 1 */
		{"rate(a[1h]) > 1", "rate(a[36s]) > 1"},
		{"max_over_time(a:b:c[5m]) > 1", "max_over_time(a:b:c[3s]) > 1"},
		{"a offset 5m > 1", "a offset 3s > 1"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char rules[1024];

		(void)snprintf(rules, sizeof rules,
			"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      %s\n"
			"    for: 10m\n",
			cases[i].expr);
		assert_has(render(parse(rules), "time_scale", "0.01"), cases[i].want);
		assert_has(render(parse(rules), "time_scale", "0.01"), "for: 6s\n");
	}
}
END_TEST

START_TEST(the_interval_of_samples_can_be_set)
{
	const struct label set[] = {
		{STR("time_scale"), STR("0.01")}, {STR("scrape_interval"), STR("1")}};
	struct pack_use use = {.set = set, .n_set = 2};

	assert_has(pack_render(&arena, parse(RULE("rate(a[2m]) > 1")), &use, d).p, "a[3s]");
	ck_assert_ptr_null(render(parse(RULE("a > 1")), "scrape_interval", "-1"));
	assert_has(errors(), "scrape_interval must be a number from 0 to 3600");
}
END_TEST

START_TEST(a_duration_that_is_an_expression_is_not_scaled_silently)
{
	const struct pack *p = parse(RULE("rate(a[5m + 1m]) > 1"));

	assert_has(render(p, NULL, NULL), "rate(a[");
	ck_assert_ptr_null(render(p, "time_scale", "0.1"));
	assert_has(errors(), "cannot be scaled by time_scale");
}
END_TEST

START_TEST(wrong_marks_are_told_where_they_stand)
{
	static const struct {
		const char *rules, *want;
	} cases[] = {
		{RULE("a > 0.9 # $hihg"), "own.yml:6:15: $hihg: the pack declares no such"},
		{RULE("a > 0.8 # $high"), "the number is not the parameter's default"},
		{RULE("a > b # $high"), "no number stands in front of it"},
		{RULE("a > 0.9 and\n      b # $high"), "no number stands in front of it"},
		{RULE("a >"), "parse error"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		d = diag_new(&arena);
		ck_assert_ptr_null(parse(cases[i].rules));
		assert_has(errors(), cases[i].want);
	}
}
END_TEST

START_TEST(a_dollar_inside_quotes_is_no_mark)
{
	assert_has(
		render(parse(RULE("a{b=\"# $x\", c='#\\'', d=`#`} > 0.9 # $high")), "high", "0.1"),
		"> 0.1");
}
END_TEST

START_TEST(settings_that_cannot_be_are_refused)
{
	static const struct {
		const char *name, *value, *want;
	} cases[] = {
		{"high", "2", "high must be a number from 0 to 1"},
		{"high", "nan", "high must be a number"},
		{"high", "", "high must be a number"},
		{"any", "inf", "any must be a number"},
		{"hihg", "1", "did you mean \"high\"?"},
		{"time_scale", "0", "time_scale must be a number"},
		{"time_scale", "-1", "time_scale must be a number"},
		{"time_scale", "nan", "time_scale must be a number"},
		{"nonsense", "1", "belfry packs show own lists them"},
	};
	const struct pack *p = parse(RULE("a > 0.9 # $high"));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		d = diag_new(&arena);
		ck_assert_ptr_null(render(p, cases[i].name, cases[i].value));
		assert_has(errors(), cases[i].want);
	}
	d = diag_new(&arena);
	ck_assert_ptr_nonnull(render(p, "any", "-1e9"));
}
END_TEST

START_TEST(a_disabled_alert_is_left_out_and_an_unknown_one_refused)
{
	struct str off[] = {STR("A")}, unknown[] = {STR("B")};
	struct pack_use use = {.disable = off, .n_disable = 1};
	const struct pack *p = parse(RULE("a > 1"));
	struct str s = pack_render(&arena, p, &use, d);

	ck_assert_ptr_nonnull(s.p);
	ck_assert_ptr_null(strstr(s.p, "alert: A"));
	use.disable = unknown;
	ck_assert_ptr_null(pack_render(&arena, p, &use, d).p);
	assert_has(errors(), "pack own has no alert \"B\"");
}
END_TEST

START_TEST(runbooks_are_linked_below_the_base_or_not_at_all)
{
	const struct pack *p = parse(RULE("a > 1") "    annotations: {runbook_url: runbooks/A, "
						   "summary: 'say \"x\" \\ {{ $value }}'}\n");
	struct pack_use use = {.runbooks = STR("")};

	assert_has(render(p, NULL, NULL), "runbook_url: \"http://rb/A\"");
	assert_has(render(p, NULL, NULL), "summary: \"say \\\"x\\\" \\\\ {{ $value }}\"");
	ck_assert_ptr_null(strstr(pack_render(&arena, p, &use, d).p, "runbook_url"));
}
END_TEST

START_TEST(every_pack_that_ships_loads_at_any_scale)
{
	static const char *const scales[] = {"1", "0.05", "0.0001", "10000"};

	ck_assert_uint_gt(pack_count(), 5);
	for (size_t i = 0; i < pack_count(); i++) {
		const struct pack *p = pack_builtin(&arena, pack_name(i), d);

		ck_assert_msg(p != NULL, "%s", errors());
		for (size_t k = 0; k < 4; k++) {
			struct rule_text_file f = {
				STR("pack"), str_c(render(p, "time_scale", scales[k]))};
			struct rule_set *rs = rule_set_load_with(NULL, 0, &f, 1, false, d, &arena);

			ck_assert_msg(rs != NULL, "%s", errors());
			ck_assert_uint_gt(rule_set_count(rs), 0);
			rule_set_free(rs);
		}
	}
	ck_assert_ptr_null(pack_builtin(&arena, STR("no such"), d));
	ck_assert_uint_eq(diag_errors(d), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pack");
	TCase *tc = tcase_create("pack");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_parameter_replaces_its_number_and_nothing_else);
	tcase_add_test(tc, time_scale_multiplies_every_duration_of_an_expression);
	tcase_add_test(tc, a_range_over_samples_keeps_three_of_them);
	tcase_add_test(tc, the_interval_of_samples_can_be_set);
	tcase_add_test(tc, a_duration_that_is_an_expression_is_not_scaled_silently);
	tcase_add_test(tc, wrong_marks_are_told_where_they_stand);
	tcase_add_test(tc, a_dollar_inside_quotes_is_no_mark);
	tcase_add_test(tc, settings_that_cannot_be_are_refused);
	tcase_add_test(tc, a_disabled_alert_is_left_out_and_an_unknown_one_refused);
	tcase_add_test(tc, runbooks_are_linked_below_the_base_or_not_at_all);
	tcase_add_test(tc, every_pack_that_ships_loads_at_any_scale);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
