/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text in an alert, any answer of Slack or a mail server, any thread data: what is sent stays
 * within Slack's limits or is a mail with whole lines and our headers alone; a row ends.
 *
 * Input: two bytes that choose, the alert's text, "\n--\n", the answer, "\n--\n", thread data.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/email.h"
#include "exporters/graph.h"
#include "exporters/slack.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/slack_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slack_config slack[] = {
	{.api_url = {"http://h/", 9}, .mention = {"@here", 5}},
	{.bot_token = {"x", 1},
		.channel = {"#a", 2},
		.update_message = true,
		.thread = true,
		.graph = true},
	{.api_url = {"http://h/", 9},
		.title = {"{{ .CommonLabels.pool }}", 24},
		.text = {"{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}", 54}},
};
static const struct email_config mail = {.to = {"a@b, \"c, d\" <e@f>", 17},
	.from = {"B <b@c>", 7},
	.smarthost = {"h:25", 4},
	.threading = true,
	.graph = true};

static struct str part(struct str *rest)
{
	const char *end = rest->n > 0 ? memmem(rest->p, rest->n, "\n--\n", 4) : NULL;
	struct str s = end != NULL ? str_n(rest->p, (size_t)(end - rest->p)) : *rest;

	*rest = end != NULL ? str_sub(*rest, s.n + 4, rest->n) : STR("");
	return s;
}

static void check_mail(struct str s)
{
	struct str line;
	size_t headers = 0;
	bool head = true;

	ASSERT(str_ends(s, STR("\r\n")));
	while (str_split(&s, '\n', &line)) {
		ASSERT(line.n > 0 && line.p[line.n - 1] == '\r' && line.n <= 999);
		head = head && line.n > 1;
		headers += head && line.p[0] != ' ';
		ASSERT(!head || !str_starts(line, STR("Bcc")));
		for (size_t i = 0; i + 1 < line.n; i++)
			ASSERT(line.p[i] >= ' ' && line.p[i] < 0x7f);
	}
	ASSERT(headers >= 15 && headers <= 22);
}

static bool is_message(const struct send_request *req)
{
	return strstr(req->url, "files.") == NULL && strstr(req->url, "/api/") != NULL
		       ? strstr(req->url, "api.test") == NULL
		       : strcmp(req->url, "http://h/") == 0;
}

/* One request and its answer: whether another follows. */
static bool step(const struct integration_type *type, const struct integration *in,
	struct delivery *d, struct str answer, struct buf *kept)
{
	struct send_request *req;
	enum verdict v;
	struct err e;
	struct buf out;

	d->data = buf_view(kept);
	req = type->request(in, d, &e);
	if (req == NULL)
		return false;
	if (type == &integration_email)
		check_mail(str_n(req->body, req->body_len));
	else if (is_message(req))
		ASSERT(slack_schema_check(req->body, req->body_len) == NULL);
	req->transport_ok = answer.n != 1;
	req->status = answer.n > 0 && answer.p[0] == '4' ? 400 : answer.n % 7 == 6 ? 552 : 200;
	req->reply = malloc(answer.n + 1);
	ASSERT(req->reply != NULL);
	if (answer.n > 0)
		memcpy(req->reply, answer.p, answer.n);
	req->reply_len = answer.n;
	req->reply[answer.n] = '\0';
	req->error[0] = answer.n % 2 == 0 ? 'x' : '\0';
	buf_init(&out, LIMIT_THREAD_DATA);
	v = type->judge(in, d, req, &out);
	if (out.n > 0 && !out.failed) {
		buf_reset(kept);
		buf_str(kept, buf_view(&out));
	}
	buf_fini(&out);
	send_request_free(req);
	d->step += v == VERDICT_NEXT;
	if (v == VERDICT_DEGRADE && d->degraded)
		return false;
	d->degraded = d->degraded || v == VERDICT_DEGRADE;
	return v == VERDICT_NEXT || v == VERDICT_DEGRADE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct graph_answer picture = {.png = {"\x89PNG", 4}};
	struct str rest = str_n((const char *)data + 2, size < 2 ? 0 : size - 2), text, answer;
	const struct integration_type *type = &integration_slack;
	struct integration in;
	struct message_fixture f;
	struct delivery d;
	struct buf payload, kept;
	struct err e;
	unsigned steps = 0;

	if (size < 2)
		return 0;
	if (data[0] % 4 == 3)
		type = &integration_email;
	in.conf = type == &integration_email ? (const void *)&mail : &slack[data[0] % 4];
	text = part(&rest);
	answer = part(&rest);
	message_fixture_init(&f, &(struct message_plan){.n = 1 + data[1] % 12,
					 .n_resolved = data[1] % 12 / 5,
					 .reason = (enum message_reason)(data[0] / 4 % 5),
					 .first = data[0] >= 128,
					 .links = true,
					 .severity = data[1] >= 128 ? "critical" : "info",
					 .hostile = text});
	buf_init(&payload, (size_t)8 << 20);
	buf_init(&kept, LIMIT_THREAD_DATA);
	buf_str(&kept, str_sub(rest, 0, LIMIT_THREAD_DATA));
	ASSERT(type->render(&f.m, &in, &payload, &e) == 0);
	d = (struct delivery){.id = f.m.id,
		.thread = f.m.thread,
		.payload = buf_view(&payload),
		.firing = f.m.firing,
		.graph = data[1] % 2 != 0 ? &picture : NULL};
	while (step(type, &in, &d, answer, &kept))
		ASSERT(++steps < 12);
	buf_fini(&kept);
	buf_fini(&payload);
	message_fixture_fini(&f);
	return 0;
}
