/* SPDX-License-Identifier: Apache-2.0 */
/* Label matchers, Go's quoting, and what an arena releases. */
#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/matcher.h"
#include "base/num.h"
#include "base/quote.h"
#include "tests/lib/suite.h"

START_TEST(an_absent_label_is_the_empty_string)
{
	static const struct {
		enum matcher_op op;
		const char *value;
		bool x, absent;
	} cases[] = {{MATCH_EQ, "x", true, false}, {MATCH_EQ, "", false, true},
		{MATCH_NE, "x", false, true}, {MATCH_NE, "", true, false},
		{MATCH_RE, "x|y", true, false}, {MATCH_RE, ".*", true, true},
		{MATCH_NRE, "x|y", false, true}, {MATCH_NRE, ".+", false, true}};
	struct label l = {STR("a"), STR("x")};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct matcher m;

		ck_assert(matcher_init(&m, cases[i].op, STR("a"), str_c(cases[i].value), &e) == 0);
		ck_assert(matchers_match(&m, 1, (struct labels){&l, 1}) == cases[i].x);
		ck_assert(matchers_match(&m, 1, (struct labels){NULL, 0}) == cases[i].absent);
		matcher_fini(&m);
	}
}
END_TEST

START_TEST(a_wrong_pattern_is_refused)
{
	struct matcher m;
	struct err e;

	ck_assert(matcher_init(&m, MATCH_RE, STR("a"), STR("("), &e) != 0);
	ck_assert(e.kind == ERR_INPUT);
	matcher_fini(&m);
}
END_TEST

START_TEST(matchers_print_as_promql)
{
	struct matcher m[] = {{MATCH_EQ, STR("a"), STR("x\"y"), NULL},
		{MATCH_NE, STR("my.label"), STR("\n"), NULL},
		{MATCH_RE, STR("b"), STR("c|d"), NULL}, {MATCH_NRE, STR("b"), STR("\\d"), NULL}};
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		matcher_print(&b, &m[i]);
		buf_ch(&b, ';');
	}
	ck_assert_str_eq(b.p, "a=\"x\\\"y\";\"my.label\"!=\"\\n\";b=~\"c|d\";b!~\"\\\\d\";");
	buf_fini(&b);
}
END_TEST

START_TEST(quoting_escapes_what_cannot_be_seen)
{
	struct buf b;

	buf_init(&b, 1000);
	quote_go(&b, STR("a\t\x01\x7f\xff é☃😀\xc2\xa0\xe2\x80\x8b\\\"'\0z"));
	ck_assert_str_eq(b.p, "\"a\\t\\x01\\x7f\\xff é☃😀\\u00a0\\u200b\\\\\\\"'\\x00z\"");
	buf_fini(&b);
}
END_TEST

static void count_up(void *arg)
{
	++*(int *)arg;
}

START_TEST(an_arena_calls_back_once_when_its_memory_goes)
{
	int outer = 0, inner = 0, refused = 0;
	struct arena_mark m;
	struct arena a;

	arena_init(&a, 10000);
	ck_assert(arena_on_release(&a, count_up, &outer));
	m = arena_mark(&a);
	ck_assert(arena_on_release(&a, count_up, &inner));
	arena_release(&a, m);
	ck_assert_int_eq(inner, 1);
	ck_assert_int_eq(outer, 0);
	ck_assert(arena_alloc(&a, 20000, 1) == NULL);
	ck_assert(!arena_on_release(&a, count_up, &refused));
	ck_assert_int_eq(refused, 1);
	arena_reset(&a);
	ck_assert_int_eq(outer, 1);
	ck_assert(arena_on_release(&a, count_up, &outer));
	arena_fini(&a);
	ck_assert_int_eq(outer, 2);
	ck_assert_int_eq(inner, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("matcher");
	TCase *t = tcase_create("matcher");

	tcase_add_test(t, an_absent_label_is_the_empty_string);
	tcase_add_test(t, a_wrong_pattern_is_refused);
	tcase_add_test(t, matchers_print_as_promql);
	tcase_add_test(t, quoting_escapes_what_cannot_be_seen);
	tcase_add_test(t, an_arena_calls_back_once_when_its_memory_goes);
	suite_add_tcase(s, t);
	return suite_run(s);
}
