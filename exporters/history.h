/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - what happened to every alert and message: transitions, suppressions, attempts, marks;
 * bounded, in state.db; and the links in messages, which lead back to an incident.
 *
 * Noted on the state writer while it works, once per fact however often the transaction is tried:
 * facts wait in memory and are written by the notifier's tick, in the transaction of what they tell
 * of (HISTORY_TX_FACTS a transaction; a storm's rest in the following ones). Read by anyone through
 * a connection of his own (history_query.c, history_noise.c).
 */
#ifndef BELFRY_EXPORTERS_HISTORY_H
#define BELFRY_EXPORTERS_HISTORY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "base/labels.h"
#include "rules/alert_event.h"
#include "storage/state.h"

struct notify;
struct history;
struct message;

/* Stored as numbers: add at the end. */
enum history_kind {
	HISTORY_FIRING,     /* detail: rule group and rule, or "external" */
	HISTORY_RESOLVED,   /* detail: as above */
	HISTORY_GROUPED,    /* detail: group key */
	HISTORY_SILENCED,   /* detail: ids of the silences */
	HISTORY_INHIBITED,  /* detail: fingerprints of the sources */
	HISTORY_MUTED,      /* detail: group key, then names of the time intervals */
	HISTORY_UNSILENCED, /* detail: empty */
	HISTORY_UNINHIBITED,
	HISTORY_UNMUTED,        /* detail: group key */
	HISTORY_TOLD,           /* detail: message id, receiver/integration/index, reason */
	HISTORY_REFUSED,        /* nobody was told: message id, receiver/integration/index, why */
	HISTORY_PENDING,        /* detail: group, rule */
	HISTORY_CALMED,         /* pending ended without firing; detail: as above */
	HISTORY_ACKNOWLEDGED,   /* detail: who, and perhaps what he noted */
	HISTORY_UNACKNOWLEDGED, /* taken back; detail: who */
	HISTORY_ESCALATED,      /* detail: why: to whom */
	HISTORY_KINDS
};

struct history_fact {
	int64_t at_ms; /* wall */
	uint64_t fingerprint;
	struct labels labels;
	enum history_kind kind;
	struct str detail;
};

/* Views are borrowed. FIRING and RESOLVED of rules are noted by history_batch, with their values:
 * here they are skipped unless the detail is "external". */
void history_note(struct notify *n, const struct history_fact *f);
/* The transitions of an evaluation. */
void history_batch(struct notify *n, const struct alert_batch *b);

/* What became of one attempt to deliver a message. */
enum attempt_outcome {
	ATTEMPT_DELIVERED,
	ATTEMPT_AGAIN,   /* failed, will be repeated */
	ATTEMPT_REFUSED, /* for good */
	ATTEMPT_EXPIRED,
	ATTEMPT_REPLACED, /* by a newer message of its group */
	ATTEMPT_NOTE,     /* anything else, told in detail */
};
void history_attempt(struct notify *n, struct str message_id, struct str receiver,
	enum attempt_outcome outcome, unsigned attempt, struct str detail);

/* --- life, by notify.c and notify_store.c --- */
int history_new(struct history **out, sqlite3 *db, struct err *e) MUST_CHECK;
void history_free(struct history *h);
bool history_dirty(const struct history *h);
/* Repeatable: writes what waits, at most HISTORY_TX_FACTS. */
int history_write(struct history *h, sqlite3 *db, struct err *e) MUST_CHECK;
void history_committed(struct history *h);

/* --- links (link.c) --- */

/* The incident's token: names it in URLs, cannot be guessed (HMAC-SHA-256 under a key of this
 * state.db, 128 bits as hex), and is forgotten after 30 days. labels: what a silence made through
 * the link matches. State writer. */
#define LINK_TOKEN_LEN 32
void link_token(struct history *h, struct str group_key, int64_t incident_ms, struct labels labels,
	struct str title, char token[LINK_TOKEN_LEN + 1]);

/* Fills the message's silence_url, ack_url and page_url; texts in a. Nothing without an
 * external_url. State writer. */
void link_message(struct history *h, struct message *m, struct arena *a);

struct link_target {
	struct str group_key, title;
	int64_t incident_ms, created_ms;
	struct labels labels;
};
/* What a token stands for; ERR_INPUT when it is none, or too old. Any thread; copies in a. */
int link_resolve(struct state *s, struct str token, struct arena *a, struct link_target *out,
	struct err *e) MUST_CHECK;

/* A person's judgement of an incident. what: "false_positive" or "useful". Returns
 * after the commit. Any thread but the loop and the state writer. */
int history_mark(struct state *s, struct str group_key, int64_t incident_ms, struct str what,
	struct str who, struct str note, struct err *e) MUST_CHECK;

/* --- reading: any thread --- */

/* {"alerts":[{fingerprint, labels, events:[{time, kind, text, value}], messages:[...]}]}: the
 * newest `max` alerts that `what` names: a fingerprint (16 hex digits), an alert's name, or a name
 * with matchers. */
int history_explain_json(
	struct state *s, struct str what, size_t max, struct buf *out, struct err *e) MUST_CHECK;
/* Group and beginning of the newest incident of the newest alert that `what` names (as above), in
 * a. ERR_INPUT 404 when there is none. */
int history_newest_incident(struct state *s, struct str what, struct arena *a, struct str *group,
	int64_t *incident, struct err *e) MUST_CHECK;
/* {"rules":[{rule, firings, pages, acknowledged, false_positives, ..., suggested_threshold}]} of
 * the time since from_ms, the noisiest first. */
int history_noise_json(struct state *s, int64_t from_ms, struct buf *out, struct err *e) MUST_CHECK;

#endif
