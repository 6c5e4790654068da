/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_external - alerts that others post (Prometheus servers, amtool): merged with what is
 * known, ended by their own word or when nobody repeats them (reference notify.md D1-D3).
 *
 * Stored when they begin, change their texts, or end; not when they are merely repeated, which
 * senders do once a minute. The stored end may therefore be long past after a crash: then an alert
 * is held for as long as its last word was good for, and nothing resolves because belfry was away.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define RESOLVE_TIMEOUT_MS 300000
#define HOLD_MAX_MS        900000 /* after a start, at most, until its sender speaks again */

/* --- its timer --- */

static void arm(struct notify *n, struct live_alert *a)
{
	int64_t in = i64_sub_sat(a->external_ends_ms, clock_wall_ms());

	heap_set(&n->expiries, &a->expiry, i64_add_sat(clock_mono_ms(), MAX_OF(in, 0)));
	n->due_mono_ms = MIN_OF(n->due_mono_ms, heap_key(&n->expiries));
}

void external_disarm(struct notify *n, struct live_alert *a)
{
	heap_remove(&n->expiries, &a->expiry);
}

/* Nobody outside says any more that it fires. */
static void end_external(struct notify *n, struct live_alert *a, int64_t ends_ms)
{
	external_disarm(n, a);
	ASSERT(a->external);
	a->external = false;
	n->alerts.n_external--;
	n->alerts.external_bytes -= a->external_bytes;
	a->external_bytes = 0;
	live_alert_mark(&n->alerts, a);
	if (a->al.firing && !a->from_rule)
		event_resolve(n, a, ends_ms);
	else
		event_release(n, a);
}

static struct live_alert *of_node(struct heap_node *node)
{
	return (struct live_alert *)(void *)((char *)node - offsetof(struct live_alert, expiry));
}

void external_expire(struct notify *n)
{
	int64_t mono = clock_mono_ms(), wall = clock_wall_ms();

	while (heap_key(&n->expiries) <= mono) {
		struct live_alert *a = of_node(heap_min(&n->expiries));

		if (a->external_ends_ms > wall) { /* the clock was set back */
			heap_set(&n->expiries, &a->expiry,
				i64_add_sat(mono, MAX_OF(a->external_ends_ms - wall, 1000)));
			continue;
		}
		end_external(n, a, a->external_ends_ms);
	}
}

/* --- posting --- */

static size_t text_bytes(struct labels labels, struct labels annotations, struct str url)
{
	size_t bytes = url.n;

	for (size_t i = 0; i < labels.n; i++)
		bytes += labels.v[i].name.n + labels.v[i].value.n;
	for (size_t i = 0; i < annotations.n; i++)
		bytes += annotations.v[i].name.n + annotations.v[i].value.n;
	return bytes;
}

static bool check(const struct external_alert *v, struct labels ls, struct err *e)
{
	size_t bytes = text_bytes(ls, v->annotations, v->generator_url);

	if (ls.n == 0)
		return err_set(e, ERR_INPUT, 400, "at least one label pair required") == 0;
	if (ls.n > LIMIT_LABELS || v->annotations.n > LIMIT_LABELS)
		return err_set(e, ERR_INPUT, 400, "more than %u labels or annotations",
			       LIMIT_LABELS) == 0;
	for (size_t i = 0; i < ls.n; i++) {
		if (ls.v[i].name.n == 0 || !str_is_utf8(ls.v[i].name))
			return err_set(e, ERR_INPUT, 400, "invalid label name \"" STR_FMT "\"",
				       STR_ARG(ls.v[i].name)) == 0;
		if (!str_is_utf8(ls.v[i].value))
			return err_set(e, ERR_INPUT, 400, "invalid value of label \"" STR_FMT "\"",
				       STR_ARG(ls.v[i].name)) == 0;
	}
	for (size_t i = 0; i < v->annotations.n; i++) {
		const struct label *l = &v->annotations.v[i];

		if (l->name.n == 0 || !str_is_utf8(l->name) || !str_is_utf8(l->value))
			return err_set(e, ERR_INPUT, 400, "invalid annotation set: \"" STR_FMT "\"",
				       STR_ARG(l->name)) == 0;
	}
	if (bytes > LIMIT_ALERT_BYTES)
		return err_set(e, ERR_INPUT, 400, "%zu bytes are more than the limit of %u", bytes,
			       LIMIT_ALERT_BYTES) == 0;
	if (v->ends_at_ms != 0 && v->starts_at_ms != 0 && v->ends_at_ms < v->starts_at_ms)
		return err_set(e, ERR_INPUT, 400, "start time must be before end time") == 0;
	return true;
}

static bool sorted(struct arena *a, struct labels in, struct labels *out)
{
	struct label *v = ARENA_ARRAY(a, in.n, struct label);
	size_t n = in.n;

	ASSERT(v != NULL);
	if (n > 0)
		memcpy(v, in.v, n * sizeof *v);
	if (!labels_sort(v, &n))
		return false;
	*out = (struct labels){v, n};
	return true;
}

/* One post, with its times as D1 says. */
struct post {
	struct labels labels, annotations;
	struct str generator_url;
	int64_t starts_ms, ends_ms;
	bool timed_out; /* no end was given: ours is a guess */
};

static bool has_room(const struct notify *n, size_t bytes)
{
	return bytes <=
	       LIMIT_EXTERNAL_BYTES - MIN_OF(n->alerts.external_bytes, LIMIT_EXTERNAL_BYTES);
}

static void count_bytes(struct notify *n, struct live_alert *a, size_t bytes)
{
	n->alerts.external_bytes += bytes - a->external_bytes;
	a->external_bytes = bytes;
}

/* Texts that grow beyond the limit are not taken over; the alert goes on with those it has. */
static void take_notes(struct notify *n, struct live_alert *a, const struct post *p)
{
	size_t bytes = text_bytes(p->labels, p->annotations, p->generator_url);

	if (bytes > a->external_bytes && !has_room(n, bytes - a->external_bytes)) {
		METRIC_LIMIT("external_bytes");
		return;
	}
	live_alert_set_notes(a, p->annotations, p->generator_url);
	count_bytes(n, a, bytes);
}

static void take(struct notify *n, struct live_alert *a, const struct post *p, int64_t now_ms)
{
	bool began = !a->external;
	const void *notes = a->notes;

	take_notes(n, a, p);
	a->updated_ms = now_ms;
	a->external_ends_ms = p->ends_ms;
	a->timed_out = p->timed_out;
	arm(n, a);
	if (began || notes != a->notes)
		live_alert_mark(&n->alerts, a);
	if (!began)
		return;
	a->external = true;
	n->alerts.n_external++;
	if (a->al.firing)
		return;
	if (a->members != NULL && p->starts_ms <= a->al.ends_at_ms)
		a->al.starts_at_ms = MIN_OF(a->al.starts_at_ms, p->starts_ms); /* goes on */
	else
		a->al.starts_at_ms = p->starts_ms;
	event_fire(n, a, now_ms);
}

/* D2, for an alert that is known to fire by the word of others. */
static void merge(struct notify *n, struct live_alert *a, struct post *p, int64_t now_ms)
{
	if (p->starts_ms < a->al.starts_at_ms && !a->from_rule) {
		a->al.starts_at_ms = p->starts_ms;
		live_alert_mark(&n->alerts, a);
	}
	if (p->ends_ms <= now_ms) {
		live_alert_set_notes(a, p->annotations, p->generator_url);
		end_external(n, a, p->ends_ms);
		return;
	}
	if (!a->timed_out && a->external_ends_ms > p->ends_ms) {
		p->ends_ms = a->external_ends_ms; /* somebody knew better */
		p->timed_out = false;
	}
	take(n, a, p, now_ms);
}

static bool post_one(struct notify *n, const struct external_alert *v, struct arena *scratch,
	int64_t now_ms, struct err *e)
{
	int64_t timeout =
		n->cfg->resolve_timeout_ms > 0 ? n->cfg->resolve_timeout_ms : RESOLVE_TIMEOUT_MS;
	struct post p = {.generator_url = v->generator_url,
		.starts_ms = v->starts_at_ms,
		.ends_ms = v->ends_at_ms};
	struct live_alert *a;

	if (!sorted(scratch, v->labels, &p.labels) ||
		!sorted(scratch, v->annotations, &p.annotations))
		return err_set(e, ERR_INPUT, 400, "a label or annotation stands twice") == 0;
	if (!check(v, p.labels, e))
		return false;
	if (p.starts_ms == 0)
		p.starts_ms = p.ends_ms != 0 ? MIN_OF(p.ends_ms, now_ms) : now_ms;
	p.timed_out = p.ends_ms == 0;
	if (p.timed_out)
		p.ends_ms = i64_add_sat(now_ms, timeout);
	a = live_alert_find(&n->alerts, p.labels);
	if (a != NULL && a->external) {
		merge(n, a, &p, now_ms);
		return true;
	}
	if (p.ends_ms <= now_ms)
		return true; /* the end of what is not known: nothing to tell */
	if (n->alerts.n_external >= LIMIT_EXTERNAL_ALERTS) {
		METRIC_LIMIT("external_alerts");
		METRIC_DROP("notify", "external_alerts_limit", 1);
		return err_set(e, ERR_LIMIT, 0, "more than %u alerts from outside",
			       LIMIT_EXTERNAL_ALERTS) == 0;
	}
	if (!has_room(n, text_bytes(p.labels, p.annotations, p.generator_url))) {
		METRIC_LIMIT("external_bytes");
		METRIC_DROP("notify", "external_bytes_limit", 1);
		return err_set(e, ERR_LIMIT, 0, "more than %zu bytes of alerts from outside",
			       LIMIT_EXTERNAL_BYTES) == 0;
	}
	if (a == NULL) {
		struct live_alert_source s = {.labels = p.labels,
			.annotations = p.annotations,
			.generator_url = p.generator_url,
			.fingerprint = labels_fingerprint(p.labels)};

		a = live_alert_new(&n->alerts, &s);
		suppress_new(n, a);
	}
	take(n, a, &p, now_ms);
	return true;
}

void external_post(
	struct notify *n, const struct external_alert *v, size_t count, struct buf *wrong)
{
	int64_t now = clock_wall_ms();
	struct arena scratch;

	arena_init(&scratch, (size_t)16 << 20);
	for (size_t i = 0; i < count; i++) {
		struct arena_mark mark = arena_mark(&scratch);
		struct err e;

		if (!post_one(n, &v[i], &scratch, now, &e) && wrong->n < 4096)
			buf_printf(wrong, "%s%s", wrong->n > 0 ? "\n" : "", e.msg);
		arena_release(&scratch, mark);
	}
	arena_fini(&scratch);
}

/* --- rows --- */

static int put(sqlite3_stmt *st, const struct live_alert *a, struct err *e)
{
	struct buf labels, annotations;
	int rc;

	buf_init(&labels, (size_t)4 << 20);
	buf_init(&annotations, (size_t)4 << 20);
	labels_blob_write(&labels, a->al.labels);
	labels_blob_write(&annotations, a->al.annotations);
	db_bind_blob(st, 1, buf_view(&labels));
	if (a->external && a->listed) {
		db_bind_blob(st, 2, buf_view(&annotations));
		(void)sqlite3_bind_int64(st, 3, a->al.starts_at_ms);
		(void)sqlite3_bind_int64(st, 4, a->external_ends_ms);
		(void)sqlite3_bind_int64(st, 5, a->updated_ms);
		(void)sqlite3_bind_int(st, 6, a->timed_out);
		db_bind_text(st, 7, a->generator_url);
	}
	rc = db_step_done(st, "store an alert from outside", e);
	buf_fini(&annotations);
	buf_fini(&labels);
	return rc;
}

int external_write(const struct notify *n, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *add, *del;
	int rc = 0;

	if (n->alerts.dirty == NULL)
		return 0;
	if (db_prepare(db, &del, "DELETE FROM external_alert WHERE labels=?", e) != 0)
		return -1;
	if (db_prepare(db, &add, "INSERT OR REPLACE INTO external_alert VALUES(?,?,?,?,?,?,?)",
		    e) != 0) {
		(void)sqlite3_finalize(del);
		return -1;
	}
	/* deletions first: a new alert may have the same labels */
	for (const struct live_alert *a = n->alerts.dirty; rc == 0 && a != NULL;
		a = a->next_dirty) {
		if (!a->external || !a->listed)
			rc = put(del, a, e);
	}
	for (const struct live_alert *a = n->alerts.dirty; rc == 0 && a != NULL;
		a = a->next_dirty) {
		if (a->external && a->listed)
			rc = put(add, a, e);
	}
	(void)sqlite3_finalize(add); /* repeats the last step's error, told already */
	(void)sqlite3_finalize(del);
	return rc;
}

void external_committed(struct notify *n)
{
	live_alerts_committed(&n->alerts);
}

static void load_one(
	struct notify *n, sqlite3_stmt *st, struct labels labels, struct labels annotations)
{
	struct live_alert_source s = {.labels = labels,
		.annotations = annotations,
		.generator_url = db_column_str(st, 6),
		.fingerprint = labels_fingerprint(labels)};
	struct live_alert *a = live_alert_find(&n->alerts, labels);
	int64_t now = clock_wall_ms(), life;

	if (a == NULL)
		a = live_alert_new(&n->alerts, &s);
	else
		live_alert_set_notes(a, annotations, s.generator_url);
	a->external_ends_ms = sqlite3_column_int64(st, 3);
	a->updated_ms = sqlite3_column_int64(st, 4);
	a->timed_out = sqlite3_column_int(st, 5) != 0;
	life = MIN_OF(MAX_OF(i64_sub_sat(a->external_ends_ms, a->updated_ms), 0), HOLD_MAX_MS);
	a->external_ends_ms = MAX_OF(a->external_ends_ms, i64_add_sat(now, life));
	a->external = true;
	n->alerts.n_external++;
	count_bytes(n, a, text_bytes(labels, annotations, a->generator_url));
	if (!a->al.firing) { /* no group holds it: there was no route, or it is a new one */
		a->al.firing = true;
		a->al.ends_at_ms = 0;
		a->al.starts_at_ms = sqlite3_column_int64(st, 2);
	}
	arm(n, a);
}

int external_load(struct notify *n, struct err *e)
{
	sqlite3 *db = state_db(n->state);
	struct arena scratch;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT labels,annotations,starts_ms,ends_ms,updated_ms,timed_out,"
		    "generator_url FROM external_alert",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)16 << 20);
	while ((rc = db_step_row(st, "read alerts from outside", e)) > 0) {
		struct labels labels, annotations;

		arena_reset(&scratch);
		if (labels_blob_read(db_column_str(st, 0), &scratch, &labels, e) != 0 ||
			labels_blob_read(db_column_str(st, 1), &scratch, &annotations, e) != 0) {
			rc = -1;
			break;
		}
		load_one(n, st, labels, annotations);
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}
