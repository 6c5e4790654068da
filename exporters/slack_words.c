/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_words - what a Slack message says of alerts, in mrkdwn: the headline (what a phone shows),
 * one alert of several, the only one. Nothing that a headline said is said again below it.
 */
#include "base/dur.h"
#include "base/num.h"
#include "exporters/slack.h"

#define VALUE_MAX 400u /* bytes of one interpolated value */
#define GIST_MAX  240u /* of what the headline says of an alert */
#define PIECE_MAX ((size_t)64 << 10)

struct str slack_severity(const struct message *m)
{
	return labels_get(m->alerts[0].labels, STR("severity"));
}

bool slack_is_critical(const struct message *m)
{
	struct str s = slack_severity(m);

	return m->firing && (str_eq_nocase(s, STR("critical")) || str_eq_nocase(s, STR("page")));
}

const char *slack_colour(const struct message *m)
{
	struct str s = slack_severity(m);

	if (!m->firing)
		return "#2E7D32";
	if (str_eq_nocase(s, STR("warning")))
		return "#F9A825";
	if (str_eq_nocase(s, STR("info")) || str_eq_nocase(s, STR("none")))
		return "#1976D2";
	return "#D32F2F";
}

/* Colour alone is not seen by everybody: the sign says the same. */
const char *slack_badge(bool firing, struct str s)
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
const struct message_alert *slack_lead(const struct message *m)
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
		message_summary(slack_lead(m), tmp);
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
	buf_printf(out, "%s ", slack_badge(m->firing, slack_severity(m)));
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
void slack_date(struct buf *b, int64_t ms, const char *form)
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

void slack_link(struct buf *b, const char *text, struct str url)
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
	slack_date(b, al->starts_at_ms, "{date_short_pretty} {time}");
}

/* One of several: what, how bad and since when, which of them. */
void slack_alert_text(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	if (m->n > 1)
		buf_printf(
			b, "%s ", slack_badge(al->firing, labels_get(al->labels, STR("severity"))));
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
void slack_only_text(const struct message *m, struct buf *b, struct buf *tmp)
{
	const struct message_alert *al = &m->alerts[0];

	message_summary(al, tmp);
	if (al->firing && tmp->n <= GIST_MAX && !str_has(buf_view(tmp), STR("\n"))) {
		buf_reset(tmp);
		message_values(m, al, tmp);
		bold(b, tmp, VALUE_MAX);
		buf_c(b, ", since ");
		slack_date(b, al->starts_at_ms, "{date_short_pretty} {time}");
		return;
	}
	slack_escape_buf(b, tmp, SLACK_MRKDWN, VALUE_MAX * 2);
	if (al->firing) {
		buf_ch(b, '\n');
		values_text(m, al, b, tmp);
	}
}

/* When a whole group is over: "• pool=orders: fired for 3m, worst 100 %, now 20 %". */
void slack_over_line(
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
