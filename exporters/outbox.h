/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox - the messages that wait or were given up, for people: to look at, and to send again.
 *
 * A message that is sent again keeps its id, its place among the incident's messages is the end of
 * the queue, and it has the full time until it expires once more. Who asked for it stands in the
 * message's story (history.h).
 *
 * Threads: any but the loop and the state writer. Errors: ERR_INPUT 404: there is no such message;
 * ERR_AGAIN, ERR_IO as of state_call.
 */
#ifndef BELFRY_EXPORTERS_OUTBOX_H
#define BELFRY_EXPORTERS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct notify;

#define OUTBOX_LIST_MAX   10000u /* messages of one list */
#define OUTBOX_RESEND_MAX 1000u  /* messages of one resend; the rest with the next */

struct outbox_filter {
	struct str state;    /* waiting, parked or expired; empty: all */
	struct str receiver; /* its name; empty: all */
	size_t limit;
};
/* {"counts":{"waiting":1,"parked":2,"expired":0},"messages":[{id, receiver, integration, index,
 * title, state, created, expires, attempts, error}]}, the oldest first; counts are of all. */
int outbox_json(
	struct notify *n, const struct outbox_filter *f, struct buf *out, struct err *e) MUST_CHECK;

struct outbox_wish {
	struct str id;       /* one message, or */
	struct str receiver; /* all that its integrations gave up, or */
	bool all;            /* all that was given up */
	/* Also what tells of an alert whose incident is over, which would alarm for nothing, and
	 * the end of one that has begun anew since. */
	bool stale;
	int64_t after;  /* of receiver and all: `next` of the answer before; 0: from the start */
	struct str who; /* cleaned and cut here */
};
struct outbox_answer {
	size_t sent;
	size_t over, gone; /* left where they are: stale, no longer configured */
	bool more;         /* OUTBOX_RESEND_MAX were looked at, or the outbox is full */
	bool full;
	int64_t next; /* ask for the rest after this one */
};
/* Parked and expired messages wait again; of one that waits, the next attempt is made now. */
int outbox_resend(struct notify *n, const struct outbox_wish *w, struct outbox_answer *out,
	struct err *e) MUST_CHECK;

#endif
