/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery under an injected clock: pace, backoff, coalescing, fallback, escalation and
 * acknowledgement, against receivers that answer as a table says.
 */
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
#include "exporters/ack.h"
#include "exporters/graph.h"
#include "exporters/notify.h"
#include "rules/alert_event.h"
#include "storage/state.h"

#define TAKEN_MAX 512u
#define SECOND    INT64_C(1000)
#define MINUTE    INT64_C(60000)

/* What came, on the state writer's thread; the test reads while that one waits. */
struct taken {
	char place[32]; /* last part of the URL */
	char *body;
	char id[80];
	int64_t at_ms;
	int status;
};
static struct taken taken[TAKEN_MAX];
static size_t n_taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct answer_plan {
	const char *place;
	int status;
	int64_t retry_after_ms;
	bool hang; /* no answer until released */
};
static struct answer_plan plans[8];
static struct send_request *hanging;
static char dir[64];
static int64_t now_ms;

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
	struct taken *t;

	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	ck_assert_uint_lt(n_taken, TAKEN_MAX);
	t = &taken[n_taken++];
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
	if (plan != NULL && plan->hang) {
		hanging = req;
		(void)pthread_mutex_unlock(&lock);
		return true;
	}
	(void)pthread_mutex_unlock(&lock);
	req->on_done(req, req->arg);
	return true;
}

/* --- configuration: a and b are webhooks (pairs), c and d Slack, d at c's URL --- */

static struct webhook_config hook_a = {.url = {"http://h/a", 10}, .send_resolved = true};
static struct webhook_config hook_b = {.url = {"http://h/b", 10}, .send_resolved = true};
static struct slack_config chat = {.api_url = {"http://h/c", 10}, .send_resolved = true};
static struct integration to_a, to_b, to_c, to_d;
static struct escalation_step steps[2];
static struct receiver_config receivers[4];
static struct matcher matchers[3];
static struct str by_name[1];
static struct route_config children[3];
static struct notify_config config;

static void make_config(void)
{
	static const char *const names[] = {"b", "c", "d"};
	struct err e;

	by_name[0] = STR("alertname");
	to_a = (struct integration){INT_WEBHOOK, 0, true, &hook_a};
	to_b = (struct integration){INT_WEBHOOK, 0, true, &hook_b};
	to_c = to_d = (struct integration){INT_SLACK, 0, true, &chat};
	memset(receivers, 0, sizeof receivers);
	receivers[0] = (struct receiver_config){.name = STR("a"), .v = &to_a, .n = 1};
	receivers[1] = (struct receiver_config){.name = STR("b"), .v = &to_b, .n = 1};
	receivers[2] = (struct receiver_config){.name = STR("c"), .v = &to_c, .n = 1};
	receivers[3] = (struct receiver_config){.name = STR("d"), .v = &to_d, .n = 1};
	config = (struct notify_config){.receivers = receivers,
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
		children[i] = config.root;
		children[i].receiver = str_c(names[i]);
		children[i].matchers = &matchers[i];
		children[i].n_matchers = 1;
	}
	config.root.routes = children;
	config.root.n_routes = 3;
}

/* A source of graphs that answers when the test says so. */
static struct graph_request *asked;
static size_t n_asked;
static bool with_graphs;

static bool ask(void *ctx, struct graph_request *req)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	asked = req;
	n_asked++;
	(void)pthread_mutex_unlock(&lock);
	return true;
}

static void answer_graph(void)
{
	struct graph_request *req;

	(void)pthread_mutex_lock(&lock);
	req = asked;
	asked = NULL;
	(void)pthread_mutex_unlock(&lock);
	ck_assert_ptr_nonnull(req);
	req->on_done(req, NULL);
}

struct rig {
	struct state *state;
	struct notify *notify;
};

static void start(struct rig *r)
{
	struct sender s = {.submit = take};
	struct err e;

	ck_assert_msg(state_open(&r->state, dir, &e) == 0, "%s", e.msg);
	ck_assert_msg(notify_new(&r->notify, r->state, &config, s, &e) == 0, "%s", e.msg);
	if (with_graphs)
		notify_set_graphs(r->notify, &(struct graph_source){.submit = ask});
	ck_assert_int_eq(state_start(r->state, &e), 0);
}

static void stop(struct rig *r)
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
	n = n_taken;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

/* The state writer does what was posted and what is due now. */
static void settle(struct rig *r)
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
static void settle_due(struct rig *r)
{
	struct state_job job = {.run = nothing};
	size_t before = taken_now();
	struct err e;

	ck_assert_int_eq(state_call(r->state, &job, &e), 0);
	if (taken_now() != before)
		settle(r);
}

static void pass(struct rig *r, int64_t ms, int64_t step)
{
	for (int64_t end = now_ms + ms; now_ms < end;) {
		now_ms = MIN_OF(now_ms + step, end);
		clock_inject(now_ms, 0);
		settle_due(r);
	}
}

static void say(struct rig *r, const char *name, const char *instance, const char *to, bool firing)
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
		.active_at_ms = now_ms,
		.fired_at_ms = now_ms,
		.resolved_at_ms = firing ? 0 : now_ms,
		.value = 1,
		.current = 1,
		.worst = 1,
		.threshold = normal_nan(),
		.op = "",
		.rule = info};
	ck_assert(sink.submit(sink.ctx, b));
	settle(r);
	pass(r, 20, 20); /* group_wait */
}

static size_t count(const char *place, int status, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < n_taken; i++)
		n += strcmp(taken[i].place, place) == 0 &&
		     (status == 0 || taken[i].status == status) &&
		     (text == NULL || strstr(taken[i].body, text) != NULL);
	return n;
}

static const struct taken *last(const char *place)
{
	const struct taken *t = NULL;

	for (size_t i = 0; i < n_taken; i++) {
		if (strcmp(taken[i].place, place) == 0)
			t = &taken[i];
	}
	ck_assert_ptr_nonnull(t);
	return t;
}

static void plan(size_t slot, const char *place, int status, int64_t retry_after_ms)
{
	(void)pthread_mutex_lock(&lock);
	plans[slot] = (struct answer_plan){place, status, retry_after_ms, false};
	(void)pthread_mutex_unlock(&lock);
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR + 1, LOG_LOGFMT);
	n_taken = 0;
	memset(plans, 0, sizeof plans);
	hanging = NULL;
	asked = NULL;
	n_asked = 0;
	with_graphs = false;
	now_ms = INT64_C(1700000000000);
	clock_inject(now_ms, 0);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-delivery-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_config();
}

static void teardown(void)
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
	for (size_t i = 0; i < n_taken; i++)
		free(taken[i].body);
	for (size_t i = 0; i < 3; i++)
		matcher_fini(&matchers[i]);
}

/* --- pace and backoff --- */

START_TEST(two_receivers_at_one_webhook_share_its_pace)
{
	struct rig r;

	start(&r);
	for (int i = 0; i < 3; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "A%d", i);
		say(&r, name, "i", "c", true);
		say(&r, name, "i", "d", true);
	}
	pass(&r, 8 * SECOND, 250);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, NULL), 6);
	for (size_t i = 1; i < n_taken; i++)
		ck_assert_int_ge(taken[i].at_ms - taken[i - 1].at_ms, 1000);
}
END_TEST

START_TEST(retry_after_closes_the_webhook_for_all_and_nobody_else)
{
	struct rig r;
	int64_t refused;

	start(&r);
	plan(0, "c", 429, 30 * SECOND);
	say(&r, "A", "i", "c", true);
	refused = last("c")->at_ms;
	plan(0, "c", 200, 0);
	say(&r, "B", "i", "d", true);
	say(&r, "C", "i", "a", true);
	ck_assert_uint_eq(count("a", 200, NULL), 1);
	pass(&r, 29 * SECOND, SECOND);
	ck_assert_uint_eq(count("c", 0, NULL), 1);
	pass(&r, 4 * SECOND, 250);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, "FIRING A"), 1);
	ck_assert_uint_eq(count("c", 200, "FIRING B"), 1);
	ck_assert_int_ge(taken[2].at_ms, refused + 30 * SECOND);
	ck_assert_int_le(taken[2].at_ms, refused + 31 * SECOND);
}
END_TEST

START_TEST(an_outage_of_ten_minutes_takes_few_attempts_and_ends_within_a_minute)
{
	struct rig r;
	size_t attempts;

	start(&r);
	plan(0, "a", 503, 0);
	say(&r, "A", "i", "a", true);
	pass(&r, 10 * MINUTE, 1500);
	attempts = n_taken;
	ck_assert_uint_ge(attempts, 12);
	ck_assert_uint_le(attempts, 25);
	for (size_t i = 1; i < attempts; i++) {
		ck_assert_int_le(taken[i].at_ms - taken[i - 1].at_ms, MINUTE + 1500);
		ck_assert_str_eq(taken[i].id, taken[0].id);
	}
	plan(0, "a", 200, 0);
	pass(&r, MINUTE, 1500);
	stop(&r);
	ck_assert_uint_eq(count("a", 200, NULL), 1);
}
END_TEST

START_TEST(a_message_the_receiver_chokes_on_holds_up_nobody)
{
	struct rig r;

	start(&r);
	plan(0, "a", 500, 0);
	say(&r, "Bad", "i", "a", true);
	say(&r, "Good", "i", "a", true);
	/* the test's receiver answers by place, so the first stays refused until the second is in
	 */
	pass(&r, 300, 100);
	ck_assert_uint_ge(count("a", 500, "\"Bad\""), 1);
	plan(0, "a", 200, 0);
	pass(&r, 2 * SECOND, 100);
	stop(&r);
	ck_assert_uint_eq(count("a", 200, "\"Good\""), 1);
}
END_TEST

/* --- coalescing --- */

START_TEST(what_waits_is_replaced_by_the_newer_state)
{
	struct rig r;

	start(&r);
	plan(0, "c", 500, 0);
	say(&r, "A", "one", "c", true);
	say(&r, "A", "two", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	say(&r, "A", "three", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	plan(0, "c", 200, 0);
	pass(&r, MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, NULL), 1);
	ck_assert_ptr_nonnull(strstr(last("c")->body, "instance=one"));
	ck_assert_ptr_nonnull(strstr(last("c")->body, "instance=two"));
	ck_assert_ptr_nonnull(strstr(last("c")->body, "instance=three"));
}
END_TEST

START_TEST(an_end_that_waits_is_told_by_what_replaces_it)
{
	struct rig r;

	start(&r);
	say(&r, "A", "one", "c", true);
	say(&r, "A", "two", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	ck_assert_uint_eq(count("c", 200, NULL), 2);
	plan(0, "c", 500, 0);
	say(&r, "A", "one", "c", false);
	pass(&r, 3 * SECOND, SECOND);
	say(&r, "A", "three", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	plan(0, "c", 200, 0);
	pass(&r, MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, NULL), 3);
	ck_assert_ptr_nonnull(strstr(last("c")->body, "2 firing, 1 resolved"));
	ck_assert_ptr_nonnull(strstr(last("c")->body, "instance=one"));
}
END_TEST

START_TEST(an_end_is_not_swallowed_by_a_new_beginning)
{
	struct rig r;

	start(&r);
	say(&r, "A", "one", "c", true);
	say(&r, "A", "two", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	plan(0, "c", 500, 0);
	say(&r, "A", "one", "c", false);
	pass(&r, 3 * SECOND, SECOND);
	say(&r, "A", "one", "c", true);
	pass(&r, 3 * SECOND, SECOND);
	plan(0, "c", 200, 0);
	pass(&r, 2 * MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, NULL), 4);
	ck_assert_uint_eq(count("c", 200, "1 firing, 1 resolved"), 1);
}
END_TEST

START_TEST(what_is_over_before_it_could_be_told_is_told_once)
{
	struct rig r;

	start(&r);
	plan(0, "c", 500, 0);
	say(&r, "A", "one", "c", true);
	pass(&r, 40 * SECOND, SECOND);
	say(&r, "A", "one", "c", false);
	plan(0, "c", 200, 0);
	pass(&r, MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("c", 200, NULL), 1);
	ck_assert_ptr_nonnull(strstr(last("c")->body, "RESOLVED"));
	ck_assert_ptr_nonnull(strstr(
		last("c")->body, "it began at 22:13:20 UTC, which could not be told in time"));
}
END_TEST

START_TEST(a_receiver_that_pairs_beginnings_and_ends_gets_both)
{
	struct rig r;

	start(&r);
	plan(0, "a", 500, 0);
	say(&r, "A", "one", "a", true);
	pass(&r, 40 * SECOND, SECOND);
	say(&r, "A", "one", "a", false);
	plan(0, "a", 200, 0);
	pass(&r, MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("a", 200, "\"status\":\"firing\",\"notification"), 1);
	ck_assert_uint_eq(count("a", 200, "\"status\":\"resolved\",\"notification"), 1);
}
END_TEST

/* --- graphs --- */

START_TEST(a_graph_is_waited_for_two_seconds_before_each_attempt)
{
	struct rig r;

	with_graphs = true;
	start(&r);
	plan(0, "c", 500, 0);
	say(&r, "A", "one", "c", true);
	ck_assert_uint_eq(n_asked, 1);
	ck_assert_uint_eq(n_taken, 0);
	answer_graph(); /* there is none: at once */
	settle(&r);
	ck_assert_uint_eq(n_taken, 1);
	plan(0, "c", 200, 0);
	pass(&r, 1500, 100); /* the backoff is over: asked for again, the source is silent */
	ck_assert_uint_eq(n_asked, 2);
	ck_assert_uint_eq(n_taken, 1);
	pass(&r, 2 * SECOND, 100);
	ck_assert_uint_eq(count("c", 200, NULL), 1);
	answer_graph(); /* too late for anything */
	settle(&r);
	say(&r, "B", "one", "a", true); /* a webhook has no place for graphs */
	ck_assert_uint_eq(n_asked, 2);
	stop(&r);
}
END_TEST

/* --- fallback --- */

START_TEST(what_is_refused_goes_to_the_fallback_with_a_note)
{
	struct rig r;

	receivers[0].fallback = STR("b");
	receivers[1].fallback = STR("a"); /* each other's: nothing goes round */
	start(&r);
	plan(0, "a", 404, 0);
	say(&r, "A", "one", "a", true);
	pass(&r, 2 * SECOND, 500);
	ck_assert_uint_eq(count("a", 404, NULL), 1);
	ck_assert_uint_eq(count("b", 200, "first tried: a/webhook, refused by the receiver"), 1);
	plan(1, "b", 410, 0);
	say(&r, "A", "one", "a", false);
	pass(&r, 2 * MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("a", 404, NULL), 2);
	ck_assert_uint_eq(count("b", 410, "\"status\":\"resolved\""), 1);
}
END_TEST

START_TEST(a_fallback_is_told_after_a_restart_too)
{
	struct rig r;

	receivers[0].fallback = STR("b");
	config.expiry_ms = MINUTE;
	start(&r);
	plan(0, "a", 500, 0);
	say(&r, "A", "one", "a", true);
	pass(&r, 10 * SECOND, SECOND);
	stop(&r);
	start(&r);
	pass(&r, 2 * MINUTE, 5 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("b", 200, "first tried: a/webhook, expired"), 1);
	ck_assert_uint_eq(count("b", 200, "\"instance\":\"one\""), 1);
}
END_TEST

/* --- escalation and acknowledgement --- */

static void escalating(void)
{
	steps[0] = (struct escalation_step){
		.to = STR("b"), .not_delivered_ms = 2 * MINUTE, .not_acknowledged_ms = 10 * MINUTE};
	receivers[0].escalate = steps;
	receivers[0].n_escalate = 1;
}

START_TEST(nobody_reached_is_escalated_once_and_told_the_end)
{
	struct rig r;

	escalating();
	start(&r);
	plan(0, "a", 500, 0);
	say(&r, "A", "one", "a", true);
	pass(&r, 119 * SECOND, 7 * SECOND);
	ck_assert_uint_eq(count("b", 0, NULL), 0);
	pass(&r, 3 * SECOND, SECOND);
	ck_assert_uint_eq(
		count("b", 200, "escalated from a: not delivered for 2m 0s (answered 500"), 1);
	pass(&r, 15 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(count("b", 200, NULL), 1);
	say(&r, "A", "one", "a", false);
	pass(&r, 2 * SECOND, SECOND);
	stop(&r);
	ck_assert_uint_eq(count("b", 200, "\"status\":\"resolved\",\"notification"), 1);
}
END_TEST

START_TEST(nobody_acknowledging_is_escalated_across_a_restart)
{
	struct rig r;

	escalating();
	start(&r);
	say(&r, "A", "one", "a", true);
	pass(&r, 5 * MINUTE, 20 * SECOND);
	stop(&r);
	start(&r);
	pass(&r, 290 * SECOND, 20 * SECOND);
	ck_assert_uint_eq(count("b", 0, NULL), 0);
	pass(&r, 20 * SECOND, SECOND);
	ck_assert_uint_eq(count("b", 200, "escalated from a: not acknowledged for 10m"), 1);
	stop(&r);
	start(&r);
	pass(&r, 20 * MINUTE, 20 * SECOND);
	stop(&r);
	ck_assert_uint_eq(count("b", 200, NULL), 1);
}
END_TEST

static struct str key_of(struct rig *r, struct arena *a)
{
	struct str at = str_c(last("a")->body), key;
	size_t from = 0;

	(void)r;
	while (!str_starts(str_sub(at, from, at.n), STR("\"groupKey\":\"")))
		from++;
	key = str_sub(at, from + 12, at.n);
	key = str_sub(key, 0, str_find(key, ','));
	key = str_sub(key, 0, key.n - 1);
	/* JSON's backslashes before quotes */
	char *p = ARENA_ARRAY(a, key.n, char);
	size_t n = 0;

	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] != '\\')
			p[n++] = key.p[i];
	}
	return str_n(p, n);
}

START_TEST(an_acknowledged_incident_is_quiet_until_an_alert_joins_it)
{
	struct rig r;
	struct arena a;
	struct ack_view *v;
	struct str key;
	struct err e;
	size_t n;

	arena_init(&a, 1 << 20);
	escalating();
	config.root.repeat_interval_ms = 3 * MINUTE;
	start(&r);
	say(&r, "A", "one", "a", true);
	key = key_of(&r, &a);
	ck_assert_msg(notify_ack(r.notify, key, 0, STR("ann"), STR("on it"), &e) == 0, "%s", e.msg);
	pass(&r, 2 * MINUTE, 20 * SECOND);
	stop(&r);
	start(&r); /* it holds */
	ck_assert_int_eq(notify_acks(r.notify, &a, &v, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(v[0].who, STR("ann")));
	pass(&r, 20 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(n_taken, 1);
	say(&r, "A", "two", "a", true);
	pass(&r, 2 * SECOND, SECOND);
	ck_assert_uint_eq(count("a", 200, NULL), 2);
	pass(&r, 11 * MINUTE, 20 * SECOND);
	stop(&r);
	ck_assert_uint_ge(count("a", 200, "repeat interval elapsed"), 3);
	ck_assert_uint_eq(count("b", 200, "not acknowledged for 10m"), 1);
	arena_fini(&a);
}
END_TEST

START_TEST(an_acknowledgement_is_taken_back_and_ends_with_its_incident)
{
	struct rig r;
	struct arena a;
	struct str key;
	struct err e;

	arena_init(&a, 1 << 20);
	escalating();
	start(&r);
	say(&r, "A", "one", "a", true);
	key = key_of(&r, &a);
	ck_assert_int_eq(notify_ack(r.notify, key, 0, STR("ann"), STR(""), &e), 0);
	ck_assert_int_eq(notify_unack(r.notify, key, 0, STR("bob"), &e), 0);
	pass(&r, 11 * MINUTE, 20 * SECOND);
	ck_assert_uint_eq(count("b", 200, NULL), 1);
	ck_assert_int_eq(notify_ack(r.notify, key, 1, STR("ann"), STR(""), &e), -1); /* another */
	ck_assert_int_eq(e.kind, ERR_INPUT);
	ck_assert_int_eq(e.code, 404);
	say(&r, "A", "one", "a", false);
	ck_assert_int_eq(notify_ack(r.notify, key, 0, STR("ann"), STR(""), &e), -1);
	ck_assert_int_eq(notify_ack_alert(r.notify, 17, STR("ann"), STR(""), NULL, &e), -1);
	stop(&r);
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery");
	TCase *t = tcase_create("delivery");
	SRunner *sr;
	int bad;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, two_receivers_at_one_webhook_share_its_pace);
	tcase_add_test(t, retry_after_closes_the_webhook_for_all_and_nobody_else);
	tcase_add_test(t, an_outage_of_ten_minutes_takes_few_attempts_and_ends_within_a_minute);
	tcase_add_test(t, a_message_the_receiver_chokes_on_holds_up_nobody);
	tcase_add_test(t, what_waits_is_replaced_by_the_newer_state);
	tcase_add_test(t, an_end_that_waits_is_told_by_what_replaces_it);
	tcase_add_test(t, an_end_is_not_swallowed_by_a_new_beginning);
	tcase_add_test(t, what_is_over_before_it_could_be_told_is_told_once);
	tcase_add_test(t, a_receiver_that_pairs_beginnings_and_ends_gets_both);
	tcase_add_test(t, a_graph_is_waited_for_two_seconds_before_each_attempt);
	tcase_add_test(t, what_is_refused_goes_to_the_fallback_with_a_note);
	tcase_add_test(t, a_fallback_is_told_after_a_restart_too);
	tcase_add_test(t, nobody_reached_is_escalated_once_and_told_the_end);
	tcase_add_test(t, nobody_acknowledging_is_escalated_across_a_restart);
	tcase_add_test(t, an_acknowledged_incident_is_quiet_until_an_alert_joins_it);
	tcase_add_test(t, an_acknowledgement_is_taken_back_and_ends_with_its_incident);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad != 0;
}
