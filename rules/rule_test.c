/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_test - belfry test rules [--run RE] [--diff] [--junit FILE] [--ignore-unknown-fields]
 * FILE...
 *
 * Exit codes as promtool's: 0 all passed, 1 some failed or a file is wrong, 2 usage.
 */
#include "rules/rule_test.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/regex.h"
#include "rules/rule_set.h"

#define MAX_RUNS 32

struct options {
	struct regex *runs[MAX_RUNS]; /* a test runs when one matches its name, or there is none */
	size_t n_runs;
	const char *junit;
	bool diff, ignore_unknown;
};

static int usage(void)
{
	(void)fprintf(stderr, "usage: belfry test rules [--run RE]... [--diff] [--junit FILE]\n"
			      "                         [--ignore-unknown-fields] FILE...\n");
	return 2;
}

static bool add_run(struct options *o, const char *pattern)
{
	struct err e;

	if (o->n_runs == MAX_RUNS) {
		(void)fprintf(stderr, "belfry test rules: --run more than %d times\n", MAX_RUNS);
		return false;
	}
	o->runs[o->n_runs] = regex_new_search(str_c(pattern), &e);
	if (o->runs[o->n_runs] == NULL) {
		(void)fprintf(stderr, "belfry test rules: --run: %s\n", e.msg);
		return false;
	}
	o->n_runs++;
	return true;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"run", required_argument, NULL, 'r'},
		{"diff", no_argument, NULL, 'd'}, {"junit", required_argument, NULL, 'j'},
		{"ignore-unknown-fields", no_argument, NULL, 'i'}, {NULL, 0, NULL, 0}};
	int opt;

	optind = 1;
	// NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			if (!add_run(o, optarg))
				return false;
			break;
		case 'd': o->diff = true; break;
		case 'j': o->junit = optarg; break;
		case 'i': o->ignore_unknown = true; break;
		default: return false;
		}
	}
	return optind < argc;
}

static bool chosen(const struct options *o, struct str name)
{
	for (size_t i = 0; i < o->n_runs; i++) {
		if (regex_match(o->runs[i], name))
			return true;
	}
	return o->n_runs == 0;
}

/* --- running --- */

static void run_tests(const struct options *o, const struct rule_test_file *f,
	const struct rule_set *rules, struct rule_test_report *report)
{
	for (size_t i = 0; i < f->n; i++) {
		struct rule_test_result res;
		struct arena a;
		struct err e;

		if (!chosen(o, f->tests[i].name))
			continue;
		arena_init(&a, 2 * LIMIT_QUERY_MEMORY);
		if (rule_test_run(f, &f->tests[i], rules, &a, &res, &e) != 0)
			rule_test_fail(&res, &a, 0, str_c(e.msg), STR_NULL, STR_NULL);
		rule_test_report_test(report, f, &f->tests[i], &res);
		arena_fini(&a);
	}
}

/* False when something failed. */
static bool run_file(const struct options *o, const char *path, struct rule_test_report *report)
{
	struct rule_test_file *f;
	struct rule_set *rules = NULL;
	struct arena a;
	struct diag *d;
	struct buf out;
	bool ok;

	arena_init(&a, LIMIT_CONFIG_BYTES * (size_t)8);
	buf_init(&out, (size_t)4 << 20);
	d = diag_new(&a);
	f = rule_test_load(&a, str_c(path), d);
	if (f != NULL)
		rules = (o->ignore_unknown ? rule_set_load_lenient : rule_set_load)(
			f->rule_files, f->n_rule_files, false, d, &a);
	diag_print(d, &out);
	if (rules == NULL) {
		rule_test_report_broken(report, str_c(path), buf_view(&out));
	} else {
		if (out.n > 0)
			(void)fwrite(out.p, 1, out.n, stderr);
		run_tests(o, f, rules, report);
	}
	ok = report->failed == 0;
	rule_test_report_file(report, str_c(path));
	rule_set_free(rules);
	buf_fini(&out);
	arena_fini(&a);
	return ok;
}

static bool write_junit(const char *path, const struct buf *suites)
{
	FILE *file = fopen(path, "we");
	bool ok = file != NULL && !suites->failed;

	if (file != NULL) {
		(void)fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
		(void)fwrite(suites->p != NULL ? suites->p : "", 1, suites->n, file);
		(void)fprintf(file, "</testsuites>\n");
		ok = !ferror(file) && ok;
		ok = fclose(file) == 0 && ok;
	}
	if (!ok)
		(void)fprintf(stderr, "belfry test rules: cannot write %s\n", path);
	return ok;
}

int rules_test_main(int argc, char **argv)
{
	struct options o = {0};
	struct rule_test_report report = {0};
	struct buf junit;
	bool ok = true;

	if (!read_options(argc, argv, &o)) {
		for (size_t i = 0; i < o.n_runs; i++)
			regex_free(o.runs[i]);
		return usage();
	}
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT); /* what fails is in the report */
	buf_init(&junit, (size_t)256 << 20);
	buf_init(&report.cases, (size_t)256 << 20);
	report.diff = o.diff;
	report.junit = o.junit != NULL ? &junit : NULL;
	for (int i = optind; i < argc; i++)
		ok = run_file(&o, argv[i], &report) && ok;
	if (o.junit != NULL)
		ok = write_junit(o.junit, &junit) && ok;
	for (size_t i = 0; i < o.n_runs; i++)
		regex_free(o.runs[i]);
	buf_fini(&report.cases);
	buf_fini(&junit);
	return ok ? 0 : 1;
}
