/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email - a whole RFC 5322 message: multipart/alternative, plain text first and complete, HTML
 * last.
 *
 * Threads hold in Gmail and elsewhere: the subject is the same for all messages of an incident
 * (only "Re: " comes in front of later ones), and each refers to the incident's root id, which the
 * first one carries as its Message-ID (reference notify.md B1). The state stands in the body's
 * first line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/integration.h"
#include "exporters/mail_text.h"
#include "exporters/message.h"

static void add_time(struct buf *b, int64_t ms)
{
	struct civil c;

	civil_from_ms(ms, &c);
	buf_printf(b, "%04lld-%02d-%02d %02d:%02d:%02d UTC", (long long)c.year, c.month, c.day,
		c.hour, c.minute, c.second);
}

static void state_line(const struct message *m, struct buf *b)
{
	buf_c(b, m->firing ? "FIRING" : "RESOLVED");
	if (m->n > 1)
		buf_printf(b, " (%zu firing, %zu resolved)", m->n_firing, m->n_resolved);
	buf_c(b, m->firing ? " since " : " at ");
	add_time(b, m->firing ? m->alerts[0].starts_at_ms : m->alerts[0].ends_at_ms);
}

static void indented(struct buf *b, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		buf_c(b, "\n  ");
		buf_str(b, line);
	}
}

static void text_alert(const struct message *m, const struct message_alert *al, struct buf *b)
{
	struct str description = labels_get(al->annotations, STR("description"));
	struct str runbook = message_link(m, al, "runbook_url");

	buf_c(b, al->firing ? "\n* " : "\n* (resolved) ");
	message_summary(al, b);
	buf_c(b, "\n  ");
	message_values(m, al, b);
	buf_c(b, "\n  since ");
	add_time(b, al->starts_at_ms);
	if (m->n > 1) {
		buf_c(b, "\n  ");
		message_own_labels(m, al, b);
	}
	if (al->firing && description.n > 0 && labels_get(al->annotations, STR("summary")).n > 0) {
		indented(b, str_sub(description, 0, 2000));
	}
	if (runbook.n > 0) {
		buf_c(b, "\n  Runbook: ");
		buf_str(b, runbook);
	}
	buf_ch(b, '\n');
}

static void text_part(const struct message *m, struct buf *b)
{
	size_t shown = MIN_OF(m->n, (size_t)LIMIT_MESSAGE_ALERTS);

	state_line(m, b);
	buf_ch(b, '\n');
	if (m->note.n > 0) {
		buf_str(b, m->note);
		buf_ch(b, '\n');
	}
	for (size_t i = 0; i < shown; i++)
		text_alert(m, &m->alerts[i], b);
	if (shown < m->n)
		buf_printf(b, "\n+%zu more\n", m->n - shown);
	buf_c(b, "\nLabels: ");
	labels_print(b, m->common_labels, false);
	if (m->external_url.n > 0) {
		buf_c(b, "\nGraph: ");
		message_graph_url(m, &m->alerts[0], b);
	}
	buf_c(b, "\nRule group: ");
	buf_str(b, m->alerts[0].group);
	buf_printf(b, " (%s)\n", message_reason_text(m->reason));
}

static void html_link(struct buf *b, const char *text, struct str url)
{
	if (url.n == 0)
		return;
	buf_c(b, " <a href=\"");
	html_escape(b, url);
	buf_printf(b, "\" style=\"color:#1565c0\">%s</a>", text);
}

static void html_piece(struct buf *b, struct buf *tmp)
{
	html_escape(b, buf_view(tmp));
	buf_reset(tmp);
}

static void html_alert(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp)
{
	struct str description = labels_get(al->annotations, STR("description"));

	buf_printf(b,
		"<tr><td style=\"padding:10px 14px;border-left:5px solid %s;border-bottom:1px "
		"solid #ddd\">"
		"<div style=\"font-weight:bold\">",
		al->firing ? "#d32f2f" : "#2e7d32");
	if (!al->firing)
		buf_c(b, "(resolved) ");
	message_summary(al, tmp);
	html_piece(b, tmp);
	buf_c(b, "</div><div>");
	message_values(m, al, tmp);
	html_piece(b, tmp);
	buf_c(b, "</div><div style=\"color:#666\">since ");
	add_time(b, al->starts_at_ms);
	if (m->n > 1) {
		buf_c(b, " &middot; ");
		message_own_labels(m, al, tmp);
		html_piece(b, tmp);
	}
	buf_c(b, "</div>");
	if (al->firing && description.n > 0 && labels_get(al->annotations, STR("summary")).n > 0) {
		buf_c(b, "<div style=\"margin-top:6px\">");
		html_escape(b, str_sub(description, 0, 2000));
		buf_c(b, "</div>");
	}
	buf_c(b, "<div style=\"margin-top:6px\">");
	html_link(b, "Runbook", message_link(m, al, "runbook_url"));
	message_graph_url(m, al, tmp);
	html_link(b, "Graph", buf_view(tmp));
	buf_reset(tmp);
	html_link(b, "Dashboard", message_link(m, al, "dashboard_url"));
	buf_c(b, "</div></td></tr>\n");
}

static void html_part(const struct message *m, struct buf *b)
{
	size_t shown = MIN_OF(m->n, (size_t)LIMIT_MESSAGE_ALERTS);
	struct buf tmp;

	buf_init(&tmp, (size_t)64 << 10);
	buf_c(b,
		"<!DOCTYPE html><html><body style=\"margin:0;font:15px/1.4 sans-serif;color:#222\">"
		"<table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" "
		"style=\"max-width:600px;width:100%\">");
	buf_printf(b,
		"<tr><td style=\"padding:12px 14px;background:%s;color:#fff;font-size:17px\"><b>",
		m->firing ? "#d32f2f" : "#2e7d32");
	state_line(m, &tmp);
	html_piece(b, &tmp);
	buf_c(b, "</b><br>");
	message_subject(m, &tmp);
	html_piece(b, &tmp);
	if (m->note.n > 0) {
		buf_c(b, "<br>");
		html_escape(b, m->note);
	}
	buf_c(b, "</td></tr>\n");
	for (size_t i = 0; i < shown; i++)
		html_alert(m, &m->alerts[i], b, &tmp);
	if (shown < m->n)
		buf_printf(b, "<tr><td style=\"padding:10px 14px\">+%zu more</td></tr>\n",
			m->n - shown);
	buf_c(b, "<tr><td style=\"padding:10px 14px;color:#666;font-size:13px\">");
	labels_print(&tmp, m->common_labels, false);
	html_piece(b, &tmp);
	buf_c(b, "<br>rule group ");
	html_escape(b, m->alerts[0].group);
	buf_printf(b, " &middot; %s</td></tr></table></body></html>\n",
		message_reason_text(m->reason));
	buf_fini(&tmp);
}

/* The part of the From address behind '@', for message ids. */
static struct str id_host(const struct email_config *c)
{
	struct str addr;
	size_t at;

	if (!mail_address(c->from, &addr))
		return STR("belfry.invalid");
	at = str_find(addr, '@');
	return str_sub(addr, at + 1, addr.n);
}

static void headers(const struct message *m, const struct email_config *c, struct buf *b)
{
	struct str host = id_host(c);
	struct buf tmp;

	buf_init(&tmp, (size_t)64 << 10);
	mail_header(b, "From", c->from);
	mail_header(b, "To", c->to);
	if (!m->first)
		buf_c(&tmp, "Re: ");
	buf_c(&tmp, "[belfry] ");
	message_subject(m, &tmp);
	mail_header(b, "Subject", str_sub(buf_view(&tmp), 0, 400));
	buf_reset(&tmp);
	mail_date(&tmp, m->now_ms);
	mail_header(b, "Date", buf_view(&tmp));
	/* ids are short and plain by construction: written unfolded, so that every reader finds
	 * them whole */
	buf_printf(b, "Message-ID: <" STR_FMT "@" STR_FMT ">\r\n",
		STR_ARG(m->first ? m->thread : m->id), STR_ARG(host));
	if (!m->first)
		buf_printf(b,
			"In-Reply-To: <" STR_FMT "@" STR_FMT ">\r\nReferences: <" STR_FMT
			"@" STR_FMT ">\r\n",
			STR_ARG(m->thread), STR_ARG(host), STR_ARG(m->thread), STR_ARG(host));
	buf_c(b, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
	buf_printf(b, "X-Belfry-Id: " STR_FMT "\r\n", STR_ARG(m->id));
	if (m->firing &&
		str_eq_nocase(labels_get(m->common_labels, STR("severity")), STR("critical")))
		buf_c(b, "X-Priority: 1\r\nImportance: high\r\n");
	for (size_t i = 0; i < c->n_headers; i++) {
		char name[64];

		if (c->headers[i].name.n >= sizeof name ||
			!label_name_is_legacy(c->headers[i].name))
			continue; /* refused by the configuration check already */
		memcpy(name, c->headers[i].name.p, c->headers[i].name.n);
		name[c->headers[i].name.n] = '\0';
		mail_header(b, name, c->headers[i].value);
	}
	buf_c(b, "MIME-Version: 1.0\r\n");
	buf_fini(&tmp);
}

static void part(struct buf *b, const char *boundary, const char *type, const struct buf *text)
{
	buf_printf(b,
		"--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: "
		"quoted-printable\r\n\r\n",
		boundary, type);
	mail_quoted_printable(b, buf_view(text));
	buf_c(b, "\r\n");
}

int email_render(
	const struct message *m, const struct email_config *c, struct buf *out, struct err *e)
{
	char boundary[64];
	struct buf text;

	/* quoted-printable never produces "=_", so the border cannot stand in a part */
	(void)snprintf(boundary, sizeof boundary, "=_belfry_" STR_FMT,
		(int)MIN_OF(m->id.n, (size_t)40), m->id.p);
	buf_init(&text, (size_t)1 << 20);
	headers(m, c, out);
	buf_printf(out, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", boundary);
	text_part(m, &text);
	part(out, boundary, "text/plain", &text);
	buf_reset(&text);
	html_part(m, &text);
	part(out, boundary, "text/html", &text);
	buf_printf(out, "--%s--\r\n", boundary);
	if (text.failed || out->failed) {
		buf_fini(&text);
		return err_set(e, ERR_LIMIT, 0, "message too large");
	}
	buf_fini(&text);
	return 0;
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	return email_render(m, in->conf, payload, e);
}

static char *dup_or_null(struct str s)
{
	char *c = s.n > 0 ? str_dup_c(s) : NULL;

	ASSERT(s.n == 0 || c != NULL);
	return c;
}

static void recipients(struct send_request *req, struct str to)
{
	struct str rest = to, one, rcpt;
	size_t n = 1;

	for (size_t i = 0; i < to.n; i++)
		n += to.p[i] == ',';
	req->rcpt = calloc(n, sizeof *req->rcpt);
	ASSERT(req->rcpt != NULL);
	while (str_split(&rest, ',', &one)) {
		if (mail_address(one, &rcpt) && req->n_rcpt < n)
			req->rcpt[req->n_rcpt++] = dup_or_null(rcpt);
	}
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct email_config *c = in->conf;
	struct send_request *req = send_request_new(SEND_SMTP);
	struct str from;
	struct buf url;

	(void)e;
	buf_init(&url, 2048);
	buf_c(&url, str_ends(c->smarthost, STR(":465")) ? "smtps://" : "smtp://");
	buf_str(&url, c->smarthost);
	if (c->hello.n > 0) {
		buf_ch(&url, '/');
		buf_str(&url, c->hello);
	}
	req->url = dup_or_null(buf_view(&url));
	buf_fini(&url);
	if (!mail_address(c->from, &from))
		from = c->from;
	req->mail_from = dup_or_null(from);
	recipients(req, c->to);
	req->user = dup_or_null(c->auth_username);
	req->password = dup_or_null(c->auth_password);
	req->require_tls = c->require_tls;
	req->insecure_skip_verify = c->insecure_skip_verify;
	req->ca_file = dup_or_null(c->ca_file);
	req->server_name = dup_or_null(c->server_name);
	integration_body(req, d->payload);
	return req;
}

/* SMTP classes (RFC 5321 4.2.1): 2 taken, 4 later, 5 never; no answer at all: later. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	(void)in;
	(void)d;
	(void)data;
	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status >= 200 && req->status < 300)
		return VERDICT_OK;
	return req->status >= 500 ? VERDICT_FINAL : VERDICT_RETRY;
}

const struct integration_type integration_email = {
	.name = "email", .parallel = 4, .render = render, .request = request, .judge = judge};
