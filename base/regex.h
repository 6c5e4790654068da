/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex - RE2 syntax and linear time, anchored at both ends as Prometheus's matchers are.
 *
 * A shim over RE2 (base/regex_re2.cc) with fast paths taken out before: a literal, a set of
 * literals (a|b|c), a literal prefix or suffix with .* or .+. Immutable after compilation:
 * any number of threads may match at once.
 */
#ifndef BELFRY_BASE_REGEX_H
#define BELFRY_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct regex;

/* NULL and *e filled when the pattern is wrong or over limits.h. */
struct regex *regex_new(struct str pattern, struct err *e) MUST_CHECK;
void regex_free(struct regex *re);
/* The whole of s matches. */
bool regex_match(const struct regex *re, struct str s);
/* The finite set of strings the pattern matches, if it is such a set: views that live as long as
 * re; NULL when it is not. Used to look values up instead of testing each. */
const struct str *regex_literals(const struct regex *re, size_t *n);
/* A literal prefix every match has; empty when there is none. */
struct str regex_prefix(const struct regex *re);
/* Full match, then write `replacement` with $1, ${1}, ${name}, $$ expanded (Go's rules) to out.
 * Returns 1 when it matched, 0 when not. */
int regex_expand(const struct regex *re, struct str s, struct str replacement, struct buf *out);
/* Number of capture groups; and whether text is a valid pattern at all. */
size_t regex_groups(const struct regex *re);
/* Unanchored: replace every match in s (templates' reReplaceAll). */
int regex_replace_all(
	const struct regex *re, struct str s, struct str replacement, struct buf *out);
/* As regex_new, but not anchored: for regex_replace_all and `match`. */
struct regex *regex_new_search(struct str pattern, struct err *e) MUST_CHECK;

#endif
