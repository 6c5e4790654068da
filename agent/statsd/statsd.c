/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statsd - the reader thread: sockets in, table, flushes out; see statsd.h.
 *
 * One thread reads all sockets into one table: two tables would each have a total of their own for
 * one series. It reads up to 64 datagrams a system call; when the sockets are empty it pauses for
 * some milliseconds before it looks again (as long as the receive buffer holds that easily), so
 * that a steady stream costs a wake-up per many packets, not per packet.
 */
#include "agent/statsd/statsd.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/statsd/flush.h"
#include "agent/statsd/table.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/role.h"

#define SOCKETS_MAX   16u
#define BATCH         64u /* datagrams a recvmmsg */
#define ROUNDS        64u /* recvmmsg a socket before others have their turn */
#define RCVBUF        (4 << 20)
#define READER_NICE   (-10)
#define STOP_WAIT_MS  5000 /* for the store, at the end, twice */
#define CONTROL_BYTES CMSG_SPACE(sizeof(uint32_t))

struct statsd_socket {
	int fd;
	uint32_t drops; /* the kernel's count when last seen */
};

struct statsd {
	struct statsd_socket sockets[SOCKETS_MAX];
	unsigned n;
	int64_t interval_ms;
	int64_t next_flush_ms; /* wall clock, a multiple of interval_ms */
	int pause_ms;
	struct statsd_table *table;
	struct statsd_flush *flush;
	int stop_fd;
	pthread_t thread;
	bool running;
	/* recvmmsg's */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][CONTROL_BYTES];
	char *bytes; /* BATCH * LIMIT_STATSD_PACKET, untouched pages cost nothing */
	struct metric *packets, *lines, *series, *memory, *refused[STATSD_REASONS];
};

/* ---- counting ---- */

static void make_metrics(struct statsd *s)
{
	s->packets = metric_counter("belfry_statsd_packets_total", "Datagrams received.", NULL);
	s->lines =
		metric_counter("belfry_statsd_lines_total", "Lines received, bad ones too.", NULL);
	s->series = metric_gauge("belfry_statsd_series", "Live StatsD series.", NULL);
	s->memory = metric_gauge("belfry_statsd_memory_bytes", "Memory of the StatsD table.", NULL);
	metric_set(metric_gauge("belfry_statsd_series_limit", "Most series the table takes.", NULL),
		LIMIT_STATSD_SERIES);
	metric_set(
		metric_gauge("belfry_statsd_memory_limit_bytes", "Most memory of the table.", NULL),
		LIMIT_STATSD_BYTES);
	for (unsigned r = STATSD_OK + 1; r < STATSD_REASONS; r++) {
		s->refused[r] = metric_counter_l("belfry_statsd_dropped_total",
			"What was dropped or refused, by reason.", "reason",
			str_c(statsd_reason_name((enum statsd_reason)r)));
	}
}

static void publish_counts(struct statsd *s)
{
	struct statsd_table *t = s->table;

	metric_add(s->packets, t->packets);
	metric_add(s->lines, t->lines);
	for (unsigned r = STATSD_OK + 1; r < STATSD_REASONS; r++) {
		if (t->refused[r] > 0)
			metric_add(s->refused[r], t->refused[r]);
	}
	if (t->refused[STATSD_LIMIT] > 0) {
		METRIC_LIMIT("statsd_series");
		log_warn("statsd",
			"msg=\"series limit reached, new series are refused\" series=%zu "
			"bytes=%zu",
			t->n_cells, t->bytes);
	}
	metric_set(s->series, (double)t->n_cells);
	metric_set(s->memory, (double)t->bytes);
	t->packets = t->lines = 0;
	memset(t->refused, 0, sizeof t->refused);
}

static void note_drops(struct statsd_socket *k, uint32_t drops)
{
	if (drops == k->drops)
		return;
	METRIC_DROP("statsd", "kernel", drops - k->drops); /* modulo 2^32, as the kernel counts */
	k->drops = drops;
}

/* What was dropped since the last packet that came through. */
static void ask_drops(struct statsd_socket *k)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof info;

	if (getsockopt(k->fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 &&
		len > SK_MEMINFO_DROPS * sizeof info[0])
		note_drops(k, info[SK_MEMINFO_DROPS]);
}

/* ---- receiving ---- */

static void init_buffers(struct statsd *s)
{
	s->bytes = malloc((size_t)BATCH * LIMIT_STATSD_PACKET);
	ASSERT(s->bytes != NULL);
	for (unsigned i = 0; i < BATCH; i++) {
		s->iov[i] = (struct iovec){
			s->bytes + (size_t)i * LIMIT_STATSD_PACKET, LIMIT_STATSD_PACKET};
		s->msgs[i].msg_hdr = (struct msghdr){.msg_iov = &s->iov[i],
			.msg_iovlen = 1,
			.msg_control = s->control[i],
			.msg_controllen = CONTROL_BYTES};
	}
}

/* SO_RXQ_OVFL: the socket's drops so far, with a packet that came after one. */
static void read_control(struct statsd_socket *k, struct msghdr *h)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
		uint32_t drops;

		memcpy(&drops, CMSG_DATA(c), sizeof drops);
		note_drops(k, drops);
	}
}

/* Everything that waits, within bounds; how many packets it was. */
static unsigned read_socket(struct statsd *s, struct statsd_socket *k)
{
	unsigned total = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		int n = recvmmsg(k->fd, s->msgs, BATCH, MSG_DONTWAIT, NULL);

		if (n <= 0)
			break; /* nothing there, or a passing error that the next call gets too */
		for (int i = 0; i < n; i++) {
			statsd_table_queue(s->table, str_n(s->iov[i].iov_base, s->msgs[i].msg_len));
			if (s->msgs[i].msg_hdr.msg_controllen > 0)
				read_control(k, &s->msgs[i].msg_hdr);
			s->msgs[i].msg_hdr.msg_controllen = CONTROL_BYTES;
		}
		statsd_table_settle(s->table);
		total += (unsigned)n;
		if ((unsigned)n < BATCH)
			break;
	}
	return total;
}

static unsigned read_sockets(struct statsd *s)
{
	unsigned total = 0;

	for (unsigned i = 0; i < s->n; i++)
		total += read_socket(s, &s->sockets[i]);
	return total;
}

static void read_between(void *arg)
{
	(void)read_sockets(arg);
}

/* ---- flushing ---- */

static void set_next_flush(struct statsd *s, int64_t now_ms)
{
	s->next_flush_ms = (i64_floor_div(now_ms, s->interval_ms) + 1) * s->interval_ms;
}

static void flush_if_due(struct statsd *s)
{
	int64_t now = clock_wall_ms();

	if (now < s->next_flush_ms - 2 * s->interval_ms) /* the clock was set back */
		set_next_flush(s, now);
	if (now < s->next_flush_ms)
		return;
	(void)read_sockets(s);
	for (unsigned i = 0; i < s->n; i++)
		ask_drops(&s->sockets[i]);
	statsd_flush_run(
		s->flush, i64_floor_div(now, s->interval_ms) * s->interval_ms, read_between, s);
	set_next_flush(s, now);
	publish_counts(s);
}

/* What came until now, as the next flush time's: the next process goes on behind that. */
static void last_flush(struct statsd *s)
{
	while (read_sockets(s) > 0)
		;
	if (statsd_flush_wait(s->flush, STOP_WAIT_MS) && statsd_flush_is_due(s->flush)) {
		set_next_flush(s, clock_wall_ms());
		statsd_flush_run(s->flush, s->next_flush_ms, NULL, NULL);
	}
	if (!statsd_flush_wait(s->flush, STOP_WAIT_MS))
		log_error("statsd", "msg=\"the store did not take the last flush in time\"");
	publish_counts(s);
}

/* ---- thread ---- */

static bool is_stopping(const struct statsd *s)
{
	struct pollfd p = {.fd = s->stop_fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Until a packet, an answer of the store, the end, or the next flush. After packets the sockets
 * are left alone for a pause. */
static void wait_for_work(struct statsd *s, bool pause)
{
	struct pollfd p[SOCKETS_MAX + 2] = {
		{s->stop_fd, POLLIN, 0}, {statsd_flush_fd(s->flush), POLLIN, 0}};
	nfds_t n = 2;
	int ms = clock_wait_ms(MAX_OF(s->next_flush_ms - clock_wall_ms(), 0));

	if (pause)
		ms = MIN_OF(ms, s->pause_ms);
	for (unsigned i = 0; i < s->n && !pause; i++)
		p[n++] = (struct pollfd){s->sockets[i].fd, POLLIN, 0};
	(void)poll(p, n, ms); /* EINTR and the like: the caller looks at everything anyway */
}

static void *reader_main(void *arg)
{
	struct statsd *s = arg;
	unsigned packets = 0;

	role_enter(ROLE_STATSD);
	/* the one thread whose lateness loses data goes first, where the system lets it
	 * (RLIMIT_NICE) */
	(void)setpriority(PRIO_PROCESS, 0, READER_NICE);
	while (!is_stopping(s)) {
		wait_for_work(s, packets > 0 && s->pause_ms > 0);
		statsd_flush_collect(s->flush);
		packets = read_sockets(s);
		if (s->table->packets > 0)
			publish_counts(s);
		flush_if_due(s);
	}
	last_flush(s);
	return NULL;
}

/* ---- starting and stopping ---- */

/* The larger the buffer, the longer the sockets may be left alone; at 500,000 packets a second 4 ms
 * fill a third of a buffer of 8 MiB. */
static int pause_for(int fd)
{
	int bytes = 0;
	socklen_t len = sizeof bytes;

	(void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len);
	if (bytes >= 8 << 20)
		return 4;
	return bytes >= 2 << 20 ? 1 : 0;
}

static int open_sockets(struct statsd *s, const struct statsd_opts *o, struct err *e)
{
	int size = RCVBUF;

	if (o->n_listen > SOCKETS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %u addresses", SOCKETS_MAX);
	s->pause_ms = 4;
	for (size_t i = 0; i < o->n_listen; i++) {
		struct fd_addr addr;
		int fd;

		if (fd_addr_parse(o->listen[i], &addr, e) != 0)
			return -1;
		fd = fd_udp_listen(&addr, RCVBUF, false, e);
		if (fd < 0)
			return err_wrap(e, STR_FMT, STR_ARG(o->listen[i]));
		/* past net.core.rmem_max where we may */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
		s->sockets[s->n++].fd = fd;
		s->pause_ms = MIN_OF(s->pause_ms, pause_for(fd));
	}
	return 0;
}

static void free_statsd(struct statsd *s)
{
	for (unsigned i = 0; i < s->n; i++)
		fd_close(s->sockets[i].fd);
	fd_close(s->stop_fd);
	if (s->flush != NULL && statsd_flush_pending(s->flush) > 0)
		return; /* the store still has our batches: rather lose memory than answer into
			   nothing */
	statsd_flush_free(s->flush);
	statsd_table_free(s->table);
	free(s->bytes);
	free(s);
}

int statsd_start(
	struct statsd **out, const struct statsd_opts *o, struct store *store, struct err *e)
{
	struct statsd *s = calloc(1, sizeof *s);
	int rc;

	ASSERT(s != NULL);
	ASSERT(o->flush_interval_ms > 0);
	s->interval_ms = o->flush_interval_ms;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->table = statsd_table_new(o->counter_suffix);
	s->flush = statsd_flush_new(s->table, store, o->flush_interval_ms, o->idle_timeout_ms);
	init_buffers(s);
	make_metrics(s);
	set_next_flush(s, clock_wall_ms());
	if (s->stop_fd < 0) {
		err_set(e, ERR_IO, errno, "cannot make an eventfd: %s", err_strerror(errno));
		goto free_all;
	}
	if (open_sockets(s, o, e) != 0 || statsd_flush_restore(s->flush, e) != 0)
		goto free_all;
	rc = pthread_create(&s->thread, NULL, reader_main, s);
	if (rc != 0) {
		err_set(e, ERR_IO, rc, "cannot start the statsd reader: %s", err_strerror(rc));
		goto free_all;
	}
	s->running = true;
	log_info("statsd", "msg=listening port=%d sockets=%u series=%zu pause_ms=%d",
		statsd_port(s), s->n, s->table->n_cells, s->pause_ms);
	*out = s;
	return 0;
free_all:
	free_statsd(s);
	return -1;
}

void statsd_stop(struct statsd *s)
{
	if (s == NULL)
		return;
	if (s->running) {
		int rc = eventfd_write(s->stop_fd, 1);

		ASSERT(rc == 0);
		(void)pthread_join(s->thread, NULL);
	}
	free_statsd(s);
}

int statsd_port(const struct statsd *s)
{
	return s->n > 0 ? fd_port(s->sockets[0].fd) : 0;
}
