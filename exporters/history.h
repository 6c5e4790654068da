/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - what happened to an alert, as told by the dispatcher and the outbox while they work.
 *
 * Called on the state writer, inside the transaction whose work it tells of, once per fact however
 * often the transaction is tried. Must be cheap: a call per alert and transition, never one per
 * evaluation.
 */
#ifndef BELFRY_EXPORTERS_HISTORY_H
#define BELFRY_EXPORTERS_HISTORY_H

#include <stdint.h>

#include "base/labels.h"

struct notify;

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
	HISTORY_UNMUTED, /* detail: group key */
	HISTORY_TOLD,    /* detail: message id, receiver/integration/index, reason */
	HISTORY_REFUSED, /* detail: which limit */
};

struct history_fact {
	int64_t at_ms; /* wall */
	uint64_t fingerprint;
	struct labels labels;
	enum history_kind kind;
	struct str detail;
};

/* Views are borrowed. */
void history_note(struct notify *n, const struct history_fact *f);

#endif
