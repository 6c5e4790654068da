/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_source - the thread and its requests; what one answer is made of stands in
 * graph_answer.c.
 */
#include "agent/graph_source.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "agent/pool.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/num.h"

struct graph_service {
	struct graph_env env;
	struct pool *pool;
	atomic_bool stopping;
	atomic_uint inside; /* submit, with the pool in its hands */
};

struct graph_job {
	struct pool_job base; /* first: a job is cast to this */
	struct graph_service *service;
	struct graph_request *req;
	int64_t deadline_mono_ms;
};

static void run(struct pool_job *base)
{
	struct graph_job *job = (struct graph_job *)base;
	struct graph_service *s = job->service;
	struct graph_request *req = job->req;
	struct graph_answer *answer = NULL;

	/* what waited too long is not begun: its message goes out without */
	if (!atomic_load(&s->stopping) && clock_mono_ms() < job->deadline_mono_ms)
		answer = graph_answer_make(
			&s->env, req->spec, req->now_ms, req->want_png, job->deadline_mono_ms);
	metric_inc(
		answer != NULL
			? metric_counter("belfry_notify_graphs_total",
				  "Graphs asked for by messages, by result.", "result=\"ok\"")
			: metric_counter("belfry_notify_graphs_total",
				  "Graphs asked for by messages, by result.", "result=\"none\""));
	free(job);
	req->on_done(req, answer);
}

static bool put(struct graph_service *s, struct graph_request *req)
{
	struct graph_job *job;

	if (atomic_load(&s->stopping))
		return false;
	job = calloc(1, sizeof *job);
	if (job == NULL)
		return false;
	job->base.run = run;
	job->service = s;
	job->req = req;
	job->deadline_mono_ms = i64_add_sat(clock_mono_ms(), GRAPH_DEADLINE_MS);
	if (pool_submit(s->pool, &job->base))
		return true;
	METRIC_LIMIT("graphs_waiting");
	free(job);
	return false;
}

static bool submit(void *ctx, struct graph_request *req)
{
	struct graph_service *s = ctx;
	bool taken;

	atomic_fetch_add(&s->inside, 1);
	taken = put(s, req);
	atomic_fetch_sub(&s->inside, 1);
	return taken;
}

int graph_service_start(struct graph_service **out, const struct graph_env *env, struct err *e)
{
	struct graph_service *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	s->env = *env;
	if (pool_new(&s->pool, ROLE_QUERY, 1, LIMIT_GRAPHS_WAITING, e) != 0) {
		free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void graph_service_stop(struct graph_service *s)
{
	if (s == NULL || atomic_exchange(&s->stopping, true))
		return;
	while (atomic_load(&s->inside) > 0) /* in submit: a moment */
		(void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	pool_free(s->pool);
	s->pool = NULL;
}

void graph_service_free(struct graph_service *s)
{
	graph_service_stop(s);
	free(s);
}

struct graph_source graph_service_source(struct graph_service *s)
{
	return (struct graph_source){.ctx = s, .submit = submit};
}
