/* SPDX-License-Identifier: Apache-2.0 */
/* test_promql_costs - what pq_eval says that each node of an expression cost (explain). */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "tests/lib/mem_source.h"
#include "tests/lib/suite.h"

static struct arena memory, query;
static struct mem_source source;
static struct pq_cost *costs;
static const struct pq_expr *expr;
static struct err e;

/* m_total{i="0".."9", job="a"|"b"}: a sample a second for 100 s, value i * seconds. */
static void setup(void)
{
	arena_init(&memory, (size_t)64 << 20);
	arena_init(&query, (size_t)64 << 20);
	mem_source_init(&source, &memory);
	for (int i = 0; i < 10; i++) {
		char number[2] = {(char)('0' + i), '\0'};
		struct label l[3] = {{LABEL_NAME, STR("m_total")}, {STR("i"), str_c(number)},
			{STR("job"), i < 5 ? STR("a") : STR("b")}};
		struct mem_series *s = mem_source_series(&source, (struct labels){l, 3});

		for (int64_t t = 0; t < 100; t++)
			mem_series_add(&source, s, t * 1000, (double)(i * t), NULL, 0);
	}
}

static void teardown(void)
{
	arena_fini(&query);
	arena_fini(&memory);
}

static int ask(const char *text, int64_t start, int64_t end, int64_t step)
{
	struct select_source src = mem_source_select(&source);
	struct pq_params p = {.start_ms = start,
		.end_ms = end,
		.step_ms = step,
		.lookback_ms = 300000,
		.interval_ms = 10000,
		.experimental = true};
	struct pq_result r;

	expr = pq_parse(&query, str_c(text), true, &e);
	ck_assert_msg(expr != NULL, "%s", e.msg);
	p.costs = costs = ARENA_ARRAY(&query, pq_node_count(expr), struct pq_cost);
	return pq_eval(&query, expr, &p, &src, &r, &e);
}

/* The cost of the node that is written so. */
static const struct pq_cost *of(const struct pq_expr *x, const char *text)
{
	const struct pq_cost *found = NULL;
	const struct pq_expr *c;

	if (str_eq(str_sub(expr->source, x->off, x->off + x->len), str_c(text)))
		return &costs[x->id];
	for (size_t i = 0; found == NULL && (c = pq_child(x, i)) != NULL; i++)
		found = of(c, text);
	return found;
}

static void check(
	const char *text, uint64_t selected, uint64_t series, uint64_t points, uint64_t samples)
{
	const struct pq_cost *c = of(expr, text);

	ck_assert_msg(c != NULL, "%s", text);
	ck_assert_msg(c->selected == selected && c->series == series && c->points == points &&
			      c->samples == samples,
		"%s: selected %zu series %zu points %zu samples %zu", text, (size_t)c->selected,
		(size_t)c->series, (size_t)c->points, (size_t)c->samples);
}

START_TEST(every_node_has_its_series_and_samples)
{
	ck_assert_int_eq(ask("sum by (job) (rate(m_total[10s])) / 2 > -1", 90000, 99000, 1000), 0);
	check("m_total[10s]", 10, 10, 190, 190);
	check("rate(m_total[10s])", 0, 10, 100, 0);
	check("sum by (job) (rate(m_total[10s]))", 0, 2, 20, 0);
	check("sum by (job) (rate(m_total[10s])) / 2", 0, 2, 20, 0);
	check("sum by (job) (rate(m_total[10s])) / 2 > -1", 0, 2, 20, 0);
}
END_TEST

START_TEST(a_node_that_finds_nothing_says_so)
{
	ck_assert_int_eq(ask("m_total{i=\"77\"} or m_total{i=\"7\"}", 99000, 99000, 0), 0);
	check("m_total{i=\"77\"}", 0, 0, 0, 0);
	check("m_total{i=\"7\"}", 1, 1, 1, 99 + 1);
}
END_TEST

START_TEST(subqueries_and_scalars_count_too)
{
	ck_assert_int_eq(
		ask("max_over_time(sum(m_total)[50s:10s]) + scalar(sum(m_total))", 99000, 99000, 0),
		0);
	check("sum(m_total)[50s:10s]", 0, 1, 5, 5);
	check("scalar(sum(m_total))", 0, 0, 1, 0);
	check("m_total", 10, 10, 50, 10 * 91); /* the first one: behind 49 s */
}
END_TEST

START_TEST(times_are_those_that_passed)
{
	int64_t before = clock_real_ns(), sum = 0;

	ck_assert_int_eq(
		ask("sort(label_replace(quantile by (job) (0.9, rate(m_total[10s])), "
		    "\"x\", \"$1\", \"job\", \"(.*)\")) and topk(3, sum by (job) (m_total))",
			10000, 99000, 100),
		0);
	for (size_t i = 0; i < pq_node_count(expr); i++) {
		ck_assert_int_ge(costs[i].self_ns, 0);
		sum += costs[i].self_ns;
	}
	ck_assert_int_gt(sum, 0);
	ck_assert_int_le(sum, clock_real_ns() - before);
	ck_assert_int_gt(of(expr, "m_total[10s]")->self_ns, 0);
}
END_TEST

/* "All" of a dashboard's variable. */
START_TEST(a_regular_expression_may_name_five_hundred_hosts)
{
	struct buf b;

	buf_init(&b, LIMIT_EXPR_BYTES);
	buf_c(&b, "up{instance=~\"x");
	for (int i = 0; i < 500; i++)
		buf_printf(&b, "|host-%03d.example.com:9100", i);
	buf_c(&b, "\"}");
	ck_assert(!b.failed);
	ck_assert_msg(pq_parse(&query, buf_view(&b), true, &e) != NULL, "%s", e.msg);
	buf_fini(&b);
}
END_TEST

/* The bound that was hit stands in the error, for its counter. */
START_TEST(each_bound_is_told)
{
	struct select_source src = mem_source_select(&source);
	struct pq_params p = {.end_ms = 99000, .step_ms = 1000, .lookback_ms = 300000};
	const struct pq_expr *x = pq_parse(&query, STR("sum(m_total)"), true, &e);
	struct pq_result r;
	struct arena small;
	char text[2 * LIMIT_EXPR_BYTES];

	ck_assert_ptr_nonnull(x);
	p.max_samples = 10;
	ck_assert_int_eq(pq_eval(&query, x, &p, &src, &r, &e), -1);
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_SAMPLES);
	p.max_samples = 0;
	p.step_ms = 1;
	ck_assert_int_eq(pq_eval(&query, x, &p, &src, &r, &e), -1);
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_STEPS);
	p.step_ms = 10;
	arena_init(&small, 4096);
	ck_assert_int_eq(pq_eval(&small, x, &p, &src, &r, &e), -1);
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_MEMORY);
	arena_fini(&small);
	memset(text, '(', sizeof text);
	ck_assert_ptr_null(pq_parse(&query, str_n(text, sizeof text), true, &e));
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_BYTES);
	ck_assert_ptr_null(pq_parse(&query, str_n(text, 1000), true, &e));
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_DEPTH);
	memset(text, 'a', sizeof text);
	ck_assert_ptr_null(pq_parse(&query, STR("{a=~\"\\\\pL{1000}\"}"), true, &e));
	ck_assert(e.kind == ERR_LIMIT && e.code == PQ_BOUND_REGEX);
}
END_TEST

/* Memory of a query lasts as long as it does: a long series must leave none behind with each call.
 */
START_TEST(a_range_function_keeps_nothing_of_a_long_series)
{
	enum { ROWS = 100000 };
	struct label l[1] = {{LABEL_NAME, STR("long_total")}};
	struct mem_series *s = mem_source_series(&source, (struct labels){l, 1});

	for (int64_t t = 0; t < ROWS; t++)
		mem_series_add(&source, s, t, (double)t, NULL, 0);
	arena_fini(&query);
	arena_init(&query, (size_t)2 * ROWS * sizeof(int64_t));
	ck_assert_msg(ask("sum_over_time(long_total[200s]) + rate(long_total[200s]) + "
			  "increase(long_total[200s]) + max_over_time(long_total[200s])",
			      ROWS, ROWS, 0) == 0,
		"%s", e.msg);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("promql_costs");
	TCase *t = tcase_create("costs");

	hash_init();
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_node_has_its_series_and_samples);
	tcase_add_test(t, a_node_that_finds_nothing_says_so);
	tcase_add_test(t, subqueries_and_scalars_count_too);
	tcase_add_test(t, times_are_those_that_passed);
	tcase_add_test(t, a_regular_expression_may_name_five_hundred_hosts);
	tcase_add_test(t, each_bound_is_told);
	tcase_add_test(t, a_range_function_keeps_nothing_of_a_long_series);
	suite_add_tcase(s, t);
	return suite_run(s);
}
