/* SPDX-License-Identifier: Apache-2.0 */
/* Lint of configurations: what is told, and that a sound one is silent. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_lint.h"
#include "base/limits.h"
#include "tests/lib/suite.h"

static struct buf out;
static size_t problems;

static const char *lint(const char *text)
{
	struct arena a;
	struct diag *d;
	struct config *c;
	struct buf errors;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&errors, 1u << 20);
	d = diag_new(&a);
	c = config_load_text(STR("c.yml"), str_c(text), NULL, d);
	diag_print(d, &errors);
	ck_assert_msg(c != NULL, "%s", errors.p);
	buf_reset(&out);
	problems = config_lint(c, NULL, d, &a, &out);
	config_free(c);
	buf_fini(&errors);
	arena_fini(&a);
	return out.n > 0 ? out.p : "";
}

static void setup(void)
{
	buf_init(&out, 1u << 20);
}

static void teardown(void)
{
	buf_fini(&out);
}

#define RECEIVERS "receivers: [{name: a}, {name: b}]\n"

START_TEST(a_sound_configuration_is_silent)
{
	ck_assert_str_eq(lint(""), "");
	ck_assert_str_eq(lint("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"']}, "
			      "{receiver: a, matchers: ['x=\"2\"', 'y=\"1\"']}]}\n" RECEIVERS),
		"");
	ck_assert_uint_eq(problems, 0);
}
END_TEST

START_TEST(scrapes_further_apart_than_queries_look_back)
{
	ck_assert_str_eq(lint("scrape_configs: [{job_name: j, scrape_interval: 5m, static_configs: "
			      "[{targets: ['a:1']}]}]\n"),
		"c.yml: lint: job \"j\" is scraped every 5m, queries look back 5m: its series have "
		"gaps\n");
}
END_TEST

START_TEST(routes_that_get_no_alert)
{
	ck_assert_str_eq(lint("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"']}, "
			      "{receiver: a, matchers: ['y=~\"1\"', 'x=\"1\"']}]}\n" RECEIVERS),
		"c.yml: lint: no alert comes to the route {y=~\"1\", x=\"1\"}: {x=\"1\"} before it "
		"takes them all, without continue\n");
	ck_assert_str_eq(
		lint("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"'], "
		     "continue: true}, {receiver: a, matchers: ['x=\"1\"']}]}\n" RECEIVERS),
		"");
	ck_assert_ptr_nonnull(strstr(lint("route: {receiver: a, routes: [{receiver: b}, {receiver: "
					  "b, matchers: ['x=\"1\"']}]}\n" RECEIVERS),
		"{} before it takes them all"));
}
END_TEST

START_TEST(receivers_that_are_told_nothing)
{
	ck_assert_str_eq(lint("route: {receiver: a}\n" RECEIVERS),
		"c.yml: lint: receiver \"b\" is told by no route\n");
	ck_assert_str_eq(lint("route: {receiver: a}\n"
			      "receivers: [{name: a, fallback: b}, {name: b}]\n"),
		"");
	ck_assert_uint_eq(problems, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_lint");
	TCase *tc = tcase_create("config_lint");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_sound_configuration_is_silent);
	tcase_add_test(tc, scrapes_further_apart_than_queries_look_back);
	tcase_add_test(tc, routes_that_get_no_alert);
	tcase_add_test(tc, receivers_that_are_told_nothing);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
