/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_group - alerts become members of groups; groups get their flush times.
 *
 * Times: a new group waits group_wait (not when its alert has fired for longer: a restart). A
 * change to a known group is told group_interval after the last flush, but after group_wait at the
 * soonest, so that siblings join; a group that is resolved as a whole is told at once. With
 * `notifications.group_ticks` a group is looked at every group_interval only, as Alertmanager does.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

/* --- members --- */

struct member *group_member(const struct group *g, const struct live_alert *a)
{
	/* an alert is in few groups, a group may have many alerts */
	for (struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		if (m->group == g && !m->gone)
			return m;
	}
	return NULL;
}

struct member *group_join(struct group *g, struct live_alert *a)
{
	struct member *m = calloc(1, sizeof *m);

	ASSERT(m != NULL);
	m->a = a;
	m->group = g;
	m->next_of_alert = a->members;
	a->members = m;
	if (g->members.n == 0 && g->incident_ms == 0)
		g->incident_ms = clock_wall_ms();
	map_add(&g->members, a->hash, m);
	g->n_firing += a->al.firing;
	return m;
}

/* Out of the alert's list, freed; the group's map still has it. */
static void detach(struct notify *n, struct member *m)
{
	struct live_alert *a = m->a;
	struct member **at = &a->members;

	while (*at != m)
		at = &(*at)->next_of_alert;
	*at = m->next_of_alert;
	free(m);
	event_release(n, a);
}

void group_forget(struct notify *n, struct group *g, struct member *m)
{
	map_remove(&g->members, m->a->hash, m);
	detach(n, m);
}

/* --- groups --- */

size_t receiver_integrations(const struct receiver_config *r)
{
	size_t n = r != NULL ? r->n : 0;

	return MIN_OF(n, (size_t)INTEGRATIONS_MAX);
}

static void free_sent(struct group *g)
{
	for (size_t i = 0; i < g->n_sent; i++) {
		free(g->sent[i].firing);
		free(g->sent[i].resolved);
		free(g->sent[i].held);
	}
	free(g->sent);
	free(g->receiver);
}

void group_told_by(struct group *g, const struct receiver_config *r)
{
	free_sent(g);
	g->n_sent = receiver_integrations(r);
	g->receiver = str_dup_c(r != NULL ? r->name : STR(""));
	g->sent = calloc(g->n_sent > 0 ? g->n_sent : 1, sizeof *g->sent);
	ASSERT(g->sent != NULL && g->receiver != NULL);
	for (size_t i = 0; i < g->n_sent; i++) {
		g->sent[i].kind = r->v[i].kind;
		g->sent[i].index = r->v[i].index;
	}
}

const struct receiver_config *group_receiver(const struct notify *n, const struct group *g)
{
	if (g->route != ROUTE_NONE)
		return n->routes.v[g->route].receiver;
	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		if (str_eq(n->cfg->receivers[i].name, str_c(g->receiver)))
			return &n->cfg->receivers[i];
	}
	return NULL;
}

const struct route_config *group_route(const struct notify *n, const struct group *g)
{
	static const struct route_config none = {.group_wait_ms = 5000, .group_interval_ms = 60000};

	return g->route != ROUTE_NONE ? n->routes.v[g->route].cfg : &none;
}

struct str group_shown_key(const struct group *g)
{
	return str_sub(g->key, 0, str_find(g->key, GROUP_ORPHAN_MARK));
}

struct str group_thread(
	const struct notify *n, const struct group *g, const struct sent *s, struct arena *a)
{
	uint64_t parts[] = {g->name, hash_fixed(g->receiver, strlen(g->receiver))};

	/* by kind and index, not by place: another integration may come before it by a reload, and
	 * the end must close what the beginning opened */
	return arena_printf(a, "belfry-%s-%016llx-%lld-%zu", n->instance,
		(unsigned long long)(s->apart ? hash_fixed(parts, sizeof parts) : g->name),
		(long long)g->incident_ms, (size_t)s->kind * INTEGRATIONS_MAX + s->index);
}

uint64_t group_name_of(const struct notify *n, struct str key, int64_t incident_ms)
{
	struct map_iter it;

	for (const struct group *g = map_first(&n->groups, hash_str(key), &it); g != NULL;
		g = map_next(&n->groups, &it)) {
		if (g->incident_ms == incident_ms && str_eq(g->key, key))
			return g->name;
	}
	return hash_fixed(key.p, key.n);
}

/* It bears the name of an earlier key. */
static bool renamed(const struct group *g)
{
	return g->name != hash_fixed(g->key.p, g->key.n);
}

/* The key is of a group with these labels: others may have begun in the same millisecond. */
static bool names_labels(struct str key, struct labels labels)
{
	struct buf b;
	bool same;

	buf_init(&b, (size_t)1 << 20);
	buf_ch(&b, ':');
	labels_print(&b, labels, false);
	same = !b.failed && str_ends(key, buf_view(&b));
	buf_fini(&b);
	return same;
}

struct group *group_heir(const struct notify *n, struct str key, int64_t incident_ms)
{
	uint64_t name = hash_fixed(key.p, key.n);
	struct group *g, *later = NULL;
	size_t pos = 0, count = 0;

	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (g->dead || g->route == ROUTE_NONE || g->incident_ms != incident_ms)
			continue;
		if (g->name == name)
			return g;
		if (renamed(g) && names_labels(key, g->labels)) {
			later = g;
			count++;
		}
	}
	return count == 1 ? later : NULL;
}

struct group *group_new(struct notify *n, struct str key, struct labels labels, size_t route)
{
	struct group *g = calloc(1, sizeof *g);
	char *text;

	ASSERT(g != NULL);
	g->labels = labels_clone(labels);
	text = malloc(key.n + 1);
	ASSERT(text != NULL);
	memcpy(text, key.p, key.n);
	text[key.n] = '\0';
	g->key = str_n(text, key.n);
	g->block = text;
	g->hash = hash_str(key);
	key = group_shown_key(g);
	g->name = hash_fixed(key.p, key.n);
	g->route = route;
	group_told_by(g, route != ROUTE_NONE ? n->routes.v[route].receiver : NULL);
	map_init(&g->members);
	map_add(&n->groups, g->hash, g);
	metric_set(n->groups_gauge, (double)n->groups.n);
	return g;
}

void group_free(struct notify *n, struct group *g)
{
	struct member *m;
	size_t pos = 0;

	incident_gone(n, g);
	heap_remove(&n->due, &g->due);
	map_remove(&n->groups, g->hash, g);
	metric_set(n->groups_gauge, (double)n->groups.n);
	while ((m = map_each(&g->members, &pos)) != NULL)
		detach(n, m);
	map_fini(&g->members);
	free_sent(g);
	labels_unclone(g->labels);
	free(g->block);
	free(g);
}

void group_mark(struct notify *n, struct group *g)
{
	if (g->dirty)
		return;
	g->dirty = true;
	g->next_dirty = n->dirty_groups;
	n->dirty_groups = g;
}

struct str group_key_of(const struct notify *n, size_t route, struct labels labels, struct arena *a)
{
	struct buf b;
	struct str s;

	buf_init(&b, (size_t)1 << 20);
	buf_str(&b, n->routes.v[route].key);
	buf_ch(&b, ':');
	labels_print(&b, labels, false);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

struct group *group_find(const struct notify *n, struct str key)
{
	struct map_iter it;

	for (struct group *g = map_first(&n->groups, hash_str(key), &it); g != NULL;
		g = map_next(&n->groups, &it)) {
		if (!g->dead && str_eq(g->key, key)) /* a dead one waits for its row's deletion */
			return g;
	}
	return NULL;
}

/* --- times --- */

int64_t group_due_ms(const struct group *g)
{
	return g->due.place > 0 ? g->due.key : INT64_MAX;
}

void group_due_at(struct notify *n, struct group *g, int64_t mono_ms)
{
	if (mono_ms == INT64_MAX)
		heap_remove(&n->due, &g->due);
	else
		heap_set(&n->due, &g->due, mono_ms);
	n->due_mono_ms = MIN_OF(n->due_mono_ms, heap_key(&n->due));
}

void group_due_by(struct notify *n, struct group *g, int64_t mono_ms)
{
	if (mono_ms < group_due_ms(g))
		group_due_at(n, g, mono_ms);
}

static int64_t next_tick(const struct group *g, int64_t interval_ms)
{
	int64_t past = clock_wall_ms() - g->flushed_wall_ms;

	if (past < 0 || interval_ms <= 0) /* the clock was set back */
		past = 0;
	return i64_add_sat(clock_mono_ms(), interval_ms - past % MAX_OF(interval_ms, 1));
}

void group_schedule_change(struct notify *n, struct group *g, const struct live_alert *a)
{
	const struct route_config *r = group_route(n, g);
	int64_t mono = clock_mono_ms(), wall = clock_wall_ms();
	int64_t soonest = i64_add_sat(mono, r->group_wait_ms), after;

	if (g->route == ROUTE_NONE) {
		if (!a->al.firing)
			group_due_by(n, g, mono);
		return;
	}
	if (g->flushed_wall_ms == 0) {
		/* What has fired for long was told before the restart; not so what may be
		 * inhibited: its sources must have time to come. */
		bool old = i64_add_sat(a->al.starts_at_ms, r->group_wait_ms) < wall &&
			   !inhibit_is_target(a);

		group_due_by(n, g, old ? mono : soonest);
		return;
	}
	if (g->n_firing == 0 && !n->cfg->resolve_waits) {
		group_due_by(n, g, mono);
		return;
	}
	if (n->cfg->group_ticks) {
		group_due_by(n, g, next_tick(g, r->group_interval_ms));
		return;
	}
	after = i64_add_sat(
		mono, r->group_interval_ms -
			      MIN_OF(MAX_OF(wall - g->flushed_wall_ms, 0), r->group_interval_ms));
	group_due_by(n, g, MAX_OF(soonest, after));
}

/* --- joining --- */

static void join_route(struct notify *n, struct live_alert *a, size_t node, struct arena *scratch)
{
	struct labels labels = route_group_labels(n->routes.v[node].cfg, a->al.labels, scratch);
	struct str key = group_key_of(n, node, labels, scratch);
	struct group *g = group_find(n, key);
	struct member *m;

	ASSERT(!scratch->failed);
	if (g == NULL)
		g = group_new(n, key, labels, node);
	if (group_member(g, a) != NULL)
		return;
	m = group_join(g, a);
	m->dirty = true;
	event_note(n, a, HISTORY_GROUPED, key);
	group_mark(n, g);
	group_schedule_change(n, g, a);
}

void group_join_all(struct notify *n, struct live_alert *a)
{
	size_t nodes[ROUTES_MAX];
	size_t count = route_match(&n->routes, a->al.labels, nodes, ROUTES_MAX);
	struct arena scratch;

	if (count == ROUTES_MAX) {
		METRIC_LIMIT("alert_routes");
		log_warn("notify",
			"msg=\"an alert reaches too many routes; further ones are not "
			"told\" limit=%u",
			ROUTES_MAX);
	}
	arena_init(&scratch, (size_t)16 << 20);
	for (size_t i = 0; i < count; i++) {
		struct arena_mark mark = arena_mark(&scratch);

		join_route(n, a, nodes[i], &scratch);
		arena_release(&scratch, mark);
	}
	arena_fini(&scratch);
}

void group_update_due(struct notify *n)
{
	int64_t due = MIN_OF(outbox_due(n), heap_key(&n->due));

	due = MIN_OF(due, heap_key(&n->expiries));
	due = MIN_OF(due, incident_due(n));
	n->due_mono_ms = MIN_OF(due, suppress_due(n));
}
