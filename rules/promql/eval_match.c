/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_match - arithmetic and comparison between two vectors; see eval.h.
 *
 * One side is the "one" of the match (the right one, with group_right the left one): its columns
 * are held, by match group. The other side passes by, a column at a time. A group may have several
 * series on the one side as long as they never have a point at the same step.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "rules/promql/eval.h"

#define NONE    UINT32_MAX
#define SEVERAL (UINT32_MAX - 1)

struct group {
	uint32_t only;          /* its series on the one side; SEVERAL: see at */
	uint32_t *at;           /* series + 1 that has a point at each step */
	unsigned char *matched; /* steps that have had their match; NULL: none yet */
};

struct out_col {
	unsigned char *tried; /* steps a pair was compared at, kept or not */
	size_t group;
};

struct match {
	struct ev *ev;
	const struct pq_expr *x;
	const struct pq_matching *m;
	const struct grid *g;
	bool swapped; /* group_right: the one side is the left operand */
	bool track;   /* matched steps per group are needed */
	struct mat one;
	struct sig_map sigs;
	struct group *groups;
	size_t n_groups, cap_groups;
	unsigned char *twice; /* steps where a group has two on the one side; NULL: none */
	size_t twice_a, twice_b;
	struct label_map out_map;
	struct mat out;
	struct out_col *extra;
	size_t cap_extra;
};

static int group_at(struct match *k, struct labels ls, size_t *at, struct err *e)
{
	bool fresh;

	*at = sig_map_get(k->ev, &k->sigs, ls, &fresh);
	if (*at == SIZE_MAX)
		return ev_memory(k->ev, e);
	if (*at >= k->cap_groups) {
		size_t cap = k->cap_groups == 0 ? 64 : k->cap_groups * 2;
		struct group *p = ARENA_ARRAY(k->ev->a, cap, struct group);

		if (p == NULL)
			return ev_memory(k->ev, e);
		if (k->n_groups > 0)
			memcpy(p, k->groups, k->n_groups * sizeof *p);
		k->groups = p;
		k->cap_groups = cap;
	}
	if (fresh)
		k->groups[k->n_groups++] = (struct group){.only = NONE};
	return 0;
}

/* Note which series of the one side has the point of each step, and where two have. */
static int put_series(struct match *k, struct group *gr, uint32_t series, struct err *e)
{
	const struct col *c = &k->one.s[series];

	for (size_t i = 0; i < k->g->n; i++) {
		if (is_absent(c->v[i]))
			continue;
		if (gr->at[i] == 0) {
			gr->at[i] = series + 1;
			continue;
		}
		if (k->twice == NULL) {
			k->twice = ARENA_ARRAY(k->ev->a, k->g->n, unsigned char);
			k->twice_a = gr->at[i] - 1;
			k->twice_b = series;
		}
		if (k->twice == NULL)
			return ev_memory(k->ev, e);
		k->twice[i] = 1;
	}
	return ev_work(k->ev, k->g->n, e);
}

static int join_group(struct match *k, struct group *gr, uint32_t series, struct err *e)
{
	if (gr->only == NONE) {
		gr->only = series;
		return 0;
	}
	if (gr->only != SEVERAL) {
		uint32_t first = gr->only;

		gr->at = ARENA_ARRAY(k->ev->a, k->g->n, uint32_t);
		if (gr->at == NULL)
			return ev_memory(k->ev, e);
		gr->only = SEVERAL;
		if (put_series(k, gr, first, e) != 0)
			return -1;
	}
	return put_series(k, gr, series, e);
}

static int hold_one_side(struct match *k, const struct pq_expr *x, struct err *e)
{
	if (mat_collect(k->ev, x, k->g, &k->one, e) != 0)
		return -1;
	if (k->one.n >= SEVERAL)
		return err_set(e, ERR_LIMIT, 0, "too many series in a vector match");
	for (uint32_t s = 0; s < k->one.n; s++) {
		size_t at;

		if (ev_work(k->ev, 1, e) != 0 || group_at(k, k->one.s[s].labels, &at, e) != 0 ||
			join_group(k, &k->groups[at], s, e) != 0)
			return -1;
	}
	return 0;
}

/* Names of the labels that one has otherwise than the other, separated by commas. */
static void print_differing(struct buf *b, struct labels x, struct labels y)
{
	size_t i = 0, j = 0, n = 0;

	while (i < x.n || j < y.n) {
		int c = i == x.n ? 1 : j == y.n ? -1 : str_cmp(x.v[i].name, y.v[j].name);
		struct str name = c <= 0 ? x.v[i].name : y.v[j].name;
		bool same = c == 0 && str_eq(x.v[i].value, y.v[j].value);

		i += c <= 0;
		j += c >= 0;
		if (!same)
			buf_printf(b, "%s" STR_FMT, n++ > 0 ? ", " : "", STR_ARG(name));
	}
}

/* What matters most stands in front: a message has few bytes, series may have many labels. */
static int say_twice(const struct match *k, struct err *e)
{
	struct labels a = k->one.s[k->twice_a].labels, b = k->one.s[k->twice_b].labels;
	struct buf group, apart;

	buf_init(&group, 65536);
	buf_init(&apart, 65536);
	labels_print(&group, sig_labels(k->ev->a, a, k->m), false);
	print_differing(&apart, a, b);
	err_set(e, ERR_INPUT, 0,
		"found duplicate series for the match group " STR_FMT "%s on the %s hand-side; "
		"many-to-many matching not allowed: matching labels must be unique on one side, "
		"these differ in " STR_FMT,
		STR_ARG(str_sub(buf_view(&group), 0, MIN_OF(group.n, 60u))),
		group.n > 60 ? "..." : "", k->swapped ? "left" : "right",
		STR_ARG(buf_view(&apart)));
	buf_fini(&group);
	buf_fini(&apart);
	return -1;
}

/* Labels of the result of a pair; `one` may be the labels that stand for a filled side. */
static struct labels result_labels(struct match *k, struct labels many, struct labels one)
{
	struct arena *a = k->ev->a;
	struct labels ls = binary_drops_name(k->x->u.binary.op) ? ev_drop_name(a, many) : many;
	struct labels_builder b;

	if (k->m->card == PQ_ONE_TO_ONE)
		ls = k->m->on ? ev_labels_keep(a, ls, k->m->labels)
			      : ev_labels_without(a, ls, k->m->labels, false);
	if (k->m->include.n == 0)
		return ls;
	labels_builder_init(&b, a, ls);
	for (size_t i = 0; i < k->m->include.n; i++) {
		struct str name = k->m->include.v[i], v = labels_get(one, name);

		if (v.n > 0)
			labels_builder_set(&b, name, v);
		else
			labels_builder_del(&b, name);
	}
	return labels_builder_done(&b);
}

static int out_at(struct match *k, struct labels ls, size_t group, size_t *at, struct err *e)
{
	bool fresh;

	if (k->out_map.a == NULL)
		label_map_init(&k->out_map, k->ev->a);
	*at = label_map_get(&k->out_map, ls, labels_hash(ls), &fresh);
	if (*at == SIZE_MAX)
		return ev_memory(k->ev, e);
	if (!fresh)
		return 0;
	if (*at >= k->cap_extra) {
		size_t cap = k->cap_extra == 0 ? 64 : k->cap_extra * 2;
		struct out_col *p = ARENA_ARRAY(k->ev->a, cap, struct out_col);

		if (p == NULL)
			return ev_memory(k->ev, e);
		if (k->cap_extra > 0)
			memcpy(p, k->extra, k->cap_extra * sizeof *p);
		k->extra = p;
		k->cap_extra = cap;
	}
	k->extra[*at].group = group;
	if (pq_op_is_comparison(k->x->u.binary.op) && !k->x->u.binary.bool_mod)
		k->extra[*at].tried = ARENA_ARRAY(k->ev->a, k->g->n, unsigned char);
	if (mat_new_col(k->ev, &k->out, k->g, ls) == NULL)
		return ev_memory(k->ev, e);
	k->out.s[*at].drop_name = k->x->u.binary.bool_mod;
	return 0;
}

/* One match a step and group (one to one), one a step and result otherwise. */
static int check_unique(struct match *k, size_t group, size_t out, size_t i, struct err *e)
{
	struct out_col *x = &k->extra[out];
	struct group *gr = &k->groups[group];

	if (k->track) {
		if (gr->matched == NULL)
			gr->matched = ARENA_ARRAY(k->ev->a, k->g->n, unsigned char);
		if (gr->matched == NULL)
			return ev_memory(k->ev, e);
		if (k->m->card == PQ_ONE_TO_ONE && gr->matched[i] != 0)
			return err_set(e, ERR_INPUT, 0,
				"multiple matches for labels: many-to-one matching must be "
				"explicit (group_left/group_right)");
		gr->matched[i] = 1;
	}
	if (x->tried != NULL && x->group == group) {
		if (x->tried[i] != 0)
			return err_set(e, ERR_INPUT, 0,
				"multiple matches for labels: grouping labels must ensure unique "
				"matches");
		x->tried[i] = 1;
	}
	if (!is_absent(k->out.s[out].v[i]))
		return x->group == group ? err_set(e, ERR_INPUT, 0,
						   "multiple matches for labels: grouping labels "
						   "must ensure unique matches")
					 : ev_same_labelset(e);
	return 0;
}

static int pair(struct match *k, size_t group, size_t out, size_t i, struct operand many,
	struct operand one, struct err *e)
{
	struct operand res;
	struct col *c;
	enum binary_result r = k->swapped ? binary_point(k->ev, k->x, one, many, &res)
					  : binary_point(k->ev, k->x, many, one, &res);

	if (r == BINARY_NONE)
		return ev_memory(k->ev, e);
	if (check_unique(k, group, out, i, e) != 0)
		return -1;
	if (k->x->u.binary.bool_mod)
		res = (struct operand){r == BINARY_TRUE, NULL};
	else if (r == BINARY_FALSE)
		return 0;
	c = &k->out.s[out];
	c->v[i] = res.h != NULL ? 0 : res.v;
	if (res.h == NULL)
		return 0;
	if (!col_need_hists(k->ev->a, c, k->g) || (c->h[i] = hist_copy(k->ev->a, res.h)) == NULL)
		return ev_memory(k->ev, e);
	return 0;
}

/* The series of a group that has a point at step i. */
static uint32_t present_at(const struct match *k, const struct group *gr, size_t i)
{
	if (gr->only == SEVERAL)
		return gr->at[i] == 0 ? NONE : gr->at[i] - 1;
	return gr->only == NONE || is_absent(k->one.s[gr->only].v[i]) ? NONE : gr->only;
}

static int on_many(void *arg, struct col *c, struct err *e)
{
	struct match *k = arg;
	uint32_t of = SEVERAL; /* whose result `out` is; NONE: of a filled one */
	size_t group, out = 0;

	if (group_at(k, c->labels, &group, e) != 0 || ev_work(k->ev, k->g->n, e) != 0)
		return -1;
	if (k->groups[group].only == NONE && !k->m->has_fill_right && k->twice == NULL)
		return 0;
	for (size_t i = 0; i < k->g->n; i++) {
		struct operand many = {c->v[i], col_hist(c, i)}, one = {k->m->fill_right, NULL};
		uint32_t s;

		if (is_absent(c->v[i]))
			continue;
		if (k->twice != NULL && k->twice[i] != 0)
			return say_twice(k, e);
		s = present_at(k, &k->groups[group], i);
		if (s == NONE && !k->m->has_fill_right)
			continue;
		if (s != NONE)
			one = (struct operand){k->one.s[s].v[i], col_hist(&k->one.s[s], i)};
		if (s != of && (of == SEVERAL || k->m->include.n > 0)) {
			struct labels other = s != NONE ? k->one.s[s].labels
							: sig_labels(k->ev->a, c->labels, k->m);

			if (out_at(k, result_labels(k, c->labels, other), group, &out, e) != 0)
				return -1;
			of = s;
		}
		if (pair(k, group, out, i, many, one, e) != 0)
			return -1;
	}
	return 0;
}

/* Points of the one side that nothing matched, paired with the filled value. */
static int fill_many(struct match *k, struct err *e)
{
	for (uint32_t s = 0; s < k->one.n; s++) {
		struct col *c = &k->one.s[s];
		struct labels ls = sig_labels(k->ev->a, c->labels, k->m);
		struct group *gr;
		size_t group, out;

		if (ev_work(k->ev, k->g->n, e) != 0 || group_at(k, c->labels, &group, e) != 0)
			return -1;
		for (size_t i = 0; i < k->g->n; i++) {
			struct operand many = {k->m->fill_left, NULL};
			struct operand one = {c->v[i], col_hist(c, i)};

			gr = &k->groups[group];
			if (is_absent(c->v[i]) || (gr->matched != NULL && gr->matched[i] != 0))
				continue;
			if (k->twice != NULL && k->twice[i] != 0)
				return say_twice(k, e);
			if (out_at(k, result_labels(k, ls, c->labels), group, &out, e) != 0 ||
				pair(k, group, out, i, many, one, e) != 0)
				return -1;
		}
	}
	return 0;
}

int match_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	const struct pq_expr *l = x->u.binary.lhs, *r = x->u.binary.rhs;
	struct match k = {.ev = ev, .x = x, .m = x->u.binary.match, .g = g};

	k.sigs.match = k.m;
	k.swapped = k.m->card == PQ_ONE_TO_MANY;
	k.track = k.m->card == PQ_ONE_TO_ONE || k.m->has_fill_left;
	if (hold_one_side(&k, k.swapped ? l : r, e) != 0)
		return -1;
	if (eval_each(ev, k.swapped ? r : l, g, (struct sink){on_many, &k}, e) != 0)
		return -1;
	if (k.m->has_fill_left && fill_many(&k, e) != 0)
		return -1;
	return mat_emit(ev, &k.out, g, out, e);
}
