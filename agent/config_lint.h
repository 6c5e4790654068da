/* SPDX-License-Identifier: Apache-2.0 */
/* config_lint - what is probably not meant in a configuration that loads. */
#ifndef BELFRY_AGENT_CONFIG_LINT_H
#define BELFRY_AGENT_CONFIG_LINT_H

#include "agent/config.h"
#include "rules/rule_set.h"

/* A line "PATH: lint: ..." for each problem, and what `belfry check rules` says of the rules; how
 * many problems. rules: NULL is fine; d and scratch are those of its loading. */
size_t config_lint(const struct config *c, const struct rule_set *rules, struct diag *d,
	struct arena *scratch, struct buf *out);

#endif
