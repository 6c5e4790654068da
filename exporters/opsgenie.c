/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opsgenie - Opsgenie's alert API (reference notify.md C): an alert a group under an alias, created
 * by its first message, closed when the whole group is resolved.
 *
 * Creating an alert whose alias is open only counts it up, so update_alerts adds two requests that
 * bring message and description up to date. The stored payload is a line of JSON for each of the
 * three, whether they will be sent or not; for a resolved group the one that closes the alert.
 */
#include <stdio.h>

#include "base/num.h"
#include "exporters/chat.h"

#define MESSAGE_MAX     130u
#define DESCRIPTION_MAX 15000u
#define DETAIL_MAX      1000u
#define DETAILS_MAX     8000u /* all of them */
#define SOURCE_MAX      100u
#define ENTITY_MAX      512u
#define NOTE_MAX        25000u
#define WORDS_MAX       20u
#define WORD_MAX        50u
#define RESPONDERS_MAX  50u

static void write_message(struct chat_form *f, const struct opsgenie_config *c, struct buf *out)
{
	struct buf tmp;

	if (chat_expand(f, chat_template(f->m, c->message, "opsgenie.default.message"), "message",
		    MESSAGE_MAX, out))
		return;
	buf_init(&tmp, (size_t)1 << 20);
	message_subject(f->m, &tmp);
	buf_c(&tmp, ": ");
	message_summary(chat_lead(f->m), &tmp);
	chat_escape(out, buf_view(&tmp), CHAT_PLAIN, MESSAGE_MAX);
	buf_fini(&tmp);
}

static void write_description(struct chat_form *f, const struct opsgenie_config *c, struct buf *out)
{
	if (chat_expand(f, chat_template(f->m, c->description, "opsgenie.default.description"),
		    "description", DESCRIPTION_MAX, out))
		return;
	if (!chat_body(f->m, CHAT_PLAIN, CHAT_LINKS | CHAT_SPARK | CHAT_TOP, DESCRIPTION_MAX - 2000,
		    out))
		chat_count_truncated("opsgenie");
	if (f->note.n > 0) {
		buf_ch(out, '\n');
		chat_escape(out, buf_view(&f->note), CHAT_PLAIN, 1000);
	}
}

static void put_source(struct jsonw *j, struct chat_form *f, const struct opsgenie_config *c)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (!chat_expand(f, chat_template(f->m, c->source, "opsgenie.default.source"), "source",
		    SOURCE_MAX, &b))
		buf_c(&b, "belfry");
	jsonw_kv_str(j, "source", buf_view(&b));
	buf_fini(&b);
}

/* The common labels, then what is configured: a name of both has the configured value. */
static void details(struct jsonw *j, struct chat_form *f, const struct opsgenie_config *c)
{
	struct labels ls = f->m->common_labels;
	size_t room = DETAILS_MAX;
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	jsonw_key(j, "details");
	jsonw_object(j);
	for (size_t i = 0; i < c->n_details; i++) {
		buf_reset(&b);
		if (!chat_expand(f, c->details[i].value, "details", DETAIL_MAX, &b) ||
			b.n + c->details[i].name.n > room)
			continue;
		jsonw_key_str(j, c->details[i].name);
		jsonw_str(j, buf_view(&b));
		room -= b.n + c->details[i].name.n;
	}
	for (size_t i = 0; i < ls.n; i++) {
		bool twice = false;

		for (size_t k = 0; k < c->n_details; k++)
			twice = twice || str_eq(c->details[k].name, ls.v[i].name);
		buf_reset(&b);
		chat_escape(&b, ls.v[i].value, CHAT_PLAIN, DETAIL_MAX);
		if (twice || b.n + ls.v[i].name.n > room)
			continue;
		jsonw_key_str(j, ls.v[i].name);
		jsonw_str(j, buf_view(&b));
		room -= b.n + ls.v[i].name.n;
	}
	jsonw_object_end(j);
	buf_fini(&b);
}

/* "a, b": a list. */
static void words(struct jsonw *j, const char *key, struct chat_form *f, struct str text)
{
	struct str rest, one;
	struct buf b, word;
	size_t n = 0;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&word, 4096);
	if (chat_expand(f, text, key, 4000, &b)) {
		rest = buf_view(&b);
		jsonw_key(j, key);
		jsonw_array(j);
		while (n < WORDS_MAX && str_split(&rest, ',', &one)) {
			buf_reset(&word);
			chat_escape(&word, str_trim(one), CHAT_PLAIN, WORD_MAX);
			if (word.n > 0) {
				jsonw_str(j, buf_view(&word));
				n++;
			}
			if (rest.p == NULL)
				break;
		}
		jsonw_array_end(j);
	}
	buf_fini(&word);
	buf_fini(&b);
}

/* ---- responders ---- */

/* Of type teams: each name of a list is one. */
static void teams(struct jsonw *j, struct str names)
{
	struct str one;

	for (size_t n = 0; n < RESPONDERS_MAX && str_split(&names, ',', &one); n++) {
		one = str_trim(one);
		if (one.n > 0) {
			jsonw_object(j);
			jsonw_kv_c(j, "type", "team");
			jsonw_kv_str(j, "name", one);
			jsonw_object_end(j);
		}
		if (names.p == NULL)
			break;
	}
}

static void responder(struct jsonw *j, struct chat_form *f, const struct opsgenie_responder *r)
{
	const struct str from[] = {r->id, r->name, r->username, r->type};
	static const char *const keys[] = {"id", "name", "username", "type"};
	struct buf v[ARRAY_LEN(from)];
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		buf_init(&v[i], 8192);
		(void)chat_expand(f, from[i], "responders", 1000, &v[i]);
		any = any || (i < 3 && v[i].n > 0);
	}
	for (size_t i = 0; i < v[3].n; i++) { /* types are written in lower case */
		if (v[3].p[i] >= 'A' && v[3].p[i] <= 'Z')
			v[3].p[i] = (char)(v[3].p[i] + ('a' - 'A'));
	}
	if (any && str_eq(buf_view(&v[3]), STR("teams"))) {
		teams(j, buf_view(&v[1]));
	} else if (any) { /* filled by labels: none may be */
		jsonw_object(j);
		for (size_t i = 0; i < ARRAY_LEN(from); i++) {
			if (v[i].n > 0)
				jsonw_kv_str(j, keys[i], buf_view(&v[i]));
		}
		jsonw_object_end(j);
	}
	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		buf_fini(&v[i]);
}

static void priority(struct jsonw *j, struct chat_form *f, const struct opsgenie_config *c)
{
	static const char *const by_severity[] = {"P5", "P5", "P3", "P1"};
	const char *p = by_severity[chat_severity(f->m)];
	struct buf b;

	buf_init(&b, 4096);
	if (chat_expand(f, c->priority, "priority", 20, &b) && b.n == 2 && b.p[0] == 'P' &&
		b.p[1] >= '1' && b.p[1] <= '5')
		p = b.p;
	jsonw_kv_c(j, "priority", p);
	buf_fini(&b);
}

/* ---- the requests ---- */

static void create(struct chat_form *f, const struct opsgenie_config *c, const struct buf *message,
	const struct buf *description, struct buf *out)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_str(&j, "alias", str_sub(f->m->thread, 0, 512));
	jsonw_kv_str(&j, "message", buf_view(message));
	jsonw_kv_str(&j, "description", buf_view(description));
	details(&j, f, c);
	put_source(&j, f, c);
	if (c->n_responders > 0) {
		jsonw_key(&j, "responders");
		jsonw_array(&j);
		for (size_t i = 0; i < MIN_OF(c->n_responders, (size_t)RESPONDERS_MAX); i++)
			responder(&j, f, &c->responders[i]);
		jsonw_array_end(&j);
	}
	words(&j, "tags", f, c->tags);
	words(&j, "actions", f, c->actions);
	chat_put(&j, "note", f, c->note, NOTE_MAX);
	chat_put(&j, "entity", f, c->entity, ENTITY_MAX);
	priority(&j, f, c);
	jsonw_object_end(&j);
}

static void update(const char *key, const struct buf *text, struct buf *out)
{
	struct jsonw j;

	buf_ch(out, '\n');
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_str(&j, key, buf_view(text));
	jsonw_object_end(&j);
}

static void close_alert(struct chat_form *f, const struct opsgenie_config *c, struct buf *out)
{
	struct jsonw j;
	struct buf note;

	buf_init(&note, (size_t)64 << 10);
	(void)chat_body(f->m, CHAT_PLAIN, 0, 4000, &note);
	jsonw_init(&j, out);
	jsonw_object(&j);
	put_source(&j, f, c);
	jsonw_kv_str(&j, "note", buf_view(&note));
	jsonw_object_end(&j);
	buf_fini(&note);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct opsgenie_config *c = in->conf;
	struct chat_form f = {.m = m};
	struct buf message, description;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&message, (size_t)64 << 10);
	buf_init(&description, (size_t)1 << 20);
	if (m->firing) {
		write_message(&f, c, &message);
		write_description(&f, c, &description);
		create(&f, c, &message, &description, payload);
		update("message", &message, payload);
		update("description", &description, payload);
	} else {
		close_alert(&f, c, payload);
	}
	buf_fini(&description);
	buf_fini(&message);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	static const char *const path[] = {"", "/message", "/description"};
	const struct opsgenie_config *c = in->conf;
	unsigned step = MIN_OF(d->step, 2u);
	struct send_request *req;
	struct buf b;

	buf_init(&b, 4096);
	buf_str(&b, c->api_url);
	buf_c(&b, "v2/alerts");
	if (!d->firing || step > 0) {
		buf_ch(&b, '/');
		chat_url_part(&b, d->thread);
		buf_printf(&b, "%s?identifierType=alias", d->firing ? path[step] : "/close");
	}
	req = chat_request(buf_view(&b), &c->http, 0, d, e);
	buf_reset(&b);
	buf_c(&b, "GenieKey ");
	buf_str(&b, c->api_key);
	if (req != NULL && !send_request_header(req, STR("Authorization"), buf_view(&b))) {
		(void)err_set(e, ERR_INPUT, 0, "bad API key");
		send_request_free(req);
		req = NULL;
	}
	buf_fini(&b);
	if (req == NULL)
		return NULL;
	send_request_hide(req, c->api_key);
	if (d->firing && step > 0)
		memcpy(req->method, "PUT", 4); /* instead of POST */
	chat_set_body(req, chat_line(d->payload, d->firing ? step : 0), d);
	return req;
}

/* 202: taken, and worked at later. */
static enum verdict judge(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	const struct opsgenie_config *c = in->conf;
	enum verdict v = integration_judge_http(in, d, req, data);

	if (!req->transport_ok)
		return v;
	if (req->status == 404 && (!d->firing || d->step > 0))
		return VERDICT_OK; /* no such alert is open: nothing to close or to bring up to date
				    */
	if (v == VERDICT_OK && d->firing && c->update_alerts && d->step < 2)
		return VERDICT_NEXT;
	return v;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct opsgenie_config *c = in->conf;

	buf_str(out, c->api_url);
	buf_ch(out, ' ');
	buf_str(out, c->api_key);
}

const struct integration_type integration_opsgenie = {.name = "opsgenie",
	.parallel = 2,
	.pairs = true,
	.closes = true,
	.place = place,
	.render = render,
	.request = request,
	.judge = judge};
