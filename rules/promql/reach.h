/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach - what an expression reads and what its result rests on, known from its text alone: for
 * replays of rules over history, and for lint.
 */
#ifndef BELFRY_RULES_PROMQL_REACH_H
#define BELFRY_RULES_PROMQL_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/promql/engine.h"

/* How far behind (or, for negative offsets, not less than 0) the evaluation's time the oldest
 * sample may lie that the expression reads; INT64_MAX when it is a fixed time or computed. */
int64_t pq_expr_reach(const struct pq_expr *x, int64_t lookback_ms);
/* Whether every step of a range query gives what an instant query at that time gives: nothing in it
 * asks for the query's start, end, range or step. */
bool pq_expr_steps_alone(const struct pq_expr *x);

#endif
