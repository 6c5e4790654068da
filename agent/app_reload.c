/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_reload - loads the configuration, at start and again while running. A bad one changes
 * nothing: the old one goes on, and answer, log, metric and page say so. Keys that cannot change
 * live are named.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/app_private.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "exporters/watchdog.h"

static void load_metrics(bool ok, int64_t now_ms)
{
	metric_set(metric_gauge("belfry_config_last_reload_successful",
			   "Whether the last load of the configuration succeeded.", NULL),
		ok ? 1 : 0);
	if (ok)
		metric_set(metric_gauge("belfry_config_last_reload_success_timestamp_seconds",
				   "When the configuration was last loaded.", NULL),
			(double)now_ms / 1000);
}

static void note_result(struct app *app, bool ok, struct str msg)
{
	struct app_private *p = app->p;
	int64_t now = clock_wall_ms();

	load_metrics(ok, now);
	(void)pthread_mutex_lock(&p->lock);
	p->reload_ok = ok;
	p->reload_ms = now;
	(void)snprintf(p->reload_msg, sizeof p->reload_msg, "%.*s",
		(int)(msg.n < sizeof p->reload_msg ? msg.n : sizeof p->reload_msg - 1), msg.p);
	(void)pthread_mutex_unlock(&p->lock);
}

/* Configuration and rule files together; all their errors in d. */
static struct config *load(
	const struct app *app, struct diag *d, struct arena *scratch, struct rule_set **rules)
{
	struct config *c = config_load(app->p->config_path, &app->p->flags, d);

	*rules = NULL;
	if (c == NULL)
		return NULL;
	*rules = rule_set_load_with(c->rule_files, c->n_rule_files, c->packs, c->n_packs,
		c->query_experimental, d, scratch);
	if (*rules != NULL)
		return c;
	config_free(c);
	return NULL;
}

int app_load_first(struct app *app, struct rule_set **rules, struct err *e)
{
	struct arena scratch;
	struct diag *d;
	struct buf text;
	int rc = 0;

	arena_init(&scratch, LIMIT_CONFIG_BYTES);
	buf_init(&text, (size_t)1 << 20);
	d = diag_new(&scratch);
	app->p->config = load(app, d, &scratch, rules);
	diag_print(d, &text);
	if (text.n > 0)
		(void)fwrite(text.p, 1, text.n, stderr);
	if (app->p->config == NULL)
		rc = err_set(e, ERR_INPUT, 0, "%s: not started, %zu error%s", app->p->config_path,
			diag_errors(d), diag_errors(d) == 1 ? "" : "s");
	else
		app->p->n_rules = rule_set_count(*rules);
	note_result(app, rc == 0, diag_first(d));
	buf_fini(&text);
	arena_fini(&scratch);
	return rc;
}

void app_rules_opts(struct app *app, const struct config *c, struct rules_opts *o)
{
	*o = (struct rules_opts){
		.store = app->store,
		.source = &app->source,
		.sink = peers_sink(app->peers, notify_sink(app->notify)),
		.external_labels = c->scrape.external_labels,
		.external_url = c->external_url,
		.evaluation_interval_ms = c->evaluation_interval_ms,
		.lookback_ms = c->query_lookback_ms,
		.query_offset_ms = c->rule_query_offset_ms,
		.slot_unit_ms = c->scrape.slot_unit_ms,
		.max_samples = c->query_max_samples,
		.max_memory = c->query_max_memory,
		.experimental = c->query_experimental,
	};
}

/* Free what was replaced and is no longer read. */
static void sweep_locked(struct app_private *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_retired; i++) {
		if (p->retired[i]->refs == 0)
			config_free(p->retired[i]);
		else
			p->retired[kept++] = p->retired[i];
	}
	p->n_retired = kept;
}

static void apply(struct app *app, struct config *c, struct rule_set *take)
{
	struct app_private *p = app->p;
	struct rules_opts o;

	p->n_rules = rule_set_count(take);
	store_reconfigure(app->store, &c->storage);
	notify_reload(app->notify, &c->notify);
	peers_reload(app->peers, &c->peers);
	watchdog_reload(app->watchdog, &c->watchdog);
	app_rules_opts(app, c, &o);
	rules_reload(app->rules, take, &o);
	scrape_reload(app->scrape, &c->scrape);
	(void)pthread_mutex_lock(&p->lock);
	p->retired[p->n_retired++] = p->config;
	p->config = c;
	sweep_locked(p);
	(void)pthread_mutex_unlock(&p->lock);
}

static bool refuse(struct app *app, struct buf *out, struct str why)
{
	char q[LOG_Q_MAX];

	note_result(app, false, why);
	log_error("config", "msg=\"reload failed, the running configuration was kept\" error=%s",
		log_q(q, why));
	buf_c(out, "The running configuration was kept.\n");
	return false;
}

bool app_reload(struct app *app, struct buf *out)
{
	struct app_private *p = app->p;
	struct rule_set *rs;
	struct arena scratch;
	struct config *c;
	struct buf fixed;
	struct diag *d;
	bool ok;

	if (p->n_retired == APP_RETIRED_MAX)
		return refuse(
			app, out, STR("too many replaced configurations are still being read"));
	arena_init(&scratch, LIMIT_CONFIG_BYTES);
	buf_init(&fixed, 4096);
	d = diag_new(&scratch);
	c = load(app, d, &scratch, &rs);
	diag_print(d, out);
	ok = c != NULL;
	if (!ok) {
		(void)refuse(app, out, diag_first(d));
	} else {
		config_fixed_changes(p->config, c, &fixed);
		apply(app, c, rs);
		note_result(app, true, buf_view(&fixed));
		buf_c(out, "Configuration reloaded.\n");
		if (fixed.n > 0)
			buf_printf(out, "These changes need a restart: %s\n", fixed.p);
		log_info("config",
			"msg=\"configuration reloaded\" rules=%zu restart_needed_for=\"%s\"",
			p->n_rules, fixed.n > 0 ? fixed.p : "");
	}
	buf_fini(&fixed);
	arena_fini(&scratch);
	return ok;
}

const struct config *app_config_get(struct app *app)
{
	struct config *c;

	(void)pthread_mutex_lock(&app->p->lock);
	c = app->p->config;
	c->refs++;
	(void)pthread_mutex_unlock(&app->p->lock);
	return c;
}

void app_config_put(struct app *app, const struct config *c)
{
	struct app_private *p = app->p;

	(void)pthread_mutex_lock(&p->lock);
	if (c == p->config) {
		p->config->refs--;
	} else {
		for (size_t i = 0; i < p->n_retired; i++) {
			if (p->retired[i] == c)
				p->retired[i]->refs--;
		}
		sweep_locked(p);
	}
	(void)pthread_mutex_unlock(&p->lock);
}

struct str app_config_yaml(struct app *app, struct arena *a)
{
	const struct config *c = app_config_get(app);
	struct buf b;
	struct str s;

	buf_init(&b, LIMIT_CONFIG_BYTES);
	config_print(c, &b);
	app_config_put(app, c);
	s = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return s;
}

struct str app_reload_status(struct app *app, struct arena *a, bool *ok, int64_t *when_ms)
{
	struct app_private *p = app->p;
	struct str s;

	(void)pthread_mutex_lock(&p->lock);
	*ok = p->reload_ok;
	*when_ms = p->reload_ms;
	s = arena_str(a, str_c(p->reload_msg));
	(void)pthread_mutex_unlock(&p->lock);
	return s;
}

void app_free_configs(struct app *app)
{
	struct app_private *p = app->p;

	for (size_t i = 0; i < p->n_retired; i++)
		config_free(p->retired[i]);
	config_free(p->config);
	p->n_retired = 0;
	p->config = NULL;
}
