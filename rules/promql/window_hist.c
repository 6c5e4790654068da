/* SPDX-License-Identifier: Apache-2.0 */
/* window_hist - rate, increase and delta of native histograms, their sums and means over time;
 * see window.h. */
#include "rules/promql/hacc.h"
#include "rules/promql/window.h"

/* One window of histograms. */
struct hwin {
	struct win_ctx *c;
	const struct win *w;
	const struct hist *const *h;
	const int64_t *t, *start;
	size_t n;
};

static bool reset_at(const struct hwin *x, size_t i)
{
	if (x->start != NULL && win_start_reset(x->start[i - 1], x->t[i - 1], x->start[i], x->t[i]))
		return true;
	return hacc_reset(&x->c->ev->tmp, x->h[i], x->h[i - 1]);
}

/* Schemas must agree; tell of gauges among counters. False: give up. */
static bool check_window(const struct hwin *x, bool skip_first, int32_t *schema)
{
	bool counter = win_is_counter(x->c);
	bool custom = hist_is_custom(x->h[skip_first ? 1 : 0]);
	size_t last = x->n - 1;

	*schema = x->h[skip_first ? 1 : 0]->schema;
	if (hist_is_custom(x->h[last]) != custom)
		return false;
	if (x->h[last]->schema < *schema)
		*schema = x->h[last]->schema;
	for (size_t i = 1; counter && i < last; i++) {
		if (x->h[i]->reset == HIST_RESET_GAUGE)
			win_say(x->c, x->w, SAID_NOT_COUNTER);
		if (hist_is_custom(x->h[i]) != custom)
			return false;
		if (x->h[i]->schema < *schema)
			*schema = x->h[i]->schema;
	}
	return true;
}

static bool add_resets(const struct hwin *x, bool skip_first, struct hacc *acc)
{
	struct hacc_notes notes = {0};
	bool overlap = false;

	for (size_t i = 1; i < x->n; i++) {
		if (x->start != NULL &&
			win_start_overlap(x->start[i - 1], x->t[i - 1], x->start[i]))
			overlap = true;
		if ((i == 1 && skip_first) || !reset_at(x, i))
			continue;
		if (!hacc_add(acc, x->h[i - 1], &notes))
			return false;
	}
	if (overlap)
		win_say(x->c, x->w, SAID_START_OVERLAP);
	if (notes.reconciled)
		win_say(x->c, x->w, SAID_RECONCILED_ADD);
	return true;
}

/* Last minus first plus what resets lost. The first sample does not matter when the second one
 * begins anew, whatever its layout. False: not computable, said why. */
static bool change_of(const struct hwin *x, struct hacc *acc)
{
	bool counter = win_is_counter(x->c), skip_first;
	const struct hist *first = x->h[0], *last = x->h[x->n - 1];
	struct hacc_notes notes = {0};
	struct hist none;
	int32_t schema;

	if (counter && (first->reset == HIST_RESET_GAUGE || last->reset == HIST_RESET_GAUGE))
		win_say(x->c, x->w, SAID_NOT_COUNTER);
	skip_first = counter && reset_at(x, 1);
	if (!check_window(x, skip_first, &schema))
		goto mixed;
	hacc_init(acc, &x->c->ev->tmp, last);
	hacc_coarsen(acc, schema);
	none = (struct hist){.schema = x->h[1]->schema,
		.custom = x->h[1]->custom,
		.n_custom = x->h[1]->n_custom};
	if (!hacc_sub(acc, skip_first ? &none : first, &notes))
		goto mixed;
	if (notes.reconciled)
		win_say(x->c, x->w, SAID_RECONCILED_SUB);
	if (counter && !add_resets(x, skip_first, acc))
		goto mixed;
	if (!counter && (first->reset != HIST_RESET_GAUGE || last->reset != HIST_RESET_GAUGE))
		win_say(x->c, x->w, SAID_NOT_GAUGE);
	acc->reset = HIST_RESET_GAUGE;
	return true;
mixed:
	win_say(x->c, x->w, SAID_MIXED_SCHEMAS);
	return false;
}

int window_hist_rate(struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e)
{
	uint32_t lo = w->h.lo[i];
	struct hwin x = {c, w, w->h.h + lo, w->h.t + lo,
		w->h.start != NULL ? w->h.start + lo : NULL, w->h.hi[i] - lo};
	struct win_span s = {.start = win_start(c, i),
		.end = win_end(c, i),
		.first_t = x.t[0],
		.last_t = x.t[x.n - 1],
		.n = x.n,
		.to_zero = -1};
	struct hacc_notes notes = {0};
	struct hacc acc;
	double factor;

	s.has_zero = win_is_counter(c) && x.start != NULL && x.start[0] != 0 &&
		     x.start[0] > s.start && x.start[0] < s.first_t;
	s.zero_t = s.has_zero ? x.start[0] : 0;
	if (x.n < 2 && !s.has_zero)
		return 0;
	if (x.n < 2) {
		hacc_init(&acc, &c->ev->tmp, x.h[0]);
	} else {
		if (!change_of(&x, &acc))
			return 0;
		if (s.has_zero && !hacc_add(&acc, x.h[0], &notes)) {
			win_say(c, w, SAID_MIXED_SCHEMAS);
			return 0;
		}
		if (notes.reconciled)
			win_say(c, w, SAID_RECONCILED_ADD);
	}
	if (!s.has_zero && win_is_counter(c) && acc.count > 0 && x.h[0]->count >= 0)
		s.to_zero = x.h[0]->count / acc.count;
	factor = win_extrapolate(&s);
	if (c->id == PQ_FN_RATE)
		factor /= (double)c->range.width / 1000;
	hacc_mul(&acc, factor);
	acc.reset = HIST_RESET_GAUGE;
	return win_put_hist(c, out, i, hacc_done(&acc, &c->ev->scratch), e);
}

/* --- sum_over_time and avg_over_time --- */

int window_hist_sum(struct win_ctx *c, struct win *w, size_t i, struct col *out, struct err *e)
{
	struct arena *a = &c->ev->tmp;
	bool mean = c->id == PQ_FN_AVG_OVER_TIME;
	struct hsum s = {.count = 0};

	for (uint32_t k = w->h.lo[i]; k < w->h.hi[i]; k++) {
		if (!hsum_add(&s, a, w->h.h[k], mean)) {
			win_say(c, w, SAID_MIXED_SCHEMAS);
			return 0;
		}
	}
	if (s.reset_yes && s.reset_no)
		ev_say(c->ev, SAID_COLLISION_AGG, c->arg, STR_NULL);
	if (s.notes.reconciled)
		ev_say(c->ev, SAID_RECONCILED_AGG, c->arg, STR_NULL);
	s.acc.keep_empty = true;
	return win_put_hist(c, out, i, hsum_done(&s, &c->ev->scratch, mean), e);
}
