/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app - everything that runs, wired together by agent/app.c; handlers get it as their argument.
 */
#ifndef BELFRY_AGENT_APP_H
#define BELFRY_AGENT_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/http/server.h"
#include "agent/http_client.h"
#include "agent/loop.h"
#include "agent/pool.h"
#include "exporters/notify.h"
#include "exporters/peer.h"
#include "rules/promql/select.h"
#include "rules/rules.h"
#include "storage/state.h"
#include "storage/store.h"

struct scrape;
struct statsd;
struct remote_write;
struct self_metrics;
struct graph_service;
struct heartbeats;
struct watchdog;

struct app {
	struct loop *loop;
	struct turns *turns; /* its threads */
	struct pool *query_pool, *ingest_pool;
	struct store *store;
	struct state *state;
	struct select_source source; /* the store as PromQL sees it (rules/store_source.c) */
	struct http_client *scrape_client, *notify_client;
	struct http_server *http;
	struct rules *rules;
	struct notify *notify;
	struct peers *peers;
	struct graph_service *graphs; /* of messages */
	struct scrape *scrape;
	struct statsd *statsd;             /* NULL: turned off */
	struct remote_write *remote_write; /* NULL: turned off */
	struct self_metrics *self;         /* NULL: turned off */
	struct heartbeats *heartbeats;
	struct watchdog *watchdog;
	int64_t start_wall_ms;
	_Atomic bool ready;       /* /-/ready */
	_Atomic unsigned queries; /* running now, bounded by query.max_concurrency */
	struct app_private *p;    /* app.c's own */
};

/* --- start and stop (agent/run.c) --- */
/* Opens, recovers and starts everything. ERR_INPUT: the configuration or a rule file is wrong,
 * already told on stderr with carets. */
int app_start(struct app **out, const char *config_path, const struct config_flags *flags,
	struct err *e) MUST_CHECK;
/* The loop, until SIGTERM or SIGINT. */
void app_run(struct app *app);
void app_stop(struct app *app);

/* --- configuration, any thread --- */
/* The running configuration, held until app_config_put: a reload meanwhile replaces it for others
 * only. */
const struct config *app_config_get(struct app *app);
void app_config_put(struct app *app, const struct config *c);
/* YAML of the running configuration with secrets as <secret>, in a. */
struct str app_config_yaml(struct app *app, struct arena *a);
/* How the last reload went: ok, when (Unix ms), the message (copied into a). */
struct str app_reload_status(struct app *app, struct arena *a, bool *ok, int64_t *when_ms);

/* Reload now (loop thread). Writes what happened, errors with carets included, to out; false when
 * the old configuration was kept. */
bool app_reload(struct app *app, struct buf *out);
/* Loop and both writers turned within 5 s. */
bool app_healthy(struct app *app);

#endif
