/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_internal - messages on their way: rows, the integrations they are for, the lanes they
 * travel on. State writer thread only; see notify_internal.h.
 *
 *   outbox_tell.c   a message becomes a row: coalesced, rendered
 *   outbox.c        rows, destinations, lanes
 *   outbox_send.c   lanes -> sender: pace, order, backoff, what an answer means
 *   outbox_fail.c   given up: parked, told loudly, the fallback receiver
 *   outbox_graph.c  the graph, before an attempt
 *   outbox_store.c  dirty rows -> state.db; state.db -> rows at start
 *   outbox_resend.c what was given up: shown, and sent again (outbox.h)
 *   thread_data.c   what an integration keeps about an incident's thread
 *
 * A lane is a place that answers for itself: integrations with the same webhook URL share one, its
 * pace, its Retry-After and its backoff. Everything else has a lane of its own, so that nobody
 * waits for another's server.
 */
#ifndef BELFRY_EXPORTERS_OUTBOX_INTERNAL_H
#define BELFRY_EXPORTERS_OUTBOX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "exporters/history.h"
#include "exporters/integration.h"

struct notify;
struct dest;

/* A message on its way. The payload stays in state.db until it is sent. */
struct row {
	int64_t id; /* row id, 0 before it was written */
	/* in `block`; tried: receivers that gave this message up or were told of it instead, a
	 * line each */
	struct str message_id, title, receiver, group_key, thread, tried;
	void *block, *key_block, *tried_block; /* group_key and tried, when they were changed */
	struct dest *dest;
	uint64_t group_hash, order; /* order: place in its lane */
	enum integration_kind kind;
	size_t index;  /* which of the receiver's integrations of this kind */
	int64_t ends;  /* how many resolved alerts it tells; -1: not known */
	bool first;    /* it, or one it replaced, tells that the incident began */
	bool repeated; /* by the repeat interval */
	bool firing, in_flight, parked, degraded, is_new, dirty, finished, replaced;
	char *payload; /* until the first write to state.db */
	size_t payload_len;
	/* likewise: what a graph for it would show (graph.h); NULL: none */
	char *graph_spec;
	size_t graph_spec_len;
	struct graph_answer *graph; /* of the attempt under way */
	bool graph_asked, graph_waiting, wants_png;
	char *content; /* the message itself (message_pack.h), likewise; may be NULL */
	size_t content_len;
	unsigned attempts, step;
	int64_t created_ms, expires_ms; /* wall */
	int64_t since_ms; /* wall: created, or that of the oldest message it replaced */
	int64_t next_mono_ms, started_mono_ms;
	char error[200];
	struct row *prev, *next; /* in its lane, in order */
	struct row *next_dirty;
};

/* A receiver's integration. Lives until the end: rows and metrics refer to it. */
struct dest {
	struct str receiver; /* owned */
	enum integration_kind kind;
	size_t index;
	struct lane *lane;
	unsigned in_flight, waiting;
	int64_t last_success_ms;
	uint64_t failed;
	char last_error[200];
	struct metric *sent_total, *retries_total, *coalesced_total, *queued, *last_success;
	struct metric *failed_total[3]; /* by enum give_up_reason */
	struct dest *next;
};

/* The unit of pacing. */
struct lane {
	uint64_t key; /* of the place; equal keys are one lane */
	struct row *first, *last;
	int64_t pace_ms;
	unsigned parallel, in_flight;
	int64_t pace_mono_ms;   /* no request starts before: pace */
	int64_t hold_mono_ms;   /* nothing but an extra does: backoff */
	int64_t closed_mono_ms; /* nothing at all does: Retry-After */
	unsigned failures;      /* in a row */
	int64_t failed_mono_ms; /* when the last was counted */
	uint64_t head_order;    /* the row that failed last as head */
	uint64_t extra_order;   /* the row last tried beside it */
	int64_t extra_mono_ms;  /* one may be tried then; INT64_MAX: none */
	struct lane *next;
};

enum give_up_reason { GIVE_UP_REFUSED, GIVE_UP_EXPIRED, GIVE_UP_GONE };

/* What an integration keeps about an incident's thread (Slack: the root message). */
struct thread_data {
	char *thread, *data; /* owned */
	uint64_t hash;
	int64_t at_ms; /* wall, last change */
	bool dirty, over;
	struct thread_data *next_dirty;
};

/* --- outbox_tell.c --- */

/* Renders the message for this integration and puts it into the outbox; what waits there and says
 * less is taken into it. m is changed: reason, first, note, resolved alerts. tried: as in a row. */
void outbox_tell(struct notify *n, struct message *m, const struct receiver_config *r,
	const struct integration *in, struct str tried);
/* The story of its alerts hears of the message; the dispatcher says so itself. */
void outbox_note_told(struct notify *n, const struct message *m, const struct receiver_config *r,
	const struct integration *in, const char *why);
/* A new message id. */
struct str outbox_message_id(struct notify *n, struct arena *a);
/* The thread of an incident for integration i of a receiver that the route does not name. */
struct str outbox_thread(const struct notify *n, const struct message *m,
	const struct receiver_config *r, size_t i, struct arena *a);

/* --- outbox.c --- */

struct row_texts {
	struct str message_id, title, receiver, group_key, thread, tried;
};
struct row *row_new(const struct row_texts *t);
void row_free(struct row *r);
void row_mark(struct notify *n, struct row *r);
struct row *row_by_id(const struct notify *n, int64_t id);
struct dest *outbox_dest(
	struct notify *n, struct str receiver, enum integration_kind kind, size_t index);
/* Into its lane: at the end, or in the place of another row, which leaves it. */
void outbox_link(struct notify *n, struct row *r);
void outbox_replace(struct notify *n, struct row *old, struct row *r);
void outbox_unlink(struct notify *n, struct row *r);
/* The newest row of this group that is linked for this integration, or NULL. */
struct row *outbox_newest(const struct notify *n, const struct dest *d, struct str group_key);
/* What waits or is under way for one group is another's now. */
void outbox_rekey(struct notify *n, struct str from, struct str to);
/* Whether an older one stands before it. */
bool outbox_has_older(const struct notify *n, const struct row *r);
/* After a new configuration: integrations may go elsewhere now. */
void outbox_use_config(struct notify *n);
const struct receiver_config *outbox_receiver(const struct notify *n, struct str name);
const struct integration *outbox_integration(
	const struct notify *n, struct str receiver, enum integration_kind kind, size_t index);
/* Takes the row; the outbox is full: false, and it is freed, loudly. */
bool outbox_add(struct notify *n, struct row *take);
/* For the story of the message (history.h). */
void outbox_note(
	struct notify *n, const struct row *r, enum attempt_outcome outcome, struct str detail);
void outbox_free(struct notify *n);

/* --- outbox_send.c --- */
void outbox_pump(struct notify *n);
int64_t outbox_due(const struct notify *n);

/* --- outbox_fail.c --- */

/* The row is parked (it stays in state.db, to be looked at), counted, logged, and told to the
 * receiver's fallback. */
void outbox_give_up(struct notify *n, struct row *r, enum give_up_reason why);

/* --- outbox_graph.c --- */

/* What the row's payload has a place for, from the message. */
void outbox_graph_spec(struct row *r, const struct message *m, const struct integration *in);
/* True: the row may go. False: its graph was asked for; the row's time is when it goes without. */
bool outbox_graph_ready(struct notify *n, struct row *r);
/* The attempt is over: the next one asks again. */
void outbox_graph_drop(struct row *r);

/* --- outbox_store.c --- */
int outbox_store_load(struct notify *n, sqlite3 *db, struct err *e) MUST_CHECK;
int outbox_store_write(struct notify *n, sqlite3 *db, struct err *e) MUST_CHECK; /* repeatable */
void outbox_store_committed(struct notify *n);
void outbox_store_close(struct notify *n);
/* A row that was parked and, in the transaction under way, is no more: into memory and its lane,
 * dirty. NULL: it cannot be read. */
struct row *outbox_store_take_back(
	struct notify *n, sqlite3 *db, int64_t id, struct err *e) MUST_CHECK;
/* The payload, or the packed message, of a row that was written; malloc'ed, NUL behind. */
int outbox_store_payload(
	struct notify *n, int64_t id, char **out, size_t *len, struct err *e) MUST_CHECK;
int outbox_store_graph(struct notify *n, int64_t id, char **out, size_t *len, bool *wants_png,
	struct err *e) MUST_CHECK;
int outbox_store_content(
	struct notify *n, int64_t id, char **out, size_t *len, struct err *e) MUST_CHECK;

/* --- thread_data.c --- */

/* The text kept about a thread; empty when there is none. */
struct str thread_get(const struct notify *n, struct str thread);
void thread_put(struct notify *n, struct str thread, struct str data);
/* Its last message was delivered: forget it. */
void thread_over(struct notify *n, struct str thread);
/* Those that did not change since. */
void thread_prune(struct notify *n, int64_t before_ms);
void thread_free(struct notify *n, struct thread_data *t);
void thread_free_all(struct notify *n);

#endif
