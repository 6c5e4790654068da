/* SPDX-License-Identifier: Apache-2.0 */
/* parse_select - selectors, ranges and subqueries, and the modifiers that follow them. */
#include <math.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/parse.h"

static void free_regex(void *arg)
{
	regex_free(arg);
}

static int make_matcher(struct pq_parser *p, struct matcher *m, enum matcher_op op, struct str name,
	struct str value, size_t off)
{
	struct err why;

	if ((op == MATCH_RE || op == MATCH_NRE) && ++p->regexes > LIMIT_EXPR_REGEXES) {
		pq_fail(p->e, p->text, off, "more than %u regular expressions", LIMIT_EXPR_REGEXES);
		p->e->kind = ERR_LIMIT;
		p->e->code = PQ_BOUND_REGEX;
		return -1;
	}
	if (matcher_init(m, op, name, value, &why) != 0) {
		pq_fail(p->e, p->text, off, "%s%s", why.msg,
			str_has(value, STR("(?!")) || str_has(value, STR("(?="))
				? ", nothing looks ahead: leave out by another condition with !~"
				: "");
		p->e->kind = why.kind;
		p->e->code = why.kind == ERR_LIMIT ? PQ_BOUND_REGEX : 0;
		return -1;
	}
	if (m->re != NULL && !arena_on_release(p->a, free_regex, m->re))
		return pq_no_memory(p);
	return 0;
}

static bool match_op(enum pq_tok kind, enum matcher_op *op)
{
	switch ((int)kind) {
	case PQ_T_ASSIGN: *op = MATCH_EQ; return true;
	case PQ_T_NE: *op = MATCH_NE; return true;
	case PQ_T_MATCH: *op = MATCH_RE; return true;
	case PQ_T_NMATCH: *op = MATCH_NRE; return true;
	default: return false;
	}
}

/* name="value", "quoted name"=~"value", or "metric name" alone. */
static int parse_matcher(struct pq_parser *p, struct matcher *m)
{
	bool quoted = p->tok.kind == PQ_T_STRING;
	size_t off = p->tok.off;
	enum matcher_op op;
	struct str name = p->tok.text, value;

	if (!quoted && p->tok.kind != PQ_T_NAME)
		return pq_unexpected(p, "label matching", "identifier or \"}\"");
	if (quoted && pq_unquote(p->a, p->text, p->tok, &name, p->e) != 0)
		return -1;
	if (pq_advance(p) != 0)
		return -1;
	if (!match_op(p->tok.kind, &op)) {
		if (quoted && (p->tok.kind == PQ_T_COMMA || p->tok.kind == PQ_T_RBRACE))
			return make_matcher(p, m, MATCH_EQ, LABEL_NAME, name, off);
		if (p->tok.kind == PQ_T_EQ)
			return pq_fail(p->e, p->text, p->tok.off,
				"unexpected \"==\" in label matching, did you mean \"=\"?");
		return pq_unexpected(p, "label matching",
			quoted ? "\",\" or \"}\"" : "label matching operator (= != =~ !~)");
	}
	if (pq_advance(p) != 0)
		return -1;
	if (p->tok.kind != PQ_T_STRING)
		return pq_unexpected(p, "label matching", "string");
	off = p->tok.off;
	if (pq_unquote(p->a, p->text, p->tok, &value, p->e) != 0 || pq_advance(p) != 0)
		return -1;
	return make_matcher(p, m, op, name, value, off);
}

/* {...} into an array with room for one matcher more. */
static int parse_braces(struct pq_parser *p, struct matcher **v, size_t *n, size_t *cap)
{
	if (pq_advance(p) != 0)
		return -1;
	while (p->tok.kind != PQ_T_RBRACE) {
		if (*n > 0) {
			if (pq_expect(p, PQ_T_COMMA, "label matching", "\",\" or \"}\"") != 0)
				return -1;
			if (p->tok.kind == PQ_T_RBRACE)
				break;
		}
		if (*n + 1 >= *cap) {
			*v = pq_grow(p, *v, *n, cap, sizeof **v);
			if (*v == NULL)
				return -1;
		}
		if (parse_matcher(p, &(*v)[*n]) != 0)
			return -1;
		++*n;
	}
	return pq_advance(p);
}

/* foo, foo{...}, {...} */
struct pq_expr *pq_selector_prefix(struct pq_parser *p)
{
	uint32_t off = p->tok.off;
	struct str name = STR_NULL;
	struct matcher *m = NULL;
	size_t n = 0, cap = 0;
	struct pq_expr *x;

	if (p->tok.kind != PQ_T_LBRACE) {
		name = p->tok.text;
		if (pq_advance(p) != 0)
			return NULL;
	}
	m = pq_grow(p, NULL, 0, &cap, sizeof *m);
	if (m == NULL)
		return NULL;
	if (p->tok.kind == PQ_T_LBRACE && parse_braces(p, &m, &n, &cap) != 0)
		return NULL;
	if (name.n > 0 && make_matcher(p, &m[n++], MATCH_EQ, LABEL_NAME, name, off) != 0)
		return NULL;
	x = pq_node(p, PQ_SELECTOR, off, 0);
	if (x != NULL)
		x->u.selector = (struct pq_selector){.name = name, .m = m, .n = n};
	return x;
}

/* What makes [range] impossible behind this expression; NULL: nothing. */
static const char *range_refusal(const struct pq_expr *x)
{
	const struct pq_when *w = &x->u.selector.when;

	if (x->kind != PQ_SELECTOR)
		return "ranges only allowed for vector selectors, of other expressions take a "
		       "subquery such as [5m:]";
	if (w->offset_ms != 0 || w->offset_expr != NULL)
		return "no offset modifiers allowed before range: x[5m] offset 1h";
	return w->at != PQ_AT_NONE ? "no @ modifiers allowed before range: x[5m] @ 0" : NULL;
}

static struct pq_expr *range_of(
	struct pq_parser *p, struct pq_expr *left, uint32_t bracket, const struct pq_dur *range)
{
	const char *refusal = range_refusal(left);
	struct pq_expr *x;

	if (refusal != NULL) {
		pq_fail(p->e, p->text, bracket, "%s", refusal);
		return NULL;
	}
	x = pq_node(p, PQ_RANGE, left->off, left->height);
	if (x == NULL)
		return NULL;
	x->u.range.of = left;
	return pq_settle_dur(p, range, false, &x->u.range.range_ms, &x->u.range.range_expr) == 0
		       ? x
		       : NULL;
}

static struct pq_expr *subquery_of(struct pq_parser *p, struct pq_expr *left,
	const struct pq_dur *range, const struct pq_dur *step)
{
	struct pq_expr *x = pq_node(p, PQ_SUBQUERY, left->off, left->height);

	if (x == NULL)
		return NULL;
	x->u.subquery.of = left;
	if (pq_settle_dur(p, range, false, &x->u.subquery.range_ms, &x->u.subquery.range_expr) != 0)
		return NULL;
	if (step != NULL && pq_settle_dur(p, step, false, &x->u.subquery.step_ms,
				    &x->u.subquery.step_expr) != 0)
		return NULL;
	return x;
}

/* [5m] or [1h:1m] or [1h:] */
struct pq_expr *pq_bracket_infix(struct pq_parser *p, struct pq_expr *left)
{
	static const char wanted[] = "number, duration, step(), or range()";
	const struct pq_dur *range, *step = NULL;
	uint32_t bracket = p->tok.off;
	bool colon;

	if (pq_advance(p) != 0)
		return NULL;
	if (p->tok.kind == PQ_T_RBRACKET || p->tok.kind == PQ_T_END || p->tok.kind == PQ_T_COLON) {
		(void)pq_unexpected(p, "subquery or range selector", wanted);
		return NULL;
	}
	range = pq_parse_dur(p, PQ_POW_LOWEST);
	if (range == NULL)
		return NULL;
	colon = p->tok.kind == PQ_T_COLON;
	if (colon) {
		if (pq_advance(p) != 0)
			return NULL;
		if (p->tok.kind != PQ_T_RBRACKET) {
			step = pq_parse_dur(p, PQ_POW_LOWEST);
			if (step == NULL)
				return NULL;
		}
	}
	if (pq_expect(p, PQ_T_RBRACKET, "subquery or range", colon ? "\"]\"" : "\":\" or \"]\"") !=
		0)
		return NULL;
	return colon ? subquery_of(p, left, range, step) : range_of(p, left, bracket, range);
}

/* Where @ and offset of this expression are kept; the error is set when it can have none. */
static struct pq_when *when_of(struct pq_parser *p, struct pq_expr *x, const char *modifier)
{
	if (x->kind == PQ_SELECTOR)
		return &x->u.selector.when;
	if (x->kind == PQ_RANGE)
		return &p->nodes[x->u.range.of->id]->u.selector.when;
	if (x->kind == PQ_SUBQUERY)
		return &x->u.subquery.when;
	pq_fail(p->e, p->text, x->off,
		"%s modifier must be preceded by an instant vector selector or range vector "
		"selector or a subquery, it stands right behind one: x[5m] %s ...",
		modifier, modifier);
	return NULL;
}

struct pq_expr *pq_offset_infix(struct pq_parser *p, struct pq_expr *left)
{
	struct pq_when *w = when_of(p, left, "offset");
	const struct pq_dur *d;

	if (w == NULL || pq_advance(p) != 0)
		return NULL;
	d = pq_parse_offset(p);
	if (d == NULL)
		return NULL;
	if (w->offset_ms != 0 || w->offset_expr != NULL) {
		pq_fail(p->e, p->text, left->off, "offset may not be set multiple times");
		return NULL;
	}
	if (pq_settle_dur(p, d, true, &w->offset_ms, &w->offset_expr) != 0)
		return NULL;
	pq_close(p, left);
	return left;
}

static int parse_at_time(struct pq_parser *p, struct pq_when *w)
{
	bool minus = p->tok.kind == PQ_T_SUB, is_duration;
	uint32_t off = p->tok.off;
	double val;

	if ((minus || p->tok.kind == PQ_T_ADD) && pq_advance(p) != 0)
		return -1;
	if (p->tok.kind != PQ_T_NUMBER && p->tok.kind != PQ_T_DURATION)
		return pq_unexpected(p, "@", "timestamp, start() or end()");
	if (pq_parse_number(p, &val, &is_duration) != 0)
		return -1;
	val = minus ? -val : val;
	if (!(fabs(val) < 9223372036854775.0))
		return pq_fail(
			p->e, p->text, off, "timestamp out of bounds for @ modifier: %g", val);
	w->at = PQ_AT_TIME;
	w->at_ms = num_clamp_i64(round(val * 1000));
	return 0;
}

struct pq_expr *pq_at_infix(struct pq_parser *p, struct pq_expr *left)
{
	struct pq_when *w = when_of(p, left, "@");
	bool start;

	if (w == NULL || pq_advance(p) != 0)
		return NULL;
	if (w->at != PQ_AT_NONE) {
		pq_fail(p->e, p->text, left->off, "@ <timestamp> may not be set multiple times");
		return NULL;
	}
	start = p->tok.kind == PQ_T_START;
	if (start || p->tok.kind == PQ_T_AT_END) {
		w->at = start ? PQ_AT_START : PQ_AT_END;
		if (pq_advance(p) != 0 || pq_expect(p, PQ_T_LPAREN, "@", "\"(\"") != 0 ||
			pq_expect(p, PQ_T_RPAREN, "@", "\")\"") != 0)
			return NULL;
	} else if (parse_at_time(p, w) != 0) {
		return NULL;
	}
	pq_close(p, left);
	return left;
}

struct pq_expr *pq_extended_infix(struct pq_parser *p, struct pq_expr *left)
{
	const char *word = p->tok.kind == PQ_T_ANCHORED ? "anchored" : "smoothed";
	struct pq_selector *s;

	if (!p->experimental) {
		pq_fail(p->e, p->text, p->tok.off,
			"%s modifier is experimental and not enabled (query.experimental)", word);
		return NULL;
	}
	if (left->kind != PQ_SELECTOR && left->kind != PQ_RANGE) {
		pq_fail(p->e, p->text, left->off, "%s modifier is only supported for selectors",
			word);
		return NULL;
	}
	s = &p->nodes[left->kind == PQ_RANGE ? left->u.range.of->id : left->id]->u.selector;
	if (p->tok.kind == PQ_T_ANCHORED)
		s->anchored = true;
	else
		s->smoothed = true;
	if (s->anchored && s->smoothed) {
		pq_fail(p->e, p->text, left->off,
			"anchored and smoothed modifiers cannot be used together");
		return NULL;
	}
	if (pq_advance(p) != 0)
		return NULL;
	pq_close(p, left);
	return left;
}
