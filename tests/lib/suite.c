/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite - see suite.h. libcheck frees the suite with its runner.
 */
#include "tests/lib/suite.h"

int suite_run(Suite *s)
{
	SRunner *runner = srunner_create(s);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
