/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_clear - belfry_clear_if: an alert that fires goes on firing until this expression shows it.
 *
 * An element of the expression belongs to the alerts that have all of its labels (the metric's name
 * and labels that the rule itself sets do not count); one without labels belongs to all. When the
 * expression compares with a constant and what it compares has had no element for an alert for
 * LOST_MS, there is nothing left to wait for, and the alert ends as it would without the
 * annotation.
 */
#include "base/assert.h"
#include "base/num.h"
#include "rules/rule_alert.h"

#define LOST_MS 300000 /* as long as a query looks back: a few failed scrapes are no end */

struct joined { /* alerts by the labels that elements have */
	const struct rule *r;
	struct str *names;
	size_t n;
	struct map alerts;
	struct arena *a;
};

static bool set_by_rule(const struct rule *r, struct str name)
{
	if (str_eq(name, LABEL_NAME) || str_eq(name, STR("alertname")))
		return true;
	for (size_t i = 0; i < r->def->n_labels; i++) {
		if (str_eq(r->def->labels[i].name, name))
			return true;
	}
	return false;
}

static bool waits(const struct rule *r, const struct alert *al)
{
	return al->turn != r->eval_turn && al->state == ALERT_FIRING && al->keep_since_ms == 0;
}

/* The element's labels that count, in their order. */
static struct labels counting(const struct joined *k, struct labels ls)
{
	struct label *v = ARENA_ARRAY(k->a, ls.n, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < ls.n; i++) {
		if (!set_by_rule(k->r, ls.v[i].name))
			v[n++] = ls.v[i];
	}
	return (struct labels){v, n};
}

static bool same_names(const struct joined *k, struct labels ls)
{
	if (k->names == NULL || k->n != ls.n)
		return false;
	for (size_t i = 0; i < ls.n; i++) {
		if (!str_eq(k->names[i], ls.v[i].name))
			return false;
	}
	return true;
}

/* Index the waiting alerts by these names: usually all elements have the same ones. */
static void index_by(struct joined *k, struct labels ls)
{
	struct alert *al;
	size_t pos = 0;

	map_fini(&k->alerts);
	map_init(&k->alerts);
	k->n = ls.n;
	k->names = ARENA_ARRAY(k->a, ls.n, struct str);
	for (size_t i = 0; k->names != NULL && i < ls.n; i++)
		k->names[i] = ls.v[i].name;
	while (k->names != NULL && (al = map_each(&k->r->alerts, &pos)) != NULL) {
		if (waits(k->r, al))
			map_add(&k->alerts, labels_hash_on(al->labels, k->names, k->n), al);
	}
}

static bool has_all(struct labels have, struct labels want)
{
	for (size_t i = 0; i < want.n; i++) {
		if (!str_eq(labels_get(have, want.v[i].name), want.v[i].value))
			return false;
	}
	return true;
}

static void each_match(
	struct rule *r, struct arena *a, const struct pq_result *res, void (*fn)(struct alert *al))
{
	struct joined k = {.r = r, .a = a};
	struct map_iter it;

	map_init(&k.alerts);
	for (size_t i = 0; i < res->n; i++) {
		struct labels ls;

		if (res->series[i].n == 0)
			continue;
		ls = counting(&k, res->series[i].labels);
		if (!same_names(&k, ls))
			index_by(&k, ls);
		if (a->failed)
			break;
		for (struct alert *al = map_first(&k.alerts, labels_hash_on(ls, k.names, k.n), &it);
			al != NULL; al = map_next(&k.alerts, &it)) {
			if (has_all(al->labels, ls))
				fn(al);
		}
	}
	map_fini(&k.alerts);
}

static void on_clear(struct alert *al)
{
	al->held = false;
}

static void on_data(struct alert *al)
{
	al->lost_since_ms = 0;
}

static bool begin(struct rule *r)
{
	struct alert *al;
	size_t pos = 0;
	bool any = false;

	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		al->held = waits(r, al);
		any = any || al->held;
	}
	return any;
}

/* Alerts of which nothing is heard any more are given up. */
static int give_up_lost(struct rule *r, const struct rule_group *g, struct expander *x,
	int64_t t_ms, int64_t slot_ms, struct err *e)
{
	struct pq_result res;
	struct alert *al;
	size_t pos = 0;

	if (r->def->clear_side == NULL)
		return 0;
	if (rule_query(x->env, x->a, r->def->clear_side, t_ms, g->interval_ms, &res, e) != 0)
		return -1;
	while ((al = map_each(&r->alerts, &pos)) != NULL) {
		if (al->held && al->lost_since_ms == 0)
			al->lost_since_ms = slot_ms;
	}
	if (res.type == PQ_VECTOR)
		each_match(r, x->a, &res, on_data);
	for (pos = 0; (al = map_each(&r->alerts, &pos)) != NULL;) {
		if (al->lost_since_ms != 0 && slot_ms - al->lost_since_ms >= LOST_MS)
			al->held = false;
	}
	return 0;
}

int clear_eval(struct rule *r, const struct rule_group *g, struct expander *x, int64_t t_ms,
	int64_t slot_ms, struct err *e)
{
	struct pq_result res;

	if (!begin(r))
		return 0;
	if (rule_query(x->env, x->a, r->def->clear, t_ms, g->interval_ms, &res, e) != 0)
		return err_wrap(e, "belfry_clear_if");
	each_match(r, x->a, &res, on_clear);
	if (x->a->failed)
		return err_set(e, ERR_LIMIT, 0, "belfry_clear_if needs more than query.max_memory");
	return give_up_lost(r, g, x, t_ms, slot_ms, e);
}
