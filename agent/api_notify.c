/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_notify - test messages: POST /api/belfry/v1/notify/test {"receiver": "ops"} puts one for each
 * integration into the outbox and names them; GET .../notify/test?id=... says what became of them.
 * Two requests, since a receiver may take long and workers are few.
 */
#include "agent/am.h"
#include "agent/api.h"
#include "base/clock.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "exporters/notify_api.h"

#define IDS_MAX 256u

struct wish {
	struct str receiver;
	int64_t incident_ms; /* 0: a new one */
	bool resolved;
};

static int read_wish(struct http_req *r, struct wish *w, struct err *e)
{
	struct jsonr j;
	struct str key;
	double ms = 0;

	*w = (struct wish){.receiver = STR("")};
	jsonr_init(&j, http_req_body(r), http_req_arena(r), e);
	if (jsonr_object(&j)) {
		while (jsonr_key(&j, &key)) {
			if (str_eq(key, STR("receiver")))
				(void)jsonr_str(&j, &w->receiver);
			else if (str_eq(key, STR("resolved")))
				(void)jsonr_bool(&j, &w->resolved);
			else if (str_eq(key, STR("incident")))
				(void)jsonr_f64(&j, &ms);
			else
				(void)jsonr_fail(
					&j, "unknown member \"" STR_FMT "\"", STR_ARG(key));
		}
	}
	w->incident_ms = num_clamp_i64(ms);
	if (!jsonr_end(&j))
		return -1;
	return w->receiver.n > 0 ? 0 : err_set(e, ERR_INPUT, 400, "receiver is missing");
}

static void refuse(struct http_req *r, const struct err *e)
{
	if (e->kind == ERR_INPUT)
		http_reply_error(r, e->code == 404 ? "not_found" : "bad_data", "%s", e->msg);
	else
		api_fail(r, e);
}

void api_notify_test(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct test_message *v;
	struct err e = {0};
	struct jsonw j;
	struct wish w;
	size_t n;

	if (!am_sends_json(r))
		return;
	if (read_wish(r, &w, &e) != 0) {
		refuse(r, &e);
		return;
	}
	if (w.incident_ms <= 0)
		w.incident_ms = clock_wall_ms();
	if (notify_test(app->notify, w.receiver, w.incident_ms, !w.resolved, http_req_arena(r), &v,
		    &n, &e) != 0) {
		refuse(r, &e);
		return;
	}
	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_i64(&j, "incident", w.incident_ms);
	jsonw_key(&j, "messages");
	jsonw_array(&j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(&j);
		jsonw_kv_str(&j, "id", v[i].id);
		jsonw_kv_str(&j, "integration", v[i].integration);
		jsonw_kv_i64(&j, "index", (int64_t)v[i].index);
		jsonw_kv_bool(&j, "sendsResolved", v[i].sends_resolved);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

void api_notify_test_state(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct str *ids;
	size_t n = http_req_params(r, "id", &ids);
	struct message_state *v = ARENA_ARRAY(http_req_arena(r), n, struct message_state);
	struct err e = {0};
	struct jsonw j;

	if (v == NULL || n == 0 || n > IDS_MAX) {
		http_reply_error(r, "bad_data", "1 to %u parameters \"id\" are needed", IDS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (notify_message_state(app->notify, ids[i], http_req_arena(r), &v[i], &e) != 0) {
			api_fail(r, &e);
			return;
		}
	}
	api_begin(r, &j);
	jsonw_array(&j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(&j);
		jsonw_kv_str(&j, "id", ids[i]);
		jsonw_kv_str(&j, "state", v[i].state);
		jsonw_kv_i64(&j, "attempts", v[i].attempts);
		jsonw_kv_str(&j, "error", v[i].error);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	api_end(r, &j, NULL);
}
