/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_am_alerts - alerts and their groups in Alertmanager's API v2, and the same with what belfry
 * knows beyond (values, rules) at /api/belfry/v1/alerts.
 */
#include "agent/am.h"
#include "agent/am_body.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/num.h"

static void names(struct jsonw *j, const char *key, const struct str *v, size_t n)
{
	jsonw_key(j, key);
	jsonw_array(j);
	for (size_t i = 0; i < n; i++)
		jsonw_str(j, v[i]);
	jsonw_array_end(j);
}

static void receivers(struct jsonw *j, const struct str *v, size_t n)
{
	jsonw_key(j, "receivers");
	jsonw_array(j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", v[i]);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void fingerprint(struct jsonw *j, uint64_t fp)
{
	static const char digit[] = "0123456789abcdef";
	char hex[16];

	for (size_t i = 0; i < 16; i++)
		hex[i] = digit[fp >> (60 - 4 * i) & 15];
	jsonw_kv_str(j, "fingerprint", str_n(hex, 16));
}

static void number(struct jsonw *j, const char *key, double v)
{
	jsonw_key(j, key);
	jsonw_f64(j, v);
}

/* What Alertmanager does not know. */
static void beyond(struct jsonw *j, const struct alert_view *v)
{
	number(j, "value", v->value);
	number(j, "current", v->current);
	number(j, "worst", v->worst);
	number(j, "threshold", v->threshold);
	jsonw_kv_str(j, "rule", v->rule);
	jsonw_kv_str(j, "ruleGroup", v->rule_group);
	jsonw_kv_str(j, "expr", v->expr);
	jsonw_kv_bool(j, "external", v->external);
}

static void alert(struct jsonw *j, const struct alert_view *v, bool all)
{
	bool suppressed = v->n_silenced_by + v->n_inhibited_by + v->n_muted_by > 0;

	jsonw_object(j);
	jsonw_key(j, "annotations");
	jsonw_labels(j, v->annotations);
	am_time(j, "endsAt", v->ends_at_ms);
	fingerprint(j, v->fingerprint);
	receivers(j, v->receivers, v->n_receivers);
	am_time(j, "startsAt", v->starts_at_ms);
	jsonw_key(j, "status");
	jsonw_object(j);
	names(j, "inhibitedBy", v->inhibited_by, v->n_inhibited_by);
	names(j, "mutedBy", v->muted_by, v->n_muted_by);
	names(j, "silencedBy", v->silenced_by, v->n_silenced_by);
	jsonw_kv_c(j, "state", suppressed ? "suppressed" : "active");
	jsonw_object_end(j);
	am_time(j, "updatedAt", v->updated_at_ms);
	if (v->generator_url.n > 0)
		jsonw_kv_str(j, "generatorURL", v->generator_url);
	jsonw_key(j, "labels");
	jsonw_labels(j, v->labels);
	if (all)
		beyond(j, v);
	jsonw_object_end(j);
}

/* The parameters of both questions. False: answered. */
static bool question(struct http_req *r, struct am_filter *f, struct alert_query *q)
{
	if (!am_accepts(r) || !am_filter_read(r, f))
		return false;
	*q = (struct alert_query){
		.matchers = f->m,
		.n_matchers = f->n,
		.receiver = f->receiver,
		.active = am_bool(r, "active", true),
		.silenced = am_bool(r, "silenced", true),
		.inhibited = am_bool(r, "inhibited", true),
		.muted = am_bool(r, "muted", true),
	};
	return true;
}

static bool has_receiver(const struct am_filter *f, const struct alert_view *v)
{
	bool any = f->n_receiver_m == 0;

	for (size_t i = 0; !any && i < v->n_receivers; i++)
		any = am_filter_receiver(f, v->receivers[i]);
	return any;
}

static void answer(struct http_req *r, struct app *app, bool all)
{
	struct alert_view *v;
	struct alert_query q;
	struct am_filter f;
	struct arena a;
	struct err e = {0};
	struct jsonw j;
	size_t n;

	if (!question(r, &f, &q))
		return;
	arena_init(&a, AM_ANSWER_MEMORY);
	if (notify_alerts(app->notify, &q, &a, &v, &n, &e) != 0) {
		am_fail(r, &e);
	} else {
		if (n >= LIMIT_API_ALERTS)
			METRIC_LIMIT("api_alerts"); /* the rest is left out */
		am_begin(r, &j);
		jsonw_array(&j);
		for (size_t i = 0; i < n; i++) {
			if (has_receiver(&f, &v[i]))
				alert(&j, &v[i], all);
		}
		jsonw_array_end(&j);
		http_finish(r);
	}
	arena_fini(&a);
	am_filter_free(&f);
}

void api_am_alerts(struct http_req *r, void *arg)
{
	answer(r, arg, false);
}

void api_belfry_alerts(struct http_req *r, void *arg)
{
	answer(r, arg, true);
}

static void group(struct jsonw *j, const struct group_view *g)
{
	jsonw_object(j);
	jsonw_key(j, "alerts");
	jsonw_array(j);
	for (size_t i = 0; i < g->n_alerts; i++)
		alert(j, &g->alerts[i], false);
	jsonw_array_end(j);
	jsonw_key(j, "labels");
	jsonw_labels(j, g->labels);
	jsonw_key(j, "receiver");
	jsonw_object(j);
	jsonw_kv_str(j, "name", g->receiver);
	jsonw_object_end(j);
	jsonw_key(j, "routeLabels");
	jsonw_labels(j, g->route_labels);
	jsonw_object_end(j);
}

void api_am_groups(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct group_view *v;
	struct alert_query q;
	struct am_filter f;
	struct arena a;
	struct err e = {0};
	struct jsonw j;
	size_t n;

	if (!question(r, &f, &q))
		return;
	arena_init(&a, AM_ANSWER_MEMORY);
	if (notify_groups(app->notify, &q, &a, &v, &n, &e) != 0) {
		am_fail(r, &e);
	} else {
		am_begin(r, &j);
		jsonw_array(&j);
		for (size_t i = 0; i < n; i++) {
			if (am_filter_receiver(&f, v[i].receiver))
				group(&j, &v[i]);
		}
		jsonw_array_end(&j);
		http_finish(r);
	}
	arena_fini(&a);
	am_filter_free(&f);
}

/* In portions, so that the state writer has other work between them. Those that are wrong do not
 * keep the others out: the first mistake is told. */
static int post(struct app *app, const struct external_alert *v, size_t n, struct err *e)
{
	struct err one = {0};

	*e = (struct err){0};
	for (size_t i = 0; i < n; i += LIMIT_POST_ALERTS) {
		if (notify_post_alerts(
			    app->notify, v + i, MIN_OF(n - i, LIMIT_POST_ALERTS), &one) == 0)
			continue;
		if (e->kind == ERR_NONE || one.kind != ERR_INPUT)
			*e = one;
		if (one.kind != ERR_INPUT)
			break;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

void api_am_post_alerts(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct external_alert *v;
	struct arena a;
	struct err e = {0};
	size_t n;

	if (!am_accepts(r) || !am_sends_json(r))
		return;
	/* small alerts take many times their text, large ones about as much */
	arena_init(&a, ((size_t)64 << 20) + 4 * http_req_body(r).n);
	if (am_read_alerts(&a, http_req_body(r), &v, &n, &e) != 0)
		am_bad_body(r, &e);
	else if (post(app, v, n, &e) != 0)
		am_fail(r, &e);
	else
		http_reply(r, 200, "application/json", STR(""));
	arena_fini(&a);
}
