/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_lint - what is probably not meant in rules that load: problems ("lint: ...", fatal with
 * --strict) and advice ("hint: ...").
 */
#ifndef BELFRY_RULES_RULE_LINT_H
#define BELFRY_RULES_RULE_LINT_H

#include "rules/promql/ast.h"
#include "rules/rule_set.h"

struct lint {
	struct diag *d; /* everything is a warning there */
	struct arena *a;
	bool no_hints;  /* problems only */
	bool all_rules; /* the set is all that is evaluated: what nobody records is missing */
	size_t problems, hints;
	/* the rule looked at */
	const struct rule_group_def *g;
	const struct rule_def *r;
	const struct yaml_node *expr; /* where its expression stands */
	bool others_severe;           /* alerts of the set have a label severity */
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
/* rule_lint_labels.c */
/* Whether an element of x may have this label. False is certain. */
bool lint_may_have(const struct pq_expr *x, struct str label);
/* Templates of the rule that name a label which the expression has not. */
void lint_texts(struct lint *l);

#endif
