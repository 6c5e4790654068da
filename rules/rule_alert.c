/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_alert - the state machine of alerts: inactive -> pending -> firing -> (keep firing) ->
 * inactive.
 *
 * Semantics of Prometheus (reference notify.md E); an evaluation error or a limit changes no state.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/rule_group.h"

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
	free(al);
}

/* --- expanding labels and annotations --- */

struct expander {
	const struct rule_def *def;
	const struct rule_env *env;
	struct arena *a;
	struct template_rule_data data;
	int64_t interval_ms;
};

static int query_for_template(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
	struct template_sample **samples, size_t *n, struct err *e)
{
	const struct expander *x = ctx;
	const struct pq_expr *parsed = pq_parse(a, expr, x->env->experimental, e);
	struct pq_result res;

	if (parsed == NULL || rule_query(x->env, a, parsed, at_ms, x->interval_ms, &res, e) != 0)
		return -1;
	if (res.type != PQ_SCALAR && res.type != PQ_VECTOR)
		return err_set(e, ERR_INPUT, 0, "a query must give a vector or a scalar");
	if (res.type == PQ_SCALAR)
		res.n = 1;
	*samples = ARENA_ARRAY(a, res.n, struct template_sample);
	if (*samples == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	*n = 0;
	for (size_t i = 0; i < res.n; i++) {
		struct template_sample *s = &(*samples)[*n];

		if (res.type == PQ_SCALAR) {
			s->value = res.scalar;
		} else if (res.series[i].n > 0) {
			s->labels = res.series[i].labels;
			s->value = res.series[i].v[0];
			s->h = res.series[i].h != NULL ? res.series[i].h[0] : NULL;
		} else {
			continue;
		}
		(*n)++;
	}
	return 0;
}

/* A template that fails gives its error as text: an alert is never swallowed by its words. */
static struct str expand(struct expander *x, const struct rule_text *t)
{
	struct buf out;
	struct err e;
	struct str s;

	if (t->t == NULL)
		return t->text;
	buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
	if (template_run_rule(t->t, &x->data, x->a, &out, &e) != 0)
		s = arena_printf(x->a, "<error expanding template: %s>", e.msg);
	else
		s = arena_str(x->a, buf_view(&out));
	buf_fini(&out);
	return s;
}

static struct labels alert_labels(struct expander *x, struct labels sample)
{
	struct labels_builder b;

	labels_builder_init(&b, x->a, sample);
	labels_builder_del(&b, LABEL_NAME);
	for (size_t i = 0; i < x->def->n_labels; i++)
		labels_builder_set(&b, x->def->labels[i].name, expand(x, &x->def->labels[i]));
	labels_builder_set(&b, STR("alertname"), x->def->name);
	return labels_builder_done(&b);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Unlike labels, annotations with an empty text stay, as upstream's. */
static struct labels alert_annotations(struct expander *x)
{
	struct label *v = ARENA_ARRAY(x->a, x->def->n_annotations, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < x->def->n_annotations; i++) {
		const struct rule_text *t = &x->def->annotations[i];

		if (!str_starts(t->name, STR("belfry_"))) /* ours: never sent to receivers */
			v[n++] = (struct label){t->name, expand(x, t)};
	}
	if (n > 0)
		qsort(v, n, sizeof *v, by_name);
	return (struct labels){v, n};
}

/* --- one evaluation --- */

static struct alert *find(const struct rule *r, uint64_t fp, struct labels ls)
{
	struct map_iter it;

	for (struct alert *al = map_first(&r->alerts, fp, &it); al != NULL;
		al = map_next(&r->alerts, &it)) {
		if (labels_eq(al->labels, ls))
			return al;
	}
	return NULL;
}

struct candidate {
	struct labels labels, annotations;
	uint64_t fingerprint;
	double value;
};

static double point_value(const struct pq_series *s)
{
	return s->h != NULL && s->h[0] != NULL ? s->h[0]->count : s->v[0];
}

static int by_fingerprint(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	return labels_cmp(x->labels, y->labels);
}

static int find_candidates(struct rule *r, const struct rule_group *g, struct expander *x,
	const struct pq_result *res, struct candidate **out, size_t *n, struct err *e)
{
	struct candidate *v = ARENA_ARRAY(x->a, res->n + 1, struct candidate);
	struct pq_series one = {.n = 1};
	bool scalar = res->type == PQ_SCALAR;

	*n = 0;
	for (size_t i = 0; v != NULL && i < (scalar ? 1 : res->n); i++) {
		const struct pq_series *s = scalar ? &one : &res->series[i];
		struct candidate *c = &v[*n];

		if (s->n == 0)
			continue;
		c->value = scalar ? res->scalar : point_value(s);
		x->data.labels = s->labels;
		x->data.value = c->value;
		x->data.hist = !scalar && s->h != NULL ? s->h[0] : NULL;
		c->labels = alert_labels(x, s->labels);
		c->fingerprint = labels_fingerprint(c->labels);
		c->annotations = alert_annotations(x);
		(*n)++;
	}
	if (x->a->failed)
		return err_set(e, ERR_LIMIT, 0, "the alerts need more than query.max_memory");
	qsort(v, *n, sizeof *v, by_fingerprint);
	for (size_t i = 1; i < *n; i++) {
		if (labels_eq(v[i - 1].labels, v[i].labels))
			return err_set(e, ERR_INPUT, 0,
				"vector contains metrics with the same labelset after applying "
				"alert labels");
	}
	if ((g->def->limit > 0 && *n > g->def->limit) || *n > LIMIT_ALERTS_PER_RULE)
		return err_set(e, ERR_LIMIT, 0, "exceeded limit of %llu with %zu alerts",
			(unsigned long long)(g->def->limit > 0 ? g->def->limit
							       : LIMIT_ALERTS_PER_RULE),
			*n);
	*out = v;
	(void)r;
	return 0;
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

static void see(struct rule *r, const struct candidate *c, int64_t t_ms)
{
	struct alert *al = find(r, c->fingerprint, c->labels);

	if (al == NULL) {
		al = calloc(1, sizeof *al);
		ASSERT(al != NULL);
		al->labels = labels_clone(c->labels);
		al->annotations = labels_clone(c->annotations);
		al->fingerprint = c->fingerprint;
		al->current = al->worst = NAN;
		map_add(&r->alerts, c->fingerprint, al);
	} else {
		labels_unclone(al->annotations);
		al->annotations = labels_clone(c->annotations);
	}
	if (al->state == ALERT_INACTIVE) {
		move(al, ALERT_PENDING);
		al->active_at_ms = t_ms;
		al->fired_at_ms = al->resolved_at_ms = 0;
		al->worst = NAN;
		al->save = true; /* also when its end was never told: then from == to */
	}
	al->seen = true;
	al->value = c->value;
	if (r->def->side != NULL) {
		al->current = c->value;
		worse(r->def, al, c->value);
	}
}

static void advance(const struct rule_def *d, struct alert *al, int64_t t_ms)
{
	if (al->seen) {
		if (al->keep_since_ms != 0)
			al->save = true;
		al->keep_since_ms = 0;
		al->hold_until_ms = 0;
		if (al->state == ALERT_PENDING && t_ms - al->active_at_ms >= d->for_ms) {
			move(al, ALERT_FIRING);
			al->fired_at_ms = t_ms;
		} else if (al->state == ALERT_FIRING && t_ms - al->active_at_ms < d->for_ms) {
			move(al, ALERT_PENDING); /* `for` was raised */
		}
		return;
	}
	/* its samples are older than the outage: nobody knows yet, so nothing changes */
	if (al->hold_until_ms > t_ms)
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
		struct labels ls;

		if (res.series[i].n == 0)
			continue;
		x->data.labels = res.series[i].labels;
		x->data.value = point_value(&res.series[i]);
		ls = alert_labels(x, res.series[i].labels);
		al = find(r, labels_fingerprint(ls), ls);
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

static void emit_alerts(struct emitter *em, struct rule *r)
{
	struct alert *al;
	size_t pos = 0;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->state == ALERT_INACTIVE)
			continue;
		emit(em, alert_series(al, em->a), 1, NULL);
		emit(em, alert_since_series(al, em->a),
			(double)i64_floor_div(al->active_at_ms, 1000), NULL);
	}
}

int alert_rule_eval(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	struct arena *a, int64_t t_ms, const struct pq_result *res, struct err *e)
{
	struct expander x = {.def = r->def, .env = env, .a = a, .interval_ms = g->interval_ms};
	struct candidate *v = NULL;
	struct emitter em;
	struct alert *al;
	size_t n = 0, pos = 0;
	int64_t slot_ms = t_ms + rule_group_delay(g, env); /* states live at slots */

	x.data = (struct template_rule_data){.external_labels = env->external_labels,
		.external_url = env->external_url,
		.now_ms = slot_ms,
		.query = query_for_template,
		.query_ctx = &x};
	if (find_candidates(r, g, &x, res, &v, &n, e) != 0)
		return -1;
	ASSERT(v != NULL);
	(void)pthread_mutex_lock(env->lock);
	while ((al = map_each(&r->alerts, &pos)) != NULL)
		al->seen = false;
	for (size_t i = 0; i < n; i++)
		see(r, &v[i], slot_ms);
	r->n_pending = r->n_firing = 0;
	for (pos = 0; (al = map_each(&r->alerts, &pos)) != NULL;) {
		advance(r->def, al, slot_ms);
		r->n_pending += al->state == ALERT_PENDING;
		r->n_firing += al->state == ALERT_FIRING;
	}
	(void)pthread_mutex_unlock(env->lock);
	look_behind(r, g, &x, t_ms);
	emit_begin(&em, r, env, a, t_ms);
	emit_alerts(&em, r);
	return emit_end(&em, false, e);
}

/* --- telling --- */

void alert_rule_events(struct rule *r, const struct rule_group *g, struct alert_batch *b)
{
	struct alert_rule_info *info = ARENA_NEW(&b->arena, struct alert_rule_info);
	struct alert *al;
	size_t pos = 0;

	if (info == NULL)
		return;
	*info = (struct alert_rule_info){
		.file = arena_str(&b->arena, g->def->file),
		.group = arena_str(&b->arena, g->def->name),
		.name = arena_str(&b->arena, r->def->name),
		.expr = arena_str(&b->arena, r->def->query),
		.rule_key = arena_str(&b->arena, r->def->key),
		.for_ms = r->def->for_ms,
		.keep_firing_for_ms = r->def->keep_firing_for_ms,
		.interval_ms = g->interval_ms,
	};
	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		struct alert_event *ev = &b->events[b->n];

		*ev = (struct alert_event){
			.from = al->told,
			.to = al->state,
			.save = al->save,
			.keep_firing = al->keep_since_ms != 0,
			.labels = labels_copy(&b->arena, al->labels),
			.annotations = labels_copy(&b->arena, al->annotations),
			.fingerprint = al->fingerprint,
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
		b->n++;
	}
}

void alert_rule_told(struct rule *r)
{
	struct alert *al, *gone[64];
	size_t n;

	do {
		size_t pos = 0;

		n = 0;
		while (n < ARRAY_LEN(gone) && (al = map_each(&r->alerts, &pos)) != NULL) {
			al->told = al->state;
			al->save = false;
			if (al->state == ALERT_INACTIVE)
				gone[n++] = al;
		}
		for (size_t i = 0; i < n; i++) {
			map_remove(&r->alerts, gone[i]->fingerprint, gone[i]);
			alert_free(gone[i]);
		}
	} while (n == ARRAY_LEN(gone));
}
