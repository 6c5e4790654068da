/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex - what a pattern is used for without an engine (a set of strings, a prefix, a suffix,
 * anything), and RE2 for the rest; see regex.h.
 *
 * A pattern whose set of strings is known is valid by construction and needs RE2 only when it has
 * groups, whose bounds somebody may ask for.
 */
#include "base/regex.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/regex_re2.h"
#include "base/regex_set.h"

#define SCRATCH ((size_t)1 << 20)

/* How a whole-string match is decided. */
enum kind {
	KIND_RE2,
	KIND_SET,   /* set holds all strings */
	KIND_AROUND /* [any] lit [any]: open_left, open_right */
};

struct regex {
	enum kind kind;
	bool search; /* made by regex_new_search */
	struct regex_re2 *re2;
	struct str *set; /* sorted */
	size_t n;
	struct str lit;             /* KIND_AROUND; else the prefix */
	bool open_left, open_right; /* .* or .+ stands there */
	size_t min_left, min_right; /* 1 for .+ */
	char *bytes;                /* what set and lit point into */
};

/* \C, which matches half a character, is RE2's alone. */
static bool has_any_byte(struct str p)
{
	for (size_t i = 0; i + 1 < p.n; i++) {
		if (p.p[i] != '\\')
			continue;
		if (p.p[++i] == 'C')
			return true;
	}
	return false;
}

/* Go takes (?<name>...) as well; this RE2 knows only (?P<name>...). */
static struct regex_re2 *compile_go_names(struct str pattern, char *msg, size_t msg_size)
{
	struct regex_re2 *re = NULL;
	struct buf b;

	buf_init(&b, 2 * (size_t)LIMIT_REGEX_BYTES);
	for (size_t i = 0; i < pattern.n; i++) {
		bool named = str_starts(str_sub(pattern, i, pattern.n), STR("(?<"));

		buf_ch(&b, pattern.p[i]);
		if (named) {
			buf_c(&b, "?P<");
			i += 2;
		}
	}
	if (!b.failed && b.n != pattern.n)
		re = regex_re2_new(b.p, b.n, msg, msg_size);
	buf_fini(&b);
	return re;
}

static struct regex_re2 *compile(struct str pattern, struct err *e)
{
	struct regex_re2 *re;
	char msg[160] = "";

	if (has_any_byte(pattern)) {
		err_set(e, ERR_INPUT, 0, "invalid regular expression: \\C is not supported");
		return NULL;
	}
	re = regex_re2_new(pattern.p != NULL ? pattern.p : "", pattern.n, msg, sizeof msg);
	if (re == NULL)
		re = compile_go_names(pattern, msg, sizeof msg);
	if (re == NULL && str_starts(str_c(msg), STR("pattern too large")))
		err_set(e, ERR_LIMIT, 0, "regular expression: compiled it needs more than %d KiB",
			LIMIT_REGEX_PROGRAM >> 10);
	else if (re == NULL)
		err_set(e, ERR_INPUT, 0, "invalid regular expression: %s", msg);
	return re;
}

/* Copy set and literal out of the scratch arena into one block. */
static bool keep(struct regex *re, const struct str *v, size_t n, struct str lit)
{
	size_t bytes = lit.n + 1, at;

	for (size_t i = 0; i < n; i++)
		bytes += v[i].n;
	re->bytes = malloc(bytes);
	re->set = n > 0 ? malloc(n * sizeof *v) : NULL;
	if (re->bytes == NULL || (n > 0 && re->set == NULL))
		return false;
	if (lit.n > 0)
		memcpy(re->bytes, lit.p, lit.n);
	re->lit = str_n(re->bytes, lit.n);
	at = lit.n;
	for (size_t i = 0; i < n; i++) {
		if (v[i].n > 0)
			memcpy(re->bytes + at, v[i].p, v[i].n);
		re->set[i] = str_n(re->bytes + at, v[i].n);
		at += v[i].n;
	}
	re->n = n;
	return true;
}

/* The part of p without the anchors that a whole-string match has anyway. */
static struct str without_anchors(struct str p)
{
	if (p.n > 0 && p.p[0] == '^')
		p = str_sub(p, 1, p.n);
	if (p.n > 0 && p.p[p.n - 1] == '$' && (p.n < 2 || p.p[p.n - 2] != '\\'))
		p = str_sub(p, 0, p.n - 1);
	return p;
}

/* Take a leading or trailing .* or .+ off *p. */
static bool take_any(struct str *p, bool left, size_t *min)
{
	size_t at = left ? 0 : p->n - 2;

	if (p->n < 2 || p->p[at] != '.' || (p->p[at + 1] != '*' && p->p[at + 1] != '+'))
		return false;
	*min = p->p[at + 1] == '+';
	*p = left ? str_sub(*p, 2, p->n) : str_sub(*p, 0, p->n - 2);
	return true;
}

static void free_parts(struct regex *re)
{
	regex_re2_free(re->re2);
	free(re->set);
	free(re->bytes);
}

/* Decide the kind of an anchored pattern. False: no memory. */
static bool classify(struct regex *re, struct str pattern, bool *need_re2)
{
	struct str p = without_anchors(pattern), *v = NULL, prefix;
	size_t n = 0, groups = 0;
	struct arena a;
	bool ok;

	arena_init(&a, SCRATCH);
	*need_re2 = true;
	if (regex_set(&a, p, &v, &n, &groups)) {
		re->kind = KIND_SET;
		*need_re2 = groups > 0;
		prefix = n == 1 ? v[0] : STR("");
	} else {
		struct str inner = p;

		re->open_left = take_any(&inner, true, &re->min_left);
		re->open_right = take_any(&inner, false, &re->min_right);
		v = NULL;
		n = 0;
		arena_reset(&a);
		if ((re->open_left || re->open_right) && regex_set(&a, inner, &v, &n, &groups) &&
			n == 1 && groups == 0) {
			re->kind = KIND_AROUND;
			*need_re2 = false;
			prefix = v[0];
		} else {
			prefix = regex_set_prefix(&a, p);
		}
		n = 0;
	}
	ok = keep(re, v, n, prefix);
	arena_fini(&a);
	return ok;
}

static struct regex *make(struct str pattern, bool search, struct err *e)
{
	struct regex *re;
	bool need_re2 = true;

	ASSERT(pattern.p != NULL || pattern.n == 0);
	if (pattern.n > LIMIT_REGEX_BYTES) {
		err_set(e, ERR_LIMIT, 0, "regular expression of %zu bytes, at most %u are taken",
			pattern.n, LIMIT_REGEX_BYTES);
		return NULL;
	}
	re = calloc(1, sizeof *re);
	if (re == NULL)
		goto no_memory;
	re->search = search;
	if (!search && !classify(re, pattern, &need_re2))
		goto no_memory;
	if (need_re2) {
		re->re2 = compile(pattern, e);
		if (re->re2 == NULL) {
			regex_free(re);
			return NULL;
		}
	}
	return re;

no_memory:
	err_set(e, ERR_LIMIT, 0, "regular expression: out of memory");
	regex_free(re);
	return NULL;
}

struct regex *regex_new(struct str pattern, struct err *e)
{
	return make(pattern, false, e);
}

struct regex *regex_new_search(struct str pattern, struct err *e)
{
	return make(pattern, true, e);
}

void regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	free_parts(re);
	free(re);
}

static bool in_set(const struct regex *re, struct str s)
{
	size_t lo = 0, hi = re->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(s, re->set[mid]);

		if (c == 0)
			return true;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return false;
}

static bool around(const struct regex *re, struct str s)
{
	struct str room;

	if (s.n < re->lit.n + re->min_left + re->min_right)
		return false;
	room = str_sub(s, re->min_left, s.n - re->min_right);
	if (re->open_left && re->open_right)
		return str_has(room, re->lit);
	return re->open_left ? str_ends(room, re->lit) : str_starts(room, re->lit);
}

bool regex_match(const struct regex *re, struct str s)
{
	if (re->search)
		return regex_re2_find(re->re2, s.p != NULL ? s.p : "", s.n, 0, 0, NULL, 0) != 0;
	switch (re->kind) {
	case KIND_SET: return in_set(re, s);
	case KIND_AROUND: return around(re, s);
	case KIND_RE2: break;
	}
	if (!str_starts(s, re->lit))
		return false;
	return regex_re2_find(re->re2, s.p != NULL ? s.p : "", s.n, 0, 1, NULL, 0) != 0;
}

const struct str *regex_literals(const struct regex *re, size_t *n)
{
	*n = re->kind == KIND_SET ? re->n : 0;
	return re->kind == KIND_SET ? re->set : NULL;
}

struct str regex_prefix(const struct regex *re)
{
	return re->kind == KIND_AROUND && re->open_left ? STR("") : re->lit;
}

size_t regex_groups(const struct regex *re)
{
	return re->re2 != NULL ? regex_re2_groups(re->re2) : 0;
}

/* $name or ${name} at the start of t (behind the $): its length, 0 when it is none. */
static size_t reference(struct str t, struct str *name)
{
	bool braces = t.n > 0 && t.p[0] == '{';
	size_t i = braces, from = braces;

	for (; i < t.n; i++) {
		char c = t.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    c == '_'))
			break;
	}
	*name = str_sub(t, from, i);
	if (name->n == 0 || (braces && (i == t.n || t.p[i] != '}')))
		return 0;
	return i + braces;
}

/* Write the template of a match with groups at caps: Go's Regexp.Expand. */
static void expand(
	const struct regex *re, struct str s, struct str t, const size_t *caps, struct buf *out)
{
	while (t.n > 0) {
		size_t at = str_find(t, '$'), len, group = SIZE_MAX;
		unsigned long long number;
		struct str name;

		buf_str(out, str_sub(t, 0, at));
		t = str_sub(t, at, t.n);
		if (t.n == 0)
			break;
		t = str_sub(t, 1, t.n);
		if (t.n > 0 && t.p[0] == '$') {
			buf_ch(out, '$');
			t = str_sub(t, 1, t.n);
			continue;
		}
		len = reference(t, &name);
		if (len == 0) {
			buf_ch(out, '$');
			continue;
		}
		t = str_sub(t, len, t.n);
		if (str_to_u64(name, &number))
			group = num_clamp_i64((double)number) < REGEX_RE2_CAPS ? (size_t)number
									       : SIZE_MAX;
		else if (re->re2 != NULL)
			group = regex_re2_group(re->re2, name.p, name.n);
		if (group != SIZE_MAX && !(group == 0 && !str_eq(name, STR("0"))) &&
			group <= regex_groups(re) && caps[2 * group] != SIZE_MAX)
			buf_str(out, str_sub(s, caps[2 * group], caps[2 * group + 1]));
	}
}

static size_t caps_wanted(const struct regex *re)
{
	return MIN_OF(regex_groups(re) + 1, (size_t)REGEX_RE2_CAPS);
}

int regex_expand(const struct regex *re, struct str s, struct str replacement, struct buf *out)
{
	size_t caps[2 * REGEX_RE2_CAPS] = {0};

	if (s.p == NULL)
		s = STR("");
	if (!regex_match(re, s))
		return 0;
	caps[1] = s.n;
	if (re->re2 != NULL &&
		!regex_re2_find(re->re2, s.p, s.n, 0, !re->search, caps, caps_wanted(re)))
		return 0;
	expand(re, s, replacement, caps, out);
	return 1;
}

/* Bytes of the character at p: an empty match moves on by one. */
static size_t rune_len(struct str s)
{
	size_t n = 1;

	while (n < s.n && n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

int regex_replace_all(const struct regex *re, struct str s, struct str replacement, struct buf *out)
{
	size_t caps[2 * REGEX_RE2_CAPS], from = 0, done = 0;
	bool after_match = false;
	int count = 0;

	ASSERT(re->re2 != NULL);
	if (s.p == NULL)
		s = STR("");
	while (from <= s.n && regex_re2_find(re->re2, s.p, s.n, from, 0, caps, caps_wanted(re))) {
		/* Go: an empty match right behind the last one does not count. */
		if (caps[1] > caps[0] || !after_match || caps[0] > done) {
			buf_str(out, str_sub(s, done, caps[0]));
			expand(re, s, replacement, caps, out);
			done = caps[1];
			after_match = true;
			count++;
		}
		from = caps[1] > caps[0]
			       ? caps[1]
			       : caps[1] + (caps[1] < s.n ? rune_len(str_sub(s, caps[1], s.n)) : 1);
	}
	buf_str(out, str_sub(s, done, s.n));
	return count;
}
