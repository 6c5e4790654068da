/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_source - finds out what an alert's value did of late, for the message about it: range
 * queries over the compared side of the rule's expression, narrowed to the alert's labels, and the
 * top offenders (annotation belfry_top).
 *
 * One thread of its own (role query): a burst of messages costs the API's queries nothing and waits
 * behind none of them. A request runs until its own deadline at most, so that each is answered in
 * time whatever stands before it; more than LIMIT_GRAPHS_WAITING of them are refused.
 */
#ifndef BELFRY_AGENT_GRAPH_SOURCE_H
#define BELFRY_AGENT_GRAPH_SOURCE_H

#include "base/err.h"
#include "exporters/graph.h"
#include "rules/promql/select.h"

struct rules;
struct graph_service;

/* Configuration of the moment. */
struct graph_settings {
	int64_t lookback_ms, interval_ms;
	bool experimental;
	struct labels external_labels;
	struct str external_url;
};

/* What a request is answered from. Pointers stay the caller's until graph_service_stop. */
struct graph_env {
	const struct select_source *source;
	struct rules *const *rules; /* NULL, or *rules NULL: rules are not known; no belfry_top */
	/* configuration of the moment; any thread. NULL: defaults */
	void (*settings)(void *ctx, struct graph_settings *out, struct arena *a);
	void *settings_ctx;
};
int graph_service_start(
	struct graph_service **out, const struct graph_env *env, struct err *e) MUST_CHECK;
/* Answers what waits (with nothing), then ends the thread; what is asked later is refused. NULL is
 * fine. */
void graph_service_stop(struct graph_service *s);
/* When nobody can ask any more. NULL is fine. */
void graph_service_free(struct graph_service *s);
struct graph_source graph_service_source(struct graph_service *s);

/* One request, at once: what the thread does. NULL when there is nothing to show. */
struct graph_answer *graph_answer_make(const struct graph_env *env, struct str spec, int64_t now_ms,
	bool want_png, int64_t deadline_mono_ms);

#endif
