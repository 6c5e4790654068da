/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen - the server's listening sockets: TCP and unix:/path, with a real backlog, and accepting.
 *
 * Over the cap of connections the one that is idle longest makes room; when all are at work the
 * newcomer gets 503. Without descriptors a spare one is given up to accept and close, so that the
 * loop does not spin on a listener that stays readable.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"

#define ACCEPT_BATCH 64u
#define OVER_CAP_MAX 64u /* connections over the cap that wait for their 503 */

static void peer_text(const struct sockaddr_storage *ss, char out[64])
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	(void)snprintf(out, 64, "unix");
	if (ss->ss_family == AF_INET) {
		memcpy(&in, ss, sizeof in);
		(void)inet_ntop(AF_INET, &in.sin_addr, out, 64);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof in6);
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, out, 64);
	}
}

static int accept_one(int fd, struct sockaddr_storage *ss)
{
	socklen_t len = sizeof *ss;
	int got;

	memset(ss, 0, sizeof *ss);
	do
		got = accept4(fd, (struct sockaddr *)ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (got < 0 && (errno == EINTR || errno == ECONNABORTED));
	return got;
}

/* No descriptor is left: take the caller off the queue by means of the spare one. */
static void accept_and_drop(struct http_server *s, int fd)
{
	struct sockaddr_storage ss;
	int got;

	METRIC_DROP("http", "descriptors", 1);
	log_warn("http", "msg=\"out of file descriptors, a connection was dropped\"");
	if (conn_drop_idle(s))
		return;
	fd_close(s->spare_fd);
	got = accept_one(fd, &ss);
	fd_close(got);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;
	struct http_server *s = l->s;
	struct sockaddr_storage ss;
	char peer[64];

	(void)what;
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		int one = 1, got = accept_one((int)fd, &ss);

		if (got < 0) {
			if (errno == EMFILE || errno == ENFILE)
				accept_and_drop(s, (int)fd);
			return;
		}
		if (s->n_conns >= s->lim.conns && !conn_drop_idle(s)) {
			METRIC_DROP("http", "connections", 1);
			if (s->n_conns >= s->lim.conns + OVER_CAP_MAX) {
				fd_close(got);
				continue;
			}
		}
		(void)setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		peer_text(&ss, peer);
		conn_accepted(s, got, peer);
	}
}

/* A socket file that nobody listens at is a left-over of a crash. */
static void remove_stale(const char *path, const struct sockaddr_un *un)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof *un) != 0 &&
		errno == ECONNREFUSED)
		(void)unlink(path);
	fd_close(fd);
}

static int unix_listen(struct http_listener *l, struct str path, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	mode_t old;
	int fd, rc;

	if (path.n == 0 || path.n >= sizeof un.sun_path)
		return err_set(e, ERR_INPUT, 0,
			"unix:" STR_FMT ": the path must have 1 to %zu bytes", STR_ARG(path),
			sizeof un.sun_path - 1);
	l->unix_path = str_dup_c(path);
	if (l->unix_path == NULL)
		return err_set(e, ERR_INPUT, 0, "unix:" STR_FMT ": bad path", STR_ARG(path));
	memcpy(un.sun_path, path.p, path.n);
	remove_stale(l->unix_path, &un);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		goto fail;
	old = umask(0117); /* 0660 from the first moment on: owner and group */
	rc = bind(fd, (const struct sockaddr *)&un, sizeof un);
	(void)umask(old);
	if (rc != 0)
		goto fail;
	if (listen(fd, LIMIT_HTTP_BACKLOG) == 0)
		return fd;
	(void)unlink(l->unix_path);
fail:
	err_set(e, ERR_IO, errno, "cannot listen at unix:%s: %s", l->unix_path,
		err_strerror(errno));
	fd_close(fd);
	free(l->unix_path);
	l->unix_path = NULL;
	return -1;
}

static bool is_any(const struct fd_addr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (a->sa.ss_family == AF_INET) {
		memcpy(&in, &a->sa, sizeof in);
		return in.sin_addr.s_addr == htonl(INADDR_ANY);
	}
	memcpy(&in6, &a->sa, sizeof in6);
	return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr) != 0;
}

static int tcp_listen(
	struct http_server *s, struct http_listener *l, struct str where, struct err *e)
{
	struct fd_addr addr;
	size_t colon = where.n;
	int fd;

	if (fd_addr_parse(where, &addr, e) != 0)
		return -1;
	if (!fd_addr_is_loopback(&addr) && !s->opts.insecure)
		return err_set(e, ERR_INPUT, 0,
			"will not listen at " STR_FMT
			" without authentication: listen at 127.0.0.1, or set web.insecure: true",
			STR_ARG(where));
	l->any_address = is_any(&addr);
	while (colon > 0 && where.p[colon - 1] != ':')
		colon--;
	l->host = str_sub(where, 0, colon > 0 ? colon - 1 : 0);
	if (l->host.n >= 2 && l->host.p[0] == '[')
		l->host = str_sub(l->host, 1, l->host.n - 1);
	l->host = arena_str(&s->arena, l->host);
	fd = fd_tcp_listen(&addr, LIMIT_HTTP_BACKLOG, e);
	return fd >= 0 ? fd : err_wrap(e, STR_FMT, STR_ARG(where));
}

int listen_open(struct http_server *s, struct str where, struct err *e)
{
	struct http_listener *l = &s->listeners[s->n_listeners];

	if (s->n_listeners == HTTP_LISTEN_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %u listen addresses", HTTP_LISTEN_MAX);
	*l = (struct http_listener){.s = s, .fd = -1};
	if (str_starts(where, STR("unix:")))
		l->fd = unix_listen(l, str_sub(where, 5, where.n), e);
	else
		l->fd = tcp_listen(s, l, where, e);
	if (l->fd < 0)
		return -1;
	s->n_listeners++;
	l->ev = event_new(loop_base(s->loop), l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
	if (l->ev == NULL || event_add(l->ev, NULL) != 0)
		return err_set(e, ERR_IO, 0, "cannot watch a listening socket");
	return 0;
}

void listen_close(struct http_server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct http_listener *l = &s->listeners[i];

		if (l->ev != NULL)
			event_free(l->ev);
		fd_close(l->fd);
		if (l->unix_path != NULL)
			(void)unlink(l->unix_path);
		free(l->unix_path);
		*l = (struct http_listener){.fd = -1};
	}
	s->n_listeners = 0;
}
