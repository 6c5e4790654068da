/* SPDX-License-Identifier: Apache-2.0 */
/* rules_json - /api/v1/rules and /api/v1/alerts in Prometheus's shape (reference api.md 1.3). */
#include "base/f64.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "rules/rules_internal.h"

static void alert_value(struct jsonw *j, double v)
{
	struct buf b;

	buf_init(&b, 64);
	f64_print_exp(&b, v);
	jsonw_str(j, buf_view(&b));
	buf_fini(&b);
}

static void write_alert(struct jsonw *j, const struct alert *al)
{
	jsonw_object(j);
	jsonw_key(j, "labels");
	jsonw_labels(j, al->labels);
	jsonw_key(j, "annotations");
	jsonw_labels(j, al->annotations);
	jsonw_kv_c(j, "state", al->state == ALERT_FIRING ? "firing" : "pending");
	jsonw_key(j, "activeAt");
	jsonw_rfc3339(j, al->active_at_ms);
	if (al->keep_since_ms != 0) {
		jsonw_key(j, "keepFiringSince");
		jsonw_rfc3339(j, al->keep_since_ms);
	}
	jsonw_key(j, "value");
	alert_value(j, al->value);
	jsonw_object_end(j);
}

static void write_alerts(struct jsonw *j, const struct rule *r)
{
	struct alert *al;
	size_t pos = 0;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->state != ALERT_INACTIVE)
			write_alert(j, al);
	}
}

static void write_texts(struct jsonw *j, const struct rule_text *v, size_t n)
{
	jsonw_object(j);
	for (size_t i = 0; i < n; i++) {
		jsonw_key_str(j, v[i].name);
		jsonw_str(j, v[i].text);
	}
	jsonw_object_end(j);
}

static void write_times(struct jsonw *j, const struct rule *r)
{
	jsonw_kv_c(j, "health", !r->evaluated ? "unknown" : r->failed ? "err" : "ok");
	if (r->failed)
		jsonw_kv_c(j, "lastError", r->error);
	jsonw_kv_f64(j, "evaluationTime", r->eval_seconds);
	jsonw_key(j, "lastEvaluation");
	if (r->evaluated)
		jsonw_rfc3339(j, r->last_eval_ms);
	else
		jsonw_c(j, "0001-01-01T00:00:00Z");
}

static void write_rule(struct jsonw *j, const struct rule *r, bool exclude_alerts)
{
	const struct rule_def *d = r->def;

	jsonw_object(j);
	if (d->is_alert) {
		jsonw_kv_c(j, "state",
			r->n_firing > 0    ? "firing"
			: r->n_pending > 0 ? "pending"
			: r->evaluated     ? "inactive"
					   : "unknown");
		jsonw_kv_f64(j, "duration", (double)d->for_ms / 1000);
		jsonw_kv_f64(j, "keepFiringFor", (double)d->keep_firing_for_ms / 1000);
		jsonw_key(j, "annotations");
		write_texts(j, d->annotations, d->n_annotations);
		jsonw_key(j, "alerts");
		if (exclude_alerts) {
			jsonw_null(j);
		} else {
			jsonw_array(j);
			write_alerts(j, r);
			jsonw_array_end(j);
		}
	}
	jsonw_kv_str(j, "name", d->name);
	jsonw_kv_str(j, "query", d->query);
	jsonw_key(j, "labels");
	write_texts(j, d->labels, d->n_labels);
	write_times(j, r);
	jsonw_kv_c(j, "type", d->is_alert ? "alerting" : "recording");
	jsonw_object_end(j);
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

static void write_group(struct jsonw *j, const struct rule_group *g, const struct rules_filter *f)
{
	bool any = g->def->n == 0 && f->n_rule_names == 0 && f->type.n == 0;

	for (size_t i = 0; i < g->def->n; i++)
		any = any || wanted(f, g->rules[i].def);
	if (!any)
		return;
	jsonw_object(j);
	jsonw_kv_str(j, "name", g->def->name);
	jsonw_kv_str(j, "file", g->def->file);
	jsonw_key(j, "rules");
	jsonw_array(j);
	for (size_t i = 0; i < g->def->n; i++) {
		if (wanted(f, g->rules[i].def))
			write_rule(j, &g->rules[i], f->exclude_alerts);
	}
	jsonw_array_end(j);
	jsonw_kv_f64(j, "interval", (double)g->interval_ms / 1000);
	jsonw_kv_i64(j, "limit", (int64_t)g->def->limit);
	jsonw_kv_f64(j, "evaluationTime", g->eval_seconds);
	jsonw_key(j, "lastEvaluation");
	if (g->last_eval_ms != 0)
		jsonw_rfc3339(j, g->last_eval_ms);
	else
		jsonw_c(j, "0001-01-01T00:00:00Z");
	jsonw_object_end(j);
}

void rules_json(struct rules *r, const struct rules_filter *f, struct buf *out)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "groups");
	jsonw_array(&j);
	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		const struct rule_group *g = r->groups[i];

		if (in(g->def->name, f->groups, f->n_groups) &&
			in(g->def->file, f->files, f->n_files))
			write_group(&j, g, f);
	}
	(void)pthread_mutex_unlock(&r->lock);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
}

void rules_alerts_json(struct rules *r, struct buf *out)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "alerts");
	jsonw_array(&j);
	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++)
			write_alerts(&j, &r->groups[i]->rules[k]);
	}
	(void)pthread_mutex_unlock(&r->lock);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
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
