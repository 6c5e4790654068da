/* SPDX-License-Identifier: Apache-2.0 */
/* clean - text fit for messages; see clean.h. */
#include "exporters/clean.h"

#include "base/num.h"
#include "base/quote.h"

#define INVALID  0xffffffffUL
#define ELLIPSIS "\xe2\x80\xa6"

/* Seen by no reader: marks of direction, joiners that hide, byte order mark, tags. */
static bool is_invisible(unsigned long c)
{
	return (c >= 0x200b && c <= 0x200f && c != 0x200d) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xad || c == 0x61c || c == 0x180e ||
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_control(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

struct str clean_prefix(struct str s, size_t max)
{
	size_t n = max;

	if (s.n <= max)
		return s;
	while (n > 0 && max - n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return str_sub(s, 0, n);
}

/* What stands for a character: itself, a blank, nothing (0) or U+FFFD. */
static unsigned long replaced(unsigned long c, enum clean_how how)
{
	if (c == INVALID)
		return 0xfffd;
	if (how == CLEAN_LINES && (c == '\n' || c == '\t'))
		return c;
	if (is_control(c))
		return ' ';
	return is_invisible(c) ? 0 : c;
}

void clean_text(struct buf *b, struct str s, size_t max, enum clean_how how)
{
	size_t start = b->n, fits = b->n; /* where the mark of a cut would still fit */
	bool blank = how == CLEAN_ONE_LINE;

	for (size_t i = 0, n; i < s.n && !b->failed; i += n) {
		unsigned long c;

		n = quote_rune(str_sub(s, i, s.n), &c);
		if (c == '\r' && how == CLEAN_LINES && i + 1 < s.n && s.p[i + 1] == '\n')
			continue;
		c = replaced(c, how);
		if (c == 0 || (blank && c == ' '))
			continue;
		blank = how == CLEAN_ONE_LINE && c == ' ';
		quote_add_rune(b, c);
		if (b->n - start > max) {
			b->n = max < 3 ? start : fits;
			if (b->p != NULL)
				b->p[b->n] = '\0';
			if (max >= 3)
				buf_c(b, ELLIPSIS);
			return;
		}
		if (b->n - start + 3 <= max)
			fits = b->n;
	}
	if (blank && b->n > start && how == CLEAN_ONE_LINE) { /* a blank at the end */
		b->n--;
		b->p[b->n] = '\0';
	}
}
