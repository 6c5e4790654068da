/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_send - rows to the sender: in order per group, at the lane's pace, again after failures.
 *
 * While a lane fails, its oldest row is tried at the pace of the backoff, at most BACKOFF_MAX_MS
 * apart, and after each of these attempts one other row, in turn: a receiver that is down is found
 * to be back in time, and a single message it chokes on holds up nobody. The first success
 * opens the lane. Retry-After closes it for all.
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
#define BACKOFF_MAX_MS                                                                             \
	58000               /* from the start of one attempt to the next; below a minute, late     \
			       timers included */
#define EXTRA_AFTER_MS 1000 /* the other row, after the oldest one failed */
#define WINDOW         64u  /* rows of one lane that are looked at: the oldest */
#define EXPIRE_AT_ONCE 100u /* rows given up in one go: each may become a fallback's message */

/* --- results --- */

struct result_job {
	struct state_job job;
	struct notify *n;
	int64_t row_id;
	struct send_request *req;
};

/* A mail that was taken for some of its recipients: delivered, but not silently. */
static void note_partial(struct notify *n, const struct row *r, const struct send_request *req)
{
	struct dest *d = r->dest;
	char q[LOG_Q_MAX];

	if (req->kind != SEND_SMTP || req->error[0] == '\0')
		return;
	(void)snprintf(d->last_error, sizeof d->last_error, "%s", req->error);
	METRIC_DROP("notify", "recipient_refused", 1);
	outbox_note(n, r, ATTEMPT_NOTE, str_c(req->error));
	log_error("notify",
		"msg=\"some recipients were refused\" receiver=" STR_FMT " id=" STR_FMT " error=%s",
		STR_ARG(r->receiver), STR_ARG(r->message_id), log_q(q, str_c(req->error)));
}

static void set_error(struct row *r, const struct send_request *req)
{
	struct str reply =
		str_n(req->reply != NULL ? req->reply : "", MIN_OF(req->reply_len, (size_t)4096));
	char q[LOG_Q_MAX];
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	send_request_redact(req, reply, &b); /* it may repeat what it was sent */
	reply = str_sub(buf_view(&b), 0, 100);
	if (req->error[0] != '\0')
		(void)snprintf(r->error, sizeof r->error, "%s", req->error);
	else
		(void)snprintf(
			r->error, sizeof r->error, "answered %d %s", req->status, log_q(q, reply));
	buf_fini(&b);
	(void)snprintf(r->dest->last_error, sizeof r->dest->last_error, "%s", r->error);
}

/* Three quarters of it are fixed: 500 ms, 1 s, ... 58 s make at most 25 attempts in ten minutes. */
static int64_t backoff_ms(unsigned failures)
{
	int64_t ms = BACKOFF_FIRST_MS;
	uint32_t jitter;

	for (unsigned i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = MIN_OF(ms, BACKOFF_MAX_MS);
	hash_random(&jitter, sizeof jitter);
	return ms - (int64_t)(jitter % (uint32_t)(ms / 4 + 1));
}

/* The receiver answered, well or not: it is there. */
static void lane_open(struct lane *l)
{
	if (l->failures > 0)
		l->hold_mono_ms = 0;
	l->failures = 0;
	l->head_order = l->extra_order = 0;
	l->extra_mono_ms = INT64_MAX;
}

/* How long the row waits. The lane waits as long when it is the lane that fails: then the row is
 * next again, and not half a minute after another one. */
static int64_t failed(struct row *r, int64_t retry_after_ms)
{
	struct lane *l = r->dest->lane;
	int64_t now = clock_mono_ms(), spent = MAX_OF(now - r->started_mono_ms, 0);
	int64_t wait = backoff_ms(r->attempts), hold = wait;
	bool extra = l->failures > 0 && r->order == l->extra_order;

	wait = MAX_OF(wait - spent, BACKOFF_FIRST_MS / 2);
	l->closed_mono_ms = MAX_OF(l->closed_mono_ms, i64_add_sat(now, retry_after_ms));
	if (extra) /* the oldest one keeps the lane's time */
		return MAX_OF(wait, retry_after_ms);
	if (l->failures == 0 || r->started_mono_ms >= l->failed_mono_ms) { /* not one of several */
		l->failures++;
		l->failed_mono_ms = now;
		if (l->failures != r->attempts)
			hold = backoff_ms(l->failures);
		l->hold_mono_ms = now + MAX_OF(hold - spent, BACKOFF_FIRST_MS / 2);
	}
	l->head_order = r->order;
	l->extra_mono_ms = now + EXTRA_AFTER_MS;
	return MAX_OF(wait, retry_after_ms);
}

/* Nothing more will be told in its thread: what fires on, perhaps silenced, is of another one. */
static bool incident_over(const struct notify *n, const struct row *r)
{
	const struct group *g = group_find(n, r->group_key);

	return g == NULL || g->incident_ms > r->created_ms;
}

static void accepted(struct notify *n, struct row *r)
{
	struct dest *d = r->dest;

	r->error[0] = '\0';
	r->finished = true;
	d->last_error[0] = '\0';
	d->last_success_ms = clock_wall_ms();
	metric_set(d->last_success, (double)d->last_success_ms / 1000);
	metric_inc(d->sent_total);
	outbox_unlink(n, r);
	incident_delivered(n, r);
	if (!r->firing && incident_over(n, r))
		thread_over(n, r->thread);
	log_info("notify",
		"msg=\"delivered\" receiver=" STR_FMT " kind=%s id=" STR_FMT " attempt=%u",
		STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		r->attempts);
}

static void again(struct notify *n, struct row *r, const struct send_request *req)
{
	const struct integration_type *type = integration_type(r->kind);
	int64_t asked =
		type != NULL && type->retry_after_ms != NULL ? type->retry_after_ms(req) : 0;
	int64_t wait = failed(
		r, MIN_OF(MAX_OF(asked, req->retry_after_ms), (int64_t)LIMIT_RETRY_AFTER_MS));
	char q[LOG_Q_MAX];

	r->next_mono_ms = clock_mono_ms() + wait;
	metric_inc(r->dest->retries_total);
	outbox_note(n, r, ATTEMPT_AGAIN, str_c(r->error));
	log_warn("notify",
		"msg=\"delivery failed, will be repeated\" receiver=" STR_FMT " kind=%s id=" STR_FMT
		" attempt=%u in_ms=%lld error=%s",
		STR_ARG(r->receiver), integration_name(r->kind), STR_ARG(r->message_id),
		r->attempts, (long long)wait, log_q(q, str_c(r->error)));
}

static struct delivery delivery_of(const struct notify *n, const struct row *r, struct str payload)
{
	return (struct delivery){.id = r->message_id,
		.thread = r->thread,
		.payload = payload,
		.data = thread_get(n, r->thread),
		.step = r->step,
		.degraded = r->degraded,
		.firing = r->firing,
		.behind = r->dest->waiting > 0 ? r->dest->waiting - 1 : 0,
		.graph = r->graph};
}

/* What the answer means. The configuration may have changed since the request was made: an
 * integration that is gone cannot judge; then the status decides. */
static enum verdict judge(struct notify *n, const struct row *r, const struct send_request *req)
{
	const struct integration *in = outbox_integration(n, r->receiver, r->kind, r->index);
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

static void take_verdict(struct notify *n, struct row *r, const struct send_request *req)
{
	enum verdict v = judge(n, r, req);
	char detail[64];

	if (v != VERDICT_OK && v != VERDICT_NEXT)
		set_error(r, req);
	if (v != VERDICT_RETRY)
		lane_open(r->dest->lane);
	if (v == VERDICT_OK || v == VERDICT_NEXT) {
		(void)snprintf(detail, sizeof detail, "%d after %lld ms", req->status,
			(long long)req->duration_ms);
		outbox_note(
			n, r, v == VERDICT_OK ? ATTEMPT_DELIVERED : ATTEMPT_NOTE, str_c(detail));
	}
	switch (v) {
	case VERDICT_OK:
		accepted(n, r);
		note_partial(n, r, req);
		break;
	case VERDICT_NEXT:
		r->step++;
		r->attempts = 0;
		break;
	case VERDICT_RETRY:
		again(n, r, req);
		outbox_graph_drop(r);
		break;
	case VERDICT_DEGRADE:
		r->degraded = true;
		outbox_note(n, r, ATTEMPT_AGAIN, str_c(r->error));
		break;
	case VERDICT_FINAL: outbox_give_up(n, r, GIVE_UP_REFUSED); break;
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

	ASSERT(r != NULL && r->in_flight);
	r->in_flight = false;
	r->dest->in_flight--;
	r->dest->lane->in_flight--;
	if (atomic_load(&n->quiet) && !res->req->transport_ok) {
		r->attempts--; /* cancelled by the shutdown: not the receiver's fault */
		row_mark(n, r);
	} else {
		take_verdict(n, r, res->req);
	}
	send_request_free(res->req);
	free(res);
	outbox_pump(n); /* the place in its lane is free: the next need not wait for this commit */
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
	const struct integration *in = outbox_integration(n, r->receiver, r->kind, r->index);
	struct send_request *req;
	struct delivery dl;
	char *payload;
	size_t len;

	*gone = in == NULL || integration_type(in->kind) == NULL;
	if (*gone) {
		(void)err_set(e, ERR_LIMIT, 0, "the receiver is no longer configured");
		return NULL;
	}
	if (outbox_store_payload(n, r->id, &payload, &len, e) != 0)
		return NULL;
	dl = delivery_of(n, r, str_n(payload, len));
	req = integration_type(in->kind)->request(in, &dl, e);
	*gone = req == NULL;
	free(payload);
	return req;
}

static bool submit(struct notify *n, struct row *r, struct send_request *req)
{
	struct result_job *res = calloc(1, sizeof *res);

	ASSERT(res != NULL);
	res->n = n;
	res->row_id = r->id;
	req->on_done = on_sent;
	req->arg = res;
	if (n->sender.submit(n->sender.ctx, req))
		return true;
	send_request_free(req);
	free(res);
	return false;
}

static void start_row(struct notify *n, struct row *r)
{
	struct lane *l = r->dest->lane;
	int64_t now = clock_mono_ms();
	struct send_request *req;
	struct err e;
	bool gone;

	if (!outbox_graph_ready(n, r))
		return;
	r->graph_waiting = false;
	req = make_request(n, r, &gone, &e);
	if (req == NULL && gone) {
		(void)snprintf(r->error, sizeof r->error, "%.190s", e.msg);
		outbox_give_up(n, r, GIVE_UP_GONE);
		row_mark(n, r);
		return;
	}
	if (req == NULL) {
		log_error("notify", "msg=\"message cannot be read\" id=" STR_FMT " error=\"%s\"",
			STR_ARG(r->message_id), e.msg);
		r->next_mono_ms = now + BACKOFF_MAX_MS;
		return;
	}
	SEAM_CRASH("outbox.claimed");
	if (!submit(n, r, req)) {
		r->next_mono_ms = now + BACKOFF_FIRST_MS;
		return;
	}
	r->in_flight = true;
	r->attempts++;
	r->started_mono_ms = now;
	r->dest->in_flight++;
	l->in_flight++;
	l->pace_mono_ms = now + l->pace_ms;
}

/* --- which row is next --- */

/* When this row may go, as far as it alone is concerned. */
static int64_t row_due(const struct notify *n, const struct row *r)
{
	return r->in_flight || r->is_new || outbox_has_older(n, r) ? INT64_MAX : r->next_mono_ms;
}

/* The row whose turn it is, and when that is; NULL: none. */
static struct row *pick_oldest(
	const struct notify *n, const struct lane *l, int64_t now, int64_t *due)
{
	struct row *best = NULL;
	unsigned seen = 0;

	*due = INT64_MAX;
	for (struct row *r = l->first; r != NULL && seen < WINDOW; r = r->next, seen++) {
		int64_t at = row_due(n, r);

		if (at < *due) {
			*due = at;
			best = r;
		}
		if (at <= now)
			break;
	}
	*due = best != NULL ? MAX_OF(*due, l->hold_mono_ms) : INT64_MAX;
	return best;
}

/* Beside the oldest one, which fails: the first behind the one of last time. */
static struct row *pick_extra(
	const struct notify *n, const struct lane *l, int64_t now, int64_t *due)
{
	struct row *best = NULL;
	bool behind = false;
	unsigned seen = 0;

	*due = INT64_MAX;
	if (l->failures == 0 || l->extra_mono_ms == INT64_MAX)
		return NULL;
	for (struct row *r = l->first; r != NULL && seen < WINDOW; r = r->next, seen++) {
		int64_t at = r->order == l->head_order ? INT64_MAX : row_due(n, r);

		if (at == INT64_MAX || (best != NULL && behind))
			continue;
		if (at > now) { /* not yet: only when there is nothing better */
			if (best == NULL || (*due > now && at < *due)) {
				best = r;
				*due = at;
			}
			continue;
		}
		if (best == NULL || *due > now || r->order > l->extra_order) {
			best = r;
			*due = at;
			behind = r->order > l->extra_order;
		}
	}
	*due = best != NULL ? MAX_OF(*due, l->extra_mono_ms) : INT64_MAX;
	return best;
}

/* The next row of the lane, when it may start, and whether it is the one beside. */
/* A row that waits for its graph takes a place, so that no more are asked for than can be sent. The
 * first that will go without one. */
static struct row *waiting_for_graph(
	const struct notify *n, const struct lane *l, int64_t now, unsigned *count)
{
	struct row *first = NULL;
	unsigned seen = 0;

	*count = 0;
	for (struct row *r = n->graphs.submit != NULL ? l->first : NULL; r != NULL && seen < WINDOW;
		r = r->next, seen++) {
		if (!r->graph_waiting || r->next_mono_ms <= now)
			continue;
		++*count;
		if (first == NULL || r->next_mono_ms < first->next_mono_ms)
			first = r;
	}
	return first;
}

static struct row *lane_next(
	const struct notify *n, const struct lane *l, int64_t now, int64_t *due, bool *is_extra)
{
	int64_t extra_due;
	struct row *oldest, *extra, *asking;
	unsigned n_asking;

	*due = INT64_MAX;
	*is_extra = false;
	asking = waiting_for_graph(n, l, now, &n_asking);
	if (l->in_flight + n_asking >= (l->failures > 0 ? 1 : l->parallel)) {
		if (asking != NULL)
			*due = asking->next_mono_ms;
		return asking;
	}
	oldest = pick_oldest(n, l, now, due);
	extra = pick_extra(n, l, now, &extra_due);
	if (extra != NULL && extra_due < *due) {
		*due = extra_due;
		*is_extra = true;
		oldest = extra;
	}
	if (oldest != NULL)
		*due = MAX_OF(*due, MAX_OF(l->pace_mono_ms, l->closed_mono_ms));
	return oldest;
}

/* --- the pump --- */

static void expire(struct notify *n, struct lane *l, int64_t wall)
{
	unsigned seen = 0, given_up = 0;
	struct row *next;

	for (struct row *r = l->first; r != NULL && seen < WINDOW && given_up < EXPIRE_AT_ONCE;
		r = next) {
		next = r->next;
		if (r->in_flight || r->is_new || r->expires_ms > wall) {
			seen++;
			continue;
		}
		given_up++;
		outbox_give_up(n, r, GIVE_UP_EXPIRED);
		row_mark(n, r);
	}
}

static void pump_lane(struct notify *n, struct lane *l)
{
	int64_t now = clock_mono_ms(), due;
	struct row *r;
	bool extra;

	expire(n, l, clock_wall_ms());
	while ((r = lane_next(n, l, now, &due, &extra)) != NULL && due <= now) {
		if (extra) {
			l->extra_order = r->order;
			l->extra_mono_ms = INT64_MAX;
		}
		start_row(n, r);
	}
}

void outbox_pump(struct notify *n)
{
	if (atomic_load(&n->quiet))
		return;
	for (struct lane *l = n->lanes; l != NULL; l = l->next) {
		if (l->first != NULL)
			pump_lane(n, l);
	}
}

int64_t outbox_due(const struct notify *n)
{
	int64_t due = INT64_MAX, now = clock_mono_ms();

	if (atomic_load(&n->quiet))
		return due;
	for (const struct lane *l = n->lanes; l != NULL; l = l->next) {
		int64_t one;
		bool extra;

		if (l->first != NULL && lane_next(n, l, now, &one, &extra) != NULL)
			due = MIN_OF(due, one);
	}
	return due;
}
