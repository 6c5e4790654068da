/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - belfry check config [--strict] [--alertmanager[=VERSION]] FILE: exit code 0
 * fine, 1 wrong, 2 usage, 3 lint with --strict (promtool's name for it, --lint-fatal, is taken
 * too).
 *
 * With --alertmanager the file must be one that both can run: belfry, and the Alertmanager of that
 * version (0.33 when none is given).
 */
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/config_lint.h"
#include "base/limits.h"
#include "rules/rules.h"

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

struct asked {
	struct config_flags flags;
	bool fatal;
	const char *path;
};

static void say_fine(
	const struct asked *asked, const struct config *c, const struct rule_set *rules)
{
	size_t n = rule_set_count(rules);

	if (asked->flags.alertmanager_minor != 0) {
		(void)printf("%s: fine for Alertmanager 0.%u too; %zu receiver%s\n", asked->path,
			asked->flags.alertmanager_minor, c->notify.n_receivers,
			plural(c->notify.n_receivers));
		return;
	}
	(void)printf("%s: fine; %zu scrape job%s, %zu rule%s in %zu file%s and %zu pack%s, %zu "
		     "receiver%s\n",
		asked->path, c->scrape.n_jobs, plural(c->scrape.n_jobs), n, plural(n),
		c->n_rule_files, plural(c->n_rule_files), c->n_packs, plural(c->n_packs),
		c->notify.n_receivers, plural(c->notify.n_receivers));
}

#define NEWEST_MINOR 34u
#define USUAL_MINOR  33u

/* "0.33" or "0.33.1": 33; 0 for anything but a version whose keys are known. */
static unsigned minor_of(const char *text)
{
	for (unsigned minor = USUAL_MINOR; minor <= NEWEST_MINOR; minor++) {
		char known[16];
		size_t n;

		(void)snprintf(known, sizeof known, "0.%u", minor);
		n = strlen(known);
		if (strncmp(text, known, n) == 0 && (text[n] == '\0' || text[n] == '.'))
			return minor;
	}
	return 0;
}

static bool read_args(int argc, char **argv, struct asked *out)
{
	static const char option[] = "--alertmanager";

	for (int i = 1; i < argc; i++) {
		const char *s = argv[i], *value = s + sizeof option - 1;
		bool ours = strncmp(s, option, sizeof option - 1) == 0;

		if (strcmp(s, "--lint-fatal") == 0 || strcmp(s, "--strict") == 0)
			out->fatal = true;
		else if (ours && (*value == '\0' || *value == '='))
			out->flags.alertmanager_minor =
				*value == '\0' ? USUAL_MINOR : minor_of(value + 1);
		else if (strncmp(s, "--", 2) == 0 || out->path != NULL)
			return false;
		else
			out->path = s;
		if (ours && out->flags.alertmanager_minor == 0) {
			(void)fprintf(stderr, "only Alertmanager 0.%u and 0.%u can be asked for\n",
				USUAL_MINOR, NEWEST_MINOR);
			return false;
		}
	}
	return out->path != NULL;
}

int config_check_main(int argc, char **argv)
{
	struct asked asked = {.flags = {.check = true}};
	struct rule_set *rules = NULL;
	struct config *c;
	struct arena a;
	struct buf out;
	struct diag *d;
	size_t errors, lints = 0;

	if (!read_args(argc, argv, &asked)) {
		(void)fprintf(stderr, "usage: belfry check config [--strict] "
				      "[--alertmanager[=VERSION]] FILE\n");
		return 2;
	}
	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, (size_t)1 << 20);
	d = diag_new(&a);
	c = config_load(asked.path, &asked.flags, d);
	if (c != NULL) /* the rules it names are a part of it */
		rules = rule_set_load_with(c->rule_files, c->n_rule_files, c->packs, c->n_packs,
			c->query_experimental, d, &a);
	errors = diag_errors(d);
	if (errors == 0 && c != NULL)
		lints = config_lint(c, rules, d, &a);
	diag_print(d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	if (c != NULL && rules != NULL)
		say_fine(&asked, c, rules);
	else
		(void)fprintf(stderr, "%zu error%s, %zu warning%s\n", errors, plural(errors),
			diag_warnings(d), plural(diag_warnings(d)));
	rule_set_free(rules);
	config_free(c);
	buf_fini(&out);
	arena_fini(&a);
	if (errors > 0)
		return 1;
	return lints > 0 && asked.fatal ? 3 : 0;
}
