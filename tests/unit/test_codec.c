/* SPDX-License-Identifier: Apache-2.0 */
/* test_codec - chunks, strips, integer and float columns: exact round trips, bounded decoding. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "storage/codec.h"
#include "storage/codec_ints.h"
#include "storage/strip.h"
#include "tests/lib/suite.h"

static struct err e;
static uint64_t seed = 1;

static uint64_t rnd(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return seed ^ seed >> 33;
}

static size_t round_trip_ints(const int64_t *v, size_t n)
{
	int64_t *in = malloc((n + 1) * sizeof *in), *out = malloc((n + 1) * sizeof *out);
	struct buf b;
	struct rd r;
	size_t bytes;

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	memcpy(in, v, n * sizeof *v);
	buf_init(&b, 1u << 24);
	ints_put(&b, in, n);
	r = rd_of(buf_view(&b));
	ck_assert(ints_get(&r, out, n));
	ck_assert(!rd_more(&r));
	ck_assert_mem_eq(out, v, n * sizeof *v);
	bytes = b.n;
	buf_fini(&b);
	free(in);
	free(out);
	return bytes;
}

START_TEST(integers_of_every_shape_come_back)
{
	int64_t v[1000];

	for (unsigned round = 0; round < 400; round++) {
		size_t n = 1 + rnd() % ARRAY_LEN(v);
		unsigned width = (unsigned)(rnd() % 65), every = 1 + (unsigned)(rnd() % 50);

		for (size_t i = 0; i < n; i++) {
			uint64_t x = width == 0 ? 0 : rnd() >> (64 - width);

			if (round % 4 == 0)
				x = i > 0 ? (uint64_t)v[i - 1] + x : x;
			else if (round % 4 == 1)
				x = (uint64_t)i * 15000 + (rnd() % every == 0 ? x : 0);
			else if (round % 4 == 2)
				x *= 4096;
			v[i] = (int64_t)x;
		}
		(void)round_trip_ints(v, n);
	}
	v[0] = INT64_MIN;
	v[1] = INT64_MAX;
	v[2] = 0;
	v[3] = INT64_MIN;
	(void)round_trip_ints(v, 4);
	v[1] = INT64_MIN + 4096;
	(void)round_trip_ints(v, 2);
}
END_TEST

START_TEST(constant_and_regular_columns_cost_a_few_bytes)
{
	int64_t v[2000];

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = INT64_C(1700000000000) + (int64_t)i * 15000;
	ck_assert_uint_le(round_trip_ints(v, ARRAY_LEN(v)), 64);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = -42;
	ck_assert_uint_le(round_trip_ints(v, ARRAY_LEN(v)), 40);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = (int64_t)i % 128 == 77 ? INT64_C(1) << 50 : (int64_t)(rnd() % 2);
	ck_assert_uint_le(round_trip_ints(v, ARRAY_LEN(v)), 600); /* patched, not widened */
}
END_TEST

/* --- whole chunks --- */

struct joined {
	struct cols back;
	struct arena arena;
	size_t bytes, chunks;
};

static void on_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	struct joined *j = arg;
	size_t n = j->back.n;

	(void)c;
	if (codec_decode(chunk, &j->back, &j->arena, &e) != 0)
		ck_abort_msg("%s", e.msg);
	ck_assert_uint_eq(j->back.n - n, to - from);
	j->bytes += chunk.n;
	j->chunks++;
}

/* Encode, decode, compare; bytes used. */
static size_t round_trip(const struct cols *c)
{
	struct joined j = {.bytes = 0};
	struct codec k;
	size_t bytes;

	codec_init(&k);
	cols_init(&j.back);
	arena_init(&j.arena, (size_t)256 << 20);
	ck_assert_int_eq(codec_encode(&k, c, on_chunk, &j), 0);
	ck_assert_uint_eq(j.back.n, c->n);
	for (size_t i = 0; i < c->n; i++) {
		const struct hist *h = c->h != NULL ? c->h[i] : NULL;

		ck_assert_int_eq(j.back.t[i], c->t[i]);
		ck_assert_int_eq(j.back.start != NULL ? j.back.start[i] : 0,
			c->start != NULL ? c->start[i] : 0);
		if (h != NULL) {
			ck_assert_ptr_nonnull(j.back.h);
			ck_assert_ptr_nonnull(j.back.h[i]);
			ck_assert(hist_eq(j.back.h[i], h));
			ck_assert_uint_eq(j.back.h[i]->reset, h->reset);
		} else {
			ck_assert(j.back.h == NULL || j.back.h[i] == NULL);
			ck_assert_uint_eq(f64_bits(j.back.v[i]), f64_bits(c->v[i]));
		}
	}
	bytes = j.bytes;
	cols_fini(&j.back);
	arena_fini(&j.arena);
	codec_fini(&k);
	return bytes;
}

static double odd(unsigned kind)
{
	static const uint64_t bits[] = {STALE_NAN_BITS, NORMAL_NAN_BITS,
		UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000),
		UINT64_C(0xfff0000000000000), 1, UINT64_C(0x7fefffffffffffff),
		UINT64_C(0xfff8dead0000beef)};

	return f64_from_bits(bits[kind % ARRAY_LEN(bits)]);
}

static double shape(unsigned kind, size_t i)
{
	switch (kind) {
	case 0: return 42;
	case 1: return (double)i * 17;
	case 2: return (double)(rnd() % 1000) / 100;
	case 3: return f64_from_bits(rnd());
	case 4: return sqrt((double)i);
	case 5: return i % 50 == 49 ? odd((unsigned)i) : (double)(rnd() % 100);
	case 6: return odd((unsigned)rnd());
	case 7: return -(double)(rnd() % 100000) * 0.001;
	case 8: return (double)(rnd() % 1000) * 1048576.0;
	case 9: return 1e300 * (double)i;
	default: return (double)(rnd() >> 11);
	}
}

START_TEST(floats_of_every_shape_come_back_bit_for_bit)
{
	for (unsigned kind = 0; kind <= 10; kind++) {
		for (size_t n = 1; n < 3000; n = n * 3 + 1) {
			struct cols c;

			cols_init(&c);
			for (size_t i = 0; i < n; i++)
				cols_push(&c, (int64_t)i * 1000 + (int64_t)(rnd() % 7) - 5000,
					shape(kind, i), NULL,
					kind == 7 && i % 9 > 4 ? (int64_t)i : 0);
			(void)round_trip(&c);
			cols_fini(&c);
		}
	}
}
END_TEST

/* A chunk of these times, whatever they are. */
static int read_times(const int64_t *times, size_t n)
{
	int64_t t[300], scratch[300];
	double v[300] = {0};
	struct arena a;
	struct cols c;
	struct buf b;
	int rc;

	memcpy(t, times, n * sizeof *t);
	buf_init(&b, 1u << 20);
	buf_ch(&b, 1);
	buf_varint(&b, n);
	ints_put(&b, t, n);
	(void)floats_put(&b, v, n, scratch);
	cols_init(&c);
	arena_init(&a, 1u << 20);
	rc = codec_decode(buf_view(&b), &c, &a, &e);
	if (rc == 0)
		ck_assert_mem_eq(c.t, times, n * sizeof *times);
	arena_fini(&a);
	cols_fini(&c);
	buf_fini(&b);
	return rc;
}

START_TEST(times_that_do_not_ascend_are_refused_wherever_they_stand)
{
	static const int64_t steps[] = {1, 15000, INT64_C(1) << 40, INT64_C(1) << 54};
	static const int64_t ends[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	int64_t t[131];

	for (size_t n = 1; n <= ARRAY_LEN(t); n++) {
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			size_t at = n > 1 ? 1 + rnd() % (n - 1) : 0;
			bool last = at + 1 == n;

			for (size_t i = 0; i < n; i++)
				t[i] = ((int64_t)i - 60) * steps[k] +
				       (int64_t)(i % 3 == 1 && k > 0);
			ck_assert_int_eq(read_times(t, n), 0);
			if (n == 1)
				continue;
			t[at] = t[at - 1] - (int64_t)(rnd() % 2);
			ck_assert_int_eq(read_times(t, n), -1);
			ck_assert_int_eq(e.kind, ERR_CORRUPT);
			t[at] = at % 2 == 0 ? INT64_MIN : INT64_MAX; /* differences wrap */
			ck_assert_int_eq(read_times(t, n), at % 2 == 1 && last ? 0 : -1);
		}
	}
	ck_assert_int_eq(read_times(ends, ARRAY_LEN(ends)), 0);
}
END_TEST

START_TEST(simple_series_take_little)
{
	static const struct {
		unsigned kind;
		double most; /* bytes a sample */
	} want[] = {{0, 0.1}, {1, 0.1}, {2, 1.4}, {8, 1.4}, {5, 1.5}};

	for (size_t k = 0; k < ARRAY_LEN(want); k++) {
		struct cols c;

		cols_init(&c);
		for (size_t i = 0; i < 1000; i++)
			cols_push(&c, (int64_t)i * 15000, shape(want[k].kind, i), NULL, 0);
		ck_assert_double_le((double)round_trip(&c) / 1000, want[k].most);
		cols_fini(&c);
	}
}
END_TEST

static struct hist make_hist(unsigned i, double *counts, struct hist_span *spans)
{
	static const double bounds[] = {0.5, 1};

	spans[0] = (struct hist_span){-5, 2};
	spans[1] = (struct hist_span){3, 3};
	for (unsigned k = 0; k < 5; k++)
		counts[k] = k * 100 + i + (i > 300 ? 0.5 : 0);
	return (struct hist){.schema = i / 200 % 2 ? 3 : HIST_SCHEMA_CUSTOM,
		.is_int = i <= 300,
		.reset = i % 4,
		.count = 7 * i,
		.sum = i % 13 == 0 ? stale_nan() : i * 1.25,
		.pos = {spans, counts, i / 200 % 2 ? 2 : 0, i / 200 % 2 ? 5 : 0},
		.custom = bounds,
		.n_custom = i / 200 % 2 ? 0 : 2};
}

START_TEST(histograms_come_back_with_layout_changes_and_floats_between)
{
	struct hist_span spans[500][2];
	double counts[500][5];
	struct hist h[500];
	struct cols c;

	cols_init(&c);
	for (unsigned i = 0; i < 500; i++) {
		h[i] = make_hist(i, counts[i], spans[i]);
		cols_push(&c, i * 100, i % 100 == 99 ? i : 0, i % 100 == 99 ? NULL : &h[i], i / 50);
	}
	ck_assert_uint_le(round_trip(&c), 500 * 5);
	cols_fini(&c);
}
END_TEST

START_TEST(a_strip_gives_back_what_was_appended_at_every_moment)
{
	struct cells m;

	cells_init(&m);
	for (unsigned kind = 0; kind <= 10; kind++) {
		struct strip s, again;
		struct cols c, want;
		struct arena a;
		void *bytes;
		int64_t t = -1000;

		strip_init(&s);
		cols_init(&want);
		arena_init(&a, 1u << 24);
		for (size_t i = 0;; i++) {
			double v = i % 5 < 3 && i > 0 ? f64_from_bits(s.bits) : shape(kind, i);
			int64_t start = kind == 2 ? (int64_t)(i / 3) : 0;

			t += i % 11 == 3 ? 1 + (int64_t)(rnd() % 100000) : 1000;
			if (!strip_append(&m, &s, t, v, NULL, start))
				break;
			cols_push(&want, t, v, NULL, start);
			cols_init(&c);
			bytes = strip_copy(&m, &s, NULL, 0);
			ck_assert_int_eq(
				strip_decode(str_n(bytes, s.bytes.len), s.run, &c, &a, &e), 0);
			ck_assert_uint_eq(c.n, want.n);
			ck_assert_mem_eq(c.t, want.t, c.n * sizeof *c.t);
			ck_assert_mem_eq(c.v, want.v, c.n * sizeof *c.v);
			for (size_t k = 0; k < c.n; k++)
				ck_assert_int_eq(c.start != NULL ? c.start[k] : 0,
					want.start != NULL ? want.start[k] : 0);
			cols_fini(&c);
			/* a copy that goes on from here gives the same bytes */
			ck_assert_int_eq(
				strip_restore(&m, &again, str_n(bytes, s.bytes.len), s.run, &e), 0);
			ck_assert_int_eq(again.t, s.t);
			ck_assert_int_eq(again.t0, s.t0);
			ck_assert_int_eq(again.step, s.step);
			ck_assert_uint_eq(again.bits, s.bits);
			ck_assert_uint_eq(again.n, s.n);
			strip_fini(&m, &again);
			free(bytes);
		}
		ck_assert_uint_ge(s.n, 40);
		strip_fini(&m, &s);
		cols_fini(&want);
		arena_fini(&a);
	}
	ck_assert_uint_eq(m.extra_bytes, 0);
	cells_fini(&m);
}
END_TEST

static struct buf first_chunk;

static void keep_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	(void)c;
	(void)from;
	(void)to;
	(void)arg;
	buf_reset(&first_chunk);
	buf_str(&first_chunk, chunk);
}

START_TEST(damaged_chunks_are_refused_or_read_without_harm)
{
	struct codec k;
	struct cols c, out;
	struct arena a;

	codec_init(&k);
	cols_init(&c);
	buf_init(&first_chunk, 1u << 20);
	for (size_t i = 0; i < 300; i++)
		cols_push(&c, (int64_t)i * 1000, shape(5, i), NULL, (int64_t)i);
	ck_assert_int_eq(codec_encode(&k, &c, keep_chunk, NULL), 0);
	arena_init(&a, 1u << 24);
	for (size_t cut = 0; cut < first_chunk.n; cut++) {
		cols_init(&out);
		ck_assert_int_eq(codec_decode(str_n(first_chunk.p, cut), &out, &a, &e), -1);
		ck_assert_int_eq(e.kind, ERR_CORRUPT);
		cols_fini(&out);
	}
	for (size_t round = 0; round < 3000; round++) {
		size_t at = rnd() % first_chunk.n;
		char was = first_chunk.p[at];

		first_chunk.p[at] = (char)rnd();
		cols_init(&out);
		if (codec_decode(buf_view(&first_chunk), &out, &a, &e) == 0)
			ck_assert_uint_le(out.n, CODEC_ROWS);
		cols_fini(&out);
		first_chunk.p[at] = was;
	}
	arena_fini(&a);
	cols_fini(&c);
	codec_fini(&k);
	buf_fini(&first_chunk);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec");
	TCase *t = tcase_create("codec");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, integers_of_every_shape_come_back);
	tcase_add_test(t, constant_and_regular_columns_cost_a_few_bytes);
	tcase_add_test(t, floats_of_every_shape_come_back_bit_for_bit);
	tcase_add_test(t, times_that_do_not_ascend_are_refused_wherever_they_stand);
	tcase_add_test(t, simple_series_take_little);
	tcase_add_test(t, histograms_come_back_with_layout_changes_and_floats_between);
	tcase_add_test(t, a_strip_gives_back_what_was_appended_at_every_moment);
	tcase_add_test(t, damaged_chunks_are_refused_or_read_without_harm);
	return suite_run(s);
}
