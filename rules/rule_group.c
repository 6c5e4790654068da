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
#include "storage/store.h"

#define LOOKBACK_MS 300000

#define COUNT(name, help)                                                                          \
	do {                                                                                       \
		static struct metric *_Atomic cell_;                                               \
		if (cell_ == NULL)                                                                 \
			cell_ = metric_counter(name, help, NULL);                                  \
		metric_inc(cell_);                                                                 \
	} while (0)

int rule_query(const struct rule_env *env, struct arena *a, const struct pq_expr *x, int64_t t_ms,
	int64_t interval_ms, struct pq_result *out, struct err *e)
{
	struct pq_params p = {
		.start_ms = t_ms,
		.end_ms = t_ms,
		.lookback_ms = LOOKBACK_MS,
		.max_samples = env->max_samples,
		.deadline_mono_ms =
			env->wait_all ? 0 : clock_mono_ms() + MAX_OF(interval_ms, 10000),
		.cancel = env->cancel,
		.interval_ms = env->interval_ms,
		.experimental = env->experimental,
	};

	return pq_eval(a, x, &p, env->source, out, e);
}

struct rule_group *rule_group_new(const struct rule_group_def *def, const struct rule_env *env)
{
	struct rule_group *g = calloc(1, sizeof *g);
	int64_t spread;

	ASSERT(g != NULL);
	g->def = def;
	g->interval_ms = def->interval_ms > 0 ? def->interval_ms : env->interval_ms;
	spread = (int64_t)(hash_fixed(def->key.p, def->key.n) % (uint64_t)g->interval_ms);
	g->offset_ms = spread;
	g->rules = calloc(def->n > 0 ? def->n : 1, sizeof *g->rules);
	ASSERT(g->rules != NULL);
	for (size_t i = 0; i < def->n; i++) {
		g->rules[i].def = &def->rules[i];
		map_init(&g->rules[i].alerts);
		map_init(&g->rules[i].emitted);
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
		emit_forget(&g->rules[i]);
	}
	free(g->rules);
	free(g);
}

void rule_group_adopt(struct rule_group *g, struct rule_group *old)
{
	for (size_t i = 0; i < g->def->n; i++) {
		for (size_t j = 0; j < old->def->n; j++) {
			struct rule *to = &g->rules[i], *from = &old->rules[j];
			const struct rule_def *def = to->def;

			if (!str_eq(def->key, from->def->key) || from->given_away ||
				to->turn != 0 || to->alerts.n > 0)
				continue;
			*to = *from;
			to->def = def;
			/* emptied: nothing of it is shared */
			*from = (struct rule){.def = from->def, .given_away = true};
			map_init(&from->alerts);
			map_init(&from->emitted);
			break;
		}
	}
	if (g->interval_ms == old->interval_ms)
		g->next_slot_ms = old->next_slot_ms;
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

static struct labels recorded_labels(const struct rule *r, struct labels sample, struct arena *a)
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
		v[i] = recorded_labels(r,
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

struct reads {
	struct str name;
	bool found;
};

static void on_selector(const struct matcher *m, size_t n, void *arg)
{
	struct reads *q = arg;
	bool named = false;

	for (size_t i = 0; i < n; i++) {
		if (!str_eq(m[i].name, LABEL_NAME))
			continue;
		named = true;
		if (matcher_matches(&m[i], q->name))
			q->found = true;
	}
	if (!named)
		q->found = true; /* may select anything */
}

/* A later rule of the group reads what this one writes: it must be committed before. */
static bool read_later(const struct rule_group *g, size_t i)
{
	struct reads q = {
		.name = g->def->rules[i].is_alert ? STR("ALERTS") : g->def->rules[i].name};

	for (size_t j = i + 1; j < g->def->n && !q.found; j++)
		pq_expr_selectors(g->def->rules[j].expr, on_selector, &q);
	return q.found;
}

static void note(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	int64_t slot_ms, int64_t start_ns, const struct err *e)
{
	bool was_failing = r->failed;

	(void)pthread_mutex_lock(env->lock);
	r->evaluated = true;
	r->failed = e != NULL;
	r->last_eval_ms = slot_ms;
	r->eval_seconds = (double)(clock_real_ns() - start_ns) / 1e9;
	(void)snprintf(r->error, sizeof r->error, "%s", e != NULL ? e->msg : "");
	(void)pthread_mutex_unlock(env->lock);
	if (e == NULL)
		return;
	metric_inc(metric_counter(
		"belfry_rule_evaluation_failures_total", "Rule evaluations that failed.", NULL));
	if (!was_failing)
		log_warn("rule",
			"msg=\"evaluation failed, alerts keep their state\" group=\"" STR_FMT
			"\" rule=\"" STR_FMT "\" error=\"%s\"",
			STR_ARG(g->def->name), STR_ARG(r->def->name), e->msg);
}

static void eval_rule(struct rule_group *g, size_t i, const struct rule_env *env, int64_t slot_ms)
{
	struct rule *r = &g->rules[i];
	int64_t t_ms = slot_ms - rule_group_delay(g, env), start = clock_real_ns();
	struct pq_result res;
	struct arena a;
	struct err e;
	int rc;

	arena_init(&a, env->max_memory);
	rc = rule_query(env, &a, r->def->expr, t_ms, g->interval_ms, &res, &e);
	if (rc == 0 && r->def->is_alert)
		rc = alert_rule_eval(r, g, env, &a, t_ms, &res, &e);
	else if (rc == 0)
		rc = record(r, g, env, &a, t_ms, &res, read_later(g, i), &e);
	arena_fini(&a);
	note(r, g, env, slot_ms, start, rc == 0 ? NULL : &e);
	COUNT("belfry_rule_evaluations_total", "Rules evaluated.");
}

/* Memory of a batch that holds these alerts, with room for arena overhead. */
static size_t batch_memory(const struct rule_group *g, size_t *alerts)
{
	size_t bytes = (size_t)1 << 20;

	*alerts = 0;
	for (size_t i = 0; i < g->def->n; i++) {
		struct alert *al;
		size_t pos = 0;

		*alerts += g->rules[i].alerts.n;
		bytes += 4 * (g->rules[i].def->query.n + 512);
		while ((al = map_each(&g->rules[i].alerts, &pos)) != NULL) {
			bytes += sizeof(struct alert_event) + 256;
			for (size_t k = 0; k < al->labels.n; k++)
				bytes += al->labels.v[k].name.n + al->labels.v[k].value.n + 128;
			for (size_t k = 0; k < al->annotations.n; k++)
				bytes += al->annotations.v[k].name.n +
					 al->annotations.v[k].value.n + 128;
		}
	}
	return bytes * 2;
}

static struct alert_batch *make_batch(struct rule_group *g, int64_t slot_ms)
{
	struct alert_batch *b;
	size_t alerts, memory = batch_memory(g, &alerts);

	if (alerts == 0)
		return NULL;
	b = alert_batch_new(memory);
	ASSERT(b != NULL);
	b->group_key = arena_str(&b->arena, g->def->key);
	b->slot_ms = slot_ms;
	b->events = ARENA_ARRAY(&b->arena, alerts, struct alert_event);
	for (size_t i = 0; i < g->def->n; i++) {
		if (g->rules[i].def->is_alert)
			alert_rule_events(&g->rules[i], g, b);
	}
	ASSERT(!b->arena.failed);
	return b;
}

void rule_group_eval(struct rule_group *g, const struct rule_env *env, int64_t slot_ms,
	struct alert_batch **batch)
{
	int64_t start = clock_real_ns();

	for (size_t i = 0; i < g->def->n; i++)
		eval_rule(g, i, env, slot_ms);
	*batch = make_batch(g, slot_ms);
	(void)pthread_mutex_lock(env->lock);
	g->last_eval_ms = slot_ms;
	g->eval_seconds = (double)(clock_real_ns() - start) / 1e9;
	(void)pthread_mutex_unlock(env->lock);
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
		arena_init(&a, (size_t)64 << 20);
		emit_begin(&em, r, env, &a, now_ms);
		if (emit_end(&em, false, &e) != 0)
			log_warn("rule", "msg=\"staleness marks were not written\" error=\"%s\"",
				e.msg);
		arena_fini(&a);
	}
	*batch = make_batch(g, now_ms);
}
