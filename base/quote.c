/* SPDX-License-Identifier: Apache-2.0 */
/* quote - Go string literals; the table of invisible characters covers the spaces, formats and
 * unassigned ends that occur, not all of Unicode's. See quote.h. */
#include "base/quote.h"

#include "base/num.h"

static const struct {
	unsigned long first, last;
} invisible[] = {
	{0x80, 0xa0},
	{0xad, 0xad},
	{0x600, 0x605},
	{0x61c, 0x61c},
	{0x6dd, 0x6dd},
	{0x1680, 0x1680},
	{0x180e, 0x180e},
	{0x2000, 0x200f},
	{0x2028, 0x202f},
	{0x205f, 0x206f},
	{0x3000, 0x3000},
	{0xd800, 0xf8ff},
	{0xfeff, 0xfeff},
	{0xfff0, 0xfffb},
	{0xfffe, 0xffff},
	{0xe0000, 0xe00ff},
	{0xe01f0, 0x10ffff},
};

size_t quote_rune(struct str s, unsigned long *rune)
{
	size_t n;

	*rune = 0xffffffffUL;
	if (s.n == 0)
		return 0;
	n = ((unsigned char)s.p[0] < 0x80)   ? 1
	    : ((unsigned char)s.p[0] < 0xe0) ? 2
	    : ((unsigned char)s.p[0] < 0xf0) ? 3
					     : 4;
	if (n > s.n || !str_is_utf8(str_sub(s, 0, n)))
		return 1;
	*rune = (unsigned char)s.p[0] & (n == 1 ? 0x7fUL : 0xffUL >> (n + 1));
	for (size_t i = 1; i < n; i++)
		*rune = *rune << 6 | ((unsigned char)s.p[i] & 0x3fUL);
	return n;
}

void quote_add_rune(struct buf *b, unsigned long r)
{
	if (r < 0x80) {
		buf_ch(b, (char)r);
	} else if (r < 0x800) {
		buf_ch(b, (char)(0xc0 | r >> 6));
		buf_ch(b, (char)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		buf_ch(b, (char)(0xe0 | r >> 12));
		buf_ch(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_ch(b, (char)(0x80 | (r & 0x3f)));
	} else {
		buf_ch(b, (char)(0xf0 | r >> 18));
		buf_ch(b, (char)(0x80 | (r >> 12 & 0x3f)));
		buf_ch(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_ch(b, (char)(0x80 | (r & 0x3f)));
	}
}

static bool is_visible(unsigned long r)
{
	for (size_t i = 0; i < ARRAY_LEN(invisible); i++)
		if (r >= invisible[i].first && r <= invisible[i].last)
			return false;
	return r >= 0x20 && r != 0x7f;
}

static void add_escape(struct buf *b, unsigned long r)
{
	static const char named[] = "abtnvfr"; /* 7..13 */

	if (r >= 7 && r <= 13)
		buf_printf(b, "\\%c", named[r - 7]);
	else if (r < 0x80)
		buf_printf(b, "\\x%02lx", r);
	else
		buf_printf(b, r < 0x10000 ? "\\u%04lx" : "\\U%08lx", r);
}

void quote_go(struct buf *b, struct str s)
{
	buf_ch(b, '"');
	while (s.n > 0) {
		unsigned long r;
		size_t n = quote_rune(s, &r);

		if (r == 0xffffffffUL) {
			buf_printf(b, "\\x%02x", (unsigned)(unsigned char)s.p[0]);
		} else if (r == '"' || r == '\\') {
			buf_ch(b, '\\');
			buf_ch(b, (char)r);
		} else if (is_visible(r)) {
			buf_add(b, s.p, n);
		} else {
			add_escape(b, r);
		}
		s = str_sub(s, n, s.n);
	}
	buf_ch(b, '"');
}
