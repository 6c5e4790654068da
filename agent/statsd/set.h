/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set - how many different members a StatsD set saw in one flush interval.
 *
 * Exact up to SET_EXACT members (their 64-bit hashes), then a HyperLogLog of 4096 registers:
 * standard error 1.6 %. Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog" (2007), with
 * linear counting for small results; with 64-bit hashes no correction for large ones is needed.
 */
#ifndef BELFRY_AGENT_STATSD_SET_H
#define BELFRY_AGENT_STATSD_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SET_EXACT 64u

struct set {
	uint64_t *hashes;   /* while exact: n of them, unsorted */
	uint8_t *registers; /* NULL while exact */
	uint32_t n, cap;
};

void set_init(struct set *s);
void set_fini(struct set *s);
void set_add(struct set *s, struct str member);
double set_estimate(const struct set *s);
/* A new interval begins; memory of a large set goes back. */
void set_clear(struct set *s);
size_t set_bytes(const struct set *s);

#endif
