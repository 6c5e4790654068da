/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matcher - one label matcher (=, !=, =~, !~) of a selector, a silence or a route.
 *
 * An absent label has the value "". Immutable after matcher_init; strings are borrowed from
 * the caller (usually an arena), the compiled regex is owned: matcher_fini.
 */
#ifndef BELFRY_BASE_MATCHER_H
#define BELFRY_BASE_MATCHER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/labels.h"
#include "base/regex.h"

enum matcher_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
	enum matcher_op op;
	struct str name;
	struct str value;
	struct regex *re; /* MATCH_RE and MATCH_NRE only */
};

int matcher_init(struct matcher *m, enum matcher_op op, struct str name, struct str value,
	struct err *e) MUST_CHECK;
void matcher_fini(struct matcher *m);
bool matcher_matches(const struct matcher *m, struct str value);
/* All of them match the set. */
bool matchers_match(const struct matcher *m, size_t n, struct labels ls);
void matcher_print(struct buf *b, const struct matcher *m);

#endif
