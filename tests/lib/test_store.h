/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store - a store in a fresh directory at an injected time, and what is in it as text.
 */
#ifndef BELFRY_TESTS_LIB_TEST_STORE_H
#define BELFRY_TESTS_LIB_TEST_STORE_H

#include <stdint.h>

#include "storage/store.h"

#define TEST_NOW INT64_C(1700000000000)

/* The clock stands at TEST_NOW. Aborts when anything fails. */
struct store *test_store_open(void);
struct store *test_store_reopen(struct store *s);
/* Also removes the directory and restores the clock. */
void test_store_close(struct store *s);

/* All samples of the metric, a series a line, sorted by labels:
 *   name{a="b"} 1000=1 2000=stale 3000=h4/2.5
 * Times are relative to TEST_NOW in ms; a histogram shows count and sum. Static memory. */
const char *test_store_dump(struct store *s, const char *metric);
/* How many facts begin with the prefix. */
unsigned test_store_facts(struct store *s, const char *prefix);

#endif
