/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence_store - silences as rows of state.db. Matchers are a blob: for each a byte (1: regular
 * expression, 2: equal), then name and value with their lengths.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rd.h"
#include "exporters/silence_private.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

static void write_str(struct buf *b, struct str s)
{
	buf_varint(b, s.n);
	buf_str(b, s);
}

static int put(sqlite3_stmt *st, const struct silence *x, struct err *e)
{
	struct buf matchers, annotations;
	int rc;

	buf_init(&matchers, (size_t)1 << 20);
	buf_init(&annotations, (size_t)1 << 20);
	for (size_t i = 0; i < x->n; i++) {
		buf_ch(&matchers, (char)(x->given[i].is_regex | x->given[i].is_equal << 1));
		write_str(&matchers, x->given[i].name);
		write_str(&matchers, x->given[i].value);
	}
	labels_blob_write(&annotations, x->annotations);
	db_bind_text(st, 1, str_c(x->id));
	db_bind_blob(st, 2, buf_view(&matchers));
	(void)sqlite3_bind_int64(st, 3, x->starts_ms);
	(void)sqlite3_bind_int64(st, 4, x->ends_ms);
	(void)sqlite3_bind_int64(st, 5, x->updated_ms);
	db_bind_text(st, 6, x->created_by);
	db_bind_text(st, 7, x->comment);
	db_bind_blob(st, 8, buf_view(&annotations));
	db_bind_text(st, 9, x->recurring);
	rc = db_step_done(st, "store a silence", e);
	buf_fini(&annotations);
	buf_fini(&matchers);
	return rc;
}

int silence_write(const struct silence_set *s, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *add, *del;
	int rc = 0;

	if (s->dirty == NULL)
		return 0;
	if (db_prepare(db, &del, "DELETE FROM silence WHERE id=?", e) != 0)
		return -1;
	if (db_prepare(db, &add, "INSERT OR REPLACE INTO silence VALUES(?,?,?,?,?,?,?,?,?)", e) !=
		0) {
		(void)sqlite3_finalize(del);
		return -1;
	}
	for (const struct silence *x = s->dirty; rc == 0 && x != NULL; x = x->next_dirty) {
		if (x->gone) {
			db_bind_text(del, 1, str_c(x->id));
			rc = db_step_done(del, "forget a silence", e);
		} else {
			rc = put(add, x, e);
		}
	}
	(void)sqlite3_finalize(add); /* repeats the last step's error, told already */
	(void)sqlite3_finalize(del);
	return rc;
}

void silence_committed(struct silence_set *s)
{
	struct silence *x;

	while ((x = s->dirty) != NULL) {
		s->dirty = x->next_dirty;
		x->dirty = false;
		if (x->gone)
			silence_free(x);
	}
}

bool silence_read_matchers(struct str blob, struct silence_matcher *v, size_t *n)
{
	struct rd r = rd_of(blob);

	for (*n = 0; rd_more(&r); (*n)++) {
		uint8_t flags = rd_u8(&r);

		if (*n == MATCHERS_PER_SILENCE)
			return false;
		v[*n].is_regex = (flags & 1) != 0;
		v[*n].is_equal = (flags & 2) != 0;
		v[*n].name = rd_bytes(&r, rd_varint(&r));
		v[*n].value = rd_bytes(&r, rd_varint(&r));
	}
	return !r.bad;
}

/* One that cannot be read any more (a time zone that is gone) is kept out, loudly: it silences
 * nothing, which is the safe side. */
static int load_one(struct silence_set *s, sqlite3_stmt *st, struct arena *scratch, struct err *e)
{
	struct silence_matcher matchers[MATCHERS_PER_SILENCE];
	struct silence_view v = {.matchers = matchers,
		.starts_at_ms = sqlite3_column_int64(st, 2),
		.ends_at_ms = sqlite3_column_int64(st, 3),
		.created_by = db_column_str(st, 5),
		.comment = db_column_str(st, 6),
		.recurring = db_column_str(st, 8)};
	struct str id = db_column_str(st, 0);
	struct silence *x;
	struct err why;

	arena_reset(scratch);
	if (labels_blob_read(db_column_str(st, 7), scratch, &v.annotations, e) != 0)
		return -1;
	if (!silence_read_matchers(db_column_str(st, 1), matchers, &v.n_matchers) ||
		id.n != sizeof x->id - 1)
		return err_set(e, ERR_CORRUPT, 0, "a silence's row is damaged");
	if (silence_make(&x, &v, &why) != 0) {
		log_error("notify",
			"msg=\"a stored silence cannot be used\" id=" STR_FMT " error=\"%s\"",
			STR_ARG(id), why.msg);
		return 0;
	}
	memcpy(x->id, id.p, id.n);
	x->updated_ms = sqlite3_column_int64(st, 4);
	silence_add(s, x);
	return 0;
}

int silence_load(struct silence_set *s, sqlite3 *db, struct err *e)
{
	struct arena scratch;
	sqlite3_stmt *st;
	char forget[80];
	int rc;

	(void)snprintf(forget, sizeof forget, "DELETE FROM silence WHERE ends_ms < %lld",
		(long long)i64_sub_sat(clock_wall_ms(), 2 * (int64_t)LIMIT_SILENCE_KEEP_MS));
	if (db_exec(db, forget, e) != 0)
		return -1; /* also those that cannot be read */
	if (db_prepare(db, &st,
		    "SELECT id,matchers,starts_ms,ends_ms,updated_ms,created_by,comment,"
		    "annotations,recurring FROM silence",
		    e) != 0)
		return -1;
	arena_init(&scratch, (size_t)4 << 20);
	while ((rc = db_step_row(st, "read silences", e)) > 0) {
		if (load_one(s, st, &scratch, e) != 0) {
			rc = -1;
			break;
		}
	}
	arena_fini(&scratch);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}
