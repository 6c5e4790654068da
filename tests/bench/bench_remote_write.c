/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_remote_write - CPU seconds per million samples of the receiver's part of a remote write:
 * snappy, wire walk, series look-up, batch. The store's writer is not in it. Bodies are shaped like
 * Prometheus's: 2,000 series of ten labels, one sample each, whose cut moves through the series.
 */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/ingest/rw_decode.h"
#include "base/hash.h"
#include "storage/batch.h"
#include "tests/lib/rw_body.h"

#define SERIES    100000
#define PER_BODY  2000
#define ROUNDS    10
#define MAX_LABEL 64

static struct batch *batch;
static uint32_t next_id;

static void on_id(void *ctx, uint32_t id)
{
	(void)ctx;
	batch_series_id(batch, id);
}

/* A store that knows every series at once, by giving it a number. */
static uint32_t on_labels(void *ctx, struct label *v, size_t n, size_t rows)
{
	struct labels ls = {v, n};
	struct err e = {0};

	(void)ctx;
	(void)rows;
	if (!labels_sort(v, &n) || labels_check(ls, true, &e) != 0)
		abort();
	next_id += labels_hash(ls) != 0;
	batch_series_id(batch, next_id);
	return next_id;
}

static void on_sample(void *ctx, int64_t t, double v, int64_t start)
{
	(void)ctx;
	batch_float(batch, t, v, start);
}

static void on_hist(void *ctx, int64_t t, const struct hist *h, int64_t start)
{
	(void)ctx;
	batch_hist(batch, t, h, start);
}

static void on_bad(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
	abort();
}

static void on_exemplars(void *ctx, size_t n)
{
	(void)ctx;
	(void)n;
}

static void on_meta(
	void *ctx, struct str metric, const char *type, struct str help, struct str unit)
{
	(void)ctx;
	batch_metadata(batch, metric, str_c(type), help, unit);
}

static const char *const names[] = {"__name__", "cluster", "container", "endpoint", "instance",
	"job", "namespace", "pod", "service", "status"};

static void value_of(char *out, int label, int series)
{
	switch (label) {
	case 0: snprintf(out, MAX_LABEL, "http_requests_total_%d", series % 50); break;
	case 4:
		snprintf(out, MAX_LABEL, "10.0.%d.%d:9100", series / 256 % 256, series % 256);
		break;
	case 7: snprintf(out, MAX_LABEL, "api-server-7f9c6d5b8-%05d", series); break;
	default: snprintf(out, MAX_LABEL, "%s-%d", names[label], series % 7); break;
	}
}

static struct buf body1(int from, int64_t t)
{
	struct buf b = fresh();
	char value[MAX_LABEL];

	for (int i = 0; i < PER_BODY; i++) {
		struct buf s = fresh();

		for (int k = 0; k < 10; k++) {
			value_of(value, k, (from + i) % SERIES);
			put_label(&s, names[k], value);
		}
		put_sample(&s, from + i, t, 0);
		put_msg(&b, 1, &s);
	}
	return b;
}

/* The index of a symbol, appended when it is new; the table is small enough for a linear look. */
static unsigned symbol(struct buf *body, char (*table)[MAX_LABEL], unsigned *n, const char *text)
{
	unsigned i;

	for (i = 0; i < *n; i++) {
		if (strcmp(table[i], text) == 0)
			return i;
	}
	snprintf(table[(*n)++], MAX_LABEL, "%s", text);
	put_len(body, 4, str_c(text));
	return i;
}

static struct buf body2(int from, int64_t t)
{
	static char table[3 * PER_BODY][MAX_LABEL];
	struct buf b = fresh(), all = fresh();
	char value[MAX_LABEL];
	unsigned n = 0;

	(void)symbol(&b, table, &n, "");
	for (int i = 0; i < PER_BODY; i++) {
		struct buf s = fresh(), refs = fresh();

		for (int k = 0; k < 10; k++) {
			value_of(value, k, (from + i) % SERIES);
			buf_varint(&refs, symbol(&b, table, &n, names[k]));
			buf_varint(&refs, symbol(&b, table, &n, value));
		}
		put_len(&s, 1, buf_view(&refs));
		buf_fini(&refs);
		put_sample(&s, from + i, t, 0);
		put_msg(&all, 5, &s);
	}
	buf_str(&b, buf_view(&all));
	buf_fini(&all);
	return b;
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU seconds for decoding this compressed body once. */
static double decode(int version, struct rw_cache *cache, const struct buf *z, char *plain)
{
	struct arena scratch;
	struct rw_decoder d = {
		.sink = {NULL, on_id, on_labels, on_sample, on_hist, on_bad, on_exemplars, on_meta},
		.cache = cache,
		.scratch = &scratch,
	};
	struct err e = {0};
	double from = cpu_s();
	size_t n = 4 << 20;
	int rc;

	batch = batch_new(BATCH_REMOTE_WRITE);
	arena_init(&scratch, (size_t)64 << 20);
	if (snappy_uncompress(z->p, z->n, plain, &n) != SNAPPY_OK)
		abort();
	rc = version == 2 ? rw_decode2(&d, str_n(plain, n), &e)
			  : rw_decode1(&d, str_n(plain, n), &e);
	if (rc != 0 || batch_rows(batch) != PER_BODY)
		abort();
	arena_fini(&scratch);
	batch_free(batch);
	return cpu_s() - from;
}

static void bench(int version)
{
	enum { BODIES = SERIES / PER_BODY };
	static struct buf z[BODIES];
	struct rw_cache *cache = rw_cache_new(2 * SERIES);
	char *plain = malloc(4 << 20);
	double cold = 0, warm = 0;
	size_t bytes = 0;

	for (int i = 0; i < BODIES; i++) {
		/* cuts that drift, as when the number of series is no multiple of a batch */
		struct buf b = version == 2 ? body2(i * PER_BODY, 1000) : body1(i * PER_BODY, 1000);

		z[i] = snappy_of(buf_view(&b));
		bytes += b.n;
		buf_fini(&b);
	}
	for (int i = 0; i < BODIES; i++)
		cold += decode(version, cache, &z[i], plain);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BODIES; i++)
			warm += decode(version, cache, &z[i], plain);
	}
	printf("remote_write_v%d_cold %.4f cpu_s/Msample\n", version, cold * 1e6 / SERIES);
	printf("remote_write_v%d_warm %.4f cpu_s/Msample\n", version, warm * 1e6 / SERIES / ROUNDS);
	printf("remote_write_v%d_body %.1f bytes/sample\n", version, (double)bytes / SERIES);
	printf("remote_write_v%d_cache %.1f bytes/series\n", version,
		(double)rw_cache_bytes(cache) / SERIES);
	for (int i = 0; i < BODIES; i++)
		buf_fini(&z[i]);
	free(plain);
	rw_cache_free(cache);
}

int main(void)
{
	hash_init();
	bench(1);
	next_id = 0;
	bench(2);
	return 0;
}
