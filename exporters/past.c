/* SPDX-License-Identifier: Apache-2.0 */
/* past - silences and acknowledgements out of a state.db; see past.h. */
#include "exporters/past.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/num.h"
#include "base/stop.h"
#include "exporters/history.h"
#include "exporters/silence_private.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define HISTORY_VERSION 3     /* of state.db: the first that has silences and a history */
#define BEFORE_MS       60000 /* a silence that was there when the alert began to fire */
#define SOON_MS         1000

struct silenced { /* an alert, by its fingerprint */
	uint64_t fingerprint;
	int64_t fired_ms, since_ms; /* since_ms 0: not silenced now */
};

struct reading {
	sqlite3 *db;
	struct arena *a;
	struct past *p;
	int64_t from_ms, to_ms;
	size_t cap_silences, cap_acks;
	struct map known;  /* ids of silences, by hash: struct str */
	struct map alerts; /* struct silenced, by fingerprint */
};

/* Room for one more; NULL when there is none. */
static void *grown(struct arena *a, void *old, size_t n, size_t *cap, size_t elem)
{
	void *p;

	if (n < *cap)
		return old;
	*cap = *cap * 2 + 16;
	p = arena_alloc(a, *cap, elem);
	if (p != NULL && n > 0)
		memcpy(p, old, n * elem);
	return p;
}

static int no_room(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "silences and acknowledgements need too much memory");
}

static int add_silence(
	struct past *p, size_t *cap, struct arena *a, const struct silence_view *v, struct err *e)
{
	p->silences = grown(a, p->silences, p->n_silences, cap, sizeof *p->silences);
	if (p->silences == NULL)
		return no_room(e);
	p->silences[p->n_silences++] = *v;
	return 0;
}

static int add_ack(
	struct past *p, size_t *cap, struct arena *a, const struct past_ack *ack, struct err *e)
{
	p->acks = grown(a, p->acks, p->n_acks, cap, sizeof *p->acks);
	if (p->acks == NULL)
		return no_room(e);
	p->acks[p->n_acks++] = *ack;
	return 0;
}

static bool given_up(struct err *e)
{
	return stop_asked() && stop_check(e) != 0;
}

/* --- the table of silences --- */

static int read_silence(struct reading *r, sqlite3_stmt *st, struct err *e)
{
	struct silence_view v = {.starts_at_ms = sqlite3_column_int64(st, 2),
		.ends_at_ms = sqlite3_column_int64(st, 3),
		.recurring = arena_str(r->a, db_column_str(st, 4))};
	struct silence_matcher *m = ARENA_ARRAY(r->a, MATCHERS_PER_SILENCE, struct silence_matcher);
	struct str *id = ARENA_NEW(r->a, struct str), blob = arena_str(r->a, db_column_str(st, 1));

	if (id == NULL || m == NULL || r->a->failed)
		return no_room(e);
	*id = v.id = arena_str(r->a, db_column_str(st, 0));
	map_add(&r->known, hash_str(*id), id);
	if (v.ends_at_ms <= r->from_ms || v.starts_at_ms > r->to_ms)
		return 0;
	if (!silence_read_matchers(blob, m, &v.n_matchers))
		return err_set(e, ERR_CORRUPT, 0, "a silence's row is damaged");
	v.matchers = m;
	return add_silence(r->p, &r->cap_silences, r->a, &v, e);
}

static int read_silences(struct reading *r, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(r->db, &st,
		    "SELECT id,matchers,starts_ms,ends_ms,recurring FROM silence ORDER BY "
		    "starts_ms,id",
		    e) != 0)
		return -1;
	while ((rc = db_step_row(st, "read silences", e)) > 0) {
		if (given_up(e) || read_silence(r, st, e) != 0) {
			rc = -1;
			break;
		}
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static bool is_known(const struct reading *r, struct str id)
{
	struct map_iter it;

	for (const struct str *s = map_first(&r->known, hash_str(id), &it); s != NULL;
		s = map_next(&r->known, &it)) {
		if (str_eq(*s, id))
			return true;
	}
	return false;
}

/* --- the history --- */

static uint64_t mixed(uint64_t fingerprint)
{
	return labels_hash_mix(0, fingerprint, fingerprint);
}

static struct silenced *alert_of(struct reading *r, uint64_t fingerprint)
{
	uint64_t hash = mixed(fingerprint);
	struct map_iter it;
	struct silenced *x;

	for (x = map_first(&r->alerts, hash, &it); x != NULL; x = map_next(&r->alerts, &it)) {
		if (x->fingerprint == fingerprint)
			return x;
	}
	x = ARENA_NEW(r->a, struct silenced);
	if (x == NULL)
		return NULL;
	x->fingerprint = fingerprint;
	x->fired_ms = INT64_MIN;
	map_add(&r->alerts, hash, x);
	return x;
}

static int labels_of(struct reading *r, uint64_t fingerprint, struct labels *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*out = (struct labels){NULL, 0};
	if (db_prepare(r->db, &st, "SELECT labels FROM history_alert WHERE fingerprint=?", e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, (int64_t)fingerprint);
	rc = db_step_row(st, "read an alert", e);
	if (rc > 0)
		rc = labels_blob_read(arena_str(r->a, db_column_str(st, 0)), r->a, out, e);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* A silence of exactly this alert. */
static int rebuild(struct reading *r, struct silenced *x, int64_t until_ms, struct err *e)
{
	struct silence_view v = {.starts_at_ms = x->since_ms, .ends_at_ms = until_ms};
	struct silence_matcher *m;
	struct labels ls;

	x->since_ms = 0;
	if (until_ms <= r->from_ms || v.starts_at_ms > r->to_ms || v.starts_at_ms >= until_ms)
		return 0;
	if (labels_of(r, x->fingerprint, &ls, e) != 0)
		return -1;
	v.n_matchers = MIN_OF(ls.n, MATCHERS_PER_SILENCE);
	if (v.n_matchers == 0)
		return 0; /* nobody knows any more what it was */
	v.matchers = m = ARENA_ARRAY(r->a, v.n_matchers, struct silence_matcher);
	v.id = arena_printf(
		r->a, "00000000-0000-4000-8000-%012llx", (unsigned long long)r->p->n_silences);
	if (m == NULL || r->a->failed)
		return no_room(e);
	for (size_t i = 0; i < v.n_matchers; i++)
		m[i] = (struct silence_matcher){ls.v[i].name, ls.v[i].value, false, true};
	r->p->n_rebuilt++;
	return add_silence(r->p, &r->cap_silences, r->a, &v, e);
}

/* One of these silences still stands in its table. */
static bool any_known(const struct reading *r, struct str ids)
{
	struct str id;

	while (str_split(&ids, ' ', &id)) {
		if (is_known(r, id))
			return true;
	}
	return false;
}

static int fact(struct reading *r, sqlite3_stmt *st, struct err *e)
{
	int64_t at = sqlite3_column_int64(st, 0);
	uint64_t fp = (uint64_t)sqlite3_column_int64(st, 1);
	int kind = sqlite3_column_int(st, 2);
	struct str detail = db_column_str(st, 3);
	struct silenced *x;

	if (kind == HISTORY_ACKNOWLEDGED || kind == HISTORY_UNACKNOWLEDGED) {
		struct past_ack ack = {
			at, fp, arena_str(r->a, detail), kind == HISTORY_UNACKNOWLEDGED};

		return at < r->from_ms || at > r->to_ms
			       ? 0
			       : add_ack(r->p, &r->cap_acks, r->a, &ack, e);
	}
	x = alert_of(r, fp);
	if (x == NULL)
		return no_room(e);
	if (x->since_ms != 0 && rebuild(r, x, at, e) != 0)
		return -1;
	if (kind == HISTORY_FIRING)
		x->fired_ms = at;
	else if (kind == HISTORY_SILENCED && !any_known(r, detail))
		x->since_ms = at - SOON_MS <= x->fired_ms ? at - BEFORE_MS : at;
	return 0;
}

static int read_history(struct reading *r, struct err *e)
{
	struct silenced *x;
	sqlite3_stmt *st;
	size_t pos = 0;
	int rc;

	if (db_prepare(r->db, &st,
		    "SELECT at_ms,fingerprint,kind,detail FROM history WHERE kind IN "
		    "(?,?,?,?,?,?) ORDER BY id",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int(st, 1, HISTORY_FIRING);
	(void)sqlite3_bind_int(st, 2, HISTORY_RESOLVED);
	(void)sqlite3_bind_int(st, 3, HISTORY_SILENCED);
	(void)sqlite3_bind_int(st, 4, HISTORY_UNSILENCED);
	(void)sqlite3_bind_int(st, 5, HISTORY_ACKNOWLEDGED);
	(void)sqlite3_bind_int(st, 6, HISTORY_UNACKNOWLEDGED);
	while ((rc = db_step_row(st, "read the history", e)) > 0) {
		if (given_up(e) || fact(r, st, e) != 0) {
			rc = -1;
			break;
		}
	}
	(void)sqlite3_finalize(st);
	while (rc == 0 && (x = map_each(&r->alerts, &pos)) != NULL) {
		if (x->since_ms != 0)
			rc = rebuild(r, x, i64_add_sat(r->to_ms, 1), e);
	}
	return rc;
}

int past_read(sqlite3 *db, int64_t from_ms, int64_t to_ms, struct arena *a, struct past *out,
	struct err *e)
{
	struct reading r = {.db = db, .a = a, .p = out, .from_ms = from_ms, .to_ms = to_ms};
	int version, rc = 0;

	*out = (struct past){.silences = NULL};
	if (to_ms <= 0) /* nobody did anything before 1970: who asks so wants to know who answers */
		return 0;
	if (db_user_version(db, &version, e) != 0)
		return -1;
	if (version < HISTORY_VERSION)
		return 0;
	map_init(&r.known);
	map_init(&r.alerts);
	if (read_silences(&r, e) != 0 || read_history(&r, e) != 0)
		rc = -1;
	map_fini(&r.known);
	map_fini(&r.alerts);
	return rc;
}

/* --- as rows --- */

int past_put_silences(sqlite3 *db, const struct past *p, struct err *e)
{
	struct silence_set set;
	int rc = 0;

	silence_set_init(&set);
	for (size_t i = 0; i < p->n_silences && rc == 0; i++) {
		struct silence_view v = p->silences[i];
		struct silence *x;

		rc = silence_make(&x, &v, e);
		if (rc != 0)
			break;
		(void)snprintf(x->id, sizeof x->id, STR_FMT, STR_ARG(v.id));
		x->updated_ms = INT64_MIN / 2; /* until its start it waits */
		x->dirty = true;
		x->next_dirty = set.dirty;
		set.dirty = x;
		silence_add(&set, x);
	}
	if (rc == 0)
		rc = silence_write(&set, db, e);
	silence_set_fini(&set);
	return rc;
}
