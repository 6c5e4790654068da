/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_store - outbox rows and thread data in state.db.
 *
 * outbox_store_write may run more than once for the same changes (a commit that failed): it only
 * upserts and deletes by key, and clears nothing; outbox_store_committed clears.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "exporters/notify_internal.h"
#include "storage/db.h"

#define HISTORY_KEEP    10000              /* rows of notify_history */
#define PARKED_KEEP_MS  INT64_C(604800000) /* a week */
#define PRUNE_EVERY_MS  INT64_C(3600000)
#define THREADS_KEEP_MS INT64_C(2592000000) /* 30 days */

enum statement {
	ST_ROW_ADD,
	ST_ROW_SET,
	ST_ROW_DEL,
	ST_HISTORY,
	ST_HISTORY_TRIM,
	ST_PAYLOAD,
	ST_CONTENT,
	ST_GRAPH,
	ST_THREAD_PUT,
	ST_THREAD_DEL,
	ST_COUNT
};

static const char *const sql[ST_COUNT] = {
	[ST_ROW_ADD] = "INSERT OR REPLACE INTO "
		       "outbox(message_id,receiver,kind,idx,group_key,title,firing,payload,"
		       "created_ms,expires_ms,next_ms,attempts,degraded,parked,error,thread,step,"
		       "content,ends,first,tried,since_ms,graph,png) "
		       "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_ROW_SET] = "UPDATE outbox SET next_ms=?,attempts=?,degraded=?,parked=?,error=?,step=?,"
		       "group_key=?,expires_ms=?,tried=? WHERE id=?",
	[ST_ROW_DEL] = "DELETE FROM outbox WHERE id=?",
	[ST_HISTORY] =
		"INSERT INTO "
		"notify_history(at_ms,message_id,receiver,kind,title,outcome,attempts,error) "
		"VALUES(?,?,?,?,?,?,?,?)",
	[ST_HISTORY_TRIM] =
		"DELETE FROM notify_history WHERE id <= (SELECT max(id) FROM notify_history) - ?",
	[ST_PAYLOAD] = "SELECT payload FROM outbox WHERE id=?",
	[ST_CONTENT] = "SELECT content FROM outbox WHERE id=?",
	[ST_GRAPH] = "SELECT graph,png FROM outbox WHERE id=?",
	[ST_THREAD_PUT] = "INSERT OR REPLACE INTO thread_data VALUES(?,?,?)",
	[ST_THREAD_DEL] = "DELETE FROM thread_data WHERE thread=?",
};

static sqlite3_stmt *statement(const struct notify *n, enum statement which)
{
	ASSERT(n->outbox_st[which] != NULL);
	return n->outbox_st[which];
}

void outbox_store_close(struct notify *n)
{
	for (size_t i = 0; i < ARRAY_LEN(n->outbox_st); i++) {
		(void)sqlite3_finalize(n->outbox_st[i]); /* repeats the last step's error */
		n->outbox_st[i] = NULL;
	}
}

static int64_t to_wall(int64_t mono_ms)
{
	return i64_add_sat(clock_wall_ms(), mono_ms - clock_mono_ms());
}

static uint64_t id_hash(int64_t id)
{
	return (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
}

/* --- writing --- */

static int add_row(const struct notify *n, sqlite3 *db, struct row *r, struct err *e)
{
	sqlite3_stmt *st = statement(n, ST_ROW_ADD);

	db_bind_text(st, 1, r->message_id);
	db_bind_text(st, 2, r->receiver);
	(void)sqlite3_bind_int(st, 3, (int)r->kind);
	(void)sqlite3_bind_int64(st, 4, (int64_t)r->index);
	db_bind_text(st, 5, r->group_key);
	db_bind_text(st, 6, r->title);
	(void)sqlite3_bind_int(st, 7, r->firing);
	db_bind_blob(st, 8, str_n(r->payload, r->payload_len));
	(void)sqlite3_bind_int64(st, 9, r->created_ms);
	(void)sqlite3_bind_int64(st, 10, r->expires_ms);
	(void)sqlite3_bind_int64(st, 11, to_wall(r->next_mono_ms));
	(void)sqlite3_bind_int64(st, 12, r->attempts);
	(void)sqlite3_bind_int(st, 13, r->degraded);
	(void)sqlite3_bind_int(st, 14, r->parked);
	db_bind_text(st, 15, str_c(r->error));
	db_bind_text(st, 16, r->thread);
	(void)sqlite3_bind_int64(st, 17, r->step);
	if (r->content != NULL)
		db_bind_blob(st, 18, str_n(r->content, r->content_len));
	(void)sqlite3_bind_int64(st, 19, r->ends);
	(void)sqlite3_bind_int(st, 20, r->first);
	db_bind_text(st, 21, r->tried);
	(void)sqlite3_bind_int64(st, 22, r->since_ms);
	if (r->graph_spec != NULL)
		db_bind_text(st, 23, str_n(r->graph_spec, r->graph_spec_len));
	(void)sqlite3_bind_int(st, 24, r->wants_png);
	if (db_step_done(st, "store a message", e) != 0)
		return -1;
	r->id = sqlite3_last_insert_rowid(db);
	return 0;
}

static int add_history(
	const struct notify *n, const struct row *r, const char *outcome, struct err *e)
{
	sqlite3_stmt *st = statement(n, ST_HISTORY);

	(void)sqlite3_bind_int64(st, 1, clock_wall_ms());
	db_bind_text(st, 2, r->message_id);
	db_bind_text(st, 3, r->receiver);
	(void)sqlite3_bind_int(st, 4, (int)r->kind);
	db_bind_text(st, 5, r->title);
	db_bind_text(st, 6, str_c(outcome));
	(void)sqlite3_bind_int64(st, 7, r->attempts);
	db_bind_text(st, 8, str_c(r->error));
	if (db_step_done(st, "store the history", e) != 0)
		return -1;
	st = statement(n, ST_HISTORY_TRIM);
	(void)sqlite3_bind_int(st, 1, HISTORY_KEEP);
	return db_step_done(st, "trim the history", e);
}

static int set_row(const struct notify *n, const struct row *r, struct err *e)
{
	sqlite3_stmt *st = statement(n, ST_ROW_SET);

	(void)sqlite3_bind_int64(st, 1, to_wall(r->next_mono_ms));
	(void)sqlite3_bind_int64(st, 2, r->attempts);
	(void)sqlite3_bind_int(st, 3, r->degraded);
	(void)sqlite3_bind_int(st, 4, r->parked);
	db_bind_text(st, 5, str_c(r->error));
	(void)sqlite3_bind_int64(st, 6, r->step);
	db_bind_text(st, 7, r->group_key);
	(void)sqlite3_bind_int64(st, 8, r->expires_ms);
	db_bind_text(st, 9, r->tried);
	(void)sqlite3_bind_int64(st, 10, r->id);
	if (db_step_done(st, "update a message", e) != 0)
		return -1;
	return r->parked ? add_history(n, r, "failed", e) : 0;
}

static int write_row(const struct notify *n, sqlite3 *db, struct row *r, struct err *e)
{
	sqlite3_stmt *st;

	if (r->is_new)
		return add_row(n, db, r, e);
	if (!r->finished)
		return set_row(n, r, e);
	st = statement(n, ST_ROW_DEL);
	(void)sqlite3_bind_int64(st, 1, r->id);
	if (db_step_done(st, "delete a message", e) != 0)
		return -1;
	return add_history(n, r, r->replaced ? "replaced" : "delivered", e);
}

static int write_thread(const struct notify *n, const struct thread_data *t, struct err *e)
{
	sqlite3_stmt *st = statement(n, t->over ? ST_THREAD_DEL : ST_THREAD_PUT);

	db_bind_text(st, 1, str_c(t->thread));
	if (!t->over) {
		(void)sqlite3_bind_int64(st, 2, t->at_ms);
		db_bind_text(st, 3, str_c(t->data));
	}
	return db_step_done(st, "store a thread", e);
}

/* What nobody will ask for any more. */
static int prune(sqlite3 *db, struct err *e)
{
	int64_t now = clock_wall_ms();
	char text[128];

	(void)snprintf(text, sizeof text, "DELETE FROM outbox WHERE parked=1 AND created_ms < %lld",
		(long long)(now - PARKED_KEEP_MS));
	if (db_exec(db, text, e) != 0)
		return -1;
	(void)snprintf(text, sizeof text, "DELETE FROM thread_data WHERE at_ms < %lld",
		(long long)(now - THREADS_KEEP_MS));
	return db_exec(db, text, e);
}

int outbox_store_write(struct notify *n, sqlite3 *db, struct err *e)
{
	if (clock_mono_ms() >= n->prune_mono_ms) {
		thread_prune(n, clock_wall_ms() - THREADS_KEEP_MS);
		if (prune(db, e) != 0)
			return -1;
	}
	for (struct row *r = n->dirty_rows; r != NULL; r = r->next_dirty) {
		if (write_row(n, db, r, e) != 0)
			return -1;
	}
	/* what is over first: a new thread may bear the same name */
	for (const struct thread_data *t = n->dirty_threads; t != NULL; t = t->next_dirty) {
		if (t->over && write_thread(n, t, e) != 0)
			return -1;
	}
	for (const struct thread_data *t = n->dirty_threads; t != NULL; t = t->next_dirty) {
		if (!t->over && write_thread(n, t, e) != 0)
			return -1;
	}
	return 0;
}

static void row_committed(struct notify *n, struct row *r)
{
	r->dirty = false;
	if (r->is_new) {
		r->is_new = false;
		map_add(&n->rows, id_hash(r->id), r);
	}
	free(r->payload);
	free(r->content);
	free(r->graph_spec);
	r->payload = r->content = r->graph_spec = NULL;
	if (!r->finished && !r->parked)
		return;
	map_remove(&n->rows, id_hash(r->id), r); /* a parked one stays in state.db */
	n->n_rows -= r->finished;
	row_free(r);
}

void outbox_store_committed(struct notify *n)
{
	struct thread_data *t;
	struct row *r;

	while ((t = n->dirty_threads) != NULL) {
		n->dirty_threads = t->next_dirty;
		t->dirty = false;
		if (t->over)
			thread_free(n, t);
	}
	while ((r = n->dirty_rows) != NULL) {
		n->dirty_rows = r->next_dirty;
		row_committed(n, r);
	}
	if (clock_mono_ms() >= n->prune_mono_ms)
		n->prune_mono_ms = clock_mono_ms() + PRUNE_EVERY_MS;
	metric_set(n->outbox_gauge, (double)n->n_rows);
}

/* Of one row, malloc'ed, NUL behind; flag: its second column, when there is one. */
struct blob {
	char *p;
	size_t n;
	bool flag;
};

static int read_blob(
	struct notify *n, enum statement which, int64_t id, struct blob *out, struct err *e)
{
	sqlite3_stmt *st = statement(n, which);
	struct str s;
	int rc;

	(void)sqlite3_bind_int64(st, 1, id);
	rc = db_step_row(st, "read a message", e);
	if (rc <= 0)
		return rc < 0 ? -1
			      : err_set(e, ERR_CORRUPT, 0, "message %lld is not in the outbox",
					(long long)id);
	s = db_column_str(st, 0);
	out->flag = sqlite3_column_count(st) > 1 && sqlite3_column_int(st, 1) != 0;
	out->p = malloc(s.n + 1);
	ASSERT(out->p != NULL);
	if (s.n > 0)
		memcpy(out->p, s.p, s.n);
	out->p[s.n] = '\0';
	out->n = s.n;
	(void)sqlite3_reset(st);
	return 0;
}

static int give_blob(
	struct notify *n, enum statement which, int64_t id, char **out, size_t *len, struct err *e)
{
	struct blob b = {NULL, 0, false};

	if (read_blob(n, which, id, &b, e) != 0)
		return -1;
	*out = b.p;
	*len = b.n;
	return 0;
}

int outbox_store_payload(struct notify *n, int64_t id, char **out, size_t *len, struct err *e)
{
	return give_blob(n, ST_PAYLOAD, id, out, len, e);
}

int outbox_store_content(struct notify *n, int64_t id, char **out, size_t *len, struct err *e)
{
	return give_blob(n, ST_CONTENT, id, out, len, e);
}

int outbox_store_graph(
	struct notify *n, int64_t id, char **out, size_t *len, bool *wants_png, struct err *e)
{
	struct blob b = {NULL, 0, false};

	if (read_blob(n, ST_GRAPH, id, &b, e) != 0)
		return -1;
	*out = b.p;
	*len = b.n;
	*wants_png = b.flag;
	return 0;
}

/* --- loading --- */

static int load_threads(struct notify *n, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, "SELECT thread,data FROM thread_data", e) != 0)
		return -1;
	while ((rc = db_step_row(st, "read threads", e)) > 0)
		thread_put(n, db_column_str(st, 0), db_column_str(st, 1));
	(void)sqlite3_finalize(st);
	for (struct thread_data *t; (t = n->dirty_threads) != NULL;) {
		n->dirty_threads = t->next_dirty;
		t->dirty = false;
	}
	return rc < 0 ? -1 : 0;
}

static struct row *load_row(sqlite3_stmt *st)
{
	struct row *r = row_new(&(struct row_texts){.message_id = db_column_str(st, 1),
		.receiver = db_column_str(st, 2),
		.group_key = db_column_str(st, 5),
		.title = db_column_str(st, 6),
		.thread = db_column_str(st, 15),
		.tried = db_column_str(st, 19)});
	int kind = sqlite3_column_int(st, 3);

	r->id = sqlite3_column_int64(st, 0);
	r->is_new = false;
	r->kind = (enum integration_kind)kind; /* judged when it is sent */
	r->index = (size_t)sqlite3_column_int64(st, 4);
	r->firing = sqlite3_column_int(st, 7) != 0;
	r->created_ms = sqlite3_column_int64(st, 8);
	r->expires_ms = sqlite3_column_int64(st, 9);
	r->next_mono_ms = clock_mono_ms(); /* after a start: try at once */
	r->attempts = (unsigned)sqlite3_column_int(st, 11);
	r->degraded = sqlite3_column_int(st, 12) != 0;
	(void)snprintf(r->error, sizeof r->error, STR_FMT, STR_ARG(db_column_str(st, 14)));
	r->step = (unsigned)sqlite3_column_int(st, 16);
	r->ends = sqlite3_column_int64(st, 17);
	r->first = sqlite3_column_int(st, 18) != 0;
	r->since_ms = sqlite3_column_int64(st, 20);
	if (r->since_ms == 0)
		r->since_ms = r->created_ms;
	return r;
}

#define COLUMNS                                                                                    \
	"id,message_id,receiver,kind,idx,group_key,title,firing,created_ms,expires_ms,next_ms,"    \
	"attempts,degraded,parked,error,thread,step,ends,first,tried,since_ms"

static struct row *put_into_lane(struct notify *n, sqlite3_stmt *st)
{
	struct row *r = load_row(st);

	map_add(&n->rows, id_hash(r->id), r);
	n->n_rows++;
	outbox_link(n, r);
	return r;
}

static int load_rows(struct notify *n, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, "SELECT " COLUMNS " FROM outbox WHERE parked=0 ORDER BY id", e) !=
		0)
		return -1;
	while ((rc = db_step_row(st, "read the outbox", e)) > 0)
		(void)put_into_lane(n, st);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

struct row *outbox_store_take_back(struct notify *n, sqlite3 *db, int64_t id, struct err *e)
{
	sqlite3_stmt *st;
	struct row *r = NULL;

	ASSERT(row_by_id(n, id) == NULL);
	if (db_prepare(db, &st, "SELECT " COLUMNS " FROM outbox WHERE id=?", e) != 0)
		return NULL;
	(void)sqlite3_bind_int64(st, 1, id);
	if (db_step_row(st, "read a message", e) > 0) {
		r = put_into_lane(n, st);
		row_mark(n, r);
	} else {
		(void)err_set(
			e, ERR_CORRUPT, 0, "message %lld is not in the outbox", (long long)id);
	}
	(void)sqlite3_finalize(st);
	return r;
}

int outbox_store_load(struct notify *n, sqlite3 *db, struct err *e)
{
	for (size_t i = 0; i < ST_COUNT; i++) {
		if (db_prepare(db, &n->outbox_st[i], sql[i], e) != 0)
			return -1;
	}
	n->prune_mono_ms = clock_mono_ms() + PRUNE_EVERY_MS;
	if (prune(db, e) != 0 || load_threads(n, db, e) != 0)
		return -1;
	return load_rows(n, db, e);
}
