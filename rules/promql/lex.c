/* SPDX-License-Identifier: Apache-2.0 */
/* lex - scanner of PromQL; see lex.h. Numbers and durations share their first digits: a number is
 * tried first, and what runs on into letters must be a duration. */
#include "rules/promql/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"
#include "base/quote.h"
#include "rules/promql/ast.h"
#include "rules/promql/func_table.h"
#include "rules/promql/hint.h"

static const struct {
	const char *word;
	enum pq_tok kind;
} keywords[] = {
	{"and", PQ_T_AND},
	{"or", PQ_T_OR},
	{"unless", PQ_T_UNLESS},
	{"atan2", PQ_T_ATAN2},
	{"offset", PQ_T_OFFSET},
	{"anchored", PQ_T_ANCHORED},
	{"smoothed", PQ_T_SMOOTHED},
	{"by", PQ_T_BY},
	{"without", PQ_T_WITHOUT},
	{"on", PQ_T_ON},
	{"ignoring", PQ_T_IGNORING},
	{"group_left", PQ_T_GROUP_LEFT},
	{"group_right", PQ_T_GROUP_RIGHT},
	{"fill", PQ_T_FILL},
	{"fill_left", PQ_T_FILL_LEFT},
	{"fill_right", PQ_T_FILL_RIGHT},
	{"bool", PQ_T_BOOL},
	{"start", PQ_T_START},
	{"end", PQ_T_AT_END},
	{"step", PQ_T_STEP},
	{"range", PQ_T_RANGE},
	{"max_of", PQ_T_MAX_OF},
	{"min_of", PQ_T_MIN_OF},
	{"inf", PQ_T_NUMBER},
	{"nan", PQ_T_NUMBER},
};

/* Longest first among those that share a beginning. */
static const struct {
	const char *sign;
	enum pq_tok kind;
} signs[] = {
	{"==", PQ_T_EQ},
	{"=~", PQ_T_MATCH},
	{"=", PQ_T_ASSIGN},
	{"!=", PQ_T_NE},
	{"!~", PQ_T_NMATCH},
	{"<=", PQ_T_LE},
	{"</", PQ_T_TRIM_UPPER},
	{"<", PQ_T_LT},
	{">=", PQ_T_GE},
	{">/", PQ_T_TRIM_LOWER},
	{">", PQ_T_GT},
	{"+", PQ_T_ADD},
	{"-", PQ_T_SUB},
	{"*", PQ_T_MUL},
	{"/", PQ_T_DIV},
	{"%", PQ_T_MOD},
	{"^", PQ_T_POW},
	{"(", PQ_T_LPAREN},
	{")", PQ_T_RPAREN},
	{"{", PQ_T_LBRACE},
	{"}", PQ_T_RBRACE},
	{"[", PQ_T_LBRACKET},
	{"]", PQ_T_RBRACKET},
	{",", PQ_T_COMMA},
	{"@", PQ_T_AT},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void pq_line_col(struct str text, size_t off, unsigned *line, unsigned *col)
{
	*line = 1;
	*col = 1;
	for (size_t i = 0; i < off && i < text.n; i++) {
		++*col;
		if (text.p[i] == '\n') {
			++*line;
			*col = 1;
		}
	}
}

int pq_fail(struct err *e, struct str text, size_t off, const char *fmt, ...)
{
	unsigned line, col;
	char msg[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	pq_line_col(text, off, &line, &col);
	return err_set_at(e, ERR_INPUT, off, "%u:%u: parse error: %s", line, col, msg);
}

void pq_token_name(struct pq_token t, char *out, size_t size)
{
	const char *what = t.kind == PQ_T_NAME       ? "identifier "
			   : t.kind == PQ_T_METRIC   ? "metric identifier "
			   : t.kind == PQ_T_NUMBER   ? "number "
			   : t.kind == PQ_T_DURATION ? "duration "
			   : t.kind == PQ_T_STRING   ? "string "
						     : "";

	if (t.kind == PQ_T_END)
		(void)snprintf(out, size, "end of input");
	else if (t.kind == PQ_T_STRING)
		(void)snprintf(out, size, "%s%.*s", what, (int)MIN_OF(t.text.n, 40), t.text.p);
	else
		(void)snprintf(out, size, "%s\"%.*s\"", what, (int)MIN_OF(t.text.n, 60), t.text.p);
}

void pq_lexer_init(struct pq_lexer *lx, struct str text)
{
	*lx = (struct pq_lexer){.text = text};
}

/* The byte i places ahead, or NUL behind the end (a NUL in the text is refused anyway). */
static char peek(const struct pq_lexer *lx, size_t i)
{
	return lx->pos + i < lx->text.n ? lx->text.p[lx->pos + i] : '\0';
}

static void skip_blanks(struct pq_lexer *lx)
{
	for (;;) {
		while (lx->pos < lx->text.n && is_space(lx->text.p[lx->pos]))
			lx->pos++;
		if (peek(lx, 0) != '#')
			return;
		while (lx->pos < lx->text.n && lx->text.p[lx->pos] != '\n')
			lx->pos++;
	}
}

static struct pq_token token(const struct pq_lexer *lx, enum pq_tok kind, size_t from)
{
	return (struct pq_token){kind, (uint32_t)from, str_sub(lx->text, from, lx->pos)};
}

static struct pq_token bad_number(struct pq_lexer *lx, size_t from, struct err *e)
{
	while (is_alnum(peek(lx, 0)) || peek(lx, 0) == '.')
		lx->pos++;
	pq_fail(e, lx->text, from, "bad number or duration syntax: \"" STR_FMT "\"%s",
		STR_ARG(str_sub(lx->text, from, lx->pos)),
		lx->in_braces
			? pq_hint_token(lx->text, token(lx, PQ_T_NUMBER, from), PQ_PLACE_BRACES)
			: pq_hint_number(str_sub(lx->text, from, lx->pos), lx->in_brackets));
	return token(lx, PQ_T_ERROR, from);
}

/* (digits unit)+ with a unit of letters; order and names of units are checked later. */
static bool scan_duration(struct pq_lexer *lx)
{
	do {
		if (!is_digit(peek(lx, 0)))
			return false;
		while (is_digit(peek(lx, 0)))
			lx->pos++;
		if (peek(lx, 0) == '\0' || strchr("smhdwy", peek(lx, 0)) == NULL)
			return false;
		lx->pos++;
		if (peek(lx, 0) == 's')
			lx->pos++;
	} while (is_digit(peek(lx, 0)));
	return !is_alpha(peek(lx, 0));
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Over everything a number may be made of; pq_number decides. */
static void scan_number(struct pq_lexer *lx)
{
	bool hex = peek(lx, 0) == '0' && (peek(lx, 1) == 'x' || peek(lx, 1) == 'X');

	if (hex)
		lx->pos += 2;
	for (;; lx->pos++) {
		char c = peek(lx, 0);

		if (hex ? !(is_hex(c) || c == '_') : !(is_digit(c) || c == '_' || c == '.')) {
			if (hex || (c != 'e' && c != 'E'))
				return;
			if (peek(lx, 1) == '+' || peek(lx, 1) == '-')
				lx->pos++;
		}
	}
}

static struct pq_token lex_number(struct pq_lexer *lx, struct err *e)
{
	size_t from = lx->pos;
	double v;

	scan_number(lx);
	if (!is_alpha(peek(lx, 0)) && pq_number(str_sub(lx->text, from, lx->pos), &v))
		return token(lx, PQ_T_NUMBER, from);
	lx->pos = from;
	if (scan_duration(lx))
		return token(lx, PQ_T_DURATION, from);
	return bad_number(lx, from, e);
}

static struct pq_token lex_string(struct pq_lexer *lx, struct err *e)
{
	size_t from = lx->pos;
	char quote = lx->text.p[lx->pos++];

	while (lx->pos < lx->text.n) {
		char c = lx->text.p[lx->pos];

		if (c == quote) {
			lx->pos++;
			return token(lx, PQ_T_STRING, from);
		}
		if (c == '\n' && quote != '`')
			break;
		lx->pos += c == '\\' && quote != '`' ? 2 : 1;
	}
	lx->pos = lx->text.n;
	pq_fail(e, lx->text, from, "unterminated %s string: the closing %c is missing",
		quote == '`' ? "raw" : "quoted", quote);
	return token(lx, PQ_T_ERROR, from);
}

static enum pq_tok keyword(const struct pq_lexer *lx, struct str word)
{
	struct pq_lexer ahead = *lx;

	if (pq_aggregation_find(word) != NULL)
		return PQ_T_AGG;
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		enum pq_tok k = keywords[i].kind;

		if (!str_eq_nocase(word, str_c(keywords[i].word)))
			continue;
		if (k != PQ_T_FILL && k != PQ_T_FILL_LEFT && k != PQ_T_FILL_RIGHT)
			return k;
		/* Young keywords: names of metrics unless a parenthesis follows. */
		skip_blanks(&ahead);
		return peek(&ahead, 0) == '(' ? k : PQ_T_NAME;
	}
	return PQ_T_NAME;
}

static struct pq_token lex_word(struct pq_lexer *lx)
{
	size_t from = lx->pos;
	bool colons = !lx->in_braces && !lx->in_brackets;
	struct str word;

	while (is_alnum(peek(lx, 0)) || (colons && peek(lx, 0) == ':'))
		lx->pos++;
	word = str_sub(lx->text, from, lx->pos);
	if (lx->in_braces)
		return token(lx, PQ_T_NAME, from);
	if (str_find(word, ':') < word.n)
		return token(lx, PQ_T_METRIC, from);
	return token(lx, keyword(lx, word), from);
}

static struct pq_token lex_unknown(struct pq_lexer *lx, struct err *e)
{
	struct str rest = str_sub(lx->text, lx->pos, lx->text.n);
	size_t from = lx->pos;
	unsigned long rune;
	size_t n = quote_rune(rest, &rune);

	if (rune == 0xffffffffUL || rune < 0x20)
		pq_fail(e, lx->text, from, "unexpected byte 0x%02x%s",
			(unsigned)(unsigned char)rest.p[0], lx->in_braces ? " inside braces" : "");
	else
		pq_fail(e, lx->text, from, "unexpected character%s: '%.*s'%s",
			lx->in_braces ? " inside braces" : "", (int)n, rest.p,
			pq_hint_char(lx, from));
	lx->pos += n;
	return token(lx, PQ_T_ERROR, from);
}

static struct pq_token lex_sign(struct pq_lexer *lx, struct err *e)
{
	struct str rest = str_sub(lx->text, lx->pos, lx->text.n);
	size_t from = lx->pos;

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		enum pq_tok k = signs[i].kind;

		if (!str_starts(rest, str_c(signs[i].sign)))
			continue;
		lx->pos += strlen(signs[i].sign);
		if (k == PQ_T_LBRACE || k == PQ_T_RBRACE)
			lx->in_braces = k == PQ_T_LBRACE;
		if (k == PQ_T_LBRACKET || k == PQ_T_RBRACKET)
			lx->in_brackets = k == PQ_T_LBRACKET;
		return token(lx, k, from);
	}
	return lex_unknown(lx, e);
}

struct pq_token pq_lex(struct pq_lexer *lx, struct err *e)
{
	char c;

	skip_blanks(lx);
	if (lx->pos >= lx->text.n)
		return token(lx, PQ_T_END, lx->pos);
	c = peek(lx, 0);
	if (c == '"' || c == '\'' || c == '`')
		return lex_string(lx, e);
	if (c == ':' && lx->in_brackets) {
		lx->pos++;
		return token(lx, PQ_T_COLON, lx->pos - 1);
	}
	if (is_alpha(c) || (c == ':' && !lx->in_braces))
		return lex_word(lx);
	if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1))))
		return lex_number(lx, e);
	return lex_sign(lx, e);
}
