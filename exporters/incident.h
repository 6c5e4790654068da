/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident - what is known about a group's incident besides its alerts: whether somebody
 * acknowledged it, whether anybody was reached, who was told next. State writer thread only.
 *
 *   incident.c        the table; what flushes and deliveries mean for it
 *   escalate.c        the steps of `escalate:` that have come due
 *   ack.c             acknowledgements (ack.h)
 *   incident_store.c  rows of state.db
 *
 * An incident has an entry only while it is acknowledged or its receiver escalates. The clock of
 * the steps starts with the first message and again when an alert joins an acknowledged incident.
 */
#ifndef BELFRY_EXPORTERS_INCIDENT_H
#define BELFRY_EXPORTERS_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/limits.h"
#include "exporters/outbox_internal.h"

struct group;
struct live_alert;
struct notify;
struct sqlite3; /* as sqlite3.h names it */

struct incident {
	char *key; /* the group's, owned */
	uint64_t hash;
	int64_t incident_ms;           /* which of the group's */
	int64_t started_ms;            /* wall: the clock of the steps */
	int64_t started_mono_ms;       /* the same */
	int64_t delivered_ms;          /* wall: somebody was reached since; 0: nobody */
	uint64_t done[LIMIT_ESCALATE]; /* steps told since (step_id) */
	size_t n_done;
	uint64_t
		told[2 * LIMIT_ESCALATE]; /* receivers that hear of its end (hash_fixed of names) */
	size_t n_told;
	int64_t acked_ms;          /* wall; 0: not acknowledged */
	char *acked_by, *ack_note; /* owned */
	uint64_t *acked;           /* sorted fingerprints of what fired then */
	size_t n_acked;
	struct heap_node due; /* monotonic time of the next step; in no heap: none */
	bool dirty, dead;
	/* During group_reroute: alerts moved to it; its acknowledgement came with them. */
	bool carried, ack_carried;
	struct incident *next_dirty;
};

/* --- incident.c --- */
/* Of the group as it is now; NULL when there is no entry. */
struct incident *incident_of(const struct notify *n, const struct group *g);
struct incident *incident_get(struct notify *n, const struct group *g); /* made when missing */
void incident_mark(struct notify *n, struct incident *i);
void incident_due_at(struct notify *n, struct incident *i, int64_t mono_ms); /* INT64_MAX: never */
void incident_drop(struct notify *n, struct incident *i); /* over: deleted with the next commit */
void incident_free(struct notify *n, struct incident *i);
void incident_free_all(struct notify *n);
/* Fingerprints of what fires in the group, sorted, malloc'ed. heard: only what receivers are told
 * of, not what is suppressed. */
uint64_t *incident_firing(const struct group *g, bool heard, size_t *count);
/* Acknowledged, and no alert joined since. */
bool incident_is_quiet(const struct notify *n, const struct group *g);
/* Something about the incident for the story of all that fires in it: "text" or "text: more". */
void incident_note(struct notify *n, const struct group *g, enum history_kind kind, struct str text,
	struct str more);
/* At the end of a flush, before ended alerts are forgotten. told: somebody was told something. */
void incident_flushed(struct notify *n, struct group *g, bool told);
/* By a new configuration an alert of `from` is in `to` now: its acknowledgement goes along; whole:
 * with all that is known of the incident, else the escalation's clock only. */
void incident_carry(struct notify *n, const struct group *from, struct group *to,
	const struct live_alert *a, bool whole);
/* When all were carried: an acknowledgement that is not of all that fires in its group is none. */
void incident_carried(struct notify *n);
/* A step of escalation told this receiver. */
bool incident_told(const struct incident *i, struct str receiver);
/* After a new configuration: steps may be others now. */
void incident_replan(struct notify *n);
/* The group is being freed. */
void incident_gone(struct notify *n, const struct group *g);
/* A row of the outbox was accepted. */
void incident_delivered(struct notify *n, const struct row *r);
int64_t incident_due(const struct notify *n);

/* --- escalate.c --- */
void escalate_due(struct notify *n);
/* When the next step of it comes due (i->due). */
void escalate_plan(struct notify *n, struct incident *i, const struct group *g);
/* Its end, to those who were told by a step. */
void escalate_end(struct notify *n, const struct incident *i, const struct group *g);

/* --- incident_store.c --- */
int incident_store_load(struct notify *n, struct sqlite3 *db, struct err *e) MUST_CHECK;
int incident_store_write(struct notify *n, struct err *e) MUST_CHECK; /* repeatable */
void incident_store_committed(struct notify *n);
void incident_store_close(struct notify *n);

#endif
