/* SPDX-License-Identifier: Apache-2.0 */
/* template_func_rule - the functions Prometheus adds: queries, samples, numbers and times. */
#include <stdlib.h>

#include "base/dur.h"
#include "base/num.h"
#include "base/tz.h"
#include "rules/template_private.h"

/* --- query and its samples --- */

static int f_query(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct template_sample *samples = NULL;
	struct err e = {.kind = ERR_NONE};
	struct str expr;
	struct tv *v;
	size_t count = 0;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &expr) != 0)
		return -1;
	if (x->env->query == NULL)
		return tmpl_fail(x, "there is nothing to query here");
	if (x->env->query(x->env->query_ctx, expr, x->env->now_ms, x->a, &samples, &count, &e) != 0)
		return tmpl_fail(x, "query: %s", e.msg);
	v = ARENA_ARRAY(x->a, count, struct tv);
	for (size_t i = 0; v != NULL && i < count; i++)
		v[i] = tv_sample(x->a, samples[i].labels, samples[i].value, samples[i].h);
	if (x->a->failed)
		return tmpl_fail(x, "the answer is too large");
	*out = tv_list(v, count);
	return 0;
}

static int sample(struct tmpl_exec *x, const struct tv *v, const char *field, struct tv *out)
{
	if (v->kind != TV_STRUCT || !str_eq(str_c(v->u.map->type), STR("*template.sample")))
		return tmpl_fail(x, "expected a sample of a query; got %s", tv_type(v));
	(void)tv_get(v, str_c(field), out);
	return 0;
}

static int f_first(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	if (args[0].kind != TV_LIST)
		return tmpl_fail(x, "expected the answer of a query; got %s", tv_type(&args[0]));
	if (args[0].u.list.n == 0)
		return tmpl_fail(x, "first() called on vector with no elements");
	*out = args[0].u.list.v[0];
	return 0;
}

static int f_value(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return sample(x, &args[0], "Value", out);
}

static int f_label(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str name;
	struct tv labels;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &name) != 0 || sample(x, &args[1], "Labels", &labels) != 0)
		return -1;
	(void)tv_get(&labels, name, out);
	return 0;
}

static int f_strvalue(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct tv labels;

	(void)n;
	if (sample(x, &args[0], "Labels", &labels) != 0)
		return -1;
	(void)tv_get(&labels, STR("__value__"), out);
	return 0;
}

struct keyed {
	struct str key;
	size_t at;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int c = str_cmp(x->key, y->key);

	return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

static int f_sort_by_label(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	const struct tv_list *l = &args[1].u.list;
	struct keyed *keys;
	struct str name;
	struct tv *v;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &name) != 0)
		return -1;
	if (args[1].kind != TV_LIST)
		return tmpl_fail(x, "expected the answer of a query; got %s", tv_type(&args[1]));
	keys = ARENA_ARRAY(x->a, l->n, struct keyed);
	v = ARENA_ARRAY(x->a, l->n, struct tv);
	if (keys == NULL || v == NULL)
		return tmpl_fail(x, "the template needs too much memory");
	for (size_t i = 0; i < l->n; i++) {
		struct tv labels, value;

		if (sample(x, &l->v[i], "Labels", &labels) != 0)
			return -1;
		(void)tv_get(&labels, name, &value);
		keys[i] = (struct keyed){value.u.s, i};
	}
	if (l->n > 0)
		qsort(keys, l->n, sizeof *keys, by_key);
	for (size_t i = 0; i < l->n; i++)
		v[i] = l->v[keys[i].at];
	*out = tv_list(v, l->n);
	return 0;
}

/* --- numbers --- */

static int humanized(struct tmpl_exec *x, const struct tv *arg, struct tv *out,
	void (*print)(struct buf *b, double v))
{
	struct buf b;
	double v;

	if (tmpl_arg_number(x, arg, &v) != 0)
		return -1;
	buf_init(&b, 512);
	print(&b, v);
	return tmpl_take(x, &b, out);
}

static int f_humanize(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return humanized(x, &args[0], out, humanize);
}

static int f_humanize_1024(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return humanized(x, &args[0], out, humanize_1024);
}

static int f_humanize_duration(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return humanized(x, &args[0], out, humanize_duration);
}

static int f_humanize_percentage(
	struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return humanized(x, &args[0], out, humanize_percentage);
}

/* --- times --- */

/* Seconds as ns. */
static int to_ns(struct tmpl_exec *x, const struct tv *arg, int64_t *ns)
{
	double v, t;

	if (tmpl_arg_number(x, arg, &v) != 0)
		return -1;
	t = v * 1e9;
	if (isnan(t) || t >= 9223372036854775807.0 || t <= -9223372036854775808.0)
		return tmpl_fail(x, "%g cannot be represented as a nanoseconds timestamp", v);
	*ns = (int64_t)t;
	return 0;
}

/* Times are whole milliseconds, cut towards 1970, as upstream's are. */
static int to_time(struct tmpl_exec *x, const struct tv *arg, int64_t *ns)
{
	if (to_ns(x, arg, ns) != 0)
		return -1;
	*ns -= *ns % 1000000;
	return 0;
}

static int f_humanize_timestamp(
	struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct buf b;
	int64_t ns = 0;
	double v;

	(void)n;
	if (tmpl_arg_number(x, &args[0], &v) != 0)
		return -1;
	if (isfinite(v) && to_time(x, &args[0], &ns) != 0)
		return -1;
	buf_init(&b, 128);
	if (isfinite(v))
		tv_print_time(&b, ns, NULL);
	else
		tv_print_float(&b, v);
	return tmpl_take(x, &b, out);
}

static int f_to_time(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	*out = tv_time(0);
	return to_time(x, &args[0], &out->u.i);
}

static int f_to_duration(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	*out = tv_duration(0);
	return to_ns(x, &args[0], &out->u.i);
}

static int f_now(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)args;
	(void)n;
	*out = tv_float((double)x->env->now_ms / 1000);
	return 0;
}

static int f_parse_duration(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s, digits;
	struct err e;
	int64_t ms;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	digits = str_starts(s, STR("-")) ? str_sub(s, 1, s.n) : s;
	if (dur_parse(digits, &ms, &e) != 0)
		return tmpl_fail(x, "%s", e.msg);
	*out = tv_float((double)(digits.n < s.n ? -ms : ms) / 1000);
	return 0;
}

/* --- methods of times and durations --- */

static int duration_method(
	struct tmpl_exec *x, int64_t ns, struct str name, struct buf *b, struct tv *out)
{
	static const struct {
		struct str name;
		double unit;
	} units[] = {{{"Hours", 5}, 3600e9}, {{"Minutes", 7}, 60e9}, {{"Seconds", 7}, 1e9}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (str_eq(name, units[i].name)) {
			*out = tv_float((double)ns / units[i].unit);
			return 0;
		}
	}
	if (str_eq(name, STR("Milliseconds"))) {
		*out = tv_int(ns / 1000000);
		return 0;
	}
	if (!str_eq(name, STR("String")))
		return tmpl_fail(x, "a duration has no method " STR_FMT, STR_ARG(name));
	tv_print_duration(b, ns);
	*out = tv_str(arena_str(x->a, buf_view(b)));
	return 0;
}

static int time_method(struct tmpl_exec *x, const struct tv *t, struct str name, struct tv *out)
{
	int64_t ns = t->u.time.ns;
	const struct tz *zone = NULL;
	struct civil c;
	struct err e;

	if (str_eq(name, STR("UTC")) || str_eq(name, STR("Local"))) {
		if (name.n == 5)
			zone = tz_load(x->a, name, &e); /* NULL: UTC, as Go has it */
		*out = (struct tv){.kind = TV_TIME, .u.time = {ns, zone}};
		return 0;
	}
	if (str_eq(name, STR("IsZero"))) {
		*out = tv_bool(ns == TV_TIME_ZERO);
		return 0;
	}
	if (ns == TV_TIME_ZERO)
		ns = INT64_C(-62135596800) * 1000000; /* what fits: its date and time are right */
	civil_from_ms(t->u.time.ns == TV_TIME_ZERO
			      ? INT64_C(-62135596800000)
			      : i64_floor_div(ns, 1000000) +
					INT64_C(1000) * tz_offset(t->u.time.zone,
								i64_floor_div(ns, 1000000)),
		&c);
	const struct {
		struct str name;
		int64_t v;
	} numbers[] = {{STR("Unix"), i64_floor_div(ns, 1000000000)},
		{STR("UnixMilli"), i64_floor_div(ns, 1000000)}, {STR("UnixNano"), ns},
		{STR("Year"), c.year}, {STR("Day"), c.day}, {STR("Hour"), c.hour},
		{STR("Minute"), c.minute}, {STR("Second"), c.second}, {STR("YearDay"), c.yday}};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (str_eq(name, numbers[i].name)) {
			*out = tv_int(numbers[i].v);
			return 0;
		}
	}
	return tmpl_fail(x, "a time has no method " STR_FMT, STR_ARG(name));
}

/* Methods with one argument but Format; *known says whether it is one. */
static int time_method_1(struct tmpl_exec *x, const struct tv *t, struct str name,
	const struct tv *arg, struct tv *out, bool *known)
{
	static const char *const times[] = {"Sub", "Before", "After", "Equal"};
	int64_t a = t->u.time.ns, b = arg->u.time.ns;

	*known = true;
	if (str_eq(name, STR("Add"))) {
		if (arg->kind != TV_DURATION && arg->kind != TV_INT)
			return tmpl_fail(x, "Add expected a duration; got %s", tv_type(arg));
		*out = *t;
		out->u.time.ns = a == TV_TIME_ZERO ? a : i64_add_sat(a, arg->u.i);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		if (!str_eq(name, str_c(times[i])))
			continue;
		if (arg->kind != TV_TIME)
			return tmpl_fail(x, "%s expected a time; got %s", times[i], tv_type(arg));
		*out = i == 0   ? tv_duration(i64_sub_sat(a, b))
		       : i == 1 ? tv_bool(a < b)
		       : i == 2 ? tv_bool(a > b)
				: tv_bool(a == b);
		return 0;
	}
	*known = false;
	return 0;
}

int tmpl_method(struct tmpl_exec *x, const struct tv *receiver, struct str name,
	const struct tv *args, size_t n, struct tv *out)
{
	bool is_time = receiver->kind == TV_TIME, known = false;
	bool format = is_time && str_eq(name, STR("Format"));
	struct str layout;
	struct buf b;
	int rc = 0;

	if (is_time && n == 1 && !format) {
		rc = time_method_1(x, receiver, name, &args[0], out, &known);
		if (rc != 0 || known)
			return rc;
	}
	if (n != (format ? 1 : 0))
		return tmpl_fail(x, "wrong number of arguments for " STR_FMT, STR_ARG(name));
	buf_init(&b, x->out->max);
	if (!is_time) {
		rc = duration_method(x, receiver->u.i, name, &b, out);
	} else if (format) {
		rc = tmpl_arg_str(x, &args[0], &layout);
		if (rc == 0)
			tv_format_time(&b, receiver->u.time.ns, receiver->u.time.zone, layout);
		*out = tv_str(arena_str(x->a, buf_view(&b)));
	} else if (str_eq(name, STR("String"))) {
		tv_print_time(&b, receiver->u.time.ns, receiver->u.time.zone);
		*out = tv_str(arena_str(x->a, buf_view(&b)));
	} else if (str_eq(name, STR("Month")) || str_eq(name, STR("Weekday"))) {
		tv_format_time(&b, receiver->u.time.ns, receiver->u.time.zone,
			name.n == 5 ? STR("January") : STR("Monday"));
		*out = tv_str(arena_str(x->a, buf_view(&b)));
	} else {
		rc = time_method(x, receiver, name, out);
	}
	if (rc == 0 && b.failed)
		rc = tmpl_fail(x, "the text is too long");
	buf_fini(&b);
	return rc;
}

int tmpl_f_humanize_duration(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	return f_humanize_duration(x, args, n, out);
}

const struct tmpl_func tmpl_rule_funcs[] = {
	{"query", 1, 1, f_query},
	{"first", 1, 1, f_first},
	{"value", 1, 1, f_value},
	{"label", 2, 2, f_label},
	{"strvalue", 1, 1, f_strvalue},
	{"sortByLabel", 2, 2, f_sort_by_label},
	{"humanize", 1, 1, f_humanize},
	{"humanize1024", 1, 1, f_humanize_1024},
	{"humanizeDuration", 1, 1, f_humanize_duration},
	{"humanizePercentage", 1, 1, f_humanize_percentage},
	{"humanizeTimestamp", 1, 1, f_humanize_timestamp},
	{"toTime", 1, 1, f_to_time},
	{"toDuration", 1, 1, f_to_duration},
	{"now", 0, 0, f_now},
	{"parseDuration", 1, 1, f_parse_duration},
	{NULL, 0, 0, NULL},
};
