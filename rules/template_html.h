/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_html - where in an HTML document the output of a template stands, and how a value must
 * be escaped there: text, attribute, URL, script, style (what Go's html/template decides before it
 * runs; here the text that was put out decides).
 *
 * For templates that mean well over values that do not: the template's own text is taken as it is,
 * comments left out; values can end no attribute, tag, string or comment, and bring no scheme but
 * http, https and mailto. What cannot be made safe becomes "ZgotmplZ", as upstream.
 */
#ifndef BELFRY_RULES_TEMPLATE_HTML_H
#define BELFRY_RULES_TEMPLATE_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

struct tmpl_exec;
struct tv;

enum html_state {
	HTML_TEXT,
	HTML_RCDATA, /* of <title>, <textarea>: text without tags */
	HTML_RAW,    /* of <script>, <style> */
	HTML_TAG_NAME,
	HTML_TAG, /* between attributes */
	HTML_ATTR_NAME,
	HTML_AFTER_NAME,
	HTML_BEFORE_VALUE,
	HTML_VALUE,
	HTML_COMMENT
};
enum html_kind { HTML_PLAIN, HTML_URL, HTML_JS, HTML_CSS }; /* of an attribute, or raw text */
enum html_url { URL_START, URL_PATH, URL_QUERY };
enum html_code { CODE_PLAIN, CODE_DQ, CODE_SQ, CODE_TICK, CODE_LINE_COMMENT, CODE_BLOCK_COMMENT };

struct tmpl_html {
	enum html_state state;
	enum html_kind kind;
	enum html_url url;
	enum html_code code;   /* inside of JS or CSS */
	unsigned css_word;     /* letters of "url" that stand before */
	bool css_url;          /* the CSS string or bracket holds a URL */
	bool end_tag, escaped; /* a backslash stands before */
	char delim;            /* of an attribute's value: " ' or a blank (none) */
	char name[16];         /* of the tag or attribute being read, small letters, cut */
	size_t name_n;
	char element[16]; /* the element whose raw text or RCDATA this is */
};

/* Text of the template. */
void tmpl_html_text(struct tmpl_html *h, struct str text, struct buf *out);
/* A value, escaped for where x->html stands, into x->out. */
int tmpl_html_value(struct tmpl_exec *x, const struct tv *v);

/* template_html_escape.c: escapers for each place. */
void html_put_text(struct buf *b, struct str s);
void html_put_attr(struct buf *b, struct str s, bool quoted, bool keep_entities);
void html_put_without_tags(struct buf *b, struct str s);
/* A URL, %-escaped where its parts must be; keep: % sequences that are there stay. */
void html_put_url(struct buf *b, struct str s, bool keep);
bool html_url_is_safe(struct str s);
void html_put_js_string(struct buf *b, struct str s);
void html_put_css_string(struct buf *b, struct str s);
bool html_css_is_safe(struct str s);

#endif
