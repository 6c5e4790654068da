/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_absent - belfry_absent_after: label sets that were there for KNOWN_MS and are missed.
 *
 * The rule's expression selects what should be there. A label set is known once it was there for
 * an hour, gaps up to the duration not counted; a known one that is missed for longer than the
 * duration is an alert until it is back, or for GONE_MS: then it is forgotten. Only time that was
 * watched counts: while belfry was down, or evaluations failed, nothing is missed any longer than
 * before. The first evaluation learns from the recorded history. Known sets stand in state.db.
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "rules/rule_alert.h"

#define KNOWN_MS    3600000
#define GONE_MS     INT64_C(604800000) /* a week */
#define PRIME_STEPS 240                /* points of the look into the past */

struct entry {
	struct labels sample; /* a clone */
	uint64_t hash;
	int64_t since_ms, last_ms;
	bool known, gone;   /* gone: an alert */
	bool restored;      /* not looked at since it was read from state.db */
	bool stored, dirty; /* has a row; the row must be written */
	bool dropped;       /* to be freed once its row's end was told */
};

struct absent {
	struct map entries; /* by hash of the sample */
	int64_t watched_ms; /* the last evaluation that came to its end; INT64_MIN: none */
	bool primed;
	bool forget_all;
	size_t n_dirty, n_dropped;
};

struct absent *absent_new(void)
{
	struct absent *ab = calloc(1, sizeof *ab);

	ASSERT(ab != NULL);
	map_init(&ab->entries);
	ab->watched_ms = INT64_MIN;
	return ab;
}

static void entry_free(struct entry *x)
{
	labels_unclone(x->sample);
	free(x);
}

void absent_free(struct absent *ab)
{
	struct entry *x;
	size_t pos = 0;

	if (ab == NULL)
		return;
	while ((x = map_each(&ab->entries, &pos)) != NULL)
		entry_free(x);
	map_fini(&ab->entries);
	free(ab);
}

void absent_shift(struct absent *ab, int64_t back_ms)
{
	struct entry *x;
	size_t pos = 0;

	while ((x = map_each(&ab->entries, &pos)) != NULL) {
		x->since_ms = i64_sub_sat(x->since_ms, back_ms);
		x->last_ms = i64_sub_sat(x->last_ms, back_ms);
	}
	if (ab->watched_ms != INT64_MIN)
		ab->watched_ms = i64_sub_sat(ab->watched_ms, back_ms);
}

static struct entry *find(const struct absent *ab, struct labels sample, uint64_t hash)
{
	struct map_iter it;

	for (struct entry *x = map_first(&ab->entries, hash, &it); x != NULL;
		x = map_next(&ab->entries, &it)) {
		if (sample_eq(x->sample, sample))
			return x;
	}
	return NULL;
}

static struct entry *add(struct absent *ab, struct labels sample, uint64_t hash, int64_t t_ms)
{
	struct entry *x;

	if (ab->entries.n >= LIMIT_ABSENT_SERIES) {
		METRIC_LIMIT("absent_series");
		return NULL;
	}
	x = calloc(1, sizeof *x);
	ASSERT(x != NULL);
	x->sample = labels_clone(sample);
	x->hash = hash;
	x->since_ms = x->last_ms = t_ms;
	map_add(&ab->entries, hash, x);
	return x;
}

static void mark(struct entry *x)
{
	x->dirty = true;
}

/* Gaps up to this do not end the hour: at least one evaluation that does not see it. */
static int64_t bridged(const struct rule *r, int64_t interval_ms)
{
	return MAX_OF(r->def->absent_after_ms, interval_ms + interval_ms / 2);
}

/* It is there at t. */
static void present(struct absent *ab, struct labels sample, int64_t t_ms, int64_t gap_ms)
{
	uint64_t hash = sample_hash(sample);
	struct entry *x = find(ab, sample, hash);

	if (x == NULL)
		x = add(ab, sample, hash, t_ms);
	if (x == NULL)
		return;
	if (x->dropped || (!x->known && t_ms - x->last_ms > gap_ms))
		x->since_ms = t_ms; /* a new beginning */
	if (x->dropped)
		x->known = false;
	x->dropped = x->restored = false;
	x->last_ms = t_ms;
	if (x->gone)
		mark(x);
	x->gone = false;
	if (!x->known && t_ms - x->since_ms >= KNOWN_MS) {
		x->known = true;
		mark(x);
	}
}

/* --- the past --- */

static void learn(struct absent *ab, const struct pq_series *s, int64_t now_ms, int64_t gap_ms)
{
	uint64_t hash = sample_hash(s->labels);
	struct entry *x = find(ab, s->labels, hash);

	if (x != NULL || s->n == 0)
		return;
	for (size_t i = 0; i < s->n; i++)
		present(ab, s->labels, s->t[i], gap_ms);
	x = find(ab, s->labels, hash);
	if (x != NULL)
		x->last_ms = now_ms; /* it is missed from now on, not from before */
}

/* What was there in the last hour counts as if this rule had watched it. */
static int prime(struct absent *ab, const struct rule *r, const struct rule_group *g,
	struct expander *x, int64_t t_ms, struct err *e)
{
	int64_t span = i64_add_sat(KNOWN_MS, 2 * MIN_OF(r->def->absent_after_ms, 24 * KNOWN_MS));
	int64_t step = MAX_OF(g->interval_ms, i64_floor_div(span, PRIME_STEPS));
	struct pq_params when = {.step_ms = step, .interval_ms = g->interval_ms};
	struct pq_result res;

	when.start_ms = i64_sub_sat(t_ms, i64_floor_div(span, step) * step);
	when.end_ms = t_ms - step;
	if (rule_query_range(x->env, x->a, r->def->expr, &when, &res, e) != 0)
		return err_wrap(e, "belfry_absent_after looks back");
	for (size_t i = 0; i < res.n; i++)
		learn(ab, &res.series[i], x->data.now_ms, bridged(r, step));
	ab->primed = true;
	return 0;
}

/* Time that nobody watched is taken out. */
static void skip_unwatched(struct absent *ab, const struct rule_group *g, int64_t slot_ms)
{
	int64_t gap = ab->watched_ms == INT64_MIN ? 0 : slot_ms - ab->watched_ms - g->interval_ms;
	struct entry *x;
	size_t pos = 0;

	if (gap <= g->interval_ms)
		return;
	while ((x = map_each(&ab->entries, &pos)) != NULL) {
		if (!x->gone)
			x->last_ms = i64_add_sat(x->last_ms, gap);
	}
}

/* --- an evaluation --- */

/* Read from state.db: its alert, when there is one, goes on; else missing begins now. */
static void settle(struct rule *r, struct expander *x, struct entry *en, int64_t slot_ms)
{
	en->restored = false;
	if (en->gone) {
		x->data.labels = en->sample;
		en->gone = alert_by_sample(r, x, en->sample) != NULL;
	}
	if (!en->gone)
		en->last_ms = slot_ms;
}

static void drop(struct entry *x)
{
	x->dropped = true;
	x->gone = false;
	x->known = false;
}

static void missing(struct rule *r, struct expander *x, struct entry *en, int64_t slot_ms)
{
	int64_t for_ms;

	if (en->restored)
		settle(r, x, en, slot_ms);
	for_ms = slot_ms - en->last_ms;
	if (for_ms > r->def->absent_after_ms && !en->known)
		drop(en);
	else if (for_ms > GONE_MS && for_ms > 2 * r->def->absent_after_ms)
		drop(en);
	else if (for_ms > r->def->absent_after_ms && !en->gone) {
		en->gone = true;
		mark(en);
	}
}

static void sweep(struct absent *ab)
{
	struct entry *x;
	size_t pos = 0;

	ab->n_dirty = ab->n_dropped = 0;
	while ((x = map_each(&ab->entries, &pos)) != NULL) {
		if (x->dropped && !x->stored) { /* nobody was told of it */
			map_remove(&ab->entries, x->hash, x);
			entry_free(x);
			pos = 0; /* the table shifted */
			ab->n_dirty = ab->n_dropped = 0;
			continue;
		}
		ab->n_dropped += x->dropped;
		ab->n_dirty += x->dirty || x->dropped;
	}
}

static int list_missing(struct rule *r, struct absent *ab, struct expander *x,
	struct candidate **out, size_t *n, struct err *e)
{
	struct candidate *v = ARENA_ARRAY(x->a, ab->entries.n + 1, struct candidate);
	struct entry *en;
	size_t pos = 0;

	*n = 0;
	*out = v;
	while (v != NULL && (en = map_each(&ab->entries, &pos)) != NULL) {
		if (!en->gone)
			continue;
		v[*n] = (struct candidate){.sample = en->sample,
			.value = (double)(x->data.now_ms - en->last_ms) / 1000};
		candidate_fill(r, x, &v[(*n)++]);
	}
	if (x->a->failed)
		return err_set(e, ERR_LIMIT, 0, "the alerts need more than query.max_memory");
	return 0;
}

int absent_eval(struct rule *r, const struct rule_group *g, struct expander *x, int64_t t_ms,
	const struct pq_result *res, struct candidate **v, size_t *n, struct err *e)
{
	int64_t slot_ms = x->data.now_ms;
	struct absent *ab = r->absent;
	struct entry *en;
	size_t pos = 0;

	if (res->type != PQ_VECTOR)
		return err_set(e, ERR_INPUT, 0, "belfry_absent_after needs a vector");
	if (!ab->primed && prime(ab, r, g, x, t_ms, e) != 0)
		return -1;
	skip_unwatched(ab, g, slot_ms);
	ab->watched_ms = slot_ms;
	for (size_t i = 0; i < res->n; i++) {
		if (res->series[i].n > 0)
			present(ab, res->series[i].labels, slot_ms, bridged(r, g->interval_ms));
	}
	while ((en = map_each(&ab->entries, &pos)) != NULL) {
		if (en->last_ms != slot_ms && !en->dropped)
			missing(r, x, en, slot_ms);
	}
	sweep(ab);
	x->data.hist = NULL;
	return list_missing(r, ab, x, v, n, e);
}

/* --- state.db --- */

bool rule_restore_seen(struct rule *r, const struct alert_seen *s)
{
	struct entry *x;
	uint64_t hash;

	if (!str_eq(r->def->key, s->rule_key) || r->absent == NULL)
		return false;
	hash = sample_hash(s->labels);
	x = find(r->absent, s->labels, hash);
	if (x == NULL)
		x = add(r->absent, s->labels, hash, s->since_ms);
	if (x == NULL)
		return true;
	x->known = x->stored = x->restored = true;
	x->gone = s->last_ms != 0;
	x->last_ms = s->last_ms;
	return true;
}

size_t absent_change_bytes(const struct absent *ab)
{
	struct entry *x;
	size_t pos = 0, bytes = ab->forget_all ? 256 : 0;

	if (ab->n_dirty == 0)
		return bytes;
	while ((x = map_each(&ab->entries, &pos)) != NULL) {
		if (!x->dirty && !x->dropped)
			continue;
		bytes += sizeof(struct alert_seen) + 64;
		for (size_t i = 0; i < x->sample.n; i++)
			bytes += x->sample.v[i].name.n + x->sample.v[i].value.n + 128;
	}
	return bytes;
}

size_t absent_changes(
	const struct rule *r, const struct absent *ab, struct arena *a, struct alert_seen **list)
{
	struct alert_seen *v = ARENA_ARRAY(a, ab->n_dirty + 1, struct alert_seen);
	struct str key = arena_str(a, r->def->key);
	struct entry *x;
	size_t pos = 0, n = 0;

	*list = v;
	if (v != NULL && ab->forget_all)
		v[n++] = (struct alert_seen){.rule_key = key, .forget = true};
	while (v != NULL && n <= ab->n_dirty && (x = map_each(&ab->entries, &pos)) != NULL) {
		if (!x->dirty && !x->dropped)
			continue;
		v[n++] = (struct alert_seen){.rule_key = key,
			.labels = labels_copy(a, x->sample),
			.since_ms = x->since_ms,
			.last_ms = x->gone ? x->last_ms : 0,
			.forget = x->dropped};
	}
	return n;
}

void absent_told(struct absent *ab)
{
	struct entry *x;
	size_t pos = 0;

	ab->forget_all = false;
	if (ab->n_dirty == 0)
		return;
	while ((x = map_each(&ab->entries, &pos)) != NULL) {
		if (x->dirty)
			x->stored = true;
		x->dirty = false;
		if (x->dropped)
			x->stored = false;
	}
	sweep(ab);
}

void absent_forget_all(struct absent *ab)
{
	struct entry *x;
	size_t pos = 0;

	while ((x = map_each(&ab->entries, &pos)) != NULL)
		entry_free(x);
	map_fini(&ab->entries);
	map_init(&ab->entries);
	ab->n_dirty = ab->n_dropped = 0;
	ab->forget_all = true;
}
