/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_read - Prometheus's remote read, answered with samples: what is stored, as it is stored, with
 * staleness marks and native histograms. `belfry backtest --url` lives on it.
 *
 * On a query worker. Body and answer are protobuf under snappy:
 *   ReadRequest {repeated Query queries = 1}
 *   Query {start = 1, end = 2 (ms), repeated LabelMatcher matchers = 3}
 *   LabelMatcher {type = 1 (=, !=, =~, !~), name = 2, value = 3}
 *   ReadResponse {repeated QueryResult results = 1}, QueryResult {repeated TimeSeries = 1}
 */
#include <snappy-c.h>
#include <stdlib.h>

#include "agent/api.h"
#include "agent/ingest/rw_encode.h"
#include "agent/ingest/rw_wire.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"

#define REQUEST_BYTES ((size_t)4 << 20)
#define ANSWER_BYTES  ((size_t)32 << 20) /* before snappy */
#define QUERIES_MAX   16u
#define MATCHERS_MAX  64u

struct ask {
	int64_t from_ms, to_ms;
	struct matcher m[MATCHERS_MAX]; /* the first n are to be ended */
	size_t n;
};

struct reading {
	struct http_req *r;
	struct store *store;
	struct arena a;
	struct buf answer, result, scratch;
	uint64_t samples, max_samples;
	int64_t deadline_ms;
};

static int malformed(struct err *e)
{
	return err_set(e, ERR_INPUT, 400, "malformed protobuf");
}

static int read_matcher(struct rd in, struct ask *q, struct arena *a, struct err *e)
{
	static const enum matcher_op ops[] = {MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE};
	struct str name = STR(""), value = STR("");
	uint64_t type = 0;
	uint32_t tag;

	while ((tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			type = rd_varint(&in);
		else if (tag == WIRE_TAG(2, WIRE_LEN))
			name = wire_bytes(&in);
		else if (tag == WIRE_TAG(3, WIRE_LEN))
			value = wire_bytes(&in);
		else
			wire_other(&in, tag, 3);
	}
	if (in.bad)
		return malformed(e);
	if (type >= ARRAY_LEN(ops) || name.n == 0 || q->n == MATCHERS_MAX)
		return err_set(e, ERR_INPUT, 400,
			"a matcher of an unknown type or without a name, or more than %u",
			MATCHERS_MAX);
	if (matcher_init(&q->m[q->n], ops[type], arena_str(a, name), arena_str(a, value), e) != 0) {
		e->code = 400;
		return -1;
	}
	q->n++;
	return a->failed ? err_set(e, ERR_LIMIT, 0, "out of memory") : 0;
}

static int read_query(struct rd in, struct ask *q, struct arena *a, struct err *e)
{
	uint32_t tag;

	while ((tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			q->from_ms = (int64_t)rd_varint(&in);
		else if (tag == WIRE_TAG(2, WIRE_VARINT))
			q->to_ms = (int64_t)rd_varint(&in);
		else if (tag != WIRE_TAG(3, WIRE_LEN))
			wire_other(&in, tag, 3);
		else if (read_matcher(rd_of(wire_bytes(&in)), q, a, e) != 0)
			return -1;
	}
	if (in.bad)
		return malformed(e);
	if (q->n == 0 || q->from_ms > q->to_ms)
		return err_set(
			e, ERR_INPUT, 400, "a query without matchers, or an end before the start");
	return 0;
}

/* --- the answer --- */

static int check_bounds(struct reading *x, size_t more, struct err *e)
{
	x->samples += more;
	if (x->samples > x->max_samples)
		return err_set(e, ERR_LIMIT, 0,
			"more than %llu samples (query.max_samples): ask for less time",
			(unsigned long long)x->max_samples);
	if (clock_mono_ms() > x->deadline_ms || atomic_load(http_req_cancelled(x->r)))
		return err_set(e, ERR_CANCEL, 0, "reading took longer than query.timeout");
	return 0;
}

static int put_series(struct reading *x, struct store_sel *sel, const struct ask *q, struct err *e)
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

static int answer_query(struct reading *x, struct rd msg, struct err *e)
{
	struct ask *q = calloc(1, sizeof *q);
	struct store_sel *sel;
	int rc = -1;

	if (q == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (read_query(msg, q, &x->a, e) == 0 &&
		store_select(x->store, q->m, q->n, q->from_ms, q->to_ms, &x->a, &sel, e) == 0) {
		buf_reset(&x->result);
		rc = put_series(x, sel, q, e);
		store_sel_close(sel);
	}
	for (size_t i = 0; i < q->n; i++)
		matcher_fini(&q->m[i]);
	free(q);
	if (rc == 0)
		rw_encode_bytes(&x->answer, 1, buf_view(&x->result));
	if (rc == 0 && x->answer.failed)
		return err_set(e, ERR_LIMIT, 0,
			"the answer is larger than %zu MiB: ask for less time", ANSWER_BYTES >> 20);
	return rc;
}

static int answer_all(struct reading *x, struct str body, struct err *e)
{
	struct rd r = rd_of(body);
	size_t n = 0;
	uint32_t tag;

	while ((tag = wire_tag(&r)) != 0) {
		if (tag != WIRE_TAG(1, WIRE_LEN)) {
			wire_skip(
				&r, tag); /* which kinds of answer are taken: samples always are */
			continue;
		}
		if (n++ == QUERIES_MAX)
			return err_set(e, ERR_INPUT, 400, "more than %u queries", QUERIES_MAX);
		if (answer_query(x, rd_of(wire_bytes(&r)), e) != 0)
			return -1;
	}
	return r.bad ? malformed(e) : 0;
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

static void reply(struct reading *x, struct str body)
{
	struct err e = {0};

	if (answer_all(x, body, &e) != 0) {
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
	struct reading x = {.r = r,
		.store = app->store,
		.max_samples = c->query_max_samples,
		.deadline_ms = i64_add_sat(clock_mono_ms(), c->query_timeout_ms)};
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
		reply(&x, str_n(body, n));
		buf_fini(&x.answer);
		buf_fini(&x.result);
		buf_fini(&x.scratch);
		free(body);
	}
	arena_fini(&x.a);
}
