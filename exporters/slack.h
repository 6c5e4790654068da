/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack - what the files of the Slack receiver share. Nobody else includes it.
 *
 *   slack.c         stored payload <-> its parts; incoming webhooks
 *   slack_bot.c     a token's Web API: root message, thread, graph; what its errors mean
 *   slack_error.c   the Web API's errors
 *   slack_blocks.c  belfry's own message: Block Kit in an attachment
 *   slack_plain.c   the same without blocks; what changed, for the thread
 *   slack_words.c   headline, and what is said of one alert
 *   slack_fields.c  Alertmanager's message: one attachment of configured templates
 *   slack_text.c    escaping and clipping
 *
 * A message is rendered when it is stored, but what can be sent is known only later: whether a root
 * message stands that can be edited, whether Slack takes the blocks. So the payload holds all forms
 * of it as parts, and a request puts together those it needs.
 */
#ifndef BELFRY_EXPORTERS_SLACK_H
#define BELFRY_EXPORTERS_SLACK_H

#include "base/jsonw.h"
#include "exporters/integration.h"
#include "exporters/message.h"

/* Documented limits (characters; we count bytes, of which there are never fewer). */
#define SLACK_SECTION_MAX  2900u /* of 3,000 in a section */
#define SLACK_FIELD_MAX    1900u /* of 2,000 in a field or an element of a context */
#define SLACK_BLOCKS_MAX   9000u /* JSON of all blocks; msg_blocks_too_long comes at 13,200 */
#define SLACK_URL_MAX      2000u /* of 3,000 in a button's URL */
#define SLACK_HEADLINE_MAX 600u  /* the line a phone shows; cut there after some 150 */
#define SLACK_LONG_MAX     3300u /* with the headline below the 4,000 a plain text should have */
#define SLACK_TITLE_MAX    1024u /* of an attachment's title: Alertmanager's limit */
#define SLACK_TEXT_MAX     8000u /* of an attachment's text made by a template */

/* --- the stored payload --- */

enum slack_part {
	SLACK_CHANNEL, /* a JSON string; or empty */
	SLACK_WHO,     /* members: "username":...,"icon_emoji":... */
	SLACK_FULL,    /* members: the message as it should be: "text":...,"attachments":[...] */
	SLACK_COLOUR,  /* a JSON string */
	SLACK_SHORT,   /* a JSON string: the headline, mentions in front */
	SLACK_LONG,    /* a JSON string: the message as mrkdwn without blocks */
	SLACK_REPLY,   /* members: what changed, for the thread; empty: nothing to say */
	SLACK_PICTURE, /* a JSON string: title of the graph to be uploaded; empty: none */
	SLACK_PARTS
};
struct slack_parts {
	struct str v[SLACK_PARTS];
};

/* Appends "slack1 <length of each>\n" and the parts. */
void slack_parts_write(const struct buf v[SLACK_PARTS], struct buf *out);
/* Views into payload; false when it is not one of ours. */
bool slack_parts_read(struct str payload, struct slack_parts *out);

/* The forms Slack is offered in turn until it takes one. */
enum slack_level { SLACK_AS_IT_IS, SLACK_NO_BLOCKS, SLACK_PLAIN_TEXT };
/* "text":...,"attachments":[...] of a level, without braces. whole: also what takes old blocks and
 * attachments away (chat.update keeps what is not given). */
void slack_members(
	const struct slack_parts *p, enum slack_level level, bool whole, struct buf *out);
/* body without the marks of graphs or with what was found for them, as the request's body. */
void slack_set_body(struct send_request *req, const struct buf *body, const struct delivery *d);

/* --- rendering --- */

/* The bot token; empty: an incoming webhook. */
struct str slack_token(const struct slack_config *c);
bool slack_is_bot(const struct slack_config *c);
/* Alertmanager's message is asked for by the configuration or by the user's template files. */
bool slack_is_templated(const struct slack_config *c, const struct message *m);
/* The parts of a message. */
void slack_blocks_members(const struct message *m, const struct slack_config *c, struct buf *full);
void slack_fields_members(const struct message *m, const struct slack_config *c, struct buf *full);
void slack_headline(const struct message *m, const struct slack_config *c, struct buf *out);
void slack_long_text(const struct message *m, struct buf *out);
void slack_reply_text(const struct message *m, struct buf *out);
const char *slack_colour(const struct message *m);
/* An alert that fires is labelled critical (or page). */
bool slack_is_critical(const struct message *m);

/* --- words --- */

/* The alert that a headline, a graph and links are about: the worst. */
const struct message_alert *slack_lead(const struct message *m);
/* Of the alert that stands first: it fires, and its severity is the highest. */
struct str slack_severity(const struct message *m);
/* Colour alone is not seen by everybody: a sign that says the same. */
const char *slack_badge(bool firing, struct str severity);
/* A moment in the reader's own time zone; form as in Slack's date tokens. */
void slack_date(struct buf *b, int64_t ms, const char *form);
/* " · <url|text>"; nothing without a url. */
void slack_link(struct buf *b, const char *text, struct str url);
/* One of several; the only one (what the headline says is left out); one of those that are over:
 * "• pool=orders: fired for 3m, worst 100 %, now 20 %". tmp is empty before and afterwards. */
void slack_alert_text(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp);
void slack_only_text(const struct message *m, struct buf *b, struct buf *tmp);
void slack_over_line(
	const struct message *m, const struct message_alert *al, struct buf *b, struct buf *tmp);

/* --- text --- */

/* MRKDWN: & < > become entities, so that nothing a label says is a link or a call. LITERAL: what
 * would begin bold, italic, struck or code text becomes a look-alike too: for labels. PLAIN: where
 * Slack shows entities as they are written (notifications, plain_text): look-alikes. */
enum slack_text { SLACK_MRKDWN, SLACK_LITERAL, SLACK_PLAIN };
/* At most max bytes, with "…" when cut; never half an entity or half a character. Control
 * characters and direction overrides go; newlines stay in MRKDWN. */
void slack_escape(struct buf *b, struct str s, enum slack_text kind, size_t max);
/* The same for what stands in tmp, which is emptied. */
void slack_escape_buf(struct buf *b, struct buf *tmp, enum slack_text kind, size_t max);
/* Cut at a character border. */
struct str slack_clip(struct str s, size_t max);
/* "@here, U0123, <!subteam^S0123>" as Slack's mentions; other text goes, escaped. */
void slack_mentions(struct buf *b, struct str configured);
/* text, made by a template, in which a label may have smuggled <!channel> or <@U...>: those that
 * the template itself does not hold are broken. tainted: some label value holds '<'. */
void slack_untaint(struct buf *b, struct str text, struct str template_text, bool tainted);

/* --- a token's Web API (slack_bot.c) --- */

struct send_request *slack_bot_request(
	const struct slack_config *c, const struct delivery *d, struct err *e);
enum verdict slack_bot_judge(const struct slack_config *c, const struct delivery *d,
	const struct send_request *req, struct buf *data);
/* What an error of the Web API asks for: RETRY, DEGRADE or FINAL. */
enum verdict slack_error_verdict(struct str error);
/* It says that the account or the token is out, not the message that was named. */
bool slack_error_is_access(struct str error);

#endif
