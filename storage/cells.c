/* SPDX-License-Identifier: Apache-2.0 */
/* cells - blocks of cells, a free list, chains; see cells.h. */
#include "storage/cells.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define BLOCK_CELLS 4096u

void cells_init(struct cells *c)
{
	*c = (struct cells){.used = 1};
}

void cells_fini(struct cells *c)
{
	for (uint32_t i = 0; i < c->n_blocks; i++)
		free(c->blocks[i]);
	free(c->blocks);
	cells_init(c);
}

size_t cells_memory(const struct cells *c)
{
	return (size_t)c->n_blocks * BLOCK_CELLS * sizeof(struct cell) + c->extra_bytes;
}

static struct cell *at(const struct cells *c, uint32_t i)
{
	return &c->blocks[i / BLOCK_CELLS][i % BLOCK_CELLS];
}

static bool add_block(struct cells *c)
{
	struct cell *b;

	if (c->n_blocks == c->cap_blocks) {
		uint32_t cap = c->cap_blocks * 2 + 16;
		struct cell **v = realloc(c->blocks, cap * sizeof(struct cell *));

		if (v == NULL)
			return false;
		c->blocks = v;
		c->cap_blocks = cap;
	}
	b = aligned_alloc(64, BLOCK_CELLS * sizeof *b);
	if (b == NULL)
		return false;
	c->blocks[c->n_blocks++] = b;
	return true;
}

static uint32_t take(struct cells *c)
{
	uint32_t i = c->free;

	if (i != 0) {
		c->free = at(c, i)->next;
	} else {
		if (c->used / BLOCK_CELLS >= c->n_blocks && !add_block(c))
			return 0;
		i = c->used++;
	}
	at(c, i)->next = 0;
	return i;
}

bool chain_append(struct cells *c, struct chain *h, const void *p, size_t n)
{
	const uint8_t *from = p;
	struct chain was = *h;

	while (n > 0) {
		uint32_t at_last = h->len % CELL_BYTES;
		size_t room = CELL_BYTES - at_last, part;

		if (at_last == 0) {
			uint32_t i = take(c);

			if (i == 0) {
				chain_cut(c, h, was);
				return false;
			}
			if (h->last != 0)
				at(c, h->last)->next = i;
			else
				h->first = i;
			h->last = i;
		}
		part = n < room ? n : room;
		memcpy(at(c, h->last)->bytes + at_last, from, part);
		h->len += (uint32_t)part;
		from += part;
		n -= part;
	}
	return true;
}

void chain_copy(const struct cells *c, const struct chain *h, void *out)
{
	uint8_t *to = out;
	uint32_t left = h->len;

	for (uint32_t i = h->first; left > 0; i = at(c, i)->next) {
		uint32_t part = left < CELL_BYTES ? left : CELL_BYTES;

		ASSERT(i != 0);
		memcpy(to, at(c, i)->bytes, part);
		to += part;
		left -= part;
	}
}

uint32_t chain_ask(const struct cells *c, const struct chain *h)
{
	if (h->first != 0)
		__builtin_prefetch(at(c, h->first));
	return h->first;
}

uint32_t chain_ask_next(const struct cells *c, uint32_t i)
{
	uint32_t next = i != 0 ? at(c, i)->next : 0;

	if (next != 0)
		__builtin_prefetch(at(c, next));
	return next;
}

static void free_from(struct cells *c, uint32_t i)
{
	while (i != 0) {
		uint32_t next = at(c, i)->next;

		at(c, i)->next = c->free;
		c->free = i;
		i = next;
	}
}

void chain_free(struct cells *c, struct chain *h)
{
	free_from(c, h->first);
	*h = (struct chain){0};
}

void chain_cut(struct cells *c, struct chain *h, struct chain was)
{
	if (was.last == 0) {
		chain_free(c, h);
		return;
	}
	free_from(c, at(c, was.last)->next);
	at(c, was.last)->next = 0;
	*h = was;
}
