/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email_message - headers and parts of a mail.
 *
 * Conversations hold in Gmail and elsewhere: each message refers to the incident's root id, which
 * the first one carries as its Message-ID, and the subject is the same but for "Re: " (reference
 * notify.md B1): state and counts stand in the body's first line, not there.
 */
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "exporters/email.h"
#include "exporters/notify_template.h"

#define PIECE_MAX   ((size_t)1 << 20)
#define SUBJECT_MAX 200u

struct writer {
	const struct message *m;
	const struct email_config *c;
	struct buf *head;
	struct buf tmp, note; /* note: templates that failed, a line each */
	struct email_view view;
	struct str host; /* for ids: the part of the sender's address behind '@' */
};

static bool given(const struct email_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_headers; i++) {
		if (str_eq_nocase(c->headers[i].name, str_c(name)))
			return true;
	}
	return false;
}

static struct str configured(const struct email_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_headers; i++) {
		if (str_eq_nocase(c->headers[i].name, str_c(name)))
			return c->headers[i].value;
	}
	return STR("");
}

/* A template's text in w->tmp; its own when it fails. */
static struct str expanded(struct writer *w, struct str text, const char *what)
{
	buf_reset(&w->tmp);
	if (str_has(text, STR("{{")) &&
		notify_template_render(w->m->templates, text, what, w->m, false, &w->tmp, &w->note))
		return buf_view(&w->tmp);
	buf_reset(&w->tmp);
	buf_str(&w->tmp, text);
	return buf_view(&w->tmp);
}

/* ---- envelope ---- */

static void bare_addresses(struct str list, struct buf *out)
{
	struct mail_who who;
	bool bad = false;
	size_t n = 0;

	while (n < EMAIL_RCPT_MAX && mail_next_address(&list, &who, &bad)) {
		if (n++ > 0)
			buf_ch(out, ',');
		buf_str(out, who.addr);
	}
}

/* Header and envelope agree unless the configuration has a header of its own. */
static void addresses(struct writer *w, struct buf *v)
{
	const struct {
		const char *name;
		struct str value;
		enum email_piece piece;
	} both[] = {{"From", w->c->from, EMAIL_FROM}, {"To", w->c->to, EMAIL_TO}};

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct str list = expanded(w, both[i].value, both[i].name);

		bare_addresses(list, &v[both[i].piece]);
		if (given(w->c, both[i].name))
			list = expanded(w, configured(w->c, both[i].name), both[i].name);
		mail_header_addresses(w->head, both[i].name, list);
	}
	w->host = buf_view(&v[EMAIL_FROM]);
	w->host = str_sub(w->host, str_find(w->host, '@') + 1, w->host.n);
	w->host = str_sub(w->host, 0, str_find(w->host, ','));
	if (w->host.n == 0)
		w->host = STR("belfry.invalid");
}

/* ---- headers ---- */

static void subject(struct writer *w, struct buf *out)
{
	struct str t = notify_template_field(
		w->m->templates, configured(w->c, "Subject"), "email.default.subject");
	struct buf clean, whole;

	buf_init(&clean, PIECE_MAX);
	buf_init(&whole, PIECE_MAX);
	buf_reset(&w->tmp);
	if (t.n == 0 || !notify_template_render(
				w->m->templates, t, "Subject", w->m, false, &w->tmp, &w->note)) {
		buf_reset(&w->tmp);
		buf_c(&w->tmp, "[belfry] ");
		if (!w->c->threading)
			buf_c(&w->tmp, w->m->firing ? "FIRING " : "RESOLVED ");
		message_subject(w->m, &w->tmp);
	}
	mail_plain(&clean, buf_view(&w->tmp), SUBJECT_MAX);
	for (size_t i = 0; i < clean.n; i++) {
		if (clean.p[i] == '\n')
			clean.p[i] = ' ';
	}
	mail_header(&whole, "Subject", buf_view(&clean));
	/* without the name and the CRLF: another name or "Re: " may come in front of it */
	buf_str(out, str_sub(buf_view(&whole), 9, whole.n - 2));
	buf_fini(&whole);
	buf_fini(&clean);
}

/* The incident's root, or the day's. Ids are short and plain by construction: written unfolded, so
 * that every reader finds them whole. */
static void root_id(const struct writer *w, struct buf *b)
{
	struct civil day;

	buf_ch(b, '<');
	buf_str(b, w->m->thread);
	if (w->c->thread_by == MAIL_THREAD_DAY) {
		civil_from_ms(w->m->now_ms, &day);
		buf_printf(b, "-%04lld-%02d-%02d", (long long)day.year, day.month, day.day);
	}
	buf_ch(b, '@');
	buf_str(b, w->host);
	buf_ch(b, '>');
}

static bool is_root(const struct writer *w)
{
	return w->c->threading && w->m->first && w->c->thread_by == MAIL_THREAD_INCIDENT;
}

static void ids(struct writer *w)
{
	struct buf *b = w->head;

	buf_c(b, "Date: ");
	mail_date(b, w->m->now_ms);
	buf_c(b, "\r\nMessage-ID: ");
	if (is_root(w)) {
		root_id(w, b);
	} else {
		buf_ch(b, '<');
		buf_str(b, w->m->id);
		buf_ch(b, '@');
		buf_str(b, w->host);
		buf_ch(b, '>');
	}
	buf_c(b, "\r\n");
	if (!w->c->threading || is_root(w))
		return;
	buf_c(b, "In-Reply-To: ");
	root_id(w, b);
	buf_c(b, "\r\nReferences: ");
	root_id(w, b);
	buf_c(b, "\r\n");
}

static void optional(struct writer *w, const char *name, const char *value)
{
	if (!given(w->c, name))
		mail_header(w->head, name, str_c(value));
}

/* A receiver's messages as a list: programs sort by it, and offer where to end it. */
static void list_headers(struct writer *w)
{
	struct buf *b = w->head;

	if (!given(w->c, "List-Id")) {
		buf_c(b, "List-Id: <");
		for (size_t i = 0; i < MIN_OF(w->m->receiver.n, (size_t)60); i++) {
			char c = w->m->receiver.p[i];
			bool atom = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				    (c >= 'A' && c <= 'Z') || c == '-' || c == '_';

			buf_ch(b, atom ? c : '-');
		}
		buf_c(b, ".belfry.");
		buf_str(b, w->host);
		buf_c(b, ">\r\n");
	}
	if (w->m->page_url.n > 0 && w->m->page_url.n < 800 && !given(w->c, "List-Unsubscribe")) {
		buf_c(b, "List-Unsubscribe: <");
		buf_str(b, w->m->page_url);
		buf_c(b, ">\r\n");
	}
	optional(w, "Precedence", "bulk");
}

static void machine_headers(struct writer *w)
{
	const struct message *m = w->m;

	optional(w, "Auto-Submitted", "auto-generated");
	optional(w, "X-Auto-Response-Suppress", "All");
	list_headers(w);
	if (email_is_critical(m)) {
		optional(w, "X-Priority", "1");
		optional(w, "Importance", "high");
	}
	optional(w, "X-Belfry-Status", m->firing ? "firing" : "resolved");
	mail_header(w->head, "X-Belfry-Id", m->id);
	mail_header(w->head, "X-Belfry-Receiver", str_sub(m->receiver, 0, 200));
	mail_header(w->head, "X-Belfry-Group", str_sub(m->group_key, 0, 400));
}

static void own_headers(struct writer *w)
{
	for (size_t i = 0; i < w->c->n_headers; i++) {
		struct str n = w->c->headers[i].name;
		char name[64];
		struct str value;

		if (n.n >= sizeof name || !mail_header_name_ok(n))
			continue; /* written already, or refused by the configuration's check */
		memcpy(name, n.p, n.n);
		name[n.n] = '\0';
		value = expanded(w, w->c->headers[i].value, name);
		if (value.n > 0)
			mail_header(w->head, name, str_sub(value, 0, 1000));
	}
}

/* ---- parts ---- */

static void own_text(struct writer *w, struct buf *plain)
{
	email_text_part(&w->view, plain);
	if (w->note.n > 0) {
		buf_ch(plain, '\n');
		mail_plain(plain, buf_view(&w->note), 1000);
		buf_ch(plain, '\n');
	}
}

/* A template's result may hold anything but our marks. */
static bool from_template(
	struct writer *w, struct str text, const char *what, bool html, struct buf *out)
{
	buf_reset(&w->tmp);
	if (!notify_template_render(w->m->templates, text, what, w->m, html, &w->tmp, &w->note))
		return false;
	mail_plain(out, buf_view(&w->tmp), (size_t)512 << 10);
	return true;
}

/* The HTML part first: what its template does wrong is told in the text. */
static void parts(struct writer *w, struct buf *v)
{
	const struct email_config *c = w->c;
	struct str html =
		c->has_html ? c->html
			    : notify_template_field(w->m->templates, STR(""), "email.default.html");
	bool html_wanted = !c->has_html || c->html.n > 0;
	bool text_wanted = !c->has_text || c->text.n > 0 || !html_wanted;
	struct buf part;

	buf_init(&part, PIECE_MAX);
	if (html_wanted) {
		if (html.n == 0 || !from_template(w, html, "html", true, &part)) {
			buf_reset(&part);
			email_html_part(&w->view, c->graph, &part);
			buf_c(&v[EMAIL_FLAGS], c->graph && w->view.worst[0]->expr.n > 0 ? "g" : "");
		}
		mail_quoted_printable(&v[EMAIL_HTML], buf_view(&part));
	}
	if (text_wanted) {
		buf_reset(&part);
		if (c->text.n == 0 || !from_template(w, c->text, "text", false, &part)) {
			buf_reset(&part);
			own_text(w, &part);
		}
		mail_quoted_printable(&v[EMAIL_TEXT], buf_view(&part));
	}
	buf_fini(&part);
}

void email_render_pieces(const struct message *m, const struct email_config *c, struct buf *v)
{
	struct writer w = {.m = m, .c = c, .head = &v[EMAIL_HEAD], .view = {.m = m}};
	struct buf spread;

	buf_init(&w.tmp, PIECE_MAX);
	buf_init(&w.note, 4096);
	buf_init(&spread, 4096);
	message_spread(m, &spread);
	w.view.n = message_worst(m, w.view.worst, ARRAY_LEN(w.view.worst));
	w.view.spread = buf_view(&spread);
	addresses(&w, v);
	subject(&w, &v[EMAIL_SUBJECT]);
	ids(&w);
	machine_headers(&w);
	own_headers(&w);
	if (c->threading && !m->first)
		buf_ch(&v[EMAIL_FLAGS], 'r');
	parts(&w, v);
	buf_fini(&spread);
	buf_fini(&w.note);
	buf_fini(&w.tmp);
}
