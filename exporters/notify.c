/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - the notifier as a module of the state writer; see notify.h and notify_internal.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/seam.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"

/* --- module hooks --- */

static bool anything_dirty(const struct notify *n)
{
	return n->dirty_groups != NULL || n->dirty_rows != NULL || n->dirty_threads != NULL ||
	       n->dirty_incidents != NULL || n->silences.dirty != NULL || n->alerts.dirty != NULL ||
	       n->seq_dirty || history_dirty(n->history);
}

static int64_t on_next(void *arg)
{
	const struct notify *n = arg;

	return anything_dirty(n) ? 0 : n->due_mono_ms;
}

/* What the time alone changes. Repeatable: what was done is not due again. */
static void follow_clock(struct notify *n)
{
	if (heap_key(&n->expiries) <= clock_mono_ms())
		external_expire(n);
	if (n->silences.due_wall_ms <= clock_wall_ms())
		suppress_silences(n);
	if (n->minute_mono_ms <= clock_mono_ms())
		suppress_minute(n);
}

static int on_tick(void *arg, sqlite3 *db, struct err *e)
{
	struct notify *n = arg;

	follow_clock(n);
	flush_due_groups(n);
	escalate_due(n);
	return notify_store_write(n, db, e);
}

static void on_committed(void *arg)
{
	struct notify *n = arg;
	bool confirmed = n->dirty_rows != NULL;

	notify_store_committed(n);
	if (confirmed)
		SEAM_CRASH("outbox.confirmed");
	outbox_pump(n);
	group_update_due(n);
}

/* --- evaluations --- */

struct batch_job {
	struct state_job job;
	struct notify *n;
	struct alert_batch *batch;
	bool applied;
};

static int run_batch(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct batch_job *bj = job->arg;

	if (bj->batch->changed && alert_store_save(db, bj->batch, e) != 0)
		return -1;
	if (!bj->applied) { /* memory is changed once, however often the transaction is tried */
		history_batch(bj->n, bj->batch);
		event_apply(bj->n, bj->batch);
	}
	bj->applied = true;
	return 0;
}

static void batch_free_job(struct state_job *job)
{
	struct batch_job *bj = job->arg;

	SEAM_CRASH("eval.committed");
	if (job->failed) { /* refused for another reason than the disk: a damaged file */
		METRIC_DROP("notify", "evaluation_not_stored", bj->batch->n);
		log_error("notify", "msg=\"an evaluation's alerts were not stored\" error=\"%s\"",
			job->err.msg);
		if (!bj->applied) /* they are told all the same: rules do not repeat them */
			event_apply(bj->n, bj->batch);
	}
	alert_batch_free(bj->batch);
	free(bj);
}

static bool on_submit(void *ctx, struct alert_batch *b)
{
	struct notify *n = ctx;
	struct batch_job *bj = calloc(1, sizeof *bj);

	ASSERT(bj != NULL);
	*bj = (struct batch_job){
		.job = {.run = run_batch, .done = batch_free_job, .arg = bj}, .n = n, .batch = b};
	if (state_post(n->state, &bj->job))
		return true;
	free(bj);
	return false;
}

struct alert_sink notify_sink(struct notify *n)
{
	return (struct alert_sink){.ctx = n, .compact = true, .submit = on_submit};
}

/* --- life --- */

static void use_config(struct notify *n, const struct notify_config *cfg)
{
	arena_fini(&n->route_arena);
	arena_init(&n->route_arena, LIMIT_CONFIG_BYTES);
	n->cfg = cfg;
	route_table_init(&n->routes, &n->route_arena, cfg);
	outbox_use_config(n);
	suppress_config(n);
}

int notify_new(struct notify **out, struct state *state, const struct notify_config *cfg,
	struct sender sender, struct err *e)
{
	struct notify *n = calloc(1, sizeof *n);
	struct state_module module = {
		.next = on_next, .tick = on_tick, .committed = on_committed, .arg = n};

	if (n == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	n->state = state;
	n->sender = sender;
	n->groups_gauge = metric_gauge("belfry_notify_groups", "Alert groups known.", NULL);
	n->outbox_gauge =
		metric_gauge("belfry_notify_outbox_rows", "Messages in the outbox.", NULL);
	n->expired_total = metric_counter(
		"belfry_notify_expired_total", "Messages that expired undelivered.", NULL);
	n->invalid_total = metric_counter(
		"belfry_notify_unrenderable_total", "Messages that could not be rendered.", NULL);
	n->escalated_total = metric_counter(
		"belfry_notify_escalated_total", "Steps of escalation that were told.", NULL);
	n->fallback_total = metric_counter("belfry_notify_fallback_total",
		"Messages told to another receiver because theirs could not take them.", NULL);
	metric_set(metric_gauge("belfry_notify_outbox_rows_limit",
			   "Most messages the outbox holds.", NULL),
		LIMIT_OUTBOX_ROWS);
	arena_init(&n->route_arena, LIMIT_CONFIG_BYTES);
	map_init(&n->groups);
	map_init(&n->rows);
	map_init(&n->linked);
	map_init(&n->incidents);
	map_init(&n->threads);
	heap_init(&n->due);
	heap_init(&n->steps);
	heap_init(&n->expiries);
	live_alerts_init(&n->alerts);
	silence_set_init(&n->silences);
	use_config(n, cfg);
	n->loading = true;
	if (history_new(&n->history, state_db(state), e) != 0 || notify_store_load(n, e) != 0) {
		notify_free(n);
		return -1;
	}
	if (n->routes.n > 0)
		group_reroute(n);
	suppress_load(n);
	n->loading = false;
	n->due_mono_ms = 0; /* the first tick looks at everything that was loaded */
	state_add_module(state, &module);
	*out = n;
	return 0;
}

void notify_set_graphs(struct notify *n, const struct graph_source *source)
{
	n->graphs = *source;
}

struct reload_job {
	struct state_job job;
	struct notify *n;
	const struct notify_config *cfg;
};

static int run_reload(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct reload_job *rj = job->arg;

	(void)db;
	(void)e;
	use_config(rj->n, rj->cfg);
	group_reroute(rj->n);
	incident_replan(rj->n);
	suppress_load(rj->n);
	return 0;
}

void notify_reload(struct notify *n, const struct notify_config *cfg)
{
	struct reload_job rj = {.n = n, .cfg = cfg};
	struct err e;

	rj.job.run = run_reload;
	rj.job.arg = &rj;
	while (state_ask(n->state, &rj.job, &e) != 0) {
		log_warn("notify", "msg=\"reload waits for the state writer\" error=\"%s\"", e.msg);
		(void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

void notify_quiesce(struct notify *n)
{
	atomic_store(&n->quiet, true);
}

void notify_free(struct notify *n)
{
	struct group *g, **groups;
	size_t pos = 0, count = 0;

	if (n == NULL)
		return;
	notify_store_close(n);
	suppress_free(n);
	groups = malloc((n->groups.n + 1) * sizeof(struct group *));
	ASSERT(groups != NULL);
	while ((g = map_each(&n->groups, &pos)) != NULL)
		groups[count++] = g;
	for (size_t i = 0; i < count; i++)
		group_free(n, groups[i]);
	free(groups);
	map_fini(&n->groups);
	live_alerts_fini(&n->alerts);
	heap_fini(&n->due);
	heap_fini(&n->expiries);
	outbox_free(n);
	incident_free_all(n);
	heap_fini(&n->steps);
	history_free(n->history);
	arena_fini(&n->route_arena);
	free(n);
}

/* --- status --- */

static int write_rows(struct jsonw *j, sqlite3 *db, const char *sql, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, sql, e) != 0)
		return -1;
	jsonw_array(j);
	while ((rc = db_step_row(st, "read messages", e)) > 0) {
		int kind = sqlite3_column_int(st, 3);

		jsonw_object(j);
		jsonw_key(j, "time");
		jsonw_rfc3339(j, sqlite3_column_int64(st, 0));
		jsonw_kv_str(j, "id", db_column_str(st, 1));
		jsonw_kv_str(j, "receiver", db_column_str(st, 2));
		jsonw_kv_c(j, "integration", integration_name((enum integration_kind)kind));
		jsonw_kv_str(j, "title", db_column_str(st, 4));
		jsonw_kv_str(j, "state", db_column_str(st, 5));
		jsonw_kv_i64(j, "attempts", sqlite3_column_int64(st, 6));
		jsonw_kv_str(j, "error", db_column_str(st, 7));
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* "ok"; "failing": attempts are repeated; "held": it asked for a pause. */
static void lane_json(struct jsonw *j, const struct lane *l)
{
	int64_t now = clock_mono_ms(), until = MAX_OF(l->hold_mono_ms, l->closed_mono_ms);
	const char *state = l->closed_mono_ms > now ? "held" : l->failures > 0 ? "failing" : "ok";

	jsonw_kv_c(j, "state", state);
	jsonw_kv_i64(j, "failures", l->failures);
	jsonw_key(j, "nextAttempt");
	if (until > now && l->first != NULL)
		jsonw_rfc3339(j, clock_wall_ms() + until - now);
	else
		jsonw_null(j);
}

/* Destinations are read on the state writer, where they live. */
struct status_job {
	struct state_job job;
	struct notify *n;
	struct jsonw *j;
};

static int run_status(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct status_job *sj = job->arg;
	struct jsonw *j = sj->j;

	(void)db;
	(void)e;
	jsonw_key(j, "receivers");
	jsonw_array(j);
	for (const struct dest *d = sj->n->dests; d != NULL; d = d->next) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", d->receiver);
		jsonw_kv_c(j, "integration", integration_name(d->kind));
		jsonw_kv_i64(j, "index", (int64_t)d->index);
		jsonw_key(j, "lastSuccess");
		if (d->last_success_ms > 0)
			jsonw_rfc3339(j, d->last_success_ms);
		else
			jsonw_null(j);
		jsonw_kv_i64(j, "queued", d->waiting);
		jsonw_kv_i64(j, "inFlight", d->in_flight);
		jsonw_kv_i64(j, "failed", (int64_t)d->failed);
		jsonw_kv_c(j, "lastError", d->last_error);
		lane_json(j, d->lane);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	return 0;
}

int notify_status_json(struct notify *n, struct buf *out, struct err *e)
{
	struct jsonw j;
	struct status_job sj = {.n = n, .j = &j};
	sqlite3 *db;
	int rc;

	sj.job.run = run_status;
	sj.job.arg = &sj;
	jsonw_init(&j, out);
	jsonw_object(&j);
	if (state_ask(n->state, &sj.job, e) != 0 || state_reader(n->state, &db, e) != 0)
		return -1;
	jsonw_key(&j, "outbox");
	rc = write_rows(&j, db,
		"SELECT created_ms,message_id,receiver,kind,title,"
		"CASE WHEN parked THEN 'failed' ELSE 'waiting' END,attempts,error "
		"FROM outbox ORDER BY id DESC LIMIT 100",
		e);
	if (rc == 0) {
		jsonw_key(&j, "history");
		rc = write_rows(&j, db,
			"SELECT at_ms,message_id,receiver,kind,title,outcome,attempts,error "
			"FROM notify_history ORDER BY id DESC LIMIT 100",
			e);
	}
	jsonw_object_end(&j);
	db_close(db);
	return rc;
}
