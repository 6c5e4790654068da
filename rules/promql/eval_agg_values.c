/* SPDX-License-Identifier: Apache-2.0 */
/* eval_agg_values - quantile over the series of a group, and count_values; see eval.h. */
#include <math.h>
#include <string.h>

#include "base/f64.h"
#include "rules/promql/eval.h"
#include "rules/promql/hist_buckets.h"

/* --- quantile --- */

static void check_quantiles(struct ev *ev, const struct pq_expr *param, const double *q, size_t n)
{
	double min = INFINITY, max = -INFINITY;

	for (size_t i = 0; i < n; i++) {
		if (isnan(q[i]))
			ev_say_quantile(ev, q[i], param);
		min = fmin(min, q[i]);
		max = fmax(max, q[i]);
	}
	if (max > 1)
		ev_say_quantile(ev, max, param);
	if (min < 0)
		ev_say_quantile(ev, min, param);
}

struct quantiles {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	const double *q;
	struct mat in;
	struct agg_groups groups;
	uint32_t *next, *first; /* series of each group, linked; from 1 */
	bool *drop;
	double *values;
};

static int link_groups(struct quantiles *k, struct err *e)
{
	agg_groups_init(k->ev, &k->groups, k->x);
	k->next = ARENA_ARRAY(k->ev->a, k->in.n + 1, uint32_t);
	k->first = ARENA_ARRAY(k->ev->a, k->in.n + 1, uint32_t);
	k->drop = ARENA_ARRAY(k->ev->a, k->in.n, bool);
	k->values = ARENA_ARRAY(k->ev->a, k->in.n, double);
	if (ev_memory(k->ev, e) != 0)
		return -1;
	for (uint32_t s = (uint32_t)k->in.n; s > 0; s--) {
		bool fresh;
		size_t gr = agg_groups_of(k->ev, &k->groups, k->in.s[s - 1].labels, &fresh);

		if (gr == SIZE_MAX)
			return ev_memory(k->ev, e);
		k->next[s] = k->first[gr];
		k->first[gr] = s;
		k->drop[gr] |= k->in.s[s - 1].drop_name;
	}
	return 0;
}

static double quantile_at(struct quantiles *k, size_t group, size_t i)
{
	size_t n = 0;

	for (uint32_t s = k->first[group]; s != 0; s = k->next[s]) {
		const struct col *c = &k->in.s[s - 1];

		if (col_hist(c, i) != NULL)
			ev_note(k->ev, EV_INFO, pq_unparen(k->x->u.aggregate.of), "quantile",
				STR_NULL, "histograms were left out of the quantile aggregation");
		else if (!is_absent(c->v[i]))
			k->values[n++] = c->v[i];
	}
	return n > 0 ? values_quantile(k->q[i], k->values, n) : ABSENT;
}

int agg_quantile_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_expr *param = pq_unparen(x->u.aggregate.param);
	struct quantiles k = {.ev = ev, .x = x, .g = g};
	double *q = ARENA_ARRAY(ev->a, g->n, double), *v = ARENA_ARRAY(ev->a, g->n, double);

	if (ev_memory(ev, e) != 0 || eval_scalar(ev, param, g, q, e) != 0)
		return -1;
	check_quantiles(ev, param, q, g->n);
	k.q = q;
	if (mat_collect(ev, x->u.aggregate.of, g, &k.in, e) != 0 || link_groups(&k, e) != 0)
		return -1;
	for (size_t gr = 0; gr < k.groups.map.n; gr++) {
		struct col c = {.labels = k.groups.map.keys[gr], .drop_name = k.drop[gr], .v = v};

		for (size_t i = 0; i < g->n; i++)
			v[i] = quantile_at(&k, gr, i);
		if (ev_work(ev, g->n, e) != 0 || (col_any(&c, g) && emit(out, &c, e) != 0))
			return -1;
	}
	return 0;
}

/* --- count_values --- */

struct counts {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	struct str label;
	struct label_map map;
	struct mat out;
};

static struct str text_of(struct counts *k, double v, const struct hist *h)
{
	struct buf b;
	struct str s;

	buf_init(&b, LIMIT_LABEL_VALUE * 4u);
	if (h != NULL)
		hist_print(&k->ev->tmp, &b, h);
	else
		f64_print_plain(&b, v);
	ev_tmp_done(k->ev);
	s = arena_str(&k->ev->scratch, buf_view(&b));
	buf_fini(&b);
	return s;
}

static struct labels group_labels(struct counts *k, struct labels ls, struct str text)
{
	struct arena *a = &k->ev->scratch;
	struct labels_builder b;
	struct pq_names by = k->x->u.aggregate.by;

	if (k->x->u.aggregate.without) {
		labels_builder_init(&b, a, ls);
		labels_builder_set(&b, k->label, text);
		return ev_labels_without(a, labels_builder_done(&b), by, true);
	}
	labels_builder_init(&b, a, ev_labels_keep(a, ls, by));
	labels_builder_set(&b, k->label, text);
	return labels_builder_done(&b);
}

static int count_one(struct counts *k, const struct col *c, size_t i, size_t *at, struct err *e)
{
	struct labels ls = group_labels(k, c->labels, text_of(k, c->v[i], col_hist(c, i)));
	bool fresh;

	if (ev_memory(k->ev, e) != 0)
		return -1;
	*at = label_map_get(&k->map, ls, labels_hash(ls), &fresh);
	if (*at == SIZE_MAX)
		return ev_memory(k->ev, e);
	if (!fresh)
		return 0;
	k->map.keys[*at] = labels_copy(k->ev->a, ls);
	return mat_new_col(k->ev, &k->out, k->g, k->map.keys[*at]) != NULL ? 0
									   : ev_memory(k->ev, e);
}

static int on_counted(void *arg, struct col *c, struct err *e)
{
	struct counts *k = arg;
	size_t at = 0;
	bool known = false;

	for (size_t i = 0; i < k->g->n; i++) {
		double *v;

		if (is_absent(c->v[i]))
			continue;
		if (!known || col_hist(c, i) != NULL ||
			f64_bits(c->v[i]) != f64_bits(c->v[i - 1])) {
			if (count_one(k, c, i, &at, e) != 0)
				return -1;
		}
		known = i + 1 < k->g->n && col_hist(c, i) == NULL;
		v = &k->out.s[at].v[i];
		*v = is_absent(*v) ? 1 : *v + 1;
	}
	return 0;
}

int agg_values_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct counts k = {.ev = ev, .x = x, .g = g};

	k.label = pq_unparen(x->u.aggregate.param)->u.text;
	if (k.label.n == 0 || !str_is_utf8(k.label))
		return err_set(e, ERR_INPUT, 0, "count_values: invalid label name \"" STR_FMT "\"",
			STR_ARG(k.label));
	label_map_init(&k.map, ev->a);
	if (eval_each(ev, x->u.aggregate.of, g, (struct sink){on_counted, &k}, e) != 0)
		return -1;
	return mat_emit(ev, &k.out, g, out, e);
}
