/* SPDX-License-Identifier: Apache-2.0 */
/* eval_entry - pq_eval: sets a query up, evaluates the root by its type, makes the result ready
 * for its reader: names dropped, equal label sets joined, gaps left out, order by labels. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/stop.h"
#include "rules/promql/engine.h"
#include "rules/promql/eval.h"

/* Work on single points never needs more; its arena counts beside the query's. */
#define TMP_BYTES ((size_t)16 << 20)

static bool is_range(const struct pq_params *p)
{
	return p->step_ms > 0;
}

static int make_grid(const struct pq_params *p, struct grid *g, struct err *e)
{
	*g = (struct grid){p->start_ms, 1, 1};
	if (!is_range(p))
		return 0;
	if (p->end_ms < p->start_ms)
		return err_set(e, ERR_INPUT, 0, "end of the range lies before its start");
	g->step = p->step_ms;
	g->n = (size_t)(((uint64_t)p->end_ms - (uint64_t)p->start_ms) / (uint64_t)p->step_ms) + 1;
	if (g->n - 1 > LIMIT_QUERY_STEPS)
		return err_set(e, ERR_LIMIT, PQ_BOUND_STEPS,
			"range query of %zu steps, at most %d are taken", g->n - 1,
			LIMIT_QUERY_STEPS);
	return 0;
}

/* --- series of the result --- */

/* A copy that needs nothing but the arena, in two allocations. */
static struct labels own_labels(struct arena *a, struct labels ls)
{
	struct label *v = ARENA_ARRAY(a, ls.n, struct label);
	size_t bytes = 0;
	char *p;

	for (size_t i = 0; i < ls.n; i++)
		bytes += ls.v[i].name.n + ls.v[i].value.n;
	p = arena_alloc(a, bytes, 1);
	if (v == NULL || p == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < ls.n; i++) {
		const struct str from[2] = {ls.v[i].name, ls.v[i].value};
		struct str to[2];

		for (size_t k = 0; k < 2; k++) {
			to[k] = str_n(p, from[k].n);
			if (from[k].n > 0)
				memcpy(p, from[k].p, from[k].n);
			p += from[k].n;
		}
		v[i] = (struct label){to[0], to[1]};
	}
	return (struct labels){v, ls.n};
}

static int add_points(struct ev *ev, const struct grid *g, const struct col *c, struct pq_series *s,
	struct err *e)
{
	size_t n = 0;
	int64_t *t;
	double *v;
	const struct hist **h = NULL;

	for (size_t i = 0; i < g->n; i++)
		n += !is_absent(c->v[i]);
	t = ARENA_ARRAY(ev->a, n, int64_t);
	v = ARENA_ARRAY(ev->a, n, double);
	if (c->h != NULL)
		h = ARENA_ARRAY(ev->a, n, const struct hist *);
	s->labels = own_labels(ev->a, c->labels);
	if (ev_memory(ev, e) != 0)
		return -1;
	n = 0;
	for (size_t i = 0; i < g->n; i++) {
		if (is_absent(c->v[i]))
			continue;
		t[n] = grid_time(g, i);
		v[n] = c->v[i];
		if (h != NULL)
			h[n] = c->h[i] != NULL ? hist_copy(ev->a, c->h[i]) : NULL;
		n++;
	}
	s->n = n;
	s->t = t;
	s->v = v;
	s->h = h;
	return ev_memory(ev, e);
}

static int by_labels(const void *a, const void *b)
{
	const struct pq_series *x = a, *y = b;

	return labels_cmp(x->labels, y->labels);
}

static int by_labels_of(const void *a, const void *b)
{
	return labels_cmp((*(const struct pq_series *const *)a)->labels,
		(*(const struct pq_series *const *)b)->labels);
}

struct gather {
	struct ev *ev;
	const struct grid *g;
	struct pq_series *s;
	size_t n, cap;
};

static int on_result(void *arg, struct col *c, struct err *e)
{
	struct gather *r = arg;

	if (ev_work(r->ev, r->g->n, e) != 0)
		return -1;
	if (c->drop_name)
		c->labels = ev_drop_name(&r->ev->scratch, c->labels);
	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 16 : r->cap * 2;
		struct pq_series *s = ARENA_ARRAY(r->ev->a, cap, struct pq_series);

		if (s == NULL)
			return ev_memory(r->ev, e);
		if (r->n > 0)
			memcpy(s, r->s, r->n * sizeof *s);
		r->s = s;
		r->cap = cap;
	}
	return add_points(r->ev, r->g, c, &r->s[r->n++], e);
}

/* Two series that have become the same: their points in order of time. */
static int join(struct ev *ev, struct pq_series *x, const struct pq_series *y, struct err *e)
{
	size_t n = x->n + y->n, i = 0, j = 0;
	int64_t *t = ARENA_ARRAY(ev->a, n, int64_t);
	double *v = ARENA_ARRAY(ev->a, n, double);
	const struct hist **h = NULL;

	if (x->h != NULL || y->h != NULL)
		h = ARENA_ARRAY(ev->a, n, const struct hist *);
	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t k = 0; k < n; k++) {
		bool first = j == y->n || (i < x->n && x->t[i] < y->t[j]);
		const struct pq_series *from = first ? x : y;
		size_t at = first ? i++ : j++;

		t[k] = from->t[at];
		v[k] = from->v[at];
		if (h != NULL)
			h[k] = from->h != NULL ? from->h[at] : NULL;
		if (k > 0 && t[k] == t[k - 1])
			return ev_same_labelset(e);
	}
	x->n = n;
	x->t = t;
	x->v = v;
	x->h = h;
	return 0;
}

/* Order by labels, which series of a selector mostly have already; join equal ones. */
static int sort_and_join(struct ev *ev, struct gather *r, struct err *e)
{
	size_t i = 1, kept = 0;

	while (i < r->n && !stop_asked() && labels_cmp(r->s[i - 1].labels, r->s[i].labels) < 0)
		i++;
	if (i >= r->n)
		return 0;
	stop_sort(r->s, r->n, sizeof *r->s, by_labels);
	if (stop_check(e) != 0)
		return -1;
	for (i = 1; i < r->n && !stop_asked(); i++) {
		if (!labels_eq(r->s[kept].labels, r->s[i].labels))
			r->s[++kept] = r->s[i];
		else if (join(ev, &r->s[kept], &r->s[i], e) != 0)
			return -1;
	}
	r->n = kept + 1;
	return stop_check(e);
}

/* The order stays; equal label sets are refused. */
static int check_unique(struct ev *ev, const struct gather *r, struct err *e)
{
	const struct pq_series **p = ARENA_ARRAY(&ev->scratch, r->n, const struct pq_series *);

	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		p[i] = &r->s[i];
	stop_sort(p, r->n, sizeof(*p), by_labels_of);
	for (size_t i = 1; i < r->n && !stop_asked(); i++) {
		if (labels_eq(p[i - 1]->labels, p[i]->labels))
			return ev_same_labelset(e);
	}
	return stop_check(e);
}

/* Does an instant query give its series in an order of its own? */
static bool is_ordered(const struct pq_expr *x)
{
	x = pq_unparen(x);
	if (x->kind == PQ_CALL)
		return x->u.call.func->id == PQ_FN_SORT || x->u.call.func->id == PQ_FN_SORT_DESC ||
		       x->u.call.func->id == PQ_FN_SORT_BY_LABEL ||
		       x->u.call.func->id == PQ_FN_SORT_BY_LABEL_DESC;
	return x->kind == PQ_AGGREGATE &&
	       (x->u.aggregate.op == PQ_AGG_TOPK || x->u.aggregate.op == PQ_AGG_BOTTOMK);
}

static int vector_result(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct pq_result *out, struct err *e)
{
	struct gather r = {.ev = ev, .g = g};

	if (eval_each(ev, x, g, (struct sink){on_result, &r}, e) != 0)
		return -1;
	out->ordered = !is_range(ev->p) && is_ordered(x);
	if ((out->ordered ? check_unique(ev, &r, e) : sort_and_join(ev, &r, e)) != 0)
		return -1;
	out->series = r.s;
	out->n = r.n;
	return 0;
}

static int scalar_result(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct pq_result *out, struct err *e)
{
	struct col c = {.v = ARENA_ARRAY(ev->a, g->n, double)};

	if (ev_memory(ev, e) != 0 || eval_scalar(ev, x, g, c.v, e) != 0)
		return -1;
	out->scalar = c.v[0];
	if (!is_range(ev->p))
		return 0;
	out->series = ARENA_NEW(ev->a, struct pq_series);
	if (out->series == NULL)
		return ev_memory(ev, e);
	out->n = 1;
	return add_points(ev, g, &c, out->series, e);
}

int pq_eval(struct arena *a, const struct pq_expr *x, const struct pq_params *p,
	const struct select_source *src, struct pq_result *out, struct err *e)
{
	struct ev ev = {.a = a, .p = p, .src = src, .root = x, .running = x};
	const struct stop stop = {p->cancel, p->deadline_mono_ms}, *before;
	struct grid g;
	int rc;

	*out = (struct pq_result){.type = is_range(p) ? PQ_MATRIX : x->type};
	if (is_range(p) && (x->type == PQ_MATRIX || x->type == PQ_STRING))
		return err_set(e, ERR_INPUT, 0,
			"invalid expression type \"%s\" for range query, must be scalar or "
			"instant vector",
			pq_type_name(x->type));
	if (make_grid(p, &g, e) != 0)
		return -1;
	arena_init(&ev.scratch, a->limit);
	arena_init(&ev.tmp, TMP_BYTES);
	(void)arena_alloc(&ev.tmp, 1, 1);
	ev.tmp_mark = arena_mark(&ev.tmp);
	ev.running_ns = p->costs != NULL ? clock_real_ns() : 0;
	before = stop_begin(&stop);
	if (x->type == PQ_VECTOR) {
		rc = vector_result(&ev, x, &g, out, e);
	} else if (x->type == PQ_SCALAR) {
		rc = scalar_result(&ev, x, &g, out, e);
	} else if (x->type == PQ_MATRIX) {
		rc = matrix_result(&ev, pq_unparen(x), &g, out, e);
	} else {
		out->string = arena_str(a, pq_unparen(x)->u.text);
		rc = ev_memory(&ev, e);
	}
	out->samples = ev.samples;
	out->n_warnings = ev.n_warnings;
	out->n_infos = ev.n_infos;
	out->warnings = ev_copy_notes(&ev, ev.warnings, ev.n_warnings);
	out->infos = ev_copy_notes(&ev, ev.infos, ev.n_infos);
	if (rc == 0)
		rc = ev_memory(&ev, e);
	if (rc == 0)
		rc = stop_check(e); /* a sort may have been given up */
	stop_end(before);
	sel_close_all(&ev);
	if (p->costs != NULL)
		(void)cost_turn(&ev, x);
	arena_fini(&ev.scratch);
	arena_fini(&ev.tmp);
	return rc;
}
