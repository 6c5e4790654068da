/* SPDX-License-Identifier: Apache-2.0 */
/* rules_internal - the manager's struct, shared by rules.c, rule_threads.c and rules_json.c only.
 */
#ifndef BELFRY_RULES_RULES_INTERNAL_H
#define BELFRY_RULES_RULES_INTERNAL_H

#include <stdatomic.h>

#include "rules/rule_group.h"
#include "rules/rule_plan.h"

#define RULE_THREADS_MAX 16u
#define RULE_OFFERS_MAX  RULE_THREADS_MAX /* each evaluator has one group */

struct rule_offer { /* a group whose queries others may run */
	struct rule_run *run;
	unsigned inside; /* helpers at work in it */
};

struct rules {
	struct rule_env env;
	struct alert_sink sink;
	struct arena env_arena; /* holds env's labels and URL */
	pthread_mutex_t lock;   /* guards all below and what groups show to the API */
	pthread_cond_t wake;
	struct rule_set *set;
	struct rule_group **groups; /* in file order */
	struct rule_group **heap;   /* those no evaluator has, by next_slot_ms */
	size_t n_heap;
	size_t n_groups;
	struct rule_set *next_set; /* a reload waits */
	struct rules_opts next_opts;
	struct arena *next_arena; /* holds next_opts' labels and URL */
	bool stopping;
	atomic_bool cancel;
	int64_t last_eval_ms;
	int64_t seen_wall_ms;         /* the evaluators' last look at the clock */
	int64_t seen_passed_ms;       /* clock_passed_ms() then */
	struct alert_batch **orphans; /* end of alerts whose rule is gone, to be told first */
	size_t n_orphans;

	/* evaluators (rule_threads.c) */
	pthread_cond_t idle; /* nobody is at work any more, or a helper has left */
	pthread_t threads[RULE_THREADS_MAX];
	unsigned n_threads, n_idle, n_busy;
	int64_t lead_until_ms; /* monotonic: an idle one looks at the time then; INT64_MAX: none */
	bool exclusive;        /* one changes groups or env: no other begins anything */
	struct rule_offer offers[RULE_OFFERS_MAX];
	struct rule_helpers helpers;
};

/* rules.c; with the lock held unless said */
void rules_heap_build(struct rules *r);
void rules_heap_push(struct rules *r, struct rule_group *g);
struct rule_group *rules_heap_pop(struct rules *r);
int64_t rules_slot_after(const struct rule_group *g, int64_t wall_ms);
/* How long the sources of a group need to be heard of again. */
int64_t rules_grace_ms(const struct rule_group *g);
/* Nobody else is at work. */
void rules_take_reload(struct rules *r);
void rules_tell_orphans(struct rules *r);
/* Without the lock: give a batch away; false when the sink is full. */
bool rules_tell(struct rules *r, struct alert_batch *b);

#endif
