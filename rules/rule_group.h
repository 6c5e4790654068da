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

/* Where results go when it is not the store: backtests. */
struct rule_output {
	void *ctx;
	/* A sample, or a staleness mark, of a rule; -1 fails the evaluation. */
	int (*take)(void *ctx, struct labels ls, uint64_t hash, int64_t t_ms, double v,
		const struct hist *h, struct err *e);
};

struct rule_helpers; /* rule_pool.h: idle evaluators that take queries of a group */

struct rule_env {
	struct store *store; /* may be NULL when there is an output */
	const struct rule_output *output;
	struct rule_helpers *helpers; /* NULL: one query after the other */
	const struct select_source *source;
	struct labels external_labels; /* owned by whoever owns the env */
	struct str external_url;
	int64_t interval_ms, query_offset_ms; /* defaults of groups */
	int64_t slot_unit_ms;                 /* see base/slot.h; 0: each group's interval */
	size_t n_groups;                      /* that share the time */
	int64_t lookback_ms;                  /* 0: 5 min */
	uint64_t max_samples;
	size_t max_memory;
	bool experimental;
	bool wait_all;    /* every batch is committed before the next rule: tests */
	bool own_notes;   /* alerts show the belfry_ annotations, too: rule tests, as promtool */
	bool own_metrics; /* groups count under their names */
	bool compact;     /* batches as alert_sink.compact says */
	const atomic_bool *cancel;
	pthread_mutex_t *lock;
};

struct emitted; /* a series a rule wrote at its last evaluation */
struct rule_refusals;
struct absent; /* rule_absent.c: label sets of a belfry_absent_after rule */

/* An alert of a rule; labels and annotations are clones. */
struct alert {
	struct labels labels, annotations;
	struct labels sample; /* clone of the labels of the sample it came from; v NULL: unknown */
	char *top;            /* belfry_top with templates filled in, or NULL */
	uint64_t fingerprint, sample_hash, ref;
	enum alert_state state, told; /* told: what the last accepted batch said */
	int64_t active_at_ms, fired_at_ms, resolved_at_ms, keep_since_ms;
	double value, current, worst;
	double told_value, told_current, told_worst;
	int64_t hold_until_ms; /* restored after an outage: not ended for want of data before this
				*/
	int64_t lost_since_ms; /* belfry_clear_if has no data about it since */
	const struct rule_def *noted_for; /* whose annotations these are */
	int64_t noted_ms;                 /* and when they were made */
	struct emitted *series[2];        /* ALERTS of `series_state`, ALERTS_FOR_STATE, or NULL */
	enum alert_state series_state;
	uint64_t turn;  /* evaluation that saw it last */
	bool seen;      /* in this evaluation's result */
	bool held;      /* not in it, but belfry_clear_if does not say that it is over */
	bool save;      /* its row must be written though the state is the same */
	bool noted;     /* other annotations than told */
	bool announced; /* an event of this process told its ref */
};

struct rule {
	const struct rule_def *def;
	struct map alerts;              /* by fingerprint */
	struct map by_sample;           /* those with a known sample, by its hash */
	struct map emitted;             /* by labels hash */
	struct rule_refusals *refusals; /* the group's; not owned */
	struct absent *absent;          /* NULL: no belfry_absent_after */
	uint64_t turn;                  /* of emitting */
	uint64_t eval_turn;
	/* for the API */
	int64_t last_eval_ms;
	double eval_seconds;
	bool evaluated, failed;
	bool given_away; /* its state went to another rule: nothing to end */
	char error[240];
	size_t n_pending, n_firing;
};

struct rule_plan { /* rule_plan.h: what of the group reads what of it */
	size_t *after;
	bool *read_later;
};

struct rule_group {
	const struct rule_group_def *def;
	struct rule_plan plan;
	struct rule *rules;
	struct rule_refusals *refusals;
	int64_t interval_ms, offset_ms; /* slots are offset + k * interval */
	int64_t next_slot_ms;
	int64_t last_eval_ms;
	double eval_seconds;
	bool busy;                        /* an evaluator has it; rules.c */
	struct metric *failures, *missed; /* by name of the group */
	struct metric *duration;          /* NULL: too many groups */
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
/* A stored label set of a belfry_absent_after rule; false when the key is not the rule's. */
bool rule_restore_seen(struct rule *r, const struct alert_seen *s);
/* The wall clock was set back by so much: times of alerts move along and are stored again. */
void rule_group_shift(struct rule_group *g, int64_t back_ms);
/* Until then no alert ends for want of data. */
void rule_group_hold(struct rule_group *g, int64_t until_ms);
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
	bool failed; /* the output refused: emit_end tells */
	struct err err;
};
void emit_begin(struct emitter *em, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms);
/* What stands for the series until an evaluation does not emit it. */
struct emitted *emit(struct emitter *em, struct labels ls, double v, const struct hist *h);
void emit_again(struct emitter *em, struct emitted *x, double v);
/* Staleness marks for series of the previous evaluation that were not emitted now; then submit. */
int emit_end(struct emitter *em, bool wait, struct err *e) MUST_CHECK;
void emit_forget(struct rule *r);
/* As if this series had been written before: what a former process wrote of a restored alert. */
void emit_remember(struct rule *r, struct labels ls);

/* rule_alert.c: one alerting rule at one time. */
int alert_rule_eval(struct rule *r, const struct rule_group *g, const struct rule_env *env,
	struct arena *a, int64_t t_ms, const struct pq_result *res, struct err *e) MUST_CHECK;
void alert_free(struct alert *al);
/* A number for a new alert, never given twice by this process. */
uint64_t alert_next_ref(void);
/* The series of an alert, in `a`: ALERTS and ALERTS_FOR_STATE. */
struct labels alert_series(const struct alert *al, struct arena *a);
struct labels alert_since_series(const struct alert *al, struct arena *a);

/* rule_tell.c: what a group has to tell after an evaluation. */
/* NULL: nothing. */
struct alert_batch *rule_group_batch(
	struct rule_group *g, const struct rule_env *env, int64_t slot_ms);
/* The same of one rule; for replays, which evaluate rule by rule. */
struct alert_batch *rule_batch(
	struct rule_group *g, struct rule *r, const struct rule_env *env, int64_t slot_ms);
/* The batch was accepted. */
void alert_rule_told(struct rule *r);

/* How far behind its slot a group's rules read and write. */
int64_t rule_group_delay(const struct rule_group *g, const struct rule_env *env);
/* Evaluate an expression at one time with the env's limits. */
int rule_query(const struct rule_env *env, struct arena *a, const struct pq_expr *x, int64_t t_ms,
	int64_t interval_ms, struct pq_result *out, struct err *e) MUST_CHECK;
/* The same at start, start + step ... end. */
int rule_query_range(const struct rule_env *env, struct arena *a, const struct pq_expr *x,
	const struct pq_params *when, struct pq_result *out, struct err *e) MUST_CHECK;
/* The labels under which a recording rule writes what a sample of its result says. */
struct labels rule_recorded_labels(const struct rule *r, struct labels sample, struct arena *a);
/* What a query of rule r at t gave becomes alerts or samples. wait: others read them at once. */
int rule_apply(struct rule_group *g, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms, const struct pq_result *res, bool wait, struct err *e) MUST_CHECK;

#endif
