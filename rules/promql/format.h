/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format - an expression for people (lines of at most 100 bytes where it can be split) and for
 * programs (the JSON of /api/v1/parse_query); and the place of an error. All append to b; check
 * b->failed at the end.
 */
#ifndef BELFRY_RULES_PROMQL_FORMAT_H
#define BELFRY_RULES_PROMQL_FORMAT_H

#include "base/buf.h"
#include "rules/promql/engine.h"

/* As Prometheus's /api/v1/format_query lays it out. */
void pq_expr_pretty(struct buf *b, const struct pq_expr *x);
/* One JSON object, keys in byte order, as Prometheus's /api/v1/parse_query. */
void pq_expr_json(struct buf *b, const struct pq_expr *x);

/* The line of the text that an error is in, with a caret under its place, for below the message:
 * "\n  sum(rates(x[5m]))\n      ^~~~~". Long lines are cut around it. Appends nothing for an empty
 * text and for one that was too long to be read. */
void pq_error_excerpt(struct buf *b, struct str text, const struct err *e);

#endif
