/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack - a message for Slack's incoming webhooks: Block Kit inside one attachment, which gives the
 * colour bar, and a plain top-level text for the phone's notification.
 *
 * Escaping (reference notify.md A4): in mrkdwn exactly & < > become entities, once, on every
 * interpolated value, so that a label like <!channel> pages nobody; plain_text and the notification
 * line show entities literally, there < and > are replaced by look-alikes. Limits (A3): a section
 * 3,000 characters, the whole of the blocks far below the undocumented 13,200, 50 blocks.
 */
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/integration.h"
#include "exporters/message.h"

#define SECTION_MAX  2800u /* bytes of one section's text, entities included: < 3,000 characters */
#define VALUE_MAX    300u  /* bytes of one interpolated value */
#define BLOCKS_MAX   9000u /* bytes of text over all blocks */
#define FALLBACK_MAX 600u
#define URL_MAX      2900u

enum text_kind { MRKDWN, PLAIN };

/* Cut at a character border: never inside a UTF-8 sequence. */
static struct str clip(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return str_sub(s, 0, max);
}

static void add_escaped(struct buf *b, struct str s, enum text_kind kind, size_t max)
{
	struct str c = clip(s, max);

	for (size_t i = 0; i < c.n; i++) {
		char ch = c.p[i];

		if (ch == '&')
			buf_c(b, kind == MRKDWN ? "&amp;" : "&");
		else if (ch == '<')
			buf_c(b, kind == MRKDWN ? "&lt;" : "‹");
		else if (ch == '>')
			buf_c(b, kind == MRKDWN ? "&gt;" : "›");
		else if ((unsigned char)ch < 0x20 || ch == 0x7f)
			buf_ch(b, ch == '\n' && kind == MRKDWN ? '\n' : ' ');
		else
			buf_ch(b, ch);
	}
	if (c.n < s.n)
		buf_c(b, "…");
}

static void add_buf(struct buf *to, struct buf *piece, enum text_kind kind, size_t max)
{
	add_escaped(to, buf_view(piece), kind, max);
	buf_reset(piece);
}

static const char *colour(const struct message *m)
{
	struct str s = labels_get(m->common_labels, STR("severity"));

	if (!m->firing)
		return "#2E7D32";
	if (str_eq_nocase(s, STR("warning")))
		return "#F9A825";
	if (str_eq_nocase(s, STR("info")))
		return "#1976D2";
	return "#D32F2F";
}

static const char *badge(const struct message *m)
{
	struct str s = labels_get(m->common_labels, STR("severity"));

	if (!m->firing)
		return "\xe2\x9c\x85"; /* check mark */
	if (str_eq_nocase(s, STR("warning")))
		return "\xe2\x9a\xa0\xef\xb8\x8f"; /* warning sign */
	return "\xf0\x9f\x94\xb4";                 /* red circle */
}

static void state_words(const struct message *m, struct buf *b)
{
	buf_c(b, m->firing ? "FIRING" : "RESOLVED");
	if (m->firing && m->n > 1) {
		buf_printf(b, " (%zu firing", m->n_firing);
		if (m->n_resolved > 0)
			buf_printf(b, ", %zu resolved", m->n_resolved);
		buf_ch(b, ')');
	} else if (m->n > 1) {
		buf_printf(b, " (%zu)", m->n);
	}
}

/* What the phone shows: "🔴 FIRING name · where: summary". */
static void fallback(const struct message *m, struct buf *b, struct buf *tmp)
{
	buf_printf(b, "%s ", badge(m));
	state_words(m, b);
	buf_ch(b, ' ');
	message_subject(m, tmp);
	add_buf(b, tmp, PLAIN, VALUE_MAX);
	buf_c(b, ": ");
	message_summary(&m->alerts[0], tmp);
	add_buf(b, tmp, PLAIN, VALUE_MAX);
}

static void section(struct jsonw *j, struct buf *text)
{
	struct str s = clip(buf_view(text), SECTION_MAX);

	jsonw_object(j);
	jsonw_kv_c(j, "type", "section");
	jsonw_key(j, "text");
	jsonw_object(j);
	jsonw_kv_c(j, "type", "mrkdwn");
	jsonw_kv_str(j, "text", s);
	jsonw_object_end(j);
	jsonw_object_end(j);
	buf_reset(text);
}

static void context(struct jsonw *j, struct buf *text)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", "context");
	jsonw_key(j, "elements");
	jsonw_array(j);
	jsonw_object(j);
	jsonw_kv_c(j, "type", "mrkdwn");
	jsonw_kv_str(j, "text", clip(buf_view(text), SECTION_MAX));
	jsonw_object_end(j);
	jsonw_array_end(j);
	jsonw_object_end(j);
	buf_reset(text);
}

static void alert_lines(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	message_summary(al, tmp);
	buf_c(b, m->n > 1 ? (al->firing ? "\xf0\x9f\x94\xb4 " : "\xe2\x9c\x85 ") : "");
	buf_c(b, "*");
	add_buf(b, tmp, MRKDWN, VALUE_MAX);
	buf_c(b, "*\n");
	message_values(m, al, tmp);
	add_buf(b, tmp, MRKDWN, VALUE_MAX);
	buf_printf(b, "\nsince <!date^%lld^{date_short_pretty} {time_secs}|",
		(long long)(al->starts_at_ms / 1000));
	message_duration(b, m->now_ms - al->starts_at_ms);
	buf_c(b, " ago>");
	message_own_labels(m, al, tmp);
	if (tmp->n > 0) {
		buf_c(b, " — ");
		add_buf(b, tmp, MRKDWN, VALUE_MAX * 2);
	}
}

static void description(const struct message *m, struct jsonw *j, struct buf *b)
{
	struct str d = labels_get(m->alerts[0].annotations, STR("description"));

	if (!m->firing || d.n == 0 || labels_get(m->alerts[0].annotations, STR("summary")).n == 0)
		return;
	add_escaped(b, d, MRKDWN, 1500);
	section(j, b);
}

static void button(struct jsonw *j, const char *text, struct str url)
{
	if (url.n == 0 || url.n > URL_MAX)
		return;
	jsonw_object(j);
	jsonw_kv_c(j, "type", "button");
	jsonw_key(j, "text");
	jsonw_object(j);
	jsonw_kv_c(j, "type", "plain_text");
	jsonw_kv_c(j, "text", text);
	jsonw_object_end(j);
	jsonw_kv_str(j, "url", url);
	jsonw_object_end(j);
}

static void actions(const struct message *m, struct jsonw *j, struct buf *tmp)
{
	struct str runbook = message_link(m, &m->alerts[0], "runbook_url");
	struct str dashboard = message_link(m, &m->alerts[0], "dashboard_url");

	message_graph_url(m, &m->alerts[0], tmp);
	if (runbook.n == 0 && dashboard.n == 0 && tmp->n == 0)
		return;
	jsonw_object(j);
	jsonw_kv_c(j, "type", "actions");
	jsonw_key(j, "elements");
	jsonw_array(j);
	button(j, "Runbook", runbook);
	button(j, "Graph", buf_view(tmp));
	button(j, "Dashboard", dashboard);
	jsonw_array_end(j);
	jsonw_object_end(j);
	buf_reset(tmp);
}

/* Labels that all alerts share, then rule and reason. */
static void footer(const struct message *m, struct jsonw *j, struct buf *b, struct buf *tmp)
{
	for (size_t i = 0; i < m->common_labels.n && b->n < 1500; i++) {
		const struct label *l = &m->common_labels.v[i];

		if (str_eq(l->name, STR("alertname")))
			continue;
		if (b->n > 0)
			buf_c(b, " · ");
		add_escaped(b, l->name, MRKDWN, 60);
		buf_ch(b, '=');
		add_escaped(b, l->value, MRKDWN, 120);
	}
	if (b->n > 0)
		buf_c(b, "\n");
	buf_c(b, "rule group ");
	add_escaped(b, m->alerts[0].group, MRKDWN, 120);
	buf_printf(b, " · %s", message_reason_text(m->reason));
	(void)tmp;
	context(j, b);
}

static void blocks(const struct message *m, struct jsonw *j)
{
	size_t shown = 0, start = j->b->n;
	struct buf b, tmp;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&tmp, (size_t)64 << 10);
	buf_printf(&b, "%s *", badge(m));
	state_words(m, &b);
	buf_c(&b, "* ");
	message_subject(m, &tmp);
	add_buf(&b, &tmp, MRKDWN, VALUE_MAX);
	if (m->note.n > 0) {
		buf_ch(&b, '\n');
		add_escaped(&b, m->note, MRKDWN, VALUE_MAX * 2);
	}
	section(j, &b);
	for (; shown < m->n && shown < LIMIT_MESSAGE_ALERTS && j->b->n - start < BLOCKS_MAX;
		shown++) {
		alert_lines(m, &m->alerts[shown], &b, &tmp);
		section(j, &b);
	}
	if (shown < m->n) {
		buf_printf(&b, "+%zu more", m->n - shown);
		section(j, &b);
	}
	description(m, j, &b);
	actions(m, j, &tmp);
	footer(m, j, &b, &tmp);
	buf_fini(&tmp);
	buf_fini(&b);
}

void slack_render(const struct message *m, const struct slack_config *c, struct buf *out)
{
	struct buf text, tmp;
	struct jsonw j;

	buf_init(&text, (size_t)64 << 10);
	buf_init(&tmp, (size_t)64 << 10);
	fallback(m, &text, &tmp);
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_str(&j, "text", clip(buf_view(&text), FALLBACK_MAX));
	if (c->channel.n > 0)
		jsonw_kv_str(&j, "channel", c->channel);
	if (c->username.n > 0)
		jsonw_kv_str(&j, "username", c->username);
	if (c->icon_emoji.n > 0)
		jsonw_kv_str(&j, "icon_emoji", c->icon_emoji);
	if (c->icon_url.n > 0)
		jsonw_kv_str(&j, "icon_url", c->icon_url);
	jsonw_key(&j, "attachments");
	jsonw_array(&j);
	jsonw_object(&j);
	jsonw_kv_c(&j, "color", colour(m));
	jsonw_kv_str(&j, "fallback", clip(buf_view(&text), FALLBACK_MAX));
	jsonw_key(&j, "blocks");
	jsonw_array(&j);
	blocks(m, &j);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_fini(&tmp);
	buf_fini(&text);
}

void slack_degrade(struct str body, struct buf *out)
{
	static const struct str key = {"{\"text\":", 8};
	size_t end = key.n + 1;
	struct jsonw j;

	/* our own rendering always starts with the text: cut it out as the JSON string it is */
	if (!str_starts(body, key) || body.n < end)
		return;
	while (end < body.n && body.p[end] != '"')
		end += body.p[end] == '\\' ? 2 : 1;
	if (end >= body.n)
		return;
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "text");
	jsonw_raw(&j, str_sub(body, key.n, end + 1));
	jsonw_object_end(&j);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	(void)e;
	slack_render(m, in->conf, payload);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct slack_config *c = in->conf;
	struct send_request *req = integration_http(c->api_url, 0, d);
	struct buf plain;

	(void)e;
	if (!d->degraded)
		return req;
	buf_init(&plain, d->payload.n + 64);
	slack_degrade(d->payload, &plain);
	integration_body(req, buf_view(&plain));
	buf_fini(&plain);
	return req;
}

/* Incoming webhooks answer 200 "ok"; the Web API says no with a 200 and "ok":false. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	struct str reply = str_trim(str_n(req->reply != NULL ? req->reply : "", req->reply_len));

	if (req->transport_ok && req->status == 200 && !str_eq(reply, STR("ok")) &&
		!str_has(reply, STR("\"ok\":true")) && !str_has(reply, STR("\"ok\": true")))
		return VERDICT_FINAL;
	if (req->transport_ok && req->status == 400)
		return VERDICT_DEGRADE;
	return integration_judge_http(in, d, req, data);
}

/* Its limit counts by webhook, or by channel for a bot. */
static void place(const struct integration *in, struct buf *out)
{
	const struct slack_config *c = in->conf;

	buf_str(out, c->api_url);
	if (c->bot_token.n > 0) {
		buf_ch(out, '\n');
		buf_str(out, c->bot_token);
		buf_ch(out, '\n');
		buf_str(out, c->channel);
	}
}

/* Published limit: one message a second per webhook. */
const struct integration_type integration_slack = {.name = "slack",
	.pace_ms = 1000,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = judge};
