/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - rule groups over recorded history, as fast as the machine allows.
 *
 * The slots, the alert state machine and the texts are those of the running rules (rule_group.h).
 * Time is cut into stretches; within one, a rule whose expression gives the same at every step of a
 * range query as alone is evaluated at all its slots by one query. Rules come after those whose
 * output they read; rules that read each other in a circle go slot by slot. What rules write is
 * seen by later ones through an overlay over the history. A query that fails for a stretch is
 * halved until only the slots are left that fail, as they would have.
 *
 * One thread. The history is read through the source; nothing is written.
 */
#ifndef BELFRY_RULES_REPLAY_H
#define BELFRY_RULES_REPLAY_H

#include "rules/overlay.h"
#include "rules/rule_group.h"

struct replay_opts {
	const struct select_source *source;
	struct labels external_labels;
	struct str external_url;
	int64_t interval_ms, query_offset_ms; /* defaults of groups */
	int64_t slot_unit_ms;                 /* base/slot.h; as live, so that slots are the same */
	int64_t start_ms, end_ms;             /* slots in [start, end] */
	size_t max_memory; /* of one query; results of all rules may take 4 times it */
	bool experimental;
	bool compact;              /* batches as alert_sink.compact says; else without values */
	bool slots_only;           /* never by range: for comparison */
	const atomic_bool *cancel; /* may be NULL; true stops in the middle of a stretch */
	/* Takes each batch, in order of time; rule says whose alerts they are. */
	void (*on_batch)(void *arg, const struct rule *rule, struct alert_batch *take);
	/* After each stretch; may be NULL. False stops. */
	bool (*on_progress)(void *arg, int64_t done_ms);
	void *arg;
};

/* Of one rule, in file order. */
struct replay_rule {
	const struct rule_group_def *group;
	const struct rule_def *def;
	uint64_t evaluations, failures;
	uint64_t samples; /* recorded */
	double seconds;
	char error[240]; /* the last one */
};

struct replay;

/* rs must outlive it. */
struct replay *replay_new(const struct rule_set *rs, const struct replay_opts *o);
/* -1 when it was stopped or cannot go on. */
int replay_run(struct replay *rp, struct err *e) MUST_CHECK;
const struct replay_rule *replay_rules(const struct replay *rp, size_t *n);
/* How far back of a slot rules read what rules write: before that a replay should begin to have it
 * all; at most max_ms. */
int64_t replay_warm_up(const struct rule_set *rs, int64_t max_ms);
void replay_free(struct replay *rp);
/* What queries of the replayed rules see now. */
const struct select_source *replay_source(const struct replay *rp);

/* replay_plan.c: rules in an order in which each comes after those it reads. */
struct replay_unit {
	size_t *rules; /* numbers in file order */
	size_t n;
	bool by_slot; /* they read each other, or themselves */
};
struct replay_plan {
	struct replay_unit *v;
	size_t n;
	size_t *members; /* what `rules` point into */
};
/* query_offset_ms: of groups that have none of their own. */
void replay_plan_init(struct replay_plan *p, const struct rule_set *rs, int64_t query_offset_ms);
void replay_plan_fini(struct replay_plan *p);

#endif
