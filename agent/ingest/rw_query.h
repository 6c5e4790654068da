/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_query - the queries of a remote read request (after snappy):
 *   ReadRequest {repeated Query queries = 1}
 *   Query {start = 1, end = 2 (ms), repeated LabelMatcher matchers = 3}
 *   LabelMatcher {type = 1 (=, !=, =~, !~), name = 2, value = 3}
 * Which kinds of answer the sender takes (2) is not read: samples are always among them.
 */
#ifndef BELFRY_AGENT_INGEST_RW_QUERY_H
#define BELFRY_AGENT_INGEST_RW_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/matcher.h"

#define RW_QUERIES_MAX  16u
#define RW_MATCHERS_MAX 64u

struct rw_query {
	int64_t from_ms, to_ms; /* both belong to it */
	struct matcher m[RW_MATCHERS_MAX];
	size_t n; /* at least one */
};

/* Calls fn for each query, in order, until it fails. Texts in a; the query lives during the call.
 * ERR_INPUT: what is wrong with the request. */
int rw_queries(struct str body, struct arena *a,
	int (*fn)(void *ctx, const struct rw_query *q, struct err *e), void *ctx,
	struct err *e) MUST_CHECK;

#endif
