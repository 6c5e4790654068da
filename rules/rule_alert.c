/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_alert - the state machine of alerts: inactive -> pending -> firing -> (held, keep firing) ->
 * inactive.
 *
 * Semantics of Prometheus (reference notify.md E); an evaluation error or a limit changes no state:
 * all that can fail comes before the first change.
 */
#include "rules/rule_alert.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"

static const bool moves[3][3] = {
	/* from inactive */ {true, true, true}, /* to firing at once: for 0 */
	/* from pending */ {true, true, true},
	/* from firing */ {true, true, true}, /* to pending: `for` was raised by a reload */
};

static void move(struct alert *al, enum alert_state to)
{
	ASSERT(moves[al->state][to]);
	al->state = to;
}

void alert_free(struct alert *al)
{
	labels_unclone(al->labels);
	labels_unclone(al->annotations);
	labels_unclone(al->sample);
	free(al->top);
	free(al);
}

uint64_t alert_next_ref(void)
{
	static _Atomic uint64_t last;

	return ++last;
}

/* --- one evaluation --- */

static double point_value(const struct pq_series *s)
{
	return s->h != NULL && s->h[0] != NULL ? s->h[0]->count : s->v[0];
}

static int by_fingerprint(const void *a, const void *b)
{
	const struct candidate *x = *(const struct candidate *const *)a,
			       *y = *(const struct candidate *const *)b;

	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	return labels_cmp(x->labels, y->labels);
}

static int same_labels(struct err *e)
{
	return err_set(e, ERR_INPUT, 0,
		"vector contains metrics with the same labelset after applying alert labels");
}

/* No alert may be shown by two elements. Marks those that are seen. */
static int check_distinct(
	struct rule *r, struct arena *a, const struct candidate *v, size_t n, struct err *e)
{
	const struct candidate **fresh = ARENA_ARRAY(a, n, const struct candidate *);
	size_t n_fresh = 0;

	if (fresh == NULL)
		return err_set(e, ERR_LIMIT, 0, "the alerts need more than query.max_memory");
	r->eval_turn++;
	for (size_t i = 0; i < n; i++) {
		if (v[i].alert == NULL)
			fresh[n_fresh++] = &v[i];
		else if (v[i].alert->turn == r->eval_turn)
			return same_labels(e);
		else
			v[i].alert->turn = r->eval_turn;
	}
	qsort(fresh, n_fresh, sizeof(const struct candidate *), by_fingerprint);
	for (size_t i = 1; i < n_fresh; i++) {
		if (labels_eq(fresh[i - 1]->labels, fresh[i]->labels))
			return same_labels(e);
	}
	return 0;
}

static int find_candidates(struct rule *r, struct expander *x, const struct pq_result *res,
	struct candidate **out, size_t *n, struct err *e)
{
	struct candidate *v = ARENA_ARRAY(x->a, res->n + 1, struct candidate);
	struct pq_series one = {.n = 1};
	bool scalar = res->type == PQ_SCALAR;

	*n = 0;
	*out = v;
	for (size_t i = 0; v != NULL && i < (scalar ? 1 : res->n); i++) {
		const struct pq_series *s = scalar ? &one : &res->series[i];

		if (s->n == 0)
			continue;
		v[*n] = (struct candidate){
			.sample = s->labels, .value = scalar ? res->scalar : point_value(s)};
		x->data.hist = !scalar && s->h != NULL ? s->h[0] : NULL;
		candidate_fill(r, x, &v[(*n)++]);
	}
	if (x->a->failed)
		return err_set(e, ERR_LIMIT, 0, "the alerts need more than query.max_memory");
	return 0;
}

static int check_limit(const struct rule_group *g, size_t n, struct err *e)
{
	uint64_t limit = g->def->limit > 0 ? g->def->limit : LIMIT_ALERTS_PER_RULE;

	if (n <= limit && n <= LIMIT_ALERTS_PER_RULE)
		return 0;
	return err_set(e, ERR_LIMIT, 0, "exceeded limit of %llu with %zu alerts",
		(unsigned long long)limit, n);
}

static void worse(const struct rule_def *d, struct alert *al, double v)
{
	if (isnan(al->worst))
		al->worst = v;
	else if (d->op[0] == '>' && v > al->worst)
		al->worst = v;
	else if (d->op[0] == '<' && v < al->worst)
		al->worst = v;
}

static void take_notes(struct rule *r, struct alert *al, const struct candidate *c, int64_t t_ms)
{
	al->noted_for = r->def;
	al->noted_ms = t_ms;
	if (!labels_eq(al->annotations, c->annotations)) {
		labels_unclone(al->annotations);
		al->annotations = labels_clone(c->annotations);
		al->noted = true;
	}
	if (c->top.n > 0 ? al->top == NULL || !str_eq(str_c(al->top), c->top) : al->top != NULL) {
		free(al->top);
		al->top = c->top.n > 0 ? str_dup_c(c->top) : NULL;
		al->noted = true;
	}
}

static struct alert *add_alert(struct rule *r, const struct candidate *c)
{
	struct alert *al = calloc(1, sizeof *al);

	ASSERT(al != NULL);
	al->labels = labels_clone(c->labels);
	al->fingerprint = c->fingerprint;
	al->ref = alert_next_ref();
	al->current = al->worst = NAN;
	al->turn = r->eval_turn;
	map_add(&r->alerts, c->fingerprint, al);
	alert_remember_sample(r, al, c->sample, c->sample_hash);
	return al;
}

static void see(struct rule *r, const struct candidate *c, int64_t t_ms)
{
	struct alert *al = c->alert != NULL ? c->alert : add_alert(r, c);

	if (c->noted)
		take_notes(r, al, c, t_ms);
	if (al->state == ALERT_INACTIVE) {
		move(al, ALERT_PENDING);
		al->active_at_ms = t_ms;
		al->fired_at_ms = al->resolved_at_ms = 0;
		al->worst = NAN;
		al->save = true; /* also when its end was never told: then from == to */
	}
	al->value = c->value;
	if (r->def->side != NULL) {
		al->current = c->value;
		worse(r->def, al, c->value);
	}
}

static void advance_seen(const struct rule_def *d, struct alert *al, int64_t t_ms)
{
	if (al->keep_since_ms != 0)
		al->save = true;
	al->keep_since_ms = 0;
	al->hold_until_ms = 0;
	al->lost_since_ms = 0;
	if (al->state == ALERT_PENDING && t_ms - al->active_at_ms >= d->for_ms) {
		move(al, ALERT_FIRING);
		al->fired_at_ms = t_ms;
	} else if (al->state == ALERT_FIRING && t_ms - al->active_at_ms < d->for_ms) {
		move(al, ALERT_PENDING); /* `for` was raised */
	}
}

static void advance(const struct rule_def *d, struct alert *al, int64_t t_ms)
{
	if (al->seen) {
		advance_seen(d, al, t_ms);
		return;
	}
	/* its samples are older than the outage: nobody knows yet, so nothing changes */
	if (al->hold_until_ms > t_ms || al->held)
		return;
	if (al->state == ALERT_FIRING && d->keep_firing_for_ms > 0) {
		if (al->keep_since_ms == 0) {
			al->keep_since_ms = t_ms;
			al->save = true;
		}
		if (t_ms - al->keep_since_ms < d->keep_firing_for_ms)
			return;
	}
	if (al->state != ALERT_INACTIVE) {
		move(al, ALERT_INACTIVE);
		al->resolved_at_ms = t_ms;
		al->keep_since_ms = 0;
	}
}

/* The compared side's value for alerts that the comparison no longer shows: "now" of resolve
 * messages. */
static void look_behind(
	struct rule *r, const struct rule_group *g, struct expander *x, int64_t t_ms)
{
	struct pq_result res;
	struct alert *al;
	struct err e;
	size_t pos = 0;
	bool any = false;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->seen || (al->state != ALERT_FIRING && al->told != ALERT_FIRING))
			continue;
		al->current = NAN;
		any = true;
	}
	if (!any || r->def->side == NULL)
		return;
	if (rule_query(x->env, x->a, r->def->side, t_ms, g->interval_ms, &res, &e) != 0 ||
		res.type != PQ_VECTOR)
		return; /* the message says "no value" then */
	for (size_t i = 0; i < res.n; i++) {
		if (res.series[i].n == 0)
			continue;
		x->data.labels = res.series[i].labels;
		x->data.value = point_value(&res.series[i]);
		al = alert_by_sample(r, x, res.series[i].labels);
		if (al != NULL && !al->seen)
			al->current = point_value(&res.series[i]);
	}
}

struct labels alert_series(const struct alert *al, struct arena *a)
{
	struct labels_builder b;

	labels_builder_init(&b, a, al->labels);
	labels_builder_set(&b, LABEL_NAME, STR("ALERTS"));
	labels_builder_set(
		&b, STR("alertstate"), al->state == ALERT_FIRING ? STR("firing") : STR("pending"));
	return labels_builder_done(&b);
}

struct labels alert_since_series(const struct alert *al, struct arena *a)
{
	struct labels_builder b;

	labels_builder_init(&b, a, al->labels);
	labels_builder_set(&b, LABEL_NAME, STR("ALERTS_FOR_STATE"));
	return labels_builder_done(&b);
}

static void emit_alert(struct emitter *em, struct alert *al)
{
	double since = (double)i64_floor_div(al->active_at_ms, 1000);

	if (al->series[0] == NULL || al->series_state != al->state)
		al->series[0] = emit(em, alert_series(al, em->a), 1, NULL);
	else
		emit_again(em, al->series[0], 1);
	al->series_state = al->state;
	if (al->series[1] == NULL)
		al->series[1] = emit(em, alert_since_series(al, em->a), since, NULL);
	else
		emit_again(em, al->series[1], since);
}

/* What is not emitted is forgotten by the emitter: no alert may point there afterwards. */
static void emit_alerts(struct emitter *em, struct rule *r)
{
	struct alert *al;
	size_t pos = 0;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->state == ALERT_INACTIVE)
			al->series[0] = al->series[1] = NULL;
		else
			emit_alert(em, al);
	}
}

static void step(struct rule *r, const struct rule_env *env, const struct candidate *v, size_t n,
	int64_t slot_ms)
{
	struct alert *al;
	size_t pos = 0;

	(void)pthread_mutex_lock(env->lock);
	for (size_t i = 0; i < n; i++)
		see(r, &v[i], slot_ms);
	r->n_pending = r->n_firing = 0;
	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		al->seen = al->turn == r->eval_turn;
		al->held = al->held && !al->seen && r->def->clear != NULL;
		advance(r->def, al, slot_ms);
		r->n_pending += al->state == ALERT_PENDING;
		r->n_firing += al->state == ALERT_FIRING;
	}
	(void)pthread_mutex_unlock(env->lock);
}

int alert_rule_eval(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	struct arena *a, int64_t t_ms, const struct pq_result *res, struct err *e)
{
	int64_t slot_ms = t_ms + rule_group_delay(g, env); /* states live at slots */
	struct candidate *v = NULL;
	struct expander x;
	struct emitter em;
	size_t n = 0;

	expander_init(&x, r, g, env, a, slot_ms);
	if (r->def->absent_after_ms > 0) {
		if (absent_eval(r, g, &x, t_ms, res, &v, &n, e) != 0)
			return -1;
	} else if (find_candidates(r, &x, res, &v, &n, e) != 0) {
		return -1;
	}
	if (check_distinct(r, a, v, n, e) != 0 || check_limit(g, n, e) != 0)
		return -1;
	if (r->def->clear != NULL && clear_eval(r, g, &x, t_ms, slot_ms, e) != 0)
		return -1;
	step(r, env, v, n, slot_ms);
	look_behind(r, g, &x, t_ms);
	emit_begin(&em, r, env, a, t_ms);
	emit_alerts(&em, r);
	return emit_end(&em, false, e);
}
