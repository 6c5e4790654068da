/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_read - Prometheus's remote read, answered with samples: what is stored, as it is stored, with
 * staleness marks and native histograms. `belfry backtest --url` lives on it.
 *
 * On a query worker. Body and answer are protobuf under snappy: rw_query.h, and
 *   ReadResponse {repeated QueryResult results = 1}, QueryResult {repeated TimeSeries = 1}
 */
#include <snappy-c.h>
#include <stdlib.h>

#include "agent/api.h"
#include "agent/ingest/rw_encode.h"
#include "agent/ingest/rw_query.h"
#include "base/limits.h"

#define REQUEST_BYTES ((size_t)4 << 20)
#define ANSWER_BYTES  ((size_t)32 << 20) /* before snappy */

struct reading {
	struct http_req *r;
	struct store *store;
	struct arena a;
	struct buf answer, result, scratch;
	uint64_t samples, max_samples;
};

/* --- the answer --- */

static int check_bounds(struct reading *x, size_t more, struct err *e)
{
	x->samples += more;
	if (x->samples > x->max_samples)
		return err_set(e, ERR_LIMIT, 0,
			"more than %llu samples (query.max_samples): ask for less time",
			(unsigned long long)x->max_samples);
	return stop_check(e);
}

static int put_series(
	struct reading *x, struct store_sel *sel, const struct rw_query *q, struct err *e)
{
	for (size_t i = 0; i < store_sel_count(sel); i++) {
		struct store_cols c;

		if (store_sel_fetch(sel, i, q->from_ms, q->to_ms, &c, e) != 0 ||
			check_bounds(x, c.n, e) != 0)
			return -1;
		if (c.n > 0)
			rw_encode_series(&x->result, 1, store_sel_labels(sel, i), &c, &x->scratch);
		if (x->result.failed)
			return err_set(e, ERR_LIMIT, 0,
				"the answer is larger than %zu MiB: ask for less time",
				ANSWER_BYTES >> 20);
	}
	return 0;
}

static int answer_query(void *ctx, const struct rw_query *q, struct err *e)
{
	struct reading *x = ctx;
	struct store_sel *sel;
	int rc;

	if (store_select(x->store, q->m, q->n, q->from_ms, q->to_ms, &x->a, &sel, e) != 0)
		return -1;
	buf_reset(&x->result);
	rc = put_series(x, sel, q, e);
	store_sel_close(sel);
	if (rc != 0)
		return -1;
	rw_encode_bytes(&x->answer, 1, buf_view(&x->result));
	if (x->answer.failed)
		return err_set(e, ERR_LIMIT, 0,
			"the answer is larger than %zu MiB: ask for less time", ANSWER_BYTES >> 20);
	return 0;
}

/* The reply's body is what snappy makes of the answer. */
static bool compress(struct reading *x)
{
	struct buf *out = http_resp_body(x->r);
	size_t n = snappy_max_compressed_length(x->answer.n);
	char *p;

	buf_reset(out);
	p = buf_reserve(out, n);
	if (p == NULL || snappy_compress(x->answer.p != NULL ? x->answer.p : "", x->answer.n, p,
				 &n) != SNAPPY_OK)
		return false;
	out->n += n;
	return true;
}

static void reply(struct reading *x, const struct stop *stop, struct str body)
{
	const struct stop *before = stop_begin(stop);
	struct err e = {0};
	int rc = rw_queries(body, &x->a, answer_query, x, &e);

	stop_end(before);
	if (rc != 0) {
		if (e.kind == ERR_INPUT)
			http_reply_error(x->r, "bad_data", "%s", e.msg);
		else
			api_fail(x->r, &e);
	} else if (!compress(x)) {
		http_reply_error(x->r, "execution", "the answer is too large: ask for less time");
	} else {
		http_resp_header(x->r, "Content-Type", STR("application/x-protobuf"));
		http_resp_header(x->r, "Content-Encoding", STR("snappy"));
		http_finish(x->r);
	}
}

void api_read(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct config *c = app_config_get(app);
	struct reading x = {.r = r, .store = app->store, .max_samples = c->query_max_samples};
	const struct stop stop = api_stop(r, app);
	struct str packed = http_req_body(r);
	size_t n = 0;
	char *body;

	arena_init(&x.a, (size_t)c->query_max_memory);
	app_config_put(app, c);
	if (snappy_uncompressed_length(packed.p, packed.n, &n) != SNAPPY_OK || n > REQUEST_BYTES ||
		(body = malloc(n + 1)) == NULL) {
		http_reply_error(r, "bad_data", "the body is not snappy, or too large");
	} else if (snappy_uncompress(packed.p, packed.n, body, &n) != SNAPPY_OK) {
		http_reply_error(r, "bad_data", "the body is not snappy");
		free(body);
	} else {
		buf_init(&x.answer, ANSWER_BYTES);
		buf_init(&x.result, ANSWER_BYTES);
		buf_init(&x.scratch, ANSWER_BYTES);
		reply(&x, &stop, str_n(body, n));
		buf_fini(&x.answer);
		buf_fini(&x.result);
		buf_fini(&x.scratch);
		free(body);
	}
	arena_fini(&x.a);
}
