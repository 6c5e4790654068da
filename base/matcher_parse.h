/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matcher_parse - Alertmanager's matcher strings: severity="critical", {job=~"a|b", zone!=x}.
 *
 * Two grammars exist: the classic one (names are identifiers, values may stand bare or in quotes)
 * and the UTF-8 one (quoted names, Go's escapes). As Alertmanager's fallback mode: what the classic
 * one reads is taken as it reads it, everything else is tried with the other.
 */
#ifndef BELFRY_BASE_MATCHER_PARSE_H
#define BELFRY_BASE_MATCHER_PARSE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/matcher.h"

#define MATCHERS_MAX 64u /* of one string */

/* All matchers of s, ready to match; names and values live in `a`, the array in *out too. The
 * caller ends each with matcher_fini. On failure nothing is left to free; e->off is the place. */
int matchers_parse(
	struct arena *a, struct str s, struct matcher **out, size_t *n, struct err *e) MUST_CHECK;
/* One matcher alone, as the `filter` of Alertmanager's API: the UTF-8 grammar first, then the
 * classic one, in which everything behind the operator is the value. */
int matcher_parse_one(struct arena *a, struct str s, struct matcher *out, struct err *e) MUST_CHECK;

#endif
