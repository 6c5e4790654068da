/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_receiver_checked - receivers of Alertmanager that belfry does not send to: read and
 * checked by `belfry check config`, refused by `belfry run` (CF_CHECK_ONLY at the receiver's keys).
 */
#include "agent/config_receiver.h"

#define TEXT(S, field, key)   CK(CT_STR, S, field, key, NULL, CF_TEMPLATE, NULL)
#define PLAIN(S, field, key)  CK(CT_STR, S, field, key, NULL, 0, NULL)
#define SECRET(S, field, key) CK(CT_STR, S, field, key, NULL, CF_SECRET, NULL)

/* ---- incident.io ---- */

struct conf_incidentio {
	struct conf_kind head;
	struct str url, token;
	uint64_t max_alerts;
	int64_t timeout_ms;
};
static const struct config_key incidentio_keys[] = {
	CK_KIND(struct conf_incidentio, "true"),
	CK(CT_STR, struct conf_incidentio, url, "url", NULL, CF_FILE, NULL),
	SECRET(struct conf_incidentio, token, "alert_source_token"),
	CK(CT_UINT, struct conf_incidentio, max_alerts, "max_alerts", "0", 0, NULL),
	CK(CT_DUR, struct conf_incidentio, timeout_ms, "timeout", "0s", 0, NULL),
};
RECEIVER_SECTION(incidentio, "incident.io: checked only.");

static void finish_incidentio(struct loader *l, void *conf)
{
	const struct conf_incidentio *s = conf;
	bool token = receiver_has(s->head.node, "alert_source_token");
	bool auth = config_given(s->head.http.node, "authorization");

	receiver_needs(l, s->head.node, "url", NULL);
	receiver_url(l, s->head.node, "url", s->url);
	if (token && auth)
		diag_error(l->diag, config_pos(s->head.node, "alert_source_token"),
			"at most one of alert_source_token and http_config.authorization may be "
			"given");
	if (!token && !auth && s->head.http.node != NULL)
		diag_error(l->diag, s->head.node->pos,
			"no token: give alert_source_token or http_config.authorization");
}
RECEIVER_CHECKED(incidentio, true, finish_incidentio);

/* ---- Jira ---- */

struct conf_jira {
	struct conf_kind head;
	struct str api_url, api_type, project, priority, issue_type, reopen_transition,
		resolve_transition, wont_fix_resolution;
	const struct yaml_node *summary, *description, *fields, *labels;
	int64_t reopen_duration_ms;
};
static const struct config_key jira_keys[] = {
	CK_KIND(struct conf_jira, "true"),
	PLAIN(struct conf_jira, api_url, "api_url"),
	CK_ENUM(struct conf_jira, api_type, "api_type", "auto", 0, "auto|cloud|datacenter", NULL),
	CK(CT_STR, struct conf_jira, project, "project", NULL, CF_TEMPLATE | CF_REQUIRED, NULL),
	CK(CT_STR, struct conf_jira, issue_type, "issue_type", NULL, CF_TEMPLATE | CF_REQUIRED,
		NULL),
	CK(CT_NODE, struct conf_jira, summary, "summary", NULL, 0, NULL),
	CK(CT_NODE, struct conf_jira, description, "description", NULL, 0, NULL),
	CK(CT_NODE, struct conf_jira, labels, "labels", NULL, 0, NULL),
	TEXT(struct conf_jira, priority, "priority"),
	TEXT(struct conf_jira, reopen_transition, "reopen_transition"),
	TEXT(struct conf_jira, resolve_transition, "resolve_transition"),
	TEXT(struct conf_jira, wont_fix_resolution, "wont_fix_resolution"),
	CK(CT_DUR, struct conf_jira, reopen_duration_ms, "reopen_duration", NULL, 0, NULL),
	CK(CT_NODE, struct conf_jira, fields, "fields", NULL, 0, NULL),
};
RECEIVER_SECTION(jira, "Jira: checked only.");

/* A template, or a map of template and enable_update. */
static void check_jira_field(struct loader *l, const struct yaml_node *node, const char *what)
{
	if (node == NULL || node->kind == YAML_NULL)
		return;
	if (node->kind == YAML_SCALAR) {
		config_template(l, node, what, node->scalar, false);
		return;
	}
	for (size_t i = 0; node->kind == YAML_MAP && i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];

		if (str_eq(p->key->scalar, STR("template")) && p->value->kind == YAML_SCALAR)
			config_template(l, p->value, what, p->value->scalar, false);
		else if (!str_eq(p->key->scalar, STR("enable_update")))
			diag_error(l->diag, p->key->pos,
				"%s: unknown key; known here: template, enable_update", what);
	}
	if (node->kind == YAML_SEQ)
		diag_error(l->diag, node->pos, "%s must be a text or a map", what);
}

static void finish_jira(struct loader *l, void *conf)
{
	const struct conf_jira *s = conf;

	receiver_needs(l, s->head.node, "api_url", "jira_api_url");
	receiver_url(l, s->head.node, "api_url", s->api_url);
	check_jira_field(l, s->summary, "summary");
	check_jira_field(l, s->description, "description");
	(void)receiver_tree(l, s->fields);
	(void)receiver_tree(l, s->labels);
}
RECEIVER_CHECKED(jira, true, finish_jira);

/* ---- the older Teams ---- */

struct conf_msteams {
	struct conf_kind head;
	struct str webhook_url, title, summary, text;
};
static const struct config_key msteams_keys[] = {
	CK_KIND(struct conf_msteams, "true"),
	CK(CT_STR, struct conf_msteams, webhook_url, "webhook_url", NULL, CF_SECRET | CF_REQUIRED,
		NULL),
	TEXT(struct conf_msteams, title, "title"),
	TEXT(struct conf_msteams, summary, "summary"),
	TEXT(struct conf_msteams, text, "text"),
};
RECEIVER_SECTION(msteams,
	"Microsoft Teams by connectors, which Microsoft has ended: checked only; use "
	"msteamsv2_configs.");

static void finish_msteams(struct loader *l, void *conf)
{
	const struct conf_msteams *s = conf;

	receiver_url(l, s->head.node, "webhook_url", s->webhook_url);
}
RECEIVER_CHECKED(msteams, true, finish_msteams);

/* ---- Amazon SNS ---- */

struct conf_sigv4 {
	const struct yaml_node *node;
	struct str region, access_key, secret_key, profile, role_arn, external_id;
	bool fips;
};
struct conf_sns {
	struct conf_kind head;
	struct str api_url, topic_arn, phone_number, target_arn, subject, message;
	struct conf_sigv4 sigv4;
	const struct label *attributes;
	size_t n_attributes;
	bool aws_client;
};
static const struct config_key sigv4_keys[] = {
	PLAIN(struct conf_sigv4, region, "region"),
	PLAIN(struct conf_sigv4, access_key, "access_key"),
	SECRET(struct conf_sigv4, secret_key, "secret_key"),
	PLAIN(struct conf_sigv4, profile, "profile"),
	PLAIN(struct conf_sigv4, role_arn, "role_arn"),
	PLAIN(struct conf_sigv4, external_id, "external_id"),
	CK(CT_BOOL, struct conf_sigv4, fips, "use_fips_sts_endpoint", "false", 0, NULL),
};
static const struct config_section sigv4 = CONFIG_SECTION(
	"receivers[].sns_configs[].sigv4", sigv4_keys, struct conf_sigv4, "Checked only.");
static const struct config_key sns_keys[] = {
	CK_KIND(struct conf_sns, "true"),
	TEXT(struct conf_sns, api_url, "api_url"),
	CK_SUB(CT_MAP, struct conf_sns, sigv4, "sigv4", sigv4, 0, NULL),
	TEXT(struct conf_sns, topic_arn, "topic_arn"),
	TEXT(struct conf_sns, phone_number, "phone_number"),
	TEXT(struct conf_sns, target_arn, "target_arn"),
	TEXT(struct conf_sns, subject, "subject"),
	TEXT(struct conf_sns, message, "message"),
	CK(CT_PAIRS, struct conf_sns, attributes, "attributes", NULL, CF_TEMPLATE, NULL),
	CK(CT_BOOL, struct conf_sns, aws_client, "use_aws_http_client", "false", 0, NULL),
};
RECEIVER_SECTION(sns, "Amazon SNS: checked only.");

static void finish_sns(struct loader *l, void *conf)
{
	const struct conf_sns *s = conf;
	int given = (s->topic_arn.n > 0) + (s->phone_number.n > 0) + (s->target_arn.n > 0);

	if (given != 1)
		diag_error(l->diag, s->head.node->pos,
			"exactly one of topic_arn, phone_number and target_arn must be given");
	if ((s->sigv4.access_key.n > 0) != receiver_has(s->sigv4.node, "secret_key"))
		diag_error(l->diag, s->sigv4.node->pos, "access_key and secret_key go together");
	if (s->sigv4.external_id.n > 0 && s->sigv4.role_arn.n == 0)
		diag_error(l->diag, s->sigv4.node->pos, "external_id needs role_arn");
}
RECEIVER_CHECKED(sns, true, finish_sns);

/* ---- VictorOps ---- */

struct conf_victorops {
	struct conf_kind head;
	struct str api_key, api_url, routing_key, message_type, state_message, entity_display_name,
		monitoring_tool;
	const struct label *custom_fields;
	size_t n_custom_fields;
};
static const struct config_key victorops_keys[] = {
	CK_KIND(struct conf_victorops, "true"),
	SECRET(struct conf_victorops, api_key, "api_key"),
	PLAIN(struct conf_victorops, api_url, "api_url"),
	CK(CT_STR, struct conf_victorops, routing_key, "routing_key", NULL,
		CF_TEMPLATE | CF_REQUIRED, NULL),
	TEXT(struct conf_victorops, message_type, "message_type"),
	TEXT(struct conf_victorops, state_message, "state_message"),
	TEXT(struct conf_victorops, entity_display_name, "entity_display_name"),
	TEXT(struct conf_victorops, monitoring_tool, "monitoring_tool"),
	CK(CT_PAIRS, struct conf_victorops, custom_fields, "custom_fields", NULL, CF_TEMPLATE,
		NULL),
};
RECEIVER_SECTION(victorops, "VictorOps: checked only.");

static void finish_victorops(struct loader *l, void *conf)
{
	static const char *const reserved[] = {"routing_key", "message_type", "state_message",
		"entity_display_name", "monitoring_tool", "entity_id", "entity_state"};
	const struct conf_victorops *s = conf;

	receiver_needs(l, s->head.node, "api_key", "victorops_api_key");
	receiver_url(l, s->head.node, "api_url", s->api_url);
	for (size_t i = 0; i < s->n_custom_fields; i++) {
		for (size_t k = 0; k < sizeof reserved / sizeof reserved[0]; k++) {
			if (str_eq(s->custom_fields[i].name, str_c(reserved[k])))
				diag_error(l->diag, config_pos(s->head.node, "custom_fields"),
					"custom_fields: %s has a key of its own", reserved[k]);
		}
	}
}
RECEIVER_CHECKED(victorops, true, finish_victorops);

/* ---- Webex ---- */

struct conf_webex {
	struct conf_kind head;
	struct str api_url, room_id, message;
};
static const struct config_key webex_keys[] = {
	CK_KIND(struct conf_webex, "true"),
	PLAIN(struct conf_webex, api_url, "api_url"),
	CK(CT_STR, struct conf_webex, room_id, "room_id", NULL, CF_TEMPLATE | CF_REQUIRED, NULL),
	TEXT(struct conf_webex, message, "message"),
};
RECEIVER_SECTION(webex, "Webex: checked only.");

static void finish_webex(struct loader *l, void *conf)
{
	const struct conf_webex *s = conf;

	receiver_url(l, s->head.node, "api_url", s->api_url);
	if (!config_given(s->head.http.node, "authorization"))
		diag_error(l->diag, s->head.node->pos, "webex needs http_config.authorization");
}
RECEIVER_CHECKED(webex, true, finish_webex);

/* ---- WeChat ---- */

struct conf_wechat {
	struct conf_kind head;
	struct str api_secret, api_url, corp_id, message, to_user, to_party, to_tag, agent_id,
		message_type;
};
static const struct config_key wechat_keys[] = {
	CK_KIND(struct conf_wechat, "true"),
	SECRET(struct conf_wechat, api_secret, "api_secret"),
	PLAIN(struct conf_wechat, api_url, "api_url"),
	PLAIN(struct conf_wechat, corp_id, "corp_id"),
	TEXT(struct conf_wechat, message, "message"),
	TEXT(struct conf_wechat, to_user, "to_user"),
	TEXT(struct conf_wechat, to_party, "to_party"),
	TEXT(struct conf_wechat, to_tag, "to_tag"),
	TEXT(struct conf_wechat, agent_id, "agent_id"),
	CK_ENUM(struct conf_wechat, message_type, "message_type", "text", 0, "text|markdown", NULL),
};
RECEIVER_SECTION(wechat, "WeChat: checked only.");

static void finish_wechat(struct loader *l, void *conf)
{
	const struct conf_wechat *s = conf;

	receiver_needs(l, s->head.node, "api_secret", "wechat_api_secret");
	receiver_needs(l, s->head.node, "corp_id", "wechat_api_corp_id");
	receiver_url(l, s->head.node, "api_url", s->api_url);
}
RECEIVER_CHECKED(wechat, false, finish_wechat);
