/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_table - the alerts peers are told of, in two lists: to be told now, and told, the oldest
 * first. Since every alert is told again after the same time, the second list is its own timer:
 * only its head is looked at.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/peer_internal.h"

static void list_add(struct peer_list *l, struct peer_alert *al)
{
	al->next = NULL;
	al->prev = l->last;
	if (l->last != NULL)
		l->last->next = al;
	else
		l->first = al;
	l->last = al;
	l->n++;
}

static void list_remove(struct peer_list *l, struct peer_alert *al)
{
	ASSERT(l->n > 0);
	if (al->prev != NULL)
		al->prev->next = al->next;
	else
		l->first = al->next;
	if (al->next != NULL)
		al->next->prev = al->prev;
	else
		l->last = al->prev;
	al->prev = al->next = NULL;
	l->n--;
}

static void move(struct peer_table *t, struct peer_alert *al, bool urgent)
{
	if (al->urgent == urgent)
		return;
	list_remove(al->urgent ? &t->urgent : &t->told, al);
	al->urgent = urgent;
	list_add(urgent ? &t->urgent : &t->told, al);
}

static void alert_free(struct peer_alert *al)
{
	labels_unclone(al->labels);
	labels_unclone(al->annotations);
	free(al->expr);
	free(al);
}

static void forget(struct peer_table *t, struct peer_alert *al)
{
	list_remove(al->urgent ? &t->urgent : &t->told, al);
	map_remove(&t->by_hash, al->hash, al);
	alert_free(al);
}

void peer_table_init(struct peer_table *t)
{
	*t = (struct peer_table){0};
	map_init(&t->by_hash);
}

void peer_table_fini(struct peer_table *t)
{
	while (t->urgent.first != NULL)
		forget(t, t->urgent.first);
	while (t->told.first != NULL)
		forget(t, t->told.first);
	map_fini(&t->by_hash);
}

static struct peer_alert *find(const struct peer_table *t, uint64_t hash, const struct peer_fact *f)
{
	struct map_iter it;
	struct peer_alert *al;

	for (al = map_first(&t->by_hash, hash, &it); al != NULL; al = map_next(&t->by_hash, &it)) {
		if (al->rule_hash == f->rule_hash && labels_eq(al->labels, f->labels))
			return al;
	}
	return NULL;
}

static char *copy_text(struct str s)
{
	char *c = malloc(s.n + 1);

	ASSERT(c != NULL);
	if (s.n > 0)
		memcpy(c, s.p, s.n);
	c[s.n] = '\0';
	return c;
}

static struct peer_alert *add(struct peer_table *t, uint64_t hash, const struct peer_fact *f)
{
	struct peer_alert *al;

	if (t->by_hash.n >= LIMIT_PEER_ALERTS) {
		METRIC_LIMIT("peer_alerts");
		METRIC_DROP("peer", "table_full", 1);
		return NULL;
	}
	al = calloc(1, sizeof *al);
	ASSERT(al != NULL);
	al->hash = hash;
	al->rule_hash = f->rule_hash;
	al->labels = labels_clone(f->labels);
	al->annotations = labels_clone(f->annotations);
	al->expr = copy_text(f->expr);
	al->urgent = true;
	list_add(&t->urgent, al);
	map_add(&t->by_hash, hash, al);
	return al;
}

void peer_table_take(struct peer_table *t, const struct peer_fact *f)
{
	uint64_t hash = labels_hash_mix(f->rule_hash, f->fingerprint, 0);
	struct peer_alert *al = find(t, hash, f);

	if (!f->firing && al == NULL)
		return;
	if (!f->firing && f->resolved_at_ms == 0) {
		forget(t, al); /* back to pending: its end is not told, it runs out */
		return;
	}
	if (al == NULL && (al = add(t, hash, f)) == NULL)
		return;
	al->heard_mono_ms = clock_mono_ms();
	al->interval_ms = f->interval_ms;
	if (!f->firing) {
		if (al->resolved_ms == 0) {
			al->resolved_ms = f->resolved_at_ms;
			move(t, al, true);
		}
		return;
	}
	if (al->resolved_ms != 0 || al->starts_ms != f->fired_at_ms)
		move(t, al, true); /* a new instance of it */
	al->resolved_ms = 0;
	al->starts_ms = f->fired_at_ms;
	if (!labels_eq(al->annotations, f->annotations)) {
		labels_unclone(al->annotations);
		al->annotations = labels_clone(f->annotations);
	}
}

void peer_table_turn(struct peer_table *t, int64_t mono_ms, int64_t wall_ms)
{
	struct peer_alert *al;

	while ((al = t->told.first) != NULL && al->sent_mono_ms + PEER_RESEND_MS <= mono_ms) {
		if (al->resolved_ms != 0 && wall_ms - al->resolved_ms >= PEER_RESOLVED_MS)
			forget(t, al);
		else
			move(t, al, true);
	}
}

int64_t peer_table_due(const struct peer_table *t)
{
	if (t->urgent.first != NULL)
		return 0;
	return t->told.first != NULL ? t->told.first->sent_mono_ms + PEER_RESEND_MS : INT64_MAX;
}

size_t peer_table_pick(struct peer_table *t, struct peer_alert **out, size_t max, int64_t mono_ms)
{
	size_t n = 0;

	while (n < max && t->urgent.first != NULL) {
		struct peer_alert *al = t->urgent.first;

		al->sent_mono_ms = mono_ms;
		move(t, al, false);
		out[n++] = al;
	}
	return n;
}

void peer_table_all_urgent(struct peer_table *t)
{
	while (t->told.first != NULL)
		move(t, t->told.first, true);
}

void peer_table_end_unheard(struct peer_table *t, int64_t mono_ms, int64_t wall_ms)
{
	struct peer_alert *al;
	size_t pos = 0;

	while ((al = map_each(&t->by_hash, &pos)) != NULL) {
		if (al->resolved_ms != 0 || al->heard_mono_ms >= mono_ms)
			continue;
		al->resolved_ms = wall_ms;
		move(t, al, true);
	}
}
