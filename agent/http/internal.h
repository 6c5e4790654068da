/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal - what the files of agent/http/ share: server, connection and request. Not for others.
 *
 * Threads: server and connections belong to the loop thread. A request belongs to the loop until
 * it is dispatched, to its handler until http_finish, then to the loop again (loop_post orders
 * the memory). Shared in between: `cancelled`, and the server's atomic byte counts.
 * Life: a connection is freed only when it has no request at work; a request outlives its socket.
 */
#ifndef BELFRY_AGENT_HTTP_INTERNAL_H
#define BELFRY_AGENT_HTTP_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "agent/http/head.h"
#include "agent/http/server.h"
#include "base/metrics.h"

#define HTTP_IN_BYTES      65536u              /* read ahead of a connection: a head fits */
#define HTTP_REPLY_BYTES   ((size_t)128 << 20) /* one reply before compression */
#define HTTP_REQ_ARENA     ((size_t)16 << 20)  /* parameters and scratch of one request */
#define HTTP_REPLY_HEADERS 16u
#define HTTP_GZIP_MIN      1024u /* smaller replies are sent as they are */
#define HTTP_LISTEN_MAX    16u
#define HTTP_TURNS         16u /* pipelined requests served in one callback */

struct event;

enum conn_state {
	CONN_HEAD,   /* waiting for or reading a head */
	CONN_BODY,   /* reading a body */
	CONN_BUSY,   /* a handler works */
	CONN_WRITE,  /* the reply is being sent */
	CONN_LINGER, /* refused early: sent, now what the client still sends is thrown away */
	CONN_DEAD,   /* closed; freed when its callback ends and its request is back */
};

/* Where chunked decoding stands (agent/http/body.c). */
enum body_state { BODY_SIZE, BODY_DATA, BODY_DATA_END, BODY_TRAILER, BODY_DONE };

struct http_conn {
	struct http_server *s;
	struct http_conn *prev, *next; /* the server's list, least recently used first */
	struct event *rd, *wr, *timer;
	struct http_req *req; /* the one read, worked at, or answered */
	char *in;             /* HTTP_IN_BYTES, only while bytes wait */
	size_t in_n, in_looked;
	int fd;
	enum conn_state state;
	bool eof, in_callback;
	bool over_cap; /* accepted over the limit of connections: gets 503 */
	char peer[64];
};

struct http_req {
	struct pool_job job;
	struct turns_job aside;
	struct http_conn *conn;
	struct http_server *s;
	const struct http_route *route; /* NULL: answered by the server itself */
	size_t route_index;
	struct arena arena;
	char *raw_head; /* malloc'ed copy that head's views point into */
	struct http_head head;
	struct str path, segment; /* decoded */
	char peer[64];
	/* body */
	struct buf body;
	enum body_state body_state;
	uint64_t body_left, trailer_bytes;
	size_t in_counted; /* bytes added to s->in_bytes */
	/* parameters, parsed at first use */
	struct http_header *params;
	size_t n_params;
	bool params_parsed;
	atomic_bool cancelled;
	/* reply */
	int status;
	struct buf out, out_head;
	struct {
		const char *name;
		struct str value;
	} headers[HTTP_REPLY_HEADERS];
	size_t n_headers;
	size_t out_counted; /* bytes added to s->out_bytes */
	size_t sent;        /* of head and body together */
	bool finished, close_after;
	bool on_worker; /* counted in the server's n_on_workers */
	bool api;       /* for a path of Prometheus's or belfry's API: refusals are JSON */
	int64_t start_ns;
};

struct http_listener {
	struct http_server *s;
	struct event *ev;
	int fd;
	struct str host;  /* without port; empty: any address */
	char *unix_path;  /* unlinked when closed */
	bool any_address; /* 0.0.0.0 or [::] */
};

struct http_server {
	struct loop *loop;
	struct http_opts opts;
	struct http_limits lim;
	const struct http_route *routes;
	size_t n_routes;
	struct http_listener listeners[HTTP_LISTEN_MAX];
	size_t n_listeners;
	struct http_conn *oldest, *newest;
	size_t n_conns;
	size_t n_on_workers;        /* requests that query workers have, waiting or at work */
	_Atomic size_t shown_conns; /* n_conns for other threads */
	_Atomic size_t in_bytes, out_bytes;
	int spare_fd; /* given up to accept and close when descriptors run out */
	bool stopping;
	struct arena arena; /* listen hosts, external host */
	struct str external_host, own_host;
	struct metric *_Atomic *cells; /* requests by route and status */
};

/* conn.c */
void conn_accepted(struct http_server *s, int fd, const char *peer);
void conn_close(struct http_conn *c);
void conn_reap(struct http_conn *c);
/* Closes the least recently used connection that waits for a request; false when none does. */
bool conn_drop_idle(struct http_server *s);
void conn_move(struct http_conn *c, enum conn_state next);
void conn_run(struct http_conn *c);
/* dispatch.c */
void conn_dispatch(struct http_conn *c); /* all of the request is there */
void conn_finished(void *req);           /* posted by http_finish */
/* conn_write.c */
void conn_start_reply(struct http_conn *c);
void conn_write(struct http_conn *c);
void conn_timer(struct http_conn *c, int ms); /* 0: none */
void conn_reply_sent(struct http_conn *c);
/* body.c: takes what belongs to the body from p[0..n); bytes used, *status != 0: refuse. */
size_t body_take(struct http_req *r, const char *p, size_t n, int *status);
/* request.c */
struct http_req *req_new(struct http_conn *c);
void req_free(struct http_req *r);
/* reply.c */
extern _Thread_local struct http_req *http_handling; /* set while a handler runs on the loop */
/* Set while a handler runs aside of the loop, cleared when it has finished there. */
extern _Thread_local struct http_req *http_aside;
void reply_build(struct http_req *r); /* compresses, counts, makes the head */
void reply_refuse(struct http_req *r, int status, const char *why);
/* guard.c: 0, or the status to refuse with and *why. */
int guard_check(const struct http_server *s, struct http_req *r, const char **why);
/* route.c */
void http_route_find(const struct http_server *s, struct http_req *r, unsigned *methods);
/* listen.c */
int listen_open(struct http_server *s, struct str where, struct err *e) MUST_CHECK;
void listen_close(struct http_server *s);
/* count.c */
void http_count(struct http_server *s, const struct http_req *r);

#endif
