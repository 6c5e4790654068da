/* SPDX-License-Identifier: Apache-2.0 */
/* test_store - see test_store.h. */
#include "tests/lib/test_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/f64.h"
#include "base/hash.h"
#include "base/num.h"

static char dir[64];

static struct store *open_there(void)
{
	struct store_opts opts = {.dir = dir,
		.ooo_window_ms = 3600000,
		.max_series = 100000,
		.min_free = 1,
		.commit_ms = 100};
	struct store *s = NULL;
	struct err e = {0};

	if (store_open(&s, &opts, &e) != 0) {
		(void)fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	return s;
}

struct store *test_store_open(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-test-XXXXXX");
	ASSERT(mkdtemp(dir) != NULL);
	hash_init();
	clock_inject(TEST_NOW, 0);
	return open_there();
}

struct store *test_store_reopen(struct store *s)
{
	store_close(s);
	return open_there();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void test_store_close(struct store *s)
{
	int rc;

	store_close(s);
	clock_restore();
	rc = nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	ASSERT(rc == 0);
}

static void dump_series(struct buf *b, struct store_sel *sel, size_t i)
{
	struct store_cols c;
	struct err e;

	labels_print(b, store_sel_labels(sel, i), true);
	ASSERT(store_sel_fetch(sel, i, INT64_MIN / 2, INT64_MAX / 2, &c, &e) == 0);
	for (size_t k = 0; k < c.n; k++) {
		const struct hist *h = c.h != NULL ? c.h[k] : NULL;

		buf_printf(b, " %lld=", (long long)(c.t[k] - TEST_NOW));
		if (is_stale_nan(h != NULL ? h->sum : c.v[k])) {
			buf_c(b, "stale");
		} else if (h != NULL) {
			buf_ch(b, 'h');
			f64_print(b, h->count);
			buf_ch(b, '/');
			f64_print(b, h->sum);
		} else {
			f64_print(b, c.v[k]);
		}
	}
	buf_ch(b, '\n');
}

const char *test_store_dump(struct store *s, const char *metric)
{
	static char text[1 << 16];
	struct store_sel *sel;
	struct matcher m;
	struct arena a;
	struct buf b;
	struct err e;

	arena_init(&a, 64 << 20);
	buf_init(&b, sizeof text - 1);
	ASSERT(matcher_init(&m, MATCH_EQ, LABEL_NAME, str_c(metric), &e) == 0);
	ASSERT(store_select(s, &m, 1, INT64_MIN / 2, INT64_MAX / 2, &a, &sel, &e) == 0);
	for (size_t i = 0; i < store_sel_count(sel); i++)
		dump_series(&b, sel, i);
	store_sel_close(sel);
	matcher_fini(&m);
	arena_fini(&a);
	(void)snprintf(text, sizeof text, "%.*s", (int)b.n, b.p != NULL ? b.p : "");
	buf_fini(&b);
	return text;
}

static void count_fact(struct str key, struct str value, void *arg)
{
	(void)key;
	(void)value;
	++*(unsigned *)arg;
}

unsigned test_store_facts(struct store *s, const char *prefix)
{
	unsigned n = 0;
	struct err e;

	ASSERT(store_state_each(s, str_c(prefix), count_fact, &n, &e) == 0);
	return n;
}
