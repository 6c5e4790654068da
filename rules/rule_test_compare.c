/* SPDX-License-Identifier: Apache-2.0 */
/* rule_test_compare - what was expected against what came, and how the difference reads. */
#include <math.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/f64.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/hacc.h"
#include "rules/promql/hist_buckets.h"
#include "rules/rule_test.h"

void rule_test_fail(struct rule_test_result *res, struct arena *a, unsigned line, struct str what,
	struct str want, struct str got)
{
	struct rule_test_failure *f = ARENA_NEW(a, struct rule_test_failure);

	if (f == NULL)
		return;
	*f = (struct rule_test_failure){.what = arena_str(a, what),
		.want = arena_str(a, want),
		.got = arena_str(a, got),
		.line = line};
	if (res->last == NULL)
		res->last = &res->first;
	*res->last = f;
	res->last = &f->next;
}

static void fail_with(struct rule_test_result *res, struct arena *a, unsigned line,
	struct buf *what, struct buf *want, struct buf *got)
{
	rule_test_fail(res, a, line, buf_view(what), buf_view(want), buf_view(got));
	buf_fini(what);
	buf_fini(want);
	buf_fini(got);
}

static void begin(struct buf *what, struct buf *want, struct buf *got)
{
	buf_init(what, LIMIT_EXPR_BYTES + 1000);
	buf_init(want, (size_t)4 << 20);
	buf_init(got, (size_t)4 << 20);
}

/* --- alerts --- */

static int by_labels(const void *a, const void *b)
{
	const struct rule_test_alert *x = a, *y = b;
	int c = labels_cmp(x->labels, y->labels);

	return c != 0 ? c : labels_cmp(x->annotations, y->annotations);
}

static void print_alerts(struct buf *b, const struct rule_test_alert *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		labels_print(b, v[i].labels, false);
		buf_c(b, " annotations ");
		labels_print(b, v[i].annotations, false);
		buf_ch(b, '\n');
	}
}

void rule_test_compare_alerts(const struct rule_test_alerts *c, struct rule_test_alert *got,
	size_t n, struct arena *a, struct rule_test_result *res)
{
	struct buf what, want, have;
	bool same = n == c->n;

	if (n > 0)
		qsort(got, n, sizeof *got, by_labels);
	if (c->n > 0)
		qsort(c->want, c->n, sizeof *c->want, by_labels);
	for (size_t i = 0; same && i < n; i++)
		same = by_labels(&got[i], &c->want[i]) == 0;
	if (same)
		return;
	begin(&what, &want, &have);
	buf_printf(&what, "alert " STR_FMT " at ", STR_ARG(c->name));
	dur_print(&what, c->at_ms);
	print_alerts(&want, c->want, c->n);
	print_alerts(&have, got, n);
	fail_with(res, a, c->line, &what, &want, &have);
}

/* --- samples --- */

static int by_series(const void *a, const void *b)
{
	return labels_cmp(((const struct rule_test_sample *)a)->labels,
		((const struct rule_test_sample *)b)->labels);
}

/* Equal, or next to each other among the floats when that is enough. */
static bool same_value(double x, double y, bool fuzzy)
{
	if (x == y || (isnan(x) && isnan(y)))
		return true;
	return fuzzy && (nextafter(x, -INFINITY) == y || nextafter(x, INFINITY) == y);
}

/* `unknown` and `not_reset` say nothing different here: which one a sample has depends on how
 * chunks were cut. */
static uint8_t hint(const struct hist *h)
{
	return h->reset == HIST_RESET_NO ? HIST_RESET_UNKNOWN : h->reset;
}

static bool same_hist(const struct hist *x, const struct hist *y)
{
	struct arena scratch;
	bool same;

	if (x == NULL || y == NULL)
		return x == y;
	arena_init(&scratch, (size_t)8 << 20);
	same = hint(x) == hint(y) && hacc_same(&scratch, x, y) && same_value(x->sum, y->sum, false);
	arena_fini(&scratch);
	return same;
}

static void print_samples(struct buf *b, const struct rule_test_sample *v, size_t n)
{
	struct arena scratch;

	arena_init(&scratch, (size_t)8 << 20);
	for (size_t i = 0; i < n; i++) {
		labels_print(b, v[i].labels, true);
		buf_ch(b, ' ');
		if (v[i].h != NULL)
			hist_print(&scratch, b, v[i].h);
		else
			f64_print(b, v[i].v);
		buf_ch(b, '\n');
	}
	arena_fini(&scratch);
}

void rule_test_compare_samples(const struct rule_test_query *c, struct rule_test_sample *got,
	size_t n, bool fuzzy, struct arena *a, struct rule_test_result *res)
{
	struct buf what, want, have;
	bool same = n == c->n;

	if (n > 0)
		qsort(got, n, sizeof *got, by_series);
	if (c->n > 0)
		qsort(c->want, c->n, sizeof *c->want, by_series);
	for (size_t i = 0; same && i < n; i++)
		same = by_series(&got[i], &c->want[i]) == 0 && same_hist(got[i].h, c->want[i].h) &&
		       (got[i].h != NULL || same_value(got[i].v, c->want[i].v, fuzzy));
	if (same)
		return;
	begin(&what, &want, &have);
	buf_c(&what, "expression ");
	buf_str(&what, c->expr);
	buf_c(&what, " at ");
	dur_print(&what, c->at_ms);
	print_samples(&want, c->want, c->n);
	print_samples(&have, got, n);
	fail_with(res, a, c->line, &what, &want, &have);
}
