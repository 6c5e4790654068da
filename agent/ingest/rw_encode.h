/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_encode - series and rows as remote write's and remote read's 1.0 messages: what rw_decode1
 * reads, with the start timestamps of 2.0 (a sample's field 3, a histogram's 17) where there are
 * any; others skip these fields.
 */
#ifndef BELFRY_AGENT_INGEST_RW_ENCODE_H
#define BELFRY_AGENT_INGEST_RW_ENCODE_H

#include "base/buf.h"
#include "storage/store.h"

/* A TimeSeries message as field `field` of out; scratch is emptied and used. */
void rw_encode_series(struct buf *out, unsigned field, struct labels ls, const struct store_cols *c,
	struct buf *scratch);
/* Members of any message. */
void rw_encode_bytes(struct buf *b, unsigned field, struct str s);
void rw_encode_varint(struct buf *b, unsigned field, uint64_t v);

#endif
