/* SPDX-License-Identifier: Apache-2.0 */
/* eval - walks the tree: which file evaluates which node, pinned expressions once for all steps,
 * budgets of work, samples and memory; see eval.h. The entry pq_eval is in eval_entry.c. */
#include "rules/promql/eval.h"

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "rules/promql/hacc.h"

/* Looking at the clock costs about as much as this many samples' work. */
#define WORK_PER_LOOK 20000u

/* Both arenas together keep to the query's limit, give or take what one series needs. */
int ev_memory(struct ev *ev, struct err *e)
{
	if (ev->a->failed || ev->scratch.failed || ev->tmp.failed ||
		ev->scratch.used > ev->a->limit - ev->a->used)
		return err_set(e, ERR_LIMIT, PQ_BOUND_MEMORY,
			"query needs more than %zu MB of memory (query.max_memory)",
			ev->a->limit >> 20);
	return 0;
}

int ev_work(struct ev *ev, uint64_t units, struct err *e)
{
	ev->work += units + 1;
	if (ev->p->cancel != NULL && atomic_load_explicit(ev->p->cancel, memory_order_relaxed))
		return err_set(e, ERR_CANCEL, ECANCELED, "query was cancelled");
	if (ev->work < WORK_PER_LOOK)
		return 0;
	ev->work = 0;
	if (ev_memory(ev, e) != 0)
		return -1;
	if (ev->p->deadline_mono_ms != 0 && clock_mono_ms() >= ev->p->deadline_mono_ms)
		return err_set(e, ERR_CANCEL, ETIMEDOUT, "query timed out");
	return 0;
}

int ev_samples(struct ev *ev, uint64_t n, struct err *e)
{
	ev->samples += n;
	if (ev->p->costs != NULL)
		cost_of(ev)->samples += n;
	if (ev->p->max_samples != 0 && ev->samples > ev->p->max_samples)
		return err_set(e, ERR_LIMIT, PQ_BOUND_SAMPLES,
			"query looks at more than %llu samples (query.max_samples)",
			(unsigned long long)ev->p->max_samples);
	return ev_work(ev, n, e);
}

/* Functions whose value changes with the evaluation time though their arguments do not. */
static bool call_is_fixed(const struct pq_expr *x)
{
	switch ((int)x->u.call.func->id) {
	case PQ_FN_TIME:
	case PQ_FN_PREDICT_LINEAR: return false;
	case PQ_FN_TIMESTAMP: return ev_arg(x, 0)->kind == PQ_SELECTOR;
	case PQ_FN_DAY_OF_MONTH:
	case PQ_FN_DAY_OF_WEEK:
	case PQ_FN_DAY_OF_YEAR:
	case PQ_FN_DAYS_IN_MONTH:
	case PQ_FN_HOUR:
	case PQ_FN_MINUTE:
	case PQ_FN_MONTH:
	case PQ_FN_YEAR: return x->u.call.n > 0;
	default: return true;
	}
}

bool eval_is_fixed(const struct pq_expr *x) /* NOLINT(misc-no-recursion): LIMIT_EXPR_DEPTH */
{
	const struct pq_expr *c;

	if (x->kind == PQ_SELECTOR)
		return x->u.selector.when.at != PQ_AT_NONE;
	if (x->kind == PQ_SUBQUERY)
		return x->u.subquery.when.at != PQ_AT_NONE;
	if (x->kind == PQ_CALL && !call_is_fixed(x))
		return false;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (!eval_is_fixed(c))
			return false;
	}
	return true;
}

/* --- a pinned expression: evaluated once, its point repeated at every step --- */

struct repeat {
	struct ev *ev;
	const struct grid *g;
	struct sink out;
};

static int on_repeat(void *arg, struct col *c, struct err *e)
{
	struct repeat *r = arg;
	struct arena_mark mark = arena_mark(&r->ev->scratch);
	const struct hist *h = col_hist(c, 0);
	struct col wide = *c;
	int rc;

	wide.v = ARENA_ARRAY(&r->ev->scratch, r->g->n, double);
	wide.h = h != NULL ? ARENA_ARRAY(&r->ev->scratch, r->g->n, const struct hist *) : NULL;
	if (ev_memory(r->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < r->g->n; i++) {
		wide.v[i] = c->v[0];
		if (h != NULL)
			wide.h[i] = h;
	}
	rc = emit(r->out, &wide, e);
	arena_release(&r->ev->scratch, mark);
	return rc;
}

/* --- unary minus --- */

struct negate {
	struct ev *ev;
	const struct grid *g;
	struct sink out;
};

static int on_negate(void *arg, struct col *c, struct err *e)
{
	struct negate *n = arg;

	c->drop_name = true;
	for (size_t i = 0; i < n->g->n; i++) {
		const struct hist *h = col_hist(c, i);

		if (h != NULL) {
			struct hacc acc;

			hacc_init(&acc, &n->ev->tmp, h);
			acc.keep_empty = true;
			hacc_mul(&acc, -1);
			c->h[i] = hacc_done(&acc, &n->ev->scratch);
			ev_tmp_done(n->ev);
			if (c->h[i] == NULL)
				return ev_memory(n->ev, e);
		} else if (!is_absent(c->v[i])) {
			c->v[i] = -c->v[i];
		}
	}
	return emit(n->out, c, e);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int unary_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct negate n = {ev, g, out};

	if (!x->u.unary.minus)
		return eval_each(ev, x->u.unary.of, g, out, e);
	return eval_each(ev, x->u.unary.of, g, (struct sink){on_negate, &n}, e);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int node_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	switch (x->kind) {
	case PQ_SELECTOR: return sel_each(ev, x, g, out, e);
	case PQ_AGGREGATE: return agg_each(ev, x, g, out, e);
	case PQ_BINARY: return binary_each(ev, x, g, out, e);
	case PQ_CALL: return fn_each(ev, x, g, out, e);
	case PQ_UNARY: return unary_each(ev, x, g, out, e);
	case PQ_PAREN: return eval_each(ev, x->u.paren.of, g, out, e);
	case PQ_NUMBER:
	case PQ_TEXT:
	case PQ_RANGE:
	case PQ_SUBQUERY: break;
	}
	return err_set(e, ERR_INPUT, 0, "expected an instant vector here");
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int repeated_each(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e)
{
	if (ev_work(ev, 1, e) != 0)
		return -1;
	if (g->n > 1 && eval_is_fixed(x)) {
		struct grid once = {g->start, g->step, 1};
		struct repeat r = {ev, g, out};

		return node_each(ev, x, &once, (struct sink){on_repeat, &r}, e);
	}
	return node_each(ev, x, g, out, e);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
int eval_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct cost_tap tap = {.ev = ev, .g = g, .out = out};
	int rc;

	ASSERT(g->n > 0);
	if (ev->p->costs == NULL || x->kind == PQ_PAREN)
		return repeated_each(ev, x, g, out, e);
	tap.above = cost_turn(ev, x);
	rc = repeated_each(ev, x, g, (struct sink){cost_col, &tap}, e);
	(void)cost_turn(ev, tap.above);
	return rc;
}
