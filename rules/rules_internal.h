/* SPDX-License-Identifier: Apache-2.0 */
/* rules_internal - the manager's struct, shared by rules.c and rules_json.c only. */
#ifndef BELFRY_RULES_RULES_INTERNAL_H
#define BELFRY_RULES_RULES_INTERNAL_H

#include <stdatomic.h>

#include "rules/rule_group.h"

struct rules {
	struct rule_env env;
	struct alert_sink sink;
	struct arena env_arena; /* holds env's labels and URL */
	pthread_mutex_t lock;   /* guards all below and what groups show to the API */
	pthread_cond_t wake;
	struct rule_set *set;
	struct rule_group **groups; /* in file order */
	struct rule_group **heap;   /* by next_slot_ms; the rule thread's */
	size_t n_groups;
	struct rule_set *next_set; /* a reload waits */
	struct rules_opts next_opts;
	struct arena *next_arena; /* holds next_opts' labels and URL */
	bool stopping;
	atomic_bool cancel;
	int64_t last_eval_ms;
	int64_t seen_wall_ms;         /* the rule thread's last look at the clock */
	struct alert_batch **orphans; /* end of alerts whose rule is gone, to be told first */
	size_t n_orphans;
	pthread_t thread;
	bool running;
};

#endif
