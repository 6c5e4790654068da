/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions for one label set: which selectors get which matchers. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "rules/promql/engine.h"
#include "tests/lib/mem_source.h"
#include "tests/lib/suite.h"

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

/* --- the same values --- */

static struct arena mem;
static struct mem_source source;

static void add(
	const char *name, const char *job, const char *instance, const char *le, double step)
{
	struct label v[] = {{LABEL_NAME, str_c(name)}, {STR("instance"), str_c(instance)},
		{STR("job"), str_c(job)}, {STR("le"), str_c(le)}};
	struct mem_series *m =
		mem_source_series(&source, (struct labels){v, le[0] != '\0' ? 4 : 3});

	for (int i = 0; i < 60; i++)
		mem_series_add(&source, m, i * INT64_C(15000), step * i + (i % 7), NULL, 0);
}

static void fill(void)
{
	static const char *const jobs[] = {"x", "y"}, *const instances[] = {"a", "b", "c"};

	arena_init(&mem, (size_t)64 << 20);
	mem_source_init(&source, &mem);
	for (size_t i = 0; i < 6; i++) {
		const char *job = jobs[i / 3], *instance = instances[i % 3];

		add("a", job, instance, "", (double)i + 1);
		add("b", job, instance, "", 2 * (double)i + 3);
		add("h_bucket", job, instance, "0.1", (double)i);
		add("h_bucket", job, instance, "1", 2 * (double)i + 1);
		add("h_bucket", job, instance, "+Inf", 3 * (double)i + 2);
	}
	add("info", "x", "a", "", 0);
	add("info", "y", "a", "", 0);
	add("only_x", "x", "a", "", 1);
}

static void eval(const struct pq_expr *x, struct arena *a, struct pq_result *r)
{
	struct select_source src = mem_source_select(&source);
	struct pq_params p = {.start_ms = 300000,
		.end_ms = 840000,
		.step_ms = 60000,
		.lookback_ms = 300000,
		.max_samples = 1000000,
		.interval_ms = 15000,
		.experimental = true};
	struct err e = {0};

	if (pq_eval(a, x, &p, &src, r, &e) != 0)
		ck_abort_msg("%s", e.msg);
}

static const struct pq_series *of_labels(const struct pq_result *r, struct labels ls)
{
	for (size_t i = 0; i < r->n; i++) {
		if (labels_eq(r->series[i].labels, ls))
			return &r->series[i];
	}
	return NULL;
}

static const char *const expressions[] = {"a", "rate(a[1m])", "sum by (job) (a)",
	"sum without (instance) (rate(a[2m]))", "avg(a)", "a / b", "a / on (job, instance) b",
	"sum by (job) (a) / sum by (job) (b)", "a / on (job) group_left () sum by (job) (b)",
	"sum by (job) (b) * on (job) group_right () a", "a * on (job) group_left () info",
	"a and on (job) only_x", "a unless on (job) only_x", "only_x or a", "only_x or on (job) a",
	"only_x or ignoring (instance) a",
	"histogram_quantile(0.9, sum by (job, le) (rate(h_bucket[2m])))",
	"histogram_quantile(0.5, rate(h_bucket[2m]))", "count_values by (job) (\"v\", a > 10)",
	"label_replace(a, \"instance\", \"$1-z\", \"instance\", \"(.*)\")",
	"label_join(a, \"job\", \"-\", \"instance\", \"job\")", "absent(a{job=\"none\"})",
	"a * scalar(sum(b))", "-a + 3 > bool 5", "a > 20", "max_over_time(rate(a[1m])[3m:30s])",
	"a offset 1m - a", "quantile by (instance) (0.5, a)", "clamp_max(a, 7)", "a ^ 2 % 5",
	"sum by (job) (a) or sum by (instance) (a)", "vector(1)", "time()",
	"group by (job, instance) (a) * on (job) group_left () count by (job) (b)"};

START_TEST(a_narrowed_expression_has_the_values_of_the_whole_one)
{
	size_t compared = 0;

	fill();
	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		struct pq_result whole = {0};
		const struct pq_expr *x;
		struct arena a;
		struct err e;

		arena_init(&a, (size_t)64 << 20);
		x = pq_parse(&a, str_c(expressions[i]), true, &e);
		if (x == NULL)
			ck_abort_msg("%s: %s", expressions[i], e.msg);
		eval(x, &a, &whole);
		for (size_t k = 0; k < whole.n; k++) {
			const struct pq_series *want = &whole.series[k], *got;
			struct pq_result part = {0};

			eval(pq_expr_narrow(&a, x, want->labels), &a, &part);
			got = of_labels(&part, want->labels);
			if (got == NULL || got->n != want->n)
				ck_abort_msg(
					"%s: series %zu is gone or shorter", expressions[i], k);
			for (size_t n = 0; n < want->n; n++) {
				ck_assert_int_eq(got->t[n], want->t[n]);
				ck_assert(got->v[n] == want->v[n] ||
					  (isnan(got->v[n]) && isnan(want->v[n])));
				compared++;
			}
		}
		arena_fini(&a);
	}
	ck_assert_uint_gt(compared, 500);
	arena_fini(&mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_narrow");
	TCase *tc = tcase_create("promql_narrow");

	tcase_add_test(tc, matchers_go_where_a_label_of_the_result_must_come_from);
	tcase_add_test(tc, a_narrowed_expression_has_the_values_of_the_whole_one);
	tcase_add_test(tc, a_small_arena_gives_an_expression_that_is_still_whole);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
