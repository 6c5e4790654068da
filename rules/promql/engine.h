/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - parse and evaluate PromQL: the entry of rules/promql for rules, API and tools.
 *
 * Pure: no threads, no clock, no globals; everything of one query lives in the caller's arena
 * (its limit is query.max_memory). Semantics: Prometheus 3.14, delayed metric-name removal on.
 */
#ifndef BELFRY_RULES_PROMQL_ENGINE_H
#define BELFRY_RULES_PROMQL_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/labels.h"
#include "rules/promql/select.h"

struct pq_expr; /* a parsed and type-checked expression; rules/promql/ast.h */

enum pq_type { PQ_SCALAR, PQ_VECTOR, PQ_MATRIX, PQ_STRING };

/* Parse and check. The text is copied. On failure e->off is the byte position, and e->msg reads
 * "1:5: parse error: unclosed left parenthesis". NULL then. `experimental` allows experimental
 * functions. */
const struct pq_expr *pq_parse(
	struct arena *a, struct str text, bool experimental, struct err *e) MUST_CHECK;
enum pq_type pq_expr_type(const struct pq_expr *x);
/* Canonical text (Prometheus's formatting of an expression on one line). */
void pq_expr_print(struct buf *b, const struct pq_expr *x);
/* "a" > 5 at the root (no bool): the other side and the threshold, for messages and resolve values.
 * False when it is not a comparison of a vector with a constant. */
bool pq_expr_threshold(
	const struct pq_expr *x, const struct pq_expr **side, double *threshold, const char **op);
/* The expression for that part of its result that has these labels: fewer series are read, the
 * values are the same. Shares what it can with x, and with the strings of `labels`. */
const struct pq_expr *pq_expr_narrow(
	struct arena *a, const struct pq_expr *x, struct labels labels);
/* Metric names / selectors the expression reads: for dependency order of rules and for lint. Calls
 * fn per selector. */
void pq_expr_selectors(const struct pq_expr *x,
	void (*fn)(const struct matcher *m, size_t n, void *arg), void *arg);
/* A selector alone, as in match[]: `up{job="x"}`. At least one matcher must not match "". */
int pq_parse_selector(
	struct arena *a, struct str text, struct matcher **m, size_t *n, struct err *e) MUST_CHECK;

/* What one node of a tree cost; pq_eval adds to entry id of the node. Its samples and time are its
 * own, without those of the nodes below. */
struct pq_cost {
	int64_t self_ns;   /* real time */
	uint64_t selected; /* series that a selector found, with or without points */
	uint64_t series;   /* handed to the node above */
	uint64_t points;   /* of these series */
	uint64_t samples;  /* looked at */
};

/* Which bound an ERR_LIMIT of pq_parse and pq_eval was: its code. */
enum pq_bound {
	PQ_BOUND_OTHER,
	PQ_BOUND_BYTES,   /* LIMIT_EXPR_BYTES */
	PQ_BOUND_DEPTH,   /* LIMIT_EXPR_DEPTH */
	PQ_BOUND_REGEX,   /* number, text or program of regular expressions */
	PQ_BOUND_STEPS,   /* LIMIT_QUERY_STEPS */
	PQ_BOUND_SAMPLES, /* max_samples */
	PQ_BOUND_MEMORY,  /* the arena's limit */
};

struct pq_params {
	int64_t start_ms, end_ms, step_ms; /* instant: start == end, step 0 */
	int64_t lookback_ms;               /* 300000 by default */
	uint64_t max_samples;              /* samples looked at, over the whole query */
	int64_t deadline_mono_ms;          /* 0: none; clock_mono_ms */
	const atomic_bool *cancel;         /* may be NULL */
	int64_t interval_ms;               /* default step of subqueries: the evaluation interval */
	bool experimental;
	/* NULL, or pq_node_count() entries: what each node cost. On the calling thread alone. */
	struct pq_cost *costs;
	/* Text template functions and `query` need nothing more. */
};

/* One series of a result. Instant vectors have one point; t is the evaluation time (or the sample's
 * own time for a matrix selector's raw samples). h[i] != NULL: histogram. */
struct pq_series {
	struct labels labels;
	size_t n;
	const int64_t *t;
	const double *v;
	const struct hist *const *h; /* NULL: floats only */
};

struct pq_result {
	enum pq_type type; /* range queries: always PQ_MATRIX */
	struct pq_series *
		series; /* vector and matrix; sorted by labels unless the expression ordered them */
	size_t n;
	bool ordered;                       /* by sort() and the like: keep this order */
	double scalar;                      /* PQ_SCALAR of an instant query */
	struct str string;                  /* PQ_STRING */
	const struct str *warnings, *infos; /* at most LIMIT_ANNOTATIONS each */
	size_t n_warnings, n_infos;
	uint64_t samples; /* looked at */
};

/* Evaluate. Errors: ERR_INPUT (422 execution), ERR_LIMIT (a limit, 422), ERR_CANCEL (code
 * ECANCELED: 499, ETIMEDOUT: 503), others 500. The result lives in the arena. The source's set is
 * opened and closed within. */
int pq_eval(struct arena *a, const struct pq_expr *x, const struct pq_params *p,
	const struct select_source *src, struct pq_result *out, struct err *e) MUST_CHECK;

#endif
