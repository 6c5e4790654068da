/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd - file descriptors and small files, always CLOEXEC; EINTR is retried here and nowhere else.
 */
#ifndef BELFRY_BASE_FD_H
#define BELFRY_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* host:port, [v6]:port, :port, udp://host:port, tcp://host:port; numeric or a name. */
struct fd_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};
int fd_addr_parse(struct str s, struct fd_addr *out, struct err *e) MUST_CHECK;
bool fd_addr_is_loopback(const struct fd_addr *a);

/* Bound non-blocking sockets; -1 and *e on failure. Port 0 picks one: fd_port tells which. */
int fd_udp_listen(const struct fd_addr *a, int rcvbuf, bool reuseport, struct err *e) MUST_CHECK;
int fd_tcp_listen(const struct fd_addr *a, int backlog, struct err *e) MUST_CHECK;
int fd_port(int fd);
void fd_close(int fd); /* -1 is allowed */

/* The whole of a file, at most max bytes, into the arena (NUL behind). */
int fd_read_file(
	const char *path, size_t max, struct arena *a, struct str *out, struct err *e) MUST_CHECK;
/* Create path and its parents with mode 0750; fine when it is there. */
int fd_mkdir_p(const char *path, struct err *e) MUST_CHECK;
/* Free bytes and total bytes of the file system that holds path. */
int fd_disk_space(
	const char *path, uint64_t *free_bytes, uint64_t *total, struct err *e) MUST_CHECK;

#endif
