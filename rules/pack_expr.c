/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_expr - parameters and time scale of one expression of a pack; see pack.h.
 *
 * The tree was parsed here, into memory that nobody else knows yet: it is changed in place before
 * it is printed. A mark is a comment "$name" behind a number literal on the same line.
 */
#include <stdint.h>

#include "base/num.h"
#include "rules/pack_internal.h"
#include "rules/promql/ast.h"
#include "rules/promql/format.h"

struct mark {
	struct str name;
	size_t off; /* of the # */
};

int64_t pack_scale_ms(int64_t ms, double scale)
{
	int64_t v = num_clamp_i64((double)ms * scale + (ms < 0 ? -0.5 : 0.5));

	if (v == 0 && ms != 0)
		return ms < 0 ? -1 : 1;
	return v;
}

static struct pq_expr *change(const struct pq_expr *x)
{
	return (struct pq_expr *)(uintptr_t)x;
}

/* --- durations --- */

static int no_expression(const struct pq_dur *d, struct err *e)
{
	if (d == NULL)
		return 0;
	return err_set_at(e, ERR_INPUT, d->off,
		"a duration that is an expression cannot be scaled by time_scale");
}

static int scale_when(struct pq_when *w, double scale, struct err *e)
{
	w->offset_ms = pack_scale_ms(w->offset_ms, scale);
	return no_expression(w->offset_expr, e);
}

/* predict_linear's horizon is a number of seconds. */
static int scale_horizon(const struct pq_expr *call, double scale, struct err *e)
{
	const struct pq_expr *arg;

	if (!str_eq(str_c(call->u.call.func->name), STR("predict_linear")) || call->u.call.n < 2)
		return 0;
	arg = pq_unparen(call->u.call.args[1]);
	if (arg->kind != PQ_NUMBER)
		return err_set_at(e, ERR_INPUT, arg->off,
			"predict_linear in a pack needs a number, so that time_scale can change "
			"it");
	if (!arg->u.number.is_duration) /* else it is scaled as one */
		change(arg)->u.number.val *= scale;
	return 0;
}

/* What a rule recorded has a sample every evaluation, whatever the scrapes do. */
static bool is_recorded(const struct pq_expr *selector)
{
	return str_find(selector->u.selector.name, ':') < selector->u.selector.name.n;
}

/* A range over scraped or sent samples keeps enough of them when it shrinks. */
static int64_t scale_range_ms(const struct pq_expr *range, const struct pack_values *val)
{
	int64_t full = range->u.range.range_ms, ms = pack_scale_ms(full, val->time_scale);

	if (is_recorded(range->u.range.of))
		return ms;
	return MAX_OF(ms, MIN_OF(full, PACK_RANGE_SAMPLES * val->sample_ms));
}

static int scale_node(struct pq_expr *x, const struct pack_values *val, struct err *e)
{
	double scale = val->time_scale;

	switch (x->kind) {
	case PQ_NUMBER:
		if (x->u.number.is_duration)
			x->u.number.val *= scale;
		return 0;
	case PQ_SELECTOR: return scale_when(&x->u.selector.when, scale, e);
	case PQ_RANGE:
		x->u.range.range_ms = scale_range_ms(x, val);
		return no_expression(x->u.range.range_expr, e);
	case PQ_SUBQUERY:
		x->u.subquery.range_ms = pack_scale_ms(x->u.subquery.range_ms, scale);
		x->u.subquery.step_ms = pack_scale_ms(x->u.subquery.step_ms, scale);
		if (no_expression(x->u.subquery.range_expr, e) != 0 ||
			no_expression(x->u.subquery.step_expr, e) != 0)
			return -1;
		return scale_when(&x->u.subquery.when, scale, e);
	case PQ_CALL: return scale_horizon(x, scale, e);
	case PQ_TEXT:
	case PQ_AGGREGATE:
	case PQ_BINARY:
	case PQ_UNARY:
	case PQ_PAREN: return 0;
	}
	return 0;
}

/* Recursion is bounded by the height of the tree. */
static int scale_tree(const struct pq_expr *x, /* NOLINT(misc-no-recursion) */
	const struct pack_values *val, struct err *e)
{
	const struct pq_expr *c;

	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++) {
		if (scale_tree(c, val, e) != 0)
			return -1;
	}
	return scale_node(change(x), val, e);
}

/* --- marks --- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9'))
			return false;
	}
	return s.n > 0;
}

/* The next mark at or behind *at, which moves behind it. */
static bool next_mark(struct str text, size_t *at, struct mark *m)
{
	char quote = '\0';

	for (size_t i = *at; i < text.n; i++) {
		char c = text.p[i];
		struct str rest, line;

		if (quote != '\0') {
			if (c == '\\' && quote != '`')
				i++;
			else if (c == quote)
				quote = '\0';
			continue;
		}
		if (c == '"' || c == '\'' || c == '`')
			quote = c;
		if (c != '#')
			continue;
		rest = str_sub(text, i + 1, text.n);
		line = str_trim(str_sub(rest, 0, str_find(rest, '\n')));
		*m = (struct mark){str_sub(line, 1, line.n), i};
		i += str_find(rest, '\n');
		*at = i + 1;
		if (line.n > 1 && line.p[0] == '$' && is_name(m->name))
			return true;
	}
	return false;
}

/* The number that ends last before `off`. Recursion is bounded by the height of the tree. */
static void last_number(const struct pq_expr *x, /* NOLINT(misc-no-recursion) */
	size_t off, const struct pq_expr **best)
{
	const struct pq_expr *c;

	if (x->kind == PQ_NUMBER && (size_t)x->off + x->len <= off &&
		(*best == NULL || (*best)->off < x->off))
		*best = x;
	for (size_t i = 0; (c = pq_child(x, i)) != NULL; i++)
		last_number(c, off, best);
}

static int mark_error(const struct mark *m, struct err *e, const char *what)
{
	return err_set_at(e, ERR_INPUT, m->off, "$" STR_FMT ": %s", STR_ARG(m->name), what);
}

static int put_in(const struct pack *p, const struct pq_expr *root, struct str text,
	const struct mark *m, const struct pack_values *val, struct err *e)
{
	const struct pq_expr *num = NULL;
	size_t i = 0;

	last_number(root, m->off, &num);
	for (size_t at = num != NULL ? num->off + num->len : m->off; at < m->off; at++) {
		if (text.p[at] != ' ' && text.p[at] != ')')
			num = NULL;
	}
	if (num == NULL)
		return mark_error(m, e, "no number stands in front of it on its line");
	while (i < p->n_params && !str_eq(p->params[i].name, m->name))
		i++;
	if (i == p->n_params)
		return mark_error(m, e, "the pack declares no such parameter");
	if (num->u.number.val < p->params[i].def || num->u.number.val > p->params[i].def)
		return mark_error(m, e, "the number is not the parameter's default");
	if (val != NULL)
		change(num)->u.number.val = val->v[i];
	return 0;
}

int pack_expr(struct arena *a, const struct pack *p, struct str text, const struct pack_values *val,
	struct buf *out, struct err *e)
{
	const struct pq_expr *x = pq_parse(a, text, true, e);
	struct mark m;
	size_t at = 0;

	if (x == NULL)
		return -1;
	while (next_mark(text, &at, &m)) {
		if (put_in(p, x, text, &m, val, e) != 0)
			return -1;
	}
	if (val == NULL)
		return 0;
	if ((val->time_scale < 1 || val->time_scale > 1) && scale_tree(x, val, e) != 0)
		return -1;
	pq_expr_pretty(out, x);
	return 0;
}
