/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time intervals: Alertmanager's own cases, when they lie beside the tree (../shared/conformance or
 * BELFRY_CONFORMANCE), and what they leave out: daylight saving, ends of months, broken text.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/dur.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/time_interval.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct arena arena;

static void setup(void)
{
	hash_init();
	arena_init(&arena, 64u << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

static int64_t moment(const char *text) /* 02 Jan 06 15:04 +0000 */
{
	struct tm tm;
	const char *rest;

	memset(&tm, 0, sizeof tm);
	rest = strptime(text, "%d %b %y %H:%M %z", &tm);
	ck_assert_msg(rest != NULL, "%s", text);
	return civil_to_ms(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, 0) -
	       tm.tm_gmtoff * 1000;
}

static void check_moments(const json_t *list, const struct time_interval *v, size_t n, bool want)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		ck_assert_msg(time_intervals_contain(v, n, moment(text)) == want, "%s", text);
	}
}

/* A range as the cases write it: {Begin, End}, {StartMinute, EndMinute} or [begin, end], perhaps as
 * a list of one. */
static struct interval_range range_of(const json_t *r)
{
	const json_t *begin = json_object_get(r, "Begin");

	if (json_is_array(r) && json_array_size(r) == 1)
		return range_of(json_array_get(r, 0)); /* NOLINT(misc-no-recursion): once */
	if (json_is_array(r))
		return (struct interval_range){(int)json_integer_value(json_array_get(r, 0)),
			(int)json_integer_value(json_array_get(r, 1))};
	if (begin != NULL)
		return (struct interval_range){(int)json_integer_value(begin),
			(int)json_integer_value(json_object_get(r, "End"))};
	return (struct interval_range){(int)json_integer_value(json_object_get(r, "StartMinute")),
		(int)json_integer_value(json_object_get(r, "EndMinute"))};
}

static void same_ranges(const struct interval_ranges *got, const json_t *want, const char *yaml)
{
	ck_assert_msg(got->given == (want != NULL), "%s", yaml);
	ck_assert_msg(got->n == json_array_size(want), "%s", yaml);
	for (size_t i = 0; i < got->n; i++) {
		struct interval_range r = range_of(json_array_get(want, i));

		ck_assert_msg(got->v[i].begin == r.begin && got->v[i].end == r.end, "%s", yaml);
	}
}

static void same_interval(const struct time_interval *v, const json_t *want, const char *yaml)
{
	const json_t *place = json_array_get(json_object_get(want, "Location"), 0);
	struct str location = STR("");

	same_ranges(&v->times, json_object_get(want, "Times"), yaml);
	same_ranges(&v->weekdays, json_object_get(want, "Weekdays"), yaml);
	same_ranges(&v->days_of_month, json_object_get(want, "DaysOfMonth"), yaml);
	same_ranges(&v->months, json_object_get(want, "Months"), yaml);
	same_ranges(&v->years, json_object_get(want, "Years"), yaml);
	if (place != NULL)
		location =
			str_c(json_string_value(json_array_get(json_object_get(place, "args"), 0)));
	ck_assert_msg(str_eq(v->location, location), "%s", yaml);
}

START_TEST(texts_are_read_or_refused_as_alertmanager_does)
{
	json_t *all = cases_load("alerting/timeinterval_yaml.json");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);
		const char *yaml = json_string_value(json_object_get(c, "yaml"));
		const char *error = json_string_value(json_object_get(c, "error"));
		struct time_interval *v;
		struct err e;
		size_t n;
		int rc = time_intervals_parse(&arena, str_c(yaml), &v, &n, &e);

		ck_assert_msg((rc == 0) == json_is_true(json_object_get(c, "valid")), "%s", yaml);
		if (rc != 0) {
			ck_assert_msg(strstr(e.msg, error) != NULL, "%s: %s", e.msg, error);
			continue;
		}
		ck_assert_msg(n == json_array_size(json_object_get(c, "parsed")), "%s", yaml);
		for (size_t k = 0; k < n; k++)
			same_interval(&v[k], json_array_get(json_object_get(c, "parsed"), k), yaml);
		check_moments(json_object_get(c, "contains"), v, n, true);
		check_moments(json_object_get(c, "excludes"), v, n, false);
	}
	json_decref(all);
}
END_TEST

static struct interval_ranges ranges(const json_t *list, const char *begin, const char *end)
{
	size_t n = json_array_size(list);
	struct interval_range *v = ARENA_ARRAY(&arena, n, struct interval_range);

	for (size_t i = 0; i < n; i++) {
		const json_t *r = json_array_get(list, i);

		if (json_is_array(r))
			r = json_array_get(r, 0);
		v[i].begin = (int)json_integer_value(json_object_get(r, begin));
		v[i].end = (int)json_integer_value(json_object_get(r, end));
	}
	return (struct interval_ranges){v, n, list != NULL};
}

START_TEST(moments_lie_inside_as_alertmanager_says)
{
	json_t *all = cases_load("alerting/timeinterval_contains.json");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i), *t = json_object_get(c, "interval"),
			     *place;
		struct time_interval ti = {
			.times = ranges(json_object_get(t, "Times"), "StartMinute", "EndMinute"),
			.weekdays = ranges(json_object_get(t, "Weekdays"), "Begin", "End"),
			.days_of_month = ranges(json_object_get(t, "DaysOfMonth"), "Begin", "End"),
			.months = ranges(json_object_get(t, "Months"), "Begin", "End"),
			.years = ranges(json_object_get(t, "Years"), "Begin", "End")};
		struct err e;

		place = json_object_get(json_array_get(json_object_get(t, "Location"), 0), "args");
		if (place != NULL) {
			ti.tz = tz_load(
				&arena, str_c(json_string_value(json_array_get(place, 0))), &e);
			ck_assert_msg(ti.tz != NULL, "%s", e.msg);
		}
		check_moments(json_object_get(c, "contains"), &ti, 1, true);
		check_moments(json_object_get(c, "excludes"), &ti, 1, false);
	}
	json_decref(all);
}
END_TEST

START_TEST(times_of_day_are_read_as_alertmanager_does)
{
	json_t *all = cases_load("alerting/timeinterval_ranges.json");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i), *want = json_object_get(c, "TimeRange");
		bool bad = json_is_true(json_object_get(c, "expectError"));
		struct time_interval *v;
		char yaml[256];
		struct err e;
		size_t n;
		int rc;

		(void)snprintf(yaml, sizeof yaml, "[{times: [%s]}]",
			json_string_value(json_object_get(c, "timeString")));
		rc = time_intervals_parse(&arena, str_c(yaml), &v, &n, &e);
		ck_assert_msg((rc != 0) == bad, "%s", yaml);
		if (bad)
			continue;
		ck_assert_int_eq(v[0].times.v[0].begin,
			json_integer_value(json_object_get(want, "StartMinute")));
		ck_assert_int_eq(v[0].times.v[0].end,
			json_integer_value(json_object_get(want, "EndMinute")));
	}
	json_decref(all);
}
END_TEST

static bool inside(const char *yaml, int64_t at)
{
	struct time_interval *v;
	struct err e;
	size_t n;

	ck_assert_msg(time_intervals_parse(&arena, str_c(yaml), &v, &n, &e) == 0, "%s", e.msg);
	return time_intervals_contain(v, n, at);
}

START_TEST(hours_follow_daylight_saving)
{
	static const char yaml[] = "[{times: [{start_time: '09:00', end_time: '17:00'}], "
				   "weekdays: ['sunday'], location: Europe/Berlin}]";
	int64_t before = civil_to_ms(2026, 3, 22, 8, 0, 0),
		after = civil_to_ms(2026, 3, 29, 7, 0, 0);

	ck_assert(!inside(yaml, before - 1));
	ck_assert(inside(yaml, before));
	ck_assert(!inside(yaml, after - 1));
	ck_assert(inside(yaml, after));
	ck_assert(!inside(yaml, civil_to_ms(2026, 3, 29, 15, 0, 0)));
}
END_TEST

START_TEST(days_are_cut_to_their_month)
{
	ck_assert(inside("[{days_of_month: ['29:31']}]", civil_to_ms(2024, 2, 29, 0, 0, 0)));
	ck_assert(!inside("[{days_of_month: ['30:31']}]", civil_to_ms(2024, 2, 29, 0, 0, 0)));
	ck_assert(inside("[{days_of_month: ['-31']}]", civil_to_ms(2024, 1, 1, 0, 0, 0)));
	ck_assert(inside("[{days_of_month: ['20:-1']}]", civil_to_ms(2026, 2, 28, 23, 59, 59)));
	ck_assert(!inside("[{days_of_month: []}]", 0)); /* a list of nothing holds nothing */
	ck_assert(inside("[{}]", 0));
	ck_assert(inside("[{times: [{start_time: '23:59', end_time: '24:00'}]}]",
		civil_to_ms(2026, 1, 1, 23, 59, 59)));
}
END_TEST

START_TEST(broken_text_is_refused)
{
	static const char *const bad[] = {"", "5", "[]", "{}", "[5]", "[[]]", "[{times: 5}]",
		"[{times: [5]}]", "[{times: [{start_time: 1}]}]", "[{weekdays: [[]]}]",
		"[{years: [x]}]", "[{years: ['1:2:3']}]", "[{months: ['0']}]", "[{location: []}]",
		"[{weekdays: monday}]", "[", "[{}]\n---\n[{}]", "&a [*a]",
		"[{years: ['99999999999999999999']}]"};
	struct time_interval *v;
	struct err e;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(
			time_intervals_parse(&arena, str_c(bad[i]), &v, &n, &e) != 0, "%s", bad[i]);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {texts_are_read_or_refused_as_alertmanager_does,
		moments_lie_inside_as_alertmanager_says, times_of_day_are_read_as_alertmanager_does,
		hours_follow_daylight_saving, days_are_cut_to_their_month, broken_text_is_refused};
	Suite *s = suite_create("time intervals");
	TCase *tc = tcase_create("time intervals");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
