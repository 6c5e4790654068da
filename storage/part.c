/* SPDX-License-Identifier: Apache-2.0 */
/* part - partition files, their list and their write connections; see part.h. */
#include "storage/part.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/db.h"

static const int64_t level_days[PART_LEVELS] = {1, 32};

#define NEAR_PAST_MS   (INT64_C(40) * PART_DAY_MS) /* older data goes to level 1 */
#define NEAR_FUTURE_MS (INT64_C(2) * PART_DAY_MS)

static const char *const schema[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE pack (id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, gen INTEGER NOT NULL,"
	" mint INTEGER NOT NULL, maxt INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE INDEX pack_grp ON pack (grp, mint, maxt)",
};

void part_bounds(int64_t t, int64_t now, uint8_t *level, int64_t *start, int64_t *end)
{
	int64_t len;

	*level = t < i64_sub_sat(now, NEAR_PAST_MS) || t > i64_add_sat(now, NEAR_FUTURE_MS);
	len = level_days[*level] * PART_DAY_MS;
	*start = i64_floor_div(t, len) * len;
	*end = *start + len;
}

static struct part *part_new(struct parts *ps, uint8_t level, int64_t start, uint32_t rev)
{
	static _Atomic uint64_t last_uid;
	struct part *p = calloc(1, sizeof *p);
	int64_t len = level_days[level] * PART_DAY_MS;

	ASSERT(p != NULL);
	p->uid = atomic_fetch_add(&last_uid, 1) + 1;
	p->owner = ps;
	p->level = level;
	p->start = start;
	p->end = start + len;
	p->rev = rev;
	p->shift = PART_SHIFT;
	atomic_init(&p->refs, 1);
	(void)snprintf(p->path, sizeof p->path, "%s/d%d_%lld.%u.db", ps->dir,
		(int)level_days[level], (long long)(start / len), rev);
	return p;
}

struct part *part_next_revision(const struct part *p, uint32_t shift)
{
	struct part *next = part_new(p->owner, p->level, p->start, p->rev + 1);

	next->shift = shift;
	return next;
}

int part_make_schema(sqlite3 *db, struct err *e)
{
	return db_migrate(db, schema, (int)ARRAY_LEN(schema), e);
}

/* --- list --- */

static int order(const struct part *a, const struct part *b)
{
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (int)a->level - (int)b->level;
}

void parts_insert(struct parts *ps, struct part *p)
{
	size_t i = ps->n;

	if (ps->n == ps->cap) {
		size_t cap = ps->cap * 2 + 16;
		struct part **v = realloc(ps->v, cap * sizeof(struct part *));

		ASSERT(v != NULL);
		ps->v = v;
		ps->cap = cap;
	}
	for (; i > 0 && order(ps->v[i - 1], p) > 0; i--)
		ps->v[i] = ps->v[i - 1];
	ps->v[i] = p;
	ps->n++;
}

void parts_remove(struct parts *ps, struct part *p)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (ps->v[i] != p)
			continue;
		for (; i + 1 < ps->n; i++)
			ps->v[i] = ps->v[i + 1];
		ps->n--;
		return;
	}
	ASSERT(false); /* it was in the list */
}

struct part *parts_find(const struct parts *ps, uint8_t level, int64_t start)
{
	for (size_t i = ps->n; i > 0; i--) {
		if (ps->v[i - 1]->start == start && ps->v[i - 1]->level == level)
			return ps->v[i - 1];
	}
	return NULL;
}

static void unlink_db(const char *path)
{
	static const char *const suffix[] = {"", "-wal", "-shm", "-journal"};
	char name[600];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, suffix[i]);
		if (unlink(name) != 0 && errno != ENOENT)
			log_warn("storage", "msg=\"cannot unlink\" file=%s err=%s", name,
				err_strerror(errno));
	}
}

/* Parse "d32_-5.2.db"; false for every other name. */
static bool parse_name(const char *name, uint8_t *level, int64_t *start, uint32_t *rev)
{
	struct str s = str_c(name), days, number, revision;
	long long d, n;
	unsigned long long r;

	if (!str_starts(s, STR("d")) || !str_ends(s, STR(".db")))
		return false;
	s = str_sub(s, 1, s.n - 3);
	if (!str_split(&s, '_', &days) || !str_split(&s, '.', &number))
		return false;
	revision = s;
	if (!str_to_i64(days, &d) || !str_to_i64(number, &n) || !str_to_u64(revision, &r))
		return false;
	for (uint8_t l = 0; l < PART_LEVELS; l++) {
		if (d == level_days[l] && n < INT64_C(1) << 40 && n > -(INT64_C(1) << 40) &&
			r < UINT32_MAX) {
			*level = l;
			*start = n * d * PART_DAY_MS;
			*rev = (uint32_t)r;
			return true;
		}
	}
	return false;
}

static void take_file(struct parts *ps, uint8_t level, int64_t start, uint32_t rev)
{
	struct part *had = parts_find(ps, level, start);
	struct part *p = part_new(ps, level, start, rev);

	if (had != NULL && had->rev >= rev) {
		if (!ps->view)
			unlink_db(p->path);
		free(p);
		return;
	}
	if (had != NULL) { /* a rewrite was renamed into place, the old file not yet removed */
		if (!ps->view)
			unlink_db(had->path);
		parts_remove(ps, had);
		free(had);
	}
	parts_insert(ps, p);
}

/* Is it a partition of ours? A new or half-made file (no table yet) is not. */
static int probe(struct part *p, struct err *e)
{
	sqlite3 *db;
	int64_t shift = PART_SHIFT;
	int rc = -1;

	if (db_open(&db, p->path, p->owner->view ? DB_READONLY : 0, e) != 0)
		return -1;
	if ((p->owner->view || part_make_schema(db, e) == 0) &&
		db_get_i64(db, "SELECT coalesce((SELECT value FROM meta WHERE key = 'shift'), 6)",
			&shift, e) == 0)
		rc = shift >= 0 && shift < 31 ? 0 : err_set(e, ERR_CORRUPT, 0, "bad shift");
	p->shift = (uint32_t)shift;
	db_close(db);
	return rc;
}

static void move_aside(const char *path, const struct err *e)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};
	long long now = (long long)clock_wall_ms() / 1000;
	char from[600], to[700];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(from, sizeof from, "%s%s", path, suffix[i]);
		(void)snprintf(to, sizeof to, "%s.corrupt-%lld%s", path, now, suffix[i]);
		(void)rename(from, to);
	}
	log_error("storage",
		"msg=\"damaged file moved aside, its samples do not answer\" file=%s "
		"err=\"%s\"",
		path, e->msg);
}

/* A rewrite that was not finished. */
static void unlink_half_made(const struct parts *ps, const char *name)
{
	char path[700];

	(void)snprintf(path, sizeof path, "%s/%s", ps->dir, name);
	unlink_db(path);
}

static int read_dir(struct parts *ps, const char *dir, struct err *e)
{
	struct dirent *d;
	DIR *dp;

	(void)pthread_mutex_init(&ps->lock, NULL);
	(void)snprintf(ps->dir, sizeof ps->dir, "%s", dir);
	dp = opendir(dir);
	if (dp == NULL)
		return err_set(e, ERR_IO, errno, "cannot read %s: %s", dir, err_strerror(errno));
	while ((d = readdir(dp)) != NULL) {
		uint8_t level;
		int64_t start;
		uint32_t rev;

		if (parse_name(d->d_name, &level, &start, &rev))
			take_file(ps, level, start, rev);
		else if (str_ends(str_c(d->d_name), STR(".db.tmp")) && !ps->view)
			unlink_half_made(ps, d->d_name);
	}
	(void)closedir(dp);
	return 0;
}

int parts_open(struct parts *ps, const char *dir, unsigned db_flags, struct err *e)
{
	*ps = (struct parts){.db_flags = db_flags};
	if (read_dir(ps, dir, e) != 0)
		return -1;
	for (size_t i = 0; i < ps->n;) {
		struct part *p = ps->v[i];
		struct err why;

		if (probe(p, &why) == 0) {
			i++;
			continue;
		}
		if (why.kind != ERR_CORRUPT || strstr(why.msg, "newer belfry") != NULL) {
			*e = why;
			return err_wrap(e, "partition");
		}
		move_aside(p->path, &why);
		parts_remove(ps, p);
		free(p);
	}
	return 0;
}

int parts_open_view(struct parts *ps, const char *dir, struct err *e)
{
	*ps = (struct parts){.db_flags = DB_READONLY, .view = true};
	if (read_dir(ps, dir, e) != 0)
		return -1;
	for (size_t i = 0; i < ps->n;) {
		struct part *p = ps->v[i];
		struct err why;

		if (probe(p, &why) == 0) {
			i++;
			continue;
		}
		log_warn("storage", "msg=\"file cannot be read\" file=%s err=\"%s\"", p->path,
			why.msg);
		parts_remove(ps, p);
		free(p);
	}
	return 0;
}

struct part *part_create(struct parts *ps, uint8_t level, int64_t start, struct err *e)
{
	struct part *p = part_new(ps, level, start, 0);
	sqlite3 *db;

	if (db_open(&db, p->path, DB_CREATE | DB_BIG_PAGES | DB_SMALL_CACHE | ps->db_flags, e) != 0)
		goto free_part;
	if (part_make_schema(db, e) != 0)
		goto close_db;
	p->db = db;
	p->used = ++ps->clock;
	return p;
close_db:
	db_close(db);
	unlink_db(p->path);
free_part:
	free(p);
	return NULL;
}

/* --- references --- */

struct part *part_ref(struct part *p)
{
	(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

static void close_reader(struct part_reader *r)
{
	(void)sqlite3_finalize(r->list);
	(void)sqlite3_finalize(r->get);
	db_close(r->db);
	free(r);
}

static void close_idle(struct part *p)
{
	struct part_reader *r;

	(void)pthread_mutex_lock(&p->owner->lock);
	r = p->idle;
	p->idle = NULL;
	for (struct part_reader *q = r; q != NULL; q = q->next)
		p->owner->n_idle--;
	(void)pthread_mutex_unlock(&p->owner->lock);
	while (r != NULL) {
		struct part_reader *next = r->next;

		close_reader(r);
		r = next;
	}
}

static void close_writer(struct part *p)
{
	(void)sqlite3_finalize(p->insert);
	p->insert = NULL;
	db_close(p->db);
	p->db = NULL;
}

void part_unref(struct part *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	close_idle(p);
	close_writer(p);
	free(p);
}

void part_unlink(struct part *p)
{
	atomic_store(&p->gone, true);
	close_idle(p);
	if (p->db != NULL)
		(void)sqlite3_db_config(p->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_writer(p);
	unlink_db(p->path);
}

void parts_close(struct parts *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		ASSERT(atomic_load(&ps->v[i]->refs) == 1);
		part_unref(ps->v[i]);
	}
	free(ps->v);
	ps->v = NULL;
	ps->n = ps->cap = 0;
	(void)pthread_mutex_destroy(&ps->lock);
}

/* --- writing --- */

static int need_writer(struct part *p, struct err *e)
{
	static const char sql[] =
		"INSERT INTO pack (grp, gen, mint, maxt, data) VALUES (?1, ?2, ?3, ?4, ?5)";

	p->used = ++p->owner->clock;
	if (p->db == NULL && db_open(&p->db, p->path, p->owner->db_flags | DB_SMALL_CACHE, e) != 0)
		return -1;
	if (p->insert == NULL && db_prepare(p->db, &p->insert, sql, e) != 0)
		return -1;
	return 0;
}

int part_begin(struct part *p, struct err *e)
{
	ASSERT(!p->in_txn);
	if (need_writer(p, e) != 0 || db_exec(p->db, "BEGIN IMMEDIATE", e) != 0)
		return -1;
	p->in_txn = true;
	return 0;
}

int part_insert(struct part *p, uint32_t grp, int64_t gen, int64_t mint, int64_t maxt,
	struct str data, struct err *e)
{
	ASSERT(p->in_txn);
	(void)sqlite3_bind_int64(p->insert, 1, grp);
	(void)sqlite3_bind_int64(p->insert, 2, gen);
	(void)sqlite3_bind_int64(p->insert, 3, mint);
	(void)sqlite3_bind_int64(p->insert, 4, maxt);
	db_bind_blob(p->insert, 5, data);
	p->wal_bytes += (int64_t)data.n + 64;
	return db_step_done(p->insert, "write chunks", e);
}

int part_commit(struct part *p, struct err *e)
{
	ASSERT(p->in_txn);
	if (db_exec(p->db, "COMMIT", e) != 0)
		return -1;
	p->in_txn = false;
	(void)atomic_fetch_add(&p->content, 1);
	p->written_ms = clock_wall_ms();
	return 0;
}

void part_rollback(struct part *p)
{
	struct err e;

	if (!p->in_txn)
		return;
	p->in_txn = false;
	if (db_exec(p->db, "ROLLBACK", &e) != 0)
		close_writer(p); /* SQLite rolled back itself, or the handle is not to be trusted */
}

int part_undo(struct part *p, int64_t gen, struct err *e)
{
	char sql[96];

	if (need_writer(p, e) != 0)
		return -1;
	(void)snprintf(sql, sizeof sql, "DELETE FROM pack WHERE gen > %lld", (long long)gen);
	(void)atomic_fetch_add(&p->content, 1);
	return db_exec(p->db, sql, e);
}

int part_settle(struct part *p, bool truncate, struct err *e)
{
	if (p->db == NULL)
		return 0;
	if (db_checkpoint(p->db, truncate, e) != 0)
		return -1;
	p->wal_bytes = 0;
	return 0;
}

/* A checkpoint of the store may count on what this connection wrote: sync it now. */
static void settle_before_close(struct part *p)
{
	struct err e;

	if (p->wal_bytes > 0 && part_settle(p, false, &e) != 0)
		log_warn("storage", "msg=\"wal checkpoint\" file=%s err=\"%s\"", p->path, e.msg);
}

void parts_close_writers(struct parts *ps, bool all)
{
	size_t open = 0;

	for (size_t i = 0; i < ps->n; i++)
		open += ps->v[i]->db != NULL;
	while (open > (all ? 0 : PART_WRITERS)) {
		struct part *oldest = NULL;

		for (size_t i = 0; i < ps->n; i++) {
			struct part *p = ps->v[i];

			if (p->db != NULL && (oldest == NULL || p->used < oldest->used))
				oldest = p;
		}
		ASSERT(oldest != NULL);
		ASSERT(!oldest->in_txn);
		settle_before_close(oldest);
		close_writer(oldest);
		open--;
	}
}

uint64_t part_disk_bytes(const struct part *p)
{
	static const char *const suffix[] = {"", "-wal"};
	char name[600];
	uint64_t sum = 0;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		(void)snprintf(name, sizeof name, "%s%s", p->path, suffix[i]);
		if (stat(name, &st) == 0)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

uint64_t parts_disk_bytes(const struct parts *ps)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ps->n; i++)
		sum += part_disk_bytes(ps->v[i]);
	return sum;
}

/* --- reading --- */

static struct part_reader *open_reader(struct part *p, struct err *e)
{
	static const char list[] = "SELECT grp, id, mint, maxt FROM pack INDEXED BY pack_grp";
	static const char get[] = "SELECT data FROM pack WHERE id = ?1";
	struct part_reader *r = calloc(1, sizeof *r);

	ASSERT(r != NULL);
	r->part = p;
	if (db_open(&r->db, p->path, DB_READONLY | DB_SMALL_CACHE, e) != 0)
		goto free_reader;
	if (db_prepare(r->db, &r->list, list, e) != 0 || db_prepare(r->db, &r->get, get, e) != 0)
		goto close_db;
	return r;
close_db:
	(void)sqlite3_finalize(r->list);
	db_close(r->db);
free_reader:
	free(r);
	return NULL;
}

struct part_reader *part_reader_get(struct part *p, struct err *e)
{
	struct parts *ps = p->owner;
	struct part_reader *r;

	(void)pthread_mutex_lock(&ps->lock);
	r = p->idle;
	if (r != NULL) {
		p->idle = r->next;
		ps->n_idle--;
	}
	(void)pthread_mutex_unlock(&ps->lock);
	return r != NULL ? r : open_reader(p, e);
}

void part_reader_put(struct part_reader *r)
{
	struct parts *ps = r->part->owner;
	bool keep = false;

	(void)sqlite3_reset(r->list);
	(void)sqlite3_reset(r->get);
	(void)pthread_mutex_lock(&ps->lock);
	if (ps->n_idle < PART_READERS && !atomic_load(&r->part->gone)) {
		r->next = r->part->idle;
		r->part->idle = r;
		ps->n_idle++;
		keep = true;
	}
	(void)pthread_mutex_unlock(&ps->lock);
	if (!keep)
		close_reader(r);
}
