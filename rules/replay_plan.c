/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_plan - who reads whom among all rules, as units in the order of evaluation: Tarjan's
 * strongly connected components, without recursion.
 *
 * A rule that reads what a later rule of its own group writes must see the slot before, and one
 * that reads what is written with a longer query_offset must not see what is not yet written: such
 * two go slot by slot, as if they read each other.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/promql/reach.h"
#include "rules/replay.h"
#include "rules/rule_plan.h"

struct node {
	const struct rule_def *def;
	size_t group;
	int64_t delay_ms; /* query_offset */
	size_t *reads;    /* numbers of nodes */
	size_t n_reads, cap_reads;
	/* Tarjan's */
	size_t index, low, next; /* next: the edge to look at */
	bool visited, on_stack, self;
};

struct writer {
	struct str name;
	size_t index;
};

struct graph {
	struct node *v;
	size_t n;
	struct map by_name; /* struct writer */
	struct writer *writers;
	size_t reader;
	/* Tarjan's */
	size_t *stack, n_stack, *path, n_path, count;
};

static void add_edge(struct graph *g, size_t from, size_t to)
{
	struct node *x = &g->v[from];

	if (from == to)
		x->self = true;
	if (x->n_reads > 0 && x->reads[x->n_reads - 1] == to)
		return;
	if (x->n_reads == x->cap_reads) {
		x->cap_reads = x->cap_reads * 2 + 4;
		x->reads = realloc(x->reads, x->cap_reads * sizeof *x->reads);
		ASSERT(x->reads != NULL);
	}
	x->reads[x->n_reads++] = to;
}

static void reads(struct graph *g, size_t w, const struct matcher *m, size_t n)
{
	const struct node *r = &g->v[g->reader];

	if (!rule_writes_what(g->v[w].def, m, n))
		return;
	add_edge(g, g->reader, w);
	if ((w > g->reader && g->v[w].group == r->group) || g->v[w].delay_ms > r->delay_ms)
		add_edge(g, w, g->reader);
}

/* Both set one label, each to another text: they never write the same series. */
static bool differ(const struct rule_def *a, const struct rule_def *b)
{
	for (size_t i = 0; i < a->n_labels; i++) {
		for (size_t k = 0; k < b->n_labels; k++) {
			if (str_eq(a->labels[i].name, b->labels[k].name) &&
				!str_eq(a->labels[i].text, b->labels[k].text))
				return true;
		}
	}
	return false;
}

/* Rules that may write the same series go slot by slot: who comes second at a slot is refused. */
static void join_writers(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct writer *w = &g->writers[i], *other;
		struct map_iter it;

		if (g->v[i].def->is_alert)
			continue;
		for (other = map_first(&g->by_name, hash_str(w->name), &it); other != NULL;
			other = map_next(&g->by_name, &it)) {
			if (other->index <= i || !str_eq(other->name, w->name) ||
				g->v[other->index].def->is_alert ||
				differ(g->v[i].def, g->v[other->index].def))
				continue;
			add_edge(g, i, other->index);
			add_edge(g, other->index, i);
		}
	}
}

static const struct matcher *exact_name(const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, LABEL_NAME) && m[i].op == MATCH_EQ)
			return &m[i];
	}
	return NULL;
}

static void on_selector(const struct matcher *m, size_t n, void *arg)
{
	struct graph *g = arg;
	const struct matcher *name = exact_name(m, n);
	struct map_iter it;
	struct str key;

	if (name == NULL) {
		for (size_t i = 0; i < g->n; i++)
			reads(g, i, m, n);
		return;
	}
	key = str_eq(name->value, STR("ALERTS_FOR_STATE")) ? STR("ALERTS") : name->value;
	for (struct writer *w = map_first(&g->by_name, hash_str(key), &it); w != NULL;
		w = map_next(&g->by_name, &it))
		reads(g, w->index, m, n);
}

static void make_graph(struct graph *g, const struct rule_set *rs, int64_t delay_ms)
{
	size_t n = rs->n_rules > 0 ? rs->n_rules : 1;

	*g = (struct graph){.v = calloc(n, sizeof *g->v),
		.writers = calloc(n, sizeof *g->writers),
		.stack = calloc(n, sizeof *g->stack),
		.path = calloc(n, sizeof *g->path)};
	ASSERT(g->v != NULL && g->writers != NULL && g->stack != NULL && g->path != NULL);
	map_init(&g->by_name);
	for (size_t i = 0; i < rs->n; i++) {
		int64_t offset = rs->groups[i].query_offset_ms;
		int64_t delay = offset >= 0 ? offset : delay_ms;

		for (size_t k = 0; k < rs->groups[i].n; k++) {
			const struct rule_def *d = &rs->groups[i].rules[k];

			g->v[g->n] = (struct node){.def = d, .group = i, .delay_ms = delay};
			g->writers[g->n] =
				(struct writer){d->is_alert ? STR("ALERTS") : d->name, g->n};
			map_add(&g->by_name, hash_str(g->writers[g->n].name), &g->writers[g->n]);
			g->n++;
		}
	}
	for (g->reader = 0; g->reader < g->n; g->reader++)
		rule_def_selectors(g->v[g->reader].def, on_selector, g);
	join_writers(g);
}

static void free_graph(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->v[i].reads);
	map_fini(&g->by_name);
	free(g->v);
	free(g->writers);
	free(g->stack);
	free(g->path);
}

static void enter(struct graph *g, size_t i)
{
	struct node *x = &g->v[i];

	x->index = x->low = g->count++;
	x->visited = x->on_stack = true;
	g->stack[g->n_stack++] = i;
	g->path[g->n_path++] = i;
}

static int by_number(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A component is complete: it becomes a unit behind those it reads. */
static void leave(struct graph *g, size_t root, struct replay_plan *p, size_t *used)
{
	struct replay_unit *u = &p->v[p->n++];
	size_t i;

	u->rules = p->members + *used;
	do {
		i = g->stack[--g->n_stack];
		g->v[i].on_stack = false;
		u->rules[u->n++] = i;
	} while (i != root);
	*used += u->n;
	qsort(u->rules, u->n, sizeof *u->rules, by_number);
	u->by_slot = u->n > 1 || g->v[root].self || !pq_expr_steps_alone(g->v[root].def->expr);
}

static void walk(struct graph *g, size_t start, struct replay_plan *p, size_t *used)
{
	enter(g, start);
	while (g->n_path > 0) {
		size_t i = g->path[g->n_path - 1];
		struct node *x = &g->v[i];

		if (x->next < x->n_reads) {
			struct node *to = &g->v[x->reads[x->next++]];

			if (!to->visited)
				enter(g, (size_t)(to - g->v));
			else if (to->on_stack)
				x->low = MIN_OF(x->low, to->index);
			continue;
		}
		g->n_path--;
		if (g->n_path > 0) {
			struct node *up = &g->v[g->path[g->n_path - 1]];

			up->low = MIN_OF(up->low, x->low);
		}
		if (x->low == x->index)
			leave(g, i, p, used);
	}
}

void replay_plan_init(struct replay_plan *p, const struct rule_set *rs, int64_t query_offset_ms)
{
	size_t n = rs->n_rules > 0 ? rs->n_rules : 1, used = 0;
	struct graph g;

	*p = (struct replay_plan){
		.v = calloc(n, sizeof *p->v), .members = calloc(n, sizeof *p->members)};
	ASSERT(p->v != NULL && p->members != NULL);
	make_graph(&g, rs, query_offset_ms);
	for (size_t i = 0; i < g.n; i++) {
		if (!g.v[i].visited)
			walk(&g, i, p, &used);
	}
	ASSERT(used == g.n);
	free_graph(&g);
}

void replay_plan_fini(struct replay_plan *p)
{
	free(p->v);
	free(p->members);
	*p = (struct replay_plan){0};
}
