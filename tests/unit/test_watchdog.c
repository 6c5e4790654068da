/* SPDX-License-Identifier: Apache-2.0 */
/* The dead man's switch by an injected clock: when it beats, and what stops it. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "exporters/notify_internal.h"
#include "exporters/watchdog.h"
#include "tests/lib/suite.h"

#define T0 INT64_C(1767323045000) /* 2026-01-02T03:04:05Z */

static struct state *state;
static struct watchdog *w;
static struct notify notify;
static struct lane lane;
static struct row row;
static struct err e;
static bool alive, full;
static struct send_request *last; /* not yet answered */
static unsigned n_sent;

static bool submit(void *ctx, struct send_request *req)
{
	(void)ctx;
	if (full)
		return false;
	ck_assert_ptr_null(last);
	last = req;
	n_sent++;
	return true;
}

static bool rules_alive(void *arg, int64_t now_ms)
{
	(void)arg;
	(void)now_ms;
	return alive;
}

static void answer(int status)
{
	struct send_request *req = last;

	ck_assert_ptr_nonnull(req);
	last = NULL;
	req->status = status;
	req->transport_ok = status != 0;
	req->on_done(req, req->arg);
}

/* What is due at this second. */
static void at(int64_t s)
{
	int64_t next;

	clock_inject(T0 + s * 1000, 0);
	ck_assert_msg(state_turn(state, &next, &e) == 0, "%s", e.msg);
}

static void start(struct watchdog_config c)
{
	struct watchdog_opts o = {.config = &c,
		.notify = &notify,
		.sender = {.submit = submit},
		.instance = STR("here"),
		.rules_alive = rules_alive};

	ck_assert_int_eq(watchdog_new(&w, state, &o, &e), 0);
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR + 1, LOG_LOGFMT);
	clock_inject(T0, 0);
	ck_assert_int_eq(state_open_memory(&state, &e), 0);
	lane = (struct lane){0};
	row = (struct row){.since_ms = T0};
	notify = (struct notify){.lanes = &lane};
	alive = true;
	full = false;
	last = NULL;
	n_sent = 0;
}

static void teardown(void)
{
	if (last != NULL)
		answer(0);
	state_stop(state);
	watchdog_free(w);
	state_free(state);
	clock_restore();
}

static const struct watchdog_config config = {{"http://beats/x", 14}, {"Key s", 5}, 60000, 900000};

START_TEST(a_beat_goes_out_every_interval_and_says_who)
{
	json_t *body;
	const char *id;

	start(config);
	at(1);
	ck_assert_uint_eq(n_sent, 0);
	at(10);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_str_eq(last->url, "http://beats/x");
	ck_assert_str_eq(last->headers[0], "Authorization: Key s");
	body = json_loadb(last->body, last->body_len, 0, NULL);
	ck_assert_int_eq(json_unpack(body, "{s:s}", "instance", &id), 0);
	ck_assert_str_eq(id, "here");
	json_decref(body);
	answer(200);
	at(69);
	ck_assert_uint_eq(n_sent, 1);
	at(70);
	ck_assert_uint_eq(n_sent, 2);
}
END_TEST

START_TEST(no_beat_while_rules_stand_still)
{
	start(config);
	alive = false;
	at(10);
	at(70);
	ck_assert_uint_eq(n_sent, 0);
	alive = true;
	at(130);
	ck_assert_uint_eq(n_sent, 1);
}
END_TEST

START_TEST(no_beat_while_a_message_waits_too_long)
{
	start(config);
	lane.first = &row;
	at(10);
	ck_assert_uint_eq(n_sent, 1);
	answer(200);
	at(901);
	ck_assert_uint_eq(n_sent, 1);
	lane.first = NULL; /* delivered */
	at(961);
	ck_assert_uint_eq(n_sent, 2);
}
END_TEST

START_TEST(with_max_wait_0_messages_may_wait)
{
	struct watchdog_config c = config;

	c.max_wait_ms = 0;
	start(c);
	lane.first = &row;
	at(100000);
	ck_assert_uint_eq(n_sent, 1);
}
END_TEST

START_TEST(a_beat_that_is_not_answered_is_not_followed_by_another)
{
	start(config);
	at(10);
	at(70);
	at(130);
	ck_assert_uint_eq(n_sent, 1);
	answer(0);
	at(190);
	ck_assert_uint_eq(n_sent, 2);
	answer(500);
	full = true;
	at(250);
	full = false;
	at(310);
	ck_assert_uint_eq(n_sent, 3);
}
END_TEST

START_TEST(a_reload_switches_it_on_and_off)
{
	start((struct watchdog_config){.interval_ms = 60000});
	at(10);
	ck_assert_uint_eq(n_sent, 0);
	watchdog_reload(w, &config);
	at(20);
	ck_assert_uint_eq(n_sent, 1);
	answer(200);
	watchdog_stop(w);
	at(80);
	at(1000);
	ck_assert_uint_eq(n_sent, 1);
}
END_TEST

START_TEST(a_clock_set_back_does_not_stop_it)
{
	start(config);
	at(10);
	answer(200);
	at(-100000);
	at(-100000 + 61);
	ck_assert_uint_ge(n_sent, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watchdog");
	TCase *tc = tcase_create("watchdog");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_beat_goes_out_every_interval_and_says_who);
	tcase_add_test(tc, no_beat_while_rules_stand_still);
	tcase_add_test(tc, no_beat_while_a_message_waits_too_long);
	tcase_add_test(tc, with_max_wait_0_messages_may_wait);
	tcase_add_test(tc, a_beat_that_is_not_answered_is_not_followed_by_another);
	tcase_add_test(tc, a_reload_switches_it_on_and_off);
	tcase_add_test(tc, a_clock_set_back_does_not_stop_it);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
