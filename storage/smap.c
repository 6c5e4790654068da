/* SPDX-License-Identifier: Apache-2.0 */
/* smap - open hash table over a list of entries; see smap.h. */
#include "storage/smap.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void smap_init(struct smap *m)
{
	*m = (struct smap){0};
}

void smap_fini(struct smap *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free((void *)(uintptr_t)m->v[i].key.p);
		free((void *)(uintptr_t)m->v[i].value.p);
	}
	free(m->v);
	free(m->slots);
	smap_init(m);
}

static uint32_t *slot_of(const struct smap *m, struct str key)
{
	uint32_t i = (uint32_t)hash_str(key) & m->mask;

	for (;; i = (i + 1) & m->mask) {
		if (m->slots[i] == 0 || str_eq(m->v[m->slots[i] - 1].key, key))
			return &m->slots[i];
	}
}

static bool grow(struct smap *m)
{
	size_t cap = m->cap == 0 ? 64 : m->cap * 2;
	uint32_t *slots = calloc(cap * 2, sizeof *slots);
	struct smap_entry *v = realloc(m->v, cap * sizeof *v);

	if (v != NULL)
		m->v = v;
	if (v == NULL || slots == NULL) {
		free(slots);
		return false;
	}
	free(m->slots);
	m->slots = slots;
	m->mask = (uint32_t)(cap * 2 - 1);
	m->cap = cap;
	for (size_t i = 0; i < m->n; i++)
		*slot_of(m, m->v[i].key) = (uint32_t)i + 1;
	return true;
}

static bool dup(struct str s, struct str *out)
{
	char *p = malloc(s.n + 1);

	if (p == NULL)
		return false;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	*out = str_n(p, s.n);
	return true;
}

bool smap_set(struct smap *m, struct str key, struct str value)
{
	struct str k, v;
	uint32_t *slot;

	if (m->n == m->cap && !grow(m))
		return false;
	slot = slot_of(m, key);
	if (*slot != 0 && str_eq(m->v[*slot - 1].value, value))
		return true;
	if (!dup(value, &v))
		return false;
	if (*slot != 0) {
		struct smap_entry *x = &m->v[*slot - 1];

		m->bytes += v.n - x->value.n;
		free((void *)(uintptr_t)x->value.p);
		x->value = v;
		x->dirty = true;
		return true;
	}
	if (!dup(key, &k)) {
		free((void *)(uintptr_t)v.p);
		return false;
	}
	m->v[m->n++] = (struct smap_entry){k, v, true};
	m->bytes += k.n + v.n + sizeof *m->v;
	*slot = (uint32_t)m->n;
	return true;
}

const struct smap_entry *smap_get(const struct smap *m, struct str key)
{
	uint32_t i = m->slots == NULL ? 0 : *slot_of(m, key);

	return i == 0 ? NULL : &m->v[i - 1];
}
