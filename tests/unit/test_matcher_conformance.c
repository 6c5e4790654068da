/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matchers of Alertmanager's own tests, when they lie beside the tree (../shared/conformance, or
 * BELFRY_CONFORMANCE): the UTF-8 grammar, the fallback of both, lists and single ones, names. Every
 * verdict and every matcher is compared.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/matcher_parse.h"
#include "base/num.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct arena arena;

static struct str str_of(const json_t *j)
{
	return str_n(
		json_string_value(j) != NULL ? json_string_value(j) : "", json_string_length(j));
}

static enum matcher_op op_of(const json_t *j)
{
	static const char *const names[] = {
		"MatchEqual", "MatchNotEqual", "MatchRegexp", "MatchNotRegexp"};
	static const enum matcher_op ops[] = {MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(str_of(j), str_c(names[i])))
			return ops[i];
	}
	ck_abort_msg("no such operator: %s", json_string_value(j));
	return MATCH_EQ;
}

/* want: mustNewMatcher(t, operator, name, value) as JSON */
static void same(const struct matcher *m, const json_t *want, const char *text)
{
	const json_t *args = json_object_get(want, "args");

	ck_assert_msg(json_array_size(args) == 4, "%s: an unknown form of case", text);
	ck_assert_msg(m->op == op_of(json_array_get(args, 1)), "%s: operator", text);
	ck_assert_msg(str_eq(m->name, str_of(json_array_get(args, 2))), "%s: name " STR_FMT, text,
		STR_ARG(m->name));
	ck_assert_msg(str_eq(m->value, str_of(json_array_get(args, 3))), "%s: value " STR_FMT, text,
		STR_ARG(m->value));
}

static const char *error_of(const json_t *c)
{
	const json_t *e = json_object_get(c, "error");

	return json_string_value(e != NULL ? e : json_object_get(c, "err"));
}

static void check_list(const json_t *c, struct str text, enum matcher_grammar g)
{
	const json_t *want = json_object_get(c, "expected");
	struct matcher *m;
	struct err e = {0};
	size_t n;
	int rc = matchers_parse_as(&arena, text, g, &m, &n, &e);

	ck_assert_msg((rc != 0) == (error_of(c) != NULL), STR_FMT ": %s", STR_ARG(text), e.msg);
	if (rc != 0)
		return;
	ck_assert_msg(n == json_array_size(want), STR_FMT ": %zu matchers", STR_ARG(text), n);
	for (size_t i = 0; i < n; i++) {
		same(&m[i], json_array_get(want, i),
			json_string_value(json_object_get(c, "input")));
		matcher_fini(&m[i]);
	}
}

static void check_one(const json_t *c, struct str text, enum matcher_grammar g)
{
	struct matcher m;
	struct err e = {0};
	/* the fallback is what the API has */
	int rc = g == MATCHER_FALLBACK ? matcher_parse_one(&arena, text, &m, &e)
				       : matcher_parse_one_as(&arena, text, g, &m, &e);

	ck_assert_msg((rc != 0) == (error_of(c) != NULL), STR_FMT ": %s", STR_ARG(text), e.msg);
	if (rc != 0)
		return;
	same(&m, json_object_get(c, "expected"), json_string_value(json_object_get(c, "input")));
	matcher_fini(&m);
}

static void check_list_utf8(const json_t *c, struct str text)
{
	check_list(c, text, MATCHER_UTF8);
}

static void check_one_utf8(const json_t *c, struct str text)
{
	check_one(c, text, MATCHER_UTF8);
}

static void check_list_fallback(const json_t *c, struct str text)
{
	check_list(c, text, MATCHER_FALLBACK);
}

static void check_one_fallback(const json_t *c, struct str text)
{
	check_one(c, text, MATCHER_FALLBACK);
}

static void check_classic_name(const json_t *c, struct str text)
{
	ck_assert_msg(label_name_is_legacy(text) == json_is_true(json_object_get(c, "expected")),
		STR_FMT, STR_ARG(text));
}

static void check_utf8_name(const json_t *c, struct str text)
{
	struct label l = {text, STR("x")};
	struct err e = {0};

	ck_assert_msg((labels_check((struct labels){&l, 1}, false, &e) == 0) ==
			      json_is_true(json_object_get(c, "expected")),
		STR_FMT, STR_ARG(text));
}

static const struct table {
	const char *func;
	void (*check)(const json_t *c, struct str text);
} tables[] = {
	{"TestMatchers", check_list_utf8},
	{"TestMatcher", check_one_utf8},
	{"TestFallbackMatchersParser", check_list_fallback},
	{"TestFallbackMatcherParser", check_one_fallback},
	{"TestIsValidClassicLabelName", check_classic_name},
	{"TestIsValidUTF8LabelName", check_utf8_name},
};

static void run_table(const json_t *t)
{
	const json_t *list = json_object_get(t, "cases");
	struct str func = str_of(json_object_get(t, "func"));
	size_t at = 0;

	while (at < ARRAY_LEN(tables) && !str_eq(func, str_c(tables[at].func)))
		at++;
	ck_assert_msg(at < ARRAY_LEN(tables), STR_FMT ": nobody runs this table", STR_ARG(func));
	ck_assert_uint_gt(json_array_size(list), 0);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		tables[at].check(c, str_of(json_object_get(c, "input")));
	}
	printf(STR_FMT ": %zu cases\n", STR_ARG(func), json_array_size(list));
}

static void run_file(const char *name)
{
	json_t *all = cases_load(name);

	if (all == NULL)
		return;
	arena_init(&arena, 16u << 20);
	for (size_t i = 0; i < json_array_size(all); i++)
		run_table(json_array_get(all, i));
	arena_fini(&arena);
	json_decref(all);
}

START_TEST(matchers_are_read_as_alertmanager_reads_them)
{
	run_file("alerting/matcher_parse.json");
}
END_TEST

START_TEST(texts_that_two_grammars_read_differently_are_read_as_alertmanager_does)
{
	run_file("alerting/matcher_compat.json");
}
END_TEST

int main(void)
{
	const TTest *const all[] = {matchers_are_read_as_alertmanager_reads_them,
		texts_that_two_grammars_read_differently_are_read_as_alertmanager_does};
	Suite *s = suite_create("matchers of Alertmanager");
	TCase *tc = tcase_create("matchers of Alertmanager");

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
