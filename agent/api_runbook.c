/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_runbook - /runbooks/NAME: the runbook page of an alert of a pack, as HTML without a script.
 * The pages are in the binary; their Markdown is our own: headings, paragraphs, lists, `code`.
 */
#include "agent/api.h"
#include "exporters/mail_text.h"
#include "pack_assets.h"

static const struct runbook_asset *find(struct str name)
{
	if (str_ends(name, STR(".md")))
		name.n -= 3;
	for (size_t i = 0; i < runbook_assets_n; i++) {
		if (str_eq(name, str_c(runbook_assets[i].name)))
			return &runbook_assets[i];
	}
	return NULL;
}

static void text(struct buf *b, struct str s)
{
	bool code = false;
	struct str part;

	while (str_split(&s, '`', &part)) {
		buf_c(b, code ? "<code>" : "");
		html_escape(b, part);
		buf_c(b, code ? "</code>" : "");
		code = !code;
	}
}

static void block(struct buf *b, const char *tag, struct str s)
{
	buf_printf(b, "<%s>", tag);
	text(b, s);
	buf_printf(b, "</%s>\n", tag);
}

static void page(struct buf *b, struct str rest)
{
	bool list = false;
	struct str line;

	while (str_split(&rest, '\n', &line)) {
		bool item = str_starts(line, STR("- "));

		if (item != list)
			buf_c(b, item ? "<ul>\n" : "</ul>\n");
		list = item;
		if (item)
			block(b, "li", str_sub(line, 2, line.n));
		else if (str_starts(line, STR("## ")))
			block(b, "h2", str_sub(line, 3, line.n));
		else if (str_starts(line, STR("# ")))
			block(b, "h1", str_sub(line, 2, line.n));
		else if (line.n > 0)
			block(b, "p", line);
	}
	buf_c(b, list ? "</ul>\n" : "");
}

void api_runbook(struct http_req *r, void *arg)
{
	const struct runbook_asset *a = find(http_req_segment(r));
	struct buf *b = http_resp_body(r);

	(void)arg;
	if (a == NULL) {
		http_reply(r, 404, "text/plain; charset=utf-8",
			STR("There is no runbook of that name here.\n"));
		return;
	}
	buf_printf(b,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<link rel=\"stylesheet\" href=\"/belfry.css\">\n<title>%s</title></head>\n"
		"<body class=\"incident\"><main>\n",
		a->name);
	page(b, str_n((const char *)a->text, a->len));
	buf_c(b, "<p class=\"note\"><a href=\"/\">All alerts</a></p>\n</main></body></html>\n");
	http_resp_header(r, "Content-Type", STR("text/html; charset=utf-8"));
	http_resp_header(r, "Content-Security-Policy",
		STR("default-src 'none'; style-src 'self'; base-uri 'none'"));
	http_finish(r);
}
