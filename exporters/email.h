/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email - what the files of the mail receiver share. Nobody else includes it.
 *
 *   email.c          stored payload <-> its pieces; the transfer; what answers mean
 *   email_message.c  headers and pieces of a message
 *   email_text.c     belfry's own text part
 *   email_html.c     belfry's own HTML part
 *
 * A message is rendered when it is stored; whether there is a graph, which subject its conversation
 * has, and whether the server wants it smaller is known when it is sent. So the payload holds its
 * pieces, and a request puts them together.
 */
#ifndef BELFRY_EXPORTERS_EMAIL_H
#define BELFRY_EXPORTERS_EMAIL_H

#include "base/limits.h"
#include "exporters/integration.h"
#include "exporters/mail_text.h"
#include "exporters/message.h"

#define EMAIL_HTML_MAX  32000u /* bytes: Gmail clips at 102 KB as sent, where ü takes six */
#define EMAIL_TEXT_MAX  24000u
#define EMAIL_VALUE_MAX 400u /* bytes of one interpolated value */
#define EMAIL_RCPT_MAX  100u

enum email_piece {
	EMAIL_FROM,    /* envelope sender: a bare address */
	EMAIL_TO,      /* envelope recipients, separated by commas */
	EMAIL_SUBJECT, /* as encoded for the header, without "Re: " */
	EMAIL_HEAD,    /* all other headers but Content-*, each with CRLF */
	EMAIL_TEXT,    /* text/plain in quoted-printable, marks raw; empty: no such part */
	EMAIL_HTML,    /* text/html in quoted-printable, marks raw; empty: no such part */
	EMAIL_FLAGS,   /* letters: r: "Re: " stands before the subject; g: a graph is wanted */
	EMAIL_PIECES
};
struct email_pieces {
	struct str v[EMAIL_PIECES];
};

/* The pieces of a message, into v (initialised). */
void email_render_pieces(const struct message *m, const struct email_config *c, struct buf *v);
/* A message and those of its alerts that are written out: the worst. The first is what a preheader,
 * a graph and links are about. */
struct email_view {
	const struct message *m;
	const struct message_alert *worst[LIMIT_MESSAGE_ALERTS];
	size_t n;
	struct str spread; /* what gathers many alerts (message_spread) */
};
void email_text_part(const struct email_view *v, struct buf *b);
/* picture: one may be put in, as cid:EMAIL_CID. */
void email_html_part(const struct email_view *v, bool picture, struct buf *b);
#define EMAIL_CID "graph@belfry"

/* Words both parts have: "FIRING (3 firing, 1 resolved) since 2026-11-22 04:23 UTC". */
void email_state_line(const struct message *m, struct buf *b);
/* "2026-11-22 04:23 UTC". */
void email_time(struct buf *b, int64_t ms);
/* The same behind another time: without the day when it is that one's. */
void email_time_after(struct buf *b, int64_t before_ms, int64_t ms);
/* The worst alert that fires is labelled critical (or page). */
bool email_is_critical(const struct message *m);

#endif
