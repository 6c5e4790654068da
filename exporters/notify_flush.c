/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_flush - a due group: decides for each integration whether it must be told, and renders the
 * outbox row.
 *
 * The decision is Alertmanager's (reference notify.md D8) with one difference: the sent log is
 * written together with the outbox row, since the row is delivered at least once or expires loudly;
 * and the repeat is due to the second.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

static int by_number(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

bool sent_contains(const uint64_t *v, size_t n, uint64_t fp)
{
	return n > 0 && bsearch(&fp, v, n, sizeof fp, by_number) != NULL;
}

/* The group's members now, split and sorted. */
struct snapshot {
	uint64_t *firing, *resolved;
	size_t n_firing, n_resolved;
};

static void take_snapshot(const struct group *g, struct snapshot *s)
{
	struct member *m;
	size_t pos = 0;

	s->firing = malloc((g->members.n + 1) * sizeof *s->firing);
	s->resolved = malloc((g->members.n + 1) * sizeof *s->resolved);
	ASSERT(s->firing != NULL && s->resolved != NULL);
	s->n_firing = s->n_resolved = 0;
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->gone)
			continue;
		if (m->al.firing)
			s->firing[s->n_firing++] = m->al.fingerprint;
		else
			s->resolved[s->n_resolved++] = m->al.fingerprint;
	}
	qsort(s->firing, s->n_firing, sizeof *s->firing, by_number);
	qsort(s->resolved, s->n_resolved, sizeof *s->resolved, by_number);
}

static bool subset(const uint64_t *v, size_t n, const uint64_t *of, size_t n_of)
{
	for (size_t i = 0; i < n; i++) {
		if (!sent_contains(of, n_of, v[i]))
			return false;
	}
	return true;
}

enum decision { DECIDE_NOTHING, DECIDE_TELL, DECIDE_LOG_ONLY };

static enum decision decide(const struct sent *was, const struct snapshot *now,
	const struct integration *in, int64_t repeat_ms, int64_t wall_ms, enum message_reason *why)
{
	if (!was->any) {
		*why = REASON_FIRST;
		return now->n_firing > 0 ? DECIDE_TELL : DECIDE_NOTHING;
	}
	if (!subset(now->firing, now->n_firing, was->firing, was->n_firing)) {
		*why = was->n_firing == 0 ? REASON_FIRST : REASON_NEW_ALERTS;
		return DECIDE_TELL;
	}
	if (now->n_firing == 0) {
		*why = REASON_ALL_RESOLVED;
		if (was->n_firing == 0)
			return DECIDE_NOTHING;
		return in->send_resolved ? DECIDE_TELL : DECIDE_LOG_ONLY;
	}
	if (in->send_resolved &&
		!subset(now->resolved, now->n_resolved, was->resolved, was->n_resolved)) {
		*why = REASON_SOME_RESOLVED;
		return DECIDE_TELL;
	}
	*why = REASON_REPEAT;
	return repeat_ms > 0 && was->at_ms <= i64_sub_sat(wall_ms, repeat_ms) ? DECIDE_TELL
									      : DECIDE_NOTHING;
}

static void remember(struct sent *s, const struct snapshot *now, int64_t wall_ms)
{
	free(s->firing);
	free(s->resolved);
	s->firing = malloc((now->n_firing + 1) * sizeof *s->firing);
	s->resolved = malloc((now->n_resolved + 1) * sizeof *s->resolved);
	ASSERT(s->firing != NULL && s->resolved != NULL);
	if (now->n_firing > 0)
		memcpy(s->firing, now->firing, now->n_firing * sizeof *s->firing);
	if (now->n_resolved > 0)
		memcpy(s->resolved, now->resolved, now->n_resolved * sizeof *s->resolved);
	s->n_firing = now->n_firing;
	s->n_resolved = now->n_resolved;
	s->at_ms = wall_ms;
	s->any = true;
}

/* --- rendering --- */

void message_of_group(struct message *m, const struct group *g, bool with_resolved, struct arena *a)
{
	struct message_alert *v = ARENA_ARRAY(a, g->members.n, struct message_alert);
	struct member *mb;
	size_t pos = 0, n = 0;

	ASSERT(v != NULL);
	while ((mb = map_each(&g->members, &pos)) != NULL) {
		if (!mb->gone && (mb->al.firing || with_resolved))
			v[n++] = mb->al;
	}
	m->group_key = g->key;
	m->group_labels = g->labels;
	m->incident_ms = g->incident_ms;
	message_finish(m, v, n, a);
}

static void tell(struct notify *n, const struct group *g, size_t i, const struct integration *in,
	enum message_reason why, int64_t wall_ms)
{
	const struct receiver_config *r = n->routes.v[g->route].receiver;
	struct arena a;
	struct message m = {
		.receiver = r->name,
		.external_url = n->cfg->external_url,
		.templates = n->cfg->templates,
		.group_key = g->key,
		.group_labels = g->labels,
		.reason = why,
		.now_ms = wall_ms,
		.incident_ms = g->incident_ms,
		.first = !g->sent[i].any,
	};
	uint64_t thread = hash_fixed(g->key.p, g->key.n);

	arena_init(&a, ((size_t)16 << 20) + g->members.n * 1024);
	m.id = arena_printf(&a, "belfry-%s-%llu", n->instance, (unsigned long long)++n->seq);
	n->seq_dirty = true;
	m.thread = arena_printf(&a, "belfry-%s-%016llx-%lld-%zu", n->instance,
		(unsigned long long)thread, (long long)g->incident_ms, i);
	message_of_group(&m, g, in->send_resolved || why == REASON_ALL_RESOLVED, &a);
	link_message(n->history, &m, &a);
	ASSERT(!a.failed);
	if (m.n > 0)
		outbox_tell(n, &m, r, in, STR(""));
	arena_fini(&a);
}

/* --- flushing --- */

static int64_t next_repeat(const struct notify *n, const struct group *g)
{
	const struct route_config *r = n->routes.v[g->route].cfg;
	int64_t next = INT64_MAX, wall = clock_wall_ms();

	if (g->n_firing == 0 || r->repeat_interval_ms <= 0)
		return INT64_MAX;
	for (size_t i = 0; i < g->n_sent; i++) {
		if (g->sent[i].any)
			next = MIN_OF(next,
				i64_add_sat(MIN_OF(g->sent[i].at_ms, wall), r->repeat_interval_ms));
	}
	if (next == INT64_MAX)
		return next;
	return i64_add_sat(clock_mono_ms(), MAX_OF(next - wall, 0));
}

static void forget_resolved(struct group *g)
{
	struct member *m;
	size_t pos = 0;

	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->al.firing || m->gone)
			continue;
		m->gone = true;
		m->dirty = true;
	}
}

static void flush(struct notify *n, struct group *g)
{
	const struct receiver_config *r = n->routes.v[g->route].receiver;
	int64_t wall = clock_wall_ms();
	struct snapshot now;

	take_snapshot(g, &now);
	for (size_t i = 0; r != NULL && i < g->n_sent; i++) {
		enum message_reason why;
		enum decision d;

		if (g->sent[i].at_ms > wall)
			g->sent[i].at_ms = wall; /* the clock was set back */
		d = decide(&g->sent[i], &now, &r->v[i],
			n->routes.v[g->route].cfg->repeat_interval_ms, wall, &why);

		if (d == DECIDE_TELL)
			tell(n, g, i, &r->v[i], why, wall);
		if (d != DECIDE_NOTHING)
			remember(&g->sent[i], &now, wall);
	}
	free(now.firing);
	free(now.resolved);
	forget_resolved(g);
	g->flushed_wall_ms = wall;
	g->due_mono_ms = INT64_MAX;
	if (g->n_firing == 0)
		g->dead = true;
	else
		g->due_mono_ms = next_repeat(n, g);
	group_mark(n, g);
}

void flush_due_groups(struct notify *n)
{
	int64_t now = clock_mono_ms();
	struct group *g;
	size_t pos = 0;

	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (g->due_mono_ms <= now && !g->dead)
			flush(n, g);
	}
}
