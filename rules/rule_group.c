/* SPDX-License-Identifier: Apache-2.0 */
/* rule_group - evaluates the rules of a group in their order at one time; see rule_group.h. */
#include "rules/rule_group.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/seam.h"
#include "base/slot.h"
#include "rules/rule_alert.h"
#include "rules/rule_plan.h"
#include "rules/rule_refusal.h"
#include "storage/store.h"

#define LOOKBACK_MS 300000

#define COUNT(name, help)                                                                          \
	do {                                                                                       \
		static struct metric *_Atomic cell_;                                               \
		if (cell_ == NULL)                                                                 \
			cell_ = metric_counter(name, help, NULL);                                  \
		metric_inc(cell_);                                                                 \
	} while (0)

int rule_query_range(const struct rule_env *env, struct arena *a, const struct pq_expr *x,
	const struct pq_params *when, struct pq_result *out, struct err *e)
{
	struct pq_params p = {
		.start_ms = when->start_ms,
		.end_ms = when->end_ms,
		.step_ms = when->step_ms,
		.lookback_ms = env->lookback_ms > 0 ? env->lookback_ms : LOOKBACK_MS,
		.max_samples = env->max_samples,
		.deadline_mono_ms =
			env->wait_all ? 0 : clock_mono_ms() + MAX_OF(when->interval_ms, 10000),
		.cancel = env->cancel,
		.interval_ms = env->interval_ms,
		.experimental = env->experimental,
	};

	return pq_eval(a, x, &p, env->source, out, e);
}

int rule_query(const struct rule_env *env, struct arena *a, const struct pq_expr *x, int64_t t_ms,
	int64_t interval_ms, struct pq_result *out, struct err *e)
{
	struct pq_params when = {.start_ms = t_ms, .end_ms = t_ms, .interval_ms = interval_ms};

	return rule_query_range(env, a, x, &when, out, e);
}

static void rule_init(struct rule *r, const struct rule_def *def, struct rule_refusals *refusals)
{
	*r = (struct rule){.def = def, .refusals = refusals};
	map_init(&r->alerts);
	map_init(&r->by_sample);
	map_init(&r->emitted);
	if (def->absent_after_ms > 0)
		r->absent = absent_new();
}

static void make_metrics(struct rule_group *g, const struct rule_env *env)
{
	struct str name = env->own_metrics ? g->def->name : STR("");

	if (env->own_metrics) {
		g->duration = metric_gauge_l("belfry_rule_group_last_duration_seconds",
			"How long the group's last evaluation took.", "rule_group", name);
		metric_set(metric_gauge_l("belfry_rule_group_interval_seconds",
				   "How often the group is evaluated.", "rule_group", name),
			(double)g->interval_ms / 1000);
	}
	g->failures = metric_counter_l("belfry_rule_evaluation_failures_total",
		"Rule evaluations that failed.", "rule_group", name);
	g->missed = metric_counter_l("belfry_rule_group_iterations_missed_total",
		"Evaluations that were skipped because an earlier one took too long.", "rule_group",
		name);
}

struct rule_group *rule_group_new(const struct rule_group_def *def, const struct rule_env *env)
{
	struct rule_group *g = calloc(1, sizeof *g);

	ASSERT(g != NULL);
	g->def = def;
	g->interval_ms = def->interval_ms > 0 ? def->interval_ms : env->interval_ms;
	g->offset_ms = slot_of_rules(hash_fixed(def->key.p, def->key.n), g->interval_ms,
		env->slot_unit_ms, env->n_groups);
	make_metrics(g, env);
	rule_plan_init(&g->plan, def);
	g->refusals = rule_refusals_new(def->name);
	g->rules = calloc(def->n > 0 ? def->n : 1, sizeof *g->rules);
	ASSERT(g->rules != NULL);
	for (size_t i = 0; i < def->n; i++) {
		rule_init(&g->rules[i], &def->rules[i], g->refusals);
	}
	return g;
}

void rule_group_free(struct rule_group *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->def->n; i++) {
		struct alert *al;
		size_t pos = 0;

		while ((al = map_each(&g->rules[i].alerts, &pos)) != NULL)
			alert_free(al);
		map_fini(&g->rules[i].alerts);
		map_fini(&g->rules[i].by_sample);
		absent_free(g->rules[i].absent);
		emit_forget(&g->rules[i]);
	}
	rule_plan_fini(&g->plan);
	rule_refusals_unref(g->refusals);
	free(g->rules);
	free(g);
}

/* Labels follow from samples as the rule's texts say: another text, another way. They are the same
 * as long as the key is, which holds them. */
static void rule_move(struct rule *to, struct rule *from)
{
	const struct rule_def *def = to->def;
	struct rule_refusals *own = to->refusals, *refusals = from->refusals;
	struct absent *fresh = to->absent;

	*to = *from;
	to->def = def;
	to->refusals = own;
	if (def->absent_after_ms > 0 && to->absent == NULL) {
		to->absent = fresh;
		fresh = NULL;
	} else if (def->absent_after_ms == 0 && to->absent != NULL) {
		absent_forget_all(to->absent); /* and is told with the next batch */
	}
	absent_free(fresh);
	/* emptied: nothing of it is shared */
	rule_init(from, from->def, refusals);
	from->given_away = true;
}

static void set_refusals(struct rule_group *g, struct rule_refusals *take)
{
	g->refusals = take;
	for (size_t i = 0; i < g->def->n; i++)
		g->rules[i].refusals = take;
}

void rule_group_adopt(struct rule_group *g, struct rule_group *old)
{
	struct rule_refusals *fresh = g->refusals;

	set_refusals(g, old->refusals);
	set_refusals(old, fresh);
	for (size_t i = 0; i < g->def->n; i++) {
		for (size_t j = 0; j < old->def->n; j++) {
			struct rule *to = &g->rules[i], *from = &old->rules[j];

			if (!str_eq(to->def->key, from->def->key) || from->given_away ||
				to->turn != 0 || to->alerts.n > 0)
				continue;
			rule_move(to, from);
			break;
		}
	}
	if (g->interval_ms == old->interval_ms) {
		g->offset_ms = old->offset_ms; /* a clock that was set back has moved it */
		g->next_slot_ms = old->next_slot_ms;
	}
	g->last_eval_ms = old->last_eval_ms;
	g->eval_seconds = old->eval_seconds;
}

static void shift_alert(struct alert *al, int64_t back_ms)
{
	al->active_at_ms = i64_sub_sat(al->active_at_ms, back_ms);
	if (al->fired_at_ms != 0)
		al->fired_at_ms = i64_sub_sat(al->fired_at_ms, back_ms);
	if (al->keep_since_ms != 0)
		al->keep_since_ms = i64_sub_sat(al->keep_since_ms, back_ms);
	al->save = true;
}

void rule_group_shift(struct rule_group *g, int64_t back_ms)
{
	for (size_t i = 0; i < g->def->n; i++) {
		struct alert *al;
		size_t pos = 0;

		while ((al = map_each(&g->rules[i].alerts, &pos)) != NULL)
			shift_alert(al, back_ms);
		if (g->rules[i].absent != NULL)
			absent_shift(g->rules[i].absent, back_ms);
	}
}

void rule_group_hold(struct rule_group *g, int64_t until_ms)
{
	for (size_t i = 0; i < g->def->n; i++) {
		struct alert *al;
		size_t pos = 0;

		while ((al = map_each(&g->rules[i].alerts, &pos)) != NULL) {
			if (al->state != ALERT_INACTIVE)
				al->hold_until_ms = until_ms;
		}
	}
}

/* Stored by a clock that went ahead of today's: as if it had begun to fire just now. */
static int64_t ahead_of(const struct alert *al, int64_t now_ms)
{
	int64_t latest = MAX_OF(MAX_OF(al->active_at_ms, al->fired_at_ms), al->keep_since_ms);

	return i64_sub_sat(latest, now_ms);
}

bool rule_restore(
	struct rule *r, struct str rule_key, const struct alert_event *ev, int64_t hold_until_ms)
{
	struct arena scratch;
	struct alert *al;

	if (!r->def->is_alert || !str_eq(r->def->key, rule_key))
		return false;
	al = calloc(1, sizeof *al);
	ASSERT(al != NULL);
	*al = (struct alert){
		.labels = labels_clone(ev->labels),
		.annotations = labels_clone(ev->annotations),
		.fingerprint = ev->fingerprint,
		.ref = alert_next_ref(),
		.state = ev->to,
		.told = ev->to,
		.active_at_ms = ev->active_at_ms,
		.fired_at_ms = ev->fired_at_ms,
		.keep_since_ms = ev->keep_firing_since_ms,
		.value = ev->value,
		.current = ev->current,
		.worst = ev->worst,
		.hold_until_ms = hold_until_ms,
	};
	if (ahead_of(al, clock_wall_ms()) > 0)
		shift_alert(al, ahead_of(al, clock_wall_ms()));
	map_add(&r->alerts, al->fingerprint, al);
	arena_init(&scratch, (size_t)1 << 20);
	emit_remember(r, alert_series(al, &scratch));
	emit_remember(r, alert_since_series(al, &scratch));
	arena_fini(&scratch);
	r->n_pending += al->state == ALERT_PENDING;
	r->n_firing += al->state == ALERT_FIRING;
	return true;
}

/* --- evaluation --- */

int64_t rule_group_delay(const struct rule_group *g, const struct rule_env *env)
{
	return g->def->query_offset_ms >= 0 ? g->def->query_offset_ms : env->query_offset_ms;
}

struct labels rule_recorded_labels(const struct rule *r, struct labels sample, struct arena *a)
{
	struct labels_builder b;

	labels_builder_init(&b, a, sample);
	labels_builder_set(&b, LABEL_NAME, r->def->name);
	for (size_t i = 0; i < r->def->n_labels; i++)
		labels_builder_set(&b, r->def->labels[i].name, r->def->labels[i].text);
	return labels_builder_done(&b);
}

static int by_labels(const void *a, const void *b)
{
	const struct labels *x = a, *y = b;

	return labels_cmp(*x, *y);
}

static int check_distinct(const struct labels *v, size_t n, struct arena *a, struct err *e)
{
	struct labels *sorted = ARENA_ARRAY(a, n, struct labels);

	if (sorted == NULL)
		return err_set(e, ERR_LIMIT, 0, "the result needs more than query.max_memory");
	if (n > 0)
		memcpy(sorted, v, n * sizeof *v);
	qsort(sorted, n, sizeof *sorted, by_labels);
	for (size_t i = 1; i < n; i++) {
		if (labels_eq(sorted[i - 1], sorted[i]))
			return err_set(e, ERR_INPUT, 0,
				"vector contains metrics with the same labelset after applying "
				"rule labels");
	}
	return 0;
}

static int record(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	struct arena *a, int64_t t_ms, const struct pq_result *res, bool wait, struct err *e)
{
	size_t n = res->type == PQ_SCALAR ? 1 : res->n;
	struct labels *v = ARENA_ARRAY(a, n, struct labels);
	struct emitter em;

	for (size_t i = 0; v != NULL && i < n; i++)
		v[i] = rule_recorded_labels(r,
			res->type == PQ_SCALAR ? (struct labels){NULL, 0} : res->series[i].labels,
			a);
	if (a->failed)
		return err_set(e, ERR_LIMIT, 0, "the result needs more than query.max_memory");
	if (check_distinct(v, n, a, e) != 0)
		return -1;
	if (g->def->limit > 0 && n > g->def->limit)
		return err_set(e, ERR_LIMIT, 0, "exceeded limit of %llu with %zu series",
			(unsigned long long)g->def->limit, n);
	emit_begin(&em, r, env, a, t_ms);
	for (size_t i = 0; i < n; i++) {
		if (res->type == PQ_SCALAR)
			emit(&em, v[i], res->scalar, NULL);
		else if (res->series[i].n > 0)
			emit(&em, v[i], res->series[i].v[0],
				res->series[i].h != NULL ? res->series[i].h[0] : NULL);
	}
	return emit_end(&em, wait, e);
}

static void note(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	int64_t slot_ms, int64_t spent_ns, const struct err *e)
{
	bool was_failing = r->failed;

	(void)pthread_mutex_lock(env->lock);
	r->evaluated = true;
	r->failed = e != NULL;
	r->last_eval_ms = slot_ms;
	r->eval_seconds = (double)spent_ns / 1e9;
	(void)snprintf(r->error, sizeof r->error, "%s", e != NULL ? e->msg : "");
	(void)pthread_mutex_unlock(env->lock);
	if (e == NULL)
		return;
	metric_inc(g->failures);
	if (!was_failing)
		log_warn("rule",
			"msg=\"evaluation failed, alerts keep their state\" group=\"" STR_FMT
			"\" rule=\"" STR_FMT "\" error=\"%s\"",
			STR_ARG(g->def->name), STR_ARG(r->def->name), e->msg);
}

int rule_apply(struct rule_group *g, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms, const struct pq_result *res, bool wait, struct err *e)
{
	return r->def->is_alert ? alert_rule_eval(r, g, env, a, t_ms, res, e)
				: record(r, g, env, a, t_ms, res, wait, e);
}

void rule_finish(struct rule_group *g, size_t i, const struct rule_env *env, int64_t slot_ms,
	struct rule_task *task)
{
	struct rule *r = &g->rules[i];
	int64_t start = clock_real_ns();

	if (task->rc == 0)
		task->rc = rule_apply(g, r, env, &task->arena, task->t_ms, &task->res,
			rule_is_read_later(g, i), &task->err);
	arena_fini(&task->arena);
	task->spent_ns += clock_real_ns() - start;
	note(r, g, env, slot_ms, task->spent_ns, task->rc == 0 ? NULL : &task->err);
	COUNT("belfry_rule_evaluations_total", "Rules evaluated.");
}

void rule_group_eval(struct rule_group *g, const struct rule_env *env, int64_t slot_ms,
	struct alert_batch **batch)
{
	int64_t start = clock_real_ns();

	rule_refusals_turn(g->refusals);
	rule_plan_run(g, env, slot_ms);
	*batch = rule_group_batch(g, env, slot_ms);
	(void)pthread_mutex_lock(env->lock);
	g->last_eval_ms = slot_ms;
	g->eval_seconds = (double)(clock_real_ns() - start) / 1e9;
	(void)pthread_mutex_unlock(env->lock);
	if (g->duration != NULL)
		metric_set(g->duration, g->eval_seconds);
	SEAM_CRASH("eval.done");
}

void rule_group_told(struct rule_group *g, const struct rule_env *env)
{
	(void)pthread_mutex_lock(env->lock);
	for (size_t i = 0; i < g->def->n; i++) {
		if (g->rules[i].def->is_alert)
			alert_rule_told(&g->rules[i]);
	}
	(void)pthread_mutex_unlock(env->lock);
}

void rule_group_end(struct rule_group *g, const struct rule_env *env, int64_t now_ms,
	struct alert_batch **batch)
{
	struct err e;

	for (size_t i = 0; i < g->def->n; i++) {
		struct rule *r = &g->rules[i];
		struct emitter em;
		struct arena a;
		struct alert *al;
		size_t pos = 0;

		while ((al = map_each(&r->alerts, &pos)) != NULL) {
			al->state = ALERT_INACTIVE;
			al->resolved_at_ms = now_ms;
			al->current = normal_nan();
		}
		if (r->absent != NULL && !r->given_away)
			absent_forget_all(r->absent);
		arena_init(&a, (size_t)64 << 20);
		emit_begin(&em, r, env, &a, now_ms);
		if (emit_end(&em, false, &e) != 0)
			log_warn("rule", "msg=\"staleness marks were not written\" error=\"%s\"",
				e.msg);
		arena_fini(&a);
	}
	*batch = rule_group_batch(g, env, now_ms);
}
