/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushover - Pushover's message API.
 *
 * A message of priority 2 is repeated until somebody acknowledges it; all of an incident carry its
 * thread as their tag, and when the group is resolved a second request ends the repeating by that
 * tag. The stored payload is two lines of form fields without token and user: the message, and a
 * plain one for a message that is refused (400).
 */
#include "base/num.h"
#include "exporters/chat.h"

#define TITLE_MAX     250u
#define MESSAGE_MAX   1024u
#define NOTE_ROOM     400u /* escaped, a character may take six */
#define URL_MAX       512u
#define URL_TITLE_MAX 100u

static void field(struct buf *out, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		buf_ch(out, '&');
	buf_c(out, name);
	buf_ch(out, '=');
	chat_url_part(out, value);
}

static void field_u(struct buf *out, const char *name, int64_t v)
{
	struct buf b;

	buf_init(&b, 64);
	buf_i64(&b, v);
	field(out, name, buf_view(&b));
	buf_fini(&b);
}

static void templated(
	struct buf *out, const char *name, struct chat_form *f, struct str text, size_t max)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (chat_expand(f, text, name, max, &b))
		field(out, name, str_trim(buf_view(&b)));
	buf_fini(&b);
}

static int priority(struct chat_form *f, const struct pushover_config *c)
{
	static const int by_severity[] = {0, 0, 1, 2};
	int p = by_severity[chat_severity(f->m)];
	long long v;
	struct buf b;

	buf_init(&b, 4096);
	if (chat_expand(f, c->priority, "priority", 20, &b) &&
		str_to_i64(str_trim(buf_view(&b)), &v) && v >= -2 && v <= 2)
		p = (int)v;
	buf_fini(&b);
	return p;
}

static void urls(struct buf *out, struct chat_form *f, const struct pushover_config *c)
{
	struct chat_link v[CHAT_LINKS_MAX];
	struct buf tmp, url;

	buf_init(&tmp, (size_t)64 << 10);
	buf_init(&url, (size_t)64 << 10);
	if (chat_expand(
		    f, chat_template(f->m, c->url, "pushover.default.url"), "url", URL_MAX, &url)) {
		field(out, "url", buf_view(&url));
		templated(out, "url_title", f, c->url_title, URL_TITLE_MAX);
	} else if (chat_links(f->m, URL_MAX, v, &tmp) > 0) {
		field(out, "url", v[0].url);
		field(out, "url_title", str_c(v[0].text));
	}
	buf_fini(&url);
	buf_fini(&tmp);
}

static void message_fields(struct buf *out, struct chat_form *f, const struct pushover_config *c)
{
	const struct message *m = f->m;
	struct str text = chat_template(m, c->message, "pushover.default.message");
	enum chat_markup how = c->html ? CHAT_HTML : CHAT_PLAIN;
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (!chat_expand(f, chat_template(m, c->title, "pushover.default.title"), "title",
		    TITLE_MAX, &b))
		chat_title(m, &b);
	(void)chat_clip(&b, 0, TITLE_MAX);
	field(out, "title", buf_view(&b));
	buf_reset(&b);
	if (!(c->html ? chat_expand_html(f, text, "message", MESSAGE_MAX, &b)
		      : chat_expand(f, text, "message", MESSAGE_MAX, &b)) &&
		!chat_body(m, how, 0, MESSAGE_MAX, &b))
		chat_count_truncated("pushover");
	if (f->note.n > 0) { /* a template that failed */
		(void)chat_clip(&b, 0, MESSAGE_MAX - NOTE_ROOM);
		buf_ch(&b, '\n');
		chat_escape(&b, buf_view(&f->note), how, NOTE_ROOM / 8);
	}
	field(out, "message", str_trim(buf_view(&b)).n > 0 ? buf_view(&b) : STR("(no text)"));
	if (c->html)
		field(out, "html", STR("1"));
	if (c->monospace)
		field(out, "monospace", STR("1"));
	buf_fini(&b);
}

static void plain_fields(struct buf *out, const struct message *m)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	chat_title(m, &b);
	(void)chat_clip(&b, 0, TITLE_MAX);
	field(out, "title", buf_view(&b));
	buf_reset(&b);
	(void)chat_body(m, CHAT_PLAIN, 0, MESSAGE_MAX - 24, &b);
	field(out, "message", buf_view(&b));
	buf_fini(&b);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct pushover_config *c = in->conf;
	struct chat_form f = {.m = m};
	int p;

	(void)e;
	buf_init(&f.note, 4096);
	message_fields(payload, &f, c);
	urls(payload, &f, c);
	p = priority(&f, c);
	field_u(payload, "priority", p);
	if (p == 2) {
		field_u(payload, "retry", c->retry_ms / 1000);
		field_u(payload, "expire", c->expire_ms / 1000);
		field(payload, "tags", m->thread);
	}
	if (c->ttl_ms > 0 && p != 2)
		field_u(payload, "ttl", c->ttl_ms / 1000);
	templated(payload, "device", &f, c->device, 200);
	templated(payload, "sound", &f, c->sound, 100);
	field_u(payload, "timestamp", m->now_ms / 1000);
	buf_ch(payload, '\n');
	plain_fields(payload, m);
	field_u(payload, "priority", p == 2 ? 1 : p);
	buf_fini(&f.note);
	return 0;
}

/* ".../messages.json" -> ".../receipts/cancel_by_tag/TAG.json"; false for another address. */
static bool cancel_url(const struct pushover_config *c, struct str tag, struct buf *out)
{
	static const struct str tail = {"messages.json", 13};

	if (!str_ends(c->api_url, tail) || tag.n == 0)
		return false;
	buf_str(out, str_sub(c->api_url, 0, c->api_url.n - tail.n));
	buf_c(out, "receipts/cancel_by_tag/");
	chat_url_part(out, tag);
	buf_c(out, ".json");
	return true;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct pushover_config *c = in->conf;
	struct str line = chat_line(d->payload, d->degraded ? 1 : 0);
	struct send_request *req;
	bool cancel;
	struct buf b;

	buf_init(&b, line.n + 8192);
	cancel = d->step > 0 && cancel_url(c, d->thread, &b);
	req = chat_request(cancel ? buf_view(&b) : c->api_url, &c->http, 0, d, e);
	if (req != NULL) {
		buf_reset(&b);
		send_request_hide(req, c->token);
		send_request_hide(req, c->user_key);
		field(&b, "token", c->token);
		if (!cancel) {
			field(&b, "user", c->user_key);
			buf_ch(&b, '&');
			buf_str(&b, line);
		}
		integration_body(req, buf_view(&b));
		chat_set_type(req, "application/x-www-form-urlencoded");
	}
	if (b.n > 0)
		explicit_bzero(b.p, b.n);
	buf_fini(&b);
	return req;
}

/* {"status":1}; 4xx will not be better the next time, says Pushover; 429 is the month's quota. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	const struct pushover_config *c = in->conf;
	enum verdict v = integration_judge_http(in, d, req, data);
	struct arena a;
	struct str status;

	if (!req->transport_ok)
		return v;
	if (d->step > 0) /* nothing may have been repeating */
		return v == VERDICT_FINAL ? VERDICT_OK : v;
	if (req->status == 400)
		return VERDICT_DEGRADE;
	if (v != VERDICT_OK)
		return v;
	arena_init(&a, (size_t)1 << 20);
	status = chat_answer(req, "status", &a);
	v = str_eq(status, STR("1")) ? VERDICT_OK : VERDICT_FINAL;
	arena_fini(&a);
	if (v == VERDICT_OK && !d->firing && str_ends(c->api_url, STR("messages.json")) &&
		d->thread.n > 0)
		return VERDICT_NEXT;
	return v;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct pushover_config *c = in->conf;

	buf_str(out, c->token);
	buf_ch(out, ' ');
	buf_str(out, c->user_key);
}

/* Two at a time, says Pushover. */
const struct integration_type integration_pushover = {.name = "pushover",
	.pace_ms = 200,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = judge};
