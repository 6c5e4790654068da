/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones: the same offsets as the C library's, for zones of every kind and times from 1900 to
 * 2500; names that lead nowhere; files that are broken.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/dur.h"
#include "base/num.h"
#include "base/tz.h"
#include "tests/lib/suite.h"

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, 8u << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

static const struct tz *load(const char *name)
{
	struct err e;
	const struct tz *tz = tz_load(&arena, str_c(name), &e);

	ck_assert_msg(tz != NULL, "%s", e.msg);
	return tz;
}

START_TEST(offsets_are_the_c_librarys)
{
	static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Sydney",
		"Asia/Kolkata", "America/St_Johns", "Europe/Dublin", "Africa/Casablanca",
		"Asia/Tehran", "America/Sao_Paulo", "Pacific/Apia", "Antarctica/Troll",
		"Australia/Lord_Howe", "America/Nuuk", "Asia/Gaza", "Africa/Cairo", "Etc/GMT+12",
		"EST5EDT", "Asia/Tokyo", "Pacific/Chatham", "America/Santiago", "UTC"};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		const struct tz *tz = load(zones[i]);

		ck_assert_int_eq(setenv("TZ", zones[i], 1), 0);
		tzset();
		/* a step that is no divisor of a day meets all hours */
		for (int64_t t = INT64_C(-2208988800); t < INT64_C(16725225600); t += 1234567) {
			time_t at = (time_t)t;
			struct tm tm;

			ck_assert_ptr_nonnull(localtime_r(&at, &tm));
			ck_assert_msg(tz_offset(tz, t * 1000) == tm.tm_gmtoff,
				"%s at %lld: %d, not %ld", zones[i], (long long)t,
				tz_offset(tz, t * 1000), tm.tm_gmtoff);
		}
	}
}
END_TEST

START_TEST(daylight_saving_begins_and_ends_to_the_second)
{
	const struct tz *berlin = load("Europe/Berlin"), *sydney = load("Australia/Sydney");
	int64_t spring = civil_to_ms(2090, 3, 26, 1, 0, 0),
		autumn = civil_to_ms(2090, 10, 29, 1, 0, 0);

	ck_assert_int_eq(tz_offset(berlin, spring - 1), 3600);
	ck_assert_int_eq(tz_offset(berlin, spring), 7200);
	ck_assert_int_eq(tz_offset(berlin, autumn - 1), 7200);
	ck_assert_int_eq(tz_offset(berlin, autumn), 3600);
	ck_assert_int_eq(tz_offset(sydney, civil_to_ms(2026, 1, 1, 0, 0, 0)), 39600);
	ck_assert_int_eq(tz_offset(sydney, civil_to_ms(2026, 7, 1, 0, 0, 0)), 36000);
	ck_assert_int_eq(tz_offset(NULL, 0), 0);
	ck_assert_int_eq(tz_offset(load(""), 0), 0);
	(void)tz_offset(berlin, INT64_MAX); /* no more than an answer is asked for */
	(void)tz_offset(berlin, INT64_MIN);
}
END_TEST

START_TEST(names_stay_inside_the_database)
{
	static const char *const bad[] = {"../../etc/passwd", "/etc/passwd",
		"Europe/../../../etc/passwd", "Europe//Berlin", "Europe/", "Mars/Phobos", "Europe",
		".", "a b", "Europe/Berlin\n"};
	char longest[300];
	struct err e;

	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	ck_assert_ptr_null(tz_load(&arena, str_c(longest), &e));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(tz_load(&arena, str_c(bad[i]), &e) == NULL, "%s", bad[i]);
		ck_assert_int_eq(e.kind, ERR_INPUT);
	}
	if (access("/etc/localtime", R_OK) == 0)
		(void)load("Local");
}
END_TEST

START_TEST(every_prefix_of_a_file_is_refused_or_read)
{
	static char bytes[65536];
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
	size_t n;
	struct err e;

	ck_assert_ptr_nonnull(f);
	n = fread(bytes, 1, sizeof bytes, f);
	ck_assert_int_eq(fclose(f), 0);
	for (size_t i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(&arena);
		const struct tz *tz = tz_parse(&arena, str_n(bytes, i), &e);

		if (tz != NULL)
			(void)tz_offset(tz, 1700000000000);
		arena_release(&arena, mark);
	}
	ck_assert_ptr_nonnull(tz_parse(&arena, str_n(bytes, n), &e));
}
END_TEST

int main(void)
{
	const TTest *const all[] = {offsets_are_the_c_librarys,
		daylight_saving_begins_and_ends_to_the_second, names_stay_inside_the_database,
		every_prefix_of_a_file_is_refused_or_read};
	Suite *s = suite_create("time zones");
	TCase *tc = tcase_create("time zones");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
