/* SPDX-License-Identifier: Apache-2.0 */
/* The state writer: what commits together, what a refusal undoes, what a failing disk does. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "storage/db.h"
#include "storage/state.h"
#include "tests/lib/suite.h"

static char dir[64];
static struct state *state;

static void open_state(void)
{
	struct err e;

	ck_assert_msg(state_open(&state, dir, &e) == 0, "%s", e.msg);
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR + 1, LOG_LOGFMT);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	open_state();
}

static void teardown(void)
{
	static const char *const files[] = {
		"state.db", "state.db-wal", "state.db-shm", "state.db.reserve"};
	char path[128];

	state_stop(state);
	state_free(state);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static void begin(void)
{
	struct err e;

	ck_assert_int_eq(state_start(state, &e), 0);
}

static int64_t count(const char *sql)
{
	struct err e;
	int64_t n = -1;

	ck_assert_msg(db_get_i64(state_db(state), sql, &n, &e) == 0, "%s", e.msg);
	return n;
}

struct put {
	struct state_job job;
	const char *key;
	int fail_times; /* of the disk */
	bool refuse;
	int runs;
};

static int run_put(struct state_job *job, sqlite3 *db, struct err *e)
{
	struct put *p = job->arg;
	char sql[160];

	p->runs++;
	(void)snprintf(sql, sizeof sql, "INSERT INTO rule_group VALUES('%s', 1)", p->key);
	if (db_exec(db, sql, e) != 0)
		return -1;
	if (p->fail_times-- > 0)
		return err_set(e, ERR_IO, SQLITE_IOERR, "the disk is away");
	return p->refuse ? err_set(e, ERR_INPUT, 0, "not so") : 0;
}

static int call(struct put *p, struct err *e)
{
	p->job.run = run_put;
	p->job.arg = p;
	return state_call(state, &p->job, e);
}

START_TEST(what_was_called_is_there_after_reopening)
{
	struct put p = {.key = "a"};
	struct err e;

	begin();
	ck_assert_int_eq(call(&p, &e), 0);
	state_stop(state);
	state_free(state);
	open_state();
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 1);
	ck_assert_int_eq(count("PRAGMA application_id"), DB_APPLICATION_ID);
}
END_TEST

START_TEST(a_refused_job_undoes_its_own_changes_only)
{
	struct put good = {.key = "good"}, bad = {.key = "bad", .refuse = true},
		   later = {.key = "later"};
	struct err e;

	begin();
	ck_assert_int_eq(call(&good, &e), 0);
	ck_assert_int_eq(call(&bad, &e), -1);
	ck_assert_str_eq(e.msg, "not so");
	ck_assert_int_eq(call(&later, &e), 0);
	state_stop(state);
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group WHERE key IN ('good','later')"), 2);
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 2);
}
END_TEST

START_TEST(a_failing_disk_is_tried_until_it_works)
{
	struct put p = {.key = "a", .fail_times = 3};
	struct err e;

	begin();
	ck_assert_int_eq(call(&p, &e), 0);
	ck_assert_int_eq(p.runs, 4);
	state_stop(state);
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 1);
}
END_TEST

static int run_ask(struct state_job *job, sqlite3 *db, struct err *e)
{
	(void)e;
	ck_assert_ptr_null(db);
	*(int *)job->arg = 7;
	return 0;
}

static void on_done(struct state_job *job)
{
	struct put *p = job->arg;

	ck_assert(!job->failed);
	p->key = "done";
}

static void on_failed(struct state_job *job)
{
	struct put *p = job->arg;

	ck_assert(job->failed);
	p->key = "failed";
}

START_TEST(a_disk_that_never_works_blocks_neither_questions_nor_the_stop)
{
	struct put first = {.key = "a", .fail_times = 1000000}, second = {.key = "b"};
	struct state_job ask = {.run = run_ask};
	struct err e;
	int got = 0;

	begin();
	first.job = (struct state_job){.run = run_put, .done = on_failed, .arg = &first};
	second.job = (struct state_job){.run = run_put, .done = on_failed, .arg = &second};
	ck_assert(state_post(state, &first.job));
	ask.arg = &got;
	ck_assert_int_eq(state_ask(state, &ask, &e), 0);
	ck_assert_int_eq(got, 7);
	ck_assert(state_post(state, &second.job));
	state_stop(state);
	ck_assert_str_eq(first.key, "failed");
	ck_assert_str_eq(second.key, "failed");
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 0);
}
END_TEST

static void *call_away(void *arg)
{
	struct put *p = arg;
	struct err e;

	ck_assert_int_eq(call(p, &e), -1);
	ck_assert_int_eq(e.kind, ERR_AGAIN);
	return NULL;
}

START_TEST(a_failing_disk_keeps_what_was_posted_and_sends_away_who_waits)
{
	struct put kept = {.key = "kept", .fail_times = 40},
		   waits[2] = {{.key = "w0"}, {.key = "w1"}}, behind = {.key = "behind"},
		   after = {.key = "after"};
	pthread_t threads[2];
	struct err e;

	kept.job = (struct state_job){.run = run_put, .done = on_done, .arg = &kept};
	behind.job = (struct state_job){.run = run_put, .done = on_done, .arg = &behind};
	ck_assert(state_post(state, &kept.job));
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call_away, &waits[i]), 0);
	begin();
	ck_assert(state_post(state, &behind.job));
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	while (call(&after, &e) != 0) {
		ck_assert_int_eq(e.kind, ERR_AGAIN);
		(void)poll(NULL, 0, 10);
	}
	ck_assert_int_eq(kept.runs, 41);
	state_stop(state);
	ck_assert_str_eq(kept.key, "done");
	ck_assert_str_eq(behind.key, "done");
	ck_assert_int_eq(
		count("SELECT count(*) FROM rule_group WHERE key IN ('kept','behind','after')"), 3);
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 3);
}
END_TEST

struct module {
	_Atomic int64_t next;
	int ticks, commits;
};

static int64_t on_next(void *arg)
{
	struct module *m = arg;

	return m->next;
}

static int on_tick(void *arg, sqlite3 *db, struct err *e)
{
	struct module *m = arg;

	m->ticks++;
	if (m->ticks == 1)
		return err_set(e, ERR_IO, SQLITE_IOERR, "the disk is away");
	return db_exec(db, "INSERT OR REPLACE INTO rule_group VALUES('tick', 1)", e);
}

static void on_committed(void *arg)
{
	struct module *m = arg;

	m->commits++;
	m->next = INT64_MAX;
}

START_TEST(a_module_ticks_when_due_and_hears_of_the_commit_once)
{
	struct module m = {.next = 0};
	struct state_module hooks = {
		.next = on_next, .tick = on_tick, .committed = on_committed, .arg = &m};
	struct put p = {.key = "a"};
	struct err e;

	state_add_module(state, &hooks);
	begin();
	ck_assert_int_eq(call(&p, &e), 0);
	state_stop(state);
	ck_assert_int_eq(m.commits, 1);
	ck_assert_int_eq(m.ticks, 2);
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 2);
}
END_TEST

START_TEST(jobs_posted_before_the_stop_are_finished)
{
	static struct put p[50];
	static char keys[50][16];

	for (int i = 0; i < 50; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "k%d", i);
		p[i] = (struct put){.key = keys[i], .job = {.run = run_put, .arg = &p[i]}};
		ck_assert(state_post(state, &p[i].job));
	}
	begin();
	state_stop(state);
	ck_assert(!state_post(state, &p[0].job));
	ck_assert_int_eq(count("SELECT count(*) FROM rule_group"), 50);
}
END_TEST

/* tests/data/state-v*.db: what earlier versions wrote, with two alerts, a group and a message
 * waiting. */
START_TEST(a_file_of_an_earlier_version_is_brought_up_to_date_with_all_it_holds)
{
	char from[256], to[128], bytes[8192];
	const char *data = getenv("BELFRY_TEST_DATA");
	FILE *in, *out;
	size_t n;

	state_free(state);
	(void)snprintf(
		from, sizeof from, "%s/state-v%d.db", data != NULL ? data : "tests/data", _i);
	(void)snprintf(to, sizeof to, "%s/state.db", dir);
	(void)unlink(to);
	in = fopen(from, "rb");
	out = fopen(to, "wb");
	ck_assert_msg(in != NULL && out != NULL, "cannot copy %s", from);
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
	(void)fclose(in);
	open_state();
	ck_assert_int_eq(count("PRAGMA user_version"), 3);
	ck_assert_int_eq(count("SELECT count(*) FROM alert"), 2);
	ck_assert_int_eq(count("SELECT count(*) FROM notify_group WHERE told IS NULL"), 1);
	ck_assert_int_eq(count("SELECT count(*) FROM outbox"), 1);
}
END_TEST

START_TEST(a_newer_file_is_refused_by_its_version)
{
	struct err e;
	struct state *other;

	ck_assert_int_eq(db_exec(state_db(state), "PRAGMA user_version=99", &e), 0);
	ck_assert_int_eq(state_open(&other, dir, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "99"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_was_called_is_there_after_reopening);
	tcase_add_test(t, a_refused_job_undoes_its_own_changes_only);
	tcase_add_test(t, a_failing_disk_is_tried_until_it_works);
	tcase_add_test(t, a_disk_that_never_works_blocks_neither_questions_nor_the_stop);
	tcase_add_test(t, a_failing_disk_keeps_what_was_posted_and_sends_away_who_waits);
	tcase_add_test(t, a_module_ticks_when_due_and_hears_of_the_commit_once);
	tcase_add_test(t, jobs_posted_before_the_stop_are_finished);
	tcase_add_loop_test(
		t, a_file_of_an_earlier_version_is_brought_up_to_date_with_all_it_holds, 1, 3);
	tcase_add_test(t, a_newer_file_is_refused_by_its_version);
	suite_add_tcase(s, t);
	return suite_run(s);
}
