/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_plain - the message without blocks, for a Slack that refused them, and what changed, for an
 * incident's thread.
 */
#include "base/limits.h"
#include "base/num.h"
#include "exporters/slack.h"

#define VALUE_MAX 400u
#define NOTE_MAX  600u
#define PIECE_MAX ((size_t)64 << 10)

void slack_long_text(const struct message *m, struct buf *out)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS], *al = slack_lead(m);
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
			slack_only_text(m, &one, &tmp);
		else
			slack_alert_text(m, v[shown], &one, &tmp);
		if (out->n + one.n > 2200 && shown > 0)
			break;
		buf_str(out, slack_clip(buf_view(&one), 1500));
		buf_ch(out, '\n');
	}
	if (shown < m->n)
		buf_printf(out, "+%zu more\n", m->n - shown);
	buf_reset(&one);
	message_graph_url(m, al, &tmp);
	slack_link(&one, "Acknowledge", m->firing ? m->ack_url : STR(""));
	slack_link(&one, "Silence 1h", m->firing ? m->silence_url : STR(""));
	slack_link(&one, "Runbook", message_link(m, al, "runbook_url"));
	slack_link(&one, "Graph", buf_view(&tmp));
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

	buf_printf(b, "%s %zu firing now. Newest:\n", slack_badge(true, slack_severity(m)),
		m->n_firing);
	for (unsigned i = 0; i < 3; i++) {
		const struct message_alert *al = newest(m, before_ms);

		if (al == NULL)
			break;
		slack_alert_text(m, al, b, tmp);
		buf_ch(b, '\n');
		before_ms = al->starts_at_ms;
	}
}

static void what_ended(const struct message *m, struct buf *b, struct buf *tmp)
{
	size_t told = 0;

	buf_c(b, slack_badge(false, STR("")));
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
			slack_over_line(m, &m->alerts[i], b, tmp);
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
		buf_printf(out, "%s still firing\n", slack_badge(true, slack_severity(m)));
		slack_alert_text(m, slack_lead(m), out, &tmp);
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
