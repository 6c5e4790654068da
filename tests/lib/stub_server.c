/* SPDX-License-Identifier: Apache-2.0 */
/* stub_server - a blocking one-thread TCP server for tests; see stub_server.h. */
#include "tests/lib/stub_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

struct stub_server {
	void (*handle)(struct stub_server *s, int fd, void *arg);
	void *arg;
	int listen_fd, stop_fd;
	int port;
	_Atomic unsigned connections;
	pthread_t thread;
};

/* True when fd became readable (or closed) before the server is told to stop. */
static bool wait_readable(struct stub_server *s, int fd)
{
	struct pollfd p[2] = {{fd, POLLIN, 0}, {s->stop_fd, POLLIN, 0}};

	(void)poll(p, 2, -1);
	return p[1].revents == 0;
}

static void *serve(void *arg)
{
	struct stub_server *s = arg;

	while (wait_readable(s, s->listen_fd)) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		atomic_fetch_add(&s->connections, 1);
		s->handle(s, fd, s->arg);
		(void)close(fd);
	}
	return NULL;
}

struct stub_server *stub_start(void (*handle)(struct stub_server *s, int fd, void *arg), void *arg)
{
	struct stub_server *s = calloc(1, sizeof *s);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;

	ASSERT(s != NULL);
	s->handle = handle;
	s->arg = arg;
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	ASSERT(bind(s->listen_fd, (struct sockaddr *)&in, sizeof in) == 0);
	ASSERT(listen(s->listen_fd, 128) == 0);
	ASSERT(getsockname(s->listen_fd, (struct sockaddr *)&in, &len) == 0);
	s->port = ntohs(in.sin_port);
	ASSERT(pthread_create(&s->thread, NULL, serve, s) == 0);
	return s;
}

void stub_stop(struct stub_server *s)
{
	ASSERT(eventfd_write(s->stop_fd, 1) == 0);
	ASSERT(pthread_join(s->thread, NULL) == 0);
	(void)close(s->listen_fd);
	(void)close(s->stop_fd);
	free(s);
}

int stub_port(const struct stub_server *s)
{
	return s->port;
}

unsigned stub_connections(struct stub_server *s)
{
	return atomic_load(&s->connections);
}

static bool read_until(int fd, char *buf, size_t size, const char *end)
{
	size_t n = 0;

	while (n + 1 < size && read(fd, buf + n, 1) == 1) {
		buf[++n] = '\0';
		if (n >= strlen(end) && strcmp(buf + n - strlen(end), end) == 0)
			return true;
	}
	return false;
}

bool stub_read_head(int fd, char *buf, size_t size)
{
	return read_until(fd, buf, size, "\r\n\r\n");
}

bool stub_read_line(int fd, char *buf, size_t size)
{
	if (!read_until(fd, buf, size, "\r\n"))
		return false;
	buf[strlen(buf) - 2] = '\0';
	return true;
}

void stub_write(int fd, const void *p, size_t n)
{
	const char *c = p;

	while (n > 0) {
		ssize_t w = send(fd, c, n, MSG_NOSIGNAL);

		if (w <= 0)
			return; /* the peer left: often what the test wants */
		c += w;
		n -= (size_t)w;
	}
}

void stub_puts(int fd, const char *text)
{
	stub_write(fd, text, strlen(text));
}

void stub_hang(struct stub_server *s, int fd)
{
	char c[256];

	while (wait_readable(s, fd) && read(fd, c, sizeof c) > 0)
		;
}
