/* SPDX-License-Identifier: Apache-2.0 */
/* fn_hist - histogram_count, _sum, _avg, _stddev, _stdvar of native histograms. Floats are left
 * out. */
#include <math.h>

#include "rules/promql/eval.h"
#include "rules/promql/hist_buckets.h"

struct map {
	struct ev *ev;
	const struct grid *g;
	enum pq_fn id;
	struct sink out;
};

static double apply(const struct map *m, const struct hist *h)
{
	switch ((int)m->id) {
	case PQ_FN_HISTOGRAM_COUNT: return h->count;
	case PQ_FN_HISTOGRAM_SUM: return h->sum;
	case PQ_FN_HISTOGRAM_AVG: return h->sum / h->count;
	case PQ_FN_HISTOGRAM_STDVAR: return hist_variance(&m->ev->tmp, h);
	default: return sqrt(hist_variance(&m->ev->tmp, h));
	}
}

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct map *m = arg;

	if (c->h == NULL)
		return 0;
	for (size_t i = 0; i < m->g->n; i++)
		c->v[i] = c->h[i] != NULL ? apply(m, c->h[i]) : ABSENT;
	c->h = NULL;
	c->drop_name = true;
	if (ev_work(m->ev, m->g->n, e) != 0 || ev_memory(m->ev, e) != 0)
		return -1;
	return col_any(c, m->g) ? emit(m->out, c, e) : 0;
}

int fn_hist_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	struct map m = {ev, g, x->u.call.func->id, out};
	bool stats = m.id == PQ_FN_HISTOGRAM_COUNT || m.id == PQ_FN_HISTOGRAM_SUM ||
		     m.id == PQ_FN_HISTOGRAM_AVG;
	int rc;

	ev->stats_wanted += stats;
	rc = eval_each(ev, ev_arg(x, 0), g, (struct sink){on_series, &m}, e);
	ev->stats_wanted -= stats;
	return rc;
}
