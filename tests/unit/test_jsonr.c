/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/jsonr.h"
#include "base/num.h"
#include "tests/lib/suite.h"

static struct arena a;
static struct err e;
static struct jsonr j;

static void setup(void)
{
	arena_init(&a, 1u << 20);
	e = (struct err){0};
}

static void teardown(void)
{
	arena_fini(&a);
}

static void start(const char *text)
{
	jsonr_init(&j, str_c(text), &a, &e);
}

static const struct {
	const char *json, *want;
	size_t n;
} strings[] = {
	{"\"\"", "", 0},
	{" \t\r\n\"plain\" ", "plain", 5},
	{"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz", 10},
	{"\"\\u00e9\\ud83d\\ude00\"", "\xc3\xa9\xf0\x9f\x98\x80", 6},
	{"\"\\ud83dx\"", "\xef\xbf\xbdx", 4},
	{"\"\\ud83d\\u0041\"",
		"\xef\xbf\xbd"
		"A",
		4},
	{"\"\\udc00\"", "\xef\xbf\xbd", 3},
	{"\"a\\u0000b\"", "a\0b", 3},
	{"\"\xff\"", "\xef\xbf\xbd", 3},
	{"\"\xe2\x82\xac\"", "\xe2\x82\xac", 3},
};

START_TEST(strings_are_read_as_go_reads_them)
{
	struct str s;

	start(strings[_i].json);
	ck_assert_msg(jsonr_str(&j, &s), "%s", e.msg);
	ck_assert(str_eq(s, str_n(strings[_i].want, strings[_i].n)));
	ck_assert(jsonr_end(&j));
}
END_TEST

static const char *const bad[] = {"", " ", "nul", "tru", "{", "[", "[1", "[1,", "[1,]", "[,1]",
	"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "[1 2]", "01", "-", "1.",
	"1e", "+1", ".5", "\"", "\"\\", "\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "[1]]",
	"[}", "{]", "\x01", "NaN", "'a'", "1 2", "\"\\\"", "\"\\ud83d\\u1\"", "[\"a\",\"b]"};

START_TEST(what_is_no_json_fails_with_a_place)
{
	start(bad[_i]);
	ck_assert(!(jsonr_skip(&j) && jsonr_end(&j)));
	ck_assert_int_eq(e.kind, ERR_INPUT);
	ck_assert_uint_le(e.off, strlen(bad[_i]));
	ck_assert(j.failed);
}
END_TEST

static const char *const good[] = {"null", "true", "false", "0", "-0.5e+10", "1E9", "\"a\"", "[]",
	"{}", "[[],{},[{\"a\":[1,2,{\"b\":null}]}]]", " { \"a\" : [ 1 , 2 ] , \"b\" : { } } ",
	"123456789012345678901234567890", "[\"\\u0041\",true,false,null,-1]"};

START_TEST(every_kind_of_value_is_skipped)
{
	struct str raw;

	start(good[_i]);
	ck_assert_msg(jsonr_skip(&j), "%s", e.msg);
	ck_assert(jsonr_end(&j));
	start(good[_i]);
	ck_assert(jsonr_raw(&j, &raw));
	ck_assert(str_eq(raw, str_trim(str_c(good[_i]))));
}
END_TEST

START_TEST(an_object_is_read_member_by_member)
{
	struct str key, text = STR("");
	double number = 0;
	bool truth = false, null = false;
	unsigned items = 0;

	start("{\"s\":\"x\",\"n\":2.5,\"t\":true,\"z\":null,\"l\":[1,[2],{\"q\":3}],\"o\":{\"p\":1}"
	      "}");
	ck_assert(jsonr_object(&j));
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("s"))) {
			ck_assert(jsonr_str(&j, &text));
		} else if (str_eq(key, STR("n"))) {
			ck_assert(jsonr_f64(&j, &number));
		} else if (str_eq(key, STR("t"))) {
			ck_assert(jsonr_bool(&j, &truth));
		} else if (str_eq(key, STR("z"))) {
			null = jsonr_null(&j);
		} else if (str_eq(key, STR("l"))) {
			ck_assert(jsonr_array(&j));
			for (; jsonr_item(&j); items++)
				ck_assert(jsonr_skip(&j));
		} else {
			ck_assert(jsonr_skip(&j));
		}
	}
	ck_assert_msg(!j.failed, "%s", e.msg);
	ck_assert(jsonr_end(&j));
	ck_assert(str_eq(text, STR("x")));
	ck_assert_double_eq(number, 2.5);
	ck_assert(truth && null);
	ck_assert_uint_eq(items, 3);
}
END_TEST

START_TEST(a_wrong_kind_is_named)
{
	struct str s;

	start("[1]");
	ck_assert(!jsonr_str(&j, &s));
	ck_assert_str_eq(e.msg, "string expected, not array");
	ck_assert(!jsonr_skip(&j)); /* sticky */
	ck_assert(!jsonr_item(&j));
	ck_assert(!jsonr_end(&j));
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char text[2 * JSONR_DEPTH + 4];

	memset(text, '[', JSONR_DEPTH);
	memset(text + JSONR_DEPTH, ']', JSONR_DEPTH);
	text[2 * JSONR_DEPTH] = '\0';
	start(text);
	ck_assert(jsonr_skip(&j));
	ck_assert(jsonr_end(&j));
	memset(text, '[', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	start(text);
	ck_assert(!jsonr_skip(&j));
	ck_assert_str_eq(e.msg, "nested deeper than 64");
}
END_TEST

START_TEST(a_full_arena_is_an_error_and_no_crash)
{
	struct arena small;
	struct str s;

	arena_init(&small, 1);
	jsonr_init(&j, STR("\"\\u0041\""), &small, &e);
	ck_assert(!jsonr_str(&j, &s));
	ck_assert_str_eq(e.msg, "too large");
	arena_fini(&small);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jsonr");
	TCase *t = tcase_create("jsonr");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, strings_are_read_as_go_reads_them, 0, (int)ARRAY_LEN(strings));
	tcase_add_loop_test(t, what_is_no_json_fails_with_a_place, 0, (int)ARRAY_LEN(bad));
	tcase_add_loop_test(t, every_kind_of_value_is_skipped, 0, (int)ARRAY_LEN(good));
	tcase_add_test(t, an_object_is_read_member_by_member);
	tcase_add_test(t, a_wrong_kind_is_named);
	tcase_add_test(t, nesting_is_bounded);
	tcase_add_test(t, a_full_arena_is_an_error_and_no_crash);
	suite_add_tcase(s, t);
	return suite_run(s);
}
