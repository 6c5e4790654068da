/* SPDX-License-Identifier: Apache-2.0 */
/* template_func - finding functions, reading arguments, and Go's built-in functions. */
#include "base/num.h"
#include "rules/template_private.h"

static const struct tmpl_func *const rule_tables[] = {
	tmpl_builtins, tmpl_compares, tmpl_rule_funcs, tmpl_text_funcs, tmpl_common_funcs};
static const struct str rule_prelude[TMPL_PRELUDE] = {
	{"$labels", 7}, {"$externalLabels", 15}, {"$externalURL", 12}, {"$value", 6}};
const struct tmpl_lang tmpl_lang_rule = {
	rule_tables, ARRAY_LEN(rule_tables), rule_prelude, TMPL_PRELUDE};

static const struct tmpl_func *const notify_tables[] = {
	tmpl_builtins, tmpl_compares, tmpl_notify_funcs, tmpl_notify_data_funcs, tmpl_common_funcs};
const struct tmpl_lang tmpl_lang_notify = {notify_tables, ARRAY_LEN(notify_tables), NULL, 0};

const struct tmpl_func *tmpl_func_find(const struct tmpl_lang *lang, struct str name)
{
	for (size_t i = 0; i < lang->n_tables; i++) {
		for (const struct tmpl_func *f = lang->tables[i]; f->name != NULL; f++) {
			if (str_eq(name, str_c(f->name)))
				return f;
		}
	}
	return NULL;
}

int tmpl_arg_str(struct tmpl_exec *x, const struct tv *v, struct str *out)
{
	if (v->kind != TV_STR)
		return tmpl_fail(x, "expected string; got %s", tv_type(v));
	*out = v->u.s;
	return 0;
}

int tmpl_arg_number(struct tmpl_exec *x, const struct tv *v, double *out)
{
	if (v->kind == TV_FLOAT)
		*out = v->u.f;
	else if (v->kind == TV_INT)
		*out = (double)v->u.i;
	else if (v->kind == TV_DURATION)
		*out = (double)v->u.i / 1e9;
	else if (v->kind != TV_STR)
		return tmpl_fail(x, "can't convert %s to float64", tv_type(v));
	else if (!str_to_f64(v->u.s, out))
		return tmpl_fail(x, "\"" STR_FMT "\" is not a number", STR_ARG(v->u.s));
	return 0;
}

int tmpl_take(struct tmpl_exec *x, struct buf *b, struct tv *out)
{
	bool failed = b->failed;

	*out = tv_str(arena_str(x->a, buf_view(b)));
	buf_fini(b);
	if (failed || out->u.s.p == NULL)
		return tmpl_fail(x, "the text is too long");
	return 0;
}

static void out_init(const struct tmpl_exec *x, struct buf *b)
{
	buf_init(b, x->out->max);
}

/* --- print, printf, println --- */

/* As fmt.Sprint: a blank between operands of which none is a string. */
static void sprint(struct buf *b, const struct tv *args, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && args[i].kind != TV_STR && args[i - 1].kind != TV_STR)
			buf_ch(b, ' ');
		if (args[i].kind == TV_NONE)
			buf_c(b, "<nil>");
		else
			tv_print(b, &args[i]);
	}
}

static int f_print(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct buf b;

	out_init(x, &b);
	sprint(&b, args, n);
	return tmpl_take(x, &b, out);
}

static int f_println(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct buf b;

	out_init(x, &b);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_ch(&b, ' ');
		sprint(&b, &args[i], 1);
	}
	buf_ch(&b, '\n');
	return tmpl_take(x, &b, out);
}

static int f_printf(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str format;
	struct buf b;

	if (tmpl_arg_str(x, &args[0], &format) != 0)
		return -1;
	out_init(x, &b);
	tmpl_printf(&b, format, args + 1, n - 1);
	return tmpl_take(x, &b, out);
}

/* --- html, js, urlquery --- */

static void escape_html(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\0': buf_c(b, "\xef\xbf\xbd"); break;
		case '"': buf_c(b, "&#34;"); break;
		case '\'': buf_c(b, "&#39;"); break;
		case '&': buf_c(b, "&amp;"); break;
		case '<': buf_c(b, "&lt;"); break;
		case '>': buf_c(b, "&gt;"); break;
		default: buf_ch(b, s.p[i]);
		}
	}
}

static void escape_js(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\' || c == '\'' || c == '"')
			buf_printf(b, "\\%c", c);
		else if (c == '<' || c == '>' || c == '&' || c == '=' || c < 0x20)
			buf_printf(b, "\\u%04X", c);
		else
			buf_ch(b, (char)c);
	}
}

void tmpl_escape_query(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			buf_ch(b, (char)c);
		else if (c == ' ')
			buf_ch(b, '+');
		else
			buf_printf(b, "%%%02X", c);
	}
}

static int escaped(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out,
	void (*escape)(struct buf *b, struct str s))
{
	struct buf plain, b;

	out_init(x, &plain);
	out_init(x, &b);
	sprint(&plain, args, n);
	escape(&b, buf_view(&plain));
	b.failed = b.failed || plain.failed;
	buf_fini(&plain);
	return tmpl_take(x, &b, out);
}

static int f_html(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	int rc = escaped(x, args, n, out, escape_html);

	out->safe = TV_ESCAPED_HTML;
	return rc;
}

static int f_js(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	return escaped(x, args, n, out, escape_js);
}

static int f_urlquery(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	int rc = escaped(x, args, n, out, tmpl_escape_query);

	out->safe = TV_ESCAPED_URL;
	return rc;
}

/* --- len, index, slice --- */

static bool length(const struct tv *v, size_t *n)
{
	switch (v->kind) {
	case TV_STR: *n = v->u.s.n; return true;
	case TV_LIST: *n = v->u.list.n; return true;
	case TV_MAP: *n = v->u.map->n; return true;
	case TV_LABELS: *n = v->u.labels.n; return true;
	case TV_NONE:
	case TV_NIL:
	case TV_BOOL:
	case TV_INT:
	case TV_FLOAT:
	case TV_STRUCT:
	case TV_TIME:
	case TV_DURATION:
	case TV_HIST:
	default: return false;
	}
}

static int f_len(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	size_t len;

	(void)n;
	if (!length(&args[0], &len))
		return tmpl_fail(x, "len of type %s", tv_type(&args[0]));
	*out = tv_int((int64_t)len);
	return 0;
}

static int index_of(struct tmpl_exec *x, const struct tv *v, size_t limit, size_t *out)
{
	if (v->kind != TV_INT)
		return tmpl_fail(x, "cannot index with type %s", tv_type(v));
	if (v->u.i < 0 || (uint64_t)v->u.i >= limit)
		return tmpl_fail(x, "index out of range: %lld", (long long)v->u.i);
	*out = (size_t)v->u.i;
	return 0;
}

static int f_index(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct tv v = args[0];

	for (size_t i = 1; i < n; i++) {
		struct str key;
		size_t k;

		if (v.kind == TV_MAP || v.kind == TV_LABELS) {
			struct tv from = v;

			if (tmpl_arg_str(x, &args[i], &key) != 0)
				return -1;
			(void)tv_get(&from, key, &v);
		} else if (v.kind == TV_LIST) {
			if (index_of(x, &args[i], v.u.list.n, &k) != 0)
				return -1;
			v = v.u.list.v[k];
		} else if (v.kind == TV_STR) {
			if (index_of(x, &args[i], v.u.s.n, &k) != 0)
				return -1;
			v = tv_int((unsigned char)v.u.s.p[k]);
		} else {
			return tmpl_fail(x, "can't index item of type %s", tv_type(&v));
		}
	}
	*out = v;
	return 0;
}

static int f_slice(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	size_t from = 0, to;

	if (args[0].kind != TV_STR && args[0].kind != TV_LIST)
		return tmpl_fail(x, "can't slice item of type %s", tv_type(&args[0]));
	if (n == 4)
		return tmpl_fail(x, "slice takes two indexes");
	(void)length(&args[0], &to);
	if (n > 2 && index_of(x, &args[2], to + 1, &to) != 0)
		return -1;
	if (n > 1 && index_of(x, &args[1], to + 1, &from) != 0)
		return -1;
	if (args[0].kind == TV_STR)
		*out = tv_str(str_sub(args[0].u.s, from, to));
	else
		*out = tv_list(args[0].u.list.v + from, to - from);
	return 0;
}

/* --- not, call --- */

static int f_not(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)x;
	(void)n;
	*out = tv_bool(!tv_true(&args[0]));
	return 0;
}

static int f_call(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	(void)out;
	return tmpl_fail(x, "call of a %s, which is no function", tv_type(&args[0]));
}

const struct tmpl_func tmpl_builtins[] = {
	{"and", 1, TMPL_ANY, NULL},
	{"or", 1, TMPL_ANY, NULL},
	{"not", 1, 1, f_not},
	{"call", 1, TMPL_ANY, f_call},
	{"print", 0, TMPL_ANY, f_print},
	{"println", 0, TMPL_ANY, f_println},
	{"printf", 1, TMPL_ANY, f_printf},
	{"html", 0, TMPL_ANY, f_html},
	{"js", 0, TMPL_ANY, f_js},
	{"urlquery", 0, TMPL_ANY, f_urlquery},
	{"len", 1, 1, f_len},
	{"index", 1, TMPL_ANY, f_index},
	{"slice", 1, 4, f_slice},
	{NULL, 0, 0, NULL},
};
