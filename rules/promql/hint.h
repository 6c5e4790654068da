/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint - what the writer of an expression that does not parse probably meant, as the end of an
 * error message: ", did you mean ...?" or "". Constant texts; any thread.
 */
#ifndef BELFRY_RULES_PROMQL_HINT_H
#define BELFRY_RULES_PROMQL_HINT_H

#include "rules/promql/lex.h"

/* A character that begins no token, at `off`. */
const char *pq_hint_char(const struct pq_lexer *lx, size_t off);
/* A number that is none; in_range: between brackets. */
const char *pq_hint_number(struct str word, bool in_range);
/* A token at a place where it cannot stand. */
enum pq_place {
	PQ_PLACE_ANY,
	PQ_PLACE_BRACES, /* {...} */
	PQ_PLACE_LABELS, /* by (...) and the like */
};
const char *pq_hint_token(struct str text, struct pq_token t, enum pq_place place);

#endif
