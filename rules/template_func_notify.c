/* SPDX-License-Identifier: Apache-2.0 */
/* template_func_notify - the functions of Alertmanager's templates: texts, links, times. */
#include "base/clock.h"
#include "base/num.h"
#include "base/quote.h"
#include "base/tz.h"
#include "rules/template_private.h"

/* --- texts --- */

static bool is_white(unsigned long c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

static int f_trim_space(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	size_t from = SIZE_MAX, to = 0;
	struct str s;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	for (size_t i = 0, len; i < s.n; i += len) {
		unsigned long c;

		len = quote_rune(str_sub(s, i, s.n), &c);
		if (is_white(c))
			continue;
		from = MIN_OF(from, i);
		to = i + len;
	}
	*out = tv_str(str_sub(s, MIN_OF(from, to), to));
	return 0;
}

/* A list of strings, whatever made it. */
static int join(struct tmpl_exec *x, const struct tv *list, struct str separator, struct tv *out)
{
	struct buf b;
	struct str s;

	if (list->kind != TV_LIST)
		return tmpl_fail(x, "expected []string; got %s", tv_type(list));
	buf_init(&b, x->out->max);
	for (size_t i = 0; i < list->u.list.n && !b.failed; i++) {
		if (tmpl_arg_str(x, &list->u.list.v[i], &s) != 0) {
			buf_fini(&b);
			return -1;
		}
		if (i > 0)
			buf_str(&b, separator);
		buf_str(&b, s);
	}
	return tmpl_take(x, &b, out);
}

static int f_join(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str separator;

	(void)n;
	return tmpl_arg_str(x, &args[0], &separator) != 0 ? -1 : join(x, &args[1], separator, out);
}

static int f_string_slice(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s;

	for (size_t i = 0; i < n; i++) {
		if (tmpl_arg_str(x, &args[i], &s) != 0)
			return -1;
	}
	*out = tv_named_list(TV_STRS, args, n);
	return 0;
}

static int trusted(struct tmpl_exec *x, const struct tv *arg, enum tv_safe how, struct tv *out)
{
	*out = tv_str(STR_NULL);
	out->safe = (uint8_t)how;
	return tmpl_arg_str(x, arg, &out->u.s);
}

static int f_safe_html(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return trusted(x, &args[0], TV_SAFE_HTML, out);
}

static int f_safe_url(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return trusted(x, &args[0], TV_SAFE_URL, out);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int f_url_unescape(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s;
	struct buf b;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	buf_init(&b, x->out->max);
	for (size_t i = 0; i < s.n; i++) {
		int hi = -1, lo = -1;

		if (s.p[i] != '%') {
			buf_ch(&b, s.p[i] == '+' ? ' ' : s.p[i]);
			continue;
		}
		if (i + 2 < s.n) {
			hi = hex_value(s.p[i + 1]);
			lo = hex_value(s.p[i + 2]);
		}
		if (hi < 0 || lo < 0) {
			buf_fini(&b);
			return tmpl_fail(x, "invalid URL escape \"" STR_FMT "\"",
				STR_ARG(str_sub(s, i, i + 3)));
		}
		buf_ch(&b, (char)(hi * 16 + lo));
		i += 2;
	}
	return tmpl_take(x, &b, out);
}

static int f_route_labels(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str name;

	(void)n;
	return tmpl_arg_str(x, &args[0], &name) != 0 ? -1 : tmpl_route_label(x, name, out);
}

/* --- times --- */

static int arg_time(struct tmpl_exec *x, const struct tv *v)
{
	return v->kind == TV_TIME ? 0 : tmpl_fail(x, "expected time.Time; got %s", tv_type(v));
}

static int f_date(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str layout;
	struct buf b;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &layout) != 0 || arg_time(x, &args[1]) != 0)
		return -1;
	buf_init(&b, x->out->max);
	tv_format_time(&b, args[1].u.time.ns, args[1].u.time.zone, layout);
	return tmpl_take(x, &b, out);
}

static int f_tz(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str name;
	struct err e = {0};

	(void)n;
	if (tmpl_arg_str(x, &args[0], &name) != 0 || arg_time(x, &args[1]) != 0)
		return -1;
	*out = args[1];
	out->u.time.zone = NULL;
	if (name.n == 0 || str_eq(name, STR("UTC")))
		return 0;
	out->u.time.zone = tz_load(x->a, name, &e);
	return out->u.time.zone != NULL ? 0 : tmpl_fail(x, "%s", e.msg);
}

static int64_t now_ns(const struct tmpl_exec *x)
{
	int64_t ns;

	return __builtin_mul_overflow(x->env->now_ms, INT64_C(1000000), &ns) ? 0 : ns;
}

static int f_now(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)args;
	(void)n;
	*out = tv_time(now_ns(x));
	return 0;
}

static int f_since(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	if (arg_time(x, &args[0]) != 0)
		return -1;
	*out = tv_duration(i64_sub_sat(now_ns(x), args[0].u.time.ns));
	return 0;
}

static int to_date(struct tmpl_exec *x, const struct tv *args, bool must, struct tv *out)
{
	struct str layout, s;

	if (tmpl_arg_str(x, &args[0], &layout) != 0 || tmpl_arg_str(x, &args[1], &s) != 0)
		return -1;
	*out = tv_time(TV_TIME_ZERO);
	if (tv_parse_time(layout, s, &out->u.time.ns))
		return 0;
	out->u.time.ns = TV_TIME_ZERO;
	if (!must)
		return 0;
	return tmpl_fail(
		x, "cannot parse \"" STR_FMT "\" as \"" STR_FMT "\"", STR_ARG(s), STR_ARG(layout));
}

static int f_to_date(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return to_date(x, args, false, out);
}

static int f_must_to_date(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return to_date(x, args, true, out);
}

const struct tmpl_func tmpl_notify_funcs[] = {
	{"title", 1, 1, tmpl_f_words},
	{"trimSpace", 1, 1, f_trim_space},
	{"join", 2, 2, f_join},
	{"stringSlice", 0, TMPL_ANY, f_string_slice},
	{"safeHtml", 1, 1, f_safe_html},
	{"safeUrl", 1, 1, f_safe_url},
	{"urlUnescape", 1, 1, f_url_unescape},
	{"routeLabels", 1, 1, f_route_labels},
	{"date", 2, 2, f_date},
	{"tz", 2, 2, f_tz},
	{"now", 0, 0, f_now},
	{"since", 1, 1, f_since},
	{"humanizeDuration", 1, 1, tmpl_f_humanize_duration},
	{"toDate", 2, 2, f_to_date},
	{"mustToDate", 2, 2, f_must_to_date},
	{NULL, 0, 0, NULL},
};

/* --- methods of label sets, pairs, lists --- */

static int pairs_of(struct tmpl_exec *x, struct labels ls, struct tv *out)
{
	struct tv *v = ARENA_ARRAY(x->a, ls.n, struct tv);
	struct tv *values = ARENA_ARRAY(x->a, 2 * ls.n, struct tv);
	struct tv_field *f = ARENA_ARRAY(x->a, 2 * ls.n, struct tv_field);
	size_t at = 0;

	if (v == NULL || values == NULL || f == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	/* the alert's name first, the others by name */
	for (int rest = 0; rest < 2; rest++) {
		for (size_t i = 0; i < ls.n; i++) {
			if (str_eq(ls.v[i].name, STR("alertname")) == (rest == 1))
				continue;
			values[2 * at] = tv_str(ls.v[i].name);
			values[2 * at + 1] = tv_str(ls.v[i].value);
			f[2 * at] = (struct tv_field){STR("Name"), &values[2 * at]};
			f[2 * at + 1] = (struct tv_field){STR("Value"), &values[2 * at + 1]};
			v[at] = tv_struct(x->a, "template.Pair", &f[2 * at], 2);
			at++;
		}
	}
	*out = tv_named_list(TV_PAIRS, v, at);
	return 0;
}

/* The `field` of each pair. */
static int strings_of(struct tmpl_exec *x, const struct tv *pairs, struct str field, struct tv *out)
{
	struct tv *v = ARENA_ARRAY(x->a, pairs->u.list.n, struct tv);

	if (v == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 0; i < pairs->u.list.n; i++)
		(void)tv_get(&pairs->u.list.v[i], field, &v[i]);
	*out = tv_named_list(TV_STRINGS, v, pairs->u.list.n);
	return 0;
}

static int without(struct tmpl_exec *x, struct labels ls, const struct tv *names, struct tv *out)
{
	struct label *v = ARENA_ARRAY(x->a, ls.n + 1, struct label);
	size_t n = 0;

	if (names->kind != TV_LIST)
		return tmpl_fail(x, "Remove expected []string; got %s", tv_type(names));
	if (v == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 0; i < ls.n; i++) {
		bool gone = false;

		for (size_t k = 0; k < names->u.list.n && !gone; k++)
			gone = names->u.list.v[k].kind == TV_STR &&
			       str_eq(names->u.list.v[k].u.s, ls.v[i].name);
		if (!gone)
			v[n++] = ls.v[i];
	}
	*out = tv_kv((struct labels){v, n});
	return 0;
}

static int kv_method(struct tmpl_exec *x, struct labels ls, struct str name, const struct tv *args,
	struct tv *out, bool *found)
{
	struct tv pairs;

	if (str_eq(name, STR("Remove")))
		return args != NULL ? without(x, ls, &args[0], out)
				    : tmpl_fail(x, "Remove needs a list of names");
	if (str_eq(name, STR("SortedPairs")))
		return pairs_of(x, ls, out);
	if (str_eq(name, STR("Names")) || str_eq(name, STR("Values")))
		return pairs_of(x, ls, &pairs) != 0
			       ? -1
			       : strings_of(x, &pairs,
					 str_eq(name, STR("Names")) ? STR("Name") : STR("Value"),
					 out);
	*found = false;
	return 0;
}

static int by_status(
	struct tmpl_exec *x, const struct tv_list *alerts, struct str status, struct tv *out)
{
	struct tv *v = ARENA_ARRAY(x->a, alerts->n, struct tv);
	size_t n = 0;

	if (v == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 0; i < alerts->n; i++) {
		struct tv s;

		if (tv_get(&alerts->v[i], STR("Status"), &s) && s.kind == TV_STR &&
			str_eq(s.u.s, status))
			v[n++] = alerts->v[i];
	}
	*out = tv_list(v, n);
	return 0;
}

int tmpl_named_method(struct tmpl_exec *x, const struct tv *r, struct str name,
	const struct tv *args, size_t n, struct tv *out, bool *found)
{
	bool takes_one = str_eq(name, STR("Remove")) || str_eq(name, STR("Join"));
	struct str separator;

	*found = true;
	if (n > (takes_one ? 1 : 0))
		return tmpl_fail(x, "wrong number of arguments for " STR_FMT, STR_ARG(name));
	if (n == 0)
		args = NULL;
	if (r->named == TV_KV)
		return kv_method(x, r->u.labels, name, args, out, found);
	if (r->named == TV_ALERTS && str_eq(name, STR("Firing")))
		return by_status(x, &r->u.list, STR("firing"), out);
	if (r->named == TV_ALERTS && str_eq(name, STR("Resolved")))
		return by_status(x, &r->u.list, STR("resolved"), out);
	if (r->named == TV_PAIRS && str_eq(name, STR("Names")))
		return strings_of(x, r, STR("Name"), out);
	if (r->named == TV_PAIRS && str_eq(name, STR("Values")))
		return strings_of(x, r, STR("Value"), out);
	if (r->named == TV_STRINGS && str_eq(name, STR("Join"))) {
		if (args == NULL)
			return tmpl_fail(x, "Join needs a separator");
		return tmpl_arg_str(x, &args[0], &separator) != 0 ? -1 : join(x, r, separator, out);
	}
	*found = false;
	return 0;
}
