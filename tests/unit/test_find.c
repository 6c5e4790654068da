/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From matchers to series: whatever way a search takes (postings met with postings, literals of a
 * regular expression, all values of a label, all series), it finds what looking at each series
 * finds.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/stop.h"
#include "storage/find.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/suite.h"

enum { SERIES = 4500, ROUNDS = 500 }; /* several slices of a search */

static struct labels sets[SERIES];
static int64_t times[SERIES];
static uint32_t ids[SERIES]; /* 0: forgotten */
static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

/* Labels in order of their names; some are absent, one value is rare. */
static struct labels random_set(unsigned i)
{
	struct label *v = ARENA_ARRAY(&fx.arena, 5, struct label);
	size_t n = 0;

	v[n++] = (struct label){LABEL_NAME, arena_printf(&fx.arena, "m%u", draw(4))};
	if (draw(10) > 2)
		v[n++] = (struct label){STR("a"), arena_printf(&fx.arena, "v%u", draw(6))};
	if (draw(10) > 4)
		v[n++] = (struct label){STR("b"), arena_printf(&fx.arena, "%u", draw(40))};
	v[n++] = (struct label){STR("id"), arena_printf(&fx.arena, "%u", i)};
	if (draw(50) == 0)
		v[n++] = (struct label){STR("rare"), STR("yes")};
	return (struct labels){v, n};
}

/* So long that a search lets go of the lock after some tens of values. */
static const char *long_pattern(void)
{
	static char text[16384];
	size_t n = 0;

	if (text[0] == '\0') {
		n += (size_t)snprintf(text, sizeof text, "v[0-2]|.*7");
		while (n + 40 < sizeof text)
			n += (size_t)snprintf(text + n, sizeof text - n, "|host-%zu[.]example", n);
	}
	return text;
}

static void random_matcher(struct matcher *m)
{
	static const char *const names[] = {"__name__", "a", "b", "id", "rare", "none"};
	static const char *const values[] = {"", "m1", "v3", "7", "17", "yes", "nothing"};
	static const char *const patterns[] = {"", ".*", ".+", "m1|m2", "v.*", "v[0-3]", "|v1",
		"7|17|27", "(?i)M3", "1.*", ".*7", "yes|no", "v1|v1|v1", "m(1|2)", "^v2$", "x|",
		"[^v].*", "99|98|v5|m0|yes"};
	enum matcher_op op =
		(enum matcher_op[]){MATCH_EQ, MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE}[draw(5)];
	unsigned at = draw(ARRAY_LEN(patterns) + 1);
	const char *pattern = at < ARRAY_LEN(patterns) ? patterns[at] : long_pattern();
	const char *value =
		op == MATCH_EQ || op == MATCH_NE ? values[draw(ARRAY_LEN(values))] : pattern;

	ck_assert_int_eq(
		matcher_init(m, op, str_c(names[draw(ARRAY_LEN(names))]), str_c(value), &fx.e), 0);
}

static void look_up(void)
{
	for (unsigned i = 0; i < SERIES; i++)
		ids[i] = store_find_series(fx.st, sets[i], labels_hash(sets[i]));
}

static void fill(uint64_t with)
{
	struct batch *b = batch_new(BATCH_REMOTE_WRITE);

	seed = with;
	for (unsigned i = 0; i < SERIES; i++) {
		sets[i] = random_set(i);
		times[i] = NOW - draw(3000) * 1000;
		batch_series_labels(b, sets[i], labels_hash(sets[i]));
		batch_float(b, times[i], i, 0);
	}
	ck_assert_uint_eq(fx_submit(b).stored, SERIES);
	look_up();
}

/* What the search finds is, in ascending order, what looking at each series finds; a series may be
 * found though its samples lie a little outside. Returns how many. */
static size_t compare(const struct matcher *m, size_t n, int64_t mint, int64_t maxt)
{
	struct id_list got;
	size_t at = 0;

	ck_assert_int_eq(find_series(fx.st, m, n, mint, maxt, &got, &fx.e), 0);
	for (size_t i = 1; i < got.n; i++)
		ck_assert_uint_lt(got.v[i - 1], got.v[i]);
	for (unsigned i = 0; i < SERIES; i++) {
		uint32_t id = ids[i];
		bool match = matchers_match(m, n, sets[i]), found;

		while (at < got.n && got.v[at] < id)
			at++;
		found = id != 0 && at < got.n && got.v[at] == id;
		if (id != 0 && match && times[i] >= mint && times[i] <= maxt)
			ck_assert(found);
		if (found)
			ck_assert(match);
		if (found && (mint > times[i] || maxt < times[i]))
			ck_assert(llabs(times[i] - (mint > times[i] ? mint : maxt)) < 3600000);
	}
	at = got.n;
	free(got.v);
	return at;
}

static void random_searches(unsigned rounds)
{
	size_t hits = 0;

	for (unsigned k = 0; k < rounds; k++) {
		struct matcher m[5];
		size_t n = draw(6);
		int64_t mint = INT64_MIN, maxt = INT64_MAX;

		for (size_t i = 0; i < n; i++)
			random_matcher(&m[i]);
		if (draw(3) == 0) {
			mint = NOW - draw(3000) * 1000;
			maxt = mint + draw(1000) * 1000;
		}
		hits += compare(m, n, mint, maxt) > 0;
		for (size_t i = 0; i < n; i++)
			matcher_fini(&m[i]);
	}
	ck_assert_uint_gt(hits, rounds / 8); /* or nothing was tried */
}

START_TEST(random_matchers_find_what_each_series_says)
{
	fill(11);
	random_searches(ROUNDS);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	random_searches(ROUNDS / 10);
	fx_reopen();
	look_up();
	random_searches(ROUNDS / 10);
}
END_TEST

START_TEST(equalities_meet_in_postings_however_long_they_are)
{
	struct matcher m[3];

	fill(5);
	for (unsigned name = 0; name < 4; name++) {
		for (unsigned a = 0; a < 6; a++) {
			for (unsigned b = 0; b < 40; b += 13) {
				ck_assert_int_eq(
					matcher_init(&m[0], MATCH_EQ, LABEL_NAME,
						arena_printf(&fx.arena, "m%u", name), &fx.e),
					0);
				ck_assert_int_eq(matcher_init(&m[1], MATCH_EQ, STR("a"),
							 arena_printf(&fx.arena, "v%u", a), &fx.e),
					0);
				ck_assert_int_eq(matcher_init(&m[2], MATCH_EQ, STR("b"),
							 arena_printf(&fx.arena, "%u", b), &fx.e),
					0);
				(void)compare(m, 3, INT64_MIN, INT64_MAX);
			}
		}
	}
	/* one label cannot have two values */
	m[0] = (struct matcher){.op = MATCH_EQ, .name = STR("a"), .value = STR("v1")};
	m[1] = (struct matcher){.op = MATCH_EQ, .name = STR("a"), .value = STR("v2")};
	ck_assert_uint_eq(compare(m, 2, INT64_MIN, INT64_MAX), 0);
}
END_TEST

START_TEST(series_that_come_and_go_are_found_and_not)
{
	struct matcher m[2] = {{.op = MATCH_EQ, .name = LABEL_NAME, .value = STR("m1")},
		{.op = MATCH_EQ, .name = STR("new"), .value = STR("x")}};
	struct label late[] = {{LABEL_NAME, STR("m1")}, {STR("new"), STR("x")}};
	struct labels set = {late, 2};

	fill(3);
	ck_assert_uint_eq(compare(m, 2, INT64_MIN, INT64_MAX), 0);
	ck_assert_uint_eq(fx_put(set, NOW, 1).stored, 1);
	ck_assert_uint_eq(compare(m, 2, INT64_MIN, INT64_MAX), 1);
	ck_assert_uint_gt(compare(m, 1, INT64_MIN, INT64_MAX), 100);
	ck_assert_int_eq(store_flush(fx.st, &fx.e), 0);
	/* all of them are forgotten but what ticks: postings shrink, pairs stay */
	fx.opts.retention_ms = 86400000;
	store_reconfigure(fx.st, &fx.opts);
	for (int i = 1; i <= 4; i++) {
		int64_t now =
			NOW +
			(i == 1 ? 3700000 : INT64_C(3) * 86400000 * (i > 2) + 3702000 + i * 100000);

		clock_inject(now, 0);
		ck_assert_uint_eq(fx_put(set, now, i).stored, 1);
		for (int k = 0; k < 3; k++)
			(void)fx_submit(batch_new(BATCH_SELF));
	}
	look_up();
	ck_assert_uint_eq(ids[0], 0);
	ck_assert_uint_eq(compare(m, 2, INT64_MIN, INT64_MAX), 1);
	ck_assert_uint_eq(compare(m, 1, INT64_MIN, INT64_MAX), 1);
}
END_TEST

START_TEST(a_search_ends_when_asked_to_stop)
{
	atomic_bool cancel = true;
	const struct stop stop = {.cancel = &cancel}, late = {.deadline_mono_ms = 1};
	const struct stop *const both[] = {&stop, &late};
	struct str *values;
	struct store_sel *sel;
	struct matcher m[2];
	struct id_list list;
	size_t n;

	fill(9);
	ck_assert_int_eq(matcher_init(&m[0], MATCH_RE, STR("id"), STR(".*7.*"), &fx.e), 0);
	ck_assert_int_eq(matcher_init(&m[1], MATCH_EQ, LABEL_NAME, STR("m1"), &fx.e), 0);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		const struct stop *before = stop_begin(both[i]);

		for (size_t k = 0; k < 3; k++) { /* all series, values of a label, postings */
			ck_assert_int_eq(find_series(fx.st, m + (k == 2), k == 0 ? 0 : 1, INT64_MIN,
						 INT64_MAX, &list, &fx.e),
				-1);
			ck_assert_int_eq(fx.e.kind, ERR_CANCEL);
			ck_assert_int_eq(fx.e.code, i == 0 ? ECANCELED : ETIMEDOUT);
		}
		ck_assert_int_eq(
			store_select(fx.st, m, 2, INT64_MIN, INT64_MAX, &fx.arena, &sel, &fx.e),
			-1);
		ck_assert_int_eq(store_label_values(fx.st, STR("id"), NULL, 0, INT64_MIN, INT64_MAX,
					 0, &fx.arena, &values, &n, &fx.e),
			-1);
		ck_assert_int_eq(fx.e.kind, ERR_CANCEL);
		stop_end(before);
	}
	cancel = false;
	ck_assert_uint_gt(compare(m, 2, INT64_MIN, INT64_MAX), 100);
	matcher_fini(&m[0]);
	matcher_fini(&m[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("find");
	TCase *tc = tcase_create("find");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, random_matchers_find_what_each_series_says);
	tcase_add_test(tc, equalities_meet_in_postings_however_long_they_are);
	tcase_add_test(tc, series_that_come_and_go_are_found_and_not);
	tcase_add_test(tc, a_search_ends_when_asked_to_stop);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
