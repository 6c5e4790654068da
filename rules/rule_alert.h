/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_alert - what the files of the alerting rules share: candidates of one evaluation and the
 * expansion of their labels and annotations.
 */
#ifndef BELFRY_RULES_RULE_ALERT_H
#define BELFRY_RULES_RULE_ALERT_H

#include "rules/rule_group.h"

/* rule_expand.c: fills templates in; a template that fails gives its error as text. */
struct expander {
	const struct rule_def *def;
	const struct rule_env *env;
	struct arena *a;
	struct template_rule_data data;
	int64_t interval_ms;
};
void expander_init(struct expander *x, const struct rule *r, const struct rule_group *g,
	const struct rule_env *env, struct arena *a, int64_t slot_ms);
/* Labels of the alert of a sample; data.labels, data.value and data.hist must be set. */
struct labels expand_labels(struct expander *x, struct labels sample);
struct labels expand_annotations(struct expander *x);
/* belfry_top; STR_NULL when the rule has none. */
struct str expand_top(struct expander *x);

/* An alert that this evaluation shows. */
struct candidate {
	struct alert *alert;  /* NULL: a new one */
	struct labels sample; /* of the result's element */
	uint64_t sample_hash;
	struct labels labels; /* of a new one */
	uint64_t fingerprint;
	struct labels annotations; /* when `noted` */
	struct str top;
	bool noted;
	double value;
};

struct alert *alert_find(const struct rule *r, uint64_t fingerprint, struct labels ls);
/* By the labels of a sample: NULL when none is known to come from it. */
struct alert *alert_of_sample(const struct rule *r, struct labels sample, uint64_t hash);
/* The alert of this sample, found by its labels and remembered; NULL when there is none. */
struct alert *alert_by_sample(struct rule *r, struct expander *x, struct labels sample);
void alert_remember_sample(struct rule *r, struct alert *al, struct labels sample, uint64_t hash);
/* Samples are told apart without the metric's name, which alerts do not have either. */
uint64_t sample_hash(struct labels ls);
bool sample_eq(struct labels a, struct labels b);
/* Complete c: find its alert, expand what must be expanded. x->data is set. */
void candidate_fill(struct rule *r, struct expander *x, struct candidate *c);

/* rule_clear.c: belfry_clear_if. Sets `held` of firing alerts that were not seen. */
int clear_eval(struct rule *r, const struct rule_group *g, struct expander *x, int64_t t_ms,
	int64_t slot_ms, struct err *e) MUST_CHECK;

/* rule_absent.c: belfry_absent_after. Candidates are what is missed; v has room for
 * absent_count() + 1 of them. */
int absent_eval(struct rule *r, const struct rule_group *g, struct expander *x, int64_t t_ms,
	const struct pq_result *res, struct candidate **v, size_t *n, struct err *e) MUST_CHECK;
void absent_free(struct absent *ab);
struct absent *absent_new(void);
void absent_shift(struct absent *ab, int64_t back_ms);
/* Label sets to be stored or forgotten: into *list (in a); 0 when there are none. */
size_t absent_changes(
	const struct rule *r, const struct absent *ab, struct arena *a, struct alert_seen **list);
/* Bytes the changes take, about. */
size_t absent_change_bytes(const struct absent *ab);
void absent_told(struct absent *ab);
/* The rule is gone or no longer one of this kind: the next changes forget all that is stored. */
void absent_forget_all(struct absent *ab);

#endif
