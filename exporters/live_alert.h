/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_alert - the table of alerts that fire, or whose end is still to be told: from our rules and
 * from outside. Groups hold members that point here, so that an alert in several groups exists
 * once.
 *
 * State writer thread. An alert lives while it fires or while a group holds it. What suppresses it
 * is kept with it and is always up to date: whoever changes silences, inhibition or labels' sources
 * works it out anew for the alerts concerned.
 */
#ifndef BELFRY_EXPORTERS_LIVE_ALERT_H
#define BELFRY_EXPORTERS_LIVE_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/map.h"
#include "exporters/message.h"
#include "rules/alert_event.h"

struct silence;
struct inhibit_link;
struct member;

struct live_alert {
	struct message_alert al; /* labels and texts point into `block`, annotations into `notes` */
	struct str generator_url; /* of one from outside, in `notes` */
	void *block, *notes;
	uint64_t hash;          /* of the labels, seeded */
	uint64_t ref;           /* alert_event.ref; 0: no rule of this process told it */
	struct member *members; /* by next_of_alert */
	bool from_rule;         /* a rule says that it fires */
	bool external;          /* was posted and has not ended */
	bool timed_out;         /* its end is a guess: nobody gave one */
	bool dirty, listed;     /* external: to be written; in the table */
	int64_t updated_ms;     /* wall */
	int64_t external_ends_ms;
	size_t external_bytes;   /* of its texts, while it is external */
	struct heap_node expiry; /* external: monotonic end */
	struct live_alert *next_dirty;
	/* suppression */
	struct silence **silences; /* those that work on it now */
	size_t n_silences;
	struct inhibit_link *links; /* its sides of inhibition rules */
	size_t n_links;
	bool inhibited;
};

struct live_alerts {
	struct map by_labels;  /* seeded: fingerprints can be forged to collide */
	struct map by_ref;     /* those whose ref is known */
	size_t n_external;     /* firing ones */
	size_t external_bytes; /* of their texts */
	struct live_alert *dirty;
	struct metric *gauge;
};

/* What makes an alert, besides its labels. Views are copied. */
struct live_alert_source {
	struct labels labels, annotations;
	struct str rule, group, expr, generator_url;
	uint64_t fingerprint;
};

void live_alerts_init(struct live_alerts *t);
/* Frees all alerts; links and silences must be gone. */
void live_alerts_fini(struct live_alerts *t);
struct live_alert *live_alert_find(const struct live_alerts *t, struct labels ls);
struct live_alert *live_alert_new(struct live_alerts *t, const struct live_alert_source *s);
/* Takes other annotations and link over, if they differ. */
void live_alert_set_notes(
	struct live_alert *a, struct labels annotations, struct str generator_url);
void live_alert_set_values(struct live_alert *a, const struct alert_event *ev);
/* From now on the alert is found by this ref. */
void live_alert_bind(struct live_alerts *t, struct live_alert *a, uint64_t ref);
struct live_alert *live_alert_by_ref(const struct live_alerts *t, uint64_t ref);
/* Out of the table, memory freed: nobody holds it any more. */
void live_alert_free(struct live_alerts *t, struct live_alert *a);
void live_alert_mark(struct live_alerts *t, struct live_alert *a);
/* What is dirty stands in state.db now. */
void live_alerts_committed(struct live_alerts *t);
const char *live_alert_op(const char *op); /* the constant text, "" for others */

static inline bool live_alert_suppressed(const struct live_alert *a)
{
	return a->n_silences > 0 || a->inhibited;
}

#endif
