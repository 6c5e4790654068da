/* SPDX-License-Identifier: Apache-2.0 */
/* config_receiver_attach - chats that took over Slack's attachments: Mattermost, Rocket.Chat. */
#include "agent/config_receiver.h"

#define TEXT(S, field, key, text) CK(CT_STR, S, field, key, NULL, CF_TEMPLATE, text)

/* ---- Mattermost ---- */

struct conf_chat_field {
	const struct yaml_node *node;
	struct chat_field pub;
};
struct conf_mm_attachment {
	const struct yaml_node *node;
	struct mattermost_attachment pub;
	struct conf_chat_field *fields;
	size_t n_fields;
};
struct conf_mm_props {
	const struct yaml_node *node;
	struct str card;
};
struct conf_mm_priority {
	const struct yaml_node *node;
	struct str priority;
	bool requested_ack, persistent_notifications;
};
struct conf_mattermost {
	struct conf_kind head;
	struct mattermost_config pub;
	struct conf_chat_field *fields;
	size_t n_fields;
	struct conf_mm_attachment *attachments;
	size_t n_attachments;
	struct conf_mm_props props;
	struct conf_mm_priority priority;
};

static const struct config_key mm_field_keys[] = {
	CK(CT_STR, struct conf_chat_field, pub.title, "title", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Heading."),
	CK(CT_STR, struct conf_chat_field, pub.value, "value", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Text."),
	CK(CT_BOOL, struct conf_chat_field, pub.is_short, "short", NULL, 0,
		"Two of them fit in a line."),
};
static const struct config_section mm_field =
	CONFIG_SECTION("receivers[].mattermost_configs[].fields[]", mm_field_keys,
		struct conf_chat_field, "A field of the message.");

/* S has a struct mattermost_attachment at `at`, and lists of fields. */
#define ATTACHMENT(S, at)                                                                          \
	TEXT(S, at.fallback, "fallback", "Text of the notification."),                             \
		TEXT(S, at.color, "color", "Colour of the bar: #rrggbb."),                         \
		TEXT(S, at.pretext, "pretext", "Above the message."),                              \
		TEXT(S, at.text, "text", "Text."),                                                 \
		TEXT(S, at.author_name, "author_name", "Who says so."),                            \
		TEXT(S, at.author_link, "author_link", "Where that leads."),                       \
		TEXT(S, at.author_icon, "author_icon", "Address of an icon."),                     \
		TEXT(S, at.title, "title", "Title."),                                              \
		TEXT(S, at.title_link, "title_link", "Where the title leads."),                    \
		TEXT(S, at.thumb_url, "thumb_url", "Small image."),                                \
		TEXT(S, at.footer, "footer", "Below the message."),                                \
		TEXT(S, at.footer_icon, "footer_icon", "Icon of the footer."),                     \
		TEXT(S, at.image_url, "image_url", "Image."),                                      \
		CK_SUB(CT_LIST, S, fields, "fields", mm_field, 0, NULL)

static const struct config_key mm_attachment_keys[] = {
	ATTACHMENT(struct conf_mm_attachment, pub),
};
static const struct config_section mm_attachment =
	CONFIG_SECTION("receivers[].mattermost_configs[].attachments[]", mm_attachment_keys,
		struct conf_mm_attachment, "A further attachment.");

static const struct config_key mm_props_keys[] = {
	TEXT(struct conf_mm_props, card, "card", "Markdown shown beside the channel on request."),
};
static const struct config_section mm_props =
	CONFIG_SECTION("receivers[].mattermost_configs[].props", mm_props_keys,
		struct conf_mm_props, "Further properties.");

static const struct config_key mm_priority_keys[] = {
	TEXT(struct conf_mm_priority, priority, "priority", "urgent, important or standard."),
	CK(CT_BOOL, struct conf_mm_priority, requested_ack, "requested_ack", "false", 0,
		"Ask to acknowledge (enterprise)."),
	CK(CT_BOOL, struct conf_mm_priority, persistent_notifications, "persistent_notifications",
		"false", 0, "Repeat until acknowledged (enterprise, urgent)."),
};
static const struct config_section mm_priority =
	CONFIG_SECTION("receivers[].mattermost_configs[].priority", mm_priority_keys,
		struct conf_mm_priority, "Priority of the post.");

#define MM(field, key, text) TEXT(struct conf_mattermost, pub.field, key, text)

static const struct config_key mattermost_keys[] = {
	CK_KIND(struct conf_mattermost, "true"),
	CK(CT_STR, struct conf_mattermost, pub.webhook_url, "webhook_url", NULL, CF_SECRET,
		"Incoming webhook; global.mattermost_webhook_url when not given."),
	MM(channel, "channel", "Channel, when not the webhook's own."),
	MM(username, "username", "Sender's name."),
	MM(icon_url, "icon_url", "Sender's image."),
	MM(icon_emoji, "icon_emoji", "Sender's emoji."),
	MM(type, "type", "Type of the post."),
	ATTACHMENT(struct conf_mattermost, pub.main),
	CK_SUB(CT_LIST, struct conf_mattermost, attachments, "attachments", mm_attachment, 0, NULL),
	CK_SUB(CT_MAP, struct conf_mattermost, props, "props", mm_props, 0, NULL),
	CK_SUB(CT_MAP, struct conf_mattermost, priority, "priority", mm_priority, 0, NULL),
};
RECEIVER_SECTION(mattermost, "Mattermost, by an incoming webhook.");

static void put_fields(struct loader *l, const struct conf_chat_field *from, size_t n,
	struct mattermost_attachment *to)
{
	struct chat_field *v = ARENA_ARRAY(l->arena, n, struct chat_field);

	for (size_t i = 0; v != NULL && i < n; i++)
		v[i] = from[i].pub;
	to->fields = v;
	to->n_fields = v != NULL ? n : 0;
}

static void finish_mattermost(struct loader *l, void *conf)
{
	struct conf_mattermost *s = conf;
	struct mattermost_config *c = &s->pub;
	struct mattermost_attachment *v =
		ARENA_ARRAY(l->arena, s->n_attachments, struct mattermost_attachment);

	receiver_inherit(&c->webhook_url, s->head.node, "webhook_url",
		l->p->root.global.mattermost_webhook_url);
	receiver_needs(l, s->head.node, "webhook_url", "mattermost_webhook_url");
	receiver_url(l, s->head.node, "webhook_url", c->webhook_url);
	put_fields(l, s->fields, s->n_fields, &c->main);
	for (size_t i = 0; v != NULL && i < s->n_attachments; i++) {
		v[i] = s->attachments[i].pub;
		put_fields(l, s->attachments[i].fields, s->attachments[i].n_fields, &v[i]);
	}
	c->attachments = v;
	c->n_attachments = v != NULL ? s->n_attachments : 0;
	c->card = s->props.card;
	c->priority = s->priority.priority;
	c->requested_ack = s->priority.requested_ack;
	c->persistent_notifications = s->priority.persistent_notifications;
}
RECEIVER_KIND(mattermost, INT_MATTERMOST, true, finish_mattermost);

/* ---- Rocket.Chat ---- */

struct conf_rc_action {
	const struct yaml_node *node;
	struct rocketchat_action pub;
};
struct conf_rocketchat {
	struct conf_kind head;
	struct rocketchat_config pub;
	struct conf_chat_field *fields;
	size_t n_fields;
	struct conf_rc_action *actions;
	size_t n_actions;
	bool short_fields;
};

static const struct config_key rc_field_keys[] = {
	TEXT(struct conf_chat_field, pub.title, "title", "Heading."),
	TEXT(struct conf_chat_field, pub.value, "value", "Text."),
	CK(CT_BOOL, struct conf_chat_field, pub.is_short, "short", NULL, 0,
		"Two of them fit in a line; short_fields when not given."),
};
static const struct config_section rc_field =
	CONFIG_SECTION("receivers[].rocketchat_configs[].fields[]", rc_field_keys,
		struct conf_chat_field, "A field of the message.");

static const struct config_key rc_action_keys[] = {
	TEXT(struct conf_rc_action, pub.type, "type", "button, whatever it says."),
	TEXT(struct conf_rc_action, pub.text, "text", "What the button says."),
	TEXT(struct conf_rc_action, pub.url, "url", "Where it leads."),
	TEXT(struct conf_rc_action, pub.msg, "msg", "What it says in the chat."),
};
static const struct config_section rc_action =
	CONFIG_SECTION("receivers[].rocketchat_configs[].actions[]", rc_action_keys,
		struct conf_rc_action, "A button of the message.");

#define RC(field, key, text) TEXT(struct conf_rocketchat, pub.field, key, text)

static const struct config_key rocketchat_keys[] = {
	CK_KIND(struct conf_rocketchat, "true"),
	CK(CT_STR, struct conf_rocketchat, pub.api_url, "api_url", NULL, 0,
		"Address of the server; global.rocketchat_api_url when not given."),
	CK(CT_STR, struct conf_rocketchat, pub.token, "token", NULL, CF_SECRET,
		"Token; global.rocketchat_token when not given."),
	CK(CT_STR, struct conf_rocketchat, pub.token_id, "token_id", NULL, CF_SECRET,
		"User id of the token; global.rocketchat_token_id when not given."),
	RC(channel, "channel", "#channel or @user."),
	RC(color, "color", "Colour of the bar."),
	RC(title, "title", "Title; belfry's own message when no text is given."),
	RC(title_link, "title_link", "Where the title leads."),
	RC(text, "text", "Text."),
	RC(emoji, "emoji", "Sender's emoji."),
	RC(icon_url, "icon_url", "Sender's image."),
	RC(image_url, "image_url", "Image."),
	RC(thumb_url, "thumb_url", "Small image."),
	CK_SUB(CT_LIST, struct conf_rocketchat, fields, "fields", rc_field, 0, NULL),
	CK(CT_BOOL, struct conf_rocketchat, short_fields, "short_fields", "false", 0,
		"For fields that do not say."),
	CK(CT_BOOL, struct conf_rocketchat, pub.link_names, "link_names", "false", CF_NO_EFFECT,
		"Names in the text become links."),
	CK_SUB(CT_LIST, struct conf_rocketchat, actions, "actions", rc_action, 0, NULL),
};
RECEIVER_SECTION(rocketchat, "Rocket.Chat, by its REST API.");

static void finish_rocketchat(struct loader *l, void *conf)
{
	struct conf_rocketchat *s = conf;
	struct rocketchat_config *c = &s->pub;
	const struct conf_global *g = &l->p->root.global;
	struct chat_field *f = ARENA_ARRAY(l->arena, s->n_fields, struct chat_field);
	struct rocketchat_action *a = ARENA_ARRAY(l->arena, s->n_actions, struct rocketchat_action);

	receiver_inherit(&c->api_url, s->head.node, "api_url", g->rocketchat_api_url);
	receiver_inherit(&c->token, s->head.node, "token", g->rocketchat_token);
	receiver_inherit(&c->token_id, s->head.node, "token_id", g->rocketchat_token_id);
	if (c->api_url.n == 0)
		c->api_url = STR("https://open.rocket.chat/");
	receiver_url(l, s->head.node, "api_url", c->api_url);
	c->api_url = receiver_with_slash(l, c->api_url);
	receiver_needs(l, s->head.node, "token", "rocketchat_token");
	receiver_needs(l, s->head.node, "token_id", "rocketchat_token_id");
	if (f == NULL || a == NULL)
		return;
	for (size_t i = 0; i < s->n_fields; i++) {
		f[i] = s->fields[i].pub;
		if (!config_given(s->fields[i].node, "short"))
			f[i].is_short = s->short_fields;
	}
	for (size_t i = 0; i < s->n_actions; i++)
		a[i] = s->actions[i].pub;
	c->fields = f;
	c->n_fields = s->n_fields;
	c->actions = a;
	c->n_actions = s->n_actions;
}
RECEIVER_KIND(rocketchat, INT_ROCKETCHAT, false, finish_rocketchat);
