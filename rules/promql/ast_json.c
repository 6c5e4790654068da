/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast_json - the JSON of a tree; see format.h. Each node has a writer of its own, because trees
 * are deeper than one writer counts.
 */
#include "base/f64.h"
#include "base/jsonw.h"
#include "rules/promql/format.h"
#include "rules/promql/print.h"

static void node(struct buf *b, const struct pq_expr *x);

/* The key of a value that something else writes next. */
static struct buf *open_value(struct jsonw *j, const char *key)
{
	jsonw_key(j, key);
	jsonw_raw(j, STR(""));
	return j->b;
}

static void kv_null(struct jsonw *j, const char *key)
{
	jsonw_key(j, key);
	jsonw_null(j);
}

static void kv_node(/* NOLINT(misc-no-recursion) */
	struct jsonw *j, const char *key, const struct pq_expr *x)
{
	if (x != NULL)
		node(open_value(j, key), x);
	else
		kv_null(j, key);
}

static void kv_number(struct jsonw *j, const char *key, double v)
{
	struct buf *b = open_value(j, key);

	buf_ch(b, '"');
	f64_print_plain(b, v);
	buf_ch(b, '"');
}

static void kv_names(struct jsonw *j, const char *key, struct pq_names names)
{
	jsonw_key(j, key);
	jsonw_array(j);
	for (size_t i = 0; i < names.n; i++)
		jsonw_str(j, names.v[i]);
	jsonw_array_end(j);
}

static const char *dur_op_name(enum pq_dur_op op)
{
	static const char *const names[] = {[PQ_DUR_STEP] = "step",
		[PQ_DUR_RANGE] = "range",
		[PQ_DUR_MIN] = "min_of",
		[PQ_DUR_MAX] = "max_of",
		[PQ_DUR_POS] = "+",
		[PQ_DUR_NEG] = "-",
		[PQ_DUR_ADD] = "+",
		[PQ_DUR_SUB] = "-",
		[PQ_DUR_MUL] = "*",
		[PQ_DUR_DIV] = "/",
		[PQ_DUR_MOD] = "%",
		[PQ_DUR_POW] = "^"};

	return names[op];
}

/* Recursion is bounded by the height of the duration. */
static void kv_dur(/* NOLINT(misc-no-recursion) */
	struct jsonw *outer, const char *key, const struct pq_dur *d)
{
	struct jsonw j;

	if (d == NULL) {
		kv_null(outer, key);
		return;
	}
	jsonw_init(&j, open_value(outer, key));
	jsonw_object(&j);
	if (d->op == PQ_DUR_NUMBER) {
		jsonw_kv_bool(&j, "duration", d->is_duration);
		jsonw_kv_c(&j, "type", "numberLiteral");
		kv_number(&j, "val", d->val);
	} else {
		kv_dur(&j, "lhs", d->lhs);
		jsonw_kv_c(&j, "op", dur_op_name(d->op));
		kv_dur(&j, "rhs", d->rhs);
		jsonw_kv_c(&j, "type", "durationExpr");
		jsonw_kv_bool(&j, "wrapped", d->wrapped);
	}
	jsonw_object_end(&j);
}

static void kv_offset(struct jsonw *j, const struct pq_when *w)
{
	jsonw_kv_i64(j, "offset", w->offset_ms);
	kv_dur(j, "offsetExpr", w->offset_expr);
}

static void kv_start_or_end(struct jsonw *j, const struct pq_when *w)
{
	if (w->at == PQ_AT_START || w->at == PQ_AT_END)
		jsonw_kv_c(j, "startOrEnd", w->at == PQ_AT_START ? "start" : "end");
	else
		kv_null(j, "startOrEnd");
}

static void kv_timestamp(struct jsonw *j, const struct pq_when *w)
{
	if (w->at == PQ_AT_TIME)
		jsonw_kv_i64(j, "timestamp", w->at_ms);
	else
		kv_null(j, "timestamp");
}

static void matchers(struct jsonw *j, const struct pq_selector *s)
{
	static const char *const types[] = {
		[MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};

	jsonw_key(j, "matchers");
	jsonw_array(j);
	for (size_t i = 0; i < s->n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", s->m[i].name);
		jsonw_kv_c(j, "type", types[s->m[i].op]);
		jsonw_kv_str(j, "value", s->m[i].value);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* A selector, or a range when `range` is one. */
static void selector(struct jsonw *j, const struct pq_selector *s, const struct pq_expr *range)
{
	jsonw_kv_bool(j, "anchored", s->anchored);
	matchers(j, s);
	jsonw_kv_str(j, "name", s->name);
	kv_offset(j, &s->when);
	if (range != NULL) {
		jsonw_kv_i64(j, "range", range->u.range.range_ms);
		kv_dur(j, "rangeExpr", range->u.range.range_expr);
	}
	jsonw_kv_bool(j, "smoothed", s->smoothed);
	kv_start_or_end(j, &s->when);
	kv_timestamp(j, &s->when);
	jsonw_kv_c(j, "type", range != NULL ? "matrixSelector" : "vectorSelector");
}

static void subquery(struct jsonw *j, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	kv_node(j, "expr", x->u.subquery.of);
	kv_offset(j, &x->u.subquery.when);
	jsonw_kv_i64(j, "range", x->u.subquery.range_ms);
	kv_dur(j, "rangeExpr", x->u.subquery.range_expr);
	kv_start_or_end(j, &x->u.subquery.when);
	jsonw_kv_i64(j, "step", x->u.subquery.step_ms);
	kv_dur(j, "stepExpr", x->u.subquery.step_expr);
	kv_timestamp(j, &x->u.subquery.when);
	jsonw_kv_c(j, "type", "subquery");
}

static void aggregate(struct jsonw *j, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	kv_node(j, "expr", x->u.aggregate.of);
	kv_names(j, "grouping", x->u.aggregate.by);
	jsonw_kv_c(j, "op", pq_aggregation(x->u.aggregate.op)->name);
	kv_node(j, "param", x->u.aggregate.param);
	jsonw_kv_c(j, "type", "aggregation");
	jsonw_kv_bool(j, "without", x->u.aggregate.without);
}

static void fill(struct jsonw *j, const char *key, bool has, double v)
{
	jsonw_key(j, key);
	if (has)
		jsonw_f64(j, v);
	else
		jsonw_null(j);
}

static void matching(struct jsonw *j, const struct pq_matching *m)
{
	static const char *const cards[] = {[PQ_ONE_TO_ONE] = "one-to-one",
		[PQ_MANY_TO_ONE] = "many-to-one",
		[PQ_ONE_TO_MANY] = "one-to-many",
		[PQ_MANY_TO_MANY] = "many-to-many"};

	if (m == NULL) {
		kv_null(j, "matching");
		return;
	}
	jsonw_key(j, "matching");
	jsonw_object(j);
	jsonw_kv_c(j, "card", cards[m->card]);
	jsonw_key(j, "fillValues");
	jsonw_object(j);
	fill(j, "lhs", m->has_fill_left, m->fill_left);
	fill(j, "rhs", m->has_fill_right, m->fill_right);
	jsonw_object_end(j);
	kv_names(j, "include", m->include);
	kv_names(j, "labels", m->labels);
	jsonw_kv_bool(j, "on", m->on);
	jsonw_object_end(j);
}

static void binary(struct jsonw *j, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	jsonw_kv_bool(j, "bool", x->u.binary.bool_mod);
	kv_node(j, "lhs", x->u.binary.lhs);
	matching(j, x->u.binary.match);
	jsonw_kv_c(j, "op", pq_op_name(x->u.binary.op));
	kv_node(j, "rhs", x->u.binary.rhs);
	jsonw_kv_c(j, "type", "binaryExpr");
}

static const char *type_word(enum pq_type t)
{
	return t == PQ_SCALAR   ? "scalar"
	       : t == PQ_MATRIX ? "matrix"
	       : t == PQ_STRING ? "string"
				: "vector";
}

static void call(struct jsonw *j, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	const struct pq_func *f = x->u.call.func;

	jsonw_key(j, "args");
	jsonw_array(j);
	for (size_t i = 0; i < x->u.call.n; i++) {
		jsonw_raw(j, STR(""));
		node(j->b, x->u.call.args[i]);
	}
	jsonw_array_end(j);
	jsonw_key(j, "func");
	jsonw_object(j);
	jsonw_key(j, "argTypes");
	jsonw_array(j);
	for (size_t i = 0; i < f->n_args; i++)
		jsonw_c(j, type_word(pq_func_arg(f, i)));
	jsonw_array_end(j);
	jsonw_kv_c(j, "name", f->name);
	jsonw_kv_c(j, "returnType", type_word(f->result));
	jsonw_kv_i64(j, "variadic", f->variadic);
	jsonw_object_end(j);
	jsonw_kv_c(j, "type", "call");
}

/* Recursion is bounded by the height of the tree. */
static void node(struct buf *b, const struct pq_expr *x) /* NOLINT(misc-no-recursion) */
{
	struct jsonw j;

	jsonw_init(&j, b);
	jsonw_object(&j);
	switch (x->kind) {
	case PQ_NUMBER:
		jsonw_kv_c(&j, "type", "numberLiteral");
		kv_number(&j, "val", x->u.number.val);
		break;
	case PQ_TEXT:
		jsonw_kv_c(&j, "type", "stringLiteral");
		jsonw_kv_str(&j, "val", x->u.text);
		break;
	case PQ_SELECTOR: selector(&j, &x->u.selector, NULL); break;
	case PQ_RANGE: selector(&j, &x->u.range.of->u.selector, x); break;
	case PQ_SUBQUERY: subquery(&j, x); break;
	case PQ_AGGREGATE: aggregate(&j, x); break;
	case PQ_BINARY: binary(&j, x); break;
	case PQ_CALL: call(&j, x); break;
	case PQ_UNARY:
		kv_node(&j, "expr", x->u.unary.of);
		jsonw_kv_c(&j, "op", x->u.unary.minus ? "-" : "+");
		jsonw_kv_c(&j, "type", "unaryExpr");
		break;
	case PQ_PAREN:
		kv_node(&j, "expr", x->u.paren.of);
		jsonw_kv_c(&j, "type", "parenExpr");
		break;
	}
	jsonw_object_end(&j);
}

void pq_expr_json(struct buf *b, const struct pq_expr *x)
{
	node(b, x);
}
