/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_group - one rule group at work: evaluates its rules at a slot, keeps alert states, writes
 * results.
 *
 * Used by the rule thread (rules.c) and by `belfry test rules`, on one thread at a time. What the
 * API reads (alerts, health) changes only while env->lock is held, for as long as a copy takes;
 * queries run without it.
 */
#ifndef BELFRY_RULES_RULE_GROUP_H
#define BELFRY_RULES_RULE_GROUP_H

#include <pthread.h>

#include "base/map.h"
#include "rules/rule_set.h"

struct rule_env {
	struct store *store;
	const struct select_source *source;
	struct labels external_labels; /* owned by whoever owns the env */
	struct str external_url;
	int64_t interval_ms, query_offset_ms; /* defaults of groups */
	uint64_t max_samples;
	size_t max_memory;
	bool experimental;
	bool wait_all; /* every batch is committed before the next rule: tests */
	const atomic_bool *cancel;
	pthread_mutex_t *lock;
};

/* An alert of a rule; labels and annotations are clones. */
struct alert {
	struct labels labels, annotations;
	uint64_t fingerprint;
	enum alert_state state, told; /* told: what the last accepted batch said */
	int64_t active_at_ms, fired_at_ms, resolved_at_ms, keep_since_ms;
	double value, current, worst;
	int64_t hold_until_ms; /* restored after an outage: not ended for want of data before this
				*/
	bool seen;             /* in this evaluation's result */
	bool save;
};

struct emitted; /* a series a rule wrote at its last evaluation */

struct rule {
	const struct rule_def *def;
	struct map alerts;  /* by fingerprint */
	struct map emitted; /* by labels hash */
	uint64_t turn;
	/* for the API */
	int64_t last_eval_ms;
	double eval_seconds;
	bool evaluated, failed;
	bool given_away; /* its state went to another rule: nothing to end */
	char error[240];
	size_t n_pending, n_firing;
};

struct rule_group {
	const struct rule_group_def *def;
	struct rule *rules;
	int64_t interval_ms, offset_ms; /* slots are offset + k * interval */
	int64_t next_slot_ms;
	int64_t last_eval_ms;
	double eval_seconds;
};

struct rule_group *rule_group_new(const struct rule_group_def *def, const struct rule_env *env);
void rule_group_free(struct rule_group *g);
/* Take over what `old` knows of rules that are the same (by key); old keeps the rest. */
void rule_group_adopt(struct rule_group *g, struct rule_group *old);
/* A stored alert of this rule; false when the key is not the rule's. Until hold_until_ms (0: no
 * such time) it does not end for want of data. */
bool rule_restore(
	struct rule *r, struct str rule_key, const struct alert_event *ev, int64_t hold_until_ms);
/* Evaluate all rules at slot_ms; results go to the store; alert events to *batch (NULL when there
 * is nothing to tell), to be given to a sink. Call rule_group_told when it was accepted. */
void rule_group_eval(struct rule_group *g, const struct rule_env *env, int64_t slot_ms,
	struct alert_batch **batch);
/* The wall clock was set back by so much: times of alerts move along and are stored again. */
void rule_group_shift(struct rule_group *g, int64_t back_ms);
void rule_group_told(struct rule_group *g, const struct rule_env *env);
/* The group goes away: events that resolve what fires, staleness marks for what it wrote. */
void rule_group_end(struct rule_group *g, const struct rule_env *env, int64_t now_ms,
	struct alert_batch **batch);

/* rule_emit.c: what rules write. */
struct emitter {
	struct rule *rule;
	const struct rule_env *env;
	struct batch *batch;
	struct arena *a;
	int64_t t_ms;
};
void emit_begin(struct emitter *em, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms);
void emit(struct emitter *em, struct labels ls, double v, const struct hist *h);
/* Staleness marks for series of the previous evaluation that were not emitted now; then submit. */
int emit_end(struct emitter *em, bool wait, struct err *e) MUST_CHECK;
void emit_forget(struct rule *r);
/* As if this series had been written before: what a former process wrote of a restored alert. */
void emit_remember(struct rule *r, struct labels ls);

/* rule_alert.c: one alerting rule at one time. */
int alert_rule_eval(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	struct arena *a, int64_t t_ms, const struct pq_result *res, struct err *e) MUST_CHECK;
void alert_rule_events(struct rule *r, const struct rule_group *g, struct alert_batch *b);
void alert_rule_told(struct rule *r);
void alert_free(struct alert *al);
/* The series of an alert, in `a`: ALERTS and ALERTS_FOR_STATE. */
struct labels alert_series(const struct alert *al, struct arena *a);
struct labels alert_since_series(const struct alert *al, struct arena *a);
/* How far behind its slot a group's rules read and write. */
int64_t rule_group_delay(const struct rule_group *g, const struct rule_env *env);
/* Evaluate an expression at one time with the env's limits. */
int rule_query(const struct rule_env *env, struct arena *a, const struct pq_expr *x, int64_t t_ms,
	int64_t interval_ms, struct pq_result *out, struct err *e) MUST_CHECK;

#endif
