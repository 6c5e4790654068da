/* SPDX-License-Identifier: Apache-2.0 */
/* parse_binary - operators between two expressions and how their vectors are matched. */
#include "base/assert.h"
#include "base/num.h"
#include "rules/promql/parse.h"

static const struct {
	enum pq_tok tok;
	enum pq_op op;
	enum pq_power right; /* what the right side may not be looser than */
} operators[] = {
	{PQ_T_OR, PQ_OP_OR, PQ_POW_OR}, {PQ_T_AND, PQ_OP_AND, PQ_POW_AND},
	{PQ_T_UNLESS, PQ_OP_UNLESS, PQ_POW_AND}, {PQ_T_EQ, PQ_OP_EQ, PQ_POW_COMPARE},
	{PQ_T_NE, PQ_OP_NE, PQ_POW_COMPARE}, {PQ_T_LT, PQ_OP_LT, PQ_POW_COMPARE},
	{PQ_T_LE, PQ_OP_LE, PQ_POW_COMPARE}, {PQ_T_GT, PQ_OP_GT, PQ_POW_COMPARE},
	{PQ_T_GE, PQ_OP_GE, PQ_POW_COMPARE}, {PQ_T_TRIM_UPPER, PQ_OP_TRIM_UPPER, PQ_POW_COMPARE},
	{PQ_T_TRIM_LOWER, PQ_OP_TRIM_LOWER, PQ_POW_COMPARE}, {PQ_T_ADD, PQ_OP_ADD, PQ_POW_SUM},
	{PQ_T_SUB, PQ_OP_SUB, PQ_POW_SUM}, {PQ_T_MUL, PQ_OP_MUL, PQ_POW_PRODUCT},
	{PQ_T_DIV, PQ_OP_DIV, PQ_POW_PRODUCT}, {PQ_T_MOD, PQ_OP_MOD, PQ_POW_PRODUCT},
	{PQ_T_ATAN2, PQ_OP_ATAN2, PQ_POW_PRODUCT},
	{PQ_T_POW, PQ_OP_POW, PQ_POW_PRODUCT}, /* to the right: 2^3^2 is 2^(3^2) */
};

/* One name of a list: any word, or a string. */
static int parse_name(struct pq_parser *p, struct str *out)
{
	size_t off = p->tok.off;

	if (p->tok.kind == PQ_T_STRING) {
		if (pq_unquote(p->a, p->text, p->tok, out, p->e) != 0)
			return -1;
		if (out->n == 0 || !str_is_utf8(*out))
			return pq_fail(p->e, p->text, off, "invalid label name for grouping");
	} else if (p->tok.kind == PQ_T_NAME || p->tok.kind == PQ_T_METRIC ||
		   p->tok.kind >= PQ_T_AND) {
		*out = p->tok.text;
	} else {
		return pq_unexpected(p, "grouping opts", "label");
	}
	return pq_advance(p);
}

int pq_parse_names(struct pq_parser *p, struct pq_names *out)
{
	struct str *v = NULL;
	size_t n = 0, cap = 0;

	if (pq_expect(p, PQ_T_LPAREN, "grouping opts", "\"(\"") != 0)
		return -1;
	while (p->tok.kind != PQ_T_RPAREN) {
		if (n > 0) {
			if (pq_expect(p, PQ_T_COMMA, "grouping opts", "\",\" or \")\"") != 0)
				return -1;
			if (p->tok.kind == PQ_T_RPAREN)
				break;
		}
		if (n == cap) {
			v = pq_grow(p, v, n, &cap, sizeof *v);
			if (v == NULL)
				return -1;
		}
		if (parse_name(p, &v[n]) != 0)
			return -1;
		n++;
	}
	*out = (struct pq_names){v, n};
	return pq_advance(p);
}

/* (0.5), (-1), (5m): the value of fill and its sisters. */
static int parse_fill(struct pq_parser *p, bool *has, double *val)
{
	bool minus, is_duration;

	if (!p->experimental)
		return pq_fail(p->e, p->text, p->tok.off,
			"fill modifiers are experimental and not enabled (query.experimental)");
	if (pq_advance(p) != 0 || pq_expect(p, PQ_T_LPAREN, "fill modifier", "\"(\"") != 0)
		return -1;
	minus = p->tok.kind == PQ_T_SUB;
	if ((minus || p->tok.kind == PQ_T_ADD) && pq_advance(p) != 0)
		return -1;
	if (p->tok.kind != PQ_T_NUMBER && p->tok.kind != PQ_T_DURATION)
		return pq_unexpected(p, "fill modifier", "number");
	if (pq_parse_number(p, val, &is_duration) != 0)
		return -1;
	*val = minus ? -*val : *val;
	*has = true;
	return pq_expect(p, PQ_T_RPAREN, "fill modifier", "\")\"");
}

/* fill(x), or fill_left(x) and fill_right(y) in any order. */
static int parse_fills(struct pq_parser *p, struct pq_matching *m)
{
	if (p->tok.kind == PQ_T_FILL) {
		if (parse_fill(p, &m->has_fill_left, &m->fill_left) != 0)
			return -1;
		m->has_fill_right = true;
		m->fill_right = m->fill_left;
		return 0;
	}
	for (;;) {
		if (p->tok.kind == PQ_T_FILL_LEFT && !m->has_fill_left) {
			if (parse_fill(p, &m->has_fill_left, &m->fill_left) != 0)
				return -1;
		} else if (p->tok.kind == PQ_T_FILL_RIGHT && !m->has_fill_right) {
			if (parse_fill(p, &m->has_fill_right, &m->fill_right) != 0)
				return -1;
		} else {
			return 0;
		}
	}
}

/* [on|ignoring (...) [group_left|group_right [(...)]]] [fill...] */
static int parse_matching(struct pq_parser *p, struct pq_matching *m)
{
	if (p->tok.kind == PQ_T_ON || p->tok.kind == PQ_T_IGNORING) {
		m->on = p->tok.kind == PQ_T_ON;
		if (pq_advance(p) != 0 || pq_parse_names(p, &m->labels) != 0)
			return -1;
		if (p->tok.kind == PQ_T_GROUP_LEFT || p->tok.kind == PQ_T_GROUP_RIGHT) {
			m->card = p->tok.kind == PQ_T_GROUP_LEFT ? PQ_MANY_TO_ONE : PQ_ONE_TO_MANY;
			if (pq_advance(p) != 0)
				return -1;
			if (p->tok.kind == PQ_T_LPAREN && pq_parse_names(p, &m->include) != 0)
				return -1;
		}
	} else if (p->tok.kind == PQ_T_GROUP_LEFT || p->tok.kind == PQ_T_GROUP_RIGHT) {
		return pq_unexpected(p, NULL, "on(...) or ignoring(...) before it");
	}
	return parse_fills(p, m);
}

struct pq_expr *pq_binary_infix(struct pq_parser *p, struct pq_expr *left)
{
	enum pq_tok tok = p->tok.kind;
	struct pq_matching *m = ARENA_NEW(p->a, struct pq_matching);
	struct pq_expr *right, *x;
	bool bool_mod;
	size_t i = 0;

	while (i < ARRAY_LEN(operators) && operators[i].tok != tok)
		i++;
	ASSERT(i < ARRAY_LEN(operators));
	if (m == NULL) {
		(void)pq_no_memory(p);
		return NULL;
	}
	if (pq_advance(p) != 0)
		return NULL;
	bool_mod = p->tok.kind == PQ_T_BOOL;
	if ((bool_mod && pq_advance(p) != 0) || parse_matching(p, m) != 0)
		return NULL;
	right = pq_parse_expr(p, operators[i].right);
	if (right == NULL)
		return NULL;
	x = pq_node(p, PQ_BINARY, left->off, MAX_OF(left->height, right->height));
	if (x == NULL)
		return NULL;
	x->u.binary.op = operators[i].op;
	x->u.binary.bool_mod = bool_mod;
	x->u.binary.lhs = left;
	x->u.binary.rhs = right;
	x->u.binary.match = m;
	return x;
}
