/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_oracle - a remote write body as canonical text, once by belfry's wire walk and once by
 * protobuf-c: what both write must be equal. For the differential test and the fuzz target.
 */
#ifndef BELFRY_TESTS_LIB_RW_ORACLE_H
#define BELFRY_TESTS_LIB_RW_ORACLE_H

#include <stdbool.h>

#include "agent/ingest/rw_cache.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Series the test's store knows by their labels' text: ids from 1. */
struct rw_known {
	struct arena *a;
	struct str *names;
	size_t n, cap;
};

/* False: undecodable. rows: series with their samples, then their histograms; meta: metadata.
 * cache and known may be NULL: every series is then new each time. */
bool rw_text_ours(int version, struct str body, struct rw_cache *cache, struct rw_known *known,
	struct buf *rows, struct buf *meta);
bool rw_text_oracle(int version, struct str body, struct buf *rows, struct buf *meta);
/* Decodes both ways, then three times with one cache, and aborts when anything differs. True when
 * the body was decodable. */
bool rw_compare(int version, struct str body);

#endif
