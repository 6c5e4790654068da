/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_plan - the rules of a group at one slot: queries at the same time where they may, effects in
 * the order of the file.
 *
 * A rule's evaluation is a query, which changes nothing, and its effects (states of alerts,
 * samples). Effects happen one after the other in the rules' order on the thread that owns the
 * group. A query may run, on any evaluator, once the effects of every rule before it that writes
 * what it reads have been committed. So results are those of evaluating one rule after the other:
 * a rule that reads what a later one writes sees the last slot's, since its query ended before.
 */
#ifndef BELFRY_RULES_RULE_PLAN_H
#define BELFRY_RULES_RULE_PLAN_H

#include "rules/rule_group.h"

struct rule_task {
	struct arena arena; /* of the query and its result */
	struct pq_result res;
	struct err err;
	int rc;
	int64_t t_ms, spent_ns;
	enum { TASK_WAITS, TASK_RUNS, TASK_DONE } state;
};

/* after[i]: rule i may be queried when the effects of this many rules are there; read_later[i]: a
 * later rule reads what i writes. */
void rule_plan_init(struct rule_plan *p, const struct rule_group_def *def);
void rule_plan_fini(struct rule_plan *p);
/* Whether reading such a selector may see what the rule writes. */
bool rule_writes_what(const struct rule_def *writer, const struct matcher *m, size_t n);

struct rule_run; /* a group's evaluation under way */

/* Evaluators that have nothing else to do, handed in by rules.c. */
struct rule_helpers {
	void *ctx;
	int64_t worth_ns; /* groups that took less than this last time are left alone */
	/* Idle evaluators may call rule_run_help until withdraw returns. */
	void (*offer)(void *ctx, struct rule_run *run);
	void (*withdraw)(void *ctx, struct rule_run *run);
};

/* All rules of the group at this slot, with env->helpers when there are some. */
void rule_plan_run(struct rule_group *g, const struct rule_env *env, int64_t slot_ms);
/* Run one query of it, if one may run now; false when there is none. Any thread. */
bool rule_run_help(struct rule_run *run);

/* rule_group.c: the effects of rule i, whose query is done; releases the task. */
void rule_finish(struct rule_group *g, size_t i, const struct rule_env *env, int64_t slot_ms,
	struct rule_task *task);
bool rule_is_read_later(const struct rule_group *g, size_t i);

#endif
