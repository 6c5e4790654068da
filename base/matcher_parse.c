/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matcher_parse - the classic and the UTF-8 grammar of Alertmanager's matchers; see
 * matcher_parse.h.
 *
 * Both only find operator, name and value; compiling is common. The classic grammar is forgiving
 * (a lone backslash is itself), the UTF-8 one is strict. White space is that of Go's regexp \s in
 * the classic one, and Unicode's in the UTF-8 one.
 */
#include "base/matcher_parse.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/quote.h"

struct text { /* what a grammar found */
	enum matcher_op op;
	struct str name, value;
	size_t off;
};

struct parse {
	struct arena *arena;
	struct str s; /* the whole */
	size_t i;
	struct text found[MATCHERS_MAX];
	size_t n;
	struct err *e;
};

/* Bytes of the white space that s begins with, 0: none. */
static size_t space(struct str s)
{
	static const struct str wide[] = {{"\xc2\x85", 2}, {"\xc2\xa0", 2}, {"\xe1\x9a\x80", 3},
		{"\xe2\x80\xa8", 3}, {"\xe2\x80\xa9", 3}, {"\xe2\x80\xaf", 3}, {"\xe2\x81\x9f", 3},
		{"\xe3\x80\x80", 3}};

	if (s.n > 0 && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
		if (str_starts(s, wide[i]))
			return wide[i].n;
	}
	if (s.n > 2 && str_starts(s, STR("\xe2\x80")) && (s.p[2] & 0xf0) == 0x80 &&
		(s.p[2] & 0x0f) <= 0x0a)
		return 3; /* U+2000 to U+200A */
	return 0;
}

static void skip_space(struct parse *p)
{
	size_t n;

	while ((n = space(str_sub(p->s, p->i, p->s.n))) > 0)
		p->i += n;
}

static bool take_op(struct parse *p, enum matcher_op *op)
{
	static const struct {
		const char *text;
		enum matcher_op op;
	} ops[] = {{"=~", MATCH_RE}, {"!~", MATCH_NRE}, {"!=", MATCH_NE}, {"=", MATCH_EQ}};

	for (size_t k = 0; k < ARRAY_LEN(ops); k++) {
		if (str_starts(str_sub(p->s, p->i, p->s.n), str_c(ops[k].text))) {
			p->i += strlen(ops[k].text);
			*op = ops[k].op;
			return true;
		}
	}
	return false;
}

static int add(struct parse *p, struct text t)
{
	if (p->n == MATCHERS_MAX)
		return err_set_at(p->e, ERR_LIMIT, t.off, "more than %u matchers", MATCHERS_MAX);
	p->found[p->n++] = t;
	return 0;
}

/* ---- classic ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static void skip_blank(struct parse *p)
{
	while (p->i < p->s.n && is_blank(p->s.p[p->i]))
		p->i++;
}

static bool is_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
	       (!first && c >= '0' && c <= '9');
}

/* Undo \n, \" and \\; a quote must be escaped unless it ends a value that began with one. */
static int classic_value(struct parse *p, struct str raw, struct str *out)
{
	size_t off = (size_t)(raw.p - p->s.p), n = 0;
	bool quoted = raw.n > 0 && raw.p[0] == '"';
	char *v;

	raw = str_sub(raw, quoted, raw.n);
	if (!str_is_utf8(raw))
		return err_set_at(p->e, ERR_INPUT, off, "matcher value is not valid UTF-8");
	v = arena_alloc(p->arena, raw.n + 1, 1);
	if (v == NULL)
		return err_set_at(p->e, ERR_LIMIT, off, "out of memory");
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '\\' && i + 1 < raw.n) {
			c = raw.p[++i];
			if (c == 'n')
				c = '\n';
			else if (c != '"' && c != '\\')
				v[n++] = '\\';
			v[n++] = c;
		} else if (c == '"') {
			if (!quoted || i + 1 < raw.n)
				return err_set_at(p->e, ERR_INPUT, off + i,
					"a double quote inside a value must be escaped");
			quoted = false;
		} else {
			v[n++] = c;
		}
	}
	if (quoted)
		return err_set_at(p->e, ERR_INPUT, off, "the quoted value does not end");
	*out = str_n(v, n);
	return 0;
}

static int classic_one(struct parse *p, size_t from, size_t to)
{
	struct parse q = {.arena = p->arena, .s = str_sub(p->s, 0, to), .i = from, .e = p->e};
	struct text t;
	struct str raw;
	size_t name;

	skip_blank(&q);
	name = t.off = q.i;
	while (q.i < to && is_name_char(q.s.p[q.i], q.i == name))
		q.i++;
	t.name = str_sub(q.s, name, q.i);
	skip_blank(&q);
	if (t.name.n == 0 || !take_op(&q, &t.op))
		return err_set_at(p->e, ERR_INPUT, t.off,
			"bad matcher format: " STR_FMT "; write for example severity=\"critical\"",
			STR_ARG(str_trim(str_sub(p->s, from, to))));
	skip_blank(&q);
	while (to > q.i && is_blank(q.s.p[to - 1]))
		to--;
	raw = str_n(q.s.p + q.i, to - q.i);
	if (classic_value(p, raw, &t.value) != 0)
		return -1;
	return add(p, t);
}

/* Bytes of the white space that s ends with, 0: none. */
static size_t space_at_end(struct str s)
{
	for (size_t n = 1; n <= MIN_OF(s.n, (size_t)3); n++) {
		if (space(str_sub(s, s.n - n, s.n)) == n)
			return n;
	}
	return 0;
}

static int classic(struct parse *p)
{
	size_t from = 0, end = p->s.n, n;
	bool inside = false, escaped = false;

	if (end > 0 && p->s.p[0] == '{')
		from++;
	if (end > from && p->s.p[end - 1] == '}')
		end--;
	for (size_t i = from; i < end; i++) {
		char c = p->s.p[i];

		if (c == ',' && !inside) {
			if (classic_one(p, from, i) != 0)
				return -1;
			from = i + 1;
			continue;
		}
		if (c == ',') /* inside: Alertmanager leaves an escape before it open */
			continue;
		if (c == '"' && !escaped)
			inside = !inside;
		escaped = c == '\\' && !escaped;
	}
	/* Alertmanager trims the last one, of all that Unicode calls white space, and only it */
	while (from < end && (n = space(str_sub(p->s, from, end))) > 0)
		from += n;
	while (from < end && (n = space_at_end(str_sub(p->s, from, end))) > 0)
		end -= n;
	return from < end ? classic_one(p, from, end) : 0;
}

/* ---- UTF-8 ---- */

static int hex_digits(struct parse *p, size_t n, unsigned long *out)
{
	*out = 0;
	for (size_t k = 0; k < n; k++, p->i++) {
		char c = p->i < p->s.n ? p->s.p[p->i] : '\0';
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 16;

		if (d > 15)
			return err_set_at(p->e, ERR_INPUT, p->i, "bad escape in a quoted string");
		*out = *out << 4 | d;
	}
	return 0;
}

/* One of Go's escapes, the backslash behind us. */
static int take_escape(struct parse *p, struct buf *b)
{
	static const char from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
	char c = p->i < p->s.n ? p->s.p[p->i] : '\0';
	const char *q = c != '\0' ? strchr(from, c) : NULL;
	unsigned long v = 0;

	if (p->i >= p->s.n)
		return err_set_at(p->e, ERR_INPUT, p->i, "the quoted string does not end");
	p->i++;
	if (q != NULL) {
		buf_ch(b, to[q - from]);
		return 0;
	}
	if (c == 'x' || c == 'u' || c == 'U') {
		if (hex_digits(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, &v) != 0)
			return -1;
		if (c == 'x')
			buf_ch(b, (char)(unsigned char)v);
		else if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
			return err_set_at(p->e, ERR_INPUT, p->i, "bad escape in a quoted string");
		else
			quote_add_rune(b, v);
		return 0;
	}
	for (int k = 0; k < 3; k++) {
		if (c < '0' || c > '7')
			return err_set_at(p->e, ERR_INPUT, p->i, "bad escape in a quoted string");
		v = v << 3 | (unsigned)(c - '0');
		c = k < 2 && p->i < p->s.n ? p->s.p[p->i++] : '0';
	}
	if (v > 255)
		return err_set_at(p->e, ERR_INPUT, p->i, "bad escape in a quoted string");
	buf_ch(b, (char)(unsigned char)v);
	return 0;
}

static int take_quoted(struct parse *p, struct str *out)
{
	size_t from = p->i++;
	struct buf b;
	int rc = 0;

	buf_init(&b, LIMIT_YAML_BYTES);
	while (rc == 0 && p->i < p->s.n && p->s.p[p->i] != '"') {
		char c = p->s.p[p->i++];

		if (c == '\\')
			rc = take_escape(p, &b);
		else if (c == '\n')
			rc = err_set_at(p->e, ERR_INPUT, p->i, "line end in a quoted string");
		else
			buf_ch(&b, c);
	}
	if (rc == 0 && p->i >= p->s.n)
		rc = err_set_at(p->e, ERR_INPUT, from, "the quoted string does not end");
	else if (rc == 0 && !str_is_utf8(buf_view(&b)))
		rc = err_set_at(p->e, ERR_INPUT, from, "the quoted string is not valid UTF-8");
	p->i++;
	if (rc == 0) {
		*out = arena_str(p->arena, buf_view(&b));
		if (b.failed || out->p == NULL)
			rc = err_set_at(p->e, ERR_LIMIT, from, "out of memory");
	}
	buf_fini(&b);
	return rc;
}

/* A quoted string, or bytes up to white space or one of the reserved signs. */
static int take_word(struct parse *p, const char *what, struct str *out)
{
	size_t from;

	skip_space(p);
	if (p->i < p->s.n && p->s.p[p->i] == '"')
		return take_quoted(p, out);
	from = p->i;
	while (p->i < p->s.n && memchr("{}!=~,\\\"'`", p->s.p[p->i], 10) == NULL &&
		space(str_sub(p->s, p->i, p->s.n)) == 0)
		p->i++;
	if (p->i == from)
		return err_set_at(p->e, ERR_INPUT, from, "expected %s", what);
	*out = str_sub(p->s, from, p->i);
	if (!str_is_utf8(*out))
		return err_set_at(p->e, ERR_INPUT, from, "not valid UTF-8");
	return 0;
}

static int utf8_one(struct parse *p)
{
	struct text t;

	skip_space(p);
	t.off = p->i;
	if (take_word(p, "a label name", &t.name) != 0)
		return -1;
	skip_space(p);
	if (!take_op(p, &t.op))
		return err_set_at(p->e, ERR_INPUT, p->i, "expected one of = != =~ !~");
	if (take_word(p, "a value", &t.value) != 0)
		return -1;
	return add(p, t);
}

static int utf8(struct parse *p)
{
	bool brace;

	skip_space(p);
	brace = p->i < p->s.n && p->s.p[p->i] == '{';
	p->i += brace;
	for (;;) {
		skip_space(p);
		if (p->i >= p->s.n || p->s.p[p->i] == '}')
			break;
		if (utf8_one(p) != 0)
			return -1;
		skip_space(p);
		if (p->i < p->s.n && p->s.p[p->i] == ',')
			p->i++;
		else if (p->i < p->s.n && p->s.p[p->i] != '}')
			return err_set_at(p->e, ERR_INPUT, p->i, "expected a comma");
	}
	if (brace != (p->i < p->s.n))
		return err_set_at(p->e, ERR_INPUT, p->i, "braces do not match");
	p->i += brace;
	skip_space(p);
	if (p->i < p->s.n)
		return err_set_at(p->e, ERR_INPUT, p->i, "text behind the closing brace");
	return 0;
}

/* ---- common ---- */

static int compile(struct parse *p, struct matcher **out, size_t *n)
{
	struct matcher *m = ARENA_ARRAY(p->arena, p->n, struct matcher);
	size_t done = 0;

	if (m == NULL)
		return err_set(p->e, ERR_LIMIT, 0, "out of memory");
	for (; done < p->n; done++) {
		const struct text *t = &p->found[done];

		if (t->name.n == 0) {
			(void)err_set_at(p->e, ERR_INPUT, t->off, "empty label name"); /* below */
			break;
		}
		if (matcher_init(&m[done], t->op, t->name, t->value, p->e) != 0) {
			p->e->off = t->off;
			break;
		}
	}
	if (done == p->n) {
		*out = m;
		*n = p->n;
		return 0;
	}
	while (done > 0)
		matcher_fini(&m[--done]);
	return -1;
}

/* The whole by one grammar; compiled. */
static int read_as(struct arena *a, struct str s, enum matcher_grammar g, bool one,
	struct matcher **out, size_t *n, struct err *e)
{
	struct parse p = {.arena = a, .s = s, .e = e};
	int rc;

	if (g == MATCHER_CLASSIC)
		rc = one ? classic_one(&p, 0, s.n) : classic(&p);
	else
		rc = utf8(&p);
	if (rc == 0 && one && p.n != 1)
		rc = err_set(e, ERR_INPUT, 0,
			p.n == 0 ? "no matcher" : "expected one matcher, found %zu", p.n);
	if (rc != 0)
		return -1;
	/* names and values must outlive s */
	for (size_t i = 0; i < p.n; i++) {
		p.found[i].name = arena_str(a, p.found[i].name);
		p.found[i].value = arena_str(a, p.found[i].value);
	}
	if (a->failed)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	return compile(&p, out, n);
}

/* One grammar, or the classic one first and its message when neither reads it: more people know
 * that one. */
static int read_by(struct arena *a, struct str s, enum matcher_grammar g, bool one,
	struct matcher **out, size_t *n, struct err *e)
{
	struct err strict = {0};

	if (g != MATCHER_FALLBACK)
		return read_as(a, s, g, one, out, n, e);
	if (read_as(a, s, MATCHER_CLASSIC, one, out, n, e) == 0)
		return 0;
	return read_as(a, s, MATCHER_UTF8, one, out, n, &strict);
}

int matchers_parse_as(struct arena *a, struct str s, enum matcher_grammar g, struct matcher **out,
	size_t *n, struct err *e)
{
	return read_by(a, s, g, false, out, n, e);
}

int matchers_parse(struct arena *a, struct str s, struct matcher **out, size_t *n, struct err *e)
{
	return read_by(a, s, MATCHER_FALLBACK, false, out, n, e);
}

int matcher_parse_one_as(
	struct arena *a, struct str s, enum matcher_grammar g, struct matcher *out, struct err *e)
{
	struct matcher *m = NULL;
	size_t n = 0;

	if (read_by(a, s, g, true, &m, &n, e) != 0)
		return -1;
	ASSERT(m != NULL && n == 1);
	*out = m[0];
	return 0;
}

int matcher_parse_one(struct arena *a, struct str s, struct matcher *out, struct err *e)
{
	if ((s.n > 0 && s.p[0] == '{') || str_ends(s, STR("}")))
		return err_set(
			e, ERR_INPUT, 0, "unexpected open or close brace: " STR_FMT, STR_ARG(s));
	return matcher_parse_one_as(a, s, MATCHER_FALLBACK, out, e);
}
