/* SPDX-License-Identifier: Apache-2.0 */
/* Sparklines, pictures, specs and the marks in stored payloads; and text made fit for messages. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/graph_spec.h"
#include "exporters/message.h"
#include "tests/lib/suite.h"

static double ramp[120];

static struct graph_points points(size_t n)
{
	struct graph_points p = {.t0_ms = 1700000000000,
		.step_ms = 30000,
		.n = n,
		.n_series = 1,
		.threshold = 0.9,
		.op = ">",
		.unit = {UNIT_RATIO, false}};

	for (size_t i = 0; i < ARRAY_LEN(ramp); i++)
		ramp[i] = (double)i / (double)(n > 1 ? n - 1 : 1);
	p.series[0] = (struct graph_series){STR(""), ramp};
	return p;
}

static void expect_spark(const struct graph_points *p, const char *want)
{
	struct buf b;

	buf_init(&b, 1000);
	graph_sparkline(p, &b);
	if (!str_eq(buf_view(&b), str_c(want)))
		ck_abort_msg("%.*s, not %s", (int)b.n, b.p, want);
	buf_fini(&b);
}

START_TEST(a_sparkline_shows_course_gaps_and_ends)
{
	static const double gap[] = {NAN, NAN, 1, 2, NAN, NAN, 2, NAN};
	static const double flat[] = {5, 5, 5, 5}, zero[] = {0, 0, 0}, none[] = {NAN, INFINITY};
	struct graph_points p = points(8);

	expect_spark(&p, "▁▂▃▄▅▆▇█ 0 % → 100 % in 4m");
	p.series[0].v = gap;
	p.unit.kind = UNIT_NONE;
	expect_spark(&p, "▁█  █  1 → no value in 3m");
	p.n = 4;
	p.series[0].v = flat;
	expect_spark(&p, "▄▄▄▄ 5 → 5 in 90s");
	p.n = 3;
	p.series[0].v = zero;
	expect_spark(&p, "▁▁▁ 0 → 0 in 60s");
	p.n = 2;
	p.series[0].v = none;
	expect_spark(&p, "");
	p.n = 0;
	expect_spark(&p, "");
	p.n = 5;
	p.n_series = 0;
	expect_spark(&p, "");
}
END_TEST

START_TEST(a_sparkline_of_many_points_loses_no_spike)
{
	struct graph_points p = points(120);
	double v[120] = {0};
	struct buf b;

	v[77] = 9;
	p.series[0].v = v;
	p.unit.kind = UNIT_NONE;
	buf_init(&b, 1000);
	graph_sparkline(&p, &b);
	ck_assert(str_has(buf_view(&b), STR("█")));
	ck_assert(str_starts(buf_view(&b), STR("▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁ 0")));
	/* what is bad below shows its lowest */
	for (size_t i = 0; i < 120; i++)
		v[i] = 9 - v[i];
	(void)snprintf(p.op, sizeof p.op, "<");
	buf_reset(&b);
	graph_sparkline(&p, &b);
	ck_assert(str_has(buf_view(&b), STR("█▁█")));
	buf_fini(&b);
}
END_TEST

/* --- pictures --- */

static uint32_t u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checks a PNG's chunks and gives its pixels' palette indices and the palette; the caller frees. */
static unsigned char *decode(
	struct str png, unsigned *width, unsigned *height, unsigned char palette[256][3])
{
	const unsigned char *p = (const unsigned char *)png.p;
	unsigned char *rows = NULL;
	size_t at = 8;

	ck_assert(str_starts(png, STR("\x89PNG\r\n\x1a\n")));
	while (at + 12 <= png.n) {
		uint32_t n = u32(p + at);
		const unsigned char *type = p + at + 4, *data = p + at + 8;

		ck_assert_uint_le(at + 12 + n, png.n);
		ck_assert_uint_eq(crc32(crc32(0, NULL, 0), type, n + 4), u32(data + n));
		if (memcmp(type, "IHDR", 4) == 0) {
			*width = u32(data);
			*height = u32(data + 4);
			ck_assert_int_eq(data[8], 8);
			ck_assert_int_eq(data[9], 3);
		} else if (memcmp(type, "PLTE", 4) == 0) {
			memcpy(palette, data, n);
		} else if (memcmp(type, "IDAT", 4) == 0) {
			uLongf raw = (uLongf)*height * (*width + 1);

			rows = malloc(raw);
			ck_assert_ptr_nonnull(rows);
			ck_assert_int_eq(uncompress(rows, &raw, data, n), Z_OK);
			ck_assert_uint_eq(raw, (uLongf)*height * (*width + 1));
		}
		at += 12 + n;
	}
	ck_assert_uint_eq(at, png.n);
	ck_assert_ptr_nonnull(rows);
	return rows;
}

static bool is_near(const unsigned char c[3], unsigned rgb)
{
	return abs((int)c[0] - (int)(rgb >> 16 & 255)) < 12 &&
	       abs((int)c[1] - (int)(rgb >> 8 & 255)) < 12 &&
	       abs((int)c[2] - (int)(rgb & 255)) < 12;
}

/* How many pixels are nearly of this colour. */
static size_t pixels_of(struct str png, unsigned rgb)
{
	static unsigned char palette[256][3];
	unsigned w = 0, h = 0;
	unsigned char *rows = decode(png, &w, &h, palette);
	size_t n = 0;

	for (unsigned y = 0; y < h; y++) {
		for (unsigned x = 0; x < w; x++)
			n += is_near(palette[rows[(size_t)y * (w + 1) + 1 + x]], rgb);
	}
	free(rows);
	return n;
}

START_TEST(a_picture_has_line_threshold_and_the_time_it_fired)
{
	struct graph_points p = points(120);
	struct buf b, plain;
	struct err e = {0};

	p.fired_ms = p.t0_ms + 100 * p.step_ms;
	buf_init(&b, GRAPH_PNG_MAX);
	buf_init(&plain, GRAPH_PNG_MAX);
	ck_assert_int_eq(graph_png(&p, STR("PoolFull · shop"), 600, 200, &b, &e), 0);
	ck_assert_uint_lt(b.n, GRAPH_PNG_GOOD);
	ck_assert_uint_gt(pixels_of(buf_view(&b), 0x1565c0), 300);  /* the line */
	ck_assert_uint_gt(pixels_of(buf_view(&b), 0xd32f2f), 200);  /* threshold, marker */
	ck_assert_uint_gt(pixels_of(buf_view(&b), 0xfcf1f1), 5000); /* the time it fires */
	ck_assert_uint_gt(pixels_of(buf_view(&b), 0x24292f), 20);   /* title */
	p.threshold = NAN;
	p.fired_ms = 0;
	ck_assert_int_eq(graph_png(&p, STR(""), 600, 200, &plain, &e), 0);
	ck_assert_uint_eq(pixels_of(buf_view(&plain), 0xd32f2f), 0);
	buf_fini(&plain);
	buf_fini(&b);
}
END_TEST

START_TEST(pictures_of_hostile_numbers_and_texts_are_drawn)
{
	static const double values[] = {0, 1, -1, 1e-300, 1e300, -1e300, INFINITY, -INFINITY, NAN,
		5e-324, 1.7976931348623157e308};
	static const enum unit_kind units[] = {UNIT_NONE, UNIT_SECONDS, UNIT_BYTES, UNIT_RATIO,
		UNIT_TIMESTAMP, UNIT_CELSIUS, UNIT_MILLISECONDS, UNIT_PERCENT};
	static const char title[] =
		"\x01<b>\xff\xfe\0\xe2\x80\xae 漢字 Grüße 🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥"
		"a very long title that does not fit into six hundred pixels at all";
	struct err e = {0};
	struct buf b;

	buf_init(&b, GRAPH_PNG_MAX);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			double v[] = {values[i], values[k], 1};
			struct graph_points p = points(3);

			p.series[0].v = v;
			p.series[1] = (struct graph_series){STR("x=\xff"), v};
			p.series[2] = (struct graph_series){str_c(title + 1), v};
			p.n_series = 1 + (i + k) % 3;
			p.threshold = values[(i + k) % ARRAY_LEN(values)];
			p.unit.kind = units[(i + k) % ARRAY_LEN(units)];
			p.step_ms = k == 0 ? 1 : INT64_C(86400000) * (int64_t)(k + 1) * 30;
			buf_reset(&b);
			if (graph_png(&p, str_n(title, sizeof title - 1), 300, 100, &b, &e) != 0)
				ck_abort_msg("%g %g: %s", values[i], values[k], e.msg);
			ck_assert_uint_gt(pixels_of(buf_view(&b), 0xffffff), 1000);
		}
	}
	buf_fini(&b);
}
END_TEST

START_TEST(no_points_a_wrong_size_and_no_room_are_refused)
{
	struct graph_points p = points(10);
	struct err e = {0};
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_ne(graph_png(&p, STR(""), 600, 200, &b, &e), 0);
	ck_assert_int_eq(e.kind, ERR_LIMIT);
	ck_assert_int_ne(graph_png(&p, STR(""), 100, 200, &b, &e), 0);
	ck_assert_int_ne(graph_png(&p, STR(""), 600, 2000, &b, &e), 0);
	p.n = 0;
	ck_assert_int_ne(graph_png(&p, STR(""), 600, 200, &b, &e), 0);
	ck_assert_int_eq(e.kind, ERR_INPUT);
	buf_fini(&b);
}
END_TEST

/* --- marks --- */

static struct graph_answer *answer(void)
{
	struct graph_answer *g = calloc(1, sizeof *g);

	ck_assert_ptr_nonnull(g);
	arena_init(&g->arena, (size_t)1 << 20);
	g->points = points(8);
	g->top[0] = (struct graph_offender){STR("route=/a<b"), 0.41};
	g->top[1] = (struct graph_offender){STR("route=\"c\"\x01\x02"), 0.12};
	g->n_top = 2;
	g->top_unit.kind = UNIT_RATIO;
	g->title = STR("T");
	return g;
}

static void expect_filled(
	const struct graph_answer *g, const char *body, enum graph_escape how, const char *want)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	graph_fill(str_c(body), g, how, &b);
	if (!str_eq(buf_view(&b), str_c(want)))
		ck_abort_msg("%s gives\n%.*s\nnot\n%s", body, (int)b.n, b.p, want);
	buf_fini(&b);
}

#define SPARK "▁▂▃▄▅▆▇█ 0 % → 100 % in 4m"

START_TEST(marks_are_replaced_in_every_encoding)
{
	struct graph_answer *g = answer();

	expect_filled(g, "a\n\0011\nb", GRAPH_PLAIN, "a\n" SPARK "\nb");
	expect_filled(g, "[\0012]", GRAPH_PLAIN, "[route=/a<b 41 %, route=\"c\" 12 %]");
	expect_filled(g, "[\0012]", GRAPH_HTML, "[route=/a&lt;b 41 %, route=&quot;c&quot; 12 %]");
	expect_filled(g, "{\"t\":\"\\u00012\"}", GRAPH_JSON,
		"{\"t\":\"route=/a<b 41 %, route=\\\"c\\\" 12 %\"}");
	expect_filled(g, "{\"t\":\"\0012\"}", GRAPH_JSON_MRKDWN,
		"{\"t\":\"route=/a&lt;b 41 %, route=\\\"c\\\" 12 %\"}");
	expect_filled(
		g, "x \0012 y", GRAPH_QP, "x =\r\nroute=3D/a<b 41 %, route=3D\"c\" 12 %=\r\n y");
	graph_free(g);
}
END_TEST

START_TEST(without_an_answer_marks_vanish_with_their_line)
{
	expect_filled(NULL, "a\n\0011\nb", GRAPH_PLAIN, "a\nb");
	expect_filled(NULL, "a\r\n\0011\r\nb", GRAPH_PLAIN, "a\r\nb");
	expect_filled(NULL, "a\\n\\u00011\\n\\u00012\\nb", GRAPH_JSON, "a\\nb");
	expect_filled(NULL, "a \0011 b\n", GRAPH_PLAIN, "a  b\n");
	expect_filled(NULL, "a\0018<img>\0011\0019b", GRAPH_HTML, "ab");
	expect_filled(NULL, "a\001xb\001", GRAPH_PLAIN, "axb");
}
END_TEST

START_TEST(what_a_label_wrote_is_no_mark_in_json)
{
	/* a value "\u00011" stands escaped: its backslash is doubled */
	expect_filled(NULL, "\"\\\\u00011\"", GRAPH_JSON, "\"\\\\u00011\"");
	expect_filled(NULL, "\"\\\\\\u00011\"", GRAPH_JSON, "\"\\\\\"");
	ck_assert(!graph_has_mark(STR("\"\\\\u00011\""), '1'));
	ck_assert(graph_has_mark(STR("\"\\u00011\""), '1'));
	ck_assert(graph_has_mark(STR("x\0013"), '3'));
	ck_assert(!graph_has_mark(STR("x\0013"), '1'));
}
END_TEST

START_TEST(a_section_stays_only_with_a_picture)
{
	struct graph_answer *g = answer();
	struct buf b;

	expect_filled(g, "a\0018<\0013>\0019b", GRAPH_PLAIN, "ab");
	g->png = STR("abcdefg");
	expect_filled(g, "a\0018<\0013>\0019b", GRAPH_PLAIN, "a<YWJjZGVmZw==>b");
	graph_draw(g);
	ck_assert_uint_gt(g->png.n, 1000);
	ck_assert_uint_le(g->png.n, GRAPH_PNG_GOOD);
	buf_init(&b, (size_t)1 << 20);
	graph_fill(STR("\0013"), g, GRAPH_PLAIN, &b);
	for (size_t i = 0, line = 0; i < b.n; i++) {
		line = b.p[i] == '\n' ? 0 : line + 1;
		ck_assert_uint_le(line, 77); /* its \r included */
	}
	buf_fini(&b);
	graph_free(g);
}
END_TEST

/* --- specs --- */

static struct message message_of(struct message_alert *v, size_t n, struct arena *a)
{
	struct message m = {.receiver = STR("r"), .now_ms = 1700000100000};

	message_finish(&m, v, n, a);
	return m;
}

START_TEST(a_spec_reads_back_as_it_was_written)
{
	static const struct label one[] = {
		{{"alertname", 9}, {"A", 1}}, {{"pool", 4}, {"x\"\n\xc3\xa4", 5}}};
	struct message_alert v[] = {{.firing = true,
		.labels = {one, 2},
		.expr = STR("pool_used > 0.9"),
		.rule = STR("A"),
		.group = STR("g"),
		.op = ">",
		.threshold = 0.9,
		.value = 0.95,
		.current = 0.97,
		.worst = NAN,
		.starts_at_ms = 1700000000000}};
	struct graph_spec s;
	struct message m;
	struct err e = {0};
	struct arena a;
	struct buf b;

	arena_init(&a, (size_t)1 << 20);
	buf_init(&b, GRAPH_SPEC_MAX);
	m = message_of(v, 1, &a);
	graph_spec(&m, &b);
	ck_assert_int_eq(graph_spec_parse(&a, buf_view(&b), &s, &e), 0);
	ck_assert(str_eq(s.expr, v[0].expr));
	ck_assert(str_eq(s.rule, STR("A")));
	ck_assert(str_eq(s.group, STR("g")));
	ck_assert_str_eq(s.op, ">");
	ck_assert_double_eq(s.threshold, 0.9);
	ck_assert_uint_eq(s.n, 1);
	ck_assert(labels_eq(s.alerts[0].labels, v[0].labels));
	ck_assert_int_eq(s.alerts[0].fired_ms, v[0].starts_at_ms);
	ck_assert_int_eq(s.alerts[0].ended_ms, 0);
	/* an alert from elsewhere has no expression: nothing is asked */
	v[0].expr = STR("");
	buf_reset(&b);
	m = message_of(v, 1, &a);
	graph_spec(&m, &b);
	ck_assert_uint_eq(b.n, 0);
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

START_TEST(what_is_no_spec_is_refused)
{
	static const char *const bad[] = {"", "x", "{}", "[]", "{\"expr\":1}",
		"{\"expr\":\"x\",\"alerts\":[]}", "{\"expr\":\"x\",\"alerts\":[{}]}",
		"{\"expr\":\"x\",\"op\":\"abc\",\"alerts\":[{\"labels\":{}}]}",
		"{\"expr\":\"x\",\"alerts\":[{\"labels\":{}},{\"labels\":{}},{\"labels\":{}},"
		"{\"labels\":{}}]}"};
	struct graph_spec s;
	struct err e;
	struct arena a;

	arena_init(&a, (size_t)1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_ne(graph_spec_parse(&a, str_c(bad[i]), &s, &e), 0);
	arena_fini(&a);
}
END_TEST

/* --- clean text --- */

static const struct {
	struct str in;
	size_t max;
	enum clean_how how;
	const char *out;
} texts[] = {
	{{"plain", 5}, 100, CLEAN_ONE_LINE, "plain"},
	{{" a\r\n\tb \0c ", 10}, 100, CLEAN_ONE_LINE, "a b c"},
	{{"a\r\nb\tc\x1b[1m", 10}, 100, CLEAN_LINES, "a\nb\tc [1m"},
	{{"a\rb", 3}, 100, CLEAN_LINES, "a b"},
	{{"x\xe2\x80\xaey\xe2\x81\xa6z\xef\xbb\xbf", 12}, 100, CLEAN_ONE_LINE, "xyz"},
	{{"a\xe2\x80\xa8"
	  "b",
		 5},
		100, CLEAN_LINES, "ab"},
	{{"\xff\xc3(\xed\xa0\x80", 6}, 100, CLEAN_ONE_LINE,
		"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{{"ab\xc2\x85"
	  "c",
		 5},
		100, CLEAN_ONE_LINE, "ab c"},
	{{"0123456789", 10}, 10, CLEAN_ONE_LINE, "0123456789"},
	{{"0123456789a", 11}, 10, CLEAN_ONE_LINE, "0123456\xe2\x80\xa6"},
	{{"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 8}, 7, CLEAN_ONE_LINE,
		"\xc3\xa4\xc3\xa4\xe2\x80\xa6"},
	{{"abcd", 4}, 2, CLEAN_ONE_LINE, ""},
	{{"", 0}, 10, CLEAN_ONE_LINE, ""},
};

START_TEST(text_becomes_harmless_and_is_cut_between_characters)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_reset(&b);
		buf_c(&b, "=");
		clean_text(&b, texts[i].in, texts[i].max, texts[i].how);
		if (!str_eq(str_sub(buf_view(&b), 1, b.n), str_c(texts[i].out)))
			ck_abort_msg("%zu: %.*s", i, (int)b.n, b.p);
		ck_assert(str_is_utf8(buf_view(&b)));
	}
	buf_fini(&b);
	ck_assert_uint_eq(clean_prefix(STR("a\xe2\x86\x92"), 3).n, 1);
	ck_assert_uint_eq(clean_prefix(STR("a\xe2\x86\x92"), 4).n, 4);
}
END_TEST

START_TEST(a_megabyte_costs_its_limit_only)
{
	size_t n = (size_t)1 << 20;
	char *big = malloc(n);
	struct buf b;

	ck_assert_ptr_nonnull(big);
	memset(big, 'x', n);
	buf_init(&b, 1000);
	clean_text(&b, str_n(big, n), 100, CLEAN_LINES);
	ck_assert_uint_eq(b.n, 100);
	ck_assert(!b.failed);
	buf_fini(&b);
	free(big);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("graph");
	TCase *tc = tcase_create("graph");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_sparkline_shows_course_gaps_and_ends);
	tcase_add_test(tc, a_sparkline_of_many_points_loses_no_spike);
	tcase_add_test(tc, a_picture_has_line_threshold_and_the_time_it_fired);
	tcase_add_test(tc, pictures_of_hostile_numbers_and_texts_are_drawn);
	tcase_add_test(tc, no_points_a_wrong_size_and_no_room_are_refused);
	tcase_add_test(tc, marks_are_replaced_in_every_encoding);
	tcase_add_test(tc, without_an_answer_marks_vanish_with_their_line);
	tcase_add_test(tc, what_a_label_wrote_is_no_mark_in_json);
	tcase_add_test(tc, a_section_stays_only_with_a_picture);
	tcase_add_test(tc, a_spec_reads_back_as_it_was_written);
	tcase_add_test(tc, what_is_no_spec_is_refused);
	tcase_add_test(tc, text_becomes_harmless_and_is_cut_between_characters);
	tcase_add_test(tc, a_megabyte_costs_its_limit_only);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
