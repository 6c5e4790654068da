/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simple receivers: requests go where and with what they should; answers mean what the
 * services say.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/notify_template.h"
#include "tests/lib/receiver_rig.h"
#include "tests/lib/suite.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

/* --- what is special in each --- */

START_TEST(nobody_is_called_by_a_label)
{
	json_t *j;

	rig_plan(&(struct message_plan){
		.n = 1, .hostile = STR("@everyone @channel @all <@123> <!here> <b>x</b>")});
	rig_render(&rig_all[RIG_DISCORD]);
	rig_ask(&rig_all[RIG_DISCORD]);
	j = rig_body();
	ck_assert_uint_eq(
		json_array_size(json_object_get(json_object_get(j, "allowed_mentions"), "parse")),
		0);
	ck_assert_ptr_nonnull(strstr(rig_at(j, "embeds/0/description"), "\\<\\@123\\>"));
	json_decref(j);
	rig_render(&rig_all[RIG_TELEGRAM]);
	rig_ask(&rig_all[RIG_TELEGRAM]);
	j = rig_body();
	ck_assert_ptr_nonnull(strstr(rig_at(j, "text"), "&lt;b&gt;x&lt;/b&gt;"));
	ck_assert_ptr_null(strstr(rig_at(j, "text"), "@everyone"));
	json_decref(j);
	rig_render(&rig_all[RIG_MATTERMOST]);
	rig_ask(&rig_all[RIG_MATTERMOST]);
	j = rig_body();
	ck_assert_ptr_null(strstr(rig_at(j, "attachments/0/text"), "@channel"));
	ck_assert_ptr_nonnull(strstr(rig_at(j, "attachments/0/text"), "@\xe2\x80\x8b"));
	json_decref(j);
	rig_render(&rig_all[RIG_ROCKETCHAT]);
	rig_ask(&rig_all[RIG_ROCKETCHAT]);
	j = rig_body();
	ck_assert_ptr_null(strstr(rig_at(j, "attachments/0/text"), "@all"));
	json_decref(j);
	rig_plan(&(struct message_plan){.n = 1, .name = STR("@all"), .hostile = STR("@here")});
	rig_render(&rig_all[RIG_ROCKETCHAT]);
	rig_ask(&rig_all[RIG_ROCKETCHAT]);
	j = rig_body();
	ck_assert_ptr_nonnull(strstr(rig_at(j, "attachments/0/title"), "@\xe2\x80\x8b"));
	ck_assert_ptr_null(strstr(rig_at(j, "attachments/0/title"), "@all"));
	json_decref(j);
	rig_render(&rig_all[RIG_MATTERMOST]);
	rig_ask(&rig_all[RIG_MATTERMOST]);
	j = rig_body();
	ck_assert_ptr_null(strstr(rig_at(j, "attachments/0/fallback"), "@all"));
	json_decref(j);
}
END_TEST

START_TEST(the_configuration_may_call_somebody)
{
	struct discord_config c = rig_discord;
	struct integration in = {INT_DISCORD, 0, true, &c};
	json_t *j, *allowed;

	c.content = STR("@here <@&42> <@7> <@!8> <@x> {{ .Status }}");
	rig_render(&in);
	rig_ask(&in);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "content"), "@here <@&42> <@7> <@!8> <@x> firing");
	allowed = json_object_get(j, "allowed_mentions");
	ck_assert_str_eq(rig_at(allowed, "parse/0"), "everyone");
	ck_assert_str_eq(rig_at(allowed, "roles/0"), "42");
	ck_assert_str_eq(rig_at(allowed, "users/0"), "7");
	ck_assert_str_eq(rig_at(allowed, "users/1"), "8");
	ck_assert_uint_eq(json_array_size(json_object_get(allowed, "users")), 2);
	json_decref(j);
}
END_TEST

START_TEST(pagerduty_opens_and_resolves_one_incident)
{
	struct pagerduty_config c = rig_pagerduty;
	struct integration in = {INT_PAGERDUTY, 0, true, &c};
	struct pagerduty_link link = {STR("https://l/{{ .Status }}"), STR("more")};
	struct value_tree leaf[2] = {
		{.kind = VALUE_TEXT, .key = STR("num_firing"), .text = STR("many")},
		{.kind = VALUE_TEXT, .key = STR("n"), .text = STR("{{ .Alerts.Firing | len }}")}};
	struct value_tree details = {.kind = VALUE_MAP, .v = leaf, .n = 2};
	const char *key;
	json_t *j;

	c.links = &link;
	c.n_links = 1;
	c.details = &details;
	rig_render(&in);
	rig_ask(&in);
	ck_assert_str_eq(rig_req->url, "http://127.0.0.1/pd");
	ck_assert_int_eq(rig_req->timeout_ms, 5000);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "routing_key"), "SECRET\"key");
	ck_assert_str_eq(rig_at(j, "event_action"), "trigger");
	ck_assert_str_eq(rig_at(j, "payload/severity"), "critical");
	ck_assert_str_eq(rig_at(j, "payload/custom_details/num_firing"), "many");
	ck_assert_int_eq(
		json_integer_value(json_object_get(
			json_object_get(json_object_get(j, "payload"), "custom_details"), "n")),
		2);
	key = rig_at(j, "dedup_key");
	ck_assert(str_eq(str_c(key), rig_fixture.m.thread));
	json_decref(j);
	ck_assert_int_eq(rig_answer(&in, 202, "{}"), VERDICT_OK);
	ck_assert_int_eq(rig_answer(&in, 429, ""), VERDICT_RETRY);
	ck_assert_int_eq(rig_answer(&in, 500, ""), VERDICT_RETRY);
	ck_assert_int_eq(rig_answer(&in, 403, ""), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(&in, 400, "{\"status\":\"invalid event\"}"), VERDICT_DEGRADE);
	rig_d.degraded = true;
	rig_ask(&in);
	j = rig_body();
	ck_assert_ptr_null(json_object_get(json_object_get(j, "payload"), "custom_details"));
	json_decref(j);

	rig_plan(&(struct message_plan){.n = 2, .n_resolved = 2, .hostile = STR("x")});
	rig_render(&in);
	rig_ask(&in);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "event_action"), "resolve");
	ck_assert(str_eq(str_c(rig_at(j, "dedup_key")), rig_fixture.m.thread));
	json_decref(j);
}
END_TEST

START_TEST(opsgenie_creates_updates_and_closes_by_alias)
{
	struct opsgenie_config c = rig_opsgenie;
	struct integration in = {INT_OPSGENIE, 0, true, &c};
	struct opsgenie_responder r[] = {{.type = STR("Teams"), .name = STR("a, b,")},
		{.type = STR("user"), .username = STR("{{ .CommonLabels.nope }}")},
		{.type = STR("user"), .username = STR("x@y")}};
	char url[300];
	json_t *j;

	c.responders = r;
	c.n_responders = ARRAY_LEN(r);
	c.tags = STR("one, two,,{{ .Status }}");
	c.priority = STR("P2");
	rig_render(&in);
	rig_ask(&in);
	ck_assert_str_eq(rig_req->url, "http://127.0.0.1/og/v2/alerts");
	ck_assert_str_eq(rig_header("Authorization"), "GenieKey SECRET");
	ck_assert_str_eq(rig_req->method, "POST");
	j = rig_body();
	ck_assert_uint_eq(json_array_size(json_object_get(j, "responders")), 3);
	ck_assert_str_eq(rig_at(j, "responders/0/name"), "a");
	ck_assert_str_eq(rig_at(j, "responders/1/type"), "team");
	ck_assert_str_eq(rig_at(j, "responders/2/username"), "x@y");
	ck_assert_uint_eq(json_array_size(json_object_get(j, "tags")), 3);
	ck_assert_str_eq(rig_at(j, "tags/2"), "firing");
	ck_assert_str_eq(rig_at(j, "priority"), "P2");
	json_decref(j);
	ck_assert_int_eq(rig_answer(&in, 202, "{}"), VERDICT_NEXT);
	rig_d.step = 1;
	rig_ask(&in);
	snprintf(url, sizeof url, "http://127.0.0.1/og/v2/alerts/%.*s/message?identifierType=alias",
		(int)rig_fixture.m.thread.n, rig_fixture.m.thread.p);
	ck_assert_str_eq(rig_req->url, url);
	ck_assert_str_eq(rig_req->method, "PUT");
	ck_assert_int_eq(rig_answer(&in, 202, "{}"), VERDICT_NEXT);
	rig_d.step = 2;
	rig_ask(&in);
	ck_assert_ptr_nonnull(strstr(rig_req->url, "/description?"));
	ck_assert_int_eq(rig_answer(&in, 202, "{}"), VERDICT_OK);
	ck_assert_int_eq(rig_answer(&in, 404, "{}"), VERDICT_OK);
	ck_assert_int_eq(rig_answer(&in, 422, "{}"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(&in, 429, "{}"), VERDICT_RETRY);

	rig_plan(&(struct message_plan){.n = 1, .n_resolved = 1, .hostile = STR("x")});
	rig_render(&in);
	rig_ask(&in);
	ck_assert_ptr_nonnull(strstr(rig_req->url, "/close?identifierType=alias"));
	ck_assert_str_eq(rig_req->method, "POST");
	ck_assert_int_eq(rig_answer(&in, 202, "{}"), VERDICT_OK);
}
END_TEST

START_TEST(telegram_falls_back_moves_and_waits)
{
	const struct integration *in = &rig_all[RIG_TELEGRAM];
	json_t *j;

	rig_render(in);
	rig_ask(in);
	ck_assert_str_eq(rig_req->url, "http://127.0.0.1/tg/bot123:SECRET/sendMessage");
	j = rig_body();
	ck_assert_int_eq(json_integer_value(json_object_get(j, "chat_id")), -1001);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "message_thread_id")), 7);
	ck_assert_str_eq(rig_at(j, "parse_mode"), "HTML");
	json_decref(j);
	ck_assert_int_eq(rig_answer(in, 200, "{\"ok\":true,\"result\":{}}"), VERDICT_OK);
	ck_assert_int_eq(rig_answer(in, 200, "{\"ok\":false}"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(in, 200, "<html>"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(in, 403, "{\"ok\":false}"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(in, 429, "{\"ok\":false,\"parameters\":{\"retry_after\":17}}"),
		VERDICT_RETRY);
	ck_assert_int_eq(integration_telegram.retry_after_ms(rig_req), 17000);
	ck_assert_int_eq(
		rig_answer(in, 400, "{\"description\":\"can't parse entities\"}"), VERDICT_DEGRADE);
	rig_d.degraded = true;
	rig_ask(in);
	j = rig_body();
	ck_assert_ptr_null(json_object_get(j, "parse_mode"));
	json_decref(j);
	ck_assert_int_eq(rig_answer(in, 400, "{\"parameters\":{\"migrate_to_chat_id\":-100200}}"),
		VERDICT_NEXT);
	rig_ask(in);
	j = rig_body();
	ck_assert_int_eq(json_integer_value(json_object_get(j, "chat_id")), -100200);
	json_decref(j);
	ck_assert_int_eq(rig_answer(in, 400, "{\"parameters\":{\"migrate_to_chat_id\":-100200}}"),
		VERDICT_DEGRADE);
}
END_TEST

START_TEST(discord_tells_its_wait_as_a_fraction)
{
	const struct integration *in = &rig_all[RIG_DISCORD];

	rig_render(in);
	rig_ask(in);
	ck_assert_int_eq(rig_answer(in, 204, ""), VERDICT_OK);
	ck_assert_int_eq(
		rig_answer(in, 429, "{\"retry_after\": 0.6504, \"global\": false}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(rig_req), 651);
	ck_assert_int_eq(rig_answer(in, 429, "{\"retry_after\": -3}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(rig_req), 0);
	ck_assert_int_eq(rig_answer(in, 429, "{\"retry_after\": \"1e99\"}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(rig_req), 86400000);
	ck_assert_int_eq(rig_answer(in, 404, "{\"code\":10015}"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(in, 0, ""), VERDICT_RETRY);
}
END_TEST

START_TEST(pushover_repeats_until_it_is_over)
{
	const struct integration *in = &rig_all[RIG_PUSHOVER];

	rig_render(in);
	rig_ask(in);
	ck_assert_str_eq(rig_header("Content-Type"), "application/x-www-form-urlencoded");
	ck_assert_ptr_nonnull(strstr(rig_req->body, "token=SECRETtoken&user=SECRETuser&title="));
	ck_assert_ptr_nonnull(strstr(rig_req->body, "&priority=2&retry=60&expire=3600&tags="));
	ck_assert_int_eq(rig_answer(in, 200, "{\"status\":1,\"request\":\"x\"}"), VERDICT_OK);
	ck_assert_int_eq(rig_answer(in, 200, "{\"status\":0}"), VERDICT_FINAL);
	ck_assert_int_eq(rig_answer(in, 400, "{\"status\":0}"), VERDICT_DEGRADE);
	ck_assert_int_eq(rig_answer(in, 503, ""), VERDICT_RETRY);

	rig_plan(&(struct message_plan){.n = 1, .n_resolved = 1, .hostile = STR("x")});
	rig_render(in);
	rig_ask(in);
	ck_assert_ptr_nonnull(strstr(rig_req->body, "&priority=0&"));
	ck_assert_int_eq(rig_answer(in, 200, "{\"status\":1}"), VERDICT_NEXT);
	rig_d.step = 1;
	rig_ask(in);
	ck_assert_ptr_nonnull(strstr(rig_req->url, "http://127.0.0.1/1/receipts/cancel_by_tag/"));
	ck_assert_str_eq(rig_req->body, "token=SECRETtoken");
	ck_assert_int_eq(rig_answer(in, 404, ""), VERDICT_OK);
}
END_TEST

START_TEST(others_judge_by_what_their_services_answer)
{
	static const struct {
		size_t in;
		int status;
		const char *reply;
		enum verdict want;
	} table[] = {
		{2, 202, "", VERDICT_OK},
		{2, 200, "1", VERDICT_OK},
		{2, 200,
			"Webhook message delivery failed with error: Microsoft Teams endpoint "
			"returned HTTP error 429",
			VERDICT_RETRY},
		{2, 200, "Webhook message delivery failed with error: x", VERDICT_FINAL},
		{2, 413, "", VERDICT_DEGRADE},
		{2, 429, "", VERDICT_RETRY},
		{5, 200, "{}", VERDICT_OK},
		{5, 401, "{}", VERDICT_FINAL},
		{5, 413, "{}", VERDICT_DEGRADE},
		{5, 507, "{}", VERDICT_RETRY},
		{7, 200, "ok", VERDICT_OK},
		{7, 400, "{}", VERDICT_DEGRADE},
		{7, 403, "{}", VERDICT_FINAL},
		{8, 200, "{\"success\":true}", VERDICT_OK},
		{8, 200, "{\"success\":false,\"error\":\"error-invalid-room\"}", VERDICT_FINAL},
		{8, 429, "{\"success\":false,\"error\":\"Error, too-many-requests\"}",
			VERDICT_RETRY},
		{8, 200, "garbage", VERDICT_FINAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		rig_render(&rig_all[table[i].in]);
		rig_ask(&rig_all[table[i].in]);
		ck_assert_msg(rig_answer(&rig_all[table[i].in], table[i].status, table[i].reply) ==
				      table[i].want,
			"%s %d %s", integration_name(rig_all[table[i].in].kind), table[i].status,
			table[i].reply);
	}
}
END_TEST

START_TEST(ntfy_and_rocketchat_carry_their_secrets_where_they_belong)
{
	json_t *j;

	rig_render(&rig_all[RIG_NTFY]);
	rig_ask(&rig_all[RIG_NTFY]);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "topic"), "SECRET");
	ck_assert_int_eq(json_integer_value(json_object_get(j, "priority")), 5);
	ck_assert_str_eq(rig_at(j, "tags/0"), "red_circle");
	ck_assert_uint_ge(json_array_size(json_object_get(j, "actions")), 1);
	json_decref(j);
	rig_render(&rig_all[RIG_ROCKETCHAT]);
	rig_ask(&rig_all[RIG_ROCKETCHAT]);
	ck_assert_str_eq(rig_req->url, "http://127.0.0.1/rc/api/v1/chat.postMessage");
	ck_assert_str_eq(rig_header("X-Auth-Token"), "SECRET");
	ck_assert_str_eq(rig_header("X-User-Id"), "SECRETid");
}
END_TEST

START_TEST(configured_texts_replace_belfrys)
{
	struct mattermost_config c = rig_mattermost;
	struct integration in = {INT_MATTERMOST, 0, true, &c};
	json_t *j;

	c.main.title = STR("T {{ .Status | toUpper }}");
	c.main.text = STR("{{ range .Alerts }}{{ .Labels.alertname }} {{ end }}");
	c.priority = STR("Urgent");
	c.requested_ack = true;
	rig_render(&in);
	rig_ask(&in);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "attachments/0/title"), "T FIRING");
	ck_assert_str_eq(rig_at(j, "priority/priority"), "urgent");
	ck_assert(json_is_true(json_object_get(json_object_get(j, "priority"), "requested_ack")));
	ck_assert_str_eq(rig_at(j, "channel"), "town");
	json_decref(j);
}
END_TEST

START_TEST(a_default_that_the_users_files_replace_is_used)
{
	static const char *const names[] = {"pagerduty.default.description",
		"opsgenie.default.message", "msteamsv2.default.text", "discord.default.message",
		"telegram.default.message", NULL, "pushover.default.message",
		"mattermost.default.text", "rocketchat.default.text"};
	char text[200];
	struct arena a;
	struct err e = {0};

	ck_assert_uint_eq(ARRAY_LEN(names), ARRAY_LEN(rig_all));
	for (size_t i = 0; i < ARRAY_LEN(rig_all); i++) {
		struct notify_templates *t;

		if (names[i] == NULL)
			continue;
		arena_init(&a, (size_t)16 << 20);
		t = notify_templates_new(&a);
		snprintf(text, sizeof text, "{{ define \"%s\" }}own{{ .Status }}{{ end }}",
			names[i]);
		ck_assert_msg(
			notify_templates_add_file(t, STR("f"), str_c(text), &e) == 0, "%s", e.msg);
		rig_fixture.m.templates = t;
		rig_render(&rig_all[i]);
		rig_ask(&rig_all[i]);
		ck_assert_msg(strstr(rig_req->body, "ownfiring") != NULL, "%s: %s",
			integration_name(rig_all[i].kind), rig_req->body);
		rig_fixture.m.templates = NULL;
		arena_fini(&a);
	}
}
END_TEST

START_TEST(a_template_that_fails_does_not_cost_the_alert)
{
	struct telegram_config t = rig_telegram;
	struct integration in = {INT_TELEGRAM, 0, true, &t};
	json_t *j;

	t.message = STR("{{ template \"no.such\" . }}");
	t.parse_mode = STR("MarkdownV2");
	rig_render(&in);
	rig_ask(&in);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "parse_mode"), "HTML"); /* belfry's own text */
	ck_assert_ptr_nonnull(strstr(rig_at(j, "text"), "FIRING"));
	ck_assert_ptr_nonnull(strstr(rig_at(j, "text"), "template"));
	json_decref(j);
}
END_TEST

START_TEST(ntfy_and_pushover_say_that_a_template_failed)
{
	struct ntfy_config n = rig_ntfy;
	struct pushover_config p = rig_pushover;
	struct integration in = {INT_NTFY, 0, true, &n};
	json_t *j;

	n.message = p.message = STR("{{ template \"no.such\" . }}");
	rig_plan(&(struct message_plan){.n = 3});
	rig_render(&in);
	rig_ask(&in);
	j = rig_body();
	ck_assert_ptr_nonnull(strstr(rig_at(j, "message"), "template of message failed"));
	json_decref(j);
	in = (struct integration){INT_PUSHOVER, 0, true, &p};
	rig_render(&in);
	rig_ask(&in);
	ck_assert_ptr_nonnull(strstr(rig_req->body, "template%20of%20message%20failed"));
}
END_TEST

START_TEST(a_sparkline_stands_where_there_is_one)
{
	static const double values[] = {1, 2, 3, 4};
	struct graph_answer g = {.points = {.step_ms = 1000,
					 .n = 4,
					 .n_series = 1,
					 .series = {{.v = values}},
					 .threshold = 3}};

	for (size_t i = 0; i < ARRAY_LEN(rig_all); i++) {
		if (rig_all[i].kind == INT_PUSHOVER)
			continue;
		rig_render(&rig_all[i]);
		rig_d.graph = &g;
		rig_ask(&rig_all[i]);
		json_decref(rig_body());
		ck_assert_msg(strstr(rig_req->body, "\xe2\x96\x88") != NULL, "%s: %s",
			integration_name(rig_all[i].kind), rig_req->body);
	}
}
END_TEST

START_TEST(discord_and_telegram_take_a_picture_along)
{
	static const double values[] = {1, 2};
	struct graph_answer g = {.points = {.step_ms = 1000,
					 .n = 2,
					 .n_series = 1,
					 .series = {{.v = values}},
					 .threshold = 3},
		.png = STR("\x89PNG\0\1data")};

	rig_discord.graph = rig_telegram.graph = true;
	rig_render(&rig_all[RIG_DISCORD]);
	rig_d.graph = &g;
	rig_ask(&rig_all[RIG_DISCORD]);
	ck_assert_ptr_nonnull(
		strstr(rig_header("Content-Type"), "multipart/form-data; boundary=belfry-"));
	ck_assert_ptr_nonnull(
		memmem(rig_req->body, rig_req->body_len, "\r\n\r\n\x89PNG\0\1data\r\n--", 18));
	ck_assert_ptr_nonnull(
		strstr(rig_req->body, ",\"image\":{\"url\":\"attachment://graph.png\"}"));
	ck_assert_ptr_nonnull(strstr(rig_req->body, "name=\"payload_json\""));
	rig_d.degraded = true;
	rig_ask(&rig_all[RIG_DISCORD]);
	ck_assert_str_eq(rig_header("Content-Type"), "application/json");

	rig_plan(&(struct message_plan){.n = 1, .severity = "critical", .hostile = STR("x")});
	rig_render(&rig_all[RIG_TELEGRAM]);
	ck_assert(integration_telegram.wants_picture(buf_view(&rig_payload)));
	rig_d.graph = &g;
	rig_ask(&rig_all[RIG_TELEGRAM]);
	ck_assert_ptr_nonnull(strstr(rig_req->url, "/sendPhoto"));
	ck_assert_ptr_nonnull(strstr(rig_req->body, "name=\"chat_id\"\r\n\r\n-1001\r\n"));
	ck_assert_ptr_nonnull(strstr(rig_req->body, "name=\"message_thread_id\"\r\n\r\n7\r\n"));
	ck_assert_ptr_nonnull(strstr(rig_req->body, "name=\"caption\"\r\n\r\n<b>"));
	ck_assert_ptr_nonnull(
		memmem(rig_req->body, rig_req->body_len, "\x89PNG\0\1data\r\n--", 14));
	rig_d.graph = NULL;
	rig_ask(&rig_all[RIG_TELEGRAM]);
	ck_assert_ptr_nonnull(strstr(rig_req->url, "/sendMessage"));
	json_decref(rig_body());
	rig_plan(&(struct message_plan){.n = 10,
		.severity = "critical",
		.hostile = STR("a long text in a label that is said again and again")});
	rig_render(&rig_all[RIG_TELEGRAM]);
	ck_assert(!integration_telegram.wants_picture(buf_view(&rig_payload)));
	rig_discord.graph = rig_telegram.graph = false;
}
END_TEST

START_TEST(a_webhook_gets_route_labels_or_the_configured_payload)
{
	struct webhook_config w = {.url = S("http://127.0.0.1/"), .max_alerts = 1};
	const struct integration in = {INT_WEBHOOK, 0, true, &w};
	struct label labels[] = {{STR("reason"), STR("is {{ .Status }}")}};
	struct value_tree leaf = {
		.kind = VALUE_TEXT, .key = STR("n"), .text = STR("{{ .Alerts | len }}")};
	struct value_tree map = {.kind = VALUE_MAP, .v = &leaf, .n = 1};
	struct err e;
	json_t *j;

	rig_fixture.m.route_labels = (struct labels){labels, 1};
	ck_assert_int_eq(integration_webhook.render(&rig_fixture.m, &in, &rig_payload, &e), 0);
	rig_d = (struct delivery){.id = STR("id-1")};
	rig_ask(&in);
	j = rig_body();
	ck_assert_str_eq(rig_at(j, "routeLabels/reason"), "is firing");
	ck_assert_int_eq(json_integer_value(json_object_get(j, "truncatedAlerts")), 1);
	json_decref(j);
	w.payload = &map;
	buf_reset(&rig_payload);
	ck_assert_int_eq(integration_webhook.render(&rig_fixture.m, &in, &rig_payload, &e), 0);
	rig_ask(&in);
	ck_assert_str_eq(rig_req->body, "{\"n\":2}");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receivers");
	TCase *tc = tcase_create("receivers");

	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nobody_is_called_by_a_label);
	tcase_add_test(tc, the_configuration_may_call_somebody);
	tcase_add_test(tc, pagerduty_opens_and_resolves_one_incident);
	tcase_add_test(tc, opsgenie_creates_updates_and_closes_by_alias);
	tcase_add_test(tc, telegram_falls_back_moves_and_waits);
	tcase_add_test(tc, discord_tells_its_wait_as_a_fraction);
	tcase_add_test(tc, pushover_repeats_until_it_is_over);
	tcase_add_test(tc, others_judge_by_what_their_services_answer);
	tcase_add_test(tc, ntfy_and_rocketchat_carry_their_secrets_where_they_belong);
	tcase_add_test(tc, configured_texts_replace_belfrys);
	tcase_add_test(tc, a_default_that_the_users_files_replace_is_used);
	tcase_add_test(tc, a_template_that_fails_does_not_cost_the_alert);
	tcase_add_test(tc, ntfy_and_pushover_say_that_a_template_failed);
	tcase_add_test(tc, a_sparkline_stands_where_there_is_one);
	tcase_add_test(tc, discord_and_telegram_take_a_picture_along);
	tcase_add_test(tc, a_webhook_gets_route_labels_or_the_configured_payload);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
