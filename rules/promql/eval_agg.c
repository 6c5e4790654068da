/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_agg - sum, avg, min, max, count, group, stddev, stdvar: each passing series is added to
 * the accumulators of its group; see eval.h. Operators that need all values of a group at once
 * are in eval_agg_k.c and eval_agg_values.c.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "rules/promql/eval.h"
#include "rules/promql/hacc.h"

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void agg_groups_init(struct ev *ev, struct agg_groups *gr, const struct pq_expr *x)
{
	size_t n = x->u.aggregate.by.n;
	struct str *v = ARENA_ARRAY(ev->a, n, struct str);

	*gr = (struct agg_groups){.x = x, .sorted = {v, v != NULL ? n : 0}};
	label_map_init(&gr->map, ev->a);
	if (gr->sorted.n == 0)
		return;
	memcpy(v, x->u.aggregate.by.v, n * sizeof *v);
	qsort(v, n, sizeof *v, by_name);
}

size_t agg_groups_of(struct ev *ev, struct agg_groups *gr, struct labels ls, bool *fresh)
{
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct labels part = gr->x->u.aggregate.without
				     ? ev_labels_without(&ev->scratch, ls, gr->sorted, true)
				     : ev_labels_keep(&ev->scratch, ls, gr->sorted);
	size_t k = label_map_get(&gr->map, part, labels_hash(part), fresh);

	if (k != SIZE_MAX && *fresh && part.n > 0) {
		struct label *v = ARENA_ARRAY(ev->a, part.n, struct label);

		if (v != NULL)
			memcpy(v, part.v, part.n * sizeof *v);
		gr->map.keys[k] = (struct labels){v, v != NULL ? part.n : 0};
	}
	arena_release(&ev->scratch, mark);
	return k;
}

enum {
	HAS_HIST = 1,
	BAD_HIST = 2,    /* schemas that do not go together: no result */
	INCREMENTAL = 4, /* v is a running mean */
};

/* Accumulators of a group, a place a step. v is absent before the first float. */
struct group {
	bool drop_name;
	double *v, *c, *n;    /* value; compensation or mean; count */
	unsigned char *flags; /* NULL: all 0 */
	struct hsum *h;       /* NULL: no histograms yet */
};

struct agg {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	enum pq_agg op;
	struct agg_groups groups;
	struct group *acc;
	size_t cap;
};

static bool takes_hists(enum pq_agg op)
{
	return op == PQ_AGG_SUM || op == PQ_AGG_AVG || op == PQ_AGG_COUNT || op == PQ_AGG_GROUP;
}

static bool new_group(struct agg *a, size_t k)
{
	struct arena *mem = a->ev->a;
	struct group *gr;

	if (k >= a->cap) {
		size_t cap = a->cap == 0 ? 16 : a->cap * 2;
		struct group *p = ARENA_ARRAY(mem, cap, struct group);

		if (p == NULL)
			return false;
		if (a->cap > 0)
			memcpy(p, a->acc, a->cap * sizeof *p);
		a->acc = p;
		a->cap = cap;
	}
	gr = &a->acc[k];
	gr->v = ARENA_ARRAY(mem, a->g->n, double);
	if (a->op == PQ_AGG_SUM || a->op == PQ_AGG_AVG || a->op == PQ_AGG_STDDEV ||
		a->op == PQ_AGG_STDVAR)
		gr->c = ARENA_ARRAY(mem, a->g->n, double);
	if (a->op == PQ_AGG_AVG || a->op == PQ_AGG_STDDEV || a->op == PQ_AGG_STDVAR)
		gr->n = ARENA_ARRAY(mem, a->g->n, double);
	for (size_t i = 0; gr->v != NULL && i < a->g->n; i++)
		gr->v[i] = ABSENT;
	return !mem->failed;
}

static bool need_flags(struct agg *a, struct group *gr)
{
	if (gr->flags == NULL)
		gr->flags = ARENA_ARRAY(a->ev->a, a->g->n, unsigned char);
	return gr->flags != NULL;
}

/* --- floats --- */

static void add_sum_at(struct group *gr, const struct col *c, size_t i)
{
	if (is_absent(c->v[i]) || col_hist(c, i) != NULL)
		return;
	if (is_absent(gr->v[i]))
		gr->v[i] = c->v[i];
	else
		kahan_add(c->v[i], &gr->v[i], &gr->c[i]);
}

#define PAIR __attribute__((vector_size(16)))

static inline double PAIR pair_abs(double PAIR x)
{
	return (double PAIR)((int64_t PAIR)x & INT64_MAX);
}

/* kahan_add at two steps without a branch, where the sums are finite: false leaves all as it is. */
static inline bool add_finite(double *v, double *comp, const double *add)
{
	double PAIR x, s, k, t;
	int64_t PAIR finite, larger;

	memcpy(&x, add, sizeof x);
	memcpy(&s, v, sizeof s);
	memcpy(&k, comp, sizeof k);
	t = s + x;
	finite = pair_abs(t) <= DBL_MAX;
	if ((finite[0] & finite[1]) == 0) /* what is absent is a NaN, too */
		return false;
	larger = pair_abs(s) >= pair_abs(x);
	k += (double PAIR)(
		(larger & (int64_t PAIR)((s - t) + x)) | (~larger & (int64_t PAIR)((x - t) + s)));
	memcpy(v, &t, sizeof t);
	memcpy(comp, &k, sizeof k);
	return true;
}

static void add_sum(const struct agg *a, struct group *gr, const struct col *c)
{
	size_t i = 0;

	for (; c->h == NULL && i + 2 <= a->g->n; i += 2) {
		if (add_finite(gr->v + i, gr->c + i, c->v + i))
			continue;
		add_sum_at(gr, c, i);
		add_sum_at(gr, c, i + 1);
	}
	for (; i < a->g->n; i++)
		add_sum_at(gr, c, i);
}

static bool add_avg(struct agg *a, struct group *gr, size_t i, double f)
{
	double q;

	if (gr->n[i]++ == 0) {
		gr->v[i] = f;
		return true;
	}
	if (gr->flags == NULL || (gr->flags[i] & INCREMENTAL) == 0) {
		double s = gr->v[i], k = gr->c[i];

		kahan_add(f, &s, &k);
		if (!isinf(s)) {
			gr->v[i] = s;
			gr->c[i] = k;
			return true;
		}
		if (!need_flags(a, gr))
			return false;
		gr->flags[i] |= INCREMENTAL;
		gr->v[i] /= gr->n[i] - 1;
		gr->c[i] /= gr->n[i] - 1;
	}
	q = (gr->n[i] - 1) / gr->n[i];
	gr->v[i] *= q;
	gr->c[i] *= q;
	kahan_add(f / gr->n[i], &gr->v[i], &gr->c[i]);
	return true;
}

/* Welford: c is the mean, v the sum of squared distances. */
static void add_deviation(struct group *gr, size_t i, double f)
{
	double delta = f - gr->c[i];

	if (gr->n[i]++ == 0) {
		gr->c[i] = f;
		gr->v[i] = isfinite(f) ? 0 : normal_nan();
		return;
	}
	gr->c[i] += delta / gr->n[i];
	gr->v[i] += delta * (f - gr->c[i]);
}

static bool add_float(struct agg *a, struct group *gr, size_t i, double f)
{
	double *v = &gr->v[i];

	switch ((int)a->op) {
	case PQ_AGG_AVG: return add_avg(a, gr, i, f);
	case PQ_AGG_MIN:
		if (is_absent(*v) || *v > f || isnan(*v))
			*v = f;
		break;
	case PQ_AGG_MAX:
		if (is_absent(*v) || *v < f || isnan(*v))
			*v = f;
		break;
	case PQ_AGG_COUNT: *v = is_absent(*v) ? 1 : *v + 1; break;
	case PQ_AGG_GROUP: *v = 1; break;
	default: add_deviation(gr, i, f); break;
	}
	return true;
}

/* --- histograms --- */

static int add_hist(struct agg *a, struct group *gr, size_t i, const struct hist *h,
	struct str name, struct err *e)
{
	bool mean = a->op == PQ_AGG_AVG;

	if (!takes_hists(a->op)) {
		const char *op = pq_aggregation(a->op)->name;

		ev_note(a->ev, EV_INFO, a->x->u.aggregate.of, op, STR_NULL,
			"histograms were left out of the %s aggregation", op);
		return 0;
	}
	if (a->op == PQ_AGG_COUNT || a->op == PQ_AGG_GROUP)
		return add_float(a, gr, i, 0) ? 0 : ev_memory(a->ev, e);
	if (gr->h == NULL)
		gr->h = ARENA_ARRAY(a->ev->a, a->g->n, struct hsum);
	if (gr->h == NULL || !need_flags(a, gr))
		return ev_memory(a->ev, e);
	gr->flags[i] |= HAS_HIST;
	if ((gr->flags[i] & BAD_HIST) == 0 && !hsum_add(&gr->h[i], a->ev->a, h, mean)) {
		gr->flags[i] |= BAD_HIST;
		ev_say(a->ev, SAID_MIXED_SCHEMAS, pq_unparen(a->x->u.aggregate.of), name);
	}
	return 0;
}

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct agg *a = arg;
	bool fresh;
	size_t k = agg_groups_of(a->ev, &a->groups, c->labels, &fresh);
	struct group *gr;

	if (k == SIZE_MAX || (fresh && !new_group(a, k)))
		return ev_memory(a->ev, e);
	if (ev_work(a->ev, a->g->n, e) != 0)
		return -1;
	gr = &a->acc[k];
	gr->drop_name |= c->drop_name;
	if (a->op == PQ_AGG_SUM) {
		add_sum(a, gr, c);
		if (c->h == NULL)
			return 0;
	}
	for (size_t i = 0; i < a->g->n; i++) {
		const struct hist *h = col_hist(c, i);

		if (h != NULL) {
			if (add_hist(a, gr, i, h, ev_metric_name(c->labels), e) != 0)
				return -1;
		} else if (a->op != PQ_AGG_SUM && !is_absent(c->v[i])) {
			if (!add_float(a, gr, i, c->v[i]))
				return ev_memory(a->ev, e);
		}
	}
	return 0;
}

/* --- results --- */

static double finish_float(const struct agg *a, const struct group *gr, size_t i)
{
	bool mean = gr->flags != NULL && (gr->flags[i] & INCREMENTAL) != 0;

	switch ((int)a->op) {
	case PQ_AGG_SUM: return gr->v[i] + gr->c[i];
	case PQ_AGG_AVG:
		return mean ? gr->v[i] + gr->c[i] : gr->v[i] / gr->n[i] + gr->c[i] / gr->n[i];
	case PQ_AGG_STDVAR: return gr->v[i] / gr->n[i];
	case PQ_AGG_STDDEV: return sqrt(gr->v[i] / gr->n[i]);
	default: return gr->v[i];
	}
}

static int finish_hist(struct agg *a, struct group *gr, size_t i, struct col *c, struct err *e)
{
	const struct pq_expr *of = pq_unparen(a->x->u.aggregate.of);
	struct hsum *s = &gr->h[i];

	if (!is_absent(gr->v[i])) {
		ev_say(a->ev, SAID_MIXED_FLOATS_AGG, of, STR_NULL);
		c->v[i] = ABSENT;
		return 0;
	}
	if ((gr->flags[i] & BAD_HIST) != 0)
		return 0;
	if (s->notes.reconciled)
		ev_say(a->ev, SAID_RECONCILED_AGG, of, STR_NULL);
	if (s->reset_yes && s->reset_no)
		ev_say(a->ev, SAID_COLLISION_AGG, of, STR_NULL);
	if (!col_need_hists(&a->ev->scratch, c, a->g))
		return ev_memory(a->ev, e);
	c->h[i] = hsum_done(s, &a->ev->scratch, a->op == PQ_AGG_AVG);
	c->v[i] = 0;
	return ev_memory(a->ev, e);
}

static int emit_group(struct agg *a, size_t k, struct sink out, struct err *e)
{
	struct group *gr = &a->acc[k];
	struct col c = {.labels = a->groups.map.keys[k], .drop_name = gr->drop_name, .v = gr->v};

	for (size_t i = 0; i < a->g->n; i++) {
		if (gr->flags != NULL && (gr->flags[i] & HAS_HIST) != 0) {
			if (finish_hist(a, gr, i, &c, e) != 0)
				return -1;
		} else if (!is_absent(gr->v[i])) {
			c.v[i] = finish_float(a, gr, i);
		}
	}
	return col_any(&c, a->g) ? emit(out, &c, e) : 0;
}

static int agg_stream(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct agg a = {.ev = ev, .x = x, .g = g, .op = x->u.aggregate.op};

	agg_groups_init(ev, &a.groups, x);
	if (ev_memory(ev, e) != 0 ||
		eval_each(ev, x->u.aggregate.of, g, (struct sink){on_series, &a}, e) != 0)
		return -1;
	for (size_t k = 0; k < a.groups.map.n; k++) {
		struct arena_mark mark = arena_mark(&ev->scratch);
		int rc = emit_group(&a, k, out, e);

		arena_release(&ev->scratch, mark);
		if (rc != 0)
			return -1;
	}
	return 0;
}

int agg_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	switch ((int)x->u.aggregate.op) {
	case PQ_AGG_TOPK:
	case PQ_AGG_BOTTOMK:
	case PQ_AGG_LIMITK:
	case PQ_AGG_LIMIT_RATIO: return agg_k_each(ev, x, g, out, e);
	case PQ_AGG_QUANTILE: return agg_quantile_each(ev, x, g, out, e);
	case PQ_AGG_COUNT_VALUES: return agg_values_each(ev, x, g, out, e);
	default: return agg_stream(ev, x, g, out, e);
	}
}
