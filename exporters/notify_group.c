/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_group - alert events become members of groups; groups get their flush times.
 *
 * Times: a new group waits group_wait (not when its alert has fired for longer: a restart). A
 * change to a known group is told group_interval after the last flush, but after group_wait at the
 * soonest, so that siblings join; a group that is resolved as a whole is told at once.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

/* --- members --- */

struct packer {
	char *p;
};

static struct str pack_str(struct packer *k, struct str s)
{
	char *at = k->p;

	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	k->p += s.n + 1;
	return str_n(at, s.n);
}

static size_t labels_bytes(struct labels ls)
{
	size_t n = 0;

	for (size_t i = 0; i < ls.n; i++)
		n += ls.v[i].name.n + ls.v[i].value.n + 2;
	return n;
}

static struct labels pack_labels(struct packer *k, struct label **array, struct labels ls)
{
	struct label *v = *array;

	for (size_t i = 0; i < ls.n; i++) {
		v[i].name = pack_str(k, ls.v[i].name);
		v[i].value = pack_str(k, ls.v[i].value);
	}
	*array += ls.n;
	return (struct labels){v, ls.n};
}

static const char *known_op(const char *op)
{
	static const char *const ops[] = {">", ">=", "<", "<=", "==", "!="};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (strcmp(op, ops[i]) == 0)
			return ops[i];
	}
	return "";
}

struct member *member_new(const struct alert_event *ev)
{
	size_t pairs = ev->labels.n + ev->annotations.n;
	size_t bytes = labels_bytes(ev->labels) + labels_bytes(ev->annotations) + ev->rule->name.n +
		       ev->rule->group.n + ev->rule->expr.n + 3;
	struct member *m = calloc(1, sizeof *m);
	struct packer k;
	struct label *array;

	ASSERT(m != NULL);
	m->block = malloc(pairs * sizeof(struct label) + bytes);
	ASSERT(m->block != NULL);
	array = m->block;
	k.p = (char *)(array + pairs);
	m->al.labels = pack_labels(&k, &array, ev->labels);
	m->al.annotations = pack_labels(&k, &array, ev->annotations);
	m->al.rule = pack_str(&k, ev->rule->name);
	m->al.group = pack_str(&k, ev->rule->group);
	m->al.expr = pack_str(&k, ev->rule->expr);
	m->al.fingerprint = ev->fingerprint;
	return m;
}

void member_free(struct member *m)
{
	free(m->block);
	free(m);
}

static void take_values(struct member *m, const struct alert_event *ev)
{
	m->al.value = ev->value;
	m->al.current = ev->current;
	m->al.worst = ev->worst;
	m->al.threshold = ev->threshold;
	m->al.op = known_op(ev->op);
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

struct group *group_new(struct notify *n, struct str key, struct labels labels, size_t route)
{
	struct group *g = calloc(1, sizeof *g);
	struct label *array;
	struct packer k;

	ASSERT(g != NULL);
	g->block = malloc(labels.n * sizeof(struct label) + labels_bytes(labels) + key.n + 1);
	ASSERT(g->block != NULL);
	array = g->block;
	k.p = (char *)(array + labels.n);
	g->labels = pack_labels(&k, &array, labels);
	g->key = pack_str(&k, key);
	g->hash = hash_str(key);
	g->route = route;
	group_told_by(g, n->routes.v[route].receiver);
	g->due_mono_ms = INT64_MAX;
	map_init(&g->members);
	map_add(&n->groups, g->hash, g);
	metric_set(n->groups_gauge, (double)n->groups.n);
	return g;
}

void group_free(struct notify *n, struct group *g)
{
	struct member *m;
	size_t pos = 0;

	map_remove(&n->groups, g->hash, g);
	metric_set(n->groups_gauge, (double)n->groups.n);
	while ((m = map_each(&g->members, &pos)) != NULL)
		member_free(m);
	map_fini(&g->members);
	free_sent(g);
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

struct member *group_member(const struct group *g, uint64_t fp, struct labels ls)
{
	struct map_iter it;

	for (struct member *m = map_first(&g->members, fp, &it); m != NULL;
		m = map_next(&g->members, &it)) {
		if (labels_eq(m->al.labels, ls))
			return m;
	}
	return NULL;
}

/* Flush no later than this. */
void group_due_by(struct notify *n, struct group *g, int64_t mono_ms)
{
	if (mono_ms < g->due_mono_ms)
		g->due_mono_ms = mono_ms;
	if (g->due_mono_ms < n->due_mono_ms)
		n->due_mono_ms = g->due_mono_ms;
}

static void schedule_change(struct notify *n, struct group *g, const struct member *m)
{
	const struct route_config *r = n->routes.v[g->route].cfg;
	int64_t mono = clock_mono_ms(), wall = clock_wall_ms();
	int64_t soonest = i64_add_sat(mono, r->group_wait_ms), after;

	if (g->flushed_wall_ms == 0) {
		bool old = i64_add_sat(m->al.starts_at_ms, r->group_wait_ms) < wall;

		group_due_by(n, g, old ? mono : soonest);
		return;
	}
	if (g->n_firing == 0) {
		group_due_by(n, g, mono);
		return;
	}
	after = i64_add_sat(
		mono, r->group_interval_ms -
			      MIN_OF(MAX_OF(wall - g->flushed_wall_ms, 0), r->group_interval_ms));
	group_due_by(n, g, MAX_OF(soonest, after));
}

static void fire(struct notify *n, struct group *g, const struct alert_event *ev)
{
	struct member *m = group_member(g, ev->fingerprint, ev->labels);
	bool again = m != NULL && !m->al.firing;

	if (m != NULL && !again) {
		take_values(m, ev);
		return;
	}
	if (again) { /* fired anew before its end was told: one alert, a new beginning */
		map_remove(&g->members, m->al.fingerprint, m);
		member_free(m);
	}
	m = member_new(ev);
	m->al.firing = true;
	m->al.starts_at_ms = ev->fired_at_ms;
	take_values(m, ev);
	m->dirty = true;
	if (g->members.n == 0)
		g->incident_ms = clock_wall_ms();
	map_add(&g->members, m->al.fingerprint, m);
	g->n_firing++;
	group_mark(n, g);
	schedule_change(n, g, m);
}

static void resolve(struct notify *n, struct group *g, const struct alert_event *ev)
{
	struct member *m = group_member(g, ev->fingerprint, ev->labels);

	if (m == NULL || !m->al.firing)
		return;
	m->al.firing = false;
	m->al.ends_at_ms = ev->resolved_at_ms != 0 ? ev->resolved_at_ms : clock_wall_ms();
	take_values(m, ev);
	m->dirty = true;
	g->n_firing--;
	group_mark(n, g);
	schedule_change(n, g, m);
}

static void apply_event(struct notify *n, const struct alert_event *ev, struct arena *scratch)
{
	bool firing = ev->to == ALERT_FIRING;
	size_t nodes[ROUTES_MAX], count;

	if (!firing && ev->from != ALERT_FIRING)
		return; /* pending comes and goes without a word */
	count = route_match(&n->routes, ev->labels, nodes, ROUTES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct arena_mark mark = arena_mark(scratch);
		struct labels labels =
			route_group_labels(n->routes.v[nodes[i]].cfg, ev->labels, scratch);
		struct str key = group_key_of(n, nodes[i], labels, scratch);
		struct group *g = group_find(n, key);

		ASSERT(!scratch->failed);
		if (g == NULL && firing)
			g = group_new(n, key, labels, nodes[i]);
		if (g != NULL && firing)
			fire(n, g, ev);
		else if (g != NULL)
			resolve(n, g, ev);
		arena_release(scratch, mark);
	}
}

void group_apply(struct notify *n, const struct alert_batch *b)
{
	struct arena scratch;

	arena_init(&scratch, (size_t)16 << 20);
	for (size_t i = 0; i < b->n; i++)
		apply_event(n, &b->events[i], &scratch);
	arena_fini(&scratch);
}

void group_update_due(struct notify *n)
{
	struct group *g;
	size_t pos = 0;

	n->due_mono_ms = outbox_due(n);
	while ((g = map_each(&n->groups, &pos)) != NULL)
		n->due_mono_ms = MIN_OF(n->due_mono_ms, g->due_mono_ms);
}
