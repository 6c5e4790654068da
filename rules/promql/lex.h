/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex - the tokens of PromQL as views with offsets; comments and blanks are skipped.
 *
 * A lexer is a small value: copy it to look ahead. It follows which bracket is open, because
 * inside {...} keywords are plain names and inside [...] a colon is a separator. Part of the
 * parser; not for others.
 */
#ifndef BELFRY_RULES_PROMQL_LEX_H
#define BELFRY_RULES_PROMQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum pq_tok {
	PQ_T_END,
	PQ_T_ERROR, /* the error has been set */
	PQ_T_NAME,
	PQ_T_METRIC, /* a name with colons */
	PQ_T_NUMBER, /* inf and nan too */
	PQ_T_DURATION,
	PQ_T_STRING, /* quotes included */
	PQ_T_LPAREN,
	PQ_T_RPAREN,
	PQ_T_LBRACE,
	PQ_T_RBRACE,
	PQ_T_LBRACKET,
	PQ_T_RBRACKET,
	PQ_T_COMMA,
	PQ_T_COLON,
	PQ_T_AT,
	PQ_T_ASSIGN, /* = */
	PQ_T_MATCH,  /* =~ */
	PQ_T_NMATCH, /* !~ */
	PQ_T_EQ,
	PQ_T_NE,
	PQ_T_LT,
	PQ_T_LE,
	PQ_T_GT,
	PQ_T_GE,
	PQ_T_TRIM_UPPER,
	PQ_T_TRIM_LOWER,
	PQ_T_ADD,
	PQ_T_SUB,
	PQ_T_MUL,
	PQ_T_DIV,
	PQ_T_MOD,
	PQ_T_POW,
	/* Keywords from here on, in any case. */
	PQ_T_AND,
	PQ_T_OR,
	PQ_T_UNLESS,
	PQ_T_ATAN2,
	PQ_T_AGG, /* any aggregation operator */
	PQ_T_OFFSET,
	PQ_T_ANCHORED,
	PQ_T_SMOOTHED,
	PQ_T_BY,
	PQ_T_WITHOUT,
	PQ_T_ON,
	PQ_T_IGNORING,
	PQ_T_GROUP_LEFT,
	PQ_T_GROUP_RIGHT,
	PQ_T_FILL,
	PQ_T_FILL_LEFT,
	PQ_T_FILL_RIGHT,
	PQ_T_BOOL,
	PQ_T_START,
	PQ_T_AT_END, /* the word "end" */
	PQ_T_STEP,
	PQ_T_RANGE,
	PQ_T_MAX_OF,
	PQ_T_MIN_OF,
	PQ_T_COUNT
};

struct pq_token {
	enum pq_tok kind;
	uint32_t off;
	struct str text;
};

struct pq_lexer {
	struct str text;
	size_t pos;
	bool in_braces, in_brackets;
};

void pq_lexer_init(struct pq_lexer *lx, struct str text);
/* The next token; PQ_T_END again and again at the end. PQ_T_ERROR: *e says why. */
struct pq_token pq_lex(struct pq_lexer *lx, struct err *e);

/* What a string literal stands for, in the arena. */
int pq_unquote(struct arena *a, struct str text, struct pq_token t, struct str *out,
	struct err *e) MUST_CHECK;
/* Value of a number literal: decimal, hex, octal, with underscores, inf, nan. */
bool pq_number(struct str s, double *out);

/* "1:5: parse error: ...": every message of lexer, parser and checks. Returns -1. */
int pq_fail(struct err *e, struct str text, size_t off, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* How messages call a token: `identifier "foo"`, `"by"`, `end of input`. */
void pq_token_name(struct pq_token t, char *out, size_t size);

#endif
