/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert_event - what one evaluation of a rule group says about its alerts, on its way from the
 * rule thread to the state writer (which persists it, routes it, and fills the outbox, in one
 * transaction).
 */
#ifndef BELFRY_RULES_ALERT_EVENT_H
#define BELFRY_RULES_ALERT_EVENT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/labels.h"

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

struct alert_event {
	enum alert_state from, to; /* equal when only value or annotations changed */
	bool save; /* something beyond the value changed without a transition: write the row */
	bool keep_firing;          /* firing on because of keep_firing_for */
	struct labels labels;      /* with alertname; sorted */
	struct labels annotations; /* expanded; belfry_* ones removed */
	uint64_t fingerprint;      /* labels_fingerprint(labels) */
	int64_t active_at_ms;      /* pending since */
	int64_t fired_at_ms;       /* 0 while pending */
	int64_t resolved_at_ms;    /* 0 until it is over */
	int64_t keep_firing_since_ms;
	double value; /* of the expression at this evaluation; on resolve: the last firing value */
	double current;   /* of the compared side, also when resolved; NaN when not known */
	double worst;     /* extreme of the compared side since it fired, in the direction of the
			     comparison */
	double threshold; /* NaN when the rule compares with no constant */
	char op[3];       /* ">", "<=", ...; "" when there is none */
	uint64_t ref;     /* number of this alert, unique while the process lives; 0: stored one */
	bool held;        /* firing on because belfry_clear_if did not say that it is over */
	struct str top_expr; /* belfry_top with its templates filled in; empty: none. Not sent */
	const struct alert_rule_info *rule;
};

/* A firing alert that is not among the events: only its values changed since it was told. */
struct alert_value {
	uint64_t ref;
	double value, current, worst;
};

/* A label set that a belfry_absent_after rule knows, to be stored or forgotten. */
struct alert_seen {
	struct str rule_key;
	struct labels labels; /* none and forget: all of the rule */
	int64_t since_ms;     /* there since */
	int64_t last_ms;      /* when it was there last, once it is missed; 0 while it is there */
	bool forget;
};

/* Facts of the rule, the same for all its alerts; lives in the batch's arena. */
struct alert_rule_info {
	struct str file, group, name, expr;
	struct str
		rule_key; /* stable identity in state.db: file;group;name;hash of expr and labels */
	int64_t for_ms, keep_firing_for_ms, interval_ms;
};

/* One evaluation of a group: owned, given away through alert_sink. */
struct alert_batch {
	struct arena arena;   /* holds everything below */
	struct str group_key; /* file;group */
	int64_t slot_ms;      /* the evaluation's time */
	/* Pending, firing or just resolved alerts of the group: every one, or (sink.compact) those
	 * that changed: a transition, `save`, other annotations, or told for the first time by this
	 * process. */
	struct alert_event *events;
	size_t n;
	const struct alert_value *values; /* sink.compact: of firing alerts not in events */
	size_t n_values;
	const struct alert_seen *seen;
	size_t n_seen;
	bool changed; /* some event is a transition, or the slot must be stored: write to state.db
		       */
};

/* rules/alert_store.c. NULL is fine. */
void alert_batch_free(struct alert_batch *b);
/* An empty batch with its arena; everything in it is to be allocated there. */
struct alert_batch *alert_batch_new(size_t memory);

struct alert_sink {
	void *ctx;
	/* Takes batches with what changed only, and `values`: it finds an alert by the ref that
	 * its event told. */
	bool compact;
	/* Takes the batch; false when its queue is full: the caller tries again with the next
	 * evaluation, keeping its transitions. */
	bool (*submit)(void *ctx, struct alert_batch *batch);
};

/* rules/alert_store.c: rows of state.db. Save the batch's transitions (state writer, inside a
 * transaction). */
int alert_store_save(sqlite3 *db, const struct alert_batch *b, struct err *e) MUST_CHECK;

/* What was stored, at start: one call per pending or firing alert, views valid during the call.
 * rule_key, fingerprint and to, active_at, fired_at, keep_firing_since, value, current, worst are
 * set; rule is NULL. */
int alert_store_load(sqlite3 *db,
	void (*fn)(struct str rule_key, const struct alert_event *ev, void *arg), void *arg,
	struct err *e) MUST_CHECK;
/* The stored label sets of belfry_absent_after rules; views valid during the call. */
int alert_store_load_seen(sqlite3 *db, void (*fn)(const struct alert_seen *s, void *arg), void *arg,
	struct err *e) MUST_CHECK;
/* The last stored slot of a group; 0 when there is none. */
int alert_store_slot(sqlite3 *db, struct str group_key, int64_t *slot_ms, struct err *e) MUST_CHECK;

#endif
