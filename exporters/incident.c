/* SPDX-License-Identifier: Apache-2.0 */
/* incident - the table of incidents that are acknowledged or escalated; see incident.h. */
#include "exporters/incident.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

static struct incident *find(const struct notify *n, struct str key)
{
	struct map_iter it;

	for (struct incident *i = map_first(&n->incidents, hash_str(key), &it); i != NULL;
		i = map_next(&n->incidents, &it)) {
		if (!i->dead && str_eq(str_c(i->key), key))
			return i;
	}
	return NULL;
}

struct incident *incident_of(const struct notify *n, const struct group *g)
{
	struct incident *i = find(n, g->key);

	return i != NULL && i->incident_ms == g->incident_ms ? i : NULL;
}

void incident_mark(struct notify *n, struct incident *i)
{
	if (i->dirty)
		return;
	i->dirty = true;
	i->next_dirty = n->dirty_incidents;
	n->dirty_incidents = i;
}

void incident_due_at(struct notify *n, struct incident *i, int64_t mono_ms)
{
	if (mono_ms == INT64_MAX)
		heap_remove(&n->steps, &i->due);
	else
		heap_set(&n->steps, &i->due, mono_ms);
	n->due_mono_ms = MIN_OF(n->due_mono_ms, mono_ms);
}

void incident_drop(struct notify *n, struct incident *i)
{
	i->dead = true;
	incident_due_at(n, i, INT64_MAX);
	incident_mark(n, i);
}

struct incident *incident_get(struct notify *n, const struct group *g)
{
	struct incident *i = find(n, g->key);

	if (i != NULL && i->incident_ms == g->incident_ms)
		return i;
	if (i != NULL)
		incident_drop(n, i); /* of an earlier incident */
	i = calloc(1, sizeof *i);
	ASSERT(i != NULL);
	i->key = str_dup_c(g->key);
	i->acked_by = str_dup_c(STR(""));
	i->ack_note = str_dup_c(STR(""));
	ASSERT(i->key != NULL && i->acked_by != NULL && i->ack_note != NULL);
	i->hash = hash_str(g->key);
	i->incident_ms = g->incident_ms;
	i->started_ms = clock_wall_ms();
	i->started_mono_ms = clock_mono_ms();
	map_add(&n->incidents, i->hash, i);
	incident_mark(n, i);
	return i;
}

void incident_free(struct notify *n, struct incident *i)
{
	map_remove(&n->incidents, i->hash, i);
	heap_remove(&n->steps, &i->due);
	free(i->key);
	free(i->acked_by);
	free(i->ack_note);
	free(i->acked);
	free(i);
}

void incident_free_all(struct notify *n)
{
	struct incident *i;
	size_t pos = 0;

	while ((i = map_each(&n->incidents, &pos)) != NULL) {
		incident_free(n, i);
		pos = 0; /* the table shifted */
	}
	map_fini(&n->incidents);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

uint64_t *incident_firing(const struct group *g, bool heard, size_t *count)
{
	uint64_t *v = malloc((g->members.n + 1) * sizeof *v);
	const struct member *m;
	size_t pos = 0;

	ASSERT(v != NULL);
	*count = 0;
	while ((m = map_each(&g->members, &pos)) != NULL) {
		if (member_fires(m, heard))
			v[(*count)++] = member_alert(m)->fingerprint;
	}
	qsort(v, *count, sizeof *v, by_number);
	return v;
}

static bool all_acked(const struct incident *i, const struct group *g)
{
	size_t count;
	uint64_t *v = incident_firing(g, true, &count);
	bool all = true;

	for (size_t k = 0; all && k < count; k++)
		all = sent_contains(i->acked, i->n_acked, v[k]);
	free(v);
	return all;
}

bool incident_is_quiet(const struct notify *n, const struct group *g)
{
	const struct incident *i = n->incidents.n > 0 ? incident_of(n, g) : NULL;

	return i != NULL && i->acked_ms != 0 && all_acked(i, g);
}

#define NOTES_MAX 1000u /* alerts of one incident the history hears of */

void incident_note(struct notify *n, const struct group *g, enum history_kind kind, struct str text,
	struct str more)
{
	const struct member *m;
	size_t pos = 0, count = 0;
	struct buf b;

	buf_init(&b, 8192);
	buf_str(&b, text);
	if (more.n > 0) {
		buf_c(&b, ": ");
		buf_str(&b, more);
	}
	while (count < NOTES_MAX && (m = map_each(&g->members, &pos)) != NULL) {
		const struct message_alert *al = member_alert(m);

		if (!member_fires(m, false))
			continue;
		count++;
		history_note(n, &(struct history_fact){.at_ms = clock_wall_ms(),
					.fingerprint = al->fingerprint,
					.labels = al->labels,
					.kind = kind,
					.detail = buf_view(&b)});
	}
	buf_fini(&b);
}

/* An alert joined what was acknowledged: everything begins anew. */
static void begin_again(struct notify *n, struct incident *i)
{
	i->acked_ms = 0;
	free(i->acked);
	i->acked = NULL;
	i->n_acked = 0;
	i->n_done = 0;
	i->delivered_ms = 0;
	i->started_ms = clock_wall_ms();
	i->started_mono_ms = clock_mono_ms();
	incident_mark(n, i);
}

void incident_flushed(struct notify *n, struct group *g, bool told)
{
	const struct receiver_config *r = outbox_receiver(n, str_c(g->receiver));
	struct incident *i = n->incidents.n > 0 ? find(n, g->key) : NULL;

	if (i != NULL && i->incident_ms != g->incident_ms) {
		incident_drop(n, i);
		i = NULL;
	}
	if (g->n_firing == 0) {
		if (i != NULL) {
			escalate_end(n, i, g);
			incident_drop(n, i);
		}
		return;
	}
	if (i == NULL && told && r != NULL && r->n_escalate > 0)
		i = incident_get(n, g);
	if (i == NULL)
		return;
	if (i->acked_ms != 0 && !all_acked(i, g))
		begin_again(n, i);
	escalate_plan(n, i, g);
}

static char *copy(const char *text)
{
	char *p = str_dup_c(str_c(text));

	ASSERT(p != NULL);
	return p;
}

static void carry_ack(const struct incident *i, struct incident *to, uint64_t fp)
{
	uint64_t *v;
	size_t at = to->n_acked;

	if (i->acked_ms == 0 || !sent_contains(i->acked, i->n_acked, fp) ||
		sent_contains(to->acked, to->n_acked, fp))
		return;
	if (to->acked_ms == 0) {
		free(to->acked_by);
		free(to->ack_note);
		to->acked_by = copy(i->acked_by);
		to->ack_note = copy(i->ack_note);
		to->acked_ms = i->acked_ms;
		to->ack_carried = true;
	}
	v = realloc(to->acked, (to->n_acked + 1) * sizeof *v);
	ASSERT(v != NULL);
	for (; at > 0 && v[at - 1] > fp; at--)
		v[at] = v[at - 1];
	v[at] = fp;
	to->acked = v;
	to->n_acked++;
}

void incident_carry(struct notify *n, const struct group *from, struct group *to,
	const struct live_alert *a, bool whole)
{
	const struct incident *i = n->incidents.n > 0 ? incident_of(n, from) : NULL;
	bool same = strcmp(from->receiver, to->receiver) == 0;
	bool acked;
	struct incident *t;

	if (i == NULL)
		return;
	acked = i->acked_ms != 0 && sent_contains(i->acked, i->n_acked, a->al.fingerprint);
	t = incident_of(n, to);
	if (t == NULL && !acked && !same)
		return; /* another receiver's escalation begins with its first message */
	if (t == NULL) {
		t = incident_get(n, to);
		t->started_ms = i->started_ms;
		t->started_mono_ms = i->started_mono_ms;
		if (whole) {
			t->delivered_ms = i->delivered_ms;
			memcpy(t->done, i->done, sizeof t->done);
			memcpy(t->told, i->told, sizeof t->told);
			t->n_done = i->n_done;
			t->n_told = i->n_told;
		}
	}
	carry_ack(i, t, a->al.fingerprint);
	t->carried = true;
	incident_mark(n, t);
}

void incident_carried(struct notify *n)
{
	struct incident *i;
	size_t pos = 0;

	while ((i = map_each(&n->incidents, &pos)) != NULL) {
		struct group *g = i->carried && !i->dead ? group_find(n, str_c(i->key)) : NULL;

		i->carried = false;
		if (g == NULL)
			continue;
		if (i->ack_carried && !all_acked(i, g)) {
			i->acked_ms = 0;
			i->n_acked = 0;
		}
		i->ack_carried = false;
		escalate_plan(n, i, g);
	}
}

void incident_replan(struct notify *n)
{
	struct incident *i;
	size_t pos = 0;

	while ((i = map_each(&n->incidents, &pos)) != NULL) {
		const struct group *g = i->dead ? NULL : group_find(n, str_c(i->key));

		if (g != NULL && g->incident_ms == i->incident_ms)
			escalate_plan(n, i, g);
	}
}

void incident_gone(struct notify *n, const struct group *g)
{
	struct incident *i = n->incidents.n > 0 ? incident_of(n, g) : NULL;

	if (i != NULL)
		incident_drop(n, i);
}

void incident_delivered(struct notify *n, const struct row *r)
{
	struct incident *i = n->incidents.n > 0 ? find(n, r->group_key) : NULL;
	const struct group *g = i != NULL ? group_find(n, r->group_key) : NULL;

	if (g == NULL || i->delivered_ms != 0 || r->created_ms < i->started_ms)
		return;
	/* the receiver itself, or whoever was told in its place */
	if (r->tried.n == 0 && !str_eq(r->receiver, str_c(g->receiver)))
		return;
	i->delivered_ms = clock_wall_ms();
	incident_mark(n, i);
	escalate_plan(n, i, g);
}

int64_t incident_due(const struct notify *n)
{
	return heap_key(&n->steps);
}
