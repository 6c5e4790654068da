/* SPDX-License-Identifier: Apache-2.0 */
/* rules_json - /api/v1/rules and /api/v1/alerts in Prometheus's shape (reference api.md 1.3). */
#include "base/f64.h"
#include "base/json.h"
#include "base/num.h"
#include "rules/rules_internal.h"

static void alert_value(struct json *j, double v)
{
	struct buf b;

	buf_init(&b, 64);
	f64_print_exp(&b, v);
	json_str(j, buf_view(&b));
	buf_fini(&b);
}

static void write_alert(struct json *j, const struct alert *al)
{
	json_object(j);
	json_key(j, "labels");
	json_labels(j, al->labels);
	json_key(j, "annotations");
	json_labels(j, al->annotations);
	json_kv_c(j, "state", al->state == ALERT_FIRING ? "firing" : "pending");
	json_key(j, "activeAt");
	json_rfc3339(j, al->active_at_ms);
	if (al->keep_since_ms != 0) {
		json_key(j, "keepFiringSince");
		json_rfc3339(j, al->keep_since_ms);
	}
	json_key(j, "value");
	alert_value(j, al->value);
	json_object_end(j);
}

static void write_alerts(struct json *j, const struct rule *r)
{
	struct alert *al;
	size_t pos = 0;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->state != ALERT_INACTIVE)
			write_alert(j, al);
	}
}

static void write_texts(struct json *j, const struct rule_text *v, size_t n)
{
	json_object(j);
	for (size_t i = 0; i < n; i++) {
		json_key_str(j, v[i].name);
		json_str(j, v[i].text);
	}
	json_object_end(j);
}

static void write_times(struct json *j, const struct rule *r)
{
	json_kv_c(j, "health", !r->evaluated ? "unknown" : r->failed ? "err" : "ok");
	if (r->failed)
		json_kv_c(j, "lastError", r->error);
	json_kv_f64(j, "evaluationTime", r->eval_seconds);
	json_key(j, "lastEvaluation");
	if (r->evaluated)
		json_rfc3339(j, r->last_eval_ms);
	else
		json_c(j, "0001-01-01T00:00:00Z");
}

static void write_rule(struct json *j, const struct rule *r, bool exclude_alerts)
{
	const struct rule_def *d = r->def;

	json_object(j);
	if (d->is_alert) {
		json_kv_c(j, "state",
			r->n_firing > 0    ? "firing"
			: r->n_pending > 0 ? "pending"
			: r->evaluated     ? "inactive"
					   : "unknown");
		json_kv_f64(j, "duration", (double)d->for_ms / 1000);
		json_kv_f64(j, "keepFiringFor", (double)d->keep_firing_for_ms / 1000);
		json_key(j, "annotations");
		write_texts(j, d->annotations, d->n_annotations);
		json_key(j, "alerts");
		if (exclude_alerts) {
			json_null(j);
		} else {
			json_array(j);
			write_alerts(j, r);
			json_array_end(j);
		}
	}
	json_kv_str(j, "name", d->name);
	json_kv_str(j, "query", d->query);
	json_key(j, "labels");
	write_texts(j, d->labels, d->n_labels);
	write_times(j, r);
	json_kv_c(j, "type", d->is_alert ? "alerting" : "recording");
	json_object_end(j);
}

static bool in(struct str s, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(s, v[i]))
			return true;
	}
	return n == 0;
}

static bool wanted(const struct rules_filter *f, const struct rule_def *d)
{
	if (f->type.n > 0 && str_eq(f->type, STR("alert")) != d->is_alert)
		return false;
	return in(d->name, f->rule_names, f->n_rule_names);
}

static void write_group(struct json *j, const struct rule_group *g, const struct rules_filter *f)
{
	bool any = g->def->n == 0 && f->n_rule_names == 0 && f->type.n == 0;

	for (size_t i = 0; i < g->def->n; i++)
		any = any || wanted(f, g->rules[i].def);
	if (!any)
		return;
	json_object(j);
	json_kv_str(j, "name", g->def->name);
	json_kv_str(j, "file", g->def->file);
	json_key(j, "rules");
	json_array(j);
	for (size_t i = 0; i < g->def->n; i++) {
		if (wanted(f, g->rules[i].def))
			write_rule(j, &g->rules[i], f->exclude_alerts);
	}
	json_array_end(j);
	json_kv_f64(j, "interval", (double)g->interval_ms / 1000);
	json_kv_i64(j, "limit", (int64_t)g->def->limit);
	json_kv_f64(j, "evaluationTime", g->eval_seconds);
	json_key(j, "lastEvaluation");
	if (g->last_eval_ms != 0)
		json_rfc3339(j, g->last_eval_ms);
	else
		json_c(j, "0001-01-01T00:00:00Z");
	json_object_end(j);
}

void rules_json(struct rules *r, const struct rules_filter *f, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "groups");
	json_array(&j);
	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		const struct rule_group *g = r->groups[i];

		if (in(g->def->name, f->groups, f->n_groups) &&
			in(g->def->file, f->files, f->n_files))
			write_group(&j, g, f);
	}
	(void)pthread_mutex_unlock(&r->lock);
	json_array_end(&j);
	json_object_end(&j);
}

void rules_alerts_json(struct rules *r, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "alerts");
	json_array(&j);
	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++)
			write_alerts(&j, &r->groups[i]->rules[k]);
	}
	(void)pthread_mutex_unlock(&r->lock);
	json_array_end(&j);
	json_object_end(&j);
}

static void copy_alert(struct arena *a, const struct alert *al, struct rules_alert *to)
{
	*to = (struct rules_alert){
		.firing = al->state == ALERT_FIRING,
		.labels = labels_copy(a, al->labels),
		.annotations = labels_copy(a, al->annotations),
		.active_at_ms = al->active_at_ms,
		.value = al->value,
	};
}

size_t rules_alerts(
	struct rules *r, struct arena *a, size_t max, struct rules_alert **out, size_t *total)
{
	struct rules_alert *v = ARENA_ARRAY(a, max, struct rules_alert);
	size_t n = 0, seen = 0;

	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++) {
			const struct alert *al;
			size_t pos = 0;

			while ((al = map_each(&r->groups[i]->rules[k].alerts, &pos)) != NULL) {
				if (al->state == ALERT_INACTIVE)
					continue;
				seen++;
				if (v == NULL || n == max || a->failed)
					continue;
				copy_alert(a, al, &v[n]);
				n += !a->failed;
			}
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
	*out = v;
	*total = seen;
	return n;
}
