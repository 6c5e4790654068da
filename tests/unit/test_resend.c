/* SPDX-License-Identifier: Apache-2.0 */
/* What was given up and is sent again: all of it, to the right ones, on a disk that fails. */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "exporters/outbox.h"
#include "storage/db.h"
#include "tests/lib/delivery_rig.h"
#include "tests/lib/suite.h"

static int run_sql(struct state_job *job, sqlite3 *db, struct err *e)
{
	return db_exec(db, job->arg, e);
}

static void sql(struct delivery_rig *r, const char *text)
{
	struct state_job job = {.run = run_sql, .arg = (void *)(uintptr_t)text};
	struct err e;

	ck_assert_msg(state_call(r->state, &job, &e) == 0, "%s", e.msg);
}

static struct outbox_answer resend(struct delivery_rig *r, bool stale, int64_t after)
{
	struct outbox_wish w = {.all = true, .stale = stale, .after = after, .who = STR("ann")};
	struct outbox_answer answer;
	struct err e;

	ck_assert_msg(outbox_resend(r->notify, &w, &answer, &e) == 0, "%s", e.msg);
	delivery_settle(r);
	return answer;
}

/* An alert that a refused when it began. */
static void park(struct delivery_rig *r, const char *name)
{
	delivery_plan(0, "a", 404, 0);
	delivery_say(r, name, "one", "a", true);
	delivery_pass(r, 2 * SECOND, 500);
}

/* --- all of it --- */

START_TEST(what_stays_parked_does_not_hide_what_comes_behind_it)
{
	struct outbox_answer answer;
	struct delivery_rig r;

	delivery_start(&r);
	park(&r, "A");
	sql(&r, "UPDATE outbox SET id=5000");
	sql(&r, "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<1500) "
		"INSERT INTO outbox(id,message_id,receiver,kind,idx,group_key,title,firing,payload,"
		"created_ms,expires_ms,next_ms,attempts,degraded,parked,error,thread,step) "
		"SELECT n,'m'||n,'gone',0,0,'','',1,x'',0,0,0,1,0,1,'','',0 FROM i");
	delivery_plan(0, "a", 200, 0);
	answer = resend(&r, false, 0);
	ck_assert_uint_eq(answer.gone, OUTBOX_RESEND_MAX);
	ck_assert(answer.more && !answer.full);
	ck_assert_int_eq(answer.next, OUTBOX_RESEND_MAX);
	answer = resend(&r, false, answer.next);
	delivery_stop(&r);
	ck_assert_uint_eq(answer.gone, 1500 - OUTBOX_RESEND_MAX);
	ck_assert_uint_eq(answer.sent, 1);
	ck_assert(!answer.more);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 1);
}
END_TEST

/* --- a disk that fails --- */

static atomic_int reads_left; /* of a parked row: the one that fails; 0: none */
static atomic_bool commits_fail;

static int authorize(
	void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)arg;
	(void)c;
	(void)d;
	if (action == SQLITE_TRANSACTION && strcmp(a, "COMMIT") == 0 && atomic_load(&commits_fail))
		return SQLITE_DENY;
	if (action == SQLITE_READ && strcmp(a, "outbox") == 0 && strcmp(b, "since_ms") == 0 &&
		atomic_load(&reads_left) > 0 && atomic_fetch_sub(&reads_left, 1) == 1)
		return SQLITE_DENY;
	return SQLITE_OK;
}

static int watch(struct state_job *job, sqlite3 *db, struct err *e)
{
	(void)job;
	(void)e;
	return sqlite3_set_authorizer(db, authorize, NULL);
}

static void watched(struct delivery_rig *r)
{
	struct state_job job = {.run = watch};
	struct err e;

	atomic_store(&reads_left, 0);
	atomic_store(&commits_fail, false);
	ck_assert_int_eq(state_call(r->state, &job, &e), 0);
}

START_TEST(a_row_that_cannot_be_read_at_first_is_read_by_the_next_attempt)
{
	struct outbox_answer answer;
	struct delivery_rig r;

	delivery_start(&r);
	park(&r, "A");
	park(&r, "B");
	watched(&r);
	delivery_plan(0, "a", 200, 0);
	atomic_store(&reads_left, 2);
	answer = resend(&r, false, 0);
	delivery_stop(&r);
	ck_assert_int_eq(atomic_load(&reads_left), 0);
	ck_assert_uint_eq(answer.sent, 2);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 2);
}
END_TEST

START_TEST(what_was_taken_back_on_a_failing_disk_has_its_time_after_a_restart)
{
	struct outbox_wish w = {.all = true, .who = STR("ann")};
	struct outbox_answer answer;
	struct delivery_rig r;
	struct err e;

	delivery_receivers[0].fallback = STR("b");
	delivery_config.expiry_ms = MINUTE;
	delivery_start(&r);
	park(&r, "A");
	delivery_pass(&r, 10 * MINUTE, 10 * SECOND);
	watched(&r);
	delivery_plan(0, "a", 500, 0);
	atomic_store(&commits_fail, true);
	ck_assert_int_eq(outbox_resend(r.notify, &w, &answer, &e), -1);
	ck_assert_int_eq(e.kind, ERR_AGAIN);
	atomic_store(&commits_fail, false);
	while (outbox_resend(r.notify, &w, &answer, &e) != 0)
		ck_assert_int_eq(e.kind, ERR_AGAIN); /* until it is found to be well */
	ck_assert_uint_eq(answer.sent, 0);           /* it waits already */
	delivery_settle(&r);
	delivery_stop(&r);
	delivery_plan(0, "a", 200, 0);
	delivery_start(&r);
	delivery_pass(&r, 10 * SECOND, SECOND);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 200, NULL), 1);
	ck_assert_uint_eq(delivery_count("b", 0, NULL), 1);
}
END_TEST

START_TEST(the_fallback_is_told_once_whatever_the_error_says)
{
	struct delivery_rig r;

	delivery_receivers[0].fallback = STR("b");
	delivery_start(&r);
	park(&r, "A");
	sql(&r, "UPDATE outbox SET error='answered 404; told t'"); /* there was no more room */
	delivery_stop(&r);
	delivery_start(&r);
	(void)resend(&r, false, 0);
	delivery_pass(&r, 2 * SECOND, 500);
	delivery_stop(&r);
	ck_assert_uint_eq(delivery_count("a", 404, NULL), 2);
	ck_assert_uint_eq(delivery_count("b", 0, NULL), 1);
}
END_TEST

/* --- what is over --- */

START_TEST(the_end_of_what_began_anew_is_sent_only_when_said)
{
	struct outbox_answer answer;
	struct delivery_rig r;

	delivery_start(&r);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 5 * SECOND, SECOND);
	delivery_plan(0, "a", 404, 0);
	delivery_say(&r, "A", "one", "a", false);
	delivery_pass(&r, 5 * SECOND, SECOND);
	delivery_plan(0, "a", 200, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 5 * SECOND, SECOND);
	ck_assert_uint_eq(delivery_count("a", 200, "\"status\":\"firing\""), 2);
	answer = resend(&r, false, 0);
	ck_assert_uint_eq(answer.over, 1);
	ck_assert_uint_eq(answer.sent, 0);
	ck_assert_uint_eq(delivery_count("a", 200, "\"status\":\"resolved\""), 0);
	answer = resend(&r, true, 0);
	delivery_stop(&r);
	ck_assert_uint_eq(answer.sent, 1);
	ck_assert_uint_eq(delivery_count("a", 200, "\"status\":\"resolved\""), 1);
}
END_TEST

START_TEST(an_alarm_is_not_kept_alive_by_another_that_began_in_the_same_moment)
{
	struct outbox_answer answer;
	struct delivery_rig r;

	delivery_start(&r);
	delivery_plan(0, "a", 404, 0);
	delivery_say(&r, "A", "one", "a", true);
	delivery_pass(&r, 5 * SECOND, SECOND);
	delivery_plan(0, "a", 200, 0);
	delivery_say(&r, "A", "one", "a", false);
	delivery_pass(&r, 5 * SECOND, SECOND);
	delivery_say(&r, "B", "one", "a", true);
	delivery_pass(&r, 5 * SECOND, SECOND);
	/* as if they had begun in one evaluation: B's beginning in A's thread */
	sql(&r, "UPDATE outbox SET thread=substr(thread,1,41)||(SELECT incident_ms FROM "
		"notify_group WHERE key LIKE '%\"B\"%')||'-0' WHERE parked=1");
	answer = resend(&r, false, 0);
	delivery_stop(&r);
	ck_assert_uint_eq(answer.over, 1);
	ck_assert_uint_eq(answer.sent, 0);
}
END_TEST

/* --- steps --- */

START_TEST(a_bots_row_that_lost_its_thread_is_posted)
{
	static struct slack_config bot = {.api_url = {"http://h/chat.postMessage", 25},
		.bot_token = {"xoxb-1", 6},
		.channel = {"#ops", 4},
		.send_resolved = true};
	struct integration in = {INT_SLACK, 0, true, &bot};
	struct outbox_answer answer;
	struct delivery_rig r;

	delivery_receivers[2].v = &in;
	delivery_start(&r);
	delivery_plan(0, "chat.postMessage", 404, 0);
	delivery_say(&r, "A", "one", "c", true);
	delivery_pass(&r, 2 * SECOND, 500);
	ck_assert_uint_eq(delivery_count("chat.postMessage", 404, NULL), 1);
	sql(&r, "UPDATE outbox SET step=1 WHERE parked=1");
	answer = resend(&r, false, 0);
	delivery_stop(&r);
	ck_assert_uint_eq(answer.sent, 1);
	ck_assert_uint_eq(delivery_count("chat.postMessage", 404, NULL), 2);
	ck_assert_uint_eq(delivery_count("api.test", 0, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resend");
	TCase *t = tcase_create("resend");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, delivery_setup, delivery_teardown);
	tcase_add_test(t, what_stays_parked_does_not_hide_what_comes_behind_it);
	tcase_add_test(t, a_row_that_cannot_be_read_at_first_is_read_by_the_next_attempt);
	tcase_add_test(t, what_was_taken_back_on_a_failing_disk_has_its_time_after_a_restart);
	tcase_add_test(t, the_fallback_is_told_once_whatever_the_error_says);
	tcase_add_test(t, the_end_of_what_began_anew_is_sent_only_when_said);
	tcase_add_test(t, an_alarm_is_not_kept_alive_by_another_that_began_in_the_same_moment);
	tcase_add_test(t, a_bots_row_that_lost_its_thread_is_posted);
	suite_add_tcase(s, t);
	return suite_run(s);
}
