/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slack: what is rendered passes all of Slack's limits whatever the alerts say; what Slack answers
 * leads to the next request that loses nothing.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/slack.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/slack_schema.h"
#include "tests/lib/suite.h"
#include "tests/lib/trip.h"

static struct slack_config webhook = {
	.api_url = {"https://hooks.example.org/services/T/B/x", 40}, .send_resolved = true};
static struct slack_config bot = {.bot_token = {"xoxb-1", 6},
	.channel = {"#ops", 4},
	.mention = {"@here", 5},
	.update_message = true,
	.thread = true,
	.graph = true,
	.send_resolved = true};

/* --- a row on its way --- */

static const char *header(const struct send_request *req, const char *name)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		if (strncasecmp(req->headers[i], name, strlen(name)) == 0)
			return req->headers[i] + strlen(name) + 2;
	}
	return "";
}

/* The next request; its body must be one Slack takes. */
static void ask(struct trip *t)
{
	trip_request(t);
	ck_assert_str_eq(header(t->req, "X-Belfry-Id"), "belfry-0123456789abcdef-7");
	ck_assert_ptr_null(memchr(t->req->body, PAYLOAD_MARK, t->req->body_len));
}

static void ask_message(struct trip *t)
{
	const char *said;

	ask(t);
	said = slack_schema_check(t->req->body, t->req->body_len);
	ck_assert_msg(said == NULL, "%s\n%.3000s", said, t->req->body);
}

static bool url_is(const struct trip *t, const char *url)
{
	return strcmp(t->req->url, url) == 0;
}

#define POSTED "{\"ok\":true,\"channel\":\"C01\",\"ts\":\"1503435956.000247\"}"

static void plan(struct message_fixture *f, size_t n, size_t n_resolved, enum message_reason why)
{
	message_fixture_init(f, &(struct message_plan){.n = n,
					.n_resolved = n_resolved,
					.reason = why,
					.first = why == REASON_FIRST,
					.links = true,
					.severity = "critical"});
}

/* --- rendering --- */

static void all_forms(const struct slack_config *c, const struct message *m)
{
	struct trip t;

	trip_start(&t, INT_SLACK, c, m);
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 400, "invalid_blocks", ""), VERDICT_DEGRADE);
	ask_message(&t);
	ck_assert(!trip_says(&t, "\"blocks\""));
	ck_assert_int_eq(trip_answer(&t, 400, "invalid_attachments", ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(!trip_says(&t, "\"attachments\""));
	ck_assert_int_eq(trip_answer(&t, 400, "no_text", ""), VERDICT_FINAL);
	trip_end(&t);
}

START_TEST(whatever_labels_say_every_form_keeps_to_the_limits)
{
	static const size_t sizes[] = {1, 2, 10, 11, 500};
	struct str text = hostile_texts[_i];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t over = 0; over <= 2; over++) {
			struct message_fixture f;
			size_t n = sizes[i];

			message_fixture_init(&f,
				&(struct message_plan){.n = n,
					.n_resolved = over * n / 2,
					.reason = over == 2 ? REASON_ALL_RESOLVED : REASON_FIRST,
					.links = true,
					.severity = "warning",
					.hostile = text});
			all_forms(&webhook, &f.m);
			message_fixture_fini(&f);
		}
	}
}
END_TEST

START_TEST(a_megabyte_in_every_label_is_cut)
{
	static const char *const pieces[] = {"x", "<!channel>", "&", "\xf0\x9f\x92\xa5", "\n",
		"\"\\", "\xff",
		"\x01"
		"3"};
	char *big = hostile_long(pieces[_i], (size_t)1 << 20);
	struct message_fixture f;

	message_fixture_init(&f, &(struct message_plan){.n = 20,
					 .n_resolved = 7,
					 .reason = REASON_SOME_RESOLVED,
					 .links = true,
					 .severity = "critical",
					 .hostile = {big, (size_t)1 << 20}});
	all_forms(&webhook, &f.m);
	message_fixture_fini(&f);
	free(big);
}
END_TEST

START_TEST(one_alert_reads_as_it_should)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &webhook, &f.m);
	ask_message(&t);
	ck_assert_msg(trip_says(&t, "\\u0001") == false, "%s", t.req->body);
	ck_assert(trip_says(&t, "FIRING PoolExhausted · shop: pool orders at 97 %"));
	ck_assert(trip_says(&t, "#D32F2F"));
	ck_assert(trip_says(&t, "<!date^1789999800^"));
	ck_assert(trip_says(&t, "Acknowledge"));
	ck_assert(trip_says(&t, "Silence 1h"));
	ck_assert(trip_says(&t, "https://runbooks.example.org/pool?x=1&y=2"));
	trip_end(&t);
	message_fixture_fini(&f);
	plan(&f, 1, 1, REASON_ALL_RESOLVED);
	trip_start(&t, INT_SLACK, &webhook, &f.m);
	ask_message(&t);
	ck_assert(trip_says(&t, "RESOLVED PoolExhausted · shop: "));
	ck_assert(trip_says(&t, "#2E7D32"));
	ck_assert(!trip_says(&t, "Acknowledge"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_critical_alert_calls_once)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	ask_message(&t);
	ck_assert(trip_says(&t, "\"text\":\"<!here> "));
	trip_end(&t);
	message_fixture_fini(&f);
	plan(&f, 1, 0, REASON_REPEAT);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	ask_message(&t);
	ck_assert(!trip_says(&t, "<!here>"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(mentions_are_written_as_slack_wants_them)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"@here", "<!here>"}, {"channel", "<!channel>"}, {"U0123ABCD", "<@U0123ABCD>"},
		{"@W0123ABCD, S0123ABCD", "<@W0123ABCD> <!subteam^S0123ABCD>"},
		{"<!subteam^S0123>", "<!subteam^S0123>"}, {"bob<x>", "bob&lt;x&gt;"},
		{"<!here><b>", "&lt;!here&gt;&lt;b&gt;"}, {" ,", ""}};
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		slack_mentions(&b, str_c(cases[i].in));
		ck_assert_msg(str_eq(buf_view(&b), str_c(cases[i].out)), "%s: %.*s", cases[i].in,
			(int)b.n, b.p);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(escaping_never_cuts_an_entity_or_a_character)
{
	struct buf b;

	for (size_t max = 0; max < 40; max++) {
		buf_init(&b, 1000);
		slack_escape(&b, STR("<&>ü💥<&>ü💥<&>"), SLACK_MRKDWN, max);
		ck_assert_uint_le(b.n, max);
		ck_assert(str_is_utf8(buf_view(&b)));
		for (size_t i = 0; i < b.n; i++)
			ck_assert(
				b.p[i] != '&' || memchr(b.p + i, ';', MIN_OF(b.n - i, (size_t)5)));
		buf_fini(&b);
	}
}
END_TEST

/* --- a token's way --- */

START_TEST(the_root_is_posted_then_edited_and_its_thread_told)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 2, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	ask_message(&t);
	ck_assert(url_is(&t, "https://slack.com/api/chat.postMessage"));
	ck_assert_str_eq(header(t.req, "Authorization"), "Bearer xoxb-1");
	ck_assert(trip_says(&t, "\"channel\":\"#ops\""));
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_OK);
	message_fixture_fini(&f);

	plan(&f, 2, 1, REASON_SOME_RESOLVED);
	trip_next(&t, &f.m);
	ask_message(&t);
	ck_assert(url_is(&t, "https://slack.com/api/chat.update"));
	ck_assert(trip_says(&t, "\"channel\":\"C01\",\"ts\":\"1503435956.000247\""));
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(url_is(&t, "https://slack.com/api/chat.postMessage"));
	ck_assert(trip_says(&t, "\"thread_ts\":\"1503435956.000247\""));
	ck_assert(trip_says(&t, "1 resolved, 1 still firing"));
	ck_assert_int_eq(
		trip_answer(&t, 200, "{\"ok\":true,\"channel\":\"C01\",\"ts\":\"9.9\"}", ""),
		VERDICT_OK);
	message_fixture_fini(&f);

	plan(&f, 2, 2, REASON_ALL_RESOLVED);
	trip_next(&t, &f.m);
	ask_message(&t);
	ck_assert(trip_says(&t, "\"ts\":\"1503435956.000247\"")); /* the root's, not the reply's */
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_root_that_is_gone_is_posted_anew)
{
	static const char *const errors[] = {"message_not_found", "cant_update_message",
		"edit_window_closed", "channel_not_found", "is_archived"};
	struct message_fixture f;
	struct trip t;
	char reply[80];

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_OK);
	message_fixture_fini(&f);
	plan(&f, 2, 0, REASON_NEW_ALERTS);
	trip_next(&t, &f.m);
	ask_message(&t);
	(void)snprintf(reply, sizeof reply, "{\"ok\":false,\"error\":\"%s\"}", errors[_i]);
	ck_assert_int_eq(trip_answer(&t, 200, reply, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(url_is(&t, "https://slack.com/api/chat.postMessage"));
	ck_assert(trip_says(&t, "\"channel\":\"#ops\""));
	ck_assert_int_eq(
		trip_answer(&t, 200, "{\"ok\":true,\"channel\":\"C02\",\"ts\":\"5.5\"}", ""),
		VERDICT_OK);
	trip_next(&t, &f.m);
	ask_message(&t);
	ck_assert(trip_says(&t, "\"channel\":\"C02\",\"ts\":\"5.5\""));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_reply_that_cannot_be_made_becomes_a_message)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 1, REASON_ALL_RESOLVED);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	buf_c(&t.data, "channel C01\nts 1.1\n");
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 0, "", ""), VERDICT_RETRY);
	ask_message(&t); /* the same again, not the update */
	ck_assert(trip_says(&t, "thread_ts"));
	ck_assert_int_eq(trip_answer(&t, 200, "{\"ok\":false,\"error\":\"thread_not_found\"}", ""),
		VERDICT_NEXT);
	ask_message(&t);
	ck_assert(!trip_says(&t, "thread_ts"));
	ck_assert(trip_says(&t, "RESOLVED"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(errors_of_the_web_api_are_told_apart)
{
	static const struct {
		int status;
		const char *reply;
		enum verdict v;
	} cases[] = {{200, "{\"ok\":false,\"error\":\"ratelimited\"}", VERDICT_RETRY},
		{429, "{\"ok\":false,\"error\":\"ratelimited\"}", VERDICT_RETRY},
		{200, "{\"ok\":false,\"error\":\"internal_error\"}", VERDICT_RETRY},
		{503, "<html>", VERDICT_RETRY}, {0, "", VERDICT_RETRY},
		{200, "{\"ok\":false,\"error\":\"invalid_auth\"}", VERDICT_FINAL},
		{200, "{\"ok\":false,\"error\":\"channel_not_found\"}", VERDICT_FINAL},
		{200, "{\"ok\":false,\"error\":\"not_in_channel\"}", VERDICT_FINAL},
		{200, "{\"ok\":false,\"error\":\"msg_blocks_too_long\"}", VERDICT_DEGRADE},
		{200, "{\"ok\":false,\"error\":\"invalid_blocks\"}", VERDICT_DEGRADE},
		{200, "{\"ok\":false,\"error\":\"something_new\"}", VERDICT_DEGRADE},
		{200, "{\"ok\":false}", VERDICT_DEGRADE}, {200, "ok", VERDICT_FINAL},
		{200, "<html>captive portal</html>", VERDICT_FINAL}, {302, "", VERDICT_FINAL},
		{404, "", VERDICT_FINAL}, {413, "", VERDICT_DEGRADE}};
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		trip_start(&t, INT_SLACK, &bot, &f.m);
		ask_message(&t);
		ck_assert_msg(trip_answer(&t, cases[i].status, cases[i].reply, "") == cases[i].v,
			"%d %s", cases[i].status, cases[i].reply);
		trip_end(&t);
	}
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_webhooks_answers_are_told_apart)
{
	static const struct {
		int status;
		const char *reply;
		enum verdict v;
	} cases[] = {{200, "ok", VERDICT_OK}, {200, "ok\n", VERDICT_OK},
		{200, "{\"ok\": true}", VERDICT_OK},
		{200, "{\"ok\":false,\"error\":\"invalid_blocks\"}", VERDICT_DEGRADE},
		{200, "{\"ok\":false,\"error\":\"ratelimited\"}", VERDICT_RETRY},
		{200, "{\"ok\":false,\"error\":\"invalid_auth\"}", VERDICT_FINAL},
		{200, "{\"ok\":tr", VERDICT_RETRY}, {200, "no_service", VERDICT_FINAL},
		{200, "{\"text\":\"\\\"ok\\\":true\",\"ok\":false}", VERDICT_FINAL},
		{400, "invalid_payload", VERDICT_DEGRADE}, {403, "invalid_token", VERDICT_FINAL},
		{404, "no_service", VERDICT_FINAL}, {410, "channel_is_archived", VERDICT_FINAL},
		{429, "{\"ok\":false,\"error\":\"rate_limited\"}", VERDICT_RETRY},
		{500, "rollup_error", VERDICT_RETRY}, {0, "", VERDICT_RETRY}};
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		trip_start(&t, INT_SLACK, &webhook, &f.m);
		ask_message(&t);
		ck_assert_msg(trip_answer(&t, cases[i].status, cases[i].reply, "") == cases[i].v,
			"%d %s", cases[i].status, cases[i].reply);
		trip_end(&t);
	}
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_post_that_is_refused_twice_goes_as_plain_text)
{
	static const char refusal[] = "{\"ok\":false,\"error\":\"msg_blocks_too_long\"}";
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, refusal, ""), VERDICT_DEGRADE);
	ask_message(&t);
	ck_assert(!trip_says(&t, "\"blocks\""));
	ck_assert_int_eq(trip_answer(&t, 200, refusal, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(!trip_says(&t, "\"attachments\""));
	ck_assert(trip_says(&t, "FIRING"));
	ck_assert_int_eq(
		trip_answer(&t, 200, refusal, ""), VERDICT_DEGRADE); /* which the outbox ends */
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(an_update_that_is_too_long_is_made_plainer)
{
	static const char refusal[] = "{\"ok\":false,\"error\":\"msg_too_long\"}";
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_REPEAT);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	buf_c(&t.data, "channel C01\nts 1.1\n");
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, refusal, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(url_is(&t, "https://slack.com/api/chat.update"));
	ck_assert(trip_says(&t, "\"blocks\":[]"));
	ck_assert_int_eq(trip_answer(&t, 200, refusal, ""), VERDICT_NEXT);
	ask_message(&t);
	ck_assert(trip_says(&t, "\"attachments\":[]"));
	ck_assert_int_eq(trip_answer(&t, 200, refusal, ""), VERDICT_NEXT);
	ask_message(&t); /* then a message of its own */
	ck_assert(url_is(&t, "https://slack.com/api/chat.postMessage"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

/* --- the graph --- */

static const struct graph_answer picture = {.png = {"\x89PNG\0picture", 12}};

START_TEST(a_sparkline_and_the_offenders_stand_in_the_text)
{
	struct graph_answer *g = message_fixture_graph();
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &webhook, &f.m);
	t.d.graph = g;
	ask_message(&t);
	ck_assert(trip_says(&t, "▁"));
	ck_assert(trip_says(&t, "route=/api &lt;b&gt;&amp; 41 %"));
	t.d.graph = NULL;
	ask_message(&t);
	ck_assert(!trip_says(&t, "\"text\":\"\""));
	ck_assert(!trip_says(&t, "\"text\":\"\\n\""));
	trip_end(&t);
	message_fixture_fini(&f);
	graph_free(g);
}
END_TEST

START_TEST(a_graph_is_uploaded_into_the_thread)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	t.d.graph = &picture;
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_NEXT);
	ask(&t);
	ck_assert(url_is(&t, "https://slack.com/api/files.getUploadURLExternal"));
	ck_assert_str_eq(t.req->body, "filename=graph.png&length=12");
	ck_assert_str_eq(header(t.req, "Content-Type"), "application/x-www-form-urlencoded");
	ck_assert_int_eq(trip_answer(&t, 200,
				 "{\"ok\":true,\"upload_url\":\"https://files.example.org/up/1\","
				 "\"file_id\":\"F01\"}",
				 ""),
		VERDICT_NEXT);
	ask(&t);
	ck_assert(url_is(&t, "https://files.example.org/up/1"));
	ck_assert_str_eq(header(t.req, "Authorization"), ""); /* the token is Slack's API's only */
	ck_assert_uint_eq(t.req->body_len, 12);
	ck_assert_int_eq(memcmp(t.req->body, picture.png.p, 12), 0);
	ck_assert_int_eq(trip_answer(&t, 200, "OK - 12", ""), VERDICT_NEXT);
	ask(&t);
	ck_assert(url_is(&t, "https://slack.com/api/files.completeUploadExternal"));
	ck_assert(trip_says(&t, "\"thread_ts\":\"1503435956.000247\""));
	ck_assert(trip_says(&t, "\"id\":\"F01\""));
	ck_assert_int_eq(trip_answer(&t, 200, "{\"ok\":true,\"files\":[]}", ""), VERDICT_OK);
	ck_assert(str_has(buf_view(&t.data), STR("ts 1503435956.000247")));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(while_alerts_wait_no_graph_is_uploaded)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	t.d.graph = &picture;
	t.d.behind = 4;
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_OK);
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(an_upload_that_fails_anywhere_does_not_fail_the_alert)
{
	static const char *const good[] = {POSTED,
		"{\"ok\":true,\"upload_url\":\"https://files.example.org/up/"
		"1\",\"file_id\":\"F01\"}",
		"OK"};
	static const struct {
		int status;
		const char *reply;
	} bad[] = {{0, ""}, {500, "x"}, {429, "{}"}, {404, ""},
		{200, "{\"ok\":false,\"error\":\"missing_scope\"}"},
		{200, "{\"ok\":true,\"upload_url\":\"file:///etc/passwd\",\"file_id\":\"F\"}"}};
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	for (size_t stage = 1; stage <= 3; stage++) {
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			if (i >= 4 && stage != 1)
				continue; /* an upload's answer is no JSON */
			trip_start(&t, INT_SLACK, &bot, &f.m);
			t.d.graph = &picture;
			for (size_t k = 0; k < stage; k++) {
				ask(&t);
				ck_assert_int_eq(trip_answer(&t, 200, good[k], ""), VERDICT_NEXT);
			}
			ask(&t);
			ck_assert_int_eq(
				trip_answer(&t, bad[i].status, bad[i].reply, ""), VERDICT_OK);
			ck_assert(str_has(buf_view(&t.data), STR("ts 1503435956.000247")));
			trip_end(&t);
		}
	}
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_graph_lost_in_a_restart_ends_the_row_quietly)
{
	struct message_fixture f;
	struct trip t;

	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &bot, &f.m);
	t.d.graph = &picture;
	ask_message(&t);
	ck_assert_int_eq(trip_answer(&t, 200, POSTED, ""), VERDICT_NEXT);
	t.d.graph = NULL;
	ask(&t);
	ck_assert(url_is(&t, "https://slack.com/api/api.test"));
	ck_assert_int_eq(trip_answer(&t, 200, "{\"ok\":true}", ""), VERDICT_OK);
	buf_reset(&t.data); /* and when not even the thread's data could be kept */
	ask(&t);
	ck_assert(url_is(&t, "https://slack.com/api/api.test"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

/* --- Alertmanager's fields --- */

START_TEST(configured_fields_make_alertmanagers_attachment)
{
	static const struct slack_field fields[] = {{{"Where", 5}, {"here", 4}, true}};
	static const struct slack_action actions[] = {{.type = {"button", 6},
		.text = {"Go", 2},
		.url = {"https://example.org/", 20},
		.name = {"n", 1}}};
	struct slack_config c = webhook;
	struct message_fixture f;
	struct trip t;

	c.title = STR("a title");
	c.text = STR("text for <!here>");
	c.color = STR("warning");
	c.username = STR("Bell");
	c.channel = STR("#alerts");
	c.fields = fields;
	c.n_fields = 1;
	c.actions = actions;
	c.n_actions = 1;
	plan(&f, 3, 0, REASON_FIRST);
	ck_assert(slack_is_templated(&c, &f.m));
	trip_start(&t, INT_SLACK, &c, &f.m);
	ask_message(&t);
	ck_assert_msg(trip_says(&t, "\"title\":\"a title\""), "%s", t.req->body);
	ck_assert(trip_says(&t, "\"text\":\"text for <!here>\""));
	ck_assert(trip_says(&t, "\"color\":\"warning\""));
	ck_assert(trip_says(&t, "\"username\":\"Bell\""));
	ck_assert(trip_says(&t, "\"channel\":\"#alerts\""));
	ck_assert(trip_says(
		&t, "\"fields\":[{\"title\":\"Where\",\"value\":\"here\",\"short\":true}]"));
	ck_assert(!trip_says(&t, "\"name\""));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

/* Every field a template over the labels. */
static void everything_templated(struct slack_config *c)
{
	static const char all[] = "{{ .Status }} {{ range .Alerts }}{{ .Labels.pool }} "
				  "{{ .Annotations.summary }}{{ end }} <!here>";
	static struct slack_field field;
	static struct slack_action action;

	field = (struct slack_field){str_c(all), str_c(all), true};
	action = (struct slack_action){.type = STR("button"),
		.text = STR("{{ .CommonLabels.service }}"),
		.url = STR("https://example.org/{{ .CommonLabels.pool | urlquery }}")};
	c->title = c->text = c->pretext = c->footer = c->fallback = c->message_text = str_c(all);
	c->title_link = STR("{{ .ExternalURL }}");
	c->color = STR("{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}");
	c->callback_id = STR("{{ .GroupLabels.alertname }}");
	c->fields = &field;
	c->n_fields = 1;
	c->actions = &action;
	c->n_actions = 1;
}

START_TEST(alertmanagers_form_keeps_to_the_limits_and_calls_only_whom_it_names)
{
	struct slack_config c = webhook;
	struct message_fixture f;
	struct trip t;

	everything_templated(&c);
	message_fixture_init(&f, &(struct message_plan){.n = 100,
					 .n_resolved = 3,
					 .reason = REASON_FIRST,
					 .severity = "critical",
					 .hostile = hostile_texts[_i]});
	trip_start(&t, INT_SLACK, &c, &f.m);
	ask_message(&t);
	ck_assert(!trip_says(&t, "<!channel>"));
	ck_assert(!trip_says(&t, "<@U"));
	ck_assert(trip_says(&t, "\"color\":\"danger\""));
	ck_assert_int_eq(trip_answer(&t, 400, "invalid_attachments", ""), VERDICT_DEGRADE);
	ask_message(&t); /* then belfry's own words */
	ck_assert(trip_says(&t, "FIRING"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_template_that_fails_leaves_the_alert_told)
{
	struct slack_config c = webhook;
	struct message_fixture f;
	struct trip t;

	c.title = STR("{{ .Nothing.There }}");
	c.text = STR("{{ template \"no.such\" . }}");
	plan(&f, 1, 0, REASON_FIRST);
	trip_start(&t, INT_SLACK, &c, &f.m);
	ask_message(&t);
	ck_assert(trip_says(&t, "PoolExhausted"));
	ck_assert(trip_says(&t, "now 95 %") || trip_says(&t, "now 0.95"));
	ck_assert(trip_says(&t, "\"footer\":\"the template of"));
	trip_end(&t);
	message_fixture_fini(&f);
}
END_TEST

START_TEST(a_call_from_a_label_is_broken_and_the_templates_own_is_not)
{
	struct buf b;

	buf_init(&b, 1000);
	slack_untaint(
		&b, STR("<!here> pool <!channel> <@U1> <http://x|y>"), STR("<!here> pool"), true);
	ck_assert(str_eq(buf_view(&b), STR("<!here> pool &lt;!channel> &lt;@U1> <http://x|y>")));
	buf_reset(&b);
	slack_untaint(&b, STR("<!channel>"), STR("{{ template \"x\" . }}"), false);
	ck_assert(str_eq(buf_view(&b), STR("<!channel>")));
	buf_fini(&b);
}
END_TEST

START_TEST(parts_that_do_not_add_up_are_not_taken)
{
	static const char *const bad[] = {"", "slack1\n", "slack1 1 1 1 1 1 1 1\nxxxxxxx",
		"slack1 1 1 1 1 1 1 1 2\nxxxxxxxx", "slack1 1 1 1 1 1 1 1 0\nxxxxxxxx",
		"slack1 99999999999999999999 0 0 0 0 0 0 0\n",
		"slack1 18446744073709551615 2 0 0 0 0 0 0\nx", "{\"text\":\"old\"}"};
	struct slack_parts p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!slack_parts_read(str_c(bad[i]), &p), "%s", bad[i]);
	ck_assert(slack_parts_read(STR("slack1 1 0 0 0 0 0 0 2\nabb"), &p));
	ck_assert(str_eq(p.v[SLACK_PICTURE], STR("bb")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slack");
	TCase *tc = tcase_create("slack");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(
		tc, whatever_labels_say_every_form_keeps_to_the_limits, 0, (int)n_hostile_texts);
	tcase_add_loop_test(tc, a_megabyte_in_every_label_is_cut, 0, 8);
	tcase_add_test(tc, one_alert_reads_as_it_should);
	tcase_add_test(tc, a_critical_alert_calls_once);
	tcase_add_test(tc, mentions_are_written_as_slack_wants_them);
	tcase_add_test(tc, escaping_never_cuts_an_entity_or_a_character);
	tcase_add_test(tc, the_root_is_posted_then_edited_and_its_thread_told);
	tcase_add_loop_test(tc, a_root_that_is_gone_is_posted_anew, 0, 5);
	tcase_add_test(tc, a_reply_that_cannot_be_made_becomes_a_message);
	tcase_add_test(tc, errors_of_the_web_api_are_told_apart);
	tcase_add_test(tc, a_webhooks_answers_are_told_apart);
	tcase_add_test(tc, a_post_that_is_refused_twice_goes_as_plain_text);
	tcase_add_test(tc, an_update_that_is_too_long_is_made_plainer);
	tcase_add_test(tc, a_sparkline_and_the_offenders_stand_in_the_text);
	tcase_add_test(tc, a_graph_is_uploaded_into_the_thread);
	tcase_add_test(tc, while_alerts_wait_no_graph_is_uploaded);
	tcase_add_test(tc, an_upload_that_fails_anywhere_does_not_fail_the_alert);
	tcase_add_test(tc, a_graph_lost_in_a_restart_ends_the_row_quietly);
	tcase_add_test(tc, configured_fields_make_alertmanagers_attachment);
	tcase_add_loop_test(tc, alertmanagers_form_keeps_to_the_limits_and_calls_only_whom_it_names,
		0, (int)n_hostile_texts);
	tcase_add_test(tc, a_template_that_fails_leaves_the_alert_told);
	tcase_add_test(tc, a_call_from_a_label_is_broken_and_the_templates_own_is_not);
	tcase_add_test(tc, parts_that_do_not_add_up_are_not_taken);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
