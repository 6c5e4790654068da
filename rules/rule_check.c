/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_check - belfry check rules [--strict] FILE...: what would a start with these files say?
 *
 * Exit codes: 0 fine, 1 errors, 2 usage, 3 lint found a problem and --strict (or
 * promtool's --lint-fatal) was given. Each
 * file is looked at alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "rules/rule_lint.h"
#include "rules/rules.h"

static void print_diag(const struct diag *d)
{
	struct buf out;

	buf_init(&out, (size_t)4 << 20);
	diag_print(d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	buf_fini(&out);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void say_fine(const char *path, const struct rule_set *rs, const struct lint *l)
{
	(void)printf("%s: %zu rule%s, ok", path, rule_set_count(rs), plural(rule_set_count(rs)));
	if (l->problems > 0)
		(void)printf(", %zu lint problem%s", l->problems, plural(l->problems));
	if (l->hints > 0)
		(void)printf(", %zu hint%s", l->hints, plural(l->hints));
	(void)putchar('\n');
}

/* False when the file is wrong. */
static bool check_file(const char *path, size_t *problems)
{
	struct str paths[] = {str_c(path)};
	struct rule_set *rs;
	struct lint l = {0};
	struct arena a;
	struct diag *d;
	bool ok;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	rs = rule_set_load(paths, 1, false, d, &a);
	ok = rs != NULL;
	if (ok) {
		l.d = d;
		l.a = &a;
		rule_lint(&l, rs);
		*problems += l.problems;
	}
	print_diag(d);
	if (ok)
		say_fine(path, rs, &l);
	else
		(void)printf("%s: %zu error%s\n", path, diag_errors(d), plural(diag_errors(d)));
	rule_set_free(rs);
	arena_fini(&a);
	return ok;
}

int rules_check_main(int argc, char **argv)
{
	bool ok = true, fatal = false;
	size_t problems = 0;
	int first = 1;

	for (; first < argc && argv[first][0] == '-' && argv[first][1] != '\0'; first++) {
		if (strcmp(argv[first], "--") == 0) {
			first++;
			break;
		}
		if (strcmp(argv[first], "--lint-fatal") != 0 &&
			strcmp(argv[first], "--strict") != 0) {
			(void)fprintf(
				stderr, "belfry check rules: unknown option %s\n", argv[first]);
			first = argc;
			break;
		}
		fatal = true;
	}
	if (first >= argc) {
		(void)fprintf(stderr, "usage: belfry check rules [--strict] FILE...\n");
		return 2;
	}
	for (int i = first; i < argc; i++)
		ok = check_file(argv[i], &problems) && ok;
	if (!ok)
		return 1;
	return problems > 0 && fatal ? 3 : 0;
}
