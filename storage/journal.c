/* SPDX-License-Identifier: Apache-2.0 */
/* journal - creating, appending to, reading and removing segments; see journal.h. */
#include "storage/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/db.h"

static const char *const schema[] = {
	"CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE base (id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE TABLE frame (id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE TABLE intent (level INTEGER, start INTEGER, PRIMARY KEY (level, start))"
	" WITHOUT ROWID",
};

static void name_segment(struct journal *j, int64_t gen)
{
	j->gen = gen;
	(void)snprintf(j->path, sizeof j->path, "%s/j%lld.db", j->dir, (long long)gen);
}

static void unlink_segment(const char *path)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};
	char name[600];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, suffix[i]);
		if (unlink(name) != 0 && errno != ENOENT)
			log_warn("storage", "msg=\"cannot unlink\" file=%s err=\"%s\"", name,
				err_strerror(errno));
	}
}

static int prepare(struct journal *j, struct err *e)
{
	if (db_prepare(j->db, &j->frame, "INSERT INTO frame (sum, data) VALUES (?1, ?2)", e) != 0 ||
		db_prepare(j->db, &j->base, "INSERT INTO base (sum, data) VALUES (?1, ?2)", e) !=
			0 ||
		db_prepare(j->db, &j->intent, "INSERT OR IGNORE INTO intent VALUES (?1, ?2)", e) !=
			0)
		return -1;
	return 0;
}

void journal_close(struct journal *j)
{
	(void)sqlite3_finalize(j->frame);
	(void)sqlite3_finalize(j->base);
	(void)sqlite3_finalize(j->intent);
	db_close(j->db);
	j->frame = j->base = j->intent = NULL;
	j->db = NULL;
	j->in_txn = false;
}

void journal_discard(struct journal *j)
{
	if (j->db != NULL)
		(void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	journal_close(j);
	unlink_segment(j->path);
}

static int open_segment(struct journal *j, unsigned flags, struct err *e)
{
	if (db_open(&j->db, j->path, flags | DB_SMALL_CACHE | j->db_flags, e) != 0)
		return -1;
	/* A segment is unlinked whole: its WAL need never be moved. */
	(void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (db_migrate(j->db, schema, (int)ARRAY_LEN(schema), e) != 0)
		return -1;
	return prepare(j, e);
}

int journal_create(struct journal *j, const char *dir, int64_t gen, unsigned db_flags, bool sync,
	struct err *e)
{
	*j = (struct journal){.db_flags = db_flags};
	(void)snprintf(j->dir, sizeof j->dir, "%s", dir);
	name_segment(j, gen);
	unlink_segment(j->path);
	if (open_segment(j, DB_CREATE | DB_BIG_PAGES, e) != 0 ||
		(sync && db_exec(j->db, "PRAGMA synchronous=FULL", e) != 0) ||
		db_exec(j->db, "BEGIN IMMEDIATE", e) != 0) {
		journal_discard(j);
		return -1;
	}
	j->in_txn = true;
	return 0;
}

static int insert(struct journal *j, sqlite3_stmt *st, struct str blob, struct err *e)
{
	(void)j;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)(hash_fixed(blob.p, blob.n) >> 1));
	db_bind_blob(st, 2, blob);
	return db_step_done(st, "write journal", e);
}

int journal_add_base(struct journal *j, struct str blob, struct err *e)
{
	ASSERT(j->in_txn);
	j->base_bytes += blob.n;
	return insert(j, j->base, blob, e);
}

static int sync_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0) {
		(void)err_set(e, ERR_IO, errno, "sync %s: %s", dir, err_strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	(void)close(fd);
	return 0;
}

int journal_complete(struct journal *j, bool sync, struct err *e)
{
	ASSERT(j->in_txn);
	if (sync && db_sync_file(j->db, e) != 0)
		return -1;
	if (db_exec(j->db, "INSERT INTO info VALUES ('complete', 1); COMMIT", e) != 0)
		return -1;
	j->in_txn = false;
	if (sync && sync_dir(j->dir, e) != 0)
		return -1;
	if (j->db_flags & DB_FULL_SYNC)
		return 0;
	return db_exec(j->db, "PRAGMA synchronous=NORMAL", e);
}

int journal_append(struct journal *j, struct str frame, struct err *e)
{
	ASSERT(!j->in_txn);
	if (insert(j, j->frame, frame, e) != 0) /* a transaction of its own */
		return -1;
	j->bytes += frame.n;
	j->frames++;
	return 0;
}

int journal_add_intent(struct journal *j, uint8_t level, int64_t start, struct err *e)
{
	(void)sqlite3_bind_int64(j->intent, 1, level);
	(void)sqlite3_bind_int64(j->intent, 2, start);
	return db_step_done(j->intent, "write intent", e);
}

static bool is_complete(struct journal *j, struct err *e)
{
	int64_t n = 0;

	return db_get_i64(j->db, "SELECT count(*) FROM info WHERE key = 'complete'", &n, e) == 0 &&
	       n == 1;
}

static void move_aside(const struct journal *j, const struct err *e)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};
	long long now = (long long)clock_wall_ms() / 1000;
	char from[600], to[700];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(from, sizeof from, "%s%s", j->path, suffix[i]);
		(void)snprintf(to, sizeof to, "%s.corrupt-%lld%s", j->path, now, suffix[i]);
		(void)rename(from, to);
	}
	log_error("storage",
		"msg=\"damaged journal moved aside, recent samples are missing\" file=%s "
		"err=\"%s\"",
		j->path, e->msg);
}

static int by_gen_down(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? 1 : *x > *y ? -1 : 0;
}

/* Generations of the segments in the directory, newest first. */
static int list(const char *dir, int64_t **out, size_t *n, struct err *e)
{
	DIR *dp = opendir(dir);
	struct dirent *d;
	size_t cap = 0;

	*out = NULL;
	*n = 0;
	if (dp == NULL)
		return err_set(e, ERR_IO, errno, "cannot read %s: %s", dir, err_strerror(errno));
	while ((d = readdir(dp)) != NULL) {
		struct str s = str_c(d->d_name);
		long long gen;

		if (!str_starts(s, STR("j")) || !str_ends(s, STR(".db")) ||
			!str_to_i64(str_sub(s, 1, s.n - 3), &gen))
			continue;
		if (*n == cap) {
			cap = cap * 2 + 8;
			*out = realloc(*out, cap * sizeof **out);
			ASSERT(*out != NULL);
		}
		(*out)[(*n)++] = gen;
	}
	(void)closedir(dp);
	if (*n > 0)
		qsort(*out, *n, sizeof **out, by_gen_down);
	return 0;
}

/* 1: it is the truth; 0: incomplete, or damaged and moved aside; -1: can't go on. */
static int try_segment(struct journal *j, struct err *e)
{
	int rc;

	e->kind = ERR_NONE;
	if (open_segment(j, 0, e) == 0 && is_complete(j, e))
		return 1;
	rc = e->kind == ERR_NONE || e->kind == ERR_CORRUPT ? 0 : -1;
	if (e->kind == ERR_CORRUPT && strstr(e->msg, "newer belfry") != NULL)
		rc = -1;
	journal_close(j);
	if (rc == 0 && e->kind == ERR_CORRUPT)
		move_aside(j, e);
	return rc;
}

/* All but the segment that counts: older, or never completed. If none counts though there was one
 * before, they are kept for whoever can read them. */
static void clear_others(
	struct journal *j, const int64_t *gens, size_t n, bool found, bool expected)
{
	struct journal other = *j;
	struct err e;

	(void)err_set(&e, ERR_CORRUPT, 0, "no complete journal segment was found");
	if (!found && expected && n == 0)
		log_error("storage", "msg=\"the journal is missing, recent samples are lost\"");
	for (size_t i = 0; i < n; i++) {
		if (found && gens[i] == j->gen)
			continue;
		name_segment(&other, gens[i]);
		if (!found && expected && access(other.path, F_OK) == 0)
			move_aside(&other, &e);
		else
			unlink_segment(other.path);
	}
}

int journal_recover(
	struct journal *j, const char *dir, unsigned db_flags, bool expected, struct err *e)
{
	int64_t *gens;
	size_t n;
	int found = 0;

	*j = (struct journal){.db_flags = db_flags};
	(void)snprintf(j->dir, sizeof j->dir, "%s", dir);
	if (list(dir, &gens, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n && found == 0; i++) {
		name_segment(j, gens[i]);
		found = try_segment(j, e);
	}
	if (found >= 0)
		clear_others(j, gens, n, found == 1, expected);
	free(gens);
	return found < 0 ? -1 : 0;
}

int journal_open_view(struct journal *j, const char *dir, struct err *e)
{
	bool found = false;
	int64_t *gens;
	size_t n;

	*j = (struct journal){.db_flags = DB_READONLY};
	(void)snprintf(j->dir, sizeof j->dir, "%s", dir);
	if (list(dir, &gens, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n && !found; i++) {
		struct err why;

		name_segment(j, gens[i]);
		found = db_open(&j->db, j->path, DB_READONLY, &why) == 0 && is_complete(j, &why);
		if (!found)
			journal_close(j);
	}
	free(gens);
	return 0;
}

static int each(struct journal *j, const char *sql,
	int (*fn)(struct str blob, void *arg, struct err *e), void *arg, uint64_t *bad,
	struct err *e)
{
	sqlite3_stmt *st;
	int rc, failed = 0;

	if (db_prepare(j->db, &st, sql, e) != 0)
		return -1;
	while (failed == 0 && (rc = db_step_row(st, "read journal", e)) == 1) {
		struct str blob = db_column_str(st, 1);

		if (sqlite3_column_int64(st, 0) !=
			(sqlite3_int64)(hash_fixed(blob.p, blob.n) >> 1)) {
			(*bad)++;
			continue;
		}
		failed = fn(blob, arg, e);
		j->bytes += blob.n;
	}
	if (failed == 0 && rc < 0)
		failed = -1;
	(void)sqlite3_finalize(st);
	return failed;
}

int journal_each_base(struct journal *j, int (*fn)(struct str blob, void *arg, struct err *e),
	void *arg, uint64_t *bad, struct err *e)
{
	int rc = each(j, "SELECT sum, data FROM base ORDER BY id", fn, arg, bad, e);

	j->base_bytes = j->bytes;
	j->bytes = 0;
	return rc;
}

int journal_each_frame(struct journal *j, int (*fn)(struct str blob, void *arg, struct err *e),
	void *arg, uint64_t *bad, struct err *e)
{
	int rc = each(j, "SELECT sum, data FROM frame ORDER BY id", fn, arg, bad, e);
	int64_t n = 0;

	if (rc == 0 && db_get_i64(j->db, "SELECT count(*) FROM frame", &n, e) != 0)
		return -1;
	j->frames = (uint64_t)n;
	return rc;
}

int journal_each_intent(struct journal *j,
	int (*fn)(uint8_t level, int64_t start, void *arg, struct err *e), void *arg, struct err *e)
{
	sqlite3_stmt *st;
	int rc, failed = 0;

	if (db_prepare(j->db, &st, "SELECT level, start FROM intent", e) != 0)
		return -1;
	while (failed == 0 && (rc = db_step_row(st, "read intents", e)) == 1)
		failed =
			fn((uint8_t)sqlite3_column_int(st, 0), sqlite3_column_int64(st, 1), arg, e);
	if (failed == 0 && rc < 0)
		failed = -1;
	(void)sqlite3_finalize(st);
	return failed;
}

uint64_t journal_disk_bytes(const struct journal *j)
{
	static const char *const suffix[] = {"", "-wal"};
	char name[600];
	uint64_t sum = 0;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(suffix) && j->path[0] != 0; i++) {
		(void)snprintf(name, sizeof name, "%s%s", j->path, suffix[i]);
		if (stat(name, &st) == 0)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}
