/* SPDX-License-Identifier: Apache-2.0 */
/* A packed message comes back as it was, and damaged bytes are refused. */
#include <check.h>
#include <math.h>

#include "base/hash.h"
#include "base/num.h"
#include "exporters/message_pack.h"
#include "tests/lib/suite.h"

static struct label one[] = {{{"alertname", 9}, {"A", 1}}, {{"instance", 8}, {"x\0y", 3}},
	{{"job", 3}, {"\xc3\xa4", 2}}};
static struct label two[] = {{{"alertname", 9}, {"A", 1}}, {{"instance", 8}, {"z", 1}}};
static struct label note[] = {{{"summary", 7}, {"it \"broke\"\n", 11}}};

static void fill(struct message *m, struct arena *a)
{
	struct message_alert *v = ARENA_ARRAY(a, 2, struct message_alert);

	*m = (struct message){.reason = REASON_SOME_RESOLVED,
		.now_ms = 1700000000123,
		.incident_ms = 1699999999000,
		.thread = STR("belfry-1-2-3-4"),
		.group_labels = {one, 1}};
	v[0] = (struct message_alert){.firing = true,
		.labels = {one, 3},
		.annotations = {note, 1},
		.starts_at_ms = 1699999999000,
		.value = 0.1,
		.current = normal_nan(),
		.worst = -INFINITY,
		.threshold = 5e-324,
		.op = ">=",
		.rule = STR("A"),
		.group = STR("g"),
		.expr = STR("up == 0"),
		.generator_url = STR("http://p/graph")};
	v[1] = v[0];
	v[1].firing = false;
	v[1].labels = (struct labels){two, 2};
	v[1].ends_at_ms = 1700000000000;
	v[1].op = "";
	v[0].fingerprint = labels_fingerprint(v[0].labels);
	v[1].fingerprint = labels_fingerprint(v[1].labels);
	message_finish(m, v, 2, a);
}

START_TEST(a_message_comes_back_as_it_was)
{
	struct arena a;
	struct message m, back = {.now_ms = 0};
	struct buf b, again;
	struct err e;

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_init(&again, 1 << 20);
	fill(&m, &a);
	message_pack(&m, &b);
	ck_assert_msg(message_unpack(buf_view(&b), &a, &back, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(back.n, 2);
	ck_assert_uint_eq(back.n_firing, 1);
	ck_assert_int_eq(back.reason, REASON_SOME_RESOLVED);
	ck_assert_int_eq(back.incident_ms, m.incident_ms);
	ck_assert(labels_eq(back.group_labels, m.group_labels));
	ck_assert(str_eq(back.thread, m.thread));
	for (size_t i = 0; i < 2; i++) {
		ck_assert(labels_eq(back.alerts[i].labels, m.alerts[i].labels));
		ck_assert(labels_eq(back.alerts[i].annotations, m.alerts[i].annotations));
		ck_assert_str_eq(back.alerts[i].op, m.alerts[i].op);
		ck_assert(str_eq(back.alerts[i].generator_url, m.alerts[i].generator_url));
	}
	ck_assert(isnan(back.alerts[0].current));
	message_pack(&back, &again);
	ck_assert(str_eq(buf_view(&b), buf_view(&again)));
	buf_fini(&again);
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

START_TEST(cut_and_damaged_bytes_are_refused_or_read_safely)
{
	struct arena a;
	struct message m, back = {.now_ms = 0};
	struct buf b;
	struct err e;

	arena_init(&a, 8 << 20);
	buf_init(&b, 1 << 20);
	fill(&m, &a);
	message_pack(&m, &b);
	for (size_t n = 0; n < b.n; n++) {
		bool older =
			n == b.n - 1 - m.thread.n; /* as rows ended before there was a thread */

		ck_assert_int_eq(message_unpack(str_n(b.p, n), &a, &back, &e), older ? 0 : -1);
	}
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] = (char)(b.p[i] ^ 0x7f);
		if (message_unpack(buf_view(&b), &a, &back, &e) == 0)
			ck_assert_uint_ge(back.n, 1);
		b.p[i] = (char)(b.p[i] ^ 0x7f);
		arena_reset(&a);
	}
	buf_fini(&b);
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("message_pack");
	TCase *t = tcase_create("message_pack");

	hash_init();
	tcase_add_test(t, a_message_comes_back_as_it_was);
	tcase_add_test(t, cut_and_damaged_bytes_are_refused_or_read_safely);
	suite_add_tcase(s, t);
	return suite_run(s);
}
