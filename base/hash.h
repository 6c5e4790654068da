/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - XXH3 with a seed drawn at start, for tables whose keys strangers choose.
 *
 * Never stored and never sent: another process hashes otherwise. Fingerprints that leave the
 * process are FNV-1a (labels_fingerprint), as Alertmanager's are.
 */
#ifndef BELFRY_BASE_HASH_H
#define BELFRY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Draws the seed (getrandom); safe to call more than once, from any thread. */
void hash_init(void);
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_str(struct str s);
/* With a caller's seed: for stored sketches (HyperLogLog), which must not change. */
uint64_t hash_fixed(const void *p, size_t n);
/* Fill p with random bytes; aborts when the kernel has none. */
void hash_random(void *p, size_t n);

#endif
