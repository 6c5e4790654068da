/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email_html - the HTML part: one column of tables with inline styles, as mail programs want it; no
 * remote images, no scripts, readable at 360 pixels, in dark and in light.
 *
 * The hidden line in front (preheader) is what an inbox shows beside the subject. Colours are set
 * for light and, in a style block, overridden for dark: programs that drop the block invert the
 * light ones themselves.
 */
#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/email.h"
#include "exporters/graph.h"

#define PIECE_MAX       ((size_t)64 << 10)
#define DESCRIPTION_MAX 1500u
#define FONT            "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
	"<meta name=\"color-scheme\" content=\"light dark\">"
	"<meta name=\"supported-color-schemes\" content=\"light dark\">\n"
	"<style>:root{color-scheme:light dark}\n"
	"@media (prefers-color-scheme:dark){.pg{background:#16181b!important}"
	".cd{background:#212428!important;border-color:#3a3f45!important}"
	".tx{color:#f0f1f3!important}.mu{color:#a9b0b8!important}"
	".ln{border-bottom-color:#3a3f45!important}"
	".bt{background:#2f353c!important;color:#f0f1f3!important;border-color:#59626c!important}"
	"}</style></head>\n";

/* Dark enough for white text in both schemes. */
static const char *colour(const struct message *m)
{
	struct str s = labels_get(m->alerts[0].labels, STR("severity"));

	if (!m->firing)
		return "#2e7d32";
	if (str_eq_nocase(s, STR("warning")))
		return "#a85d00";
	if (str_eq_nocase(s, STR("info")) || str_eq_nocase(s, STR("none")))
		return "#1565c0";
	return "#c62828";
}

static void piece(struct buf *b, struct buf *tmp, size_t max)
{
	html_escape_max(b, buf_view(tmp), max);
	buf_reset(tmp);
}

/* Newlines of a description are its author's. */
static void paragraphs(struct buf *b, struct str text)
{
	struct str line;
	bool first = true;

	while (str_split(&text, '\n', &line)) {
		if (!first)
			buf_c(b, "<br>");
		first = false;
		html_escape(b, line);
	}
}

static void preheader(const struct email_view *v, struct buf *b, struct buf *tmp)
{
	buf_c(b, "<div style=\"display:none;max-height:0;overflow:hidden;opacity:0\">");
	email_state_line(v->m, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, ": ");
	message_summary(v->worst[0], tmp);
	piece(b, tmp, 200);
	buf_c(b, ", ");
	message_values(v->m, v->worst[0], tmp);
	piece(b, tmp, 200);
	buf_c(b, "</div>\n");
}

static void banner(const struct message *m, struct buf *b, struct buf *tmp)
{
	buf_printf(b,
		"<tr><td style=\"padding:14px 16px;background:%s;color:#ffffff\">"
		"<div style=\"font-size:13px;font-weight:bold;letter-spacing:.4px;color:#ffffff\">",
		colour(m));
	email_state_line(m, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "</div><div style=\"font-size:19px;font-weight:bold;line-height:1.3;"
		 "padding-top:2px;color:#ffffff;word-break:break-word\">");
	message_subject(m, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "</div></td></tr>\n");
	if (m->note.n == 0)
		return;
	buf_c(b, "<tr><td class=\"mu ln\" style=\"padding:10px 16px;color:#5a6169;font-size:14px;"
		 "border-bottom:1px solid #e2e5e9\">");
	html_escape_max(b, m->note, EMAIL_VALUE_MAX * 2);
	buf_c(b, "</td></tr>\n");
}

static void cell_open(struct buf *b, const char *style)
{
	buf_printf(b,
		"<tr><td class=\"tx ln\" style=\"padding:12px 16px;color:#1c2024;word-break:"
		"break-word;border-bottom:1px solid #e2e5e9%s\">",
		style);
}

static void muted(struct buf *b, struct buf *tmp)
{
	if (tmp->n == 0)
		return;
	buf_c(b, "<div class=\"mu\" style=\"color:#5a6169;font-size:14px;padding-top:2px\">");
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "</div>");
}

static void times(const struct message_alert *al, struct buf *tmp)
{
	buf_c(tmp, al->firing ? "since " : "from ");
	email_time(tmp, al->starts_at_ms);
	if (!al->firing) {
		buf_c(tmp, " to ");
		email_time_after(tmp, al->starts_at_ms, al->ends_at_ms);
	}
}

static void one_alert(const struct email_view *v, size_t i, struct buf *b, struct buf *tmp)
{
	const struct message_alert *al = v->worst[i];
	const struct message *m = v->m;

	cell_open(b, m->n > 1 && !al->firing ? ";border-left:5px solid #2e7d32" : "");
	buf_c(b, "<div style=\"font-size:16px;font-weight:bold\">");
	if (m->firing && !al->firing)
		buf_c(b, "(resolved) ");
	message_summary(al, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "</div><div style=\"font-size:16px;padding-top:4px\">");
	message_values(m, al, tmp);
	piece(b, tmp, EMAIL_VALUE_MAX);
	buf_c(b, "</div>");
	message_own_labels(m, al, tmp);
	if (m->n > 1 || !al->firing) {
		buf_c(tmp, tmp->n > 0 ? ", " : "");
		times(al, tmp);
	}
	muted(b, tmp);
	if (i == 0 && al->expr.n > 0) /* the worst places, filled in when it is sent */
		buf_printf(b, "<div class=\"mu\" style=\"color:#5a6169;font-size:14px\">%c%c</div>",
			GRAPH_MARK_BYTE, GRAPH_MARK_TOP);
	buf_c(b, "</td></tr>\n");
}

/* The picture, put in when the message is sent. */
static void graph(const struct email_view *v, bool picture, struct buf *b)
{
	if (!picture || v->worst[0]->expr.n == 0)
		return;
	buf_printf(b,
		"%c%c<tr><td class=\"ln\" style=\"padding:12px 16px;border-bottom:1px "
		"solid "
		"#e2e5e9\"><img src=\"cid:" EMAIL_CID
		"\" width=\"568\" alt=\"graph of the last hour\" style=\"display:block;"
		"width:100%%;max-width:568px;height:auto;border:0\"></td></tr>%c%c\n",
		GRAPH_MARK_BYTE, GRAPH_MARK_IF, GRAPH_MARK_BYTE, GRAPH_MARK_END);
}

static void description(const struct message *m, struct buf *b, struct buf *tmp)
{
	struct labels from = m->n == 1 ? m->alerts[0].annotations : m->common_annotations;
	struct str d = labels_get(from, STR("description"));

	if (!m->firing || d.n == 0 || labels_get(m->alerts[0].annotations, STR("summary")).n == 0)
		return;
	mail_plain(tmp, d, DESCRIPTION_MAX);
	cell_open(b, ";font-size:15px");
	paragraphs(b, buf_view(tmp));
	buf_reset(tmp);
	buf_c(b, "</td></tr>\n");
}

static void button(struct buf *b, const char *text, struct str url)
{
	if (url.n == 0 || url.n > 2000)
		return;
	buf_c(b, "<a class=\"bt\" href=\"");
	html_escape(b, url);
	buf_printf(b,
		"\" style=\"display:inline-block;margin:4px 8px 4px 0;padding:10px 14px;"
		"border:1px solid #b9c0c8;border-radius:6px;background:#f3f5f7;color:#1c2024;"
		"font-size:15px;font-weight:bold;text-decoration:none\">%s</a>",
		text);
}

static void buttons(const struct email_view *v, struct buf *b, struct buf *tmp)
{
	const struct message_alert *al = v->worst[0];
	const struct message *m = v->m;
	size_t start = b->n, empty;

	cell_open(b, "");
	empty = b->n;
	if (m->firing) {
		button(b, "Acknowledge", m->ack_url);
		button(b, "Silence 1h", m->silence_url);
	}
	button(b, "Runbook", message_link(m, al, "runbook_url"));
	message_graph_url(m, al, tmp);
	button(b, "Graph", buf_view(tmp));
	buf_reset(tmp);
	button(b, "Dashboard", message_link(m, al, "dashboard_url"));
	if (b->n == empty) {
		b->n = start;
		return;
	}
	buf_c(b, "</td></tr>\n");
}

static void label_rows(const struct message *m, struct buf *b)
{
	size_t start = b->n;

	for (size_t i = 0; i < m->common_labels.n && b->n - start < 4000; i++) {
		const struct label *l = &m->common_labels.v[i];

		if (str_eq(l->name, STR("alertname")))
			continue;
		buf_c(b, b->n > start ? " &middot; " : "");
		html_escape_max(b, l->name, 60);
		buf_ch(b, '=');
		html_escape_max(b, l->value, 160);
	}
	if (b->n > start)
		buf_c(b, "<br>");
}

static void small_print(const struct message *m, struct buf *b)
{
	buf_c(b, "<tr><td class=\"mu\" style=\"padding:12px 16px;color:#5a6169;font-size:13px;"
		 "word-break:break-word\">");
	label_rows(m, b);
	if (m->alerts[0].group.n > 0) {
		buf_c(b, "rule group ");
		html_escape_max(b, m->alerts[0].group, 160);
	}
	if (m->reason != REASON_FIRST && m->reason != REASON_ALL_RESOLVED)
		buf_printf(b, " &middot; sent because: %s", message_reason_text(m->reason));
	if (m->page_url.n > 0) {
		buf_c(b, "<br><a class=\"mu\" style=\"color:#5a6169\" href=\"");
		html_escape(b, m->page_url);
		buf_c(b, "\">this alert in belfry</a>");
	}
	buf_c(b, "</td></tr>\n");
}

void email_html_part(const struct email_view *v, bool picture, struct buf *b)
{
	const struct message *m = v->m;
	size_t shown = 0;
	struct buf tmp;

	buf_init(&tmp, PIECE_MAX);
	buf_c(b, head);
	buf_c(b, "<body class=\"pg\" style=\"margin:0;padding:0;background:#eef0f3\">\n");
	preheader(v, b, &tmp);
	buf_printf(b,
		"<table role=\"presentation\" class=\"pg\" width=\"100%%\" cellpadding=\"0\" "
		"cellspacing=\"0\" style=\"background:#eef0f3\"><tr><td align=\"center\" "
		"style=\"padding:8px\">\n"
		"<table role=\"presentation\" class=\"cd\" width=\"600\" cellpadding=\"0\" "
		"cellspacing=\"0\" style=\"width:100%%;max-width:600px;background:#ffffff;"
		"border:1px solid #d5d9de;text-align:left;line-height:1.45;font-family:%s\">\n",
		FONT);
	banner(m, b, &tmp);
	for (; shown < v->n && b->n < EMAIL_HTML_MAX - 12000; shown++) {
		one_alert(v, shown, b, &tmp);
		if (shown == 0)
			graph(v, picture, b);
	}
	if (shown < v->n)
		chat_count_truncated("email");
	if (shown < m->n) {
		cell_open(b, "");
		buf_printf(b, "+%zu more", m->n - shown);
		buf_str(&tmp, v->spread);
		muted(b, &tmp);
		buf_c(b, "</td></tr>\n");
	}
	description(m, b, &tmp);
	buttons(v, b, &tmp);
	small_print(m, b);
	buf_c(b, "</table></td></tr></table></body></html>\n");
	buf_fini(&tmp);
}
