/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_apply - results of a replay's queries become samples of the overlay, and alerts.
 *
 * A recording rule's matrix is taken over column by column; where a series has no point at a slot
 * and had one at the slot before, a staleness mark stands, as the running rule writes. Alerts are
 * taken through their state machine slot by slot, and slots without any are passed over.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "rules/replay_internal.h"

int replay_take(void *ctx, struct labels ls, uint64_t hash, int64_t t_ms, double v,
	const struct hist *h, struct err *e)
{
	struct replay *rp = ctx;
	struct overlay_series *s = overlay_series(&rp->overlay, ls, hash);

	if (s == NULL)
		return err_set(e, ERR_LIMIT, 0, "what the rules record needs too much memory");
	return overlay_add(&rp->overlay, s, t_ms, v, h, e);
}

/* --- one slot --- */

static void tell(struct replay *rp, struct replay_node *nd, int64_t slot_ms)
{
	struct alert_batch *b = rule_batch(nd->g, nd->r, &rp->env, slot_ms);

	alert_rule_told(nd->r);
	if (b == NULL)
		return;
	if (rp->n_batches == rp->cap_batches) {
		rp->cap_batches = rp->cap_batches * 2 + 64;
		rp->batches = realloc(rp->batches, rp->cap_batches * sizeof *rp->batches);
		ASSERT(rp->batches != NULL);
	}
	rp->batches[rp->n_batches++] = (struct replay_batch){b, nd->number};
}

/* From now on the rule's own book tells which series ended. */
static void go_one_by_one(struct replay_node *nd)
{
	if (nd->one_by_one)
		return;
	nd->one_by_one = true;
	for (size_t i = 0; i < nd->n_open; i++)
		emit_remember(nd->r, nd->open[i]->labels);
	nd->n_open = 0;
}

static size_t points(const struct pq_result *res)
{
	size_t n = 0;

	for (size_t i = 0; i < res->n; i++)
		n += res->series[i].n > 0;
	return res->type == PQ_SCALAR ? 1 : n;
}

int replay_apply_slot(struct replay *rp, struct replay_node *nd, struct arena *a, int64_t slot_ms,
	const struct pq_result *res, struct err *e)
{
	int64_t t_ms = slot_ms - rule_group_delay(nd->g, &rp->env);
	int rc;

	if (!nd->r->def->is_alert)
		go_one_by_one(nd);
	rc = rule_apply(nd->g, nd->r, &rp->env, a, t_ms, res, false, e);
	if (rc == 0 && !nd->r->def->is_alert)
		nd->stats->samples += points(res);
	if (nd->r->def->is_alert)
		tell(rp, nd, slot_ms);
	return rc;
}

/* --- a stretch of slots, one after the other --- */

struct cursor { /* where each series of a matrix stands */
	const struct pq_result *res;
	size_t *at;
	struct pq_series *now; /* those with a point at this time */
	size_t n;
};

static bool cursor_init(struct cursor *c, const struct pq_result *res, struct arena *a)
{
	*c = (struct cursor){.res = res,
		.at = ARENA_ARRAY(a, res->n, size_t),
		.now = ARENA_ARRAY(a, res->n, struct pq_series)};
	return c->at != NULL && c->now != NULL;
}

static void cursor_move(struct cursor *c, int64_t t_ms)
{
	c->n = 0;
	for (size_t i = 0; i < c->res->n; i++) {
		const struct pq_series *s = &c->res->series[i];
		size_t k = c->at[i];

		if (k == s->n || s->t[k] != t_ms)
			continue;
		c->now[c->n++] = (struct pq_series){.labels = s->labels,
			.n = 1,
			.t = s->t + k,
			.v = s->v + k,
			.h = s->h != NULL ? s->h + k : NULL};
		c->at[i]++;
	}
}

/* As an instant query would have given it. */
static struct pq_result result_now(const struct cursor *c, const struct rule_def *d)
{
	struct pq_result res = {.type = PQ_VECTOR, .series = c->now, .n = c->n};

	if (pq_expr_type(d->expr) == PQ_SCALAR) {
		res.type = PQ_SCALAR;
		res.scalar = c->n > 0 ? c->now[0].v[0] : 0;
	}
	return res;
}

/* Nothing could come of this slot. */
static bool idle(const struct rule *r, const struct cursor *c)
{
	return c->n == 0 && r->def->is_alert && r->absent == NULL && r->alerts.n == 0 &&
	       r->emitted.n == 0;
}

static void each_slot(struct replay *rp, struct replay_node *nd, struct arena *a,
	struct replay_slots s, const struct pq_result *res)
{
	int64_t delay = rule_group_delay(nd->g, &rp->env);
	struct cursor c;
	struct arena scratch;
	struct err e;

	if (!cursor_init(&c, res, a)) {
		(void)err_set(&e, ERR_LIMIT, 0, "the result needs too much memory");
		replay_failed(nd, s.n, &e);
		return;
	}
	arena_init(&scratch, rp->env.max_memory);
	for (size_t i = 0; i < s.n; i++) {
		int64_t slot_ms = s.first_ms + (int64_t)i * s.step_ms;
		struct pq_result now;

		cursor_move(&c, slot_ms - delay);
		if (idle(nd->r, &c))
			continue;
		now = result_now(&c, nd->r->def);
		if (replay_apply_slot(rp, nd, &scratch, slot_ms, &now, &e) != 0)
			replay_failed(nd, 1, &e);
		arena_reset(&scratch);
	}
	arena_fini(&scratch);
}

/* --- a recording rule's columns --- */

static void keep_open(struct replay_node *nd, struct overlay_series *s)
{
	if (nd->n_open == nd->cap_open) {
		nd->cap_open = nd->cap_open * 2 + 16;
		nd->open = realloc(nd->open, nd->cap_open * sizeof(struct overlay_series *));
		ASSERT(nd->open != NULL);
	}
	nd->open[nd->n_open++] = s;
}

static int by_address(const void *a, const void *b)
{
	const struct overlay_series *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

/* Where each series of the result goes; false when two go to the same, or there is no room. */
static bool targets(struct replay *rp, struct replay_node *nd, struct arena *a,
	const struct pq_result *res, struct overlay_series **out)
{
	struct overlay_series **sorted = ARENA_ARRAY(a, res->n, struct overlay_series *);

	if (sorted == NULL)
		return false;
	for (size_t i = 0; i < res->n; i++) {
		struct labels ls = rule_recorded_labels(nd->r, res->series[i].labels, a);

		out[i] = a->failed ? NULL : overlay_series(&rp->overlay, ls, labels_hash(ls));
		if (out[i] == NULL)
			return false;
		sorted[i] = out[i];
	}
	qsort(sorted, res->n, sizeof(struct overlay_series *), by_address);
	for (size_t i = 1; i < res->n; i++) {
		if (sorted[i - 1] == sorted[i])
			return false;
	}
	return true;
}

static int end_series(struct replay *rp, struct overlay_series *s, int64_t t_ms, struct err *e)
{
	return overlay_add(&rp->overlay, s, t_ms, stale_nan(), NULL, e);
}

/* One column, with marks where it stops. Times are those of the samples. */
static int copy_column(struct replay *rp, struct replay_node *nd, struct overlay_series *to,
	const struct pq_series *from, struct replay_slots at, struct err *e)
{
	int64_t last = at.first_ms + (int64_t)(at.n - 1) * at.step_ms;

	for (size_t i = 0; i < from->n; i++) {
		int64_t next = i + 1 < from->n ? from->t[i + 1] : INT64_MAX;
		int64_t after = from->t[i] + at.step_ms;

		if (overlay_add(&rp->overlay, to, from->t[i], from->v[i],
			    from->h != NULL ? from->h[i] : NULL, e) != 0)
			return -1;
		if (after <= last && next != after && end_series(rp, to, after, e) != 0)
			return -1;
	}
	nd->stats->samples += from->n;
	return 0;
}

/* Series of the slot before that have no point at the first one. */
static int end_open(struct replay *rp, struct replay_node *nd, struct overlay_series **to,
	const struct pq_result *res, int64_t first_ms, struct err *e)
{
	int rc = 0;

	rp->turn++;
	for (size_t i = 0; i < res->n; i++) {
		if (res->series[i].n > 0 && res->series[i].t[0] == first_ms)
			to[i]->mark = rp->turn;
	}
	for (size_t i = 0; i < nd->n_open && rc == 0; i++) {
		if (nd->open[i]->mark != rp->turn)
			rc = end_series(rp, nd->open[i], first_ms, e);
	}
	nd->n_open = 0;
	return rc;
}

static int take_columns(struct replay *rp, struct replay_node *nd, struct overlay_series **to,
	struct replay_slots at, const struct pq_result *res, struct err *e)
{
	int64_t last = at.first_ms + (int64_t)(at.n - 1) * at.step_ms;

	if (end_open(rp, nd, to, res, at.first_ms, e) != 0)
		return -1;
	for (size_t i = 0; i < res->n; i++) {
		const struct pq_series *s = &res->series[i];

		if (copy_column(rp, nd, to[i], s, at, e) != 0)
			return -1;
		if (s->n > 0 && s->t[s->n - 1] == last)
			keep_open(nd, to[i]);
	}
	return 0;
}

void replay_apply(struct replay *rp, struct replay_node *nd, struct arena *a, struct replay_slots s,
	const struct pq_result *res)
{
	struct overlay_series **to = ARENA_ARRAY(a, res->n, struct overlay_series *);
	struct err e;

	if (nd->r->def->is_alert || nd->g->def->limit > 0 || nd->one_by_one || to == NULL ||
		!targets(rp, nd, a, res, to)) {
		each_slot(rp, nd, a, s, res);
		return;
	}
	s.first_ms -= rule_group_delay(nd->g, &rp->env);
	if (take_columns(rp, nd, to, s, res, &e) != 0)
		replay_failed(nd, s.n, &e);
}
