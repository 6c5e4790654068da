/* SPDX-License-Identifier: Apache-2.0 */
/* query_explain - see query_explain.h. A flat list, because trees are deeper than readers and
 * writers of JSON like; parentheses cost nothing and are left out. */
#include "agent/query_explain.h"

#include "base/diag.h"
#include "base/num.h"
#include "rules/promql/ast.h"

#define TEXT_BYTES 300u   /* of a node's text */
#define NAMES_MAX  50000u /* looked through for a near one */
#define HINTS_MAX  10u    /* each costs a few look-ups */

struct explain {
	struct jsonw *j;
	const struct pq_expr *root;
	const struct pq_cost *costs;
	struct store *store;
	struct arena *a;
	unsigned hints;
};

static const char *kind_name(const struct pq_expr *x)
{
	switch (x->kind) {
	case PQ_NUMBER: return "numberLiteral";
	case PQ_TEXT: return "stringLiteral";
	case PQ_SELECTOR: return "vectorSelector";
	case PQ_RANGE: return "matrixSelector";
	case PQ_SUBQUERY: return "subquery";
	case PQ_AGGREGATE: return "aggregation";
	case PQ_BINARY: return "binaryExpr";
	case PQ_CALL: return "call";
	case PQ_UNARY: return "unaryExpr";
	case PQ_PAREN: return "parenExpr";
	}
	return "";
}

/* --- what may have been meant --- */

struct names {
	struct str *v;
	size_t n;
};

/* Values of `label` (p NULL: label names) over all time; empty when they cannot be had. */
static struct names look_up(
	const struct explain *x, struct str label, const struct matcher *m, size_t n)
{
	struct names out = {NULL, 0};
	struct err e;
	int rc;

	if (label.p != NULL)
		rc = store_label_values(x->store, label, m, n, INT64_MIN / 2, INT64_MAX / 2,
			NAMES_MAX, x->a, &out.v, &out.n, &e);
	else
		rc = store_label_names(x->store, m, n, INT64_MIN / 2, INT64_MAX / 2, NAMES_MAX,
			x->a, &out.v, &out.n, &e);
	return rc == 0 && !x->a->failed ? out : (struct names){NULL, 0};
}

static bool is_there(struct names all, struct str s)
{
	for (size_t i = 0; i < all.n; i++) {
		if (str_eq(all.v[i], s))
			return true;
	}
	return false;
}

static void hint(struct explain *x, struct names all, const char *what, struct str s)
{
	struct str near = diag_nearest(s, all.v, all.n), text;

	text = arena_printf(x->a, "%s \"" STR_FMT "\"%s" STR_FMT "%s", what,
		STR_ARG(str_sub(s, 0, MIN_OF(s.n, TEXT_BYTES))),
		near.n > 0 ? ", did you mean \"" : "", STR_ARG(near), near.n > 0 ? "\"?" : "");
	x->hints++;
	if (text.p != NULL)
		jsonw_kv_str(x->j, "hint", text);
}

/* A selector without series: its name, then its labels, then their values. */
static void hint_selector(struct explain *x, const struct pq_selector *s)
{
	const struct matcher *name = NULL;
	struct names all;

	for (size_t i = 0; i < s->n; i++) {
		if (s->m[i].op == MATCH_EQ && str_eq(s->m[i].name, LABEL_NAME))
			name = &s->m[i];
	}
	if (name != NULL && look_up(x, LABEL_NAME, name, 1).n == 0) {
		hint(x, look_up(x, LABEL_NAME, NULL, 0), "there is no metric", name->value);
		return;
	}
	all = look_up(x, STR_NULL, name, name != NULL);
	for (size_t i = 0; i < s->n; i++) {
		if (!matcher_matches(&s->m[i], STR("")) && !is_there(all, s->m[i].name)) {
			hint(x, all, "no such series has the label", s->m[i].name);
			return;
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->m[i].op != MATCH_EQ || s->m[i].value.n == 0)
			continue;
		all = look_up(x, s->m[i].name, name, name != NULL);
		if (!is_there(all, s->m[i].value)) {
			hint(x, all, "no such series has the label value", s->m[i].value);
			return;
		}
	}
}

/* by() a label that no series at all has. */
static void hint_grouping(struct explain *x, struct pq_names by)
{
	struct names all = {NULL, 0};

	if (by.n > 0)
		all = look_up(x, STR_NULL, NULL, 0);
	for (size_t i = 0; all.n > 0 && i < by.n; i++) {
		if (!is_there(all, by.v[i])) {
			hint(x, all, "no series has the label", by.v[i]);
			return;
		}
	}
}

static void hints(struct explain *x, const struct pq_expr *e)
{
	const struct pq_expr *s = e->kind == PQ_RANGE ? e->u.range.of : e;

	if (x->hints >= HINTS_MAX)
		return;
	if (s->kind == PQ_SELECTOR && x->costs[e->id].selected == 0)
		hint_selector(x, &s->u.selector);
	else if (e->kind == PQ_AGGREGATE && !e->u.aggregate.without)
		hint_grouping(x, e->u.aggregate.by);
}

/* --- the list --- */

/* Time with that of all nodes below. */
/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static int64_t total_ns(const struct explain *x, const struct pq_expr *e)
{
	int64_t sum = x->costs[e->id].self_ns;
	const struct pq_expr *c;

	for (size_t i = 0; (c = pq_child(e, i)) != NULL; i++)
		sum += total_ns(x, c);
	return sum;
}

static void node(struct explain *x, const struct pq_expr *e, int64_t parent, unsigned depth)
{
	const struct pq_cost *c = &x->costs[e->id];
	struct str text = str_sub(x->root->source, e->off, e->off + MIN_OF(e->len, TEXT_BYTES));

	jsonw_object(x->j);
	jsonw_kv_i64(x->j, "id", e->id);
	jsonw_key(x->j, "parent");
	if (parent >= 0)
		jsonw_i64(x->j, parent);
	else
		jsonw_null(x->j);
	jsonw_kv_i64(x->j, "depth", depth);
	jsonw_kv_c(x->j, "type", kind_name(e));
	jsonw_kv_str(x->j, "expr", text);
	jsonw_kv_i64(x->j, "start", e->off);
	jsonw_kv_i64(x->j, "end", (int64_t)e->off + e->len);
	jsonw_kv_f64(x->j, "seconds", (double)total_ns(x, e) / 1e9);
	jsonw_kv_f64(x->j, "selfSeconds", (double)c->self_ns / 1e9);
	if (e->kind == PQ_SELECTOR || e->kind == PQ_RANGE)
		jsonw_kv_i64(x->j, "selected", (int64_t)c->selected);
	jsonw_kv_i64(x->j, "series", (int64_t)c->series);
	jsonw_kv_i64(x->j, "points", (int64_t)c->points);
	jsonw_kv_i64(x->j, "samples", (int64_t)c->samples);
	hints(x, e);
	jsonw_object_end(x->j);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIMIT_EXPR_DEPTH */
static void tree(struct explain *x, const struct pq_expr *e, int64_t parent, unsigned depth)
{
	const struct pq_expr *c;

	e = pq_unparen(e);
	node(x, e, parent, depth);
	for (size_t i = 0; e->kind != PQ_RANGE && (c = pq_child(e, i)) != NULL; i++)
		tree(x, c, e->id, depth + 1);
}

void query_explain(struct jsonw *j, const struct pq_expr *root, const struct pq_cost *costs,
	struct store *store, struct arena *a)
{
	struct explain x = {j, root, costs, store, a, 0};

	jsonw_key(j, "explain");
	jsonw_object(j);
	jsonw_kv_i64(j, "memoryBytes", (int64_t)a->used);
	jsonw_key(j, "nodes");
	jsonw_array(j);
	tree(&x, root, -1, 0);
	jsonw_array_end(j);
	jsonw_object_end(j);
}
