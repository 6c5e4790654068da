/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discord - a webhook of a Discord channel (reference notify.md C): one embed, whose bar has the
 * colour of the severity.
 *
 * Nobody is mentioned unless the configured content itself names them: allowed_mentions lists what
 * stands in it, so that no label can call a channel together. Payload: a line with the embed, and
 * one with plain content for an embed that Discord refuses (400).
 */
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"

#define TITLE_MAX       256u
#define DESCRIPTION_MAX 4096u
#define CONTENT_MAX     2000u
#define USERNAME_MAX    80u
#define IDS_MAX         100u

/* The ids of <@1>, <@!1> (users) or <@&1> (roles) in a text. */
static void ids_of(struct jsonw *j, const char *key, struct str text, bool roles)
{
	size_t n = 0;

	jsonw_key(j, key);
	jsonw_array(j);
	for (size_t i = 0; i + 3 < text.n && n < IDS_MAX; i++) {
		size_t from = i + 2, end;
		bool role;

		if (text.p[i] != '<' || text.p[i + 1] != '@')
			continue;
		role = text.p[from] == '&';
		from += role || text.p[from] == '!';
		end = from;
		while (end < text.n && text.p[end] >= '0' && text.p[end] <= '9')
			end++;
		if (role != roles || end == from || end - from > 20 || end == text.n ||
			text.p[end] != '>')
			continue;
		jsonw_str(j, str_sub(text, from, end));
		n++;
	}
	jsonw_array_end(j);
}

/* Only what the configuration itself says. */
static void allowed_mentions(struct jsonw *j, struct str content)
{
	jsonw_key(j, "allowed_mentions");
	jsonw_object(j);
	jsonw_key(j, "parse");
	jsonw_array(j);
	if (str_has(content, STR("@everyone")) || str_has(content, STR("@here")))
		jsonw_c(j, "everyone");
	jsonw_array_end(j);
	ids_of(j, "users", content, false);
	ids_of(j, "roles", content, true);
	jsonw_object_end(j);
}

static void who(struct jsonw *j, struct chat_form *f, const struct discord_config *c)
{
	chat_put(j, "username", f, c->username, USERNAME_MAX);
	chat_put(j, "avatar_url", f, c->avatar_url, 2000);
}

/* With @everyone or @here allowed, a label must not bring a second one along. */
static void put_content(struct jsonw *j, struct chat_form *f, const struct discord_config *c)
{
	f->calls = true;
	chat_put(j, "content", f, c->content, CONTENT_MAX);
	f->calls = false;
}

static void embed(struct jsonw *j, struct chat_form *f, const struct discord_config *c)
{
	const struct message *m = f->m;
	struct chat_link links[CHAT_LINKS_MAX];
	struct buf b, tmp;
	bool own;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&tmp, (size_t)64 << 10);
	jsonw_object(j);
	if (!chat_expand(f, chat_template(m, c->title, "discord.default.title"), "title", TITLE_MAX,
		    &b)) {
		chat_title(m, &tmp);
		chat_escape(&b, buf_view(&tmp), CHAT_DISCORD, TITLE_MAX / 2);
		(void)chat_clip(&b, 0, TITLE_MAX);
		buf_reset(&tmp);
	}
	jsonw_kv_str(j, "title", buf_view(&b));
	buf_reset(&b);
	own = !chat_expand(f, chat_template(m, c->message, "discord.default.message"), "message",
		DESCRIPTION_MAX, &b);
	if (own && !chat_body(m, CHAT_DISCORD, CHAT_LINKS | CHAT_SPARK, DESCRIPTION_MAX - 600, &b))
		chat_count_truncated("discord");
	if (f->note.n > 0) {
		buf_ch(&b, '\n');
		chat_escape(&b, buf_view(&f->note), CHAT_DISCORD, 250);
		(void)chat_clip(&b, 0, DESCRIPTION_MAX);
	}
	jsonw_kv_str(j, "description", buf_view(&b));
	if (m->page_url.n > 0 && chat_links(m, 2000, links, &tmp) > 0)
		jsonw_kv_str(j, "url", m->page_url);
	jsonw_kv_i64(j, "color", chat_colour(chat_severity(m)));
	jsonw_key(j, "timestamp");
	jsonw_rfc3339(j, m->alerts[0].starts_at_ms);
	if (own && c->graph) /* a member that is there with a picture only */
		buf_printf(j->b, "%c%c,\"image\":{\"url\":\"attachment://graph.png\"}%c%c",
			GRAPH_MARK_BYTE, GRAPH_MARK_IF, GRAPH_MARK_BYTE, GRAPH_MARK_END);
	jsonw_object_end(j);
	buf_fini(&tmp);
	buf_fini(&b);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct discord_config *c = in->conf;
	struct chat_form f = {.m = m};
	struct jsonw j;
	struct buf b;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&b, (size_t)64 << 10);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	put_content(&j, &f, c);
	who(&j, &f, c);
	jsonw_key(&j, "embeds");
	jsonw_array(&j);
	embed(&j, &f, c);
	jsonw_array_end(&j);
	allowed_mentions(&j, c->content);
	jsonw_object_end(&j);

	buf_ch(payload, '\n');
	chat_title(m, &b);
	buf_ch(&b, '\n');
	(void)chat_body(m, CHAT_PLAIN, 0, CONTENT_MAX - 300, &b);
	(void)chat_clip(&b, 0, CONTENT_MAX);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	jsonw_kv_str(&j, "content", buf_view(&b));
	allowed_mentions(&j, STR(""));
	jsonw_object_end(&j);
	buf_fini(&b);
	buf_fini(&f.note);
	return 0;
}

/* The message and its picture in one request; false: too large. */
static bool with_picture(
	struct send_request *req, struct str line, struct str png, const struct delivery *d)
{
	struct chat_parts p;
	struct buf json;
	bool ok = false;

	buf_init(&json, line.n + (16u << 10));
	chat_form_init(&p, line.n + png.n + (32u << 10));
	chat_fill(line, d, &json);
	chat_form_part(&p, "payload_json", NULL, "application/json", buf_view(&json));
	chat_form_part(&p, "files[0]", "graph.png", "image/png", png);
	if (!json.failed)
		ok = chat_form_send(&p, req);
	chat_form_fini(&p);
	buf_fini(&json);
	return ok;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct discord_config *c = in->conf;
	struct send_request *req = chat_request(c->webhook_url, &c->http, 0, d, e);

	struct str line = chat_line(d->payload, d->degraded ? 1 : 0), png = chat_picture(d);

	if (req == NULL)
		return NULL;
	if (png.n == 0 || !graph_has_mark(line, GRAPH_MARK_IF) || !with_picture(req, line, png, d))
		chat_set_body(req, line, d);
	return req;
}

/* {"retry_after": 0.65} in seconds; more exact than the header. */
static int64_t retry_after_ms(const struct send_request *req)
{
	return chat_answer_seconds(req, NULL, "retry_after");
}

static void place(const struct integration *in, struct buf *out)
{
	const struct discord_config *c = in->conf;

	buf_str(out, c->webhook_url);
}

/* 30 a minute for a webhook's channel, in bursts of 5. */
const struct integration_type integration_discord = {.name = "discord",
	.pace_ms = 1000,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = integration_judge_form,
	.retry_after_ms = retry_after_ms};
