/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_check - belfry check rules [--lint-fatal] FILE...: what would a start with these files say?
 *
 * Exit codes: 0 fine, 1 errors, 2 usage, 3 lint found something and --lint-fatal was given. Each
 * file is looked at alone. Lint: two rules that write the same series.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "rules/rule_set.h"

struct listed_rule {
	const struct rule_def *r;
};

static int by_identity(const void *a, const void *b)
{
	const struct rule_def *x = ((const struct listed_rule *)a)->r,
			      *y = ((const struct listed_rule *)b)->r;
	int c = str_cmp(x->name, y->name);

	for (size_t i = 0; c == 0 && i < x->n_labels && i < y->n_labels; i++) {
		c = str_cmp(x->labels[i].name, y->labels[i].name);
		if (c == 0)
			c = str_cmp(x->labels[i].text, y->labels[i].text);
	}
	if (c != 0)
		return c;
	return (x->n_labels > y->n_labels) - (x->n_labels < y->n_labels);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct rule_text *)a)->name, ((const struct rule_text *)b)->name);
}

/* Rules with their labels in order, so that equal ones compare equal. */
static struct listed_rule *sorted_rules(const struct rule_set *rs, struct arena *a)
{
	struct listed_rule *v = ARENA_ARRAY(a, rs->n_rules, struct listed_rule);
	size_t n = 0;

	for (size_t g = 0; v != NULL && g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++) {
			const struct rule_def *r = &rs->groups[g].rules[i];
			struct rule_def *copy = ARENA_NEW(a, struct rule_def);
			struct rule_text *labels = ARENA_ARRAY(a, r->n_labels, struct rule_text);

			if (copy == NULL || labels == NULL)
				return NULL;
			*copy = *r;
			if (r->n_labels > 0)
				memcpy(labels, r->labels, r->n_labels * sizeof *labels);
			qsort(labels, r->n_labels, sizeof *labels, by_name);
			copy->labels = labels;
			v[n++].r = copy;
		}
	}
	if (v != NULL)
		qsort(v, n, sizeof *v, by_identity);
	return v;
}

static void say_duplicate(const char *path, const struct rule_def *first, const struct rule_def *r)
{
	(void)fprintf(stderr, "%s:%u: lint: %s \"" STR_FMT "\" stands in line %u with the same",
		path, r->line, r->is_alert ? "alert" : "record", STR_ARG(r->name), first->line);
	if (r->n_labels == 0) {
		(void)fprintf(stderr, " name and no labels\n");
		return;
	}
	(void)fprintf(stderr, " labels:");
	for (size_t i = 0; i < r->n_labels; i++)
		(void)fprintf(stderr, " " STR_FMT "=\"" STR_FMT "\"", STR_ARG(r->labels[i].name),
			STR_ARG(r->labels[i].text));
	(void)fputc('\n', stderr);
}

/* Number of rules that write what another one writes already. */
static size_t lint(const char *path, const struct rule_set *rs, struct arena *a)
{
	const struct listed_rule *v = sorted_rules(rs, a);
	size_t found = 0, first = 0;

	for (size_t i = 1; v != NULL && i < rs->n_rules; i++) {
		if (by_identity(&v[first], &v[i]) != 0) {
			first = i;
			continue;
		}
		say_duplicate(path, v[first].r->line <= v[i].r->line ? v[first].r : v[i].r,
			v[first].r->line <= v[i].r->line ? v[i].r : v[first].r);
		found++;
	}
	return found;
}

/* False when the file is wrong. */
static bool check_file(const char *path, size_t *lints)
{
	struct str paths[] = {str_c(path)};
	struct rule_set *rs;
	struct arena a;
	struct diag *d;
	struct buf out;
	bool ok;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	buf_init(&out, (size_t)4 << 20);
	d = diag_new(&a);
	rs = rule_set_load(paths, 1, false, d, &a);
	ok = rs != NULL;
	diag_print(d, &out);
	if (out.n > 0)
		(void)fwrite(out.p, 1, out.n, stderr);
	if (ok) {
		*lints += lint(path, rs, &a);
		(void)printf("%s: %zu rule%s, ok\n", path, rule_set_count(rs),
			rule_set_count(rs) == 1 ? "" : "s");
	} else {
		(void)printf(
			"%s: %zu error%s\n", path, diag_errors(d), diag_errors(d) == 1 ? "" : "s");
	}
	rule_set_free(rs);
	buf_fini(&out);
	arena_fini(&a);
	return ok;
}

int rules_check_main(int argc, char **argv)
{
	bool ok = true, fatal = false;
	size_t lints = 0;
	int first = 1;

	for (; first < argc && argv[first][0] == '-' && argv[first][1] != '\0'; first++) {
		if (strcmp(argv[first], "--") == 0) {
			first++;
			break;
		}
		if (strcmp(argv[first], "--lint-fatal") != 0) {
			(void)fprintf(
				stderr, "belfry check rules: unknown option %s\n", argv[first]);
			first = argc;
			break;
		}
		fatal = true;
	}
	if (first >= argc) {
		(void)fprintf(stderr, "usage: belfry check rules [--lint-fatal] FILE...\n");
		return 2;
	}
	for (int i = first; i < argc; i++)
		ok = check_file(argv[i], &lints) && ok;
	if (!ok)
		return 1;
	return lints > 0 && fatal ? 3 : 0;
}
