/* SPDX-License-Identifier: Apache-2.0 */
/* eval_labels - label sets with some labels left out; see eval.h. Results share the strings. */
#include "rules/promql/eval.h"

bool ev_name_in(struct str name, struct pq_names names)
{
	for (size_t i = 0; i < names.n; i++) {
		if (str_eq(name, names.v[i]))
			return true;
	}
	return false;
}

/* The name and what describes it: they belong to the metric, not to the result of arithmetic. */
static bool is_metadata(struct str name)
{
	return str_eq(name, LABEL_NAME) || str_eq(name, STR("__type__")) ||
	       str_eq(name, STR("__unit__"));
}

struct labels ev_drop_name(struct arena *a, struct labels ls)
{
	struct label *v;
	size_t n = 0, drop = 0;

	for (size_t i = 0; i < ls.n; i++)
		drop += is_metadata(ls.v[i].name);
	if (drop == 0)
		return ls;
	v = ARENA_ARRAY(a, ls.n - drop, struct label);
	for (size_t i = 0; v != NULL && i < ls.n; i++) {
		if (!is_metadata(ls.v[i].name))
			v[n++] = ls.v[i];
	}
	return (struct labels){v, n};
}

struct labels ev_labels_keep(struct arena *a, struct labels ls, struct pq_names names)
{
	struct label *v;
	size_t n = 0;

	if (names.n == 0)
		return (struct labels){NULL, 0};
	v = ARENA_ARRAY(a, ls.n, struct label);
	for (size_t i = 0; v != NULL && i < ls.n; i++) {
		if (ev_name_in(ls.v[i].name, names))
			v[n++] = ls.v[i];
	}
	return (struct labels){v, n};
}

struct labels ev_labels_without(
	struct arena *a, struct labels ls, struct pq_names names, bool and_name)
{
	struct label *v = ARENA_ARRAY(a, ls.n, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < ls.n; i++) {
		if (ev_name_in(ls.v[i].name, names) ||
			(and_name && str_eq(ls.v[i].name, LABEL_NAME)))
			continue;
		v[n++] = ls.v[i];
	}
	return (struct labels){v, n};
}
