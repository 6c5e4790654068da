/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain - /plain, the firing and pending alerts as HTML that needs no script, most severe first.
 *
 * For text browsers and for people who have script off; it looks like the page, whose style it
 * uses. Everything that comes from labels and annotations goes through html_escape; only http(s)
 * becomes a link.
 */
#include "agent/plain.h"

#include <stdlib.h>

#include "agent/app.h"
#include "agent/http/assets.h"
#include "base/dur.h"
#include "exporters/mail_text.h"
#include "exporters/message.h"
#include "exporters/notify_api.h"
#include "rules/rules.h"

#define MOST_SHOWN  500 /* alerts on the page; the rest is counted */
#define QUIET_BYTES ((size_t)64 << 20)

static struct str label(const struct rules_alert *al, const char *name)
{
	return labels_get(al->labels, str_c(name));
}

static int rank(const struct rules_alert *al)
{
	struct str s = label(al, "severity");

	if (str_eq(s, STR("critical")) || str_eq(s, STR("page")))
		return 0;
	return str_eq(s, STR("warning")) ? 1 : 2;
}

/* Firing before pending, then by severity, then the newest first. */
static int by_urgency(const void *va, const void *vb)
{
	const struct rules_alert *a = va, *b = vb;

	if (a->firing != b->firing)
		return a->firing ? -1 : 1;
	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	if (a->active_at_ms != b->active_at_ms)
		return a->active_at_ms > b->active_at_ms ? -1 : 1;
	return labels_cmp(a->labels, b->labels);
}

static void line(struct buf *b, const char *kind, struct str s)
{
	if (s.n == 0)
		return;
	buf_printf(b, "<p class=\"%s\">", kind);
	html_escape(b, s);
	buf_c(b, "</p>\n");
}

static void chips(struct buf *b, struct labels ls)
{
	buf_c(b, "<ul class=\"chips\">");
	for (size_t i = 0; i < ls.n; i++) {
		if (str_eq(ls.v[i].name, STR("alertname")) || str_eq(ls.v[i].name, STR("severity")))
			continue;
		buf_c(b, "<li><span class=\"k\">");
		html_escape(b, ls.v[i].name);
		buf_c(b, "</span> <span class=\"v\">");
		html_escape(b, ls.v[i].value);
		buf_c(b, "</span></li>");
	}
	buf_c(b, "</ul>");
}

static void runbook(struct buf *b, struct str url)
{
	if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
		return;
	buf_c(b, "<a class=\"button\" rel=\"noopener noreferrer\" href=\"");
	html_escape(b, url);
	buf_c(b, "\">Runbook</a>");
}

/* What is not told now, from the notifier. */
struct quiet {
	struct arena arena;
	struct alert_view *v;
	size_t n;
};

static void ask_quiet(struct app *app, struct quiet *q)
{
	struct alert_query ask = {.silenced = true, .inhibited = true, .max = MOST_SHOWN};
	struct err e;

	arena_init(&q->arena, QUIET_BYTES);
	if (notify_alerts(app->notify, &ask, &q->arena, &q->v, &q->n, &e) != 0)
		q->n = 0; /* the alerts themselves are what matters */
}

static void reason(struct buf *b, const struct quiet *q, const struct rules_alert *al)
{
	for (size_t i = 0; i < q->n && al->firing; i++) {
		if (!labels_eq(q->v[i].labels, al->labels))
			continue;
		line(b, "quiet",
			q->v[i].n_silenced_by > 0    ? STR("silenced")
			: q->v[i].n_inhibited_by > 0 ? STR("inhibited by another alert")
						     : STR("muted by a time interval"));
		return;
	}
}

static void card(struct buf *b, const struct rules_alert *al, const struct quiet *q)
{
	static const char *const kinds[] = {"critical", "warning", "info"};
	struct str severity = label(al, "severity");

	buf_printf(b, "<article class=\"card %s\"><header><span class=\"badge\">", kinds[rank(al)]);
	html_escape(b, severity.n > 0 ? severity : STR("no severity"));
	buf_c(b, "</span> <h3>");
	html_escape(b, label(al, "alertname"));
	buf_c(b, "</h3> <span class=\"figures\"><span class=\"value\">");
	message_number(b, al->value);
	buf_printf(b, "</span> <span class=\"since\">%s since ", al->firing ? "firing" : "pending");
	time_print_rfc3339(b, al->active_at_ms);
	buf_c(b, "</span></span></header>\n");
	line(b, "summary", labels_get(al->annotations, STR("summary")));
	line(b, "description", labels_get(al->annotations, STR("description")));
	reason(b, q, al);
	buf_c(b, "<footer>");
	chips(b, al->labels);
	runbook(b, labels_get(al->annotations, STR("runbook_url")));
	buf_c(b, "</footer></article>\n");
}

static void head(struct buf *b, size_t firing, size_t pending)
{
	buf_c(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta http-equiv=\"refresh\" content=\"15\">\n"
		 "<link rel=\"stylesheet\" href=\"/belfry.css\">\n");
	if (firing > 0)
		buf_printf(b, "<title>(%zu) belfry</title>", firing);
	else
		buf_c(b, "<title>belfry</title>");
	buf_c(b, "</head>\n<body><main>\n");
	buf_printf(b, "<section class=\"state %s\"><h1>", firing > 0 ? "critical" : "ok");
	if (firing > 0)
		buf_printf(b, "%zu alert%s firing", firing, firing == 1 ? "" : "s");
	else
		buf_c(b, "All quiet");
	buf_printf(b, "</h1> <p>%zu pending</p></section>\n<section class=\"cards\">\n", pending);
}

void plain_alerts(struct http_req *r, void *arg)
{
	struct app *app = arg;
	struct buf *b = http_resp_body(r);
	struct rules_alert *v;
	struct quiet quiet;
	size_t n, firing, pending;
	int64_t evaluated_ms;

	rules_summary(app->rules, &evaluated_ms, &firing, &pending);
	n = rules_alerts(app->rules, http_req_arena(r), MOST_SHOWN, &v, &(size_t){0});
	if (n > 0)
		qsort(v, n, sizeof *v, by_urgency);
	head(b, firing, pending);
	ask_quiet(app, &quiet);
	for (size_t i = 0; i < n; i++)
		card(b, &v[i], &quiet);
	arena_fini(&quiet.arena);
	if (firing + pending > n)
		buf_printf(b, "<p class=\"note\">and %zu more</p>\n", firing + pending - n);
	buf_c(b, "</section>\n<p class=\"note\">");
	if (evaluated_ms > 0) {
		buf_c(b, "Rules were last evaluated at ");
		time_print_rfc3339(b, evaluated_ms);
		buf_c(b, ". ");
	}
	buf_c(b, "This page reloads itself every 15 s. <a href=\"/\">With graphs and "
		 "queries</a></p>\n"
		 "</main></body></html>\n");
	assets_page_headers(r);
	http_resp_header(r, "Content-Type", STR("text/html; charset=utf-8"));
	http_finish(r);
}
