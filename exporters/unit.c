/* SPDX-License-Identifier: Apache-2.0 */
/* unit - units guessed from expressions, and numbers with them; see unit.h. */
#include "exporters/unit.h"

#include <math.h>
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "rules/promql/ast.h"

/* --- guessing --- */

static const struct unit none = {UNIT_NONE, false};

struct suffix {
	struct str text;
	enum unit_kind kind;
};

/* "http_request_duration_seconds_bucket" counts observations in buckets of seconds: the functions
 * over it make seconds again, so the last word is taken off first. */
static enum unit_kind kind_of_name(struct str name)
{
	static const struct str tails[] = {
		{"_total", 6}, {"_sum", 4}, {"_bucket", 7}, {"_created", 8}};
	static const struct suffix suffixes[] = {{{"_timestamp_seconds", 18}, UNIT_TIMESTAMP},
		{{"_start_time_seconds", 19}, UNIT_TIMESTAMP}, {{"_seconds", 8}, UNIT_SECONDS},
		{{"_milliseconds", 13}, UNIT_MILLISECONDS}, {{"_ms", 3}, UNIT_MILLISECONDS},
		{{"_bytes", 6}, UNIT_BYTES}, {{"_ratio", 6}, UNIT_RATIO},
		{{"_percent", 8}, UNIT_PERCENT}, {{"_percentage", 11}, UNIT_PERCENT},
		{{"_celsius", 8}, UNIT_CELSIUS}};

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		if (str_ends(name, tails[i]) && name.n > tails[i].n) {
			name = str_sub(name, 0, name.n - tails[i].n);
			break;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (str_ends(name, suffixes[i].text))
			return suffixes[i].kind;
	}
	return UNIT_NONE;
}

/* p95: the quantile of a rate of observations is what was observed, not a rate. */
static bool is_quantile(struct str part)
{
	return part.n >= 2 && part.p[0] == 'p' && part.p[1] >= '0' && part.p[1] <= '9';
}

/* Recorded series are called level:metric:operations. */
static struct unit of_name(struct str name)
{
	struct unit u = none;
	bool no_rate = false;
	struct str part;

	while (str_split(&name, ':', &part)) {
		enum unit_kind k = kind_of_name(part);

		if (str_starts(part, STR("rate")) || str_starts(part, STR("irate")))
			u.per_second = true;
		if (str_starts(part, STR("ratio")))
			k = UNIT_RATIO;
		if (str_eq(part, STR("latency")))
			k = UNIT_SECONDS;
		/* a burn rate says how many times too fast */
		no_rate |= is_quantile(part) || str_eq(part, STR("burn"));
		if (k != UNIT_NONE)
			u.kind = k;
	}
	u.per_second = u.per_second && !no_rate;
	return u;
}

static bool is_number(const struct pq_expr *x, double *v)
{
	x = pq_unparen(x);
	if (x->kind != PQ_NUMBER)
		return false;
	*v = x->u.number.val;
	return true;
}

static bool same(struct unit a, struct unit b)
{
	return a.kind == b.kind && a.per_second == b.per_second;
}

/* Trees are as high as LIMIT_EXPR_DEPTH: NOLINTBEGIN(misc-no-recursion) */
static struct unit of(const struct pq_expr *x);

static struct unit of_quotient(struct unit a, struct unit b)
{
	if (a.kind != UNIT_NONE && same(a, b))
		return (struct unit){UNIT_RATIO, false};
	/* errors a second over requests a second */
	if (a.kind == UNIT_NONE && same(a, b) && a.per_second)
		return (struct unit){UNIT_RATIO, false};
	/* seconds over observations: the mean */
	if (a.kind != UNIT_NONE && b.kind == UNIT_NONE && a.per_second == b.per_second)
		return (struct unit){a.kind, false};
	return none;
}

/* 100 * x, x * 100: x; else NULL. */
static const struct pq_expr *times_100(const struct pq_expr *x)
{
	double v;

	x = pq_unparen(x);
	if (x->kind != PQ_BINARY || x->u.binary.op != PQ_OP_MUL)
		return NULL;
	if (is_number(x->u.binary.lhs, &v) && v == 100)
		return x->u.binary.rhs;
	return is_number(x->u.binary.rhs, &v) && v == 100 ? x->u.binary.lhs : NULL;
}

/* 100 * a / b reads as (100 * a) / b. */
static struct unit of_fraction(const struct pq_expr *lhs, const struct pq_expr *rhs)
{
	const struct pq_expr *part = times_100(lhs);
	struct unit u = of_quotient(of(part != NULL ? part : lhs), of(rhs));

	if (part == NULL)
		return u;
	return u.kind == UNIT_RATIO ? (struct unit){UNIT_PERCENT, false} : none;
}

static struct unit of_product(const struct pq_expr *x, enum pq_op op)
{
	const struct pq_expr *lhs = x->u.binary.lhs, *rhs = x->u.binary.rhs;
	double factor = 0;
	struct unit u;

	if (op == PQ_OP_MUL && is_number(lhs, &factor))
		u = of(rhs);
	else if (is_number(rhs, &factor))
		u = of(lhs);
	else
		return op == PQ_OP_DIV ? of_fraction(lhs, rhs) : none;
	if (op == PQ_OP_DIV)
		factor = factor != 0 ? 1 / factor : 0;
	if (factor == 1)
		return u;
	if (factor == 100 && (u.kind == UNIT_RATIO || (u.kind == UNIT_SECONDS && u.per_second)))
		return (struct unit){UNIT_PERCENT, false};
	if (factor == 1000 && u.kind == UNIT_SECONDS)
		return (struct unit){UNIT_MILLISECONDS, u.per_second};
	if (fabs(factor - 0.001) < 1e-12 && u.kind == UNIT_MILLISECONDS)
		return (struct unit){UNIT_SECONDS, u.per_second};
	return none;
}

static struct unit of_sum(const struct pq_expr *x, enum pq_op op)
{
	const struct pq_expr *lhs = x->u.binary.lhs, *rhs = x->u.binary.rhs;
	struct unit a = of(lhs), b = of(rhs);
	double v;

	if (is_number(lhs, &v))
		return b;
	if (is_number(rhs, &v))
		return a;
	if (op == PQ_OP_SUB && a.kind == UNIT_TIMESTAMP && b.kind == UNIT_TIMESTAMP)
		return (struct unit){UNIT_SECONDS, false};
	return same(a, b) ? a : none;
}

static struct unit of_binary(const struct pq_expr *x)
{
	enum pq_op op = x->u.binary.op;

	if (pq_op_is_comparison(op))
		return x->u.binary.bool_mod ? none : of(x->u.binary.lhs);
	switch (op) {
	case PQ_OP_OR:
	case PQ_OP_AND:
	case PQ_OP_UNLESS: return of(x->u.binary.lhs);
	case PQ_OP_ADD:
	case PQ_OP_SUB: return of_sum(x, op);
	case PQ_OP_MUL:
	case PQ_OP_DIV: return of_product(x, op);
	case PQ_OP_EQ:
	case PQ_OP_NE:
	case PQ_OP_LT:
	case PQ_OP_LE:
	case PQ_OP_GT:
	case PQ_OP_GE:
	case PQ_OP_TRIM_UPPER:
	case PQ_OP_TRIM_LOWER:
	case PQ_OP_MOD:
	case PQ_OP_ATAN2:
	case PQ_OP_POW:
	default: return none;
	}
}

static bool name_in(const char *name, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(str_c(name), str_c(v[i])))
			return true;
	}
	return false;
}

static struct unit of_call(const struct pq_expr *x)
{
	static const char *const rates[] = {"rate", "irate", "deriv"};
	static const char *const quantiles[] = {
		"histogram_quantile", "histogram_avg", "histogram_stddev", "histogram_sum"};
	static const char *const keep[] = {"increase", "delta", "idelta", "avg_over_time",
		"min_over_time", "max_over_time", "sum_over_time", "last_over_time",
		"first_over_time", "quantile_over_time", "stddev_over_time", "mad_over_time", "abs",
		"ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc",
		"sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "scalar",
		"vector", "predict_linear", "double_exponential_smoothing"};
	const char *name = x->u.call.func->name;
	struct unit u = none;

	if (name_in(name, (const char *const[]){"time", "timestamp"}, 2))
		return (struct unit){UNIT_TIMESTAMP, false};
	if (str_eq(str_c(name), STR("histogram_fraction")))
		return (struct unit){UNIT_RATIO, false};
	/* the first argument that is no plain number is what it is about */
	for (size_t i = 0; i < x->u.call.n; i++) {
		double v;

		if (!is_number(x->u.call.args[i], &v)) {
			u = of(x->u.call.args[i]);
			break;
		}
	}
	if (name_in(name, rates, ARRAY_LEN(rates)))
		return (struct unit){u.kind, true};
	if (name_in(name, quantiles, ARRAY_LEN(quantiles)))
		return (struct unit){u.kind, false};
	return name_in(name, keep, ARRAY_LEN(keep)) ? u : none;
}

static struct unit of(const struct pq_expr *x)
{
	switch (x->kind) {
	case PQ_SELECTOR: {
		struct str name = x->u.selector.name;

		/* {"a name in quotes"} has it as a matcher */
		for (size_t i = 0; name.n == 0 && i < x->u.selector.n; i++) {
			if (x->u.selector.m[i].op == MATCH_EQ &&
				str_eq(x->u.selector.m[i].name, LABEL_NAME))
				name = x->u.selector.m[i].value;
		}
		return of_name(name);
	}
	case PQ_RANGE: return of(x->u.range.of);
	case PQ_SUBQUERY: return of(x->u.subquery.of);
	case PQ_AGGREGATE:
		if (x->u.aggregate.op == PQ_AGG_COUNT || x->u.aggregate.op == PQ_AGG_GROUP ||
			x->u.aggregate.op == PQ_AGG_COUNT_VALUES)
			return none;
		return of(x->u.aggregate.of);
	case PQ_BINARY: return of_binary(x);
	case PQ_CALL: return of_call(x);
	case PQ_UNARY: return of(x->u.unary.of);
	case PQ_PAREN: return of(x->u.paren.of);
	case PQ_NUMBER:
	case PQ_TEXT:
	default: return none;
	}
}
/* NOLINTEND(misc-no-recursion) */

/* used / size: what was compared with something up to 1 is a share. */
static bool is_share(const struct pq_expr *side, double threshold)
{
	side = pq_unparen(side);
	return side->kind == PQ_BINARY && side->u.binary.op == PQ_OP_DIV &&
	       pq_unparen(side->u.binary.rhs)->kind != PQ_NUMBER &&
	       times_100(side->u.binary.lhs) == NULL && threshold > 0 && threshold <= 1;
}

struct unit unit_of_parsed(const struct pq_expr *x)
{
	const struct pq_expr *side = x;
	const char *op = "";
	double threshold = NAN;
	bool compared = pq_expr_threshold(x, &side, &threshold, &op);
	struct unit u = of(compared ? side : x);

	/* processor seconds a second, pauses a second: a share of the time */
	if (u.kind == UNIT_SECONDS && u.per_second)
		return (struct unit){UNIT_RATIO, false};
	if (u.kind == UNIT_NONE && !u.per_second && compared && is_share(side, threshold))
		return (struct unit){UNIT_RATIO, false};
	if (u.kind == UNIT_RATIO || u.kind == UNIT_PERCENT || u.kind == UNIT_TIMESTAMP)
		u.per_second = false;
	return u;
}

struct unit unit_of_expr(struct str expr)
{
	const struct pq_expr *x;
	struct unit u = none;
	struct arena a;
	struct err e;

	arena_init(&a, (size_t)1 << 20);
	x = pq_parse(&a, expr, true, &e);
	if (x != NULL)
		u = unit_of_parsed(x);
	arena_fini(&a);
	return u;
}

/* --- printing --- */

/* At most `digits` behind the point, none of them a trailing zero. */
static void put_fixed(struct buf *out, double v, int digits)
{
	char tmp[400];
	size_t n;

	(void)snprintf(tmp, sizeof tmp, "%.*f", digits < 0 ? 0 : digits > 12 ? 12 : digits, v);
	n = strlen(tmp);
	if (memchr(tmp, '.', n) != NULL) {
		while (n > 0 && tmp[n - 1] == '0')
			n--;
		if (n > 0 && tmp[n - 1] == '.')
			n--;
	}
	if (n == 2 && tmp[0] == '-' && tmp[1] == '0')
		buf_ch(out, '0');
	else
		buf_add(out, tmp, n);
}

/* Three significant digits; whole numbers whole. `step` > 0: as many digits as tell ticks apart. */
static void put_number(struct buf *out, double v, double step)
{
	double size = fabs(v);
	int digits;

	if (isnan(v)) {
		buf_c(out, "NaN");
	} else if (isinf(v)) {
		buf_c(out, v > 0 ? "+Inf" : "-Inf");
	} else if (v != 0 && (size >= 1e15 || size < 1e-9)) {
		buf_printf(out, "%.3g", v);
	} else if (step > 0) {
		put_fixed(out, v, (int)ceil(-log10(step) - 1e-9));
	} else if (v == floor(v) && size < 100000) {
		put_fixed(out, v, 0);
	} else {
		digits = size > 0 ? 2 - (int)floor(log10(size)) : 0;
		put_fixed(out, v, digits);
	}
}

struct scale {
	double factor;
	const char *name;
};

/* With the largest of n units (the smallest first) of which it has one. */
static void put_scaled(struct buf *out, double v, double step, const struct scale *s, size_t n)
{
	size_t i = 0;

	if (!isfinite(v))
		n = 1;
	/* a little below counts as one: 999.6 is shown as 1.00 k, not as 1000 */
	while (i + 1 < n && fabs(v) >= s[i + 1].factor * 0.9995)
		i++;
	put_number(out, v / s[i].factor, step / s[i].factor);
	if (s[i].name[0] != '\0') {
		buf_ch(out, ' ');
		buf_c(out, s[i].name);
	}
}

static void put_seconds(struct buf *out, double v, double step)
{
	static const struct scale small[] = {
		{1e-9, "ns"}, {1e-6, "\xc2\xb5s"}, {1e-3, "ms"}, {1, "s"}};
	static const struct scale large[] = {{1, "s"}, {60, "min"}, {3600, "h"}, {86400, "d"}};
	double size = fabs(v);

	if (v == 0 || !isfinite(v)) {
		put_number(out, v, 0);
		buf_c(out, " s");
	} else if (size < 60) {
		put_scaled(out, v, step, small, ARRAY_LEN(small));
	} else if (step > 0 || size >= 1e9 || v < 0) {
		put_scaled(out, v, step, large, ARRAY_LEN(large));
	} else {
		long long s = llround(v);

		if (s >= 86400)
			buf_printf(out, "%lld d %lld h", s / 86400, s % 86400 / 3600);
		else if (s >= 3600)
			buf_printf(out, "%lld h %lld min", s / 3600, s % 3600 / 60);
		else
			buf_printf(out, "%lld min %lld s", s / 60, s % 60);
	}
}

static void put_bytes(struct buf *out, double v, double step)
{
	static const struct scale units[] = {{1, "B"}, {1024, "KiB"}, {1048576, "MiB"},
		{1073741824, "GiB"}, {1099511627776.0, "TiB"}, {1125899906842624.0, "PiB"}};

	put_scaled(out, v, step, units, ARRAY_LEN(units));
}

static void put_plain(struct buf *out, double v, double step)
{
	static const struct scale units[] = {
		{1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}, {1e12, "T"}};

	if (step <= 0 && fabs(v) < 100000)
		put_number(out, v, 0);
	else
		put_scaled(out, v, step, units, ARRAY_LEN(units));
}

static void put(struct buf *out, double v, double step, struct unit u)
{
	switch (u.kind) {
	case UNIT_SECONDS: put_seconds(out, v, step); break;
	case UNIT_MILLISECONDS: put_seconds(out, v / 1000, step / 1000); break;
	case UNIT_BYTES: put_bytes(out, v, step); break;
	case UNIT_RATIO:
		put_number(out, v * 100, step * 100);
		buf_c(out, " %");
		break;
	case UNIT_PERCENT:
		put_number(out, v, step);
		buf_c(out, " %");
		break;
	case UNIT_CELSIUS:
		put_number(out, v, step);
		buf_c(out, " \xc2\xb0"
			   "C");
		break;
	case UNIT_TIMESTAMP:
		if (fabs(v) < 1e11) /* to the second */
			time_print_rfc3339(out, (int64_t)v * 1000);
		else
			put_number(out, v, step);
		break;
	case UNIT_NONE:
	default: put_plain(out, v, step); break;
	}
	if (u.per_second)
		buf_c(out, "/s");
}

void unit_print(struct buf *out, double v, struct unit u)
{
	put(out, v, 0, u);
}

void unit_print_tick(struct buf *out, double v, double step, struct unit u)
{
	put(out, v, step, u);
}
