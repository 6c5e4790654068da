/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statsd_mix - the StatsD lines of all our benchmarks: those of a web service, 55 % counters (3 in
 * 11 of them sampled), 25 % timers, 20 % gauges, plain or with five DogStatsD tags. The series
 * decides the type, so that a name is never two things.
 */
#ifndef BELFRY_TESTS_BENCH_STATSD_MIX_H
#define BELFRY_TESTS_BENCH_STATSD_MIX_H

#include <stdbool.h>
#include <stdio.h>

#define MIX_PACKET 1432u /* bytes of a full packet: what fits an Ethernet frame */
#define MIX_LINE   200u  /* no line is longer */

/* A small generator, so that every run sends the same. */
static inline unsigned mix_rnd(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % n;
}

/* Writes one line of a series with its newline; returns its length. */
static inline int mix_line(char *out, size_t size, unsigned *seed, unsigned s, bool tags)
{
	unsigned t = s % 20;
	char tail[150] = "";

	if (tags)
		(void)snprintf(tail, sizeof tail,
			"|#env:prod,service:svc%u,host:host-%04u,route:cart,shard:%u", s % 23,
			s / 8, s);
	if (t < 11)
		return snprintf(out, size, "app%u.http.cart.requests:%u|c%s%s\n", s,
			1 + mix_rnd(seed, 9), t < 3 ? "|@0.1" : "", tail);
	if (t < 15)
		return snprintf(
			out, size, "app%u.pool.cart.used:%u|g%s\n", s, mix_rnd(seed, 100000), tail);
	return snprintf(out, size, "app%u.http.cart.latency:%u.%u|ms%s\n", s,
		1 + mix_rnd(seed, 900), mix_rnd(seed, 10), tail);
}

#endif
