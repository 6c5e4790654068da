/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_write - sends a reply from where it stands in memory, a slice a turn of the loop; a client
 * that takes nothing for the stall time is cut off. Loop thread only.
 */
#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "agent/http/internal.h"
#include "base/assert.h"

#define SLICE_BYTES ((size_t)512 << 10) /* what one callback sends at most */

void conn_start_reply(struct http_conn *c)
{
	ASSERT(c->state == CONN_WRITE);
	conn_timer(c, c->s->lim.stall_ms);
	conn_write(c);
}

/* Head and body from r->sent on, at most a slice. */
static int slices(const struct http_req *r, struct iovec iov[2])
{
	size_t head = r->out_head.n, left = SLICE_BYTES;
	int n = 0;

	if (r->sent < head) {
		iov[n].iov_base = r->out_head.p + r->sent;
		iov[n++].iov_len = head - r->sent;
	}
	if (r->out.n > 0) {
		size_t at = r->sent > head ? r->sent - head : 0;

		if (at < r->out.n) {
			iov[n].iov_base = r->out.p + at;
			iov[n].iov_len = r->out.n - at < left ? r->out.n - at : left;
			n++;
		}
	}
	return n;
}

void conn_write(struct http_conn *c)
{
	struct http_req *r = c->req;
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov};
	ssize_t sent;

	if (c->state != CONN_WRITE)
		return;
	if (r->out_head.failed) {
		conn_close(c);
		return;
	}
	msg.msg_iovlen = (size_t)slices(r, iov);
	do
		sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN) {
		conn_close(c);
		return;
	}
	if (sent > 0) {
		r->sent += (size_t)sent;
		conn_timer(c, c->s->lim.stall_ms);
	}
	if (r->sent < r->out_head.n + r->out.n)
		(void)event_add(c->wr, NULL);
	else
		conn_reply_sent(c);
}
