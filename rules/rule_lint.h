/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_lint - what is probably not meant in rules that load: problems ("lint: ...", fatal with
 * --lint-fatal) and advice ("hint: ...").
 */
#ifndef BELFRY_RULES_RULE_LINT_H
#define BELFRY_RULES_RULE_LINT_H

#include "rules/promql/ast.h"
#include "rules/rule_set.h"

struct lint {
	struct diag *d; /* everything is a warning there */
	struct arena *a;
	bool no_hints; /* problems only */
	size_t problems, hints;
	/* the rule looked at */
	const struct rule_group_def *g;
	const struct rule_def *r;
	const struct yaml_node *expr; /* where its expression stands */
};

/* All rules of the set; the scratch arena of loading must still live. */
void rule_lint(struct lint *l, const struct rule_set *rs);

/* At a part of the rule's expression. */
void lint_problem(struct lint *l, const struct pq_expr *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void lint_hint(struct lint *l, const struct pq_expr *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* rule_lint_expr.c: one rule's expression. */
void lint_expr(struct lint *l);
/* rule_lint_values.c */
/* The values an expression can have: lo..hi; NaN aside. */
struct lint_range {
	double lo, hi;
};
struct lint_range lint_values(const struct pq_expr *x);
/* The part of x that can never have an element, or NULL. */
const struct pq_expr *lint_never(const struct pq_expr *x);
/* Whether two vectors cannot be matched, as their label names differ for certain. */
bool lint_labels_differ(const struct pq_expr *a, const struct pq_expr *b);

#endif
