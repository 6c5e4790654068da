/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_lex - text and actions as tokens. Trim markers and comments are dealt with here: the
 * parser sees only trimmed text.
 */
#include <stdlib.h>

#include "base/f64.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/quote.h"
#include "rules/template_private.h"

struct lexer {
	struct arena *a;
	struct err *e;
	struct str s;
	size_t pos;
	struct tmpl_token *v;
	size_t n, cap;
	unsigned parens;
	bool trim; /* the last action ended with -}} */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letters beyond ASCII count as letters. */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) ||
	       ((unsigned char)c >= 0x80);
}

static char at(const struct lexer *l, size_t i)
{
	return l->pos + i < l->s.n ? l->s.p[l->pos + i] : '\0';
}

static bool looking_at(const struct lexer *l, size_t i, struct str what)
{
	return l->pos + i <= l->s.n && str_starts(str_sub(l->s, l->pos + i, l->s.n), what);
}

static struct tmpl_token *add(struct lexer *l, enum tmpl_tok kind, size_t off, size_t len)
{
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? l->cap * 2 : 32;
		struct tmpl_token *v = ARENA_ARRAY(l->a, cap, struct tmpl_token);

		if (v == NULL) {
			(void)err_set_at(
				l->e, ERR_LIMIT, off, "the template needs too much memory");
			return NULL;
		}
		if (l->n > 0)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = (struct tmpl_token){
		.kind = kind, .off = off, .text = str_sub(l->s, off, off + len)};
	return &l->v[l->n++];
}

static bool unexpected(struct lexer *l)
{
	unsigned long rune;

	(void)quote_rune(str_sub(l->s, l->pos, l->s.n), &rune);
	if (rune > 0x20 && rune < 0x7f)
		(void)err_set_at(
			l->e, ERR_INPUT, l->pos, "unexpected '%c' in an action", (char)rune);
	else
		(void)err_set_at(l->e, ERR_INPUT, l->pos,
			"unrecognized character U+%04lX in an action", rune);
	return false;
}

/* --- literals --- */

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One escape after a backslash at s[*i]; as Go's strconv.Unquote. False: not an escape. */
static bool escape(struct str s, size_t *i, char quote, struct buf *b)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	char c = *i < s.n ? s.p[*i] : '\0';
	const char *hit = c != '\0' ? strchr(from, c) : NULL;
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	unsigned long v = 0;

	(*i)++;
	if (hit != NULL || c == quote) {
		buf_ch(b, hit != NULL ? to[hit - from] : quote);
		return true;
	}
	if (c >= '0' && c <= '7') {
		digits = 3;
		(*i)--;
	}
	if (digits == 0 || *i + digits > s.n)
		return false;
	for (size_t k = 0; k < digits; k++) {
		int d = hex_value(s.p[*i + k]);

		if (d < 0 || (digits == 3 && d > 7))
			return false;
		v = v * (digits == 3 ? 8 : 16) + (unsigned long)d;
	}
	*i += digits;
	if (digits <= 3) {
		if (v > 255)
			return false;
		buf_ch(b, (char)(unsigned char)v);
		return true;
	}
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return false;
	quote_add_rune(b, v);
	return true;
}

/* A literal in `quote` at pos: its unquoted content in the arena. */
static bool quoted(struct lexer *l, char quote, struct str *out)
{
	size_t start = l->pos, i = start + 1;
	struct buf b;
	bool ok = true;

	buf_init(&b, l->s.n + 1);
	while (ok && i < l->s.n && l->s.p[i] != quote && l->s.p[i] != '\n') {
		if (l->s.p[i] != '\\') {
			buf_ch(&b, l->s.p[i++]);
			continue;
		}
		i++;
		ok = escape(l->s, &i, quote, &b);
		if (!ok)
			(void)err_set_at(l->e, ERR_INPUT, i < l->s.n ? i - 1 : start,
				"invalid escape in a quoted text");
	}
	if (ok && (i >= l->s.n || l->s.p[i] != quote)) {
		(void)err_set_at(l->e, ERR_INPUT, start, "unterminated quoted text");
		ok = false;
	}
	if (ok && b.failed) {
		(void)err_set_at(l->e, ERR_LIMIT, start, "out of memory");
		ok = false;
	}
	*out = arena_str(l->a, buf_view(&b));
	buf_fini(&b);
	l->pos = i + 1;
	return ok && out->p != NULL;
}

static bool string_token(struct lexer *l)
{
	size_t start = l->pos;
	struct tmpl_token *t;
	struct str s;

	if (!quoted(l, '"', &s))
		return false;
	t = add(l, TMPL_STRING, start, l->pos - start);
	if (t == NULL)
		return false;
	t->text = s;
	return true;
}

static bool raw_token(struct lexer *l)
{
	size_t start = l->pos, end = str_find(str_sub(l->s, start + 1, l->s.n), '`');
	struct tmpl_token *t;

	if (start + 1 + end >= l->s.n) {
		(void)err_set_at(l->e, ERR_INPUT, start, "unterminated raw text");
		return false;
	}
	t = add(l, TMPL_STRING, start + 1, end);
	l->pos = start + end + 2;
	if (t != NULL)
		t->off = start;
	return t != NULL;
}

static bool char_token(struct lexer *l)
{
	size_t start = l->pos;
	struct tmpl_token *t;
	unsigned long rune;
	struct str s;

	if (!quoted(l, '\'', &s))
		return false;
	if (s.n == 0 || quote_rune(s, &rune) != s.n) {
		(void)err_set_at(
			l->e, ERR_INPUT, start, "a character constant holds one character");
		return false;
	}
	t = add(l, TMPL_NUMBER, start, l->pos - start);
	if (t != NULL)
		t->number = tv_int((int64_t)rune);
	return t != NULL;
}

/* Digits in a base other than ten: 0x1f, 0b11, 0o17, 017. */
static bool based(struct str s, int64_t *out)
{
	bool neg = s.n > 0 && s.p[0] == '-';
	size_t i = neg || (s.n > 0 && s.p[0] == '+') ? 1 : 0;
	unsigned base = 8;
	int64_t v = 0;

	if (i + 1 >= s.n || s.p[i] != '0')
		return false;
	i++;
	if (!is_digit(s.p[i])) {
		char c = (char)(s.p[i] | 0x20);

		base = c == 'x' ? 16 : c == 'b' ? 2 : c == 'o' ? 8 : 0;
		i++;
	}
	if (base == 0 || i >= s.n)
		return false;
	for (; i < s.n; i++) {
		int d = hex_value(s.p[i]);

		if (d < 0 || (unsigned)d >= base || i64_mul(v, (int64_t)base, &v) ||
			(neg ? i64_sub(v, d, &v) : i64_add(v, d, &v)))
			return false;
	}
	*out = v;
	return true;
}

static bool number_value(struct str s, struct tv *out)
{
	char digits[128];
	struct str t = {digits, 0};
	bool hex = str_has(s, STR("0x")) || str_has(s, STR("0X")), real = false;
	long long i;
	size_t sign;
	int64_t v;

	for (size_t k = 0; k < s.n; k++) {
		if (s.p[k] == '_')
			continue;
		if (t.n == sizeof digits)
			return false;
		digits[t.n++] = s.p[k];
		real = real || s.p[k] == '.' || (!hex && (s.p[k] | 0x20) == 'e') ||
		       (s.p[k] | 0x20) == 'p';
	}
	if (real) {
		*out = tv_float(0);
		return (hex ? str_to_f64(t, &out->u.f) : f64_parse(t, &out->u.f)) &&
		       isfinite(out->u.f);
	}
	if (based(t, &v)) {
		*out = tv_int(v);
		return true;
	}
	sign = t.n > 0 && (t.p[0] == '+' || t.p[0] == '-');
	if (t.n > sign + 1 && t.p[sign] == '0') /* 08 is no octal number */
		return false;
	if (!str_to_i64(t, &i))
		return false;
	*out = tv_int(i);
	return true;
}

static bool number_token(struct lexer *l)
{
	size_t start = l->pos;
	struct tmpl_token *t;
	struct tv v;
	char exponent; /* behind it a sign may stand */

	if (at(l, 0) == '+' || at(l, 0) == '-')
		l->pos++;
	exponent = at(l, 0) == '0' && (at(l, 1) | 0x20) == 'x' ? 'p' : 'e';
	while (is_word(at(l, 0)) || at(l, 0) == '.' ||
		((at(l, 0) == '+' || at(l, 0) == '-') && l->pos > start &&
			(l->s.p[l->pos - 1] | 0x20) == exponent))
		l->pos++;
	if (!number_value(str_sub(l->s, start, l->pos), &v)) {
		(void)err_set_at(l->e, ERR_INPUT, start, "bad number \"" STR_FMT "\"",
			STR_ARG(str_sub(l->s, start, l->pos)));
		return false;
	}
	t = add(l, TMPL_NUMBER, start, l->pos - start);
	if (t != NULL)
		t->number = v;
	return t != NULL;
}

/* --- actions --- */

/* What may stand behind a name. */
static bool ends_name(struct lexer *l)
{
	char c = at(l, 0);

	if (l->pos >= l->s.n || is_space(c) || strchr(".,|:)(=", c) != NULL ||
		looking_at(l, 0, STR("}}")))
		return true;
	return unexpected(l);
}

static bool name_token(struct lexer *l, enum tmpl_tok kind, size_t skip)
{
	size_t start = l->pos;
	struct tmpl_token *t;

	l->pos += skip;
	while (is_word(at(l, 0)))
		l->pos++;
	if (!ends_name(l))
		return false;
	t = add(l, kind, start, l->pos - start);
	if (t != NULL && kind == TMPL_FIELD)
		t->text = str_sub(t->text, 1, t->text.n);
	return t != NULL;
}

static bool punct(struct lexer *l, enum tmpl_tok kind, size_t len)
{
	l->pos += len;
	return add(l, kind, l->pos - len, len) != NULL;
}

static bool bracket(struct lexer *l)
{
	if (at(l, 0) == '(') {
		l->parens++;
		return punct(l, TMPL_LPAREN, 1);
	}
	if (l->parens == 0)
		return unexpected(l);
	l->parens--;
	return punct(l, TMPL_RPAREN, 1);
}

static bool action_token(struct lexer *l)
{
	char c = at(l, 0);

	if (is_space(c)) {
		size_t start = l->pos;

		while (is_space(at(l, 0)) && !looking_at(l, 1, STR("-}}")))
			l->pos++;
		return l->pos == start || add(l, TMPL_SPACE, start, l->pos - start) != NULL;
	}
	if (is_digit(c) || ((c == '+' || c == '-') && (is_digit(at(l, 1)) || at(l, 1) == '.')) ||
		(c == '.' && is_digit(at(l, 1))))
		return number_token(l);
	switch (c) {
	case '"': return string_token(l);
	case '`': return raw_token(l);
	case '\'': return char_token(l);
	case '$': return name_token(l, TMPL_VAR, 1);
	case '.': return is_word(at(l, 1)) ? name_token(l, TMPL_FIELD, 1) : punct(l, TMPL_DOT, 1);
	case '|': return punct(l, TMPL_PIPE, 1);
	case ',': return punct(l, TMPL_COMMA, 1);
	case '=': return punct(l, TMPL_ASSIGN, 1);
	case ':': return at(l, 1) == '=' ? punct(l, TMPL_DECLARE, 2) : unexpected(l);
	case '(':
	case ')': return bracket(l);
	default: break;
	}
	/* A no-break space and the like are no letters, whatever is_word says. */
	if (looking_at(l, 0, STR("\xc2\xa0")) || !is_word(c))
		return unexpected(l);
	return name_token(l, TMPL_IDENT, 0);
}

static bool comment(struct lexer *l)
{
	size_t start = l->pos;

	while (l->pos < l->s.n && !looking_at(l, 0, STR("*/")))
		l->pos++;
	if (l->pos >= l->s.n) {
		(void)err_set_at(l->e, ERR_INPUT, start, "unclosed comment");
		return false;
	}
	l->pos += 2;
	l->trim = is_space(at(l, 0)) && looking_at(l, 1, STR("-}}"));
	if (l->trim)
		l->pos += 2;
	if (!looking_at(l, 0, STR("}}"))) {
		(void)err_set_at(l->e, ERR_INPUT, l->pos, "a comment ends with */}}");
		return false;
	}
	l->pos += 2;
	return true;
}

static bool action(struct lexer *l)
{
	size_t open = l->pos;

	l->pos += 2;
	if (at(l, 0) == '-' && is_space(at(l, 1)))
		l->pos += 1;
	if (looking_at(l, 0, STR("/*")) ||
		(is_space(at(l, 0)) && looking_at(l, 1, STR("/*")) && l->s.p[l->pos - 1] == '-')) {
		l->pos += is_space(at(l, 0));
		return comment(l);
	}
	if (add(l, TMPL_LEFT, open, 2) == NULL)
		return false;
	l->parens = 0;
	for (;;) {
		l->trim = is_space(at(l, 0)) && looking_at(l, 1, STR("-}}"));
		if (l->trim)
			l->pos += 2;
		if (looking_at(l, 0, STR("}}")))
			break;
		if (l->pos >= l->s.n) {
			(void)err_set_at(l->e, ERR_INPUT, open, "unclosed action");
			return false;
		}
		if (!action_token(l))
			return false;
	}
	if (l->parens > 0) {
		(void)err_set_at(l->e, ERR_INPUT, l->pos, "unclosed left bracket");
		return false;
	}
	return punct(l, TMPL_RIGHT, 2);
}

/* Text up to the next action, without what trim markers take away. */
static bool text(struct lexer *l)
{
	size_t start = l->pos, end;

	while (l->pos < l->s.n && !looking_at(l, 0, STR("{{")))
		l->pos++;
	end = l->pos;
	if (l->trim)
		while (start < end && is_space(l->s.p[start]))
			start++;
	if (at(l, 2) == '-' && is_space(at(l, 3)))
		while (end > start && is_space(l->s.p[end - 1]))
			end--;
	l->trim = false;
	return end == start || add(l, TMPL_TEXT, start, end - start) != NULL;
}

const struct tmpl_token *tmpl_lex(struct arena *a, struct str whole, struct err *e)
{
	struct lexer l = {.a = a, .e = e, .s = whole};

	while (l.pos < whole.n) {
		if (!text(&l))
			return NULL;
		if (l.pos < whole.n && !action(&l))
			return NULL;
	}
	return add(&l, TMPL_EOF, whole.n, 0) != NULL ? l.v : NULL;
}
