/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse_dur - durations as numbers, numbers as durations, and arithmetic over both:
 * [5m + step()], offset -(1h / 2). And their values at evaluation.
 */
#include <math.h>

#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/parse.h"

#define SECONDS_MAX 9223372036.854776 /* Go's longest duration, 2^63 ns */

int pq_parse_number(struct pq_parser *p, double *val, bool *is_duration)
{
	struct err why;
	int64_t ms;

	*is_duration = p->tok.kind == PQ_T_DURATION;
	if (*is_duration) {
		if (dur_parse(p->tok.text, &ms, &why) != 0)
			return pq_fail(p->e, p->text, p->tok.off, "%s", why.msg);
		*val = (double)ms / 1000;
	} else if (!pq_number(p->tok.text, val)) {
		return pq_unexpected(p, NULL, "a number");
	}
	return pq_advance(p);
}

static struct pq_dur *new_dur(struct pq_parser *p, enum pq_dur_op op, uint32_t off,
	const struct pq_dur *lhs, const struct pq_dur *rhs)
{
	unsigned height = MAX_OF(lhs != NULL ? lhs->height : 0u, rhs != NULL ? rhs->height : 0u);
	struct pq_dur *d;

	if (height + 1 > LIMIT_EXPR_DEPTH) {
		pq_fail(p->e, p->text, off, "expression deeper than %u levels", LIMIT_EXPR_DEPTH);
		p->e->kind = ERR_LIMIT;
		p->e->code = PQ_BOUND_DEPTH;
		return NULL;
	}
	d = ARENA_NEW(p->a, struct pq_dur);
	if (d == NULL) {
		(void)pq_no_memory(p);
		return NULL;
	}
	*d = (struct pq_dur){.op = op, .off = off, .lhs = lhs, .rhs = rhs};
	d->len = p->last_end - off;
	d->height = (uint16_t)(height + 1);
	return d;
}

static struct pq_dur *dur_number(struct pq_parser *p)
{
	uint32_t off = p->tok.off;
	struct pq_dur *d;
	bool is_duration;
	double val = 0;

	if (pq_parse_number(p, &val, &is_duration) != 0)
		return NULL;
	if (!(fabs(val) <= SECONDS_MAX)) {
		pq_fail(p->e, p->text, off, "duration out of range");
		return NULL;
	}
	d = new_dur(p, PQ_DUR_NUMBER, off, NULL, NULL);
	if (d != NULL) {
		d->val = val;
		d->is_duration = is_duration;
	}
	return d;
}

/* step(), range(), min_of(a, b), max_of(a, b) */
static struct pq_dur *dur_call(struct pq_parser *p) /* NOLINT(misc-no-recursion) */
{
	enum pq_tok word = p->tok.kind;
	const struct pq_dur *lhs = NULL, *rhs = NULL;
	uint32_t off = p->tok.off;
	enum pq_dur_op op = word == PQ_T_STEP     ? PQ_DUR_STEP
			    : word == PQ_T_RANGE  ? PQ_DUR_RANGE
			    : word == PQ_T_MIN_OF ? PQ_DUR_MIN
						  : PQ_DUR_MAX;

	if (pq_advance(p) != 0 || pq_expect(p, PQ_T_LPAREN, "duration expression", "\"(\"") != 0)
		return NULL;
	if (word == PQ_T_MIN_OF || word == PQ_T_MAX_OF) {
		lhs = pq_parse_dur(p, PQ_POW_LOWEST);
		if (lhs == NULL || pq_expect(p, PQ_T_COMMA, "duration expression", "\",\"") != 0)
			return NULL;
		rhs = pq_parse_dur(p, PQ_POW_LOWEST);
		if (rhs == NULL)
			return NULL;
	}
	if (pq_expect(p, PQ_T_RPAREN, "duration expression", "\")\"") != 0)
		return NULL;
	return new_dur(p, op, off, lhs, rhs);
}

static struct pq_dur *dur_paren(struct pq_parser *p) /* NOLINT(misc-no-recursion) */
{
	uint32_t off = p->tok.off;
	struct pq_dur *d;

	if (pq_advance(p) != 0)
		return NULL;
	d = pq_parse_dur(p, PQ_POW_LOWEST);
	if (d == NULL)
		return NULL;
	if (p->tok.kind == PQ_T_END) {
		pq_fail(p->e, p->text, off, "unclosed left parenthesis");
		return NULL;
	}
	if (pq_expect(p, PQ_T_RPAREN, "duration expression", "an operator or \")\"") != 0)
		return NULL;
	if (d->op == PQ_DUR_NUMBER) /* only expressions remember their parentheses */
		d = new_dur(p, PQ_DUR_POS, off, NULL, d);
	if (d != NULL)
		d->wrapped = true;
	return d;
}

/* A sign before something: folded into a literal, dropped when it is a plus. */
static struct pq_dur *dur_signed(struct pq_parser *p, bool minus, uint32_t off, struct pq_dur *d)
{
	if (d == NULL)
		return NULL;
	if (d->op == PQ_DUR_NUMBER) {
		d->val = minus ? -d->val : d->val;
		d->off = off;
		d->len = p->last_end - off;
		return d;
	}
	return minus ? new_dur(p, PQ_DUR_NEG, off, NULL, d) : d;
}

static struct pq_dur *dur_prefix(struct pq_parser *p) /* NOLINT(misc-no-recursion) */
{
	uint32_t off = p->tok.off;
	bool minus = p->tok.kind == PQ_T_SUB;

	switch ((int)p->tok.kind) {
	case PQ_T_NUMBER:
	case PQ_T_DURATION: return dur_number(p);
	case PQ_T_STEP:
	case PQ_T_RANGE:
	case PQ_T_MIN_OF:
	case PQ_T_MAX_OF: return dur_call(p);
	case PQ_T_LPAREN: return dur_paren(p);
	case PQ_T_ADD:
	case PQ_T_SUB:
		if (pq_advance(p) != 0)
			return NULL;
		return dur_signed(p, minus, off, pq_parse_dur(p, PQ_POW_PRODUCT));
	default:
		(void)pq_unexpected(
			p, "duration expression", "number, duration, step(), or range()");
		return NULL;
	}
}

static bool dur_operator(enum pq_tok tok, enum pq_dur_op *op, enum pq_power *power)
{
	static const struct {
		enum pq_tok tok;
		enum pq_dur_op op;
		enum pq_power power;
	} table[] = {
		{PQ_T_ADD, PQ_DUR_ADD, PQ_POW_SUM},
		{PQ_T_SUB, PQ_DUR_SUB, PQ_POW_SUM},
		{PQ_T_MUL, PQ_DUR_MUL, PQ_POW_PRODUCT},
		{PQ_T_DIV, PQ_DUR_DIV, PQ_POW_PRODUCT},
		{PQ_T_MOD, PQ_DUR_MOD, PQ_POW_PRODUCT},
		{PQ_T_POW, PQ_DUR_POW, PQ_POW_POWER},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].tok != tok)
			continue;
		*op = table[i].op;
		*power = table[i].power;
		return true;
	}
	return false;
}

/* left op right; the operator is next. */
static struct pq_dur *dur_infix(/* NOLINT(misc-no-recursion) */
	struct pq_parser *p, const struct pq_dur *left, enum pq_dur_op op, enum pq_power power)
{
	uint32_t at = p->tok.off;
	const struct pq_dur *right;

	if (pq_advance(p) != 0)
		return NULL;
	right = pq_parse_dur(p, power == PQ_POW_POWER ? PQ_POW_PRODUCT : power);
	if (right == NULL)
		return NULL;
	if ((op == PQ_DUR_DIV || op == PQ_DUR_MOD) && right->op == PQ_DUR_NUMBER &&
		right->val == 0) {
		pq_fail(p->e, p->text, at, "%s by zero", op == PQ_DUR_DIV ? "division" : "modulo");
		return NULL;
	}
	return new_dur(p, op, left->off, left, right);
}

static struct pq_dur *dur_rest(/* NOLINT(misc-no-recursion) */
	struct pq_parser *p, struct pq_dur *d, enum pq_power min)
{
	enum pq_power power;
	enum pq_dur_op op;

	while (d != NULL && dur_operator(p->tok.kind, &op, &power) && power > min)
		d = dur_infix(p, d, op, power);
	return d;
}

/* The recursion of this file is bounded by pq_enter. */
struct pq_dur *pq_parse_dur(struct pq_parser *p, enum pq_power min) /* NOLINT(misc-no-recursion) */
{
	struct pq_dur *d;

	if (pq_enter(p) != 0)
		return NULL;
	d = dur_rest(p, dur_prefix(p), min);
	p->depth--;
	return d;
}

/*
 * Without parentheses an offset is one number or call, so that `a offset 5m * 2` stays a product
 * of vectors. Behind a parenthesis the duration goes on, as upstream: `offset (5m) * 2`, unless
 * what follows the operator can only be an expression.
 */
struct pq_dur *pq_parse_offset(struct pq_parser *p)
{
	bool sign = p->tok.kind == PQ_T_ADD || p->tok.kind == PQ_T_SUB;
	bool minus = p->tok.kind == PQ_T_SUB;
	uint32_t off = p->tok.off;
	struct pq_lexer ahead;
	struct err ignored;
	enum pq_power power;
	enum pq_dur_op op;
	enum pq_tok after;

	if (p->tok.kind == PQ_T_LPAREN) {
		struct pq_dur *d = dur_paren(p);

		if (d == NULL || !dur_operator(p->tok.kind, &op, &power))
			return d;
		ahead = p->lx;
		after = pq_lex(&ahead, &ignored).kind;
		return after == PQ_T_NAME || after == PQ_T_METRIC || after == PQ_T_AGG ||
				       after == PQ_T_LBRACE
			       ? d
			       : dur_rest(p, d, PQ_POW_LOWEST);
	}
	if (sign && pq_advance(p) != 0)
		return NULL;
	if (sign && (p->tok.kind == PQ_T_ADD || p->tok.kind == PQ_T_SUB))
		return dur_signed(p, minus, off, pq_parse_dur(p, PQ_POW_PRODUCT));
	switch ((int)p->tok.kind) {
	case PQ_T_NUMBER:
	case PQ_T_DURATION:
	case PQ_T_STEP:
	case PQ_T_RANGE:
	case PQ_T_MIN_OF:
	case PQ_T_MAX_OF:
	case PQ_T_LPAREN: break;
	default:
		(void)pq_unexpected(p, "offset", "number, duration, step(), or range()");
		return NULL;
	}
	return sign ? dur_signed(p, minus, off, dur_prefix(p)) : dur_prefix(p);
}

int pq_settle_dur(struct pq_parser *p, const struct pq_dur *d, bool negative, int64_t *ms,
	const struct pq_dur **expr)
{
	*ms = 0;
	*expr = d->op == PQ_DUR_NUMBER ? NULL : d;
	if (*expr != NULL)
		return 0;
	if (!negative && d->val <= 0)
		return pq_fail(p->e, p->text, d->off, "duration must be greater than 0");
	*ms = num_clamp_i64(trunc(round(d->val * 1e9) / 1e6));
	if (!negative && *ms == 0)
		return pq_fail(p->e, p->text, d->off, "duration must be at least 1ms");
	return 0;
}

/* ---- values ---- */

struct dur_eval {
	double step, range; /* seconds */
	const char *wrong;
	const struct pq_dur *at;
};

static double apply(struct dur_eval *v, const struct pq_dur *d, double l, double r)
{
	switch (d->op) {
	case PQ_DUR_NUMBER: return d->val;
	case PQ_DUR_STEP: return v->step;
	case PQ_DUR_RANGE: return v->range;
	case PQ_DUR_MIN: /* Go's Min and Max: NaN wins */
		return isnan(l) || isnan(r) ? NAN : fmin(l, r);
	case PQ_DUR_MAX: return isnan(l) || isnan(r) ? NAN : fmax(l, r);
	case PQ_DUR_POS: return r;
	case PQ_DUR_NEG: return -r;
	case PQ_DUR_ADD: return l + r;
	case PQ_DUR_SUB: return l - r;
	case PQ_DUR_MUL: return l * r;
	case PQ_DUR_DIV:
	case PQ_DUR_MOD:
		if (r == 0 && v->wrong == NULL) {
			v->wrong = d->op == PQ_DUR_DIV ? "division by zero" : "modulo by zero";
			v->at = d;
		}
		return d->op == PQ_DUR_DIV ? l / r : fmod(l, r);
	case PQ_DUR_POW: return pow(l, r);
	}
	return NAN;
}

/* Recursion is bounded by the height of the tree. */
static double value(struct dur_eval *v, const struct pq_dur *d) /* NOLINT(misc-no-recursion) */
{
	double l = d->lhs != NULL ? value(v, d->lhs) : 0;
	double r = d->rhs != NULL ? value(v, d->rhs) : 0;

	return apply(v, d, l, r);
}

int pq_dur_eval(const struct pq_dur *d, int64_t step_ms, int64_t range_ms, bool negative,
	int64_t *ms, struct err *e)
{
	struct dur_eval v = {(double)step_ms / 1000, (double)range_ms / 1000, NULL, d};
	double s = value(&v, d);

	if (v.wrong == NULL && !isfinite(s))
		v.wrong = "duration is NaN or infinite";
	else if (v.wrong == NULL && s <= 0 && !negative)
		v.wrong = "duration must be greater than 0";
	else if (v.wrong == NULL && fabs(s) > SECONDS_MAX)
		v.wrong = "duration is out of range";
	if (v.wrong != NULL)
		return err_set_at(e, ERR_INPUT, v.at->off, "%u:%u: %s", v.at->off,
			v.at->off + v.at->len, v.wrong);
	*ms = num_clamp_i64(trunc(s * 1000));
	if (*ms == 0 && !negative)
		return err_set_at(e, ERR_INPUT, d->off, "%u:%u: duration must be at least 1ms",
			d->off, d->off + d->len);
	return 0;
}
