/* SPDX-License-Identifier: Apache-2.0 */
/* matcher - label matchers; see matcher.h. */
#include "base/matcher.h"

#include "base/assert.h"
#include "base/quote.h"

static const char *const op_text[] = {
	[MATCH_EQ] = "=",
	[MATCH_NE] = "!=",
	[MATCH_RE] = "=~",
	[MATCH_NRE] = "!~",
};

int matcher_init(
	struct matcher *m, enum matcher_op op, struct str name, struct str value, struct err *e)
{
	*m = (struct matcher){.op = op, .name = name, .value = value};
	if (op == MATCH_EQ || op == MATCH_NE)
		return 0;
	m->re = regex_new(value, e);
	return m->re != NULL ? 0 : -1;
}

void matcher_fini(struct matcher *m)
{
	regex_free(m->re);
	m->re = NULL;
}

bool matcher_matches(const struct matcher *m, struct str value)
{
	switch (m->op) {
	case MATCH_EQ: return str_eq(m->value, value);
	case MATCH_NE: return !str_eq(m->value, value);
	case MATCH_RE: ASSERT(m->re != NULL); return regex_match(m->re, value);
	case MATCH_NRE: ASSERT(m->re != NULL); return !regex_match(m->re, value);
	}
	return false;
}

bool matchers_match(const struct matcher *m, size_t n, struct labels ls)
{
	for (size_t i = 0; i < n; i++)
		if (!matcher_matches(&m[i], labels_get(ls, m[i].name)))
			return false;
	return true;
}

void matcher_print(struct buf *b, const struct matcher *m)
{
	if (label_name_is_legacy(m->name))
		buf_str(b, m->name);
	else
		quote_go(b, m->name);
	buf_c(b, op_text[m->op]);
	quote_go(b, m->value);
}
