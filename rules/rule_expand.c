/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_expand - the templates of labels and annotations at one evaluation, and how an alert is
 * found again without expanding them: by the labels of the sample it came from.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/rule_alert.h"

#define NOTE_MS    60000 /* annotations with the value are made anew this often ... */
#define NOTE_RULES 100u  /* ... by rules with more alerts than this; else every time */

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

void expander_init(struct expander *x, const struct rule *r, const struct rule_group *g,
	const struct rule_env *env, struct arena *a, int64_t slot_ms)
{
	*x = (struct expander){.def = r->def, .env = env, .a = a, .interval_ms = g->interval_ms};
	x->data = (struct template_rule_data){.external_labels = env->external_labels,
		.external_url = env->external_url,
		.now_ms = slot_ms,
		.query = query_for_template,
		.query_ctx = x};
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

struct labels expand_labels(struct expander *x, struct labels sample)
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
struct labels expand_annotations(struct expander *x)
{
	struct label *v = ARENA_ARRAY(x->a, x->def->n_annotations, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < x->def->n_annotations; i++) {
		const struct rule_text *t = &x->def->annotations[i];

		if (!rule_note_is_ours(t->name) || x->env->own_notes)
			v[n++] = (struct label){t->name, expand(x, t)};
	}
	if (n > 0)
		qsort(v, n, sizeof *v, by_name);
	return (struct labels){v, n};
}

struct str expand_top(struct expander *x)
{
	return x->def->top != NULL ? expand(x, x->def->top) : STR_NULL;
}

/* --- finding alerts again --- */

struct alert *alert_find(const struct rule *r, uint64_t fingerprint, struct labels ls)
{
	struct map_iter it;

	for (struct alert *al = map_first(&r->alerts, fingerprint, &it); al != NULL;
		al = map_next(&r->alerts, &it)) {
		if (labels_eq(al->labels, ls))
			return al;
	}
	return NULL;
}

uint64_t sample_hash(struct labels ls)
{
	static const struct str name = {"__name__", 8};

	return labels_hash_without(ls, &name, 1);
}

bool sample_eq(struct labels a, struct labels b)
{
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		if (i < a.n && str_eq(a.v[i].name, LABEL_NAME))
			i++;
		if (k < b.n && str_eq(b.v[k].name, LABEL_NAME))
			k++;
		if (i >= a.n || k >= b.n)
			return i >= a.n && k >= b.n;
		if (!str_eq(a.v[i].name, b.v[k].name) || !str_eq(a.v[i].value, b.v[k].value))
			return false;
	}
}

struct alert *alert_of_sample(const struct rule *r, struct labels sample, uint64_t hash)
{
	struct map_iter it;

	for (struct alert *al = map_first(&r->by_sample, hash, &it); al != NULL;
		al = map_next(&r->by_sample, &it)) {
		if (sample_eq(al->sample, sample))
			return al;
	}
	return NULL;
}

void alert_remember_sample(struct rule *r, struct alert *al, struct labels sample, uint64_t hash)
{
	if (!r->def->steady_labels || al->sample.v != NULL)
		return;
	al->sample = labels_clone(sample);
	al->sample_hash = hash;
	map_add(&r->by_sample, hash, al);
}

struct alert *alert_by_sample(struct rule *r, struct expander *x, struct labels sample)
{
	uint64_t hash = sample_hash(sample);
	struct alert *al = alert_of_sample(r, sample, hash);
	struct labels ls;

	if (al != NULL)
		return al;
	if (r->by_sample.n == r->alerts.n)
		return NULL; /* every alert is known by its sample */
	ls = expand_labels(x, sample);
	al = alert_find(r, labels_fingerprint(ls), ls);
	if (al != NULL)
		alert_remember_sample(r, al, sample, hash);
	return al;
}

/* Whether the annotations of a known alert must be made anew. */
static bool must_note(const struct rule *r, const struct expander *x, const struct candidate *c)
{
	const struct alert *al = c->alert;

	if (al == NULL || al->noted_for != r->def || al->state != ALERT_FIRING)
		return true;
	if (r->def->steady_notes)
		return false;
	return r->alerts.n <= NOTE_RULES || x->env->wait_all ||
	       x->data.now_ms - al->noted_ms >= NOTE_MS || x->data.now_ms < al->noted_ms;
}

void candidate_fill(struct rule *r, struct expander *x, struct candidate *c)
{
	x->data.labels = c->sample;
	x->data.value = c->value;
	c->sample_hash = sample_hash(c->sample);
	c->alert = alert_of_sample(r, c->sample, c->sample_hash);
	if (c->alert == NULL) {
		c->labels = expand_labels(x, c->sample);
		c->fingerprint = labels_fingerprint(c->labels);
		c->alert = alert_find(r, c->fingerprint, c->labels);
		if (c->alert != NULL)
			alert_remember_sample(r, c->alert, c->sample, c->sample_hash);
	}
	c->noted = must_note(r, x, c);
	if (c->noted) {
		c->annotations = expand_annotations(x);
		c->top = expand_top(x);
	}
}
