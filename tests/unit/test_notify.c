/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notifier against a sender that answers from a script: what is told, when again, and what a
 * restart changes.
 */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "exporters/notify.h"
#include "rules/alert_event.h"
#include "storage/state.h"
#include "tests/lib/suite.h"

#define MESSAGES_MAX 64u

struct inbox {
	pthread_mutex_t lock;
	pthread_cond_t more;
	size_t n;
	char *body[MESSAGES_MAX];
	char id[MESSAGES_MAX][80];
	enum send_kind kind[MESSAGES_MAX];
	int status[MESSAGES_MAX]; /* what each got as an answer */
	int script[8];            /* answers to give first; 0: 200 */
	size_t scripted;
};

static struct inbox inbox;
static char dir[64];

static const char *header(const struct send_request *req, const char *name)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		if (strncmp(req->headers[i], name, strlen(name)) == 0)
			return req->headers[i] + strlen(name) + 2;
	}
	return "";
}

static bool answer(void *ctx, struct send_request *req)
{
	struct inbox *in = ctx;
	int status = 200;
	size_t i = in->n; /* the state writer alone adds */

	ck_assert_uint_lt(i, MESSAGES_MAX);
	if (in->scripted < ARRAY_LEN(in->script) && in->script[in->scripted] != 0)
		status = in->script[in->scripted++];
	in->body[i] = strndup(req->body, req->body_len);
	in->kind[i] = req->kind;
	in->status[i] = status;
	(void)snprintf(in->id[i], sizeof in->id[0], "%s", header(req, "X-Belfry-Id"));
	req->status = req->kind == SEND_SMTP && status == 200 ? 250 : status;
	req->transport_ok = true;
	req->reply = strdup("ok");
	req->reply_len = 2;
	req->on_done(req, req->arg); /* posted before the test hears of it */
	(void)pthread_mutex_lock(&in->lock);
	in->n++;
	(void)pthread_cond_broadcast(&in->more);
	(void)pthread_mutex_unlock(&in->lock);
	return true;
}

static void await(size_t n)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	(void)pthread_mutex_lock(&inbox.lock);
	while (inbox.n < n)
		ck_assert_msg(pthread_cond_timedwait(&inbox.more, &inbox.lock, &until) == 0,
			"%zu of %zu messages came", inbox.n, n);
	(void)pthread_mutex_unlock(&inbox.lock);
}

/* --- configuration: everything to "chat", severity=page to "mail" as well --- */

static struct slack_config chat = {.api_url = {"http://127.0.0.1/x", 18}, .send_resolved = true};
static struct email_config mail = {.to = {"ops@example.org", 15},
	.from = {"belfry@example.org", 18},
	.smarthost = {"127.0.0.1:25", 12},
	.threading = true,
	.send_resolved = true};
static struct integration to_chat, to_mail;
static struct receiver_config receivers[2];
static struct matcher page;
static struct str by_name[1];
static struct route_config child;
static struct notify_config config;

static void make_config(void)
{
	struct err e;

	by_name[0] = STR("alertname");
	to_chat = (struct integration){INT_SLACK, 0, chat.send_resolved, &chat};
	to_mail = (struct integration){INT_EMAIL, 0, mail.send_resolved, &mail};
	receivers[0] = (struct receiver_config){.name = STR("chat"), .v = &to_chat, .n = 1};
	receivers[1] = (struct receiver_config){.name = STR("mail"), .v = &to_mail, .n = 1};
	ck_assert_int_eq(matcher_init(&page, MATCH_EQ, STR("severity"), STR("page"), &e), 0);
	child = (struct route_config){.receiver = STR("mail"),
		.matchers = &page,
		.n_matchers = 1,
		.group_by = by_name,
		.n_group_by = 1,
		.group_wait_ms = 10,
		.group_interval_ms = 50,
		.repeat_interval_ms = 3600000};
	config = (struct notify_config){.receivers = receivers,
		.n_receivers = 2,
		.external_url = STR("http://b/"),
		.root = {.receiver = STR("chat"),
			.group_by = by_name,
			.n_group_by = 1,
			.group_wait_ms = 10,
			.group_interval_ms = 50,
			.repeat_interval_ms = 3600000,
			.routes = &child,
			.n_routes = 1}};
}

struct rig {
	struct state *state;
	struct notify *notify;
};

static void start(struct rig *r)
{
	struct sender s = {.ctx = &inbox, .submit = answer};
	struct err e;

	ck_assert_msg(state_open(&r->state, dir, &e) == 0, "%s", e.msg);
	ck_assert_msg(notify_new(&r->notify, r->state, &config, s, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(state_start(r->state, &e), 0);
}

static void stop(struct rig *r)
{
	notify_quiesce(r->notify);
	state_stop(r->state);
	notify_free(r->notify);
	state_free(r->state);
}

static void say(struct rig *r, const char *name, const char *severity, enum alert_state from,
	enum alert_state to)
{
	struct label v[] = {{STR("alertname"), str_c(name)},
		{STR("instance"), STR("<!channel>&\"\r\nBcc: x@y")},
		{STR("severity"), str_c(severity)}};
	struct label note[] = {
		{STR("summary"), STR("pool <orders> is full\r\nTo: evil@example.org")}};
	struct labels ls = {v, 3}, notes = {note, 1};
	struct alert_batch *b = alert_batch_new((size_t)1 << 20);
	struct alert_rule_info *info = ARENA_NEW(&b->arena, struct alert_rule_info);
	struct alert_sink sink = notify_sink(r->notify);

	*info = (struct alert_rule_info){.group = STR("g"),
		.name = arena_str(&b->arena, str_c(name)),
		.expr = STR("a > 0.9"),
		.rule_key = arena_str(&b->arena, str_c(name))};
	b->events = ARENA_NEW(&b->arena, struct alert_event);
	b->n = 1;
	b->changed = from != to;
	b->group_key = STR("f;g");
	b->events[0] = (struct alert_event){.from = from,
		.to = to,
		.labels = labels_copy(&b->arena, ls),
		.annotations = labels_copy(&b->arena, notes),
		.fingerprint = labels_fingerprint(ls),
		.active_at_ms = 1000,
		.fired_at_ms = 61000,
		.resolved_at_ms = to == ALERT_INACTIVE ? 261000 : 0,
		.value = 0.97,
		.current = 0.2,
		.worst = 1,
		.threshold = 0.9,
		.op = ">",
		.rule = info};
	ck_assert(sink.submit(sink.ctx, b));
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	memset(&inbox, 0, sizeof inbox);
	(void)pthread_mutex_init(&inbox.lock, NULL);
	(void)pthread_cond_init(&inbox.more, NULL);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-notify-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_config();
}

static void teardown(void)
{
	static const char *const files[] = {
		"state.db", "state.db-wal", "state.db-shm", "state.db.reserve"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	for (size_t i = 0; i < inbox.n; i++)
		free(inbox.body[i]);
	matcher_fini(&page);
}

START_TEST(firing_and_resolved_are_told_once_each)
{
	struct rig r;

	start(&r);
	say(&r, "PoolFull", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	for (int i = 0; i < 5; i++)
		say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_FIRING);
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_INACTIVE);
	await(2);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 2);
	ck_assert_ptr_nonnull(strstr(inbox.body[0], "FIRING PoolFull"));
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "RESOLVED PoolFull"));
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "fired for 3m 20s, worst 1, now 0.2"));
	ck_assert_str_ne(inbox.id[0], inbox.id[1]);
}
END_TEST

START_TEST(labels_cannot_speak_slack_or_mail)
{
	struct rig r;
	char *head_end;

	start(&r);
	say(&r, "A", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	say(&r, "B", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(2);
	stop(&r);
	ck_assert_int_eq(inbox.kind[0], SEND_HTTP);
	ck_assert_ptr_null(strstr(inbox.body[0], "<!channel>"));
	ck_assert_ptr_nonnull(strstr(inbox.body[0], "&lt;!channel&gt;&amp;"));
	ck_assert_int_eq(inbox.kind[1], SEND_SMTP);
	head_end = strstr(inbox.body[1], "\r\n\r\n");
	ck_assert_ptr_nonnull(head_end);
	*head_end = '\0';
	ck_assert_ptr_null(strstr(inbox.body[1], "\nBcc:"));
	ck_assert_ptr_null(strstr(inbox.body[1], "\nTo: evil"));
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "\nTo: ops@example.org\r\n"));
}
END_TEST

START_TEST(a_restart_repeats_nothing_and_forgets_nothing)
{
	struct rig r;

	start(&r);
	say(&r, "PoolFull", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	stop(&r);
	start(&r);
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_FIRING);
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_INACTIVE);
	await(2);
	stop(&r);
	start(&r);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 2);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "RESOLVED"));
}
END_TEST

/* The configuration with another receiver at the root, of the same kind. */
static struct receiver_config other_receivers[3];

static void other_receiver(struct notify_config *c)
{
	*c = config;
	other_receivers[0] = receivers[0];
	other_receivers[1] = receivers[1];
	other_receivers[2] = receivers[0];
	other_receivers[2].name = STR("room");
	c->receivers = other_receivers;
	c->n_receivers = 3;
	c->root.receiver = STR("room");
}

static void both_hear_of_the_end(void)
{
	ck_assert_ptr_nonnull(strstr(inbox.body[2], "RESOLVED"));
	ck_assert_ptr_nonnull(strstr(inbox.body[3], "RESOLVED"));
	ck_assert_str_ne(inbox.id[2], inbox.id[3]);
}

START_TEST(another_receiver_of_the_route_is_told_after_a_reload)
{
	struct notify_config other;
	struct rig r;

	start(&r);
	say(&r, "PoolFull", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	other_receiver(&other);
	notify_reload(r.notify, &other);
	await(2);
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_FIRING);
	notify_reload(r.notify, &other); /* the same again says nothing */
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_INACTIVE);
	await(4); /* the old receiver hears of the end, too */
	stop(&r);
	ck_assert_uint_eq(inbox.n, 4);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "FIRING PoolFull"));
	both_hear_of_the_end();
}
END_TEST

START_TEST(another_receiver_of_the_route_is_told_after_a_restart)
{
	struct notify_config first = config;
	struct rig r;

	start(&r);
	say(&r, "PoolFull", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	stop(&r);
	other_receiver(&config);
	start(&r);
	await(2);
	stop(&r);
	start(&r);
	say(&r, "PoolFull", "warning", ALERT_FIRING, ALERT_INACTIVE);
	await(4);
	stop(&r);
	config = first;
	ck_assert_uint_eq(inbox.n, 4);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "FIRING PoolFull"));
	both_hear_of_the_end();
}
END_TEST

START_TEST(an_added_integration_is_told_and_the_old_one_is_not_again)
{
	struct integration both[2] = {to_chat, to_mail};
	struct receiver_config more[2];
	struct notify_config other = config;
	struct rig r;

	more[0] = receivers[0];
	more[1] = receivers[1];
	more[1].v = both; /* chat stands before the mail in the sent log */
	more[1].n = 2;
	other.receivers = more;
	start(&r);
	say(&r, "PoolFull", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	notify_reload(r.notify, &other);
	await(2);
	say(&r, "PoolFull", "page", ALERT_FIRING, ALERT_FIRING);
	say(&r, "PoolFull", "page", ALERT_FIRING, ALERT_INACTIVE);
	await(4);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 4);
	ck_assert_int_eq(inbox.kind[0], SEND_SMTP);
	ck_assert_int_eq(inbox.kind[1], SEND_HTTP);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "FIRING PoolFull"));
}
END_TEST

START_TEST(a_route_that_goes_takes_nobodys_page_twice_and_tells_the_end)
{
	struct notify_config other = config;
	struct route_config root_only = config.root;
	struct rig r;

	root_only.n_routes = 0;
	root_only.routes = NULL;
	root_only.receiver = STR("mail"); /* who had it by the child route */
	other.root = root_only;
	start(&r);
	say(&r, "PoolFull", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	notify_reload(r.notify, &other);
	say(&r, "PoolFull", "page", ALERT_FIRING, ALERT_INACTIVE);
	await(2);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 2);
	ck_assert_int_eq(inbox.kind[1], SEND_SMTP);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "RESOLVED"));
}
END_TEST

START_TEST(a_route_that_goes_while_stopped_takes_nobodys_page_twice)
{
	struct notify_config first = config;
	struct rig r;

	start(&r);
	say(&r, "PoolFull", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	stop(&r);
	config.root.n_routes = 0;
	config.root.routes = NULL;
	config.root.receiver = STR("mail");
	start(&r);
	say(&r, "PoolFull", "page", ALERT_FIRING, ALERT_FIRING);
	say(&r, "PoolFull", "page", ALERT_FIRING, ALERT_INACTIVE);
	await(2);
	stop(&r);
	config = first;
	ck_assert_uint_eq(inbox.n, 2);
	ck_assert_int_eq(inbox.kind[1], SEND_SMTP);
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "RESOLVED"));
}
END_TEST

START_TEST(a_server_error_is_repeated_with_the_same_id)
{
	struct rig r;

	inbox.script[0] = 503;
	inbox.script[1] = 429;
	start(&r);
	say(&r, "A", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(3);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 3);
	ck_assert_str_eq(inbox.id[0], inbox.id[1]);
	ck_assert_str_eq(inbox.id[0], inbox.id[2]);
	ck_assert_str_eq(inbox.body[0], inbox.body[2]);
}
END_TEST

START_TEST(a_refusal_for_good_is_parked_and_others_go_on)
{
	struct rig r;
	struct buf b;
	struct err e;

	inbox.script[0] = 404;
	start(&r);
	say(&r, "A", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(1);
	say(&r, "B", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(2);
	buf_init(&b, 1 << 20);
	do { /* the row follows the result by a commit; the test's own timeout ends this */
		buf_reset(&b);
		ck_assert_int_eq(notify_status_json(r.notify, &b, &e), 0);
	} while (strstr(b.p, "\"state\":\"failed\"") == NULL);
	ck_assert_ptr_nonnull(strstr(b.p, "answered 404"));
	buf_fini(&b);
	stop(&r);
	start(&r);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 2);
}
END_TEST

START_TEST(a_payload_that_slack_refuses_is_sent_without_blocks_then_as_plain_text)
{
	struct rig r;

	inbox.script[0] = inbox.script[1] = 400;
	start(&r);
	say(&r, "A", "warning", ALERT_INACTIVE, ALERT_FIRING);
	await(3);
	stop(&r);
	ck_assert_ptr_nonnull(strstr(inbox.body[0], "\"blocks\""));
	ck_assert_ptr_nonnull(strstr(inbox.body[1], "attachments"));
	ck_assert_ptr_null(strstr(inbox.body[1], "\"blocks\""));
	ck_assert_ptr_null(strstr(inbox.body[2], "attachments"));
	ck_assert_ptr_nonnull(strstr(inbox.body[2], "FIRING A"));
	ck_assert_str_eq(inbox.id[0], inbox.id[1]);
	ck_assert_str_eq(inbox.id[0], inbox.id[2]);
}
END_TEST

START_TEST(mail_is_repeated_after_4xx_and_parked_after_5xx)
{
	struct rig r;
	struct buf b;
	struct err e;

	inbox.script[0] = 451;
	inbox.script[1] = 550;
	start(&r);
	say(&r, "B", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(2);
	say(&r, "C", "page", ALERT_INACTIVE, ALERT_FIRING);
	await(3);
	buf_init(&b, 1 << 20);
	ck_assert_int_eq(notify_status_json(r.notify, &b, &e), 0);
	ck_assert_msg(strstr(b.p, "answered 550") != NULL, "%s", b.p);
	buf_fini(&b);
	stop(&r);
	ck_assert_uint_eq(inbox.n, 3);
	ck_assert_str_eq(
		strstr(inbox.body[0], "Message-ID:"), strstr(inbox.body[1], "Message-ID:"));
	ck_assert_ptr_nonnull(strstr(inbox.body[2], "Subject: =?UTF-8?Q?=5Bbelfry=5D_C_"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, firing_and_resolved_are_told_once_each);
	tcase_add_test(t, labels_cannot_speak_slack_or_mail);
	tcase_add_test(t, a_restart_repeats_nothing_and_forgets_nothing);
	tcase_add_test(t, another_receiver_of_the_route_is_told_after_a_reload);
	tcase_add_test(t, another_receiver_of_the_route_is_told_after_a_restart);
	tcase_add_test(t, an_added_integration_is_told_and_the_old_one_is_not_again);
	tcase_add_test(t, a_route_that_goes_takes_nobodys_page_twice_and_tells_the_end);
	tcase_add_test(t, a_route_that_goes_while_stopped_takes_nobodys_page_twice);
	tcase_add_test(t, a_server_error_is_repeated_with_the_same_id);
	tcase_add_test(t, a_refusal_for_good_is_parked_and_others_go_on);
	tcase_add_test(t, mail_is_repeated_after_4xx_and_parked_after_5xx);
	tcase_add_test(t, a_payload_that_slack_refuses_is_sent_without_blocks_then_as_plain_text);
	suite_add_tcase(s, t);
	return suite_run(s);
}
