/* SPDX-License-Identifier: Apache-2.0 */
/* mem_source - see mem_source.h. */
#include "tests/lib/mem_source.h"

#include <stdlib.h>
#include <string.h>

struct select_set {
	struct mem_source *m;
	size_t *at;
	size_t n;
};

void mem_source_init(struct mem_source *m, struct arena *a)
{
	*m = (struct mem_source){.a = a};
}

static void *grown(struct arena *a, const void *old, size_t n, size_t cap, size_t elem)
{
	void *p = arena_alloc(a, cap, elem);

	if (p == NULL)
		abort();
	if (n > 0)
		memcpy(p, old, n * elem);
	return p;
}

struct mem_series *mem_source_series(struct mem_source *m, struct labels ls)
{
	size_t at = 0;

	while (at < m->n && labels_cmp(m->s[at].labels, ls) < 0)
		at++;
	if (at < m->n && labels_eq(m->s[at].labels, ls))
		return &m->s[at];
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 32 : m->cap * 2;
		m->s = grown(m->a, m->s, m->n, m->cap, sizeof *m->s);
	}
	memmove(&m->s[at + 1], &m->s[at], (m->n - at) * sizeof *m->s);
	m->s[at] = (struct mem_series){.labels = labels_copy(m->a, ls)};
	m->n++;
	return &m->s[at];
}

void mem_series_add(struct mem_source *m, struct mem_series *s, int64_t t, double v,
	const struct hist *h, int64_t start)
{
	size_t at = s->n;

	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : s->cap * 2;
		s->t = grown(m->a, s->t, s->n, s->cap, sizeof *s->t);
		s->start = grown(m->a, s->start, s->n, s->cap, sizeof *s->start);
		s->v = grown(m->a, s->v, s->n, s->cap, sizeof *s->v);
		s->h = grown(m->a, s->h, s->n, s->cap, sizeof *s->h);
	}
	while (at > 0 && s->t[at - 1] >= t)
		at--;
	if (at == s->n || s->t[at] != t) {
		memmove(&s->t[at + 1], &s->t[at], (s->n - at) * sizeof *s->t);
		memmove(&s->start[at + 1], &s->start[at], (s->n - at) * sizeof *s->start);
		memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof *s->v);
		memmove(&s->h[at + 1], &s->h[at], (s->n - at) * sizeof *s->h);
		s->n++;
	}
	s->t[at] = t;
	s->v[at] = v;
	s->h[at] = h;
	s->start[at] = start;
	s->has_hist |= h != NULL;
	s->has_start |= start != 0;
}

static int source_open(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	struct mem_source *src = ctx;
	struct select_set *set = ARENA_NEW(a, struct select_set);

	(void)mint;
	(void)maxt;
	if (set == NULL || (set->at = ARENA_ARRAY(a, src->n, size_t)) == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory");
	set->m = src;
	for (size_t i = 0; i < src->n; i++) {
		if (matchers_match(m, n, src->s[i].labels))
			set->at[set->n++] = i;
	}
	*out = set;
	return 0;
}

static size_t source_count(const struct select_set *set)
{
	return set->n;
}

static struct labels source_labels(const struct select_set *set, size_t i)
{
	return set->m->s[set->at[i]].labels;
}

static int source_fetch(struct select_set *set, size_t i, int64_t mint, int64_t maxt,
	struct select_cols *out, struct err *e)
{
	const struct mem_series *s = &set->m->s[set->at[i]];
	size_t from = 0, to = s->n;

	(void)e;
	while (from < to && s->t[from] < mint)
		from++;
	while (to > from && s->t[to - 1] > maxt)
		to--;
	*out = (struct select_cols){.n = to - from,
		.t = s->t + from,
		.v = s->v + from,
		.h = s->has_hist ? s->h + from : NULL,
		.start = s->has_start ? s->start + from : NULL};
	if (out->n == 0)
		*out = (struct select_cols){0};
	return 0;
}

static void source_close(struct select_set *set)
{
	(void)set;
}

struct select_source mem_source_select(struct mem_source *m)
{
	return (struct select_source){
		m, source_open, source_count, source_labels, source_fetch, source_close};
}
