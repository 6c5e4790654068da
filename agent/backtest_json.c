/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_json - a backtest as JSON: {"from", "to", "runs": [one or two]}. */
#include "agent/backtest.h"
#include "base/jsonw.h"

static void span(struct jsonw *j, const struct bt_span *s)
{
	jsonw_object(j);
	jsonw_kv_str(j, "labels", s->labels);
	jsonw_key(j, "start");
	jsonw_rfc3339(j, s->start_ms);
	jsonw_key(j, "end");
	if (s->open)
		jsonw_null(j);
	else
		jsonw_rfc3339(j, s->end_ms);
	jsonw_kv_bool(j, "before", s->already);
	jsonw_object_end(j);
}

static void rule(struct jsonw *j, const struct bt_rule *r)
{
	const struct replay_rule *f = r->facts;
	size_t spans = r->n_spans + r->lost_spans;

	jsonw_object(j);
	jsonw_kv_str(j, "file", f->group->file);
	jsonw_kv_str(j, "group", f->group->name);
	jsonw_kv_str(j, "name", f->def->name);
	jsonw_kv_c(j, "type", f->def->is_alert ? "alerting" : "recording");
	jsonw_kv_i64(j, "evaluations", (int64_t)f->evaluations);
	jsonw_kv_i64(j, "failures", (int64_t)f->failures);
	jsonw_kv_f64(j, "seconds", f->seconds);
	if (f->failures > 0)
		jsonw_kv_c(j, "lastError", f->error);
	if (!f->def->is_alert) {
		jsonw_kv_i64(j, "samples", (int64_t)f->samples);
		jsonw_object_end(j);
		return;
	}
	jsonw_kv_i64(j, "firings", (int64_t)r->firings);
	jsonw_kv_i64(j, "night", (int64_t)r->night);
	jsonw_kv_i64(j, "neverFired", (int64_t)r->spent);
	jsonw_kv_f64(j, "totalSeconds", (double)r->total_ms / 1000);
	jsonw_kv_f64(j, "meanSeconds", spans > 0 ? (double)r->total_ms / 1000 / (double)spans : 0);
	jsonw_kv_f64(j, "maxSeconds", (double)r->max_ms / 1000);
	jsonw_kv_i64(j, "notListed", (int64_t)r->lost_spans);
	jsonw_key(j, "alerts");
	jsonw_array(j);
	for (size_t i = 0; i < r->n_spans; i++)
		span(j, &r->spans[i]);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

static void receiver(struct jsonw *j, const struct bt_receiver *v)
{
	jsonw_object(j);
	jsonw_kv_str(j, "receiver", v->name);
	jsonw_kv_c(j, "integration", v->integration);
	jsonw_kv_i64(j, "messages", (int64_t)v->messages);
	jsonw_kv_i64(j, "night", (int64_t)v->night);
	jsonw_key(j, "byHour");
	jsonw_array(j);
	for (size_t h = 0; h < 24; h++)
		jsonw_i64(j, (int64_t)v->by_hour[h]);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

static void message(struct jsonw *j, const struct bt_message *m)
{
	jsonw_object(j);
	jsonw_key(j, "time");
	jsonw_rfc3339(j, m->at_ms);
	jsonw_kv_str(j, "receiver", m->receiver);
	jsonw_kv_c(j, "integration", m->integration);
	jsonw_kv_str(j, "title", m->title);
	jsonw_kv_bool(j, "night", m->night);
	jsonw_object_end(j);
}

static void run(struct jsonw *j, const struct bt_run *r, bool routed)
{
	jsonw_object(j);
	jsonw_kv_str(j, "rules_from", r->name);
	jsonw_kv_f64(j, "seconds", r->seconds);
	jsonw_kv_i64(j, "firings", (int64_t)r->firings);
	jsonw_key(j, "rules");
	jsonw_array(j);
	for (size_t i = 0; i < r->n_rules; i++)
		rule(j, &r->rules[i]);
	jsonw_array_end(j);
	if (routed) {
		jsonw_kv_i64(j, "messageCount", (int64_t)r->n_messages);
		jsonw_kv_i64(j, "nightMessages", (int64_t)r->night_messages);
		jsonw_key(j, "receivers");
		jsonw_array(j);
		for (size_t i = 0; i < r->n_receivers; i++)
			receiver(j, &r->receivers[i]);
		jsonw_array_end(j);
		jsonw_key(j, "messages");
		jsonw_array(j);
		for (size_t i = 0; i < r->n_messages; i++)
			message(j, &r->messages[i]);
		jsonw_array_end(j);
	}
	jsonw_object_end(j);
}

void bt_json(struct buf *out, const struct bt_opts *o, const struct bt_run *r,
	const struct bt_run *other)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "from");
	jsonw_rfc3339(&j, o->from_ms);
	jsonw_key(&j, "to");
	jsonw_rfc3339(&j, o->to_ms);
	jsonw_key(&j, "evaluatedFrom");
	jsonw_rfc3339(&j, o->begin_ms);
	if (o->past != NULL) {
		jsonw_key(&j, "past");
		jsonw_object(&j);
		past_json(&j, o->past);
		jsonw_object_end(&j);
	}
	jsonw_key(&j, "runs");
	jsonw_array(&j);
	run(&j, r, o->config != NULL);
	if (other != NULL)
		run(&j, other, o->config != NULL);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_ch(out, '\n');
}
