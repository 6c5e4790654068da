/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_query - the story of an alert, from state.db: what it did, what held it back, who was
 * told and how that went. Any thread, on a read-only connection of its own.
 */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/matcher.h"
#include "base/matcher_parse.h"
#include "base/num.h"
#include "exporters/history.h"
#include "exporters/message.h"
#include "storage/db.h"
#include "storage/labels_blob.h"

#define EVENTS_MAX   200 /* of one alert, the newest */
#define MESSAGES_MAX 50
#define LOOK_AT      1000 /* alerts of the name that are compared with the matchers */

static const char *const kind_names[HISTORY_KINDS] = {"firing", "resolved", "grouped", "silenced",
	"inhibited", "muted", "unsilenced", "uninhibited", "unmuted", "told", "refused", "pending",
	"calmed", "acknowledged", "unacknowledged", "escalated"};
_Static_assert(HISTORY_KINDS == 16, "a new kind needs its name here and its sentence below");

/* --- one event as a sentence --- */

static void number_or_nothing(struct buf *b, const char *before, sqlite3_stmt *st, int col)
{
	if (sqlite3_column_type(st, col) == SQLITE_NULL)
		return;
	buf_c(b, before);
	message_number(b, sqlite3_column_double(st, col));
}

/* Columns: 0 at, 1 kind, 2 detail, 3 value, 4 worst, 5 threshold, 6 op. */
static void values(struct buf *b, sqlite3_stmt *st, const char *first)
{
	struct str op = db_column_str(st, 6);

	number_or_nothing(b, first, st, 3);
	if (op.n > 0 && sqlite3_column_type(st, 5) != SQLITE_NULL) {
		buf_c(b, " (alert when ");
		buf_str(b, op);
		number_or_nothing(b, " ", st, 5);
		buf_ch(b, ')');
	}
}

/* --- who held it back, and who was told --- */

#define NAMED_MAX 3u /* inhibiting alerts and silences of one event */

/* The first row's columns of a question with one parameter go through put(). */
static bool ask(sqlite3 *db, const char *sql, struct str text, int64_t number, struct buf *b,
	void (*put)(struct buf *b, sqlite3_stmt *st))
{
	sqlite3_stmt *st;
	struct err e;
	bool found;

	if (db_prepare(db, &st, sql, &e) != 0)
		return false; /* the event is told without it */
	if (text.n > 0)
		db_bind_text(st, 1, text);
	else
		(void)sqlite3_bind_int64(st, 1, number);
	found = db_step_row(st, "look up", &e) > 0;
	if (found)
		put(b, st);
	(void)sqlite3_finalize(st);
	return found;
}

static void put_name(struct buf *b, sqlite3_stmt *st)
{
	buf_str(b, db_column_str(st, 0));
}

static void put_silence(struct buf *b, sqlite3_stmt *st)
{
	struct str who = db_column_str(st, 0), comment = db_column_str(st, 1);

	if (who.n > 0) {
		buf_c(b, " of ");
		buf_str(b, who);
	}
	if (comment.n > 0) {
		buf_c(b, ", \"");
		buf_str(b, str_sub(comment, 0, 200));
		buf_ch(b, '"');
	}
}

static void inhibited(struct buf *b, sqlite3 *db, struct str fingerprints)
{
	struct str fp;

	buf_c(b, "held back, since another alert fires: ");
	for (size_t i = 0; str_split(&fingerprints, ' ', &fp) && i < NAMED_MAX; i++) {
		uint64_t number = 0;

		for (size_t k = 0; k < fp.n; k++)
			number = number << 4 |
				 (uint64_t)(fp.p[k] <= '9' ? fp.p[k] - '0' : fp.p[k] - 'a' + 10);
		buf_c(b, i > 0 ? ", " : "");
		if (ask(db, "SELECT name FROM history_alert WHERE fingerprint=?", STR(""),
			    (int64_t)number, b, put_name))
			buf_ch(b, ' ');
		buf_printf(b, "(" STR_FMT ")", STR_ARG(fp));
	}
}

static void silenced(struct buf *b, sqlite3 *db, struct str ids)
{
	struct str id;

	buf_c(b, "held back by ");
	for (size_t i = 0; str_split(&ids, ' ', &id) && i < NAMED_MAX; i++) {
		buf_c(b, i > 0 ? "; silence " : "silence ");
		buf_str(b, id);
		(void)ask(db, "SELECT created_by,comment FROM silence WHERE id=?", id, 0, b,
			put_silence);
	}
}

/* Of a group's key, route:labels, what a reader knows: the labels. */
static void grouped(struct buf *b, struct str key)
{
	size_t at = key.n;

	while (at > 2 && !str_starts(str_sub(key, at - 3, key.n), STR("}:{")))
		at--;
	key = at > 2 ? str_sub(key, at - 1, key.n) : key;
	if (str_eq(key, STR("{}"))) {
		buf_c(b, "joined the one group of its route");
	} else {
		buf_c(b, "joined the group ");
		buf_str(b, key);
	}
}

/* Group key and names: the names. */
static void muted(struct buf *b, struct str detail)
{
	size_t at = detail.n;

	while (at > 1 && !str_starts(str_sub(detail, at - 2, detail.n), STR("} ")))
		at--;
	buf_c(b, "held back by time interval ");
	buf_str(b, at > 1 ? str_sub(detail, at, detail.n) : detail);
}

/* "ID RECEIVER/KIND/INDEX WHY"; a receiver's name may have blanks. False: it is none. */
static bool split_told(
	struct str detail, struct str *id, struct str *receiver, struct str *kind, struct str *why)
{
	if (!str_split(&detail, ' ', id))
		return false;
	for (size_t i = 0; i < detail.n; i++) {
		size_t k = i + 1, digits;

		while (k < detail.n && detail.p[k] >= 'a' && detail.p[k] <= 'z')
			k++;
		for (digits = k + 1;
			digits < detail.n && detail.p[digits] >= '0' && detail.p[digits] <= '9';)
			digits++;
		if (detail.p[i] != '/' || k == i + 1 || k >= detail.n || detail.p[k] != '/' ||
			digits == k + 1 || (digits < detail.n && detail.p[digits] != ' '))
			continue;
		*receiver = str_sub(detail, 0, i);
		*kind = str_sub(detail, i + 1, k);
		*why = str_sub(detail, digits + 1, detail.n);
		return true;
	}
	return false;
}

static void told(struct buf *b, const char *verb, struct str detail)
{
	struct str id, receiver, kind, why;

	if (!split_told(detail, &id, &receiver, &kind, &why)) {
		buf_printf(b, "%s: ", verb);
		buf_str(b, detail);
		return;
	}
	buf_printf(b, "%s ", verb);
	buf_str(b, receiver);
	buf_c(b, " by ");
	buf_str(b, kind);
	buf_c(b, ": ");
	if (str_eq(why, str_c(message_reason_text(REASON_REPEAT))))
		buf_c(b, "a reminder, since it still fires");
	else
		buf_str(b, why);
	buf_c(b, " (message ");
	buf_str(b, id);
	buf_ch(b, ')');
}

/* Events whose detail is a part of their sentence. */
static void with_detail(struct buf *b, sqlite3 *db, int kind, struct str detail)
{
	switch (kind) {
	case HISTORY_GROUPED: grouped(b, detail); return;
	case HISTORY_SILENCED: silenced(b, db, detail); return;
	case HISTORY_INHIBITED: inhibited(b, db, detail); return;
	case HISTORY_MUTED: muted(b, detail); return;
	case HISTORY_TOLD: told(b, "told", detail); return;
	case HISTORY_REFUSED: told(b, "not told", detail); return;
	case HISTORY_ACKNOWLEDGED: buf_c(b, "acknowledged by "); break;
	case HISTORY_UNACKNOWLEDGED: buf_c(b, "acknowledgement taken back by "); break;
	case HISTORY_ESCALATED: break;
	default: buf_c(b, "unknown event "); break;
	}
	buf_str(b, detail);
}

static void sentence(struct buf *b, sqlite3_stmt *st, int kind, struct str detail)
{
	switch (kind) {
	case HISTORY_PENDING:
		buf_c(b, "condition is true, waiting out its \"for\"");
		values(b, st, "; value ");
		break;
	case HISTORY_CALMED:
		buf_c(b, "condition is no longer true; it never fired");
		values(b, st, "; value ");
		break;
	case HISTORY_FIRING:
		buf_c(b, str_starts(detail, STR("external")) ? "firing, as another server says"
							     : "firing");
		values(b, st, "; value ");
		break;
	case HISTORY_RESOLVED:
		buf_c(b, "over");
		values(b, st, "; value ");
		number_or_nothing(b, ", worst ", st, 4);
		break;
	case HISTORY_UNSILENCED: buf_c(b, "no longer silenced"); break;
	case HISTORY_UNINHIBITED: buf_c(b, "no longer held back by another alert"); break;
	case HISTORY_UNMUTED: buf_c(b, "no longer held back by a time interval"); break;
	default: with_detail(b, sqlite3_db_handle(st), kind, detail); break;
	}
}

static void write_event(struct jsonw *j, sqlite3_stmt *st)
{
	int kind = sqlite3_column_int(st, 1);
	struct str detail = db_column_str(st, 2);
	struct buf text;

	buf_init(&text, 8192);
	sentence(&text, st, kind, detail);
	jsonw_object(j);
	jsonw_key(j, "time");
	jsonw_rfc3339(j, sqlite3_column_int64(st, 0));
	jsonw_kv_c(j, "event", kind >= 0 && kind < HISTORY_KINDS ? kind_names[kind] : "unknown");
	jsonw_kv_str(j, "text", buf_view(&text));
	jsonw_kv_str(j, "detail", detail);
	if (sqlite3_column_type(st, 3) != SQLITE_NULL)
		jsonw_kv_f64(j, "value", sqlite3_column_double(st, 3));
	jsonw_object_end(j);
	buf_fini(&text);
}

static int write_events(struct jsonw *j, sqlite3 *db, int64_t fp, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT at_ms,kind,detail,value,worst,threshold,op FROM (SELECT * FROM history "
		    "WHERE fingerprint=? ORDER BY id DESC LIMIT ?) ORDER BY id",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, fp);
	(void)sqlite3_bind_int(st, 2, EVENTS_MAX);
	jsonw_key(j, "events");
	jsonw_array(j);
	while ((rc = db_step_row(st, "read the history", e)) > 0)
		write_event(j, st);
	jsonw_array_end(j);
	(void)sqlite3_finalize(st);
	return rc;
}

/* --- messages --- */

static const char *outcome_text(int outcome)
{
	switch (outcome) {
	case ATTEMPT_DELIVERED: return "delivered";
	case ATTEMPT_AGAIN: return "failed, will be repeated";
	case ATTEMPT_REFUSED: return "given up";
	case ATTEMPT_EXPIRED: return "expired";
	case ATTEMPT_REPLACED: return "replaced by a newer message";
	default: return "note";
	}
}

static int write_attempts(struct jsonw *j, sqlite3 *db, struct str id, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT at_ms,outcome,n,detail FROM attempt WHERE message_id=? ORDER BY id "
		    "LIMIT 100",
		    e) != 0)
		return -1;
	db_bind_text(st, 1, id);
	jsonw_key(j, "attempts");
	jsonw_array(j);
	while ((rc = db_step_row(st, "read attempts", e)) > 0) {
		jsonw_object(j);
		jsonw_key(j, "time");
		jsonw_rfc3339(j, sqlite3_column_int64(st, 0));
		jsonw_kv_i64(j, "attempt", sqlite3_column_int64(st, 2));
		jsonw_kv_c(j, "outcome", outcome_text(sqlite3_column_int(st, 1)));
		jsonw_kv_str(j, "detail", db_column_str(st, 3));
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	(void)sqlite3_finalize(st);
	return rc;
}

/* The messages that told of the alert: their ids stand first in the details of "told". */
static int write_messages(struct jsonw *j, sqlite3 *db, int64_t fp, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT at_ms,detail FROM (SELECT * FROM history WHERE fingerprint=? AND "
		    "kind=? "
		    "ORDER BY id DESC LIMIT ?) ORDER BY id",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int64(st, 1, fp);
	(void)sqlite3_bind_int(st, 2, HISTORY_TOLD);
	(void)sqlite3_bind_int(st, 3, MESSAGES_MAX);
	jsonw_key(j, "messages");
	jsonw_array(j);
	while ((rc = db_step_row(st, "read messages", e)) > 0) {
		struct str rest = db_column_str(st, 1), id;

		if (!str_split(&rest, ' ', &id))
			continue;
		jsonw_object(j);
		jsonw_key(j, "time");
		jsonw_rfc3339(j, sqlite3_column_int64(st, 0));
		jsonw_kv_str(j, "id", id);
		jsonw_kv_str(j, "to", rest);
		if (write_attempts(j, db, id, e) != 0)
			rc = -1;
		jsonw_object_end(j);
		if (rc < 0)
			break;
	}
	jsonw_array_end(j);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* --- which alerts --- */

struct wanted {
	struct arena arena; /* names and values of m */
	struct str name;
	struct matcher *m;
	size_t n;
	int64_t fp;
	bool by_fp;
};

static bool hex16(struct str s, int64_t *out)
{
	uint64_t v = 0;

	if (s.n != 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*out = (int64_t)v;
	return true;
}

static int understand(struct str what, struct wanted *w, struct err *e)
{
	size_t brace = 0;

	*w = (struct wanted){0};
	arena_init(&w->arena, (size_t)1 << 20);
	what = str_trim(what);
	if (what.n == 0 || what.n > 4096)
		return err_set(e, ERR_INPUT, 400,
			"name an alert: its name, name{label=\"value\"}, or its fingerprint");
	w->by_fp = hex16(what, &w->fp);
	if (w->by_fp)
		return 0;
	while (brace < what.n && what.p[brace] != '{')
		brace++;
	w->name = str_trim(str_sub(what, 0, brace));
	if (brace == what.n)
		return 0;
	return matchers_parse(&w->arena, str_sub(what, brace, what.n), &w->m, &w->n, e);
}

static int write_alert(struct jsonw *j, sqlite3 *db, int64_t fp, struct labels ls, struct err *e)
{
	char hex[17];
	int rc;

	(void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)fp);
	jsonw_object(j);
	jsonw_kv_c(j, "fingerprint", hex);
	jsonw_key(j, "labels");
	jsonw_labels(j, ls);
	rc = write_events(j, db, fp, e);
	if (rc == 0)
		rc = write_messages(j, db, fp, e);
	jsonw_object_end(j);
	return rc;
}

/* Rows: fingerprint, labels; the newest first. */
static int prepare_wanted(sqlite3 *db, const struct wanted *w, sqlite3_stmt **st, struct err *e)
{
	if (db_prepare(db, st,
		    "SELECT fingerprint,labels FROM history_alert WHERE (?1 AND fingerprint=?2) OR "
		    "(NOT ?1 AND (?3='' OR name=?3)) ORDER BY last_ms DESC LIMIT ?4",
		    e) != 0)
		return -1;
	(void)sqlite3_bind_int(*st, 1, w->by_fp);
	(void)sqlite3_bind_int64(*st, 2, w->fp);
	db_bind_text(*st, 3, w->name);
	(void)sqlite3_bind_int(*st, 4, LOOK_AT);
	return 0;
}

static void wanted_fini(struct wanted *w)
{
	for (size_t i = 0; i < w->n; i++)
		matcher_fini(&w->m[i]);
	arena_fini(&w->arena);
}

static int write_wanted(
	struct jsonw *j, sqlite3 *db, const struct wanted *w, size_t max, struct err *e)
{
	struct arena a;
	sqlite3_stmt *st;
	size_t n = 0;
	int rc = 0;

	if (prepare_wanted(db, w, &st, e) != 0)
		return -1;
	arena_init(&a, (size_t)4 << 20);
	while (n < max && (rc = db_step_row(st, "look an alert up", e)) > 0) {
		struct labels ls;

		arena_reset(&a);
		rc = labels_blob_read(db_column_str(st, 1), &a, &ls, e);
		if (rc == 0 && !matchers_match(w->m, w->n, ls))
			continue;
		if (rc == 0)
			rc = write_alert(j, db, sqlite3_column_int64(st, 0), ls, e);
		if (rc != 0)
			break;
		n++;
	}
	arena_fini(&a);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* The newest group and incident of an alert; false when it never fired. */
static bool newest_incident(
	sqlite3 *db, int64_t fp, struct arena *a, struct str *group, int64_t *incident)
{
	sqlite3_stmt *st;
	struct err e;
	bool found = false;

	if (db_prepare(db, &st,
		    "SELECT detail, (SELECT max(at_ms) FROM history WHERE fingerprint=?1 AND "
		    "kind=?3)"
		    " FROM history WHERE fingerprint=?1 AND kind=?2 ORDER BY id DESC LIMIT 1",
		    &e) != 0)
		return false;
	(void)sqlite3_bind_int64(st, 1, fp);
	(void)sqlite3_bind_int(st, 2, HISTORY_GROUPED);
	(void)sqlite3_bind_int(st, 3, HISTORY_FIRING);
	if (db_step_row(st, "look an incident up", &e) > 0) {
		*group = arena_str(a, db_column_str(st, 0));
		*incident = sqlite3_column_int64(st, 1);
		found = group->n > 0;
	}
	(void)sqlite3_finalize(st);
	return found;
}

int history_newest_incident(struct state *s, struct str what, struct arena *a, struct str *group,
	int64_t *incident, struct err *e)
{
	struct wanted w;
	struct labels ls;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	bool found = false;
	int rc = understand(what, &w, e);

	if (rc == 0)
		rc = state_reader(s, &db, e);
	if (rc == 0)
		rc = prepare_wanted(db, &w, &st, e);
	while (rc == 0 && !found && (rc = db_step_row(st, "look an alert up", e)) > 0) {
		rc = labels_blob_read(arena_str(a, db_column_str(st, 1)), a, &ls, e);
		found = rc == 0 && matchers_match(w.m, w.n, ls) &&
			newest_incident(db, sqlite3_column_int64(st, 0), a, group, incident);
	}
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	wanted_fini(&w);
	if (rc >= 0 && !found)
		return err_set(e, ERR_INPUT, 404, "no such alert fired as far as belfry remembers");
	return rc < 0 ? -1 : 0;
}

int history_explain_json(
	struct state *s, struct str what, size_t max, struct buf *out, struct err *e)
{
	struct wanted w;
	struct jsonw j;
	sqlite3 *db;
	int rc = understand(what, &w, e);

	if (rc == 0)
		rc = state_reader(s, &db, e);
	if (rc == 0) {
		jsonw_init(&j, out);
		jsonw_object(&j);
		jsonw_key(&j, "alerts");
		jsonw_array(&j);
		rc = write_wanted(&j, db, &w, max, e);
		jsonw_array_end(&j);
		jsonw_object_end(&j);
		(void)sqlite3_close(db);
	}
	wanted_fini(&w);
	return rc;
}
