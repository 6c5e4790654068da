/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_html - follows the HTML that is put out, and escapes values for where they stand; see
 * template_html.h.
 */
#include "rules/template_html.h"

#include "base/num.h"
#include "rules/template_private.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static char small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool is_letter(char c)
{
	return small(c) >= 'a' && small(c) <= 'z';
}

static bool name_is(const struct tmpl_html *h, const char *what)
{
	return str_eq(str_n(h->name, h->name_n), str_c(what));
}

static bool name_is_one(const struct tmpl_html *h, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (name_is(h, names[i]))
			return true;
	}
	return false;
}

static void name_add(struct tmpl_html *h, char c)
{
	if (h->name_n < sizeof h->name)
		h->name[h->name_n++] = small(c);
}

/* What an attribute's value is. */
static enum html_kind kind_of(const struct tmpl_html *h)
{
	static const char *const urls[] = {"href", "src", "action", "formaction", "background",
		"cite", "classid", "codebase", "data", "icon", "longdesc", "manifest", "poster",
		"profile", "srcset", "usemap", "archive", "xmlns", "xlink:href"};

	if (name_is(h, "style"))
		return HTML_CSS;
	if (h->name_n > 2 && h->name[0] == 'o' && h->name[1] == 'n')
		return HTML_JS;
	if (name_is_one(h, urls, ARRAY_LEN(urls)) ||
		str_has(str_n(h->name, h->name_n), STR("src")) ||
		str_has(str_n(h->name, h->name_n), STR("uri")) ||
		str_has(str_n(h->name, h->name_n), STR("url")))
		return HTML_URL;
	return HTML_PLAIN;
}

static void enter_value(struct tmpl_html *h, char delim)
{
	h->state = HTML_VALUE;
	h->delim = delim;
	h->kind = kind_of(h);
	h->url = URL_START;
	h->code = CODE_PLAIN;
	h->css_url = h->escaped = false;
}

/* Behind the > of a start tag. */
static void enter_element(struct tmpl_html *h)
{
	h->state = HTML_TEXT;
	if (h->end_tag || h->element[0] == '\0')
		return;
	h->code = CODE_PLAIN;
	h->escaped = h->css_url = false;
	h->kind = h->element[1] == 'c' ? HTML_JS : HTML_CSS; /* script, style */
	h->state = h->element[0] == 's' ? HTML_RAW : HTML_RCDATA;
}

/* The name of a tag is complete: remember the elements whose content is no HTML. */
static void end_tag_name(struct tmpl_html *h)
{
	static const char *const special[] = {"script", "style", "title", "textarea"};

	h->element[0] = '\0';
	if (!h->end_tag && name_is_one(h, special, ARRAY_LEN(special))) {
		memcpy(h->element, h->name, h->name_n);
		h->element[h->name_n] = '\0';
	}
	h->state = HTML_TAG;
}

/* --- one byte of JS or CSS --- */

static void code_byte(struct tmpl_html *h, struct str rest)
{
	char c = rest.p[0];
	static const char ends[] = {[CODE_DQ] = '"', [CODE_SQ] = '\'', [CODE_TICK] = '`'};

	if (h->code == CODE_LINE_COMMENT) {
		if (c == '\n')
			h->code = CODE_PLAIN;
	} else if (h->code == CODE_BLOCK_COMMENT) {
		if (c == '/' && h->escaped)
			h->code = CODE_PLAIN;
		h->escaped = c == '*';
	} else if (h->code != CODE_PLAIN) {
		if (h->escaped)
			h->escaped = false;
		else if (c == '\\')
			h->escaped = true;
		else if (c == ends[h->code])
			h->code = CODE_PLAIN;
	} else if (c == '"' || c == '\'' || (c == '`' && h->kind == HTML_JS)) {
		h->code = c == '"' ? CODE_DQ : c == '\'' ? CODE_SQ : CODE_TICK;
	} else if (str_starts(rest, STR("/*"))) {
		h->code = CODE_BLOCK_COMMENT;
		h->escaped = false;
	} else if (h->kind == HTML_JS && str_starts(rest, STR("//"))) {
		h->code = CODE_LINE_COMMENT;
	}
	if (h->kind != HTML_CSS)
		return;
	if (c == '(' && h->css_word == 3) {
		h->css_url = true;
		h->url = URL_START;
	} else if (c == ')' && h->code == CODE_PLAIN) {
		h->css_url = false;
	}
	h->css_word = h->css_word < 3 && small(c) == "url"[h->css_word] ? h->css_word + 1
		      : small(c) == 'u'                                 ? 1
									: 0;
}

static void url_byte(struct tmpl_html *h, char c)
{
	if (c == '?' || c == '#')
		h->url = URL_QUERY;
	else if (h->url == URL_START && !is_space(c))
		h->url = URL_PATH;
}

static void value_byte(struct tmpl_html *h, struct str rest)
{
	char c = rest.p[0];

	if (h->delim == ' ' ? is_space(c) : c == h->delim) {
		h->state = HTML_TAG;
	} else if (h->delim == ' ' && c == '>') {
		h->name_n = 0;
		enter_element(h);
	} else if (h->kind == HTML_URL) {
		url_byte(h, c);
	} else if (h->kind != HTML_PLAIN) {
		bool in_url = h->css_url;

		code_byte(h, rest);
		if (in_url && h->css_url && c != '"' && c != '\'')
			url_byte(h, c);
	}
}

/* --- one byte of HTML --- */

/* "</title" and the like end raw text and RCDATA. */
static bool ends_element(const struct tmpl_html *h, struct str rest)
{
	struct str name = str_c(h->element);

	return rest.n >= name.n + 2 && rest.p[0] == '<' && rest.p[1] == '/' &&
	       str_eq_nocase(str_sub(rest, 2, 2 + name.n), name);
}

static void raw_byte(struct tmpl_html *h, struct str rest)
{
	if (ends_element(h, rest)) {
		h->element[0] = '\0';
		h->state = HTML_TAG_NAME;
		h->end_tag = true;
		h->name_n = 0;
	} else if (h->state == HTML_RAW) {
		code_byte(h, rest);
	}
}

static void text_byte(struct tmpl_html *h, struct str rest)
{
	if (rest.p[0] != '<')
		return;
	h->end_tag = false;
	h->name_n = 0;
	if (rest.n < 2) { /* a value follows: it may not name a tag */
		h->state = HTML_TAG_NAME;
		return;
	}
	h->end_tag = rest.p[1] == '/';
	if (str_starts(rest, STR("<!--"))) {
		h->state = HTML_COMMENT;
	} else if (is_letter(rest.p[h->end_tag && rest.n > 2 ? 2 : 1]) || h->end_tag) {
		h->state = HTML_TAG_NAME;
	}
}

static void tag_byte(struct tmpl_html *h, char c)
{
	switch (h->state) {
	case HTML_TAG_NAME:
		if (c == '>' || is_space(c)) {
			end_tag_name(h);
			if (c == '>')
				enter_element(h);
		} else if (c != '/') {
			name_add(h, c);
		}
		break;
	case HTML_TAG:
		if (c == '>') {
			enter_element(h);
		} else if (!is_space(c) && c != '/') {
			h->state = HTML_ATTR_NAME;
			h->name_n = 0;
			name_add(h, c);
		}
		break;
	case HTML_ATTR_NAME:
	case HTML_AFTER_NAME:
		if (c == '=') {
			h->state = HTML_BEFORE_VALUE;
		} else if (c == '>') {
			enter_element(h);
		} else if (is_space(c)) {
			h->state = HTML_AFTER_NAME;
		} else {
			if (h->state == HTML_AFTER_NAME)
				h->name_n = 0;
			h->state = HTML_ATTR_NAME;
			name_add(h, c);
		}
		break;
	case HTML_BEFORE_VALUE:
		if (c == '"' || c == '\'')
			enter_value(h, c);
		else if (c == '>')
			enter_element(h);
		else if (!is_space(c))
			enter_value(h, ' ');
		break;
	case HTML_TEXT:
	case HTML_RCDATA:
	case HTML_RAW:
	case HTML_VALUE:
	case HTML_COMMENT:
	default: break;
	}
}

void tmpl_html_text(struct tmpl_html *h, struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		struct str rest = str_sub(text, i, text.n);
		enum html_state was = h->state;

		if (was == HTML_COMMENT) { /* comments of the template are left out */
			if (str_starts(rest, STR("-->"))) {
				h->state = HTML_TEXT;
				i += 2;
			}
			continue;
		}
		if (was == HTML_TEXT)
			text_byte(h, rest);
		else if (was == HTML_RCDATA || was == HTML_RAW)
			raw_byte(h, rest);
		else if (was == HTML_VALUE)
			value_byte(h, rest);
		else
			tag_byte(h, rest.p[0]);
		if (h->state == HTML_COMMENT)
			continue;
		buf_ch(out, rest.p[0]);
		if (was == HTML_BEFORE_VALUE && h->state == HTML_VALUE && h->delim == ' ')
			value_byte(h, rest);
	}
}

/* --- values --- */

/* A value as text; memory of the run. */
static int printed(struct tmpl_exec *x, const struct tv *v, struct str *out)
{
	struct tv text;
	struct buf b;

	if (v->kind == TV_STR) {
		*out = v->u.s;
		return 0;
	}
	buf_init(&b, x->out->max);
	/* what is missing is nothing here, where plain text says "<no value>" */
	if (v->kind != TV_NONE && v->kind != TV_NIL)
		tv_print(&b, v);
	if (tmpl_take(x, &b, &text) != 0)
		return -1;
	*out = text.u.s;
	return 0;
}

static void put_url(const struct tmpl_html *h, struct buf *b, struct str s, enum tv_safe safe)
{
	bool trusted = safe == TV_SAFE_URL;

	if (h->url == URL_START && !trusted && !html_url_is_safe(s))
		buf_c(b, "#ZgotmplZ");
	else if (h->url == URL_QUERY && safe == TV_ESCAPED_URL)
		buf_str(b, s);
	else
		html_put_url(b, s, trusted || h->url != URL_QUERY);
}

static int put_js(struct tmpl_exec *x, struct buf *b, const struct tv *v, struct str s)
{
	const struct tmpl_html *h = x->html;
	struct buf json;

	if (h->code == CODE_LINE_COMMENT || h->code == CODE_BLOCK_COMMENT)
		return 0;
	if (h->code != CODE_PLAIN) {
		html_put_js_string(b, s);
		return 0;
	}
	if (v->kind == TV_STR) {
		buf_ch(b, '"');
		html_put_js_string(b, s);
		buf_ch(b, '"');
		return 0;
	}
	buf_init(&json, x->out->max);
	if (tmpl_json(x, &json, v) != 0) {
		buf_fini(&json);
		return -1;
	}
	buf_ch(b, ' '); /* so that it ends no comment and joins no word */
	buf_str(b, buf_view(&json));
	buf_ch(b, ' ');
	b->failed = b->failed || json.failed;
	buf_fini(&json);
	return 0;
}

static void put_css(const struct tmpl_html *h, struct buf *b, struct str s, enum tv_safe safe)
{
	struct buf url;

	if (h->code == CODE_BLOCK_COMMENT)
		return;
	if (h->css_url) {
		buf_init(&url, b->max);
		put_url(h, &url, s, safe);
		/* brackets and quotes would end it */
		for (size_t i = 0; i < url.n; i++) {
			if (strchr("()'\"", url.p[i]) != NULL)
				buf_printf(b, "%%%02x", (unsigned char)url.p[i]);
			else
				buf_ch(b, url.p[i]);
		}
		b->failed = b->failed || url.failed;
		buf_fini(&url);
	} else if (h->code != CODE_PLAIN) {
		html_put_css_string(b, s);
	} else if (html_css_is_safe(s)) {
		buf_str(b, s);
	} else {
		buf_c(b, "ZgotmplZ");
	}
}

/* The name of an attribute, or a whole one: letters and digits, and none that holds code or links.
 */
static void put_name(struct tmpl_html *h, struct buf *b, struct str s)
{
	bool ok = s.n > 0 && h->state != HTML_TAG_NAME;

	for (size_t i = 0; i < s.n; i++)
		ok = ok && (is_letter(s.p[i]) || (s.p[i] >= '0' && s.p[i] <= '9'));
	h->name_n = 0;
	for (size_t i = 0; i < s.n; i++)
		name_add(h, s.p[i]);
	ok = ok && kind_of(h) == HTML_PLAIN;
	buf_str(b, ok ? s : STR("ZgotmplZ"));
	h->name_n = 0;
	name_add(h, 'z'); /* whatever it was called: a plain attribute */
	h->state = HTML_ATTR_NAME;
}

static int put_value(struct tmpl_exec *x, const struct tv *v, struct str s, enum tv_safe safe)
{
	struct tmpl_html *h = x->html;
	bool quoted = h->delim != ' ';
	struct buf b;
	int rc = 0;

	buf_init(&b, x->out->max);
	switch (h->kind) {
	case HTML_URL: put_url(h, &b, s, safe); break;
	case HTML_JS: rc = put_js(x, &b, v, s); break;
	case HTML_CSS: put_css(h, &b, s, safe); break;
	case HTML_PLAIN:
	default: buf_str(&b, s); break;
	}
	if (b.n == 0 && !quoted)
		buf_c(&b, "ZgotmplZ"); /* nothing would let the next attribute become the value */
	if (h->kind == HTML_PLAIN && safe == TV_SAFE_HTML && quoted)
		html_put_without_tags(x->out, buf_view(&b));
	else
		html_put_attr(x->out, buf_view(&b), quoted,
			h->kind == HTML_PLAIN && safe == TV_ESCAPED_HTML);
	x->out->failed = x->out->failed || b.failed;
	buf_fini(&b);
	return rc;
}

int tmpl_html_value(struct tmpl_exec *x, const struct tv *v)
{
	enum tv_safe safe = v->kind == TV_STR ? (enum tv_safe)v->safe : TV_UNSAFE;
	struct tmpl_html *h = x->html;
	struct str s;

	if (printed(x, v, &s) != 0)
		return -1;
	switch (h->state) {
	case HTML_TEXT:
		if (safe == TV_SAFE_HTML || safe == TV_ESCAPED_HTML)
			buf_str(x->out, s);
		else
			html_put_text(x->out, s);
		return 0;
	case HTML_RCDATA:
		html_put_attr(x->out, s, true, safe == TV_SAFE_HTML || safe == TV_ESCAPED_HTML);
		return 0;
	case HTML_RAW:
		if (h->kind == HTML_JS)
			return put_js(x, x->out, v, s);
		put_css(h, x->out, s, safe);
		return 0;
	case HTML_BEFORE_VALUE: enter_value(h, ' '); return put_value(x, v, s, safe);
	case HTML_VALUE: return put_value(x, v, s, safe);
	case HTML_COMMENT: return 0;
	case HTML_TAG_NAME:
	case HTML_TAG:
	case HTML_ATTR_NAME:
	case HTML_AFTER_NAME:
	default: put_name(h, x->out, s); return 0;
	}
}
