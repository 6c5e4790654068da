/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, sizes, RFC 3339 times and the calendar, against tables and the C library. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "base/dur.h"
#include "tests/lib/suite.h"

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
	const char *printed;
} durations[] = {
	{"0", 0, "0s"},
	{"0s", 0, "0s"},
	{"15s", 15000, "15s"},
	{"1h30m", 5400000, "1h30m"},
	{"90m", 5400000, "1h30m"},
	{"4d1h2m3s4ms", 349323004, "4d1h2m3s4ms"},
	{"90d", 7776000000, "90d"},
	{"14d", 1209600000, "2w"},
	{"365d", 31536000000, "1y"},
	{"1y2w3d", 33004800000, "382d"},
	{"100ms", 100, "100ms"},
	{"1500ms", 1500, "1s500ms"},
	{"292y", 9208512000000, "292y"},
	{"", -1, NULL},
	{"1", -1, NULL},
	{"-1s", -1, NULL},
	{"1.5h", -1, NULL},
	{"5 minutes", -1, NULL},
	{"5M", -1, NULL},
	{"1m1h", -1, NULL},
	{"1m1m", -1, NULL},
	{"1sm", -1, NULL},
	{" 1s", -1, NULL},
	{"1s ", -1, NULL},
	{"s", -1, NULL},
	{"0y0", -1, NULL},
	{"293y", -1, NULL},
	{"99999999999999999999y", -1, NULL},
	{"184467440737095516160ms", -1, NULL},
};

START_TEST(durations_read_and_print_as_prometheus_does)
{
	struct err e = {0};
	struct buf b;

	buf_init(&b, 256);
	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		int64_t ms = -7;
		int r = dur_parse(str_c(durations[i].text), &ms, &e);

		if (durations[i].ms < 0) {
			ck_assert_msg(r == -1, "accepted %s", durations[i].text);
			ck_assert_int_eq(e.kind, ERR_INPUT);
			ck_assert_int_eq(ms, -7);
			continue;
		}
		ck_assert_msg(r == 0, "refused %s: %s", durations[i].text, e.msg);
		ck_assert_int_eq(ms, durations[i].ms);
		buf_reset(&b);
		dur_print(&b, ms);
		ck_assert_str_eq(b.p, durations[i].printed);
	}
	buf_reset(&b);
	dur_print(&b, -5400000);
	ck_assert_str_eq(b.p, "-1h30m");
	buf_reset(&b);
	dur_print(&b, INT64_MIN);
	ck_assert(!b.failed);
	buf_fini(&b);
}
END_TEST

START_TEST(a_printed_duration_reads_back)
{
	struct err e = {0};
	struct buf b;
	uint64_t x = 1;

	buf_init(&b, 256);
	for (int i = 0; i < 2000; i++) {
		int64_t ms, back;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ms = (int64_t)(x >> (23 + i % 40)) % 9000000000000;
		buf_reset(&b);
		dur_print(&b, ms);
		ck_assert_int_eq(dur_parse(buf_view(&b), &back, &e), 0);
		ck_assert_int_eq(back, ms);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: refused */
	} t[] = {
		{"0", 0},
		{"512", 512},
		{"512B", 512},
		{"1KB", 1024},
		{"1KiB", 1024},
		{"1kb", 1024},
		{"10MB", 10485760},
		{"10GB", 10737418240},
		{"1.5GiB", 1610612736},
		{"0.5KB", 512},
		{"2TB", 2199023255552},
		{"7EB", INT64_C(7) << 60},
		{"", -1},
		{"GB", -1},
		{"-1", -1},
		{"1.5", -1},
		{"1.", -1},
		{".5GB", -1},
		{"1.GB", -1},
		{"10 GB", -1},
		{"10GBB", -1},
		{"10g", -1},
		{"8EB", -1},
		{"99999999999999999999", -1},
		{"1e3", -1},
	};
	struct err e = {0};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		uint64_t v = 3;
		int r = size_parse(str_c(t[i].text), &v, &e);

		ck_assert_msg((r == 0) == (t[i].bytes >= 0), "%s", t[i].text);
		if (r == 0)
			ck_assert_msg((int64_t)v == t[i].bytes, "%s", t[i].text);
	}
}
END_TEST

START_TEST(rfc3339_times_read_with_any_zone)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} t[] = {
		{"1970-01-01T00:00:00Z", true, 0},
		{"2026-01-02T03:04:05Z", true, 1767323045000},
		{"2026-01-02T03:04:05.123456789Z", true, 1767323045123},
		{"2026-01-02T05:04:05.5+02:00", true, 1767323045500},
		{"2026-01-01T21:34:05-05:30", true, 1767323045000},
		{"1969-12-31T23:59:59.999Z", true, -1},
		{"0000-01-01T00:00:00Z", true, -62167219200000},
		{"2024-02-29T00:00:00Z", true, 1709164800000},
		{"2023-02-29T00:00:00Z", false, 0},
		{"2026-13-01T00:00:00Z", false, 0},
		{"2026-01-02T24:00:00Z", false, 0},
		{"2026-01-02T03:04:60Z", false, 0},
		{"2026-01-02t03:04:05z", false, 0},
		{"2026-01-02T03:04:05", false, 0},
		{"2026-01-02T03:04:05.Z", false, 0},
		{"2026-01-02T03:04:05+0200", false, 0},
		{"2026-01-02T03:04:05Zx", false, 0},
		{"2026-1-02T03:04:05Z", false, 0},
		{"", false, 0},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		int64_t ms = 0;

		ck_assert_msg(
			time_parse_rfc3339(str_c(t[i].text), &ms) == t[i].ok, "%s", t[i].text);
		if (t[i].ok)
			ck_assert_msg(ms == t[i].ms, "%s gave %lld", t[i].text, (long long)ms);
	}
}
END_TEST

START_TEST(times_print_in_utc)
{
	struct buf b;

	buf_init(&b, 256);
	time_print_rfc3339(&b, 1767323045000);
	buf_ch(&b, ' ');
	time_print_rfc3339(&b, 1767323045120);
	buf_ch(&b, ' ');
	time_print_rfc3339(&b, 1767323045005);
	buf_ch(&b, ' ');
	time_print_rfc3339(&b, -1);
	buf_ch(&b, ' ');
	time_print_ms(&b, 1767323045500);
	ck_assert_str_eq(b.p, "2026-01-02T03:04:05Z 2026-01-02T03:04:05.12Z "
			      "2026-01-02T03:04:05.005Z 1969-12-31T23:59:59.999Z "
			      "2026-01-02T03:04:05.500Z");
	buf_fini(&b);
}
END_TEST

START_TEST(the_calendar_agrees_with_the_c_library)
{
	uint64_t x = 7;

	for (int i = 0; i < 5000; i++) {
		struct civil c;
		struct tm tm;
		int64_t ms;
		time_t t;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ms = (int64_t)(x >> (i % 24)) / 2;
		if (i % 2)
			ms = -ms;
		t = (time_t)(ms / 1000 - (ms % 1000 < 0));
		if (gmtime_r(&t, &tm) == NULL)
			continue; /* years beyond int */
		civil_from_ms(ms, &c);
		ck_assert_int_eq(c.year, (int64_t)tm.tm_year + 1900);
		ck_assert_int_eq(c.month, tm.tm_mon + 1);
		ck_assert_int_eq(c.day, tm.tm_mday);
		ck_assert_int_eq(c.hour, tm.tm_hour);
		ck_assert_int_eq(c.minute, tm.tm_min);
		ck_assert_int_eq(c.second, tm.tm_sec);
		ck_assert_int_eq(c.weekday, tm.tm_wday);
		ck_assert_int_eq(c.yday, tm.tm_yday + 1);
		ck_assert_int_eq(
			civil_to_ms(c.year, c.month, c.day, c.hour, c.minute, c.second) + c.ms, ms);
	}
}
END_TEST

START_TEST(the_calendar_holds_at_the_ends_of_time)
{
	struct civil c;

	civil_from_ms(INT64_MAX, &c);
	ck_assert_int_eq(c.year, 292278994);
	civil_from_ms(INT64_MIN, &c);
	ck_assert_int_eq(c.year, -292275055);
	ck_assert_int_eq(civil_to_ms(INT64_MAX, 1, 1, 0, 0, 0), INT64_MAX);
	ck_assert_int_eq(civil_to_ms(INT64_MIN, 1, 1, 0, 0, 0), INT64_MIN);
	ck_assert_int_eq(civil_to_ms(2025, 14, 1, 0, 0, 0), civil_to_ms(2026, 2, 1, 0, 0, 0));
	ck_assert_int_eq(civil_to_ms(2026, 3, 0, 0, 0, 0), civil_to_ms(2026, 2, 28, 0, 0, 0));
	civil_from_ms(civil_to_ms(2024, 2, 1, 0, 0, 0), &c);
	ck_assert_int_eq(c.days_in_month, 29);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dur");
	TCase *tc = tcase_create("dur");

	tcase_add_test(tc, durations_read_and_print_as_prometheus_does);
	tcase_add_test(tc, a_printed_duration_reads_back);
	tcase_add_test(tc, sizes_are_powers_of_1024);
	tcase_add_test(tc, rfc3339_times_read_with_any_zone);
	tcase_add_test(tc, times_print_in_utc);
	tcase_add_test(tc, the_calendar_agrees_with_the_c_library);
	tcase_add_test(tc, the_calendar_holds_at_the_ends_of_time);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
