/* SPDX-License-Identifier: Apache-2.0 */
/* json - what the writer puts on the wire, byte for byte. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/jsonw.h"
#include "tests/lib/suite.h"

static struct buf b;
static struct jsonw j;

static void setup(void)
{
	buf_init(&b, 4096);
	jsonw_init(&j, &b);
}

static void teardown(void)
{
	buf_fini(&b);
}

START_TEST(commas_stand_between_values_at_every_depth)
{
	jsonw_object(&j);
	jsonw_kv_i64(&j, "a", -1);
	jsonw_key(&j, "b");
	jsonw_array(&j);
	jsonw_array(&j);
	jsonw_array_end(&j);
	jsonw_object(&j);
	jsonw_object_end(&j);
	jsonw_null(&j);
	jsonw_array_end(&j);
	jsonw_kv_bool(&j, "c", true);
	jsonw_object_end(&j);
	ck_assert_str_eq(b.p, "{\"a\":-1,\"b\":[[],{},null],\"c\":true}");
}
END_TEST

START_TEST(control_bytes_and_quotes_are_escaped)
{
	jsonw_str(&j, STR("a\"b\\c\n\r\t\x01\x7f\0z"));
	ck_assert_str_eq(b.p, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f\\u0000z\"");
}
END_TEST

START_TEST(invalid_utf8_becomes_the_replacement_character)
{
	jsonw_str(&j, STR("\xc3\xa4\xff|\xe2\x82|\xed\xa0\x80|\xf0\x9f\x98\x80"));
	ck_assert_str_eq(b.p, "\"\xc3\xa4\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
			      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(a_cut_off_character_at_the_end_is_not_read_past)
{
	jsonw_str(&j, str_n("ab\xe2\x82\xac", 3));
	ck_assert_str_eq(b.p, "\"ab\xef\xbf\xbd\"");
}
END_TEST

START_TEST(values_are_strings_as_prometheus_writes_them)
{
	jsonw_array(&j);
	jsonw_f64_str(&j, 0.1);
	jsonw_f64_str(&j, (double)NAN);
	jsonw_f64_str(&j, (double)INFINITY);
	jsonw_f64_str(&j, -(double)INFINITY);
	jsonw_f64_str(&j, 1e-7);
	jsonw_f64(&j, (double)NAN);
	jsonw_f64(&j, 2.5);
	jsonw_array_end(&j);
	ck_assert_str_eq(b.p, "[\"0.1\",\"NaN\",\"+Inf\",\"-Inf\",\"1e-07\",null,2.5]");
}
END_TEST

START_TEST(times_are_seconds_with_three_decimals_or_none)
{
	jsonw_array(&j);
	jsonw_time(&j, 1500);
	jsonw_time(&j, 2000);
	jsonw_time(&j, -1);
	jsonw_rfc3339(&j, 0);
	jsonw_array_end(&j);
	ck_assert_str_eq(b.p, "[1.500,2,-0.001,\"1970-01-01T00:00:00Z\"]");
}
END_TEST

START_TEST(labels_are_an_object)
{
	struct label v[2] = {{STR("__name__"), STR("up")}, {STR("job"), STR("a\"b")}};

	jsonw_labels(&j, (struct labels){v, 2});
	ck_assert_str_eq(b.p, "{\"__name__\":\"up\",\"job\":\"a\\\"b\"}");
}
END_TEST

START_TEST(a_full_buffer_fails_and_stays_failed)
{
	struct buf small;

	buf_init(&small, 8);
	jsonw_init(&j, &small);
	jsonw_array(&j);
	jsonw_c(&j, "longer than the buffer");
	jsonw_array_end(&j);
	ck_assert(small.failed);
	buf_fini(&small);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("writer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, commas_stand_between_values_at_every_depth);
	tcase_add_test(t, control_bytes_and_quotes_are_escaped);
	tcase_add_test(t, invalid_utf8_becomes_the_replacement_character);
	tcase_add_test(t, a_cut_off_character_at_the_end_is_not_read_past);
	tcase_add_test(t, values_are_strings_as_prometheus_writes_them);
	tcase_add_test(t, times_are_seconds_with_three_decimals_or_none);
	tcase_add_test(t, labels_are_an_object);
	tcase_add_test(t, a_full_buffer_fails_and_stays_failed);
	suite_add_tcase(s, t);
	return suite_run(s);
}
