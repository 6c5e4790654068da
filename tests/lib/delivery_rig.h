/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery_rig - the notifier under an injected clock, against receivers that answer as a table
 * says: a and b are webhooks, c and d Slack, d at c's URL. Alerts go to the one their label `to`
 * names, to a otherwise.
 */
#ifndef BELFRY_TESTS_LIB_DELIVERY_RIG_H
#define BELFRY_TESTS_LIB_DELIVERY_RIG_H

#include "exporters/notify.h"
#include "storage/state.h"

#define DELIVERY_TAKEN_MAX 512u
#define SECOND             INT64_C(1000)
#define MINUTE             INT64_C(60000)

/* What came, on the state writer's thread; the test reads while that one waits. */
struct delivery_taken {
	char place[32]; /* last part of the URL */
	char *body;
	char id[80];
	int64_t at_ms;
	int status;
};

struct delivery_rig {
	struct state *state;
	struct notify *notify;
};

extern struct delivery_taken delivery_taken[DELIVERY_TAKEN_MAX];
extern size_t delivery_n_taken;
extern int64_t delivery_now_ms;
/* Changed before delivery_start. */
extern struct receiver_config delivery_receivers[4];
extern struct notify_config delivery_config;
/* A source of graphs that answers when the test says so. */
extern bool delivery_with_graphs;
extern size_t delivery_n_asked;
void delivery_answer_graph(void); /* the last one asked for: there is none */

/* Fixture. */
void delivery_setup(void);
void delivery_teardown(void);

void delivery_start(struct delivery_rig *r);
void delivery_stop(struct delivery_rig *r);
/* The state writer does what was posted and what is due now. */
void delivery_settle(struct delivery_rig *r);
/* Time passes, step by step. */
void delivery_pass(struct delivery_rig *r, int64_t ms, int64_t step);
/* An alert begins or ends; 20 ms pass. */
void delivery_say(struct delivery_rig *r, const char *name, const char *instance, const char *to,
	bool firing);
/* From now on this place answers so. */
void delivery_plan(size_t slot, const char *place, int status, int64_t retry_after_ms);
/* Attempts at a place; status 0: any; text: that its body holds, NULL: any. */
size_t delivery_count(const char *place, int status, const char *text);
const struct delivery_taken *delivery_last(const char *place);

#endif
