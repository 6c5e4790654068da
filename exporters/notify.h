/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - from alert events to messages that receivers accepted: routing tree, groups and their
 * timers, outbox, delivery. Lives on the state writer thread (storage/state.h); its tables are in
 * state.db.
 *
 *   alert_batch -> state job: alert_store_save + notify groups -> outbox rows (one transaction)
 *   group timers -> outbox rows; outbox rows -> sender -> result -> row done or next attempt
 */
#ifndef BELFRY_EXPORTERS_NOTIFY_H
#define BELFRY_EXPORTERS_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/matcher.h"
#include "exporters/sender.h"
#include "rules/alert_event.h"
#include "storage/state.h"

struct named_interval; /* exporters/time_interval.h */

/* --- configuration: plain data in one arena, filled by agent/config, immutable afterwards --- */
/* http_config: how a receiver's HTTP server is spoken to (integration_http_options applies it). */
struct http_options {
	struct str basic_user, basic_password;
	struct str bearer;        /* authorization of type Bearer, or bearer_token */
	struct str authorization; /* of another type: the header's whole value */
	const struct label *headers;
	size_t n_headers;
	struct str proxy_url, no_proxy;
	struct str ca_file, cert_file, key_file, server_name;
	bool insecure_skip_verify;
	bool follow_redirects;
};

/* Strings marked T are templates (exporters/notify_template.h); empty: not given. */
struct slack_field {
	struct str title, value; /* T */
	bool is_short;
};
struct slack_action {
	struct str type;                                                     /* "button" */
	struct str text, url, style;                                         /* T */
	struct str name, value;                                              /* T; without a url */
	struct str confirm_title, confirm_text, confirm_ok, confirm_dismiss; /* T */
};
struct slack_config {
	/* An incoming webhook; with bot_token the address of chat.postMessage, empty: Slack's. */
	struct str api_url;
	struct str bot_token; /* xoxb-...: root message edited, changes in its thread */
	struct str channel, username, icon_emoji, icon_url; /* T */
	/* Alertmanager's own message (slack_is_templated): when one of these is given, else
	 * belfry's. All T. */
	struct str title, title_link, pretext, text, message_text, color, footer, fallback,
		callback_id, image_url, thumb_url;
	const struct slack_field *fields;
	size_t n_fields;
	const struct slack_action *actions;
	size_t n_actions;
	const struct str *mrkdwn_in;
	size_t n_mrkdwn_in;
	bool link_names;
	/* belfry's: who is called by a critical alert's first message, as Slack writes it
	 * ("<!here>", "<!subteam^S0123>", "<@U0123>"), or @here, @channel, or an id alone. */
	struct str mention;
	bool update_message; /* with a token: edit the root message; else a new one each time */
	bool thread;         /* with update_message: say what changed in its thread */
	bool graph;          /* with a token: upload the graph into the thread */
	bool send_resolved;
	int64_t timeout_ms; /* of one attempt; 0: the default */
	struct http_options http;
};

enum mail_tls {
	MAIL_TLS_BY_PORT, /* 465: from the first byte; others: STARTTLS */
	MAIL_TLS_IMPLICIT,
	MAIL_TLS_STARTTLS
};
enum mail_thread_by { MAIL_THREAD_INCIDENT, MAIL_THREAD_DAY };
struct email_config {
	struct str to, from; /* T; one or more addresses, and one */
	struct str smarthost, hello;
	struct str auth_username, auth_password, auth_identity;
	struct str auth_secret; /* CRAM-MD5; else auth_password by PLAIN or LOGIN */
	struct str auth_token;  /* XOAUTH2: an access token */
	bool require_tls, send_resolved, insecure_skip_verify;
	enum mail_tls tls;
	struct str ca_file, cert_file, key_file, server_name;
	const struct label *headers; /* values T; a Subject here replaces ours */
	size_t n_headers;
	struct str html, text;   /* T; in place of our part */
	bool has_html, has_text; /* given, perhaps as "": then there is no such part */
	bool threading;          /* one conversation for all messages of an incident */
	enum mail_thread_by thread_by;
	bool graph; /* as a picture in the HTML part */
	int64_t timeout_ms;
};
#define VALUE_TREE_DEPTH 12u
/* A value of any shape from the configuration; its texts and keys are templates (T).
 * At most VALUE_TREE_DEPTH deep. */
struct value_tree {
	enum value_kind {
		VALUE_TEXT, /* T, and what it becomes may itself be YAML of another shape */
		VALUE_JSON, /* a number, true, false or null: text is JSON */
		VALUE_MAP,
		VALUE_LIST
	} kind;
	struct str key; /* within a map; T */
	struct str text;
	const struct value_tree *v;
	size_t n;
};
struct webhook_config {
	struct str url;
	uint64_t max_alerts;
	bool send_resolved;
	int64_t timeout_ms;
	const struct value_tree *payload; /* instead of version 4's; NULL: none */
	struct http_options http;
};
/* Stored in state.db as numbers: never renumber. */
enum integration_kind {
	INT_SLACK = 0,
	INT_EMAIL = 1,
	INT_WEBHOOK = 2,
	INT_PAGERDUTY = 3,
	INT_OPSGENIE = 4,
	INT_MSTEAMSV2 = 5,
	INT_DISCORD = 6,
	INT_TELEGRAM = 7,
	INT_NTFY = 8,
	INT_PUSHOVER = 9,
	INT_MATTERMOST = 10,
	INT_ROCKETCHAT = 11,
	INTEGRATION_KINDS
};
/* One way to a receiver: exporters/integration.h says how each kind works. */
struct integration {
	enum integration_kind kind;
	size_t index; /* among the receiver's of this kind, in the file's order */
	bool send_resolved;
	const void *conf; /* struct slack_config, email_config, ... */
};
struct escalation_step {
	struct str to;            /* receiver */
	int64_t not_delivered_ms; /* no message of the incident was accepted by then; 0: not asked
				   */
	int64_t not_acknowledged_ms; /* nobody acknowledged it by then; 0: not asked */
};
struct receiver_config {
	struct str name;
	const struct integration *v;
	size_t n;
	struct labels labels; /* of the receiver itself: to find it by in the API */
	struct str fallback;  /* receiver told what this one refuses or lets expire; empty: none */
	const struct escalation_step *escalate;
	size_t n_escalate;
};
struct route_config {
	struct str receiver;
	const struct matcher *matchers; /* match and match_re become matchers */
	size_t n_matchers;
	const struct str *group_by;
	size_t n_group_by;
	bool group_by_all; /* ['...'] */
	bool continue_;
	int64_t group_wait_ms, group_interval_ms,
		repeat_interval_ms; /* inherited values filled in */
	struct labels labels;       /* inherited ones filled in */
	/* Not inherited. A group is muted inside any of the first, and outside all of the second.
	 */
	const struct named_interval *const *mute, *const *active;
	size_t n_mute, n_active;
	const struct route_config *routes;
	size_t n_routes;
};
struct inhibit_rule {
	struct str name; /* may be empty */
	const struct matcher *source, *target;
	size_t n_source, n_target;
	const struct str *equal;
	size_t n_equal;
};
struct notify_templates;
struct notify_config {
	struct route_config root; /* receiver empty: nothing is routed */
	const struct receiver_config *receivers;
	size_t n_receivers;
	struct str external_url;
	const struct notify_templates *templates; /* exporters/notify_template.h */
	int64_t expiry_ms;                        /* give a message up after this; 24 h */
	const struct inhibit_rule *inhibit_rules;
	size_t n_inhibit_rules;
	const struct named_interval *intervals; /* all of them; routes point to theirs */
	size_t n_intervals;
	int64_t resolve_timeout_ms; /* of alerts from outside without an end; 0: 5 min */
	bool group_ticks;   /* as Alertmanager: groups are looked at every group_interval only */
	bool resolve_waits; /* a group that is over waits for group_interval like other changes */
	bool drop_suppressed_ends; /* the end of a suppressed alert is not told */
};

struct notify;

/* Loads groups, outbox and sent log from state.db (state_db(state)), registers as a module: before
 * state_start. cfg must live until notify_free or the reload that replaced it was acknowledged. */
int notify_new(struct notify **out, struct state *state, const struct notify_config *cfg,
	struct sender sender, struct err *e) MUST_CHECK;
/* Where graphs in messages come from; without one they have none. Before state_start; the source is
 * stopped after notify_quiesce and before state_stop. */
struct graph_source;
void notify_set_graphs(struct notify *n, const struct graph_source *source);
/* The sink rules are given. */
struct alert_sink notify_sink(struct notify *n);
/* Any thread, waits until the state writer took it: afterwards the old cfg may be freed. */
void notify_reload(struct notify *n, const struct notify_config *cfg);
/* Stop handing rows to the sender (shutdown); what is in flight is reported or stays in the outbox.
 */
void notify_quiesce(struct notify *n);
void notify_free(struct notify *n);

/* JSON for the page: {"receivers":[{name, integration, last_success, queued, failed, last_error}],
 * "outbox":[...newest 100...]}. Any thread (reads state.db through a reader connection). */
int notify_status_json(struct notify *n, struct buf *out, struct err *e) MUST_CHECK;

#endif
