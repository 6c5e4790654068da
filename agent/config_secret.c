/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_secret - finds what must not be shown in excerpts of a configuration file.
 *
 * By the names of keys, wherever they stand and whether we know them or not: too much hidden is a
 * nuisance, too little is a leak.
 */
#include "agent/config_load.h"
#include "base/num.h"

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void walk(struct loader *l, const struct yaml_node *n, bool secret)
{
	if (n->kind == YAML_SCALAR && secret && n->scalar.n > 0)
		diag_secret(l->diag, n->pos);
	for (size_t i = 0; n->kind == YAML_SEQ && i < n->n; i++)
		walk(l, n->items[i], secret);
	for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++) {
		const struct yaml_pair *p = &n->pairs[i];

		walk(l, p->value, secret || config_key_is_secret(p->key->scalar));
	}
}

void config_hide_secrets(struct loader *l, const struct yaml_node *root)
{
	walk(l, root, false);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* Behind the colon of the first secret-looking key of a line; the line's length when none. */
static size_t secret_from(struct str line)
{
	size_t i = 0;

	while (i < line.n) {
		size_t from = i, end;

		while (i < line.n && is_word(line.p[i]))
			i++;
		end = i;
		while (i < line.n && i > from && strchr(" \t\"'", line.p[i]) != NULL)
			i++;
		if (i < line.n && line.p[i] == ':' &&
			config_key_is_secret(str_sub(line, from, end)))
			return i + 1;
		if (i == from)
			i++;
	}
	return line.n;
}

static size_t indent_of(struct str line)
{
	size_t i = 0;

	while (i < line.n && line.p[i] == ' ')
		i++;
	return i;
}

/* The quote that a value opens and its line does not close, or 0. */
static char open_quote(struct str value)
{
	value = str_trim(value);
	if (value.n == 0 || (value.p[0] != '"' && value.p[0] != '\''))
		return 0;
	return str_find(str_sub(value, 1, value.n), value.p[0]) == value.n - 1 ? value.p[0] : 0;
}

void config_hide_secrets_in_text(struct loader *l)
{
	struct str text = l->file->text;
	size_t below = SIZE_MAX; /* lines indented deeper than this belong to a secret */
	char quote = 0;          /* so does everything up to this one */
	unsigned number = 0;

	for (size_t at = 0; at < text.n;) {
		struct str rest = str_sub(text, at, text.n);
		struct str line = str_sub(rest, 0, str_find(rest, '\n'));
		size_t indent = indent_of(line), from = line.n;

		number++;
		at += line.n + 1;
		if (quote != 0) {
			from = 0;
			if (str_find(line, quote) < line.n)
				quote = 0;
		} else if (indent < line.n && below != SIZE_MAX && indent > below) {
			from = indent;
		} else if (indent < line.n) {
			from = secret_from(line);
			below = from < line.n ? indent : SIZE_MAX;
			quote = open_quote(str_sub(line, from, line.n));
		}
		if (from < line.n)
			diag_secret(l->diag, (struct diag_pos){l->file, number, (unsigned)from + 1,
						     (unsigned)(line.n - from)});
	}
}
