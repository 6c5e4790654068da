/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_statsd - parse and aggregate, without sockets: ns a line over full packets of a mix like
 * that of a web service (55 % counters, 25 % timers, 20 % gauges), plain and with DogStatsD tags.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/statsd/table.h"
#include "tests/bench/statsd_mix.h"

#define SERIES  10000u
#define PACKETS 4096u
#define LINES   5000000u

static char packets[PACKETS][MIX_PACKET + MIX_LINE];
static size_t sizes[PACKETS];
static unsigned seed = 1;

static int line(char *out, size_t size, bool tags)
{
	return mix_line(out, size, &seed, mix_rnd(&seed, SERIES), tags);
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

		while ((got = (size_t)line(packets[i] + n, MIX_LINE, tags)) + n <= MIX_PACKET)
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
