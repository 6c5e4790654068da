/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_suppress - silences, inhibition and time intervals at work: an alert's verdict is worked
 * out when it comes and when what suppresses changes; then groups that have something to tell again
 * get a flush time.
 *
 * What ends a suppression decides when: a silence and a time interval end at a moment people chose,
 * so what still fires is told group_wait later, and at once. An inhibiting alert that resolves is
 * often followed by those it inhibited: they get group_interval to do so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_internal.h"
#include "exporters/time_interval.h"

#define MINUTE_MS 60000

/* --- the history --- */

enum { SUPPRESSED_SILENCE, SUPPRESSED_INHIBITION };

static void count(const struct notify *n, size_t reason)
{
	if (!n->loading)
		metric_inc(n->suppressed_total[reason]);
}

static void note_silenced(struct notify *n, const struct live_alert *a)
{
	struct buf b;

	if (a->n_silences > 0)
		count(n, SUPPRESSED_SILENCE);

	buf_init(&b, 4096);
	for (size_t i = 0; i < a->n_silences && i < 16; i++)
		buf_printf(&b, "%s%s", i > 0 ? " " : "", a->silences[i]->id);
	event_note(n, a, a->n_silences > 0 ? HISTORY_SILENCED : HISTORY_UNSILENCED, buf_view(&b));
	buf_fini(&b);
}

static void note_inhibited(struct notify *n, const struct live_alert *a)
{
	uint64_t fps[LIMIT_INHIBITED_BY];
	size_t found = inhibit_sources_of(a, fps, LIMIT_INHIBITED_BY);
	struct buf b;

	if (a->inhibited)
		count(n, SUPPRESSED_INHIBITION);
	buf_init(&b, 4096);
	for (size_t i = 0; i < found; i++)
		buf_printf(&b, "%s%016llx", i > 0 ? " " : "", (unsigned long long)fps[i]);
	event_note(n, a, a->inhibited ? HISTORY_INHIBITED : HISTORY_UNINHIBITED, buf_view(&b));
	buf_fini(&b);
}

/* --- alerts --- */

static void told_again(struct notify *n, const struct live_alert *a, bool after_silence)
{
	for (const struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		const struct route_config *r = group_route(n, m->group);
		int64_t wait = after_silence ? r->group_wait_ms : r->group_interval_ms;

		if (!m->gone && !m->group->dead && m->group->route != ROUTE_NONE)
			group_due_by(n, m->group, i64_add_sat(clock_mono_ms(), wait));
	}
}

/* The inhibitor's: the verdict is already the new one. */
static void on_inhibited(struct live_alert *a, void *arg)
{
	struct notify *n = arg;

	if (!a->al.firing)
		return;
	note_inhibited(n, a);
	if (!live_alert_suppressed(a))
		told_again(n, a, false);
}

static void on_nobody(struct live_alert *a, void *arg)
{
	(void)a;
	(void)arg;
}

void suppress_new(struct notify *n, struct live_alert *a)
{
	inhibit_add(&n->inhibitor, a);
	if (n->silences.index_stale)
		suppress_silences(n);
	(void)silence_of(&n->silences, a);
	if (a->n_silences > 0)
		note_silenced(n, a);
	if (a->inhibited)
		note_inhibited(n, a);
}

static void work_out(struct notify *n, struct live_alert *a)
{
	size_t before = a->n_silences;

	if (!silence_of(&n->silences, a) || !a->al.firing)
		return;
	if (before > 0 || a->n_silences > 0)
		note_silenced(n, a);
	if (before > 0 && !live_alert_suppressed(a))
		told_again(n, a, true);
}

void suppress_silences(struct notify *n)
{
	struct live_alert *a;
	size_t pos = 0;

	if (!silence_refresh(&n->silences, clock_wall_ms()))
		return;
	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		if (silence_touched(&n->silences, a))
			work_out(n, a);
	}
}

/* --- time intervals --- */

static bool contains(const struct named_interval *iv, int64_t wall_ms)
{
	return time_intervals_contain(iv->v, iv->n, wall_ms);
}

/* What mutes the route now. */
static void look_at(const struct route_config *r, struct route_mute *m, int64_t wall_ms)
{
	bool outside = r->n_active > 0;

	m->n_names = 0;
	for (size_t i = 0; i < r->n_mute; i++) {
		if (contains(r->mute[i], wall_ms))
			m->names[m->n_names++] = r->mute[i]->name;
	}
	for (size_t i = 0; i < r->n_active; i++)
		outside = outside && !contains(r->active[i], wall_ms);
	for (size_t i = 0; outside && i < r->n_active; i++)
		m->names[m->n_names++] = r->active[i]->name;
	m->muted = m->n_names > 0;
}

static void unmute(struct notify *n, struct group *g)
{
	struct member *m;
	size_t pos = 0;

	while (g->muted_noted && (m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone)
			event_note(n, m->a, HISTORY_UNMUTED, g->key);
	}
	g->muted_noted = false;
	if (flush_wanted(n, g))
		group_due_by(n, g, clock_mono_ms());
}

void suppress_minute(struct notify *n)
{
	int64_t wall = clock_wall_ms();
	bool any = false;
	struct group *g;
	size_t pos = 0;
	bool *ended = calloc(n->routes.n + 1, sizeof *ended);

	ASSERT(ended != NULL);
	n->minute_mono_ms =
		n->any_intervals
			? i64_add_sat(clock_mono_ms(),
				  MINUTE_MS - (wall - i64_floor_div(wall, MINUTE_MS) * MINUTE_MS))
			: INT64_MAX;
	for (size_t i = 0; n->any_intervals && i < n->routes.n; i++) {
		bool was = n->mutes[i].muted;

		look_at(n->routes.v[i].cfg, &n->mutes[i], wall);
		ended[i] = was && !n->mutes[i].muted;
		any = any || ended[i];
	}
	while (any && (g = map_each(&n->groups, &pos)) != NULL) {
		if (!g->dead && g->route != ROUTE_NONE && ended[g->route])
			unmute(n, g);
	}
	free(ended);
}

static void make_mutes(struct notify *n)
{
	n->any_intervals = false;
	n->mutes = ARENA_ARRAY(&n->route_arena, n->routes.n, struct route_mute);
	ASSERT(n->mutes != NULL);
	for (size_t i = 0; i < n->routes.n; i++) {
		const struct route_config *r = n->routes.v[i].cfg;

		n->mutes[i].names =
			ARENA_ARRAY(&n->route_arena, r->n_mute + r->n_active, struct str);
		ASSERT(n->mutes[i].names != NULL);
		n->any_intervals = n->any_intervals || r->n_mute + r->n_active > 0;
	}
}

/* --- life --- */

void suppress_config(struct notify *n)
{
	static const char name[] = "belfry_notify_suppressed_total";
	static const char help[] = "Alerts that began to be suppressed, by reason.";
	struct live_alert *a;
	size_t pos = 0;

	n->suppressed_total[SUPPRESSED_SILENCE] = metric_counter(name, help, "reason=\"silence\"");
	n->suppressed_total[SUPPRESSED_INHIBITION] =
		metric_counter(name, help, "reason=\"inhibition\"");
	make_mutes(n);
	/* the old rules' memory goes: all links are made anew, then verdicts are compared */
	n->inhibitor.changed = on_nobody;
	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		bool was = a->inhibited;

		inhibit_remove(&n->inhibitor, a);
		a->inhibited = was;
	}
	inhibit_fini(&n->inhibitor);
	inhibit_init(&n->inhibitor, n->cfg->inhibit_rules, n->cfg->n_inhibit_rules, on_nobody, n);
}

/* After suppress_config, and after everything was loaded. */
void suppress_load(struct notify *n)
{
	bool *was = calloc(n->alerts.by_labels.n + 1, sizeof *was);
	struct live_alert *a;
	size_t pos = 0, i = 0;
	struct group *g;

	ASSERT(was != NULL);
	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		was[i++] = a->inhibited;
		inhibit_add(&n->inhibitor, a);
		inhibit_source(&n->inhibitor, a, a->al.firing);
	}
	n->inhibitor.changed = on_inhibited;
	(void)silence_refresh(&n->silences, clock_wall_ms());
	pos = i = 0;
	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		work_out(n, a);
		if (was[i++] != a->inhibited)
			on_inhibited(a, n);
	}
	free(was);
	suppress_minute(n);
	/* what ended while nobody looked */
	pos = 0;
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (!g->dead && group_due_ms(g) == INT64_MAX && flush_wanted(n, g))
			group_due_by(n, g,
				i64_add_sat(clock_mono_ms(), group_route(n, g)->group_wait_ms));
	}
}

void suppress_free(struct notify *n)
{
	struct live_alert *a;
	size_t pos = 0;

	n->inhibitor.changed = on_nobody;
	while ((a = map_each(&n->alerts.by_labels, &pos)) != NULL) {
		inhibit_remove(&n->inhibitor, a);
		silence_release(a);
	}
	inhibit_fini(&n->inhibitor);
	silence_set_fini(&n->silences);
}

int64_t suppress_due(const struct notify *n)
{
	int64_t wall = clock_wall_ms(), silences = n->silences.due_wall_ms;

	if (silences != INT64_MAX) /* at least every minute, should the wall clock jump */
		silences = i64_add_sat(
			clock_mono_ms(), MIN_OF(MAX_OF(i64_sub_sat(silences, wall), 0), MINUTE_MS));
	return MIN_OF(n->minute_mono_ms, silences);
}
