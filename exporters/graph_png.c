/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_png - the picture of a mail: what the compared value did, the threshold, when the alert
 * fired and ended. On a light card of its own, so that it reads the same in dark mode.
 *
 * Drawn on a canvas 600 wide whatever the size of the picture: twice the pixels are the same
 * drawing, sharper.
 */
#include <cairo.h>
#include <math.h>
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "exporters/graph.h"
#include "exporters/graph_encode.h"
#include "exporters/graph_font.h"

#define TEXT 7.0 /* height of capitals */

#define RIGHT  14.0
#define TOP    32.0
#define BOTTOM 24.0

struct rgb {
	double r, g, b;
};
#define RGB(x)                                                                                     \
	{                                                                                          \
		((x) >> 16 & 255) / 255.0, ((x) >> 8 & 255) / 255.0, ((x)&255) / 255.0             \
	}
static const struct rgb ink = RGB(0x24292f), pale = RGB(0x6e7781), grid = RGB(0xe4e8ec),
			edge = RGB(0xd0d7de), bad = RGB(0xd32f2f), good = RGB(0x2e7d32);
static const struct rgb lines[GRAPH_SERIES_MAX] = {RGB(0x1565c0), RGB(0xe65100), RGB(0x6a1b9a)};

struct chart {
	cairo_t *cr;
	const struct graph_points *p;
	double width, height;  /* of the canvas */
	double x0, x1, y0, y1; /* of the plot; y0 is its bottom */
	double lo, hi, step;   /* of the values */
	int64_t from_ms, to_ms;
};

static void colour(cairo_t *cr, struct rgb c, double alpha)
{
	cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

static double at_x(const struct chart *c, int64_t ms)
{
	return c->x0 + (c->x1 - c->x0) * (double)(ms - c->from_ms) /
			       (double)MAX_OF(c->to_ms - c->from_ms, 1);
}

static double at_y(const struct chart *c, double v)
{
	double y = c->y0 - (c->y0 - c->y1) * (v - c->lo) / (c->hi - c->lo);

	/* huge values stay out of the picture, but not out of cairo's numbers */
	return y < -1e4 ? -1e4 : y > 1e4 ? 1e4 : y;
}

/* --- scales --- */

/* The smallest of 1, 2, 5 times a power of ten (of two for bytes, of minutes) that is not less. */
static double nice_step(double raw, struct unit u)
{
	static const double seconds[] = {
		60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400};
	double base = 1, power = pow(10, floor(log10(raw)));

	if (u.kind == UNIT_SECONDS && raw > 20) {
		for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
			if (seconds[i] >= raw)
				return seconds[i];
		}
	}
	if (u.kind == UNIT_BYTES) {
		while (base < raw * 0.999)
			base *= 2;
		return base;
	}
	for (int i = 0; i < 3; i++) {
		static const double of[] = {1, 2, 5};

		if (of[i] * power >= raw * 0.999)
			return of[i] * power;
	}
	return 10 * power;
}

static void fit_values(struct chart *c)
{
	const struct graph_points *p = c->p;
	double lo = INFINITY, hi = -INFINITY, span;

	for (size_t k = 0; k < p->n_series; k++) {
		for (size_t i = 0; i < p->n; i++) {
			if (!isfinite(p->series[k].v[i]))
				continue;
			lo = fmin(lo, p->series[k].v[i]);
			hi = fmax(hi, p->series[k].v[i]);
		}
	}
	if (isfinite(p->threshold)) {
		lo = fmin(lo, p->threshold);
		hi = fmax(hi, p->threshold);
	}
	if (!(lo <= hi)) { /* nothing but gaps */
		lo = 0;
		hi = 1;
	}
	lo = fmax(lo, -1e300);
	hi = fmin(hi, 1e300);
	/* zero is part of the story unless it is far off */
	if (lo > 0 && lo < 0.6 * hi)
		lo = 0;
	if (hi < 0 && hi > 0.6 * lo)
		hi = 0;
	span = hi - lo;
	if (span <= fmax(fabs(hi), fabs(lo)) * 1e-9) {
		span = hi != 0 ? fabs(hi) : 1;
		hi += span / 2;
		lo = lo > 0 ? fmax(0, lo - span / 2) : lo - span / 2;
		span = hi - lo;
	}
	c->step = nice_step(span / 4, p->unit);
	c->lo = floor(lo / c->step + 1e-9) * c->step;
	c->hi = ceil(hi / c->step - 1e-9) * c->step;
	if (hi > c->hi - c->step * 0.1) /* room for the line and the word above the threshold */
		c->hi += c->step * 0.5;
}

static int64_t time_step(int64_t span_ms)
{
	static const int seconds[] = {5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
		10800, 21600, 43200, 86400, 172800};

	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		if (span_ms / (seconds[i] * INT64_C(1000)) <= 7)
			return seconds[i] * INT64_C(1000);
	}
	return MAX_OF(span_ms / 7 / 86400000, 1) * 86400000;
}

/* --- texts --- */

static void text_at(struct chart *c, double x, double y, double size, struct str s, double shift)
{
	graph_text(c->cr, x - shift * graph_text_width(s, size), y, size, s);
}

static void clock_text(struct buf *b, int64_t ms, int64_t step_ms)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil t;

	civil_from_ms(ms, &t);
	if (step_ms >= 86400000 || (t.hour == 0 && t.minute == 0 && step_ms >= 3600000))
		buf_printf(b, "%d %s", t.day, months[t.month - 1]);
	else
		buf_printf(b, "%02d:%02d", t.hour, t.minute);
	if (step_ms < 60000)
		buf_printf(b, ":%02d", t.second);
}

/* --- parts --- */

/* Steps of the axis of values. */
static unsigned ticks(const struct chart *c)
{
	return (unsigned)fmin((c->hi - c->lo) / c->step + 0.01, 20);
}

static void value_axis(struct chart *c)
{
	for (unsigned i = 0; i <= ticks(c); i++) {
		double v = c->lo + i * c->step, y = floor(at_y(c, v)) + 0.5;
		struct buf b;

		colour(c->cr, grid, 1);
		cairo_set_line_width(c->cr, 1);
		cairo_move_to(c->cr, c->x0, y);
		cairo_line_to(c->cr, c->x1, y);
		cairo_stroke(c->cr);
		buf_init(&b, 64);
		unit_print_tick(&b, fabs(v) < c->step * 1e-9 ? 0 : v, c->step, c->p->unit);
		colour(c->cr, pale, 1);
		text_at(c, c->x0 - 7, y + TEXT / 2, TEXT, buf_view(&b), 1);
		buf_fini(&b);
	}
}

static void time_axis(struct chart *c)
{
	int64_t step = time_step(c->to_ms - c->from_ms);
	int64_t t = (i64_floor_div(c->from_ms - 1, step) + 1) * step;

	for (; t <= c->to_ms; t += step) {
		double x = floor(at_x(c, t)) + 0.5;
		struct buf b;

		colour(c->cr, grid, 1);
		cairo_set_line_width(c->cr, 1);
		cairo_move_to(c->cr, x, c->y1);
		cairo_line_to(c->cr, x, c->y0);
		cairo_stroke(c->cr);
		buf_init(&b, 64);
		clock_text(&b, t, step);
		colour(c->cr, pale, 1);
		if (x < c->x1 - 40) /* "UTC" stands there */
			text_at(c, x, c->y0 + 15, TEXT, buf_view(&b), 0.5);
		buf_fini(&b);
	}
	text_at(c, c->x1, c->y0 + 15, TEXT, STR("UTC"), 1);
}

/* The time in which it fired, lightly red. */
static void firing_band(struct chart *c)
{
	int64_t from = c->p->fired_ms, to = c->p->resolved_ms;

	if (from == 0)
		return;
	from = MAX_OF(from, c->from_ms);
	to = to == 0 ? c->to_ms : MIN_OF(to, c->to_ms);
	if (to <= from)
		return;
	colour(c->cr, bad, 0.07);
	cairo_rectangle(c->cr, at_x(c, from), c->y1, at_x(c, to) - at_x(c, from), c->y0 - c->y1);
	cairo_fill(c->cr);
}

static void marker(struct chart *c, int64_t ms, struct rgb how, const char *word, double row)
{
	double x, width, y = c->y1 + TEXT + 2 + row * (TEXT + 4);
	struct buf b;

	if (ms == 0 || ms < c->from_ms || ms > c->to_ms)
		return;
	x = floor(at_x(c, ms)) + 0.5;
	colour(c->cr, how, 1);
	cairo_set_line_width(c->cr, 1);
	cairo_move_to(c->cr, x, c->y1 - 4);
	cairo_line_to(c->cr, x, c->y0);
	cairo_stroke(c->cr);
	buf_init(&b, 64);
	buf_printf(&b, "%s ", word);
	clock_text(&b, ms, 60000);
	width = graph_text_width(buf_view(&b), TEXT);
	/* towards the side with room */
	text_at(c, x + width + 8 > c->x1 ? x - 4 : x + 4, y, TEXT, buf_view(&b),
		x + width + 8 > c->x1 ? 1 : 0);
	buf_fini(&b);
}

static void threshold(struct chart *c)
{
	static const double dashes[] = {5, 4};
	double y = floor(at_y(c, c->p->threshold)) + 0.5;
	struct buf b;

	if (!isfinite(c->p->threshold))
		return;
	colour(c->cr, bad, 1);
	cairo_set_line_width(c->cr, 1.2);
	cairo_set_dash(c->cr, dashes, 2, 0);
	cairo_move_to(c->cr, c->x0, y);
	cairo_line_to(c->cr, c->x1, y);
	cairo_stroke(c->cr);
	cairo_set_dash(c->cr, NULL, 0, 0);
	buf_init(&b, 128);
	buf_printf(&b, "alert %s ", c->p->op);
	unit_print(&b, c->p->threshold, c->p->unit);
	text_at(c, c->x0 + 5, y < c->y1 + TEXT + 6 ? y + TEXT + 4 : y - 4, TEXT, buf_view(&b), 0);
	buf_fini(&b);
}

static void line(struct chart *c, size_t k)
{
	const struct graph_points *p = c->p;
	const double *v = p->series[k].v;
	bool pen = false;

	colour(c->cr, lines[k], 1);
	cairo_set_line_width(c->cr, 1.8);
	cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
	cairo_set_line_cap(c->cr, CAIRO_LINE_CAP_ROUND);
	for (size_t i = 0; i < p->n; i++) {
		double x = at_x(c, p->t0_ms + (int64_t)i * p->step_ms);

		if (!isfinite(v[i])) {
			pen = false;
			continue;
		}
		if (!pen)
			cairo_move_to(c->cr, x, at_y(c, v[i]));
		cairo_line_to(c->cr, x, at_y(c, v[i])); /* a point alone is a dot */
		pen = true;
	}
	cairo_stroke(c->cr);
}

/* The last value there is, at the right end of the title's line. */
static double last_value(const struct graph_points *p, size_t k)
{
	for (size_t i = p->n; i-- > 0;) {
		if (isfinite(p->series[k].v[i]))
			return p->series[k].v[i];
	}
	return NAN;
}

/* As much of s as fits, cut between characters. */
static struct str fitting(struct str s, double size, double room)
{
	while (s.n > 0 && graph_text_width(s, size) > room) {
		s.n--;
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return s;
}

/* What a line is called and where it stands. */
static void legend(const struct chart *c, size_t k, struct buf *out)
{
	struct str label = c->p->series[k].label;

	if (c->p->n_series > 1 && label.n > 0) {
		buf_str(out, fitting(label, TEXT, 100));
		buf_ch(out, ' ');
	}
	unit_print(out, last_value(c->p, k), c->p->unit);
}

static void head(struct chart *c, struct str title)
{
	double swatch = c->p->n_series > 1 ? 10 : 0, room = c->width * 0.62, x;
	struct buf words[GRAPH_SERIES_MAX];
	double widths[GRAPH_SERIES_MAX];
	size_t n = 0;

	/* the first lines are the worst: what has no room is at the end */
	for (size_t k = 0; k < GRAPH_SERIES_MAX; k++)
		buf_init(&words[k], 1024);
	for (; n < c->p->n_series; n++) {
		legend(c, n, &words[n]);
		widths[n] = graph_text_width(buf_view(&words[n]), TEXT) + swatch;
		if (widths[n] > room)
			break;
		room -= widths[n] + 12;
	}
	x = c->width - RIGHT;
	for (size_t k = n; k-- > 0;) {
		x -= widths[k];
		colour(c->cr, lines[k], 1);
		if (swatch > 0) {
			cairo_rectangle(c->cr, x, 12.5, 6, 3);
			cairo_fill(c->cr);
		}
		graph_text(c->cr, x + swatch, 17.5, TEXT, buf_view(&words[k]));
		x -= 12;
	}
	for (size_t k = 0; k < GRAPH_SERIES_MAX; k++)
		buf_fini(&words[k]);
	colour(c->cr, ink, 1);
	graph_text(c->cr, 12, 17.5, TEXT + 1, fitting(title, TEXT + 1, x - 24));
}

static void draw(struct chart *c, struct str title)
{
	cairo_set_source_rgb(c->cr, 1, 1, 1);
	cairo_paint(c->cr);
	colour(c->cr, edge, 1);
	cairo_set_line_width(c->cr, 1);
	cairo_rectangle(c->cr, 0.5, 0.5, c->width - 1, c->height - 1);
	cairo_stroke(c->cr);
	head(c, title);
	value_axis(c);
	time_axis(c);
	firing_band(c);
	threshold(c);
	cairo_save(c->cr);
	cairo_rectangle(c->cr, c->x0 - 2, c->y1 - 2, c->x1 - c->x0 + 4, c->y0 - c->y1 + 4);
	cairo_clip(c->cr);
	for (size_t k = c->p->n_series; k-- > 0;)
		line(c, k);
	cairo_restore(c->cr);
	marker(c, c->p->fired_ms, bad, "fired", 0);
	marker(c, c->p->resolved_ms, good, "over", 1);
}

/* Room for the widest label of the values. */
static double left_margin(const struct chart *c)
{
	double width = 0;

	for (unsigned i = 0; i <= ticks(c); i++) {
		struct buf b;

		buf_init(&b, 64);
		unit_print_tick(&b, c->lo + i * c->step, c->step, c->p->unit);
		width = fmax(width, graph_text_width(buf_view(&b), TEXT));
		buf_fini(&b);
	}
	return fmin(fmax(width + 18, 34), c->width / 3);
}

int graph_png(const struct graph_points *p, struct str title, unsigned width, unsigned height,
	struct buf *out, struct err *e)
{
	double scale = width / 600.0;
	struct chart c = {.p = p,
		.width = 600,
		.height = height / scale,
		.from_ms = p->t0_ms,
		.to_ms = p->t0_ms + (int64_t)(p->n > 0 ? p->n - 1 : 0) * p->step_ms};
	cairo_surface_t *surface;
	cairo_status_t status;
	int rc = -1;

	if (p->n == 0 || p->n_series == 0 || p->step_ms <= 0)
		return err_set(e, ERR_INPUT, 0, "no points to draw");
	if (width < 200 || width > 2000 || height < 100 || height > 1000)
		return err_set(e, ERR_INPUT, 0, "no size for a graph: %ux%u", width, height);
	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
	c.cr = cairo_create(surface);
	cairo_scale(c.cr, scale, scale);
	fit_values(&c);
	c.x0 = left_margin(&c);
	c.x1 = c.width - RIGHT;
	c.y0 = c.height - BOTTOM;
	c.y1 = TOP;
	draw(&c, title);
	status = cairo_status(c.cr);
	cairo_destroy(c.cr);
	cairo_surface_flush(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		rc = graph_encode_png(cairo_image_surface_get_data(surface), width, height,
			(size_t)cairo_image_surface_get_stride(surface), out, e);
	else
		(void)err_set(e, ERR_LIMIT, (int)status, "cannot draw a graph: %s",
			cairo_status_to_string(status));
	cairo_surface_destroy(surface);
	return rc;
}
