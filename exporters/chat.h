/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat - belfry's own message as one text in a service's mark-up, and what the files of the simple
 * receivers share: escaping, clipping, templates, links, bodies.
 *
 * Limits of services are counted in UTF-16 units: never fewer than characters, and what those count
 * that were written in JavaScript. Everything here runs on the state writer thread.
 */
#ifndef BELFRY_EXPORTERS_CHAT_H
#define BELFRY_EXPORTERS_CHAT_H

#include "base/buf.h"
#include "base/jsonw.h"
#include "exporters/integration.h"
#include "exporters/message.h"
#include "exporters/receiver_config.h"

enum chat_markup {
	CHAT_PLAIN,      /* nothing is special; links are written out */
	CHAT_HTML,       /* <b>, <a>: Pushover */
	CHAT_TELEGRAM,   /* the same; @name calls somebody */
	CHAT_MARKDOWN,   /* CommonMark: ntfy */
	CHAT_DISCORD,    /* Markdown; a backslash escapes any sign */
	CHAT_MATTERMOST, /* Markdown; @name calls somebody */
	CHAT_ROCKETCHAT  /* *bold*; @name calls somebody */
};

/* --- text --- */

/* UTF-16 units of a text (bytes that are no UTF-8 count one each). */
size_t chat_units(struct str s);
/* Cut what stands in b behind `from` to max units, "…" at its end when it was cut. True: it was. */
bool chat_clip(struct buf *b, size_t from, size_t max);
/* s, cleaned (exporters/clean.h) and clipped to max units, then escaped for the mark-up: no label
 * can make a link, a format or a call of it. */
void chat_escape(struct buf *b, struct str s, enum chat_markup how, size_t max);
/* Text made by a template of the user's: calls (@name, @all) that the template itself does not hold
 * came from a label and are broken. Control characters go. */
void chat_untaint(struct buf *b, struct str text, struct str template_text);
/* What of the message was left out because of a service's limit was counted:
 * belfry_notify_truncated_total{integration=}. */
void chat_count_truncated(const char *integration);

/* --- belfry's own message --- */

enum chat_severity { CHAT_RESOLVED, CHAT_INFO, CHAT_WARNING, CHAT_CRITICAL };
/* Of the most urgent alert that fires; a severity that is missing or unknown is critical. */
enum chat_severity chat_severity(const struct message *m);
/* 0xrrggbb of it. */
unsigned chat_colour(enum chat_severity s);
/* The alert the message is about most: the worst that fires. */
const struct message_alert *chat_lead(const struct message *m);
/* "🔴 FIRING (2 firing, 1 resolved) Name · where": one plain line, unescaped. */
void chat_title(const struct message *m, struct buf *out);
enum {
	CHAT_LINKS = 1, /* the text holds them; else the service has buttons for them */
	CHAT_SPARK = 2, /* a mark for the sparkline: chat_set_body */
	CHAT_TOP = 4    /* and for the top offenders, whose labels are not escaped for Markdown */
};
/* Alerts, description, links, labels: at most max units (300 at least) with their mark-up. False:
 * something did not fit. */
bool chat_body(
	const struct message *m, enum chat_markup how, unsigned with, size_t max, struct buf *out);

struct chat_link {
	const char *text;
	struct str url;
};
#define CHAT_LINKS_MAX 6u
/* Runbook, acknowledge, silence, graph, dashboard, page: those there are, http(s) and at most
 * max_url bytes. Views into m and tmp. */
size_t chat_links(const struct message *m, size_t max_url, struct chat_link v[CHAT_LINKS_MAX],
	struct buf *tmp);

/* --- templates --- */

struct chat_form {
	const struct message *m;
	bool calls;      /* the service reads @name as a call: chat_untaint */
	struct buf note; /* what failed, for the end of the message */
};
/* The field's own template, else a default definition that the user's files replaced, else nothing:
 * "". name NULL: there is no such definition. */
struct str chat_template(const struct message *m, struct str text, const char *name);
/* Its result, appended to out and clipped there to max units; false when there is no template, it
 * made nothing or it failed (told in f->note). */
bool chat_expand(
	struct chat_form *f, struct str text, const char *what, size_t max, struct buf *out);
/* The same with HTML's escaping of values; what would not fit is not cut but refused (false). */
bool chat_expand_html(
	struct chat_form *f, struct str text, const char *what, size_t max, struct buf *out);
/* "key": result, when there is one. */
void chat_put(struct jsonw *j, const char *key, struct chat_form *f, struct str text, size_t max);

/* --- requests --- */

/* A POST of JSON with the options of http_config. NULL and *e when it cannot be made. */
struct send_request *chat_request(struct str url, const struct http_options *o, int64_t timeout_ms,
	const struct delivery *d, struct err *e);
/* s as a part of a path or a query. */
void chat_url_part(struct buf *b, struct str s);
/* The n-th line of a payload of several (JSON holds no line break), "" when there is none. */
struct str chat_line(struct str payload, size_t n);
/* body as the request's, marks of graphs filled in or taken out. */
void chat_set_body(struct send_request *req, struct str body, const struct delivery *d);
/* The same where the text in the JSON is HTML. */
void chat_set_body_html(struct send_request *req, struct str body, const struct delivery *d);
/* The picture of d's graph; empty: there is none, or the plain form is sent. */
struct str chat_picture(const struct delivery *d);
/* The body with its marks filled in, as chat_set_body, but into out. */
void chat_fill(struct str body, const struct delivery *d, struct buf *out);
void chat_fill_html(struct str body, const struct delivery *d, struct buf *out);
/* Instead of application/json. */
void chat_set_type(struct send_request *req, const char *type);
/* A body in parts: init, parts, send (the body is the request's then), fini. file and type may be
 * NULL. False: larger than max, nothing was changed. */
struct chat_parts {
	char boundary[48];
	struct buf body;
};
void chat_form_init(struct chat_parts *p, size_t max);
void chat_form_part(struct chat_parts *p, const char *name, const char *file, const char *type,
	struct str data);
bool chat_form_send(struct chat_parts *p, struct send_request *req);
void chat_form_fini(struct chat_parts *p);
/* A member of the answer's top-level object: text (of a string, a number or true/false) in a, ""
 * when there is none. */
struct str chat_answer(const struct send_request *req, const char *member, struct arena *a);
/* The same of any JSON object. */
struct str chat_member(struct str json, const char *member, struct arena *a);
/* The same one object deeper. */
struct str chat_answer_in(
	const struct send_request *req, const char *outer, const char *member, struct arena *a);

/* Seconds (a number, perhaps with a fraction) of an answer of status 429, in ms rounded up; outer
 * NULL: a member of the top level. 0: none. */
int64_t chat_answer_seconds(const struct send_request *req, const char *outer, const char *member);

/* value_tree of the configuration with its templates expanded, as JSON. One that fails stands as
 * it is, and is told in f->note. */
void value_tree_write(struct jsonw *j, const struct value_tree *t, struct chat_form *f);

#endif
