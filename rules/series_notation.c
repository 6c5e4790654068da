/* SPDX-License-Identifier: Apache-2.0 */
/* series_notation - values and label sets of rule unit tests; see series_notation.h. */
#include "rules/series_notation.h"

#include "base/f64.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/engine.h"
#include "rules/promql/hacc.h"
#include "rules/promql/lex.h"

struct reader {
	struct arena *a;
	struct str s;
	size_t pos;
	struct series_value *v;
	size_t n, cap;
	struct err *e;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char at(const struct reader *r, size_t i)
{
	return r->pos + i < r->s.n ? r->s.p[r->pos + i] : '\0';
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == ':';
}

/* A name of a value stands alone: "infx3" is none. */
static bool word_ends(struct str s, size_t i)
{
	return i >= s.n || !is_word_char(s.p[i]);
}

/* Digits with a point, an exponent and underscores: what pq_number reads. */
static size_t scan_digits(struct str s, size_t i)
{
	while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '.' || s.p[i] == '_'))
		i++;
	if (i + 1 < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		i += s.p[i] == '+' || s.p[i] == '-';
		while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
			i++;
	}
	return i;
}

/* No hexadecimal: 0x3 is zero four times. */
bool series_number(struct str s, size_t *pos, double *out)
{
	size_t i = *pos, from;
	bool minus = false;
	struct str word;

	if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
		minus = s.p[i++] == '-';
	from = i;
	word = str_sub(s, i, i + 3);
	if (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("nan"))) {
		i += 3;
		if (!word_ends(s, i))
			return false;
	} else {
		i = scan_digits(s, i);
	}
	if (!pq_number(str_sub(s, from, i), out))
		return false;
	if (minus)
		*out = -*out;
	if (*out != *out)
		*out = normal_nan();
	*pos = i;
	return true;
}

static bool add(struct reader *r, struct series_value v)
{
	if (r->n == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 64;
		struct series_value *w = ARENA_ARRAY(r->a, cap, struct series_value);

		if (w == NULL || r->n >= LIMIT_BATCH_SAMPLES) {
			(void)err_set_at(r->e, ERR_LIMIT, r->pos, "more than %u values",
				LIMIT_BATCH_SAMPLES);
			return false;
		}
		if (r->n > 0)
			memcpy(w, r->v, r->n * sizeof *w);
		r->v = w;
		r->cap = cap;
	}
	r->v[r->n++] = v;
	return true;
}

/* `x5` at the position, if it is there: *times stays alone otherwise. */
static bool times(struct reader *r, size_t *out, bool needed)
{
	size_t start = r->pos, end = start + 1;
	unsigned long long v;

	if (at(r, 0) != 'x') {
		if (needed)
			(void)err_set_at(r->e, ERR_INPUT, start, "expected \"x\" and a number");
		return !needed;
	}
	while (end < r->s.n && is_digit(r->s.p[end]))
		end++;
	if (!str_to_u64(str_sub(r->s, start + 1, end), &v) || v > LIMIT_BATCH_SAMPLES) {
		(void)err_set_at(r->e, ERR_INPUT, start + 1,
			"expected a number of repetitions up to %u", LIMIT_BATCH_SAMPLES);
		return false;
	}
	*out = (size_t)v;
	r->pos = end;
	return true;
}

static bool read_gap(struct reader *r)
{
	size_t n = 1;

	r->pos++;
	if (!times(r, &n, false))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!add(r, (struct series_value){.missing = true}))
			return false;
	}
	return true;
}

static bool read_number(struct reader *r)
{
	struct series_value x = {0};
	size_t n = 0;
	double step = 0;
	bool stepped;

	if (str_starts(str_sub(r->s, r->pos, r->s.n), STR("stale")) &&
		word_ends(r->s, r->pos + 5)) {
		x.v = stale_nan();
		r->pos += 5;
	} else if (!series_number(r->s, &r->pos, &x.v)) {
		(void)err_set_at(r->e, ERR_INPUT, r->pos, "expected a value, _ or stale");
		return false;
	}
	stepped = at(r, 0) == '+' || at(r, 0) == '-';
	if (stepped) {
		if (!series_number(r->s, &r->pos, &step)) {
			(void)err_set_at(r->e, ERR_INPUT, r->pos, "expected a step");
			return false;
		}
		if (!times(r, &n, true))
			return false;
	} else if (!times(r, &n, false)) {
		return false;
	}
	for (size_t i = 0; i <= n; i++) {
		if (!add(r, x))
			return false;
		if (stepped) /* a marker and a step are an ordinary NaN */
			x.v = is_stale_nan(x.v) ? normal_nan() : x.v + step;
	}
	return true;
}

static const struct hist *combined(
	struct reader *r, const struct hist *base, const struct hist *step, bool minus)
{
	struct hacc_notes notes = {0};
	struct hacc acc;
	bool ok;

	hacc_init(&acc, r->a, base);
	ok = minus ? hacc_sub(&acc, step, &notes) : hacc_add(&acc, step, &notes);
	if (!ok) {
		(void)err_set_at(r->e, ERR_INPUT, r->pos,
			"exponential and custom buckets do not go together");
		return NULL;
	}
	return hacc_done(&acc, r->a);
}

static bool read_hist(struct reader *r)
{
	const struct hist *h = series_hist_parse(r->a, r->s, &r->pos, r->e), *step = NULL;
	bool minus = at(r, 0) == '-';
	size_t n = 0;

	if (h == NULL)
		return false;
	if (minus || at(r, 0) == '+') {
		r->pos++;
		step = series_hist_parse(r->a, r->s, &r->pos, r->e);
		if (step == NULL || !times(r, &n, true))
			return false;
		if (h->schema > step->schema && step->schema != HIST_SCHEMA_CUSTOM) {
			(void)err_set_at(r->e, ERR_INPUT, r->pos,
				"a step of schema %d cannot be added to schema %d", step->schema,
				h->schema);
			return false;
		}
	} else if (!times(r, &n, false)) {
		return false;
	}
	for (size_t i = 0; i <= n && h != NULL; i++) {
		if (!add(r, (struct series_value){.h = h}))
			return false;
		if (step != NULL && i < n)
			h = combined(r, h, step, minus);
	}
	return h != NULL;
}

int series_values_parse(
	struct arena *a, struct str text, struct series_value **out, size_t *n, struct err *e)
{
	struct reader r = {.a = a, .s = text, .e = e};

	e->kind = ERR_NONE;
	for (;;) {
		bool ok;

		while (is_blank(at(&r, 0)))
			r.pos++;
		if (r.pos >= text.n)
			break;
		if (at(&r, 0) == '_')
			ok = read_gap(&r);
		else if (at(&r, 0) == '{')
			ok = read_hist(&r);
		else
			ok = read_number(&r);
		if (ok && r.pos < text.n && !is_blank(at(&r, 0))) {
			(void)err_set_at(e, ERR_INPUT, r.pos, "expected a blank between values");
			ok = false;
		}
		if (!ok && e->kind == ERR_NONE)
			(void)err_set_at(e, ERR_LIMIT, r.pos, "too many values");
		if (!ok)
			return -1;
	}
	*out = r.v;
	*n = r.n;
	return 0;
}

int series_labels_parse(struct arena *a, struct str text, struct labels *out, struct err *e)
{
	struct str t = str_trim(text);
	struct label *v;
	struct matcher *m;
	size_t n = 0;

	*out = (struct labels){NULL, 0};
	if (t.n == 0 ||
		(t.p[0] == '{' && str_trim(str_sub(t, 1, t.n)).n == 1 && t.p[t.n - 1] == '}'))
		return 0;
	if (pq_parse_selector(a, text, &m, &n, e) != 0)
		return -1;
	v = ARENA_ARRAY(a, n, struct label);
	if (v == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (m[i].op != MATCH_EQ)
			return err_set(e, ERR_INPUT, 0,
				"a series has labels with values: only = may stand here");
		v[i] = (struct label){m[i].name, m[i].value};
	}
	if (!labels_sort(v, &n))
		return err_set(e, ERR_INPUT, 0, "a label stands twice");
	*out = (struct labels){v, n};
	return 0;
}
