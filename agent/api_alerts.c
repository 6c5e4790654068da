/* SPDX-License-Identifier: Apache-2.0 */
/* api_alerts - rules, alerts, targets and deliveries: each part writes its own JSON. */
#include "agent/api.h"

#define PART_BYTES ((size_t)128 << 20) /* what one part may write */

/* Answers with what a part wrote into b, and frees it. */
static void answer_part(struct http_req *r, struct buf *b)
{
	struct jsonw j;

	if (b->failed) {
		http_reply_error(r, "execution", "the answer is too large");
	} else {
		api_begin(r, &j);
		jsonw_raw(&j, buf_view(b));
		api_end(r, &j, NULL);
	}
	buf_fini(b);
}

static bool truth(struct http_req *r, const char *name)
{
	struct str s = http_req_param(r, name);

	return str_eq_nocase(s, STR("true")) || str_eq(s, STR("1")) || str_eq(s, STR("t"));
}

void api_rules(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct rules_filter f = {.type = http_req_param(r, "type")};
	struct str *v;
	struct buf b;

	if (f.type.n > 0 && !str_eq(f.type, STR("alert")) && !str_eq(f.type, STR("record"))) {
		http_reply_error(r, "bad_data",
			"invalid parameter \"type\": not supported value \"" STR_FMT "\"",
			STR_ARG(f.type));
		return;
	}
	f.n_rule_names = http_req_params(r, "rule_name[]", &v);
	f.rule_names = v;
	f.n_groups = http_req_params(r, "rule_group[]", &v);
	f.groups = v;
	f.n_files = http_req_params(r, "file[]", &v);
	f.files = v;
	f.exclude_alerts = truth(r, "exclude_alerts");
	buf_init(&b, PART_BYTES);
	rules_json(app->rules, &f, &b);
	answer_part(r, &b);
}

void api_alerts(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct buf b;

	buf_init(&b, PART_BYTES);
	rules_alerts_json(app->rules, &b);
	answer_part(r, &b);
}

static void urls(struct jsonw *j, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "url", v[i]);
		jsonw_object_end(j);
	}
}

void api_alertmanagers(struct http_req *r, void *arg)
{
	const struct config *c = app_config_get(arg);
	const struct peer_config *p = &c->peers;
	struct jsonw j;

	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_key(&j, "activeAlertmanagers");
	jsonw_array(&j);
	for (size_t i = 0; i < p->n_groups; i++)
		urls(&j, p->groups[i].urls, p->groups[i].n_urls);
	jsonw_array_end(&j);
	jsonw_key(&j, "droppedAlertmanagers");
	jsonw_array(&j);
	for (size_t i = 0; i < p->n_groups; i++)
		urls(&j, p->groups[i].dropped, p->groups[i].n_dropped);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
	app_config_put(arg, c);
}

void api_notify_status(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct err e = {0};
	struct buf b;

	buf_init(&b, PART_BYTES);
	if (notify_status_json(app->notify, &b, &e) != 0) {
		buf_fini(&b);
		api_fail(r, &e);
		return;
	}
	answer_part(r, &b);
}

void api_targets(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct str state = http_req_param(r, "state");
	struct buf b;

	if (state.n > 0 && !str_eq(state, STR("active")) && !str_eq(state, STR("dropped")))
		state = STR("any");
	buf_init(&b, PART_BYTES);
	scrape_targets_json(app->scrape, state, http_req_param(r, "scrapePool"), &b);
	answer_part(r, &b);
}

/* Metadata by target is not kept apart: /api/v1/metadata has it by metric. */
void api_targets_metadata(struct http_req *r, void *arg)
{
	struct jsonw j;

	(void)arg;
	api_begin(r, &j);
	jsonw_array(&j);
	jsonw_array_end(&j);
	api_end(r, &j, NULL);
}

void api_scrape_pools(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct buf b;

	buf_init(&b, PART_BYTES);
	scrape_pools_json(app->scrape, &b);
	answer_part(r, &b);
}
