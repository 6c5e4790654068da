/* SPDX-License-Identifier: Apache-2.0 */
/* Alertmanager's matcher strings in both grammars. */
#include <check.h>
#include <stdlib.h>

#include "base/matcher_parse.h"
#include "base/num.h"
#include "tests/lib/suite.h"

static const struct {
	const char *text;
	const char *want; /* op name=value pairs, NULL: refused */
} cases[] = {
	{"", ""},
	{"{}", ""},
	{"{foo=bar}", "=foo:bar;"},
	{"{foo=bar,}", "=foo:bar;"},
	{"{foo!=bar}", "!foo:bar;"},
	{"{foo=~[a-z]+}", "~foo:[a-z]+;"},
	{"foo!~[a-z]+", "^foo:[a-z]+;"},
	{"foo = bar , bar != \"b,z\"", "=foo:bar;!bar:b,z;"},
	{"{\"foo\"=\"bar\"}", "=foo:bar;"},
	{"{\"foo\"=~\"\\\\d+\"}", "~foo:\\d+;"},
	{"{\"foo\"=\"\\xf0\\x9f\\x99\\x82\"}", "=foo:\xf0\x9f\x99\x82;"},
	{"{\"foo\"=\"\\U0001f642\\101\"}", "=foo:\xf0\x9f\x99\x82"
					   "A;"},
	{"foo\xf0\x9f\x99\x82=bar", "=foo\xf0\x9f\x99\x82:bar;"},
	{"foo=\"\\xf0\"", "=foo:\\xf0;"}, /* the classic grammar wins: spurious escape */
	{"foo=!bar\\n", "=foo:!bar\n;"},  /* classic only */
	{"foo=\"b\\\"r\"", "=foo:b\"r;"},
	{"foo=\"\"", "=foo:;"},
	{"foo=", "=foo:;"},
	{"severity=~\"warning|critical\"", "~severity:warning|critical;"},
	{"foo!bar", NULL},
	{"foo", NULL},
	{"=bar", NULL},
	{",", NULL},
	{"foo=bar,,", NULL},
	{"foo=\"bar", NULL},
	{"\"foo\"=\"bar", NULL},
	{"{\"foo\"=bar", NULL},
	{"\"foo\"=bar}", NULL},
	{"{\"foo\"=bar}}", NULL},
	{"{\"foo\"=bar} x", NULL},
	{"\"foo\"=\"\\q\"", NULL},
	{"\"foo\"=\"\\400\"", NULL},
	{"\"foo\"=\"\\ud800\"", NULL},
	{"\"\"=\"x\"", NULL},
	{"foo=~\"a(\"", NULL},
	{"foo=\"\xff\"", NULL},
	{"foo=\"a\\,\",bar=x", NULL}, /* Alertmanager's classic grammar stumbles over it */
	{"foo=~\"a(\",", NULL},
	{"\xc2\xa0\"a\"=\xe3\x80\x80x\xe2\x80\x83,", "=a:x;"}, /* any white space of Unicode */
	{"a\xc2\xa0=x", "=a:x;"},
	/* classic: white space is ASCII's, but the last one is trimmed of all there is */
	{"a=\\d\xc2\xa0,b=\\d\v\xe3\x80\x80", "=a:\\d\xc2\xa0;=b:\\d;"},
	{"a=\\d,\xc2\xa0 b=c", "=a:\\d;=b:c;"},
	{"\xc2\xa0 a=\\d,b=c", NULL},
	{"a=\\d , ", "=a:\\d;"},
	{"a=\\d , ,", NULL},
	{"{a=\\d} ", "=a:\\d};"},
	{" {a=\\d}", NULL},
	{" {a=b} ", "=a:b;"},
	{"}", ""}, /* classic */
	{"{", ""},
};

START_TEST(matchers_of_both_grammars_are_read)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena a;
		struct matcher *m = NULL;
		struct err e = {0};
		struct buf b;
		size_t n = 0;
		int r;

		arena_init(&a, 1u << 20);
		buf_init(&b, 1000);
		r = matchers_parse(&a, str_c(cases[i].text), &m, &n, &e);
		ck_assert_msg((r == 0) == (cases[i].want != NULL), "%s: %s", cases[i].text, e.msg);
		for (size_t k = 0; r == 0 && k < n; k++) {
			buf_ch(&b, "=!~^"[m[k].op]);
			buf_str(&b, m[k].name);
			buf_ch(&b, ':');
			buf_str(&b, m[k].value);
			buf_ch(&b, ';');
			matcher_fini(&m[k]);
		}
		if (r == 0)
			ck_assert_str_eq(b.p != NULL ? b.p : "", cases[i].want);
		else
			ck_assert(e.msg[0] != '\0');
		buf_fini(&b);
		arena_fini(&a);
	}
}
END_TEST

START_TEST(an_error_carries_its_place)
{
	struct arena a;
	struct matcher *m;
	struct err e = {0};
	size_t n;

	arena_init(&a, 1u << 20);
	ck_assert_int_eq(matchers_parse(&a, STR("foo=bar, b!x"), &m, &n, &e), -1);
	ck_assert_uint_eq(e.off, 9);
	ck_assert_int_eq(matchers_parse(&a, STR("foo=bar, b=~\"(\""), &m, &n, &e), -1);
	ck_assert_uint_eq(e.off, 9);
	arena_fini(&a);
}
END_TEST

START_TEST(the_place_of_an_error_lies_in_the_text)
{
	static const char *const texts[] = {"\"a\\", "\"a\"=\"b\\", "\"a\"=\"\\x", "\"a\"=\"\\u12",
		"\"a\"=\"\\1", "\"a\"=", "a!", "{", "{a", "{a=", "{a=b,"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena a;
		struct matcher *m;
		struct err e = {0};
		size_t n;

		arena_init(&a, 1u << 20);
		ck_assert_int_eq(
			matchers_parse_as(&a, str_c(texts[i]), MATCHER_UTF8, &m, &n, &e), -1);
		ck_assert_msg(e.off <= strlen(texts[i]), "%s: %zu", texts[i], e.off);
		arena_fini(&a);
	}
}
END_TEST

START_TEST(too_many_matchers_are_refused)
{
	struct arena a;
	struct matcher *m;
	struct err e = {0};
	struct buf b;
	size_t n;

	arena_init(&a, 1u << 20);
	buf_init(&b, 10000);
	for (unsigned i = 0; i <= MATCHERS_MAX; i++)
		buf_c(&b, "a=b,");
	ck_assert_int_eq(matchers_parse(&a, buf_view(&b), &m, &n, &e), -1);
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

static const struct {
	const char *text, *name, *value; /* name NULL: refused, value is the message */
	enum matcher_op op;
} alone[] = {
	{"a=b", "a", "b", MATCH_EQ},
	{" a != \"b c\" ", "a", "b c", MATCH_NE},
	{"a=~b.*", "a", "b.*", MATCH_RE},
	{"a!~\"x|y\"", "a", "x|y", MATCH_NRE},
	{"\"a b\"=c", "a b", "c", MATCH_EQ},
	{"a=", "a", "", MATCH_EQ},
	{"a=b,c=d", "a", "b,c=d", MATCH_EQ}, /* classic: all of it is the value */
	{"a=b c", "a", "b c", MATCH_EQ},
	{"bad", NULL, "bad matcher format: bad; write for example severity=\"critical\"", MATCH_EQ},
	{"", NULL, NULL, MATCH_EQ},
	{"=x", NULL, NULL, MATCH_EQ},
	{"a=\"\\x41\"", "a", "\\x41", MATCH_EQ}, /* both grammars read it: the classic one wins */
	{"\"a\"=\"\\x41\"", "a", "A", MATCH_EQ},
	{"\"a\"=b,", "a", "b", MATCH_EQ},
	{"a=\"b", NULL, NULL, MATCH_EQ},
	{"\"a\"=b,\"c\"=d", NULL, NULL, MATCH_EQ},
	{"{a=b}", NULL, "unexpected open or close brace: {a=b}", MATCH_EQ},
	{"a=~(", NULL, NULL, MATCH_EQ},
};

START_TEST(one_matcher_alone_is_read_as_a_filter)
{
	struct arena a;
	struct matcher m;
	struct err e = {0};
	int rc;

	arena_init(&a, 1u << 20);
	rc = matcher_parse_one(&a, str_c(alone[_i].text), &m, &e);
	ck_assert_msg((rc == 0) == (alone[_i].name != NULL), "%s", e.msg);
	if (rc == 0) {
		ck_assert_int_eq(m.op, alone[_i].op);
		ck_assert(str_eq(m.name, str_c(alone[_i].name)));
		ck_assert(str_eq(m.value, str_c(alone[_i].value)));
		matcher_fini(&m);
	} else if (alone[_i].value != NULL) {
		ck_assert_str_eq(e.msg, alone[_i].value);
	}
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("matcher_parse");
	TCase *tc = tcase_create("matcher_parse");

	tcase_add_test(tc, matchers_of_both_grammars_are_read);
	tcase_add_test(tc, an_error_carries_its_place);
	tcase_add_test(tc, the_place_of_an_error_lies_in_the_text);
	tcase_add_test(tc, too_many_matchers_are_refused);
	tcase_add_loop_test(tc, one_matcher_alone_is_read_as_a_filter, 0, (int)ARRAY_LEN(alone));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
