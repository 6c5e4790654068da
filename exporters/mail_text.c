/* SPDX-License-Identifier: Apache-2.0 */
/* mail_text - header fields, quoted-printable and dates of mail; see mail_text.h. */
#include "exporters/mail_text.h"

#include "base/dur.h"
#include "base/num.h"

#define LINE_MAX_QP 76u

static const char hex[] = "0123456789ABCDEF";

static bool plain_header(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c >= 0x7f)
			return false;
	}
	return s.n < 5 || memmem(s.p, s.n, "=?", 2) == NULL;
}

/* Bytes of the UTF-8 sequence at i; 1 for a stray byte. */
static size_t sequence(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	return i + n <= s.n ? n : 1;
}

static void encode_byte(struct buf *b, unsigned char c)
{
	if (c == ' ') {
		buf_ch(b, '_');
	} else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
		buf_ch(b, (char)c);
	} else {
		buf_ch(b, '=');
		buf_ch(b, hex[c >> 4]);
		buf_ch(b, hex[c & 15]);
	}
}

/* =?UTF-8?Q?...?= words of at most 75 characters, split between characters, joined by a fold. */
static void encoded_words(struct buf *b, struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t cost = 0;

		if (i > 0)
			buf_c(b, "\r\n ");
		buf_c(b, "=?UTF-8?Q?");
		while (i < s.n) {
			size_t n = sequence(s, i);

			if (cost + 3 * n > 60)
				break;
			for (size_t k = 0; k < n; k++) {
				unsigned char c = (unsigned char)s.p[i + k];

				encode_byte(b, c < 0x20 || c == 0x7f ? ' ' : c);
			}
			cost += 3 * n;
			i += n;
		}
		buf_c(b, "?=");
	}
}

/* Printable ASCII, folded before a blank once a line is long. */
static void folded(struct buf *b, struct str s, size_t col)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' && col > 60 && i + 1 < s.n) {
			buf_c(b, "\r\n");
			col = 0;
		}
		buf_ch(b, s.p[i]);
		col++;
	}
}

void mail_header(struct buf *b, const char *name, struct str value)
{
	buf_c(b, name);
	buf_c(b, ": ");
	value = str_trim(value);
	if (plain_header(value))
		folded(b, value, strlen(name) + 2);
	else
		encoded_words(b, value);
	buf_c(b, "\r\n");
}

bool mail_header_name_ok(struct str name)
{
	static const char *const ours[] = {"From", "To", "Subject", "Date", "Message-ID",
		"In-Reply-To", "References", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding"};

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= 0x20 || c >= 0x7f || c == ':')
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (str_eq_nocase(name, str_c(ours[i])))
			return false;
	}
	return name.n > 0 && name.n < 60;
}

bool mail_address(struct str s, struct str *addr)
{
	size_t open, at;

	s = str_trim(s);
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	open = str_find(s, '<');
	if (open < s.n) {
		size_t close = str_find(s, '>');

		if (close != s.n - 1 || close < open)
			return false;
		*addr = str_sub(s, open + 1, close);
	} else {
		*addr = s;
	}
	for (size_t i = 0; i < addr->n; i++) {
		unsigned char c = (unsigned char)addr->p[i];

		if (c <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == ',' || c == ';' ||
			c == '"')
			return false;
	}
	at = str_find(*addr, '@');
	return at > 0 && at + 1 < addr->n && addr->n <= 320;
}

void mail_quoted_printable(struct buf *b, struct str text)
{
	size_t col = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool last = i + 1 == text.n || text.p[i + 1] == '\n' || text.p[i + 1] == '\r';

		if (c == '\r')
			continue;
		if (c == '\n') {
			buf_c(b, "\r\n");
			col = 0;
			continue;
		}
		if (col + 4 > LINE_MAX_QP) {
			buf_c(b, "=\r\n");
			col = 0;
		}
		if ((c > 0x20 && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last)) {
			buf_ch(b, (char)c);
			col++;
		} else {
			buf_ch(b, '=');
			buf_ch(b, hex[c >> 4]);
			buf_ch(b, hex[c & 15]);
			col += 3;
		}
	}
	buf_c(b, "\r\n");
}

void mail_date(struct buf *b, long long unix_ms)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil c;

	civil_from_ms(unix_ms, &c);
	buf_printf(b, "%s, %02d %s %04lld %02d:%02d:%02d +0000", days[c.weekday], c.day,
		months[c.month - 1], (long long)c.year, c.hour, c.minute, c.second);
}

void html_escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		switch (c) {
		case '&': buf_c(b, "&amp;"); break;
		case '<': buf_c(b, "&lt;"); break;
		case '>': buf_c(b, "&gt;"); break;
		case '"': buf_c(b, "&quot;"); break;
		case '\'': buf_c(b, "&#39;"); break;
		default: buf_ch(b, (c < 0x20 && c != '\n') || c == 0x7f ? ' ' : (char)c); break;
		}
	}
}
