/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_send - from alerts to requests: a packet is rendered once for a group of Alertmanagers and
 * waits in the queue of each, which has one request under way. What fails is tried again until the
 * next round of the same alerts waits behind it.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/integration.h"
#include "exporters/peer_internal.h"

#define BODY_BYTES     ((size_t)16 << 20)
#define BACKOFF_MAX_MS 15000
#define ALERT_MEMORY   ((size_t)2 << 20) /* labels of one alert while they are relabelled */

/* ---- packets ---- */

static void packet_unref(struct peer_packet *k)
{
	ASSERT(k->refs > 0);
	if (--k->refs > 0)
		return;
	free(k->body);
	free(k);
}

static void put_time(struct jsonw *j, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	time_print_ms(&b, ms);
	jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

static void put_query(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			buf_ch(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

static void put_generator(struct jsonw *j, struct str external_url, const char *expr)
{
	struct buf b;

	if (external_url.n == 0)
		return;
	buf_init(&b, 4 * (size_t)LIMIT_EXPR_BYTES);
	buf_str(&b, external_url);
	if (b.n > 0 && b.p[b.n - 1] == '/')
		b.n--;
	buf_c(&b, "/graph?g0.expr=");
	put_query(&b, str_c(expr));
	buf_c(&b, "&g0.tab=1");
	if (!b.failed)
		jsonw_kv_str(j, "generatorURL", buf_view(&b));
	buf_fini(&b);
}

/* The labels as they leave: with the external ones, relabelled. */
static bool outgoing(const struct peer_config *cfg, const struct peer_group_config *g,
	struct labels ls, struct arena *a, struct labels *out)
{
	struct labels_builder b;

	labels_builder_init(&b, a, ls);
	for (size_t i = 0; i < cfg->external_labels.n; i++) {
		const struct label *l = &cfg->external_labels.v[i];

		if (labels_builder_get(&b, l->name).n == 0)
			labels_builder_set(&b, l->name, l->value);
	}
	if (!relabel_apply(cfg->relabel, cfg->n_relabel, &b) ||
		!relabel_apply(g->relabel, g->n_relabel, &b))
		return false;
	*out = labels_builder_done(&b);
	if (!a->failed)
		return true;
	METRIC_DROP("peer", "too_large", 1);
	return false;
}

bool peer_render(const struct peer_config *cfg, const struct peer_group_config *g,
	const struct peer_alert *al, int64_t wall_ms, struct buf *out)
{
	int64_t ahead = 4 * MAX_OF(al->interval_ms, PEER_RESEND_MS);
	struct labels ls;
	struct arena a;
	struct jsonw j;
	bool kept;

	arena_init(&a, ALERT_MEMORY);
	kept = outgoing(cfg, g, al->labels, &a, &ls);
	if (kept) {
		jsonw_init(&j, out);
		jsonw_object(&j);
		jsonw_key(&j, "labels");
		jsonw_labels(&j, ls);
		jsonw_key(&j, "annotations");
		jsonw_labels(&j, al->annotations);
		put_time(&j, "startsAt", al->starts_ms);
		put_time(&j, "endsAt", al->resolved_ms != 0 ? al->resolved_ms : wall_ms + ahead);
		put_generator(&j, cfg->external_url, al->expr);
		jsonw_object_end(&j);
	}
	arena_fini(&a);
	return kept;
}

static struct peer_packet *render_all(const struct peers *p, const struct peer_group_config *g,
	struct peer_alert *const *v, size_t n)
{
	struct peer_packet *k = calloc(1, sizeof *k);
	int64_t now = clock_wall_ms();
	struct buf b;

	ASSERT(k != NULL);
	buf_init(&b, BODY_BYTES);
	for (size_t i = 0; i < n; i++) {
		size_t before = b.n;

		buf_ch(&b, k->n > 0 ? ',' : '[');
		if (peer_render(p->cfg, g, v[i], now, &b)) {
			k->n++;
		} else {
			b.n = before;
			METRIC_DROP("peer", "relabelled", 1);
		}
	}
	buf_ch(&b, ']');
	if (k->n == 0 || b.failed) {
		if (b.failed)
			METRIC_DROP("peer", "too_large", n);
		buf_fini(&b);
		free(k);
		return NULL;
	}
	k->made_mono_ms = clock_mono_ms();
	k->body = buf_take(&b, &k->body_len);
	return k;
}

/* ---- queues ---- */

static void drop_first(struct peer *x)
{
	struct peer_waiting *w = x->first;

	ASSERT(w != NULL);
	x->first = w->next;
	if (x->first == NULL)
		x->last = NULL;
	x->n_alerts -= w->packet->n;
	metric_set(x->queued, (double)x->n_alerts);
	packet_unref(w->packet);
	free(w);
}

/* The oldest that is not under way. */
static void drop_oldest(struct peer *x)
{
	struct peer_waiting *busy = x->in_flight ? x->first : NULL;

	if (busy == NULL) {
		drop_first(x);
		return;
	}
	x->first = busy->next;
	drop_first(x);
	busy->next = x->first;
	x->first = busy;
	if (busy->next == NULL)
		x->last = busy;
}

static void enqueue(struct peer *x, struct peer_packet *k)
{
	struct peer_waiting *w = calloc(1, sizeof *w);

	ASSERT(w != NULL);
	while (x->n_alerts + k->n > LIMIT_PEER_QUEUE && x->first != x->last) {
		size_t before = x->n_alerts;

		drop_oldest(x);
		METRIC_LIMIT("peer_queue");
		METRIC_DROP("peer", "queue_full", before - x->n_alerts);
	}
	w->packet = k;
	k->refs++;
	if (x->last != NULL)
		x->last->next = w;
	else
		x->first = w;
	x->last = w;
	x->n_alerts += k->n;
	metric_set(x->queued, (double)x->n_alerts);
}

void peer_send_alerts(struct peers *p, struct peer_alert *const *v, size_t n)
{
	for (size_t i = 0; i < p->n;) {
		const struct peer_group_config *g = p->v[i].group;
		struct peer_packet *k = render_all(p, g, v, n);

		if (k != NULL)
			k->refs++; /* ours, until all have it */
		for (; i < p->n && p->v[i].group == g; i++) {
			if (k != NULL)
				enqueue(&p->v[i], k);
		}
		if (k != NULL)
			packet_unref(k);
	}
}

void peer_send_clear(struct peers *p)
{
	for (size_t i = 0; i < p->n; i++) {
		while (p->v[i].first != NULL)
			drop_first(&p->v[i]);
	}
	free(p->v);
	p->v = NULL;
	p->n = 0;
}

static void add_peer(struct peers *p, const struct peer_group_config *g, struct str url)
{
	struct peer *x = &p->v[p->n++];

	*x = (struct peer){.id = ++p->last_id, .url = url, .group = g};
	x->sent = metric_counter_l("belfry_peer_sent_alerts_total",
		"Alerts an Alertmanager has taken.", "alertmanager", url);
	x->errors = metric_counter_l("belfry_peer_errors_total",
		"Requests to an Alertmanager that failed.", "alertmanager", url);
	x->queued = metric_gauge_l("belfry_peer_queue_alerts",
		"Alerts that wait for an Alertmanager.", "alertmanager", url);
	x->last_success = metric_gauge_l("belfry_peer_last_success_timestamp_seconds",
		"When an Alertmanager last took alerts.", "alertmanager", url);
	metric_set(x->queued, 0);
}

void peer_send_configure(struct peers *p)
{
	size_t n = 0;

	peer_send_clear(p);
	for (size_t i = 0; i < p->cfg->n_groups; i++)
		n += p->cfg->groups[i].n_urls;
	p->v = calloc(n + 1, sizeof *p->v);
	ASSERT(p->v != NULL);
	for (size_t i = 0; i < p->cfg->n_groups; i++) {
		for (size_t k = 0; k < p->cfg->groups[i].n_urls; k++)
			add_peer(p, &p->cfg->groups[i], p->cfg->groups[i].urls[k]);
	}
	metric_set(metric_gauge("belfry_peer_queue_limit_alerts",
			   "Most alerts that wait for one Alertmanager.", NULL),
		LIMIT_PEER_QUEUE);
	metric_set(metric_gauge("belfry_peers", "Alertmanagers alerts are handed to.", NULL),
		(double)p->n);
}

/* ---- requests ---- */

struct job { /* what a request carries through the client */
	struct peers *p;
	uint64_t peer_id;
};

/* On the client's thread. */
static void on_done(struct send_request *req, void *arg)
{
	struct job *job = arg;
	struct peer_msg *m = calloc(1, sizeof *m);

	ASSERT(m != NULL);
	m->kind = PEER_RESULT;
	m->req = req;
	m->peer_id = job->peer_id;
	if (!queue_push(job->p->in, m, 1)) { /* stopped */
		send_request_free(req);
		free(m);
	}
	free(job);
}

static struct send_request *make_request(const struct peer *x, struct err *e)
{
	struct send_request *req = send_request_new(SEND_HTTP);
	const struct peer_packet *k = x->first->packet;

	req->url = str_dup_c(x->url);
	req->body = malloc(k->body_len + 1);
	ASSERT(req->body != NULL);
	memcpy(req->body, k->body, k->body_len + 1);
	req->body_len = k->body_len;
	req->timeout_ms = (int)MIN_OF(x->group->timeout_ms, INT64_C(3600000));
	req->reply_max = 4096;
	if (req->url == NULL ||
		!send_request_header(req, STR("Content-Type"), STR("application/json")) ||
		integration_http_options(req, &x->group->http, e) != 0) {
		send_request_free(req);
		return NULL;
	}
	return req;
}

static void send_first(struct peers *p, struct peer *x, int64_t mono_ms)
{
	struct err e = {0};
	struct send_request *req = make_request(x, &e);
	struct job *job;

	if (req == NULL) { /* the configuration was checked: nothing to wait for */
		METRIC_DROP("peer", "unsendable", x->first->packet->n);
		drop_first(x);
		return;
	}
	job = calloc(1, sizeof *job);
	ASSERT(job != NULL);
	*job = (struct job){p, x->id};
	req->on_done = on_done;
	req->arg = job;
	x->in_flight = true;
	if (p->sender.submit(p->sender.ctx, req))
		return;
	x->in_flight = false;
	x->hold_mono_ms = mono_ms + 1000;
	free(job);
	send_request_free(req);
}

void peer_send_pump(struct peers *p, int64_t mono_ms)
{
	for (size_t i = 0; i < p->n; i++) {
		struct peer *x = &p->v[i];

		if (x->in_flight || x->first == NULL || x->hold_mono_ms > mono_ms)
			continue;
		/* the same alerts, as they are now, wait behind */
		while (x->failures > 0 && x->first->next != NULL &&
			x->first->packet->made_mono_ms + PEER_RESEND_MS < mono_ms) {
			METRIC_DROP("peer", "superseded", x->first->packet->n);
			drop_first(x);
		}
		send_first(p, x, mono_ms);
	}
}

int64_t peer_send_due(const struct peers *p)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < p->n; i++) {
		const struct peer *x = &p->v[i];

		if (!x->in_flight && x->first != NULL)
			due = MIN_OF(due, x->hold_mono_ms);
	}
	return due;
}

static void failed(struct peer *x, const struct send_request *req, bool again)
{
	int64_t wait = INT64_C(1000) << MIN_OF(x->failures, 4u);
	char q[LOG_Q_MAX];

	metric_inc(x->errors);
	log_warn("peer",
		"msg=\"an Alertmanager took no alerts\" alertmanager=" STR_FMT
		" status=%d alerts=%zu again=%s error=%s",
		STR_ARG(x->url), req->status, x->first->packet->n, again ? "yes" : "no",
		log_q(q, str_c(req->error)));
	if (!again) {
		METRIC_DROP("peer", "refused", x->first->packet->n);
		drop_first(x);
		return;
	}
	x->failures++;
	wait = MAX_OF(MIN_OF(wait, BACKOFF_MAX_MS), MIN_OF(req->retry_after_ms, PEER_RESEND_MS));
	x->hold_mono_ms = clock_mono_ms() + wait;
}

void peer_send_result(struct peers *p, uint64_t peer_id, struct send_request *req)
{
	struct peer *x = NULL;

	for (size_t i = 0; i < p->n && x == NULL; i++)
		x = p->v[i].id == peer_id ? &p->v[i] : NULL;
	if (x == NULL || x->first == NULL)
		return; /* of a peer that is gone */
	x->in_flight = false;
	switch (integration_judge_http(NULL, NULL, req, NULL)) {
	case VERDICT_OK:
	case VERDICT_NEXT:
		x->failures = 0;
		metric_add(x->sent, x->first->packet->n);
		metric_set(x->last_success, (double)clock_wall_ms() / 1000);
		drop_first(x);
		break;
	case VERDICT_RETRY: failed(x, req, true); break;
	case VERDICT_DEGRADE:
	case VERDICT_FINAL: failed(x, req, false); break;
	}
}
