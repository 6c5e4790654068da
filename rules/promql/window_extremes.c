/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_extremes - min_over_time, max_over_time and their times, by a monotonic queue: each
 * sample enters and leaves once, whatever the windows overlap.
 *
 * NaN loses against every number; only NaN gives NaN. Of equal values the first one counts, for
 * the times the last one.
 */
#include <math.h>

#include "rules/promql/window.h"

/* A sample that can never win again once `later` is there. */
static bool loses(double old, double later, bool max, bool last_wins)
{
	if (isnan(later))
		return last_wins && isnan(old);
	if (isnan(old))
		return true;
	if (old == later)
		return last_wins;
	return max ? old < later : old > later;
}

int window_extremes(struct win_ctx *c, struct win *w, struct col *out, struct err *e)
{
	bool max = c->id == PQ_FN_MAX_OVER_TIME || c->id == PQ_FN_TS_OF_MAX_OVER_TIME;
	bool time = c->id == PQ_FN_TS_OF_MAX_OVER_TIME || c->id == PQ_FN_TS_OF_MIN_OVER_TIME;
	const struct win_list *f = &w->f;
	uint32_t *queue = ARENA_ARRAY(&c->ev->scratch, f->n, uint32_t);
	size_t head = 0, tail = 0;
	uint32_t next = 0;

	if (ev_memory(c->ev, e) != 0)
		return -1;
	for (size_t i = 0; i < c->g->n; i++) {
		if (f->lo[i] >= f->hi[i])
			continue;
		if (w->h.lo[i] < w->h.hi[i])
			win_say(c, w, SAID_IGNORED_IN_RANGE);
		if (next < f->lo[i])
			next = f->lo[i];
		for (; next < f->hi[i]; next++) {
			while (tail > head && loses(f->v[queue[tail - 1]], f->v[next], max, time))
				tail--;
			queue[tail++] = next;
		}
		while (queue[head] < f->lo[i])
			head++;
		out->v[i] = time ? (double)f->t[queue[head]] / 1000 : f->v[queue[head]];
	}
	return 0;
}
