/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_resend - what waits and what was given up, as a list, and back into the queue; see
 * outbox.h.
 *
 * Parked rows stand in state.db only. The job chooses once, changes them there, in its
 * transaction, and then reads them into memory as after a start: however often the transaction is
 * tried, the change is repeated, and a row that is in memory already is not read again.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/notify_internal.h"
#include "exporters/outbox.h"
#include "storage/db.h"

#define WHO_MAX ((size_t)200)

/* An expired one is parked, and its story says why. 3: ATTEMPT_EXPIRED. */
#define STATE                                                                                      \
	"CASE WHEN parked=0 THEN 'waiting' WHEN EXISTS(SELECT 1 FROM attempt a WHERE "             \
	"a.message_id=outbox.message_id AND a.outcome=3) THEN 'expired' ELSE 'parked' END"

_Static_assert(ATTEMPT_EXPIRED == 3, "STATE names it");

/* --- the list --- */

static int counts(struct jsonw *j, sqlite3 *db, struct err *e)
{
	static const char *const states[] = {"waiting", "parked", "expired"};
	int64_t n[ARRAY_LEN(states)] = {0};
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st, "SELECT " STATE " AS s,count(*) FROM outbox GROUP BY s", e) != 0)
		return -1;
	while ((rc = db_step_row(st, "count messages", e)) > 0) {
		for (size_t i = 0; i < ARRAY_LEN(states); i++) {
			if (str_eq(db_column_str(st, 0), str_c(states[i])))
				n[i] = sqlite3_column_int64(st, 1);
		}
	}
	(void)sqlite3_finalize(st);
	jsonw_key(j, "counts");
	jsonw_object(j);
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		jsonw_kv_i64(j, states[i], n[i]);
	jsonw_object_end(j);
	return rc;
}

static void row_json(struct jsonw *j, sqlite3_stmt *st)
{
	int kind = sqlite3_column_int(st, 2);

	jsonw_object(j);
	jsonw_kv_str(j, "id", db_column_str(st, 0));
	jsonw_kv_str(j, "receiver", db_column_str(st, 1));
	jsonw_kv_c(j, "integration", integration_name((enum integration_kind)kind));
	jsonw_kv_i64(j, "index", sqlite3_column_int64(st, 3));
	jsonw_kv_str(j, "title", db_column_str(st, 4));
	jsonw_kv_str(j, "state", db_column_str(st, 5));
	jsonw_key(j, "created");
	jsonw_rfc3339(j, sqlite3_column_int64(st, 6));
	jsonw_key(j, "expires");
	jsonw_rfc3339(j, sqlite3_column_int64(st, 7));
	jsonw_kv_i64(j, "attempts", sqlite3_column_int64(st, 8));
	jsonw_kv_str(j, "error", db_column_str(st, 9));
	jsonw_object_end(j);
}

static int rows(struct jsonw *j, sqlite3 *db, const struct outbox_filter *f, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (db_prepare(db, &st,
		    "SELECT message_id,receiver,kind,idx,title," STATE
		    " AS s,created_ms,expires_ms,attempts,error FROM outbox "
		    "WHERE (?1='' OR s=?1) AND (?2='' OR receiver=?2) ORDER BY id LIMIT ?3",
		    e) != 0)
		return -1;
	db_bind_text(st, 1, f->state);
	db_bind_text(st, 2, f->receiver);
	(void)sqlite3_bind_int64(st, 3, (int64_t)MIN_OF(f->limit, (size_t)OUTBOX_LIST_MAX));
	jsonw_key(j, "messages");
	jsonw_array(j);
	while ((rc = db_step_row(st, "read messages", e)) > 0)
		row_json(j, st);
	jsonw_array_end(j);
	(void)sqlite3_finalize(st);
	return rc;
}

int outbox_json(struct notify *n, const struct outbox_filter *f, struct buf *out, struct err *e)
{
	struct jsonw j;
	sqlite3 *db;
	int rc;

	if (state_reader(n->state, &db, e) != 0)
		return -1;
	jsonw_init(&j, out);
	jsonw_object(&j);
	rc = counts(&j, db, e);
	if (rc == 0)
		rc = rows(&j, db, f, e);
	jsonw_object_end(&j);
	db_close(db);
	return rc;
}

/* --- once more --- */

struct pick {
	int64_t id;
	struct str instead; /* the fallback that was told in its place; or empty */
};

struct resend_job {
	struct state_job job;
	struct notify *n;
	const struct outbox_wish *w;
	struct outbox_answer answer;
	struct pick *picks; /* rows that wait again */
	struct arena arena;
	bool chosen; /* picks and answer stand: another attempt keeps them */
	bool tried_now;
};

/* --- which --- */

static void index_incident(struct map *out, uint64_t name, struct group *g)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%016llx-%lld", (unsigned long long)name,
		(long long)g->incident_ms);
	map_add(out, hash_str(str_c(text)), g);
}

/* What fires, by its incidents' names and beginnings as they stand in threads (group_thread,
 * outbox_thread). */
static void index_groups(const struct notify *n, struct map *out)
{
	struct group *g;
	size_t pos = 0;

	map_init(out);
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		uint64_t apart[] = {g->name, 0};

		if (g->dead || g->n_firing == 0)
			continue;
		index_incident(out, g->name, g);
		if (g->receiver == NULL)
			continue;
		apart[1] = hash_fixed(g->receiver, strlen(g->receiver));
		index_incident(out, hash_fixed(apart, sizeof apart), g);
	}
}

/* "belfry-<instance>-<name>-<beginning>-...": whether a group goes on with this incident. Of the 64
 * bits of a keyed hash: what is found is it. */
static bool goes_on(const struct map *firing, struct str thread)
{
	struct str part[4];
	struct map_iter it;
	const char *end;

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		if (!str_split(&thread, '-', &part[i]))
			return false;
	}
	end = part[3].p + part[3].n;
	return map_first(firing, hash_str(str_n(part[2].p, (size_t)(end - part[2].p))), &it) !=
	       NULL;
}

/* An alarm for what is over is none; an end of what began anew since would end that. Columns as
 * select_parked has them. */
static bool is_stale(const struct notify *n, const struct map *firing, sqlite3_stmt *st)
{
	const struct group *g = group_find(n, db_column_str(st, 5));
	bool fires = g != NULL && g->n_firing > 0;

	if (sqlite3_column_int(st, 4) == 0)
		return fires && g->incident_ms > sqlite3_column_int64(st, 7);
	if (fires && g->incident_ms <= sqlite3_column_int64(st, 7))
		return false;
	return !goes_on(firing, db_column_str(st, 6));
}

static int select_parked(const struct resend_job *rj, sqlite3 *db, sqlite3_stmt **st, struct err *e)
{
	if (db_prepare(db, st,
		    "SELECT id,receiver,kind,idx,firing,group_key,thread,created_ms,error FROM "
		    "outbox WHERE parked=1 AND id>?4 AND (?1='' OR message_id=?1) AND (?2='' OR "
		    "receiver=?2) ORDER BY id LIMIT ?3",
		    e) != 0)
		return -1;
	db_bind_text(*st, 1, rj->w->id);
	db_bind_text(*st, 2, rj->w->receiver);
	(void)sqlite3_bind_int64(*st, 3, OUTBOX_RESEND_MAX + 1);
	(void)sqlite3_bind_int64(*st, 4, rj->w->after);
	return 0;
}

/* The fallback that was told in its place is not told again: `tried` names it, but not in rows that
 * were parked before it did. */
static struct str told_instead(struct resend_job *rj, sqlite3_stmt *st)
{
	const struct receiver_config *r = outbox_receiver(rj->n, db_column_str(st, 1));
	struct str error = db_column_str(st, 8);

	if (r == NULL || r->fallback.n == 0 || !str_ends(error, r->fallback) ||
		!str_ends(str_sub(error, 0, error.n - r->fallback.n), STR("; told to ")))
		return STR("");
	return arena_str(&rj->arena, r->fallback);
}

static void judge(struct resend_job *rj, const struct map *firing, sqlite3_stmt *st)
{
	enum integration_kind kind = (enum integration_kind)sqlite3_column_int(st, 2);
	int64_t id = sqlite3_column_int64(st, 0);

	if (row_by_id(rj->n, id) != NULL)
		return; /* a call that was sent away has taken it back: it is yet to be written */
	if (outbox_integration(
		    rj->n, db_column_str(st, 1), kind, (size_t)sqlite3_column_int64(st, 3)) == NULL)
		rj->answer.gone++;
	else if (!rj->w->stale && is_stale(rj->n, firing, st))
		rj->answer.over++;
	else
		rj->picks[rj->answer.sent++] = (struct pick){id, told_instead(rj, st)};
}

static int choose(struct resend_job *rj, sqlite3 *db, struct err *e)
{
	struct map firing;
	sqlite3_stmt *st;
	size_t seen = 0;
	int rc;

	rj->answer = (struct outbox_answer){.next = rj->w->after};
	if (select_parked(rj, db, &st, e) != 0)
		return -1;
	index_groups(rj->n, &firing);
	while ((rc = db_step_row(st, "read messages", e)) > 0) {
		rj->answer.full = rj->n->n_rows + rj->answer.sent >= LIMIT_OUTBOX_ROWS;
		if (seen++ >= OUTBOX_RESEND_MAX || rj->answer.full) {
			rj->answer.more = true;
			break;
		}
		rj->answer.next = sqlite3_column_int64(st, 0);
		judge(rj, &firing, st);
	}
	map_fini(&firing);
	(void)sqlite3_finalize(st);
	rj->chosen = rc >= 0;
	return rc < 0 ? -1 : 0;
}

/* --- and back --- */

/* A bot's row begins anew: what it had told before stands in its thread's data, when the thread is
 * still its own (slack_bot.c). */
static int unpark(struct resend_job *rj, sqlite3 *db, struct err *e)
{
	int64_t now = clock_wall_ms(), expiry = rj->n->cfg->expiry_ms;
	sqlite3_stmt *set;
	int rc = 0;

	if (db_prepare(db, &set,
		    "UPDATE outbox SET parked=0,attempts=0,degraded=0,next_ms=?2,expires_ms=?3,"
		    "step=CASE WHEN kind=?5 THEN 0 ELSE step END,"
		    "tried=CASE WHEN ?4='' OR instr(char(10)||tried||char(10),"
		    "char(10)||?4||char(10))>0 THEN tried WHEN tried='' THEN ?4 "
		    "ELSE tried||char(10)||?4 END WHERE id=?1",
		    e) != 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < rj->answer.sent; i++) {
		(void)sqlite3_bind_int64(set, 1, rj->picks[i].id);
		(void)sqlite3_bind_int64(set, 2, now);
		(void)sqlite3_bind_int64(
			set, 3, i64_add_sat(now, expiry > 0 ? expiry : LIMIT_OUTBOX_EXPIRY_MS));
		db_bind_text(set, 4, rj->picks[i].instead);
		(void)sqlite3_bind_int(set, 5, (int)INT_SLACK);
		rc = db_step_done(set, "take a message back", e);
	}
	(void)sqlite3_finalize(set);
	return rc;
}

static void note(struct notify *n, const struct row *r, struct str who, const char *what)
{
	struct buf b;
	char q[LOG_Q_MAX];

	buf_init(&b, 4096);
	buf_c(&b, what);
	buf_c(&b, " by ");
	buf_str(&b, who);
	outbox_note(n, r, ATTEMPT_NOTE, buf_view(&b));
	log_info("notify", "msg=\"%s\" by=%s receiver=" STR_FMT " id=" STR_FMT, what, log_q(q, who),
		STR_ARG(r->receiver), STR_ARG(r->message_id));
	buf_fini(&b);
}

/* One that waits: now. */
static struct row *waiting(const struct notify *n, struct str id)
{
	struct row *r;
	size_t pos = 0;

	while ((r = map_each(&n->rows, &pos)) != NULL) {
		if (!r->finished && !r->parked && str_eq(r->message_id, id))
			return r;
	}
	return NULL;
}

static void try_now(struct notify *n, struct row *r, struct str who)
{
	r->next_mono_ms = clock_mono_ms();
	r->dest->lane->hold_mono_ms = 0; /* but not what the receiver asked for */
	row_mark(n, r);
	note(n, r, who, "tried at once");
}

static int take_back(struct resend_job *rj, sqlite3 *db, struct err *e)
{
	for (size_t i = 0; i < rj->answer.sent; i++) {
		struct row *r;

		if (row_by_id(rj->n, rj->picks[i].id) != NULL)
			continue; /* by an attempt that failed later */
		r = outbox_store_take_back(rj->n, db, rj->picks[i].id, e);
		if (r == NULL)
			return -1;
		note(rj->n, r, rj->w->who, "sent again");
	}
	return 0;
}

static int run(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct resend_job *rj = job->arg;
	struct row *r = NULL;

	if (rj->tried_now)
		return 0; /* the same once more */
	if (!rj->chosen && rj->w->id.n > 0)
		r = waiting(rj->n, rj->w->id);
	if (r != NULL) {
		try_now(rj->n, r, rj->w->who);
		rj->answer.sent = 1;
		rj->tried_now = true;
		return 0;
	}
	if (!rj->chosen && choose(rj, db, e) != 0)
		return -1;
	if (rj->w->id.n > 0 && rj->answer.sent + rj->answer.over + rj->answer.gone == 0 &&
		!rj->answer.more)
		return err_set(e, ERR_INPUT, 404, "no such message waits or was given up");
	if (unpark(rj, db, e) != 0)
		return -1;
	return take_back(rj, db, e);
}

int outbox_resend(
	struct notify *n, const struct outbox_wish *w, struct outbox_answer *out, struct err *e)
{
	struct outbox_wish wish = *w;
	struct resend_job rj = {.n = n, .w = &wish};
	struct buf who;
	int rc;

	if ((w->id.n > 0) + (w->receiver.n > 0) + w->all != 1)
		return err_set(e, ERR_INPUT, 400, "expected one of id, receiver and all");
	rj.job.run = run;
	rj.job.arg = &rj;
	rj.picks = calloc(OUTBOX_RESEND_MAX, sizeof *rj.picks);
	ASSERT(rj.picks != NULL);
	arena_init(&rj.arena, (size_t)16 << 20);
	buf_init(&who, WHO_MAX + 1); /* fit for logs and stories before anything is kept of it */
	clean_text(&who, w->who, WHO_MAX, CLEAN_ONE_LINE);
	wish.who = str_trim(buf_view(&who));
	rc = state_call(n->state, &rj.job, e);
	*out = rj.answer;
	buf_fini(&who);
	arena_fini(&rj.arena);
	free(rj.picks);
	return rc;
}
