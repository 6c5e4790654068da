/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_compare - eq, ne, lt, le, gt, ge. As in Go an integer and a float are different things:
 * `eq 1 1.0` is an error, and `gt $value 5` too; write 5.0. NaN is greater than anything, because
 * Go's `gt` is `not le`.
 */
#include "rules/template_private.h"

enum order { ORDER_LESS = -1, ORDER_EQUAL, ORDER_MORE };

static bool is_nothing(const struct tv *v)
{
	return v->kind == TV_NONE || v->kind == TV_NIL;
}

static int incompatible(struct tmpl_exec *x, const struct tv *a, const struct tv *b)
{
	return tmpl_fail(x, "incompatible types for comparison: %s and %s", tv_type(a), tv_type(b));
}

static enum order order_of(bool less, bool same)
{
	return less ? ORDER_LESS : same ? ORDER_EQUAL : ORDER_MORE;
}

static int compare(struct tmpl_exec *x, const struct tv *a, const struct tv *b, enum order *out)
{
	int c;

	if (a->kind != b->kind)
		return incompatible(x, a, b);
	switch (a->kind) {
	case TV_INT:
	case TV_TIME:
	case TV_DURATION: *out = order_of(a->u.i < b->u.i, a->u.i == b->u.i); return 0;
	case TV_FLOAT: *out = order_of(a->u.f < b->u.f, a->u.f == b->u.f); return 0;
	case TV_STR:
		c = str_cmp(a->u.s, b->u.s);
		*out = order_of(c < 0, c == 0);
		return 0;
	case TV_NONE:
	case TV_NIL:
	case TV_BOOL:
	case TV_LIST:
	case TV_MAP:
	case TV_LABELS:
	case TV_STRUCT:
	case TV_HIST:
	default: return tmpl_fail(x, "invalid type for comparison: %s", tv_type(a));
	}
}

static int equal(struct tmpl_exec *x, const struct tv *a, const struct tv *b, bool *out)
{
	enum order o;

	if (is_nothing(a) || is_nothing(b)) {
		*out = is_nothing(a) && is_nothing(b);
		return 0;
	}
	if (a->kind == TV_BOOL && b->kind == TV_BOOL) {
		*out = a->u.b == b->u.b;
		return 0;
	}
	if (compare(x, a, b, &o) != 0)
		return -1;
	*out = o == ORDER_EQUAL;
	return 0;
}

/* True when the first equals any of the others. */
static int f_eq(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	bool hit = false;

	for (size_t i = 1; i < n && !hit; i++) {
		if (equal(x, &args[0], &args[i], &hit) != 0)
			return -1;
	}
	*out = tv_bool(hit);
	return 0;
}

static int f_ne(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	if (f_eq(x, args, n, out) != 0)
		return -1;
	out->u.b = !out->u.b;
	return 0;
}

static int ordered(
	struct tmpl_exec *x, const struct tv *args, enum order one, enum order two, struct tv *out)
{
	enum order o;

	if (compare(x, &args[0], &args[1], &o) != 0)
		return -1;
	*out = tv_bool(o == one || o == two);
	return 0;
}

static int f_lt(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return ordered(x, args, ORDER_LESS, ORDER_LESS, out);
}

static int f_le(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return ordered(x, args, ORDER_LESS, ORDER_EQUAL, out);
}

static int f_gt(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return ordered(x, args, ORDER_MORE, ORDER_MORE, out);
}

static int f_ge(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return ordered(x, args, ORDER_MORE, ORDER_EQUAL, out);
}

const struct tmpl_func tmpl_compares[] = {
	{"eq", 2, TMPL_ANY, f_eq},
	{"ne", 2, 2, f_ne},
	{"lt", 2, 2, f_lt},
	{"le", 2, 2, f_le},
	{"gt", 2, 2, f_gt},
	{"ge", 2, 2, f_ge},
	{NULL, 0, 0, NULL},
};
