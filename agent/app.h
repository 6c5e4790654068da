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
#include "rules/promql/select.h"
#include "rules/rules.h"
#include "storage/state.h"
#include "storage/store.h"

struct scrape;
struct statsd;
struct remote_write;
struct self_metrics;

struct app {
	struct config
		*config; /* the running one; loop thread replaces it, others copy what they need */
	struct loop *loop;
	struct pool *query_pool, *ingest_pool;
	struct store *store;
	struct state *state;
	struct select_source source; /* the store as PromQL sees it (agent/store_source.c) */
	struct http_client *scrape_client, *notify_client;
	struct http_server *http;
	struct rules *rules;
	struct notify *notify;
	struct scrape *scrape;
	struct statsd *statsd;
	struct remote_write *remote_write;
	struct self_metrics *self;
	int64_t start_wall_ms;
	_Atomic bool ready; /* /-/ready */
	/* the last reload, for metric, page and /api/v1/status/runtimeinfo; guarded by config_lock
	 * in app.c */
	bool reload_ok;
	int64_t reload_ms;
	char reload_msg[1024];
};

/* Reload now (loop thread). Writes what happened, errors with carets included, to out; false when
 * the old one was kept. */
bool app_reload(struct app *app, struct buf *out);
/* YAML of the running configuration with secrets as <secret>. Any thread; copied into a. */
struct str app_config_yaml(struct app *app, struct arena *a);
bool app_healthy(struct app *app);

#endif
