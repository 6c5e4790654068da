/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval - inside the evaluator: what its files share. Nobody outside rules/promql includes this.
 *
 * Evaluation is column-wise and pushes: a node hands one finished series after the other (a
 * column: its values at all steps) to the sink of the node above, so that a wide query holds one
 * series at a time unless an operator needs several (aggregations by value, vector matching).
 *
 * Memory: `a` (the caller's arena) holds what lives to the end of the query; `scratch` is a stack:
 * whoever emits takes a mark before a series and releases it after, so what a sink allocates there
 * is gone when it returns. Column values and histograms are lent until the sink returns and may
 * be changed in place; labels live to the end of the query.
 */
#ifndef BELFRY_RULES_PROMQL_EVAL_H
#define BELFRY_RULES_PROMQL_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/engine.h"
#include "rules/promql/select.h"

/* The steps an expression is evaluated at: start, start + step, ... (n of them, n >= 1). */
struct grid {
	int64_t start, step;
	size_t n;
};

static inline int64_t grid_time(const struct grid *g, size_t i)
{
	return g->start + (int64_t)i * g->step;
}

/* A missing point is the staleness marker, which never is a value of a column. */
static inline bool is_absent(double v)
{
	return is_stale_nan(v);
}
#define ABSENT stale_nan()

/* One series over the grid. h is NULL when there are only floats; h[i] != NULL is a histogram
 * point, with v[i] present (0). */
struct col {
	struct labels labels;
	bool drop_name; /* the metric name goes at the end of the query */
	double *v;
	const struct hist **h;
};

static inline const struct hist *col_hist(const struct col *c, size_t i)
{
	return c->h != NULL ? c->h[i] : NULL;
}

typedef int (*emit_fn)(void *arg, struct col *c, struct err *e);
struct sink {
	emit_fn fn;
	void *arg;
};

static inline int emit(struct sink s, struct col *c, struct err *e)
{
	return s.fn(s.arg, c, e);
}

/* Raw samples of one series, staleness markers taken out. */
struct raw {
	struct labels labels;
	bool drop_name;
	size_t n;
	const int64_t *t;
	const double *v;
	const struct hist *const *h; /* NULL: floats only */
	const int64_t *start;        /* NULL: none */
};
typedef int (*raw_fn)(void *arg, struct raw *r, struct err *e);

#define EV_NOTE_KEYS 8u

struct ev {
	struct arena *a;
	struct arena scratch;
	struct arena tmp; /* work on one point: ev_tmp_done() after it */
	struct arena_mark tmp_mark;
	const struct pq_params *p;
	const struct select_source *src;
	const struct pq_expr *root;
	uint64_t samples; /* looked at */
	uint64_t work;    /* since the clock was last looked at */
	struct ev_open *open;
	/* Within histogram_count, _sum, _avg only count and sum of histograms matter, unless
	 * something between them and the selector needs buckets. Nesting levels. */
	unsigned stats_wanted, buckets_wanted;
	/* explain: the node whose time runs, and since when; eval_cost.c */
	const struct pq_expr *running;
	int64_t running_ns;
	/* annotations, and the latest keys to skip repetitions cheaply */
	struct str warnings[LIMIT_ANNOTATIONS], infos[LIMIT_ANNOTATIONS];
	size_t n_warnings, n_infos;
	struct {
		const void *at, *what, *name;
	} recent[EV_NOTE_KEYS];
	size_t next_recent;
};

/* --- eval.c --- */

/* Every series of a vector expression, in the order the expression gives them. */
int eval_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
/* A scalar expression at all steps; out has g->n places. */
int eval_scalar(struct ev *ev, const struct pq_expr *x, const struct grid *g, double *out,
	struct err *e) MUST_CHECK;
/* The same into fresh scratch memory. */
double *eval_scalar_new(
	struct ev *ev, const struct pq_expr *x, const struct grid *g, struct err *e) MUST_CHECK;
/* The value does not depend on the evaluation time (selectors are pinned by @). */
bool eval_is_fixed(const struct pq_expr *x);
/* Count work (about one sample or step each) and now and then look at deadline and cancel flag. */
int ev_work(struct ev *ev, uint64_t units, struct err *e) MUST_CHECK;
/* Count samples against max_samples. */
int ev_samples(struct ev *ev, uint64_t n, struct err *e) MUST_CHECK;
/* -1 with ERR_LIMIT when an arena refused memory. */
int ev_memory(struct ev *ev, struct err *e) MUST_CHECK;

static inline void ev_tmp_done(struct ev *ev)
{
	arena_release(&ev->tmp, ev->tmp_mark);
}

/* --- eval_cost.c: explain; used only when p->costs is there --- */

/* From now on time and samples are x's; returns whose they were, for the way back. */
const struct pq_expr *cost_turn(struct ev *ev, const struct pq_expr *x);
struct pq_cost *cost_of(struct ev *ev);
/* What passes through counts as handed on by the node that runs now; the work of the receiver
 * is that of `above`. */
struct cost_tap {
	struct ev *ev;
	const struct grid *g;
	const struct pq_expr *above;
	struct sink out;
	raw_fn fn;
	void *arg;
};
int cost_col(void *arg, struct col *c, struct err *e) MUST_CHECK;
int cost_raw(void *arg, struct raw *r, struct err *e) MUST_CHECK;

/* --- eval_mat.c: several series at once --- */

struct mat {
	struct col *s;
	size_t n, cap;
};

/* Deep copy of the values into ev->a. */
int mat_add(struct ev *ev, struct mat *m, const struct grid *g, const struct col *c,
	struct err *e) MUST_CHECK;
int mat_collect(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct mat *m,
	struct err *e) MUST_CHECK;
/* Columns without any point are left out. */
int mat_emit(struct ev *ev, const struct mat *m, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
/* An empty column in ev->a: all points absent. NULL on refusal. */
struct col *mat_new_col(struct ev *ev, struct mat *m, const struct grid *g, struct labels labels);
void col_clear(struct col *c, const struct grid *g);
bool col_any(const struct col *c, const struct grid *g);
/* Give a column room for histograms; false on refusal. */
bool col_need_hists(struct arena *a, struct col *c, const struct grid *g);

/* Label set -> number, in order of first appearance. */
struct label_map {
	struct arena *a;
	uint32_t *slots; /* number + 1; 0 is free */
	size_t n_slots, n;
	struct labels *keys;
	uint64_t *hashes;
	size_t cap;
};
void label_map_init(struct label_map *m, struct arena *a);
/* The number of the set, new (and *fresh) when it was not there; SIZE_MAX on refusal. */
size_t label_map_get(struct label_map *m, struct labels ls, uint64_t hash, bool *fresh);
/* Match groups: numbers of the label subsets that on() or ignoring() compare. */
struct sig_map {
	struct label_map map;
	const struct pq_matching *match;
};
/* SIZE_MAX on refusal. */
size_t sig_map_get(struct ev *ev, struct sig_map *m, struct labels ls, bool *fresh);
/* The labels of ls that are compared. */
struct labels sig_labels(struct arena *a, struct labels ls, const struct pq_matching *match);

/* Put a column into the one of its label set, made on first sight. Two points at one step are an
 * error: "vector cannot contain metrics with the same labelset". */
struct mat_merge {
	struct label_map map;
	struct mat mat;
};
int mat_merge_add(struct ev *ev, struct mat_merge *mm, const struct grid *g, const struct col *c,
	struct err *e) MUST_CHECK;
int ev_same_labelset(struct err *e) MUST_CHECK;

/* --- eval_labels.c --- */

struct labels ev_drop_name(struct arena *a, struct labels ls);
struct labels ev_labels_keep(struct arena *a, struct labels ls, struct pq_names names);
struct labels ev_labels_without(
	struct arena *a, struct labels ls, struct pq_names names, bool and_name);
bool ev_name_in(struct str name, struct pq_names names);
static inline struct str ev_metric_name(struct labels ls)
{
	return labels_get(ls, LABEL_NAME);
}

/* --- eval_note.c: annotations --- */

#define EV_WARNING true
#define EV_INFO    false
/* "PromQL warning: TEXT (line:col)"; what (a constant) and name identify a repetition. */
void ev_note(struct ev *ev, bool warning, const struct pq_expr *at, const char *what,
	struct str name, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The notes that several files give. */
enum ev_said {
	SAID_MIXED_FLOATS,     /* floats and histograms in a range */
	SAID_MIXED_FLOATS_AGG, /* ... in an aggregation */
	SAID_MIXED_SCHEMAS,    /* exponential and custom buckets */
	SAID_NOT_COUNTER,
	SAID_NOT_GAUGE,
	SAID_IGNORED_IN_RANGE, /* histograms beside floats */
	SAID_COLLISION_AGG,
	SAID_COLLISION_ADD,
	SAID_COLLISION_SUB,
	SAID_RECONCILED_AGG,
	SAID_RECONCILED_ADD,
	SAID_RECONCILED_SUB,
	SAID_SORT_IN_RANGE,
	SAID_START_OVERLAP,
	SAID_NON_COUNTER,
	SAID_QUANTILE_NAN,
	SAID_QUANTILE_SKEW,
	SAID_FRACTION_NAN,
	SAID_CLASSIC_AND_NATIVE,
};
void ev_say(struct ev *ev, enum ev_said what, const struct pq_expr *at, struct str name);
/* The texts, for the result. */
const struct str *ev_copy_notes(struct ev *ev, const struct str *list, size_t n);
void ev_say_quantile(struct ev *ev, double q, const struct pq_expr *at);

/* --- eval_selector.c --- */

/* When the samples of a selector or subquery are looked at. */
struct moment {
	bool fixed;     /* by @: at every step the same */
	int64_t at;     /* then: the time */
	int64_t offset; /* subtracted */
};
int ev_moment(struct ev *ev, const struct pq_when *w, struct moment *m, struct err *e) MUST_CHECK;
static inline int64_t moment_time(const struct moment *m, const struct grid *g, size_t i)
{
	return i64_sub_sat(m->fixed ? m->at : grid_time(g, i), m->offset);
}
int ev_duration(struct ev *ev, int64_t fixed_ms, const struct pq_dur *d, bool negative, int64_t *ms,
	struct err *e) MUST_CHECK;

/* All series of a selector with their samples in [mint, maxt]. */
int sel_each_raw(struct ev *ev, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	raw_fn fn, void *arg, struct err *e) MUST_CHECK;
/* The same as they are stored, with staleness markers. */
int sel_each_stored(struct ev *ev, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	raw_fn fn, void *arg, struct err *e) MUST_CHECK;
int smooth_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK; /* eval_smooth.c */
int sel_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
/* Instant selection with a choice of what becomes the value. */
enum sel_value {
	SEL_VALUE,
	SEL_TIME,
	SEL_START,
	SEL_FLOAT_TIME, /* of floats; a histogram is an error: info metrics have none */
};
int sel_each_as(struct ev *ev, const struct pq_expr *x, const struct grid *g, enum sel_value what,
	struct sink out, struct err *e) MUST_CHECK;
int sel_each_at(struct ev *ev, const struct matcher *m, size_t n, const struct moment *when,
	const struct grid *g, enum sel_value what, struct sink out, struct err *e) MUST_CHECK;
void sel_close_all(struct ev *ev);

/* --- eval_range.c: range vectors --- */

/* All series of a range selector or subquery with the samples any step may need. */
struct range {
	const struct pq_expr *x; /* PQ_RANGE or PQ_SUBQUERY */
	struct moment when;
	int64_t width; /* ms */
	bool anchored, smoothed;
};
int range_init(struct ev *ev, const struct pq_expr *x, struct range *r, struct err *e) MUST_CHECK;
int range_each(struct ev *ev, const struct range *r, const struct grid *g, raw_fn fn, void *arg,
	struct err *e) MUST_CHECK;

/* eval_matrix.c: the root of an instant query is a range vector. */
int matrix_result(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct pq_result *out, struct err *e) MUST_CHECK;

/* --- functions: fn_*.c, window_*.c --- */

typedef int (*fn_each_fn)(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e);
int fn_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int window_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_math_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_time_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_label_replace(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_label_join(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_sort_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_hist_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_hist_quantile(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_absent(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int fn_absent_over_time(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e) MUST_CHECK;
int fn_info_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
/* The arguments of a call without parentheses around them. */
static inline const struct pq_expr *ev_arg(const struct pq_expr *x, size_t i)
{
	return pq_unparen(x->u.call.args[i]);
}

/* --- operators --- */

int binary_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int match_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int set_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
double binary_scalar(enum pq_op op, double l, double r);
/* One pair of points. Histograms of the result lie in scratch. */
struct operand {
	double v;
	const struct hist *h;
};
enum binary_result {
	BINARY_NONE,  /* these types do not go with the operator (said so), or no memory */
	BINARY_FALSE, /* a comparison that does not hold */
	BINARY_TRUE,  /* out is the result */
};
enum binary_result binary_point(struct ev *ev, const struct pq_expr *x, struct operand l,
	struct operand r, struct operand *out);
static inline bool binary_drops_name(enum pq_op op)
{
	return op >= PQ_OP_ADD;
}

int agg_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int agg_k_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int agg_quantile_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
int agg_values_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e) MUST_CHECK;
/* Which group a series belongs to; new groups get their labels. SIZE_MAX on refusal. */
struct agg_groups {
	struct label_map map;
	const struct pq_expr *x;
	struct pq_names sorted;
};
void agg_groups_init(struct ev *ev, struct agg_groups *gr, const struct pq_expr *x);
size_t agg_groups_of(struct ev *ev, struct agg_groups *gr, struct labels ls, bool *fresh);

#endif
