/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite - how every test program ends: its suite is run, what failed is said, and the exit status
 * tells make. CK_VERBOSITY=verbose names the tests that passed, too.
 */
#ifndef BELFRY_TESTS_LIB_SUITE_H
#define BELFRY_TESTS_LIB_SUITE_H

#include <check.h>

/* Runs the suite, which is freed with its cases; 0 when every test passed, else 1. */
int suite_run(Suite *s);

#endif
