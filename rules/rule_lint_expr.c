/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_lint_expr - what is probably not meant in an expression. Recursion is bounded by the height
 * of the tree.
 */
#include <math.h>

#include "base/dur.h"
#include "base/num.h"
#include "rules/rule_lint.h"

struct walk {
	struct lint *l;
};

static bool ends(struct str s, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_ends(s, str_c(v[i])))
			return true;
	}
	return false;
}

static bool is_counter_name(struct str s)
{
	static const char *const v[] = {"_total", "_bucket"};

	return ends(s, v, ARRAY_LEN(v));
}

static bool is_gauge_name(struct str s)
{
	static const char *const v[] = {"_ratio", "_percent", "_celsius", "_size", "_current",
		"_free", "_used", "_available", "_limit", "_info", "_state", "_depth", "_waiting",
		"_active", "_idle"};

	return ends(s, v, ARRAY_LEN(v));
}

static const struct pq_expr *selector_in(const struct pq_expr *x)
{
	x = pq_unparen(x);
	if (x->kind == PQ_RANGE)
		x = x->u.range.of;
	return x->kind == PQ_SELECTOR ? x : NULL;
}

static bool is_rate(enum pq_fn id)
{
	return id == PQ_FN_RATE || id == PQ_FN_IRATE || id == PQ_FN_INCREASE;
}

static const char *span(struct lint *l, int64_t ms)
{
	struct buf b;
	struct str s;

	buf_init(&b, 64);
	dur_print(&b, ms);
	s = arena_str(l->a, buf_view(&b));
	buf_fini(&b);
	return s.p != NULL ? s.p : "";
}

/* --- rate and its kin --- */

static void check_window(struct walk *w, const struct pq_expr *call, const struct pq_expr *range)
{
	int64_t every = w->l->g->interval_ms, window = range->u.range.range_ms;

	if (range->u.range.range_expr != NULL)
		return;
	if (every > 0 && window < every)
		lint_hint(w->l, call,
			"a window of %s every %s: what happens in between is never looked at",
			span(w->l, window), span(w->l, every));
	else if (window < 30000)
		lint_hint(w->l, call,
			"a window of %s holds few samples; four scrape intervals or more bear a "
			"failed scrape",
			span(w->l, window));
}

static void check_rate(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *arg = pq_unparen(x->u.call.args[0]), *sel = selector_in(arg);
	const char *fn = x->u.call.func->name;

	if (arg->kind == PQ_SUBQUERY) {
		const struct pq_expr *in = pq_unparen(arg->u.subquery.of);

		if (in->kind == PQ_AGGREGATE && in->u.aggregate.op == PQ_AGG_SUM)
			lint_problem(w->l, x,
				"%s() of a sum takes the restart of one instance for a reset of "
				"all; write sum(%s(...))",
				fn, fn);
		return;
	}
	if (sel == NULL || arg->kind != PQ_RANGE)
		return;
	check_window(w, x, arg);
	if (is_gauge_name(sel->u.selector.name))
		lint_hint(w->l, x,
			"%s() is for counters; " STR_FMT
			" looks like a gauge: delta() or deriv() are for those",
			fn, STR_ARG(sel->u.selector.name));
}

static void check_gauge_function(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *sel = selector_in(x->u.call.args[0]);

	if (sel != NULL && is_counter_name(sel->u.selector.name))
		lint_hint(w->l, x,
			"%s() is for gauges; " STR_FMT " is a counter: rate() or increase()",
			x->u.call.func->name, STR_ARG(sel->u.selector.name));
}

/* --- absent --- */

static void check_absent(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *arg = pq_unparen(x->u.call.args[0]);
	const struct pq_expr *sel = selector_in(arg);
	bool named = false;

	if (arg->kind == PQ_BINARY && pq_op_is_comparison(arg->u.binary.op)) {
		lint_problem(w->l, x,
			"absent() of a comparison says that nothing compares so, not that nothing "
			"is "
			"there");
		return;
	}
	if (arg->kind == PQ_AGGREGATE)
		lint_hint(w->l, x,
			"absent() of an aggregation has no labels: this alert will not say what is "
			"missing; absent() of the series does");
	if (sel == NULL)
		return;
	for (size_t i = 0; i < sel->u.selector.n; i++) {
		const struct matcher *m = &sel->u.selector.m[i];

		named = named || (m->op == MATCH_EQ && m->value.n > 0);
	}
	if (!named)
		lint_hint(w->l, x,
			"absent() takes labels from = matchers only: this alert will not say what "
			"is "
			"missing");
}

/* --- quantiles --- */

static bool groups_le(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	x = pq_unparen(x);
	if (x->kind != PQ_AGGREGATE)
		return true;
	if (x->u.aggregate.without) {
		for (size_t i = 0; i < x->u.aggregate.by.n; i++) {
			if (str_eq(x->u.aggregate.by.v[i], STR("le")))
				return false;
		}
		return true;
	}
	for (size_t i = 0; i < x->u.aggregate.by.n; i++) {
		if (str_eq(x->u.aggregate.by.v[i], STR("le")))
			return true;
	}
	return false;
}

struct named {
	bool classic;
};

static void on_bucket(const struct matcher *m, size_t n, void *arg)
{
	struct named *k = arg;

	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, LABEL_NAME) && str_ends(m[i].value, STR("_bucket")))
			k->classic = true;
	}
}

static void check_quantile(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *v = x->u.call.args[1];
	struct named k = {false};

	pq_expr_selectors(v, on_bucket, &k);
	if (k.classic && !groups_le(v))
		lint_problem(w->l, v,
			"histogram_quantile() needs the label le of classic buckets: by (le, ...)");
}

static void check_quantile_of_quantiles(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *sel = pq_unparen(x->u.aggregate.of);
	enum pq_agg op = x->u.aggregate.op;

	if (sel->kind != PQ_SELECTOR ||
		(op != PQ_AGG_AVG && op != PQ_AGG_SUM && op != PQ_AGG_QUANTILE))
		return;
	for (size_t i = 0; i < sel->u.selector.n; i++) {
		if (str_eq(sel->u.selector.m[i].name, STR("quantile")))
			lint_problem(w->l, x,
				"%s() of quantiles is no quantile of the whole; aggregate buckets",
				pq_aggregation(op)->name);
	}
}

/* --- selectors and operators --- */

static void check_selector(struct walk *w, const struct pq_expr *x)
{
	const struct pq_selector *s = &x->u.selector;

	for (size_t i = 0; i < s->n; i++) {
		const struct matcher *m = &s->m[i];
		long long whole;

		if (m->op == MATCH_EQ &&
			(str_eq(m->name, STR("le")) || str_eq(m->name, STR("quantile"))) &&
			str_to_i64(m->value, &whole))
			lint_hint(w->l, x,
				"bounds are written as numbers with a point: " STR_FMT "=\"" STR_FMT
				".0\" (Prometheus 3 stores them so)",
				STR_ARG(m->name), STR_ARG(m->value));
	}
}

static void check_match(struct walk *w, const struct pq_expr *x)
{
	const struct pq_matching *m = x->u.binary.match;

	if (m == NULL || m->on || m->labels.n > 0 || x->u.binary.op == PQ_OP_OR)
		return;
	if (lint_labels_differ(x->u.binary.lhs, x->u.binary.rhs))
		lint_problem(w->l, x,
			"the two sides of \"%s\" have different labels and never match; say "
			"on(...) and "
			"group_left",
			pq_op_name(x->u.binary.op));
}

/* A counter's own value is compared, or an alert. */
static void check_raw_counter(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *sides[2] = {pq_unparen(x->u.binary.lhs), pq_unparen(x->u.binary.rhs)};

	if (!pq_op_is_comparison(x->u.binary.op))
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct pq_expr *s = sides[i], *other = sides[1 - i];

		if (s->kind == PQ_AGGREGATE && s->u.aggregate.op != PQ_AGG_COUNT)
			s = pq_unparen(s->u.aggregate.of);
		if (s->kind == PQ_SELECTOR && other->type == PQ_SCALAR &&
			is_counter_name(s->u.selector.name))
			lint_hint(w->l, x,
				"counter " STR_FMT
				" is compared as it is: it grows until a restart; "
				"compare its rate() or increase()",
				STR_ARG(s->u.selector.name));
	}
}

/* increase() is extrapolated: rarely a whole number. */
static void check_whole_increase(struct walk *w, const struct pq_expr *x)
{
	const struct pq_expr *l = pq_unparen(x->u.binary.lhs), *r = pq_unparen(x->u.binary.rhs);
	enum pq_op op = x->u.binary.op;

	if (l->kind != PQ_CALL || l->u.call.func->id != PQ_FN_INCREASE || r->kind != PQ_NUMBER)
		return;
	if ((op == PQ_OP_EQ || op == PQ_OP_GE) && r->u.number.val > 0 &&
		r->u.number.val == floor(r->u.number.val))
		lint_hint(w->l, x, "increase() is extrapolated and rarely whole: compare with > %g",
			r->u.number.val - 0.5);
}

static bool has_rate(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *c;

	if (x->kind == PQ_CALL && is_rate(x->u.call.func->id))
		return true;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (has_rate(c))
			return true;
	}
	return false;
}

/* --- the walk --- */

static void check_call(struct walk *w, const struct pq_expr *x)
{
	switch ((int)x->u.call.func->id) {
	case PQ_FN_RATE:
	case PQ_FN_IRATE:
	case PQ_FN_INCREASE: check_rate(w, x); break;
	case PQ_FN_DELTA:
	case PQ_FN_IDELTA:
	case PQ_FN_DERIV:
	case PQ_FN_PREDICT_LINEAR: check_gauge_function(w, x); break;
	case PQ_FN_ABSENT:
	case PQ_FN_ABSENT_OVER_TIME: check_absent(w, x); break;
	case PQ_FN_HISTOGRAM_QUANTILE: check_quantile(w, x); break;
	default: break;
	}
}

static void walk(struct walk *w, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *c;

	switch ((int)x->kind) {
	case PQ_SELECTOR: check_selector(w, x); break;
	case PQ_CALL: check_call(w, x); break;
	case PQ_AGGREGATE: check_quantile_of_quantiles(w, x); break;
	case PQ_BINARY:
		check_match(w, x);
		check_raw_counter(w, x);
		check_whole_increase(w, x);
		break;
	default: break;
	}
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		walk(w, c);
}

/* --- alerts --- */

static void check_condition(struct lint *l)
{
	const struct pq_expr *x = pq_unparen(l->r->expr), *hit = lint_never(x);

	if (hit != NULL)
		lint_problem(l, hit, "this is never true: the alert cannot fire");
	if (x->kind == PQ_BINARY && pq_op_is_comparison(x->u.binary.op) && x->u.binary.bool_mod)
		lint_problem(l, x,
			"with bool the comparison always has a value: the alert fires whether it "
			"is "
			"true or not");
}

/* Something in it decides: a comparison, a set operator, or a function that gives nothing. */
static bool decides(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *c;

	if (x->kind == PQ_BINARY &&
		(pq_op_is_comparison(x->u.binary.op) || x->u.binary.op == PQ_OP_AND ||
			x->u.binary.op == PQ_OP_UNLESS || x->u.binary.op == PQ_OP_OR))
		return true;
	if (x->kind == PQ_CALL && (x->u.call.func->id == PQ_FN_ABSENT ||
					  x->u.call.func->id == PQ_FN_ABSENT_OVER_TIME))
		return true;
	if (x->kind == PQ_SELECTOR && str_starts(x->u.selector.name, STR("ALERTS")))
		return true; /* it is there while an alert is */
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (decides(c))
			return true;
	}
	return false;
}

static bool reads_series(const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_expr *c;

	if (x->kind == PQ_SELECTOR)
		return true;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (reads_series(c))
			return true;
	}
	return false;
}

/* A watchdog's vector(1) is meant so. */
static void check_decides(struct lint *l)
{
	if (reads_series(l->r->expr) && !decides(l->r->expr) && l->r->absent_after_ms == 0)
		lint_hint(l, l->r->expr,
			"nothing is compared: the alert fires while there is a series, whatever "
			"its "
			"value");
}

/* errors / requests > 0.05 is one of three at night. */
static void check_traffic(struct lint *l)
{
	const struct pq_expr *x = pq_unparen(l->r->expr), *side;

	if (x->kind != PQ_BINARY || x->u.binary.op != PQ_OP_GT)
		return;
	side = pq_unparen(x->u.binary.lhs);
	if (side->kind != PQ_BINARY || side->u.binary.op != PQ_OP_DIV)
		return;
	if (has_rate(side->u.binary.lhs) && has_rate(side->u.binary.rhs))
		lint_hint(l, side,
			"a ratio of rates is 100 %% for one bad request of one; add: and "
			"<requests> > "
			"some rate");
}

void lint_expr(struct lint *l)
{
	struct walk w = {l};

	if (l->r->is_alert) {
		check_condition(l);
		check_traffic(l);
		check_decides(l);
	}
	walk(&w, l->r->expr);
}
