/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_emit - the series a rule writes: batches for the store, and a staleness mark for each series
 * that was written at the previous evaluation and is not any more.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/num.h"
#include "rules/rule_group.h"
#include "rules/rule_refusal.h"
#include "storage/store.h"

struct emitted {
	struct labels labels; /* a clone */
	uint64_t hash;
	uint64_t turn;
	uint32_t id; /* of the series while `generation` is the store's; 0: look it up */
	uint64_t generation;
};

void emit_begin(struct emitter *em, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms)
{
	*em = (struct emitter){.rule = r, .env = env, .a = a, .t_ms = t_ms};
	if (env->output == NULL)
		em->batch = batch_new(env->wait_all ? BATCH_IMPORT : BATCH_RULES);
	r->turn++;
}

static struct emitted *find(const struct rule *r, struct labels ls, uint64_t hash)
{
	struct map_iter it;

	for (struct emitted *x = map_first(&r->emitted, hash, &it); x != NULL;
		x = map_next(&r->emitted, &it)) {
		if (labels_eq(x->labels, ls))
			return x;
	}
	return NULL;
}

static void name_series(const struct emitter *em, struct batch *b, struct emitted *x)
{
	struct store *st = em->env->store;
	uint64_t generation = store_id_generation(st);

	if (x->id == 0 || x->generation != generation)
		x->id = store_find_series(st, x->labels, x->hash);
	x->generation = generation;
	if (x->id != 0)
		batch_series_id(b, x->id);
	else
		batch_series_labels(b, x->labels, x->hash);
}

static struct emitted *remember(struct rule *r, struct labels ls, uint64_t hash)
{
	struct emitted *x = find(r, ls, hash);

	if (x != NULL)
		return x;
	x = calloc(1, sizeof *x);
	ASSERT(x != NULL);
	x->labels = labels_clone(ls);
	x->hash = hash;
	map_add(&r->emitted, hash, x);
	return x;
}

void emit_remember(struct rule *r, struct labels ls)
{
	(void)remember(r, ls, labels_hash(ls));
}

static void give(struct emitter *em, struct emitted *x, double v, const struct hist *h)
{
	const struct rule_output *out = em->env->output;

	if (out == NULL)
		return;
	if (!em->failed)
		em->failed = out->take(out->ctx, x->labels, x->hash, em->t_ms, v, h, &em->err) != 0;
}

static void write_point(struct emitter *em, struct emitted *x, double v, const struct hist *h)
{
	x->turn = em->rule->turn;
	if (em->batch == NULL) {
		give(em, x, v, h);
		return;
	}
	name_series(em, em->batch, x);
	if (h != NULL)
		batch_hist(em->batch, em->t_ms, h, 0);
	else
		batch_float(em->batch, em->t_ms, v, 0);
}

struct emitted *emit(struct emitter *em, struct labels ls, double v, const struct hist *h)
{
	struct emitted *x = remember(em->rule, ls, labels_hash(ls));

	write_point(em, x, v, h);
	return x;
}

void emit_again(struct emitter *em, struct emitted *x, double v)
{
	write_point(em, x, v, NULL);
}

static void drop(struct rule *r, struct emitted *x)
{
	map_remove(&r->emitted, x->hash, x);
	labels_unclone(x->labels);
	free(x);
}

/* Marks for what was not written again; NULL when there is none. A batch of its own: that another
 * rule writes the same series now is no mistake, its sample stays then. */
static struct batch *stale_marks(struct emitter *em)
{
	struct rule *r = em->rule;
	struct emitted **gone = ARENA_ARRAY(em->a, r->emitted.n, struct emitted *);
	struct emitted *x;
	struct batch *b;
	size_t pos = 0, n = 0;

	if (gone == NULL)
		return NULL; /* next evaluation marks them */
	while ((x = map_each(&r->emitted, &pos)) != NULL) {
		if (x->turn != r->turn)
			gone[n++] = x;
	}
	if (n == 0)
		return NULL;
	b = em->batch == NULL ? NULL : batch_new(em->env->wait_all ? BATCH_IMPORT : BATCH_RULES);
	for (size_t i = 0; i < n; i++) {
		if (b == NULL) {
			give(em, gone[i], stale_nan(), NULL);
		} else {
			name_series(em, b, gone[i]);
			batch_float(b, em->t_ms, stale_nan(), 0);
		}
		drop(r, gone[i]);
	}
	return b;
}

static void on_done(struct batch *b, void *arg)
{
	rule_refusals_take(arg, batch_result(b), batch_rows(b));
	rule_refusals_unref(arg);
	batch_free(b);
}

static void on_marked(struct batch *b, void *arg)
{
	rule_refusals_unref(arg);
	if (batch_result(b)->fail != ERR_NONE)
		METRIC_DROP("rule", "store_refused", batch_rows(b));
	batch_free(b);
}

/* Give a batch to the store; it is gone afterwards. */
static int submit(struct emitter *em, struct batch *b, void (*done)(struct batch *b, void *arg),
	bool wait, struct err *e)
{
	struct rule_refusals *told;
	int rc;

	if (batch_failed(b) || batch_rows(b) == 0) {
		rc = batch_failed(b) ? err_set(e, ERR_LIMIT, 0, "too many samples in one result")
				     : 0;
		batch_free(b);
		return rc;
	}
	told = rule_refusals_ref(em->rule->refusals);
	if (wait || em->env->wait_all) {
		rc = store_submit_wait(em->env->store, b, e);
		if (rc == 0 && done == on_done && batch_result(b)->first != REFUSED_NONE)
			rc = err_set(e, ERR_INPUT, 0, "%s", batch_result(b)->first_msg);
		done(b, told);
		return rc;
	}
	if (store_submit(em->env->store, b, done, told, e) == 0)
		return 0;
	rule_refusals_unref(told);
	batch_free(b);
	return -1;
}

int emit_end(struct emitter *em, bool wait, struct err *e)
{
	struct batch *marks = stale_marks(em);
	struct err why;
	int rc;

	if (em->batch == NULL) {
		if (em->failed)
			*e = em->err;
		return em->failed ? -1 : 0;
	}
	rc = submit(em, em->batch, on_done, wait, e);
	em->batch = NULL;
	if (marks != NULL && submit(em, marks, on_marked, wait, &why) != 0 && rc == 0) {
		*e = why;
		rc = -1;
	}
	return rc;
}

void emit_forget(struct rule *r)
{
	struct emitted *x;
	size_t pos = 0;

	while ((x = map_each(&r->emitted, &pos)) != NULL) {
		labels_unclone(x->labels);
		free(x);
	}
	map_fini(&r->emitted);
}
