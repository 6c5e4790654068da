/* SPDX-License-Identifier: Apache-2.0 */
/* eval_set - and, or, unless: presence of match groups per step; see eval.h. */
#include <string.h>

#include "rules/promql/eval.h"

struct labels sig_labels(struct arena *a, struct labels ls, const struct pq_matching *match)
{
	return match->on ? ev_labels_keep(a, ls, match->labels)
			 : ev_labels_without(a, ls, match->labels, true);
}

size_t sig_map_get(struct ev *ev, struct sig_map *m, struct labels ls, bool *fresh)
{
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct labels part = sig_labels(&ev->scratch, ls, m->match), kept;
	size_t k;

	if (m->map.a == NULL)
		label_map_init(&m->map, ev->a);
	k = label_map_get(&m->map, part, labels_hash(part), fresh);
	if (k != SIZE_MAX && *fresh) {
		struct label *v = ARENA_ARRAY(ev->a, part.n, struct label);

		kept = (struct labels){v, v != NULL ? part.n : 0};
		if (kept.n > 0)
			memcpy(v, part.v, part.n * sizeof *v);
		m->map.keys[k] = kept;
	}
	arena_release(&ev->scratch, mark);
	return k;
}

struct set_op {
	struct ev *ev;
	const struct grid *g;
	enum pq_op op;
	struct sig_map sigs;
	unsigned char **present; /* by match group, then step */
	size_t cap;
	struct mat_merge merged; /* or */
	struct sink out;
};

static unsigned char *group_of(struct set_op *s, struct labels ls)
{
	bool fresh;
	size_t k = sig_map_get(s->ev, &s->sigs, ls, &fresh);

	if (k == SIZE_MAX)
		return NULL;
	if (k >= s->cap) {
		size_t cap = s->cap == 0 ? 64 : s->cap * 2;
		unsigned char **p = ARENA_ARRAY(s->ev->a, cap, unsigned char *);

		if (p == NULL)
			return NULL;
		if (s->cap > 0)
			memcpy(p, s->present, s->cap * sizeof *p);
		s->present = p;
		s->cap = cap;
	}
	if (s->present[k] == NULL)
		s->present[k] = ARENA_ARRAY(s->ev->a, s->g->n, unsigned char);
	return s->present[k];
}

/* Remember at which steps a side has something in a match group. */
static int on_mark(void *arg, struct col *c, struct err *e)
{
	struct set_op *s = arg;
	unsigned char *p = group_of(s, c->labels);

	if (p == NULL)
		return ev_memory(s->ev, e);
	for (size_t i = 0; i < s->g->n; i++)
		p[i] |= !is_absent(c->v[i]);
	return s->op == PQ_OP_OR ? mat_merge_add(s->ev, &s->merged, s->g, c, e) : 0;
}

/* Take out the points that the other side keeps away. */
static int on_filter(void *arg, struct col *c, struct err *e)
{
	struct set_op *s = arg;
	const unsigned char *p = group_of(s, c->labels);
	bool any = false;

	if (p == NULL)
		return ev_memory(s->ev, e);
	for (size_t i = 0; i < s->g->n; i++) {
		if ((p[i] != 0) != (s->op == PQ_OP_AND)) {
			c->v[i] = ABSENT;
			if (c->h != NULL)
				c->h[i] = NULL;
		}
		any |= !is_absent(c->v[i]);
	}
	if (!any)
		return 0;
	if (s->op == PQ_OP_OR)
		return mat_merge_add(s->ev, &s->merged, s->g, c, e);
	return emit(s->out, c, e);
}

int set_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_expr *l = x->u.binary.lhs, *r = x->u.binary.rhs;
	struct set_op s = {.ev = ev, .g = g, .op = x->u.binary.op, .out = out};
	bool is_or = s.op == PQ_OP_OR;

	s.sigs.match = x->u.binary.match;
	if (eval_each(ev, is_or ? l : r, g, (struct sink){on_mark, &s}, e) != 0)
		return -1;
	if (eval_each(ev, is_or ? r : l, g, (struct sink){on_filter, &s}, e) != 0)
		return -1;
	return is_or ? mat_emit(ev, &s.merged.mat, g, out, e) : 0;
}
