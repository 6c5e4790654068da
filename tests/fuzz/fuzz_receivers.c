/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text in labels and annotations, as the configured template, and as a service's answer, for
 * every simple receiver: bodies are JSON without control characters and not larger than services
 * take; answers are judged.
 *
 * First byte: which kind. Second: firing or not, degraded or not, text as template.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"

#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

static struct pagerduty_config pagerduty = {.url = S("http://h/"), .routing_key = S("k")};
static struct opsgenie_config opsgenie = {.api_url = S("http://h/"), .api_key = S("k")};
static struct msteamsv2_config msteams = {.webhook_url = S("http://h/")};
static struct discord_config discord = {.webhook_url = S("http://h/")};
static struct telegram_config telegram = {.api_url = S("http://h"),
	.bot_token = S("1:a"),
	.chat_id = S("1"),
	.parse_mode = S("HTML")};
static struct ntfy_config ntfy = {.url = S("http://h"), .topic = S("t")};
static struct pushover_config pushover = {
	.api_url = S("http://h/messages.json"), .user_key = S("u"), .token = S("t"), .html = true};
static struct mattermost_config mattermost = {.webhook_url = S("http://h/")};
static struct rocketchat_config rocketchat = {
	.api_url = S("http://h/"), .token = S("t"), .token_id = S("i")};
static struct webhook_config webhook = {.url = S("http://h/")};

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
	{INT_WEBHOOK, 0, true, &webhook},
};

/* Every text field that is a template, and the tree, become the text. */
static void configure(struct str t, struct value_tree *leaf)
{
	pagerduty.description = pagerduty.severity = t;
	opsgenie.message = opsgenie.tags = opsgenie.note = t;
	msteams.title = msteams.text = t;
	discord.content = discord.message = t;
	telegram.message = t;
	ntfy.message = ntfy.tags = ntfy.priority = t;
	pushover.message = pushover.url = t;
	mattermost.main.text = mattermost.priority = t;
	rocketchat.text = rocketchat.color = t;
	leaf->text = t;
	webhook.payload = t.n > 0 ? leaf : NULL;
}

static void check_body(const struct integration *in, const struct send_request *req)
{
	json_error_t why;
	json_t *j;

	ASSERT(req->body_len < (2u << 20));
	ASSERT(memchr(req->body, '\1', req->body_len) == NULL);
	if (in->kind == INT_PUSHOVER)
		return;
	j = json_loadb(req->body, req->body_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	ASSERT(j != NULL);
	json_decref(j);
}

static void round_trip(const struct integration *in, struct delivery *d, struct str reply)
{
	const struct integration_type *type = integration_type(in->kind);
	struct err e = {0};
	struct send_request *req = type->request(in, d, &e);
	struct buf data;

	ASSERT(req != NULL);
	check_body(in, req);
	req->transport_ok = true;
	req->reply = malloc(reply.n + 1);
	ASSERT(req->reply != NULL);
	memcpy(req->reply, reply.p, reply.n);
	req->reply[reply.n] = '\0';
	req->reply_len = reply.n;
	buf_init(&data, LIMIT_THREAD_DATA);
	for (int i = 0; i < 4; i++) {
		static const int status[] = {200, 202, 400, 429};

		req->status = status[i];
		if (type->judge != NULL)
			(void)type->judge(in, d, req, &data);
		if (type->retry_after_ms != NULL)
			ASSERT(type->retry_after_ms(req) >= 0);
	}
	ASSERT(data.n < 100);
	buf_fini(&data);
	send_request_free(req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct integration *in;
	struct str text;
	struct label labels[] = {
		{STR("alertname"), STR("A")}, {STR("severity"), STR("x")}, {STR("x"), STR_NULL}};
	struct label notes[] = {{STR("description"), STR_NULL}, {STR("summary"), STR_NULL}};
	struct value_tree leaf = {.kind = VALUE_TEXT};
	struct message_alert alert = {.op = ">",
		.expr = STR("up"),
		.value = 1,
		.current = NAN,
		.worst = 2,
		.threshold = 3,
		.starts_at_ms = 1000,
		.ends_at_ms = 5000};
	struct message m = {.thread = STR("t-1"), .id = STR("i"), .now_ms = 9000};
	struct delivery d = {.id = STR("i"), .thread = STR("t-1")};
	struct arena a;
	struct buf payload;
	struct err e = {0};

	if (size < 2 || size > 20000)
		return 0;
	in = &all[data[0] % ARRAY_LEN(all)];
	text = str_n((const char *)data + 2, size - 2);
	alert.firing = (data[1] & 1) != 0;
	labels[2].value = notes[0].value = notes[1].value = text;
	alert.labels = (struct labels){labels, ARRAY_LEN(labels)};
	alert.annotations = (struct labels){notes, ARRAY_LEN(notes)};
	configure((data[1] & 4) != 0 && str_is_utf8(text) ? text : STR(""), &leaf);
	arena_init(&a, (size_t)1 << 20);
	message_finish(&m, &alert, 1, &a);
	buf_init(&payload, (size_t)4 << 20);
	ASSERT(integration_type(in->kind)->render(&m, in, &payload, &e) == 0);
	ASSERT(!payload.failed);
	d.payload = buf_view(&payload);
	d.firing = m.firing;
	d.degraded = (data[1] & 2) != 0;
	round_trip(in, &d, text);
	buf_fini(&payload);
	arena_fini(&a);
	return 0;
}
