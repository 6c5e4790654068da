/* SPDX-License-Identifier: Apache-2.0 */
/* jsonr - the pull reader; a bit per depth remembers whether a comma is due. See jsonr.h. */
#include "base/jsonr.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/quote.h"

void jsonr_init(struct jsonr *j, struct str text, struct arena *a, struct err *e)
{
	*j = (struct jsonr){.s = text, .a = a, .e = e};
}

bool jsonr_fail(struct jsonr *j, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	va_list ap;

	if (j->failed)
		return false;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	j->failed = true;
	(void)err_set_at(j->e, ERR_INPUT, j->i, "%s", msg);
	return false;
}

static char next_char(struct jsonr *j)
{
	while (j->i < j->s.n && (j->s.p[j->i] == ' ' || j->s.p[j->i] == '\t' ||
					j->s.p[j->i] == '\n' || j->s.p[j->i] == '\r'))
		j->i++;
	return j->i < j->s.n ? j->s.p[j->i] : '\0';
}

const char *jsonr_kind_name(enum jsonr_kind k)
{
	static const char *const names[] = {
		"nothing", "null", "bool", "number", "string", "array", "object"};

	return names[k];
}

enum jsonr_kind jsonr_peek(struct jsonr *j)
{
	char c = j->failed ? '\0' : next_char(j);

	switch (c) {
	case 'n': return JSONR_NULL;
	case 't':
	case 'f': return JSONR_BOOL;
	case '"': return JSONR_STRING;
	case '[': return JSONR_ARRAY;
	case '{': return JSONR_OBJECT;
	default: return c == '-' || (c >= '0' && c <= '9') ? JSONR_NUMBER : JSONR_NONE;
	}
}

/* False and told when something else stands here. */
static bool expect(struct jsonr *j, enum jsonr_kind want)
{
	enum jsonr_kind k = jsonr_peek(j);

	if (k == want)
		return true;
	if (k != JSONR_NONE)
		return jsonr_fail(
			j, "%s expected, not %s", jsonr_kind_name(want), jsonr_kind_name(k));
	if (j->i >= j->s.n)
		return jsonr_fail(j, "unexpected end of JSON");
	return jsonr_fail(j, "not JSON at byte %zu", j->i);
}

/* ---- nesting ---- */

static bool enter(struct jsonr *j, enum jsonr_kind k)
{
	if (!expect(j, k))
		return false;
	if (j->depth == JSONR_DEPTH)
		return jsonr_fail(j, "nested deeper than %u", JSONR_DEPTH);
	j->later &= ~(UINT64_C(1) << j->depth);
	j->depth++;
	j->i++;
	return true;
}

/* Another member or item stands here; at the closing sign that is taken. */
static bool more(struct jsonr *j, char closing)
{
	uint64_t bit;
	char c;

	if (j->failed)
		return false;
	ASSERT(j->depth > 0);
	bit = UINT64_C(1) << (j->depth - 1);
	c = next_char(j);
	if (c == closing && j->i < j->s.n) {
		j->i++;
		j->depth--;
		return false;
	}
	if ((j->later & bit) != 0) {
		if (c != ',')
			return jsonr_fail(j,
				j->i < j->s.n ? "a comma is missing at byte %zu"
					      : "unexpected end of JSON (%zu bytes)",
				j->i);
		j->i++;
	}
	j->later |= bit;
	return true;
}

bool jsonr_object(struct jsonr *j)
{
	return enter(j, JSONR_OBJECT);
}

bool jsonr_array(struct jsonr *j)
{
	return enter(j, JSONR_ARRAY);
}

bool jsonr_item(struct jsonr *j)
{
	return more(j, ']');
}

bool jsonr_key(struct jsonr *j, struct str *key)
{
	if (!more(j, '}') || !jsonr_str(j, key))
		return false;
	if (next_char(j) != ':')
		return jsonr_fail(j, "a colon is missing at byte %zu", j->i);
	j->i++;
	return true;
}

/* ---- scalars ---- */

static bool take_word(struct jsonr *j, const char *word)
{
	struct str w = str_c(word);

	if (!str_starts(str_sub(j->s, j->i, j->s.n), w))
		return jsonr_fail(j, "not JSON at byte %zu", j->i);
	j->i += w.n;
	return true;
}

bool jsonr_null(struct jsonr *j)
{
	return jsonr_peek(j) == JSONR_NULL && take_word(j, "null");
}

bool jsonr_bool(struct jsonr *j, bool *out)
{
	if (!expect(j, JSONR_BOOL))
		return false;
	*out = j->s.p[j->i] == 't';
	return take_word(j, *out ? "true" : "false");
}

static size_t digits(struct jsonr *j)
{
	size_t from = j->i;

	while (j->i < j->s.n && j->s.p[j->i] >= '0' && j->s.p[j->i] <= '9')
		j->i++;
	return j->i - from;
}

static bool take_number(struct jsonr *j)
{
	size_t from = j->i, n;
	bool zero;

	j->i += j->s.p[j->i] == '-';
	zero = j->i < j->s.n && j->s.p[j->i] == '0';
	n = digits(j);
	if (n == 0 || (zero && n > 1))
		return jsonr_fail(j, "a bad number at byte %zu", from);
	if (j->i < j->s.n && j->s.p[j->i] == '.') {
		j->i++;
		if (digits(j) == 0)
			return jsonr_fail(j, "a bad number at byte %zu", from);
	}
	if (j->i < j->s.n && (j->s.p[j->i] == 'e' || j->s.p[j->i] == 'E')) {
		j->i++;
		j->i += j->i < j->s.n && (j->s.p[j->i] == '+' || j->s.p[j->i] == '-');
		if (digits(j) == 0)
			return jsonr_fail(j, "a bad number at byte %zu", from);
	}
	return true;
}

bool jsonr_f64(struct jsonr *j, double *out)
{
	size_t from;

	if (!expect(j, JSONR_NUMBER))
		return false;
	from = j->i;
	if (!take_number(j))
		return false;
	if (!str_to_f64(str_sub(j->s, from, j->i), out))
		return jsonr_fail(j, "a number out of range at byte %zu", from);
	return true;
}

/* ---- strings ---- */

static bool take_hex(struct jsonr *j, unsigned long *out)
{
	*out = 0;
	for (int k = 0; k < 4; k++, j->i++) {
		char c = j->i < j->s.n ? j->s.p[j->i] : '\0';
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 16;

		if (d > 15)
			return jsonr_fail(j, "a bad escape at byte %zu", j->i);
		*out = *out << 4 | d;
	}
	return true;
}

/* What follows \u; the other half of a pair is taken with it. */
static bool take_unicode(struct jsonr *j, struct buf *b)
{
	unsigned long c, low;
	size_t back;

	if (!take_hex(j, &c))
		return false;
	if (c >= 0xd800 && c <= 0xdfff) {
		back = j->i;
		if (c >= 0xdc00 || !str_starts(str_sub(j->s, j->i, j->s.n), STR("\\u"))) {
			c = 0xfffd;
		} else {
			j->i += 2;
			if (!take_hex(j, &low))
				return false;
			if (low >= 0xdc00 && low <= 0xdfff) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			} else {
				c = 0xfffd;
				j->i = back;
			}
		}
	}
	quote_add_rune(b, c);
	return true;
}

static bool take_escape(struct jsonr *j, struct buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = j->i < j->s.n ? j->s.p[j->i] : '\0';
	const char *q = c != '\0' ? strchr(from, c) : NULL;

	if (c == 'u') {
		j->i++;
		return take_unicode(j, b);
	}
	if (q == NULL)
		return jsonr_fail(j, "a bad escape at byte %zu", j->i);
	buf_ch(b, to[q - from]);
	j->i++;
	return true;
}

/* The string from `from` on, written out into the arena. */
static bool unescape(struct jsonr *j, size_t from, struct str *out)
{
	struct buf b;
	bool ok = true;

	buf_init(&b, 3 * (j->s.n - from) + 8); /* a bad byte becomes three */
	j->i = from;
	while (ok && j->s.p[j->i] != '"') { /* it is known to end */
		if (j->s.p[j->i] == '\\') {
			j->i++;
			ok = take_escape(j, &b);
		} else {
			unsigned long rune;
			size_t n = quote_rune(str_sub(j->s, j->i, j->s.n), &rune);

			quote_add_rune(&b, rune > 0x10ffff ? 0xfffd : rune);
			j->i += n;
		}
		if (j->i >= j->s.n)
			ok = jsonr_fail(j, "unexpected end of JSON");
	}
	j->i++;
	if (ok) {
		*out = arena_str(j->a, buf_view(&b));
		if (b.failed || out->p == NULL)
			ok = jsonr_fail(j, "too large");
	}
	buf_fini(&b);
	return ok;
}

bool jsonr_str(struct jsonr *j, struct str *out)
{
	size_t from;
	bool plain = true;

	if (!expect(j, JSONR_STRING))
		return false;
	from = ++j->i;
	for (; j->i < j->s.n && j->s.p[j->i] != '"'; j->i++) {
		unsigned char c = (unsigned char)j->s.p[j->i];

		if (c < ' ')
			return jsonr_fail(j, "a control character at byte %zu", j->i);
		if (c == '\\') {
			plain = false;
			j->i++;
		}
	}
	if (j->i >= j->s.n) {
		j->i = j->s.n;
		return jsonr_fail(j, "unexpected end of JSON");
	}
	*out = str_sub(j->s, from, j->i);
	if (!plain || !str_is_utf8(*out))
		return unescape(j, from, out);
	j->i++;
	return true;
}

/* ---- whole values ---- */

/* A scalar, or the opening of something; false when it failed. */
static bool skip_start(struct jsonr *j)
{
	enum jsonr_kind k = jsonr_peek(j);
	struct str text;
	bool truth;

	switch (k) {
	case JSONR_ARRAY: return jsonr_array(j);
	case JSONR_OBJECT: return jsonr_object(j);
	case JSONR_NULL: return jsonr_null(j);
	case JSONR_BOOL: return jsonr_bool(j, &truth);
	case JSONR_STRING: return jsonr_str(j, &text);
	case JSONR_NUMBER: return take_number(j);
	case JSONR_NONE: break;
	}
	return expect(j, JSONR_OBJECT);
}

bool jsonr_skip(struct jsonr *j)
{
	unsigned floor = j->depth;
	uint64_t objects = 0; /* a bit per depth: { or [ */

	do {
		enum jsonr_kind k = jsonr_peek(j);
		struct arena_mark mark = arena_mark(j->a);
		struct str key;
		bool again;

		if (!skip_start(j))
			return false;
		arena_release(j->a, mark);
		if (k == JSONR_OBJECT)
			objects |= UINT64_C(1) << (j->depth - 1);
		else if (k == JSONR_ARRAY)
			objects &= ~(UINT64_C(1) << (j->depth - 1));
		/* close what is finished, until another value stands here */
		do {
			if (j->depth == floor)
				return !j->failed;
			again = (objects >> (j->depth - 1) & 1) != 0 ? jsonr_key(j, &key)
								     : jsonr_item(j);
		} while (!again && !j->failed);
	} while (!j->failed);
	return false;
}

bool jsonr_raw(struct jsonr *j, struct str *out)
{
	size_t from;

	(void)jsonr_peek(j); /* white space */
	from = j->i;
	if (!jsonr_skip(j))
		return false;
	*out = str_sub(j->s, from, j->i);
	return true;
}

bool jsonr_end(struct jsonr *j)
{
	if (j->failed)
		return false;
	(void)next_char(j);
	return j->i == j->s.n || jsonr_fail(j, "text behind the JSON at byte %zu", j->i);
}
