/* SPDX-License-Identifier: Apache-2.0 */
/* Collected errors: order, excerpts, carets, limits, secrets, suggestions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/limits.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct buf out;
static struct diag_file file;
static struct diag *d;

static void setup(void)
{
	arena_init(&arena, 1u << 20);
	buf_init(&out, 1u << 20);
	d = diag_new(&arena);
	file.path = STR("belfry.yml");
	file.text = STR("global:\n"
			"  scrape_intervall: 5s\n"
			"\tx: t\xc3\xa9 v\n"
			"  password: hunter2 # old\n"
			"  url: https://me:hunter3@example.org/x\n");
}

static void teardown(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

static struct diag_pos at(unsigned line, unsigned col, unsigned len)
{
	return (struct diag_pos){&file, line, col, len};
}

static const char *printed(void)
{
	buf_reset(&out);
	diag_print(d, &out);
	ck_assert(!out.failed);
	return out.p != NULL ? out.p : "";
}

START_TEST(an_error_shows_place_line_and_caret)
{
	diag_error(d, at(2, 3, 16), "unknown key \"%s\", did you mean \"%s\"?", "scrape_intervall",
		"scrape_interval");
	ck_assert_str_eq(printed(),
		"belfry.yml:2:3: unknown key \"scrape_intervall\", did you mean "
		"\"scrape_interval\"?\n"
		"    2 |   scrape_intervall: 5s\n"
		"      |   ^~~~~~~~~~~~~~~~\n");
	ck_assert_uint_eq(diag_errors(d), 1);
	ck_assert_uint_eq(diag_warnings(d), 0);
}
END_TEST

START_TEST(errors_come_in_the_order_of_their_places)
{
	diag_error(d, at(3, 2, 1), "second");
	diag_warn(d, at(4, 1, 1), "third");
	diag_error(d, at(1, 1, 6), "first");
	printed();
	ck_assert(strstr(out.p, "first") < strstr(out.p, "second"));
	ck_assert(strstr(out.p, "second") < strstr(out.p, "warning: third"));
	ck_assert(str_eq(diag_first(d), STR("belfry.yml:1:1: first")));
	ck_assert_uint_eq(diag_errors(d), 2);
	ck_assert_uint_eq(diag_warnings(d), 1);
}
END_TEST

START_TEST(a_caret_stands_below_its_character_behind_tabs_and_utf8)
{
	diag_error(d, at(3, 9, 1), "here");
	ck_assert_str_eq(printed(), "belfry.yml:3:9: here\n"
				    "    3 | \tx: t\xc3\xa9 v\n"
				    "      | \t      ^\n");
}
END_TEST

START_TEST(a_place_behind_the_line_gets_a_caret_too)
{
	diag_error(d, at(1, 8, 1), "ends here");
	diag_error(d, at(9, 3, 1), "beyond the file");
	ck_assert_ptr_nonnull(strstr(printed(), "    1 | global:\n      |        ^\n"));
}
END_TEST

START_TEST(secrets_are_not_shown_wherever_the_error_is)
{
	diag_secret(d, at(4, 13, 7));
	diag_error(d, at(4, 3, 8), "key");
	diag_error(d, at(4, 13, 7), "value");
	diag_error(d, at(4, 21, 1), "comment");
	diag_error(d, at(5, 3, 3), "see https://me:hunter3@example.org/x");
	printed();
	ck_assert_ptr_null(strstr(out.p, "hunter"));
	ck_assert_ptr_nonnull(strstr(out.p, "    4 |   password: <secret> # old\n"
					    "      |   ^~~~~~~~\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "      |             ^~~~~~~~\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "      |                      ^\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "see https://<secret>@example.org/x\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "url: https://<secret>@example.org/x\n"));
}
END_TEST

START_TEST(at_most_twenty_errors_of_a_file_are_shown)
{
	for (unsigned i = 0; i < LIMIT_DIAG_ERRORS + 7; i++)
		diag_error(d, at(1, 1, 1), "number %u", i);
	printed();
	ck_assert_ptr_nonnull(strstr(out.p, "number 19\n"));
	ck_assert_ptr_null(strstr(out.p, "number 20\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml: and 7 more errors\n"));
	ck_assert_uint_eq(diag_errors(d), LIMIT_DIAG_ERRORS + 7);
}
END_TEST

START_TEST(long_lines_are_shown_around_the_place)
{
	char text[4001];

	memset(text, 'a', sizeof text);
	text[3000] = 'X';
	file.text = str_n(text, sizeof text);
	diag_error(d, at(1, 3001, 1), "here");
	printed();
	ck_assert_uint_lt(out.n, 400);
	ck_assert_ptr_nonnull(strstr(out.p, "aXa"));
	ck_assert_ptr_nonnull(strstr(out.p, "| ..."));
}
END_TEST

START_TEST(errors_are_counted_when_memory_is_refused)
{
	struct arena small;
	struct diag *s;

	arena_init(&small, 1);
	s = diag_new(&small);
	diag_error(s, at(1, 1, 1), "lost");
	ck_assert_uint_ge(diag_errors(s), 1);
	ck_assert(diag_first(s).n > 0);
	diag_print(s, &out);
	ck_assert_uint_gt(out.n, 0);
	arena_fini(&small);
}
END_TEST

START_TEST(the_nearest_name_is_found_and_far_ones_are_not)
{
	static const struct str names[] = {
		{"scrape_interval", 15}, {"for", 3}, {"expr", 4}, {"labels", 6}};

	ck_assert(str_eq(diag_nearest(STR("scrape_intervall"), names, 4), names[0]));
	ck_assert(str_eq(diag_nearest(STR("scrapeinterval"), names, 4), names[0]));
	ck_assert(str_eq(diag_nearest(STR("fro"), names, 4), names[1]));
	ck_assert(str_eq(diag_nearest(STR("label"), names, 4), names[3]));
	ck_assert_uint_eq(diag_nearest(STR("zz"), names, 4).n, 0);
	ck_assert_uint_eq(diag_nearest(STR("something_else"), names, 4).n, 0);
	ck_assert_uint_eq(diag_nearest(STR(""), names, 4).n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("diag");
	TCase *tc = tcase_create("diag");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_error_shows_place_line_and_caret);
	tcase_add_test(tc, errors_come_in_the_order_of_their_places);
	tcase_add_test(tc, a_caret_stands_below_its_character_behind_tabs_and_utf8);
	tcase_add_test(tc, a_place_behind_the_line_gets_a_caret_too);
	tcase_add_test(tc, secrets_are_not_shown_wherever_the_error_is);
	tcase_add_test(tc, at_most_twenty_errors_of_a_file_are_shown);
	tcase_add_test(tc, long_lines_are_shown_around_the_place);
	tcase_add_test(tc, errors_are_counted_when_memory_is_refused);
	tcase_add_test(tc, the_nearest_name_is_found_and_far_ones_are_not);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
