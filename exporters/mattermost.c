/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mattermost - an incoming webhook with one of Slack's attachments in Markdown.
 *
 * Fields that are not configured are belfry's own. Payload: a line with attachments, and one with
 * plain text for a post that is refused (400).
 */
#include <stdio.h>

#include "base/num.h"
#include "exporters/chat.h"

#define TEXT_MAX                                                                                   \
	7500u /* a post may have 16,383 characters, older servers 4,000 and 8,000 of props */
#define OWN_MAX    3800u
#define TITLE_MAX  300u
#define SHORT_MAX  1000u
#define FIELDS_MAX 20u

static void fields(struct jsonw *j, struct chat_form *f, const struct mattermost_attachment *a)
{
	if (a->n_fields == 0)
		return;
	jsonw_key(j, "fields");
	jsonw_array(j);
	for (size_t i = 0; i < MIN_OF(a->n_fields, (size_t)FIELDS_MAX); i++) {
		jsonw_object(j);
		chat_put(j, "title", f, a->fields[i].title, TITLE_MAX);
		chat_put(j, "value", f, a->fields[i].value, SHORT_MAX);
		jsonw_kv_bool(j, "short", a->fields[i].is_short);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* What an attachment has beside title, text, fallback and colour. */
static void rest(struct jsonw *j, struct chat_form *f, const struct mattermost_attachment *a)
{
	chat_put(j, "pretext", f, a->pretext, SHORT_MAX);
	chat_put(j, "author_name", f, a->author_name, TITLE_MAX);
	chat_put(j, "author_link", f, a->author_link, SHORT_MAX);
	chat_put(j, "author_icon", f, a->author_icon, SHORT_MAX);
	fields(j, f, a);
	chat_put(j, "thumb_url", f, a->thumb_url, SHORT_MAX);
	chat_put(j, "footer", f, a->footer, TITLE_MAX);
	chat_put(j, "footer_icon", f, a->footer_icon, SHORT_MAX);
	chat_put(j, "image_url", f, a->image_url, SHORT_MAX);
}

/* A member that is configured, or made by `own` into tmp. */
static void put_or(struct jsonw *j, const char *key, struct chat_form *f, struct str text,
	size_t max, struct buf *own)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (chat_expand(f, text, key, max, &b))
		jsonw_kv_str(j, key, buf_view(&b));
	else if (own->n > 0)
		jsonw_kv_str(j, key, buf_view(own));
	buf_fini(&b);
	buf_reset(own);
}

static void main_attachment(struct jsonw *j, struct chat_form *f, const struct mattermost_config *c)
{
	const struct message *m = f->m;
	const struct mattermost_attachment *a = &c->main;
	struct buf own, tmp;

	buf_init(&own, (size_t)64 << 10);
	buf_init(&tmp, (size_t)64 << 10);
	jsonw_object(j);
	chat_title(m, &tmp);
	chat_untaint(&own, buf_view(&tmp), STR(""));
	buf_reset(&tmp);
	put_or(j, "fallback", f, chat_template(m, a->fallback, "mattermost.default.fallback"),
		TITLE_MAX, &own);
	buf_printf(&own, "#%06x", chat_colour(chat_severity(m)));
	put_or(j, "color", f, chat_template(m, a->color, "mattermost.default.color"), 30, &own);
	chat_title(m, &tmp);
	chat_escape(&own, buf_view(&tmp), CHAT_MATTERMOST, TITLE_MAX);
	put_or(j, "title", f, chat_template(m, a->title, "mattermost.default.title"), TITLE_MAX,
		&own);
	buf_str(&own, m->page_url);
	put_or(j, "title_link", f, chat_template(m, a->title_link, "mattermost.default.titlelink"),
		SHORT_MAX, &own);
	buf_reset(&tmp);
	if (!chat_expand(f, chat_template(m, a->text, "mattermost.default.text"), "text", TEXT_MAX,
		    &tmp) &&
		!chat_body(m, CHAT_MATTERMOST, CHAT_LINKS | CHAT_SPARK, OWN_MAX, &tmp))
		chat_count_truncated("mattermost");
	if (f->note.n > 0) {
		buf_ch(&tmp, '\n');
		chat_escape(&tmp, buf_view(&f->note), CHAT_MATTERMOST, 300);
	}
	jsonw_kv_str(j, "text", buf_view(&tmp));
	rest(j, f, a);
	jsonw_object_end(j);
	buf_fini(&tmp);
	buf_fini(&own);
}

static void attachment(struct jsonw *j, struct chat_form *f, const struct mattermost_attachment *a)
{
	jsonw_object(j);
	chat_put(j, "fallback", f, a->fallback, TITLE_MAX);
	chat_put(j, "color", f, a->color, 30);
	chat_put(j, "title", f, a->title, TITLE_MAX);
	chat_put(j, "title_link", f, a->title_link, SHORT_MAX);
	chat_put(j, "text", f, a->text, TEXT_MAX);
	rest(j, f, a);
	jsonw_object_end(j);
}

static void priority(struct jsonw *j, struct chat_form *f, const struct mattermost_config *c)
{
	const char *p = "standard";
	struct buf b;

	buf_init(&b, 4096);
	if (chat_expand(f, c->priority, "priority", 30, &b)) {
		if (str_eq_nocase(str_trim(buf_view(&b)), STR("urgent")))
			p = "urgent";
		else if (str_eq_nocase(str_trim(buf_view(&b)), STR("important")))
			p = "important";
		jsonw_key(j, "priority");
		jsonw_object(j);
		jsonw_kv_c(j, "priority", p);
		if (p[0] != 's')
			jsonw_kv_bool(j, "requested_ack", c->requested_ack);
		if (p[0] == 'u')
			jsonw_kv_bool(j, "persistent_notifications", c->persistent_notifications);
		jsonw_object_end(j);
	}
	buf_fini(&b);
}

static void who(struct jsonw *j, struct chat_form *f, const struct mattermost_config *c)
{
	chat_put(j, "channel", f, c->channel, TITLE_MAX);
	chat_put(j, "username", f, c->username, TITLE_MAX);
	chat_put(j, "icon_url", f, c->icon_url, SHORT_MAX);
	chat_put(j, "icon_emoji", f, c->icon_emoji, TITLE_MAX);
}

static void whole(struct chat_form *f, const struct mattermost_config *c, struct buf *out)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	who(&j, f, c);
	chat_put(&j, "type", f, c->type, 100);
	if (c->n_attachments > 0)
		chat_put(&j, "text", f, c->main.text, TEXT_MAX);
	jsonw_key(&j, "attachments");
	jsonw_array(&j);
	if (c->n_attachments == 0)
		main_attachment(&j, f, c);
	for (size_t i = 0; i < MIN_OF(c->n_attachments, (size_t)10); i++)
		attachment(&j, f, &c->attachments[i]);
	jsonw_array_end(&j);
	if (c->card.n > 0) {
		jsonw_key(&j, "props");
		jsonw_object(&j);
		chat_put(&j, "card", f, c->card, TEXT_MAX);
		jsonw_object_end(&j);
	}
	priority(&j, f, c);
	jsonw_object_end(&j);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct mattermost_config *c = in->conf;
	struct chat_form f = {.m = m, .calls = true};
	struct buf tmp, b;
	struct jsonw j;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&tmp, (size_t)64 << 10);
	buf_init(&b, (size_t)64 << 10);
	whole(&f, c, payload);
	buf_ch(payload, '\n');
	chat_title(m, &tmp);
	chat_escape(&b, buf_view(&tmp), CHAT_MATTERMOST, TITLE_MAX);
	buf_ch(&b, '\n');
	(void)chat_body(m, CHAT_MATTERMOST, CHAT_LINKS, OWN_MAX - 400, &b);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	jsonw_kv_str(&j, "text", buf_view(&b));
	jsonw_object_end(&j);
	buf_fini(&b);
	buf_fini(&tmp);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct mattermost_config *c = in->conf;
	struct send_request *req = chat_request(c->webhook_url, &c->http, 0, d, e);

	if (req != NULL)
		chat_set_body(req, chat_line(d->payload, d->degraded ? 1 : 0), d);
	return req;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct mattermost_config *c = in->conf;

	buf_str(out, c->webhook_url);
}

const struct integration_type integration_mattermost = {.name = "mattermost",
	.pace_ms = 200,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = integration_judge_form};
