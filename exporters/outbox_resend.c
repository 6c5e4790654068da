/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_resend - what waits and what was given up, as a list, and back into the queue; see
 * outbox.h.
 *
 * Parked rows stand in state.db only. The job changes them there, in its transaction, and then
 * reads them into memory as after a start: however often the transaction is tried, the first part
 * is repeated and the second is not.
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
#include "exporters/notify_internal.h"
#include "exporters/outbox.h"
#include "storage/db.h"

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

struct resend_job {
	struct state_job job;
	struct notify *n;
	const struct outbox_wish *w;
	struct outbox_answer answer;
	int64_t *ids; /* rows that wait again */
	bool applied;
};

/* "belfry-<instance>-<name>-<beginning>-...": whether a group goes on with this incident. */
static bool goes_on(const struct notify *n, struct str thread)
{
	const struct group *g;
	struct str part;
	size_t pos = 0;
	unsigned field = 0;
	unsigned long long began = 0;

	while (field < 4 && str_split(&thread, '-', &part))
		field++;
	if (field < 4 || !str_to_u64(part, &began))
		return false;
	while ((g = map_each(&n->groups, &pos)) != NULL) {
		if (!g->dead && g->n_firing > 0 && (unsigned long long)g->incident_ms == began)
			return true;
	}
	return false;
}

/* An alarm for what is over is none. Columns as select_parked has them. */
static bool is_stale(const struct notify *n, sqlite3_stmt *st)
{
	const struct group *g = group_find(n, db_column_str(st, 5));

	if (sqlite3_column_int(st, 4) == 0)
		return false; /* it tells an end */
	if (g != NULL && g->n_firing > 0 && g->incident_ms <= sqlite3_column_int64(st, 7))
		return false;
	return !goes_on(n, db_column_str(st, 6));
}

static int select_parked(const struct resend_job *rj, sqlite3 *db, sqlite3_stmt **st, struct err *e)
{
	if (db_prepare(db, st,
		    "SELECT id,receiver,kind,idx,firing,group_key,thread,created_ms,error FROM "
		    "outbox "
		    "WHERE parked=1 AND (?1='' OR message_id=?1) AND (?2='' OR receiver=?2) "
		    "ORDER BY id LIMIT ?3",
		    e) != 0)
		return -1;
	db_bind_text(*st, 1, rj->w->id);
	db_bind_text(*st, 2, rj->w->receiver);
	(void)sqlite3_bind_int64(*st, 3, OUTBOX_RESEND_MAX + 1);
	return 0;
}

/* The fallback that was told in its place is not told again. */
static struct str told_instead(const struct notify *n, sqlite3_stmt *st)
{
	const struct receiver_config *r = outbox_receiver(n, db_column_str(st, 1));
	struct str error = db_column_str(st, 8);

	if (r == NULL || r->fallback.n == 0 || !str_ends(error, r->fallback) ||
		!str_ends(str_sub(error, 0, error.n - r->fallback.n), STR("; told to ")))
		return STR("");
	return r->fallback;
}

static int choose(struct resend_job *rj, sqlite3 *db, struct err *e)
{
	struct notify *n = rj->n;
	size_t seen = 0;
	sqlite3_stmt *st, *set;
	int rc;

	rj->answer = (struct outbox_answer){0};
	if (select_parked(rj, db, &st, e) != 0)
		return -1;
	if (db_prepare(db, &set,
		    "UPDATE outbox SET parked=0,attempts=0,degraded=0,next_ms=?2,expires_ms=?3,"
		    "tried=CASE WHEN ?4='' THEN tried WHEN tried='' THEN ?4 ELSE "
		    "tried||char(10)||?4 END WHERE id=?1",
		    e) != 0) {
		(void)sqlite3_finalize(st);
		return -1;
	}
	while ((rc = db_step_row(st, "read messages", e)) > 0) {
		enum integration_kind kind = (enum integration_kind)sqlite3_column_int(st, 2);
		int64_t now = clock_wall_ms();

		if (seen++ >= OUTBOX_RESEND_MAX ||
			n->n_rows + rj->answer.sent >= LIMIT_OUTBOX_ROWS) {
			rj->answer.more = true;
			break;
		}
		if (outbox_integration(n, db_column_str(st, 1), kind,
			    (size_t)sqlite3_column_int64(st, 3)) == NULL) {
			rj->answer.gone++;
			continue;
		}
		if (!rj->w->stale && is_stale(n, st)) {
			rj->answer.over++;
			continue;
		}
		rj->ids[rj->answer.sent++] = sqlite3_column_int64(st, 0);
		(void)sqlite3_bind_int64(set, 1, sqlite3_column_int64(st, 0));
		(void)sqlite3_bind_int64(set, 2, now);
		(void)sqlite3_bind_int64(set, 3,
			i64_add_sat(now, n->cfg->expiry_ms > 0 ? n->cfg->expiry_ms
							       : LIMIT_OUTBOX_EXPIRY_MS));
		db_bind_text(set, 4, told_instead(n, st));
		rc = db_step_done(set, "take a message back", e);
		if (rc != 0)
			break;
	}
	(void)sqlite3_finalize(set);
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static void note(struct notify *n, const struct row *r, struct str who, const char *what)
{
	struct buf b;
	char q[LOG_Q_MAX];

	buf_init(&b, 4096);
	buf_c(&b, what);
	buf_c(&b, " by ");
	buf_str(&b, str_sub(who, 0, 200));
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

static int run(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct resend_job *rj = job->arg;
	struct notify *n = rj->n;
	struct row *r = !rj->applied && rj->w->id.n > 0 ? waiting(n, rj->w->id) : NULL;

	if (r != NULL) {
		try_now(n, r, rj->w->who);
		rj->answer.sent = 1;
		rj->applied = true;
		return 0;
	}
	if (rj->applied && rj->ids[0] == 0)
		return 0; /* the same once more */
	if (choose(rj, db, e) != 0)
		return -1;
	if (rj->w->id.n > 0 && rj->answer.sent + rj->answer.over + rj->answer.gone == 0 &&
		!rj->answer.more)
		return err_set(e, ERR_INPUT, 404, "no such message waits or was given up");
	for (size_t i = 0; !rj->applied && i < rj->answer.sent; i++) {
		r = outbox_store_take_back(n, db, rj->ids[i], e);
		if (r == NULL)
			return -1;
		note(n, r, rj->w->who, "sent again");
	}
	rj->applied = true;
	return 0;
}

int outbox_resend(
	struct notify *n, const struct outbox_wish *w, struct outbox_answer *out, struct err *e)
{
	struct resend_job rj = {.n = n, .w = w};
	int rc;

	if ((w->id.n > 0) + (w->receiver.n > 0) + w->all != 1)
		return err_set(e, ERR_INPUT, 400, "expected one of id, receiver and all");
	rj.job.run = run;
	rj.job.arg = &rj;
	rj.ids = calloc(OUTBOX_RESEND_MAX + 1, sizeof *rj.ids);
	ASSERT(rj.ids != NULL);
	rc = state_call(n->state, &rj.job, e);
	*out = rj.answer;
	free(rj.ids);
	return rc;
}
