/* SPDX-License-Identifier: Apache-2.0 */
/* catalog - loading and saving series, strings, ranges, metadata and facts; see catalog.h. */
#include "storage/catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/rd.h"
#include "storage/db.h"

#define BLOB_BYTES ((size_t)1 << 20) /* a row of strings or series is cut near this size */

static const char *const schema[] = {
	"CREATE TABLE info (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE strings (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE range (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE metadata (metric BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE fact (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
};

int catalog_open(struct catalog *c, const char *dir, unsigned db_flags, struct err *e)
{
	*c = (struct catalog){.n_strings = 1, .next_id = 1};
	(void)snprintf(c->path, sizeof c->path, "%s/catalog.db", dir);
	if (db_open(&c->db, c->path, DB_CREATE | DB_BIG_PAGES | db_flags, e) != 0)
		return -1;
	if (db_migrate(c->db, schema, (int)ARRAY_LEN(schema), e) != 0 ||
		catalog_get_info(c, "gen", &c->gen, e) != 0) {
		catalog_close(c);
		return -1;
	}
	return 0;
}

void catalog_close(struct catalog *c)
{
	db_close(c->db);
	c->db = NULL;
	free(c->dirty);
	c->dirty = NULL;
}

int catalog_open_view(struct catalog *c, const char *dir, struct err *e)
{
	int version;

	*c = (struct catalog){.n_strings = 1, .next_id = 1};
	(void)snprintf(c->path, sizeof c->path, "%s/catalog.db", dir);
	if (db_open(&c->db, c->path, DB_READONLY, e) != 0)
		return -1;
	if (db_user_version(c->db, &version, e) != 0 || catalog_get_info(c, "gen", &c->gen, e) != 0)
		goto close_db;
	if (version != (int)ARRAY_LEN(schema)) {
		(void)err_set(
			e, ERR_CORRUPT, 0, "%s was written by another version of belfry", c->path);
		goto close_db;
	}
	return 0;
close_db:
	catalog_close(c);
	return -1;
}

int catalog_get_info(struct catalog *c, const char *key, int64_t *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*out = 0;
	if (db_prepare(c->db, &st, "SELECT value FROM info WHERE key = ?1", e) != 0)
		return -1;
	db_bind_text(st, 1, str_c(key));
	rc = db_step_row(st, "read catalog", e);
	if (rc == 1)
		*out = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

int catalog_set_info(struct catalog *c, const char *key, int64_t v, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(c->db, &st, "INSERT OR REPLACE INTO info VALUES (?1, ?2)", e) != 0)
		return -1;
	db_bind_text(st, 1, str_c(key));
	(void)sqlite3_bind_int64(st, 2, v);
	rc = db_step_done(st, "write catalog", e);
	(void)sqlite3_finalize(st);
	return rc;
}

/* --- loading --- */

static int broken(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, 0, "catalog: broken %s", what);
}

static int each_blob(struct catalog *c, const char *sql,
	int (*fn)(struct catalog *c, struct index *x, sqlite3_stmt *st, struct err *e),
	struct index *x, struct err *e)
{
	sqlite3_stmt *st;
	int rc, failed = 0;

	if (db_prepare(c->db, &st, sql, e) != 0)
		return -1;
	while (failed == 0 && (rc = db_step_row(st, "read catalog", e)) == 1)
		failed = fn(c, x, st, e);
	if (failed == 0 && rc < 0)
		failed = -1;
	(void)sqlite3_finalize(st);
	return failed;
}

static int load_strings(struct catalog *c, struct index *x, sqlite3_stmt *st, struct err *e)
{
	struct rd r = rd_of(db_column_str(st, 1));

	if (sqlite3_column_int64(st, 0) != x->sym.n)
		return broken(e, "order of strings");
	while (rd_more(&r)) {
		struct str s = rd_bytes(&r, rd_varint(&r));
		uint32_t want = x->sym.n;

		if (r.bad || symtab_add(&x->sym, s) != want)
			return broken(e, "strings");
	}
	c->n_strings = x->sym.n;
	return r.bad ? broken(e, "strings") : 0;
}

static int load_series(struct catalog *c, struct index *x, sqlite3_stmt *st, struct err *e)
{
	struct rd r = rd_of(db_column_str(st, 1));
	uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
	uint32_t symbols[2 * LIMIT_LABELS];

	while (rd_more(&r)) {
		uint64_t n;

		id += rd_varint(&r);
		n = rd_varint(&r);
		if (r.bad || n > LIMIT_LABELS || id >= UINT32_MAX)
			return broken(e, "series");
		for (uint64_t i = 0; i < 2 * n; i++) {
			uint64_t symbol = rd_varint(&r);

			symbols[i] = symbol < UINT32_MAX ? (uint32_t)symbol : 0;
		}
		if (r.bad || !index_load(x, (uint32_t)id, symbols, n))
			return broken(e, "series");
	}
	(void)c;
	return r.bad ? broken(e, "series") : 0;
}

static int load_ranges(struct catalog *c, struct index *x, sqlite3_stmt *st, struct err *e)
{
	uint64_t block = (uint64_t)sqlite3_column_int64(st, 0);
	struct rd r = rd_of(db_column_str(st, 1));

	(void)c;
	for (uint32_t i = 0; i < SERIES_BLOCK; i++) {
		struct series *s = NULL;
		int64_t mint = (int64_t)rd_fixed64(&r), maxt = (int64_t)rd_fixed64(&r);

		if (r.bad || block > UINT32_MAX / SERIES_BLOCK)
			return broken(e, "ranges");
		s = index_get(x, (uint32_t)(block * SERIES_BLOCK + i));
		if (s != NULL) {
			s->mint = mint;
			s->maxt = maxt;
		}
	}
	return 0;
}

static int load_meta(struct catalog *c, struct smap *meta, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(c->db, &st, "SELECT metric, data FROM metadata", e) != 0)
		return -1;
	while ((rc = db_step_row(st, "read metadata", e)) == 1) {
		if (!smap_set(meta, db_column_str(st, 0), db_column_str(st, 1))) {
			rc = err_set(e, ERR_LIMIT, 0, "no memory for metadata");
			break;
		}
		meta->v[meta->n - 1].dirty = false;
	}
	(void)sqlite3_finalize(st);
	return rc;
}

int catalog_load(struct catalog *c, struct index *x, struct smap *meta, struct err *e)
{
	int64_t next = 1, series = 0;

	if (catalog_get_info(c, "next_id", &next, e) != 0 ||
		catalog_get_info(c, "series", &series, e) != 0)
		return -1;
	if (series > 0 && series < UINT32_MAX && !index_reserve(x, (uint32_t)series))
		return err_set(e, ERR_LIMIT, 0, "no memory for %lld series", (long long)series);
	if (each_blob(c, "SELECT id, data FROM strings ORDER BY id", load_strings, x, e) != 0 ||
		each_blob(c, "SELECT id, data FROM series ORDER BY id", load_series, x, e) != 0)
		return -1;
	if (next > 0 && next < UINT32_MAX)
		x->next_id = MAX_OF(x->next_id, (uint32_t)next);
	c->next_id = x->next_id;
	if (!index_fit(x))
		return err_set(e, ERR_LIMIT, 0, "no memory for the index");
	if (each_blob(c, "SELECT id, data FROM range ORDER BY id", load_ranges, x, e) != 0)
		return -1;
	return load_meta(c, meta, e);
}

/* --- saving --- */

void catalog_touch(struct catalog *c, uint32_t id)
{
	uint32_t block = id / SERIES_BLOCK;

	if (block >= c->n_dirty) {
		uint32_t n = block + block / 2 + 64;
		uint8_t *d = realloc(c->dirty, n);

		ASSERT(d != NULL);
		memset(d + c->n_dirty, 0, n - c->n_dirty);
		c->dirty = d;
		c->n_dirty = n;
	}
	c->dirty[block] = 1;
}

static int put_row(sqlite3_stmt *st, int64_t id, struct buf *b, struct err *e)
{
	if (b->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to write the catalog");
	if (b->n == 0)
		return 0;
	(void)sqlite3_bind_int64(st, 1, id);
	db_bind_blob(st, 2, buf_view(b));
	if (db_step_done(st, "write catalog", e) != 0)
		return -1;
	buf_reset(b);
	return 0;
}

static int save_strings(struct catalog *c, const struct index *x, struct buf *b, struct err *e)
{
	uint32_t first = c->n_strings;
	sqlite3_stmt *st;
	int rc = 0;

	if (db_prepare(c->db, &st, "INSERT OR REPLACE INTO strings VALUES (?1, ?2)", e) != 0)
		return -1;
	buf_reset(b);
	for (uint32_t i = c->n_strings; i < x->sym.n && rc == 0; i++) {
		buf_varint(b, x->sym.v[i].n);
		buf_str(b, symtab_str(&x->sym, i));
		if (b->n < BLOB_BYTES)
			continue;
		rc = put_row(st, first, b, e);
		first = i + 1;
	}
	if (rc == 0)
		rc = put_row(st, first, b, e);
	(void)sqlite3_finalize(st);
	return rc;
}

static int save_series(
	struct catalog *c, const struct index *x, uint32_t from, struct buf *b, struct err *e)
{
	uint32_t first = from, last = from;
	sqlite3_stmt *st;
	int rc = 0;

	if (db_prepare(c->db, &st, "INSERT OR REPLACE INTO series VALUES (?1, ?2)", e) != 0)
		return -1;
	buf_reset(b);
	for (uint32_t id = from; id < x->next_id && rc == 0; id++) {
		const struct series *s = index_get(x, id);

		if (s == NULL)
			continue;
		buf_varint(b, id - last);
		last = id;
		buf_varint(b, s->n_pairs);
		for (uint32_t i = 0; i < s->n_pairs; i++) {
			buf_varint(b, x->pairs[s->pairs[i]].name);
			buf_varint(b, x->pairs[s->pairs[i]].value);
		}
		if (b->n < BLOB_BYTES)
			continue;
		rc = put_row(st, first, b, e);
		first = last = id + 1;
	}
	if (rc == 0)
		rc = put_row(st, first, b, e);
	(void)sqlite3_finalize(st);
	return rc;
}

static int save_ranges(struct catalog *c, const struct index *x, struct buf *b, struct err *e)
{
	sqlite3_stmt *st;
	int rc = 0;

	if (db_prepare(c->db, &st, "INSERT OR REPLACE INTO range VALUES (?1, ?2)", e) != 0)
		return -1;
	for (uint32_t block = 0; block < c->n_dirty && rc == 0; block++) {
		if (!c->dirty[block])
			continue;
		buf_reset(b);
		for (uint32_t i = 0; i < SERIES_BLOCK; i++) {
			const struct series *s = index_get(x, block * SERIES_BLOCK + i);
			int64_t r[2] = {s ? s->mint : INT64_MAX, s ? s->maxt : INT64_MIN};

			buf_add(b, r, sizeof r);
		}
		rc = put_row(st, block, b, e);
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static int save_map(
	struct catalog *c, const struct smap *m, const char *set, const char *del, struct err *e)
{
	sqlite3_stmt *st, *out = NULL;
	int rc = 0;

	if (db_prepare(c->db, &st, set, e) != 0)
		return -1;
	if (del != NULL && db_prepare(c->db, &out, del, e) != 0) {
		(void)sqlite3_finalize(st);
		return -1;
	}
	for (size_t i = 0; i < m->n && rc == 0; i++) {
		sqlite3_stmt *q = del != NULL && m->v[i].value.n == 0 ? out : st;

		if (!m->v[i].dirty)
			continue;
		db_bind_blob(q, 1, m->v[i].key);
		if (q == st)
			db_bind_blob(q, 2, m->v[i].value);
		rc = db_step_done(q, "write catalog", e);
	}
	(void)sqlite3_finalize(out);
	(void)sqlite3_finalize(st);
	return rc;
}

static int save_all(struct catalog *c, const struct index *x, struct smap *meta,
	const struct smap *facts, int64_t gen, struct buf *b, struct err *e)
{
	uint32_t from = c->rewrite ? 1 : c->next_id;

	if (c->rewrite && db_exec(c->db, "DELETE FROM series", e) != 0)
		return -1;
	if (save_strings(c, x, b, e) != 0 || save_series(c, x, from, b, e) != 0 ||
		save_ranges(c, x, b, e) != 0)
		return -1;
	if (save_map(c, meta, "INSERT OR REPLACE INTO metadata VALUES (?1, ?2)", NULL, e) != 0 ||
		save_map(c, facts, "INSERT OR REPLACE INTO fact VALUES (?1, ?2)",
			"DELETE FROM fact WHERE key = ?1", e) != 0)
		return -1;
	if (catalog_set_info(c, "gen", gen, e) != 0 ||
		catalog_set_info(c, "series", x->n_series, e) != 0)
		return -1;
	return catalog_set_info(c, "next_id", x->next_id, e);
}

int catalog_save(struct catalog *c, const struct index *x, struct smap *meta,
	const struct smap *facts, int64_t gen, bool sync, struct err *e)
{
	struct err ignored;
	struct buf b;
	int rc;

	if (sync &&
		(db_exec(c->db, "PRAGMA synchronous=FULL", e) != 0 || db_sync_file(c->db, e) != 0))
		return -1;
	if (db_exec(c->db, "BEGIN IMMEDIATE", e) != 0)
		return -1;
	buf_init(&b, BLOB_BYTES * 4);
	rc = save_all(c, x, meta, facts, gen, &b, e);
	buf_fini(&b);
	if (rc == 0)
		rc = db_exec(c->db, "COMMIT", e);
	if (rc != 0) {
		if (db_exec(c->db, "ROLLBACK", &ignored) != 0)
			return -1; /* the first failure is the one to tell */
		return -1;
	}
	c->n_strings = x->sym.n;
	c->next_id = x->next_id;
	c->gen = gen;
	c->rewrite = false;
	if (c->n_dirty > 0)
		memset(c->dirty, 0, c->n_dirty);
	for (size_t i = 0; i < meta->n; i++)
		meta->v[i].dirty = false;
	return sync ? db_checkpoint(c->db, false, e) : 0;
}

int catalog_each_fact(const char *path, struct str prefix,
	void (*fn)(struct str key, struct str value, void *arg), void *arg, struct err *e)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int rc;

	if (db_open(&db, path, DB_READONLY, e) != 0)
		return -1;
	if (db_prepare(db, &st, "SELECT key, value FROM fact WHERE key >= ?1 ORDER BY key", e) !=
		0) {
		db_close(db);
		return -1;
	}
	db_bind_blob(st, 1, prefix);
	while ((rc = db_step_row(st, "read facts", e)) == 1) {
		struct str key = db_column_str(st, 0);

		if (!str_starts(key, prefix)) {
			rc = 0;
			break;
		}
		fn(key, db_column_str(st, 1), arg);
	}
	(void)sqlite3_finalize(st);
	db_close(db);
	return rc;
}
