/* SPDX-License-Identifier: Apache-2.0 */
/* exposition - what both formats share, and the text format; see exposition.h. */
#include "agent/scrape/exposition.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/f64.h"
#include "base/num.h"

#define SCRATCH_MAX (8u << 20) /* unescaped text of one line */

static const char *const type_names[] = {"unknown", "counter", "gauge", "histogram",
	"gaugehistogram", "summary", "info", "stateset"};

const char *expo_type_name(enum expo_type t)
{
	return type_names[t];
}

void expo_init(struct expo *x, enum expo_format format, struct str page)
{
	memset(x, 0, sizeof *x);
	x->format = format;
	x->begin = x->p = page.p != NULL ? page.p : "";
	x->end = x->p + page.n;
	arena_init(&x->scratch, SCRATCH_MAX);
}

void expo_fini(struct expo *x)
{
	arena_fini(&x->scratch);
}

enum expo_entry expo_fail(struct expo *x, const char *fmt, ...)
{
	char what[ERR_MSG_MAX], near[64];
	size_t line = 1, n = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	for (const char *c = x->begin; c < x->p; c++)
		line += *c == '\n';
	for (const char *c = x->p; c < x->end && *c != '\n' && n < 32; c++)
		near[n++] = (char)(*c >= ' ' && *c < 0x7f ? *c : '.');
	near[n] = '\0';
	(void)err_set_at(&x->err, ERR_INPUT, line, "line %zu: %s near \"%s\"", line, what, near);
	return EXPO_ERROR;
}

/* ---- tokens ---- */

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9');
}

static void skip_blanks(struct expo *x)
{
	while (x->p < x->end && (*x->p == ' ' || *x->p == '\t'))
		x->p++;
}

static bool take(struct expo *x, char c)
{
	if (x->p == x->end || *x->p != c)
		return false;
	x->p++;
	return true;
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*; empty when none stands there. */
static struct str take_name(struct expo *x, bool colons)
{
	const char *start = x->p;

	if (x->p < x->end && is_name_start(*x->p) && (colons || *x->p != ':')) {
		x->p++;
		while (x->p < x->end && is_name_char(*x->p) && (colons || *x->p != ':'))
			x->p++;
	}
	return str_n(start, (size_t)(x->p - start));
}

/* "..." with backslash escapes: what stands between the quotes. */
static bool take_quoted(struct expo *x, bool newlines, struct str *raw)
{
	const char *c = x->p + 1;

	if (x->p == x->end || *x->p != '"')
		return false;
	for (; c < x->end && *c != '"'; c++) {
		if (*c == '\\' && (++c == x->end || *c == '\n'))
			return false;
		if (*c == '\n' && !newlines)
			return false;
	}
	if (c >= x->end)
		return false;
	*raw = str_n(x->p + 1, (size_t)(c - x->p - 1));
	x->p = c + 1;
	return true;
}

struct str expo_unescape(struct expo *x, struct str raw, bool quotes)
{
	char *out;
	size_t n = 0;

	if (memchr(raw.p, '\\', raw.n) == NULL)
		return raw;
	out = arena_alloc(&x->scratch, raw.n, 1);
	if (out == NULL)
		return STR_NULL;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i], next = i + 1 < raw.n ? raw.p[i + 1] : '\0';

		if (c == '\\' && (next == '\\' || next == 'n' || (quotes && next == '"'))) {
			c = next == 'n' ? '\n' : next;
			i++;
		}
		out[n++] = c;
	}
	return str_n(out, n);
}

bool expo_read_float(struct expo *x, struct str text, double *out)
{
	double v;
	size_t digit = text.n > 0 && (text.p[0] == '-' || text.p[0] == '+');

	if (!f64_parse(text, &v)) {
		(void)expo_fail(x, "not a number: \"" STR_FMT "\"", STR_ARG(text));
		return false;
	}
	if (isinf(v) && digit < text.n &&
		((text.p[digit] >= '0' && text.p[digit] <= '9') || text.p[digit] == '.')) {
		(void)expo_fail(x, "number out of range: \"" STR_FMT "\"", STR_ARG(text));
		return false;
	}
	*out = v;
	return true;
}

/* ---- series ---- */

static bool add_label(struct expo *x, struct str name, struct str value)
{
	if (x->n_labels == LIMIT_LABELS + 1) {
		(void)expo_fail(x, "more than %u labels", LIMIT_LABELS);
		return false;
	}
	x->labels[x->n_labels++] = (struct label){name, value};
	return true;
}

/* A quoted name without a value is the metric's. */
static bool set_metric_name(struct expo *x, struct str name, bool exemplar)
{
	if (exemplar || x->labels[0].name.n > 0) {
		(void)expo_fail(x, "metric name already set");
		return false;
	}
	x->labels[0] = (struct label){LABEL_NAME, expo_unescape(x, name, true)};
	return true;
}

/* One label, or the quoted metric name. False with the error set. */
static bool read_label(struct expo *x, bool blanks, bool exemplar)
{
	struct str name, value;
	bool quoted = x->p < x->end && *x->p == '"';

	if (quoted ? !take_quoted(x, blanks, &name) : (name = take_name(x, false)).n == 0) {
		(void)expo_fail(x, "expected label name");
		return false;
	}
	if (blanks)
		skip_blanks(x);
	if (quoted && x->p < x->end && (*x->p == ',' || *x->p == '}'))
		return set_metric_name(x, name, exemplar);
	if (!take(x, '=')) {
		(void)expo_fail(x, "expected equal");
		return false;
	}
	if (blanks)
		skip_blanks(x);
	if (!take_quoted(x, blanks, &value)) {
		(void)expo_fail(x, "expected label value");
		return false;
	}
	if (!str_is_utf8(value) || (quoted && !str_is_utf8(name))) {
		(void)expo_fail(x, "invalid UTF-8 label value");
		return false;
	}
	return exemplar || add_label(x, quoted ? expo_unescape(x, name, true) : name,
				   expo_unescape(x, value, true));
}

bool expo_read_labels(struct expo *x, bool blanks, bool exemplar)
{
	for (;;) {
		bool comma;

		if (blanks)
			skip_blanks(x);
		if (take(x, '}'))
			return true;
		if (!read_label(x, blanks, exemplar))
			return false;
		if (blanks)
			skip_blanks(x);
		comma = take(x, ',');
		/* the text format's lexer lets the comma be missing */
		if (!comma && !blanks && (x->p == x->end || *x->p != '}')) {
			(void)expo_fail(x, "expected comma or closing brace");
			return false;
		}
	}
}

bool expo_read_series(struct expo *x, bool blanks)
{
	const char *start = x->p;
	const char *stop;
	struct str name = take_name(x, true);

	x->labels[0] = (struct label){name.n > 0 ? LABEL_NAME : STR_NULL, name};
	x->n_labels = 1;
	stop = x->p;
	if (blanks)
		skip_blanks(x);
	if (take(x, '{')) {
		if (!expo_read_labels(x, blanks, false))
			return false;
		stop = x->p;
	} else if (name.n == 0) {
		(void)expo_fail(x, "expected a valid start token");
		return false;
	} else if (stop < x->end && *stop != ' ' && *stop != '\t' && *stop != '\n') {
		x->p = stop;
		(void)expo_fail(x, "expected value after metric");
		return false;
	} else {
		x->p = stop;
	}
	if (x->labels[0].name.n == 0) {
		(void)expo_fail(x, "metric name not set");
		return false;
	}
	if (x->scratch.failed) {
		(void)expo_fail(x, "line too long");
		return false;
	}
	x->series = str_n(start, (size_t)(stop - start));
	return true;
}

bool expo_take_hint(struct expo *x)
{
	size_t n = x->hint.n;
	const char *c = x->p + n;

	x->hinted = false;
	if (n == 0 || (size_t)(x->end - x->p) <= n || memcmp(x->p, x->hint.p, n) != 0)
		return false;
	if (x->hint.p[n - 1] != '}') { /* a bare name: it must end here, and no labels follow */
		if (*c != ' ' && *c != '\t')
			return false;
		while (c < x->end && (*c == ' ' || *c == '\t'))
			c++;
		if (c == x->end || *c == '{')
			return false;
	}
	x->p += n;
	x->series = x->hint;
	x->n_labels = 0;
	x->hinted = true;
	return true;
}

struct str expo_normal_value(struct expo *x, struct str name, struct str value)
{
	struct buf b;
	struct str out = value;
	double v;

	if (!(x->type == EXPO_HISTOGRAM && str_eq(name, STR("le"))) &&
		!(x->type == EXPO_SUMMARY && str_eq(name, STR("quantile"))))
		return value;
	if (!f64_parse(value, &v))
		return value;
	buf_init(&b, 64);
	f64_print_g(&b, v);
	if (isfinite(v) && memchr(b.p, '.', b.n) == NULL && memchr(b.p, 'e', b.n) == NULL)
		buf_c(&b, ".0");
	if (!b.failed && !str_eq(buf_view(&b), value))
		out = arena_str(&x->scratch, buf_view(&b));
	buf_fini(&b);
	return out.p != NULL ? out : value;
}

/* ---- metadata ---- */

bool expo_read_meta_name(struct expo *x, const char *what)
{
	bool quoted = x->p < x->end && *x->p == '"';

	if (quoted ? !take_quoted(x, true, &x->metric) : (x->metric = take_name(x, true)).n == 0) {
		(void)expo_fail(x, "expected metric name after %s", what);
		return false;
	}
	if (quoted)
		x->metric = expo_unescape(x, x->metric, true);
	return true;
}

static bool read_text_type(struct expo *x)
{
	static const enum expo_type known[] = {
		EXPO_COUNTER, EXPO_GAUGE, EXPO_HISTOGRAM, EXPO_SUMMARY};

	if (str_eq(x->text, STR("untyped"))) {
		x->type = EXPO_UNKNOWN;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(x->text, str_c(type_names[known[i]]))) {
			x->type = known[i];
			return true;
		}
	}
	(void)expo_fail(x, "invalid metric type \"" STR_FMT "\"", STR_ARG(x->text));
	return false;
}

/* At '#'. EXPO_END stands for a comment that says nothing. */
static enum expo_entry read_comment(struct expo *x)
{
	const char *line_end = memchr(x->p, '\n', (size_t)(x->end - x->p));
	struct str line, word;
	bool type;

	if (line_end == NULL)
		line_end = x->end;
	line = str_n(x->p, (size_t)(line_end - x->p));
	word = str_sub(line, 1, line.n);
	while (word.n > 0 && (word.p[0] == ' ' || word.p[0] == '\t'))
		word = str_sub(word, 1, word.n);
	type = str_starts(word, STR("TYPE"));
	if (word.p == line.p + 1 || word.n < 5 || !(type || str_starts(word, STR("HELP"))) ||
		(word.p[4] != ' ' && word.p[4] != '\t')) {
		x->p = line_end;
		return EXPO_END;
	}
	x->p = word.p + 4;
	skip_blanks(x);
	if (!expo_read_meta_name(x, type ? "TYPE" : "HELP"))
		return EXPO_ERROR;
	line_end = memchr(x->p, '\n', (size_t)(x->end - x->p)); /* a quoted name may hold one */
	if (line_end == NULL)
		line_end = x->end;
	if (x->p < line_end && (*x->p == ' ' || *x->p == '\t'))
		x->p++; /* one: more belong to the text */
	x->text = str_n(x->p, (size_t)(line_end - x->p));
	if (type ? !read_text_type(x) : !str_is_utf8(x->text))
		return type ? EXPO_ERROR : expo_fail(x, "help text is not valid UTF-8");
	x->p = line_end;
	if (!type)
		x->text = expo_unescape(x, x->text, false);
	return type ? EXPO_TYPE : EXPO_HELP;
}

/* ---- text format ---- */

static struct str take_word(struct expo *x)
{
	const char *start = x->p;

	while (x->p < x->end && *x->p != ' ' && *x->p != '\t' && *x->p != '\n' && *x->p != '{')
		x->p++;
	return str_n(start, (size_t)(x->p - start));
}

/* Value and time behind the series, up to the line's end. */
static enum expo_entry read_rest(struct expo *x)
{
	struct str word;
	long long t;

	skip_blanks(x);
	word = take_word(x);
	if (word.n == 0)
		return expo_fail(x, "expected value after metric");
	if (!expo_read_float(x, word, &x->value))
		return EXPO_ERROR;
	if (isnan(x->value))
		x->value = normal_nan();
	skip_blanks(x);
	x->has_time = x->p < x->end && *x->p != '\n';
	if (x->has_time) {
		word = take_word(x);
		if (!str_to_i64(word, &t))
			return expo_fail(x, "expected timestamp or new record");
		x->t_ms = t;
		skip_blanks(x);
	}
	if (x->p < x->end && *x->p != '\n')
		return expo_fail(x, "expected next entry after timestamp");
	return EXPO_SAMPLE;
}

static bool line_is_short(const struct expo *x)
{
	size_t left = (size_t)(x->end - x->p);

	return left <= LIMIT_SCRAPE_LINE || memchr(x->p, '\n', LIMIT_SCRAPE_LINE) != NULL;
}

enum expo_entry expo_next(struct expo *x)
{
	if (x->scratch.used > 0)
		arena_reset(&x->scratch);
	if (x->format == EXPO_OPENMETRICS)
		return expo_next_openmetrics(x);
	for (;;) {
		enum expo_entry e;

		while (x->p < x->end && (*x->p == '\n' || *x->p == ' ' || *x->p == '\t'))
			x->p++;
		if (x->p == x->end)
			return EXPO_END;
		if (expo_take_hint(x))
			return read_rest(x);
		if (!line_is_short(x))
			return expo_fail(x, "line over %u bytes", LIMIT_SCRAPE_LINE);
		if (*x->p != '#')
			return expo_read_series(x, true) ? read_rest(x) : EXPO_ERROR;
		e = read_comment(x);
		if (e != EXPO_END)
			return e;
	}
}
