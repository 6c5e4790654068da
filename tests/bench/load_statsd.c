/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_statsd - sends StatsD packets to a port of 127.0.0.1 at a given rate.
 *
 * usage: load_statsd PORT LINES_PER_SECOND LINES SERIES plain|dog LINES_PER_PACKET
 *
 * LINES_PER_PACKET 0 fills the packets. All packets are formatted before the clock starts and then
 * sent round and round, in bursts of a millisecond. Prints what it sent as one JSON object. It
 * counts nothing of what arrives: the kernel does (the drops column of /proc/net/udp).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/statsd_mix.h"

#define PACKETS_MAX 65536u
#define BURST       64u
#define STRIDE      7919u       /* a prime: neighbours in a packet are no neighbours in a table */
#define LINES_MAX   100000000ul /* a load is never endless */

struct packet {
	char *p;
	unsigned n, lines;
};

static struct packet packets[PACKETS_MAX];
static unsigned n_packets;

/* Every series comes once in a round, in an order of chance. */
static void make_packets(unsigned series, bool tags, unsigned per_packet)
{
	unsigned seed = 7, next = 0, rounds = 0;

	while (n_packets < PACKETS_MAX && (rounds == 0 || n_packets < 4096)) {
		char text[MIX_PACKET + MIX_LINE];
		struct packet *k = &packets[n_packets++];
		int len;

		k->n = k->lines = 0;
		for (;;) {
			unsigned s = (unsigned)((unsigned long)next * STRIDE % series);

			len = mix_line(text + k->n, MIX_LINE, &seed, s, tags);
			if (len <= 0 || k->n + (unsigned)len > MIX_PACKET)
				break;
			k->n += (unsigned)len;
			k->lines++;
			next++;
			if (next == series) {
				next = 0;
				rounds++;
			}
			if (k->lines == per_packet)
				break;
		}
		k->p = malloc(k->n);
		if (k->p == NULL)
			abort();
		memcpy(k->p, text, k->n);
	}
}

static double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Packets from `at` on, up to BURST of them and about `lines` lines; how many went out. */
static unsigned send_some(int fd, unsigned at, unsigned long lines)
{
	struct mmsghdr m[BURST];
	struct iovec v[BURST];
	unsigned n = 0;
	int rc;

	memset(m, 0, sizeof m);
	for (unsigned long left = lines; n < BURST && left > 0; n++) {
		const struct packet *k = &packets[(at + n) % n_packets];

		v[n] = (struct iovec){k->p, k->n};
		m[n].msg_hdr.msg_iov = &v[n];
		m[n].msg_hdr.msg_iovlen = 1;
		left -= k->lines < left ? k->lines : left;
	}
	do
		rc = sendmmsg(fd, m, n, 0);
	while (rc < 0 && (errno == EINTR || errno == ECONNREFUSED));
	if (rc < 0) {
		perror("sendmmsg");
		exit(1);
	}
	return (unsigned)rc;
}

static void run(int fd, double rate, unsigned long lines)
{
	unsigned long sent = 0, sent_packets = 0;
	unsigned at = 0;
	double start = now_s(), took;

	while (sent < lines) {
		double due = (now_s() - start) * rate;
		unsigned long want = due < (double)lines ? (unsigned long)due : lines;

		if (want <= sent) {
			struct timespec pause = {.tv_nsec = 1000000};

			(void)nanosleep(&pause, NULL);
			continue;
		}
		for (unsigned n = send_some(fd, at, want - sent); n > 0; n--) {
			sent += packets[at].lines;
			sent_packets++;
			at = (at + 1) % n_packets;
		}
	}
	took = now_s() - start;
	printf("{\"lines\": %lu, \"packets\": %lu, \"seconds\": %.3f, \"lines_per_packet\": "
	       "%.2f}\n",
		sent, sent_packets, took, (double)sent / (double)sent_packets);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	unsigned long port, lines, series, per_packet;
	double rate;
	int fd;

	if (argc != 7) {
		(void)fprintf(stderr,
			"usage: load_statsd PORT LINES_PER_SECOND LINES SERIES plain|dog "
			"LINES_PER_PACKET\n");
		return 2;
	}
	port = strtoul(argv[1], NULL, 10);
	rate = strtod(argv[2], NULL);
	lines = strtoul(argv[3], NULL, 10);
	series = strtoul(argv[4], NULL, 10);
	per_packet = strtoul(argv[6], NULL, 10);
	if (port == 0 || port > 65535 || !(rate > 0) || lines == 0 || lines > LINES_MAX ||
		series == 0 || series > 1000000 || per_packet > 100)
		return 2;
	make_packets((unsigned)series, strcmp(argv[5], "dog") == 0, (unsigned)per_packet);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons((unsigned short)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("connect");
		return 1;
	}
	run(fd, rate, lines);
	(void)close(fd);
	return 0;
}
