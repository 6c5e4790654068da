/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_ack - acknowledgements over HTTP: GET lists those that hold, POST makes one (of a group's
 * incident, or of all an alert fires in), DELETE takes one back.
 *
 *   POST {"group": "{}:{alertname=\"X\"}", "incident": 1700000000000, "who": "ann", "note": "..."}
 *   POST {"fingerprint": "0123456789abcdef", "who": "ann"}
 */
#include "agent/api.h"
#include "base/jsonr.h"
#include "base/num.h"
#include "exporters/ack.h"

struct ack_body {
	struct str group, fingerprint, who, note;
	double incident_ms;
};

static int read_body(struct str text, struct arena *a, struct ack_body *out, struct err *e)
{
	struct jsonr j;
	struct str key;

	*out = (struct ack_body){.who = STR("")};
	jsonr_init(&j, text, a, e);
	jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("group")))
			jsonr_str(&j, &out->group);
		else if (str_eq(key, STR("fingerprint")))
			jsonr_str(&j, &out->fingerprint);
		else if (str_eq(key, STR("who")))
			jsonr_str(&j, &out->who);
		else if (str_eq(key, STR("note")))
			jsonr_str(&j, &out->note);
		else if (str_eq(key, STR("incident")))
			jsonr_f64(&j, &out->incident_ms);
		else
			jsonr_fail(&j, "unknown member: expected group, incident, fingerprint, who "
				       "or note");
	}
	if (!jsonr_end(&j))
		return -1;
	if (out->who.n == 0)
		return err_set(e, ERR_INPUT, 400, "\"who\" is missing");
	if ((out->group.n == 0) == (out->fingerprint.n == 0))
		return err_set(e, ERR_INPUT, 400, "expected either \"group\" or \"fingerprint\"");
	if (!(out->incident_ms >= 0 && out->incident_ms < 9e15))
		return err_set(e, ERR_INPUT, 400, "\"incident\": expected Unix milliseconds");
	return 0;
}

static bool read_fingerprint(struct str s, uint64_t *fp)
{
	*fp = 0;
	for (size_t i = 0; i < s.n; i++) {
		static const char hex[] = "0123456789abcdef";
		const char *at = s.p[i] != '\0' ? strchr(hex, s.p[i]) : NULL;

		if (at == NULL)
			return false;
		*fp = *fp << 4 | (uint64_t)(at - hex);
	}
	return s.n == 16;
}

static int act(
	struct http_req *r, struct app *app, const struct ack_body *b, size_t *count, struct err *e)
{
	uint64_t fp;

	*count = 1;
	if (http_req_method(r) == HTTP_DELETE) {
		if (b->group.n == 0)
			return err_set(e, ERR_INPUT, 400, "\"group\" is missing");
		return notify_unack(app->notify, b->group, (int64_t)b->incident_ms, b->who, e);
	}
	if (b->group.n > 0)
		return notify_ack(
			app->notify, b->group, (int64_t)b->incident_ms, b->who, b->note, e);
	if (!read_fingerprint(b->fingerprint, &fp))
		return err_set(e, ERR_INPUT, 400, "fingerprint: expected 16 hex digits");
	return notify_ack_alert(app->notify, fp, b->who, b->note, count, e);
}

static void list(struct http_req *r, struct app *app)
{
	struct ack_view *v;
	struct arena a;
	struct jsonw j;
	struct err e;
	size_t n;

	arena_init(&a, (size_t)64 << 20);
	if (notify_acks(app->notify, &a, &v, &n, &e) != 0) {
		arena_fini(&a);
		api_fail(r, &e);
		return;
	}
	api_begin(r, &j);
	jsonw_array(&j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(&j);
		jsonw_kv_str(&j, "group", v[i].group_key);
		jsonw_kv_i64(&j, "incident", v[i].incident_ms);
		jsonw_kv_str(&j, "who", v[i].who);
		jsonw_kv_str(&j, "note", v[i].note);
		jsonw_key(&j, "at");
		jsonw_rfc3339(&j, v[i].at_ms);
		jsonw_kv_i64(&j, "alerts", (int64_t)v[i].n_alerts);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	api_end(r, &j, NULL);
	arena_fini(&a);
}

static void fail(struct http_req *r, const struct err *e)
{
	if (e->kind == ERR_INPUT)
		http_reply_error(r, e->code == 404 ? "not_found" : "bad_data", "%s", e->msg);
	else
		api_fail(r, e);
}

void api_acks(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct ack_body body;
	struct arena a;
	struct jsonw j;
	struct err e = {0};
	size_t count;

	if (http_req_method(r) == HTTP_GET || http_req_method(r) == HTTP_HEAD) {
		list(r, app);
		return;
	}
	arena_init(&a, (size_t)4 << 20);
	if (read_body(http_req_body(r), &a, &body, &e) != 0 ||
		act(r, app, &body, &count, &e) != 0) {
		fail(r, &e);
	} else {
		api_begin(r, &j);
		jsonw_object(&j);
		jsonw_kv_i64(&j, "incidents", (int64_t)count);
		jsonw_object_end(&j);
		api_end(r, &j, NULL);
	}
	arena_fini(&a);
}
