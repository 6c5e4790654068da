/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack - the receiver: a message's parts in the stored payload, incoming webhooks, and which of
 * the two ways (webhook, bot token) is taken.
 *
 * Never a message is lost to Slack's limits: what it refuses with a 400 is offered again without
 * blocks, then as plain text (reference notify.md F3). For a webhook the level is `degraded` and,
 * in its degraded forms, the step.
 */
#include "exporters/slack.h"

#include "base/assert.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"
#include "exporters/notify_template.h"

#define MAGIC          "slack1"
#define PART_MAX       ((size_t)64 << 10)
#define GRAPH_TEXT_MAX 16384u /* what may be put in place of marks */

/* ---- the stored payload ---- */

void slack_parts_write(const struct buf v[SLACK_PARTS], struct buf *out)
{
	buf_c(out, MAGIC);
	for (size_t i = 0; i < SLACK_PARTS; i++)
		buf_printf(out, " %zu", v[i].n);
	buf_ch(out, '\n');
	for (size_t i = 0; i < SLACK_PARTS; i++)
		buf_str(out, buf_view(&v[i]));
}

bool slack_parts_read(struct str payload, struct slack_parts *out)
{
	struct str line = str_sub(payload, 0, str_find(payload, '\n'));
	size_t at = line.n + 1;
	unsigned long long n;
	struct str word;

	if (!str_split(&line, ' ', &word) || !str_eq(word, STR(MAGIC)))
		return false;
	for (size_t i = 0; i < SLACK_PARTS; i++) {
		if (!str_split(&line, ' ', &word) || !str_to_u64(word, &n) || at > payload.n ||
			n > payload.n - at)
			return false;
		out->v[i] = str_n(payload.p + at, (size_t)n);
		at += (size_t)n;
	}
	return line.n == 0 && at == payload.n;
}

/* Two JSON strings as one, a newline between. */
static void joined(struct buf *out, struct str a, struct str b)
{
	ASSERT(a.n >= 2 && b.n >= 2);
	buf_str(out, str_sub(a, 0, a.n - 1));
	buf_c(out, "\\n");
	buf_str(out, str_sub(b, 1, b.n));
}

void slack_members(const struct slack_parts *p, enum slack_level level, bool whole, struct buf *out)
{
	switch (level) {
	case SLACK_AS_IT_IS:
		buf_str(out, p->v[SLACK_FULL]);
		if (whole)
			buf_c(out, ",\"blocks\":[]");
		break;
	case SLACK_NO_BLOCKS:
		buf_c(out, "\"text\":");
		buf_str(out, p->v[SLACK_SHORT]);
		buf_c(out, ",\"attachments\":[{\"color\":");
		buf_str(out, p->v[SLACK_COLOUR]);
		buf_c(out, ",\"mrkdwn_in\":[\"text\"],\"fallback\":");
		buf_str(out, p->v[SLACK_SHORT]);
		buf_c(out, ",\"text\":");
		buf_str(out, p->v[SLACK_LONG]);
		buf_c(out, "}]");
		if (whole)
			buf_c(out, ",\"blocks\":[]");
		break;
	case SLACK_PLAIN_TEXT:
		buf_c(out, "\"text\":");
		joined(out, p->v[SLACK_SHORT], p->v[SLACK_LONG]);
		if (whole)
			buf_c(out, ",\"blocks\":[],\"attachments\":[]");
		break;
	}
}

/* A section of nothing but marks, when nothing was found for them. */
static const char *const empty_sections[] = {
	"{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"\\n\"}},",
	"{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"\"}},",
};

static size_t empty_section_len(struct str rest)
{
	for (size_t i = 0; i < ARRAY_LEN(empty_sections); i++) {
		struct str s = str_c(empty_sections[i]);

		if (str_starts(rest, s))
			return s.n;
	}
	return 0;
}

void slack_set_body(struct send_request *req, const struct buf *body, const struct delivery *d)
{
	struct buf filled, out;
	struct str s;

	buf_init(&filled, body->n + GRAPH_TEXT_MAX);
	graph_fill(buf_view(body), d->graph, GRAPH_JSON_MRKDWN, &filled);
	s = buf_view(&filled);
	buf_init(&out, s.n + 1);
	for (size_t i = 0; i < s.n;) {
		struct str rest = str_sub(s, i, s.n);
		size_t empty = rest.p[0] == '{' ? empty_section_len(rest) : 0;

		if (empty == 0)
			buf_ch(&out, s.p[i]);
		i += MAX_OF(empty, (size_t)1);
	}
	integration_body(req, buf_view(&out));
	buf_fini(&out);
	buf_fini(&filled);
}

/* ---- rendering ---- */

struct str slack_token(const struct slack_config *c)
{
	if (c->bot_token.n == 0 && str_ends(c->api_url, STR("/chat.postMessage")))
		return c->http.bearer; /* how Alertmanager's users gave it before app_token */
	return c->bot_token;
}

bool slack_is_bot(const struct slack_config *c)
{
	return slack_token(c).n > 0;
}

static void json_string(struct buf *out, struct str s)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_str(&j, s);
}

/* A template that is a name or a channel: one line, the text itself when it fails. */
static void plain_field(const struct message *m, struct str text, const char *what, struct buf *out)
{
	if (str_has(text, STR("{{")) &&
		notify_template_render(m->templates, text, what, m, false, out, NULL))
		return;
	buf_reset(out);
	buf_str(out, text);
}

static void member(struct buf *out, const char *key, const struct buf *value)
{
	struct str s = str_trim(buf_view(value));

	if (s.n == 0)
		return;
	if (out->n > 0)
		buf_ch(out, ',');
	buf_printf(out, "\"%s\":", key);
	json_string(out, slack_clip(s, 400));
}

static void who(const struct message *m, const struct slack_config *c, struct buf *out)
{
	const struct {
		const char *key;
		struct str text;
	} fields[] = {{"username", c->username}, {"icon_emoji", c->icon_emoji},
		{"icon_url", c->icon_url}};
	struct buf value;

	buf_init(&value, PART_MAX);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		buf_reset(&value);
		plain_field(m, fields[i].text, fields[i].key, &value);
		member(out, fields[i].key, &value);
	}
	buf_fini(&value);
}

static bool wants_picture(const struct message *m, const struct slack_config *c)
{
	return c->graph && slack_is_bot(c) &&
	       (m->first || m->reason == REASON_FIRST || m->reason == REASON_ALL_RESOLVED);
}

static void fill_parts(const struct message *m, const struct slack_config *c, struct buf *v)
{
	struct buf tmp;

	buf_init(&tmp, PART_MAX);
	plain_field(m, c->channel, "channel", &tmp);
	if (tmp.n > 0)
		json_string(&v[SLACK_CHANNEL], slack_clip(str_trim(buf_view(&tmp)), 200));
	who(m, c, &v[SLACK_WHO]);
	if (slack_is_templated(c, m))
		slack_fields_members(m, c, &v[SLACK_FULL]);
	else
		slack_blocks_members(m, c, &v[SLACK_FULL]);
	buf_printf(&v[SLACK_COLOUR], "\"%s\"", slack_colour(m));
	buf_reset(&tmp);
	slack_headline(m, c, &tmp);
	json_string(&v[SLACK_SHORT], buf_view(&tmp));
	buf_reset(&tmp);
	slack_long_text(m, &tmp);
	json_string(&v[SLACK_LONG], buf_view(&tmp));
	if (slack_is_bot(c) && c->thread && !m->first) {
		buf_reset(&tmp);
		slack_reply_text(m, &tmp);
		buf_c(&v[SLACK_REPLY], "\"text\":");
		json_string(&v[SLACK_REPLY], buf_view(&tmp));
		if (slack_is_critical(m) &&
			(m->reason == REASON_REPEAT || m->reason == REASON_NEW_ALERTS))
			buf_c(&v[SLACK_REPLY], ",\"reply_broadcast\":true");
	}
	if (wants_picture(m, c)) {
		buf_reset(&tmp);
		message_subject(m, &tmp);
		json_string(&v[SLACK_PICTURE], slack_clip(buf_view(&tmp), 200));
	}
	buf_fini(&tmp);
}

void slack_render(const struct message *m, const struct slack_config *c, struct buf *out)
{
	struct buf v[SLACK_PARTS];

	for (size_t i = 0; i < SLACK_PARTS; i++)
		buf_init(&v[i], PART_MAX);
	fill_parts(m, c, v);
	slack_parts_write(v, out);
	for (size_t i = 0; i < SLACK_PARTS; i++)
		buf_fini(&v[i]);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	slack_render(m, in->conf, payload);
	return payload->failed ? err_set(e, ERR_LIMIT, 0, "message too large") : 0;
}

/* ---- incoming webhooks ---- */

static enum slack_level webhook_level(const struct delivery *d)
{
	if (!d->degraded)
		return SLACK_AS_IT_IS;
	return d->step == 0 ? SLACK_NO_BLOCKS : SLACK_PLAIN_TEXT;
}

static void webhook_body(const struct slack_parts *p, const struct delivery *d, struct buf *b)
{
	buf_ch(b, '{');
	slack_members(p, webhook_level(d), false, b);
	if (p->v[SLACK_CHANNEL].n > 0) {
		buf_c(b, ",\"channel\":");
		buf_str(b, p->v[SLACK_CHANNEL]);
	}
	if (p->v[SLACK_WHO].n > 0) {
		buf_ch(b, ',');
		buf_str(b, p->v[SLACK_WHO]);
	}
	buf_ch(b, '}');
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct slack_config *c = in->conf;
	struct send_request *req;
	struct slack_parts p;
	struct buf body;

	if (slack_is_bot(c))
		return slack_bot_request(c, d, e);
	req = integration_http(c->api_url, c->timeout_ms, d);
	if (integration_http_options(req, &c->http, e) != 0) {
		send_request_free(req);
		return NULL;
	}
	if (!slack_parts_read(d->payload, &p))
		return req; /* whole JSON: stored by an older version */
	buf_init(&body, d->payload.n * 2 + 1024);
	webhook_body(&p, d, &body);
	slack_set_body(req, &body, d);
	buf_fini(&body);
	return req;
}

/* From servers that answer as the Web API does: {"ok":false,"error":"..."}. What begins as JSON and
 * is none was cut on its way. */
static enum verdict json_verdict(const struct send_request *req, struct str reply)
{
	struct arena a;
	struct str ok, error;
	enum verdict v = VERDICT_FINAL;

	arena_init(&a, (size_t)1 << 20);
	ok = chat_answer(req, "ok", &a);
	error = chat_answer(req, "error", &a);
	if (str_eq(ok, STR("true")))
		v = VERDICT_OK;
	else if (error.n > 0)
		v = slack_error_verdict(error);
	else if (ok.n == 0 && reply.n > 0 && reply.p[0] == '{')
		v = VERDICT_RETRY;
	arena_fini(&a);
	return v;
}

/* Success is 200 with "ok". */
static enum verdict webhook_verdict(
	const struct delivery *d, const struct send_request *req, struct buf *data)
{
	struct str reply = str_trim(str_n(req->reply != NULL ? req->reply : "", req->reply_len));

	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status == 400 || req->status == 413)
		return VERDICT_DEGRADE;
	if (req->status != 200)
		return integration_judge_http(NULL, d, req, data);
	return str_eq(reply, STR("ok")) ? VERDICT_OK : json_verdict(req, reply);
}

static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	enum verdict v;

	if (slack_is_bot(in->conf))
		return slack_bot_judge(in->conf, d, req, data);
	v = webhook_verdict(d, req, data);
	if (v == VERDICT_DEGRADE && d->degraded)
		return d->step == 0 ? VERDICT_NEXT : VERDICT_FINAL;
	return v;
}

/* The limit counts by webhook, or by channel for a bot. */
static void place(const struct integration *in, struct buf *out)
{
	const struct slack_config *c = in->conf;

	buf_str(out, c->api_url);
	if (!slack_is_bot(c))
		return;
	buf_ch(out, '\n');
	buf_str(out, slack_token(c));
	buf_ch(out, '\n');
	buf_str(out, c->channel);
}

static bool stored_picture(struct str payload)
{
	struct slack_parts p;

	return slack_parts_read(payload, &p) && p.v[SLACK_PICTURE].n > 0;
}

/* Published limit: one message a second per webhook and per channel. */
const struct integration_type integration_slack = {.name = "slack",
	.pace_ms = 1000,
	.parallel = 1,
	.place = place,
	.wants_picture = stored_picture,
	.render = render,
	.request = request,
	.judge = judge};
