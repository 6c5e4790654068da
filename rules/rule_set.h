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
#include "base/diag.h"
#include "base/labels.h"
#include "rules/promql/engine.h"
#include "rules/rules.h"
#include "rules/template.h"

struct yaml_node;

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
	/* belfry_ annotations (rule_notes.c); they are among `annotations` too */
	const struct pq_expr *clear;      /* belfry_clear_if, or NULL */
	const struct pq_expr *clear_side; /* its compared side, or NULL */
	int64_t absent_after_ms;          /* belfry_absent_after; 0: an ordinary rule */
	const struct rule_text *top;      /* belfry_top, or NULL */
	/* nothing but the sample's labels decides about the alert's labels; annotations */
	bool steady_labels, steady_notes;
	struct str key; /* identity in state.db: file;group;name;hash of expression and labels */
	unsigned line;
	/* The rule's map in the file: for lint, valid as long as the scratch arena of loading. */
	const struct yaml_node *node;
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

/* rule_notes.c: the belfry_ annotations of an alerting rule whose other parts are loaded; mistakes
 * are told with their place inside the annotation. */
void rule_notes_load(struct rule_def *r, const struct yaml_node *annotations, bool experimental,
	struct arena *a, struct diag *d);
/* Whether this annotation is belfry's own: never sent to receivers. */
static inline bool rule_note_is_ours(struct str name)
{
	return str_starts(name, STR("belfry_"));
}
/* Every selector that evaluating the rule reads. */
void rule_def_selectors(const struct rule_def *r,
	void (*fn)(const struct matcher *m, size_t n, void *arg), void *arg);

#endif
