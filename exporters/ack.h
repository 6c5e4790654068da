/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ack - "I am on it": somebody acknowledges an incident (a group of alerts from its first alert to
 * its last end).
 *
 * An acknowledged incident is not escalated and not repeated, until an alert joins it that was not
 * there yet; its changes and its end are told as ever. It is over with the incident.
 *
 * Threads: any but the loop and the state writer. What changes something returns after the commit:
 * a kill -9 a moment later forgets nothing. Errors: ERR_INPUT with code 404: there is no such
 * incident (any more); ERR_AGAIN: the state writer is busy; ERR_IO: state.db cannot be written.
 */
#ifndef BELFRY_EXPORTERS_ACK_H
#define BELFRY_EXPORTERS_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct notify;

#define ACK_WHO_MAX  200u /* bytes; longer texts are cut, what is not fit for a line is replaced */
#define ACK_NOTE_MAX 1000u

/* The incident of this group. incident_ms: the one that is meant, as a message's link names it; 0:
 * the one that is. */
int notify_ack(struct notify *n, struct str group_key, int64_t incident_ms, struct str who,
	struct str note, struct err *e) MUST_CHECK;
/* All incidents an alert is firing in; how many goes to *count (may be NULL). */
int notify_ack_alert(struct notify *n, uint64_t fingerprint, struct str who, struct str note,
	size_t *count, struct err *e) MUST_CHECK;
/* Takes it back. One that is not acknowledged stays as it is. */
int notify_unack(struct notify *n, struct str group_key, int64_t incident_ms, struct str who,
	struct err *e) MUST_CHECK;

/* For replays, which have no state writer thread: acknowledged, or taken back, in all incidents the
 * alert fires in, at the next state_turn; nothing happens when it fires in none. False: the queue
 * is full. */
bool notify_post_ack(struct notify *n, uint64_t fingerprint, bool take_back) MUST_CHECK;

struct ack_view {
	struct str group_key, who, note;
	int64_t incident_ms, at_ms;
	size_t n_alerts; /* firing when it was acknowledged */
};
/* Those that hold. Texts in a. */
int notify_acks(struct notify *n, struct arena *a, struct ack_view **out, size_t *count,
	struct err *e) MUST_CHECK;

#endif
