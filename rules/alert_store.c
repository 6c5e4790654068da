/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert_store - alerts and group slots in state.db: a row per pending or firing alert, written at
 * its transitions.
 */
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "rules/alert_event.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

struct alert_batch *alert_batch_new(size_t memory)
{
	struct alert_batch *b = calloc(1, sizeof *b);

	if (b != NULL)
		arena_init(&b->arena, memory);
	return b;
}

void alert_batch_free(struct alert_batch *b)
{
	if (b == NULL)
		return;
	arena_fini(&b->arena);
	free(b);
}

static int put(sqlite3_stmt *st, const struct alert_event *ev, struct err *e)
{
	struct buf labels, annotations;
	int rc;

	buf_init(&labels, (size_t)4 << 20);
	buf_init(&annotations, (size_t)16 << 20);
	labels_blob_write(&labels, ev->labels);
	labels_blob_write(&annotations, ev->annotations);
	db_bind_text(st, 1, ev->rule->rule_key);
	(void)sqlite3_bind_int64(st, 2, (int64_t)ev->fingerprint);
	(void)sqlite3_bind_int(st, 3, (int)ev->to);
	db_bind_blob(st, 4, buf_view(&labels));
	db_bind_blob(st, 5, buf_view(&annotations));
	(void)sqlite3_bind_int64(st, 6, ev->active_at_ms);
	(void)sqlite3_bind_int64(st, 7, ev->fired_at_ms);
	(void)sqlite3_bind_int64(st, 8, ev->keep_firing_since_ms);
	(void)sqlite3_bind_double(st, 9, ev->value); /* NaN is stored as NULL */
	(void)sqlite3_bind_double(st, 10, ev->current);
	(void)sqlite3_bind_double(st, 11, ev->worst);
	rc = db_step_done(st, "store an alert", e);
	buf_fini(&annotations);
	buf_fini(&labels);
	return rc;
}

static int save_events(
	sqlite3_stmt *set, sqlite3_stmt *del, const struct alert_batch *b, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct alert_event *ev = &b->events[i];

		if (ev->to != ALERT_INACTIVE) {
			if ((ev->from != ev->to || ev->save) && put(set, ev, e) != 0)
				return -1;
			continue;
		}
		db_bind_text(del, 1, ev->rule->rule_key);
		(void)sqlite3_bind_int64(del, 2, (int64_t)ev->fingerprint);
		if (db_step_done(del, "delete an alert", e) != 0)
			return -1;
	}
	return 0;
}

static int put_seen(sqlite3_stmt *st, const struct alert_seen *x, struct err *e)
{
	struct buf labels;
	int rc;

	buf_init(&labels, (size_t)4 << 20);
	labels_blob_write(&labels, x->labels);
	db_bind_text(st, 1, x->rule_key);
	db_bind_blob(st, 2, buf_view(&labels));
	if (!x->forget) {
		(void)sqlite3_bind_int64(st, 3, x->since_ms);
		(void)sqlite3_bind_int64(st, 4, x->last_ms);
	}
	rc = db_step_done(st, "store a label set", e);
	buf_fini(&labels);
	return rc;
}

static int forget_rule(sqlite3 *db, struct str rule_key, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, "DELETE FROM alert_seen WHERE rule_key=?", e) != 0)
		return -1;
	db_bind_text(st, 1, rule_key);
	rc = db_step_done(st, "forget label sets", e);
	(void)sqlite3_finalize(st);
	return rc;
}

static int save_seen(sqlite3 *db, const struct alert_batch *b, struct err *e)
{
	sqlite3_stmt *set = NULL, *del = NULL;
	int rc = 0;

	if (b->n_seen == 0)
		return 0;
	if (db_prepare(db, &set, "INSERT OR REPLACE INTO alert_seen VALUES(?,?,?,?)", e) != 0 ||
		db_prepare(db, &del, "DELETE FROM alert_seen WHERE rule_key=? AND labels=?", e) !=
			0)
		rc = -1;
	for (size_t i = 0; rc == 0 && i < b->n_seen; i++) {
		const struct alert_seen *x = &b->seen[i];

		if (x->forget && x->labels.n == 0)
			rc = forget_rule(db, x->rule_key, e);
		else
			rc = put_seen(x->forget ? del : set, x, e);
	}
	(void)sqlite3_finalize(del);
	(void)sqlite3_finalize(set);
	return rc;
}

static int save_slot(sqlite3 *db, const struct alert_batch *b, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (b->group_key.n == 0)
		return 0; /* of no group: alerts whose rule is gone */
	if (db_prepare(db, &st, "INSERT OR REPLACE INTO rule_group VALUES(?,?)", e) != 0)
		return -1;
	db_bind_text(st, 1, b->group_key);
	(void)sqlite3_bind_int64(st, 2, b->slot_ms);
	rc = db_step_done(st, "store a group's slot", e);
	(void)sqlite3_finalize(st);
	return rc;
}

int alert_store_save(sqlite3 *db, const struct alert_batch *b, struct err *e)
{
	sqlite3_stmt *set = NULL, *del = NULL;
	int rc = -1;

	if (db_prepare(db, &set,
		    "INSERT OR REPLACE INTO "
		    "alert(rule_key,fingerprint,state,labels,annotations,active_at_ms,"
		    "fired_at_ms,keep_firing_since_ms,value,current,worst) "
		    "VALUES(?,?,?,?,?,?,?,?,?,?,?)",
		    e) == 0 &&
		db_prepare(db, &del, "DELETE FROM alert WHERE rule_key=? AND fingerprint=?", e) ==
			0 &&
		save_events(set, del, b, e) == 0 && save_seen(db, b, e) == 0)
		rc = save_slot(db, b, e);
	(void)sqlite3_finalize(del);
	(void)sqlite3_finalize(set);
	return rc;
}

static double column_f64(sqlite3_stmt *st, int col)
{
	return sqlite3_column_type(st, col) == SQLITE_NULL ? normal_nan()
							   : sqlite3_column_double(st, col);
}

static int load_row(sqlite3_stmt *st, struct arena *a, struct alert_event *ev, struct err *e)
{
	int state = sqlite3_column_int(st, 2);

	*ev = (struct alert_event){.threshold = NAN};
	if (state != ALERT_PENDING && state != ALERT_FIRING)
		return err_set(e, ERR_CORRUPT, 0, "an alert has the unknown state %d", state);
	ev->from = ev->to = state == ALERT_PENDING ? ALERT_PENDING : ALERT_FIRING;
	ev->fingerprint = (uint64_t)sqlite3_column_int64(st, 1);
	ev->active_at_ms = sqlite3_column_int64(st, 5);
	ev->fired_at_ms = sqlite3_column_int64(st, 6);
	ev->keep_firing_since_ms = sqlite3_column_int64(st, 7);
	ev->keep_firing = ev->keep_firing_since_ms != 0;
	ev->value = column_f64(st, 8);
	ev->current = column_f64(st, 9);
	ev->worst = column_f64(st, 10);
	if (labels_blob_read(db_column_str(st, 3), a, &ev->labels, e) != 0)
		return -1;
	return labels_blob_read(db_column_str(st, 4), a, &ev->annotations, e);
}

int alert_store_load(sqlite3 *db,
	void (*fn)(struct str rule_key, const struct alert_event *ev, void *arg), void *arg,
	struct err *e)
{
	struct arena scratch;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT rule_key,fingerprint,state,labels,annotations,active_at_ms,fired_at_ms,"
		    "keep_firing_since_ms,value,current,worst FROM alert",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)64 << 20);
	while ((rc = db_step_row(st, "read alerts", e)) > 0) {
		struct alert_event ev;

		arena_reset(&scratch);
		rc = load_row(st, &scratch, &ev, e);
		if (rc != 0)
			break;
		fn(db_column_str(st, 0), &ev, arg);
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc;
}

int alert_store_load_seen(
	sqlite3 *db, void (*fn)(const struct alert_seen *s, void *arg), void *arg, struct err *e)
{
	struct arena scratch;
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT rule_key,labels,since_ms,last_ms FROM alert_seen ORDER BY rule_key",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)64 << 20);
	while ((rc = db_step_row(st, "read label sets", e)) > 0) {
		struct alert_seen s = {.rule_key = db_column_str(st, 0),
			.since_ms = sqlite3_column_int64(st, 2),
			.last_ms = sqlite3_column_int64(st, 3)};

		arena_reset(&scratch);
		rc = labels_blob_read(db_column_str(st, 1), &scratch, &s.labels, e);
		if (rc != 0)
			break;
		fn(&s, arg);
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc;
}

int alert_store_slot(sqlite3 *db, struct str group_key, int64_t *slot_ms, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*slot_ms = 0;
	if (db_prepare(db, &st, "SELECT slot_ms FROM rule_group WHERE key=?", e) != 0)
		return -1;
	db_bind_text(st, 1, group_key);
	rc = db_step_row(st, "read a group's slot", e);
	if (rc > 0)
		*slot_ms = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}
