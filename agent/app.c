/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app - starts the parts in the order in which they need each other and stops them in reverse.
 *
 * Samples' parts (store, ingest) stand before alerts' parts (state, notify, rules), inputs come
 * last, so that nothing arrives before it can be kept. Stopping: inputs first, then rules, then
 * delivery, then the writers.
 */
#include "agent/app.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/app_private.h"
#include "agent/graph_source.h"
#include "agent/heartbeat.h"
#include "agent/ingest/remote_write.h"
#include "agent/notify_systemd.h"
#include "agent/routes.h"
#include "agent/self.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/steps.h"
#include "exporters/watchdog.h"
#include "rules/store_source.h"

#define SCRAPE_PARALLEL 256u /* transfers at once */
/* A lane that fails has one transfer under way: 256 dead receivers delay nobody. */
#define NOTIFY_PARALLEL 256u

static int start_storage(struct app *app, const struct config *c, struct err *e)
{
	if (store_open(&app->store, &c->storage, e) != 0)
		return err_wrap(e, "storage");
	if (state_open(&app->state, c->storage.dir, e) != 0)
		return err_wrap(e, "state");
	app->source = store_source(app->store);
	return 0;
}

static int start_threads(struct app *app, const struct config *c, struct err *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus > 0 ? (unsigned)MIN_OF(cpus, 16) : 1, queries;

	if (loop_new(&app->loop, e) != 0 || turns_new(&app->turns, app->loop, e) != 0)
		return -1;
	if (pool_new(&app->ingest_pool, ROLE_INGEST, n, LIMIT_POOL_QUEUE, e) != 0)
		return -1;
	/* one more query may be at work aside of the loop (start_http) */
	queries = c->query_max_concurrency > 1 ? c->query_max_concurrency - 1 : 1;
	if (pool_new(&app->query_pool, ROLE_QUERY, MIN_OF(MAX_OF(n, 2), queries), LIMIT_QUERY_QUEUE,
		    e) != 0)
		return -1;
	if (http_client_new(&app->scrape_client, "scrape", SCRAPE_PARALLEL, e) != 0)
		return -1;
	return http_client_new(&app->notify_client, "notify", NOTIFY_PARALLEL, e);
}

/* Configuration of the moment, for the thread that makes graphs. */
static void graph_settings(void *ctx, struct graph_settings *out, struct arena *a)
{
	const struct config *c = app_config_get(ctx);

	out->lookback_ms = c->query_lookback_ms;
	out->interval_ms = c->evaluation_interval_ms;
	out->experimental = c->query_experimental;
	out->external_labels = labels_copy(a, c->scrape.external_labels);
	out->external_url = arena_str(a, c->external_url);
	app_config_put(ctx, c);
}

static int start_graphs(struct app *app, struct err *e)
{
	struct graph_env env = {.source = &app->source,
		.rules = &app->rules,
		.settings = graph_settings,
		.settings_ctx = app};
	struct graph_source source;

	if (graph_service_start(&app->graphs, &env, e) != 0)
		return err_wrap(e, "graphs");
	source = graph_service_source(app->graphs);
	notify_set_graphs(app->notify, &source);
	return 0;
}

/* Every group that should have been evaluated lately was; none at all is fine. */
static bool rules_alive(void *arg, int64_t now_ms)
{
	struct app *app = arg;
	const struct config *c = app_config_get(app);
	int64_t late = MAX_OF(5 * c->evaluation_interval_ms, INT64_C(120000)), last = 0;
	size_t firing, pending;
	bool none;

	app_config_put(app, c);
	none = app->p->n_rules == 0;
	if (!none && app->rules != NULL)
		rules_summary(app->rules, &last, &firing, &pending);
	return none || now_ms - last < late;
}

static int start_watchdog(struct app *app, const struct config *c, struct err *e)
{
	struct watchdog_opts o = {.config = &c->watchdog,
		.notify = app->notify,
		.sender = http_client_sender(app->notify_client),
		.instance = c->external_url.n > 0 ? c->external_url
			    : c->n_web_listen > 0 ? c->web_listen[0]
						  : STR("local"),
		.rules_alive = rules_alive,
		.arg = app};

	return watchdog_new(&app->watchdog, app->state, &o, e);
}

static int start_alerting(
	struct app *app, const struct config *c, struct rule_set *take, struct err *e)
{
	struct rules_opts o;

	if (notify_new(&app->notify, app->state, &c->notify, http_client_sender(app->notify_client),
		    e) != 0) {
		rule_set_free(take);
		return err_wrap(e, "notifications");
	}
	if (peers_new(&app->peers, &c->peers, app->notify, http_client_sender(app->notify_client),
		    e) != 0) {
		rule_set_free(take);
		return err_wrap(e, "alertmanagers");
	}
	if (start_graphs(app, e) != 0) {
		rule_set_free(take);
		return -1;
	}
	if (start_watchdog(app, c, e) != 0) {
		rule_set_free(take);
		return err_wrap(e, "watchdog");
	}
	app_rules_opts(app, c, &o);
	if (rules_new(&app->rules, &o, take, state_db(app->state), e) != 0)
		return err_wrap(e, "rules");
	if (state_start(app->state, e) != 0)
		return err_wrap(e, "state");
	return rules_start(app->rules, e);
}

static int start_inputs(struct app *app, const struct config *c, struct err *e)
{
	if (c->remote_write_receiver && remote_write_new(&app->remote_write, app->store, e) != 0)
		return err_wrap(e, "remote write receiver");
	if (c->statsd.n_listen > 0 && statsd_start(&app->statsd, &c->statsd, app->store, e) != 0)
		return err_wrap(e, "statsd");
	if (scrape_start(&app->scrape, &c->scrape, app->loop, app->ingest_pool,
		    http_client_sender(app->scrape_client), app->store, e) != 0)
		return err_wrap(e, "scrape");
	if (heartbeats_start(&app->heartbeats, app, c->scrape_interval_ms, e) != 0)
		return -1;
	if (c->self_enabled && self_start(&app->self, app, c, e) != 0)
		return err_wrap(e, "self");
	return 0;
}

static int start_http(struct app *app, const struct config *c, struct err *e)
{
	size_t n;
	const struct http_route *table = routes(&n);
	struct http_opts o = {
		.listen = c->web_listen,
		.n_listen = c->n_web_listen,
		.external_url = c->external_url,
		.insecure = c->web_insecure,
		.query_pool = app->query_pool,
		.ingest_pool = app->ingest_pool,
		.turns = c->query_max_concurrency > 1 ? app->turns : NULL,
		.arg = app,
	};

	if (http_server_new(&app->http, app->loop, &o, table, n, e) != 0)
		return err_wrap(e, "web");
	return 0;
}

static void on_stop_signal(int signo, void *arg)
{
	struct app *app = arg;

	log_info("main", "msg=\"stopping\" signal=%d", signo);
	systemd_notify("STOPPING=1");
	loop_stop(app->loop);
}

static void on_reload_signal(int signo, void *arg)
{
	struct buf out;

	(void)signo;
	buf_init(&out, (size_t)1 << 20);
	(void)app_reload(arg, &out); /* says in log and metric how it went */
	buf_fini(&out);
}

static void on_watchdog(void *arg)
{
	if (app_healthy(arg))
		systemd_notify("WATCHDOG=1");
}

static int watch_signals(struct app *app, struct err *e)
{
	int64_t watchdog = systemd_watchdog_ms();

	if (loop_on_signal(app->loop, SIGTERM, on_stop_signal, app, e) != 0 ||
		loop_on_signal(app->loop, SIGINT, on_stop_signal, app, e) != 0 ||
		loop_on_signal(app->loop, SIGHUP, on_reload_signal, app, e) != 0)
		return -1;
	if (watchdog > 0) {
		app->p->watchdog = loop_timer_new(app->loop, on_watchdog, app);
		loop_timer_set(app->p->watchdog, watchdog, watchdog);
	}
	return 0;
}

static int start_parts(
	struct app *app, const struct config *c, struct rule_set *take, struct err *e)
{
	if (start_storage(app, c, e) != 0 || start_threads(app, c, e) != 0) {
		rule_set_free(take);
		return -1;
	}
	if (start_alerting(app, c, take, e) != 0 || start_inputs(app, c, e) != 0 ||
		start_http(app, c, e) != 0)
		return -1;
	return watch_signals(app, e);
}

int app_start(
	struct app **out, const char *config_path, const struct config_flags *flags, struct err *e)
{
	struct app *app = calloc(1, sizeof *app);
	struct app_private *p = calloc(1, sizeof *p);
	struct rule_set *rs;
	char status[128];

	if (app == NULL || p == NULL) {
		free(app);
		free(p);
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	}
	app->p = p;
	app->start_wall_ms = clock_wall_ms();
	(void)pthread_mutex_init(&p->lock, NULL);
	p->config_path = config_path;
	p->flags = *flags;
	self_process_metrics(app);
	if (app_load_first(app, &rs, e) != 0 || start_parts(app, p->config, rs, e) != 0) {
		app_stop(app);
		return -1;
	}
	atomic_store(&app->ready, true);
	log_info("main", "msg=\"ready\" port=%d rules=%zu start_ms=%lld",
		http_server_port(app->http), p->n_rules,
		(long long)(clock_wall_ms() - app->start_wall_ms));
	(void)snprintf(status, sizeof status, "READY=1\nSTATUS=ready on port %d, %zu rules\n",
		http_server_port(app->http), p->n_rules);
	systemd_notify(status);
	*out = app;
	return 0;
}

void app_run(struct app *app)
{
	role_enter(ROLE_LOOP);
	turns_run(app->turns);
}

void app_stop(struct app *app)
{
	atomic_store(&app->ready, false);
	steps_stop();
	/* inputs: no new work comes in, what came in is finished */
	loop_timer_free(app->p->watchdog);
	self_stop(app->self);
	http_server_free(app->http);
	heartbeats_stop(app->heartbeats);
	if (app->watchdog != NULL)
		watchdog_stop(app->watchdog);
	if (app->scrape != NULL)
		scrape_stop(app->scrape);
	if (app->statsd != NULL)
		statsd_stop(app->statsd);
	http_client_free(app->scrape_client);
	pool_free(app->ingest_pool);
	pool_free(app->query_pool);
	turns_free(app->turns);
	/* rules, then what they feed */
	if (app->rules != NULL)
		rules_stop(app->rules);
	if (app->peers != NULL)
		peers_stop(app->peers);
	if (app->notify != NULL)
		notify_quiesce(app->notify);
	graph_service_stop(app->graphs);
	http_client_free(app->notify_client);
	if (app->state != NULL)
		state_stop(app->state);
	graph_service_free(app->graphs);
	rules_free(app->rules);
	peers_free(app->peers);
	watchdog_free(app->watchdog);
	notify_free(app->notify);
	remote_write_free(app->remote_write);
	if (app->store != NULL)
		store_close(app->store);
	state_free(app->state);
	loop_free(app->loop);
	app_free_configs(app);
	(void)pthread_mutex_destroy(&app->p->lock);
	free(app->p);
	free(app);
}

bool app_healthy(struct app *app)
{
	int64_t now = clock_real_ns() / 1000000;

	return now - loop_tick_mono_ms(app->loop) < APP_STALL_MS &&
	       now - store_tick_mono_ms(app->store) < APP_STALL_MS &&
	       now - state_tick_mono_ms(app->state) < APP_STALL_MS;
}
