/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_refusal - what the store refuses of a group's samples: counted one by one, told once when it
 * begins and once when it is over, not with every evaluation.
 *
 * Batches under way hold a reference: a group may be gone when the store answers.
 */
#ifndef BELFRY_RULES_RULE_REFUSAL_H
#define BELFRY_RULES_RULE_REFUSAL_H

#include "base/str.h"

struct batch_result;
struct rule_refusals;

struct rule_refusals *rule_refusals_new(struct str group);
struct rule_refusals *rule_refusals_ref(struct rule_refusals *x);
void rule_refusals_unref(struct rule_refusals *x); /* any thread */
/* What the store said to a batch of `rows`. Any thread. */
void rule_refusals_take(struct rule_refusals *x, const struct batch_result *res, size_t rows);
/* An evaluation begins; the evaluator. The one before is over, and so is the refusing when the
 * store took all of it. */
void rule_refusals_turn(struct rule_refusals *x);

#endif
