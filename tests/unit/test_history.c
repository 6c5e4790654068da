/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The story of alerts as it is kept and told: what happened, who was told, what people said of it,
 * and the links in messages.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "base/stop.h"
#include "exporters/history.h"
#include "exporters/history_internal.h"
#include "exporters/message.h"
#include "exporters/past.h"
#include "storage/db.h"
#include "storage/state.h"

static char dir[64];
static struct state *state;
static struct history *history;
static sqlite3 *db;

/* history_note and history_batch reach the history through a struct notify: a stand-in is enough */
#include "exporters/notify_internal.h"
#include "tests/lib/suite.h"
static struct notify notify;

static void open_all(void)
{
	struct err e;

	ck_assert_msg(state_open(&state, dir, &e) == 0, "%s", e.msg);
	db = state_db(state);
	ck_assert_msg(history_new(&history, db, &e) == 0, "%s", e.msg);
	notify.history = history;
	notify.state = state;
}

static void close_all(void)
{
	history_free(history);
	state_free(state);
}

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	(void)snprintf(dir, sizeof dir, "/tmp/belfry-history-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	open_all();
}

static void teardown(void)
{
	static const char *const files[] = {
		"state.db", "state.db-wal", "state.db-shm", "state.db.reserve"};
	char path[128];

	close_all();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)remove(path);
	}
	ck_assert_int_eq(remove(dir), 0);
}

/* As the notifier's tick does, until nothing waits. */
static void write_all(void)
{
	struct err e;

	while (history_dirty(history)) {
		ck_assert_int_eq(db_exec(db, "BEGIN", &e), 0);
		ck_assert_msg(history_write(history, db, &e) == 0, "%s", e.msg);
		ck_assert_int_eq(db_exec(db, "COMMIT", &e), 0);
		history_committed(history);
	}
}

static void transition(const char *name, const char *pool, enum alert_state from,
	enum alert_state to, int64_t at_ms, double worst)
{
	struct label v[] = {{STR("alertname"), str_c(name)}, {STR("pool"), str_c(pool)}};
	struct labels ls = {v, 2};
	struct alert_rule_info info = {
		.group = STR("shop"), .name = str_c(name), .expr = STR("x > 0.9")};
	struct alert_event ev = {.from = from,
		.to = to,
		.labels = ls,
		.fingerprint = labels_fingerprint(ls),
		.value = worst,
		.current = worst,
		.worst = worst,
		.threshold = 0.9,
		.op = ">",
		.rule = &info};
	struct alert_batch b = {.slot_ms = at_ms, .events = &ev, .n = 1, .changed = true};

	history_batch(&notify, &b);
}

static void note(const char *name, const char *pool, enum history_kind kind, const char *detail)
{
	struct label v[] = {{STR("alertname"), str_c(name)}, {STR("pool"), str_c(pool)}};
	struct labels ls = {v, 2};

	history_note(&notify, &(struct history_fact){.at_ms = 5000,
				      .fingerprint = labels_fingerprint(ls),
				      .labels = ls,
				      .kind = kind,
				      .detail = str_c(detail)});
}

static json_t *explain(const char *what)
{
	struct err e;
	struct buf b;
	json_t *root;

	buf_init(&b, (size_t)1 << 20);
	ck_assert_msg(history_explain_json(state, str_c(what), 10, &b, &e) == 0, "%s", e.msg);
	root = json_loadb(b.p, b.n, 0, NULL);
	ck_assert_ptr_nonnull(root);
	buf_fini(&b);
	return root;
}

static const char *text_of(const json_t *alert, const char *list, size_t i, const char *key)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(alert, list), i), key));
}

static const struct {
	enum history_kind kind;
	const char *detail, *says;
} sentences[] = {
	{HISTORY_GROUPED, "{}:{alertname=\"A\"}", "joined the group {alertname=\"A\"}"},
	{HISTORY_GROUPED, "{}/{team=\"}:{\"}:{}", "joined the one group of its route"},
	{HISTORY_GROUPED, "odd", "joined the group odd"},
	{HISTORY_SILENCED, "s-1 s-2", "held back by silence s-1 of ann, \"ticket 7\"; silence s-2"},
	{HISTORY_INHIBITED, "0123456789abcdef",
		"held back, since another alert fires: "
		"(0123456789abcdef)"},
	{HISTORY_MUTED, "{}:{a=\"b c\"} nights weekends",
		"held back by time interval nights weekends"},
	{HISTORY_UNINHIBITED, "", "no longer held back by another alert"},
	{HISTORY_TOLD, "m-1 the team/email/12 new alerts added",
		"told the team by email: new alerts added (message m-1)"},
	{HISTORY_TOLD, "m-1 a/b/slack/0 repeat interval elapsed",
		"told a/b by slack: a reminder, since it still fires (message m-1)"},
	{HISTORY_TOLD, "odd", "told: odd"},
	{HISTORY_ESCALATED, "nobody acknowledged it: to boss", "nobody acknowledged it: to boss"},
};

START_TEST(events_are_sentences)
{
	json_t *root;
	struct err e;

	ck_assert_int_eq(
		db_exec(db, "INSERT INTO silence VALUES('s-1',x'',0,1,0,'ann','ticket 7',x'','')",
			&e),
		0);
	transition("A", "x", ALERT_INACTIVE, ALERT_FIRING, 1000, 1);
	note("A", "x", sentences[_i].kind, sentences[_i].detail);
	write_all();
	root = explain("A");
	ck_assert_str_eq(
		text_of(json_array_get(json_object_get(root, "alerts"), 0), "events", 1, "text"),
		sentences[_i].says);
	json_decref(root);
}
END_TEST

START_TEST(an_inhibiting_alert_is_named)
{
	struct label v[] = {{STR("alertname"), STR("Big")}, {STR("pool"), STR("p")}};
	char detail[40], says[120];
	json_t *root;

	transition("Big", "p", ALERT_INACTIVE, ALERT_FIRING, 1000, 1);
	transition("Small", "p", ALERT_INACTIVE, ALERT_FIRING, 1000, 1);
	(void)snprintf(detail, sizeof detail, "%016llx",
		(unsigned long long)labels_fingerprint((struct labels){v, 2}));
	(void)snprintf(says, sizeof says, "held back, since another alert fires: Big (%s)", detail);
	note("Small", "p", HISTORY_INHIBITED, detail);
	write_all();
	root = explain("Small");
	ck_assert_str_eq(
		text_of(json_array_get(json_object_get(root, "alerts"), 0), "events", 1, "text"),
		says);
	json_decref(root);
}
END_TEST

START_TEST(an_alert_s_story_names_what_it_did_who_was_told_and_how_that_went)
{
	json_t *root, *alert;

	transition("PoolFull", "orders", ALERT_INACTIVE, ALERT_PENDING, 1000, 0.95);
	transition("PoolFull", "orders", ALERT_PENDING, ALERT_FIRING, 2000, 0.97);
	note("PoolFull", "orders", HISTORY_SILENCED, "4f1c");
	note("PoolFull", "orders", HISTORY_TOLD, "belfry-a-1 on-call/slack/0 first notification");
	history_attempt(&notify, STR("belfry-a-1"), STR("on-call/slack/0"), ATTEMPT_AGAIN, 1,
		STR("answered 503"));
	history_attempt(&notify, STR("belfry-a-1"), STR("on-call/slack/0"), ATTEMPT_DELIVERED, 2,
		STR("200 after 80 ms"));
	transition("PoolFull", "orders", ALERT_FIRING, ALERT_INACTIVE, 9000, 1);
	write_all();
	root = explain("PoolFull");
	ck_assert_uint_eq(json_array_size(json_object_get(root, "alerts")), 1);
	alert = json_array_get(json_object_get(root, "alerts"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(alert, "events")), 5);
	ck_assert_str_eq(text_of(alert, "events", 0, "event"), "pending");
	ck_assert_str_eq(
		text_of(alert, "events", 1, "text"), "firing; value 0.97 (alert when > 0.9)");
	ck_assert_str_eq(text_of(alert, "events", 2, "text"), "held back by silence 4f1c");
	ck_assert_str_eq(text_of(alert, "events", 3, "text"),
		"told on-call by slack: first notification (message belfry-a-1)");
	ck_assert_str_eq(text_of(alert, "events", 4, "event"), "resolved");
	alert = json_array_get(json_object_get(alert, "messages"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(alert, "id")), "belfry-a-1");
	ck_assert_str_eq(text_of(alert, "attempts", 0, "detail"), "answered 503");
	ck_assert_str_eq(text_of(alert, "attempts", 1, "outcome"), "delivered");
	json_decref(root);
}
END_TEST

START_TEST(matchers_and_fingerprints_choose_among_alerts_of_a_name)
{
	json_t *root;
	struct err e;
	struct buf b;

	transition("PoolFull", "orders", ALERT_INACTIVE, ALERT_FIRING, 2000, 1);
	transition("PoolFull", "users", ALERT_INACTIVE, ALERT_FIRING, 2000, 1);
	write_all();
	root = explain("PoolFull");
	ck_assert_uint_eq(json_array_size(json_object_get(root, "alerts")), 2);
	json_decref(root);
	root = explain("PoolFull{pool=\"users\"}");
	ck_assert_uint_eq(json_array_size(json_object_get(root, "alerts")), 1);
	json_decref(root);
	root = explain("0123456789abcdef");
	ck_assert_uint_eq(json_array_size(json_object_get(root, "alerts")), 0);
	json_decref(root);
	buf_init(&b, 4096);
	ck_assert_int_ne(history_explain_json(state, STR(""), 10, &b, &e), 0);
	ck_assert_int_eq(e.code, 400);
	ck_assert_int_ne(history_explain_json(state, STR("X{a=}b\""), 10, &b, &e), 0);
	buf_fini(&b);
}
END_TEST

START_TEST(an_evaluation_that_changes_nothing_is_no_event)
{
	transition("PoolFull", "orders", ALERT_FIRING, ALERT_FIRING, 2000, 1);
	ck_assert(!history_dirty(history));
	note("PoolFull", "orders", HISTORY_FIRING,
		"shop / PoolFull"); /* history_batch tells those */
	ck_assert(!history_dirty(history));
	note("PoolFull", "orders", HISTORY_FIRING, "external");
	ck_assert(history_dirty(history));
}
END_TEST

START_TEST(a_transaction_that_fails_loses_and_doubles_nothing)
{
	struct err e;
	int64_t n;

	transition("PoolFull", "orders", ALERT_INACTIVE, ALERT_FIRING, 2000, 1);
	ck_assert_int_eq(db_exec(db, "BEGIN", &e), 0);
	ck_assert_int_eq(history_write(history, db, &e), 0);
	ck_assert_int_eq(db_exec(db, "ROLLBACK", &e), 0);
	write_all();
	ck_assert_int_eq(db_get_i64(db, "SELECT count(*) FROM history", &n, &e), 0);
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(noise_counts_flaps_marks_and_suggests_a_threshold)
{
	static const double worst[] = {0.91, 0.92, 0.93, 0.99};
	struct err e;
	struct buf b;
	json_t *root, *rule;

	for (size_t i = 0; i < ARRAY_LEN(worst); i++) {
		int64_t at = 1000 + (int64_t)i * 120000;

		transition("PoolFull", "orders", ALERT_INACTIVE, ALERT_FIRING, at, worst[i]);
		note("PoolFull", "orders", HISTORY_GROUPED, "{}:{pool=\"orders\"}");
		note("PoolFull", "orders", HISTORY_TOLD, "belfry-a-1 on-call/slack/0 first");
		note("PoolFull", "orders", HISTORY_TOLD,
			"belfry-a-2 on-call/slack/0 all alerts resolved");
		transition(
			"PoolFull", "orders", ALERT_FIRING, ALERT_INACTIVE, at + 60000, worst[i]);
	}
	write_all();
	ck_assert_int_eq(
		db_exec(db,
			"INSERT INTO mark(at_ms,group_key,incident_ms,what,who,note) VALUES"
			"(5,'{}:{pool=\"orders\"}',1,'false_positive','ann',''),"
			"(6,'{}:{pool=\"orders\"}',1,'false_positive','bob',''),"
			"(7,'{}:{pool=\"orders\"}',2,'useful','ann','')",
			&e),
		0);
	buf_init(&b, (size_t)1 << 20);
	ck_assert_int_eq(history_noise_json(state, 0, &b, &e), 0);
	root = json_loadb(b.p, b.n, 0, NULL);
	ck_assert_ptr_nonnull(root);
	rule = json_array_get(json_object_get(root, "rules"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(rule, "rule")), "shop / PoolFull");
	ck_assert_int_eq(json_integer_value(json_object_get(rule, "firings")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(rule, "pages")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(rule, "flaps")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(rule, "shorter_than_5m")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(rule, "false_positives")), 1);
	ck_assert(
		fabs(json_number_value(json_object_get(rule, "false_positive_rate")) - 0.5) < 1e-9);
	ck_assert(fabs(json_number_value(json_object_get(rule, "suggested_threshold")) - 0.99) <
		  1e-9);
	json_decref(root);
	buf_fini(&b);
}
END_TEST

START_TEST(a_link_leads_to_its_incident_also_after_a_restart_and_no_other_does)
{
	struct label v[] = {{STR("alertname"), STR("PoolFull")}};
	struct message m = {.external_url = STR("https://belfry.example/"),
		.group_key = STR("{}:{alertname=\"PoolFull\"}"),
		.group_labels = {v, 1},
		.incident_ms = 7000};
	struct link_target t;
	struct arena a;
	struct str token, same;
	struct err e;

	arena_init(&a, (size_t)1 << 20);
	link_message(history, &m, &a);
	ck_assert(str_starts(m.page_url, STR("https://belfry.example/l/")));
	ck_assert(str_ends(m.silence_url, STR("?do=silence")));
	token = str_sub(m.page_url, m.page_url.n - LINK_TOKEN_LEN, m.page_url.n);
	write_all();
	close_all();
	open_all();
	ck_assert_msg(link_resolve(state, token, &a, &t, &e) == 0, "%s", e.msg);
	ck_assert(str_eq(t.group_key, m.group_key));
	ck_assert_int_eq(t.incident_ms, 7000);
	ck_assert(str_eq(labels_get(t.labels, STR("alertname")), STR("PoolFull")));
	same = m.page_url;
	link_message(history, &m, &a); /* the key is kept: the same incident, the same link */
	ck_assert(str_eq(m.page_url, same));
	ck_assert_int_ne(
		link_resolve(state, STR("00000000000000000000000000000000"), &a, &t, &e), 0);
	ck_assert_int_eq(e.code, 404);
	ck_assert_int_ne(link_resolve(state, STR("../../etc/passwd"), &a, &t, &e), 0);
	arena_fini(&a);
}
END_TEST

START_TEST(no_external_url_means_no_links_and_no_labels_no_silence)
{
	struct message m = {.group_key = STR("{}:{}"), .incident_ms = 1};
	struct arena a;

	arena_init(&a, (size_t)1 << 20);
	link_message(history, &m, &a);
	ck_assert_uint_eq(m.page_url.n, 0);
	m.external_url = STR("http://b");
	link_message(history, &m, &a);
	ck_assert_uint_gt(m.ack_url.n, 0);
	ck_assert_uint_eq(m.silence_url.n, 0);
	arena_fini(&a);
}
END_TEST

START_TEST(the_past_is_not_read_for_a_time_before_it_nor_for_who_gave_up)
{
	const atomic_bool cancel = true;
	const struct stop stop = {.cancel = &cancel};
	const struct stop *before;
	struct past p;
	struct arena a;
	struct err e;

	transition("Full", "a", ALERT_PENDING, ALERT_FIRING, 1000, 0.95);
	write_all();
	arena_init(&a, (size_t)1 << 20);
	ck_assert_int_eq(past_read(db, 0, 2000, &a, &p, &e), 0);
	before = stop_begin(&stop);
	ck_assert_int_eq(past_read(db, 0, 0, &a, &p, &e), 0); /* not a row: nobody asked to stop */
	ck_assert_uint_eq(p.n_silences + p.n_acks, 0);
	ck_assert_int_eq(past_read(db, 0, 2000, &a, &p, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CANCEL);
	stop_end(before);
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("history");
	TCase *tc = tcase_create("history");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, events_are_sentences, 0, (int)ARRAY_LEN(sentences));
	tcase_add_test(tc, an_inhibiting_alert_is_named);
	tcase_add_test(tc, an_alert_s_story_names_what_it_did_who_was_told_and_how_that_went);
	tcase_add_test(tc, matchers_and_fingerprints_choose_among_alerts_of_a_name);
	tcase_add_test(tc, an_evaluation_that_changes_nothing_is_no_event);
	tcase_add_test(tc, a_transaction_that_fails_loses_and_doubles_nothing);
	tcase_add_test(tc, noise_counts_flaps_marks_and_suggests_a_threshold);
	tcase_add_test(tc, a_link_leads_to_its_incident_also_after_a_restart_and_no_other_does);
	tcase_add_test(tc, no_external_url_means_no_links_and_no_labels_no_silence);
	tcase_add_test(tc, the_past_is_not_read_for_a_time_before_it_nor_for_who_gave_up);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
