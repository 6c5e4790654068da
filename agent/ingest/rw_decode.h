/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_decode - walks the wire format of remote write 1.0 and 2.0 bodies (after snappy) and hands
 * series and rows to a sink, in order, without allocation for what is known.
 *
 * Field numbers: agent/ingest/proto/. Unknown fields are skipped; a known field with the wrong wire
 * type, a length past its end, or a group makes the body undecodable (ERR_INPUT with the offset):
 * the caller then drops everything it was handed. A series that is merely bad is reported through
 * the sink and its rows are skipped.
 */
#ifndef BELFRY_AGENT_INGEST_RW_DECODE_H
#define BELFRY_AGENT_INGEST_RW_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ingest/rw_cache.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/labels.h"

#define RW_REFUSED UINT32_MAX

struct rw_sink {
	void *ctx;
	/* The following rows are of this known series. */
	void (*series_id)(void *ctx, uint32_t id);
	/* The same by its labels as sent (unsorted, unchecked; array and strings live during the
	 * call). Gives its id when it has one already, 0 when it is new, RW_REFUSED when it was
	 * refused (and `rows` counted): its rows are not handed over. */
	uint32_t (*series_labels)(void *ctx, struct label *v, size_t n, size_t rows);
	void (*sample)(void *ctx, int64_t t_ms, double v, int64_t start_ms);
	/* A sound histogram (hist_check), arrays in scratch memory. */
	void (*hist)(void *ctx, int64_t t_ms, const struct hist *h, int64_t start_ms);
	void (*bad_hist)(void *ctx, const char *why);
	void (*exemplars)(void *ctx, size_t n);
	void (*metadata)(
		void *ctx, struct str metric, const char *type, struct str help, struct str unit);
};

struct rw_decoder {
	struct rw_sink sink;
	struct rw_cache *cache; /* may be NULL */
	struct arena *scratch;  /* symbols, labels, histograms; reset by the caller afterwards */
	bool starts; /* 1.0: rows may have start timestamps, as rw_encode.h writes them */
};

int rw_decode1(struct rw_decoder *d, struct str body, struct err *e) MUST_CHECK;
int rw_decode2(struct rw_decoder *d, struct str body, struct err *e) MUST_CHECK;

#endif
