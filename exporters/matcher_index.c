/* SPDX-License-Identifier: Apache-2.0 */
/* matcher_index - see matcher_index.h. A label has one value, so that no item is found twice. */
#include "exporters/matcher_index.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define LITERALS_MAX 64u /* strings one regular expression is filed under */

struct matcher_entry {
	const struct matcher *m;
	size_t n;
	void *item;
	uint64_t hash; /* 0 in `rest` */
	struct matcher_entry *next;
};

static uint64_t pair_hash(struct str name, struct str value)
{
	return labels_hash_mix(0, hash_str(name), hash_str(value));
}

void matcher_index_init(struct matcher_index *x)
{
	*x = (struct matcher_index){0};
	map_init(&x->by_value);
}

static void free_list(struct matcher_entry *e)
{
	while (e != NULL) {
		struct matcher_entry *next = e->next;

		free(e);
		e = next;
	}
}

void matcher_index_fini(struct matcher_index *x)
{
	free_list(x->all);
	free_list(x->rest);
	map_fini(&x->by_value);
	matcher_index_init(x);
}

/* The strings the label must have one of; NULL when the matcher says no such thing. */
static const struct str *values_of(const struct matcher *m, size_t *n)
{
	const struct str *v = NULL;

	*n = 0;
	if (m->op == MATCH_EQ) {
		*n = 1;
		v = &m->value;
	} else if (m->op == MATCH_RE) {
		v = regex_literals(m->re, n);
	}
	if (v == NULL || *n == 0 || *n > LITERALS_MAX)
		return NULL;
	for (size_t i = 0; i < *n; i++) {
		if (v[i].n == 0)
			return NULL; /* absent labels have it, too */
	}
	return v;
}

static struct matcher_entry *entry_new(
	const struct matcher *m, size_t n, void *item, struct matcher_entry **list)
{
	struct matcher_entry *e = calloc(1, sizeof *e);

	ASSERT(e != NULL);
	e->m = m;
	e->n = n;
	e->item = item;
	e->next = *list;
	*list = e;
	return e;
}

void matcher_index_add(struct matcher_index *x, const struct matcher *m, size_t n, void *item)
{
	const struct str *best = NULL;
	struct str name = STR_NULL;
	size_t n_best = 0, count;

	for (size_t i = 0; i < n; i++) {
		const struct str *v = values_of(&m[i], &count);

		if (v == NULL || (best != NULL && count >= n_best))
			continue;
		best = v;
		n_best = count;
		name = m[i].name;
	}
	if (best == NULL) {
		(void)entry_new(m, n, item, &x->rest);
		return;
	}
	for (size_t i = 0; i < n_best; i++) {
		struct matcher_entry *e = entry_new(m, n, item, &x->all);

		e->hash = pair_hash(name, best[i]);
		map_add(&x->by_value, e->hash, e);
	}
}

void matcher_index_find(const struct matcher_index *x, struct labels ls,
	void (*fn)(void *item, void *arg), void *arg)
{
	struct map_iter it;

	for (size_t i = 0; x->by_value.n > 0 && i < ls.n; i++) {
		uint64_t h = pair_hash(ls.v[i].name, ls.v[i].value);

		for (struct matcher_entry *e = map_first(&x->by_value, h, &it); e != NULL;
			e = map_next(&x->by_value, &it)) {
			if (matchers_match(e->m, e->n, ls))
				fn(e->item, arg);
		}
	}
	for (const struct matcher_entry *e = x->rest; e != NULL; e = e->next) {
		if (matchers_match(e->m, e->n, ls))
			fn(e->item, arg);
	}
}
