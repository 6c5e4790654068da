/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph - the recent past of an alert for its message: a line of block characters (sparkline), a
 * small PNG, and the top offenders.
 *
 * Life of one: the renderer writes marks into the payload and a spec beside it, both stored in the
 * outbox (graph_spec). Before the first attempt the outbox hands the spec to the graph source,
 * which answers within GRAPH_DEADLINE_MS with a struct graph_answer or NULL; request() replaces the
 * marks (graph_fill). No graph is never a reason to wait, retry or fail: the message says what it
 * says without one.
 */
#ifndef BELFRY_EXPORTERS_GRAPH_H
#define BELFRY_EXPORTERS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "exporters/unit.h"

#define GRAPH_SERIES_MAX  3u   /* lines of one graph: more cannot be told apart in a mail */
#define GRAPH_POINTS_MAX  120u /* points of one line */
#define GRAPH_SPARK_MAX   24u  /* columns of a sparkline */
#define GRAPH_PNG_MAX     ((size_t)64 << 10) /* bytes; what is drawn takes 5-15 KiB */
#define GRAPH_PNG_GOOD    ((size_t)15 << 10) /* bytes a picture should not exceed */
#define GRAPH_SPEC_MAX    ((size_t)8 << 10)  /* bytes of a spec */
#define GRAPH_TOP_MAX     5u
#define GRAPH_DEADLINE_MS 2000 /* from submit to on_done */
#define GRAPH_WIDTH       600u
#define GRAPH_HEIGHT      200u

/* Marks in a payload: the byte 0x01 and one of these. In JSON the byte may also stand escaped, as
 * the six characters \u0001. */
#define GRAPH_MARK_BYTE  '\001'
#define GRAPH_MARK_SPARK '1' /* "▁▁▂▂▃▅▇██ 34 % → 100 % in 1h" */
#define GRAPH_MARK_TOP   '2' /* "route=/api 41 %, route=/search 12 %" */
#define GRAPH_MARK_PNG   '3' /* the PNG in base64, lines of 76 characters with CRLF */
#define GRAPH_MARK_IF    '8' /* from here to GRAPH_MARK_END is kept only when there is a PNG: */
#define GRAPH_MARK_END   '9' /* a MIME part, an <img>; sections do not nest */

struct graph_series {
	struct str label; /* what tells the lines apart, "pool=orders"; may be empty */
	const double *v;  /* n values; NaN: a gap */
};

struct graph_points {
	int64_t t0_ms, step_ms;
	size_t n; /* points of each series; 0: nothing is known */
	struct graph_series series[GRAPH_SERIES_MAX];
	size_t n_series;
	double threshold;              /* NaN: none */
	char op[3];                    /* ">", ...: the bad side of the threshold; "" when none */
	int64_t fired_ms, resolved_ms; /* 0: not (yet) */
	struct unit unit;
};

struct graph_offender {
	struct str label; /* "route=/api" */
	double value;
};

/* What a source found out; owns its memory: graph_free. */
struct graph_answer {
	struct arena arena;
	struct graph_points points;
	struct graph_offender top[GRAPH_TOP_MAX];
	size_t n_top;
	struct unit top_unit;
	struct str title; /* of the picture: the alert's name and place */
	/* Drawn on the worker already, when the request wanted it: PNG bytes. */
	struct str png;
};

void graph_free(struct graph_answer *g);

/* --- asking (agent/graph_source.c answers; tests answer themselves) --- */

struct message;
struct graph_request {
	struct str spec; /* as graph_spec wrote it; the asker's, until on_done */
	bool want_png;
	int64_t now_ms; /* wall: the right edge */
	/* The answer, on the source's thread, exactly once for every submit that returned true, at
	 * most GRAPH_DEADLINE_MS later. graph is NULL when there is none; else now the asker's. */
	void (*on_done)(struct graph_request *req, struct graph_answer *take_graph);
	void *arg;
};

struct graph_source {
	void *ctx;
	/* Takes the request until on_done; false when it is busy or stopped: go on without. A NULL
	 * function is a source that is always busy. Any thread. */
	bool (*submit)(void *ctx, struct graph_request *req);
};

/* What a source needs to know about a message, as JSON of at most GRAPH_SPEC_MAX bytes: to be
 * stored with the row. Nothing is written when no graph can be had (no expression: an alert that
 * came from elsewhere). */
void graph_spec(const struct message *m, struct buf *out);

/* --- drawing: pure, any thread --- */

/* At most GRAPH_SPARK_MAX columns of ▁▂▃▄▅▆▇█ for the first series from its first point on, gaps
 * as blanks, and behind them first → last value, in the series' unit, and over how long. Nothing
 * without points, or with none but the present one. */
void graph_sparkline(const struct graph_points *p, struct buf *out);
/* "route=/api 41 %, route=/search 12 %". */
void graph_top_print(const struct graph_answer *g, struct buf *out);
/* An 8-bit palette or RGB PNG with its own background (it holds in dark mode): lines, threshold,
 * when it fired and ended, times in UTC. width 200..2000, height 100..1000. ERR_INPUT without
 * points. */
int graph_png(const struct graph_points *p, struct str title, unsigned width, unsigned height,
	struct buf *out, struct err *e) MUST_CHECK;
/* Fills g->png: as sharp as GRAPH_PNG_GOOD bytes allow. Left empty when it cannot be drawn. */
void graph_draw(struct graph_answer *g);
/* What stands for the picture where pictures are not shown: "cpu: 34 % at 13:02 ... ". */
void graph_alt(const struct graph_answer *g, struct buf *out);

/* How the text around a mark is encoded, so that what replaces it is too. In quoted-printable the
 * marks stand as raw bytes, and soft line breaks are put around what is filled in. */
enum graph_escape {
	GRAPH_PLAIN,
	GRAPH_HTML,
	GRAPH_JSON,        /* inside a JSON string */
	GRAPH_JSON_MRKDWN, /* the same, and & < > as Slack wants them */
	GRAPH_QP,          /* text/plain in quoted-printable */
	GRAPH_QP_HTML      /* text/html in quoted-printable */
};
/* body with every mark replaced, into out; by nothing where g (or what the mark asks for) is
 * missing: then a line that held nothing but the mark goes as well. */
void graph_fill(
	struct str body, const struct graph_answer *g, enum graph_escape how, struct buf *out);
/* Whether body holds the mark. */
bool graph_has_mark(struct str body, char mark);

#endif
