/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_set - rule files as parsed and checked: groups of rules with their expressions and
 * templates.
 *
 * Format: Prometheus's rule files (groups: name, interval, limit, query_offset, labels, rules).
 * Immutable after loading; owns one arena.
 */
#ifndef BELFRY_RULES_RULE_SET_H
#define BELFRY_RULES_RULE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/labels.h"
#include "rules/promql/engine.h"
#include "rules/rules.h"
#include "rules/template.h"

struct rule_text { /* a label or annotation whose value is a template */
	struct str name;
	struct str text;
	const struct template *t; /* NULL: plain text without actions */
};

struct rule_def {
	bool is_alert;
	struct str name;      /* alert or record */
	struct str expr_text; /* as written */
	struct str query;     /* canonical, as the API shows it */
	const struct pq_expr *expr;
	const struct pq_expr *side; /* compared side, NULL when there is no threshold */
	double threshold;
	char op[3];
	int64_t for_ms, keep_firing_for_ms;
	const struct rule_text *labels, *annotations; /* the group's labels are among them */
	size_t n_labels, n_annotations;
	struct str key; /* identity in state.db: file;group;name;hash of expression and labels */
	unsigned line;
};

struct rule_group_def {
	struct str file, name;
	struct str key;          /* file;name */
	int64_t interval_ms;     /* 0: the default */
	int64_t query_offset_ms; /* -1: the default */
	uint64_t limit;
	const struct rule_def *rules;
	size_t n;
};

struct rule_set {
	struct arena arena;
	const struct rule_group_def *groups;
	size_t n;
	size_t n_rules;
};

#endif
