/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions for one label set: which selectors get which matchers. */
#include <check.h>
#include <stdlib.h>

#include "base/num.h"
#include "rules/promql/engine.h"

static const struct label only[] = {{{"instance", 8}, {"a:1", 3}}, {{"job", 3}, {"x\"y", 3}}};

static const struct {
	const char *expr, *want;
} cases[] = {
	{"up", "up{instance=\"a:1\",job=\"x\\\"y\"}"},
	{"rate(http_total{code=~\"5..\"}[5m])",
		"rate(http_total{code=~\"5..\",instance=\"a:1\",job=\"x\\\"y\"}[5m])"},
	{"sum(up)", "sum(up)"},
	{"sum by (job) (rate(x[1m]))", "sum by (job) (rate(x{job=\"x\\\"y\"}[1m]))"},
	{"sum without (instance) (x)", "sum without (instance) (x{job=\"x\\\"y\"})"},
	{"topk(3, x)", "topk(3, x{instance=\"a:1\",job=\"x\\\"y\"})"},
	{"count_values(\"job\", x)", "count_values(\"job\", x)"},
	{"histogram_quantile(0.9, sum by (job, le) (rate(x_bucket[5m])))",
		"histogram_quantile(0.9, sum by (job, le) (rate(x_bucket{job=\"x\\\"y\"}[5m])))"},
	{"a / b", "a{instance=\"a:1\",job=\"x\\\"y\"} / b{instance=\"a:1\",job=\"x\\\"y\"}"},
	{"a / on (job) b", "a{job=\"x\\\"y\"} / on (job) b{job=\"x\\\"y\"}"},
	{"a / ignoring (job) b", "a{instance=\"a:1\"} / ignoring (job) b{instance=\"a:1\"}"},
	{"a / on (job) group_left (instance) b",
		"a{job=\"x\\\"y\"} / on (job) group_left (instance) b{job=\"x\\\"y\"}"},
	{"a / ignoring (job) group_left () b", "a / ignoring (job) group_left () b"},
	{"a and on (job) b", "a{instance=\"a:1\",job=\"x\\\"y\"} and on (job) b{job=\"x\\\"y\"}"},
	{"a unless b",
		"a{instance=\"a:1\",job=\"x\\\"y\"} unless b{instance=\"a:1\",job=\"x\\\"y\"}"},
	{"a or on (job) b", "a{job=\"x\\\"y\"} or on (job) b{job=\"x\\\"y\"}"},
	{"label_replace(a, \"job\", \"$1\", \"z\", \"(.*)\")",
		"label_replace(a, \"job\", \"$1\", \"z\", \"(.*)\")"},
	{"absent(a)", "absent(a)"},
	{"a * scalar(b)", "a{instance=\"a:1\",job=\"x\\\"y\"} * scalar(b)"},
	{"-(a + 1) > 5", "-(a{instance=\"a:1\",job=\"x\\\"y\"} + 1) > 5"},
	{"max_over_time(rate(a[1m])[5m:1m])",
		"max_over_time(rate(a{instance=\"a:1\",job=\"x\\\"y\"}[1m])[5m:1m])"},
};

static int by_byte(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* Matchers may stand in another order than written: the same bytes will do. */
static bool same_bytes(struct buf *a, struct buf *b)
{
	qsort(a->p, a->n, 1, by_byte);
	qsort(b->p, b->n, 1, by_byte);
	return str_eq(buf_view(a), buf_view(b));
}

START_TEST(matchers_go_where_a_label_of_the_result_must_come_from)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pq_expr *x;
		struct arena a;
		struct buf want, got;
		struct err e;

		arena_init(&a, (size_t)4 << 20);
		buf_init(&want, 4096);
		buf_init(&got, 4096);
		x = pq_parse(&a, str_c(cases[i].want), true, &e);
		if (x == NULL)
			ck_abort_msg("%s: %s", cases[i].want, e.msg);
		pq_expr_print(&want, x);
		x = pq_parse(&a, str_c(cases[i].expr), true, &e);
		ck_assert_ptr_nonnull(x);
		pq_expr_print(&got, pq_expr_narrow(&a, x, (struct labels){only, 2}));
		if (!same_bytes(&got, &want))
			ck_abort_msg("%s narrowed is not %s", cases[i].expr, cases[i].want);
		buf_fini(&want);
		buf_fini(&got);
		arena_fini(&a);
	}
}
END_TEST

START_TEST(a_small_arena_gives_an_expression_that_is_still_whole)
{
	struct arena a, small;
	const struct pq_expr *x;
	struct err e;

	arena_init(&a, (size_t)4 << 20);
	x = pq_parse(&a, STR("sum by (job) (rate(x[1m])) / sum by (job) (rate(y[1m]))"), true, &e);
	ck_assert_ptr_nonnull(x);
	for (size_t limit = 64; limit < 20000; limit += 300) {
		struct buf b;

		arena_init(&small, limit);
		buf_init(&b, 4096);
		pq_expr_print(&b, pq_expr_narrow(&small, x, (struct labels){only, 2}));
		ck_assert(str_has(buf_view(&b), STR("rate(y")));
		buf_fini(&b);
		arena_fini(&small);
	}
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_narrow");
	TCase *tc = tcase_create("promql_narrow");
	SRunner *r;
	int failed;

	tcase_add_test(tc, matchers_go_where_a_label_of_the_result_must_come_from);
	tcase_add_test(tc, a_small_arena_gives_an_expression_that_is_still_whole);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
