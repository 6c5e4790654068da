/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template - Go text/template as rules and notifications use it, bounded in steps and output.
 *
 * template_parse once (errors carry e->off), template_run many times. Data is a tree of template
 * values.
 */
#ifndef BELFRY_RULES_TEMPLATE_H
#define BELFRY_RULES_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "rules/template_value.h"

struct template;
struct hist;

/* One element of what `query` answers. */
struct template_sample {
	struct labels labels;
	double value;
	const struct hist *h; /* NULL: a float */
};

/* What $labels, $value, $externalLabels, $externalURL stand for in a rule, and how `query` is
 * answered. */
struct template_rule_data {
	struct labels labels, external_labels;
	struct str external_url;
	double value;
	const struct hist *hist; /* $value when it is a native histogram; else NULL */
	int64_t now_ms;
	/* query function: fills an arena array of samples; NULL: query fails. */
	int (*query)(void *ctx, struct str expr, int64_t at_ms, struct arena *a,
		struct template_sample **samples, size_t *n, struct err *e);
	void *query_ctx;
};

/* A rule's text. */
struct template *template_parse(struct arena *a, struct str text, struct err *e) MUST_CHECK;
/* Output goes to out; -1 and *e when execution failed. Memory for values from `scratch`. */
int template_run_rule(const struct template *t, const struct template_rule_data *d,
	struct arena *scratch, struct buf *out, struct err *e) MUST_CHECK;

/* --- notifications: exporters/notify_template.c --- */

/* Definitions that several texts share. Filled while one thread loads, then immutable. */
struct template_set;
struct template_set *template_set_new(struct arena *a);
/* All definitions of a text replace those of their names that are there; the text itself is the
 * definition of the file's name (its last part). ours: these are belfry's. */
int template_set_add(struct template_set *s, struct str file, struct str text, bool ours,
	struct err *e) MUST_CHECK;
/* The definition that runs under this name is not belfry's, or it calls such a one (other than
 * those in `besides`, n of them). */
bool template_set_redefined(
	const struct template_set *s, struct str name, const struct str *besides, size_t n);
/* A text that may call the set's definitions. */
struct template *template_parse_in(
	const struct template_set *s, struct arena *a, struct str text, struct err *e) MUST_CHECK;

struct template_notify_run {
	struct tv data;
	int64_t now_ms;
	struct labels route_labels;
	bool route_rendered; /* their values are no templates any more */
	bool html;           /* escape by context */
	uint64_t max_steps;
	int64_t max_ns; /* of real time */
};
int template_run_notify(const struct template *t, const struct template_notify_run *r,
	struct arena *scratch, struct buf *out, struct err *e) MUST_CHECK;

/* The functions alone, for messages: 0.1 -> "10%", 1234567 -> "1.235M", 3725 -> "1h 2m 5s". */
void humanize(struct buf *b, double v);
void humanize_1024(struct buf *b, double v);
void humanize_duration(struct buf *b, double seconds);
void humanize_percentage(struct buf *b, double v);

#endif
