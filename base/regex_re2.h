/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex_re2 - the C++ shim under regex.c: compile and search, nothing else.
 */
#ifndef BELFRY_BASE_REGEX_RE2_H
#define BELFRY_BASE_REGEX_RE2_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex_re2;

#define REGEX_RE2_CAPS 32 /* groups that can be asked for, the whole match included */

/* "." matches newlines, input is UTF-8, memory is bounded. NULL and a text in msg on failure. */
struct regex_re2 *regex_re2_new(const char *p, size_t n, char *msg, size_t msg_size);
void regex_re2_free(struct regex_re2 *re);
/* Search s from `from`; whole: the match must cover all of s. The bounds of n groups (whole match
 * first) go to caps as pairs (start, end), (size_t)-1 for a group that took no part. 1 or 0. */
int regex_re2_find(const struct regex_re2 *re, const char *p, size_t len, size_t from, int whole,
	size_t *caps, size_t n);
size_t regex_re2_groups(const struct regex_re2 *re);
/* Number of the group of this name, or 0. */
size_t regex_re2_group(const struct regex_re2 *re, const char *name, size_t n);

#ifdef __cplusplus
}
#endif

#endif
