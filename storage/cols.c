/* SPDX-License-Identifier: Apache-2.0 */
/* cols - growing, sorting and clipping columns of samples; see cols.h. */
#include "storage/cols.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/uninit.h"

#define ROWS_MAX ((size_t)1 << 28) /* far above any query's sample limit */

void cols_init(struct cols *c)
{
	*c = (struct cols){0};
}

void cols_fini(struct cols *c)
{
	free(c->t);
	free(c->v);
	free(c->h);
	free(c->start);
	*c = (struct cols){0};
}

void cols_reset(struct cols *c)
{
	c->n = 0;
	c->failed = false;
	free(c->h);
	free(c->start);
	c->h = NULL;
	c->start = NULL;
}

static bool grow(void *column, size_t cap, size_t elem)
{
	void **p = column;
	void *q = realloc(*p, cap * elem);

	if (q == NULL)
		return false;
	*p = q;
	return true;
}

bool cols_reserve(struct cols *c, size_t n)
{
	size_t need = c->n + n, cap = c->cap;

	if (c->failed || n > ROWS_MAX || need > ROWS_MAX) {
		c->failed = true;
		return false;
	}
	if (need <= cap)
		return true;
	cap = MAX_OF(need, MAX_OF(cap + cap / 2, 64));
	if (!grow(&c->t, cap, sizeof *c->t) || !grow(&c->v, cap, sizeof *c->v) ||
		(c->h != NULL && !grow(&c->h, cap, sizeof *c->h)) ||
		(c->start != NULL && !grow(&c->start, cap, sizeof *c->start))) {
		c->failed = true;
		return false;
	}
	c->cap = cap;
	return true;
}

bool cols_need_start(struct cols *c)
{
	if (c->start != NULL)
		return true;
	c->start = calloc(MAX_OF(c->cap, 1), sizeof *c->start);
	c->failed = c->failed || c->start == NULL;
	return c->start != NULL;
}

bool cols_need_hist(struct cols *c)
{
	if (c->h != NULL)
		return true;
	c->h = calloc(MAX_OF(c->cap, 1), sizeof *c->h);
	c->failed = c->failed || c->h == NULL;
	return c->h != NULL;
}

void cols_push(struct cols *c, int64_t t, double v, const struct hist *h, int64_t start)
{
	if (c->n == c->cap && !cols_reserve(c, 1))
		return;
	if ((h != NULL && !cols_need_hist(c)) || (start != 0 && !cols_need_start(c)))
		return;
	c->t[c->n] = t;
	c->v[c->n] = v;
	if (c->h != NULL)
		c->h[c->n] = h;
	if (c->start != NULL)
		c->start[c->n] = start;
	c->n++;
}

bool cols_same_value(double va, const struct hist *ha, double vb, const struct hist *hb)
{
	if (ha != NULL || hb != NULL)
		return ha != NULL && hb != NULL && hist_eq(ha, hb);
	return f64_bits(va) == f64_bits(vb);
}

struct order {
	int64_t t;
	size_t i;
};

static int by_time(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->t != y->t)
		return x->t < y->t ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

static bool permute(void *column, const struct order *o, size_t n, size_t elem)
{
	void **p = column;
	char *old = *p, *new;

	if (old == NULL)
		return true;
	new = malloc(n * elem);
	if (new == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		memcpy(new + i *elem, old + o[i].i * elem, elem);
	free(old);
	*p = new;
	return true;
}

/* The sort for what comes in many pieces. */
static void settle_any(struct cols *c)
{
	struct order *o = malloc(c->n * sizeof *o);
	size_t kept = 0;

	if (o == NULL) {
		c->failed = true;
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		o[i] = (struct order){c->t[i], i};
	qsort(o, c->n, sizeof *o, by_time);
	for (size_t i = 0; i < c->n; i++) {
		if (kept == 0 || o[kept - 1].t != o[i].t)
			o[kept++] = o[i];
	}
	c->failed = !permute(&c->t, o, kept, sizeof *c->t) ||
		    !permute(&c->v, o, kept, sizeof *c->v) ||
		    !permute(&c->h, o, kept, sizeof *c->h) ||
		    !permute(&c->start, o, kept, sizeof *c->start);
	free(o);
	c->n = c->failed ? 0 : kept;
	c->cap = kept;
}

#define RUNS_MAX 16u

/* An ascending stretch of rows. */
struct run {
	size_t from, to;
};

struct runs {
	size_t n; /* RUNS_MAX + 1: too many */
	struct run v[RUNS_MAX];
};

/* The rows before `at` and from it on: one run when they ascend. */
static void break_at(struct runs *r, const struct cols *c, size_t at)
{
	if (c->t[at - 1] < c->t[at] || r->n > RUNS_MAX)
		return;
	r->v[r->n - 1].to = at;
	if (r->n < RUNS_MAX)
		r->v[r->n] = (struct run){at, c->n};
	r->n++;
}

static void find_runs(struct runs *r, const struct cols *c, const struct cols_pieces *p)
{
	size_t unknown = p != NULL && p->n > 0 && p->n <= COLS_PIECES ? p->at[0] : c->n;

	r->n = 1;
	r->v[0] = (struct run){0, c->n};
	for (size_t i = 1; i < unknown; i++) {
		if (c->t[i - 1] >= c->t[i])
			break_at(r, c, i);
	}
	for (size_t i = 0; unknown < c->n && i < p->n; i++) {
		if (p->at[i] > 0 && p->at[i] < c->n)
			break_at(r, c, p->at[i]);
	}
}

/* Usually pieces only stand in the wrong order: what memory holds before what the disk holds. */
static bool disjoint(const struct cols *c, struct run *runs, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct run r = runs[i];
		size_t k = i;

		for (; k > 0 && c->t[runs[k - 1].from] > c->t[r.from]; k--)
			runs[k] = runs[k - 1];
		runs[k] = r;
	}
	for (size_t i = 1; i < n; i++) {
		if (c->t[runs[i - 1].to - 1] >= c->t[runs[i].from])
			return false;
	}
	return true;
}

static bool gather(void *column, const struct run *runs, size_t n, size_t cap, size_t elem)
{
	void **p = column;
	char *old = *p, *new, *at;

	if (old == NULL)
		return true;
	new = at = malloc(cap * elem);
	if (new == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t bytes = (runs[i].to - runs[i].from) * elem;

		memcpy(at, old + runs[i].from * elem, bytes);
		at += bytes;
	}
	free(old);
	*p = new;
	return true;
}

/* Merges runs by index; of equal times the row that stood first stays. */
static size_t merge(const struct cols *c, struct run *runs, size_t n, struct order *o)
{
	size_t kept = 0;

	for (;;) {
		size_t best = n;

		for (size_t i = 0; i < n; i++) {
			if (runs[i].from < runs[i].to &&
				(best == n || c->t[runs[i].from] < c->t[runs[best].from]))
				best = i;
		}
		if (best == n)
			return kept;
		if (kept == 0 || o[kept - 1].t != c->t[runs[best].from])
			o[kept++] = (struct order){c->t[runs[best].from], runs[best].from};
		runs[best].from++;
	}
}

#define FEW_ROWS 256u

/* The first `first` of n rows go behind the others; the fewer rows go by way of the stack. */
static void rotate(void *column, size_t first, size_t n)
{
	char UNINIT few[FEW_ROWS * sizeof(double)];
	char *v = column;
	size_t a = first * sizeof(double), b = (n - first) * sizeof(double);

	if (a <= b) {
		memcpy(few, v, a);
		memmove(v, v + a, b);
		memcpy(v + b, few, a);
	} else {
		memcpy(few, v + a, b);
		memmove(v + b, v, a);
		memcpy(v, few, b);
	}
}

/* What memory holds stands before what the disk holds: they change places without an
 * allocation. */
static bool swap_two(struct cols *c, const struct run *runs, size_t n)
{
	size_t first = runs[0].to;

	if (n != 2 || c->h != NULL || c->start != NULL || c->t[c->n - 1] >= c->t[0] ||
		MIN_OF(first, c->n - first) > FEW_ROWS)
		return false;
	rotate(c->t, first, c->n);
	rotate(c->v, first, c->n);
	return true;
}

static void settle_runs(struct cols *c, struct run *runs, size_t n)
{
	struct run sorted[RUNS_MAX];
	struct order *o;
	size_t kept;

	if (swap_two(c, runs, n))
		return;
	memcpy(sorted, runs, n * sizeof *runs);
	if (disjoint(c, sorted, n)) {
		c->failed = !gather(&c->t, sorted, n, c->cap, sizeof *c->t) ||
			    !gather(&c->v, sorted, n, c->cap, sizeof *c->v) ||
			    !gather(&c->h, sorted, n, c->cap, sizeof *c->h) ||
			    !gather(&c->start, sorted, n, c->cap, sizeof *c->start);
		if (c->failed)
			c->n = 0;
		return;
	}
	o = malloc(c->n * sizeof *o);
	if (o == NULL) {
		c->failed = true;
		return;
	}
	kept = merge(c, runs, n, o);
	c->failed = !permute(&c->t, o, kept, sizeof *c->t) ||
		    !permute(&c->v, o, kept, sizeof *c->v) ||
		    !permute(&c->h, o, kept, sizeof *c->h) ||
		    !permute(&c->start, o, kept, sizeof *c->start);
	free(o);
	c->n = c->failed ? 0 : kept;
	c->cap = kept;
}

void cols_settle_pieces(struct cols *c, const struct cols_pieces *p)
{
	struct runs UNINIT r;

	if (c->failed || c->n == 0)
		return;
	find_runs(&r, c, p);
	if (r.n > RUNS_MAX)
		settle_any(c);
	else if (r.n > 1)
		settle_runs(c, r.v, r.n);
}

void cols_settle(struct cols *c)
{
	cols_settle_pieces(c, NULL);
}

static size_t lower_bound(const int64_t *t, size_t n, int64_t x)
{
	size_t lo = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (t[lo + half] < x) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

void cols_clip_from(struct cols *c, size_t at, int64_t mint, int64_t maxt)
{
	size_t from = at + lower_bound(c->t + at, c->n - at, mint), to = c->n;

	if (maxt < INT64_MAX)
		to = at + lower_bound(c->t + at, c->n - at, maxt + 1);
	to = MAX_OF(to, from);
	if (from > at) {
		memmove(c->t + at, c->t + from, (to - from) * sizeof *c->t);
		memmove(c->v + at, c->v + from, (to - from) * sizeof *c->v);
		if (c->h != NULL)
			memmove(c->h + at, c->h + from, (to - from) * sizeof *c->h);
		if (c->start != NULL)
			memmove(c->start + at, c->start + from, (to - from) * sizeof *c->start);
	}
	c->n = at + to - from;
}

void cols_clip(struct cols *c, int64_t mint, int64_t maxt)
{
	if (c->n > 0)
		cols_clip_from(c, 0, mint, maxt);
}
