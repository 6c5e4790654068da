/* SPDX-License-Identifier: Apache-2.0 */
/* fd - descriptors, listening sockets and small files; see fd.h. */
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/num.h"

/* "[v6]:port", "host:port", ":port" into host and port texts. */
static int split_host_port(struct str s, struct str *host, struct str *port, struct err *e)
{
	size_t colon = s.n;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return err_set(e, ERR_INPUT, 0, "address \"" STR_FMT "\" has no port", STR_ARG(s));
	*host = str_sub(s, 0, colon - 1);
	*port = str_sub(s, colon, s.n);
	if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = str_sub(*host, 1, host->n - 1);
	return 0;
}

int fd_addr_parse(struct str s, struct fd_addr *out, struct err *e)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *res = NULL;
	struct str whole = s, host = STR_NULL, port = STR_NULL;
	char host_c[256], port_c[8];
	long long number;
	int rc;

	if (str_starts(s, STR("udp://")) || str_starts(s, STR("tcp://")))
		s = str_sub(s, 6, s.n);
	if (split_host_port(s, &host, &port, e) != 0)
		return -1;
	if (!str_to_i64(port, &number) || number < 0 || number > 65535)
		return err_set(e, ERR_INPUT, 0,
			"address \"" STR_FMT "\": the port must be 0 to 65535", STR_ARG(whole));
	if (host.n >= sizeof host_c || (host.n > 0 && memchr(host.p, '\0', host.n) != NULL))
		return err_set(
			e, ERR_INPUT, 0, "address \"" STR_FMT "\": bad host", STR_ARG(whole));
	if (host.n > 0)
		memcpy(host_c, host.p, host.n);
	host_c[host.n] = '\0';
	(void)snprintf(port_c, sizeof port_c, "%lld", number);
	rc = getaddrinfo(host.n > 0 ? host_c : NULL, port_c, &hints, &res);
	if (rc != 0)
		return err_set(e, ERR_INPUT, rc, "cannot resolve \"" STR_FMT "\": %s",
			STR_ARG(whole), gai_strerror(rc));
	memset(out, 0, sizeof *out);
	memcpy(&out->sa, res->ai_addr, res->ai_addrlen);
	out->len = res->ai_addrlen;
	freeaddrinfo(res);
	return 0;
}

bool fd_addr_is_loopback(const struct fd_addr *a)
{
	if (a->sa.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &a->sa, sizeof in);
		return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
	}
	if (a->sa.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &a->sa, sizeof in6);
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) != 0;
	}
	return a->sa.ss_family == AF_UNIX;
}

static int bind_socket(const struct fd_addr *a, int type, struct err *e)
{
	int fd = socket(a->sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0)
		return err_set(e, ERR_IO, errno, "cannot open a socket: %s", err_strerror(errno));
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0)
		goto fail;
	return fd;
fail:
	err_set(e, ERR_IO, errno, "cannot set up a socket: %s", err_strerror(errno));
	(void)close(fd);
	return -1;
}

static int bind_addr(int fd, const struct fd_addr *a, struct err *e)
{
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return 0;
	return err_set(e, ERR_IO, errno, "cannot bind: %s", err_strerror(errno));
}

int fd_udp_listen(const struct fd_addr *a, int rcvbuf, bool reuseport, struct err *e)
{
	int fd = bind_socket(a, SOCK_DGRAM, e);
	int one = 1;

	if (fd < 0)
		return -1;
	if (reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) {
		err_set(e, ERR_IO, errno, "cannot share the port: %s", err_strerror(errno));
		goto close_fd;
	}
	/* the kernel clips to net.core.rmem_max: less is fine, drops are counted */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
	if (bind_addr(fd, a, e) == 0)
		return fd;
close_fd:
	(void)close(fd);
	return -1;
}

int fd_tcp_listen(const struct fd_addr *a, int backlog, struct err *e)
{
	int fd = bind_socket(a, SOCK_STREAM, e);

	if (fd < 0)
		return -1;
	if (bind_addr(fd, a, e) != 0)
		goto close_fd;
	if (listen(fd, backlog) == 0)
		return fd;
	err_set(e, ERR_IO, errno, "cannot listen: %s", err_strerror(errno));
close_fd:
	(void)close(fd);
	return -1;
}

int fd_port(int fd)
{
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof ss;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return -1;
	if (ss.ss_family == AF_INET) {
		memcpy(&in, &ss, sizeof in);
		return ntohs(in.sin_port);
	}
	if (ss.ss_family == AF_INET6) {
		memcpy(&in6, &ss, sizeof in6);
		return ntohs(in6.sin6_port);
	}
	return -1;
}

void fd_close(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* after EINTR the descriptor is gone on Linux: never again */
}

static int read_all(int fd, char *p, size_t n, size_t *got, struct err *e)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = read(fd, p + *got, n - *got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(e, ERR_IO, errno, "cannot read: %s", err_strerror(errno));
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return 0;
}

int fd_read_file(const char *path, size_t max, struct arena *a, struct str *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;
	size_t got, room;
	int rc = -1;

	if (fd < 0)
		return err_set(
			e, ERR_INPUT, errno, "cannot open %s: %s", path, err_strerror(errno));
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		err_set(e, ERR_INPUT, EISDIR, "cannot read %s: not a file", path);
		goto close_fd;
	}
	if (st.st_size > 0 && (uint64_t)st.st_size > max) {
		err_set(e, ERR_LIMIT, 0, "%s is larger than %zu bytes", path, max);
		goto close_fd;
	}
	/* files of /proc and pipes say 0: read up to the limit */
	room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size
						     : MIN_OF(max, (size_t)65536);
	p = arena_alloc(a, room + 1, 1);
	if (p == NULL) {
		err_set(e, ERR_LIMIT, 0, "cannot read %s: out of memory", path);
		goto close_fd;
	}
	rc = read_all(fd, p, room, &got, e);
	if (rc == 0)
		*out = str_n(p, got);
close_fd:
	(void)close(fd);
	return rc;
}

int fd_mkdir_p(const char *path, struct err *e)
{
	char part[4096];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof part)
		return err_set(e, ERR_INPUT, 0, "bad directory name");
	for (size_t i = 1; i <= n; i++) {
		if (i < n && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0750) != 0 && errno != EEXIST)
			return err_set(e, ERR_IO, errno, "cannot make directory %s: %s", part,
				err_strerror(errno));
	}
	return 0;
}

int fd_disk_space(const char *path, uint64_t *free_bytes, uint64_t *total, struct err *e)
{
	struct statvfs v;

	if (statvfs(path, &v) != 0)
		return err_set(e, ERR_IO, errno, "cannot look at the file system of %s: %s", path,
			err_strerror(errno));
	*free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	*total = (uint64_t)v.f_blocks * v.f_frsize;
	return 0;
}
