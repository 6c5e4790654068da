/* SPDX-License-Identifier: Apache-2.0 */
/* api_history - the story of an alert, and which rules are noisy. */
#include "agent/api.h"
#include "base/clock.h"
#include "base/jsonr.h"
#include "exporters/history.h"
#include "exporters/past.h"
#include "storage/db.h"

#define PAST_BYTES     ((size_t)256 << 20)
#define ANSWER_BYTES   ((size_t)32 << 20)
#define EXPLAIN_ALERTS 20
#define NOISE_RANGE    INT64_C(2592000000) /* 30 days */

static void answer(struct http_req *r, struct buf *b, int rc, const struct err *e)
{
	struct jsonw j;

	if (rc != 0) {
		api_fail(r, e);
	} else if (b->failed) {
		http_reply_error(r, "execution", "the answer is too large: ask for fewer alerts");
	} else {
		api_begin(r, &j);
		jsonw_raw(&j, buf_view(b));
		api_end(r, &j, NULL);
	}
	buf_fini(b);
}

/* ?alert=NAME, NAME{label="value"} or a fingerprint; &limit=n */
void api_explain(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct buf b;
	size_t max;
	int rc;

	if (!api_limit(r, "limit", &max))
		return;
	if (max == 0 || max > EXPLAIN_ALERTS)
		max = EXPLAIN_ALERTS;
	buf_init(&b, ANSWER_BYTES);
	rc = history_explain_json(app->state, http_req_param(r, "alert"), max, &b, &e);
	answer(r, &b, rc, &e);
}

struct mark_body {
	struct str alert, what, who, note;
};

static int read_mark(struct str text, struct arena *a, struct mark_body *out, struct err *e)
{
	struct jsonr j;
	struct str key;

	*out = (struct mark_body){.alert = STR("")};
	jsonr_init(&j, text, a, e);
	jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("alert")))
			jsonr_str(&j, &out->alert);
		else if (str_eq(key, STR("what")))
			jsonr_str(&j, &out->what);
		else if (str_eq(key, STR("who")))
			jsonr_str(&j, &out->who);
		else if (str_eq(key, STR("note")))
			jsonr_str(&j, &out->note);
		else
			jsonr_fail(&j, "unknown member: expected alert, what, who or note");
	}
	if (!jsonr_end(&j))
		return -1;
	if (!str_eq(out->what, STR("false_positive")) && !str_eq(out->what, STR("useful")))
		return err_set(e, ERR_INPUT, 400, "what: expected false_positive or useful");
	if (out->who.n == 0)
		return err_set(e, ERR_INPUT, 400, "\"who\" is missing");
	return 0;
}

/* POST {"alert": "NAME{...}", "what": "false_positive", "who": "ann", "note": "..."} */
void api_marks(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct mark_body body;
	struct arena a;
	struct jsonw j;
	struct err e = {0};
	struct str group;
	int64_t incident;

	arena_init(&a, (size_t)4 << 20);
	if (read_mark(http_req_body(r), &a, &body, &e) != 0 ||
		history_newest_incident(app->state, body.alert, &a, &group, &incident, &e) != 0 ||
		history_mark(app->state, group, incident, body.what, body.who, body.note, &e) !=
			0) {
		if (e.kind == ERR_INPUT)
			http_reply_error(r, e.code == 404 ? "not_found" : "bad_data", "%s", e.msg);
		else
			api_fail(r, &e);
	} else {
		api_begin(r, &j);
		jsonw_object(&j);
		jsonw_kv_str(&j, "group", group);
		jsonw_object_end(&j);
		api_end(r, &j, NULL);
	}
	arena_fini(&a);
}

/* ?range=30d */
void api_noise(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct buf b;
	int64_t range;
	int rc;

	if (!api_duration(r, "range", NOISE_RANGE, &range))
		return;
	buf_init(&b, ANSWER_BYTES);
	rc = history_noise_json(app->state, clock_wall_ms() - range, &b, &e);
	answer(r, &b, rc, &e);
}

/* ?start=T&end=T: silences and acknowledgements that held then, for `belfry backtest --url` */
void api_past(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct stop stop = api_stop(r, app), *before;
	struct err e = {0};
	sqlite3 *db = NULL;
	struct past p;
	struct arena a;
	struct jsonw j;
	int64_t from, to;
	int rc;

	if (!api_range(r, &from, &to))
		return;
	arena_init(&a, PAST_BYTES);
	before = stop_begin(&stop);
	rc = state_reader(app->state, &db, &e);
	if (rc == 0)
		rc = past_read(db, from, to, &a, &p, &e);
	stop_end(before);
	if (rc != 0) {
		api_fail(r, &e);
	} else {
		api_begin(r, &j);
		jsonw_object(&j);
		past_json(&j, &p);
		jsonw_object_end(&j);
		api_end(r, &j, NULL);
	}
	if (db != NULL)
		db_close(db);
	arena_fini(&a);
}
