/* SPDX-License-Identifier: Apache-2.0 */
/* literal - values of number and string literals; the syntax is Go's, which Prometheus took over.
 * Part of lex.h. */
#include "base/f64.h"
#include "base/num.h"
#include "base/quote.h"
#include "rules/promql/lex.h"

#define DIGITS_MAX 512u /* bytes of one number literal */

/* The text without underscores; false where one does not stand between digits. */
static bool strip_underscores(struct str s, char *out, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '_') {
			out[(*n)++] = s.p[i];
			continue;
		}
		if (i == 0 || i + 1 == s.n || strchr("_.eE+-", s.p[i - 1]) != NULL ||
			strchr("_.eE+-", s.p[i + 1]) != NULL)
			return false;
	}
	return true;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Digits of a base as an int64, as Go's ParseInt; false when one is none or they overflow. */
static bool read_int(struct str s, int base, double *out)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		int d = digit_of(s.p[i]);

		if (d >= base || i64_mul(v, base, &v) || i64_add(v, d, &v))
			return false;
	}
	*out = (double)v;
	return s.n > 0;
}

bool pq_number(struct str s, double *out)
{
	char text[DIGITS_MAX];
	struct str t;
	size_t n;

	if (s.n >= sizeof text)
		return false;
	if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X')) {
		n = 0;
		for (size_t i = 2; i < s.n; i++) {
			if (s.p[i] != '_')
				text[n++] = s.p[i];
			else if (i + 1 == s.n || s.p[i + 1] == '_')
				return false;
		}
		return read_int(str_n(text, n), 16, out);
	}
	if (!strip_underscores(s, text, &n))
		return false;
	t = str_n(text, n);
	if (t.n > 1 && t.p[0] == '0' && read_int(str_sub(t, 1, t.n), 8, out))
		return true;
	return f64_parse(t, out);
}

struct escape {
	int digits, base;
	unsigned long max;
};

static const char unknown_escape[] = "unknown escape sequence";

/* \n, \x41, \101, \u00e9, \U0001F600 at *i (behind the backslash) into b; NULL or what is wrong. */
static const char *unescape(struct str s, size_t *i, char quote, struct buf *b)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	struct escape x = {0};
	unsigned long v = 0;
	char c = s.p[*i];
	const char *at = c != '\0' ? strchr(names, c) : NULL;

	if (at != NULL || c == quote) {
		buf_ch(b, at != NULL ? values[at - names] : quote);
		++*i;
		return NULL;
	}
	if (c >= '0' && c <= '7')
		x = (struct escape){3, 8, 255};
	else if (c == 'x')
		x = (struct escape){2, 16, 255};
	else if (c == 'u')
		x = (struct escape){4, 16, 0x10ffff};
	else if (c == 'U')
		x = (struct escape){8, 16, 0x10ffff};
	else
		return unknown_escape;
	*i += x.base == 16;
	for (int k = 0; k < x.digits; k++, ++*i) {
		if (*i >= s.n || digit_of(s.p[*i]) >= x.base)
			return "illegal character in escape sequence";
		v = v * (unsigned)x.base + (unsigned)digit_of(s.p[*i]);
	}
	if (v > x.max || (v >= 0xd800 && v < 0xe000))
		return "escape sequence is an invalid Unicode code point";
	if (x.max == 255)
		buf_ch(b, (char)v);
	else
		quote_add_rune(b, v);
	return NULL;
}

int pq_unquote(struct arena *a, struct str text, struct pq_token t, struct str *out, struct err *e)
{
	struct str s = str_sub(t.text, 1, t.text.n - 1);
	char quote = t.text.p[0];
	const char *wrong = NULL;
	struct buf b;

	if (!str_is_utf8(s))
		return pq_fail(e, text, t.off, "the string is not valid UTF-8");
	if (quote == '`' || str_find(s, '\\') == s.n) {
		*out = arena_str(a, s);
		return 0;
	}
	buf_init(&b, s.n + 8);
	for (size_t i = 0; i < s.n && wrong == NULL;) {
		if (s.p[i] != '\\') {
			buf_ch(&b, s.p[i++]);
			continue;
		}
		i++;
		wrong = i < s.n ? unescape(s, &i, quote, &b) : "escape sequence not terminated";
		if (wrong != NULL)
			pq_fail(e, text, t.off + MIN_OF(i, s.n), "%s in string%s", wrong,
				wrong == unknown_escape ? ", a backslash is written twice (\\\\d) "
							  "or between backquotes"
							: "");
	}
	if (wrong == NULL && b.failed) {
		wrong = "out of memory";
		err_set(e, ERR_LIMIT, 0, "out of memory");
	}
	if (wrong == NULL)
		*out = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return wrong == NULL ? 0 : -1;
}
