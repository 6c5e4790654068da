/* SPDX-License-Identifier: Apache-2.0 */
/* eval_matrix - a range vector as the result of an instant query: samples with their own times.
 * With anchored and smoothed the edges of the window get a point each. */
#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "rules/promql/window.h"

struct raw_result {
	struct ev *ev;
	const struct range *r;
	struct pq_series *s;
	size_t n, cap;
	int64_t start, end;
};

static int by_labels(const void *a, const void *b)
{
	const struct pq_series *x = a, *y = b;

	return labels_cmp(x->labels, y->labels);
}

/* The window's edges as points: the samples before and after it are replaced. */
static bool extend(struct raw_result *k, struct raw *r)
{
	struct arena *a = &k->ev->scratch;
	int64_t *t = ARENA_ARRAY(a, r->n + 2, int64_t);
	double *v = ARENA_ARRAY(a, r->n + 2, double);
	size_t first = 0, last = r->n - 1, n = 0;

	if (k->ev->scratch.failed)
		return true;
	while (first + 1 < r->n && r->t[first + 1] <= k->start)
		first++;
	while (k->r->smoothed && last > 0 && r->t[last - 1] >= k->end)
		last--;
	if (r->t[last] <= k->start)
		return false;
	t[n] = k->start;
	v[n++] = k->r->smoothed && r->t[first] < k->start
			 ? win_interpolate(r->t[first], r->v[first], r->t[first + 1],
				   r->v[first + 1], k->start, false)
			 : r->v[first];
	for (size_t i = first; i <= last; i++) {
		if (r->t[i] > k->start && r->t[i] < k->end) {
			t[n] = r->t[i];
			v[n++] = r->v[i];
		}
	}
	t[n] = k->end;
	v[n++] = k->r->smoothed && last > 0 && r->t[last] > k->end
			 ? win_interpolate(r->t[last - 1], r->v[last - 1], r->t[last], r->v[last],
				   k->end, false)
			 : r->v[last];
	r->t = t;
	r->v = v;
	r->n = n;
	return true;
}

static struct pq_series *push(struct raw_result *k)
{
	if (k->n == k->cap) {
		size_t cap = k->cap == 0 ? 16 : k->cap * 2;
		struct pq_series *s = ARENA_ARRAY(k->ev->a, cap, struct pq_series);

		if (s == NULL)
			return NULL;
		if (k->n > 0)
			memcpy(s, k->s, k->n * sizeof *s);
		k->s = s;
		k->cap = cap;
	}
	return &k->s[k->n++];
}

static int copy_series(struct raw_result *k, const struct raw *r, struct err *e)
{
	struct arena *a = k->ev->a;
	struct pq_series *s = push(k);
	int64_t *t = ARENA_ARRAY(a, r->n, int64_t);
	double *v = ARENA_ARRAY(a, r->n, double);
	const struct hist **h = NULL;

	if (r->h != NULL)
		h = ARENA_ARRAY(a, r->n, const struct hist *);
	if (ev_memory(k->ev, e) != 0)
		return -1;
	memcpy(t, r->t, r->n * sizeof *t);
	memcpy(v, r->v, r->n * sizeof *v);
	for (size_t i = 0; h != NULL && i < r->n; i++)
		h[i] = r->h[i] != NULL ? hist_copy(a, r->h[i]) : NULL;
	*s = (struct pq_series){
		.labels = labels_copy(a, r->drop_name ? ev_drop_name(a, r->labels) : r->labels),
		.n = r->n,
		.t = t,
		.v = v,
		.h = h};
	return ev_memory(k->ev, e);
}

static int on_raw(void *arg, struct raw *r, struct err *e)
{
	struct raw_result *k = arg;

	if (k->r->anchored || k->r->smoothed) {
		if (r->h != NULL)
			return err_set(e, ERR_INPUT, 0,
				"%s modifier is not supported with histograms",
				k->r->anchored ? "anchored" : "smoothed");
		if (!extend(k, r))
			return 0;
	}
	return copy_series(k, r, e);
}

int matrix_result(struct ev *ev, const struct pq_expr *x, const struct grid *g,
	struct pq_result *out, struct err *e)
{
	struct raw_result k = {.ev = ev};
	struct range r;

	if (range_init(ev, x, &r, e) != 0)
		return -1;
	k.r = &r;
	k.end = moment_time(&r.when, g, 0);
	k.start = i64_sub_sat(k.end, r.width);
	if (range_each(ev, &r, g, on_raw, &k, e) != 0)
		return -1;
	stop_sort(k.s, k.n, sizeof *k.s, by_labels);
	if (stop_check(e) != 0)
		return -1;
	for (size_t i = 1; i < k.n; i++) {
		if (labels_eq(k.s[i - 1].labels, k.s[i].labels))
			return ev_same_labelset(e);
	}
	out->series = k.s;
	out->n = k.n;
	return 0;
}
