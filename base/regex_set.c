/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex_set - a recursive-descent reader of the small part of RE2's syntax that stands for a
 * finite set of strings. Whatever it does not know makes it give up, never guess.
 */
#include "base/regex_set.h"

#include <stdlib.h>

#define DEPTH_MAX 16u        /* groups inside groups */
#define BYTES_MAX (1u << 16) /* of all strings together */
#define META      "\\.+*?()|[]{}^$"

struct strings {
	struct str *v;
	size_t n;
};

struct reader {
	struct arena *a;
	const char *p, *end;
	size_t groups;
};

static bool read_alternatives(struct reader *r, unsigned depth, struct strings *out);

static bool is_meta(char c)
{
	return c != '\0' && strchr(META, c) != NULL;
}

static bool at_quantifier(const struct reader *r)
{
	return r->p < r->end && (*r->p == '*' || *r->p == '+' || *r->p == '?' || *r->p == '{');
}

/* A run of literal bytes, escaped punctuation included, into *out. */
static bool read_literal(struct reader *r, struct str *out)
{
	char *s = arena_alloc(r->a, (size_t)(r->end - r->p) + 1, 1);
	size_t n = 0;

	if (s == NULL)
		return false;
	while (r->p < r->end) {
		if (*r->p == '\\') {
			if (r->end - r->p < 2 || !(is_meta(r->p[1]) || r->p[1] == '-'))
				return false;
			r->p++;
		} else if (is_meta(*r->p) || *r->p == '\0') {
			break;
		}
		s[n++] = *r->p++;
	}
	*out = str_n(s, n);
	return n > 0 && !at_quantifier(r);
}

/* [abc], [0-9]: plain ASCII letters, digits and '_' only. */
static bool read_class(struct reader *r, struct strings *out)
{
	bool in[128] = {false};
	char *bytes;

	for (r->p++; r->p < r->end && *r->p != ']'; r->p++) {
		unsigned char c = (unsigned char)*r->p, last = c;

		if (r->end - r->p > 2 && r->p[1] == '-') {
			last = (unsigned char)r->p[2];
			r->p += 2;
		}
		if (c >= 128 || last >= 128 || last < c)
			return false;
		if (!((c >= '0' && last <= '9') || (c >= 'a' && last <= 'z') ||
			    (c >= 'A' && last <= 'Z') || (c == '_' && last == '_')))
			return false;
		for (; c <= last; c++)
			in[c] = true;
	}
	if (r->p == r->end)
		return false;
	r->p++;
	out->v = ARENA_ARRAY(r->a, 128, struct str);
	bytes = arena_alloc(r->a, 128, 1);
	if (out->v == NULL || bytes == NULL)
		return false;
	for (size_t c = 0; c < 128; c++) {
		bytes[c] = (char)c;
		if (in[c])
			out->v[out->n++] = str_n(bytes + c, 1);
	}
	return out->n > 0 && !at_quantifier(r);
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX in read_alternatives. */
static bool read_group(struct reader *r, unsigned depth, struct strings *out)
{
	r->p++;
	if (r->end - r->p >= 2 && r->p[0] == '?' && r->p[1] == ':')
		r->p += 2;
	else if (r->p < r->end && *r->p == '?')
		return false;
	else
		r->groups++;
	if (!read_alternatives(r, depth + 1, out) || r->p == r->end || *r->p != ')')
		return false;
	r->p++;
	return !at_quantifier(r);
}

/* acc := every string of acc followed by every string of more. */
static bool multiply(struct reader *r, struct strings *acc, const struct strings *more)
{
	struct strings out = {NULL, 0};
	size_t bytes = 0;

	if (acc->n * more->n > REGEX_SET_MAX)
		return false;
	out.v = ARENA_ARRAY(r->a, acc->n * more->n, struct str);
	if (out.v == NULL)
		return false;
	for (size_t i = 0; i < acc->n; i++) {
		for (size_t k = 0; k < more->n; k++) {
			struct str x = acc->v[i], y = more->v[k];
			char *s;

			bytes += x.n + y.n;
			s = bytes <= BYTES_MAX ? arena_alloc(r->a, x.n + y.n + 1, 1) : NULL;
			if (s == NULL)
				return false;
			if (x.n > 0)
				memcpy(s, x.p, x.n);
			if (y.n > 0)
				memcpy(s + x.n, y.p, y.n);
			out.v[out.n++] = str_n(s, x.n + y.n);
		}
	}
	*acc = out;
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX in read_alternatives. */
static bool read_sequence(struct reader *r, unsigned depth, struct strings *out)
{
	out->v = ARENA_ARRAY(r->a, 1, struct str);
	if (out->v == NULL)
		return false;
	out->v[0] = STR("");
	out->n = 1;
	while (r->p < r->end && *r->p != '|' && *r->p != ')') {
		struct strings atom = {NULL, 0};
		struct str lit;
		bool known;

		if (*r->p == '(') {
			known = read_group(r, depth, &atom);
		} else if (*r->p == '[') {
			known = read_class(r, &atom);
		} else {
			known = read_literal(r, &lit);
			atom = (struct strings){&lit, 1};
		}
		if (!known || !multiply(r, out, &atom))
			return false;
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX groups, checked here. */
static bool read_alternatives(struct reader *r, unsigned depth, struct strings *out)
{
	size_t cap = 1;

	if (depth > DEPTH_MAX)
		return false;
	for (const char *q = r->p; q < r->end; q++)
		cap += *q == '|';
	out->n = 0;
	out->v = ARENA_ARRAY(r->a, REGEX_SET_MAX, struct str);
	if (out->v == NULL || cap > REGEX_SET_MAX)
		return false;
	for (;;) {
		struct strings one;

		if (!read_sequence(r, depth, &one) || out->n + one.n > REGEX_SET_MAX)
			return false;
		memcpy(out->v + out->n, one.v, one.n * sizeof *one.v);
		out->n += one.n;
		if (r->p == r->end || *r->p != '|')
			return true;
		r->p++;
	}
}

static int by_bytes(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

bool regex_set(struct arena *a, struct str pattern, struct str **v, size_t *n, size_t *groups)
{
	struct reader r = {a, pattern.p, pattern.p + pattern.n, 0};
	struct strings s;
	size_t kept = 0;

	if (!str_is_utf8(pattern) || !read_alternatives(&r, 0, &s) || r.p != r.end)
		return false;
	qsort(s.v, s.n, sizeof *s.v, by_bytes);
	for (size_t i = 0; i < s.n; i++)
		if (kept == 0 || !str_eq(s.v[kept - 1], s.v[i]))
			s.v[kept++] = s.v[i];
	*v = s.v;
	*n = kept;
	*groups = r.groups;
	return true;
}

/* The pattern has a branch outside of any group, or may have one: brackets and escapes are not
 * followed. */
static bool may_branch(struct str pattern)
{
	size_t depth = 0;

	if (str_find(pattern, '|') == pattern.n)
		return false;
	for (size_t i = 0; i < pattern.n; i++) {
		char c = pattern.p[i];

		if (c == '[' || c == '\\' || (c == '|' && depth == 0))
			return true;
		depth += c == '(';
		depth -= c == ')' && depth > 0;
	}
	return false;
}

struct str regex_set_prefix(struct arena *a, struct str pattern)
{
	struct reader r = {a, pattern.p, pattern.p + pattern.n, 0};
	struct str s;

	return !may_branch(pattern) && read_literal(&r, &s) ? s : STR("");
}
