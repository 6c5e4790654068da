/* SPDX-License-Identifier: Apache-2.0 */
/* The pretty printer and the JSON of syntax trees. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/format.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct buf out;

static void setup(void)
{
	arena_init(&arena, (size_t)32 << 20);
	buf_init(&out, (size_t)16 << 20);
}

static void teardown(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

static const struct pq_expr *must_parse(struct str text)
{
	struct err e;
	const struct pq_expr *x = pq_parse(&arena, text, true, &e);

	ck_assert_msg(x != NULL, STR_FMT ": %s", STR_ARG(text), e.msg);
	return x;
}

#define LONG_A "first_metric_with_a_rather_long_name{environment=\"production\",job=\"web\"}"
#define LONG_B "second_metric_with_a_rather_long_name{environment=\"production\",job=\"web\"}"

static const struct {
	const char *text, *pretty;
} laid_out[] = {
	{"a  +  b", "a + b"},
	{"sum by(job)(" LONG_A " + " LONG_B ")",
		"sum by (job) (\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
	{"-(" LONG_A " + " LONG_B ")", "-(\n    " LONG_A "\n  +\n    " LONG_B "\n)"},
	{"topk(5, " LONG_A " / on (job) group_left () " LONG_B ")",
		"topk(\n  5,\n    " LONG_A "\n  / on (job) group_left ()\n    " LONG_B "\n)"},
	{"clamp(" LONG_A " or " LONG_B ", 0, 1)",
		"clamp(\n    " LONG_A "\n  or\n    " LONG_B ",\n  0,\n  1\n)"},
	{"max_over_time((" LONG_A " > " LONG_B ")[1h:5m] offset 1d)",
		"max_over_time(\n  (\n      " LONG_A "\n    >\n      " LONG_B
		"\n  )[1h:5m] offset 1d\n)"},
};

START_TEST(long_expressions_are_split_at_their_outermost_parts)
{
	pq_expr_pretty(&out, must_parse(str_c(laid_out[_i].text)));
	ck_assert_str_eq(out.p, laid_out[_i].pretty);
	/* and mean the same */
	ck_assert(must_parse(buf_view(&out)) != NULL);
}
END_TEST

static const struct {
	const char *text, *json;
} trees[] = {
	{"1", "{\"type\":\"numberLiteral\",\"val\":\"1\"}"},
	{"-Inf", "{\"type\":\"numberLiteral\",\"val\":\"-Inf\"}"},
	{"\"a\\\"b\"", "{\"type\":\"stringLiteral\",\"val\":\"a\\\"b\"}"},
	{"-(up)",
		"{\"expr\":{\"expr\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\","
		"\"type\":\"=\",\"value\":\"up\"}],\"name\":\"up\",\"offset\":0,\"offsetExpr\":"
		"null,"
		"\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":"
		"\"vectorSelector\"},\"type\":\"parenExpr\"},\"op\":\"-\",\"type\":\"unaryExpr\"}"},
	{"{a!~\"b?\"}[5m + step()] @ end() offset -1m",
		"{\"anchored\":false,\"matchers\":[{\"name\":\"a\",\"type\":\"!~\",\"value\":\"b?"
		"\"}"
		"],"
		"\"name\":\"\",\"offset\":-60000,\"offsetExpr\":null,\"range\":0,\"rangeExpr\":{"
		"\"lhs\":{\"duration\":true,\"type\":\"numberLiteral\",\"val\":\"300\"},\"op\":\"+"
		"\","
		"\"rhs\":{\"lhs\":null,\"op\":\"step\",\"rhs\":null,\"type\":\"durationExpr\","
		"\"wrapped\":false},\"type\":\"durationExpr\",\"wrapped\":false},\"smoothed\":"
		"false,"
		"\"startOrEnd\":\"end\",\"timestamp\":null,\"type\":\"matrixSelector\"}"},
	{"topk by (a) (2, vector(1) + on (b) fill_left (3) vector(2))",
		"{\"expr\":{\"bool\":false,\"lhs\":{\"args\":[{\"type\":\"numberLiteral\",\"val\":"
		"\"1\"}],\"func\":{\"argTypes\":[\"scalar\"],\"name\":\"vector\",\"returnType\":"
		"\"vector\",\"variadic\":0},\"type\":\"call\"},\"matching\":{\"card\":\"one-to-"
		"one\","
		"\"fillValues\":{\"lhs\":3,\"rhs\":null},\"include\":[],\"labels\":[\"b\"],\"on\":"
		"true},\"op\":\"+\",\"rhs\":{\"args\":[{\"type\":\"numberLiteral\",\"val\":\"2\"}],"
		"\"func\":{\"argTypes\":[\"scalar\"],\"name\":\"vector\",\"returnType\":\"vector\","
		"\"variadic\":0},\"type\":\"call\"},\"type\":\"binaryExpr\"},\"grouping\":[\"a\"],"
		"\"op\":\"topk\",\"param\":{\"type\":\"numberLiteral\",\"val\":\"2\"},\"type\":"
		"\"aggregation\",\"without\":false}"},
};

START_TEST(trees_are_json_with_sorted_keys)
{
	pq_expr_json(&out, must_parse(str_c(trees[_i].text)));
	ck_assert_str_eq(out.p, trees[_i].json);
}
END_TEST

START_TEST(the_deepest_tree_is_sound_json)
{
	char text[2 * LIMIT_EXPR_DEPTH];
	size_t n = LIMIT_EXPR_DEPTH - 1;
	json_t *j;

	memset(text, '(', n);
	text[n] = '1';
	memset(text + n + 1, ')', n);
	pq_expr_json(&out, must_parse(str_n(text, 2 * n + 1)));
	ck_assert(!out.failed);
	j = json_loadb(out.p, out.n, 0, NULL);
	ck_assert_ptr_nonnull(j);
	json_decref(j);
}
END_TEST

static const struct {
	const char *text, *excerpt;
} places[] = {
	{"sum(rates(x[5m]))", "\n  sum(rates(x[5m]))\n      ^~~~~"},
	{"sum(\n  rate(x)\n)", "\n    rate(x)\n         ^"},
	{"1 +", "\n  1 +\n     ^"},
	{"", ""},
	/* no byte of it drives a terminal, none is broken text */
	{"\t{a=\"\x1b[31m\x7f\"} &", "\n   {a=\"?[31m?\"} &\n                ^"},
	{"\"\xc3\xa4\" $", "\n  \"\xc3\xa4\" $\n      ^"},
	{"\"\xff\" $", "\n  \"?\" $\n  ^"},
};

START_TEST(an_error_is_shown_at_its_place)
{
	struct str text = str_c(places[_i].text);
	struct err e;

	ck_assert_ptr_null(pq_parse(&arena, text, true, &e));
	pq_error_excerpt(&out, text, &e);
	ck_assert_str_eq(out.n > 0 ? out.p : "", places[_i].excerpt);
}
END_TEST

START_TEST(a_long_line_is_cut_around_the_place)
{
	char text[LIMIT_EXPR_BYTES + 2];
	struct err e = {.kind = ERR_INPUT};

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 == 0 ? '\xc3' : '\xa4';
	for (size_t n = 0; n < 400; n++) {
		for (e.off = 0; e.off <= n; e.off++) {
			buf_reset(&out);
			pq_error_excerpt(&out, str_n(text, n), &e);
			ck_assert_uint_lt(out.n, 250);
			ck_assert(e.off % 2 != 0 || n % 2 != 0 || str_is_utf8(buf_view(&out)));
		}
	}
	buf_reset(&out);
	pq_error_excerpt(&out, str_n(text, sizeof text), &e);
	ck_assert_uint_eq(out.n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_format");
	TCase *t = tcase_create("promql_format");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
		t, long_expressions_are_split_at_their_outermost_parts, 0, ARRAY_LEN(laid_out));
	tcase_add_loop_test(t, trees_are_json_with_sorted_keys, 0, ARRAY_LEN(trees));
	tcase_add_test(t, the_deepest_tree_is_sound_json);
	tcase_add_loop_test(t, an_error_is_shown_at_its_place, 0, ARRAY_LEN(places));
	tcase_add_test(t, a_long_line_is_cut_around_the_place);
	suite_add_tcase(s, t);
	return suite_run(s);
}
