/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client - the thread, the multi handle and the queue; a single transfer is http_transfer.c.
 *
 * libcurl's two callbacks only record: which sockets to watch and when to call again. libcurl
 * itself is entered from event callbacks alone, also for a timeout of 0 (a zero timer), so that
 * it never runs inside itself. While max_parallel transfers run the queue is not read.
 */
#include "agent/http_client.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/http_transfer.h"
#include "agent/loop.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "base/role.h"
#include "base/steps.h"

#define SLOT_TRY_MS    100  /* transfers that wait for a slot are looked at so often */
#define IDLE_CONNS_MAX 256L /* kept open for the next request to the same place */

struct http_client {
	struct loop *loop;
	struct queue *queue; /* of struct send_request */
	CURLM *multi;
	struct event *queue_ev, *timer_ev;
	bool queue_watched;
	struct transfer *running;
	struct transfer *waiting; /* for a slot to look a name up; counted in n_running */
	struct resolve_slots slots;
	struct event *slot_ev;      /* while some wait */
	_Atomic unsigned n_running; /* written by the thread, read by metrics */
	unsigned max_parallel;
	pthread_t thread;
	bool started;
	struct metric *done_total, *failed_total, *running_now, *waiting_now, *resolving_now;
};

/* One watched socket; libcurl keeps it for us (curl_multi_assign). */
struct watch {
	struct event *ev;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_rc;

static void global_init(void)
{
	global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void run_curl(struct http_client *c, curl_socket_t fd, int what);

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	int bits =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	run_curl(arg, fd, bits);
}

static void on_timer_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_curl(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *c = arg;
	struct watch *w = socket_arg;
	short bits = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			     (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

	(void)easy;
	if (w != NULL)
		event_free(w->ev);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		return 0;
	}
	if (w == NULL) {
		w = calloc(1, sizeof *w);
		ASSERT(w != NULL);
		(void)curl_multi_assign(c->multi, fd, w);
	}
	w->ev = event_new(loop_base(c->loop), fd, bits, on_socket_event, c);
	ASSERT(w->ev != NULL);
	return event_add(w->ev, NULL);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct http_client *c = arg;
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	(void)multi;
	if (ms < 0)
		return event_del(c->timer_ev);
	return event_add(c->timer_ev, &tv);
}

/* The queue is read while there is room for more transfers. */
static void watch_queue(struct http_client *c, bool want)
{
	metric_set(c->running_now, c->n_running);
	metric_set(c->waiting_now, (double)queue_len(c->queue));
	metric_set(c->resolving_now, c->slots.used);
	if (want == c->queue_watched)
		return;
	c->queue_watched = want;
	if (want)
		(void)event_add(c->queue_ev, NULL);
	else
		(void)event_del(c->queue_ev);
}

static void push(struct transfer **list, struct transfer *t)
{
	t->prev = NULL;
	t->next = *list;
	if (t->next != NULL)
		t->next->prev = t;
	*list = t;
}

static void take_off(struct transfer **list, struct transfer *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		*list = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
}

static void unlink_transfer(struct http_client *c, struct transfer *t)
{
	take_off(&c->running, t);
	atomic_fetch_sub(&c->n_running, 1);
}

static void answer(struct http_client *c, struct send_request *req)
{
	metric_inc(c->done_total);
	if (!req->transport_ok)
		metric_inc(c->failed_total);
	req->on_done(req, req->arg);
	steps_work_end();
}

static void refuse(struct http_client *c, struct send_request *req, const char *why)
{
	transfer_fail(req, why);
	answer(c, req);
}

static void wait_for_slot(struct http_client *c, struct transfer *t)
{
	struct timeval tv = {0, SLOT_TRY_MS * 1000};

	take_off(&c->running, t);
	push(&c->waiting, t);
	(void)event_add(c->slot_ev, &tv);
}

static void end_transfer(struct http_client *c, struct transfer *t, CURLcode rc)
{
	struct send_request *req = t->req;

	(void)curl_multi_remove_handle(c->multi, t->easy);
	if (t->no_slot) {
		wait_for_slot(c, t);
		return;
	}
	transfer_release_slot(t, rc);
	if (transfer_finish(t, rc)) {
		if (curl_multi_add_handle(c->multi, t->easy) == CURLM_OK)
			return;
		transfer_fail(req, "cannot follow the redirect");
	}
	unlink_transfer(c, t);
	transfer_free(t);
	answer(c, req);
}

static void run_curl(struct http_client *c, curl_socket_t fd, int what)
{
	CURLMsg *m;
	int running, left;

	(void)curl_multi_socket_action(c->multi, fd, what, &running);
	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		char *private = NULL;
		CURLcode rc = m->data.result; /* m is invalid after the handle is removed */

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		ASSERT(private != NULL);
		end_transfer(c, (struct transfer *)(void *)private, rc);
	}
	watch_queue(c, c->n_running < c->max_parallel);
}

/* Those that wait: one try each while slots are free, and an end to those whose time is over. */
static void on_slot_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	struct timeval tv = {0, SLOT_TRY_MS * 1000};
	bool is_free = resolve_tidy(&c->slots, clock_real_ns() / 1000000);
	unsigned started = c->slots.used;
	struct transfer *t, *next;

	(void)fd;
	(void)what;
	for (t = c->waiting; t != NULL; t = next) {
		bool in_time = transfer_again(t);
		struct send_request *req = t->req;

		next = t->next;
		if (in_time && (!is_free || started >= LIMIT_RESOLVES))
			continue;
		take_off(&c->waiting, t);
		push(&c->running, t);
		started++;
		if (in_time && curl_multi_add_handle(c->multi, t->easy) == CURLM_OK)
			continue;
		unlink_transfer(c, t);
		transfer_free(t);
		refuse(c, req, "timed out: too many names are being looked up");
	}
	if (c->waiting != NULL)
		(void)event_add(c->slot_ev, &tv);
	watch_queue(c, c->n_running < c->max_parallel);
}

static void start_transfer(struct http_client *c, struct send_request *req)
{
	struct err e = {0};
	struct transfer *t = transfer_new(req, &c->slots, &e);

	if (t == NULL) {
		refuse(c, req, e.msg);
		return;
	}
	push(&c->running, t);
	atomic_fetch_add(&c->n_running, 1);
	if (curl_multi_add_handle(c->multi, t->easy) == CURLM_OK)
		return;
	unlink_transfer(c, t);
	transfer_free(t);
	refuse(c, req, "cannot start the transfer");
}

static void on_queue_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	struct send_request *req;

	(void)fd;
	(void)what;
	while (c->n_running < c->max_parallel && (req = queue_pop(c->queue, 0)) != NULL)
		start_transfer(c, req);
	watch_queue(c, c->n_running < c->max_parallel && !queue_is_closed(c->queue));
}

static void cancel_all(struct http_client *c)
{
	struct send_request *req;

	while (c->waiting != NULL) {
		struct transfer *t = c->waiting;

		take_off(&c->waiting, t);
		push(&c->running, t);
	}
	while (c->running != NULL) {
		struct transfer *t = c->running;

		req = t->req;
		(void)curl_multi_remove_handle(c->multi, t->easy);
		unlink_transfer(c, t);
		transfer_free(t);
		refuse(c, req, "cancelled: shutting down");
	}
	while ((req = queue_pop(c->queue, 0)) != NULL)
		refuse(c, req, "cancelled: shutting down");
}

static void *client_main(void *arg)
{
	struct http_client *c = arg;

	role_enter(ROLE_HTTP_CLIENT);
	watch_queue(c, true);
	loop_run(c->loop);
	cancel_all(c);
	/* here and not in the caller's thread: closing connections calls back into us */
	(void)curl_multi_cleanup(c->multi);
	c->multi = NULL;
	return NULL;
}

static int multi_new(struct http_client *c, struct err *e)
{
	c->multi = curl_multi_init();
	if (c->multi == NULL ||
		curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
		curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
		curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
		curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
		curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNS_MAX) != CURLM_OK)
		return err_set(e, ERR_IO, 0, "cannot set up libcurl");
	return 0;
}

static void make_metrics(struct http_client *c, const char *name)
{
	c->running_now = metric_gauge_l(
		"belfry_http_client_running", "Transfers under way.", "client", str_c(name));
	c->waiting_now = metric_gauge_l("belfry_http_client_queue",
		"Transfers that wait for their turn.", "client", str_c(name));
	metric_set(metric_gauge_l("belfry_http_client_running_limit",
			   "Transfers that may be under way at once.", "client", str_c(name)),
		c->max_parallel);
	c->resolving_now = metric_gauge_l(
		"belfry_http_client_resolving", "Names being looked up.", "client", str_c(name));
	metric_set(metric_gauge_l("belfry_http_client_resolving_limit",
			   "Names that may be looked up at once.", "client", str_c(name)),
		LIMIT_RESOLVES);
	c->done_total = metric_counter_l("belfry_http_client_transfers_total",
		"Transfers that ended, well or not.", "client", str_c(name));
	c->failed_total = metric_counter_l("belfry_http_client_failed_total",
		"Transfers that ended without a whole answer.", "client", str_c(name));
	metric_set(metric_gauge_l("belfry_http_client_queue_limit",
			   "Transfers that may wait for a client.", "client", str_c(name)),
		LIMIT_CLIENT_QUEUE);
}

int http_client_new(
	struct http_client **out, const char *name, unsigned max_parallel, struct err *e)
{
	struct http_client *c;
	int rc;

	(void)pthread_once(&once, global_init);
	if (global_rc != CURLE_OK)
		return err_set(e, ERR_IO, (int)global_rc, "cannot initialise libcurl");
	ASSERT(max_parallel > 0);
	c = calloc(1, sizeof *c);
	ASSERT(c != NULL);
	c->max_parallel = max_parallel;
	c->queue = queue_new(LIMIT_CLIENT_QUEUE, 0);
	make_metrics(c, name);
	if (loop_new(&c->loop, e) != 0 || multi_new(c, e) != 0)
		goto free_client;
	c->queue_ev = event_new(
		loop_base(c->loop), queue_fd(c->queue), EV_READ | EV_PERSIST, on_queue_event, c);
	c->timer_ev = event_new(loop_base(c->loop), -1, 0, on_timer_event, c);
	c->slot_ev = event_new(loop_base(c->loop), -1, 0, on_slot_event, c);
	ASSERT(c->queue_ev != NULL && c->timer_ev != NULL && c->slot_ev != NULL);
	rc = pthread_create(&c->thread, NULL, client_main, c);
	if (rc != 0) {
		err_set(e, ERR_IO, rc, "cannot start the http client: %s", err_strerror(rc));
		goto free_client;
	}
	c->started = true;
	*out = c;
	return 0;
free_client:
	http_client_free(c);
	return -1;
}

static bool submit(void *ctx, struct send_request *req)
{
	struct http_client *c = ctx;

	ASSERT(req->on_done != NULL);
	steps_work_begin(); /* until it is answered */
	if (queue_push(c->queue, req, 1))
		return true;
	steps_work_end();
	METRIC_LIMIT("http_client_queue");
	return false;
}

struct sender http_client_sender(struct http_client *c)
{
	return (struct sender){.ctx = c, .submit = submit};
}

void http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	queue_close(c->queue);
	if (c->started) {
		loop_stop(c->loop);
		(void)pthread_join(c->thread, NULL);
	}
	if (c->multi != NULL)
		(void)curl_multi_cleanup(c->multi);
	if (c->queue_ev != NULL)
		event_free(c->queue_ev);
	if (c->timer_ev != NULL)
		event_free(c->timer_ev);
	if (c->slot_ev != NULL)
		event_free(c->slot_ev);
	loop_free(c->loop);
	queue_free(c->queue);
	free(c);
}
