/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_event - what rules say about their alerts, applied to the table of alerts and from there
 * to groups, inhibition and silences.
 *
 * An evaluation tells what changed, and the values of what goes on (alert_sink.compact): one of
 * these costs one look-up and touches neither groups nor state.db.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

void event_note(
	struct notify *n, const struct live_alert *a, enum history_kind kind, struct str detail)
{
	struct history_fact f = {.at_ms = clock_wall_ms(),
		.fingerprint = a->al.fingerprint,
		.labels = a->al.labels,
		.kind = kind,
		.detail = detail};

	if (!n->loading)
		history_note(n, &f);
}

void event_fire(struct notify *n, struct live_alert *a, int64_t wall_ms)
{
	ASSERT(!a->al.firing);
	a->al.firing = true;
	a->al.ends_at_ms = 0;
	a->updated_ms = wall_ms;
	if (a->external)
		event_note(n, a, HISTORY_FIRING, STR("external"));
	for (struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		if (m->gone)
			continue;
		m->group->n_firing++; /* one alert, a new beginning before its end was told */
		m->dirty = true;
		group_mark(n, m->group);
		group_schedule_change(n, m->group, a);
	}
	group_join_all(n, a);
	inhibit_source(&n->inhibitor, a, true);
}

void event_resolve(struct notify *n, struct live_alert *a, int64_t ends_at_ms)
{
	ASSERT(a->al.firing);
	a->al.firing = false;
	a->al.ends_at_ms = ends_at_ms;
	a->updated_ms = clock_wall_ms();
	if (a->al.rule.n == 0)
		event_note(n, a, HISTORY_RESOLVED, STR("external"));
	for (struct member *m = a->members; m != NULL; m = m->next_of_alert) {
		if (m->gone)
			continue;
		m->group->n_firing--;
		m->dirty = true;
		group_mark(n, m->group);
		group_schedule_change(n, m->group, a);
	}
	inhibit_source(&n->inhibitor, a, false);
	event_release(n, a);
}

void event_release(struct notify *n, struct live_alert *a)
{
	if (a->al.firing || a->external || a->members != NULL)
		return;
	external_disarm(n, a);
	inhibit_remove(&n->inhibitor, a);
	silence_release(a);
	live_alert_free(&n->alerts, a);
}

static void begin(
	struct notify *n, struct live_alert *a, const struct alert_event *ev, int64_t wall_ms)
{
	bool is_new = a == NULL;

	if (is_new) {
		struct live_alert_source s = {.labels = ev->labels,
			.annotations = ev->annotations,
			.rule = ev->rule->name,
			.group = ev->rule->group,
			.expr = ev->rule->expr,
			.fingerprint = ev->fingerprint};

		a = live_alert_new(&n->alerts, &s);
	}
	a->from_rule = true;
	live_alert_bind(&n->alerts, a, ev->ref);
	live_alert_set_values(a, ev);
	live_alert_set_notes(a, ev->annotations, a->generator_url);
	a->updated_ms = wall_ms;
	if (a->al.firing) /* posted by somebody as well */
		return;
	a->al.starts_at_ms = ev->fired_at_ms;
	if (is_new)
		suppress_new(n, a);
	event_fire(n, a, wall_ms);
}

static void apply_event(struct notify *n, const struct alert_event *ev, int64_t wall_ms)
{
	bool firing = ev->to == ALERT_FIRING;
	struct live_alert *a;

	if (!firing && ev->from != ALERT_FIRING)
		return; /* pending comes and goes without a word */
	a = live_alert_find(&n->alerts, ev->labels);
	if (firing && a != NULL && a->from_rule) {
		live_alert_bind(&n->alerts, a, ev->ref);
		live_alert_set_values(a, ev);
		live_alert_set_notes(a, ev->annotations, a->generator_url);
		a->updated_ms = wall_ms;
		return;
	}
	if (firing) {
		begin(n, a, ev, wall_ms);
		return;
	}
	if (a == NULL || !a->from_rule)
		return;
	a->from_rule = false;
	live_alert_set_values(a, ev);
	if (a->external) /* goes on: others say that it fires */
		return;
	event_resolve(n, a, ev->resolved_at_ms != 0 ? ev->resolved_at_ms : wall_ms);
}

void event_apply(struct notify *n, const struct alert_batch *b)
{
	int64_t wall = clock_wall_ms();

	for (size_t i = 0; i < b->n; i++)
		apply_event(n, &b->events[i], wall);
	for (size_t i = 0; i < b->n_values; i++) {
		const struct alert_value *v = &b->values[i];
		struct live_alert *a = live_alert_by_ref(&n->alerts, v->ref);

		if (a == NULL || !a->from_rule)
			continue;
		a->al.value = v->value;
		a->al.current = v->current;
		a->al.worst = v->worst;
		a->updated_ms = wall;
	}
}
