/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_api - the door to the dispatcher for those who are not the state writer: silences, alerts,
 * groups, alerts from outside.
 *
 * Threads: any but the loop and the state writer; every call waits for the state writer. What
 * changes something returns after the commit. What asks is answered from memory, also while
 * state.db cannot be written. Answers are copied into the caller's arena, with a NUL behind every
 * string; an arena that is too small gives ERR_LIMIT. Arrays are never NULL. Times are Unix ms.
 *
 * Errors: ERR_INPUT with code 400 or 404 and the text Alertmanager answers with; ERR_LIMIT: a bound
 * was hit; ERR_AGAIN: the state writer is busy; ERR_IO: state.db cannot be written and belfry
 * stops.
 */
#ifndef BELFRY_EXPORTERS_NOTIFY_API_H
#define BELFRY_EXPORTERS_NOTIFY_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/matcher.h"
#include "exporters/notify.h"

/* --- silences (Alertmanager's semantics: reference notify.md D14) --- */

enum silence_state { SILENCE_ACTIVE, SILENCE_PENDING, SILENCE_EXPIRED };

struct silence_matcher {
	struct str name, value;
	bool is_regex, is_equal; /* =: equal; =~: regex and equal; !=: none; !~: regex */
};

/* A silence as given and as shown. */
struct silence_view {
	struct str id; /* UUID; put: empty makes a new one */
	const struct silence_matcher *matchers;
	size_t n_matchers;
	int64_t starts_at_ms, ends_at_ms;
	struct str created_by, comment;
	struct labels annotations; /* sorted by name; values may be any text */
	/* A recurring silence: it works only inside these time intervals (and between start and
	 * end). A list as of Alertmanager's `time_intervals`, as YAML or JSON text:
	 *   [{"weekdays": ["saturday"], "times": [{"start_time": "01:00", "end_time": "03:00"}],
	 *     "location": "Europe/Berlin"}]
	 * Empty: always. Given as the annotation "belfry_recurring" it means the same. */
	struct str recurring;
	/* Shown only: */
	int64_t updated_at_ms;
	enum silence_state state; /* pending, too, while a recurring one waits for its next time */
	size_t n_alerts;          /* firing alerts it silences now */
};

/* Creates, edits in place, or ends the old one and makes a new one; the id it has afterwards goes
 * to `id`. starts_at 0 is now. */
int notify_silence_put(
	struct notify *n, const struct silence_view *s, char id[37], struct err *e) MUST_CHECK;
/* Ends it now; one that is over stays as it is. */
int notify_silence_expire(struct notify *n, struct str id, struct err *e) MUST_CHECK;
int notify_silence_get(struct notify *n, struct str id, struct arena *a, struct silence_view *out,
	struct err *e) MUST_CHECK;
/* All of them: active by end, pending by start, expired with the latest first. */
int notify_silences(struct notify *n, struct arena *a, struct silence_view **out, size_t *count,
	struct err *e) MUST_CHECK;

/* --- alerts --- */

/* Which alerts are asked for. Zero-filled it asks for none: set the flags. */
struct alert_query {
	const struct matcher *matchers;
	size_t n_matchers;
	const struct regex *receiver; /* of at least one of its receivers; NULL: any */
	bool active;                  /* those that are not suppressed */
	bool silenced, inhibited;     /* those that are */
	bool muted;                   /* groups: those of groups muted by a time interval */
	size_t max;                   /* 0: LIMIT_API_ALERTS */
};

struct alert_view {
	uint64_t fingerprint;
	struct labels labels, annotations;
	int64_t starts_at_ms, updated_at_ms;
	int64_t ends_at_ms; /* when it ends unless it is heard of again; when it ended */
	bool firing;
	struct str generator_url;
	const struct str *receivers; /* names */
	size_t n_receivers;
	const struct str *silenced_by; /* ids */
	size_t n_silenced_by;
	const struct str *inhibited_by; /* fingerprints, 16 hex digits */
	size_t n_inhibited_by;
	const struct str *muted_by; /* names of time intervals */
	size_t n_muted_by;
	/* For explanations; NaN when not known, empty for alerts from outside. */
	double value, current, worst, threshold;
	struct str rule, rule_group, expr;
	bool external;
};

/* Firing alerts, sorted by fingerprint. */
int notify_alerts(struct notify *n, const struct alert_query *q, struct arena *a,
	struct alert_view **out, size_t *count, struct err *e) MUST_CHECK;

struct group_view {
	struct labels labels, route_labels;
	struct str receiver, key; /* key: '{}/{team="db"}:{alertname="X"}' */
	const struct alert_view *alerts;
	size_t n_alerts;
};
/* Groups with at least one alert that is asked for, sorted by labels, then receiver. */
int notify_groups(struct notify *n, const struct alert_query *q, struct arena *a,
	struct group_view **out, size_t *count, struct err *e) MUST_CHECK;

/* An alert from outside (POST /api/v2/alerts, D1 and D2). Zero times are "not given". */
struct external_alert {
	struct labels labels, annotations; /* any order; empty values are dropped */
	int64_t starts_at_ms, ends_at_ms;
	struct str generator_url;
};
/* All valid ones are stored; when some are not, -1 with ERR_INPUT 400 and what is wrong with them,
 * joined. */
int notify_post_alerts(
	struct notify *n, const struct external_alert *v, size_t count, struct err *e) MUST_CHECK;

/* --- receivers, in the order of the configuration --- */

int notify_receivers(struct notify *n, struct arena *a, struct str **names, size_t *count,
	struct err *e) MUST_CHECK;

/* --- test messages (notify_test.c): through renderer and outbox, without route, group or history
 * --- */

struct test_message {
	struct str id; /* of the outbox row */
	struct str integration;
	size_t index; /* among the receiver's of this kind */
	bool sends_resolved;
};
/* One for each integration of a receiver: that an alert fires or, of the same incident, that it is
 * over (only where ends are sent). ERR_INPUT 404: no such receiver; 400: it has no integration. */
int notify_test(struct notify *n, struct str receiver, int64_t incident_ms, bool firing,
	struct arena *a, struct test_message **out, size_t *count, struct err *e) MUST_CHECK;

struct message_state {
	struct str state; /* waiting, delivered, failed, expired, replaced, unknown */
	struct str error; /* of the last attempt */
	int64_t attempts;
};
/* What became of a message, from state.db. Any thread. */
int notify_message_state(struct notify *n, struct str id, struct arena *a,
	struct message_state *out, struct err *e) MUST_CHECK;

#endif
