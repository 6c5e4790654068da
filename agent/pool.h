/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - worker threads that run jobs in order of arrival (ingest and query workers).
 */
#ifndef BELFRY_AGENT_POOL_H
#define BELFRY_AGENT_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/role.h"

struct pool;

struct pool_job {
	void (*run)(struct pool_job *job); /* on a worker; owns the job */
};

int pool_new(struct pool **out, enum role role, unsigned threads, size_t queue_cap,
	struct err *e) MUST_CHECK;
/* Any thread; false when the queue is full: the job stays the caller's. */
bool pool_submit(struct pool *p, struct pool_job *job) MUST_CHECK;
size_t pool_waiting(struct pool *p);
/* Run what waits, then join the threads. */
void pool_free(struct pool *p);

#endif
