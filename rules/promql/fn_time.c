/* SPDX-License-Identifier: Apache-2.0 */
/* fn_time - parts of a date in UTC: of each value (Unix seconds), or of the evaluation time. */
#include "base/dur.h"
#include "base/num.h"
#include "rules/promql/eval.h"

/* The calendar repeats, weekdays too, after 400 years. */
#define ERA       INT64_C(12622780800)
#define ERA_YEARS 400.0
/* Seconds before the first year upstream's calendar has wrap round to its far end. */
#define FIRST (-INT64_C(9223372028715321600))

/* As amd64 converts: what does not fit, NaN too, is the least integer. */
static int64_t seconds_of(double v)
{
	return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}

static double part_of(enum pq_fn id, int64_t seconds)
{
	int64_t eras, within;
	struct civil c;

	if (seconds < FIRST) {
		eras = (int64_t)((uint64_t)seconds / (uint64_t)ERA);
		within = (int64_t)((uint64_t)seconds % (uint64_t)ERA);
	} else {
		eras = i64_floor_div(seconds, ERA);
		within = seconds - eras * ERA;
	}
	civil_from_ms(within * 1000, &c);
	switch ((int)id) {
	case PQ_FN_MINUTE: return c.minute;
	case PQ_FN_HOUR: return c.hour;
	case PQ_FN_DAY_OF_WEEK: return c.weekday;
	case PQ_FN_DAY_OF_MONTH: return c.day;
	case PQ_FN_DAY_OF_YEAR: return c.yday;
	case PQ_FN_DAYS_IN_MONTH: return c.days_in_month;
	case PQ_FN_MONTH: return c.month;
	default: return (double)c.year + (double)eras * ERA_YEARS;
	}
}

struct parts {
	struct ev *ev;
	const struct grid *g;
	enum pq_fn id;
	struct sink out;
};

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct parts *p = arg;

	for (size_t i = 0; i < p->g->n; i++) {
		if (is_absent(c->v[i]))
			continue;
		if (col_hist(c, i) != NULL) {
			c->v[i] = ABSENT;
			continue;
		}
		c->v[i] = part_of(p->id, seconds_of(c->v[i]));
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
	for (size_t i = 0; i < g->n; i++)
		c.v[i] = part_of(p.id, grid_time(g, i) / 1000);
	rc = emit(out, &c, e);
	arena_release(&ev->scratch, mark);
	return rc;
}
