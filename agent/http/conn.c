/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - a connection as a state machine: head, body, handler, reply, and again. Loop thread only.
 *
 * Reading goes on while a handler works (up to HTTP_IN_BYTES ahead), so that a client that hangs
 * up is noticed and its request cancelled. Deadlines are totals: a sender of a byte a second
 * cannot extend them. A callback never frees its own connection: conn_close marks it dead,
 * conn_reap at the callback's end frees it once no handler holds its request.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"

#define LINGER_MS    2000
#define LINGER_BYTES ((size_t)4 << 20)

/* Moves that may happen; CONN_DEAD from everywhere. */
static const bool allowed[CONN_DEAD + 1][CONN_DEAD + 1] = {
	[CONN_HEAD] = {[CONN_BODY] = true, [CONN_WRITE] = true, [CONN_DEAD] = true},
	[CONN_BODY] = {[CONN_BUSY] = true, [CONN_WRITE] = true, [CONN_DEAD] = true},
	[CONN_BUSY] = {[CONN_WRITE] = true, [CONN_DEAD] = true},
	[CONN_WRITE] = {[CONN_HEAD] = true, [CONN_LINGER] = true, [CONN_DEAD] = true},
	[CONN_LINGER] = {[CONN_DEAD] = true},
};

void conn_move(struct http_conn *c, enum conn_state next)
{
	ASSERT(allowed[c->state][next]);
	c->state = next;
}

static void unlink_conn(struct http_conn *c)
{
	struct http_server *s = c->s;

	*(c->prev != NULL ? &c->prev->next : &s->oldest) = c->next;
	*(c->next != NULL ? &c->next->prev : &s->newest) = c->prev;
	c->prev = c->next = NULL;
}

static void link_newest(struct http_conn *c)
{
	struct http_server *s = c->s;

	c->prev = s->newest;
	c->next = NULL;
	*(s->newest != NULL ? &s->newest->next : &s->oldest) = c;
	s->newest = c;
}

void conn_timer(struct http_conn *c, int ms)
{
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	(void)(ms > 0 ? event_add(c->timer, &tv) : event_del(c->timer));
}

void conn_close(struct http_conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	if (c->state == CONN_BUSY) {
		atomic_store(&c->req->cancelled, true);
	} else {
		req_free(c->req);
		c->req = NULL;
	}
	conn_move(c, CONN_DEAD);
	(void)event_del(c->rd);
	(void)event_del(c->wr);
	(void)event_del(c->timer);
	fd_close(c->fd);
	c->fd = -1;
}

void conn_reap(struct http_conn *c)
{
	if (c->state != CONN_DEAD || c->req != NULL || c->in_callback)
		return;
	unlink_conn(c);
	c->s->shown_conns = --c->s->n_conns;
	event_free(c->rd);
	event_free(c->wr);
	event_free(c->timer);
	free(c->in);
	free(c);
}

/* Waits for a request, and none is on its way (one may have come since we looked last). */
static bool is_idle(const struct http_conn *c)
{
	char byte;

	return c->state == CONN_HEAD && c->in_n == 0 && !c->in_callback &&
	       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool conn_drop_idle(struct http_server *s)
{
	for (struct http_conn *c = s->oldest; c != NULL; c = c->next) {
		if (is_idle(c)) {
			conn_close(c);
			conn_reap(c);
			return true;
		}
	}
	return false;
}

/* Whether the request line, as far as it came, is for an API that answers in JSON. */
static bool is_api(struct str in)
{
	struct str path = str_sub(in, str_find(in, ' ') + 1, in.n);

	return str_starts(path, STR("/api/v1/")) || str_starts(path, STR("/api/belfry/"));
}

/* A refusal by the server itself: the connection ends after it. */
static void refuse(struct http_conn *c, int status, const char *why)
{
	struct http_req *r = c->req;

	if (r == NULL) {
		r = c->req = req_new(c);
		if (r == NULL) {
			conn_close(c);
			return;
		}
		r->api = is_api(str_n(c->in, c->in_n));
	}
	r->close_after = true;
	reply_refuse(r, status, why);
	reply_build(r);
	conn_move(c, CONN_WRITE);
	conn_start_reply(c);
}

/* Allow, and an empty answer for OPTIONS; else 404 or 405. */
static void no_route(struct http_conn *c, unsigned methods)
{
	static const char *const names[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"};
	struct http_req *r = c->req;
	struct buf allow;
	bool options = r->head.method == HTTP_OPTIONS;

	if (methods == 0 && !options) {
		refuse(c, 404, "404 page not found");
		return;
	}
	buf_init(&allow, 256);
	if ((methods & HTTP_GET) != 0)
		methods |= HTTP_HEAD;
	methods |= HTTP_OPTIONS;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if ((methods & (1u << i)) != 0)
			buf_printf(&allow, "%s%s", allow.n > 0 ? ", " : "", names[i]);
	}
	http_resp_header(r, "Allow", buf_view(&allow));
	buf_fini(&allow);
	if (!options) {
		refuse(c, 405, "Method Not Allowed");
		return;
	}
	http_resp_status(r, 204);
	r->close_after = r->head.chunked || r->head.length > 0;
	reply_build(r);
	conn_move(c, CONN_WRITE);
	conn_start_reply(c);
}

/* Path, Host, origin, route, size: everything that is known before the body. */
static void check_head(struct http_conn *c)
{
	struct http_req *r = c->req;
	const char *why = "";
	unsigned methods = 0;
	size_t max;
	int status;

	r->path = http_decode(&r->arena, r->head.path, false, true);
	if (r->path.p == NULL || !http_path_is_clean(r->path)) {
		METRIC_DROP("http", "bad_path", 1);
		refuse(c, 400, "bad request path");
		return;
	}
	http_route_find(c->s, r, &methods);
	status = guard_check(c->s, r, &why);
	if (status != 0) {
		refuse(c, status, why);
		return;
	}
	if (r->route == NULL) {
		no_route(c, methods);
		return;
	}
	max = r->route->body_max > 0 ? r->route->body_max : LIMIT_HTTP_BODY;
	if (r->head.has_length && r->head.length > max) {
		METRIC_DROP("http", "body_bytes", 1);
		refuse(c, 413, "request body over its limit");
		return;
	}
	r->body.max = max;
	r->body_state = r->head.chunked ? BODY_SIZE : r->head.length > 0 ? BODY_DATA : BODY_DONE;
	r->body_left = r->head.length;
	conn_move(c, CONN_BODY);
	conn_timer(c, c->s->lim.body_ms);
}

static void drop_input(struct http_conn *c, size_t n)
{
	ASSERT(n <= c->in_n);
	if (n > 0 && n < c->in_n)
		memmove(c->in, c->in + n, c->in_n - n);
	c->in_n -= n;
	c->in_looked = 0;
}

/* What is too long: the line with the address, or the headers behind it. */
static const char *too_long(struct str in)
{
	_Static_assert(LIMIT_HTTP_HEAD_BYTES / 1024 == 32, "the texts say so");
	return str_find(in, '\n') == in.n
		       ? "the address is longer than 32 KiB: send its parameters in the body of a "
			 "POST, as application/x-www-form-urlencoded"
		       : "the request's headers are longer than 32 KiB";
}

/* True when it moved on. */
static bool run_head(struct http_conn *c)
{
	struct http_req *r;
	const char *why = "";
	bool bad = false;
	size_t n;
	int status;

	if (c->in_looked == 0) {
		for (n = 0; n + 1 < c->in_n && c->in[n] == '\r' && c->in[n + 1] == '\n';)
			n += 2; /* empty lines before a request (RFC 9112, 2.2) */
		drop_input(c, n);
	}
	n = http_head_end(str_n(c->in, c->in_n), &c->in_looked, &bad);
	if (!bad && n == 0 && c->in_n < LIMIT_HTTP_HEAD_BYTES)
		return false;
	r = c->req = req_new(c);
	if (r != NULL)
		r->raw_head = malloc(n + 1);
	if (r == NULL || r->raw_head == NULL) {
		conn_close(c);
		return true;
	}
	unlink_conn(c);
	link_newest(c);
	memcpy(r->raw_head, c->in, n);
	status = n > LIMIT_HTTP_HEAD_BYTES || (n == 0 && !bad) ? 431 : 400;
	why = status == 431 ? too_long(str_n(c->in, MIN_OF(c->in_n, LIMIT_HTTP_HEAD_BYTES)))
			    : "malformed request";
	r->api = is_api(str_n(c->in, c->in_n));
	if (n > 0 && status != 431)
		status = http_head_parse(str_n(r->raw_head, n), &r->head, &why);
	drop_input(c, n);
	if (status != 0) {
		METRIC_DROP("http", "bad_head", 1);
		refuse(c, status, why);
	} else if (c->over_cap) {
		refuse(c, 503, "too many connections");
	} else {
		check_head(c);
	}
	return true;
}

static void say_continue(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	c->req->head.expect_continue = false;
	if (send(c->fd, text, sizeof text - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof text - 1))
		conn_close(c); /* an empty socket buffer takes 25 bytes */
}

static bool run_body(struct http_conn *c)
{
	struct http_req *r = c->req;
	int status = 0;
	size_t used;

	if (r->head.expect_continue && c->in_n == 0 && r->body_state != BODY_DONE) {
		say_continue(c);
		return c->state == CONN_DEAD;
	}
	used = body_take(r, c->in, c->in_n, &status);
	drop_input(c, used);
	if (status != 0) {
		METRIC_DROP("http", "bad_body", 1);
		refuse(c, status,
			status == 413   ? "request body over its limit"
			: status == 503 ? "too many bytes of requests are waiting"
					: "malformed body");
		return true;
	}
	if (r->body_state != BODY_DONE)
		return used > 0;
	conn_dispatch(c);
	return true;
}

/* Everything that can be done with what was read. */
void conn_run(struct http_conn *c)
{
	for (unsigned turns = 0; turns < HTTP_TURNS; turns++) {
		bool went = false;

		if (c->state == CONN_HEAD && c->in_n > 0)
			went = run_head(c);
		else if (c->state == CONN_BODY)
			went = run_body(c);
		if (!went)
			break;
		if (turns == HTTP_TURNS - 1)
			event_active(c->rd, EV_READ, 0);
	}
	if (c->state == CONN_DEAD)
		return;
	if (c->in_n == 0) {
		free(c->in);
		c->in = NULL;
	}
	if (c->in_n < HTTP_IN_BYTES && !c->eof)
		(void)event_add(c->rd, NULL);
	else
		(void)event_del(c->rd);
	if (c->eof && (c->state == CONN_HEAD || c->state == CONN_BODY))
		conn_close(c);
}

static void on_eof(struct http_conn *c)
{
	c->eof = true;
	(void)event_del(c->rd);
	if (c->state == CONN_BUSY)
		atomic_store(&c->req->cancelled, true);
	if (c->state == CONN_LINGER)
		conn_close(c);
}

static void read_more(struct http_conn *c)
{
	ssize_t got;

	if (c->eof || c->in_n == HTTP_IN_BYTES)
		return;
	if (c->in == NULL)
		c->in = malloc(HTTP_IN_BYTES);
	if (c->in == NULL) {
		conn_close(c);
		return;
	}
	do
		got = recv(c->fd, c->in + c->in_n, HTTP_IN_BYTES - c->in_n, 0);
	while (got < 0 && errno == EINTR);
	if (got == 0) {
		on_eof(c);
	} else if (got > 0) {
		if (c->state == CONN_HEAD && c->in_n == 0)
			conn_timer(c, c->s->lim.head_ms);
		c->in_n += (size_t)got;
		if (c->state == CONN_LINGER)
			c->in_n = 0;
	} else if (errno != EAGAIN) {
		conn_close(c);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	c->in_callback = true;
	read_more(c);
	conn_run(c);
	c->in_callback = false;
	conn_reap(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	c->in_callback = true;
	conn_write(c);
	conn_run(c);
	c->in_callback = false;
	conn_reap(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	c->in_callback = true;
	if ((c->state == CONN_HEAD && c->in_n > 0) || c->state == CONN_BODY) {
		METRIC_DROP("http", "deadline", 1);
		refuse(c, 408, "the request took too long to arrive");
	} else {
		if (c->state == CONN_WRITE)
			METRIC_DROP("http", "stalled", 1);
		conn_close(c);
	}
	c->in_callback = false;
	conn_reap(c);
}

/* The reply is out: the next request, or the end. */
void conn_reply_sent(struct http_conn *c)
{
	struct http_req *r = c->req;
	bool close = r->close_after || !r->head.keep_alive || c->s->stopping;
	bool early = r->close_after; /* refused before all of it was read */

	http_count(c->s, r);
	req_free(r);
	c->req = NULL;
	if (!close) {
		conn_move(c, CONN_HEAD);
		conn_timer(c, c->in_n > 0 ? c->s->lim.head_ms : c->s->lim.idle_ms);
		return;
	}
	if (!early || c->eof || shutdown(c->fd, SHUT_WR) != 0) {
		conn_close(c);
		return;
	}
	/* closing with unread bytes would reset the connection and lose the answer */
	conn_move(c, CONN_LINGER);
	c->in_n = 0;
	conn_timer(c, LINGER_MS);
}

void conn_accepted(struct http_server *s, int fd, const char *peer)
{
	struct http_conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		fd_close(fd);
		return;
	}
	c->s = s;
	c->fd = fd;
	c->over_cap = s->n_conns >= s->lim.conns;
	(void)snprintf(c->peer, sizeof c->peer, "%s", peer);
	c->rd = event_new(loop_base(s->loop), fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(loop_base(s->loop), fd, EV_WRITE, on_writable, c);
	c->timer = event_new(loop_base(s->loop), -1, 0, on_deadline, c);
	ASSERT(c->rd != NULL && c->wr != NULL && c->timer != NULL);
	s->shown_conns = ++s->n_conns;
	link_newest(c);
	conn_timer(c, s->lim.head_ms);
	(void)event_add(c->rd, NULL);
}
