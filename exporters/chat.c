/* SPDX-License-Identifier: Apache-2.0 */
/* chat - belfry's own message for services of one text; see chat.h. */
#include "exporters/chat.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/graph.h"

#define SUMMARY_MAX     300u /* units of one value */
#define VALUES_MAX      200u
#define LABELS_MAX      300u
#define DESCRIPTION_MAX 1000u
#define NOTE_MAX        300u
#define FOOTER_MAX      500u
#define URL_MAX         900u
#define MARKS_ROOM      300u
#define PIECE_MAX       ((size_t)64 << 10)

/* ---- words ---- */

static enum chat_severity severity_of(struct labels ls)
{
	struct str s = labels_get(ls, STR("severity"));

	if (str_eq_nocase(s, STR("warning")) || str_eq_nocase(s, STR("warn")))
		return CHAT_WARNING;
	if (str_eq_nocase(s, STR("info")) || str_eq_nocase(s, STR("none")))
		return CHAT_INFO;
	return CHAT_CRITICAL;
}

enum chat_severity chat_severity(const struct message *m)
{
	return m->firing ? severity_of(m->alerts[0].labels) : CHAT_RESOLVED;
}

unsigned chat_colour(enum chat_severity s)
{
	switch (s) {
	case CHAT_RESOLVED: return 0x2e7d32;
	case CHAT_INFO: return 0x1976d2;
	case CHAT_WARNING: return 0xf9a825;
	case CHAT_CRITICAL: break;
	}
	return 0xd32f2f;
}

/* Colour alone is not seen by everybody, nor in every notification. */
static const char *badge(enum chat_severity s)
{
	switch (s) {
	case CHAT_RESOLVED: return "\xe2\x9c\x85";         /* check mark */
	case CHAT_INFO: return "\xe2\x84\xb9\xef\xb8\x8f"; /* information */
	case CHAT_WARNING: return "\xe2\x9a\xa0\xef\xb8\x8f";
	case CHAT_CRITICAL: break;
	}
	return "\xf0\x9f\x94\xb4"; /* red circle */
}

void chat_title(const struct message *m, struct buf *out)
{
	struct buf tmp;

	buf_init(&tmp, PIECE_MAX);
	buf_printf(out, "%s %s", badge(chat_severity(m)), m->firing ? "FIRING" : "RESOLVED");
	if (m->firing && m->n_resolved > 0)
		buf_printf(out, " (%zu firing, %zu resolved)", m->n_firing, m->n_resolved);
	else if (m->n > 1)
		buf_printf(out, " (%zu)", m->n);
	buf_ch(out, ' ');
	message_subject(m, &tmp);
	chat_escape(out, buf_view(&tmp), CHAT_PLAIN, 180);
	buf_fini(&tmp);
}

const struct message_alert *chat_lead(const struct message *m)
{
	const struct message_alert *v[1] = {&m->alerts[0]};

	(void)message_worst(m, v, 1);
	return v[0];
}

/* ---- pieces ---- */

struct body {
	const struct message *m;
	enum chat_markup how;
	size_t max; /* of the whole text: values get their share of it */
	struct buf piece, tmp, tail;
};

static void bold(struct body *w, bool open)
{
	switch (w->how) {
	case CHAT_PLAIN: return;
	case CHAT_HTML:
	case CHAT_TELEGRAM: buf_c(&w->piece, open ? "<b>" : "</b>"); return;
	case CHAT_MARKDOWN:
	case CHAT_DISCORD:
	case CHAT_MATTERMOST: buf_c(&w->piece, "**"); return;
	case CHAT_ROCKETCHAT: buf_c(&w->piece, "*"); return;
	}
}

static void escaped(struct body *w, size_t max)
{
	chat_escape(&w->piece, buf_view(&w->tmp), w->how, MAX_OF(max, (size_t)8));
	buf_reset(&w->tmp);
}

/* less: by how much its values are cut shorter than usual. */
static void alert(struct body *w, const struct message_alert *al, size_t less)
{
	const struct message *m = w->m;

	if (m->n > 1)
		buf_printf(&w->piece, "%s ",
			badge(al->firing ? severity_of(al->labels) : CHAT_RESOLVED));
	bold(w, true);
	message_summary(al, &w->tmp);
	if (w->tmp.n == 0)
		buf_str(&w->tmp, al->rule);
	escaped(w, MIN_OF(w->max / 4, (size_t)SUMMARY_MAX) / less);
	bold(w, false);
	buf_ch(&w->piece, '\n');
	message_values(m, al, &w->tmp);
	escaped(w, MIN_OF(w->max / 6, (size_t)VALUES_MAX) / less);
	message_own_labels(m, al, &w->tmp);
	if (w->tmp.n > 0) {
		buf_ch(&w->piece, '\n');
		escaped(w, MIN_OF(w->max / 6, (size_t)LABELS_MAX) / less);
	}
	buf_ch(&w->piece, '\n');
}

static void description(struct body *w)
{
	const struct message_alert *al = chat_lead(w->m);
	struct str d = labels_get(al->annotations, STR("description"));

	if (!al->firing || d.n == 0 || labels_get(al->annotations, STR("summary")).n == 0)
		return;
	buf_ch(&w->piece, '\n');
	chat_escape(&w->piece, d, w->how, MIN_OF(w->max / 4, (size_t)DESCRIPTION_MAX));
	buf_ch(&w->piece, '\n');
}

/* In a Markdown link the address must not end it. */
static void markdown_url(struct buf *b, struct str url)
{
	for (size_t i = 0; i < url.n; i++) {
		if (url.p[i] == '(' || url.p[i] == ')')
			buf_c(b, url.p[i] == '(' ? "%28" : "%29");
		else
			buf_ch(b, url.p[i]);
	}
}

static void link(struct body *w, const struct chat_link *l, bool first)
{
	struct buf *b = &w->tail;

	switch (w->how) {
	case CHAT_PLAIN:
		buf_printf(b, "%s: ", l->text);
		buf_str(b, l->url);
		buf_ch(b, '\n');
		return;
	case CHAT_HTML:
	case CHAT_TELEGRAM:
		buf_c(b, first ? "<a href=\"" : " · <a href=\"");
		chat_escape(b, l->url, CHAT_HTML, URL_MAX);
		buf_printf(b, "\">%s</a>", l->text);
		return;
	case CHAT_MARKDOWN:
	case CHAT_DISCORD:
	case CHAT_MATTERMOST:
	case CHAT_ROCKETCHAT:
		buf_printf(b, "%s[%s](", first ? "" : " · ", l->text);
		markdown_url(b, l->url);
		buf_ch(b, ')');
		return;
	}
}

static void links_line(struct body *w)
{
	struct chat_link v[CHAT_LINKS_MAX];
	size_t n = chat_links(w->m, URL_MAX, v, &w->tmp);

	for (size_t i = 0; i < n; i++)
		link(w, &v[i], i == 0);
	if (n > 0 && w->how != CHAT_PLAIN)
		buf_ch(&w->tail, '\n');
	buf_reset(&w->tmp);
}

/* Labels that all alerts share, then rule and reason. */
static void footer(struct body *w)
{
	const struct message *m = w->m;

	size_t max = MIN_OF(w->max / 6, (size_t)FOOTER_MAX);

	for (size_t i = 0; i < m->common_labels.n && w->tmp.n < max; i++) {
		const struct label *l = &m->common_labels.v[i];

		if (str_eq(l->name, STR("alertname")))
			continue;
		if (w->tmp.n > 0)
			buf_c(&w->tmp, " · ");
		buf_str(&w->tmp, str_sub(l->name, 0, 60));
		buf_ch(&w->tmp, '=');
		buf_str(&w->tmp, str_sub(l->value, 0, 200));
	}
	if (w->tmp.n > 0) {
		chat_escape(&w->tail, buf_view(&w->tmp), w->how, max);
		buf_ch(&w->tail, '\n');
		buf_reset(&w->tmp);
	}
	if (m->alerts[0].group.n > 0) {
		buf_c(&w->tail, "rule group ");
		chat_escape(&w->tail, m->alerts[0].group, w->how, 100);
		buf_c(&w->tail, " · ");
	}
	buf_c(&w->tail, message_reason_text(m->reason));
}

/* The piece goes out when `room` allows it. */
static bool put(struct body *w, struct buf *out, size_t *room)
{
	size_t units = chat_units(buf_view(&w->piece));
	bool fits = units <= *room && !w->piece.failed;

	if (fits) {
		buf_str(out, buf_view(&w->piece));
		*room -= units;
	}
	buf_reset(&w->piece);
	return fits;
}

static bool alerts(struct body *w, struct buf *out, size_t *room)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS];
	const struct message *m = w->m;
	size_t most = message_worst(m, v, ARRAY_LEN(v)), shown = 0;
	bool fits = true;

	for (; shown < most && fits; shown += fits) {
		alert(w, v[shown], 1);
		fits = put(w, out, room);
		for (size_t less = 2; shown == 0 && !fits && less <= 32; less *= 2) {
			alert(w, v[0], less); /* the first is there, however short */
			fits = put(w, out, room);
		}
	}
	if (shown < m->n) {
		*room += 20; /* kept free for this line */
		buf_printf(&w->piece, "+%zu more\n", m->n - shown);
		(void)put(w, out, room);
	}
	message_spread(m, &w->tmp);
	if (w->tmp.n > 0) {
		escaped(w, MIN_OF(w->max / 6, (size_t)LABELS_MAX));
		buf_ch(&w->piece, '\n');
		(void)put(w, out, room);
	}
	return fits;
}

/* Links and footer, fewer of them when they would take more than half: the alert goes before what
 * belongs to it. Their units with the line break before them; 0: none. */
static size_t tail_of(struct body *w, unsigned with)
{
	bool links = (with & CHAT_LINKS) != 0;

	for (unsigned parts = links ? 3 : 2; parts > 0; parts--) { /* both, footer, links */
		size_t units;

		buf_reset(&w->tail);
		if (parts == 3 || (parts == 1 && links))
			links_line(w);
		if (parts >= 2)
			footer(w);
		units = chat_units(buf_view(&w->tail)) + 1;
		if (units <= w->max / 2)
			return units;
	}
	buf_reset(&w->tail);
	return 0;
}

bool chat_body(
	const struct message *m, enum chat_markup how, unsigned with, size_t max, struct buf *out)
{
	struct body w = {.m = m, .how = how, .max = max};
	size_t tail, room;
	bool fits;

	ASSERT(max >= 300);

	buf_init(&w.piece, PIECE_MAX);
	buf_init(&w.tmp, PIECE_MAX);
	buf_init(&w.tail, PIECE_MAX);
	tail = tail_of(&w, with);
	if (max < 5 * MARKS_ROOM)
		with &= CHAT_LINKS;
	room = max - tail - 20;
	if (m->note.n > 0) {
		chat_escape(&w.piece, m->note, how, NOTE_MAX);
		buf_ch(&w.piece, '\n');
		(void)put(&w, out, &room);
	}
	if (with & (CHAT_SPARK | CHAT_TOP))
		room -= MIN_OF(room, (size_t)MARKS_ROOM); /* for what the marks become */
	fits = alerts(&w, out, &room);
	if (with & CHAT_SPARK)
		buf_printf(out, "%c%c\n", GRAPH_MARK_BYTE, GRAPH_MARK_SPARK);
	if (with & CHAT_TOP)
		buf_printf(out, "%c%c\n", GRAPH_MARK_BYTE, GRAPH_MARK_TOP);
	description(&w);
	fits = put(&w, out, &room) && fits && tail > 0;
	if (w.tail.n > 0) {
		buf_ch(out, '\n');
		buf_str(out, buf_view(&w.tail));
	}
	buf_fini(&w.tail);
	buf_fini(&w.tmp);
	buf_fini(&w.piece);
	return fits;
}

size_t chat_links(const struct message *m, size_t max_url, struct chat_link v[CHAT_LINKS_MAX],
	struct buf *tmp)
{
	const struct message_alert *al = chat_lead(m);
	struct chat_link all[CHAT_LINKS_MAX] = {
		{"Runbook", message_link(m, al, "runbook_url")},
		{"Acknowledge", m->firing ? m->ack_url : STR("")},
		{"Silence", m->firing ? m->silence_url : STR("")},
		{"Graph", STR_NULL},
		{"Dashboard", message_link(m, al, "dashboard_url")},
		{"Details", m->page_url},
	};
	size_t n = 0;

	if (al->expr.n > 0)
		message_graph_url(m, al, tmp);
	all[3].url = buf_view(tmp);
	for (size_t i = 0; i < CHAT_LINKS_MAX; i++) {
		if (all[i].url.n > 0 && all[i].url.n <= max_url)
			v[n++] = all[i];
	}
	return n;
}
