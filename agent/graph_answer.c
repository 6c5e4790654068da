/* SPDX-License-Identifier: Apache-2.0 */
/* graph_answer - one request of a message: points, top offenders, picture; see graph_source.h. */
#include <math.h>
#include <stdlib.h>

#include "agent/graph_source.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/graph_spec.h"
#include "rules/promql/ast.h"
#include "rules/rules.h"
#include "rules/template.h"

#define HOUR       INT64_C(3600000)
#define WINDOW_MAX (INT64_C(8) * 24 * HOUR)
#define WINDOW_MIN INT64_C(30000)
#define LABEL_MAX  80u /* bytes of a line's name */

/* What is known while one request is answered. */
struct maker {
	const struct graph_env *env;
	struct graph_settings set;
	struct graph_spec spec;
	struct rules_about rule;
	bool has_rule;
	struct arena *scratch; /* queries: much, and soon gone */
	struct graph_answer *g;
	const struct pq_expr *side;
	int64_t now_ms, deadline_mono_ms;
};

static void read_settings(struct maker *k)
{
	k->set = (struct graph_settings){.lookback_ms = 300000, .interval_ms = 15000};
	if (k->env->settings != NULL)
		k->env->settings(k->env->settings_ctx, &k->set, k->scratch);
}

/* --- what is asked --- */

/* The compared side; of a comparison with no constant its left one; else all of it. */
static const struct pq_expr *side_of(const struct pq_expr *x)
{
	const struct pq_expr *side, *root = pq_unparen(x);
	double threshold;
	const char *op;

	if (pq_expr_threshold(x, &side, &threshold, &op))
		return side;
	while (root->kind == PQ_BINARY &&
		(root->u.binary.op == PQ_OP_AND || root->u.binary.op == PQ_OP_UNLESS))
		root = pq_unparen(root->u.binary.lhs);
	if (root->kind == PQ_BINARY && pq_op_is_comparison(root->u.binary.op) &&
		!root->u.binary.bool_mod)
		return root->u.binary.lhs;
	return root;
}

static bool is_of_rule(const struct maker *k, struct str name)
{
	if (str_eq(name, STR("alertname")))
		return true;
	for (size_t i = 0; k->has_rule && i < k->rule.n_label_names; i++) {
		if (str_eq(k->rule.label_names[i], name))
			return true;
	}
	return false;
}

/* The labels that came from the expression's result. */
static struct labels own_labels(const struct maker *k, struct labels all)
{
	struct label *v = ARENA_ARRAY(k->scratch, all.n, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < all.n; i++) {
		if (!is_of_rule(k, all.v[i].name))
			v[n++] = all.v[i];
	}
	return (struct labels){v, n};
}

/* A grid of at most GRAPH_POINTS_MAX points over window, its steps whole multiples of unit_ms. */
static void set_grid(struct maker *k, int64_t window, int64_t unit_ms)
{
	struct graph_points *p = &k->g->points;
	int64_t step = window / (GRAPH_POINTS_MAX - 1) + 1;

	step = (step + unit_ms - 1) / unit_ms * unit_ms;
	p->step_ms = step;
	p->n = (size_t)MIN_OF(window / step + 1, (int64_t)GRAPH_POINTS_MAX);
	p->t0_ms = k->now_ms - (int64_t)(p->n - 1) * step;
}

static void set_window(struct maker *k)
{
	int64_t fired = k->now_ms, window = HOUR;

	for (size_t i = 0; i < k->spec.n; i++) {
		if (k->spec.alerts[i].fired_ms > 0)
			fired = MIN_OF(fired, k->spec.alerts[i].fired_ms);
	}
	if (k->has_rule)
		window = MAX_OF(window, 2 * MIN_OF(k->rule.for_ms, WINDOW_MAX) + k->now_ms - fired);
	/* a quarter more than it has fired: how it came about */
	window = MAX_OF(window, (k->now_ms - fired) / 4 * 5);
	set_grid(k, MIN_OF(window, WINDOW_MAX), 5000);
}

static struct pq_params params(const struct maker *k, int64_t start, int64_t end, int64_t step)
{
	return (struct pq_params){.start_ms = start,
		.end_ms = end,
		.step_ms = step,
		.lookback_ms = k->set.lookback_ms,
		.max_samples = LIMIT_GRAPH_SAMPLES,
		.deadline_mono_ms = k->deadline_mono_ms,
		.interval_ms = k->set.interval_ms,
		.experimental = k->set.experimental};
}

/* --- points --- */

/* How many of a series' labels the alert has, SIZE_MAX when it has one with another value. */
static size_t likeness(struct labels series, struct labels alert)
{
	size_t n = 0;

	for (size_t i = 0; i < series.n; i++) {
		if (str_eq(series.v[i].name, LABEL_NAME))
			continue;
		if (!str_eq(labels_get(alert, series.v[i].name), series.v[i].value))
			return SIZE_MAX;
		n++;
	}
	return n;
}

static const struct pq_series *series_of(const struct pq_result *r, struct labels alert)
{
	const struct pq_series *best = NULL;
	size_t most = 0;

	if (r->n == 1)
		return &r->series[0];
	for (size_t i = 0; i < r->n; i++) {
		size_t like = likeness(r->series[i].labels, alert);

		if (like != SIZE_MAX && (best == NULL || like > most)) {
			best = &r->series[i];
			most = like;
		}
	}
	return best;
}

/* A result's points on the graph's own grid; NULL when there are none. */
static const double *on_grid(struct maker *k, const struct pq_series *s)
{
	const struct graph_points *p = &k->g->points;
	double *v = ARENA_ARRAY(&k->g->arena, p->n, double);
	bool any = false;

	for (size_t i = 0; v != NULL && i < p->n; i++)
		v[i] = NAN;
	for (size_t i = 0; v != NULL && i < s->n; i++) {
		int64_t at = (s->t[i] - p->t0_ms) / p->step_ms;

		if (s->t[i] < p->t0_ms || at >= (int64_t)p->n || (s->h != NULL && s->h[i] != NULL))
			continue;
		v[at] = s->v[i];
		any = any || isfinite(s->v[i]);
	}
	return any ? v : NULL;
}

static const double *points_of(struct maker *k, struct labels alert)
{
	const struct graph_points *p = &k->g->points;
	struct arena_mark mark = arena_mark(k->scratch);
	struct pq_params q = params(k, p->t0_ms, k->now_ms, p->step_ms);
	struct labels own = own_labels(k, alert);
	const struct pq_expr *x = k->has_rule ? pq_expr_narrow(k->scratch, k->side, own) : k->side;
	const struct pq_series *s = NULL;
	struct pq_result r = {0};
	const double *v = NULL;
	struct err e;

	if (!k->scratch->failed && pq_eval(k->scratch, x, &q, k->env->source, &r, &e) == 0 &&
		r.type == PQ_MATRIX)
		s = series_of(&r, own);
	if (s != NULL)
		v = on_grid(k, s);
	arena_release(k->scratch, mark);
	return v;
}

/* "pool=orders": labels in which the alerts of the request differ. */
static struct str line_label(struct maker *k, struct labels alert)
{
	struct str s;
	struct buf b;

	buf_init(&b, 1024);
	for (size_t i = 0; i < alert.n && b.n < LABEL_MAX; i++) {
		bool same = true;

		for (size_t n = 0; n < k->spec.n; n++)
			same = same && str_eq(labels_get(k->spec.alerts[n].labels, alert.v[i].name),
					       alert.v[i].value);
		if (same)
			continue;
		if (b.n > 0)
			buf_c(&b, ", ");
		clean_text(&b, alert.v[i].name, LABEL_MAX, CLEAN_ONE_LINE);
		buf_ch(&b, '=');
		clean_text(&b, alert.v[i].value, LABEL_MAX, CLEAN_ONE_LINE);
	}
	s = arena_str(&k->g->arena, buf_view(&b));
	buf_fini(&b);
	return s;
}

static void find_points(struct maker *k)
{
	struct graph_points *p = &k->g->points;

	for (size_t i = 0; i < k->spec.n; i++) {
		const struct graph_spec_alert *al = &k->spec.alerts[i];
		const double *v = points_of(k, al->labels);

		if (v == NULL)
			continue;
		if (p->n_series == 0) {
			p->fired_ms = al->fired_ms;
			p->resolved_ms = al->ended_ms;
		}
		p->series[p->n_series++] = (struct graph_series){line_label(k, al->labels), v};
	}
	if (p->n_series == 0)
		p->n = 0;
}

/* A value known only since lately (a young series, a belfry just installed) is looked at closer:
 * in the wide window its course would be a point or two. */
static void look_closer(struct maker *k)
{
	struct graph_points *p = &k->g->points;
	struct graph_points was = *p;
	size_t first = p->n;
	int64_t window;

	for (size_t i = 0; i < p->n_series; i++) {
		size_t at = 0;

		while (at < first && !isfinite(p->series[i].v[at]))
			at++;
		first = at;
	}
	if (p->n - first >= GRAPH_SPARK_MAX || clock_mono_ms() >= k->deadline_mono_ms)
		return;
	window = k->now_ms - p->t0_ms - ((int64_t)first - 1) * p->step_ms;
	set_grid(k, MAX_OF(window, WINDOW_MIN), 1000);
	p->n_series = 0;
	find_points(k);
	if (p->n_series < was.n_series) /* no time or room for all: better a coarse one */
		*p = was;
}

/* --- top offenders --- */

static int by_value(const void *a, const void *b)
{
	double x = ((const struct pq_series *)a)->v[0], y = ((const struct pq_series *)b)->v[0];

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return (x < y) - (x > y);
}

static void keep_top(struct maker *k, struct pq_result *r)
{
	if (!r->ordered && r->n > 0)
		qsort(r->series, r->n, sizeof *r->series, by_value);
	for (size_t i = 0; i < r->n && k->g->n_top < GRAPH_TOP_MAX; i++) {
		const struct pq_series *s = &r->series[i];
		struct buf b;

		if (s->n == 0 || isnan(s->v[0]) || (s->h != NULL && s->h[0] != NULL))
			continue;
		buf_init(&b, 4096);
		for (size_t n = 0; n < s->labels.n; n++) {
			const struct label *l = &s->labels.v[n];

			/* what the alert says already is said */
			if (str_eq(l->name, LABEL_NAME) ||
				str_eq(labels_get(k->spec.alerts[0].labels, l->name), l->value))
				continue;
			if (b.n > 0)
				buf_ch(&b, ' ');
			clean_text(&b, l->name, LABEL_MAX, CLEAN_ONE_LINE);
			buf_ch(&b, '=');
			clean_text(&b, l->value, LABEL_MAX, CLEAN_ONE_LINE);
		}
		k->g->top[k->g->n_top++] =
			(struct graph_offender){arena_str(&k->g->arena, buf_view(&b)), s->v[0]};
		buf_fini(&b);
	}
}

/* belfry_top's text for this alert; empty when it has none or fails. */
static struct str top_query(struct maker *k)
{
	const struct graph_spec_alert *al = &k->spec.alerts[0];
	struct template_rule_data d = {.labels = al->labels,
		.external_labels = k->set.external_labels,
		.external_url = k->set.external_url,
		.value = al->value,
		.now_ms = k->now_ms};
	const struct template *t;
	struct str s = STR_NULL;
	struct buf out;
	struct err e = {0};

	if (!k->has_rule || k->rule.top.n == 0)
		return s;
	buf_init(&out, LIMIT_EXPR_BYTES);
	t = template_parse(k->scratch, k->rule.top, &e);
	if (t != NULL && template_run_rule(t, &d, k->scratch, &out, &e) == 0)
		s = arena_str(k->scratch, buf_view(&out));
	else
		log_warn("notify", "msg=\"belfry_top failed\" rule=\"" STR_FMT "\" error=\"%s\"",
			STR_ARG(k->spec.rule), e.msg);
	buf_fini(&out);
	return s;
}

static void find_top(struct maker *k)
{
	struct pq_params q = params(k, k->now_ms, k->now_ms, 0);
	struct str text = top_query(k);
	const struct pq_expr *x;
	struct pq_result r = {0};
	struct err e = {0};

	if (text.n == 0)
		return;
	x = pq_parse(k->scratch, text, k->set.experimental, &e);
	if (x == NULL || pq_eval(k->scratch, x, &q, k->env->source, &r, &e) != 0) {
		log_warn("notify", "msg=\"belfry_top failed\" rule=\"" STR_FMT "\" error=\"%s\"",
			STR_ARG(k->spec.rule), e.msg);
		return;
	}
	k->g->top_unit = unit_of_parsed(x);
	if (r.type == PQ_VECTOR)
		keep_top(k, &r);
}

/* --- all of it --- */

static bool make(struct maker *k, bool want_png)
{
	const struct pq_expr *x;
	struct err e = {0};

	read_settings(k);
	k->has_rule = k->env->rules != NULL && *k->env->rules != NULL &&
		      rules_about(*k->env->rules, k->spec.group, k->spec.rule, k->spec.expr,
			      k->scratch, &k->rule);
	x = pq_parse(k->scratch, k->spec.expr, k->set.experimental, &e);
	if (x == NULL)
		return false;
	k->side = side_of(x);
	k->g->title = arena_str(&k->g->arena, k->spec.title);
	k->g->points.threshold = k->spec.threshold;
	memcpy(k->g->points.op, k->spec.op, sizeof k->spec.op);
	k->g->points.unit = unit_of_parsed(x);
	set_window(k);
	find_points(k);
	if (k->g->points.n > 0)
		look_closer(k);
	find_top(k);
	if (want_png && k->g->points.n > 0 && clock_mono_ms() < k->deadline_mono_ms)
		graph_draw(k->g);
	return !k->g->arena.failed && (k->g->points.n > 0 || k->g->n_top > 0);
}

struct graph_answer *graph_answer_make(const struct graph_env *env, struct str spec, int64_t now_ms,
	bool want_png, int64_t deadline_mono_ms)
{
	struct maker k = {.env = env, .now_ms = now_ms, .deadline_mono_ms = deadline_mono_ms};
	struct arena scratch;
	struct err e;
	bool ok;

	k.g = calloc(1, sizeof *k.g);
	if (k.g == NULL)
		return NULL;
	arena_init(&k.g->arena, LIMIT_GRAPH_ANSWER);
	arena_init(&scratch, LIMIT_GRAPH_MEMORY);
	k.scratch = &scratch;
	ok = graph_spec_parse(&scratch, spec, &k.spec, &e) == 0 && make(&k, want_png);
	arena_fini(&scratch);
	if (ok)
		return k.g;
	graph_free(k.g);
	return NULL;
}
