/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox - hands stored messages to the sender: in order per destination, at its pace, again after
 * failures, until the receiver accepted them or they expired loudly.
 *
 * A result comes back on the client's thread and is posted to the state writer; the row is deleted
 * in the next transaction. A crash between acceptance and that commit sends the row once more, with
 * the same id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/seam.h"
#include "exporters/notify_internal.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   60000
#define WINDOW           64u /* rows of one destination that are looked at: the oldest */

/* --- rows and destinations --- */

struct row *row_new(const char *message_id, struct str title, struct str receiver,
	struct str group_key, struct str thread)
{
	struct row *r = calloc(1, sizeof *r);
	struct str parts[] = {str_c(message_id), title, receiver, group_key, thread};
	struct str *out[ARRAY_LEN(parts)];
	size_t bytes = 0;
	char *p;

	ASSERT(r != NULL);
	out[0] = &r->message_id;
	out[1] = &r->title;
	out[2] = &r->receiver;
	out[3] = &r->group_key;
	out[4] = &r->thread;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		bytes += parts[i].n + 1;
	r->block = malloc(bytes);
	ASSERT(r->block != NULL);
	p = r->block;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].n > 0)
			memcpy(p, parts[i].p, parts[i].n);
		p[parts[i].n] = '\0';
		*out[i] = str_n(p, parts[i].n);
		p += parts[i].n + 1;
	}
	r->is_new = true;
	return r;
}

void row_free(struct row *r)
{
	free(r->payload);
	free(r->block);
	free(r);
}

void row_mark(struct notify *n, struct row *r)
{
	if (r->dirty)
		return;
	r->dirty = true;
	r->next_dirty = n->dirty_rows;
	n->dirty_rows = r;
}

static void dest_metrics(struct dest *d)
{
	char label[256];
	struct str l;

	(void)snprintf(label, sizeof label, STR_FMT "/%s/%zu", STR_ARG(d->receiver),
		integration_name(d->kind), d->index);
	l = str_c(label);
	d->sent_total = metric_counter_l(
		"belfry_notify_sent_total", "Messages accepted by the receiver.", "integration", l);
	d->failed_total = metric_counter_l("belfry_notify_failed_total",
		"Messages given up: refused for good or expired.", "integration", l);
	d->retries_total = metric_counter_l("belfry_notify_retries_total",
		"Attempts that failed and are repeated.", "integration", l);
	d->queued = metric_gauge_l(
		"belfry_notify_queued", "Messages waiting for this integration.", "integration", l);
	d->last_success = metric_gauge_l("belfry_notify_last_success_timestamp_seconds",
		"When the receiver last accepted a message.", "integration", l);
}

struct dest *outbox_dest(
	struct notify *n, struct str receiver, enum integration_kind kind, size_t index)
{
	const struct integration_type *type = integration_type(kind);
	struct dest *d;
	char *name;

	for (d = n->dests; d != NULL; d = d->next) {
		if (d->kind == kind && d->index == index && str_eq(d->receiver, receiver))
			return d;
	}
	d = calloc(1, sizeof *d);
	name = malloc(receiver.n + 1);
	ASSERT(d != NULL && name != NULL);
	memcpy(name, receiver.p, receiver.n);
	name[receiver.n] = '\0';
	d->receiver = str_n(name, receiver.n);
	d->kind = kind;
	d->index = index;
	d->pace_ms = type != NULL ? type->pace_ms : 0;
	d->parallel = type != NULL ? type->parallel : 1;
	dest_metrics(d);
	d->next = n->dests;
	n->dests = d;
	return d;
}

void outbox_link(struct notify *n, struct row *r)
{
	struct dest *d = outbox_dest(n, r->receiver, r->kind, r->index);

	r->next = NULL;
	if (d->last != NULL)
		d->last->next = r;
	else
		d->first = r;
	d->last = r;
	d->waiting++;
	metric_set(d->queued, d->waiting);
}

static void unlink_row(struct dest *d, struct row *r)
{
	struct row **at = &d->first, *before = NULL;

	while (*at != r) {
		before = *at;
		at = &(*at)->next;
	}
	*at = r->next;
	if (d->last == r)
		d->last = before;
	d->waiting--;
	metric_set(d->queued, d->waiting);
}

/*
 * A message that failed and waits says less than the newer one behind it. Only a message of nothing
 * but firing alerts, with no other of its group in between, may go: what it told is told by the
 * newer one, and the end of an alert is never swallowed.
 */
static void coalesce(struct notify *n, const struct row *newer)
{
	struct dest *d = outbox_dest(n, newer->receiver, newer->kind, newer->index);
	struct row *last = NULL;

	for (struct row *r = d->first; r != NULL; r = r->next) {
		if (str_eq(r->group_key, newer->group_key))
			last = r;
	}
	if (last == NULL || last->in_flight || last->is_new || last->attempts == 0 ||
		!last->only_firing || !newer->firing)
		return;
	(void)snprintf(last->error, sizeof last->error, "replaced by a newer message");
	last->finished = true;
	unlink_row(d, last);
	row_mark(n, last);
	METRIC_DROP("notify", "replaced_by_newer", 1);
}

struct row *outbox_add(struct notify *n, struct row *take)
{
	if (n->n_rows >= LIMIT_OUTBOX_ROWS) {
		METRIC_LIMIT("outbox_rows");
		METRIC_DROP("notify", "outbox_full", 1);
		log_error("notify",
			"msg=\"outbox is full, a message is dropped\" receiver=" STR_FMT,
			STR_ARG(take->receiver));
		row_free(take);
		return NULL;
	}
	coalesce(n, take);
	take->next_mono_ms = clock_mono_ms();
	n->n_rows++;
	outbox_link(n, take);
	row_mark(n, take);
	return take;
}

/* --- threads --- */

static struct thread_data *find_thread(const struct notify *n, struct str thread)
{
	struct map_iter it;

	for (struct thread_data *t = map_first(&n->threads, hash_str(thread), &it); t != NULL;
		t = map_next(&n->threads, &it)) {
		if (str_eq(str_c(t->thread), thread))
			return t;
	}
	return NULL;
}

struct str thread_get(const struct notify *n, struct str thread)
{
	const struct thread_data *t = thread.n > 0 ? find_thread(n, thread) : NULL;

	return t != NULL ? str_c(t->data) : STR("");
}

void thread_put(struct notify *n, struct str thread, struct str data)
{
	struct thread_data *t = find_thread(n, thread);

	if (thread.n == 0 || data.n > LIMIT_THREAD_DATA)
		return;
	if (t == NULL && n->threads.n >= LIMIT_THREADS) {
		METRIC_LIMIT("threads");
		return;
	}
	if (t == NULL) {
		t = calloc(1, sizeof *t);
		ASSERT(t != NULL);
		t->thread = str_dup_c(thread);
		t->hash = hash_str(thread);
		ASSERT(t->thread != NULL);
		map_add(&n->threads, t->hash, t);
	}
	free(t->data);
	t->data = str_dup_c(data);
	ASSERT(t->data != NULL);
	t->at_ms = clock_wall_ms();
	if (!t->dirty) {
		t->dirty = true;
		t->next_dirty = n->dirty_threads;
		n->dirty_threads = t;
	}
}

/* --- results --- */

struct result_job {
	struct state_job job;
	struct notify *n;
	int64_t row_id;
	struct send_request *req;
};

/* A mail that was taken for some of its recipients: delivered, but not silently. */
static void note_partial(struct dest *d, const struct row *r, const struct send_request *req)
{
	char q[LOG_Q_MAX];

	if (req->kind != SEND_SMTP || req->error[0] == '\0')
		return;
	(void)snprintf(d->last_error, sizeof d->last_error, "%s", req->error);
	METRIC_DROP("notify", "recipient_refused", 1);
	log_error("notify",
		"msg=\"some recipients were refused\" receiver=" STR_FMT " id=" STR_FMT " error=%s",
		STR_ARG(r->receiver), STR_ARG(r->message_id), log_q(q, str_c(req->error)));
}

static void set_error(struct row *r, struct dest *d, const struct send_request *req)
{
	char q[LOG_Q_MAX];
	struct str reply =
		str_n(req->reply != NULL ? req->reply : "", MIN_OF(req->reply_len, (size_t)100));

	if (req->error[0] != '\0')
		(void)snprintf(r->error, sizeof r->error, "%s", req->error);
	else
		(void)snprintf(
			r->error, sizeof r->error, "answered %d %s", req->status, log_q(q, reply));
	(void)snprintf(d->last_error, sizeof d->last_error, "%s", r->error);
}

static int64_t backoff_ms(unsigned failures)
{
	int64_t ms = BACKOFF_FIRST_MS;
	uint32_t jitter;

	for (unsigned i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = MIN_OF(ms, BACKOFF_MAX_MS);
	hash_random(&jitter, sizeof jitter);
	return ms / 2 +
	       (int64_t)(jitter % (uint32_t)(ms / 2 + 1)); /* half of it is fixed, half random */
}

static void give_up(struct notify *n, struct dest *d, struct row *r, const char *why)
{
	char q[LOG_Q_MAX];

	r->parked = true;
	d->failed++;
	metric_inc(d->failed_total);
	unlink_row(d, r);
	n->n_rows--;
	METRIC_DROP("notify", "refused", 1);
	log_error("notify",
		"msg=\"message given up: %s\" receiver=" STR_FMT " kind=%s id=" STR_FMT " error=%s",
		why, STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		log_q(q, str_c(r->error)));
}

static void accepted(struct dest *d, struct row *r)
{
	r->error[0] = '\0';
	r->finished = true;
	d->failures = 0;
	d->last_error[0] = '\0';
	d->last_success_ms = clock_wall_ms();
	metric_set(d->last_success, (double)d->last_success_ms / 1000);
	metric_inc(d->sent_total);
	unlink_row(d, r);
	log_info("notify",
		"msg=\"delivered\" receiver=" STR_FMT " kind=%s id=" STR_FMT " attempt=%u",
		STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		r->attempts);
}

static void again(struct dest *d, struct row *r, const struct send_request *req)
{
	char q[LOG_Q_MAX];
	int64_t wait;

	d->failures++;
	wait = MAX_OF(backoff_ms(d->failures), req->retry_after_ms);
	r->next_mono_ms = clock_mono_ms() + wait;
	d->hold_mono_ms = MAX_OF(d->hold_mono_ms, r->next_mono_ms);
	metric_inc(d->retries_total);
	log_warn("notify",
		"msg=\"delivery failed, will be repeated\" receiver=" STR_FMT " kind=%s id=" STR_FMT
		" attempt=%u in_ms=%lld error=%s",
		STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		r->attempts, (long long)wait, log_q(q, str_c(r->error)));
}

static struct row *row_by_id(const struct notify *n, int64_t id)
{
	struct map_iter it;
	uint64_t hash = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);

	for (struct row *r = map_first(&n->rows, hash, &it); r != NULL;
		r = map_next(&n->rows, &it)) {
		if (r->id == id)
			return r;
	}
	return NULL;
}

static const struct integration *integration_of(const struct notify *n, const struct row *r)
{
	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		const struct receiver_config *c = &n->cfg->receivers[i];

		if (!str_eq(c->name, r->receiver))
			continue;
		for (size_t k = 0; k < c->n; k++) {
			if (c->v[k].kind == r->kind && c->v[k].index == r->index)
				return &c->v[k];
		}
	}
	return NULL;
}

static struct delivery delivery_of(const struct notify *n, const struct row *r, struct str payload)
{
	return (struct delivery){.id = r->message_id,
		.thread = r->thread,
		.payload = payload,
		.data = thread_get(n, r->thread),
		.step = r->step,
		.degraded = r->degraded,
		.firing = r->firing};
}

/* What the answer means. The configuration may have changed since the request was made: an
 * integration that is gone cannot judge; then the status decides. */
static enum verdict judge(struct notify *n, const struct row *r, const struct send_request *req)
{
	const struct integration *in = integration_of(n, r);
	struct delivery d = delivery_of(n, r, STR(""));
	enum verdict v;
	struct buf data;

	if (in == NULL || integration_type(in->kind)->judge == NULL)
		return integration_judge_http(in, &d, req, NULL);
	buf_init(&data, LIMIT_THREAD_DATA);
	v = integration_type(in->kind)->judge(in, &d, req, &data);
	if (!data.failed && data.n > 0)
		thread_put(n, r->thread, buf_view(&data));
	buf_fini(&data);
	return v == VERDICT_DEGRADE && r->degraded ? VERDICT_FINAL : v;
}

/* The attempt as the story of the message tells it. */
static void note_attempt(struct notify *n, const struct row *r, const struct dest *d,
	enum verdict v, const struct send_request *req)
{
	static const enum attempt_outcome outcomes[] = {
		[VERDICT_OK] = ATTEMPT_DELIVERED,
		[VERDICT_NEXT] = ATTEMPT_NOTE,
		[VERDICT_RETRY] = ATTEMPT_AGAIN,
		[VERDICT_DEGRADE] = ATTEMPT_AGAIN,
		[VERDICT_FINAL] = ATTEMPT_REFUSED,
	};
	char to[300], detail[300];

	(void)snprintf(to, sizeof to, STR_FMT "/%s/%zu", STR_ARG(d->receiver),
		integration_name(d->kind), d->index);
	if (v == VERDICT_OK || v == VERDICT_NEXT)
		(void)snprintf(detail, sizeof detail, "%d after %lld ms", req->status,
			(long long)req->duration_ms);
	else
		(void)snprintf(detail, sizeof detail, "%s", d->last_error);
	history_attempt(n, r->message_id, str_c(to), outcomes[v], r->attempts, str_c(detail));
}

static void take_verdict(
	struct notify *n, struct dest *d, struct row *r, const struct send_request *req)
{
	enum verdict v = judge(n, r, req);

	if (v != VERDICT_OK && v != VERDICT_NEXT)
		set_error(r, d, req);
	note_attempt(n, r, d, v, req);
	switch (v) {
	case VERDICT_OK:
		accepted(d, r);
		note_partial(d, r, req);
		break;
	case VERDICT_NEXT:
		r->step++;
		r->attempts = 0;
		d->failures = 0;
		break;
	case VERDICT_RETRY: again(d, r, req); break;
	case VERDICT_DEGRADE: r->degraded = true; break;
	case VERDICT_FINAL: give_up(n, d, r, "refused by the receiver"); break;
	}
	row_mark(n, r);
}

/* On the state writer, after the transaction this job stood in: memory first, the tick writes it.
 */
static void on_result(struct state_job *job)
{
	struct result_job *res = job->arg;
	struct notify *n = res->n;
	struct row *r = row_by_id(n, res->row_id);
	struct dest *d;

	ASSERT(r != NULL && r->in_flight);
	d = outbox_dest(n, r->receiver, r->kind, r->index);
	r->in_flight = false;
	d->in_flight--;
	if (atomic_load(&n->quiet) && !res->req->transport_ok) {
		r->attempts--; /* cancelled by the shutdown: not the receiver's fault */
		row_mark(n, r);
	} else {
		take_verdict(n, d, r, res->req);
	}
	send_request_free(res->req);
	free(res);
	group_update_due(n);
}

static void on_sent(struct send_request *req, void *arg)
{
	struct result_job *res = arg;

	if (req->transport_ok)
		SEAM_CRASH("send.accepted");
	res->req = req;
	res->job.arg = res;
	res->job.done = on_result;
	/* the queue is larger than what can be in flight; while it is full the client's thread
	 * waits */
	while (!state_post(res->n->state, &res->job)) {
		if (state_is_stopping(res->n->state)) { /* the row stays: sent again, with its id,
							   after the start */
			send_request_free(req);
			free(res);
			return;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

/* --- sending --- */

/* The next request of the row. NULL when it can never be made (gone) or not now. */
static struct send_request *make_request(
	struct notify *n, const struct row *r, bool *gone, struct err *e)
{
	const struct integration *in = integration_of(n, r);
	struct send_request *req;
	struct delivery dl;
	char *payload;
	size_t len;

	*gone = in == NULL || integration_type(in->kind) == NULL;
	if (*gone) {
		(void)err_set(e, ERR_LIMIT, 0, "the receiver is no longer configured");
		return NULL;
	}
	if (notify_store_payload(n, r->id, &payload, &len, e) != 0)
		return NULL;
	dl = delivery_of(n, r, str_n(payload, len));
	req = integration_type(in->kind)->request(in, &dl, e);
	*gone = req == NULL;
	free(payload);
	return req;
}

static void start_row(struct notify *n, struct dest *d, struct row *r)
{
	struct result_job *res;
	struct send_request *req;
	struct err e;
	bool gone;

	req = make_request(n, r, &gone, &e);
	if (req == NULL && gone) {
		(void)snprintf(r->error, sizeof r->error, "%.190s", e.msg);
		give_up(n, d, r, "it cannot be sent");
		row_mark(n, r);
		return;
	}
	if (req == NULL) {
		log_error("notify", "msg=\"message cannot be read\" id=" STR_FMT " error=\"%s\"",
			STR_ARG(r->message_id), e.msg);
		r->next_mono_ms = clock_mono_ms() + BACKOFF_MAX_MS;
		return;
	}
	SEAM_CRASH("outbox.claimed");
	res = calloc(1, sizeof *res);
	ASSERT(res != NULL);
	res->n = n;
	res->row_id = r->id;
	req->on_done = on_sent;
	req->arg = res;
	if (!n->sender.submit(n->sender.ctx, req)) {
		send_request_free(req);
		free(res);
		r->next_mono_ms = clock_mono_ms() + BACKOFF_FIRST_MS;
		return;
	}
	r->in_flight = true;
	r->attempts++;
	d->in_flight++;
	if (d->pace_ms > 0)
		d->hold_mono_ms = clock_mono_ms() + d->pace_ms;
}

static bool earlier_of_group(const struct dest *d, const struct row *r)
{
	for (const struct row *p = d->first; p != r; p = p->next) {
		if (str_eq(p->group_key, r->group_key))
			return true;
	}
	return false;
}

static bool expire(struct notify *n, struct dest *d, struct row *r, int64_t wall)
{
	if (r->in_flight || r->expires_ms > wall)
		return false;
	if (r->error[0] == '\0')
		(void)snprintf(r->error, sizeof r->error, "expired before it could be sent");
	metric_inc(n->expired_total);
	give_up(n, d, r, "expired");
	row_mark(n, r);
	return true;
}

static void pump_dest(struct notify *n, struct dest *d)
{
	int64_t now = clock_mono_ms(), wall = clock_wall_ms();
	unsigned seen = 0;
	struct row *next;

	for (struct row *r = d->first; r != NULL && d->in_flight < d->parallel && seen < WINDOW;
		r = next) {
		seen++;
		next = r->next;
		if (r->is_new || expire(n, d, r, wall))
			continue;
		if (d->hold_mono_ms > clock_mono_ms())
			break;
		if (!r->in_flight && r->next_mono_ms <= now && !earlier_of_group(d, r))
			start_row(n, d, r);
	}
}

void outbox_pump(struct notify *n)
{
	if (atomic_load(&n->quiet))
		return;
	for (struct dest *d = n->dests; d != NULL; d = d->next)
		pump_dest(n, d);
}

int64_t outbox_due(const struct notify *n)
{
	int64_t due = INT64_MAX;

	if (atomic_load(&n->quiet))
		return due;
	for (const struct dest *d = n->dests; d != NULL; d = d->next) {
		unsigned seen = 0;

		if (d->in_flight >= d->parallel)
			continue;
		for (const struct row *r = d->first; r != NULL && seen < WINDOW; r = r->next) {
			seen++;
			if (!r->in_flight && !r->is_new && !earlier_of_group(d, r))
				due = MIN_OF(due, MAX_OF(r->next_mono_ms, d->hold_mono_ms));
			if (d->hold_mono_ms > clock_mono_ms())
				break; /* nothing of this destination before that */
		}
	}
	return due;
}

void outbox_free(struct notify *n)
{
	struct thread_data *t;
	struct dest *d;
	struct row *r;
	size_t pos = 0;

	while ((r = map_each(&n->rows, &pos)) != NULL)
		row_free(r);
	map_fini(&n->rows);
	pos = 0;
	while ((t = map_each(&n->threads, &pos)) != NULL) {
		free(t->thread);
		free(t->data);
		free(t);
	}
	map_fini(&n->threads);
	while ((d = n->dests) != NULL) {
		n->dests = d->next;
		free((void *)(uintptr_t)d->receiver.p);
		free(d);
	}
}
