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

struct template *template_parse(struct arena *a, struct str text, struct err *e) MUST_CHECK;
/* Output goes to out; -1 and *e when execution failed. Memory for values from `scratch`. */
int template_run_rule(const struct template *t, const struct template_rule_data *d,
	struct arena *scratch, struct buf *out, struct err *e) MUST_CHECK;
/* The functions alone, for messages: 0.1 -> "10%", 1234567 -> "1.235M", 3725 -> "1h 2m 5s". */
void humanize(struct buf *b, double v);
void humanize_1024(struct buf *b, double v);
void humanize_duration(struct buf *b, double seconds);
void humanize_percentage(struct buf *b, double v);

#endif
