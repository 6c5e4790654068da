/* SPDX-License-Identifier: Apache-2.0 */
/* The PromQL parser: canonical text, error texts and places, limits, and questions about trees. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "tests/lib/suite.h"

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, (size_t)32 << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

static const struct pq_expr *must_parse(const char *text)
{
	struct err e;
	const struct pq_expr *x = pq_parse(&arena, str_c(text), true, &e);

	ck_assert_msg(x != NULL, "%s: %s", text, e.msg);
	return x;
}

/* {text, canonical}; NULL: the same. */
static const struct {
	const char *text, *canonical;
} printed[] = {
	{"1", NULL},
	{"0x1F", "31"},
	{"0755", "493"},
	{"08.5", "8.5"},
	{"1_000.5e1", "10005"},
	{"-1", NULL},
	{"--1", "1"},
	{"+Inf", NULL},
	{"-inf", "-Inf"},
	{"NaN", NULL},
	{"1h30m", NULL},
	{"90m", "1h30m"},
	{"-5m", NULL},
	{"1e-7", "0.0000001"},
	{"'a\"b'", "\"a\\\"b\""},
	{"`a\\b`", "\"a\\\\b\""},
	{"\"\\u00e9\\x41\\101\\t\"", "\"éAA\\t\""},
	{"foo", NULL},
	{"foo{}", "foo"},
	{"foo{b='x',a=~\"y\",}", "foo{a=~\"y\",b=\"x\"}"},
	{"{__name__=\"foo\"}", NULL},
	{"{\"foo\"}", "{__name__=\"foo\"}"},
	{"{\"my.metric\",\"a.b\"!=\"c\"}", "{\"a.b\"!=\"c\",__name__=\"my.metric\"}"},
	{"a:b:c", NULL},
	{":a", NULL},
	{"foo[300]", "foo[5m]"},
	{"foo[5m] offset 1h @ 10", "foo[5m] @ 10.000 offset 1h"},
	{"foo @ start() offset -1h", NULL},
	{"foo @ -1.5", "foo @ -1.500"},
	{"foo offset 1h @ end()", "foo @ end() offset 1h"},
	{"foo offset (1h/2)", "foo offset (1h / 2)"},
	{"foo offset -(5m)", NULL},
	{"foo offset step() * 2", NULL},
	{"foo offset -2^2", "foo offset -2s ^ 2"},
	{"foo offset (5m) * 2", NULL},
	{"foo offset (5m) * bar", NULL},
	{"foo[5m+step()*2]", "foo[5m + step() * 2]"},
	{"foo[max_of(1m,range())]", "foo[max_of(1m, range())]"},
	{"foo[2^3^2]", "foo[2 ^ 3 ^ 2]"},
	{"foo[1h:]", NULL},
	{"foo[1h:5m] @ 1 offset 1m", "foo[1h:5m] @ 1.000 offset 1m"},
	{"foo anchored offset 1m", NULL},
	{"foo[5m] smoothed", NULL},
	{"SUM(foo)", "sum(foo)"},
	{"sum by() (foo)", "sum(foo)"},
	{"sum without() (foo)", "sum without () (foo)"},
	{"sum(foo) by (a,\"b.c\",)", "sum by (a, \"b.c\") (foo)"},
	{"topk(5,foo) without(a)", "topk without (a) (5, foo)"},
	{"count_values(\"v\", foo)", NULL},
	{"a+b*c^d", "a + b * c ^ d"},
	{"(a+b)*c", "(a + b) * c"},
	{"a == bool b", NULL},
	{"a/on(x)group_left(y)b", "a / on (x) group_left (y) b"},
	{"a*ignoring(x)group_right b", "a * ignoring (x) group_right () b"},
	{"a + on() b", "a + on () b"},
	{"a + ignoring() b", "a + b"},
	{"a + fill(1) b", "a + fill (1) b"},
	{"a + fill_right(2) fill_left(-1) b", "a + fill_left (-1) fill_right (2) b"},
	{"a AND b UNLESS c OR d", "a and b unless c or d"},
	{"fill + fill", NULL},
	{"a </ 5 >/ 3", NULL},
	{"-a^2", "-a ^ 2"},
	{"-foo offset 5m", NULL},
	{"sum", NULL},
	{"sum + by + offset", NULL},
	{"start + end()", NULL},
	{"sum by (sum, by, offset, bool, atan2) (x)", NULL},
	{"rate(foo[5m]) # why\n > 1", "rate(foo[5m]) > 1"},
	{"time()", NULL},
	{"label_join(a, \"b\", \",\")", NULL},
	{"day_of_week()", NULL},
	{"info(a, {b=~\".*\"})", NULL},
	{"info(a, { })", "info(a, {})"},
};

START_TEST(expressions_print_in_canonical_form)
{
	const char *want = printed[_i].canonical != NULL ? printed[_i].canonical : printed[_i].text;
	struct buf b;

	buf_init(&b, 4096);
	pq_expr_print(&b, must_parse(printed[_i].text));
	ck_assert_str_eq(b.p, want);
	buf_fini(&b);
}
END_TEST

static const struct {
	const char *text, *msg; /* the message begins so */
} refused[] = {
	{"", "1:1: parse error: no expression found in input"},
	{" # only this", "1:1: parse error: no expression found in input"},
	{"(foo", "1:1: parse error: unclosed left parenthesis"},
	{"rate(foo[5m]", "1:5: parse error: unclosed left parenthesis"},
	{"foo)", "1:4: parse error: unexpected right parenthesis"},
	{"foo +\n  * 2", "2:3: parse error: unexpected \"*\""},
	{"1 +", "1:4: parse error: unexpected end of input, expected an expression"},
	{"foo = 1", "1:5: parse error: unexpected \"=\", did you mean \"==\"?"},
	{"foo && bar", "1:5: parse error: unexpected character: '&', use \"and\""},
	{"$foo", "1:1: parse error: unexpected character: '$', a dashboard variable"},
	{"rates(foo)",
		"1:1: parse error: unknown function with name \"rates\", did you mean \"rate\"?"},
	{"summ(foo)",
		"1:1: parse error: unknown function with name \"summ\", did you mean \"sum\"?"},
	{"frobnicate(x)", "1:1: parse error: unknown function with name \"frobnicate\""},
	{"rate(foo)",
		"1:6: parse error: expected type range vector in call to function \"rate\", got "
		"instant vector, add a range such as [5m]"},
	{"rate(sum(foo))",
		"1:6: parse error: expected type range vector in call to function \"rate\", "
		"got instant vector, add a subquery range such as [5m:]"},
	{"sum(foo[5m])",
		"1:5: parse error: expected type instant vector in aggregation expression"},
	{"abs(1)",
		"1:5: parse error: expected type instant vector in call to function \"abs\", got "
		"scalar, vector() makes one of a scalar"},
	{"sum(foo) by job", "1:13: parse error: unexpected identifier \"job\" in grouping opts, "
			    "expected \"(\""},
	{"foo{a=b}",
		"1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
	{"foo{a=\"b\"", "1:10: parse error: unexpected end of input inside braces"},
	{"foo{a=~\"(\"}", "1:8: parse error: invalid regular expression: missing ): ("},
	{"foo{1}", "1:5: parse error: unexpected number \"1\" in label matching"},
	{"foo[5m", "1:7: parse error: unexpected end of input in subquery or range, expected"},
	{"foo[]", "1:5: parse error: unexpected \"]\" in subquery or range selector"},
	{"foo[0]", "1:5: parse error: duration must be greater than 0"},
	{"foo[5x]", "1:5: parse error: bad number or duration syntax: \"5x\""},
	{"foo offset", "1:11: parse error: unexpected end of input in offset"},
	{"foo offset 1m offset 1m", "1:1: parse error: offset may not be set multiple times"},
	{"foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
	{"foo @ 1e30", "1:7: parse error: timestamp out of bounds for @ modifier"},
	{"(foo) offset 5m", "1:1: parse error: offset modifier must be preceded by"},
	{"foo anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot"},
	{"a + group_left b", "1:5: parse error: unexpected \"group_left\", expected on(...) or"},
	{"\"abc", "1:1: parse error: unterminated quoted string"},
	{"\"a\\q\"", "1:3: parse error: unknown escape sequence in string"},
	{"\"\\ud800\"", "1:7: parse error: escape sequence is an invalid Unicode code point"},
	{"\"\xff\"", "1:1: parse error: the string is not valid UTF-8"},
	{"foo\xff", "1:4: parse error: unexpected byte 0xff"},
	{"fоo", "1:2: parse error: unexpected character: 'о'"},
	{"sum(a,b)",
		"1:1: parse error: wrong number of arguments for aggregate expression provided, "
		"expected 1, got 2"},
	{"abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"},
	{"round(a, 1, 2)",
		"1:1: parse error: expected at most 2 argument(s) in call to \"round\", got "
		"3"},
	{"histogram_quantile(0.9)", "1:1: parse error: expected 2 argument(s) in call to"},
	{"label_replace(a)", "1:1: parse error: expected 5 argument(s)"},
	{"label_join(a)", "1:1: parse error: expected at least 3 argument(s)"},
	{"info(a, b)", "1:9: parse error: expected label selectors only"},
	{"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
	{"1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.3\""},
	{"1__0", "1:1: parse error: bad number or duration syntax"},
	{"foo[1m] [1m]", "1:9: parse error: ranges only allowed for vector selectors"},
};

START_TEST(errors_say_where_what_and_what_was_expected)
{
	struct err e = {.kind = ERR_NONE};

	ck_assert_msg(pq_parse(&arena, str_c(refused[_i].text), true, &e) == NULL, "%s",
		refused[_i].text);
	ck_assert_msg(strncmp(e.msg, refused[_i].msg, strlen(refused[_i].msg)) == 0, "%s\n%s\n%s",
		refused[_i].text, e.msg, refused[_i].msg);
	ck_assert(e.kind == ERR_INPUT);
	ck_assert(e.off <= strlen(refused[_i].text));
}
END_TEST

START_TEST(experimental_forms_need_the_switch)
{
	static const char *const forms[] = {"info(a)", "limitk(1, a)", "a + fill(0) b",
		"a anchored", "mad_over_time(a[5m])", "step()"};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		ck_assert(pq_parse(&arena, str_c(forms[i]), true, &e) != NULL);
		ck_assert(pq_parse(&arena, str_c(forms[i]), false, &e) == NULL);
		ck_assert_ptr_nonnull(
			strstr(e.msg, "experimental and not enabled (query.experimental)"));
	}
	ck_assert(pq_parse(&arena, STR("a[5m + 1m] offset (step())"), false, &e) != NULL);
}
END_TEST

/* n times `part`, then `end`. */
static struct str repeated(const char *part, size_t n, const char *end)
{
	size_t len = strlen(part);
	char *p = arena_alloc(&arena, n * len + strlen(end) + 1, 1);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++)
		memcpy(p + i * len, part, len);
	memcpy(p + n * len, end, strlen(end));
	return str_n(p, n * len + strlen(end));
}

START_TEST(depth_and_size_are_bounded)
{
	static const struct {
		const char *part;
		size_t n;
		const char *end;
	} deep[] = {{"(", 16000, "1"}, {"-", 16000, "a"}, {"1+", 8000, "1"}, {"abs(", 4000, "a"},
		{"2^", 8000, "2"}, {"sum(", 4000, "a"}, {"x[1:][", 2000, ""}, {"(", 100000, "1"},
		{"{", 16000, ""}, {"a[", 8000, ""}, {"sum by (a) (", 1000, "x"}};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
		e.kind = ERR_NONE;
		ck_assert(pq_parse(&arena, repeated(deep[i].part, deep[i].n, deep[i].end), true,
				  &e) == NULL);
		ck_assert(e.kind == ERR_LIMIT || e.kind == ERR_INPUT);
		ck_assert(e.msg[0] != '\0');
	}
	ck_assert(pq_parse(&arena, repeated("(", 16000, "1"), true, &e) == NULL);
	ck_assert(e.kind == ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(e.msg, "nested deeper than"));
	ck_assert(pq_parse(&arena, repeated("a[(", 1, "((((((((((1))))))))))"), true, &e) == NULL);
	ck_assert(pq_parse(&arena, repeated(" ", LIMIT_EXPR_BYTES, "1"), true, &e) == NULL);
	ck_assert(e.kind == ERR_LIMIT);
	ck_assert(pq_parse(&arena, repeated(" ", LIMIT_EXPR_BYTES - 1, "1"), true, &e) != NULL);
	ck_assert(pq_parse(&arena, repeated("1+", LIMIT_EXPR_DEPTH - 1, "1"), true, &e) != NULL);
	ck_assert(pq_parse(&arena, repeated("a{b=~\"x.y\"}+", LIMIT_EXPR_REGEXES, "a{b=~\"x.y\"}"),
			  true, &e) == NULL);
	ck_assert(e.kind == ERR_LIMIT);
}
END_TEST

START_TEST(a_small_arena_is_a_clean_error)
{
	struct err e;

	for (size_t limit = 4200; limit < 60000; limit += 700) {
		struct arena small;

		arena_init(&small, limit);
		e.kind = ERR_NONE;
		if (pq_parse(&small, STR("sum by (a) (rate(x{y=~\"z+\"}[5m])) / on (b, c) foo > 1"),
			    false, &e) == NULL)
			ck_assert(e.kind == ERR_LIMIT);
		arena_fini(&small);
	}
}
END_TEST

START_TEST(a_comparison_with_a_constant_has_a_threshold)
{
	static const struct {
		const char *text, *op; /* NULL: none */
		double v;
	} cases[] = {{"a > 5", ">", 5}, {"(a <= (-5m))", "<=", -300}, {"5 > a", "<", 5},
		{"rate(a[1m]) == 0", "==", 0}, {"a > bool 5", NULL, 0}, {"a > b", NULL, 0},
		{"a > 1 + 1", NULL, 0}, {"a > 1 and b", ">", 1}, {"(a > 2 unless b) and c", ">", 2},
		{"a > 1 or b", NULL, 0}, {"1 > bool 0", NULL, 0}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pq_expr *side = NULL;
		const char *op = NULL;
		double v = 0;

		ck_assert_msg(pq_expr_threshold(must_parse(cases[i].text), &side, &v, &op) ==
				      (cases[i].op != NULL),
			"%s", cases[i].text);
		if (cases[i].op == NULL)
			continue;
		ck_assert_str_eq(op, cases[i].op);
		ck_assert(f64_bits(v) == f64_bits(cases[i].v));
		ck_assert(pq_expr_type(side) == PQ_VECTOR);
	}
}
END_TEST

static void collect(const struct matcher *m, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_str(b, n > 0 ? m[n - 1].value : STR("-"));
	buf_ch(b, ' ');
}

START_TEST(all_selectors_of_an_expression_are_found)
{
	struct buf b;

	buf_init(&b, 1000);
	pq_expr_selectors(
		must_parse("sum(rate(a[5m])) + topk(scalar(c), max_over_time(b[1h:])) / -d"),
		collect, &b);
	ck_assert_str_eq(b.p, "a b c d ");
	buf_fini(&b);
}
END_TEST

START_TEST(a_selector_alone_is_read_and_must_select_something)
{
	static const char *const wrong[] = {"", "{}", "{a=~\".*\"}", "up offset 5m", "up[5m]", "1",
		"sum(up)", "up{", "a{__name__=\"b\"}", "up or up"};
	struct matcher *m;
	struct err e;
	size_t n;

	ck_assert(pq_parse_selector(&arena, STR("up{job=~\"a|b\"}"), &m, &n, &e) == 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(matcher_matches(&m[0], STR("b")));
	ck_assert(str_eq(m[1].name, LABEL_NAME));
	ck_assert(pq_parse_selector(&arena, STR("{\"my.metric\"}"), &m, &n, &e) == 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(pq_parse_selector(&arena, STR("sum"), &m, &n, &e) == 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(pq_parse_selector(&arena, str_c(wrong[i]), &m, &n, &e) != 0, "%s",
			wrong[i]);
}
END_TEST

START_TEST(duration_expressions_have_values)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {{"a[5m+step()]", 310000}, {"a[range()/2]", 50000}, {"a[2^3^2]", 512000},
		{"a[7%4]", 3000}, {"a[-(1-3)]", 2000}, {"a[max_of(1,step())]", 10000},
		{"a[min_of(1,step())]", 1000}, {"a[(1-1)]", -1}, {"a[1/(1-1)]", -1},
		{"a[9e9*9e9]", -1}, {"a[(0-1)^0.5]", -1}, {"a[2m-1m*2+1]", 1000}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pq_expr *x = must_parse(cases[i].text);
		struct err e;
		int64_t ms = 0;
		int rc;

		ck_assert_msg(x->u.range.range_expr != NULL, "%s", cases[i].text);
		rc = pq_dur_eval(x->u.range.range_expr, 10000, 100000, false, &ms, &e);
		ck_assert_msg((rc == 0) == (cases[i].ms >= 0), "%s", cases[i].text);
		if (rc == 0)
			ck_assert_int_eq(ms, cases[i].ms);
	}
}
END_TEST

START_TEST(functions_are_sorted_found_and_well_formed)
{
	for (int i = 0; i < PQ_FN_COUNT; i++) {
		const struct pq_func *f = pq_func((enum pq_fn)i);

		ck_assert(i == 0 || strcmp(pq_func((enum pq_fn)(i - 1))->name, f->name) < 0);
		ck_assert_ptr_eq(pq_func_find(str_c(f->name)), f);
		ck_assert(strspn(f->args, "vmst") == f->n_args);
	}
	ck_assert_ptr_null(pq_func_find(STR("nope")));
	ck_assert_ptr_null(pq_func_find(STR("Rate")));
	ck_assert_ptr_nonnull(pq_aggregation_find(STR("Sum")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_parse");
	TCase *t = tcase_create("promql_parse");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, expressions_print_in_canonical_form, 0, ARRAY_LEN(printed));
	tcase_add_loop_test(t, errors_say_where_what_and_what_was_expected, 0, ARRAY_LEN(refused));
	tcase_add_test(t, experimental_forms_need_the_switch);
	tcase_add_test(t, depth_and_size_are_bounded);
	tcase_add_test(t, a_small_arena_is_a_clean_error);
	tcase_add_test(t, a_comparison_with_a_constant_has_a_threshold);
	tcase_add_test(t, all_selectors_of_an_expression_are_found);
	tcase_add_test(t, a_selector_alone_is_read_and_must_select_something);
	tcase_add_test(t, duration_expressions_have_values);
	tcase_add_test(t, functions_are_sorted_found_and_well_formed);
	suite_add_tcase(s, t);
	return suite_run(s);
}
