/* SPDX-License-Identifier: Apache-2.0 */
/* template_html_escape - text made harmless for one place of an HTML document each. */
#include "base/num.h"
#include "base/quote.h"
#include "rules/template_html.h"

static const char *entity(char c)
{
	switch (c) {
	case '\0': return "\xef\xbf\xbd";
	case '"': return "&#34;";
	case '\'': return "&#39;";
	case '&': return "&amp;";
	case '+': return "&#43;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	default: return NULL;
	}
}

/* What else could end a value that stands in no quotes. */
static const char *bare_entity(char c)
{
	switch (c) {
	case '\0': return "&#xfffd;";
	case '\t': return "&#9;";
	case '\n': return "&#10;";
	case '\v': return "&#11;";
	case '\f': return "&#12;";
	case '\r': return "&#13;";
	case ' ': return "&#32;";
	case '=': return "&#61;";
	case '`': return "&#96;";
	default: return entity(c);
	}
}

void html_put_text(struct buf *b, struct str s)
{
	html_put_attr(b, s, true, false);
}

void html_put_attr(struct buf *b, struct str s, bool quoted, bool keep_entities)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *e = quoted ? entity(s.p[i]) : bare_entity(s.p[i]);

		if (e != NULL && !(keep_entities && s.p[i] == '&'))
			buf_c(b, e);
		else
			buf_ch(b, s.p[i]);
	}
}

void html_put_without_tags(struct buf *b, struct str s)
{
	bool tag = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '<')
			tag = true;
		if (!tag)
			html_put_attr(b, str_sub(s, i, i + 1), true, true);
		if (s.p[i] == '>')
			tag = false;
	}
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void html_put_url(struct buf *b, struct str s, bool keep)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);

		if (keep && c != '\0' && strchr("!#$&*+,/:;=?@[]", c) != NULL)
			plain = true;
		if (keep && c == '%' && i + 2 < s.n && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]))
			plain = true;
		if (plain)
			buf_ch(b, c);
		else
			buf_printf(b, "%%%02x", (unsigned char)c);
	}
}

bool html_url_is_safe(struct str s)
{
	size_t colon = str_find(s, ':');
	struct str scheme = str_sub(s, 0, colon);

	if (colon == s.n || str_find(scheme, '/') < scheme.n)
		return true;
	return str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("https")) ||
	       str_eq_nocase(scheme, STR("mailto"));
}

void html_put_js_string(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\n')
			buf_c(b, "\\n");
		else if (c == '\r')
			buf_c(b, "\\r");
		else if (c == '\t')
			buf_c(b, "\\t");
		else if (c == '/')
			buf_c(b, "\\/");
		else if (c == '\\')
			buf_c(b, "\\\\");
		else if (c < 0x20 || c == 0x7f || strchr("\"'`&+<>$", c) != NULL)
			buf_printf(b, "\\u%04x", c);
		else if (str_starts(str_sub(s, i, s.n), STR("\xe2\x80\xa8")) ||
			 str_starts(str_sub(s, i, s.n), STR("\xe2\x80\xa9"))) {
			buf_printf(b, "\\u20%02x", (unsigned char)s.p[i + 2] == 0xa8 ? 0x28 : 0x29);
			i += 2;
		} else {
			buf_ch(b, (char)c);
		}
	}
}

void html_put_css_string(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f || strchr("\"&'()+/:;<>\\{}", c) != NULL)
			buf_printf(b, "\\%x ", c);
		else
			buf_ch(b, (char)c);
	}
}

/* A number, a colour, a word: nothing that could end a declaration or name a function. */
bool html_css_is_safe(struct str s)
{
	char word[64];
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char small = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);

		if (c < 0x20 || strchr("\"'()/;@[\\]`{}<>", c) != NULL)
			return false;
		if (c == '-' && i > 0 && s.p[i - 1] == '-')
			return false;
		if (small >= 'a' && small <= 'z') {
			if (n == sizeof word)
				return false;
			word[n++] = small;
		}
	}
	return !str_has(str_n(word, n), STR("expression")) &&
	       !str_has(str_n(word, n), STR("mozbinding"));
}
