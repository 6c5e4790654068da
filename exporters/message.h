/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - what a notification says, before a receiver's format is put on it.
 *
 * Built from a group at its flush; borrowed views, valid while the group's alerts do not change.
 */
#ifndef BELFRY_EXPORTERS_MESSAGE_H
#define BELFRY_EXPORTERS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "exporters/notify.h"
#include "exporters/sender.h"
#include "exporters/unit.h"

struct message_alert {
	bool firing;
	struct labels labels, annotations;
	uint64_t fingerprint;
	int64_t starts_at_ms, ends_at_ms;        /* ends 0 while firing */
	double value, current, worst, threshold; /* NaN: not known */
	const char *op;                          /* "" when there is none */
	struct str rule, group, expr;
	struct str generator_url; /* of an alert from outside: what it came with */
	struct unit unit;         /* of the values; message_finish sets it */
};

enum message_reason {
	REASON_FIRST,
	REASON_NEW_ALERTS,
	REASON_SOME_RESOLVED,
	REASON_ALL_RESOLVED,
	REASON_REPEAT
};

struct notify_templates;

struct message {
	bool firing; /* some alert fires */
	size_t n_firing, n_resolved;
	const struct message_alert *alerts; /* firing first, then by severity and labels */
	size_t n;
	struct labels group_labels, common_labels, common_annotations;
	struct str receiver, external_url, group_key;
	enum message_reason reason;
	int64_t now_ms;
	int64_t incident_ms; /* when the group's first alert of this incident came */
	struct str id;       /* unique and stable: the outbox row's dedup key */
	struct str thread;   /* the same for all messages of an incident */
	bool first;          /* of the incident, for this integration */
	/* One line for people, to stand right under the headline; empty: none. Plain text:
	 * "first tried: ops/slack, refused: answered 404 no_service", "escalated from ops: ...". */
	struct str note;
	/* links for people; empty when there is no external_url or the thing is not built */
	struct str silence_url, ack_url, page_url;
	struct labels route_labels;               /* of the route, as configured */
	const struct notify_templates *templates; /* exporters/notify_template.h; NULL: none read */
};

/* Common labels and annotations, counts and order from m->alerts. Arrays in a. */
void message_finish(struct message *m, struct message_alert *alerts, size_t n, struct arena *a);
const char *message_reason_text(enum message_reason r);
/* "ConnectionPoolExhausted · shop": alert name(s) and where; the same for firing and resolved, so
 * that threads hold. */
void message_subject(const struct message *m, struct buf *out);
/* All texts below are for people and harmless but for a format's own escaping: no control
 * characters, no marks of direction, valid UTF-8, cut with a visible mark (exporters/clean.h). */
/* "pool orders at 100 % ...": the summary, else the description, else the expression and value of
 * an alert. */
void message_summary(const struct message_alert *al, struct buf *out);
/* The same in one rounded number: "30m", "2h". */
void message_span(struct buf *out, int64_t ms);
/* A value of an alert with its unit: "97 %", "1.2 s". */
void message_value(const struct message_alert *al, double v, struct buf *out);
/* A number for people: 4 significant digits, no exponent for everyday sizes. */
void message_number(struct buf *out, double v);
/* "3m 20s". */
void message_duration(struct buf *out, int64_t ms);
/* "now 97 % (alert at > 90 %), peak 100 %, for 3m 20s" or, resolved, "fired for 3m 20s, worst 100
 * %, now 20 %". */
void message_values(const struct message *m, const struct message_alert *al, struct buf *out);
/* Labels of one alert that are not common to all, "k=v, k=v". */
void message_own_labels(const struct message *m, const struct message_alert *al, struct buf *out);
/* The (at most max) alerts that are worst: those that fire first, by how far their value is beyond
 * the threshold. How many. */
size_t message_worst(const struct message *m, const struct message_alert **out, size_t max);
/* Of many alerts at once: the label that tells them apart best and its most frequent values,
 * "instance: 7 of 12 on db1:9100, 3 on db2:9100, +2 more"; nothing for few alerts or when no label
 * gathers them. */
void message_spread(const struct message *m, struct buf *out);
/* http(s) link of an annotation, or empty: nothing else is ever made a link. */
struct str message_link(
	const struct message *m, const struct message_alert *al, const char *annotation);
/* external_url/graph?g0.expr=... ; nothing when there is no external URL. Of an alert from outside
 * the link it came with. */
void message_graph_url(const struct message *m, const struct message_alert *al, struct buf *out);

/* Formats: the body that is stored in the outbox (exporters/integration.h is the door). */
void slack_render(const struct message *m, const struct slack_config *c, struct buf *out);
void webhook_render(const struct message *m, const struct webhook_config *c, struct buf *out);

#endif
