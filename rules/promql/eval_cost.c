/* SPDX-License-Identifier: Apache-2.0 */
/* eval_cost - explain: whose time runs, and what nodes hand on; see eval.h. Since series are pushed
 * upwards, the clock turns twice a series: to the receiver and back. */
#include "base/assert.h"
#include "base/clock.h"
#include "rules/promql/eval.h"

struct pq_cost *cost_of(struct ev *ev)
{
	return &ev->p->costs[ev->running->id];
}

const struct pq_expr *cost_turn(struct ev *ev, const struct pq_expr *x)
{
	const struct pq_expr *before = ev->running;
	int64_t now = clock_real_ns();

	ASSERT(x->id <= ev->root->id);
	cost_of(ev)->self_ns += now - ev->running_ns;
	ev->running = x;
	ev->running_ns = now;
	return before;
}

int cost_col(void *arg, struct col *c, struct err *e)
{
	struct cost_tap *t = arg;
	struct pq_cost *cost = cost_of(t->ev);
	const struct pq_expr *below;
	int rc;

	cost->series++;
	for (size_t i = 0; i < t->g->n; i++)
		cost->points += !is_absent(c->v[i]);
	below = cost_turn(t->ev, t->above);
	rc = emit(t->out, c, e);
	(void)cost_turn(t->ev, below);
	return rc;
}

int cost_raw(void *arg, struct raw *r, struct err *e)
{
	struct cost_tap *t = arg;
	const struct pq_expr *below;
	int rc;

	cost_of(t->ev)->series++;
	cost_of(t->ev)->points += r->n;
	below = cost_turn(t->ev, t->above);
	rc = t->fn(t->arg, r, e);
	(void)cost_turn(t->ev, below);
	return rc;
}
