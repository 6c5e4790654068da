/* SPDX-License-Identifier: Apache-2.0 */
/* config_lint - what is probably not meant in a configuration that loads. */
#ifndef BELFRY_AGENT_CONFIG_LINT_H
#define BELFRY_AGENT_CONFIG_LINT_H

#include "agent/config.h"
#include "rules/rule_set.h"

/* Warnings "lint: ..." at their places, and what `belfry check rules` says of the rules; how many
 * problems. rules: NULL is fine; d and scratch are those of loading c and rules. */
size_t config_lint(const struct config *c, const struct rule_set *rules, struct diag *d,
	struct arena *scratch);

#endif
