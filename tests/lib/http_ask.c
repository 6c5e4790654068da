/* SPDX-License-Identifier: Apache-2.0 */
/* http_ask - see http_ask.h. */
#include "tests/lib/http_ask.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"

int ask_dial(int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval tv = {20, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	return fd;
}

void ask_say(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return; /* the server may have enough of it */
		p += w;
		n -= (size_t)w;
	}
}

/* Until the server closes: the whole of what it said. */
char *ask_hear(int fd, size_t *len)
{
	struct buf b;
	char tmp[65536];
	ssize_t n;

	buf_init(&b, (size_t)64 << 20);
	while ((n = recv(fd, tmp, sizeof tmp, 0)) > 0)
		buf_add(&b, tmp, (size_t)n);
	if (n != 0 || b.failed)
		abort();
	close(fd);
	buf_ch(&b, '\0');
	b.n--;
	return buf_take(&b, len);
}
