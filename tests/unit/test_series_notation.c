/* SPDX-License-Identifier: Apache-2.0 */
/* Series as tests write them: what each form gives, and what is refused at which byte. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/hist_buckets.h"
#include "rules/series_notation.h"
#include "tests/lib/suite.h"

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, (size_t)256 << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
}

static const struct {
	const char *text, *values;
} good[] = {
	{"", ""},
	{"  \n ", ""},
	{"1", "1"},
	{"1 2.5 -3 .5 1e3", "1 2.5 -3 0.5 1000"},
	{"0x3", "0 0 0 0"},
	{"1x2 7", "1 1 1 7"},
	{"1+2x3", "1 3 5 7"},
	{"5-2x2", "5 3 1"},
	{"-1+-2x1", NULL},
	{"1+1x0", "1"},
	{"_ _x2 1", "_ _ _ 1"},
	{"stale 1 stale stale", "stale 1 stale stale"},
	{"stale+1x2", "stale nan nan"},
	{"1_000 1_0.5 010 -010 08 1e1_0", "1000 10.5 8 -8 8 1e+10"},
	{"010+010x1", "8 16"},
	{"Inf -Inf +inf NaN", "inf -inf inf nan"},
	{"\t1\n2 ", "1 2"},
	{"1e-2x1", "0.01 0.01"},
	{"0.1+0.1x2", "0.1 0.2 0.3"},
};

static void print(struct buf *b, const struct series_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_ch(b, ' ');
		if (v[i].missing)
			buf_ch(b, '_');
		else if (v[i].h != NULL)
			hist_print(&arena, b, v[i].h);
		else if (is_stale_nan(v[i].v))
			buf_c(b, "stale");
		else if (isnan(v[i].v))
			buf_c(b, "nan");
		else
			buf_printf(b, "%g", v[i].v);
	}
}

static void gives(const char *text, const char *want)
{
	struct series_value *v;
	struct err e;
	struct buf b;
	size_t n;

	ck_assert_msg(
		series_values_parse(&arena, str_c(text), &v, &n, &e) == 0, "%s: %s", text, e.msg);
	buf_init(&b, 1 << 20);
	buf_c(&b, "");
	print(&b, v, n);
	ck_assert_msg(str_eq(buf_view(&b), str_c(want)), "%s: got %s, want %s", text,
		b.p != NULL ? b.p : "", want);
	buf_fini(&b);
}

START_TEST(each_form_gives_its_values)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (good[i].values != NULL)
			gives(good[i].text, good[i].values);
	}
}
END_TEST

START_TEST(histograms_are_written_added_and_subtracted)
{
	gives("{{}}", "{count:0, sum:0}");
	gives("{{schema:0 sum:-2 count:6 z_bucket:1 z_bucket_w:0.5 buckets:[1 2] offset:1 "
	      "n_buckets:[2] n_offset:2}}",
		"{count:6, sum:-2, [-4,-2):2, [-0.5,0.5]:1, (1,2]:1, (2,4]:2}");
	gives("{{schema:-53 count:3 sum:4 custom_values:[1 5] buckets:[1 0 2]}}",
		"{count:3, sum:4, [-Inf,1]:1, (5,+Inf]:2}");
	gives("{{count:1 sum:2 buckets:[1]}}x1 _",
		"{count:1, sum:2, (0.5,1]:1} {count:1, sum:2, (0.5,1]:1} _");
	gives("{{count:1 sum:2 buckets:[1]}}+{{count:2 sum:1 buckets:[1 1]}}x2",
		"{count:1, sum:2, (0.5,1]:1} {count:3, sum:3, (0.5,1]:2, (1,2]:1} "
		"{count:5, sum:4, (0.5,1]:3, (1,2]:2}");
	gives("{{count:5 sum:2 buckets:[5]}}-{{count:2 sum:1 buckets:[2]}}x1",
		"{count:5, sum:2, (0.5,1]:5} {count:3, sum:1, (0.5,1]:3}");
}
END_TEST

START_TEST(a_hint_is_kept)
{
	struct series_value *v;
	struct err e;
	size_t n;

	ck_assert_int_eq(series_values_parse(&arena,
				 STR("{{counter_reset_hint:gauge}} {{counter_reset_hint:reset}}"),
				 &v, &n, &e),
		0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(v[0].h->reset, HIST_RESET_GAUGE);
	ck_assert_uint_eq(v[1].h->reset, HIST_RESET_YES);
}
END_TEST

static const struct {
	const char *text;
	size_t off;
} bad[] = {
	{"a", 0},
	{"1 x", 2},
	{"1,2", 1},
	{"1x", 2},
	{"1x-1", 2},
	{"1x99999999999", 2},
	{"1x4000001", 2},
	{"1+", 1},
	{"1+2", 3},
	{"1+x3", 1},
	{"1 2stal", 3},
	{"_3", 1},
	{"stale1", 0},
	{"stalex1", 0},
	{"infx3", 0},
	{"1+infx3", 1},
	{"nanx", 0},
	{"1_", 0},
	{"1__0", 0},
	{"1_e3", 0},
	{"{1}", 0},
	{"{{", 2},
	{"{{foo:1}}", 2},
	{"{{sum:1 sum:2}}", 8},
	{"{{sum 1}}", 2},
	{"{{sum:x}}", 6},
	{"{{schema:1.5}}", 12},
	{"{{schema:99 count:1 buckets:[1]}}", 31},
	{"{{buckets:1}}", 10},
	{"{{buckets:[1}}", 12},
	{"{{counter_reset_hint:no}}", 23},
	{"{{sum:1}", 7},
	{"{{}}+1x2", 5},
	{"{{}}+{{}}", 9},
	{"{{schema:-53 custom_values:[1] buckets:[1]}}+{{buckets:[1]}}x2", 62},
};

START_TEST(what_is_wrong_is_refused_where_it_stands)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = {.kind = ERR_NONE};
		struct series_value *v;
		size_t n;

		ck_assert_msg(series_values_parse(&arena, str_c(bad[i].text), &v, &n, &e) == -1,
			"accepted %s", bad[i].text);
		ck_assert(e.msg[0] != '\0');
		ck_assert_msg(e.off == bad[i].off, "%s: %zu %s", bad[i].text, e.off, e.msg);
	}
}
END_TEST

START_TEST(many_values_are_bounded)
{
	struct err e = {.kind = ERR_NONE};
	struct series_value *v;
	size_t n;

	ck_assert_int_eq(series_values_parse(&arena, STR("1x3999999 1x3999999"), &v, &n, &e), -1);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
}
END_TEST

START_TEST(a_series_is_a_label_set)
{
	struct labels ls;
	struct err e;

	ck_assert_int_eq(series_labels_parse(&arena, STR("up{job=\"x\", a='y'}"), &ls, &e), 0);
	ck_assert_uint_eq(ls.n, 3);
	ck_assert(str_eq(labels_get(ls, STR("a")), STR("y")));
	ck_assert(str_eq(labels_get(ls, LABEL_NAME), STR("up")));
	ck_assert_int_eq(series_labels_parse(&arena, STR("{ }"), &ls, &e), 0);
	ck_assert_uint_eq(ls.n, 0);
	ck_assert_int_eq(series_labels_parse(&arena, STR(""), &ls, &e), 0);
	ck_assert_uint_eq(ls.n, 0);
	ck_assert_int_eq(series_labels_parse(&arena, STR("requests{}"), &ls, &e), 0);
	ck_assert_uint_eq(ls.n, 1);
	ck_assert_int_eq(series_labels_parse(&arena, STR("up{a=\"1\",a=\"2\"}"), &ls, &e), -1);
	ck_assert_int_eq(series_labels_parse(&arena, STR("up{a!=\"1\"}"), &ls, &e), -1);
	ck_assert_int_eq(series_labels_parse(&arena, STR("up{a=~\"1\"}"), &ls, &e), -1);
	ck_assert_int_eq(series_labels_parse(&arena, STR("up{"), &ls, &e), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("series_notation");
	TCase *tc = tcase_create("series_notation");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_form_gives_its_values);
	tcase_add_test(tc, histograms_are_written_added_and_subtracted);
	tcase_add_test(tc, a_hint_is_kept);
	tcase_add_test(tc, what_is_wrong_is_refused_where_it_stands);
	tcase_add_test(tc, many_values_are_bounded);
	tcase_add_test(tc, a_series_is_a_label_set);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
