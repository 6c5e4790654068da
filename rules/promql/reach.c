/* SPDX-License-Identifier: Apache-2.0 */
/* reach - see reach.h. Recursion is bounded by the height of the tree. */
#include "rules/promql/reach.h"

#include "base/num.h"
#include "rules/promql/ast.h"

static int64_t moved(const struct pq_when *w, int64_t reach)
{
	if (w->at != PQ_AT_NONE || w->offset_expr != NULL)
		return INT64_MAX;
	return MAX_OF(i64_add_sat(reach, w->offset_ms), 0);
}

static int64_t reach_of(const struct pq_expr *x, int64_t lookback_ms, int64_t back_ms);

static int64_t of_children(/* NOLINT(misc-no-recursion) */
	const struct pq_expr *x, int64_t lookback_ms, int64_t back_ms)
{
	const struct pq_expr *c;
	int64_t most = 0;

	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		most = MAX_OF(most, reach_of(c, lookback_ms, back_ms));
	return most;
}

/* back_ms: how far back of the evaluation's time x itself is evaluated, at most. */
static int64_t reach_of(/* NOLINT(misc-no-recursion) */
	const struct pq_expr *x, int64_t lookback_ms, int64_t back_ms)
{
	switch ((int)x->kind) {
	case PQ_SELECTOR: return moved(&x->u.selector.when, i64_add_sat(back_ms, lookback_ms));
	case PQ_RANGE:
		if (x->u.range.range_expr != NULL)
			return INT64_MAX;
		/* smoothed and anchored look back further than the range */
		return moved(&x->u.range.of->u.selector.when,
			i64_add_sat(back_ms, i64_add_sat(x->u.range.range_ms, lookback_ms)));
	case PQ_SUBQUERY: {
		int64_t at;

		if (x->u.subquery.range_expr != NULL || x->u.subquery.step_expr != NULL)
			return INT64_MAX;
		at = moved(&x->u.subquery.when, i64_add_sat(back_ms, x->u.subquery.range_ms));
		return at == INT64_MAX ? at : reach_of(x->u.subquery.of, lookback_ms, at);
	}
	default: return of_children(x, lookback_ms, back_ms);
	}
}

int64_t pq_expr_reach(const struct pq_expr *x, int64_t lookback_ms)
{
	return reach_of(x, lookback_ms, 0);
}

static bool asks_query(const struct pq_dur *d) /* NOLINT(misc-no-recursion) */
{
	return d != NULL && (d->op == PQ_DUR_STEP || d->op == PQ_DUR_RANGE || asks_query(d->lhs) ||
				    asks_query(d->rhs));
}

static bool when_asks(const struct pq_when *w)
{
	return w->at == PQ_AT_START || w->at == PQ_AT_END || asks_query(w->offset_expr);
}

bool pq_expr_steps_alone(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *c;

	switch ((int)x->kind) {
	case PQ_SELECTOR:
		if (when_asks(&x->u.selector.when))
			return false;
		break;
	case PQ_RANGE:
		if (asks_query(x->u.range.range_expr))
			return false;
		break;
	case PQ_SUBQUERY:
		if (when_asks(&x->u.subquery.when) || asks_query(x->u.subquery.range_expr) ||
			asks_query(x->u.subquery.step_expr))
			return false;
		break;
	case PQ_CALL: {
		enum pq_fn id = x->u.call.func->id;

		if (id == PQ_FN_START || id == PQ_FN_END || id == PQ_FN_RANGE || id == PQ_FN_STEP)
			return false;
		break;
	}
	default: break;
	}
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (!pq_expr_steps_alone(c))
			return false;
	}
	return true;
}
