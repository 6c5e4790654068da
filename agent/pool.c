/* SPDX-License-Identifier: Apache-2.0 */
/* pool - worker threads over one bounded queue; see pool.h. */
#include "agent/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/queue.h"
#include "base/steps.h"

#define POOL_THREADS_MAX 64u

struct pool {
	struct queue *queue;
	enum role role;
	unsigned n;
	pthread_t threads[POOL_THREADS_MAX];
};

static void *worker(void *arg)
{
	struct pool *p = arg;
	struct pool_job *job;

	steps_thread_begin();
	role_enter(p->role);
	while ((job = queue_pop(p->queue, -1)) != NULL)
		job->run(job);
	steps_thread_end();
	return NULL;
}

int pool_new(struct pool **out, enum role role, unsigned threads, size_t queue_cap, struct err *e)
{
	struct pool *p;

	ASSERT(threads > 0 && threads <= POOL_THREADS_MAX);
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return err_set(e, ERR_LIMIT, 0, "cannot start workers: out of memory");
	p->role = role;
	p->queue = queue_new(queue_cap, 0);
	for (; p->n < threads; p->n++) {
		int rc;

		steps_thread_new();
		rc = pthread_create(&p->threads[p->n], NULL, worker, p);
		if (rc != 0) {
			steps_thread_end();
			pool_free(p);
			return err_set(
				e, ERR_IO, rc, "cannot start a worker: %s", err_strerror(rc));
		}
	}
	*out = p;
	return 0;
}

bool pool_submit(struct pool *p, struct pool_job *job)
{
	return queue_push(p->queue, job, 1);
}

size_t pool_waiting(struct pool *p)
{
	return queue_len(p->queue);
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	queue_close(p->queue);
	for (unsigned i = 0; i < p->n; i++)
		(void)pthread_join(p->threads[i], NULL);
	queue_free(p->queue);
	free(p);
}
