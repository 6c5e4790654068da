/* SPDX-License-Identifier: Apache-2.0 */
/* eval_mat - several columns at once, and tables by label set; see eval.h. */
#include <string.h>

#include "base/assert.h"
#include "rules/promql/eval.h"

#define MAP_MIN 32u

static struct col *push(struct ev *ev, struct mat *m)
{
	if (m->n == m->cap) {
		size_t cap = m->cap == 0 ? 16 : m->cap * 2;
		struct col *s = ARENA_ARRAY(ev->a, cap, struct col);

		if (s == NULL)
			return NULL;
		if (m->n > 0)
			memcpy(s, m->s, m->n * sizeof *s);
		m->s = s;
		m->cap = cap;
	}
	return &m->s[m->n++];
}

void col_clear(struct col *c, const struct grid *g)
{
	for (size_t i = 0; i < g->n; i++)
		c->v[i] = ABSENT;
	if (c->h != NULL)
		memset(c->h, 0, g->n * sizeof *c->h);
}

static size_t first_point(const struct col *c, const struct grid *g)
{
	size_t i = 0;

	while (i < g->n && is_absent(c->v[i]))
		i++;
	return i;
}

bool col_any(const struct col *c, const struct grid *g)
{
	return first_point(c, g) < g->n;
}

bool col_need_hists(struct arena *a, struct col *c, const struct grid *g)
{
	if (c->h == NULL)
		c->h = ARENA_ARRAY(a, g->n, const struct hist *);
	return c->h != NULL;
}

struct col *mat_new_col(struct ev *ev, struct mat *m, const struct grid *g, struct labels labels)
{
	struct col *c = push(ev, m);

	if (c == NULL)
		return NULL;
	*c = (struct col){.labels = labels, .v = ARENA_ARRAY(ev->a, g->n, double)};
	if (c->v == NULL)
		return NULL;
	col_clear(c, g);
	return c;
}

int mat_add(struct ev *ev, struct mat *m, const struct grid *g, const struct col *c, struct err *e)
{
	struct col *d = push(ev, m);

	if (d == NULL)
		return ev_memory(ev, e);
	*d = (struct col){.labels = c->labels, .drop_name = c->drop_name};
	d->v = ARENA_ARRAY(ev->a, g->n, double);
	if (d->v == NULL)
		return ev_memory(ev, e);
	memcpy(d->v, c->v, g->n * sizeof *d->v);
	for (size_t i = 0; c->h != NULL && i < g->n; i++) {
		if (c->h[i] == NULL)
			continue;
		if (!col_need_hists(ev->a, d, g))
			return ev_memory(ev, e);
		d->h[i] = i > 0 && c->h[i] == c->h[i - 1] ? d->h[i - 1] : hist_copy(ev->a, c->h[i]);
		if (d->h[i] == NULL)
			return ev_memory(ev, e);
	}
	return 0;
}

struct collect {
	struct ev *ev;
	const struct grid *g;
	struct mat *m;
};

static int on_collect(void *arg, struct col *c, struct err *e)
{
	struct collect *k = arg;

	return mat_add(k->ev, k->m, k->g, c, e);
}

int mat_collect(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, struct mat *m, struct err *e)
{
	struct collect k = {ev, g, m};

	*m = (struct mat){0};
	return eval_each(ev, x, g, (struct sink){on_collect, &k}, e);
}

int mat_emit(
	struct ev *ev, const struct mat *m, const struct grid *g, struct sink out, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		struct arena_mark mark = arena_mark(&ev->scratch);
		int rc = ev_work(ev, 1, e);

		if (rc == 0 && col_any(&m->s[i], g))
			rc = emit(out, &m->s[i], e);

		arena_release(&ev->scratch, mark);
		if (rc != 0)
			return -1;
	}
	return 0;
}

void label_map_init(struct label_map *m, struct arena *a)
{
	*m = (struct label_map){.a = a};
}

static bool grow_slots(struct label_map *m)
{
	size_t n = m->n_slots == 0 ? MAP_MIN : m->n_slots * 2;
	uint32_t *slots = ARENA_ARRAY(m->a, n, uint32_t);

	if (slots == NULL)
		return false;
	for (size_t k = 0; k < m->n; k++) {
		size_t i = m->hashes[k] & (n - 1);

		while (slots[i] != 0)
			i = (i + 1) & (n - 1);
		slots[i] = (uint32_t)k + 1;
	}
	m->slots = slots;
	m->n_slots = n;
	return true;
}

static bool grow_keys(struct label_map *m)
{
	size_t cap = m->cap == 0 ? MAP_MIN : m->cap * 2;
	struct labels *keys = ARENA_ARRAY(m->a, cap, struct labels);
	uint64_t *hashes = ARENA_ARRAY(m->a, cap, uint64_t);

	if (hashes == NULL || cap > UINT32_MAX)
		return false;
	if (m->n > 0) {
		memcpy(keys, m->keys, m->n * sizeof *keys);
		memcpy(hashes, m->hashes, m->n * sizeof *hashes);
	}
	m->keys = keys;
	m->hashes = hashes;
	m->cap = cap;
	return true;
}

size_t label_map_get(struct label_map *m, struct labels ls, uint64_t hash, bool *fresh)
{
	size_t i;

	*fresh = false;
	if (m->n * 2 >= m->n_slots && !grow_slots(m))
		return SIZE_MAX;
	for (i = hash & (m->n_slots - 1); m->slots[i] != 0; i = (i + 1) & (m->n_slots - 1)) {
		uint32_t k = m->slots[i] - 1;

		ASSERT(m->hashes != NULL);
		if (m->hashes[k] == hash && labels_eq(m->keys[k], ls))
			return k;
	}
	if (m->n == m->cap && !grow_keys(m))
		return SIZE_MAX;
	ASSERT(m->hashes != NULL);
	m->keys[m->n] = ls;
	m->hashes[m->n] = hash;
	m->slots[i] = (uint32_t)++m->n;
	*fresh = true;
	return m->n - 1;
}

int ev_same_labelset(struct err *e)
{
	return err_set(e, ERR_INPUT, 0, "vector cannot contain metrics with the same labelset");
}

int mat_merge_add(struct ev *ev, struct mat_merge *mm, const struct grid *g, const struct col *c,
	struct err *e)
{
	bool fresh;
	size_t k;
	struct col *d;

	if (mm->map.a == NULL)
		label_map_init(&mm->map, ev->a);
	k = label_map_get(&mm->map, c->labels, labels_hash(c->labels), &fresh);
	if (k == SIZE_MAX)
		return ev_memory(ev, e);
	if (fresh)
		return mat_add(ev, &mm->mat, g, c, e);
	d = &mm->mat.s[k];
	if (first_point(c, g) < first_point(d, g))
		d->drop_name = c->drop_name; /* the earliest point decides */
	for (size_t i = 0; i < g->n; i++) {
		const struct hist *h = col_hist(c, i);

		if (is_absent(c->v[i]))
			continue;
		if (!is_absent(d->v[i]))
			return ev_same_labelset(e);
		d->v[i] = c->v[i];
		if (h == NULL)
			continue;
		if (!col_need_hists(ev->a, d, g) || (d->h[i] = hist_copy(ev->a, h)) == NULL)
			return ev_memory(ev, e);
	}
	return 0;
}
