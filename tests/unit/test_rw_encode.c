/* SPDX-License-Identifier: Apache-2.0 */
/* What rw_encode writes, rw_decode1 reads back bit by bit: floats, marks, histograms, starts. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/backtest_fetch.h"
#include "agent/ingest/rw_decode.h"
#include "agent/ingest/rw_encode.h"
#include "base/f64.h"
#include "base/hash.h"
#include "base/num.h"
#include "storage/batch.h"
#include "tests/lib/rw_body.h"

#define ROWS 16u

static struct got {
	size_t n, series, n_labels;
	char name[32];
	int64_t t[ROWS], start[ROWS];
	double v[ROWS];
	struct hist *h[ROWS];
	struct arena a;
} got;

static void on_series_id(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id;
	ck_abort();
}

static uint32_t on_series_labels(void *ctx, struct label *v, size_t n, size_t rows)
{
	struct str name = labels_get((struct labels){v, n}, LABEL_NAME);

	(void)ctx;
	ck_assert_uint_gt(rows, 0);
	got.series++;
	got.n_labels = n;
	(void)snprintf(got.name, sizeof got.name, STR_FMT, STR_ARG(name));
	return 0;
}

static void take(int64_t t, double v, const struct hist *h, int64_t start)
{
	ck_assert_uint_lt(got.n, ROWS);
	got.t[got.n] = t;
	got.v[got.n] = v;
	got.h[got.n] = h != NULL ? hist_copy(&got.a, h) : NULL;
	got.start[got.n++] = start;
}

static void on_sample(void *ctx, int64_t t, double v, int64_t start)
{
	(void)ctx;
	take(t, v, NULL, start);
}

static void on_hist(void *ctx, int64_t t, const struct hist *h, int64_t start)
{
	(void)ctx;
	take(t, 0, h, start);
}

static void on_bad_hist(void *ctx, const char *why)
{
	(void)ctx;
	ck_abort_msg("%s", why);
}

static void decode(struct str body, bool starts)
{
	struct arena scratch;
	struct rw_decoder d = {.sink = {NULL, on_series_id, on_series_labels, on_sample, on_hist,
				       on_bad_hist, NULL, NULL},
		.scratch = &scratch,
		.starts = starts};
	struct err e;

	memset(&got, 0, sizeof got);
	arena_init(&got.a, 1u << 20);
	arena_init(&scratch, 1u << 20);
	ck_assert_msg(rw_decode1(&d, body, &e) == 0, "%s", e.msg);
	arena_fini(&scratch);
}

static struct buf encode(const struct store_cols *c)
{
	struct label v[] = {{LABEL_NAME, STR("m")}, {STR("zone"), STR("a\0b")}};
	struct buf out, scratch;

	buf_init(&out, 1u << 20);
	buf_init(&scratch, 1u << 20);
	rw_encode_series(&out, 1, (struct labels){v, 2}, c, &scratch);
	ck_assert(!out.failed);
	buf_fini(&scratch);
	return out;
}

START_TEST(floats_come_back_bit_by_bit)
{
	const int64_t t[] = {-5, 0, 1, INT64_C(1767225600123)};
	const double v[] = {-0.0, stale_nan(), INFINITY, 0.1};
	const int64_t start[] = {0, 0, -7, 1767225600000};
	struct store_cols c = {.n = 4, .t = t, .v = v, .start = start};
	struct buf b = encode(&c);

	decode(buf_view(&b), true);
	ck_assert_uint_eq(got.n, 4);
	ck_assert_uint_eq(got.series, 1);
	ck_assert_uint_eq(got.n_labels, 2);
	ck_assert_str_eq(got.name, "m");
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(got.t[i], t[i]);
		ck_assert(f64_bits(got.v[i]) == f64_bits(v[i]));
		ck_assert_int_eq(got.start[i], start[i]);
	}
	arena_fini(&got.a);
	decode(buf_view(&b), false); /* a remote write 1.0 sender has no starts */
	ck_assert_int_eq(got.start[3], 0);
	arena_fini(&got.a);
	buf_fini(&b);
}
END_TEST

START_TEST(histograms_come_back_whole)
{
	static const struct hist_span spans[] = {{-3, 2}, {5, 1}};
	static const double ints[] = {7, 2, 1e15}, floats[] = {0.5, 2.25, 1e300},
			    bounds[] = {-1, 2};
	const struct hist hists[] = {
		{.schema = 3,
			.is_int = true,
			.count = 1e15 + 9 + 4,
			.sum = -2.5,
			.zero_threshold = 1e-128,
			.zero_count = 4,
			.reset = HIST_RESET_NO,
			.pos = {spans, ints, 2, 3}},
		{.schema = -4,
			.count = 9e300,
			.sum = NAN,
			.zero_count = 0.25,
			.reset = HIST_RESET_GAUGE,
			.neg = {spans, floats, 2, 3},
			.pos = {spans, floats, 2, 3}},
		{.schema = HIST_SCHEMA_CUSTOM,
			.is_int = true,
			.count = 7,
			.sum = 1,
			.custom = bounds,
			.n_custom = 2,
			.pos = {(const struct hist_span[]){{0, 1}}, ints, 1, 1}},
		{.is_int = true, .sum = stale_nan()},
	};
	const struct hist *h[] = {&hists[0], NULL, &hists[1], &hists[2], &hists[3]};
	const int64_t t[] = {1, 2, 3, 4, 5}, start[] = {-9, 0, 0, 0, 0};
	const double v[] = {0, 42, 0, 0, 0};
	struct store_cols c = {.n = 5, .t = t, .v = v, .h = h, .start = start};
	struct buf b = encode(&c);
	size_t seen[5] = {0};

	decode(buf_view(&b), true);
	ck_assert_uint_eq(got.n, 5);
	for (size_t i = 0; i < 5; i++) { /* floats and histograms are two lists on the wire */
		size_t k = (size_t)got.t[i] - 1;

		seen[k]++;
		ck_assert_int_eq(got.start[i], start[k]);
		if (h[k] == NULL) {
			ck_assert(got.h[i] == NULL && f64_bits(got.v[i]) == f64_bits(v[k]));
		} else {
			ck_assert_msg(got.h[i] != NULL && hist_eq(got.h[i], h[k]), "%zu", k);
			ck_assert_uint_eq(got.h[i]->reset, h[k]->reset);
		}
	}
	for (size_t i = 0; i < 5; i++)
		ck_assert_uint_eq(seen[i], 1);
	arena_fini(&got.a);
	buf_fini(&b);
}
END_TEST

START_TEST(an_answer_over_the_buffer_fails_and_stays_failed)
{
	const int64_t t[] = {1, 2, 3};
	const double v[] = {1, 2, 3};
	struct store_cols c = {.n = 3, .t = t, .v = v};
	struct buf out, scratch;

	buf_init(&out, 1u << 20);
	buf_init(&scratch, 24);
	rw_encode_series(&out, 1, (struct labels){NULL, 0}, &c, &scratch);
	ck_assert(out.failed);
	buf_fini(&scratch);
	buf_fini(&out);
}
END_TEST

/* --- answers of servers --- */

static size_t rows_of(struct str packed, int *rc, struct err *e)
{
	struct label outer[] = {{STR("zone"), STR("eu")}};
	struct batch *b = batch_new(BATCH_IMPORT);
	size_t n;

	*rc = bt_samples_read(packed, (struct labels){outer, 1}, b, e);
	n = batch_rows(b);
	batch_free(b);
	return n;
}

START_TEST(hostile_remote_read_answers_are_refused)
{
	static const char bomb[] = "\xff\xff\xff\xff\x0f\x00\x00";
	const int64_t t[] = {1};
	const double v[] = {1};
	struct store_cols c = {.n = 1, .t = t, .v = v};
	struct buf series = encode(&c), result = fresh(), packed;
	struct err e;
	int rc;

	put_len(&result, 1, buf_view(&series));
	packed = snappy_of(buf_view(&result));
	ck_assert_uint_eq(rows_of(buf_view(&packed), &rc, &e), 1);
	ck_assert_int_eq(rc, 0);
	for (size_t cut = 1; cut < result.n; cut++) {
		struct buf part = snappy_of(str_sub(buf_view(&result), 0, result.n - cut));

		(void)rows_of(buf_view(&part), &rc, &e);
		ck_assert_int_ne(rc, 0);
		buf_fini(&part);
	}
	(void)rows_of(str_n(bomb, sizeof bomb - 1), &rc, &e);
	ck_assert(rc != 0 && e.kind == ERR_LIMIT);
	(void)rows_of(STR("hello"), &rc, &e);
	ck_assert_int_ne(rc, 0);
	buf_fini(&packed);
	buf_fini(&result);
	buf_fini(&series);
}
END_TEST

START_TEST(matrices_give_their_samples_and_nothing_else)
{
	static const struct {
		const char *text;
		size_t rows; /* SIZE_MAX: refused */
	} cases[] = {
		{"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
		 "{\"metric\":{\"__name__\":\"m\",\"zone\":\"eu\"},\"values\":[[1.5,\"1\"],[2,"
		 "\"NaN\"],"
		 "[3,\"+Inf\"]]},{\"metric\":{\"__name__\":\"n\"},\"values\":[],\"histograms\":[[1,"
		 "{}]]}"
		 "]}}",
			3},
		{"{\"data\":{\"result\":[]}}", 0},
		{"{\"data\":{\"result\":[{\"metric\":{\"__name__\":\"m\"},\"values\":[[1,\"x\"]]}]}"
		 "}",
			SIZE_MAX},
		{"{\"data\":{\"result\":[{\"metric\":{\"__name__\":\"m\"},\"values\":[[1,2]]}]}}",
			SIZE_MAX},
		{"{\"data\":{\"result\":[{\"metric\":{\"__name__\":\"m\"},\"values\":[[1,\"2\",3]]}"
		 "]}}",
			SIZE_MAX},
		{"{\"data\":", SIZE_MAX},
		{"<html>", SIZE_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct batch *b = batch_new(BATCH_IMPORT);
		size_t hists = 0;
		struct err e;
		int rc = bt_samples_matrix(
			str_c(cases[i].text), (struct labels){NULL, 0}, b, &hists, &e);

		ck_assert_msg((rc != 0) == (cases[i].rows == SIZE_MAX), "%s", cases[i].text);
		if (rc == 0) {
			ck_assert_uint_eq(batch_rows(b), cases[i].rows);
			ck_assert_uint_eq(hists, i == 0);
		}
		batch_free(b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rw_encode");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	hash_init();
	tcase_add_test(t, floats_come_back_bit_by_bit);
	tcase_add_test(t, histograms_come_back_whole);
	tcase_add_test(t, an_answer_over_the_buffer_fails_and_stays_failed);
	tcase_add_test(t, hostile_remote_read_answers_are_refused);
	tcase_add_test(t, matrices_give_their_samples_and_nothing_else);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
