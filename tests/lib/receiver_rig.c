/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_rig - see receiver_rig.h. */
#include "tests/lib/receiver_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/num.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

/* --- one configuration of each kind --- */

struct pagerduty_config rig_pagerduty = {
	.url = S("http://127.0.0.1/pd"), .routing_key = S("SECRET\"key"), .timeout_ms = 5000};
struct opsgenie_config rig_opsgenie = {
	.api_url = S("http://127.0.0.1/og/"), .api_key = S("SECRET"), .update_alerts = true};
struct msteamsv2_config rig_msteams = {.webhook_url = S("http://127.0.0.1/teams/SECRET")};
struct discord_config rig_discord = {.webhook_url = S("http://127.0.0.1/discord/SECRET")};
struct telegram_config rig_telegram = {.api_url = S("http://127.0.0.1/tg"),
	.bot_token = S("123:SECRET"),
	.chat_id = S("-1001"),
	.parse_mode = S("HTML"),
	.message_thread_id = 7};
struct ntfy_config rig_ntfy = {.url = S("http://127.0.0.1/ntfy"), .topic = S("SECRET")};
struct pushover_config rig_pushover = {.api_url = S("http://127.0.0.1/1/messages.json"),
	.user_key = S("SECRETuser"),
	.token = S("SECRETtoken"),
	.retry_ms = 60000,
	.expire_ms = 3600000};
struct mattermost_config rig_mattermost = {
	.webhook_url = S("http://127.0.0.1/mm/SECRET"), .channel = S("town")};
struct rocketchat_config rig_rocketchat = {.api_url = S("http://127.0.0.1/rc/"),
	.token = S("SECRET"),
	.token_id = S("SECRETid"),
	.channel = S("#ops")};

const struct integration rig_all[RIG_KINDS] = {
	{INT_PAGERDUTY, 0, true, &rig_pagerduty},
	{INT_OPSGENIE, 0, true, &rig_opsgenie},
	{INT_MSTEAMSV2, 0, true, &rig_msteams},
	{INT_DISCORD, 0, true, &rig_discord},
	{INT_TELEGRAM, 0, true, &rig_telegram},
	{INT_NTFY, 0, true, &rig_ntfy},
	{INT_PUSHOVER, 0, true, &rig_pushover},
	{INT_MATTERMOST, 0, true, &rig_mattermost},
	{INT_ROCKETCHAT, 0, true, &rig_rocketchat},
};

/* --- a row on its way --- */

struct message_fixture rig_fixture;
struct buf rig_payload;
static struct buf data;
struct delivery rig_d;
struct send_request *rig_req;

void rig_setup(void)
{
	message_fixture_init(&rig_fixture, &(struct message_plan){.n = 2,
						   .n_resolved = 0,
						   .first = true,
						   .links = true,
						   .severity = "critical",
						   .hostile = STR("plain")});
	buf_init(&rig_payload, (size_t)16 << 20);
	buf_init(&data, LIMIT_THREAD_DATA);
	rig_req = NULL;
}

void rig_teardown(void)
{
	send_request_free(rig_req);
	rig_req = NULL;
	buf_fini(&rig_payload);
	buf_fini(&data);
	message_fixture_fini(&rig_fixture);
}

void rig_plan(const struct message_plan *p)
{
	message_fixture_fini(&rig_fixture);
	message_fixture_init(&rig_fixture, p);
}

void rig_render(const struct integration *in)
{
	struct err e = {0};

	buf_reset(&rig_payload);
	buf_reset(&data);
	ck_assert_int_eq(
		integration_type(in->kind)->render(&rig_fixture.m, in, &rig_payload, &e), 0);
	ck_assert_msg(!rig_payload.failed && rig_payload.n > 0, "%s", integration_name(in->kind));
	rig_d = (struct delivery){
		.id = STR("id-1"), .thread = rig_fixture.m.thread, .firing = rig_fixture.m.firing};
}

void rig_ask(const struct integration *in)
{
	struct err e = {0};

	send_request_free(rig_req);
	rig_d.payload = buf_view(&rig_payload);
	rig_d.data = buf_view(&data);
	rig_req = integration_type(in->kind)->request(in, &rig_d, &e);
	ck_assert_msg(rig_req != NULL, "%s: %s", integration_name(in->kind), e.msg);
}

enum verdict rig_answer(const struct integration *in, int status, const char *reply)
{
	rig_req->transport_ok = status != 0;
	rig_req->status = status;
	free(rig_req->reply);
	rig_req->reply = strdup(reply);
	rig_req->reply_len = strlen(reply);
	return integration_type(in->kind)->judge(in, &rig_d, rig_req, &data);
}

const char *rig_header(const char *name)
{
	for (size_t i = 0; i < rig_req->n_headers; i++) {
		if (strncasecmp(rig_req->headers[i], name, strlen(name)) == 0 &&
			rig_req->headers[i][strlen(name)] == ':')
			return rig_req->headers[i] + strlen(name) + 2;
	}
	return "";
}

json_t *rig_body(void)
{
	json_error_t why;
	json_t *j = json_loadb(rig_req->body, rig_req->body_len, 0, &why);

	ck_assert_msg(j != NULL, "%s\n%s", why.text, rig_req->body);
	return j;
}

const char *rig_at(json_t *j, const char *path)
{
	char text[200], *rest = text, *part;

	snprintf(text, sizeof text, "%s", path);
	while (j != NULL && (part = strsep(&rest, "/")) != NULL)
		j = json_is_array(j) ? json_array_get(j, (size_t)strtoul(part, NULL, 10))
				     : json_object_get(j, part);
	ck_assert_msg(json_is_string(j), "%s is no string in %s", path, rig_req->body);
	return json_string_value(j);
}
