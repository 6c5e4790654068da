/* SPDX-License-Identifier: Apache-2.0 */
/* rw_query - see rw_query.h. */
#include "agent/ingest/rw_query.h"

#include <stdlib.h>

#include "agent/ingest/rw_wire.h"
#include "base/assert.h"
#include "base/num.h"

static int malformed(struct err *e)
{
	return err_set(e, ERR_INPUT, 400, "malformed protobuf");
}

static int read_matcher(struct rd in, struct rw_query *q, struct arena *a, struct err *e)
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
	if (type >= ARRAY_LEN(ops) || name.n == 0 || q->n == RW_MATCHERS_MAX)
		return err_set(e, ERR_INPUT, 400,
			"a matcher of an unknown type or without a name, or more than %u",
			RW_MATCHERS_MAX);
	if (matcher_init(&q->m[q->n], ops[type], arena_str(a, name), arena_str(a, value), e) != 0) {
		e->code = 400;
		return -1;
	}
	q->n++;
	return a->failed ? err_set(e, ERR_LIMIT, 0, "out of memory") : 0;
}

static int matcher_field(struct rd *in, struct rw_query *q, struct arena *a, struct err *e)
{
	struct str msg = wire_bytes(in);

	return in->bad ? malformed(e) : read_matcher(rd_of(msg), q, a, e);
}

static int read_query(struct rd in, struct rw_query *q, struct arena *a, struct err *e)
{
	uint32_t tag;

	while ((tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			q->from_ms = (int64_t)rd_varint(&in);
		else if (tag == WIRE_TAG(2, WIRE_VARINT))
			q->to_ms = (int64_t)rd_varint(&in);
		else if (tag != WIRE_TAG(3, WIRE_LEN))
			wire_other(&in, tag, 3);
		else if (matcher_field(&in, q, a, e) != 0)
			return -1;
	}
	if (in.bad)
		return malformed(e);
	if (q->n == 0 || q->from_ms > q->to_ms)
		return err_set(
			e, ERR_INPUT, 400, "a query without matchers, or an end before the start");
	return 0;
}

static int one(struct rd msg, struct arena *a,
	int (*fn)(void *ctx, const struct rw_query *q, struct err *e), void *ctx, struct err *e)
{
	struct rw_query *q = calloc(1, sizeof *q);
	int rc;

	ASSERT(msg.p != NULL); /* a part of the body, if an empty one */
	if (q == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	rc = read_query(msg, q, a, e);
	if (rc == 0)
		rc = fn(ctx, q, e);
	for (size_t i = 0; i < q->n; i++)
		matcher_fini(&q->m[i]);
	free(q);
	return rc;
}

int rw_queries(struct str body, struct arena *a,
	int (*fn)(void *ctx, const struct rw_query *q, struct err *e), void *ctx, struct err *e)
{
	struct rd r = rd_of(body);
	size_t n = 0;
	uint32_t tag;

	while ((tag = wire_tag(&r)) != 0) {
		struct str msg;

		if (tag != WIRE_TAG(1, WIRE_LEN)) {
			wire_skip(&r, tag);
			continue;
		}
		if (n++ == RW_QUERIES_MAX)
			return err_set(e, ERR_INPUT, 400, "more than %u queries", RW_QUERIES_MAX);
		msg = wire_bytes(&r);
		if (!r.bad && one(rd_of(msg), a, fn, ctx, e) != 0)
			return -1;
	}
	return r.bad ? malformed(e) : 0;
}
