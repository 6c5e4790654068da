/* SPDX-License-Identifier: Apache-2.0 */
/* map - linear probing with backward-shift deletion (Knuth, TAOCP 3, 6.4 R); see map.h. */
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"

#define CAP_MIN ((size_t)16)

void map_init(struct map *m)
{
	*m = (struct map){0};
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){0};
}

static void put(struct map *m, uint64_t hash, void *value)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].value != NULL)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct map_slot){hash, value};
}

static void grow(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t old_cap = m->cap;

	m->cap = old_cap > 0 ? old_cap * 2 : CAP_MIN;
	m->slots = calloc(m->cap, sizeof *m->slots);
	ASSERT(m->slots != NULL);
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].value != NULL)
			put(m, old[i].hash, old[i].value);
	}
	free(old);
}

void map_add(struct map *m, uint64_t hash, void *value)
{
	ASSERT(value != NULL);
	if ((m->n + 1) * 4 > m->cap * 3)
		grow(m);
	put(m, hash, value);
	m->n++;
}

static void *find_from(const struct map *m, size_t i, struct map_iter *it)
{
	for (; m->slots[i].value != NULL; i = (i + 1) & (m->cap - 1)) {
		if (m->slots[i].hash == it->hash) {
			it->pos = (i + 1) & (m->cap - 1);
			return m->slots[i].value;
		}
	}
	it->pos = i;
	return NULL;
}

void *map_first(const struct map *m, uint64_t hash, struct map_iter *it)
{
	it->hash = hash;
	it->pos = 0;
	return m->cap > 0 ? find_from(m, hash & (m->cap - 1), it) : NULL;
}

void *map_next(const struct map *m, struct map_iter *it)
{
	return m->cap > 0 ? find_from(m, it->pos, it) : NULL;
}

/* Is slot i's home cyclically in (gap, i]? Then it must stay. */
static int stays(const struct map *m, size_t gap, size_t i)
{
	size_t home = m->slots[i].hash & (m->cap - 1);

	return gap <= i ? (gap < home && home <= i) : (gap < home || home <= i);
}

void map_remove(struct map *m, uint64_t hash, const void *value)
{
	size_t i, gap;

	if (m->cap == 0)
		return;
	i = hash & (m->cap - 1);
	while (m->slots[i].value != NULL && m->slots[i].value != value)
		i = (i + 1) & (m->cap - 1);
	if (m->slots[i].value == NULL)
		return;
	gap = i;
	for (;;) {
		i = (i + 1) & (m->cap - 1);
		if (m->slots[i].value == NULL)
			break;
		if (!stays(m, gap, i)) {
			m->slots[gap] = m->slots[i];
			gap = i;
		}
	}
	m->slots[gap].value = NULL;
	m->n--;
}

void *map_each(const struct map *m, size_t *pos)
{
	while (*pos < m->cap) {
		void *v = m->slots[(*pos)++].value;

		if (v != NULL)
			return v;
	}
	return NULL;
}
