/* SPDX-License-Identifier: Apache-2.0 */
/* What on-call types and reads: times, matchers, ages, and text that must not drive a terminal. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cli.h"
#include "base/num.h"
#include "tests/lib/suite.h"

#define NOW INT64_C(1767323045000)

static struct buf b;

static void setup(void)
{
	buf_init(&b, 65536);
}

static void teardown(void)
{
	buf_fini(&b);
}

static const struct {
	const char *text;
	int64_t ms; /* INT64_MIN: refused */
} times[] = {
	{"now", NOW},
	{"-2h", NOW - 7200000},
	{"+1d12h", NOW + 129600000},
	{"2026-01-02T03:04:05Z", NOW},
	{"1767323045", NOW},
	{"1767323045.5", NOW + 500},
	{"0", 0},
	{"-5", -5000},
	{"noon", INT64_MIN},
	{"", INT64_MIN},
	{"nan", INT64_MIN},
	{"inf", INT64_MIN},
	{"+", INT64_MIN},
};

START_TEST(times_are_read_as_people_write_them)
{
	int64_t ms = 0;

	ck_assert_int_eq(cli_time(str_c(times[_i].text), NOW, &ms), times[_i].ms != INT64_MIN);
	if (times[_i].ms != INT64_MIN)
		ck_assert_int_eq(ms, times[_i].ms);
}
END_TEST

static const struct {
	int64_t ms;
	const char *text;
} ages[] = {{-5, "0s"}, {0, "0s"}, {999, "0s"}, {61000, "1m 1s"}, {120000, "2m"},
	{7500000, "2h 5m"}, {7259000, "2h"}, {356400000, "4d 3h"}};

START_TEST(ages_have_two_units_at_most)
{
	cli_age(&b, ages[_i].ms);
	ck_assert_str_eq(b.p, ages[_i].text);
}
END_TEST

START_TEST(control_characters_become_visible)
{
	static const char raw[] = "a\x1b[31m\n\r\0\x7f\xc2\x9b\xe2\x80\xae\xff é💥";

	cli_clean(&b, str_n(raw, sizeof raw - 1));
	ck_assert_str_eq(b.p, "a\\x1b[31m\\n\\x0d\\x00\\x7f\\x9b\\u202e\\xff é💥");
}
END_TEST

START_TEST(labels_print_without_those_skipped)
{
	static const char *const skip[] = {"alertname", NULL};
	json_t *j = json_pack("{s:s,s:s,s:s}", "alertname", "X", "a", "q\"\x1b", "b c", "v");

	cli_labels(&b, j, skip);
	ck_assert_str_eq(b.p, "a=\"q\\\"\\x1b\", \"b c\"=\"v\"");
	json_decref(j);
}
END_TEST

static const struct {
	const char *text;
	bool first;
	const char *want; /* NULL: refused */
} typed[] = {
	{"Name", true, "\"alertname\"=\"Name\""},
	{"a name", true, "\"alertname\"=\"a name\""},
	{"Name", false, NULL},
	{"a=b", true, "\"a\"=\"b\""},
	{"a=~b|c", false, "\"a\"=~\"b|c\""},
	{"a!=\"b c\"", false, "\"a\"!=\"b c\""},
	{"\"x y\"!~z", false, "\"x y\"!~\"z\""},
	{"a=~(", true, NULL},
	{"", true, NULL},
};

START_TEST(matchers_are_read_as_typed)
{
	struct arena a;
	struct matcher m;
	struct err e = {0};
	int rc;

	arena_init(&a, 1u << 20);
	rc = cli_matcher(&a, str_c(typed[_i].text), typed[_i].first, &m, &e);
	ck_assert_msg((rc == 0) == (typed[_i].want != NULL), "%s", e.msg);
	if (rc == 0) {
		cli_matcher_print(&b, &m);
		ck_assert_str_eq(b.p, typed[_i].want);
		matcher_fini(&m);
	}
	arena_fini(&a);
}
END_TEST

START_TEST(tables_align_by_characters)
{
	static const char *const titles[] = {"A", "B", NULL};
	struct cli_table t;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(f);
	cli_table_init(&t, titles);
	cli_table_cell(&t, STR("éé"));
	cli_table_cell(&t, STR("x"));
	cli_table_cell(&t, STR("long"));
	cli_table_cell(&t, STR(""));
	cli_table_print(&t, f);
	cli_table_fini(&t);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_str_eq(text, "A     B\néé    x\nlong  \n");
	free(text);
}
END_TEST

START_TEST(times_are_the_reader_s_and_name_their_zone)
{
	ck_assert_int_eq(setenv("TZ", ":Europe/Berlin", 1), 0);
	buf_reset(&b);
	cli_when(&b, STR("2026-01-02T23:04:05.678Z"));
	ck_assert_str_eq(b.p, "2026-01-03 00:04:05 CET");
	buf_reset(&b);
	cli_when(&b, STR("2026-07-02T03:04:05Z"));
	ck_assert_str_eq(b.p, "2026-07-02 05:04:05 CEST");
	buf_reset(&b);
	cli_when(&b, STR("soon\x1b"));
	ck_assert(strchr(b.p, 0x1b) == NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_text");
	TCase *t = tcase_create("cli_text");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, times_are_read_as_people_write_them, 0, (int)ARRAY_LEN(times));
	tcase_add_loop_test(t, ages_have_two_units_at_most, 0, (int)ARRAY_LEN(ages));
	tcase_add_test(t, control_characters_become_visible);
	tcase_add_test(t, labels_print_without_those_skipped);
	tcase_add_loop_test(t, matchers_are_read_as_typed, 0, (int)ARRAY_LEN(typed));
	tcase_add_test(t, tables_align_by_characters);
	tcase_add_test(t, times_are_the_reader_s_and_name_their_zone);
	suite_add_tcase(s, t);
	return suite_run(s);
}
