/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_receiver_slack - slack_configs: an incoming webhook, or a bot token; Alertmanager's keys
 * and belfry's own (mention, thread, graph).
 */
#include "agent/config_receiver.h"

#define POST_MESSAGE STR("https://slack.com/api/chat.postMessage")

struct conf_slack_field {
	const struct yaml_node *node;
	struct slack_field pub;
};
struct conf_slack_confirm {
	const struct yaml_node *node;
	struct str title, text, ok_text, dismiss_text;
};
struct conf_slack_action {
	const struct yaml_node *node;
	struct slack_action pub;
	struct conf_slack_confirm confirm;
};
struct conf_slack {
	struct conf_kind head;
	struct slack_config pub;
	struct str app_token, app_url;
	struct conf_slack_field *fields;
	size_t n_fields;
	struct conf_slack_action *actions;
	size_t n_actions;
	bool short_fields;
};

static const struct config_key field_keys[] = {
	CK(CT_STR, struct conf_slack_field, pub.title, "title", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Heading."),
	CK(CT_STR, struct conf_slack_field, pub.value, "value", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Text."),
	CK(CT_BOOL, struct conf_slack_field, pub.is_short, "short", NULL, 0,
		"Two of them fit in a line; short_fields when not given."),
};
static const struct config_section field = CONFIG_SECTION("receivers[].slack_configs[].fields[]",
	field_keys, struct conf_slack_field, "A field of the message.");

static const struct config_key confirm_keys[] = {
	CK(CT_STR, struct conf_slack_confirm, text, "text", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Question."),
	CK(CT_STR, struct conf_slack_confirm, title, "title", NULL, CF_TEMPLATE, "Heading."),
	CK(CT_STR, struct conf_slack_confirm, ok_text, "ok_text", NULL, CF_TEMPLATE, "Yes."),
	CK(CT_STR, struct conf_slack_confirm, dismiss_text, "dismiss_text", NULL, CF_TEMPLATE,
		"No."),
};
static const struct config_section confirm =
	CONFIG_SECTION("receivers[].slack_configs[].actions[].confirm", confirm_keys,
		struct conf_slack_confirm, "What is asked before an action is taken.");

static const struct config_key action_keys[] = {
	CK(CT_STR, struct conf_slack_action, pub.type, "type", NULL, CF_REQUIRED | CF_TEMPLATE,
		"button."),
	CK(CT_STR, struct conf_slack_action, pub.text, "text", NULL, CF_REQUIRED | CF_TEMPLATE,
		"What the button says."),
	CK(CT_STR, struct conf_slack_action, pub.url, "url", NULL, CF_TEMPLATE,
		"Where it leads; without it name and value are sent to the app."),
	CK(CT_STR, struct conf_slack_action, pub.style, "style", NULL, CF_TEMPLATE,
		"primary or danger."),
	CK(CT_STR, struct conf_slack_action, pub.name, "name", NULL, CF_TEMPLATE,
		"Name of the action."),
	CK(CT_STR, struct conf_slack_action, pub.value, "value", NULL, CF_TEMPLATE,
		"Value of the action."),
	CK_SUB(CT_MAP, struct conf_slack_action, confirm, "confirm", confirm, 0, NULL),
};
static const struct config_section action = CONFIG_SECTION("receivers[].slack_configs[].actions[]",
	action_keys, struct conf_slack_action, "A button of the message.");

#define TEXT(field, key, text)                                                                     \
	CK(CT_STR, struct conf_slack, pub.field, key, NULL, CF_TEMPLATE, text)

static const struct config_key slack_keys[] = {
	CK_KIND(struct conf_slack, "true"),
	CK(CT_STR, struct conf_slack, pub.api_url, "api_url", NULL, CF_SECRET,
		"Incoming webhook; global.slack_api_url when not given."),
	CK(CT_STR, struct conf_slack, app_token, "app_token", NULL, CF_SECRET,
		"Bot token, instead of a webhook: one message an incident that is kept up to date, "
		"its changes in a thread. global.slack_app_token when not given."),
	CK(CT_STR, struct conf_slack, app_url, "app_url", NULL, 0,
		"Address of chat.postMessage; global.slack_app_url or Slack's when not given."),
	TEXT(channel, "channel", "Channel; with a token or a legacy webhook."),
	TEXT(username, "username", "Sender's name; with a token or a legacy webhook."),
	TEXT(icon_emoji, "icon_emoji", "Sender's icon; with a token or a legacy webhook."),
	TEXT(icon_url, "icon_url", "Sender's icon; with a token or a legacy webhook."),
	CK(CT_STR, struct conf_slack, pub.mention, "mention", NULL, 0,
		"Who is called by the first message of a critical alert: @here, @channel, or the "
		"id of a user or group."),
	TEXT(title, "title", "Title; belfry's own message when none of the texts is given."),
	TEXT(title_link, "title_link", "Where the title leads."),
	TEXT(pretext, "pretext", "Above the message."),
	TEXT(text, "text", "Text."),
	TEXT(message_text, "message_text", "Text of the message itself, beside the attachment."),
	TEXT(color, "color", "Colour of the bar: good, warning, danger or #rrggbb."),
	TEXT(footer, "footer", "Below the message."),
	TEXT(fallback, "fallback", "Text of the notification."),
	TEXT(callback_id, "callback_id", "For the app that gets the actions."),
	TEXT(image_url, "image_url", "Image."),
	TEXT(thumb_url, "thumb_url", "Small image."),
	CK_SUB(CT_LIST, struct conf_slack, fields, "fields", field, 0, NULL),
	CK(CT_BOOL, struct conf_slack, short_fields, "short_fields", "false", 0,
		"For fields that do not say."),
	CK_SUB(CT_LIST, struct conf_slack, actions, "actions", action, 0, NULL),
	CK(CT_BOOL, struct conf_slack, pub.link_names, "link_names", "false", 0,
		"Names in the text become links."),
	CK(CT_STRS, struct conf_slack, pub.mrkdwn_in, "mrkdwn_in", NULL, 0,
		"Which of the texts hold mark-up: fallback, pretext and text when not given."),
	CK(CT_BOOL, struct conf_slack, pub.update_message, "update_message", NULL, 0,
		"The first message of an incident is kept up to date; needs a token. True with one "
		"when not given."),
	CK(CT_BOOL, struct conf_slack, pub.thread, "thread", "true", 0,
		"With update_message: what changed is said in its thread too."),
	CK(CT_BOOL, struct conf_slack, pub.graph, "graph", "true", 0,
		"With a token: a graph in the thread."),
	CK(CT_DUR, struct conf_slack, pub.timeout_ms, "timeout", "0s", 0,
		"Time for one attempt. 0: 10s."),
};
RECEIVER_SECTION(slack, "Slack.");

static void finish_lists(struct loader *l, struct conf_slack *s)
{
	struct slack_field *f = ARENA_ARRAY(l->arena, s->n_fields, struct slack_field);
	struct slack_action *a = ARENA_ARRAY(l->arena, s->n_actions, struct slack_action);

	if (f == NULL || a == NULL)
		return;
	for (size_t i = 0; i < s->n_fields; i++) {
		f[i] = s->fields[i].pub;
		if (!config_given(s->fields[i].node, "short"))
			f[i].is_short = s->short_fields;
	}
	for (size_t i = 0; i < s->n_actions; i++) {
		const struct conf_slack_confirm *c = &s->actions[i].confirm;

		a[i] = s->actions[i].pub;
		a[i].confirm_title = c->title;
		a[i].confirm_text = c->text;
		a[i].confirm_ok = c->ok_text;
		a[i].confirm_dismiss = c->dismiss_text;
		if (a[i].url.n == 0 && a[i].name.n == 0)
			diag_error(l->diag, s->actions[i].node->pos,
				"an action needs url, or name and value");
	}
	s->pub.fields = f;
	s->pub.n_fields = s->n_fields;
	s->pub.actions = a;
	s->pub.n_actions = s->n_actions;
}

/* A token of the receiver's own, of global, or (Alertmanager's older way) as the credentials of
 * http_config beside the address of chat.postMessage. */
static void finish_token(struct loader *l, struct conf_slack *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct slack_config *c = &s->pub;
	bool own_auth = config_given(s->head.http.node, "authorization");
	bool url = receiver_has(s->head.node, "api_url");
	bool token = receiver_has(s->head.node, "app_token");

	if (s->app_url.n == 0)
		s->app_url = g->slack_app_url;
	if (token && url)
		diag_error(l->diag, config_pos(s->head.node, "app_token"),
			"at most one of api_url and app_token may be given");
	if (token && own_auth)
		diag_error(l->diag, config_pos(s->head.node, "app_token"),
			"at most one of app_token and http_config.authorization may be given");
	if (!token && !own_auth && !url && receiver_global_has(l, "slack_app_token")) {
		s->app_token = g->slack_app_token;
		token = true;
	}
	if (token) {
		c->bot_token = s->app_token;
		c->api_url = s->app_url;
		return;
	}
	if (c->http.bearer.n > 0 && (str_eq(c->api_url, POST_MESSAGE) ||
					    (s->app_url.n > 0 && str_eq(c->api_url, s->app_url)))) {
		c->bot_token = c->http.bearer;
		c->http.bearer = STR_NULL;
	}
}

static void finish_slack(struct loader *l, void *conf)
{
	struct conf_slack *s = conf;
	struct slack_config *c = &s->pub;
	bool has_token;

	if (!receiver_has(s->head.node, "app_token"))
		receiver_inherit(
			&c->api_url, s->head.node, "api_url", l->p->root.global.slack_api_url);
	if (!receiver_has(s->head.node, "api_url") && !receiver_has(s->head.node, "app_token") &&
		!receiver_global_has(l, "slack_api_url") &&
		!receiver_global_has(l, "slack_app_token"))
		diag_error(l->diag, s->head.node->pos,
			"no Slack URL or token: give api_url or app_token here, or slack_api_url "
			"or slack_app_token in global");
	finish_token(l, s);
	receiver_url(l, s->head.node, "api_url", c->api_url);
	receiver_url(l, s->head.node, "app_url", s->app_url);
	has_token = c->bot_token.n > 0 || receiver_has(s->head.node, "app_token");
	if (!config_given(s->head.node, "update_message"))
		c->update_message = has_token && !l->alertmanager;
	else if (c->update_message && !has_token)
		diag_error(l->diag, config_pos(s->head.node, "update_message"),
			"update_message needs a bot token: a webhook cannot change its messages");
	c->send_resolved = s->head.send_resolved;
	finish_lists(l, s);
}

RECEIVER_KIND(slack, INT_SLACK, false, finish_slack);
