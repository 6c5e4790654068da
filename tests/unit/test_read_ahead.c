/* SPDX-License-Identifier: Apache-2.0 */
/* Selections that a second thread reads ahead: the same samples as without it, whatever the order,
 * the ranges, and what is written meanwhile. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "storage/read_ahead.h"
#include "storage/store_int.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

enum { SERIES = 2500, SAMPLES = 20 };

static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

static int64_t time_of(int k)
{
	return NOW - (SAMPLES - k) * INT64_C(15000);
}

static void put_round(int k, double add)
{
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);

	for (unsigned i = 0; i < SERIES; i++) {
		struct labels ls = fx_series("m", i);

		batch_series_labels(b, ls, labels_hash(ls));
		batch_float(b, time_of(k), add + i * 1000.0 + k, 0);
	}
	ck_assert_uint_eq(fx_submit(b).stored, SERIES);
}

/* Half of the samples on disk, half in memory. */
static void setup(void)
{
	fx_setup();
	seed = 1;
	for (int k = 0; k < SAMPLES; k++) {
		put_round(k, 0);
		if (k == SAMPLES / 2)
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
}

/* What series i of the selection has within [mint, maxt], read without a helper. */
static void expect(
	struct store_sel *sel, size_t i, int64_t mint, int64_t maxt, const struct store_cols *got)
{
	struct labels ls = store_sel_labels(sel, i);
	struct cols c;

	cols_init(&c);
	ck_assert_int_eq(series_read(fx.st, store_find_series(fx.st, ls, labels_hash(ls)), mint,
				 maxt, &c, &fx.arena, NULL, &fx.e),
		0);
	ck_assert_uint_gt(c.n, 0);
	ck_assert_uint_eq(got->n, c.n);
	ck_assert_mem_eq(got->t, c.t, c.n * sizeof *c.t);
	ck_assert_mem_eq(got->v, c.v, c.n * sizeof *c.v);
	cols_fini(&c);
}

START_TEST(all_in_order_is_what_single_reads_give)
{
	struct store_sel *sel = fx_select_name("m", time_of(0), NOW);

	ck_assert_uint_eq(store_sel_count(sel), SERIES);
	for (size_t i = 0; i < SERIES; i++) {
		struct store_cols c = fx_fetch(sel, i, time_of(0), NOW);

		ck_assert_uint_eq(c.n, SAMPLES);
		expect(sel, i, time_of(0), NOW, &c);
	}
	store_sel_close(sel);
}
END_TEST

/* Jumps, other ranges, and an end in the middle: the helper of the old order is given up. */
START_TEST(orders_that_break_off_begin_anew)
{
	for (int round = 0; round < 10; round++) {
		struct store_sel *sel = fx_select_name("m", time_of(0), NOW);
		size_t i = 0;

		for (int k = 0; k < 6; k++) {
			int64_t from = time_of((int)draw(SAMPLES - 1)), to = NOW;
			size_t n = READ_AHEAD_AFTER + draw(600);

			for (; n > 0 && i < SERIES; n--, i++) {
				struct store_cols c = fx_fetch(sel, i, from, to);

				if (n % 16 == 0)
					expect(sel, i, from, to, &c);
				else
					ck_assert_uint_gt(c.n, 0);
			}
			i = draw(2) == 0 ? draw(SERIES / 2) : i % SERIES;
		}
		store_sel_close(sel);
	}
}
END_TEST

/* One pass with a helper from series 7 on; how many series were the helper's. */
static size_t pass(struct store_sel *sel, const uint32_t *ids)
{
	struct read_ahead *r = read_ahead_start(fx.st, ids, SERIES, 7, time_of(0), NOW);
	size_t by_helper = 0;

	ck_assert_ptr_nonnull(r);
	for (size_t i = 7; i < SERIES; i++) {
		const struct cols *c = read_ahead_next(r, i);
		struct store_cols got;

		if (c != NULL)
			got = (struct store_cols){.n = c->n, .t = c->t, .v = c->v};
		else
			got = fx_fetch(sel, i, time_of(0), NOW);
		by_helper += c != NULL;
		expect(sel, i, time_of(0), NOW, &got);
	}
	read_ahead_stop(r);
	return by_helper;
}

/* As select.c uses it: each series is read once, by one of the two. */
START_TEST(chunks_go_to_whoever_comes_first)
{
	struct store_sel *sel = fx_select_name("m", time_of(0), NOW);
	uint32_t *ids = calloc(SERIES, sizeof *ids);

	ck_assert_ptr_nonnull(ids);
	for (size_t i = 0; i < SERIES; i++) {
		struct labels ls = store_sel_labels(sel, i);

		ids[i] = store_find_series(fx.st, ls, labels_hash(ls));
	}
	/* a busy machine may let the reader come first everywhere: once more then */
	while (sysconf(_SC_NPROCESSORS_ONLN) > 1 && pass(sel, ids) == 0) {
	}
	free(ids);
	store_sel_close(sel);
}
END_TEST

static atomic_bool writing;

static void *write_on(void *arg)
{
	int *rounds = arg;

	while (atomic_load(&writing) && *rounds < 40) {
		struct batch *b = batch_new(BATCH_REMOTE_WRITE);
		struct err e;

		for (unsigned i = 0; i < 50; i++) {
			char n[16];
			struct label v[] = {{LABEL_NAME, STR("other")},
				{STR("i"), {n, (size_t)snprintf(n, sizeof n, "%u", i)}}};
			struct labels ls = {v, 2};

			batch_series_labels(b, ls, labels_hash(ls));
			batch_float(b, NOW + *rounds, i, 0);
		}
		ck_assert_int_eq(store_submit_wait(fx.st, b, &e), 0);
		batch_free(b);
		if (*rounds % 10 == 9)
			ck_assert_int_eq(store_flush(fx.st, &e), 0);
		++*rounds;
	}
	return NULL;
}

START_TEST(writes_and_flushes_meanwhile_change_nothing)
{
	pthread_t writer;
	int rounds = 0;

	atomic_store(&writing, true);
	ck_assert_int_eq(pthread_create(&writer, NULL, write_on, &rounds), 0);
	for (int round = 0; round < 5; round++) {
		struct store_sel *sel = fx_select_name("m", time_of(0), NOW);

		for (size_t i = 0; i < SERIES; i++) {
			struct store_cols c = fx_fetch(sel, i, time_of(0), NOW);

			ck_assert_uint_eq(c.n, SAMPLES);
			for (size_t k = 1; k < c.n; k++)
				ck_assert_double_eq(c.v[k], c.v[0] + (double)k);
		}
		store_sel_close(sel);
	}
	atomic_store(&writing, false);
	(void)pthread_join(writer, NULL);
	ck_assert_int_gt(rounds, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("read_ahead");
	TCase *tc = tcase_create("read_ahead");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, fx_teardown);
	tcase_add_test(tc, all_in_order_is_what_single_reads_give);
	tcase_add_test(tc, orders_that_break_off_begin_anew);
	tcase_add_test(tc, chunks_go_to_whoever_comes_first);
	tcase_add_test(tc, writes_and_flushes_meanwhile_change_nothing);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
