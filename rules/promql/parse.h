/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - what the files of the PromQL parser share: parse.c (the Pratt loop, atoms, calls,
 * aggregations), parse_select.c (selectors, ranges, @, offset), parse_binary.c (operators and
 * matching), parse_dur.c (duration expressions), check.c (types). Not for others.
 *
 * Every function that makes a node returns NULL after the first error, which is in *p->e.
 */
#ifndef BELFRY_RULES_PROMQL_PARSE_H
#define BELFRY_RULES_PROMQL_PARSE_H

#include "rules/promql/ast.h"
#include "rules/promql/lex.h"

/* Binding powers: an operator takes what stands left of it when its power is greater than the
 * surrounding one. */
enum pq_power {
	PQ_POW_LOWEST = 0,
	PQ_POW_OR = 10,
	PQ_POW_AND = 20,
	PQ_POW_COMPARE = 30,
	PQ_POW_SUM = 40,
	PQ_POW_PRODUCT = 50, /* a sign binds like a product: -a^b is -(a^b) */
	PQ_POW_POWER = 60,   /* to the right */
	PQ_POW_POSTFIX = 70,
};

struct pq_parser {
	struct arena *a;
	struct str text;
	struct pq_lexer lx;
	struct pq_token tok; /* the next one */
	uint32_t last_end;   /* behind the last one taken */
	struct err *e;
	bool experimental;
	unsigned depth;
	unsigned regexes;
	struct pq_expr **nodes; /* by id: children before parents; room for one a byte of text */
	size_t n_nodes;
};

/* Take the next token; -1: the lexer refused it. */
int pq_advance(struct pq_parser *p) MUST_CHECK;
/* Take a token of this kind, or fail: unexpected ... in WHERE, expected WHAT. */
int pq_expect(
	struct pq_parser *p, enum pq_tok kind, const char *where, const char *what) MUST_CHECK;
/* "unexpected ... in WHERE, expected WHAT"; where and what may be NULL. Returns -1. */
int pq_unexpected(struct pq_parser *p, const char *where, const char *what);
int pq_no_memory(struct pq_parser *p); /* returns -1 */
/* A deeper level of brackets or operators; pair with p->depth--. */
int pq_enter(struct pq_parser *p) MUST_CHECK;
/* A new node that ends at last_end; `height` of its highest child. */
struct pq_expr *pq_node(struct pq_parser *p, enum pq_kind kind, uint32_t off, uint16_t height);
/* A copy of the array with room for at least one element more; NULL: no memory. */
void *pq_grow(struct pq_parser *p, const void *v, size_t n, size_t *cap, size_t elem);
void pq_close(const struct pq_parser *p, struct pq_expr *x); /* it ends at last_end */

struct pq_expr *pq_parse_expr(struct pq_parser *p, enum pq_power min);

/* Is this word a metric's name where an expression may begin? */
bool pq_is_metric_name(enum pq_tok kind);
struct pq_expr *pq_selector_prefix(struct pq_parser *p);
struct pq_expr *pq_bracket_infix(struct pq_parser *p, struct pq_expr *left);
struct pq_expr *pq_at_infix(struct pq_parser *p, struct pq_expr *left);
struct pq_expr *pq_offset_infix(struct pq_parser *p, struct pq_expr *left);
struct pq_expr *pq_extended_infix(struct pq_parser *p, struct pq_expr *left);

struct pq_expr *pq_binary_infix(struct pq_parser *p, struct pq_expr *left);
/* (a, b, "c d"): labels of by, on and the like. */
int pq_parse_names(struct pq_parser *p, struct pq_names *out) MUST_CHECK;

/* One duration expression of [...]; or what may follow `offset` without parentheses. */
struct pq_dur *pq_parse_dur(struct pq_parser *p, enum pq_power min);
struct pq_dur *pq_parse_offset(struct pq_parser *p);
/* A plain number gives *ms and *expr = NULL, anything else *expr. Not `negative`: must be > 0. */
int pq_settle_dur(struct pq_parser *p, const struct pq_dur *d, bool negative, int64_t *ms,
	const struct pq_dur **expr) MUST_CHECK;
/* A number or duration token as seconds. */
int pq_parse_number(struct pq_parser *p, double *val, bool *is_duration) MUST_CHECK;

/* Types, matching, arguments of all nodes made so far. */
int pq_check(struct pq_parser *p) MUST_CHECK;

#endif
