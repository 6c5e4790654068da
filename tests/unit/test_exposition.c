/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/scrape/{exposition,openmetrics}.c, and of Prometheus's own cases where they lie
 * near. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "agent/scrape/exposition.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/f64.h"
#include "base/fd.h"
#include "base/num.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

/* The whole page as text, an entry a line; an error as "error: ...". */
static const char *read_page(enum expo_format f, struct str page)
{
	static char text[1 << 16];
	static struct expo x;
	struct buf b;
	enum expo_entry e;

	buf_init(&b, sizeof text - 1);
	expo_init(&x, f, page);
	while ((e = expo_next(&x)) != EXPO_END && e != EXPO_ERROR) {
		if (e == EXPO_SAMPLE) {
			size_t n = x.n_labels;

			(void)labels_sort(x.labels, &n);
			labels_print(&b, (struct labels){x.labels, n}, true);
			buf_ch(&b, ' ');
			f64_print(&b, x.value);
			if (x.has_time)
				buf_printf(&b, " @%lld", (long long)x.t_ms);
		} else {
			buf_printf(&b, "%s %.*s %.*s",
				e == EXPO_TYPE   ? "type"
				: e == EXPO_HELP ? "help"
						 : "unit",
				(int)x.metric.n, x.metric.p, (int)x.text.n, x.text.p);
		}
		buf_ch(&b, '\n');
	}
	if (e == EXPO_ERROR)
		buf_printf(&b, "error: %s", x.err.msg);
	(void)snprintf(text, sizeof text, "%.*s", (int)b.n, b.p != NULL ? b.p : "");
	buf_fini(&b);
	expo_fini(&x);
	return text;
}

static const char *text_page(const char *page)
{
	return read_page(EXPO_TEXT, str_c(page));
}

static const char *om_page(const char *page)
{
	return read_page(EXPO_OPENMETRICS, str_c(page));
}

START_TEST(a_text_page_is_read)
{
	ck_assert_str_eq(text_page("# HELP a Help \\\\ with\\nbreak \\q.\n"
				   "# TYPE a counter\n"
				   "# just a comment\n#another\n\n"
				   "a 1\n"
				   "  a{b=\"c\"} 2 1000\n"
				   "a { b = \"x\\\\y\\\"z\\n\" , d=\"e\", } 3e2 -5\n"
				   "a:b{} +Inf\n"
				   "a NaN\n"
				   "a{x=\"1\"}7"),
		"help a Help \\ with\nbreak \\q.\ntype a counter\na 1\na{b=\"c\"} 2 @1000\n"
		"a{b=\"x\\\\y\\\"z\\n\", d=\"e\"} 300 @-5\na:b +Inf\na NaN\na{x=\"1\"} 7\n");
}
END_TEST

START_TEST(names_may_be_quoted)
{
	ck_assert_str_eq(text_page("{\"http.status\",q=\"0.9\",\"a b\"=\"c\"} 8\n{\"x y\"} 1\n"
				   "# TYPE \"x y\" gauge\n"),
		"{\"http.status\", \"a b\"=\"c\", q=\"0.9\"} 8\n{\"x y\"} 1\ntype x y gauge\n");
}
END_TEST

START_TEST(an_openmetrics_page_is_read)
{
	ck_assert_str_eq(
		om_page("# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a Help \\\"me\\\".\n"
			"a_total{b=\"c\",d=\"e\"} 1\n"
			"a_total 2 1.5\n"
			"a_bucket{le=\"1\"} 3 # {id=\"x\"} 0.5 12.5\n"
			"a_bucket{le=\"2\"} 3 7 # {} 0.5\n"
			"a_created 1e9\n"
			"# EOF\n"),
		"type a counter\nunit a_seconds seconds\nhelp a Help \"me\".\n"
		"a_total{b=\"c\", d=\"e\"} 1\na_total 2 @1500\na_bucket{le=\"1\"} 3\n"
		"a_bucket{le=\"2\"} 3 @7000\na_created 1000000000\n");
}
END_TEST

START_TEST(errors_tell_the_line)
{
	ck_assert_ptr_nonnull(
		strstr(text_page("a 1\nb 2\nc{x} 3\n"), "error: line 3: expected equal"));
	ck_assert_ptr_nonnull(strstr(om_page("a 1\n"), "data does not end with # EOF"));
	ck_assert_ptr_nonnull(strstr(text_page("a 1\r\n"), "error: line 1: not a number"));
	ck_assert_ptr_nonnull(strstr(text_page("a 1e999\n"), "out of range"));
	ck_assert_ptr_nonnull(strstr(text_page("a 1 2 3\n"), "error"));
	ck_assert_ptr_nonnull(strstr(text_page("a.6\n"), "expected value after metric"));
	ck_assert_ptr_nonnull(strstr(text_page("a 1 2.5\n"), "error"));
	ck_assert_ptr_nonnull(strstr(om_page("a{b=\"c\", d=\"e\"} 1\n# EOF\n"), "error"));
	ck_assert_ptr_nonnull(strstr(om_page("a 1 2  # {} 1\n# EOF\n"), "error"));
	ck_assert_ptr_nonnull(strstr(text_page("{\"a\",\"b\"} 1\n"), "already set"));
}
END_TEST

START_TEST(limits_refuse_the_page)
{
	struct buf b;

	buf_init(&b, 4u << 20);
	buf_c(&b, "a{");
	for (unsigned i = 0; i <= LIMIT_LABELS; i++)
		buf_printf(&b, "l%u=\"v\",", i);
	buf_c(&b, "} 1\n");
	ck_assert_ptr_nonnull(strstr(read_page(EXPO_TEXT, buf_view(&b)), "more than 64 labels"));
	buf_reset(&b);
	buf_c(&b, "# HELP a ");
	for (unsigned i = 0; i < LIMIT_SCRAPE_LINE; i++)
		buf_ch(&b, 'x');
	ck_assert_ptr_nonnull(strstr(read_page(EXPO_TEXT, buf_view(&b)), "line over"));
	ck_assert_ptr_nonnull(strstr(read_page(EXPO_OPENMETRICS, buf_view(&b)), "line over"));
	buf_fini(&b);
}
END_TEST

START_TEST(a_hint_is_taken_only_for_the_whole_series)
{
	static const struct {
		const char *hint, *line;
		bool taken;
	} cases[] = {
		{"a", "a 1\n", true},
		{"a", "a\t1\n", true},
		{"a", "ab 1\n", false},
		{"a", "a {x=\"1\"} 1\n", false},
		{"a", "a{x=\"1\"} 1\n", false},
		{"a{x=\"1\"}", "a{x=\"1\"} 1\n", true},
		{"a{x=\"1\"}", "a{x=\"1\"}1\n", true},
		{"a{x=\"1\"}", "a{x=\"2\"} 1\n", false},
		{"a{x=\"1\"}", "a{x=\"1\",y=\"}\"} 1\n", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expo x;

		expo_init(&x, EXPO_TEXT, str_c(cases[i].line));
		x.hint = str_c(cases[i].hint);
		ck_assert_int_eq(expo_next(&x), EXPO_SAMPLE);
		ck_assert_msg(x.hinted == cases[i].taken, "%s", cases[i].line);
		ck_assert_double_eq(x.value, 1);
		expo_fini(&x);
	}
}
END_TEST

START_TEST(bucket_and_quantile_values_are_normalised)
{
	static const struct {
		const char *type, *name, *value, *want;
	} cases[] = {
		{"histogram", "le", "1", "1.0"},
		{"histogram", "le", "0", "0.0"},
		{"histogram", "le", "0.10", "0.1"},
		{"histogram", "le", "+Inf", "+Inf"},
		{"histogram", "le", "inf", "+Inf"},
		{"histogram", "le", "1e1", "10.0"},
		{"histogram", "le", "1e21", "1e+21"},
		{"histogram", "le", "8.999999999999998", "8.999999999999998"},
		{"histogram", "le", "many", "many"},
		{"histogram", "quantile", "1", "1"},
		{"summary", "quantile", "1", "1.0"},
		{"summary", "le", "1", "1"},
		{"gauge", "le", "1", "1"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char page[200];
		struct expo x;

		(void)snprintf(page, sizeof page, "# TYPE a %s\n", cases[i].type);
		expo_init(&x, EXPO_TEXT, str_c(page));
		ck_assert_int_eq(expo_next(&x), EXPO_TYPE);
		ck_assert_msg(
			str_eq(expo_normal_value(&x, str_c(cases[i].name), str_c(cases[i].value)),
				str_c(cases[i].want)),
			"%s %s", cases[i].name, cases[i].value);
		expo_fini(&x);
	}
}
END_TEST

START_TEST(any_nan_is_the_normal_one)
{
	struct expo x;

	expo_init(&x, EXPO_TEXT, STR("a -nan\n"));
	ck_assert_int_eq(expo_next(&x), EXPO_SAMPLE);
	ck_assert(f64_bits(x.value) == NORMAL_NAN_BITS);
	expo_fini(&x);
}
END_TEST

/* ---- cases of others, read where they lie ---- */

static void run_cases(enum expo_format f, const char *name)
{
	json_t *root = cases_load(name), *c;
	char text[4096];
	size_t i;

	json_array_foreach(root, i, c)
	{
		const char *err = json_string_value(json_object_get(c, "err"));
		size_t n = cases_text(json_object_get(c, "input"), text, sizeof text);
		bool want = err[0] == '\0' || strcmp(err, "EOF") == 0;
		bool got = strstr(read_page(f, str_n(text, n)), "error: ") == NULL;

		ck_assert_msg(got == want, "%s case %zu: %.*s (%s)", name, i, (int)n, text, err);
	}
	printf("%s: %zu cases hold\n", name, json_array_size(root));
	json_decref(root);
}

START_TEST(prometheuss_cases_get_the_same_verdict)
{
	run_cases(EXPO_TEXT, "exposition/text_errors.json");
	run_cases(EXPO_OPENMETRICS, "exposition/openmetrics_errors.json");
}
END_TEST

static size_t count_samples(enum expo_format f, struct str page)
{
	static struct expo x;
	size_t n = 0;
	enum expo_entry e;

	expo_init(&x, f, page);
	while ((e = expo_next(&x)) != EXPO_END) {
		ck_assert_msg(e != EXPO_ERROR, "%s", x.err.msg);
		n += e == EXPO_SAMPLE;
	}
	expo_fini(&x);
	return n;
}

static size_t count_sample_lines(struct str page)
{
	struct str line;
	size_t n = 0;

	while (str_split(&page, '\n', &line))
		n += line.n > 0 && line.p[0] != '#';
	return n;
}

START_TEST(real_pages_are_read_to_the_end)
{
	static const struct {
		const char *name;
		enum expo_format format;
	} pages[] = {
		{"exposition/promtestdata.txt", EXPO_TEXT},
		{"exposition/promtestdata.nometa.txt", EXPO_TEXT},
		{"exposition/alltypes.237mfs.prom.txt", EXPO_TEXT},
		{"exposition/alltypes.237mfs.nometa.prom.txt", EXPO_TEXT},
		{"exposition/alltypes.5mfs.om.txt", EXPO_OPENMETRICS},
		{"exposition/1histogram.om.txt", EXPO_OPENMETRICS},
	};

	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		char path[500];
		struct arena a;
		struct str page;
		struct err e;

		arena_init(&a, 1 << 20);
		if (cases_path(pages[i].name, path, sizeof path)) {
			bool om = pages[i].format == EXPO_OPENMETRICS;
			struct str eof = STR("# EOF"), whole;

			ck_assert_msg(fd_read_file(path, 1 << 19, &a, &page, &e) == 0, "%s", e.msg);
			whole = om && !str_ends(str_trim(page), eof)
					? arena_printf(&a, "%.*s# EOF\n", (int)page.n, page.p)
					: page;

			ck_assert_uint_eq(
				count_samples(pages[i].format, whole), count_sample_lines(page));
		}
		arena_fini(&a);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exposition");
	TCase *t = tcase_create("exposition");

	tcase_add_test(t, a_text_page_is_read);
	tcase_add_test(t, names_may_be_quoted);
	tcase_add_test(t, an_openmetrics_page_is_read);
	tcase_add_test(t, errors_tell_the_line);
	tcase_add_test(t, limits_refuse_the_page);
	tcase_add_test(t, a_hint_is_taken_only_for_the_whole_series);
	tcase_add_test(t, bucket_and_quantile_values_are_normalised);
	tcase_add_test(t, any_nan_is_the_normal_one);
	tcase_add_test(t, prometheuss_cases_get_the_same_verdict);
	tcase_add_test(t, real_pages_are_read_to_the_end);
	suite_add_tcase(s, t);
	return suite_run(s);
}
