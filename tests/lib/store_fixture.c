/* SPDX-License-Identifier: Apache-2.0 */
/* store_fixture - see the header. */
#include "tests/lib/store_fixture.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct store_fixture fx;

void fx_open_store(void)
{
	if (store_open(&fx.st, &fx.opts, &fx.e) != 0)
		ck_abort_msg("%s", fx.e.msg);
}

void fx_reopen(void)
{
	store_close(fx.st);
	fx_open_store();
}

void fx_setup(void)
{
	(void)snprintf(fx.dir, sizeof fx.dir, "/tmp/belfry-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fx.dir));
	fx.opts = (struct store_opts){.dir = fx.dir,
		.ooo_window_ms = 3600000,
		.max_series = 100000,
		.min_free = 1,
		.commit_ms = 100};
	clock_inject(NOW, 0);
	arena_init(&fx.arena, (size_t)256 << 20);
	fx_open_store();
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

void fx_teardown(void)
{
	store_close(fx.st);
	arena_fini(&fx.arena);
	clock_restore();
	ck_assert_int_eq(nftw(fx.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* name{job="x", i="<n>"} */
struct labels fx_series(const char *name, unsigned n)
{
	struct label *v = ARENA_ARRAY(&fx.arena, 3, struct label);

	v[0] = (struct label){LABEL_NAME, arena_str(&fx.arena, str_c(name))};
	v[1] = (struct label){STR("i"), arena_printf(&fx.arena, "%u", n)};
	v[2] = (struct label){STR("job"), STR("x")};
	return (struct labels){v, 3};
}

struct batch *fx_batch_for(struct labels ls, enum batch_source source)
{
	struct batch *b = batch_new(source);

	batch_series_labels(b, ls, labels_hash(ls));
	return b;
}

struct batch_result fx_submit(struct batch *b)
{
	struct batch_result r;

	if (store_submit_wait(fx.st, b, &fx.e) != 0)
		ck_abort_msg("%s", fx.e.msg);
	r = *batch_result(b);
	batch_free(b);
	return r;
}

struct batch_result fx_put(struct labels ls, int64_t t, double v)
{
	struct batch *b = fx_batch_for(ls, BATCH_REMOTE_WRITE);

	batch_float(b, t, v, 0);
	return fx_submit(b);
}

struct store_sel *fx_select_name(const char *name, int64_t mint, int64_t maxt)
{
	struct matcher m;
	struct store_sel *sel;

	ck_assert_int_eq(matcher_init(&m, MATCH_EQ, LABEL_NAME, str_c(name), &fx.e), 0);
	if (store_select(fx.st, &m, 1, mint, maxt, &fx.arena, &sel, &fx.e) != 0)
		ck_abort_msg("%s", fx.e.msg);
	matcher_fini(&m);
	return sel;
}

struct store_cols fx_fetch(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt)
{
	struct store_cols c;

	if (store_sel_fetch(sel, i, mint, maxt, &c, &fx.e) != 0)
		ck_abort_msg("%s", fx.e.msg);
	return c;
}

size_t fx_rows_of(const char *name)
{
	struct store_sel *sel = fx_select_name(name, INT64_MIN, INT64_MAX);
	size_t n = 0;

	for (size_t i = 0; i < store_sel_count(sel); i++)
		n += fx_fetch(sel, i, INT64_MIN, INT64_MAX).n;
	store_sel_close(sel);
	return n;
}
