/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - facts wait in one list until the tick writes them; see history.h.
 *
 * Kept: HISTORY_KEEP facts and attempts each, the oldest are deleted in small bites; marks and
 * links 400 and 30 days.
 */
#include "exporters/history.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/history_internal.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define HISTORY_KEEP     200000
#define HISTORY_TX_FACTS 5000u   /* written in one transaction */
#define HISTORY_WAITING  200000u /* facts in memory; more are dropped, counted */
#define HISTORY_TEXT     2000u   /* bytes of a detail */
#define TRIM_EVERY       1000u   /* facts between two trims */
#define LABELS_MAX       ((size_t)64 << 10)

static const char *const sql[HST_COUNT] = {
	[HST_FACT] = "INSERT INTO history(at_ms,fingerprint,kind,detail,value,worst,threshold,op) "
		     "VALUES(?,?,?,?,?,?,?,?)",
	[HST_ALERT] =
		"INSERT INTO history_alert VALUES(?,?,?,?) ON CONFLICT(fingerprint) DO UPDATE "
		"SET last_ms=excluded.last_ms",
	[HST_ATTEMPT] = "INSERT INTO attempt(at_ms,message_id,receiver,outcome,n,detail) "
			"VALUES(?,?,?,?,?,?)",
	[HST_LINK] = "INSERT OR IGNORE INTO link VALUES(?,?,?,?,?,?)",
	[HST_TRIM_FACTS] =
		"DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ? AND id IN "
		"(SELECT id FROM history ORDER BY id LIMIT 2000)",
	[HST_TRIM_ATTEMPTS] =
		"DELETE FROM attempt WHERE id <= (SELECT max(id) FROM attempt) - ? AND id IN "
		"(SELECT id FROM attempt ORDER BY id LIMIT 2000)",
	[HST_TRIM_ALERTS] =
		"DELETE FROM history_alert WHERE last_ms < (SELECT coalesce(min(at_ms), 0) FROM "
		"history WHERE id = (SELECT min(id) FROM history))",
	[HST_TRIM_LINKS] = "DELETE FROM link WHERE created_ms < ?",
	[HST_TRIM_MARKS] = "DELETE FROM mark WHERE at_ms < ?",
};

int history_new(struct history **out, sqlite3 *db, struct err *e)
{
	struct history *h = calloc(1, sizeof *h);

	if (h == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	h->last = &h->first;
	for (size_t i = 0; i < HST_COUNT; i++) {
		if (db_prepare(db, &h->st[i], sql[i], e) != 0)
			goto fail;
	}
	if (link_load_key(h, db, e) != 0)
		goto fail;
	h->trim_in = 1; /* the first write trims what an earlier run left */
	*out = h;
	return 0;
fail:
	history_free(h);
	return -1;
}

static void drop_first(struct history *h)
{
	struct fact *f = h->first;

	h->first = f->next;
	if (h->first == NULL)
		h->last = &h->first;
	h->n--;
	free(f);
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	while (h->first != NULL)
		drop_first(h);
	for (size_t i = 0; i < HST_COUNT; i++)
		(void)sqlite3_finalize(h->st[i]);
	OPENSSL_cleanse(h->key, sizeof h->key);
	free(h);
}

bool history_dirty(const struct history *h)
{
	return h->n > 0;
}

/* --- noting --- */

static struct str cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0u) == 0x80)
		max--;
	return str_n(s.p, max);
}

struct fact *history_add(
	struct history *h, enum fact_type type, struct str a, struct str b, struct str blob)
{
	struct fact *f;
	char *p;

	if (h->n >= HISTORY_WAITING) {
		METRIC_LIMIT("history");
		METRIC_DROP("notify", "history_full", 1);
		return NULL;
	}
	a = cut(a, HISTORY_TEXT);
	b = cut(b, HISTORY_TEXT);
	f = calloc(1, sizeof *f + a.n + b.n + blob.n);
	ASSERT(f != NULL);
	p = (char *)(f + 1);
	f->type = type;
	f->value = f->worst = f->threshold = NAN;
	f->a = str_n(p, a.n);
	f->b = str_n(p + a.n, b.n);
	f->blob = str_n(p + a.n + b.n, blob.n);
	if (a.n > 0)
		memcpy(p, a.p, a.n);
	if (b.n > 0)
		memcpy(p + a.n, b.p, b.n);
	if (blob.n > 0)
		memcpy(p + a.n + b.n, blob.p, blob.n);
	f->at_ms = clock_wall_ms();
	*h->last = f;
	h->last = &f->next;
	h->n++;
	return f;
}

static bool names_alert(enum history_kind k)
{
	return k == HISTORY_PENDING || k == HISTORY_FIRING || k == HISTORY_REFUSED;
}

static struct fact *add_event(struct history *h, uint64_t fp, struct labels labels,
	enum history_kind kind, struct str detail)
{
	struct buf blob;
	struct fact *f;

	buf_init(&blob, LABELS_MAX);
	if (names_alert(kind)) /* the labels are kept once, at the beginning of a story */
		labels_blob_write(&blob, labels);
	if (blob.failed)
		buf_reset(&blob);
	f = history_add(
		h, FACT_EVENT, detail, labels_get(labels, STR("alertname")), buf_view(&blob));
	buf_fini(&blob);
	if (f != NULL) {
		f->fingerprint = fp;
		f->kind = (int)kind;
	}
	return f;
}

void history_note(struct notify *n, const struct history_fact *f)
{
	struct fact *made;

	if ((f->kind == HISTORY_FIRING || f->kind == HISTORY_RESOLVED) &&
		!str_starts(f->detail, STR("external")))
		return; /* history_batch told it */
	made = add_event(n->history, f->fingerprint, f->labels, f->kind, f->detail);
	if (made != NULL && f->at_ms != 0)
		made->at_ms = f->at_ms;
}

static enum history_kind kind_of(const struct alert_event *ev)
{
	if (ev->to == ALERT_FIRING)
		return HISTORY_FIRING;
	if (ev->to == ALERT_PENDING)
		return HISTORY_PENDING;
	return ev->from == ALERT_FIRING ? HISTORY_RESOLVED : HISTORY_CALMED;
}

void history_batch(struct notify *n, const struct alert_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct alert_event *ev = &b->events[i];
		char rule[512];
		struct fact *f;

		if (ev->from == ev->to)
			continue;
		(void)snprintf(rule, sizeof rule, STR_FMT " / " STR_FMT, STR_ARG(ev->rule->group),
			STR_ARG(ev->rule->name));
		f = add_event(n->history, ev->fingerprint, ev->labels, kind_of(ev), str_c(rule));
		if (f == NULL)
			continue;
		f->at_ms = b->slot_ms;
		f->value = isnan(ev->current) ? ev->value : ev->current;
		f->worst = ev->worst;
		f->threshold = ev->threshold;
		memcpy(f->op, ev->op, sizeof f->op);
	}
}

void history_attempt(struct notify *n, struct str message_id, struct str receiver,
	enum attempt_outcome outcome, unsigned attempt, struct str detail)
{
	struct fact *f = history_add(n->history, FACT_ATTEMPT, message_id, receiver, detail);

	if (f == NULL)
		return;
	f->kind = (int)outcome;
	f->attempt = attempt;
}

/* --- writing --- */

static void bind_number(sqlite3_stmt *st, int i, double v)
{
	if (isnan(v))
		(void)sqlite3_bind_null(st, i);
	else
		(void)sqlite3_bind_double(st, i, v);
}

static int write_event(struct history *h, const struct fact *f, struct err *e)
{
	sqlite3_stmt *st = h->st[HST_FACT];

	(void)sqlite3_bind_int64(st, 1, f->at_ms);
	(void)sqlite3_bind_int64(st, 2, (int64_t)f->fingerprint);
	(void)sqlite3_bind_int(st, 3, f->kind);
	db_bind_text(st, 4, f->a);
	bind_number(st, 5, f->value);
	bind_number(st, 6, f->worst);
	bind_number(st, 7, f->threshold);
	db_bind_text(st, 8, str_c(f->op));
	if (db_step_done(st, "store the history", e) != 0)
		return -1;
	if (f->blob.n == 0)
		return 0;
	st = h->st[HST_ALERT];
	(void)sqlite3_bind_int64(st, 1, (int64_t)f->fingerprint);
	db_bind_text(st, 2, f->b);
	db_bind_blob(st, 3, f->blob);
	(void)sqlite3_bind_int64(st, 4, f->at_ms);
	return db_step_done(st, "store the history", e);
}

static int write_attempt(struct history *h, const struct fact *f, struct err *e)
{
	sqlite3_stmt *st = h->st[HST_ATTEMPT];

	(void)sqlite3_bind_int64(st, 1, f->at_ms);
	db_bind_text(st, 2, f->a);
	db_bind_text(st, 3, f->b);
	(void)sqlite3_bind_int(st, 4, f->kind);
	(void)sqlite3_bind_int64(st, 5, f->attempt);
	db_bind_text(st, 6, f->blob);
	return db_step_done(st, "store an attempt", e);
}

static int write_link(struct history *h, const struct fact *f, struct err *e)
{
	sqlite3_stmt *st = h->st[HST_LINK];

	db_bind_text(st, 1, str_n(f->token, LINK_TOKEN_LEN));
	db_bind_text(st, 2, f->a);
	(void)sqlite3_bind_int64(st, 3, f->incident_ms);
	db_bind_blob(st, 4, f->blob);
	db_bind_text(st, 5, f->b);
	(void)sqlite3_bind_int64(st, 6, f->at_ms);
	return db_step_done(st, "store a link", e);
}

static int trim(struct history *h, struct err *e)
{
	const int64_t day = INT64_C(86400000), now = clock_wall_ms();

	(void)sqlite3_bind_int(h->st[HST_TRIM_FACTS], 1, HISTORY_KEEP);
	(void)sqlite3_bind_int(h->st[HST_TRIM_ATTEMPTS], 1, HISTORY_KEEP);
	(void)sqlite3_bind_int64(h->st[HST_TRIM_LINKS], 1, now - 30 * day);
	(void)sqlite3_bind_int64(h->st[HST_TRIM_MARKS], 1, now - 400 * day);
	for (int i = HST_TRIM_FACTS; i <= HST_TRIM_MARKS; i++) {
		if (db_step_done(h->st[i], "trim the history", e) != 0)
			return -1;
	}
	return 0;
}

int history_write(struct history *h, sqlite3 *db, struct err *e)
{
	size_t n = 0;

	(void)db;
	for (const struct fact *f = h->first; f != NULL && n < HISTORY_TX_FACTS; f = f->next, n++) {
		int rc = f->type == FACT_EVENT     ? write_event(h, f, e)
			 : f->type == FACT_ATTEMPT ? write_attempt(h, f, e)
						   : write_link(h, f, e);

		if (rc != 0)
			return -1;
	}
	h->written = n;
	return h->trim_in <= n && n > 0 ? trim(h, e) : 0;
}

void history_committed(struct history *h)
{
	h->trim_in = h->trim_in > h->written ? h->trim_in - h->written : TRIM_EVERY;
	while (h->written > 0) {
		drop_first(h);
		h->written--;
	}
}
