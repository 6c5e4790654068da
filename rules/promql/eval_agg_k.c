/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_agg_k - topk, bottomk, limitk, limit_ratio: which series of a group stay at a step; see
 * eval.h. All input columns are held; the points that do not stay are taken out of them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/f64.h"
#include "base/stop.h"
#include "rules/promql/eval.h"

/* A point that stays. */
struct pick_point {
	uint32_t series, step;
};

struct pick {
	struct ev *ev;
	const struct pq_expr *x;
	const struct grid *g;
	enum pq_agg op;
	struct mat in;
	uint32_t *group; /* of each input series */
	size_t n_groups;
	uint32_t *points; /* how many points of each input series stay */
	struct pick_point *picked;
	size_t n_picked, cap_picked;
	uint32_t *order, *heap; /* room for a group's candidates */
	size_t n_order;
	double *share; /* limit_ratio: where a series lies in [0, 1) */
};

/* --- limit_ratio: the hash Prometheus takes, so that the same series are chosen --- */

static void add_size(struct buf *b, size_t n)
{
	if (n < 255) {
		buf_ch(b, (char)(unsigned char)n);
	} else {
		buf_ch(b, (char)0xff);
		buf_ch(b, (char)(n & 0xff));
		buf_ch(b, (char)((n >> 8) & 0xff));
		buf_ch(b, (char)((n >> 16) & 0xff));
	}
}

static double place_of(struct labels ls)
{
	struct buf b;
	double at;

	buf_init(&b, (size_t)1 << 20);
	for (size_t i = 0; i < ls.n; i++) {
		add_size(&b, ls.v[i].name.n);
		buf_str(&b, ls.v[i].name);
		add_size(&b, ls.v[i].value.n);
		buf_str(&b, ls.v[i].value);
	}
	at = (double)XXH64(b.p, b.n, 0) / 18446744073709551615.0;
	buf_fini(&b);
	return at;
}

static bool in_ratio(double ratio, double at)
{
	return ratio >= 0 ? at < ratio : at >= 1 + ratio;
}

/* --- parameters --- */

static void warn_ratio(struct pick *p, double r, double cap)
{
	struct buf b;

	buf_init(&b, 64);
	f64_print_g(&b, r);
	ev_note(p->ev, EV_WARNING, p->x->u.aggregate.param, NULL, STR_NULL,
		"ratio value should be between -1 and 1, got " STR_FMT ", capping to %g",
		STR_ARG(buf_view(&b)), cap);
	buf_fini(&b);
}

/* Sets *nothing when no step can give anything. */
static int check_params(struct pick *p, const double *k, bool *nothing, struct err *e)
{
	bool ratio = p->op == PQ_AGG_LIMIT_RATIO, nan = false;
	double min = INFINITY, max = -INFINITY;

	for (size_t i = 0; i < p->g->n; i++) {
		nan |= isnan(k[i]);
		min = fmin(min, k[i]);
		max = fmax(max, k[i]);
	}
	if (nan)
		return err_set(
			e, ERR_INPUT, 0, ratio ? "Ratio value is NaN" : "Parameter value is NaN");
	*nothing = ratio ? min == 0 && max == 0 : max < 1;
	if (*nothing)
		return 0;
	if (!ratio && (min <= -0x1p63 || max >= 0x1p63))
		return err_set(e, ERR_INPUT, 0, "parameter %g does not fit into 64 bits",
			max >= 0x1p63 ? max : min);
	if (ratio && max > 1)
		warn_ratio(p, max, 1);
	if (ratio && min < -1)
		warn_ratio(p, min, -1);
	return 0;
}

/* --- the k greatest or smallest: a heap with the least wanted on top --- */

/* a is less wanted than b. NaN is least wanted of all. */
static bool worse(const struct pick *p, size_t i, uint32_t a, uint32_t b)
{
	double x = p->in.s[a].v[i], y = p->in.s[b].v[i];

	if (isnan(x))
		return true;
	return p->op == PQ_AGG_TOPK ? x < y : x > y;
}

static void sift_up(const struct pick *p, size_t i, size_t at)
{
	while (at > 0 && worse(p, i, p->heap[at], p->heap[(at - 1) / 2])) {
		uint32_t t = p->heap[at];

		p->heap[at] = p->heap[(at - 1) / 2];
		p->heap[(at - 1) / 2] = t;
		at = (at - 1) / 2;
	}
}

static void sift_down(const struct pick *p, size_t i, size_t n)
{
	size_t at = 0;

	for (;;) {
		size_t c = 2 * at + 1;
		uint32_t t = p->heap[at];

		if (c >= n)
			return;
		if (c + 1 < n && worse(p, i, p->heap[c + 1], p->heap[c]))
			c++;
		if (!worse(p, i, p->heap[c], p->heap[at]))
			return;
		p->heap[at] = p->heap[c];
		p->heap[c] = t;
		at = c;
	}
}

/* Best first; equals in the order they came. */
static int by_worth(const void *a, const void *b, void *arg)
{
	const struct pick *p = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	double x = p->in.s[i].v[0], y = p->in.s[j].v[0];

	if (isnan(x) != isnan(y))
		return isnan(x) ? 1 : -1;
	if (!isnan(x) && x != y)
		return (x > y) == (p->op == PQ_AGG_TOPK) ? -1 : 1;
	return i < j ? -1 : i > j;
}

static void choose_best(struct pick *p, size_t i, const uint32_t *list, size_t n, size_t k)
{
	size_t have = 0;

	for (size_t j = 0; j < n && !stop_asked(); j++) {
		if (have < k) {
			p->heap[have] = list[j];
			sift_up(p, i, have++);
		} else {
			double top = p->in.s[p->heap[0]].v[i], v = p->in.s[list[j]].v[i];

			if (!(isnan(top) && !isnan(v)) &&
				!(p->op == PQ_AGG_TOPK ? top < v : top > v))
				continue;
			p->heap[0] = list[j];
			sift_down(p, i, have);
		}
	}
	if (p->g->n == 1 && have > 1)
		stop_sort_r(p->heap, have, sizeof *p->heap, by_worth, p);
	for (size_t j = 0; j < have; j++)
		p->order[p->n_order++] = p->heap[j];
}

/* --- one group at one step --- */

static void choose(struct pick *p, size_t i, const uint32_t *list, size_t n, double param)
{
	size_t k = param < 1 ? 0 : (size_t)fmin(param, (double)p->in.n);

	if (p->op == PQ_AGG_TOPK || p->op == PQ_AGG_BOTTOMK) {
		if (k > 0)
			choose_best(p, i, list, n, k);
		return;
	}
	for (size_t j = 0; j < n; j++) {
		if (p->op == PQ_AGG_LIMITK ? j >= k
					   : !in_ratio(fmax(-1, fmin(1, param)), p->share[list[j]]))
			continue;
		p->order[p->n_order++] = list[j];
	}
}

static bool is_candidate(struct pick *p, uint32_t s, size_t i)
{
	const char *op = pq_aggregation(p->op)->name;

	if (is_absent(p->in.s[s].v[i]))
		return false;
	if (p->op == PQ_AGG_LIMITK || p->op == PQ_AGG_LIMIT_RATIO ||
		col_hist(&p->in.s[s], i) == NULL)
		return true;
	ev_note(p->ev, EV_INFO, p->x, op, STR_NULL,
		"histograms were left out of the %s aggregation", op);
	return false;
}

static int keep_points(struct pick *p, size_t i, struct err *e)
{
	if (p->n_picked + p->n_order > p->cap_picked) {
		size_t cap = (p->n_picked + p->n_order) * 2;
		struct pick_point *v = ARENA_ARRAY(p->ev->a, cap, struct pick_point);

		if (v == NULL)
			return ev_memory(p->ev, e);
		if (p->n_picked > 0)
			memcpy(v, p->picked, p->n_picked * sizeof *v);
		p->picked = v;
		p->cap_picked = cap;
	}
	for (size_t j = 0; j < p->n_order; j++) {
		p->picked[p->n_picked++] = (struct pick_point){p->order[j], (uint32_t)i};
		p->points[p->order[j]]++;
	}
	return 0;
}

/* Candidates of a step, group by group: `by` lists the series of group after group. */
static int choose_step(
	struct pick *p, size_t i, const uint32_t *by, uint32_t *list, double param, struct err *e)
{
	size_t n = 0;

	p->n_order = 0;
	for (size_t j = 0; j < p->in.n; j++) {
		if (is_candidate(p, by[j], i))
			list[n++] = by[j];
		if (j + 1 == p->in.n || p->group[by[j + 1]] != p->group[by[j]]) {
			choose(p, i, list, n, param);
			n = 0;
		}
	}
	return keep_points(p, i, e);
}

/* The series in their order with the points that stay. */
static int emit_picked(struct pick *p, struct sink out, struct err *e)
{
	uint32_t *steps = ARENA_ARRAY(p->ev->a, p->n_picked, uint32_t);
	uint32_t *end = ARENA_ARRAY(p->ev->a, p->in.n + 1, uint32_t);
	double *v = ARENA_ARRAY(p->ev->a, p->g->n, double);
	uint32_t from = 0;

	if (ev_memory(p->ev, e) != 0)
		return -1;
	for (size_t s = 0; s < p->in.n; s++)
		end[s + 1] = end[s] + p->points[s];
	for (size_t k = 0; k < p->n_picked; k++)
		steps[end[p->picked[k].series]++] = p->picked[k].step;
	for (size_t s = 0; s < p->in.n; s++) {
		struct arena_mark mark = arena_mark(&p->ev->scratch);
		const struct col *c = &p->in.s[s];
		struct col some = {.labels = c->labels, .drop_name = c->drop_name, .v = v};
		int rc = 0;

		if (p->points[s] == 0)
			continue;
		col_clear(&some, p->g);
		if (c->h != NULL && !col_need_hists(&p->ev->scratch, &some, p->g))
			return ev_memory(p->ev, e);
		for (; from < end[s]; from++) {
			v[steps[from]] = c->v[steps[from]];
			if (c->h != NULL)
				some.h[steps[from]] = c->h[steps[from]];
		}
		rc = emit(out, &some, e);
		arena_release(&p->ev->scratch, mark);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static int assign_groups(struct pick *p, uint32_t **by, struct err *e)
{
	struct agg_groups gr;
	uint32_t *start;

	agg_groups_init(p->ev, &gr, p->x);
	p->group = ARENA_ARRAY(p->ev->a, p->in.n, uint32_t);
	*by = ARENA_ARRAY(p->ev->a, p->in.n, uint32_t);
	p->points = ARENA_ARRAY(p->ev->a, p->in.n, uint32_t);
	p->order = ARENA_ARRAY(p->ev->a, p->in.n, uint32_t);
	p->heap = ARENA_ARRAY(p->ev->a, p->in.n, uint32_t);
	if (p->op == PQ_AGG_LIMIT_RATIO)
		p->share = ARENA_ARRAY(p->ev->a, p->in.n, double);
	if (ev_memory(p->ev, e) != 0)
		return -1;
	for (size_t s = 0; s < p->in.n; s++) {
		bool fresh;
		size_t k = agg_groups_of(p->ev, &gr, p->in.s[s].labels, &fresh);

		if (k == SIZE_MAX)
			return ev_memory(p->ev, e);
		if (ev_work(p->ev, 1, e) != 0)
			return -1;
		p->group[s] = (uint32_t)k;
		if (p->share != NULL)
			p->share[s] = place_of(p->in.s[s].labels);
	}
	p->n_groups = gr.map.n;
	start = ARENA_ARRAY(p->ev->a, p->n_groups + 1, uint32_t);
	if (start == NULL)
		return ev_memory(p->ev, e);
	for (size_t s = 0; s < p->in.n; s++)
		start[p->group[s] + 1]++;
	for (size_t k = 0; k < p->n_groups; k++)
		start[k + 1] += start[k];
	for (uint32_t s = 0; s < p->in.n; s++)
		(*by)[start[p->group[s]]++] = s;
	return 0;
}

int agg_k_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct pick p = {.ev = ev, .x = x, .g = g, .op = x->u.aggregate.op};
	const struct pq_expr *of = pq_unparen(x->u.aggregate.of);
	double *param = ARENA_ARRAY(ev->a, g->n, double);
	uint32_t *by, *list;
	bool nothing = false;

	if (ev_memory(ev, e) != 0 || eval_scalar(ev, x->u.aggregate.param, g, param, e) != 0 ||
		check_params(&p, param, &nothing, e) != 0)
		return -1;
	if (mat_collect(ev, of, g, &p.in, e) != 0) /* its errors are told even when none is taken */
		return -1;
	if (nothing)
		return 0;
	if (assign_groups(&p, &by, e) != 0)
		return -1;
	list = ARENA_ARRAY(ev->a, p.in.n, uint32_t);
	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < g->n; i++) {
		if (choose_step(&p, i, by, list, param[i], e) != 0 || ev_work(ev, p.in.n, e) != 0)
			return -1;
	}
	if (g->n > 1)
		return emit_picked(&p, out, e);
	for (size_t j = 0; j < p.n_order; j++) {
		if (emit(out, &p.in.s[p.order[j]], e) != 0)
			return -1;
	}
	return 0;
}
