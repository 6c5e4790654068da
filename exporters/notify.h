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

/* --- configuration: plain data in one arena, filled by agent/config, immutable afterwards --- */
struct slack_config {
	struct str api_url, channel, username, icon_emoji, icon_url;
	struct str title, text; /* templates; empty: belfry's own Block Kit message */
	bool send_resolved;
};
struct email_config {
	struct str to, from, smarthost, hello, auth_username, auth_password, auth_identity;
	bool require_tls, send_resolved, insecure_skip_verify;
	struct str ca_file, server_name;
	const struct label *headers;
	size_t n_headers;
};
struct webhook_config {
	struct str url, bearer, basic_user, basic_password;
	uint64_t max_alerts;
	bool send_resolved;
	int64_t timeout_ms;
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
struct receiver_config {
	struct str name;
	const struct integration *v;
	size_t n;
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
	const struct route_config *routes;
	size_t n_routes;
};
struct notify_templates;
struct notify_config {
	struct route_config root; /* receiver empty: nothing is routed */
	const struct receiver_config *receivers;
	size_t n_receivers;
	struct str external_url;
	const struct notify_templates *templates; /* exporters/notify_template.h */
	int64_t expiry_ms;                        /* give a message up after this; 24 h */
};

struct notify;

/* Loads groups, outbox and sent log from state.db (state_db(state)), registers as a module: before
 * state_start. cfg must live until notify_free or the reload that replaced it was acknowledged. */
int notify_new(struct notify **out, struct state *state, const struct notify_config *cfg,
	struct sender sender, struct err *e) MUST_CHECK;
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
