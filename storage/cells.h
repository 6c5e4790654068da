/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells - byte strings that grow at their end, as chains of 64-byte cells.
 *
 * An open strip is such a chain: growing it copies nothing, and a freed cell fits every other
 * strip, so that memory follows the bytes in use closely. Written by the storage writer under the
 * store's write lock (cells move when the table of blocks grows), read under the read lock.
 */
#ifndef BELFRY_STORAGE_CELLS_H
#define BELFRY_STORAGE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELL_BYTES 60u /* of content; with the link a cell is a cache line */

struct cell {
	uint8_t bytes[CELL_BYTES];
	uint32_t next;
};

struct cells {
	struct cell **blocks;
	uint32_t n_blocks, cap_blocks;
	uint32_t used; /* cells ever handed out; 0 is none */
	uint32_t free;
	size_t extra_bytes; /* accounted here by owners of strips: other memory of theirs */
};

struct chain {
	uint32_t first, last; /* 0: empty */
	uint32_t len;
};

void cells_init(struct cells *c);
void cells_fini(struct cells *c);
size_t cells_memory(const struct cells *c);
/* All or nothing: false without memory. */
bool chain_append(struct cells *c, struct chain *h, const void *p, size_t n);
/* Copy the whole chain to out (h->len bytes). */
void chain_copy(const struct cells *c, const struct chain *h, void *out);
void chain_free(struct cells *c, struct chain *h);
/* Forget what was appended after the chain was as in `was`. */
void chain_cut(struct cells *c, struct chain *h, struct chain was);
/* Ask for the first cell; for the cell behind number i, which is there (its number, 0: none). */
uint32_t chain_ask(const struct cells *c, const struct chain *h);
uint32_t chain_ask_next(const struct cells *c, uint32_t i);
/* Ask for the cache line the next append goes to. */
static inline void chain_prefetch(const struct cells *c, const struct chain *h)
{
	if (h->last != 0)
		__builtin_prefetch(&c->blocks[h->last >> 12][h->last & 4095], 1);
}

#endif
