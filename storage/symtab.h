/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symtab - every label name and value once, by a number.
 *
 * Numbers count from 1 in order of first sight; strings never move and are never freed while the
 * table lives, so views of them may be kept. Written by the storage writer under the store's
 * write lock; read under the read lock.
 */
#ifndef BELFRY_STORAGE_SYMTAB_H
#define BELFRY_STORAGE_SYMTAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct symbol {
	const char *p;
	uint32_t n;
	uint64_t hash; /* hash_str */
};

struct symtab {
	struct symbol *v; /* v[0] is unused */
	uint32_t n, cap;  /* n: the next number */
	uint32_t *slots;
	uint32_t mask;
	char *block; /* where the next string goes */
	size_t block_left;
	char **blocks;
	size_t n_blocks, cap_blocks;
	size_t bytes;
};

void symtab_init(struct symtab *t);
void symtab_fini(struct symtab *t);
/* 0 when unknown. */
uint32_t symtab_find(const struct symtab *t, struct str s);
/* The number of s, a new one if need be; 0 without memory. */
uint32_t symtab_add(struct symtab *t, struct str s);
static inline struct str symtab_str(const struct symtab *t, uint32_t id)
{
	return (struct str){t->v[id].p, t->v[id].n};
}
size_t symtab_memory(const struct symtab *t);

#endif
