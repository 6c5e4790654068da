/* SPDX-License-Identifier: Apache-2.0 */
/* graph - sparklines, top offenders, and the marks in stored payloads; see graph.h. */
#include "exporters/graph.h"

#include <math.h>
#include <stdlib.h>

#include "base/jsonw.h"
#include "base/num.h"
#include "exporters/clean.h"
#include "exporters/mail_text.h"
#include "exporters/message.h"

void graph_free(struct graph_answer *g)
{
	if (g == NULL)
		return;
	arena_fini(&g->arena);
	free(g);
}

/* --- sparkline --- */

static const char *const bars[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
	"\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};

/* What one column stands for: the extreme on the bad side, so that no spike is lost. */
static double column(const struct graph_points *p, size_t from, size_t to)
{
	bool low = p->op[0] == '<';
	double v = NAN;

	for (size_t i = from; i < to; i++) {
		double x = p->series[0].v[i];

		if (isfinite(x) && (isnan(v) || (low ? x < v : x > v)))
			v = x;
	}
	return v;
}

static void put_bars(const double *cols, size_t n, struct buf *out)
{
	double lo = INFINITY, hi = -INFINITY;

	for (size_t i = 0; i < n; i++) {
		if (!isnan(cols[i])) {
			lo = fmin(lo, cols[i]);
			hi = fmax(hi, cols[i]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		size_t k = hi > lo ? (size_t)((cols[i] - lo) / (hi - lo) * 7.999) : lo == 0 ? 0 : 3;

		buf_c(out, isnan(cols[i]) ? " " : bars[MIN_OF(k, (size_t)7)]);
	}
}

static void put_value(struct buf *out, double v, struct unit u)
{
	if (isnan(v))
		buf_c(out, "no value");
	else
		unit_print(out, v, u);
}

void graph_sparkline(const struct graph_points *p, struct buf *out)
{
	const double *v = p->n_series > 0 ? p->series[0].v : NULL;
	size_t first = 0, last = p->n, n, span;
	double cols[GRAPH_SPARK_MAX];

	while (v != NULL && first < p->n && !isfinite(v[first]))
		first++;
	if (v == NULL || first == p->n)
		return;
	while (!isfinite(v[last - 1]))
		last--;
	if (last == first + 1 && last == p->n)
		return;      /* one value, the present one: a course of one point says nothing */
	span = p->n - first; /* what was before it began is no gap */
	n = MIN_OF(span, (size_t)GRAPH_SPARK_MAX);
	for (size_t i = 0; i < n; i++)
		cols[i] = column(p, first + i * span / n, first + (i + 1) * span / n);
	put_bars(cols, n, out);
	buf_ch(out, ' ');
	put_value(out, v[first], p->unit);
	buf_c(out, " \xe2\x86\x92 ");
	put_value(out, last == p->n ? v[last - 1] : NAN, p->unit);
	buf_c(out, " in ");
	message_span(out, (int64_t)(span - 1) * p->step_ms);
}

void graph_top_print(const struct graph_answer *g, struct buf *out)
{
	for (size_t i = 0; i < g->n_top; i++) {
		if (i > 0)
			buf_c(out, ", ");
		clean_text(out, g->top[i].label, 80, CLEAN_ONE_LINE);
		if (g->top[i].label.n > 0)
			buf_ch(out, ' ');
		unit_print(out, g->top[i].value, g->top_unit);
	}
}

void graph_alt(const struct graph_answer *g, struct buf *out)
{
	clean_text(out, g->title, 200, CLEAN_ONE_LINE);
	buf_c(out, ": ");
	graph_sparkline(&g->points, out);
}

void graph_draw(struct graph_answer *g)
{
	static const unsigned scales[] = {4, 3, 2}; /* halves of GRAPH_WIDTH */
	struct buf b;
	struct err e;

	buf_init(&b, GRAPH_PNG_MAX);
	for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
		buf_reset(&b);
		if (graph_png(&g->points, g->title, GRAPH_WIDTH / 2 * scales[i],
			    GRAPH_HEIGHT / 2 * scales[i], &b, &e) != 0)
			continue;
		if (b.n <= GRAPH_PNG_GOOD || i + 1 == ARRAY_LEN(scales)) {
			g->png = arena_str(&g->arena, buf_view(&b));
			break;
		}
	}
	buf_fini(&b);
}

/* --- marks --- */

/* Bytes of a mark at the start of s, and which it is; 0: none. In JSON the byte is six characters,
 * behind an even number of backslashes. */
static size_t mark_at(struct str whole, size_t i, bool json, char *mark)
{
	struct str s = str_sub(whole, i, whole.n);
	size_t n = 0, slashes = 0;

	if (s.n >= 2 && s.p[0] == GRAPH_MARK_BYTE)
		n = 1;
	else if (json && s.n >= 7 && str_starts(s, STR("\\u0001")))
		n = 6;
	if (n == 0 || s.p[n] < '0' || s.p[n] > '9')
		return 0;
	while (n == 6 && slashes < i && whole.p[i - slashes - 1] == '\\')
		slashes++;
	if (slashes % 2 != 0)
		return 0;
	*mark = s.p[n];
	return n + 1;
}

bool graph_has_mark(struct str body, char mark)
{
	char m;

	for (size_t i = 0; i < body.n; i++) {
		if ((body.p[i] == GRAPH_MARK_BYTE || body.p[i] == '\\') &&
			mark_at(body, i, true, &m) > 0 && m == mark)
			return true;
	}
	return false;
}

static void put_base64(struct buf *out, struct str s)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t column = 0;

	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
		buf_ch(out, alphabet[v >> 18]);
		buf_ch(out, alphabet[v >> 12 & 63]);
		buf_ch(out, i + 1 < s.n ? alphabet[v >> 6 & 63] : '=');
		buf_ch(out, i + 2 < s.n ? alphabet[v & 63] : '=');
		column += 4;
		if (column == 76 && i + 3 < s.n) {
			buf_c(out, "\r\n");
			column = 0;
		}
	}
}

static void put_mrkdwn(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '&')
			buf_c(out, "&amp;");
		else if (s.p[i] == '<')
			buf_c(out, "&lt;");
		else if (s.p[i] == '>')
			buf_c(out, "&gt;");
		else
			buf_ch(out, s.p[i]);
	}
}

static void put_encoded(struct buf *out, struct str s, enum graph_escape how)
{
	struct buf t;

	buf_init(&t, 8192);
	if (how == GRAPH_JSON_MRKDWN)
		put_mrkdwn(&t, s);
	else if (how == GRAPH_HTML || how == GRAPH_QP_HTML)
		html_escape(&t, s);
	else
		buf_str(&t, s);
	if (how == GRAPH_JSON || how == GRAPH_JSON_MRKDWN) {
		jsonw_escape(out, buf_view(&t));
	} else if (how == GRAPH_QP || how == GRAPH_QP_HTML) {
		buf_c(out, "=\r\n");
		mail_quoted_printable_inside(out, buf_view(&t));
		buf_c(out, "=\r\n");
	} else {
		buf_str(out, buf_view(&t));
	}
	buf_fini(&t);
}

/* What stands for a mark. */
static void put_mark(
	struct buf *out, char mark, const struct graph_answer *g, enum graph_escape how)
{
	struct buf t;

	if (g == NULL)
		return;
	if (mark == GRAPH_MARK_PNG) {
		put_base64(out, g->png);
		return;
	}
	buf_init(&t, 4096);
	if (mark == GRAPH_MARK_SPARK)
		graph_sparkline(&g->points, &t);
	else if (mark == GRAPH_MARK_TOP)
		graph_top_print(g, &t);
	if (t.n > 0 && !t.failed)
		put_encoded(out, buf_view(&t), how);
	buf_fini(&t);
}

/* Length of the line break that ends at i, or begins there, as this encoding writes it. */
static size_t break_before(struct str s, size_t i, bool json)
{
	if (json)
		return i >= 2 && str_eq(str_sub(s, i - 2, i), STR("\\n")) ? 2 : 0;
	if (i >= 2 && str_eq(str_sub(s, i - 2, i), STR("\r\n")))
		return 2;
	return i >= 1 && s.p[i - 1] == '\n' ? 1 : 0;
}

static size_t break_after(struct str s, size_t i, bool json)
{
	struct str rest = str_sub(s, i, s.n);

	if (json)
		return str_starts(rest, STR("\\n")) ? 2 : 0;
	return str_starts(rest, STR("\r\n")) ? 2 : str_starts(rest, STR("\n")) ? 1 : 0;
}

void graph_fill(
	struct str body, const struct graph_answer *g, enum graph_escape how, struct buf *out)
{
	bool json = how == GRAPH_JSON || how == GRAPH_JSON_MRKDWN;
	bool skipping = false;

	for (size_t i = 0, n; i < body.n; i += n) {
		char mark = '\0';
		size_t before;

		n = body.p[i] == GRAPH_MARK_BYTE || body.p[i] == '\\'
			    ? mark_at(body, i, json, &mark)
			    : 0;
		if (n == 0) {
			n = 1;
			/* our byte without a digit is nobody's */
			if (!skipping && body.p[i] != GRAPH_MARK_BYTE)
				buf_ch(out, body.p[i]);
			continue;
		}
		if (mark == GRAPH_MARK_IF)
			skipping = g == NULL || g->png.n == 0;
		else if (mark == GRAPH_MARK_END)
			skipping = false;
		if (skipping)
			continue;
		before = out->n;
		put_mark(out, mark, g, how);
		if ((mark == GRAPH_MARK_SPARK || mark == GRAPH_MARK_TOP) && out->n == before &&
			(break_before(body, i, json) > 0 || i == 0))
			n += break_after(body, i + n, json);
	}
}
