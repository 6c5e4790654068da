/* SPDX-License-Identifier: Apache-2.0 */
/* promqltest_parse - series lines, values and histogram literals; see promqltest.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dur.h"
#include "base/num.h"
#include "rules/promql/hacc.h"
#include "tests/lib/promqltest.h"

bool pt_duration(struct str s, int64_t *ms)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	struct err e = {0};

	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = str_sub(s, 1, s.n);
	if (dur_parse(s, ms, &e) != 0) {
		long long v; /* a number without a unit: 0 only */

		if (!str_to_i64(s, &v) || v != 0)
			return false;
		*ms = 0;
	}
	if (minus)
		*ms = -*ms;
	return true;
}

bool pt_number(struct str s, double *v)
{
	return s.n > 0 && str_to_f64(s, v);
}

bool pt_unquote(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;

	if (p == NULL || s.n < 2 || s.p[s.n - 1] != s.p[0])
		return false;
	for (size_t i = 1; i + 1 < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && s.p[0] != '`' && i + 2 < s.n) {
			c = s.p[++i];
			c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
		}
		p[n++] = c;
	}
	*out = str_n(p, n);
	return true;
}

static struct str skip_blanks(struct str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return str_sub(s, i, s.n);
}

/* A quoted string at the start of s. */
static bool take_quoted(struct arena *a, struct str *s, struct str *out)
{
	size_t i = 1;

	if (s->n == 0 || (s->p[0] != '"' && s->p[0] != '\'' && s->p[0] != '`'))
		return false;
	while (i < s->n && s->p[i] != s->p[0])
		i += s->p[i] == '\\' && s->p[0] != '`' ? 2 : 1;
	if (i >= s->n || !pt_unquote(a, str_sub(*s, 0, i + 1), out))
		return false;
	*s = skip_blanks(str_sub(*s, i + 1, s->n));
	return true;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == ':';
}

static struct str take_name(struct str *s)
{
	size_t i = 0;
	struct str name;

	while (i < s->n && is_name_char(s->p[i]))
		i++;
	name = str_sub(*s, 0, i);
	*s = skip_blanks(str_sub(*s, i, s->n));
	return name;
}

bool pt_metric(struct arena *a, struct str line, struct labels *ls, struct str *rest)
{
	struct labels_builder b;
	struct str s = line, name, value;

	labels_builder_init(&b, a, (struct labels){NULL, 0});
	name = take_name(&s);
	if (name.n > 0)
		labels_builder_set(&b, LABEL_NAME, name);
	if (s.n == 0 || s.p[0] != '{' || (s.n > 1 && s.p[1] == '{'))
		goto done;
	s = skip_blanks(str_sub(s, 1, s.n));
	while (s.n > 0 && s.p[0] != '}') {
		bool quoted = take_quoted(a, &s, &name);

		if (!quoted)
			name = take_name(&s);
		if (s.n > 0 && s.p[0] == '=') {
			s = skip_blanks(str_sub(s, 1, s.n));
			if (!take_quoted(a, &s, &value))
				return false;
			labels_builder_set(&b, name, value);
		} else if (quoted) {
			labels_builder_set(&b, LABEL_NAME, name);
		} else {
			return false;
		}
		if (s.n > 0 && s.p[0] == ',')
			s = skip_blanks(str_sub(s, 1, s.n));
	}
	if (s.n == 0)
		return false;
	s = str_sub(s, 1, s.n);
done:
	*ls = labels_builder_done(&b);
	*rest = str_trim(s);
	return !a->failed;
}

/* --- histograms --- */

static bool list(struct arena *a, struct str s, const double **v, uint32_t *n)
{
	double *out = ARENA_ARRAY(a, s.n, double);
	struct str part;

	*n = 0;
	while (out != NULL && str_split(&s, ' ', &part)) {
		if (str_trim(part).n == 0)
			continue;
		if (!pt_number(str_trim(part), &out[(*n)++]))
			return false;
	}
	*v = out;
	return out != NULL;
}

static bool side(struct arena *a, struct hist_side *s, const double *v, uint32_t n, int32_t offset)
{
	struct hist_span *span = ARENA_NEW(a, struct hist_span);

	if (span == NULL)
		return false;
	*span = (struct hist_span){offset, n};
	*s = (struct hist_side){span, v, n > 0, n};
	return true;
}

struct hist_text {
	const double *pos, *neg;
	uint32_t n_pos, n_neg;
	double schema, offset, n_offset;
};

static bool field(
	struct arena *a, struct hist *h, struct hist_text *t, struct str key, struct str val)
{
	static const char *const hints[] = {"unknown", "reset", "not_reset", "gauge"};

	if (str_eq(key, STR("buckets")))
		return list(a, val, &t->pos, &t->n_pos);
	if (str_eq(key, STR("n_buckets")))
		return list(a, val, &t->neg, &t->n_neg);
	if (str_eq(key, STR("custom_values")))
		return list(a, val, &h->custom, &h->n_custom);
	for (unsigned i = 0; str_eq(key, STR("counter_reset_hint")) && i < 4; i++) {
		if (str_eq(val, str_c(hints[i]))) {
			h->reset = (uint8_t)i;
			return true;
		}
	}
	return pt_number(val, str_eq(key, STR("schema"))       ? &t->schema
			      : str_eq(key, STR("offset"))     ? &t->offset
			      : str_eq(key, STR("n_offset"))   ? &t->n_offset
			      : str_eq(key, STR("sum"))        ? &h->sum
			      : str_eq(key, STR("count"))      ? &h->count
			      : str_eq(key, STR("z_bucket"))   ? &h->zero_count
			      : str_eq(key, STR("z_bucket_w")) ? &h->zero_threshold
							       : NULL);
}

const struct hist *pt_hist(struct arena *a, struct str text)
{
	struct hist *h = ARENA_NEW(a, struct hist);
	struct hist_text t = {0};
	struct str s = str_trim(str_sub(text, 2, text.n - 2));

	while (h != NULL && s.n > 0) {
		size_t colon = str_find(s, ':'), end;
		struct str key = str_sub(s, 0, colon), val;

		s = str_sub(s, colon + 1, s.n);
		if (s.n > 0 && s.p[0] == '[') {
			end = str_find(s, ']');
			val = str_trim(str_sub(s, 1, end));
			end++;
		} else {
			end = str_find(s, ' ');
			val = str_sub(s, 0, end);
		}
		if (val.n == 0 && s.p[0] != '[')
			return NULL;
		if (!field(a, h, &t, key, val))
			return NULL;
		s = str_trim(str_sub(s, end, s.n));
	}
	if (h == NULL)
		return NULL;
	h->schema = (int32_t)t.schema;
	if (!side(a, &h->pos, t.pos, t.n_pos, (int32_t)t.offset) ||
		!side(a, &h->neg, t.neg, t.n_neg, (int32_t)t.n_offset))
		return NULL;
	return h;
}

const struct hist *pt_hist_add(
	struct arena *a, const struct hist *x, const struct hist *y, double sign)
{
	struct hacc_notes notes = {0};
	struct hacc acc;

	hacc_init(&acc, a, x);
	if (!(sign > 0 ? hacc_add(&acc, y, &notes) : hacc_sub(&acc, y, &notes)))
		return NULL;
	return hacc_done(&acc, a);
}

/* --- values --- */

struct values {
	struct arena *a;
	struct pt_value *v;
	size_t n, cap;
};

static bool push(struct values *o, struct pt_value v)
{
	if (o->n == o->cap) {
		size_t cap = o->cap == 0 ? 16 : o->cap * 2;
		struct pt_value *p = ARENA_ARRAY(o->a, cap, struct pt_value);

		if (p == NULL)
			return false;
		if (o->n > 0)
			memcpy(p, o->v, o->n * sizeof *p);
		o->v = p;
		o->cap = cap;
	}
	o->v[o->n++] = v;
	return true;
}

/* The trailing "x5" of an item; what stands before it stays in *s. */
static size_t take_times(struct str *s, bool *given)
{
	size_t i = s->n;
	long long n;

	while (i > 0 && s->p[i - 1] >= '0' && s->p[i - 1] <= '9')
		i--;
	*given = i > 0 && i < s->n && s->p[i - 1] == 'x' && str_to_i64(str_sub(*s, i, s->n), &n);
	if (!*given)
		return 0;
	*s = str_sub(*s, 0, i - 1);
	return (size_t)n;
}

static bool hist_item(struct values *o, struct str s, size_t times)
{
	size_t end = 0;
	const struct hist *h, *inc = NULL;
	double sign = 1;

	while (end + 1 < s.n && !(s.p[end] == '}' && s.p[end + 1] == '}'))
		end++;
	h = pt_hist(o->a, str_sub(s, 0, end + 2));
	if (h == NULL)
		return false;
	if (end + 2 < s.n) {
		sign = s.p[end + 2] == '-' ? -1 : 1;
		inc = pt_hist(o->a, str_sub(s, end + 3, s.n));
		if (inc == NULL)
			return false;
	}
	for (size_t i = 0; i <= times; i++) {
		if (i > 0 && inc != NULL && (h = pt_hist_add(o->a, h, inc, sign)) == NULL)
			return false;
		if (!push(o, (struct pt_value){PT_HIST, 0, h}))
			return false;
	}
	return true;
}

/* "1", "1+2", "-3-0.5e-7": where the second number begins, or the end. */
static size_t second_number(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if ((s.p[i] == '+' || s.p[i] == '-') && s.p[i - 1] != 'e' && s.p[i - 1] != 'E')
			return i;
	}
	return s.n;
}

static bool item(struct values *o, struct str s)
{
	bool given;
	size_t times = take_times(&s, &given), cut;
	double v, inc = 0;

	if (str_eq(s, STR("_"))) {
		for (size_t i = 0; i < (given ? times : 1); i++) {
			if (!push(o, (struct pt_value){.kind = PT_NONE}))
				return false;
		}
		return true;
	}
	if (s.n > 3 && s.p[0] == '{')
		return hist_item(o, s, times);
	if (str_eq(s, STR("stale"))) {
		for (size_t i = 0; i <= times; i++) {
			if (!push(o, (struct pt_value){.kind = PT_STALE}))
				return false;
		}
		return true;
	}
	cut = second_number(s);
	if (!pt_number(str_sub(s, 0, cut), &v) ||
		(cut < s.n && !pt_number(str_sub(s, cut, s.n), &inc)))
		return false;
	for (size_t i = 0; i <= times; i++) {
		if (!push(o, (struct pt_value){PT_FLOAT, v, NULL}))
			return false;
		v += inc;
	}
	return true;
}

bool pt_values(struct arena *a, struct str text, struct pt_value **v, size_t *n)
{
	struct values o = {.a = a};
	size_t i = 0;

	while (i < text.n) {
		size_t from = i, depth = 0;

		for (; i < text.n && (depth > 0 || (text.p[i] != ' ' && text.p[i] != '\t')); i++) {
			if (text.p[i] == '{')
				depth++;
			else if (text.p[i] == '}')
				depth--;
		}
		if (i > from && !item(&o, str_sub(text, from, i)))
			return false;
		i++;
	}
	*v = o.v;
	*n = o.n;
	return true;
}

bool pt_series(struct arena *a, struct str line, struct pt_series *s)
{
	struct str rest;

	return pt_metric(a, line, &s->labels, &rest) && pt_values(a, rest, &s->v, &s->n);
}
