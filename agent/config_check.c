/* SPDX-License-Identifier: Apache-2.0 */
/* config_check - belfry check config FILE: exit code 0 fine, 1 wrong, 2 usage. */
#include <stdio.h>

#include "agent/config.h"
#include "base/limits.h"
#include "rules/rules.h"

int config_check_main(int argc, char **argv)
{
	struct rule_set *rules = NULL;
	struct config *c;
	struct arena a;
	struct buf out;
	struct diag *d;
	size_t errors;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: belfry check config FILE\n");
		return 2;
	}
	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, (size_t)1 << 20);
	d = diag_new(&a);
	c = config_load(argv[1], NULL, d);
	if (c != NULL) /* the rules it names are a part of it */
		rules = rule_set_load(c->rule_files, c->n_rule_files, c->query_experimental, d, &a);
	errors = diag_errors(d);
	diag_print(d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	if (errors > 0)
		(void)fprintf(stderr, "%zu error%s, %zu warning%s\n", errors,
			errors == 1 ? "" : "s", diag_warnings(d), diag_warnings(d) == 1 ? "" : "s");
	else
		(void)printf(
			"%s: fine; %zu scrape job%s, %zu rule%s in %zu file%s, %zu receiver%s\n",
			argv[1], c->scrape.n_jobs, c->scrape.n_jobs == 1 ? "" : "s",
			rule_set_count(rules), rule_set_count(rules) == 1 ? "" : "s",
			c->n_rule_files, c->n_rule_files == 1 ? "" : "s", c->notify.n_receivers,
			c->notify.n_receivers == 1 ? "" : "s");
	rule_set_free(rules);
	config_free(c);
	buf_fini(&out);
	arena_fini(&a);
	return errors > 0 ? 1 : 0;
}
