/* SPDX-License-Identifier: Apache-2.0 */
/* config_lint_private - what the files of config_lint share. */
#ifndef BELFRY_AGENT_CONFIG_LINT_PRIVATE_H
#define BELFRY_AGENT_CONFIG_LINT_PRIVATE_H

#include "agent/config_load.h"

struct config_linter {
	const struct config *c;
	const struct conf_root *root; /* as it was read: with places */
	struct diag *d;
	size_t n; /* problems */
};

void config_lint_problem(struct config_linter *l, struct diag_pos at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool config_lint_same_matcher(const struct matcher *a, const struct matcher *b);
/* config_lint_route.c */
void config_lint_routes(struct config_linter *l);

#endif
