/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telegram - sendMessage of Telegram's bot API (reference notify.md C).
 *
 * belfry's own text is HTML whatever parse_mode says; a configured one is in parse_mode, values
 * escaped when that is HTML. The token is a part of the address, which is therefore made for a
 * request and never stored. Payload: a line with mark-up, and one without for a text that Telegram
 * cannot parse (400). A group that became a supergroup has a new number, told by an error: it is
 * kept with the incident's thread.
 */
#include <stdlib.h>

#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"

#define TEXT_MAX    4096u
#define OWN_MAX     3900u
#define CAPTION_MAX 1024u /* below a picture, of what is seen */
#define MARKS_ROOM  300u

static void head(struct jsonw *j, const struct telegram_config *c)
{
	if (c->message_thread_id > 0)
		jsonw_kv_i64(j, "message_thread_id", (int64_t)c->message_thread_id);
	if (c->disable_notifications)
		jsonw_kv_bool(j, "disable_notification", true);
	jsonw_key(j, "link_preview_options");
	jsonw_object(j);
	jsonw_kv_bool(j, "is_disabled", true);
	jsonw_object_end(j);
}

static void own_text(struct chat_form *f, struct buf *out)
{
	struct buf title;

	buf_init(&title, (size_t)8 << 10);
	chat_title(f->m, &title);
	buf_c(out, "<b>");
	chat_escape(out, buf_view(&title), CHAT_TELEGRAM, 250);
	buf_c(out, "</b>\n");
	buf_fini(&title);
	if (f->note.n > 0) {
		chat_escape(out, buf_view(&f->note), CHAT_TELEGRAM, 150);
		buf_ch(out, '\n');
	}
	if (!chat_body(f->m, CHAT_TELEGRAM, CHAT_LINKS | CHAT_SPARK | CHAT_TOP,
		    OWN_MAX - chat_units(buf_view(out)), out))
		chat_count_truncated("telegram");
}

/* The configured text; false: belfry's own is to be sent. */
static bool configured(struct chat_form *f, const struct telegram_config *c, struct buf *out)
{
	struct str t = chat_template(f->m, c->message, "telegram.default.message");

	f->calls = true;
	if (str_eq(c->parse_mode, STR("HTML")))
		return chat_expand_html(f, t, "message", TEXT_MAX, out);
	return chat_expand(f, t, "message", TEXT_MAX, out);
}

/* Units that count for a caption: without tags, entities as one. */
static size_t visible_units(struct str html)
{
	size_t n = 0;

	for (size_t i = 0; i < html.n; i++) {
		struct str rest = str_sub(html, i, html.n);

		if (html.p[i] == '<') {
			i += str_find(rest, '>');
			continue;
		}
		if (html.p[i] == '&')
			i += str_find(rest, ';');
		n += chat_units(str_sub(html, i, i + 1));
	}
	return n;
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct telegram_config *c = in->conf;
	struct chat_form f = {.m = m};
	struct str mode = c->parse_mode;
	struct jsonw j;
	struct buf b;
	bool own, fits;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&b, (size_t)64 << 10);
	own = !configured(&f, c, &b);
	if (own) {
		own_text(&f, &b);
		mode = STR("HTML");
	}
	fits = visible_units(buf_view(&b)) + MARKS_ROOM <= CAPTION_MAX;
	jsonw_init(&j, payload);
	jsonw_object(&j);
	jsonw_kv_str(&j, "text", buf_view(&b));
	if (mode.n > 0)
		jsonw_kv_str(&j, "parse_mode", mode);
	head(&j, c);
	jsonw_object_end(&j);

	buf_ch(payload, '\n');
	buf_reset(&b);
	chat_title(m, &b);
	buf_ch(&b, '\n');
	(void)chat_body(m, CHAT_PLAIN, CHAT_LINKS, TEXT_MAX - 400, &b);
	(void)chat_clip(&b, 0, TEXT_MAX);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	jsonw_kv_str(&j, "text", buf_view(&b));
	head(&j, c);
	jsonw_object_end(&j);
	if (own && c->graph && fits)
		buf_c(payload, "\npicture");
	buf_fini(&b);
	buf_fini(&f.note);
	return 0;
}

static bool wants_picture(struct str payload)
{
	return chat_line(payload, 2).n > 0;
}

/* sendPhoto: the picture with the text as its caption. False: it cannot be put together. */
static bool with_picture(struct send_request *req, const struct telegram_config *c, struct str chat,
	struct str line, const struct delivery *d)
{
	struct str text, topic = STR("");
	struct chat_parts p;
	struct buf json, number;
	struct arena a;
	bool ok = false;

	arena_init(&a, (size_t)1 << 20);
	buf_init(&json, line.n + (16u << 10));
	buf_init(&number, 64);
	chat_form_init(&p, line.n + GRAPH_PNG_MAX + (32u << 10));
	chat_fill_html(line, d, &json);
	text = chat_member(buf_view(&json), "text", &a);
	if (c->message_thread_id > 0) {
		buf_u64(&number, c->message_thread_id);
		topic = buf_view(&number);
	}
	chat_form_part(&p, "chat_id", NULL, NULL, chat);
	chat_form_part(&p, "caption", NULL, NULL, text);
	chat_form_part(&p, "parse_mode", NULL, NULL, STR("HTML"));
	if (topic.n > 0)
		chat_form_part(&p, "message_thread_id", NULL, NULL, topic);
	if (c->disable_notifications)
		chat_form_part(&p, "disable_notification", NULL, NULL, STR("true"));
	chat_form_part(&p, "photo", "graph.png", "image/png", chat_picture(d));
	if (text.n > 0 && !json.failed)
		ok = chat_form_send(&p, req);
	chat_form_fini(&p);
	buf_fini(&number);
	buf_fini(&json);
	arena_fini(&a);
	return ok;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct telegram_config *c = in->conf;
	bool picture = chat_picture(d).n > 0 && wants_picture(d->payload);
	struct str line = chat_line(d->payload, d->degraded ? 1 : 0);
	struct str chat = d->data.n > 0 ? d->data : c->chat_id;
	struct send_request *req;
	struct buf b;

	buf_init(&b, line.n + 4096);
	buf_str(&b, c->api_url);
	buf_c(&b, "/bot");
	buf_str(&b, c->bot_token);
	buf_c(&b, picture ? "/sendPhoto" : "/sendMessage");
	req = chat_request(buf_view(&b), &c->http, 0, d, e);
	if (req != NULL)
		send_request_hide(req, c->bot_token);
	if (req != NULL && (!picture || !with_picture(req, c, chat, line, d))) {
		buf_reset(&b);
		buf_c(&b, chat.p[0] == '@' ? "{\"chat_id\":\"" : "{\"chat_id\":");
		buf_str(&b, chat); /* a number or a name: checked with the configuration */
		buf_c(&b, chat.p[0] == '@' ? "\"," : ",");
		buf_str(&b, str_sub(line, 1, line.n));
		chat_set_body_html(req, buf_view(&b), d);
	}
	buf_fini(&b);
	return req;
}

/* The number a group has now; empty: it did not move. */
static bool moved(const struct delivery *d, const struct send_request *req, struct buf *data)
{
	struct arena a;
	struct str to;
	long long id;
	bool is;

	arena_init(&a, (size_t)1 << 20);
	to = chat_answer_in(req, "parameters", "migrate_to_chat_id", &a);
	is = to.n > 0 && to.n < 30 && str_to_i64(to, &id) && id != 0 && !str_eq(to, d->data);
	if (is)
		buf_str(data, to);
	arena_fini(&a);
	return is;
}

static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	struct arena a;
	bool ok;

	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status == 400 && moved(d, req, data))
		return VERDICT_NEXT;
	if (req->status == 400)
		return VERDICT_DEGRADE;
	if (req->status != 200)
		return integration_judge_http(in, d, req, data);
	arena_init(&a, (size_t)1 << 20);
	ok = str_eq(chat_answer(req, "ok", &a), STR("true"));
	arena_fini(&a);
	return ok ? VERDICT_OK : VERDICT_FINAL;
}

static int64_t retry_after_ms(const struct send_request *req)
{
	return chat_answer_seconds(req, "parameters", "retry_after");
}

static void place(const struct integration *in, struct buf *out)
{
	const struct telegram_config *c = in->conf;

	buf_str(out, c->bot_token);
	buf_ch(out, ' ');
	buf_str(out, c->chat_id);
}

/* One a second for a chat. */
const struct integration_type integration_telegram = {.name = "telegram",
	.pace_ms = 1000,
	.parallel = 1,
	.place = place,
	.render = render,
	.wants_picture = wants_picture,
	.request = request,
	.judge = judge,
	.retry_after_ms = retry_after_ms};
