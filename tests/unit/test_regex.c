/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: what matches, the shortcuts taken, expansion, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/regex.h"
#include "tests/lib/suite.h"

static const struct {
	const char *pattern, *yes, *no; /* words separated by blanks; "-" is the empty string */
} matches[] = {
	{"foo", "foo", "fo fooo xfoo -"},
	{"", "-", "x"},
	{"a|b|cd", "a b cd", "c d ab -"},
	{"(a|b)", "a b", "ab -"},
	{"(?:a|b)c(d|)", "acd bc bcd", "a c cd"},
	{"web-[0-3]", "web-0 web-3", "web-4 web-"},
	{"10\\.0\\.0\\.1", "10.0.0.1", "10x0.0.1"},
	{"foo.*", "foo foobar", "fo xfoo -"},
	{"foo.+", "foobar", "foo"},
	{".*foo", "foo xfoo", "foox"},
	{".+foo", "xfoo foofoo", "foo"},
	{".*foo.*", "foo xfoo foox xfoox", "fo -"},
	{".+foo.+", "xfoox", "foox xfoo foo"},
	{".*", "- x", ""},
	{".+", "x", "-"},
	{"^foo$", "foo", "xfoo"},
	{"^(foo|bar)$", "foo bar", "foobar"},
	{"^a|b$", "a b", "ab"},
	{"foo\\$", "foo$", "foo"},
	{"foo\\.*", "foo foo. foo..", "foox"},
	{"(?i)foo", "foo FOO", "bar"},
	{"a.c", "abc a\nc", "ac"},
	{"x*", "- x xx", "y"},
	{"5..", "500 599", "50 5000"},
	{"[^a]", "b é", "a bb"},
	{"é|ü", "é ü", "e"},
	{"é.", "éa", "é"},
	{"a{2}", "aa", "a aaa"},
	{"fo+|b", "fo foo b", "f"},
	{"\\d+", "42", "x"},
	{"a\\-b", "a-b", "a"},
	{"foo(a)|b", "fooa b", "foo bar"},
	{"(?P<x>a)b", "ab", "a"},
	{"(?<x>a)b", "ab", "a"},
	{"\\Qa.b\\E", "a.b", "axb"},
	{"[[:alpha:]]+", "abc", "1"},
	{"()", "-", "x"},
	{"|a", "- a", "b"},
};

static void check_words(const struct regex *re, const char *words, bool want, const char *pattern)
{
	struct str rest = str_c(words), w;

	while (str_split(&rest, ' ', &w)) {
		if (str_eq(w, STR("-")))
			w = STR_NULL;
		ck_assert_msg(
			regex_match(re, w) == want, "%s on \"" STR_FMT "\"", pattern, STR_ARG(w));
	}
}

START_TEST(patterns_match_whole_strings_only)
{
	struct err e;
	struct regex *re = regex_new(str_c(matches[_i].pattern), &e);

	ck_assert_msg(re != NULL, "%s: %s", matches[_i].pattern, e.msg);
	check_words(re, matches[_i].yes, true, matches[_i].pattern);
	check_words(re, matches[_i].no, false, matches[_i].pattern);
	regex_free(re);
}
END_TEST

START_TEST(finite_sets_of_strings_are_known_sorted)
{
	static const struct {
		const char *pattern, *set; /* NULL: not a set */
	} sets[] = {{"b|a|b", "a b"}, {"x(1|2)y", "x1y x2y"}, {"x[0-2]", "x0 x1 x2"},
		{"foo", "foo"}, {"a.b", NULL}, {"a+", NULL}, {"(?i)a", NULL}, {"ab?", NULL},
		{"(a|b)*", NULL}};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct regex *re = regex_new(str_c(sets[i].pattern), &e);
		struct str rest = str_c(sets[i].set), w;
		const struct str *v;
		size_t n, at = 0;

		ck_assert(re != NULL);
		v = regex_literals(re, &n);
		ck_assert_msg((v != NULL) == (sets[i].set != NULL), "%s", sets[i].pattern);
		while (sets[i].set != NULL && str_split(&rest, ' ', &w)) {
			ck_assert(at < n);
			ck_assert(str_eq(v[at++], w));
		}
		ck_assert(at == n);
		regex_free(re);
	}
}
END_TEST

START_TEST(a_literal_prefix_is_never_longer_than_what_must_stand_there)
{
	static const struct {
		const char *pattern, *prefix;
	} prefixes[] = {{"foo", "foo"}, {"foo.*", "foo"}, {"foo-b.r", "foo-b"}, {".*foo", ""},
		{".+foo.+", ""}, {"foo|bar", ""}, {"foo+", ""}, {"foo(a|b).*", "foo"},
		{"foo(a)|b+", ""}, {"foo[|]x", ""}, {"foo\\.bar[a]*", "foo.bar"}, {"(?i)foo", ""},
		{"foo.+", "foo"}, {"^foo.*bar$", "foo"}};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct regex *re = regex_new(str_c(prefixes[i].pattern), &e);
		struct str p;

		ck_assert(re != NULL);
		p = regex_prefix(re);
		ck_assert_msg(str_eq(p, str_c(prefixes[i].prefix)), "%s: " STR_FMT,
			prefixes[i].pattern, STR_ARG(p));
		regex_free(re);
	}
}
END_TEST

START_TEST(expansion_follows_the_rules_of_go)
{
	static const struct {
		const char *pattern, *text, *replacement, *want; /* NULL: no match */
	} cases[] = {
		{"(.*):(.*)", "a:b", "$2-$1", "b-a"},
		{"(.*)", "x", "${1}y", "xy"},
		{"(.*)", "x", "$1y", ""},
		{"(?P<n>.*)", "x", "<$n>", "<x>"},
		{"(?<n>.*)", "x", "<${n}>", "<x>"},
		{"foo", "foo", "$0!", "foo!"},
		{"foo", "foo", "$1!", "!"},
		{"foo", "foo", "a$$b", "a$b"},
		{"foo", "foo", "100$", "100$"},
		{"foo", "foo", "${", "${"},
		{"foo", "foo", "$ x", "$ x"},
		{"(a|b)(c)?", "a", "[$1|$2]", "[a|]"},
		{"(a|b)", "b", "$1", "b"},
		{"foo", "bar", "x", NULL},
		{"()", "", "<$1>", "<>"},
		{"(a)", "a", "$99999999999999999999", ""},
	};
	struct err e;
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct regex *re = regex_new(str_c(cases[i].pattern), &e);

		ck_assert(re != NULL);
		buf_reset(&b);
		ck_assert(regex_expand(re, str_c(cases[i].text), str_c(cases[i].replacement), &b) ==
			  (cases[i].want != NULL));
		if (cases[i].want != NULL)
			ck_assert_msg(str_eq(buf_view(&b), str_c(cases[i].want)), "%s: %s",
				cases[i].replacement, b.p);
		regex_free(re);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(all_matches_are_replaced_as_go_does)
{
	static const struct {
		const char *pattern, *text, *replacement, *want;
	} cases[] = {
		{"a+", "xaayaz", "-", "x-y-z"},
		{"(.)b", "abcb", "$1", "ac"},
		{"x*", "abc", "-", "-a-b-c-"},
		{"b*", "abc", "-", "-a-c-"},
		{"é*", "aéü", "-", "-a-ü-"},
		{"z", "abc", "-", "abc"},
		{"", "", "-", "-"},
		{"^a", "aaa", "", "aa"},
	};
	struct err e;
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct regex *re = regex_new_search(str_c(cases[i].pattern), &e);

		ck_assert(re != NULL);
		buf_reset(&b);
		(void)regex_replace_all(re, str_c(cases[i].text), str_c(cases[i].replacement), &b);
		ck_assert_msg(str_eq(buf_view(&b), str_c(cases[i].want)), "%s on %s: %s",
			cases[i].pattern, cases[i].text, b.p);
		regex_free(re);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(wrong_patterns_are_refused_with_a_reason)
{
	static const char *const bad[] = {"(", ")", "[", "a**", "*", "(?=a)", "(?!a)", "a{1001}",
		"\\1", "\\C", "(?P<n", "a\\"};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(regex_new(str_c(bad[i]), &e) == NULL, "%s", bad[i]);
		ck_assert(e.kind == ERR_INPUT);
		ck_assert_ptr_nonnull(strstr(e.msg, "invalid regular expression"));
	}
}
END_TEST

START_TEST(patterns_over_the_limits_are_refused)
{
	char text[LIMIT_REGEX_BYTES + 2];
	struct regex *re;
	struct err e;

	memset(text, 'a', sizeof text);
	ck_assert(regex_new(str_n(text, LIMIT_REGEX_BYTES + 1), &e) == NULL);
	ck_assert(e.kind == ERR_LIMIT);
	re = regex_new(str_n(text, LIMIT_REGEX_BYTES), &e);
	ck_assert(re != NULL);
	regex_free(re);
	/* a program of too many states */
	ck_assert(regex_new(STR("((a{100}){100}){100}"), &e) == NULL);
	ck_assert(regex_new(STR("\\pL{1000}"), &e) == NULL);
	ck_assert_msg(e.kind == ERR_LIMIT && strstr(e.msg, "1024 KiB") != NULL, "%s", e.msg);
	/* a set of 10^6 strings is no set */
	re = regex_new(STR("[0-9][0-9][0-9][0-9][0-9][0-9]"), &e);
	ck_assert(re != NULL);
	ck_assert(regex_match(re, STR("123456")));
	ck_assert(!regex_match(re, STR("12345x")));
	regex_free(re);
	/* many nested groups */
	memset(text, '(', 300);
	memset(text + 300, ')', 300);
	re = regex_new(str_n(text, 600), &e);
	ck_assert(re != NULL);
	ck_assert(regex_match(re, STR("")));
	regex_free(re);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("regex");
	TCase *t = tcase_create("regex");

	tcase_add_loop_test(t, patterns_match_whole_strings_only, 0, ARRAY_LEN(matches));
	tcase_add_test(t, finite_sets_of_strings_are_known_sorted);
	tcase_add_test(t, a_literal_prefix_is_never_longer_than_what_must_stand_there);
	tcase_add_test(t, expansion_follows_the_rules_of_go);
	tcase_add_test(t, all_matches_are_replaced_as_go_does);
	tcase_add_test(t, wrong_patterns_are_refused_with_a_reason);
	tcase_add_test(t, patterns_over_the_limits_are_refused);
	suite_add_tcase(s, t);
	return suite_run(s);
}
