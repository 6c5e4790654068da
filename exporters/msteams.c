/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msteams - an adaptive card for a Teams workflow (reference notify.md C).
 *
 * A TextBlock's text is Markdown without a dependable escape; the runs of a RichTextBlock are taken
 * literally, so belfry's own card is made of those. Texts of the user's templates are TextBlocks,
 * as Alertmanager has them. Teams takes 28 kB and was seen to fail from 21 kB on.
 *
 * Payload: a line with the card, and one with a plain card for a workflow that refuses the first.
 */
#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"

#define CARD_MAX  18000u /* bytes of JSON */
#define TITLE_MAX 300u
#define TEXT_MAX  4000u
#define PLAIN_MAX 3000u

static const char *colour(const struct message *m)
{
	switch (chat_severity(m)) {
	case CHAT_RESOLVED: return "Good";
	case CHAT_INFO: return "Accent";
	case CHAT_WARNING: return "Warning";
	case CHAT_CRITICAL: break;
	}
	return "Attention";
}

/* ---- blocks ---- */

/* One paragraph of literal text; looks: further members of its run, NULL: none. */
static void paragraph(struct jsonw *j, struct str text, const char *looks, bool spaced)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", "RichTextBlock");
	if (!spaced)
		jsonw_kv_c(j, "spacing", "None");
	jsonw_key(j, "inlines");
	jsonw_array(j);
	jsonw_object(j);
	jsonw_kv_c(j, "type", "TextRun");
	jsonw_kv_str(j, "text", text);
	if (looks != NULL)
		jsonw_kv_c(j, looks[0] == 's' ? "size" : "weight",
			looks[0] == 's' ? "Small" : "Bolder");
	if (looks != NULL && looks[0] == 's')
		jsonw_kv_bool(j, "isSubtle", true);
	jsonw_object_end(j);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

static void paragraph_of(
	struct jsonw *j, struct buf *tmp, size_t max, const char *looks, bool spaced)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	chat_escape(&b, buf_view(tmp), CHAT_PLAIN, max);
	if (b.n > 0)
		paragraph(j, buf_view(&b), looks, spaced);
	buf_fini(&b);
	buf_reset(tmp);
}

static void title_block(struct jsonw *j, const struct message *m, struct str title)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", "RichTextBlock");
	jsonw_key(j, "inlines");
	jsonw_array(j);
	jsonw_object(j);
	jsonw_kv_c(j, "type", "TextRun");
	jsonw_kv_str(j, "text", title);
	jsonw_kv_c(j, "weight", "Bolder");
	jsonw_kv_c(j, "size", "Medium");
	jsonw_kv_c(j, "color", colour(m));
	jsonw_object_end(j);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

/* Markdown of the user's. */
static void text_block(struct jsonw *j, struct str text, const struct message *heading)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", "TextBlock");
	jsonw_kv_str(j, "text", text);
	jsonw_kv_bool(j, "wrap", true);
	if (heading != NULL) {
		jsonw_kv_c(j, "weight", "Bolder");
		jsonw_kv_c(j, "size", "Medium");
		jsonw_kv_c(j, "style", "heading");
		jsonw_kv_c(j, "color", colour(heading));
	}
	jsonw_object_end(j);
}

/* Marks stand in no paragraph of their own, which would be empty without a graph. */
static void values_and_graph(struct jsonw *j, struct buf *tmp)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	chat_escape(&b, buf_view(tmp), CHAT_PLAIN, 300);
	buf_printf(&b, "\n%c%c\n%c%c", GRAPH_MARK_BYTE, GRAPH_MARK_SPARK, GRAPH_MARK_BYTE,
		GRAPH_MARK_TOP);
	paragraph(j, buf_view(&b), NULL, false);
	buf_fini(&b);
	buf_reset(tmp);
}

static void alert(struct jsonw *j, const struct message *m, const struct message_alert *al,
	bool graph, struct buf *tmp)
{
	if (m->n > 1)
		buf_c(tmp, al->firing ? "\xf0\x9f\x94\xb4 " : "\xe2\x9c\x85 ");
	message_summary(al, tmp);
	paragraph_of(j, tmp, 400, "bold", true);
	message_values(m, al, tmp);
	if (graph)
		values_and_graph(j, tmp);
	else
		paragraph_of(j, tmp, 300, NULL, false);
	message_own_labels(m, al, tmp);
	paragraph_of(j, tmp, 400, NULL, false);
}

static void footer(struct jsonw *j, const struct message *m, struct buf *tmp)
{
	for (size_t i = 0; i < m->common_labels.n && tmp->n < 1000; i++) {
		const struct label *l = &m->common_labels.v[i];

		if (tmp->n > 0)
			buf_c(tmp, " · ");
		buf_str(tmp, str_sub(l->name, 0, 60));
		buf_ch(tmp, '=');
		buf_str(tmp, str_sub(l->value, 0, 200));
	}
	buf_printf(tmp, "%s%s", tmp->n > 0 ? " · " : "", message_reason_text(m->reason));
	paragraph_of(j, tmp, 800, "small", true);
}

static void own_blocks(struct jsonw *j, const struct message *m, struct buf *tmp)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS], *first = chat_lead(m);
	struct str d = labels_get(first->annotations, STR("description"));
	size_t most = message_worst(m, v, ARRAY_LEN(v)), start = j->b->n, shown = 0;

	if (m->note.n > 0) {
		buf_str(tmp, m->note);
		paragraph_of(j, tmp, 400, NULL, true);
	}
	for (; shown < most && j->b->n - start < CARD_MAX / 2; shown++)
		alert(j, m, v[shown], shown == 0, tmp);
	if (shown < m->n) {
		buf_printf(tmp, "+%zu more", m->n - shown);
		paragraph_of(j, tmp, 40, NULL, true);
	}
	message_spread(m, tmp);
	paragraph_of(j, tmp, 300, NULL, true);
	if (shown < most)
		chat_count_truncated("msteamsv2");
	if (first->firing && labels_get(first->annotations, STR("summary")).n > 0) {
		buf_str(tmp, str_sub(d, 0, 8000));
		paragraph_of(j, tmp, 1500, NULL, true);
	}
	footer(j, m, tmp);
}

static void actions(struct jsonw *j, const struct message *m, struct buf *tmp)
{
	struct chat_link v[CHAT_LINKS_MAX];
	size_t n = chat_links(m, 900, v, tmp);

	if (n == 0)
		return;
	jsonw_key(j, "actions");
	jsonw_array(j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(j);
		jsonw_kv_c(j, "type", "Action.OpenUrl");
		jsonw_kv_c(j, "title", v[i].text);
		jsonw_kv_str(j, "url", v[i].url);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* ---- the card ---- */

static void card_begin(struct jsonw *j)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", "message");
	jsonw_key(j, "attachments");
	jsonw_array(j);
	jsonw_object(j);
	jsonw_kv_c(j, "contentType", "application/vnd.microsoft.card.adaptive");
	jsonw_key(j, "contentUrl");
	jsonw_null(j);
	jsonw_key(j, "content");
	jsonw_object(j);
	jsonw_kv_c(j, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
	jsonw_kv_c(j, "type", "AdaptiveCard");
	jsonw_kv_c(j, "version", "1.2");
	jsonw_key(j, "msteams");
	jsonw_object(j);
	jsonw_kv_c(j, "width", "full");
	jsonw_object_end(j);
}

static void card_end(struct jsonw *j)
{
	jsonw_object_end(j);
	jsonw_object_end(j);
	jsonw_array_end(j);
	jsonw_object_end(j);
}

static void whole(struct chat_form *f, const struct msteamsv2_config *c, struct buf *out)
{
	const struct message *m = f->m;
	struct str title = chat_template(m, c->title, "msteamsv2.default.title");
	struct str text = chat_template(m, c->text, "msteamsv2.default.text");
	struct buf b, tmp;
	struct jsonw j;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&tmp, (size_t)1 << 20);
	jsonw_init(&j, out);
	card_begin(&j);
	jsonw_key(&j, "body");
	jsonw_array(&j);
	if (chat_expand(f, title, "title", TITLE_MAX, &b)) {
		text_block(&j, buf_view(&b), m);
	} else {
		chat_title(m, &b);
		title_block(&j, m, buf_view(&b));
	}
	buf_reset(&b);
	if (chat_expand(f, text, "text", TEXT_MAX, &b))
		text_block(&j, buf_view(&b), NULL);
	else
		own_blocks(&j, m, &tmp);
	if (f->note.n > 0)
		paragraph_of(&j, &f->note, 500, "small", true);
	jsonw_array_end(&j);
	if (text.n == 0)
		actions(&j, m, &tmp);
	card_end(&j);
	buf_fini(&tmp);
	buf_fini(&b);
}

static void plain(const struct message *m, struct buf *out)
{
	struct buf b;
	struct jsonw j;

	buf_init(&b, (size_t)64 << 10);
	jsonw_init(&j, out);
	card_begin(&j);
	jsonw_key(&j, "body");
	jsonw_array(&j);
	chat_title(m, &b);
	title_block(&j, m, buf_view(&b));
	buf_reset(&b);
	(void)chat_body(m, CHAT_PLAIN, 0, PLAIN_MAX, &b);
	paragraph(&j, buf_view(&b), NULL, true);
	jsonw_array_end(&j);
	card_end(&j);
	buf_fini(&b);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	struct chat_form f = {.m = m};
	struct buf card;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&card, (size_t)1 << 20);
	whole(&f, in->conf, &card);
	if (!card.failed && card.n <= CARD_MAX) {
		buf_str(payload, buf_view(&card));
		buf_ch(payload, '\n');
	} else {
		chat_count_truncated("msteamsv2");
	}
	plain(m, payload);
	buf_fini(&card);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct msteamsv2_config *c = in->conf;
	struct send_request *req = chat_request(c->webhook_url, &c->http, 0, d, e);
	struct str line = chat_line(d->payload, d->degraded ? 1 : 0);

	if (req != NULL)
		chat_set_body(req, line.n > 0 ? line : chat_line(d->payload, 0), d);
	return req;
}

/* A workflow answers 202; some front ends 200, with an error of Teams in the text. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	struct str reply = str_n(req->reply != NULL ? req->reply : "", req->reply_len);

	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status == 400 || req->status == 413)
		return VERDICT_DEGRADE;
	if (req->status == 200 && str_has(reply, STR("HTTP error 429")))
		return VERDICT_RETRY;
	if (req->status == 200 && str_has(reply, STR("delivery failed")))
		return VERDICT_FINAL;
	return integration_judge_http(in, d, req, data);
}

static void place(const struct integration *in, struct buf *out)
{
	const struct msteamsv2_config *c = in->conf;

	buf_str(out, c->webhook_url);
}

/* Throttled from 4 requests a second on. */
const struct integration_type integration_msteamsv2 = {.name = "msteamsv2",
	.pace_ms = 300,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = judge};
