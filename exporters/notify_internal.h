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
 *   notify_group.c    events -> groups and members, timers
 *   notify_reroute.c  a new configuration: groups and members find their new places
 *   notify_flush.c    a due group -> who must be told what -> outbox rows
 *   notify_store.c    dirty things -> rows; rows -> memory at start
 *   outbox*.c         rows -> receivers: outbox_internal.h
 */
#ifndef BELFRY_EXPORTERS_NOTIFY_INTERNAL_H
#define BELFRY_EXPORTERS_NOTIFY_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/metrics.h"
#include "exporters/history.h"
#include "exporters/integration.h"
#include "exporters/message.h"
#include "exporters/notify.h"
#include "exporters/outbox_internal.h"
#include "exporters/route.h"

#define INTEGRATIONS_MAX 64u /* of one receiver */
#define ROUTES_MAX       64u /* nodes one alert may reach through `continue` */

/* One alert in one group. Its strings stand in one block behind the struct. */
struct member {
	struct message_alert al; /* labels, annotations and texts point into `block` */
	void *block;
	struct member *next_dirty;
	bool dirty, gone; /* gone: told as resolved, the row is to be deleted */
};

/* What one integration was told last about a group. */
struct sent {
	enum integration_kind kind; /* which one, with index */
	size_t index;
	bool any;                    /* told something at all */
	int64_t at_ms;               /* wall */
	uint64_t *firing, *resolved; /* sorted fingerprints */
	size_t n_firing, n_resolved;
};

struct group {
	struct str key; /* "<route key>:{a="b"}", owned */
	uint64_t hash;
	size_t route;         /* index into the route table */
	struct labels labels; /* in `block` */
	void *block;
	struct map members; /* by fingerprint */
	size_t n_firing;
	int64_t incident_ms;     /* wall: when this incident began */
	int64_t flushed_wall_ms; /* 0: never */
	int64_t due_mono_ms;     /* next flush; INT64_MAX: none */
	struct sent *sent;       /* one per integration of that receiver */
	size_t n_sent;
	char *receiver;   /* whom `sent` speaks of; owned */
	bool dirty, dead; /* dead: to be deleted from state.db and freed */
	struct group *next_dirty;
};

struct notify {
	struct state *state;
	struct sender sender;
	const struct notify_config *cfg;
	struct arena route_arena;
	struct route_table routes;
	struct map groups;  /* by hash of the key */
	struct map rows;    /* by id */
	struct map linked;  /* rows in lanes, by group_hash */
	struct map threads; /* struct thread_data by hash of the thread */
	struct dest *dests;
	struct lane *lanes;
	uint64_t row_order; /* counts rows as they come */
	size_t n_rows;
	struct group *dirty_groups;
	struct row *dirty_rows;
	struct thread_data *dirty_threads;
	int64_t due_mono_ms; /* the earliest of all groups' and rows' times */
	uint64_t seq;        /* makes message ids unique, stored in state.db */
	bool seq_dirty;
	struct history *history;
	char instance[17]; /* random, drawn once per state.db */
	atomic_bool quiet;
	sqlite3_stmt *st[24];        /* prepared statements, notify_store.c */
	sqlite3_stmt *outbox_st[16]; /* outbox_store.c */
	struct metric *groups_gauge, *outbox_gauge, *expired_total, *invalid_total, *fallback_total;
};

/* notify_group.c */
void group_apply(struct notify *n, const struct alert_batch *b);
void group_mark(struct notify *n, struct group *g);
void group_free(struct notify *n, struct group *g);
struct group *group_new(struct notify *n, struct str key, struct labels labels, size_t route);
struct member *member_new(const struct alert_event *ev);
void member_free(struct member *m);
void group_update_due(struct notify *n);
void group_told_by(struct group *g, const struct receiver_config *r); /* sent becomes empty */
struct group *group_find(const struct notify *n, struct str key);
struct member *group_member(const struct group *g, uint64_t fp, struct labels ls);
struct str group_key_of(
	const struct notify *n, size_t route, struct labels labels, struct arena *a);
void group_due_by(struct notify *n, struct group *g, int64_t mono_ms);
size_t receiver_integrations(const struct receiver_config *r);

/* notify_reroute.c: after a reload, and after loading what another configuration may have left. */
void group_reroute(struct notify *n);

/* notify_flush.c */
void flush_due_groups(struct notify *n);
/* The group's key, labels, incident and alerts into m, message_finish included. */
void message_of_group(
	struct message *m, const struct group *g, bool with_resolved, struct arena *a);
bool sent_contains(const uint64_t *v, size_t n, uint64_t fp);

/* notify_store.c */
int notify_store_load(struct notify *n, struct err *e) MUST_CHECK;
int notify_store_write(struct notify *n, sqlite3 *db, struct err *e) MUST_CHECK; /* repeatable */
void notify_store_committed(struct notify *n);
void notify_store_close(struct notify *n);

#endif
