/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that teach: what people type when they are tired, paste from a dashboard or a word
 * processor, or know from another language, and what they are told: where, what was expected, what
 * they probably meant.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/format.h"
#include "tests/lib/suite.h"

static const struct {
	const char *text;
	unsigned column;
	const char *message;
} wrong[] = {
	{"sum(rate(http_requests_total[5m])", 4, "unclosed left parenthesis"},
	{"sum rate(http_requests_total[5m])", 5,
		"unexpected identifier \"rate\" in aggregation, expected \"(\""},
	{"rate(http_requests_total)", 6,
		"expected type range vector in call to function \"rate\", got instant vector, add "
		"a range such as [5m]"},
	{"rate(http_requests_total{job=\"api\")", 35,
		"unexpected \")\" in label matching, expected \",\" or \"}\""},
	{"http_requests_total{job=\"api\"", 30,
		"unexpected end of input inside braces, expected \"}\""},
	{"http_requests_total{job=api}", 25,
		"unexpected identifier \"api\" in label matching, expected string, values stand in "
		"quotes"},
	{"http_requests_total{job='api\"}", 25,
		"unterminated quoted string: the closing ' is missing"},
	{"http_requests_total{job=\"api\",}}", 32, "unexpected \"}\""},
	{"http_requests_total{job == \"api\"}", 25,
		"unexpected \"==\" in label matching, did you mean \"=\"?"},
	{"http_requests_total{job=\"api\" code=\"200\"}", 31,
		"unexpected identifier \"code\" in label matching, expected \",\" or \"}\""},
	{"http_requests_total{job:\"api\"}", 24,
		"unexpected character inside braces: ':', did you mean \"=\"?"},
	{"http_requests_total{job ~= \"a.*\"}", 25,
		"unexpected character inside braces: '~', did you mean \"=~\"?"},
	{"http_requests_total{job=~\"a(.*\"}", 26, "invalid regular expression: missing ): a(.*"},
	{"http_requests_total{job!=~\"a\"}", 26,
		"unexpected character inside braces: '~', did you mean \"!~\"?"},
	{"http_requests_total{\"job\"=\"api\"}[5m", 36,
		"unexpected end of input in subquery or range, expected \":\" or \"]\""},
	{"http_requests_total = 5", 21, "unexpected \"=\", did you mean \"==\"?"},
	{"http_requests_total => 5", 21, "unexpected \"=\", did you mean \">=\"?"},
	{"http_requests_total =< 5", 21, "unexpected \"=\", did you mean \"<=\"?"},
	{"http_requests_total <> 5", 22, "unexpected \">\", did you mean \"!=\"?"},
	{"http_requests_total && up", 21, "unexpected character: '&', use \"and\""},
	{"http_requests_total || up", 21, "unexpected character: '|', use \"or\""},
	{"!up", 1,
		"unexpected character: '!', there is no negation: compare (== 0), or leave out by "
		"\"unless\""},
	{"not up", 5,
		"unexpected identifier \"up\", there is no negation: compare (== 0), or leave out "
		"by \"unless\""},
	{"sum(http_requests_total by (job))", 25,
		"unexpected \"by\", expected \",\" or \")\", it stands before or behind the "
		"parentheses of an aggregation such as sum"},
	{"sum(http_requests_total) by job", 29,
		"unexpected identifier \"job\" in grouping opts, expected \"(\""},
	{"sum by job (http_requests_total)", 8,
		"unexpected identifier \"job\" in grouping opts, expected \"(\""},
	{"sum(http_requests_total) group by (job)", 26,
		"unexpected \"group\", expected an operator"},
	{"sum by (job, instance) http_requests_total", 24,
		"unexpected identifier \"http_requests_total\" in aggregation, expected \"(\""},
	{"sum(http_requests_total) by (job", 33,
		"unexpected end of input in grouping opts, expected \",\" or \")\""},
	{"sum by (\"job\") (http_requests_total))", 37,
		"unexpected right parenthesis ')', none is open"},
	{"rates(http_requests_total[5m])", 1,
		"unknown function with name \"rates\", did you mean \"rate\"?"},
	{"Rate(http_requests_total[5m])", 1,
		"unknown function with name \"Rate\", did you mean \"rate\"?"},
	{"avg_overtime(mem_bytes[5m])", 1,
		"unknown function with name \"avg_overtime\", did you mean \"avg_over_time\"?"},
	{"histogram_quantil(0.9, lat_seconds_bucket)", 1,
		"unknown function with name \"histogram_quantil\", did you mean "
		"\"histogram_quantile\"?"},
	{"percentile(0.9, mem_bytes)", 1,
		"unknown function with name \"percentile\", did you mean \"quantile\"?"},
	{"median(mem_bytes)", 1,
		"unknown function with name \"median\", did you mean \"quantile\"?"},
	{"average(mem_bytes)", 1, "unknown function with name \"average\", did you mean \"avg\"?"},
	{"stdev(mem_bytes)", 1, "unknown function with name \"stdev\", did you mean \"stddev\"?"},
	{"len(up)", 1, "unknown function with name \"len\", did you mean \"count\"?"},
	{"rate(http_requests_total[5 m])", 28,
		"unexpected identifier \"m\" in subquery or range, expected \":\" or \"]\", "
		"durations are written like 5m or 1h30m"},
	{"rate(http_requests_total[5min])", 26,
		"bad number or duration syntax: \"5min\", durations are 500ms, 30s, 5m, 1h30m, 2d, "
		"1w, 1y"},
	{"rate(http_requests_total[5M])", 26,
		"bad number or duration syntax: \"5M\", durations are 500ms, 30s, 5m, 1h30m, 2d, "
		"1w, 1y"},
	{"rate(http_requests_total[m5])", 26,
		"unexpected identifier \"m5\" in duration expression, expected number, duration, "
		"step(), or range()"},
	{"rate(http_requests_total[$__rate_interval])", 26,
		"unexpected character: '$', a dashboard variable was not replaced"},
	{"rate(http_requests_total[${__range}])", 26,
		"unexpected character: '$', a dashboard variable was not replaced"},
	{"rate(http_requests_total[$__interval])", 26,
		"unexpected character: '$', a dashboard variable was not replaced"},
	{"http_requests_total{instance=$instance}", 30,
		"unexpected character inside braces: '$', a dashboard variable was not replaced"},
	{"sum(rate(http_requests_total{job=\"api\"}[5m])) / $total", 49,
		"unexpected character: '$', a dashboard variable was not replaced"},
	{"sum(up),", 8, "unexpected \",\""},
	{"sum(up,)", 7, "trailing commas not allowed in function call args"},
	{"topk(up)", 1,
		"wrong number of arguments for aggregate expression provided, expected 2, got 1: "
		"topk(5, x)"},
	{"topk(up, 5)", 6,
		"expected type scalar in aggregation parameter, got instant vector, the parameter "
		"stands first: topk(5, ...)"},
	{"topk 5 (up)", 6, "unexpected number \"5\" in aggregation, expected \"(\""},
	{"up == \"1\"", 7,
		"binary expression must contain only scalar and instant vector types, got string"},
	{"\"a\" + 1", 1,
		"binary expression must contain only scalar and instant vector types, got string"},
	{"up offset five minutes", 11,
		"unexpected identifier \"five\" in offset, expected number, duration, step(), or "
		"range()"},
	{"up offset -", 12,
		"unexpected end of input in offset, expected number, duration, step(), or range()"},
	{"up @ now()", 6,
		"unexpected identifier \"now\" in @, expected timestamp, start() or end()"},
	{"rate(up[5m] offset 1h", 5, "unclosed left parenthesis"},
	{"rate(up[5m]) offset 5m", 1,
		"offset modifier must be preceded by an instant vector selector or range vector "
		"selector or a subquery, it stands right behind one: x[5m] offset ..."},
	{"rate(sum(up)[5m])", 13,
		"ranges only allowed for vector selectors, of other expressions take a subquery "
		"such as [5m:]"},
	{"sum(rate(up)[5m])", 13,
		"ranges only allowed for vector selectors, of other expressions take a subquery "
		"such as [5m:]"},
	{"histogram_quantile(lat_seconds_bucket, 0.9)", 20,
		"expected type scalar in call to function \"histogram_quantile\", got instant "
		"vector, the arguments stand the other way round"},
	{"histogram_quantile(0.9)", 1,
		"expected 2 argument(s) in call to \"histogram_quantile\", got 1: "
		"histogram_quantile(scalar, instant vector)"},
	{"label_replace(up, \"a\", \"b\")", 1,
		"expected 5 argument(s) in call to \"label_replace\", got 3: label_replace(x, "
		"\"new label\", \"$1\", \"label\", \"(regex)\")"},
	{"label_replace(up, a, \"b\", \"c\", \"d\")", 19,
		"expected type string in call to function \"label_replace\", got instant vector, "
		"texts stand in quotes"},
	{"http_requests_total{job=“api”}", 25,
		"unexpected character inside braces: '“', use the straight quote \""},
	{"http_requests_total{job=‘api’}", 25,
		"unexpected character inside braces: '‘', use the straight quote '"},
	{"up – 1", 4, "unexpected character: '–', use \"-\""},
	{"up × 2", 4, "unexpected character: '×', use \"*\""},
	{"1 2", 3, "unexpected number \"2\", expected an operator"},
	{"up up", 4, "unexpected identifier \"up\", expected an operator"},
	{"up + ", 6, "unexpected end of input, expected an expression"},
	{"* up", 1, "unexpected \"*\""},
	{"(up", 1, "unclosed left parenthesis"},
	{"up)", 3, "unexpected right parenthesis ')', none is open"},
	{"{}", 1, "vector selector must contain at least one non-empty matcher"},
	{"{job=~\".*\"}", 1, "vector selector must contain at least one non-empty matcher"},
	{"rate(up[5m])[5m]", 13,
		"ranges only allowed for vector selectors, of other expressions take a subquery "
		"such as [5m:]"},
	{"up and on job up", 11, "unexpected identifier \"job\" in grouping opts, expected \"(\""},
	{"up * group_left() up", 6,
		"unexpected \"group_left\", expected on(...) or ignoring(...) before it"},
	{"up and on(job) group_left() up", 4,
		"no grouping allowed for \"and\" operation, leave group_left or group_right out"},
	{"up if up > 1", 4, "unexpected identifier \"if\", a condition is \"and\" or a comparison"},
	{"SELECT * FROM up", 15, "unexpected identifier \"up\", expected an operator"},
	{"up.job", 3, "unexpected character: '.', a name with dots is written {\"a.b\"}"},
	{"http.requests.total", 5,
		"unexpected character: '.', a name with dots is written {\"a.b\"}"},
	{"cpu usage", 5, "unexpected identifier \"usage\", expected an operator"},
	{"1.2.3", 1, "bad number or duration syntax: \"1.2.3\", more than one point"},
	{"5m30", 1,
		"bad number or duration syntax: \"5m30\", durations are 500ms, 30s, 5m, 1h30m, 2d, "
		"1w, 1y"},
	{"0x", 1, "bad number or duration syntax: \"0x\""},
	{"1e", 1, "bad number or duration syntax: \"1e\""},
	{"\"unterminated", 1, "unterminated quoted string: the closing \" is missing"},
	{"count(up) > 1 for 5m", 15,
		"unexpected identifier \"for\", how long belongs into the rule (for:)"},
	{"rate(up[5m]) > 1k", 16,
		"bad number or duration syntax: \"1k\", a thousand is 1e3, a million 1e6"},
	{"rate(up[5m]) > 10%", 19,
		"unexpected end of input, expected an expression, % is the remainder of a "
		"division; 80 per cent are 0.8 of a ratio"},
	{"up > 1,000", 7, "unexpected \",\", digits are grouped by _ (1_000)"},
	{"avg(up) over 5m", 9,
		"unexpected identifier \"over\", over time is a function: avg_over_time(x[5m])"},
	{"max(up, 1)", 1,
		"wrong number of arguments for aggregate expression provided, expected 1, got 2, "
		"at least 0 is clamp_min(x, 0)"},
	{"if(up > 1, 2, 3)", 1, "unknown function with name \"if\""},
	{"time() - 5 minutes", 12,
		"unexpected identifier \"minutes\", durations are written like 5m or 1h30m"},
	{"day_of_week(up, \"UTC\")", 1,
		"expected at most 1 argument(s) in call to \"day_of_week\", got 2: "
		"day_of_week([instant vector])"},
	{"clamp(up, 1)", 1,
		"expected 3 argument(s) in call to \"clamp\", got 2: clamp(instant vector, scalar, "
		"scalar)"},
	{"round(up, 0.1, 3)", 1,
		"expected at most 2 argument(s) in call to \"round\", got 3: round(instant "
		"vector[, scalar])"},
	{"vector(up)", 8,
		"expected type scalar in call to function \"vector\", got instant vector"},
	{"absent(up[5m])", 8,
		"expected type instant vector in call to function \"absent\", got range vector, "
		"take a function such as rate() over the range first"},
	{"absent_over_time(up)", 18,
		"expected type range vector in call to function \"absent_over_time\", got instant "
		"vector, add a range such as [5m]"},
	{"sort_desc(up) by (job)", 15,
		"unexpected \"by\", it stands before or behind the parentheses of an aggregation "
		"such as sum"},
	{"quantile(up, 0.9)", 10,
		"expected type scalar in aggregation parameter, got instant vector, the parameter "
		"stands first: quantile(0.9, ...)"},
	{"quantile_over_time(mem_bytes[5m], 0.9)", 20,
		"expected type scalar in call to function \"quantile_over_time\", got range "
		"vector, the arguments stand the other way round"},
	{"count_values(up, \"v\")", 14,
		"expected type string in aggregation parameter, got instant vector, the parameter "
		"stands first: count_values(\"label\", ...)"},
	{"predict_linear(mem_bytes[5m])", 1,
		"expected 2 argument(s) in call to \"predict_linear\", got 1: predict_linear(range "
		"vector, scalar)"},
	{"up[5m:1m:2m]", 9, "unexpected \":\" in subquery or range, expected \"]\""},
	{"up[:5m]", 4,
		"unexpected \":\" in subquery or range selector, expected number, duration, "
		"step(), or range()"},
	{"up[]", 4,
		"unexpected \"]\" in subquery or range selector, expected number, duration, "
		"step(), or range()"},
	{"up[5m] + 1", 1,
		"binary expression must contain only scalar and instant vector types, got range "
		"vector, take a function such as rate() over the range first"},
	{"up bool == 1", 4, "unexpected \"bool\", bool stands behind the comparison (== bool)"},
	{"up == bool", 11, "unexpected end of input, expected an expression"},
	{"1 == 2", 3, "comparisons between scalars must use BOOL modifier: == bool"},
	{"x{code=500}", 8,
		"unexpected number \"500\" in label matching, expected string, values stand in "
		"quotes"},
	{"x{a=\"b\" and b=\"c\"}", 9,
		"unexpected identifier \"and\" in label matching, expected \",\" or \"}\", "
		"conditions are joined by \",\", alternatives by label=~\"a|b\""},
	{"x{job=\"api\"|\"web\"}", 12,
		"unexpected character inside braces: '|', alternatives are matched: "
		"label=~\"a|b\""},
	{"x{job=[\"api\",\"web\"]}", 7,
		"unexpected \"[\" in label matching, expected string, alternatives are matched: "
		"label=~\"a|b\""},
	{"x{a-b=\"c\"}", 4,
		"unexpected \"-\" in label matching, expected label matching operator (= != =~ "
		"!~), a label with dashes stands in quotes"},
	{"x{5xx=\"1\"}", 3,
		"bad number or duration syntax: \"5xx\", a label that begins with a digit stands "
		"in quotes"},
	{"x{a=\"b\"}{c=\"d\"}", 9, "unexpected \"{\", all conditions stand in one pair of braces"},
	{"x{path=~\"\\d+\"}", 10,
		"unknown escape sequence in string, a backslash is written twice (\\\\d) or "
		"between backquotes"},
	{"x{path=~\"(?!/health).*\"}", 9,
		"invalid regular expression: invalid perl operator: (?!, nothing looks ahead: "
		"leave out by another condition with !~"},
	{"x{straße=\"a\"}", 7,
		"unexpected character inside braces: 'ß', a label of other letters than a to z "
		"stands in quotes"},
	{"sum by (a-b) (x)", 10,
		"unexpected \"-\" in grouping opts, expected \",\" or \")\", a label with dashes "
		"stands in quotes"},
	{"sum by (job=\"api\") (x)", 12,
		"unexpected \"=\" in grouping opts, expected \",\" or \")\""},
	{"x =~ \"a\"", 3, "unexpected \"=~\", it stands between braces: {label=~\"a.*\"}"},
	{"x{a=\"b\"} in (\"c\", \"d\")", 10,
		"unexpected identifier \"in\", alternatives are matched: {label=~\"a|b\"}"},
	{"x is null", 3, "unexpected identifier \"is\", for what is missing there is absent(x)"},
	{"x ? 1 : 0", 3, "unexpected character: '?', there is no ? and :, use \"and\" and \"or\""},
	{"x | y", 3, "unexpected character: '|', use \"or\""},
	{"x{a=~\"\\\\pL{1000}\"}", 6, "regular expression: compiled it needs more than 1024 KiB"},
	{"on(job) x", 1, "unexpected \"on\", it stands behind an operator: x * on(a) y"},
	{"rat(x[5m])", 1, "unknown function with name \"rat\", did you mean \"rate\"?"},
	{"RATE(x[5m])", 1, "unknown function with name \"RATE\", did you mean \"rate\"?"},
	{"holt_winters(x[5m], 0.5, 0.5)", 1,
		"unknown function with name \"holt_winters\", did you mean "
		"\"double_exponential_smoothing\"?"},
	{"rate(x offset 1h[5m])", 17, "no offset modifiers allowed before range: x[5m] offset 1h"},
	{"rate(x[{{ interval }}])", 8,
		"unexpected \"{\" in duration expression, expected number, duration, step(), or "
		"range(), a template was not filled in"},
	{"rate(x[1.5h])", 8,
		"bad number or duration syntax: \"1.5h\", parts of a unit are written in a smaller "
		"one: 1h30m"},
	{"x > 10MB", 5,
		"bad number or duration syntax: \"10MB\", a thousand is 1e3, a million 1e6"},
	{"x and 5", 3,
		"set operator \"and\" not allowed in binary scalar expression, vector(1) makes a "
		"vector of a number"},
	{"min(x, 100)", 1,
		"wrong number of arguments for aggregate expression provided, expected 1, got 2, "
		"at most 1 is clamp_max(x, 1)"},
	{"topk(5)", 1,
		"wrong number of arguments for aggregate expression provided, expected 2, got 1: "
		"topk(5, x)"},
	{"-x[5m]", 1,
		"unary expression only allowed on expressions of type scalar or instant vector, "
		"got \"range vector\", take a function such as rate() over the range first"},
	{"label_join(x, \"a\")", 1,
		"expected at least 3 argument(s) in call to \"label_join\", got 2: label_join(x, "
		"\"new label\", \"separator\", \"label\", ...)"},
};

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, (size_t)16 << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

START_TEST(each_slip_is_told_where_and_what)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct str text = str_c(wrong[i].text);
		struct err e = {.kind = ERR_NONE};
		char want[ERR_MSG_MAX];

		(void)snprintf(want, sizeof want, "1:%u: parse error: %s", wrong[i].column,
			wrong[i].message);
		ck_assert_msg(pq_parse(&arena, text, true, &e) == NULL, "taken: %s", wrong[i].text);
		ck_assert_str_eq(e.msg, want);
		ck_assert_uint_eq(e.off + 1, wrong[i].column);
		ck_assert_uint_le(e.off, text.n);
	}
}
END_TEST

/* The caret stands under the place, also behind characters of several bytes. */
START_TEST(a_caret_stands_under_the_place)
{
	static const struct {
		const char *text, *excerpt;
	} cases[] = {
		{"sum(rates(x[5m]))", "\n  sum(rates(x[5m]))\n      ^~~~~"},
		{"up{job=\xe2\x80\x9c"
		 "a\xe2\x80\x9d}",
			"\n  up{job=\xe2\x80\x9c"
			"a\xe2\x80\x9d}\n         ^"},
		{"up{a=\"\xc3\xa4\"} = 5", "\n  up{a=\"\xc3\xa4\"} = 5\n            ^"},
		{"up{a=\"b\"", "\n  up{a=\"b\"\n          ^"},
		{"sum(up)\n  by job", "\n    by job\n       ^~~"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str text = str_c(cases[i].text);
		struct err e = {.kind = ERR_NONE};
		struct buf b;

		ck_assert_ptr_null(pq_parse(&arena, text, true, &e));
		buf_init(&b, 4096);
		pq_error_excerpt(&b, text, &e);
		buf_ch(&b, '\0');
		ck_assert_str_eq(b.p, cases[i].excerpt);
		buf_fini(&b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_errors");
	TCase *tc = tcase_create("promql_errors");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_slip_is_told_where_and_what);
	tcase_add_test(tc, a_caret_stands_under_the_place);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
