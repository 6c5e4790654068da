/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_heir - what becomes of an incident when a new configuration puts its alerts into other
 * groups: its name at the receivers, its acknowledgement, the clock of its escalation, what waits.
 *
 *   all that fired is in one new group   that group goes on with the incident: the same dedup keys,
 *                                        threads and root messages, what waits, the escalation
 *   some is in the group whose name the  the same: a configuration came back
 *   incident bears
 *   anything else (split, or joined      the incident is closed at receivers that keep it open
 * under another one)                         its name; a bot's root message says where it goes on;
 * the new groups open their own
 *
 * Both in the transaction of the reload. An acknowledgement goes with the alerts it is of, and what
 * is acknowledged is opened anew for nobody. Receivers that keep nothing open (mail, chats,
 * webhooks) know of the alert already (notify_reroute.c) and hear nothing.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

#define NOTE_CLOSED "closed by a new configuration, which tells these alerts in other groups"
#define NOTE_ROOT   "told in other groups from now on: the configuration changed"

void heirs_note(
	struct heirs *h, struct group *from, struct group *to, struct live_alert *a, bool knew)
{
	if (h->n == h->cap) {
		h->cap = h->cap * 2 + 64;
		h->v = realloc(h->v, h->cap * sizeof *h->v);
		ASSERT(h->v != NULL);
	}
	h->v[h->n++] = (struct heir){from, to, a, knew};
}

/* All that moved out of one group. */
struct leaving {
	struct notify *n;
	struct group *from;
	const struct heir *v;
	size_t count;
};

static bool nobody_stays(const struct group *g)
{
	const struct member *m;
	size_t pos = 0;

	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (!m->gone)
			return false;
	}
	return true;
}

/* The one group that goes on with the incident, or NULL. */
static struct group *sole_heir(const struct leaving *l)
{
	struct group *to = NULL;

	if (!nobody_stays(l->from))
		return NULL;
	for (size_t i = 0; i < l->count; i++) {
		struct group *g = l->v[i].to;

		if (strcmp(g->receiver, l->from->receiver) != 0)
			continue; /* another receiver begins its own */
		if (to != NULL && to != g)
			return NULL;
		to = g;
	}
	/* one that was there before, or already goes on with another, has its own name */
	return to != NULL && to->nameless && to->incident_ms == l->from->incident_ms ? to : NULL;
}

/* The group that bears the incident's name already (a configuration came back), or NULL. */
static struct group *namesake(const struct leaving *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct group *g = l->v[i].to;

		if (same_incident(g, l->from) && strcmp(g->receiver, l->from->receiver) == 0)
			return g;
	}
	return NULL;
}

/* --- telling --- */

static bool holds_open(const struct integration *in)
{
	return integration_type(in->kind)->closes && in->send_resolved;
}

/* The moved alerts as a message of the old group: as they are, or as if they were over. */
static void message_of(const struct leaving *l, bool over, struct message *m, struct arena *a)
{
	struct message_alert *v = ARENA_ARRAY(a, l->count, struct message_alert);
	size_t count = 0;

	ASSERT(v != NULL);
	for (size_t i = 0; i < l->count; i++) {
		const struct live_alert *al = l->v[i].a;

		if (i > 0 && l->v[i - 1].a == al)
			continue; /* it is in several groups now */
		v[count] = al->al;
		if (over && v[count].firing) {
			v[count].firing = false;
			v[count].ends_at_ms = m->now_ms;
		}
		count++;
	}
	message_finish(m, v, count, a);
}

static void tell(const struct leaving *l, const struct receiver_config *r,
	const struct integration *in, struct str thread, bool over)
{
	struct notify *n = l->n;
	struct message m = {.receiver = r->name,
		.external_url = n->cfg->external_url,
		.templates = n->cfg->templates,
		.group_key = group_shown_key(l->from),
		.group_labels = l->from->labels,
		.reason = over ? REASON_ALL_RESOLVED : REASON_SOME_RESOLVED,
		.now_ms = clock_wall_ms(),
		.incident_ms = l->from->incident_ms,
		.thread = thread,
		.note = over ? STR(NOTE_CLOSED) : STR(NOTE_ROOT)};
	struct arena a;

	arena_init(&a, ((size_t)16 << 20) + l->count * 1024);
	message_of(l, over, &m, &a);
	m.id = outbox_message_id(n, &a);
	ASSERT(!a.failed);
	outbox_note_told(n, &m, r, in, m.note.p);
	outbox_tell(n, &m, r, in, STR(""));
	arena_fini(&a);
}

/* `to` ends what s, of another group with the same name, began. */
static bool goes_on(const struct group *to, const struct sent *s)
{
	for (size_t i = 0; to != NULL && i < to->n_sent; i++) {
		if (to->sent[i].kind == s->kind && to->sent[i].index == s->index)
			return to->sent[i].any && to->sent[i].apart == s->apart;
	}
	return false;
}

/* Before what was told is settled elsewhere: who of the group's receiver holds it open. to: who
 * goes on under the same name, or NULL. */
static void close_own(const struct leaving *l, const struct group *to)
{
	const struct receiver_config *r = outbox_receiver(l->n, str_c(l->from->receiver));
	struct arena a;

	arena_init(&a, 65536);
	for (size_t i = 0; r != NULL && i < l->from->n_sent; i++) {
		const struct sent *s = &l->from->sent[i];
		const struct integration *in = outbox_integration(l->n, r->name, s->kind, s->index);
		struct str thread = group_thread(l->n, l->from, s, &a);

		if (in == NULL || !s->any || !s->moved || goes_on(to, s))
			continue;
		if (holds_open(in))
			tell(l, r, in, thread, true);
		else if (in->kind == INT_SLACK && thread_get(l->n, thread).n > 0)
			tell(l, r, in, thread, false);
	}
	arena_fini(&a);
}

/* Those who were told by an escalation. */
static void close_escalated(
	const struct leaving *l, const struct incident *i, const struct group *to)
{
	const struct incident *on = to != NULL ? incident_of(l->n, to) : NULL;
	struct message m = {
		.group_key = group_shown_key(l->from), .incident_ms = l->from->incident_ms};
	struct arena a;

	arena_init(&a, 65536);
	for (size_t k = 0; k < l->n->cfg->n_receivers; k++) {
		const struct receiver_config *r = &l->n->cfg->receivers[k];

		if (!incident_told(i, r->name) || (on != NULL && incident_told(on, r->name)))
			continue;
		for (size_t x = 0; x < receiver_integrations(r); x++) {
			if (holds_open(&r->v[x]))
				tell(l, r, &r->v[x], outbox_thread(l->n, &m, r, x, &a), true);
		}
	}
	arena_fini(&a);
}

/* --- handing over --- */

static void take_name(struct notify *n, const struct group *from, struct group *to)
{
	to->name = from->name;
	to->nameless = false;
	for (size_t i = 0; i < to->n_sent; i++) {
		for (size_t k = 0; k < from->n_sent; k++) {
			if (to->sent[i].kind == from->sent[k].kind &&
				to->sent[i].index == from->sent[k].index)
				to->sent[i].apart = from->sent[k].apart;
		}
	}
	outbox_rekey(n, from->key, to->key);
}

/* Whoever keeps incidents open must hear of the alert under the new group's name. */
static void open_anew(const struct heir *h, struct notify *n)
{
	bool any = false;

	/* what another receiver was told came from elsewhere */
	if (h->knew || strcmp(h->from->receiver, h->to->receiver) != 0 ||
		incident_is_quiet(n, h->to))
		return;
	for (size_t i = 0; i < h->to->n_sent; i++) {
		struct sent *s = &h->to->sent[i];
		const struct integration *in =
			outbox_integration(n, str_c(h->to->receiver), s->kind, s->index);

		if (in == NULL || !holds_open(in) || !sent_owes(s, h->a->al.fingerprint))
			continue;
		sent_forget(s, h->a->al.fingerprint);
		s->any = s->n_firing + s->n_resolved + s->n_held > 0;
		any = true;
	}
	if (any && h->a->al.firing)
		group_due_by(n, h->to, clock_mono_ms());
}

static void settle_one(const struct leaving *l)
{
	struct group *to = sole_heir(l), *on = namesake(l);
	const struct incident *i = incident_of(l->n, l->from);

	for (size_t k = 0; k < l->count; k++)
		incident_carry(
			l->n, l->from, l->v[k].to, l->v[k].a, l->v[k].to == to || l->v[k].to == on);
	if (on != NULL)
		on->nameless = false; /* nobody else's now */
	if (to != NULL) {
		take_name(l->n, l->from, to);
		return;
	}
	if (nobody_stays(l->from)) {
		close_own(l, on);
		if (i != NULL)
			close_escalated(l, i, on);
	}
}

void heirs_settle(struct notify *n, struct heirs *h)
{
	size_t end;

	for (size_t i = 0; i < h->n; i = end) {
		for (end = i; end < h->n && h->v[end].from == h->v[i].from; end++)
			;
		settle_one(&(struct leaving){n, h->v[i].from, h->v + i, end - i});
	}
	incident_carried(n);
	for (size_t i = 0; i < h->n; i++) {
		if (!same_incident(h->v[i].to, h->v[i].from))
			open_anew(&h->v[i], n);
	}
	for (size_t i = 0; i < h->n; i++) {
		h->v[i].to->nameless = false;
		for (size_t k = 0; k < h->v[i].from->n_sent; k++)
			h->v[i].from->sent[k].moved = false;
	}
	free(h->v);
	*h = (struct heirs){0};
}
