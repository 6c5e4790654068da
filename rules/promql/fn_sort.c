/* SPDX-License-Identifier: Apache-2.0 */
/* fn_sort - sort, sort_desc, sort_by_label, sort_by_label_desc: an order for instant queries.
 * Range queries are always ordered by labels: they say so and pass the series on. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/stop.h"
#include "rules/promql/eval.h"

struct entry {
	struct col *c;
	size_t at; /* place before, for equals */
	const struct pq_expr *x;
};

static int by_value(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	double v = x->c->v[0], w = y->c->v[0];
	bool desc = x->x->u.call.func->id == PQ_FN_SORT_DESC;

	if (isnan(v) || isnan(w)) { /* NaN last, whichever way */
		if (isnan(v) != isnan(w))
			return isnan(v) ? 1 : -1;
	} else if (v != w) {
		return (v < w) != desc ? -1 : 1;
	}
	return x->at < y->at ? -1 : 1;
}

static bool is_digit(struct str s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* Runs of digits as numbers, anything else by bytes: "a2" before "a10". */
static int natural_cmp(struct str a, struct str b)
{
	size_t i = 0, j = 0;

	while (i < a.n && j < b.n) {
		size_t p, q;
		int c;

		if (!is_digit(a, i) || !is_digit(b, j)) {
			if (a.p[i] != b.p[j])
				return (unsigned char)a.p[i] < (unsigned char)b.p[j] ? -1 : 1;
			i++;
			j++;
			continue;
		}
		while (a.p[i] == '0' && is_digit(a, i + 1))
			i++;
		while (b.p[j] == '0' && is_digit(b, j + 1))
			j++;
		for (p = i; is_digit(a, p);)
			p++;
		for (q = j; is_digit(b, q);)
			q++;
		if (p - i != q - j)
			return p - i < q - j ? -1 : 1;
		c = str_cmp(str_sub(a, i, p), str_sub(b, j, q));
		if (c != 0)
			return c;
		i = p;
		j = q;
	}
	return i < a.n ? 1 : j < b.n ? -1 : 0;
}

static int by_label(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const struct pq_expr *call = x->x;
	int c = 0;

	for (size_t i = 1; i < call->u.call.n && c == 0; i++) {
		struct str name = ev_arg(call, i)->u.text;
		struct str v = labels_get(x->c->labels, name), w = labels_get(y->c->labels, name);

		if (!str_eq(v, w))
			c = natural_cmp(v, w);
	}
	if (c == 0)
		c = labels_cmp(x->c->labels, y->c->labels);
	return call->u.call.func->id == PQ_FN_SORT_BY_LABEL_DESC ? -c : c;
}

static int emit_sorted(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct sink out, struct err *e)
{
	bool values = x->u.call.func->id == PQ_FN_SORT || x->u.call.func->id == PQ_FN_SORT_DESC;
	struct entry *list;
	struct mat m;
	size_t n = 0;

	if (mat_collect(ev, ev_arg(x, 0), g, &m, e) != 0)
		return -1;
	list = ARENA_ARRAY(ev->a, m.n, struct entry);
	if (ev_memory(ev, e) != 0)
		return -1;
	for (size_t i = 0; i < m.n; i++) {
		if (!values || col_hist(&m.s[i], 0) == NULL)
			list[n++] = (struct entry){&m.s[i], i, x};
	}
	stop_sort(list, n, sizeof *list, values ? by_value : by_label);
	if (stop_check(e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (emit(out, list[i].c, e) != 0)
			return -1;
	}
	return 0;
}

struct floats_only {
	const struct grid *g;
	bool values;
	struct sink out;
};

static int on_series(void *arg, struct col *c, struct err *e)
{
	struct floats_only *f = arg;

	for (size_t i = 0; f->values && c->h != NULL && i < f->g->n; i++) {
		if (c->h[i] != NULL)
			c->v[i] = ABSENT;
	}
	if (f->values)
		c->h = NULL;
	return col_any(c, f->g) ? emit(f->out, c, e) : 0;
}

int fn_sort_each(struct ev *ev, const struct pq_expr *x, const struct grid *g, struct sink out,
	struct err *e)
{
	enum pq_fn id = x->u.call.func->id;
	struct floats_only f = {g, id == PQ_FN_SORT || id == PQ_FN_SORT_DESC, out};

	if (ev->p->start_ms != ev->p->end_ms)
		ev_say(ev, SAID_SORT_IN_RANGE, x, STR_NULL);
	if (g->n == 1)
		return emit_sorted(ev, x, g, out, e);
	return eval_each(ev, ev_arg(x, 0), g, (struct sink){on_series, &f}, e);
}
