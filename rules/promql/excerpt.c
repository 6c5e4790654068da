/* SPDX-License-Identifier: Apache-2.0 */
/* excerpt - where in an expression an error is: its line and a caret; see format.h. Terminals and
 * dashboards show it, so control characters and bytes that are no text never pass. */
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/format.h"

#define BEFORE 60u /* bytes of a long line shown before and behind the place */
#define BEHIND 40u

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == ':';
}

static bool is_inner(char c) /* of a character of several bytes, not its first one */
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The bytes from..to of text as they may be shown; blank: as so many spaces. */
static void put(struct buf *b, struct str text, size_t from, size_t to, bool blank)
{
	struct str s = str_sub(text, from, to);
	bool utf8 = str_is_utf8(s);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (blank && !(utf8 && is_inner(s.p[i])))
			buf_ch(b, ' ');
		else if (!blank && (c < 0x20 || c == 0x7f))
			buf_ch(b, c == '\t' ? ' ' : '?');
		else if (!blank)
			buf_ch(b, c < 0x80 || utf8 ? s.p[i] : '?');
	}
}

void pq_error_excerpt(struct buf *b, struct str text, const struct err *e)
{
	size_t at = MIN_OF(e->off, text.n), from = at, to = at, end;

	if (text.n == 0 || text.n > LIMIT_EXPR_BYTES)
		return;
	while (from > 0 && text.p[from - 1] != '\n' && at - from < BEFORE)
		from--;
	while (from < at && is_inner(text.p[from]))
		from++;
	while (to < text.n && text.p[to] != '\n' && to - at < BEHIND)
		to++;
	while (to > at && to < text.n && is_inner(text.p[to]))
		to--;
	for (end = at; end < to && is_word(text.p[end]);)
		end++;
	buf_c(b, "\n  ");
	buf_c(b, from > 0 && text.p[from - 1] != '\n' ? "..." : "");
	put(b, text, from, at, false);
	put(b, text, at, to, false);
	buf_c(b, to < text.n && text.p[to] != '\n' ? "..." : "");
	buf_c(b, "\n  ");
	buf_c(b, from > 0 && text.p[from - 1] != '\n' ? "   " : "");
	put(b, text, from, at, true);
	buf_ch(b, '^');
	for (size_t i = at + 1; i < end; i++)
		buf_ch(b, '~');
}
