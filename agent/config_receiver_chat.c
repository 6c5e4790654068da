/* SPDX-License-Identifier: Apache-2.0 */
/* config_receiver_chat - where teams talk: Teams, Discord, Telegram, ntfy. */
#include "agent/config_receiver.h"
#include "base/num.h"

#define TEXT(S, field, key, text) CK(CT_STR, S, field, key, NULL, CF_TEMPLATE, text)

/* ---- Microsoft Teams ---- */

struct conf_msteamsv2 {
	struct conf_kind head;
	struct msteamsv2_config pub;
};

static const struct config_key msteamsv2_keys[] = {
	CK_KIND(struct conf_msteamsv2, "true"),
	CK(CT_STR, struct conf_msteamsv2, pub.webhook_url, "webhook_url", NULL,
		CF_SECRET | CF_REQUIRED, "Address of the workflow."),
	TEXT(struct conf_msteamsv2, pub.title, "title",
		"Title; belfry's own card when neither text is given."),
	TEXT(struct conf_msteamsv2, pub.text, "text", "Text."),
};
RECEIVER_SECTION(msteamsv2, "Microsoft Teams, by a workflow.");

static void finish_msteamsv2(struct loader *l, void *conf)
{
	struct conf_msteamsv2 *s = conf;
	const struct conf_http *up = &l->p->root.global.http;

	receiver_url(l, s->head.node, "webhook_url", s->pub.webhook_url);
	if (s->head.http.node != NULL && s->pub.http.proxy_url.n == 0) {
		s->pub.http.proxy_url = up->proxy_url; /* as Alertmanager has it for Teams */
		s->pub.http.no_proxy = up->no_proxy;
	}
}
RECEIVER_KIND(msteamsv2, INT_MSTEAMSV2, true, finish_msteamsv2);

/* ---- Discord ---- */

struct conf_discord {
	struct conf_kind head;
	struct discord_config pub;
};

#define DC(field, key, text) TEXT(struct conf_discord, pub.field, key, text)

static const struct config_key discord_keys[] = {
	CK_KIND(struct conf_discord, "true"),
	CK(CT_STR, struct conf_discord, pub.webhook_url, "webhook_url", NULL,
		CF_SECRET | CF_REQUIRED, "Webhook of the channel."),
	DC(title, "title", "Title; belfry's own message when no text is given."),
	DC(message, "message", "Text."),
	DC(content, "content", "Text above the message."),
	DC(username, "username", "Sender's name."),
	DC(avatar_url, "avatar_url", "Sender's image."),
	CK(CT_BOOL, struct conf_discord, pub.graph, "graph", "true", 0,
		"A graph as a picture, with belfry's own text."),
};
RECEIVER_SECTION(discord, "Discord, by a webhook. Nobody is mentioned by it.");

static void finish_discord(struct loader *l, void *conf)
{
	struct conf_discord *s = conf;

	receiver_url(l, s->head.node, "webhook_url", s->pub.webhook_url);
}
RECEIVER_KIND(discord, INT_DISCORD, true, finish_discord);

/* ---- Telegram ---- */

struct conf_telegram {
	struct conf_kind head;
	struct telegram_config pub;
};

static const struct config_key telegram_keys[] = {
	CK_KIND(struct conf_telegram, "true"),
	CK(CT_STR, struct conf_telegram, pub.bot_token, "bot_token", NULL, CF_SECRET,
		"Token of the bot; global.telegram_bot_token when not given."),
	CK(CT_STR, struct conf_telegram, pub.chat_id, "chat_id", NULL, CF_FILE | CF_REQUIRED,
		"Number of the chat, or @name of a public channel."),
	CK_RANGE(CT_UINT, struct conf_telegram, pub.message_thread_id, "message_thread_id", "0", 0,
		0, INT64_MAX, "Topic of the chat. 0: none."),
	CK(CT_STR, struct conf_telegram, pub.api_url, "api_url", NULL, 0,
		"Address of the API; global.telegram_api_url when not given."),
	TEXT(struct conf_telegram, pub.message, "message",
		"Text, written for parse_mode; belfry's own when not given."),
	CK_ENUM(struct conf_telegram, pub.parse_mode, "parse_mode", "HTML", 0,
		"HTML|Markdown|MarkdownV2|", "How message is marked up."),
	CK(CT_BOOL, struct conf_telegram, pub.disable_notifications, "disable_notifications",
		"false", 0, "Without a sound."),
	CK(CT_BOOL, struct conf_telegram, pub.graph, "graph", "true", 0,
		"A graph as a picture, when belfry's own text fits below one (1,024 characters)."),
};
RECEIVER_SECTION(telegram, "Telegram, by a bot.");

static bool is_chat_id(struct str s)
{
	long long v;

	if (s.n > 1 && s.n < 64 && s.p[0] == '@') {
		for (size_t i = 1; i < s.n; i++) {
			char c = s.p[i];

			if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				    (c >= 'A' && c <= 'Z')))
				return false;
		}
		return true;
	}
	if (!str_to_i64(s, &v) || v == 0 || s.p[0] == '+')
		return false;
	return s.p[s.p[0] == '-'] != '0'; /* it stands in JSON as it is */
}

/* Letters of a bot token: it becomes part of the path. */
static bool is_bot_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c == '_' || c == '-' || c == ':' || (c >= '0' && c <= '9') ||
			    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return false;
	}
	return true;
}

static void finish_telegram(struct loader *l, void *conf)
{
	struct conf_telegram *s = conf;
	struct telegram_config *c = &s->pub;
	const struct conf_global *g = &l->p->root.global;

	receiver_inherit(&c->bot_token, s->head.node, "bot_token", g->telegram_bot_token);
	receiver_inherit(&c->api_url, s->head.node, "api_url", g->telegram_api_url);
	receiver_needs(l, s->head.node, "bot_token", "telegram_bot_token");
	if (!is_bot_token(c->bot_token))
		diag_error(l->diag, config_pos(s->head.node, "bot_token"),
			"bot_token: not a token; it looks like 123456:ABC-def");
	c->chat_id = str_trim(c->chat_id);
	if (c->chat_id.n > 0 && !is_chat_id(c->chat_id))
		diag_error(l->diag, config_pos(s->head.node, "chat_id"),
			"chat_id: neither a number nor the @name of a channel");
	if (c->api_url.n == 0)
		c->api_url = STR("https://api.telegram.org");
	receiver_url(l, s->head.node, "api_url", c->api_url);
	while (c->api_url.n > 0 && c->api_url.p[c->api_url.n - 1] == '/')
		c->api_url.n--;
}
RECEIVER_KIND(telegram, INT_TELEGRAM, true, finish_telegram);

/* ---- ntfy: belfry's own keys ---- */

struct conf_ntfy {
	struct conf_kind head;
	struct ntfy_config pub;
};

#define NT(field, key, text) TEXT(struct conf_ntfy, pub.field, key, text)

static const struct config_key ntfy_keys[] = {
	CK_KIND(struct conf_ntfy, "true"),
	CK(CT_STR, struct conf_ntfy, pub.url, "url", "https://ntfy.sh", 0,
		"Address of the server, without the topic."),
	CK(CT_STR, struct conf_ntfy, pub.topic, "topic", NULL, CF_SECRET | CF_REQUIRED,
		"Topic; who knows it can read along on an open server."),
	CK(CT_STR, struct conf_ntfy, pub.token, "token", NULL, CF_SECRET, "Access token."),
	NT(title, "title", "Title."),
	NT(message, "message", "Text."),
	NT(priority, "priority",
		"1 to 5; when not given 5 while a critical alert fires, 4 for others, 3 when "
		"resolved."),
	NT(tags, "tags", "Tags or names of emoji, separated by commas."),
	NT(click, "click", "Where a tap leads; the runbook, else belfry's page."),
	NT(icon, "icon", "Address of an icon."),
	CK(CT_BOOL, struct conf_ntfy, pub.markdown, "markdown", "false", 0,
		"The text is Markdown."),
};
RECEIVER_SECTION(ntfy, "ntfy. belfry's own: Alertmanager has no such receiver.");

static void finish_ntfy(struct loader *l, void *conf)
{
	struct conf_ntfy *s = conf;

	receiver_url(l, s->head.node, "url", s->pub.url);
	if (s->pub.token.n > 0 && (config_given(s->head.http.node, "authorization") ||
					  config_given(s->head.http.node, "basic_auth")))
		diag_error(l->diag, config_pos(s->head.node, "token"),
			"at most one of token and http_config's credentials may be given");
	if (s->pub.token.n > 0)
		s->pub.http.bearer = s->pub.token;
}
RECEIVER_KIND(ntfy, INT_NTFY, true, finish_ntfy);
