/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers against senders that answer from a script, by an injected clock: what is told, when again,
 * and what a slow or broken Alertmanager changes.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/peer_internal.h"
#include "tests/lib/suite.h"

#define T0 INT64_C(1767323045000) /* 2026-01-02T03:04:05Z */

#define REQUESTS_MAX 4096u

static struct send_request *requests[REQUESTS_MAX]; /* as handed over, not yet answered */
static size_t n_requests;
static bool full; /* the sender takes nothing */

static bool submit(void *ctx, struct send_request *req)
{
	(void)ctx;
	if (full)
		return false;
	ck_assert_uint_lt(n_requests, REQUESTS_MAX);
	requests[n_requests++] = req;
	return true;
}

static struct peers *p;
static struct peer_config cfg;
static struct peer_group_config groups[2];
static struct str urls_a[2], urls_c[1];
static struct err e;
static int64_t now_ms;

static void at(int64_t ms)
{
	now_ms = ms;
	clock_inject(ms, 0);
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	n_requests = 0;
	full = false;
	at(T0);
	urls_a[0] = STR("http://a:9093/api/v2/alerts");
	urls_a[1] = STR("http://b:9093/api/v2/alerts");
	urls_c[0] = STR("http://c:9093/api/v2/alerts");
	memset(groups, 0, sizeof groups);
	groups[0].urls = urls_a;
	groups[0].n_urls = 1;
	groups[0].timeout_ms = 10000;
	groups[1].urls = urls_c;
	groups[1].n_urls = 1;
	groups[1].timeout_ms = 10000;
	cfg = (struct peer_config){
		.groups = groups, .n_groups = 1, .external_url = STR("http://x")};
}

/* A struct peers whose thread does not run: the test is it. */
static void begin(void)
{
	struct peer_config none = {0};

	ck_assert_int_eq(peers_new(&p, &none, NULL, (struct sender){NULL, submit}, &e), 0);
	ck_assert(!p->started);
	p->cfg = &cfg;
	peer_send_configure(p);
}

/* Rounds of what the thread does, and no more than is due. */
static void turn(void)
{
	struct peer_alert *v[LIMIT_PEER_BATCH];
	size_t n;

	peer_table_turn(&p->table, clock_mono_ms(), clock_wall_ms());
	while ((n = peer_table_pick(&p->table, v, LIMIT_PEER_BATCH, clock_mono_ms())) > 0)
		peer_send_alerts(p, v, n);
	peer_send_pump(p, clock_mono_ms());
}

/* Answer the request with this number; status 0: no answer came. */
static void answer(size_t i, int status)
{
	struct peer_msg *m;

	ck_assert_uint_lt(i, n_requests);
	ck_assert_ptr_nonnull(requests[i]);
	requests[i]->status = status;
	requests[i]->transport_ok = status != 0;
	requests[i]->on_done(requests[i], requests[i]->arg);
	requests[i] = NULL;
	m = queue_pop(p->in, 0);
	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(m->kind, PEER_RESULT);
	peer_send_result(p, m->peer_id, m->req);
	send_request_free(m->req);
	free(m);
}

static void end(void)
{
	for (size_t i = 0; i < n_requests; i++) {
		if (requests[i] != NULL)
			answer(i, 200);
	}
	peers_free(p);
	p = NULL;
	clock_restore();
}

static void fact(const char *name, bool firing, int64_t fired, int64_t resolved)
{
	struct label v[2] = {{STR("alertname"), str_c(name)}, {STR("job"), STR("j")}};
	struct label note = {STR("summary"), STR("s")};
	struct peer_fact f = {.labels = {v, 2},
		.annotations = {&note, 1},
		.expr = STR("up == 0"),
		.fired_at_ms = fired,
		.resolved_at_ms = resolved,
		.interval_ms = 15000,
		.firing = firing};

	f.fingerprint = labels_fingerprint(f.labels);
	f.rule_hash = hash_str(f.expr);
	peer_table_take(&p->table, &f);
}

static json_t *body(size_t i)
{
	json_t *j = json_loadb(requests[i]->body, requests[i]->body_len, 0, NULL);

	ck_assert_ptr_nonnull(j);
	return j;
}

static const char *member(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

START_TEST(a_firing_alert_is_told_at_once_and_every_minute)
{
	json_t *j;

	begin();
	fact("X", true, T0 - 5000, 0);
	turn();
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_str_eq(requests[0]->url, "http://a:9093/api/v2/alerts");
	j = body(0);
	ck_assert_uint_eq(json_array_size(j), 1);
	ck_assert_str_eq(member(j, 0, "startsAt"), "2026-01-02T03:04:00.000Z");
	ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:08:05.000Z"); /* 4 minutes ahead */
	ck_assert_str_eq(
		member(j, 0, "generatorURL"), "http://x/graph?g0.expr=up%20%3D%3D%200&g0.tab=1");
	json_decref(j);
	answer(0, 200);
	fact("X", true, T0 - 5000, 0); /* the next evaluations say the same */
	at(T0 + 59000);
	turn();
	ck_assert_uint_eq(n_requests, 1);
	at(T0 + 60000);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	j = body(1);
	ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:09:05.000Z");
	json_decref(j);
	end();
}
END_TEST

START_TEST(a_long_interval_reaches_further)
{
	struct label v = {STR("alertname"), STR("X")};
	struct peer_fact f = {.labels = {&v, 1},
		.fired_at_ms = T0,
		.interval_ms = 300000,
		.firing = true,
		.expr = STR("x")};
	json_t *j;

	begin();
	peer_table_take(&p->table, &f);
	turn();
	j = body(0);
	ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:24:05.000Z");
	json_decref(j);
	end();
}
END_TEST

START_TEST(the_end_is_told_at_once_and_for_a_quarter_of_an_hour)
{
	size_t told = 0;
	json_t *j;

	begin();
	fact("X", true, T0, 0);
	turn();
	answer(0, 200);
	at(T0 + 10000);
	fact("X", false, T0, T0 + 9000);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	j = body(1);
	ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:04:14.000Z");
	json_decref(j);
	answer(1, 200);
	for (int minute = 1; minute <= 40; minute++) {
		at(T0 + 10000 + minute * INT64_C(60000));
		turn();
		if (n_requests > 2 + told) {
			told++;
			answer(n_requests - 1, 200);
		}
	}
	ck_assert_uint_ge(told, 14);
	ck_assert_uint_le(told, 15);
	ck_assert_uint_eq(p->table.by_hash.n, 0);
	end();
}
END_TEST

START_TEST(what_fires_again_is_a_new_instance)
{
	json_t *j;

	begin();
	fact("X", true, T0, 0);
	turn();
	answer(0, 200);
	fact("X", false, T0, T0 + 1000);
	turn();
	answer(1, 200);
	at(T0 + 5000);
	fact("X", true, T0 + 5000, 0);
	turn();
	ck_assert_uint_eq(n_requests, 3);
	j = body(2);
	ck_assert_str_eq(member(j, 0, "startsAt"), "2026-01-02T03:04:10.000Z");
	ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:08:10.000Z");
	json_decref(j);
	end();
}
END_TEST

START_TEST(what_is_pending_again_is_not_told_any_more)
{
	begin();
	fact("X", true, T0, 0);
	turn();
	answer(0, 200);
	fact("X", false, 0, 0);
	at(T0 + 120000);
	turn();
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_uint_eq(p->table.by_hash.n, 0);
	fact("Y", false, T0, T0 + 1); /* the end of what was never told */
	turn();
	ck_assert_uint_eq(n_requests, 1);
	end();
}
END_TEST

static struct relabel_rule rule(const char *source, const char *regex, enum relabel_action action,
	const char *target, const char *replacement)
{
	static struct str sources[8];
	static size_t used;
	struct relabel_rule r = relabel_defaults;

	sources[used % 8] = str_c(source);
	r.source_labels = &sources[used++ % 8];
	r.n_source_labels = 1;
	r.regex = str_c(regex);
	r.action = action;
	r.target_label = str_c(target);
	if (replacement != NULL)
		r.replacement = str_c(replacement);
	ck_assert_msg(relabel_rule_init(&r, &e) == 0, "%s", e.msg);
	return r;
}

START_TEST(labels_leave_with_external_ones_and_relabelled)
{
	struct label external[] = {{STR("alertname"), STR("never")}, {STR("site"), STR("s1")}};
	struct relabel_rule all = rule("alertname", "Secret.*", RELABEL_DROP, NULL, NULL);
	struct relabel_rule one = rule("site", "(.*)", RELABEL_REPLACE, "place", "at-$1");
	json_t *j, *labels;

	cfg.external_labels = (struct labels){external, 2};
	cfg.relabel = &all;
	cfg.n_relabel = 1;
	cfg.n_groups = 2;
	groups[1].relabel = &one;
	groups[1].n_relabel = 1;
	begin();
	fact("Secret1", true, T0, 0);
	fact("X", true, T0, 0);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	j = body(0);
	ck_assert_uint_eq(json_array_size(j), 1);
	labels = json_object_get(json_array_get(j, 0), "labels");
	ck_assert_uint_eq(json_object_size(labels), 3);
	ck_assert_str_eq(json_string_value(json_object_get(labels, "alertname")), "X");
	ck_assert_str_eq(json_string_value(json_object_get(labels, "site")), "s1");
	json_decref(j);
	j = body(1);
	labels = json_object_get(json_array_get(j, 0), "labels");
	ck_assert_str_eq(json_string_value(json_object_get(labels, "place")), "at-s1");
	json_decref(j);
	end();
	relabel_rule_fini(&all);
	relabel_rule_fini(&one);
}
END_TEST

START_TEST(requests_hold_64_alerts_and_go_one_after_the_other)
{
	char name[32];
	size_t total = 0;

	begin();
	for (int i = 0; i < 150; i++) {
		(void)snprintf(name, sizeof name, "A%d", i);
		fact(name, true, T0, 0);
	}
	turn();
	for (size_t i = 0; i < 3; i++) {
		json_t *j;

		ck_assert_uint_eq(n_requests, i + 1);
		j = body(i);
		ck_assert_uint_le(json_array_size(j), LIMIT_PEER_BATCH);
		total += json_array_size(j);
		json_decref(j);
		answer(i, 200);
		turn();
	}
	ck_assert_uint_eq(total, 150);
	ck_assert_uint_eq(n_requests, 3);
	end();
}
END_TEST

START_TEST(one_that_does_not_answer_delays_nobody)
{
	groups[0].n_urls = 2;
	begin();
	fact("X", true, T0, 0);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	answer(1, 200); /* b; a hangs */
	for (size_t i = 0; i < 5; i++) {
		at(now_ms + 60000);
		turn();
		ck_assert_uint_eq(n_requests, 3 + i);
		ck_assert_str_eq(requests[2 + i]->url, "http://b:9093/api/v2/alerts");
		answer(2 + i, 200);
	}
	ck_assert_uint_eq(p->v[0].n_alerts, 6);
	answer(0, 0);
	at(now_ms + 60000);
	turn(); /* a's oldest are superseded: the newest goes */
	ck_assert_uint_eq(p->v[0].n_alerts, 2);
	end();
}
END_TEST

START_TEST(failures_are_tried_again_and_refusals_are_not)
{
	begin();
	fact("X", true, T0, 0);
	turn();
	answer(0, 503);
	turn();
	ck_assert_uint_eq(n_requests, 1); /* held */
	at(T0 + 1000);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	answer(1, 0);
	at(T0 + 2500);
	turn();
	ck_assert_uint_eq(n_requests, 2); /* longer */
	at(T0 + 3000);
	turn();
	ck_assert_uint_eq(n_requests, 3);
	answer(2, 400);
	ck_assert_uint_eq(p->v[0].n_alerts, 0);
	at(T0 + 20000);
	turn();
	ck_assert_uint_eq(n_requests, 3);
	at(T0 + 60000);
	turn(); /* the next round */
	ck_assert_uint_eq(n_requests, 4);
	end();
}
END_TEST

START_TEST(a_full_sender_is_tried_again)
{
	begin();
	fact("X", true, T0, 0);
	full = true;
	turn();
	ck_assert_uint_eq(n_requests, 0);
	ck_assert_uint_eq(p->v[0].n_alerts, 1);
	full = false;
	at(T0 + 1000);
	turn();
	ck_assert_uint_eq(n_requests, 1);
	end();
}
END_TEST

START_TEST(a_queue_is_bounded_and_keeps_what_is_under_way)
{
	char name[32];

	begin();
	for (int i = 0; i < 64; i++) {
		(void)snprintf(name, sizeof name, "A%d", i);
		fact(name, true, T0, 0);
	}
	turn(); /* under way, never answered */
	for (unsigned i = 0; i < LIMIT_PEER_QUEUE / 64 + 10; i++) {
		at(now_ms + 60000);
		turn();
		ck_assert_uint_le(p->v[0].n_alerts, LIMIT_PEER_QUEUE);
	}
	ck_assert_uint_eq(p->v[0].n_alerts, LIMIT_PEER_QUEUE);
	ck_assert_uint_eq(n_requests, 1);
	answer(0, 200);
	ck_assert_uint_eq(p->v[0].n_alerts, LIMIT_PEER_QUEUE - 64);
	end();
}
END_TEST

START_TEST(a_result_for_a_peer_that_is_gone_changes_nothing)
{
	begin();
	fact("X", true, T0, 0);
	turn();
	groups[0].urls = urls_c;
	peer_send_configure(p);
	peer_table_all_urgent(&p->table);
	turn();
	ck_assert_uint_eq(n_requests, 2);
	ck_assert_str_eq(requests[1]->url, "http://c:9093/api/v2/alerts");
	answer(0, 500);
	ck_assert(p->v[0].in_flight);
	ck_assert_uint_eq(p->v[0].failures, 0);
	end();
}
END_TEST

START_TEST(what_nobody_names_any_more_is_over)
{
	begin();
	fact("Old", true, T0, 0);
	at(T0 + 20000);
	fact("New", true, T0, 0);
	peer_table_end_unheard(&p->table, clock_mono_ms() - 10000, clock_wall_ms());
	ck_assert_uint_eq(p->table.by_hash.n, 2);
	turn();
	{
		json_t *j = body(0);

		ck_assert_str_eq(member(j, 0, "endsAt"), "2026-01-02T03:04:25.000Z");
		ck_assert_str_eq(member(j, 1, "endsAt"), "2026-01-02T03:08:25.000Z");
		json_decref(j);
	}
	end();
}
END_TEST

/* With the thread: the sink passes batches on, a reload brings the first peers. */

static _Atomic unsigned passed_on;
static _Atomic unsigned answered;

static bool next_sink(void *ctx, struct alert_batch *b)
{
	(void)ctx;
	alert_batch_free(b);
	passed_on++;
	return true;
}

static bool answer_at_once(void *ctx, struct send_request *req)
{
	(void)ctx;
	req->status = 200;
	req->transport_ok = true;
	req->on_done(req, req->arg);
	answered++;
	return true;
}

static void tell(struct alert_sink s, const char *name)
{
	struct alert_batch *b = alert_batch_new(1u << 20);
	struct label *v = ARENA_NEW(&b->arena, struct label);

	*v = (struct label){STR("alertname"), str_c(name)};
	b->events = ARENA_NEW(&b->arena, struct alert_event);
	b->events[0] = (struct alert_event){
		.from = ALERT_INACTIVE, .to = ALERT_FIRING, .labels = {v, 1}, .fired_at_ms = T0};
	b->n = 1;
	ck_assert(s.submit(s.ctx, b));
}

static void await(unsigned n)
{
	struct queue *never = queue_new(1, 0);

	for (int i = 0; i < 2000 && answered < n; i++)
		(void)queue_pop(never, 5);
	queue_free(never);
	ck_assert_uint_ge(answered, n);
}

START_TEST(the_thread_takes_alerts_and_reloads)
{
	struct alert_sink next = {.submit = next_sink, .compact = true}, sink;
	struct peer_config none = {0};

	clock_restore();
	passed_on = answered = 0;
	ck_assert_int_eq(peers_new(&p, &none, NULL, (struct sender){NULL, answer_at_once}, &e), 0);
	sink = peers_sink(p, next);
	ck_assert(sink.compact);
	tell(sink, "before"); /* nobody to tell */
	ck_assert_uint_eq(passed_on, 1);
	peers_reload(p, &cfg);
	tell(sink, "X");
	await(1);
	cfg.n_groups = 2;
	peers_reload(p, &cfg);
	await(3); /* told again, to both */
	peers_reload(p, &none);
	tell(sink, "after");
	ck_assert_uint_eq(passed_on, 3);
	peers_stop(p);
	peers_free(p);
	p = NULL;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("peer");
	TCase *t = tcase_create("peer");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_firing_alert_is_told_at_once_and_every_minute);
	tcase_add_test(t, a_long_interval_reaches_further);
	tcase_add_test(t, the_end_is_told_at_once_and_for_a_quarter_of_an_hour);
	tcase_add_test(t, what_fires_again_is_a_new_instance);
	tcase_add_test(t, what_is_pending_again_is_not_told_any_more);
	tcase_add_test(t, labels_leave_with_external_ones_and_relabelled);
	tcase_add_test(t, requests_hold_64_alerts_and_go_one_after_the_other);
	tcase_add_test(t, one_that_does_not_answer_delays_nobody);
	tcase_add_test(t, failures_are_tried_again_and_refusals_are_not);
	tcase_add_test(t, a_full_sender_is_tried_again);
	tcase_add_test(t, a_queue_is_bounded_and_keeps_what_is_under_way);
	tcase_add_test(t, a_result_for_a_peer_that_is_gone_changes_nothing);
	tcase_add_test(t, what_nobody_names_any_more_is_over);
	tcase_add_test(t, the_thread_takes_alerts_and_reloads);
	suite_add_tcase(s, t);
	return suite_run(s);
}
