/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag - collects errors and warnings of configuration files, prints them with excerpts; see
 * diag.h.
 *
 * Nothing secret is ever printed: bytes marked with diag_secret are replaced in excerpts, and so
 * is the user part of anything that looks like a URL, in messages too. When the arena refuses,
 * errors are still counted and the first one is kept inline.
 */
#include "base/diag.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/num.h"

#define FIRST_MAX       600u /* bytes of the one-line form that is always kept */
#define MSG_MAX         700u /* bytes of one message */
#define EXCERPT_SECRETS 16u  /* secrets of one line */
#define EXCERPT_COLS    140u /* columns of an excerpt; longer lines are shown around the place */

struct diag_item {
	struct diag_pos at;
	struct str msg;
	bool warning;
	unsigned file_order, order;
	struct diag_item *next;
};

struct diag_range { /* secret bytes of a file */
	const struct diag_file *file;
	size_t from, to;
	struct diag_range *next;
};

struct diag_count { /* one file's errors */
	const struct diag_file *file;
	unsigned order;
	size_t errors, warnings;
	struct diag_count *next;
};

struct diag {
	struct arena *arena;
	struct diag_item *items;
	struct diag_range *secrets;
	struct diag_count *files;
	size_t errors, warnings;
	unsigned n_items, n_files;
	bool hide_all; /* a secret could not be marked: no excerpts at all */
	struct diag_pos first_at;
	/* where the last secret's line starts: they come in the order of the file */
	const struct diag_file *cursor_file;
	unsigned cursor_line;
	size_t cursor_off;
	char first[FIRST_MAX];
};

static struct diag broken; /* what diag_new gives when there is no memory at all: counts only */

struct diag *diag_new(struct arena *a)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	if (d == NULL)
		return &broken;
	d->arena = a;
	return d;
}

struct arena *diag_arena(const struct diag *d)
{
	return d->arena;
}

size_t diag_errors(const struct diag *d)
{
	return d == &broken ? 1 : d->errors;
}

size_t diag_warnings(const struct diag *d)
{
	return d->warnings;
}

/* Start of a line, from the start of an earlier one; the end of the text when it is beyond. */
static size_t line_offset(struct str text, unsigned from_line, size_t from, unsigned line)
{
	for (; from_line < line && from < text.n; from_line++)
		from += str_find(str_sub(text, from, text.n), '\n') + 1;
	return MIN_OF(from, text.n);
}

/* Byte offset of a place in its file's text; the end when the place is beyond it. */
static size_t pos_offset(struct diag_pos at)
{
	size_t off = line_offset(at.file->text, 1, 0, at.line);

	return MIN_OF(off + (at.col > 0 ? at.col - 1 : 0), at.file->text.n);
}

static int pos_cmp(struct diag_pos a, struct diag_pos b)
{
	if (a.line != b.line)
		return a.line < b.line ? -1 : 1;
	return a.col < b.col ? -1 : a.col > b.col;
}

static struct diag_count *count_of(struct diag *d, const struct diag_file *file)
{
	struct diag_count *c = d->files;

	while (c != NULL && c->file != file)
		c = c->next;
	if (c != NULL)
		return c;
	c = ARENA_NEW(d->arena, struct diag_count);
	if (c == NULL)
		return NULL;
	c->file = file;
	c->order = d->n_files++;
	c->next = d->files;
	d->files = c;
	return c;
}

/* Length of "user:password@" at the start of s, which follows "://"; 0 when there is none. */
static size_t userinfo_len(struct str s)
{
	for (size_t i = 0; i < s.n && i < 512; i++) {
		char c = s.p[i];

		if (c == '@')
			return i;
		if (c == '/' || c == ' ' || c == '"' || c == '\'' || c == '\n')
			return 0;
	}
	return 0;
}

/* A message: one line, printable, no URL credentials. */
static void put_clean(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_ch(b, c < 0x20 || c == 0x7f ? ' ' : (char)c);
		if (c == '/' && i >= 2 && s.p[i - 1] == '/' && s.p[i - 2] == ':') {
			size_t n = userinfo_len(str_sub(s, i + 1, s.n));

			if (n > 0)
				buf_c(b, "<secret>");
			i += n;
		}
	}
}

static void put_place(struct buf *b, struct diag_pos at)
{
	if (at.file == NULL)
		return;
	buf_str(b, at.file->path);
	if (at.line > 0)
		buf_printf(b, ":%u:%u", at.line, at.col);
	buf_c(b, ": ");
}

/* The one-line form of the first error by place, kept outside the arena. */
static void keep_first(struct diag *d, struct diag_pos at, struct str msg)
{
	struct buf b;

	if (d->errors > 1 && (at.file != d->first_at.file || pos_cmp(at, d->first_at) >= 0))
		return;
	buf_init(&b, FIRST_MAX - 1);
	put_place(&b, at);
	put_clean(&b, msg);
	if (b.p != NULL) {
		size_t n = MIN_OF(b.n, FIRST_MAX - 1);

		memcpy(d->first, b.p, n);
		d->first[n] = '\0';
	}
	d->first_at = at;
	buf_fini(&b);
}

static __attribute__((format(printf, 4, 0))) void report(
	struct diag *d, struct diag_pos at, bool warning, const char *fmt, va_list ap)
{
	char text[MSG_MAX];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	struct str msg = str_n(text, n < 0 ? 0 : MIN_OF((size_t)n, sizeof text - 1));
	struct diag_count *c;
	struct diag_item *item;

	if (d == &broken)
		return;
	if (warning)
		d->warnings++;
	else
		d->errors++;
	if (!warning)
		keep_first(d, at, msg);
	c = count_of(d, at.file);
	if (c == NULL || (warning ? ++c->warnings : ++c->errors) > LIMIT_DIAG_ERRORS)
		return;
	item = ARENA_NEW(d->arena, struct diag_item);
	if (item == NULL)
		return;
	item->msg = arena_str(d->arena, msg);
	if (item->msg.p == NULL)
		return;
	item->at = at;
	item->warning = warning;
	item->file_order = c->order;
	item->order = d->n_items++;
	item->next = d->items;
	d->items = item;
}

void diag_error(struct diag *d, struct diag_pos at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(d, at, false, fmt, ap);
	va_end(ap);
}

void diag_warn(struct diag *d, struct diag_pos at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(d, at, true, fmt, ap);
	va_end(ap);
}

void diag_secret(struct diag *d, struct diag_pos at)
{
	struct diag_range *r;

	if (d == &broken || at.file == NULL || at.line == 0)
		return;
	r = ARENA_NEW(d->arena, struct diag_range);
	if (r == NULL) {
		d->hide_all = true;
		return;
	}
	if (d->cursor_file != at.file || d->cursor_line > at.line) {
		d->cursor_file = at.file;
		d->cursor_line = 1;
		d->cursor_off = 0;
	}
	d->cursor_off = line_offset(at.file->text, d->cursor_line, d->cursor_off, at.line);
	d->cursor_line = at.line;
	r->file = at.file;
	r->from = d->cursor_off + (at.col > 0 ? at.col - 1 : 0);
	r->to = r->from + at.len;
	r->next = d->secrets;
	d->secrets = r;
}

/* ---- printing ---- */

/* The line of an excerpt as it is shown, and below it the marks. */
struct excerpt {
	struct buf text, mark;
	size_t cols;
	const struct diag_range *secrets[EXCERPT_SECRETS]; /* of this line */
	size_t n_secrets;
};

/* The secrets within [from, to); false when there are too many to show the line. */
static bool excerpt_secrets(
	struct excerpt *x, const struct diag *d, const struct diag_file *f, size_t from, size_t to)
{
	for (const struct diag_range *r = d->secrets; r != NULL; r = r->next) {
		if (r->file != f || r->to <= from || r->from >= to)
			continue;
		if (x->n_secrets == EXCERPT_SECRETS)
			return false;
		x->secrets[x->n_secrets++] = r;
	}
	return true;
}

static const struct diag_range *secret_at(const struct excerpt *x, size_t off)
{
	for (size_t i = 0; i < x->n_secrets; i++) {
		if (off >= x->secrets[i]->from && off < x->secrets[i]->to)
			return x->secrets[i];
	}
	return NULL;
}

static void excerpt_put(struct excerpt *x, struct str s, bool marked, bool first)
{
	buf_str(&x->text, s);
	for (size_t i = 0; i < s.n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) == 0x80)
			continue; /* continuation bytes take no column */
		buf_ch(&x->mark, marked ? (first ? '^' : '~') : s.p[i] == '\t' ? '\t' : ' ');
		x->cols++;
		first = false;
	}
}

/* Bytes [from, to) of the text, those of [at, at + len) marked. */
static void excerpt_fill(struct excerpt *x, const struct diag_pos *at, size_t from, size_t to)
{
	struct str text = at->file->text;
	size_t place = pos_offset(*at), place_end = place + MAX_OF(at->len, 1u);
	bool first = true;

	for (size_t i = from; i < to;) {
		const struct diag_range *r = secret_at(x, i);
		bool marked = i >= place && i < place_end;
		size_t next = i + 1, user = 0;

		if (i >= 3 && memcmp(text.p + i - 3, "://", 3) == 0)
			user = userinfo_len(str_sub(text, i, to));
		if (r != NULL || user > 0) {
			next = r != NULL ? MIN_OF(r->to, to) : i + user;
			marked = marked || (place >= i && place < next);
			excerpt_put(x, STR("<secret>"), marked, first);
		} else if ((unsigned char)text.p[i] < 0x20 && text.p[i] != '\t') {
			excerpt_put(x, text.p[i] == '\r' ? STR("") : STR("?"), marked, first);
		} else {
			excerpt_put(x, str_sub(text, i, i + 1), marked, first);
		}
		first = first && !marked;
		i = next;
	}
	if (place >= to && first) /* past the end of the line */
		excerpt_put(x, STR(" "), true, true);
}

static void print_excerpt(const struct diag *d, struct diag_pos at, struct buf *out)
{
	struct str text = at.file->text;
	size_t place = pos_offset(at), from = place, to = place;
	struct excerpt x = {.cols = 0};
	bool cut_left = false, cut_right = false;

	while (from > 0 && text.p[from - 1] != '\n')
		from--;
	to += str_find(str_sub(text, place, text.n), '\n');
	if (place - from > EXCERPT_COLS - 40) {
		from = place - (EXCERPT_COLS - 60);
		while (from < place && ((unsigned char)text.p[from] & 0xc0) == 0x80)
			from++;
		cut_left = true;
		for (size_t i = from > 520 ? from - 520 : 3; i < from; i++) {
			if (i >= 3 && memcmp(text.p + i - 3, "://", 3) == 0 &&
				i + userinfo_len(str_sub(text, i, text.n)) > from)
				return; /* cut inside the user part of a URL */
		}
	}
	if (to - from > EXCERPT_COLS) {
		to = from + EXCERPT_COLS;
		while (to > place && ((unsigned char)text.p[to] & 0xc0) == 0x80)
			to--;
		cut_right = true;
	}
	if (!excerpt_secrets(&x, d, at.file, from, to))
		return;
	buf_init(&x.text, 4096);
	buf_init(&x.mark, 4096);
	excerpt_fill(&x, &at, from, to);
	while (x.text.n > 0 && (x.text.p[x.text.n - 1] == ' ' || x.text.p[x.text.n - 1] == '\t'))
		x.text.n--;
	while (x.mark.n > 0 && (x.mark.p[x.mark.n - 1] == ' ' || x.mark.p[x.mark.n - 1] == '\t'))
		x.mark.n--;
	if (!x.text.failed && !x.mark.failed) {
		buf_printf(out, "%5u | %s", at.line, cut_left ? "..." : "");
		buf_str(out, buf_view(&x.text));
		buf_printf(out, "%s\n      | %s", cut_right ? "..." : "", cut_left ? "   " : "");
		buf_str(out, buf_view(&x.mark));
		buf_ch(out, '\n');
	}
	buf_fini(&x.text);
	buf_fini(&x.mark);
}

static int item_cmp(const void *a, const void *b)
{
	const struct diag_item *x = *(const struct diag_item *const *)a;
	const struct diag_item *y = *(const struct diag_item *const *)b;
	int c = x->file_order == y->file_order  ? pos_cmp(x->at, y->at)
		: x->file_order < y->file_order ? -1
						: 1;

	if (c != 0)
		return c;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void print_item(const struct diag *d, const struct diag_item *item, struct buf *out)
{
	put_place(out, item->at);
	if (item->warning)
		buf_c(out, "warning: ");
	put_clean(out, item->msg);
	buf_ch(out, '\n');
	if (item->at.file != NULL && item->at.line > 0 && !d->hide_all)
		print_excerpt(d, item->at, out);
}

void diag_print(const struct diag *d, struct buf *out)
{
	struct diag_item **sorted = calloc(d->n_items + 1, sizeof *sorted);
	size_t n = 0;

	if (d == &broken || sorted == NULL) {
		free(sorted);
		buf_c(out, "out of memory\n");
		return;
	}
	for (struct diag_item *i = d->items; i != NULL; i = i->next)
		sorted[n++] = i;
	qsort(sorted, n, sizeof(*sorted), item_cmp);
	for (size_t i = 0; i < n; i++)
		print_item(d, sorted[i], out);
	free(sorted);
	if (n == 0 && d->first[0] != '\0')
		buf_printf(out, "%s\n", d->first);
	for (const struct diag_count *c = d->files; c != NULL; c = c->next) {
		if (c->errors > LIMIT_DIAG_ERRORS)
			buf_printf(out, STR_FMT ": and %zu more errors\n",
				STR_ARG(c->file != NULL ? c->file->path : STR("")),
				c->errors - LIMIT_DIAG_ERRORS);
	}
}

struct str diag_first(const struct diag *d)
{
	return d == &broken ? STR("out of memory") : str_c(d->first);
}

struct str diag_nearest(struct str s, const struct str *names, size_t n)
{
	unsigned best = MAX_OF(2u, (unsigned)MIN_OF(s.n, 64u) / 3) + 1;
	struct str found = STR("");

	if (best > s.n) /* two letters are near to everything */
		best = (unsigned)s.n;
	for (size_t i = 0; i < n; i++) {
		unsigned dist = str_distance(s, names[i], best);

		if (dist < best && dist < names[i].n) {
			best = dist;
			found = names[i];
		}
	}
	return found;
}
