/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_tell - what a group says about its alerts after an evaluation: a batch that owns copies.
 *
 * In the compact form an alert that only goes on is two dozen bytes when its value changed, and
 * nothing when it did not: fifty thousand firing alerts at rest are a short list.
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/f64.h"
#include "base/num.h"
#include "rules/rule_alert.h"

static bool is_event(const struct alert *al, const struct rule_env *env)
{
	return !env->compact || al->told != al->state || al->save || al->noted || !al->announced;
}

static bool same(double a, double b)
{
	return f64_bits(a) == f64_bits(b);
}

static bool is_value(const struct alert *al)
{
	return al->state == ALERT_FIRING &&
	       !(same(al->value, al->told_value) && same(al->current, al->told_current) &&
		       same(al->worst, al->told_worst));
}

/* How much a batch takes, with room for the arena's overhead. */
struct size {
	size_t events, values, seen, bytes;
};

static size_t text_bytes(struct labels ls)
{
	size_t n = 0;

	for (size_t i = 0; i < ls.n; i++)
		n += ls.v[i].name.n + ls.v[i].value.n + 128;
	return n;
}

static void add_size(const struct rule *r, const struct rule_env *env, struct size *s)
{
	struct alert *al;
	size_t pos = 0;

	if (r->absent != NULL) {
		size_t bytes = absent_change_bytes(r->absent);

		s->seen += bytes > 0;
		s->bytes += bytes;
	}
	s->bytes += 4 * (r->def->query.n + 512);
	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (is_event(al, env)) {
			s->events++;
			s->bytes += sizeof(struct alert_event) + 256 + text_bytes(al->labels) +
				    text_bytes(al->annotations) +
				    (al->top != NULL ? strlen(al->top) : 0);
		} else if (is_value(al)) {
			s->values++;
			s->bytes += sizeof(struct alert_value);
		}
	}
}

static const struct alert_rule_info *rule_info(
	const struct rule *r, const struct rule_group *g, struct arena *a)
{
	struct alert_rule_info *info = ARENA_NEW(a, struct alert_rule_info);

	if (info == NULL)
		return NULL;
	*info = (struct alert_rule_info){
		.file = arena_str(a, g->def->file),
		.group = arena_str(a, g->def->name),
		.name = arena_str(a, r->def->name),
		.expr = arena_str(a, r->def->query),
		.rule_key = arena_str(a, r->def->key),
		.for_ms = r->def->for_ms,
		.keep_firing_for_ms = r->def->keep_firing_for_ms,
		.interval_ms = g->interval_ms,
	};
	return info;
}

static void add_event(struct alert_batch *b, const struct alert_rule_info *info,
	const struct rule *r, const struct alert *al)
{
	struct alert_event *ev = &b->events[b->n++];

	*ev = (struct alert_event){
		.from = al->told,
		.to = al->state,
		.save = al->save,
		.keep_firing = al->keep_since_ms != 0,
		.held = al->held,
		.labels = labels_copy(&b->arena, al->labels),
		.annotations = labels_copy(&b->arena, al->annotations),
		.fingerprint = al->fingerprint,
		.ref = al->ref,
		.top_expr = al->top != NULL ? arena_str(&b->arena, str_c(al->top)) : STR_NULL,
		.active_at_ms = al->active_at_ms,
		.fired_at_ms = al->fired_at_ms,
		.resolved_at_ms = al->resolved_at_ms,
		.keep_firing_since_ms = al->keep_since_ms,
		.value = al->value,
		.current = al->current,
		.worst = al->worst,
		.threshold = r->def->side != NULL ? r->def->threshold : NAN,
		.rule = info,
	};
	memcpy(ev->op, r->def->op, sizeof ev->op);
	b->changed = b->changed || ev->from != ev->to || ev->save;
}

static void add_seen(struct alert_batch *b, const struct rule *r)
{
	struct alert_seen *v, *all;
	size_t n = absent_changes(r, r->absent, &b->arena, &v);

	if (n == 0)
		return;
	all = ARENA_ARRAY(&b->arena, b->n_seen + n, struct alert_seen);
	if (all == NULL)
		return;
	if (b->n_seen > 0)
		memcpy(all, b->seen, b->n_seen * sizeof *all);
	memcpy(all + b->n_seen, v, n * sizeof *all);
	b->seen = all;
	b->n_seen += n;
	b->changed = true;
}

static void add_rule(struct alert_batch *b, struct alert_value *values, const struct rule_group *g,
	const struct rule *r, const struct rule_env *env)
{
	const struct alert_rule_info *info = NULL;
	struct alert *al;
	size_t pos = 0;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (is_event(al, env)) {
			if (info == NULL)
				info = rule_info(r, g, &b->arena);
			add_event(b, info, r, al);
		} else if (is_value(al)) {
			values[b->n_values++] =
				(struct alert_value){al->ref, al->value, al->current, al->worst};
		}
	}
	if (r->absent != NULL)
		add_seen(b, r);
}

static struct alert_batch *make(
	struct rule_group *g, const struct rule_env *env, int64_t slot_ms, size_t first, size_t n)
{
	struct size s = {.bytes = (size_t)1 << 16};
	struct alert_value *values;
	struct alert_batch *b;

	for (size_t i = first; i < first + n; i++) {
		if (g->rules[i].def->is_alert)
			add_size(&g->rules[i], env, &s);
	}
	if (s.events == 0 && s.values == 0 && s.seen == 0)
		return NULL;
	b = alert_batch_new(s.bytes * 2 + ((size_t)1 << 20));
	ASSERT(b != NULL);
	b->group_key = arena_str(&b->arena, g->def->key);
	b->slot_ms = slot_ms;
	b->events = ARENA_ARRAY(&b->arena, s.events, struct alert_event);
	b->values = values = ARENA_ARRAY(&b->arena, s.values, struct alert_value);
	for (size_t i = first; i < first + n; i++) {
		if (g->rules[i].def->is_alert)
			add_rule(b, values, g, &g->rules[i], env);
	}
	ASSERT(!b->arena.failed);
	ASSERT(b->n == s.events);
	ASSERT(b->n_values == s.values);
	return b;
}

struct alert_batch *rule_group_batch(
	struct rule_group *g, const struct rule_env *env, int64_t slot_ms)
{
	return make(g, env, slot_ms, 0, g->def->n);
}

struct alert_batch *rule_batch(
	struct rule_group *g, struct rule *r, const struct rule_env *env, int64_t slot_ms)
{
	return make(g, env, slot_ms, (size_t)(r - g->rules), 1);
}

static void forget(struct rule *r, struct alert *al)
{
	map_remove(&r->alerts, al->fingerprint, al);
	if (al->sample.v != NULL)
		map_remove(&r->by_sample, al->sample_hash, al);
	alert_free(al);
}

void alert_rule_told(struct rule *r)
{
	struct alert *al, *gone[64];
	size_t n;

	if (r->absent != NULL)
		absent_told(r->absent);
	if (r->def->absent_after_ms == 0) { /* was one, before a reload: forgotten now */
		absent_free(r->absent);
		r->absent = NULL;
	}
	do {
		size_t pos = 0;

		n = 0;
		while (n < ARRAY_LEN(gone) && (al = map_each(&r->alerts, &pos)) != NULL) {
			al->told = al->state;
			al->told_value = al->value;
			al->told_current = al->current;
			al->told_worst = al->worst;
			al->save = al->noted = false;
			al->announced = true;
			if (al->state == ALERT_INACTIVE)
				gone[n++] = al;
		}
		for (size_t i = 0; i < n; i++)
			forget(r, gone[i]);
	} while (n == ARRAY_LEN(gone));
}
