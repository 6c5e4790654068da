/* SPDX-License-Identifier: Apache-2.0 */
/* config_check - belfry check config [--lint-fatal] FILE: exit code 0 fine, 1 wrong, 2 usage, 3
 * lint with --lint-fatal. */
#include <stdio.h>

#include "agent/config.h"
#include "agent/config_lint.h"
#include "base/limits.h"
#include "rules/rules.h"

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void say_fine(const char *path, const struct config *c, const struct rule_set *rules)
{
	size_t n = rule_set_count(rules);

	(void)printf("%s: fine; %zu scrape job%s, %zu rule%s in %zu file%s and %zu pack%s, %zu "
		     "receiver%s\n",
		path, c->scrape.n_jobs, plural(c->scrape.n_jobs), n, plural(n), c->n_rule_files,
		plural(c->n_rule_files), c->n_packs, plural(c->n_packs), c->notify.n_receivers,
		plural(c->notify.n_receivers));
}

int config_check_main(int argc, char **argv)
{
	static const struct config_flags flags = {.check = true};
	struct rule_set *rules = NULL;
	struct config *c;
	struct arena a;
	struct buf out;
	struct diag *d;
	size_t errors, lints = 0;
	bool fatal = argc > 1 && strcmp(argv[1], "--lint-fatal") == 0;
	const char *path = argv[fatal ? 2 : 1];

	if (argc != (fatal ? 3 : 2)) {
		(void)fprintf(stderr, "usage: belfry check config [--lint-fatal] FILE\n");
		return 2;
	}
	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, (size_t)1 << 20);
	d = diag_new(&a);
	c = config_load(path, &flags, d);
	if (c != NULL) /* the rules it names are a part of it */
		rules = rule_set_load_with(c->rule_files, c->n_rule_files, c->packs, c->n_packs,
			c->query_experimental, d, &a);
	errors = diag_errors(d);
	if (errors == 0 && c != NULL)
		lints = config_lint(c, rules, d, &a, &out);
	diag_print(d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	if (c != NULL && rules != NULL)
		say_fine(path, c, rules);
	else
		(void)fprintf(stderr, "%zu error%s, %zu warning%s\n", errors, plural(errors),
			diag_warnings(d), plural(diag_warnings(d)));
	rule_set_free(rules);
	config_free(c);
	buf_fini(&out);
	arena_fini(&a);
	if (errors > 0)
		return 1;
	return lints > 0 && fatal ? 3 : 0;
}
