/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_receiver - what the files agent/config_receiver*.c share: the sections that receivers are
 * read into, one struct for each kind, and the checks they have in common.
 *
 * Each kind's file holds its keys and its finishing: what is inherited from global, what excludes
 * what, what is missing. agent/config_receiver.c has the table of kinds.
 */
#ifndef BELFRY_AGENT_CONFIG_RECEIVER_H
#define BELFRY_AGENT_CONFIG_RECEIVER_H

#include "agent/config_load.h"
#include "exporters/receiver_config.h"

/* ---- http_config ---- */

/* Checks it and says what it comes to. When it is not given, `up` (global's, may be NULL) holds. */
void config_finish_http(struct loader *l, const struct conf_http *h, const struct http_options *up,
	struct http_options *out);

/* ---- kinds ---- */

/* Every kind's struct begins with it. */
struct conf_kind {
	const struct yaml_node *node;
	bool send_resolved;
	struct conf_http http;
};
#define CK_KIND(S, resolved)                                                                       \
	CK(CT_BOOL, S, head.send_resolved, "send_resolved", resolved, 0,                           \
		"Resolved alerts are told too."),                                                  \
		CK_SUB(CT_MAP, S, head.http, "http_config", config_http, 0,                        \
			"How the receiver is spoken to; global.http_config when not given.")

/* Keys of tls_config, for HTTP and SMTP alike (config_receiver_http.c). */
#define CONFIG_TLS_KEYS 10
extern const struct config_key config_tls_keys[CONFIG_TLS_KEYS];

struct conf_list {
	void *v;
	size_t n;
};

struct receiver_kind {
	const char *key; /* in a receiver: "slack_configs" */
	size_t off;      /* of its struct conf_list in struct conf_receiver */
	int kind;        /* enum integration_kind; -1: checked, never sent to */
	const struct config_section *section;
	size_t pub_off, http_off; /* in its struct: what the renderer gets, its http_options */
	bool am_send_resolved;    /* Alertmanager's default */
	/* After http was finished. */
	void (*finish)(struct loader *l, void *conf);
};
#define RECEIVER_KIND(list, kind_, resolved, fn)                                                   \
	const struct receiver_kind receiver_##list = {.key = #list "_configs",                     \
		.off = offsetof(struct conf_receiver, list),                                       \
		.kind = kind_,                                                                     \
		.section = &config_##list,                                                         \
		.pub_off = offsetof(struct conf_##list, pub),                                      \
		.http_off = offsetof(struct conf_##list, pub.http),                                \
		.am_send_resolved = resolved,                                                      \
		.finish = fn}
/* Of a kind that is only checked. */
#define RECEIVER_CHECKED(list, resolved, fn)                                                       \
	const struct receiver_kind receiver_##list = {.key = #list "_configs",                     \
		.off = offsetof(struct conf_receiver, list),                                       \
		.kind = -1,                                                                        \
		.section = &config_##list,                                                         \
		.am_send_resolved = resolved,                                                      \
		.finish = fn}
/* Its section, from the table list_keys. */
#define RECEIVER_SECTION(list, text)                                                               \
	const struct config_section config_##list = CONFIG_SECTION(                                \
		"receivers[]." #list "_configs[]", list##_keys, struct conf_##list, text)

struct conf_escalate {
	const struct yaml_node *node;
	struct escalation_step pub;
};
struct conf_receiver {
	const struct yaml_node *node;
	struct str name, fallback;
	struct conf_escalate *escalate;
	size_t n_escalate;
	struct labels labels;
	struct conf_list slack, email, webhook, pagerduty, opsgenie, msteamsv2, discord, telegram,
		ntfy, pushover, mattermost, rocketchat;
	struct conf_list incidentio, jira, msteams, sns, victorops, webex,
		wechat; /* checked only */
};

extern const struct receiver_kind receiver_slack, receiver_email, receiver_webhook,
	receiver_pagerduty, receiver_opsgenie, receiver_msteamsv2, receiver_discord,
	receiver_telegram, receiver_ntfy, receiver_pushover, receiver_mattermost,
	receiver_rocketchat, receiver_incidentio, receiver_jira, receiver_msteams, receiver_sns,
	receiver_victorops, receiver_webex, receiver_wechat;

extern const struct config_section config_slack, config_email, config_webhook, config_pagerduty,
	config_opsgenie, config_msteamsv2, config_discord, config_telegram, config_ntfy,
	config_pushover, config_mattermost, config_rocketchat, config_incidentio, config_jira,
	config_msteams, config_sns, config_victorops, config_webex, config_wechat;

/* fallback and escalate (config_escalate.c); all receivers are read by then. */
extern const struct config_section config_escalate;
void config_finish_escalate(
	struct loader *l, const struct conf_receiver *r, struct receiver_config *out);

/* ---- shared checks ---- */

/* A secret (or its _file twin) that is given and not empty. */
bool receiver_has(const struct yaml_node *map, const char *key);
/* The same of a key of global. */
bool receiver_global_has(const struct loader *l, const char *key);
/* `own` becomes `from` unless the key (or its _file twin) is given here. */
void receiver_inherit(
	struct str *own, const struct yaml_node *map, const char *key, struct str from);
/* What the key holds (in node, or inherited: then told at the receiver) must be an http(s) URL;
 * empty is fine. */
void receiver_url(struct loader *l, const struct yaml_node *map, const char *key, struct str url);
/* Error at the receiver when neither the key here nor global_key (NULL: none) is given. */
void receiver_needs(
	struct loader *l, const struct yaml_node *map, const char *key, const char *global_key);
/* A URL that paths are put behind. */
struct str receiver_with_slash(struct loader *l, struct str url);
/* A map or other value whose texts are templates; NULL when there is none. */
const struct value_tree *receiver_tree(struct loader *l, const struct yaml_node *node);

#endif
