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
#include "exporters/mail_text.h"
#include "exporters/notify_internal.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   60000
#define SLACK_PACE_MS    1000 /* published limit: one message a second per webhook */
#define SLACK_BURST      1u
#define OTHER_PARALLEL   4u
#define WINDOW           64u /* rows of one destination that are looked at: the oldest */

static const char *const kind_names[] = {"slack", "email", "webhook"};

const char *row_kind_name(enum row_kind k)
{
	return kind_names[k];
}

/* --- rows and destinations --- */

struct row *row_new(
	const char *message_id, struct str title, struct str receiver, struct str group_key)
{
	struct row *r = calloc(1, sizeof *r);
	struct str id = str_c(message_id), parts[4] = {id, title, receiver, group_key};
	struct str *out[4];
	char *p;

	ASSERT(r != NULL);
	out[0] = &r->message_id;
	out[1] = &r->title;
	out[2] = &r->receiver;
	out[3] = &r->group_key;
	r->block = malloc(id.n + title.n + receiver.n + group_key.n + 4);
	ASSERT(r->block != NULL);
	p = r->block;
	for (size_t i = 0; i < 4; i++) {
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
		kind_names[d->kind], d->index);
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

struct dest *outbox_dest(struct notify *n, struct str receiver, enum row_kind kind, size_t index)
{
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

/* --- results --- */

struct result_job {
	struct state_job job;
	struct notify *n;
	int64_t row_id;
	struct send_request *req;
};

enum verdict { VERDICT_OK, VERDICT_RETRY, VERDICT_DEGRADE, VERDICT_FINAL };

static bool slack_accepted(const struct send_request *req)
{
	struct str reply = str_trim(str_n(req->reply != NULL ? req->reply : "", req->reply_len));

	return str_eq(reply, STR("ok")) || str_has(reply, STR("\"ok\":true")) ||
	       str_has(reply, STR("\"ok\": true"));
}

static enum verdict judge_http(const struct row *r, const struct send_request *req)
{
	if (req->status >= 200 && req->status < 300)
		return r->kind != ROW_SLACK || req->status != 200 || slack_accepted(req)
			       ? VERDICT_OK
			       : VERDICT_FINAL;
	if (req->status == 429 || req->status == 408 || req->status >= 500)
		return VERDICT_RETRY;
	if (r->kind == ROW_SLACK && req->status == 400 && !r->degraded)
		return VERDICT_DEGRADE;
	return VERDICT_FINAL;
}

/* SMTP classes (RFC 5321 4.2.1): 2 taken, 4 later, 5 never; no answer at all: later. */
static enum verdict judge_smtp(const struct send_request *req)
{
	if (!req->transport_ok)
		return VERDICT_RETRY;
	if (req->status >= 200 && req->status < 300)
		return VERDICT_OK;
	return req->status >= 500 ? VERDICT_FINAL : VERDICT_RETRY;
}

static enum verdict judge(const struct row *r, const struct send_request *req)
{
	if (req->kind == SEND_SMTP)
		return judge_smtp(req);
	return req->transport_ok ? judge_http(r, req) : VERDICT_RETRY;
}

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
		why, STR_ARG(r->receiver), kind_names[r->kind], STR_ARG(r->message_id),
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
		STR_ARG(r->receiver), kind_names[r->kind], STR_ARG(r->message_id), r->attempts);
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
		STR_ARG(r->receiver), kind_names[r->kind], STR_ARG(r->message_id), r->attempts,
		(long long)wait, log_q(q, str_c(r->error)));
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
	} else {
		enum verdict v = judge(r, res->req);

		if (v != VERDICT_OK)
			set_error(r, d, res->req);
		if (v == VERDICT_OK) {
			accepted(d, r);
			note_partial(d, r, res->req);
		} else if (v == VERDICT_RETRY)
			again(d, r, res->req);
		else if (v == VERDICT_DEGRADE)
			r->degraded = true;
		else
			give_up(n, d, r, "refused by the receiver");
		row_mark(n, r);
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

/* --- requests --- */

static const struct receiver_config *receiver_of(const struct notify *n, struct str name)
{
	for (size_t i = 0; i < n->cfg->n_receivers; i++) {
		if (str_eq(n->cfg->receivers[i].name, name))
			return &n->cfg->receivers[i];
	}
	return NULL;
}

static char *dup(struct str s)
{
	char *c = str_dup_c(s);

	ASSERT(c != NULL);
	return c;
}

static char *dup_or_null(struct str s)
{
	return s.n > 0 ? dup(s) : NULL;
}

static struct send_request *http_request(struct str url, int64_t timeout_ms, const struct row *r)
{
	struct send_request *req = send_request_new(SEND_HTTP);
	bool ok;

	req->url = dup(url);
	req->method = dup(STR("POST"));
	req->timeout_ms = timeout_ms > 0 ? (int)MIN_OF(timeout_ms, 120000) : 0;
	ok = send_request_header(req, STR("Content-Type"), STR("application/json")) &&
	     send_request_header(req, STR("X-Belfry-Id"), r->message_id);
	ASSERT(ok);
	return req;
}

static struct send_request *mail_request(const struct email_config *c)
{
	struct send_request *req = send_request_new(SEND_SMTP);
	struct str from, rest = c->to, one, rcpt;
	struct buf url;
	size_t n = 1;

	buf_init(&url, 2048);
	buf_c(&url, str_ends(c->smarthost, STR(":465")) ? "smtps://" : "smtp://");
	buf_str(&url, c->smarthost);
	if (c->hello.n > 0) {
		buf_ch(&url, '/');
		buf_str(&url, c->hello);
	}
	req->url = dup(buf_view(&url));
	buf_fini(&url);
	if (!mail_address(c->from, &from))
		from = c->from;
	req->mail_from = dup(from);
	for (size_t i = 0; i < c->to.n; i++)
		n += c->to.p[i] == ',';
	req->rcpt = calloc(n, sizeof *req->rcpt);
	ASSERT(req->rcpt != NULL);
	while (str_split(&rest, ',', &one)) {
		if (mail_address(one, &rcpt) && req->n_rcpt < n)
			req->rcpt[req->n_rcpt++] = dup(rcpt);
	}
	req->user = dup_or_null(c->auth_username);
	req->password = dup_or_null(c->auth_password);
	req->require_tls = c->require_tls;
	req->insecure_skip_verify = c->insecure_skip_verify;
	req->ca_file = dup_or_null(c->ca_file);
	req->server_name = dup_or_null(c->server_name);
	return req;
}

/* NULL when the receiver's integration is no longer configured. */
static struct send_request *make_request(const struct notify *n, const struct row *r)
{
	const struct receiver_config *c = receiver_of(n, r->receiver);
	struct send_request *req;

	if (c == NULL)
		return NULL;
	switch (r->kind) {
	case ROW_SLACK:
		return r->index < c->n_slack ? http_request(c->slack[r->index].api_url, 0, r)
					     : NULL;
	case ROW_EMAIL: return r->index < c->n_email ? mail_request(&c->email[r->index]) : NULL;
	case ROW_WEBHOOK:
		if (r->index >= c->n_webhook)
			return NULL;
		req = http_request(c->webhook[r->index].url, c->webhook[r->index].timeout_ms, r);
		req->bearer = dup_or_null(c->webhook[r->index].bearer);
		req->user = dup_or_null(c->webhook[r->index].basic_user);
		req->password = dup_or_null(c->webhook[r->index].basic_password);
		return req;
	}
	return NULL;
}

static int load_body(struct notify *n, const struct row *r, struct send_request *req, struct err *e)
{
	struct buf plain;
	char *body;
	size_t len;

	if (notify_store_payload(n, r->id, &body, &len, e) != 0)
		return -1;
	if (!r->degraded) {
		req->body = body;
		req->body_len = len;
		return 0;
	}
	buf_init(&plain, len + 64);
	slack_degrade(str_n(body, len), &plain);
	free(body);
	req->body = buf_take(&plain, &req->body_len);
	return 0;
}

/* --- sending --- */

static void start_row(struct notify *n, struct dest *d, struct row *r)
{
	struct send_request *req = make_request(n, r);
	struct result_job *res;
	struct err e;

	if (req == NULL) {
		(void)snprintf(r->error, sizeof r->error, "the receiver is no longer configured");
		give_up(n, d, r, "no such receiver");
		row_mark(n, r);
		return;
	}
	if (load_body(n, r, req, &e) != 0) {
		log_error("notify", "msg=\"message cannot be read\" id=" STR_FMT " error=\"%s\"",
			STR_ARG(r->message_id), e.msg);
		send_request_free(req);
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
	if (d->kind == ROW_SLACK)
		d->hold_mono_ms = clock_mono_ms() + SLACK_PACE_MS;
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
	unsigned parallel = d->kind == ROW_SLACK ? SLACK_BURST : OTHER_PARALLEL;
	unsigned seen = 0;
	struct row *next;

	for (struct row *r = d->first; r != NULL && d->in_flight < parallel && seen < WINDOW;
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
		unsigned parallel = d->kind == ROW_SLACK ? SLACK_BURST : OTHER_PARALLEL;

		unsigned seen = 0;

		if (d->in_flight >= parallel)
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
	struct dest *d;
	struct row *r;
	size_t pos = 0;

	while ((r = map_each(&n->rows, &pos)) != NULL)
		row_free(r);
	map_fini(&n->rows);
	while ((d = n->dests) != NULL) {
		n->dests = d->next;
		free((void *)(uintptr_t)d->receiver.p);
		free(d);
	}
}
