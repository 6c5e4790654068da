/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_pos - where a byte of a scalar's content stands in the file.
 *
 * libyaml tells where a scalar begins and ends, not how its bytes map to its content. All styles
 * have in common that the characters which are not white space stand in the file in the order of
 * the content, escapes aside; only white space is folded, indented and chopped. So content and
 * file are walked together and brought into step at each such character: exact for those, near for
 * white space.
 */
#include "base/num.h"
#include "base/yaml_private.h"

struct walk {
	struct str raw, content;
	size_t r, i;
};

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Length of the escape sequence at raw[r], and how many bytes of content it makes. */
static size_t escape_len(const struct walk *w, size_t *bytes)
{
	char c = w->r + 1 < w->raw.n ? w->raw.p[w->r + 1] : '\0';
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	unsigned char lead = w->i < w->content.n ? (unsigned char)w->content.p[w->i] : 0;

	if (c == '\n' || c == '\r') {
		*bytes = 0; /* a line that goes on */
		return 2;
	}
	*bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	return 2 + digits;
}

/* One step: at least one of r and i moves. */
static void step(struct walk *w, bool single_quoted, bool double_quoted)
{
	char raw = w->raw.p[w->r], want = w->content.p[w->i];
	size_t bytes;

	if (double_quoted && raw == '\\') {
		size_t len = escape_len(w, &bytes);

		w->r += len;
		w->i += bytes;
		while (bytes == 0 && w->r < w->raw.n && is_white(w->raw.p[w->r]))
			w->r++;
	} else if (raw == want) {
		w->r += single_quoted && raw == '\'' ? 2 : 1;
		w->i++;
	} else if (is_white(raw)) {
		if (raw == '\n' && want == ' ')
			w->i++; /* a folded line end */
		w->r++;
	} else if (is_white(want)) {
		w->i++;
	} else { /* out of step: never for a scalar libyaml read; one byte is one byte */
		w->r++;
		w->i++;
	}
}

/* Offset in the file of content byte `off`. */
static size_t raw_offset(const struct yaml_private *y, struct str text, size_t off)
{
	struct walk w = {.raw = str_sub(text, y->from, y->to), .content = y->node.scalar};
	bool single = false;

	if (w.raw.n == 0)
		return y->from;
	if (y->node.block) {
		w.r = str_find(w.raw, '\n') + 1; /* behind the line of the indicator */
	} else if (y->node.quoted && (w.raw.p[0] == '\'' || w.raw.p[0] == '"')) {
		single = w.raw.p[0] == '\'';
		w.r = 1;
	}
	off = MIN_OF(off, w.content.n);
	while (w.i < off && w.r < w.raw.n)
		step(&w, single, y->double_quoted);
	/* indentation before the byte that is meant */
	while (off < w.content.n && !is_white(w.content.p[off]) && w.r < w.raw.n &&
		is_white(w.raw.p[w.r]))
		w.r++;
	return y->from + MIN_OF(w.r, w.raw.n);
}

struct diag_pos yaml_scalar_pos(const struct yaml_node *scalar, size_t off, unsigned len)
{
	const struct yaml_private *y = yaml_private(scalar);
	struct diag_pos pos = scalar->pos;
	struct str text;
	size_t at, line_start;

	if ((scalar->kind != YAML_SCALAR && scalar->kind != YAML_NULL) || pos.file == NULL)
		return pos;
	text = pos.file->text;
	at = raw_offset(y, text, off);
	/* An error at the end of a block scalar stands behind its last character, not a line below.
	 */
	while (at > y->from && at == y->to && text.p[at - 1] == '\n')
		at--;
	line_start = y->from - (pos.col - 1);
	for (size_t i = y->from; i < at; i++) {
		if (text.p[i] == '\n') {
			pos.line++;
			line_start = i + 1;
		}
	}
	pos.col = (unsigned)(at - line_start) + 1;
	pos.len = len;
	return pos;
}
