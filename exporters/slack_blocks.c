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

#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/slack.h"

#define VALUE_MAX       400u /* bytes of one interpolated value */
#define DESCRIPTION_MAX 1500u
#define GIST_MAX        240u /* of what the headline says of an alert */
#define NOTE_MAX        600u
#define LABELS_MAX      1200u
#define MARKS_ROOM      700u /* what a sparkline and the offenders may take */
#define PIECE_MAX       ((size_t)64 << 10)

/* ---- words ---- */

static struct str severity(const struct message *m)
{
	return labels_get(m->alerts[0].labels, STR("severity"));
}

bool slack_is_critical(const struct message *m)
{
	struct str s = severity(m);

	return m->firing && (str_eq_nocase(s, STR("critical")) || str_eq_nocase(s, STR("page")));
}

const char *slack_colour(const struct message *m)
{
	struct str s = severity(m);

	if (!m->firing)
		return "#2E7D32";
	if (str_eq_nocase(s, STR("warning")))
		return "#F9A825";
	if (str_eq_nocase(s, STR("info")) || str_eq_nocase(s, STR("none")))
		return "#1976D2";
	return "#D32F2F";
}

/* Colour alone is not seen by everybody: the sign says the same. */
static const char *badge(bool firing, struct str s)
{
	if (!firing)
		return "\xe2\x9c\x85"; /* white heavy check mark */
	if (str_eq_nocase(s, STR("warning")))
		return "\xe2\x9a\xa0\xef\xb8\x8f"; /* warning sign */
	if (str_eq_nocase(s, STR("info")) || str_eq_nocase(s, STR("none")))
		return "\xe2\x84\xb9\xef\xb8\x8f"; /* information */
	return "\xf0\x9f\x94\xb4";                 /* red circle */
}

/* The alert that a headline, a graph and links are about. */
static const struct message_alert *lead(const struct message *m)
{
	const struct message_alert *al = &m->alerts[0];

	(void)message_worst(m, &al, 1);
	return al;
}

static void state_words(const struct message *m, struct buf *b)
{
	buf_c(b, m->firing ? "FIRING" : "RESOLVED");
	if (m->firing && m->n > 1) {
		buf_printf(b, m->n_resolved > 0 ? " (%zu firing, " : " (%zu", m->n_firing);
		if (m->n_resolved > 0)
			buf_printf(b, "%zu resolved", m->n_resolved);
		buf_ch(b, ')');
	} else if (m->n > 1) {
		buf_printf(b, " (%zu)", m->n);
	}
}

static int64_t longest_ms(const struct message *m)
{
	int64_t ms = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct message_alert *al = &m->alerts[i];
		int64_t end = al->firing ? m->now_ms : al->ends_at_ms;

		ms = MAX_OF(ms, end - al->starts_at_ms);
	}
	return ms;
}

/* How bad a single alert is, or what all of them have in common; on resolve, what it was. */
static void gist(const struct message *m, struct buf *tmp)
{
	if (m->firing) {
		message_summary(lead(m), tmp);
	} else if (m->n == 1) {
		message_values(m, &m->alerts[0], tmp);
	} else {
		buf_printf(tmp, "all %zu are over, the longest took ", m->n);
		message_duration(tmp, longest_ms(m));
	}
}

void slack_headline(const struct message *m, const struct slack_config *c, struct buf *out)
{
	struct buf tmp;

	buf_init(&tmp, PIECE_MAX);
	if (m->first && slack_is_critical(m) && c->mention.n > 0) {
		slack_mentions(out, c->mention);
		buf_ch(out, ' ');
	}
	buf_printf(out, "%s ", badge(m->firing, severity(m)));
	state_words(m, out);
	buf_ch(out, ' ');
	message_subject(m, &tmp);
	slack_escape_buf(out, &tmp, SLACK_PLAIN, 120);
	buf_c(out, ": ");
	gist(m, &tmp);
	slack_escape_buf(out, &tmp, SLACK_PLAIN, GIST_MAX);
	buf_fini(&tmp);
}

/* In the reader's own time zone. */
static void date(struct buf *b, int64_t ms, const char *form)
{
	struct civil c;

	civil_from_ms(ms, &c);
	buf_printf(b, "<!date^%lld^%s|%04lld-%02d-%02d %02d:%02d UTC>", (long long)(ms / 1000),
		form, (long long)c.year, c.month, c.day, c.hour, c.minute);
}

/* Bold where the text does not end it itself. */
static void bold(struct buf *b, struct buf *tmp, size_t max)
{
	bool plain = !str_has(buf_view(tmp), STR("*")) && !str_has(buf_view(tmp), STR("\n"));

	if (plain && tmp->n > 0)
		buf_ch(b, '*');
	slack_escape_buf(b, tmp, SLACK_MRKDWN, max);
	if (plain && b->n > 0 && b->p[b->n - 1] != '*')
		buf_ch(b, '*');
}

static void link(struct buf *b, const char *text, struct str url)
{
	if (url.n == 0 || url.n > SLACK_URL_MAX)
		return;
	if (b->n > 0 && b->p[b->n - 1] != '\n')
		buf_c(b, " · ");
	buf_ch(b, '<');
	for (size_t i = 0; i < url.n; i++) {
		if (url.p[i] == '&')
			buf_c(b, "&amp;");
		else if (url.p[i] == '|' || url.p[i] == '>' || url.p[i] == '<')
			buf_printf(b, "%%%02X", (unsigned char)url.p[i]);
		else
			buf_ch(b, url.p[i]);
	}
	buf_printf(b, "|%s>", text);
}

/* ---- one alert ---- */

static void values_text(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	message_values(m, al, tmp);
	slack_escape_buf(b, tmp, SLACK_MRKDWN, VALUE_MAX);
	buf_c(b, al->firing ? ", since " : ", from ");
	date(b, al->starts_at_ms, "{date_short_pretty} {time}");
}

/* One of several: what, how bad and since when, which of them. */
static void alert_text(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	if (m->n > 1)
		buf_printf(b, "%s ", badge(al->firing, labels_get(al->labels, STR("severity"))));
	message_summary(al, tmp);
	bold(b, tmp, VALUE_MAX);
	buf_ch(b, '\n');
	values_text(m, al, b, tmp);
	if (m->n == 1)
		return;
	message_own_labels(m, al, tmp);
	if (tmp->n > 0) {
		buf_c(b, " · ");
		slack_escape_buf(b, tmp, SLACK_LITERAL, VALUE_MAX);
	}
}

/* The only one: what the headline says is not said again. */
static void only_text(const struct message *m, struct buf *b, struct buf *tmp)
{
	const struct message_alert *al = &m->alerts[0];

	message_summary(al, tmp);
	if (al->firing && tmp->n <= GIST_MAX && !str_has(buf_view(tmp), STR("\n"))) {
		buf_reset(tmp);
		message_values(m, al, tmp);
		bold(b, tmp, VALUE_MAX);
		buf_c(b, ", since ");
		date(b, al->starts_at_ms, "{date_short_pretty} {time}");
		return;
	}
	slack_escape_buf(b, tmp, SLACK_MRKDWN, VALUE_MAX * 2);
	if (al->firing) {
		buf_ch(b, '\n');
		values_text(m, al, b, tmp);
	}
}

/* When a whole group is over: "• pool=orders: fired for 3m, worst 100 %, now 20 %". */
static void over_line(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	buf_c(b, "• ");
	message_own_labels(m, al, tmp);
	slack_escape_buf(b, tmp, SLACK_LITERAL, 200);
	if (b->n > 0 && b->p[b->n - 1] != ' ')
		buf_c(b, ": ");
	message_values(m, al, tmp);
	slack_escape_buf(b, tmp, SLACK_MRKDWN, 200);
	buf_ch(b, '\n');
}

/* ---- blocks ---- */

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
	struct str runbook = message_link(m, lead(m), "runbook_url");
	struct str dashboard = message_link(m, lead(m), "dashboard_url");
	size_t start = s->tail.n, empty;
	struct jsonw j;

	message_graph_url(m, lead(m), &s->tmp);
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
		date(&s->text, al->starts_at_ms, "{date_short_pretty} {time}");
		buf_c(&s->text, " to ");
		date(&s->text, al->ends_at_ms, "{time}");
		message_graph_url(m, al, &s->tmp);
		link(&s->text, "Graph", buf_view(&s->tmp));
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
	if (lead(m)->expr.n == 0)
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
			over_line(m, al, &s->text, &s->tmp);
			if (s->text.n > SLACK_SECTION_MAX) {
				s->text.n = before;
				break;
			}
			continue;
		}
		if (m->n == 1)
			only_text(m, &s->text, &s->tmp);
		else
			alert_text(m, al, &s->text, &s->tmp);
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
	link(&s->text, words, m->page_url);
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

/* ---- without blocks ---- */

void slack_long_text(const struct message *m, struct buf *out)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS], *al = lead(m);
	size_t most = message_worst(m, v, ARRAY_LEN(v)), shown = 0;
	struct buf tmp, one;

	buf_init(&tmp, PIECE_MAX);
	buf_init(&one, PIECE_MAX);
	if (m->note.n > 0) {
		slack_escape(out, m->note, SLACK_MRKDWN, NOTE_MAX);
		buf_ch(out, '\n');
	}
	for (; shown < most; shown++) {
		buf_reset(&one);
		if (m->n == 1)
			only_text(m, &one, &tmp);
		else
			alert_text(m, v[shown], &one, &tmp);
		if (out->n + one.n > 2200 && shown > 0)
			break;
		buf_str(out, slack_clip(buf_view(&one), 1500));
		buf_ch(out, '\n');
	}
	if (shown < m->n)
		buf_printf(out, "+%zu more\n", m->n - shown);
	buf_reset(&one);
	message_graph_url(m, al, &tmp);
	link(&one, "Acknowledge", m->firing ? m->ack_url : STR(""));
	link(&one, "Silence 1h", m->firing ? m->silence_url : STR(""));
	link(&one, "Runbook", message_link(m, al, "runbook_url"));
	link(&one, "Graph", buf_view(&tmp));
	if (out->n + one.n < SLACK_LONG_MAX - 200)
		buf_str(out, buf_view(&one));
	buf_fini(&one);
	buf_fini(&tmp);
}

/* ---- what changed, for the thread ---- */

static const struct message_alert *newest(const struct message *m, int64_t before_ms)
{
	const struct message_alert *found = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct message_alert *al = &m->alerts[i];

		if (al->firing && al->starts_at_ms < before_ms &&
			(found == NULL || al->starts_at_ms > found->starts_at_ms))
			found = al;
	}
	return found;
}

/* The alerts that began last, at most three, one for each moment. */
static void what_is_new(const struct message *m, struct buf *b, struct buf *tmp)
{
	int64_t before_ms = INT64_MAX;

	buf_printf(b, "%s %zu firing now. Newest:\n", badge(true, severity(m)), m->n_firing);
	for (unsigned i = 0; i < 3; i++) {
		const struct message_alert *al = newest(m, before_ms);

		if (al == NULL)
			break;
		alert_text(m, al, b, tmp);
		buf_ch(b, '\n');
		before_ms = al->starts_at_ms;
	}
}

static void what_ended(const struct message *m, struct buf *b, struct buf *tmp)
{
	size_t told = 0;

	buf_c(b, badge(false, STR("")));
	if (m->firing)
		buf_printf(b, " %zu resolved, %zu still firing\n", m->n_resolved, m->n_firing);
	else if (m->n > 1)
		buf_printf(b, " all %zu resolved\n", m->n);
	else
		buf_c(b, " resolved: ");
	for (size_t i = 0; i < m->n && told < 5; i++) {
		if (m->alerts[i].firing)
			continue;
		if (m->n > 1) {
			over_line(m, &m->alerts[i], b, tmp);
		} else {
			message_values(m, &m->alerts[i], tmp);
			slack_escape_buf(b, tmp, SLACK_MRKDWN, VALUE_MAX);
		}
		told++;
	}
	if (told < m->n_resolved)
		buf_printf(b, "+%zu more", m->n_resolved - told);
}

void slack_reply_text(const struct message *m, struct buf *out)
{
	struct buf tmp;

	buf_init(&tmp, PIECE_MAX);
	if (m->note.n > 0) {
		slack_escape(out, m->note, SLACK_MRKDWN, NOTE_MAX);
		buf_ch(out, '\n');
	}
	switch (m->reason) {
	case REASON_SOME_RESOLVED:
	case REASON_ALL_RESOLVED: what_ended(m, out, &tmp); break;
	case REASON_REPEAT:
		buf_printf(out, "%s still firing\n", badge(true, severity(m)));
		alert_text(m, lead(m), out, &tmp);
		if (m->n_firing > 1)
			buf_printf(out, "\n+%zu more", m->n_firing - 1);
		break;
	case REASON_FIRST:
	case REASON_NEW_ALERTS:
		if (m->firing)
			what_is_new(m, out, &tmp);
		else
			what_ended(m, out, &tmp);
		break;
	}
	buf_fini(&tmp);
}
