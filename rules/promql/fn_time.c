/* SPDX-License-Identifier: Apache-2.0 */
/* fn_time - parts of a date in UTC: of each value (Unix seconds), or of the evaluation time. */
#include "base/dur.h"
#include "rules/promql/eval.h"

static double part_of(enum pq_fn id, int64_t seconds)
{
	struct civil c;

	civil_from_ms(seconds * 1000, &c);
	switch ((int)id) {
	case PQ_FN_MINUTE: return c.minute;
	case PQ_FN_HOUR: return c.hour;
	case PQ_FN_DAY_OF_WEEK: return c.weekday;
	case PQ_FN_DAY_OF_MONTH: return c.day;
	case PQ_FN_DAY_OF_YEAR: return c.yday;
	case PQ_FN_DAYS_IN_MONTH: return c.days_in_month;
	case PQ_FN_MONTH: return c.month;
	default: return (double)c.year;
	}
}

struct parts {
	struct ev *ev;
	const struct grid *g;
	enum pq_fn id;
	struct sink out;
};

/* Further away than any calendar: keeps the arithmetic within bounds. */
#define FAR INT64_C(1000000000000000)

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct parts *p = arg;

	for (size_t i = 0; i < p->g->n; i++) {
		int64_t s;

		if (is_absent(c->v[i]))
			continue;
		if (col_hist(c, i) != NULL) {
			c->v[i] = ABSENT;
			continue;
		}
		s = num_clamp_i64(c->v[i]);
		c->v[i] = part_of(p->id, MAX_OF(MIN_OF(s, FAR), -FAR));
	}
	c->h = NULL;
	c->drop_name = true;
	if (ev_work(p->ev, p->g->n, e) != 0)
		return -1;
	return col_any(c, p->g) ? emit(p->out, c, e) : 0;
}

int fn_time_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct parts p = {ev, g, x->u.call.func->id, out};
	struct arena_mark mark = arena_mark(&ev->scratch);
	struct col c = {0};
	int rc;

	if (x->u.call.n > 0)
		return eval_each(ev, ev_arg(x, 0), g, (struct sink){on_series, &p}, e);
	c.v = ARENA_ARRAY(&ev->scratch, g->n, double);
	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < g->n; i++) {
		int64_t s = grid_time(g, i) / 1000;

		c.v[i] = part_of(p.id, MAX_OF(MIN_OF(s, FAR), -FAR));
	}
	rc = emit(out, &c, e);
	arena_release(&ev->scratch, mark);
	return rc;
}
