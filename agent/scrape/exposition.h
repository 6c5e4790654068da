/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition - reader of scraped pages: text format 0.0.4 (with 1.0.0's quoted names) and
 * OpenMetrics 1.0, as strict as Prometheus, pulled an entry at a time.
 *
 * The hint makes it fast: a page mostly repeats the series of the page before in the same order.
 * The caller sets `hint` to the text of the series it expects; when the line begins with just that,
 * its labels are not read again and `hinted` is set. Nothing is allocated but for labels with
 * escapes. Views point into the page or into the reader's scratch and live until the next call.
 * Sources: Prometheus "Exposition formats"; the OpenMetrics specification 1.0.
 */
#ifndef BELFRY_AGENT_SCRAPE_EXPOSITION_H
#define BELFRY_AGENT_SCRAPE_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/limits.h"
#include "base/str.h"

enum expo_format { EXPO_TEXT, EXPO_OPENMETRICS };

enum expo_entry { EXPO_END, EXPO_ERROR, EXPO_SAMPLE, EXPO_TYPE, EXPO_HELP, EXPO_UNIT };

/* Types as metadata names them. */
enum expo_type {
	EXPO_UNKNOWN,
	EXPO_COUNTER,
	EXPO_GAUGE,
	EXPO_HISTOGRAM,
	EXPO_GAUGEHISTOGRAM,
	EXPO_SUMMARY,
	EXPO_INFO,
	EXPO_STATESET
};
const char *expo_type_name(enum expo_type t);

struct expo {
	enum expo_format format;
	const char *begin, *p, *end;
	struct str hint; /* the caller's, before each call; empty: none */

	/* EXPO_SAMPLE */
	struct str series;                     /* the text that names it: the key for caches */
	bool hinted;                           /* it is the hint: labels were not read */
	struct label labels[LIMIT_LABELS + 1]; /* as on the page; the name as __name__, first */
	size_t n_labels;
	double value; /* any NaN is the normal one */
	bool has_time;
	int64_t t_ms;

	/* EXPO_TYPE, EXPO_HELP, EXPO_UNIT */
	struct str metric, text; /* text unescaped */
	enum expo_type type;     /* the last TYPE: stays for the samples behind it */

	struct err err; /* EXPO_ERROR: off is the line number */
	struct arena scratch;
	bool ended; /* OpenMetrics: # EOF was read */
};

void expo_init(struct expo *x, enum expo_format format, struct str page);
void expo_fini(struct expo *x);
enum expo_entry expo_next(struct expo *x);
/* le of histograms and quantile of summaries as Prometheus 3 writes them: "1" -> "1.0". The
 * result is the value itself, or lives in the scratch. */
struct str expo_normal_value(struct expo *x, struct str name, struct str value);

/* --- between exposition.c and openmetrics.c --- */
enum expo_entry expo_next_openmetrics(struct expo *x);
enum expo_entry expo_fail(struct expo *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* At p: name and labels of a sample into series and labels. blanks: may stand between tokens. */
bool expo_read_series(struct expo *x, bool blanks);
/* Behind '{' up to and with '}'. For an exemplar nothing is kept. */
bool expo_read_labels(struct expo *x, bool blanks, bool exemplar);
bool expo_read_meta_name(struct expo *x, const char *what);
/* The hint stands at p and is a whole series: p moves behind it. */
bool expo_take_hint(struct expo *x);
/* A number by Go's rules without hexadecimal and underscores; sets the error. */
bool expo_read_float(struct expo *x, struct str text, double *out);
struct str expo_unescape(struct expo *x, struct str raw, bool quotes);

#endif
