/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of partitions: what was read once is found again, a commit makes a directory stale, and
 * the memory is bounded.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/codec.h"
#include "storage/pack.h"
#include "storage/pack_cache.h"
#include "tests/lib/suite.h"

static char dir[64];
static struct parts parts;
static struct part *part;
static struct pack_cache cache;

static void setup(void)
{
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-cache-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(parts_open(&parts, dir, 0, &e), 0);
	part = part_create(&parts, 0, 0, &e);
	ck_assert_msg(part != NULL, "%s", e.msg);
	parts_insert(&parts, part);
	pack_cache_init(&cache);
}

static void teardown(void)
{
	char command[128];

	pack_cache_fini(&cache);
	parts_close_writers(&parts, true);
	parts_close(&parts);
	(void)snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* A pack of one group: `series` chunks of one byte each, padded to `bytes`. */
static void put(uint32_t grp, unsigned series, size_t bytes)
{
	struct pack_writer w;
	struct buf blob;
	struct err e;
	char *fill = calloc(1, bytes);

	ck_assert_ptr_nonnull(fill);
	pack_init(&w);
	buf_init(&blob, (size_t)64 << 20);
	for (unsigned i = 0; i < series; i++)
		pack_add(&w, (grp << PART_SHIFT) + i, 1000, 2000, str_n(fill, bytes));
	ck_assert(pack_finish(&w, &blob));
	ck_assert_int_eq(part_begin(part, &e), 0);
	ck_assert_int_eq(part_insert(part, grp, 1, 1000, 2000, buf_view(&blob), &e), 0);
	ck_assert_int_eq(part_commit(part, &e), 0);
	buf_fini(&blob);
	pack_fini(&w);
	free(fill);
}

START_TEST(a_commit_is_seen_by_the_next_directory)
{
	struct cached *ref;
	struct pack_dir d;
	struct err e;

	put(3, 2, 10);
	ck_assert_int_eq(pack_cache_dir(&cache, part, &ref, &d, &e), 0);
	ck_assert_uint_eq(d.n, 1);
	ck_assert_uint_eq(d.v[0].grp, 3);
	cached_put(ref);
	put(1, 2, 10);
	ck_assert_int_eq(pack_cache_dir(&cache, part, &ref, &d, &e), 0);
	ck_assert_uint_eq(d.n, 2);
	ck_assert_uint_eq(d.v[0].grp, 1); /* by group */
	ck_assert_int_eq(d.v[0].row, 2);
	cached_put(ref);
}
END_TEST

START_TEST(a_pack_is_read_once_and_lives_while_it_is_held)
{
	struct cached *one, *two;
	struct cached_pack a, b;
	struct err e;

	put(0, 5, 100);
	ck_assert_int_eq(pack_cache_pack(&cache, part, 1, &one, &a, &e), 0);
	ck_assert_int_eq(pack_cache_pack(&cache, part, 1, &two, &b, &e), 0);
	ck_assert_ptr_eq(one, two);
	ck_assert_uint_eq(a.n, 5);
	ck_assert_uint_eq(a.v[4].series, 4);
	ck_assert_uint_eq(a.v[4].len, 100);
	cached_put(two);
	pack_cache_fini(&cache); /* the reference keeps it */
	ck_assert_uint_eq(a.v[0].len, 100);
	cached_put(one);
	pack_cache_init(&cache);
}
END_TEST

START_TEST(memory_is_bounded_and_the_oldest_go)
{
	struct cached *ref;
	struct cached_pack k;
	struct err e;

	for (uint32_t g = 0; g < 300; g++) {
		put(g, 1, (size_t)512 << 10);
		ck_assert_int_eq(pack_cache_pack(&cache, part, g + 1, &ref, &k, &e), 0);
		cached_put(ref);
		ck_assert_uint_le(pack_cache_bytes(&cache), PACK_CACHE_BYTES);
	}
	ck_assert_uint_gt(pack_cache_bytes(&cache), PACK_CACHE_BYTES / 2);
}
END_TEST

START_TEST(what_is_too_large_to_keep_and_what_is_gone_are_answered)
{
	struct cached *ref;
	struct cached_pack k;
	struct err e;

	put(0, 1, (size_t)8 << 20);
	ck_assert_int_eq(pack_cache_pack(&cache, part, 1, &ref, &k, &e), 0);
	ck_assert_uint_eq(k.v[0].len, (size_t)8 << 20);
	cached_put(ref);
	ck_assert_uint_eq(pack_cache_bytes(&cache), 0);
	ck_assert_int_ne(pack_cache_pack(&cache, part, 99, &ref, &k, &e), 0);
	ck_assert_int_eq(e.kind, ERR_CORRUPT);
}
END_TEST

/* One chunk a series and a bit each, several chunks of one, bits that several share. */
START_TEST(chunks_of_a_series_are_found_whatever_the_pack_holds)
{
	static const uint32_t packs[][6] = {{64, 65, 70, 90, 126, 127}, {64, 64, 64, 70, 70, 127},
		{1, 64, 65, 128, 129, 200}, {63, 64, 127, 128, 191, 192}, {1, 62, 64, 70, 90, 130}};

	for (size_t p = 0; p < ARRAY_LEN(packs); p++) {
		struct cached_chunk v[6] = {{0}};
		struct cached_pack k = {.v = v, .n = ARRAY_LEN(v)};

		for (size_t i = 0; i < k.n; i++) {
			v[i].series = packs[p][i];
			k.ids |= pack_id_bit(packs[p][i]);
		}
		k.single = (size_t)__builtin_popcountll(k.ids) == k.n;
		for (uint32_t id = 0; id < 260; id++) {
			size_t want = 0, got = pack_find(&k, id);

			while (want < k.n && v[want].series < id)
				want++;
			if (want < k.n && v[want].series == id)
				ck_assert_uint_eq(got, want);
			else
				ck_assert(got == k.n || v[got].series != id);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pack_cache");
	TCase *tc = tcase_create("pack_cache");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_commit_is_seen_by_the_next_directory);
	tcase_add_test(tc, a_pack_is_read_once_and_lives_while_it_is_held);
	tcase_add_test(tc, chunks_of_a_series_are_found_whatever_the_pack_holds);
	tcase_add_test(tc, memory_is_bounded_and_the_oldest_go);
	tcase_add_test(tc, what_is_too_large_to_keep_and_what_is_gone_are_answered);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
