/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simple receivers: what is rendered is within each service's limits and harmless whatever the
 * alerts say; requests go where and with what they should; answers mean what the services say.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"
#include "exporters/notify_template.h"
#include "tests/lib/message_fixture.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

/* --- one configuration of each kind --- */

static struct pagerduty_config pagerduty = {
	.url = S("http://127.0.0.1/pd"), .routing_key = S("SECRET\"key"), .timeout_ms = 5000};
static struct opsgenie_config opsgenie = {
	.api_url = S("http://127.0.0.1/og/"), .api_key = S("SECRET"), .update_alerts = true};
static struct msteamsv2_config msteams = {.webhook_url = S("http://127.0.0.1/teams/SECRET")};
static struct discord_config discord = {.webhook_url = S("http://127.0.0.1/discord/SECRET")};
static struct telegram_config telegram = {.api_url = S("http://127.0.0.1/tg"),
	.bot_token = S("123:SECRET"),
	.chat_id = S("-1001"),
	.parse_mode = S("HTML"),
	.message_thread_id = 7};
static struct ntfy_config ntfy = {.url = S("http://127.0.0.1/ntfy"), .topic = S("SECRET")};
static struct pushover_config pushover = {.api_url = S("http://127.0.0.1/1/messages.json"),
	.user_key = S("SECRETuser"),
	.token = S("SECRETtoken"),
	.retry_ms = 60000,
	.expire_ms = 3600000};
static struct mattermost_config mattermost = {
	.webhook_url = S("http://127.0.0.1/mm/SECRET"), .channel = S("town")};
static struct rocketchat_config rocketchat = {.api_url = S("http://127.0.0.1/rc/"),
	.token = S("SECRET"),
	.token_id = S("SECRETid"),
	.channel = S("#ops")};

static const struct integration all[] = {
	{INT_PAGERDUTY, 0, true, &pagerduty},
	{INT_OPSGENIE, 0, true, &opsgenie},
	{INT_MSTEAMSV2, 0, true, &msteams},
	{INT_DISCORD, 0, true, &discord},
	{INT_TELEGRAM, 0, true, &telegram},
	{INT_NTFY, 0, true, &ntfy},
	{INT_PUSHOVER, 0, true, &pushover},
	{INT_MATTERMOST, 0, true, &mattermost},
	{INT_ROCKETCHAT, 0, true, &rocketchat},
};

/* --- a row on its way --- */

static struct message_fixture fixture;
static struct buf payload, data;
static struct delivery d;
static struct send_request *req;

static void setup(void)
{
	message_fixture_init(&fixture, &(struct message_plan){.n = 2,
					       .n_resolved = 0,
					       .first = true,
					       .links = true,
					       .severity = "critical",
					       .hostile = STR("plain")});
	buf_init(&payload, (size_t)16 << 20);
	buf_init(&data, LIMIT_THREAD_DATA);
	req = NULL;
}

static void teardown(void)
{
	send_request_free(req);
	req = NULL;
	buf_fini(&payload);
	buf_fini(&data);
	message_fixture_fini(&fixture);
}

static void plan(const struct message_plan *p)
{
	message_fixture_fini(&fixture);
	message_fixture_init(&fixture, p);
}

static void render(const struct integration *in)
{
	struct err e = {0};

	buf_reset(&payload);
	buf_reset(&data);
	ck_assert_int_eq(integration_type(in->kind)->render(&fixture.m, in, &payload, &e), 0);
	ck_assert_msg(!payload.failed && payload.n > 0, "%s", integration_name(in->kind));
	d = (struct delivery){
		.id = STR("id-1"), .thread = fixture.m.thread, .firing = fixture.m.firing};
}

static void ask(const struct integration *in)
{
	struct err e = {0};

	send_request_free(req);
	d.payload = buf_view(&payload);
	d.data = buf_view(&data);
	req = integration_type(in->kind)->request(in, &d, &e);
	ck_assert_msg(req != NULL, "%s: %s", integration_name(in->kind), e.msg);
}

static enum verdict answer(const struct integration *in, int status, const char *reply)
{
	req->transport_ok = status != 0;
	req->status = status;
	free(req->reply);
	req->reply = strdup(reply);
	req->reply_len = strlen(reply);
	return integration_type(in->kind)->judge(in, &d, req, &data);
}

static const char *header(const char *name)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		if (strncasecmp(req->headers[i], name, strlen(name)) == 0 &&
			req->headers[i][strlen(name)] == ':')
			return req->headers[i] + strlen(name) + 2;
	}
	return "";
}

static json_t *body(void)
{
	json_error_t why;
	json_t *j = json_loadb(req->body, req->body_len, 0, &why);

	ck_assert_msg(j != NULL, "%s\n%s", why.text, req->body);
	return j;
}

/* The string at a path like "payload/summary" or "embeds/0/title". */
static const char *at(json_t *j, const char *path)
{
	char text[200], *rest = text, *part;

	snprintf(text, sizeof text, "%s", path);
	while (j != NULL && (part = strsep(&rest, "/")) != NULL)
		j = json_is_array(j) ? json_array_get(j, (size_t)strtoul(part, NULL, 10))
				     : json_object_get(j, part);
	ck_assert_msg(json_is_string(j), "%s is no string in %s", path, req->body);
	return json_string_value(j);
}

static void at_most(json_t *j, const char *path, size_t units)
{
	const char *s = at(j, path);

	ck_assert_msg(chat_units(str_c(s)) <= units, "%s has %zu units, %zu are allowed", path,
		chat_units(str_c(s)), units);
	ck_assert_msg(s[0] != '\0', "%s is empty", path);
}

/* --- limits as the services publish them --- */

static void check_limits(const struct integration *in, bool degraded)
{
	json_t *j = in->kind == INT_PUSHOVER ? NULL : body();

	switch (in->kind) {
	case INT_PAGERDUTY:
		ck_assert_uint_le(req->body_len, 512000);
		at_most(j, "dedup_key", 255);
		if (d.firing) {
			at_most(j, "payload/summary", 1024);
			at_most(j, "payload/source", 255);
			at_most(j, "payload/severity", 8);
		}
		break;
	case INT_OPSGENIE:
		if (d.firing && d.step == 0) {
			at_most(j, "message", 130);
			at_most(j, "alias", 512);
			at_most(j, "description", 15000);
			at_most(j, "source", 100);
			at_most(j, "priority", 2);
		}
		break;
	case INT_MSTEAMSV2: ck_assert_uint_le(req->body_len, 21000); break;
	case INT_DISCORD:
		if (degraded) {
			at_most(j, "content", 2000);
		} else {
			at_most(j, "embeds/0/title", 256);
			at_most(j, "embeds/0/description", 4096);
		}
		ck_assert_ptr_nonnull(json_object_get(j, "allowed_mentions"));
		break;
	case INT_TELEGRAM: at_most(j, "text", 4096); break;
	case INT_NTFY:
		ck_assert_uint_le(strlen(at(j, "message")), 4096);
		at_most(j, "topic", 64);
		break;
	case INT_MATTERMOST: at_most(j, degraded ? "text" : "attachments/0/text", 8000); break;
	case INT_ROCKETCHAT: at_most(j, degraded ? "text" : "attachments/0/text", 5000); break;
	case INT_PUSHOVER: ck_assert_uint_le(req->body_len, 20000); break;
	case INT_SLACK:
	case INT_EMAIL:
	case INT_WEBHOOK:
	case INTEGRATION_KINDS: break;
	}
	json_decref(j);
}

static void walk(const json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(j))
		ck_assert_ptr_null(strpbrk(json_string_value(j), "\1\2\033\177"));
	json_array_foreach((json_t *)(uintptr_t)j, i, v) walk(v);
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		ck_assert_ptr_null(strpbrk(key, "\1\2\033\177"));
		walk(v);
	}
}

/* No mark is left, and no control character of a label came through. */
static void no_controls(const struct integration *in)
{
	json_t *j;

	if (in->kind == INT_PUSHOVER) {
		ck_assert(!str_has(str_c(req->body), STR("%01")));
		return;
	}
	j = body();
	walk(j);
	json_decref(j);
}

static void check_all(void)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct integration *in = &all[i];

		render(in);
		ck_assert_msg(!str_has(buf_view(&payload), STR("SECRET")), "%s stores a secret",
			integration_name(in->kind));
		for (unsigned step = 0; step < (in->kind == INT_OPSGENIE && d.firing ? 3 : 1);
			step++) {
			for (int degraded = 0; degraded < 2; degraded++) {
				d.step = step;
				d.degraded = degraded;
				ask(in);
				check_limits(in, degraded);
				ck_assert_ptr_null(memchr(req->body, '\1', req->body_len));
				no_controls(in);
				ck_assert(str_is_utf8(str_n(req->body, req->body_len)));
			}
		}
	}
}

START_TEST(every_kind_is_within_its_limits_whatever_the_alerts_say)
{
	for (size_t i = 0; i < n_hostile_texts; i++) {
		plan(&(struct message_plan){.n = 1 + i % 12,
			.n_resolved = i % 3 == 0 ? 1 + i % 12 : 0,
			.links = i % 2,
			.severity = i % 4 ? "warning" : NULL,
			.hostile = hostile_texts[i]});
		check_all();
	}
}
END_TEST

START_TEST(a_megabyte_in_a_label_or_a_thousand_alerts_change_nothing)
{
	static const char *const pieces[] = {
		"x", "<b>&\"", "\xf0\x9f\x92\xa5", "a b ", "*_`[](", "\n"};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		char *big = hostile_long(pieces[i], 1u << 20);

		plan(&(struct message_plan){
			.n = 3, .links = true, .hostile = str_n(big, 1u << 20)});
		check_all();
		free(big);
	}
	plan(&(struct message_plan){.n = 1000, .n_resolved = 10, .hostile = STR("x")});
	check_all();
}
END_TEST

/* --- what is special in each --- */

START_TEST(nobody_is_called_by_a_label)
{
	json_t *j;

	plan(&(struct message_plan){
		.n = 1, .hostile = STR("@everyone @channel @all <@123> <!here> <b>x</b>")});
	render(&all[3]);
	ask(&all[3]);
	j = body();
	ck_assert_uint_eq(
		json_array_size(json_object_get(json_object_get(j, "allowed_mentions"), "parse")),
		0);
	ck_assert_ptr_nonnull(strstr(at(j, "embeds/0/description"), "\\<\\@123\\>"));
	json_decref(j);
	render(&all[4]);
	ask(&all[4]);
	j = body();
	ck_assert_ptr_nonnull(strstr(at(j, "text"), "&lt;b&gt;x&lt;/b&gt;"));
	ck_assert_ptr_null(strstr(at(j, "text"), "@everyone"));
	json_decref(j);
	render(&all[7]);
	ask(&all[7]);
	j = body();
	ck_assert_ptr_null(strstr(at(j, "attachments/0/text"), "@channel"));
	ck_assert_ptr_nonnull(strstr(at(j, "attachments/0/text"), "@\xe2\x80\x8b"));
	json_decref(j);
	render(&all[8]);
	ask(&all[8]);
	j = body();
	ck_assert_ptr_null(strstr(at(j, "attachments/0/text"), "@all"));
	json_decref(j);
}
END_TEST

START_TEST(the_configuration_may_call_somebody)
{
	struct discord_config c = discord;
	struct integration in = {INT_DISCORD, 0, true, &c};
	json_t *j, *allowed;

	c.content = STR("@here <@&42> <@7> <@!8> <@x> {{ .Status }}");
	render(&in);
	ask(&in);
	j = body();
	ck_assert_str_eq(at(j, "content"), "@here <@&42> <@7> <@!8> <@x> firing");
	allowed = json_object_get(j, "allowed_mentions");
	ck_assert_str_eq(at(allowed, "parse/0"), "everyone");
	ck_assert_str_eq(at(allowed, "roles/0"), "42");
	ck_assert_str_eq(at(allowed, "users/0"), "7");
	ck_assert_str_eq(at(allowed, "users/1"), "8");
	ck_assert_uint_eq(json_array_size(json_object_get(allowed, "users")), 2);
	json_decref(j);
}
END_TEST

START_TEST(pagerduty_opens_and_resolves_one_incident)
{
	struct pagerduty_config c = pagerduty;
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
	render(&in);
	ask(&in);
	ck_assert_str_eq(req->url, "http://127.0.0.1/pd");
	ck_assert_int_eq(req->timeout_ms, 5000);
	j = body();
	ck_assert_str_eq(at(j, "routing_key"), "SECRET\"key");
	ck_assert_str_eq(at(j, "event_action"), "trigger");
	ck_assert_str_eq(at(j, "payload/severity"), "critical");
	ck_assert_str_eq(at(j, "payload/custom_details/num_firing"), "many");
	ck_assert_int_eq(
		json_integer_value(json_object_get(
			json_object_get(json_object_get(j, "payload"), "custom_details"), "n")),
		2);
	key = at(j, "dedup_key");
	ck_assert(str_eq(str_c(key), fixture.m.thread));
	json_decref(j);
	ck_assert_int_eq(answer(&in, 202, "{}"), VERDICT_OK);
	ck_assert_int_eq(answer(&in, 429, ""), VERDICT_RETRY);
	ck_assert_int_eq(answer(&in, 500, ""), VERDICT_RETRY);
	ck_assert_int_eq(answer(&in, 403, ""), VERDICT_FINAL);
	ck_assert_int_eq(answer(&in, 400, "{\"status\":\"invalid event\"}"), VERDICT_DEGRADE);
	d.degraded = true;
	ask(&in);
	j = body();
	ck_assert_ptr_null(json_object_get(json_object_get(j, "payload"), "custom_details"));
	json_decref(j);

	plan(&(struct message_plan){.n = 2, .n_resolved = 2, .hostile = STR("x")});
	render(&in);
	ask(&in);
	j = body();
	ck_assert_str_eq(at(j, "event_action"), "resolve");
	ck_assert(str_eq(str_c(at(j, "dedup_key")), fixture.m.thread));
	json_decref(j);
}
END_TEST

START_TEST(opsgenie_creates_updates_and_closes_by_alias)
{
	struct opsgenie_config c = opsgenie;
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
	render(&in);
	ask(&in);
	ck_assert_str_eq(req->url, "http://127.0.0.1/og/v2/alerts");
	ck_assert_str_eq(header("Authorization"), "GenieKey SECRET");
	ck_assert_str_eq(req->method, "POST");
	j = body();
	ck_assert_uint_eq(json_array_size(json_object_get(j, "responders")), 3);
	ck_assert_str_eq(at(j, "responders/0/name"), "a");
	ck_assert_str_eq(at(j, "responders/1/type"), "team");
	ck_assert_str_eq(at(j, "responders/2/username"), "x@y");
	ck_assert_uint_eq(json_array_size(json_object_get(j, "tags")), 3);
	ck_assert_str_eq(at(j, "tags/2"), "firing");
	ck_assert_str_eq(at(j, "priority"), "P2");
	json_decref(j);
	ck_assert_int_eq(answer(&in, 202, "{}"), VERDICT_NEXT);
	d.step = 1;
	ask(&in);
	snprintf(url, sizeof url, "http://127.0.0.1/og/v2/alerts/%.*s/message?identifierType=alias",
		(int)fixture.m.thread.n, fixture.m.thread.p);
	ck_assert_str_eq(req->url, url);
	ck_assert_str_eq(req->method, "PUT");
	ck_assert_int_eq(answer(&in, 202, "{}"), VERDICT_NEXT);
	d.step = 2;
	ask(&in);
	ck_assert_ptr_nonnull(strstr(req->url, "/description?"));
	ck_assert_int_eq(answer(&in, 202, "{}"), VERDICT_OK);
	ck_assert_int_eq(answer(&in, 404, "{}"), VERDICT_OK);
	ck_assert_int_eq(answer(&in, 422, "{}"), VERDICT_FINAL);
	ck_assert_int_eq(answer(&in, 429, "{}"), VERDICT_RETRY);

	plan(&(struct message_plan){.n = 1, .n_resolved = 1, .hostile = STR("x")});
	render(&in);
	ask(&in);
	ck_assert_ptr_nonnull(strstr(req->url, "/close?identifierType=alias"));
	ck_assert_str_eq(req->method, "POST");
	ck_assert_int_eq(answer(&in, 202, "{}"), VERDICT_OK);
}
END_TEST

START_TEST(telegram_falls_back_moves_and_waits)
{
	const struct integration *in = &all[4];
	json_t *j;

	render(in);
	ask(in);
	ck_assert_str_eq(req->url, "http://127.0.0.1/tg/bot123:SECRET/sendMessage");
	j = body();
	ck_assert_int_eq(json_integer_value(json_object_get(j, "chat_id")), -1001);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "message_thread_id")), 7);
	ck_assert_str_eq(at(j, "parse_mode"), "HTML");
	json_decref(j);
	ck_assert_int_eq(answer(in, 200, "{\"ok\":true,\"result\":{}}"), VERDICT_OK);
	ck_assert_int_eq(answer(in, 200, "{\"ok\":false}"), VERDICT_FINAL);
	ck_assert_int_eq(answer(in, 200, "<html>"), VERDICT_FINAL);
	ck_assert_int_eq(answer(in, 403, "{\"ok\":false}"), VERDICT_FINAL);
	ck_assert_int_eq(answer(in, 429, "{\"ok\":false,\"parameters\":{\"retry_after\":17}}"),
		VERDICT_RETRY);
	ck_assert_int_eq(integration_telegram.retry_after_ms(req), 17000);
	ck_assert_int_eq(
		answer(in, 400, "{\"description\":\"can't parse entities\"}"), VERDICT_DEGRADE);
	d.degraded = true;
	ask(in);
	j = body();
	ck_assert_ptr_null(json_object_get(j, "parse_mode"));
	json_decref(j);
	ck_assert_int_eq(
		answer(in, 400, "{\"parameters\":{\"migrate_to_chat_id\":-100200}}"), VERDICT_NEXT);
	ask(in);
	j = body();
	ck_assert_int_eq(json_integer_value(json_object_get(j, "chat_id")), -100200);
	json_decref(j);
	ck_assert_int_eq(answer(in, 400, "{\"parameters\":{\"migrate_to_chat_id\":-100200}}"),
		VERDICT_DEGRADE);
}
END_TEST

START_TEST(discord_tells_its_wait_as_a_fraction)
{
	const struct integration *in = &all[3];

	render(in);
	ask(in);
	ck_assert_int_eq(answer(in, 204, ""), VERDICT_OK);
	ck_assert_int_eq(
		answer(in, 429, "{\"retry_after\": 0.6504, \"global\": false}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(req), 651);
	ck_assert_int_eq(answer(in, 429, "{\"retry_after\": -3}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(req), 0);
	ck_assert_int_eq(answer(in, 429, "{\"retry_after\": \"1e99\"}"), VERDICT_RETRY);
	ck_assert_int_eq(integration_discord.retry_after_ms(req), 86400000);
	ck_assert_int_eq(answer(in, 404, "{\"code\":10015}"), VERDICT_FINAL);
	ck_assert_int_eq(answer(in, 0, ""), VERDICT_RETRY);
}
END_TEST

START_TEST(pushover_repeats_until_it_is_over)
{
	const struct integration *in = &all[6];

	render(in);
	ask(in);
	ck_assert_str_eq(header("Content-Type"), "application/x-www-form-urlencoded");
	ck_assert_ptr_nonnull(strstr(req->body, "token=SECRETtoken&user=SECRETuser&title="));
	ck_assert_ptr_nonnull(strstr(req->body, "&priority=2&retry=60&expire=3600&tags="));
	ck_assert_int_eq(answer(in, 200, "{\"status\":1,\"request\":\"x\"}"), VERDICT_OK);
	ck_assert_int_eq(answer(in, 200, "{\"status\":0}"), VERDICT_FINAL);
	ck_assert_int_eq(answer(in, 400, "{\"status\":0}"), VERDICT_DEGRADE);
	ck_assert_int_eq(answer(in, 503, ""), VERDICT_RETRY);

	plan(&(struct message_plan){.n = 1, .n_resolved = 1, .hostile = STR("x")});
	render(in);
	ask(in);
	ck_assert_ptr_nonnull(strstr(req->body, "&priority=0&"));
	ck_assert_int_eq(answer(in, 200, "{\"status\":1}"), VERDICT_NEXT);
	d.step = 1;
	ask(in);
	ck_assert_ptr_nonnull(strstr(req->url, "http://127.0.0.1/1/receipts/cancel_by_tag/"));
	ck_assert_str_eq(req->body, "token=SECRETtoken");
	ck_assert_int_eq(answer(in, 404, ""), VERDICT_OK);
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
		render(&all[table[i].in]);
		ask(&all[table[i].in]);
		ck_assert_msg(
			answer(&all[table[i].in], table[i].status, table[i].reply) == table[i].want,
			"%s %d %s", integration_name(all[table[i].in].kind), table[i].status,
			table[i].reply);
	}
}
END_TEST

START_TEST(ntfy_and_rocketchat_carry_their_secrets_where_they_belong)
{
	json_t *j;

	render(&all[5]);
	ask(&all[5]);
	j = body();
	ck_assert_str_eq(at(j, "topic"), "SECRET");
	ck_assert_int_eq(json_integer_value(json_object_get(j, "priority")), 5);
	ck_assert_str_eq(at(j, "tags/0"), "red_circle");
	ck_assert_uint_ge(json_array_size(json_object_get(j, "actions")), 1);
	json_decref(j);
	render(&all[8]);
	ask(&all[8]);
	ck_assert_str_eq(req->url, "http://127.0.0.1/rc/api/v1/chat.postMessage");
	ck_assert_str_eq(header("X-Auth-Token"), "SECRET");
	ck_assert_str_eq(header("X-User-Id"), "SECRETid");
}
END_TEST

START_TEST(configured_texts_replace_belfrys)
{
	struct mattermost_config c = mattermost;
	struct integration in = {INT_MATTERMOST, 0, true, &c};
	json_t *j;

	c.main.title = STR("T {{ .Status | toUpper }}");
	c.main.text = STR("{{ range .Alerts }}{{ .Labels.alertname }} {{ end }}");
	c.priority = STR("Urgent");
	c.requested_ack = true;
	render(&in);
	ask(&in);
	j = body();
	ck_assert_str_eq(at(j, "attachments/0/title"), "T FIRING");
	ck_assert_str_eq(at(j, "priority/priority"), "urgent");
	ck_assert(json_is_true(json_object_get(json_object_get(j, "priority"), "requested_ack")));
	ck_assert_str_eq(at(j, "channel"), "town");
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

	ck_assert_uint_eq(ARRAY_LEN(names), ARRAY_LEN(all));
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct notify_templates *t;

		if (names[i] == NULL)
			continue;
		arena_init(&a, (size_t)16 << 20);
		t = notify_templates_new(&a);
		snprintf(text, sizeof text, "{{ define \"%s\" }}own{{ .Status }}{{ end }}",
			names[i]);
		ck_assert_msg(
			notify_templates_add_file(t, STR("f"), str_c(text), &e) == 0, "%s", e.msg);
		fixture.m.templates = t;
		render(&all[i]);
		ask(&all[i]);
		ck_assert_msg(strstr(req->body, "ownfiring") != NULL, "%s: %s",
			integration_name(all[i].kind), req->body);
		fixture.m.templates = NULL;
		arena_fini(&a);
	}
}
END_TEST

START_TEST(a_template_that_fails_does_not_cost_the_alert)
{
	struct telegram_config t = telegram;
	struct integration in = {INT_TELEGRAM, 0, true, &t};
	json_t *j;

	t.message = STR("{{ template \"no.such\" . }}");
	t.parse_mode = STR("MarkdownV2");
	render(&in);
	ask(&in);
	j = body();
	ck_assert_str_eq(at(j, "parse_mode"), "HTML"); /* belfry's own text */
	ck_assert_ptr_nonnull(strstr(at(j, "text"), "FIRING"));
	ck_assert_ptr_nonnull(strstr(at(j, "text"), "template"));
	json_decref(j);
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

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].kind == INT_PUSHOVER)
			continue;
		render(&all[i]);
		d.graph = &g;
		ask(&all[i]);
		json_decref(body());
		ck_assert_msg(strstr(req->body, "\xe2\x96\x88") != NULL, "%s: %s",
			integration_name(all[i].kind), req->body);
	}
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

	fixture.m.route_labels = (struct labels){labels, 1};
	ck_assert_int_eq(integration_webhook.render(&fixture.m, &in, &payload, &e), 0);
	d = (struct delivery){.id = STR("id-1")};
	ask(&in);
	j = body();
	ck_assert_str_eq(at(j, "routeLabels/reason"), "is firing");
	ck_assert_int_eq(json_integer_value(json_object_get(j, "truncatedAlerts")), 1);
	json_decref(j);
	w.payload = &map;
	buf_reset(&payload);
	ck_assert_int_eq(integration_webhook.render(&fixture.m, &in, &payload, &e), 0);
	ask(&in);
	ck_assert_str_eq(req->body, "{\"n\":2}");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receivers");
	TCase *tc = tcase_create("receivers");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_kind_is_within_its_limits_whatever_the_alerts_say);
	tcase_add_test(tc, a_megabyte_in_a_label_or_a_thousand_alerts_change_nothing);
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
	tcase_add_test(tc, a_sparkline_stands_where_there_is_one);
	tcase_add_test(tc, a_webhook_gets_route_labels_or_the_configured_payload);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
