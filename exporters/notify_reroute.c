/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_reroute - a new configuration, by reload or by a restart: groups keep or lose their route,
 * alerts move to the groups they now belong to.
 *
 * The hardest idea: what a receiver was told moves along with the alert. So whoever knows of it is
 * not paged again and still hears of its end, and whoever is new is told. A receiver that no route
 * leads to any more keeps a group without a route (ROUTE_NONE), which tells it the end of what it
 * was told, in the old group's name, and nothing else. What becomes of the incident itself stands
 * in notify_heir.c.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
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

static void insert_sorted(uint64_t **v, size_t *n, uint64_t fp)
{
	uint64_t *p;
	size_t i = *n;

	if (sent_contains(*v, *n, fp))
		return;
	p = realloc(*v, (*n + 1) * sizeof *p);
	ASSERT(p != NULL);
	for (; i > 0 && p[i - 1] > fp; i--)
		p[i] = p[i - 1];
	p[i] = fp;
	*v = p;
	(*n)++;
}

/* --- groups without a route --- */

static bool integration_exists(const struct notify *n, const char *receiver, const struct sent *s)
{
	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		const struct receiver_config *r = &n->cfg->receivers[i];

		for (size_t k = 0; str_eq(r->name, str_c(receiver)) && k < r->n; k++) {
			if (r->v[k].kind == s->kind && r->v[k].index == s->index)
				return true;
		}
	}
	return false;
}

/* It was told that the alert fires, and is configured no more. */
static void note_unreachable(const struct group *g, const struct sent *s)
{
	METRIC_DROP("notify", "receiver_gone", 1);
	log_warn("notify",
		"msg=\"a receiver that was told of an alert is not configured any more: it does "
		"not hear "
		"of its end%s\" receiver=%s kind=%s",
		integration_type(s->kind)->closes ? ", close it there" : "", g->receiver,
		integration_name(s->kind));
}

/* Whom g spoke to, as a group of its own; made when it is not there. */
static struct group *orphan_of(struct notify *n, const struct group *g)
{
	struct integration v[INTEGRATIONS_MAX];
	struct receiver_config then = {.name = str_c(g->receiver), .v = v, .n = g->n_sent};
	struct group *o;
	struct buf key;

	memset(v, 0, sizeof v);
	for (size_t i = 0; i < g->n_sent; i++) {
		v[i].kind = g->sent[i].kind;
		v[i].index = g->sent[i].index;
	}
	buf_init(&key, (size_t)1 << 20);
	buf_str(&key, group_shown_key(g));
	buf_ch(&key, GROUP_ORPHAN_MARK);
	buf_c(&key, g->receiver);
	o = group_find(n, buf_view(&key));
	if (o == NULL) {
		o = group_new(n, buf_view(&key), g->labels, ROUTE_NONE);
		o->incident_ms = g->incident_ms;
		o->name = g->name;
		o->flushed_wall_ms = g->flushed_wall_ms;
		group_told_by(o, &then);
	}
	buf_fini(&key);
	return o;
}

/* What integration i of g was told about the alert, o has to end. */
static void hand_over(
	struct notify *n, const struct sent *s, struct group *o, size_t i, struct live_alert *a)
{
	struct sent *to;

	if (i >= o->n_sent || o->sent[i].kind != s->kind || o->sent[i].index != s->index)
		return; /* an older one of the same name and another shape */
	to = &o->sent[i];
	insert_sorted(&to->firing, &to->n_firing, a->al.fingerprint);
	to->apart = s->apart;
	to->at_ms = MAX_OF(to->at_ms, s->at_ms);
	to->any = true;
	if (group_member(o, a) == NULL)
		group_join(o, a)->dirty = true;
	group_mark(n, o);
	if (!a->al.firing)
		group_due_by(n, o, clock_mono_ms());
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

/* Integration k of the old receiver is not told by this group any more. */
static void orphan_told(struct notify *n, struct group *g, const struct group *old, size_t k)
{
	struct member *m;
	size_t pos = 0;

	bool exists = integration_exists(n, old->receiver, &old->sent[k]);

	if (!old->sent[k].any)
		return;
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->gone || !sent_owes(&old->sent[k], m->a->al.fingerprint))
			continue;
		if (exists)
			hand_over(n, &old->sent[k], orphan_of(n, old), k, m->a);
		else
			note_unreachable(old, &old->sent[k]);
	}
}

/* What is kept about the thread of an integration that comes late may be another's of the same kind
 * and place. A key that opens and closes may be the same: then the receiver was but renamed. */
static bool knows_thread(const struct group *g, size_t i)
{
	return g->flushed_wall_ms != 0 && !integration_type(g->sent[i].kind)->closes;
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

		if (k == old.n_sent) {
			g->sent[i].apart = knows_thread(g, i);
			continue;
		}
		g->sent[i] = old.sent[k]; /* kind and index are the same */
		old.sent[k].any = false;
		old.sent[k].firing = old.sent[k].resolved = old.sent[k].held = NULL;
		old.sent[k].n_firing = old.sent[k].n_resolved = old.sent[k].n_held = 0;
	}
	for (size_t k = 0; k < old.n_sent; k++) {
		orphan_told(n, g, &old, k);
		free(old.sent[k].firing);
		free(old.sent[k].resolved);
		free(old.sent[k].held);
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
	if (g->dead || g->route == ROUTE_NONE || !found)
		return false;
	same = labels_eq(route_group_labels(n->routes.v[g->route].cfg, ls, a), g->labels);
	arena_release(a, mark);
	return same;
}

/* --- a member that moves --- */

/* What integrations of `from` were told of the alert, those of `to` know. */
static void inherit_sent(struct group *from, struct group *to, uint64_t fp)
{
	for (size_t i = 0; i < to->n_sent; i++) {
		size_t k = same_integration(from, to, i);
		struct sent *s = &to->sent[i];
		bool held;

		if (k == from->n_sent || !sent_owes(&from->sent[k], fp))
			continue;
		from->sent[k].moved = true;
		if (sent_owes(s, fp))
			continue;
		if (!s->any && same_incident(from, to))
			s->apart = from->sent[k].apart; /* it goes on with that thread */
		held = !sent_contains(from->sent[k].firing, from->sent[k].n_firing, fp);
		insert_sorted(held ? &s->held : &s->firing, held ? &s->n_held : &s->n_firing, fp);
		s->at_ms = s->any ? MAX_OF(s->at_ms, from->sent[k].at_ms) : from->sent[k].at_ms;
		s->any = true;
	}
}

static bool was_told(const struct group *g, uint64_t fp)
{
	for (size_t i = 0; i < g->n_sent; i++) {
		if (sent_owes(&g->sent[i], fp))
			return true;
	}
	return false;
}

/* What the walk over all groups keeps. */
struct walk {
	struct notify *n;
	struct arena scratch;
	struct heirs heirs;
};

static void move_to(struct walk *w, struct group *from, struct live_alert *a, size_t node)
{
	struct notify *n = w->n;
	struct arena_mark mark = arena_mark(&w->scratch);
	struct labels labels = route_group_labels(n->routes.v[node].cfg, a->al.labels, &w->scratch);
	struct str key = group_key_of(n, node, labels, &w->scratch);
	struct group *to = group_find(n, key);

	ASSERT(!w->scratch.failed);
	if (to == from) {
		arena_release(&w->scratch, mark);
		return;
	}
	if (to == NULL) {
		to = group_new(n, key, labels, node);
		to->incident_ms = from->incident_ms;
		to->flushed_wall_ms = from->flushed_wall_ms;
		to->nameless = true;
	}
	arena_release(&w->scratch, mark);
	heirs_note(&w->heirs, from, to, a,
		group_member(to, a) != NULL && was_told(to, a->al.fingerprint));
	inherit_sent(from, to, a->al.fingerprint);
	group_mark(n, to);
	if (group_member(to, a) != NULL)
		return;
	group_join(to, a)->dirty = true;
	group_due_by(n, to, i64_add_sat(clock_mono_ms(), n->routes.v[node].cfg->group_wait_ms));
}

/* Another group tells the same integration the alert's end. */
static bool inherited(const struct group *g, size_t i, const struct live_alert *a)
{
	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		size_t k;

		if (m->group == g || m->gone || m->group->dead || m->group->route == ROUTE_NONE ||
			strcmp(m->group->receiver, g->receiver) != 0)
			continue;
		for (k = 0; k < m->group->n_sent; k++) {
			const struct sent *s = &m->group->sent[k];

			if (s->kind == g->sent[i].kind && s->index == g->sent[i].index &&
				sent_owes(s, a->al.fingerprint))
				return true;
		}
	}
	return false;
}

/* Ends that nobody else tells; true when g itself goes on to do so. */
static bool settle(struct notify *n, struct group *g, struct live_alert *a)
{
	bool owed = false;

	for (size_t i = 0; i < g->n_sent; i++) {
		struct sent *s = &g->sent[i];

		if (!sent_owes(s, a->al.fingerprint))
			continue;
		if (inherited(g, i, a) || !integration_exists(n, g->receiver, s)) {
			if (!inherited(g, i, a))
				note_unreachable(g, s);
			sent_forget(s, a->al.fingerprint);
		} else if (g->route == ROUTE_NONE && !g->dead) {
			owed = true;
		} else {
			hand_over(n, s, orphan_of(n, g), i, a);
		}
	}
	return owed;
}

static void leave(struct walk *w, struct group *g, struct member *m)
{
	struct notify *n = w->n;
	size_t nodes[ROUTES_MAX];
	struct live_alert *a = m->a;
	size_t count = route_match(&n->routes, a->al.labels, nodes, ROUTES_MAX);

	/* one that is over and was never told of has nothing to say elsewhere */
	for (size_t i = 0; i < count && (a->al.firing || was_told(g, a->al.fingerprint)); i++)
		move_to(w, g, a, nodes[i]);
	group_mark(n, g);
	if (settle(n, g, a))
		return;
	m->gone = true;
	m->dirty = true;
	g->n_firing -= a->al.firing;
}

static void move_strangers(struct walk *w, struct group *g)
{
	struct member *m;
	size_t pos = 0, left = 0;

	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone && !belongs(w->n, g, m->a->al.labels, &w->scratch))
			leave(w, g, m);
		left += !m->gone;
	}
	if (left == 0 && g->route == ROUTE_NONE) {
		g->dead = true;
		group_mark(w->n, g);
	}
}

static void keep_or_bury(struct notify *n, struct group *g)
{
	struct buf b;

	if (str_find(g->key, GROUP_ORPHAN_MARK) < g->key.n) {
		g->route = ROUTE_NONE;
		return;
	}
	buf_init(&b, (size_t)1 << 20);
	labels_print(&b, g->labels, false);
	/* key = route key ':' labels */
	g->route = route_find(&n->routes, str_sub(g->key, 0, g->key.n - b.n - 1));
	buf_fini(&b);
	if (g->route < n->routes.n) {
		fit_sent(n, g);
		return;
	}
	g->route = ROUTE_NONE;
	g->dead = true; /* its members move out before it is deleted */
	group_mark(n, g);
}

/* Alerts that no route took before. */
static void join_homeless(struct notify *n)
{
	struct live_alert *a;
	size_t pos = 0;

	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		if (a->al.firing && a->members == NULL)
			group_join_all(n, a);
	}
}

void group_reroute(struct notify *n)
{
	size_t count = 0, pos = 0;
	struct group **v = malloc((n->groups.n + 1) * sizeof(struct group *)), *g;
	struct walk w = {.n = n};

	ASSERT(v != NULL);
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (!g->dead)
			v[count++] = g;
	}
	arena_init(&w.scratch, (size_t)16 << 20);
	for (size_t i = 0; i < count; i++)
		keep_or_bury(n, v[i]);
	/* moving makes new groups: the list above is the walk, not the map */
	for (size_t i = 0; i < count; i++)
		move_strangers(&w, v[i]);
	heirs_settle(n, &w.heirs);
	for (size_t i = 0; i < count; i++) {
		if (!v[i]->dead && v[i]->n_firing == 0)
			group_due_by(n, v[i], clock_mono_ms());
	}
	arena_fini(&w.scratch);
	free(v);
	join_homeless(n);
}
