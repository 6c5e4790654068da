/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email_text - the text part: complete by itself, for pagers, watches and people who read mail as
 * text. The state comes first, since that is what a lock screen shows of it.
 */
#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/email.h"
#include "exporters/graph.h"

#define PIECE_MAX       ((size_t)64 << 10)
#define DESCRIPTION_MAX 1500u

bool email_is_critical(const struct message *m)
{
	struct str s = labels_get(m->alerts[0].labels, STR("severity"));

	return m->firing && (str_eq_nocase(s, STR("critical")) || str_eq_nocase(s, STR("page")));
}

void email_time(struct buf *b, int64_t ms)
{
	struct civil c;

	civil_from_ms(ms, &c);
	buf_printf(b, "%04lld-%02d-%02d %02d:%02d UTC", (long long)c.year, c.month, c.day, c.hour,
		c.minute);
}

void email_time_after(struct buf *b, int64_t before_ms, int64_t ms)
{
	struct civil c, day;

	civil_from_ms(before_ms, &day);
	civil_from_ms(ms, &c);
	if (c.year == day.year && c.month == day.month && c.day == day.day)
		buf_printf(b, "%02d:%02d UTC", c.hour, c.minute);
	else
		email_time(b, ms);
}

void email_state_line(const struct message *m, struct buf *b)
{
	int64_t at = m->firing ? INT64_MAX : 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct message_alert *al = &m->alerts[i];

		if (m->firing && al->firing)
			at = MIN_OF(at, al->starts_at_ms);
		else if (!m->firing)
			at = MAX_OF(at, al->ends_at_ms);
	}
	buf_c(b, m->firing ? "FIRING" : "RESOLVED");
	if (m->n > 1 && m->n_resolved > 0 && m->firing)
		buf_printf(b, " (%zu firing, %zu resolved)", m->n_firing, m->n_resolved);
	else if (m->n > 1)
		buf_printf(b, " (%zu)", m->n);
	buf_c(b, m->firing ? " since " : " at ");
	email_time(b, at);
}

static void piece(struct buf *b, struct buf *tmp, size_t max)
{
	mail_plain(b, buf_view(tmp), max);
	buf_reset(tmp);
}

static void indented(struct buf *b, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		buf_c(b, "\n  ");
		buf_str(b, line);
	}
}

static void description(const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	struct str d = labels_get(al->annotations, STR("description"));

	if (!al->firing || d.n == 0 || labels_get(al->annotations, STR("summary")).n == 0)
		return;
	mail_plain(tmp, d, DESCRIPTION_MAX);
	indented(b, buf_view(tmp));
	buf_reset(tmp);
}

static void one_alert(const struct message *m, const struct message_alert *al, bool first,
	struct buf *b, struct buf *tmp)
{
	struct str common = labels_get(m->common_annotations, STR("description"));

	buf_c(b, al->firing ? "\n* " : "\n* (resolved) ");
	message_summary(al, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "\n  ");
	message_values(m, al, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	if (m->n > 1 || !al->firing) {
		buf_c(b, al->firing ? "\n  since " : "\n  from ");
		email_time(b, al->starts_at_ms);
	}
	if (!al->firing) {
		buf_c(b, " to ");
		email_time_after(b, al->starts_at_ms, al->ends_at_ms);
	}
	message_own_labels(m, al, tmp);
	if (tmp->n > 0) {
		buf_c(b, "\n  ");
		piece(b, tmp, EMAIL_VALUE_MAX);
	}
	if (first && al->expr.n > 0)
		buf_printf(b, "\n%c%c\n%c%c", GRAPH_MARK_BYTE, GRAPH_MARK_SPARK, GRAPH_MARK_BYTE,
			GRAPH_MARK_TOP);
	if (first || common.n == 0)
		description(al, b, tmp);
	buf_ch(b, '\n');
}

static void link(struct buf *b, const char *name, struct str url)
{
	if (url.n == 0)
		return;
	buf_printf(b, "%-13s", name);
	buf_str(b, url);
	buf_ch(b, '\n');
}

static void links(const struct email_view *v, struct buf *b, struct buf *tmp)
{
	const struct message_alert *al = v->worst[0];
	const struct message *m = v->m;

	buf_ch(b, '\n');
	if (m->firing) {
		link(b, "Acknowledge:", m->ack_url);
		link(b, "Silence 1h:", m->silence_url);
	}
	link(b, "Runbook:", message_link(m, al, "runbook_url"));
	message_graph_url(m, al, tmp);
	link(b, "Graph:", buf_view(tmp));
	buf_reset(tmp);
	link(b, "Dashboard:", message_link(m, al, "dashboard_url"));
	link(b, "This alert:", m->page_url);
}

void email_text_part(const struct email_view *v, struct buf *b)
{
	const struct message *m = v->m;
	size_t shown = 0;
	struct buf tmp;

	buf_init(&tmp, PIECE_MAX);
	email_state_line(m, b);
	buf_ch(b, '\n');
	message_subject(m, &tmp);
	piece(b, &tmp, EMAIL_VALUE_MAX);
	buf_ch(b, '\n');
	if (m->note.n > 0) {
		mail_plain(b, m->note, EMAIL_VALUE_MAX * 2);
		buf_ch(b, '\n');
	}
	for (; shown < v->n && b->n < EMAIL_TEXT_MAX; shown++)
		one_alert(m, v->worst[shown], shown == 0, b, &tmp);
	if (shown < m->n)
		buf_printf(b, "\n+%zu more\n", m->n - shown);
	if (v->spread.n > 0) {
		mail_plain(b, v->spread, EMAIL_VALUE_MAX);
		buf_ch(b, '\n');
	}
	links(v, b, &tmp);
	buf_c(b, "\nLabels: ");
	labels_print(&tmp, m->common_labels, false);
	piece(b, &tmp, 2000);
	if (m->alerts[0].group.n > 0) {
		buf_c(b, "\nRule group: ");
		mail_plain(b, m->alerts[0].group, EMAIL_VALUE_MAX);
	}
	if (m->reason != REASON_FIRST && m->reason != REASON_ALL_RESOLVED)
		buf_printf(b, "\nSent because: %s", message_reason_text(m->reason));
	buf_ch(b, '\n');
	buf_fini(&tmp);
}
