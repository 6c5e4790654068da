/* SPDX-License-Identifier: Apache-2.0 */
/* print - the canonical one-line text of an expression, as Prometheus's printer.go writes it:
 * modifiers in one order, matchers sorted, durations normalised. */
#include "rules/promql/print.h"

#include <math.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/f64.h"
#include "base/num.h"
#include "base/quote.h"

#define MATCHERS_SORTED 256u /* more than that keep the order they were written in */

void pq_print_number(struct buf *b, double val, bool is_duration)
{
	if (!is_duration) {
		f64_print_plain(b, val);
		return;
	}
	if (val < 0)
		buf_ch(b, '-');
	dur_print(b, num_clamp_i64(round(fabs(val) * 1000)));
}

static void print_signed_dur(struct buf *b, int64_t ms)
{
	if (ms < 0)
		buf_ch(b, '-');
	dur_print(b, ms < 0 ? i64_sub_sat(0, ms) : ms);
}

/* Recursion is bounded by the height of the tree. */
void pq_print_dur(struct buf *b, const struct pq_dur *d) /* NOLINT(misc-no-recursion) */
{
	static const char *const infix[] = {[PQ_DUR_ADD] = " + ",
		[PQ_DUR_SUB] = " - ",
		[PQ_DUR_MUL] = " * ",
		[PQ_DUR_DIV] = " / ",
		[PQ_DUR_MOD] = " % ",
		[PQ_DUR_POW] = " ^ "};

	if (d->wrapped)
		buf_ch(b, '(');
	switch ((int)d->op) {
	case PQ_DUR_NUMBER: pq_print_number(b, d->val, d->is_duration); break;
	case PQ_DUR_STEP: buf_c(b, "step()"); break;
	case PQ_DUR_RANGE: buf_c(b, "range()"); break;
	case PQ_DUR_NEG:
		buf_ch(b, '-');
		pq_print_dur(b, d->rhs);
		break;
	case PQ_DUR_POS: pq_print_dur(b, d->rhs); break;
	case PQ_DUR_MIN:
	case PQ_DUR_MAX:
		buf_c(b, d->op == PQ_DUR_MIN ? "min_of(" : "max_of(");
		pq_print_dur(b, d->lhs);
		buf_c(b, ", ");
		pq_print_dur(b, d->rhs);
		buf_ch(b, ')');
		break;
	default:
		pq_print_dur(b, d->lhs);
		buf_c(b, infix[d->op]);
		pq_print_dur(b, d->rhs);
		break;
	}
	if (d->wrapped)
		buf_ch(b, ')');
}

static void print_names(struct buf *b, struct pq_names names)
{
	buf_ch(b, '(');
	for (size_t i = 0; i < names.n; i++) {
		if (i > 0)
			buf_c(b, ", ");
		if (label_name_is_legacy(names.v[i]))
			buf_str(b, names.v[i]);
		else
			quote_go(b, names.v[i]);
	}
	buf_ch(b, ')');
}

void pq_print_agg_head(struct buf *b, const struct pq_expr *x)
{
	buf_c(b, pq_aggregation(x->u.aggregate.op)->name);
	if (!x->u.aggregate.without && x->u.aggregate.by.n == 0)
		return;
	buf_c(b, x->u.aggregate.without ? " without " : " by ");
	print_names(b, x->u.aggregate.by);
	buf_ch(b, ' ');
}

static void print_fills(struct buf *b, const struct pq_matching *m)
{
	if (m->has_fill_left && m->has_fill_right && m->fill_left == m->fill_right) {
		buf_c(b, " fill (");
		f64_print_g(b, m->fill_left);
		buf_ch(b, ')');
		return;
	}
	if (m->has_fill_left) {
		buf_c(b, " fill_left (");
		f64_print_g(b, m->fill_left);
		buf_ch(b, ')');
	}
	if (m->has_fill_right) {
		buf_c(b, " fill_right (");
		f64_print_g(b, m->fill_right);
		buf_ch(b, ')');
	}
}

void pq_print_operator(struct buf *b, const struct pq_expr *x)
{
	const struct pq_matching *m = x->u.binary.match;
	bool grouped;

	buf_c(b, pq_op_name(x->u.binary.op));
	if (x->u.binary.bool_mod)
		buf_c(b, " bool");
	if (m == NULL)
		return;
	grouped = m->card == PQ_MANY_TO_ONE || m->card == PQ_ONE_TO_MANY;
	if (m->labels.n > 0 || m->on || grouped) {
		buf_c(b, m->on ? " on " : " ignoring ");
		print_names(b, m->labels);
	}
	if (grouped) {
		buf_c(b, m->card == PQ_MANY_TO_ONE ? " group_left " : " group_right ");
		print_names(b, m->include);
	}
	print_fills(b, m);
}

static void print_at(struct buf *b, const struct pq_when *w)
{
	if (w->at == PQ_AT_START)
		buf_c(b, " @ start()");
	else if (w->at == PQ_AT_END)
		buf_c(b, " @ end()");
	else if (w->at == PQ_AT_TIME)
		buf_printf(b, " @ %.3f", (double)w->at_ms / 1000);
}

static void print_offset(struct buf *b, const struct pq_when *w)
{
	if (w->offset_expr == NULL && w->offset_ms == 0)
		return;
	buf_c(b, " offset ");
	if (w->offset_expr != NULL)
		pq_print_dur(b, w->offset_expr);
	else
		print_signed_dur(b, w->offset_ms);
}

static void print_extended(struct buf *b, const struct pq_selector *s)
{
	buf_c(b, s->anchored ? " anchored" : s->smoothed ? " smoothed" : "");
}

/* Byte order of the printed texts "name op value", which is what upstream sorts. */
static int by_text(const void *x, const void *y)
{
	const struct matcher *const *a = x, *const *c = y;
	struct buf s, t;
	int order;

	buf_init(&s, 1 << 20);
	buf_init(&t, 1 << 20);
	matcher_print(&s, *a);
	matcher_print(&t, *c);
	order = str_cmp(buf_view(&s), buf_view(&t));
	buf_fini(&s);
	buf_fini(&t);
	return order;
}

void pq_print_plain_selector(struct buf *b, const struct pq_selector *s)
{
	const struct matcher *order[MATCHERS_SORTED];
	size_t n = s->n - (s->name.n > 0); /* the last one is the name */
	bool sorted = n <= MATCHERS_SORTED;

	buf_str(b, s->name);
	if (s->n == 0)
		buf_c(b, "{}"); /* of info(up, {}): without it the text would not be read again */
	if (n == 0)
		return;
	for (size_t i = 0; i < n && sorted; i++)
		order[i] = &s->m[i];
	if (sorted)
		qsort(order, n, sizeof *order, by_text);
	for (size_t i = 0; i < n; i++) {
		buf_ch(b, i == 0 ? '{' : ',');
		matcher_print(b, sorted ? order[i] : &s->m[i]);
	}
	buf_ch(b, '}');
}

static void print_span(struct buf *b, int64_t ms, const struct pq_dur *expr)
{
	if (expr != NULL)
		pq_print_dur(b, expr);
	else
		dur_print(b, ms);
}

void pq_print_suffix(struct buf *b, const struct pq_expr *x)
{
	const struct pq_when *w;

	buf_ch(b, '[');
	if (x->kind == PQ_RANGE) {
		const struct pq_selector *s = &x->u.range.of->u.selector;

		print_span(b, x->u.range.range_ms, x->u.range.range_expr);
		buf_ch(b, ']');
		print_extended(b, s);
		w = &s->when;
	} else {
		print_span(b, x->u.subquery.range_ms, x->u.subquery.range_expr);
		buf_ch(b, ':');
		if (x->u.subquery.step_expr != NULL || x->u.subquery.step_ms != 0)
			print_span(b, x->u.subquery.step_ms, x->u.subquery.step_expr);
		buf_ch(b, ']');
		w = &x->u.subquery.when;
	}
	print_at(b, w);
	print_offset(b, w);
}

/* Recursion is bounded by the height of the tree. */
static void print_call(struct buf *b, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	buf_c(b, x->u.call.func->name);
	buf_ch(b, '(');
	for (size_t i = 0; i < x->u.call.n; i++) {
		if (i > 0)
			buf_c(b, ", ");
		pq_expr_print(b, x->u.call.args[i]);
	}
	buf_ch(b, ')');
}

static void print_aggregate(struct buf *b, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	pq_print_agg_head(b, x);
	buf_ch(b, '(');
	if (x->u.aggregate.param != NULL) {
		pq_expr_print(b, x->u.aggregate.param);
		buf_c(b, ", ");
	}
	pq_expr_print(b, x->u.aggregate.of);
	buf_ch(b, ')');
}

void pq_expr_print(struct buf *b, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	switch (x->kind) {
	case PQ_NUMBER: pq_print_number(b, x->u.number.val, x->u.number.is_duration); break;
	case PQ_TEXT: quote_go(b, x->u.text); break;
	case PQ_SELECTOR:
		pq_print_plain_selector(b, &x->u.selector);
		print_at(b, &x->u.selector.when);
		print_extended(b, &x->u.selector);
		print_offset(b, &x->u.selector.when);
		break;
	case PQ_RANGE:
		pq_print_plain_selector(b, &x->u.range.of->u.selector);
		pq_print_suffix(b, x);
		break;
	case PQ_SUBQUERY:
		pq_expr_print(b, x->u.subquery.of);
		pq_print_suffix(b, x);
		break;
	case PQ_AGGREGATE: print_aggregate(b, x); break;
	case PQ_BINARY:
		pq_expr_print(b, x->u.binary.lhs);
		buf_ch(b, ' ');
		pq_print_operator(b, x);
		buf_ch(b, ' ');
		pq_expr_print(b, x->u.binary.rhs);
		break;
	case PQ_CALL: print_call(b, x); break;
	case PQ_UNARY:
		buf_ch(b, x->u.unary.minus ? '-' : '+');
		pq_expr_print(b, x->u.unary.of);
		break;
	case PQ_PAREN:
		buf_ch(b, '(');
		pq_expr_print(b, x->u.paren.of);
		buf_ch(b, ')');
		break;
	}
}
