/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtest - `belfry backtest`: rules, and routing when a configuration is given, over recorded
 * history.
 *
 * The rules are replayed (rules/replay.h); what they tell goes through the real notifier, on this
 * thread, with the clock set to each moment, a state.db in memory, and a sender that accepts
 * everything. A data directory is read as it stands, also that of a running belfry.
 *
 *   backtest.c         options, loading, the end
 *   backtest_fetch.h   history of another server (--url)
 *   backtest_stop.h    ^C while there is a directory to remove
 *   backtest_past.c    what people did meanwhile: silences, acknowledgements
 *   backtest_run.c     one set of rules over the time: what fired, how long
 *   backtest_notify.c  the notifier under the replay's clock: who was told, when
 *   backtest_report.c  text;  backtest_json.c  JSON
 */
#ifndef BELFRY_AGENT_BACKTEST_H
#define BELFRY_AGENT_BACKTEST_H

#include "agent/config.h"
#include "base/dur.h"
#include "base/tz.h"
#include "exporters/past.h"
#include "rules/replay.h"

struct bt_opts {
	const struct select_source *source;
	const struct config *config; /* NULL: rules alone */
	const struct past *past;     /* what people did meanwhile; NULL: not asked for */
	int64_t from_ms, to_ms;      /* what is counted */
	int64_t begin_ms;            /* where the replay begins: before from_ms */
	int64_t interval_ms;         /* of groups that name none */
	int64_t slot_unit_ms;        /* base/slot.h */
	size_t max_memory;
	const struct tz *tz;
	int night_from, night_to; /* minutes of the local day; from > to: over midnight */
	bool progress;
	bool slots_only;
};

struct bt_span { /* an alert, from firing to its end */
	int64_t start_ms, end_ms;
	struct str labels;
	uint64_t ref;
	bool open;    /* at the end of the time */
	bool already; /* fired before the time began */
};

struct bt_rule {
	const struct replay_rule *facts;
	uint64_t firings; /* begun within the time */
	uint64_t night;   /* of these */
	uint64_t spent;   /* alerts that were pending and never fired */
	int64_t total_ms, max_ms;
	struct bt_span *spans;
	size_t n_spans, cap_spans;
	size_t lost_spans; /* over the limit: counted, not listed */
};

struct bt_message {
	int64_t at_ms;
	struct str receiver, title;
	const char *integration;
	bool night;
};

struct bt_receiver {
	struct str name;
	const char *integration;
	uint64_t messages, night, by_hour[24];
};

/* One set of rules over the time. */
struct bt_run {
	struct arena arena; /* texts of spans and messages */
	struct str name;    /* the files */
	const struct rule_set *rs;
	struct replay *replay;
	struct bt_rule *rules; /* in file order; recording rules too */
	size_t n_rules;
	struct bt_message *messages;
	size_t n_messages, cap_messages;
	struct bt_receiver *receivers;
	size_t n_receivers;
	uint64_t firings, night_messages;
	double seconds;
};

/* backtest_run.c */
int bt_run(struct bt_run *r, struct str name, const struct rule_set *rs, const struct bt_opts *o,
	struct err *e) MUST_CHECK;
void bt_run_free(struct bt_run *r);
bool bt_is_night(const struct bt_opts *o, int64_t t_ms);
/* Local wall time of the backtest's zone as a civil time. */
void bt_local(const struct bt_opts *o, int64_t t_ms, struct civil *c);

/* backtest_notify.c */
struct bt_notify;
int bt_notify_new(struct bt_notify **out, struct bt_run *r, const struct bt_opts *o,
	struct err *e) MUST_CHECK;
/* Whether batches may hold changes and values only. */
bool bt_notify_compact(const struct bt_notify *n);
/* Times must not go back. */
int bt_notify_batch(struct bt_notify *n, struct alert_batch *take, struct err *e) MUST_CHECK;
int bt_notify_advance(struct bt_notify *n, int64_t to_ms, struct err *e) MUST_CHECK;
void bt_notify_free(struct bt_notify *n);

/* backtest_past.c: silences and acknowledgements of a data directory's state.db, as far as they are
 * wanted. *found false: there is no state.db. */
int bt_past_read(const char *dir, int64_t from_ms, int64_t to_ms, struct arena *a, struct past *out,
	bool *found, struct err *e) MUST_CHECK;
/* "with 2 silences and 1 acknowledgement of that time", or nothing. */
void bt_past_print(struct buf *out, const struct past *p);

/* backtest_report.c: other NULL unless two sets of rules are compared. */
void bt_report(struct buf *out, const struct bt_opts *o, const struct bt_run *r,
	const struct bt_run *other);
/* backtest_json.c */
void bt_json(struct buf *out, const struct bt_opts *o, const struct bt_run *r,
	const struct bt_run *other);

int backtest_main(int argc, char **argv);

#endif
