/* SPDX-License-Identifier: Apache-2.0 */
/* index - series, label pairs and postings; see index.h. */
#include "storage/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"

#define PAIR_BLOCK 16384u /* pair numbers allocated at once */

void index_init(struct index *x)
{
	*x = (struct index){.next_id = 1, .n_pairs = 1};
	symtab_init(&x->sym);
}

void index_fini(struct index *x)
{
	for (uint32_t i = 0; i < x->n_blocks; i++)
		free(x->blocks[i]);
	free(x->blocks);
	for (uint32_t i = 1; i < x->n_pairs; i++) {
		if (x->pairs[i].post.cap > 0)
			free(x->pairs[i].post.u.ids);
	}
	free(x->pairs);
	free(x->pair_slots);
	free(x->slots);
	for (uint32_t i = 0; i < x->n_names; i++)
		free(x->names[i].pairs);
	free(x->names);
	free(x->name_of);
	for (size_t i = 0; i < x->n_pair_blocks; i++)
		free(x->pair_blocks[i]);
	free(x->pair_blocks);
	symtab_fini(&x->sym);
	index_init(x);
}

/* Make *p (elements of `elem` bytes) hold at least need elements; new ones are zero. */
static bool grow_array(void *array, uint32_t *cap, uint32_t need, size_t elem)
{
	void **p = array;
	uint32_t want = MAX_OF(MAX_OF(need, *cap + *cap / 2), 64u);
	char *q;

	if (need <= *cap)
		return true;
	q = realloc(*p, want * elem);
	if (q == NULL)
		return false;
	memset(q + *cap * elem, 0, (want - *cap) * elem);
	*p = q;
	*cap = want;
	return true;
}

/* --- pairs --- */

static uint32_t pair_hash(uint32_t name, uint32_t value)
{
	uint64_t h = ((uint64_t)name << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> 32);
}

static uint32_t *pair_slot(const struct index *x, uint32_t name, uint32_t value)
{
	uint32_t i = pair_hash(name, value) & x->pair_mask;

	for (;; i = (i + 1) & x->pair_mask) {
		uint32_t p = x->pair_slots[i];

		if (p == 0 || (x->pairs[p].name == name && x->pairs[p].value == value))
			return &x->pair_slots[i];
	}
}

static bool grow_pair_slots(struct index *x)
{
	uint32_t size = x->pair_slots == NULL ? 1024 : (x->pair_mask + 1) * 2;
	uint32_t *slots = calloc(size, sizeof *slots);

	if (slots == NULL)
		return false;
	free(x->pair_slots);
	x->pair_slots = slots;
	x->pair_mask = size - 1;
	for (uint32_t p = 1; p < x->n_pairs; p++)
		*pair_slot(x, x->pairs[p].name, x->pairs[p].value) = p;
	return true;
}

static struct index_name *name_entry(struct index *x, uint32_t symbol)
{
	if (!grow_array(&x->name_of, &x->cap_name_of, symbol + 1, sizeof *x->name_of))
		return NULL;
	if (x->name_of[symbol] == 0) {
		if (!grow_array(&x->names, &x->cap_names, x->n_names + 1, sizeof *x->names))
			return NULL;
		x->names[x->n_names] = (struct index_name){.symbol = symbol};
		x->name_of[symbol] = ++x->n_names;
	}
	return &x->names[x->name_of[symbol] - 1];
}

static uint32_t add_pair(struct index *x, uint32_t name, uint32_t value)
{
	struct index_name *nm;
	uint32_t *slot;

	if ((x->pair_slots == NULL || x->n_pairs > x->pair_mask / 4 * 3) && !grow_pair_slots(x))
		return 0;
	slot = pair_slot(x, name, value);
	if (*slot != 0)
		return *slot;
	nm = name_entry(x, name);
	if (nm == NULL || !grow_array(&nm->pairs, &nm->cap, nm->n + 1, sizeof *nm->pairs) ||
		!grow_array(&x->pairs, &x->cap_pairs, x->n_pairs + 1, sizeof *x->pairs))
		return 0;
	x->pairs[x->n_pairs] = (struct pair){.name = name, .value = value};
	nm->pairs[nm->n++] = x->n_pairs;
	*slot = x->n_pairs;
	return x->n_pairs++;
}

static bool add_posting(struct index *x, struct postings *p, uint32_t id)
{
	uint32_t *ids;
	uint32_t cap;

	if (p->cap == 0 && p->n < 2) {
		p->u.few[p->n++] = id;
		return true;
	}
	if (p->n < p->cap) {
		p->u.ids[p->n++] = id;
		return true;
	}
	cap = p->cap == 0 ? 6 : p->cap + MAX_OF(p->cap / 4, 4u);
	ids = realloc(p->cap == 0 ? NULL : p->u.ids, cap * sizeof *ids);
	if (ids == NULL)
		return false;
	if (p->cap == 0)
		memcpy(ids, p->u.few, sizeof p->u.few);
	x->posting_bytes += (cap - p->cap) * sizeof *ids;
	p->u.ids = ids;
	p->cap = cap;
	ids[p->n++] = id;
	return true;
}

/* --- series --- */

static bool same_labels(const struct index *x, const struct series *s, struct labels ls)
{
	if (s->n_pairs != ls.n)
		return false;
	for (size_t i = 0; i < ls.n; i++) {
		const struct pair *p = &x->pairs[s->pairs[i]];

		if (!str_eq(symtab_str(&x->sym, p->value), ls.v[i].value) ||
			!str_eq(symtab_str(&x->sym, p->name), ls.v[i].name))
			return false;
	}
	return true;
}

static struct series *series_at(const struct index *x, uint32_t id)
{
	return &x->blocks[id / SERIES_BLOCK][id % SERIES_BLOCK];
}

uint32_t index_find(const struct index *x, struct labels ls, uint64_t hash)
{
	if (x->slots == NULL)
		return 0;
	for (uint32_t i = (uint32_t)hash & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
		const struct series *s = series_at(x, x->slots[i]);

		if (s->hash == hash && s->pairs != NULL && same_labels(x, s, ls))
			return x->slots[i];
	}
	return 0;
}

static bool resize_slots(struct index *x, uint32_t size)
{
	uint32_t *slots = calloc(size, sizeof *slots);

	if (slots == NULL)
		return false;
	free(x->slots);
	x->slots = slots;
	x->mask = size - 1;
	x->used = 0;
	for (uint32_t id = 1; id < x->next_id; id++) {
		const struct series *s = index_get(x, id);
		uint32_t i;

		if (s == NULL)
			continue;
		for (i = (uint32_t)s->hash & x->mask; slots[i] != 0; i = (i + 1) & x->mask)
			;
		slots[i] = id;
		x->used++;
	}
	return true;
}

bool index_reserve(struct index *x, uint32_t n)
{
	uint32_t size = x->slots == NULL ? 1024 : x->mask + 1;

	while (x->used + n > size / 10 * 7)
		size *= 2;
	return (x->slots != NULL && size == x->mask + 1) || resize_slots(x, size);
}

static uint32_t *take_pairs(struct index *x, uint32_t n)
{
	uint32_t *p;

	if (n > x->pair_block_left) {
		if (x->n_pair_blocks == x->cap_pair_blocks) {
			size_t cap = x->cap_pair_blocks * 2 + 16;
			uint32_t **b = realloc(x->pair_blocks, cap * sizeof *b);

			if (b == NULL)
				return NULL;
			x->pair_blocks = b;
			x->cap_pair_blocks = cap;
		}
		x->pair_block = malloc(MAX_OF(n, PAIR_BLOCK) * sizeof *x->pair_block);
		if (x->pair_block == NULL) {
			x->pair_block_left = 0;
			return NULL;
		}
		x->pair_blocks[x->n_pair_blocks++] = x->pair_block;
		x->pair_block_left = MAX_OF(n, PAIR_BLOCK);
	}
	p = x->pair_block;
	x->pair_block += n;
	x->pair_block_left -= n;
	return p;
}

static bool make_block(struct index *x, uint32_t id)
{
	uint32_t b = id / SERIES_BLOCK;

	if (!grow_array(&x->blocks, &x->n_blocks, b + 1, sizeof *x->blocks))
		return false;
	if (x->blocks[b] == NULL)
		x->blocks[b] = calloc(SERIES_BLOCK, sizeof **x->blocks);
	return x->blocks[b] != NULL;
}

bool index_fit(struct index *x)
{
	for (uint32_t id = 0; id < x->next_id; id += SERIES_BLOCK) {
		if (!grow_array(&x->blocks, &x->n_blocks, id / SERIES_BLOCK + 1, sizeof *x->blocks))
			return false;
	}
	return true;
}

/* All memory was got: nothing fails from here on but the postings' growth. */
static bool link_series(
	struct index *x, uint32_t id, const uint32_t *pairs, uint32_t n, uint64_t hash)
{
	struct series *s = series_at(x, id);
	uint32_t i;

	for (uint32_t k = 0; k < n; k++) {
		if (!add_posting(x, &x->pairs[pairs[k]].post, id)) {
			while (k-- > 0)
				x->pairs[pairs[k]].post.n--;
			return false;
		}
	}
	*s = (struct series){.hash = hash,
		.pairs = pairs,
		.n_pairs = (uint16_t)n,
		.mint = INT64_MAX,
		.maxt = INT64_MIN};
	for (i = (uint32_t)hash & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask)
		;
	x->slots[i] = id;
	x->used++;
	x->n_series++;
	x->next_id = id + 1;
	return true;
}

uint32_t index_add(struct index *x, struct labels ls, uint64_t hash)
{
	uint32_t id = x->next_id, *pairs;

	if (ls.n > LIMIT_LABELS || id >= UINT32_MAX - SERIES_BLOCK || !make_block(x, id) ||
		!index_reserve(x, 1))
		return 0;
	pairs = take_pairs(x, (uint32_t)ls.n);
	if (pairs == NULL)
		return 0;
	for (size_t i = 0; i < ls.n; i++) {
		uint32_t name = symtab_add(&x->sym, ls.v[i].name);
		uint32_t value = symtab_add(&x->sym, ls.v[i].value);

		pairs[i] = name != 0 && value != 0 ? add_pair(x, name, value) : 0;
		if (pairs[i] == 0)
			return 0;
	}
	return link_series(x, id, pairs, (uint32_t)ls.n, hash) ? id : 0;
}

bool index_load(struct index *x, uint32_t id, const uint32_t *symbols, size_t n_labels)
{
	uint64_t hash = 0;
	uint32_t *pairs;

	if (id < x->next_id || id >= UINT32_MAX - SERIES_BLOCK || n_labels > LIMIT_LABELS ||
		!make_block(x, id) || !index_reserve(x, 1))
		return false;
	pairs = take_pairs(x, (uint32_t)n_labels);
	if (pairs == NULL)
		return false;
	for (size_t i = 0; i < n_labels; i++) {
		uint32_t name = symbols[2 * i], value = symbols[2 * i + 1];

		if (name == 0 || name >= x->sym.n || value == 0 || value >= x->sym.n)
			return false;
		pairs[i] = add_pair(x, name, value);
		if (pairs[i] == 0)
			return false;
		hash = labels_hash_mix(hash, x->sym.v[name].hash, x->sym.v[value].hash);
	}
	if (!link_series(x, id, pairs, (uint32_t)n_labels, hash))
		return false;
	series_at(x, id)->logged = true;
	return true;
}

uint32_t index_drop(struct index *x, bool (*dead)(const struct series *s, void *arg), void *arg)
{
	uint32_t dropped = 0;

	for (uint32_t id = 1; id < x->next_id; id++) {
		struct series *s = index_get(x, id);

		if (s == NULL || s->hd != NULL || !dead(s, arg))
			continue;
		s->pairs = NULL; /* the numbers stay in their block until the process ends */
		dropped++;
	}
	if (dropped == 0)
		return 0;
	for (uint32_t p = 1; p < x->n_pairs; p++) {
		struct postings *post = &x->pairs[p].post;
		uint32_t *ids = post->cap == 0 ? post->u.few : post->u.ids, kept = 0;

		for (uint32_t i = 0; i < post->n; i++) {
			if (index_get(x, ids[i]) != NULL)
				ids[kept++] = ids[i];
		}
		post->n = kept;
	}
	x->n_series -= dropped;
	(void)resize_slots(x, x->mask + 1); /* without memory the old table still works */
	return dropped;
}

struct labels index_labels(const struct index *x, const struct series *s, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, s->n_pairs, struct label);

	if (v == NULL)
		return (struct labels){NULL, 0};
	for (uint32_t i = 0; i < s->n_pairs; i++) {
		const struct pair *p = &x->pairs[s->pairs[i]];

		v[i].name = symtab_str(&x->sym, p->name);
		v[i].value = symtab_str(&x->sym, p->value);
	}
	return (struct labels){v, s->n_pairs};
}

uint32_t index_name_find(const struct index *x, struct str name)
{
	uint32_t symbol = symtab_find(&x->sym, name);

	if (symbol == 0 || symbol >= x->cap_name_of || x->name_of[symbol] == 0)
		return UINT32_MAX;
	return x->name_of[symbol] - 1;
}

uint32_t index_pair_find(const struct index *x, struct str name, struct str value)
{
	uint32_t n = symtab_find(&x->sym, name), v = symtab_find(&x->sym, value);

	return n == 0 || v == 0 || x->pair_slots == NULL ? 0 : *pair_slot(x, n, v);
}

size_t index_memory(const struct index *x)
{
	size_t blocks = 0;

	for (uint32_t i = 0; i < x->n_blocks; i++)
		blocks += x->blocks[i] != NULL;
	return symtab_memory(&x->sym) + blocks * SERIES_BLOCK * sizeof(struct series) +
	       (x->slots ? ((size_t)x->mask + 1) * 4 : 0) + x->cap_pairs * sizeof *x->pairs +
	       (x->pair_slots ? ((size_t)x->pair_mask + 1) * 4 : 0) + x->posting_bytes +
	       x->n_pair_blocks * PAIR_BLOCK * 4 + (size_t)x->n_pairs * 6;
}

void index_check(const struct index *x)
{
	uint32_t n = 0;

	for (uint32_t id = 1; id < x->next_id; id++) {
		const struct series *s = index_get(x, id);

		if (s == NULL)
			continue;
		n++;
		for (uint32_t i = 0; i < s->n_pairs; i++)
			ASSERT(s->pairs[i] > 0 && s->pairs[i] < x->n_pairs);
	}
	ASSERT(n == x->n_series);
	for (uint32_t p = 1; p < x->n_pairs; p++) {
		const struct postings *post = &x->pairs[p].post;
		const uint32_t *ids = postings_ids(post);

		for (uint32_t i = 0; i < post->n; i++) {
			ASSERT(index_get(x, ids[i]) != NULL);
			ASSERT(i == 0 || ids[i - 1] < ids[i]);
		}
	}
}
