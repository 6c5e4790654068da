/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db - SQLite connections as belfry wants them, statements and migrations.
 *
 * Every connection: WAL, automatic checkpoints off (writers call db_checkpoint), secure_delete
 * off (Debian builds it on), DEFENSIVE, trusted_schema off, no mutex (one thread at a time uses
 * a connection). Error kinds: ERR_LIMIT when the disk is full, ERR_CORRUPT for damaged or foreign
 * files, ERR_AGAIN for busy ones, ERR_IO otherwise; e->code is SQLite's extended code.
 */
#ifndef BELFRY_STORAGE_DB_H
#define BELFRY_STORAGE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define DB_APPLICATION_ID 0x424c4659 /* 'BLFY' */

enum db_flags {
	DB_CREATE = 1u,       /* make the file when it is missing */
	DB_READONLY = 2u,     /* the file must be there; nothing is written */
	DB_FULL_SYNC = 4u,    /* synchronous=FULL: a commit survives power loss; else NORMAL */
	DB_BIG_PAGES = 8u,    /* a new file gets 16 KiB pages: large blobs */
	DB_ROLLBACK = 16u,    /* no WAL: a file that is written once, then renamed into place */
	DB_NO_SYNC = 32u,     /* synchronous=OFF: only with DB_ROLLBACK, the caller syncs itself */
	DB_SMALL_CACHE = 64u, /* half a megabyte of pages: many connections, little to revisit */
};

/* flags: enum db_flags. NULL in *out on failure. */
int db_open(sqlite3 **out, const char *path, unsigned flags, struct err *e) MUST_CHECK;
/* Statements must be finalised before. NULL is a no-op. */
void db_close(sqlite3 *db);
/* One or more statements without results. */
int db_exec(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
/* A persistent statement: finalise with sqlite3_finalize. NULL in *out on failure. */
int db_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, struct err *e) MUST_CHECK;
/* Step a statement that gives no rows, then reset it and clear its bindings. */
int db_step_done(sqlite3_stmt *st, const char *what, struct err *e) MUST_CHECK;
/* Step for rows: 1 a row, 0 no more (the statement is reset), -1 failed (and reset). */
int db_step_row(sqlite3_stmt *st, const char *what, struct err *e) MUST_CHECK;
/* Fill *e from the connection's last error: "what: sqlite's message". Returns -1. */
int db_err(struct err *e, sqlite3 *db, const char *what);
/* The first column of the first row as an integer. */
int db_get_i64(sqlite3 *db, const char *sql, int64_t *out, struct err *e) MUST_CHECK;
int db_user_version(sqlite3 *db, int *out, struct err *e) MUST_CHECK;

/* Bring the schema to version n: migrations[i] is the SQL from version i to i + 1, each run in one
 * transaction with its user_version (and the application_id). A file of a newer version gives
 * ERR_CORRUPT and a message that names it. */
int db_migrate(sqlite3 *db, const char *const *migrations, int n, struct err *e) MUST_CHECK;

/* Move WAL content into the file without blocking readers (PASSIVE), or all of it and cut the WAL
 * to nothing (TRUNCATE, when no reader is active; fine when it can't). */
int db_checkpoint(sqlite3 *db, bool truncate, struct err *e) MUST_CHECK;
/* Sync the database file itself. A file made without DB_FULL_SYNC is not synced at birth, and
 * SQLite drops the WAL of a file that lost its first page: call this before what is in the WAL
 * counts. */
int db_sync_file(sqlite3 *db, struct err *e) MUST_CHECK;
/* Views of the row the statement stands on; valid until the next step. Blob or text. */
struct str db_column_str(sqlite3_stmt *st, int col);
/* Bind bytes that stay valid until the statement was stepped. */
void db_bind_blob(sqlite3_stmt *st, int i, struct str s);
void db_bind_text(sqlite3_stmt *st, int i, struct str s);

#endif
