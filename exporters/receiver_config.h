/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver_config - what the simple receivers may be configured with: plain data in the
 * configuration's arena, filled by agent/config_receiver*.c. Slack, e-mail and webhooks stand in
 * notify.h.
 *
 * Strings marked T are templates (exporters/notify_template.h); empty: not given.
 */
#ifndef BELFRY_EXPORTERS_RECEIVER_CONFIG_H
#define BELFRY_EXPORTERS_RECEIVER_CONFIG_H

#include "exporters/notify.h"

struct pagerduty_link {
	struct str href, text; /* T */
};
struct pagerduty_image {
	struct str src, alt, href; /* T */
};
struct pagerduty_config {
	struct str url, routing_key;
	struct str client, client_url, description, source, severity, class_, component,
		group;                    /* T */
	const struct value_tree *details; /* NULL: none; a map, its texts T */
	const struct pagerduty_link *links;
	size_t n_links;
	const struct pagerduty_image *images;
	size_t n_images;
	int64_t timeout_ms; /* of one attempt; 0: the default */
	struct http_options http;
};

struct opsgenie_responder {
	struct str id, name, username, type; /* T */
};
struct opsgenie_config {
	struct str api_url; /* ends with a slash */
	struct str api_key;
	struct str message, description, source, entity, actions, tags, note, priority; /* T */
	const struct label *details;                                                    /* T */
	size_t n_details;
	const struct opsgenie_responder *responders;
	size_t n_responders;
	bool update_alerts;
	struct http_options http;
};

struct msteamsv2_config {
	struct str webhook_url;
	struct str title, text; /* T */
	struct http_options http;
};

struct discord_config {
	struct str webhook_url;
	struct str content, title, message, username, avatar_url; /* T */
	bool graph; /* as a picture, with belfry's own text */
	struct http_options http;
};

struct telegram_config {
	struct str api_url; /* without a slash at its end */
	struct str bot_token;
	struct str chat_id;    /* a whole number, or @name of a public channel */
	struct str message;    /* T, in parse_mode */
	struct str parse_mode; /* "HTML", "Markdown", "MarkdownV2" or "" */
	uint64_t message_thread_id;
	bool disable_notifications;
	bool graph; /* as a picture, when belfry's own text fits below one */
	struct http_options http;
};

struct ntfy_config {
	struct str url; /* the server: topic is part of the body */
	struct str topic, token;
	struct str title, message, priority, tags, click, icon; /* T */
	bool markdown;
	struct http_options http;
};

struct pushover_config {
	struct str api_url, user_key, token;
	struct str title, message, url, url_title, device, sound, priority; /* T */
	int64_t retry_ms, expire_ms, ttl_ms;
	bool html, monospace;
	struct http_options http;
};

/* Mattermost's and Rocket.Chat's: Slack's attachments. */
struct chat_field {
	struct str title, value; /* T */
	bool is_short;
};
struct mattermost_attachment {
	struct str fallback, color, pretext, text, author_name, author_link, author_icon, title,
		title_link, thumb_url, footer, footer_icon, image_url; /* T */
	const struct chat_field *fields;
	size_t n_fields;
};
struct mattermost_config {
	struct str webhook_url;
	struct str channel, username, icon_url, icon_emoji, type; /* T */
	struct mattermost_attachment main;
	const struct mattermost_attachment *attachments;
	size_t n_attachments;
	struct str card;     /* T */
	struct str priority; /* T: "urgent", "important", "standard" or "" */
	bool requested_ack, persistent_notifications;
	struct http_options http;
};

struct rocketchat_action {
	struct str type, text, url, msg; /* T */
};
struct rocketchat_config {
	struct str api_url; /* ends with a slash */
	struct str token, token_id;
	struct str channel, color, title, title_link, text, emoji, icon_url, image_url,
		thumb_url; /* T */
	const struct chat_field *fields;
	size_t n_fields;
	const struct rocketchat_action *actions;
	size_t n_actions;
	bool link_names;
	struct http_options http;
};

#endif
