/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - rule groups over their life: start with what was stored, reloads, the end; see rules.h.
 * rule_threads.c evaluates them.
 */
#include "rules/rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/role.h"
#include "base/steps.h"
#include "rules/rules_internal.h"

#define OUTAGE_MS      60000 /* no sample for this long: alerts are held after the start */
#define HOLD_INTERVALS 4     /* so many evaluations */
#define HOLD_MIN_MS    30000
#define HOLD_MAX_MS    300000
#define OWN_METRICS    256 /* groups with metrics of their own; with more of them they share */

/* --- heap of groups --- */

static void sift_down(struct rules *r, size_t i)
{
	struct rule_group **h = r->heap;

	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < r->n_heap; c++) {
			if (h[c]->next_slot_ms < h[least]->next_slot_ms)
				least = c;
		}
		if (least == i)
			return;
		struct rule_group *t = h[i];

		h[i] = h[least];
		h[least] = t;
		i = least;
	}
}

void rules_heap_build(struct rules *r)
{
	r->n_heap = 0;
	for (size_t i = 0; i < r->n_groups; i++) {
		if (!r->groups[i]->busy)
			r->heap[r->n_heap++] = r->groups[i];
	}
	for (size_t i = r->n_heap / 2; i-- > 0;)
		sift_down(r, i);
}

struct rule_group *rules_heap_pop(struct rules *r)
{
	struct rule_group *g = r->heap[0];

	ASSERT(r->n_heap > 0);
	r->heap[0] = r->heap[--r->n_heap];
	sift_down(r, 0);
	return g;
}

void rules_heap_push(struct rules *r, struct rule_group *g)
{
	size_t i = r->n_heap++;

	ASSERT(r->n_heap <= r->n_groups);
	for (; i > 0; i = (i - 1) / 2) {
		struct rule_group *up = r->heap[(i - 1) / 2];

		if (up->next_slot_ms <= g->next_slot_ms)
			break;
		r->heap[i] = up;
	}
	r->heap[i] = g;
}

int64_t rules_slot_after(const struct rule_group *g, int64_t wall_ms)
{
	int64_t k = i64_floor_div(wall_ms - g->offset_ms, g->interval_ms);

	return g->offset_ms + (k + 1) * g->interval_ms;
}

/* --- loading and reloading --- */

static void use_opts(struct rules *r, struct arena *a, const struct rules_opts *o)
{
	r->env.store = o->store;
	r->env.source = o->source;
	r->env.external_labels = labels_copy(a, o->external_labels);
	r->env.external_url = arena_str(a, o->external_url);
	r->env.interval_ms = o->evaluation_interval_ms;
	r->env.query_offset_ms = o->query_offset_ms;
	r->env.slot_unit_ms = o->slot_unit_ms;
	r->env.lookback_ms = o->lookback_ms;
	r->env.max_samples = o->max_samples;
	r->env.max_memory = o->max_memory;
	r->env.experimental = o->experimental;
	r->env.cancel = &r->cancel;
	r->env.lock = &r->lock;
	r->env.helpers = &r->helpers;
	r->env.compact = o->sink.compact;
	r->sink = o->sink;
}

static struct rule_group **make_groups(struct rules *r, const struct rule_set *rs)
{
	struct rule_group **v = calloc(rs->n > 0 ? rs->n : 1, sizeof(struct rule_group *));

	ASSERT(v != NULL);
	r->env.own_metrics = rs->n <= OWN_METRICS;
	r->env.n_groups = rs->n;
	for (size_t i = 0; i < rs->n; i++)
		v[i] = rule_group_new(&rs->groups[i], &r->env);
	return v;
}

static void first_slots(struct rules *r)
{
	int64_t now = clock_wall_ms();

	for (size_t i = 0; i < r->n_groups; i++) {
		if (r->groups[i]->next_slot_ms == 0)
			r->groups[i]->next_slot_ms = rules_slot_after(r->groups[i], now);
	}
}

/* --- restoring --- */

struct restorer {
	struct rules *r;
	size_t restored, orphans;
	bool outage;          /* what is stored is too old to judge by */
	struct str forgotten; /* the rule whose label sets are forgotten */
};

static void add_orphan(struct rules *r, struct alert_batch *b)
{
	struct alert_batch **v =
		realloc(r->orphans, (r->n_orphans + 1) * sizeof(struct alert_batch *));

	ASSERT(v != NULL);
	r->orphans = v;
	r->orphans[r->n_orphans++] = b;
}

/* Its rule is gone since the last run: what fired is over, and is told so. */
static void orphan(struct rules *r, struct str rule_key, const struct alert_event *stored)
{
	struct alert_batch *b = alert_batch_new((size_t)32 << 20);
	struct alert_rule_info *info;

	ASSERT(b != NULL);
	info = ARENA_NEW(&b->arena, struct alert_rule_info);
	b->events = ARENA_NEW(&b->arena, struct alert_event);
	ASSERT(info != NULL && b->events != NULL);
	info->rule_key = arena_str(&b->arena, rule_key);
	info->name = arena_str(&b->arena, labels_get(stored->labels, STR("alertname")));
	b->slot_ms = clock_wall_ms();
	b->n = 1;
	b->changed = true;
	b->events[0] = *stored;
	b->events[0].to = ALERT_INACTIVE;
	b->events[0].resolved_at_ms = b->slot_ms;
	b->events[0].current = normal_nan();
	b->events[0].labels = labels_copy(&b->arena, stored->labels);
	b->events[0].annotations = labels_copy(&b->arena, stored->annotations);
	b->events[0].rule = info;
	add_orphan(r, b);
}

/* A group that was at work before goes on with the newest slot that is due: the one in progress at
 * a crash is evaluated once more; equal samples are ignored. */
static int resume_slots(struct rules *r, sqlite3 *db, struct err *e)
{
	for (size_t i = 0; i < r->n_groups; i++) {
		struct rule_group *g = r->groups[i];
		int64_t slot, newest = g->next_slot_ms - g->interval_ms;

		if (alert_store_slot(db, g->def->key, &slot, e) != 0)
			return -1;
		if (slot > 0 && newest >= slot)
			g->next_slot_ms = newest;
	}
	rules_heap_build(r);
	return 0;
}

int64_t rules_grace_ms(const struct rule_group *g)
{
	return MIN_OF(MAX_OF(HOLD_INTERVALS * g->interval_ms, HOLD_MIN_MS), HOLD_MAX_MS);
}

static int64_t hold_until(const struct restorer *x, const struct rule_group *g)
{
	return x->outage ? clock_wall_ms() + rules_grace_ms(g) : 0;
}

static bool had_outage(struct store *s)
{
	struct store_stats st;
	int64_t now = clock_wall_ms();

	if (s == NULL)
		return false;
	store_stats(s, &st);
	/* samples from ahead: the clock is behind where it was, and what is there is of that time
	 */
	return st.mint > st.maxt || now - st.maxt > OUTAGE_MS || st.maxt - now > OUTAGE_MS;
}

static void on_stored(struct str rule_key, const struct alert_event *ev, void *arg)
{
	struct restorer *x = arg;

	for (size_t i = 0; i < x->r->n_groups; i++) {
		struct rule_group *g = x->r->groups[i];

		if (!str_starts(rule_key, g->def->key))
			continue;
		for (size_t k = 0; k < g->def->n; k++) {
			if (rule_restore(&g->rules[k], rule_key, ev, hold_until(x, g))) {
				x->restored++;
				return;
			}
		}
	}
	orphan(x->r, rule_key, ev);
	x->orphans++;
}

static void on_stored_seen(const struct alert_seen *s, void *arg)
{
	struct restorer *x = arg;
	struct alert_batch *b;
	struct alert_seen *all;

	for (size_t i = 0; i < x->r->n_groups; i++) {
		struct rule_group *g = x->r->groups[i];

		for (size_t k = 0; str_starts(s->rule_key, g->def->key) && k < g->def->n; k++) {
			if (rule_restore_seen(&g->rules[k], s))
				return;
		}
	}
	if (str_eq(x->forgotten, s->rule_key))
		return; /* rows come by rule */
	b = alert_batch_new((size_t)1 << 20);
	ASSERT(b != NULL);
	all = ARENA_NEW(&b->arena, struct alert_seen);
	ASSERT(all != NULL);
	*all = (struct alert_seen){.rule_key = arena_str(&b->arena, s->rule_key), .forget = true};
	b->seen = all;
	b->n_seen = 1;
	b->changed = true;
	b->slot_ms = clock_wall_ms();
	x->forgotten = all->rule_key;
	add_orphan(x->r, b);
}

int rules_new(struct rules **out, const struct rules_opts *o, struct rule_set *take, sqlite3 *db,
	struct err *e)
{
	struct rules *r = calloc(1, sizeof *r);
	struct restorer x = {.r = r};
	pthread_condattr_t attr;

	ASSERT(r != NULL);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->wake, &attr);
	(void)pthread_cond_init(&r->idle, NULL);
	(void)pthread_condattr_destroy(&attr);
	arena_init(&r->env_arena, (size_t)8 << 20);
	use_opts(r, &r->env_arena, o);
	r->set = take;
	r->groups = make_groups(r, take);
	r->heap = calloc(take->n > 0 ? take->n : 1, sizeof(struct rule_group *));
	ASSERT(r->heap != NULL);
	r->n_groups = take->n;
	first_slots(r);
	rules_heap_build(r);
	*out = r;
	if (resume_slots(r, db, e) != 0)
		return -1;
	x.outage = had_outage(o->store);
	if (alert_store_load(db, on_stored, &x, e) != 0 ||
		alert_store_load_seen(db, on_stored_seen, &x, e) != 0)
		return -1;
	if (x.restored + x.orphans > 0)
		log_info("rule", "msg=\"alerts restored\" alerts=%zu without_rule=%zu", x.restored,
			x.orphans);
	return 0;
}

/* --- telling --- */

bool rules_tell(struct rules *r, struct alert_batch *b)
{
	if (r->sink.submit == NULL) {
		alert_batch_free(b);
		return true;
	}
	if (r->sink.submit(r->sink.ctx, b))
		return true;
	METRIC_LIMIT("state_queue");
	log_error("rule",
		"msg=\"the state writer is too slow: transitions wait for the next evaluation\"");
	return false;
}

/* Batches that must not be lost and have no group to wait in. */
void rules_tell_orphans(struct rules *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_orphans; i++) {
		if (!rules_tell(r, r->orphans[i]))
			r->orphans[kept++] = r->orphans[i];
	}
	r->n_orphans = kept;
}

static void end_group(struct rules *r, struct rule_group *g)
{
	struct alert_batch *b;

	rule_group_end(g, &r->env, clock_wall_ms(), &b);
	if (b != NULL)
		add_orphan(r, b);
}

/* --- reloading --- */

void rules_take_reload(struct rules *r)
{
	struct rule_set *old_set = r->set;
	struct rule_group **old = r->groups, **v;
	size_t n_old = r->n_groups;

	arena_fini(&r->env_arena);
	r->env_arena = *r->next_arena;
	free(r->next_arena);
	r->next_arena = NULL;
	use_opts(r, &r->env_arena, &r->next_opts);
	v = make_groups(r, r->next_set);
	for (size_t i = 0; i < r->next_set->n; i++) {
		for (size_t k = 0; k < n_old; k++) {
			if (str_eq(v[i]->def->key, old[k]->def->key))
				rule_group_adopt(v[i], old[k]);
		}
	}
	r->set = r->next_set;
	r->next_set = NULL;
	r->groups = v;
	r->n_groups = r->set->n;
	free(r->heap);
	r->heap = calloc(r->n_groups > 0 ? r->n_groups : 1, sizeof(struct rule_group *));
	ASSERT(r->heap != NULL);
	first_slots(r);
	rules_heap_build(r);
	(void)pthread_mutex_unlock(&r->lock);
	for (size_t k = 0; k < n_old; k++) { /* what was not adopted ends here */
		end_group(r, old[k]);
		rule_group_free(old[k]);
	}
	free(old);
	rule_set_free(old_set);
	(void)pthread_mutex_lock(&r->lock);
	rules_tell_orphans(r);
	steps_work_end();
}

void rules_reload(struct rules *r, struct rule_set *take, const struct rules_opts *o)
{
	struct arena *a = malloc(sizeof *a);

	ASSERT(a != NULL);
	arena_init(a, (size_t)8 << 20);
	(void)pthread_mutex_lock(&r->lock);
	steps_work_begin();        /* until an evaluator has taken it */
	if (r->next_set != NULL) { /* overtaken before it was taken */
		steps_work_end();
		rule_set_free(r->next_set);
		arena_fini(r->next_arena);
		free(r->next_arena);
	}
	r->next_set = take;
	r->next_opts = *o;
	r->next_opts.external_labels = labels_copy(a, o->external_labels);
	r->next_opts.external_url = arena_str(a, o->external_url);
	r->next_arena = a;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

void rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_groups; i++)
		rule_group_free(r->groups[i]);
	for (size_t i = 0; i < r->n_orphans; i++)
		alert_batch_free(r->orphans[i]);
	free(r->orphans);
	free(r->groups);
	free(r->heap);
	rule_set_free(r->set);
	if (r->next_set != NULL)
		steps_work_end();
	rule_set_free(r->next_set);
	if (r->next_arena != NULL)
		arena_fini(r->next_arena);
	free(r->next_arena);
	arena_fini(&r->env_arena);
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_cond_destroy(&r->idle);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

void rules_summary(struct rules *r, int64_t *last_eval_ms, size_t *firing, size_t *pending)
{
	*firing = *pending = 0;
	(void)pthread_mutex_lock(&r->lock);
	*last_eval_ms = r->last_eval_ms;
	for (size_t i = 0; i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++) {
			*firing += r->groups[i]->rules[k].n_firing;
			*pending += r->groups[i]->rules[k].n_pending;
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
}
