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

	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	c = config_load_text(STR("c.yml"), str_c(text), NULL, d);
	buf_reset(&out);
	if (c != NULL)
		problems = config_lint(c, NULL, d, &a);
	diag_print(d, &out);
	ck_assert_msg(c != NULL, "%s", out.p);
	config_free(c);
	arena_fini(&a);
	return out.n > 0 ? out.p : "";
}

/* Exactly one problem, and it begins so. */
static void expect(const char *text, const char *says)
{
	const char *said = lint(text);

	ck_assert_msg(strncmp(said, says, strlen(says)) == 0, "%s", said);
	ck_assert_msg(problems == 1, "%s", said);
}

static void expect_nothing(const char *text)
{
	ck_assert_str_eq(lint(text), "");
	ck_assert_uint_eq(problems, 0);
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
	expect_nothing("");
	expect_nothing("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"']}, "
		       "{receiver: a, matchers: ['x=\"2\"', 'y=\"1\"']}]}\n" RECEIVERS);
}
END_TEST

START_TEST(scrapes_further_apart_than_queries_look_back)
{
	expect("scrape_configs:\n- job_name: j\n  scrape_interval: 5m\n"
	       "  static_configs: [{targets: ['a:1']}]\n",
		"c.yml:3:20: warning: lint: job \"j\" is scraped every 5m, queries look back 5m: "
		"its series have gaps\n    3 |   scrape_interval: 5m\n");
}
END_TEST

START_TEST(routes_that_another_one_hides)
{
	expect("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"']},\n"
	       "  {receiver: a, matchers: ['y=~\"1\"', 'x=\"1\"']}]}\n" RECEIVERS,
		"c.yml:2:3: warning: lint: no alert comes to the route {y=~\"1\", x=\"1\"}: "
		"{x=\"1\"} in line 1 takes them all, without continue\n");
	expect_nothing("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"'], "
		       "continue: true}, {receiver: a, matchers: ['x=\"1\"']}]}\n" RECEIVERS);
	expect("route: {receiver: a, routes: [{receiver: b}, {receiver: b, matchers: "
	       "['x=\"1\"']}]}\n" RECEIVERS,
		"c.yml:1:46: warning: lint: no alert comes to the route {x=\"1\"}: {} in line 1");
	/* by what the matcher says, not by its text */
	expect("route: {receiver: a, routes: [{receiver: b, matchers: ['x=~\"1|2\"']}, "
	       "{receiver: a, matchers: ['x=\"2\"']}]}\n" RECEIVERS,
		"c.yml:1:70: warning: lint: no alert comes to the route {x=\"2\"}: {x=~\"1|2\"}");
	expect_nothing("route: {receiver: a, routes: [{receiver: b, matchers: ['x=~\"1|2\"']}, "
		       "{receiver: a, matchers: ['x=\"3\"']}]}\n" RECEIVERS);
	expect_nothing("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"', "
		       "'y=\"1\"']}, {receiver: a, matchers: ['x=\"1\"']}]}\n" RECEIVERS);
	/* what the route above asks for is so below it */
	expect("route: {receiver: a, routes: [{matchers: ['x=\"1\"'], routes: [{receiver: b, "
	       "matchers: ['x!=\"2\"']}, {receiver: a, matchers: ['y=\"1\"']}]}]}\n" RECEIVERS,
		"c.yml:1:99: warning: lint: no alert comes to the route {y=\"1\"}: {x!=\"2\"}");
}
END_TEST

START_TEST(routes_that_contradict_themselves)
{
	expect("route: {receiver: a, routes: [{receiver: b, matchers: ['x=\"1\"', "
	       "'x=\"2\"']}]}\n" RECEIVERS,
		"c.yml:1:31: warning: lint: no alert comes to this route: x=\"1\" and x=\"2\" "
		"cannot both be true\n");
	expect("route: {receiver: a, routes: [{matchers: ['x=\"1\"'], routes: [{receiver: b, "
	       "matchers: ['x=~\"2.*\"']}]}]}\n" RECEIVERS,
		"c.yml:1:62: warning: lint: no alert comes to this route: x=~\"2.*\" and x=\"1\"");
	expect_nothing(
		"route: {receiver: a, routes: [{matchers: ['x=\"1\"'], routes: [{receiver: b, "
		"matchers: ['x=~\"1.*\"', 'x!~\"2\"', 'y!=\"\"']}]}]}\n" RECEIVERS);
}
END_TEST

START_TEST(receivers_that_are_told_nothing)
{
	expect("route: {receiver: a}\n" RECEIVERS,
		"c.yml:2:31: warning: lint: receiver \"b\" is told by no route\n");
	expect_nothing("route: {receiver: a}\n"
		       "receivers: [{name: a, fallback: b}, {name: b}]\n");
}
END_TEST

#define INHIBIT "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n"

START_TEST(inhibition_that_hides_nothing_or_everything)
{
	expect(INHIBIT "- {equal: [x]}\n",
		"c.yml:4:3: warning: lint: an inhibition rule without matchers inhibits nothing");
	expect(INHIBIT "- {source_matchers: ['s=\"1\"']}\n",
		"c.yml:4:3: warning: lint: an inhibition rule without target_matchers: its sources "
		"hide every other alert\n");
	expect(INHIBIT "- {target_matchers: ['s=\"1\"'], equal: [x]}\n",
		"c.yml:4:3: warning: lint: an inhibition rule without source_matchers");
	expect(INHIBIT "- {source_matchers: ['s=\"1\"', 't=\"2\"'], target_matchers: ['t=\"2\"', "
		       "'s=\"1\"']}\n",
		"c.yml:4:3: warning: lint: both sides match the same alerts");
	expect(INHIBIT "- source_matchers: ['s=\"1\"']\n  target_matchers: ['s=\"2\"']\n"
		       "  equal: [s]\n",
		"c.yml:6:10: warning: lint: label \"s\" must be equal on both sides");
	expect_nothing(INHIBIT "- {source_matchers: ['s=\"1\"'], target_matchers: ['s=\"2\"'], "
			       "equal: [x]}\n"
			       "- {source_matchers: ['s=~\"1|2\"'], target_matchers: ['s=\"2\"'], "
			       "equal: [s]}\n"
			       "- {source_matchers: ['s=\"1\"', 't=\"2\"'], target_matchers: "
			       "['s=\"1\"']}\n");
}
END_TEST

#define INTERVALS                                                                                  \
	"route: {receiver: a, routes: [{receiver: a, matchers: ['x=\"1\"'], mute_time_intervals: " \
	"[t]}]}\nreceivers: [{name: a}]\ntime_intervals:\n"

START_TEST(times_that_never_come)
{
	expect(INTERVALS "- name: t\n  time_intervals:\n  - {months: ['february'], "
			 "days_of_month: ['30:31']}\n",
		"c.yml:6:5: warning: lint: this time never comes (again)\n");
	expect(INTERVALS "- name: t\n  time_intervals:\n  - {weekdays: ['monday']}\n"
			 "  - {years: ['2001:2003']}\n",
		"c.yml:7:5: warning: lint: this time never comes (again)\n");
	expect_nothing(
		INTERVALS "- name: t\n  time_intervals:\n"
			  "  - {months: ['february'], days_of_month: ['29'], weekdays: "
			  "['monday']}\n"
			  "  - {years: ['2100']}\n"
			  "  - {times: [{start_time: '23:59', end_time: '24:00'}], location: "
			  "'Europe/Berlin'}\n");
	expect(INTERVALS "- {name: t, time_intervals: [{weekdays: ['monday']}]}\n"
			 "- {name: u, time_intervals: [{weekdays: ['monday']}]}\n",
		"c.yml:5:10: warning: lint: no route names time interval \"u\"\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_lint");
	TCase *tc = tcase_create("config_lint");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_sound_configuration_is_silent);
	tcase_add_test(tc, scrapes_further_apart_than_queries_look_back);
	tcase_add_test(tc, routes_that_another_one_hides);
	tcase_add_test(tc, routes_that_contradict_themselves);
	tcase_add_test(tc, receivers_that_are_told_nothing);
	tcase_add_test(tc, inhibition_that_hides_nothing_or_everything);
	tcase_add_test(tc, times_that_never_come);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
