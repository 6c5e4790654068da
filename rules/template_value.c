/* SPDX-License-Identifier: Apache-2.0 */
/* template_value - making, looking into and printing the values of templates. */
#include "rules/template_value.h"

#include "base/f64.h"
#include "base/num.h"
#include "rules/promql/hist_buckets.h"

struct tv tv_bool(bool b)
{
	return (struct tv){.kind = TV_BOOL, .u.b = b};
}

struct tv tv_int(int64_t i)
{
	return (struct tv){.kind = TV_INT, .u.i = i};
}

struct tv tv_float(double f)
{
	return (struct tv){.kind = TV_FLOAT, .u.f = f};
}

struct tv tv_str(struct str s)
{
	return (struct tv){.kind = TV_STR, .u.s = s};
}

struct tv tv_labels(struct labels ls)
{
	return (struct tv){.kind = TV_LABELS, .u.labels = ls};
}

struct tv tv_list(const struct tv *v, size_t n)
{
	return (struct tv){.kind = TV_LIST, .u.list = {v, n}};
}

struct tv tv_kv(struct labels ls)
{
	return (struct tv){.kind = TV_LABELS, .named = TV_KV, .u.labels = ls};
}

struct tv tv_named_list(enum tv_named type, const struct tv *v, size_t n)
{
	return (struct tv){.kind = TV_LIST, .named = (uint8_t)type, .u.list = {v, n}};
}

struct tv tv_time(int64_t ns)
{
	return (struct tv){.kind = TV_TIME, .u.time = {ns, NULL}};
}

struct tv tv_duration(int64_t ns)
{
	return (struct tv){.kind = TV_DURATION, .u.i = ns};
}

static struct tv fields(
	struct arena *a, enum tv_kind kind, const char *type, const struct tv_field *v, size_t n)
{
	struct tv_map *m = ARENA_NEW(a, struct tv_map);

	if (m == NULL)
		return (struct tv){.kind = TV_NONE};
	*m = (struct tv_map){type, v, n};
	return (struct tv){.kind = kind, .u.map = m};
}

struct tv tv_map(struct arena *a, const struct tv_field *v, size_t n)
{
	return fields(a, TV_MAP, "map[string]interface {}", v, n);
}

struct tv tv_struct(struct arena *a, const char *type, const struct tv_field *v, size_t n)
{
	return fields(a, TV_STRUCT, type, v, n);
}

struct tv tv_sample(struct arena *a, struct labels ls, double v, const struct hist *h)
{
	struct tv_field *f = ARENA_ARRAY(a, 2, struct tv_field);
	struct tv *value = ARENA_ARRAY(a, 2, struct tv);

	if (f == NULL || value == NULL)
		return (struct tv){.kind = TV_NONE};
	value[0] = tv_labels(ls);
	value[1] = h != NULL ? (struct tv){.kind = TV_HIST, .u.h = h} : tv_float(v);
	f[0] = (struct tv_field){STR("Labels"), &value[0]};
	f[1] = (struct tv_field){STR("Value"), &value[1]};
	return tv_struct(a, "*template.sample", f, 2);
}

bool tv_true(const struct tv *v)
{
	switch (v->kind) {
	case TV_NONE:
	case TV_NIL: return false;
	case TV_BOOL: return v->u.b;
	case TV_INT:
	case TV_DURATION: return v->u.i != 0;
	case TV_FLOAT: return v->u.f != 0;
	case TV_STR: return v->u.s.n > 0;
	case TV_LIST: return v->u.list.n > 0;
	case TV_MAP: return v->u.map->n > 0;
	case TV_LABELS: return v->u.labels.n > 0;
	case TV_STRUCT:
	case TV_TIME:
	case TV_HIST:
	default: return true;
	}
}

const char *tv_type(const struct tv *v)
{
	switch (v->kind) {
	case TV_NONE:
	case TV_NIL: return "nil";
	case TV_BOOL: return "bool";
	case TV_INT: return "int";
	case TV_FLOAT: return "float64";
	case TV_STR: return "string";
	case TV_LIST:
		return v->named == TV_ALERTS    ? "template.Alerts"
		       : v->named == TV_PAIRS   ? "template.Pairs"
		       : v->named == TV_STRINGS ? "template.Strings"
		       : v->named == TV_STRS    ? "[]string"
						: "[]interface {}";
	case TV_MAP:
	case TV_STRUCT: return v->u.map->type;
	case TV_LABELS: return v->named == TV_KV ? "template.KV" : "map[string]string";
	case TV_TIME: return "*time.Time";
	case TV_DURATION: return "*time.Duration";
	case TV_HIST: return "*histogram.FloatHistogram";
	default: return "?";
	}
}

static bool has_label(struct labels ls, struct str name)
{
	for (size_t i = 0; i < ls.n; i++) {
		if (str_eq(ls.v[i].name, name))
			return true;
	}
	return false;
}

bool tv_get(const struct tv *v, struct str name, struct tv *out)
{
	*out = (struct tv){.kind = TV_NONE};
	switch (v->kind) {
	case TV_LABELS:
		*out = tv_str(
			has_label(v->u.labels, name) ? labels_get(v->u.labels, name) : STR(""));
		return true;
	case TV_MAP:
	case TV_STRUCT:
		for (size_t i = 0; i < v->u.map->n; i++) {
			if (str_eq(v->u.map->v[i].name, name)) {
				*out = *v->u.map->v[i].value;
				return true;
			}
		}
		return v->kind == TV_MAP;
	case TV_NONE: /* Go: a field of no value is no value */ return true;
	case TV_HIST:
		if (str_eq(name, STR("Count")))
			*out = tv_float(v->u.h->count);
		else if (str_eq(name, STR("Sum")))
			*out = tv_float(v->u.h->sum);
		else if (str_eq(name, STR("ZeroCount")))
			*out = tv_float(v->u.h->zero_count);
		else
			return false;
		return true;
	case TV_NIL:
	case TV_BOOL:
	case TV_INT:
	case TV_FLOAT:
	case TV_STR:
	case TV_LIST:
	case TV_TIME:
	case TV_DURATION:
	default: return false;
	}
}

/* --- printing --- */

void tv_print_float(struct buf *b, double v)
{
	double a = fabs(v);
	size_t start = b->n;

	if (isinf(v) || isnan(v) || a == 0) {
		f64_print_plain(b, v);
		return;
	}
	/* the exponent decides as printed: it is exact, log10 is not */
	f64_print_exp(b, v);
	for (size_t i = start; i < b->n; i++) {
		long long exp;
		bool neg;

		if (b->p[i] != 'e')
			continue;
		neg = b->p[i + 1] == '-';
		if (!str_to_i64(str_n(b->p + i + 2, b->n - i - 2), &exp))
			return;
		if (neg ? exp > 4 : exp >= 6)
			return;
		break;
	}
	b->n = start;
	f64_print_plain(b, v);
}

/* Values are trees that were built bottom up, no deeper than who built them: this ends.
 * NOLINTBEGIN(misc-no-recursion) */
static void print_fields(struct buf *b, const struct tv_map *m, bool names)
{
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_ch(b, ' ');
		if (names) {
			buf_str(b, m->v[i].name);
			buf_ch(b, ':');
		}
		tv_print(b, m->v[i].value);
	}
}

static void print_list(struct buf *b, struct tv_list l)
{
	buf_ch(b, '[');
	for (size_t i = 0; i < l.n && !b->failed; i++) {
		if (i > 0)
			buf_ch(b, ' ');
		tv_print(b, &l.v[i]);
	}
	buf_ch(b, ']');
}

/* As upstream's types print themselves: the alert's name first. */
static void print_kv(struct buf *b, struct labels ls)
{
	struct str name = labels_get(ls, STR("alertname"));
	bool first = true;

	if (has_label(ls, STR("alertname"))) {
		buf_c(b, "alertname=");
		buf_str(b, name);
		first = false;
	}
	for (size_t i = 0; i < ls.n; i++) {
		if (str_eq(ls.v[i].name, STR("alertname")))
			continue;
		buf_c(b, first ? "" : ", ");
		buf_str(b, ls.v[i].name);
		buf_ch(b, '=');
		buf_str(b, ls.v[i].value);
		first = false;
	}
}

static void print_pairs(struct buf *b, struct tv_list l)
{
	for (size_t i = 0; i < l.n && !b->failed; i++) {
		struct tv name, value;

		(void)tv_get(&l.v[i], STR("Name"), &name);
		(void)tv_get(&l.v[i], STR("Value"), &value);
		buf_c(b, i > 0 ? ", " : "");
		tv_print(b, &name);
		buf_ch(b, '=');
		tv_print(b, &value);
	}
}

static void print_labels(struct buf *b, struct labels ls)
{
	buf_c(b, "map[");
	for (size_t i = 0; i < ls.n; i++) {
		if (i > 0)
			buf_ch(b, ' ');
		buf_str(b, ls.v[i].name);
		buf_ch(b, ':');
		buf_str(b, ls.v[i].value);
	}
	buf_ch(b, ']');
}

static void print_tree(struct buf *b, const struct tv *v)
{
	if (v->kind == TV_LIST && v->named == TV_PAIRS) {
		print_pairs(b, v->u.list);
	} else if (v->kind == TV_LIST) {
		print_list(b, v->u.list);
	} else if (v->kind == TV_MAP) {
		buf_c(b, "map[");
		print_fields(b, v->u.map, true);
		buf_ch(b, ']');
	} else {
		buf_c(b, v->u.map->type[0] == '*' ? "&{" : "{");
		print_fields(b, v->u.map, false);
		buf_ch(b, '}');
	}
}

void tv_print(struct buf *b, const struct tv *v)
{
	switch (v->kind) {
	case TV_NONE: buf_c(b, "<no value>"); break;
	case TV_NIL: buf_c(b, "<nil>"); break;
	case TV_BOOL: buf_c(b, v->u.b ? "true" : "false"); break;
	case TV_INT: buf_i64(b, v->u.i); break;
	case TV_FLOAT: tv_print_float(b, v->u.f); break;
	case TV_STR: buf_str(b, v->u.s); break;
	case TV_LIST:
	case TV_MAP:
	case TV_STRUCT: print_tree(b, v); break;
	case TV_LABELS:
		if (v->named == TV_KV)
			print_kv(b, v->u.labels);
		else
			print_labels(b, v->u.labels);
		break;
	case TV_TIME: tv_print_time(b, v->u.time.ns, v->u.time.zone); break;
	case TV_DURATION: tv_print_duration(b, v->u.i); break;
	case TV_HIST: tv_print_hist(b, v->u.h); break;
	default: break;
	}
}

/* NOLINTEND(misc-no-recursion) */

void tv_print_hist(struct buf *b, const struct hist *h)
{
	struct arena scratch;

	arena_init(&scratch, (size_t)8 << 20);
	hist_print(&scratch, b, h);
	arena_fini(&scratch);
}
