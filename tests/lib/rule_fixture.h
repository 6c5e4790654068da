/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_fixture - one rule group over virtual minutes, on a real store in a fresh directory. Any
 * failure ends the test.
 */
#ifndef BELFRY_TESTS_LIB_RULE_FIXTURE_H
#define BELFRY_TESTS_LIB_RULE_FIXTURE_H

#include "rules/rule_group.h"
#include "storage/state.h"
#include "storage/store.h"

#define MIN 60000

struct rule_fixture {
	char dir[64], file[96];
	struct store *store;
	struct select_source real, source;
	bool break_queries; /* from now on every query fails */
	pthread_mutex_t lock;
	struct rule_env env;
	struct rule_set *rs;
	struct rule_group *g;
	struct alert_batch *batch; /* of the last evaluation */
	struct arena arena;
	struct state *state; /* NULL until rf_open_state */
};
extern struct rule_fixture rf;

void rf_setup(void);
void rf_teardown(void);
/* The rules of one group called g; rf_begin makes it rf.g. */
struct rule_set *rf_load(const char *rules);
void rf_begin(const char *rules);
/* Values of a series from minute `from` on, one a minute. */
void rf_feed(const char *series, int from, const char *values);
/* Evaluate at a minute; what is told stays in rf.batch. */
void rf_eval_untold(int minute);
void rf_eval(int minute);
/* The only event of the last evaluation. */
const struct alert_event *rf_event(void);
void rf_transition(int minute, enum alert_state from, enum alert_state to);
/* What an expression gives at a minute: "" or its only value. */
const char *rf_ask(const char *expr, double minute);
/* state.db in the directory; rf_store saves the last batch, rf_restart is a new process with the
 * same rules: the group knows what was stored. */
void rf_open_state(void);
void rf_store(void);
void rf_restart(int64_t hold_until_ms);

#endif
