/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_outbox - the messages that wait or were given up, and sending them again
 * (exporters/outbox.h).
 *
 *   GET  /api/belfry/v1/outbox?state=parked&receiver=ops&limit=100
 *   POST /api/belfry/v1/outbox/resend {"id": "belfry-...", "who": "ann"}
 *        or "receiver": "ops", or "all": true; "stale": true also sends what tells of incidents
 *        that are over; "after": the `next` of an answer that said `more`
 */
#include "agent/am.h"
#include "agent/api.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "exporters/outbox.h"

#define LIST_DEFAULT 1000u
#define LIST_BYTES   ((size_t)64 << 20)

static bool read_filter(struct http_req *r, struct outbox_filter *f)
{
	struct str limit = http_req_param(r, "limit");
	unsigned long long n = LIST_DEFAULT;

	*f = (struct outbox_filter){
		.state = http_req_param(r, "state"), .receiver = http_req_param(r, "receiver")};
	if (limit.n > 0 && (!str_to_u64(limit, &n) || n == 0 || n > OUTBOX_LIST_MAX)) {
		http_reply_error(r, "bad_data", "limit: expected 1 to %u", OUTBOX_LIST_MAX);
		return false;
	}
	f->limit = (size_t)n;
	if (f->state.n > 0 && !str_eq(f->state, STR("waiting")) &&
		!str_eq(f->state, STR("parked")) && !str_eq(f->state, STR("expired"))) {
		http_reply_error(r, "bad_data", "state: expected waiting, parked or expired");
		return false;
	}
	return true;
}

void api_outbox(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct outbox_filter f;
	struct err e = {0};
	struct jsonw j;
	struct buf b;

	if (!read_filter(r, &f))
		return;
	buf_init(&b, LIST_BYTES);
	if (outbox_json(app->notify, &f, &b, &e) != 0) {
		api_fail(r, &e);
	} else if (b.failed) {
		http_reply_error(r, "execution", "the answer is too large");
	} else {
		api_begin(r, &j);
		jsonw_raw(&j, buf_view(&b));
		api_end(r, &j, NULL);
	}
	buf_fini(&b);
}

static bool read_after(struct jsonr *j, int64_t *out)
{
	struct str digits;
	unsigned long long n;

	if (!jsonr_raw(j, &digits))
		return false;
	if (!str_to_u64(digits, &n) || n > INT64_MAX)
		return jsonr_fail(j, "after: expected the next of an answer");
	*out = (int64_t)n;
	return true;
}

static int read_wish(struct http_req *r, struct outbox_wish *w, struct err *e)
{
	struct jsonr j;
	struct str key;

	*w = (struct outbox_wish){.who = STR("")};
	jsonr_init(&j, http_req_body(r), http_req_arena(r), e);
	(void)jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("id")))
			(void)jsonr_str(&j, &w->id);
		else if (str_eq(key, STR("receiver")))
			(void)jsonr_str(&j, &w->receiver);
		else if (str_eq(key, STR("who")))
			(void)jsonr_str(&j, &w->who);
		else if (str_eq(key, STR("all")))
			(void)jsonr_bool(&j, &w->all);
		else if (str_eq(key, STR("stale")))
			(void)jsonr_bool(&j, &w->stale);
		else if (str_eq(key, STR("after")))
			(void)read_after(&j, &w->after);
		else
			(void)jsonr_fail(&j, "unknown member: expected id, receiver, all, stale, "
					     "after or who");
	}
	if (!jsonr_end(&j))
		return -1;
	return w->who.n > 0 ? 0 : err_set(e, ERR_INPUT, 400, "\"who\" is missing");
}

void api_outbox_resend(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct outbox_answer answer;
	struct outbox_wish w;
	struct err e = {0};
	struct jsonw j;

	if (!am_sends_json(r))
		return;
	if (read_wish(r, &w, &e) != 0 || outbox_resend(app->notify, &w, &answer, &e) != 0) {
		if (e.kind == ERR_INPUT)
			http_reply_error(r, e.code == 404 ? "not_found" : "bad_data", "%s", e.msg);
		else
			api_fail(r, &e);
		return;
	}
	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_i64(&j, "sent", (int64_t)answer.sent);
	jsonw_kv_i64(&j, "over", (int64_t)answer.over);
	jsonw_kv_i64(&j, "gone", (int64_t)answer.gone);
	jsonw_kv_bool(&j, "more", answer.more);
	jsonw_kv_bool(&j, "full", answer.full);
	jsonw_kv_i64(&j, "next", answer.next);
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}
