/* SPDX-License-Identifier: Apache-2.0 */
/* fn_absent - absent and absent_over_time: 1 where the argument has nothing, labelled with what
 * its selector names by equality. */
#include "rules/promql/eval.h"

struct presence {
	const struct grid *g;
	double *v; /* 1 where nothing was seen yet */
};

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct presence *p = arg;

	(void)e;
	for (size_t i = 0; i < p->g->n; i++) {
		if (!is_absent(c->v[i]))
			p->v[i] = ABSENT;
	}
	return 0;
}

static bool names_before(const struct pq_selector *s, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (s->m[k].op == MATCH_EQ && str_eq(s->m[k].name, s->m[i].name))
			return true;
	}
	return false;
}

/* Labels of `name="value"` matchers; a name that is matched in other ways too is left out. */
static struct labels labels_of(struct ev *ev, const struct pq_expr *x)
{
	const struct pq_selector *s;
	struct labels_builder b;

	labels_builder_init(&b, ev->a, (struct labels){NULL, 0});
	if (x->kind == PQ_RANGE)
		x = x->u.range.of;
	if (x->kind != PQ_SELECTOR)
		return labels_builder_done(&b);
	s = &x->u.selector;
	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(s->m[i].name, LABEL_NAME))
			continue;
		if (s->m[i].op == MATCH_EQ && !names_before(s, i))
			labels_builder_set(&b, s->m[i].name, s->m[i].value);
		else
			labels_builder_del(&b, s->m[i].name);
	}
	return labels_builder_done(&b);
}

static int start(struct ev *ev, const struct grid *g, struct presence *p, struct err *e)
{
	*p = (struct presence){g, ARENA_ARRAY(ev->a, g->n, double)};
	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < g->n; i++)
		p->v[i] = 1;
	return 0;
}

static int finish(struct ev *ev, const struct pq_expr *x, const struct presence *p, struct sink out,
	struct err *e)
{
	struct col c = {.labels = labels_of(ev, ev_arg(x, 0)), .v = p->v};

	if (ev_memory(ev, e) != 0)
		return -1;
	return col_any(&c, p->g) ? emit(out, &c, e) : 0;
}

int fn_absent(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct presence p;

	if (start(ev, g, &p, e) != 0 ||
		eval_each(ev, ev_arg(x, 0), g, (struct sink){on_series, &p}, e) != 0)
		return -1;
	return finish(ev, x, &p, out, e);
}

int fn_absent_over_time(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e)
{
	struct presence p;

	if (start(ev, g, &p, e) != 0 || window_each(ev, x, g, (struct sink){on_series, &p}, e) != 0)
		return -1;
	return finish(ev, x, &p, out, e);
}
