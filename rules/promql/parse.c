/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - the Pratt loop over one table of tokens, and the forms that begin an expression; see
 * parse.h. Semantics: Prometheus 3.14, promql/parser.
 */
#include "rules/promql/parse.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/hint.h"

int pq_advance(struct pq_parser *p)
{
	if (p->tok.kind != PQ_T_END)
		p->last_end = p->tok.off + (uint32_t)p->tok.text.n;
	p->tok = pq_lex(&p->lx, p->e);
	return p->tok.kind == PQ_T_ERROR ? -1 : 0;
}

int pq_unexpected(struct pq_parser *p, const char *where, const char *what)
{
	enum pq_place place = where == NULL                          ? PQ_PLACE_ANY
			      : strcmp(where, "label matching") == 0 ? PQ_PLACE_BRACES
			      : strcmp(where, "grouping opts") == 0  ? PQ_PLACE_LABELS
								     : PQ_PLACE_ANY;
	char name[100];

	if (p->tok.kind == PQ_T_ERROR)
		return -1;
	pq_token_name(p->tok, name, sizeof name);
	if (p->tok.kind == PQ_T_END && p->lx.in_braces)
		return pq_fail(p->e, p->text, p->tok.off,
			"unexpected end of input inside braces, expected \"}\"");
	return pq_fail(p->e, p->text, p->tok.off, "unexpected %s%s%s%s%s%s", name,
		where != NULL ? " in " : "", where != NULL ? where : "",
		what != NULL ? ", expected " : "", what != NULL ? what : "",
		pq_hint_token(p->text, p->tok, place));
}

int pq_expect(struct pq_parser *p, enum pq_tok kind, const char *where, const char *what)
{
	if (p->tok.kind != kind)
		return pq_unexpected(p, where, what);
	return pq_advance(p);
}

int pq_no_memory(struct pq_parser *p)
{
	(void)err_set_at(p->e, ERR_LIMIT, p->tok.off, "expression: memory limit reached");
	p->e->code = PQ_BOUND_MEMORY;
	return -1;
}

int pq_enter(struct pq_parser *p)
{
	if (++p->depth > LIMIT_EXPR_DEPTH) {
		pq_fail(p->e, p->text, p->tok.off, "nested deeper than %u levels",
			LIMIT_EXPR_DEPTH);
		p->e->kind = ERR_LIMIT;
		p->e->code = PQ_BOUND_DEPTH;
		return -1;
	}
	return 0;
}

void *pq_grow(struct pq_parser *p, const void *v, size_t n, size_t *cap, size_t elem)
{
	void *more;

	*cap = n < 4 ? 8 : 2 * n;
	more = arena_alloc(p->a, *cap, elem);
	if (more != NULL && n > 0)
		memcpy(more, v, n * elem);
	if (more == NULL)
		(void)pq_no_memory(p);
	return more;
}

void pq_close(const struct pq_parser *p, struct pq_expr *x)
{
	x->len = p->last_end - x->off;
}

struct pq_expr *pq_node(struct pq_parser *p, enum pq_kind kind, uint32_t off, uint16_t height)
{
	struct pq_expr *x;

	if (height + 1u > LIMIT_EXPR_DEPTH) {
		pq_fail(p->e, p->text, off, "expression deeper than %u levels", LIMIT_EXPR_DEPTH);
		p->e->kind = ERR_LIMIT;
		p->e->code = PQ_BOUND_DEPTH;
		return NULL;
	}
	x = ARENA_NEW(p->a, struct pq_expr);
	if (x == NULL) {
		(void)pq_no_memory(p);
		return NULL;
	}
	ASSERT(p->n_nodes <= p->text.n);
	x->kind = kind;
	x->height = (uint16_t)(height + 1);
	x->off = off;
	x->id = (uint32_t)p->n_nodes;
	p->nodes[p->n_nodes++] = x;
	pq_close(p, x);
	return x;
}

static struct pq_expr *number_prefix(struct pq_parser *p)
{
	uint32_t off = p->tok.off;
	bool is_duration;
	struct pq_expr *x;
	double val;

	if (pq_parse_number(p, &val, &is_duration) != 0)
		return NULL;
	x = pq_node(p, PQ_NUMBER, off, 0);
	if (x != NULL) {
		x->u.number.val = val;
		x->u.number.is_duration = is_duration;
	}
	return x;
}

static struct pq_expr *string_prefix(struct pq_parser *p)
{
	uint32_t off = p->tok.off;
	struct pq_expr *x;
	struct str s;

	if (pq_unquote(p->a, p->text, p->tok, &s, p->e) != 0 || pq_advance(p) != 0)
		return NULL;
	x = pq_node(p, PQ_TEXT, off, 0);
	if (x != NULL)
		x->u.text = s;
	return x;
}

static struct pq_expr *paren_prefix(struct pq_parser *p)
{
	uint32_t off = p->tok.off;
	struct pq_expr *inner, *x;

	if (pq_advance(p) != 0)
		return NULL;
	inner = pq_parse_expr(p, PQ_POW_LOWEST);
	if (inner == NULL)
		return NULL;
	if (p->tok.kind == PQ_T_END) {
		pq_fail(p->e, p->text, off, "unclosed left parenthesis");
		return NULL;
	}
	if (pq_expect(p, PQ_T_RPAREN, NULL, "an operator or \")\"") != 0)
		return NULL;
	x = pq_node(p, PQ_PAREN, off, inner->height);
	if (x != NULL)
		x->u.paren.of = inner;
	return x;
}

static struct pq_expr *sign_prefix(struct pq_parser *p)
{
	bool minus = p->tok.kind == PQ_T_SUB;
	uint32_t off = p->tok.off;
	struct pq_expr *of, *x;

	if (pq_advance(p) != 0)
		return NULL;
	of = pq_parse_expr(p, PQ_POW_PRODUCT);
	if (of == NULL)
		return NULL;
	if (of->kind == PQ_NUMBER) { /* the sign becomes part of the literal */
		of->u.number.val = minus ? -of->u.number.val : of->u.number.val;
		of->off = off;
		pq_close(p, of);
		return of;
	}
	x = pq_node(p, PQ_UNARY, off, of->height);
	if (x != NULL) {
		x->u.unary.minus = minus;
		x->u.unary.of = of;
	}
	return x;
}

/* (a, b, ...) of a call or aggregation: the open parenthesis is next. */
static int parse_args(
	struct pq_parser *p, const struct pq_expr *const **out, size_t *n, uint16_t *height)
{
	const struct pq_expr **v = NULL;
	uint32_t open = p->tok.off;
	size_t cap = 0;

	*n = 0;
	*height = 0;
	if (pq_advance(p) != 0)
		return -1;
	while (p->tok.kind != PQ_T_RPAREN) {
		struct pq_expr *x;

		if (*n > 0 && pq_expect(p, PQ_T_COMMA, NULL, "\",\" or \")\"") != 0)
			return -1;
		if (*n > 0 && p->tok.kind == PQ_T_RPAREN)
			return pq_fail(p->e, p->text, p->last_end - 1,
				"trailing commas not allowed in function call args");
		if (p->tok.kind == PQ_T_END)
			return pq_fail(p->e, p->text, open, "unclosed left parenthesis");
		x = pq_parse_expr(p, PQ_POW_LOWEST);
		if (x == NULL)
			return -1;
		if (p->tok.kind == PQ_T_END)
			return pq_fail(p->e, p->text, open, "unclosed left parenthesis");
		if (*n == cap) {
			v = pq_grow(p, v, *n, &cap, sizeof *v);
			if (v == NULL)
				return -1;
		}
		v[(*n)++] = x;
		*height = MAX_OF(*height, x->height);
	}
	*out = v;
	return pq_advance(p);
}

static struct pq_expr *call(struct pq_parser *p, struct pq_token name)
{
	const struct pq_func *f = pq_func_find(name.text);
	const struct pq_expr *const *args = NULL;
	struct pq_expr *x;
	uint16_t height;
	size_t n;

	if (f == NULL) {
		struct str near = pq_func_nearest(name.text);

		pq_fail(p->e, p->text, name.off,
			"unknown function with name \"" STR_FMT "\"%s" STR_FMT "%s",
			STR_ARG(str_sub(name.text, 0, 60)), near.n > 0 ? ", did you mean \"" : "",
			STR_ARG(near), near.n > 0 ? "\"?" : "");
		return NULL;
	}
	if (f->experimental && !p->experimental) {
		pq_fail(p->e, p->text, name.off,
			"function \"%s\" is experimental and not enabled (query.experimental)",
			f->name);
		return NULL;
	}
	if (parse_args(p, &args, &n, &height) != 0)
		return NULL;
	x = pq_node(p, PQ_CALL, name.off, height);
	if (x != NULL) {
		x->u.call.func = f;
		x->u.call.args = args;
		x->u.call.n = n;
	}
	return x;
}

/* The token behind the next one. */
static enum pq_tok peek_kind(const struct pq_parser *p)
{
	struct pq_lexer ahead = p->lx;
	struct err ignored;

	return pq_lex(&ahead, &ignored).kind;
}

static struct pq_expr *name_prefix(struct pq_parser *p)
{
	struct pq_token name = p->tok;

	if (name.kind == PQ_T_METRIC || peek_kind(p) != PQ_T_LPAREN)
		return pq_selector_prefix(p);
	if (pq_advance(p) != 0)
		return NULL;
	return call(p, name);
}

static int parse_grouping(struct pq_parser *p, struct pq_expr *x)
{
	x->u.aggregate.grouped = true;
	x->u.aggregate.without = p->tok.kind == PQ_T_WITHOUT;
	if (pq_advance(p) != 0)
		return -1;
	return pq_parse_names(p, &x->u.aggregate.by);
}

static bool at_grouping(const struct pq_parser *p)
{
	return p->tok.kind == PQ_T_BY || p->tok.kind == PQ_T_WITHOUT;
}

/* How an aggregation is written that was given another number of arguments. */
static const char *arguments_hint(const struct pq_aggregation *agg, size_t n)
{
	if (agg->id == PQ_AGG_MAX && n == 2)
		return ", at least 0 is clamp_min(x, 0)";
	if (agg->id == PQ_AGG_MIN && n == 2)
		return ", at most 1 is clamp_max(x, 1)";
	if (agg->id == PQ_AGG_QUANTILE)
		return ": quantile(0.9, x)";
	if (agg->param == 't')
		return ": count_values(\"label\", x)";
	return agg->id == PQ_AGG_TOPK      ? ": topk(5, x)"
	       : agg->id == PQ_AGG_BOTTOMK ? ": bottomk(5, x)"
					   : "";
}

/* Distribute the arguments over parameter and vector. */
static int take_agg_args(
	struct pq_parser *p, struct pq_expr *x, const struct pq_expr *const *args, size_t n)
{
	const struct pq_aggregation *agg = pq_aggregation(x->u.aggregate.op);
	size_t want = agg->param != 0 ? 2 : 1;

	if (n == 0 || args == NULL)
		return pq_fail(
			p->e, p->text, x->off, "no arguments for aggregate expression provided");
	if (n != want)
		return pq_fail(p->e, p->text, x->off,
			"wrong number of arguments for aggregate expression provided, expected "
			"%zu, got %zu%s",
			want, n, arguments_hint(agg, n));
	if (agg->experimental && !p->experimental)
		return pq_fail(p->e, p->text, x->off,
			"%s() is experimental and not enabled (query.experimental)", agg->name);
	x->u.aggregate.param = want == 2 ? args[0] : NULL;
	x->u.aggregate.of = args[want - 1];
	return 0;
}

static struct pq_expr *aggregate_prefix(struct pq_parser *p)
{
	struct pq_token name = p->tok;
	enum pq_tok next = peek_kind(p);
	const struct pq_expr *const *args = NULL;
	struct pq_expr head = {.kind = PQ_AGGREGATE}, *x;
	uint16_t height;
	size_t n;

	if (next != PQ_T_LPAREN && next != PQ_T_BY && next != PQ_T_WITHOUT)
		return pq_selector_prefix(p); /* a metric of that name */
	if (pq_advance(p) != 0 || (at_grouping(p) && parse_grouping(p, &head) != 0))
		return NULL;
	if (p->tok.kind != PQ_T_LPAREN) {
		(void)pq_unexpected(p, "aggregation", "\"(\"");
		return NULL;
	}
	if (parse_args(p, &args, &n, &height) != 0)
		return NULL;
	if (!head.u.aggregate.grouped && at_grouping(p) && parse_grouping(p, &head) != 0)
		return NULL;
	x = pq_node(p, PQ_AGGREGATE, name.off, height);
	if (x == NULL)
		return NULL;
	x->u.aggregate = head.u.aggregate;
	x->u.aggregate.op = pq_aggregation_find(name.text)->id;
	return take_agg_args(p, x, args, n) == 0 ? x : NULL;
}

/* ---- the table ---- */

struct rule {
	enum pq_power left; /* as an operator behind an expression; 0: is none */
	struct pq_expr *(*prefix)(struct pq_parser *p);
	struct pq_expr *(*infix)(struct pq_parser *p, struct pq_expr *left);
};

static const struct rule rules[PQ_T_COUNT] = {
	[PQ_T_NUMBER] = {0, number_prefix, NULL},
	[PQ_T_DURATION] = {0, number_prefix, NULL},
	[PQ_T_STRING] = {0, string_prefix, NULL},
	[PQ_T_LPAREN] = {0, paren_prefix, NULL},
	[PQ_T_LBRACE] = {0, pq_selector_prefix, NULL},
	[PQ_T_NAME] = {0, name_prefix, NULL},
	[PQ_T_METRIC] = {0, name_prefix, NULL},
	[PQ_T_AGG] = {0, aggregate_prefix, NULL},
	[PQ_T_START] = {0, name_prefix, NULL},
	[PQ_T_AT_END] = {0, name_prefix, NULL},
	[PQ_T_STEP] = {0, name_prefix, NULL},
	[PQ_T_RANGE] = {0, name_prefix, NULL},
	[PQ_T_MAX_OF] = {0, name_prefix, NULL},
	[PQ_T_MIN_OF] = {0, name_prefix, NULL},
	[PQ_T_BY] = {0, pq_selector_prefix, NULL},
	[PQ_T_WITHOUT] = {0, pq_selector_prefix, NULL},
	[PQ_T_FILL] = {0, pq_selector_prefix, NULL},
	[PQ_T_FILL_LEFT] = {0, pq_selector_prefix, NULL},
	[PQ_T_FILL_RIGHT] = {0, pq_selector_prefix, NULL},
	[PQ_T_ADD] = {PQ_POW_SUM, sign_prefix, pq_binary_infix},
	[PQ_T_SUB] = {PQ_POW_SUM, sign_prefix, pq_binary_infix},
	[PQ_T_OR] = {PQ_POW_OR, pq_selector_prefix, pq_binary_infix},
	[PQ_T_AND] = {PQ_POW_AND, pq_selector_prefix, pq_binary_infix},
	[PQ_T_UNLESS] = {PQ_POW_AND, pq_selector_prefix, pq_binary_infix},
	[PQ_T_EQ] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_NE] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_LT] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_LE] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_GT] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_GE] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_TRIM_UPPER] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_TRIM_LOWER] = {PQ_POW_COMPARE, NULL, pq_binary_infix},
	[PQ_T_MUL] = {PQ_POW_PRODUCT, NULL, pq_binary_infix},
	[PQ_T_DIV] = {PQ_POW_PRODUCT, NULL, pq_binary_infix},
	[PQ_T_MOD] = {PQ_POW_PRODUCT, NULL, pq_binary_infix},
	[PQ_T_ATAN2] = {PQ_POW_PRODUCT, NULL, pq_binary_infix},
	[PQ_T_POW] = {PQ_POW_POWER, NULL, pq_binary_infix},
	[PQ_T_OFFSET] = {PQ_POW_POSTFIX, pq_selector_prefix, pq_offset_infix},
	[PQ_T_ANCHORED] = {PQ_POW_POSTFIX, pq_selector_prefix, pq_extended_infix},
	[PQ_T_SMOOTHED] = {PQ_POW_POSTFIX, pq_selector_prefix, pq_extended_infix},
	[PQ_T_AT] = {PQ_POW_POSTFIX, NULL, pq_at_infix},
	[PQ_T_LBRACKET] = {PQ_POW_POSTFIX, NULL, pq_bracket_infix},
};

bool pq_is_metric_name(enum pq_tok kind)
{
	const struct rule *r = &rules[kind];

	return r->prefix == pq_selector_prefix
		       ? kind != PQ_T_LBRACE
		       : r->prefix == name_prefix || r->prefix == aggregate_prefix;
}

/* Recursion is bounded by pq_enter. */
struct pq_expr *pq_parse_expr(
	struct pq_parser *p, enum pq_power min) /* NOLINT(misc-no-recursion) */
{
	const struct rule *r = &rules[p->tok.kind];
	struct pq_expr *x;

	if (pq_enter(p) != 0)
		return NULL;
	if (r->prefix == NULL) {
		(void)pq_unexpected(p, NULL, p->tok.kind == PQ_T_END ? "an expression" : NULL);
		return NULL;
	}
	x = r->prefix(p);
	while (x != NULL && rules[p->tok.kind].left > min)
		x = rules[p->tok.kind].infix(p, x);
	p->depth--;
	return x;
}

/* ---- entry points ---- */

static int begin(struct pq_parser *p, struct arena *a, struct str text, struct err *e)
{
	struct str copy;

	*p = (struct pq_parser){.a = a, .e = e, .text = text};
	if (text.n > LIMIT_EXPR_BYTES) {
		(void)err_set_at(e, ERR_LIMIT, LIMIT_EXPR_BYTES,
			"expression of %zu bytes, at most %u are taken", text.n, LIMIT_EXPR_BYTES);
		e->code = PQ_BOUND_BYTES;
		return -1;
	}
	copy = arena_str(a, text);
	p->nodes = ARENA_ARRAY(a, text.n + 1, struct pq_expr *);
	if (copy.p == NULL || p->nodes == NULL)
		return pq_no_memory(p);
	p->text = copy;
	pq_lexer_init(&p->lx, copy);
	return pq_advance(p);
}

/* What is left over behind a whole expression. */
static int trailing(struct pq_parser *p, const struct pq_expr *x)
{
	bool begins = p->tok.kind == PQ_T_NAME || p->tok.kind == PQ_T_METRIC ||
		      p->tok.kind == PQ_T_NUMBER || p->tok.kind == PQ_T_DURATION ||
		      p->tok.kind == PQ_T_STRING || p->tok.kind == PQ_T_AGG;

	if (p->tok.kind == PQ_T_END)
		return 0;
	if (begins && x->kind == PQ_SELECTOR && pq_aggregation_find(x->u.selector.name) != NULL)
		return pq_unexpected(p, "aggregation", "\"(\"");
	if (p->tok.kind == PQ_T_RPAREN)
		return pq_fail(p->e, p->text, p->tok.off,
			"unexpected right parenthesis ')', none is open");
	if (begins && pq_hint_token(p->text, p->tok, PQ_PLACE_ANY)[0] == '\0')
		return pq_unexpected(p, NULL, "an operator");
	return pq_unexpected(p, NULL, NULL);
}

const struct pq_expr *pq_parse(struct arena *a, struct str text, bool experimental, struct err *e)
{
	struct pq_parser p;
	struct pq_expr *x;

	if (begin(&p, a, text, e) != 0)
		return NULL;
	p.experimental = experimental;
	if (p.tok.kind == PQ_T_END) {
		pq_fail(e, text, 0, "no expression found in input");
		return NULL;
	}
	x = pq_parse_expr(&p, PQ_POW_LOWEST);
	if (x == NULL || trailing(&p, x) != 0 || pq_check(&p) != 0)
		return NULL;
	if (a->failed) {
		(void)pq_no_memory(&p);
		return NULL;
	}
	x->source = p.text;
	return x;
}

int pq_parse_selector(
	struct arena *a, struct str text, struct matcher **m, size_t *n, struct err *e)
{
	struct pq_parser p;
	struct pq_expr *x;

	if (begin(&p, a, text, e) != 0)
		return -1;
	if (p.tok.kind != PQ_T_LBRACE && !pq_is_metric_name(p.tok.kind))
		return pq_unexpected(&p, NULL, "a selector such as up{job=\"x\"}");
	x = pq_selector_prefix(&p);
	if (x == NULL || trailing(&p, x) != 0 || pq_check(&p) != 0)
		return -1;
	*n = x->u.selector.n;
	*m = ARENA_ARRAY(a, *n, struct matcher);
	if (a->failed)
		return pq_no_memory(&p);
	memcpy(*m, x->u.selector.m, *n * sizeof **m);
	return 0;
}
