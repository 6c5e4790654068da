/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat - jobs that report to belfry when they are done.
 *
 * A report is answered when it is committed. It becomes three series, written again every
 * scrape_interval so that rules see them however rarely a job runs:
 *   belfry_heartbeat_timestamp_seconds{name}  when the last report came
 *   belfry_heartbeat_ttl_seconds{name}        how long it holds
 *   belfry_heartbeat_failed{name}             1: the job said that it failed
 * What was reported is kept beside the samples, in the same transaction, and survives a restart.
 * At most LIMIT_HEARTBEATS names. Loop thread.
 */
#ifndef BELFRY_AGENT_HEARTBEAT_H
#define BELFRY_AGENT_HEARTBEAT_H

#include "agent/app.h"

struct heartbeats;

int heartbeats_start(
	struct heartbeats **out, struct app *app, int64_t interval_ms, struct err *e) MUST_CHECK;
void heartbeats_stop(struct heartbeats *h);

/* POST, PUT /api/belfry/v1/heartbeat/NAME[?ttl=26h][&status=fail]; DELETE forgets it; GET
 * /api/belfry/v1/heartbeats lists. */
void api_heartbeat(struct http_req *r, void *arg);
void api_heartbeat_delete(struct http_req *r, void *arg);
void api_heartbeats(struct http_req *r, void *arg);

#endif
