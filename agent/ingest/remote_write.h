/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write - the receiver at /api/v1/write: snappy, wire walk, per-sender reference caches,
 * batch, answer after commit.
 */
#ifndef BELFRY_AGENT_INGEST_REMOTE_WRITE_H
#define BELFRY_AGENT_INGEST_REMOTE_WRITE_H

#include "agent/http/server.h"
#include "base/err.h"
#include "storage/store.h"

struct remote_write;

int remote_write_new(struct remote_write **out, struct store *store, struct err *e) MUST_CHECK;
void remote_write_free(struct remote_write *rw);
/* Route handler body (HTTP_ON_INGEST): finishes the request after the commit. */
void remote_write_handle(struct remote_write *rw, struct http_req *req);

#endif
