/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print - parts of the canonical text, shared by the one-line and the pretty printer and by the
 * JSON of a tree. Not for others: pq_expr_print (engine.h) prints a whole expression.
 */
#ifndef BELFRY_RULES_PROMQL_PRINT_H
#define BELFRY_RULES_PROMQL_PRINT_H

#include "rules/promql/ast.h"

void pq_print_number(struct buf *b, double val, bool is_duration);
void pq_print_dur(struct buf *b, const struct pq_dur *d);
/* "sum by (a, b) " or "sum": all before the parenthesis. */
void pq_print_agg_head(struct buf *b, const struct pq_expr *x);
/* "== bool on (a) group_left (b)" */
void pq_print_operator(struct buf *b, const struct pq_expr *x);
/* "[5m] @ start() offset 1m" of a range or subquery. */
void pq_print_suffix(struct buf *b, const struct pq_expr *x);
/* The selector without @, offset, anchored and smoothed. */
void pq_print_plain_selector(struct buf *b, const struct pq_selector *s);

#endif
