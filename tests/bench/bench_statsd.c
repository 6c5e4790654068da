/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_statsd - parse and aggregate, without sockets: ns a line over full packets of a mix like
 * that of a web service (55 % counters, 25 % timers, 20 % gauges), plain and with DogStatsD tags.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/statsd/table.h"

#define SERIES  10000u
#define PACKETS 4096u
#define PACKET  1432u
#define LINES   5000000u

static char packets[PACKETS][PACKET + 200];
static size_t sizes[PACKETS];
static unsigned seed = 1;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static int line(char *out, size_t size, bool tags)
{
	unsigned s = rnd(SERIES), t = s % 20;
	char tail[150] = "";

	if (tags)
		(void)snprintf(tail, sizeof tail,
			"|#env:prod,service:svc%u,host:host-%04u,route:cart,shard:%u", s % 23,
			s / 8, s);
	if (t < 11)
		return snprintf(out, size, "app%u.http.cart.requests:%u|c%s%s\n", s, 1 + rnd(9),
			t < 3 ? "|@0.1" : "", tail);
	if (t < 15)
		return snprintf(out, size, "app%u.pool.cart.used:%u|g%s\n", s, rnd(100000), tail);
	return snprintf(
		out, size, "app%u.http.cart.latency:%u.%u|ms%s\n", s, 1 + rnd(900), rnd(10), tail);
}

static double cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run(const char *name, bool tags)
{
	struct statsd_table *t = statsd_table_new(STR("_total"));
	unsigned long lines = 0;
	double start, spent;

	for (unsigned i = 0; i < PACKETS; i++) {
		size_t n = 0, got;

		while ((got = (size_t)line(packets[i] + n, 200, tags)) + n <= PACKET)
			n += got;
		sizes[i] = n;
	}
	for (unsigned i = 0; i < PACKETS; i++) /* all series are known: the usual state */
		statsd_table_packet(t, str_n(packets[i], sizes[i]));
	t->lines = 0;
	start = cpu_seconds();
	for (unsigned i = 0; t->lines < LINES; i = (i + 1) % PACKETS)
		statsd_table_packet(t, str_n(packets[i], sizes[i]));
	spent = cpu_seconds() - start;
	lines = t->lines;
	printf("statsd_%s_line %.1f ns\n", name, spent * 1e9 / (double)lines);
	printf("statsd_%s_series %zu series\n", name, t->n_cells);
	printf("statsd_%s_bytes_per_series %.0f bytes\n", name,
		(double)t->bytes / (double)t->n_cells);
	statsd_table_free(t);
}

int main(void)
{
	run("plain", false);
	run("dog", true);
	return 0;
}
