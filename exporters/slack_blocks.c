/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_blocks - belfry's own message for Slack: a headline as the text (what a phone shows), and
 * Block Kit inside one attachment, which gives the colour bar.
 *
 * Made for who is woken: what and where first, then how bad and since when, then what to press;
 * labels that all alerts share stand once, small, at the end. A section whose text is nothing but
 * marks of graphs is taken out again when there is no graph (slack_set_body).
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/slack.h"

#define VALUE_MAX       400u /* bytes of one interpolated value */
#define DESCRIPTION_MAX 1500u
#define NOTE_MAX        600u
#define LABELS_MAX      1200u
#define MARKS_ROOM      700u /* what a sparkline and the offenders may take */
#define PIECE_MAX       ((size_t)64 << 10)

struct blocks {
	struct buf head, tail; /* block objects with commas between */
	struct buf text, tmp;
};

static void separate(struct buf *list)
{
	if (list->n > 0)
		buf_ch(list, ',');
}

static void text_object(struct jsonw *j, const char *type, struct str text)
{
	jsonw_object(j);
	jsonw_kv_c(j, "type", type);
	jsonw_kv_str(j, "text", text);
	jsonw_object_end(j);
}

/* A section of what stands in text, which is emptied. */
static void section(struct buf *list, struct buf *text)
{
	struct jsonw j;

	if (text->n == 0)
		return;
	separate(list);
	jsonw_init(&j, list);
	jsonw_object(&j);
	jsonw_kv_c(&j, "type", "section");
	jsonw_key(&j, "text");
	text_object(&j, "mrkdwn", slack_clip(buf_view(text), SLACK_SECTION_MAX));
	jsonw_object_end(&j);
	buf_reset(text);
}

static void context(struct buf *list, struct buf *text)
{
	struct jsonw j;

	if (text->n == 0)
		return;
	separate(list);
	jsonw_init(&j, list);
	jsonw_object(&j);
	jsonw_kv_c(&j, "type", "context");
	jsonw_key(&j, "elements");
	jsonw_array(&j);
	text_object(&j, "mrkdwn", slack_clip(buf_view(text), SLACK_FIELD_MAX));
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_reset(text);
}

static void button(struct jsonw *j, const char *text, struct str url, bool primary)
{
	if (url.n == 0 || url.n > SLACK_URL_MAX)
		return;
	jsonw_object(j);
	jsonw_kv_c(j, "type", "button");
	jsonw_key(j, "text");
	text_object(j, "plain_text", str_c(text));
	jsonw_kv_str(j, "url", url);
	if (primary)
		jsonw_kv_c(j, "style", "primary");
	jsonw_object_end(j);
}

static void actions(const struct message *m, struct blocks *s)
{
	struct str runbook = message_link(m, slack_lead(m), "runbook_url");
	struct str dashboard = message_link(m, slack_lead(m), "dashboard_url");
	size_t start = s->tail.n, empty;
	struct jsonw j;

	message_graph_url(m, slack_lead(m), &s->tmp);
	separate(&s->tail);
	jsonw_init(&j, &s->tail);
	jsonw_object(&j);
	jsonw_kv_c(&j, "type", "actions");
	jsonw_key(&j, "elements");
	jsonw_array(&j);
	empty = s->tail.n;
	button(&j, "Acknowledge", m->ack_url, true);
	button(&j, "Silence 1h", m->silence_url, false);
	button(&j, "Runbook", runbook, false);
	button(&j, "Graph", buf_view(&s->tmp), false);
	button(&j, "Dashboard", dashboard, false);
	buf_reset(&s->tmp);
	if (s->tail.n == empty) {
		s->tail.n = start; /* none: an empty list would be refused */
		return;
	}
	jsonw_array_end(&j);
	jsonw_object_end(&j);
}

static void common_labels(const struct message *m, struct buf *b)
{
	size_t start = b->n;

	for (size_t i = 0; i < m->common_labels.n; i++) {
		const struct label *l = &m->common_labels.v[i];

		if (str_eq(l->name, STR("alertname")))
			continue;
		if (b->n - start > LABELS_MAX) {
			buf_c(b, " …");
			return;
		}
		if (b->n > start)
			buf_c(b, " · ");
		slack_escape(b, l->name, SLACK_LITERAL, 60);
		buf_ch(b, '=');
		slack_escape(b, l->value, SLACK_LITERAL, 120);
	}
}

/* Small print: shared labels, the rule, why this message came now; links once there are no buttons.
 */
static void small_print(const struct message *m, struct blocks *s)
{
	const struct message_alert *al = &m->alerts[0];

	if (!m->firing) {
		slack_date(&s->text, al->starts_at_ms, "{date_short_pretty} {time}");
		buf_c(&s->text, " to ");
		slack_date(&s->text, al->ends_at_ms, "{time}");
		message_graph_url(m, al, &s->tmp);
		slack_link(&s->text, "Graph", buf_view(&s->tmp));
		buf_reset(&s->tmp);
		buf_ch(&s->text, '\n');
	}
	common_labels(m, &s->text);
	if (s->text.n > 0 && s->text.p[s->text.n - 1] != '\n')
		buf_ch(&s->text, '\n');
	if (al->group.n > 0) {
		buf_c(&s->text, "rule group ");
		slack_escape(&s->text, al->group, SLACK_LITERAL, 120);
	}
	if (m->reason != REASON_FIRST && m->reason != REASON_ALL_RESOLVED) {
		buf_c(&s->text, al->group.n > 0 ? " · " : "");
		buf_c(&s->text, message_reason_text(m->reason));
	}
	context(&s->tail, &s->text);
}

/* The rule's longer text: of one alert, or the same for all. */
static void description(const struct message *m, struct blocks *s)
{
	struct labels from = m->n == 1 ? m->alerts[0].annotations : m->common_annotations;
	struct str d = labels_get(from, STR("description"));

	if (!m->firing || d.n == 0 || labels_get(m->alerts[0].annotations, STR("summary")).n == 0)
		return;
	slack_escape(&s->text, d, SLACK_MRKDWN, DESCRIPTION_MAX);
	section(&s->tail, &s->text);
}

/* The course of the last hour and the worst places: known when it is sent. */
static void marks(const struct message *m, struct blocks *s)
{
	if (slack_lead(m)->expr.n == 0)
		return;
	buf_printf(&s->text, "%c1\n%c2", PAYLOAD_MARK, PAYLOAD_MARK);
	section(&s->head, &s->text);
}

/* The alerts, as many as fit: how many did. */
static size_t alert_list(const struct message *m, struct blocks *s)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS];
	size_t most = message_worst(m, v, ARRAY_LEN(v)), shown = 0;
	size_t room = SLACK_BLOCKS_MAX - MARKS_ROOM - MIN_OF(s->tail.n, (size_t)6000);

	for (; shown < most; shown++) {
		const struct message_alert *al = v[shown];
		size_t before = s->text.n;

		if (!m->firing && m->n > 1) {
			slack_over_line(m, al, &s->text, &s->tmp);
			if (s->text.n > SLACK_SECTION_MAX) {
				s->text.n = before;
				break;
			}
			continue;
		}
		if (m->n == 1)
			slack_only_text(m, &s->text, &s->tmp);
		else
			slack_alert_text(m, al, &s->text, &s->tmp);
		if (shown > 0 && s->head.n + s->text.n + s->text.n / 8 + 80 > room) {
			buf_reset(&s->text);
			break;
		}
		section(&s->head, &s->text);
		if (shown == 0)
			marks(m, s);
	}
	section(&s->head, &s->text);
	return shown;
}

static void more(const struct message *m, size_t shown, struct blocks *s)
{
	char words[40];

	if (shown >= m->n)
		return;
	if (shown < LIMIT_MESSAGE_ALERTS)
		chat_count_truncated("slack");
	(void)snprintf(words, sizeof words, "+%zu more", m->n - shown);
	slack_link(&s->text, words, m->page_url);
	if (s->text.n == 0)
		buf_c(&s->text, words);
	message_spread(m, &s->tmp);
	if (s->tmp.n > 0) {
		buf_c(&s->text, " · ");
		slack_escape_buf(&s->text, &s->tmp, SLACK_LITERAL, VALUE_MAX);
	}
	section(&s->head, &s->text);
}

static void attachment(
	const struct message *m, struct str headline, const struct blocks *s, struct buf *full)
{
	struct jsonw j;

	buf_printf(full, ",\"attachments\":[{\"color\":\"%s\",\"fallback\":", slack_colour(m));
	jsonw_init(&j, full);
	jsonw_str(&j, headline);
	buf_c(full, ",\"blocks\":[");
	buf_str(full, buf_view(&s->head));
	if (s->head.n > 0 && s->tail.n > 0)
		buf_ch(full, ',');
	buf_str(full, buf_view(&s->tail));
	buf_c(full, "]}]");
}

void slack_blocks_members(const struct message *m, const struct slack_config *c, struct buf *full)
{
	struct buf headline;
	struct blocks s;
	struct jsonw j;

	buf_init(&headline, PIECE_MAX);
	buf_init(&s.head, PIECE_MAX);
	buf_init(&s.tail, PIECE_MAX);
	buf_init(&s.text, PIECE_MAX);
	buf_init(&s.tmp, PIECE_MAX);
	description(m, &s);
	if (m->firing)
		actions(m, &s);
	small_print(m, &s);
	slack_escape(&s.text, m->note, SLACK_MRKDWN, NOTE_MAX);
	context(&s.head, &s.text);
	more(m, alert_list(m, &s), &s);
	slack_headline(m, c, &headline);
	buf_c(full, "\"text\":");
	jsonw_init(&j, full);
	jsonw_str(&j, slack_clip(buf_view(&headline), SLACK_HEADLINE_MAX));
	attachment(m, slack_clip(buf_view(&headline), SLACK_HEADLINE_MAX), &s, full);
	buf_fini(&s.tmp);
	buf_fini(&s.text);
	buf_fini(&s.tail);
	buf_fini(&s.head);
	buf_fini(&headline);
}
