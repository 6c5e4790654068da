/* SPDX-License-Identifier: Apache-2.0 */
/* replay_internal - struct replay, shared by replay.c and replay_apply.c only. */
#ifndef BELFRY_RULES_REPLAY_INTERNAL_H
#define BELFRY_RULES_REPLAY_INTERNAL_H

#include "rules/replay.h"
#include "rules/rule_plan.h"

struct replay_slots { /* first, first + step ... */
	int64_t first_ms, step_ms;
	size_t n;
};

struct replay_node {
	struct rule_group *g;
	struct rule *r;
	struct replay_rule *stats;
	size_t number; /* in file order */
	/* Recording rules: series with a sample at the last slot. Not used once one_by_one. */
	struct overlay_series **open;
	size_t n_open, cap_open;
	bool one_by_one; /* results go through rule_apply: two elements became one, or a limit */
};

struct replay_batch {
	struct alert_batch *batch;
	size_t number; /* of the rule */
};

struct replay {
	const struct rule_set *rs;
	struct replay_opts o;
	struct overlay overlay;
	struct select_source source; /* the overlay's */
	struct rule_output out;
	struct rule_env env;
	pthread_mutex_t lock;
	struct rule_group **groups;
	struct replay_node *nodes;
	struct replay_rule *rules;
	struct replay_plan plan;
	int64_t shortest_ms, reach_ms;
	uint64_t turn;
	struct replay_batch *batches; /* of this stretch */
	size_t n_batches, cap_batches;
};

/* replay_apply.c */
int replay_take(void *ctx, struct labels ls, uint64_t hash, int64_t t_ms, double v,
	const struct hist *h, struct err *e);
/* A range query's result over these slots. */
void replay_apply(struct replay *rp, struct replay_node *nd, struct arena *a, struct replay_slots s,
	const struct pq_result *res);
/* An instant query's result. */
int replay_apply_slot(struct replay *rp, struct replay_node *nd, struct arena *a, int64_t slot_ms,
	const struct pq_result *res, struct err *e) MUST_CHECK;
/* replay.c */
void replay_failed(struct replay_node *nd, uint64_t slots, const struct err *e);

#endif
