/* SPDX-License-Identifier: Apache-2.0 */
/* delivery_rig - see delivery_rig.h. */
#include "tests/lib/delivery_rig.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "rules/alert_event.h"

struct delivery_taken delivery_taken[DELIVERY_TAKEN_MAX];
size_t delivery_n_taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct answer_plan {
	const char *place;
	int status;
	int64_t retry_after_ms;
};
static struct answer_plan plans[8];
static char dir[64];
int64_t delivery_now_ms;

static const char *header(const struct send_request *req, const char *name)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		if (strncmp(req->headers[i], name, strlen(name)) == 0)
			return req->headers[i] + strlen(name) + 2;
	}
	return "";
}

static bool take(void *ctx, struct send_request *req)
{
	const char *place = strrchr(req->url, '/') + 1;
	const struct answer_plan *plan = NULL;
	struct delivery_taken *t;

	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	ck_assert_uint_lt(delivery_n_taken, DELIVERY_TAKEN_MAX);
	t = &delivery_taken[delivery_n_taken++];
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		if (plans[i].place != NULL && strcmp(plans[i].place, place) == 0)
			plan = &plans[i];
	}
	(void)snprintf(t->place, sizeof t->place, "%s", place);
	(void)snprintf(t->id, sizeof t->id, "%s", header(req, "X-Belfry-Id"));
	t->body = strndup(req->body, req->body_len);
	t->at_ms = clock_mono_ms();
	t->status = req->status = plan != NULL && plan->status != 0 ? plan->status : 200;
	req->retry_after_ms = plan != NULL ? plan->retry_after_ms : 0;
	req->transport_ok = true;
	req->reply = strdup("ok");
	req->reply_len = 2;
	(void)pthread_mutex_unlock(&lock);
	req->on_done(req, req->arg);
	return true;
}

/* --- configuration: a and b are webhooks (pairs), c and d Slack, d at c's URL --- */

static struct webhook_config hook_a = {.url = {"http://h/a", 10}, .send_resolved = true};
static struct webhook_config hook_b = {.url = {"http://h/b", 10}, .send_resolved = true};
static struct slack_config chat = {.api_url = {"http://h/c", 10}, .send_resolved = true};
static struct integration to_a, to_b, to_c, to_d;
struct receiver_config delivery_receivers[4];
static struct matcher matchers[3];
static struct str by_name[1];
static struct route_config children[3];
struct notify_config delivery_config;

static void make_config(void)
{
	static const char *const names[] = {"b", "c", "d"};
	struct err e;

	by_name[0] = STR("alertname");
	to_a = (struct integration){INT_WEBHOOK, 0, true, &hook_a};
	to_b = (struct integration){INT_WEBHOOK, 0, true, &hook_b};
	to_c = to_d = (struct integration){INT_SLACK, 0, true, &chat};
	memset(delivery_receivers, 0, sizeof delivery_receivers);
	delivery_receivers[0] = (struct receiver_config){.name = STR("a"), .v = &to_a, .n = 1};
	delivery_receivers[1] = (struct receiver_config){.name = STR("b"), .v = &to_b, .n = 1};
	delivery_receivers[2] = (struct receiver_config){.name = STR("c"), .v = &to_c, .n = 1};
	delivery_receivers[3] = (struct receiver_config){.name = STR("d"), .v = &to_d, .n = 1};
	delivery_config = (struct notify_config){.receivers = delivery_receivers,
		.n_receivers = 4,
		.root = {.receiver = STR("a"),
			.group_by = by_name,
			.n_group_by = 1,
			.group_wait_ms = 10,
			.group_interval_ms = 1000,
			.repeat_interval_ms = 60 * MINUTE}};
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(
			matcher_init(&matchers[i], MATCH_EQ, STR("to"), str_c(names[i]), &e), 0);
		children[i] = delivery_config.root;
		children[i].receiver = str_c(names[i]);
		children[i].matchers = &matchers[i];
		children[i].n_matchers = 1;
	}
	delivery_config.root.routes = children;
	delivery_config.root.n_routes = 3;
}

/* A source of graphs that answers when the test says so. */
static struct graph_request *asked;
size_t delivery_n_asked;
bool delivery_with_graphs;

static bool ask(void *ctx, struct graph_request *req)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	asked = req;
	delivery_n_asked++;
	(void)pthread_mutex_unlock(&lock);
	return true;
}

void delivery_answer_graph(void)
{
	struct graph_request *req;

	(void)pthread_mutex_lock(&lock);
	req = asked;
	asked = NULL;
	(void)pthread_mutex_unlock(&lock);
	ck_assert_ptr_nonnull(req);
	req->on_done(req, NULL);
}

void delivery_start(struct delivery_rig *r)
{
	struct sender s = {.submit = take};
	struct err e;

	ck_assert_msg(state_open(&r->state, dir, &e) == 0, "%s", e.msg);
	ck_assert_msg(notify_new(&r->notify, r->state, &delivery_config, s, &e) == 0, "%s", e.msg);
	if (delivery_with_graphs)
		notify_set_graphs(r->notify, &(struct graph_source){.submit = ask});
	ck_assert_int_eq(state_start(r->state, &e), 0);
}

void delivery_stop(struct delivery_rig *r)
{
	notify_quiesce(r->notify);
	state_stop(r->state);
	notify_free(r->notify);
	state_free(r->state);
}

static int nothing(struct state_job *job, sqlite3 *db, struct err *e)
{
	(void)job;
	(void)db;
	(void)e;
	return 0;
}

static size_t taken_now(void)
{
	size_t n;

	(void)pthread_mutex_lock(&lock);
	n = delivery_n_taken;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

/* The state writer does what was posted and what is due now. */
void delivery_settle(struct delivery_rig *r)
{
	struct err e;
	size_t before;

	do {
		before = taken_now();
		for (int i = 0; i < 3; i++) {
			struct state_job job = {.run = nothing};

			ck_assert_int_eq(state_call(r->state, &job, &e), 0);
		}
	} while (taken_now() != before);
}

/* The same while nobody posts: only what comes due. */
static void settle_due(struct delivery_rig *r)
{
	struct state_job job = {.run = nothing};
	size_t before = taken_now();
	struct err e;

	ck_assert_int_eq(state_call(r->state, &job, &e), 0);
	if (taken_now() != before)
		delivery_settle(r);
}

void delivery_pass(struct delivery_rig *r, int64_t ms, int64_t step)
{
	for (int64_t end = delivery_now_ms + ms; delivery_now_ms < end;) {
		delivery_now_ms = MIN_OF(delivery_now_ms + step, end);
		clock_inject(delivery_now_ms, 0);
		settle_due(r);
	}
}

void delivery_say(
	struct delivery_rig *r, const char *name, const char *instance, const char *to, bool firing)
{
	struct label v[] = {{STR("alertname"), str_c(name)}, {STR("instance"), str_c(instance)},
		{STR("to"), str_c(to)}};
	struct labels ls = {v, ARRAY_LEN(v)};
	struct alert_batch *b = alert_batch_new((size_t)1 << 20);
	struct alert_rule_info *info = ARENA_NEW(&b->arena, struct alert_rule_info);
	struct alert_sink sink = notify_sink(r->notify);

	*info = (struct alert_rule_info){
		.group = STR("g"), .name = str_c(name), .expr = STR("up == 0")};
	b->events = ARENA_NEW(&b->arena, struct alert_event);
	b->n = 1;
	b->changed = true;
	b->group_key = STR("f;g");
	b->events[0] = (struct alert_event){.from = firing ? ALERT_INACTIVE : ALERT_FIRING,
		.to = firing ? ALERT_FIRING : ALERT_INACTIVE,
		.labels = labels_copy(&b->arena, ls),
		.fingerprint = labels_fingerprint(ls),
		.active_at_ms = delivery_now_ms,
		.fired_at_ms = delivery_now_ms,
		.resolved_at_ms = firing ? 0 : delivery_now_ms,
		.value = 1,
		.current = 1,
		.worst = 1,
		.threshold = normal_nan(),
		.op = "",
		.rule = info};
	ck_assert(sink.submit(sink.ctx, b));
	delivery_settle(r);
	delivery_pass(r, 20, 20); /* group_wait */
}

size_t delivery_count(const char *place, int status, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < delivery_n_taken; i++)
		n += strcmp(delivery_taken[i].place, place) == 0 &&
		     (status == 0 || delivery_taken[i].status == status) &&
		     (text == NULL || strstr(delivery_taken[i].body, text) != NULL);
	return n;
}

const struct delivery_taken *delivery_last(const char *place)
{
	const struct delivery_taken *t = NULL;

	for (size_t i = 0; i < delivery_n_taken; i++) {
		if (strcmp(delivery_taken[i].place, place) == 0)
			t = &delivery_taken[i];
	}
	ck_assert_ptr_nonnull(t);
	return t;
}

void delivery_plan(size_t slot, const char *place, int status, int64_t retry_after_ms)
{
	(void)pthread_mutex_lock(&lock);
	plans[slot] = (struct answer_plan){place, status, retry_after_ms};
	(void)pthread_mutex_unlock(&lock);
}

void delivery_setup(void)
{
	hash_init();
	log_init(LOG_ERROR + 1, LOG_LOGFMT);
	delivery_n_taken = 0;
	memset(plans, 0, sizeof plans);
	asked = NULL;
	delivery_n_asked = 0;
	delivery_with_graphs = false;
	delivery_now_ms = INT64_C(1700000000000);
	clock_inject(delivery_now_ms, 0);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-delivery-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_config();
}

void delivery_teardown(void)
{
	static const char *const files[] = {
		"state.db", "state.db-wal", "state.db-shm", "state.db.reserve"};
	char path[128];

	clock_restore();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	for (size_t i = 0; i < delivery_n_taken; i++)
		free(delivery_taken[i].body);
	for (size_t i = 0; i < 3; i++)
		matcher_fini(&matchers[i]);
}
