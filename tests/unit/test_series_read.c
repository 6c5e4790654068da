/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading series one after the other with a memo of packs and directories: the same samples as
 * without one, whatever came between two reads, within the memory that the memo may hold.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "storage/cols.h"
#include "storage/store_int.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

enum { SERIES = 1600, ROUNDS = 4 };

#define DAY        INT64_C(86400000)
#define MEMO_BYTES ((size_t)4 << 20) /* as series_read.c has it */

static uint64_t seed;
static struct labels sets[SERIES];
static uint32_t ids[SERIES];

static unsigned draw(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

static void setup(void)
{
	fx_setup();
	fx.opts.ooo_window_ms = INT64_MAX;
	store_reconfigure(fx.st, &fx.opts);
	seed = 1;
}

/* A sample of each series at or a little behind t; every `step`-th series only. */
static void put_all(int64_t t, unsigned step, double v)
{
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);
	size_t n = 0;

	for (unsigned i = 0; i < SERIES; i += step, n++) {
		sets[i] = fx_series("m", i);
		batch_series_labels(b, sets[i], labels_hash(sets[i]));
		batch_float(b, t + i % 7, v + i, 0);
	}
	ck_assert_uint_eq(fx_submit(b).stored, n);
}

/* Packs of many groups in several partitions, in one of them several packs a group. */
static void fill(void)
{
	for (int k = 0; k < ROUNDS; k++) {
		put_all(NOW - (k + 1) * DAY - k * INT64_C(100000), 1, k); /* the same rows */
		put_all(NOW - k * INT64_C(100000), 1, 10 + k);
		ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
	for (unsigned i = 0; i < SERIES; i++)
		ids[i] = store_find_series(fx.st, sets[i], labels_hash(sets[i]));
}

static void read_one(uint32_t id, int64_t mint, int64_t maxt, struct read_memo *m, struct cols *c)
{
	cols_reset(c);
	if (series_read(fx.st, id, mint, maxt, c, &fx.arena, m, &fx.e) != 0)
		ck_abort_msg("%s", fx.e.msg);
}

/* The read with the memo gives what one without gives. Returns how many samples. */
static size_t same(uint32_t id, int64_t mint, int64_t maxt, struct read_memo *m)
{
	struct cols with, without;
	size_t n;

	cols_init(&with);
	cols_init(&without);
	read_one(id, mint, maxt, m, &with);
	read_one(id, mint, maxt, NULL, &without);
	n = with.n;
	ck_assert_uint_eq(with.n, without.n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(with.t[i], without.t[i]);
		ck_assert(with.v[i] == without.v[i]);
	}
	cols_fini(&with);
	cols_fini(&without);
	return n;
}

START_TEST(a_memo_changes_no_answer_in_any_order)
{
	struct read_memo m = {0};

	fill();
	for (int k = 0; k < 6000; k++) {
		int64_t mint = NOW - 5 * DAY + draw(5 * 86400) * INT64_C(1000);

		(void)same(ids[draw(SERIES)], mint, mint + draw(2 * 86400) * INT64_C(1000), &m);
	}
	ck_assert_ptr_nonnull(m.wide); /* the few did not do */
	for (unsigned i = 0; i < SERIES; i++)
		ck_assert_uint_eq(same(ids[i], INT64_MIN, INT64_MAX, &m), ROUNDS * 2);
	read_memo_fini(&m);
}
END_TEST

/* Series that are asked for in advance: known ones, gone ones, more packs than are asked for. */
START_TEST(asking_for_series_in_advance_changes_no_answer)
{
	struct read_memo m = {0};

	fill();
	series_warm(fx.st, ids, WARM_SERIES, INT64_MIN, INT64_MAX, &m); /* knows no directory */
	for (int k = 0; k < 900; k++) {
		int64_t mint = NOW - 5 * DAY + draw(5 * 86400) * INT64_C(1000);
		int64_t maxt = mint + draw(2 * 86400) * INT64_C(1000);
		size_t n = 1 + draw(WARM_SERIES);
		uint32_t some[WARM_SERIES];

		for (size_t i = 0; i < n; i++)
			some[i] = draw(20) == 0 ? draw(2) * UINT32_MAX : ids[draw(SERIES)];
		if (k % 300 == 299) {
			put_all(NOW - 6 * DAY - k, 3, k);
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
		}
		series_warm(fx.st, some, n, mint, maxt, &m);
		ck_assert_uint_le(m.bytes, 2 * MEMO_BYTES);
		for (size_t i = 0; i < n; i++)
			(void)same(some[i], mint, maxt, &m);
	}
	read_memo_fini(&m);
}
END_TEST

START_TEST(a_memo_sees_what_came_between_two_reads)
{
	struct read_memo m = {0};
	size_t want = ROUNDS * 2;

	fill();
	for (int round = 0; round < 6; round++) {
		for (unsigned i = 0; i < SERIES; i += 5)
			ck_assert_uint_eq(same(ids[i], INT64_MIN, INT64_MAX, &m), want);
		switch (round) {
		case 0: put_all(NOW + 1000, 5, 100); break;       /* into memory */
		case 1: put_all(NOW - DAY - 7777, 5, 200); break; /* late, into memory */
		case 2:                                           /* and to the partitions */
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
			want--;
			break;
		case 3: /* a new partition */
			put_all(NOW - 3 * DAY, 5, 300);
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
			break;
		default: /* before and between what is there */
			put_all(NOW - 3 * DAY - round * 1000, 5, 400);
			put_all(NOW - DAY - 33000 * round, 5, 500);
			ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
			want++;
			break;
		}
		want++;
	}
	read_memo_fini(&m);
}
END_TEST

START_TEST(a_memo_holds_little_beside_the_cache)
{
	struct read_memo m = {0};
	size_t n = 0;

	for (unsigned part = 0; part < 10; part++) { /* values that no encoding makes small */
		struct batch *b = batch_new(BATCH_REMOTE_WRITE);

		for (unsigned i = 0; i < SERIES; i++) {
			struct labels ls = fx_series("m", i);

			batch_series_labels(b, ls, labels_hash(ls));
			for (int k = 0; k < 80; k++) {
				seed = seed * UINT64_C(6364136223846793005) +
				       UINT64_C(1442695040888963407);
				batch_float(b,
					NOW - 40000000 + part * 3600000 + k * 1000 + draw(900),
					(double)(int64_t)seed * 1.1, 0);
				n++;
			}
			ids[i] = 0;
			sets[i] = ls;
		}
		ck_assert_uint_eq(fx_submit(b).stored, SERIES * 80);
		ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	}
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < SERIES; i += 13) {
			struct cols c;
			size_t bytes = 0, largest = 0;

			ids[i] = store_find_series(fx.st, sets[i], labels_hash(sets[i]));
			cols_init(&c);
			read_one(ids[i], INT64_MIN, INT64_MAX, &m, &c);
			ck_assert_uint_eq(c.n, 800);
			cols_fini(&c);
			for (size_t k = 0; k < (m.wide != NULL ? 1024u : MEMO_FEW); k++) {
				const struct memo_pack *p = m.wide != NULL ? &m.wide[k] : &m.few[k];

				bytes += p->ref != NULL ? cached_bytes(p->ref) : 0;
				largest =
					MAX_OF(largest, p->ref != NULL ? cached_bytes(p->ref) : 0);
			}
			ck_assert_uint_eq(bytes, m.bytes);
			ck_assert_uint_le(bytes, MEMO_BYTES + largest);
		}
	}
	ck_assert_ptr_nonnull(m.wide);
	ck_assert_uint_gt(n * 8, 2 * MEMO_BYTES); /* else the bound was not met */
	read_memo_fini(&m);
}
END_TEST

/* So many series stand before them that the groups of this partition are not listed by number. */
START_TEST(groups_that_are_few_among_many_are_found_by_search)
{
	enum { BEFORE = 74000, FEW = 40 };
	struct read_memo m = {0};
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);
	struct labels few[FEW];
	struct label *v = ARENA_ARRAY(&fx.arena, BEFORE, struct label);
	struct cached *ref;
	struct pack_dir dir;
	struct part *old = NULL;

	for (unsigned i = 0; i < BEFORE; i++) {
		v[i] = (struct label){STR("n"), arena_printf(&fx.arena, "%u", i)};
		batch_series_labels(
			b, (struct labels){&v[i], 1}, labels_hash((struct labels){&v[i], 1}));
		batch_float(b, NOW, i, 0);
	}
	ck_assert_uint_eq(fx_submit(b).stored, BEFORE);
	b = batch_new(BATCH_REMOTE_WRITE);
	for (unsigned i = 0; i < FEW; i++) {
		few[i] = i % 2 == 0 ? fx_series("few", i) : (struct labels){&v[i * 1310], 1};
		batch_series_labels(b, few[i], labels_hash(few[i]));
		batch_float(b, NOW - 9 * DAY, i, 0);
		batch_float(b, NOW - 9 * DAY + 5, i + 1, 0);
	}
	ck_assert_uint_eq(fx_submit(b).stored, 2 * FEW);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	for (size_t i = 0; i < fx.st->parts.n; i++) {
		if (fx.st->parts.v[i]->start <= NOW - 9 * DAY &&
			fx.st->parts.v[i]->end > NOW - 9 * DAY)
			old = fx.st->parts.v[i];
	}
	ck_assert_ptr_nonnull(old);
	ck_assert_int_eq(pack_cache_dir(&fx.st->cache, old, &ref, &dir, &fx.e), 0);
	ck_assert_ptr_null(dir.first);
	cached_put(ref);
	for (unsigned i = 0; i < FEW; i++) {
		uint32_t id = store_find_series(fx.st, few[i], labels_hash(few[i]));
		struct cols c;

		cols_init(&c);
		read_one(id, NOW - 10 * DAY, NOW - 8 * DAY, &m, &c);
		ck_assert_uint_eq(c.n, 2);
		ck_assert(c.v[0] == i && c.v[1] == i + 1);
		cols_fini(&c);
		(void)same(
			id + 64, NOW - 10 * DAY, NOW - 8 * DAY, &m); /* of another group or none */
	}
	read_memo_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("series_read");
	TCase *tc = tcase_create("series_read");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, fx_teardown);
	tcase_add_test(tc, a_memo_changes_no_answer_in_any_order);
	tcase_add_test(tc, asking_for_series_in_advance_changes_no_answer);
	tcase_add_test(tc, a_memo_sees_what_came_between_two_reads);
	tcase_add_test(tc, a_memo_holds_little_beside_the_cache);
	tcase_add_test(tc, groups_that_are_few_among_many_are_found_by_search);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
