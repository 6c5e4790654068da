/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast - the typed syntax tree of PromQL.
 *
 * Made by pq_parse (rules/promql/engine.h), read-only afterwards: any number of threads may
 * evaluate one tree at once. Everything, compiled regular expressions too, belongs to the arena
 * given to pq_parse. The height is bounded by LIMIT_EXPR_DEPTH at construction, so that plain
 * recursion over a tree is safe. Type-checked: arguments have the types of their descriptors.
 */
#ifndef BELFRY_RULES_PROMQL_AST_H
#define BELFRY_RULES_PROMQL_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/matcher.h"
#include "base/str.h"
#include "rules/promql/engine.h"
#include "rules/promql/func_table.h"

enum pq_kind {
	PQ_NUMBER,    /* u.number     scalar */
	PQ_TEXT,      /* u.text       string */
	PQ_SELECTOR,  /* u.selector   vector */
	PQ_RANGE,     /* u.range      matrix: a selector with [range] */
	PQ_SUBQUERY,  /* u.subquery   matrix */
	PQ_AGGREGATE, /* u.aggregate  vector */
	PQ_BINARY,    /* u.binary     scalar when both sides are, else vector */
	PQ_CALL,      /* u.call       the function's result type */
	PQ_UNARY,     /* u.unary      scalar or vector, as its operand */
	PQ_PAREN,     /* u.paren      as its content */
};

enum pq_op {
	PQ_OP_OR,
	PQ_OP_AND,
	PQ_OP_UNLESS,
	PQ_OP_EQ,
	PQ_OP_NE,
	PQ_OP_LT,
	PQ_OP_LE,
	PQ_OP_GT,
	PQ_OP_GE,
	PQ_OP_TRIM_UPPER, /* vector </ scalar: cut a histogram above */
	PQ_OP_TRIM_LOWER, /* vector >/ scalar: cut a histogram below */
	PQ_OP_ADD,
	PQ_OP_SUB,
	PQ_OP_MUL,
	PQ_OP_DIV,
	PQ_OP_MOD,
	PQ_OP_ATAN2,
	PQ_OP_POW,
};

static inline bool pq_op_is_set(enum pq_op op)
{
	return op <= PQ_OP_UNLESS;
}

static inline bool pq_op_is_comparison(enum pq_op op)
{
	return op >= PQ_OP_EQ && op <= PQ_OP_GE;
}

/* As written: "+", "==", "and". */
const char *pq_op_name(enum pq_op op);

/* A duration written as an expression: [5m + step()], offset -(1h / 2). */
enum pq_dur_op {
	PQ_DUR_NUMBER, /* val */
	PQ_DUR_STEP,   /* step(): of the query; 0 in an instant query */
	PQ_DUR_RANGE,  /* range(): end - start of the query */
	PQ_DUR_MIN,    /* min_of(lhs, rhs) */
	PQ_DUR_MAX,    /* max_of(lhs, rhs) */
	PQ_DUR_POS,    /* +rhs */
	PQ_DUR_NEG,    /* -rhs */
	PQ_DUR_ADD,
	PQ_DUR_SUB,
	PQ_DUR_MUL,
	PQ_DUR_DIV,
	PQ_DUR_MOD,
	PQ_DUR_POW,
};

struct pq_dur {
	enum pq_dur_op op;
	bool wrapped;     /* stood in parentheses */
	bool is_duration; /* PQ_DUR_NUMBER written as "5m", not as "300" */
	uint16_t height;
	uint32_t off, len; /* bytes of the query text */
	double val;        /* seconds */
	const struct pq_dur *lhs, *rhs;
};

/* Its value in ms. Refuses NaN, infinity, a division by zero, what does not fit, and values <= 0
 * unless `negative` is allowed (offsets). Texts as "1:5: duration must be greater than 0". */
int pq_dur_eval(const struct pq_dur *d, int64_t step_ms, int64_t range_ms, bool negative,
	int64_t *ms, struct err *e) MUST_CHECK;

enum pq_at {
	PQ_AT_NONE,
	PQ_AT_TIME,  /* @ 1609746000: at_ms */
	PQ_AT_START, /* @ start() */
	PQ_AT_END,   /* @ end() */
};

/* `@` and `offset` of a selector or subquery, in whatever order they were written. */
struct pq_when {
	enum pq_at at;
	int64_t at_ms;
	int64_t offset_ms; /* sample time = evaluation (or @) time - offset; may be negative */
	const struct pq_dur *offset_expr; /* not NULL: offset_ms is 0, evaluate this */
};

struct pq_selector {
	struct str name; /* written before the braces; empty when not (a matcher may name it) */
	const struct matcher *m; /* all matchers; the one made of `name` stands last */
	size_t n;
	struct pq_when when;
	bool anchored, smoothed; /* never both */
};

enum pq_card { PQ_ONE_TO_ONE, PQ_MANY_TO_ONE, PQ_ONE_TO_MANY, PQ_MANY_TO_MANY };

struct pq_names {
	const struct str *v; /* as written: order kept, duplicates too */
	size_t n;
};

/* How two vectors are matched. */
struct pq_matching {
	enum pq_card card; /* MANY_TO_ONE: group_left; MANY_TO_MANY: and, or, unless */
	bool on;           /* on(labels); else ignoring(labels), empty when neither was written */
	struct pq_names labels;
	struct pq_names include; /* group_left(...) / group_right(...) */
	bool has_fill_left, has_fill_right;
	double fill_left, fill_right; /* value of a missing left / right side */
};

struct pq_expr {
	enum pq_kind kind;
	enum pq_type type;
	uint16_t height; /* 1 for a leaf */
	uint32_t id; /* 0.. in post-order: children before parents, the root's is the greatest */
	uint32_t off, len; /* bytes of the query text, modifiers included */
	struct str source; /* the whole query text; at the root only */
	union {
		struct {
			double val;
			bool is_duration; /* written as "5m": prints as a duration */
		} number;
		struct str text; /* unquoted; may hold NUL */
		struct pq_selector selector;
		struct {
			const struct pq_expr *of; /* PQ_SELECTOR; @, offset, anchored stand there */
			int64_t range_ms;
			const struct pq_dur *range_expr; /* not NULL: range_ms is 0 */
		} range;
		struct {
			const struct pq_expr *of;
			int64_t range_ms;
			const struct pq_dur *range_expr;
			int64_t step_ms; /* 0 and no step_expr: the default step */
			const struct pq_dur *step_expr;
			struct pq_when when;
		} subquery;
		struct {
			enum pq_agg op;
			bool without;
			bool grouped;       /* by() or without() was written, even if empty */
			struct pq_names by; /* labels of by(...) or without(...) */
			const struct pq_expr *param; /* NULL when the operator takes none */
			const struct pq_expr *of;
		} aggregate;
		struct {
			enum pq_op op;
			bool bool_mod;
			const struct pq_expr *lhs, *rhs;
			const struct pq_matching *match; /* NULL unless both sides are vectors */
		} binary;
		struct {
			const struct pq_func *func;
			const struct pq_expr *const *args;
			size_t n;
		} call;
		struct {
			bool minus; /* else a plus */
			const struct pq_expr *of;
		} unary;
		struct {
			const struct pq_expr *of;
		} paren;
	} u;
};

/* Without enclosing parentheses. */
const struct pq_expr *pq_unparen(const struct pq_expr *x);
/* Child i of a node, or NULL behind the last: lets a walk ignore the kinds. The parameter of an
 * aggregation comes after its vector; the selector of a range is a child. */
const struct pq_expr *pq_child(const struct pq_expr *x, size_t i);
/* Nodes of the tree: size of a table indexed by id. */
static inline size_t pq_node_count(const struct pq_expr *root)
{
	return (size_t)root->id + 1;
}
/* 1-based line and column (in bytes) of an offset. */
void pq_line_col(struct str text, size_t off, unsigned *line, unsigned *col);

#endif
