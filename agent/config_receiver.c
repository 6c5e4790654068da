/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_receiver - receivers as read become receivers as sent to: the table of kinds, and the
 * checks that kinds share; see config_receiver.h.
 */
#include "agent/config_receiver.h"

#include "base/limits.h"
#include "base/num.h"
#include "exporters/integration.h"

static const struct receiver_kind *const kinds[] = {
	&receiver_slack,
	&receiver_email,
	&receiver_webhook,
	&receiver_pagerduty,
	&receiver_opsgenie,
	&receiver_msteamsv2,
	&receiver_discord,
	&receiver_telegram,
	&receiver_ntfy,
	&receiver_pushover,
	&receiver_mattermost,
	&receiver_rocketchat,
	&receiver_incidentio,
	&receiver_jira,
	&receiver_msteams,
	&receiver_sns,
	&receiver_victorops,
	&receiver_webex,
	&receiver_wechat,
};

/* ---- shared checks ---- */

static bool filled(const struct yaml_node *map, struct str key)
{
	const struct yaml_node *v = yaml_get(map, key);

	return v != NULL && v->kind != YAML_NULL && (v->kind != YAML_SCALAR || v->scalar.n > 0);
}

static bool twin_filled(const struct yaml_node *map, const char *key)
{
	struct buf b;
	bool is;

	buf_init(&b, 200);
	buf_printf(&b, "%s_file", key);
	is = !b.failed && filled(map, buf_view(&b));
	buf_fini(&b);
	return is;
}

bool receiver_has(const struct yaml_node *map, const char *key)
{
	return map != NULL && (filled(map, str_c(key)) || twin_filled(map, key));
}

bool receiver_global_has(const struct loader *l, const char *key)
{
	return receiver_has(l->p->root.global.node, key);
}

void receiver_inherit(
	struct str *own, const struct yaml_node *map, const char *key, struct str from)
{
	if (own->n == 0 && !config_given(map, key) && !twin_filled(map, key))
		*own = from;
}

void receiver_url(struct loader *l, const struct yaml_node *map, const char *key, struct str url)
{
	const char *wrong = url.n > 0 ? config_check_url(url) : NULL;

	if (wrong != NULL)
		diag_error(l->diag, config_pos(map, key), "%s: %s", key, wrong);
}

void receiver_needs(
	struct loader *l, const struct yaml_node *map, const char *key, const char *global_key)
{
	if (receiver_has(map, key) || (global_key != NULL && receiver_global_has(l, global_key)))
		return;
	if (global_key != NULL)
		diag_error(
			l->diag, map->pos, "no %s: give it here or %s in global", key, global_key);
	else
		diag_error(l->diag, map->pos, "no %s is given", key);
}

struct str receiver_with_slash(struct loader *l, struct str url)
{
	if (url.n == 0 || url.p[url.n - 1] == '/')
		return url;
	return arena_printf(l->arena, "%.*s/", (int)url.n, url.p);
}

/* ---- values of any shape ---- */

static bool is_json_number(struct str s)
{
	size_t i = s.n > 0 && s.p[0] == '-', digits = i;
	double v;

	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == digits || (i - digits > 1 && s.p[digits] == '0'))
		return false;
	if (i < s.n && s.p[i] == '.') {
		digits = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == digits)
			return false;
	}
	return i == s.n && s.n < 30 && str_to_f64(s, &v);
}

static void tree_scalar(struct loader *l, const struct yaml_node *node, struct value_tree *out)
{
	bool b;

	if (node->kind == YAML_NULL) {
		*out = (struct value_tree){.kind = VALUE_JSON, .text = STR("null")};
	} else if (!node->quoted && yaml_to_bool(node, &b)) {
		*out = (struct value_tree){
			.kind = VALUE_JSON, .text = b ? STR("true") : STR("false")};
	} else if (!node->quoted && is_json_number(node->scalar)) {
		*out = (struct value_tree){.kind = VALUE_JSON, .text = node->scalar};
	} else if (config_scalar(l, "value", node, &out->text)) {
		out->kind = VALUE_TEXT;
		config_template(l, node, "value", out->text, false);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): VALUE_TREE_DEPTH */
static void tree_node(
	struct loader *l, const struct yaml_node *node, unsigned depth, struct value_tree *out)
{
	struct value_tree *v;

	if (node->kind == YAML_NULL || node->kind == YAML_SCALAR) {
		tree_scalar(l, node, out);
		return;
	}
	if (depth >= VALUE_TREE_DEPTH) {
		diag_error(l->diag, node->pos, "nested deeper than %u", VALUE_TREE_DEPTH);
		return;
	}
	out->kind = node->kind == YAML_MAP ? VALUE_MAP : VALUE_LIST;
	v = ARENA_ARRAY(l->arena, node->n, struct value_tree);
	for (size_t i = 0; v != NULL && i < node->n; i++) {
		if (node->kind == YAML_MAP) {
			tree_node(l, node->pairs[i].value, depth + 1, &v[i]);
			v[i].key = node->pairs[i].key->scalar;
			config_template(l, node->pairs[i].key, "key", v[i].key, false);
		} else {
			tree_node(l, node->items[i], depth + 1, &v[i]);
		}
	}
	out->v = v;
	out->n = v != NULL ? node->n : 0;
}

const struct value_tree *receiver_tree(struct loader *l, const struct yaml_node *node)
{
	struct value_tree *t;

	if (node == NULL || node->kind == YAML_NULL)
		return NULL;
	t = ARENA_NEW(l->arena, struct value_tree);
	if (t != NULL)
		tree_node(l, node, 0, t);
	return t;
}

/* ---- templates: every key marked as one ---- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table, which holds no cycle here */
static void try_templates(struct loader *l, const struct config_section *s,
	const struct yaml_node *node, const void *conf)
{
	for (size_t i = 0; node != NULL && i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		const char *place = (const char *)conf + k->off;
		const struct yaml_node *value = yaml_get(node, str_c(k->name));
		struct labels pairs;
		struct conf_list list;

		if (k->type == CT_LIST) {
			memcpy(&list, place, sizeof list);
			for (size_t j = 0; j < list.n; j++) {
				const char *one = (const char *)list.v + j * k->sub->size;

				try_templates(l, k->sub,
					*(const struct yaml_node *const *)(const void *)one, one);
			}
		} else if (k->type == CT_MAP) {
			try_templates(l, k->sub, value, place);
		} else if ((k->flags & CF_TEMPLATE) && k->type == CT_STR) {
			config_template(l, value, k->name, *(const struct str *)(const void *)place,
				(k->flags & CF_HTML) != 0);
		} else if ((k->flags & CF_TEMPLATE) && k->type == CT_PAIRS) {
			memcpy(&pairs, place, sizeof pairs);
			for (size_t j = 0; j < pairs.n; j++)
				config_template(l,
					value != NULL && value->kind == YAML_MAP && j < value->n
						? value->pairs[j].value
						: NULL,
					k->name, pairs.v[j].value, false);
		}
	}
}

/* ---- receivers ---- */

static struct conf_list list_of(const struct conf_receiver *r, const struct receiver_kind *k)
{
	return *(const struct conf_list *)(const void *)((const char *)r + k->off);
}

static void finish_one(
	struct loader *l, const struct receiver_kind *k, char *conf, const struct http_options *up)
{
	struct conf_kind *head = (struct conf_kind *)(void *)conf;
	struct http_options unused;
	bool has_http = k->kind < 0 || k->http_off != SIZE_MAX;

	if (k->kind >= 0 && integration_type((enum integration_kind)k->kind) == NULL && !l->check)
		diag_error(l->diag, head->node->pos, "%s is not supported by this version", k->key);
	if (l->alertmanager && !config_given(head->node, "send_resolved"))
		head->send_resolved = k->am_send_resolved;
	if (has_http)
		config_finish_http(l, &head->http, up,
			k->kind < 0 ? &unused
				    : (struct http_options *)(void *)(conf + k->http_off));
	try_templates(l, k->section, head->node, conf);
	k->finish(l, conf);
}

static void finish_receiver(struct loader *l, struct conf_receiver *s,
	const struct http_options *up, struct receiver_config *out)
{
	size_t n = 0, made = 0;
	struct integration *v;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += list_of(s, kinds[i]).n;
	v = ARENA_ARRAY(l->arena, n, struct integration);
	if (v == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct receiver_kind *k = kinds[i];
		struct conf_list list = list_of(s, k);

		for (size_t j = 0; j < list.n; j++) {
			char *conf = (char *)list.v + j * k->section->size;

			finish_one(l, k, conf, up);
			if (k->kind >= 0)
				v[made++] = (struct integration){(enum integration_kind)k->kind, j,
					((struct conf_kind *)(void *)conf)->send_resolved,
					conf + k->pub_off};
		}
	}
	if (made > LIMIT_INTEGRATIONS)
		diag_error(l->diag, s->node->pos,
			"receiver \"" STR_FMT "\" has %zu integrations; at most %u are possible",
			STR_ARG(s->name), made, LIMIT_INTEGRATIONS);
	*out = (struct receiver_config){.name = s->name, .v = v, .n = made, .labels = s->labels};
	config_finish_escalate(l, s, out);
}

static void check_name(struct loader *l, size_t i)
{
	const struct conf_receiver *v = l->p->root.receivers;

	for (size_t k = 0; k < i; k++) {
		if (v[i].name.n == 0 || !str_eq(v[k].name, v[i].name))
			continue;
		diag_error(l->diag, config_pos(v[i].node, "name"),
			"receiver \"" STR_FMT "\" stands twice; first in line %u",
			STR_ARG(v[i].name), config_pos(v[k].node, "name").line);
		return;
	}
}

/* Two global ways to say one thing. */
static void check_global(struct loader *l)
{
	const struct conf_global *g = &l->p->root.global;
	struct str app = g->slack_app_url.n > 0 ? g->slack_app_url
						: STR("https://slack.com/api/chat.postMessage");

	if (receiver_global_has(l, "slack_app_token") && receiver_global_has(l, "slack_api_url") &&
		!str_eq(g->slack_api_url, app))
		diag_error(l->diag, config_pos(g->node, "slack_app_token"),
			"at most one of slack_app_token and slack_api_url may be given");
}

void config_finish_receivers(struct loader *l)
{
	struct conf_root *r = &l->p->root;
	struct notify_config *out = &l->p->pub.notify;
	struct receiver_config *v = ARENA_ARRAY(l->arena, r->n_receivers, struct receiver_config);
	struct http_options http;

	check_global(l);
	config_finish_http(l, &r->global.http, NULL, &http);
	for (size_t i = 0; v != NULL && i < r->n_receivers; i++) {
		finish_receiver(l, &r->receivers[i], &http, &v[i]);
		check_name(l, i);
	}
	out->receivers = v;
	out->n_receivers = v != NULL ? r->n_receivers : 0;
}

/* ---- the section ---- */

#define RECEIVERS(list, fl, text)                                                                  \
	{                                                                                          \
		.name = #list "_configs", .type = CT_LIST, .flags = fl,                            \
		.off = offsetof(struct conf_receiver, list), .sub = &config_##list, .doc = text    \
	}

static const struct config_key receiver_keys[] = {
	CK(CT_STR, struct conf_receiver, name, "name", NULL, CF_REQUIRED,
		"Name routes refer to; unique."),
	CK(CT_LABELS, struct conf_receiver, labels, "labels", NULL, 0,
		"Labels of the receiver itself, to find it by in the API."),
	CK(CT_STR, struct conf_receiver, fallback, "fallback", NULL, 0,
		"Receiver that is told what this one refuses or lets expire."),
	CK_SUB(CT_LIST, struct conf_receiver, escalate, "escalate", config_escalate, 0,
		"Who is told when this receiver takes no delivery, or nobody acknowledges."),
	RECEIVERS(slack, 0, NULL),
	RECEIVERS(email, 0, NULL),
	RECEIVERS(webhook, 0, NULL),
	RECEIVERS(pagerduty, 0, NULL),
	RECEIVERS(opsgenie, 0, NULL),
	RECEIVERS(msteamsv2, 0, NULL),
	RECEIVERS(discord, 0, NULL),
	RECEIVERS(telegram, 0, NULL),
	RECEIVERS(ntfy, 0, NULL),
	RECEIVERS(pushover, 0, NULL),
	RECEIVERS(mattermost, 0, NULL),
	RECEIVERS(rocketchat, 0, NULL),
	RECEIVERS(incidentio, CF_CHECK_ONLY, NULL),
	RECEIVERS(jira, CF_CHECK_ONLY, NULL),
	RECEIVERS(msteams, CF_CHECK_ONLY, NULL),
	RECEIVERS(sns, CF_CHECK_ONLY, NULL),
	RECEIVERS(victorops, CF_CHECK_ONLY, NULL),
	RECEIVERS(webex, CF_CHECK_ONLY, NULL),
	RECEIVERS(wechat, CF_CHECK_ONLY, NULL),
};
const struct config_section config_receiver = CONFIG_SECTION("receivers[]", receiver_keys,
	struct conf_receiver, "A name for those who are told together.");
