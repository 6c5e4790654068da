/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip - see trip.h.
 */
#include "tests/lib/trip.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "exporters/sender.h"

static void render(struct trip *t, const struct message *m)
{
	struct err e = {0};

	buf_reset(&t->payload);
	ck_assert_msg(
		integration_type(t->in.kind)->render(m, &t->in, &t->payload, &e) == 0, "%s", e.msg);
}

void trip_start(
	struct trip *t, enum integration_kind kind, const void *conf, const struct message *m)
{
	*t = (struct trip){.in = {.kind = kind, .conf = conf}};
	buf_init(&t->payload, (size_t)8 << 20);
	buf_init(&t->data, LIMIT_THREAD_DATA);
	render(t, m);
	t->d = (struct delivery){.id = m->id, .thread = m->thread, .firing = m->firing};
}

void trip_next(struct trip *t, const struct message *m)
{
	render(t, m);
	t->d.id = m->id;
	t->d.step = 0;
	t->d.degraded = false;
}

void trip_request(struct trip *t)
{
	struct err e = {0};

	send_request_free(t->req);
	t->d.payload = buf_view(&t->payload);
	t->d.data = buf_view(&t->data);
	t->req = integration_type(t->in.kind)->request(&t->in, &t->d, &e);
	ck_assert_msg(t->req != NULL, "%s", e.msg);
}

enum verdict trip_answer(struct trip *t, int status, const char *reply, const char *error)
{
	enum verdict v;
	struct buf data;

	t->req->transport_ok = status != 0;
	t->req->status = status;
	free(t->req->reply);
	t->req->reply = strdup(reply);
	t->req->reply_len = strlen(reply);
	(void)snprintf(t->req->error, sizeof t->req->error, "%s", error);
	buf_init(&data, LIMIT_THREAD_DATA);
	v = integration_type(t->in.kind)->judge(&t->in, &t->d, t->req, &data);
	if (data.n > 0) {
		buf_reset(&t->data);
		buf_str(&t->data, buf_view(&data));
	}
	buf_fini(&data);
	if (v == VERDICT_NEXT)
		t->d.step++;
	if (v == VERDICT_DEGRADE)
		t->d.degraded = true;
	return v;
}

void trip_end(struct trip *t)
{
	send_request_free(t->req);
	buf_fini(&t->payload);
	buf_fini(&t->data);
}

bool trip_says(const struct trip *t, const char *text)
{
	return memmem(t->req->body, t->req->body_len, text, strlen(text)) != NULL;
}
