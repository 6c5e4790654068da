/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush - the table's cells as batches for the store, and what the store says about them.
 *
 * Reader thread only. One flush is under way at a time: when the store is slower than the flush
 * interval, a flush time is passed over (counted), and nothing is lost since totals stay in the
 * cells. Facts about live series ("statsd/c/<labels>") go with the samples in one transaction;
 * statsd_flush_restore reads them back at start.
 */
#ifndef BELFRY_AGENT_STATSD_FLUSH_H
#define BELFRY_AGENT_STATSD_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/statsd/table.h"
#include "base/err.h"
#include "storage/store.h"

struct statsd_flush;

struct statsd_flush *statsd_flush_new(
	struct statsd_table *t, struct store *store, int64_t interval_ms, int64_t idle_timeout_ms);
/* Nothing may be pending. */
void statsd_flush_free(struct statsd_flush *f);
/* Make cells for what lived when an earlier run ended. */
int statsd_flush_restore(struct statsd_flush *f, struct err *e) MUST_CHECK;
/* Write all series at t_ms. between(arg) is called now and then, so that the reader can empty its
 * socket while a large table is written: what it adds to cells not yet written goes along. */
void statsd_flush_run(struct statsd_flush *f, int64_t t_ms, void (*between)(void *arg), void *arg);
/* Readable when the store has answered: call statsd_flush_collect then. */
int statsd_flush_fd(const struct statsd_flush *f);
void statsd_flush_collect(struct statsd_flush *f);
/* Batches not answered yet. */
unsigned statsd_flush_pending(const struct statsd_flush *f);
/* Wait for the answers, at most real_ms; false when some are still missing. */
bool statsd_flush_wait(struct statsd_flush *f, int real_ms);
/* Some cell changed since the last flush. */
bool statsd_flush_is_due(const struct statsd_flush *f);

#endif
