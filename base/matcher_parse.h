/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matcher_parse - Alertmanager's matcher strings: severity="critical", {job=~"a|b", zone!=x}.
 *
 * Two grammars exist: the classic one (names are identifiers, values may stand bare or in quotes)
 * and the UTF-8 one (quoted names, Go's escapes). Alertmanager's fallback mode is what belfry's
 * users meet: what the classic one reads is taken as it reads it, everything else is tried with the
 * other. The rules are those of Alertmanager 0.33's pkg/labels and matcher/parse.
 */
#ifndef BELFRY_BASE_MATCHER_PARSE_H
#define BELFRY_BASE_MATCHER_PARSE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/matcher.h"

#define MATCHERS_MAX 64u /* of one string */

enum matcher_grammar { MATCHER_FALLBACK, MATCHER_CLASSIC, MATCHER_UTF8 };

/* All matchers of s, ready to match; names and values live in `a`, the array in *out too. The
 * caller ends each with matcher_fini. On failure nothing is left to free; e->off is the place. */
int matchers_parse(
	struct arena *a, struct str s, struct matcher **out, size_t *n, struct err *e) MUST_CHECK;
/* One matcher alone, as the `filter` of Alertmanager's API: no braces around it; in the classic
 * grammar everything behind the operator is the value. */
int matcher_parse_one(struct arena *a, struct str s, struct matcher *out, struct err *e) MUST_CHECK;

/* By one grammar only (the UTF-8 one allows braces and a last comma around one matcher too). */
int matchers_parse_as(struct arena *a, struct str s, enum matcher_grammar g, struct matcher **out,
	size_t *n, struct err *e) MUST_CHECK;
int matcher_parse_one_as(struct arena *a, struct str s, enum matcher_grammar g, struct matcher *out,
	struct err *e) MUST_CHECK;

#endif
