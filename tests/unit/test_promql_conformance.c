/* SPDX-License-Identifier: Apache-2.0 */
/* test_promql_conformance - Prometheus's own promqltest files, when they are at hand
 * (../shared/conformance/public, or PROMQL_CONFORMANCE), against the evaluator over memory. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tests/lib/promqltest.h"
#include "tests/lib/suite.h"

/* The number that must pass: only ever raised. */
#define RATCHET 1341

static int is_test(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot != NULL && strcmp(dot, ".test") == 0;
}

START_TEST(evaluates_the_public_promqltest_files)
{
	const char *dir = getenv("PROMQL_CONFORMANCE");
	struct pt_counts sum = {0};
	struct dirent **names;
	int n;

	if (dir == NULL)
		dir = "../shared/conformance/public";
	n = scandir(dir, &names, is_test, alphasort);
	if (n < 0) {
		printf("skipped: %s is not there\n", dir);
		return;
	}
	for (int i = 0; i < n; i++) {
		struct pt_counts c;
		char path[1024];

		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		ck_assert(pt_run_file(path, getenv("V") != NULL, &c));
		printf("%-28s %5zu passed %5zu failed\n", names[i]->d_name, c.passed, c.failed);
		sum.passed += c.passed;
		sum.failed += c.failed;
		free(names[i]);
	}
	free(names);
	printf("%-28s %5zu passed %5zu failed\n", "sum", sum.passed, sum.failed);
	ck_assert_uint_ge(sum.passed, RATCHET);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_conformance");
	TCase *t = tcase_create("files");

	hash_init();
	tcase_set_timeout(t, 120);
	tcase_add_test(t, evaluates_the_public_promqltest_files);
	suite_add_tcase(s, t);
	return suite_run(s);
}
