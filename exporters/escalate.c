/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escalate - who is told next when the first receiver is not reached, or nobody acknowledges.
 *
 * Each step of `escalate:` counts from the incident's first message, and is told once. It waits
 * while all that fires is suppressed, and for good once the incident is acknowledged or over. Those
 * who were told by a step are told of the end, too. A step that a reload changed counts as a new
 * one.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/incident.h"
#include "exporters/notify_internal.h"

#define STEPS_AT_ONCE 100u  /* incidents of one transaction; a storm takes several */
#define LOOK_AGAIN_MS 10000 /* while everything is suppressed or muted */

static uint64_t name_id(struct str name)
{
	return hash_fixed(name.p, name.n);
}

static uint64_t step_id(const struct escalation_step *s)
{
	uint64_t parts[] = {
		name_id(s->to), (uint64_t)s->not_delivered_ms, (uint64_t)s->not_acknowledged_ms};

	return hash_fixed(parts, sizeof parts);
}

static bool contains(const uint64_t *v, size_t n, uint64_t id)
{
	for (size_t k = 0; k < n; k++) {
		if (v[k] == id)
			return true;
	}
	return false;
}

bool incident_told(const struct incident *i, struct str receiver)
{
	return contains(i->told, i->n_told, name_id(receiver));
}

/* After how many ms of the incident's clock; why is its cause. */
static int64_t step_after(
	const struct escalation_step *s, const struct incident *i, const char **why)
{
	int64_t after = INT64_MAX;

	*why = "";
	if (s->not_acknowledged_ms > 0) {
		after = s->not_acknowledged_ms;
		*why = "not acknowledged";
	}
	if (s->not_delivered_ms > 0 && i->delivered_ms == 0 && s->not_delivered_ms < after) {
		after = s->not_delivered_ms;
		*why = "not delivered";
	}
	return after;
}

void escalate_plan(struct notify *n, struct incident *i, const struct group *g)
{
	const struct receiver_config *r = outbox_receiver(n, str_c(g->receiver));
	bool none = r == NULL || i->acked_ms != 0 || i->dead;
	int64_t due = INT64_MAX;
	const char *why;

	for (size_t k = 0; !none && k < r->n_escalate; k++) {
		const struct escalation_step *s = &r->escalate[k];

		if (!contains(i->done, i->n_done, step_id(s)))
			due = MIN_OF(due, i64_add_sat(i->started_mono_ms, step_after(s, i, &why)));
	}
	incident_due_at(n, i, due);
}

/* --- telling --- */

static void tell(struct notify *n, const struct group *g, const struct receiver_config *to,
	enum message_reason why, struct str note)
{
	struct arena a;
	struct message m = {.templates = n->cfg->templates,
		.receiver = to->name,
		.external_url = n->cfg->external_url,
		.reason = why,
		.now_ms = clock_wall_ms(),
		.first = why == REASON_FIRST,
		.note = note};

	arena_init(&a, ((size_t)64 << 20) + g->members.n * 1024);
	message_of_group(&m, g, true, &a);
	if (m.n == 0) {
		arena_fini(&a);
		return;
	}
	link_message(n->history, &m, &a);
	for (size_t k = 0; k < receiver_integrations(to); k++) {
		struct message one = m;

		if (!one.firing && !to->v[k].send_resolved)
			continue;
		one.id = outbox_message_id(n, &a);
		one.thread = outbox_thread(n, &m, to, k, &a);
		ASSERT(!a.failed);
		outbox_note_told(n, &one, to, &to->v[k], "escalated");
		outbox_tell(n, &one, to, &to->v[k], STR(""));
	}
	arena_fini(&a);
}

static const char *last_error(const struct notify *n, struct str receiver)
{
	for (const struct dest *d = n->dests; d != NULL; d = d->next) {
		if (d->last_error[0] != '\0' && str_eq(d->receiver, receiver))
			return d->last_error;
	}
	return "";
}

static void take_step(struct notify *n, struct incident *i, const struct group *g,
	const struct escalation_step *s, const char *why)
{
	const struct receiver_config *to = outbox_receiver(n, s->to);
	const char *error =
		str_eq(str_c(why), STR("not delivered")) ? last_error(n, str_c(g->receiver)) : "";
	struct buf note, after;

	if (i->n_done < LIMIT_ESCALATE)
		i->done[i->n_done++] = step_id(s);
	incident_mark(n, i);
	if (to == NULL)
		return;
	if (i->n_told < ARRAY_LEN(i->told) && !contains(i->told, i->n_told, name_id(s->to)))
		i->told[i->n_told++] = name_id(s->to);
	buf_init(&note, 4096);
	buf_init(&after, 64);
	message_duration(&after, clock_mono_ms() - i->started_mono_ms);
	buf_printf(&note, "escalated from %s: %s for " STR_FMT, g->receiver, why,
		STR_ARG(buf_view(&after)));
	if (error[0] != '\0')
		buf_printf(&note, " (%s)", error);
	tell(n, g, to, REASON_FIRST, buf_view(&note));
	metric_inc(n->escalated_total);
	log_warn("notify", "msg=\"escalated\" receiver=%s to=" STR_FMT " reason=\"%s\"",
		g->receiver, STR_ARG(s->to), why);
	incident_note(n, g, HISTORY_ESCALATED, buf_view(&note), s->to);
	buf_fini(&after);
	buf_fini(&note);
}

static void look(struct notify *n, struct incident *i)
{
	const struct group *g = group_find(n, str_c(i->key));
	const struct receiver_config *r;
	int64_t now = clock_mono_ms();
	const char *why;
	size_t heard;

	if (g == NULL || g->incident_ms != i->incident_ms) {
		incident_drop(n, i);
		return;
	}
	free(incident_firing(g, true, &heard));
	if (heard == 0 || (g->route != ROUTE_NONE && n->mutes[g->route].muted)) {
		incident_due_at(n, i, now + LOOK_AGAIN_MS);
		return;
	}
	r = outbox_receiver(n, str_c(g->receiver));
	for (size_t k = 0; r != NULL && k < r->n_escalate; k++) {
		const struct escalation_step *s = &r->escalate[k];

		if (!contains(i->done, i->n_done, step_id(s)) &&
			i64_add_sat(i->started_mono_ms, step_after(s, i, &why)) <= now)
			take_step(n, i, g, s, why);
	}
	escalate_plan(n, i, g);
}

void escalate_due(struct notify *n)
{
	int64_t now = clock_mono_ms();

	for (unsigned k = 0; k < STEPS_AT_ONCE && heap_key(&n->steps) <= now; k++)
		look(n, (struct incident *)(void *)((char *)heap_min(&n->steps) -
						    offsetof(struct incident, due)));
}

void escalate_end(struct notify *n, const struct incident *i, const struct group *g)
{
	struct buf note;

	if (i->n_told == 0)
		return;
	buf_init(&note, 4096);
	buf_printf(&note, "escalated from %s earlier", g->receiver);
	for (size_t k = 0; k < n->cfg->n_receivers; k++) {
		const struct receiver_config *to = &n->cfg->receivers[k];

		if (contains(i->told, i->n_told, name_id(to->name)))
			tell(n, g, to, REASON_ALL_RESOLVED, buf_view(&note));
	}
	buf_fini(&note);
}
