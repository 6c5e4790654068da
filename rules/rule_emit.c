/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_emit - the series a rule writes: batches for the store, and a staleness mark for each series
 * that was written at the previous evaluation and is not any more.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "rules/rule_group.h"
#include "storage/store.h"

struct emitted {
	struct labels labels; /* a clone */
	uint64_t hash;
	uint64_t turn;
};

void emit_begin(struct emitter *em, struct rule *r, const struct rule_env *env, struct arena *a,
	int64_t t_ms)
{
	*em = (struct emitter){.rule = r, .env = env, .a = a, .t_ms = t_ms};
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

static void name_series(const struct emitter *em, struct labels ls, uint64_t hash)
{
	uint32_t id = store_find_series(em->env->store, ls, hash);

	if (id != 0)
		batch_series_id(em->batch, id);
	else
		batch_series_labels(em->batch, ls, hash);
}

void emit(struct emitter *em, struct labels ls, double v, const struct hist *h)
{
	uint64_t hash = labels_hash(ls);
	struct emitted *x = find(em->rule, ls, hash);

	if (x == NULL) {
		x = calloc(1, sizeof *x);
		ASSERT(x != NULL);
		x->labels = labels_clone(ls);
		x->hash = hash;
		map_add(&em->rule->emitted, hash, x);
	}
	x->turn = em->rule->turn;
	name_series(em, ls, hash);
	if (h != NULL)
		batch_hist(em->batch, em->t_ms, h, 0);
	else
		batch_float(em->batch, em->t_ms, v, 0);
}

static void drop(struct rule *r, struct emitted *x)
{
	map_remove(&r->emitted, x->hash, x);
	labels_unclone(x->labels);
	free(x);
}

static void mark_stale(struct emitter *em)
{
	struct rule *r = em->rule;
	struct emitted **gone = ARENA_ARRAY(em->a, r->emitted.n, struct emitted *);
	struct emitted *x;
	size_t pos = 0, n = 0;

	if (gone == NULL)
		return; /* next evaluation marks them */
	while ((x = map_each(&r->emitted, &pos)) != NULL) {
		if (x->turn != r->turn)
			gone[n++] = x;
	}
	for (size_t i = 0; i < n; i++) {
		name_series(em, gone[i]->labels, gone[i]->hash);
		batch_float(em->batch, em->t_ms, stale_nan(), 0);
		drop(r, gone[i]);
	}
}

static void on_done(struct batch *b, void *arg)
{
	const struct batch_result *res = batch_result(b);

	(void)arg;
	if (res->fail != ERR_NONE)
		METRIC_DROP("rule", "store_refused", batch_rows(b));
	for (int k = REFUSED_NONE + 1; k < REFUSED_KINDS; k++)
		METRIC_DROP("rule", "sample_refused", res->refused[k]);
	if (res->first != REFUSED_NONE) {
		char q[LOG_Q_MAX];

		log_warn("rule", "msg=\"a rule's sample was refused\" error=%s",
			log_q(q, str_c(res->first_msg)));
	}
	batch_free(b);
}

int emit_end(struct emitter *em, bool wait, struct err *e)
{
	mark_stale(em);
	if (batch_failed(em->batch)) {
		batch_free(em->batch);
		return err_set(e, ERR_LIMIT, 0, "too many samples in one result");
	}
	if (batch_rows(em->batch) == 0) {
		batch_free(em->batch);
		return 0;
	}
	if (wait || em->env->wait_all) {
		int rc = store_submit_wait(em->env->store, em->batch, e);

		if (rc == 0)
			on_done(em->batch, NULL);
		else
			batch_free(em->batch);
		return rc;
	}
	if (store_submit(em->env->store, em->batch, on_done, NULL, e) == 0)
		return 0;
	batch_free(em->batch);
	return -1;
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
