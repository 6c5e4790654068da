/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ntfy - publishing as JSON (reference notify.md C). The topic is as good as a password on an open
 * server, so it is put in front when a request is made. A message of more than 4,096 bytes would
 * become an attachment: ours stay below.
 */
#include "base/num.h"
#include "exporters/chat.h"

#define MESSAGE_BYTES 4000u
#define TITLE_MAX     250u
#define ACTIONS_MAX   3u
#define TAGS_MAX      10u

/* 1 to 5; a critical alert breaks through "do not disturb". */
static void priority(struct jsonw *j, struct chat_form *f, const struct ntfy_config *c)
{
	static const int by_severity[] = {3, 3, 4, 5};
	static const char *const names[] = {"min", "low", "default", "high", "max"};
	int64_t v = by_severity[chat_severity(f->m)];
	struct buf b;

	buf_init(&b, 4096);
	if (chat_expand(f, c->priority, "priority", 20, &b)) {
		struct str s = str_trim(buf_view(&b));

		for (int i = 0; i < 5; i++) {
			if (str_eq_nocase(s, str_c(names[i])) ||
				(s.n == 1 && s.p[0] == (char)('1' + i)))
				v = i + 1;
		}
	}
	jsonw_kv_i64(j, "priority", v);
	buf_fini(&b);
}

static void tags(struct jsonw *j, struct chat_form *f, const struct ntfy_config *c)
{
	static const char *const by_severity[] = {
		"white_check_mark", "information_source", "warning", "red_circle"};
	struct str rest, one;
	size_t n = 0;
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	jsonw_key(j, "tags");
	jsonw_array(j);
	if (chat_expand(f, c->tags, "tags", 500, &b)) {
		rest = buf_view(&b);
		while (n++ < TAGS_MAX && str_split(&rest, ',', &one)) {
			if (str_trim(one).n > 0)
				jsonw_str(j, str_trim(one));
			if (rest.p == NULL)
				break;
		}
	} else {
		jsonw_c(j, by_severity[chat_severity(f->m)]);
	}
	jsonw_array_end(j);
	buf_fini(&b);
}

static void links(struct jsonw *j, struct chat_form *f, const struct ntfy_config *c)
{
	struct chat_link v[CHAT_LINKS_MAX];
	struct buf tmp, click;
	size_t n;

	buf_init(&tmp, (size_t)64 << 10);
	buf_init(&click, (size_t)64 << 10);
	n = chat_links(f->m, 900, v, &tmp);
	if (chat_expand(f, c->click, "click", 900, &click))
		jsonw_kv_str(j, "click", buf_view(&click));
	else if (n > 0)
		jsonw_kv_str(j, "click", v[0].url);
	if (n > 0) {
		jsonw_key(j, "actions");
		jsonw_array(j);
		for (size_t i = 0; i < MIN_OF(n, (size_t)ACTIONS_MAX); i++) {
			jsonw_object(j);
			jsonw_kv_c(j, "action", "view");
			jsonw_kv_c(j, "label", v[i].text);
			jsonw_kv_str(j, "url", v[i].url);
			jsonw_object_end(j);
		}
		jsonw_array_end(j);
	}
	chat_put(j, "icon", f, c->icon, 900);
	buf_fini(&click);
	buf_fini(&tmp);
}

/* The title has no badge: the tag is shown as one. */
static void title(struct jsonw *j, struct chat_form *f, const struct ntfy_config *c)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (!chat_expand(f, c->title, "title", TITLE_MAX, &b)) {
		chat_title(f->m, &b);
		(void)chat_clip(&b, 0, TITLE_MAX);
		jsonw_kv_str(
			j, "title", str_sub(buf_view(&b), str_find(buf_view(&b), ' ') + 1, b.n));
	} else {
		jsonw_kv_str(j, "title", buf_view(&b));
	}
	buf_fini(&b);
}

static void own_text(const struct message *m, enum chat_markup how, struct buf *b)
{
	bool whole = false;

	for (size_t max = 3600; max > 400; max /= 2) {
		buf_reset(b);
		whole = chat_body(
			m, how, how == CHAT_PLAIN ? CHAT_SPARK | CHAT_TOP : CHAT_SPARK, max, b);
		if (b->n <= MESSAGE_BYTES)
			break;
	}
	if (!whole)
		chat_count_truncated("ntfy");
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	const struct ntfy_config *c = in->conf;
	struct chat_form f = {.m = m};
	bool markdown = c->markdown;
	struct jsonw j;
	struct buf b;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&b, (size_t)64 << 10);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	title(&j, &f, c);
	if (!chat_expand(&f, c->message, "message", MESSAGE_BYTES / 4, &b))
		own_text(m, markdown ? CHAT_MARKDOWN : CHAT_PLAIN, &b);
	if (f.note.n > 0 && b.n + 400 <= MESSAGE_BYTES + 96) {
		buf_ch(&b, '\n');
		chat_escape(&b, buf_view(&f.note), markdown ? CHAT_MARKDOWN : CHAT_PLAIN, 100);
	}
	jsonw_kv_str(&j, "message", buf_view(&b));
	if (markdown)
		jsonw_kv_bool(&j, "markdown", true);
	priority(&j, &f, c);
	tags(&j, &f, c);
	links(&j, &f, c);
	jsonw_object_end(&j);

	buf_ch(payload, '\n');
	own_text(m, CHAT_PLAIN, &b);
	jsonw_init(&j, payload);
	jsonw_object(&j);
	jsonw_kv_str(&j, "message", buf_view(&b));
	jsonw_object_end(&j);
	buf_fini(&b);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct ntfy_config *c = in->conf;
	struct send_request *req = chat_request(c->url, &c->http, 0, d, e);
	struct str line = chat_line(d->payload, d->degraded ? 1 : 0);
	struct buf b;

	if (req == NULL)
		return NULL;
	buf_init(&b, line.n + c->topic.n * 6 + 64);
	send_request_hide(req, c->topic);
	buf_c(&b, "{\"topic\":\"");
	jsonw_escape(&b, c->topic);
	buf_c(&b, "\",");
	buf_str(&b, str_sub(line, 1, line.n));
	chat_set_body(req, buf_view(&b), d);
	buf_fini(&b);
	return req;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct ntfy_config *c = in->conf;

	buf_str(out, c->url);
	buf_ch(out, ' ');
	buf_str(out, c->topic);
}

/* ntfy.sh refills one request in 5 s after a burst of 60: what is more waits by its Retry-After. */
const struct integration_type integration_ntfy = {.name = "ntfy",
	.pace_ms = 500,
	.parallel = 1,
	.place = place,
	.render = render,
	.request = request,
	.judge = integration_judge_form};
