/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rocketchat - chat.postMessage of Rocket.Chat's REST API: one attachment.
 *
 * Fields that are not configured are belfry's own. Payload: a line with the attachment, and one
 * with plain text for a message that is refused (400).
 */
#include "base/num.h"
#include "exporters/chat.h"

#define TEXT_MAX    4500u /* of 5,000, a server's usual limit */
#define OWN_MAX     3500u
#define TITLE_MAX   1024u
#define SHORT_MAX   1000u
#define FIELDS_MAX  20u
#define ACTIONS_MAX 10u

static void fields(struct jsonw *j, struct chat_form *f, const struct rocketchat_config *c)
{
	if (c->n_fields == 0)
		return;
	jsonw_key(j, "fields");
	jsonw_array(j);
	for (size_t i = 0; i < MIN_OF(c->n_fields, (size_t)FIELDS_MAX); i++) {
		jsonw_object(j);
		jsonw_kv_bool(j, "short", c->fields[i].is_short);
		chat_put(j, "title", f, c->fields[i].title, 300);
		chat_put(j, "value", f, c->fields[i].value, SHORT_MAX);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void actions(struct jsonw *j, struct chat_form *f, const struct rocketchat_config *c)
{
	if (c->n_actions == 0)
		return;
	jsonw_key(j, "actions");
	jsonw_array(j);
	for (size_t i = 0; i < MIN_OF(c->n_actions, (size_t)ACTIONS_MAX); i++) {
		jsonw_object(j);
		jsonw_kv_c(j, "type", "button");
		chat_put(j, "text", f, c->actions[i].text, 75);
		chat_put(j, "url", f, c->actions[i].url, SHORT_MAX);
		chat_put(j, "msg", f, c->actions[i].msg, SHORT_MAX);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void put_colour(struct jsonw *j, struct chat_form *f, const struct rocketchat_config *c)
{
	struct buf b;

	buf_init(&b, 4096);
	if (!chat_expand(f, c->color, "color", 30, &b))
		buf_printf(&b, "#%06x", chat_colour(chat_severity(f->m)));
	jsonw_kv_str(j, "color", buf_view(&b));
	buf_fini(&b);
}

static void attachment(struct jsonw *j, struct chat_form *f, const struct rocketchat_config *c)
{
	const struct message *m = f->m;
	struct buf b, own;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&own, (size_t)64 << 10);
	jsonw_object(j);
	if (!chat_expand(f, chat_template(m, c->title, "rocketchat.default.title"), "title",
		    TITLE_MAX, &b)) {
		buf_reset(&b);
		chat_title(m, &own);
		chat_untaint(&b, buf_view(&own), STR("")); /* no markup here, but calls */
	}
	buf_fini(&own);
	jsonw_kv_str(j, "title", buf_view(&b));
	buf_reset(&b);
	if (!chat_expand(f, chat_template(m, c->title_link, "rocketchat.default.titlelink"),
		    "title_link", SHORT_MAX, &b))
		buf_str(&b, m->page_url);
	if (b.n > 0)
		jsonw_kv_str(j, "title_link", buf_view(&b));
	buf_reset(&b);
	if (!chat_expand(f, chat_template(m, c->text, "rocketchat.default.text"), "text", TEXT_MAX,
		    &b) &&
		!chat_body(m, CHAT_ROCKETCHAT, CHAT_LINKS | CHAT_SPARK, OWN_MAX, &b))
		chat_count_truncated("rocketchat");
	if (f->note.n > 0) {
		buf_ch(&b, '\n');
		chat_escape(&b, buf_view(&f->note), CHAT_ROCKETCHAT, 300);
	}
	jsonw_kv_str(j, "text", buf_view(&b));
	put_colour(j, f, c);
	chat_put(j, "image_url", f, c->image_url, SHORT_MAX);
	chat_put(j, "thumb_url", f, c->thumb_url, SHORT_MAX);
	fields(j, f, c);
	actions(j, f, c);
	jsonw_object_end(j);
	buf_fini(&b);
}

static void head(struct jsonw *j, struct chat_form *f, const struct rocketchat_config *c)
{
	chat_put(j, "channel", f, c->channel, 300);
	chat_put(j, "emoji", f, chat_template(f->m, c->emoji, "rocketchat.default.emoji"), 100);
	chat_put(j, "avatar", f, chat_template(f->m, c->icon_url, "rocketchat.default.iconurl"),
		SHORT_MAX);
	jsonw_kv_bool(j, "parseUrls", false);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct rocketchat_config *c = in->conf;
	struct chat_form f = {.m = m, .calls = true};
	struct jsonw j;
	struct buf b, tmp;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&b, (size_t)64 << 10);
	buf_init(&tmp, (size_t)64 << 10);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	head(&j, &f, c);
	jsonw_key(&j, "attachments");
	jsonw_array(&j);
	attachment(&j, &f, c);
	jsonw_array_end(&j);
	jsonw_object_end(&j);

	buf_ch(payload, '\n');
	chat_title(m, &tmp);
	chat_escape(&b, buf_view(&tmp), CHAT_ROCKETCHAT, 300);
	buf_ch(&b, '\n');
	(void)chat_body(m, CHAT_ROCKETCHAT, CHAT_LINKS, OWN_MAX, &b);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	head(&j, &f, c);
	jsonw_kv_str(&j, "text", buf_view(&b));
	jsonw_object_end(&j);
	buf_fini(&tmp);
	buf_fini(&b);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct rocketchat_config *c = in->conf;
	struct send_request *req;
	struct buf b;

	buf_init(&b, 8192);
	buf_str(&b, c->api_url);
	buf_c(&b, "api/v1/chat.postMessage");
	req = chat_request(buf_view(&b), &c->http, 0, d, e);
	buf_fini(&b);
	if (req == NULL)
		return NULL;
	if (!send_request_header(req, STR("X-Auth-Token"), c->token) ||
		!send_request_header(req, STR("X-User-Id"), c->token_id)) {
		(void)err_set(e, ERR_INPUT, 0, "bad token");
		send_request_free(req);
		return NULL;
	}
	send_request_hide(req, c->token);
	send_request_hide(req, c->token_id);
	chat_set_body(req, chat_line(d->payload, d->degraded ? 1 : 0), d);
	return req;
}

/* {"success":true}; a no may come with status 200. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	enum verdict v = VERDICT_OK;
	struct arena a;

	if (!req->transport_ok)
		return VERDICT_RETRY;
	arena_init(&a, (size_t)1 << 20);
	if (str_has(chat_answer(req, "error", &a), STR("too-many-requests")))
		v = VERDICT_RETRY;
	else if (req->status == 400)
		v = VERDICT_DEGRADE;
	else if (req->status != 200)
		v = integration_judge_http(in, d, req, data);
	else if (!str_eq(chat_answer(req, "success", &a), STR("true")))
		v = VERDICT_FINAL;
	arena_fini(&a);
	return v;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct rocketchat_config *c = in->conf;

	buf_str(out, c->api_url);
	buf_ch(out, ' ');
	buf_str(out, c->token_id);
}

const struct integration_type integration_rocketchat = {.name = "rocketchat",
	.pace_ms = 1000,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = judge};
