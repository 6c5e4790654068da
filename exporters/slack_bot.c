/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_bot - a bot token's way: one root message per incident that is kept up to date
 * (chat.update), what changed as replies in its thread, the graph as a file there.
 *
 * A row's requests, each skipped where it does not apply:
 *
 *   POST the root, or UPDATE it when one stands; when it is gone: POST anew
 *   REPLY in the thread to an updated root: this is what people's phones show
 *   UPLOAD_URL, UPLOAD, COMPLETE: the graph; a failure there ends the row as delivered
 *
 * Where a row stands and where its root is are kept in the thread's data, as lines of "key value":
 * they are committed together with the outbox's own step (integration.h).
 */
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/slack.h"

#define API "https://slack.com/api/chat.postMessage"

enum operation { OP_POST, OP_UPDATE, OP_REPLY, OP_UPLOAD_URL, OP_UPLOAD, OP_COMPLETE, OP_NOTHING };

/* A picture takes three requests of one a second: not while more alerts than this wait. */
#define PICTURE_BEHIND_MAX 3u

/* In send_request.tag beside the operation: what may follow. */
#define TAG_PICTURE 0x100u
#define TAG_REPLY   0x200u

/* --- what is kept about a thread --- */

struct thread {
	struct str channel, ts;         /* of the root; empty: none */
	struct str row;                 /* the row the rest is about; another's: not begun */
	unsigned next;                  /* enum operation */
	unsigned level;                 /* enum slack_level */
	struct str file_id, upload_url; /* between UPLOAD_URL and COMPLETE */
};

/* What we write there is: visible ASCII, as Slack's ids and addresses are. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	}
	return true;
}

static void read_pair(struct thread *t, struct str key, struct str value)
{
	unsigned long long n = 0;

	if (!is_plain(value))
		return; /* a database that was damaged: as if nothing were known */
	if (str_eq(key, STR("channel")))
		t->channel = value;
	else if (str_eq(key, STR("ts")))
		t->ts = value;
	else if (str_eq(key, STR("row")))
		t->row = value;
	else if (str_eq(key, STR("file")))
		t->file_id = value;
	else if (str_eq(key, STR("url")))
		t->upload_url = value;
	else if (str_eq(key, STR("next")) && str_to_u64(value, &n) && n <= OP_NOTHING)
		t->next = (unsigned)n;
	else if (str_eq(key, STR("level")) && str_to_u64(value, &n) && n <= SLACK_PLAIN_TEXT)
		t->level = (unsigned)n;
}

static void thread_read(struct str data, struct thread *t)
{
	struct str line;

	*t = (struct thread){0};
	while (str_split(&data, '\n', &line)) {
		size_t blank = str_find(line, ' ');

		read_pair(t, str_sub(line, 0, blank), str_sub(line, blank + 1, line.n));
	}
	if (t->channel.n == 0 || t->ts.n == 0)
		t->channel = t->ts = STR("");
}

static void write_pair(struct buf *b, const char *key, struct str value)
{
	if (value.n > 0) {
		buf_printf(b, "%s ", key);
		buf_str(b, value);
		buf_ch(b, '\n');
	}
}

static void thread_write(const struct thread *t, struct buf *b)
{
	buf_reset(b);
	write_pair(b, "channel", t->channel);
	write_pair(b, "ts", t->ts);
	write_pair(b, "row", t->row);
	buf_printf(b, "next %u\nlevel %u\n", t->next, t->level);
	write_pair(b, "file", t->file_id);
	write_pair(b, "url", t->upload_url);
}

/* Where the row stands: what was written down, or the beginning. A row whose data was not kept
 * (the limit of threads) has been told already: nothing more is tried. */
static void position(const struct slack_config *c, const struct slack_parts *p,
	const struct delivery *d, struct thread *t)
{
	thread_read(d->data, t);
	if (!str_eq(t->row, d->id)) {
		t->row = d->id;
		t->file_id = t->upload_url = STR("");
		t->level = SLACK_AS_IT_IS;
		if (d->step > 0 && d->degraded) { /* it was refused twice */
			t->level = SLACK_PLAIN_TEXT;
			t->next = OP_POST;
		} else if (d->step > 0)
			t->next = OP_NOTHING;
		else if (t->ts.n == 0 || (!c->update_message && !c->thread))
			t->next = OP_POST;
		else if (c->update_message)
			t->next = OP_UPDATE;
		else
			t->next = p == NULL || p->v[SLACK_REPLY].n > 0 ? OP_REPLY : OP_POST;
	}
	if (d->degraded)
		t->level = MAX_OF(t->level, (unsigned)SLACK_NO_BLOCKS);
}

/* --- requests --- */

static struct send_request *call(
	const struct slack_config *c, const struct delivery *d, const char *method, struct err *e)
{
	struct str base = c->api_url.n > 0 ? c->api_url : STR(API);
	struct http_options o = c->http;
	struct send_request *req;
	struct buf bearer, url;
	bool ok;

	while (base.n > 0 && base.p[base.n - 1] != '/')
		base.n--;
	buf_init(&url, 4096);
	buf_str(&url, base);
	buf_c(&url, method);
	req = integration_http(buf_view(&url), c->timeout_ms, d);
	buf_fini(&url);
	buf_init(&bearer, 4096);
	buf_c(&bearer, "Bearer ");
	buf_str(&bearer, slack_token(c));
	ok = !bearer.failed && send_request_header(req, STR("Authorization"), buf_view(&bearer));
	buf_fini(&bearer);
	if (!ok)
		(void)err_set(e, ERR_INPUT, 0, "the bot token is not a token");
	o.bearer = o.authorization = STR("");
	if (!ok || integration_http_options(req, &o, e) != 0) {
		send_request_free(req);
		return NULL;
	}
	return req;
}

static void json_member(struct buf *b, const char *key, struct str value)
{
	struct jsonw j;

	if (b->n > 1)
		buf_ch(b, ',');
	buf_printf(b, "\"%s\":", key);
	jsonw_init(&j, b);
	jsonw_str(&j, value);
}

static void post_members(
	const struct slack_parts *p, const struct delivery *d, unsigned level, struct buf *b)
{
	buf_c(b, "\"channel\":");
	if (p->v[SLACK_CHANNEL].n > 0)
		buf_str(b, p->v[SLACK_CHANNEL]);
	else
		buf_c(b, "\"\"");
	if (p->v[SLACK_WHO].n > 0) {
		buf_ch(b, ',');
		buf_str(b, p->v[SLACK_WHO]);
	}
	/* makes a message that was sent twice (a crash before its acceptance was stored) known */
	buf_c(b, ",\"metadata\":{\"event_type\":\"belfry_message\",\"event_payload\":{");
	buf_c(b, "\"id\":");
	jsonw_str(&(struct jsonw){.b = b}, d->id);
	buf_c(b, "}},\"unfurl_links\":false,\"unfurl_media\":false,");
	slack_members(p, (enum slack_level)level, false, b);
}

static void message_body(const struct slack_parts *p, const struct delivery *d,
	const struct thread *t, struct buf *b)
{
	buf_ch(b, '{');
	switch (t->next) {
	case OP_POST: post_members(p, d, t->level, b); break;
	case OP_UPDATE:
		json_member(b, "channel", t->channel);
		json_member(b, "ts", t->ts);
		buf_ch(b, ',');
		slack_members(p, (enum slack_level)t->level, true, b);
		break;
	case OP_REPLY:
		json_member(b, "channel", t->channel);
		json_member(b, "thread_ts", t->ts);
		if (p->v[SLACK_WHO].n > 0) {
			buf_ch(b, ',');
			buf_str(b, p->v[SLACK_WHO]);
		}
		buf_c(b, ",\"unfurl_links\":false,\"unfurl_media\":false,");
		buf_str(b, p->v[SLACK_REPLY]);
		break;
	default: break;
	}
	buf_ch(b, '}');
}

static struct str picture_of(const struct delivery *d)
{
	return d->graph != NULL ? d->graph->png : STR("");
}

static void form_type(struct send_request *req, const char *type)
{
	char text[80];

	for (size_t i = 0; i < req->n_headers; i++) {
		if (strncasecmp(req->headers[i], "Content-Type:", 13) != 0)
			continue;
		(void)snprintf(text, sizeof text, "Content-Type: %s", type);
		free(req->headers[i]);
		req->headers[i] = str_dup_c(str_c(text));
		ASSERT(req->headers[i] != NULL);
	}
}

static void set_bytes(struct send_request *req, struct str bytes)
{
	char *p = malloc(bytes.n + 1);

	ASSERT(p != NULL);
	memcpy(p, bytes.p, bytes.n);
	p[bytes.n] = '\0';
	free(req->body);
	req->body = p;
	req->body_len = bytes.n;
}

static struct send_request *upload_url(
	const struct slack_config *c, const struct delivery *d, struct err *e)
{
	struct send_request *req = call(c, d, "files.getUploadURLExternal", e);
	char form[80];

	if (req == NULL)
		return NULL;
	(void)snprintf(form, sizeof form, "filename=graph.png&length=%zu", picture_of(d).n);
	form_type(req, "application/x-www-form-urlencoded");
	set_bytes(req, str_c(form));
	return req;
}

/* To the address Slack named: the token does not go there. */
static struct send_request *upload(const struct slack_config *c, const struct delivery *d,
	const struct thread *t, struct err *e)
{
	struct http_options o = c->http;
	struct send_request *req = integration_http(t->upload_url, c->timeout_ms, d);

	o.basic_user = o.basic_password = o.bearer = o.authorization = STR("");
	o.n_headers = 0;
	if (integration_http_options(req, &o, e) != 0) {
		send_request_free(req);
		return NULL;
	}
	form_type(req, "application/octet-stream");
	set_bytes(req, picture_of(d));
	return req;
}

static struct send_request *complete(const struct slack_config *c, const struct delivery *d,
	const struct slack_parts *p, const struct thread *t, struct err *e)
{
	struct send_request *req = call(c, d, "files.completeUploadExternal", e);
	struct buf b;

	if (req == NULL)
		return NULL;
	buf_init(&b, 8192);
	buf_c(&b, "{\"files\":[{\"id\":");
	jsonw_str(&(struct jsonw){.b = &b}, t->file_id);
	buf_c(&b, ",\"title\":");
	buf_str(&b, p->v[SLACK_PICTURE]);
	buf_c(&b, "}]");
	json_member(&b, "channel_id", t->channel);
	json_member(&b, "thread_ts", t->ts);
	buf_ch(&b, '}');
	set_bytes(req, buf_view(&b));
	buf_fini(&b);
	return req;
}

static struct send_request *message(const struct slack_config *c, const struct delivery *d,
	const struct slack_parts *p, const struct thread *t, struct err *e)
{
	struct send_request *req =
		call(c, d, t->next == OP_UPDATE ? "chat.update" : "chat.postMessage", e);
	struct buf b;

	if (req == NULL)
		return NULL;
	form_type(req, "application/json; charset=utf-8");
	buf_init(&b, d->payload.n * 2 + 4096);
	message_body(p, d, t, &b);
	slack_set_body(req, &b, d);
	buf_fini(&b);
	return req;
}

struct send_request *slack_bot_request(
	const struct slack_config *c, const struct delivery *d, struct err *e)
{
	struct send_request *req;
	struct slack_parts p;
	struct thread t;

	if (!slack_parts_read(d->payload, &p)) {
		(void)err_set(e, ERR_INPUT, 0, "stored for an incoming webhook, not for a token");
		return NULL;
	}
	position(c, &p, d, &t);
	if ((t.next == OP_UPLOAD_URL || t.next == OP_UPLOAD) && picture_of(d).n == 0)
		t.next = OP_NOTHING; /* it was drawn before a restart, and now is not */
	switch (t.next) {
	case OP_UPLOAD_URL: req = upload_url(c, d, e); break;
	case OP_UPLOAD: req = upload(c, d, &t, e); break;
	case OP_COMPLETE: req = complete(c, d, &p, &t, e); break;
	case OP_NOTHING: req = call(c, d, "api.test", e); break;
	default: req = message(c, d, &p, &t, e); break;
	}
	if (req == NULL)
		return NULL;
	req->tag = t.next;
	if (p.v[SLACK_PICTURE].n > 0 && picture_of(d).n > 0 && d->behind <= PICTURE_BEHIND_MAX)
		req->tag |= TAG_PICTURE;
	if (t.next == OP_UPDATE && p.v[SLACK_REPLY].n > 0)
		req->tag |= TAG_REPLY;
	return req;
}

/* --- answers --- */

struct answer {
	json_t *root; /* NULL: not JSON */
	bool ok;
	struct str error;
};

static void answer_read(const struct send_request *req, struct answer *a)
{
	const char *error;

	*a = (struct answer){.error = STR("")};
	a->root = json_loadb(req->reply != NULL ? req->reply : "", req->reply_len, 0, NULL);
	a->ok = json_is_true(json_object_get(a->root, "ok"));
	error = json_string_value(json_object_get(a->root, "error"));
	if (error != NULL)
		a->error = str_c(error);
}

/* A string of the answer that may stand in a line of the thread's data. */
static struct str word(const struct answer *a, const char *key, size_t max)
{
	const char *s = json_string_value(json_object_get(a->root, key));
	struct str v = str_c(s != NULL ? s : "");

	return v.n <= max && is_plain(v) ? v : STR("");
}

static enum verdict go_on(struct thread *t, enum operation next, struct buf *data)
{
	t->next = next;
	thread_write(t, data);
	return VERDICT_NEXT;
}

static enum verdict done(struct thread *t, struct buf *data)
{
	t->row = t->file_id = t->upload_url = STR("");
	t->next = t->level = 0;
	thread_write(t, data);
	return VERDICT_OK;
}

/* The alert has been told; only its graph is missing. */
static enum verdict without_picture(struct thread *t, struct buf *data)
{
	METRIC_DROP("notify", "graph_not_uploaded", 1);
	return done(t, data);
}

static enum verdict after(
	struct thread *t, const struct send_request *req, const struct answer *a, struct buf *data)
{
	bool picture = (req->tag & TAG_PICTURE) != 0;

	switch (req->tag & 0xffu) {
	case OP_POST:
		t->channel = word(a, "channel", 100);
		t->ts = word(a, "ts", 100);
		if (t->channel.n == 0 || t->ts.n == 0) {
			t->channel = t->ts = STR(""); /* posted, but nobody knows where */
			return done(t, data);
		}
		return picture ? go_on(t, OP_UPLOAD_URL, data) : done(t, data);
	case OP_UPDATE:
		if ((req->tag & TAG_REPLY) != 0)
			return go_on(t, OP_REPLY, data);
		return picture ? go_on(t, OP_UPLOAD_URL, data) : done(t, data);
	case OP_REPLY: return picture ? go_on(t, OP_UPLOAD_URL, data) : done(t, data);
	case OP_UPLOAD_URL:
		t->upload_url = word(a, "upload_url", 2000);
		t->file_id = word(a, "file_id", 100);
		if ((!str_starts(t->upload_url, STR("https://")) &&
			    !str_starts(t->upload_url, STR("http://"))) ||
			t->file_id.n == 0)
			return without_picture(t, data);
		return go_on(t, OP_UPLOAD, data);
	default: return done(t, data);
	}
}

static enum verdict refused(
	const struct delivery *d, struct thread *t, unsigned op, struct str error, struct buf *data)
{
	enum verdict v = slack_error_verdict(error);

	if (v == VERDICT_RETRY)
		return v;
	if (op == OP_REPLY || op == OP_UPDATE) {
		/* the text of an update may be what is wrong; else the root is: begin another */
		if (slack_error_is_access(error))
			return VERDICT_FINAL;
		if (op == OP_UPDATE &&
			(str_starts(error, STR("msg_")) || str_eq(error, STR("invalid_blocks")) ||
				str_eq(error, STR("invalid_attachments")))) {
			if (t->level < SLACK_PLAIN_TEXT) {
				t->level++;
				return go_on(t, OP_UPDATE, data);
			}
		}
		t->channel = t->ts = STR("");
		return go_on(t, OP_POST, data);
	}
	if (v == VERDICT_DEGRADE && d->degraded && t->level < SLACK_PLAIN_TEXT) {
		t->level = SLACK_PLAIN_TEXT;
		return go_on(t, OP_POST, data);
	}
	return v;
}

static bool is_upload(unsigned op)
{
	return op == OP_UPLOAD_URL || op == OP_UPLOAD || op == OP_COMPLETE || op == OP_NOTHING;
}

/* An HTTP status that is no answer of the Web API. */
static enum verdict by_status(const struct delivery *d, struct thread *t,
	const struct send_request *req, const struct answer *a, struct buf *data)
{
	unsigned op = req->tag & 0xffu;

	if (req->status == 429 || req->status == 408 || req->status >= 500)
		return VERDICT_RETRY;
	if (a->root != NULL && a->error.n > 0)
		return refused(d, t, op, a->error, data);
	if (req->status == 400 || req->status == 413)
		return refused(d, t, op, STR("msg_too_long"), data);
	return VERDICT_FINAL;
}

enum verdict slack_bot_judge(const struct slack_config *c, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	unsigned op = req->tag & 0xffu;
	struct answer a;
	enum verdict v;
	struct thread t;

	position(c, NULL, d, &t);
	t.next = op;
	answer_read(req, &a);
	if (is_upload(op)) {
		bool ok = req->transport_ok && req->status == 200 && (op == OP_UPLOAD || a.ok);

		if (ok && op == OP_UPLOAD)
			v = go_on(&t, OP_COMPLETE, data);
		else
			v = ok ? after(&t, req, &a, data) : without_picture(&t, data);
	} else if (!req->transport_ok) {
		v = VERDICT_RETRY;
	} else if (req->status == 200 && a.ok) {
		v = after(&t, req, &a, data);
	} else if (req->status == 200 && a.root != NULL) {
		v = refused(d, &t, op, a.error, data);
	} else {
		v = by_status(d, &t, req, &a, data);
	}
	json_decref(a.root);
	return v;
}
