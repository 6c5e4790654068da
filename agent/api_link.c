/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_link - the page behind the links of a message: one incident, and what a person may do about
 * it: acknowledge, silence, say whether the page was worth it.
 *
 * A GET changes nothing, since mail and chat servers fetch links themselves; the buttons POST to
 * the same address. The token in the path is the right to do so (exporters/link.c). Works without
 * script, on a phone, at night. All that comes from labels goes through html_escape.
 */
#include <jansson.h>

#include "agent/api.h"
#include "agent/http/assets.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"
#include "exporters/ack.h"
#include "exporters/history.h"
#include "exporters/mail_text.h"
#include "exporters/message.h"
#include "exporters/notify_api.h"

#define PAGE_BYTES   ((size_t)1 << 20)
#define ALERTS_SHOWN 10u
#define STORIES      2u
#define SILENCE_MAX  INT64_C(2592000000) /* 30 days */

/* --- pieces of the page --- */

static void head(struct buf *b, struct str title)
{
	buf_c(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"robots\" content=\"noindex\">\n"
		 "<link rel=\"stylesheet\" href=\"/belfry.css\">\n<title>");
	html_escape(b, title);
	buf_c(b, "</title></head>\n<body class=\"incident\"><main>\n");
}

static void tail(struct buf *b)
{
	buf_c(b, "<p class=\"note\"><a href=\"/\">All alerts</a></p>\n</main></body></html>\n");
}

static void send_page(struct http_req *r, int status, struct buf *b)
{
	http_resp_header(r, "Cache-Control", STR("no-store"));
	http_resp_header(r, "Referrer-Policy", STR("no-referrer"));
	http_resp_header(r, "Content-Security-Policy",
		STR("default-src 'none'; style-src 'self'; form-action 'self'; "
		    "frame-ancestors 'none'; base-uri 'none'"));
	http_reply(r, status, "text/html; charset=utf-8", buf_view(b));
	buf_fini(b);
}

static void send_problem(struct http_req *r, const struct err *e)
{
	struct buf b;

	buf_init(&b, PAGE_BYTES);
	head(&b, STR("belfry"));
	buf_c(&b, "<section class=\"state warning\"><h1>That did not work</h1></section>\n<p>");
	html_escape(&b, str_c(e->msg));
	buf_c(&b, "</p>\n");
	tail(&b);
	send_page(r, e->code >= 400 && e->code < 500 ? e->code : 503, &b);
}

static const char *done_text(struct str done)
{
	static const struct {
		const char *what, *text;
	} texts[] = {
		{"ack", "Acknowledged: no repeats and no escalation until a new alert joins."},
		{"silence", "Silenced."},
		{"false_positive", "Noted as a false alarm. belfry noise shows how often."},
		{"useful", "Noted as useful."},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (str_eq(done, str_c(texts[i].what)))
			return texts[i].text;
	}
	return NULL;
}

static void form(struct buf *b, const char *what, const char *button, bool main_one)
{
	buf_c(b, "<form method=\"post\" class=\"act\"><input type=\"hidden\" name=\"do\" value=\"");
	buf_c(b, what);
	buf_c(b, "\">");
	if (strcmp(what, "silence") == 0)
		buf_c(b, "<select name=\"duration\" aria-label=\"for how long\">"
			 "<option>30m</option><option selected>1h</option><option>4h</option>"
			 "<option>12h</option><option>1d</option><option>7d</option></select> ");
	if (strcmp(what, "ack") == 0 || strcmp(what, "silence") == 0)
		buf_c(b, "<input name=\"who\" placeholder=\"your name\" maxlength=\"100\" "
			 "autocomplete=\"name\" aria-label=\"your name\"> ");
	buf_printf(b, "<button class=\"button%s\">%s</button></form>\n", main_one ? " main" : "",
		button);
}

static void forms(struct buf *b, struct str wish, bool can_silence)
{
	bool silence_first = str_eq(wish, STR("silence"));

	buf_c(b, "<section class=\"acts\"><h2>What do you want to do?</h2>\n");
	if (silence_first && can_silence)
		form(b, "silence", "Silence", true);
	form(b, "ack", "Acknowledge", !silence_first);
	if (!silence_first && can_silence)
		form(b, "silence", "Silence", false);
	form(b, "false_positive", "This was a false alarm", false);
	form(b, "useful", "This page was useful", false);
	buf_c(b, "</section>\n");
}

static void alert_line(struct buf *b, const struct alert_view *al)
{
	struct str summary = labels_get(al->annotations, STR("summary"));

	buf_c(b, "<li>");
	if (summary.n > 0) {
		html_escape(b, summary);
		buf_c(b, "<br>");
	}
	buf_c(b, "<code>");
	for (size_t i = 0; i < al->labels.n && i < 20; i++) {
		buf_c(b, i > 0 ? ", " : "");
		html_escape(b, al->labels.v[i].name);
		buf_c(b, "=");
		html_escape(b, str_sub(al->labels.v[i].value, 0,
				       MIN_OF(al->labels.v[i].value.n, (size_t)200)));
	}
	buf_c(b, "</code>");
	if (al->n_silenced_by > 0)
		buf_c(b, " <span class=\"badge\">silenced</span>");
	if (al->n_inhibited_by > 0)
		buf_c(b, " <span class=\"badge\">inhibited</span>");
	buf_c(b, "</li>\n");
}

/* Firing alerts that carry the incident's labels. */
static void alerts(struct buf *b, struct app *app, const struct link_target *t, struct arena *a)
{
	struct matcher *m = ARENA_ARRAY(a, t->labels.n + 1, struct matcher);
	struct alert_query q = {.active = true, .silenced = true, .inhibited = true, .muted = true};
	struct alert_view *v;
	struct err e;
	size_t n;

	if (m == NULL)
		return;
	for (size_t i = 0; i < t->labels.n; i++) {
		if (matcher_init(&m[i], MATCH_EQ, t->labels.v[i].name, t->labels.v[i].value, &e) ==
			0)
			q.n_matchers++;
	}
	q.matchers = m;
	q.max = 1000;
	if (notify_alerts(app->notify, &q, a, &v, &n, &e) != 0)
		return;
	if (n == 0)
		buf_c(b, "<section class=\"state ok\"><h1>Nothing of this fires any "
			 "more</h1></section>\n");
	else
		buf_printf(b,
			"<section class=\"state critical\"><h1>%zu alert%s firing</h1></section>\n",
			n, n == 1 ? "" : "s");
	buf_c(b, "<ul class=\"alerts\">\n");
	for (size_t i = 0; i < n && i < ALERTS_SHOWN; i++)
		alert_line(b, &v[i]);
	if (n > ALERTS_SHOWN)
		buf_printf(b, "<li>and %zu more</li>\n", n - ALERTS_SHOWN);
	buf_c(b, "</ul>\n");
}

/* "2026-11-22 07:54:16 UTC" of an RFC 3339 time. */
static void moment(struct buf *b, struct str rfc3339)
{
	html_escape(b, str_sub(rfc3339, 0, MIN_OF(rfc3339.n, (size_t)10)));
	buf_ch(b, ' ');
	html_escape(
		b, str_sub(rfc3339, MIN_OF(rfc3339.n, (size_t)11), MIN_OF(rfc3339.n, (size_t)19)));
	buf_c(b, " UTC");
}

static void events(struct buf *b, const json_t *list)
{
	size_t n = json_array_size(list), from = n > 40 ? n - 40 : 0;

	buf_c(b, "<ol class=\"story\">\n");
	for (size_t i = from; i < n; i++) {
		const json_t *ev = json_array_get(list, i);
		const char *at = json_string_value(json_object_get(ev, "time"));
		const char *text = json_string_value(json_object_get(ev, "text"));

		buf_c(b, "<li><time>");
		moment(b, str_c(at != NULL ? at : ""));
		buf_c(b, "</time> ");
		html_escape(b, str_c(text != NULL ? text : ""));
		buf_c(b, "</li>\n");
	}
	buf_c(b, "</ol>\n");
}

/* The same as `belfry explain`. */
static void story(struct buf *b, struct app *app, const struct link_target *t)
{
	struct buf what, out;
	struct err e;
	json_t *root = NULL;

	buf_init(&what, 4096);
	buf_init(&out, (size_t)8 << 20);
	buf_str(&what, labels_get(t->labels, STR("alertname")));
	if (t->labels.n > 0)
		labels_print(&what, t->labels, false);
	if (!what.failed &&
		history_explain_json(app->state, buf_view(&what), STORIES, &out, &e) == 0 &&
		!out.failed)
		root = json_loadb(out.p, out.n, 0, NULL);
	if (root != NULL && json_array_size(json_object_get(root, "alerts")) > 0) {
		const json_t *list = json_object_get(root, "alerts");

		buf_c(b, "<section><h2>What happened</h2>\n");
		for (size_t i = 0; i < json_array_size(list); i++)
			events(b, json_object_get(json_array_get(list, i), "events"));
		buf_c(b, "</section>\n");
	}
	json_decref(root);
	buf_fini(&what);
	buf_fini(&out);
}

static void show(struct http_req *r, struct app *app, const struct link_target *t)
{
	const char *done = done_text(http_req_param(r, "done"));
	struct arena a;
	struct buf b;

	buf_init(&b, PAGE_BYTES);
	arena_init(&a, (size_t)64 << 20);
	head(&b, t->title);
	buf_c(&b, "<h1>");
	html_escape(&b, t->title);
	buf_c(&b, "</h1>\n<p class=\"note\">since ");
	time_print_rfc3339(&b, t->incident_ms / 1000 * 1000);
	buf_c(&b, "</p>\n");
	if (done != NULL)
		buf_printf(&b, "<p class=\"banner ok\">%s</p>\n", done);
	alerts(&b, app, t, &a);
	forms(&b, http_req_param(r, "do"), t->labels.n > 0);
	story(&b, app, t);
	tail(&b);
	arena_fini(&a);
	if (b.failed) {
		struct err e;

		buf_fini(&b);
		(void)err_set(&e, ERR_LIMIT, 0, "this incident is too large for a page");
		send_problem(r, &e);
		return;
	}
	send_page(r, 200, &b);
}

/* --- what the buttons do --- */

static int silence(struct http_req *r, struct app *app, const struct link_target *t, struct str who,
	struct err *e)
{
	struct str duration = http_req_param(r, "duration");
	struct silence_matcher *m =
		ARENA_ARRAY(http_req_arena(r), t->labels.n + 1, struct silence_matcher);
	struct silence_view s = {.created_by = who, .matchers = m, .n_matchers = t->labels.n};
	char id[37];
	int64_t ms;

	if (m == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (t->labels.n == 0)
		return err_set(e, ERR_INPUT, 400,
			"this incident has no labels of its own: a silence would hide everything");
	if (dur_parse(duration, &ms, e) != 0 || ms <= 0 || ms > SILENCE_MAX)
		return err_set(e, ERR_INPUT, 400, "duration: expected 1m to 30d, as 1h");
	for (size_t i = 0; i < t->labels.n; i++)
		m[i] = (struct silence_matcher){.name = t->labels.v[i].name,
			.value = t->labels.v[i].value,
			.is_equal = true};
	s.starts_at_ms = clock_wall_ms();
	s.ends_at_ms = s.starts_at_ms + ms;
	s.comment = STR("from a message's link");
	return notify_silence_put(app->notify, &s, id, e);
}

static int act(struct http_req *r, struct app *app, const struct link_target *t, struct str what,
	struct err *e)
{
	struct str who = str_trim(http_req_param(r, "who"));

	if (who.n == 0)
		who = STR("somebody with the link");
	if (who.n > 100)
		return err_set(e, ERR_INPUT, 400, "a name has at most 100 bytes");
	if (str_eq(what, STR("silence")))
		return silence(r, app, t, who, e);
	if (str_eq(what, STR("ack")))
		return notify_ack(
			app->notify, t->group_key, t->incident_ms, who, STR("by link"), e);
	if (str_eq(what, STR("false_positive")) || str_eq(what, STR("useful")))
		return history_mark(
			app->state, t->group_key, t->incident_ms, what, who, STR(""), e);
	return err_set(e, ERR_INPUT, 400, "do: expected ack, silence, false_positive or useful");
}

void api_link(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct str token = http_req_segment(r), what = http_req_param(r, "do");
	struct link_target t;
	struct err e = {0};
	struct arena a;

	arena_init(&a, (size_t)4 << 20);
	if (link_resolve(app->state, token, &a, &t, &e) != 0) {
		send_problem(r, &e);
	} else if (http_req_method(r) != HTTP_POST) {
		show(r, app, &t);
	} else if (act(r, app, &t, what, &e) != 0) {
		send_problem(r, &e);
	} else {
		struct str to = arena_printf(
			&a, "/l/" STR_FMT "?done=" STR_FMT, STR_ARG(token), STR_ARG(what));

		http_resp_header(r, "Location", to);
		http_reply(r, 303, "text/plain", STR("done\n"));
	}
	arena_fini(&a);
}
