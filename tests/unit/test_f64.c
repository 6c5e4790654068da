/* SPDX-License-Identifier: Apache-2.0 */
/* Text of float64: each form against a table, and reading back what was written. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/f64.h"
#include "base/num.h"
#include "tests/lib/suite.h"

static const struct {
	double v;
	const char *api, *plain, *exp, *g;
} forms[] = {
	{0, "0", "0", "0e+00", "0"},
	{-0.0, "-0", "-0", "-0e+00", "-0"},
	{1, "1", "1", "1e+00", "1"},
	{-1.5, "-1.5", "-1.5", "-1.5e+00", "-1.5"},
	{0.1, "0.1", "0.1", "1e-01", "0.1"},
	{100, "100", "100", "1e+02", "100"},
	{123456.789, "123456.789", "123456.789", "1.23456789e+05", "123456.789"},
	{1e20, "100000000000000000000", "100000000000000000000", "1e+20", "100000000000000000000"},
	{1e21, "1e+21", "1000000000000000000000", "1e+21", "1e+21"},
	{1.5e300, "1.5e+300", NULL, "1.5e+300", "1.5e+300"},
	{1e-5, "0.00001", "0.00001", "1e-05", "1e-05"},
	{1e-6, "0.000001", "0.000001", "1e-06", "1e-06"},
	{1e-7, "1e-07", "0.0000001", "1e-07", "1e-07"},
	{0.0001, "0.0001", "0.0001", "1e-04", "0.0001"},
	{5e-324, "5e-324", NULL, "5e-324", "5e-324"},
	{1.7976931348623157e308, "1.7976931348623157e+308", NULL, "1.7976931348623157e+308",
		"1.7976931348623157e+308"},
	{9007199254740993.0, "9007199254740992", "9007199254740992", "9.007199254740992e+15",
		"9007199254740992"},
	{(double)INFINITY, "+Inf", "+Inf", "+Inf", "+Inf"},
	{-(double)INFINITY, "-Inf", "-Inf", "-Inf", "-Inf"},
	{(double)NAN, "NaN", "NaN", "NaN", "NaN"},
};

static void check_form(void (*print)(struct buf *b, double v), double v, const char *want)
{
	struct buf b;

	if (want == NULL)
		return;
	buf_init(&b, 4096);
	print(&b, v);
	ck_assert_str_eq(b.p, want);
	buf_fini(&b);
}

START_TEST(values_are_printed_in_the_shortest_exact_form)
{
	check_form(f64_print, forms[_i].v, forms[_i].api);
	check_form(f64_print_plain, forms[_i].v, forms[_i].plain);
	check_form(f64_print_exp, forms[_i].v, forms[_i].exp);
	check_form(f64_print_g, forms[_i].v, forms[_i].g);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	double v;
} texts[] = {
	{"0", true, 0},
	{"-0", true, -0.0},
	{"+1.5", true, 1.5},
	{".5", true, 0.5},
	{"5.", true, 5},
	{"1e3", true, 1000},
	{"1E+3", true, 1000},
	{"1e-3", true, 0.001},
	{"0.1", true, 0.1},
	{"inf", true, (double)INFINITY},
	{"+Inf", true, (double)INFINITY},
	{"-INFINITY", true, -(double)INFINITY},
	{"1e400", true, (double)INFINITY},
	{"-1e400", true, -(double)INFINITY},
	{"0.00001e400", true, (double)INFINITY},
	{"1e-400", true, 0},
	{"1000000e-400", true, 0},
	{"1e99999999999999999999", true, (double)INFINITY},
	{"1e-99999999999999999999", true, 0},
	{"4.9e-324", true, 5e-324},
	{"", false, 0},
	{"+", false, 0},
	{"-", false, 0},
	{"--1", false, 0},
	{"+-1", false, 0},
	{"1e", false, 0},
	{"1e+", false, 0},
	{".", false, 0},
	{"0x10", false, 0},
	{"1_000", false, 0},
	{" 1", false, 0},
	{"1 ", false, 0},
	{"1,5", false, 0},
	{"infin", false, 0},
	{"nano", false, 0},
	{"nan(1)", false, 0},
};

START_TEST(numbers_are_read_whole_or_not_at_all)
{
	double v = 77;
	bool ok = f64_parse(str_c(texts[_i].text), &v);

	ck_assert_msg(ok == texts[_i].ok, "%s", texts[_i].text);
	if (ok)
		ck_assert_msg(
			f64_bits(v) == f64_bits(texts[_i].v), "%s gave %a", texts[_i].text, v);
}
END_TEST

START_TEST(nan_reads_as_the_ordinary_nan_in_any_case)
{
	static const char *const nans[] = {"nan", "NaN", "+NAN", "-nan"};

	for (size_t i = 0; i < ARRAY_LEN(nans); i++) {
		double v = 0;

		ck_assert(f64_parse(str_c(nans[i]), &v));
		ck_assert(f64_bits(v) == NORMAL_NAN_BITS);
	}
}
END_TEST

START_TEST(every_printed_value_reads_back_bit_for_bit)
{
	uint64_t x = 88172645463325252u; /* xorshift64 */
	struct buf b;

	buf_init(&b, 4096);
	for (int i = 0; i < 20000; i++) {
		double v, back = 0;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v = f64_from_bits(x);
		if (!isfinite(v))
			continue;
		for (int form = 0; form < 4; form++) {
			buf_reset(&b);
			(form == 0          ? f64_print
				: form == 1 ? f64_print_plain
				: form == 2 ? f64_print_exp
					    : f64_print_g)(&b, v);
			ck_assert(f64_parse(buf_view(&b), &back));
			ck_assert(f64_bits(back) == f64_bits(v));
		}
	}
	buf_fini(&b);
}
END_TEST

/* The plain form and the exponent's are laid out elsewhere. */
START_TEST(texts_are_those_of_the_two_forms_and_fit)
{
	uint64_t x = 88172645463325252u; /* xorshift64 */
	struct buf want;

	buf_init(&want, 4096);
	for (int i = 0; i < 60000; i++) {
		char text[F64_TEXT];
		double v, a;
		size_t n;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v = i % 3 == 0   ? f64_from_bits(x)
		    : i % 3 == 1 ? (double)(int64_t)x
				 : (double)(x >> 40);
		if (i % 3 > 0 && i % 2 == 0)
			v /= i % 7 == 0 ? 1e24 : -(double)(1u << (i % 30));
		a = fabs(v);
		n = f64_text(text, v);
		ck_assert_uint_le(n, sizeof text);
		buf_reset(&want);
		if (isfinite(v) && a != 0 && (a < 1e-6 || a >= 1e21))
			f64_print_exp(&want, v);
		else
			f64_print_plain(&want, v);
		ck_assert_uint_eq(n, want.n);
		ck_assert_mem_eq(text, want.p, n);
	}
	buf_fini(&want);
}
END_TEST

START_TEST(times_are_seconds_with_three_decimals_when_not_whole)
{
	static const struct {
		long long ms;
		const char *text;
	} times[] = {{0, "0"}, {1000, "1"}, {1500, "1.500"}, {-1, "-0.001"}, {-2000, "-2"},
		{1435781430781, "1435781430.781"}, {INT64_MIN, "-9223372036854775.808"}};
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		buf_reset(&b);
		f64_print_time(&b, times[i].ms);
		ck_assert_str_eq(b.p, times[i].text);
	}
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("f64");
	TCase *t = tcase_create("f64");

	tcase_add_loop_test(t, values_are_printed_in_the_shortest_exact_form, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, numbers_are_read_whole_or_not_at_all, 0, ARRAY_LEN(texts));
	tcase_add_test(t, nan_reads_as_the_ordinary_nan_in_any_case);
	tcase_add_test(t, every_printed_value_reads_back_bit_for_bit);
	tcase_add_test(t, texts_are_those_of_the_two_forms_and_fit);
	tcase_add_test(t, times_are_seconds_with_three_decimals_when_not_whole);
	suite_add_tcase(s, t);
	return suite_run(s);
}
