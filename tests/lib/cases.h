/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases - the public cases of others, which lie beside the tree: ../shared/conformance, or what
 * BELFRY_CONFORMANCE names. Tests are run from the root of the tree. Where the cases are not, a
 * test says so and passes; where they are, a file that is missing or cannot be read fails it.
 */
#ifndef BELFRY_TESTS_LIB_CASES_H
#define BELFRY_TESTS_LIB_CASES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The path of a file or folder of the cases; false, and a word about it, when there are none. */
bool cases_path(const char *name, char *out, size_t cap);
/* The JSON of a file, the caller's; NULL when there are no cases. */
json_t *cases_load(const char *name);
/* A string of a case, or the bytes of {"base64": ...}, to out; how many. */
size_t cases_text(const json_t *v, char *out, size_t cap);

#endif
