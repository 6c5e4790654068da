/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pretty - what fits into LINE bytes stays on one line, anything longer is split at its
 * outermost operator, call or parenthesis, two blanks a level; see format.h.
 */
#include "rules/promql/format.h"
#include "rules/promql/print.h"

#define LINE     100u
#define TEXT_MAX ((size_t)1 << 20)

static void indent(struct buf *b, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		buf_c(b, "  ");
}

static bool fits(const struct pq_expr *x)
{
	struct buf one;
	bool yes;

	buf_init(&one, LINE);
	pq_expr_print(&one, x);
	yes = !one.failed;
	buf_fini(&one);
	return yes;
}

static void pretty(struct buf *b, const struct pq_expr *x, unsigned level);

/* Recursion of this file is bounded by the height of the tree. */
static void split_aggregate(/* NOLINT(misc-no-recursion) */
	struct buf *b, const struct pq_expr *x, unsigned level)
{
	indent(b, level);
	pq_print_agg_head(b, x);
	buf_c(b, "(\n");
	if (x->u.aggregate.param != NULL) {
		pretty(b, x->u.aggregate.param, level + 1);
		buf_c(b, ",\n");
	}
	pretty(b, x->u.aggregate.of, level + 1);
	buf_ch(b, '\n');
	indent(b, level);
	buf_ch(b, ')');
}

static void split_call(/* NOLINT(misc-no-recursion) */
	struct buf *b, const struct pq_expr *x, unsigned level)
{
	indent(b, level);
	buf_c(b, x->u.call.func->name);
	buf_c(b, "(\n");
	for (size_t i = 0; i < x->u.call.n; i++) {
		if (i > 0)
			buf_c(b, ",\n");
		pretty(b, x->u.call.args[i], level + 1);
	}
	buf_ch(b, '\n');
	indent(b, level);
	buf_ch(b, ')');
}

static void split_binary(/* NOLINT(misc-no-recursion) */
	struct buf *b, const struct pq_expr *x, unsigned level)
{
	pretty(b, x->u.binary.lhs, level + 1);
	buf_ch(b, '\n');
	indent(b, level);
	pq_print_operator(b, x);
	buf_ch(b, '\n');
	pretty(b, x->u.binary.rhs, level + 1);
}

/* The operand without the blanks it begins with: they stand before the sign. */
static void split_unary(/* NOLINT(misc-no-recursion) */
	struct buf *b, const struct pq_expr *x, unsigned level)
{
	struct buf of;

	buf_init(&of, TEXT_MAX);
	pretty(&of, x->u.unary.of, level);
	indent(b, level);
	buf_ch(b, x->u.unary.minus ? '-' : '+');
	buf_str(b, str_trim(buf_view(&of)));
	b->failed |= of.failed;
	buf_fini(&of);
}

static void pretty(/* NOLINT(misc-no-recursion) */
	struct buf *b, const struct pq_expr *x, unsigned level)
{
	if (fits(x)) {
		indent(b, level);
		pq_expr_print(b, x);
		return;
	}
	switch (x->kind) {
	case PQ_AGGREGATE: split_aggregate(b, x, level); return;
	case PQ_CALL: split_call(b, x, level); return;
	case PQ_BINARY: split_binary(b, x, level); return;
	case PQ_UNARY: split_unary(b, x, level); return;
	case PQ_PAREN:
		indent(b, level);
		buf_c(b, "(\n");
		pretty(b, x->u.paren.of, level + 1);
		buf_ch(b, '\n');
		indent(b, level);
		buf_ch(b, ')');
		return;
	case PQ_SUBQUERY:
		pretty(b, x->u.subquery.of, level);
		pq_print_suffix(b, x);
		return;
	case PQ_NUMBER:
	case PQ_TEXT:
	case PQ_SELECTOR:
	case PQ_RANGE:
		indent(b, level);
		pq_expr_print(b, x);
		return;
	}
}

void pq_expr_pretty(struct buf *b, const struct pq_expr *x)
{
	pretty(b, x, 0);
}
