/* SPDX-License-Identifier: Apache-2.0 */
/* symtab - interned strings in blocks, found through an open hash table; see symtab.h. */
#include "storage/symtab.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"

#define BLOCK_BYTES ((size_t)64 << 10)

void symtab_init(struct symtab *t)
{
	*t = (struct symtab){.n = 1};
}

void symtab_fini(struct symtab *t)
{
	for (size_t i = 0; i < t->n_blocks; i++)
		free(t->blocks[i]);
	free(t->blocks);
	free(t->slots);
	free(t->v);
	*t = (struct symtab){.n = 1};
}

static uint32_t *slot_of(const struct symtab *t, struct str s, uint64_t h)
{
	uint32_t i = (uint32_t)h & t->mask;

	for (;; i = (i + 1) & t->mask) {
		uint32_t id = t->slots[i];

		if (id == 0)
			return &t->slots[i];
		if (t->v[id].hash == h && str_eq(symtab_str(t, id), s))
			return &t->slots[i];
	}
}

uint32_t symtab_find(const struct symtab *t, struct str s)
{
	return t->slots == NULL ? 0 : *slot_of(t, s, hash_str(s));
}

static bool grow_slots(struct symtab *t)
{
	uint32_t size = t->slots == NULL ? 1024 : (t->mask + 1) * 2;
	uint32_t *slots = calloc(size, sizeof *slots);

	if (slots == NULL)
		return false;
	for (uint32_t id = 1; id < t->n; id++) {
		uint32_t i = (uint32_t)t->v[id].hash & (size - 1);

		while (slots[i] != 0)
			i = (i + 1) & (size - 1);
		slots[i] = id;
	}
	free(t->slots);
	t->slots = slots;
	t->mask = size - 1;
	return true;
}

static bool grow_symbols(struct symtab *t)
{
	uint32_t cap = MAX_OF(t->cap + t->cap / 2, 256u);
	struct symbol *v = realloc(t->v, cap * sizeof *v);

	if (v == NULL)
		return false;
	t->v = v;
	t->cap = cap;
	return true;
}

static bool new_block(struct symtab *t, size_t need)
{
	size_t size = MAX_OF(need, BLOCK_BYTES);
	char *b;

	if (t->n_blocks == t->cap_blocks) {
		size_t cap = t->cap_blocks * 2 + 16;
		char **blocks = realloc(t->blocks, cap * sizeof *blocks);

		if (blocks == NULL)
			return false;
		t->blocks = blocks;
		t->cap_blocks = cap;
	}
	b = malloc(size);
	if (b == NULL)
		return false;
	t->blocks[t->n_blocks++] = b;
	t->block = b;
	t->block_left = size;
	t->bytes += size;
	return true;
}

uint32_t symtab_add(struct symtab *t, struct str s)
{
	uint64_t h = hash_str(s);
	uint32_t *slot;

	if (t->n >= UINT32_MAX / 2 || s.n > UINT32_MAX)
		return 0;
	if ((t->slots == NULL || t->n > t->mask / 4 * 3) && !grow_slots(t))
		return 0;
	slot = slot_of(t, s, h);
	if (*slot != 0)
		return *slot;
	if ((t->n >= t->cap && !grow_symbols(t)) || (s.n > t->block_left && !new_block(t, s.n)))
		return 0;
	if (s.n > 0)
		memcpy(t->block, s.p, s.n);
	t->v[t->n] = (struct symbol){t->block, (uint32_t)s.n, h};
	t->block += s.n;
	t->block_left -= s.n;
	*slot = t->n;
	return t->n++;
}

size_t symtab_memory(const struct symtab *t)
{
	return t->bytes + t->cap * sizeof *t->v +
	       (t->slots != NULL ? ((size_t)t->mask + 1) * sizeof *t->slots : 0);
}
