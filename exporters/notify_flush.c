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

#define FLUSHES_MAX 1000u /* groups of one transaction; the rest in the next */

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

bool sent_owes(const struct sent *s, uint64_t fp)
{
	return sent_contains(s->firing, s->n_firing, fp) || sent_contains(s->held, s->n_held, fp);
}

static void take_out(uint64_t *v, size_t *n, uint64_t fp)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (v[i] != fp)
			v[kept++] = v[i];
	}
	*n = kept;
}

void sent_forget(struct sent *s, uint64_t fp)
{
	take_out(s->firing, &s->n_firing, fp);
	take_out(s->held, &s->n_held, fp);
}

struct fps {
	uint64_t *v;
	size_t n;
};

/* The group's members now, sorted; what is suppressed stands apart. */
struct snapshot {
	struct fps firing, resolved;
	struct fps quiet_firing, quiet_resolved;
	uint64_t *block;
};

static void take_snapshot(const struct group *g, struct snapshot *s)
{
	struct fps *all[] = {&s->firing, &s->resolved, &s->quiet_firing, &s->quiet_resolved};
	size_t pos = 0, n = g->members.n + 1;
	struct member *m;

	s->block = malloc(4 * n * sizeof *s->block);
	ASSERT(s->block != NULL);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		*all[i] = (struct fps){s->block + i * n, 0};
	while ((m = map_each(&g->members, &pos)) != NULL) {
		struct fps *to;
		bool quiet;

		if (m->gone)
			continue;
		/* a receiver without its route hears of ends only */
		quiet = live_alert_suppressed(m->a) || (m->a->al.firing && g->route == ROUTE_NONE);
		to = all[(m->a->al.firing ? 0 : 1) + (quiet ? 2 : 0)];
		to->v[to->n++] = m->a->al.fingerprint;
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		qsort(all[i]->v, all[i]->n, sizeof *all[i]->v, by_number);
}

static bool subset(struct fps f, const uint64_t *of, size_t n_of)
{
	for (size_t i = 0; i < f.n; i++) {
		if (!sent_contains(of, n_of, f.v[i]))
			return false;
	}
	return true;
}

/* What one integration is to know: the ends that are owed join what may be told, and who is silent
 * now but was told before is held. */
struct view {
	struct fps firing, resolved, held;
};

static void take_view(
	const struct snapshot *s, const struct sent *was, bool owed_ends, struct view *v)
{
	v->firing = s->firing;
	v->resolved.v = malloc((s->resolved.n + s->quiet_resolved.n + 1) * sizeof(uint64_t));
	v->held.v = malloc((s->quiet_firing.n + 1) * sizeof(uint64_t));
	ASSERT(v->resolved.v != NULL && v->held.v != NULL);
	memcpy(v->resolved.v, s->resolved.v, s->resolved.n * sizeof(uint64_t));
	v->resolved.n = s->resolved.n;
	v->held.n = 0;
	for (size_t i = 0; owed_ends && i < s->quiet_resolved.n; i++) {
		if (sent_owes(was, s->quiet_resolved.v[i]))
			v->resolved.v[v->resolved.n++] = s->quiet_resolved.v[i];
	}
	qsort(v->resolved.v, v->resolved.n, sizeof(uint64_t), by_number);
	for (size_t i = 0; i < s->quiet_firing.n; i++) {
		if (sent_owes(was, s->quiet_firing.v[i]))
			v->held.v[v->held.n++] = s->quiet_firing.v[i];
	}
}

static void view_fini(struct view *v)
{
	free(v->resolved.v);
	free(v->held.v);
}

enum decision { DECIDE_NOTHING, DECIDE_TELL, DECIDE_LOG_ONLY };

/* Nothing fires that may be told: is there an end to tell? */
static enum decision decide_end(
	const struct sent *was, const struct view *now, const struct integration *in)
{
	bool owed = false;

	for (size_t i = 0; i < was->n_firing; i++)
		owed = owed || !sent_contains(now->held.v, now->held.n, was->firing[i]);
	for (size_t i = 0; i < now->resolved.n; i++)
		owed = owed || sent_contains(was->held, was->n_held, now->resolved.v[i]);
	if (!owed)
		return DECIDE_NOTHING;
	return in->send_resolved && now->resolved.n > 0 ? DECIDE_TELL : DECIDE_LOG_ONLY;
}

static enum decision decide(const struct sent *was, const struct view *now,
	const struct integration *in, int64_t repeat_before_ms, enum message_reason *why)
{
	if (!was->any) {
		*why = REASON_FIRST;
		return now->firing.n > 0 ? DECIDE_TELL : DECIDE_NOTHING;
	}
	if (!subset(now->firing, was->firing, was->n_firing)) {
		*why = was->n_firing == 0 ? REASON_FIRST : REASON_NEW_ALERTS;
		return DECIDE_TELL;
	}
	if (now->firing.n == 0) {
		*why = REASON_ALL_RESOLVED;
		return decide_end(was, now, in);
	}
	if (in->send_resolved && !subset(now->resolved, was->resolved, was->n_resolved)) {
		*why = REASON_SOME_RESOLVED;
		return DECIDE_TELL;
	}
	*why = REASON_REPEAT;
	return was->at_ms <= repeat_before_ms ? DECIDE_TELL : DECIDE_NOTHING;
}

static void keep(uint64_t **v, size_t *n, struct fps f)
{
	free(*v);
	*v = malloc((f.n + 1) * sizeof **v);
	ASSERT(*v != NULL);
	if (f.n > 0)
		memcpy(*v, f.v, f.n * sizeof **v);
	*n = f.n;
}

static void remember(struct sent *s, const struct view *now, int64_t wall_ms)
{
	keep(&s->firing, &s->n_firing, now->firing);
	keep(&s->resolved, &s->n_resolved, now->resolved);
	keep(&s->held, &s->n_held, now->held);
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
		if (!mb->gone && !live_alert_suppressed(mb->a) &&
			(mb->a->al.firing || with_resolved))
			v[n++] = mb->a->al;
	}
	/* all is suppressed by now: what was to be told is said nevertheless */
	for (pos = 0; n == 0 && (mb = map_each(&g->members, &pos)) != NULL;) {
		if (!mb->gone && mb->a->al.firing)
			v[n++] = mb->a->al;
	}
	m->group_key = group_shown_key(g);
	m->group_labels = g->labels;
	m->incident_ms = g->incident_ms;
	message_finish(m, v, n, a);
}

static void collect_alerts(struct message *m, const struct group *g, const struct view *now,
	bool with_resolved, struct arena *a)
{
	struct message_alert *v = ARENA_ARRAY(a, g->members.n, struct message_alert);
	struct member *mb;
	size_t pos = 0, n = 0;

	ASSERT(v != NULL);
	while ((mb = map_each(&g->members, &pos)) != NULL) {
		const struct message_alert *al = &mb->a->al;
		const struct fps *in = al->firing ? &now->firing : &now->resolved;

		if (!mb->gone && (al->firing || with_resolved) &&
			sent_contains(in->v, in->n, al->fingerprint))
			v[n++] = *al;
	}
	message_finish(m, v, n, a);
}

/* What one integration is to be told about a group, and why. */
struct telling {
	const struct receiver_config *receiver;
	const struct integration *in;
	struct sent *was;
	struct view now;
	enum message_reason why;
	int64_t wall_ms;
};

#define TOLD_NOTES_MAX 1000u /* alerts of one message the history hears of */

static void note_told(
	struct notify *n, const struct group *g, const struct telling *t, struct str id)
{
	struct member *m;
	size_t pos = 0, count = 0;
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, STR_FMT " " STR_FMT "/%s/%zu %s", STR_ARG(id), STR_ARG(t->receiver->name),
		integration_name(t->in->kind), t->in->index, message_reason_text(t->why));
	while (count < TOLD_NOTES_MAX && (m = map_each(&g->members, &pos)) != NULL) {
		const struct fps *in = m->a->al.firing ? &t->now.firing : &t->now.resolved;

		if (m->gone || !sent_contains(in->v, in->n, m->a->al.fingerprint))
			continue;
		event_note(n, m->a, HISTORY_TOLD, buf_view(&b));
		count++;
	}
	buf_fini(&b);
}

static void tell(struct notify *n, const struct group *g, const struct telling *t)
{
	const struct receiver_config *r = t->receiver;
	struct arena a;
	struct message m = {
		.receiver = r->name,
		.external_url = n->cfg->external_url,
		.templates = n->cfg->templates,
		.group_key = group_shown_key(g),
		.group_labels = g->labels,
		.route_labels = group_route(n, g)->labels,
		.reason = t->why,
		.now_ms = t->wall_ms,
		.incident_ms = g->incident_ms,
		.first = !t->was->any,
	};

	arena_init(&a, ((size_t)16 << 20) + g->members.n * 1024);
	m.id = arena_printf(&a, "belfry-%s-%llu", n->instance, (unsigned long long)++n->seq);
	n->seq_dirty = true;
	m.thread = group_thread(n, g, t->was, &a);
	collect_alerts(&m, g, &t->now, t->in->send_resolved || t->why == REASON_ALL_RESOLVED, &a);
	link_message(n->history, &m, &a);
	ASSERT(!a.failed);
	if (m.n > 0) {
		note_told(n, g, t, m.id);
		outbox_tell(n, &m, r, t->in, STR(""));
	}
	arena_fini(&a);
}

/* --- flushing --- */

static const struct integration *integration_of(
	const struct receiver_config *r, const struct sent *s)
{
	for (size_t i = 0; r != NULL && i < r->n; i++) {
		if (r->v[i].kind == s->kind && r->v[i].index == s->index)
			return &r->v[i];
	}
	return NULL;
}

static bool muted(const struct notify *n, const struct group *g)
{
	return g->route != ROUTE_NONE && n->mutes[g->route].muted;
}

/* The last message at or before this time is to be repeated. */
static int64_t repeat_before(const struct notify *n, const struct group *g, int64_t wall_ms)
{
	int64_t repeat = group_route(n, g)->repeat_interval_ms;

	if (repeat <= 0 || g->route == ROUTE_NONE)
		return INT64_MIN;
	/* Alertmanager asks for more than the interval, so that equal waits for the next tick */
	return i64_sub_sat(wall_ms, repeat) - n->cfg->group_ticks;
}

/* Pagers know one key an incident: an end that a group without a route owes would close it there
 * for all that still fires under the name, in this group or in another. */
static bool stays_open(const struct notify *n, const struct group *g, const struct telling *t)
{
	const struct group *o;
	size_t pos = 0;

	if (g->route != ROUTE_NONE || !integration_type(t->in->kind)->closes)
		return false;
	if (t->now.held.n > 0)
		return true;
	while ((o = map_each(&n->groups, &pos)) != NULL) {
		if (o == g || o->dead || o->name != g->name || o->incident_ms != g->incident_ms ||
			strcmp(o->receiver, g->receiver) != 0)
			continue;
		for (size_t i = 0; i < o->n_sent; i++) {
			if (o->sent[i].kind == t->in->kind && o->sent[i].index == t->in->index &&
				o->sent[i].n_firing + o->sent[i].n_held > 0)
				return true;
		}
	}
	return false;
}

static enum decision look(
	struct notify *n, const struct group *g, const struct snapshot *now, struct telling *t)
{
	enum decision d;

	take_view(now, t->was, !n->cfg->drop_suppressed_ends, &t->now);
	if (t->was->at_ms > t->wall_ms)
		t->was->at_ms = t->wall_ms; /* the clock was set back */
	d = decide(t->was, &t->now, t->in, repeat_before(n, g, t->wall_ms), &t->why);
	/* Acknowledged: nobody hears of it again, nor does who was to hear of it later than others
	 * (by a new configuration, or when an interval ends that muted it). */
	if (d == DECIDE_TELL &&
		(t->why == REASON_REPEAT || (!t->was->any && g->flushed_wall_ms != 0)) &&
		incident_is_quiet(n, g))
		return DECIDE_NOTHING;
	return d == DECIDE_TELL && stays_open(n, g, t) ? DECIDE_LOG_ONLY : d;
}

bool flush_wanted(struct notify *n, struct group *g)
{
	const struct receiver_config *r = group_receiver(n, g);
	struct snapshot now;
	bool wanted = false;

	if (muted(n, g))
		return false;
	take_snapshot(g, &now);
	for (size_t i = 0; !wanted && i < g->n_sent; i++) {
		struct telling t = {.receiver = r,
			.in = integration_of(r, &g->sent[i]),
			.was = &g->sent[i],
			.wall_ms = clock_wall_ms()};

		if (t.in == NULL)
			continue;
		wanted = look(n, g, &now, &t) != DECIDE_NOTHING;
		view_fini(&t.now);
	}
	free(now.block);
	return wanted;
}

/* Monotonic time of the next repetition of t's message; INT64_MAX: none. */
static int64_t next_repeat(const struct notify *n, const struct group *g, const struct telling *t)
{
	const struct route_config *r = group_route(n, g);
	int64_t in, tick;

	if (!t->was->any || t->now.firing.n == 0 || r->repeat_interval_ms <= 0 ||
		g->route == ROUTE_NONE || incident_is_quiet(n, g))
		return INT64_MAX;
	in = i64_sub_sat(i64_add_sat(t->was->at_ms, r->repeat_interval_ms), t->wall_ms);
	tick = r->group_interval_ms;
	if (n->cfg->group_ticks && tick > 0) /* the first tick behind it, counted from this one */
		in = (MAX_OF(in, 0) / tick + 1) * tick;
	return i64_add_sat(clock_mono_ms(), MAX_OF(in, 1));
}

static bool owed(const struct group *g, uint64_t fp)
{
	for (size_t i = 0; i < g->n_sent; i++) {
		if (sent_owes(&g->sent[i], fp))
			return true;
	}
	return false;
}

/* Resolved ones leave; those whose end is still to be told (the group is muted) stay. */
static bool forget_resolved(struct group *g, bool keep_owed, bool *empty)
{
	struct member *m;
	size_t pos = 0;
	bool any = false;

	*empty = true;
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (m->gone)
			continue;
		if (m->a->al.firing || (keep_owed && owed(g, m->a->al.fingerprint))) {
			*empty = false;
			continue;
		}
		m->gone = true;
		m->dirty = true;
		any = true;
	}
	return any;
}

static void note_muted(struct notify *n, struct group *g)
{
	const struct route_mute *mute = &n->mutes[g->route];
	struct member *m;
	size_t pos = 0;
	struct buf b;

	if (g->muted_noted)
		return;
	g->muted_noted = true;
	buf_init(&b, (size_t)64 << 10);
	buf_str(&b, g->key);
	for (size_t i = 0; i < mute->n_names; i++) {
		buf_ch(&b, ' ');
		buf_str(&b, mute->names[i]);
	}
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone && m->a->al.firing)
			event_note(n, m->a, HISTORY_MUTED, buf_view(&b));
	}
	buf_fini(&b);
}

/* True when the sent log changed. */
static bool tell_all(struct notify *n, struct group *g, int64_t wall_ms, int64_t *repeat)
{
	const struct receiver_config *r = group_receiver(n, g);
	struct snapshot now;
	bool changed = false, told = false;

	take_snapshot(g, &now);
	for (size_t i = 0; i < g->n_sent; i++) {
		struct telling t = {.receiver = r,
			.in = integration_of(r, &g->sent[i]),
			.was = &g->sent[i],
			.wall_ms = wall_ms};
		enum decision d;

		if (t.in == NULL)
			continue;
		d = look(n, g, &now, &t);
		if (d == DECIDE_TELL)
			tell(n, g, &t);
		if (d != DECIDE_NOTHING)
			remember(t.was, &t.now, wall_ms);
		changed = changed || d != DECIDE_NOTHING;
		told = told || d == DECIDE_TELL;
		*repeat = MIN_OF(*repeat, next_repeat(n, g, &t));
		view_fini(&t.now);
	}
	free(now.block);
	incident_flushed(n, g, told);
	return changed;
}

static void flush(struct notify *n, struct group *g)
{
	int64_t wall = clock_wall_ms(), repeat = INT64_MAX;
	bool quiet = muted(n, g), changed = g->flushed_wall_ms == 0, empty;

	group_due_at(n, g, INT64_MAX);
	if (quiet)
		note_muted(n, g);
	else if (tell_all(n, g, wall, &repeat))
		changed = true;
	if (forget_resolved(g, quiet && !n->cfg->drop_suppressed_ends, &empty))
		changed = true;
	g->flushed_wall_ms = wall;
	if (empty) {
		g->dead = true;
		changed = true;
	} else {
		group_due_at(n, g, repeat);
	}
	if (changed)
		group_mark(n, g);
}

void flush_due_groups(struct notify *n)
{
	int64_t now = clock_mono_ms();

	for (unsigned i = 0; i < FLUSHES_MAX && heap_key(&n->due) <= now; i++) {
		struct group *g = (struct group *)(void *)((char *)heap_min(&n->due) -
							   offsetof(struct group, due));

		if (g->dead)
			group_due_at(n, g, INT64_MAX);
		else
			flush(n, g);
	}
}
