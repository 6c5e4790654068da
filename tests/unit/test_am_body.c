/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of Alertmanager's API: verdicts as its versions 0.25 and 0.33 give them. */
#include <check.h>

#include "agent/am_body.h"
#include "base/num.h"
#include "tests/lib/suite.h"

static struct arena a;
static struct err e;

static void setup(void)
{
	arena_init(&a, 4u << 20);
	e = (struct err){0};
}

static void teardown(void)
{
	arena_fini(&a);
}

static const struct {
	const char *body;
	int code;        /* 0: fine */
	const char *msg; /* of the error; NULL: any */
} alerts[] = {
	{"[]", 0, NULL},
	{"null", 0, NULL},
	{"[{\"labels\":{\"a\":\"b\"}}]", 0, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"extra\":[{\"x\":1}]}]", 0, NULL},
	{"[{\"LABELS\":{\"a\":\"b\"},\"annotations\":null,\"startsAt\":null}]", 0, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"\"}]", 0, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"/graph?a=b\"}]", 0, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"http://h:9090/graph?g0.expr=up\"}]", 0,
		NULL},
	{"", AM_REQUIRED, "alerts in body is required"},
	{"[{}]", AM_REQUIRED, "0.labels in body is required"},
	{"[{\"labels\":{\"a\":\"b\"}},{\"labels\":null}]", AM_REQUIRED,
		"1.labels in body is required"},
	{"[null]", AM_REQUIRED, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"not a url\"}]", AM_TYPE,
		"0.generatorURL in body must be of type uri: \"not a url\""},
	{"{}", AM_BAD_JSON, NULL},
	{"{", AM_BAD_JSON, NULL},
	{"[{\"labels\":{\"a\":1}}]", AM_BAD_JSON, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"yesterday\"}]", AM_BAD_JSON, NULL},
	{"[{\"labels\":{\"a\":\"b\"},\"startsAt\":5}]", AM_BAD_JSON, NULL},
	{"[{}] x", AM_BAD_JSON, NULL},
	{"[{},{", AM_BAD_JSON, NULL},
};

START_TEST(bodies_with_alerts_are_judged_as_alertmanager_does)
{
	struct external_alert *v;
	size_t n;
	int rc = am_read_alerts(&a, str_c(alerts[_i].body), &v, &n, &e);

	ck_assert_msg((rc == 0) == (alerts[_i].code == 0), "%s", e.msg);
	if (rc == 0)
		return;
	ck_assert_int_eq(e.code, alerts[_i].code);
	ck_assert_int_eq(e.kind, ERR_INPUT);
	if (alerts[_i].msg != NULL)
		ck_assert_str_eq(e.msg, alerts[_i].msg);
}
END_TEST

START_TEST(an_alert_is_read_with_all_it_has)
{
	struct external_alert *v;
	size_t n;

	ck_assert_msg(am_read_alerts(&a,
			      STR("[{\"labels\":{\"b\":\"1\",\"a\":\"\",\"b\":\"\\u00e9\"},"
				  "\"annotations\":{\"s\":\"t\"},\"startsAt\":\"2026-01-02T03:04:"
				  "05.678Z\","
				  "\"endsAt\":\"0001-01-01T00:00:00.000Z\",\"generatorURL\":\"http:"
				  "//x/\"}]"),
			      &v, &n, &e) == 0,
		"%s", e.msg);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(v->labels.n, 2); /* of a name that stands twice the last counts */
	ck_assert(str_eq(v->labels.v[0].value, STR("\xc3\xa9")));
	ck_assert(str_eq(v->annotations.v[0].name, STR("s")));
	ck_assert_int_eq(v->starts_at_ms, INT64_C(1767323045678));
	ck_assert_int_eq(v->ends_at_ms, 0);
	ck_assert(str_eq(v->generator_url, STR("http://x/")));
}
END_TEST

#define MATCHERS "\"matchers\":[{\"name\":\"a\",\"value\":\"x\",\"isRegex\":false}]"
#define REST                                                                                       \
	"\"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2030-01-01T00:00:00Z\","               \
	"\"createdBy\":\"me\",\"comment\":\"c\""
#define ONE(text) "{" REST ",\"matchers\":[" text "]}"

static const struct {
	const char *body;
	int code;
	const char *msg;
} silences[] = {
	{"{" REST "," MATCHERS "}", 0, NULL},
	{"{" REST "," MATCHERS ",\"id\":\"nope\"}", 0, NULL},
	{ONE("{\"name\":\"a\",\"value\":\"x\",\"isRegex\":false,\"isEqual\":null}"), 0, NULL},
	{"", AM_REQUIRED, "silence in body is required"},
	{"{}", AM_REQUIRED, "comment in body is required"},
	{"null", AM_REQUIRED, "comment in body is required"},
	{"{" REST "}", AM_REQUIRED, "matchers in body is required"},
	{"{" REST ",\"matchers\":null}", AM_REQUIRED, "matchers in body is required"},
	{"{" REST ",\"matchers\":[]}", AM_TOO_FEW, "matchers in body should have at least 1 items"},
	{"{\"comment\":\"\"," MATCHERS "}", AM_REQUIRED, "createdBy in body is required"},
	{"{\"comment\":\"\",\"createdBy\":\"\"," MATCHERS "}", AM_REQUIRED,
		"endsAt in body is required"},
	{"{\"comment\":\"\",\"createdBy\":\"\",\"endsAt\":\"\"," MATCHERS "}", AM_REQUIRED,
		"startsAt in body is required"},
	{ONE("{\"name\":\"a\",\"value\":\"x\"}"), AM_REQUIRED,
		"matchers.0.isRegex in body is required"},
	{ONE("{\"name\":\"a\",\"isRegex\":false}"), AM_REQUIRED,
		"matchers.0.value in body is required"},
	{ONE("{\"value\":\"a\",\"isRegex\":false}"), AM_REQUIRED,
		"matchers.0.name in body is required"},
	{ONE("{\"name\":1,\"value\":\"a\",\"isRegex\":false}"), AM_BAD_JSON, NULL},
	{ONE("{\"name\":\"a\",\"value\":\"x\",\"isRegex\":\"no\"}"), AM_BAD_JSON, NULL},
	{ONE("null"), AM_REQUIRED, NULL},
	{"{" REST ",\"matchers\":{}}", AM_BAD_JSON, NULL},
	{"{" REST "," MATCHERS ",\"id\":5}", AM_BAD_JSON, NULL},
	{"[]", AM_BAD_JSON, NULL},
	{"{", AM_BAD_JSON, NULL},
	{"{\"endsAt\":\"x\"}", AM_BAD_JSON, NULL},
};

START_TEST(bodies_with_silences_are_judged_as_alertmanager_does)
{
	struct silence_view s;
	int rc = am_read_silence(&a, str_c(silences[_i].body), &s, &e);

	ck_assert_msg((rc == 0) == (silences[_i].code == 0), "%s", e.msg);
	if (rc == 0)
		return;
	ck_assert_int_eq(e.code, silences[_i].code);
	if (silences[_i].msg != NULL)
		ck_assert_str_eq(e.msg, silences[_i].msg);
}
END_TEST

START_TEST(a_silence_is_read_with_all_it_has)
{
	struct silence_view s;

	ck_assert_msg(
		am_read_silence(&a,
			STR("{" REST ",\"matchers\":[{\"name\":\"a\",\"value\":\"x|y\","
			    "\"isRegex\":true,\"isEqual\":false},{\"name\":\"b\",\"value\":\"\","
			    "\"isRegex\":false}],\"id\":\"i\",\"annotations\":{\"z\":\"1\","
			    "\"k\":\"v\"},\"recurring\": [{\"weekdays\":[\"sunday\"]}] }"),
			&s, &e) == 0,
		"%s", e.msg);
	ck_assert_uint_eq(s.n_matchers, 2);
	ck_assert(s.matchers[0].is_regex && !s.matchers[0].is_equal);
	ck_assert(!s.matchers[1].is_regex && s.matchers[1].is_equal);
	ck_assert(str_eq(s.id, STR("i")) && str_eq(s.comment, STR("c")));
	ck_assert(str_eq(s.annotations.v[0].name, STR("k")));
	ck_assert(str_eq(s.recurring, STR("[{\"weekdays\":[\"sunday\"]}]")));
	ck_assert_int_eq(s.ends_at_ms - s.starts_at_ms, INT64_C(315619200000));
}
END_TEST

static const struct {
	const char *text;
	int64_t ms; /* INT64_MIN: refused */
} times[] = {
	{"2026-01-02T03:04:05Z", 1767323045000},
	{"2026-01-02T03:04:05.678Z", 1767323045678},
	{"2026-01-02T03:04:05.678901234+01:00", 1767319445678},
	{"2026-01-02 03:04:05", 1767323045000},
	{"2026-01-02T03:04:05", 1767323045000},
	{"2026-01-02", 1767312000000},
	{"0001-01-01T00:00:00.000Z", 0},
	{"", 0},
	{"1970-01-01T00:00:00Z", 1},
	{"x", INT64_MIN},
	{"2026-13-02", INT64_MIN},
	{"2026-01-02T03:04:05Zx", INT64_MIN},
	{"2026-01-02T03:04:05.000000000000000000000000000000000000000000000000000Z", INT64_MIN},
};

START_TEST(times_are_read_in_the_formats_of_the_api)
{
	int64_t ms = -1;

	ck_assert_int_eq(am_read_time(str_c(times[_i].text), &ms), times[_i].ms != INT64_MIN);
	if (times[_i].ms != INT64_MIN)
		ck_assert_int_eq(ms, times[_i].ms);
}
END_TEST

START_TEST(truth_has_many_words)
{
	ck_assert(am_truth(STR("true")) && am_truth(STR("Yes")) && am_truth(STR("1")));
	ck_assert(!am_truth(STR("false")) && !am_truth(STR("maybe")) && !am_truth(STR("")));
}
END_TEST

START_TEST(a_uuid_has_36_characters)
{
	ck_assert(am_is_uuid(STR("959a49d3-88f4-475c-8C4b-2a9db45fd5c8")));
	ck_assert(!am_is_uuid(STR("959a49d3-88f4-475c-8c4b-2a9db45fd5c")));
	ck_assert(!am_is_uuid(STR("959a49d3x88f4-475c-8c4b-2a9db45fd5c8")));
	ck_assert(!am_is_uuid(STR("959a49d3-88f4-475c-8c4b-2a9db45fd5cg")));
}
END_TEST

START_TEST(more_labels_than_any_alert_has_are_refused)
{
	struct external_alert *v;
	struct buf b;
	size_t n;

	buf_init(&b, 1u << 20);
	buf_c(&b, "[{\"labels\":{");
	for (int i = 0; i < 300; i++)
		buf_printf(&b, "%s\"l%d\":\"x\"", i > 0 ? "," : "", i);
	buf_c(&b, "}}]");
	ck_assert_int_eq(am_read_alerts(&a, buf_view(&b), &v, &n, &e), -1);
	ck_assert_int_eq(e.code, AM_BAD_JSON);
	buf_fini(&b);
}
END_TEST

START_TEST(a_body_of_nothing_but_empty_alerts_is_bounded)
{
	struct external_alert *v;
	struct arena big;
	struct buf b;
	size_t n;

	buf_init(&b, 8u << 20);
	arena_init(&big, (size_t)256 << 20);
	buf_ch(&b, '[');
	for (int i = 0; i < 250000; i++)
		buf_c(&b, i > 0 ? ",{}" : "{}");
	buf_ch(&b, ']');
	ck_assert_int_eq(am_read_alerts(&big, buf_view(&b), &v, &n, &e), -1);
	ck_assert_int_eq(e.code, AM_BAD_JSON);
	ck_assert_ptr_nonnull(strstr(e.msg, "more than 200000 alerts"));
	buf_fini(&b);
	arena_fini(&big);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("am_body");
	TCase *t = tcase_create("am_body");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
		t, bodies_with_alerts_are_judged_as_alertmanager_does, 0, (int)ARRAY_LEN(alerts));
	tcase_add_test(t, an_alert_is_read_with_all_it_has);
	tcase_add_loop_test(t, bodies_with_silences_are_judged_as_alertmanager_does, 0,
		(int)ARRAY_LEN(silences));
	tcase_add_test(t, a_silence_is_read_with_all_it_has);
	tcase_add_loop_test(t, times_are_read_in_the_formats_of_the_api, 0, (int)ARRAY_LEN(times));
	tcase_add_test(t, truth_has_many_words);
	tcase_add_test(t, a_uuid_has_36_characters);
	tcase_add_test(t, more_labels_than_any_alert_has_are_refused);
	tcase_add_test(t, a_body_of_nothing_but_empty_alerts_is_bounded);
	suite_add_tcase(s, t);
	return suite_run(s);
}
