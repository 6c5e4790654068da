/* SPDX-License-Identifier: Apache-2.0 */
/* mail_text - header fields, quoted-printable and dates of mail; see mail_text.h. */
#include "exporters/mail_text.h"

#include "base/dur.h"
#include "base/num.h"
#include "exporters/graph.h"

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

/* Bytes of the UTF-8 character at i; 0 for a stray byte. */
static size_t character(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0x80 ? 2 : 1;

	return i + n <= s.n && str_is_utf8(str_sub(s, i, i + n)) ? n : 0;
}

/* U+202A..U+202E and U+2066..U+2069 turn the text behind them around. */
static bool is_direction(struct str s)
{
	unsigned char c;

	if (s.n != 3 || (unsigned char)s.p[0] != 0xe2)
		return false;
	c = (unsigned char)s.p[2];
	return ((unsigned char)s.p[1] == 0x80 && c >= 0xaa && c <= 0xae) ||
	       ((unsigned char)s.p[1] == 0x81 && c >= 0xa6 && c <= 0xa9);
}

static bool is_as_it_is(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void encode_byte(struct buf *b, unsigned char c)
{
	if (c == ' ') {
		buf_ch(b, '_');
	} else if (is_as_it_is(c)) {
		buf_ch(b, (char)c);
	} else {
		buf_ch(b, '=');
		buf_ch(b, hex[c >> 4]);
		buf_ch(b, hex[c & 15]);
	}
}

static size_t encoded_len(struct str c)
{
	size_t n = 0;

	for (size_t k = 0; k < c.n; k++)
		n += is_as_it_is((unsigned char)c.p[k]) || c.p[k] == ' ' ? 1 : 3;
	return n;
}

static void encode_character(struct buf *b, struct str c)
{
	if (is_direction(c))
		return;
	for (size_t k = 0; k < c.n; k++) {
		unsigned char byte = (unsigned char)c.p[k];

		encode_byte(b, byte < 0x20 || byte == 0x7f ? ' ' : byte);
	}
}

/* =?UTF-8?Q?...?= words, split between characters, joined by a fold; no line over 76 characters
 * when the first begins at col (RFC 2047 section 2). */
static void encoded_words(struct buf *b, struct str s, size_t col)
{
	size_t i = 0;

	while (i < s.n) {
		size_t cost = MIN_OF(col, (size_t)40);

		if (i > 0)
			buf_c(b, "\r\n ");
		col = 1;
		buf_c(b, "=?UTF-8?Q?");
		while (i < s.n) {
			size_t n = character(s, i), used = MAX_OF(n, (size_t)1);

			cost += encoded_len(str_sub(s, i, i + used));
			if (cost > 62)
				break;
			if (n == 0)
				buf_c(b, "=3F"); /* a stray byte: "?" */
			else
				encode_character(b, str_sub(s, i, i + n));
			i += used;
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

/* A line must not be longer than 998 characters, whatever can be done about it. */
static bool has_long_word(struct str s)
{
	struct str word;

	while (str_split(&s, ' ', &word)) {
		if (word.n > 900)
			return true;
	}
	return false;
}

void mail_header(struct buf *b, const char *name, struct str value)
{
	buf_c(b, name);
	buf_c(b, ": ");
	value = str_trim(value);
	if (plain_header(value) && !has_long_word(value))
		folded(b, value, strlen(name) + 2);
	else
		encoded_words(b, value, strlen(name) + 2);
	buf_c(b, "\r\n");
}

bool mail_header_name_ok(struct str name)
{
	static const char *const ours[] = {"From", "To", "Subject", "Date", "Message-ID",
		"In-Reply-To", "References", "MIME-Version", "Bcc", "Return-Path"};

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= 0x20 || c >= 0x7f || c == ':')
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (str_eq_nocase(name, str_c(ours[i])))
			return false;
	}
	if (str_eq_nocase(str_sub(name, 0, 8), STR("Content-")))
		return false;
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

		if (c <= 0x20 || c == 0x7f || strchr("<>,;\"()[]\\", c) != NULL)
			return false;
	}
	at = str_find(*addr, '@');
	return at > 0 && at + 1 < addr->n && addr->n <= 320;
}

/* Up to the next comma that stands in no quotes. */
static struct str one_of_list(struct str *rest)
{
	bool quoted = false;
	size_t i = 0;
	struct str s;

	for (; i < rest->n && (quoted || rest->p[i] != ','); i++) {
		if (rest->p[i] == '\\' && quoted && i + 1 < rest->n)
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
	}
	s = str_sub(*rest, 0, i);
	*rest = str_sub(*rest, i + 1, rest->n);
	return s;
}

/* The display name without its quotes and backslashes. */
static void display_name(struct str s, struct mail_who *who)
{
	size_t n = 0;
	bool quoted;

	s = str_trim(s);
	quoted = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
	if (quoted)
		s = str_sub(s, 1, s.n - 1);
	for (size_t i = 0; i < s.n && n < sizeof who->space; i++) {
		if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		who->space[n++] = s.p[i];
	}
	who->name = str_n(who->space, n);
}

bool mail_next_address(struct str *rest, struct mail_who *who, bool *bad)
{
	while (rest->n > 0) {
		struct str one = str_trim(one_of_list(rest));

		if (one.n == 0)
			continue;
		if (!mail_address(one, &who->addr)) {
			*bad = true;
			continue;
		}
		display_name(
			one.p[one.n - 1] == '>' ? str_sub(one, 0, str_find(one, '<')) : STR(""),
			who);
		return true;
	}
	return false;
}

/* An atom's characters and blanks need no quotes (RFC 5322 section 3.2.3). */
static bool is_phrase(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			    c == ' ' || strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL))
			return false;
	}
	return true;
}

static void put_name(struct buf *b, struct str name, size_t col)
{
	if (!plain_header(name) || memmem(name.p, name.n, "=?", 2) != NULL) {
		encoded_words(b, name, col);
	} else if (is_phrase(name)) {
		buf_str(b, name);
	} else {
		buf_ch(b, '"');
		for (size_t i = 0; i < name.n; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				buf_ch(b, '\\');
			buf_ch(b, name.p[i]);
		}
		buf_ch(b, '"');
	}
}

void mail_header_addresses(struct buf *b, const char *name, struct str list)
{
	struct mail_who who;
	bool bad, first = true;

	buf_printf(b, "%s: ", name);
	while (mail_next_address(&list, &who, &bad)) {
		if (!first)
			buf_c(b, ",\r\n ");
		if (who.name.n > 0) {
			put_name(b, who.name, first ? strlen(name) + 2 : 1);
			buf_c(b, who.name.n > 30 ? "\r\n <" : " <");
			buf_str(b, who.addr);
			buf_ch(b, '>');
		} else {
			buf_str(b, who.addr);
		}
		first = false;
	}
	buf_c(b, "\r\n");
}

void mail_quoted_printable_inside(struct buf *b, struct str text)
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
		if (c == GRAPH_MARK_BYTE && i + 1 < text.n) {
			buf_add(b, text.p + i++, 2);
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
}

void mail_quoted_printable(struct buf *b, struct str text)
{
	mail_quoted_printable_inside(b, text);
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

/* What stands for the next character of rest; *used of its bytes. */
static struct str plain_character(struct str rest, size_t *used)
{
	unsigned char c = (unsigned char)rest.p[0];
	size_t n;

	*used = 1;
	if (c >= ' ' && c < 0x7f)
		return str_sub(rest, 0, 1);
	if (c == '\r')
		return STR("");
	if ((c < 0x20 && c != '\n') || c == 0x7f)
		return STR(" ");
	n = character(rest, 0);
	if (n == 0)
		return STR("?");
	*used = n;
	return is_direction(str_sub(rest, 0, n)) ? STR("") : str_sub(rest, 0, n);
}

void mail_plain(struct buf *b, struct str s, size_t max)
{
	size_t start = b->n, used;

	for (size_t i = 0; i < s.n && !b->failed; i += used) {
		struct str c = plain_character(str_sub(s, i, s.n), &used);

		if (b->n - start + c.n > max) {
			buf_c(b, "…");
			return;
		}
		buf_str(b, c);
	}
}

void html_escape(struct buf *b, struct str s)
{
	html_escape_max(b, s, SIZE_MAX);
}

void html_escape_max(struct buf *b, struct str s, size_t max)
{
	size_t n = 0, used;

	for (size_t i = 0; i < s.n && !b->failed; i += used) {
		struct str c = plain_character(str_sub(s, i, s.n), &used);

		n += c.n;
		if (n > max) {
			buf_c(b, "…");
			return;
		}
		switch (c.n > 0 ? c.p[0] : '\0') {
		case '\0': break;
		case '&': buf_c(b, "&amp;"); break;
		case '<': buf_c(b, "&lt;"); break;
		case '>': buf_c(b, "&gt;"); break;
		case '"': buf_c(b, "&quot;"); break;
		case '\'': buf_c(b, "&#39;"); break;
		default: buf_str(b, c); break;
		}
	}
}
