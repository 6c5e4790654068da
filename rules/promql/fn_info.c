/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fn_info - info(v, {selector}): adds labels of info series (target_info unless the selector names
 * others) that share instance and job with a series of v.
 *
 * Per step and metric name the newest matching info series counts. Series of v that are info
 * series themselves stay as they are. A data label that must be there but is not drops the point.
 */
#include <string.h>

#include "rules/promql/eval.h"

#define INFO_NAMES 64u /* info metrics looked at by one call */

static const struct str id_labels[] = {{"instance", 8}, {"job", 3}};

struct info_series {
	struct col *time; /* when the sample of each step was taken */
	struct str metric;
	size_t sig; /* number of its instance and job */
};

struct info {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	const struct matcher *data; /* label selector; names too */
	size_t n_data;
	struct matcher *names; /* matchers of the metric name that are in force */
	size_t n_names;
	struct matcher *own; /* ours among them, or NULL */
	struct mat base, found;
	struct info_series *series;
	uint32_t *first, *next; /* series of a signature, linked; from 1 */
	size_t n_sigs;
	struct label_map sigs;
	struct mat_merge merged;
};

static bool is_info(const struct info *k, struct labels ls)
{
	struct str name = ev_metric_name(ls);

	for (size_t i = 0; i < k->n_names; i++) {
		if (!matcher_matches(&k->names[i], name))
			return false;
	}
	return true;
}

/* The selector's own name matchers; with none that says what to take, target_info or *_info. */
static int name_matchers(struct info *k, struct err *e)
{
	bool positive = false;

	k->names = ARENA_ARRAY(k->ev->a, k->n_data + 1, struct matcher);
	if (k->names == NULL)
		return ev_memory(k->ev, e);
	for (size_t i = 0; i < k->n_data; i++) {
		if (!str_eq(k->data[i].name, LABEL_NAME))
			continue;
		k->names[k->n_names++] = k->data[i];
		positive |= k->data[i].op == MATCH_EQ || k->data[i].op == MATCH_RE;
	}
	if (positive)
		return 0;
	k->own = &k->names[k->n_names++];
	if (k->n_names > 1)
		return matcher_init(k->own, MATCH_RE, LABEL_NAME, STR(".+_info"), e);
	return matcher_init(k->own, MATCH_EQ, LABEL_NAME, STR("target_info"), e);
}

/* The first selector within x, and the time and offset that it is read at.
 * NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static bool find_moment(struct ev *ev, const struct pq_expr *x, struct moment *m, struct err *e)
{
	const struct pq_expr *c;
	struct moment own;

	if (x->kind == PQ_SELECTOR)
		return ev_moment(ev, &x->u.selector.when, m, e) == 0;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (!find_moment(ev, c, m, e))
			continue;
		if (x->kind == PQ_SUBQUERY && !m->fixed) {
			if (ev_moment(ev, &x->u.subquery.when, &own, e) != 0)
				return false;
			m->offset += own.offset;
			m->fixed = own.fixed;
			m->at = own.at;
		}
		return true;
	}
	return false;
}

static size_t sig_of(struct info *k, struct labels ls)
{
	struct pq_names ids = {id_labels, ARRAY_LEN(id_labels)};
	struct labels part = ev_labels_keep(k->ev->a, ls, ids);
	bool fresh;

	return label_map_get(&k->sigs, part, labels_hash(part), &fresh);
}

static bool wanted_values(const struct info *k, struct labels ls)
{
	for (size_t i = 0; i < k->n_data; i++) {
		if (!str_eq(k->data[i].name, LABEL_NAME) &&
			!matcher_matches(&k->data[i], labels_get(ls, k->data[i].name)))
			return false;
	}
	return true;
}

static int on_found(void *arg, struct col *c, struct err *e)
{
	struct info *k = arg;

	if (!wanted_values(k, c->labels))
		return 0;
	return mat_add(k->ev, &k->found, k->g, c, e);
}

static int find_series(struct info *k, struct err *e)
{
	struct moment when = {0};

	if (!find_moment(k->ev, ev_arg(k->x, 0), &when, e) && e->kind != ERR_NONE)
		return -1;
	if (sel_each_at(k->ev, k->names, k->n_names, &when, k->g, SEL_FLOAT_TIME,
		    (struct sink){on_found, k}, e) != 0)
		return -1;
	k->series = ARENA_ARRAY(k->ev->a, k->found.n, struct info_series);
	label_map_init(&k->sigs, k->ev->a);
	if (ev_memory(k->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < k->found.n; i++) {
		struct col *c = &k->found.s[i];

		if (ev_work(k->ev, 1, e) != 0)
			return -1;
		k->series[i] =
			(struct info_series){c, ev_metric_name(c->labels), sig_of(k, c->labels)};
		if (k->series[i].sig == SIZE_MAX)
			return ev_memory(k->ev, e);
	}
	k->n_sigs = k->sigs.n;
	k->first = ARENA_ARRAY(k->ev->a, k->n_sigs, uint32_t);
	k->next = ARENA_ARRAY(k->ev->a, k->found.n + 1, uint32_t);
	if (ev_memory(k->ev, e) != 0)
		return -1;
	for (size_t i = k->found.n; i > 0; i--) {
		k->next[i] = k->first[k->series[i - 1].sig];
		k->first[k->series[i - 1].sig] = (uint32_t)i;
	}
	return 0;
}

/* The info series of each metric name that go with a signature at a step: the newest ones. */
static int pick(struct info *k, size_t sig, size_t i, const struct info_series **out, size_t *n,
	struct err *e)
{
	*n = 0;
	for (uint32_t s = sig < k->n_sigs ? k->first[sig] : 0; s != 0; s = k->next[s]) {
		const struct info_series *x = &k->series[s - 1];
		size_t at = 0;

		if (is_absent(x->time->v[i]))
			continue;
		while (at < *n && !str_eq(out[at]->metric, x->metric))
			at++;
		if (at == *n) {
			if (*n == INFO_NAMES)
				return err_set(e, ERR_LIMIT, 0,
					"info: more than %u info metrics match", INFO_NAMES);
			out[(*n)++] = x;
		} else if (out[at]->time->v[i] == x->time->v[i]) {
			return err_set(e, ERR_INPUT, 0,
				"found duplicate series for info metric " STR_FMT,
				STR_ARG(x->metric));
		} else if (out[at]->time->v[i] < x->time->v[i]) {
			out[at] = x;
		}
	}
	return 0;
}

static bool is_wanted(const struct info *k, struct str label, bool *any)
{
	*any = false;
	for (size_t i = 0; i < k->n_data; i++) {
		if (str_eq(k->data[i].name, LABEL_NAME))
			continue;
		*any = true;
		if (str_eq(k->data[i].name, label))
			return true;
	}
	return !*any;
}

static int add_labels(struct info *k, const struct info_series *x, struct labels base,
	struct labels_builder *b, struct err *e)
{
	struct labels from = x->time->labels;
	bool any;

	for (size_t i = 0; i < from.n; i++) {
		struct str name = from.v[i].name, have;

		if (str_eq(name, LABEL_NAME) || !is_wanted(k, name, &any) ||
			labels_get(base, name).n > 0)
			continue;
		have = labels_builder_get(b, name);
		if (have.n > 0 && !str_eq(have, from.v[i].value))
			return err_set(e, ERR_INPUT, 0, "info: conflicting label: " STR_FMT,
				STR_ARG(name));
		labels_builder_set(b, name, from.v[i].value);
	}
	return 0;
}

/* Every data matcher takes an absent label. */
static bool may_lack_all(const struct info *k)
{
	for (size_t i = 0; i < k->n_data; i++) {
		if (!str_eq(k->data[i].name, LABEL_NAME) && !matcher_matches(&k->data[i], STR("")))
			return false;
	}
	return true;
}

static bool same_picks(
	const struct info_series **a, size_t n, const struct info_series **b, size_t m)
{
	return n == m && (n == 0 || memcmp(a, b, n * sizeof(*a)) == 0);
}

/* Points [from, to) of a series of v, with the labels of n info series. */
static int add_stretch(struct info *k, const struct col *c, size_t from, size_t to,
	const struct info_series **with, size_t n, struct err *e)
{
	struct arena_mark mark = arena_mark(&k->ev->scratch);
	struct arena *a = &k->ev->scratch;
	struct col part = {.drop_name = c->drop_name, .v = ARENA_ARRAY(a, k->g->n, double)};
	struct labels_builder b;
	int rc;

	labels_builder_init(&b, k->ev->a, c->labels);
	for (size_t j = 0; j < n; j++) {
		if (add_labels(k, with[j], c->labels, &b, e) != 0)
			return -1;
	}
	part.labels = labels_builder_done(&b);
	if (c->h != NULL)
		part.h = ARENA_ARRAY(a, k->g->n, const struct hist *);
	if (ev_memory(k->ev, e) != 0)
		return -1;
	col_clear(&part, k->g);
	for (size_t s = from; s < to; s++) {
		part.v[s] = c->v[s];
		if (c->h != NULL)
			part.h[s] = c->h[s];
	}
	rc = col_any(&part, k->g) ? mat_merge_add(k->ev, &k->merged, k->g, &part, e) : 0;
	arena_release(&k->ev->scratch, mark);
	return rc;
}

/* One series of v: stretches of steps with the same info series become a series each. */
static int enrich(struct info *k, const struct col *c, struct err *e)
{
	const struct info_series *now[INFO_NAMES] = {NULL}, *next[INFO_NAMES] = {NULL};
	size_t sig = sig_of(k, c->labels), n = 0, m = 0, from = 0;
	bool has_id = labels_get(c->labels, id_labels[0]).n > 0 ||
		      labels_get(c->labels, id_labels[1]).n > 0;

	if (sig == SIZE_MAX)
		return ev_memory(k->ev, e);
	for (size_t i = 0; i <= k->g->n; i++) {
		bool end = i == k->g->n;

		if (!end && has_id && pick(k, sig, i, next, &m, e) != 0)
			return -1;
		if (!end && i > 0 && same_picks(now, n, next, m))
			continue;
		if (i > 0 && (n > 0 || may_lack_all(k)) &&
			add_stretch(k, c, from, i, now, n, e) != 0)
			return -1;
		from = i;
		memcpy(now, next, sizeof now);
		n = m;
	}
	return 0;
}

static int run(struct info *k, struct err *e)
{
	if (mat_collect(k->ev, ev_arg(k->x, 0), k->g, &k->base, e) != 0 || find_series(k, e) != 0)
		return -1;
	for (size_t i = 0; i < k->base.n; i++) {
		struct col *c = &k->base.s[i];

		if (ev_work(k->ev, k->g->n, e) != 0)
			return -1;
		if ((is_info(k, c->labels) ? mat_merge_add(k->ev, &k->merged, k->g, c, e)
					   : enrich(k, c, e)) != 0)
			return -1;
	}
	return 0;
}

int fn_info_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct info k = {.ev = ev, .x = x, .g = g};
	int rc;

	if (x->u.call.n > 1) {
		k.data = ev_arg(x, 1)->u.selector.m;
		k.n_data = ev_arg(x, 1)->u.selector.n;
	}
	if (name_matchers(&k, e) != 0)
		return -1;
	rc = run(&k, e);
	if (k.own != NULL)
		matcher_fini(k.own);
	return rc == 0 ? mat_emit(ev, &k.merged.mat, g, out, e) : -1;
}
