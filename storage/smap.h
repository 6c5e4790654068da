/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smap - a small table of byte strings by byte string: facts not yet in the catalog, metadata.
 *
 * Entries keep the order of their first insertion. Written by the storage writer under the
 * store's write lock, read under the read lock.
 */
#ifndef BELFRY_STORAGE_SMAP_H
#define BELFRY_STORAGE_SMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct smap_entry {
	struct str key, value; /* the entry's own memory */
	bool dirty;            /* for the owner: not yet written */
};

struct smap {
	struct smap_entry *v;
	size_t n, cap;
	uint32_t *slots; /* index + 1 */
	uint32_t mask;
	size_t bytes;
};

void smap_init(struct smap *m);
void smap_fini(struct smap *m); /* also empties it for further use */
/* Insert or replace; false without memory. dirty is set when the value changed. */
bool smap_set(struct smap *m, struct str key, struct str value);
const struct smap_entry *smap_get(const struct smap *m, struct str key);

#endif
