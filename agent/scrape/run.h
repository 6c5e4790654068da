/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run - one scrape on its way: transfer (http client) -> parse (ingest worker) -> store (writer) ->
 * done (loop). Internal to agent/scrape/.
 *
 * A run holds a reference to its target, and to the scrape manager until it is handed back in the
 * manager's done queue. When the manager has stopped, a run ends where it is noticed.
 */
#ifndef BELFRY_AGENT_SCRAPE_RUN_H
#define BELFRY_AGENT_SCRAPE_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/loop.h"
#include "agent/pool.h"
#include "agent/scrape/target.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "exporters/sender.h"
#include "storage/store.h"

struct scrape {
	_Atomic unsigned refs; /* the owner's, and a run's each */
	atomic_bool closing;
	struct loop *loop;
	struct pool *ingest;
	struct sender client;
	struct store *store;
	struct queue *done; /* of struct run: finished, for the loop */
	atomic_bool posted; /* the loop was told to look at `done` */
	/* the loop's own */
	struct target **targets;
	size_t n_targets;
	struct str *pools; /* job names, in the configuration's arena */
	size_t n_pools;
	struct loop_timer *housekeeping;
	struct metric *runs, *failed, *skipped, *samples, *seconds, *count;
};

struct run {
	struct pool_job job; /* first: cast back */
	struct scrape *s;
	struct target *t;
	struct page_conf conf;
	int64_t slot_ms, start_ns, start_wall_ms;
	struct send_request *req;
	struct batch *batch; /* answered by the store; NULL: nothing came to it */
	struct page_counts counts;
	double duration;
	bool up, stored;
	char error[240]; /* of the scrape, or of the store */
};

/* Loop thread: t is idle. Takes its references. */
void run_start(struct scrape *s, struct target *t, int64_t slot_ms);
void run_free(struct run *r);
/* Told when `done` has something: runs on the loop. */
void scrape_on_done(void *arg);
void scrape_unref(struct scrape *s);

#endif
