/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - HTTP/1.1 on libevent's event base, with its own strict head parser, connection cap,
 * total deadlines for head and body, caps on all bytes waiting in and out, NUL-free paths,
 * Host check, same-origin check for what changes state, gzip.
 *
 * Not evhttp: libevent 2.1.12 gives no hook between head and body (so no body limit by route and
 * no cap on what all bodies hold), keeps whole replies a second time in its buffers, cannot tell
 * that a client hung up while its request is worked at, has no limit of connections, and its
 * parser had two request-smuggling CVEs that not every distribution fixed.
 *
 * The server lives on the loop thread. A handler runs where its route says; it owns the request
 * until it calls http_finish (any thread, exactly once, also later from a callback).
 */
#ifndef BELFRY_AGENT_HTTP_SERVER_H
#define BELFRY_AGENT_HTTP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/loop.h"
#include "agent/pool.h"
#include "agent/turns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum http_method {
	HTTP_GET = 1,
	HTTP_POST = 2,
	HTTP_PUT = 4,
	HTTP_DELETE = 8,
	HTTP_HEAD = 16,
	HTTP_OPTIONS = 32
};
enum http_where { HTTP_ON_LOOP, HTTP_ON_QUERY, HTTP_ON_INGEST };

struct http_server;
struct http_req;

struct http_route {
	const char *path; /* exact, or with one trailing or inner "*" segment:
			     /api/v1/label/.../values is "/api/v1/label/ * /values" without blanks;
			     a trailing "*" takes the whole rest and comes after all others */
	unsigned methods; /* enum http_method bits */
	enum http_where where;
	size_t body_max;    /* 0: LIMIT_HTTP_BODY */
	bool changes_state; /* needs POST/PUT/DELETE and, from a browser, the same origin */
	void (*handle)(struct http_req *req, void *arg);
};

/* Bounds of the server; 0 takes the default from limits.h. Real time: tests make them small. */
struct http_limits {
	int head_ms, body_ms, stall_ms, idle_ms;
	size_t conns, in_bytes, out_bytes;
};

struct http_opts {
	const struct str *listen; /* host:port, unix:/path */
	size_t n_listen;
	struct str external_url;
	bool insecure; /* beyond loopback without authentication */
	struct pool *query_pool, *ingest_pool;
	struct turns *turns; /* a single query is worked at where it was read; NULL: never */
	void *arg;           /* handed to every handler */
	struct http_limits limits;
};

int http_server_new(struct http_server **out, struct loop *l, const struct http_opts *o,
	const struct http_route *routes, size_t n, struct err *e) MUST_CHECK;
/* Stop accepting; wait (on the loop, bounded) for running requests; free. */
void http_server_free(struct http_server *s);
int http_server_port(const struct http_server *s); /* of the first TCP listener */

/* --- a request, read side (views live until http_finish) --- */
enum http_method http_req_method(const struct http_req *r);
struct str http_req_path(const struct http_req *r);
struct str http_req_segment(
	const struct http_req *r); /* what the route's "*" stood for, percent-decoded */
struct str http_req_header(const struct http_req *r, const char *name); /* empty when absent */
struct str http_req_body(const struct http_req *r);
/* A parameter from the query string or a form body, decoded; empty when absent (http_req_has
 * tells). */
struct str http_req_param(struct http_req *r, const char *name);
bool http_req_has(struct http_req *r, const char *name);
/* All values of a repeated parameter (match[]); the array lives in the request's arena. */
size_t http_req_params(struct http_req *r, const char *name, struct str **out);
struct arena *http_req_arena(struct http_req *r);
/* Set when the client hung up or the server is stopping: long work looks at it. */
const atomic_bool *http_req_cancelled(const struct http_req *r);
struct str http_req_peer(const struct http_req *r); /* address without port: per-sender caches */

/* --- its answer --- */
struct buf *http_resp_body(struct http_req *r); /* write here; gzip is done by the server */
void http_resp_header(struct http_req *r, const char *name, struct str value);
void http_resp_status(struct http_req *r, int status);
void http_finish(struct http_req *r);
/* Whole answers. */
void http_reply(struct http_req *r, int status, const char *content_type, struct str body);
/* {"status":"error","errorType":...,"error":...} in Prometheus's shape with the right HTTP status.
 */
void http_reply_error(struct http_req *r, const char *error_type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
