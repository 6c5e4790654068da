/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - belfry's own counters and gauges, exposed at /metrics and stored by `self`.
 *
 * A cell is made once (usually in an x_init or through the static handle of METRIC_COUNTER) and
 * lives as long as the process; making the same name and labels again returns the same cell.
 * Updates are relaxed atomics: any thread, no lock. Names: belfry_<part>_<what>_<unit>[_total].
 */
#ifndef BELFRY_BASE_METRICS_H
#define BELFRY_BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct metric;

/* `labels` is rendered text (reason="bad_line") or NULL; strings must be constants. Never NULL:
 * over LIMIT_SELF_METRICS a shared overflow cell is returned. */
struct metric *metric_counter(const char *name, const char *help, const char *labels);
struct metric *metric_gauge(const char *name, const char *help, const char *labels);
/* Labels with a value known at run time (receiver, rule group): the text is copied. */
struct metric *metric_counter_l(
	const char *name, const char *help, const char *label, struct str value);
struct metric *metric_gauge_l(
	const char *name, const char *help, const char *label, struct str value);
/* `labels` as rendered text that is copied. */
struct metric *metric_counter_text(const char *name, const char *help, struct str labels);
/* A gauge or counter whose value is asked for when it is exposed; fn must be quick and thread-safe.
 * fn NULL unregisters (a closed part must do this). */
void metric_gauge_fn(
	const char *name, const char *help, const char *labels, double (*fn)(void *arg), void *arg);
void metric_counter_fn(
	const char *name, const char *help, const char *labels, double (*fn)(void *arg), void *arg);

void metric_inc(struct metric *m);
void metric_add(struct metric *m, uint64_t n); /* counters */
void metric_addf(struct metric *m, double v);  /* counters of seconds and bytes, gauges */
void metric_set(struct metric *m, double v);   /* gauges */
double metric_get(const struct metric *m);

/* All of them as exposition text 0.0.4, sorted by name, HELP and TYPE once a family. */
void metrics_write(struct buf *out);

/* Every cell with its value, in no order: `labels` is rendered text, "" when there are none. fn
 * must not make or write metrics. */
void metrics_each(void (*fn)(const char *name, const char *labels, double v, void *arg), void *arg);

/* Count a drop: belfry_<part>_dropped_total{reason="..."}; part and reason are constants. */
#define METRIC_DROP(part, reason_, n)                                                              \
	do {                                                                                       \
		static struct metric *_Atomic cell_;                                               \
		struct metric *c_ = cell_;                                                         \
		if (c_ == NULL)                                                                    \
			cell_ = c_ = metric_counter("belfry_" part "_dropped_total",               \
				"What was dropped or refused, by reason.",                         \
				"reason=\"" reason_ "\"");                                         \
		metric_add(c_, (n));                                                               \
	} while (0)
/* Count a hit of a limit: belfry_limit_hits_total{limit="..."}. */
#define METRIC_LIMIT(limit_)                                                                       \
	do {                                                                                       \
		static struct metric *_Atomic cell_;                                               \
		struct metric *c_ = cell_;                                                         \
		if (c_ == NULL)                                                                    \
			cell_ = c_ = metric_counter("belfry_limit_hits_total",                     \
				"How often a bound was hit.", "limit=\"" limit_ "\"");             \
		metric_inc(c_);                                                                    \
	} while (0)

#endif
