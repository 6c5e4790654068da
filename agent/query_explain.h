/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query_explain - explain=true of a query: what every node of the expression cost, and where it
 * found nothing, what may have been meant. Any thread.
 */
#ifndef BELFRY_AGENT_QUERY_EXPLAIN_H
#define BELFRY_AGENT_QUERY_EXPLAIN_H

#include "base/jsonw.h"
#include "rules/promql/engine.h"
#include "storage/store.h"

/* The member "explain" of an answer: nodes from the root down, parents first. `costs` as pq_eval
 * filled it; `a` for the work, and how much the query took of it is told. */
void query_explain(struct jsonw *j, const struct pq_expr *root, const struct pq_cost *costs,
	struct store *store, struct arena *a);

#endif
