/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_text - escaping, clipping, templates and answers of the simple receivers; see chat.h.
 *
 * Labels come from whoever sends metrics. Where a service has an escape it is used; where it has
 * none (a call by @name), an invisible character is put behind the sign that would start it.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/jsonr.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/clean.h"
#include "exporters/graph.h"
#include "exporters/notify_template.h"

#define BREAK     "\xe2\x80\x8b" /* U+200B: breaks what a service would read as one */
#define ELLIPSIS  "\xe2\x80\xa6"
#define PIECE_MAX ((size_t)1 << 20)

/* ---- counting and clipping ---- */

/* Units that the character starting with this byte takes; 0 inside of one. */
static unsigned units_of(unsigned char c)
{
	if ((c & 0xc0) == 0x80)
		return 0;
	return c >= 0xf0 ? 2 : 1;
}

size_t chat_units(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += units_of((unsigned char)s.p[i]);
	return n;
}

bool chat_clip(struct buf *b, size_t from, size_t max)
{
	size_t units = 0, cut = from; /* behind the last character that leaves room for the mark */

	ASSERT(max > 0);
	if (b->failed)
		return true;
	for (size_t i = from; i < b->n; i++) {
		unsigned u = units_of((unsigned char)b->p[i]);

		if (u > 0 && units + 1 <= max)
			cut = i;
		units += u;
		if (units > max) {
			b->n = cut;
			buf_c(b, ELLIPSIS);
			return true;
		}
	}
	return false;
}

/* ---- escaping ---- */

static const char *html(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	default: return NULL;
	}
}

/* Signs that a backslash makes harmless. */
static const char *backslashed(enum chat_markup how)
{
	switch (how) {
	case CHAT_MARKDOWN: return "\\`*_[]#<>!~|";
	case CHAT_DISCORD: return "\\`*_[]#<>~|@";
	case CHAT_MATTERMOST: return "\\`*_[]#!~|";
	case CHAT_ROCKETCHAT: return "*_~`#";
	case CHAT_PLAIN:
	case CHAT_HTML:
	case CHAT_TELEGRAM: break;
	}
	return "";
}

static const char *broken(enum chat_markup how)
{
	switch (how) {
	case CHAT_TELEGRAM:
	case CHAT_MATTERMOST: return "@";
	case CHAT_ROCKETCHAT: return "@[]";
	case CHAT_PLAIN:
	case CHAT_HTML:
	case CHAT_MARKDOWN:
	case CHAT_DISCORD: break;
	}
	return "";
}

void chat_escape(struct buf *b, struct str s, enum chat_markup how, size_t max)
{
	const char *slash = backslashed(how), *apart = broken(how);
	struct buf clean;

	buf_init(&clean, PIECE_MAX);
	/* a unit has at most 3 bytes; anything beyond max units is cut once more below */
	clean_text(&clean, str_sub(s, 0, max * 8), max * 4 + 8, CLEAN_LINES);
	(void)chat_clip(&clean, 0, max);
	for (size_t i = 0; i < clean.n; i++) {
		char c = clean.p[i];
		const char *entity = how == CHAT_HTML || how == CHAT_TELEGRAM ? html(c) : NULL;

		if (entity != NULL) {
			buf_c(b, entity);
			continue;
		}
		if (strchr(slash, c) != NULL)
			buf_ch(b, '\\');
		buf_ch(b, c);
		if (strchr(apart, c) != NULL)
			buf_c(b, BREAK);
	}
	buf_fini(&clean);
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

void chat_untaint(struct buf *b, struct str text, struct str template_text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		size_t end = i + 1;

		if (((unsigned char)c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			c = ' ';
		buf_ch(b, c);
		if (c != '@')
			continue;
		while (end < text.n && is_name(text.p[end]))
			end++;
		if (!str_has(template_text, str_sub(text, i, end)))
			buf_c(b, BREAK);
	}
}

/* ---- templates ---- */

struct str chat_template(const struct message *m, struct str text, const char *name)
{
	if (text.n > 0 || name == NULL || m->templates == NULL)
		return text;
	return notify_template_field(m->templates, text, name);
}

static void without_controls(struct buf *b, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		buf_ch(b, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? ' ' : (char)c);
	}
}

static bool expand(
	struct chat_form *f, struct str text, const char *what, bool as_html, struct buf *out)
{
	size_t start = out->n;
	struct buf raw;
	bool ok;

	if (text.n == 0)
		return false;
	buf_init(&raw, PIECE_MAX);
	ok = notify_template_render(f->m->templates, text, what, f->m, as_html, &raw, &f->note);
	if (ok && f->calls)
		chat_untaint(out, buf_view(&raw), text);
	else if (ok)
		without_controls(out, buf_view(&raw));
	buf_fini(&raw);
	return ok && !out->failed && out->n > start;
}

bool chat_expand(
	struct chat_form *f, struct str text, const char *what, size_t max, struct buf *out)
{
	size_t start = out->n;

	if (!expand(f, text, what, false, out))
		return false;
	(void)chat_clip(out, start, max);
	return true;
}

bool chat_expand_html(
	struct chat_form *f, struct str text, const char *what, size_t max, struct buf *out)
{
	size_t start = out->n;

	if (!expand(f, text, what, true, out))
		return false;
	if (chat_units(str_sub(buf_view(out), start, out->n)) <= max)
		return true;
	buf_printf(&f->note, "%s is longer than the receiver takes", what);
	out->n = start;
	return false;
}

void chat_put(struct jsonw *j, const char *key, struct chat_form *f, struct str text, size_t max)
{
	struct buf b;

	if (text.n == 0)
		return;
	buf_init(&b, PIECE_MAX);
	if (chat_expand(f, text, key, max, &b))
		jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

void chat_count_truncated(const char *integration)
{
	metric_inc(metric_counter_l("belfry_notify_truncated_total",
		"Messages of which a part was left out because of the receiver's limits.",
		"integration", str_c(integration)));
}

/* ---- requests and answers ---- */

struct send_request *chat_request(struct str url, const struct http_options *o, int64_t timeout_ms,
	const struct delivery *d, struct err *e)
{
	struct send_request *req = integration_http(url, timeout_ms, d);

	if (integration_http_options(req, o, e) == 0)
		return req;
	send_request_free(req);
	return NULL;
}

void chat_url_part(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_name(s.p[i]) || s.p[i] == '~')
			buf_ch(b, s.p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
	}
}

struct str chat_line(struct str payload, size_t n)
{
	for (; n > 0; n--)
		payload = str_sub(payload, str_find(payload, '\n') + 1, payload.n);
	return str_sub(payload, 0, str_find(payload, '\n'));
}

struct str chat_picture(const struct delivery *d)
{
	return d->graph != NULL && !d->degraded ? d->graph->png : STR("");
}

void chat_fill(struct str body, const struct delivery *d, struct buf *out)
{
	graph_fill(body, d->graph, GRAPH_JSON, out);
}

void chat_fill_html(struct str body, const struct delivery *d, struct buf *out)
{
	graph_fill(body, d->graph, GRAPH_JSON_MRKDWN, out);
}

static void set_body(struct send_request *req, struct str body, const struct delivery *d,
	void (*fill)(struct str body, const struct delivery *d, struct buf *out))
{
	struct buf b;

	buf_init(&b, body.n + (16u << 10));
	fill(body, d, &b);
	integration_body(req, b.failed ? body : buf_view(&b));
	buf_fini(&b);
}

void chat_set_body(struct send_request *req, struct str body, const struct delivery *d)
{
	set_body(req, body, d, chat_fill);
}

void chat_set_body_html(struct send_request *req, struct str body, const struct delivery *d)
{
	set_body(req, body, d, chat_fill_html);
}

static struct str member_of(struct jsonr *j, const char *member)
{
	struct str key, found = STR(""), raw;

	if (jsonr_peek(j) != JSONR_OBJECT)
		return found;
	(void)jsonr_object(j);
	while (jsonr_key(j, &key)) {
		bool wanted = str_eq(key, str_c(member));
		enum jsonr_kind kind = jsonr_peek(j);

		if (wanted && kind == JSONR_STRING)
			(void)jsonr_str(j, &found);
		else if (jsonr_raw(j, &raw) && wanted &&
			 (kind == JSONR_NUMBER || kind == JSONR_BOOL))
			found = raw;
	}
	return j->failed ? STR("") : found;
}

struct str chat_member(struct str json, const char *member, struct arena *a)
{
	struct jsonr j;
	struct err e;

	jsonr_init(&j, json, a, &e);
	return member_of(&j, member);
}

struct str chat_answer(const struct send_request *req, const char *member, struct arena *a)
{
	return chat_member(str_n(req->reply != NULL ? req->reply : "", req->reply_len), member, a);
}

struct str chat_answer_in(
	const struct send_request *req, const char *outer, const char *member, struct arena *a)
{
	struct str reply = str_n(req->reply != NULL ? req->reply : "", req->reply_len);
	struct str key, inner = STR("");
	struct jsonr j, k;
	struct err e;

	jsonr_init(&j, reply, a, &e);
	if (jsonr_peek(&j) != JSONR_OBJECT)
		return inner;
	(void)jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		struct str raw = STR("");

		if (jsonr_raw(&j, &raw) && str_eq(key, str_c(outer)))
			inner = raw;
	}
	if (j.failed)
		return STR("");
	jsonr_init(&k, inner, a, &e);
	return member_of(&k, member);
}

int64_t chat_answer_seconds(const struct send_request *req, const char *outer, const char *member)
{
	struct arena a;
	struct str text;
	double v = 0;

	if (!req->transport_ok || req->status != 429)
		return 0;
	arena_init(&a, (size_t)1 << 20);
	text = outer != NULL ? chat_answer_in(req, outer, member, &a)
			     : chat_answer(req, member, &a);
	if (text.n == 0 || !str_to_f64(text, &v) || !(v > 0))
		v = 0;
	arena_fini(&a);
	return v >= 86400 ? 86400000 : (int64_t)(v * 1000 + 0.999);
}
