/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - makes and ends the HTTP server: limits, listeners, self metrics, graceful stop.
 * The work is in conn.c (connections), reply.c (answers) and their neighbours.
 */
#include "agent/http/server.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"

#define STOP_GRACE_MS  3000 /* running requests may finish */
#define STOP_CANCEL_MS 3000 /* then they are cancelled and may clean up */

static double get_conns(void *arg)
{
	return (double)((struct http_server *)arg)->shown_conns;
}

static double get_max_conns(void *arg)
{
	return (double)((struct http_server *)arg)->lim.conns;
}

static double get_in(void *arg)
{
	return (double)((struct http_server *)arg)->in_bytes;
}

static double get_out(void *arg)
{
	return (double)((struct http_server *)arg)->out_bytes;
}

static double get_max_out(void *arg)
{
	return (double)((struct http_server *)arg)->lim.out_bytes;
}

static void show_metrics(struct http_server *s, bool on)
{
	metric_gauge_fn("belfry_http_connections", "Open HTTP connections.", NULL,
		on ? get_conns : NULL, s);
	metric_gauge_fn("belfry_http_connections_limit", "Connections that may be open.", NULL,
		on ? get_max_conns : NULL, s);
	metric_gauge_fn("belfry_http_in_bytes", "Bytes of request bodies in memory.", NULL,
		on ? get_in : NULL, s);
	metric_gauge_fn("belfry_http_out_bytes", "Bytes of answers waiting to be sent.", NULL,
		on ? get_out : NULL, s);
	metric_gauge_fn("belfry_http_out_bytes_limit", "Bytes of answers that may wait.", NULL,
		on ? get_max_out : NULL, s);
}

static void set_limits(struct http_limits *to, const struct http_limits *from)
{
	to->head_ms = from->head_ms > 0 ? from->head_ms : LIMIT_HTTP_HEAD_MS;
	to->body_ms = from->body_ms > 0 ? from->body_ms : LIMIT_HTTP_BODY_MS;
	to->stall_ms = from->stall_ms > 0 ? from->stall_ms : LIMIT_HTTP_STALL_MS;
	to->idle_ms = from->idle_ms > 0 ? from->idle_ms : LIMIT_HTTP_IDLE_MS;
	to->conns = from->conns > 0 ? from->conns : LIMIT_HTTP_CONNS;
	to->in_bytes = from->in_bytes > 0 ? from->in_bytes : LIMIT_HTTP_IN_BYTES;
	to->out_bytes = from->out_bytes > 0 ? from->out_bytes : LIMIT_HTTP_OUT_BYTES;
}

/* The host of http://host:port/path. */
static struct str url_host(struct str url)
{
	const char *sep = url.n > 3 ? memmem(url.p, url.n, "://", 3) : NULL;
	struct str rest = sep != NULL ? str_n(sep + 3, url.n - (size_t)(sep + 3 - url.p)) : STR("");

	rest = str_sub(rest, 0, str_find(rest, '/'));
	if (rest.n > 0 && rest.p[0] == '[')
		return str_sub(rest, 1, str_find(rest, ']'));
	return str_sub(rest, 0, str_find(rest, ':'));
}

int http_server_new(struct http_server **out, struct loop *l, const struct http_opts *o,
	const struct http_route *routes, size_t n, struct err *e)
{
	struct http_server *s = calloc(1, sizeof *s);
	char name[256] = "";

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "cannot start the HTTP server: out of memory");
	s->loop = l;
	s->opts = *o;
	s->routes = routes;
	s->n_routes = n;
	set_limits(&s->lim, &o->limits);
	arena_init(&s->arena, 65536);
	s->external_host = arena_str(&s->arena, url_host(o->external_url));
	if (gethostname(name, sizeof name - 1) == 0)
		s->own_host = arena_str(&s->arena, str_c(name));
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < o->n_listen; i++) {
		if (listen_open(s, o->listen[i], e) != 0)
			goto free_server;
	}
	show_metrics(s, true);
	*out = s;
	return 0;
free_server:
	listen_close(s);
	fd_close(s->spare_fd);
	arena_fini(&s->arena);
	free(s);
	return -1;
}

int http_server_port(const struct http_server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].unix_path == NULL)
			return fd_port(s->listeners[i].fd);
	}
	return -1;
}

/* Connections without a running request end; with `cancel` running ones are told to. */
static void end_conns(struct http_server *s, bool cancel)
{
	struct http_conn *next;

	for (struct http_conn *c = s->oldest; c != NULL; c = next) {
		next = c->next;
		if (c->state == CONN_BUSY && cancel)
			atomic_store(&c->req->cancelled, true);
		if (c->state != CONN_BUSY && (c->state != CONN_WRITE || cancel))
			conn_close(c);
		conn_reap(c);
	}
}

/* Turns the loop until no connection is left or the time is over. */
static void turn_until(struct http_server *s, int64_t deadline_ns)
{
	const struct timeval tick = {0, 20000};

	while (s->n_conns > 0 && clock_real_ns() < deadline_ns) {
		(void)event_base_loopexit(loop_base(s->loop), &tick);
		(void)event_base_loop(loop_base(s->loop), 0);
	}
}

void http_server_free(struct http_server *s)
{
	int64_t now;

	if (s == NULL)
		return;
	s->stopping = true;
	show_metrics(s, false);
	listen_close(s);
	now = clock_real_ns();
	end_conns(s, false);
	turn_until(s, now + STOP_GRACE_MS * INT64_C(1000000));
	end_conns(s, true);
	turn_until(s, now + (STOP_GRACE_MS + STOP_CANCEL_MS) * INT64_C(1000000));
	fd_close(s->spare_fd);
	if (s->n_conns > 0) {
		/* handlers still hold requests: their memory must stay until the process ends */
		log_error("http", "msg=\"requests did not end\" n=%zu", s->n_conns);
		return;
	}
	arena_fini(&s->arena);
	free(s->cells);
	free(s);
}
