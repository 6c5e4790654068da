/* SPDX-License-Identifier: Apache-2.0 */
/* What messages say of alerts, before any receiver's format. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "exporters/message.h"
#include "tests/lib/suite.h"

#define S(x)                                                                                       \
	{                                                                                          \
		"" x, sizeof(x) - 1                                                                \
	}
#define NOW INT64_C(1700000200000)

static struct message_alert alert(struct labels ls, bool firing, double now)
{
	return (struct message_alert){.firing = firing,
		.labels = ls,
		.expr = STR("pool_used / pool_size > 0.9"),
		.rule = STR("PoolFull"),
		.op = ">",
		.threshold = 0.9,
		.value = now,
		.current = now,
		.worst = 1,
		.starts_at_ms = NOW - 200000,
		.ends_at_ms = firing ? 0 : NOW};
}

static void expect(struct buf *b, const char *want)
{
	if (!str_eq(buf_view(b), str_c(want)))
		ck_abort_msg("%.*s, not %s", (int)b->n, b->p != NULL ? b->p : "", want);
	buf_reset(b);
}

START_TEST(values_have_unit_threshold_and_peak)
{
	static const struct label one[] = {{S("alertname"), S("PoolFull")}, {S("pool"), S("a")}};
	struct message_alert v[1];
	struct message m = {.now_ms = NOW};
	struct arena a;
	struct buf b;

	arena_init(&a, (size_t)1 << 20);
	buf_init(&b, 4096);
	v[0] = alert((struct labels){one, 2}, true, 0.97);
	message_finish(&m, v, 1, &a);
	message_values(&m, v, &b);
	expect(&b, "now 97 % (alert at > 90 %), peak 100 %, for 3m 20s");
	v[0].worst = 0.97; /* no more than now: not said twice */
	message_values(&m, v, &b);
	expect(&b, "now 97 % (alert at > 90 %), for 3m 20s");
	v[0].starts_at_ms = NOW;
	message_values(&m, v, &b);
	expect(&b, "now 97 % (alert at > 90 %)");
	v[0].value = v[0].current = v[0].worst = NAN;
	message_values(&m, v, &b);
	expect(&b, "for 0s");
	v[0] = alert((struct labels){one, 2}, false, 0.2);
	message_finish(&m, v, 1, &a);
	message_values(&m, v, &b);
	expect(&b, "fired for 3m 20s, worst 100 %, now 20 %");
	v[0].current = NAN;
	message_values(&m, v, &b);
	expect(&b, "fired for 3m 20s, worst 100 %, now no value");
	v[0].op = "";
	v[0].firing = true;
	v[0].current = 0.5;
	message_values(&m, v, &b);
	expect(&b, "now 50 %, peak 100 %, for 3m 20s");
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

START_TEST(the_worst_stand_first)
{
	static const struct label labels[5][1] = {{{S("p"), S("a")}}, {{S("p"), S("b")}},
		{{S("p"), S("c")}}, {{S("p"), S("d")}}, {{S("p"), S("e")}}};
	static const double now[] = {0.91, 0.99, 0.95, NAN, 5};
	const struct message_alert *worst[3];
	struct message_alert v[5];
	struct message m = {.now_ms = NOW};
	struct arena a;

	arena_init(&a, (size_t)1 << 20);
	for (size_t i = 0; i < 5; i++)
		v[i] = alert((struct labels){labels[i], 1}, i != 4, now[i]);
	message_finish(&m, v, 5, &a);
	ck_assert_uint_eq(message_worst(&m, worst, 3), 3);
	ck_assert(str_eq(worst[0]->labels.v[0].value, STR("b")));
	ck_assert(str_eq(worst[1]->labels.v[0].value, STR("c")));
	ck_assert(str_eq(worst[2]->labels.v[0].value, STR("a")));
	/* what is bad below */
	for (size_t i = 0; i < 5; i++)
		v[i].op = "<";
	ck_assert_uint_eq(message_worst(&m, worst, 1), 1);
	ck_assert(str_eq(worst[0]->labels.v[0].value, STR("d"))); /* no value is at it */
	ck_assert_uint_eq(message_worst(&m, worst, 0), 0);
	arena_fini(&a);
}
END_TEST

START_TEST(many_alerts_are_summed_up_by_the_label_that_gathers_them)
{
	static struct label labels[12][4];
	static char names[12][16];
	struct message_alert v[12];
	struct message m = {.now_ms = NOW};
	struct arena a;
	struct buf b;

	arena_init(&a, (size_t)1 << 20);
	buf_init(&b, 4096);
	for (size_t i = 0; i < 12; i++) {
		(void)snprintf(names[i], sizeof names[i], "pool%zu", i);
		labels[i][0] = (struct label){STR("alertname"), STR("PoolFull")};
		labels[i][1] = (struct label){STR("dc"), i < 6 ? STR("east") : STR("west")};
		labels[i][2] = (struct label){STR("instance"), i < 8    ? STR("db1")
							       : i < 10 ? STR("db2")
							       : i < 11 ? STR("db3")
									: STR("db4")};
		labels[i][3] = (struct label){STR("pool"), str_c(names[i])};
		v[i] = alert((struct labels){labels[i], 4}, true, 0.95);
	}
	message_finish(&m, v, 12, &a);
	message_spread(&m, &b);
	expect(&b, "instance: 8 of 12 on db1, 2 on db2, 1 on db3, 1 more");
	message_finish(&m, v, 3, &a); /* few are shown one by one */
	message_spread(&m, &b);
	expect(&b, "");
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

START_TEST(hostile_labels_stay_labels)
{
	static char big[1 << 20];
	static struct label evil[40];
	static char names[40][8];
	struct message_alert v[2];
	struct message m = {.now_ms = NOW};
	struct arena a;
	struct buf b;

	memset(big, 'A', sizeof big);
	evil[0] = (struct label){STR("alertname"), STR("a\0b\r\nBcc: x\xe2\x80\xae\001\0021<b>")};
	for (size_t i = 1; i < 40; i++) {
		(void)snprintf(names[i], sizeof names[i], "l%02zu", i);
		evil[i] = (struct label){str_c(names[i]), str_n(big, sizeof big)};
	}
	arena_init(&a, (size_t)4 << 20);
	buf_init(&b, (size_t)64 << 10);
	v[0] = alert((struct labels){evil, 40}, true, 0.95);
	v[0].annotations =
		(struct labels){(const struct label[]){{STR("summary"), {big, sizeof big}}}, 1};
	v[1] = alert((struct labels){evil, 1}, true, 0.95);
	message_finish(&m, v, 2, &a);
	message_subject(&m, &b);
	expect(&b, "a b Bcc: x 1<b>");
	message_own_labels(&m, m.alerts[0].labels.n > 1 ? &m.alerts[0] : &m.alerts[1], &b);
	ck_assert_uint_lt(b.n, 2000);
	ck_assert(str_has(buf_view(&b), STR("AAA…, l02=")));
	ck_assert(str_ends(buf_view(&b), STR(", +27 more")));
	buf_reset(&b);
	message_summary(v[0].annotations.n > 0 ? &v[0] : &v[1], &b);
	ck_assert_uint_le(b.n, 1000);
	ck_assert(str_ends(buf_view(&b), STR("…")));
	ck_assert(!b.failed);
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

START_TEST(a_summary_is_never_empty)
{
	static const char *const blank[] = {"", " ", "\r\n\t", "\x01\x02", "\xe2\x80\xae"};
	struct label name = {STR("alertname"), STR("DiskFull")};
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(blank); i++) {
		struct label note = {STR("summary"), str_c(blank[i])};
		struct message_alert al = {
			.firing = true, .labels = {&name, 1}, .annotations = {&note, 1}};

		message_summary(&al, &b);
		expect(&b, "DiskFull");
		buf_reset(&b);
		al.labels = (struct labels){NULL, 0};
		message_summary(&al, &b);
		expect(&b, "an alert without a name");
		buf_reset(&b);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(an_alert_without_an_expression_has_no_graph)
{
	struct message m = {.external_url = STR("https://mon.example")};
	struct message_alert al = {.firing = true};
	struct buf b;

	buf_init(&b, 4096);
	message_graph_url(&m, &al, &b);
	ck_assert_uint_eq(b.n, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(only_plain_http_links_are_links)
{
	static const char *const bad[] = {"javascript:alert(1)", "http://a b", "https://x\"y",
		"http://a\nb", "//x", "", "ftp://x", "http://a|b", "http://a>b"};
	struct message_alert v[1];
	struct message m = {.now_ms = NOW};
	struct label note = {STR("runbook_url"), STR("https://rb.example/x?a=1&b")};

	v[0] = alert((struct labels){NULL, 0}, true, 1);
	v[0].annotations = (struct labels){&note, 1};
	ck_assert(str_eq(message_link(&m, v, "runbook_url"), note.value));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		note.value = str_c(bad[i]);
		ck_assert_uint_eq(message_link(&m, v, "runbook_url").n, 0);
	}
}
END_TEST

START_TEST(a_span_is_one_round_number)
{
	static const struct {
		int64_t ms;
		const char *text;
	} spans[] = {{0, "0s"}, {-5, "0s"}, {90000, "90s"}, {1770000, "30m"}, {3600000, "60m"},
		{7200000, "2h"}, {86400000, "24h"}, {INT64_C(259200000), "3d"}};
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		message_span(&b, spans[i].ms);
		expect(&b, spans[i].text);
	}
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("message");
	TCase *tc = tcase_create("message");

	tcase_add_test(tc, values_have_unit_threshold_and_peak);
	tcase_add_test(tc, the_worst_stand_first);
	tcase_add_test(tc, many_alerts_are_summed_up_by_the_label_that_gathers_them);
	tcase_add_test(tc, hostile_labels_stay_labels);
	tcase_add_test(tc, a_summary_is_never_empty);
	tcase_add_test(tc, an_alert_without_an_expression_has_no_graph);
	tcase_add_test(tc, only_plain_http_links_are_links);
	tcase_add_test(tc, a_span_is_one_round_number);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
