/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot - where within its interval a periodic thing has its place: offset + k * interval of wall
 * time, the same after each restart.
 *
 * A breach waits for the next scrape, and then for the next evaluation. When both are spread over
 * the whole interval, as is usual, the second wait is half an interval in the mean. So time is
 * divided into units (the shorter of the two usual intervals), and each unit into a part in which
 * targets are scraped, and behind it a part in which rules are evaluated: what was scraped is
 * looked at soon. Both parts are spread by hash, and get wider where many must share them, up to
 * the whole unit. StatsD flushes at whole multiples of its interval: at the start of a unit.
 */
#ifndef BELFRY_BASE_SLOT_H
#define BELFRY_BASE_SLOT_H

#include <stddef.h>
#include <stdint.h>

/* Offset in 0 .. interval_ms - 1 of one of n targets. unit_ms: 0, or one that does not divide the
 * interval: the interval itself is the unit. Thread-safe, pure. */
int64_t slot_of_scrape(uint64_t hash, int64_t interval_ms, int64_t unit_ms, size_t n);
/* The same for one of n rule groups. */
int64_t slot_of_rules(uint64_t hash, int64_t interval_ms, int64_t unit_ms, size_t n);

#endif
