/* SPDX-License-Identifier: Apache-2.0 */
/* incident_store - incidents as rows of state.db; see incident.h. */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/rd.h"
#include "exporters/incident.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"

enum statement { ST_PUT, ST_DEL };

static const char *const sql[] = {
	[ST_PUT] = "INSERT OR REPLACE INTO incident(group_key,incident_ms,started_ms,delivered_ms,"
		   "done,acked_ms,acked_by,ack_note,acked) VALUES(?,?,?,?,?,?,?,?,?)",
	[ST_DEL] = "DELETE FROM incident WHERE group_key=?",
};

void incident_store_close(struct notify *n)
{
	for (size_t i = 0; i < ARRAY_LEN(n->incident_st); i++) {
		(void)sqlite3_finalize(n->incident_st[i]); /* repeats the last step's error */
		n->incident_st[i] = NULL;
	}
}

static void put_ids(struct buf *b, const uint64_t *v, size_t n)
{
	buf_varint(b, n);
	buf_add(b, v, n * sizeof *v);
}

static int put(const struct notify *n, const struct incident *i, struct err *e)
{
	sqlite3_stmt *st = n->incident_st[ST_PUT];
	struct buf done, acked;
	int rc;

	buf_init(&done, 4096);
	buf_init(&acked, (size_t)64 << 20);
	put_ids(&done, i->done, i->n_done);
	put_ids(&done, i->told, i->n_told);
	put_ids(&acked, i->acked, i->n_acked);
	db_bind_text(st, 1, str_c(i->key));
	(void)sqlite3_bind_int64(st, 2, i->incident_ms);
	(void)sqlite3_bind_int64(st, 3, i->started_ms);
	(void)sqlite3_bind_int64(st, 4, i->delivered_ms);
	db_bind_blob(st, 5, buf_view(&done));
	(void)sqlite3_bind_int64(st, 6, i->acked_ms);
	db_bind_text(st, 7, str_c(i->acked_by));
	db_bind_text(st, 8, str_c(i->ack_note));
	db_bind_blob(st, 9, buf_view(&acked));
	rc = db_step_done(st, "store an incident", e);
	buf_fini(&acked);
	buf_fini(&done);
	return rc;
}

int incident_store_write(struct notify *n, struct err *e)
{
	/* the dead first: a new one may bear the same key */
	for (const struct incident *i = n->dirty_incidents; i != NULL; i = i->next_dirty) {
		if (!i->dead)
			continue;
		db_bind_text(n->incident_st[ST_DEL], 1, str_c(i->key));
		if (db_step_done(n->incident_st[ST_DEL], "delete an incident", e) != 0)
			return -1;
	}
	for (const struct incident *i = n->dirty_incidents; i != NULL; i = i->next_dirty) {
		if (!i->dead && put(n, i, e) != 0)
			return -1;
	}
	return 0;
}

void incident_store_committed(struct notify *n)
{
	struct incident *i;

	while ((i = n->dirty_incidents) != NULL) {
		n->dirty_incidents = i->next_dirty;
		i->dirty = false;
		if (i->dead)
			incident_free(n, i);
	}
}

static size_t get_ids(struct rd *r, uint64_t *v, size_t max)
{
	uint64_t n = rd_varint(r);
	struct str bytes;

	if (n > max) {
		r->bad = true;
		return 0;
	}
	bytes = rd_bytes(r, n * sizeof *v);
	if (bytes.n > 0)
		memcpy(v, bytes.p, bytes.n);
	return r->bad ? 0 : (size_t)n;
}

static void load_one(struct notify *n, const struct group *g, sqlite3_stmt *st)
{
	struct rd done = rd_of(db_column_str(st, 4)), acked = rd_of(db_column_str(st, 8));
	struct incident *i = incident_get(n, g);
	int64_t ago;
	size_t max;

	i->started_ms = sqlite3_column_int64(st, 2);
	ago = i64_sub_sat(clock_wall_ms(), i->started_ms);
	i->started_mono_ms = clock_mono_ms() - MAX_OF(ago, 0);
	i->delivered_ms = sqlite3_column_int64(st, 3);
	i->n_done = get_ids(&done, i->done, ARRAY_LEN(i->done));
	i->n_told = get_ids(&done, i->told, ARRAY_LEN(i->told));
	i->acked_ms = sqlite3_column_int64(st, 5);
	free(i->acked_by);
	free(i->ack_note);
	i->acked_by = str_dup_c(db_column_str(st, 6));
	i->ack_note = str_dup_c(db_column_str(st, 7));
	max = rd_left(&acked) / sizeof *i->acked + 1;
	i->acked = malloc(max * sizeof *i->acked);
	ASSERT(i->acked != NULL && i->acked_by != NULL && i->ack_note != NULL);
	i->n_acked = get_ids(&acked, i->acked, max);
	escalate_plan(n, i, g);
}

int incident_store_load(struct notify *n, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_exec(db,
		    "DELETE FROM incident WHERE NOT EXISTS (SELECT 1 FROM notify_group g WHERE "
		    "g.key=incident.group_key AND g.incident_ms=incident.incident_ms)",
		    e) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		if (db_prepare(db, &n->incident_st[i], sql[i], e) != 0)
			return -1;
	}
	if (db_prepare(db, &st,
		    "SELECT group_key,incident_ms,started_ms,delivered_ms,done,acked_ms,acked_by,"
		    "ack_note,acked FROM incident",
		    e) != 0)
		return -1;
	while ((rc = db_step_row(st, "read incidents", e)) > 0) {
		const struct group *g = group_find(n, db_column_str(st, 0));

		if (g != NULL && g->incident_ms == sqlite3_column_int64(st, 1))
			load_one(n, g, st);
	}
	(void)sqlite3_finalize(st);
	while (n->dirty_incidents != NULL) { /* as stored */
		n->dirty_incidents->dirty = false;
		n->dirty_incidents = n->dirty_incidents->next_dirty;
	}
	return rc < 0 ? -1 : 0;
}
