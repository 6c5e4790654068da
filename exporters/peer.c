/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - the peer thread and its messages; see peer.h.
 *
 * Rule threads copy what an evaluation says into an update; when too many wait the update is lost
 * and the notifier is asked for all that fires instead, as after a reload that brings the first
 * peers.
 */
#include "exporters/peer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/role.h"
#include "base/steps.h"
#include "exporters/notify_api.h"
#include "exporters/peer_internal.h"

#define UPDATE_MEMORY ((size_t)512 << 20) /* of one evaluation: bounded by its alerts */
#define ASK_MEMORY    ((size_t)512 << 20)
#define ASK_AGAIN_MS  1000
/* An alert the notifier does not name is over, unless it was heard of this recently: the notifier
 * may not have come to it. */
#define UNHEARD_MS 10000
/* Packets made in one turn: results and updates wait no longer than that. */
#define PICKS_PER_TURN 16u

static void msg_free(struct peer_msg *m)
{
	arena_fini(&m->arena);
	send_request_free(m->req);
	free(m);
}

/* ---- on rule threads ---- */

static struct labels copy(struct arena *a, struct labels ls)
{
	return ls.n > 0 ? labels_copy(a, ls) : (struct labels){NULL, 0};
}

static void fact_of(struct arena *a, const struct alert_event *ev, struct peer_fact *f)
{
	struct str expr = ev->rule != NULL ? ev->rule->expr : STR("");

	*f = (struct peer_fact){
		.labels = copy(a, ev->labels),
		.annotations = copy(a, ev->annotations),
		.fingerprint = ev->fingerprint,
		.rule_hash = hash_str(expr),
		.expr = arena_str(a, expr),
		.fired_at_ms = ev->fired_at_ms,
		.resolved_at_ms = ev->to == ALERT_INACTIVE ? ev->resolved_at_ms : 0,
		.interval_ms = ev->rule != NULL ? ev->rule->interval_ms : 0,
		.firing = ev->to == ALERT_FIRING,
	};
}

static void tell_thread(struct peers *p, const struct alert_batch *b)
{
	struct peer_msg *m;

	if (atomic_fetch_add(&p->updates, 1) >= LIMIT_PEER_UPDATES) {
		METRIC_LIMIT("peer_updates");
		goto lost;
	}
	m = calloc(1, sizeof *m);
	ASSERT(m != NULL);
	m->kind = PEER_UPDATE;
	arena_init(&m->arena, UPDATE_MEMORY);
	m->facts = ARENA_ARRAY(&m->arena, b->n, struct peer_fact);
	for (size_t i = 0; m->facts != NULL && i < b->n; i++) {
		const struct alert_event *ev = &b->events[i];

		if (ev->to != ALERT_PENDING || ev->from == ALERT_FIRING)
			fact_of(&m->arena, ev, &m->facts[m->n++]);
	}
	if (m->n > 0 && !m->arena.failed && queue_push(p->in, m, 1))
		return;
	if (m->n == 0) {
		msg_free(m);
		atomic_fetch_sub(&p->updates, 1);
		return;
	}
	msg_free(m);
lost:
	atomic_fetch_sub(&p->updates, 1);
	atomic_store(&p->lost, true);
}

static bool tap(void *ctx, struct alert_batch *b)
{
	struct peers *p = ctx;

	if (atomic_load(&p->active) && b->n > 0)
		tell_thread(p, b);
	return p->next.submit == NULL || p->next.submit(p->next.ctx, b);
}

struct alert_sink peers_sink(struct peers *p, struct alert_sink next)
{
	if (p->next.submit == NULL)
		p->next = next; /* rule threads read it: not again at a reload */
	next.ctx = p;
	next.submit = tap;
	return next;
}

/* ---- on the peer thread ---- */

static void take_view(struct peers *p, const struct alert_view *v)
{
	struct peer_fact f = {
		.labels = v->labels,
		.annotations = v->annotations,
		.fingerprint = v->fingerprint,
		.rule_hash = hash_str(v->expr),
		.expr = v->expr,
		.fired_at_ms = v->starts_at_ms,
		.interval_ms = p->cfg->evaluation_interval_ms,
		.firing = true,
	};

	peer_table_take(&p->table, &f);
}

/* All that fires, from the notifier: what this thread has not heard. */
static void ask_notifier(struct peers *p, int64_t mono_ms)
{
	struct alert_query q = {.active = true,
		.silenced = true,
		.inhibited = true,
		.muted = true,
		.max = LIMIT_PEER_ALERTS};
	struct alert_view *v;
	struct arena a;
	struct err e = {0};
	size_t n;

	p->ask_mono_ms = INT64_MAX;
	if (p->notify == NULL)
		return;
	atomic_store(&p->lost, false);
	arena_init(&a, ASK_MEMORY);
	if (notify_alerts(p->notify, &q, &a, &v, &n, &e) == 0) {
		for (size_t i = 0; i < n; i++) {
			if (!v[i].external && v[i].firing)
				take_view(p, &v[i]);
		}
		peer_table_end_unheard(&p->table, mono_ms - UNHEARD_MS, clock_wall_ms());
	} else {
		p->ask_mono_ms = mono_ms + ASK_AGAIN_MS;
	}
	arena_fini(&a);
}

static void take_reload(struct peers *p, const struct peer_config *cfg)
{
	bool had = p->n > 0;

	p->cfg = cfg;
	peer_send_configure(p);
	if (p->n == 0) {
		peer_table_fini(&p->table);
		peer_table_init(&p->table);
	} else {
		peer_table_all_urgent(&p->table);
		if (!had)
			p->ask_mono_ms = clock_mono_ms();
	}
}

static void take(struct peers *p, struct peer_msg *m)
{
	switch (m->kind) {
	case PEER_UPDATE:
		atomic_fetch_sub(&p->updates, 1);
		for (size_t i = 0; i < m->n && p->n > 0; i++)
			peer_table_take(&p->table, &m->facts[i]);
		break;
	case PEER_RESULT: peer_send_result(p, m->peer_id, m->req); break;
	case PEER_RELOAD: {
		static char taken;
		bool pushed;

		take_reload(p, m->cfg);
		pushed = queue_push(p->ack, &taken, 1);
		ASSERT(pushed);
		break;
	}
	case PEER_STOP: p->stopping = true; break;
	}
	msg_free(m);
}

/* What is due, in bounded work. */
static void turn(struct peers *p)
{
	struct peer_alert *v[LIMIT_PEER_BATCH];
	int64_t mono = clock_mono_ms();

	if (atomic_load(&p->lost) && p->ask_mono_ms == INT64_MAX)
		p->ask_mono_ms = mono;
	if (p->n > 0 && p->ask_mono_ms <= mono)
		ask_notifier(p, mono);
	peer_table_turn(&p->table, mono, clock_wall_ms());
	for (unsigned i = 0; i < PICKS_PER_TURN; i++) {
		size_t n = peer_table_pick(&p->table, v, LIMIT_PEER_BATCH, mono);

		if (n == 0)
			break;
		peer_send_alerts(p, v, n);
	}
	peer_send_pump(p, mono);
}

static int64_t due_mono_ms(const struct peers *p)
{
	int64_t due = MIN_OF(peer_table_due(&p->table), peer_send_due(p));

	if (p->n > 0)
		due = MIN_OF(due, p->ask_mono_ms);
	return due;
}

static void *run(void *arg)
{
	struct peers *p = arg;

	steps_thread_begin();
	role_enter(ROLE_PEER);
	while (!p->stopping) {
		struct peer_msg *m = queue_pop_due(p->in, due_mono_ms(p), -1);

		if (m != NULL)
			take(p, m);
		if (m == NULL || queue_len(p->in) == 0)
			turn(p);
	}
	steps_thread_end();
	return NULL;
}

/* ---- from outside ---- */

static size_t count_urls(const struct peer_config *cfg)
{
	size_t n = 0;

	for (size_t i = 0; i < cfg->n_groups; i++)
		n += cfg->groups[i].n_urls;
	return n;
}

static int start(struct peers *p, struct err *e)
{
	int rc;

	steps_thread_new();
	rc = pthread_create(&p->thread, NULL, run, p);
	if (rc != 0) {
		steps_thread_end();
		return err_set(e, ERR_IO, rc, "cannot start a thread: %s", err_strerror(rc));
	}
	p->started = true;
	return 0;
}

static void send_msg(struct peers *p, enum peer_msg_kind kind, const struct peer_config *cfg)
{
	struct peer_msg *m = calloc(1, sizeof *m);
	bool pushed;

	ASSERT(m != NULL);
	m->kind = kind;
	m->cfg = cfg;
	pushed = queue_push(p->in, m, 1);
	ASSERT(pushed); /* room for all updates, results and this */
}

int peers_new(struct peers **out, const struct peer_config *cfg, struct notify *notify,
	struct sender sender, struct err *e)
{
	struct peers *p = calloc(1, sizeof *p);

	if (p == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	p->in = queue_new(LIMIT_PEER_UPDATES + LIMIT_CLIENT_QUEUE + 4 * LIMIT_PEERS, 0);
	p->ack = queue_new(1, 0);
	p->sender = sender;
	p->notify = notify;
	p->cfg = cfg;
	p->ask_mono_ms = INT64_MAX;
	peer_table_init(&p->table);
	*out = p;
	if (count_urls(cfg) == 0)
		return 0;
	/* rules tell all their alerts when they start: nobody needs to be asked */
	peer_send_configure(p);
	atomic_store(&p->active, true);
	if (start(p, e) == 0)
		return 0;
	peers_free(p);
	*out = NULL;
	return -1;
}

void peers_reload(struct peers *p, const struct peer_config *cfg)
{
	struct err e = {0};
	bool active = count_urls(cfg) > 0;

	if (!p->started) {
		p->cfg = cfg;
		if (!active)
			return;
		if (start(p, &e) != 0) {
			log_error("peer", "msg=\"no alerts are handed on\" error=\"%s\"", e.msg);
			return;
		}
	}
	atomic_store(&p->active, active);
	send_msg(p, PEER_RELOAD, cfg);
	(void)queue_pop(p->ack, -1);
}

void peers_stop(struct peers *p)
{
	if (!p->started)
		return;
	atomic_store(&p->active, false);
	send_msg(p, PEER_STOP, NULL);
	queue_close(p->in);
	(void)pthread_join(p->thread, NULL);
	p->started = false;
}

void peers_free(struct peers *p)
{
	struct peer_msg *m;

	if (p == NULL)
		return;
	queue_close(p->in);
	while ((m = queue_pop(p->in, 0)) != NULL)
		msg_free(m);
	peer_send_clear(p);
	peer_table_fini(&p->table);
	queue_free(p->in);
	queue_free(p->ack);
	free(p);
}
