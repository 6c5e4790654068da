/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/statsd/{parse,key,table}.c, and of statsd_exporter's own cases where they lie
 * near. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/statsd/key.h"
#include "agent/statsd/table.h"
#include "base/buf.h"
#include "base/f64.h"
#include "base/limits.h"
#include "tests/lib/cases.h"
#include "tests/lib/suite.h"

static struct statsd_table *table;

static void setup(void)
{
	table = statsd_table_new(STR("_total"));
}

static void teardown(void)
{
	statsd_table_check(table);
	statsd_table_free(table);
}

static void feed(const char *packet)
{
	statsd_table_packet(table, str_c(packet));
}

/* All cells as text, in the order they were made: "c a_total{} 3; ". */
static const char *dump(void)
{
	static char text[8192];
	struct buf b;

	buf_init(&b, sizeof text - 1);
	for (size_t i = 0; i < table->n_cells; i++) {
		const struct statsd_cell *c = table->cells[i];

		buf_printf(&b, "%s%c ", i > 0 ? "; " : "", "cgts"[c->kind]);
		labels_print(&b, c->labels, true);
		buf_ch(&b, ' ');
		if (c->kind == STATSD_TIMER) {
			f64_print(&b, c->timer.count);
			buf_ch(&b, '/');
			f64_print(&b, c->timer.sum);
		} else {
			f64_print(&b, c->kind == STATSD_SET ? set_estimate(&c->set) : c->number);
		}
	}
	(void)snprintf(text, sizeof text, "%.*s", (int)b.n, b.p != NULL ? b.p : "");
	buf_fini(&b);
	return text;
}

/* A packet of many lines is taken in groups: new series, repeated ones, refused lines and two
 * spellings of one series stand in the same group. */
START_TEST(lines_in_company_do_what_they_do_alone)
{
	static const char *const lines[] = {"a.b:1|c", "a-b:2|c", "g:5|g", "g:+3|g", "g:7|g",
		"g:-1|g", "t:12:30|ms", "t:0.5|ms", "t:9|c", "bad", "n:1|c|#x:1,y:2",
		"n:1|c|#y:2,x:1", "u:one|s", "u:two|s", "u:one|s", "a.b:3|c|@0.5", "v:|c"};
	static char together[200 * 40];
	char text[8192];
	size_t n = 0;
	uint64_t seen, refused = 0;

	for (unsigned i = 0; i < 200; i++) {
		const char *l = lines[i * 7 % (sizeof lines / sizeof *lines)];

		feed(l);
		n += (size_t)snprintf(together + n, sizeof together - n, "%s\n", l);
	}
	(void)snprintf(text, sizeof text, "%s", dump());
	seen = table->lines;
	for (unsigned r = 0; r < STATSD_REASONS; r++)
		refused += table->refused[r];
	teardown();
	setup();
	statsd_table_packet(table, str_n(together, n));
	ck_assert_str_eq(dump(), text);
	ck_assert_uint_eq(table->lines, seen);
	for (unsigned r = 0; r < STATSD_REASONS; r++)
		refused -= table->refused[r];
	ck_assert_uint_eq(refused, 0);
}
END_TEST

START_TEST(each_type_adds_up_in_its_way)
{
	feed("a:3|c\na:4|c\ng:5|g\ng:+2|g\ng:-10|g\nt:200|ms\nh:200|h\nd:0.5|d\ns:x|s\ns:y|s\ns:x|"
	     "s");
	ck_assert_str_eq(dump(), "c a_total 7; g g -3; t t 1/0.2; t h 1/200; t d 1/0.5; s s 2");
	ck_assert_uint_eq(table->lines, 11);
}
END_TEST

START_TEST(sample_rates_scale_counters_and_timers_only)
{
	feed("a:2|c|@0.1\nt:1000|ms|@0.5\ng:3|g|@0.2\nb:2|c|@0\nc:2|c|@nonsense\nd:2|c|@2");
	ck_assert_str_eq(
		dump(), "c a_total 20; t t 2/2; g g 3; c b_total 2; c c_total 2; c d_total 2");
	ck_assert_uint_eq(table->refused[STATSD_BAD_RATE], 3);
}
END_TEST

START_TEST(packed_values_are_all_taken)
{
	feed("t:1:2:3|ms\na:1:2|c\nx:1:oops:3|h\ny:abc:def|s\nz::1.5::2:|h");
	ck_assert_str_eq(dump(), "t t 3/0.006; c a_total 3; t x 2/4; s y 1; t z 2/3.5");
	ck_assert_uint_eq(table->refused[STATSD_BAD_VALUE], 1);
}
END_TEST

START_TEST(a_known_line_and_its_other_spellings_are_one_series)
{
	feed("a.b:1|c|#x:1,y:2\na.b:1|c|#y:2,x:1\na-b:1|c|#x:1,y:2\na--b:1|c|#x:9,x:1,y:2\n"
	     "a_b_total:1|c|#x:1,y:2\na.b:1|c|#x:1,y:2,novalue,empty:");
	ck_assert_str_eq(dump(), "c a_b_total{x=\"1\", y=\"2\"} 6");
	ck_assert_uint_eq(table->keys.used, 6);
}
END_TEST

START_TEST(counter_names_end_in_the_suffix_once)
{
	struct statsd_table *bare = statsd_table_new(STR(""));

	feed("a.b:1|c\nc.total:1|c\ntotal:1|c\nd_total:1|c\ng:1|g");
	ck_assert_str_eq(dump(), "c a_b_total 1; c c_total 1; c total_total 1; c d_total 1; g g 1");
	statsd_table_packet(bare, STR("a.b:1|c"));
	ck_assert(str_eq(labels_get(bare->cells[0]->labels, LABEL_NAME), STR("a_b")));
	statsd_table_free(bare);
}
END_TEST

START_TEST(bad_lines_are_counted_by_reason_and_the_rest_is_taken)
{
	static const struct {
		const char *line;
		enum statsd_reason why;
	} cases[] = {
		{"nothing", STATSD_NO_VALUE},
		{"a:1", STATSD_NO_TYPE},
		{"a:1|", STATSD_BAD_TYPE},
		{"a:1|x", STATSD_BAD_TYPE},
		{"a:1|m", STATSD_BAD_TYPE},
		{"a:1|msx", STATSD_BAD_TYPE},
		{"a:1|cc", STATSD_BAD_TYPE},
		{"a:|c", STATSD_BAD_VALUE},
		{"a:x|c", STATSD_BAD_VALUE},
		{"a:nan|c", STATSD_BAD_VALUE},
		{"a:inf|g", STATSD_BAD_VALUE},
		{"a:1e999|g", STATSD_BAD_VALUE},
		{"a:0x10|g", STATSD_BAD_VALUE},
		{"a: 1|g", STATSD_BAD_VALUE},
		{"a:-1|c", STATSD_NEGATIVE},
		{"a:|s", STATSD_BAD_VALUE},
		{"a:1|c|", STATSD_BAD_SECTION},
		{"a:1|c||#a:b", STATSD_BAD_SECTION},
		{"a:1|c|what", STATSD_BAD_SECTION},
		{":1|c", STATSD_BAD_NAME},
		{"a|b:1|c", STATSD_BAD_NAME},
		{"a\xc3(b:1|c", STATSD_BAD_UTF8},
		{"a:1|c|#x:\xff", STATSD_BAD_UTF8},
		{"_e{5,4}:title|text", STATSD_EVENT},
		{"_sc|name|0|m:hello", STATSD_CHECK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char packet[300];
		uint64_t before = table->refused[cases[i].why];

		(void)snprintf(packet, sizeof packet, "ok:1|c\n%s\nok:1|c\r\n", cases[i].line);
		feed(packet);
		ck_assert_msg(table->refused[cases[i].why] == before + 1, "%s: not %s",
			cases[i].line, statsd_reason_name(cases[i].why));
		ck_assert_uint_eq(table->n_cells, 1);
		ck_assert_double_eq(table->cells[0]->number, 2.0 * (double)(i + 1));
	}
}
END_TEST

START_TEST(sections_without_meaning_here_are_tolerated)
{
	feed("a:1|c|#x:1|c:abc|T1656581400|e:it-false|card:low|m:what\nb:1|c|@0.5|T1|#x:1");
	ck_assert_str_eq(
		dump(), "c a_total{container_id=\"abc\", x=\"1\"} 1; c b_total{x=\"1\"} 2");
}
END_TEST

START_TEST(one_series_has_one_type)
{
	feed("a:1|g\na:5|ms\na:5|c\na:x|s");
	ck_assert_str_eq(dump(), "g a 1; c a_total 5");
	ck_assert_uint_eq(table->refused[STATSD_CONFLICT], 2);
}
END_TEST

START_TEST(long_names_and_many_tags_are_refused)
{
	char packet[8192];
	size_t n;

	memset(packet, 'a', LIMIT_STATSD_NAME + 1);
	(void)snprintf(packet + LIMIT_STATSD_NAME + 1, 100, ":1|c");
	feed(packet);
	n = (size_t)snprintf(packet, sizeof packet, "a:1|c|#");
	for (unsigned i = 0; i <= LIMIT_STATSD_TAGS; i++)
		n += (size_t)snprintf(packet + n, sizeof packet - n, "t%u:v,", i);
	feed(packet);
	n = (size_t)snprintf(packet, sizeof packet, "a:1|c|#t:");
	memset(packet + n, 'v', LIMIT_LABEL_VALUE + 1);
	packet[n + LIMIT_LABEL_VALUE + 1] = '\0';
	feed(packet);
	ck_assert_uint_eq(table->refused[STATSD_TOO_LONG], 3);
	ck_assert_uint_eq(table->n_cells, 0);
}
END_TEST

START_TEST(tags_cannot_take_the_metric_name)
{
	feed("a:1|g|#__name__:b,.:x,2x:y");
	ck_assert_str_eq(dump(), "g a{_=\"x\", _2x=\"y\"} 1");
}
END_TEST

static bool is_even(const struct statsd_cell *c)
{
	return c->number == 2;
}

START_TEST(buried_cells_are_gone_and_may_come_back)
{
	for (int i = 0; i < 3000; i++) {
		char line[64];

		(void)snprintf(line, sizeof line, "m%d:%d|c|#a:%d", i, 1 + i % 2, i);
		feed(line);
	}
	ck_assert_uint_eq(table->n_cells, 3000);
	statsd_table_bury(table, is_even);
	ck_assert_uint_eq(table->n_cells, 1500);
	statsd_table_check(table);
	feed("m1:5|c|#a:1\nm2:5|c|#a:2");
	ck_assert_uint_eq(table->n_cells, 1501);
	ck_assert_double_eq(table->cells[1500]->number, 5);
}
END_TEST

START_TEST(numbers_are_read_exactly)
{
	static const char *const good[] = {"0", "1", "-1", "+1", "1.5", ".5", "5.", "0.1",
		"123456789012345", "1234567890123456789", "0.000001", "1e3",
		"1.7976931348623157e308", "9007199254740993", "0.30000000000000004", "98.6",
		"3.14159265358979"};
	static const char *const bad[] = {
		"", ".", "+", "-", "1.2.3", "1x", "x", "--1", "1 ", "1e", "1,5"};
	double v;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(statsd_number(str_c(good[i]), &v), "%s", good[i]);
		ck_assert_msg(v == strtod(good[i], NULL), "%s gave %.17g", good[i], v);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!statsd_number(str_c(bad[i]), &v), "%s", bad[i]);
}
END_TEST

/* ---- cases of others, read where they lie ---- */

/* This version knows DogStatsD's tags only: cases with tags in the name are later work. */
static bool has_tags_in_name(const char *s, size_t n)
{
	size_t colon = 0;

	while (colon < n && s[colon] != ':' && s[colon] != '|')
		colon++;
	for (size_t i = 0; i < colon; i++) {
		if (s[i] == '[' || s[i] == '#' || s[i] == ',')
			return true;
	}
	return false;
}

static const struct statsd_cell *expected_cell(const struct statsd_table *t, const json_t *ev)
{
	const char *metric = json_string_value(json_object_get(ev, "metric"));
	const json_t *labels = json_object_get(ev, "labels");
	struct buf name;
	const char *key;
	json_t *value;

	buf_init(&name, 1000);
	statsd_escape(str_c(metric), &name);
	for (size_t i = 0; i < t->n_cells; i++) {
		const struct statsd_cell *c = t->cells[i];
		bool same = c->labels.n == 1 + json_object_size(labels) &&
			    str_eq(labels_get(c->labels, LABEL_NAME), buf_view(&name));

		json_object_foreach((json_t *)(uintptr_t)labels, key, value)
		{
			same = same && str_eq(labels_get(c->labels, str_c(key)),
					       str_c(json_string_value(value)));
		}
		if (same) {
			buf_fini(&name);
			return c;
		}
	}
	buf_fini(&name);
	return NULL;
}

/* Runs the events through a table and through plain sums; 1 when they agree. */
static int case_holds(const char *text, size_t n, const json_t *events)
{
	struct statsd_table *t = statsd_table_new(STR(""));
	double sum = 0;
	size_t observed = 0, i;
	json_t *ev;
	int ok = 1;

	statsd_table_packet(t, str_n(text, n));
	json_array_foreach((json_t *)(uintptr_t)events, i, ev)
	{
		const struct statsd_cell *c = expected_cell(t, ev);
		double v = json_number_value(json_object_get(ev, "value"));
		const char *type = json_string_value(json_object_get(ev, "type"));

		sum += v;
		observed++;
		if (c == NULL)
			ok = 0;
		else if (i + 1 < json_array_size(events))
			continue; /* they are of one series: the last has the sum */
		else if (strcmp(type, "observer") == 0)
			ok &= fabs(c->timer.sum - sum) < 1e-9 && c->timer.count == (double)observed;
		else
			ok &= c->number == sum;
	}
	if (json_array_size(events) == 0)
		ok &= t->n_cells == 0;
	statsd_table_check(t);
	statsd_table_free(t);
	return ok;
}

static void run_cases(const json_t *cases, const char *field, int *passed, int *failed, int *later)
{
	size_t i;
	json_t *c;

	json_array_foreach((json_t *)(uintptr_t)cases, i, c)
	{
		char text[2048];
		size_t n = cases_text(json_object_get(c, field), text, sizeof text);

		if (has_tags_in_name(text, n)) {
			++*later;
		} else if (case_holds(text, n, json_object_get(c, "events"))) {
			++*passed;
		} else {
			++*failed;
			printf("statsd case failed: %.*s\n", (int)n, text);
		}
	}
}

START_TEST(statsd_exporters_cases_with_dogstatsd_tags_hold)
{
	json_t *lines = cases_load("statsd/line.json"), *packets = cases_load("statsd/packet.json");
	int passed = 0, failed = 0, later = 0;

	if (lines == NULL || packets == NULL)
		return; /* not on this machine */
	run_cases(json_object_get(lines, "TestLineToEvents"), "line", &passed, &failed, &later);
	run_cases(packets, "packet", &passed, &failed, &later);
	printf("statsd cases: %d passed, %d failed, %d of dialects not built yet\n", passed, failed,
		later);
	ck_assert_int_eq(failed, 0);
	ck_assert_int_ge(passed, 40);
	json_decref(lines);
	json_decref(packets);
}
END_TEST

START_TEST(names_are_escaped_as_statsd_exporter_does)
{
	json_t *root = cases_load("statsd/escape.json"), *value;
	const char *key;

	if (root == NULL)
		return;
	json_object_foreach(json_object_get(json_array_get(root, 0), "cases"), key, value)
	{
		struct buf b;

		buf_init(&b, 1000);
		statsd_escape(str_c(key), &b);
		ck_assert_msg(str_eq(buf_view(&b), str_c(json_string_value(value))),
			"\"%s\" gave \"%s\"", key, b.p);
		buf_fini(&b);
	}
	json_decref(root);
}
END_TEST

static enum statsd_kind dog_kind(const char *type)
{
	if (strcmp(type, "counter") == 0)
		return STATSD_COUNTER;
	if (strcmp(type, "gauge") == 0)
		return STATSD_GAUGE;
	return strcmp(type, "set") == 0 ? STATSD_SET : STATSD_TIMER;
}

START_TEST(the_datadog_agents_cases_hold)
{
	json_t *root = cases_load("statsd/dog_metrics.json"), *c;
	size_t i;

	json_array_foreach(root, i, c)
	{
		const char *line = json_string_value(json_object_get(c, "line"));
		struct statsd_table *t = statsd_table_new(STR(""));
		double rate = json_number_value(json_object_get(c, "sample_rate"));
		struct statsd_line l;

		statsd_table_packet(t, str_c(line));
		if (!json_is_true(json_object_get(c, "ok"))) {
			ck_assert_msg(t->n_cells == 0, "%s", line);
		} else {
			ck_assert_msg(t->n_cells == 1, "%s", line);
			ck_assert_int_eq(t->cells[0]->kind,
				dog_kind(json_string_value(json_object_get(c, "type"))));
			ck_assert_int_eq(statsd_parse(str_c(line), &l), STATSD_OK);
			ck_assert_double_eq(l.weight, 1 / rate);
		}
		statsd_table_free(t);
	}
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statsd");
	TCase *t = tcase_create("table"), *c = tcase_create("cases");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_type_adds_up_in_its_way);
	tcase_add_test(t, lines_in_company_do_what_they_do_alone);
	tcase_add_test(t, sample_rates_scale_counters_and_timers_only);
	tcase_add_test(t, packed_values_are_all_taken);
	tcase_add_test(t, a_known_line_and_its_other_spellings_are_one_series);
	tcase_add_test(t, counter_names_end_in_the_suffix_once);
	tcase_add_test(t, bad_lines_are_counted_by_reason_and_the_rest_is_taken);
	tcase_add_test(t, sections_without_meaning_here_are_tolerated);
	tcase_add_test(t, one_series_has_one_type);
	tcase_add_test(t, long_names_and_many_tags_are_refused);
	tcase_add_test(t, tags_cannot_take_the_metric_name);
	tcase_add_test(t, buried_cells_are_gone_and_may_come_back);
	tcase_add_test(t, numbers_are_read_exactly);
	tcase_add_test(c, statsd_exporters_cases_with_dogstatsd_tags_hold);
	tcase_add_test(c, names_are_escaped_as_statsd_exporter_does);
	tcase_add_test(c, the_datadog_agents_cases_hold);
	suite_add_tcase(s, t);
	suite_add_tcase(s, c);
	return suite_run(s);
}
