/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_reroute - a new configuration, by reload or by a restart: groups keep or lose their route,
 * alerts move to the groups they now belong to.
 *
 * The hardest idea: what a receiver was told moves along with the alert. So whoever knows of it is
 * not paged again and still hears of its end, and whoever is new is told.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

/* Where integration i of `to` stands in the sent log of `from`; from->n_sent: nowhere. */
static size_t same_integration(const struct group *from, const struct group *to, size_t i)
{
	size_t k = 0;

	if (strcmp(from->receiver, to->receiver) != 0)
		return from->n_sent;
	while (k < from->n_sent && (from->sent[k].kind != to->sent[i].kind ||
					   from->sent[k].index != to->sent[i].index))
		k++;
	return k;
}

/* --- a group that keeps its route --- */

static bool same_shape(const struct group *g, const struct receiver_config *r)
{
	bool same = r != NULL && str_eq(str_c(g->receiver), r->name) &&
		    g->n_sent == receiver_integrations(r);

	for (size_t i = 0; same && i < g->n_sent; i++)
		same = g->sent[i].kind == r->v[i].kind && g->sent[i].index == r->v[i].index;
	return same;
}

/* The sent log for what the receiver is now; integrations that are new are told soon. */
static void fit_sent(struct notify *n, struct group *g)
{
	const struct receiver_config *r = n->routes.v[g->route].receiver;
	struct group old = *g;

	if (same_shape(g, r))
		return;
	g->sent = NULL;
	g->receiver = NULL;
	g->n_sent = 0;
	group_told_by(g, r);
	for (size_t i = 0; i < g->n_sent; i++) {
		size_t k = same_integration(&old, g, i);

		if (k == old.n_sent)
			continue;
		g->sent[i] = old.sent[k]; /* kind and index are the same */
		old.sent[k] = (struct sent){0};
	}
	for (size_t k = 0; k < old.n_sent; k++) {
		free(old.sent[k].firing);
		free(old.sent[k].resolved);
	}
	free(old.sent);
	free(old.receiver);
	group_due_by(n, g, clock_mono_ms());
	group_mark(n, g);
}

static bool belongs(
	const struct notify *n, const struct group *g, struct labels ls, struct arena *a)
{
	size_t nodes[ROUTES_MAX], count = route_match(&n->routes, ls, nodes, ROUTES_MAX);
	struct arena_mark mark = arena_mark(a);
	bool found = false, same;

	for (size_t i = 0; i < count; i++)
		found = found || nodes[i] == g->route;
	if (g->dead || !found)
		return false;
	same = labels_eq(route_group_labels(n->routes.v[g->route].cfg, ls, a), g->labels);
	arena_release(a, mark);
	return same;
}

/* --- a member that moves --- */

static struct member *copy_member(const struct member *m)
{
	struct alert_rule_info info = {
		.name = m->al.rule, .group = m->al.group, .expr = m->al.expr};
	struct alert_event ev = {.labels = m->al.labels,
		.annotations = m->al.annotations,
		.fingerprint = m->al.fingerprint,
		.rule = &info};
	struct member *c = member_new(&ev);

	c->al.firing = m->al.firing;
	c->al.starts_at_ms = m->al.starts_at_ms;
	c->al.ends_at_ms = m->al.ends_at_ms;
	c->al.value = m->al.value;
	c->al.current = m->al.current;
	c->al.worst = m->al.worst;
	c->al.threshold = m->al.threshold;
	c->al.op = m->al.op;
	c->dirty = true;
	return c;
}

static void insert_sorted(uint64_t **v, size_t *n, uint64_t fp)
{
	uint64_t *p = realloc(*v, (*n + 1) * sizeof *p);
	size_t i = *n;

	ASSERT(p != NULL);
	for (; i > 0 && p[i - 1] > fp; i--)
		p[i] = p[i - 1];
	p[i] = fp;
	*v = p;
	(*n)++;
}

/* True when an integration of `to` was told by `from` that this alert fires. */
static bool inherit_sent(const struct group *from, struct group *to, uint64_t fp)
{
	bool told = false;

	for (size_t i = 0; i < to->n_sent; i++) {
		size_t k = same_integration(from, to, i);
		struct sent *s = &to->sent[i];

		if (k == from->n_sent ||
			!sent_contains(from->sent[k].firing, from->sent[k].n_firing, fp))
			continue;
		told = true;
		if (!sent_contains(s->firing, s->n_firing, fp))
			insert_sorted(&s->firing, &s->n_firing, fp);
		s->at_ms = s->any ? MAX_OF(s->at_ms, from->sent[k].at_ms) : from->sent[k].at_ms;
		s->any = true;
	}
	return told;
}

static bool was_told(const struct group *g, uint64_t fp)
{
	for (size_t i = 0; i < g->n_sent; i++) {
		if (sent_contains(g->sent[i].firing, g->sent[i].n_firing, fp))
			return true;
	}
	return false;
}

static void move_to(struct notify *n, const struct group *from, const struct member *m, size_t node,
	struct arena *scratch)
{
	struct arena_mark mark = arena_mark(scratch);
	struct labels labels = route_group_labels(n->routes.v[node].cfg, m->al.labels, scratch);
	struct str key = group_key_of(n, node, labels, scratch);
	struct group *to = group_find(n, key);
	struct member *c;

	ASSERT(!scratch->failed);
	if (to == NULL) {
		to = group_new(n, key, labels, node);
		to->incident_ms = from->incident_ms;
		to->flushed_wall_ms = from->flushed_wall_ms;
	}
	arena_release(scratch, mark);
	if (to == from || group_member(to, m->al.fingerprint, m->al.labels) != NULL)
		return;
	(void)inherit_sent(from, to, m->al.fingerprint);
	c = copy_member(m);
	map_add(&to->members, c->al.fingerprint, c);
	to->n_firing += c->al.firing;
	group_mark(n, to);
	group_due_by(n, to, i64_add_sat(clock_mono_ms(), n->routes.v[node].cfg->group_wait_ms));
}

static void leave(struct notify *n, struct group *g, struct member *m, struct arena *scratch)
{
	size_t nodes[ROUTES_MAX];
	size_t count = route_match(&n->routes, m->al.labels, nodes, ROUTES_MAX);

	/* one that is over and was never told of has nothing to say elsewhere */
	for (size_t i = 0; i < count && (m->al.firing || was_told(g, m->al.fingerprint)); i++)
		move_to(n, g, m, nodes[i], scratch);
	m->gone = true;
	m->dirty = true;
	g->n_firing -= m->al.firing;
	m->al.firing = false;
	group_mark(n, g);
}

static void move_strangers(struct notify *n, struct group *g, struct arena *scratch)
{
	struct member *m;
	size_t pos = 0;

	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone && !belongs(n, g, m->al.labels, scratch))
			leave(n, g, m, scratch);
	}
}

static void keep_or_bury(struct notify *n, struct group *g)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	labels_print(&b, g->labels, false);
	/* key = route key ':' labels */
	g->route = route_find(&n->routes, str_sub(g->key, 0, g->key.n - b.n - 1));
	buf_fini(&b);
	if (g->route < n->routes.n) {
		fit_sent(n, g);
		return;
	}
	g->dead = true; /* its members move out before it is deleted */
	group_mark(n, g);
}

void group_reroute(struct notify *n)
{
	size_t count = 0, pos = 0;
	struct group **v = malloc((n->groups.n + 1) * sizeof(struct group *)), *g;
	struct arena scratch;

	ASSERT(v != NULL);
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (!g->dead)
			v[count++] = g;
	}
	arena_init(&scratch, (size_t)16 << 20);
	for (size_t i = 0; i < count; i++)
		keep_or_bury(n, v[i]);
	/* moving makes new groups: the list above is the walk, not the map */
	for (size_t i = 0; i < count; i++)
		move_strangers(n, v[i], &scratch);
	for (size_t i = 0; i < count; i++) {
		if (!v[i]->dead && v[i]->n_firing == 0)
			group_due_by(n, v[i], clock_mono_ms());
	}
	arena_fini(&scratch);
	free(v);
}
