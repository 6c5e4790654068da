/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format - an expression for people (lines of at most 100 bytes where it can be split) and for
 * programs (the JSON of /api/v1/parse_query). Both append to b; check b->failed at the end.
 */
#ifndef BELFRY_RULES_PROMQL_FORMAT_H
#define BELFRY_RULES_PROMQL_FORMAT_H

#include "base/buf.h"
#include "rules/promql/engine.h"

/* As Prometheus's /api/v1/format_query lays it out. */
void pq_expr_pretty(struct buf *b, const struct pq_expr *x);
/* One JSON object, keys in byte order, as Prometheus's /api/v1/parse_query. */
void pq_expr_json(struct buf *b, const struct pq_expr *x);

#endif
