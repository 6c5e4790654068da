/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_schema_notify - the keys of Alertmanager's part of belfry.yml; and look-ups over the whole
 * table.
 */
#include "agent/config_schema.h"
#include "base/num.h"

#define YEAR INT64_C(31536000000)

/* ---- routes ---- */

static const struct config_key route_keys[] = {
	CK(CT_STR, struct conf_route, receiver, "receiver", NULL, 0,
		"Who is told; the parent's when not given."),
	CK(CT_NODE, struct conf_route, matcher_lines, "matchers", NULL, 0,
		"Alerts this route takes: a list such as severity=\"critical\"; all must match."),
	CK(CT_NODE, struct conf_route, match, "match", NULL, 0,
		"Older form: a map of labels and values."),
	CK(CT_NODE, struct conf_route, match_re, "match_re", NULL, 0,
		"Older form: a map of labels and regular expressions."),
	CK(CT_STRS, struct conf_route, group_by, "group_by", NULL, CF_NAMES,
		"Labels whose values make a group, one message each; ['...']: every alert apart."),
	CK(CT_DUR, struct conf_route, group_wait_ms, "group_wait", NULL, 0,
		"A new group waits this long for more alerts. 5s at the root."),
	CK_RANGE(CT_DUR, struct conf_route, group_interval_ms, "group_interval", NULL, 0, 1, YEAR,
		"Least time between messages about a group that changed. 1m at the root."),
	CK_RANGE(CT_DUR, struct conf_route, repeat_interval_ms, "repeat_interval", NULL, 0, 1, YEAR,
		"A group that did not change is told again after this. 4h at the root."),
	CK(CT_BOOL, struct conf_route, continue_, "continue", "false", 0,
		"Alerts of this route are offered to the following ones too."),
	CK(CT_MATCHERS, struct conf_route, matchers, "matchers", NULL, 0,
		NULL), /* what is printed */
	CK_SUB(CT_LIST, struct conf_route, routes, "routes", config_route, 0, "Routes below."),
	CK_UNBUILT("mute_time_intervals", NULL),
	CK_UNBUILT("active_time_intervals", NULL),
	CK_UNBUILT("labels", NULL),
};
const struct config_section config_route = CONFIG_SECTION("route", route_keys, struct conf_route,
	"Which receiver is told of which alerts, and how they are grouped. The first route below "
	"that matches takes an alert; the root takes what no other does.");

/* ---- receivers ---- */

static const struct config_key smtp_tls_keys[] = {
	CK(CT_STR, struct conf_tls, ca_file, "ca_file", NULL, CF_PATH,
		"Certificates that may sign the server's; the system's when not given."),
	CK(CT_STR, struct conf_tls, server_name, "server_name", NULL, 0,
		"Name the server's certificate must have, when not the address's."),
	CK(CT_BOOL, struct conf_tls, insecure_skip_verify, "insecure_skip_verify", "false", 0,
		"Take any certificate. Only for tests."),
	CK_UNBUILT("ca", NULL),
	CK_UNBUILT("cert", NULL),
	CK_UNBUILT("cert_file", NULL),
	CK_UNBUILT_SECRET("key"),
	CK_UNBUILT("min_version", "TLS12"),
	CK_UNBUILT("max_version", NULL),
};
const struct config_section config_smtp_tls =
	CONFIG_SECTION("receivers[].email_configs[].tls_config", smtp_tls_keys, struct conf_tls,
		"TLS towards the mail server.");

static const struct config_key slack_keys[] = {
	CK(CT_BOOL, struct conf_slack, pub.send_resolved, "send_resolved", "true", 0,
		"Resolved alerts are told too."),
	CK(CT_STR, struct conf_slack, pub.api_url, "api_url", NULL, CF_SECRET,
		"Incoming webhook; global.slack_api_url when not given."),
	CK(CT_STR, struct conf_slack, pub.channel, "channel", NULL, 0,
		"Channel; honoured by legacy webhooks only."),
	CK(CT_STR, struct conf_slack, pub.username, "username", NULL, 0,
		"Sender's name; honoured by legacy webhooks only."),
	CK(CT_STR, struct conf_slack, pub.icon_emoji, "icon_emoji", NULL, 0,
		"Sender's icon; honoured by legacy webhooks only."),
	CK(CT_STR, struct conf_slack, pub.icon_url, "icon_url", NULL, 0,
		"Sender's icon; honoured by legacy webhooks only."),
	CK(CT_STR, struct conf_slack, pub.title, "title", NULL, 0,
		"Template of the title; belfry's own message when not given."),
	CK(CT_STR, struct conf_slack, pub.text, "text", NULL, 0,
		"Template of the text; belfry's own message when not given."),
	CK_UNBUILT_SECRET("http_config"),
	CK_UNBUILT_SECRET("app_token"),
	CK_UNBUILT("app_url", NULL),
	CK_UNBUILT("color", NULL),
	CK_UNBUILT("title_link", NULL),
	CK_UNBUILT("pretext", NULL),
	CK_UNBUILT("message_text", NULL),
	CK_UNBUILT("fields", NULL),
	CK_UNBUILT("short_fields", "false"),
	CK_UNBUILT("footer", NULL),
	CK_UNBUILT("fallback", NULL),
	CK_UNBUILT("callback_id", NULL),
	CK_UNBUILT("image_url", NULL),
	CK_UNBUILT("thumb_url", NULL),
	CK_UNBUILT("link_names", "false"),
	CK_UNBUILT("mrkdwn_in", NULL),
	CK_UNBUILT("actions", NULL),
	CK_UNBUILT("timeout", NULL),
	CK_UNBUILT("update_message", "false"),
};
static const struct config_section slack = CONFIG_SECTION("receivers[].slack_configs[]", slack_keys,
	struct conf_slack, "A Slack channel, by incoming webhook.");

static const struct config_key email_keys[] = {
	CK(CT_BOOL, struct conf_email, pub.send_resolved, "send_resolved", "true", 0,
		"Resolved alerts are told too."),
	CK(CT_STR, struct conf_email, pub.to, "to", NULL, CF_REQUIRED,
		"Recipients, separated by commas."),
	CK(CT_STR, struct conf_email, pub.from, "from", NULL, 0,
		"Sender; global.smtp_from when not given."),
	CK(CT_STR, struct conf_email, pub.smarthost, "smarthost", NULL, 0,
		"Mail server as host:port; global.smtp_smarthost when not given."),
	CK(CT_STR, struct conf_email, pub.hello, "hello", NULL, 0,
		"Name said to the mail server; global.smtp_hello when not given."),
	CK(CT_STR, struct conf_email, pub.auth_username, "auth_username", NULL, 0,
		"User at the mail server; global.smtp_auth_username when not given."),
	CK(CT_STR, struct conf_email, pub.auth_password, "auth_password", NULL, CF_SECRET,
		"Password at the mail server; global.smtp_auth_password when not given."),
	CK(CT_STR, struct conf_email, pub.auth_identity, "auth_identity", NULL, 0,
		"Identity for AUTH PLAIN; global.smtp_auth_identity when not given."),
	CK(CT_BOOL, struct conf_email, pub.require_tls, "require_tls", NULL, 0,
		"Mail is only sent over TLS; global.smtp_require_tls when not given."),
	CK(CT_PAIRS, struct conf_email, pub.headers, "headers", NULL, 0,
		"Further headers, or others than belfry's own; values are templates."),
	CK_SUB(CT_MAP, struct conf_email, tls, "tls_config", config_smtp_tls, 0,
		"TLS towards the mail server; global.smtp_tls_config when not given."),
	CK_UNBUILT_SECRET("auth_secret"),
	CK_UNBUILT("html", NULL),
	CK_UNBUILT("text", NULL),
	CK_UNBUILT("implicit_tls", NULL),
	CK_UNBUILT("force_implicit_tls", NULL),
	CK_UNBUILT("threading", NULL),
};
static const struct config_section email =
	CONFIG_SECTION("receivers[].email_configs[]", email_keys, struct conf_email, "E-mail.");

static const struct config_key webhook_http_keys[] = {
	CK_SUB(CT_MAP, struct conf_webhook_http, basic, "basic_auth", config_basic, 0,
		"User name and password."),
	CK_SUB(CT_MAP, struct conf_webhook_http, auth, "authorization", config_auth, 0,
		"Authorization header."),
	CK(CT_STR, struct conf_webhook_http, bearer, "bearer_token", NULL, CF_SECRET,
		"Bearer token; the same as authorization.credentials."),
	CK_UNBUILT("oauth2", NULL),
	CK_UNBUILT("tls_config", NULL),
	CK_UNBUILT("follow_redirects", NULL),
	CK_UNBUILT("enable_http2", "true"),
	CK_UNBUILT("proxy_url", NULL),
	CK_UNBUILT("no_proxy", NULL),
	CK_UNBUILT("proxy_from_environment", "false"),
	CK_UNBUILT("proxy_connect_header", NULL),
	CK_UNBUILT_SECRET("http_headers"),
};
static const struct config_section webhook_http =
	CONFIG_SECTION("receivers[].webhook_configs[].http_config", webhook_http_keys,
		struct conf_webhook_http, "How the receiver is spoken to.");

static const struct config_key webhook_keys[] = {
	CK(CT_BOOL, struct conf_webhook, pub.send_resolved, "send_resolved", "true", 0,
		"Resolved alerts are told too."),
	CK(CT_STR, struct conf_webhook, pub.url, "url", NULL, CF_SECRET | CF_REQUIRED,
		"Where messages are posted."),
	CK(CT_UINT, struct conf_webhook, pub.max_alerts, "max_alerts", "0", 0,
		"Alerts in one message; the rest is counted. 0: all."),
	CK(CT_DUR, struct conf_webhook, pub.timeout_ms, "timeout", "0s", 0,
		"Time for one attempt. 0: 10s."),
	CK_SUB(CT_MAP, struct conf_webhook, http, "http_config", webhook_http, 0,
		"How the receiver is spoken to."),
	CK_UNBUILT("payload", NULL),
};
static const struct config_section webhook = CONFIG_SECTION("receivers[].webhook_configs[]",
	webhook_keys, struct conf_webhook, "Any HTTP server: Alertmanager's webhook, version 4.");

static const struct config_key receiver_keys[] = {
	CK(CT_STR, struct conf_receiver, name, "name", NULL, CF_REQUIRED,
		"Name routes refer to; unique."),
	CK_SUB(CT_LIST, struct conf_receiver, slack, "slack_configs", slack, 0, "Slack."),
	CK_SUB(CT_LIST, struct conf_receiver, email, "email_configs", email, 0, "E-mail."),
	CK_SUB(CT_LIST, struct conf_receiver, webhook, "webhook_configs", webhook, 0, "Webhooks."),
	CK_UNBUILT("discord_configs", NULL),
	CK_UNBUILT("incidentio_configs", NULL),
	CK_UNBUILT("jira_configs", NULL),
	CK_UNBUILT("mattermost_configs", NULL),
	CK_UNBUILT("msteams_configs", NULL),
	CK_UNBUILT("msteamsv2_configs", NULL),
	CK_UNBUILT("ntfy_configs", NULL),
	CK_UNBUILT("opsgenie_configs", NULL),
	CK_UNBUILT("pagerduty_configs", NULL),
	CK_UNBUILT("pushover_configs", NULL),
	CK_UNBUILT("rocketchat_configs", NULL),
	CK_UNBUILT("sns_configs", NULL),
	CK_UNBUILT("telegram_configs", NULL),
	CK_UNBUILT("victorops_configs", NULL),
	CK_UNBUILT("webex_configs", NULL),
	CK_UNBUILT("wechat_configs", NULL),
};
const struct config_section config_receiver = CONFIG_SECTION("receivers[]", receiver_keys,
	struct conf_receiver, "A name for those who are told together.");

/* ---- look-ups ---- */

const struct config_key *config_key_find(const struct config_section *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(str_c(s->keys[i].name), name))
			return &s->keys[i];
	}
	return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): the table nests 4 levels; routes are left out */
static const char *find_in(const struct config_section *s, struct str name, unsigned depth)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_section *sub = s->keys[i].sub;
		const char *found;

		if (sub == NULL || sub == s || depth > 6)
			continue;
		if (config_key_find(sub, name) != NULL)
			return sub->name;
		found = find_in(sub, name, depth + 1);
		if (found != NULL)
			return found;
	}
	return NULL;
}

const char *config_key_elsewhere(struct str name)
{
	if (config_key_find(&config_root, name) != NULL)
		return "";
	return find_in(&config_root, name, 0);
}

bool config_key_is_secret(struct str name)
{
	static const char *const parts[] = {"password", "passwd", "secret", "token", "credential",
		"api_key", "apikey", "routing_key", "service_key", "user_key", "webhook_url",
		"slack_api_url", "private_key"};

	if (str_ends(name, STR("_file")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (str_has(name, str_c(parts[i])))
			return true;
	}
	return str_eq(name, STR("api_url")) || str_eq(name, STR("url")) || str_eq(name, STR("key"));
}
