/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_internal - what the files of the notifier share: groups, their members, the sent log, the
 * outbox.
 *
 * Everything belongs to the state writer thread. Memory is the truth; what differs from state.db is
 * marked dirty and written by the module's tick inside the same transaction as the evaluation that
 * caused it (storage/state.h).
 *
 *   notify.c          glue: jobs, module hooks, reload, status
 *   notify_event.c    events -> alerts (exporters/live_alert.h), which begin and end
 *   notify_group.c    groups and members, timers
 *   notify_suppress.c silences, inhibition, time intervals: what is not told, and when again
 *   notify_external.c alerts from outside
 *   notify_api.c      the door for other threads
 *   notify_reroute.c  a new configuration: groups and members find their new places
 *   notify_heir.c     what becomes of the incidents whose alerts moved
 *   notify_flush.c    a due group -> who must be told what -> outbox rows
 *   notify_store.c    dirty things -> rows; rows -> memory at start
 *   outbox*.c         rows -> receivers: outbox_internal.h
 */
#ifndef BELFRY_EXPORTERS_NOTIFY_INTERNAL_H
#define BELFRY_EXPORTERS_NOTIFY_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/heap.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/metrics.h"
#include "exporters/graph.h"
#include "exporters/history.h"
#include "exporters/incident.h"
#include "exporters/inhibit.h"
#include "exporters/integration.h"
#include "exporters/live_alert.h"
#include "exporters/message.h"
#include "exporters/notify.h"
#include "exporters/outbox_internal.h"
#include "exporters/route.h"
#include "exporters/silence.h"

#define INTEGRATIONS_MAX LIMIT_INTEGRATIONS /* the configuration refuses more */
#define ROUTES_MAX       LIMIT_ALERT_ROUTES

/* One alert in one group. */
struct member {
	struct live_alert *a;
	struct group *group;
	struct member *next_of_alert;
	bool dirty, gone; /* gone: its end was told, the row is to be deleted */
};

/* What one integration was told last about a group. */
struct sent {
	enum integration_kind kind; /* which one, with index */
	size_t index;
	bool any; /* told something at all */
	/* It came when others had been told of the incident: its thread is its own. */
	bool apart;
	bool moved;                  /* during group_reroute: it was told of an alert that moved */
	int64_t at_ms;               /* wall */
	uint64_t *firing, *resolved; /* sorted fingerprints */
	size_t n_firing, n_resolved;
	/* Told as firing earlier, left out of the last message because they are suppressed, and not
	 * told as resolved: their end is still owed. */
	uint64_t *held;
	size_t n_held;
};

struct group {
	struct str key; /* "<route key>:{a="b"}", owned */
	uint64_t hash;
	size_t route;         /* index into the route table */
	struct labels labels; /* in `block` */
	void *block;
	struct map members; /* by the hash of the labels */
	size_t n_firing;
	int64_t incident_ms;     /* wall: when this incident began */
	uint64_t name;           /* of the incident in receivers' threads and keys: the hash of the
				  * key it began under */
	int64_t flushed_wall_ms; /* 0: never */
	struct heap_node due;    /* monotonic time of the next flush; in no heap: none */
	struct sent *sent;       /* one per integration of that receiver */
	size_t n_sent;
	char *receiver;   /* whom `sent` speaks of; owned */
	bool dirty, dead; /* dead: to be deleted from state.db and freed */
	bool muted_noted; /* the history knows that it is muted */
	bool nameless;    /* during group_reroute: new, and may go on with another's incident */
	struct group *next_dirty;
};

/* ROUTE_NONE: its route is gone (reload). It tells the old receiver the end of what it was told,
 * and nothing else. */
#define ROUTE_NONE        SIZE_MAX
#define GROUP_ORPHAN_MARK '\001' /* in its key: behind it stands the receiver */

/* What time intervals say about a route now. */
struct route_mute {
	bool muted;
	struct str *names; /* of the intervals that mute it, or of those it waits for */
	size_t n_names;
};

struct notify {
	struct state *state;
	struct sender sender;
	struct graph_source graphs;
	const struct notify_config *cfg;
	struct arena route_arena;
	struct route_table routes;
	struct route_mute *mutes; /* by route, in route_arena */
	bool any_intervals;
	bool loading;           /* what is found again after a start is no news for the history */
	int64_t minute_mono_ms; /* when intervals are looked at next */
	struct live_alerts alerts;
	struct silence_set silences;
	struct metric *suppressed_total[2]; /* notify_suppress.c */
	struct inhibitor inhibitor;
	struct heap due;      /* groups */
	struct heap expiries; /* alerts from outside */
	struct map groups;    /* by hash of the key */
	struct map rows;      /* by id */
	struct map linked;    /* rows in lanes, by group_hash */
	struct heap steps;    /* incidents whose next step of escalation comes due */
	struct map incidents; /* struct incident by hash of the group's key */
	struct map threads;   /* struct thread_data by hash of the thread */
	struct dest *dests;
	struct lane *lanes;
	uint64_t row_order; /* counts rows as they come */
	size_t n_rows;
	int64_t prune_mono_ms; /* when old parked rows and threads are looked for again */
	struct group *dirty_groups;
	struct row *dirty_rows;
	struct thread_data *dirty_threads;
	struct incident *dirty_incidents;
	int64_t due_mono_ms; /* the earliest of all groups' and rows' times */
	uint64_t seq;        /* makes message ids unique, stored in state.db */
	bool seq_dirty;
	struct history *history;
	char instance[17]; /* random, drawn once per state.db */
	atomic_bool quiet;
	sqlite3_stmt *st[24];         /* prepared statements, notify_store.c */
	sqlite3_stmt *outbox_st[16];  /* outbox_store.c */
	sqlite3_stmt *incident_st[2]; /* incident_store.c */
	struct metric *groups_gauge, *outbox_gauge, *expired_total, *invalid_total, *fallback_total,
		*escalated_total;
};

static inline const struct message_alert *member_alert(const struct member *m)
{
	return &m->a->al;
}

/* heard: and receivers are told so, it is not suppressed. */
static inline bool member_fires(const struct member *m, bool heard)
{
	return !m->gone && m->a->al.firing && !(heard && live_alert_suppressed(m->a));
}

/* notify_event.c: alerts begin, change and end. */
void event_apply(struct notify *n, const struct alert_batch *b);
/* It begins to fire (new, or again before its end was told); al.starts_at_ms is set. */
void event_fire(struct notify *n, struct live_alert *a, int64_t wall_ms);
/* Nobody says any more that it fires. */
void event_resolve(struct notify *n, struct live_alert *a, int64_t ends_at_ms);
/* Frees it when it neither fires nor is held by a group. */
void event_release(struct notify *n, struct live_alert *a);
void event_note(
	struct notify *n, const struct live_alert *a, enum history_kind kind, struct str detail);

/* notify_group.c */
void group_mark(struct notify *n, struct group *g);
void group_free(struct notify *n, struct group *g);
struct group *group_new(struct notify *n, struct str key, struct labels labels, size_t route);
void group_update_due(struct notify *n);
void group_told_by(struct group *g, const struct receiver_config *r); /* sent becomes empty */
struct group *group_find(const struct notify *n, struct str key);
struct member *group_member(const struct group *g, const struct live_alert *a); /* not gone */
struct member *group_join(struct group *g, struct live_alert *a);
void group_forget(struct notify *n, struct group *g, struct member *m); /* frees m */
void group_join_all(struct notify *n, struct live_alert *a); /* into the groups of its routes */
struct str group_key_of(
	const struct notify *n, size_t route, struct labels labels, struct arena *a);
void group_due_by(struct notify *n, struct group *g, int64_t mono_ms); /* no later than this */
void group_due_at(struct notify *n, struct group *g, int64_t mono_ms); /* INT64_MAX: never */
int64_t group_due_ms(const struct group *g);
void group_schedule_change(struct notify *n, struct group *g, const struct live_alert *a);
size_t receiver_integrations(const struct receiver_config *r);
struct str group_shown_key(const struct group *g); /* the one receivers know */
/* The incident's thread for one of the integrations of g's receiver. */
struct str group_thread(
	const struct notify *n, const struct group *g, const struct sent *s, struct arena *a);
/* The incident's name, of this group key and beginning, dead groups included. */
uint64_t group_name_of(const struct notify *n, struct str key, int64_t incident_ms);
/* The group that goes on with the incident that began under this key, or was told under it before
 * another configuration, or NULL. */
struct group *group_heir(const struct notify *n, struct str key, int64_t incident_ms);
const struct receiver_config *group_receiver(const struct notify *n, const struct group *g);
const struct route_config *group_route(const struct notify *n, const struct group *g);

/* notify_suppress.c: what is not told, and when it is told again. */
void suppress_new(struct notify *n, struct live_alert *a); /* works it out, tells the history */
void suppress_silences(struct notify *n);                  /* follows changes and the clock */
void suppress_minute(struct notify *n);                    /* time intervals */
void suppress_config(struct notify *n);                    /* the configuration is another */
void suppress_load(struct notify *n); /* after suppress_config, when alerts and groups stand */
void suppress_free(struct notify *n);
int64_t suppress_due(const struct notify *n);

/* notify_external.c: alerts from outside. */
int external_load(struct notify *n, struct err *e) MUST_CHECK;
int external_write(const struct notify *n, sqlite3 *db, struct err *e) MUST_CHECK;
void external_committed(struct notify *n);
void external_expire(struct notify *n);
void external_disarm(struct notify *n, struct live_alert *a); /* its timer */
/* D1, D2: all valid ones; what is wrong with the others goes to `wrong`. */
void external_post(
	struct notify *n, const struct external_alert *v, size_t count, struct buf *wrong);

/* notify_reroute.c: after a reload, and after loading what another configuration may have left. */
void group_reroute(struct notify *n);

/* notify_heir.c: alerts that moved, in the order of the groups they left. */
struct heirs {
	struct heir {
		struct group *from, *to;
		struct live_alert *a;
		bool knew; /* `to` had told of it already */
	} * v;
	size_t n, cap;
};
void heirs_note(
	struct heirs *h, struct group *from, struct group *to, struct live_alert *a, bool knew);
/* Receivers know both under the same name. */
static inline bool same_incident(const struct group *a, const struct group *b)
{
	return a->name == b->name && a->incident_ms == b->incident_ms;
}
/* When all have moved; h is empty then. */
void heirs_settle(struct notify *n, struct heirs *h);

/* notify_flush.c */
void flush_due_groups(struct notify *n);
/* The group's key, labels, incident and alerts into m, message_finish included. */
void message_of_group(
	struct message *m, const struct group *g, bool with_resolved, struct arena *a);
bool sent_contains(const uint64_t *v, size_t n, uint64_t fp);
bool sent_owes(const struct sent *s, uint64_t fp); /* told that it fires, not that it ended */
void sent_forget(struct sent *s, uint64_t fp);     /* as if it had not been told */
/* Somebody would be told something now. */
bool flush_wanted(struct notify *n, struct group *g);

/* notify_store.c */
int notify_store_load(struct notify *n, struct err *e) MUST_CHECK;
int notify_store_write(struct notify *n, sqlite3 *db, struct err *e) MUST_CHECK; /* repeatable */
void notify_store_committed(struct notify *n);
void notify_store_close(struct notify *n);

#endif
