/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture - a store in a fresh directory at an injected time, for tests of the store itself:
 * the parts are open, so that a test can reopen with other options. Any failure ends the test.
 */
#ifndef BELFRY_TESTS_LIB_STORE_FIXTURE_H
#define BELFRY_TESTS_LIB_STORE_FIXTURE_H

#include "storage/store.h"

#define NOW INT64_C(1700000000000)

struct store_fixture {
	char dir[64];
	struct store *st;
	struct store_opts opts;
	struct err e;
	struct arena arena;
};
extern struct store_fixture fx;

void fx_setup(void);
void fx_teardown(void);
void fx_open_store(void);
/* Closes and opens with fx.opts. */
void fx_reopen(void);

/* name{job="x", i="<n>"} in fx.arena */
struct labels fx_series(const char *name, unsigned n);
struct batch *fx_batch_for(struct labels ls, enum batch_source source);
/* Waits for the commit and frees the batch. */
struct batch_result fx_submit(struct batch *b);
struct batch_result fx_put(struct labels ls, int64_t t, double v);
struct store_sel *fx_select_name(const char *name, int64_t mint, int64_t maxt);
struct store_cols fx_fetch(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt);
/* Samples of the metric, at whatever time. */
size_t fx_rows_of(const char *name);

#endif
