/* SPDX-License-Identifier: Apache-2.0 */
/* app_private - what agent/app.c and agent/app_reload.c share, and nobody else sees. */
#ifndef BELFRY_AGENT_APP_PRIVATE_H
#define BELFRY_AGENT_APP_PRIVATE_H

#include <pthread.h>

#include "agent/app.h"

#define APP_STALL_MS    5000 /* a thread that did not turn for this long is not healthy */
#define APP_RETIRED_MAX 64u  /* replaced configurations that somebody still reads */

struct app_private {
	const char *config_path;
	struct config_flags flags;
	_Atomic size_t n_rules;
	struct loop_timer *watchdog;
	pthread_mutex_t lock; /* guards all below: held for pointer swaps and short copies only */
	struct config *config;
	struct config *retired[APP_RETIRED_MAX];
	size_t n_retired;
	bool reload_ok;
	int64_t reload_ms;
	char reload_msg[1024];
};

/* Read configuration and rules for the first time; errors are told on stderr. */
int app_load_first(struct app *app, struct rule_set **rules, struct err *e) MUST_CHECK;
void app_rules_opts(struct app *app, const struct config *c, struct rules_opts *o);
void app_free_configs(struct app *app);

#endif
