/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog - beats of the dead man's switch; see watchdog.h. */
#include "exporters/watchdog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

#define OFF_MS     10000 /* how often a configuration that came meanwhile is looked for */
#define TIMEOUT_MS 10000

struct watchdog {
	struct notify *notify;
	struct sender sender;
	bool (*rules_alive)(void *arg, int64_t now_ms);
	void *arg;
	char *instance;
	pthread_mutex_t lock; /* guards the four below: replaced by a reload */
	char *url, *authorization;
	int64_t interval_ms, max_wait_ms;
	int64_t next_mono_ms;  /* state writer */
	bool due;              /* state writer: this turn's commit is to be followed by a beat */
	atomic_bool in_flight; /* cleared on the client's thread */
	bool held;             /* state writer: the last beat was held back (logged once) */
	struct metric *sent, *failed, *held_rules, *held_delivery, *last;
};

static char *copy(struct str s)
{
	char *p = str_dup_c(s.n > 0 ? s : STR(""));

	p = p != NULL ? p : calloc(1, 1); /* a NUL inside: as if it were not there */
	ASSERT(p != NULL);
	return p;
}

/* --- may it beat? --- */

static bool delivery_works(const struct watchdog *w, int64_t max_wait_ms, int64_t now_ms)
{
	for (const struct lane *l = w->notify->lanes; max_wait_ms > 0 && l != NULL; l = l->next) {
		if (l->first != NULL && now_ms - l->first->since_ms > max_wait_ms)
			return false;
	}
	return true;
}

static bool may_beat(struct watchdog *w, int64_t max_wait_ms, int64_t now_ms)
{
	const char *why = NULL;

	if (!w->rules_alive(w->arg, now_ms)) {
		metric_inc(w->held_rules);
		why = "rules are not evaluated";
	} else if (!delivery_works(w, max_wait_ms, now_ms)) {
		metric_inc(w->held_delivery);
		why = "a message waits too long for its receiver";
	}
	if (why != NULL && !w->held)
		log_error("watchdog", "msg=\"no beat is sent\" reason=\"%s\"", why);
	w->held = why != NULL;
	return why == NULL;
}

/* --- sending --- */

static void on_done(struct send_request *req, void *arg)
{
	struct watchdog *w = arg;
	bool ok = req->transport_ok && req->status >= 200 && req->status < 300;

	metric_inc(ok ? w->sent : w->failed);
	if (ok)
		metric_set(w->last, (double)clock_wall_ms() / 1000);
	else
		log_warn("watchdog", "msg=\"the beat was not taken\" status=%d error=\"%s\"",
			req->status, req->error);
	send_request_free(req);
	atomic_store(&w->in_flight, false);
}

static char *beat_body(const struct watchdog *w, int64_t now_ms, size_t *n)
{
	struct jsonw j;
	struct buf b;

	buf_init(&b, 4096);
	jsonw_init(&j, &b);
	jsonw_object(&j);
	jsonw_kv_str(&j, "status", STR("alive"));
	jsonw_kv_str(&j, "instance", str_c(w->instance));
	jsonw_kv_i64(&j, "time_ms", now_ms);
	jsonw_object_end(&j);
	return buf_take(&b, n);
}

/* Under the lock. NULL: off. */
static struct send_request *beat_locked(const struct watchdog *w, int64_t now_ms)
{
	struct send_request *req;

	if (w->url[0] == '\0')
		return NULL;
	req = send_request_new(SEND_HTTP);
	req->url = copy(str_c(w->url));
	if (w->authorization[0] != '\0')
		(void)send_request_header(req, STR("Authorization"), str_c(w->authorization));
	(void)send_request_header(req, STR("Content-Type"), STR("application/json"));
	req->body = beat_body(w, now_ms, &req->body_len);
	req->timeout_ms = TIMEOUT_MS;
	return req;
}

/* Handed over under the lock, so that none is after watchdog_stop. */
static void send_locked(struct watchdog *w, int64_t now_ms)
{
	struct send_request *req = beat_locked(w, now_ms);

	if (req == NULL || !may_beat(w, w->max_wait_ms, now_ms)) {
		send_request_free(req);
		return;
	}
	req->on_done = on_done;
	req->arg = w;
	atomic_store(&w->in_flight, true);
	if (w->sender.submit(w->sender.ctx, req))
		return;
	atomic_store(&w->in_flight, false);
	metric_inc(w->failed);
	send_request_free(req);
}

/* --- a module of the state writer --- */

static int64_t next(void *arg)
{
	return ((struct watchdog *)arg)->next_mono_ms;
}

static int tick(void *arg, sqlite3 *db, struct err *e)
{
	struct watchdog *w = arg;
	sqlite3_stmt *st;
	int rc;

	if (clock_mono_ms() < w->next_mono_ms)
		return 0;
	(void)pthread_mutex_lock(&w->lock);
	w->due = w->url[0] != '\0';
	(void)pthread_mutex_unlock(&w->lock);
	if (!w->due)
		return 0;
	if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO watchdog(id, beat_ms) VALUES(0, ?1)", -1,
		    &st, NULL) != SQLITE_OK)
		return err_set(e, ERR_IO, sqlite3_errcode(db), "watchdog: %s", sqlite3_errmsg(db));
	(void)sqlite3_bind_int64(st, 1, clock_wall_ms());
	rc = sqlite3_step(st);
	(void)sqlite3_finalize(st);
	if (rc != SQLITE_DONE)
		return err_set(e, ERR_IO, rc, "watchdog: %s", sqlite3_errmsg(db));
	return 0;
}

static void committed(void *arg)
{
	struct watchdog *w = arg;
	int64_t mono = clock_mono_ms();

	if (mono < w->next_mono_ms)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->next_mono_ms = mono + (w->due ? w->interval_ms : OFF_MS);
	if (w->due && !atomic_load(&w->in_flight))
		send_locked(w, clock_wall_ms());
	w->due = false;
	(void)pthread_mutex_unlock(&w->lock);
}

/* --- life --- */

void watchdog_reload(struct watchdog *w, const struct watchdog_config *c)
{
	char *url = copy(c->url), *authorization = copy(c->authorization);

	(void)pthread_mutex_lock(&w->lock);
	free(w->url);
	if (w->authorization != NULL)
		explicit_bzero(w->authorization, strlen(w->authorization));
	free(w->authorization);
	w->url = url;
	w->authorization = authorization;
	w->interval_ms = c->interval_ms;
	w->max_wait_ms = c->max_wait_ms;
	(void)pthread_mutex_unlock(&w->lock);
}

void watchdog_stop(struct watchdog *w)
{
	watchdog_reload(w, &(struct watchdog_config){.interval_ms = OFF_MS});
}

int watchdog_new(
	struct watchdog **out, struct state *s, const struct watchdog_opts *o, struct err *e)
{
	struct watchdog *w = calloc(1, sizeof *w);

	if (w == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	w->notify = o->notify;
	w->sender = o->sender;
	w->rules_alive = o->rules_alive;
	w->arg = o->arg;
	w->instance = copy(o->instance);
	(void)pthread_mutex_init(&w->lock, NULL);
	watchdog_reload(w, o->config);
	w->next_mono_ms = clock_mono_ms() + MIN_OF(o->config->interval_ms, OFF_MS);
	w->sent = metric_counter("belfry_watchdog_sent_total", "Beats that were taken.", NULL);
	w->failed =
		metric_counter("belfry_watchdog_failed_total", "Beats that were not taken.", NULL);
	w->held_rules = metric_counter("belfry_watchdog_held_total",
		"Beats that were not sent because something stands still.", "reason=\"rules\"");
	w->held_delivery = metric_counter("belfry_watchdog_held_total",
		"Beats that were not sent because something stands still.", "reason=\"delivery\"");
	w->last = metric_gauge("belfry_watchdog_last_success_timestamp_seconds",
		"When the last beat was taken.", NULL);
	state_add_module(s, &(struct state_module){next, tick, committed, w});
	*out = w;
	return 0;
}

void watchdog_free(struct watchdog *w)
{
	if (w == NULL)
		return;
	free(w->url);
	free(w->authorization);
	free(w->instance);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
}
