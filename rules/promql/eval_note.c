/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_note - warnings and infos about a query that was answered all the same; see eval.h.
 *
 * Each text is kept once and there are few of them, but they may be given at every step of every
 * series: the latest keys are remembered, so that a repetition costs no formatting.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/f64.h"
#include "rules/promql/eval.h"

#define NOTE_MAX 1024u

static bool seen_lately(struct ev *ev, const void *at, const void *what, const void *name)
{
	for (size_t i = 0; i < EV_NOTE_KEYS; i++) {
		if (ev->recent[i].at == at && ev->recent[i].what == what &&
			ev->recent[i].name == name)
			return true;
	}
	ev->recent[ev->next_recent].at = at;
	ev->recent[ev->next_recent].what = what;
	ev->recent[ev->next_recent].name = name;
	ev->next_recent = (ev->next_recent + 1) % EV_NOTE_KEYS;
	return false;
}

static void keep(struct ev *ev, bool warning, struct str text)
{
	struct str *list = warning ? ev->warnings : ev->infos;
	size_t *n = warning ? &ev->n_warnings : &ev->n_infos;

	for (size_t i = 0; i < *n; i++) {
		if (str_eq(list[i], text))
			return;
	}
	if (*n < LIMIT_ANNOTATIONS) {
		list[*n] = arena_str(ev->a, text);
		if (list[*n].p != NULL)
			(*n)++;
	}
}

void ev_note(struct ev *ev, bool warning, const struct pq_expr *at, const char *what,
	struct str name, const char *fmt, ...)
{
	unsigned line = 1, column = 1;
	struct buf b;
	va_list ap;

	if ((warning ? ev->n_warnings : ev->n_infos) == LIMIT_ANNOTATIONS)
		return;
	if (seen_lately(ev, at, what, name.p))
		return;
	buf_init(&b, NOTE_MAX);
	buf_c(&b, warning ? "PromQL warning: " : "PromQL info: ");
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	pq_line_col(ev->root->source, at->off, &line, &column);
	buf_printf(&b, " (%u:%u)", line, column);
	if (!b.failed)
		keep(ev, warning, buf_view(&b));
	buf_fini(&b);
}

enum name_part { NO_NAME, METRIC_NAME, METRIC_NAME_IF_ANY, PLAIN_NAME };

static const struct {
	bool warning;
	enum name_part name;
	const char *text;
} said[] = {
	[SAID_MIXED_FLOATS] = {EV_WARNING, METRIC_NAME,
		"encountered a mix of histograms and floats"},
	[SAID_MIXED_FLOATS_AGG] = {EV_WARNING, NO_NAME,
		"encountered a mix of histograms and floats for aggregation"},
	[SAID_MIXED_SCHEMAS] = {EV_WARNING, METRIC_NAME,
		"vector contains a mix of histograms with exponential and custom buckets schemas"},
	[SAID_NOT_COUNTER] = {EV_WARNING, PLAIN_NAME,
		"this native histogram metric is not a counter:"},
	[SAID_NOT_GAUGE] = {EV_WARNING, PLAIN_NAME, "this native histogram metric is not a gauge:"},
	[SAID_IGNORED_IN_RANGE] = {EV_INFO, METRIC_NAME,
		"histograms were left out of a range that holds floats too"},
	[SAID_COLLISION_AGG] = {EV_WARNING, NO_NAME,
		"conflicting counter resets during histogram aggregation"},
	[SAID_COLLISION_ADD] = {EV_WARNING, NO_NAME,
		"conflicting counter resets during histogram addition"},
	[SAID_COLLISION_SUB] = {EV_WARNING, NO_NAME,
		"conflicting counter resets during histogram subtraction"},
	[SAID_RECONCILED_AGG] = {EV_INFO, NO_NAME,
		"mismatched custom buckets were reconciled during aggregation"},
	[SAID_RECONCILED_ADD] = {EV_INFO, NO_NAME,
		"mismatched custom buckets were reconciled during addition"},
	[SAID_RECONCILED_SUB] = {EV_INFO, NO_NAME,
		"mismatched custom buckets were reconciled during subtraction"},
	[SAID_SORT_IN_RANGE] = {EV_WARNING, NO_NAME,
		"sort is ineffective for range queries since results are always ordered by labels"},
	[SAID_START_OVERLAP] = {EV_WARNING, PLAIN_NAME,
		"sample has start time that overlaps with previous sample timestamp for metric"},
	[SAID_NON_COUNTER] = {EV_INFO, PLAIN_NAME,
		"rate of what may be no counter (its name ends in none of _total, _sum, _count, "
		"_bucket):"},
	[SAID_QUANTILE_NAN] = {EV_INFO, METRIC_NAME_IF_ANY,
		"input to histogram_quantile has NaN observations, result is NaN"},
	[SAID_QUANTILE_SKEW] = {EV_INFO, METRIC_NAME_IF_ANY,
		"input to histogram_quantile has NaN observations, result is skewed higher"},
	[SAID_FRACTION_NAN] = {EV_INFO, METRIC_NAME_IF_ANY,
		"input to histogram_fraction has NaN observations, which are excluded from all "
		"fractions"},
	[SAID_CLASSIC_AND_NATIVE] = {EV_WARNING, METRIC_NAME_IF_ANY,
		"vector contains a mix of classic and native histograms"},
};

void ev_say(struct ev *ev, enum ev_said what, const struct pq_expr *at, struct str name)
{
	const char *text = said[what].text;
	enum name_part part = said[what].name;

	if (part == METRIC_NAME_IF_ANY && name.n == 0)
		part = NO_NAME;
	if (part == NO_NAME)
		ev_note(ev, said[what].warning, at, text, STR_NULL, "%s", text);
	else
		ev_note(ev, said[what].warning, at, text, name, "%s %s\"" STR_FMT "\"", text,
			part == PLAIN_NAME ? "" : "for metric name ", STR_ARG(name));
}

void ev_say_quantile(struct ev *ev, double q, const struct pq_expr *at)
{
	struct buf b;

	buf_init(&b, 64);
	f64_print_g(&b, q);
	ev_note(ev, EV_WARNING, at, NULL, STR_NULL,
		"quantile value should be between 0 and 1, got " STR_FMT, STR_ARG(buf_view(&b)));
	buf_fini(&b);
}

const struct str *ev_copy_notes(struct ev *ev, const struct str *list, size_t n)
{
	struct str *v = ARENA_ARRAY(ev->a, n, struct str);

	for (size_t i = 0; v != NULL && i < n; i++)
		v[i] = list[i];
	return v;
}
