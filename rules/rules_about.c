/* SPDX-License-Identifier: Apache-2.0 */
/* rules_about - looks a rule up for the messages about its alerts; see rules.h. */
#include "rules/rule_set.h"
#include "rules/rules_internal.h"

static const struct rule_def *find(
	const struct rules *r, struct str group, struct str name, struct str expr)
{
	for (size_t i = 0; i < r->n_groups; i++) {
		const struct rule_group_def *g = r->groups[i]->def;

		for (size_t k = 0; str_eq(g->name, group) && k < g->n; k++) {
			const struct rule_def *d = &g->rules[k];

			if (d->is_alert && str_eq(d->name, name) && str_eq(d->query, expr))
				return d;
		}
	}
	return NULL;
}

bool rules_about(struct rules *r, struct str group, struct str name, struct str expr,
	struct arena *a, struct rules_about *out)
{
	const struct rule_def *d;
	struct str *names = NULL;

	(void)pthread_mutex_lock(&r->lock);
	d = find(r, group, name, expr);
	if (d != NULL) {
		names = ARENA_ARRAY(a, d->n_labels, struct str);
		for (size_t i = 0; names != NULL && i < d->n_labels; i++)
			names[i] = arena_str(a, d->labels[i].name);
		*out = (struct rules_about){.for_ms = d->for_ms,
			.label_names = names,
			.n_label_names = d->n_labels,
			.top = d->top != NULL ? arena_str(a, d->top->text) : STR_NULL};
	}
	(void)pthread_mutex_unlock(&r->lock);
	return d != NULL && !a->failed;
}
