/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_internal - what the files of the peers share. All of it belongs to the peer thread but what
 * says otherwise.
 *
 *   peer.c        messages, the thread, reload
 *   peer_table.c  which alerts there are and when they are told (again)
 *   peer_send.c   packets, queues, requests, retries
 */
#ifndef BELFRY_EXPORTERS_PEER_INTERNAL_H
#define BELFRY_EXPORTERS_PEER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "exporters/peer.h"

#define PEER_RESEND_MS   60000  /* Prometheus's rules.alert.resend-delay */
#define PEER_RESOLVED_MS 900000 /* resolved alerts are told again so long */

/* --- messages --- */
enum peer_msg_kind { PEER_UPDATE, PEER_RESULT, PEER_RELOAD, PEER_STOP };

struct peer_fact { /* of an alert, at one evaluation */
	struct labels labels, annotations;
	uint64_t fingerprint, rule_hash;
	struct str expr;
	int64_t fired_at_ms, resolved_at_ms, interval_ms;
	bool firing; /* else, without resolved_at_ms: no more, and not told */
};
struct peer_msg {
	enum peer_msg_kind kind;
	/* update */
	struct arena arena;
	struct peer_fact *facts;
	size_t n;
	/* result */
	struct send_request *req;
	uint64_t peer_id;
	/* reload */
	const struct peer_config *cfg;
};

/* --- table --- */
struct peer_alert {
	uint64_t hash;                     /* of labels and rule */
	struct labels labels, annotations; /* labels_clone */
	char *expr;
	uint64_t rule_hash;
	int64_t starts_ms, resolved_ms; /* wall; 0: firing */
	int64_t interval_ms;
	int64_t sent_mono_ms;  /* 0: never */
	int64_t heard_mono_ms; /* of a fact about it */
	struct peer_alert *prev, *next;
	bool urgent; /* in which list it is */
};
struct peer_list {
	struct peer_alert *first, *last;
	size_t n;
};
struct peer_table {
	struct map by_hash;
	struct peer_list urgent; /* to be told now */
	struct peer_list told;   /* by the time they were told: oldest first */
};

void peer_table_init(struct peer_table *t);
void peer_table_fini(struct peer_table *t);
void peer_table_take(struct peer_table *t, const struct peer_fact *f);
/* What is due moves to `urgent`; resolved ones that were told long enough go. */
void peer_table_turn(struct peer_table *t, int64_t mono_ms, int64_t wall_ms);
/* The next time peer_table_turn has something to do; INT64_MAX: never. */
int64_t peer_table_due(const struct peer_table *t);
/* Up to max alerts of `urgent`, which become told; views until the next call. */
size_t peer_table_pick(struct peer_table *t, struct peer_alert **out, size_t max, int64_t mono_ms);
/* All of them are to be told at once. */
void peer_table_all_urgent(struct peer_table *t);
/* What fires, was not heard of since `mono_ms` and by nobody before either: over, as of wall_ms. */
void peer_table_end_unheard(struct peer_table *t, int64_t mono_ms, int64_t wall_ms);

/* --- sending --- */
struct peer_packet { /* immutable; shared by the peers of a group, counted by the peer thread */
	unsigned refs;
	size_t n;
	int64_t made_mono_ms;
	char *body;
	size_t body_len;
};
struct peer_waiting {
	struct peer_packet *packet;
	struct peer_waiting *next;
};
struct peer {
	uint64_t id;
	struct str url; /* the configuration's */
	const struct peer_group_config *group;
	struct peer_waiting *first, *last;
	size_t n_alerts; /* waiting */
	bool in_flight;
	unsigned failures; /* in a row */
	int64_t hold_mono_ms;
	struct metric *sent, *errors, *queued, *last_success;
};

struct peers {
	struct queue *in;       /* struct peer_msg */
	struct queue *ack;      /* of reloads */
	_Atomic bool active;    /* there are peers: the sink tells the thread */
	_Atomic bool lost;      /* an update found no room: ask the notifier for all */
	_Atomic size_t updates; /* waiting in `in` */
	pthread_t thread;
	bool started;           /* caller's of peers_new, _reload, _stop */
	struct alert_sink next; /* set once, before rules start */
	struct sender sender;
	struct notify *notify;
	/* the thread's */
	const struct peer_config *cfg;
	struct peer_table table;
	struct peer *v;
	size_t n;
	uint64_t last_id;
	bool stopping;
	int64_t ask_mono_ms; /* next try to ask the notifier; INT64_MAX: not needed */
};

/* New peers as cfg says, the old queues dropped. */
void peer_send_configure(struct peers *p);
void peer_send_clear(struct peers *p);
/* A packet for each group from these alerts, into the queues. */
void peer_send_alerts(struct peers *p, struct peer_alert *const *v, size_t n);
/* Hands requests to the sender where one may go. */
void peer_send_pump(struct peers *p, int64_t mono_ms);
int64_t peer_send_due(const struct peers *p);
void peer_send_result(struct peers *p, uint64_t peer_id, struct send_request *req);
/* An alert as Alertmanager takes it; false when relabelling drops it. */
bool peer_render(const struct peer_config *cfg, const struct peer_group_config *g,
	const struct peer_alert *al, int64_t wall_ms, struct buf *out);

#endif
