/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - the stretches of a replay and the queries in them; see replay.h. What a query's result
 * becomes stands in replay_apply.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/reach.h"
#include "rules/replay_internal.h"

#define STRETCH_SLOTS  2000u  /* of the shortest interval: long windows are read once a stretch */
#define MANY_BATCHES   20000u /* in one stretch: the next one is shorter */
#define LOOKBACK_MS    300000
#define MEMORY_RESULTS 4

static void make_env(struct replay *rp)
{
	const struct replay_opts *o = &rp->o;

	overlay_init(&rp->overlay, o->source, rp->rs, o->start_ms, MEMORY_RESULTS * o->max_memory);
	rp->source = overlay_source(&rp->overlay);
	rp->out = (struct rule_output){.ctx = rp, .take = replay_take};
	(void)pthread_mutex_init(&rp->lock, NULL);
	rp->env = (struct rule_env){.output = &rp->out,
		.source = &rp->source,
		.external_labels = o->external_labels,
		.external_url = o->external_url,
		.interval_ms = o->interval_ms,
		.query_offset_ms = o->query_offset_ms,
		.slot_unit_ms = o->slot_unit_ms,
		.n_groups = rp->rs->n,
		.max_samples = UINT64_MAX,
		.max_memory = o->max_memory,
		.experimental = o->experimental,
		.cancel = o->cancel,
		.wait_all = true,
		.compact = o->compact,
		.lock = &rp->lock};
}

static void make_nodes(struct replay *rp)
{
	const struct rule_set *rs = rp->rs;
	size_t n = 0;

	rp->groups = calloc(rs->n > 0 ? rs->n : 1, sizeof(struct rule_group *));
	rp->nodes = calloc(rs->n_rules > 0 ? rs->n_rules : 1, sizeof *rp->nodes);
	rp->rules = calloc(rs->n_rules > 0 ? rs->n_rules : 1, sizeof *rp->rules);
	ASSERT(rp->groups != NULL && rp->nodes != NULL && rp->rules != NULL);
	rp->shortest_ms = INT64_MAX;
	for (size_t i = 0; i < rs->n; i++) {
		struct rule_group *g = rule_group_new(&rs->groups[i], &rp->env);

		rp->groups[i] = g;
		rp->shortest_ms = MIN_OF(rp->shortest_ms, g->interval_ms);
		for (size_t k = 0; k < g->def->n; k++, n++) {
			rp->nodes[n] = (struct replay_node){
				.g = g, .r = &g->rules[k], .stats = &rp->rules[n], .number = n};
			rp->rules[n] =
				(struct replay_rule){.group = g->def, .def = &g->def->rules[k]};
			rp->reach_ms = MAX_OF(
				rp->reach_ms, pq_expr_reach(g->def->rules[k].expr, LOOKBACK_MS));
		}
	}
}

struct replay *replay_new(const struct rule_set *rs, const struct replay_opts *o)
{
	struct replay *rp = calloc(1, sizeof *rp);

	ASSERT(rp != NULL);
	rp->rs = rs;
	rp->o = *o;
	make_env(rp);
	make_nodes(rp);
	replay_plan_init(&rp->plan, rs, o->query_offset_ms);
	return rp;
}

void replay_free(struct replay *rp)
{
	if (rp == NULL)
		return;
	for (size_t i = 0; i < rp->rs->n_rules; i++)
		free(rp->nodes[i].open);
	for (size_t i = 0; i < rp->rs->n; i++)
		rule_group_free(rp->groups[i]);
	for (size_t i = 0; i < rp->n_batches; i++)
		alert_batch_free(rp->batches[i].batch);
	free(rp->batches);
	free(rp->groups);
	free(rp->nodes);
	free(rp->rules);
	replay_plan_fini(&rp->plan);
	overlay_fini(&rp->overlay);
	(void)pthread_mutex_destroy(&rp->lock);
	free(rp);
}

const struct replay_rule *replay_rules(const struct replay *rp, size_t *n)
{
	*n = rp->rs->n_rules;
	return rp->rules;
}

const struct select_source *replay_source(const struct replay *rp)
{
	return &rp->source;
}

static bool is_cancelled(const struct replay *rp)
{
	return rp->o.cancel != NULL && atomic_load_explicit(rp->o.cancel, memory_order_relaxed);
}

/* --- one rule --- */

void replay_failed(struct replay_node *nd, uint64_t slots, const struct err *e)
{
	nd->stats->failures += slots;
	(void)snprintf(nd->stats->error, sizeof nd->stats->error, "%s", e->msg);
}

static int query_stretch(struct replay *rp, struct replay_node *nd, struct arena *a,
	struct replay_slots s, struct pq_result *res, struct err *e)
{
	int64_t delay = rule_group_delay(nd->g, &rp->env);
	struct pq_params when = {.start_ms = s.first_ms - delay,
		.end_ms = s.first_ms - delay + (int64_t)(s.n - 1) * s.step_ms,
		.step_ms = s.step_ms};

	return rule_query_range(&rp->env, a, nd->r->def->expr, &when, res, e);
}

static int query_slot(
	struct replay *rp, struct replay_node *nd, struct arena *a, int64_t slot_ms, struct err *e)
{
	int64_t t_ms = slot_ms - rule_group_delay(nd->g, &rp->env);
	struct pq_result res;

	if (rule_query(&rp->env, a, nd->r->def->expr, t_ms, nd->g->interval_ms, &res, e) != 0)
		return -1;
	return replay_apply_slot(rp, nd, a, slot_ms, &res, e);
}

static void eval_slot(struct replay *rp, struct replay_node *nd, int64_t slot_ms)
{
	int64_t start = clock_real_ns();
	struct arena a;
	struct err e;

	arena_init(&a, rp->env.max_memory);
	nd->stats->evaluations++;
	if (query_slot(rp, nd, &a, slot_ms, &e) != 0)
		replay_failed(nd, 1, &e);
	arena_fini(&a);
	nd->stats->seconds += (double)(clock_real_ns() - start) / 1e9;
}

/* All slots by as few queries as their success allows. */
static void eval_stretch(struct replay *rp, struct replay_node *nd, struct replay_slots all)
{
	int64_t start = clock_real_ns();
	size_t done = 0, step = all.n;

	while (done < all.n && !is_cancelled(rp)) {
		struct replay_slots s = {all.first_ms + (int64_t)done * all.step_ms, all.step_ms,
			MIN_OF(step, all.n - done)};
		struct pq_result res;
		struct arena a;
		struct err e;
		bool ok;

		if (s.n == 1) {
			eval_slot(rp, nd, s.first_ms);
			done++;
			step = 2;
			continue;
		}
		arena_init(&a, rp->env.max_memory);
		ok = query_stretch(rp, nd, &a, s, &res, &e) == 0;
		if (ok) {
			nd->stats->evaluations += s.n;
			replay_apply(rp, nd, &a, s, &res);
			done += s.n;
		}
		arena_fini(&a);
		step = ok ? s.n * 2 : s.n / 2;
	}
	nd->stats->seconds += (double)(clock_real_ns() - start) / 1e9;
}

/* --- units --- */

/* A group's slots in [from, until). */
static struct replay_slots slots_of(const struct rule_group *g, int64_t from_ms, int64_t until_ms)
{
	int64_t k = i64_floor_div(from_ms - g->offset_ms + g->interval_ms - 1, g->interval_ms);
	struct replay_slots s = {g->offset_ms + k * g->interval_ms, g->interval_ms, 0};

	if (s.first_ms < until_ms)
		s.n = (size_t)((until_ms - 1 - s.first_ms) / s.step_ms) + 1;
	return s;
}

static void eval_by_slot(
	struct replay *rp, const struct replay_unit *u, int64_t from_ms, int64_t until_ms)
{
	while (!is_cancelled(rp)) {
		int64_t next = INT64_MAX;

		for (size_t i = 0; i < u->n; i++) {
			struct replay_slots s =
				slots_of(rp->nodes[u->rules[i]].g, from_ms, until_ms);

			if (s.n > 0)
				next = MIN_OF(next, s.first_ms);
		}
		if (next == INT64_MAX)
			return;
		for (size_t i = 0; i < u->n; i++) {
			struct replay_node *nd = &rp->nodes[u->rules[i]];

			if (slots_of(nd->g, from_ms, until_ms).first_ms == next)
				eval_slot(rp, nd, next);
		}
		from_ms = next + 1;
	}
}

static void eval_unit(
	struct replay *rp, const struct replay_unit *u, int64_t from_ms, int64_t until_ms)
{
	struct replay_node *nd = &rp->nodes[u->rules[0]];
	struct replay_slots s = slots_of(nd->g, from_ms, until_ms);

	if (u->by_slot || rp->o.slots_only)
		eval_by_slot(rp, u, from_ms, until_ms);
	else if (s.n > 0)
		eval_stretch(rp, nd, s);
}

/* --- stretches --- */

static int by_time(const void *a, const void *b)
{
	const struct replay_batch *x = a, *y = b;

	if (x->batch->slot_ms != y->batch->slot_ms)
		return x->batch->slot_ms < y->batch->slot_ms ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void hand_over(struct replay *rp)
{
	if (rp->n_batches > 0)
		qsort(rp->batches, rp->n_batches, sizeof *rp->batches, by_time);
	for (size_t i = 0; i < rp->n_batches; i++)
		rp->o.on_batch(rp->o.arg, rp->nodes[rp->batches[i].number].r, rp->batches[i].batch);
	rp->n_batches = 0;
}

int replay_run(struct replay *rp, struct err *e)
{
	int64_t at = rp->o.start_ms, end = i64_add_sat(rp->o.end_ms, 1);
	size_t slots = STRETCH_SLOTS;

	while (at < end && rp->rs->n_rules > 0) {
		int64_t until = MIN_OF(i64_add_sat(at, (int64_t)slots * rp->shortest_ms), end);

		if (rp->o.slots_only) /* one after the other, as it would have been */
			until = MIN_OF(i64_add_sat(at, rp->shortest_ms), end);
		for (size_t i = 0; i < rp->plan.n; i++)
			eval_unit(rp, &rp->plan.v[i], at, until);
		if (is_cancelled(rp)) /* what there is of this stretch is not whole */
			return err_set(e, ERR_CANCEL, 0, "stopped");
		if (rp->n_batches > MANY_BATCHES)
			slots = MAX_OF(slots / 2, 50u);
		hand_over(rp);
		at = until;
		if (rp->reach_ms != INT64_MAX)
			overlay_prune(&rp->overlay, i64_sub_sat(at, rp->reach_ms + LOOKBACK_MS));
		if (rp->o.on_progress != NULL && !rp->o.on_progress(rp->o.arg, at - 1))
			return err_set(e, ERR_CANCEL, 0, "stopped");
	}
	return 0;
}

/* --- before it --- */

struct warm {
	const struct rule_set *rs;
	bool reads;
};

static void on_selector(const struct matcher *m, size_t n, void *arg)
{
	struct warm *w = arg;

	for (size_t g = 0; g < w->rs->n && !w->reads; g++) {
		for (size_t i = 0; i < w->rs->groups[g].n && !w->reads; i++)
			w->reads = rule_writes_what(&w->rs->groups[g].rules[i], m, n);
	}
}

int64_t replay_warm_up(const struct rule_set *rs, int64_t max_ms)
{
	int64_t most = 0, hold = 0;

	for (size_t g = 0; g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			const struct rule_def *d = &rs->groups[g].rules[i];
			struct warm w = {.rs = rs};

			rule_def_selectors(d, on_selector, &w);
			if (w.reads)
				most = MAX_OF(most, pq_expr_reach(d->expr, LOOKBACK_MS));
			hold = MAX_OF(hold, i64_add_sat(d->for_ms, d->keep_firing_for_ms));
		}
	}
	return MIN_OF(i64_add_sat(most, hold), max_ms);
}
