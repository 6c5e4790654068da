/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statsd - StatsD over UDP: reader threads with a socket and an aggregation table each; a batch a
 * flush interval.
 */
#ifndef BELFRY_AGENT_STATSD_STATSD_H
#define BELFRY_AGENT_STATSD_STATSD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "storage/store.h"

struct statsd_opts {
	const struct str *listen; /* udp://host:port */
	size_t n_listen;
	int64_t flush_interval_ms;
	struct str counter_suffix; /* "_total" */
	int64_t idle_timeout_ms;   /* a series without packets for this long goes stale; 0: never */
};

struct statsd;

/* Binds, loads the live series from the store's state facts, starts the reader threads. */
int statsd_start(struct statsd **out, const struct statsd_opts *o, struct store *store,
	struct err *e) MUST_CHECK;
/* Flush what was received, wait for its commit (bounded), close. */
void statsd_stop(struct statsd *s);
int statsd_port(const struct statsd *s); /* of the first socket */

#endif
