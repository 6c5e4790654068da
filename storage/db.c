/* SPDX-License-Identifier: Apache-2.0 */
/* db - opening, pragmas, statements, migrations; see db.h. */
#include "storage/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"

static enum err_kind kind_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL: return ERR_LIMIT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_AGAIN;
	case SQLITE_INTERRUPT: return ERR_CANCEL;
	default: return ERR_IO;
	}
}

int db_err(struct err *e, sqlite3 *db, const char *what)
{
	int code = db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	const char *msg = db != NULL ? sqlite3_errmsg(db) : "out of memory";

	return err_set(e, kind_of(code), code, "%s: %s", what, msg);
}

int db_exec(sqlite3 *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(e, db, sql);
	return 0;
}

int db_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, struct err *e)
{
	*out = NULL;
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
		return db_err(e, db, sql);
	return 0;
}

int db_step_done(sqlite3_stmt *st, const char *what, struct err *e)
{
	int rc = sqlite3_step(st), failed = 0;

	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		failed = db_err(e, sqlite3_db_handle(st), what);
	(void)sqlite3_reset(st); /* repeats the error of the step */
	(void)sqlite3_clear_bindings(st);
	return failed;
}

int db_step_row(sqlite3_stmt *st, const char *what, struct err *e)
{
	int rc = sqlite3_step(st), result = 0;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		result = db_err(e, sqlite3_db_handle(st), what);
	(void)sqlite3_reset(st);
	return result;
}

int db_get_i64(sqlite3 *db, const char *sql, int64_t *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*out = 0;
	if (db_prepare(db, &st, sql, e) != 0)
		return -1;
	rc = db_step_row(st, sql, e);
	if (rc == 1)
		*out = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st); /* repeats the error of the step */
	return rc < 0 ? -1 : 0;
}

int db_user_version(sqlite3 *db, int *out, struct err *e)
{
	int64_t v;

	if (db_get_i64(db, "PRAGMA user_version", &v, e) != 0)
		return -1;
	*out = (int)v;
	return 0;
}

static int check_owner(sqlite3 *db, const char *path, struct err *e)
{
	int64_t id, tables;

	if (db_get_i64(db, "PRAGMA application_id", &id, e) != 0)
		return -1;
	if (id == DB_APPLICATION_ID)
		return 0;
	if (db_get_i64(db, "SELECT count(*) FROM sqlite_schema", &tables, e) != 0)
		return -1;
	if (id != 0 || tables != 0)
		return err_set(e, ERR_CORRUPT, 0, "%s is not a database of belfry", path);
	return 0;
}

/* journal_mode answers with the mode that holds now, and never fails aloud. */
static int set_wal(sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st;
	bool wal = false;
	int rc;

	if (db_prepare(db, &st, "PRAGMA journal_mode=WAL", e) != 0)
		return -1;
	rc = db_step_row(st, "journal_mode=WAL", e);
	if (rc == 1)
		wal = str_eq(db_column_str(st, 0), STR("wal"));
	(void)sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	if (!wal)
		return err_set(e, ERR_IO, 0, "journal_mode=WAL refused by the file system");
	return 0;
}

static const char *sync_pragma(unsigned flags)
{
	if (flags & DB_FULL_SYNC)
		return "PRAGMA synchronous=FULL";
	return (flags & DB_NO_SYNC) ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=NORMAL";
}

static int configure(sqlite3 *db, unsigned flags, struct err *e)
{
	if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
		sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
		return db_err(e, db, "configure");
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, 2000);
	if ((flags & DB_SMALL_CACHE) && db_exec(db, "PRAGMA cache_size=-512", e) != 0)
		return -1;
	if (flags & DB_READONLY)
		return 0;
	if ((flags & DB_BIG_PAGES) && db_exec(db, "PRAGMA page_size=16384", e) != 0)
		return -1;
	/* Turning a new file to WAL would sync it several times for nothing: see db_sync_file. */
	if ((flags & DB_CREATE) && !(flags & DB_FULL_SYNC) &&
		db_exec(db, "PRAGMA synchronous=OFF", e) != 0)
		return -1;
	if (!(flags & DB_ROLLBACK) && set_wal(db, e) != 0)
		return -1;
	if (db_exec(db, sync_pragma(flags), e) != 0)
		return -1;
	return db_exec(db, "PRAGMA secure_delete=OFF; PRAGMA wal_autocheckpoint=0", e);
}

int db_sync_file(sqlite3 *db, struct err *e)
{
	const char *path = sqlite3_db_filename(db, "main");
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = err_set(e, ERR_IO, errno, "sync %s: %s", path, err_strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int db_open(sqlite3 **out, const char *path, unsigned flags, struct err *e)
{
	int how = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	sqlite3 *db = NULL;

	*out = NULL;
	ASSERT(!((flags & DB_READONLY) && (flags & DB_CREATE)));
	how |= (flags & DB_READONLY) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	how |= (flags & DB_CREATE) ? SQLITE_OPEN_CREATE : 0;
	if (sqlite3_open_v2(path, &db, how, NULL) != SQLITE_OK) {
		(void)db_err(e, db, path);
		goto close_db;
	}
	if (configure(db, flags, e) != 0 || check_owner(db, path, e) != 0) {
		(void)err_wrap(e, "open %s", path);
		goto close_db;
	}
	*out = db;
	return 0;
close_db:
	(void)sqlite3_close(db);
	return -1;
}

void db_close(sqlite3 *db)
{
	int rc = sqlite3_close(db);

	ASSERT(rc == SQLITE_OK); /* else a statement was left behind */
}

static int migrate_step(sqlite3 *db, const char *sql, int version, struct err *e)
{
	char pragmas[96];
	struct err ignored;

	(void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d",
		DB_APPLICATION_ID, version);
	if (db_exec(db, "BEGIN IMMEDIATE", e) != 0)
		return -1;
	if (db_exec(db, sql, e) == 0 && db_exec(db, pragmas, e) == 0 &&
		db_exec(db, "COMMIT", e) == 0)
		return 0;
	(void)err_wrap(e, "migration to version %d", version);
	if (db_exec(db, "ROLLBACK", &ignored) != 0)
		return -1; /* the failure above is the one to tell */
	return -1;
}

int db_migrate(sqlite3 *db, const char *const *migrations, int n, struct err *e)
{
	int at;

	if (db_user_version(db, &at, e) != 0)
		return -1;
	if (at > n || at < 0)
		return err_set(e, ERR_CORRUPT, 0,
			"%s has schema version %d, this belfry knows up to %d: use the newer "
			"belfry "
			"that wrote it",
			sqlite3_db_filename(db, "main"), at, n);
	for (; at < n; at++) {
		if (migrate_step(db, migrations[at], at + 1, e) != 0)
			return -1;
	}
	return 0;
}

int db_checkpoint(sqlite3 *db, bool truncate, struct err *e)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return db_err(e, db, "checkpoint");
	return 0;
}

struct str db_column_str(sqlite3_stmt *st, int col)
{
	const char *p = sqlite3_column_blob(st, col); /* before _bytes: it may convert */
	int n = sqlite3_column_bytes(st, col);

	return str_n(p != NULL ? p : "", (size_t)n);
}

void db_bind_blob(sqlite3_stmt *st, int i, struct str s)
{
	int rc = sqlite3_bind_blob64(st, i, s.p != NULL ? s.p : "", s.n, SQLITE_STATIC);

	ASSERT(rc == SQLITE_OK || rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG);
}

void db_bind_text(sqlite3_stmt *st, int i, struct str s)
{
	int rc =
		sqlite3_bind_text64(st, i, s.p != NULL ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);

	ASSERT(rc == SQLITE_OK || rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG);
}
