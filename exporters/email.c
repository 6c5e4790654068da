/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email - the receiver: a stored message's pieces become one RFC 5322 message, and that an SMTP
 * transfer.
 *
 *   multipart/alternative: text/plain, then text/html; with a graph the latter is
 *   multipart/related: text/html and image/png, which it shows by cid: (RFC 2387, RFC 2392)
 *
 * Kept about a thread: the subject its first message had (what a group's alerts have in common
 * changes, and Gmail splits a conversation whose subject does), and which recipients a server
 * wants to be asked again for.
 */
#include "exporters/email.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"
#include "exporters/graph.h"

#define MAGIC      "mail1"
#define PIECE_MAX  ((size_t)2 << 20)
#define TIMEOUT_MS 30000 /* some servers wait before they greet, and look long at a mail */
#define BORDER_A                                                                                   \
	"=_belfry_a" /* quoted-printable never produces "=_": it cannot stand in a part            \
		      */
#define BORDER_B "=_belfry_b"

/* ---- the stored payload ---- */

static void pieces_write(const struct buf *v, struct buf *out)
{
	buf_c(out, MAGIC);
	for (size_t i = 0; i < EMAIL_PIECES; i++)
		buf_printf(out, " %zu", v[i].n);
	buf_ch(out, '\n');
	for (size_t i = 0; i < EMAIL_PIECES; i++)
		buf_str(out, buf_view(&v[i]));
}

static bool pieces_read(struct str payload, struct email_pieces *out)
{
	struct str line = str_sub(payload, 0, str_find(payload, '\n'));
	size_t at = line.n + 1;
	unsigned long long n;
	struct str word;

	if (!str_split(&line, ' ', &word) || !str_eq(word, STR(MAGIC)))
		return false;
	for (size_t i = 0; i < EMAIL_PIECES; i++) {
		if (!str_split(&line, ' ', &word) || !str_to_u64(word, &n) || at > payload.n ||
			n > payload.n - at)
			return false;
		out->v[i] = str_n(payload.p + at, (size_t)n);
		at += (size_t)n;
	}
	return line.n == 0 && at == payload.n;
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	struct buf v[EMAIL_PIECES];
	bool failed = false;

	for (size_t i = 0; i < EMAIL_PIECES; i++)
		buf_init(&v[i], PIECE_MAX);
	email_render_pieces(m, in->conf, v);
	for (size_t i = 0; i < EMAIL_PIECES; i++)
		failed = failed || v[i].failed;
	pieces_write(v, payload);
	for (size_t i = 0; i < EMAIL_PIECES; i++)
		buf_fini(&v[i]);
	if (failed || payload->failed)
		return err_set(e, ERR_LIMIT, 0, "message too large");
	return 0;
}

/* ---- what is kept about a thread: lines of "key value" ---- */

struct thread {
	struct str subject; /* as encoded, its folds as blanks */
	struct str row;     /* the row that `rcpt` is about */
	struct str rcpt;    /* recipients still to be asked, separated by commas */
};

static void thread_read(struct str data, struct thread *t)
{
	struct str line;

	*t = (struct thread){STR(""), STR(""), STR("")};
	while (str_split(&data, '\n', &line)) {
		size_t blank = str_find(line, ' ');
		struct str key = str_sub(line, 0, blank);
		struct str value = str_sub(line, blank + 1, line.n);

		if (str_eq(key, STR("subject")))
			t->subject = value;
		else if (str_eq(key, STR("row")))
			t->row = value;
		else if (str_eq(key, STR("rcpt")))
			t->rcpt = value;
	}
}

static void thread_write(const struct thread *t, struct buf *data)
{
	buf_reset(data);
	buf_c(data, "subject ");
	buf_str(data, t->subject);
	if (t->rcpt.n > 0) {
		buf_c(data, "\nrow ");
		buf_str(data, t->row);
		buf_c(data, "\nrcpt ");
		buf_str(data, t->rcpt);
	}
	buf_ch(data, '\n');
}

/* ---- one message ---- */

/* A subject kept without its folds: a blank between two encoded words is where it is folded. */
static void put_subject(struct buf *b, bool re, struct str s)
{
	size_t col = re ? 13 : 9;

	buf_c(b, re ? "Subject: Re: " : "Subject: ");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r')
			continue;
		if (s.p[i] == '\n' || (s.p[i] == ' ' && col > 60 && i + 1 < s.n)) {
			buf_c(b, "\r\n ");
			i += s.p[i] == '\n' && i + 1 < s.n && s.p[i + 1] == ' ';
			col = 1;
			continue;
		}
		/* it was encoded; what comes out of a database is looked at all the same */
		buf_ch(b, s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
		col++;
	}
	buf_c(b, "\r\n");
}

static void part_head(struct buf *b, const char *type)
{
	buf_printf(b,
		"Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
		"\r\n\r\n",
		type);
}

static void html_part(
	struct buf *b, const struct email_pieces *p, const struct graph_answer *g, bool picture)
{
	if (picture)
		buf_c(b, "Content-Type: multipart/related; type=\"text/html\";\r\n"
			 " boundary=\"" BORDER_B "\"\r\n\r\n--" BORDER_B "\r\n");
	part_head(b, "text/html");
	graph_fill(p->v[EMAIL_HTML], g, GRAPH_QP_HTML, b);
	if (!picture)
		return;
	buf_c(b, "\r\n--" BORDER_B
		 "\r\nContent-Type: image/png; name=\"graph.png\"\r\nContent-Transfer-Encoding: "
		 "base64\r\nContent-ID: <" EMAIL_CID ">\r\nContent-Disposition: inline; "
		 "filename=\"graph.png\"\r\n\r\n");
	graph_fill(STR("\0013"), g, GRAPH_PLAIN, b);
	buf_c(b, "\r\n--" BORDER_B "--\r\n");
}

static bool has_flag(const struct email_pieces *p, char flag)
{
	return str_find(p->v[EMAIL_FLAGS], flag) < p->v[EMAIL_FLAGS].n;
}

static void body(const struct email_pieces *p, const struct delivery *d, struct buf *b)
{
	bool both = p->v[EMAIL_TEXT].n > 0 && p->v[EMAIL_HTML].n > 0 && !d->degraded;
	bool picture = has_flag(p, 'g') && d->graph != NULL && d->graph->png.n > 0;

	buf_c(b, "MIME-Version: 1.0\r\n");
	if (both)
		buf_c(b, "Content-Type: multipart/alternative;\r\n boundary=\"" BORDER_A
			 "\"\r\n\r\n--" BORDER_A "\r\n");
	if (both || p->v[EMAIL_TEXT].n > 0) {
		part_head(b, "text/plain");
		graph_fill(p->v[EMAIL_TEXT], d->graph, GRAPH_QP, b);
	}
	if (both)
		buf_c(b, "\r\n--" BORDER_A "\r\n");
	if (both || p->v[EMAIL_TEXT].n == 0)
		html_part(b, p, d->graph, picture);
	if (both)
		buf_c(b, "\r\n--" BORDER_A "--\r\n");
}

static void whole_message(const struct email_pieces *p, const struct delivery *d, struct buf *b)
{
	bool re = has_flag(p, 'r');
	struct thread t;

	thread_read(d->data, &t);
	buf_str(b, p->v[EMAIL_HEAD]);
	put_subject(b, re, re && t.subject.n > 0 ? t.subject : p->v[EMAIL_SUBJECT]);
	body(p, d, b);
}

/* ---- the transfer ---- */

static void recipients(struct send_request *req, struct str list)
{
	struct mail_who who;
	bool bad = false;

	req->rcpt = calloc(EMAIL_RCPT_MAX, sizeof *req->rcpt);
	ASSERT(req->rcpt != NULL);
	while (req->n_rcpt < EMAIL_RCPT_MAX && mail_next_address(&list, &who, &bad))
		req->rcpt[req->n_rcpt++] = integration_dup(who.addr);
}

/* One mechanism family, the configuration's: no server may ask for the password in another way. */
static void set_auth(struct send_request *req, const struct email_config *c)
{
	req->user = integration_dup(c->auth_username);
	req->authzid = integration_dup(c->auth_identity);
	if (c->auth_token.n > 0) {
		req->bearer = integration_dup(c->auth_token);
		req->login_options = integration_dup(STR("AUTH=XOAUTH2;AUTH=OAUTHBEARER"));
	} else if (c->auth_password.n > 0) {
		req->password = integration_dup(c->auth_password);
		req->login_options = integration_dup(STR("AUTH=PLAIN;AUTH=LOGIN"));
	} else if (c->auth_secret.n > 0) {
		req->password = integration_dup(c->auth_secret);
		req->login_options = integration_dup(STR("AUTH=CRAM-MD5"));
	}
}

static bool is_implicit(const struct email_config *c)
{
	return c->tls == MAIL_TLS_IMPLICIT ||
	       (c->tls == MAIL_TLS_BY_PORT && str_ends(c->smarthost, STR(":465")));
}

static void set_server(struct send_request *req, const struct email_config *c)
{
	struct buf url;

	buf_init(&url, 2048);
	buf_c(&url, is_implicit(c) ? "smtps://" : "smtp://");
	buf_str(&url, c->smarthost);
	if (c->hello.n > 0) {
		buf_ch(&url, '/');
		buf_str(&url, c->hello);
	}
	req->url = integration_dup(buf_view(&url));
	buf_fini(&url);
	req->timeout_ms = c->timeout_ms > 0 ? (int)MIN_OF(c->timeout_ms, 120000) : TIMEOUT_MS;
	req->require_tls = c->require_tls;
	req->insecure_skip_verify = c->insecure_skip_verify;
	req->ca_file = integration_dup(c->ca_file);
	req->cert_file = integration_dup(c->cert_file);
	req->key_file = integration_dup(c->key_file);
	req->server_name = integration_dup(c->server_name);
}

static void set_message(
	struct send_request *req, const struct email_pieces *p, const struct delivery *d)
{
	struct thread t;
	struct buf b;

	buf_init(&b, d->payload.n + ((size_t)1 << 20));
	whole_message(p, d, &b);
	free(req->body);
	req->body = buf_take(&b, &req->body_len);
	ASSERT(req->body != NULL);
	thread_read(d->data, &t);
	recipients(req, str_eq(t.row, d->id) && t.rcpt.n > 0 ? t.rcpt : p->v[EMAIL_TO]);
	req->mail_from =
		integration_dup(str_sub(p->v[EMAIL_FROM], 0, str_find(p->v[EMAIL_FROM], ',')));
}

/* Stored by an older version: the whole message. */
static void set_old_message(
	struct send_request *req, const struct email_config *c, const struct delivery *d)
{
	struct str from;

	integration_body(req, d->payload);
	recipients(req, c->to);
	req->mail_from = integration_dup(mail_address(c->from, &from) ? from : c->from);
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct email_config *c = in->conf;
	struct send_request *req = send_request_new(SEND_SMTP);
	struct email_pieces p;

	set_server(req, c);
	set_auth(req, c);
	if (pieces_read(d->payload, &p))
		set_message(req, &p, d);
	else
		set_old_message(req, c, d);
	if (req->n_rcpt > 0 && req->mail_from != NULL)
		return req;
	(void)err_set(e, ERR_INPUT, 0, req->n_rcpt == 0 ? "no recipient" : "no sender");
	send_request_free(req);
	return NULL;
}

/* ---- answers ---- */

/* The value of the Subject header of what was sent, without "Re: ", its folds as they are but for
 * the line break. */
static void sent_subject(const struct send_request *req, struct buf *out)
{
	struct str s = str_n(req->body, req->body_len), line;
	bool inside = false;

	while (str_split(&s, '\n', &line)) {
		line = str_sub(
			line, 0, line.n > 0 && line.p[line.n - 1] == '\r' ? line.n - 1 : line.n);
		if (line.n == 0 || (inside && line.p[0] != ' '))
			return;
		if (inside) {
			buf_str(out, line);
		} else if (str_starts(line, STR("Subject: "))) {
			inside = true;
			line = str_sub(line, 9, line.n);
			buf_str(out,
				str_starts(line, STR("Re: ")) ? str_sub(line, 4, line.n) : line);
		}
	}
}

/* Addresses of the report that were put off ("450 ... <address>" a line), with commas. */
static void put_off(const struct send_request *req, struct buf *out)
{
	struct str s = str_n(req->reply != NULL ? req->reply : "", req->reply_len), line;

	while (str_split(&s, '\n', &line)) {
		size_t open = line.n;

		while (open > 0 && line.p[open - 1] != '<')
			open--;
		if (line.n < 6 || line.p[0] != '4' || open == 0 || line.p[line.n - 1] != '>')
			continue;
		if (out->n > 0)
			buf_ch(out, ',');
		buf_str(out, str_sub(line, open, line.n - 1));
	}
}

/* Taken for some: those who were put off (greylisting, a mailbox that is locked) are asked again,
 * the others never get it twice. */
static enum verdict taken(
	const struct delivery *d, const struct send_request *req, struct buf *data)
{
	struct buf subject, rest;
	struct thread t;
	enum verdict v;

	thread_read(d->data, &t);
	buf_init(&subject, 2048);
	buf_init(&rest, 2048);
	if (t.subject.n == 0) {
		sent_subject(req, &subject);
		t.subject = buf_view(&subject);
	}
	if (req->error[0] != '\0')
		put_off(req, &rest);
	t.row = d->id;
	t.rcpt = rest.failed ? STR("") : buf_view(&rest);
	v = t.rcpt.n > 0 ? VERDICT_NEXT : VERDICT_OK;
	if (!subject.failed)
		thread_write(&t, data);
	buf_fini(&rest);
	buf_fini(&subject);
	return v;
}

/* SMTP classes (RFC 5321 4.2.1): 2 taken, 4 later, 5 never; no answer at all: later. 552 is too
 * much, 554 often a filter that does not like its form: once more, plainer. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	(void)in;
	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status >= 200 && req->status < 300)
		return taken(d, req, data);
	if (req->status == 552 || req->status == 554)
		return VERDICT_DEGRADE;
	return req->status >= 500 ? VERDICT_FINAL : VERDICT_RETRY;
}

const struct integration_type integration_email = {
	.name = "email", .parallel = 4, .render = render, .request = request, .judge = judge};
