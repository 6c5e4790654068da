/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch - who works at a request: the loop itself, a worker, or the thread that read it, aside
 * of the loop (agent/turns.h); and what becomes of it afterwards. Loop thread, but for run_*.
 */
#include <stddef.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/stop.h"

static void run_job(struct pool_job *job)
{
	struct http_req *r = (struct http_req *)(void *)job;
	const struct stop stop = {.cancel = &r->cancelled}, *before = stop_begin(&stop);

	if (atomic_load(&r->cancelled) && (r->route->methods & HTTP_GET) != 0)
		http_reply_error(r, "canceled", "the client hung up");
	else
		r->route->handle(r, r->s->opts.arg);
	stop_end(before);
}

static struct http_req *of_aside(struct turns_job *job)
{
	return (struct http_req *)(void *)((char *)job - offsetof(struct http_req, aside));
}

/* True: the handler has ended the request here. */
static bool run_aside(struct turns_job *job)
{
	struct http_req *r = of_aside(job);
	bool here;

	http_aside = r;
	run_job(&r->job);
	here = http_aside == NULL;
	http_aside = NULL;
	return here;
}

static void aside_done(void *job)
{
	conn_finished(of_aside(job));
}

static bool submit(struct http_req *r)
{
	struct http_server *s = r->s;
	bool query = r->route->where == HTTP_ON_QUERY;

	r->job.run = run_job;
	if (!pool_submit(query ? s->opts.query_pool : s->opts.ingest_pool, &r->job))
		return false;
	r->on_worker = query;
	s->n_on_workers += query;
	return true;
}

/* A query that comes alone is worked at right here; several go to the workers, side by side. */
static bool set_aside(struct http_req *r)
{
	struct turns *turns = r->s->opts.turns;
	struct turns_job *other;

	if (turns == NULL || r->route->where != HTTP_ON_QUERY || r->s->n_on_workers > 0)
		return false;
	other = turns_take_back(turns);
	if (other == NULL) {
		r->aside.run = run_aside;
		r->aside.done = aside_done;
		return turns_aside(turns, &r->aside);
	}
	if (!submit(of_aside(other))) {
		bool again = turns_aside(turns, other);

		ASSERT(again);
	}
	return false;
}

void conn_dispatch(struct http_conn *c)
{
	struct http_req *r = c->req;
	struct http_server *s = c->s;

	conn_timer(c, 0);
	conn_move(c, CONN_BUSY);
	if (r->route->where == HTTP_ON_LOOP) {
		http_handling = r;
		r->route->handle(r, s->opts.arg);
		http_handling = NULL;
		if (r->finished) {
			conn_move(c, CONN_WRITE);
			conn_start_reply(c);
		}
		return;
	}
	if (set_aside(r) || submit(r))
		return;
	METRIC_DROP("http", "queue_full", 1);
	reply_refuse(r, 503, "too many requests are waiting");
	reply_build(r);
	conn_move(c, CONN_WRITE);
	conn_start_reply(c);
}

void conn_finished(void *req)
{
	struct http_req *r = req;
	struct http_conn *c = r->conn;

	ASSERT(c->req == r);
	c->s->n_on_workers -= r->on_worker;
	c->in_callback = true;
	if (c->state == CONN_DEAD) {
		METRIC_DROP("http", "hung_up", 1);
		req_free(r);
		c->req = NULL;
	} else {
		conn_move(c, CONN_WRITE);
		conn_start_reply(c);
		conn_run(c);
	}
	c->in_callback = false;
	conn_reap(c);
}
