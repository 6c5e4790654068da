/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_decode - the wire walk against protobuf-c on made bodies, on their damaged copies, and the
 * cache's behaviour when order and content change.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/ingest/rw_decode.h"
#include "base/hash.h"
#include "base/num.h"
#include "tests/lib/rw_body.h"
#include "tests/lib/rw_oracle.h"
#include "tests/lib/suite.h"

/* Series i of a 1.0 body. */
static void put_series1(struct buf *to, int i)
{
	struct buf s = fresh(), h;
	char text[32];

	snprintf(text, sizeof text, "metric_%d", i);
	put_label(&s, "__name__", text);
	put_label(&s, "job", "x");
	snprintf(text, sizeof text, "host-%d", i * 7);
	put_label(&s, "instance", text);
	put_sample(&s, i * 1.5, 1000 + i, 0);
	if (i % 3 == 0)
		put_sample(&s, stale_nan(), 2000 + i, 0);
	if (i % 5 == 0) {
		h = put_histogram(i % 2 == 0, 0);
		put_msg(&s, 4, &h);
	}
	put_msg(to, 1, &s);
}

static struct buf body1(int from, int to)
{
	struct buf b = fresh(), m = fresh();

	for (int i = from; i < to; i++)
		put_series1(&b, i);
	put_int(&m, 1, 1);
	put_len(&m, 2, STR("metric_1"));
	put_len(&m, 4, STR("Help."));
	put_len(&m, 5, STR("seconds"));
	put_msg(&b, 3, &m);
	return b;
}

static struct buf body2(int n)
{
	struct buf b = fresh();

	put_len(&b, 4, STR(""));
	put_len(&b, 4, LABEL_NAME);
	put_len(&b, 4, STR("job"));
	put_len(&b, 4, STR("x"));
	put_len(&b, 4, STR("Help."));
	for (int i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof text, "metric_%d", i);
		put_len(&b, 4, str_c(text));
	}
	for (int i = 0; i < n; i++) {
		struct buf s = fresh(), refs = fresh(), m = fresh(), h;

		buf_varint(&refs, 1);
		buf_varint(&refs, (uint64_t)(5 + i));
		buf_varint(&refs, 2);
		buf_varint(&refs, 3);
		put_len(&s, 1, buf_view(&refs));
		buf_fini(&refs);
		put_sample(&s, i, 5000 + i, i % 2 == 0 ? 4000 : 0);
		if (i % 4 == 0) {
			h = put_histogram(true, i % 8 == 0 ? 77 : 0);
			put_msg(&s, 3, &h);
		}
		put_int(&m, 1, i % 8);
		put_int(&m, 3, 4);
		put_int(&m, 4, 0);
		put_msg(&s, 5, &m);
		if (i % 3 == 0)
			put_int(&s, 6, 3000);
		put_msg(&b, 5, &s);
	}
	return b;
}

/* --- tests --- */

START_TEST(made_bodies_decode_as_protobuf_does)
{
	struct buf one = body1(0, 200), two = body2(200);

	ck_assert(rw_compare(1, buf_view(&one)));
	ck_assert(rw_compare(2, buf_view(&two)));
	ck_assert(rw_compare(1, STR("")));
	ck_assert(rw_compare(2, STR("")));
	buf_fini(&one);
	buf_fini(&two);
}
END_TEST

START_TEST(what_is_sent_comes_out)
{
	struct buf b = body1(5, 6), rows = fresh(), meta = fresh();

	ck_assert(rw_text_ours(1, buf_view(&b), NULL, NULL, &rows, &meta));
	ck_assert_str_eq(rows.p,
		"S 8:__name__=8:metric_5 3:job=1:x 8:instance=7:host-35\n"
		" F1005 401e000000000000 0\n"
		" H1234567 0 s3 r3 i0 3f50624dd2f1a9fc 4004000000000000 4021000000000000 "
		"4032400000000000 (2 3 -1+2 2+1 3fe0000000000000 3ff8000000000000 "
		"4004000000000000) (0 0)\n");
	ck_assert_str_eq(meta.p, "8:metric_1 counter 5:Help.7:seconds\n");
	buf_reset(&rows);
	buf_fini(&b);
	b = body1(0, 1);
	ck_assert(rw_text_ours(1, buf_view(&b), NULL, NULL, &rows, &meta));
	/* deltas +1 +2 -1 are the counts 1 3 2; the staleness marker keeps its bits */
	ck_assert_ptr_nonnull(strstr(rows.p, "(2 3 -1+2 2+1 3ff0000000000000 4008000000000000 "
					     "4000000000000000)"));
	ck_assert_ptr_nonnull(strstr(rows.p, " F2000 7ff0000000000002 0\n"));
	buf_fini(&b);
	buf_fini(&rows);
	buf_fini(&meta);
}
END_TEST

START_TEST(every_cut_and_every_flipped_byte_agrees_with_protobuf)
{
	struct buf b[2] = {body1(0, 6), body2(5)};

	for (int v = 1; v <= 2; v++) {
		struct buf *x = &b[v - 1];
		char *copy = malloc(x->n);

		for (size_t n = 0; n < x->n; n++)
			(void)rw_compare(v, str_n(x->p, n));
		for (size_t i = 0; i < x->n; i++) {
			static const char flips[] = {1, 2, 4, 8, 16, 32, 64, (char)128, (char)255};

			for (size_t k = 0; k < sizeof flips; k++) {
				memcpy(copy, x->p, x->n);
				copy[i] = (char)(copy[i] ^ flips[k]);
				(void)rw_compare(v, str_n(copy, x->n));
			}
		}
		free(copy);
		buf_fini(x);
	}
}
END_TEST

START_TEST(labels_behind_samples_and_unpacked_references_are_taken)
{
	struct buf b = fresh(), s = fresh(), rows = fresh(), meta = fresh();

	put_label(&s, "__name__", "up");
	put_sample(&s, 1, 5, 0);
	put_label(&s, "late", "yes");
	put_msg(&b, 1, &s);
	ck_assert(rw_compare(1, buf_view(&b)));
	ck_assert(rw_text_ours(1, buf_view(&b), NULL, NULL, &rows, &meta));
	ck_assert_ptr_nonnull(strstr(rows.p, "up 4:late=3:yes\n"));
	buf_fini(&b);
	s = fresh();
	put_len(&b, 4, LABEL_NAME);
	put_len(&b, 4, STR("up"));
	put_int(&s, 1, 0);
	put_sample(&s, 1, 5, 0);
	put_int(&s, 1, 1);
	put_msg(&b, 5, &s);
	ck_assert(rw_compare(2, buf_view(&b)));
	buf_fini(&b);
	buf_fini(&rows);
	buf_fini(&meta);
}
END_TEST

START_TEST(metadata_finds_its_metric_though_a_symbol_stands_twice)
{
	struct buf b = fresh(), s = fresh(), m = fresh();

	put_len(&b, 4, STR(""));
	put_len(&b, 4, LABEL_NAME);
	put_len(&b, 4, STR("up"));
	put_len(&b, 4, LABEL_NAME);
	put_int(&s, 1, 1);
	put_int(&s, 1, 2);
	put_sample(&s, 1, 5, 0);
	put_int(&m, 1, 2);
	put_int(&m, 3, 2);
	put_msg(&s, 5, &m);
	put_msg(&b, 5, &s);
	ck_assert(rw_compare(2, buf_view(&b)));
	buf_fini(&b);
}
END_TEST

START_TEST(references_that_lead_nowhere_are_undecodable)
{
	struct buf b = fresh(), s = fresh(), rows = fresh(), meta = fresh();

	put_len(&b, 4, LABEL_NAME);
	put_int(&s, 1, 0);
	put_int(&s, 1, 1);
	put_sample(&s, 1, 5, 0);
	put_msg(&b, 5, &s);
	ck_assert(!rw_text_ours(2, buf_view(&b), NULL, NULL, &rows, &meta));
	buf_fini(&b);
	s = fresh();
	put_len(&b, 4, LABEL_NAME);
	put_int(&s, 1, 0); /* a name without its value */
	put_msg(&b, 5, &s);
	ck_assert(!rw_text_ours(2, buf_view(&b), NULL, NULL, &rows, &meta));
	buf_fini(&b);
	buf_fini(&rows);
	buf_fini(&meta);
}
END_TEST

START_TEST(the_cache_follows_series_that_move_and_change)
{
	struct rw_cache *cache = rw_cache_new(2048);
	struct arena a;
	struct rw_known known = {.a = &a, .cap = 1000};
	static const int cuts[][2] = {
		{0, 100}, {100, 200}, {50, 150}, {0, 200}, {199, 200}, {0, 1}};

	arena_init(&a, (size_t)16 << 20);
	known.names = ARENA_ARRAY(&a, known.cap, struct str);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
			struct buf b = body1(cuts[i][0], cuts[i][1]);
			struct buf ours = fresh(), oracle = fresh(), meta = fresh();

			ck_assert(rw_text_ours(1, buf_view(&b), cache, &known, &ours, &meta));
			ck_assert(rw_text_oracle(1, buf_view(&b), &oracle, &meta));
			ck_assert(str_eq(buf_view(&ours), buf_view(&oracle)));
			buf_fini(&b);
			buf_fini(&ours);
			buf_fini(&oracle);
			buf_fini(&meta);
		}
	}
	ck_assert_uint_eq(rw_cache_entries(cache), 200);
	rw_cache_check(cache, 1);
	ck_assert_uint_eq(rw_cache_entries(cache), 0);
	rw_cache_free(cache);
	arena_fini(&a);
}
END_TEST

START_TEST(a_full_cache_starts_anew)
{
	struct rw_cache *c = rw_cache_new(1024);

	for (uint32_t i = 0; i < 5000; i++) {
		struct rw_key k = rw_key_of(c, &i, sizeof i);

		ck_assert_ptr_null(rw_cache_find(c, &k));
		ck_assert_ptr_nonnull(rw_cache_add(c, &k, 4, i + 1));
		ck_assert_uint_eq(rw_cache_find(c, &k)->id, i + 1);
		ck_assert_uint_le(rw_cache_entries(c), 1024);
	}
	rw_cache_free(c);
}
END_TEST

START_TEST(histograms_over_the_limits_are_bad_not_fatal)
{
	struct buf b = fresh(), s = fresh(), h = fresh(), counts = fresh();
	struct buf rows = fresh(), meta = fresh();
	double one = 1;

	put_label(&s, "__name__", "h");
	put_f64(&h, 2, 1);
	for (int i = 0; i < 30000; i++)
		buf_add(&counts, &one, sizeof one);
	put_len(&h, 13, buf_view(&counts));
	put_msg(&s, 4, &h);
	put_sample(&s, 1, 5, 0);
	put_msg(&b, 1, &s);
	ck_assert(rw_text_ours(1, buf_view(&b), NULL, NULL, &rows, &meta));
	ck_assert_str_eq(rows.p, "S 8:__name__=1:h\n F5 3ff0000000000000 0\n bad\n");
	buf_fini(&b);
	buf_fini(&counts);
	buf_fini(&rows);
	buf_fini(&meta);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rw_decode");
	TCase *t = tcase_create("decoder");

	hash_init();
	tcase_set_timeout(t, 60);
	tcase_add_test(t, made_bodies_decode_as_protobuf_does);
	tcase_add_test(t, what_is_sent_comes_out);
	tcase_add_test(t, every_cut_and_every_flipped_byte_agrees_with_protobuf);
	tcase_add_test(t, labels_behind_samples_and_unpacked_references_are_taken);
	tcase_add_test(t, metadata_finds_its_metric_though_a_symbol_stands_twice);
	tcase_add_test(t, references_that_lead_nowhere_are_undecodable);
	tcase_add_test(t, the_cache_follows_series_that_move_and_change);
	tcase_add_test(t, a_full_cache_starts_anew);
	tcase_add_test(t, histograms_over_the_limits_are_bad_not_fatal);
	suite_add_tcase(s, t);
	return suite_run(s);
}
