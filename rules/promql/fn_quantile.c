/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fn_quantile - histogram_quantile, histogram_quantiles, histogram_fraction over native and
 * classic histograms.
 *
 * The series of a classic histogram are those that differ in `le` only; they make a group, with
 * the native series of the same labels (at one step only one kind may have points).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/f64.h"
#include "base/stop.h"
#include "rules/promql/eval.h"
#include "rules/promql/hist_buckets.h"

#define LE STR("le")

struct member {
	struct col *c;
	double le;
};

struct group {
	struct member *m; /* classic series by le */
	uint32_t n, cap;
	struct col *native;
};

struct quantiles {
	struct ev *ev;
	const struct pq_expr *x, *vec; /* the call; its vector */
	const struct grid *g;
	struct mat in;
	struct label_map map;
	struct group *groups;
	size_t cap;
	struct classic_bucket *buckets; /* room for the largest group */
	const double *a, *b;            /* quantile, or lower and upper bound, a step */
	bool fraction;
	struct mat_merge merged; /* histogram_quantiles */
	double *v;
};

/* --- grouping --- */

static struct group *group_of(struct quantiles *k, struct labels ls)
{
	bool fresh;
	size_t at = label_map_get(&k->map, ls, labels_hash(ls), &fresh);

	if (at == SIZE_MAX)
		return NULL;
	if (at >= k->cap) {
		size_t cap = k->cap == 0 ? 32 : k->cap * 2;
		struct group *p = ARENA_ARRAY(k->ev->a, cap, struct group);

		if (p == NULL)
			return NULL;
		if (k->cap > 0)
			memcpy(p, k->groups, k->cap * sizeof *p);
		k->groups = p;
		k->cap = cap;
	}
	return &k->groups[at];
}

static bool add_member(struct quantiles *k, struct group *gr, struct col *c, double le)
{
	if (gr->n == gr->cap) {
		uint32_t cap = gr->cap == 0 ? 16 : gr->cap * 2;
		struct member *p = ARENA_ARRAY(k->ev->a, cap, struct member);

		if (p == NULL)
			return false;
		if (gr->n > 0)
			memcpy(p, gr->m, gr->n * sizeof *p);
		gr->m = p;
		gr->cap = cap;
	}
	gr->m[gr->n++] = (struct member){c, le};
	return true;
}

static void has_kinds(const struct quantiles *k, const struct col *c, bool *floats, bool *hists)
{
	*floats = false;
	*hists = false;
	for (size_t i = 0; i < k->g->n; i++) {
		if (col_hist(c, i) != NULL)
			*hists = true;
		else if (!is_absent(c->v[i]))
			*floats = true;
	}
}

static bool place(struct quantiles *k, struct col *c)
{
	struct str le = labels_get(c->labels, LE), name = ev_metric_name(c->labels);
	struct pq_names without = {&LE, 1};
	bool floats, hists;
	struct group *gr;
	double bound;

	has_kinds(k, c, &floats, &hists);
	if (hists) {
		gr = group_of(k, c->labels);
		if (gr == NULL)
			return false;
		gr->native = c;
	}
	if (!floats)
		return true;
	if (!str_to_f64(le, &bound)) {
		ev_note(k->ev, EV_WARNING, k->vec, le.p, name,
			"bucket label \"le\" is missing or has a malformed value of \"" STR_FMT
			"\"%s" STR_FMT "%s",
			STR_ARG(le), name.n > 0 ? " for metric name \"" : "", STR_ARG(name),
			name.n > 0 ? "\"" : "");
		return true;
	}
	gr = group_of(k, ev_labels_without(k->ev->a, c->labels, without, false));
	return gr != NULL && add_member(k, gr, c, bound);
}

static int by_le(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->le < y->le ? -1 : x->le > y->le;
}

static int make_groups(struct quantiles *k, struct err *e)
{
	uint32_t most = 0;

	label_map_init(&k->map, k->ev->a);
	for (size_t s = 0; s < k->in.n; s++) {
		if (!place(k, &k->in.s[s]))
			return ev_memory(k->ev, e);
		if (ev_work(k->ev, 1, e) != 0)
			return -1;
	}
	for (size_t i = 0; i < k->map.n; i++) {
		struct group *gr = &k->groups[i];

		stop_sort(gr->m, gr->n, sizeof *gr->m, by_le);
		most = MAX_OF(most, gr->n);
	}
	k->buckets = ARENA_ARRAY(k->ev->a, most, struct classic_bucket);
	k->v = ARENA_ARRAY(k->ev->a, k->g->n, double);
	return ev_memory(k->ev, e);
}

/* --- one point --- */

static double of_native(struct quantiles *k, const struct hist *h, size_t i, struct str name)
{
	enum hist_nan nan;
	bool nans;
	double v;

	if (k->fraction) {
		v = hist_fraction(&k->ev->tmp, k->a[i], k->b[i], h, &nans);
		if (nans)
			ev_say(k->ev, SAID_FRACTION_NAN, k->vec, name);
		return v;
	}
	v = hist_quantile(&k->ev->tmp, k->a[i], h, &nan);
	if (nan != HIST_NAN_NONE)
		ev_say(k->ev, nan == HIST_NAN_RESULT ? SAID_QUANTILE_NAN : SAID_QUANTILE_SKEW,
			k->vec, name);
	return v;
}

static double of_classic(struct quantiles *k, size_t n, size_t i, struct str name)
{
	struct classic_fix fix;
	double v;

	if (k->fraction)
		return classic_fraction(k->a[i], k->b[i], k->buckets, n);
	v = classic_quantile(k->a[i], k->buckets, n, &fix);
	if (fix.forced) {
		ev_note(k->ev, EV_INFO, k->vec, "monotonic", name,
			"input to histogram_quantile needed to be fixed for monotonicity in "
			"buckets %g to %g by up to %.2g%s" STR_FMT "%s",
			fix.min_bucket, fix.max_bucket, fix.max_diff,
			name.n > 0 ? " for metric name \"" : "", STR_ARG(name),
			name.n > 0 ? "\"" : "");
	}
	return v;
}

static double point(struct quantiles *k, const struct group *gr, struct labels ls, size_t i)
{
	const struct hist *h = gr->native != NULL ? col_hist(gr->native, i) : NULL;
	struct str name = ev_metric_name(ls);
	size_t n = 0;

	for (uint32_t m = 0; m < gr->n; m++) {
		const struct col *c = gr->m[m].c;

		if (!is_absent(c->v[i]) && col_hist(c, i) == NULL)
			k->buckets[n++] = (struct classic_bucket){gr->m[m].le, c->v[i]};
	}
	if (h != NULL && n > 0) {
		ev_say(k->ev, SAID_CLASSIC_AND_NATIVE, k->vec, name);
		return ABSENT;
	}
	if (h != NULL)
		return of_native(k, h, i, name);
	return n > 0 ? of_classic(k, n, i, name) : ABSENT;
}

/* --- results --- */

static int emit_groups(struct quantiles *k, struct sink out, struct err *e)
{
	for (size_t j = 0; j < k->map.n; j++) {
		struct col c = {.labels = k->map.keys[j], .drop_name = true, .v = k->v};

		for (size_t i = 0; i < k->g->n; i++)
			k->v[i] = point(k, &k->groups[j], c.labels, i);
		if (ev_work(k->ev, k->g->n, e) != 0 || ev_memory(k->ev, e) != 0)
			return -1;
		if (col_any(&c, k->g) && emit(out, &c, e) != 0)
			return -1;
	}
	return 0;
}

/* 0.5, 1.0: as OpenMetrics writes quantile labels. */
static struct str label_of(struct ev *ev, double q)
{
	struct buf b;
	struct str s;

	buf_init(&b, 64);
	f64_print_g(&b, q);
	if (isfinite(q) && memchr(b.p, '.', b.n) == NULL && memchr(b.p, 'e', b.n) == NULL)
		buf_c(&b, ".0");
	s = arena_str(ev->a, buf_view(&b));
	buf_fini(&b);
	return s;
}

/* histogram_quantiles: one more label, the quantile. Steps of equal quantiles go together. */
static int add_labelled(struct quantiles *k, struct err *e)
{
	struct str name = ev_arg(k->x, 1)->u.text;

	for (size_t from = 0, to; from < k->g->n; from = to) {
		struct str value = label_of(k->ev, k->a[from]);

		for (to = from; to < k->g->n && f64_bits(k->a[to]) == f64_bits(k->a[from]);)
			to++;
		for (size_t j = 0; j < k->map.n; j++) {
			struct labels_builder b;
			struct col c = {.drop_name = true, .v = k->v};

			labels_builder_init(&b, k->ev->a, k->map.keys[j]);
			labels_builder_set(&b, name, value);
			c.labels = labels_builder_done(&b);
			col_clear(&c, k->g);
			for (size_t i = from; i < to; i++)
				k->v[i] = point(k, &k->groups[j], k->map.keys[j], i);
			if (ev_work(k->ev, to - from, e) != 0 || ev_memory(k->ev, e) != 0)
				return -1;
			if (col_any(&c, k->g) && mat_merge_add(k->ev, &k->merged, k->g, &c, e) != 0)
				return -1;
		}
	}
	return 0;
}

static const double *param(struct quantiles *k, size_t i, struct err *e)
{
	double *v = ARENA_ARRAY(k->ev->a, k->g->n, double);

	if (v == NULL) {
		(void)!ev_memory(k->ev, e);
		return NULL;
	}
	if (eval_scalar(k->ev, ev_arg(k->x, i), k->g, v, e) != 0)
		return NULL;
	for (size_t s = 0; !k->fraction && s < k->g->n; s++) {
		if (!(v[s] >= 0 && v[s] <= 1))
			ev_say_quantile(k->ev, v[s], ev_arg(k->x, i));
	}
	return v;
}

static int collect(struct quantiles *k, struct err *e)
{
	int rc;

	k->ev->buckets_wanted++;
	rc = mat_collect(k->ev, k->vec, k->g, &k->in, e);
	k->ev->buckets_wanted--;
	return rc;
}

static int several(struct quantiles *k, struct sink out, struct err *e)
{
	const struct pq_expr *x = k->x;
	const double *q[16];
	size_t n = x->u.call.n - 2;

	if (n > ARRAY_LEN(q) || !str_is_utf8(ev_arg(x, 1)->u.text) || ev_arg(x, 1)->u.text.n == 0)
		return err_set(e, ERR_INPUT, 0, "histogram_quantiles: invalid label name");
	for (size_t i = 0; i < n; i++) {
		if ((q[i] = param(k, i + 2, e)) == NULL)
			return -1;
	}
	if (collect(k, e) != 0 || make_groups(k, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		k->a = q[i];
		if (add_labelled(k, e) != 0)
			return -1;
	}
	return mat_emit(k->ev, &k->merged.mat, k->g, out, e);
}

int fn_hist_quantile(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	enum pq_fn id = x->u.call.func->id;
	struct quantiles k = {.ev = ev, .x = x, .g = g};

	k.fraction = id == PQ_FN_HISTOGRAM_FRACTION;
	k.vec = ev_arg(x, id == PQ_FN_HISTOGRAM_QUANTILES ? 0 : x->u.call.n - 1);
	if (id == PQ_FN_HISTOGRAM_QUANTILES)
		return several(&k, out, e);
	if ((k.a = param(&k, 0, e)) == NULL || (k.fraction && (k.b = param(&k, 1, e)) == NULL))
		return -1;
	if (collect(&k, e) != 0 || make_groups(&k, e) != 0)
		return -1;
	return emit_groups(&k, out, e);
}
