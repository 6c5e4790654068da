/* SPDX-License-Identifier: Apache-2.0 */
/* template_func_data - lists, maps, JSON and base64 in the templates of notifications. */
#include <stdlib.h>

#include "base/f64.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "rules/template_private.h"

#define JSON_DEPTH 32u /* nesting that toJson follows */

/* --- lists and maps --- */

static int f_list(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)x;
	*out = tv_list(args, n);
	return 0;
}

static int f_append(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	const struct tv_list *l = &args[0].u.list;
	struct tv *v;

	if (args[0].kind != TV_LIST)
		return tmpl_fail(x, "append expected a list; got %s", tv_type(&args[0]));
	v = ARENA_ARRAY(x->a, l->n + n - 1, struct tv);
	if (v == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	if (l->n > 0)
		memcpy(v, l->v, l->n * sizeof *v);
	if (n > 1)
		memcpy(v + l->n, args + 1, (n - 1) * sizeof *v);
	*out = tv_list(v, l->n + n - 1);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct tv_field *x = a, *y = b;
	int c = str_cmp(x->name, y->name);

	/* the later one of a name stands later */
	return c != 0 ? c : (x->value > y->value) - (x->value < y->value);
}

static int f_dict(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct tv_field *f = ARENA_ARRAY(x->a, n / 2, struct tv_field);
	size_t kept = 0;

	if (n % 2 != 0)
		return tmpl_fail(x, "dict needs an even number of arguments");
	if (f == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 0; i < n / 2; i++) {
		if (args[2 * i].kind != TV_STR)
			return tmpl_fail(
				x, "the keys of dict are strings; got %s", tv_type(&args[2 * i]));
		f[i] = (struct tv_field){args[2 * i].u.s, &args[2 * i + 1]};
	}
	if (n > 0)
		qsort(f, n / 2, sizeof *f, by_name);
	for (size_t i = 0; i < n / 2; i++) {
		if (kept > 0 && str_eq(f[kept - 1].name, f[i].name))
			kept--;
		f[kept++] = f[i];
	}
	*out = tv_map(x->a, f, kept);
	return x->a->failed ? tmpl_fail(x, "the template needs too much memory") : 0;
}

/* --- JSON --- */

/* encoding/json's strings: as ours, and what could end a <script> is escaped. */
static void json_string(struct buf *b, struct str s)
{
	struct buf t;

	buf_init(&t, b->max);
	jsonw_escape(&t, s);
	buf_ch(b, '"');
	for (size_t i = 0; i < t.n && !b->failed; i++) {
		if (strchr("<>&", t.p[i]) != NULL)
			buf_printf(b, "\\u%04x", (unsigned char)t.p[i]);
		else
			buf_ch(b, t.p[i]);
	}
	buf_ch(b, '"');
	b->failed = b->failed || t.failed;
	buf_fini(&t);
}

static void json_float(struct buf *b, double v)
{
	size_t start = b->n;

	if (v == 0 || (fabs(v) >= 1e-6 && fabs(v) < 1e21)) {
		f64_print_plain(b, v);
		return;
	}
	f64_print_exp(b, v);
	/* "e-09" is written e-9 */
	if (b->n - start > 4 && b->p[b->n - 2] == '0' && b->p[b->n - 4] == 'e') {
		b->p[b->n - 2] = b->p[b->n - 1];
		b->p[--b->n] = '\0';
	}
}

/* Names as upstream's types tag them. */
static void json_field_name(struct buf *b, const char *type, struct str name)
{
	if (str_eq(str_c(type), STR("template.Pair"))) {
		buf_str(b, name);
	} else if (str_eq(name, STR("NotificationReason"))) {
		buf_c(b, "notification_reason");
	} else {
		buf_ch(b,
			(char)(name.p[0] >= 'A' && name.p[0] <= 'Z' ? name.p[0] + 32 : name.p[0]));
		buf_str(b, str_sub(name, 1, name.n));
	}
}

/* Bounded by `depth`: NOLINTBEGIN(misc-no-recursion) */
static int json_value(struct tmpl_exec *x, struct buf *b, const struct tv *v, unsigned depth);

static int json_fields(
	struct tmpl_exec *x, struct buf *b, const struct tv_map *m, bool named, unsigned depth)
{
	buf_ch(b, '{');
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_ch(b, ',');
		if (named) {
			buf_ch(b, '"');
			json_field_name(b, m->type, m->v[i].name);
			buf_ch(b, '"');
		} else {
			json_string(b, m->v[i].name);
		}
		buf_ch(b, ':');
		if (json_value(x, b, m->v[i].value, depth) != 0)
			return -1;
	}
	buf_ch(b, '}');
	return 0;
}

static int json_list(struct tmpl_exec *x, struct buf *b, const struct tv_list *l, unsigned depth)
{
	buf_ch(b, '[');
	for (size_t i = 0; i < l->n && !b->failed; i++) {
		if (i > 0)
			buf_ch(b, ',');
		if (json_value(x, b, &l->v[i], depth) != 0)
			return -1;
	}
	buf_ch(b, ']');
	return 0;
}

static void json_labels(struct buf *b, struct labels ls)
{
	if (ls.v == NULL) {
		buf_c(b, "null");
		return;
	}
	buf_ch(b, '{');
	for (size_t i = 0; i < ls.n; i++) {
		if (i > 0)
			buf_ch(b, ',');
		json_string(b, ls.v[i].name);
		buf_ch(b, ':');
		json_string(b, ls.v[i].value);
	}
	buf_ch(b, '}');
}

static int json_value(struct tmpl_exec *x, struct buf *b, const struct tv *v, unsigned depth)
{
	if (depth == 0)
		return tmpl_fail(x, "toJson: nested deeper than %u", JSON_DEPTH);
	switch (v->kind) {
	case TV_NONE:
	case TV_NIL: buf_c(b, "null"); return 0;
	case TV_BOOL: buf_c(b, v->u.b ? "true" : "false"); return 0;
	case TV_INT:
	case TV_DURATION: buf_i64(b, v->u.i); return 0;
	case TV_FLOAT:
		if (!isfinite(v->u.f))
			return tmpl_fail(x, "toJson: %g is no number in JSON", v->u.f);
		json_float(b, v->u.f);
		return 0;
	case TV_STR: json_string(b, v->u.s); return 0;
	case TV_LIST: return json_list(x, b, &v->u.list, depth - 1);
	case TV_MAP: return json_fields(x, b, v->u.map, false, depth - 1);
	case TV_STRUCT: return json_fields(x, b, v->u.map, true, depth - 1);
	case TV_LABELS: json_labels(b, v->u.labels); return 0;
	case TV_TIME:
		buf_ch(b, '"');
		tv_format_time(b, v->u.time.ns, v->u.time.zone,
			STR("2006-01-02T15:04:05.999999999Z07:00"));
		buf_ch(b, '"');
		return 0;
	case TV_HIST:
	default: return tmpl_fail(x, "toJson: unsupported type %s", tv_type(v));
	}
}
/* NOLINTEND(misc-no-recursion) */

int tmpl_json(struct tmpl_exec *x, struct buf *b, const struct tv *v)
{
	return json_value(x, b, v, JSON_DEPTH);
}

static int f_to_json(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct buf b;

	(void)n;
	buf_init(&b, x->out->max);
	if (tmpl_json(x, &b, &args[0]) != 0) {
		buf_fini(&b);
		return -1;
	}
	return tmpl_take(x, &b, out);
}

/* --- base64, with the alphabet for URLs --- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int f_base64encode(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s;
	struct buf b;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	buf_init(&b, x->out->max);
	for (size_t i = 0; i < s.n && !b.failed; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
		buf_ch(&b, alphabet[v >> 18]);
		buf_ch(&b, alphabet[v >> 12 & 63]);
		buf_ch(&b, i + 1 < s.n ? alphabet[v >> 6 & 63] : '=');
		buf_ch(&b, i + 2 < s.n ? alphabet[v & 63] : '=');
	}
	return tmpl_take(x, &b, out);
}

static int f_base64decode(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	size_t digits = 0, pads = 0;
	uint32_t v = 0;
	struct str s;
	struct buf b;
	bool ok = true;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	buf_init(&b, x->out->max);
	for (size_t i = 0; i < s.n && ok; i++) {
		const char *hit = s.p[i] != '\0' ? strchr(alphabet, s.p[i]) : NULL;

		if (s.p[i] == '\r' || s.p[i] == '\n')
			continue;
		if (s.p[i] == '=') {
			pads++;
			continue;
		}
		ok = hit != NULL && pads == 0;
		v = v << 6 | (hit != NULL ? (uint32_t)(hit - alphabet) : 0);
		if (++digits % 4 == 0) {
			const unsigned char raw[] = {(unsigned char)(v >> 16),
				(unsigned char)(v >> 8), (unsigned char)v};

			buf_add(&b, raw, sizeof raw);
		}
	}
	if (digits % 4 == 2)
		buf_ch(&b, (char)(v >> 4));
	if (digits % 4 == 3) {
		buf_ch(&b, (char)(v >> 10));
		buf_ch(&b, (char)(v >> 2));
	}
	if (!ok || digits % 4 == 1 || (digits + pads) % 4 != 0 || pads > 2) {
		buf_fini(&b);
		return tmpl_fail(x, "illegal base64 data");
	}
	return tmpl_take(x, &b, out);
}

const struct tmpl_func tmpl_notify_data_funcs[] = {
	{"list", 0, TMPL_ANY, f_list},
	{"append", 1, TMPL_ANY, f_append},
	{"dict", 0, TMPL_ANY, f_dict},
	{"toJson", 1, 1, f_to_json},
	{"base64encode", 1, 1, f_base64encode},
	{"base64decode", 1, 1, f_base64decode},
	{NULL, 0, 0, NULL},
};
